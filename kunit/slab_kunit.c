// SPDX-License-Identifier: GPL-2.0
/*
 * Slabs: layout, state, and what happens when pages are scarce.
 */
#include <kunit/test.h>
#include <linux/bitmap.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "debug.h"
#include "slab.h"
#include "util.h"

static unsigned int waste_of(const struct kmag_cache *c, unsigned int order)
{
	return (PAGE_SIZE << order) % c->stride;
}

/* In 1/4096: so slabs of different order compare. */
static unsigned int share_of(const struct kmag_cache *c, unsigned int order)
{
	return ((u64)waste_of(c, order) << 12) / (PAGE_SIZE << order);
}

static unsigned long slot_at(const struct kmag_cache *c, unsigned long offset)
{
	return kmag_slot_at(offset, c->inverse, c->shift);
}

static void check_layout(struct kunit *test, struct kmag_cache *c)
{
	unsigned int bytes = PAGE_SIZE << c->order;
	unsigned int slot, order, best = U32_MAX;

	KUNIT_ASSERT_GE(test, c->stride, c->fast.size + kmag_redzone());
	KUNIT_ASSERT_EQ(test, c->stride % c->align, 0);
	KUNIT_ASSERT_GE(test, c->align, sizeof(void *));
	KUNIT_ASSERT_EQ(test, c->slab_slots, bytes / c->stride);
	KUNIT_ASSERT_GE(test, c->slab_slots, 1);
	/* The smallest order is what is fallen back to. */
	KUNIT_ASSERT_EQ(test, c->min_order, get_order(c->stride));

	if (c->min_order > KMAG_ORDER_GOOD) {
		KUNIT_ASSERT_EQ(test, c->order, c->min_order);
	} else {
		KUNIT_ASSERT_LE(test, c->order, KMAG_ORDER_GOOD);
		for (order = c->min_order; order <= KMAG_ORDER_GOOD; order++)
			best = min(best, share_of(c, order));
		/* The first that is good enough, if any is. */
		for (order = c->min_order; order <= KMAG_ORDER_GOOD; order++)
			if (waste_of(c, order) <= (PAGE_SIZE << order) / 8 &&
			    (PAGE_SIZE << order) / c->stride >= KMAG_SLOTS_GOOD)
				break;
		if (order <= KMAG_ORDER_GOOD)
			KUNIT_ASSERT_EQ(test, c->order, order);
		/* At most 1/8, and where that cannot be, the least there is. */
		if (best <= 4096 / 8)
			KUNIT_ASSERT_LE(test, waste_of(c, c->order), bytes / 8);
		else
			KUNIT_ASSERT_EQ(test, share_of(c, c->order), best);
	}

	/* Slots are found by multiplication: it has to be exact. */
	for (slot = 0; slot < c->slab_slots; slot++) {
		unsigned int at = slot * c->stride;

		KUNIT_ASSERT_EQ(test, slot_at(c, at), slot);
		KUNIT_ASSERT_GE(test, slot_at(c, at + 1), c->slab_slots);
		KUNIT_ASSERT_GE(test, slot_at(c, at + c->stride - 1),
				c->slab_slots);
	}
}

static void layout_of_every_size(struct kunit *test)
{
	struct kmag_cache *c = kunit_kzalloc(test, sizeof(*c), GFP_KERNEL);
	static const unsigned int steps[] = { 1, 1, 17, 1021 };
	unsigned int size, line = cache_line_size();

	KUNIT_ASSERT_NOT_NULL(test, c);
	for (size = 1; size <= KMAG_MAX_SIZE; ) {
		c->fast.size = size;
		c->align = 0;
		c->flags = 0;
		kmag_slab_layout(c);
		check_layout(test, c);

		c->align = 1 << (size % 13);
		kmag_slab_layout(c);
		check_layout(test, c);
		KUNIT_ASSERT_EQ(test, c->stride % (1 << (size % 13)), 0);

		c->align = 0;
		c->flags = KMAG_HWCACHE_ALIGN;
		kmag_slab_layout(c);
		check_layout(test, c);
		/* None spans more lines than it must. */
		if (size <= line)
			KUNIT_ASSERT_EQ(test, line % min(c->align, line), 0);
		else
			KUNIT_ASSERT_EQ(test, c->stride % line, 0);
		/* As many to a line as fit, and none across two. */
		if (size <= line)
			KUNIT_ASSERT_EQ(test, c->align,
					max(roundup_pow_of_two(size),
					    sizeof(void *)));

		size += steps[min(ilog2(size) / 4, 3)];
	}
	/* A tail of 1/8 to the byte is little enough. */
	c->fast.size = 3584 - kmag_redzone();
	c->align = 0;
	c->flags = 0;
	kmag_slab_layout(c);
	check_layout(test, c);
	KUNIT_EXPECT_EQ(test, waste_of(c, c->order), (PAGE_SIZE << c->order) / 8);
}

