// SPDX-License-Identifier: GPL-2.0
/*
 * NMIs, or what looks like one: allocations from magazines only, frees parked.
 *
 * The preemption count says that this is an NMI; interrupts are off, so that
 * what was parked stays until they are on again.
 */
#include <kunit/test.h>
#include <linux/slab.h>

#include "park.h"
#include "slab.h"
#include "util.h"

static void allocates_from_magazines_only(struct kunit *test)
{
	struct kmag_test_source *pages = kmag_test_pages(test);
	struct kmag_cache *cache = kmag_test_cache(test, 64, 0, 0, NULL);
	unsigned int m = cache->capacity;
	void **objs = kmag_test_array(test, m + 1);
	unsigned long flags, calls;
	void *first, *none, *node;
	unsigned int i;

	/* Nothing there: nothing to be had, and no slow path taken. */
	flags = kmag_test_nmi_begin();
	first = kmag_cache_alloc(cache, GFP_ATOMIC);
	kmag_test_nmi_end(flags);
	KUNIT_EXPECT_NULL(test, first);
	KUNIT_EXPECT_EQ(test, pages->calls, 0);
	KUNIT_EXPECT_EQ(test, kmag_test_stat(cache, KMAG_ALLOC_FAIL), 1);

	kmag_test_alloc(test, cache, objs, 1);
	KUNIT_ASSERT_EQ(test, kmag_test_cpu(cache)->fast.rounds, m - 1);
	calls = pages->calls;
	flags = kmag_test_nmi_begin();
	for (i = 1; i < m; i++)
		objs[i] = kmag_cache_alloc(cache, GFP_ATOMIC);
	none = kmag_cache_alloc(cache, GFP_ATOMIC);
	node = kmag_cache_alloc(cache, GFP_ATOMIC | __GFP_THISNODE);
	kmag_test_nmi_end(flags);
	for (i = 1; i < m; i++)
		KUNIT_EXPECT_NOT_NULL(test, objs[i]);
	KUNIT_EXPECT_NULL(test, none);
	KUNIT_EXPECT_NULL(test, node);
	KUNIT_EXPECT_EQ(test, pages->calls, calls);
	KUNIT_EXPECT_EQ(test, kmag_test_stat(cache, KMAG_ALLOC_FAIL), 3);
	kmag_test_exact(test, cache, m);
	kmag_test_free(cache, objs, m);
	/* Contents of objects that an NMI had: distinct objects. */
	KUNIT_EXPECT_FALSE(test, kmag_test_doubled(objs, m));
}

static void interrupted_operation_is_left_alone(struct kunit *test)
{
	struct kmag_cache *cache = kmag_test_cache(test, 64, 0, 0, NULL);
	struct kmag_cpu *cpu = kmag_test_cpu(cache);
	unsigned long flags;
	void *obj, *none;
	s32 rounds;

	kmag_test_alloc(test, cache, &obj, 1);
	rounds = cpu->fast.rounds;
	flags = kmag_test_nmi_begin();
	cpu->fast.busy = 1;
	none = kmag_cache_alloc(cache, GFP_ATOMIC);
	kmag_cache_free(cache, obj);
	cpu->fast.busy = 0;
	KUNIT_EXPECT_EQ(test, cpu->fast.rounds, rounds);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&cache->parked), 1);
	kmag_test_nmi_end(flags);
	KUNIT_EXPECT_NULL(test, none);
	kmag_park_flush();
	KUNIT_EXPECT_EQ(test, kmag_test_stat(cache, KMAG_PARKED), 1);
	kmag_test_exact(test, cache, 0);
}

