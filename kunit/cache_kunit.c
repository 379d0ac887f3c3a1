// SPDX-License-Identifier: GPL-2.0
/*
 * Caches: what may be asked for, what is then had, and how they go.
 */
#include <kunit/test.h>
#include <linux/atomic.h>
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "slab.h"
#include "util.h"

static void refuses_bad_arguments(struct kunit *test)
{
	static const struct {
		const char *name;
		unsigned int size, align, flags, layout;
	} bad[] = {
		{ NULL, 64, 0, 0, KMAG_LAYOUT },
		{ "", 64, 0, 0, KMAG_LAYOUT },
		{ "bad", 0, 0, 0, KMAG_LAYOUT },
		{ "bad", KMAG_MAX_SIZE + 1, 0, 0, KMAG_LAYOUT },
		{ "bad", UINT_MAX, 0, 0, KMAG_LAYOUT },
		{ "bad", 64, 3, 0, KMAG_LAYOUT },
		{ "bad", 64, 24, 0, KMAG_LAYOUT },
		{ "bad", 64, 2 * PAGE_SIZE, 0, KMAG_LAYOUT },
		{ "bad", 64, 1U << 31, 0, KMAG_LAYOUT },
		{ "bad", 64, 0, 1U << 4, KMAG_LAYOUT },
		{ "bad", 64, 0, 1U << 31, KMAG_LAYOUT },
		{ "bad", 64, 0, 0, KMAG_LAYOUT + 1 },
		{ "bad", 64, 0, 0, 0 },
	};
	unsigned int nr = kmag_test_nr_caches();
	int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		KUNIT_EXPECT_NULL_MSG(test,
				      __kmag_cache_create(bad[i].name,
							  bad[i].size,
							  bad[i].align,
							  bad[i].flags, NULL,
							  bad[i].layout),
				      "case %d", i);
	KUNIT_EXPECT_EQ(test, kmag_test_nr_caches(), nr);
}

static const unsigned int sizes[] = {
	1, 7, 8, 9, 24, 64, 65, 96, 128, 192, 256, 257, 700, 1024, 1025, 1500,
	2048, 3000, 4095, 4096, 4097, 8192, 9000, 16384, 20000, 32768, 32769,
	65536, 100000, KMAG_MAX_SIZE,
};

static void size_desc(const unsigned int *size, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%u bytes", *size);
}

KUNIT_ARRAY_PARAM(sizes, sizes, size_desc);

static void one_of_the_matrix(struct kunit *test, unsigned int size,
			      unsigned int align, unsigned int flags)
{
	const unsigned int nr = size > 16384 ? 6 : size > 1024 ? 40 : 150;
	struct kmag_cache *cache = kmag_test_cache(test, size, align, flags,
						   NULL);
	void **objs = kmag_test_array(test, nr);
	unsigned int i, want;

	want = max_t(unsigned int, align, sizeof(void *));
	if ((flags & KMAG_HWCACHE_ALIGN) && size > cache_line_size() / 2)
		want = max_t(unsigned int, want, cache_line_size());
	KUNIT_EXPECT_EQ(test, kmag_cache_size(cache), size);
	kmag_test_alloc(test, cache, objs, nr);
	for (i = 0; i < nr; i++) {
		KUNIT_ASSERT_TRUE(test, IS_ALIGNED((unsigned long)objs[i],
						   want));
		kmag_test_fill(cache, objs[i], i);
	}
	/* All filled, and none in the way of another. */
	for (i = 0; i < nr; i++)
		KUNIT_ASSERT_TRUE(test, kmag_test_intact(cache, objs[i], i));
	kmag_test_exact(test, cache, nr);
	kmag_test_free(cache, objs, nr);
	kmag_test_destroy(test, cache);
}

static void size_and_alignment(struct kunit *test)
{
	static const unsigned int aligns[] = { 0, 1, 16, 512, PAGE_SIZE };
	const unsigned int size = *(const unsigned int *)test->param_value;
	unsigned int nr = kmag_test_nr_caches();
	int i;

	for (i = 0; i < ARRAY_SIZE(aligns); i++)
		one_of_the_matrix(test, size, aligns[i], 0);
	one_of_the_matrix(test, size, 0, KMAG_HWCACHE_ALIGN);
	KUNIT_EXPECT_EQ(test, kmag_test_nr_caches(), nr);
}

/* Constructed state, and how often it was made. */
struct built {
	u64 magic;
	struct built *self;
	u64 uses;
	u64 state[5];
};

#define BUILT_MAGIC	0x6275696c74206f6bULL

static atomic_t built;

