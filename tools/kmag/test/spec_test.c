// SPDX-License-Identifier: GPL-2.0
/*
 * A line of the log of kmag stress does that workload again: any workload that
 * is picked, told as a command and parsed is the same. Prints TAP; exits 1 when
 * a test fails.
 */
#include <stdlib.h>
#include <string.h>

#include "../pick.h"
#include "../util.h"
#include "tap.h"

#define NR_SPECS	20000
#define MAX_WORDS	128

struct kinds {
	unsigned int patterns[KMAG_RUN_NR_PATTERNS];
	unsigned int modes[KMAG_RUN_NR_MODES];
	unsigned int mixed, zeroed, constructed, stuttered, aligned;
};

static error_t parse_none(int key, char *arg, struct argp_state *state)
{
	if (key == ARGP_KEY_INIT)
		state->child_inputs[0] = state->input;
	return key == ARGP_KEY_INIT ? 0 : ARGP_ERR_UNKNOWN;
}

/* As cmd_run() would; a word that is not understood ends the program. */
static void parse_command(char *command, struct spec *s)
{
	static const struct argp argp = { NULL, parse_none, NULL, NULL, spec_argp };
	char *words[MAX_WORDS], *word, *rest = NULL;
	int nr = 0;

	for (word = strtok_r(command, " ", &rest); word && nr < MAX_WORDS - 1;
	     word = strtok_r(NULL, " ", &rest))
		words[nr++] = word;
	words[nr] = NULL;
	memset(s, 0, sizeof(*s));
	/* Without the word "kmag": the next one is the command's name. */
	argp_parse(&argp, nr - 1, words + 1, 0, NULL, s);
}

static bool same_again(const struct spec *s, char **why)
{
	char *command = spec_command(s), *again;
	struct spec parsed;
	bool same;

	again = xprintf("%s", command);
	parse_command(again, &parsed);
	same = !memcmp(s, &parsed, sizeof(*s));
	if (!same) {
		free(*why);
		*why = xprintf("%s", command);
	}
	free(again);
	free(command);
	return same;
}

static void count_kinds(struct kinds *k, const struct spec *s)
{
	k->patterns[s->pattern]++;
	k->modes[s->mode]++;
	k->mixed += s->nr_sizes > 1;
	k->zeroed += !!(s->gfp & KMAG_GFP_ZERO);
	k->constructed += !!(s->cache_flags & KMAG_CF_CTOR);
	k->stuttered += !!s->off_us;
	k->aligned += !!s->align;
}

static bool all_kinds(const struct kinds *k)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(k->patterns); i++)
		if (!k->patterns[i])
			return false;
	for (i = 0; i < ARRAY_SIZE(k->modes); i++)
		if (!k->modes[i])
			return false;
	return k->mixed && k->zeroed && k->constructed && k->stuttered && k->aligned;
}

/* No more than tools.rst says; and all that is done is not the filling of a live set. */
static bool bounded(const struct spec *s, const struct kmag_ioc_info *info, char **why)
{
	uint64_t held = spec_room(s) * spec_share(s) * s->threads;

	if (held <= 64 << 20 && held <= info->max_run_bytes / 4 && s->count >= 2 * spec_room(s))
		return true;
	free(*why);
	*why = spec_command(s);
	return false;
}

static void test_machine(const char *name, unsigned int cpus, uint64_t max_bytes)
{
	const struct kmag_ioc_info info = {
		.nr_cpus = cpus, .max_objects = 4 << 20, .max_object_size = 262144,
		.max_run_bytes = max_bytes, .max_run_threads = 1024, .max_run_ms = 3600000 };
	bool same = true, taken = true, within = true;
	char *why = NULL, *beyond = NULL, *refused, *title;
	struct kinds kinds = {};
	uint64_t seeds = cpus;
	struct spec s;
	unsigned int i;

	for (i = 0; i < NR_SPECS; i++) {
		pick_spec(&s, pick_chance(&seeds), &info);
		s.backends[i % 2] = true;
		s.backends[1] |= i % 3 == 0;
		count_kinds(&kinds, &s);
		same &= same_again(&s, &why);
		within &= bounded(&s, &info, &beyond);
		refused = spec_refused(&s, &info);
		if (refused) {
			taken = false;
			free(why);
			why = refused;
		}
	}
	title = xprintf("what is picked for %s is the same again", name);
	result(same, title, same ? NULL : why);
	free(title);
	title = xprintf("%s can do it", name);
	result(taken, title, taken ? NULL : why);
	free(title);
	title = xprintf("what %s may hold is filled, and more than once", name);
	result(within, title, beyond);
	free(title);
	title = xprintf("for %s there is some of all kinds", name);
	result(all_kinds(&kinds), title, NULL);
	free(title);
	free(beyond);
	free(why);
}

/* Shares as the kernel has them: kmag_run_share() */
static bool shares(void)
{
	static const struct {
		struct spec s;
		uint64_t share;
	} cases[] = {
		{ { .sizes = { 1 }, .nr_sizes = 1 }, 8 },
		{ { .sizes = { 1 }, .nr_sizes = 1, .cache_flags = KMAG_CF_HWALIGN }, 64 },
		{ { .sizes = { 64, 100 }, .nr_sizes = 2 }, 104 },
		{ { .sizes = { 100 }, .nr_sizes = 1, .align = 64 }, 128 },
		{ { .sizes = { 1025 }, .nr_sizes = 1 }, 2048 },
		{ { .sizes = { 1 }, .nr_sizes = 1, .align = 4096 }, 4096 },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		if (spec_share(&cases[i].s) != cases[i].share)
			return false;
	return true;
}

static bool same_seed(void)
{
	const struct kmag_ioc_info info = {
		.nr_cpus = 4, .max_object_size = 262144, .max_run_bytes = 1ULL << 30,
		.max_run_threads = 1024 };
	struct spec one, two;
	uint64_t seed;

	for (seed = 0; seed < 100; seed++) {
		pick_spec(&one, seed, &info);
		pick_spec(&two, seed, &info);
		if (memcmp(&one, &two, sizeof(one)))
			return false;
		pick_spec(&two, seed + 1, &info);
		if (!memcmp(&one, &two, sizeof(one)))
			return false;
	}
	return true;
}

int main(void)
{
	plan(10);
	result(same_seed(), "a seed is one workload", NULL);
	result(shares(), "what an object needs of its pages", NULL);
	test_machine("a machine", 4, 1ULL << 33);
	test_machine("a small machine", 1, 32ULL << 20);
	return finished();
}
