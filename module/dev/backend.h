/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Who serves a cache: kmag or the kernel's kmem_cache.
 */
#ifndef _KMAG_DEV_BACKEND_H
#define _KMAG_DEV_BACKEND_H

#include <linux/log2.h>
#include <linux/mm.h>

#include "dev.h"

/**
 * struct kmag_backend_ops - a backend
 * @create: makes the cache that @req asks for; fills in @req's kmag_id and
 *	real_name, and in @cache what it takes of pages. Arguments are in range,
 *	but the backend may still refuse.
 * @destroy: frees a cache without live objects
 * @alloc: allocates an object; node may be NUMA_NO_NODE
 * @free: frees an object
 * @alloc_bulk: allocates all of @nr objects, or none; tells if it did
 * @free_bulk: frees several
 * @shrink: gives back what can be given back; the number of slabs, where it
 *	is known
 * @validate: the number of errors found; NULL if the backend cannot tell
 *
 * alloc, free and their bulk forms have the contexts of kmag_cache_alloc();
 * the others may sleep.
 */
struct kmag_backend_ops {
	int (*create)(struct kmag_dev_cache *cache, void (*ctor)(void *obj),
		      u64 file, struct kmag_ioc_create *req);
	void (*destroy)(struct kmag_dev_cache *cache);
	void *(*alloc)(struct kmag_dev_cache *cache, gfp_t gfp, int node);
	void (*free)(struct kmag_dev_cache *cache, void *obj);
	bool (*alloc_bulk)(struct kmag_dev_cache *cache, gfp_t gfp, size_t nr,
			   void **objs);
	void (*free_bulk)(struct kmag_dev_cache *cache, size_t nr, void **objs);
	int (*shrink)(struct kmag_dev_cache *cache, u64 *slabs);
	int (*validate)(struct kmag_dev_cache *cache, u64 *errors);
};

/*
 * What an object of @stride bytes, with all that is put around it, needs of the
 * pages it lies on. One that is a little larger than half a slab has it alone, on
 * either allocator, and a slab is a power of two; of small ones so many fit that
 * what is left over does not count.
 */
static inline u32 kmag_backend_share(u32 stride)
{
	return stride > PAGE_SIZE / 8 ? roundup_pow_of_two(stride) : stride;
}

extern const struct kmag_backend_ops kmag_backend_kmag;
extern const struct kmag_backend_ops kmag_backend_kmem;

#endif /* _KMAG_DEV_BACKEND_H */
