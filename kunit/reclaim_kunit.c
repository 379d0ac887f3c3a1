// SPDX-License-Identifier: GPL-2.0
/*
 * Reclaim: what a cache holds and nobody uses goes back, and nothing else.
 */
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/cpu.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/swap.h>

#include "depot.h"
#include "reclaim.h"
#include "slab.h"
#include "util.h"

static void shrink_gives_back_all_it_can(struct kunit *test)
{
	struct kmag_test_source *pages = kmag_test_pages(test);
	struct kmag_test_source *mags = kmag_test_magazines(test);
	struct kmag_cache *cache = kmag_test_cache(test, 256, 0, 0, NULL);
	struct kmag_node *node = kmag_test_node(cache);
	const unsigned int nr = 20 * cache->capacity;
	void **objs = kmag_test_array(test, nr);
	unsigned long made;

	kmag_test_alloc(test, cache, objs, nr);
	made = kmag_test_stat(cache, KMAG_SLAB_NEW);
	KUNIT_EXPECT_EQ(test, node->nr_slabs, made);
	kmag_test_free(cache, objs, nr);
	KUNIT_EXPECT_GT(test, node->depot.nr_full, 0);
	KUNIT_EXPECT_GT(test, kmag_test_cpu(cache)->fast.rounds, 0);
	KUNIT_EXPECT_GT(test, node->nr_slabs, 0);
	/* And empty magazines, more than the next frees need. */
	while (node->depot.nr_empty <= KMAG_DEPOT_EMPTIES)
		kmag_depot_push_empty(&node->depot,
				      kmag_magazine_alloc(cache->capacity,
							  GFP_KERNEL,
							  kmag_this_node()));

	KUNIT_EXPECT_EQ(test, kmag_cache_shrink(cache), 0);
	KUNIT_EXPECT_EQ(test, node->nr_slabs, 0);
	KUNIT_EXPECT_EQ(test, node->bytes, 0);
	KUNIT_EXPECT_EQ(test, node->depot.nr_full, 0);
	/* What the next frees need, and no more. */
	KUNIT_EXPECT_EQ(test, node->depot.nr_empty, KMAG_DEPOT_EMPTIES);
	KUNIT_EXPECT_EQ(test, kmag_test_stat(cache, KMAG_SLAB_FREED), made);
	KUNIT_EXPECT_EQ(test, kmag_test_pages_left(test), 0);
	KUNIT_EXPECT_EQ(test, pages->given, made);
	KUNIT_EXPECT_GT(test, mags->given, 0);
	kmag_test_exact(test, cache, 0);
	/* Nothing is no trouble either. */
	KUNIT_EXPECT_EQ(test, kmag_cache_shrink(cache), 0);
}

static void shrink_leaves_what_is_in_use(struct kunit *test)
{
	struct kmag_cache *cache = kmag_test_cache(test, 256, 0, 0, NULL);
	const unsigned int nr = 40 * cache->slab_slots;
	void **objs = kmag_test_array(test, nr);
	struct kmag_slab *slab;
	unsigned int i, live = 0, slabs = 0;
	unsigned long nr_page = 0;

	kmag_test_alloc(test, cache, objs, nr);
	for (i = 0; i < nr; i++) {
		if (i % (4 * cache->slab_slots) == 3) {
			objs[live] = objs[i];
			kmag_test_fill(cache, objs[live], live);
			live++;
		} else {
			kmag_cache_free(cache, objs[i]);
		}
	}
	KUNIT_EXPECT_EQ(test, live, 10);
	KUNIT_EXPECT_EQ(test, kmag_cache_shrink(cache), 1);
	while ((slab = kmag_test_next_slab(cache, &nr_page))) {
		KUNIT_EXPECT_GT(test, slab->inuse, 0);
		slabs++;
	}
	KUNIT_EXPECT_EQ(test, slabs, kmag_test_node(cache)->nr_slabs);
	KUNIT_EXPECT_LE(test, slabs, live);
	kmag_test_exact(test, cache, live);
	/* Nothing more to be had. */
	KUNIT_EXPECT_EQ(test, kmag_drain(cache), 0);
	for (i = 0; i < live; i++) {
		KUNIT_EXPECT_TRUE(test, kmag_test_intact(cache, objs[i], i));
		kmag_cache_free(cache, objs[i]);
	}
	KUNIT_EXPECT_EQ(test, kmag_drain(cache), slabs);
}

