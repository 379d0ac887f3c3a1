/* SPDX-License-Identifier: GPL-2.0 */
/*
 * hrtimer_setup() for kernels that lack it. Of this tree's own modules; no part
 * of kmag's interface.
 */
#ifndef _COMPAT_HRTIMER_H
#define _COMPAT_HRTIMER_H

#include <linux/hrtimer.h>
#include <linux/version.h>

/* 6.13 made one call of two, and 6.15 took the other one away. */
#if KERNEL_VERSION(6, 13, 0) > LINUX_VERSION_CODE
static inline void hrtimer_setup(struct hrtimer *timer,
				 enum hrtimer_restart (*function)(struct hrtimer *),
				 clockid_t clock, enum hrtimer_mode mode)
{
	hrtimer_init(timer, clock, mode);
	timer->function = function;
}
#endif

#endif /* _COMPAT_HRTIMER_H */
