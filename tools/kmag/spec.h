/* SPDX-License-Identifier: GPL-2.0 */
/* A workload as it is asked for: options, and the command that asks again. */
#ifndef KMAG_SPEC_H
#define KMAG_SPEC_H

#include <argp.h>
#include <jansson.h>
#include <kmag.h>
#include <stdbool.h>
#include <stdint.h>

#define SPEC_CPU_WORDS	(KMAG_REPLAY_MAX_CPUS / 64)

/* Fields are those of struct kmag_ioc_run and struct kmag_ioc_create. */
struct spec {
	bool backends[2];		/* by enum kmag_backend */
	uint32_t pattern;
	uint32_t mode;
	uint32_t gfp;
	uint32_t sizes[KMAG_RUN_MAX_CACHES];
	uint32_t nr_sizes;
	uint32_t align;
	uint32_t cache_flags;
	uint32_t threads;
	uint64_t cpus[SPEC_CPU_WORDS];
	uint32_t cpus_len;		/* bytes; 0: all */
	uint64_t seed;
	uint64_t count;
	uint32_t duration_ms;
	uint32_t live;
	uint32_t on_us;
	uint32_t off_us;
	uint32_t period_us;
	uint32_t steps;
	bool check;
};

/* A parser with all of it, its input a struct spec of zeroes */
extern const struct argp_child spec_argp[];

/* Names: pattern, mode. */
const char *spec_pattern(const struct spec *s);
const char *spec_mode(const struct spec *s);

/* CPUs that are online. */
void spec_online(uint64_t words[SPEC_CPU_WORDS]);

/* Bytes of the largest object. */
uint64_t spec_largest(const struct spec *s);

/* What an object needs of the pages it lies on, at most; as the kernel counts. */
uint64_t spec_share(const struct spec *s);

/* How many objects a thread may hold; likewise. */
uint64_t spec_room(const struct spec *s);

/* What cannot be had of this device, as one sentence to be freed, or NULL. */
char *spec_refused(const struct spec *s, const struct kmag_ioc_info *info);

/* The command that does the same again, to be freed. */
char *spec_command(const struct spec *s);

json_t *spec_json(const struct spec *s);

#endif /* KMAG_SPEC_H */
