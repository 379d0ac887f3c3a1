// SPDX-License-Identifier: GPL-2.0
/*
 * Pages: how they are asked for, where they come from, how they show, and who
 * is charged.
 */
#include <kunit/test.h>
#include <linux/cgroup.h>
#include <linux/err.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/nodemask.h>
#include <linux/rcupdate.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/vmstat.h>

#include "slab.h"
#include "util.h"

static void pages_as_flags_say(struct kunit *test)
{
	const gfp_t never = __GFP_ZERO | __GFP_MEMALLOC | __GFP_MOVABLE |
			    __GFP_HIGHMEM;
	static const struct {
		unsigned int flags;
		gfp_t all;
	} cases[] = {
		{ 0, 0 },
		{ KMAG_ACCOUNT, __GFP_ACCOUNT },
		{ KMAG_RECLAIM_ACCOUNT, __GFP_RECLAIMABLE },
		{ KMAG_ACCOUNT | KMAG_RECLAIM_ACCOUNT,
		  __GFP_ACCOUNT | __GFP_RECLAIMABLE },
	};
	struct kmag_test_source *pages = kmag_test_pages(test);
	int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct kmag_cache *cache;
		void *objs[3];

		cache = kmag_test_cache(test, 3000, 0, cases[i].flags, NULL);
		memset(pages, 0, sizeof(*pages));
		pages->gfp_all = (__force gfp_t)~0U;
		objs[0] = kmag_cache_alloc(cache, GFP_KERNEL_ACCOUNT);
		kmag_cache_shrink(cache);
		objs[1] = kmag_cache_zalloc(cache, GFP_KERNEL);
		kmag_cache_shrink(cache);
		objs[2] = kmag_cache_alloc(cache, GFP_ATOMIC | __GFP_MEMALLOC);
		KUNIT_EXPECT_GE(test, pages->calls, 1);
		KUNIT_EXPECT_FALSE(test, pages->gfp_any & never);
		KUNIT_EXPECT_TRUE(test, pages->gfp_all & __GFP_NOMEMALLOC);
		KUNIT_EXPECT_TRUE(test, (pages->gfp_any & (__GFP_ACCOUNT |
				  __GFP_RECLAIMABLE)) == cases[i].all);
		KUNIT_EXPECT_TRUE(test, (pages->gfp_all & cases[i].all) ==
				  cases[i].all);
		kmag_test_free(cache, objs, 3);
		kmag_test_destroy(test, cache);
	}
}

/* More pages than one object needs are taken if they lie about, or not at all. */
static void large_slabs_cost_nobody(struct kunit *test)
{
	struct kmag_test_source *pages = kmag_test_pages(test);
	struct kmag_cache *cache = kmag_test_cache(test, 1500, 0, 0, NULL);

	KUNIT_ASSERT_GT(test, cache->order, cache->min_order);
	KUNIT_ASSERT_EQ(test, kmag_slab_grow(cache, GFP_KERNEL | __GFP_HIGH |
					     __GFP_NOFAIL, kmag_this_node(), 1),
			1);
	KUNIT_EXPECT_EQ(test, pages->calls, 1);
	KUNIT_EXPECT_FALSE(test, pages->gfp_any & (__GFP_RECLAIM | __GFP_HIGH |
						   __GFP_NOFAIL));
	/* The smallest that will do is what the caller asked for. */
	pages->fail_order = cache->order;
	KUNIT_ASSERT_GT(test, kmag_slab_grow(cache, GFP_KERNEL | __GFP_HIGH,
					     kmag_this_node(),
					     2 * cache->slab_slots), 0);
	KUNIT_EXPECT_TRUE(test, (pages->gfp_any & (__GFP_RECLAIM | __GFP_HIGH)) ==
			  (__GFP_RECLAIM | __GFP_HIGH));
}

