// SPDX-License-Identifier: GPL-2.0
/*
 * The table: each address in a slab leads to it, and no other one anywhere. The
 * slabs are made up, at addresses where this machine has no memory.
 */
#include <kunit/static_stub.h>
#include <kunit/test.h>
#include <linux/kthread.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "slab.h"
#include "table.h"
#include "util.h"

/* Many enough for several leaves. */
#define MANY	6000

/* Pages that a root of the first size does not reach, and a larger one. */
#define SPAN	(KMAG_LEVEL * KMAG_LEVEL)
#define FAR	(100 * SPAN)
#define FARTHER	(300 * SPAN)

struct made_up {
	struct kmag_slab *slabs;	/* of no cache, so walks pass them by */
	unsigned int nr;
};

static void made_up_action(void *arg)
{
	struct made_up *m = arg;

	while (m->nr)
		kmag_table_del(&m->slabs[--m->nr]);
	synchronize_rcu();	/* walks may still look at them */
	kvfree(m->slabs);
	kfree(m);
}

static struct made_up *made_up_new(struct kunit *test)
{
	struct made_up *m = kzalloc(sizeof(*m), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, m);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, made_up_action, m),
			0);
	m->slabs = kvcalloc(MANY + 1, sizeof(*m->slabs), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, m->slabs);
	return m;
}

static void *at(unsigned long page)
{
	return (void *)(PAGE_OFFSET + (page << PAGE_SHIFT));
}

/* One of @order at @page; 0 or -ENOMEM. */
static int add(struct made_up *m, unsigned long page, unsigned int order)
{
	struct kmag_slab *slab = &m->slabs[m->nr];
	int ret;

	slab->base = at(page);
	slab->order = order;
	ret = kmag_table_add(&slab, 1, GFP_KERNEL) ? 0 : -ENOMEM;
	if (!ret)
		m->nr++;
	return ret;
}

static struct kmag_slab *get(const void *addr)
{
	struct kmag_slab *slab;

	rcu_read_lock();
	slab = kmag_table_get(addr);
	rcu_read_unlock();
	return slab;
}

/* Is @slab found from all of its pages, and from none beside? */
static bool found(struct kmag_slab *slab)
{
	size_t bytes = PAGE_SIZE << slab->order, i;

	for (i = 0; i < bytes; i += PAGE_SIZE)
		if (get(slab->base + i) != slab ||
		    get(slab->base + i + PAGE_SIZE - 1) != slab)
			return false;
	return get(slab->base - 1) != slab && get(slab->base + bytes) != slab;
}

/* Orders 0 to 3, a page left out here and there. */
static void add_many(struct kunit *test, struct made_up *m)
{
	unsigned long page = FAR;

	while (m->nr < MANY) {
		unsigned int order = m->nr % 4;

		KUNIT_ASSERT_EQ(test, add(m, page, order), 0);
		page += (1UL << order) + (m->nr % 7 == 0);
	}
}

static void finds_what_was_added(struct kunit *test)
{
	struct made_up *m = made_up_new(test);
	int i;

	add_many(test, m);
	for (i = 0; i < MANY; i++)
		KUNIT_ASSERT_TRUE(test, found(&m->slabs[i]));
	KUNIT_EXPECT_GE(test, kmag_table_bytes(), MANY * sizeof(void *));

	for (i = 0; i < MANY; i += 2)
		kmag_table_del(&m->slabs[i]);
	for (i = 0; i < MANY; i++)
		KUNIT_ASSERT_EQ(test, found(&m->slabs[i]), i % 2);
	for (i = 0; i < MANY; i += 2) {
		struct kmag_slab *slab = &m->slabs[i];

		KUNIT_ASSERT_EQ(test, kmag_table_add(&slab, 1, GFP_KERNEL), 1);
	}
	for (i = 0; i < MANY; i++)
		KUNIT_ASSERT_TRUE(test, found(&m->slabs[i]));
}

