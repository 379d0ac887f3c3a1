// SPDX-License-Identifier: GPL-2.0
/*
 * Magazines: what a CPU does when its fast path cannot go on. It swaps its two
 * magazines, else changes one at the depot, else takes or gives a whole run of
 * objects at the slabs. After a trip to the depot one magazine is full and one
 * empty, so that a whole capacity of operations of either kind fits before the
 * next (Bonwick and Adams 2001, 3.1).
 *
 * Above: the public calls. Below: depot.c and slab.c.
 */
#include <linux/export.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "debug.h"
#include "depot.h"
#include "gate.h"
#include "magazine.h"
#include "mark.h"
#include "park.h"
#include "slab.h"
#include "trace.h"

static struct kmag_node *this_node(struct kmag_cache *cache)
{
	return cache->node[kmag_this_node()];
}

/* A node whose slabs have @nr objects, this one first; NULL if none has. */
static struct kmag_node *node_with(struct kmag_cache *cache, unsigned long nr)
{
	struct kmag_node *node = this_node(cache);
	int nid;

	/* Hints: who comes too late looks again. */
	if (READ_ONCE(node->free) >= nr)
		return node;
	for_each_online_node(nid)
		if (READ_ONCE(cache->node[nid]->free) >= nr)
			return cache->node[nid];
	return NULL;
}

int kmag_cpus_alloc(struct kmag_cache *cache)
{
	unsigned int nr;

	cache->cpu = alloc_percpu(struct kmag_cpu);
	if (!cache->cpu)
		return -ENOMEM;
	cache->fast.pcp = &cache->cpu->fast;

	for_each_possible_cpu(nr) {
		struct kmag_cpu *cpu = per_cpu_ptr(cache->cpu, nr);
		int nid = cpu_to_node(nr);
		struct kmag_magazine *mag;

		raw_spin_lock_init(&cpu->lock);
		cpu->gate = KMAG_GATE_DRAINED;
		cpu->fast.lo = INT_MAX;
		mag = kmag_magazine_alloc(cache->capacity, GFP_KERNEL, nid);
		if (!mag)
			goto err_magazine;
		cpu->fast.objs = mag->objs;
		mag = kmag_magazine_alloc(cache->capacity, GFP_KERNEL, nid);
		if (!mag)
			goto err_magazine;
		cpu->fast.prev_objs = mag->objs;
		cpu->fast.prev_cap = mag->cap;
	}
	return 0;

err_magazine:
	kmag_cpus_free(cache);
	return -ENOMEM;
}

void kmag_cpus_free(struct kmag_cache *cache)
{
	unsigned int nr;

	for_each_possible_cpu(nr) {
		struct kmag_pcp *pcp = &per_cpu_ptr(cache->cpu, nr)->fast;

		if (pcp->objs)
			kmag_magazine_free(kmag_magazine_of(pcp->objs));
		if (pcp->prev_objs)
			kmag_magazine_free(kmag_magazine_of(pcp->prev_objs));
	}
	free_percpu(cache->cpu);
}

/*
 * Claim this CPU's magazines for a slow path. Interrupts are off, so the only
 * one who can have the claim is an operation that we interrupted: then NULL.
 * While we have it, an NMI keeps off.
 */
static notrace struct kmag_cpu *cpu_claim(struct kmag_cache *cache,
					  unsigned long *flags)
{
	struct kmag_cpu *cpu;

	local_irq_save(*flags);
	cpu = this_cpu_ptr(cache->cpu);
	if (cpu->fast.busy) {
		cpu->stats[KMAG_BUSY]++;
		local_irq_restore(*flags);
		return NULL;
	}
	cpu->fast.busy = 1;
	barrier();	/* as on the fast path */
	return cpu;
}

/* Lock claimed magazines, and open the gate. */
static __always_inline void cpu_lock(struct kmag_cache *cache,
				     struct kmag_cpu *cpu,
				     struct kmag_leftovers *left)
	__acquires(&cpu->lock)
{
	raw_spin_lock(&cpu->lock);
	if (unlikely(cpu->gate != KMAG_GATE_OPEN))
		kmag_gate_reopen(cache, cpu, left);
}

