// SPDX-License-Identifier: GPL-2.0
/*
 * The counters that are always on, against a slow reference: before and after
 * every call the test looks where all objects are, and counts by itself what
 * the call must have done.
 */
#include <kunit/test.h>
#include <linux/cpumask.h>
#include <linux/mm.h>
#include <linux/nodemask.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "account.h"
#include "depot.h"
#include "magazine.h"
#include "slab.h"
#include "util.h"

/* 14 to a magazine, 9 full ones in the depot: so little of all is soon left. */
#define SIZE	4000
#define HELD	600	/* objects away at most */
#define CALLS	6000
#define STAY	40	/* calls on one CPU */

/* Where a cache's objects are: what a call changes. */
struct places {
	unsigned int loaded, previous;	/* in this CPU's magazines */
	bool closed;			/* is its gate? */
	unsigned int full, empty;	/* magazines of the depot */
	unsigned long slabs, slots, free;
};

struct reference {
	struct kmag_cache *cache;
	unsigned int cap;
	unsigned int have;
	void **objs;
	u64 stats[KMAG_NR_STATS];
	u64 *allocs, *frees;	/* of each CPU, in its magazines */
};

static struct places look(struct reference *ref)
{
	struct kmag_cpu *cpu = kmag_test_cpu(ref->cache);
	struct kmag_node *node = kmag_test_node(ref->cache);

	return (struct places) {
		.loaded = cpu->fast.rounds,
		.previous = cpu->fast.prev_rounds,
		.closed = cpu->gate != KMAG_GATE_OPEN,
		.full = node->depot.nr_full,
		.empty = node->depot.nr_empty,
		.slabs = node->nr_slabs,
		.slots = node->slots,
		.free = node->free,
	};
}

/*
 * An allocation of @nr, a magazine at most: what the CPU's two magazines had is
 * from there; if that was not enough, one object came from further down, and
 * the magazine that it came with had the rest.
 */
static void count_alloc(struct reference *ref, unsigned int nr,
			const struct places *was, const struct places *is)
{
	bool beyond = was->loaded + was->previous < nr;
	enum kmag_stat tier = KMAG_ALLOC_SLAB;

	ref->stats[KMAG_FENCE] += was->closed;
	ref->stats[KMAG_SWAP] += was->previous && nr > was->loaded;
	ref->stats[KMAG_ALLOC_MAG] += nr - beyond;
	ref->allocs[smp_processor_id()] += nr - beyond;
	if (!beyond)
		return;
	if (is->full < was->full) {
		ref->stats[KMAG_ALLOC_DEPOT]++;
		ref->stats[KMAG_DEPOT_VISIT]++;
		return;
	}
	if (is->slabs > was->slabs)
		tier = KMAG_ALLOC_PAGE;
	ref->stats[tier]++;
	ref->stats[KMAG_SLAB_NEW] += is->slabs - was->slabs;
	ref->stats[KMAG_REFILL]++;
	ref->stats[KMAG_REFILL_OBJS] += was->free + is->slots - was->slots -
					is->free;
}

/* A free of @nr, a magazine at most, in the same way. */
static void count_free(struct reference *ref, unsigned int nr,
		       const struct places *was, const struct places *is)
{
	bool beyond = 2 * ref->cap - was->loaded - was->previous < nr;
	unsigned int full_max = kmag_test_node(ref->cache)->depot.full_max;
	enum kmag_stat tier = KMAG_FREE_SLAB;

	ref->stats[KMAG_FENCE] += was->closed;
	ref->stats[KMAG_SWAP] += was->previous < ref->cap &&
				 nr > ref->cap - was->loaded;
	ref->stats[KMAG_FREE_MAG] += nr - beyond;
	ref->frees[smp_processor_id()] += nr - beyond;
	if (!beyond)
		return;
	ref->stats[KMAG_DEPOT_VISIT]++;
	if (is->full > was->full) {
		ref->stats[KMAG_FREE_DEPOT]++;
		return;
	}
	ref->stats[KMAG_DEPOT_NO_EMPTY] += was->full < full_max && !was->empty;
	if (is->slabs < was->slabs)
		tier = KMAG_FREE_PAGE;
	ref->stats[tier]++;
	ref->stats[KMAG_SLAB_FREED] += was->slabs - is->slabs;
	/* The magazine that was flushed is loaded then. */
	ref->stats[KMAG_SWAP]++;
	ref->stats[KMAG_FLUSH]++;
	ref->stats[KMAG_FLUSH_OBJS] += is->free + was->slots - is->slots -
				       was->free;
}

