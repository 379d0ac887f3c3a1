// SPDX-License-Identifier: GPL-2.0
/*
 * Evacuation, step by step: nothing happens here but what a test asks for. Who asks
 * is in wake_kunit.c, what becomes of it under load in evac_load_kunit.c, and after
 * a spike in spike_kunit.c.
 */
#include <kunit/test.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/tracepoint.h>

#include "depot.h"
#include "evacuate.h"
#include "field.h"
#include "gate.h"
#include "mark.h"
#include "park.h"
#include "reclaim.h"
#include "slab.h"
#include "trace.h"
#include "tune.h"
#include "util.h"

static void marks_the_emptiest(struct kunit *test)
{
	struct field f = field_make(test, 3, 13);
	unsigned long spare, room = 2 * f.cache->capacity;
	unsigned int i, away = 0, marked;

	KUNIT_EXPECT_TRUE(test, field_evacuate(&f));
	KUNIT_EXPECT_TRUE(test, f.cache->draining);
	KUNIT_EXPECT_FALSE(test, f.cache->evac.marking);
	KUNIT_EXPECT_GT(test, f.node->depot.full_max, 0);
	for (i = 0; i < f.nr; i++) {
		struct kmag_slab *slab = kmag_test_slab_of(f.objs[i]);

		if (slab->draining)
			KUNIT_EXPECT_EQ(test, slab->inuse, 3);
		away += slab->draining;
	}
	marked = f.node->nr_draining;
	KUNIT_EXPECT_GT(test, marked, SLABS / 4);
	KUNIT_EXPECT_LT(test, marked, SLABS / 2);
	KUNIT_EXPECT_EQ(test, marked * 3, away);
	KUNIT_EXPECT_EQ(test, marked * f.slots, f.node->draining_slots);
	KUNIT_EXPECT_EQ(test, marked, kmag_test_stat(f.cache, KMAG_MARK));
	/* What is live in them fits, with room to spare for less than one more. */
	spare = f.node->free - f.node->draining_slots;
	KUNIT_EXPECT_GE(test, spare, room);
	KUNIT_EXPECT_LT(test, spare, room + f.slots);
	/* As many as can be: to do it again changes nothing. */
	KUNIT_EXPECT_FALSE(test, field_evacuate(&f));
	KUNIT_EXPECT_EQ(test, marked, f.node->nr_draining);
	field_finish(test, &f);
}

static void leaves_the_compact_alone(struct kunit *test)
{
	/* A sixteenth is free; and nearly all, of few slabs. */
	struct field dense = field_make(test, 15, 15), few = field_make(test, 1, 0);
	const u32 slabs = kmag_tuned(few.cache, KMAG_TUNE_SLABS);

	KUNIT_EXPECT_FALSE(test, field_evacuate(&dense));
	KUNIT_EXPECT_FALSE(test, dense.cache->draining);
	field_finish(test, &dense);

	while (few.nr > slabs)
		kmag_cache_free(few.cache, few.objs[--few.nr]);
	kmag_cache_shrink(few.cache);
	KUNIT_EXPECT_EQ(test, few.node->nr_slabs, slabs);
	KUNIT_EXPECT_FALSE(test, field_evacuate(&few));
	field_finish(test, &few);
}

