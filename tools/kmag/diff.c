// SPDX-License-Identifier: GPL-2.0
/* kmag diff: what became of each cache between two snapshots. */
#include <stdlib.h>
#include <string.h>

#include "result.h"
#include "snapfile.h"
#include "util.h"

enum state { IN_BOTH, IS_NEW, IS_GONE };

static const char * const state_names[] = { "", "new", "gone" };

/* Later less earlier */
struct change {
	const struct kmag_snap_cache *cache;
	enum state state;
	int64_t live, slabs, slabs_needed, bytes, bytes_needed;
	int64_t tiers[4];
	int64_t operations;
};

enum sort_key { BY_BYTES, BY_SLABS, BY_LIVE, BY_OPERATIONS };

static const char * const sort_names[] = { "bytes", "slabs", "live", "operations" };

struct diff {
	const char *paths[2];
	unsigned int nr_paths;
	struct result_options result;
	enum sort_key sort;
	bool all;
	struct snapfile files[2];
	bool stats;		/* both tell of operations and objects */
	struct change *changes;
	unsigned int nr;
	struct change total;
	unsigned int by_state[3];
	unsigned int unchanged;
	unsigned int went_back;	/* caches with fewer operations than before */
};

/* Adds @c to @to, or takes it away. */
static void add(const struct diff *d, struct change *to, const struct kmag_snap_cache *c, int sign)
{
	struct tiers t = {};
	unsigned int i;

	to->slabs += sign * (int64_t)c->slabs;
	to->slabs_needed += sign * (int64_t)c->slabs_needed;
	to->bytes += sign * (int64_t)c->slab_bytes;
	to->bytes_needed += sign * (int64_t)c->needed_bytes;
	if (!d->stats)
		return;
	to->live += sign * (int64_t)c->live;
	tiers_add(&t, c);
	for (i = 0; i < 4; i++) {
		to->tiers[i] += sign * (int64_t)(t.alloc[i] + t.free[i]);
		to->operations += sign * (int64_t)(t.alloc[i] + t.free[i]);
	}
}

static bool is_unchanged(const struct change *c)
{
	unsigned int i;

	for (i = 0; i < 4; i++)
		if (c->tiers[i])
			return false;
	return c->state == IN_BOTH && !c->live && !c->slabs && !c->slabs_needed && !c->bytes &&
	       !c->bytes_needed;
}

static struct change *put(struct diff *d, const struct kmag_snap_cache *c, enum state state)
{
	struct change *to = &d->changes[d->nr++];

	*to = (struct change){ .cache = c, .state = state };
	add(d, to, c, state == IS_GONE ? -1 : 1);
	add(d, &d->total, c, state == IS_GONE ? -1 : 1);
	d->by_state[state]++;
	return to;
}

static void compare(struct diff *d)
{
	const struct snapshot *a = &d->files[0].snap, *b = &d->files[1].snap;
	const struct snap_cache *other;
	struct change *c;
	unsigned int i;

	d->changes = xalloc((a->nr + b->nr) * sizeof(*d->changes));
	for (i = 0; i < b->nr; i++) {
		other = snapshot_find(a, b->caches[i].c.id);
		/* The same number may be another cache's after a reload. */
		if (!other || strcmp(other->c.name, b->caches[i].c.name)) {
			put(d, &b->caches[i].c, IS_NEW);
			continue;
		}
		c = put(d, &b->caches[i].c, IN_BOTH);
		add(d, c, &other->c, -1);
		add(d, &d->total, &other->c, -1);
		d->went_back += c->operations < 0;
		d->unchanged += is_unchanged(c);
	}
	for (i = 0; i < a->nr; i++) {
		other = snapshot_find(b, a->caches[i].c.id);
		if (!other || strcmp(other->c.name, a->caches[i].c.name))
			put(d, &a->caches[i].c, IS_GONE);
	}
}

static uint64_t sort_value(const struct change *c, enum sort_key key)
{
	switch (key) {
	case BY_SLABS:
		return llabs(c->slabs);
	case BY_LIVE:
		return llabs(c->live);
	case BY_OPERATIONS:
		return llabs(c->operations);
	default:
		return llabs(c->bytes);
	}
}

