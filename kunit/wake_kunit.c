// SPDX-License-Identifier: GPL-2.0
/*
 * What wakes evacuation, what it waits for, and when it lets itself be woken again.
 * A test asks for the work item itself; by itself it would come in a minute.
 */
#include <kunit/test.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "evacuate.h"
#include "field.h"
#include "mark.h"
#include "reclaim.h"
#include "registry.h"
#include "slab.h"
#include "tune.h"
#include "util.h"

/*
 * Let events through, with the worker of reclaim.c kept away: it would tick. Until
 * asleep() nothing may end the test, or the lock stays taken: so it expects, and
 * asserts what cannot fail if the rest holds.
 */
static void awake(struct kunit *test, struct field *f, bool armed)
{
	struct kmag_evac *evac = &f->cache->evac;

	mutex_lock(&kmag_caches_lock);
	kmag_retain(f->cache, KMAG_WORKING_SET);
	KUNIT_EXPECT_EQ(test, kmag_tune_set(f->cache, KMAG_TUNE_DELAY_MS, 60000),
			0);
	WRITE_ONCE(evac->armed, armed);	/* as evacuate.c writes them */
	WRITE_ONCE(evac->off, false);
}

static void asleep(struct kunit *test, struct field *f)
{
	kmag_evacuate_off(f->cache);
	mutex_unlock(&kmag_caches_lock);
	field_finish(test, f);
}

/* Is it to come? An irq_work has time until the next tick, or the one after. */
static bool queued(struct field *f)
{
	struct kmag_evac *evac = &f->cache->evac;
	unsigned int ticks = HZ;

	while (!delayed_work_pending(&evac->work) && --ticks)
		schedule_timeout_uninterruptible(1);
	return ticks;
}

/* Let it come now; it is over then. Returns whether it will come again. */
static bool run(struct field *f)
{
	struct kmag_evac *evac = &f->cache->evac;

	mod_delayed_work(kmag_unbound_wq, &evac->work, 0);
	/* Not flush_delayed_work(): that would have it come again at once. */
	flush_work(&evac->work.work);
	return delayed_work_pending(&evac->work);
}

static void the_last_slab_wakes_it(struct kunit *test)
{
	struct field f = field_make(test, 1, 15);
	struct kmag_evac *evac = &f.cache->evac;

	KUNIT_ASSERT_TRUE(test, field_evacuate(&f));
	awake(test, &f, true);
	while (f.node->nr_draining > 1)
		kmag_cache_free(f.cache, field_pick(test, &f, true));
	KUNIT_EXPECT_TRUE(test, evac->armed);
	kmag_cache_free(f.cache, field_pick(test, &f, true));
	KUNIT_EXPECT_FALSE(test, evac->armed);
	KUNIT_EXPECT_TRUE(test, queued(&f));
	/* And it finds that it is over. */
	KUNIT_EXPECT_TRUE(test, f.cache->draining);
	KUNIT_EXPECT_FALSE(test, run(&f));
	KUNIT_EXPECT_FALSE(test, f.cache->draining);
	KUNIT_EXPECT_TRUE(test, evac->armed);
	asleep(test, &f);
}

/* It may be taken back instead. */
static void the_last_mark_wakes_it(struct kunit *test)
{
	struct field f = field_make(test, 1, 15);
	unsigned int room;

	KUNIT_ASSERT_TRUE(test, field_evacuate(&f));
	awake(test, &f, true);
	room = f.node->free - f.node->empty_free;
	kmag_test_alloc(test, f.cache, f.objs + f.nr, room);
	f.nr += room;
	KUNIT_EXPECT_EQ(test, f.node->nr_draining, 0);
	KUNIT_EXPECT_FALSE(test, f.cache->evac.armed);
	KUNIT_EXPECT_TRUE(test, queued(&f));
	KUNIT_EXPECT_FALSE(test, run(&f));
	KUNIT_EXPECT_FALSE(test, f.cache->draining);
	asleep(test, &f);
}

/*
 * Slabs drain, and little is left to be gained: demand took a part of them back, and
 * the cache is told to stop with less than a quarter free.
 */
static struct field packed(struct kunit *test)
{
	struct field f = field_make(test, 4, 15);
	unsigned int nr;

