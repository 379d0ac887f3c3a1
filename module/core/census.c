// SPDX-License-Identifier: GPL-2.0
/*
 * Census: which objects lie in magazines, and which slabs they hold open. Costs
 * as much as is cached, and is taken when somebody looks. Above: the views and
 * validate.c. Below: magazines, depots and slabs.
 */
#include <linux/export.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/string.h>

#include "census.h"
#include "depot.h"
#include "gate.h"

struct kmag_census *kmag_census_alloc(struct kmag_cache *cache, gfp_t gfp)
{
	size_t mags = 2 * num_possible_cpus();
	struct kmag_census *census;
	int nid;

	for_each_node(nid)
		mags += cache->node[nid]->depot.open_max;
	census = kvmalloc(struct_size(census, objs, mags * cache->capacity), gfp);
	if (!census)
		return NULL;
	census->nr = 0;
	census->max = mags * cache->capacity;
	return census;
}
EXPORT_SYMBOL_IF_KUNIT(kmag_census_alloc);

static void add(struct kmag_census *census, void **objs, size_t nr)
{
	nr = min(nr, census->max - census->nr);
	/* The fast path goes on with a magazine, under no lock. */
	data_race(memcpy(census->objs + census->nr, objs, nr * sizeof(*objs)));
	census->nr += nr;
}

static void add_cpu(struct kmag_census *census, struct kmag_cache *cache,
		    struct kmag_cpu *cpu)
{
	unsigned long flags = kmag_cpu_lock(cache, cpu);
	struct kmag_pcp *pcp = &cpu->fast;

	/* The lock keeps the magazines where they are; the counts are hints. */
	add(census, READ_ONCE(pcp->objs), READ_ONCE(pcp->rounds));
	add(census, READ_ONCE(pcp->prev_objs), READ_ONCE(pcp->prev_rounds));
	kmag_cpu_unlock(cache, cpu, flags);
}

/* Bounded by the depot's own limit, so in one piece. */
static void add_depot(struct kmag_census *census, struct kmag_depot *depot)
{
	struct kmag_magazine *mag;
	unsigned long flags;

	raw_spin_lock_irqsave(&depot->lock, flags);
	for (mag = depot->full; mag; mag = mag->next)
		add(census, mag->objs, mag->cap);
	raw_spin_unlock_irqrestore(&depot->lock, flags);
}

static int by_address(const void *a, const void *b)
{
	const void *x = *(void * const *)a, *y = *(void * const *)b;

	return x < y ? -1 : x > y;
}

void kmag_census_take(struct kmag_cache *cache, struct kmag_census *census)
{
	unsigned int nr;
	int nid;

	census->nr = 0;
	for_each_possible_cpu(nr)
		add_cpu(census, cache, per_cpu_ptr(cache->cpu, nr));
	for_each_node(nid)
		add_depot(census, &cache->node[nid]->depot);
	sort(census->objs, census->nr, sizeof(*census->objs), by_address, NULL);
}
EXPORT_SYMBOL_IF_KUNIT(kmag_census_take);

/* The first object that is not below @addr. */
static size_t first_from(const struct kmag_census *census, const void *addr)
{
	size_t low = 0, high = census->nr;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (census->objs[mid] < addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

size_t kmag_census_of(const struct kmag_census *census,
		      const struct kmag_slab *slab)
{
	return first_from(census, slab->base + kmag_slab_bytes(slab)) -
	       first_from(census, slab->base);
}
EXPORT_SYMBOL_IF_KUNIT(kmag_census_of);

/* @slab has @nr cached objects. Is that all it has away? */
static void count_slab(struct kmag_cache *cache, struct kmag_slab *slab,
		       size_t nr, struct kmag_cached *cached)
{
	struct kmag_node *node = cache->node[slab->nid];
	unsigned long flags;

	raw_spin_lock_irqsave(&node->lock, flags);
	/* What was cached may be at home by now: then the slab is of no class. */
	if (slab->inuse && slab->inuse <= nr) {
		cached->slabs[slab->class]++;
		cached->bytes += kmag_slab_bytes(slab);
	}
	raw_spin_unlock_irqrestore(&node->lock, flags);
}

void kmag_census_held(struct kmag_cache *cache,
		      const struct kmag_census *census,
		      struct kmag_cached *cached)
{
	struct kmag_slab *slab;
	size_t i = 0, nr;

	memset(cached, 0, sizeof(*cached));
	while (i < census->nr) {
		nr = 1;
		rcu_read_lock();
		slab = kmag_slab_of(census->objs[i]);
		/* It may have been freed meanwhile, and be another cache's. */
		if (slab && slab->cache == cache) {
			nr = first_from(census, slab->base +
					kmag_slab_bytes(slab)) - i;
			count_slab(cache, slab, nr, cached);
		}
		rcu_read_unlock();
		i += nr;
		cond_resched();
	}
}
EXPORT_SYMBOL_IF_KUNIT(kmag_census_held);
