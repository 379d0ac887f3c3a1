// SPDX-License-Identifier: GPL-2.0
/*
 * kmag - object caches with per-CPU magazines: module init and exit.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/init.h>
#include <linux/module.h>
#include <linux/rcupdate.h>

#include "alloc.h"
#include "cache.h"
#include "debugfs.h"
#include "park.h"
#include "reclaim.h"
#include "table.h"

static int __init kmag_init(void)
{
	int ret;

	ret = kmag_park_init();
	if (ret)
		goto err_park;
	ret = kmag_cache_init();
	if (ret)
		goto err_cache;
	ret = kmag_reclaim_init();
	if (ret)
		goto err_reclaim;
	kmag_debugfs_init();
	kmag_alloc_init();
	return 0;

err_reclaim:
	kmag_cache_exit();
err_cache:
	kmag_park_exit();
err_park:
	return ret;
}

static void __exit kmag_exit(void)
{
	/* Every cache holds a reference: there is none any more. */
	kmag_debugfs_exit();
	kmag_reclaim_exit();
	kmag_cache_exit();
	kmag_park_exit();
	rcu_barrier();	/* slab descriptors are freed by our code */
	kmag_table_exit();
}

module_init(kmag_init);
module_exit(kmag_exit);

MODULE_DESCRIPTION("Object caches with per-CPU magazines");
MODULE_LICENSE("GPL");
