// SPDX-License-Identifier: GPL-2.0
/* kmag report: a folder with tables and pictures of what other commands told as JSON. */
#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "report.h"
#include "result.h"
#include "snapfile.h"
#include "util.h"

/* Caches in a picture */
#define MAX_BARS	20

static void cache_name(char name[KMAG_NAME_LEN + 16], const struct kmag_snap_cache *c)
{
	snprintf(name, KMAG_NAME_LEN + 16, "%s-%u", c->name, c->id);
}

int report_picture(struct report *r, struct plot *p, const char *stem, const char *what,
		   const char *title)
{
	char *path;
	int ret = 1;

	if (!r->no_gnuplot) {
		path = xprintf("%s/%s-%s.png", r->dir, stem, what);
		ret = plot_open(p, path, title, 1200, 640);
		free(path);
	}
	if (ret > 0)
		r->no_gnuplot = true;
	if (ret)
		return ret;
	fprintf(r->to, "![%s](%s-%s.png)\n\n", what, stem, what);
	r->pictures++;
	return 0;
}

/* What bars show of a cache; the most of @rank comes first. */
struct bar_view {
	const char *what, *title, *ylabel;
	const char * const *layers;
	const char * const *colours;
	unsigned int nr_layers;
	double (*rank)(const struct kmag_snap_cache *c);
	void (*fill)(const struct kmag_snap_cache *c, double *values);
};

static double (*rank_by)(const struct kmag_snap_cache *c);

static int by_rank(const void *a, const void *b)
{
	double x = rank_by(*(const struct kmag_snap_cache * const *)a);
	double y = rank_by(*(const struct kmag_snap_cache * const *)b);

	return x < y ? 1 : x > y ? -1 : 0;
}

static int draw_bars(struct report *r, const char *stem, const struct snapshot *s,
		     const struct bar_view *v)
{
	const struct kmag_snap_cache **order = xalloc(s->nr * sizeof(*order));
	struct bars b = { .ylabel = v->ylabel, .layers = v->layers, .colours = v->colours,
			  .nr_layers = v->nr_layers };
	struct plot p;
	double sum = 0;
	unsigned int i;
	int ret = 0;

	for (i = 0; i < s->nr; i++)
		order[i] = &s->caches[i].c;
	rank_by = v->rank;
	qsort(order, s->nr, sizeof(*order), by_rank);
	b.names = xalloc(MAX_BARS * sizeof(*b.names));
	b.values = xalloc(MAX_BARS * v->nr_layers * sizeof(*b.values));
	for (i = 0; i < s->nr && b.nr < MAX_BARS && v->rank(order[i]) > 0; i++, b.nr++) {
		b.names[b.nr] = (char *)order[i]->name;
		v->fill(order[i], b.values + b.nr * v->nr_layers);
	}
	for (i = 0; i < b.nr * v->nr_layers; i++)
		sum += b.values[i];
	/* Bars without height are no picture. */
	if (sum > 0) {
		ret = report_picture(r, &p, stem, v->what, v->title);
		if (!ret) {
			plot_bars(&p, &b);
			ret = plot_close(&p);
		}
	}
	free(b.names);
	free(b.values);
	free(order);
	return ret < 0 ? -1 : 0;
}

static double rank_bytes(const struct kmag_snap_cache *c)
{
	return c->slab_bytes;
}

static void fill_bytes(const struct kmag_snap_cache *c, double *values)
{
	struct account a = {};
	uint64_t parts[7];
	size_t i;

	account_add(&a, c);
	parts[0] = a.live;
	parts[1] = a.align + a.tail;
	parts[2] = a.cpu;
	parts[3] = a.depot;
	parts[4] = a.partial;
	parts[5] = a.empty;
	parts[6] = a.transit;
	for (i = 0; i < ARRAY_SIZE(parts); i++)
		values[i] = parts[i] / 1024.0;
}