/* Frees that find the magazine full, or its gate closed. */
static void parked_objects_are_freed(struct kunit *test)
{
	struct kmag_cache *cache = kmag_test_cache(test, 64, 0, 0, NULL);
	struct kmag_cpu *cpu = kmag_test_cpu(cache);
	const unsigned int nr = KMAG_PARK_MAX;
	void **objs = kmag_test_array(test, nr);
	struct kmag_snap_cache *snap;
	unsigned long flags, parked;
	unsigned int i;
	s32 lo;
	u32 hi;

	kmag_test_alloc(test, cache, objs, nr);
	flags = kmag_test_nmi_begin();
	/* Closed as by a fence, so that nothing goes to the magazine. */
	lo = cpu->fast.lo;
	hi = cpu->fast.hi;
	cpu->fast.lo = INT_MAX;
	cpu->fast.hi = 0;
	for (i = 0; i < nr; i++)
		kmag_cache_free(cache, objs[i]);
	cpu->fast.lo = lo;
	cpu->fast.hi = hi;
	parked = atomic_long_read(&cache->parked);
	kmag_test_nmi_end(flags);
	/* Interrupts are on: the work has run, or runs now. */
	kmag_park_flush();
	KUNIT_EXPECT_EQ(test, parked, nr);
	KUNIT_EXPECT_EQ(test, kmag_test_stat(cache, KMAG_PARKED), nr);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&cache->parked), 0);
	snap = kmag_test_snap(test, cache);
	KUNIT_EXPECT_EQ(test, snap->transit, 0);
	kvfree(snap);
	KUNIT_EXPECT_EQ(test, kmag_test_frees(cache), nr);
	kmag_test_exact(test, cache, 0);
}

static void what_does_not_fit_stays_allocated(struct kunit *test)
{
	struct kmag_cache *cache = kmag_test_cache(test, 64, 0, 0, NULL);
	struct kmag_cpu *cpu = kmag_test_cpu(cache);
	const unsigned int nr = KMAG_PARK_MAX + 3;
	void **objs = kmag_test_array(test, nr);
	unsigned long flags;
	unsigned int i;
	s32 lo;
	u32 hi;

	kmag_test_alloc(test, cache, objs, nr);
	flags = kmag_test_nmi_begin();
	lo = cpu->fast.lo;
	hi = cpu->fast.hi;
	cpu->fast.lo = INT_MAX;
	cpu->fast.hi = 0;
	for (i = 0; i < nr; i++)
		kmag_cache_free(cache, objs[i]);
	cpu->fast.lo = lo;
	cpu->fast.hi = hi;
	kmag_test_nmi_end(flags);
	kmag_park_flush();
	KUNIT_EXPECT_EQ(test, kmag_test_stat(cache, KMAG_PARKED), KMAG_PARK_MAX);
	KUNIT_EXPECT_EQ(test, kmag_test_stat(cache, KMAG_PARK_FULL), 3);
	/* The last three are still where they were; nothing else is lost. */
	kmag_test_exact(test, cache, 3);
	kmag_test_free(cache, objs + KMAG_PARK_MAX, 3);
	kmag_test_exact(test, cache, 0);
	KUNIT_EXPECT_EQ(test, kmag_test_stat(cache, KMAG_FREE_BAD), 0);
}

static void parked_counts_as_transit(struct kunit *test)
{
	struct kmag_cache *cache = kmag_test_cache(test, 64, 0, 0, NULL);
	struct kmag_cpu *cpu = kmag_test_cpu(cache);
	struct kmag_snap_cache *snap;
	unsigned long flags;
	void *obj;

	kmag_test_alloc(test, cache, &obj, 1);
	flags = kmag_test_nmi_begin();
	cpu->fast.busy = 1;
	kmag_cache_free(cache, obj);
	cpu->fast.busy = 0;
	/* Neither with its owner nor in a magazine or slab. */
	KUNIT_EXPECT_EQ(test, atomic_long_read(&cache->parked), 1);
	KUNIT_EXPECT_EQ(test, kmag_test_frees(cache), 0);
	kmag_test_nmi_end(flags);
	kmag_park_flush();
	KUNIT_EXPECT_EQ(test, kmag_test_frees(cache), 1);

	/* So a view in between shows it; the time for one is too short here. */
	kmag_test_alloc(test, cache, &obj, 1);
	atomic_long_inc(&cache->parked);
	snap = kmag_test_snap(test, cache);
	atomic_long_dec(&cache->parked);
	KUNIT_EXPECT_EQ(test, snap->live, 0);
	KUNIT_EXPECT_EQ(test, snap->transit, 1);
	KUNIT_EXPECT_EQ(test, snap->skew, 0);
	kvfree(snap);
	kmag_cache_free(cache, obj);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(allocates_from_magazines_only),
	KUNIT_CASE(interrupted_operation_is_left_alone),
	KUNIT_CASE(parked_objects_are_freed),
	KUNIT_CASE(what_does_not_fit_stays_allocated),
	KUNIT_CASE(parked_counts_as_transit),
	{}
};

static struct kunit_suite suite = {
	.name = "kmag_park",
	.init = kmag_test_init,
	.test_cases = cases,
};

kunit_test_suite(suite);
