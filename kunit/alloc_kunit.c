// SPDX-License-Identifier: GPL-2.0
/*
 * The public calls: in every context, with every flag, one by one and in bulk.
 */
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/interrupt.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>

#include <compat/hrtimer.h>

#include "slab.h"
#include "util.h"

/* Some thing done in some context, and what came of it. */
struct job {
	struct kmag_cache *cache;
	void **objs;
	unsigned int nr;
	unsigned int had;
	bool right_context;
	struct completion done;
	struct hrtimer timer;
	struct tasklet_struct tasklet;
};

static void do_job(struct job *job)
{
	unsigned int i;

	for (i = 0; i < job->nr; i++) {
		job->objs[i] = kmag_cache_alloc(job->cache, GFP_ATOMIC);
		if (!job->objs[i])
			break;
		kmag_test_fill(job->cache, job->objs[i], i);
	}
	job->had = i;
	/* Half of them here, the others by the test. */
	for (i = 0; i < job->had / 2; i++)
		if (kmag_test_intact(job->cache, job->objs[i], i))
			kmag_cache_free(job->cache, job->objs[i]);
}

static void in_task_context(struct job *job)
{
	/* preemptible() is never true where preemption is not counted. */
	job->right_context = in_task() && !preempt_count() &&
			     !irqs_disabled();
	do_job(job);
}

static void preemption_off(struct job *job)
{
	preempt_disable();
	job->right_context = in_task() && !preemptible();
	do_job(job);
	preempt_enable();
}

static void interrupts_off(struct job *job)
{
	unsigned long flags;

	local_irq_save(flags);
	job->right_context = irqs_disabled();
	do_job(job);
	local_irq_restore(flags);
}

static void softirqs_off(struct job *job)
{
	local_bh_disable();
	job->right_context = in_softirq();
	do_job(job);
	local_bh_enable();
}

static void job_tasklet(struct tasklet_struct *tasklet)
{
	struct job *job = from_tasklet(job, tasklet, tasklet);

	job->right_context = in_serving_softirq();
	do_job(job);
	complete(&job->done);
}

static void in_softirq_context(struct job *job)
{
	tasklet_setup(&job->tasklet, job_tasklet);
	tasklet_schedule(&job->tasklet);
	wait_for_completion(&job->done);
	tasklet_kill(&job->tasklet);
}

static enum hrtimer_restart job_timer(struct hrtimer *timer)
{
	struct job *job = container_of(timer, struct job, timer);

	job->right_context = in_hardirq();
	do_job(job);
	complete(&job->done);
	return HRTIMER_NORESTART;
}

static void in_hardirq_context(struct job *job)
{
	hrtimer_setup(&job->timer, job_timer, CLOCK_MONOTONIC,
		      HRTIMER_MODE_REL_PINNED);
	hrtimer_start(&job->timer, ms_to_ktime(1), HRTIMER_MODE_REL_PINNED);
	wait_for_completion(&job->done);
	hrtimer_cancel(&job->timer);
}

static const struct context {
	const char *desc;
	void (*run)(struct job *job);
} contexts[] = {
	{ "task", in_task_context },
	{ "preemption off", preemption_off },
	{ "interrupts off", interrupts_off },
	{ "softirqs off", softirqs_off },
	{ "softirq", in_softirq_context },
	{ "hardirq", in_hardirq_context },
};

KUNIT_ARRAY_PARAM_DESC(contexts, contexts, desc);

static void works_in_context(struct kunit *test)
{
	const struct context *context = test->param_value;
	struct job *job = kunit_kzalloc(test, sizeof(*job), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, job);
	job->cache = kmag_test_cache(test, 200, 0, 0, NULL);
	job->nr = 5 * job->cache->capacity;
	job->objs = kmag_test_array(test, job->nr);
	init_completion(&job->done);
	context->run(job);
	KUNIT_EXPECT_TRUE(test, job->right_context);
	/* From page, slab and magazine; freed to magazine and depot. */
	KUNIT_ASSERT_EQ(test, job->had, job->nr);
	KUNIT_EXPECT_GT(test, kmag_test_stat(job->cache, KMAG_ALLOC_PAGE), 0);
	KUNIT_EXPECT_GT(test, kmag_test_stat(job->cache, KMAG_FREE_DEPOT), 0);
	kmag_test_exact(test, job->cache, job->nr - job->nr / 2);
	for (i = job->nr / 2; i < job->nr; i++) {
		KUNIT_EXPECT_TRUE(test, kmag_test_intact(job->cache,
							 job->objs[i], i));
		kmag_cache_free(job->cache, job->objs[i]);
	}
	KUNIT_EXPECT_FALSE(test, kmag_test_doubled(job->objs, job->nr));
}

