/* SPDX-License-Identifier: GPL-2.0 */
/* Commands that show a row for each cache of a snapshot, or for some. */
#ifndef KMAG_VIEW_H
#define KMAG_VIEW_H

#include "dev.h"
#include "result.h"

struct view;

/**
 * struct view_ops - what such a command does of its own
 * @schema: of its JSON
 * @wanted: shall it have a row where no name asks for it? NULL: yes
 * @head: prints what stands above the rows
 * @row: prints a cache's row, and adds it up
 * @json: the same, as JSON
 * @total: prints what stands below the rows
 */
struct view_ops {
	const char *schema;
	bool (*wanted)(const struct view *v, const struct kmag_snap_cache *c);
	void (*head)(void);
	void (*row)(struct view *v, const struct snap_cache *c);
	json_t *(*json)(const struct snap_cache *c);
	void (*total)(const struct view *v);
};

/**
 * struct view - such a command, run once
 * @ops: the command
 * @result: how to tell it
 * @names: of wanted caches, as name_wanted() takes them
 * @nr_names: 0: all, with a row if @ops->wanted
 * @shown: how many rows there were
 */
struct view {
	const struct view_ops *ops;
	struct result_options result;
	char **names;
	int nr_names;
	unsigned int shown;
};

/* A parser with --json and the names, its input a struct view */
extern const struct argp_child view_argp[];

/* Of a snapshot. Return: exit code, after one sentence if it is not 0. */
int view_tell(struct view *v, const struct snapshot *snap);

/* Of one that is taken now; likewise. */
int view_show(struct view *v);

#endif /* KMAG_VIEW_H */
