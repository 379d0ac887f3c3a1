/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What differs between the kernels that the suites are built for.
 */
#ifndef _KMAG_KUNIT_COMPAT_H
#define _KMAG_KUNIT_COMPAT_H

#include <linux/fs_struct.h>
#include <linux/version.h>

/* A namespace of symbols is named by a string since 6.13. */
#if KERNEL_VERSION(6, 13, 0) > LINUX_VERSION_CODE
#define KMAG_KUNIT_NS	EXPORTED_FOR_KUNIT_TESTING
#else
#define KMAG_KUNIT_NS	"EXPORTED_FOR_KUNIT_TESTING"
#endif

/* Threads of newer kernels have a root of their own, with nothing in it. */
#ifndef scoped_with_init_fs
#define scoped_with_init_fs()
#endif

#endif /* _KMAG_KUNIT_COMPAT_H */
