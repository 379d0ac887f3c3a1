// SPDX-License-Identifier: GPL-2.0
/*
 * What an operation costs that the fast path cannot serve. The guest's time
 * stamp counter counts instructions, so a single operation can be measured; the
 * least of several of its kind is printed, as no interrupt came in between. Slabs
 * are brought into a known state first. Objects are of 256 bytes, 16 to a slab.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/delay.h>
#include <linux/gfp.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/sort.h>
#include <linux/timex.h>
#include <linux/vmalloc.h>

#include <kmag/kmag.h>

#define SIZE	256
#define SLOTS	((unsigned int)(PAGE_SIZE / SIZE))

/* Rounds of a magazine: what Documentation/design.rst says of this size. */
#define ROUNDS	62

/* Full magazines that the depot and a CPU hold; what is freed then is flushed. */
#define CACHED	(34 * ROUNDS)

/* Operations of one kind that are looked at. */
#define TRIES	4

/* Slabs that leave enough to be flushed, if one object of each stays. */
#define SLABS	((CACHED + (TRIES + 2) * ROUNDS) / (SLOTS - 1))

/* Room for whatever a measurement takes: see refill() and flush(). */
#define ROOM	(2 * max(SLABS, (TRIES + 3) * ROUNDS) * SLOTS)

/* Slabs of a cache that is to be sparse, and how long until its marks are set. */
#define SPARSE	800
#define MARKS_MS	500

/* A push is cheaper than that, to give an object to its slab dearer. */
#define HOME	100

/* A swap of loaded and previous magazine is cheaper than that, the rest dearer. */
#define SLOW	200

static struct kmag_cache *cache;
static void **objs;

static int by_address(const void *a, const void *b)
{
	const void *x = *(void **)a, *y = *(void **)b;

	return x < y ? -1 : x > y;
}

/*
 * With a task waiting for the CPU each unlock is some instructions dearer. It
 * runs where nothing is in the state that a measurement needs.
 */
static void rest(void)
{
	cond_resched();
}

static void take(unsigned int nr)
{
	unsigned int i;

	rest();
	for (i = 0; i < nr; i++)
		objs[i] = kmag_cache_alloc(cache, GFP_KERNEL);
	sort(objs, nr, sizeof(*objs), by_address, NULL);
}

static void give(unsigned int nr)
{
	while (nr--)
		kmag_cache_free(cache, objs[nr]);
	kmag_cache_shrink(cache);
}

static u32 alloc_cost(void **obj)
{
	cycles_t start = get_cycles();

	*obj = kmag_cache_alloc(cache, GFP_KERNEL);
	return get_cycles() - start;
}

static u32 free_cost(void *obj)
{
	cycles_t start = get_cycles();

	kmag_cache_free(cache, obj);
	return get_cycles() - start;
}

/* The clock itself. */
static u32 overhead(void)
{
	cycles_t start = get_cycles();

	return get_cycles() - start;
}

static void tell(const char *what, u32 cost)
{
	pr_info("%s %u\n", what, cost - overhead());
}

/* Allocate @nr into @to; the least that a slow one costs. */
static u32 least_alloc(void **to, unsigned int nr)
{
	u32 least = U32_MAX;
	unsigned int i;

	for (i = 0; i < nr; i++) {
		u32 cost = alloc_cost(to + i);

		if (cost > SLOW)
			least = min(least, cost);
	}
	return least;
}

/* Free @nr of @from. */
static u32 least_free(void **from, unsigned int nr)
{
	u32 least = U32_MAX;

	while (nr--) {
		u32 cost = free_cost(*from++);

		if (cost > SLOW)
			least = min(least, cost);
	}
	return least;
}

static void exchange(void)
{
	const unsigned int nr = (TRIES + 2) * ROUNDS;

	take(nr);
	tell("exchange_free", least_free(objs, nr));
	tell("exchange_alloc", least_alloc(objs, nr));
	give(nr);
}

/* A magazine is filled from slabs that have @room free objects each. */
static u32 refill(unsigned int room)
{
	unsigned int nr = DIV_ROUND_UP((TRIES + 2) * ROUNDS, room) * SLOTS;
	unsigned int i, kept = 0, more = TRIES * ROUNDS;
	u32 least;

	take(nr);
	for (i = 0; i < nr; i++) {
		/* Every other one, where it is half of them, and so on. */
		if (i % (SLOTS / room))
			objs[kept++] = objs[i];
		else
			kmag_cache_free(cache, objs[i]);
	}
	/* What was freed goes home; slabs that it leaves empty are freed. */
	kmag_cache_shrink(cache);
	least = least_alloc(objs + kept, more);
	give(kept + more);
	return least;
}

