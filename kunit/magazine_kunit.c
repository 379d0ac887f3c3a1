// SPDX-License-Identifier: GPL-2.0
/*
 * Magazines: where operations are served, and how seldom they leave the CPU.
 */
#include <kunit/test.h>
#include <linux/cpumask.h>
#include <linux/slab.h>

#include "debug.h"
#include "depot.h"
#include "magazine.h"
#include "slab.h"
#include "util.h"

/* One size for each capacity there is. */
static const struct param {
	const char *desc;
	unsigned int size;
	unsigned int capacity;
} params[] = {
	{ "62 rounds", 64, 62 },
	{ "30 rounds", 1000, 30 },
	{ "14 rounds", 4000, 14 },
	{ "6 rounds", 16000, 6 },
	{ "2 rounds", 32000, 2 },
	{ "1 round", 100000, 1 },
};

KUNIT_ARRAY_PARAM_DESC(params, params, desc);

/* The count of depot visits, and when it last changed. */
struct bound {
	struct kunit *test;
	struct kmag_cache *cache;
	unsigned long ops;
	unsigned long last_op;
	unsigned long visits;
	unsigned long first_visits;
	void **objs;
	size_t nr;
	size_t max;
};

static unsigned long visits_of(struct kmag_cache *cache)
{
	return kmag_test_cpu(cache)->stats[KMAG_DEPOT_VISIT];
}

/* After each operation: a whole capacity lies between two visits. */
static void bound_op(struct bound *b)
{
	unsigned long visits = visits_of(b->cache);

	b->ops++;
	if (visits == b->visits)
		return;
	KUNIT_EXPECT_EQ(b->test, visits, b->visits + 1);
	if (b->visits != b->first_visits)
		KUNIT_EXPECT_GE_MSG(b->test, b->ops - b->last_op,
				    b->cache->capacity, "visit %lu, operation %lu",
				    visits, b->ops);
	b->visits = visits;
	b->last_op = b->ops;
}

static void bound_alloc(struct bound *b, unsigned int nr)
{
	while (nr-- && b->nr < b->max) {
		void *obj = kmag_cache_alloc(b->cache, GFP_KERNEL);

		KUNIT_ASSERT_NOT_NULL(b->test, obj);
		b->objs[b->nr++] = obj;
		bound_op(b);
	}
}

static void bound_free(struct bound *b, unsigned int nr)
{
	while (nr-- && b->nr) {
		kmag_cache_free(b->cache, b->objs[--b->nr]);
		bound_op(b);
	}
}

static void bound_begin(struct kunit *test, struct bound *b)
{
	const struct param *p = test->param_value;

	b->test = test;
	b->cache = kmag_test_cache(test, p->size, 0, 0, NULL);
	KUNIT_ASSERT_EQ(test, b->cache->capacity, p->capacity);
	b->max = 40 * p->capacity;
	b->objs = kmag_test_array(test, b->max);
	b->first_visits = visits_of(b->cache);
	b->visits = b->first_visits;
}

static void bound_end(struct bound *b)
{
	struct kunit *test = b->test;

	bound_free(b, b->max);
	KUNIT_EXPECT_GT(test, b->ops, 0);
	KUNIT_EXPECT_LE(test, b->visits - b->first_visits,
			b->ops / b->cache->capacity + 1);
	KUNIT_EXPECT_EQ(test, kmag_test_allocs(b->cache), b->ops / 2);
	KUNIT_EXPECT_EQ(test, kmag_test_frees(b->cache), b->ops / 2);
	kmag_test_exact(test, b->cache, 0);
}

static void bound_pair(struct kunit *test)
{
	struct bound b = {};
	int i;

	bound_begin(test, &b);
	for (i = 0; i < 2000; i++) {
		bound_alloc(&b, 1);
		bound_free(&b, 1);
	}
	/* One object goes to and fro: no depot is needed for that but once. */
	KUNIT_EXPECT_LE(test, b.visits - b.first_visits, 1);
	bound_end(&b);
}