	KUNIT_ASSERT_TRUE(test, field_evacuate(&f));
	KUNIT_ASSERT_EQ(test, kmag_tune_set(f.cache, KMAG_TUNE_START, 2), 0);
	KUNIT_ASSERT_EQ(test, kmag_tune_set(f.cache, KMAG_TUNE_STOP, 4), 0);
	nr = f.node->free - kmag_node_away(f.node) / 5;
	kmag_test_alloc(test, f.cache, f.objs + f.nr, nr);
	f.nr += nr;
	KUNIT_ASSERT_GT(test, f.node->nr_draining, 0);
	return f;
}

/* So does a flush that finds its node packed, though slabs drain. */
static void packed_wakes_it(struct kunit *test)
{
	struct field f = packed(test);

	awake(test, &f, true);
	kmag_cache_free(f.cache, f.objs[--f.nr]);
	KUNIT_EXPECT_TRUE(test, f.cache->evac.armed);
	kmag_cache_shrink(f.cache);
	KUNIT_EXPECT_FALSE(test, f.cache->evac.armed);
	KUNIT_EXPECT_TRUE(test, queued(&f));
	run(&f);
	KUNIT_EXPECT_EQ(test, f.node->nr_draining, 0);
	KUNIT_EXPECT_FALSE(test, f.cache->draining);
	asleep(test, &f);
}

/* What was unmarked since little was left to be gained need not rest. */
static void packed_slabs_do_not_rest(struct kunit *test)
{
	struct field f = packed(test);
	const s32 rest = kmag_tuned(f.cache, KMAG_TUNE_REST);
	struct kmag_slab *slab;
	unsigned long at = 0;

	field_evacuate(&f);
	KUNIT_EXPECT_EQ(test, f.node->nr_draining, 0);
	while ((slab = kmag_test_next_slab(f.cache, &at)))
		KUNIT_EXPECT_LE(test, (s32)(slab->rests - f.cache->evac.interval),
				rest);
	field_finish(test, &f);
}

/* No event tells that nothing happens. */
static void a_tick_wakes_it(struct kunit *test)
{
	struct field f = field_make(test, 2, 12), dense = field_make(test, 15, 15);
	struct kmag_evac *evac = &f.cache->evac;
	u32 looked;

	awake(test, &f, false);
	KUNIT_EXPECT_EQ(test, kmag_tune_set(f.cache, KMAG_TUNE_WAITS, 0), 0);
	/* The cache is sparse, and nobody flushes. */
	kmag_evacuate_tick(f.cache);
	flush_work(&evac->work.work);
	KUNIT_EXPECT_GT(test, f.node->nr_draining, 0);
	/* Slabs drain: it has to look whether they do. */
	looked = evac->looked;
	kmag_evacuate_tick(f.cache);
	flush_work(&evac->work.work);
	KUNIT_EXPECT_EQ(test, evac->looked, looked + 1);
	asleep(test, &f);

	/* Nothing is to be done: then events may wake it again. */
	awake(test, &dense, false);
	kmag_evacuate_tick(dense.cache);
	KUNIT_EXPECT_FALSE(test, work_busy(&dense.cache->evac.work.work));
	KUNIT_EXPECT_TRUE(test, dense.cache->evac.armed);
	asleep(test, &dense);
}

/*
 * A cache that is sparse, and stays so as its slabs rest, is left alone; until it
 * becomes sparser by something else.
 */
