/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Marks: slabs that are to become empty. The bookkeeping of evacuate.c, which
 * says when, at the slabs, which know nothing of it but these calls.
 *
 * A marked slab is draining: partial, on a list of its own, and nothing is taken
 * from it. It ends empty, and goes to the page allocator, or is taken back.
 */
#ifndef _KMAG_MARK_H
#define _KMAG_MARK_H

#include "internal.h"
#include "slab.h"
#include "tune.h"

/* Is @slab, or NULL, to become empty? A hint, for who has preemption off. */
static __always_inline bool kmag_slab_drains(const struct kmag_slab *slab)
{
	/*
	 * Set before the fence that a reader belongs to; the lock decides. A byte
	 * does not tear, and to compare it in memory is one instruction less.
	 */
	return slab && data_race(slab->draining);
}

/* The list of a partial slab. */
static inline struct hlist_head *kmag_slab_list(struct kmag_node *node,
						const struct kmag_slab *slab)
{
	return (slab->draining ? node->draining : node->partial) + slab->class;
}

/*
 * Free slots that are left if every draining slab has become empty: those of
 * other partial slabs less the objects that have to find a place there.
 */
static inline long kmag_node_spare(const struct kmag_node *node)
{
	lockdep_assert_held(&node->lock);
	return node->free - node->empty_free - node->draining_slots;
}

static inline unsigned long kmag_node_away(const struct kmag_node *node)
{
	return node->slots - node->free;
}

static inline bool kmag_node_exceeds(const struct kmag_cache *cache,
				     const struct kmag_node *node, long spare)
{
	enum kmag_tune above = node->nr_draining ? KMAG_TUNE_MORE :
						   KMAG_TUNE_START;
	/* It may be tuned. */
	long excess = spare - (long)READ_ONCE(cache->evac.floor);

	return excess > 0 &&
	       (unsigned long)excess * kmag_tuned(cache, above) >
	       kmag_node_away(node);
}

/* Is it worth while to mark some? */
static inline bool kmag_node_sparse(const struct kmag_cache *cache,
				    const struct kmag_node *node)
{
	return kmag_node_exceeds(cache, node, kmag_node_spare(node));
}

/* The same, but for what could not be marked when it was tried last. */
static inline bool kmag_node_wakes(const struct kmag_cache *cache,
				   const struct kmag_node *node)
{
	return kmag_node_exceeds(cache, node, kmag_node_spare(node) - node->vain);
}

/* Are some marked, though there is little left to be gained? */
static inline bool kmag_node_packed(const struct kmag_cache *cache,
				    const struct kmag_node *node)
{
	lockdep_assert_held(&node->lock);
	return unlikely(node->nr_draining) &&
	       (node->free - node->empty_free) *
	       kmag_tuned(cache, KMAG_TUNE_STOP) < kmag_node_away(node);
}

/**
 * kmag_mark_class - mark slabs of one class, a few
 * @cache: the cache; @cache->fence_lock is held
 * @node: the node
 * @class: partial slabs of this fullness
 * @marked: what was marked is added
 *
 * As long as what is away in draining slabs fits into the others. Those that
 * rest are put aside, or they would be all that is looked at: to be followed by
 * kmag_mark_put_back().
 *
 * Context: Process context. Takes node->lock.
 * Return: whether to come again; else, with the next class.
 */
bool kmag_mark_class(struct kmag_cache *cache, struct kmag_node *node,
		     int class, unsigned int *marked);

/**
 * kmag_mark_put_back - slabs that were put aside are partial ones again, a few
 * @node: the node; its lock is held
 *
 * Return: whether there were any.
 */
bool kmag_mark_put_back(struct kmag_node *node);

/**
 * kmag_mark_undo - let slabs drain no more, a few
 * @cache: the cache
 * @node: the node
 * @rest: so many intervals none of them is marked again
 *
 * Context: Process context. Takes node->lock.
 * Return: how many; 0 when none is left.
 */
unsigned int kmag_mark_undo(struct kmag_cache *cache, struct kmag_node *node,
			    unsigned int rest);

/**
 * kmag_mark_take_back - take draining slabs back, as objects are wanted
 * @cache: the cache
 * @node: the node; its lock is held
 * @want: free objects; fewer are had if there are no more
 *
 * The fullest first. Once the lock is dropped the caller tells kmag_mark_gone().
 *
 * Return: how many.
 */
unsigned int kmag_mark_take_back(struct kmag_cache *cache,
				 struct kmag_node *node, unsigned int want);

/* Slabs were taken back. node->lock is not held any more. */
void kmag_mark_gone(struct kmag_cache *cache, struct kmag_node *node,
		    unsigned int slabs);

/**
 * kmag_mark_home - an object of a draining slab comes home
 * @cache: that it came from
 * @slab: kmag_slab_of() @obj; preemption is off since it was asked
 * @obj: any pointer into @slab
 *
 * The plain case, which leaves nothing to be done outside of the lock. It takes no
 * node nearer to being packed; whether it is sparse, the next flush or tick asks.
 *
 * Context: Any but NMI. Takes node->lock.
 * Return: false, with nothing done, if the slab does not drain any more, or it would
 *	be empty, or anything is wrong: then it is for kmag_slab_give().
 */
bool kmag_mark_home(struct kmag_cache *cache, struct kmag_slab *slab,
		    const void *obj);

/* Nothing of @slab is away any more. It stays draining in name, for settle. */
void kmag_mark_emptied(struct kmag_node *node, struct kmag_slab *slab);

/* A draining slab goes to the page allocator. No raw lock is held. */
void kmag_mark_returned(struct kmag_cache *cache, struct kmag_slab *slab);

/* Have evacuation look, once. Any context, with raw locks held, too. */
void kmag_mark_poke(struct kmag_cache *cache);

#endif /* _KMAG_MARK_H */