static __always_inline void cpu_unlock(struct kmag_cpu *cpu, unsigned long flags)
	__releases(&cpu->lock)
{
	raw_spin_unlock(&cpu->lock);
	barrier();	/* as on the fast path */
	cpu->fast.busy = 0;
	local_irq_restore(flags);
}

/* Swap under the lock, which may change the capacity of the loaded one. */
static void swap_locked(struct kmag_cpu *cpu)
{
	struct kmag_pcp *pcp = &cpu->fast;
	u32 rounds = pcp->rounds;

	lockdep_assert_held(&cpu->lock);
	WRITE_ONCE(pcp->rounds, pcp->prev_rounds);	/* views look */
	WRITE_ONCE(pcp->prev_rounds, rounds);
	pcp->prev_cap = kmag_cap_of(pcp->objs);
	swap(pcp->objs, pcp->prev_objs);
	kmag_gate_follow(cpu);
	cpu->stats[KMAG_SWAP]++;
}

/* Could a swap of loaded and previous let the operation go on? */
static __always_inline bool swap_helps(struct kmag_cache *cache, bool for_alloc)
{
	struct kmag_pcp __percpu *pcp = kmag_pcp(cache);

	/* Hints: on another CPU, or after an interrupt, it may be otherwise. */
	return data_race(for_alloc ? raw_cpu_read(pcp->prev_rounds) != 0 :
			 raw_cpu_read(pcp->prev_rounds) !=
			 raw_cpu_read(pcp->prev_cap));
}

static __always_inline bool swap_unlocked(struct kmag_cache *cache,
					  bool for_alloc)
{
	struct kmag_here here;
	bool swapped = false;

	preempt_disable();
	here = kmag_here(kmag_pcp(cache));
	if (kmag_claim(here)) {
		swapped = kmag_swap_claimed(cache, here,
					    kmag_cap_of(kmag_get(here.pcp->objs)),
					    for_alloc);
		kmag_release(here);
	}
	preempt_enable();
	return swapped;
}

/* Swap them where it does. */
static notrace noinline bool swap_for_alloc(struct kmag_cache *cache)
{
	return swap_unlocked(cache, true);
}

/* The same for a free that is to look at its slab. */
static notrace noinline bool swap_for_free(struct kmag_cache *cache)
{
	return swap_unlocked(cache, false);
}

/* The same for one that is not, and push there, in one claim. */
static notrace noinline bool swap_and_push(struct kmag_cache *cache, void *obj)
{
	struct kmag_here here;
	bool swapped = false;

	preempt_disable();
	here = kmag_here(kmag_pcp(cache));
	if (kmag_claim(here)) {
		swapped = kmag_swap_claimed(cache, here,
					    kmag_get(here.pcp->hi), false);
		if (swapped) {
			kmag_get(here.pcp->objs)[kmag_get(here.pcp->rounds)] =
				obj;
			kmag_add(here.pcp->rounds, 1);
			kmag_add(here.pcp->frees, 1);
		}
		kmag_release(here);
	}
	preempt_enable();
	return swapped;
}

/*
 * Load a full magazine, or as many objects as the slabs of @node have. On the
 * @first try, if they have less than a magazine holds, take none: slabs must be
 * made, outside the lock. On the second the depot is not visited again.
 */
static enum kmag_stat cpu_refill(struct kmag_cache *cache, struct kmag_cpu *cpu,
				 struct kmag_node *node, bool first)
{
	struct kmag_pcp *pcp = &cpu->fast;
	struct kmag_magazine *mag = NULL;
	u32 cap;

