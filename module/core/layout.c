// SPDX-License-Identifier: GPL-2.0
/*
 * Layout: how large the slabs of a cache are, and how objects lie in them.
 * Worked out once, when the cache is made.
 */
#include <linux/bitops.h>
#include <linux/cache.h>
#include <linux/mm.h>

#include "debug.h"
#include "slab.h"

/* Bytes behind the last object of a slab. */
static size_t tail_of(const struct kmag_cache *cache, unsigned int order)
{
	return (PAGE_SIZE << order) - kmag_slab_slots(cache, order) * cache->stride;
}

static bool wastes_little(const struct kmag_cache *cache, unsigned int order)
{
	return tail_of(cache, order) <= PAGE_SIZE << order >> KMAG_WASTE_SHIFT;
}

/*
 * The smallest good order with little waste and enough objects; else with
 * little waste; else the good one that wastes least. An object that needs more
 * than a good order gets the smallest that holds it.
 */
static unsigned int choose_order(const struct kmag_cache *cache)
{
	unsigned int order, best = cache->min_order;

	for (order = best; order <= KMAG_ORDER_GOOD; order++)
		if (wastes_little(cache, order) &&
		    kmag_slab_slots(cache, order) >= KMAG_SLOTS_GOOD)
			return order;
	for (order = best; order <= KMAG_ORDER_GOOD; order++) {
		if (wastes_little(cache, order))
			return order;
		if (tail_of(cache, order) << (KMAG_ORDER_GOOD - order) <
		    tail_of(cache, best) << (KMAG_ORDER_GOOD - best))
			best = order;
	}
	return best;
}

/* Of an odd number; each step doubles the bits that are right. */
static unsigned long inverse_of(unsigned long odd)
{
	unsigned long inverse = odd;	/* right in three bits */
	int bits;

	for (bits = 3; bits < BITS_PER_LONG; bits *= 2)
		inverse *= 2 - odd * inverse;
	return inverse;
}

void kmag_slab_layout(struct kmag_cache *cache)
{
	unsigned int align = max_t(unsigned int, cache->align, sizeof(void *));
	unsigned int size = cache->fast.size;

	if (cache->flags & KMAG_HWCACHE_ALIGN) {
		unsigned int line = cache_line_size();

		/* Several small objects share a line, but none spans two. */
		while (size <= line / 2)
			line /= 2;
		align = max(align, line);
	}
	cache->align = align;
	cache->stride = ALIGN(size + kmag_redzone(), align);
	cache->shift = __ffs(cache->stride);
	cache->inverse = inverse_of(cache->stride >> cache->shift);

	cache->min_order = get_order(cache->stride);
	cache->order = choose_order(cache);
	cache->slab_slots = kmag_slab_slots(cache, cache->order);
}
EXPORT_SYMBOL_IF_KUNIT(kmag_slab_layout);