static void free_goes_home_or_stays(struct kunit *test)
{
	struct field f = field_make(test, 2, 12);
	unsigned long slabs = f.node->nr_slabs, frees;
	struct kmag_slab *slab;
	void *first, *last;
	unsigned int i;

	KUNIT_ASSERT_TRUE(test, field_evacuate(&f));
	first = field_pick(test, &f, true);
	slab = kmag_test_slab_of(first);
	KUNIT_ASSERT_EQ(test, slab->inuse, 2);
	for (i = 0; kmag_test_slab_of(f.objs[i]) != slab; i++)
		;
	last = f.objs[i];
	f.objs[i] = f.objs[--f.nr];

	kmag_cache_free(f.cache, first);
	KUNIT_EXPECT_EQ(test, slab->inuse, 1);
	KUNIT_EXPECT_EQ(test, field_rounds(&f), 0);
	KUNIT_EXPECT_EQ(test, kmag_test_stat(f.cache, KMAG_HOME), 1);
	kmag_test_exact(test, f.cache, f.nr + 1);
	/* The slab goes with its last object, whatever may be kept. */
	KUNIT_ASSERT_GT(test, f.cache->empty_max, 0);
	kmag_cache_free(f.cache, last);
	KUNIT_EXPECT_EQ(test, f.node->nr_slabs, slabs - 1);
	KUNIT_EXPECT_EQ(test, f.node->nr[KMAG_EMPTY], 0);
	KUNIT_EXPECT_EQ(test, kmag_test_stat(f.cache, KMAG_RETURN), 1);
	kmag_test_exact(test, f.cache, f.nr);

	/* Of another slab: where a free goes that is not looked at. */
	frees = kmag_test_stat(f.cache, KMAG_FREE_MAG);
	kmag_cache_free(f.cache, field_pick(test, &f, false));
	KUNIT_EXPECT_EQ(test, field_rounds(&f), 1);
	/* The first one came to a gate that the fence had closed. */
	kmag_cache_free(f.cache, field_pick(test, &f, false));
	KUNIT_EXPECT_EQ(test, field_rounds(&f), 2);
	KUNIT_EXPECT_EQ(test, kmag_test_stat(f.cache, KMAG_FREE_MAG), frees + 2);
	KUNIT_EXPECT_EQ(test, kmag_test_cpu(f.cache)->fast.hi, 0);
	KUNIT_EXPECT_EQ(test, kmag_test_cpu(f.cache)->fast.lo, 0);
	field_finish(test, &f);
}

/* In bulk, and so many that magazines are changed. */
static void bulk_is_sorted(struct kunit *test)
{
	struct field f = field_make(test, 2, 13);
	unsigned long draining = 0, exchanges;
	unsigned int i;

	KUNIT_ASSERT_TRUE(test, field_evacuate(&f));
	for (i = 0; i < f.nr; i++)
		draining += field_drains(f.objs[i]);
	exchanges = kmag_test_stat(f.cache, KMAG_FREE_DEPOT);
	kmag_cache_free_bulk(f.cache, f.nr, f.objs);
	f.nr = 0;
	KUNIT_EXPECT_EQ(test, kmag_test_stat(f.cache, KMAG_HOME), draining);
	KUNIT_EXPECT_EQ(test, f.node->nr_draining, 0);
	KUNIT_EXPECT_EQ(test, kmag_test_stat(f.cache, KMAG_RETURN),
			kmag_test_stat(f.cache, KMAG_MARK));
	KUNIT_EXPECT_GT(test, kmag_test_stat(f.cache, KMAG_FREE_DEPOT),
			exchanges);
	kmag_test_exact(test, f.cache, 0);
}

/* When nothing drains any more, the fast path is open again. */
static void ends_by_itself(struct kunit *test)
{
	struct field f = field_make(test, 1, 13);
	unsigned long frees;

	KUNIT_ASSERT_TRUE(test, field_evacuate(&f));
	while (f.node->nr_draining)
		kmag_cache_free(f.cache, field_pick(test, &f, true));
	KUNIT_EXPECT_FALSE(test, field_evacuate(&f));
	KUNIT_EXPECT_FALSE(test, f.cache->draining);
	kmag_cache_free(f.cache, field_pick(test, &f, false));
	KUNIT_EXPECT_EQ(test, kmag_test_cpu(f.cache)->fast.hi,
			f.cache->capacity);
	frees = kmag_test_cpu(f.cache)->fast.frees;
	kmag_cache_free(f.cache, field_pick(test, &f, false));
	KUNIT_EXPECT_EQ(test, kmag_test_cpu(f.cache)->fast.frees, frees + 1);
	field_finish(test, &f);
}

/* Free so many that they fill a CPU's magazines and two of the depot. */
static void fill(struct kunit *test, struct field *f)
{
	unsigned int i, nr = 4 * f->cache->capacity;

	for (i = 0; i < nr; i++) {
		kmag_cache_free(f->cache, f->objs[i]);
		f->objs[i] = f->objs[--f->nr];
	}
	KUNIT_ASSERT_EQ(test, field_rounds(f), 2 * f->cache->capacity);
	KUNIT_ASSERT_EQ(test, f->node->depot.nr_full, 2);
}

