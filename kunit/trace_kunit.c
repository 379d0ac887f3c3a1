// SPDX-License-Identifier: GPL-2.0
/*
 * Tracepoints: who hooks into one makes operations odd, and who goes leaves nothing
 * behind. What events say is looked at from user space, selftests/kmag_trace.c.
 */
#include <kunit/test.h>
#include <linux/jump_label.h>
#include <linux/mm.h>
#include <linux/nodemask.h>
#include <linux/tracepoint.h>

#include "depot.h"
#include "field.h"
#include "slab.h"
#include "trace.h"
#include "util.h"

/* What the probes saw of one cache. */
struct seen {
	const struct kmag_cache *cache;
	unsigned int allocs, frees;
	const void *ptr;
	unsigned long call_site;
	gfp_t gfp;
	int node;
	unsigned int full, full_got, empty, empty_got;
	unsigned int slabs;
	const void *base;
	unsigned int fences, marked;
};

static void see_alloc(void *data, const struct kmag_cache *cache,
		      const void *ptr, unsigned long call_site, gfp_t gfp,
		      int node)
{
	struct seen *seen = data;

	if (cache != seen->cache)
		return;
	seen->allocs++;
	seen->ptr = ptr;
	seen->call_site = call_site;
	seen->gfp = gfp;
	seen->node = node;
}

static void see_free(void *data, const struct kmag_cache *cache,
		     const void *ptr, unsigned long call_site)
{
	struct seen *seen = data;

	if (cache != seen->cache)
		return;
	seen->frees++;
	seen->ptr = ptr;
}

static void see_exchange(void *data, const struct kmag_cache *cache, bool full,
			 bool got)
{
	struct seen *seen = data;

	if (cache != seen->cache)
		return;
	seen->full += full;
	seen->full_got += full && got;
	seen->empty += !full;
	seen->empty_got += !full && got;
}

static void see_slab(void *data, const struct kmag_cache *cache,
		     const struct kmag_slab *slab)
{
	struct seen *seen = data;

	if (cache != seen->cache)
		return;
	seen->slabs++;
	seen->base = slab->base;
}

static void see_fence(void *data, const struct kmag_cache *cache, bool marked)
{
	struct seen *seen = data;

	if (cache != seen->cache)
		return;
	seen->fences++;
	seen->marked += marked;
}

static int keys(bool alloc)
{
	return static_key_count(alloc ? &kmag_alloc_is_odd.key :
				&kmag_free_is_odd.key);
}

