/* SPDX-License-Identifier: GPL-2.0 */
/* Turns tracing events into trace records, and keeps the table of caches. */
#ifndef KMAG_FOLLOW_H
#define KMAG_FOLLOW_H

#include "map.h"
#include "probe.h"
#include "trace.h"

struct pending;

struct follow {
	struct trace_writer *writer;
	const struct kbtf *kbtf;
	struct map by_address;		/* of struct kmem_cache, to its number */
	struct map by_name;		/* by a hash of it */
	struct trace_cache *caches;
	uint64_t *ops;			/* by cache */
	unsigned int nr_caches;
	struct pending *pending;	/* allocations that have begun */
	uint64_t records;
	uint64_t bulk_lost;
	uint64_t unpaired;
	int error;			/* errno of a failed write */
};

void follow_init(struct follow *f, struct trace_writer *w, const struct kbtf *k);
void follow_event(struct follow *f, unsigned int cpu, uint64_t time,
		  const struct probe_event *ev);

/* Caches with records, and those among them that nothing described */
unsigned int follow_used(const struct follow *f, unsigned int *unknown);
void follow_free(struct follow *f);

#endif /* KMAG_FOLLOW_H */
