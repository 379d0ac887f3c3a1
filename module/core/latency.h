/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Latency: how long operations took, by the lowest layer that they touched.
 * Switched on for a cache, it makes every operation odd (kmag_inline.h), and
 * the odd paths take the time; off, it costs nothing.
 */
#ifndef _KMAG_LATENCY_H
#define _KMAG_LATENCY_H

#include <linux/ktime.h>

#include "internal.h"

/**
 * kmag_latency_set - switch a cache's histogram on or off
 * @cache: the cache
 * @on: on, and all of it zero; or off, to be read at leisure
 *
 * Context: Process context.
 * Return: 0 or -ENOMEM.
 */
int kmag_latency_set(struct kmag_cache *cache, bool on);

/* Free the histogram of a cache that has nobody left. */
void kmag_latency_free(struct kmag_cache *cache);

/**
 * kmag_latency_sum - add up all CPUs' histograms
 * @cache: the cache
 * @tier: of which operations, KMAG_ALLOC_MAG to KMAG_FREE_PAGE
 * @out: what was counted since it was switched on
 */
void kmag_latency_sum(struct kmag_cache *cache, enum kmag_stat tier,
		      struct kmag_snap_latency *out);

/* Memory of a cache's histogram. */
size_t kmag_latency_bytes(void);

void __kmag_latency_end(struct kmag_cache *cache, enum kmag_stat tier,
			u64 start);

/* Nanoseconds, or 0 while it is off. */
static inline u64 kmag_latency_start(const struct kmag_cache *cache)
{
	/* Pairs with kmag_latency_set(): who sees it on sees the histograms. */
	if (likely(!smp_load_acquire(&cache->latency_on)))
		return 0;
	return ktime_get_mono_fast_ns();
}

static inline void kmag_latency_end(struct kmag_cache *cache,
				    enum kmag_stat tier, u64 start)
{
	if (unlikely(start))
		__kmag_latency_end(cache, tier, start);
}

#endif /* _KMAG_LATENCY_H */