static void magazines_and_depot_are_swept(struct kunit *test)
{
	struct field f = field_make(test, 5, 5);

	fill(test, &f);
	KUNIT_EXPECT_TRUE(test, field_evacuate(&f));
	/* This CPU waited, and so did not use them. */
	KUNIT_EXPECT_EQ(test, field_rounds(&f), 0);
	KUNIT_EXPECT_EQ(test, f.node->depot.nr_full, 0);
	/* That no magazine has an object of a draining slab is looked at, too. */
	field_finish(test, &f);
}

/* Both magazines of this CPU with objects of both kinds. Returns how many drain. */
static unsigned int mix(struct kunit *test, struct field *f)
{
	struct kmag_pcp *pcp = &kmag_test_cpu(f->cache)->fast;
	unsigned int i, nr = 0, half = f->cache->capacity / 2;

	/* As if they had been freed before their slabs were marked. */
	kmag_cache_free(f->cache, field_pick(test, f, false));
	for (i = 1; i < 2 * half; i++) {
		void *obj = field_pick(test, f, i % 2);

		nr += field_drains(obj);
		if (i < half)
			pcp->objs[pcp->rounds++] = obj;
		else
			pcp->prev_objs[pcp->prev_rounds++] = obj;
		pcp->frees++;
	}
	return nr;
}

static void cpu_sorts_itself(struct kunit *test)
{
	struct field f = field_make(test, 2, 12);
	unsigned int i, drain, all;

	KUNIT_ASSERT_TRUE(test, field_evacuate(&f));
	for (i = 0; i < 2; i++) {
		drain = mix(test, &f);
		all = field_rounds(&f);
		KUNIT_ASSERT_GT(test, drain, 0);
		kmag_test_close_gate(kmag_test_cpu(f.cache), KMAG_GATE_MARKED);
		if (i) {
			f.objs[f.nr] = kmag_cache_alloc(f.cache, GFP_KERNEL);
			KUNIT_ASSERT_NOT_NULL(test, f.objs[f.nr++]);
			KUNIT_EXPECT_EQ(test, field_rounds(&f), all - drain - 1);
		} else {
			kmag_cache_free(f.cache, field_pick(test, &f, true));
			KUNIT_EXPECT_EQ(test, field_rounds(&f), all - drain);
		}
		KUNIT_EXPECT_EQ(test, kmag_test_cpu(f.cache)->gate,
				KMAG_GATE_OPEN);
		KUNIT_EXPECT_EQ(test, kmag_test_cpu(f.cache)->fast.hi, 0);
		kmag_test_exact(test, f.cache, f.nr);
	}
	/* Where all is to go, all goes. */
	kmag_test_close_gate(kmag_test_cpu(f.cache), KMAG_GATE_FENCED);
	kmag_cache_free(f.cache, field_pick(test, &f, true));
	KUNIT_EXPECT_EQ(test, field_rounds(&f), 0);
	kmag_test_exact(test, f.cache, f.nr);
	/* So it does of a CPU that is dead. */
	mix(test, &f);
	kmag_test_close_gate(kmag_test_cpu(f.cache), KMAG_GATE_MARKED);
	kmag_cpu_dead(f.cache, raw_smp_processor_id());
	KUNIT_EXPECT_EQ(test, field_rounds(&f), 0);
	KUNIT_EXPECT_EQ(test, kmag_test_cpu(f.cache)->gate, KMAG_GATE_DRAINED);
	field_finish(test, &f);
}

