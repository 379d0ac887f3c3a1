// SPDX-License-Identifier: GPL-2.0
/*
 * An open file of /dev/kmag: its life, and its caches.
 *
 * Everything belongs to the file, so closing it, however that happens, frees
 * everything.
 */
#include <linux/async.h>
#include <linux/atomic.h>
#include <linux/cache.h>
#include <linux/ctype.h>
#include <linux/err.h>
#include <linux/log2.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>

#include <kmag/kmag.h>

#include "backend.h"
#include "contents.h"

static atomic64_t kmag_file_numbers = ATOMIC64_INIT(0);
static atomic_t kmag_cache_serials = ATOMIC_INIT(0);

static const struct kmag_backend_ops *const kmag_backends[] = {
	[KMAG_BACKEND_KMAG] = &kmag_backend_kmag,
	[KMAG_BACKEND_KMEM] = &kmag_backend_kmem,
};

/**
 * kmag_file_new - state for a file that is being opened
 *
 * Return: the state, or NULL.
 */
struct kmag_file *kmag_file_new(void)
{
	struct kmag_file *file = kzalloc(sizeof(*file), GFP_KERNEL_ACCOUNT);

	if (!file)
		return NULL;
	mutex_init(&file->lock);
	xa_init_flags(&file->caches, XA_FLAGS_ALLOC1 | XA_FLAGS_ACCOUNT);
	file->number = atomic64_inc_return(&kmag_file_numbers);
	return file;
}

/* Objects are gone. */
static void kmag_cache_put(struct kmag_dev_cache *cache)
{
	cache->ops->destroy(cache);
	xa_destroy(&cache->objs);
	kfree(cache);
}

static void kmag_cache_put_async(void *cache, async_cookie_t cookie)
{
	kmag_cache_put(cache);
}

/**
 * kmag_file_free - free a file's state and all that it holds
 * @file: that nobody has open any more
 *
 * Each cache waits for a grace period before it goes: all of them at a time,
 * so that they wait for the same one.
 */
void kmag_file_free(struct kmag_file *file)
{
	ASYNC_DOMAIN_EXCLUSIVE(domain);
	struct kmag_dev_cache *cache;
	unsigned long id;

	kmag_slots_drop(file, NULL);
	kvfree(file->slots);
	xa_for_each(&file->caches, id, cache) {
		kmag_handles_drop(file, cache);
		async_schedule_domain(kmag_cache_put_async, cache, &domain);
	}
	async_synchronize_full_domain(&domain);
	xa_destroy(&file->caches);
	mutex_destroy(&file->lock);
	kfree(file);
}

/**
 * kmag_file_cache - find a cache
 * @file: that holds it
 * @id: of the cache
 *
 * Return: the cache or, if the file holds none of this id, NULL.
 */
struct kmag_dev_cache *kmag_file_cache(struct kmag_file *file, u32 id)
{
	return xa_load(&file->caches, id);
}

static bool kmag_name_ok(const char *name)
{
	size_t len = strnlen(name, KMAG_NAME_LEN), i;

	if (!len || len == KMAG_NAME_LEN)
		return false;
	for (i = 0; i < len; i++)
		if (!isascii(name[i]) ||
		    (!isalnum(name[i]) && !strchr("_.-", name[i])))
			return false;
	return true;
}

static int kmag_create_check(struct kmag_file *file,
			     const struct kmag_ioc_create *req)
{
	if (req->backend >= ARRAY_SIZE(kmag_backends) ||
	    req->cache_flags & ~KMAG_DEV_CF_ALL)
		return -EOPNOTSUPP;
	if (!req->object_size || req->object_size > KMAG_MAX_SIZE)
		return -EINVAL;
	if (req->align &&
	    (!is_power_of_2(req->align) || req->align > PAGE_SIZE))
		return -EINVAL;
	if (!kmag_name_ok(req->name))
		return -EINVAL;
	if (file->nr_caches >= KMAG_DEV_MAX_CACHES)
		return -E2BIG;
	return 0;
}

/**
 * kmag_file_create - KMAG_IOC_CREATE
 * @file: that will hold the cache
 * @arg: struct kmag_ioc_create
 *
 * Return: 0 or an error.
 */
