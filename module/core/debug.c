// SPDX-License-Identifier: GPL-2.0
/*
 * Misuse reports, KASAN's shadow and kmemleak.
 *
 * This file is compiled without KASAN's instrumentation: it writes the shadow.
 * KASAN's own functions for that are not for modules; the mapping from memory
 * to shadow is public, and the values are those its reports know.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kasan.h>
#include <linux/kmemleak.h>
#include <linux/printk.h>
#include <linux/ratelimit.h>
#include <linux/string.h>

#include "debug.h"
#include "park.h"
#include "slab.h"

static const char * const bad_text[] = {
	[KMAG_BAD_FOREIGN] = "is in none of kmag's slabs",
	[KMAG_BAD_CACHE] = "belongs to another cache",
	[KMAG_BAD_INTERIOR] = "is not where an object starts",
	[KMAG_BAD_DOUBLE] = "was freed before",
};

static const char * const refused_text[] = {
	[KMAG_REFUSED_ZONE] = "a cached object can be from any zone",
	[KMAG_REFUSED_ZERO] = "__GFP_ZERO would undo the constructor",
	[KMAG_REFUSED_NOFAIL] = "__GFP_NOFAIL where nobody may wait",
};

void kmag_report(struct kmag_cache *cache, enum kmag_bad bad, const void *obj)
{
	if (__ratelimit(&cache->bad_limit))
		pr_err("cache %s-%u: bad free: %p %s; left alone\n",
		       cache->name, cache->id, obj, bad_text[bad]);
}

void kmag_report_refused(struct kmag_cache *cache, enum kmag_refused why)
{
	if (!test_and_set_bit(why, &cache->reported))
		pr_err("cache %s-%u: allocation refused: %s\n", cache->name,
		       cache->id, refused_text[why]);
}

#if defined(CONFIG_KASAN_GENERIC) || defined(CONFIG_DEBUG_KMEMLEAK)

#ifdef CONFIG_KASAN_GENERIC

/* From mm/kasan/kasan.h: what a report calls them. */
#define SHADOW_FREE	0xFB	/* slab-use-after-free */
#define SHADOW_REDZONE	0xFC	/* slab-out-of-bounds */

static void shadow_set(const void *addr, size_t bytes, u8 value)
{
	memset(kasan_mem_to_shadow(addr), value,
	       bytes >> KASAN_SHADOW_SCALE_SHIFT);
}

void kmag_shadow_new(struct kmag_cache *cache, void *base, size_t bytes)
{
	shadow_set(base, bytes, SHADOW_REDZONE);
}

static void shadow_alloc(struct kmag_cache *cache, void *obj)
{
	unsigned int size = cache->fast.size;
	unsigned int tail = size % (1U << KASAN_SHADOW_SCALE_SHIFT);

	shadow_set(obj, size, 0);
	if (tail)	/* the shadow tells how many bytes are good */
		*((u8 *)kasan_mem_to_shadow(obj + size - tail)) = tail;
}

/* False if the object is free already, as far as its first byte tells. */
static bool shadow_free(struct kmag_cache *cache, void *obj)
{
	u8 *shadow = kasan_mem_to_shadow(obj);

	if (*shadow == SHADOW_FREE || *shadow == SHADOW_REDZONE)
		return false;
	shadow_set(obj, ALIGN(cache->fast.size, 1U << KASAN_SHADOW_SCALE_SHIFT),
		   SHADOW_FREE);
	return true;
}

#else

static void shadow_alloc(struct kmag_cache *cache, void *obj)
{
}

static bool shadow_free(struct kmag_cache *cache, void *obj)
{
	return true;
}

#endif

/* An object goes to its owner: from here on it may be touched, and leaked. */
void *kmag_debug_alloc(struct kmag_cache *cache, void *obj, gfp_t gfp)
{
	shadow_alloc(cache, obj);
	if (in_nmi())	/* kmemleak takes locks */
		return obj;
	kmemleak_alloc(obj, cache->fast.size, 1, gfp);
	return obj;
}
EXPORT_SYMBOL_GPL(kmag_debug_alloc);

/*
 * An object comes back; false if that is all there is to do. The address may
 * be wrong in every way, so the shadow is written only where a slab of this
 * cache has an object; the slab layer reports the rest.
 */
bool kmag_debug_free(struct kmag_cache *cache, void *obj)
{
	struct kmag_slab *slab;
	bool ours;

	if (in_nmi()) {	/* and would take them here: later, then */
		kmag_park(cache, obj);
		return false;
	}
	rcu_read_lock();
	slab = kmag_slab_of(obj);
	ours = slab && slab->cache == cache && kmag_slab_slot(slab, obj) >= 0;
	rcu_read_unlock();
	if (!ours)
		return true;
	if (!shadow_free(cache, obj)) {
		kmag_count(cache, KMAG_FREE_BAD);
		kmag_count(cache, KMAG_FREE_SLAB);
		kmag_report(cache, KMAG_BAD_DOUBLE, obj);
		return false;
	}
	kmemleak_free(obj);
	return true;
}
EXPORT_SYMBOL_GPL(kmag_debug_free);

#endif
