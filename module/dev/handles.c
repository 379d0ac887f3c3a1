// SPDX-License-Identifier: GPL-2.0
/*
 * Objects by id: alloc and free in batches.
 *
 * An id is an index into its cache's xarray, and the entry is the object's
 * address, tagged with what contents.c did to it.
 */
#include <linux/nodemask.h>
#include <linux/numa.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "backend.h"
#include "contents.h"

/* Objects of one bulk call: signals and others get their turn in between. */
#define KMAG_HANDLES_PIECE	1024U

/* The object that an id stands for; the id is free again. */
static void *kmag_handle_take(struct kmag_file *file,
			      struct kmag_dev_cache *cache, u32 id,
			      unsigned int *tag)
{
	void *entry = xa_erase(&cache->objs, id);

	if (!entry)
		return NULL;
	cache->nr_objs--;
	file->nr_objs--;
	*tag = xa_pointer_tag(entry);
	return xa_untag_pointer(entry);
}

/*
 * Give an object an id. Its pattern needs the id, and its tag the pattern, so
 * the entry is stored twice; the second time cannot fail.
 */
static int kmag_handle_put(struct kmag_file *file, struct kmag_dev_cache *cache,
			   void *obj, const struct kmag_ioc_alloc *req, u32 *id)
{
	unsigned int tag;
	int ret;

	ret = xa_alloc_cyclic(&cache->objs, id, obj, XA_LIMIT(1, U32_MAX),
			      &file->next_obj, GFP_KERNEL_ACCOUNT);
	if (ret < 0)
		return ret;
	cache->nr_objs++;
	file->nr_objs++;
	if (!(req->flags & KMAG_BATCH_CHECK))
		return 0;

	tag = kmag_contents_fill(cache, obj, *id, req->gfp & KMAG_GFP_ZERO);
	xa_store(&cache->objs, *id, xa_tag_pointer(obj, tag), GFP_KERNEL);
	return 0;
}

/* Let others run; an error if nobody waits for the rest any more. */
static int kmag_handles_pause(void)
{
	cond_resched();
	return fatal_signal_pending(current) ? -EINTR : 0;
}

/* Free the objects of ids that were just given, as if they never had been. */
static void kmag_handles_undo(struct kmag_file *file,
			      struct kmag_dev_cache *cache, u32 *ids, u32 nr)
{
	unsigned int tag;
	u32 i;

	for (i = 0; i < nr; i++) {
		void *obj = kmag_handle_take(file, cache, ids[i], &tag);

		kmag_contents_restore(cache, obj, tag);
		cache->ops->free(cache, obj);
		cond_resched();
	}
}

/* One call each, as far as it goes. */
static int kmag_alloc_each(struct kmag_file *file, struct kmag_dev_cache *cache,
			   struct kmag_ioc_alloc *req, gfp_t gfp, u32 *ids)
{
	void *obj;
	int ret;

	for (; req->done < req->count; req->done++) {
		ret = kmag_handles_pause();
		if (ret)
			return ret;
		obj = cache->ops->alloc(cache, gfp, req->node);
		if (!obj)
			return -ENOMEM;
		ret = kmag_handle_put(file, cache, obj, req, &ids[req->done]);
		if (ret) {
			cache->ops->free(cache, obj);
			return ret;
		}
	}
	return 0;
}

/* One bulk call, and ids for its objects. */
static int kmag_alloc_piece(struct kmag_file *file, struct kmag_dev_cache *cache,
			    struct kmag_ioc_alloc *req, gfp_t gfp, u32 *ids,
			    void **objs)
{
	u32 nr = min(req->count - req->done, KMAG_HANDLES_PIECE), i;
	int ret;

	if (!cache->ops->alloc_bulk(cache, gfp, nr, objs))
		return -ENOMEM;
	for (i = 0; i < nr; i++) {
		ret = kmag_handles_pause();
		if (!ret)
			ret = kmag_handle_put(file, cache, objs[i], req,
					      &ids[req->done]);
		if (ret) {
			cache->ops->free_bulk(cache, nr - i, objs + i);
			return ret;
		}
		req->done++;
	}
	return 0;
}

/* All, or none. */
static int kmag_alloc_bulk(struct kmag_file *file, struct kmag_dev_cache *cache,
			   struct kmag_ioc_alloc *req, gfp_t gfp, u32 *ids)
{
	void **objs;
	int ret = 0;

	objs = kmalloc_array(KMAG_HANDLES_PIECE, sizeof(*objs),
			     GFP_KERNEL_ACCOUNT);
	if (!objs)
		return -ENOMEM;
	while (!ret && req->done < req->count)
		ret = kmag_alloc_piece(file, cache, req, gfp, ids, objs);
	if (ret) {
		kmag_handles_undo(file, cache, ids, req->done);
		req->done = 0;
	}
	kfree(objs);
	return ret;
}

static int kmag_alloc_check(struct kmag_file *file,
			    const struct kmag_dev_cache *cache,
			    const struct kmag_ioc_alloc *req)
{
	if (req->reserved || !req->count)
		return -EINVAL;
	if (req->count > KMAG_DEV_MAX_BATCH ||
	    req->count > KMAG_DEV_MAX_OBJECTS - file->nr_objs)
		return -E2BIG;
	if (cache->ctor_len && req->gfp & KMAG_GFP_ZERO)
		return -EINVAL;
	if (req->node != NUMA_NO_NODE) {
		if (req->node < 0 || req->node >= MAX_NUMNODES ||
		    !node_online(req->node))
			return -EINVAL;
		/* Neither backend has a bulk call for a node. */
		if (req->flags & KMAG_BATCH_BULK)
			return -EINVAL;
	}
	return 0;
}

