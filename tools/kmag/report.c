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
#include "util.h"

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
		ret = f.stats ? report_stat(r, stem, &f.snap) : report_frag(r, stem, &f.snap);
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
