// SPDX-License-Identifier: GPL-2.0
/*
 * A snapshot as a table and as JSON: which caches are in either. Prints TAP;
 * exits 1 when a test fails.
 */
#include <string.h>
#include <unistd.h>

#include "../snapfile.h"
#include "../util.h"
#include "../view.h"
#include "tap.h"

static unsigned int rows;

static bool has_slabs(const struct view *v, const struct kmag_snap_cache *c)
{
	return c->slabs;
}

static void no_head(void)
{
}

static void count_row(struct view *v, const struct snap_cache *c)
{
	rows++;
}

static json_t *slabs(const struct snap_cache *c)
{
	return snapfile_slabs(&c->c);
}

static void no_total(const struct view *v)
{
}

static const struct view_ops ops = {
	.schema = "kmag.frag/1",
	.wanted = has_slabs,
	.head = no_head,
	.row = count_row,
	.json = slabs,
	.total = no_total,
};

/* Tells two caches, one of them without slabs; how many are in the report, or -1 */
static int told(char **names, int nr_names, int *ret)
{
	struct snap_cache caches[] = {
		{ .c = { .id = 1, .name = "full", .slabs = 1 } },
		{ .c = { .id = 2, .name = "empty" } },
	};
	const struct snapshot snap = { .caches = caches, .nr = 2 };
	char path[] = "/tmp/view_test.XXXXXX";
	struct view v = { .ops = &ops, .result.report = path,
			  .names = names, .nr_names = nr_names };
	struct snapfile file;
	int fd = mkstemp(path), nr = -1;

	if (fd < 0)
		return -1;
	close(fd);
	rows = 0;
	*ret = view_tell(&v, &snap);
	if (!*ret && !snapfile_load(path, &file)) {
		nr = file.snap.nr;
		snapfile_free(&file);
	}
	unlink(path);
	return nr;
}

int main(void)
{
	char *name = "empty";
	int ret, nr;

	plan(3);
	nr = told(NULL, 0, &ret);
	result(nr == 2 && rows == 1, "what has no row is in the result", NULL);
	nr = told(&name, 1, &ret);
	result(nr == 1 && rows == 1, "what is named has a row", NULL);
	name = "nosuch";
	told(&name, 1, &ret);
	result(ret == KMAG_EXIT_FAILED && !rows, "what is not there fails", NULL);
	return finished();
}
