// SPDX-License-Identifier: GPL-2.0
/*
 * Evacuation, when demand comes back or objects stay: marks do not swing, and do
 * not stand for ever.
 */
#include <kunit/test.h>
#include <linux/list.h>
#include <linux/nodemask.h>
#include <linux/sort.h>
#include <linux/string.h>

#include "evacuate.h"
#include "field.h"
#include "mark.h"
#include "slab.h"
#include "tune.h"

static int by_address(const void *a, const void *b)
{
	const void *x = *(void * const *)a, *y = *(void * const *)b;

	return x < y ? -1 : x > y;
}

static unsigned long room_in(struct hlist_head *slabs)
{
	struct kmag_slab *slab;
	unsigned long room = 0;

	hlist_for_each_entry(slab, slabs, hlist)
		room += slab->slots - slab->inuse;
	return room;
}

static void demand_takes_draining_slabs_first(struct kunit *test)
{
	struct field f = field_make(test, 1, 12);
	unsigned long made, marked, free;

	KUNIT_ASSERT_TRUE(test, field_evacuate(&f));
	marked = f.node->nr_draining;
	made = kmag_test_stat(f.cache, KMAG_SLAB_NEW);
	/* First what is free elsewhere, then, slab by slab, what drains. */
	while ((free = f.node->free) >= f.cache->capacity) {
		unsigned long draining = f.node->nr_draining, others = 0;
		int class;

		for (class = KMAG_EMPTY + 1; class < KMAG_FULL; class++)
			others += room_in(&f.node->partial[class]);
		kmag_test_alloc(test, f.cache, f.objs + f.nr++, 1);
		if (others >= f.cache->capacity)
			KUNIT_ASSERT_EQ(test, f.node->nr_draining, draining);
	}
	KUNIT_EXPECT_LE(test, f.node->nr_draining,
			DIV_ROUND_UP(f.cache->capacity, f.slots - 1));
	KUNIT_EXPECT_EQ(test, kmag_test_stat(f.cache, KMAG_UNMARK),
			marked - f.node->nr_draining);
	KUNIT_EXPECT_EQ(test, kmag_test_stat(f.cache, KMAG_SLAB_NEW), made);
	kmag_test_exact(test, f.cache, f.nr);
	/* Then pages. */
	while (kmag_test_stat(f.cache, KMAG_SLAB_NEW) == made)
		kmag_test_alloc(test, f.cache, f.objs + f.nr++, 1);
	KUNIT_EXPECT_LT(test, f.node->free, f.cache->capacity + f.slots);
	field_finish(test, &f);
}

/* Slabs that drain, though they are to rest. */
static unsigned int restless(struct field *f)
{
	struct kmag_slab *slab;
	unsigned long at = 0;
	unsigned int nr = 0;

	while ((slab = kmag_test_next_slab(f->cache, &at)))
		nr += slab->draining &&
		      (s32)(slab->rests - f->cache->evac.interval) > 0;
	return nr;
}

/* What demand took back is left alone for some intervals. */
static void taken_back_slabs_rest(struct kunit *test)
{
	struct field f = field_make(test, 1, 12);
	const u32 rest = kmag_tuned(f.cache, KMAG_TUNE_REST);
	unsigned int i, nr, was = f.nr;
	struct kmag_slab *taken = NULL;

	KUNIT_ASSERT_TRUE(test, field_evacuate(&f));
	nr = f.node->free - f.cache->capacity;
	kmag_test_alloc(test, f.cache, f.objs + f.nr, nr);
	f.nr += nr;
	KUNIT_ASSERT_GT(test, kmag_test_stat(f.cache, KMAG_UNMARK), 50);
	/* Demand goes again, at once. */
	while (f.nr > was)
		kmag_cache_free(f.cache, f.objs[--f.nr]);
	for (i = 0; i < rest; i++) {
		field_evacuate(&f);
		KUNIT_EXPECT_EQ(test, restless(&f), 0);
		field_tick(&f);
	}
	field_evacuate(&f);
	for (i = 0; i < f.nr && !taken; i++) {
		taken = kmag_test_slab_of(f.objs[i]);
		if (!taken->draining || !taken->rests)
			taken = NULL;
	}
	KUNIT_EXPECT_NOT_NULL(test, taken);
	field_finish(test, &f);
}

