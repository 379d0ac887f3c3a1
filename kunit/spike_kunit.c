// SPDX-License-Identifier: GPL-2.0
/*
 * After a spike: nine of ten objects are freed at random, then live ones are
 * replaced, one at a time. The worker does what it does by itself; what is held
 * is compared with what is needed, and with the best that can be.
 */
#include <kunit/test.h>
#include <linux/delay.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/nodemask.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "best.h"
#include "evacuate.h"
#include "mark.h"
#include "reclaim.h"
#include "slab.h"
#include "util.h"

/* Objects of a spike: so many, or so much; where every access is checked, fewer. */
#define SPIKE_OBJS	(IS_ENABLED(CONFIG_KASAN) ? 50000 : 200000)
#define SPIKE_BYTES	(IS_ENABLED(CONFIG_KASAN) ? 64 << 20 : 192 << 20)

struct spike {
	struct kmag_cache *cache;
	struct kmag_node *node;
	struct rnd_state rnd;
	void **objs;
	unsigned int live;
	unsigned int needed;	/* slabs for the live ones */
	struct kmag_best best;
	bool roams;		/* from CPU to CPU */
	s64 fall_ms;		/* how long nine of ten frees took */
};

static u32 below(struct spike *s, u32 n)
{
	return (u64)prandom_u32_state(&s->rnd) * n >> 32;
}

static void find_best(struct kunit *test, struct spike *s)
{
	void **homes = kmag_test_array(test, s->live);
	void **sorted = kmag_test_array(test, s->live);
	unsigned int i;

	s->best.home = kunit_kcalloc(test, s->live, sizeof(*s->best.home),
				     GFP_KERNEL);
	s->best.left = kunit_kcalloc(test, s->live, sizeof(*s->best.left),
				     GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, s->best.home);
	KUNIT_ASSERT_NOT_NULL(test, s->best.left);
	for (i = 0; i < s->live; i++)
		homes[i] = kmag_test_slab_of(s->objs[i]);
	kmag_best_find(&s->best, homes, sorted, s->live, s->cache->slab_slots);
}

/* In thousandths of what is needed. */
static unsigned int best(const struct spike *s)
{
	return s->best.slabs * 1000 / s->needed;
}

static unsigned int held(const struct spike *s)
{
	unsigned long slabs = 0;
	int nid;

	for_each_node(nid)
		slabs += s->cache->node[nid]->nr_slabs;
	return slabs * 1000 / s->needed;
}

static void replace(struct kunit *test, struct spike *s, unsigned int rounds)
{
	unsigned int n, i;

	for (n = 0; n < rounds * s->live; n++) {
		i = below(s, s->live);
		kmag_best_gone(&s->best, i);
		kmag_cache_free(s->cache, s->objs[i]);
		s->objs[i] = kmag_cache_alloc(s->cache, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, s->objs[i]);
		if (n % 256)
			continue;
		cond_resched();
		if (s->roams)
			set_cpus_allowed_ptr(current,
					     cpumask_of(below(s, num_online_cpus())));
	}
}

/* Is everything marked that is to be, and no magazine has any of it? */
static bool in_force(struct spike *s)
{
	unsigned long flags;
	bool sparse;

	raw_spin_lock_irqsave(&s->node->lock, flags);
	sparse = kmag_node_sparse(s->cache, s->node);
	raw_spin_unlock_irqrestore(&s->node->lock, flags);
	/* Written by the worker. */
	return !sparse && READ_ONCE(s->cache->draining) &&
	       !READ_ONCE(s->cache->evac.marking);
}

/*
 * The last object was freed just now: how long until the marks are in force? In
 * looks, a jiffy apart: where a host has the CPUs do something else, all of them
 * are late. On CPUs of our own it is 100 ms at most, which bench-memory asks for.
 */
