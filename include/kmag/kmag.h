/* SPDX-License-Identifier: GPL-2.0 */
/*
 * kmag - object caches with per-CPU magazines: the kernel API.
 *
 * The calls take their arguments in the order of kmem_cache_*() and mean the
 * same, so that a client moves over by renaming.
 *
 * Best suited for: hot objects of one size, allocated and freed in any
 * context, on any CPU; caches whose memory must come back after a spike.
 *
 * Limitations: memory cgroups are charged by slab page, not by object
 * (KMAG_ACCOUNT); hardened usercopy sees pages, not objects; on PREEMPT_RT
 * not in hard interrupts nor under a raw spinlock, as with SLUB; never where
 * RCU does not watch (noinstr code, cpuidle callbacks). Objects are no slab
 * objects: kfree(), kfree_rcu() and ksize() must not be called on them.
 */
#ifndef _KMAG_KMAG_H
#define _KMAG_KMAG_H

#include <linux/bits.h>
#include <linux/gfp.h>
#include <linux/numa.h>
#include <linux/types.h>

struct kmag_cache;
struct kmag_snap_cache;

/* Objects: bytes. Above KMAG_MAX_SIZE use the page allocator. */
#define KMAG_MIN_SIZE	1
#define KMAG_MAX_SIZE	(256 * 1024)

/* Flags of kmag_cache_create(). */
#define KMAG_HWCACHE_ALIGN	BIT(0)	/* objects start on a cache line */
#define KMAG_ACCOUNT		BIT(1)	/* charge pages to the task that caused them */
#define KMAG_RECLAIM_ACCOUNT	BIT(2)	/* pages count as reclaimable */
#define KMAG_PANIC		BIT(3)	/* panic if the cache cannot be made */

/*
 * What kmag_inline.h was compiled against. kmag.ko refuses a client built with
 * another layout: it would pop from the wrong place.
 */
#define KMAG_LAYOUT	3

/**
 * __kmag_cache_create - what kmag_cache_create() calls
 * @name: as for kmag_cache_create()
 * @size: as for kmag_cache_create()
 * @align: as for kmag_cache_create()
 * @flags: as for kmag_cache_create()
 * @ctor: as for kmag_cache_create()
 * @layout: KMAG_LAYOUT of the caller's headers
 *
 * Context: Process context, may sleep.
 * Return: as kmag_cache_create().
 */
struct kmag_cache *__kmag_cache_create(const char *name, unsigned int size,
				       unsigned int align, unsigned int flags,
				       void (*ctor)(void *obj),
				       unsigned int layout);

/**
 * kmag_cache_create - make a cache of objects of one size
 * @name: what views call it; copied; at most 31 characters are kept, and
 *	what is no printable character, or a slash, becomes an underscore
 * @size: of an object, in bytes; 1 to KMAG_MAX_SIZE
 * @align: of an object, in bytes: a power of two up to PAGE_SIZE, or 0; never
 *	less than 8
 * @flags: KMAG_HWCACHE_ALIGN and the others above
 * @ctor: called once per object when its slab is made, and never again:
 *	an object must be freed in its constructed state, and comes back in it.
 *	Runs in the context of the allocation that needed the slab, which may
 *	be atomic; must not sleep, must not call kmag for the same cache.
 *	May be NULL.
 *
 * Every call makes its own cache: caches are never merged, and two of the
 * same name are two caches.
 *
 * Context: Process context, may sleep.
 * Return: the cache, or NULL if an argument is out of range, the client was
 * compiled against another layout (both with one line in the log) or memory
 * ran out. With KMAG_PANIC it does not return NULL.
 */
static inline struct kmag_cache *
kmag_cache_create(const char *name, unsigned int size, unsigned int align,
		  unsigned int flags, void (*ctor)(void *obj))
{
	return __kmag_cache_create(name, size, align, flags, ctor, KMAG_LAYOUT);
}

/**
 * KMAG_CACHE - make a cache for a structure
 * @__struct: its name, without "struct"; also the cache's name
 * @__flags: as for kmag_cache_create()
 *
 * Return: as kmag_cache_create().
 */
#define KMAG_CACHE(__struct, __flags)					\
	kmag_cache_create(#__struct, sizeof(struct __struct),		\
			  __alignof__(struct __struct), (__flags), NULL)

/**
 * kmag_cache_destroy - free a cache
 * @cache: to free, or NULL
 *
 * Nobody may use the cache any more. If objects are still with their owners,
 * says how many and in which slabs, gives back what is free, and keeps the
 * rest, its descriptor and the module for ever: a leak, never a crash.
 * The constructor is not called again in any case.
 *
 * Context: Process context, may sleep; waits for a grace period.
 */
void kmag_cache_destroy(struct kmag_cache *cache);

