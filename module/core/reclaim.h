/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Reclaim: memory that a cache holds but nobody uses goes back.
 */
#ifndef _KMAG_RECLAIM_H
#define _KMAG_RECLAIM_H

#include "internal.h"

/**
 * kmag_drain - drain magazines and depots and free every empty slab
 * @cache: the cache
 *
 * Context: Process context, may sleep; waits for a grace period.
 * Return: slabs freed.
 */
unsigned long kmag_drain(struct kmag_cache *cache);

/**
 * kmag_retain - choose what a cache keeps that nobody uses
 * @cache: the cache
 * @retention: the policy; in force for slabs that become empty from now on, and
 *	for the rest when the interval ends
 *
 * Context: Process context.
 */
void kmag_retain(struct kmag_cache *cache, enum kmag_retention retention);

/**
 * kmag_decay - end an interval: give back what it did without
 * @cache: the cache
 *
 * Context: Process context, may sleep; kmag_caches_lock held.
 */
void kmag_decay(struct kmag_cache *cache);

/*
 * Let the worker look after depots, once there is a cache; it ends with the
 * last one.
 */
void kmag_reclaim_start(void);

/* What the kernel asks, and has done, when memory is short. */
unsigned long kmag_shrink_count(struct shrinker *s, struct shrink_control *sc);
unsigned long kmag_shrink_scan(struct shrinker *s, struct shrink_control *sc);

int kmag_reclaim_init(void);
void kmag_reclaim_exit(void);

#endif /* _KMAG_RECLAIM_H */
