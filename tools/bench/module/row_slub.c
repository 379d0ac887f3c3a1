// SPDX-License-Identifier: GPL-2.0
/*
 * Row SLUB: the kernel's own slab allocator, by its exported calls.
 */
#include <linux/slab.h>

#include "bench.h"

static __always_inline void *row_open(const struct bench_cache *cache)
{
	return cache->slub;
}

static __always_inline void *row_alloc(void *cache)
{
	return kmem_cache_alloc(cache, BENCH_GFP);
}

static __always_inline void row_free(void *cache, void *obj)
{
	kmem_cache_free(cache, obj);
}

static __always_inline int row_alloc_bulk(void *cache, size_t nr, void **objs)
{
	/* All or none: newer kernels tell no number. */
	return kmem_cache_alloc_bulk(cache, BENCH_GFP, nr, objs) ? nr : 0;
}

static __always_inline void row_free_bulk(void *cache, size_t nr, void **objs)
{
	kmem_cache_free_bulk(cache, nr, objs);
}

static void *row_make(unsigned int size)
{
	return bench_slub_create("kmag_bench_slub_cold", size);
}

static void row_unmake(void *cache)
{
	kmem_cache_destroy(cache);
}

#define BENCH_ROW_IS_ALLOCATOR
#include "patterns.h"

BENCH_ROW(slub, "slub");
