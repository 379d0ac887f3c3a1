/* SPDX-License-Identifier: GPL-2.0 */
/*
 * kmag's fast path: a push or a pop on an array that only this CPU touches.
 *
 * kmag_cache_alloc() and kmag_cache_free() are these functions, compiled into
 * kmag.ko; include this header to have them compiled into the caller. The
 * layout below is part of the interface then: change it and KMAG_LAYOUT.
 *
 * Why it is safe, in one paragraph (Documentation/design.rst has the argument).
 * With preemption off only interrupts of this CPU can come in between. ->busy
 * is set around the array operation, and only by its own CPU: who finds it set
 * has interrupted the operation and takes the slab path. Other CPUs close the
 * gate by writing ->lo and ->hi, which the operation compares with anyway, and
 * wait a grace period: preemption off is an RCU reader. ->rounds is read after
 * ->busy is set, so an interrupt that came before is seen whole.
 */
#ifndef _KMAG_INLINE_H
#define _KMAG_INLINE_H

#include <linux/jump_label.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/string.h>

#include <kmag/kmag.h>

/**
 * struct kmag_pcp - what the fast path touches, one cache line per CPU
 * @busy: its own CPU is between claim and release
 * @rounds: objects in the loaded magazine
 * @lo: an allocation goes on if @rounds is above: 0, or INT_MAX when closed
 * @hi: a free goes on if @rounds is below: the capacity, or 0 when closed
 * @objs: the loaded magazine's array
 * @allocs: served here, since the cache was made
 * @frees: taken here, since the cache was made
 * @prev_objs: the previous magazine's array
 * @prev_rounds: objects in the previous magazine
 * @prev_cap: its capacity
 */
struct kmag_pcp {
	u32 busy;
	s32 rounds;
	s32 lo;
	u32 hi;
	void **objs;
	unsigned long allocs;
	unsigned long frees;
	void **prev_objs;
	u32 prev_rounds;
	u32 prev_cap;
};

/**
 * struct kmag_cache_fast - how a struct kmag_cache begins
 * @pcp: per-CPU state
 * @size: of an object as asked for, bytes
 * @zero: of these, how many init_on_alloc=1 zeroes: all, or none where a
 *	constructor has been
 */
struct kmag_cache_fast {
	struct kmag_pcp __percpu *pcp;
	unsigned int size;
	unsigned int zero;
};

/* Flags that need a look before, or work after; one test covers them all. */
#define KMAG_GFP_ODD	(__GFP_ZERO | __GFP_DMA | __GFP_DMA32 | \
			 __GFP_HIGHMEM | __GFP_THISNODE)

/*
 * kmag_alloc_is_odd - on where an allocation has to do more than pop: while it
 * is traced, or a cache's operations take their time (latency).
 * kmag_free_is_odd - on where a free has to do more than push: for the same, on
 * machines with several memory nodes, and with init_on_free.
 */
DECLARE_STATIC_KEY_FALSE(kmag_alloc_is_odd);
DECLARE_STATIC_KEY_FALSE(kmag_free_is_odd);

/**
 * kmag_alloc_slow - allocate where the fast path cannot go on
 * @cache: to allocate from
 * @gfp: no %KMAG_GFP_ODD
 *
 * Context: As kmag_cache_alloc().
 * Return: the object, or NULL.
 */
void *kmag_alloc_slow(struct kmag_cache *cache, gfp_t gfp);

/**
 * kmag_alloc_odd - allocate where that takes more than a pop
 * @cache: to allocate from
 * @gfp: as for kmag_cache_alloc(), any of %KMAG_GFP_ODD too
 * @call_site: for the tracepoint; 0 for whoever called
 *
 * Context: As kmag_cache_alloc().
 * Return: the object, or NULL.
 */
void *kmag_alloc_odd(struct kmag_cache *cache, gfp_t gfp,
		     unsigned long call_site);

/**
 * kmag_free_slow - free where the fast path cannot go on
 * @cache: that it came from
 * @obj: an object that kmag_debug_free() let pass
 *
 * Context: As kmag_cache_free().
 */
void kmag_free_slow(struct kmag_cache *cache, void *obj);