static int fill_this_cpu(void *arg)
{
	void *objs[200];
	int nr = kmag_cache_alloc_bulk(arg, GFP_KERNEL, ARRAY_SIZE(objs), objs);

	kmag_cache_free_bulk(arg, nr, objs);
	return nr;
}

static void shrink_reaches_every_cpu(struct kunit *test)
{
	struct kmag_cache *cache = kmag_test_cache(test, 256, 0, 0, NULL);
	unsigned int nr;

	for_each_online_cpu(nr)
		KUNIT_ASSERT_EQ(test, smp_call_on_cpu(nr, fill_this_cpu, cache,
						      false), 200);
	kmag_test_exact(test, cache, 0);
	KUNIT_EXPECT_EQ(test, kmag_cache_shrink(cache), 0);
	kmag_test_exact(test, cache, 0);
}

/*
 * Under pressure the kernel asks the shrinker, and believes it: scanned to the
 * end, what was promised is gone. It may not wait, so CPUs keep their two.
 */
static void pressure_takes_depots_and_empty_slabs(struct kunit *test)
{
	struct kmag_cache *cache = kmag_test_cache(test, 256, 0, 0, NULL);
	struct kmag_node *node = kmag_test_node(cache);
	const unsigned int nr = 30 * cache->capacity;
	void **objs = kmag_test_array(test, nr);
	struct kmag_pcp *pcp = &kmag_test_cpu(cache)->fast;
	unsigned long cached, freed;

	kmag_test_alloc(test, cache, objs, nr);
	kmag_test_free(cache, objs, nr - 3);
	cached = pcp->rounds + pcp->prev_rounds;
	freed = kmag_test_stat(cache, KMAG_SLAB_FREED);
	KUNIT_ASSERT_GT(test, node->depot.nr_full, 0);
	KUNIT_ASSERT_GT(test, cached, 0);

	KUNIT_ASSERT_EQ(test, kmag_test_write_file("/proc/sys/vm/drop_caches",
						   "2"), 1);
	KUNIT_EXPECT_EQ(test, node->depot.nr_full, 0);
	KUNIT_EXPECT_EQ(test, node->depot.objs, 0);
	KUNIT_EXPECT_EQ(test, node->empty_free, 0);
	KUNIT_EXPECT_EQ(test, node->nr[KMAG_EMPTY], 0);
	KUNIT_EXPECT_GT(test, kmag_test_stat(cache, KMAG_SLAB_FREED), freed);
	KUNIT_EXPECT_EQ(test, pcp->rounds + pcp->prev_rounds, cached);
	kmag_test_exact(test, cache, 3);

	/* Only what holds live or CPUs' objects is left. */
	KUNIT_EXPECT_LE(test, node->nr_slabs, cached + 3);
	kmag_test_free(cache, objs + nr - 3, 3);
}

static void shrinker_goes_round(struct kunit *test)
{
	struct kmag_cache *caches[5];
	void **objs = kmag_test_array(test, 2000);
	int i;

	for (i = 0; i < ARRAY_SIZE(caches); i++) {
		caches[i] = kmag_test_cache(test, 128 << i, 0, 0, NULL);
		kmag_test_alloc(test, caches[i], objs, 1000);
		kmag_test_free(caches[i], objs, 1000);
	}
	KUNIT_ASSERT_EQ(test, kmag_test_write_file("/proc/sys/vm/drop_caches",
						   "2"), 1);
	for (i = 0; i < ARRAY_SIZE(caches); i++) {
		KUNIT_EXPECT_EQ(test, kmag_test_node(caches[i])->depot.objs, 0);
		KUNIT_EXPECT_EQ(test, kmag_test_node(caches[i])->empty_free, 0);
		kmag_test_exact(test, caches[i], 0);
	}
}

/* One scan for @nr objects and slots, of kmag's shrinker alone. */
static int scan_once(unsigned long nr)
{
	char command[100];

	snprintf(command, sizeof(command),
		 "for f in /sys/kernel/debug/shrinker/kmag-*/scan; do echo 0 0 %lu >$f; done",
		 nr);
	return kmag_test_shell(command);
}

