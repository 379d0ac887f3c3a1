// SPDX-License-Identifier: GPL-2.0
/*
 * Slabs: pages from the page allocator, carved into objects, with their state
 * in a bitmap outside. Above: depot and magazines, which take and give runs.
 * Below: the table and the page allocator.
 */
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "debug.h"
#include "slab.h"
#include "table.h"
#include "trace.h"

/* Slabs moved, or objects given, in one hold of node->lock. */
#define KMAG_SLAB_BATCH	32

/* Entries of the table that a walk looks at before others may run. */
#define KMAG_WALK_PIECE	512

static unsigned int slots_in(const struct kmag_cache *cache, unsigned int order)
{
	return (PAGE_SIZE << order) / cache->stride;
}

/* Bytes behind the last object of a slab. */
static size_t tail_of(const struct kmag_cache *cache, unsigned int order)
{
	return (PAGE_SIZE << order) - slots_in(cache, order) * cache->stride;
}

static bool wastes_little(const struct kmag_cache *cache, unsigned int order)
{
	return tail_of(cache, order) <= PAGE_SIZE << order >> KMAG_WASTE_SHIFT;
}

/*
 * The smallest good order with little waste and enough objects; else with
 * little waste; else the good one that wastes least. An object that needs more
 * than a good order gets the smallest that holds it.
 */
static unsigned int choose_order(const struct kmag_cache *cache)
{
	unsigned int order, best = cache->min_order;

	for (order = best; order <= KMAG_ORDER_GOOD; order++)
		if (wastes_little(cache, order) &&
		    slots_in(cache, order) >= KMAG_SLOTS_GOOD)
			return order;
	for (order = best; order <= KMAG_ORDER_GOOD; order++) {
		if (wastes_little(cache, order))
			return order;
		if (tail_of(cache, order) << (KMAG_ORDER_GOOD - order) <
		    tail_of(cache, best) << (KMAG_ORDER_GOOD - best))
			best = order;
	}
	return best;
}

/* Of an odd number, modulo 2^32; each step doubles the bits that are right. */
static u32 inverse_of(u32 odd)
{
	u32 inverse = odd;	/* right in three bits */
	int bits;

	for (bits = 3; bits < 32; bits *= 2)
		inverse *= 2 - odd * inverse;
	return inverse;
}

void kmag_slab_layout(struct kmag_cache *cache)
{
	unsigned int align = max_t(unsigned int, cache->align, sizeof(void *));
	unsigned int size = cache->fast.size;

	if (cache->flags & KMAG_HWCACHE_ALIGN) {
		unsigned int line = cache_line_size();

		/* Several small objects share a line, but none spans two. */
		while (size <= line / 2)
			line /= 2;
		align = max(align, line);
	}
	cache->align = align;
	cache->stride = ALIGN(size + kmag_redzone(), align);
	cache->shift = __ffs(cache->stride);
	cache->inverse = inverse_of(cache->stride >> cache->shift);

	cache->min_order = get_order(cache->stride);
	cache->order = choose_order(cache);
	cache->slab_slots = slots_in(cache, cache->order);
}
EXPORT_SYMBOL_IF_KUNIT(kmag_slab_layout);

void kmag_node_init(struct kmag_node *node)
{
	int i;

	raw_spin_lock_init(&node->lock);
	for (i = 0; i < KMAG_SNAP_CLASSES; i++)
		INIT_LIST_HEAD(&node->slabs[i]);
}

/* Put @slab on the list that its state asks for. */
static void slab_relist(struct kmag_node *node, struct kmag_slab *slab)
{
	u8 class = kmag_slab_class(slab->slots, slab->inuse);

	lockdep_assert_held(&node->lock);
	if (class == slab->class)
		return;
	if (slab->class == KMAG_EMPTY)
		node->empty_free -= slab->slots;
	if (class == KMAG_EMPTY)
		node->empty_free += slab->slots;
	node->nr[slab->class]--;
	node->nr[class]++;
	slab->class = class;
	list_move(&slab->list, &node->slabs[class]);
}

static void slab_link(struct kmag_node *node, struct kmag_slab *slab)
{
	size_t bytes = kmag_slab_bytes(slab);

	lockdep_assert_held(&node->lock);
	list_add(&slab->list, &node->slabs[KMAG_EMPTY]);
	node->nr[KMAG_EMPTY]++;
	node->nr_slabs++;
	node->slots += slab->slots;
	node->free += slab->slots;
	node->empty_free += slab->slots;
	node->bytes += bytes;
	node->tail += bytes - slab->slots * slab->cache->stride;
	node->meta += kmag_slab_meta(slab);
}

