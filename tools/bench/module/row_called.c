// SPDX-License-Identifier: GPL-2.0
/*
 * Row kmag: kmag by its exported calls; the inline header is not even seen.
 */
#include <kmag/kmag.h>

#include "bench.h"

static __always_inline void *row_open(const struct bench_cache *cache)
{
	return cache->kmag;
}

static __always_inline void *row_alloc(void *cache)
{
	return kmag_cache_alloc(cache, BENCH_GFP);
}

static __always_inline void row_free(void *cache, void *obj)
{
	kmag_cache_free(cache, obj);
}

static __always_inline int row_alloc_bulk(void *cache, size_t nr, void **objs)
{
	return kmag_cache_alloc_bulk(cache, BENCH_GFP, nr, objs);
}

static __always_inline void row_free_bulk(void *cache, size_t nr, void **objs)
{
	kmag_cache_free_bulk(cache, nr, objs);
}

static void *row_make(unsigned int size)
{
	return kmag_cache_create("kmag_bench_cold", size, 0, 0, NULL);
}

static void row_unmake(void *cache)
{
	kmag_cache_destroy(cache);
}

#define BENCH_ROW_IS_ALLOCATOR
#include "patterns.h"

BENCH_ROW(called, "called");