/* Leave no empty slab, which a scan would take first. */
static void reap_empty(struct kmag_cache *cache)
{
	struct kmag_leftovers left = KMAG_LEFTOVERS_INIT(left);

	while (kmag_slab_reap(cache, kmag_test_node(cache), 0, ULONG_MAX, &left))
		kmag_slab_settle(cache, &left);
}

/* Of many empty slabs it takes those that were asked for. */
static void scans_are_bounded_by_slabs(struct kunit *test)
{
	struct kmag_cache *cache;
	struct kmag_node *node;

	if (kmag_test_nr_caches())
		kunit_skip(test, "needs to have the caches to itself");
	cache = kmag_test_cache(test, 256, 0, 0, NULL);
	node = kmag_test_node(cache);
	kmag_slab_grow(cache, GFP_KERNEL, kmag_this_node(),
		       100 * cache->slab_slots);
	KUNIT_ASSERT_EQ(test, node->nr[KMAG_EMPTY], 100);
	KUNIT_ASSERT_EQ(test, scan_once(1), 0);
	KUNIT_EXPECT_EQ(test, node->nr[KMAG_EMPTY], 99);
	KUNIT_ASSERT_EQ(test, scan_once(50 * cache->slab_slots), 0);
	KUNIT_EXPECT_EQ(test, node->nr[KMAG_EMPTY], 49);
	kmag_test_exact(test, cache, 0);
}

/* What the shrinker counts; not while the worker is at it. */
static unsigned long shrink_count(void)
{
	struct shrink_control sc = {};
	unsigned long count, until = jiffies + 10 * HZ;

	while (!(count = kmag_shrink_count(NULL, &sc)) &&
	       time_before(jiffies, until))
		schedule_timeout_uninterruptible(1);
	return count;
}

static unsigned long shrink_scan(struct shrink_control *sc)
{
	unsigned long freed, until = jiffies + 10 * HZ;

	while ((freed = kmag_shrink_scan(NULL, sc)) == SHRINK_STOP &&
	       time_before(jiffies, until))
		schedule_timeout_uninterruptible(1);
	return freed;
}

/* The kernel is told what there is, what was looked at and what was freed. */
static void scans_tell_what_they_did(struct kunit *test)
{
	struct shrink_control sc = { .nr_to_scan = 1 };
	struct kmag_cache *cache;
	struct kmag_node *node;
	unsigned int nr, i;
	void **objs;

	if (kmag_test_nr_caches())
		kunit_skip(test, "needs to have the caches to itself");
	KUNIT_EXPECT_EQ(test, shrink_count(), SHRINK_EMPTY);
	cache = kmag_test_cache(test, 256, 0, 0, NULL);
	node = kmag_test_node(cache);
	KUNIT_EXPECT_EQ(test, shrink_count(), SHRINK_EMPTY);
	KUNIT_EXPECT_EQ(test, kmag_shrink_scan(NULL, &sc), SHRINK_STOP);

	/* A slab is freed: its slots are both. */
	kmag_slab_grow(cache, GFP_KERNEL, kmag_this_node(),
		       3 * cache->slab_slots);
	KUNIT_EXPECT_EQ(test, shrink_count(), 3 * cache->slab_slots);
	sc.nr_to_scan = 2 * cache->slab_slots;
	KUNIT_EXPECT_EQ(test, shrink_scan(&sc), 2 * cache->slab_slots);
	KUNIT_EXPECT_EQ(test, sc.nr_scanned, 2 * cache->slab_slots);
	KUNIT_EXPECT_EQ(test, shrink_count(), cache->slab_slots);

	/* A magazine is looked at; no slab of its objects gets empty by that. */
	nr = 12 * cache->capacity;
	objs = kmag_test_array(test, nr);
	kmag_test_alloc(test, cache, objs, nr);
	for (i = 0; i < nr; i += 2)
		kmag_cache_free(cache, objs[i]);
	reap_empty(cache);
	KUNIT_ASSERT_GT(test, node->depot.nr_full, 1);
	KUNIT_EXPECT_EQ(test, shrink_count(), node->depot.objs);
	sc.nr_to_scan = 1;
	KUNIT_EXPECT_EQ(test, shrink_scan(&sc), 0);
	KUNIT_EXPECT_EQ(test, sc.nr_scanned, cache->capacity);
	for (i = 1; i < nr; i += 2)
		kmag_cache_free(cache, objs[i]);
}

