// SPDX-License-Identifier: GPL-2.0
/*
 * Accounting: one snapshot function, which debugfs and the device print.
 *
 * What owners hold is known twice: from the operations counted on every CPU,
 * and from the slabs' bitmaps less what magazines hold. The snapshot takes the
 * first and prints the difference to the second as skew. It is 0 when nobody
 * uses the cache; validate.c compares both with the bitmaps themselves.
 */
#include <linux/cpumask.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/math64.h>
#include <linux/nodemask.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "account.h"
#include "depot.h"
#include "gate.h"
#include "latency.h"
#include "magazine.h"
#include "registry.h"
#include "slab.h"

/* What is copied to users as it is must not change by accident. */
static_assert(sizeof(struct kmag_snap_head) == 24);
static_assert(sizeof(struct kmag_snap_cache) == 848);
static_assert(sizeof(struct kmag_snap_cpu) == 48);
static_assert(sizeof(struct kmag_snap_node) == 128);
static_assert(sizeof(struct kmag_snap_latency) == 288);
static_assert(KMAG_NR_STATS <= KMAG_SNAP_STATS);
static_assert(KMAG_FREE_PAGE + 1 == KMAG_SNAP_TIERS);

unsigned long kmag_sum(const struct kmag_cache *cache, enum kmag_stat stat)
{
	unsigned long sum = 0;
	unsigned int nr;

	for_each_possible_cpu(nr)
		/* Counted by its CPU meanwhile. */
		sum += READ_ONCE(per_cpu_ptr(cache->cpu, nr)->stats[stat]);
	return sum;
}
EXPORT_SYMBOL_IF_KUNIT(kmag_sum);

static void snap_cpu(struct kmag_snap_cache *snap, struct kmag_snap_cpu *out,
		     struct kmag_cache *cache, unsigned int nr)
{
	struct kmag_cpu *cpu = per_cpu_ptr(cache->cpu, nr);
	struct kmag_pcp *pcp = &cpu->fast;
	unsigned long flags;
	unsigned int i;

	/*
	 * The lock keeps the magazines where they are, not the fast path from
	 * changing counts; those are read once each.
	 */
	flags = kmag_cpu_lock(cache, cpu);
	out->size = sizeof(*out);
	out->cpu = nr;
	out->online = cpu_online(nr);
	out->loaded = READ_ONCE(pcp->rounds);
	out->loaded_cap = kmag_magazine_of(READ_ONCE(pcp->objs))->cap;
	out->previous = READ_ONCE(pcp->prev_rounds);
	out->previous_cap = READ_ONCE(pcp->prev_cap);
	out->closed = cpu->gate != KMAG_GATE_OPEN;
	out->allocs = READ_ONCE(pcp->allocs);
	out->frees = READ_ONCE(pcp->frees);
	for (i = 0; i < KMAG_NR_STATS; i++)
		snap->stats[i] += READ_ONCE(cpu->stats[i]);
	kmag_cpu_unlock(cache, cpu, flags);

	snap->stats[KMAG_ALLOC_MAG] += out->allocs;
	snap->stats[KMAG_FREE_MAG] += out->frees;
	snap->cpu_objs += out->loaded + out->previous;
	snap->mag_bytes += (out->loaded_cap + out->previous_cap) *
			   sizeof(void *) + 2 * sizeof(struct kmag_magazine);
}

static void snap_node(struct kmag_snap_cache *snap, struct kmag_snap_node *out,
		      struct kmag_node *node, int nid)
{
	struct kmag_depot *depot = &node->depot;
	unsigned long flags;
	int i;

	out->size = sizeof(*out);
	out->node = nid;
	raw_spin_lock_irqsave(&depot->lock, flags);
	out->full = depot->nr_full;
	out->empty = depot->nr_empty;
	out->full_max = depot->open_max;
	out->full_min = depot->full_min;
	snap->depot_objs += depot->objs;
	snap->mag_bytes += depot->bytes;
	raw_spin_unlock_irqrestore(&depot->lock, flags);

