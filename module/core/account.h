/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Accounting: the one place that figures come from.
 */
#ifndef _KMAG_ACCOUNT_H
#define _KMAG_ACCOUNT_H

#include "internal.h"

/**
 * kmag_sum - an event counter over all CPUs
 * @cache: the cache
 * @stat: which
 *
 * Return: the sum; while others count, any value between then and now.
 */
unsigned long kmag_sum(const struct kmag_cache *cache, enum kmag_stat stat);

/**
 * kmag_snapshot - all figures of a cache, taken once
 * @cache: the cache; the caller keeps it from being destroyed
 * @gfp: for the record; must allow sleeping
 *
 * Return: the record, to be freed with kvfree(), or NULL.
 */
struct kmag_snap_cache *kmag_snapshot(struct kmag_cache *cache, gfp_t gfp);

/* Room for any cache's record, with all that can follow; zero. */
struct kmag_snap_cache *kmag_snapshot_alloc(gfp_t gfp);

/* The same into @snap, which is zero and has room for all that can follow. */
void kmag_snapshot_fill(struct kmag_cache *cache, struct kmag_snap_cache *snap);

/* The CPUs, nodes and latencies that follow a record. */
static inline struct kmag_snap_cpu *
kmag_snapshot_cpus(struct kmag_snap_cache *snap)
{
	return (void *)(snap + 1);
}

static inline struct kmag_snap_node *
kmag_snapshot_nodes(struct kmag_snap_cache *snap)
{
	return (void *)(kmag_snapshot_cpus(snap) + snap->nr_cpus);
}

static inline struct kmag_snap_latency *
kmag_snapshot_latencies(struct kmag_snap_cache *snap)
{
	return (void *)(kmag_snapshot_nodes(snap) + snap->nr_nodes);
}

#endif /* _KMAG_ACCOUNT_H */
