/* SPDX-License-Identifier: GPL-2.0 */
/* Snapshots as JSON: kmag.stat/1 and kmag.frag/1, as stat and frag print them. */
#ifndef KMAG_SNAPFILE_H
#define KMAG_SNAPFILE_H

#include <jansson.h>
#include <stdbool.h>

#include "dev.h"

struct snapfile {
	struct snapshot snap;	/* without CPUs and nodes */
	bool stats;		/* it tells of operations and objects, too */
};

/* A cache's figures, and its statistics, as stat tells them */
void snapfile_put_words(json_t *json, const struct kmag_snap_cache *c);
json_t *snapfile_stats(const struct kmag_snap_cache *c);

/* A cache's slabs, as frag tells them */
json_t *snapfile_slabs(const struct kmag_snap_cache *c);

/**
 * snapfile_load - read a snapshot
 * @path: what stat or frag wrote with --json or --report
 * @f: filled in
 *
 * Return: 0, or -1 after one sentence.
 */
int snapfile_load(const char *path, struct snapfile *f);

/* The same, of JSON that was read already; @path is for the sentence. */
int snapfile_parse(const char *path, const json_t *json, struct snapfile *f);
void snapfile_free(struct snapfile *f);

#endif /* KMAG_SNAPFILE_H */
