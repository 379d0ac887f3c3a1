/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What differs between the kernels that kmag_dev is built for.
 */
#ifndef _KMAG_DEV_COMPAT_H
#define _KMAG_DEV_COMPAT_H

#include <linux/slab.h>

/* Before 6.5 only the boot option slab_nomerge keeps caches apart. */
#ifndef SLAB_NO_MERGE
#define SLAB_NO_MERGE	((slab_flags_t __force)0)
#endif

#endif /* _KMAG_DEV_COMPAT_H */