/* Demand that swings by @part of what is live, an interval each time. */
static void swing(struct kunit *test, unsigned int part)
{
	struct field f = field_make(test, 6, 16);
	unsigned int i, nr = f.nr / part, was = f.nr;
	const u32 rest = kmag_tuned(f.cache, KMAG_TUNE_REST);
	const unsigned int swings = 50;

	for (i = 0; i < swings; i++) {
		field_evacuate(&f);
		kmag_test_alloc(test, f.cache, f.objs + f.nr, nr);
		f.nr += nr;
		field_evacuate(&f);
		while (f.nr > was)
			kmag_cache_free(f.cache, f.objs[--f.nr]);
		field_tick(&f);
	}
	kunit_info(test, "%u swings by 1/%u: %lu marked, %lu unmarked, %lu returned\n",
		   swings, part, kmag_test_stat(f.cache, KMAG_MARK),
		   kmag_test_stat(f.cache, KMAG_UNMARK),
		   kmag_test_stat(f.cache, KMAG_RETURN));
	KUNIT_EXPECT_GT(test, kmag_test_stat(f.cache, KMAG_UNMARK), 0);
	/*
	 * None is marked again and again. With redzones the largest swing is on the
	 * very edge, where marks go along: few next to the work that is done then.
	 */
	KUNIT_EXPECT_LE(test, kmag_test_stat(f.cache, KMAG_MARK),
			IS_ENABLED(CONFIG_KASAN) && part == 3 ?
			swings * nr / 32 : SLABS);
	KUNIT_EXPECT_LE(test, kmag_test_stat(f.cache, KMAG_SLAB_NEW),
			SLABS + swings / rest * SLABS / 8);
	field_finish(test, &f);
}

/* Demand that swings around where evacuation begins does not swing marks. */
static void oscillation_marks_little(struct kunit *test)
{
	unsigned int part;

	/* Between a quarter that is free, and next to nothing, or less and less. */
	for (part = 3; part < 6; part++)
		swing(test, part);
}

/* Intervals in each of which so many objects are freed, and no slab comes back. */
static void go_by_with(struct field *f, unsigned int intervals,
		       unsigned int frees)
{
	unsigned int i;

	while (intervals--) {
		/* Without a tick it is no interval, however often one looks. */
		field_evacuate(f);
		field_evacuate(f);
		for (i = 0; i < frees; i++)
			kmag_cache_free(f->cache,
					kmag_cache_alloc(f->cache, GFP_KERNEL));
		field_tick(f);
	}
}

static void go_by(struct field *f, unsigned int intervals)
{
	go_by_with(f, intervals, f->nr / 4);
}

/* The last object of a slab that drains goes home, and the slab with it. */
static void return_one(struct kunit *test, struct field *f)
{
	unsigned long returned = kmag_test_stat(f->cache, KMAG_RETURN);
	struct kmag_slab *slab;
	unsigned int i;

	for (i = 0; i < f->nr; i++) {
		slab = kmag_test_slab_of(f->objs[i]);
		if (slab->draining && slab->inuse == 1)
			break;
	}
	KUNIT_ASSERT_LT(test, i, f->nr);
	kmag_cache_free(f->cache, f->objs[i]);
	f->objs[i] = f->objs[--f->nr];
	KUNIT_EXPECT_EQ(test, kmag_test_stat(f->cache, KMAG_RETURN),
			returned + 1);
}

