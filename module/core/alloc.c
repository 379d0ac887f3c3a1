// SPDX-License-Identifier: GPL-2.0
/*
 * The public calls on objects: the fast path compiled once, what odd flags
 * and odd machines ask for on top, and bulk. Below: magazine.c and slab.c.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/export.h>
#include <linux/printk.h>
#include <linux/string.h>

#include "debug.h"
#include "magazine.h"
#include "slab.h"

struct static_key_false kmag_free_is_odd = STATIC_KEY_FALSE_INIT;
EXPORT_SYMBOL_GPL(kmag_free_is_odd);

notrace void *kmag_cache_alloc(struct kmag_cache *cache, gfp_t gfp)
{
	return kmag_cache_alloc_inline(cache, gfp);
}
EXPORT_SYMBOL_GPL(kmag_cache_alloc);

notrace void kmag_cache_free(struct kmag_cache *cache, void *obj)
{
	kmag_cache_free_inline(cache, obj);
}
EXPORT_SYMBOL_GPL(kmag_cache_free);

void *kmag_alloc_slow(struct kmag_cache *cache, gfp_t gfp)
{
	void *obj = kmag_alloc_object(cache, gfp);

	return obj ? kmag_debug_alloc(cache, obj, gfp) : NULL;
}
EXPORT_SYMBOL_GPL(kmag_alloc_slow);

void kmag_free_slow(struct kmag_cache *cache, void *obj)
{
	kmag_free_object(cache, obj);
}
EXPORT_SYMBOL_GPL(kmag_free_slow);

/* Say once per cache and kind why an allocation is refused. */
static void *refuse(struct kmag_cache *cache, int kind, const char *why)
{
	if (!test_and_set_bit(kind, &cache->reported))
		pr_err("cache %s-%u: allocation refused: %s\n", cache->name,
		       cache->id, why);
	kmag_count(cache, KMAG_ALLOC_FAIL);
	return NULL;
}

/* Flags that no object of this cache can satisfy. */
static bool refused(struct kmag_cache *cache, gfp_t gfp)
{
	if (gfp & (__GFP_DMA | __GFP_DMA32 | __GFP_HIGHMEM)) {
		refuse(cache, 0, "a cached object can be from any zone");
		return true;
	}
	if ((gfp & __GFP_ZERO) && cache->ctor) {
		refuse(cache, 1, "__GFP_ZERO would undo the constructor");
		return true;
	}
	return false;
}

/* Past the magazines: from a node's slabs and nowhere else. */
static void *alloc_from_node(struct kmag_cache *cache, gfp_t gfp, int nid)
{
	enum kmag_stat tier = KMAG_ALLOC_SLAB;
	void *obj;

	if (unlikely(in_nmi()))
		goto fail;
	/* One node can run out for ever. */
	gfp = (gfp & ~__GFP_NOFAIL) | __GFP_THISNODE;
	while (!kmag_slab_take(cache, cache->node[nid], &obj, 1)) {
		if (!kmag_slab_grow(cache, gfp, nid, 1))
			goto fail;
		tier = KMAG_ALLOC_PAGE;
	}
	kmag_count(cache, tier);
	return obj;

fail:
	kmag_count(cache, KMAG_ALLOC_FAIL);
	return NULL;
}

/* What a new owner may expect to find in the object. */
static void *prepare(struct kmag_cache *cache, void *obj, gfp_t gfp)
{
	if (!obj)
		return NULL;
	kmag_debug_alloc(cache, obj, gfp);
	if (want_init_on_alloc(gfp) && !cache->ctor)
		memset(obj, 0, cache->fast.size);
	return obj;
}

notrace void *kmag_alloc_odd(struct kmag_cache *cache, gfp_t gfp)
{
	void *obj;

	if (unlikely(gfp & KMAG_GFP_ODD)) {
		if (refused(cache, gfp))
			return NULL;
		if (gfp & __GFP_THISNODE)
			return prepare(cache,
				       alloc_from_node(cache, gfp,
						       kmag_this_node()), gfp);
	}
	obj = kmag_pcp_pop(kmag_pcp(cache));
	if (unlikely(!obj))
		obj = kmag_alloc_object(cache, gfp & ~__GFP_ZERO);
	return prepare(cache, obj, gfp);
}
EXPORT_SYMBOL_GPL(kmag_alloc_odd);

void *kmag_cache_alloc_node(struct kmag_cache *cache, gfp_t gfp, int node)
{
	void *obj = NULL;

	if (node == NUMA_NO_NODE)
		return kmag_cache_alloc(cache, gfp);
	if (node < 0 || node >= nr_node_ids || !node_state(node, N_MEMORY)) {
		kmag_count(cache, KMAG_ALLOC_FAIL);
		return NULL;
	}
	if (node == kmag_this_node())
		return kmag_cache_alloc(cache, gfp);
	if (refused(cache, gfp))
		return NULL;
	obj = alloc_from_node(cache, gfp | __GFP_NOWARN, node);
	if (obj || (gfp & __GFP_THISNODE))
		return prepare(cache, obj, gfp);
	return kmag_cache_alloc(cache, gfp);
}
EXPORT_SYMBOL_GPL(kmag_cache_alloc_node);

