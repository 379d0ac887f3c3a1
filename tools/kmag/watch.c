// SPDX-License-Identifier: GPL-2.0
/* kmag watch: caches as they change, in a terminal or as plain lines. */
#include <argp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "result.h"
#include "util.h"
#include "watch.h"

/* us */
#define INTERVAL_MIN	100000
#define INTERVAL_MAX	3600000000
#define PLAIN_WIDTH	(WATCH_LINE_MAX - 1)

struct options {
	struct watch_options watch;
	struct watch_table table;
	bool plain;
};

static int next(void *arg, struct snapshot *s)
{
	return dev_snapshot(*(int *)arg, s);
}

static int plain(struct watch_table *t, const struct watch_source *source,
		 const struct watch_options *o)
{
	struct timespec pause = { o->interval, (o->interval - (time_t)o->interval) * 1e9 };
	char line[WATCH_LINE_MAX];
	unsigned long n;
	unsigned int i;

	for (n = 1; ; n++) {
		if (watch_take(t, source))
			return KMAG_EXIT_FAILED;
		watch_format_title(t, line, PLAIN_WIDTH);
		printf("%s%s\n", n > 1 ? "\n" : "", line);
		watch_format_head(t, line, PLAIN_WIDTH);
		puts(line);
		for (i = 0; i < t->nr; i++) {
			watch_format_row(t, &t->rows[i], line, PLAIN_WIDTH);
			puts(line);
		}
		watch_format_row(t, &t->total, line, PLAIN_WIDTH);
		puts(line);
		if (stdout_failed())
			return KMAG_EXIT_FAILED;
		if (n == o->count)
			return KMAG_EXIT_OK;
		nanosleep(&pause, NULL);
	}
}

static int watch(struct options *o)
{
	struct kmag_ioc_info info;
	struct watch_source source = { .next = next };
	int fd, ret = -1;

	fd = dev_open(&info);
	if (fd < 0)
		return KMAG_EXIT_MISSING;
	source.arg = &fd;
	if (!o->plain && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO))
		ret = watch_screen(&o->table, &source, &o->watch);
	if (ret < 0)
		ret = plain(&o->table, &source, &o->watch);
	watch_free(&o->table);
	close(fd);
	return ret;
}

enum { KEY_PLAIN = 256 };

static const struct argp_option options[] = {
	{ "interval", 'd', "TIME", 0, "From one refresh to the next, as 5s or 500ms (2s)", 0 },
	{ "count", 'n', "N", 0, "End after N refreshes", 0 },
	{ "sort", 's', "KEY", 0,
	  "held, name, live, ratio, back, operations, magazine, depot, slab or page: what comes first (held)",
	  0 },
	{ "plain", KEY_PLAIN, NULL, 0, "Print lines, in a terminal too", 0 },
	{}
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case 'd':
		o->watch.interval = option_time(state, "interval", arg, INTERVAL_MIN,
						INTERVAL_MAX) / 1e6;
		return 0;
	case 'n':
		o->watch.count = option_number(state, "count", arg, 1, 1000000000);
		return 0;
	case 's':
		o->table.sort = option_word(state, "sort", arg, watch_keys, NR_WATCH_KEYS);
		return 0;
	case KEY_PLAIN:
		o->plain = true;
		return 0;
	case ARGP_KEY_ARGS:
		o->table.names = state->argv + state->next;
		o->table.nr_names = state->argc - state->next;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int cmd_watch(int argc, char **argv)
{
	static const struct argp argp = {
		options, parse, "[CACHE...]",
		"Show caches as they change: bytes held and needed, and where operations were served.\vCACHE is a name, or name-id as in debugfs; shell patterns are taken.\n"
		"In a terminal the first letter of a sort key sorts by it, arrows scroll and q leaves; without one, or with --plain, a table is printed at each refresh.\n"
		"RATIO is held by needed; MAG%, DEPOT%, SLAB% and PAGE% are where operations since the last refresh were served.",
		NULL, NULL, NULL };
	struct options o = { .watch.interval = 2 };

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	return watch(&o);
}
