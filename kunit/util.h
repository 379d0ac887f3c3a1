/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the suites share: caches that go with their test, exact accounts, and
 * memory that fails on demand.
 *
 * A test is pinned to one CPU, so that per-CPU state is its own. Nobody else
 * uses its cache: whenever it looks, the accounts must be exact.
 */
#ifndef _KMAG_KUNIT_UTIL_H
#define _KMAG_KUNIT_UTIL_H

#include <kunit/test.h>
#include <linux/hardirq.h>
#include <linux/irqflags.h>
#include <linux/kasan.h>
#include <linux/preempt.h>
#include <linux/prandom.h>
#include <linux/sched.h>

#include "internal.h"

/* Of random loads, printed when one begins. */
#define KMAG_TEST_SEED	0x6b6d6167UL

/**
 * kmag_test_init - for every suite: pin the test to the boot CPU
 * @test: the test
 *
 * Return: 0.
 */
int kmag_test_init(struct kunit *test);

/**
 * kmag_test_cache - make a cache that is destroyed with its test
 * @test: fails if there is no cache
 * @size: of an object
 * @align: of an object
 * @flags: KMAG_HWCACHE_ALIGN and the others
 * @ctor: or NULL
 *
 * When the test ends, its accounts are checked: no object may be left. The worker
 * leaves it alone: what it keeps is kept until the test says otherwise.
 *
 * Return: the cache.
 */
struct kmag_cache *kmag_test_cache(struct kunit *test, unsigned int size,
				   unsigned int align, unsigned int flags,
				   void (*ctor)(void *obj));

/* Do now what happens to a cache when its test ends. */
void kmag_test_destroy(struct kunit *test, struct kmag_cache *cache);

struct kmag_snap_cache *kmag_test_snap(struct kunit *test,
				       struct kmag_cache *cache);

/**
 * kmag_test_exact - the accounts of a quiet cache are exact
 * @test: fails if they are not
 * @cache: the cache
 * @live: objects that owners hold
 *
 * Counters, bitmaps and magazines agree, and every byte that the page
 * allocator gave is found.
 */
#define kmag_test_exact(test, cache, live)	\
	__kmag_test_exact(test, cache, live, __func__, __LINE__)
void __kmag_test_exact(struct kunit *test, struct kmag_cache *cache, u64 live,
		       const char *func, int line);

/* An event counter of a quiet cache, over all CPUs. */
unsigned long kmag_test_stat(struct kmag_cache *cache, enum kmag_stat stat);

/* Allocations and frees, over all CPUs and all ways. */
unsigned long kmag_test_allocs(struct kmag_cache *cache);
unsigned long kmag_test_frees(struct kmag_cache *cache);

/* Caches in the registry. */
unsigned int kmag_test_nr_caches(void);

/* This CPU's magazines, and the node that it takes from. */
struct kmag_cpu *kmag_test_cpu(struct kmag_cache *cache);
struct kmag_node *kmag_test_node(struct kmag_cache *cache);

/* The slab at an address, or the next one of a walk; of a quiet cache. */
struct kmag_slab *kmag_test_slab_of(const void *addr);
struct kmag_slab *kmag_test_next_slab(struct kmag_cache *cache,
				      unsigned long *nr);

/* Arrays of objects, freed with the test; allocated and filled or given back. */
void **kmag_test_array(struct kunit *test, size_t nr);
void kmag_test_alloc(struct kunit *test, struct kmag_cache *cache, void **objs,
		     size_t nr);
void kmag_test_free(struct kmag_cache *cache, void **objs, size_t nr);

/* Fill an object with what tells it from others, and see that it is intact. */
void kmag_test_fill(struct kmag_cache *cache, void *obj, u32 seed);
bool kmag_test_intact(struct kmag_cache *cache, const void *obj, u32 seed);

/* What KASAN knows of the eight bytes at an address; 0: all may be touched. */
#ifdef CONFIG_KASAN_GENERIC
static inline u8 kmag_test_shadow(const void *addr)
{
	return *(u8 *)kasan_mem_to_shadow(addr);
}
#else
static inline u8 kmag_test_shadow(const void *addr)
{
	return 0;
}
#endif