static void bound_two_and_two(struct kunit *test)
{
	struct bound b = {};
	int i, before;

	bound_begin(test, &b);
	/* From every place in the magazine: the boundary is one of them. */
	for (before = 0; before <= 2 * b.cache->capacity; before++) {
		for (i = 0; i < 60; i++) {
			bound_alloc(&b, 2);
			bound_free(&b, 2);
		}
		bound_alloc(&b, 1);
	}
	bound_end(&b);
}

static void bound_random(struct kunit *test)
{
	struct bound b = {};
	struct rnd_state rnd;
	int i;

	kunit_info(test, "seed %#lx\n", KMAG_TEST_SEED);
	prandom_seed_state(&rnd, KMAG_TEST_SEED);
	bound_begin(test, &b);
	for (i = 0; i < 20000; i++) {
		if (prandom_u32_state(&rnd) & 1)
			bound_alloc(&b, 1);
		else
			bound_free(&b, 1);
	}
	bound_end(&b);
}

/* Runs of every length around one, two and three capacities, both ways. */
static void bound_adversary(struct kunit *test)
{
	struct bound b = {};
	int m, around, i, times;

	bound_begin(test, &b);
	m = b.cache->capacity;
	for (times = 1; times <= 3; times++)
		for (around = -2; around <= 2; around++)
			for (i = 0; i < 12; i++) {
				bound_alloc(&b, max(times * m + around, 1));
				bound_free(&b, max(times * m + around, 1));
				/* Drift: begin elsewhere each time. */
				bound_alloc(&b, 1);
			}
	/* A spike beyond what the depot keeps, and back, three times. */
	for (i = 0; i < 3; i++) {
		bound_alloc(&b, b.max);
		bound_free(&b, b.max);
	}
	bound_end(&b);
}

/* In bulk, where one call may need several visits. */
static void bound_bulk(struct kunit *test)
{
	struct bound b = {};
	struct rnd_state rnd;
	int i;

	kunit_info(test, "seed %#lx\n", KMAG_TEST_SEED);
	prandom_seed_state(&rnd, KMAG_TEST_SEED);
	bound_begin(test, &b);
	for (i = 0; i < 2000; i++) {
		size_t run = 1 + prandom_u32_state(&rnd) %
				 (3 * b.cache->capacity);

		if (prandom_u32_state(&rnd) & 1) {
			run = min(run, b.max - b.nr);
			if (!run)
				continue;
			KUNIT_ASSERT_EQ(test,
					kmag_cache_alloc_bulk(b.cache,
							      GFP_KERNEL, run,
							      b.objs + b.nr),
					run);
			b.nr += run;
		} else {
			run = min(run, b.nr);
			b.nr -= run;
			kmag_cache_free_bulk(b.cache, run, b.objs + b.nr);
		}
		b.ops += run;
		b.visits = visits_of(b.cache);
		KUNIT_ASSERT_LE(test, b.visits - b.first_visits,
				b.ops / b.cache->capacity + 1);
	}
	bound_end(&b);
}

/* The same where no empty magazine can be had: slower, but bounded too. */
static void bound_without_empties(struct kunit *test)
{
	struct kmag_test_source *source = kmag_test_magazines(test);
	struct bound b = {};
	int i;

	bound_begin(test, &b);
	source->fail_from = source->calls + 1;
	source->fail_to = ULONG_MAX;
	kmag_depot_purge(&kmag_test_node(b.cache)->depot, 0);
	for (i = 0; i < 3; i++) {
		bound_alloc(&b, b.max);
		bound_free(&b, b.max);
	}
	KUNIT_EXPECT_GT(test, kmag_test_stat(b.cache, KMAG_DEPOT_NO_EMPTY), 0);
	KUNIT_EXPECT_GT(test, kmag_test_stat(b.cache, KMAG_FREE_SLAB) +
			      kmag_test_stat(b.cache, KMAG_FREE_PAGE), 0);
	bound_end(&b);
}