/* In the middle of an operation of this CPU, as an interrupt finds it. */
static void interrupts_go_home(struct kunit *test)
{
	struct field f = field_make(test, 2, 12);
	struct kmag_cpu *cpu = kmag_test_cpu(f.cache);
	struct kmag_slab *slab;
	void *objs[2];

	KUNIT_ASSERT_TRUE(test, field_evacuate(&f));
	objs[0] = field_pick(test, &f, true);
	objs[1] = field_pick(test, &f, false);
	slab = kmag_test_slab_of(objs[0]);
	preempt_disable();
	cpu->fast.busy = 1;
	kmag_cache_free(f.cache, objs[0]);
	kmag_cache_free(f.cache, objs[1]);
	cpu->fast.busy = 0;
	preempt_enable();
	KUNIT_EXPECT_EQ(test, slab->inuse, 1);
	KUNIT_EXPECT_EQ(test, field_rounds(&f), 0);
	field_finish(test, &f);
}

/*
 * An NMI takes no lock: what is to go home goes when it is over. What KASAN and
 * kmemleak follow is parked in any case.
 */
static void nmi_parks(struct kunit *test)
{
	const unsigned int all = IS_ENABLED(CONFIG_KASAN_GENERIC) ||
				 IS_ENABLED(CONFIG_DEBUG_KMEMLEAK);
	struct field f = field_make(test, 2, 12);
	unsigned int inuse, rounds;
	struct kmag_slab *slab;
	unsigned long flags;
	void *objs[2];

	KUNIT_ASSERT_TRUE(test, field_evacuate(&f));
	objs[0] = field_pick(test, &f, true);
	objs[1] = field_pick(test, &f, false);
	/* It opens the gate that the fence has closed. */
	kmag_cache_free(f.cache, field_pick(test, &f, false));
	slab = kmag_test_slab_of(objs[0]);
	flags = kmag_test_nmi_begin();
	kmag_cache_free(f.cache, objs[0]);
	kmag_cache_free(f.cache, objs[1]);
	inuse = slab->inuse;
	rounds = field_rounds(&f);
	kmag_test_nmi_end(flags);
	/* To expect what is not so takes memory. */
	KUNIT_EXPECT_EQ(test, inuse, 2);
	KUNIT_EXPECT_EQ(test, rounds, 2 - all);
	KUNIT_EXPECT_EQ(test, kmag_test_stat(f.cache, KMAG_PARKED), 1 + all);
	kmag_park_flush();
	KUNIT_EXPECT_EQ(test, slab->inuse, 1);
	field_finish(test, &f);
}

/* What is wrong does not go home: twice, inside of an object, of another cache. */
static void misuse_is_reported(struct kunit *test)
{
	struct kmag_slab *slab, *others;
	struct field f, other;
	void *obj, *foreign;

	if (IS_ENABLED(CONFIG_KASAN_GENERIC))
		kunit_skip(test, "KASAN reports it first");
	f = field_make(test, 3, 13);
	other = field_make(test, 3, 13);
	KUNIT_ASSERT_TRUE(test, field_evacuate(&f));
	KUNIT_ASSERT_TRUE(test, field_evacuate(&other));
	obj = field_pick(test, &f, true);
	slab = kmag_test_slab_of(obj);
	kmag_cache_free(f.cache, obj);
	KUNIT_ASSERT_EQ(test, slab->inuse, 2);
	kmag_cache_free(f.cache, obj);
	KUNIT_EXPECT_EQ(test, kmag_test_stat(f.cache, KMAG_FREE_BAD), 1);
	KUNIT_EXPECT_EQ(test, kmag_test_logged(f.cache, ""), 1);
	kmag_cache_free(f.cache, obj + 8);
	KUNIT_EXPECT_EQ(test, kmag_test_stat(f.cache, KMAG_FREE_BAD), 2);
	KUNIT_EXPECT_EQ(test, slab->inuse, 2);

	foreign = field_pick(test, &other, true);
	others = kmag_test_slab_of(foreign);
	kmag_cache_free(f.cache, foreign);
	KUNIT_EXPECT_EQ(test, kmag_test_stat(f.cache, KMAG_FREE_BAD), 3);
	KUNIT_EXPECT_EQ(test, others->inuse, 3);
	kmag_cache_free(other.cache, foreign);
	KUNIT_EXPECT_EQ(test, others->inuse, 2);
	field_finish(test, &f);
	field_finish(test, &other);
}

