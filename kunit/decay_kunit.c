// SPDX-License-Identifier: GPL-2.0
/*
 * Decay: what nobody needed for an interval goes back, and what was needed does
 * not. The registry's mutex keeps the worker out, which would end intervals of
 * its own.
 */
#include <kunit/test.h>
#include <linux/mutex.h>

#include "depot.h"
#include "field.h"
#include "reclaim.h"
#include "registry.h"
#include "slab.h"
#include "trace.h"
#include "util.h"

/* Full magazines in the depot after a burst. */
#define BURST	12

struct burst {
	struct kmag_cache *cache;
	struct kmag_node *node;
	void **objs;
	unsigned int nr;
};

static void worker_action(void *unused)
{
	mutex_unlock(&kmag_caches_lock);
}

/* Keep the worker out until the test says let_worker(), or ends. */
static void keep_worker(struct kunit *test)
{
	mutex_lock(&kmag_caches_lock);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, worker_action,
							NULL), 0);
}

static void let_worker(struct kunit *test)
{
	kunit_release_action(test, worker_action, NULL);
}

static void more_empty_magazines(struct burst *b, unsigned int nr)
{
	while (b->node->depot.nr_empty < nr)
		kmag_depot_push_empty(&b->node->depot,
				      kmag_magazine_alloc(b->cache->capacity,
							  GFP_KERNEL,
							  NUMA_NO_NODE));
}

/* Objects are allocated and freed again, and fill the depot. */
static struct burst burst(struct kunit *test)
{
	struct burst b;

	b.cache = kmag_test_cache(test, 256, 0, 0, NULL);
	kmag_retain(b.cache, KMAG_WORKING_SET);
	b.node = kmag_test_node(b.cache);
	b.nr = (BURST + 2) * b.cache->capacity;
	b.objs = kmag_test_array(test, b.nr);
	keep_worker(test);
	kmag_test_alloc(test, b.cache, b.objs, b.nr);
	/* Enough to take them all. */
	more_empty_magazines(&b, BURST);
	kmag_test_free(b.cache, b.objs, b.nr);
	KUNIT_ASSERT_EQ(test, b.node->depot.nr_full, BURST);
	return b;
}

/* Slabs that hold what is in this CPU's two magazines, at the most. */
static unsigned long needed(struct burst *b, unsigned int live)
{
	return live + 2 * b->cache->capacity;
}

static void burst_is_given_back(struct kunit *test)
{
	struct burst b = burst(test);

	/* It was in use in the first interval. */
	kmag_decay(b.cache);
	KUNIT_EXPECT_EQ(test, b.node->depot.nr_full, BURST);
	kmag_decay(b.cache);
	KUNIT_EXPECT_EQ(test, b.node->depot.nr_full, 0);
	KUNIT_EXPECT_LE(test, b.node->nr[KMAG_EMPTY], b.cache->empty_max);
	kmag_decay(b.cache);
	KUNIT_EXPECT_EQ(test, b.node->nr[KMAG_EMPTY], 0);
	KUNIT_EXPECT_EQ(test, b.node->depot.nr_empty, KMAG_DEPOT_EMPTIES);
	KUNIT_EXPECT_LE(test, b.node->nr_slabs, needed(&b, 0));
	let_worker(test);
	kmag_test_exact(test, b.cache, 0);
}

static void what_is_live_stays(struct kunit *test)
{
	struct burst b = burst(test);
	unsigned int live = b.nr / 3, i;

	KUNIT_ASSERT_EQ(test, kmag_cache_alloc_bulk(b.cache, GFP_KERNEL, live,
						    b.objs), live);
	for (i = 0; i < live; i++)
		kmag_test_fill(b.cache, b.objs[i], i);
	for (i = 0; i < 3; i++)
		kmag_decay(b.cache);
	KUNIT_EXPECT_EQ(test, b.node->depot.nr_full, 0);
	KUNIT_EXPECT_EQ(test, b.node->nr[KMAG_EMPTY], 0);
	for (i = 0; i < live; i++)
		KUNIT_EXPECT_TRUE(test, kmag_test_intact(b.cache, b.objs[i], i));
	let_worker(test);
	kmag_test_exact(test, b.cache, live);
	kmag_test_free(b.cache, b.objs, live);
}

/* Take @nr magazines' objects from the depot, and give them back. */
static void use(struct kunit *test, struct burst *b, unsigned int nr)
{
	nr = (nr + 2) * b->cache->capacity;
	KUNIT_ASSERT_EQ(test, kmag_cache_alloc_bulk(b->cache, GFP_KERNEL, nr,
						    b->objs), nr);
	kmag_test_free(b->cache, b->objs, nr);
}

