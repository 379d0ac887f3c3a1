// SPDX-License-Identifier: GPL-2.0
/*
 * Replay: one pinned worker for each CPU does its part of a batch.
 *
 * Workers meet only in slots: the one that allocates stores the object, then
 * the state, with release; the one that frees loads the state with acquire and
 * waits until it is there. A slot is used once in a call, so nothing else can
 * come in between.
 */
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "backend.h"
#include "contents.h"
#include "plan.h"
#include "workers.h"

/* Steps between two chances for others to run. */
#define KMAG_REPLAY_PIECE	64
/* Looks at a slot before a worker that waits for it goes to sleep. */
#define KMAG_REPLAY_SPINS	2000
#define KMAG_REPLAY_NAP_US	20

/**
 * struct kmag_replayer - a worker of a replay, and its results
 * @workers: that it is one of
 * @slots: the file's
 * @lane: what to do
 * @check: fill and check contents
 * @allocs: these and the following as in struct kmag_ioc_replay
 * @frees: so
 * @failed: so
 * @skipped: so
 * @corrupt: so
 * @waits: so
 */
struct kmag_replayer {
	const struct kmag_workers *workers;
	struct kmag_slot *slots;
	const struct kmag_lane *lane;
	bool check;
	u64 allocs;
	u64 frees;
	u64 failed;
	u64 skipped;
	u64 corrupt;
	u64 waits;
} ____cacheline_aligned_in_smp;

/* Put an object, or NULL, into the slot where its free will look for it. */
static void kmag_replay_put(struct kmag_replayer *w, const struct kmag_step *step,
			    void *obj)
{
	struct kmag_slot *slot = &w->slots[step->slot];
	unsigned int tag = KMAG_TAG_NONE;

	if (!obj) {
		w->failed++;
		/* Pairs with kmag_replay_wait(), as below. */
		smp_store_release(&slot->state, KMAG_SLOT_FAILED);
		return;
	}
	if (w->check) {
		tag = kmag_contents_fill(step->cache, obj, step->slot,
					 step->gfp & __GFP_ZERO);
	}
	slot->obj = obj;
	slot->tag = tag;
	w->allocs++;
	/* Pairs with kmag_replay_wait(): whoever sees the state sees the rest. */
	smp_store_release(&slot->state, KMAG_SLOT_LIVE);
}

static void kmag_replay_alloc(struct kmag_replayer *w,
			      const struct kmag_step *step)
{
	const struct kmag_backend_ops *ops = step->cache->ops;
	void *objs[KMAG_REPLAY_MAX_BULK];
	unsigned int i;
	bool ok;

	if (step->run == 1) {
		kmag_replay_put(w, step, ops->alloc(step->cache, step->gfp,
						    NUMA_NO_NODE));
		return;
	}
	ok = ops->alloc_bulk(step->cache, step->gfp, step->run, objs);
	for (i = 0; i < step->run; i++)
		kmag_replay_put(w, step + i, ok ? objs[i] : NULL);
}

/* Wait until the slot's allocation has happened; false if told to stop. */
static bool kmag_replay_wait(struct kmag_replayer *w,
			     const struct kmag_slot *slot)
{
	unsigned int spins = 0;

	/* Pairs with kmag_replay_put(). */
	if (likely(smp_load_acquire(&slot->state) != KMAG_SLOT_EMPTY))
		return true;

	w->waits++;
	/* Pairs with kmag_replay_put(). */
	while (smp_load_acquire(&slot->state) == KMAG_SLOT_EMPTY) {
		if (kmag_workers_stopped(w->workers))
			return false;
		if (++spins < KMAG_REPLAY_SPINS) {
			cpu_relax();
			cond_resched();
		} else {
			usleep_range(KMAG_REPLAY_NAP_US,
				     2 * KMAG_REPLAY_NAP_US);
		}
	}
	return true;
}

/* What the slot holds, ready to be freed; NULL if its allocation failed. */
static void *kmag_replay_take(struct kmag_replayer *w,
			      const struct kmag_step *step)
{
	struct kmag_slot *slot = &w->slots[step->slot];
	void *obj = NULL;

	if (slot->state == KMAG_SLOT_LIVE) {
		obj = slot->obj;
		if (w->check &&
		    !kmag_contents_check(step->cache, obj, step->slot,
					 slot->tag))
			w->corrupt++;
		kmag_contents_restore(step->cache, obj, slot->tag);
		w->frees++;
	} else {
		w->skipped++;
	}
	slot->obj = NULL;
	slot->tag = KMAG_TAG_NONE;
	/* Nobody looks at it again before the next call. */
	slot->state = KMAG_SLOT_EMPTY;
	return obj;
}