/* Take an empty slab away from its node. */
static void slab_unlink(struct kmag_node *node, struct kmag_slab *slab,
			struct kmag_leftovers *left)
{
	size_t bytes = kmag_slab_bytes(slab);

	lockdep_assert_held(&node->lock);
	node->nr[KMAG_EMPTY]--;
	node->nr_slabs--;
	node->slots -= slab->slots;
	node->free -= slab->slots;
	node->empty_free -= slab->slots;
	node->bytes -= bytes;
	node->tail -= bytes - slab->slots * slab->cache->stride;
	node->meta -= kmag_slab_meta(slab);
	list_move(&slab->list, &left->dead);
}

struct page *kmag_pages_alloc(gfp_t gfp, int nid, unsigned int order)
{
	KMAG_KUNIT_STUB(kmag_pages_alloc, gfp, nid, order);

	return alloc_pages_node(nid, gfp | __GFP_COMP, order);
}
EXPORT_SYMBOL_IF_KUNIT(kmag_pages_alloc);

static struct page *slab_pages(struct kmag_cache *cache, gfp_t gfp, int nid,
			       unsigned int *order)
{
	struct page *page;

	/*
	 * Never from the emergency reserves: a cache that grows while memory
	 * is being reclaimed would eat what reclaim needs.
	 */
	gfp &= ~(__GFP_ZERO | __GFP_MEMALLOC | __GFP_MOVABLE | __GFP_HIGHMEM |
		 __GFP_ACCOUNT);
	gfp |= __GFP_NOMEMALLOC | cache->gfp;

	*order = cache->order;
	if (cache->order > cache->min_order) {
		/* Only if it costs nobody anything. */
		page = kmag_pages_alloc((gfp | __GFP_NOWARN | __GFP_NORETRY) &
					~(__GFP_RECLAIM | __GFP_NOFAIL |
					  __GFP_HIGH),
					nid, cache->order);
		if (page)
			return page;
		*order = cache->min_order;
	}
	/* The page allocator takes NOFAIL for small orders only. */
	if (*order > 1)
		gfp &= ~__GFP_NOFAIL;
	return kmag_pages_alloc(gfp, nid, *order);
}

/* Show reclaimable slabs as such: what may come back counts as available. */
static void account_pages(const struct kmag_slab *slab, long sign)
{
	if (slab->cache->flags & KMAG_RECLAIM_ACCOUNT)
		mod_node_page_state(page_pgdat(slab->page),
				    NR_KERNEL_MISC_RECLAIMABLE,
				    sign * (1L << slab->order));
}

static void slab_construct(struct kmag_slab *slab)
{
	struct kmag_cache *cache = slab->cache;
	unsigned int i;

	for (i = 0; cache->ctor && i < slab->slots; i++)
		cache->ctor(slab->base + i * cache->stride);
	kmag_shadow_new(cache, slab->base, kmag_slab_bytes(slab));
}

static struct kmag_slab *slab_new(struct kmag_cache *cache, gfp_t gfp, int nid)
{
	gfp_t meta = (gfp & KMAG_GFP_META) | __GFP_NOMEMALLOC;
	struct kmag_slab *slab;
	unsigned int order, slots;
	struct page *page;

	page = slab_pages(cache, gfp, nid, &order);
	if (!page)
		return NULL;
	slots = slots_in(cache, order);
	slab = kzalloc_node(struct_size(slab, away, BITS_TO_LONGS(slots)), meta,
			    page_to_nid(page));
	if (!slab)
		goto err_slab;

	slab->cache = cache;
	slab->page = page;
	slab->base = page_address(page);
	slab->slots = slots;
	slab->nid = page_to_nid(page);
	slab->class = KMAG_EMPTY;
	slab->order = order;
	slab->index = kmag_table_add(slab, meta);
	if (!slab->index)
		goto err_index;
	slab_construct(slab);
	/* Read by kmag_slab_of(), for any page that somebody hands us. */
	set_page_private(page, slab->index);
	account_pages(slab, 1);
	kmag_count(cache, KMAG_SLAB_NEW);
	if (order < cache->order)
		kmag_count(cache, KMAG_SLAB_FALLBACK);
	trace_kmag_slab_create(cache, slab);
	return slab;

err_index:
	kfree(slab);
err_slab:
	__free_pages(page, order);
	return NULL;
}

