// SPDX-License-Identifier: GPL-2.0
/*
 * Misuse: every wrong pointer is reported once, refused, and harms nobody.
 *
 * Where KASAN or kmemleak follow objects a double free is found at once, else
 * when the magazine it went to is flushed: so each test ends with a flush.
 */
#include <kunit/test.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "slab.h"
#include "util.h"

#define LIVE	200
#define SIZE	104	/* leaves a tail, with a red zone and without */

/* Live objects of two caches, whose contents and number must stay. */
struct fixture {
	struct kunit *test;
	struct kmag_cache *cache;
	struct kmag_cache *other;
	void **objs;
	void **others;
	unsigned long bad;
};

static void fixture_init(struct kunit *test, struct fixture *f)
{
	unsigned int i;

	f->test = test;
	f->bad = 0;
	f->cache = kmag_test_cache(test, SIZE, 0, 0, NULL);
	f->other = kmag_test_cache(test, SIZE, 0, 0, NULL);
	f->objs = kmag_test_array(test, LIVE);
	f->others = kmag_test_array(test, LIVE);
	kmag_test_alloc(test, f->cache, f->objs, LIVE);
	kmag_test_alloc(test, f->other, f->others, LIVE);
	for (i = 0; i < LIVE; i++) {
		kmag_test_fill(f->cache, f->objs[i], i);
		kmag_test_fill(f->other, f->others[i], i);
	}
}

/* After misuse: @bad reports in all, and @live of the first are still there. */
static void fixture_check(struct fixture *f, unsigned int live)
{
	struct kunit *test = f->test;
	unsigned int i;

	kmag_cache_shrink(f->cache);
	KUNIT_EXPECT_EQ(test, kmag_test_stat(f->cache, KMAG_FREE_BAD), f->bad);
	KUNIT_EXPECT_EQ(test, kmag_test_stat(f->other, KMAG_FREE_BAD), 0);
	kmag_test_exact(test, f->cache, live);
	kmag_test_exact(test, f->other, LIVE);
	for (i = 0; i < live; i++)
		KUNIT_EXPECT_TRUE(test, kmag_test_intact(f->cache, f->objs[i],
							 i));
	for (i = 0; i < LIVE; i++)
		KUNIT_EXPECT_TRUE(test, kmag_test_intact(f->other,
							 f->others[i], i));
}

static void fixture_end(struct fixture *f, unsigned int live)
{
	struct kunit *test = f->test;

	fixture_check(f, live);
	/* The cache goes on to work: all that is free can be had, once. */
	kmag_test_alloc(test, f->cache, f->objs + live, LIVE - live);
	KUNIT_EXPECT_FALSE(test, kmag_test_doubled(f->objs, LIVE));
	kmag_test_exact(test, f->cache, LIVE);
	kmag_test_free(f->cache, f->objs, LIVE);
	kmag_test_free(f->other, f->others, LIVE);
	KUNIT_EXPECT_EQ(test, kmag_cache_shrink(f->cache), 0);
	KUNIT_EXPECT_EQ(test, kmag_test_stat(f->cache, KMAG_FREE_BAD), f->bad);
}

/* Past the magazines, so that it is looked at now. */
static void free_to_slab(struct kmag_cache *cache, void *obj)
{
	struct kmag_cpu *cpu;

	preempt_disable();
	cpu = kmag_test_cpu(cache);
	cpu->fast.busy = 1;
	kmag_cache_free(cache, obj);
	cpu->fast.busy = 0;
	preempt_enable();
}

static void *alloc_from_slab(struct kmag_cache *cache)
{
	struct kmag_cpu *cpu;
	void *obj;

	preempt_disable();
	cpu = kmag_test_cpu(cache);
	cpu->fast.busy = 1;
	obj = kmag_cache_alloc(cache, GFP_ATOMIC);
	cpu->fast.busy = 0;
	preempt_enable();
	return obj;
}

/* Each pointer once through a magazine, once past the magazines. */
static void free_wrong(struct fixture *f, void *obj)
{
	kmag_cache_free(f->cache, obj);
	f->bad++;
	fixture_check(f, LIVE);

	free_to_slab(f->cache, obj);
	f->bad++;
	KUNIT_EXPECT_EQ(f->test, kmag_test_stat(f->cache, KMAG_FREE_BAD),
			f->bad);
	fixture_check(f, LIVE);
}

