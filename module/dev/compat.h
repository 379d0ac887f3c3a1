/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What differs between the kernels that kmag_dev is built for.
 */
#ifndef _KMAG_DEV_COMPAT_H
#define _KMAG_DEV_COMPAT_H

#include <linux/hrtimer.h>
#include <linux/slab.h>
#include <linux/version.h>

/* Before 6.5 only the boot option slab_nomerge keeps caches apart. */
#ifndef SLAB_NO_MERGE
#define SLAB_NO_MERGE	((slab_flags_t __force)0)
#endif

/* 6.13 made one call of two. */
#if KERNEL_VERSION(6, 13, 0) > LINUX_VERSION_CODE
static inline void hrtimer_setup(struct hrtimer *timer,
				 enum hrtimer_restart (*fn)(struct hrtimer *timer),
				 clockid_t clock, enum hrtimer_mode mode)
{
	hrtimer_init(timer, clock, mode);
	timer->function = fn;
}
#endif

#endif /* _KMAG_DEV_COMPAT_H */
