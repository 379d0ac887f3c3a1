// SPDX-License-Identifier: GPL-2.0
/*
 * kmag_kunit.ko: one suite per layer of kmag.ko. Loading it runs them; the
 * results are in /sys/kernel/debug/kunit/.
 */
#include <linux/module.h>

MODULE_DESCRIPTION("kmag: KUnit suites");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(EXPORTED_FOR_KUNIT_TESTING);