/*
 * A magazine is flushed. One object of each slab stays, so that none is freed.
 * The others go slab by slab, or one of each slab in turn.
 */
static u32 flush(bool scattered)
{
	unsigned int others = SLABS * (SLOTS - 1), i, n = 0;
	void **order = objs + SLABS * SLOTS;
	u32 least;

	take(SLABS * SLOTS);
	for (i = 0; i < others; i++)
		order[n++] = scattered ?
			     objs[i % SLABS * SLOTS + 1 + i / SLABS] :
			     objs[i / (SLOTS - 1) * SLOTS + 1 + i % (SLOTS - 1)];
	least_free(order, CACHED);
	/* From here on the depot takes no more. */
	least = least_free(order + CACHED, TRIES * ROUNDS);
	for (i = CACHED + TRIES * ROUNDS; i < others; i++)
		kmag_cache_free(cache, order[i]);
	for (i = 0; i < SLABS; i++)
		objs[i] = objs[i * SLOTS];
	give(SLABS);
	return least;
}

/* A magazine is filled from slabs that are made for it. */
static u32 grow(void)
{
	u32 least;

	rest();
	least = least_alloc(objs, TRIES * ROUNDS);
	give(TRIES * ROUNDS);
	return least;
}

static bool same_page(const void *a, const void *b)
{
	return (((unsigned long)a ^ (unsigned long)b) & PAGE_MASK) == 0;
}

/*
 * While slabs drain: every other slab keeps two objects, which go home, the
 * others twelve, which stay. Before, a free costs what it always does.
 */
static void drain(void)
{
	u32 cost, plain = U32_MAX, stays = U32_MAX, home = U32_MAX, last = U32_MAX;
	unsigned int i, at = 0, slabs = 0, kept = 0;
	unsigned long page = 0;

	take(SPARSE * SLOTS);
	for (i = 0; i < SPARSE * SLOTS; i++) {
		if (page != ((unsigned long)objs[i] & PAGE_MASK)) {
			page = (unsigned long)objs[i] & PAGE_MASK;
			slabs++;
			at = 0;
		}
		if (at++ < (slabs % 2 ? 12 : 2))
			objs[kept++] = objs[i];
		else
			plain = min(plain, free_cost(objs[i]));
	}
	msleep(MARKS_MS);
	/* Of each slab the first that was kept. */
	page = 0;
	for (i = 0; i < kept; i++) {
		if (page == ((unsigned long)objs[i] & PAGE_MASK))
			continue;
		page = (unsigned long)objs[i] & PAGE_MASK;
		cost = free_cost(objs[i]);
		objs[i] = NULL;
		if (i + 2 < kept && page == ((unsigned long)objs[i + 2] & PAGE_MASK))
			stays = min(stays, cost);
		else if (cost > HOME)
			home = min(home, cost);
	}
	/* What went home left one behind. */
	for (i = 0; i < kept; i++) {
		if (objs[i] || i + 2 >= kept ||
		    same_page(objs[i + 1], objs[i + 2]))
			continue;
		cost = free_cost(objs[i + 1]);
		objs[i + 1] = NULL;
		if (cost > HOME)
			last = min(last, cost);
	}
	tell("free_plain", plain);
	tell("free_stays", stays);
	tell("free_home", home);
	tell("free_last", last);
	give(kept);
}

/* What the kernel takes for a page, there and back. */
static u32 page_cost(void)
{
	u32 least = U32_MAX;
	int i;

	for (i = 0; i < TRIES; i++) {
		cycles_t start = get_cycles();
		struct page *page = alloc_page(GFP_NOWAIT);

		least = min_t(u32, least, get_cycles() - start);
		if (page)
			__free_page(page);
	}
	return least;
}

static int __init slowpath_init(void)
{
	objs = vmalloc(array_size(ROOM, sizeof(*objs)));
	if (!objs)
		return -ENOMEM;
	cache = kmag_cache_create("slowpath", SIZE, 0, 0, NULL);
	if (!cache)
		goto err_cache;

	exchange();
	tell("refill_8", refill(8));
	tell("refill_4", refill(4));
	tell("refill_2", refill(2));
	tell("refill_1", refill(1));
	tell("flush_15", flush(false));
	tell("flush_1", flush(true));
	tell("grow", grow());
	tell("page", page_cost());
	drain();

	kmag_cache_destroy(cache);
	vfree(objs);
	return 0;

err_cache:
	vfree(objs);
	return -ENOMEM;
}

static void __exit slowpath_exit(void)
{
}

module_init(slowpath_init);
module_exit(slowpath_exit);

MODULE_DESCRIPTION("kmag: what slow paths cost");
MODULE_LICENSE("GPL");