static void working_set_stays(struct kunit *test)
{
	struct burst b = burst(test);
	unsigned long refills, made;
	unsigned int i;

	kmag_decay(b.cache);
	use(test, &b, 5);
	KUNIT_EXPECT_EQ(test, b.node->depot.nr_full, BURST);
	kmag_decay(b.cache);
	KUNIT_EXPECT_EQ(test, b.node->depot.nr_full, 5);

	/* Demand that comes every interval is met without a slab. */
	refills = kmag_test_stat(b.cache, KMAG_REFILL);
	made = kmag_test_stat(b.cache, KMAG_SLAB_NEW);
	for (i = 0; i < 5; i++) {
		use(test, &b, 5);
		kmag_decay(b.cache);
		KUNIT_EXPECT_EQ(test, b.node->depot.nr_full, 5);
	}
	KUNIT_EXPECT_EQ(test, kmag_test_stat(b.cache, KMAG_REFILL), refills);
	KUNIT_EXPECT_EQ(test, kmag_test_stat(b.cache, KMAG_SLAB_NEW), made);
	let_worker(test);
	kmag_test_exact(test, b.cache, 0);
}

/* So do empty magazines that frees needed, though they are back by now. */
static void needed_empty_magazines_stay(struct kunit *test)
{
	struct burst b = burst(test);
	const unsigned int spare = KMAG_DEPOT_EMPTIES + 3;
	unsigned int i;

	KUNIT_ASSERT_EQ(test, kmag_cache_alloc_bulk(b.cache, GFP_KERNEL, b.nr,
						    b.objs), b.nr);
	more_empty_magazines(&b, BURST + spare);
	kmag_decay(b.cache);
	for (i = 0; i < 3; i++) {
		kmag_test_free(b.cache, b.objs, b.nr);
		KUNIT_ASSERT_EQ(test, b.node->depot.nr_full, BURST);
		KUNIT_ASSERT_EQ(test, kmag_cache_alloc_bulk(b.cache, GFP_KERNEL,
							    b.nr, b.objs), b.nr);
		/* The first time there are more than that took. */
		KUNIT_EXPECT_EQ(test, b.node->depot.nr_empty,
				BURST + (i ? 0 : spare));
		kmag_decay(b.cache);
		KUNIT_EXPECT_EQ(test, b.node->depot.nr_empty, BURST);
	}
	kmag_decay(b.cache);
	KUNIT_EXPECT_EQ(test, b.node->depot.nr_empty, KMAG_DEPOT_EMPTIES);
	let_worker(test);
	kmag_test_free(b.cache, b.objs, b.nr);
}

/* Empty slabs that were needed again are kept for the next time, too. */
static void needed_empty_slabs_stay(struct kunit *test)
{
	struct kmag_cache *cache = kmag_test_cache(test, 1024, 0, 0, NULL);
	struct kmag_node *node = kmag_test_node(cache);
	const unsigned int keep = cache->empty_max, slots = cache->slab_slots;
	struct kmag_leftovers left = KMAG_LEFTOVERS_INIT(left);
	void **objs = kmag_test_array(test, keep * slots);

	KUNIT_ASSERT_GE(test, keep, 2);
	kmag_retain(cache, KMAG_WORKING_SET);
	keep_worker(test);
	while (node->nr[KMAG_EMPTY] < keep)
		kmag_slab_grow(cache, GFP_KERNEL, kmag_this_node(), slots * keep);
	kmag_decay(cache);
	/* One is needed, for a moment. */
	KUNIT_ASSERT_EQ(test, kmag_slab_take(cache, node, objs, slots), slots);
	kmag_slab_give(cache, objs, slots, &left);
	KUNIT_ASSERT_EQ(test, node->nr[KMAG_EMPTY], keep);
	kmag_decay(cache);
	KUNIT_EXPECT_EQ(test, node->nr[KMAG_EMPTY], 1);
	kmag_decay(cache);
	KUNIT_EXPECT_EQ(test, node->nr[KMAG_EMPTY], 0);
	let_worker(test);
	KUNIT_EXPECT_TRUE(test, list_empty(&left.dead));
}

static void lazy_keeps_all(struct kunit *test)
{
	struct burst b = burst(test);
	unsigned long slabs = b.node->nr_slabs;
	unsigned int i;

	kmag_retain(b.cache, KMAG_LAZY);
	more_empty_magazines(&b, 3 * KMAG_DEPOT_EMPTIES);
	slabs += kmag_slab_grow(b.cache, GFP_KERNEL, kmag_this_node(),
				b.node->free + 2 * b.cache->slab_slots);
	KUNIT_ASSERT_GE(test, b.node->nr[KMAG_EMPTY], 2);
	for (i = 0; i < 5; i++)
		kmag_decay(b.cache);
	KUNIT_EXPECT_EQ(test, b.node->depot.nr_full, BURST);
	KUNIT_EXPECT_EQ(test, b.node->depot.nr_empty, 3 * KMAG_DEPOT_EMPTIES);
	KUNIT_EXPECT_EQ(test, b.node->nr_slabs, slabs);
	/* Until it is told otherwise: it counted meanwhile. */
	kmag_retain(b.cache, KMAG_WORKING_SET);
	kmag_decay(b.cache);
	KUNIT_EXPECT_EQ(test, b.node->depot.nr_full, 0);
	let_worker(test);
	kmag_test_exact(test, b.cache, 0);
}