static void wait_for_marks(struct kunit *test, struct spike *s)
{
	unsigned int looks = 0;
	s64 start = ktime_get_ns();

	do {
		schedule_timeout_uninterruptible(1);
		looks++;
	} while (!in_force(s) && looks < 2 * HZ);
	kunit_info(test, "%u bytes: marks in force after %lld ms, %u looks\n",
		   kmag_cache_size(s->cache),
		   div_s64(ktime_get_ns() - start, NSEC_PER_MSEC), looks);
	KUNIT_ASSERT_TRUE(test, s->cache->draining);
	if (!IS_ENABLED(CONFIG_KASAN))
		KUNIT_EXPECT_LE(test, jiffies_to_msecs(looks), 200);
}

/*
 * What is let be, in thousandths of the objects: where a fall takes as long as
 * evacuation waits for its end, or nearly, marks come in its midst. Which slabs are
 * the emptiest is not known then, and the last ones are not worth another round. To
 * few objects it is much in any case, and so is what CPUs cache.
 */
static unsigned int let_be(struct kunit *test, struct spike *s)
{
	unsigned int objs = s->cache->evac.floor, slack;
	s64 waits_ms = kmag_tuned(s->cache, KMAG_TUNE_DELAY_MS) *
		kmag_tuned(s->cache, KMAG_TUNE_WAITS);

	if (IS_ENABLED(CONFIG_KASAN))
		objs += 2 * s->cache->capacity * num_online_cpus();
	else if (!kmag_test_stat(s->cache, KMAG_MARK) || s->fall_ms < waits_ms / 2)
		return 0;
	slack = objs * 1000 / s->live;
	kunit_info(test, "%u bytes: the fall took %lld ms, %u/1000 more may be held\n",
		   kmag_cache_size(s->cache), s->fall_ms, slack);
	return slack;
}

/* Allocate @nr objects, and free nine of ten at random. */
static void rise_and_fall(struct kunit *test, struct spike *s, unsigned int nr)
{
	unsigned int i, at;

	prandom_seed_state(&s->rnd, KMAG_TEST_SEED);
	s->node = kmag_test_node(s->cache);
	s->objs = kmag_test_array(test, nr);
	kmag_test_alloc(test, s->cache, s->objs, nr);
	s->live = nr / 10;
	s->needed = DIV_ROUND_UP(s->live, s->cache->slab_slots);
	s->fall_ms = ktime_to_ms(ktime_get());
	for (i = nr; i > s->live; i--) {
		at = below(s, i);
		swap(s->objs[i - 1], s->objs[at]);
		kmag_cache_free(s->cache, s->objs[i - 1]);
	}
	s->fall_ms = ktime_to_ms(ktime_get()) - s->fall_ms;
}

static void construct(void *obj)
{
	memset(obj, 0xa5, 8);
}

static void spike(struct kunit *test, unsigned int size, bool roams)
{
	static const unsigned int rounds[] = { 1, 1, 3, 5, 10 };
	unsigned int nr = min(SPIKE_OBJS, SPIKE_BYTES / size);
	/* With what is cached: of one CPU, or of all. */
	unsigned int most = roams && num_online_cpus() >= 4 ? 1050 : 1030;
	struct spike s = { .roams = roams };
	unsigned int i, done = 0, slack;

	s.cache = kmag_test_cache(test, size, 0, 0, construct);
	kmag_retain(s.cache, KMAG_WORKING_SET);
	rise_and_fall(test, &s, nr);
	slack = let_be(test, &s);
	wait_for_marks(test, &s);
	find_best(test, &s);
	kunit_info(test, "%u bytes, %u live, each replaced 0 times: %u/1000 held\n",
		   size, s.live, held(&s));
	for (i = 0; i < ARRAY_SIZE(rounds); i++) {
		replace(test, &s, rounds[i]);
		done += rounds[i];
		kunit_info(test, "%u bytes, %u live, each replaced %u times: %u/1000 held, %u the best\n",
			   size, s.live, done, held(&s), best(&s));
		if (done >= 5)
			KUNIT_EXPECT_LE(test, held(&s), best(&s) + 50 + slack);
		if (done >= 10)
			KUNIT_EXPECT_LE(test, held(&s), most + slack);
	}
	kunit_info(test, "%u bytes: %lu slabs marked, %lu unmarked, %lu returned, %lu frees went home\n",
		   size, kmag_test_stat(s.cache, KMAG_MARK),
		   kmag_test_stat(s.cache, KMAG_UNMARK),
		   kmag_test_stat(s.cache, KMAG_RETURN),
		   kmag_test_stat(s.cache, KMAG_HOME));
	kmag_retain(s.cache, KMAG_LAZY);
	kmag_test_free(s.cache, s.objs, s.live);
}