/* A slab that was taken back between the look and the lock is not a draining one. */
static void taken_back_is_no_home(struct kunit *test)
{
	struct field f = field_make(test, 3, 13);
	struct kmag_slab *slab;
	void *obj;
	bool home;

	KUNIT_ASSERT_TRUE(test, field_evacuate(&f));
	obj = field_pick(test, &f, true);
	slab = kmag_test_slab_of(obj);
	while (kmag_mark_undo(f.cache, f.node, 0))
		;
	preempt_disable();
	home = kmag_mark_home(f.cache, slab, obj);
	preempt_enable();
	KUNIT_EXPECT_FALSE(test, home);
	KUNIT_EXPECT_EQ(test, slab->inuse, 3);
	kmag_cache_free(f.cache, obj);
	field_finish(test, &f);
}

/* Somebody who frees as slabs are marked: into magazines that are not closed yet. */
struct amid {
	struct field *f;
	unsigned int marks;
	bool unseen;		/* frees would not have looked */
	bool open;		/* a depot would have taken magazines */
};

static void amid_marks(void *data, const struct kmag_cache *cache, int node,
		       unsigned int slabs)
{
	struct amid *amid = data;
	struct field *f = amid->f;
	unsigned int i;

	if (cache != f->cache)
		return;
	amid->marks++;
	amid->unseen |= !cache->draining;
	amid->open |= f->node->depot.full_max;
	/* Of all slabs, some of which have just been marked. */
	for (i = 0; i < 3 * cache->capacity && f->nr; i++)
		kmag_cache_free(f->cache, f->objs[--f->nr]);
}

static void order_of_steps(struct kunit *test)
{
	struct field f;
	struct amid amid = { .f = &f };

	if (!IS_ENABLED(CONFIG_TRACEPOINTS))
		kunit_skip(test, "no tracepoints in this kernel");
	f = field_make(test, 5, 5);
	fill(test, &f);
	KUNIT_ASSERT_EQ(test, register_trace_kmag_mark(amid_marks, &amid), 0);
	KUNIT_EXPECT_TRUE(test, field_evacuate(&f));
	unregister_trace_kmag_mark(amid_marks, &amid);
	tracepoint_synchronize_unregister();
	/* Before and after the depots were swept. */
	KUNIT_EXPECT_GE(test, amid.marks, 2);
	KUNIT_EXPECT_FALSE(test, amid.unseen);
	KUNIT_EXPECT_FALSE(test, amid.open);
	KUNIT_EXPECT_EQ(test, f.node->depot.nr_full, 0);
	KUNIT_EXPECT_EQ(test, field_rounds(&f), 0);
	field_finish(test, &f);
}

/* However many there are, the lock is dropped now and then. */
static void a_few_in_a_lock_hold(struct kunit *test)
{
	struct field f = field_make(test, 3, 13);
	u8 class = kmag_slab_class(f.slots, 3);
	unsigned int marked = 0, undone;

	KUNIT_ASSERT_GT(test, f.node->nr[class], 2 * KMAG_SLAB_BATCH);
	mutex_lock(&f.cache->fence_lock);
	KUNIT_EXPECT_TRUE(test, kmag_mark_class(f.cache, f.node, class, &marked));
	KUNIT_EXPECT_EQ(test, marked, KMAG_SLAB_BATCH);
	kmag_mark_class(f.cache, f.node, class, &marked);
	mutex_unlock(&f.cache->fence_lock);
	KUNIT_EXPECT_EQ(test, marked, f.node->nr_draining);
	while (f.node->nr_draining) {
		undone = kmag_mark_undo(f.cache, f.node, 0);
		KUNIT_EXPECT_GT(test, undone, 0);
		KUNIT_EXPECT_LE(test, undone, KMAG_SLAB_BATCH);
		marked -= undone;
	}
	KUNIT_EXPECT_EQ(test, marked, 0);
	field_finish(test, &f);
}

