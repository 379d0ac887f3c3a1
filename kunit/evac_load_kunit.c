// SPDX-License-Identifier: GPL-2.0
/*
 * Evacuation while threads and interrupts allocate and free: nothing is lost, and
 * whenever one looks no magazine holds what drains.
 */
#include <kunit/test.h>
#include <linux/kthread.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/smp.h>

#include <compat/hrtimer.h>

#include "evacuate.h"
#include "field.h"
#include "slab.h"
#include "util.h"

/* A thread that replaces objects of its own at random. */
struct worker {
	struct kmag_cache *cache;
	void *objs[200];
	unsigned long pairs;
	unsigned long lost;
};

static int work(void *arg)
{
	struct worker *w = arg;
	struct rnd_state rnd;

	prandom_seed_state(&rnd, KMAG_TEST_SEED);
	while (!kthread_should_stop()) {
		u32 i;

		if (kthread_should_park())
			kthread_parkme();
		i = prandom_u32_state(&rnd) % ARRAY_SIZE(w->objs);

		if (w->objs[i]) {
			w->lost += !kmag_test_intact(w->cache, w->objs[i], i);
			kmag_cache_free(w->cache, w->objs[i]);
		}
		w->objs[i] = kmag_cache_alloc(w->cache, GFP_KERNEL);
		if (w->objs[i])
			kmag_test_fill(w->cache, w->objs[i], i);
		WRITE_ONCE(w->pairs, w->pairs + 1);	/* the test looks */
		cond_resched();
	}
	return 0;
}

/*
 * With everybody stopped for the moment: all accounts agree, and no magazine holds
 * an object of a slab that drains. In the end there may be none left that shows it.
 */
static void look(struct kunit *test, struct kmag_cache *cache,
		 struct task_struct **task, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		KUNIT_EXPECT_EQ(test, kthread_park(task[i]), 0);
	KUNIT_EXPECT_EQ(test, kmag_cache_validate(cache), 0);
	for (i = 0; i < nr; i++)
		kthread_unpark(task[i]);
}

/* Marks come and go while objects do, on this CPU and on another one. */
static void work_goes_on(struct kunit *test)
{
	struct field f = field_make(test, 2, 10);
	struct worker *w[2];
	struct task_struct *task[2];
	unsigned int i, j, nr = 0, cpu;

	for_each_online_cpu(cpu) {
		if (nr == 2)
			break;
		w[nr] = kunit_kzalloc(test, sizeof(*w[nr]), GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, w[nr]);
		w[nr]->cache = f.cache;
		task[nr] = kthread_create_on_cpu(work, w[nr], cpu,
						 "kmag_kunit/%u");
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task[nr]);
		nr++;
	}
	for (i = 0; i < nr; i++)
		wake_up_process(task[i]);
	for (j = 0; j < 20; j++) {
		unsigned long before = READ_ONCE(w[0]->pairs);

		field_evacuate(&f);
		while (READ_ONCE(w[0]->pairs) - before < 500)
			schedule_timeout_uninterruptible(1);
		if (j % 4 == 3)
			kmag_cache_shrink(f.cache);
		look(test, f.cache, task, nr);
		/* Frees many, so that there is something to be marked again. */
		for (i = 0; i < 20 && f.nr; i++)
			kmag_cache_free(f.cache, f.objs[--f.nr]);
		field_tick(&f);
	}
	for (i = 0; i < nr; i++)
		kthread_stop(task[i]);
	KUNIT_EXPECT_GT(test, kmag_test_stat(f.cache, KMAG_HOME), 0);
	KUNIT_EXPECT_GT(test, kmag_test_stat(f.cache, KMAG_RETURN), 0);
	for (i = 0; i < nr; i++) {
		KUNIT_EXPECT_EQ(test, w[i]->lost, 0);
		for (j = 0; j < ARRAY_SIZE(w[i]->objs); j++)
			kmag_cache_free(f.cache, w[i]->objs[j]);
	}
	field_finish(test, &f);
}

/* What a CPU has: a thread, and a timer whose interrupts come in between. */
struct timed {
	struct worker w;
	unsigned int cpu;
	struct hrtimer timer;
	struct rnd_state rnd;
	void *objs[24];
	void **field;		/* to be freed, one now and then */
	unsigned int nr;
	unsigned long lost, ops;
};

static enum hrtimer_restart tick(struct hrtimer *timer)
{
	struct timed *t = container_of(timer, struct timed, timer);
	struct kmag_cache *cache = t->w.cache;
	unsigned int i;

