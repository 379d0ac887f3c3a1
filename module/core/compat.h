/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What differs between the kernels that kmag builds for, and nowhere else.
 */
#ifndef _KMAG_COMPAT_H
#define _KMAG_COMPAT_H

#include <linux/kconfig.h>
#include <linux/shrinker.h>
#include <linux/swap.h>
#include <linux/topology.h>
#include <linux/version.h>
#include <linux/workqueue.h>

#if KERNEL_VERSION(6, 1, 0) > LINUX_VERSION_CODE
#error "kmag needs Linux 6.1 or newer"
#endif

/* Suites reach into kmag.ko only on kernels that they build for (see Kbuild). */
#if IS_ENABLED(CONFIG_KUNIT) && KERNEL_VERSION(6, 8, 0) <= LINUX_VERSION_CODE
#include <kunit/static_stub.h>
#include <kunit/visibility.h>
#define KMAG_KUNIT_STUB(fn, ...)	KUNIT_STATIC_STUB_REDIRECT(fn, ##__VA_ARGS__)
#else
#define EXPORT_SYMBOL_IF_KUNIT(symbol)	static_assert(true, #symbol)
#define KMAG_KUNIT_STUB(fn, ...)	((void)(fn))
#endif

/* They hook into tracepoints, too, where there are any. */
#ifdef CONFIG_TRACEPOINTS
#define EXPORT_TRACEPOINT_IF_KUNIT(name) \
	EXPORT_SYMBOL_IF_KUNIT(__tracepoint_##name)
#else
#define EXPORT_TRACEPOINT_IF_KUNIT(name) static_assert(true, #name)
#endif

/* 6.14 gave it a shorter name. */
#if KERNEL_VERSION(6, 14, 0) > LINUX_VERSION_CODE
#define alloc_pages_bulk_node	alloc_pages_bulk_array_node
#endif

/* numa_mem_id() reads a per-CPU variable that modules do not get. */
static inline int kmag_this_node(void)
{
#ifdef CONFIG_HAVE_MEMORYLESS_NODES
	return numa_node_id();
#else
	return numa_mem_id();
#endif
}

/* Pages freed by a shrinker are no LRU pages: vmscan has to be told. */
static inline void kmag_account_reclaimed(unsigned long pages)
{
#if KERNEL_VERSION(6, 4, 0) <= LINUX_VERSION_CODE
	mm_account_reclaimed_pages(pages);
#else
	if (current->reclaim_state)
		current->reclaim_state->reclaimed_slab += pages;
#endif
}

/* Newer kernels complain of the old name. */
#if KERNEL_VERSION(6, 18, 0) <= LINUX_VERSION_CODE
#define kmag_unbound_wq	system_dfl_wq
#else
#define kmag_unbound_wq	system_unbound_wq
#endif

/* 6.7 made shrinkers dynamic. */
struct kmag_shrinker {
#if KERNEL_VERSION(6, 7, 0) <= LINUX_VERSION_CODE
	struct shrinker *shrinker;
#else
	struct shrinker shrinker;
#endif
};

typedef unsigned long (*kmag_shrink_fn)(struct shrinker *shrinker,
					struct shrink_control *sc);

static inline int kmag_shrinker_register(struct kmag_shrinker *ks,
					 const char *name, kmag_shrink_fn count,
					 kmag_shrink_fn scan)
{
#if KERNEL_VERSION(6, 7, 0) <= LINUX_VERSION_CODE
	ks->shrinker = shrinker_alloc(0, "%s", name);
	if (!ks->shrinker)
		return -ENOMEM;
	ks->shrinker->count_objects = count;
	ks->shrinker->scan_objects = scan;
	ks->shrinker->seeks = DEFAULT_SEEKS;
	shrinker_register(ks->shrinker);
	return 0;
#else
	ks->shrinker.count_objects = count;
	ks->shrinker.scan_objects = scan;
	ks->shrinker.seeks = DEFAULT_SEEKS;
	return register_shrinker(&ks->shrinker, "%s", name);
#endif
}

static inline void kmag_shrinker_unregister(struct kmag_shrinker *ks)
{
#if KERNEL_VERSION(6, 7, 0) <= LINUX_VERSION_CODE
	shrinker_free(ks->shrinker);
#else
	unregister_shrinker(&ks->shrinker);
#endif
}

#endif /* _KMAG_COMPAT_H */
