// SPDX-License-Identifier: GPL-2.0
/*
 * Accounting: figures are what is there.
 */
#include <kunit/test.h>
#include <linux/bitmap.h>
#include <linux/err.h>
#include <linux/list.h>
#include <linux/slab.h>

#include "account.h"
#include "depot.h"
#include "magazine.h"
#include "slab.h"
#include "util.h"

/* Slabs of the order that is fallen back to, and of the other. */
enum { LOW, HIGH };

/* The fewest bytes of such slabs that hold so many objects: by trying. */
static u64 fewest_bytes(const struct kmag_cache *cache, const u64 *slabs, u64 live)
{
	const size_t bytes[] = { PAGE_SIZE << cache->min_order,
				 PAGE_SIZE << cache->order };
	u64 low, high, best = U64_MAX;

	for (low = 0; low <= slabs[LOW]; low++)
		for (high = 0; high <= slabs[HIGH]; high++)
			if (low * (bytes[LOW] / cache->stride) +
			    high * (bytes[HIGH] / cache->stride) >= live)
				best = min(best, low * bytes[LOW] +
						 high * bytes[HIGH]);
	return best;
}

/* What each CPU and each node is shown with, against what it has. */
static void compare_cpus_and_nodes(struct kunit *test, struct kmag_cache *cache,
				   struct kmag_snap_cache *s)
{
	struct kmag_snap_node *node = kmag_snapshot_nodes(s);
	struct kmag_snap_cpu *out = kmag_snapshot_cpus(s);
	unsigned int nr;
	int nid, class;

	for_each_possible_cpu(nr) {
		struct kmag_cpu *cpu = per_cpu_ptr(cache->cpu, nr);

		KUNIT_EXPECT_EQ(test, out->cpu, nr);
		KUNIT_EXPECT_EQ(test, !!out->online, cpu_online(nr));
		KUNIT_EXPECT_EQ(test, !!out->closed,
				cpu->gate != KMAG_GATE_OPEN);
		KUNIT_EXPECT_EQ(test, out->loaded, cpu->fast.rounds);
		KUNIT_EXPECT_EQ(test, out->loaded_cap,
				kmag_magazine_of(cpu->fast.objs)->cap);
		KUNIT_EXPECT_EQ(test, out->previous, cpu->fast.prev_rounds);
		KUNIT_EXPECT_EQ(test, out->previous_cap,
				kmag_magazine_of(cpu->fast.prev_objs)->cap);
		KUNIT_EXPECT_EQ(test, out->allocs, cpu->fast.allocs);
		KUNIT_EXPECT_EQ(test, out->frees, cpu->fast.frees);
		out++;
	}
	for_each_node(nid) {
		struct kmag_node *in = cache->node[nid];

		KUNIT_EXPECT_EQ(test, node->node, nid);
		KUNIT_EXPECT_EQ(test, node->full, in->depot.nr_full);
		KUNIT_EXPECT_EQ(test, node->empty, in->depot.nr_empty);
		KUNIT_EXPECT_EQ(test, node->full_max, in->depot.full_max);
		/* The worker may just begin a new interval. */
		KUNIT_EXPECT_LE(test, node->full_min, node->full);
		KUNIT_EXPECT_EQ(test, node->slabs, in->nr_slabs);
		KUNIT_EXPECT_EQ(test, node->slots, in->slots);
		KUNIT_EXPECT_EQ(test, node->slab_free, in->free);
		for (class = 0; class < KMAG_SNAP_CLASSES; class++)
			KUNIT_EXPECT_EQ(test, node->slabs_by_class[class],
					in->nr[class]);
		node++;
	}
	KUNIT_EXPECT_EQ(test, !!(s->flags & KMAG_CF_CTOR), !!cache->ctor);
	KUNIT_EXPECT_EQ(test, !!(s->flags & KMAG_CF_DEAD), cache->dead);
}

/* Slabs that a node's lists have of a class; each must belong there. */
static u64 listed(struct kunit *test, struct kmag_node *node, int class)
{
	struct kmag_slab *slab;
	u64 nr = 0;

	if (class == KMAG_EMPTY)
		return list_count_nodes(&node->empty);
	hlist_for_each_entry(slab, &node->partial[class], hlist) {
		KUNIT_EXPECT_EQ(test, slab->class, class);
		nr++;
	}
	return nr;
}

