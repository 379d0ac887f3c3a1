/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Evacuation: sparse slabs become empty, without an object being moved.
 */
#ifndef _KMAG_EVACUATE_H
#define _KMAG_EVACUATE_H

#include "internal.h"

void kmag_evacuate_init(struct kmag_cache *cache);

/**
 * kmag_evacuate - look at a cache once, and do what is to be done
 * @cache: the cache; @cache->fence_lock is held
 *
 * Marks slabs if it is sparse, and puts the marks in force; takes marks away if
 * it has become compact, or nothing came of them for long.
 *
 * Context: Process context, may sleep; waits for a grace period.
 * Return: whether a slab was marked.
 */
bool kmag_evacuate(struct kmag_cache *cache);

/**
 * kmag_evacuate_tick - an interval has gone by
 * @cache: the cache
 *
 * What no event tells: that nothing happens. The rest is left to the work item.
 *
 * Context: Process context; kmag_caches_lock held.
 */
void kmag_evacuate_tick(struct kmag_cache *cache);

/**
 * kmag_evacuate_off - do nothing any more unless kmag_evacuate() is called
 * @cache: the cache
 *
 * Context: Process context, may sleep.
 */
void kmag_evacuate_off(struct kmag_cache *cache);

/**
 * kmag_evacuate_exit - end it for good, and take all marks away
 * @cache: the cache; off the registry, and nobody uses it
 *
 * Context: Process context, may sleep.
 */
void kmag_evacuate_exit(struct kmag_cache *cache);

#endif /* _KMAG_EVACUATE_H */
