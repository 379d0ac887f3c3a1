// SPDX-License-Identifier: GPL-2.0
/* Rows, their order, and their columns. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"
#include "watch.h"

const char * const watch_keys[NR_WATCH_KEYS] = {
	[WATCH_HELD] = "held", [WATCH_NAME] = "name", [WATCH_LIVE] = "live",
	[WATCH_RATIO] = "ratio", [WATCH_BACK] = "back", [WATCH_OPS] = "operations",
	[WATCH_MAGAZINE] = "magazine", [WATCH_DEPOT] = "depot", [WATCH_SLAB] = "slab",
	[WATCH_PAGE] = "page",
};

static uint64_t back(const struct watch_row *r)
{
	return r->held > r->needed ? r->held - r->needed : 0;
}

static double ratio(const struct watch_row *r)
{
	return r->needed ? (double)r->held / r->needed : 0;
}

static double share(const struct watch_row *r, unsigned int tier)
{
	return r->ops ? 100.0 * r->tiers[tier] / r->ops : 0;
}

static double sort_value(const struct watch_row *r, enum watch_key key)
{
	switch (key) {
	case WATCH_LIVE:
		return r->live;
	case WATCH_RATIO:
		/* Held without need is the worst ratio of all. */
		return r->needed ? ratio(r) : r->held ? 1e300 : 0;
	case WATCH_BACK:
		return back(r);
	case WATCH_OPS:
		return r->ops;
	case WATCH_MAGAZINE:
	case WATCH_DEPOT:
	case WATCH_SLAB:
	case WATCH_PAGE:
		return share(r, key - WATCH_MAGAZINE);
	default:
		return r->held;
	}
}

static enum watch_key sort_by;

static int compare(const void *a, const void *b)
{
	const struct watch_row *x = a, *y = b;
	double p, q;

	if (sort_by != WATCH_NAME) {
		p = sort_value(x, sort_by);
		q = sort_value(y, sort_by);
		if (p != q)
			return p < q ? 1 : -1;
	}
	return strcmp(x->name, y->name);
}

void watch_sort(struct watch_table *t)
{
	sort_by = t->sort;
	qsort(t->rows, t->nr, sizeof(*t->rows), compare);
}

static void fill(struct watch_row *r, const struct kmag_snap_cache *c,
		 const struct snap_cache *before)
{
	struct tiers now = {}, then = {};
	unsigned int i;
	char *at;

	snprintf(r->name, sizeof(r->name), "%s-%u", c->name, c->id);
	/* Names are the callers'; a terminal obeys control characters. */
	for (at = r->name; *at; at++)
		if (!isprint((unsigned char)*at))
			*at = '?';
	r->live = c->live;
	r->held = c->slab_bytes;
	r->needed = c->needed_bytes;
	tiers_add(&now, c);
	if (before && !strcmp(before->c.name, c->name))
		tiers_add(&then, &before->c);
	for (i = 0; i < 4; i++) {
		uint64_t n = now.alloc[i] + now.free[i], o = then.alloc[i] + then.free[i];

		r->tiers[i] = n > o ? n - o : 0;
		r->ops += r->tiers[i];
	}
}

int watch_take(struct watch_table *t, const struct watch_source *source)
{
	bool first = !t->last.caches;
	struct snapshot now;
	unsigned int i, k;

	if (source->next(source->arg, &now))
		return -1;
	t->ns = t->last.caches && now.time_ns > t->last.time_ns ?
		now.time_ns - t->last.time_ns : 0;
	free(t->rows);
	t->rows = xalloc(now.nr * sizeof(*t->rows));
	t->nr = 0;
	t->total = (struct watch_row){ .name = "total" };
	for (i = 0; i < now.nr; i++) {
		const struct kmag_snap_cache *c = &now.caches[i].c;
		struct watch_row *r = &t->rows[t->nr];

		if (!name_wanted(c, t->names, t->nr_names))
			continue;
		t->nr++;
		fill(r, c, snapshot_find(&t->last, c->id));
		t->total.live += r->live;
		t->total.held += r->held;
		t->total.needed += r->needed;
		t->total.ops += r->ops;
		for (k = 0; k < 4; k++)
			t->total.tiers[k] += r->tiers[k];
	}
	snapshot_free(&t->last);
	t->last = now;
	watch_sort(t);
	/* Later they may well go, and come again. */
	if (first && names_failed(t->nr_names, t->nr))
		return -1;
	return 0;
}

