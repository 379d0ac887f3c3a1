// SPDX-License-Identifier: GPL-2.0
/*
 * Caches: create and destroy. Below are all other layers.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpuhotplug.h>
#include <linux/ctype.h>
#include <linux/export.h>
#include <linux/module.h>
#include <linux/printk.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "account.h"
#include "cache.h"
#include "debugfs.h"
#include "depot.h"
#include "evacuate.h"
#include "latency.h"
#include "magazine.h"
#include "park.h"
#include "reclaim.h"
#include "registry.h"
#include "slab.h"

#define KMAG_FLAGS	(KMAG_HWCACHE_ALIGN | KMAG_ACCOUNT | \
			 KMAG_RECLAIM_ACCOUNT | KMAG_PANIC)

/* Slabs that a leak report names; the rest is a number. */
#define KMAG_LEAK_SLABS	8

static enum cpuhp_state hotplug_state;

/*
 * Rounds by what an object takes in its slab. As in SLUB's sheaves and in
 * illumos small objects get large magazines: a CPU may hold two, which is at
 * most 31 KiB of 256-byte objects, 112 KiB of a page each, and two objects
 * above 64 KiB. Header and rounds fill whole cache lines.
 */
static unsigned int choose_capacity(unsigned int stride)
{
	if (stride <= 256)
		return KMAG_ROUNDS(512);	/* 62 */
	if (stride <= 1024)
		return KMAG_ROUNDS(256);	/* 30 */
	if (stride <= 4096)
		return KMAG_ROUNDS(128);	/* 14 */
	if (stride <= 16384)
		return KMAG_ROUNDS(64);		/* 6 */
	if (stride <= 65536)
		return KMAG_ROUNDS(32);		/* 2 */
	return 1;
}

/* One line for what is wrong with the arguments, or NULL. */
static const char *check_args(const char *name, unsigned int size,
			      unsigned int align, unsigned int flags,
			      unsigned int layout)
{
	if (layout != KMAG_LAYOUT)
		return "built against another kmag_inline.h";
	if (!name || !*name)
		return "no name";
	if (size < KMAG_MIN_SIZE || size > KMAG_MAX_SIZE)
		return "size is out of range";
	if (align && (!is_power_of_2(align) || align > PAGE_SIZE))
		return "alignment is no power of two up to a page";
	if (flags & ~KMAG_FLAGS)
		return "unknown flags";
	return NULL;
}

static void nodes_free(struct kmag_cache *cache)
{
	int nid;

	for_each_node(nid) {
		if (!cache->node[nid])
			continue;
		kmag_depot_purge(&cache->node[nid]->depot, 0);
		kfree(cache->node[nid]);
	}
}

static int nodes_alloc(struct kmag_cache *cache)
{
	unsigned int full_max, i;
	int nid;

	full_max = clamp_t(unsigned int, KMAG_DEPOT_BYTES /
			   (cache->capacity * cache->stride),
			   1, KMAG_DEPOT_FULL_MAX);
	for_each_node(nid) {
		struct kmag_magazine *mag;
		struct kmag_node *node;

		node = kzalloc_node(sizeof(*node), GFP_KERNEL,
				    node_online(nid) ? nid : NUMA_NO_NODE);
		if (!node)
			goto err_node;
		cache->node[nid] = node;
		kmag_node_init(node, nid);
		kmag_depot_init(&node->depot, full_max);
		/* So that frees find some before anybody was short of them. */
		for (i = 0; i < KMAG_DEPOT_EMPTIES; i++) {
			mag = kmag_magazine_alloc(cache->capacity, GFP_KERNEL,
						  nid);
			if (!mag)
				goto err_node;
			kmag_depot_push_empty(&node->depot, mag);
		}
	}
	return 0;

err_node:
	nodes_free(cache);
	return -ENOMEM;
}

static void cache_release(struct kmag_cache *cache)
{
	kmag_latency_free(cache);
	kmag_cpus_free(cache);
	nodes_free(cache);
	kfree(cache);
}

/* A name is one word in every view, and a folder in one. */
static void set_name(struct kmag_cache *cache, const char *name)
{
	char *c;

	strscpy(cache->name, name, sizeof(cache->name));
	for (c = cache->name; *c; c++)
		if (!isgraph(*c) || *c == '/')
			*c = '_';
}

