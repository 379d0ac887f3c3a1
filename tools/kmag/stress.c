// SPDX-License-Identifier: GPL-2.0
/*
 * kmag stress: many workloads at random, with contents checked.
 *
 * Each is a line of the log, and the line is the command that does it again:
 * what came of it stands behind as a comment.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "load.h"
#include "pick.h"
#include "result.h"
#include "spec.h"
#include "stop.h"
#include "util.h"

#define DEFAULT_S	10

struct options {
	struct result_options result;
	bool backends[2];
	uint64_t seed;
	uint64_t count;
	uint64_t duration_us;
	bool keep_going;
};

struct stress {
	const struct options *o;
	struct kmag_ioc_info info;
	uint64_t workloads;
	uint64_t skipped;
	uint64_t allocs;
	uint64_t failed;
	json_t *faults;
	char *why;		/* it goes on no more, or NULL */
};

static void tell(const struct options *o, const char *fmt, ...) __printf(2, 3);
static void tell(const struct options *o, const char *fmt, ...)
{
	va_list ap;

	if (o->result.json)
		return;
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	/* Should the kernel not survive it, the log must have it. */
	fflush(stdout);
}

/* A line of the log that has no end yet. It stays whole, if something is said. */
static bool line_open;

static void end_line(void)
{
	if (line_open)
		puts(" # broken off");
	line_open = false;
	fflush(stdout);
}

/* Has a CPU that it names gone offline since it was picked? */
static bool lacks_cpu(const struct spec *s)
{
	uint64_t online[SPEC_CPU_WORDS];
	unsigned int i;

	spec_online(online);
	for (i = 0; i < SPEC_CPU_WORDS; i++)
		if (s->cpus[i] & ~online[i])
			return true;
	return false;
}

/*
 * One workload on a backend. CPUs may go, and come back, at any time: the kernel has
 * one word for that, and for nothing else that is picked.
 */
static int try_load(const struct options *o, struct load *load, const struct spec *s,
		    enum kmag_backend backend)
{
	int ret = load_run(load, s, backend, !o->result.json), tries;

	for (tries = 0; ret && tries < 3; tries++) {
		if (load->err != EINVAL || !s->cpus_len || lacks_cpu(s))
			break;
		load_free(load);
		ret = load_run(load, s, backend, !o->result.json);
	}
	return ret;
}

/* One workload on all backends; exit code, if there is no going on. */
static int one(struct stress *st, uint64_t seed)
{
	uint64_t start = now_ns(), allocs = 0, failed = 0;
	char *command, *verdict = NULL;
	int ret = KMAG_EXIT_OK;
	bool gone = false;
	struct load load;
	struct spec s;
	unsigned int k;

	pick_spec(&s, seed, &st->info);
	memcpy(s.backends, st->o->backends, sizeof(s.backends));
	command = spec_command(&s);
	tell(st->o, "%s", command);
	line_open = !st->o->result.json;
	for (k = 0; k < 2 && !verdict && !ret; k++) {
		if (!s.backends[k])
			continue;
		ret = try_load(st->o, &load, &s, k);
		allocs += load.run.total.allocs;
		failed += load.run.total.failed;
		if (load.told)
			verdict = load_verdict(&load);
		gone = ret && load.err == EINVAL && lacks_cpu(&s);
		if (ret && !gone) {
			st->why = load.why;
			load.why = NULL;
		}
		load_free(&load);
	}
	line_open = false;
	if (gone) {
		tell(st->o, " # skipped: a CPU of it went offline\n");
		st->skipped++;
		ret = KMAG_EXIT_OK;
		goto out;
	}
	st->allocs += allocs;
	st->failed += failed;
	if (ret && !verdict) {
		if (st->why)
			tell(st->o, " # %s\n", st->why);
		goto out;
	}
	st->workloads++;
	tell(st->o, " # %llu: %s, %s, %.2f s\n", (unsigned long long)st->workloads,
	     verdict ? verdict : "good", counted(allocs, "allocation", "allocations"),
	     (now_ns() - start) / 1e9);
	if (verdict)
		json_array_append_new(st->faults, json_pack("{s:s, s:s}", "command", command,
							    "wrong", verdict));
out:
	free(verdict);
	free(command);
	return ret;
}