/* One call, with nobody between the looks. */
static bool call(struct reference *ref, bool alloc, unsigned int nr)
{
	void **objs = ref->objs + ref->have - (alloc ? 0 : nr);
	struct places was, is;
	bool good = true;

	/* Or the worker does it, when it likes. */
	kmag_depot_stock(ref->cache, kmag_this_node());
	preempt_disable();
	was = look(ref);
	if (alloc && nr == 1) {
		objs[0] = kmag_cache_alloc(ref->cache, GFP_NOWAIT);
		good = objs[0];
	} else if (alloc) {
		good = kmag_cache_alloc_bulk(ref->cache, GFP_NOWAIT, nr, objs);
	} else if (nr == 1) {
		kmag_cache_free(ref->cache, objs[0]);
	} else {
		kmag_cache_free_bulk(ref->cache, nr, objs);
	}
	is = look(ref);
	if (good && alloc)
		count_alloc(ref, nr, &was, &is);
	else if (good)
		count_free(ref, nr, &was, &is);
	preempt_enable();
	if (good)
		ref->have = alloc ? ref->have + nr : ref->have - nr;
	return good;
}

static void compare(struct kunit *test, struct reference *ref)
{
	struct kmag_snap_cache *s = kmag_test_snap(test, ref->cache);
	struct kmag_snap_cpu *cpu = kmag_snapshot_cpus(s);
	unsigned int nr;
	int stat;

	for (stat = 0; stat < KMAG_NR_STATS; stat++)
		KUNIT_EXPECT_EQ_MSG(test, s->stats[stat], ref->stats[stat],
				    "counter %d", stat);
	for_each_possible_cpu(nr) {
		KUNIT_EXPECT_EQ(test, cpu->allocs, ref->allocs[nr]);
		KUNIT_EXPECT_EQ(test, cpu->frees, ref->frees[nr]);
		cpu++;
	}
	KUNIT_EXPECT_EQ(test, s->live, ref->have);
}

static const struct on {
	const char *desc;
	bool all;
} cpus[] = {
	{ "one CPU", false },
	{ "all CPUs in turn", true },
};

KUNIT_ARRAY_PARAM_DESC(cpus, cpus, desc);

/* Move to the next CPU. */
static unsigned int next_cpu(struct kunit *test, unsigned int cpu)
{
	cpu = cpumask_next(cpu, cpu_online_mask);
	if (cpu >= nr_cpu_ids)
		cpu = cpumask_first(cpu_online_mask);
	KUNIT_ASSERT_EQ(test, 0,
			set_cpus_allowed_ptr(current, cpumask_of(cpu)));
	return cpu;
}

static void count_by_looking(struct kunit *test)
{
	const struct on *on = test->param_value;
	struct reference ref = {};
	bool more = true;
	struct rnd_state rnd;
	unsigned int i, cpu = 0;	/* see kmag_test_init() */

	if (num_online_nodes() > 1)
		kunit_skip(test, "objects of other nodes pass the magazines by");
	ref.cache = kmag_test_cache(test, SIZE, 0, 0, NULL);
	ref.cap = ref.cache->capacity;
	ref.objs = kmag_test_array(test, HELD);
	ref.allocs = kunit_kcalloc(test, nr_cpu_ids, sizeof(u64), GFP_KERNEL);
	ref.frees = kunit_kcalloc(test, nr_cpu_ids, sizeof(u64), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, ref.allocs);
	KUNIT_ASSERT_NOT_NULL(test, ref.frees);
	/* Few empty slabs stay, and the worker takes none of them. */
	WRITE_ONCE(ref.cache->empty_max, 2);
	prandom_seed_state(&rnd, KMAG_TEST_SEED);

	for (i = 0; i < CALLS; i++) {
		u32 dice = prandom_u32_state(&rnd);
		unsigned int nr = dice & 1 ? 1 : 1 + (dice >> 8) % ref.cap;
		/* Up and down, far enough for every layer, with some noise. */
		bool alloc = (dice >> 16) % 8 < 6 ? more : !more;

		if (on->all && i % STAY == 0)
			cpu = next_cpu(test, cpu);
		if (alloc ? ref.have + nr > HELD : ref.have < nr) {
			more = !alloc;
			continue;
		}
		KUNIT_ASSERT_TRUE(test, call(&ref, alloc, nr));
	}
	compare(test, &ref);
	/* Or nothing was compared. */
	for (i = KMAG_ALLOC_MAG; i <= KMAG_FREE_PAGE; i++)
		if (i != KMAG_ALLOC_FAIL)
			KUNIT_EXPECT_GT_MSG(test, ref.stats[i], 0,
					    "counter %d", i);
	KUNIT_EXPECT_GT(test, ref.stats[KMAG_SWAP], 0);
	while (ref.have)
		KUNIT_ASSERT_TRUE(test, call(&ref, false, 1));
	compare(test, &ref);
	kmag_test_init(test);
}

static struct kunit_case cases[] = {
	KUNIT_CASE_PARAM(count_by_looking, cpus_gen_params),
	{}
};

static struct kunit_suite suite = {
	.name = "kmag_counters",
	.init = kmag_test_init,
	.test_cases = cases,
};

kunit_test_suite(suite);