static void finds_nothing_else(struct kunit *test)
{
	struct made_up *m = made_up_new(test);
	struct rnd_state rnd;
	unsigned long i;

	KUNIT_ASSERT_EQ(test, add(m, FAR, 0), 0);
	KUNIT_EXPECT_NULL(test, get(NULL));
	KUNIT_EXPECT_NULL(test, get((void *)1));
	KUNIT_EXPECT_NULL(test, get((void *)ULONG_MAX));
	KUNIT_EXPECT_NULL(test, get((void *)PAGE_OFFSET - 1));
	KUNIT_EXPECT_NULL(test, get(at(FAR - 1)));
	KUNIT_EXPECT_NULL(test, get(at(FAR + 1)));
	KUNIT_EXPECT_NULL(test, get(at(FAR + KMAG_LEVEL)));
	KUNIT_EXPECT_NULL(test, get(at(FAR + SPAN)));
	KUNIT_EXPECT_NULL(test, get(at(FAR + 1000 * SPAN)));

	kunit_info(test, "seed %#lx\n", KMAG_TEST_SEED);
	prandom_seed_state(&rnd, KMAG_TEST_SEED);
	for (i = 0; i < 10000; i++) {
		unsigned long value = (unsigned long)prandom_u32_state(&rnd)
				      << 32 | prandom_u32_state(&rnd);

		/* Not where real slabs may be, on all of this machine. */
		if (kmag_page_nr((void *)value) > FAR)
			KUNIT_ASSERT_NULL(test, get((void *)value));
	}
	kmag_table_del(&m->slabs[--m->nr]);
	KUNIT_EXPECT_NULL(test, get(at(FAR)));
}

static void reaches_beyond_its_root(struct kunit *test)
{
	struct made_up *m = made_up_new(test);
	unsigned long before, more, bytes;

	KUNIT_ASSERT_EQ(test, add(m, FAR, 0), 0);
	before = rcu_access_pointer(kmag_table_root)->nr;
	KUNIT_EXPECT_GT(test, before, FAR / SPAN);
	bytes = kmag_table_bytes();
	KUNIT_ASSERT_EQ(test, add(m, before * SPAN, 0), 0);
	more = rcu_access_pointer(kmag_table_root)->nr - before;
	KUNIT_EXPECT_GE(test, more, before);
	/* Memory, as the two levels below are. */
	KUNIT_EXPECT_EQ(test, kmag_table_bytes(),
			bytes + more * sizeof(void *) + 2 * PAGE_SIZE);
	KUNIT_EXPECT_TRUE(test, found(&m->slabs[0]));
	KUNIT_EXPECT_TRUE(test, found(&m->slabs[1]));
}

static void slabs_span_leaves(struct kunit *test)
{
	struct made_up *m = made_up_new(test);

	KUNIT_ASSERT_EQ(test, add(m, FAR + KMAG_LEVEL - 1, 1), 0);
	KUNIT_ASSERT_EQ(test, add(m, FAR + 2 * SPAN - 100, 10), 0);
	KUNIT_EXPECT_TRUE(test, found(&m->slabs[0]));
	KUNIT_EXPECT_TRUE(test, found(&m->slabs[1]));
	kmag_table_del(&m->slabs[1]);
	m->nr--;
	KUNIT_EXPECT_TRUE(test, found(&m->slabs[0]));
	KUNIT_EXPECT_FALSE(test, found(&m->slabs[1]));
}

/* The last slab of a leaf takes it along. */
static void leaves_come_and_go(struct kunit *test)
{
	struct made_up *m = made_up_new(test);
	unsigned long bytes;
	int i;

	/* The levels above stay, and belong to both. */
	KUNIT_ASSERT_EQ(test, add(m, FAR, 0), 0);
	bytes = kmag_table_bytes();
	for (i = 0; i < 3; i++) {
		KUNIT_ASSERT_EQ(test, add(m, FAR + KMAG_LEVEL, 0), 0);
		KUNIT_ASSERT_EQ(test, add(m, FAR + KMAG_LEVEL + 5, 3), 0);
		KUNIT_EXPECT_EQ(test, kmag_table_bytes(), bytes + PAGE_SIZE);
		kmag_table_del(&m->slabs[1]);
		KUNIT_EXPECT_EQ(test, kmag_table_bytes(), bytes + PAGE_SIZE);
		KUNIT_EXPECT_TRUE(test, found(&m->slabs[2]));
		kmag_table_del(&m->slabs[2]);
		KUNIT_EXPECT_EQ(test, kmag_table_bytes(), bytes);
		m->nr = 1;
	}
	KUNIT_EXPECT_TRUE(test, found(&m->slabs[0]));
}

static int levels_left;

static void *level_stub(gfp_t gfp)
{
	return levels_left-- > 0 ? (void *)get_zeroed_page(gfp) : NULL;
}

