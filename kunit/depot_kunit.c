// SPDX-License-Identifier: GPL-2.0
/*
 * The depot: exchanges, limits and stock, on a depot of its own.
 */
#include <kunit/test.h>
#include <linux/slab.h>

#include "depot.h"
#include "magazine.h"
#include "util.h"

#define FULL_MAX	4

struct fixture {
	struct kmag_cache *cache;	/* for its counters */
	struct kmag_depot *depot;
};

static struct fixture fixture(struct kunit *test)
{
	struct fixture f;

	f.cache = kmag_test_cache(test, 64, 0, 0, NULL);
	f.depot = kunit_kzalloc(test, sizeof(*f.depot), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, f.depot);
	kmag_depot_init(f.depot, FULL_MAX);
	return f;
}

static struct kmag_magazine *magazine(struct kunit *test, unsigned int cap)
{
	struct kmag_magazine *mag;

	mag = kmag_magazine_alloc(cap, GFP_KERNEL, NUMA_NO_NODE);
	KUNIT_ASSERT_NOT_NULL(test, mag);
	KUNIT_ASSERT_EQ(test, mag->cap, cap);
	return mag;
}

static void drop(struct kunit *test, struct kmag_magazine *mag)
{
	KUNIT_EXPECT_NOT_NULL(test, mag);
	kmag_magazine_free(mag);
}

/* Everything that the depot says of itself, against what was put in. */
static void check(struct kunit *test, struct kmag_depot *depot,
		  unsigned int full, unsigned int empty, unsigned long objs)
{
	struct kmag_magazine *mag;
	unsigned long bytes = 0, found = 0;
	unsigned int n = 0;

	for (mag = depot->full; mag; mag = mag->next) {
		bytes += kmag_magazine_bytes(mag);
		found += mag->cap;
		n++;
	}
	KUNIT_EXPECT_EQ(test, n, full);
	KUNIT_EXPECT_EQ(test, depot->nr_full, full);
	KUNIT_EXPECT_EQ(test, found, objs);
	KUNIT_EXPECT_EQ(test, depot->objs, objs);
	for (n = 0, mag = depot->empty; mag; mag = mag->next) {
		bytes += kmag_magazine_bytes(mag);
		n++;
	}
	KUNIT_EXPECT_EQ(test, n, empty);
	KUNIT_EXPECT_EQ(test, depot->nr_empty, empty);
	KUNIT_EXPECT_EQ(test, depot->bytes, bytes);
}

static void empty_depot_gives_nothing(struct kunit *test)
{
	struct fixture f = fixture(test);
	struct kmag_magazine *mag = magazine(test, 5);

	KUNIT_EXPECT_NULL(test, kmag_depot_get_full(f.cache, f.depot, mag));
	check(test, f.depot, 0, 0, 0);
	KUNIT_EXPECT_EQ(test, f.depot->want, 0);
	KUNIT_EXPECT_NULL(test, kmag_depot_get_empty(f.cache, f.depot, mag));
	check(test, f.depot, 0, 0, 0);
	/* It was short of one, and remembers that. */
	KUNIT_EXPECT_EQ(test, f.depot->want, 1);
	KUNIT_EXPECT_EQ(test, kmag_test_stat(f.cache, KMAG_DEPOT_NO_EMPTY), 1);
	/* For a full one there was nothing to go for. */
	KUNIT_EXPECT_EQ(test, kmag_test_stat(f.cache, KMAG_DEPOT_VISIT), 1);
	KUNIT_EXPECT_EQ(test, kmag_test_stat(f.cache, KMAG_DEPOT_CONTENDED), 0);
	KUNIT_EXPECT_NULL(test, kmag_depot_pop_full(f.cache, f.depot));
	drop(test, mag);
}