static enum sort_key sort_by;

static int by_size_of_change(const void *a, const void *b)
{
	const enum sort_key keys[] = { sort_by, BY_BYTES, BY_OPERATIONS, BY_LIVE };
	const struct change *x = a, *y = b;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(keys); i++) {
		uint64_t p = sort_value(x, keys[i]), q = sort_value(y, keys[i]);

		if (p != q)
			return p < q ? 1 : -1;
	}
	return x->cache->id < y->cache->id ? -1 : x->cache->id > y->cache->id;
}

static const char *signed_commas(int64_t n)
{
	static char bufs[16][40];
	static unsigned int next;
	char *buf = bufs[next++ % ARRAY_SIZE(bufs)];

	snprintf(buf, sizeof(bufs[0]), "%s%s", n < 0 ? "-" : n ? "+" : "", commas(llabs(n)));
	return buf;
}

static const char *signed_bytes(int64_t n)
{
	static char bufs[4][40];
	static unsigned int next;
	char *buf = bufs[next++ % ARRAY_SIZE(bufs)];

	snprintf(buf, sizeof(bufs[0]), "%s%s", n < 0 ? "-" : n ? "+" : "", bytes(llabs(n)));
	return buf;
}

static void print_row(const struct diff *d, const char *name, const char *state,
		      const struct change *c)
{
	unsigned int i;

	printf("%-24s %-4s %9s %9s %11s %11s", name, state, signed_commas(c->slabs),
	       signed_commas(c->slabs_needed), signed_bytes(c->bytes),
	       signed_bytes(c->bytes_needed));
	if (d->stats) {
		printf(" %11s %13s", signed_commas(c->live), signed_commas(c->operations));
		for (i = 0; i < 4; i++)
			printf(" %13s", signed_commas(c->tiers[i]));
	}
	putchar('\n');
}

static double seconds(const struct diff *d)
{
	return ((int64_t)d->files[1].snap.time_ns - (int64_t)d->files[0].snap.time_ns) / 1e9;
}

static void print(const struct diff *d)
{
	unsigned int i, shown = 0;
	double s = seconds(d);

	printf("%s is %.3f s %s than %s\n", d->paths[1], s < 0 ? -s : s,
	       s < 0 ? "older (by the clocks of their boots)" : "later", d->paths[0]);
	for (i = 0; i < d->nr; i++) {
		const struct change *c = &d->changes[i];
		char name[KMAG_NAME_LEN + 16];

		if (!d->all && is_unchanged(c))
			continue;
		if (!shown++) {
			printf("\n%-24s %-4s %9s %9s %11s %11s", "NAME", "", "SLABS", "NEEDED",
			       "HELD", "NEEDED");
			if (d->stats)
				printf(" %11s %13s %13s %13s %13s %13s", "LIVE", "OPERATIONS",
				       "MAGAZINE", "DEPOT", "SLAB", "PAGE");
			putchar('\n');
		}
		snprintf(name, sizeof(name), "%s-%u", c->cache->name, c->cache->id);
		print_row(d, name, state_names[c->state], c);
	}
	if (shown)
		print_row(d, "total", "", &d->total);
	printf("%s%s in both, of which %u did not change; %u new, %u gone\n",
	       shown ? "\n" : "", counted(d->by_state[IN_BOTH], "cache", "caches"), d->unchanged,
	       d->by_state[IS_NEW], d->by_state[IS_GONE]);
	if (d->went_back)
		printf("%s fewer operations than before: of another boot or load\n",
		       counted(d->went_back, "cache counts", "caches count"));
	if (d->files[0].stats != d->files[1].stats)
		printf("%s has slabs alone, so operations are not compared\n",
		       d->paths[d->files[0].stats]);
}

