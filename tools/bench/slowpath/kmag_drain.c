// SPDX-License-Identifier: GPL-2.0
/*
 * What a free takes in time while slabs drain. As many objects as a spike has are
 * taken; half of the slabs, at random, keep three, which go home, the others twelve,
 * which stay. Two objects of each slab are freed: the first finds what belongs to
 * the slab in memory, the second in the CPU's caches. Objects are of 256 bytes, 16 to
 * a slab; SLUB's are taken from pages in the same way.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/delay.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/prandom.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/vmalloc.h>

#include <kmag/kmag.h>

/* 6.5 made it. */
#ifndef SLAB_NO_MERGE
#define SLAB_NO_MERGE	0
#endif

#define SIZE	256
#define SLOTS	((unsigned int)(PAGE_SIZE / SIZE))
#define OBJS	200000
#define SLABS	(OBJS / SLOTS)

/* What slabs keep that are to go on, and those that are to drain. */
#define DENSE	12
#define SPARSE	3

/* Objects of a slab that are freed, one after the other. */
enum { FAR, NEAR, VISITS };

/* Slabs that are visited together: a magazine has room for 62 objects. */
#define RUN	31

/* More than the CPU's caches keep. */
#define ELSEWHERE	SZ_64M

/* Until marks are set, and what CPUs had cached is home. */
#define MARKS_MS	500

/* The least of so many counts: the host is not ours alone. */
#define ROUNDS	9

enum kind { SLUB, PLAIN, STAYS, HOME, KINDS };

static const char *const names[KINDS] = { "slub", "plain", "stays", "home" };

static u64 least[KINDS][VISITS];	/* tenths of nanoseconds for a free */
static struct kmem_cache *slub;
static struct kmag_cache *kmag;
static struct rnd_state rnd;
static void **objs, *elsewhere;
static void ***slabs;			/* the first object of each, in objs */

static __always_inline void *take(enum kind kind)
{
	return kind == SLUB ? kmem_cache_alloc(slub, GFP_KERNEL) :
			      kmag_cache_alloc(kmag, GFP_KERNEL);
}

static __always_inline void give(enum kind kind, void *obj)
{
	if (kind == SLUB)
		kmem_cache_free(slub, obj);
	else
		kmag_cache_free(kmag, obj);
}

static int by_address(const void *a, const void *b)
{
	const void *x = *(void **)a, *y = *(void **)b;

	return x < y ? -1 : x > y;
}

/* Find the pages that are ours alone, and shuffle them. Returns how many. */
static unsigned int find_slabs(void)
{
	unsigned int i, nr = 0;

	sort(objs, OBJS, sizeof(*objs), by_address, NULL);
	for (i = 0; i + SLOTS <= OBJS; i++)
		if (!offset_in_page(objs[i]) &&
		    objs[i + SLOTS - 1] == objs[i] + (SLOTS - 1) * SIZE)
			slabs[nr++] = objs + i;
	for (i = nr; i > 1; i--)
		swap(slabs[i - 1], slabs[prandom_u32_state(&rnd) % i]);
	return nr;
}

static u64 time_run(enum kind kind, void **run, unsigned int nr)
{
	u64 start = ktime_get_ns();

	while (nr--)
		give(kind, *run++);
	return ktime_get_ns() - start;
}

/*
 * Free objects @at and @at + 1 of @nr slabs, a run at a time, which takes what is
 * where. As many are allocated before, but for those that are not pushed: so there
 * is room for each run in a magazine.
 */
static void time_frees(enum kind kind, void ***from, unsigned int nr,
		       unsigned int at)
{
	void *run[VISITS][RUN];
	unsigned int i, visit, done;
	u64 ns[VISITS] = {};

	memset(elsewhere, at, ELSEWHERE);
	for (done = 0; done + RUN <= nr; done += RUN, from += RUN) {
		for (i = 0; i < RUN; i++) {
			for (visit = FAR; visit < VISITS; visit++) {
				run[visit][i] = from[i][at + visit];
				from[i][at + visit] = kind == HOME ? NULL :
						      take(kind);
			}
		}
		for (visit = FAR; visit < VISITS; visit++)
			ns[visit] += time_run(kind, run[visit], RUN);
	}
	for (visit = FAR; visit < VISITS; visit++)
		least[kind][visit] = min(least[kind][visit],
					 div_u64(ns[visit] * 10, done));
}

/* Of @nr slabs all but the first objects go. */
static void keep_first(void ***from, unsigned int nr, unsigned int keep)
{
	while (nr--) {
		kmag_cache_free_bulk(kmag, SLOTS - keep, from[nr] + keep);
		memset(from[nr] + keep, 0, (SLOTS - keep) * sizeof(**from));
	}
}

static void measure_slub(unsigned int nr)
{
	time_frees(SLUB, slabs, nr / 2, DENSE);
}

static void measure_kmag(unsigned int nr)
{
	nr /= 2;
	keep_first(slabs, nr, DENSE + VISITS);
	time_frees(PLAIN, slabs, nr, DENSE);
	keep_first(slabs + nr, nr, SPARSE);
	msleep(MARKS_MS);
	time_frees(STAYS, slabs, nr, 0);
	time_frees(HOME, slabs + nr, nr, 0);
}

static int one_round(enum kind kind, void (*measure)(unsigned int nr))
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < OBJS; i++) {
		objs[i] = take(kind);
		if (!objs[i]) {
			ret = -ENOMEM;
			goto out;
		}
	}
	measure(find_slabs());
out:
	while (i--)
		if (objs[i])
			give(kind, objs[i]);
	return ret;
}

static int measure(void)
{
	int i, ret = 0;

	memset(least, 0xff, sizeof(least));
	for (i = 0; i < ROUNDS && !ret; i++) {
		ret = one_round(SLUB, measure_slub);
		kmem_cache_shrink(slub);
		if (!ret)
			ret = one_round(PLAIN, measure_kmag);
		kmag_cache_shrink(kmag);
	}
	for (i = 0; i < KINDS && !ret; i++)
		pr_info("%s %llu %llu\n", names[i], least[i][FAR], least[i][NEAR]);
	return ret;
}

static int __init drain_init(void)
{
	int ret = -ENOMEM;

	prandom_seed_state(&rnd, 1);
	objs = vcalloc(OBJS, sizeof(*objs));
	slabs = vcalloc(SLABS, sizeof(*slabs));
	elsewhere = vmalloc(ELSEWHERE);
	if (!objs || !slabs || !elsewhere)
		goto out;
	slub = kmem_cache_create("drain_slub", SIZE, 0, SLAB_NO_MERGE, NULL);
	if (!slub)
		goto out;
	kmag = kmag_cache_create("drain", SIZE, 0, 0, NULL);
	if (!kmag)
		goto err_kmag;

	ret = measure();
	kmag_cache_destroy(kmag);
err_kmag:
	kmem_cache_destroy(slub);
out:
	vfree(elsewhere);
	vfree(slabs);
	vfree(objs);
	return ret;
}

static void __exit drain_exit(void)
{
}

module_init(drain_init);
module_exit(drain_exit);

MODULE_DESCRIPTION("kmag: what frees take while slabs drain");
MODULE_LICENSE("GPL");