unsigned int kmag_slab_grow(struct kmag_cache *cache, gfp_t gfp, int nid,
			    unsigned int want)
{
	/* Where the last one came from: the page allocator chooses. */
	struct kmag_node *home = cache->node[nid];
	unsigned int made = 0;
	unsigned long flags;

	/* A hint: two CPUs may both make slabs, or neither make enough. */
	while (!made || READ_ONCE(home->free) < want) {
		struct kmag_slab *slab = slab_new(cache, gfp, nid);

		if (!slab)
			break;
		home = cache->node[slab->nid];
		raw_spin_lock_irqsave(&home->lock, flags);
		slab_link(home, slab);
		raw_spin_unlock_irqrestore(&home->lock, flags);
		made++;
	}
	return made;
}
EXPORT_SYMBOL_IF_KUNIT(kmag_slab_grow);

/* Take up to @nr objects of @slab; the lowest address ends up last. */
static unsigned int slab_take(struct kmag_slab *slab, void **objs,
			      unsigned int nr)
{
	unsigned int want = min_t(unsigned int, nr, slab->slots - slab->inuse);
	unsigned long stride = slab->cache->stride;
	void **next = objs + want;
	void *base = slab->base;
	unsigned int w;

	for (w = 0; next > objs; w++, base += BITS_PER_LONG * stride) {
		unsigned long room = ~slab->away[w], rest = room;

		/* There are want free slots, so it ends before the last word does. */
		while (rest && next > objs) {
			*--next = base + __ffs(rest) * stride;
			rest &= rest - 1;
		}
		slab->away[w] |= room & ~rest;
	}
	slab->inuse += want;
	return want;
}

unsigned int kmag_slab_take(struct kmag_cache *cache, struct kmag_node *node,
			    void **objs, unsigned int nr)
{
	unsigned int got = 0;
	unsigned long flags;
	int class;

	raw_spin_lock_irqsave(&node->lock, flags);
	for (class = KMAG_FULL - 1; class >= KMAG_EMPTY && got < nr;) {
		struct kmag_slab *slab;

		slab = list_first_entry_or_null(&node->slabs[class],
						struct kmag_slab, list);
		if (!slab) {
			class--;
			continue;
		}
		got += slab_take(slab, objs + got, nr - got);
		slab_relist(node, slab);
	}
	node->free -= got;
	raw_spin_unlock_irqrestore(&node->lock, flags);

	if (got) {
		kmag_count(cache, KMAG_REFILL);
		kmag_count_by(cache, KMAG_REFILL_OBJS, got);
		trace_kmag_refill(cache, got);
	}
	return got;
}
EXPORT_SYMBOL_IF_KUNIT(kmag_slab_take);

struct kmag_slab *kmag_slab_of(const void *addr)
{
	struct kmag_slab *slab;
	struct page *page;

	if (!virt_addr_valid(addr))
		return NULL;
	page = virt_to_head_page(addr);
	slab = kmag_table_get(page_private(page));
	return slab && slab->page == page ? slab : NULL;
}
EXPORT_SYMBOL_IF_KUNIT(kmag_slab_of);

/* Count a bad free, to be reported outside of the locks. */
static void bad_free(struct kmag_cache *cache, enum kmag_bad what,
		     const void *obj, struct kmag_leftovers *left)
{
	kmag_count(cache, KMAG_FREE_BAD);
	if (left->nr_bad < KMAG_BAD_SHOWN) {
		left->bad[left->nr_bad].what = what;
		left->bad[left->nr_bad].obj = obj;
	}
	left->nr_bad++;
}

/*
 * Give back those of @objs that are in @slab, from the first on, until one is
 * not. Returns how many were looked at. A slab that died meanwhile (somebody
 * frees what was freed before) has no bit set, and stays on no list.
 */
static unsigned int slab_give(struct kmag_node *node, struct kmag_slab *slab,
			      void **objs, unsigned int nr,
			      struct kmag_leftovers *left)
{
	struct kmag_cache *cache = slab->cache;
	size_t bytes = kmag_slab_bytes(slab);
	unsigned int i, given = 0;

	lockdep_assert_held(&node->lock);
	for (i = 0; i < nr; i++) {
		size_t offset = objs[i] - slab->base;
		u32 slot = kmag_slot_at(cache, offset);

		if (offset >= bytes)
			break;
		if (unlikely(slot >= slab->slots))
			bad_free(cache, KMAG_BAD_INTERIOR, objs[i], left);
		else if (unlikely(!__test_and_clear_bit(slot, slab->away)))
			bad_free(cache, KMAG_BAD_DOUBLE, objs[i], left);
		else
			given++;
	}
	slab->inuse -= given;
	node->free += given;
	slab_relist(node, slab);
	return i;
}

static struct kmag_slab *slab_of_cache(const struct kmag_cache *cache,
				       const void *obj)
{
	struct kmag_slab *slab = kmag_slab_of(obj);

	return slab && slab->cache == cache ? slab : NULL;
}

