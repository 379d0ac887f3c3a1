// SPDX-License-Identifier: GPL-2.0
/*
 * Patterns: what a player does next.
 *
 * A step is a few calls, in an interrupt of a few objects, and never waits, so
 * that it may be taken there as well as in a thread. All that a pattern needs to
 * go on is in the player.
 */
#include <linux/array_size.h>
#include <linux/math.h>
#include <linux/minmax.h>
#include <linux/sched/signal.h>

#include "backend.h"
#include "contents.h"
#include "workload.h"

/* Phases of a pattern that has some. */
enum kmag_phase {
	KMAG_PHASE_FILL = 0,
	KMAG_PHASE_DRAIN,
	KMAG_PHASE_REPLACE,
};

/* A number below @n. */
static u32 kmag_pick(struct kmag_player *p, u32 n)
{
	return (u64)prandom_u32_state(&p->rnd) * n >> 32;
}

static u32 kmag_pick_cache(struct kmag_player *p)
{
	return p->load->nr_caches > 1 ? kmag_pick(p, p->load->nr_caches) : 0;
}

/* Take an object into @held. */
static void kmag_hold(struct kmag_player *p, struct kmag_held *held, u32 cache,
		      void *obj)
{
	const struct kmag_workload *load = p->load;

	held->obj = obj;
	held->cache = cache;
	held->tag = KMAG_TAG_NONE;
	held->n = p->n;
	p->n += load->nr_players;
	p->got.allocs++;
	if (load->check)
		held->tag = kmag_contents_fill(load->caches[cache], obj,
					       held->n,
					       load->gfp & __GFP_ZERO);
}

/* Look at an object that is about to be freed. */
static void kmag_release(struct kmag_player *p, const struct kmag_held *held)
{
	const struct kmag_dev_cache *cache = p->load->caches[held->cache];

	if (!p->unread &&
	    !kmag_contents_check(cache, held->obj, held->n, held->tag))
		p->got.corrupt++;
	kmag_contents_restore(cache, held->obj, held->tag);
}

/* Try an allocation, if any are left to try. */
static bool kmag_alloc_into(struct kmag_player *p, struct kmag_held *held)
{
	struct kmag_dev_cache *cache;
	u32 index;
	void *obj;

	if (!p->tries)
		return false;
	p->tries--;
	index = kmag_pick_cache(p);
	cache = p->load->caches[index];
	obj = cache->ops->alloc(cache, p->load->gfp, NUMA_NO_NODE);
	if (!obj) {
		p->got.failed++;
		return false;
	}
	kmag_hold(p, held, index, obj);
	return true;
}

static void kmag_free_held(struct kmag_player *p, const struct kmag_held *held)
{
	struct kmag_dev_cache *cache = p->load->caches[held->cache];

	kmag_release(p, held);
	cache->ops->free(cache, held->obj);
	p->got.frees++;
}

static bool kmag_alloc_last(struct kmag_player *p)
{
	if (!kmag_alloc_into(p, &p->held[p->nr]))
		return false;
	p->nr++;
	return true;
}

static void kmag_free_any(struct kmag_player *p)
{
	struct kmag_held *held = &p->held[kmag_pick(p, p->nr)];

	kmag_free_held(p, held);
	*held = p->held[--p->nr];
}

/*
 * One more into the live set; false once it is full, or no more can be had:
 * what cannot be filled is emptied, so that it can go on.
 */
static bool kmag_fill(struct kmag_player *p)
{
	/* Full already: a live set of one that was replaced. */
	return p->nr < p->room && kmag_alloc_last(p) && p->nr < p->room;
}

static bool kmag_step_pair(struct kmag_player *p)
{
	if (kmag_alloc_into(p, p->held))
		kmag_free_held(p, p->held);
	return true;
}

static bool kmag_step_two(struct kmag_player *p)
{
	bool first = kmag_alloc_into(p, &p->held[0]);
	bool second = kmag_alloc_into(p, &p->held[1]);

	if (first)
		kmag_free_held(p, &p->held[0]);
	if (second)
		kmag_free_held(p, &p->held[1]);
	return true;
}