/**
 * kmag_free_odd - free where that takes more than a push
 * @cache: that it came from
 * @obj: the object, or NULL
 * @call_site: for the tracepoint; 0 for whoever called
 *
 * Context: As kmag_cache_free().
 */
void kmag_free_odd(struct kmag_cache *cache, void *obj,
		   unsigned long call_site);

/* KASAN and kmemleak follow every object, also through magazines. */
#if defined(CONFIG_KASAN_GENERIC) || defined(CONFIG_DEBUG_KMEMLEAK)
/**
 * kmag_debug_alloc - an object goes to its owner
 * @cache: that it came from
 * @obj: the object
 * @gfp: of the allocation
 *
 * Context: Any.
 * Return: @obj.
 */
void *kmag_debug_alloc(struct kmag_cache *cache, void *obj, gfp_t gfp);

/**
 * kmag_debug_free - an object comes back
 * @cache: that it was freed to
 * @obj: any pointer at all
 *
 * Context: Any.
 * Return: false if nothing is left to do: it was free already, or is parked.
 */
bool kmag_debug_free(struct kmag_cache *cache, void *obj);
#else
static inline void *kmag_debug_alloc(struct kmag_cache *cache, void *obj,
				     gfp_t gfp)
{
	return obj;
}

static inline bool kmag_debug_free(struct kmag_cache *cache, void *obj)
{
	return true;
}
#endif

/*
 * This CPU's state, with preemption off, and what is done to a field of it. On
 * x86 each is one instruction on a segment's offset. Elsewhere the address has
 * to be worked out, which costs more than the field: that is done once.
 */
#if defined(CONFIG_X86_64) && defined(CONFIG_SMP) && !defined(CONFIG_UML)
#define KMAG_PERCPU_SEGMENT	1
#define kmag_get(field)		__this_cpu_read(field)
#define kmag_set(field, value)	__this_cpu_write(field, value)
#define kmag_add(field, value)	__this_cpu_add(field, value)

struct kmag_here {
	struct kmag_pcp __percpu *pcp;
};

static __always_inline struct kmag_here kmag_here(struct kmag_pcp __percpu *pcp)
{
	return (struct kmag_here){ pcp };
}
#else
#define kmag_get(field)		READ_ONCE(field)
#define kmag_set(field, value)	WRITE_ONCE(field, value)
#define kmag_add(field, value)	((field) += (value))

struct kmag_here {
	struct kmag_pcp *pcp;
};

static __always_inline struct kmag_here kmag_here(struct kmag_pcp __percpu *pcp)
{
	return (struct kmag_here){ raw_cpu_ptr(pcp) };
}
#endif

/*
 * Claim this CPU's magazines for an array operation: false if we interrupted
 * one. A failed claim leaves the word alone, so nobody ever sees it clear while
 * an operation is under way. On x86 one instruction looks and claims, where
 * this_cpu_*() would take three; an interrupt between the three does no harm,
 * as it has released again when it returns.
 *
 * The claim can be left out, by a test that shows what it is for: that control
 * must lose objects, or the test that claims to find lost ones proves nothing.
 */
#ifdef KMAG_CONTROL_NO_CLAIM
static __always_inline bool kmag_claim(struct kmag_here here)
{
	return true;
}

static __always_inline void kmag_release(struct kmag_here here)
{
}
#else
static __always_inline bool kmag_claim(struct kmag_here here)
{
#ifdef KMAG_PERCPU_SEGMENT
	bool claimed;

	/* Clobbers memory: claim before anything is read. */
	asm volatile("btsl $0, %%gs:%1"
		     : "=@ccc" (claimed),
		       "+m" (*(u32 *)(unsigned long)&here.pcp->busy)
		     : : "memory");
	return !claimed;
#else
	if (kmag_get(here.pcp->busy))
		return false;
	kmag_set(here.pcp->busy, 1);
	barrier();	/* claim before anything is read */
	return true;
#endif
}

static __always_inline void kmag_release(struct kmag_here here)
{
	barrier();	/* all written before the release */
	kmag_set(here.pcp->busy, 0);
}
#endif

/*
 * The ends of the two functions below are written twice, so that success and
 * failure part once: whoever calls them has nothing left to test. The count is
 * changed in place, from what was read of it under the same claim.
 */

