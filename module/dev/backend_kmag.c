// SPDX-License-Identifier: GPL-2.0
/*
 * The backend that kmag is.
 */
#include <linux/err.h>
#include <linux/numa.h>
#include <linux/slab.h>
#include <linux/string.h>

#include <kmag/kmag.h>

#include "backend.h"

/*
 * What a cache takes is asked of itself: it knows its redzones. A CPU has two
 * magazines, of which it fills one at a time, and a node's depot and its empty
 * slabs are limited.
 */
static int kmag_measure(struct kmag_dev_cache *cache)
{
	const struct kmag_snap_node *node;
	struct kmag_snap_cache *snap;
	u32 share;

	snap = kmag_snapshot_next(kmag_cache_id(cache->kmag), GFP_KERNEL);
	/* It is there; so it can only be memory. */
	if (IS_ERR_OR_NULL(snap))
		return -ENOMEM;
	node = (void *)((struct kmag_snap_cpu *)(snap + 1) + snap->nr_cpus);
	share = kmag_backend_share(snap->stride);
	cache->share = share;
	cache->ahead = snap->capacity * share;
	cache->cpu_keeps = 2 * snap->capacity * share;
	cache->node_keeps = ((node->full_max + 1) * snap->capacity +
			     snap->slab_slots) * share;
	kvfree(snap);
	return 0;
}

static int kmag_create(struct kmag_dev_cache *cache, void (*ctor)(void *obj),
		       u64 file, struct kmag_ioc_create *req)
{
	unsigned int flags = 0;
	int ret;

	if (req->cache_flags & KMAG_CF_HWALIGN)
		flags |= KMAG_HWCACHE_ALIGN;
	if (req->cache_flags & KMAG_CF_ACCOUNT)
		flags |= KMAG_ACCOUNT;
	if (req->cache_flags & KMAG_CF_RECLAIM)
		flags |= KMAG_RECLAIM_ACCOUNT;

	/* The arguments are in range, so it can only be memory. */
	cache->kmag = kmag_cache_create(req->name, req->object_size, req->align,
					flags, ctor);
	if (!cache->kmag)
		return -ENOMEM;
	ret = kmag_measure(cache);
	if (ret) {
		kmag_cache_destroy(cache->kmag);
		return ret;
	}

	req->kmag_id = kmag_cache_id(cache->kmag);
	snprintf(req->real_name, sizeof(req->real_name), "%s-%u", req->name,
		 req->kmag_id);
	return 0;
}

static void kmag_destroy(struct kmag_dev_cache *cache)
{
	kmag_cache_destroy(cache->kmag);
}

static void *kmag_alloc(struct kmag_dev_cache *cache, gfp_t gfp, int node)
{
	if (node == NUMA_NO_NODE)
		return kmag_cache_alloc(cache->kmag, gfp);
	return kmag_cache_alloc_node(cache->kmag, gfp, node);
}

static void kmag_free(struct kmag_dev_cache *cache, void *obj)
{
	kmag_cache_free(cache->kmag, obj);
}

static bool kmag_alloc_bulk(struct kmag_dev_cache *cache, gfp_t gfp, size_t nr,
			    void **objs)
{
	return kmag_cache_alloc_bulk(cache->kmag, gfp, nr, objs) == nr;
}

static void kmag_free_bulk(struct kmag_dev_cache *cache, size_t nr, void **objs)
{
	kmag_cache_free_bulk(cache->kmag, nr, objs);
}

static int kmag_slabs(struct kmag_dev_cache *cache, u64 *slabs)
{
	struct kmag_snap_cache *snap;

	snap = kmag_snapshot_next(kmag_cache_id(cache->kmag), GFP_KERNEL);
	if (IS_ERR(snap))
		return PTR_ERR(snap);
	/* The cache exists, so the snapshot has it. */
	*slabs = snap ? snap->slabs : 0;
	kvfree(snap);
	return 0;
}

static int kmag_shrink(struct kmag_dev_cache *cache, u64 *slabs)
{
	u64 before, after;
	int ret;

	ret = kmag_slabs(cache, &before);
	if (ret)
		return ret;
	kmag_cache_shrink(cache->kmag);
	ret = kmag_slabs(cache, &after);
	if (ret)
		return ret;
	*slabs = before > after ? before - after : 0;
	return 0;
}

static int kmag_validate(struct kmag_dev_cache *cache, u64 *errors)
{
	int ret = kmag_cache_validate(cache->kmag);

	if (ret < 0)
		return ret;
	*errors = ret;
	return 0;
}

const struct kmag_backend_ops kmag_backend_kmag = {
	.create		= kmag_create,
	.destroy	= kmag_destroy,
	.alloc		= kmag_alloc,
	.free		= kmag_free,
	.alloc_bulk	= kmag_alloc_bulk,
	.free_bulk	= kmag_free_bulk,
	.shrink		= kmag_shrink,
	.validate	= kmag_validate,
};
