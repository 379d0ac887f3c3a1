// SPDX-License-Identifier: GPL-2.0
/*
 * Caches to compare: one of each allocator, of one size and alignment.
 */
#include <linux/errno.h>
#include <linux/slab.h>

#include <kmag/kmag.h>

#include "bench.h"

/* 6.5 made it; before that nothing but slab_nomerge keeps a cache alone. */
#ifndef SLAB_NO_MERGE
#define SLAB_NO_MERGE	0
#endif

struct kmem_cache *bench_slub_create(const char *name, unsigned int size)
{
	return kmem_cache_create(name, size, 0, SLAB_NO_MERGE, NULL);
}

int bench_cache_init(struct bench_cache *cache, const char *name,
		     unsigned int size)
{
	char slub_name[40];

	snprintf(slub_name, sizeof(slub_name), "%s_slub", name);
	cache->size = size;
	cache->zeroed = kmalloc(size, GFP_KERNEL);
	if (!cache->zeroed)
		return -ENOMEM;
	cache->slub = bench_slub_create(slub_name, size);
	if (!cache->slub)
		goto err_slub;
	cache->kmag = kmag_cache_create(name, size, 0, 0, NULL);
	if (!cache->kmag)
		goto err_kmag;
	return 0;

err_kmag:
	kmem_cache_destroy(cache->slub);
err_slub:
	kfree(cache->zeroed);
	return -ENOMEM;
}

void bench_cache_exit(struct bench_cache *cache)
{
	kmag_cache_destroy(cache->kmag);
	kmem_cache_destroy(cache->slub);
	kfree(cache->zeroed);
}