static void in_vain_is_not_tried_again(struct kunit *test)
{
	struct field f = field_make(test, 1, 12);
	const unsigned int more = 100 * f.slots;
	void **objs = kmag_test_array(test, more);
	unsigned int room;
	struct kmag_slab *slab;
	unsigned long at = 0;
	unsigned int i;

	while ((slab = kmag_test_next_slab(f.cache, &at)))
		slab->rests = f.cache->evac.interval + 100;
	awake(test, &f, true);
	KUNIT_EXPECT_EQ(test, kmag_tune_set(f.cache, KMAG_TUNE_WAITS, 0), 0);
	KUNIT_EXPECT_FALSE(test, run(&f));
	KUNIT_EXPECT_TRUE(test, f.cache->evac.armed);
	KUNIT_EXPECT_EQ(test, f.node->nr_draining, 0);
	KUNIT_EXPECT_FALSE(test, f.cache->draining);
	/* To walk all of them once a second were no better. */
	for (i = 0; i < 10; i++) {
		kmag_evacuate_tick(f.cache);
		KUNIT_EXPECT_FALSE(test, work_busy(&f.cache->evac.work.work));
	}
	/* A flush, and the cache is as sparse as it was. */
	kmag_cache_free(f.cache, f.objs[--f.nr]);
	kmag_cache_shrink(f.cache);
	KUNIT_EXPECT_TRUE(test, f.cache->evac.armed);
	/* Demand that goes leaves other slabs with an object each. */
	room = f.node->free;
	kmag_test_alloc(test, f.cache, f.objs + f.nr, room);
	kmag_test_alloc(test, f.cache, objs, more);
	while (room--)
		kmag_cache_free(f.cache, f.objs[f.nr + room]);
	for (i = 0; i < more; i++)
		if (i % f.slots)
			kmag_cache_free(f.cache, objs[i]);
	kmag_cache_shrink(f.cache);
	KUNIT_EXPECT_FALSE(test, f.cache->evac.armed);
	KUNIT_EXPECT_TRUE(test, queued(&f));
	for (i = 0; i < more; i += f.slots)
		kmag_cache_free(f.cache, objs[i]);
	/* The control: one that may be marked is. */
	at = 0;
	while ((slab = kmag_test_next_slab(f.cache, &at)))
		slab->rests = 0;
	run(&f);
	KUNIT_EXPECT_TRUE(test, f.cache->evac.armed);
	KUNIT_EXPECT_GT(test, f.node->nr_draining, 0);
	asleep(test, &f);
}

/* Once the first of them has rested, a tick has them looked at again. */
static void rested_slabs_are_tried_again(struct kunit *test)
{
	struct field f = field_make(test, 1, 12);
	struct kmag_slab *slab;
	unsigned long at = 0;
	unsigned int i = 0;

	while ((slab = kmag_test_next_slab(f.cache, &at)))
		slab->rests = f.cache->evac.interval + 3 + i++ % 5;
	awake(test, &f, true);
	KUNIT_EXPECT_EQ(test, kmag_tune_set(f.cache, KMAG_TUNE_WAITS, 0), 0);
	KUNIT_EXPECT_FALSE(test, run(&f));
	for (i = 1; i < 3; i++) {
		kmag_evacuate_tick(f.cache);
		KUNIT_EXPECT_FALSE(test, work_busy(&f.cache->evac.work.work));
	}
	kmag_evacuate_tick(f.cache);
	flush_work(&f.cache->evac.work.work);
	KUNIT_EXPECT_GT(test, f.node->nr_draining, 0);
	asleep(test, &f);
}

static void free_some(struct field *f, unsigned int nr)
{
	while (nr--)
		kmag_cache_free(f->cache, f->objs[--f->nr]);
	kmag_cache_shrink(f->cache);
}

/* What a look may miss of what the last one found, and the spike is over. */
static unsigned int missed(struct field *f)
{
	kmag_cache_shrink(f->cache);
	return kmag_node_away(f->node) / kmag_tuned(f->cache, KMAG_TUNE_FALL);
}

/* In the middle of a spike marks would soon be wrong: but not for long. */
static void waits_for_a_spike(struct kunit *test)
{
	struct field f = field_make(test, 2, 12);
	const u32 waits = 20;
	unsigned int i;

	awake(test, &f, false);
	KUNIT_EXPECT_EQ(test, kmag_tune_set(f.cache, KMAG_TUNE_WAITS, waits), 0);
	for (i = 0; i < waits; i++) {
		KUNIT_EXPECT_TRUE(test, run(&f));
		KUNIT_EXPECT_EQ(test, f.node->nr_draining, 0);
		KUNIT_EXPECT_FALSE(test, f.cache->evac.armed);
		free_some(&f, missed(&f) + 1);
	}
	run(&f);
	KUNIT_EXPECT_GT(test, f.node->nr_draining, 0);
	KUNIT_EXPECT_TRUE(test, f.cache->evac.armed);
	asleep(test, &f);
}

