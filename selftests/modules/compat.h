/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What differs between the kernels that the test modules are built for.
 */
#ifndef _KMAG_SELFTESTS_COMPAT_H
#define _KMAG_SELFTESTS_COMPAT_H

#include <linux/hrtimer.h>
#include <linux/version.h>

/* 6.13 brought it, 6.15 took hrtimer_init() away. */
#if KERNEL_VERSION(6, 13, 0) > LINUX_VERSION_CODE
static inline void hrtimer_setup(struct hrtimer *timer,
				 enum hrtimer_restart (*function)(struct hrtimer *),
				 clockid_t clock, enum hrtimer_mode mode)
{
	hrtimer_init(timer, clock, mode);
	timer->function = function;
}
#endif

#endif /* _KMAG_SELFTESTS_COMPAT_H */
