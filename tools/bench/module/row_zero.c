// SPDX-License-Identifier: GPL-2.0
/*
 * Row zero: an object is zeroed and nothing else. What init_on_alloc=1 adds to
 * an allocator can be no less.
 */
#include <linux/string.h>

#include "bench.h"

/* The object's size lies where a cache would keep it. */
static struct {
	unsigned int size;
	void *obj;
} zero;

static __always_inline void *row_open(const struct bench *bench)
{
	zero.size = bench->size;
	zero.obj = bench->zeroed;
	return &zero;
}

static __always_inline void *row_alloc(void *cache)
{
	typeof(zero) *z = cache;

	return memset(READ_ONCE(z->obj), 0, READ_ONCE(z->size));
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
