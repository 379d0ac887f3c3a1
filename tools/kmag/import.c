// SPDX-License-Identifier: GPL-2.0
/*
 * kmag import: a recording out of what other tracers wrote as text.
 *
 * The kernel's own event of an allocation tells sizes, and no cache; that of a
 * free tells its name. So an object is followed from one to the other, and what
 * was not freed takes its name from others of its sizes, if those agree.
 */
#include <stdlib.h>
#include <string.h>

#include "import_text.h"
#include "map.h"
#include "result.h"
#include "trace.h"
#include "util.h"

#define PROGRESS_LINES	65536

/* Of sizes that more than one name has */
#define AMBIGUOUS	UINT32_MAX

struct options {
	const char *input;
	const char *output;
	bool kmalloc;
	struct result_options result;
};

struct event {
	uint64_t time;
	uint64_t obj;
	uint32_t gfp;
	uint32_t name;		/* 0: not known (yet) */
	uint32_t sizes;		/* of an allocation, +1; of its free as well */
	uint16_t cpu;
	bool free;
	bool accounted;
};

struct sizes {
	uint32_t req, alloc;
	uint32_t name;		/* of allocations that have one: 0, the name, or AMBIGUOUS */
};

struct counts {
	uint64_t lines, foreign, other, kmalloc, kfree, failed, damaged, lost;
	uint64_t back;		/* lines older than the one before */
	uint64_t implied;	/* frees that nobody saw, put in */
	uint64_t own_name, by_free, by_size, unnamed;	/* allocations */
	uint64_t too_many;	/* of more caches than a trace can have */
	uint64_t first_damaged;	/* its line, from 1 */
	const char *lacks;	/* what that has not */
};

struct importer {
	const struct options *o;
	struct event *events;
	size_t nr, room;
	struct map live;	/* object to number of its allocation, +1; 0: freed */
	char **names;		/* [0] is none */
	uint32_t nr_names;
	struct map by_name;
	struct sizes *sizes;
	uint32_t nr_sizes;
	struct map by_sizes;	/* +1 */
	struct trace_cache *caches;
	unsigned int nr_caches;
	struct map by_key;	/* name and sizes, to its cache */
	uint32_t *first_cache;	/* by name */
	unsigned int nr_cpus;
	struct counts n;
	char *kernel, *machine, *command;
};

static uint32_t name_number(struct importer *im, const char *name)
{
	uint32_t *nr;

	if (!*name)
		return 0;
	nr = map_put(&im->by_name, map_name_key(name));
	if (!*nr) {
		*nr = im->nr_names++;
		im->names = xrealloc(im->names, im->nr_names * sizeof(*im->names));
		im->names[*nr] = xprintf("%s", name);
	}
	return *nr;
}

static uint32_t sizes_number(struct importer *im, uint64_t req, uint64_t alloc)
{
	/* Never 0: what has no bytes is none. */
	uint32_t *nr = map_put(&im->by_sizes, (req << 32 | alloc) + 1);

	if (!*nr) {
		im->sizes = xrealloc(im->sizes, (im->nr_sizes + 1) * sizeof(*im->sizes));
		im->sizes[im->nr_sizes] = (struct sizes){ .req = req, .alloc = alloc };
		*nr = ++im->nr_sizes;
	}
	return *nr;
}

static struct event *push(struct importer *im, const struct line *l, bool free)
{
	struct event *ev;

	if (im->nr == im->room) {
		im->room += im->room / 2 + 4096;
		im->events = xrealloc(im->events, im->room * sizeof(*im->events));
	}
	ev = &im->events[im->nr++];
	*ev = (struct event){ .time = l->time, .obj = l->obj, .cpu = l->cpu, .free = free };
	if (l->cpu >= im->nr_cpus)
		im->nr_cpus = l->cpu + 1;
	return ev;
}