static void exchanges_keep_count(struct kunit *test)
{
	struct fixture f = fixture(test);
	struct kmag_magazine *a = magazine(test, 5), *b = magazine(test, 7);
	struct kmag_magazine *c = magazine(test, 11);

	kmag_depot_push_empty(f.depot, a);
	kmag_depot_push_empty(f.depot, b);
	check(test, f.depot, 0, 2, 0);
	/* Stacks: what came last goes first. */
	KUNIT_EXPECT_PTR_EQ(test, kmag_depot_get_empty(f.cache, f.depot, c), b);
	check(test, f.depot, 1, 1, 11);
	KUNIT_EXPECT_PTR_EQ(test, kmag_depot_get_empty(f.cache, f.depot, b), a);
	check(test, f.depot, 2, 0, 18);
	KUNIT_EXPECT_PTR_EQ(test, kmag_depot_get_full(f.cache, f.depot, a), b);
	check(test, f.depot, 1, 1, 11);
	KUNIT_EXPECT_PTR_EQ(test, kmag_depot_get_full(f.cache, f.depot, b), c);
	check(test, f.depot, 0, 2, 0);
	KUNIT_EXPECT_NULL(test, kmag_depot_get_full(f.cache, f.depot, c));
	check(test, f.depot, 0, 2, 0);
	kmag_depot_push_empty(f.depot, c);
	kmag_depot_purge(f.depot, 0);
	check(test, f.depot, 0, 0, 0);
}

static void full_depot_takes_no_more(struct kunit *test)
{
	struct fixture f = fixture(test);
	struct kmag_magazine *mag;
	int i;

	for (i = 0; i <= FULL_MAX; i++)
		kmag_depot_push_empty(f.depot, magazine(test, 3));
	for (i = 0; i < FULL_MAX; i++) {
		mag = kmag_depot_get_empty(f.cache, f.depot, magazine(test, 3));
		drop(test, mag);
	}
	check(test, f.depot, FULL_MAX, 1, 3 * FULL_MAX);
	mag = magazine(test, 3);
	KUNIT_ASSERT_NULL(test, kmag_depot_get_empty(f.cache, f.depot, mag));
	check(test, f.depot, FULL_MAX, 1, 3 * FULL_MAX);
	/* That was no shortage. */
	KUNIT_EXPECT_EQ(test, f.depot->want, 0);
	KUNIT_EXPECT_EQ(test, kmag_test_stat(f.cache, KMAG_DEPOT_NO_EMPTY), 0);
	/* Nor is it one that no empty magazine is there, as none would be given. */
	kmag_depot_purge(f.depot, 0);
	KUNIT_ASSERT_NULL(test, kmag_depot_get_empty(f.cache, f.depot, mag));
	check(test, f.depot, FULL_MAX, 0, 3 * FULL_MAX);
	KUNIT_EXPECT_EQ(test, f.depot->want, 0);
	KUNIT_EXPECT_EQ(test, kmag_test_stat(f.cache, KMAG_DEPOT_NO_EMPTY), 0);
	drop(test, mag);

	for (i = FULL_MAX; i-- > 0;) {
		drop(test, kmag_depot_pop_full(f.cache, f.depot));
		check(test, f.depot, i, 0, 3 * i);
		/* On their way to their slabs, they are counted apart. */
		KUNIT_EXPECT_EQ(test, atomic_long_read(&f.cache->transit),
				3 * (FULL_MAX - i));
	}
	atomic_long_set(&f.cache->transit, 0);
	kmag_depot_purge(f.depot, 0);
}

static void lowest_level_is_kept(struct kunit *test)
{
	struct fixture f = fixture(test);
	int i;

	for (i = 0; i < FULL_MAX; i++)
		kmag_depot_push_empty(f.depot, magazine(test, 3));
	for (i = 0; i < FULL_MAX; i++)
		drop(test, kmag_depot_get_empty(f.cache, f.depot,
						magazine(test, 3)));
	f.depot->full_min = FULL_MAX;	/* as an interval begins */
	for (i = 0; i < 2; i++)
		kmag_depot_push_empty(f.depot, kmag_depot_pop_full(f.cache,
								   f.depot));
	KUNIT_EXPECT_EQ(test, f.depot->full_min, FULL_MAX - 2);
	drop(test, kmag_depot_get_empty(f.cache, f.depot, magazine(test, 3)));
	KUNIT_EXPECT_EQ(test, f.depot->nr_full, FULL_MAX - 1);
	KUNIT_EXPECT_EQ(test, f.depot->full_min, FULL_MAX - 2);
	while (f.depot->nr_full)
		drop(test, kmag_depot_pop_full(f.cache, f.depot));
	KUNIT_EXPECT_EQ(test, f.depot->full_min, 0);
	atomic_long_set(&f.cache->transit, 0);
	kmag_depot_purge(f.depot, 0);
}