/* Objects that are never freed do not make frees dear for ever. */
static void gives_up(struct kunit *test)
{
	struct field f = field_make(test, 1, 12);
	const u32 patience = kmag_tuned(f.cache, KMAG_TUNE_PATIENCE);
	const u32 hopeless = kmag_tuned(f.cache, KMAG_TUNE_HOPELESS);
	unsigned long marked, unmarked;
	unsigned int i;

	KUNIT_ASSERT_TRUE(test, field_evacuate(&f));
	marked = f.node->nr_draining;
	/* Where little is freed, time tells nothing. */
	go_by_with(&f, 2 * patience, f.nr / 200);
	KUNIT_EXPECT_EQ(test, f.node->nr_draining, marked);
	go_by(&f, patience);
	KUNIT_EXPECT_EQ(test, f.node->nr_draining, marked);
	/* These it leaves alone. Their free slots are there for others'. */
	field_evacuate(&f);
	KUNIT_EXPECT_EQ(test, kmag_test_stat(f.cache, KMAG_UNMARK), marked);
	KUNIT_EXPECT_EQ(test, restless(&f), 0);
	go_by(&f, patience);
	KUNIT_EXPECT_FALSE(test, field_evacuate(&f));
	KUNIT_EXPECT_EQ(test, f.node->nr_draining, 0);
	KUNIT_EXPECT_FALSE(test, f.cache->draining);
	go_by(&f, hopeless - patience - 1);
	KUNIT_EXPECT_FALSE(test, field_evacuate(&f));
	go_by(&f, 1);
	KUNIT_EXPECT_TRUE(test, field_evacuate(&f));
	marked = f.node->nr_draining;

	/* While slabs come back it goes on. */
	unmarked = kmag_test_stat(f.cache, KMAG_UNMARK);
	for (i = 0; i < 2 * patience; i++) {
		return_one(test, &f);
		go_by(&f, 1);
		KUNIT_EXPECT_GE(test, f.node->nr_draining, --marked);
	}
	KUNIT_EXPECT_EQ(test, kmag_test_stat(f.cache, KMAG_UNMARK), unmarked);
	field_finish(test, &f);
}

/* Live ones of slabs that rest, or do not: one a slab stays, the rest is freed. */
static void thin_out(struct field *f, bool rest, void **objs, unsigned int nr)
{
	struct kmag_slab *last = NULL;
	unsigned int i;

	for (i = 0; i < nr; i++) {
		struct kmag_slab *slab = kmag_test_slab_of(objs[i]);

		if (!!slab->rests != rest)
			continue;
		if (slab == last)
			kmag_cache_free(f->cache, objs[i]);
		else
			f->objs[f->nr++] = objs[i];
		last = slab;
	}
}

/* Slabs that rest, however many, do not keep others from being marked. */
static void those_that_rest_hide_nobody(struct kunit *test)
{
	struct field f = field_make(test, 1, 12);
	unsigned int nr = 2 * SLABS * f.slots;
	void **objs = kmag_test_array(test, nr);
	unsigned long marked;

	/* Given up: all rest. */
	go_by(&f, 3 * kmag_tuned(f.cache, KMAG_TUNE_PATIENCE));
	KUNIT_ASSERT_FALSE(test, field_evacuate(&f));
	KUNIT_ASSERT_EQ(test, f.node->nr_draining, 0);
	/* A second spike. Those that rest are thinned out last, so looked at first. */
	memcpy(objs, f.objs, f.nr * sizeof(*objs));
	kmag_test_alloc(test, f.cache, objs + f.nr, nr - f.nr);
	sort(objs, nr, sizeof(*objs), by_address, NULL);
	f.nr = 0;
	thin_out(&f, false, objs, nr);
	kmag_cache_shrink(f.cache);
	thin_out(&f, true, objs, nr);
	kmag_cache_shrink(f.cache);
	KUNIT_ASSERT_GE(test, f.nr, 2 * SLABS);

	marked = kmag_test_stat(f.cache, KMAG_MARK);
	field_evacuate(&f);
	marked = kmag_test_stat(f.cache, KMAG_MARK) - marked;
	/* All of the others. */
	KUNIT_EXPECT_GE(test, marked, SLABS);
	KUNIT_EXPECT_EQ(test, restless(&f), 0);
	field_finish(test, &f);
}