void watch_free(struct watch_table *t)
{
	free(t->rows);
	snapshot_free(&t->last);
}

/* Columns from left to right; of those with @drop the highest goes first. */
static const struct column {
	const char *head;
	enum watch_key key;
	int width;
	int drop;
} columns[] = {
	{ "LIVE", WATCH_LIVE, 12, 2 },
	{ "HELD", WATCH_HELD, 11, 0 },
	{ "NEEDED", NR_WATCH_KEYS, 11, 3 },
	{ "RATIO", WATCH_RATIO, 8, 0 },
	{ "BACK", WATCH_BACK, 11, 4 },
	{ "OPS/S", WATCH_OPS, 13, 1 },
	{ "MAG%", WATCH_MAGAZINE, 7, 0 },
	{ "DEPOT%", WATCH_DEPOT, 7, 0 },
	{ "SLAB%", WATCH_SLAB, 7, 0 },
	{ "PAGE%", WATCH_PAGE, 7, 0 },
};

#define NAME_WIDTH	24
#define NAME_LEAST	16
#define MAX_DROP	4

/* The widest set of columns that fits, with the name's. */
static int fit(int width, int *name)
{
	int drop, sum = 0;
	size_t i;

	for (drop = MAX_DROP; ; drop--) {
		sum = 0;
		for (i = 0; i < ARRAY_SIZE(columns); i++)
			if (columns[i].drop <= drop)
				sum += columns[i].width;
		if (sum + NAME_LEAST <= width || !drop)
			break;
	}
	*name = width - sum;
	if (*name > NAME_WIDTH)
		*name = NAME_WIDTH;
	if (*name < NAME_LEAST)
		*name = NAME_LEAST;
	return drop;
}

static const char *cell(const struct watch_table *t, const struct watch_row *r,
			const struct column *c, char buf[32])
{
	switch (c->key) {
	case WATCH_LIVE:
		return commas(r->live);
	case WATCH_HELD:
		return bytes(r->held);
	case WATCH_RATIO:
		if (!r->needed)
			return "-";
		snprintf(buf, 32, "%.2f", ratio(r));
		return buf;
	case WATCH_BACK:
		return bytes(back(r));
	case WATCH_OPS:
		return t->ns ? commas(r->ops * 1e9 / t->ns) : "-";
	case NR_WATCH_KEYS:
		return bytes(r->needed);
	default:
		if (!r->ops)
			return "-";
		snprintf(buf, 32, "%.2f", share(r, c->key - WATCH_MAGAZINE));
		return buf;
	}
}

/* @r: the row, or NULL for the head. */
static void format(const struct watch_table *t, const struct watch_row *r, char *line, int width)
{
	int name, drop, at;
	char buf[32];
	size_t i;

	if (width >= WATCH_LINE_MAX)
		width = WATCH_LINE_MAX - 1;
	drop = fit(width, &name);
	at = snprintf(line, WATCH_LINE_MAX, "%-*.*s", name, name, r ? r->name : "NAME");
	for (i = 0; i < ARRAY_SIZE(columns); i++) {
		const struct column *c = &columns[i];

		if (c->drop > drop)
			continue;
		at += snprintf(line + at, WATCH_LINE_MAX - at, "%*s", c->width,
			       r ? cell(t, r, c, buf) : c->head);
	}
	line[width] = '\0';
}

void watch_format_head(const struct watch_table *t, char line[WATCH_LINE_MAX], int width)
{
	format(t, NULL, line, width);
}

void watch_format_row(const struct watch_table *t, const struct watch_row *r,
		      char line[WATCH_LINE_MAX], int width)
{
	format(t, r, line, width);
}

void watch_format_title(const struct watch_table *t, char line[WATCH_LINE_MAX], int width)
{
	char since[64];

	if (t->ns)
		snprintf(since, sizeof(since), "of the last %.2f s", t->ns / 1e9);
	else
		snprintf(since, sizeof(since), "since they were made");
	snprintf(line, WATCH_LINE_MAX, "%s by %s; operations %s", counted(t->nr, "cache", "caches"),
		 watch_keys[t->sort], since);
	if (width < WATCH_LINE_MAX)
		line[width] = '\0';
}
