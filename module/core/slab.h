/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Slabs: pages carved into objects.
 *
 * The state of every object is one bit in the slab's descriptor, outside of
 * the pages: set while the object is away from its slab (with an owner, in a
 * magazine or between them). Nothing is written into a free object.
 *
 * A slab is where its state says; node->lock protects the lists, the bitmaps and
 * the counts:
 *
 *	class        objects away        where         may become
 *	KMAG_EMPTY   none                empty         partial, full; freed when
 *	                                               there are more than
 *	                                               cache->empty_max
 *	1 to 8       some: class - 1 is  partial[]     any, or draining: mark.c
 *	             the full eighths
 *	the same,    the same            draining[]    partial again; freed as soon
 *	->draining                                     as it is empty
 *	KMAG_FULL    all                 on no list    partial, empty
 *	(leftovers)  none                left->dead    freed by kmag_slab_settle()
 *
 * Lists of partial slabs are hlists: kernels that check the pointers of every
 * list_head would spend more on that than on all the rest of a visit.
 */
#ifndef _KMAG_SLAB_H
#define _KMAG_SLAB_H

#include <linux/bitops.h>

#include "debug.h"
#include "internal.h"
#include "table.h"

/* Slabs moved, or objects given, in one hold of node->lock. */
#define KMAG_SLAB_BATCH	32

/* Bad frees of one batch that are reported each; all are counted. */
#define KMAG_BAD_SHOWN	2U

/**
 * struct kmag_leftovers - what is left to do when no raw lock is held any more
 * @dead: slabs to be freed
 * @nr_bad: bad frees
 * @bad: the first of them, to be reported
 */
struct kmag_leftovers {
	struct list_head dead;
	unsigned int nr_bad;
	struct {
		enum kmag_bad what;
		const void *obj;
	} bad[KMAG_BAD_SHOWN];
};

#define KMAG_LEFTOVERS_INIT(name)	{ .dead = LIST_HEAD_INIT((name).dead) }

/**
 * struct kmag_slab - descriptor of a slab
 * @list: among its node's empty ones, or the leftovers
 * @hlist: among its node's partial ones
 * @rcu: once it was taken out of the table
 * @cache: whose slab it is
 * @base: address of slot 0
 * @slots: objects it has room for
 * @inuse: objects away
 * @floor: with fewer away the slab is of another class
 * @nid: memory node
 * @class: of the list it is on
 * @order: of its pages
 * @draining: to become empty; a hint without node->lock
 * @rests: not to be marked before this interval
 * @away: bitmap, set for an object that is away
 */
struct kmag_slab {
	union {
		struct list_head list;
		struct hlist_node hlist;
		struct rcu_head rcu;
	};
	struct kmag_cache *cache;
	void *base;
	u16 slots;
	u16 inuse;
	u16 floor;
	u16 nid;
	u8 class;
	u8 order;
	bool draining;
	u32 rests;
	unsigned long away[];
};

/**
 * kmag_slab_layout - choose the pages of a cache's slabs
 * @cache: with size, align and flags set; order, stride and the rest are set
 */
void kmag_slab_layout(struct kmag_cache *cache);

void kmag_node_init(struct kmag_node *node, int nid);

/**
 * kmag_slab_grow - make slabs until a node has enough free objects
 * @cache: the cache
 * @gfp: for pages and descriptors
 * @nid: memory node to ask for
 * @want: free objects
 *
 * Pages may come from another node than @nid unless @gfp has %__GFP_THISNODE;
 * they are then found on that node.
 *
 * Context: Any but NMI; no raw lock held. Calls the constructor.
 * Return: slabs made.
 */
unsigned int kmag_slab_grow(struct kmag_cache *cache, gfp_t gfp, int nid,
			    unsigned int want);

/**
 * kmag_slab_take - take a run of objects from a node's slabs
 * @cache: the cache
 * @node: the node
 * @objs: where they are put; the last one is to be handed out first
 * @nr: how many are wanted
 *
 * From the fullest slabs first, whole runs in address order.
 *
 * Context: Any but NMI. Takes node->lock.
 * Return: how many were had.
 */
unsigned int kmag_slab_take(struct kmag_cache *cache, struct kmag_node *node,
			    void **objs, unsigned int nr);

/**
 * kmag_slab_give - give objects back to their slabs
 * @cache: that they came from
 * @objs: any pointers at all; wrong ones are counted and left alone
 * @nr: how many; a magazine at most, as node->lock is held for all of a node
 * @left: slabs that nobody needs any more, and wrong pointers; the caller
 *	hands it to kmag_slab_settle() once it holds no raw lock
 *
 * Context: Any but NMI. Takes node->lock, one node at a time.
 */
void kmag_slab_give(struct kmag_cache *cache, void **objs, unsigned int nr,
		    struct kmag_leftovers *left);