/* Marks are taken away where little is left to be gained. */
static void stops_when_compact(struct kunit *test)
{
	struct field f = field_make(test, 4, 15);
	unsigned int i, held;

	KUNIT_ASSERT_TRUE(test, field_evacuate(&f));
	held = f.node->nr_draining;
	/* Each object that drains is replaced: it goes to where room is. */
	for (i = 0; i < f.nr && f.cache->draining; i++) {
		if (!field_drains(f.objs[i]))
			continue;
		kmag_cache_free(f.cache, f.objs[i]);
		f.objs[i] = kmag_cache_alloc(f.cache, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, f.objs[i]);
		field_evacuate(&f);
	}
	KUNIT_EXPECT_EQ(test, f.node->nr_draining, 0);
	KUNIT_EXPECT_GT(test, kmag_test_stat(f.cache, KMAG_RETURN), held * 3 / 4);
	field_finish(test, &f);
}

static long excess(struct field *f)
{
	unsigned long flags;
	long nr;

	raw_spin_lock_irqsave(&f->node->lock, flags);
	nr = kmag_node_spare(f->node) - (long)f->cache->evac.floor;
	raw_spin_unlock_irqrestore(&f->node->lock, flags);
	return nr;
}

/* Marks made in the middle of a spike: too little is left over to begin again. */
static void more_is_marked_while_slabs_drain(struct kunit *test)
{
	struct field f = field_make(test, 4, 12);
	unsigned long was;
	unsigned int i;
	long away;

	KUNIT_ASSERT_TRUE(test, field_evacuate(&f));
	was = f.node->nr_draining;
	for (i = 0; i < f.nr &&
	     excess(&f) * 32 < (long)kmag_node_away(f.node); i++) {
		/* Some of each slab: an empty one is another matter. */
		if (field_drains(f.objs[i]) ||
		    kmag_test_slab_of(f.objs[i])->inuse < f.slots / 2)
			continue;
		kmag_cache_free(f.cache, f.objs[i]);
		f.objs[i] = f.objs[--f.nr];
		kmag_cache_shrink(f.cache);
	}
	away = kmag_node_away(f.node);
	KUNIT_ASSERT_EQ(test, f.node->nr_draining, was);
	KUNIT_EXPECT_LT(test, excess(&f) *
			kmag_tuned(f.cache, KMAG_TUNE_START), away);
	KUNIT_EXPECT_TRUE(test, field_evacuate(&f));
	KUNIT_EXPECT_GT(test, f.node->nr_draining, was);
	KUNIT_EXPECT_LT(test, excess(&f) *
			kmag_tuned(f.cache, KMAG_TUNE_MORE), away);
	field_finish(test, &f);
}