/* Count what a quiet cache has, slab by slab, and compare. */
static void compare_with_a_walk(struct kunit *test, struct kmag_cache *cache)
{
	struct kmag_snap_cache *s;
	u64 by_class[KMAG_SNAP_CLASSES] = {}, on_list;
	u64 slabs = 0, slots = 0, away = 0, bytes = 0, tail = 0, empty = 0;
	u64 meta, mags = 0, cpu_objs = 0, depot_objs = 0;
	u64 empty_bytes = 0, orders[2] = {};
	unsigned long nr_page = 0;
	struct kmag_slab *slab;
	unsigned int nr;
	int nid, class;

	/* Or the worker may do it between the two looks. */
	for_each_node(nid)
		kmag_depot_stock(cache, nid);
	s = kmag_test_snap(test, cache);
	meta = struct_size(cache, node, nr_node_ids) +
	       num_possible_cpus() * sizeof(struct kmag_cpu);
	while ((slab = kmag_test_next_slab(cache, &nr_page))) {
		unsigned int out = bitmap_weight(slab->away, slab->slots);

		slabs++;
		by_class[kmag_slab_class(slab->slots, out)]++;
		slots += slab->slots;
		away += out;
		if (!out) {
			empty += slab->slots;
			empty_bytes += PAGE_SIZE << slab->order;
		}
		orders[slab->order == cache->order]++;
		bytes += PAGE_SIZE << slab->order;
		tail += (PAGE_SIZE << slab->order) - slab->slots * cache->stride;
		meta += kmag_slab_meta(slab);
	}
	/* Full slabs are on no list; of the others, each is on the right one. */
	for (class = KMAG_EMPTY; class < KMAG_FULL; class++) {
		on_list = 0;
		for_each_node(nid)
			on_list += listed(test, cache->node[nid], class);
		KUNIT_EXPECT_EQ(test, on_list, by_class[class]);
	}
	for_each_node(nid) {
		struct kmag_node *node = cache->node[nid];
		struct kmag_magazine *mag;

		meta += sizeof(*node);
		for (mag = node->depot.full; mag; mag = mag->next) {
			depot_objs += mag->cap;
			mags += kmag_magazine_bytes(mag);
		}
		for (mag = node->depot.empty; mag; mag = mag->next)
			mags += kmag_magazine_bytes(mag);
	}
	for_each_possible_cpu(nr) {
		struct kmag_pcp *pcp = &per_cpu_ptr(cache->cpu, nr)->fast;

		cpu_objs += pcp->rounds + pcp->prev_rounds;
		mags += kmag_magazine_bytes(kmag_magazine_of(pcp->objs)) +
			kmag_magazine_bytes(kmag_magazine_of(pcp->prev_objs));
	}

	KUNIT_EXPECT_EQ(test, s->slabs, slabs);
	for (class = 0; class < KMAG_SNAP_CLASSES; class++)
		KUNIT_EXPECT_EQ(test, s->slabs_by_class[class], by_class[class]);
	KUNIT_EXPECT_EQ(test, s->slots, slots);
	KUNIT_EXPECT_EQ(test, s->slab_free, slots - away);
	KUNIT_EXPECT_EQ(test, s->empty_free, empty);
	KUNIT_EXPECT_EQ(test, s->cpu_objs, cpu_objs);
	KUNIT_EXPECT_EQ(test, s->depot_objs, depot_objs);
	KUNIT_EXPECT_EQ(test, s->live, away - cpu_objs - depot_objs);
	KUNIT_EXPECT_EQ(test, s->slabs_needed,
			DIV_ROUND_UP(s->live, cache->slab_slots));
	KUNIT_EXPECT_EQ(test, s->empty_bytes, empty_bytes);
	KUNIT_EXPECT_EQ(test, s->needed_bytes,
			fewest_bytes(cache, orders, s->live));
	KUNIT_EXPECT_EQ(test, s->slab_bytes, bytes);
	KUNIT_EXPECT_EQ(test, s->tail_bytes, tail);
	KUNIT_EXPECT_EQ(test, s->meta_bytes, meta);
	KUNIT_EXPECT_EQ(test, s->mag_bytes, mags);
	compare_cpus_and_nodes(test, cache, s);
	kvfree(s);
}

static const unsigned int sizes[] = { 8, 100, 1000, 5000, 40000 };

static void size_desc(const unsigned int *size, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%u bytes", *size);
}

KUNIT_ARRAY_PARAM(sizes, sizes, size_desc);