static void on_and_off(struct kunit *test)
{
	struct seen seen = { kmag_test_cache(test, 64, 0, 0, NULL) };
	struct kmag_cache *cache = (struct kmag_cache *)seen.cache;
	int alloc_keys = keys(true), free_keys = keys(false);
	void *obj;

	if (!IS_ENABLED(CONFIG_TRACEPOINTS))
		kunit_skip(test, "no tracepoints in this kernel");
	KUNIT_EXPECT_EQ(test, register_trace_kmag_alloc(see_alloc, &seen), 0);
	KUNIT_EXPECT_EQ(test, keys(true), alloc_keys + 1);
	KUNIT_EXPECT_EQ(test, keys(false), free_keys);
	KUNIT_EXPECT_EQ(test, register_trace_kmag_free(see_free, &seen), 0);
	KUNIT_EXPECT_EQ(test, keys(false), free_keys + 1);
	obj = kmag_cache_alloc(cache, GFP_KERNEL);
	KUNIT_EXPECT_EQ(test, seen.allocs, 1);
	KUNIT_EXPECT_PTR_EQ(test, seen.ptr, (const void *)obj);
	KUNIT_EXPECT_NE(test, seen.call_site, 0);
	kmag_cache_free(cache, obj);
	KUNIT_EXPECT_EQ(test, seen.frees, 1);

	/* Who goes leaves no key on: or all would be dear from then on. */
	unregister_trace_kmag_alloc(see_alloc, &seen);
	unregister_trace_kmag_free(see_free, &seen);
	tracepoint_synchronize_unregister();
	KUNIT_EXPECT_EQ(test, keys(true), alloc_keys);
	KUNIT_EXPECT_EQ(test, keys(false), free_keys);
	kmag_cache_free(cache, kmag_cache_alloc(cache, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, seen.allocs, 1);
	KUNIT_EXPECT_EQ(test, seen.frees, 1);
}

static void tells_what_was_asked_for(struct kunit *test)
{
	struct seen seen = { kmag_test_cache(test, 64, 0, 0, NULL) };
	struct kmag_cache *cache = (struct kmag_cache *)seen.cache;
	int node = first_node(node_states[N_MEMORY]), nodes = 0;
	void *obj;

	if (!IS_ENABLED(CONFIG_TRACEPOINTS))
		kunit_skip(test, "no tracepoints in this kernel");
	KUNIT_EXPECT_EQ(test, register_trace_kmag_alloc(see_alloc, &seen), 0);
	obj = kmag_cache_alloc(cache, GFP_NOWAIT);
	KUNIT_EXPECT_TRUE(test, seen.gfp == GFP_NOWAIT);
	KUNIT_EXPECT_EQ(test, seen.node, NUMA_NO_NODE);
	kmag_cache_free(cache, obj);
	obj = kmag_cache_alloc_node(cache, GFP_KERNEL | __GFP_THISNODE, node);
	KUNIT_EXPECT_TRUE(test, seen.gfp == (GFP_KERNEL | __GFP_THISNODE));
	KUNIT_EXPECT_EQ(test, seen.node, node);
	KUNIT_EXPECT_PTR_EQ(test, seen.ptr, (const void *)obj);
	kmag_cache_free(cache, obj);
	/* Whether it is this CPU's or not, and so another way. */
	for_each_node_state(node, N_MEMORY) {
		nodes++;
		obj = kmag_cache_alloc_node(cache, GFP_KERNEL, node);
		KUNIT_EXPECT_TRUE(test, seen.gfp == GFP_KERNEL);
		KUNIT_EXPECT_EQ(test, seen.node, node);
		KUNIT_EXPECT_PTR_EQ(test, seen.ptr, (const void *)obj);
		KUNIT_EXPECT_NE(test, seen.call_site, 0);
		kmag_cache_free(cache, obj);
	}
	KUNIT_EXPECT_EQ(test, seen.allocs, 2 + nodes);
	unregister_trace_kmag_alloc(see_alloc, &seen);
	tracepoint_synchronize_unregister();
}

static void tells_of_slow_paths(struct kunit *test)
{
	struct seen seen = { kmag_test_cache(test, 64, 0, 0, NULL) };
	struct kmag_cache *cache = (struct kmag_cache *)seen.cache;
	unsigned int nr = 4 * cache->capacity;
	void **objs = kmag_test_array(test, nr);

	if (!IS_ENABLED(CONFIG_TRACEPOINTS))
		kunit_skip(test, "no tracepoints in this kernel");
	KUNIT_EXPECT_EQ(test, register_trace_kmag_depot_exchange(see_exchange,
								 &seen), 0);
	KUNIT_EXPECT_EQ(test, register_trace_kmag_slab_create(see_slab, &seen),
			0);
	kmag_test_alloc(test, cache, objs, nr);
	KUNIT_EXPECT_EQ(test, seen.slabs,
			kmag_test_stat(cache, KMAG_SLAB_NEW));
	KUNIT_EXPECT_PTR_EQ(test, seen.base,
			    (const void *)kmag_test_slab_of(seen.base)->base);
	/* Nothing there to be had, and nobody asked. */
	KUNIT_EXPECT_EQ(test, seen.full_got, 0);
	kmag_test_free(cache, objs, nr);
	KUNIT_EXPECT_EQ(test, seen.empty_got,
			kmag_test_stat(cache, KMAG_FREE_DEPOT));
	KUNIT_EXPECT_GT(test, seen.empty_got, 0);
	kmag_test_alloc(test, cache, objs, nr);
	KUNIT_EXPECT_EQ(test, seen.full_got,
			kmag_test_stat(cache, KMAG_ALLOC_DEPOT));
	KUNIT_EXPECT_GT(test, seen.full_got, 0);
	KUNIT_EXPECT_EQ(test, seen.full + seen.empty,
			kmag_test_stat(cache, KMAG_DEPOT_VISIT));
	unregister_trace_kmag_depot_exchange(see_exchange, &seen);
	unregister_trace_kmag_slab_create(see_slab, &seen);
	tracepoint_synchronize_unregister();
	kmag_test_free(cache, objs, nr);
}

static void tells_of_fences(struct kunit *test)
{
	struct seen seen = {};
	struct field f;

	if (!IS_ENABLED(CONFIG_TRACEPOINTS))
		kunit_skip(test, "no tracepoints in this kernel");
	f = field_make(test, 2, 12);
	seen.cache = f.cache;
	KUNIT_EXPECT_EQ(test, register_trace_kmag_fence(see_fence, &seen), 0);
	kmag_cache_shrink(f.cache);
	KUNIT_EXPECT_EQ(test, seen.fences, 1);
	KUNIT_EXPECT_EQ(test, seen.marked, 0);
	KUNIT_EXPECT_TRUE(test, field_evacuate(&f));
	KUNIT_EXPECT_EQ(test, seen.fences, 2);
	KUNIT_EXPECT_EQ(test, seen.marked, 1);
	unregister_trace_kmag_fence(see_fence, &seen);
	tracepoint_synchronize_unregister();
	field_finish(test, &f);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(on_and_off),
	KUNIT_CASE(tells_what_was_asked_for),
	KUNIT_CASE(tells_of_slow_paths),
	KUNIT_CASE(tells_of_fences),
	{}
};

static struct kunit_suite suite = {
	.name = "kmag_trace",
	.init = kmag_test_init,
	.test_cases = cases,
};

kunit_test_suite(suite);
