// SPDX-License-Identifier: GPL-2.0
/*
 * A batch of records, checked and sorted into one list per worker.
 *
 * Every record is checked before the first one is done: a bad batch changes
 * nothing. Of two records for one slot the allocation must come first in the
 * batch. So the first record of those not done yet never waits for a later
 * one, and since a worker does its own in that order, workers cannot wait for
 * each other in a circle.
 *
 * Recorded CPUs that share an online one share its worker, and the order of
 * the batch is kept between them.
 */
#include <linux/bits.h>
#include <linux/cpu.h>
#include <linux/cpumask.h>
#include <linux/err.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "plan.h"

/* ->plan of a slot: what records seen so far do to it */
#define KMAG_PLAN_ALLOC		BIT(0)
#define KMAG_PLAN_FREE		BIT(1)

/* Records between two chances for others to run. */
#define KMAG_PLAN_PIECE		1024

static unsigned int kmag_rec_op(const struct kmag_replay_rec *rec)
{
	return rec->op & ~KMAG_REPLAY_MORE;
}

/* Values in range, and those of its cache. */
static int kmag_rec_check(struct kmag_file *file,
			  const struct kmag_replay_rec *rec, u32 nr_slots)
{
	struct kmag_dev_cache *cache;
	gfp_t gfp;

	if (rec->reserved || rec->reserved2)
		return -EINVAL;
	if (kmag_rec_op(rec) != KMAG_REPLAY_ALLOC &&
	    kmag_rec_op(rec) != KMAG_REPLAY_FREE)
		return -EOPNOTSUPP;
	if (rec->slot >= nr_slots || rec->cpu >= KMAG_REPLAY_MAX_CPUS)
		return -EINVAL;
	cache = kmag_file_cache(file, rec->cache);
	if (!cache)
		return -ENOENT;
	if (cache->ctor_len && rec->gfp & KMAG_GFP_ZERO)
		return -EINVAL;
	return kmag_dev_gfp(rec->gfp, &gfp);
}

/* A run of one bulk call: does @next go on where @rec says MORE? */
static bool kmag_rec_same(const struct kmag_replay_rec *rec,
			  const struct kmag_replay_rec *next)
{
	return kmag_rec_op(rec) == kmag_rec_op(next) &&
	       rec->cache == next->cache && rec->cpu == next->cpu &&
	       rec->gfp == next->gfp;
}

/* Is the slot as the record needs it, given what came before? Note it. */
static bool kmag_rec_slot(struct kmag_slot *slot,
			  const struct kmag_replay_rec *rec)
{
	if (kmag_rec_op(rec) == KMAG_REPLAY_ALLOC) {
		if (slot->state != KMAG_SLOT_EMPTY || slot->plan)
			return false;
		slot->plan = KMAG_PLAN_ALLOC;
		slot->cache = rec->cache;
		return true;
	}
	if (slot->plan & KMAG_PLAN_FREE)
		return false;
	if (slot->state == KMAG_SLOT_EMPTY && !(slot->plan & KMAG_PLAN_ALLOC))
		return false;
	if (slot->cache != rec->cache)
		return false;
	slot->plan |= KMAG_PLAN_FREE;
	return true;
}

static int kmag_plan_check(struct kmag_file *file,
			   const struct kmag_replay_rec *recs, u32 count,
			   u32 nr_slots)
{
	u32 i, noted = 0, run = 1;
	int ret = 0;

	for (i = 0; i < count; i++) {
		const struct kmag_replay_rec *rec = &recs[i];

		ret = kmag_rec_check(file, rec, nr_slots);
		if (ret)
			break;
		ret = -EINVAL;
		if (rec->op & KMAG_REPLAY_MORE) {
			if (++run > KMAG_REPLAY_MAX_BULK)
				break;
			if (i + 1 == count || !kmag_rec_same(rec, rec + 1))
				break;
		} else {
			run = 1;
		}
		if (!kmag_rec_slot(&file->slots[rec->slot], rec))
			break;
		noted++;
		ret = 0;
		if (i % KMAG_PLAN_PIECE == 0) {
			cond_resched();
			if (signal_pending(current)) {
				ret = -EINTR;
				break;
			}
		}
	}

	for (i = 0; i < noted; i++) {
		file->slots[recs[i].slot].plan = 0;
		if (i % KMAG_PLAN_PIECE == 0)
			cond_resched();
	}
	return ret;
}

