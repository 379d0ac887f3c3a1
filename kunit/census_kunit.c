// SPDX-License-Identifier: GPL-2.0
/*
 * The census: counted again here, object by object, from what the test itself
 * holds. Everything else that is away from its slab is cached.
 */
#include <kunit/test.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "census.h"
#include "slab.h"
#include "util.h"

#define OBJS	2000

struct crowd {
	struct kmag_cache *cache;
	struct kmag_census *census;
	void **objs;
	unsigned int nr;	/* live */
};

static struct crowd crowd_make(struct kunit *test)
{
	struct crowd c = {};

	c.cache = kmag_test_cache(test, 200, 0, 0, NULL);
	c.objs = kmag_test_array(test, OBJS);
	kmag_test_alloc(test, c.cache, c.objs, OBJS);
	c.nr = OBJS;
	c.census = kmag_census_alloc(c.cache, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, c.census);
	KUNIT_ASSERT_EQ(test,
			kunit_add_action_or_reset(test, (void *)kvfree,
						  c.census), 0);
	return c;
}

static unsigned int live_in(const struct crowd *c, const struct kmag_slab *slab)
{
	unsigned int i, nr = 0;

	for (i = 0; i < c->nr; i++)
		nr += kmag_test_slab_of(c->objs[i]) == slab;
	return nr;
}

/* Compare with what must be; returns slabs that cached objects alone hold. */
static u64 expect_right(struct kunit *test, struct crowd *c)
{
	struct kmag_cached cached, must = {};
	struct kmag_slab *slab;
	unsigned long at = 0;
	size_t away = 0;
	u64 sum = 0;
	int i;

	kmag_census_take(c->cache, c->census);
	kmag_census_held(c->cache, c->census, &cached);
	while ((slab = kmag_test_next_slab(c->cache, &at))) {
		unsigned int live = live_in(c, slab);

		KUNIT_EXPECT_EQ(test, kmag_census_of(c->census, slab),
				slab->inuse - live);
		away += slab->inuse;
		if (live || !slab->inuse)
			continue;
		must.slabs[slab->class]++;
		must.bytes += kmag_slab_bytes(slab);
	}
	KUNIT_EXPECT_EQ(test, c->census->nr, away - c->nr);
	KUNIT_EXPECT_LE(test, c->census->nr, c->census->max);
	KUNIT_EXPECT_EQ(test, cached.bytes, must.bytes);
	for (i = 0; i < KMAG_SNAP_CLASSES; i++) {
		KUNIT_EXPECT_EQ(test, cached.slabs[i], must.slabs[i]);
		sum += cached.slabs[i];
	}
	return sum;
}

/* Every fifth one lives: alone are those that were never handed out. */
static void beside_live_ones(struct kunit *test)
{
	struct crowd c = crowd_make(test);
	unsigned int i, nr = 0;

	for (i = 0; i < OBJS; i++)
		if (i % 5)
			kmag_cache_free(c.cache, c.objs[i]);
		else
			c.objs[nr++] = c.objs[i];
	c.nr = nr;
	KUNIT_EXPECT_LE(test, expect_right(test, &c),
			DIV_ROUND_UP(c.cache->capacity, c.cache->slab_slots));
	KUNIT_EXPECT_GT(test, c.census->nr, 0);
	kmag_test_free(c.cache, c.objs, c.nr);
}

/* Runs are freed whole: slabs stay with nothing but cached objects. */
static void alone(struct kunit *test)
{
	struct crowd c = crowd_make(test);

	kmag_test_free(c.cache, c.objs + OBJS / 2, OBJS - OBJS / 2);
	c.nr = OBJS / 2;
	KUNIT_EXPECT_GT(test, expect_right(test, &c), 0);
	kmag_test_free(c.cache, c.objs, c.nr);
	c.nr = 0;
	KUNIT_EXPECT_GT(test, expect_right(test, &c), 0);
	kmag_cache_shrink(c.cache);
	KUNIT_EXPECT_EQ(test, expect_right(test, &c), 0);
	KUNIT_EXPECT_EQ(test, c.census->nr, 0);
}

/* One that was cached when it was looked at, and is at home when it is counted. */
static void gone_home(struct kunit *test)
{
	struct crowd c = crowd_make(test);
	struct kmag_cached cached;

	kmag_test_free(c.cache, c.objs, OBJS);
	c.nr = 0;
	KUNIT_EXPECT_GT(test, expect_right(test, &c), 0);
	kmag_cache_shrink(c.cache);
	kmag_census_held(c.cache, c.census, &cached);
	KUNIT_EXPECT_EQ(test, cached.bytes, 0);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(beside_live_ones),
	KUNIT_CASE(alone),
	KUNIT_CASE(gone_home),
	{}
};

static struct kunit_suite suite = {
	.name = "kmag_census",
	.init = kmag_test_init,
	.test_cases = cases,
};

kunit_test_suite(suite);
