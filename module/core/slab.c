// SPDX-License-Identifier: GPL-2.0
/*
 * Slabs: pages from the page allocator, carved into objects, with their state
 * in a bitmap outside. Above: depot and magazines, which take and give runs.
 * Below: the table and the page allocator.
 */
#include <linux/gfp.h>
#include <linux/kmemleak.h>
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "debug.h"
#include "mark.h"
#include "pages.h"
#include "slab.h"
#include "trace.h"

void kmag_node_init(struct kmag_node *node, int nid)
{
	int i;

	node->nid = nid;
	raw_spin_lock_init(&node->lock);
	INIT_LIST_HEAD(&node->empty);
	for (i = 0; i < KMAG_SNAP_CLASSES; i++) {
		INIT_HLIST_HEAD(&node->partial[i]);
		INIT_HLIST_HEAD(&node->draining[i]);
	}
	INIT_HLIST_HEAD(&node->passed);
}

/* Put @slab, which had and has objects away, where @class asks for. */
static __always_inline void slab_move(struct kmag_node *node,
				      struct kmag_slab *slab, u8 class)
{
	u8 was = slab->class;

	lockdep_assert_held(&node->lock);
	if (class == was)
		return;
	slab->class = class;
	slab->floor = kmag_class_floor(slab, class);
	node->nr[was]--;
	node->nr[class]++;
	if (was != KMAG_FULL)
		__hlist_del(&slab->hlist);
	if (class != KMAG_FULL)
		hlist_add_head(&slab->hlist, kmag_slab_list(node, slab));
}

/* There is one empty slab less. */
static void count_down_empty(struct kmag_node *node, struct kmag_slab *slab)
{
	lockdep_assert_held(&node->lock);
	node->empty_free -= slab->slots;
	node->nr[KMAG_EMPTY]--;
	node->empty_min = min(node->empty_min, node->nr[KMAG_EMPTY]);
}

/* Take an empty slab, from which objects are about to be taken, off its list. */
static noinline void slab_begun(struct kmag_node *node, struct kmag_slab *slab)
{
	lockdep_assert_held(&node->lock);
	count_down_empty(node, slab);
	list_del(&slab->list);
	/* As if it had been full: that is on no list either. */
	slab->class = KMAG_FULL;
	slab->floor = slab->slots;
	node->nr[KMAG_FULL]++;
}

static void slab_link(struct kmag_node *node, struct kmag_slab *slab)
{
	size_t bytes = kmag_slab_bytes(slab);

	lockdep_assert_held(&node->lock);
	list_add(&slab->list, &node->empty);
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
	count_down_empty(node, slab);
	node->nr_slabs--;
	node->slots -= slab->slots;
	node->free -= slab->slots;
	node->bytes -= bytes;
	node->tail -= bytes - slab->slots * slab->cache->stride;
	node->meta -= kmag_slab_meta(slab);
	list_move(&slab->list, &left->dead);
}

/* Nothing of @slab is away any more. It may stay, if there are few of those. */
static noinline void slab_emptied(struct kmag_node *node, struct kmag_slab *slab,
				  struct kmag_leftovers *left)
{
	slab_move(node, slab, KMAG_FULL);
	slab->class = KMAG_EMPTY;
	node->nr[KMAG_FULL]--;
	node->nr[KMAG_EMPTY]++;
	node->empty_free += slab->slots;
	list_add(&slab->list, &node->empty);
	kmag_mark_emptied(node, slab);
	/* Changes by kmag_retain(), at any time. */
	if (slab->draining ||
	    node->nr[KMAG_EMPTY] > READ_ONCE(slab->cache->empty_max))
		slab_unlink(node, slab, left);
}

