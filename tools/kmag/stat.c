// SPDX-License-Identifier: GPL-2.0
/* kmag stat: what each kmag cache holds, and where its operations were served. */
#include <string.h>

#include "latency.h"
#include "snapfile.h"
#include "util.h"
#include "view.h"

struct stat_view {
	struct view view;
	bool per_cpu;
	bool latency;
	const char *set_latency;	/* on, off or NULL */
	bool failed;
	struct account account;
	struct tiers tiers;
};

static void print_head(void)
{
	printf("%-24s %5s %6s %6s %10s %8s %8s %10s %9s %12s %6s\n", "NAME", "ID", "SIZE",
	       "STRIDE", "LIVE", "CPU", "DEPOT", "SLAB-FREE", "HELD", "OPERATIONS", "MAG%");
}

static uint64_t sum4(const __u64 *v)
{
	return v[0] + v[1] + v[2] + v[3];
}

static void print_row(const struct kmag_snap_cache *c)
{
	const __u64 *allocs = &c->stats[KMAG_ALLOC_MAG], *frees = &c->stats[KMAG_FREE_MAG];
	uint64_t ops = sum4(allocs) + sum4(frees);

	printf("%-24s %5u %6u %6u %10llu %8llu %8llu %10llu %9s %12s %6.2f\n",
	       c->name, c->id, c->object_size, c->stride,
	       (unsigned long long)c->live, (unsigned long long)c->cpu_objs,
	       (unsigned long long)c->depot_objs, (unsigned long long)c->slab_free,
	       bytes(c->slab_bytes), commas(ops),
	       ops ? 100.0 * (allocs[0] + frees[0]) / ops : 0);
}

static void print_cpus(const struct snap_cache *s)
{
	unsigned int i;

	for (i = 0; i < s->c.nr_cpus; i++) {
		const struct kmag_snap_cpu *cpu = &s->cpus[i];

		printf("  cpu %-3u %-8s loaded %u/%u previous %u/%u%s allocs %s frees %s\n",
		       cpu->cpu, cpu->online ? "online" : "offline", cpu->loaded,
		       cpu->loaded_cap, cpu->previous, cpu->previous_cap,
		       cpu->closed ? " closed" : "", commas(cpu->allocs), commas(cpu->frees));
	}
}

static void add_row(struct view *v, const struct snap_cache *s)
{
	struct stat_view *sv = container_of(v, struct stat_view, view);

	account_add(&sv->account, &s->c);
	tiers_add(&sv->tiers, &s->c);
	print_row(&s->c);
	if (sv->per_cpu)
		print_cpus(s);
	if (sv->latency)
		latency_print(s);
	if (sv->set_latency && latency_switch(&s->c, !strcmp(sv->set_latency, "on")))
		sv->failed = true;
}

static void print_total(const struct view *v)
{
	const struct stat_view *sv = container_of(v, struct stat_view, view);
	const struct account *a = &sv->account;
	const struct tiers *t = &sv->tiers;
	unsigned int i;

	printf("%s%u caches: %s of slab pages = %s in use + %s alignment", v->shown ? "\n" : "",
	       v->shown, bytes(a->slabs), bytes(a->live), bytes(a->align));
	printf(" + %s in CPU magazines + %s in depot + %s in partial slabs", bytes(a->cpu),
	       bytes(a->depot), bytes(a->partial));
	printf(" + %s in empty slabs + %s in transit + %s tails\n", bytes(a->empty),
	       bytes(a->transit), bytes(a->tail));
	printf("beside them %s of magazines and %s of metadata; the sum is off by %lld bytes\n",
	       bytes(a->mags), bytes(a->meta), (long long)a->skew);
	printf("served by");
	for (i = 0; i < 4; i++)
		printf("  %s %s + %s", tier_names[i], commas(t->alloc[i]), commas(t->free[i]));
	printf("  (allocations + frees)\n");
}

static json_t *json_cache(const struct snap_cache *s)
{
	json_t *json = json_pack("{s:o}", "name", json_text(s->c.name)), *cpus = json_array();
	unsigned int i;

	snapfile_put_words(json, &s->c);
	json_object_set_new(json, "stats", snapfile_stats(&s->c));
	for (i = 0; i < s->c.nr_cpus; i++) {
		const struct kmag_snap_cpu *c = &s->cpus[i];

		json_array_append_new(cpus,
				      json_pack("{s:i, s:b, s:i, s:i, s:i, s:i, s:b, s:I, s:I}",
						"cpu", c->cpu, "online", c->online,
						"loaded", c->loaded, "loaded_cap", c->loaded_cap,
						"previous", c->previous,
						"previous_cap", c->previous_cap,
						"closed", c->closed,
						"allocs", (json_int_t)c->allocs,
						"frees", (json_int_t)c->frees));
	}
	json_object_set_new(json, "cpus", cpus);
	json_object_set_new(json, "latency", latency_json(s));
	return json;
}

static const struct view_ops stat_ops = {
	.schema = "kmag.stat/1",
	.head = print_head,
	.row = add_row,
	.json = json_cache,
	.total = print_total,
};

static const struct argp_option options[] = {
	{ "cpus", 'c', NULL, 0, "Show the magazines of each CPU", 0 },
	{ "latency", 'l', "on|off", OPTION_ARG_OPTIONAL,
	  "Show how long operations took; or switch that on, from nothing, or off", 0 },
	{}
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct stat_view *sv = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &sv->view;
		return 0;
	case 'c':
		sv->per_cpu = true;
		return 0;
	case 'l':
		if (arg && strcmp(arg, "on") && strcmp(arg, "off"))
			argp_error(state, "--latency takes on or off, not '%s'", arg);
		sv->latency = !arg;
		sv->set_latency = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int cmd_stat(int argc, char **argv)
{
	static const struct argp argp = {
		options, parse, "[CACHE...]",
		"Show what each kmag cache holds, and where its operations were served.\vCACHE is a name, or name-id as in debugfs; shell patterns are taken.\n"
		"MAG% is the share of operations that a magazine of their CPU served.",
		view_argp, NULL, NULL };
	struct stat_view sv = { .view.ops = &stat_ops };
	int ret;

	argp_parse(&argp, argc, argv, 0, NULL, &sv);
	if (sv.set_latency && sv.view.result.json) {
		say("--latency=%s prints no JSON", sv.set_latency);
		return KMAG_EXIT_USAGE;
	}
	ret = view_show(&sv.view);
	return ret ?: sv.failed ? KMAG_EXIT_FAILED : 0;
}