/* Of all nodes and CPUs, to the page. */
static long misc_reclaimable(void)
{
	const int item = NR_KERNEL_MISC_RECLAIMABLE;
	long sum = atomic_long_read(&vm_node_stat[item]);
	unsigned int cpu;
	int nid;

	for_each_online_node(nid)
		for_each_possible_cpu(cpu)
			sum += per_cpu_ptr(NODE_DATA(nid)->per_cpu_nodestats,
					   cpu)->vm_node_stat_diff[item];
	return sum;
}

static void reclaimable_pages_show(struct kunit *test)
{
	static const unsigned int flags[] = { 0, KMAG_RECLAIM_ACCOUNT };
	const long before = misc_reclaimable();
	const unsigned int nr = 100;
	void **objs = kmag_test_array(test, nr);
	int i;

	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		struct kmag_cache *cache = kmag_test_cache(test, 3000, 0,
							   flags[i], NULL);
		struct kmag_node *node = kmag_test_node(cache);

		kmag_test_alloc(test, cache, objs, nr);
		KUNIT_EXPECT_GE(test, node->bytes, nr * 3000);
		KUNIT_EXPECT_EQ(test, misc_reclaimable() - before,
				flags[i] ? node->bytes >> PAGE_SHIFT : 0);
		kmag_test_free(cache, objs, nr - 1);
		kmag_cache_shrink(cache);
		KUNIT_EXPECT_EQ(test, misc_reclaimable() - before,
				flags[i] ? node->bytes >> PAGE_SHIFT : 0);
		KUNIT_EXPECT_EQ(test, node->nr_slabs, 1);
		kmag_cache_free(cache, objs[nr - 1]);
		kmag_test_destroy(test, cache);
		KUNIT_EXPECT_EQ(test, misc_reclaimable(), before);
	}
}

/* A memory cgroup of our own. */
static struct mem_cgroup *group(struct kunit *test)
{
	static const char * const steps[] = {
		"grep -q /sys/fs/cgroup /proc/mounts || mount -t cgroup2 none /sys/fs/cgroup",
		"echo +memory >/sys/fs/cgroup/cgroup.subtree_control",
		"mkdir -p /sys/fs/cgroup/kmag_kunit",
	};
	struct cgroup_subsys_state *css;
	struct cgroup *cgroup;
	int i;

	for (i = 0; i < ARRAY_SIZE(steps); i++)
		KUNIT_ASSERT_EQ(test, kmag_test_shell(steps[i]), 0);
	cgroup = cgroup_get_from_path("/kmag_kunit");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, cgroup);
	css = cgroup_get_e_css(cgroup, &memory_cgrp_subsys);
	cgroup_put(cgroup);
	return mem_cgroup_from_css(css);
}

static struct mem_cgroup *charged(const void *obj)
{
	struct mem_cgroup *memcg;

	rcu_read_lock();
	memcg = folio_memcg(virt_to_folio(obj));
	rcu_read_unlock();
	return memcg;
}

/* Slab pages go to the account of the task that caused them, if at all. */
static void charged_to_who_caused_them(struct kunit *test)
{
	static const unsigned int flags[] = { 0, KMAG_ACCOUNT };
	struct mem_cgroup *memcg = group(test), *old;
	const unsigned int nr = 50;
	void **objs = kmag_test_array(test, nr);
	void *before;
	int i, j;

	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		struct kmag_cache *cache = kmag_test_cache(test, 2000, 0,
							   flags[i], NULL);

		/* Nobody's, so far, and a slab's pages stay as they are. */
		kmag_test_alloc(test, cache, &before, 1);
		old = set_active_memcg(memcg);
		for (j = 0; j < nr; j++)
			objs[j] = kmag_cache_alloc(cache, GFP_KERNEL_ACCOUNT);
		set_active_memcg(old);
		KUNIT_EXPECT_NULL(test, charged(before));
		KUNIT_ASSERT_NOT_NULL(test, objs[nr - 1]);
		KUNIT_EXPECT_PTR_EQ(test, charged(objs[nr - 1]),
				    flags[i] ? memcg : NULL);
		kmag_test_free(cache, objs, nr);
		kmag_cache_free(cache, before);
		kmag_test_destroy(test, cache);
	}
	mem_cgroup_put(memcg);
	kmag_test_shell("rmdir /sys/fs/cgroup/kmag_kunit");
}

