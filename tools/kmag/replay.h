/* SPDX-License-Identifier: GPL-2.0 */
/* A replay and what came of it: made by replay.c, told by replay_report.c. */
#ifndef KMAG_REPLAY_H
#define KMAG_REPLAY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "plan.h"
#include "util.h"

#define NR_SIDES	2

/* What one cache, or all of them, held at one time */
struct held {
	uint64_t slabs;
	uint64_t slabs_needed;
	uint64_t bytes;
	uint64_t bytes_needed;
	uint64_t live;
};

/* A replay's caches on one allocator */
struct side {
	enum kmag_backend backend;
	const char *name;
	int fd;
	struct kmag_ioc_create *caches;	/* by cache of the trace; id 0: none */
	struct kmag_ioc_replay sum;	/* of all batches */
	struct held *samples;		/* after each batch */
	struct held peak;		/* the sample with the most bytes */
	struct held end, shrunk;
	struct held *end_by_cache, *shrunk_by_cache;
	uint64_t wrong_live;		/* samples that disagree with the plan */
	/* kmag only */
	struct account account_end, account_shrunk;
	struct tiers tiers;
	uint64_t validate_errors;
};

struct replay {
	const char *file;
	bool check;
	struct trace *trace;
	struct plan *plan;
	struct kmag_ioc_info info;
	uint64_t *ops;			/* in the recording, by cache */
	bool *usable;
	unsigned int nr_used, nr_usable;
	struct side sides[NR_SIDES];
	unsigned int nr_sides;
};

/* Operations of the recording that were not replayed */
uint64_t replay_unused(const struct replay *r);

/* Of all that happened: what was lost, not recorded, or could not be used */
double replay_unused_percent(const struct replay *r);

/* What is wrong with it, as one sentence to be freed, or NULL. */
char *replay_verdict(const struct replay *r);

void replay_print(const struct replay *r);
json_t *replay_json(const struct replay *r);

#endif /* KMAG_REPLAY_H */