static bool kmag_step_lifo(struct kmag_player *p)
{
	if (p->phase == KMAG_PHASE_FILL) {
		if (!kmag_fill(p) && p->nr)
			p->phase = KMAG_PHASE_DRAIN;
		return true;
	}
	kmag_free_held(p, &p->held[--p->nr]);
	if (!p->nr)
		p->phase = KMAG_PHASE_FILL;
	return true;
}

static bool kmag_step_fifo(struct kmag_player *p)
{
	if (p->phase == KMAG_PHASE_FILL) {
		if (!kmag_fill(p) && p->nr)
			p->phase = KMAG_PHASE_DRAIN;
		return true;
	}
	kmag_free_held(p, &p->held[p->head++]);
	if (p->head == p->nr) {
		p->head = 0;
		p->nr = 0;
		p->phase = KMAG_PHASE_FILL;
	}
	return true;
}

static bool kmag_step_random(struct kmag_player *p)
{
	bool heads = kmag_pick(p, 2);

	if (!p->nr || (heads && p->nr < p->room))
		kmag_alloc_last(p);
	else
		kmag_free_any(p);
	return true;
}

static bool kmag_step_churn(struct kmag_player *p)
{
	if (p->nr == p->room)
		kmag_free_any(p);
	kmag_alloc_last(p);
	return true;
}

static bool kmag_step_spike(struct kmag_player *p)
{
	switch (p->phase) {
	case KMAG_PHASE_FILL:
		if (!kmag_fill(p))
			p->phase = KMAG_PHASE_DRAIN;
		break;
	case KMAG_PHASE_DRAIN:
		if (p->nr > p->room / 10) {
			kmag_free_any(p);
			break;
		}
		p->todo = p->room;
		p->phase = KMAG_PHASE_REPLACE;
		break;
	case KMAG_PHASE_REPLACE:
		if (p->nr)
			kmag_free_any(p);
		kmag_alloc_last(p);
		if (!--p->todo)
			p->phase = KMAG_PHASE_FILL;
		break;
	}
	return true;
}

/* Some more into the live set; false as kmag_fill(). */
static bool kmag_fill_bulk(struct kmag_player *p)
{
	u32 nr = min3(kmag_pick(p, p->load->bulk) + 1, p->room - p->nr,
		      (u32)min_t(u64, p->tries, KMAG_RUN_BULK));
	struct kmag_dev_cache *cache;
	void *objs[KMAG_RUN_BULK];
	u32 i, index;

	if (!nr)
		return false;
	index = kmag_pick_cache(p);
	cache = p->load->caches[index];
	p->tries -= nr;
	if (!cache->ops->alloc_bulk(cache, p->load->gfp, nr, objs)) {
		p->got.failed += nr;
		return false;
	}
	for (i = 0; i < nr; i++)
		kmag_hold(p, &p->held[p->nr++], index, objs[i]);
	return p->nr < p->room;
}

/* A bulk call of the last few, as far back as they are of one cache. */
static void kmag_drain_bulk(struct kmag_player *p)
{
	u32 most = kmag_pick(p, p->load->bulk) + 1, nr = 0;
	u32 index = p->held[p->nr - 1].cache;
	struct kmag_dev_cache *cache = p->load->caches[index];
	void *objs[KMAG_RUN_BULK];

	while (p->nr && nr < most && p->held[p->nr - 1].cache == index) {
		const struct kmag_held *held = &p->held[--p->nr];

		kmag_release(p, held);
		objs[nr++] = held->obj;
	}
	cache->ops->free_bulk(cache, nr, objs);
	p->got.frees += nr;
}

static bool kmag_step_burst(struct kmag_player *p)
{
	if (p->phase == KMAG_PHASE_FILL) {
		if (!kmag_fill_bulk(p) && p->nr)
			p->phase = KMAG_PHASE_DRAIN;
		return true;
	}
	kmag_drain_bulk(p);
	if (!p->nr)
		p->phase = KMAG_PHASE_FILL;
	return true;
}

/* The array of @owner's ring that has this number. */
static struct kmag_held *kmag_array(struct kmag_player *owner,
				    unsigned long number)
{
	u32 bulk = owner->load->bulk;

	return &owner->held[number % (owner->room / bulk) * bulk];
}

