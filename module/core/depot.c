// SPDX-License-Identifier: GPL-2.0
/*
 * The depot: stacks of full and of empty magazines for a memory node, under
 * one short raw lock. Above: magazine.c, which exchanges, and reclaim.c, which
 * drains. Below: slab.c.
 */
#include <linux/kmemleak.h>
#include <linux/slab.h>

#include "depot.h"
#include "slab.h"
#include "trace.h"

/* Empty magazines allocated in one go for a depot that ran short. */
#define KMAG_STOCK_BATCH	4

void kmag_depot_init(struct kmag_depot *depot, unsigned int full_max)
{
	raw_spin_lock_init(&depot->lock);
	depot->full_max = full_max;
	depot->open_max = full_max;
}
EXPORT_SYMBOL_IF_KUNIT(kmag_depot_init);

void kmag_depot_shut(struct kmag_depot *depot, bool shut)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&depot->lock, flags);
	depot->full_max = shut ? 0 : depot->open_max;
	raw_spin_unlock_irqrestore(&depot->lock, flags);
}

size_t kmag_magazine_bytes(const struct kmag_magazine *mag)
{
	return struct_size(mag, objs, mag->cap);
}
EXPORT_SYMBOL_IF_KUNIT(kmag_magazine_bytes);

/* The one place where magazines come from. Suites make it fail. */
struct kmag_magazine *kmag_magazine_alloc(unsigned int cap, gfp_t gfp, int nid)
{
	struct kmag_magazine *mag;

	KMAG_KUNIT_STUB(kmag_magazine_alloc, cap, gfp, nid);

	mag = kmalloc_node(struct_size(mag, objs, cap), gfp, nid);
	if (!mag)
		return NULL;
	/*
	 * Slots above the rounds keep old pointers, which would hide the leak
	 * of what they point to.
	 */
	kmemleak_ignore(mag);
	mag->next = NULL;
	mag->cap = cap;
	return mag;
}
EXPORT_SYMBOL_IF_KUNIT(kmag_magazine_alloc);

void kmag_magazine_free(struct kmag_magazine *mag)
{
	kfree(mag);
}
EXPORT_SYMBOL_IF_KUNIT(kmag_magazine_free);

static void depot_lock(struct kmag_cache *cache, struct kmag_depot *depot)
	__acquires(&depot->lock)
{
	kmag_count(cache, KMAG_DEPOT_VISIT);
	if (raw_spin_trylock(&depot->lock))
		return;
	kmag_count(cache, KMAG_DEPOT_CONTENDED);
	raw_spin_lock(&depot->lock);
}

static void push_full(struct kmag_depot *depot, struct kmag_magazine *mag)
{
	lockdep_assert_held(&depot->lock);
	mag->next = depot->full;
	WRITE_ONCE(depot->full, mag);	/* kmag_depot_get_full() peeks */
	depot->nr_full++;
	depot->objs += mag->cap;
	depot->bytes += kmag_magazine_bytes(mag);
}

static struct kmag_magazine *pop_full(struct kmag_depot *depot)
{
	struct kmag_magazine *mag = depot->full;

	lockdep_assert_held(&depot->lock);
	if (!mag)
		return NULL;
	WRITE_ONCE(depot->full, mag->next);
	depot->nr_full--;
	depot->full_min = min(depot->full_min, depot->nr_full);
	depot->objs -= mag->cap;
	depot->bytes -= kmag_magazine_bytes(mag);
	return mag;
}

static void push_empty(struct kmag_depot *depot, struct kmag_magazine *mag)
{
	lockdep_assert_held(&depot->lock);
	mag->next = depot->empty;
	depot->empty = mag;
	depot->nr_empty++;
	depot->bytes += kmag_magazine_bytes(mag);
}

static struct kmag_magazine *pop_empty(struct kmag_depot *depot)
{
	struct kmag_magazine *mag = depot->empty;

	lockdep_assert_held(&depot->lock);
	if (!mag)
		return NULL;
	depot->empty = mag->next;
	depot->nr_empty--;
	depot->empty_min = min(depot->empty_min, depot->nr_empty);
	depot->bytes -= kmag_magazine_bytes(mag);
	return mag;
}

struct kmag_magazine *kmag_depot_get_full(struct kmag_cache *cache,
					  struct kmag_depot *depot,
					  struct kmag_magazine *empty)
{
	struct kmag_magazine *mag;
	unsigned long flags;

	/* Who looks too early for a magazine finds it the next time. */
	if (!READ_ONCE(depot->full))
		return NULL;
	local_irq_save(flags);
	depot_lock(cache, depot);
	mag = pop_full(depot);
	if (mag)
		push_empty(depot, empty);
	raw_spin_unlock(&depot->lock);
	local_irq_restore(flags);
	trace_kmag_depot_exchange(cache, true, mag);
	return mag;
}
EXPORT_SYMBOL_IF_KUNIT(kmag_depot_get_full);

