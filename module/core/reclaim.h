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

/*
 * Let the worker look after depots, once there is a cache; it ends with the
 * last one.
 */
void kmag_reclaim_start(void);

int kmag_reclaim_init(void);
void kmag_reclaim_exit(void);

#endif /* _KMAG_RECLAIM_H */
