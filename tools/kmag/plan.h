/* SPDX-License-Identifier: GPL-2.0 */
/* A recording made ready for the device: batches of records, and slots. */
#ifndef KMAG_PLAN_H
#define KMAG_PLAN_H

#include "dev.h"
#include "trace.h"

/* Part of the recording that cannot be done again, by reason */
struct plan_unused {
	uint64_t older;		/* frees of objects older than the recording */
	uint64_t missed_alloc;	/* frees of objects that had been freed before */
	uint64_t foreign;	/* frees, of no known cache, of what the recording has not seen */
	uint64_t no_cache;	/* of caches that cannot be made, or are unknown */
};

struct plan_batch {
	size_t first;
	size_t nr;
	uint64_t time;		/* recorded, of its end, from the beginning */
};

struct plan {
	struct kmag_replay_rec *recs;	/* ->cache is a number of the trace */
	size_t nr_recs;
	struct plan_batch *batches;
	unsigned int nr_batches;
	uint32_t *live;		/* objects after each batch, by cache */
	unsigned int nr_caches;	/* of the trace */
	uint32_t nr_slots;
	uint64_t allocs;
	uint64_t implied;	/* frees that were not seen, but must have been */
	struct plan_unused unused;
};

/**
 * plan_make - turn a recording into batches
 * @t: the recording
 * @usable: by cache of the trace: it can be made
 * @batches: how many are wished for
 * @info: the device's limits
 *
 * Return: the plan, or NULL after one sentence.
 */
struct plan *plan_make(const struct trace *t, const bool *usable,
		       unsigned int batches, const struct kmag_ioc_info *info);
void plan_free(struct plan *p);

static inline uint32_t plan_live(const struct plan *p, unsigned int batch, unsigned int cache)
{
	return p->live[(size_t)batch * p->nr_caches + cache];
}

#endif /* KMAG_PLAN_H */
