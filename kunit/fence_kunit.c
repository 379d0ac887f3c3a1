// SPDX-License-Identifier: GPL-2.0
/*
 * The fence: every CPU's magazines are taken, and none is stopped.
 */
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/cpu.h>
#include <linux/kthread.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/smp.h>

#include "fence.h"
#include "magazine.h"
#include "slab.h"
#include "trace.h"
#include "util.h"

static void fence(struct kmag_cache *cache)
{
	mutex_lock(&cache->fence_lock);
	kmag_fence(cache);
	mutex_unlock(&cache->fence_lock);
}

static unsigned int rounds_of(struct kmag_cache *cache, unsigned int nr)
{
	struct kmag_pcp *pcp = &per_cpu_ptr(cache->cpu, nr)->fast;

	return pcp->rounds + pcp->prev_rounds;
}

/* On another CPU: leave some objects in its magazines. */
static int fill_this_cpu(void *arg)
{
	struct kmag_cache *cache = arg;
	void *objs[100];
	int nr = kmag_cache_alloc_bulk(cache, GFP_KERNEL, ARRAY_SIZE(objs),
				       objs);

	kmag_cache_free_bulk(cache, nr, objs);
	return nr;
}

static void check_closed(struct kunit *test, struct kmag_cpu *cpu)
{
	KUNIT_EXPECT_EQ(test, cpu->fast.lo, INT_MAX);
	KUNIT_EXPECT_EQ(test, cpu->fast.hi, 0);
}

static void check_open(struct kunit *test, struct kmag_cpu *cpu)
{
	KUNIT_EXPECT_EQ(test, cpu->gate, KMAG_GATE_OPEN);
	KUNIT_EXPECT_EQ(test, cpu->fast.lo, 0);
	KUNIT_EXPECT_EQ(test, cpu->fast.hi,
			kmag_magazine_of(cpu->fast.objs)->cap);
}

static void takes_every_cpu(struct kunit *test)
{
	struct kmag_cache *cache = kmag_test_cache(test, 64, 0, 0, NULL);
	unsigned int nr;
	void *obj;

	for_each_online_cpu(nr) {
		KUNIT_ASSERT_EQ(test, smp_call_on_cpu(nr, fill_this_cpu, cache,
						      false), 100);
		KUNIT_EXPECT_GT(test, rounds_of(cache, nr), 0);
	}
	fence(cache);
	for_each_possible_cpu(nr) {
		struct kmag_cpu *cpu = per_cpu_ptr(cache->cpu, nr);

		KUNIT_EXPECT_EQ(test, rounds_of(cache, nr), 0);
		KUNIT_EXPECT_EQ(test, cpu->gate, KMAG_GATE_DRAINED);
		check_closed(test, cpu);
	}
	kmag_test_exact(test, cache, 0);
	KUNIT_EXPECT_EQ(test, kmag_test_stat(cache, KMAG_FENCE),
			num_online_cpus());	/* the first operation of each */

	/* The next operation opens, of this CPU and no other. */
	obj = kmag_cache_alloc(cache, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, obj);
	check_open(test, kmag_test_cpu(cache));
	for_each_possible_cpu(nr)
		if (nr != raw_smp_processor_id())
			check_closed(test, per_cpu_ptr(cache->cpu, nr));
	KUNIT_EXPECT_EQ(test, kmag_test_stat(cache, KMAG_FENCE),
			num_online_cpus() + 1);
	kmag_test_exact(test, cache, 1);

	/* A free opens, too. */
	fence(cache);
	kmag_cache_free(cache, obj);
	check_open(test, kmag_test_cpu(cache));
	KUNIT_EXPECT_EQ(test, rounds_of(cache, raw_smp_processor_id()), 1);
	kmag_test_exact(test, cache, 0);
}