/**
 * kmag_handles_alloc - KMAG_IOC_ALLOC
 * @file: that will hold the objects
 * @arg: struct kmag_ioc_alloc
 *
 * Return: 0 or an error; ->done ids were written in either case.
 */
int kmag_handles_alloc(struct kmag_file *file, void *arg)
{
	struct kmag_ioc_alloc *req = arg;
	struct kmag_dev_cache *cache;
	gfp_t gfp;
	u32 *ids;
	int ret;

	cache = kmag_file_cache(file, req->id);
	if (!cache)
		return -ENOENT;
	ret = kmag_dev_gfp(req->gfp, &gfp);
	if (ret)
		return ret;
	ret = kmag_alloc_check(file, cache, req);
	if (ret)
		return ret;

	ids = kvmalloc_array(req->count, sizeof(*ids), GFP_KERNEL_ACCOUNT);
	if (!ids)
		return -ENOMEM;
	if (req->flags & KMAG_BATCH_BULK)
		ret = kmag_alloc_bulk(file, cache, req, gfp, ids);
	else
		ret = kmag_alloc_each(file, cache, req, gfp, ids);

	/* Objects whose ids the caller cannot learn would be lost. */
	if (copy_to_user(u64_to_user_ptr(req->objs), ids,
			 req->done * sizeof(*ids))) {
		ret = -EFAULT;
		kmag_handles_undo(file, cache, ids, req->done);
		req->done = 0;
	}
	kvfree(ids);
	return ret;
}

/* Look at an object, count it if it is bad, and make it ready to be freed. */
static void kmag_handle_check(struct kmag_dev_cache *cache, void *obj,
			      struct kmag_ioc_free *req, u32 id,
			      unsigned int tag)
{
	if (req->flags & KMAG_BATCH_CHECK &&
	    !kmag_contents_check(cache, obj, id, tag))
		req->corrupt++;
	kmag_contents_restore(cache, obj, tag);
}

static int kmag_free_each(struct kmag_file *file, struct kmag_dev_cache *cache,
			  struct kmag_ioc_free *req, const u32 *ids)
{
	unsigned int tag;
	void *obj;
	int ret;

	for (; req->done < req->count; req->done++) {
		ret = kmag_handles_pause();
		if (ret)
			return ret;
		obj = kmag_handle_take(file, cache, ids[req->done], &tag);
		if (!obj)
			return -ENOENT;
		kmag_handle_check(cache, obj, req, ids[req->done], tag);
		cache->ops->free(cache, obj);
	}
	return 0;
}

/* One bulk call, of objects up to the first id that is not held. */
static int kmag_free_piece(struct kmag_file *file, struct kmag_dev_cache *cache,
			   struct kmag_ioc_free *req, const u32 *ids,
			   void **objs)
{
	u32 nr = min(req->count - req->done, KMAG_HANDLES_PIECE), i;
	unsigned int tag;
	int ret = 0;

	for (i = 0; i < nr; i++) {
		ret = kmag_handles_pause();
		if (ret)
			break;
		objs[i] = kmag_handle_take(file, cache, ids[req->done], &tag);
		if (!objs[i]) {
			ret = -ENOENT;
			break;
		}
		kmag_handle_check(cache, objs[i], req, ids[req->done], tag);
		req->done++;
	}
	/* kmem_cache_free_bulk() warns about a count of 0. */
	if (i)
		cache->ops->free_bulk(cache, i, objs);
	return ret;
}

static int kmag_free_bulk(struct kmag_file *file, struct kmag_dev_cache *cache,
			  struct kmag_ioc_free *req, const u32 *ids)
{
	void **objs;
	int ret = 0;

	objs = kmalloc_array(KMAG_HANDLES_PIECE, sizeof(*objs),
			     GFP_KERNEL_ACCOUNT);
	if (!objs)
		return -ENOMEM;
	while (!ret && req->done < req->count)
		ret = kmag_free_piece(file, cache, req, ids, objs);
	kfree(objs);
	return ret;
}

/**
 * kmag_handles_free - KMAG_IOC_FREE
 * @file: that holds the objects
 * @arg: struct kmag_ioc_free
 *
 * Return: 0 or an error; ->done objects were freed in either case.
 */
int kmag_handles_free(struct kmag_file *file, void *arg)
{
	struct kmag_ioc_free *req = arg;
	struct kmag_dev_cache *cache;
	u32 *ids;
	int ret;

	cache = kmag_file_cache(file, req->id);
	if (!cache)
		return -ENOENT;
	if (!req->count)
		return -EINVAL;
	if (req->count > KMAG_DEV_MAX_BATCH)
		return -E2BIG;

	ids = kvmalloc_array(req->count, sizeof(*ids), GFP_KERNEL_ACCOUNT);
	if (!ids)
		return -ENOMEM;
	if (copy_from_user(ids, u64_to_user_ptr(req->objs),
			   req->count * sizeof(*ids)))
		ret = -EFAULT;
	else if (req->flags & KMAG_BATCH_BULK)
		ret = kmag_free_bulk(file, cache, req, ids);
	else
		ret = kmag_free_each(file, cache, req, ids);
	kvfree(ids);
	return ret;
}

/**
 * kmag_handles_drop - free every object of a cache that an id stands for
 * @file: that holds them
 * @cache: that they came from
 *
 * Goes on when a deadly signal comes: nobody else would free them.
 */
void kmag_handles_drop(struct kmag_file *file, struct kmag_dev_cache *cache)
{
	unsigned long id;
	unsigned int tag;
	void *obj;

	xa_for_each(&cache->objs, id, obj) {
		obj = kmag_handle_take(file, cache, id, &tag);
		kmag_contents_restore(cache, obj, tag);
		cache->ops->free(cache, obj);
		cond_resched();
	}
}
