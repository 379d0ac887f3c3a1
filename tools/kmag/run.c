// SPDX-License-Identifier: GPL-2.0
/* kmag run: one workload, on kmag and on the kernel's own slab. */
#include <stdlib.h>
#include <string.h>

#include "load.h"
#include "result.h"
#include "spec.h"
#include "stop.h"
#include "util.h"

#define NR_LOADS	2

struct options {
	struct spec spec;
	struct result_options result;
};

struct run {
	const struct spec *spec;
	struct load loads[NR_LOADS];
	unsigned int nr;	/* that tell something */
	const char *why;	/* there is no more, or NULL */
};

static double time_ratio(const struct run *r)
{
	double slub = r->nr == NR_LOADS ? load_ns_per_op(&r->loads[1]) : 0;

	return slub ? load_ns_per_op(&r->loads[0]) / slub : 0;
}

static void print_head(const struct run *r)
{
	const struct spec *s = r->spec;
	unsigned int i;

	printf("%s, %u thread%s%s%s, objects of ", spec_pattern(s), r->loads[0].run.nr_results,
	       r->loads[0].run.nr_results == 1 ? "" : "s",
	       s->mode == KMAG_RUN_THREAD ? "" : " in ",
	       s->mode == KMAG_RUN_THREAD ? "" : spec_mode(s));
	for (i = 0; i < s->nr_sizes; i++)
		printf("%s%u", i ? ", " : "", s->sizes[i]);
	printf(" bytes, live set %u, seed %llu, contents %s\n\n", s->live,
	       (unsigned long long)s->seed, s->check ? "checked" : "not checked");
}

#define ROW(text, expr)							\
	do {								\
		printf("%-24s", text);					\
		for (k = 0; k < r->nr; k++) {				\
			const struct load *l = &r->loads[k];		\
			const struct kmag_run_thread *t = &l->run.total; \
									\
			(void)t;					\
			printf(" %15s", expr);				\
		}							\
		putchar('\n');						\
	} while (0)

static const char *number(double value)
{
	static char bufs[4][32];
	static unsigned int next;
	char *buf = bufs[next++ % 4];

	snprintf(buf, sizeof(bufs[0]), "%.1f", value);
	return buf;
}

static void print_totals(const struct run *r)
{
	unsigned int k;

	ROW("", l->name);
	ROW("allocations", commas(t->allocs));
	ROW("frees", commas(t->frees));
	ROW("live at the end", commas(t->left));
	ROW("failed", commas(t->failed));
	ROW("contents changed", r->spec->check ? commas(t->corrupt) : "not checked");
	ROW("seconds", number(t->ns / 1e9));
	ROW("ns an operation, mean", number(load_ns_per_op(l)));
	ROW("ns an operation, least", number(t->min_ps / 1e3));
	if (time_ratio(r))
		printf("mean, kmag / slub        %15.3f\n", time_ratio(r));
}

/* Where CPUs came or went in between, one side had more threads than the other. */
static void print_threads(const struct run *r)
{
	const struct load *most = &r->loads[0];
	unsigned int i, k;

	printf("\n%-24s", "thread on CPU");
	for (k = 0; k < r->nr; k++) {
		printf(" %15s    mean   least", r->loads[k].name);
		if (r->loads[k].run.nr_results > most->run.nr_results)
			most = &r->loads[k];
	}
	putchar('\n');
	for (i = 0; i < most->run.nr_results; i++) {
		printf("%6u %6u           ", i, most->threads[i].cpu);
		for (k = 0; k < r->nr; k++) {
			const struct kmag_run_thread *t = &r->loads[k].threads[i];

			if (i >= r->loads[k].run.nr_results)
				printf(" %15s %7s %7s", "-", "-", "-");
			else
				printf(" %15s %7.1f %7.1f", commas(t->allocs),
				       thread_ns_per_op(t), t->min_ps / 1e3);
		}
		putchar('\n');
	}
}

