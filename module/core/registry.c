// SPDX-License-Identifier: GPL-2.0
/*
 * The registry of all caches, for those who have to see each: the shrinker and
 * the worker, CPU hotplug, views.
 */
#include "registry.h"

/* Protects the list, and the caches on it from going away. */
struct mutex kmag_caches_lock = __MUTEX_INITIALIZER(kmag_caches_lock);
EXPORT_SYMBOL_IF_KUNIT(kmag_caches_lock);

LIST_HEAD(kmag_caches);

static unsigned int last_id;	/* under kmag_caches_lock */

void kmag_registry_add(struct kmag_cache *cache)
{
	mutex_lock(&kmag_caches_lock);
	if (!cache->id)
		cache->id = ++last_id;
	list_add_tail(&cache->list, &kmag_caches);
	mutex_unlock(&kmag_caches_lock);
}

void kmag_registry_del(struct kmag_cache *cache)
{
	mutex_lock(&kmag_caches_lock);
	list_del(&cache->list);
	mutex_unlock(&kmag_caches_lock);
}

struct kmag_cache *kmag_registry_find(unsigned int id)
{
	struct kmag_cache *cache, *found = NULL;

	lockdep_assert_held(&kmag_caches_lock);
	list_for_each_entry(cache, &kmag_caches, list)
		if (cache->id >= id && (!found || cache->id < found->id))
			found = cache;
	return found;
}