static void build(void *obj)
{
	struct built *b = obj;

	b->magic = BUILT_MAGIC;
	b->self = b;
	b->uses = 0;
	memset(b->state, 0x3c, sizeof(b->state));
	atomic_inc(&built);
}

static bool is_built(const struct built *b)
{
	return b->magic == BUILT_MAGIC && b->self == b &&
	       !memchr_inv(b->state, 0x3c, sizeof(b->state));
}

/* Slots of all slabs that were ever made: all slabs are of one kind here. */
static unsigned long slots_made(struct kmag_cache *cache)
{
	return kmag_test_stat(cache, KMAG_SLAB_NEW) * cache->slab_slots;
}

static void constructs_once_a_slot(struct kunit *test)
{
	struct kmag_cache *cache;
	const unsigned int nr = 2000;
	void **objs = kmag_test_array(test, nr);
	unsigned long uses = 0, made;
	struct rnd_state rnd;
	unsigned int i, round;

	atomic_set(&built, 0);
	cache = kmag_test_cache(test, sizeof(struct built), 0, 0, build);
	KUNIT_EXPECT_EQ(test, atomic_read(&built), 0);
	kunit_info(test, "seed %#lx\n", KMAG_TEST_SEED);
	prandom_seed_state(&rnd, KMAG_TEST_SEED);

	/* Some stay: what comes back afterwards remembers its uses. */
	for (round = 0; round < 5; round++) {
		for (i = 0; i < nr; i++) {
			struct built *b = objs[i];

			if (!b) {
				kmag_test_alloc(test, cache, &objs[i], 1);
				b = objs[i];
			}
			KUNIT_ASSERT_TRUE(test, is_built(b));
			b->uses++;
			uses++;
		}
		for (i = 0; i < nr; i++) {
			if (prandom_u32_state(&rnd) % 16 == 0)
				continue;
			kmag_cache_free(cache, objs[i]);
			objs[i] = NULL;
		}
		if (round == 2)
			KUNIT_EXPECT_EQ(test, kmag_cache_shrink(cache), 1);
	}
	made = slots_made(cache);
	KUNIT_EXPECT_EQ(test, atomic_read(&built), made);
	/* So some slots were used again and again, in the state they had. */
	KUNIT_EXPECT_GT(test, uses, made);
	for (i = 0; i < nr; i++)
		kmag_cache_free(cache, objs[i]);

	KUNIT_EXPECT_EQ(test, kmag_cache_shrink(cache), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&built), made);
	kmag_test_alloc(test, cache, objs, 1);
	KUNIT_EXPECT_TRUE(test, is_built(objs[0]));
	KUNIT_EXPECT_EQ(test, ((struct built *)objs[0])->uses, 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&built), slots_made(cache));
	KUNIT_EXPECT_GT(test, atomic_read(&built), made);
	kmag_cache_free(cache, objs[0]);
}

/* An object that is freed and had again is the one with the same history. */
static void keeps_state_through_the_slab(struct kunit *test)
{
	struct kmag_cache *cache;
	const unsigned int nr = 500;
	void **objs = kmag_test_array(test, nr);
	void **back = kmag_test_array(test, nr / 2);
	unsigned int i, again = 0;

	cache = kmag_test_cache(test, sizeof(struct built), 0, 0, build);
	kmag_test_alloc(test, cache, objs, nr);
	for (i = 0; i < nr; i++)
		((struct built *)objs[i])->uses = 77;
	/* Every other one goes home: no slab is empty, so none is lost. */
	for (i = 0; i < nr; i += 2)
		kmag_cache_free(cache, objs[i]);
	kmag_cache_shrink(cache);
	KUNIT_ASSERT_EQ(test, kmag_cache_alloc_bulk(cache, GFP_KERNEL, nr / 2,
						    back), nr / 2);
	for (i = 0; i < nr; i += 2) {
		struct built *b = back[i / 2];

		objs[i] = b;
		KUNIT_ASSERT_TRUE(test, is_built(b));
		KUNIT_ASSERT_TRUE(test, b->uses == 77 || b->uses == 0);
		again += b->uses == 77;
	}
	KUNIT_EXPECT_EQ(test, again, nr / 2);
	kmag_test_free(cache, objs, nr);
}

