// SPDX-License-Identifier: GPL-2.0
#include <kunit/test.h>
#include <linux/module.h>

MODULE_DESCRIPTION("kmag: KUnit suites");
MODULE_LICENSE("GPL");
