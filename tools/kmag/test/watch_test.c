// SPDX-License-Identifier: GPL-2.0
/*
 * kmag watch without a kernel: rows, order and columns of made-up snapshots,
 * and the screen in a terminal of its own. Prints TAP; exits 1 when a test
 * fails. "watch_test demo" shows the screen to whoever wants to look.
 */
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utmp.h>

#include "../util.h"
#include "../watch.h"
#include "tap.h"

#define NR_CACHES	40
#define NR_BUSY		39
#define WAIT_MS		5000

struct maker {
	unsigned int calls;
	unsigned int fail_at;	/* 0: never */
};

/*
 * Of 1000 operations of cache @i, those that layer @k served. What the depot,
 * slabs and pages did of busy caches are three orders of 1 to NR_BUSY.
 */
static unsigned int served(unsigned int i, unsigned int k)
{
	static const unsigned int steps[] = { 0, 7, 11, 16 };

	if (k)
		return i * steps[k] % NR_BUSY + 1;
	return 1000 - served(i, 1) - served(i, 2) - served(i, 3);
}

/* Cache i has i + 1 slabs, of which it needs half; the last one is quiet. */
static int make(void *arg, struct snapshot *s)
{
	struct maker *m = arg;
	unsigned int i, k;

	if (++m->calls == m->fail_at) {
		say("the maker is tired");
		return -1;
	}
	*s = (struct snapshot){ .time_ns = m->calls * 500000000ULL, .nr = NR_CACHES };
	s->caches = xalloc(NR_CACHES * sizeof(*s->caches));
	for (i = 0; i < NR_CACHES; i++) {
		struct kmag_snap_cache *c = &s->caches[i].c;

		snprintf(c->name, sizeof(c->name), "%s%02u", i == 7 ? "\033[31m" : "cache", i);
		c->id = i + 1;
		c->live = 1000 * i;
		c->slab_bytes = 4096 * (i + 1);
		c->needed_bytes = 4096 * ((i + 1) / 2);
		for (k = 0; k < 4 && i < NR_BUSY; k++) {
			c->stats[KMAG_ALLOC_MAG + k] = m->calls * (i + 1) * served(i, k);
			c->stats[KMAG_FREE_MAG + k] = c->stats[KMAG_ALLOC_MAG + k];
		}
	}
	return 0;
}

static const struct watch_row *row(const struct watch_table *t, const char *name)
{
	unsigned int i;

	for (i = 0; i < t->nr; i++)
		if (!strcmp(t->rows[i].name, name))
			return &t->rows[i];
	return NULL;
}

static void test_rows(void)
{
	struct maker m = {};
	struct watch_source source = { make, &m };
	struct watch_table t = {};
	const struct watch_row *r;
	unsigned int i, k, wrong = 0;
	uint64_t sum = 0;

	watch_take(&t, &source);
	r = row(&t, "cache04-5");
	result(t.nr == NR_CACHES && !t.ns && r && r->ops == 2 * 5 * 1000 && r->held == 5 * 4096 &&
	       r->needed == 2 * 4096 && r->live == 4000, "a row, of all time at first", NULL);
	result(!strcmp(t.rows[0].name, "cache39-40") && !strcmp(t.rows[39].name, "cache00-1"),
	       "most bytes come first", NULL);
	m.calls = 3;
	watch_take(&t, &source);
	r = row(&t, "cache04-5");
	for (k = 0; r && k < 4; k++)
		if (r->tiers[k] != 3 * 2 * 5 * served(4, k))
			wrong++;
	result(t.ns == 1500000000 && r && r->ops == 3 * 2 * 5 * 1000 && !wrong,
	       "then of the time since", NULL);
	for (i = 0; i < t.nr; i++)
		sum += t.rows[i].held;
	result(t.total.held == sum, "rows add up to the total", NULL);
	result(row(&t, "?[31m07-8"), "control characters are not shown", NULL);
	/* Counters that went back are another cache's. */
	m.calls = 0;
	watch_take(&t, &source);
	r = row(&t, "cache04-5");
	result(r && !r->ops && !t.ns, "time and counters that went back", NULL);
	watch_free(&t);
}

