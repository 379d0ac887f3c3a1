// SPDX-License-Identifier: GPL-2.0
/*
 * redcase_fails - a suite with a test that passes and one that fails.
 */
#include <kunit/test.h>
#include <linux/module.h>

static void one_passes(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, 2, 1 + 1);
}

static void one_fails(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, 3, 1 + 1);
}

static struct kunit_case redcase_cases[] = {
	KUNIT_CASE(one_passes),
	KUNIT_CASE(one_fails),
	{}
};

static struct kunit_suite redcase_suite = {
	.name = "redcase_fails",
	.test_cases = redcase_cases,
};

kunit_test_suite(redcase_suite);

MODULE_DESCRIPTION("A KUnit suite that fails, to test the test runner");
MODULE_LICENSE("GPL");