static void kmag_array_fill(struct kmag_player *p)
{
	struct kmag_held *array = kmag_array(p, p->filled);
	u32 i;

	for (i = 0; i < p->load->bulk; i++)
		if (!kmag_alloc_into(p, &array[i]))
			array[i].obj = NULL;
	/* Pairs with kmag_step_cross() of the next player. */
	smp_store_release(&p->filled, p->filled + 1);
}

/* Free the oldest array of @owner, for whom @p does it. */
static void kmag_array_free(struct kmag_player *p, struct kmag_player *owner)
{
	const struct kmag_held *array = kmag_array(owner, owner->taken);
	u32 i;

	for (i = 0; i < p->load->bulk; i++)
		if (array[i].obj)
			kmag_free_held(p, &array[i]);
	/* Pairs with kmag_step_cross() of the owner. */
	smp_store_release(&owner->taken, owner->taken + 1);
}

/*
 * A ring has one who fills it and one who takes from it: the next player, or
 * its owner, once the next player is over.
 */
static bool kmag_step_cross(struct kmag_player *p)
{
	struct kmag_player *prev = p->prev;

	/* Pairs with kmag_array_fill(). */
	if (smp_load_acquire(&prev->filled) != prev->taken) {
		kmag_array_free(p, prev);
		return true;
	}
	/* Pairs with kmag_array_free(). */
	if (p->filled - smp_load_acquire(&p->taken) < p->room / p->load->bulk) {
		kmag_array_fill(p);
		return true;
	}
	/* Pairs with kmag_pace_end(). */
	if (smp_load_acquire(&p->next->over)) {
		/* It may have emptied the ring since that was found full. */
		if (p->filled != p->taken)
			kmag_array_free(p, p);
		return true;
	}
	return false;
}

static bool (*const kmag_steps[])(struct kmag_player *p) = {
	[KMAG_RUN_PAIR] = kmag_step_pair,
	[KMAG_RUN_TWO] = kmag_step_two,
	[KMAG_RUN_LIFO] = kmag_step_lifo,
	[KMAG_RUN_FIFO] = kmag_step_fifo,
	[KMAG_RUN_RANDOM] = kmag_step_random,
	[KMAG_RUN_BURST] = kmag_step_burst,
	[KMAG_RUN_CHURN] = kmag_step_churn,
	[KMAG_RUN_CROSS] = kmag_step_cross,
	[KMAG_RUN_SPIKE] = kmag_step_spike,
};

static_assert(ARRAY_SIZE(kmag_steps) == KMAG_RUN_NR_PATTERNS);

/**
 * kmag_pattern_room - entries that a live set needs
 * @pattern: enum kmag_run_pattern
 * @live: objects, as asked for
 *
 * Return: their number.
 */
u32 kmag_pattern_room(u32 pattern, u32 live)
{
	switch (pattern) {
	case KMAG_RUN_PAIR:
		return 1;
	case KMAG_RUN_TWO:
		return 2;
	case KMAG_RUN_CROSS:
		return roundup(live, KMAG_RUN_BULK);
	default:
		return live;
	}
}

/**
 * kmag_pattern_step - do what comes next
 * @p: who does it
 *
 * Context: Any that the workload's gfp is good for; never sleeps by itself.
 * Return: false if there was nothing to do.
 */
bool kmag_pattern_step(struct kmag_player *p)
{
	return kmag_steps[p->load->pattern](p);
}

/**
 * kmag_pattern_drop - free what a player holds at the end
 * @p: the player; it is over, as all others are
 *
 * Who is about to be killed does not wait until all of it was looked at.
 *
 * Context: Process context, may sleep.
 */
void kmag_pattern_drop(struct kmag_player *p)
{
	u64 frees = p->got.frees;

	while (p->head < p->nr) {
		p->unread = fatal_signal_pending(current);
		kmag_free_held(p, &p->held[--p->nr]);
		cond_resched();
	}
	while (p->taken != p->filled) {
		p->unread = fatal_signal_pending(current);
		kmag_array_free(p, p);
		cond_resched();
	}
	p->got.left = p->got.frees - frees;
	p->got.frees = frees;
}
