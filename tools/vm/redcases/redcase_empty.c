// SPDX-License-Identifier: GPL-2.0
/*
 * redcase_empty - a suite without a test.
 */
#include <kunit/test.h>
#include <linux/module.h>

static struct kunit_case redcase_cases[] = {
	{}
};

static struct kunit_suite redcase_suite = {
	.name = "redcase_empty",
	.test_cases = redcase_cases,
};

kunit_test_suite(redcase_suite);

MODULE_DESCRIPTION("A KUnit suite without a test, to test the test runner");
MODULE_LICENSE("GPL");
