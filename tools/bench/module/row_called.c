// SPDX-License-Identifier: GPL-2.0
/*
 * Row kmag: kmag by its exported calls; the inline header is not even seen.
 */
#include <kmag/kmag.h>

#include "bench.h"

static __always_inline void *row_open(const struct bench *bench)
{
	return bench->kmag;
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

#include "patterns.h"

BENCH_ROW(called, "called");