static struct kmag_cache *cache_new(const char *name, unsigned int size,
				    unsigned int align, unsigned int flags,
				    void (*ctor)(void *obj))
{
	struct kmag_cache *cache;

	cache = kzalloc(struct_size(cache, node, nr_node_ids), GFP_KERNEL);
	if (!cache)
		return NULL;
	set_name(cache, name);
	mutex_init(&cache->fence_lock);
	cache->fast.size = size;
	cache->fast.zero = ctor ? 0 : size;
	cache->align = align;
	cache->flags = flags;
	cache->ctor = ctor;
	cache->validated = -EAGAIN;
	ratelimit_state_init(&cache->bad_limit, DEFAULT_RATELIMIT_INTERVAL,
			     DEFAULT_RATELIMIT_BURST);
	if (flags & KMAG_ACCOUNT)
		cache->gfp |= __GFP_ACCOUNT;
	if (flags & KMAG_RECLAIM_ACCOUNT)
		cache->gfp |= __GFP_RECLAIMABLE;
	kmag_slab_layout(cache);
	cache->capacity = choose_capacity(cache->stride);
	kmag_retain(cache, KMAG_WORKING_SET);
	kmag_evacuate_init(cache);

	if (nodes_alloc(cache))
		goto err_nodes;
	if (kmag_cpus_alloc(cache))
		goto err_cpus;
	return cache;

err_cpus:
	nodes_free(cache);
err_nodes:
	kfree(cache);
	return NULL;
}

struct kmag_cache *__kmag_cache_create(const char *name, unsigned int size,
				       unsigned int align, unsigned int flags,
				       void (*ctor)(void *obj),
				       unsigned int layout)
{
	const char *wrong = check_args(name, size, align, flags, layout);
	struct kmag_cache *cache = NULL;

	if (wrong)
		pr_err("cache %s: %s (size %u, align %u, flags %#x)\n",
		       name ?: "?", wrong, size, align, flags);
	else
		cache = cache_new(name, size, align, flags, ctor);
	if (!cache) {
		if (flags & KMAG_PANIC)
			panic("kmag: cache %s cannot be made\n", name ?: "?");
		return NULL;
	}
	/* No unload while there are caches: their frees run our code. */
	__module_get(THIS_MODULE);
	kmag_registry_add(cache);
	kmag_reclaim_start();
	kmag_debugfs_add(cache);
	return cache;
}
EXPORT_SYMBOL_GPL(__kmag_cache_create);

/* Objects that never came back: say how many and where. */
static void report_leak(struct kmag_cache *cache, unsigned long live)
{
	struct kmag_slab *slab;
	unsigned long slabs = 0;
	unsigned long nr = 0;

	pr_err("cache %s-%u: destroyed with %lu objects in use; they, their slabs and the module stay\n",
	       cache->name, cache->id, live);
	rcu_read_lock();
	while ((slab = kmag_slab_next(cache, &nr)))
		if (++slabs <= KMAG_LEAK_SLABS)
			/* What slab_map calls it. */
			pr_err("cache %s-%u:   slab %lu: %u of %u in use\n",
			       cache->name, cache->id, kmag_slab_pfn(slab),
			       READ_ONCE(slab->inuse), slab->slots);
	rcu_read_unlock();
	if (slabs > KMAG_LEAK_SLABS)
		pr_err("cache %s-%u:   and %lu more slabs\n", cache->name,
		       cache->id, slabs - KMAG_LEAK_SLABS);
}

void kmag_cache_destroy(struct kmag_cache *cache)
{
	unsigned long live = 0;
	int nid;

	if (!cache)
		return;
	kmag_debugfs_del(cache);
	kmag_latency_set(cache, false);
	/* First: what the shrinker has in its hands would count as live. */
	kmag_registry_del(cache);
	/* A late flush of what NMIs have parked would wake evacuation once more. */
	kmag_park_flush();
	kmag_evacuate_exit(cache);
	kmag_drain(cache);
	for_each_node(nid)
		live += cache->node[nid]->slots - cache->node[nid]->free;
	if (live) {
		/* A late free must still find everything in its place. */
		cache->ctor = NULL;
		cache->dead = true;
		report_leak(cache, live);
		kmag_registry_add(cache);
		return;
	}
	cache_release(cache);
	module_put(THIS_MODULE);
}
EXPORT_SYMBOL_GPL(kmag_cache_destroy);

unsigned int kmag_cache_size(struct kmag_cache *cache)
{
	return cache->fast.size;
}
EXPORT_SYMBOL_GPL(kmag_cache_size);

unsigned int kmag_cache_id(struct kmag_cache *cache)
{
	return cache->id;
}
EXPORT_SYMBOL_GPL(kmag_cache_id);

static int cpu_dead(unsigned int nr)
{
	struct kmag_cache *cache;

	mutex_lock(&kmag_caches_lock);
	list_for_each_entry(cache, &kmag_caches, list)
		kmag_cpu_dead(cache, nr);
	mutex_unlock(&kmag_caches_lock);
	return 0;
}

int kmag_cache_init(void)
{
	int ret;

	/*
	 * This state is torn down after the CPU is dead: nothing can refill
	 * its magazines any more.
	 */
	ret = cpuhp_setup_state_nocalls(CPUHP_BP_PREPARE_DYN, "mm/kmag:dead",
					NULL, cpu_dead);
	if (ret < 0)
		return ret;
	hotplug_state = ret;
	return 0;
}

void kmag_cache_exit(void)
{
	cpuhp_remove_state_nocalls(hotplug_state);
}
