// SPDX-License-Identifier: GPL-2.0
/*
 * Latency: each operation is counted once, in the tier that served it, and
 * nothing is while it is off.
 */
#include <kunit/test.h>
#include <linux/jump_label.h>
#include <linux/slab.h>

#include "account.h"
#include "latency.h"
#include "util.h"

/* What the histogram of a tier says. */
static struct kmag_snap_latency tier_of(struct kmag_cache *cache,
					enum kmag_stat tier)
{
	struct kmag_snap_latency latency = {};

	kmag_latency_sum(cache, tier, &latency);
	return latency;
}

static void counts_each_operation_in_its_tier(struct kunit *test)
{
	struct kmag_cache *cache = kmag_test_cache(test, 256, 0, 0, NULL);
	const unsigned int nr = 40 * cache->capacity;
	void **objs = kmag_test_array(test, nr);
	u64 before[KMAG_SNAP_TIERS], all = 0;
	struct kmag_snap_cache *snap;
	unsigned int i, b;

	/* Some before it is on, which must not show. */
	kmag_test_alloc(test, cache, objs, nr / 2);
	snap = kmag_test_snap(test, cache);
	KUNIT_EXPECT_EQ(test, snap->nr_latencies, 0);
	memcpy(before, snap->stats, sizeof(before));

	KUNIT_ASSERT_EQ(test, kmag_latency_set(cache, true), 0);
	kmag_test_alloc(test, cache, objs + nr / 2, nr / 2);
	kmag_test_free(cache, objs, nr);
	KUNIT_EXPECT_NULL(test, kmag_cache_alloc(cache, GFP_DMA));

	snap = kmag_test_snap(test, cache);
	KUNIT_ASSERT_EQ(test, snap->nr_latencies, KMAG_SNAP_TIERS);
	KUNIT_EXPECT_TRUE(test, snap->latency_on);
	for (i = 0; i < KMAG_SNAP_TIERS; i++) {
		struct kmag_snap_latency *latency = kmag_snapshot_latencies(snap) + i;
		u64 sum = 0;

		KUNIT_EXPECT_EQ(test, latency->tier, i);
		/* One that is refused did nothing that took time. */
		if (i != KMAG_ALLOC_FAIL)
			KUNIT_EXPECT_EQ(test, latency->count,
					snap->stats[i] - before[i]);
		for (b = 0; b < KMAG_SNAP_BUCKETS; b++)
			sum += latency->buckets[b];
		KUNIT_EXPECT_EQ(test, sum, latency->count);
		KUNIT_EXPECT_LE(test, latency->max_ns, latency->sum_ns);
		if (latency->count)
			KUNIT_EXPECT_GE(test, latency->max_ns * latency->count,
					latency->sum_ns);
		all += latency->count;
	}
	KUNIT_EXPECT_EQ(test, all, nr / 2 + nr);
	KUNIT_EXPECT_GT(test, tier_of(cache, KMAG_ALLOC_PAGE).count, 0);
	KUNIT_EXPECT_GT(test, tier_of(cache, KMAG_FREE_DEPOT).count, 0);
	KUNIT_EXPECT_GT(test, tier_of(cache, KMAG_ALLOC_PAGE).sum_ns, 0);
	kmag_test_exact(test, cache, 0);
}

/* Histograms cost what they cost, from the first time on. */
static void histograms_are_memory(struct kunit *test)
{
	struct kmag_cache *cache = kmag_test_cache(test, 256, 0, 0, NULL);
	/* Buckets, a sum and a maximum a tier. */
	const u64 bytes = num_possible_cpus() * KMAG_SNAP_TIERS *
			  (KMAG_SNAP_BUCKETS + 2) * sizeof(long);
	struct kmag_snap_cache *snap = kmag_test_snap(test, cache);
	u64 before = snap->meta_bytes;
	int on;

	kvfree(snap);
	for (on = 1; on >= 0; on--) {
		KUNIT_ASSERT_EQ(test, kmag_latency_set(cache, on), 0);
		snap = kmag_test_snap(test, cache);
		KUNIT_EXPECT_EQ(test, snap->meta_bytes, before + bytes);
		kvfree(snap);
	}
}

