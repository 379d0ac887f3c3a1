// SPDX-License-Identifier: GPL-2.0
/*
 * Evacuation. A LIFO array hands the object that was freed last straight back, so
 * what a spike left stays as it is: every slab held by a few objects. Here the
 * emptiest slabs, whose objects fit into the free slots of the others, are
 * marked. A marked slab gets no new objects, and those it has come home when they
 * are freed: so it empties as fast as its objects are freed, and goes back.
 *
 * Order, which Documentation/design.rst argues for: say that slabs drain, shut
 * the depots, mark, empty the depots, close all gates, wait one grace period,
 * drain the CPUs that are still closed, open the depots. From then on no magazine
 * holds an object of a draining slab, and none can get one: each free looks at
 * its slab, a refill takes slabs back before it takes from them.
 *
 * It is woken by events: a flush that finds its node sparse, or compact again, the
 * last draining slab that becomes empty or is taken back. Who flushes may be in any
 * context, so an irq_work queues the work item; it waits for nobody and sends nothing.
 *
 * Above: cache.c and reclaim.c. Below: fence, depot and slab.
 */
#include <linux/jiffies.h>
#include <linux/nodemask.h>
#include <linux/sched.h>

#include "account.h"
#include "depot.h"
#include "evacuate.h"
#include "fence.h"
#include "mark.h"
#include "slab.h"
#include "tune.h"

/* An eighth of what is away: so many frees change what there is to be done. */
#define KMAG_EVAC_MANY		8

typedef bool (*node_is)(const struct kmag_cache *cache,
			const struct kmag_node *node);

/* Ask @is under the node's lock. */
static bool ask(struct kmag_cache *cache, int nid, node_is is)
{
	struct kmag_node *node = cache->node[nid];
	unsigned long flags;
	bool yes;

	raw_spin_lock_irqsave(&node->lock, flags);
	yes = is(cache, node);
	raw_spin_unlock_irqrestore(&node->lock, flags);
	return yes;
}

static bool any_node(struct kmag_cache *cache, node_is is)
{
	int nid;

	for_each_node(nid)
		if (ask(cache, nid, is))
			return true;
	return false;
}

static bool is_sparse(const struct kmag_cache *cache,
		      const struct kmag_node *node)
{
	return kmag_node_sparse(cache, node);
}

static bool wakes(const struct kmag_cache *cache, const struct kmag_node *node)
{
	return kmag_node_wakes(cache, node);
}

static bool is_draining(const struct kmag_cache *cache,
			const struct kmag_node *node)
{
	return node->nr_draining;
}

static bool is_packed(const struct kmag_cache *cache,
		      const struct kmag_node *node)
{
	return kmag_node_packed(cache, node);
}

static unsigned long away(const struct kmag_cache *cache)
{
	unsigned long sum = 0;
	int nid;

	for_each_node(nid)
		/* Hints: somebody changes them meanwhile. */
		sum += READ_ONCE(cache->node[nid]->slots) -
		       READ_ONCE(cache->node[nid]->free);
	return sum;
}

/* All of them: those that were looked at, and those of objects from far away. */
static unsigned long frees(const struct kmag_cache *cache)
{
	unsigned long sum = kmag_sum(cache, KMAG_FREE_DEPOT) +
			    kmag_sum(cache, KMAG_FREE_SLAB) +
			    kmag_sum(cache, KMAG_FREE_PAGE);
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		/* Counted by its CPU meanwhile. */
		sum += READ_ONCE(per_cpu_ptr(cache->cpu, cpu)->fast.frees);
	return sum;
}

/* Account for the time in which slabs drained. */
static void account_time(struct kmag_cache *cache)
{
	struct kmag_evac *evac = &cache->evac;
	unsigned long now = jiffies;

	if (cache->draining)
		kmag_count_by(cache, KMAG_DRAINING_MS,
			      jiffies_to_msecs(now - evac->since));
	evac->since = now;
}

static void shut_depots(struct kmag_cache *cache, bool shut)
{
	int nid;

	for_each_node(nid)
		kmag_depot_shut(&cache->node[nid]->depot, shut);
}

/* All full magazines of the depots go home: they are shut, so it ends. */
static void sweep_depots(struct kmag_cache *cache)
{
	struct kmag_leftovers left = KMAG_LEFTOVERS_INIT(left);
	int nid;

	for_each_node(nid)
		while (kmag_depot_drain(cache, &cache->node[nid]->depot,
					&left)) {
			kmag_slab_settle(cache, &left);
			cond_resched();
		}
}

/* Slabs of one class; those that rest are out of the way meanwhile. */
static unsigned int mark_class(struct kmag_cache *cache, struct kmag_node *node,
			       int class)
{
	unsigned int marked = 0;
	unsigned long flags;
	bool more;

	while (kmag_mark_class(cache, node, class, &marked))
		cond_resched();
	do {
		cond_resched();
		raw_spin_lock_irqsave(&node->lock, flags);
		more = kmag_mark_put_back(node);
		raw_spin_unlock_irqrestore(&node->lock, flags);
	} while (more);
	return marked;
}