static void finds_slab_and_slot(struct kunit *test)
{
	static const unsigned int sizes[] = { 8, 24, 100, 700, 5000, 33000 };
	int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct kmag_cache *cache;
		struct kmag_slab *slab;
		void *obj, *addr;
		int slot;

		cache = kmag_test_cache(test, sizes[i], 0, 0, NULL);
		obj = kmag_cache_alloc(cache, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, obj);
		slab = kmag_test_slab_of(obj);
		KUNIT_ASSERT_NOT_NULL(test, slab);
		KUNIT_EXPECT_PTR_EQ(test, slab->cache, cache);
		slot = (obj - slab->base) / cache->stride;
		KUNIT_EXPECT_EQ(test, kmag_slab_slot(slab, obj), slot);
		KUNIT_EXPECT_TRUE(test, test_bit(slot, slab->away));
		/* Every address of the slab, the tail too, and none beside. */
		for (addr = slab->base; addr < slab->base + kmag_slab_bytes(slab);
		     addr++) {
			unsigned int at = addr - slab->base;
			int want = -1;

			if (at % cache->stride == 0 &&
			    at / cache->stride < slab->slots)
				want = at / cache->stride;
			if (kmag_test_slab_of(addr) != slab ||
			    kmag_slab_slot(slab, addr) != want)
				break;
		}
		KUNIT_EXPECT_PTR_EQ(test, addr,
				    slab->base + kmag_slab_bytes(slab));
		KUNIT_EXPECT_PTR_NE(test, kmag_test_slab_of(addr), slab);
		KUNIT_EXPECT_PTR_NE(test, kmag_test_slab_of(slab->base - 1), slab);
		kmag_cache_free(cache, obj);
	}
}

static int some_data = 1;

static void finds_no_slab_elsewhere(struct kunit *test)
{
	struct page *page = alloc_page(GFP_KERNEL);
	void *kmem = kmalloc(100, GFP_KERNEL);
	void *large = kmalloc(3 * PAGE_SIZE, GFP_KERNEL);
	void *virt = vmalloc(PAGE_SIZE);
	int on_stack;

	KUNIT_EXPECT_TRUE(test, page && kmem && large && virt);
	KUNIT_EXPECT_NULL(test, kmag_test_slab_of(NULL));
	KUNIT_EXPECT_NULL(test, kmag_test_slab_of((void *)0x1000));
	KUNIT_EXPECT_NULL(test, kmag_test_slab_of((void *)ULONG_MAX));
	KUNIT_EXPECT_NULL(test, kmag_test_slab_of((void *)(ULONG_MAX / 2 + 1)));
	KUNIT_EXPECT_NULL(test, kmag_test_slab_of((void *)PAGE_OFFSET - 8));
	KUNIT_EXPECT_NULL(test, kmag_test_slab_of(&on_stack));
	KUNIT_EXPECT_NULL(test, kmag_test_slab_of(&some_data));
	KUNIT_EXPECT_NULL(test, kmag_test_slab_of(finds_no_slab_elsewhere));
	KUNIT_EXPECT_NULL(test, kmag_test_slab_of(kmem));
	KUNIT_EXPECT_NULL(test, kmag_test_slab_of(large));
	KUNIT_EXPECT_NULL(test, kmag_test_slab_of(virt));
	if (page)
		KUNIT_EXPECT_NULL(test, kmag_test_slab_of(page_address(page)));
	vfree(virt);
	kfree(large);
	kfree(kmem);
	if (page)
		__free_page(page);
}