static void nofail_waits_for_a_page(struct kunit *test)
{
	struct kmag_test_source *pages = kmag_test_pages(test);
	struct kmag_cache *cache = kmag_test_cache(test, 256, 0, 0, NULL);
	void *obj;

	pages->fail_from = 1;
	pages->fail_to = 12;
	obj = kmag_cache_alloc(cache, GFP_KERNEL | __GFP_NOFAIL);
	KUNIT_ASSERT_NOT_NULL(test, obj);
	KUNIT_EXPECT_GT(test, pages->calls, 12);
	KUNIT_EXPECT_EQ(test, kmag_test_stat(cache, KMAG_ALLOC_FAIL), 0);
	kmag_cache_free(cache, obj);
}

/* For objects that nobody asked for nobody waits. */
static void magazines_are_filled_cheaply(struct kunit *test)
{
	struct kmag_test_source *pages = kmag_test_pages(test);
	struct kmag_cache *cache = kmag_test_cache(test, 1024, 0, 0, NULL);
	const gfp_t dear = __GFP_DIRECT_RECLAIM | __GFP_NOFAIL | __GFP_HIGH;
	void *obj;

	obj = kmag_cache_alloc(cache, GFP_KERNEL | __GFP_NOFAIL);
	KUNIT_ASSERT_NOT_NULL(test, obj);
	KUNIT_EXPECT_GT(test, pages->given, 1);
	KUNIT_EXPECT_FALSE(test, pages->gfp_any & dear);
	kmag_cache_free(cache, obj);
	kmag_cache_shrink(cache);
	obj = kmag_cache_alloc(cache, GFP_ATOMIC);
	KUNIT_ASSERT_NOT_NULL(test, obj);
	KUNIT_EXPECT_FALSE(test, pages->gfp_any & dear);
	kmag_cache_free(cache, obj);
	kmag_cache_shrink(cache);

	/* For the one object, as the caller allows; and one slab will do. */
	pages->fail_cheap = true;
	KUNIT_EXPECT_NULL(test, kmag_cache_alloc(cache, GFP_NOWAIT));
	pages->given = 0;
	obj = kmag_cache_alloc(cache, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, obj);
	KUNIT_EXPECT_EQ(test, pages->given, 1);
	KUNIT_EXPECT_TRUE(test, pages->gfp_any & __GFP_DIRECT_RECLAIM);
	kmag_cache_free(cache, obj);
}

/* Who may not fail waits; but not for what may never come. */
static void nofail_has_its_limits(struct kunit *test)
{
	static const struct {
		unsigned int size;
		gfp_t gfp;
		bool passed_on;
	} cases[] = {
		{ 256, GFP_KERNEL, true },
		/* The page allocator takes it for small orders only. */
		{ 20000, GFP_KERNEL, false },
		/* One node can be full for ever. */
		{ 256, GFP_KERNEL | __GFP_THISNODE, false },
	};
	struct kmag_test_source *pages = kmag_test_pages(test);
	int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct kmag_cache *cache = kmag_test_cache(test, cases[i].size,
							   0, 0, NULL);
		void *obj;

		memset(pages, 0, sizeof(*pages));
		pages->fail_cheap = true;
		obj = kmag_cache_alloc(cache, cases[i].gfp | __GFP_NOFAIL);
		KUNIT_ASSERT_NOT_NULL(test, obj);
		KUNIT_EXPECT_TRUE(test, pages->gfp_any & __GFP_DIRECT_RECLAIM);
		KUNIT_EXPECT_EQ(test, !!(pages->gfp_any & __GFP_NOFAIL),
				cases[i].passed_on);
		kmag_cache_free(cache, obj);
		kmag_test_destroy(test, cache);
	}
}