static void print_kmag(const struct load *l)
{
	uint64_t allocs = 0, frees = 0;
	unsigned int i;

	for (i = 0; i < 4; i++) {
		allocs += l->tiers.alloc[i];
		frees += l->tiers.free[i];
	}
	printf("\nkmag served by      ");
	for (i = 0; i < 4; i++)
		printf(" %20s", tier_names[i]);
	printf("\n  allocations       ");
	for (i = 0; i < 4; i++)
		printf(" %12s (%4.1f%%)", commas(l->tiers.alloc[i]),
		       allocs ? 100.0 * l->tiers.alloc[i] / allocs : 0);
	printf("\n  frees             ");
	for (i = 0; i < 4; i++)
		printf(" %12s (%4.1f%%)", commas(l->tiers.free[i]),
		       frees ? 100.0 * l->tiers.free[i] / frees : 0);
	printf("\n  bytes off by %lld, validated: %s\n", (long long)l->account.skew,
	       counted(l->validate_errors, "error", "errors"));
}

static json_t *run_json(const struct run *r)
{
	json_t *json, *backends = json_object();
	unsigned int k;

	for (k = 0; k < r->nr; k++)
		json_object_set_new(backends, r->loads[k].name, load_json(&r->loads[k]));
	json = json_pack("{s:s, s:o, s:o}", "schema", "kmag.run/1",
			 "workload", spec_json(r->spec), "backends", backends);
	if (time_ratio(r))
		json_object_set_new(json, "time_ratio", json_real(time_ratio(r)));
	if (r->why)
		json_object_set_new(json, "stopped", json_string(r->why));
	return json;
}

/* Return: exit code, after one sentence if it is not 0. */
static int tell(const struct run *r, const struct options *o)
{
	json_t *json = run_json(r);
	unsigned int k;
	int ret;

	if (!o->result.json) {
		print_head(r);
		print_totals(r);
		print_threads(r);
		if (r->loads[0].inspected)
			print_kmag(&r->loads[0]);
	}
	ret = result_tell(&o->result, json);
	for (k = 0; k < r->nr && !ret; k++) {
		char *verdict = load_verdict(&r->loads[k]);

		if (!verdict)
			continue;
		say("%s", verdict);
		free(verdict);
		ret = KMAG_EXIT_FAILED;
	}
	return ret;
}

static int run(struct run *r, const struct options *o)
{
	int ret = KMAG_EXIT_OK, told = KMAG_EXIT_OK;
	unsigned int k;

	stop_catch();
	for (k = 0; k < NR_LOADS && !ret; k++) {
		struct load *l = &r->loads[r->nr];

		if (!o->spec.backends[k])
			continue;
		ret = load_run(l, r->spec, k, false);
		r->why = l->why;
		r->nr += l->told;
	}
	/* One side is something, too. */
	if (r->nr)
		told = tell(r, o);
	if (told)
		return told;
	if (r->why)
		say("%s", r->why);
	return ret;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &o->spec;
		state->child_inputs[1] = &o->result;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int cmd_run(int argc, char **argv)
{
	const struct argp_child children[] = { spec_argp[0], result_argp[0], {} };
	const struct argp argp = {
		NULL, parse, NULL,
		"Run one workload in the kernel, on kmag and on its own slab allocator.\vPatterns: pair and two allocate one or two objects and free them; lifo, fifo and burst fill the live set and empty it; random does either by chance; churn replaces one of a full live set; cross hands arrays of 64 objects to the next thread, which frees them; spike fills the live set, frees 9 of 10 and then replaces one at a time.\n\n"
		"Fails when contents changed, objects are missing, or the bytes do not add up.",
		children, NULL, NULL };
	struct options o = {};
	struct run r = { .spec = &o.spec };
	unsigned int k;
	int ret;

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	ret = run(&r, &o);
	for (k = 0; k < NR_LOADS; k++)
		load_free(&r.loads[k]);
	return ret;
}