static void double_free_in_magazines(struct kunit *test)
{
	struct fixture f;

	fixture_init(test, &f);
	kmag_cache_free(f.cache, f.objs[LIVE - 1]);
	kmag_cache_free(f.cache, f.objs[LIVE - 1]);
	f.bad = 1;
	fixture_check(&f, LIVE - 1);

	/* Three of them, with others in between. */
	kmag_cache_free(f.cache, f.objs[LIVE - 2]);
	kmag_cache_free(f.cache, f.objs[LIVE - 3]);
	kmag_cache_free(f.cache, f.objs[LIVE - 2]);
	kmag_cache_free(f.cache, f.objs[LIVE - 4]);
	kmag_cache_free(f.cache, f.objs[LIVE - 3]);
	kmag_cache_free(f.cache, f.objs[LIVE - 2]);
	f.bad += 3;
	fixture_end(&f, LIVE - 4);
}

static void double_free_in_its_slab(struct kunit *test)
{
	struct fixture f;

	fixture_init(test, &f);
	kmag_cache_free(f.cache, f.objs[LIVE - 1]);
	kmag_cache_shrink(f.cache);	/* it is in its slab now */
	kmag_cache_free(f.cache, f.objs[LIVE - 1]);
	f.bad = 1;
	fixture_end(&f, LIVE - 1);
}

/* A slab that has nothing to lose stays as it was, on its list. */
static void wrong_into_an_empty_slab(struct kunit *test)
{
	struct kmag_cache *cache = kmag_test_cache(test, SIZE, 0, 0, NULL);
	struct kmag_node *node = kmag_test_node(cache);
	void *obj;

	kmag_slab_grow(cache, GFP_KERNEL, kmag_this_node(), 1);
	obj = alloc_from_slab(cache);
	KUNIT_ASSERT_NOT_NULL(test, obj);
	free_to_slab(cache, obj);
	KUNIT_ASSERT_EQ(test, node->nr[KMAG_EMPTY], 1);
	free_to_slab(cache, obj);
	free_to_slab(cache, obj + 8);
	KUNIT_EXPECT_EQ(test, kmag_test_stat(cache, KMAG_FREE_BAD), 2);
	KUNIT_EXPECT_EQ(test, node->nr[KMAG_EMPTY], 1);
	KUNIT_EXPECT_EQ(test, node->nr[KMAG_FULL], 0);
	KUNIT_EXPECT_EQ(test, node->empty_free, node->free);
	kmag_test_exact(test, cache, 0);
}

/* The page is the kernel's again: nothing there is kmag's to judge. */
static void double_free_after_its_slab(struct kunit *test)
{
	struct kmag_test_source *pages = kmag_test_pages(test);
	struct kmag_cache *cache = kmag_test_cache(test, SIZE, 0, 0, NULL);
	void *obj;

	/* Pages under watch are not given to anybody else yet. */
	kmag_test_alloc(test, cache, &obj, 1);
	kmag_cache_free(cache, obj);
	KUNIT_EXPECT_EQ(test, kmag_cache_shrink(cache), 0);
	kmag_cache_free(cache, obj);
	KUNIT_EXPECT_EQ(test, kmag_cache_shrink(cache), 0);
	KUNIT_EXPECT_EQ(test, kmag_test_stat(cache, KMAG_FREE_BAD), 1);
	kmag_test_exact(test, cache, 0);
	KUNIT_EXPECT_GT(test, pages->given, 0);
}