/* Where nobody may wait it fails, and says once that it should not be asked. */
static void nofail_needs_to_sleep(struct kunit *test)
{
	struct kmag_test_source *pages = kmag_test_pages(test);
	struct kmag_cache *cache = kmag_test_cache(test, 256, 0, 0, NULL);
	void *obj;
	int i;

	/* For a while only, or who waits nevertheless waits for ever. */
	for (i = 1; i <= 2; i++) {
		pages->fail_from = pages->calls + 1;
		pages->fail_to = pages->calls + 50;
		obj = kmag_cache_alloc(cache, GFP_ATOMIC | __GFP_NOFAIL);
		KUNIT_EXPECT_NULL(test, obj);
		kmag_cache_free(cache, obj);
		KUNIT_EXPECT_EQ(test, kmag_test_stat(cache, KMAG_ALLOC_FAIL), i);
		KUNIT_EXPECT_EQ(test, kmag_test_logged(cache, "__GFP_NOFAIL"), 1);
	}
	/* What is there is had. */
	pages->fail_from = 0;
	obj = kmag_cache_alloc(cache, GFP_ATOMIC | __GFP_NOFAIL);
	KUNIT_EXPECT_NOT_NULL(test, obj);
	kmag_cache_free(cache, obj);
}

/* Pages may come from another node than was asked for. */
static void pages_from_elsewhere(struct kunit *test)
{
	struct kmag_test_source *pages = kmag_test_pages(test);
	struct kmag_cache *cache = kmag_test_cache(test, 300, 0, 0, NULL);
	const unsigned int nr = 30 * cache->capacity;
	void **objs = kmag_test_array(test, nr);
	unsigned long needed;
	unsigned int i;

	if (num_online_nodes() < 2)
		kunit_skip(test, "needs two nodes");
	pages->elsewhere = true;
	kmag_test_alloc(test, cache, objs, nr);
	for (i = 0; i < nr; i++)
		KUNIT_EXPECT_NE(test, page_to_nid(virt_to_page(objs[i])),
				numa_mem_id());
	/*
	 * Magazines are filled from there as from here: no slab more than they
	 * need, one trip a magazine.
	 */
	needed = DIV_ROUND_UP(nr, cache->slab_slots);
	KUNIT_EXPECT_EQ(test, kmag_test_node(cache)->nr_slabs, 0);
	KUNIT_EXPECT_LE(test, kmag_test_stat(cache, KMAG_SLAB_NEW),
			needed + DIV_ROUND_UP(cache->capacity, cache->slab_slots));
	KUNIT_EXPECT_LE(test, kmag_test_stat(cache, KMAG_DEPOT_VISIT), 31);
	KUNIT_EXPECT_LE(test, kmag_test_stat(cache, KMAG_ALLOC_SLAB) +
			      kmag_test_stat(cache, KMAG_ALLOC_PAGE), 31);
	kmag_test_exact(test, cache, nr);
	/* And home they go. */
	kmag_test_free(cache, objs, nr);
	KUNIT_EXPECT_EQ(test, kmag_test_stat(cache, KMAG_FREE_SLAB) +
			      kmag_test_stat(cache, KMAG_FREE_PAGE), nr);
	kmag_test_exact(test, cache, 0);
}

/* A named node that has nothing is no failure where others have some. */
static void failures_are_counted_once(struct kunit *test)
{
	struct kmag_test_source *pages = kmag_test_pages(test);
	struct kmag_cache *cache = kmag_test_cache(test, 300, 0, 0, NULL);
	int far = next_online_node(first_online_node);
	void *obj;

	if (num_online_nodes() < 2)
		kunit_skip(test, "needs two nodes");
	KUNIT_ASSERT_EQ(test, kmag_this_node(), first_online_node);
	/* The preferred order, and the smallest. */
	pages->fail_from = 1;
	pages->fail_to = cache->order > cache->min_order ? 2 : 1;
	obj = kmag_cache_alloc_node(cache, GFP_KERNEL, far);
	KUNIT_ASSERT_NOT_NULL(test, obj);
	KUNIT_EXPECT_EQ(test, kmag_test_stat(cache, KMAG_ALLOC_FAIL), 0);
	kmag_cache_free(cache, obj);
	pages->fail_every = 1;
	KUNIT_EXPECT_NULL(test, kmag_cache_alloc_node(cache, GFP_KERNEL |
						      __GFP_THISNODE, far));
	KUNIT_EXPECT_EQ(test, kmag_test_stat(cache, KMAG_ALLOC_FAIL), 1);
	pages->fail_every = 0;
}