static void serves_from_each_tier(struct kunit *test)
{
	struct kmag_cache *cache = kmag_test_cache(test, 128, 0, 0, NULL);
	unsigned int m = cache->capacity;
	void **objs = kmag_test_array(test, 8 * m);
	struct kmag_pcp *pcp = &kmag_test_cpu(cache)->fast;

	/* The first needs a page, and brings a magazine full. */
	kmag_test_alloc(test, cache, objs, 1);
	KUNIT_EXPECT_EQ(test, kmag_test_stat(cache, KMAG_ALLOC_PAGE), 1);
	KUNIT_EXPECT_EQ(test, pcp->rounds, m - 1);
	KUNIT_EXPECT_EQ(test, pcp->prev_rounds, 0);
	kmag_test_alloc(test, cache, objs + 1, m - 1);
	KUNIT_EXPECT_EQ(test, kmag_test_stat(cache, KMAG_ALLOC_MAG), m - 1);
	KUNIT_EXPECT_EQ(test, pcp->rounds, 0);
	kmag_test_exact(test, cache, m);

	/* Two magazines take 2 M objects, with one swap and no depot. */
	kmag_test_alloc(test, cache, objs + m, 7 * m);
	kmag_test_free(cache, objs, 2 * m);
	KUNIT_EXPECT_EQ(test, kmag_test_stat(cache, KMAG_FREE_MAG), 2 * m);
	KUNIT_EXPECT_EQ(test, kmag_test_stat(cache, KMAG_SWAP), 1);
	KUNIT_EXPECT_EQ(test, pcp->rounds, m);
	KUNIT_EXPECT_EQ(test, pcp->prev_rounds, m);

	/* The next one exchanges a full magazine for an empty one. */
	kmag_cache_free(cache, objs[2 * m]);
	KUNIT_EXPECT_EQ(test, kmag_test_stat(cache, KMAG_FREE_DEPOT), 1);
	KUNIT_EXPECT_EQ(test, kmag_test_stat(cache, KMAG_SWAP), 1);
	KUNIT_EXPECT_EQ(test, kmag_test_node(cache)->depot.nr_full, 1);
	KUNIT_EXPECT_EQ(test, pcp->rounds, 1);
	KUNIT_EXPECT_EQ(test, pcp->prev_rounds, m);
	kmag_test_exact(test, cache, 6 * m - 1);

	/* And comes back when both are empty. */
	kmag_test_alloc(test, cache, objs, m + 1);
	KUNIT_EXPECT_EQ(test, kmag_test_stat(cache, KMAG_ALLOC_DEPOT), 0);
	kmag_test_alloc(test, cache, objs + m + 1, 1);
	KUNIT_EXPECT_EQ(test, kmag_test_stat(cache, KMAG_ALLOC_DEPOT), 1);
	KUNIT_EXPECT_EQ(test, kmag_test_node(cache)->depot.nr_full, 0);
	KUNIT_EXPECT_EQ(test, pcp->rounds, m - 1);

	/* objs[m + 2 .. 2 m] are in magazines; the others are live. */
	kmag_test_free(cache, objs, m + 2);
	kmag_test_free(cache, objs + 2 * m + 1, 6 * m - 1);
	kmag_test_exact(test, cache, 0);
	KUNIT_EXPECT_EQ(test, kmag_test_stat(cache, KMAG_FREE_BAD), 0);
}