static void cpu_drains_itself(struct kunit *test)
{
	struct kmag_cache *cache = kmag_test_cache(test, 64, 0, 0, NULL);
	unsigned int me = raw_smp_processor_id();
	struct kmag_cpu *cpu = kmag_test_cpu(cache);
	const unsigned int nr = 4 * cache->capacity;
	void **objs = kmag_test_array(test, nr);
	unsigned long flushed;

	kmag_test_alloc(test, cache, objs, nr);
	kmag_test_free(cache, objs, cache->capacity + 5);
	KUNIT_ASSERT_EQ(test, rounds_of(cache, me), cache->capacity + 5);

	/* A free: both magazines go home, and hold just the one afterwards. */
	flushed = kmag_test_stat(cache, KMAG_FLUSH_OBJS);
	kmag_test_close_gate(cpu, KMAG_GATE_FENCED);
	kmag_cache_free(cache, objs[cache->capacity + 5]);
	check_open(test, cpu);
	KUNIT_EXPECT_EQ(test, rounds_of(cache, me), 1);
	KUNIT_EXPECT_EQ(test, kmag_test_stat(cache, KMAG_FLUSH_OBJS),
			flushed + cache->capacity + 5);
	kmag_test_exact(test, cache, nr - cache->capacity - 6);

	/* An allocation: drained, then served from a fresh run. */
	kmag_test_close_gate(cpu, KMAG_GATE_FENCED);
	kmag_test_alloc(test, cache, objs, 1);
	check_open(test, cpu);
	KUNIT_EXPECT_EQ(test, rounds_of(cache, me), cache->capacity - 1);
	kmag_test_exact(test, cache, nr - cache->capacity - 5);

	/* What was drained by the CPU itself, the fence leaves alone. */
	kmag_test_close_gate(cpu, KMAG_GATE_FENCED);
	kmag_test_alloc(test, cache, objs + 1, 1);
	KUNIT_EXPECT_EQ(test, cpu->gate, KMAG_GATE_OPEN);
	kmag_test_alloc(test, cache, objs + 2, cache->capacity + 4);
	kmag_test_free(cache, objs, nr);
}

/* In bulk, too, a closed gate is closed. */
static void bulk_meets_a_fence(struct kunit *test)
{
	struct kmag_cache *cache = kmag_test_cache(test, 64, 0, 0, NULL);
	unsigned int me = raw_smp_processor_id();
	struct kmag_cpu *cpu = kmag_test_cpu(cache);
	const unsigned int nr = 2 * cache->capacity;
	void **objs = kmag_test_array(test, nr);
	unsigned long flushed;

	kmag_test_alloc(test, cache, objs, nr);
	kmag_test_free(cache, objs, cache->capacity);
	KUNIT_ASSERT_GT(test, cpu->fast.rounds, 5);
	flushed = kmag_test_stat(cache, KMAG_FLUSH_OBJS);
	kmag_test_close_gate(cpu, KMAG_GATE_FENCED);
	KUNIT_EXPECT_EQ(test, kmag_cache_alloc_bulk(cache, GFP_KERNEL, 5, objs),
			5);
	check_open(test, cpu);
	KUNIT_EXPECT_EQ(test, kmag_test_stat(cache, KMAG_FLUSH_OBJS),
			flushed + cache->capacity);
	kmag_test_exact(test, cache, cache->capacity + 5);

	kmag_test_close_gate(cpu, KMAG_GATE_FENCED);
	kmag_cache_free_bulk(cache, 5, objs);
	check_open(test, cpu);
	KUNIT_EXPECT_EQ(test, rounds_of(cache, me), 5);
	kmag_test_exact(test, cache, cache->capacity);
	kmag_cache_free_bulk(cache, cache->capacity, objs + cache->capacity);
}

static void dead_cpu_meets_a_fence(struct kunit *test)
{
	struct kmag_cache *cache = kmag_test_cache(test, 64, 0, 0, NULL);
	unsigned int me = raw_smp_processor_id();
	void *obj;

	KUNIT_ASSERT_EQ(test, fill_this_cpu(cache), 100);
	kmag_test_close_gate(kmag_test_cpu(cache), KMAG_GATE_FENCED);
	kmag_cpu_dead(cache, me);
	KUNIT_EXPECT_EQ(test, rounds_of(cache, me), 0);
	KUNIT_EXPECT_EQ(test, kmag_test_cpu(cache)->gate, KMAG_GATE_DRAINED);
	check_closed(test, kmag_test_cpu(cache));
	fence(cache);
	obj = kmag_cache_alloc(cache, GFP_KERNEL);
	KUNIT_EXPECT_NOT_NULL(test, obj);
	check_open(test, kmag_test_cpu(cache));
	kmag_cache_free(cache, obj);
}

/* A thread that works all the time, while fences come. */
struct worker {
	struct kmag_cache *cache;
	unsigned long pairs;
	unsigned long failed;
};