static uint64_t operations(const struct kmag_snap_cache *c, struct tiers *t)
{
	uint64_t sum = 0;
	unsigned int i;

	*t = (struct tiers){};
	tiers_add(t, c);
	for (i = 0; i < 4; i++)
		sum += t->alloc[i] + t->free[i];
	return sum;
}

static double rank_operations(const struct kmag_snap_cache *c)
{
	struct tiers t;

	return operations(c, &t);
}

static void fill_served(const struct kmag_snap_cache *c, double *values)
{
	struct tiers t;
	uint64_t ops = operations(c, &t);
	unsigned int i;

	for (i = 1; i < 4; i++)
		values[i - 1] = 100.0 * (t.alloc[i] + t.free[i]) / ops;
}

static double rank_slabs(const struct kmag_snap_cache *c)
{
	return c->slabs;
}

static void fill_slabs(const struct kmag_snap_cache *c, double *values)
{
	unsigned int i;

	for (i = 0; i < KMAG_SNAP_CLASSES; i++)
		values[i] = c->slabs_by_class[i];
}

static const char * const byte_layers[] = {
	"in use by owners", "alignment and tails", "in CPU magazines", "in depot",
	"free in partial slabs", "in empty slabs", "in transit" };
static const char * const byte_colours[] = {
	"#1f6fb4", "#9aa0a6", "#e69f00", "#f0c674", "#c44e52", "#e8a3a5", "#7b4fa3" };
static const char * const served_colours[] = { "#f0c674", "#e69f00", "#c44e52" };
/* From red for what could go to blue for what is full */
static const char * const slab_layers[KMAG_SNAP_CLASSES] = {
	"empty", "< 1/8", "< 2/8", "< 3/8", "< 4/8", "< 5/8", "< 6/8", "< 7/8", "< 8/8", "full" };
static const char * const slab_colours[KMAG_SNAP_CLASSES] = {
	"#a50026", "#d73027", "#f46d43", "#fdae61", "#fee090", "#e0f3f8", "#abd9e9", "#74add1",
	"#4575b4", "#313695" };

static const struct bar_view bytes_view = {
	"bytes", "Bytes of slab pages, by what they hold", "KiB", byte_layers, byte_colours,
	ARRAY_SIZE(byte_layers), rank_bytes, fill_bytes };
static const struct bar_view served_view = {
	"served", "Operations that no magazine served, by the layer that did, busiest caches first",
	"% of the cache's operations", tier_names + 1, served_colours, 3, rank_operations,
	fill_served };
static const struct bar_view slabs_view = {
	"slabs", "Slabs by the share of their objects that is in use or cached", "slabs",
	slab_layers, slab_colours, KMAG_SNAP_CLASSES, rank_slabs, fill_slabs };

static void put_ratio(struct table *t, const struct kmag_snap_cache *c)
{
	if (c->needed_bytes)
		table_printf(t, "%.2f", (double)c->slab_bytes / c->needed_bytes);
	else
		table_put(t, "-");
}

static int put_stat(struct report *r, const char *stem, const struct snapshot *s)
{
	static const char * const heads[] = {
		"cache", "size", "stride", "live", "in CPUs", "in depot", "free in slabs", "slabs",
		"held", "needed", "held / needed", "operations", "magazine %", "depot %", "slab %",
		"page %", NULL };
	char name[KMAG_NAME_LEN + 16];
	struct table t;
	unsigned int i, k;

	if (draw_bars(r, stem, s, &bytes_view) || draw_bars(r, stem, s, &served_view))
		return -1;
	table_begin(&t, heads);
	for (i = 0; i < s->nr; i++) {
		const struct kmag_snap_cache *c = &s->caches[i].c;
		struct tiers tiers;
		uint64_t ops = operations(c, &tiers);

		cache_name(name, c);
		table_put(&t, name);
		table_printf(&t, "%u", c->object_size);
		table_printf(&t, "%u", c->stride);
		table_put(&t, commas(c->live));
		table_put(&t, commas(c->cpu_objs));
		table_put(&t, commas(c->depot_objs));
		table_put(&t, commas(c->slab_free));
		table_put(&t, commas(c->slabs));
		table_put(&t, bytes(c->slab_bytes));
		table_put(&t, bytes(c->needed_bytes));
		put_ratio(&t, c);
		table_put(&t, commas(ops));
		for (k = 0; k < 4; k++)
			table_printf(&t, "%.2f",
				     ops ? 100.0 * (tiers.alloc[k] + tiers.free[k]) / ops : 0);
	}
	table_end(&t, r->to);
	return 0;
}