struct kmag_magazine *kmag_depot_get_empty(struct kmag_cache *cache,
					   struct kmag_depot *depot,
					   struct kmag_magazine *full)
{
	struct kmag_magazine *mag = NULL;
	unsigned long flags;
	bool short_of;

	local_irq_save(flags);
	depot_lock(cache, depot);
	short_of = depot->nr_full < depot->full_max && !depot->empty;
	/* Zeroed without the lock: one more or less does not matter. */
	if (short_of)
		WRITE_ONCE(depot->want, READ_ONCE(depot->want) + 1);
	else if (depot->nr_full < depot->full_max)
		mag = pop_empty(depot);
	if (mag)
		push_full(depot, full);
	raw_spin_unlock(&depot->lock);
	local_irq_restore(flags);
	if (short_of)
		kmag_count(cache, KMAG_DEPOT_NO_EMPTY);
	trace_kmag_depot_exchange(cache, false, mag);
	return mag;
}
EXPORT_SYMBOL_IF_KUNIT(kmag_depot_get_empty);

struct kmag_magazine *kmag_depot_pop_full(struct kmag_cache *cache,
					  struct kmag_depot *depot)
{
	struct kmag_magazine *mag;
	unsigned long flags;

	raw_spin_lock_irqsave(&depot->lock, flags);
	mag = pop_full(depot);
	if (mag)
		atomic_long_add(mag->cap, &cache->transit);
	raw_spin_unlock_irqrestore(&depot->lock, flags);
	return mag;
}
EXPORT_SYMBOL_IF_KUNIT(kmag_depot_pop_full);

void kmag_depot_push_empty(struct kmag_depot *depot, struct kmag_magazine *mag)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&depot->lock, flags);
	push_empty(depot, mag);
	raw_spin_unlock_irqrestore(&depot->lock, flags);
}
EXPORT_SYMBOL_IF_KUNIT(kmag_depot_push_empty);

unsigned long kmag_depot_drain(struct kmag_cache *cache,
			       struct kmag_depot *depot,
			       struct kmag_leftovers *left)
{
	struct kmag_magazine *mag = kmag_depot_pop_full(cache, depot);
	unsigned long nr;

	if (!mag)
		return 0;
	nr = mag->cap;
	kmag_slab_give(cache, mag->objs, nr, left);
	atomic_long_sub(nr, &cache->transit);
	kmag_depot_push_empty(depot, mag);
	return nr;
}

void kmag_depot_stock(struct kmag_cache *cache, int nid)
{
	struct kmag_depot *depot = &cache->node[nid]->depot;
	struct kmag_magazine *mag;
	unsigned int i;

	/* Counted under the lock, meanwhile too. */
	if (likely(!READ_ONCE(depot->want)))
		return;
	WRITE_ONCE(depot->want, 0);
	for (i = 0; i < KMAG_STOCK_BATCH; i++) {
		mag = kmag_magazine_alloc(cache->capacity,
					  GFP_NOWAIT | __GFP_NOWARN |
					  __GFP_NOMEMALLOC, nid);
		if (!mag)
			return;
		kmag_depot_push_empty(depot, mag);
	}
}
EXPORT_SYMBOL_IF_KUNIT(kmag_depot_stock);

unsigned int kmag_depot_idle_full(struct kmag_depot *depot)
{
	unsigned long flags;
	unsigned int idle;

	raw_spin_lock_irqsave(&depot->lock, flags);
	idle = depot->full_min;
	depot->full_min = depot->nr_full;
	raw_spin_unlock_irqrestore(&depot->lock, flags);
	return idle;
}
EXPORT_SYMBOL_IF_KUNIT(kmag_depot_idle_full);

unsigned int kmag_depot_idle_empty(struct kmag_depot *depot)
{
	unsigned long flags;
	unsigned int idle;

	raw_spin_lock_irqsave(&depot->lock, flags);
	idle = depot->empty_min;
	depot->empty_min = depot->nr_empty;
	raw_spin_unlock_irqrestore(&depot->lock, flags);
	return idle;
}
EXPORT_SYMBOL_IF_KUNIT(kmag_depot_idle_empty);

void kmag_depot_purge(struct kmag_depot *depot, unsigned int keep)
{
	struct kmag_magazine *mag;
	unsigned long flags;

	for (;;) {
		raw_spin_lock_irqsave(&depot->lock, flags);
		mag = depot->nr_empty > keep ? pop_empty(depot) : NULL;
		raw_spin_unlock_irqrestore(&depot->lock, flags);
		if (!mag)
			return;
		kmag_magazine_free(mag);
	}
}
EXPORT_SYMBOL_IF_KUNIT(kmag_depot_purge);