static void exact_after_random_load(struct kunit *test)
{
	const unsigned int size = *(const unsigned int *)test->param_value;
	const unsigned int nr = size > 4096 ? 100 : 1500;
	struct kmag_cache *cache = kmag_test_cache(test, size, 0, 0, NULL);
	void **objs = kmag_test_array(test, nr);
	unsigned int have = 0, i, step;
	struct rnd_state rnd;

	kunit_info(test, "seed %#lx\n", KMAG_TEST_SEED);
	prandom_seed_state(&rnd, KMAG_TEST_SEED);
	for (step = 0; step < 60; step++) {
		unsigned int run = prandom_u32_state(&rnd) % (nr / 3);

		switch (prandom_u32_state(&rnd) % 8) {
		case 0 ... 2:
			run = min(run, nr - have);
			kmag_test_alloc(test, cache, objs + have, run);
			have += run;
			break;
		case 3:
			run = min(run, nr - have);
			if (run)
				have += kmag_cache_alloc_bulk(cache, GFP_KERNEL,
							      run, objs + have);
			break;
		case 4 ... 5:
			/* In no order that there was before. */
			for (i = 0; i < run && have; i++) {
				u32 at = prandom_u32_state(&rnd) % have;

				kmag_cache_free(cache, objs[at]);
				objs[at] = objs[--have];
			}
			break;
		case 6:
			run = min(run, have);
			have -= run;
			kmag_cache_free_bulk(cache, run, objs + have);
			break;
		default:
			kmag_cache_shrink(cache);
		}
		kmag_test_exact(test, cache, have);
		if (step % 5 == 0)
			compare_with_a_walk(test, cache);
	}
	kmag_test_free(cache, objs, have);
	compare_with_a_walk(test, cache);
}

static void nothing_to_do(void *obj)
{
}

static void exact_with_a_constructor(struct kunit *test)
{
	struct kmag_cache *cache = kmag_test_cache(test, 100, 0, KMAG_ACCOUNT,
						   nothing_to_do);
	void **objs = kmag_test_array(test, 1000);

	compare_with_a_walk(test, cache);
	kmag_test_alloc(test, cache, objs, 1000);
	compare_with_a_walk(test, cache);
	kmag_test_free(cache, objs, 1000);
	compare_with_a_walk(test, cache);
}

/* Slabs that were made under pressure are smaller, and count as they are. */
static void exact_in_both_orders(struct kunit *test)
{
	struct kmag_test_source *pages = kmag_test_pages(test);
	struct kmag_cache *cache = kmag_test_cache(test, 1500, 0, 0, NULL);
	const unsigned int nr = 90;
	void **objs = kmag_test_array(test, nr);
	struct kmag_snap_cache *s;
	u64 new_slab = PAGE_SIZE << cache->order;
	unsigned int i;

	KUNIT_ASSERT_GT(test, cache->order, cache->min_order);
	pages->fail_order = cache->order;
	kmag_test_alloc(test, cache, objs, nr / 2);
	compare_with_a_walk(test, cache);
	s = kmag_test_snap(test, cache);
	KUNIT_EXPECT_LT(test, s->slab_bytes, s->slabs * new_slab);
	/* Packed into new slabs they would need fewer, and more bytes each. */
	KUNIT_EXPECT_GT(test, s->slabs, s->slabs_needed);
	KUNIT_EXPECT_LE(test, s->needed_bytes, s->slab_bytes);
	kvfree(s);

	/* Both side by side, and less and less in them. */
	pages->fail_order = 0;
	kmag_test_alloc(test, cache, objs + nr / 2, nr - nr / 2);
	for (i = 0; i < nr; i++) {
		unsigned int at = i * 7 % nr;

		kmag_cache_free(cache, objs[at]);
		kmag_cache_shrink(cache);
		compare_with_a_walk(test, cache);
	}
	/* The empty ones that are kept. */
	pages->fail_order = cache->order;
	kmag_test_alloc(test, cache, objs, nr);
	pages->fail_order = 0;
	kmag_test_free(cache, objs, nr);
	compare_with_a_walk(test, cache);
}

/* Flags are shown as they are known to users: one of ours has another's bit. */
static void flags_are_shown(struct kunit *test)
{
	static const struct {
		unsigned int flag, shown;
	} flags[] = {
		{ KMAG_HWCACHE_ALIGN, KMAG_CF_HWALIGN },
		{ KMAG_ACCOUNT, KMAG_CF_ACCOUNT },
		{ KMAG_RECLAIM_ACCOUNT, KMAG_CF_RECLAIM },
		{ KMAG_PANIC, 0 },
	};
	unsigned int all = 0, all_shown = 0, i;
	struct kmag_snap_cache *s;

	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		s = kmag_test_snap(test, kmag_test_cache(test, 64, 0,
							 flags[i].flag, NULL));
		KUNIT_EXPECT_EQ(test, s->flags, flags[i].shown);
		kvfree(s);
		all |= flags[i].flag;
		all_shown |= flags[i].shown;
	}
	s = kmag_test_snap(test, kmag_test_cache(test, 64, 0, all,
						 nothing_to_do));
	KUNIT_EXPECT_EQ(test, s->flags, all_shown | KMAG_CF_CTOR);
	kvfree(s);
}