/* Of some nodes, the emptiest first. */
static bool mark_nodes(struct kmag_cache *cache, const nodemask_t *nodes)
{
	bool marked = false;
	int nid, class;

	for_each_node_mask(nid, *nodes)
		for (class = KMAG_EMPTY + 1; class < KMAG_FULL; class++)
			if (mark_class(cache, cache->node[nid], class))
				marked = true;
	return marked;
}

/*
 * Mark slabs of nodes that are sparse; no others, or one that stays sparse would
 * have the rest marked slab by slab, and each time for a grace period.
 */
static bool mark_sparse(struct kmag_cache *cache)
{
	nodemask_t sparse = NODE_MASK_NONE;
	bool marked;
	int nid;

	for_each_node(nid)
		if (ask(cache, nid, is_sparse))
			node_set(nid, sparse);
	if (nodes_empty(sparse))
		return false;

	account_time(cache);
	/* Views, and tests, look. */
	WRITE_ONCE(cache->evac.marking, true);
	/* The first slab that is passed has rested sooner. */
	WRITE_ONCE(cache->evac.rested, READ_ONCE(cache->evac.interval) + S32_MAX);
	/* Is seen by who finds its gate closed. */
	WRITE_ONCE(cache->draining, true);
	shut_depots(cache, true);
	marked = mark_nodes(cache, &sparse);
	if (marked) {
		/* What was cached there is away no more: room for some more. */
		sweep_depots(cache);
		mark_nodes(cache, &sparse);
		kmag_fence_marked(cache);
		cache->evac.idle = 0;
	}
	shut_depots(cache, false);
	WRITE_ONCE(cache->evac.marking, false);
	return marked;
}

/* If nothing drains any more, frees need not look: each CPU finds out itself. */
static void end_if_done(struct kmag_cache *cache)
{
	account_time(cache);
	if (cache->draining && !any_node(cache, is_draining))
		WRITE_ONCE(cache->draining, false);
}

static void undo_node(struct kmag_cache *cache, struct kmag_node *node,
		      unsigned int rest)
{
	while (kmag_mark_undo(cache, node, rest))
		cond_resched();
}

static void undo_all(struct kmag_cache *cache, unsigned int rest)
{
	int nid;

	for_each_node(nid)
		undo_node(cache, cache->node[nid], rest);
}

/* Little is left to be gained there: what is left is no excess. */
static void undo_packed(struct kmag_cache *cache)
{
	int nid;

	for_each_node(nid)
		if (ask(cache, nid, is_packed))
			undo_node(cache, cache->node[nid], 0);
}

/*
 * Has no slab become empty for too long? That is time in which objects are freed: with
 * few frees an interval, many intervals count as one.
 */
static bool is_hopeless(struct kmag_cache *cache)
{
	unsigned long returned = kmag_sum(cache, KMAG_RETURN);
	unsigned long freed = frees(cache);
	struct kmag_evac *evac = &cache->evac;
	u32 now = READ_ONCE(evac->interval);	/* the tick goes on */

	if (returned != evac->returned || !cache->draining) {
		evac->idle = 0;
		evac->freed = freed;
	} else if (now != evac->looked &&
		   freed - evac->freed >= away(cache) / KMAG_EVAC_MANY) {
		evac->idle++;
		evac->freed = freed;
	}
	evac->returned = returned;
	evac->looked = now;
	return evac->idle >= kmag_tuned(cache, KMAG_TUNE_PATIENCE);
}

bool kmag_evacuate(struct kmag_cache *cache)
{
	bool marked;

	lockdep_assert_held(&cache->fence_lock);
	if (is_hopeless(cache))
		undo_all(cache, kmag_tuned(cache, KMAG_TUNE_HOPELESS));
	undo_packed(cache);
	marked = mark_sparse(cache);
	end_if_done(cache);
	return marked;
}
EXPORT_SYMBOL_IF_KUNIT(kmag_evacuate);

/* Does a spike go on, as far as one can tell from this look and the last? */
static bool still_falls(struct kmag_cache *cache)
{
	struct kmag_evac *evac = &cache->evac;
	unsigned long was = evac->away;

	evac->away = away(cache);
	return (!was || evac->away < was - was / kmag_tuned(cache, KMAG_TUNE_FALL)) &&
	       evac->waits++ < kmag_tuned(cache, KMAG_TUNE_WAITS);
}

/* The next look is the first one of a spike. */
static void stop_waiting(struct kmag_evac *evac)
{
	evac->away = 0;
	evac->waits = 0;
}

/*
 * After marks could not be set though a node is sparse, or could: what flushes have
 * to find besides to wake us. Else each of them would.
 */