/* Pop from this CPU's loaded magazine; false when anything is unusual. */
static __always_inline bool kmag_pcp_pop(struct kmag_pcp __percpu *pcp,
					 void **obj)
{
	struct kmag_here here;
	s32 rounds;

	preempt_disable();
	here = kmag_here(pcp);
	if (unlikely(!kmag_claim(here)))
		goto busy;
	rounds = kmag_get(here.pcp->rounds);
	if (unlikely(rounds <= kmag_get(here.pcp->lo)))
		goto closed;
	*obj = (kmag_get(here.pcp->objs) + (u32)rounds)[-1];
	kmag_add(here.pcp->rounds, -1);
	kmag_add(here.pcp->allocs, 1);
	kmag_release(here);
	preempt_enable();
	return true;

closed:
	kmag_release(here);
busy:
	preempt_enable();
	return false;
}

/* Push into this CPU's loaded magazine; false when anything is unusual. */
static __always_inline bool kmag_pcp_push(struct kmag_pcp __percpu *pcp,
					  void *obj)
{
	struct kmag_here here;
	u32 rounds;

	preempt_disable();
	here = kmag_here(pcp);
	if (unlikely(!kmag_claim(here)))
		goto busy;
	rounds = kmag_get(here.pcp->rounds);
	if (unlikely(rounds >= kmag_get(here.pcp->hi)))
		goto closed;
	kmag_get(here.pcp->objs)[rounds] = obj;
	kmag_add(here.pcp->rounds, 1);
	kmag_add(here.pcp->frees, 1);
	kmag_release(here);
	preempt_enable();
	return true;

closed:
	kmag_release(here);
busy:
	preempt_enable();
	return false;
}

static __always_inline struct kmag_pcp __percpu *
kmag_pcp(const struct kmag_cache *cache)
{
	return ((const struct kmag_cache_fast *)cache)->pcp;
}

/* kmag_cache_alloc(), told whom to name as the caller. */
static __always_inline void *kmag_alloc_at(struct kmag_cache *cache, gfp_t gfp,
					   unsigned long call_site)
{
	void *obj;

	if (unlikely(gfp & KMAG_GFP_ODD) ||
	    static_branch_unlikely(&kmag_alloc_is_odd))
		return kmag_alloc_odd(cache, gfp, call_site);
	if (unlikely(!kmag_pcp_pop(kmag_pcp(cache), &obj)))
		return kmag_alloc_slow(cache, gfp);
	obj = kmag_debug_alloc(cache, obj, gfp);
	if (want_init_on_alloc(0))
		return memset(obj, 0, ((struct kmag_cache_fast *)cache)->zero);
	return obj;
}

/* kmag_cache_free(), told whom to name as the caller. */
static __always_inline void kmag_free_at(struct kmag_cache *cache, void *obj,
					 unsigned long call_site)
{
	if (static_branch_unlikely(&kmag_free_is_odd)) {
		kmag_free_odd(cache, obj, call_site);
		return;
	}
	if (unlikely(!obj) || !kmag_debug_free(cache, obj))
		return;
	if (unlikely(!kmag_pcp_push(kmag_pcp(cache), obj)))
		kmag_free_slow(cache, obj);
}

/**
 * kmag_cache_alloc_inline - kmag_cache_alloc(), compiled into the caller
 * @cache: to allocate from
 * @gfp: as for kmag_cache_alloc(); best a constant
 *
 * Context: As kmag_cache_alloc().
 * Return: the object, or NULL.
 */
static __always_inline void *kmag_cache_alloc_inline(struct kmag_cache *cache,
						     gfp_t gfp)
{
	return kmag_alloc_at(cache, gfp, 0);
}

/**
 * kmag_cache_free_inline - kmag_cache_free(), compiled into the caller
 * @cache: that it came from
 * @obj: the object, or NULL
 *
 * Context: As kmag_cache_free().
 */
static __always_inline void kmag_cache_free_inline(struct kmag_cache *cache,
						   void *obj)
{
	kmag_free_at(cache, obj, 0);
}

#endif /* _KMAG_INLINE_H */
