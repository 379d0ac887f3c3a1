// SPDX-License-Identifier: GPL-2.0
/*
 * The public calls on objects: the fast path compiled once, what odd flags
 * and odd machines ask for on top, and bulk. Below: magazine.c and slab.c.
 */
#include <linux/export.h>
#include <linux/init.h>
#include <linux/instruction_pointer.h>
#include <linux/nodemask.h>
#include <linux/string.h>

#include "alloc.h"
#include "debug.h"
#include "latency.h"
#include "magazine.h"
#include "slab.h"
#include "trace.h"

struct static_key_false kmag_alloc_is_odd = STATIC_KEY_FALSE_INIT;
EXPORT_SYMBOL_GPL(kmag_alloc_is_odd);
struct static_key_false kmag_free_is_odd = STATIC_KEY_FALSE_INIT;
EXPORT_SYMBOL_GPL(kmag_free_is_odd);

/* Are there several nodes with memory? Frees look where objects belong. */
static bool many_nodes __ro_after_init;

void __init kmag_alloc_init(void)
{
	many_nodes = num_node_state(N_MEMORY) > 1;
	if (many_nodes || want_init_on_free())
		static_branch_inc(&kmag_free_is_odd);
}

/*
 * Our caller, for the tracepoints. Where the compiler jumps to the odd path the
 * return address is still there to be found, and nothing is paid for it here.
 */
#define CALLER	(IS_ENABLED(CONFIG_FRAME_POINTER) ? _RET_IP_ : 0)

notrace void *kmag_cache_alloc(struct kmag_cache *cache, gfp_t gfp)
{
	return kmag_alloc_at(cache, gfp, CALLER);
}
EXPORT_SYMBOL_GPL(kmag_cache_alloc);

notrace void kmag_cache_free(struct kmag_cache *cache, void *obj)
{
	kmag_free_at(cache, obj, CALLER);
}
EXPORT_SYMBOL_GPL(kmag_cache_free);

static bool refuse(struct kmag_cache *cache, enum kmag_refused why)
{
	kmag_report_refused(cache, why);
	kmag_count(cache, KMAG_ALLOC_FAIL);
	return true;
}

/* Flags that no object of this cache can satisfy. */
static bool refused(struct kmag_cache *cache, gfp_t gfp)
{
	if (gfp & (__GFP_DMA | __GFP_DMA32 | __GFP_HIGHMEM))
		return refuse(cache, KMAG_REFUSED_ZONE);
	if ((gfp & __GFP_ZERO) && cache->ctor)
		return refuse(cache, KMAG_REFUSED_ZERO);
	return false;
}

/*
 * Past the magazines: from a node's slabs and nowhere else. Counts what it gets;
 * whether nothing is a failure, the caller knows.
 */
static void *alloc_from_node(struct kmag_cache *cache, gfp_t gfp, int nid,
			     enum kmag_stat *tier)
{
	void *obj;

	*tier = KMAG_ALLOC_SLAB;
	if (unlikely(in_nmi()))
		goto fail;
	/* One node can run out for ever. */
	gfp = (gfp & ~__GFP_NOFAIL) | __GFP_THISNODE;
	while (!kmag_slab_take(cache, cache->node[nid], &obj, 1)) {
		if (!kmag_slab_grow(cache, gfp, nid, 1))
			goto fail;
		*tier = KMAG_ALLOC_PAGE;
	}
	kmag_count(cache, *tier);
	return obj;

fail:
	*tier = KMAG_ALLOC_FAIL;
	return NULL;
}

/* What a new owner may expect to find in the object. */
static void *prepare(struct kmag_cache *cache, void *obj, gfp_t gfp)
{
	if (!obj)
		return NULL;
	kmag_debug_alloc(cache, obj, gfp);
	if (want_init_on_alloc(gfp))
		memset(obj, 0, cache->fast.zero);
	return obj;
}