/**
 * kmag_slab_reap - collect a node's empty slabs
 * @cache: the cache
 * @node: the node
 * @keep: empty slabs that may stay
 * @max: how many to collect at most
 * @left: where they are put
 *
 * A few at a time: the caller settles them and comes again.
 *
 * Context: Any but NMI. Takes node->lock.
 * Return: slabs collected; 0 when there is none left.
 */
unsigned int kmag_slab_reap(struct kmag_cache *cache, struct kmag_node *node,
			    unsigned long keep, unsigned long max,
			    struct kmag_leftovers *left);

unsigned long kmag_slab_settle_all(struct kmag_cache *cache,
				   struct kmag_leftovers *left);

/**
 * kmag_slab_settle - free slabs, report misuse
 * @cache: the cache
 * @left: from the functions above; empty afterwards
 *
 * Context: Any but NMI; no raw lock held.
 * Return: pages freed.
 */
static inline unsigned long kmag_slab_settle(struct kmag_cache *cache,
					     struct kmag_leftovers *left)
{
	if (likely(list_empty(&left->dead) && !left->nr_bad))
		return 0;
	return kmag_slab_settle_all(cache, left);
}

/**
 * kmag_slab_of - the slab that an address lies in
 * @addr: any value at all
 *
 * Context: RCU read-side section, or preemption off.
 * Return: the slab, of any cache, or NULL if it is not one of kmag's.
 */
static inline struct kmag_slab *kmag_slab_of(const void *addr)
{
	return kmag_table_get(addr);
}

/* What page tools of the kernel know a slab by. */
static inline unsigned long kmag_slab_pfn(const struct kmag_slab *slab)
{
	return page_to_pfn(virt_to_page(slab->base));
}

#if BITS_PER_LONG == 64
#define kmag_ror	ror64
#else
#define kmag_ror	ror32
#endif

/**
 * kmag_slot_at - divide by the stride, if that leaves no rest
 * @offset: from the start of a slab, bytes; any value at all
 * @inverse: the cache's
 * @shift: the cache's
 *
 * By the inverse of the divisor: see Warren, Hacker's Delight (2012), 10-17.
 *
 * Return: the slot; what is beyond the slots of any slab, if none starts there.
 */
static inline unsigned long kmag_slot_at(unsigned long offset,
					 unsigned long inverse,
					 unsigned int shift)
{
	return kmag_ror(offset * inverse, shift);
}

/**
 * kmag_slab_slot - an object's place in its slab
 * @slab: from kmag_slab_of()
 * @obj: an address in it
 *
 * Return: the slot, or -1 if no object starts there.
 */
static inline int kmag_slab_slot(const struct kmag_slab *slab, const void *obj)
{
	unsigned long slot = kmag_slot_at(obj - slab->base,
					  slab->cache->inverse,
					  slab->cache->shift);

	return slot < slab->slots ? slot : -1;
}

/**
 * kmag_slab_next - walk a cache's slabs
 * @cache: the cache
 * @nr: 0 to begin; where to go on afterwards
 *
 * A slab that is made or freed during the walk may be seen or not. Walks in
 * pieces: the RCU section is left and entered again now and then, so a slab is
 * good until the next call only.
 *
 * Context: Process context, RCU read-side section, entered once.
 * Return: a slab, or NULL at the end.
 */
struct kmag_slab *kmag_slab_next(const struct kmag_cache *cache,
				 unsigned long *nr);

/**
 * kmag_slab_class - the fullness class of a slab
 * @slots: objects it has room for
 * @inuse: objects away
 *
 * Return: KMAG_EMPTY, 1 to 8 by eighths, or KMAG_FULL.
 */
static inline u8 kmag_slab_class(u32 slots, u32 inuse)
{
	if (!inuse)
		return KMAG_EMPTY;
	if (inuse == slots)
		return KMAG_FULL;
	return 1 + inuse * 8 / slots;
}

/* The same of a slab of which some objects are away, and some are not. */
static inline u8 kmag_partial_class(const struct kmag_slab *slab)
{
	return 1 + slab->inuse * 8U / slab->slots;
}

/* Objects away at least in a slab of that class; one where there are any. */
static inline u16 kmag_class_floor(const struct kmag_slab *slab, u8 class)
{
	return max(DIV_ROUND_UP((class - 1U) * slab->slots, 8), 1U);
}

/* Objects that a slab of some order has room for. */
static inline unsigned int kmag_slab_slots(const struct kmag_cache *cache,
					   unsigned int order)
{
	return (PAGE_SIZE << order) / cache->stride;
}

static inline size_t kmag_slab_bytes(const struct kmag_slab *slab)
{
	return PAGE_SIZE << slab->order;
}

static inline size_t kmag_slab_meta(const struct kmag_slab *slab)
{
	return struct_size(slab, away, BITS_TO_LONGS(slab->slots));
}

#endif /* _KMAG_SLAB_H */