	lockdep_assert_held(&cpu->lock);
	if (first)
		mag = kmag_depot_get_full(cache, &node->depot,
					  kmag_magazine_of(pcp->prev_objs));
	cap = kmag_cap_of(pcp->objs);
	if (mag) {
		pcp->prev_objs = pcp->objs;
		pcp->prev_cap = cap;
		pcp->objs = mag->objs;
		pcp->rounds = mag->cap;
		kmag_gate_follow(cpu);
		return KMAG_ALLOC_DEPOT;
	}
	/* A hint: what others take meanwhile is made good by the next round. */
	if (!first || READ_ONCE(node->free) >= cap)
		pcp->rounds = kmag_slab_take(cache, node, pcp->objs, cap);
	return KMAG_ALLOC_SLAB;
}

/*
 * Allocate from this CPU's magazines, by way of depot and slabs. They are in
 * use if this is the middle of an operation of this CPU: then past them.
 */
static void *cpu_alloc(struct kmag_cache *cache, struct kmag_node *node,
		       bool first, bool paged, enum kmag_stat *tier)
{
	struct kmag_pcp *pcp;
	struct kmag_cpu *cpu;
	unsigned long flags;
	void *obj = NULL;
	struct kmag_leftovers left = KMAG_LEFTOVERS_INIT(left);

	cpu = cpu_claim(cache, &flags);
	if (!cpu) {
		*tier = paged ? KMAG_ALLOC_PAGE : KMAG_ALLOC_SLAB;
		if (kmag_slab_take(cache, node, &obj, 1))
			kmag_count(cache, *tier);
		return obj;
	}
	cpu_lock(cache, cpu, &left);
	pcp = &cpu->fast;
	*tier = KMAG_ALLOC_MAG;
	if (!pcp->rounds && pcp->prev_rounds)
		swap_locked(cpu);
	if (!pcp->rounds)
		*tier = cpu_refill(cache, cpu, node, first);
	if (*tier == KMAG_ALLOC_SLAB && paged)
		*tier = KMAG_ALLOC_PAGE;
	if (pcp->rounds) {
		obj = pcp->objs[--pcp->rounds];
		if (*tier == KMAG_ALLOC_MAG)
			pcp->allocs++;
		else
			cpu->stats[*tier]++;
	}
	cpu_unlock(cpu, flags);
	kmag_slab_settle(cache, &left);
	return obj;
}

void *kmag_alloc_object(struct kmag_cache *cache, gfp_t gfp,
			enum kmag_stat *tier)
{
	/* To fill a magazine: only what is to be had for the asking. */
	gfp_t cheap = (gfp & ~(__GFP_DIRECT_RECLAIM | __GFP_NOFAIL |
			       __GFP_HIGH)) | __GFP_NOWARN;
	bool tried = false, paged = false;
	void *obj;

	if (unlikely(in_nmi()))
		goto fail;
	WARN_ON_ONCE(!rcu_is_watching());
	*tier = KMAG_ALLOC_MAG;
	if (swap_helps(cache, true) && swap_for_alloc(cache) &&
	    kmag_pcp_pop(kmag_pcp(cache), &obj))
		return obj;
	for (;;) {
		int nid = kmag_this_node();
		struct kmag_node *node = NULL;

		if (tried)
			node = node_with(cache, cache->capacity) ?:
			       node_with(cache, 1);
		obj = cpu_alloc(cache, node ?: cache->node[nid], !tried, paged,
				tier);
		if (obj)
			return obj;
		kmag_depot_stock(cache, nid);
		if (!tried) {
			/* Pages of this node, objects of others, their pages. */
			paged = kmag_slab_grow(cache, cheap | __GFP_THISNODE,
					       nid, cache->capacity);
			if (!paged && !node_with(cache, cache->capacity))
				paged = kmag_slab_grow(cache, cheap, nid,
						       cache->capacity);
			tried = true;
			continue;
		}
		/* Not one free object is left: now it may cost something. */
		if (kmag_slab_grow(cache, gfp, nid, 1)) {
			paged = true;
			continue;
		}
		if (!(gfp & __GFP_NOFAIL))
			goto fail;
		if (unlikely(!gfpflags_allow_blocking(gfp)))
			goto fail_atomic;
		schedule_timeout_uninterruptible(1);
	}

fail_atomic:
	kmag_report_refused(cache, KMAG_REFUSED_NOFAIL);
fail:
	*tier = KMAG_ALLOC_FAIL;
	kmag_count(cache, KMAG_ALLOC_FAIL);
	return NULL;
}