	raw_spin_lock_irqsave(&node->lock, flags);
	out->slabs = node->nr_slabs;
	out->slots = node->slots;
	out->slab_free = node->free;
	for (i = 0; i < KMAG_SNAP_CLASSES; i++)
		out->slabs_by_class[i] = node->nr[i];
	snap->empty_free += node->empty_free;
	snap->draining += node->nr_draining;
	snap->draining_bytes += node->draining_bytes;
	snap->slab_bytes += node->bytes;
	snap->tail_bytes += node->tail;
	snap->meta_bytes += node->meta + sizeof(*node);
	raw_spin_unlock_irqrestore(&node->lock, flags);

	snap->slabs += out->slabs;
	snap->slots += out->slots;
	snap->slab_free += out->slab_free;
	for (i = 0; i < KMAG_SNAP_CLASSES; i++)
		snap->slabs_by_class[i] += out->slabs_by_class[i];
}

static u64 snap_live(const struct kmag_snap_cache *snap, s64 parked)
{
	const __u64 *s = snap->stats;
	s64 live;

	live = s[KMAG_ALLOC_MAG] + s[KMAG_ALLOC_DEPOT] + s[KMAG_ALLOC_SLAB] +
	       s[KMAG_ALLOC_PAGE] -
	       s[KMAG_FREE_MAG] - s[KMAG_FREE_DEPOT] - s[KMAG_FREE_SLAB] -
	       s[KMAG_FREE_PAGE] + s[KMAG_FREE_BAD] - parked;
	return max_t(s64, live, 0);	/* a racy read may be below */
}

/* How slabs fall into the two orders that there are: which tells their bytes. */
struct orders {
	u64 low;		/* of the smallest order, made under pressure */
	u64 high;		/* of the order of a new slab */
	u32 low_slots;
	size_t low_bytes;
	size_t high_bytes;
};

/* Of @slabs that have room for @slots objects. */
static struct orders snap_orders(const struct kmag_cache *cache, u64 slabs,
				 u64 slots)
{
	struct orders o = {
		.low_bytes = PAGE_SIZE << cache->min_order,
		.high_bytes = PAGE_SIZE << cache->order,
	};

	o.low_slots = o.low_bytes / cache->stride;
	if (o.low_slots < cache->slab_slots)
		o.low = div_u64(slabs * cache->slab_slots - slots,
				cache->slab_slots - o.low_slots);
	o.high = slabs - o.low;
	return o;
}

static u64 snap_empty(const struct kmag_cache *cache,
		      const struct kmag_snap_cache *snap)
{
	struct orders o = snap_orders(cache, snap->slabs_by_class[KMAG_EMPTY],
				      snap->empty_free);

	return o.low * o.low_bytes + o.high * o.high_bytes;
}

/*
 * The live objects packed into slabs that are held: those of the higher order
 * first, which lose less to their tails; what does not fill one of them goes
 * where it takes fewer bytes.
 */
static u64 snap_needed(const struct kmag_cache *cache,
		       const struct kmag_snap_cache *snap)
{
	struct orders o = snap_orders(cache, snap->slabs, snap->slots);
	u64 high = min(o.high, div_u64(snap->live, cache->slab_slots));
	u64 rest = snap->live - high * cache->slab_slots;
	u64 low = DIV_ROUND_UP_ULL(rest, o.low_slots);

	if (high < o.high &&
	    (low > o.low || low * o.low_bytes >= o.high_bytes)) {
		high += !!rest;
		low = 0;
	}
	/* A racy read may have more live objects than slots. */
	return high * o.high_bytes + min(low, o.low) * o.low_bytes;
}

struct kmag_snap_cache *kmag_snapshot_alloc(gfp_t gfp)
{
	return kvzalloc(sizeof(struct kmag_snap_cache) +
			num_possible_cpus() * sizeof(struct kmag_snap_cpu) +
			num_possible_nodes() * sizeof(struct kmag_snap_node) +
			KMAG_SNAP_TIERS * sizeof(struct kmag_snap_latency), gfp);
}