/* The state of a slab, as the table in slab.h has it. */
static void check_class(struct kunit *test, struct kmag_slab *slab)
{
	unsigned int away = bitmap_weight(slab->away, slab->slots);

	KUNIT_ASSERT_EQ(test, slab->inuse, away);
	if (!away)
		KUNIT_ASSERT_EQ(test, slab->class, KMAG_EMPTY);
	else if (away == slab->slots)
		KUNIT_ASSERT_EQ(test, slab->class, KMAG_FULL);
	else
		KUNIT_ASSERT_EQ(test, slab->class, 1 + away * 8 / slab->slots);
}

static void takes_and_gives_runs(struct kunit *test)
{
	struct kmag_cache *cache = kmag_test_cache(test, 128, 0, 0, NULL);
	struct kmag_node *node = kmag_test_node(cache);
	unsigned int slots = cache->slab_slots;
	void **objs = kmag_test_array(test, slots);
	struct kmag_slab *slab;
	struct kmag_leftovers left = KMAG_LEFTOVERS_INIT(left);
	int i;

	/* A power of two: eighths are exact. */
	KUNIT_ASSERT_EQ(test, slots, IS_ENABLED(CONFIG_KASAN_GENERIC) ? 30 : 32);
	KUNIT_EXPECT_EQ(test, kmag_slab_take(cache, node, objs, slots), 0);
	KUNIT_ASSERT_EQ(test, kmag_slab_grow(cache, GFP_KERNEL, kmag_this_node(),
					     1), 1);
	KUNIT_EXPECT_EQ(test, node->nr_slabs, 1);
	KUNIT_EXPECT_EQ(test, node->free, slots);
	KUNIT_EXPECT_EQ(test, node->empty_free, slots);

	/* A run of addresses, the lowest handed out first: it is last. */
	KUNIT_ASSERT_EQ(test, kmag_slab_take(cache, node, objs, slots), slots);
	slab = kmag_test_slab_of(objs[0]);
	KUNIT_ASSERT_NOT_NULL(test, slab);
	for (i = 0; i < slots; i++)
		KUNIT_EXPECT_PTR_EQ(test, objs[i], slab->base +
				    (slots - 1 - i) * cache->stride);
	check_class(test, slab);
	KUNIT_EXPECT_EQ(test, kmag_slab_take(cache, node, objs, 1), 0);
	KUNIT_EXPECT_EQ(test, node->free, 0);
	KUNIT_EXPECT_EQ(test, node->empty_free, 0);

	for (i = 0; i < slots; i++) {
		kmag_slab_give(cache, &objs[i], 1, &left);
		check_class(test, slab);
		KUNIT_EXPECT_EQ(test, node->free, i + 1);
		KUNIT_EXPECT_EQ(test, node->nr[slab->class], 1);
	}
	/* An empty one may stay. */
	KUNIT_EXPECT_TRUE(test, list_empty(&left.dead));
	KUNIT_EXPECT_EQ(test, node->empty_free, slots);

	KUNIT_EXPECT_EQ(test, kmag_slab_reap(cache, node, 1, 9, &left), 0);
	KUNIT_EXPECT_EQ(test, kmag_slab_reap(cache, node, 0, 9, &left), 1);
	KUNIT_EXPECT_EQ(test, node->nr_slabs, 0);
	KUNIT_EXPECT_EQ(test, node->slots, 0);
	KUNIT_EXPECT_EQ(test, node->bytes, 0);
	KUNIT_EXPECT_EQ(test, node->tail, 0);
	KUNIT_EXPECT_EQ(test, node->meta, 0);
	KUNIT_EXPECT_EQ(test, kmag_slab_settle(cache, &left), 1 << cache->order);
	KUNIT_EXPECT_TRUE(test, list_empty(&left.dead));
	KUNIT_EXPECT_NULL(test, kmag_test_slab_of(objs[0]));
}