/* Leave dirt in free objects, and see what the next owners find. */
static void zeroes_when_asked(struct kunit *test)
{
	struct kmag_cache *cache = kmag_test_cache(test, 101, 0, 0, NULL);
	const unsigned int nr = 3 * cache->capacity;
	void **objs = kmag_test_array(test, nr);
	unsigned int i;

	kmag_test_alloc(test, cache, objs, nr);
	for (i = 0; i < nr; i++)
		memset(objs[i], 0xa5, 101);
	kmag_test_free(cache, objs, nr);
	for (i = 0; i < nr; i++) {
		objs[i] = kmag_cache_zalloc(cache, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, objs[i]);
		KUNIT_EXPECT_NULL(test, memchr_inv(objs[i], 0, 101));
		memset(objs[i], 0xa5, 101);
	}
	kmag_test_free(cache, objs, nr);
	KUNIT_ASSERT_EQ(test, kmag_cache_alloc_bulk(cache, GFP_KERNEL |
						    __GFP_ZERO, nr, objs), nr);
	for (i = 0; i < nr; i++) {
		KUNIT_EXPECT_NULL(test, memchr_inv(objs[i], 0, 101));
		memset(objs[i], 0xa5, 101);
	}
	kmag_test_free(cache, objs, nr);
	objs[0] = kmag_cache_zalloc(cache, GFP_KERNEL | __GFP_THISNODE);
	KUNIT_ASSERT_NOT_NULL(test, objs[0]);
	KUNIT_EXPECT_NULL(test, memchr_inv(objs[0], 0, 101));
	kmag_cache_free(cache, objs[0]);
}

/* Nothing is written into a free object, unless the kernel was told to. */
static void leaves_contents_alone(struct kunit *test)
{
	struct kmag_cache *cache = kmag_test_cache(test, 200, 0, 0, NULL);
	bool zeroed = want_init_on_alloc(0) || want_init_on_free();
	unsigned int nr = cache->capacity;
	void **objs = kmag_test_array(test, nr);
	void **pin = kmag_test_array(test, 20 * nr);
	unsigned int i;

	kmag_test_alloc(test, cache, objs, nr);
	/* So that no slab becomes empty and goes. */
	kmag_test_alloc(test, cache, pin, 20 * nr);
	for (i = 0; i < nr; i++)
		kmag_test_fill(cache, objs[i], 1);
	kmag_test_free(cache, objs, nr / 2);
	for (i = 0; i < nr / 2; i++)
		kmag_test_alloc(test, cache, &objs[nr / 2 - 1 - i], 1);
	for (i = 0; i < nr / 2; i++) {
		if (zeroed)
			KUNIT_EXPECT_NULL(test, memchr_inv(objs[i], 0, 200));
		else
			KUNIT_EXPECT_TRUE(test, kmag_test_intact(cache, objs[i],
								 1));
		kmag_test_fill(cache, objs[i], 1);
	}
	/* Nor by bulk. */
	kmag_cache_free_bulk(cache, nr / 2, objs);
	KUNIT_ASSERT_EQ(test, kmag_cache_alloc_bulk(cache, GFP_KERNEL, nr / 2,
						    objs), nr / 2);
	for (i = 0; i < nr / 2; i++)
		KUNIT_EXPECT_EQ(test, zeroed ? !memchr_inv(objs[i], 0, 200) :
				kmag_test_intact(cache, objs[i], 1), true);
	for (i = nr / 2; i < nr; i++)
		KUNIT_EXPECT_TRUE(test, kmag_test_intact(cache, objs[i], 1));
	kmag_test_free(cache, objs, nr);
	kmag_test_free(cache, pin, 20 * nr);
}

static void no_ctor(void *obj)
{
	memset(obj, 0x5c, 64);
}

