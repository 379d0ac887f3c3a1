// SPDX-License-Identifier: GPL-2.0
/*
 * The table: an index leads to its slab, and no other value leads anywhere.
 */
#include <kunit/test.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "slab.h"
#include "table.h"
#include "util.h"

/* Many enough for several chunks, and for the array of chunks to be copied. */
#define MANY	6000

struct entries {
	struct kmag_slab *slabs;	/* of no cache, so walks pass them by */
	u32 *index;
	unsigned int nr;
};

static void entries_action(void *arg)
{
	struct entries *e = arg;

	while (e->nr)
		kmag_table_del(e->index[--e->nr]);
	synchronize_rcu();	/* walks may still look at them */
	kvfree(e->slabs);
	kvfree(e->index);
	kfree(e);
}

static struct entries *entries_new(struct kunit *test)
{
	struct entries *e = kzalloc(sizeof(*e), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, e);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, entries_action,
							e), 0);
	e->slabs = kvcalloc(MANY, sizeof(*e->slabs), GFP_KERNEL);
	e->index = kvcalloc(MANY, sizeof(*e->index), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, e->slabs);
	KUNIT_ASSERT_NOT_NULL(test, e->index);
	return e;
}

static void entries_add(struct kunit *test, struct entries *e, unsigned int nr)
{
	while (nr--) {
		u32 index = kmag_table_add(&e->slabs[e->nr], GFP_KERNEL);

		KUNIT_ASSERT_NE(test, index, 0);
		e->index[e->nr++] = index;
	}
}

static struct kmag_slab *get(unsigned long index)
{
	struct kmag_slab *slab;

	rcu_read_lock();
	slab = kmag_table_get(index);
	rcu_read_unlock();
	return slab;
}

static void finds_what_was_added(struct kunit *test)
{
	struct entries *e = entries_new(test);
	u32 end;
	int i;

	entries_add(test, e, MANY);
	end = kmag_table_end();
	for (i = 0; i < MANY; i++) {
		KUNIT_ASSERT_LT(test, e->index[i], end);
		/* So each index is its own, too. */
		KUNIT_ASSERT_PTR_EQ(test, get(e->index[i]), &e->slabs[i]);
	}
	KUNIT_EXPECT_GE(test, kmag_table_bytes(), MANY * sizeof(void *));

	for (i = 0; i < MANY; i += 2)
		kmag_table_del(e->index[i]);
	for (i = 0; i < MANY; i++)
		KUNIT_ASSERT_PTR_EQ(test, get(e->index[i]),
				    i % 2 ? &e->slabs[i] : NULL);
	for (i = 0; i < MANY; i += 2) {
		e->index[i] = kmag_table_add(&e->slabs[i], GFP_KERNEL);
		KUNIT_ASSERT_NE(test, e->index[i], 0);
	}
	/* What was free was used again. */
	KUNIT_EXPECT_EQ(test, kmag_table_end(), end);
	for (i = 0; i < MANY; i++)
		KUNIT_ASSERT_PTR_EQ(test, get(e->index[i]), &e->slabs[i]);
}

static void finds_nothing_else(struct kunit *test)
{
	struct entries *e = entries_new(test);
	unsigned long end, i;
	struct rnd_state rnd;
	u32 last;

	entries_add(test, e, 100);
	end = kmag_table_end();
	KUNIT_EXPECT_NULL(test, get(0));
	KUNIT_EXPECT_NULL(test, get(end));
	KUNIT_EXPECT_NULL(test, get(end + 1));
	KUNIT_EXPECT_NULL(test, get(U32_MAX));
	KUNIT_EXPECT_NULL(test, get(1UL << 32));
	KUNIT_EXPECT_NULL(test, get((1UL << 32) + e->index[0]));
	KUNIT_EXPECT_NULL(test, get((unsigned long)&e->slabs[0]));
	KUNIT_EXPECT_NULL(test, get(ULONG_MAX));

	kunit_info(test, "seed %#lx\n", KMAG_TEST_SEED);
	prandom_seed_state(&rnd, KMAG_TEST_SEED);
	for (i = 0; i < 10000; i++) {
		unsigned long value = (unsigned long)prandom_u32_state(&rnd)
				      << 32 | prandom_u32_state(&rnd);

		if (value >= end)
			KUNIT_ASSERT_NULL(test, get(value));
	}

	last = e->index[--e->nr];
	kmag_table_del(last);
	KUNIT_EXPECT_NULL(test, get(last));
}

