// SPDX-License-Identifier: GPL-2.0
/*
 * All CPUs at once, while fences, shrinking, hotplug and interrupts go on.
 *
 * Every object says who owns it. To be handed out twice is seen at once, to be
 * lost is seen in the end, when the accounts are exact or not.
 */
#include <kunit/test.h>
#include <linux/atomic.h>
#include <linux/cpu.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include <compat/hrtimer.h>

#include "account.h"
#include "fence.h"
#include "reclaim.h"
#include "slab.h"
#include "util.h"

#define SHARED		64	/* objects on their way from CPU to CPU */
#define HELD		300	/* objects that a worker has at most */
#define TIMER_HELD	8
#define ROUND_MS	1000
#define ENOUGH_OPS	500	/* of each worker */
#define ENOUGH_TIMER_OPS 50

struct owned {
	atomic_t owner;		/* 0 while it is free: constructed so */
	u32 seed;
	u64 words[6];
};

static void make_free(void *obj)
{
	struct owned *o = obj;

	atomic_set(&o->owner, 0);
	o->seed = 0;
	memset(o->words, 0, sizeof(o->words));
}

struct load {
	struct kmag_cache *cache;
	struct owned *shared[SHARED];
	atomic_long_t wrong;	/* owners and contents that were not right */
	atomic_long_t failed;	/* allocations */
	struct worker *workers;
	unsigned int nr;
};

struct worker {
	struct load *load;
	struct task_struct *task;
	unsigned int cpu;
	int id;			/* as an owner; the timer's is one more */
	unsigned int have;
	struct owned *held[HELD];
	unsigned long ops;
	struct hrtimer timer;
	unsigned int timer_have;
	struct owned *timer_held[TIMER_HELD];
	unsigned long timer_ops;
	struct rnd_state rnd, timer_rnd;
};

static void own(struct load *load, struct owned *o, int id, u32 seed)
{
	int i;

	if (atomic_cmpxchg(&o->owner, 0, id))
		atomic_long_inc(&load->wrong);
	o->seed = seed;
	for (i = 0; i < ARRAY_SIZE(o->words); i++)
		o->words[i] = (unsigned long)o + i * 0x10001UL + seed;
}

/* Back into the constructed state, if it is still as we left it. */
static void disown(struct load *load, struct owned *o, int id)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(o->words); i++)
		if (o->words[i] != (unsigned long)o + i * 0x10001UL + o->seed)
			atomic_long_inc(&load->wrong);
	if (atomic_cmpxchg(&o->owner, id, 0) != id)
		atomic_long_inc(&load->wrong);
}

static enum hrtimer_restart interrupt(struct hrtimer *timer)
{
	struct worker *w = container_of(timer, struct worker, timer);
	struct load *load = w->load;
	int i;

	for (i = 0; i < 6; i++) {
		struct owned *o;

		if (prandom_u32_state(&w->timer_rnd) & 1 &&
		    w->timer_have < TIMER_HELD) {
			o = kmag_cache_alloc(load->cache, GFP_ATOMIC);
			if (!o)
				continue;
			own(load, o, w->id + 1, i);
			w->timer_held[w->timer_have++] = o;
		} else if (w->timer_have) {
			o = w->timer_held[--w->timer_have];
			disown(load, o, w->id + 1);
			kmag_cache_free_inline(load->cache, o);
		}
		w->timer_ops++;
	}
	hrtimer_forward_now(timer, ns_to_ktime(200 * NSEC_PER_USEC));
	return HRTIMER_RESTART;
}