/**
 * kmag_cache_alloc - allocate an object
 * @cache: to allocate from
 * @gfp: as for kmem_cache_alloc(); matters only when a slab must be made
 *
 * - %__GFP_ZERO: the object is zeroed; with a constructor, which it would
 *   undo, the call fails and says so once.
 * - %__GFP_NOFAIL: may wait as long as it takes; in a context that may not
 *   sleep the call can fail, and says so once.
 * - %__GFP_DMA, %__GFP_DMA32, %__GFP_HIGHMEM: a cached object can be from
 *   anywhere, so the call fails and says so once.
 * - %__GFP_THISNODE: from a slab of the nearest node or not at all, whatever
 *   %__GFP_NOFAIL says; bypasses the magazines.
 * - %__GFP_ACCOUNT: no effect; accounting belongs to the cache.
 *
 * Contents are undefined, or constructed, or zeroed if the kernel was booted
 * with init_on_alloc=1.
 *
 * Context: Any, except where RCU does not watch, and in a probe that was put into
 * this module where it holds a lock. In an NMI returns NULL if the magazines
 * cannot serve it.
 * Return: the object, or NULL.
 */
void *kmag_cache_alloc(struct kmag_cache *cache, gfp_t gfp) __malloc;

/**
 * kmag_cache_zalloc - allocate a zeroed object
 * @cache: to allocate from; one without a constructor
 * @gfp: as for kmag_cache_alloc()
 *
 * Context: As kmag_cache_alloc().
 * Return: the object, or NULL.
 */
static inline void *kmag_cache_zalloc(struct kmag_cache *cache, gfp_t gfp)
{
	return kmag_cache_alloc(cache, gfp | __GFP_ZERO);
}

/**
 * kmag_cache_alloc_node - allocate an object near a memory node
 * @cache: to allocate from
 * @gfp: as for kmag_cache_alloc()
 * @node: memory node, or NUMA_NO_NODE for the nearest
 *
 * From another node than the nearest, bypasses the magazines: from that
 * node's slabs or, without %__GFP_THISNODE and when it has no memory, from
 * wherever kmag_cache_alloc() finds some.
 *
 * Context: As kmag_cache_alloc().
 * Return: the object, or NULL; NULL also if there is no such node.
 */
void *kmag_cache_alloc_node(struct kmag_cache *cache, gfp_t gfp, int node) __malloc;

/**
 * kmag_cache_free - free an object
 * @cache: that it came from
 * @obj: the object, in its constructed state if there is one, or NULL, which
 *	does nothing
 *
 * Never fails and never waits. A pointer that is no live object of this cache
 * is reported and refused when it reaches a slab: foreign, interior, of
 * another cache, or freed already. Until then it may be handed out again, an
 * object that was freed twice to two owners; KASAN finds it in this call.
 *
 * Context: Any, as for kmag_cache_alloc().
 */
void kmag_cache_free(struct kmag_cache *cache, void *obj);

/**
 * kmag_cache_alloc_bulk - allocate several objects at once
 * @cache: to allocate from
 * @gfp: as for kmag_cache_alloc()
 * @nr: number of objects, 1 or more
 * @objs: where they are put
 *
 * Context: As kmag_cache_alloc().
 * Return: @nr, or 0 if not all could be had; then none was taken.
 */
int kmag_cache_alloc_bulk(struct kmag_cache *cache, gfp_t gfp, size_t nr,
			  void **objs);

/**
 * kmag_cache_free_bulk - free several objects at once
 * @cache: that they came from
 * @nr: number of objects, may be 0
 * @objs: the objects; none may be NULL; the array is left as it was
 *
 * Context: As kmag_cache_free().
 */
void kmag_cache_free_bulk(struct kmag_cache *cache, size_t nr, void **objs);

/**
 * kmag_cache_shrink - give back every slab that can be given back now
 * @cache: to shrink
 *
 * Drains all magazines and the depot and frees empty slabs.
 *
 * Context: Process context, may sleep; waits for a grace period.
 * Return: 0 if no slab is left, 1 otherwise, as kmem_cache_shrink().
 */
int kmag_cache_shrink(struct kmag_cache *cache);

/**
 * kmag_cache_size - the size that the cache was made for
 * @cache: to ask
 *
 * Context: Any.
 * Return: bytes.
 */
unsigned int kmag_cache_size(struct kmag_cache *cache);

/**
 * kmag_cache_id - the number that views know the cache by
 * @cache: to ask
 *
 * Context: Any.
 * Return: 1 or more, never used again for another cache.
 */
unsigned int kmag_cache_id(struct kmag_cache *cache);

/**
 * kmag_cache_validate - check every slab and every magazine of a cache
 * @cache: to check
 *
 * Walks the bitmaps and the magazines in pieces and compares them with each
 * other and with the counters. Exact when nobody uses the cache; each error is
 * one line in the log.
 *
 * Context: Process context, may sleep.
 * Return: number of errors found, or -ENOMEM.
 */
int kmag_cache_validate(struct kmag_cache *cache);

/**
 * kmag_snapshot_next - all figures of one cache, taken once
 * @id: the cache with this id or, if there is none, with the next higher
 * @gfp: for the memory of the record; must allow sleeping
 *
 * To see all caches start with 0 and go on with the record's id plus one.
 *
 * Context: Process context, may sleep.
 * Return: the record (<uapi/kmag.h>: struct kmag_snap_cache, CPUs, nodes),
 * to be freed with kvfree(); NULL if there is no further cache;
 * ERR_PTR(-ENOMEM).
 */
struct kmag_snap_cache *kmag_snapshot_next(unsigned int id, gfp_t gfp);

#endif /* _KMAG_KMAG_H */