/* It takes what is asked for, and not always from the same cache. */
static void scans_are_bounded_and_go_round(struct kunit *test)
{
	struct kmag_depot *depots[2];
	struct kmag_cache *caches[2];
	unsigned int had[2], nr, i;
	void **objs;

	if (kmag_test_nr_caches())
		kunit_skip(test, "needs to have the caches to itself");
	for (i = 0; i < 2; i++) {
		caches[i] = kmag_test_cache(test, 64, 0, 0, NULL);
		nr = 7 * caches[i]->capacity;
		objs = kmag_test_array(test, nr);
		kmag_test_alloc(test, caches[i], objs, nr);
		kmag_test_free(caches[i], objs, nr);
		depots[i] = &kmag_test_node(caches[i])->depot;
		had[i] = depots[i]->nr_full;
		KUNIT_ASSERT_GE(test, had[i], 3);
	}
	for (nr = 1; nr <= 2; nr++) {
		/* A magazine each, which is the least there is. */
		for (i = 0; i < 2; i++)
			reap_empty(caches[i]);
		for (i = 0; i < 2; i++)
			KUNIT_ASSERT_EQ(test, scan_once(1), 0);
		for (i = 0; i < 2; i++)
			KUNIT_EXPECT_EQ(test, depots[i]->nr_full, had[i] - nr);
	}
	/*
	 * In one scan, if it may: all of both, and what magazines are idle. What
	 * the worker would stock later, it has stocked.
	 */
	for (i = 0; i < 2; i++)
		kmag_depot_stock(caches[i], kmag_this_node());
	for (i = 0; i < 2 * KMAG_DEPOT_EMPTIES; i++) {
		struct kmag_magazine *mag;

		mag = kmag_magazine_alloc(62, GFP_KERNEL, kmag_this_node());
		KUNIT_ASSERT_NOT_NULL(test, mag);
		kmag_depot_push_empty(depots[i % 2], mag);
	}
	KUNIT_ASSERT_EQ(test, scan_once(1000000), 0);
	for (i = 0; i < 2; i++) {
		KUNIT_EXPECT_EQ(test, depots[i]->nr_full, 0);
		KUNIT_EXPECT_LE(test, depots[i]->nr_empty, KMAG_DEPOT_EMPTIES);
		KUNIT_EXPECT_EQ(test, kmag_test_node(caches[i])->nr[KMAG_EMPTY],
				0);
		kmag_test_exact(test, caches[i], 0);
	}
}

/* Each kind of thing that can be had is reason enough to ask for it. */
static void empty_slabs_are_reason_enough(struct kunit *test)
{
	struct kmag_cache *cache = kmag_test_cache(test, 256, 0, 0, NULL);
	struct kmag_node *node = kmag_test_node(cache);

	kmag_slab_grow(cache, GFP_KERNEL, kmag_this_node(),
		       20 * cache->slab_slots);
	KUNIT_ASSERT_EQ(test, node->nr[KMAG_EMPTY], 20);
	KUNIT_ASSERT_EQ(test, node->depot.nr_full, 0);
	KUNIT_ASSERT_EQ(test, kmag_test_write_file("/proc/sys/vm/drop_caches",
						   "2"), 1);
	KUNIT_EXPECT_EQ(test, node->nr[KMAG_EMPTY], 0);
}

static void full_magazines_are_reason_enough(struct kunit *test)
{
	struct kmag_cache *cache = kmag_test_cache(test, 256, 0, 0, NULL);
	struct kmag_node *node = kmag_test_node(cache);
	const unsigned int nr = 10 * cache->capacity;
	void **objs = kmag_test_array(test, 2 * nr);
	unsigned int i;

	kmag_test_alloc(test, cache, objs, 2 * nr);
	/* Every other one, so that no slab gets empty. */
	for (i = 0; i < nr; i++)
		kmag_cache_free(cache, objs[2 * i]);
	KUNIT_ASSERT_EQ(test, node->nr[KMAG_EMPTY], 0);
	KUNIT_ASSERT_GT(test, node->depot.nr_full, 0);
	KUNIT_ASSERT_EQ(test, kmag_test_write_file("/proc/sys/vm/drop_caches",
						   "2"), 1);
	KUNIT_EXPECT_EQ(test, node->depot.nr_full, 0);
	kmag_test_exact(test, cache, nr);
	for (i = 0; i < nr; i++)
		kmag_cache_free(cache, objs[2 * i + 1]);
}