/* Out of line, or the fast path gets a stack frame for its sake. */
noinline void *kmag_alloc_slow(struct kmag_cache *cache, gfp_t gfp)
{
	enum kmag_stat tier;

	return prepare(cache, kmag_alloc_object(cache, gfp, &tier), gfp);
}
EXPORT_SYMBOL_GPL(kmag_alloc_slow);

/* For @node, which says nothing but what was asked for. */
static __always_inline void *alloc_odd(struct kmag_cache *cache, gfp_t gfp,
				       int node, unsigned long call_site)
{
	u64 start = kmag_latency_start(cache);
	enum kmag_stat tier = KMAG_ALLOC_MAG;
	void *obj;

	if (refused(cache, gfp))
		return NULL;
	if (gfp & __GFP_THISNODE)
		obj = alloc_from_node(cache, gfp, kmag_this_node(), &tier);
	else if (unlikely(!kmag_pcp_pop(kmag_pcp(cache), &obj)))
		obj = kmag_alloc_object(cache, gfp & ~__GFP_ZERO, &tier);
	if (!obj && (gfp & __GFP_THISNODE))
		kmag_count(cache, KMAG_ALLOC_FAIL);
	kmag_latency_end(cache, tier, start);
	obj = prepare(cache, obj, gfp);
	trace_kmag_alloc(cache, obj, call_site, gfp, node);
	return obj;
}

notrace void *kmag_alloc_odd(struct kmag_cache *cache, gfp_t gfp,
			     unsigned long call_site)
{
	return alloc_odd(cache, gfp, NUMA_NO_NODE, call_site ?: _RET_IP_);
}
EXPORT_SYMBOL_GPL(kmag_alloc_odd);

/* From anywhere, though @node was named. */
static noinline void *alloc_any(struct kmag_cache *cache, gfp_t gfp, int node,
				unsigned long call_site)
{
	if (static_branch_unlikely(&kmag_alloc_is_odd))
		return alloc_odd(cache, gfp, node, call_site);
	return kmag_alloc_at(cache, gfp, call_site);
}

/* May an object come from anywhere, though @node was named? */
static bool node_is_any(int node, gfp_t gfp)
{
	if (node == NUMA_NO_NODE)
		return true;
	/* A task that may migrate is on this node for the moment only. */
	return !(gfp & __GFP_THISNODE) &&
	       (node == kmag_this_node() || !node_state(node, N_MEMORY));
}

void *kmag_cache_alloc_node(struct kmag_cache *cache, gfp_t gfp, int node)
{
	enum kmag_stat tier;
	u64 start;
	void *obj;

	if (node != NUMA_NO_NODE && (node < 0 || node >= nr_node_ids))
		goto fail;
	if (node_is_any(node, gfp))
		return alloc_any(cache, gfp, node, _RET_IP_);
	if (!node_state(node, N_MEMORY))
		goto fail;
	if (refused(cache, gfp))
		return NULL;
	start = kmag_latency_start(cache);
	obj = alloc_from_node(cache, gfp | __GFP_NOWARN, node, &tier);
	if (!obj && !(gfp & __GFP_THISNODE))
		return alloc_any(cache, gfp, node, _RET_IP_);
	kmag_latency_end(cache, tier, start);
	obj = prepare(cache, obj, gfp);
	trace_kmag_alloc(cache, obj, _RET_IP_, gfp, node);
	if (obj)
		return obj;
fail:
	kmag_count(cache, KMAG_ALLOC_FAIL);
	return NULL;
}
EXPORT_SYMBOL_GPL(kmag_cache_alloc_node);

/* Look at an object's slab: is it of another node? Zeroes the object, too. */
static bool inspect(struct kmag_cache *cache, void *obj)
{
	struct kmag_slab *slab;
	bool far = false;

	rcu_read_lock();
	slab = kmag_slab_of(obj);
	/* A wrong pointer goes on, to be reported where all of them are. */
	if (slab && slab->cache == cache && kmag_slab_slot(slab, obj) >= 0) {
		far = slab->nid != kmag_this_node();
		if (want_init_on_free() && !cache->ctor)
			memset(obj, 0, cache->fast.size);
	}
	rcu_read_unlock();
	return far;
}