/* From here on, until the other one: what code sees that runs in an NMI. */
static inline unsigned long kmag_test_nmi_begin(void)
{
	unsigned long flags;

	local_irq_save(flags);
	__preempt_count_add(NMI_OFFSET + HARDIRQ_OFFSET);
	return flags;
}

static inline void kmag_test_nmi_end(unsigned long flags)
{
	__preempt_count_sub(NMI_OFFSET + HARDIRQ_OFFSET);
	local_irq_restore(flags);
}

/*
 * Let the n-th allocation of slab memory from now on fail; or none, with 0. One
 * that may sleep counts after kmag_test_fail_sleepers(). False if this kernel
 * cannot.
 */
#ifdef CONFIG_FAULT_INJECTION
static inline bool kmag_test_fail_nth(unsigned int nth)
{
	current->fail_nth = nth;
	return true;
}

/* How many are still to come until that one; 0 if it has failed. */
static inline unsigned int kmag_test_fail_left(void)
{
	return current->fail_nth;
}
#else
static inline bool kmag_test_fail_nth(unsigned int nth)
{
	return false;
}

static inline unsigned int kmag_test_fail_left(void)
{
	return 0;
}
#endif

bool kmag_test_fail_sleepers(void);

/* How often kmag.ko is held: by each cache once. */
int kmag_test_module_held(struct kunit *test);

/* Read a file of the guest, or write it; as kernel_read() and kernel_write(). */
ssize_t kmag_test_read_file(const char *name, char *buf, size_t size);
ssize_t kmag_test_write_file(const char *name, const char *text);

/* Have the guest's shell do something; 0 if that went well. */
int kmag_test_shell(const char *command);

/* Lines of the kernel's log that are about this cache and say @what. */
unsigned int kmag_test_logged(struct kmag_cache *cache, const char *what);

/* Sorted, are there two that are the same? */
bool kmag_test_doubled(void **objs, size_t nr);

/**
 * struct kmag_test_source - pages or magazines that come under observation
 * @calls: asked for, since the source was set up
 * @given: had
 * @fail_from: the first call that fails, counted from 1; 0 for none
 * @fail_to: the last one
 * @fail_every: every so many fail; 0 for none
 * @fail_order: pages of this order and above fail; 0 for none
 * @fail_cheap: those fail that may not reclaim
 * @elsewhere: pages come from another node than was asked for, or not at all
 *	where it must be that one
 * @gfp_any: flags that any of them had
 * @gfp_all: flags that all of them had
 */
struct kmag_test_source {
	unsigned long calls;
	unsigned long given;
	unsigned long fail_from;
	unsigned long fail_to;
	unsigned long fail_every;
	unsigned int fail_order;
	bool fail_cheap;
	bool elsewhere;
	gfp_t gfp_any;
	gfp_t gfp_all;
};

/**
 * kmag_test_pages - watch, and fail, pages that slabs of this test ask for
 * @test: the test; ends with it
 *
 * To be called before the caches are made, as they have to go first.
 *
 * Return: how to fail, and what was seen.
 */
struct kmag_test_source *kmag_test_pages(struct kunit *test);

/* Of the pages given since kmag_test_pages(): how many are not free again? */
unsigned long kmag_test_pages_left(struct kunit *test);

/**
 * kmag_test_magazines - the same for magazines
 * @test: the test; ends with it
 *
 * Return: the source, to be told which allocations are to fail.
 */
struct kmag_test_source *kmag_test_magazines(struct kunit *test);

/* Is a magazine that was given since then not free again? */
bool kmag_test_magazines_left(struct kunit *test);

/* Close a CPU's gate as a fence does, before its grace period ends. */
void kmag_test_close_gate(struct kmag_cpu *cpu, enum kmag_gate gate);

#endif /* _KMAG_KUNIT_UTIL_H */
