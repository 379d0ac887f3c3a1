// SPDX-License-Identifier: GPL-2.0
/*
 * Validation: walk every bitmap and every magazine of a cache and compare them
 * with each other and with what the counters say. Nothing here reads a figure
 * that it is meant to check.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bitmap.h>
#include <linux/export.h>
#include <linux/printk.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "account.h"
#include "census.h"
#include "depot.h"
#include "registry.h"
#include "slab.h"

/* Errors that are printed one by one; all are counted. */
#define KMAG_ERRORS_SHOWN	10

/* Slabs looked at before others may run. */
#define KMAG_WALK_BATCH		64

struct validation {
	struct kmag_cache *cache;
	unsigned int errors;
	struct kmag_census *cached;
	unsigned long slabs;
	unsigned long slots;
	unsigned long away;	/* bits set in bitmaps */
	unsigned long draining;	/* slabs that are */
	unsigned long draining_slots;
	unsigned long draining_bytes;
	unsigned long by_class[KMAG_SNAP_CLASSES];
	unsigned long empty_free;
	unsigned long bytes;
	unsigned long tail;
	unsigned long meta;	/* of descriptors */
};

static __printf(2, 3) void found(struct validation *v, const char *fmt, ...)
{
	struct va_format vaf = { .fmt = fmt };
	va_list args;

	if (v->errors++ >= KMAG_ERRORS_SHOWN)
		return;
	va_start(args, fmt);
	vaf.va = &args;
	pr_err("cache %s-%u: validate: %pV\n", v->cache->name, v->cache->id,
	       &vaf);
	va_end(args);
}

static void compare(struct validation *v, const char *what, u64 has, u64 counted)
{
	if (has != counted)
		found(v, "%s: %llu found, %llu counted", what, has, counted);
}

/* Bounded by the depot's own limit, so in one piece. */
static void check_depot(struct validation *v, struct kmag_depot *depot)
{
	unsigned long objs, bytes, has_objs = 0, has_bytes = 0, flags;
	unsigned int full, empty, has_full = 0, has_empty = 0;
	struct kmag_magazine *mag;

	raw_spin_lock_irqsave(&depot->lock, flags);
	full = depot->nr_full;
	empty = depot->nr_empty;
	objs = depot->objs;
	bytes = depot->bytes;
	for (mag = depot->full; mag; mag = mag->next) {
		has_full++;
		has_objs += mag->cap;
		has_bytes += kmag_magazine_bytes(mag);
	}
	for (mag = depot->empty; mag; mag = mag->next) {
		has_empty++;
		has_bytes += kmag_magazine_bytes(mag);
	}
	raw_spin_unlock_irqrestore(&depot->lock, flags);

	compare(v, "a depot's full magazines", has_full, full);
	compare(v, "a depot's empty magazines", has_empty, empty);
	compare(v, "a depot's objects", has_objs, objs);
	compare(v, "a depot's bytes", has_bytes, bytes);
}

static void check_depots(struct validation *v)
{
	int nid;

	for_each_node(nid)
		check_depot(v, &v->cache->node[nid]->depot);
}

/* Every object in a magazine is there once, and away from its slab. */
static void check_cached(struct validation *v)
{
	const struct kmag_census *cached = v->cached;
	size_t i;

	for (i = 0; i < cached->nr; i++) {
		void *obj = cached->objs[i];
		struct kmag_slab *slab;
		int slot = -1;

		if (i && obj == cached->objs[i - 1])
			found(v, "object %p is in magazines twice", obj);
		rcu_read_lock();
		slab = kmag_slab_of(obj);
		if (slab && slab->cache == v->cache)
			slot = kmag_slab_slot(slab, obj);
		if (slot < 0)
			found(v, "%p in a magazine is no object of the cache",
			      obj);
		else if (!test_bit(slot, slab->away))
			found(v, "object %p is in a magazine and in its slab",
			      obj);
		else if (READ_ONCE(slab->draining))
			found(v, "object %p is in a magazine, but its slab drains",
			      obj);
		rcu_read_unlock();
		cond_resched();
	}
}