static void note_vain(struct kmag_cache *cache, bool in_vain)
{
	struct kmag_node *node;
	unsigned long flags;
	int nid;

	for_each_node(nid) {
		node = cache->node[nid];
		raw_spin_lock_irqsave(&node->lock, flags);
		node->vain = in_vain && kmag_node_sparse(cache, node) ?
			     kmag_node_spare(node) : 0;
		raw_spin_unlock_irqrestore(&node->lock, flags);
	}
}

/* What events tell. They are lost while none may wake us. */
static bool is_wanted(struct kmag_cache *cache)
{
	return any_node(cache, wakes) || any_node(cache, is_packed) ||
	       (READ_ONCE(cache->draining) && !any_node(cache, is_draining));
}

static void queue(struct kmag_cache *cache, unsigned long delay)
{
	/* Unbound: no work item goes to an isolated CPU. */
	if (!READ_ONCE(cache->evac.off))
		queue_delayed_work(kmag_unbound_wq, &cache->evac.work, delay);
}

static unsigned long delay(const struct kmag_cache *cache)
{
	return msecs_to_jiffies(kmag_tuned(cache, KMAG_TUNE_DELAY_MS));
}

static void evac_work(struct work_struct *work)
{
	struct kmag_cache *cache = container_of(to_delayed_work(work),
						struct kmag_cache, evac.work);
	bool wait, lazy = READ_ONCE(cache->retention) == KMAG_LAZY;

	mutex_lock(&cache->fence_lock);
	wait = !lazy && any_node(cache, is_sparse) && still_falls(cache);
	if (!wait)
		stop_waiting(&cache->evac);
	if (lazy)
		undo_all(cache, 0);
	else if (!wait)
		note_vain(cache, !kmag_evacuate(cache));
	end_if_done(cache);
	mutex_unlock(&cache->fence_lock);

	/* Looks after it has armed: the last event may have been meanwhile. */
	WRITE_ONCE(cache->evac.armed, !wait && !lazy);
	if (wait || (!lazy && is_wanted(cache)))
		queue(cache, delay(cache));
}

/* Of an event, in hard interrupt context; on PREEMPT_RT in a thread. */
static void evac_poke(struct irq_work *poke)
{
	struct kmag_cache *cache = container_of(poke, struct kmag_cache,
						evac.poke);

	queue(cache, delay(cache));
}

/* Is there more than last time, or has a slab rested that was passed then? */
static bool may_mark(struct kmag_cache *cache)
{
	const struct kmag_evac *evac = &cache->evac;

	if (any_node(cache, wakes))
		return true;
	/* Found by marks, which may be made just now. */
	return any_node(cache, is_sparse) &&
	       (s32)(evac->interval - READ_ONCE(evac->rested)) >= 0;
}

void kmag_evacuate_tick(struct kmag_cache *cache)
{
	bool lazy = READ_ONCE(cache->retention) == KMAG_LAZY;
	struct kmag_evac *evac = &cache->evac;

	if (READ_ONCE(evac->off))
		return;
	/* Marks look at it, at any time. */
	WRITE_ONCE(evac->interval, evac->interval + 1);
	/* First, as in evac_work(). */
	WRITE_ONCE(evac->armed, !lazy);
	if (READ_ONCE(cache->draining) || (!lazy && may_mark(cache)))
		queue(cache, 0);
	else if (lazy || !any_node(cache, is_sparse))
		note_vain(cache, false);
}
EXPORT_SYMBOL_IF_KUNIT(kmag_evacuate_tick);

void kmag_evacuate_init(struct kmag_cache *cache)
{
	struct kmag_evac *evac = &cache->evac;

	/* An interrupt is not hurried for it: the next tick will do. */
	evac->poke = IRQ_WORK_INIT_LAZY(evac_poke);
	INIT_DELAYED_WORK(&evac->work, evac_work);
	kmag_tune_init(cache);
	evac->armed = true;
}

void kmag_evacuate_off(struct kmag_cache *cache)
{
	struct kmag_evac *evac = &cache->evac;

	WRITE_ONCE(evac->off, true);
	/* One that has not seen it may still queue the work, which arms again. */
	irq_work_sync(&evac->poke);
	cancel_delayed_work_sync(&evac->work);
	WRITE_ONCE(evac->armed, false);
	irq_work_sync(&evac->poke);
}
EXPORT_SYMBOL_IF_KUNIT(kmag_evacuate_off);

void kmag_evacuate_exit(struct kmag_cache *cache)
{
	kmag_evacuate_off(cache);
	mutex_lock(&cache->fence_lock);
	undo_all(cache, 0);
	end_if_done(cache);
	mutex_unlock(&cache->fence_lock);
}
EXPORT_SYMBOL_IF_KUNIT(kmag_evacuate_exit);