static void runs_are_counted(struct kunit *test)
{
	struct kmag_cache *cache = kmag_test_cache(test, 128, 0, 0, NULL);
	struct kmag_node *node = kmag_test_node(cache);
	unsigned int slots = cache->slab_slots;
	void **objs = kmag_test_array(test, slots + 5);
	struct kmag_leftovers left = KMAG_LEFTOVERS_INIT(left);

	kmag_slab_grow(cache, GFP_KERNEL, kmag_this_node(), 1);
	KUNIT_ASSERT_EQ(test, kmag_slab_take(cache, node, objs, 3), 3);
	/* More wanted than there are: those that were had count. */
	KUNIT_ASSERT_EQ(test, kmag_slab_take(cache, node, objs + 3, slots + 2),
			slots - 3);
	KUNIT_ASSERT_EQ(test, kmag_slab_take(cache, node, objs + slots, 5), 0);
	KUNIT_EXPECT_EQ(test, kmag_test_stat(cache, KMAG_REFILL), 2);
	KUNIT_EXPECT_EQ(test, kmag_test_stat(cache, KMAG_REFILL_OBJS), slots);
	kmag_slab_give(cache, objs, 0, &left);
	kmag_slab_give(cache, objs, 1, &left);
	kmag_slab_give(cache, objs + 1, slots - 1, &left);
	kmag_slab_settle(cache, &left);
	KUNIT_EXPECT_EQ(test, kmag_test_stat(cache, KMAG_FLUSH), 2);
	KUNIT_EXPECT_EQ(test, kmag_test_stat(cache, KMAG_FLUSH_OBJS), slots);
}

/* Of several slabs the fullest gives first: sparse ones get a chance. */
static void fullest_slab_gives_first(struct kunit *test)
{
	struct kmag_cache *cache = kmag_test_cache(test, 512, 0, 0, NULL);
	struct kmag_node *node = kmag_test_node(cache);
	unsigned int slots = cache->slab_slots;
	const unsigned int nr = 4 * slots;
	void **objs = kmag_test_array(test, nr);
	/* Taken from each slab, by where its run is in objs[]. */
	static const unsigned int taken[] = { 1, 6, 3, 5 };
	static const int by_fullness[] = { 1, 3, 2, 0 };
	struct kmag_leftovers left = KMAG_LEFTOVERS_INIT(left);
	int i, j;

	KUNIT_ASSERT_GE(test, slots, 7);
	kmag_slab_grow(cache, GFP_KERNEL, kmag_this_node(), nr);
	KUNIT_ASSERT_EQ(test, kmag_slab_take(cache, node, objs, nr), nr);
	for (i = 0; i < 4; i++)
		kmag_slab_give(cache, objs + i * slots, slots - taken[i], &left);

	for (i = 0; i < 4; i++) {
		int which = by_fullness[i];
		void **run = objs + which * slots;
		unsigned int want = slots - taken[which];
		struct kmag_slab *slab = kmag_test_slab_of(run[slots - 1]);

		KUNIT_ASSERT_EQ(test, kmag_slab_take(cache, node, run, want),
				want);
		for (j = 0; j < want; j++)
			KUNIT_EXPECT_PTR_EQ(test, kmag_test_slab_of(run[j]), slab);
	}
	KUNIT_EXPECT_EQ(test, node->free, 0);
	kmag_slab_give(cache, objs, nr, &left);
	kmag_slab_settle(cache, &left);
}

static void keeps_few_empty_slabs(struct kunit *test)
{
	struct kmag_test_source *pages = kmag_test_pages(test);
	struct kmag_cache *cache = kmag_test_cache(test, 2048, 0, 0, NULL);
	struct kmag_node *node = kmag_test_node(cache);
	const unsigned int nr = 40 * cache->slab_slots;
	void **objs = kmag_test_array(test, nr);
	struct kmag_leftovers left = KMAG_LEFTOVERS_INIT(left);

	KUNIT_ASSERT_GT(test, cache->order, 0);
	KUNIT_EXPECT_EQ(test, kmag_slab_grow(cache, GFP_KERNEL,
					     kmag_this_node(), nr), 40);
	KUNIT_EXPECT_EQ(test, pages->given, 40);
	KUNIT_ASSERT_EQ(test, kmag_slab_take(cache, node, objs, nr), nr);
	KUNIT_EXPECT_EQ(test, node->nr[KMAG_FULL], 40);
	kmag_slab_give(cache, objs, nr, &left);
	KUNIT_EXPECT_LE(test, cache->empty_max, 8);
	KUNIT_EXPECT_EQ(test, node->nr[KMAG_EMPTY], cache->empty_max);
	KUNIT_EXPECT_EQ(test, node->nr_slabs, cache->empty_max);
	KUNIT_EXPECT_EQ(test, kmag_slab_settle(cache, &left),
			(40 - cache->empty_max) << cache->order);
	KUNIT_EXPECT_EQ(test, kmag_test_pages_left(test), cache->empty_max);
	KUNIT_EXPECT_EQ(test, kmag_test_stat(cache, KMAG_SLAB_NEW), 40);
	KUNIT_EXPECT_EQ(test, kmag_test_stat(cache, KMAG_SLAB_FREED),
			40 - cache->empty_max);
}

