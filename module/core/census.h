/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Census: the objects that lie in a cache's magazines, by address. The counters
 * tell how many there are; this tells which slabs they hold open.
 */
#ifndef _KMAG_CENSUS_H
#define _KMAG_CENSUS_H

#include "internal.h"
#include "slab.h"

/**
 * struct kmag_census - objects in magazines
 * @nr: how many were found
 * @max: how many there can be
 * @objs: sorted by address
 */
struct kmag_census {
	size_t nr;
	size_t max;
	void *objs[];
};

/**
 * struct kmag_cached - slabs that cached objects alone hold open
 * @slabs: by fullness class
 * @bytes: of them
 */
struct kmag_cached {
	u64 slabs[KMAG_SNAP_CLASSES];
	u64 bytes;
};

/**
 * kmag_census_alloc - room for all that a cache's magazines can hold
 * @cache: the cache
 * @gfp: flags
 *
 * Return: to be freed by kvfree(), or NULL.
 */
struct kmag_census *kmag_census_alloc(struct kmag_cache *cache, gfp_t gfp);

/**
 * kmag_census_take - look into all magazines of a cache
 * @cache: the cache
 * @census: filled
 *
 * Exact only when the fast path rests: an object may be found that was handed
 * out meanwhile, or twice, and one that was freed meanwhile may be missed.
 *
 * Context: Process context. Takes each cpu->lock and each depot's lock.
 */
void kmag_census_take(struct kmag_cache *cache, struct kmag_census *census);

/**
 * kmag_census_of - objects of a slab that were cached
 * @census: taken
 * @slab: any slab of the cache, in an RCU read-side section
 *
 * Return: how many.
 */
size_t kmag_census_of(const struct kmag_census *census,
		      const struct kmag_slab *slab);

/**
 * kmag_census_held - which slabs have no other objects away than cached ones
 * @cache: the cache
 * @census: taken
 * @cached: filled
 *
 * Context: Process context.
 */
void kmag_census_held(struct kmag_cache *cache,
		      const struct kmag_census *census,
		      struct kmag_cached *cached);

#endif /* _KMAG_CENSUS_H */