/* Small objects, large magazines; and a bound on the bytes they hold. */
static void capacity_goes_by_size(struct kunit *test)
{
	static const struct {
		unsigned int stride, capacity;
	} steps[] = {
		{ 8, 62 }, { 256, 62 }, { 264, 30 }, { 1024, 30 },
		{ 1032, 14 }, { 4096, 14 }, { 4104, 6 }, { 16384, 6 },
		{ 16392, 2 }, { 65536, 2 }, { 65544, 1 },
	};
	int i;

	for (i = kmag_redzone() ? 1 : 0; i < ARRAY_SIZE(steps); i++) {
		struct kmag_cache *cache;
		size_t bytes;
		unsigned int full, empty;

		cache = kmag_test_cache(test, steps[i].stride - kmag_redzone(),
					0, 0, NULL);
		KUNIT_ASSERT_EQ(test, cache->stride, steps[i].stride);
		KUNIT_EXPECT_EQ(test, cache->capacity, steps[i].capacity);

		/* As many full ones as there is room for, within reason. */
		bytes = cache->capacity * cache->stride;
		full = kmag_test_node(cache)->depot.full_max;
		KUNIT_EXPECT_LE(test, full, KMAG_DEPOT_FULL_MAX);
		KUNIT_EXPECT_TRUE(test, full == 1 ||
				  full * bytes <= KMAG_DEPOT_BYTES);
		KUNIT_EXPECT_TRUE(test, full == KMAG_DEPOT_FULL_MAX ||
				  (full + 1) * bytes > KMAG_DEPOT_BYTES);
		/* Empty slabs for one magazine. */
		empty = cache->empty_max;
		KUNIT_EXPECT_GE(test, empty, 1);
		KUNIT_EXPECT_LE(test, empty, 8);
		KUNIT_EXPECT_LT(test, (empty - 1) * cache->slab_slots,
				cache->capacity);
		KUNIT_EXPECT_TRUE(test, empty == 8 || empty *
				  cache->slab_slots >= cache->capacity);
		kmag_test_destroy(test, cache);
	}
}

/* A free is told apart by whether it cost a trip to the page allocator. */
static void frees_of_pages_are_told(struct kunit *test)
{
	struct kmag_cache *cache = kmag_test_cache(test, 2000, 0, 0, NULL);
	struct kmag_cpu *cpu = kmag_test_cpu(cache);
	const unsigned int nr = 20 * cache->slab_slots;
	void **objs = kmag_test_array(test, nr);
	unsigned long freed;
	unsigned int i;

	/* One by one, past the magazines. */
	kmag_test_alloc(test, cache, objs, nr);
	preempt_disable();
	cpu->fast.busy = 1;
	kmag_test_free(cache, objs, nr);
	cpu->fast.busy = 0;
	preempt_enable();
	freed = kmag_test_stat(cache, KMAG_SLAB_FREED);
	KUNIT_EXPECT_GT(test, freed, 0);
	KUNIT_EXPECT_EQ(test, kmag_test_stat(cache, KMAG_FREE_PAGE), freed);
	KUNIT_EXPECT_EQ(test, kmag_test_stat(cache, KMAG_FREE_SLAB), nr - freed);

	/* In flushes of a magazine. */
	kmag_test_alloc(test, cache, objs, nr);
	kmag_depot_purge(&kmag_test_node(cache)->depot, 0);
	for (i = 0; i < nr; i++) {
		unsigned long pages = kmag_test_stat(cache, KMAG_FREE_PAGE);

		freed = kmag_test_stat(cache, KMAG_SLAB_FREED);
		kmag_cache_free(cache, objs[i]);
		KUNIT_EXPECT_EQ(test, kmag_test_stat(cache, KMAG_FREE_PAGE),
				pages + (kmag_test_stat(cache, KMAG_SLAB_FREED)
					 > freed));
	}
	KUNIT_EXPECT_GT(test, kmag_test_stat(cache, KMAG_SLAB_FREED), 20);
}

static void last_freed_comes_first(struct kunit *test)
{
	struct kmag_cache *cache = kmag_test_cache(test, 64, 0, 0, NULL);
	void *objs[20];
	int i;

	kmag_test_alloc(test, cache, objs, ARRAY_SIZE(objs));
	kmag_test_free(cache, objs, ARRAY_SIZE(objs));
	for (i = ARRAY_SIZE(objs) - 1; i >= 0; i--)
		KUNIT_EXPECT_PTR_EQ(test, kmag_cache_alloc(cache, GFP_KERNEL),
				    objs[i]);
	kmag_test_free(cache, objs, ARRAY_SIZE(objs));
}