static void eager_keeps_nothing(struct kunit *test)
{
	struct burst b = burst(test);

	kmag_retain(b.cache, KMAG_EAGER);
	kmag_slab_grow(b.cache, GFP_KERNEL, kmag_this_node(),
		       b.node->free + 2 * b.cache->slab_slots);
	KUNIT_ASSERT_GE(test, b.node->nr[KMAG_EMPTY], 2);
	kmag_decay(b.cache);
	KUNIT_EXPECT_EQ(test, b.node->depot.nr_full, 0);
	KUNIT_EXPECT_EQ(test, b.node->nr[KMAG_EMPTY], 0);
	let_worker(test);
	kmag_test_exact(test, b.cache, 0);
}

/* The same, by the worker alone. */
static void worker_gives_back(struct kunit *test)
{
	struct burst b = burst(test);
	unsigned long until = jiffies + 10 * HZ;

	let_worker(test);
	while ((READ_ONCE(b.node->depot.nr_full) ||
		READ_ONCE(b.node->nr[KMAG_EMPTY])) &&
	       time_before(jiffies, until))
		schedule_timeout_uninterruptible(HZ / 20);
	KUNIT_EXPECT_EQ(test, b.node->depot.nr_full, 0);
	KUNIT_EXPECT_EQ(test, b.node->nr[KMAG_EMPTY], 0);
	kmag_test_exact(test, b.cache, 0);
}

/* As another CPU would: free so that it reaches the slab at once. */
static void free_past_magazines(struct kmag_cache *cache, void *obj)
{
	struct kmag_cpu *cpu;

	preempt_disable();
	cpu = this_cpu_ptr(cache->cpu);
	cpu->fast.busy = 1;
	kmag_cache_free(cache, obj);
	cpu->fast.busy = 0;
	preempt_enable();
}

/* A slab is freed: empty one more, of those with one object. */
static void empty_another(void *data, const struct kmag_cache *cache,
			  const struct kmag_slab *slab)
{
	struct field *f = data;

	if (cache == f->cache && f->nr)
		free_past_magazines(f->cache, f->objs[--f->nr]);
}

/* Who frees empty slabs holds a lock: it ends, however many more there are. */
static void what_is_emptied_meanwhile_waits(struct kunit *test)
{
	struct field f;
	unsigned long freed;

	if (!IS_ENABLED(CONFIG_TRACEPOINTS))
		kunit_skip(test, "no tracepoints in this kernel");
	f = field_make(test, 1, 1);
	KUNIT_ASSERT_EQ(test,
			register_trace_kmag_slab_destroy(empty_another, &f), 0);
	keep_worker(test);
	free_past_magazines(f.cache, f.objs[--f.nr]);
	KUNIT_EXPECT_EQ(test, f.node->nr[KMAG_EMPTY], 1);

	KUNIT_EXPECT_EQ(test, kmag_drain(f.cache), 1);
	KUNIT_EXPECT_EQ(test, f.node->nr[KMAG_EMPTY], 1);
	/* The worker, for which it was empty the whole interval. */
	kmag_retain(f.cache, KMAG_WORKING_SET);
	f.node->empty_min = 1;
	freed = kmag_test_stat(f.cache, KMAG_SLAB_FREED);
	kmag_decay(f.cache);
	KUNIT_EXPECT_EQ(test, kmag_test_stat(f.cache, KMAG_SLAB_FREED),
			freed + 1);
	KUNIT_EXPECT_EQ(test, f.node->nr[KMAG_EMPTY], 1);

	kmag_retain(f.cache, KMAG_LAZY);
	let_worker(test);
	/* Waits for CPUs that come and go, and they for the worker's lock. */
	unregister_trace_kmag_slab_destroy(empty_another, &f);
	tracepoint_synchronize_unregister();
	field_finish(test, &f);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(burst_is_given_back),
	KUNIT_CASE(what_is_live_stays),
	KUNIT_CASE(working_set_stays),
	KUNIT_CASE(needed_empty_magazines_stay),
	KUNIT_CASE(needed_empty_slabs_stay),
	KUNIT_CASE(lazy_keeps_all),
	KUNIT_CASE(eager_keeps_nothing),
	KUNIT_CASE(what_is_emptied_meanwhile_waits),
	KUNIT_CASE_SLOW(worker_gives_back),
	{}
};

static struct kunit_suite suite = {
	.name = "kmag_decay",
	.init = kmag_test_init,
	.test_cases = cases,
};

kunit_test_suite(suite);