/* Takes no memory: locks may be held that the shrinker asks for. */
void kmag_snapshot_fill(struct kmag_cache *cache, struct kmag_snap_cache *snap)
{
	unsigned int nr_cpus = num_possible_cpus();
	unsigned int nr_nodes = num_possible_nodes();
	/* Set once, and kept until the cache goes. */
	unsigned int nr_lats = READ_ONCE(cache->latency) ? KMAG_SNAP_TIERS : 0;
	struct kmag_snap_latency *latency;
	struct kmag_snap_node *node;
	struct kmag_snap_cpu *cpu;
	unsigned int i;
	s64 parked;

	snap->size = sizeof(*snap);
	snap->record_size = sizeof(*snap) + nr_cpus * sizeof(*cpu) +
			    nr_nodes * sizeof(*node) +
			    nr_lats * sizeof(*latency);
	snap->id = cache->id;
	snap->flags = cache->flags & ~KMAG_PANIC;
	if (cache->ctor)
		snap->flags |= KMAG_CF_CTOR;
	if (cache->dead)
		snap->flags |= KMAG_CF_DEAD;
	strscpy(snap->name, cache->name, sizeof(snap->name));
	snap->object_size = cache->fast.size;
	snap->stride = cache->stride;
	snap->align = cache->align;
	snap->order = cache->order;
	snap->slab_slots = cache->slab_slots;
	snap->capacity = cache->capacity;
	snap->nr_cpus = nr_cpus;
	snap->nr_nodes = nr_nodes;
	snap->nr_latencies = nr_lats;
	snap->latency_on = READ_ONCE(cache->latency_on);
	snap->meta_bytes = struct_size(cache, node, nr_node_ids) +
			   nr_cpus * sizeof(struct kmag_cpu);
	if (nr_lats)
		snap->meta_bytes += kmag_latency_bytes();

	cpu = kmag_snapshot_cpus(snap);
	for_each_possible_cpu(i)
		snap_cpu(snap, cpu++, cache, i);
	node = kmag_snapshot_nodes(snap);
	for_each_node(i)
		snap_node(snap, node++, cache->node[i], i);
	latency = kmag_snapshot_latencies(snap);
	for (i = 0; i < nr_lats; i++)
		kmag_latency_sum(cache, i, latency++);

	parked = atomic_long_read(&cache->parked);
	snap->live = snap_live(snap, parked);
	snap->transit = atomic_long_read(&cache->transit) + parked;
	snap->skew = snap->slots - snap->live - snap->cpu_objs -
		     snap->depot_objs - snap->slab_free - snap->transit;
	snap->slabs_needed = DIV_ROUND_UP_ULL(snap->live, snap->slab_slots);
	snap->empty_bytes = snap_empty(cache, snap);
	snap->needed_bytes = snap_needed(cache, snap);
}

struct kmag_snap_cache *kmag_snapshot(struct kmag_cache *cache, gfp_t gfp)
{
	struct kmag_snap_cache *snap = kmag_snapshot_alloc(gfp);

	if (snap)
		kmag_snapshot_fill(cache, snap);
	return snap;
}

struct kmag_snap_cache *kmag_snapshot_next(unsigned int id, gfp_t gfp)
{
	struct kmag_snap_cache *snap = kmag_snapshot_alloc(gfp);
	struct kmag_cache *cache;

	if (!snap)
		return ERR_PTR(-ENOMEM);
	mutex_lock(&kmag_caches_lock);
	cache = kmag_registry_find(id);
	if (cache)
		kmag_snapshot_fill(cache, snap);
	mutex_unlock(&kmag_caches_lock);
	if (!cache) {
		kvfree(snap);
		return NULL;
	}
	return snap;
}
EXPORT_SYMBOL_GPL(kmag_snapshot_next);