/* What is told to begin later does; nothing can be told to end before it begins. */
static void thresholds_are_the_caches_own(struct kunit *test)
{
	/* Half of the slots are free. */
	struct field f = field_make(test, 4, 12), other = field_make(test, 4, 12);
	struct kmag_cache *cache = f.cache;
	unsigned int i;

	for (i = 0; i < KMAG_NR_TUNES; i++) {
		const struct kmag_tunable *t = &kmag_tunables[i];

		KUNIT_EXPECT_EQ(test, kmag_tuned(cache, i), t->value);
		KUNIT_EXPECT_EQ(test, kmag_tune_set(cache, i, t->max + 1),
				-ERANGE);
		if (t->min)
			KUNIT_EXPECT_EQ(test, kmag_tune_set(cache, i, t->min - 1),
					-ERANGE);
		KUNIT_EXPECT_EQ(test, kmag_tuned(cache, i), t->value);
	}
	KUNIT_EXPECT_EQ(test, kmag_tune_set(cache, KMAG_TUNE_START, 26), -EINVAL);
	KUNIT_EXPECT_EQ(test, kmag_tune_set(cache, KMAG_TUNE_STOP, 31), -EINVAL);
	KUNIT_EXPECT_EQ(test, kmag_tune_set(cache, KMAG_TUNE_MORE, 15), -EINVAL);
	KUNIT_EXPECT_EQ(test, kmag_tune_set(cache, KMAG_TUNE_ROOM, 50), -EINVAL);
	KUNIT_EXPECT_EQ(test, kmag_tune_set(cache, KMAG_TUNE_ROOM, 64), -EINVAL);
	KUNIT_EXPECT_EQ(test, kmag_tuned(cache, KMAG_TUNE_START), 16);

	/* More slabs than there are. */
	KUNIT_EXPECT_EQ(test, kmag_tune_set(cache, KMAG_TUNE_SLABS, SLABS), 0);
	KUNIT_EXPECT_FALSE(test, field_evacuate(&f));
	KUNIT_EXPECT_EQ(test, kmag_tune_set(cache, KMAG_TUNE_SLABS, 1), 0);
	KUNIT_EXPECT_TRUE(test, field_evacuate(&f));
	KUNIT_EXPECT_EQ(test, kmag_tuned(other.cache, KMAG_TUNE_SLABS), 8);
	KUNIT_EXPECT_TRUE(test, field_evacuate(&other));
	field_finish(test, &f);
	field_finish(test, &other);
}

/* A node that is sparse has no slab of another one marked. */
static void each_node_by_itself(struct kunit *test)
{
	const unsigned int some = 16;	/* of which one is freed */
	unsigned int i, nr;
	struct field f;
	void **objs;
	int nid;

	if (num_node_state(N_MEMORY) < 2)
		kunit_skip(test, "needs two nodes");
	f = field_make(test, 2, 12);
	for_each_node_state(nid, N_MEMORY)
		if (nid != f.node->nid)
			break;
	nr = SLABS * f.slots;
	objs = kmag_test_array(test, nr);
	for (i = 0; i < nr; i++) {
		objs[i] = kmag_cache_alloc_node(f.cache,
						GFP_KERNEL | __GFP_THISNODE,
						nid);
		KUNIT_ASSERT_NOT_NULL(test, objs[i]);
	}
	/* Its objects go home: so much that slabs could be marked. */
	for (i = 0; i < nr; i += some)
		kmag_cache_free(f.cache, objs[i]);
	KUNIT_EXPECT_GT(test, f.cache->node[nid]->free,
			2 * f.cache->capacity + f.slots);

	KUNIT_EXPECT_TRUE(test, field_evacuate(&f));
	KUNIT_EXPECT_GT(test, f.node->nr_draining, 0);
	KUNIT_EXPECT_EQ(test, f.cache->node[nid]->nr_draining, 0);
	for (i = 0; i < nr; i++)
		if (i % some)
			kmag_cache_free(f.cache, objs[i]);
	field_finish(test, &f);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(demand_takes_draining_slabs_first),
	KUNIT_CASE(taken_back_slabs_rest),
	KUNIT_CASE(oscillation_marks_little),
	KUNIT_CASE(gives_up),
	KUNIT_CASE(those_that_rest_hide_nobody),
	KUNIT_CASE(stops_when_compact),
	KUNIT_CASE(more_is_marked_while_slabs_drain),
	KUNIT_CASE(thresholds_are_the_caches_own),
	KUNIT_CASE(each_node_by_itself),
	{}
};

static struct kunit_suite suite = {
	.name = "kmag_hysteresis",
	.init = kmag_test_init,
	.test_cases = cases,
};

kunit_test_suite(suite);