notrace void kmag_free_odd(struct kmag_cache *cache, void *obj,
			   unsigned long call_site)
{
	u64 start = kmag_latency_start(cache);
	enum kmag_stat tier = KMAG_FREE_MAG;
	bool far = false;

	if (!obj)
		return;
	/* Before another owner may be told of the same address. */
	trace_kmag_free(cache, obj, call_site ?: _RET_IP_);
	if (many_nodes || want_init_on_free())
		far = inspect(cache, obj);
	if (!kmag_debug_free(cache, obj))
		return;
	/* An object of another node goes home, or this node would fill up. */
	if (unlikely(far) && !in_nmi())
		tier = kmag_free_to_slab(cache, obj);
	else if (unlikely(!kmag_pcp_push(kmag_pcp(cache), obj)))
		tier = kmag_free_object(cache, obj);
	kmag_latency_end(cache, tier, start);
}
EXPORT_SYMBOL_GPL(kmag_free_odd);

/*
 * Copy object pointers: no call between claim and release, and no loop of one,
 * which would be more loop than copy. By index, which needs fewer registers than
 * addresses do, and so fewer are saved.
 */
static __always_inline void copy_2(void **to, void **from, size_t at)
{
	to[at] = from[at];
	to[at + 1] = from[at + 1];
}

static __always_inline void copy_4(void **to, void **from, size_t at)
{
	copy_2(to, from, at);
	copy_2(to, from, at + 2);
}

static __always_inline void copy_8(void **to, void **from, size_t at)
{
	copy_4(to, from, at);
	copy_4(to, from, at + 4);
}

static __always_inline void copy_objs(void **to, void **from, size_t nr)
{
	if (nr & 1) {
		nr -= 1;
		to[nr] = from[nr];
	}
	if (nr & 2) {
		nr -= 2;
		copy_2(to, from, nr);
	}
	if (nr & 4) {
		nr -= 4;
		copy_4(to, from, nr);
	}
	if (nr & 8) {
		nr -= 8;
		copy_8(to, from, nr);
	}
	while (nr) {
		nr -= 16;
		OPTIMIZER_HIDE_VAR(nr);
		copy_8(to, from, nr);
		copy_8(to, from, nr + 8);
	}
}

/* Pop up to @nr from the loaded magazine, which is claimed. */
static __always_inline size_t pop_claimed(struct kmag_here here, void **objs,
					  size_t nr)
{
	s32 rounds = kmag_get(here.pcp->rounds);
	size_t run;

	if (unlikely(rounds <= kmag_get(here.pcp->lo)))
		return 0;
	run = min_t(size_t, nr, (u32)rounds);
	rounds -= run;
	copy_objs(objs, kmag_get(here.pcp->objs) + (u32)rounds, run);
	kmag_set(here.pcp->rounds, rounds);
	kmag_add(here.pcp->allocs, run);
	return run;
}

/* Pop as many of @nr as this CPU's two magazines have, in one claim. */
static __always_inline size_t pop_run(struct kmag_cache *cache, void **objs,
				      size_t nr)
{
	struct kmag_here here;
	size_t done = 0;

	preempt_disable();
	here = kmag_here(kmag_pcp(cache));
	if (unlikely(!kmag_claim(here)))
		goto busy;
	done = pop_claimed(here, objs, nr);
	/* While slabs drain hi is 0: for so many objects a lock may be taken. */
	if (unlikely(done < nr) &&
	    kmag_swap_claimed(cache, here, kmag_get(here.pcp->hi), true))
		done += pop_claimed(here, objs + done, nr - done);
	kmag_release(here);
busy:
	preempt_enable();
	return done;
}