/* Give a batch of objects of one node back; returns how many were handled. */
static unsigned int give_batch(struct kmag_cache *cache, void **objs,
			       unsigned int nr, struct kmag_leftovers *left)
{
	struct kmag_slab *slab = slab_of_cache(cache, objs[0]);
	struct kmag_node *node;
	unsigned int done = 0;
	unsigned long flags;

	if (unlikely(!slab)) {
		bad_free(cache, kmag_slab_of(objs[0]) ? KMAG_BAD_CACHE :
			 KMAG_BAD_FOREIGN, objs[0], left);
		return 1;
	}

	nr = min_t(unsigned int, nr, KMAG_SLAB_BATCH);
	node = cache->node[slab->nid];
	raw_spin_lock_irqsave(&node->lock, flags);
	do {
		bool was_away = slab->inuse;

		done += slab_give(node, slab, objs + done, nr - done, left);
		if (was_away && slab->class == KMAG_EMPTY &&
		    node->nr[KMAG_EMPTY] > cache->empty_max)
			slab_unlink(node, slab, left);
		slab = done < nr ? slab_of_cache(cache, objs[done]) : NULL;
	} while (slab && cache->node[slab->nid] == node);
	raw_spin_unlock_irqrestore(&node->lock, flags);
	return done;
}

void kmag_slab_give(struct kmag_cache *cache, void **objs, unsigned int nr,
		    struct kmag_leftovers *left)
{
	unsigned int done = 0;

	if (!nr)
		return;
	rcu_read_lock();	/* what kmag_slab_of() finds stays */
	while (done < nr)
		done += give_batch(cache, objs + done, nr - done, left);
	rcu_read_unlock();
	kmag_count(cache, KMAG_FLUSH);
	kmag_count_by(cache, KMAG_FLUSH_OBJS, nr);
	trace_kmag_flush(cache, nr);
}
EXPORT_SYMBOL_IF_KUNIT(kmag_slab_give);

unsigned int kmag_slab_reap(struct kmag_cache *cache, struct kmag_node *node,
			    unsigned long keep, unsigned long max,
			    struct kmag_leftovers *left)
{
	unsigned int reaped = 0;
	unsigned long flags;

	max = min_t(unsigned long, max, KMAG_SLAB_BATCH);
	raw_spin_lock_irqsave(&node->lock, flags);
	for (; reaped < max && node->nr[KMAG_EMPTY] > keep; reaped++)
		/* The one that was used last is on top: leave it. */
		slab_unlink(node, list_last_entry(&node->slabs[KMAG_EMPTY],
						  struct kmag_slab, list),
			    left);
	raw_spin_unlock_irqrestore(&node->lock, flags);
	return reaped;
}
EXPORT_SYMBOL_IF_KUNIT(kmag_slab_reap);

struct kmag_slab *kmag_slab_next(const struct kmag_cache *cache, u32 *index)
{
	u32 end = kmag_table_end();

	while (*index < end) {
		struct kmag_slab *slab;

		if (*index % KMAG_WALK_PIECE == 0) {
			rcu_read_unlock();
			cond_resched();
			rcu_read_lock();
		}
		slab = kmag_table_get((*index)++);
		if (slab && slab->cache == cache)
			return slab;
	}
	return NULL;
}
EXPORT_SYMBOL_IF_KUNIT(kmag_slab_next);

static void slab_free_rcu(struct rcu_head *rcu)
{
	kfree(container_of(rcu, struct kmag_slab, rcu));
}

static void report_bad(struct kmag_cache *cache, struct kmag_leftovers *left)
{
	unsigned int i;

	for (i = 0; i < min(left->nr_bad, KMAG_BAD_SHOWN); i++)
		kmag_report(cache, left->bad[i].what, left->bad[i].obj);
	left->nr_bad = 0;
}

unsigned long kmag_slab_settle(struct kmag_cache *cache,
			       struct kmag_leftovers *left)
{
	struct kmag_slab *slab, *next;
	unsigned long pages = 0;

	if (unlikely(left->nr_bad))
		report_bad(cache, left);
	list_for_each_entry_safe(slab, next, &left->dead, list) {
		list_del(&slab->list);
		trace_kmag_slab_destroy(cache, slab);
		kmag_table_del(slab->index);
		set_page_private(slab->page, 0);
		account_pages(slab, -1);
		__free_pages(slab->page, slab->order);
		pages += 1UL << slab->order;
		kmag_count(cache, KMAG_SLAB_FREED);
		/* A reader with a wrong pointer may still look at it. */
		call_rcu(&slab->rcu, slab_free_rcu);
	}
	return pages;
}
EXPORT_SYMBOL_IF_KUNIT(kmag_slab_settle);