static void take_some(struct worker *w, unsigned int nr)
{
	struct load *load = w->load;
	struct owned **held = w->held + w->have;
	u32 how = prandom_u32_state(&w->rnd);
	unsigned int i;

	nr = min(nr, HELD - w->have);
	if (nr > 1 && (how & 7) == 0) {
		if (!kmag_cache_alloc_bulk(load->cache, GFP_KERNEL, nr,
					   (void **)held)) {
			atomic_long_inc(&load->failed);
			return;
		}
	} else {
		gfp_t gfp = (how & 7) == 1 ? GFP_KERNEL | __GFP_THISNODE :
					     GFP_KERNEL;

		for (i = 0; i < nr; i++) {
			held[i] = kmag_cache_alloc_inline(load->cache, gfp);
			if (held[i])
				continue;
			atomic_long_inc(&load->failed);
			nr = i;
		}
	}
	for (i = 0; i < nr; i++)
		own(load, held[i], w->id, how + i);
	w->have += nr;
	w->ops += nr;
}

static void give_some(struct worker *w, unsigned int nr)
{
	struct load *load = w->load;
	struct owned **held;
	unsigned int i;

	nr = min(nr, w->have);
	w->have -= nr;
	w->ops += nr;
	held = w->held + w->have;
	for (i = 0; i < nr; i++)
		disown(load, held[i], w->id);
	if (prandom_u32_state(&w->rnd) & 1)
		kmag_cache_free_bulk(load->cache, nr, (void **)held);
	else
		for (i = 0; i < nr; i++)
			kmag_cache_free(load->cache, held[i]);
}

/* Leave one to whoever comes by, and free what somebody else left. */
static void pass_on(struct worker *w)
{
	struct load *load = w->load;
	struct owned *o = NULL;

	if (w->have) {
		o = w->held[--w->have];
		disown(load, o, w->id);
		own(load, o, -1, w->id);
	}
	o = xchg(&load->shared[prandom_u32_state(&w->rnd) % SHARED], o);
	if (!o)
		return;
	disown(load, o, -1);
	kmag_cache_free(load->cache, o);
	w->ops++;
}

static int work(void *arg)
{
	struct worker *w = arg;

	while (!kthread_should_stop()) {
		unsigned int run = 1 + prandom_u32_state(&w->rnd) % 150;

		/* Back, after its CPU was away. */
		if (cpu_online(w->cpu) && raw_smp_processor_id() != w->cpu)
			set_cpus_allowed_ptr(current, cpumask_of(w->cpu));
		switch (prandom_u32_state(&w->rnd) % 4) {
		case 0:
			take_some(w, run);
			break;
		case 1:
			give_some(w, run);
			break;
		case 2:
			while (run--) {
				take_some(w, 1);
				give_some(w, 1);
			}
			break;
		default:
			pass_on(w);
		}
		cond_resched();
	}
	give_some(w, HELD);
	return 0;
}

static int arm(void *arg)
{
	struct worker *w = arg;

	hrtimer_start(&w->timer, ns_to_ktime(200 * NSEC_PER_USEC),
		      HRTIMER_MODE_REL_PINNED);
	return 0;
}

static struct load *load_start(struct kunit *test, bool timers)
{
	struct load *load = kunit_kzalloc(test, sizeof(*load), GFP_KERNEL);
	unsigned int cpu, i = 0;

	KUNIT_ASSERT_NOT_NULL(test, load);
	load->cache = kmag_test_cache(test, sizeof(struct owned), 0, 0,
				      make_free);
	/* The worker is to be in the way, too. */
	kmag_retain(load->cache, KMAG_WORKING_SET);
	load->nr = num_online_cpus();
	load->workers = kunit_kcalloc(test, load->nr, sizeof(*load->workers),
				      GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, load->workers);
	kunit_info(test, "seed %#lx and up, %u CPUs\n", KMAG_TEST_SEED,
		   load->nr);
	for_each_online_cpu(cpu) {
		struct worker *w = &load->workers[i++];

		w->load = load;
		w->cpu = cpu;
		w->id = 10 * i;
		prandom_seed_state(&w->rnd, KMAG_TEST_SEED + w->id);
		prandom_seed_state(&w->timer_rnd, KMAG_TEST_SEED + w->id + 1);
		hrtimer_setup(&w->timer, interrupt, CLOCK_MONOTONIC,
			      HRTIMER_MODE_REL_PINNED);
		w->task = kthread_create(work, w, "kmag_kunit/%u", cpu);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, w->task);
		set_cpus_allowed_ptr(w->task, cpumask_of(cpu));
		wake_up_process(w->task);
		if (timers)
			KUNIT_EXPECT_EQ(test, smp_call_on_cpu(cpu, arm, w,
							      false), 0);
	}
	return load;
}