/* The number that make() gave a cache; names end with the id. */
static unsigned int number(const struct watch_row *r)
{
	return atoi(strrchr(r->name, '-') + 1) - 1;
}

/* Most of a layer's share first, of equal ones by name; the quiet one last. */
static bool in_order(const struct watch_table *t, unsigned int layer)
{
	unsigned int i, a, b;

	for (i = 1; i < NR_BUSY; i++) {
		a = served(number(&t->rows[i - 1]), layer);
		b = served(number(&t->rows[i]), layer);
		if (a < b || (a == b && strcmp(t->rows[i - 1].name, t->rows[i].name) > 0))
			return false;
	}
	return number(&t->rows[NR_BUSY]) == NR_BUSY;
}

static void test_order(void)
{
	/* Who is first by each key; by a layer's share in_order() knows. */
	static const char * const first[NR_WATCH_KEYS] = {
		[WATCH_HELD] = "cache39-40", [WATCH_NAME] = "?[31m07-8",
		[WATCH_LIVE] = "cache39-40", [WATCH_RATIO] = "cache00-1",
		[WATCH_BACK] = "cache38-39", [WATCH_OPS] = "cache38-39",
	};
	struct maker m = {};
	struct watch_source source = { make, &m };
	struct watch_table t = {};
	const char *why = NULL;
	unsigned int k, other;

	watch_take(&t, &source);
	for (k = 0; k < NR_WATCH_KEYS; k++) {
		t.sort = k;
		watch_sort(&t);
		if (first[k] && strcmp(t.rows[0].name, first[k]))
			why = watch_keys[k];
		/* Of no other layer is this the order. */
		for (other = 0; !first[k] && other < 4; other++)
			if (in_order(&t, other) != (other == k - WATCH_MAGAZINE))
				why = watch_keys[k];
	}
	result(!why, "every key sorts", why);
	watch_free(&t);
}

/* The cell below a word of the head: both end at the same place. */
static char *cell(const char *head, const char *line, const char *word)
{
	const char *at = strstr(head, word), *end, *start;

	if (!at)
		return xprintf("no %s", word);
	end = line + (at - head) + strlen(word);
	for (start = end; start > line && start[-1] != ' '; start--)
		;
	return xprintf("%.*s", (int)(end - start), start);
}

static void test_cells(void)
{
	static const char * const words[] = { "MAG%", "DEPOT%", "SLAB%", "PAGE%" };
	static const struct {
		const char *word, *want;
	} of_five[] = {
		{ "LIVE", "4,000" }, { "HELD", "KiB" }, { "RATIO", "2.50" }, { "OPS/S", "20,000" },
	};
	char head[WATCH_LINE_MAX], line[WATCH_LINE_MAX], want[32], *got, *why = NULL;
	struct maker m = {};
	struct watch_source source = { make, &m };
	struct watch_table t = {};
	unsigned int i, k;

	watch_take(&t, &source);
	watch_take(&t, &source);
	watch_format_head(&t, head, WATCH_LINE_MAX - 1);
	for (i = 0; i < t.nr; i++) {
		watch_format_row(&t, &t.rows[i], line, WATCH_LINE_MAX - 1);
		for (k = 0; k < 4; k++) {
			snprintf(want, sizeof(want), "%.2f", served(number(&t.rows[i]), k) / 10.0);
			if (number(&t.rows[i]) == NR_BUSY)
				snprintf(want, sizeof(want), "-");
			got = cell(head, line, words[k]);
			if (strcmp(got, want) && !why)
				why = xprintf("%s of %s is %s, not %s", words[k], t.rows[i].name,
					      got, want);
			free(got);
		}
	}
	result(!why, "shares stand below their heads", why);
	free(why);
	why = NULL;
	watch_format_row(&t, row(&t, "cache04-5"), line, WATCH_LINE_MAX - 1);
	for (k = 0; k < ARRAY_SIZE(of_five); k++) {
		got = cell(head, line, of_five[k].word);
		if (strcmp(got, of_five[k].want) && !why)
			why = xprintf("%s is %s", of_five[k].word, got);
		free(got);
	}
	result(!why && strstr(line, " 20.0 KiB") && strstr(line, " 8.0 KiB") &&
	       strstr(line, " 12.0 KiB"), "and so does the rest", why);
	free(why);
	watch_free(&t);
}