static void shrink_in_the_middle(struct kunit *test)
{
	struct field f = field_make(test, 3, 12);
	unsigned long draining;
	unsigned int i;

	KUNIT_ASSERT_TRUE(test, field_evacuate(&f));
	for (i = 0; i < 50; i++)
		kmag_cache_free(f.cache, field_pick(test, &f, i % 2));
	draining = f.node->nr_draining;
	KUNIT_EXPECT_GT(test, field_rounds(&f), 0);
	kmag_cache_shrink(f.cache);
	KUNIT_EXPECT_EQ(test, field_rounds(&f), 0);
	KUNIT_EXPECT_EQ(test, f.node->nr_draining, draining);
	kmag_test_exact(test, f.cache, f.nr);
	/* And it goes on. */
	while (f.node->nr_draining)
		kmag_cache_free(f.cache, field_pick(test, &f, true));
	field_finish(test, &f);
}

static void destroy_in_the_middle(struct kunit *test)
{
	struct kmag_test_source *pages = kmag_test_pages(test);
	struct field f = field_make(test, 3, 12);

	KUNIT_ASSERT_TRUE(test, field_evacuate(&f));
	kmag_cache_free_bulk(f.cache, f.nr, f.objs);
	KUNIT_EXPECT_TRUE(test, f.cache->draining);
	KUNIT_EXPECT_GT(test, field_rounds(&f), 0);
	kmag_test_destroy(test, f.cache);
	KUNIT_EXPECT_GT(test, pages->given, 0);
	KUNIT_EXPECT_EQ(test, kmag_test_pages_left(test), 0);
}

struct turn_off {
	struct work_struct work;
	struct kmag_cache *cache;
};

static void turn_off(struct work_struct *work)
{
	kmag_evacuate_off(container_of(work, struct turn_off, work)->cache);
}

/* Once it is off no event pokes, for the cache may go: not if work ends late. */
static void off_is_off(struct kunit *test)
{
	struct kmag_cache *cache = kmag_test_cache(test, 256, 0, 0, NULL);
	struct kmag_evac *evac = &cache->evac;
	struct turn_off off = { .cache = cache };

	/* It arms when it has nothing to do. */
	kmag_retain(cache, KMAG_WORKING_SET);
	mutex_lock(&cache->fence_lock);
	mod_delayed_work(kmag_unbound_wq, &evac->work, 0);
	while (!(work_busy(&evac->work.work) & WORK_BUSY_RUNNING))
		schedule_timeout_uninterruptible(1);
	INIT_WORK_ONSTACK(&off.work, turn_off);
	queue_work(kmag_unbound_wq, &off.work);
	while (!READ_ONCE(evac->off))
		schedule_timeout_uninterruptible(1);
	schedule_timeout_uninterruptible(HZ / 20);
	mutex_unlock(&cache->fence_lock);
	flush_work(&off.work);
	destroy_work_on_stack(&off.work);
	KUNIT_EXPECT_FALSE(test, evac->armed);
	KUNIT_EXPECT_FALSE(test, delayed_work_pending(&evac->work));
	KUNIT_EXPECT_FALSE(test, irq_work_is_busy(&evac->poke));
}

static struct kunit_case cases[] = {
	KUNIT_CASE(marks_the_emptiest),
	KUNIT_CASE(leaves_the_compact_alone),
	KUNIT_CASE(free_goes_home_or_stays),
	KUNIT_CASE(bulk_is_sorted),
	KUNIT_CASE(ends_by_itself),
	KUNIT_CASE(magazines_and_depot_are_swept),
	KUNIT_CASE(cpu_sorts_itself),
	KUNIT_CASE(interrupts_go_home),
	KUNIT_CASE(misuse_is_reported),
	KUNIT_CASE(taken_back_is_no_home),
	KUNIT_CASE(shrink_in_the_middle),
	KUNIT_CASE(destroy_in_the_middle),
	KUNIT_CASE(off_is_off),
	KUNIT_CASE(nmi_parks),
	KUNIT_CASE(order_of_steps),
	KUNIT_CASE(a_few_in_a_lock_hold),
	{}
};

static struct kunit_suite suite = {
	.name = "kmag_evacuate",
	.init = kmag_test_init,
	.test_cases = cases,
};

kunit_test_suite(suite);