static void spike_64(struct kunit *test)
{
	spike(test, 64, false);
}

static void spike_256(struct kunit *test)
{
	spike(test, 256, false);
}

static void spike_1024(struct kunit *test)
{
	spike(test, 1024, false);
}

static void spike_4096(struct kunit *test)
{
	spike(test, 4096, false);
}

/*
 * Seconds in which few objects are replaced: nothing that evacuation does may hang on
 * how much is done in one. The worker is kept away, and time is what the test says.
 */
static void slow_spike(struct kunit *test)
{
	const unsigned int nr = SPIKE_OBJS, a_second = nr / 2000;
	struct spike s = {};
	struct kmag_evac *evac;
	unsigned int i, at, done, slack;

	s.cache = kmag_test_cache(test, 256, 0, 0, NULL);
	evac = &s.cache->evac;
	kmag_evacuate_off(s.cache);
	rise_and_fall(test, &s, nr);
	slack = let_be(test, &s);
	for (done = 0; done < 20 * s.live; done += a_second) {
		mutex_lock(&s.cache->fence_lock);
		kmag_evacuate(s.cache);
		mutex_unlock(&s.cache->fence_lock);
		evac->interval++;
		for (i = 0; i < a_second; i++) {
			at = below(&s, s.live);
			kmag_cache_free(s.cache, s.objs[at]);
			s.objs[at] = kmag_cache_alloc(s.cache, GFP_KERNEL);
			KUNIT_ASSERT_NOT_NULL(test, s.objs[at]);
		}
		cond_resched();
		if ((done + a_second) % (5 * s.live))
			continue;
		kunit_info(test, "each replaced %u times: %u/1000 held\n",
			   (done + a_second) / s.live, held(&s));
		if (done + a_second >= 10 * s.live)
			KUNIT_EXPECT_LE(test, held(&s), 1030 + slack);
	}
	kunit_info(test, "%lu slabs marked, %lu unmarked, %lu returned\n",
		   kmag_test_stat(s.cache, KMAG_MARK),
		   kmag_test_stat(s.cache, KMAG_UNMARK),
		   kmag_test_stat(s.cache, KMAG_RETURN));
	kmag_test_free(s.cache, s.objs, s.live);
}

/* All CPUs cache some of it. */
static void spike_that_roams(struct kunit *test)
{
	if (num_online_cpus() < 2)
		kunit_skip(test, "needs two CPUs");
	/* Each node is compact by itself, and has room of its own: design.rst. */
	if (num_node_state(N_MEMORY) > 1)
		kunit_skip(test, "the bound is that of one node");
	spike(test, 256, true);
}

static struct kunit_case cases[] = {
	KUNIT_CASE_SLOW(spike_64),
	KUNIT_CASE_SLOW(spike_256),
	KUNIT_CASE_SLOW(spike_1024),
	KUNIT_CASE_SLOW(spike_4096),
	KUNIT_CASE_SLOW(spike_that_roams),
	KUNIT_CASE_SLOW(slow_spike),
	{}
};

static struct kunit_suite suite = {
	.name = "kmag_spike",
	.init = kmag_test_init,
	.test_cases = cases,
};

kunit_test_suite(suite);