static void foreign_pointers(struct kunit *test)
{
	struct page *page = alloc_page(GFP_KERNEL);
	void *kmem = kmalloc(120, GFP_KERNEL);
	void *large = kmalloc(2 * PAGE_SIZE, GFP_KERNEL);
	void *virt = vmalloc(PAGE_SIZE);
	u64 on_stack = 0x5a5a5a5a;
	struct fixture f;

	KUNIT_EXPECT_TRUE(test, page && kmem && large && virt);
	if (!page || !kmem || !large || !virt)
		goto out;
	fixture_init(test, &f);
	memset(page_address(page), 0x11, PAGE_SIZE);
	memset(kmem, 0x22, 120);
	memset(large, 0x33, 2 * PAGE_SIZE);
	memset(virt, 0x44, PAGE_SIZE);

	free_wrong(&f, &on_stack);
	free_wrong(&f, kmem);
	free_wrong(&f, large);
	free_wrong(&f, virt);
	free_wrong(&f, page_address(page));
	free_wrong(&f, foreign_pointers);
	free_wrong(&f, (void *)8);
	free_wrong(&f, ERR_PTR(-ENOMEM));

	KUNIT_EXPECT_NULL(test, memchr_inv(page_address(page), 0x11, PAGE_SIZE));
	KUNIT_EXPECT_NULL(test, memchr_inv(kmem, 0x22, 120));
	KUNIT_EXPECT_NULL(test, memchr_inv(large, 0x33, 2 * PAGE_SIZE));
	KUNIT_EXPECT_NULL(test, memchr_inv(virt, 0x44, PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, on_stack, 0x5a5a5a5a);
	fixture_end(&f, LIVE);
out:
	vfree(virt);
	kfree(large);
	kfree(kmem);
	if (page)
		__free_page(page);
}

static void interior_pointers(struct kunit *test)
{
	struct kmag_slab *slab;
	struct fixture f;
	void *past;

	fixture_init(test, &f);
	slab = kmag_test_slab_of(f.objs[0]);
	past = slab->base + slab->slots * f.cache->stride;
	KUNIT_ASSERT_TRUE(test, past < slab->base + kmag_slab_bytes(slab));

	free_wrong(&f, f.objs[0] + 8);
	free_wrong(&f, f.objs[1] + 1);
	free_wrong(&f, f.objs[2] + f.cache->stride - 1);
	free_wrong(&f, f.objs[3] - 1);
	/* Behind the last object, where the next one would begin. */
	free_wrong(&f, past);
	fixture_end(&f, LIVE);
}

static void pointers_of_another_cache(struct kunit *test)
{
	struct fixture f;

	fixture_init(test, &f);
	free_wrong(&f, f.others[0]);
	free_wrong(&f, f.others[1] + 8);
	/* They are still their owner's. */
	kmag_cache_free(f.other, f.others[0]);
	kmag_cache_shrink(f.other);
	kmag_test_exact(test, f.other, LIVE - 1);
	f.others[0] = kmag_cache_alloc(f.other, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, f.others[0]);
	kmag_test_fill(f.other, f.others[0], 0);
	fixture_end(&f, LIVE);
}

/* Among the good, in whole magazines, in bulk, through depot and flush. */
static void wrong_among_the_right(struct kunit *test)
{
	struct kmag_cache *cache = kmag_test_cache(test, SIZE, 0, 0, NULL);
	struct kmag_cache *other = kmag_test_cache(test, SIZE, 0, 0, NULL);
	const unsigned int nr = 40 * cache->capacity;
	void **objs = kmag_test_array(test, nr);
	void **mixed = kmag_test_array(test, 2 * nr);
	unsigned int i, n = 0, bad = 0;
	u64 on_stack[4] = {};
	void *foreign;

	kmag_test_alloc(test, cache, objs, nr);
	kmag_test_alloc(test, other, &foreign, 1);
	for (i = 0; i < nr; i++) {
		mixed[n++] = objs[i];
		switch (i % 17) {
		case 3:
			mixed[n++] = objs[i] + 4;
			bad++;
			break;
		case 9:
			mixed[n++] = foreign;
			bad++;
			break;
		case 12:
			mixed[n++] = &on_stack[i % 4];
			bad++;
			break;
		case 15:
			mixed[n++] = objs[i];
			bad++;
			break;
		}
	}
	kmag_cache_free_bulk(cache, n / 2, mixed);
	kmag_test_free(cache, mixed + n / 2, n - n / 2);
	KUNIT_EXPECT_EQ(test, kmag_cache_shrink(cache), 0);
	KUNIT_EXPECT_GT(test, bad, 100);
	KUNIT_EXPECT_EQ(test, kmag_test_stat(cache, KMAG_FREE_BAD), bad);
	kmag_test_exact(test, cache, 0);
	kmag_test_exact(test, other, 1);
	kmag_cache_free(other, foreign);
}

/* What is printed: the kind of each, and not too much of it. */
static void reports_name_the_misuse(struct kunit *test)
{
	struct kmag_cache *cache = kmag_test_cache(test, SIZE, 0, 0, NULL);
	struct kmag_cache *other = kmag_test_cache(test, SIZE, 0, 0, NULL);
	void *obj, *twice, *foreign;
	u64 on_stack[20] = {};
	int i;

	kmag_test_alloc(test, cache, &obj, 1);
	kmag_test_alloc(test, cache, &twice, 1);
	kmag_test_alloc(test, other, &foreign, 1);
	free_to_slab(cache, on_stack);
	KUNIT_EXPECT_EQ(test, kmag_test_logged(cache, "none of kmag's slabs"),
			1);
	free_to_slab(cache, foreign);
	KUNIT_EXPECT_EQ(test, kmag_test_logged(cache, "to another cache"), 1);
	free_to_slab(cache, obj + 8);
	KUNIT_EXPECT_EQ(test, kmag_test_logged(cache, "where an object starts"),
			1);
	free_to_slab(cache, twice);
	free_to_slab(cache, twice);
	KUNIT_EXPECT_EQ(test, kmag_test_logged(cache, "was freed before"), 1);
	KUNIT_EXPECT_EQ(test, kmag_test_logged(cache, "bad free"), 4);
	KUNIT_EXPECT_EQ(test, kmag_test_logged(other, "bad free"), 0);

	/* Of a whole magazine of them the first, though all are counted. */
	for (i = 0; i < ARRAY_SIZE(on_stack); i++)
		kmag_cache_free(cache, &on_stack[i]);
	kmag_cache_shrink(cache);
	KUNIT_EXPECT_EQ(test, kmag_test_stat(cache, KMAG_FREE_BAD),
			4 + ARRAY_SIZE(on_stack));
	KUNIT_EXPECT_EQ(test, kmag_test_logged(cache, "bad free"),
			4 + KMAG_BAD_SHOWN);
	kmag_cache_free(cache, obj);
	kmag_cache_free(other, foreign);
}

/* KASAN is told what may be touched, also of objects in magazines. */
static void shadow_follows_objects(struct kunit *test)
{
	struct kmag_cache *cache = kmag_test_cache(test, 92, 0, 0, NULL);
	void *obj, *next, *at;

	if (!IS_ENABLED(CONFIG_KASAN_GENERIC))
		kunit_skip(test, "needs KASAN");
	obj = kmag_cache_alloc(cache, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, obj);
	for (at = obj; at < obj + 88; at += 8)
		KUNIT_EXPECT_EQ(test, kmag_test_shadow(at), 0);
	/* Of the last eight bytes, four. */
	KUNIT_EXPECT_EQ(test, kmag_test_shadow(obj + 88), 4);
	for (at = obj + 96; at < obj + cache->stride; at += 8)
		KUNIT_EXPECT_EQ(test, kmag_test_shadow(at), 0xfc);
	/* The next one is in the magazine, and nobody's. */
	next = kmag_test_cpu(cache)->fast.objs[0];
	KUNIT_EXPECT_EQ(test, kmag_test_shadow(next), 0xfc);

	kmag_cache_free(cache, obj);
	for (at = obj; at < obj + 96; at += 8)
		KUNIT_EXPECT_EQ(test, kmag_test_shadow(at), 0xfb);
	/* So what is freed twice is found at once. */
	kmag_cache_free(cache, obj);
	KUNIT_EXPECT_EQ(test, kmag_test_stat(cache, KMAG_FREE_BAD), 1);
	KUNIT_EXPECT_PTR_EQ(test, kmag_cache_alloc(cache, GFP_KERNEL), obj);
	KUNIT_EXPECT_EQ(test, kmag_test_shadow(obj), 0);
	kmag_cache_free(cache, obj);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(double_free_in_magazines),
	KUNIT_CASE(double_free_in_its_slab),
	KUNIT_CASE(wrong_into_an_empty_slab),
	KUNIT_CASE(double_free_after_its_slab),
	KUNIT_CASE(foreign_pointers),
	KUNIT_CASE(interior_pointers),
	KUNIT_CASE(pointers_of_another_cache),
	KUNIT_CASE(wrong_among_the_right),
	KUNIT_CASE(reports_name_the_misuse),
	KUNIT_CASE(shadow_follows_objects),
	{}
};

static struct kunit_suite suite = {
	.name = "kmag_debug",
	.init = kmag_test_init,
	.test_cases = cases,
};

kunit_test_suite(suite);