static void frees_ask_for_no_memory(struct kunit *test)
{
	struct kmag_test_source *pages = kmag_test_pages(test);
	struct kmag_test_source *mags = kmag_test_magazines(test);
	struct kmag_cache *cache = kmag_test_cache(test, 64, 0, 0, NULL);
	const unsigned int nr = 60 * cache->capacity;
	void **objs = kmag_test_array(test, nr);
	unsigned long pages_calls, mags_calls;

	kmag_test_alloc(test, cache, objs, nr);
	pages_calls = pages->calls;
	mags_calls = mags->calls;
	KUNIT_EXPECT_GT(test, pages_calls, 0);
	KUNIT_EXPECT_GT(test, mags_calls, 0);
	kmag_test_free(cache, objs, nr);
	KUNIT_EXPECT_EQ(test, pages->calls, pages_calls);
	KUNIT_EXPECT_EQ(test, mags->calls, mags_calls);
}

/* Allocations do, for them, but take only what costs nobody anything. */
static void allocations_stock_the_depot(struct kunit *test)
{
	struct kmag_test_source *mags = kmag_test_magazines(test);
	struct kmag_cache *cache = kmag_test_cache(test, 64, 0, 0, NULL);
	struct kmag_depot *depot = &kmag_test_node(cache)->depot;
	void *obj;

	kmag_depot_purge(depot, 0);
	mags->calls = 0;
	mags->gfp_any = 0;
	depot->want = 1;	/* as after frees that found none */
	kmag_test_alloc(test, cache, &obj, 1);
	KUNIT_EXPECT_GT(test, mags->calls, 0);
	KUNIT_EXPECT_EQ(test, depot->nr_empty, mags->calls);
	KUNIT_EXPECT_FALSE(test, mags->gfp_any & (__GFP_DIRECT_RECLAIM |
						  __GFP_HIGH | __GFP_MEMALLOC));
	kmag_cache_free(cache, obj);
}

/* Who interrupts an operation goes to the slabs and leaves all as it was. */
static void interrupted_cpu_is_left_alone(struct kunit *test)
{
	struct kmag_cache *cache = kmag_test_cache(test, 64, 0, 0, NULL);
	struct kmag_cpu *cpu = kmag_test_cpu(cache);
	void *objs[4], *inside, *extra[3];
	s32 rounds;
	int i;

	kmag_test_alloc(test, cache, objs, ARRAY_SIZE(objs));
	rounds = cpu->fast.rounds;
	inside = cpu->fast.objs[rounds - 1];

	preempt_disable();
	cpu->fast.busy = 1;	/* as in the middle of a push or a pop */
	for (i = 0; i < ARRAY_SIZE(extra); i++)
		extra[i] = kmag_cache_alloc(cache, GFP_ATOMIC);
	kmag_cache_free(cache, objs[0]);
	kmag_cache_free(cache, extra[0]);
	cpu->fast.busy = 0;
	preempt_enable();

	KUNIT_EXPECT_NOT_NULL(test, extra[0]);
	KUNIT_EXPECT_NOT_NULL(test, extra[1]);
	KUNIT_EXPECT_NOT_NULL(test, extra[2]);
	KUNIT_EXPECT_EQ(test, cpu->fast.rounds, rounds);
	KUNIT_EXPECT_PTR_EQ(test, cpu->fast.objs[rounds - 1], inside);
	/* One more each time that slabs had none. */
	KUNIT_EXPECT_GE(test, kmag_test_stat(cache, KMAG_BUSY), 5);
	KUNIT_EXPECT_EQ(test, kmag_test_stat(cache, KMAG_FREE_SLAB) +
			      kmag_test_stat(cache, KMAG_FREE_PAGE), 2);
	kmag_test_exact(test, cache, 5);
	kmag_test_free(cache, objs + 1, 3);
	kmag_test_free(cache, extra + 1, 2);
}