static void last_free_is_used_first(struct kunit *test)
{
	struct entries *e = entries_new(test);
	u32 index;

	entries_add(test, e, 10);
	index = e->index[9];
	kmag_table_del(index);
	e->nr--;
	entries_add(test, e, 1);
	KUNIT_EXPECT_EQ(test, e->index[9], index);
}

struct reader {
	struct entries *e;
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
			if (get(r->e->index[i]) != &r->e->slabs[i])
				r->wrong++;
		WRITE_ONCE(r->looked, r->looked + 1);	/* the test waits */
		cond_resched();
	}
	return 0;
}

static void readers_pass_through_growth(struct kunit *test)
{
	struct entries *e = entries_new(test);
	struct reader r = { .e = e, .nr = 200 };
	struct task_struct *task;
	int i;

	entries_add(test, e, r.nr);
	task = kthread_run(read_all, &r, "kmag_kunit_read");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task);
	while (!READ_ONCE(r.looked))
		schedule_timeout_uninterruptible(1);
	entries_add(test, e, MANY - r.nr);
	/* And while entries beside come and go. */
	for (i = 0; i < 2000; i++) {
		kmag_table_del(e->index[--e->nr]);
		entries_add(test, e, 1);
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
	KUNIT_EXPECT_PTR_NE(test, kmag_table_get(was.index), slab);
	for (i = 0; i < 64; i++) {
		others[i] = kzalloc(kmag_slab_meta(&was), GFP_ATOMIC);
		KUNIT_EXPECT_PTR_NE(test, others[i], (void *)slab);
	}
	intact = slab->cache == was.cache && slab->page == was.page &&
		 slab->base == was.base && slab->index == was.index &&
		 slab->slots == was.slots && slab->nid == was.nid &&
		 slab->order == was.order;
	rcu_read_unlock();
	KUNIT_EXPECT_TRUE(test, intact);
	for (i = 0; i < 64; i++)
		kfree(others[i]);
}

/* A page may hold anything where kmag looks for an index. */
static void pages_must_be_named_back(struct kunit *test)
{
	struct entries *e = entries_new(test);
	struct page *mine, *other;
	void *addr;

	mine = alloc_pages(GFP_KERNEL | __GFP_COMP, 1);
	other = alloc_page(GFP_KERNEL);
	if (!mine || !other)
		goto out;
	e->slabs[0].page = mine;
	entries_add(test, e, 1);
	set_page_private(mine, e->index[0]);
	set_page_private(other, e->index[0]);

	addr = page_address(mine);
	KUNIT_EXPECT_PTR_EQ(test, kmag_test_slab_of(addr), &e->slabs[0]);
	/* Tail pages lead to the head. */
	addr += PAGE_SIZE + 9;
	KUNIT_EXPECT_PTR_EQ(test, kmag_test_slab_of(addr), &e->slabs[0]);
	KUNIT_EXPECT_NULL(test, kmag_test_slab_of(page_address(other)));

	kmag_table_del(e->index[--e->nr]);
	KUNIT_EXPECT_NULL(test, kmag_test_slab_of(page_address(mine)));
	set_page_private(mine, 0);
	set_page_private(other, 0);
out:
	KUNIT_EXPECT_NOT_NULL(test, mine);
	KUNIT_EXPECT_NOT_NULL(test, other);
	if (mine)
		__free_pages(mine, 1);
	if (other)
		__free_page(other);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(finds_what_was_added),
	KUNIT_CASE(finds_nothing_else),
	KUNIT_CASE(last_free_is_used_first),
	KUNIT_CASE(readers_pass_through_growth),
	KUNIT_CASE(readers_keep_their_slab),
	KUNIT_CASE(pages_must_be_named_back),
	{}
};

static struct kunit_suite suite = {
	.name = "kmag_table",
	.init = kmag_test_init,
	.test_cases = cases,
};

kunit_test_suite(suite);
