// SPDX-License-Identifier: GPL-2.0
/* kmag frag: slabs by fullness; how many are held, how many are needed. */
#include <argp.h>
#include <stdlib.h>
#include <unistd.h>

#include "dev.h"
#include "util.h"

struct options {
	bool json;
	bool all;
	char **names;
	int nr_names;
};

struct row {
	uint64_t held, needed;
	uint64_t bytes, back;
	uint64_t by_class[KMAG_SNAP_CLASSES];
};

static struct row make_row(const struct kmag_snap_cache *c, uint32_t page_size)
{
	struct row r = { .held = c->slabs, .needed = c->slabs_needed, .bytes = c->slab_bytes };
	uint64_t needed = c->slabs_needed * ((uint64_t)page_size << c->order);
	unsigned int i;

	for (i = 0; i < KMAG_SNAP_CLASSES; i++)
		r.by_class[i] = c->slabs_by_class[i];
	/* Slabs of a smaller order, made under pressure, may be below that. */
	r.back = r.bytes > needed ? r.bytes - needed : 0;
	return r;
}

static void add_row(struct row *to, const struct row *r)
{
	unsigned int i;

	to->held += r->held;
	to->needed += r->needed;
	to->bytes += r->bytes;
	to->back += r->back;
	for (i = 0; i < KMAG_SNAP_CLASSES; i++)
		to->by_class[i] += r->by_class[i];
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

static json_t *json_row(const char *name, uint32_t id, const struct row *r)
{
	json_t *classes = json_array();
	unsigned int i;

	for (i = 0; i < KMAG_SNAP_CLASSES; i++)
		json_array_append_new(classes, json_integer(r->by_class[i]));
	return json_pack("{s:s, s:i, s:o, s:I, s:I, s:I, s:I}", "name", name, "id", id,
			 "slabs_by_fullness", classes, "slabs_held", (json_int_t)r->held,
			 "slabs_needed", (json_int_t)r->needed,
			 "bytes_held", (json_int_t)r->bytes,
			 "bytes_back", (json_int_t)r->back);
}

static int frag(const struct options *o)
{
	static const char * const heads[KMAG_SNAP_CLASSES] = {
		"empty", "<1/8", "<2/8", "<3/8", "<4/8", "<5/8", "<6/8", "<7/8", "<8/8", "full" };
	struct row total = {}, row;
	json_t *array = json_array();
	struct kmag_ioc_info info;
	struct snapshot snap;
	unsigned int i, shown = 0;
	int fd = dev_open(&info);

	if (fd < 0)
		return KMAG_EXIT_MISSING;
	if (dev_snapshot(fd, &snap)) {
		close(fd);
		return KMAG_EXIT_FAILED;
	}
	close(fd);
	if (!o->json) {
		printf("%-24s", "NAME");
		for (i = 0; i < KMAG_SNAP_CLASSES; i++)
			printf(" %6s", heads[i]);
		printf(" %8s %8s %6s %10s %10s\n", "HELD", "NEEDED", "RATIO", "BYTES", "BACK");
	}
	for (i = 0; i < snap.nr; i++) {
		const struct kmag_snap_cache *c = &snap.caches[i].c;

		if (!name_wanted(c, o->names, o->nr_names))
			continue;
		if (!c->slabs && !o->all && !o->nr_names)
			continue;
		shown++;
		row = make_row(c, info.page_size);
		add_row(&total, &row);
		if (o->json)
			json_array_append_new(array, json_row(c->name, c->id, &row));
		else
			print_row(c->name, &row);
	}
	snapshot_free(&snap);
	if (!shown && o->nr_names) {
		say("there is no kmag cache by that name");
		json_decref(array);
		return KMAG_EXIT_FAILED;
	}
	if (o->json)
		return json_print(json_pack("{s:s, s:o}", "schema", "kmag.frag/1",
					    "caches", array));
	json_decref(array);
	print_row("total", &total);
	if (fflush(stdout)) {
		say("cannot write the result: %m");
		return KMAG_EXIT_FAILED;
	}
	return KMAG_EXIT_OK;
}

static const struct argp_option options[] = {
	{ "json", 'j', NULL, 0, "Print the result as JSON", 0 },
	{ "all", 'a', NULL, 0, "Show caches without slabs too", 0 },
	{}
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case 'j':
		o->json = true;
		return 0;
	case 'a':
		o->all = true;
		return 0;
	case ARGP_KEY_ARGS:
		o->names = state->argv + state->next;
		o->nr_names = state->argc - state->next;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int cmd_frag(int argc, char **argv)
{
	static const struct argp argp = {
		options, parse, "[CACHE...]",
		"Show the slabs of each kmag cache by fullness: how many are held, how many needed.\v\n"
		"A column counts slabs with less than that share of their objects away, with owners or\n"
		"in magazines. NEEDED is for objects with their owners alone; BACK would come back.\n",
		NULL, NULL, NULL };
	struct options o = {};

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	return frag(&o);
}
