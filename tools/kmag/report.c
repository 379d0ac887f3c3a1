// SPDX-License-Identifier: GPL-2.0
/* kmag report: a folder with tables and pictures of what other commands told as JSON. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "report.h"
#include "result.h"
#include "stop.h"
#include "util.h"

#define PICTURE_WIDTH	1200

int report_picture(struct report *r, struct plot *p, const char *stem, const char *what,
		   const char *title, int height)
{
	char *name = xprintf("%s-%s.png", stem, what), *path;
	int ret = 1;

	if (!r->no_gnuplot) {
		path = xprintf("%s/%s", r->folder, name);
		ret = plot_open(p, path, title, PICTURE_WIDTH, height);
		free(path);
	}
	if (ret > 0)
		r->no_gnuplot = true;
	if (ret) {
		free(name);
		return ret;
	}
	fprintf(r->to, "![%s](%s)\n\n", what, name);
	r->pictures = xrealloc(r->pictures, (r->nr_pictures + 1) * sizeof(*r->pictures));
	r->pictures[r->nr_pictures++] = name;
	return 0;
}

int report_drawn(struct report *r, struct plot *p)
{
	return plot_close(p, r->file);
}

int report_damaged(const struct report *r, const char *what)
{
	say("%s is damaged: %s", r->file, what);
	return -1;
}

static int put_replay(struct report *r, const char *stem, const json_t *json)
{
	const json_t *done = json_object_get(json, "replayed");
	struct plot p;
	char *title;
	int ret;

	if (!plot_replay_ok(json))
		return report_damaged(r, "a replay has batches, and a sample of each allocator for each");
	title = xprintf("Slab memory held and needed while a recording is replayed: %s of %s",
			counted(json_integer_value(json_object_get(done, "operations")),
				"operation", "operations"),
			counted(json_integer_value(json_object_get(done, "caches")),
				"cache", "caches"));
	ret = report_picture(r, &p, stem, "held", title, PICTURE_HEIGHT);
	if (!ret) {
		plot_replay(&p, json);
		ret = report_drawn(r, &p);
	}
	free(title);
	if (ret < 0)
		return -1;
	json_tables(r->to, json, 3);
	return 0;
}

/* A file's name without its folder and .json */
static char *stem_of(const char *path)
{
	const char *base = strrchr(path, '/');
	char *stem = xprintf("%s", base ? base + 1 : path);
	size_t len = strlen(stem);

	if (len > 5 && !strcmp(stem + len - 5, ".json"))
		stem[len - 5] = '\0';
	return stem;
}

static bool has_stem(const struct report *r, const char *stem)
{
	unsigned int i;

	for (i = 0; i < r->nr_stems; i++)
		if (!strcmp(r->stems[i], stem))
			return true;
	return false;
}

/* @base made a name for files that no other section has. It is the report's. */
static const char *new_stem(struct report *r, char *base)
{
	char *stem, *at;
	unsigned int nr;

	for (at = base; *at; at++)
		if (!isalnum((unsigned char)*at) && !strchr("._-", *at))
			*at = '_';
	stem = xprintf("%s", base);
	for (nr = 2; has_stem(r, stem); nr++) {
		free(stem);
		stem = xprintf("%s-%u", base, nr);
	}
	r->stems = xrealloc(r->stems, (r->nr_stems + 1) * sizeof(*r->stems));
	r->stems[r->nr_stems++] = stem;
	return stem;
}

static int put_result(struct report *r, char *base, const json_t *json)
{
	const char *schema = json_string_value(json_object_get(json, "schema"));
	const char *stem = new_stem(r, base), *key;
	struct snapfile f;
	json_t *value;
	char *longer;
	int ret;

	fputs("## ", r->to);
	markdown_text(r->to, stem);
	fputs(" (", r->to);
	markdown_text(r->to, schema);
	fputs(")\n\n", r->to);
	if (json_object_size(json) < 2)
		return report_damaged(r, "it has a schema and nothing else");
	if (!strcmp(schema, "kmag.stat/1") || !strcmp(schema, "kmag.frag/1")) {
		if (snapfile_parse(r->file, json, &f))
			return -1;
		ret = f.stats ? report_stat(r, stem, &f.snap) : report_frag(r, stem, &f.snap);
		snapfile_free(&f);
		return ret;
	}
	if (!strcmp(schema, "kmag.replay/1"))
		return put_replay(r, stem, json);
	if (!strcmp(schema, "kmag.run/1") && report_run(r, stem, json))
		return -1;
	if (!strcmp(schema, "kmag.bench/1") && report_bench(r, stem, json))
		return -1;
	if (!strcmp(schema, "kmag.bench-memory/1") && report_memory(r, stem, json))
		return -1;
	json_tables(r->to, json, 3);
	/* Results that hold results */
	json_object_foreach((json_t *)json, key, value) {
		if (!json_is_string(json_object_get(value, "schema")))
			continue;
		longer = xprintf("%s-%s", stem, key);
		ret = put_result(r, longer, value);
		free(longer);
		if (ret)
			return ret;
	}
	return 0;
}