int kmag_file_create(struct kmag_file *file, void *arg)
{
	struct kmag_ioc_create *req = arg;
	struct kmag_dev_cache *cache;
	kmag_ctor_fn ctor = NULL;
	int ret;

	ret = kmag_create_check(file, req);
	if (ret)
		return ret;

	cache = kzalloc(sizeof(*cache), GFP_KERNEL_ACCOUNT);
	if (!cache)
		return -ENOMEM;
	xa_init_flags(&cache->objs, XA_FLAGS_ALLOC1 | XA_FLAGS_ACCOUNT);
	cache->ops = kmag_backends[req->backend];
	cache->serial = atomic_inc_return(&kmag_cache_serials);
	cache->size = req->object_size;
	cache->align = req->align;
	cache->flags = req->cache_flags;
	if (req->cache_flags & KMAG_CF_CTOR) {
		cache->ctor_len = kmag_ctor_len(cache->size);
		ctor = kmag_ctor(cache->ctor_len);
	}

	/* Records of a replay name a cache in 16 bits. */
	ret = xa_alloc_cyclic(&file->caches, &cache->id, cache,
			      XA_LIMIT(1, U16_MAX), &file->next_cache,
			      GFP_KERNEL_ACCOUNT);
	if (ret < 0)
		goto err_id;

	ret = cache->ops->create(cache, ctor, file->number, req);
	if (ret)
		goto err_create;

	file->nr_caches++;
	req->id = cache->id;
	return 0;

err_create:
	req->kmag_id = 0;
	memset(req->real_name, 0, sizeof(req->real_name));
	xa_erase(&file->caches, cache->id);
err_id:
	kfree(cache);
	return ret;
}

/**
 * kmag_file_destroy - KMAG_IOC_DESTROY
 * @file: that holds the cache
 * @arg: struct kmag_ioc_destroy
 *
 * Return: 0 or an error.
 */
int kmag_file_destroy(struct kmag_file *file, void *arg)
{
	struct kmag_ioc_destroy *req = arg;
	struct kmag_dev_cache *cache;

	if (req->reserved)
		return -EINVAL;
	cache = kmag_file_cache(file, req->id);
	if (!cache)
		return -ENOENT;
	if (!(req->flags & KMAG_DESTROY_FORCE) &&
	    (cache->nr_objs || kmag_slots_count(file, cache)))
		return -EBUSY;

	/* Marks of failed allocations go in any case. */
	kmag_slots_drop(file, cache);
	kmag_handles_drop(file, cache);
	xa_erase(&file->caches, cache->id);
	file->nr_caches--;
	kmag_cache_put(cache);
	return 0;
}

/* The cache that is to be shrunk or validated, or an ERR_PTR(). */
static struct kmag_dev_cache *kmag_file_subject(struct kmag_file *file,
						struct kmag_ioc_cache *req)
{
	if (req->reserved)
		return ERR_PTR(-EINVAL);
	return kmag_file_cache(file, req->id) ?: ERR_PTR(-ENOENT);
}

/**
 * kmag_file_shrink - KMAG_IOC_SHRINK
 * @file: that holds the cache
 * @arg: struct kmag_ioc_cache
 *
 * Return: 0 or an error.
 */
int kmag_file_shrink(struct kmag_file *file, void *arg)
{
	struct kmag_ioc_cache *req = arg;
	struct kmag_dev_cache *cache = kmag_file_subject(file, req);

	if (IS_ERR(cache))
		return PTR_ERR(cache);
	return cache->ops->shrink(cache, &req->result);
}

/**
 * kmag_file_validate - KMAG_IOC_VALIDATE
 * @file: that holds the cache
 * @arg: struct kmag_ioc_cache
 *
 * Return: 0 or an error.
 */
int kmag_file_validate(struct kmag_file *file, void *arg)
{
	struct kmag_ioc_cache *req = arg;
	struct kmag_dev_cache *cache = kmag_file_subject(file, req);

	if (IS_ERR(cache))
		return PTR_ERR(cache);
	if (!cache->ops->validate)
		return -EOPNOTSUPP;
	return cache->ops->validate(cache, &req->result);
}