static bool all_worked(const struct load *load, bool timers)
{
	unsigned int i;

	for (i = 0; i < load->nr; i++) {
		const struct worker *w = &load->workers[i];

		/* Both go on. */
		if (READ_ONCE(w->ops) <= ENOUGH_OPS ||
		    (timers && READ_ONCE(w->timer_ops) <= ENOUGH_TIMER_OPS))
			return false;
	}
	return true;
}

/* Everybody stops; nothing was lost, nothing was had twice. */
static void load_end(struct kunit *test, struct load *load, bool timers)
{
	unsigned long ops = 0, timer_ops = 0;
	unsigned long until = jiffies + 20 * HZ;
	struct kmag_cache *cache = load->cache;
	unsigned int i;

	/* CPUs that share one of a host may come late. */
	while (!all_worked(load, timers) && time_before(jiffies, until))
		schedule_timeout_uninterruptible(HZ / 20);
	for (i = 0; i < load->nr; i++) {
		struct worker *w = &load->workers[i];

		hrtimer_cancel(&w->timer);
		kthread_stop(w->task);
		while (w->timer_have) {
			struct owned *o = w->timer_held[--w->timer_have];

			disown(load, o, w->id + 1);
			kmag_cache_free(cache, o);
		}
		KUNIT_EXPECT_GT(test, w->ops, ENOUGH_OPS);
		ops += w->ops;
		if (timers)
			KUNIT_EXPECT_GT(test, w->timer_ops,
					ENOUGH_TIMER_OPS);
		timer_ops += w->timer_ops;
	}
	for (i = 0; i < SHARED; i++) {
		struct owned *o = load->shared[i];

		if (!o)
			continue;
		disown(load, o, -1);
		kmag_cache_free(cache, o);
	}
	kunit_info(test, "%lu operations, %lu in interrupts, %lu of them amid another, %lu fences met\n",
		   ops, timer_ops, kmag_test_stat(cache, KMAG_BUSY),
		   kmag_test_stat(cache, KMAG_FENCE));
	KUNIT_EXPECT_EQ(test, atomic_long_read(&load->wrong), 0);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&load->failed), 0);
	KUNIT_EXPECT_EQ(test, kmag_test_stat(cache, KMAG_FREE_BAD), 0);
	kmag_test_exact(test, cache, 0);
	KUNIT_EXPECT_EQ(test, kmag_cache_shrink(cache), 0);
	kmag_test_exact(test, cache, 0);
}

static void cpus_alone(struct kunit *test)
{
	struct load *load = load_start(test, false);

	msleep(ROUND_MS);
	load_end(test, load, false);
}

static void with_interrupts(struct kunit *test)
{
	struct load *load = load_start(test, true);

	msleep(ROUND_MS);
	load_end(test, load, true);
}

static void with_fences_and_shrinking(struct kunit *test)
{
	struct load *load = load_start(test, true);
	unsigned long until = jiffies + msecs_to_jiffies(ROUND_MS);
	struct kmag_snap_cache *snap;
	unsigned int rounds = 0;

	while (time_before(jiffies, until) || rounds < 8) {
		switch (rounds++ % 4) {
		case 0:
			mutex_lock(&load->cache->fence_lock);
			kmag_fence(load->cache);
			mutex_unlock(&load->cache->fence_lock);
			break;
		case 1:
			KUNIT_EXPECT_GE(test, kmag_cache_shrink(load->cache), 0);
			break;
		case 2:
			kmag_test_write_file("/proc/sys/vm/drop_caches", "2");
			break;
		default:
			/* A view under load never says more than there is. */
			snap = kmag_test_snap(test, load->cache);
			KUNIT_EXPECT_LE(test, snap->slab_free, snap->slots);
			kvfree(snap);
		}
	}
	/* More than when they began. */
	KUNIT_EXPECT_GT(test, kmag_test_stat(load->cache, KMAG_FENCE), load->nr);
	load_end(test, load, true);
}