/* What was freed counts as progress, or reclaim would go on to kill. */
static void reclaim_is_told_of_pages(struct kunit *test)
{
	struct kmag_cache *caches[16];
	void **objs = kmag_test_array(test, 200);
	struct reclaim_state state = {};
	unsigned long was = 0, pages = 0;
	ssize_t written;
	int i, tries = 10;

	/* Others' pages first: they are told in the same place. */
	for (i = 0; i < 3; i++)
		kmag_test_write_file("/proc/sys/vm/drop_caches", "2");
	for (i = 0; i < ARRAY_SIZE(caches); i++) {
		caches[i] = kmag_test_cache(test, 4000, 0, 0, NULL);
		kmag_test_alloc(test, caches[i], objs, 200);
		kmag_test_free(caches[i], objs, 200);
		was += kmag_test_stat(caches[i], KMAG_SLAB_FREED) <<
		       caches[i]->order;
	}
	KUNIT_ASSERT_NULL(test, current->reclaim_state);
	/* The shrinker lets be what the worker is at, and comes again. */
	do {
		current->reclaim_state = &state;
		written = kmag_test_write_file("/proc/sys/vm/drop_caches", "2");
		current->reclaim_state = NULL;
		KUNIT_EXPECT_EQ(test, written, 1);
		pages = 0;
		for (i = 0; i < ARRAY_SIZE(caches); i++)
			pages += kmag_test_stat(caches[i], KMAG_SLAB_FREED) <<
				 caches[i]->order;
		pages -= was;
	} while (pages <= 1000 && --tries);
	KUNIT_EXPECT_GT(test, pages, 1000);
	KUNIT_EXPECT_GE(test, state.reclaimed, pages);
	KUNIT_EXPECT_LE(test, state.reclaimed, pages + pages / 2);
}

/* One run of the shrinkers on another CPU, and who interrupts it there. */
struct squeezer {
	struct completion go, done;
	bool stop;
	bool hogging;
};

static int squeeze(void *arg)
{
	struct squeezer *s = arg;

	for (;;) {
		wait_for_completion(&s->go);
		if (s->stop)
			break;
		kmag_test_write_file("/proc/sys/vm/drop_caches", "2");
		complete(&s->done);
	}
	while (!kthread_should_stop())
		schedule_timeout_uninterruptible(1);
	return 0;
}

/* Of real-time priority: whoever was at work has to wait. */
static int hog(void *arg)
{
	struct squeezer *s = arg;
	ktime_t until = ktime_add_ms(ktime_get(), 300);

	WRITE_ONCE(s->hogging, true);	/* the test waits */
	while (ktime_before(ktime_get(), until))
		cpu_relax();
	while (!kthread_should_stop())
		schedule_timeout_uninterruptible(1);
	return 0;
}

/*
 * Destroy a cache while the shrinker has a magazine of it in its hands; false
 * if it had not.
 */
static bool destroy_amid_a_scan(struct kunit *test, struct squeezer *s,
				unsigned int cpu)
{
	struct kmag_cache *cache;
	struct task_struct *task;
	struct kmag_depot *depot;
	void *objs[200];
	unsigned long flags;
	ktime_t until;
	bool amid;
	int nr;

	cache = kmag_cache_create("kunit", 1000, 0, 0, NULL);
	KUNIT_ASSERT_NOT_NULL(test, cache);
	depot = &kmag_test_node(cache)->depot;
	nr = kmag_cache_alloc_bulk(cache, GFP_KERNEL, ARRAY_SIZE(objs), objs);
	kmag_cache_free_bulk(cache, nr, objs);
	KUNIT_EXPECT_GT(test, depot->nr_full, 0);
	task = kthread_create(hog, s, "kmag_kunit_hog");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task);
	set_cpus_allowed_ptr(task, cpumask_of(cpu));
	sched_set_fifo(task);
	s->hogging = false;

	/*
	 * It waits for the depot with interrupts off: the hog comes as soon as
	 * they are on again, which is when it has the magazine.
	 */
	until = ktime_add_ms(ktime_get(), 500);
	raw_spin_lock_irqsave(&depot->lock, flags);
	complete(&s->go);
	while (!raw_spin_is_contended(&depot->lock) &&
	       ktime_before(ktime_get(), until))
		cpu_relax();
	wake_up_process(task);
	raw_spin_unlock_irqrestore(&depot->lock, flags);
	while (!READ_ONCE(s->hogging))	/* set on the other CPU */
		cpu_relax();
	amid = atomic_long_read(&cache->transit);
	kmag_cache_destroy(cache);
	kthread_stop(task);
	wait_for_completion(&s->done);
	return amid;
}

