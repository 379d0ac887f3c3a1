// SPDX-License-Identifier: GPL-2.0
/*
 * Reclaim: shrinking a cache on request, the shrinker that the kernel calls
 * when memory is short, and the worker, which ends an interval every second: it
 * stocks depots with the empty magazines that frees could not allocate, and
 * gives back what a cache did without.
 *
 * The least there ever was of something in an interval is what nobody needed in
 * it: the rest is the working set (Bonwick and Adams 2001, 3.6). Full magazines
 * go to their slabs then, empty ones and empty slabs are freed. What a burst
 * left is gone after three intervals: in the first one it was used, the second
 * ends with its objects in their slabs, the third with the slabs freed.
 *
 * Above: cache.c and debugfs. Below: evacuate, fence, depot and slab.
 */
#include <linux/export.h>
#include <linux/sched.h>
#include <linux/workqueue.h>

#include "account.h"
#include "depot.h"
#include "evacuate.h"
#include "fence.h"
#include "magazine.h"
#include "park.h"
#include "reclaim.h"
#include "registry.h"
#include "slab.h"

static struct kmag_shrinker shrinker;

/* Free @nr empty slabs of a node at most: others may go on emptying some. */
static void reap(struct kmag_cache *cache, struct kmag_node *node,
		 unsigned long keep, unsigned long nr)
{
	struct kmag_leftovers left = KMAG_LEFTOVERS_INIT(left);
	unsigned int reaped;

	while (nr && (reaped = kmag_slab_reap(cache, node, keep, nr, &left))) {
		nr -= reaped;
		kmag_slab_settle(cache, &left);
		cond_resched();
	}
}

unsigned long kmag_drain(struct kmag_cache *cache)
{
	unsigned long freed;
	struct kmag_leftovers left = KMAG_LEFTOVERS_INIT(left);
	unsigned int nr;
	int nid;

	kmag_park_flush();
	mutex_lock(&cache->fence_lock);
	freed = kmag_sum(cache, KMAG_SLAB_FREED);
	kmag_fence(cache);
	for_each_node(nid) {
		struct kmag_node *node = cache->node[nid];

		/* So many as there are: others may go on filling it. */
		nr = READ_ONCE(node->depot.nr_full);
		while (nr-- && kmag_depot_drain(cache, &node->depot, &left)) {
			kmag_slab_settle(cache, &left);
			cond_resched();
		}
		kmag_depot_purge(&node->depot, KMAG_DEPOT_EMPTIES);
		reap(cache, node, 0, READ_ONCE(node->nr[KMAG_EMPTY]));
	}
	freed = kmag_sum(cache, KMAG_SLAB_FREED) - freed;
	mutex_unlock(&cache->fence_lock);
	return freed;
}
EXPORT_SYMBOL_IF_KUNIT(kmag_drain);

int kmag_cache_shrink(struct kmag_cache *cache)
{
	unsigned long slabs = 0;
	int nid;

	kmag_drain(cache);
	for_each_node(nid)
		slabs += READ_ONCE(cache->node[nid]->nr_slabs); /* may change */
	return slabs ? 1 : 0;
}
EXPORT_SYMBOL_GPL(kmag_cache_shrink);

/* What a scan can free without waiting: depots' objects, empty slabs' slots. */
unsigned long kmag_shrink_count(struct shrinker *s, struct shrink_control *sc)
{
	struct kmag_cache *cache;
	unsigned long count = 0;
	int nid;

	if (!mutex_trylock(&kmag_caches_lock))
		return 0;
	list_for_each_entry(cache, &kmag_caches, list)
		for_each_node(nid) {
			struct kmag_node *node = cache->node[nid];

			/* Estimates: others go on meanwhile. */
			count += READ_ONCE(node->depot.objs);
			count += READ_ONCE(node->empty_free);
		}
	mutex_unlock(&kmag_caches_lock);
	return count ?: SHRINK_EMPTY;
}
EXPORT_SYMBOL_IF_KUNIT(kmag_shrink_count);

struct scan {
	unsigned long looked;	/* objects moved, and slots freed */
	unsigned long slots;	/* freed, with their slabs */
	unsigned long pages;	/* of those slabs */
};

/* Free a node's empty slabs, and those that its depot's objects leave empty. */
static void shrink_node(struct kmag_cache *cache, struct kmag_node *node,
			unsigned long nr, struct scan *scan)
{
	struct kmag_slab *slab;
	unsigned long moved, want, looked;
	struct kmag_leftovers left = KMAG_LEFTOVERS_INIT(left);

	do {
		looked = scan->looked;
		/* Empty slabs first: they cost the least, and no cached object. */
		want = DIV_ROUND_UP(nr - scan->looked, cache->slab_slots);
		moved = 0;
		if (!kmag_slab_reap(cache, node, 0, want, &left))
			moved = kmag_depot_drain(cache, &node->depot, &left);
		list_for_each_entry(slab, &left.dead, list) {
			scan->slots += slab->slots;
			scan->looked += slab->slots;
		}
		scan->looked += moved;
		scan->pages += kmag_slab_settle(cache, &left);
	} while (looked != scan->looked && scan->looked < nr);
	kmag_depot_purge(&node->depot, KMAG_DEPOT_EMPTIES);
}

