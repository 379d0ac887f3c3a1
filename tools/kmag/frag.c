// SPDX-License-Identifier: GPL-2.0
/*
 * kmag frag: slabs by fullness; how many are held, how many are needed. As a heat
 * map, what holds each of them open.
 */
#include <stdlib.h>
#include <string.h>

#include "heat.h"
#include "snapfile.h"
#include "util.h"
#include "view.h"

struct row {
	uint64_t held, needed;
	uint64_t bytes, back;
	uint64_t by_class[KMAG_SNAP_CLASSES];
};

struct frag_view {
	struct view view;
	bool all;
	struct row total;
	bool heat;
	const char *png;
	char **files;		/* slab_maps, instead of caches */
	size_t nr_files;
	struct heat *maps;
	size_t nr_maps;
	bool failed;
};

static void add_cache(struct row *to, const struct kmag_snap_cache *c)
{
	unsigned int i;

	to->held += c->slabs;
	to->needed += c->slabs_needed;
	to->bytes += c->slab_bytes;
	to->back += c->slab_bytes - c->needed_bytes;
	for (i = 0; i < KMAG_SNAP_CLASSES; i++)
		to->by_class[i] += c->slabs_by_class[i];
}

static void print_head(void)
{
	static const char * const heads[KMAG_SNAP_CLASSES] = {
		"empty", "<1/8", "<2/8", "<3/8", "<4/8", "<5/8", "<6/8", "<7/8", "<8/8", "full" };
	unsigned int i;

	printf("%-24s", "NAME");
	for (i = 0; i < KMAG_SNAP_CLASSES; i++)
		printf(" %6s", heads[i]);
	printf(" %8s %8s %6s %10s %10s\n", "HELD", "NEEDED", "RATIO", "BYTES", "BACK");
}

static void print_row(const char *name, const struct row *r)
{
	unsigned int i;

	printf("%-24s", name);
	for (i = 0; i < KMAG_SNAP_CLASSES; i++)
		printf(" %6llu", (unsigned long long)r->by_class[i]);
	printf(" %8llu %8llu %6.2f %10s %10s\n", (unsigned long long)r->held,
	       (unsigned long long)r->needed, r->needed ? (double)r->held / r->needed : 0,
	       bytes(r->bytes), bytes(r->back));
}

static void add_row(struct view *v, const struct snap_cache *s)
{
	struct row row = {};

	add_cache(&row, &s->c);
	print_row(s->c.name, &row);
	add_cache(&container_of(v, struct frag_view, view)->total, &s->c);
}

static void print_total(const struct view *v)
{
	if (!v->shown)
		print_head();
	print_row("total", &container_of(v, struct frag_view, view)->total);
}

static json_t *json_cache(const struct snap_cache *s)
{
	return snapfile_slabs(&s->c);
}

static bool has_slabs(const struct view *v, const struct kmag_snap_cache *c)
{
	return c->slabs || container_of(v, struct frag_view, view)->all;
}

static const struct view_ops frag_ops = {
	.schema = "kmag.frag/1",
	.wanted = has_slabs,
	.head = print_head,
	.row = add_row,
	.json = json_cache,
	.total = print_total,
};

/* A map more. */
static void add_map(struct frag_view *fv, const char *name, const char *path)
{
	fv->maps = xrealloc(fv->maps, (fv->nr_maps + 1) * sizeof(*fv->maps));
	if (heat_read(&fv->maps[fv->nr_maps++], name, path))
		fv->failed = true;
}

static void add_cache_map(struct view *v, const struct snap_cache *s)
{
	struct frag_view *fv = container_of(v, struct frag_view, view);
	char *name = xprintf("%s-%u", s->c.name, s->c.id);
	char *path = xprintf(KMAG_DEBUGFS "/%s/slab_map", name);

	if (!fv->failed)
		add_map(fv, name, path);
	free(path);
	free(name);
}

static void no_head(void)
{
}

static void no_total(const struct view *v)
{
}

