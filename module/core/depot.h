/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The depot: a node's full and empty magazines, between CPUs and slabs.
 *
 * A magazine here is either full or empty, so an exchange gives a CPU room for
 * a whole capacity of operations. Every call but kmag_depot_stock() and
 * kmag_depot_purge() is O(1) under depot->lock.
 */
#ifndef _KMAG_DEPOT_H
#define _KMAG_DEPOT_H

#include "internal.h"

struct kmag_leftovers;

void kmag_depot_init(struct kmag_depot *depot, unsigned int full_max);

/**
 * kmag_depot_shut - take no full magazines any more, or take them again
 * @depot: the depot
 * @shut: take none
 */
void kmag_depot_shut(struct kmag_depot *depot, bool shut);

/**
 * kmag_depot_get_full - change an empty magazine for a full one
 * @cache: the cache, for its counters
 * @depot: the depot
 * @empty: given away if a full one is had
 *
 * Context: Any but NMI. Takes depot->lock.
 * Return: a full magazine, or NULL.
 */
struct kmag_magazine *kmag_depot_get_full(struct kmag_cache *cache,
					  struct kmag_depot *depot,
					  struct kmag_magazine *empty);

/**
 * kmag_depot_get_empty - change a full magazine for an empty one
 * @cache: the cache, for its counters
 * @depot: the depot
 * @full: given away if an empty one is had
 *
 * Context: Any but NMI. Takes depot->lock.
 * Return: an empty magazine; NULL if there is none or the depot is full.
 */
struct kmag_magazine *kmag_depot_get_empty(struct kmag_cache *cache,
					   struct kmag_depot *depot,
					   struct kmag_magazine *full);

/**
 * kmag_depot_pop_full - take a full magazine out
 * @cache: the cache; its objects count as in transit
 * @depot: the depot
 *
 * Return: a full magazine, or NULL.
 */
struct kmag_magazine *kmag_depot_pop_full(struct kmag_cache *cache,
					  struct kmag_depot *depot);

/**
 * kmag_depot_push_empty - put an empty magazine in
 * @depot: the depot
 * @mag: the magazine
 */
void kmag_depot_push_empty(struct kmag_depot *depot, struct kmag_magazine *mag);

/**
 * kmag_depot_drain - send the objects of one full magazine home
 * @cache: the cache
 * @depot: the depot
 * @left: what is to be settled
 *
 * Context: Any but NMI; no raw lock held.
 * Return: how many; 0 when there is no full magazine.
 */
unsigned long kmag_depot_drain(struct kmag_cache *cache,
			       struct kmag_depot *depot,
			       struct kmag_leftovers *left);

/**
 * kmag_depot_stock - allocate the empty magazines that were missing
 * @cache: the cache
 * @nid: memory node of the depot
 *
 * Frees never allocate; allocations and the worker do it for them.
 *
 * Context: Any but NMI; no raw lock held.
 */
void kmag_depot_stock(struct kmag_cache *cache, int nid);

/**
 * kmag_depot_idle_full - end an interval of full magazines and begin the next
 * @depot: the depot
 *
 * Return: full magazines that nobody needed: the least there ever were.
 */
unsigned int kmag_depot_idle_full(struct kmag_depot *depot);

/**
 * kmag_depot_idle_empty - the same for empty ones
 * @depot: the depot
 *
 * Return: empty magazines that nobody needed.
 */
unsigned int kmag_depot_idle_empty(struct kmag_depot *depot);

/**
 * kmag_depot_purge - free a depot's empty magazines
 * @depot: the depot
 * @keep: so many may stay
 *
 * Context: Any but NMI; no raw lock held.
 */
void kmag_depot_purge(struct kmag_depot *depot, unsigned int keep);

struct kmag_magazine *kmag_magazine_alloc(unsigned int cap, gfp_t gfp, int nid);
void kmag_magazine_free(struct kmag_magazine *mag);
size_t kmag_magazine_bytes(const struct kmag_magazine *mag);

#endif /* _KMAG_DEPOT_H */
