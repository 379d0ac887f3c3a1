// SPDX-License-Identifier: GPL-2.0
/*
 * Pages: how the page allocator is asked for what slabs are made of. Above:
 * slab.c. Below: the page allocator.
 */
#include <linux/gfp.h>
#include <linux/minmax.h>
#include <linux/string.h>

#include "pages.h"

struct page *kmag_pages_alloc(gfp_t gfp, int nid, unsigned int order)
{
	KMAG_KUNIT_STUB(kmag_pages_alloc, gfp, nid, order);

	return alloc_pages_node(nid, gfp | __GFP_COMP, order);
}
EXPORT_SYMBOL_IF_KUNIT(kmag_pages_alloc);

unsigned int kmag_pages_bulk(gfp_t gfp, int nid, unsigned int nr,
			     struct page **page)
{
	KMAG_KUNIT_STUB(kmag_pages_bulk, gfp, nid, nr, page);

	return alloc_pages_bulk_node(gfp, nid, nr, page);
}
EXPORT_SYMBOL_IF_KUNIT(kmag_pages_bulk);

/* The order that is best, if it costs nobody anything; else the smallest. */
static struct page *one_block(struct kmag_cache *cache, gfp_t gfp, int nid,
			      unsigned int *order)
{
	struct page *page;

	*order = cache->order;
	if (cache->order > cache->min_order) {
		page = kmag_pages_alloc((gfp | __GFP_NOWARN | __GFP_NORETRY) &
					~(__GFP_RECLAIM | __GFP_NOFAIL |
					  __GFP_HIGH),
					nid, cache->order);
		if (page)
			return page;
		*order = cache->min_order;
	}
	/* The page allocator takes NOFAIL for small orders only. */
	if (*order > 1)
		gfp &= ~__GFP_NOFAIL;
	return kmag_pages_alloc(gfp, nid, *order);
}

bool kmag_pages_get(struct kmag_cache *cache, gfp_t gfp, int nid,
		    unsigned int want, struct kmag_pages *pages)
{
	/*
	 * Never from the emergency reserves: a cache that grows while memory
	 * is being reclaimed would eat what reclaim needs.
	 */
	gfp &= ~(__GFP_ZERO | __GFP_MEMALLOC | __GFP_MOVABLE | __GFP_HIGHMEM |
		 __GFP_ACCOUNT);
	gfp |= __GFP_NOMEMALLOC | cache->gfp;

	memset(pages, 0, sizeof(*pages));
	/* Several at once are to be had of order 0 only. */
	if (!cache->order && want > cache->slab_slots) {
		unsigned int nr = DIV_ROUND_UP(want, cache->slab_slots);

		pages->nr = kmag_pages_bulk(gfp, nid, min(nr, KMAG_PAGES_BULK),
					    pages->page);
	} else {
		pages->page[0] = one_block(cache, gfp, nid, &pages->order);
		pages->nr = !!pages->page[0];
	}
	return pages->nr;
}
