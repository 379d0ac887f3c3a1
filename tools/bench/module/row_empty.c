// SPDX-License-Identifier: GPL-2.0
/*
 * Row empty: the loop alone, which is in every other row too.
 */
#include "bench.h"

static __always_inline void *row_open(const struct bench_cache *cache)
{
	return (void *)cache;
}

static __always_inline void *row_alloc(void *cache)
{
	return cache;
}

static __always_inline void row_free(void *cache, void *obj)
{
	OPTIMIZER_HIDE_VAR(obj);
}

static __always_inline int row_alloc_bulk(void *cache, size_t nr, void **objs)
{
	return nr;
}

static __always_inline void row_free_bulk(void *cache, size_t nr, void **objs)
{
}

#include "patterns.h"

BENCH_ROW(empty, "empty");