/* Make room in the loaded magazine, which is full. */
static enum kmag_stat cpu_flush(struct kmag_cache *cache, struct kmag_cpu *cpu,
				struct kmag_leftovers *left)
{
	struct kmag_pcp *pcp = &cpu->fast;
	struct kmag_magazine *mag;

	lockdep_assert_held(&cpu->lock);
	if (pcp->prev_rounds < pcp->prev_cap) {
		swap_locked(cpu);
		return KMAG_FREE_MAG;
	}
	mag = kmag_depot_get_empty(cache, &this_node(cache)->depot,
				   kmag_magazine_of(pcp->prev_objs));
	if (mag) {
		pcp->prev_objs = pcp->objs;
		pcp->prev_cap = kmag_cap_of(pcp->objs);
		pcp->prev_rounds = pcp->rounds;
		pcp->objs = mag->objs;
		pcp->rounds = 0;
		kmag_gate_follow(cpu);
		return KMAG_FREE_DEPOT;
	}
	/* A whole run at once, and the magazine it was in is the empty one. */
	kmag_slab_give(cache, pcp->prev_objs, pcp->prev_rounds, left);
	pcp->prev_rounds = 0;
	swap_locked(cpu);
	return KMAG_FREE_SLAB;
}

/*
 * An object of @slab, which drains, goes there. Preemption is off since the slab was
 * looked up, and on again afterwards.
 */
static notrace noinline enum kmag_stat free_home(struct kmag_cache *cache,
						 struct kmag_slab *slab,
						 void *obj)
{
	struct kmag_cpu __percpu *cpu;

	if (unlikely(in_nmi())) {
		kmag_park(cache, obj);
		preempt_enable();
		return KMAG_PARKED;
	}
	if (unlikely(!kmag_mark_home(cache, slab, obj))) {
		preempt_enable();
		kmag_count(cache, KMAG_HOME);
		return kmag_free_to_slab(cache, obj);
	}
	cpu = cache->cpu;	/* once for all of them */
	this_cpu_inc(cpu->stats[KMAG_HOME]);
	this_cpu_inc(cpu->stats[KMAG_FREE_SLAB]);
	this_cpu_inc(cpu->stats[KMAG_FLUSH]);
	this_cpu_inc(cpu->stats[KMAG_FLUSH_OBJS]);
	trace_kmag_flush(cache, 1);
	preempt_enable();
	return KMAG_FREE_SLAB;
}

/* Free into this CPU's magazines; past them if they are in use. */
static enum kmag_stat cpu_free(struct kmag_cache *cache, void *obj)
{
	enum kmag_stat tier = KMAG_FREE_MAG;
	struct kmag_pcp *pcp;
	struct kmag_cpu *cpu;
	unsigned long flags;
	struct kmag_leftovers left = KMAG_LEFTOVERS_INIT(left);
	u32 hi;

	cpu = cpu_claim(cache, &flags);
	if (!cpu)
		return kmag_free_to_slab(cache, obj);
	cpu_lock(cache, cpu, &left);
	pcp = &cpu->fast;
	hi = pcp->hi;
	if (unlikely(!hi)) {
		if (kmag_slab_drains(kmag_slab_of(obj)))
			goto home;
		/* For good, if nothing drains any more. */
		kmag_gate_open(cache, cpu);
		hi = kmag_cap_of(pcp->objs);
	}
	if (pcp->rounds >= hi)
		tier = cpu_flush(cache, cpu, &left);
	pcp->objs[pcp->rounds++] = obj;
	if (tier == KMAG_FREE_SLAB && !list_empty(&left.dead))
		tier = KMAG_FREE_PAGE;
	if (tier == KMAG_FREE_MAG)
		pcp->frees++;
	else
		cpu->stats[tier]++;
	cpu_unlock(cpu, flags);
	kmag_slab_settle(cache, &left);
	return tier;

home:
	cpu_unlock(cpu, flags);
	kmag_slab_settle(cache, &left);
	kmag_count(cache, KMAG_HOME);
	return kmag_free_to_slab(cache, obj);
}

