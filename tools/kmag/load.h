/* SPDX-License-Identifier: GPL-2.0 */
/* A workload done on one allocator, and what came of it. */
#ifndef KMAG_LOAD_H
#define KMAG_LOAD_H

#include <jansson.h>
#include <kmag.h>
#include <stdbool.h>
#include <stdint.h>

#include "dev.h"
#include "spec.h"

struct load {
	enum kmag_backend backend;
	const char *name;
	struct kmag_ioc_run run;
	int err;				/* of the run, if it was refused */
	char *why;				/* that, as one sentence */
	bool told;				/* the rest is: to the end, or up to a signal */
	struct kmag_run_thread *threads;	/* ->run.nr_results */
	bool inspected;				/* kmag only; the rest is of that */
	struct account account;			/* of all its caches, at the end */
	struct tiers tiers;
	uint64_t live;				/* objects that were not freed: none */
	uint64_t validate_errors;
};

/**
 * load_run - do a workload, and look at what it left
 * @l: filled in; to be freed with load_free() in any case
 * @s: the workload, its backends aside
 * @backend: where
 * @quiet: do not show how far it is
 *
 * Return: exit code. If it is not 0, there is a sentence in ->why, or it has been
 * said where it is not about the workload.
 */
int load_run(struct load *l, const struct spec *s, enum kmag_backend backend, bool quiet);
void load_free(struct load *l);

/* What is wrong with it, as one sentence to be freed, or NULL. */
char *load_verdict(const struct load *l);

/* By the time that was spent in the allocator: a thread's, and that of all. */
double thread_ns_per_op(const struct kmag_run_thread *t);
double load_ns_per_op(const struct load *l);

json_t *load_json(const struct load *l);

#endif /* KMAG_LOAD_H */