static void take_alloc(struct importer *im, const struct line *l, bool kmalloc)
{
	struct event *ev = push(im, l, false);
	char name[32];

	ev->gfp = l->gfp;
	ev->accounted = l->accounted;
	if (kmalloc) {
		/* A cache for each size that kmalloc() rounds up to */
		snprintf(name, sizeof(name), "kmalloc-%llu", (unsigned long long)l->bytes_alloc);
		ev->sizes = sizes_number(im, l->bytes_alloc, l->bytes_alloc);
		ev->name = name_number(im, name);
	} else {
		ev->sizes = sizes_number(im, l->bytes_req, l->bytes_alloc);
		ev->name = name_number(im, l->name);
	}
	im->n.own_name += !!ev->name;
	*map_put(&im->live, l->obj) = im->nr;
}

/* The object's life ends; false when its beginning was not seen. */
static bool take_free(struct importer *im, const struct line *l, uint32_t name)
{
	uint32_t *live = map_get(&im->live, l->obj);
	struct event *alloc, *ev;

	if (!live || !*live)
		return false;
	ev = push(im, l, true);
	alloc = &im->events[*live - 1];
	if (!alloc->name && name) {
		alloc->name = name;
		im->n.by_free++;
	}
	ev->name = alloc->name;
	ev->sizes = alloc->sizes;
	*live = 0;
	return true;
}

/* "# os release : 6.12" of perf script --header */
static void take_header(const char *text, const char *key, char **value)
{
	const char *colon = strchr(text, ':');

	if (*value || *text != '#' || strncmp(text + 1 + strspn(text + 1, " "), key, strlen(key)) ||
	    !colon)
		return;
	colon += 1 + strspn(colon + 1, " ");
	*value = xprintf("%.*s", (int)strcspn(colon, "\r\n"), colon);
}

static void take_damaged(struct importer *im, const char *lacks)
{
	if (im->n.damaged++)
		return;
	im->n.first_damaged = im->n.lines;
	im->n.lacks = lacks;
}

static void take_line(struct importer *im, char *text)
{
	static uint64_t last;
	struct line l;

	im->n.lines++;
	take_header(text, "os release", &im->kernel);
	take_header(text, "arch ", &im->machine);
	take_header(text, "cmdline", &im->command);
	line_parse(text, &l);
	switch (l.kind) {
	case LINE_OTHER:
		im->n.other++;
		return;
	case LINE_FOREIGN:
		im->n.foreign++;
		return;
	case LINE_FAILED:
		im->n.failed++;
		return;
	case LINE_DAMAGED:
		take_damaged(im, l.lacks);
		return;
	case LINE_LOST:
		im->n.lost += l.lost;
		return;
	case LINE_ALLOC:
		take_alloc(im, &l, false);
		break;
	case LINE_KMALLOC:
		if (im->o->kmalloc) {
			take_alloc(im, &l, true);
			break;
		}
		im->n.kmalloc++;
		/* Somebody else's memory now: its free was not seen. */
		if (!take_free(im, &l, 0))
			return;
		im->n.implied++;
		break;
	case LINE_FREE:
		if (!take_free(im, &l, name_number(im, l.name)))
			push(im, &l, true)->name = name_number(im, l.name);
		break;
	case LINE_KFREE:
		/* It frees objects of caches, too. */
		if (!take_free(im, &l, 0)) {
			im->n.kfree++;
			return;
		}
		break;
	}
	im->n.back += l.time < last;
	last = l.time;
}

static int read_lines(struct importer *im)
{
	bool is_stdin = !strcmp(im->o->input, "-");
	FILE *file = is_stdin ? stdin : fopen(im->o->input, "re");
	char *text;
	int ret = 0;

	if (!file) {
		say("cannot open %s: %m", path_name(im->o->input));
		return -1;
	}
	text = xalloc(LINE_ROOM);
	while (line_read(file, text)) {
		take_line(im, text);
		if (im->n.lines % PROGRESS_LINES)
			continue;
		progress("%s lines  %s operations", commas(im->n.lines), commas(im->nr));
	}
	free(text);
	progress_end();
	if (ferror(file)) {
		say("cannot read %s: %m", im->o->input);
		ret = -1;
	}
	if (!is_stdin)
		fclose(file);
	return ret;
}