/* The least there ever were of full magazines, and not how many there are. */
static void lowest_level_is_shown(struct kunit *test)
{
	struct kmag_cache *cache = kmag_test_cache(test, 64, 0, 0, NULL);
	struct kmag_depot *depot = &kmag_test_node(cache)->depot;
	const unsigned int nr = 8 * cache->capacity;
	void **objs = kmag_test_array(test, nr);
	struct kmag_snap_node *node;
	struct kmag_snap_cache *s;
	unsigned int low, i;

	kmag_test_alloc(test, cache, objs, nr);
	kmag_test_free(cache, objs, nr);
	for (i = 0; i < 10; i++) {
		/* As after an interval in which all but one were out. */
		low = 1;
		WRITE_ONCE(depot->full_min, low); /* the worker may end it */
		s = kmag_test_snap(test, cache);
		node = kmag_snapshot_nodes(s);
		while (node->node != kmag_this_node())
			node++;
		KUNIT_ASSERT_GT(test, node->full, low);
		if (READ_ONCE(depot->full_min) == low)
			break;
		kvfree(s);
	}
	KUNIT_ASSERT_LT(test, i, 10);
	KUNIT_EXPECT_EQ(test, node->full_min, low);
	kvfree(s);
}

static void snapshots_go_by_id(struct kunit *test)
{
	struct kmag_cache *a = kmag_test_cache(test, 64, 0, 0, NULL);
	struct kmag_cache *b = kmag_test_cache(test, 128, 0, 0, NULL);
	struct kmag_snap_cache *snap;
	unsigned int id;

	snap = kmag_snapshot_next(0, GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, snap);
	KUNIT_EXPECT_GT(test, snap->id, 0);
	KUNIT_EXPECT_LE(test, snap->id, kmag_cache_id(a));
	kvfree(snap);

	/* One that is gone leads to the next one. */
	id = kmag_cache_id(a);
	snap = kmag_test_snap(test, a);
	KUNIT_EXPECT_EQ(test, snap->object_size, 64);
	KUNIT_EXPECT_EQ(test, snap->capacity, a->capacity);
	KUNIT_EXPECT_EQ(test, snap->nr_cpus, num_possible_cpus());
	KUNIT_EXPECT_EQ(test, snap->record_size, sizeof(*snap) +
			snap->nr_cpus * sizeof(struct kmag_snap_cpu) +
			snap->nr_nodes * sizeof(struct kmag_snap_node));
	kvfree(snap);
	kmag_test_destroy(test, a);
	snap = kmag_snapshot_next(id, GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, snap);
	KUNIT_EXPECT_EQ(test, snap->id, kmag_cache_id(b));
	kvfree(snap);
	KUNIT_EXPECT_NULL(test, kmag_snapshot_next(kmag_cache_id(b) + 1,
						   GFP_KERNEL));
	KUNIT_EXPECT_NULL(test, kmag_snapshot_next(UINT_MAX, GFP_KERNEL));
}

/* Those who look need memory: without it they say so, and hold no lock. */
static void looking_needs_memory(struct kunit *test)
{
	struct kmag_cache *cache = kmag_test_cache(test, 64, 0, 0, NULL);
	struct kmag_snap_cache *snap;
	int ret;

	if (!kmag_test_fail_sleepers())
		kunit_skip(test, "needs fault injection");
	kmag_test_fail_nth(1);
	snap = kmag_snapshot_next(kmag_cache_id(cache), GFP_KERNEL);
	kmag_test_fail_nth(0);
	KUNIT_EXPECT_PTR_EQ(test, snap, ERR_PTR(-ENOMEM));
	/* The second is so large that pages come to the rescue. */
	kmag_test_fail_nth(1);
	ret = kmag_cache_validate(cache);
	kmag_test_fail_nth(0);
	KUNIT_EXPECT_EQ(test, ret, -ENOMEM);
	KUNIT_EXPECT_EQ(test, cache->validated, -EAGAIN);
	kmag_test_exact(test, cache, 0);
	KUNIT_EXPECT_EQ(test, cache->validated, 0);
}

static struct kunit_case cases[] = {
	KUNIT_CASE_PARAM(exact_after_random_load, sizes_gen_params),
	KUNIT_CASE(exact_in_both_orders),
	KUNIT_CASE(exact_with_a_constructor),
	KUNIT_CASE(flags_are_shown),
	KUNIT_CASE(lowest_level_is_shown),
	KUNIT_CASE(snapshots_go_by_id),
	KUNIT_CASE(looking_needs_memory),
	{}
};

static struct kunit_suite suite = {
	.name = "kmag_account",
	.init = kmag_test_init,
	.test_cases = cases,
};

kunit_test_suite(suite);