static void refuses_what_it_cannot_do(struct kunit *test)
{
	static const gfp_t zones[] = { __GFP_DMA, __GFP_DMA32, __GFP_HIGHMEM };
	struct kmag_cache *cache = kmag_test_cache(test, 64, 0, 0, no_ctor);
	void *objs[3];
	int i;

	for (i = 0; i < ARRAY_SIZE(zones); i++) {
		KUNIT_EXPECT_NULL(test, kmag_cache_alloc(cache, GFP_KERNEL |
							 zones[i]));
		KUNIT_EXPECT_NULL(test, kmag_cache_alloc_node(cache, GFP_KERNEL |
							      zones[i], 0));
	}
	KUNIT_EXPECT_EQ(test, kmag_test_stat(cache, KMAG_ALLOC_FAIL), 6);
	KUNIT_EXPECT_NULL(test, kmag_cache_zalloc(cache, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, kmag_cache_alloc_bulk(cache, GFP_KERNEL |
						    __GFP_ZERO, 3, objs), 0);
	KUNIT_EXPECT_EQ(test, kmag_test_stat(cache, KMAG_ALLOC_FAIL), 8);
	/* Said once of each kind. */
	KUNIT_EXPECT_EQ(test, kmag_test_logged(cache, "allocation refused"), 2);
	kmag_test_exact(test, cache, 0);
	/* Nor did it hurt. */
	kmag_test_alloc(test, cache, objs, 3);
	KUNIT_EXPECT_NULL(test, memchr_inv(objs[0], 0x5c, 64));
	kmag_test_free(cache, objs, 3);
}

static void nodes(struct kunit *test)
{
	struct kmag_cache *cache = kmag_test_cache(test, 300, 0, 0, NULL);
	const int none[] = { -2, nr_node_ids, MAX_NUMNODES, INT_MAX, INT_MIN };
	unsigned int failed = 0;
	void *objs[8];
	int nid, i;

	for_each_online_node(nid) {
		gfp_t gfp = nid & 1 ? GFP_KERNEL : GFP_KERNEL | __GFP_THISNODE;

		for (i = 0; i < ARRAY_SIZE(objs); i++) {
			objs[i] = kmag_cache_alloc_node(cache, gfp, nid);
			KUNIT_ASSERT_NOT_NULL(test, objs[i]);
			KUNIT_EXPECT_EQ(test, page_to_nid(virt_to_page(objs[i])),
					nid);
		}
		kmag_test_exact(test, cache, ARRAY_SIZE(objs));
		kmag_test_free(cache, objs, ARRAY_SIZE(objs));
		kmag_test_exact(test, cache, 0);
	}
	objs[0] = kmag_cache_alloc_node(cache, GFP_KERNEL, NUMA_NO_NODE);
	KUNIT_EXPECT_NOT_NULL(test, objs[0]);
	kmag_cache_free(cache, objs[0]);
	for (i = 0; i < ARRAY_SIZE(none); i++) {
		KUNIT_EXPECT_NULL(test, kmag_cache_alloc_node(cache, GFP_KERNEL,
							      none[i]));
		KUNIT_EXPECT_EQ(test, kmag_test_stat(cache, KMAG_ALLOC_FAIL),
				++failed);
	}
}

static void thisnode_bypasses_magazines(struct kunit *test)
{
	struct kmag_cache *cache = kmag_test_cache(test, 64, 0, 0, NULL);
	struct kmag_pcp *pcp = &kmag_test_cpu(cache)->fast;
	void *obj, *near;
	s32 rounds;

	kmag_test_alloc(test, cache, &obj, 1);
	rounds = pcp->rounds;
	near = kmag_cache_alloc(cache, GFP_KERNEL | __GFP_THISNODE);
	KUNIT_ASSERT_NOT_NULL(test, near);
	KUNIT_EXPECT_EQ(test, pcp->rounds, rounds);
	KUNIT_EXPECT_EQ(test, page_to_nid(virt_to_page(near)), numa_mem_id());
	kmag_test_exact(test, cache, 2);
	kmag_cache_free(cache, near);
	kmag_cache_free(cache, obj);
}

static void null_is_no_object(struct kunit *test)
{
	struct kmag_cache *cache = kmag_test_cache(test, 64, 0, 0, NULL);

	kmag_cache_free(cache, NULL);
	kmag_cache_free_inline(cache, NULL);
	kmag_cache_free_bulk(cache, 0, NULL);
	KUNIT_EXPECT_EQ(test, kmag_test_frees(cache), 0);
	KUNIT_EXPECT_EQ(test, kmag_test_stat(cache, KMAG_FREE_BAD), 0);
	KUNIT_EXPECT_EQ(test, kmag_test_cpu(cache)->fast.rounds, 0);
	kmag_cache_destroy(NULL);
}

static void inlined_is_the_same(struct kunit *test)
{
	struct kmag_cache *cache = kmag_test_cache(test, 96, 0, 0, NULL);
	const unsigned int nr = 7 * cache->capacity;
	void **objs = kmag_test_array(test, nr);
	unsigned int i;

	for (i = 0; i < nr; i++) {
		objs[i] = kmag_cache_alloc_inline(cache, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, objs[i]);
		kmag_test_fill(cache, objs[i], i);
	}
	kmag_test_exact(test, cache, nr);
	for (i = 0; i < nr; i++) {
		KUNIT_EXPECT_TRUE(test, kmag_test_intact(cache, objs[i], i));
		/* What one form took the other may give. */
		if (i & 1)
			kmag_cache_free_inline(cache, objs[i]);
		else
			kmag_cache_free(cache, objs[i]);
	}
	KUNIT_EXPECT_EQ(test, kmag_test_allocs(cache), nr);
	KUNIT_EXPECT_EQ(test, kmag_test_frees(cache), nr);
	KUNIT_EXPECT_FALSE(test, kmag_test_doubled(objs, nr));
}

static const unsigned int bulks[] = { 1, 2, 61, 62, 63, 124, 125, 1000 };

static void bulk_desc(const unsigned int *nr, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%u objects", *nr);
}

KUNIT_ARRAY_PARAM(bulks, bulks, bulk_desc);

static void bulk(struct kunit *test)
{
	const unsigned int nr = *(const unsigned int *)test->param_value;
	struct kmag_cache *cache = kmag_test_cache(test, 64, 0, 0, NULL);
	void **objs = kmag_test_array(test, nr);
	void **copy = kmag_test_array(test, nr);
	unsigned int i, round;
	void *one;

	for (round = 0; round < 3; round++) {
		KUNIT_ASSERT_EQ(test, kmag_cache_alloc_bulk(cache, GFP_KERNEL,
							    nr, objs), nr);
		for (i = 0; i < nr; i++) {
			KUNIT_ASSERT_NOT_NULL(test, objs[i]);
			kmag_test_fill(cache, objs[i], i);
		}
		kmag_test_exact(test, cache, nr);
		/* Begin the next round with the magazine in another state. */
		kmag_test_alloc(test, cache, &one, 1);
		for (i = 0; i < nr; i++)
			KUNIT_ASSERT_TRUE(test, kmag_test_intact(cache, objs[i],
								 i));
		memcpy(copy, objs, nr * sizeof(*objs));
		kmag_cache_free_bulk(cache, nr, objs);
		KUNIT_EXPECT_MEMEQ(test, copy, objs, nr * sizeof(*objs));
		kmag_test_exact(test, cache, 1);
		kmag_cache_free(cache, one);
	}
	KUNIT_EXPECT_EQ(test, kmag_test_allocs(cache), 3 * (nr + 1));
	KUNIT_EXPECT_EQ(test, kmag_test_frees(cache), 3 * (nr + 1));
	KUNIT_EXPECT_FALSE(test, kmag_test_doubled(copy, nr));
}

static void bulk_is_all_or_nothing(struct kunit *test)
{
	struct kmag_test_source *pages = kmag_test_pages(test);
	struct kmag_cache *cache = kmag_test_cache(test, 128, 0, 0, NULL);
	void **objs = kmag_test_array(test, 1000);
	unsigned long slots;

	pages->fail_from = 4;
	pages->fail_to = ULONG_MAX;
	KUNIT_EXPECT_EQ(test, kmag_cache_alloc_bulk(cache, GFP_KERNEL, 1000,
						    objs), 0);
	kmag_test_exact(test, cache, 0);
	slots = kmag_test_node(cache)->slots;
	KUNIT_ASSERT_GT(test, slots, 0);
	KUNIT_ASSERT_LT(test, slots, 1000);
	/* Those that there are can be had. */
	KUNIT_EXPECT_EQ(test, kmag_cache_alloc_bulk(cache, GFP_KERNEL, slots,
						    objs), slots);
	KUNIT_EXPECT_EQ(test, kmag_cache_alloc_bulk(cache, GFP_KERNEL, 1, objs +
						    slots), 0);
	kmag_cache_free_bulk(cache, slots, objs);
	kmag_test_exact(test, cache, 0);
}

static struct kunit_case cases[] = {
	KUNIT_CASE_PARAM(works_in_context, contexts_gen_params),
	KUNIT_CASE(zeroes_when_asked),
	KUNIT_CASE(leaves_contents_alone),
	KUNIT_CASE(refuses_what_it_cannot_do),
	KUNIT_CASE(nodes),
	KUNIT_CASE(thisnode_bypasses_magazines),
	KUNIT_CASE(null_is_no_object),
	KUNIT_CASE(inlined_is_the_same),
	KUNIT_CASE_PARAM(bulk, bulks_gen_params),
	KUNIT_CASE(bulk_is_all_or_nothing),
	{}
};

static struct kunit_suite suite = {
	.name = "kmag_alloc",
	.init = kmag_test_init,
	.test_cases = cases,
};

kunit_test_suite(suite);