enum kmag_stat kmag_free_to_slab(struct kmag_cache *cache, void *obj)
{
	struct kmag_leftovers left = KMAG_LEFTOVERS_INIT(left);
	enum kmag_stat tier;

	kmag_slab_give(cache, &obj, 1, &left);
	tier = kmag_slab_settle(cache, &left) ? KMAG_FREE_PAGE : KMAG_FREE_SLAB;
	kmag_count(cache, tier);
	return tier;
}

/* Past the fast path, and past free_sorted(). */
static notrace noinline enum kmag_stat free_slow(struct kmag_cache *cache,
						 void *obj)
{
	if (unlikely(in_nmi())) {
		kmag_park(cache, obj);
		return KMAG_PARKED;
	}
	WARN_ON_ONCE(!rcu_is_watching());
	if (swap_helps(cache, false) && swap_and_push(cache, obj))
		return KMAG_FREE_MAG;
	return cpu_free(cache, obj);
}

/* Past free_sorted(), to where it is tried again if a swap has made room. */
static notrace noinline enum kmag_stat
free_sorted_slow(struct kmag_cache *cache, void *obj)
{
	if (likely(!in_nmi()) && swap_helps(cache, false) &&
	    swap_for_free(cache))
		return kmag_free_object(cache, obj);
	return free_slow(cache, obj);
}

/*
 * The fast path of a cache with draining slabs: their objects go home, others
 * stay, for the price of a look at the slab. That is done with the magazines
 * claimed, so that neither a fence nor an interrupt comes between look and push:
 * whoever finds an object not draining pushes it before the marks are in force.
 */
static __always_inline notrace enum kmag_stat
free_sorted(struct kmag_cache *cache, void *obj)
{
	struct kmag_slab *slab;
	struct kmag_here here;
	void **objs;
	s32 rounds;

	preempt_disable();
	here = kmag_here(kmag_pcp(cache));
	if (unlikely(!kmag_claim(here)))
		goto busy;
	rounds = kmag_get(here.pcp->rounds);
	/* Closed by a fence, which hi does not tell: one compare, as lo is 0 else. */
	if (unlikely(rounds < kmag_get(here.pcp->lo)))
		goto closed;
	objs = kmag_get(here.pcp->objs);
	if (unlikely((u32)rounds >= kmag_cap_of(objs)))
		goto closed;
	slab = kmag_slab_of(obj);
	if (kmag_slab_drains(slab))
		goto home;
	objs[(u32)rounds] = obj;
	kmag_add(here.pcp->rounds, 1);
	kmag_add(here.pcp->frees, 1);
	kmag_release(here);
	preempt_enable();
	return KMAG_FREE_MAG;

home:
	kmag_release(here);
	return free_home(cache, slab, obj);
closed:
	kmag_release(here);
busy:
	preempt_enable();
	return free_sorted_slow(cache, obj);
}

notrace enum kmag_stat kmag_free_object(struct kmag_cache *cache, void *obj)
{
	return kmag_sorts(cache) ? free_sorted(cache, obj) : free_slow(cache, obj);
}

/* The same again: a call in between is much of what an object may cost that stays. */
notrace void kmag_free_slow(struct kmag_cache *cache, void *obj)
{
	if (kmag_sorts(cache))
		free_sorted(cache, obj);
	else
		free_slow(cache, obj);
}
EXPORT_SYMBOL_GPL(kmag_free_slow);
