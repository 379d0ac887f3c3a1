/* SPDX-License-Identifier: GPL-2.0 */
/* The table that kmag watch shows: made by watch_table.c, shown by the rest. */
#ifndef KMAG_WATCH_H
#define KMAG_WATCH_H

#include "dev.h"

/* What rows can be sorted by; the first letter of each name is its key */
enum watch_key {
	WATCH_HELD, WATCH_NAME, WATCH_LIVE, WATCH_RATIO, WATCH_BACK, WATCH_OPS,
	WATCH_MAGAZINE, WATCH_DEPOT, WATCH_SLAB, WATCH_PAGE,
	NR_WATCH_KEYS
};

extern const char * const watch_keys[NR_WATCH_KEYS];

struct watch_row {
	char name[KMAG_NAME_LEN + 16];
	uint64_t live;
	uint64_t held, needed;	/* bytes of slabs */
	uint64_t ops;		/* since the last refresh */
	uint64_t tiers[4];	/* of these */
};

struct watch_table {
	enum watch_key sort;
	char **names;		/* of wanted caches, as name_wanted() takes them */
	int nr_names;
	struct watch_row *rows;
	unsigned int nr;
	struct watch_row total;
	uint64_t ns;		/* since the last refresh; 0: this is the first */
	struct snapshot last;
};

/* Where snapshots come from; next() gives 0, or -1 after one sentence. */
struct watch_source {
	int (*next)(void *arg, struct snapshot *s);
	void *arg;
};

/**
 * watch_take - take the next snapshot and make the rows of it
 * @t: the table
 * @source: where from
 *
 * Operations and shares are those since the snapshot before; the first time
 * they are those since the caches were made, and there must be one by the names.
 *
 * Return: 0, or -1 after one sentence.
 */
int watch_take(struct watch_table *t, const struct watch_source *source);
void watch_sort(struct watch_table *t);
void watch_free(struct watch_table *t);

/* Lines without newline, at most @width wide: columns are left out to fit. */
#define WATCH_LINE_MAX	512
void watch_format_title(const struct watch_table *t, char line[WATCH_LINE_MAX], int width);
void watch_format_head(const struct watch_table *t, char line[WATCH_LINE_MAX], int width);
void watch_format_row(const struct watch_table *t, const struct watch_row *r,
		      char line[WATCH_LINE_MAX], int width);

struct watch_options {
	double interval;	/* s */
	unsigned long count;	/* refreshes; 0: no end */
};

/**
 * watch_screen - show the table in the terminal until it is left
 * @t: the table
 * @source: where snapshots come from
 * @o: how often
 *
 * Return: exit code, or -1 when this terminal cannot be used, after one
 * sentence. A signal that ends it comes once more, with the terminal as it was.
 */
int watch_screen(struct watch_table *t, const struct watch_source *source,
		 const struct watch_options *o);

#endif /* KMAG_WATCH_H */