/* Of empty slabs the one that was used last is taken last. */
static void cold_slabs_go_first(struct kunit *test)
{
	struct kmag_cache *cache = kmag_test_cache(test, 512, 0, 0, NULL);
	struct kmag_node *node = kmag_test_node(cache);
	struct kmag_leftovers left = KMAG_LEFTOVERS_INIT(left);
	unsigned int slots = cache->slab_slots;
	void **objs = kmag_test_array(test, 2 * slots);
	struct kmag_slab *cold, *warm;

	KUNIT_ASSERT_GE(test, cache->empty_max, 2);
	kmag_slab_grow(cache, GFP_KERNEL, kmag_this_node(), 2 * slots);
	KUNIT_ASSERT_EQ(test, kmag_slab_take(cache, node, objs, 2 * slots),
			2 * slots);
	cold = kmag_test_slab_of(objs[0]);
	warm = kmag_test_slab_of(objs[slots]);
	kmag_slab_give(cache, objs, slots, &left);
	kmag_slab_give(cache, objs + slots, slots, &left);
	KUNIT_ASSERT_EQ(test, node->nr[KMAG_EMPTY], 2);
	KUNIT_EXPECT_EQ(test, kmag_slab_reap(cache, node, 1, 9, &left), 1);
	KUNIT_EXPECT_PTR_EQ(test, list_first_entry(&left.dead, struct kmag_slab,
						   list), cold);
	kmag_slab_settle(cache, &left);
	KUNIT_EXPECT_PTR_EQ(test, kmag_test_slab_of(objs[slots]), warm);
}

/* Interrupts are off meanwhile: however many there are, a few at a time. */
static void reaps_in_pieces(struct kunit *test)
{
	struct kmag_cache *cache = kmag_test_cache(test, 512, 0, 0, NULL);
	struct kmag_node *node = kmag_test_node(cache);
	struct kmag_leftovers left = KMAG_LEFTOVERS_INIT(left);
	unsigned int reaped, all = 0;

	kmag_slab_grow(cache, GFP_KERNEL, kmag_this_node(),
		       200 * cache->slab_slots);
	KUNIT_ASSERT_EQ(test, node->nr[KMAG_EMPTY], 200);
	while ((reaped = kmag_slab_reap(cache, node, 0, ULONG_MAX, &left))) {
		KUNIT_EXPECT_LE(test, reaped, 32);
		all += reaped;
		kmag_slab_settle(cache, &left);
	}
	KUNIT_EXPECT_EQ(test, all, 200);
}

static void walk_sees_each_slab_once(struct kunit *test)
{
	struct kmag_cache *other = kmag_test_cache(test, 2048, 0, 0, NULL);
	struct kmag_cache *cache = kmag_test_cache(test, 2048, 0, 0, NULL);
	struct kmag_slab *slab;
	unsigned long nr_page = 0, last = 0;
	int seen = 0;

	kmag_slab_grow(cache, GFP_KERNEL, kmag_this_node(),
		       20 * cache->slab_slots);
	kmag_slab_grow(other, GFP_KERNEL, kmag_this_node(),
		       20 * other->slab_slots);
	while ((slab = kmag_test_next_slab(cache, &nr_page))) {
		KUNIT_EXPECT_PTR_EQ(test, slab->cache, cache);
		KUNIT_EXPECT_GT(test, nr_page, last);
		last = nr_page;
		seen++;
	}
	KUNIT_EXPECT_NULL(test, kmag_test_next_slab(cache, &nr_page));
	KUNIT_EXPECT_EQ(test, seen, 20);
}

