// SPDX-License-Identifier: GPL-2.0
/* Sections of snapshots: bars of the caches that stand out, and a table of all. */
#include <stdlib.h>
#include <string.h>

#include "report.h"
#include "util.h"

/* Caches in a picture */
#define MAX_BARS	20

static void cache_name(char name[KMAG_NAME_LEN + 16], const struct kmag_snap_cache *c)
{
	snprintf(name, KMAG_NAME_LEN + 16, "%s-%u", c->name, c->id);
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

/* What a bar is called: as in the table, where the name alone is not enough. */
static char *bar_name(const struct snapshot *s, const struct kmag_snap_cache *c)
{
	char name[KMAG_NAME_LEN + 16];
	unsigned int i;

	for (i = 0; i < s->nr; i++)
		if (s->caches[i].c.id != c->id && !strcmp(s->caches[i].c.name, c->name))
			break;
	if (i == s->nr)
		return xprintf("%s", c->name);
	cache_name(name, c);
	return xprintf("%s", name);
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
		b.names[b.nr] = bar_name(s, order[i]);
		v->fill(order[i], b.values + b.nr * v->nr_layers);
	}
	for (i = 0; i < b.nr * v->nr_layers; i++)
		sum += b.values[i];
	/* Bars without height are no picture. */
	if (sum > 0) {
		ret = report_picture(r, &p, stem, v->what, v->title, PICTURE_HEIGHT);
		if (!ret) {
			plot_bars(&p, &b);
			ret = report_drawn(r, &p);
		}
	}
	for (i = 0; i < b.nr; i++)
		free(b.names[i]);
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

int report_stat(struct report *r, const char *stem, const struct snapshot *s)
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

int report_frag(struct report *r, const char *stem, const struct snapshot *s)
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