/* One that has ended is waited for once. */
static void waits_once_if_it_is_over(struct kunit *test)
{
	struct field f = field_make(test, 2, 12);

	awake(test, &f, false);
	free_some(&f, missed(&f) + 1);
	KUNIT_EXPECT_TRUE(test, run(&f));
	KUNIT_EXPECT_EQ(test, f.node->nr_draining, 0);
	free_some(&f, missed(&f));
	run(&f);
	KUNIT_EXPECT_GT(test, f.node->nr_draining, 0);
	asleep(test, &f);
}

/* Nothing is kept of a spike whose demand came back. */
static void waits_for_the_next_one_too(struct kunit *test)
{
	struct field f = field_make(test, 2, 12);
	unsigned int room;

	awake(test, &f, false);
	KUNIT_EXPECT_TRUE(test, run(&f));
	room = f.node->free;
	kmag_test_alloc(test, f.cache, f.objs + f.nr, room);
	KUNIT_EXPECT_FALSE(test, run(&f));
	KUNIT_EXPECT_EQ(test, f.cache->evac.waits, 0);
	while (room--)
		kmag_cache_free(f.cache, f.objs[f.nr + room]);
	kmag_cache_shrink(f.cache);
	KUNIT_EXPECT_TRUE(test, run(&f));
	KUNIT_EXPECT_EQ(test, f.node->nr_draining, 0);
	asleep(test, &f);
}

static void lazy_caches_are_left_alone(struct kunit *test)
{
	struct field f = field_make(test, 2, 12);

	KUNIT_ASSERT_TRUE(test, field_evacuate(&f));
	awake(test, &f, true);
	kmag_retain(f.cache, KMAG_LAZY);
	kmag_evacuate_tick(f.cache);
	flush_work(&f.cache->evac.work.work);
	KUNIT_EXPECT_EQ(test, f.node->nr_draining, 0);
	KUNIT_EXPECT_FALSE(test, f.cache->draining);
	KUNIT_EXPECT_FALSE(test, f.cache->evac.armed);
	/* As sparse as it is, nothing wakes it. */
	kmag_evacuate_tick(f.cache);
	free_some(&f, 2 * f.cache->capacity);
	KUNIT_EXPECT_FALSE(test, f.cache->evac.armed);
	KUNIT_EXPECT_FALSE(test, work_busy(&f.cache->evac.work.work));
	/* Its slabs do not rest for it. */
	kmag_retain(f.cache, KMAG_WORKING_SET);
	KUNIT_EXPECT_TRUE(test, field_evacuate(&f));
	asleep(test, &f);
}

/* A cache that goes takes nothing along that would come for it. */
static void exit_ends_it(struct kunit *test)
{
	struct field f = field_make(test, 2, 12);
	struct kmag_evac *evac = &f.cache->evac;

	KUNIT_ASSERT_TRUE(test, field_evacuate(&f));
	awake(test, &f, true);
	mod_delayed_work(kmag_unbound_wq, &evac->work, 60 * HZ);
	kmag_evacuate_exit(f.cache);
	KUNIT_EXPECT_FALSE(test, delayed_work_pending(&evac->work));
	KUNIT_EXPECT_FALSE(test, evac->armed);
	KUNIT_EXPECT_EQ(test, f.node->nr_draining, 0);
	KUNIT_EXPECT_FALSE(test, f.cache->draining);
	asleep(test, &f);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(the_last_slab_wakes_it),
	KUNIT_CASE(the_last_mark_wakes_it),
	KUNIT_CASE(packed_wakes_it),
	KUNIT_CASE(packed_slabs_do_not_rest),
	KUNIT_CASE(a_tick_wakes_it),
	KUNIT_CASE(in_vain_is_not_tried_again),
	KUNIT_CASE(rested_slabs_are_tried_again),
	KUNIT_CASE(waits_for_a_spike),
	KUNIT_CASE(waits_once_if_it_is_over),
	KUNIT_CASE(waits_for_the_next_one_too),
	KUNIT_CASE(lazy_caches_are_left_alone),
	KUNIT_CASE(exit_ends_it),
	{}
};

static struct kunit_suite suite = {
	.name = "kmag_wake",
	.init = kmag_test_init,
	.test_cases = cases,
};

kunit_test_suite(suite);