static const struct view_ops heat_ops = {
	.schema = "kmag.frag/1",
	.wanted = has_slabs,
	.head = no_head,
	.row = add_cache_map,
	.json = json_cache,
	.total = no_total,
};

static int draw_maps(const struct frag_view *fv)
{
	int ret = heat_draw(fv->maps, fv->nr_maps, fv->png);

	if (!ret)
		printf("%s: %s\n", fv->png, counted(fv->nr_maps, "map", "maps"));
	return ret > 0 ? KMAG_EXIT_MISSING : ret ? KMAG_EXIT_FAILED : KMAG_EXIT_OK;
}

static void print_maps(const struct frag_view *fv)
{
	size_t i;

	heat_legend();
	for (i = 0; i < fv->nr_maps; i++)
		heat_print(&fv->maps[i]);
}

/* Return: exit code, after one sentence if it is not 0. */
static int show_heat(struct frag_view *fv)
{
	int ret = KMAG_EXIT_OK;
	size_t i;

	for (i = 0; i < fv->nr_files && !fv->failed; i++)
		add_map(fv, fv->files[i], fv->files[i]);
	if (!fv->nr_files)
		ret = view_show(&fv->view);
	if (!ret && fv->failed)
		ret = KMAG_EXIT_FAILED;
	if (!ret && fv->png && fv->nr_maps)
		ret = draw_maps(fv);
	else if (!ret)
		print_maps(fv);
	if (!ret && stdout_failed())
		ret = KMAG_EXIT_FAILED;
	for (i = 0; i < fv->nr_maps; i++)
		heat_free(&fv->maps[i]);
	free(fv->maps);
	free(fv->files);
	return ret;
}

enum { OPT_MAP = 256 };

static const struct argp_option options[] = {
	{ "all", 'a', NULL, 0, "Show caches without slabs too (as JSON they always are)", 0 },
	{ "heatmap", 'H', "PNG", OPTION_ARG_OPTIONAL,
	  "Show each slab, by what holds it open; or draw that, with gnuplot", 0 },
	{ "map", OPT_MAP, "FILE", 0, "For --heatmap: a copy of a slab_map, instead of caches", 0 },
	{}
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct frag_view *fv = state->input;
	size_t len;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &fv->view;
		return 0;
	case 'a':
		fv->all = true;
		return 0;
	case 'H':
		fv->heat = true;
		fv->png = arg;
		len = arg ? strlen(arg) : 0;
		if (arg && (len < 5 || strcmp(arg + len - 4, ".png")))
			argp_error(state, "--heatmap takes the name of a .png, not '%s'", arg);
		return 0;
	case OPT_MAP:
		fv->files = xrealloc(fv->files, (fv->nr_files + 1) * sizeof(*fv->files));
		fv->files[fv->nr_files++] = arg;
		return 0;
	case ARGP_KEY_SUCCESS:
		if (fv->nr_files && !fv->heat)
			argp_error(state, "--map is for --heatmap");
		if (fv->nr_files && fv->view.nr_names)
			argp_error(state, "--map is instead of caches");
		if (fv->heat && (fv->view.result.json || fv->view.result.report))
			argp_error(state, "a heat map is no JSON");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int cmd_frag(int argc, char **argv)
{
	static const struct argp argp = {
		options, parse, "[CACHE...]",
		"Show the slabs of each kmag cache by fullness: how many are held, how many needed.\vA column counts slabs with less than that share of their objects in use or cached in magazines.\n"
		"NEEDED is for objects with their owners alone; BACK would come back.",
		view_argp, NULL, NULL };
	struct frag_view fv = { .view.ops = &frag_ops };
	size_t i;

	argp_parse(&argp, argc, argv, 0, NULL, &fv);
	if (!fv.heat)
		return view_show(&fv.view);
	for (i = 0; i < fv.nr_files; i++)
		if (would_overwrite(fv.png, fv.files[i]))
			return KMAG_EXIT_USAGE;
	fv.view.ops = &heat_ops;
	return show_heat(&fv);
}