static void test_columns(void)
{
	char line[WATCH_LINE_MAX], *why = NULL;
	struct maker m = {};
	struct watch_source source = { make, &m };
	struct watch_table t = {};
	int width;

	watch_take(&t, &source);
	for (width = 0; width < 2 * WATCH_LINE_MAX; width++) {
		watch_format_row(&t, &t.rows[0], line, width);
		if (strlen(line) > (size_t)width)
			why = xprintf("a row is wider than %d", width);
		watch_format_head(&t, line, width);
		if (strlen(line) > (size_t)width)
			why = xprintf("the head is wider than %d", width);
		if (width >= 30 && !strstr(line, "HELD"))
			why = xprintf("at %d there is nothing but names", width);
		if (width >= 80 && (!strstr(line, "PAGE%") || !strstr(line, "RATIO") ||
				    !strstr(line, "OPS/S")))
			why = xprintf("at %d a column is missing", width);
		if (width >= 130 && (!strstr(line, "BACK") || !strstr(line, "LIVE")))
			why = xprintf("at %d there is room for more", width);
	}
	result(!why, "columns fit any width", why);
	free(why);
	watch_free(&t);
}

struct terminal {
	int fd;
	pid_t pid;
	char seen[1 << 20];
	size_t len;
};

static void open_terminal(struct terminal *t, const char *name, unsigned int fail_at)
{
	struct winsize size = { .ws_row = 24, .ws_col = 80 };

	t->len = 0;
	t->pid = forkpty(&t->fd, NULL, NULL, &size);
	if (t->pid < 0)
		exit(1);
	if (!t->pid) {
		struct maker m = { .fail_at = fail_at };
		struct watch_source source = { make, &m };
		struct watch_options o = { .interval = 0.2 };
		struct watch_table table = {};

		setenv("TERM", name, 1);
		_exit(watch_screen(&table, &source, &o) & 0xff);
	}
}

/* Reads until @text has come; false when it does not. NULL: until the end */
static bool see(struct terminal *t, const char *text)
{
	struct pollfd p = { .fd = t->fd, .events = POLLIN };
	ssize_t got;

	while (t->len < sizeof(t->seen) - 1) {
		if (text && memmem(t->seen, t->len, text, strlen(text)))
			return true;
		if (poll(&p, 1, WAIT_MS) <= 0)
			return false;
		got = read(t->fd, t->seen + t->len, sizeof(t->seen) - 1 - t->len);
		if (got <= 0)
			return !text;
		t->len += got;
		t->seen[t->len] = '\0';
	}
	return false;
}

static void forget(struct terminal *t)
{
	t->len = 0;
}

static void keys(struct terminal *t, const char *text)
{
	if (write(t->fd, text, strlen(text)) < 0)
		exit(1);
}

/* The end: its status, and whether the screen was given back. */
static int end(struct terminal *t, bool *restored)
{
	int status = 0;

	*restored = see(t, "\033[?1049l");
	see(t, NULL);
	waitpid(t->pid, &status, 0);
	close(t->fd);
	return status;
}

static bool same_terminal(const struct termios *a, const struct termios *b)
{
	return a->c_iflag == b->c_iflag && a->c_oflag == b->c_oflag && a->c_cflag == b->c_cflag &&
	       a->c_lflag == b->c_lflag && !memcmp(a->c_cc, b->c_cc, sizeof(a->c_cc));
}

