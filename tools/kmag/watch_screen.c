// SPDX-License-Identifier: GPL-2.0
/*
 * kmag watch in a terminal. Signals that would end the program are held back
 * except while it waits, so that the terminal is always put back first; of a
 * new size and of being stopped and continued ncurses takes care.
 */
#include <curses.h>
#include <errno.h>
#include <locale.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stop.h"
#include "util.h"
#include "watch.h"

struct screen {
	struct watch_table *t;
	const struct watch_options *o;
	unsigned int top;	/* first row that is shown */
	sigset_t waiting;	/* held back while waiting */
};

/* Lines beside the rows: title, blank, head above; total and keys below */
#define LINES_ABOVE	3
#define LINES_BELOW	2

static unsigned int room(void)
{
	int left = LINES - LINES_ABOVE - LINES_BELOW;

	return left > 0 ? left : 0;
}

static void put(int y, const char *line, attr_t attr)
{
	attrset(attr);
	mvaddnstr(y, 0, line, COLS);
	attrset(A_NORMAL);
}

static void draw(struct screen *s)
{
	const struct watch_table *t = s->t;
	char line[WATCH_LINE_MAX];
	unsigned int i, n = room();

	if (s->top + n > t->nr)
		s->top = t->nr > n ? t->nr - n : 0;
	erase();
	watch_format_title(t, line, COLS);
	put(0, line, A_BOLD);
	watch_format_head(t, line, COLS);
	put(2, line, A_REVERSE);
	for (i = 0; i < n && s->top + i < t->nr; i++) {
		watch_format_row(t, &t->rows[s->top + i], line, COLS);
		put(LINES_ABOVE + i, line, A_NORMAL);
	}
	watch_format_row(t, &t->total, line, COLS);
	put(LINES - 2, line, A_BOLD);
	put(LINES - 1, "sort: h)eld n)ame l)ive r)atio b)ack o)perations m)ag d)epot s)lab p)age; q)uit",
	    A_DIM);
	refresh();
}

/* Return: false to leave. */
static bool on_key(struct screen *s, int key)
{
	unsigned int i, page = room();

	switch (key) {
	case 'q':
		return false;
	case KEY_DOWN:
		s->top++;
		break;
	case KEY_UP:
		s->top -= !!s->top;
		break;
	case KEY_NPAGE:
		s->top += page;
		break;
	case KEY_PPAGE:
		s->top = s->top > page ? s->top - page : 0;
		break;
	case KEY_HOME:
		s->top = 0;
		break;
	default:
		for (i = 0; i < NR_WATCH_KEYS; i++) {
			if (key != watch_keys[i][0])
				continue;
			s->t->sort = i;
			s->top = 0;
			watch_sort(s->t);
		}
		break;
	}
	draw(s);
	return true;
}

/* Takes keys until it is time for a refresh. Return: false to leave. */
static bool wait_keys(struct screen *s)
{
	uint64_t now = now_ns(), until = now + s->o->interval * 1e9;
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
	int key;

	for (; now < until && !stop_signal; now = now_ns()) {
		struct timespec left = { (until - now) / 1000000000, (until - now) % 1000000000 };
		int ret = ppoll(&in, 1, &left, &s->waiting);

		if (ret < 0 && errno != EINTR)
			return false;
		/* A terminal that is gone has nothing more to say. */
		if (ret > 0 && !(in.revents & POLLIN))
			return false;
		while ((key = getch()) != ERR)
			if (!on_key(s, key))
				return false;
	}
	return !stop_signal;
}

static void catch_signals(struct screen *s)
{
	sigset_t held;

	stop_set(&held);
	stop_catch();
	sigprocmask(SIG_BLOCK, &held, &s->waiting);
}

static void release_signals(struct screen *s)
{
	stop_release();
	sigprocmask(SIG_SETMASK, &s->waiting, NULL);
}

/* A terminal that cannot put the cursor anywhere is no screen. */
static bool can_move(void)
{
	const char *cup = tigetstr("cup");

	return cup && cup != (const char *)-1;
}

/* A sentence on the screen that is left would be lost. */
static void leave(void)
{
	if (!isendwin())
		endwin();
}

int watch_screen(struct watch_table *t, const struct watch_source *source,
		 const struct watch_options *o)
{
	struct screen s = { .t = t, .o = o };
	int ret = KMAG_EXIT_OK;
	unsigned long n = 0;
	SCREEN *term;

	/* What cannot be had is told before the screen is taken. */
	if (watch_take(t, source))
		return KMAG_EXIT_FAILED;
	setlocale(LC_CTYPE, "");
	term = newterm(NULL, stdout, stdin);
	if (term && !can_move()) {
		endwin();
		delscreen(term);
		term = NULL;
	}
	if (!term) {
		say("the terminal '%s' is unknown here or cannot be a screen, so there are plain lines",
		    getenv("TERM") ? getenv("TERM") : "");
		snapshot_free(&t->last);
		return -1;
	}
	catch_signals(&s);
	cbreak();
	noecho();
	nonl();
	curs_set(0);
	keypad(stdscr, true);
	nodelay(stdscr, true);
	before_say = leave;
	do {
		if (n && watch_take(t, source)) {
			ret = KMAG_EXIT_FAILED;
			break;
		}
		draw(&s);
		n++;
	} while (wait_keys(&s) && (!o->count || n < o->count));
	before_say = NULL;
	leave();
	delscreen(term);
	release_signals(&s);
	if (stop_signal)
		raise(stop_signal);
	return ret;
}