static void names_and_ids(struct kunit *test)
{
	static const char longname[] = "a/name of more than 31 characters, kept";
	/* One word, and a folder. */
	static const char kept[] = "a_name_of_more_than_31_characte";
	struct kmag_cache *a, *b;
	struct kmag_snap_cache *snap;

	a = kmag_cache_create(longname, 64, 0, 0, NULL);
	KUNIT_ASSERT_NOT_NULL(test, a);
	b = kmag_cache_create(longname, 64, 0, KMAG_RECLAIM_ACCOUNT, NULL);
	KUNIT_EXPECT_NOT_NULL(test, b);
	snap = kmag_test_snap(test, a);
	KUNIT_EXPECT_STREQ(test, snap->name, kept);
	KUNIT_EXPECT_EQ(test, snap->flags, 0);
	kvfree(snap);
	if (b) {
		KUNIT_EXPECT_GT(test, kmag_cache_id(b), kmag_cache_id(a));
		snap = kmag_test_snap(test, b);
		KUNIT_EXPECT_EQ(test, snap->flags, KMAG_RECLAIM_ACCOUNT);
		kvfree(snap);
	}
	kmag_cache_destroy(a);
	kmag_cache_destroy(b);

	a = KMAG_CACHE(built, KMAG_HWCACHE_ALIGN);
	KUNIT_ASSERT_NOT_NULL(test, a);
	KUNIT_EXPECT_STREQ(test, a->name, "built");
	KUNIT_EXPECT_EQ(test, kmag_cache_size(a), sizeof(struct built));
	kmag_cache_destroy(a);
}

/* Each magazine that a new cache needs fails once. */
static void create_fails_whole(struct kunit *test)
{
	struct kmag_test_source *source = kmag_test_magazines(test);
	unsigned int nr = kmag_test_nr_caches();
	struct kmag_cache *cache;
	unsigned long calls, i;

	cache = kmag_cache_create("kunit", 64, 0, 0, NULL);
	KUNIT_ASSERT_NOT_NULL(test, cache);
	calls = source->calls;
	kmag_cache_destroy(cache);
	/* Two a CPU, and some a node. */
	KUNIT_EXPECT_GT(test, calls, 2 * num_possible_cpus());
	KUNIT_EXPECT_FALSE(test, kmag_test_magazines_left(test));

	for (i = 1; i <= calls; i++) {
		source->calls = 0;
		source->fail_from = i;
		source->fail_to = i;
		cache = kmag_cache_create("kunit", 64, 0, 0, NULL);
		KUNIT_EXPECT_NULL(test, cache);
		KUNIT_EXPECT_EQ(test, source->calls, i);
		KUNIT_EXPECT_FALSE(test, kmag_test_magazines_left(test));
		KUNIT_EXPECT_EQ(test, kmag_test_nr_caches(), nr);
		if (cache)
			kmag_cache_destroy(cache);
	}
}

/* And so does each other allocation, the cache itself to begin with. */
static void create_survives_each_failure(struct kunit *test)
{
	unsigned int nr = kmag_test_nr_caches(), nth, left, failed = 0;
	int held = kmag_test_module_held(test);
	struct kmag_cache *cache;

	if (!kmag_test_fail_sleepers())
		kunit_skip(test, "needs fault injection");
	for (nth = 1, left = 0; !left && nth < 500; nth++) {
		void *obj;

		kmag_test_fail_nth(nth);
		cache = kmag_cache_create("kunit", 64, 0, 0, NULL);
		left = kmag_test_fail_left();
		kmag_test_fail_nth(0);
		KUNIT_EXPECT_EQ(test, kmag_test_nr_caches(), nr + !!cache);
		KUNIT_EXPECT_EQ(test, kmag_test_module_held(test),
				held + !!cache);
		if (!cache) {
			failed++;
			continue;
		}
		/* Without its folder in debugfs, perhaps, but a cache. */
		kmag_test_alloc(test, cache, &obj, 1);
		kmag_test_exact(test, cache, 1);
		kmag_cache_free(cache, obj);
		kmag_cache_destroy(cache);
	}
	/* The cache, its nodes, and two magazines a CPU cannot be done without. */
	KUNIT_EXPECT_GE(test, failed, 2 + 2 * num_possible_cpus());
	KUNIT_EXPECT_GT(test, left, 0);
}

static void holds_the_module(struct kunit *test)
{
	int held = kmag_test_module_held(test);
	struct kmag_cache *cache;

	cache = kmag_cache_create("kunit", 64, 0, 0, NULL);
	KUNIT_ASSERT_NOT_NULL(test, cache);
	KUNIT_EXPECT_EQ(test, kmag_test_module_held(test), held + 1);
	kmag_cache_destroy(cache);
	KUNIT_EXPECT_EQ(test, kmag_test_module_held(test), held);
}

/*
 * Destroyed with objects in use. What stays for ever in earnest is brought
 * home here, by a second destroy, once the last object is free.
 */