notrace void kmag_free_odd(struct kmag_cache *cache, void *obj)
{
	struct kmag_slab *slab;
	bool far = false;

	if (!obj)
		return;
	rcu_read_lock();
	slab = kmag_slab_of(obj);
	/* A wrong pointer goes on, to be reported where all of them are. */
	if (slab && slab->cache == cache && kmag_slab_slot(slab, obj) >= 0) {
		far = slab->nid != kmag_this_node();
		if (want_init_on_free() && !cache->ctor)
			memset(obj, 0, cache->fast.size);
	}
	rcu_read_unlock();

	if (!kmag_debug_free(cache, obj))
		return;
	/* An object of another node goes home, or this node would fill up. */
	if (unlikely(far) && !in_nmi())
		kmag_free_to_slab(cache, obj);
	else if (unlikely(!kmag_pcp_push(kmag_pcp(cache), obj)))
		kmag_free_object(cache, obj);
}
EXPORT_SYMBOL_GPL(kmag_free_odd);

/* Pop several at once: one claim for a whole run. */
static notrace unsigned int pop_run(struct kmag_pcp __percpu *pcp, void **objs,
				    size_t nr)
{
	unsigned int done = 0;
	void **from;
	s32 rounds;

	preempt_disable();
	if (unlikely(kmag_claimed(pcp)))
		goto out;
	kmag_claim(pcp);
	barrier();	/* claim before anything is read */
	rounds = __this_cpu_read(pcp->rounds);
	if (likely(rounds > __this_cpu_read(pcp->lo))) {
		nr = min_t(size_t, nr, rounds);
		from = __this_cpu_read(pcp->objs) + rounds;
		while (done < nr)
			objs[done++] = *--from;
		__this_cpu_write(pcp->rounds, rounds - done);
		__this_cpu_add(pcp->allocs, done);
	}
	barrier();	/* all written before the release */
	kmag_release(pcp);
out:
	preempt_enable();
	return done;
}

/* Push several at once. */
static notrace unsigned int push_run(struct kmag_pcp __percpu *pcp, void **objs,
				     size_t nr)
{
	unsigned int done = 0;
	u32 rounds, hi;
	void **to;

	preempt_disable();
	if (unlikely(kmag_claimed(pcp)))
		goto out;
	kmag_claim(pcp);
	barrier();	/* claim before anything is read */
	rounds = __this_cpu_read(pcp->rounds);
	hi = __this_cpu_read(pcp->hi);
	if (likely(rounds < hi)) {
		nr = min_t(size_t, nr, hi - rounds);
		to = __this_cpu_read(pcp->objs) + rounds;
		while (done < nr)
			*to++ = objs[done++];
		__this_cpu_write(pcp->rounds, rounds + done);
		__this_cpu_add(pcp->frees, done);
	}
	barrier();	/* all written before the release */
	kmag_release(pcp);
out:
	preempt_enable();
	return done;
}

/* Does an object need work when it changes hands? */
static bool bulk_is_plain(void)
{
	return !IS_ENABLED(CONFIG_KASAN_GENERIC) &&
	       !IS_ENABLED(CONFIG_DEBUG_KMEMLEAK);
}

int kmag_cache_alloc_bulk(struct kmag_cache *cache, gfp_t gfp, size_t nr,
			  void **objs)
{
	bool plain = bulk_is_plain() && !want_init_on_alloc(gfp) &&
		     !(gfp & KMAG_GFP_ODD);
	size_t done = 0;

	while (done < nr) {
		if (plain)
			done += pop_run(kmag_pcp(cache), objs + done, nr - done);
		if (done == nr)
			break;
		objs[done] = kmag_cache_alloc(cache, gfp);
		if (!objs[done])
			goto err_alloc;
		done++;
	}
	return nr;

err_alloc:
	kmag_cache_free_bulk(cache, done, objs);
	return 0;
}
EXPORT_SYMBOL_GPL(kmag_cache_alloc_bulk);

void kmag_cache_free_bulk(struct kmag_cache *cache, size_t nr, void **objs)
{
	bool plain = bulk_is_plain() &&
		     !static_branch_unlikely(&kmag_free_is_odd);
	size_t done = 0;

	while (done < nr) {
		if (plain)
			done += push_run(kmag_pcp(cache), objs + done,
					 nr - done);
		if (done < nr)
			kmag_cache_free(cache, objs[done++]);
	}
}
EXPORT_SYMBOL_GPL(kmag_cache_free_bulk);