/* The objects that the shrinker is about to bring home are not in use. */
static void destroy_waits_for_the_shrinker(struct kunit *test)
{
	unsigned int nr = kmag_test_nr_caches(), cpu, i;
	int held = kmag_test_module_held(test);
	struct task_struct *task;
	struct squeezer s = {};
	bool amid = false;

	cpu = cpumask_any_but(cpu_online_mask, raw_smp_processor_id());
	if (cpu >= nr_cpu_ids)
		kunit_skip(test, "needs two CPUs");
	init_completion(&s.go);
	init_completion(&s.done);
	task = kthread_run_on_cpu(squeeze, &s, cpu, "kmag_kunit/%u");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task);
	/* Others want that lock as well, now and then. */
	for (i = 0; i < 10 && !amid; i++)
		amid = destroy_amid_a_scan(test, &s, cpu);
	s.stop = true;
	complete(&s.go);
	kthread_stop(task);
	KUNIT_EXPECT_TRUE(test, amid);
	KUNIT_EXPECT_EQ(test, kmag_test_nr_caches(), nr);
	KUNIT_EXPECT_EQ(test, kmag_test_module_held(test), held);
}

/* Frees never allocate: the worker brings the magazines that were missing. */
static void worker_stocks_the_depot(struct kunit *test)
{
	struct kmag_cache *cache = kmag_test_cache(test, 64, 0, 0, NULL);
	struct kmag_depot *depot = &kmag_test_node(cache)->depot;
	const unsigned int nr = 8 * cache->capacity;
	void **objs = kmag_test_array(test, nr);
	unsigned long until = jiffies + 10 * HZ;

	kmag_test_alloc(test, cache, objs, nr);
	kmag_depot_purge(depot, 0);
	kmag_test_free(cache, objs, nr);
	KUNIT_EXPECT_GT(test, kmag_test_stat(cache, KMAG_DEPOT_NO_EMPTY), 0);
	while (READ_ONCE(depot->want) || !READ_ONCE(depot->nr_empty)) {
		if (time_after(jiffies, until))
			break;
		schedule_timeout_uninterruptible(HZ / 20);
	}
	KUNIT_EXPECT_EQ(test, depot->want, 0);
	KUNIT_EXPECT_GT(test, depot->nr_empty, 0);
	/* And now they are used. */
	kmag_test_alloc(test, cache, objs, nr);
	kmag_test_free(cache, objs, nr);
	KUNIT_EXPECT_GT(test, kmag_test_stat(cache, KMAG_FREE_DEPOT), 0);

	/* It also begins a new interval for the lowest level. */
	KUNIT_ASSERT_GT(test, depot->nr_full, 0);
	depot->full_min = 0;
	until = jiffies + 10 * HZ;
	while (!READ_ONCE(depot->full_min) && time_before(jiffies, until))
		schedule_timeout_uninterruptible(HZ / 20);
	KUNIT_EXPECT_EQ(test, depot->full_min, depot->nr_full);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(shrink_gives_back_all_it_can),
	KUNIT_CASE(shrink_leaves_what_is_in_use),
	KUNIT_CASE(shrink_reaches_every_cpu),
	KUNIT_CASE(pressure_takes_depots_and_empty_slabs),
	KUNIT_CASE(shrinker_goes_round),
	KUNIT_CASE(scans_are_bounded_by_slabs),
	KUNIT_CASE(scans_tell_what_they_did),
	KUNIT_CASE(scans_are_bounded_and_go_round),
	KUNIT_CASE(empty_slabs_are_reason_enough),
	KUNIT_CASE(full_magazines_are_reason_enough),
	KUNIT_CASE(reclaim_is_told_of_pages),
	KUNIT_CASE(destroy_waits_for_the_shrinker),
	KUNIT_CASE(worker_stocks_the_depot),
	{}
};

static struct kunit_suite suite = {
	.name = "kmag_reclaim",
	.init = kmag_test_init,
	.test_cases = cases,
};

kunit_test_suite(suite);