static void counts_what_fails(struct kunit *test)
{
	struct kmag_test_source *pages = kmag_test_pages(test);
	struct kmag_cache *cache = kmag_test_cache(test, 256, 0, 0, NULL);

	KUNIT_ASSERT_EQ(test, kmag_latency_set(cache, true), 0);
	pages->fail_every = 1;
	KUNIT_EXPECT_NULL(test, kmag_cache_alloc(cache, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, tier_of(cache, KMAG_ALLOC_FAIL).count, 1);
	KUNIT_EXPECT_NULL(test, kmag_cache_alloc(cache, GFP_KERNEL |
						 __GFP_THISNODE));
	KUNIT_EXPECT_EQ(test, tier_of(cache, KMAG_ALLOC_FAIL).count, 2);
	pages->fail_every = 0;
}

static void off_is_off(struct kunit *test)
{
	struct kmag_cache *cache = kmag_test_cache(test, 256, 0, 0, NULL);
	int alloc_key = static_key_count(&kmag_alloc_is_odd.key);
	int free_key = static_key_count(&kmag_free_is_odd.key);
	void *obj;

	/* Off before it was ever on is no trouble; on twice is on once. */
	KUNIT_EXPECT_EQ(test, kmag_latency_set(cache, false), 0);
	KUNIT_EXPECT_EQ(test, kmag_latency_set(cache, true), 0);
	KUNIT_EXPECT_EQ(test, kmag_latency_set(cache, true), 0);
	KUNIT_EXPECT_EQ(test, static_key_count(&kmag_alloc_is_odd.key),
			alloc_key + 1);
	KUNIT_EXPECT_EQ(test, static_key_count(&kmag_free_is_odd.key),
			free_key + 1);
	obj = kmag_cache_alloc(cache, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, obj);
	KUNIT_EXPECT_EQ(test, kmag_latency_set(cache, false), 0);
	KUNIT_EXPECT_EQ(test, static_key_count(&kmag_alloc_is_odd.key), alloc_key);
	KUNIT_EXPECT_EQ(test, static_key_count(&kmag_free_is_odd.key), free_key);

	/* It stays, to be read; and what comes now does not count. */
	kmag_cache_free(cache, obj);
	KUNIT_EXPECT_EQ(test, tier_of(cache, KMAG_ALLOC_PAGE).count, 1);
	KUNIT_EXPECT_EQ(test, tier_of(cache, KMAG_FREE_MAG).count, 0);
	/* On again: from nothing. */
	KUNIT_EXPECT_EQ(test, kmag_latency_set(cache, true), 0);
	KUNIT_EXPECT_EQ(test, tier_of(cache, KMAG_ALLOC_PAGE).count, 0);
	KUNIT_EXPECT_EQ(test, tier_of(cache, KMAG_ALLOC_PAGE).sum_ns, 0);
	KUNIT_EXPECT_EQ(test, tier_of(cache, KMAG_ALLOC_PAGE).max_ns, 0);

	/* A cache that goes with it on leaves no key behind. */
	kmag_test_destroy(test, cache);
	KUNIT_EXPECT_EQ(test, static_key_count(&kmag_alloc_is_odd.key), alloc_key);
	KUNIT_EXPECT_EQ(test, static_key_count(&kmag_free_is_odd.key), free_key);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(counts_each_operation_in_its_tier),
	KUNIT_CASE(histograms_are_memory),
	KUNIT_CASE(counts_what_fails),
	KUNIT_CASE(off_is_off),
	{}
};

static struct kunit_suite suite = {
	.name = "kmag_latency",
	.init = kmag_test_init,
	.test_cases = cases,
};

kunit_test_suite(suite);