/* Names for allocations whose free did not come: those of their sizes, if they agree. */
static void name_by_size(struct importer *im)
{
	char name[32];
	size_t i;

	for (i = 0; i < im->nr; i++) {
		const struct event *ev = &im->events[i];
		struct sizes *s;

		if (ev->free || !ev->name)
			continue;
		s = &im->sizes[ev->sizes - 1];
		if (!s->name)
			s->name = ev->name;
		else if (s->name != ev->name)
			s->name = AMBIGUOUS;
	}
	for (i = 0; i < im->nr; i++) {
		struct event *ev = &im->events[i];
		const struct sizes *s;

		if (ev->name)
			continue;
		/* A free without a name, by kfree(), has the sizes of its allocation. */
		s = &im->sizes[ev->sizes - 1];
		if (s->name && s->name != AMBIGUOUS) {
			ev->name = s->name;
			im->n.by_size += !ev->free;
			continue;
		}
		snprintf(name, sizeof(name), "size-%u", s->req);
		ev->name = name_number(im, name);
		im->n.unnamed += !ev->free;
	}
}

/* The least alignment that makes the one size of the other */
static uint32_t likely_align(uint32_t req, uint32_t alloc)
{
	uint64_t align;

	for (align = 8; align <= 4096; align *= 2)
		if ((req + align - 1) / align * align == alloc)
			return align;
	return 8;
}

/* The cache of an event; TRACE_CACHE_ANY when there are too many. */
static unsigned int cache_number(struct importer *im, const struct event *ev)
{
	struct trace_cache *c;
	uint32_t *nr;

	/* A free of what was not seen has a name alone: the first cache with it. */
	if (!ev->sizes && im->first_cache[ev->name])
		return im->first_cache[ev->name];
	nr = map_put(&im->by_key, ((uint64_t)ev->name << 32 | ev->sizes) + 1);
	if (*nr)
		return *nr;
	if (im->nr_caches > UINT16_MAX)
		return TRACE_CACHE_ANY;
	im->caches = xrealloc(im->caches, (im->nr_caches + 1) * sizeof(*im->caches));
	c = &im->caches[im->nr_caches];
	*c = (struct trace_cache){ .name = im->names[ev->name] };
	if (ev->sizes) {
		const struct sizes *s = &im->sizes[ev->sizes - 1];

		c->size = s->req;
		c->align = likely_align(s->req, s->alloc);
		c->flags = TRACE_CF_KNOWN | TRACE_CF_ACCOUNT;
	}
	*nr = im->nr_caches++;
	if (!im->first_cache[ev->name])
		im->first_cache[ev->name] = *nr;
	return *nr;
}

static char *info_text(const struct importer *im)
{
	return xprintf("kernel=%s\nmachine=%s\nmethod=import\nclock=text\ncommand=%s\n",
		       im->kernel ? im->kernel : "unknown", im->machine ? im->machine : "unknown",
		       im->command ? im->command : im->o->input);
}

static int write_trace(struct importer *im, struct trace_totals *totals)
{
	struct trace_writer *w;
	uint64_t time = 0;
	char *info;
	size_t i;

	info = info_text(im);
	w = trace_create(im->o->output, im->nr_cpus, info);
	free(info);
	if (!w)
		goto err_write;
	im->caches = xalloc(sizeof(*im->caches));
	im->nr_caches = 1;
	im->first_cache = xalloc(im->nr_names * sizeof(*im->first_cache));
	for (i = 0; i < im->nr; i++) {
		const struct event *ev = &im->events[i];
		struct trace_rec rec = { .obj = ev->obj, .gfp = ev->gfp, .cpu = ev->cpu,
					 .free = ev->free };

		rec.cache = cache_number(im, ev);
		if (rec.cache == TRACE_CACHE_ANY && !ev->free) {
			im->n.too_many++;
			continue;
		}
		if (!ev->free && !ev->accounted)
			im->caches[rec.cache].flags &= ~TRACE_CF_ACCOUNT;
		/* Texts round to microseconds: the order of lines is what counts. */
		time = ev->time > time ? ev->time : time + 1;
		rec.time = time;
		if (trace_write(w, &rec)) {
			trace_abort(w);
			goto err_write;
		}
	}
	totals->lost = im->n.lost + im->n.damaged;
	totals->unpaired = im->n.too_many;
	totals->ns = time - im->events[0].time;
	if (!trace_finish(w, im->caches, im->nr_caches, totals))
		return 0;
err_write:
	say("cannot write %s: %m", path_name(im->o->output));
	return -1;
}

