// SPDX-License-Identifier: GPL-2.0
/*
 * The backend that the kernel's kmem_cache is.
 */
#include <linux/align.h>
#include <linux/cache.h>
#include <linux/irqflags.h>
#include <linux/minmax.h>
#include <linux/numa.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "backend.h"
#include "compat.h"

/* Of debugging, around an object of any size: tracks, redzones' least. */
#define KMEM_DEBUG_BYTES	256

/*
 * What a cache takes is not for modules to know; so this is no less than any
 * kernel from 6.1 to 7.3 takes. The list of free objects goes through a word
 * behind those that a constructor has made. What else is put around them is
 * reckoned where the kernel is built for it (KASAN's redzones grow with the
 * object), not where it was booted with slab_debug.
 *
 * Objects of a page or more come one by one or in sheaves of up to eight. A CPU
 * keeps three sheaves, or a dozen slabs besides the one in use; a node ten full
 * sheaves, and ten empty slabs. Of smaller ones there are more in a sheaf, but of
 * no more bytes than stand here.
 */
static void kmem_measure(struct kmag_dev_cache *cache)
{
	u32 align = max_t(u32, cache->align, sizeof(void *));
	u32 stride = ALIGN(cache->size, sizeof(void *));

	if (cache->flags & KMAG_CF_HWALIGN)
		align = max_t(u32, align, cache_line_size());
	if (cache->ctor_len)
		stride += sizeof(void *);
	if (IS_ENABLED(CONFIG_KASAN) || IS_ENABLED(CONFIG_SLUB_DEBUG_ON))
		stride += cache->size / 8 + KMEM_DEBUG_BYTES + align;
	cache->share = kmag_backend_share(ALIGN(stride, align));
	cache->ahead = max_t(u32, SZ_128K, 8 * cache->share);
	cache->cpu_keeps = max_t(u32, SZ_256K, 24 * cache->share);
	cache->node_keeps = max_t(u32, SZ_2M, 80 * cache->share);
}

static int kmem_create(struct kmag_dev_cache *cache, void (*ctor)(void *obj),
		       u64 file, struct kmag_ioc_create *req)
{
	slab_flags_t flags = SLAB_NO_MERGE;

	if (req->cache_flags & KMAG_CF_HWALIGN)
		flags |= SLAB_HWCACHE_ALIGN;
	if (req->cache_flags & KMAG_CF_ACCOUNT)
		flags |= SLAB_ACCOUNT;
	if (req->cache_flags & KMAG_CF_RECLAIM)
		flags |= SLAB_RECLAIM_ACCOUNT;

	/*
	 * sysfs wants a name once only, and keeps it for a while after the
	 * cache is gone; so it has two numbers that are not used again.
	 */
	snprintf(req->real_name, sizeof(req->real_name), "kmag%llu-%u:%s", file,
		 cache->serial, req->name);
	kmem_measure(cache);
	cache->kmem = kmem_cache_create(req->real_name, req->object_size,
					req->align, flags, ctor);
	return cache->kmem ? 0 : -ENOMEM;
}

static void kmem_destroy(struct kmag_dev_cache *cache)
{
	kmem_cache_destroy(cache->kmem);
}

static void *kmem_alloc(struct kmag_dev_cache *cache, gfp_t gfp, int node)
{
	if (node == NUMA_NO_NODE)
		return kmem_cache_alloc(cache->kmem, gfp);
	return kmem_cache_alloc_node(cache->kmem, gfp, node);
}

static void kmem_free(struct kmag_dev_cache *cache, void *obj)
{
	kmem_cache_free(cache->kmem, obj);
}

static void kmem_free_bulk(struct kmag_dev_cache *cache, size_t nr, void **objs)
{
	/* The kernel's bulk calls need interrupts enabled; the others do not. */
	if (irqs_disabled())
		while (nr)
			kmem_cache_free(cache->kmem, objs[--nr]);
	else
		kmem_cache_free_bulk(cache->kmem, nr, objs);
}

static bool kmem_alloc_bulk(struct kmag_dev_cache *cache, gfp_t gfp, size_t nr,
			    void **objs)
{
	size_t i;

	if (!irqs_disabled())
		/* All or none: newer kernels tell no number. */
		return kmem_cache_alloc_bulk(cache->kmem, gfp, nr, objs);

	for (i = 0; i < nr; i++) {
		objs[i] = kmem_cache_alloc(cache->kmem, gfp);
		if (!objs[i]) {
			kmem_free_bulk(cache, i, objs);
			return false;
		}
	}
	return true;
}

static int kmem_shrink(struct kmag_dev_cache *cache, u64 *slabs)
{
	/* How many slabs went is not for modules to know. */
	*slabs = 0;
	kmem_cache_shrink(cache->kmem);
	return 0;
}

const struct kmag_backend_ops kmag_backend_kmem = {
	.create		= kmem_create,
	.destroy	= kmem_destroy,
	.alloc		= kmem_alloc,
	.free		= kmem_free,
	.alloc_bulk	= kmem_alloc_bulk,
	.free_bulk	= kmem_free_bulk,
	.shrink		= kmem_shrink,
};