/* Objects of two nodes in one run: each goes to its own. */
static void runs_of_two_nodes(struct kunit *test)
{
	struct kmag_cache *cache = kmag_test_cache(test, 300, 0, 0, NULL);
	struct kmag_leftovers left = KMAG_LEFTOVERS_INIT(left);
	void *objs[20];
	int nid, i;

	if (num_online_nodes() < 2)
		kunit_skip(test, "needs two nodes");
	for (i = 0; i < ARRAY_SIZE(objs); i++) {
		nid = i / 3 % 2 ? first_online_node :
				  next_online_node(first_online_node);
		kmag_slab_grow(cache, GFP_KERNEL | __GFP_THISNODE, nid, 1);
		KUNIT_ASSERT_EQ(test, kmag_slab_take(cache, cache->node[nid],
						     &objs[i], 1), 1);
	}
	kmag_slab_give(cache, objs, ARRAY_SIZE(objs), &left);
	kmag_slab_settle(cache, &left);
	for_each_online_node(nid) {
		struct kmag_node *node = cache->node[nid];

		KUNIT_EXPECT_EQ(test, node->free, node->slots);
		KUNIT_EXPECT_EQ(test, node->empty_free, node->slots);
		KUNIT_EXPECT_EQ(test, node->nr[KMAG_EMPTY], node->nr_slabs);
	}
}

/* A node that has nothing: another will do, unless it must be this one. */
static void this_node_or_none(struct kunit *test)
{
	struct kmag_test_source *pages = kmag_test_pages(test);
	struct kmag_cache *cache = kmag_test_cache(test, 300, 0, 0, NULL);
	int far = next_online_node(kmag_this_node());
	void *near, *obj;

	if (num_online_nodes() < 2)
		kunit_skip(test, "needs two nodes");
	if (far == MAX_NUMNODES)
		far = first_online_node;
	kmag_test_alloc(test, cache, &near, 1);
	pages->fail_every = 1;
	KUNIT_EXPECT_NULL(test, kmag_cache_alloc_node(cache, GFP_KERNEL |
						      __GFP_THISNODE, far));
	obj = kmag_cache_alloc_node(cache, GFP_KERNEL, far);
	KUNIT_ASSERT_NOT_NULL(test, obj);
	KUNIT_EXPECT_EQ(test, page_to_nid(virt_to_page(obj)), kmag_this_node());
	kmag_test_exact(test, cache, 2);
	kmag_cache_free(cache, obj);
	kmag_cache_free(cache, near);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(pages_as_flags_say),
	KUNIT_CASE(large_slabs_cost_nobody),
	KUNIT_CASE(reclaimable_pages_show),
	KUNIT_CASE(charged_to_who_caused_them),
	KUNIT_CASE(nofail_waits_for_a_page),
	KUNIT_CASE(magazines_are_filled_cheaply),
	KUNIT_CASE(nofail_has_its_limits),
	KUNIT_CASE(nofail_needs_to_sleep),
	KUNIT_CASE(pages_from_elsewhere),
	KUNIT_CASE(failures_are_counted_once),
	KUNIT_CASE(runs_of_two_nodes),
	KUNIT_CASE(this_node_or_none),
	{}
};

static struct kunit_suite suite = {
	.name = "kmag_pages",
	.init = kmag_test_init,
	.test_cases = cases,
};

kunit_test_suite(suite);
