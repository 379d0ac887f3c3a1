// SPDX-License-Identifier: GPL-2.0
/*
 * Row zero: an object is zeroed and nothing else. What init_on_alloc=1 adds to
 * an allocator can be no less.
 */
#include <linux/string.h>

#include "bench.h"

static __always_inline void *row_open(const struct bench_cache *cache)
{
	return (void *)cache;
}

/* Size and memory are read each time, as from a cache. */
static __always_inline void *row_alloc(void *cache)
{
	const struct bench_cache *c = cache;

	return memset(READ_ONCE(c->zeroed), 0, READ_ONCE(c->size));
}

static __always_inline void row_free(void *cache, void *obj)
{
	OPTIMIZER_HIDE_VAR(obj);
}

static __always_inline int row_alloc_bulk(void *cache, size_t nr, void **objs)
{
	size_t i;

	for (i = 0; i < nr; i++)
		row_alloc(cache);
	return nr;
}

static __always_inline void row_free_bulk(void *cache, size_t nr, void **objs)
{
}

#include "patterns.h"

BENCH_ROW(zero, "zero");