/* Allocate and free at random; what fails is counted, and must be told. */
static unsigned long random_load(struct kunit *test, struct kmag_cache *cache,
				 gfp_t gfp, unsigned int rounds)
{
	const unsigned int nr = 300;
	void **objs = kmag_test_array(test, nr);
	unsigned long failed = 0;
	struct rnd_state rnd;
	unsigned int i, live = 0;

	kunit_info(test, "seed %#lx\n", KMAG_TEST_SEED);
	prandom_seed_state(&rnd, KMAG_TEST_SEED);
	while (rounds--) {
		i = prandom_u32_state(&rnd) % nr;
		if (objs[i]) {
			KUNIT_ASSERT_TRUE(test, kmag_test_intact(cache, objs[i],
								 i));
			kmag_cache_free(cache, objs[i]);
			objs[i] = NULL;
			live--;
		} else {
			objs[i] = kmag_cache_alloc(cache, gfp);
			if (objs[i]) {
				kmag_test_fill(cache, objs[i], i);
				live++;
			} else {
				failed++;
			}
		}
		if (rounds % 200 == 0) {
			/* So that pages are asked for again. */
			kmag_cache_shrink(cache);
			kmag_test_exact(test, cache, live);
		}
	}
	for (i = 0; i < nr; i++) {
		if (!objs[i])
			continue;
		KUNIT_EXPECT_TRUE(test, kmag_test_intact(cache, objs[i], i));
		kmag_cache_free(cache, objs[i]);
	}
	kmag_test_exact(test, cache, 0);
	KUNIT_EXPECT_EQ(test, kmag_test_stat(cache, KMAG_ALLOC_FAIL), failed);
	return failed;
}

static void small_order_under_pressure(struct kunit *test)
{
	struct kmag_test_source *pages = kmag_test_pages(test);
	struct kmag_cache *cache = kmag_test_cache(test, 1500, 0, 0, NULL);
	struct kmag_slab *slab;
	unsigned long nr_page = 0;
	void *obj;

	KUNIT_ASSERT_GT(test, cache->order, cache->min_order);
	pages->fail_order = cache->order;
	obj = kmag_cache_alloc(cache, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, obj);
	while ((slab = kmag_test_next_slab(cache, &nr_page))) {
		KUNIT_EXPECT_EQ(test, slab->order, cache->min_order);
		KUNIT_EXPECT_EQ(test, slab->slots, (PAGE_SIZE <<
				cache->min_order) / cache->stride);
	}
	KUNIT_EXPECT_EQ(test, kmag_test_stat(cache, KMAG_SLAB_FALLBACK),
			kmag_test_stat(cache, KMAG_SLAB_NEW));
	kmag_test_exact(test, cache, 1);
	kmag_cache_free(cache, obj);

	KUNIT_EXPECT_EQ(test, random_load(test, cache, GFP_KERNEL, 1000), 0);
	/* Slabs of both orders side by side. */
	pages->fail_order = 0;
	pages->fail_every = 2;
	KUNIT_EXPECT_EQ(test, kmag_test_stat(cache, KMAG_ALLOC_FAIL), 0);
	random_load(test, cache, GFP_KERNEL, 2000);
	KUNIT_EXPECT_LT(test, kmag_test_stat(cache, KMAG_SLAB_FALLBACK),
			kmag_test_stat(cache, KMAG_SLAB_NEW));
}

static void every_nth_page_fails(struct kunit *test)
{
	static const unsigned int every[] = { 2, 3, 7 };
	struct kmag_test_source *pages = kmag_test_pages(test);
	int i;

	for (i = 0; i < ARRAY_SIZE(every); i++) {
		struct kmag_cache *cache;

		cache = kmag_test_cache(test, 2048, 0, 0, NULL);
		pages->fail_every = every[i];
		random_load(test, cache, GFP_NOWAIT, 3000);
		pages->fail_every = 0;
		kmag_test_destroy(test, cache);
		KUNIT_EXPECT_EQ(test, kmag_test_pages_left(test), 0);
	}
	KUNIT_EXPECT_LT(test, pages->given, pages->calls);
}