static void check_slab(struct validation *v, struct kmag_slab *slab)
{
	struct kmag_node *node = v->cache->node[slab->nid];
	unsigned long flags;
	unsigned int away, inuse;
	bool draining;
	u8 class;

	raw_spin_lock_irqsave(&node->lock, flags);
	away = bitmap_weight(slab->away, slab->slots);
	inuse = slab->inuse;
	class = slab->class;
	draining = slab->draining;
	raw_spin_unlock_irqrestore(&node->lock, flags);

	if (away != inuse)
		found(v, "slab %lu: %u objects away, %u counted",
		      kmag_slab_pfn(slab), away, inuse);
	if (class != kmag_slab_class(slab->slots, away))
		found(v, "slab %lu: %u of %u away, in class %u",
		      kmag_slab_pfn(slab), away, slab->slots, class);
	if (draining && (!away || away == slab->slots))
		found(v, "slab %lu: %u of %u away, and drains",
		      kmag_slab_pfn(slab), away, slab->slots);
	v->slabs++;
	if (draining) {
		v->draining++;
		v->draining_slots += slab->slots;
		v->draining_bytes += kmag_slab_bytes(slab);
	}
	v->slots += slab->slots;
	v->away += away;
	v->by_class[kmag_slab_class(slab->slots, away)]++;
	v->empty_free += away ? 0 : slab->slots;
	v->bytes += kmag_slab_bytes(slab);
	v->tail += kmag_slab_bytes(slab) - slab->slots * v->cache->stride;
	v->meta += kmag_slab_meta(slab);
}

static void check_slabs(struct validation *v)
{
	struct kmag_slab *slab;
	unsigned long nr = 0;

	do {
		unsigned int batch = KMAG_WALK_BATCH;

		rcu_read_lock();
		do {
			slab = kmag_slab_next(v->cache, &nr);
			if (slab)
				check_slab(v, slab);
		} while (slab && --batch);
		rcu_read_unlock();
		cond_resched();
	} while (slab);
}

/* What nodes sum up of their slabs. */
static void check_sums(struct validation *v, struct kmag_snap_cache *snap)
{
	unsigned long meta = 0, draining = 0;
	int i;

	for (i = 0; i < KMAG_SNAP_CLASSES; i++)
		if (v->by_class[i] != snap->slabs_by_class[i])
			found(v, "%lu slabs of class %d found, %llu counted",
			      v->by_class[i], i, snap->slabs_by_class[i]);
	compare(v, "free slots of empty slabs", v->empty_free, snap->empty_free);
	compare(v, "bytes of slabs", v->bytes, snap->slab_bytes);
	compare(v, "bytes behind last objects", v->tail, snap->tail_bytes);
	compare(v, "draining slabs", v->draining, snap->draining);
	compare(v, "bytes of draining slabs", v->draining_bytes,
		snap->draining_bytes);
	/* What no snapshot tells; may change. */
	for_each_node(i) {
		meta += READ_ONCE(v->cache->node[i]->meta);
		draining += READ_ONCE(v->cache->node[i]->draining_slots);
	}
	compare(v, "bytes of descriptors", v->meta, meta);
	compare(v, "slots of draining slabs", v->draining_slots, draining);
}

static void check_counts(struct validation *v, struct kmag_snap_cache *snap)
{
	unsigned long cached = v->cached->nr + snap->transit;

	if (v->slabs != snap->slabs || v->slots != snap->slots)
		found(v, "%lu slabs with %lu slots found, %llu with %llu counted",
		      v->slabs, v->slots, snap->slabs, snap->slots);
	if (v->slots - v->away != snap->slab_free)
		found(v, "%lu slots free in bitmaps, %llu counted",
		      v->slots - v->away, snap->slab_free);
	if (v->cached->nr != snap->cpu_objs + snap->depot_objs)
		found(v, "%zu objects in magazines, %llu counted",
		      v->cached->nr, snap->cpu_objs + snap->depot_objs);
	if (v->away != snap->live + cached)
		found(v, "%lu objects away, %lu cached: %lld live, %llu by operations",
		      v->away, cached, (s64)v->away - (s64)cached, snap->live);
}

int kmag_cache_validate(struct kmag_cache *cache)
{
	struct validation v = { .cache = cache };
	struct kmag_snap_cache *snap;
	int ret = -ENOMEM;

	/* All memory before the locks: the shrinker asks for the first of them. */
	snap = kmag_snapshot_alloc(GFP_KERNEL);
	if (!snap)
		return -ENOMEM;
	v.cached = kmag_census_alloc(cache, GFP_KERNEL);
	if (!v.cached)
		goto out_snap;

	/* Keep away the shrinker, CPU hotplug and whoever drains the cache. */
	mutex_lock(&kmag_caches_lock);
	mutex_lock(&cache->fence_lock);
	kmag_snapshot_fill(cache, snap);
	kmag_census_take(cache, v.cached);
	check_cached(&v);
	check_depots(&v);
	check_slabs(&v);
	check_sums(&v, snap);
	check_counts(&v, snap);
	cache->validated = v.errors;
	ret = v.errors;
	mutex_unlock(&cache->fence_lock);
	mutex_unlock(&kmag_caches_lock);

	kvfree(v.cached);
out_snap:
	kvfree(snap);
	return ret;
}
EXPORT_SYMBOL_GPL(kmag_cache_validate);