/* Push up to @nr into the loaded magazine, which is claimed. */
static __always_inline size_t push_claimed(struct kmag_here here, void **objs,
					   size_t nr)
{
	u32 rounds = kmag_get(here.pcp->rounds);
	u32 hi = kmag_get(here.pcp->hi);
	size_t run;

	if (unlikely(rounds >= hi))
		return 0;
	run = min_t(size_t, nr, hi - rounds);
	copy_objs(kmag_get(here.pcp->objs) + rounds, objs, run);
	kmag_set(here.pcp->rounds, rounds + run);
	kmag_add(here.pcp->frees, run);
	return run;
}

/* Push as many of @nr as there is room for, in one claim. */
static __always_inline size_t push_run(struct kmag_cache *cache, void **objs,
				       size_t nr)
{
	struct kmag_here here;
	size_t done = 0;

	preempt_disable();
	here = kmag_here(kmag_pcp(cache));
	if (unlikely(!kmag_claim(here)))
		goto busy;
	done = push_claimed(here, objs, nr);
	if (unlikely(done < nr) &&
	    kmag_swap_claimed(cache, here, kmag_get(here.pcp->hi), false))
		done += push_claimed(here, objs + done, nr - done);
	kmag_release(here);
busy:
	preempt_enable();
	return done;
}

/* Does an object need no work of its own when it changes hands? */
static __always_inline bool bulk_is_plain(void)
{
	return !IS_ENABLED(CONFIG_KASAN_GENERIC) &&
	       !IS_ENABLED(CONFIG_DEBUG_KMEMLEAK);
}

static __always_inline bool alloc_is_plain(gfp_t gfp)
{
	return bulk_is_plain() && likely(!(gfp & KMAG_GFP_ODD)) &&
	       !static_branch_unlikely(&kmag_alloc_is_odd);
}

static __always_inline bool free_is_plain(void)
{
	return bulk_is_plain() && !static_branch_unlikely(&kmag_free_is_odd);
}

/* Past this CPU's magazines. */
static noinline int alloc_rest(struct kmag_cache *cache, gfp_t gfp, size_t nr,
			       void **objs, size_t done,
			       unsigned long call_site)
{
	bool plain = alloc_is_plain(gfp);
	size_t i;

	while (done < nr) {
		objs[done] = kmag_alloc_at(cache, gfp, call_site);
		if (!objs[done])
			goto err_alloc;
		done++;
		if (likely(plain))
			done += pop_run(cache, objs + done, nr - done);
	}
	/* Also if it stopped to be plain meanwhile: what was popped before. */
	if (want_init_on_alloc(0))
		for (i = 0; i < nr; i++)
			memset(objs[i], 0, cache->fast.zero);
	return nr;

err_alloc:
	kmag_cache_free_bulk(cache, done, objs);
	return 0;
}

int kmag_cache_alloc_bulk(struct kmag_cache *cache, gfp_t gfp, size_t nr,
			  void **objs)
{
	size_t done = 0;

	if (alloc_is_plain(gfp))
		done = pop_run(cache, objs, nr);
	if (unlikely(done < nr) || want_init_on_alloc(0))
		return alloc_rest(cache, gfp, nr, objs, done, _RET_IP_);
	return nr;
}
EXPORT_SYMBOL_GPL(kmag_cache_alloc_bulk);

static noinline void free_rest(struct kmag_cache *cache, size_t nr, void **objs,
			       unsigned long call_site)
{
	/* While slabs drain, each is looked at. */
	bool plain = free_is_plain() && !kmag_sorts(cache);
	size_t done = 0;

	while (done < nr) {
		kmag_free_at(cache, objs[done++], call_site);
		if (likely(plain))
			done += push_run(cache, objs + done, nr - done);
	}
}

void kmag_cache_free_bulk(struct kmag_cache *cache, size_t nr, void **objs)
{
	size_t done = 0;

	if (free_is_plain())
		done = push_run(cache, objs, nr);
	if (unlikely(done < nr))
		free_rest(cache, nr - done, objs + done, _RET_IP_);
}
EXPORT_SYMBOL_GPL(kmag_cache_free_bulk);