static void no_page_at_all(struct kunit *test)
{
	struct kmag_test_source *pages = kmag_test_pages(test);
	struct kmag_cache *cache = kmag_test_cache(test, 256, 0, 0, NULL);
	void **objs = kmag_test_array(test, 1000);
	unsigned int had = 0;

	pages->fail_every = 1;
	KUNIT_EXPECT_NULL(test, kmag_cache_alloc(cache, GFP_KERNEL));
	KUNIT_EXPECT_NULL(test, kmag_cache_zalloc(cache, GFP_ATOMIC));
	KUNIT_EXPECT_EQ(test, kmag_test_stat(cache, KMAG_ALLOC_FAIL), 2);
	kmag_test_exact(test, cache, 0);

	pages->fail_every = 0;
	kmag_test_alloc(test, cache, objs, 10);
	pages->fail_every = 1;
	/* What slabs and magazines have is still handed out, all of it. */
	for (had = 10; had < 1000; had++) {
		objs[had] = kmag_cache_alloc(cache, GFP_KERNEL);
		if (!objs[had])
			break;
	}
	KUNIT_EXPECT_EQ(test, had, kmag_test_node(cache)->slots);
	kmag_test_exact(test, cache, had);

	kmag_test_free(cache, objs, 10);
	kmag_test_alloc(test, cache, objs, 10);
	KUNIT_EXPECT_NULL(test, kmag_cache_alloc(cache, GFP_KERNEL));
	pages->fail_every = 0;
	kmag_test_free(cache, objs, had);
}

/* Descriptors, the table, the stock: one of them fails, each in its turn. */
static void each_allocation_fails_once(struct kunit *test)
{
	struct kmag_test_source *pages = kmag_test_pages(test);
	struct kmag_cache *cache = kmag_test_cache(test, 3000, 0, 0, NULL);
	unsigned int nth, left;
	void *obj;

	if (!kmag_test_fail_nth(0))
		kunit_skip(test, "needs fault injection");
	for (nth = 1; nth < 100; nth++) {
		/* From nothing, each time. */
		kmag_cache_shrink(cache);
		kmag_test_node(cache)->depot.want = 1;
		kmag_test_fail_nth(nth);
		obj = kmag_cache_alloc(cache, GFP_NOWAIT);
		left = kmag_test_fail_left();
		kmag_test_fail_nth(0);
		if (obj)
			kmag_test_fill(cache, obj, nth);
		kmag_test_exact(test, cache, obj ? 1 : 0);
		kmag_cache_free(cache, obj);
		kmag_cache_shrink(cache);
		KUNIT_EXPECT_EQ(test, kmag_test_pages_left(test), 0);
		if (left)
			break;
	}
	/* A descriptor a slab at least, and a magazine. */
	KUNIT_EXPECT_GT(test, nth, 2);
	KUNIT_EXPECT_LT(test, nth, 100);
	KUNIT_EXPECT_GT(test, pages->given,
			kmag_test_stat(cache, KMAG_SLAB_NEW));
}

static struct kunit_case cases[] = {
	KUNIT_CASE(layout_of_every_size),
	KUNIT_CASE(finds_slab_and_slot),
	KUNIT_CASE(finds_no_slab_elsewhere),
	KUNIT_CASE(takes_and_gives_runs),
	KUNIT_CASE(runs_are_counted),
	KUNIT_CASE(fullest_slab_gives_first),
	KUNIT_CASE(keeps_few_empty_slabs),
	KUNIT_CASE(cold_slabs_go_first),
	KUNIT_CASE(reaps_in_pieces),
	KUNIT_CASE(walk_sees_each_slab_once),
	KUNIT_CASE(small_order_under_pressure),
	KUNIT_CASE(every_nth_page_fails),
	KUNIT_CASE(no_page_at_all),
	KUNIT_CASE(each_allocation_fails_once),
	{}
};

static struct kunit_suite suite = {
	.name = "kmag_slab",
	.init = kmag_test_init,
	.test_cases = cases,
};

kunit_test_suite(suite);