static bool kmag_replay_free(struct kmag_replayer *w,
			     const struct kmag_step *step)
{
	const struct kmag_backend_ops *ops = step->cache->ops;
	void *objs[KMAG_REPLAY_MAX_BULK];
	unsigned int i, nr = 0;

	/* All of them first: a run that is stopped leaves its slots alone. */
	for (i = 0; i < step->run; i++)
		if (!kmag_replay_wait(w, &w->slots[step[i].slot]))
			return false;
	for (i = 0; i < step->run; i++) {
		objs[nr] = kmag_replay_take(w, step + i);
		if (objs[nr])
			nr++;
	}
	if (step->run == 1 && nr)
		ops->free(step->cache, objs[0]);
	else if (nr)
		ops->free_bulk(step->cache, nr, objs);
	return true;
}

static void kmag_replay_work(struct kmag_workers *workers, void *data)
{
	struct kmag_replayer *w = data;
	const struct kmag_step *step = w->lane->steps;
	const struct kmag_step *end = step + w->lane->nr_steps;
	unsigned int nr = 0;

	for (; step < end; step += step->run) {
		/* Checked at each step: steps may be slow, under pressure. */
		if (kmag_workers_stopped(workers))
			return;
		if (step->op == KMAG_REPLAY_ALLOC)
			kmag_replay_alloc(w, step);
		else if (!kmag_replay_free(w, step))
			return;
		/* Filling and checking may take long, objects being large. */
		if (w->check || ++nr % KMAG_REPLAY_PIECE == 0)
			cond_resched();
	}
}

static int kmag_replay_run(struct kmag_file *file, const struct kmag_plan *plan,
			   struct kmag_ioc_replay *req)
{
	struct kmag_replayer *replayers;
	struct kmag_workers *workers;
	unsigned int i;
	int ret = 0;

	replayers = kvcalloc(plan->nr_lanes, sizeof(*replayers),
			     GFP_KERNEL_ACCOUNT);
	if (!replayers)
		return -ENOMEM;
	workers = kmag_workers_new(plan->nr_lanes, kmag_replay_work);
	if (!workers) {
		ret = -ENOMEM;
		goto out;
	}
	for (i = 0; i < plan->nr_lanes && !ret; i++) {
		struct kmag_replayer *w = &replayers[i];

		w->workers = workers;
		w->slots = file->slots;
		w->lane = &plan->lanes[i];
		w->check = req->flags & KMAG_REPLAY_CHECK;
		if (w->lane->nr_steps)
			ret = kmag_workers_add(workers, "kmag_replay",
					       w->lane->cpu, w);
	}
	if (!ret)
		ret = kmag_workers_run(workers);
	kmag_workers_end(workers);
	for (i = 0; i < workers->nr; i++)
		req->ns = max(req->ns, kmag_worker_ns(workers, i));

	for (i = 0; i < plan->nr_lanes; i++) {
		const struct kmag_replayer *w = &replayers[i];

		req->allocs += w->allocs;
		req->frees += w->frees;
		req->failed += w->failed;
		req->skipped += w->skipped;
		req->corrupt += w->corrupt;
		req->waits += w->waits;
	}
	file->nr_live += req->allocs - req->frees;
	file->nr_failed += req->failed - req->skipped;
	kmag_workers_free(workers);
out:
	kvfree(replayers);
	return ret;
}

/**
 * kmag_replay - KMAG_IOC_REPLAY
 * @file: that holds the caches and the slots
 * @arg: struct kmag_ioc_replay
 *
 * Return: 0 or an error; -EINTR if a signal came, and then the results tell
 * what was done, and slots what is live.
 */
int kmag_replay(struct kmag_file *file, void *arg)
{
	struct kmag_ioc_replay *req = arg;
	struct kmag_plan *plan;
	int ret;

	if (req->count > KMAG_DEV_MAX_REPLAY ||
	    req->nr_slots > KMAG_DEV_MAX_OBJECTS)
		return -E2BIG;
	ret = kmag_slots_grow(file, req->nr_slots);
	if (ret)
		goto out;
	if (req->flags & KMAG_REPLAY_RESET)
		kmag_slots_drop(file, NULL);
	if (!req->count)
		goto out;

	plan = kmag_plan_make(file, req);
	if (IS_ERR(plan)) {
		ret = PTR_ERR(plan);
		goto out;
	}
	ret = kmag_replay_run(file, plan, req);
	kmag_plan_free(plan);
out:
	req->live = file->nr_live;
	return ret;
}