static int put_frag(struct report *r, const char *stem, const struct snapshot *s)
{
	char name[KMAG_NAME_LEN + 16];
	struct table t;
	unsigned int i, k;

	if (draw_bars(r, stem, s, &slabs_view))
		return -1;
	table_begin(&t, NULL);
	table_column(&t, "cache");
	for (k = 0; k < KMAG_SNAP_CLASSES; k++)
		table_column(&t, slab_layers[k]);
	table_column(&t, "slabs");
	table_column(&t, "needed");
	table_column(&t, "held");
	table_column(&t, "would come back");
	table_column(&t, "held / needed");
	for (i = 0; i < s->nr; i++) {
		const struct kmag_snap_cache *c = &s->caches[i].c;

		cache_name(name, c);
		table_put(&t, name);
		for (k = 0; k < KMAG_SNAP_CLASSES; k++)
			table_put(&t, commas(c->slabs_by_class[k]));
		table_put(&t, commas(c->slabs));
		table_put(&t, commas(c->slabs_needed));
		table_put(&t, bytes(c->slab_bytes));
		table_put(&t, bytes(c->slab_bytes - c->needed_bytes));
		put_ratio(&t, c);
	}
	table_end(&t, r->to);
	return 0;
}

static int put_replay(struct report *r, const char *path, const char *stem, const json_t *json)
{
	const json_t *done = json_object_get(json, "replayed");
	struct plot p;
	char *title;
	int ret;

	if (!plot_replay_ok(json)) {
		say("%s is damaged: a replay has batches, and a sample of each allocator for each",
		    path);
		return -1;
	}
	title = xprintf("Slab memory held and needed while a recording is replayed: %s operations of %s caches",
			commas(json_integer_value(json_object_get(done, "operations"))),
			commas(json_integer_value(json_object_get(done, "caches"))));
	ret = report_picture(r, &p, stem, "held", title);
	if (!ret) {
		plot_replay(&p, json);
		ret = plot_close(&p);
	}
	free(title);
	if (ret < 0)
		return -1;
	json_tables(r->to, json, 3);
	return 0;
}

static int put_result(struct report *r, const char *path, const char *stem, const json_t *json)
{
	const char *schema = json_string_value(json_object_get(json, "schema")), *key;
	struct snapfile f;
	json_t *value;
	char *longer;
	int ret;

	r->results++;
	fputs("## ", r->to);
	markdown_text(r->to, stem);
	fputs(" (", r->to);
	markdown_text(r->to, schema);
	fputs(")\n\n", r->to);
	if (!strcmp(schema, "kmag.stat/1") || !strcmp(schema, "kmag.frag/1")) {
		if (snapfile_parse(path, json, &f))
			return -1;
		ret = f.stats ? put_stat(r, stem, &f.snap) : put_frag(r, stem, &f.snap);
		snapfile_free(&f);
		return ret;
	}
	if (!strcmp(schema, "kmag.replay/1"))
		return put_replay(r, path, stem, json);
	if (!strcmp(schema, "kmag.run/1") && report_run(r, stem, json))
		return -1;
	if (!strcmp(schema, "kmag.bench/1") && report_bench(r, stem, json))
		return -1;
	json_tables(r->to, json, 3);
	/* Results that hold results */
	json_object_foreach((json_t *)json, key, value) {
		if (!json_is_string(json_object_get(value, "schema")))
			continue;
		longer = xprintf("%s-%s", stem, key);
		ret = put_result(r, path, longer, value);
		free(longer);
		if (ret)
			return ret;
	}
	return 0;
}