/* Magazines of another capacity come by way of the depot. */
static void capacities_mix(struct kunit *test)
{
	static const unsigned int caps[] = { 1, 62, 3, 30, 5 };
	struct kmag_cache *cache = kmag_test_cache(test, 64, 0, 0, NULL);
	struct kmag_depot *depot = &kmag_test_node(cache)->depot;
	const unsigned int nr = 400;
	void **objs = kmag_test_array(test, nr);
	struct rnd_state rnd;
	unsigned int have = 0;
	int i;

	for (i = 0; i < 30; i++) {
		struct kmag_magazine *mag;

		mag = kmag_magazine_alloc(caps[i % ARRAY_SIZE(caps)],
					  GFP_KERNEL, kmag_this_node());
		KUNIT_ASSERT_NOT_NULL(test, mag);
		kmag_depot_push_empty(depot, mag);
	}
	kunit_info(test, "seed %#lx\n", KMAG_TEST_SEED);
	prandom_seed_state(&rnd, KMAG_TEST_SEED);
	for (i = 0; i < 2000; i++) {
		unsigned int run = 1 + prandom_u32_state(&rnd) % 100;

		if (i & 1) {
			while (run-- && have)
				kmag_cache_free(cache, objs[--have]);
			continue;
		}
		while (run-- && have < nr)
			kmag_test_alloc(test, cache, &objs[have++], 1);
		if (i % 100 == 0)
			kmag_test_exact(test, cache, have);
	}
	kmag_test_free(cache, objs, have);
	KUNIT_EXPECT_GT(test, kmag_test_stat(cache, KMAG_FREE_DEPOT), 0);
	KUNIT_EXPECT_GT(test, kmag_test_stat(cache, KMAG_ALLOC_DEPOT), 0);
}

/* What hotplug does for a CPU that is gone, for one that never was here. */
static void dead_cpu_is_drained(struct kunit *test)
{
	struct kmag_cache *cache = kmag_test_cache(test, 64, 0, 0, NULL);
	unsigned int me = raw_smp_processor_id();
	struct kmag_cpu *cpu = kmag_test_cpu(cache);
	const unsigned int nr = 3 * cache->capacity;
	void **objs = kmag_test_array(test, nr);

	kmag_test_alloc(test, cache, objs, nr);
	kmag_test_free(cache, objs, cache->capacity + 7);
	KUNIT_ASSERT_GT(test, cpu->fast.rounds + cpu->fast.prev_rounds, 0);
	kmag_cpu_dead(cache, me);
	KUNIT_EXPECT_EQ(test, cpu->fast.rounds, 0);
	KUNIT_EXPECT_EQ(test, cpu->fast.prev_rounds, 0);
	kmag_test_exact(test, cache, nr - cache->capacity - 7);
	/* It comes back. */
	kmag_test_alloc(test, cache, objs, cache->capacity + 7);
	kmag_test_exact(test, cache, nr);
	kmag_test_free(cache, objs, nr);
}

static struct kunit_case cases[] = {
	KUNIT_CASE_PARAM(bound_pair, params_gen_params),
	KUNIT_CASE_PARAM(bound_two_and_two, params_gen_params),
	KUNIT_CASE_PARAM(bound_random, params_gen_params),
	KUNIT_CASE_PARAM(bound_adversary, params_gen_params),
	KUNIT_CASE_PARAM(bound_bulk, params_gen_params),
	KUNIT_CASE_PARAM(bound_without_empties, params_gen_params),
	KUNIT_CASE(serves_from_each_tier),
	KUNIT_CASE(capacity_goes_by_size),
	KUNIT_CASE(frees_of_pages_are_told),
	KUNIT_CASE(last_freed_comes_first),
	KUNIT_CASE(frees_ask_for_no_memory),
	KUNIT_CASE(allocations_stock_the_depot),
	KUNIT_CASE(interrupted_cpu_is_left_alone),
	KUNIT_CASE(capacities_mix),
	KUNIT_CASE(dead_cpu_is_drained),
	{}
};

static struct kunit_suite suite = {
	.name = "kmag_magazine",
	.init = kmag_test_init,
	.test_cases = cases,
};

kunit_test_suite(suite);