static void with_hotplug(struct kunit *test)
{
	unsigned int cpu, times = 0;
	unsigned long until;
	struct load *load;

	if (num_online_cpus() < 2)
		kunit_skip(test, "needs two CPUs");
	load = load_start(test, false);
	until = jiffies + msecs_to_jiffies(2 * ROUND_MS);
	while (time_before(jiffies, until) || times < 2) {
		for (cpu = 1; cpu < nr_cpu_ids; cpu++) {
			struct kmag_snap_cache *snap;
			struct kmag_pcp *pcp;

			if (!cpu_online(cpu))
				continue;
			KUNIT_EXPECT_EQ(test, remove_cpu(cpu), 0);
			/* A CPU that is gone keeps nothing. */
			pcp = &per_cpu_ptr(load->cache->cpu, cpu)->fast;
			KUNIT_EXPECT_EQ(test, pcp->rounds, 0);
			KUNIT_EXPECT_EQ(test, pcp->prev_rounds, 0);
			snap = kmag_test_snap(test, load->cache);
			KUNIT_EXPECT_EQ(test, kmag_snapshot_cpus(snap)[cpu].online,
					0);
			KUNIT_EXPECT_EQ(test, kmag_snapshot_cpus(snap)[0].online,
					1);
			kvfree(snap);
			if (times & 1)
				kmag_cache_shrink(load->cache);
			KUNIT_EXPECT_EQ(test, add_cpu(cpu), 0);
			/* So that it gets something to lose. */
			msleep(20);
			times++;
		}
	}
	load_end(test, load, false);
}

/* The shrinker, over and over. */
static int squeeze(void *arg)
{
	unsigned long *times = arg;

	while (!kthread_should_stop()) {
		if (kmag_test_write_file("/proc/sys/vm/drop_caches", "2") == 1)
			++*times;
		schedule_timeout_uninterruptible(1);
	}
	return 0;
}

/* Caches come and go while others work, and memory is short all the time. */
static void with_caches_that_come_and_go(struct kunit *test)
{
	struct load *load = load_start(test, true);
	unsigned long until = jiffies + msecs_to_jiffies(ROUND_MS);
	unsigned int nr = kmag_test_nr_caches(), rounds = 0;
	void **objs = kmag_test_array(test, 600);
	unsigned long squeezed = 0;
	struct task_struct *task;

	task = kthread_run(squeeze, &squeezed, "kmag_kunit_squeeze");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task);

	while (time_before(jiffies, until) || rounds < 3) {
		struct kmag_cache *cache;

		cache = kmag_cache_create("kunit", 16 << rounds % 8, 0, 0,
					  NULL);
		KUNIT_ASSERT_NOT_NULL(test, cache);
		kmag_test_alloc(test, cache, objs, 600);
		kmag_test_free(cache, objs, 600);
		kmag_cache_destroy(cache);
		rounds++;
	}
	kthread_stop(task);
	KUNIT_EXPECT_GT(test, squeezed, 0);
	KUNIT_EXPECT_EQ(test, kmag_test_nr_caches(), nr);
	load_end(test, load, true);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(cpus_alone),
	KUNIT_CASE_SLOW(with_interrupts),
	KUNIT_CASE_SLOW(with_fences_and_shrinking),
	KUNIT_CASE_SLOW(with_hotplug),
	KUNIT_CASE_SLOW(with_caches_that_come_and_go),
	{}
};

static struct kunit_suite suite = {
	.name = "kmag_concurrent",
	.init = kmag_test_init,
	.test_cases = cases,
};

kunit_test_suite(suite);