/* A name for pictures: the file's, without its folder and .json. */
static char *stem_of(const char *path)
{
	const char *base = strrchr(path, '/');
	char *stem = xprintf("%s", base ? base + 1 : path), *at;
	size_t len = strlen(stem);

	if (len > 5 && !strcmp(stem + len - 5, ".json"))
		stem[len - 5] = '\0';
	for (at = stem; *at; at++)
		if (!isalnum((unsigned char)*at) && !strchr("._-", *at))
			*at = '_';
	return stem;
}

static int put_file(struct report *r, int nr)
{
	char *stem = stem_of(r->files[nr]), *other, *longer;
	json_t *json;
	int i, ret;

	for (i = 0; i < nr; i++) {
		other = stem_of(r->files[i]);
		if (!strcmp(other, stem)) {
			longer = xprintf("%s-%d", stem, nr + 1);
			free(stem);
			stem = longer;
		}
		free(other);
	}
	progress("%d of %d: %s", nr + 1, r->nr_files, r->files[nr]);
	json = result_load(r->files[nr]);
	if (!json) {
		free(stem);
		return -1;
	}
	if (json_is_string(json_object_get(json, "schema"))) {
		ret = put_result(r, r->files[nr], stem, json);
	} else {
		say("%s is no result of a kmag command: it has no schema", r->files[nr]);
		ret = -1;
	}
	json_decref(json);
	free(stem);
	return ret;
}

static int report(struct report *r)
{
	char *path = xprintf("%s/report.md", r->dir);
	int i, ret = 0;

	/* A gnuplot that dies is told of, not died of. */
	signal(SIGPIPE, SIG_IGN);
	if (mkdir(r->dir, 0755) && errno != EEXIST) {
		say("cannot make the folder %s: %m", r->dir);
		return KMAG_EXIT_FAILED;
	}
	r->to = fopen(path, "we");
	if (!r->to) {
		say("cannot write %s: %m", path);
		return KMAG_EXIT_FAILED;
	}
	fputs("# What kmag told\n\n", r->to);
	for (i = 0; i < r->nr_files && !ret; i++)
		ret = put_file(r, i);
	progress_end();
	if (ferror(r->to) | fclose(r->to)) {
		say("cannot write %s: %m", path);
		ret = -1;
	}
	if (ret) {
		/* Half a report is none. */
		remove(path);
		return KMAG_EXIT_FAILED;
	}
	printf("%s: %u results, %u pictures\n", path, r->results, r->pictures);
	free(path);
	if (!r->no_gnuplot)
		return KMAG_EXIT_OK;
	say("gnuplot is not installed, so there are tables without pictures");
	return KMAG_EXIT_MISSING;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct report *r = state->input;

	switch (key) {
	case ARGP_KEY_ARGS:
		if (state->argc - state->next < 2)
			argp_error(state, "a folder and at least one result are needed");
		r->dir = state->argv[state->next];
		r->files = state->argv + state->next + 1;
		r->nr_files = state->argc - state->next - 1;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "a folder and at least one result are needed");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int cmd_report(int argc, char **argv)
{
	static const struct argp argp = {
		NULL, parse, "DIR FILE...",
		"Make tables and pictures in DIR of results in FILEs.\vFILE is what a command wrote with --json or --report.\n"
		"DIR/report.md has a section for each.\n"
		"Pictures need gnuplot: bytes and tiers of stat, fullness of frag, memory over time of replay, ns an operation of run, patterns of bench.",
		NULL, NULL, NULL };
	struct report r = {};

	argp_parse(&argp, argc, argv, 0, NULL, &r);
	return report(&r);
}