static void print(const struct importer *im, const struct trace_totals *t)
{
	const struct counts *n = &im->n;

	printf("%s: %s (%s, %s) of %s in %.1f s\n", im->o->output,
	       counted(t->records, "operation", "operations"),
	       counted(t->allocs, "allocation", "allocations"),
	       counted(t->records - t->allocs, "free", "frees"),
	       counted(im->nr_caches - 1, "cache", "caches"), t->ns / 1e9);
	printf("of the allocations %s carried their cache's name, %s have it from their free,\n",
	       commas(n->own_name), commas(n->by_free));
	printf("%s from others of their sizes, and %s are named by size alone\n",
	       commas(n->by_size), commas(n->unnamed));
	printf("of its %s these were not used:\n", counted(n->lines, "line", "lines"));
	printf("  %12s damaged, and %s lost by the tracer\n", commas(n->damaged),
	       counted(n->lost, "event", "events"));
	if (n->damaged)
		printf("  %12s the first is line %s: no %s\n", "", commas(n->first_damaged),
		       n->lacks);
	printf("  %12s allocations of kmalloc%s\n", commas(n->kmalloc),
	       im->o->kmalloc ? "" : " (--kmalloc takes them)");
	printf("  %12s kfree of objects that were not seen\n", commas(n->kfree));
	printf("  %12s allocations that failed, and frees of NULL\n", commas(n->failed));
	printf("  %12s of other events, and %s that are none\n", commas(n->foreign),
	       commas(n->other));
	if (n->implied)
		printf("%s put in, where kmalloc has the address\n",
		       counted(n->implied, "free that nobody saw was",
			       "frees that nobody saw were"));
	if (n->back)
		printf("%s; the order of lines was taken\n",
		       counted(n->back, "line is older than the one before it",
			       "lines are older than the one before them"));
}

static json_t *to_json(const struct importer *im, const struct trace_totals *t)
{
	struct {
		const char *key;
		json_int_t value;
	} numbers[] = {
		{ "operations", t->records }, { "allocations", t->allocs },
		{ "frees", t->records - t->allocs }, { "caches", im->nr_caches - 1 },
		{ "ns", t->ns }, { "lines", im->n.lines }, { "damaged", im->n.damaged },
		{ "lost", im->n.lost }, { "kmalloc_not_used", im->n.kmalloc },
		{ "kfree_not_used", im->n.kfree }, { "null_objects", im->n.failed },
		{ "other_events", im->n.foreign }, { "other_lines", im->n.other },
		{ "named_by_themselves", im->n.own_name }, { "named_by_free", im->n.by_free },
		{ "named_by_others_of_the_size", im->n.by_size },
		{ "named_by_size_alone", im->n.unnamed }, { "implied_frees", im->n.implied },
		{ "lines_out_of_order", im->n.back }, { "of_too_many_caches", im->n.too_many },
	};
	json_t *json;
	size_t i;

	json = json_pack("{s:s, s:o, s:o}", "schema", "kmag.import/1",
			 "text", json_text(im->o->input), "file", json_text(im->o->output));
	for (i = 0; i < ARRAY_SIZE(numbers); i++)
		json_object_set_new(json, numbers[i].key, json_integer(numbers[i].value));
	if (im->n.damaged) {
		json_object_set_new(json, "first_damaged_line",
				    json_integer(im->n.first_damaged));
		json_object_set_new(json, "first_damaged_lacks", json_string(im->n.lacks));
	}
	return json;
}

