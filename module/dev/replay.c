// SPDX-License-Identifier: GPL-2.0
/*
 * Replay: one pinned worker for each CPU does its part of a batch.
 *
 * Workers meet only in slots: the one that allocates stores the object, then
 * the state, with release; the one that frees loads the state with acquire and
 * waits until it is there. A slot is used once in a call, so nothing else can
 * come in between.
 */
#include <linux/atomic.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/topology.h>
#include <linux/wait.h>

#include "backend.h"
#include "contents.h"
#include "plan.h"

/* Steps between two chances for others to run. */
#define KMAG_REPLAY_PIECE	64
/* Looks at a slot before a worker that waits for it goes to sleep. */
#define KMAG_REPLAY_SPINS	2000
#define KMAG_REPLAY_NAP_US	20

/**
 * struct kmag_run - a replay
 * @slots: the file's
 * @check: fill and check contents
 * @stop: end early; written by the caller, read by workers
 * @open: the start gate
 * @gate: where workers wait for it
 * @ready: workers that have not come to the gate yet
 * @busy: workers that have not ended
 * @all_ready: none is left of the former
 * @all_done: none is left of the latter
 */
struct kmag_run {
	struct kmag_slot *slots;
	bool check;
	bool stop;
	bool open;
	wait_queue_head_t gate;
	atomic_t ready;
	atomic_t busy;
	struct completion all_ready;
	struct completion all_done;
};

/**
 * struct kmag_worker - one of its workers, and its results
 * @run: the replay
 * @lane: what to do
 * @task: the thread
 * @end: when it ended
 * @allocs: these and the following as in struct kmag_ioc_replay
 * @frees: so
 * @failed: so
 * @skipped: so
 * @corrupt: so
 * @waits: so
 */
struct kmag_worker {
	struct kmag_run *run;
	const struct kmag_lane *lane;
	struct task_struct *task;
	u64 end;
	u64 allocs;
	u64 frees;
	u64 failed;
	u64 skipped;
	u64 corrupt;
	u64 waits;
} ____cacheline_aligned_in_smp;

/* Put an object, or NULL, into the slot where its free will look for it. */
static void kmag_replay_put(struct kmag_worker *w, const struct kmag_step *step,
			    void *obj)
{
	struct kmag_slot *slot = &w->run->slots[step->slot];
	unsigned int tag = KMAG_TAG_NONE;

	if (!obj) {
		w->failed++;
		/* Pairs with kmag_replay_wait(), as below. */
		smp_store_release(&slot->state, KMAG_SLOT_FAILED);
		return;
	}
	if (w->run->check) {
		tag = kmag_contents_fill(step->cache, obj, step->slot,
					 step->gfp & __GFP_ZERO);
	}
	slot->obj = obj;
	slot->tag = tag;
	w->allocs++;
	/* Pairs with kmag_replay_wait(): whoever sees the state sees the rest. */
	smp_store_release(&slot->state, KMAG_SLOT_LIVE);
}