static int work(void *arg)
{
	struct worker *w = arg;

	while (!kthread_should_stop()) {
		void *obj = kmag_cache_alloc(w->cache, GFP_KERNEL);

		if (obj) {
			WRITE_ONCE(*(unsigned long *)obj, w->pairs);
			kmag_cache_free(w->cache, obj);
		} else {
			w->failed++;
		}
		WRITE_ONCE(w->pairs, w->pairs + 1);	/* the test looks */
		cond_resched();
	}
	return 0;
}

static void work_goes_on(struct kunit *test)
{
	struct worker w = { .cache = kmag_test_cache(test, 64, 0, 0, NULL) };
	struct kmag_cache *cache = w.cache;
	unsigned long before, all, mags;
	struct task_struct *task;
	unsigned int target;
	int i;

	target = cpumask_any_but(cpu_online_mask, raw_smp_processor_id());
	if (target >= nr_cpu_ids)
		target = raw_smp_processor_id();
	task = kthread_create_on_cpu(work, &w, target, "kmag_kunit/%u");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task);
	wake_up_process(task);
	for (i = 0; i < 30; i++) {
		before = READ_ONCE(w.pairs);
		fence(cache);
		/* It must get on between any two fences. */
		while (READ_ONCE(w.pairs) - before < 500)
			schedule_timeout_uninterruptible(1);
	}
	kthread_stop(task);

	all = kmag_test_allocs(cache) + kmag_test_frees(cache);
	mags = kmag_test_stat(cache, KMAG_ALLOC_MAG) +
	       kmag_test_stat(cache, KMAG_FREE_MAG);
	KUNIT_EXPECT_EQ(test, w.failed, 0);
	KUNIT_EXPECT_EQ(test, all, 2 * w.pairs);
	/* Each fence cost that CPU about one operation, not a grace period. */
	KUNIT_EXPECT_LE(test, kmag_test_stat(cache, KMAG_FENCE), 32);
	KUNIT_EXPECT_LE(test, all - mags, 2 * 32);
	kmag_test_exact(test, cache, 0);
}

/* Who looks at a flush, and needs an object for what it found. */
struct tracer {
	struct kmag_cache *cache;
	void *obj;
};

static void trace_flush(void *data, const struct kmag_cache *cache,
			unsigned int objs)
{
	struct tracer *tracer = data;

	if (cache == tracer->cache && !tracer->obj)
		tracer->obj = kmag_cache_alloc(tracer->cache, GFP_NOWAIT);
}

/* It comes while a fence has this CPU's lock, and must not want it. */
static void tracer_finds_magazines_busy(struct kunit *test)
{
	struct kmag_cache *cache = kmag_test_cache(test, 64, 0, 0, NULL);
	struct tracer tracer = { cache };

	if (!IS_ENABLED(CONFIG_TRACEPOINTS))
		kunit_skip(test, "no tracepoints in this kernel");
	KUNIT_ASSERT_EQ(test, register_trace_kmag_flush(trace_flush, &tracer),
			0);
	fill_this_cpu(cache);
	KUNIT_EXPECT_NULL(test, tracer.obj);
	fence(cache);
	unregister_trace_kmag_flush(trace_flush, &tracer);
	tracepoint_synchronize_unregister();

	KUNIT_EXPECT_EQ(test, kmag_test_stat(cache, KMAG_BUSY), 1);
	KUNIT_EXPECT_EQ(test, kmag_test_cpu(cache)->fast.busy, 0);
	KUNIT_EXPECT_EQ(test, kmag_test_cpu(cache)->gate, KMAG_GATE_DRAINED);
	KUNIT_ASSERT_NOT_NULL(test, tracer.obj);
	kmag_test_exact(test, cache, 1);
	kmag_cache_free(cache, tracer.obj);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(takes_every_cpu),
	KUNIT_CASE(cpu_drains_itself),
	KUNIT_CASE(bulk_meets_a_fence),
	KUNIT_CASE(dead_cpu_meets_a_fence),
	KUNIT_CASE(work_goes_on),
	KUNIT_CASE(tracer_finds_magazines_busy),
	{}
};

static struct kunit_suite suite = {
	.name = "kmag_fence",
	.init = kmag_test_init,
	.test_cases = cases,
};

kunit_test_suite(suite);