static void purge_keeps_as_many_as_told(struct kunit *test)
{
	struct fixture f = fixture(test);
	int i;

	for (i = 0; i < 10; i++)
		kmag_depot_push_empty(f.depot, magazine(test, i + 1));
	kmag_depot_purge(f.depot, 20);
	check(test, f.depot, 0, 10, 0);
	kmag_depot_purge(f.depot, 3);
	check(test, f.depot, 0, 3, 0);
	kmag_depot_purge(f.depot, 0);
	check(test, f.depot, 0, 0, 0);
}

static void stock_comes_when_it_is_wanted(struct kunit *test)
{
	struct kmag_test_source *source = kmag_test_magazines(test);
	struct kmag_cache *cache = kmag_test_cache(test, 64, 0, 0, NULL);
	struct kmag_depot *depot = &kmag_test_node(cache)->depot;
	unsigned int empty = depot->nr_empty;
	unsigned long calls = source->calls;

	KUNIT_EXPECT_EQ(test, empty, KMAG_DEPOT_EMPTIES);
	kmag_depot_stock(cache, kmag_this_node());
	KUNIT_EXPECT_EQ(test, source->calls, calls);
	check(test, depot, 0, empty, 0);

	source->gfp_any = 0;
	source->gfp_all = (__force gfp_t)~0U;
	depot->want = 1;
	kmag_depot_stock(cache, kmag_this_node());
	KUNIT_EXPECT_GT(test, source->calls, calls);
	/* Nobody waits for it, nothing is said, and no reserve is touched. */
	KUNIT_EXPECT_FALSE(test, source->gfp_any & (__GFP_DIRECT_RECLAIM |
						    __GFP_HIGH | __GFP_MEMALLOC));
	KUNIT_EXPECT_TRUE(test, source->gfp_all & __GFP_NOMEMALLOC);
	KUNIT_EXPECT_TRUE(test, source->gfp_all & __GFP_NOWARN);
	check(test, depot, 0, empty + source->calls - calls, 0);
	KUNIT_EXPECT_EQ(test, depot->want, 0);

	/* The second fails: what was had stays. */
	empty = depot->nr_empty;
	source->fail_from = source->calls + 2;
	source->fail_to = ULONG_MAX;
	depot->want = 1;
	kmag_depot_stock(cache, kmag_this_node());
	check(test, depot, 0, empty + 1, 0);
}

static void magazines_fill_their_memory(struct kunit *test)
{
	static const unsigned int bytes[] = { 32, 64, 128, 256, 512 };
	int i;

	for (i = 0; i < ARRAY_SIZE(bytes); i++) {
		struct kmag_magazine *mag;

		mag = magazine(test, KMAG_ROUNDS(bytes[i]));
		KUNIT_EXPECT_EQ(test, kmag_magazine_bytes(mag), bytes[i]);
		KUNIT_EXPECT_PTR_EQ(test, kmag_magazine_of(mag->objs), mag);
		drop(test, mag);
	}
}

static struct kunit_case cases[] = {
	KUNIT_CASE(empty_depot_gives_nothing),
	KUNIT_CASE(exchanges_keep_count),
	KUNIT_CASE(full_depot_takes_no_more),
	KUNIT_CASE(lowest_level_is_kept),
	KUNIT_CASE(purge_keeps_as_many_as_told),
	KUNIT_CASE(stock_comes_when_it_is_wanted),
	KUNIT_CASE(magazines_fill_their_memory),
	{}
};

static struct kunit_suite suite = {
	.name = "kmag_depot",
	.init = kmag_test_init,
	.test_cases = cases,
};

kunit_test_suite(suite);
