// SPDX-License-Identifier: GPL-2.0
/*
 * kmag - object caches with per-CPU magazines: module init and exit.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/init.h>
#include <linux/module.h>

static int __init kmag_init(void)
{
	return 0;
}

static void __exit kmag_exit(void)
{
}

module_init(kmag_init);
module_exit(kmag_exit);

MODULE_DESCRIPTION("Object caches with per-CPU magazines");
MODULE_LICENSE("GPL");
