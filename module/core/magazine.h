/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Magazines: each CPU's loaded and previous one, and the slow paths that fill
 * and empty them. The fast path is <kmag/kmag_inline.h>.
 */
#ifndef _KMAG_MAGAZINE_H
#define _KMAG_MAGAZINE_H

#include "gate.h"
#include "internal.h"

/**
 * kmag_cpus_alloc - give every possible CPU its magazines
 * @cache: with capacity set
 *
 * Return: 0 or -ENOMEM.
 */
int kmag_cpus_alloc(struct kmag_cache *cache);

/**
 * kmag_cpus_free - free them; they must be empty
 * @cache: the cache
 */
void kmag_cpus_free(struct kmag_cache *cache);

/**
 * kmag_swap_claimed - swap loaded and previous where that lets a CPU go on
 * @cache: the cache; preemption is off
 * @here: this CPU's magazines, claimed
 * @cap: capacity of the loaded one, in objects; who pushes without a look at
 *	the slab takes hi for it, which is 0 where he has to look
 * @for_alloc: go on with an allocation; else, with a free
 *
 * No lock, and interrupts stay on. Between magazines of different capacity the
 * bound would change too; that is left to the slow path.
 *
 * Return: whether they were swapped.
 */
static __always_inline bool kmag_swap_claimed(struct kmag_cache *cache,
					      struct kmag_here here, u32 cap,
					      bool for_alloc)
{
	u32 rounds = kmag_get(here.pcp->rounds);
	u32 prev = kmag_get(here.pcp->prev_rounds);
	void **objs;

	/* Closed by a fence, or another capacity: not here. */
	if (kmag_get(here.pcp->lo) || cap != kmag_get(here.pcp->prev_cap))
		return false;
	if (for_alloc ? rounds || !prev : rounds != cap || prev >= cap)
		return false;
	objs = kmag_get(here.pcp->objs);
	kmag_set(here.pcp->objs, kmag_get(here.pcp->prev_objs));
	kmag_set(here.pcp->prev_objs, objs);
	kmag_set(here.pcp->rounds, prev);
	kmag_set(here.pcp->prev_rounds, rounds);
	__this_cpu_inc(cache->cpu->stats[KMAG_SWAP]);
	return true;
}

/**
 * kmag_alloc_object - allocate by the slow paths
 * @cache: the cache
 * @gfp: no %KMAG_GFP_ODD
 * @tier: where it came from is told here
 *
 * Return: an object that debug.c has not seen yet, or NULL.
 */
void *kmag_alloc_object(struct kmag_cache *cache, gfp_t gfp,
			enum kmag_stat *tier);

/**
 * kmag_free_object - free by the slow paths
 * @cache: the cache
 * @obj: an object that debug.c has seen
 *
 * Return: where it went.
 */
enum kmag_stat kmag_free_object(struct kmag_cache *cache, void *obj);

/**
 * kmag_free_to_slab - free past the magazines
 * @cache: the cache
 * @obj: as for kmag_free_object()
 *
 * Context: Any but NMI; no raw lock held.
 * Return: where it went.
 */
enum kmag_stat kmag_free_to_slab(struct kmag_cache *cache, void *obj);

/**
 * kmag_sorts - does each free have to look at its slab?
 * @cache: the cache
 *
 * Set before a fence closed hi: who comes later finds that out in any case.
 *
 * Return: while slabs drain.
 */
static __always_inline bool kmag_sorts(const struct kmag_cache *cache)
{
	/* A byte does not tear, and is compared where it is. */
	return unlikely(data_race(cache->draining));
}

#endif /* _KMAG_MAGAZINE_H */
