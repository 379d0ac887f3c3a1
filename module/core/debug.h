/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Misuse, and the kernel's own debugging aids.
 */
#ifndef _KMAG_DEBUG_H
#define _KMAG_DEBUG_H

#include "internal.h"

/**
 * enum kmag_bad - what is wrong with a pointer that was freed
 * @KMAG_BAD_FOREIGN: in no slab of kmag's
 * @KMAG_BAD_CACHE: in a slab of another cache
 * @KMAG_BAD_INTERIOR: in a slab of the cache, but no object starts there
 * @KMAG_BAD_DOUBLE: the object is already in its slab
 */
enum kmag_bad {
	KMAG_BAD_FOREIGN,
	KMAG_BAD_CACHE,
	KMAG_BAD_INTERIOR,
	KMAG_BAD_DOUBLE,
};

/**
 * kmag_report - say what is wrong with a pointer
 * @cache: that it was freed to
 * @bad: what is wrong
 * @obj: the pointer
 *
 * The pointer reaches its slab when its magazine is flushed, so the stack of
 * this moment would blame somebody else: none is printed.
 *
 * Context: Any but NMI; no raw lock held.
 */
void kmag_report(struct kmag_cache *cache, enum kmag_bad bad, const void *obj);

/**
 * enum kmag_refused - why an allocation is refused
 * @KMAG_REFUSED_ZONE: it is to be from a certain zone
 * @KMAG_REFUSED_ZERO: it is to be zeroed, and there is a constructor
 * @KMAG_REFUSED_NOFAIL: it must not fail, there is nothing, and nobody may wait
 */
enum kmag_refused {
	KMAG_REFUSED_ZONE,
	KMAG_REFUSED_ZERO,
	KMAG_REFUSED_NOFAIL,
};

/**
 * kmag_report_refused - say, once a cache, why an allocation is refused
 * @cache: the cache
 * @why: the reason
 *
 * Context: Any; no raw lock held.
 */
void kmag_report_refused(struct kmag_cache *cache, enum kmag_refused why);

#ifdef CONFIG_KASAN_GENERIC
/* One granule between objects, so that an overrun by one byte is seen. */
static inline unsigned int kmag_redzone(void)
{
	return 1U << KASAN_SHADOW_SCALE_SHIFT;
}

/* A new slab: no byte of it may be touched until an object is handed out. */
void kmag_shadow_new(struct kmag_cache *cache, void *base, size_t bytes);
#else
static inline unsigned int kmag_redzone(void)
{
	return 0;
}

static inline void kmag_shadow_new(struct kmag_cache *cache, void *base,
				   size_t bytes)
{
}
#endif

#endif /* _KMAG_DEBUG_H */
