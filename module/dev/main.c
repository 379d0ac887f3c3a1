// SPDX-License-Identifier: GPL-2.0
/*
 * kmag_dev - /dev/kmag: module init and exit.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/init.h>
#include <linux/module.h>

static int __init kmag_dev_init(void)
{
	return 0;
}

static void __exit kmag_dev_exit(void)
{
}

module_init(kmag_dev_init);
module_exit(kmag_dev_exit);

MODULE_DESCRIPTION("/dev/kmag: kmag from user space");
MODULE_LICENSE("GPL");