	for (i = 0; i < 6; i++) {
		u32 at = prandom_u32_state(&t->rnd) % ARRAY_SIZE(t->objs);

		if (t->objs[at]) {
			t->lost += !kmag_test_intact(cache, t->objs[at], at);
			kmag_cache_free(cache, t->objs[at]);
			t->objs[at] = NULL;
		} else {
			t->objs[at] = kmag_cache_alloc(cache, GFP_ATOMIC);
			if (t->objs[at])
				kmag_test_fill(cache, t->objs[at], at);
		}
	}
	if (t->nr && t->ops % 4 == 0)
		kmag_cache_free(cache, t->field[--t->nr]);
	WRITE_ONCE(t->ops, t->ops + 1);	/* the test looks */
	hrtimer_forward_now(timer, ns_to_ktime(100 * NSEC_PER_USEC));
	return HRTIMER_RESTART;
}

static int arm(void *arg)
{
	struct timed *t = arg;

	hrtimer_start(&t->timer, ns_to_ktime(100 * NSEC_PER_USEC),
		      HRTIMER_MODE_REL_PINNED);
	return 0;
}

/* Marks come and go, and interrupts free and allocate amid all of it. */
static void interrupts_go_on(struct kunit *test)
{
	struct field f = field_make(test, 2, 10);
	unsigned int i, j, nr = 0, cpu, share = f.nr / 4;
	struct task_struct *task[2];
	struct timed *t[2];

	for_each_online_cpu(cpu) {
		if (nr == 2)
			break;
		t[nr] = kunit_kzalloc(test, sizeof(*t[nr]), GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, t[nr]);
		t[nr]->cpu = cpu;
		t[nr]->w.cache = f.cache;
		f.nr -= share;
		t[nr]->field = f.objs + f.nr;
		t[nr]->nr = share;
		prandom_seed_state(&t[nr]->rnd, KMAG_TEST_SEED + cpu);
		hrtimer_setup(&t[nr]->timer, tick, CLOCK_MONOTONIC,
			      HRTIMER_MODE_REL_PINNED);
		task[nr] = kthread_create_on_cpu(work, &t[nr]->w, cpu,
						 "kmag_kunit/%u");
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task[nr]);
		nr++;
	}
	for (i = 0; i < nr; i++) {
		wake_up_process(task[i]);
		KUNIT_EXPECT_EQ(test, smp_call_on_cpu(t[i]->cpu, arm, t[i], false), 0);
	}
	for (j = 0; j < 100; j++) {
		bool rest = j % 4 == 3;

		unsigned long before = READ_ONCE(t[0]->w.pairs);

		field_evacuate(&f);
		while (READ_ONCE(t[0]->w.pairs) - before < 200)
			schedule_timeout_uninterruptible(1);
		for (i = 0; rest && i < nr; i++)
			hrtimer_cancel(&t[i]->timer);
		if (rest)
			look(test, f.cache, task, nr);
		for (i = 0; rest && i < nr; i++)
			KUNIT_EXPECT_EQ(test, smp_call_on_cpu(t[i]->cpu, arm,
							      t[i], false), 0);
		if (j % 8 == 7)
			kmag_cache_shrink(f.cache);
		field_tick(&f);
	}
	for (i = 0; i < nr; i++) {
		kthread_stop(task[i]);
		hrtimer_cancel(&t[i]->timer);
	}
	kunit_info(test, "%lu busy, %lu marked, %lu unmarked, %lu returned, %lu home, %lu fenced, %lu + %lu ticks\n",
		   kmag_test_stat(f.cache, KMAG_BUSY),
		   kmag_test_stat(f.cache, KMAG_MARK),
		   kmag_test_stat(f.cache, KMAG_UNMARK),
		   kmag_test_stat(f.cache, KMAG_RETURN),
		   kmag_test_stat(f.cache, KMAG_HOME),
		   kmag_test_stat(f.cache, KMAG_FENCE),
		   t[0]->ops, nr > 1 ? t[1]->ops : 0);
	KUNIT_EXPECT_GT(test, kmag_test_stat(f.cache, KMAG_BUSY), 0);
	KUNIT_EXPECT_GT(test, kmag_test_stat(f.cache, KMAG_HOME), 0);
	for (i = 0; i < nr; i++) {
		KUNIT_EXPECT_EQ(test, t[i]->w.lost, 0);
		KUNIT_EXPECT_EQ(test, t[i]->lost, 0);
		for (j = 0; j < ARRAY_SIZE(t[i]->w.objs); j++)
			kmag_cache_free(f.cache, t[i]->w.objs[j]);
		for (j = 0; j < ARRAY_SIZE(t[i]->objs); j++)
			kmag_cache_free(f.cache, t[i]->objs[j]);
		kmag_test_free(f.cache, t[i]->field, t[i]->nr);
	}
	KUNIT_EXPECT_EQ(test, kmag_test_stat(f.cache, KMAG_FREE_BAD), 0);
	field_finish(test, &f);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(work_goes_on),
	KUNIT_CASE(interrupts_go_on),
	{}
};

static struct kunit_suite suite = {
	.name = "kmag_evac_load",
	.init = kmag_test_init,
	.test_cases = cases,
};

kunit_test_suite(suite);
