// SPDX-License-Identifier: GPL-2.0
/*
 * A client of kmag: what a driver does with a kmem_cache, by other names.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>
#include <linux/slab.h>

#include <kmag/kmag.h>

#define NR_CONNS	1000

struct conn {
	u32 id;
	u32 state;
	char peer[40];
};

static struct kmag_cache *conn_cache;
static struct conn **conns;

static int __init example_init(void)
{
	unsigned int i;

	conn_cache = KMAG_CACHE(conn, KMAG_HWCACHE_ALIGN);
	if (!conn_cache)
		return -ENOMEM;
	conns = kcalloc(NR_CONNS, sizeof(*conns), GFP_KERNEL);
	if (!conns)
		goto err_conns;
	for (i = 0; i < NR_CONNS; i++) {
		conns[i] = kmag_cache_zalloc(conn_cache, GFP_KERNEL);
		if (!conns[i])
			goto err_conn;
		conns[i]->id = i;
	}
	pr_info("%u connections of %u bytes\n", NR_CONNS,
		kmag_cache_size(conn_cache));
	return 0;

err_conn:
	while (i--)
		kmag_cache_free(conn_cache, conns[i]);
	kfree(conns);
err_conns:
	kmag_cache_destroy(conn_cache);
	return -ENOMEM;
}

static void __exit example_exit(void)
{
	kmag_cache_free_bulk(conn_cache, NR_CONNS, (void **)conns);
	kfree(conns);
	kmag_cache_destroy(conn_cache);
}

module_init(example_init);
module_exit(example_exit);

MODULE_DESCRIPTION("An example client of kmag");
MODULE_LICENSE("GPL");