/* A slab of two leaves, each under a middle level of its own. */
static void each_level_may_fail(struct kunit *test)
{
	struct made_up *m = made_up_new(test);
	unsigned long page = FARTHER + SPAN - 1;
	unsigned long bytes;
	int have, i;

	kunit_activate_static_stub(test, kmag_level_alloc, level_stub);
	for (have = 0; have < 4; have++) {
		levels_left = have;
		bytes = kmag_table_bytes();
		/* What was made in vain is used by the next one: at most one. */
		if (!add(m, page, 1))
			break;
		for (i = -1; i < 3; i++)
			KUNIT_EXPECT_NULL(test, get(at(page + i)));
	}
	KUNIT_EXPECT_GT(test, have, 0);
	KUNIT_ASSERT_EQ(test, m->nr, 1);
	KUNIT_EXPECT_TRUE(test, found(&m->slabs[0]));
	bytes = kmag_table_bytes();
	kmag_table_del(&m->slabs[--m->nr]);
	KUNIT_EXPECT_EQ(test, kmag_table_bytes(), bytes - 2 * PAGE_SIZE);
}

static void walk_in_order(struct kunit *test)
{
	struct made_up *m = made_up_new(test);
	unsigned long nr = FAR;
	struct kmag_slab *slab;
	unsigned int i = 0;

	add_many(test, m);
	KUNIT_ASSERT_EQ(test, add(m, FARTHER + KMAG_LEVEL - 1, 1), 0);
	rcu_read_lock();
	while ((slab = kmag_table_next(&nr)) == &m->slabs[i] && i < m->nr)
		i++;
	rcu_read_unlock();
	KUNIT_EXPECT_EQ(test, i, m->nr);
	KUNIT_EXPECT_NULL(test, slab);
}

/* From the middle of a leaf that is not there: the next one from its start. */
static void walk_from_anywhere(struct kunit *test)
{
	struct made_up *m = made_up_new(test);
	unsigned long nr;

	KUNIT_ASSERT_EQ(test, add(m, FAR + KMAG_LEVEL, 0), 0);
	KUNIT_ASSERT_EQ(test, add(m, FAR + 50 * SPAN, 0), 0);
	rcu_read_lock();
	nr = FAR + KMAG_LEVEL / 2;
	KUNIT_EXPECT_PTR_EQ(test, kmag_table_next(&nr), &m->slabs[0]);
	KUNIT_EXPECT_EQ(test, nr, FAR + KMAG_LEVEL + 1);
	/* And of a middle level. */
	nr = FAR + 48 * SPAN + SPAN / 2 + KMAG_LEVEL / 2;
	KUNIT_EXPECT_PTR_EQ(test, kmag_table_next(&nr), &m->slabs[1]);
	KUNIT_EXPECT_EQ(test, nr, FAR + 50 * SPAN + 1);
	rcu_read_unlock();
}

#define LEVELS_SEEN	16

static struct page *seen[LEVELS_SEEN];	/* each with a reference of ours */
static unsigned int nr_seen;

static void *seen_stub(gfp_t gfp)
{
	void *level = nr_seen < LEVELS_SEEN ? (void *)get_zeroed_page(gfp) : NULL;

	if (level) {
		seen[nr_seen] = virt_to_page(level);
		get_page(seen[nr_seen++]);
	}
	return level;
}

/* With the module goes all that the table ever had. */
static void exit_leaves_nothing(struct kunit *test)
{
	struct made_up *m = made_up_new(test);
	struct kmag_table_root *root;

	if (kmag_test_nr_caches())
		kunit_skip(test, "needs to have the table to itself");
	kunit_activate_static_stub(test, kmag_level_alloc, seen_stub);
	nr_seen = 0;
	KUNIT_EXPECT_EQ(test, add(m, rcu_access_pointer(kmag_table_root)->nr *
				  SPAN, 0), 0);
	KUNIT_EXPECT_EQ(test, nr_seen, 2);
	while (m->nr)
		kmag_table_del(&m->slabs[--m->nr]);
	rcu_barrier();	/* as main.c does */
	kmag_table_exit();
	KUNIT_EXPECT_EQ(test, kmag_table_bytes(), 0);
	while (nr_seen--) {
		KUNIT_EXPECT_EQ(test, page_count(seen[nr_seen]), 1);
		put_page(seen[nr_seen]);
	}
	/* Here, life goes on. */
	kunit_deactivate_static_stub(test, kmag_level_alloc);
	KUNIT_ASSERT_EQ(test, add(m, FAR, 0), 0);
	KUNIT_EXPECT_TRUE(test, found(&m->slabs[0]));
	/* Nobody else changes it. */
	root = rcu_dereference_protected(kmag_table_root, 1);
	KUNIT_EXPECT_EQ(test, kmag_table_bytes(),
			2 * PAGE_SIZE + sizeof(*root) +
			root->nr * sizeof(root->mid[0]));
}

