// SPDX-License-Identifier: GPL-2.0
/*
 * Marks: which slabs are to become empty. All changes are made under node->lock,
 * a few at a time; ->draining of a slab is read without it by every free of a
 * cache that has such slabs, as a hint.
 *
 * Above: slab.c, which asks here where draining slabs are another matter, and
 * evacuate.c.
 */
#include <linux/export.h>

#include "mark.h"
#include "trace.h"

static void move(struct kmag_node *node, struct kmag_slab *slab, bool draining)
{
	lockdep_assert_held(&node->lock);
	__hlist_del(&slab->hlist);
	WRITE_ONCE(slab->draining, draining);	/* each free may look */
	hlist_add_head(&slab->hlist, kmag_slab_list(node, slab));
}

static void mark(struct kmag_node *node, struct kmag_slab *slab)
{
	move(node, slab, true);
	node->nr_draining++;
	node->draining_slots += slab->slots;
	node->draining_bytes += kmag_slab_bytes(slab);
}

static void uncount(struct kmag_node *node, struct kmag_slab *slab)
{
	lockdep_assert_held(&node->lock);
	node->nr_draining--;
	node->draining_slots -= slab->slots;
	node->draining_bytes -= kmag_slab_bytes(slab);
}

static void unmark(struct kmag_cache *cache, struct kmag_node *node,
		   struct kmag_slab *slab, unsigned int rest)
{
	move(node, slab, false);
	uncount(node, slab);
	/* Goes on once a second, whatever we do. */
	slab->rests = READ_ONCE(cache->evac.interval) + rest;
}

/* Free slots that the slabs which are kept shall have. */
static unsigned long room(struct kmag_cache *cache, struct kmag_node *node)
{
	return max_t(unsigned long, 2 * cache->capacity,
		     kmag_node_away(node) / kmag_tuned(cache, KMAG_TUNE_ROOM));
}

bool kmag_mark_class(struct kmag_cache *cache, struct kmag_node *node,
		     int class, unsigned int *marked)
{
	u32 now = READ_ONCE(cache->evac.interval);	/* as in unmark() */
	struct hlist_head *head = &node->partial[class];
	unsigned int looks = KMAG_SLAB_BATCH, nr = 0;
	struct kmag_slab *slab;
	unsigned long flags;
	bool more = false;

	lockdep_assert_held(&cache->fence_lock);
	raw_spin_lock_irqsave(&node->lock, flags);
	while (!hlist_empty(head)) {
		more = !looks--;
		if (more)
			break;
		slab = hlist_entry(head->first, struct kmag_slab, hlist);
		if ((s32)(slab->rests - now) > 0) {
			/* A tick looks when to come again. */
			if ((s32)(slab->rests - cache->evac.rested) < 0)
				WRITE_ONCE(cache->evac.rested, slab->rests);
			/* Out of the way of those behind it. */
			__hlist_del(&slab->hlist);
			hlist_add_head(&slab->hlist, &node->passed);
			continue;
		}
		/* Its slots are spare no more, nor are those its objects get. */
		if (kmag_node_spare(node) <
		    (long)(room(cache, node) + slab->slots))
			break;
		mark(node, slab);
		nr++;
	}
	raw_spin_unlock_irqrestore(&node->lock, flags);
	if (nr) {
		kmag_count_by(cache, KMAG_MARK, nr);
		trace_kmag_mark(cache, node->nid, nr);
	}
	*marked += nr;
	return more;
}
EXPORT_SYMBOL_IF_KUNIT(kmag_mark_class);

bool kmag_mark_put_back(struct kmag_node *node)
{
	unsigned int moves = KMAG_SLAB_BATCH;
	struct hlist_head *head = &node->passed;

	lockdep_assert_held(&node->lock);
	for (; !hlist_empty(head) && moves; moves--)
		move(node, hlist_entry(head->first, struct kmag_slab, hlist), false);
	return moves < KMAG_SLAB_BATCH;
}

static struct kmag_slab *fullest(struct kmag_node *node)
{
	int class;