/* Another one? The first is done, short as the time may be. */
static bool goes_on(const struct stress *st, uint64_t start)
{
	const struct options *o = st->o;
	uint64_t nr = st->workloads + st->skipped;

	if (stop_signal || (!o->keep_going && json_array_size(st->faults)))
		return false;
	return !nr || ((!o->count || nr < o->count) &&
		       (!o->duration_us || now_ns() - start < o->duration_us * 1000));
}

static int stress(struct stress *st)
{
	const struct options *o = st->o;
	int ret = KMAG_EXIT_OK, told, fd = dev_open(&st->info);
	uint64_t start = now_ns(), seeds = o->seed;
	size_t faults;
	json_t *json;

	if (fd < 0)
		return KMAG_EXIT_MISSING;
	close(fd);
	before_say = end_line;
	stop_catch();
	while (!ret && goes_on(st, start))
		ret = one(st, pick_chance(&seeds));
	if (stop_signal && !ret) {
		st->why = xprintf("a signal ended it");
		ret = KMAG_EXIT_FAILED;
	} else if (!st->workloads && !ret) {
		st->why = xprintf("all workloads were skipped: CPUs of theirs went offline");
		ret = KMAG_EXIT_FAILED;
	}
	faults = json_array_size(st->faults);
	if (st->skipped)
		tell(o, "# %s more skipped\n", commas(st->skipped));
	tell(o, "# seed %llu: %s, %s, %s failed, %.1f s, %s\n", (unsigned long long)o->seed,
	     counted(st->workloads, "workload", "workloads"),
	     counted(st->allocs, "allocation", "allocations"), commas(st->failed),
	     (now_ns() - start) / 1e9, counted(faults, "fault", "faults"));
	json = json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:f, s:O}",
			 "schema", "kmag.stress/1", "seed", (json_int_t)o->seed,
			 "workloads", (json_int_t)st->workloads,
			 "skipped", (json_int_t)st->skipped,
			 "allocations", (json_int_t)st->allocs,
			 "failed", (json_int_t)st->failed,
			 "seconds", (now_ns() - start) / 1e9,
			 "faults", st->faults);
	if (st->why)
		json_object_set_new(json, "stopped", json_string(st->why));
	told = result_tell(&o->result, json);
	if (told)
		return told;
	if (!faults) {
		if (st->why)
			say("%s", st->why);
		return ret;
	}
	say("%zu of %s went wrong", faults, counted(st->workloads, "workload", "workloads"));
	return KMAG_EXIT_FAILED;
}

enum {
	KEY_SEED = 256,
};

static const struct argp_option options[] = {
	{ "backend", 'b', "NAME", 0, "kmag, slub or both (kmag)", 0 },
	{ "seed", KEY_SEED, "N", 0, "Where all chances begin (another one each time)", 0 },
	{ "count", 'n', "N", 0, "Workloads", 0 },
	{ "duration", 'd', "TIME", 0, "Begin no other after this (10s, if there is no count)", 0 },
	{ "keep-going", 'k', NULL, 0, "Go on after a fault", 0 },
	{}
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &o->result;
		return 0;
	case 'b':
		option_backends(state, arg, o->backends);
		return 0;
	case 'n':
		o->count = option_number(state, "count", arg, 1, LONG_MAX);
		return 0;
	case 'd':
		o->duration_us = option_time(state, "duration", arg, 1, 86400000000000);
		return 0;
	case 'k':
		o->keep_going = true;
		return 0;
	case KEY_SEED:
		o->seed = option_number(state, "seed", arg, 0, LONG_MAX);
		return 0;
	case ARGP_KEY_END:
		if (!o->count && !o->duration_us)
			o->duration_us = DEFAULT_S * 1000000ULL;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int cmd_stress(int argc, char **argv)
{
	static const struct argp argp = {
		options, parse, NULL,
		"Run workloads at random, one after the other, and check what objects contain.\vEach is a line of the log that does it again, as a command. After each, slabs and magazines are validated and the bytes must add up. Stops at the first fault.",
		result_argp, NULL, NULL };
	struct options o = { .backends = { true, false }, .seed = time(NULL) };
	struct stress st = { .o = &o, .faults = json_array() };
	int ret;

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	ret = stress(&st);
	free(st.why);
	json_decref(st.faults);
	return ret;
}