/* Count, then place: each lane's steps are one piece, in order. */
static void kmag_plan_sort(struct kmag_file *file, struct kmag_plan *plan,
			   const struct kmag_replay_rec *recs, u32 count)
{
	struct kmag_step *steps = plan->steps, *first = NULL;
	struct kmag_lane *lane;
	u32 i;

	for (i = 0; i < count; i++)
		plan->lanes[recs[i].cpu % plan->nr_lanes].nr_steps++;
	for (i = 0; i < plan->nr_lanes; i++) {
		lane = &plan->lanes[i];
		lane->steps = steps;
		steps += lane->nr_steps;
		lane->nr_steps = 0;
	}

	for (i = 0; i < count; i++) {
		const struct kmag_replay_rec *rec = &recs[i];
		struct kmag_step *step;
		gfp_t gfp;

		lane = &plan->lanes[rec->cpu % plan->nr_lanes];
		step = &lane->steps[lane->nr_steps++];
		/* It was checked. */
		kmag_dev_gfp(rec->gfp, &gfp);
		step->cache = kmag_file_cache(file, rec->cache);
		step->slot = rec->slot;
		step->op = kmag_rec_op(rec);
		step->gfp = gfp;
		/* Runs are unbroken in the batch, so they are in the lane. */
		if (!first)
			first = step;
		if (!(rec->op & KMAG_REPLAY_MORE)) {
			first->run = step - first + 1;
			first = NULL;
		}
		if (i % KMAG_PLAN_PIECE == 0)
			cond_resched();
	}
}

static struct kmag_plan *kmag_plan_new(u32 count)
{
	struct kmag_plan *plan;
	unsigned int cpu, nr;

	cpus_read_lock();
	nr = num_online_cpus();
	plan = kvzalloc(struct_size(plan, lanes, nr), GFP_KERNEL_ACCOUNT);
	if (plan)
		for_each_online_cpu(cpu)
			plan->lanes[plan->nr_lanes++].cpu = cpu;
	cpus_read_unlock();
	if (!plan)
		return NULL;

	plan->steps = kvcalloc(count, sizeof(*plan->steps), GFP_KERNEL_ACCOUNT);
	if (!plan->steps) {
		kvfree(plan);
		return NULL;
	}
	return plan;
}

/**
 * kmag_plan_make - check a batch of records, and sort it
 * @file: that holds the caches and the slots, of which there are enough
 * @req: the batch; not empty
 *
 * Return: the plan, to be freed with kmag_plan_free(), or an ERR_PTR().
 */
struct kmag_plan *kmag_plan_make(struct kmag_file *file,
				 const struct kmag_ioc_replay *req)
{
	struct kmag_replay_rec *recs;
	struct kmag_plan *plan;
	int ret;

	recs = kvmalloc_array(req->count, sizeof(*recs), GFP_KERNEL_ACCOUNT);
	if (!recs)
		return ERR_PTR(-ENOMEM);
	if (copy_from_user(recs, u64_to_user_ptr(req->recs),
			   req->count * sizeof(*recs))) {
		ret = -EFAULT;
		goto err_recs;
	}
	ret = kmag_plan_check(file, recs, req->count, req->nr_slots);
	if (ret)
		goto err_recs;

	plan = kmag_plan_new(req->count);
	if (!plan) {
		ret = -ENOMEM;
		goto err_recs;
	}
	kmag_plan_sort(file, plan, recs, req->count);
	kvfree(recs);
	return plan;

err_recs:
	kvfree(recs);
	return ERR_PTR(ret);
}

/**
 * kmag_plan_free - free a plan
 * @plan: from kmag_plan_make()
 */
void kmag_plan_free(struct kmag_plan *plan)
{
	kvfree(plan->steps);
	kvfree(plan);
}