	lockdep_assert_held(&node->lock);
	for (class = KMAG_FULL - 1; class > KMAG_EMPTY; class--)
		if (!hlist_empty(&node->draining[class]))
			return hlist_entry(node->draining[class].first,
					   struct kmag_slab, hlist);
	return NULL;
}

unsigned int kmag_mark_undo(struct kmag_cache *cache, struct kmag_node *node,
			    unsigned int rest)
{
	struct kmag_slab *slab;
	unsigned int undone = 0;
	unsigned long flags;

	raw_spin_lock_irqsave(&node->lock, flags);
	while (undone < KMAG_SLAB_BATCH && (slab = fullest(node))) {
		unmark(cache, node, slab, rest);
		undone++;
	}
	raw_spin_unlock_irqrestore(&node->lock, flags);
	if (undone)
		kmag_mark_gone(cache, node, undone);
	return undone;
}
EXPORT_SYMBOL_IF_KUNIT(kmag_mark_undo);

unsigned int kmag_mark_take_back(struct kmag_cache *cache,
				 struct kmag_node *node, unsigned int want)
{
	unsigned int taken = 0, had = 0;
	struct kmag_slab *slab;

	while (had < want && (slab = fullest(node))) {
		unmark(cache, node, slab, kmag_tuned(cache, KMAG_TUNE_REST));
		had += slab->slots - slab->inuse;
		taken++;
	}
	if (taken && !node->nr_draining)
		kmag_mark_poke(cache);
	return taken;
}

void kmag_mark_gone(struct kmag_cache *cache, struct kmag_node *node,
		    unsigned int slabs)
{
	kmag_count_by(cache, KMAG_UNMARK, slabs);
	trace_kmag_unmark(cache, node->nid, slabs);
}

/* A draining slab has one object less, and is of another class. */
static __always_inline void sink(struct kmag_node *node, struct kmag_slab *slab)
{
	u8 class = kmag_partial_class(slab);

	lockdep_assert_held(&node->lock);
	node->nr[slab->class]--;
	node->nr[class]++;
	slab->class = class;
	slab->floor = kmag_class_floor(slab, class);
	__hlist_del(&slab->hlist);
	hlist_add_head(&slab->hlist, &node->draining[class]);
}

notrace bool kmag_mark_home(struct kmag_cache *cache, struct kmag_slab *slab,
			    const void *obj)
{
	unsigned long slot = kmag_slot_at(obj - slab->base, cache->inverse,
					  cache->shift);
	struct kmag_node *node = cache->node[slab->nid];
	unsigned long flags;
	bool home = false;

	if (unlikely(slab->cache != cache || slot >= slab->slots))
		return false;
	raw_spin_lock_irqsave(&node->lock, flags);
	/* One that drains is partial, and has to stay so. */
	if (unlikely(!slab->draining || slab->inuse <= 1 ||
		     !__test_and_clear_bit(slot, slab->away)))
		goto out;
	home = true;
	node->free++;
	if (--slab->inuse < slab->floor)
		sink(node, slab);
out:
	raw_spin_unlock_irqrestore(&node->lock, flags);
	return home;
}
EXPORT_SYMBOL_IF_KUNIT(kmag_mark_home);

void kmag_mark_emptied(struct kmag_node *node, struct kmag_slab *slab)
{
	if (likely(!slab->draining))
		return;
	uncount(node, slab);
	if (!node->nr_draining)
		kmag_mark_poke(slab->cache);
}

void kmag_mark_returned(struct kmag_cache *cache, struct kmag_slab *slab)
{
	kmag_count(cache, KMAG_RETURN);
	trace_kmag_return(cache, slab);
}

void kmag_mark_poke(struct kmag_cache *cache)
{
	/* Twice at once does no harm. */
	if (!READ_ONCE(cache->evac.armed))
		return;
	WRITE_ONCE(cache->evac.armed, false);
	/* It wakes nobody now. A work item may not be queued under a raw lock. */
	irq_work_queue(&cache->evac.poke);
}
