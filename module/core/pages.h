/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Pages: what slabs are made of.
 */
#ifndef _KMAG_PAGES_H
#define _KMAG_PAGES_H

#include "internal.h"

/* Got in one go at most: what a magazine of objects of a page each takes. */
#define KMAG_PAGES_BULK	16U

/**
 * struct kmag_pages - pages, of one node, that no slab has been made of yet
 * @nr: how many
 * @order: of each
 * @page: head pages
 */
struct kmag_pages {
	unsigned int nr;
	unsigned int order;
	struct page *page[KMAG_PAGES_BULK];
};

/**
 * kmag_pages_get - get pages for slabs
 * @cache: the cache
 * @gfp: of the allocation
 * @nid: memory node to ask for
 * @want: objects there should be room for; for one at least
 * @pages: where they are put; nothing of before is left
 *
 * As many as that takes where that is cheaper than one by one, else one.
 *
 * Context: Any but NMI; no raw lock held.
 * Return: whether there are any.
 */
bool kmag_pages_get(struct kmag_cache *cache, gfp_t gfp, int nid,
		    unsigned int want, struct kmag_pages *pages);

/* The two places where pages come from. Suites make them fail. */
struct page *kmag_pages_alloc(gfp_t gfp, int nid, unsigned int order);
unsigned int kmag_pages_bulk(gfp_t gfp, int nid, unsigned int nr,
			     struct page **page);

#endif /* _KMAG_PAGES_H */