static json_t *json_change(const struct diff *d, const struct change *c)
{
	json_t *json = json_object(), *tiers;
	unsigned int i;

	if (c->cache) {
		json_object_set_new(json, "name", json_text(c->cache->name));
		json_object_set_new(json, "id", json_integer(c->cache->id));
		json_object_set_new(json, "state", json_string(c->state == IN_BOTH ? "both" :
							       state_names[c->state]));
	}
	json_object_set_new(json, "slabs", json_integer(c->slabs));
	json_object_set_new(json, "slabs_needed", json_integer(c->slabs_needed));
	json_object_set_new(json, "bytes", json_integer(c->bytes));
	json_object_set_new(json, "bytes_needed", json_integer(c->bytes_needed));
	if (!d->stats)
		return json;
	tiers = json_object();
	for (i = 0; i < 4; i++)
		json_object_set_new(tiers, tier_names[i], json_integer(c->tiers[i]));
	json_object_set_new(json, "live", json_integer(c->live));
	json_object_set_new(json, "operations", json_integer(c->operations));
	json_object_set_new(json, "served", tiers);
	return json;
}

static json_t *to_json(const struct diff *d)
{
	json_t *json, *caches = json_array();
	unsigned int i;

	for (i = 0; i < d->nr; i++)
		if (d->all || !is_unchanged(&d->changes[i]))
			json_array_append_new(caches, json_change(d, &d->changes[i]));
	json = json_pack("{s:s, s:o, s:o, s:I, s:s, s:b}", "schema", "kmag.diff/1",
			 "from", json_text(d->paths[0]), "to", json_text(d->paths[1]),
			 "ns", (json_int_t)(d->files[1].snap.time_ns - d->files[0].snap.time_ns),
			 "sorted_by", sort_names[d->sort], "operations_compared", d->stats);
	json_object_set_new(json, "in_both", json_integer(d->by_state[IN_BOTH]));
	json_object_set_new(json, "unchanged", json_integer(d->unchanged));
	json_object_set_new(json, "new", json_integer(d->by_state[IS_NEW]));
	json_object_set_new(json, "gone", json_integer(d->by_state[IS_GONE]));
	json_object_set_new(json, "went_back", json_integer(d->went_back));
	json_object_set_new(json, "total", json_change(d, &d->total));
	json_object_set_new(json, "caches", caches);
	return json;
}

static int diff(struct diff *d)
{
	json_t *json;

	if (snapfile_load(d->paths[0], &d->files[0]))
		return KMAG_EXIT_FAILED;
	if (snapfile_load(d->paths[1], &d->files[1])) {
		snapfile_free(&d->files[0]);
		return KMAG_EXIT_FAILED;
	}
	d->stats = d->files[0].stats && d->files[1].stats;
	compare(d);
	sort_by = d->sort;
	qsort(d->changes, d->nr, sizeof(*d->changes), by_size_of_change);
	json = to_json(d);
	if (!d->result.json)
		print(d);
	free(d->changes);
	snapfile_free(&d->files[0]);
	snapfile_free(&d->files[1]);
	return result_tell(&d->result, json);
}

static const struct argp_option options[] = {
	{ "sort", 's', "KEY", 0,
	  "bytes, slabs, live or operations: what changed most comes first (bytes)", 0 },
	{ "all", 'a', NULL, 0, "Show caches that did not change, too", 0 },
	{}
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct diff *d = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &d->result;
		return 0;
	case 's':
		d->sort = option_word(state, "sort", arg, sort_names, ARRAY_SIZE(sort_names));
		return 0;
	case 'a':
		d->all = true;
		return 0;
	case ARGP_KEY_ARG:
		if (d->nr_paths == ARRAY_SIZE(d->paths))
			argp_error(state, "two snapshots at a time");
		d->paths[d->nr_paths++] = arg;
		return 0;
	case ARGP_KEY_END:
		if (d->nr_paths < ARRAY_SIZE(d->paths))
			argp_error(state, "two snapshots are needed");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int cmd_diff(int argc, char **argv)
{
	static const struct argp argp = {
		options, parse, "FILE FILE",
		"Compare two snapshots, the earlier one first.\vFILE is what kmag stat --json or kmag frag --json wrote; frag tells no operations.\n"
		"A cache is told by its name and id.",
		result_argp, NULL, NULL };
	struct diff d = { .sort = BY_BYTES };

	argp_parse(&argp, argc, argv, 0, NULL, &d);
	if (would_overwrite(d.result.report, d.paths[0]) ||
	    would_overwrite(d.result.report, d.paths[1]))
		return KMAG_EXIT_USAGE;
	return diff(&d);
}