static int put_file(struct report *r, int nr)
{
	json_t *json;
	char *base;
	int ret = -1;

	r->file = r->files[nr];
	progress("%d of %d: %s", nr + 1, r->nr_files, r->file);
	json = result_load(r->file);
	if (!json)
		return -1;
	if (json_is_string(json_object_get(json, "schema"))) {
		base = stem_of(r->file);
		ret = put_result(r, base, json);
		free(base);
	} else {
		say("%s is no result of a kmag command: it has no schema", r->file);
	}
	json_decref(json);
	return ret;
}

static int put_files(struct report *r)
{
	char *path = xprintf("%s/report.md", r->folder);
	int i, ret = 0;

	r->to = fopen(path, "we");
	if (!r->to) {
		say("cannot write %s: %m", path);
		free(path);
		return -1;
	}
	fputs("# What kmag told\n\n", r->to);
	for (i = 0; i < r->nr_files && !ret; i++) {
		ret = put_file(r, i);
		if (!ret && stop_signal) {
			say("a signal ended it");
			ret = -1;
		}
	}
	progress_end();
	if (ferror(r->to) | fclose(r->to)) {
		if (!ret)
			say("cannot write %s: %m", path);
		ret = -1;
	}
	free(path);
	return ret;
}

/* Takes @name to the folder that was asked for, or drops it if @bad. Return: 0 or -1. */
static int move(const struct report *r, const char *name, bool bad)
{
	char *from = xprintf("%s/%s", r->folder, name), *to = xprintf("%s/%s", r->dir, name);
	int ret = bad ? -1 : rename(from, to);

	if (ret && !bad)
		say("cannot write %s: %m", to);
	if (ret)
		unlink(from);
	free(from);
	free(to);
	return ret;
}

/* The report that was there is left until the new one, with its pictures, is whole. */
static int report(struct report *r)
{
	unsigned int i;
	bool bad;

	stop_catch();
	if (mkdir(r->dir, 0755) && errno != EEXIST) {
		say("cannot make the folder %s: %m", path_name(r->dir));
		return KMAG_EXIT_FAILED;
	}
	r->folder = xprintf("%s/.report-XXXXXX", r->dir);
	if (!mkdtemp(r->folder)) {
		say("cannot write to %s: %m", r->dir);
		return KMAG_EXIT_FAILED;
	}
	bad = put_files(r);
	for (i = 0; i < r->nr_pictures; i++)
		bad |= move(r, r->pictures[i], bad);
	bad |= move(r, "report.md", bad);
	rmdir(r->folder);
	if (bad)
		return KMAG_EXIT_FAILED;
	printf("%s/report.md: %s, %s\n", r->dir, counted(r->nr_stems, "result", "results"),
	       counted(r->nr_pictures, "picture", "pictures"));
	if (!r->no_gnuplot)
		return KMAG_EXIT_OK;
	say("gnuplot is not installed, so there are tables without pictures");
	return KMAG_EXIT_MISSING;
}

static void report_free(struct report *r)
{
	unsigned int i;

	for (i = 0; i < r->nr_pictures; i++)
		free(r->pictures[i]);
	for (i = 0; i < r->nr_stems; i++)
		free(r->stems[i]);
	free(r->pictures);
	free(r->stems);
	free(r->folder);
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
		"Pictures need gnuplot: bytes and tiers of stat, fullness of frag, memory over time of replay, ns an operation of run, patterns of bench, slabs held for one that is needed of bench-memory.",
		NULL, NULL, NULL };
	struct report r = {};
	int ret;

	argp_parse(&argp, argc, argv, 0, NULL, &r);
	ret = report(&r);
	report_free(&r);
	return ret;
}