/* ": the first, line 7, has no CPU", or nothing */
static char *first_damaged(const struct importer *im)
{
	if (!im->n.damaged)
		return xprintf("%s", "");
	return xprintf(": the first, line %s, has no %s", commas(im->n.first_damaged),
		       im->n.lacks);
}

static int import(struct importer *im)
{
	struct trace_totals totals = {};
	json_t *json;
	char *first;

	if (read_lines(im))
		return KMAG_EXIT_FAILED;
	if (!im->nr) {
		first = first_damaged(im);
		say("%s has no allocation or free of an object cache in %s, %s of them damaged%s",
		    im->o->input, counted(im->n.lines, "line", "lines"),
		    commas(im->n.damaged), first);
		free(first);
		return KMAG_EXIT_FAILED;
	}
	name_by_size(im);
	if (write_trace(im, &totals))
		return KMAG_EXIT_FAILED;
	json = to_json(im, &totals);
	if (!im->o->result.json)
		print(im, &totals);
	if (result_tell(&im->o->result, json))
		return KMAG_EXIT_FAILED;
	if (totals.lost * 1000 > (totals.records + totals.lost) * TRACE_LOST_PER_MILLE) {
		first = first_damaged(im);
		say("%s lost and %s damaged, over %u in a thousand; the rest is in %s%s",
		    counted(im->n.lost, "event was", "events were"),
		    counted(im->n.damaged, "line is", "lines are"), TRACE_LOST_PER_MILLE,
		    im->o->output, first);
		free(first);
		return KMAG_EXIT_FAILED;
	}
	return KMAG_EXIT_OK;
}

static void importer_free(struct importer *im)
{
	uint32_t i;

	for (i = 0; i < im->nr_names; i++)
		free(im->names[i]);
	free(im->names);
	free(im->events);
	free(im->sizes);
	free(im->caches);
	free(im->first_cache);
	free(im->kernel);
	free(im->machine);
	free(im->command);
	map_free(&im->live);
	map_free(&im->by_name);
	map_free(&im->by_sizes);
	map_free(&im->by_key);
}

static const struct argp_option options[] = {
	{ "output", 'o', "FILE", 0, "Write the recording to FILE (kmag.trace)", 0 },
	{ "kmalloc", 'k', NULL, 0, "Take kmalloc and kfree too, a cache for each size", 0 },
	{}
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &o->result;
		return 0;
	case 'o':
		o->output = arg;
		return 0;
	case 'k':
		o->kmalloc = true;
		return 0;
	case ARGP_KEY_ARG:
		if (o->input)
			argp_error(state, "one text at a time");
		o->input = arg;
		return 0;
	case ARGP_KEY_END:
		if (!o->input)
			argp_error(state, "there is no text to import; - is standard input");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int cmd_import(int argc, char **argv)
{
	static const struct argp argp = {
		options, parse, "TEXT",
		"Make a recording of the file TEXT (- is standard input) of perf script, trace-cmd report or tracefs.\vIt needs the kernel's events kmem:kmem_cache_alloc and kmem:kmem_cache_free.\n"
		"What cannot be used is counted.\n"
		"Exit status 1 if over 1 in 1000 was lost or damaged; the recording is kept.",
		result_argp, NULL, NULL };
	struct options o = { .output = "kmag.trace" };
	struct importer im = { .o = &o, .nr_names = 1, .names = xalloc(sizeof(*im.names)) };
	const char *from;
	int ret;

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	from = strcmp(o.input, "-") ? o.input : "/dev/stdin";
	ret = would_overwrite(o.output, from) || would_overwrite(o.result.report, from) ||
	      would_collide(o.output, o.result.report) ? KMAG_EXIT_USAGE : import(&im);
	importer_free(&im);
	return ret;
}