/* Show reclaimable slabs as such: what may come back counts as available. */
static void account_pages(const struct kmag_slab *slab, long sign)
{
	if (slab->cache->flags & KMAG_RECLAIM_ACCOUNT)
		mod_node_page_state(NODE_DATA(slab->nid),
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

/* Make a slab of pages, which nobody finds yet. */
static struct kmag_slab *slab_new(struct kmag_cache *cache, struct page *page,
				  unsigned int order, gfp_t gfp)
{
	unsigned int slots = kmag_slab_slots(cache, order);
	struct kmag_slab *slab;

	slab = kzalloc_node(struct_size(slab, away, BITS_TO_LONGS(slots)), gfp,
			    page_to_nid(page));
	if (!slab)
		return NULL;
	/* A full one is known to the table alone, whose pages are not scanned. */
	kmemleak_ignore(slab);

	slab->cache = cache;
	slab->base = page_address(page);
	slab->slots = slots;
	slab->nid = page_to_nid(page);
	slab->class = KMAG_EMPTY;
	slab->order = order;
	/* Slots that are none are never free: a word needs no mask. */
	if (slots % BITS_PER_LONG)
		slab->away[slots / BITS_PER_LONG] = ~0UL << slots % BITS_PER_LONG;
	return slab;
}

/*
 * Make slabs of all @pages, which are of one node. The locks are taken once for
 * them together. Returns how many: what cannot be one is freed.
 */
static unsigned int slabs_new(struct kmag_cache *cache,
			      struct kmag_pages *pages, gfp_t gfp)
{
	struct kmag_slab *slabs[KMAG_PAGES_BULK];
	unsigned int i, made, nr = 0;
	struct kmag_node *node;
	unsigned long flags;

	for (; nr < pages->nr; nr++) {
		slabs[nr] = slab_new(cache, pages->page[nr], pages->order, gfp);
		if (!slabs[nr])
			break;
	}
	made = kmag_table_add(slabs, nr, gfp);
	for (i = made; i < nr; i++)
		kfree(slabs[i]);
	for (i = made; i < pages->nr; i++)
		__free_pages(pages->page[i], pages->order);
	if (!made)
		return 0;

	for (i = 0; i < made; i++) {
		slab_construct(slabs[i]);
		account_pages(slabs[i], 1);
		trace_kmag_slab_create(cache, slabs[i]);
	}
	node = cache->node[slabs[0]->nid];
	raw_spin_lock_irqsave(&node->lock, flags);
	for (i = 0; i < made; i++)
		slab_link(node, slabs[i]);
	kmag_count_by(cache, KMAG_SLAB_NEW, made);
	if (pages->order < cache->order)
		kmag_count_by(cache, KMAG_SLAB_FALLBACK, made);
	raw_spin_unlock_irqrestore(&node->lock, flags);
	return made;
}

unsigned int kmag_slab_grow(struct kmag_cache *cache, gfp_t gfp, int nid,
			    unsigned int want)
{
	gfp_t meta = (gfp & KMAG_GFP_META) | __GFP_NOMEMALLOC;
	/* Where the last ones came from: the page allocator chooses. */
	struct kmag_node *home = cache->node[nid];
	struct kmag_pages pages;
	unsigned int made = 0;

	/* A hint: two CPUs may both make slabs, or neither make enough. */
	while (!made || READ_ONCE(home->free) < want) {
		unsigned int nr;

		if (!kmag_pages_get(cache, gfp, nid,
				    want - min(READ_ONCE(home->free), want),
				    &pages))
			break;
		home = cache->node[page_to_nid(pages.page[0])];
		nr = slabs_new(cache, &pages, meta);
		made += nr;
		if (nr < pages.nr)
			break;
	}
	return made;
}
EXPORT_SYMBOL_IF_KUNIT(kmag_slab_grow);

/* Take all @room free objects of @slab; the lowest address ends up last. */
static __always_inline void take_all(struct kmag_slab *slab,
				     unsigned long stride, void **objs,
				     unsigned int room)
{
	unsigned long *word = slab->away;
	void *base = slab->base;
	void **to = objs + room;

	for (;; word++, base += BITS_PER_LONG * stride) {
		unsigned long free = ~*word;

		for (; free; free &= free - 1)
			*--to = base + __ffs(free) * stride;
		*word = ~0UL;
		if (to == objs)
			break;
	}
	slab->inuse = slab->slots;
	slab->floor = slab->slots;
}

/* Take some of them, the lowest ones. */
static noinline void take_some(struct kmag_node *node, struct kmag_slab *slab,
			       unsigned long stride, void **objs,
			       unsigned int nr)
{
	unsigned long *word = slab->away;
	void *base = slab->base;

	slab->inuse += nr;
	for (; nr; word++, base += BITS_PER_LONG * stride) {
		unsigned long free = ~*word;

		for (; free && nr; free &= free - 1)
			objs[--nr] = base + __ffs(free) * stride;
		*word = ~free;
	}
	slab_move(node, slab, kmag_partial_class(slab));
}

/*
 * Take up to @nr from the slabs of a class, which has some. Those that are taken
 * whole are the first on the list, which is cut behind them.
 */
static __always_inline unsigned int
take_partial(struct kmag_node *node, int class, unsigned long stride,
	     void **objs, unsigned int nr)
{
	struct hlist_head *head = &node->partial[class];
	unsigned int got = 0, slabs = 0;
	struct kmag_slab *slab;

	lockdep_assert_held(&node->lock);
	hlist_for_each_entry(slab, head, hlist) {
		unsigned int room = slab->slots - slab->inuse;

		if (room > nr - got)
			break;
		take_all(slab, stride, objs + got, room);
		got += room;
		slab->class = KMAG_FULL;
		slabs++;
	}
	node->nr[class] -= slabs;
	node->nr[KMAG_FULL] += slabs;
	head->first = NULL;
	if (slab) {
		head->first = &slab->hlist;
		slab->hlist.pprev = &head->first;
		if (got < nr)
			take_some(node, slab, stride, objs + got, nr - got);
		got = nr;
	}
	return got;
}

/* Take up to @nr from empty slabs. */
static noinline unsigned int take_empty(struct kmag_node *node,
					unsigned long stride, void **objs,
					unsigned int nr)
{
	struct kmag_slab *slab;
	unsigned int got = 0;

	while (got < nr && (slab = list_first_entry_or_null(&node->empty,
							    struct kmag_slab,
							    list))) {
		unsigned int i, run = min_t(unsigned int, nr - got, slab->slots);
		void *obj = slab->base;

		slab_begun(node, slab);
		for (i = run; i--; obj += stride)
			objs[got + i] = obj;
		got += run;
		bitmap_set(slab->away, 0, run);
		slab->inuse = run;
		if (run < slab->slots)
			slab_move(node, slab, kmag_partial_class(slab));
	}
	return got;
}

unsigned int kmag_slab_take(struct kmag_cache *cache, struct kmag_node *node,
			    void **objs, unsigned int nr)
{
	unsigned int got = 0, taken_back = 0;
	unsigned long stride = cache->stride;
	unsigned long flags;
	int class;

	raw_spin_lock_irqsave(&node->lock, flags);
again:
	for (class = KMAG_FULL - 1; class > KMAG_EMPTY; class--) {
		if (hlist_empty(&node->partial[class]))
			continue;
		got += take_partial(node, class, stride, objs + got, nr - got);
		if (got == nr)
			break;
	}
	/* Those that evacuation has put aside for the moment. */
	if (got < nr && unlikely(!hlist_empty(&node->passed))) {
		kmag_mark_put_back(node);
		goto again;
	}
	/* Draining slabs are used already: before empty ones. */
	if (got < nr && unlikely(node->nr_draining)) {
		taken_back += kmag_mark_take_back(cache, node, nr - got);
		goto again;
	}
	if (got < nr)
		got += take_empty(node, stride, objs + got, nr - got);
	node->free -= got;
	raw_spin_unlock_irqrestore(&node->lock, flags);

	if (unlikely(taken_back))
		kmag_mark_gone(cache, node, taken_back);
	if (got) {
		kmag_count(cache, KMAG_REFILL);
		kmag_count_by(cache, KMAG_REFILL_OBJS, got);
		trace_kmag_refill(cache, got);
	}
	return got;
}
EXPORT_SYMBOL_IF_KUNIT(kmag_slab_take);

/* Count a bad free, to be reported outside of the locks. */
static noinline void bad_free(struct kmag_cache *cache, enum kmag_bad what,
			      const void *obj, struct kmag_leftovers *left)
{
	kmag_count(cache, KMAG_FREE_BAD);
	if (left->nr_bad < KMAG_BAD_SHOWN) {
		left->bad[left->nr_bad].what = what;
		left->bad[left->nr_bad].obj = obj;
	}
	left->nr_bad++;
}

static __always_inline struct kmag_slab *
slab_of_cache(const struct kmag_cache *cache, const void *obj,
	      struct kmag_table_near *near)
{
	struct kmag_slab *slab = kmag_table_get_near(obj, near);

	return slab && slab->cache == cache ? slab : NULL;
}

/*
 * Clear the bits of the objects from @obj on, until one is not to be: it is in
 * another slab, or wrong. Returns where that is, or @end. No call in here: so
 * all that it needs is in registers.
 */
static __always_inline void **clear_away(const struct kmag_cache *cache,
					 struct kmag_slab *slab,
					 void **obj, void **end)
{
	const unsigned long inverse = cache->inverse, slots = slab->slots;
	const unsigned int shift = cache->shift;
	const void *base = slab->base;

	do {
		unsigned long slot = kmag_slot_at(*obj - base, inverse, shift);

		if (slot >= slots || !__test_and_clear_bit(slot, slab->away))
			break;
	} while (++obj != end);
	return obj;
}

/*
 * Give those of @objs back that are in @slab, from the first on, which is, until
 * one is not. Returns where that is. A slab that died meanwhile (somebody frees
 * what was freed before) has no bit set, and stays on no list.
 */
static __always_inline void **slab_give(struct kmag_cache *cache,
					struct kmag_node *node,
					struct kmag_slab *slab,
					void **objs, void **end,
					struct kmag_leftovers *left)
{
	void **next = clear_away(cache, slab, objs, end);

	lockdep_assert_held(&node->lock);
	if (unlikely(next == objs)) {
		bad_free(cache, kmag_slab_slot(slab, *objs) < 0 ?
			 KMAG_BAD_INTERIOR : KMAG_BAD_DOUBLE, *objs, left);
		return next + 1;
	}
	slab->inuse -= next - objs;
	node->free += next - objs;
	if (likely(slab->inuse >= slab->floor))
		return next;
	if (slab->inuse)
		slab_move(node, slab, kmag_partial_class(slab));
	else
		slab_emptied(node, slab, left);
	return next;
}

/* Give a batch of objects of one node back; returns where to go on. */
static void **give_batch(struct kmag_cache *cache, void **objs, void **end,
			 struct kmag_leftovers *left)
{
	struct kmag_table_near near = {};
	struct kmag_slab *slab = slab_of_cache(cache, *objs, &near);
	struct kmag_node *node;
	unsigned long flags;

	if (unlikely(!slab)) {
		bad_free(cache, kmag_slab_of(*objs) ? KMAG_BAD_CACHE :
			 KMAG_BAD_FOREIGN, *objs, left);
		return objs + 1;
	}

	node = cache->node[slab->nid];
	raw_spin_lock_irqsave(&node->lock, flags);
	do {
		objs = slab_give(cache, node, slab, objs, end, left);
		slab = objs != end ? slab_of_cache(cache, *objs, &near) : NULL;
	} while (slab && slab->nid == node->nid);
	if (unlikely(kmag_node_wakes(cache, node) ||
		     kmag_node_packed(cache, node)))
		kmag_mark_poke(cache);
	raw_spin_unlock_irqrestore(&node->lock, flags);
	return objs;
}

void kmag_slab_give(struct kmag_cache *cache, void **objs, unsigned int nr,
		    struct kmag_leftovers *left)
{
	void **end = objs + nr;

	if (!nr)
		return;
	preempt_disable();	/* what kmag_slab_of() finds stays */
	do {
		objs = give_batch(cache, objs, end, left);
	} while (objs != end);
	preempt_enable();
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
		slab_unlink(node, list_last_entry(&node->empty,
						  struct kmag_slab, list),
			    left);
	raw_spin_unlock_irqrestore(&node->lock, flags);
	return reaped;
}
EXPORT_SYMBOL_IF_KUNIT(kmag_slab_reap);

struct kmag_slab *kmag_slab_next(const struct kmag_cache *cache,
				 unsigned long *nr)
{
	struct kmag_slab *slab;

	do {
		slab = kmag_table_next(nr);
	} while (slab && slab->cache != cache);
	return slab;
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

unsigned long kmag_slab_settle_all(struct kmag_cache *cache,
				   struct kmag_leftovers *left)
{
	struct kmag_slab *slab, *next;
	unsigned long pages = 0;

	if (unlikely(left->nr_bad))
		report_bad(cache, left);
	list_for_each_entry_safe(slab, next, &left->dead, list) {
		list_del(&slab->list);
		if (slab->draining)
			kmag_mark_returned(cache, slab);
		trace_kmag_slab_destroy(cache, slab);
		kmag_table_del(slab);
		account_pages(slab, -1);
		__free_pages(virt_to_page(slab->base), slab->order);
		pages += 1UL << slab->order;
		kmag_count(cache, KMAG_SLAB_FREED);
		/* A reader with a wrong pointer may still look at it. */
		call_rcu(&slab->rcu, slab_free_rcu);
	}
	return pages;
}
EXPORT_SYMBOL_IF_KUNIT(kmag_slab_settle_all);
