/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A batch of records, checked and sorted into one list per worker.
 */
#ifndef _KMAG_DEV_PLAN_H
#define _KMAG_DEV_PLAN_H

#include "dev.h"

/**
 * struct kmag_step - one record, as a worker reads it
 * @cache: whose object
 * @slot: where it is kept
 * @run: records of the bulk call that starts here; 1: no bulk call
 * @op: enum kmag_replay_op
 * @gfp: for an allocation
 */
struct kmag_step {
	struct kmag_dev_cache *cache;
	u32 slot : 24;
	u32 run : 7;
	u32 op : 1;
	gfp_t gfp;
};

static_assert(KMAG_DEV_MAX_OBJECTS <= 1U << 24);
static_assert(KMAG_REPLAY_MAX_BULK < 1U << 7);

/**
 * struct kmag_lane - what one worker does
 * @cpu: where it runs
 * @nr_steps: how many
 * @steps: in order
 */
struct kmag_lane {
	unsigned int cpu;
	u32 nr_steps;
	struct kmag_step *steps;
};

/**
 * struct kmag_plan - what all workers do
 * @nr_lanes: one for each CPU that was online when the plan was made; lanes
 *	may be empty
 * @steps: of all lanes, one after the other
 * @lanes: one for each worker
 */
struct kmag_plan {
	unsigned int nr_lanes;
	struct kmag_step *steps;
	struct kmag_lane lanes[];
};

struct kmag_plan *kmag_plan_make(struct kmag_file *file,
				 const struct kmag_ioc_replay *req);
void kmag_plan_free(struct kmag_plan *plan);

#endif /* _KMAG_DEV_PLAN_H */