static void kmag_replay_alloc(struct kmag_worker *w,
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
static bool kmag_replay_wait(struct kmag_worker *w,
			     const struct kmag_slot *slot)
{
	unsigned int spins = 0;

	/* Pairs with kmag_replay_put(). */
	if (likely(smp_load_acquire(&slot->state) != KMAG_SLOT_EMPTY))
		return true;

	w->waits++;
	/* Pairs with kmag_replay_put(). */
	while (smp_load_acquire(&slot->state) == KMAG_SLOT_EMPTY) {
		if (READ_ONCE(w->run->stop))
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
static void *kmag_replay_take(struct kmag_worker *w,
			      const struct kmag_step *step)
{
	struct kmag_slot *slot = &w->run->slots[step->slot];
	void *obj = NULL;

	if (slot->state == KMAG_SLOT_LIVE) {
		obj = slot->obj;
		if (w->run->check &&
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

static bool kmag_replay_free(struct kmag_worker *w,
			     const struct kmag_step *step)
{
	const struct kmag_backend_ops *ops = step->cache->ops;
	void *objs[KMAG_REPLAY_MAX_BULK];
	unsigned int i, nr = 0;

	/* All of them first: a run that is stopped leaves its slots alone. */
	for (i = 0; i < step->run; i++)
		if (!kmag_replay_wait(w, &w->run->slots[step[i].slot]))
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

static void kmag_worker_steps(struct kmag_worker *w)
{
	const struct kmag_step *step = w->lane->steps;
	const struct kmag_step *end = step + w->lane->nr_steps;
	unsigned int nr = 0;

	for (; step < end; step += step->run) {
		/* Checked at each step: steps may be slow, under pressure. */
		if (READ_ONCE(w->run->stop))
			return;
		if (step->op == KMAG_REPLAY_ALLOC)
			kmag_replay_alloc(w, step);
		else if (!kmag_replay_free(w, step))
			return;
		/* Filling and checking may take long, objects being large. */
		if (w->run->check || ++nr % KMAG_REPLAY_PIECE == 0)
			cond_resched();
	}
}

static int kmag_worker_fn(void *data)
{
	struct kmag_worker *w = data;
	struct kmag_run *run = w->run;

	if (atomic_dec_and_test(&run->ready))
		complete(&run->all_ready);
	wait_event(run->gate, READ_ONCE(run->open));

	kmag_worker_steps(w);

	w->end = ktime_get_ns();
	if (atomic_dec_and_test(&run->busy))
		complete(&run->all_done);

	/* kthread_stop() wants to find us, and the module must outlive us. */
	set_current_state(TASK_IDLE);
	while (!kthread_should_stop()) {
		schedule();
		set_current_state(TASK_IDLE);
	}
	__set_current_state(TASK_RUNNING);
	return 0;
}

static int kmag_workers_make(struct kmag_run *run, const struct kmag_plan *plan,
			     struct kmag_worker *workers, unsigned int *nr)
{
	unsigned int i;

	for (i = 0; i < plan->nr_lanes; i++) {
		const struct kmag_lane *lane = &plan->lanes[i];
		struct kmag_worker *w = &workers[*nr];

		if (!lane->nr_steps)
			continue;
		w->run = run;
		w->lane = lane;
		w->task = kthread_create_on_node(kmag_worker_fn, w,
						 cpu_to_node(lane->cpu),
						 "kmag_replay/%u", lane->cpu);
		if (IS_ERR(w->task))
			return PTR_ERR(w->task);
		kthread_bind(w->task, lane->cpu);
		(*nr)++;
	}
	return 0;
}

static int kmag_workers_run(struct kmag_run *run, struct kmag_worker *workers,
			    unsigned int nr, u64 *start)
{
	unsigned int i;
	int ret;

	atomic_set(&run->ready, nr);
	atomic_set(&run->busy, nr);
	for (i = 0; i < nr; i++)
		wake_up_process(workers[i].task);
	wait_for_completion(&run->all_ready);

	*start = ktime_get_ns();
	WRITE_ONCE(run->open, true);
	wake_up_all(&run->gate);

	ret = wait_for_completion_interruptible(&run->all_done);
	if (ret) {
		WRITE_ONCE(run->stop, true);
		wait_for_completion(&run->all_done);
		ret = -EINTR;
	}
	return ret;
}

static int kmag_replay_run(struct kmag_file *file, const struct kmag_plan *plan,
			   struct kmag_ioc_replay *req)
{
	struct kmag_run run = {
		.slots = file->slots,
		.check = req->flags & KMAG_REPLAY_CHECK,
	};
	struct kmag_worker *workers;
	unsigned int i, nr = 0;
	u64 start = 0;
	int ret;

	init_waitqueue_head(&run.gate);
	init_completion(&run.all_ready);
	init_completion(&run.all_done);
	workers = kvcalloc(plan->nr_lanes, sizeof(*workers),
			   GFP_KERNEL_ACCOUNT);
	if (!workers)
		return -ENOMEM;

	ret = kmag_workers_make(&run, plan, workers, &nr);
	if (!ret)
		ret = kmag_workers_run(&run, workers, nr, &start);

	/* Those that never ran are stopped just the same. */
	for (i = 0; i < nr; i++) {
		const struct kmag_worker *w = &workers[i];

		kthread_stop(w->task);
		req->allocs += w->allocs;
		req->frees += w->frees;
		req->failed += w->failed;
		req->skipped += w->skipped;
		req->corrupt += w->corrupt;
		req->waits += w->waits;
		if (start)
			req->ns = max(req->ns, w->end - start);
	}
	file->nr_live += req->allocs - req->frees;
	file->nr_failed += req->failed - req->skipped;
	kvfree(workers);
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

	memset_startat(req, 0, allocs);
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