unsigned long kmag_shrink_scan(struct shrinker *s, struct shrink_control *sc)
{
	struct kmag_cache *cache;
	struct scan scan = {};
	int nid;

	/* Its holders may be in reclaim, or wait for memory. */
	if (!mutex_trylock(&kmag_caches_lock))
		return SHRINK_STOP;
	list_for_each_entry(cache, &kmag_caches, list)
		for_each_node(nid)
			if (scan.looked < sc->nr_to_scan)
				shrink_node(cache, cache->node[nid],
					    sc->nr_to_scan, &scan);
	/* The next scan starts with another cache. */
	list_rotate_left(&kmag_caches);
	mutex_unlock(&kmag_caches_lock);
	kmag_account_reclaimed(scan.pages);
	sc->nr_scanned = scan.looked;
	return scan.looked ? scan.slots : SHRINK_STOP;
}
EXPORT_SYMBOL_IF_KUNIT(kmag_shrink_scan);

void kmag_retain(struct kmag_cache *cache, enum kmag_retention retention)
{
	unsigned int refill = DIV_ROUND_UP(cache->capacity, cache->slab_slots);

	/* Looked at without a lock: one slab more or less does not matter. */
	WRITE_ONCE(cache->retention, retention);
	WRITE_ONCE(cache->empty_max,
		   retention == KMAG_EAGER ? 0 : clamp(refill, 1U, 8U));
}
EXPORT_SYMBOL_IF_KUNIT(kmag_retain);

/* Empty slabs that nobody needed in the interval, which ends. */
static unsigned long idle_slabs(struct kmag_node *node)
{
	unsigned long idle, flags;

	raw_spin_lock_irqsave(&node->lock, flags);
	idle = node->empty_min;
	node->empty_min = node->nr[KMAG_EMPTY];
	raw_spin_unlock_irqrestore(&node->lock, flags);
	return idle;
}

/*
 * From the top down, each step after the one that fills what it looks at: what
 * comes down now is idle, if it is, when the next interval ends.
 */
static void decay_node(struct kmag_cache *cache, struct kmag_node *node)
{
	enum kmag_retention retention = READ_ONCE(cache->retention);
	struct kmag_depot *depot = &node->depot;
	unsigned int idle = kmag_depot_idle_full(depot);
	struct kmag_leftovers left = KMAG_LEFTOVERS_INIT(left);
	unsigned long has, empty_idle;

	if (retention == KMAG_LAZY)
		idle = 0;
	else if (retention == KMAG_EAGER)
		idle = READ_ONCE(depot->nr_full);	/* a hint, as below */
	while (idle-- && kmag_depot_drain(cache, depot, &left)) {
		kmag_slab_settle(cache, &left);
		cond_resched();
	}

	idle = kmag_depot_idle_empty(depot);
	has = READ_ONCE(depot->nr_empty);
	if (retention != KMAG_LAZY)
		kmag_depot_purge(depot, max_t(unsigned int, KMAG_DEPOT_EMPTIES,
					      has - min_t(unsigned int, has, idle)));

	empty_idle = idle_slabs(node);
	has = READ_ONCE(node->nr[KMAG_EMPTY]);
	if (retention == KMAG_LAZY)
		empty_idle = 0;
	else if (retention == KMAG_EAGER)
		empty_idle = has;
	empty_idle = min(empty_idle, has);
	reap(cache, node, has - empty_idle, empty_idle);
}

void kmag_decay(struct kmag_cache *cache)
{
	int nid;

	lockdep_assert_held(&kmag_caches_lock);
	for_each_node(nid) {
		kmag_depot_stock(cache, nid);
		decay_node(cache, cache->node[nid]);
	}
	kmag_evacuate_tick(cache);
}
EXPORT_SYMBOL_IF_KUNIT(kmag_decay);

static void reclaim_work(struct work_struct *work);
static DECLARE_DELAYED_WORK(worker, reclaim_work);

static void reclaim_work(struct work_struct *work)
{
	struct kmag_cache *cache;
	bool more;

	mutex_lock(&kmag_caches_lock);
	list_for_each_entry(cache, &kmag_caches, list) {
		kmag_decay(cache);
		cond_resched();
	}
	more = !list_empty(&kmag_caches);
	mutex_unlock(&kmag_caches_lock);
	if (more)
		kmag_reclaim_start();
}

void kmag_reclaim_start(void)
{
	/* Unbound: no work item goes to an isolated CPU. */
	queue_delayed_work(kmag_unbound_wq, &worker, KMAG_INTERVAL);
}

int kmag_reclaim_init(void)
{
	return kmag_shrinker_register(&shrinker, "kmag", kmag_shrink_count,
				      kmag_shrink_scan);
}

void kmag_reclaim_exit(void)
{
	cancel_delayed_work_sync(&worker);
	kmag_shrinker_unregister(&shrinker);
}
