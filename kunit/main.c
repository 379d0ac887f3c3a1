// SPDX-License-Identifier: GPL-2.0
/*
 * kmag_kunit.ko: one suite per layer of kmag.ko. Loading it runs them; the
 * results are in /sys/kernel/debug/kunit/.
 */
#include <linux/module.h>

#include "compat.h"

MODULE_DESCRIPTION("kmag: KUnit suites");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(KMAG_KUNIT_NS);