static void test_screen(void)
{
	static struct terminal t;
	struct winsize wide = { .ws_row = 50, .ws_col = 140 }, tiny = { .ws_row = 3, .ws_col = 9 };
	struct termios during;
	bool restored;
	int status;

	open_terminal(&t, "xterm", 0);
	result(see(&t, "40 caches by held; operations since they were made") &&
	       see(&t, "cache39-40") && see(&t, "sort: h)eld"), "a screen", NULL);
	/* Its settings are seen from this side, too. */
	tcgetattr(t.fd, &during);
	result(see(&t, "\033[?1049h") && !(during.c_lflag & (ECHO | ICANON)),
	       "the terminal is taken", NULL);
	forget(&t);
	keys(&t, "n");
	result(see(&t, "name") && see(&t, "00-1"), "a key sorts", NULL);
	result(see(&t, "last 0.50"), "it refreshes", NULL);
	forget(&t);
	keys(&t, "\033OF\033[6~\033[6~\033[6~");
	result(see(&t, "cache39-40"), "pages scroll to the end", NULL);
	forget(&t);
	ioctl(t.fd, TIOCSWINSZ, &wide);
	result(see(&t, "BACK") && see(&t, "LIVE"), "a larger terminal shows more", NULL);
	ioctl(t.fd, TIOCSWINSZ, &tiny);
	usleep(300000);
	forget(&t);
	ioctl(t.fd, TIOCSWINSZ, &wide);
	result(see(&t, "BACK"), "it outlives a tiny one", NULL);
	keys(&t, "q");
	status = end(&t, &restored);
	result(restored && WIFEXITED(status) && !WEXITSTATUS(status), "q leaves", NULL);
}

static void test_ends(void)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT };
	static struct terminal t;
	struct winsize size = { .ws_row = 24, .ws_col = 80 };
	struct termios before, after;
	int status, master, slave;
	bool restored;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(signals); i++) {
		char *name = xprintf("signal %d puts the terminal back", signals[i]);

		/* This process holds the terminal open, to look at it afterwards. */
		if (openpty(&master, &slave, NULL, NULL, &size))
			exit(1);
		tcgetattr(slave, &before);
		t.len = 0;
		t.fd = master;
		t.pid = fork();
		if (!t.pid) {
			struct maker m = {};
			struct watch_source source = { make, &m };
			struct watch_options o = { .interval = 3600 };
			struct watch_table table = {};

			close(master);
			login_tty(slave);
			setenv("TERM", "xterm", 1);
			_exit(watch_screen(&table, &source, &o) & 0xff);
		}
		see(&t, "sort: h)eld");
		usleep(100000);
		kill(t.pid, signals[i]);
		restored = see(&t, "\033[?1049l");
		waitpid(t.pid, &status, 0);
		tcgetattr(slave, &after);
		result(restored && WIFSIGNALED(status) && WTERMSIG(status) == signals[i] &&
		       same_terminal(&before, &after), name, NULL);
		close(slave);
		close(master);
		free(name);
	}
	open_terminal(&t, "xterm", 3);
	status = end(&t, &restored);
	result(restored && WIFEXITED(status) && WEXITSTATUS(status) == KMAG_EXIT_FAILED &&
	       strstr(strstr(t.seen, "\033[?1049l"), "the maker is tired"),
	       "what goes wrong is told on the old screen", NULL);
	open_terminal(&t, "nosuchterm", 0);
	result(see(&t, "the terminal 'nosuchterm' is unknown"), "an unknown terminal is told",
	       NULL);
	end(&t, &restored);
	open_terminal(&t, "dumb", 0);
	result(see(&t, "the terminal 'dumb' is unknown here or cannot"), "so is one without a cursor",
	       NULL);
	end(&t, &restored);
}

static void test_names(void)
{
	char *none = "nosuch", *all = "*";
	struct maker m = {};
	struct watch_source source = { make, &m };
	struct watch_table t = { .names = &none, .nr_names = 1 };

	result(watch_take(&t, &source), "a name that is no cache's", NULL);
	watch_free(&t);
	t = (struct watch_table){ .names = &all, .nr_names = 1 };
	result(!watch_take(&t, &source) && t.nr, "one of all caches", NULL);
	t.names = &none;
	result(!watch_take(&t, &source) && !t.nr, "caches that are gone meanwhile", NULL);
	watch_free(&t);
}

static int demo(void)
{
	struct maker m = {};
	struct watch_source source = { make, &m };
	struct watch_options o = { .interval = 1 };
	struct watch_table t = {};

	return watch_screen(&t, &source, &o);
}

int main(int argc, char **argv)
{
	kmag_command = "watch";
	if (argc > 1 && !strcmp(argv[1], "demo"))
		return demo();
	plan(28);
	test_rows();
	test_names();
	test_order();
	test_cells();
	test_columns();
	test_screen();
	test_ends();
	return finished();
}