static void leak_is_no_crash(struct kunit *test)
{
	const unsigned int nr = 300;
	void **objs = kmag_test_array(test, nr);
	unsigned int caches = kmag_test_nr_caches();
	int held = kmag_test_module_held(test);
	struct kmag_snap_cache *snap;
	struct kmag_cache *cache;
	unsigned long made;
	unsigned int i, id;

	cache = kmag_cache_create("kunit_leak", sizeof(struct built), 0, 0,
				  build);
	KUNIT_ASSERT_NOT_NULL(test, cache);
	id = kmag_cache_id(cache);
	kmag_test_alloc(test, cache, objs, nr);
	for (i = 5; i < nr; i++)
		kmag_cache_free(cache, objs[i]);
	atomic_set(&built, 0);
	made = kmag_test_stat(cache, KMAG_SLAB_NEW);
	kmag_cache_destroy(cache);

	/* What is in use is intact, what is not has gone back. */
	KUNIT_EXPECT_EQ(test, kmag_test_nr_caches(), caches + 1);
	KUNIT_EXPECT_EQ(test, kmag_test_module_held(test), held + 1);
	for (i = 0; i < 5; i++)
		KUNIT_EXPECT_TRUE(test, is_built(objs[i]));
	snap = kmag_test_snap(test, cache);
	KUNIT_EXPECT_EQ(test, snap->id, id);
	KUNIT_EXPECT_TRUE(test, snap->flags & KMAG_CF_DEAD);
	KUNIT_EXPECT_EQ(test, snap->live, 5);
	KUNIT_EXPECT_LE(test, snap->slabs, 5);
	KUNIT_EXPECT_EQ(test, snap->cpu_objs + snap->depot_objs, 0);
	/* It is told how many, and in which slabs. */
	KUNIT_EXPECT_EQ(test, kmag_test_logged(cache, "with 5 objects in use"),
			1);
	KUNIT_EXPECT_EQ(test, kmag_test_logged(cache, ":   slab "),
			snap->slabs);
	kvfree(snap);

	/*
	 * A late free finds all in its place. The constructor's code may be
	 * gone: it is not called, though somebody even goes on to allocate.
	 */
	kmag_test_alloc(test, cache, objs + 5, nr - 5);
	KUNIT_EXPECT_GT(test, kmag_test_stat(cache, KMAG_SLAB_NEW), made);
	kmag_test_exact(test, cache, nr);
	kmag_test_free(cache, objs, nr);
	kmag_test_exact(test, cache, 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&built), 0);
	KUNIT_EXPECT_EQ(test, kmag_test_module_held(test), held + 1);

	kmag_cache_destroy(cache);
	KUNIT_EXPECT_EQ(test, kmag_test_nr_caches(), caches);
	KUNIT_EXPECT_EQ(test, kmag_test_module_held(test), held);
}

/* A leak in many slabs is told of some of them, and how many more. */
static void leak_report_is_short(struct kunit *test)
{
	struct kmag_cache *cache;
	const unsigned int nr = 12;
	void *objs[12];
	int i;

	cache = kmag_cache_create("kunit_leak", KMAG_MAX_SIZE, 0, 0, NULL);
	KUNIT_ASSERT_NOT_NULL(test, cache);
	KUNIT_ASSERT_EQ(test, cache->slab_slots, 1);
	kmag_test_alloc(test, cache, objs, nr);
	kmag_cache_destroy(cache);
	KUNIT_EXPECT_EQ(test, kmag_test_logged(cache, "with 12 objects in use"),
			1);
	KUNIT_EXPECT_EQ(test, kmag_test_logged(cache, ":   slab "), 8);
	KUNIT_EXPECT_EQ(test, kmag_test_logged(cache, "1 of 1 in use"), 8);
	KUNIT_EXPECT_EQ(test, kmag_test_logged(cache, "and 4 more slabs"), 1);
	for (i = 0; i < nr; i++)
		kmag_cache_free(cache, objs[i]);
	kmag_cache_destroy(cache);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(refuses_bad_arguments),
	KUNIT_CASE_PARAM(size_and_alignment, sizes_gen_params),
	KUNIT_CASE(constructs_once_a_slot),
	KUNIT_CASE(keeps_state_through_the_slab),
	KUNIT_CASE(names_and_ids),
	KUNIT_CASE(create_fails_whole),
	KUNIT_CASE(create_survives_each_failure),
	KUNIT_CASE(holds_the_module),
	KUNIT_CASE(leak_is_no_crash),
	KUNIT_CASE(leak_report_is_short),
	{}
};

static struct kunit_suite suite = {
	.name = "kmag_cache",
	.init = kmag_test_init,
	.test_cases = cases,
};

kunit_test_suite(suite);