struct reader {
	struct made_up *m;
	unsigned int nr;
	unsigned long looked;
	unsigned long wrong;
};

static int read_all(void *arg)
{
	struct reader *r = arg;
	unsigned int i;

	while (!kthread_should_stop()) {
		for (i = 0; i < r->nr; i++)
			if (get(r->m->slabs[i].base) != &r->m->slabs[i])
				r->wrong++;
		WRITE_ONCE(r->looked, r->looked + 1);	/* the test waits */
		cond_resched();
	}
	return 0;
}

static void readers_pass_through_growth(struct kunit *test)
{
	struct made_up *m = made_up_new(test);
	struct reader r = { .m = m, .nr = 200 };
	struct task_struct *task;
	unsigned long beyond;
	int i;

	while (m->nr < r.nr)
		KUNIT_ASSERT_EQ(test, add(m, FAR + m->nr * KMAG_LEVEL / 4, 0), 0);
	task = kthread_run(read_all, &r, "kmag_kunit_read");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task);
	while (!READ_ONCE(r.looked))
		schedule_timeout_uninterruptible(1);
	for (i = 0; i < 3; i++) {
		beyond = rcu_access_pointer(kmag_table_root)->nr * SPAN;
		KUNIT_EXPECT_EQ(test, add(m, beyond, 0), 0);
	}
	/* And while leaves beside come and go. */
	for (i = 0; i < 2000; i++) {
		kmag_table_del(&m->slabs[--m->nr]);
		KUNIT_EXPECT_EQ(test, add(m, FAR + SPAN / 2 + i * KMAG_LEVEL, 1),
				0);
	}
	kthread_stop(task);
	KUNIT_EXPECT_GT(test, r.looked, 0);
	KUNIT_EXPECT_EQ(test, r.wrong, 0);
}

/* Who found a slab may look at it until its RCU section ends. */
static void readers_keep_their_slab(struct kunit *test)
{
	struct kmag_cache *cache = kmag_test_cache(test, 2048, 0, 0, NULL);
	struct kmag_cpu *cpu = kmag_test_cpu(cache);
	const unsigned int nr = (cache->empty_max + 3) * cache->slab_slots;
	void **objs = kmag_test_array(test, nr);
	void **others = kmag_test_array(test, 64);
	struct kmag_slab *slab, was;
	unsigned int i;
	bool intact;

	kmag_test_alloc(test, cache, objs, nr);
	rcu_read_lock();
	slab = kmag_slab_of(objs[nr - 1]);
	was = *slab;
	preempt_disable();
	cpu->fast.busy = 1;	/* so that frees go to the slab */
	kmag_test_free(cache, objs, nr);
	cpu->fast.busy = 0;
	preempt_enable();
	/* Nobody finds it any more, nor gets its memory. */
	KUNIT_EXPECT_PTR_NE(test, kmag_table_get(was.base), slab);
	for (i = 0; i < 64; i++) {
		others[i] = kzalloc(kmag_slab_meta(&was), GFP_ATOMIC);
		KUNIT_EXPECT_PTR_NE(test, others[i], (void *)slab);
	}
	intact = slab->cache == was.cache && slab->base == was.base &&
		 slab->base == was.base && slab->slots == was.slots &&
		 slab->nid == was.nid && slab->order == was.order;
	rcu_read_unlock();
	KUNIT_EXPECT_TRUE(test, intact);
	for (i = 0; i < 64; i++)
		kfree(others[i]);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(finds_what_was_added),
	KUNIT_CASE(finds_nothing_else),
	KUNIT_CASE(reaches_beyond_its_root),
	KUNIT_CASE(slabs_span_leaves),
	KUNIT_CASE(leaves_come_and_go),
	KUNIT_CASE(each_level_may_fail),
	KUNIT_CASE(walk_in_order),
	KUNIT_CASE(walk_from_anywhere),
	KUNIT_CASE(exit_leaves_nothing),
	KUNIT_CASE(readers_pass_through_growth),
	KUNIT_CASE(readers_keep_their_slab),
	{}
};

static struct kunit_suite suite = {
	.name = "kmag_table",
	.init = kmag_test_init,
	.test_cases = cases,
};

kunit_test_suite(suite);
