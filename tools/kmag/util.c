// SPDX-License-Identifier: GPL-2.0
/* What all subcommands share: one-sentence errors, progress, numbers. */
#include <libgen.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "util.h"

/* Of a stream that is no terminal: a line this often. */
#define PROGRESS_LINE_NS	5000000000ULL
#define PROGRESS_TTY_NS		200000000ULL

const char *kmag_command = "";
void (*before_say)(void);

static bool progress_shown;

void say(const char *fmt, ...)
{
	va_list ap;

	if (before_say)
		before_say();
	progress_end();
	fprintf(stderr, "kmag%s%s: ", *kmag_command ? " " : "", kmag_command);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

bool stdout_failed(void)
{
	static bool said;

	/* What failed earlier is still marked in the stream. */
	if (!said && (fflush(stdout) || ferror(stdout))) {
		say("cannot write the result: %m");
		said = true;
	}
	return said;
}

bool would_overwrite(const char *output, const char *input)
{
	struct stat to, from;

	if (!output || stat(output, &to) || stat(input, &from) || !S_ISREG(to.st_mode) ||
	    to.st_dev != from.st_dev || to.st_ino != from.st_ino)
		return false;
	say("%s is what is read, and would be overwritten", output);
	return true;
}

/* The folder that @path lies in. */
static bool folder_of(const char *path, struct stat *st)
{
	char *copy = xprintf("%s", path);
	bool found = !stat(dirname(copy), st);

	free(copy);
	return found;
}

static const char *last_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* One of them may not be there yet. */
static bool same_place(const char *a, const char *b)
{
	struct stat one, two;

	if (!stat(a, &one) && !stat(b, &two))
		return S_ISREG(one.st_mode) && one.st_dev == two.st_dev &&
		       one.st_ino == two.st_ino;
	return folder_of(a, &one) && folder_of(b, &two) && one.st_dev == two.st_dev &&
	       one.st_ino == two.st_ino && !strcmp(last_name(a), last_name(b));
}

bool would_collide(const char *output, const char *report)
{
	if (!report || !same_place(output, report))
		return false;
	say("%s is to be both the recording and the report", output);
	return true;
}

const char *path_name(const char *path)
{
	return *path ? path : "''";
}

void *xalloc(size_t size)
{
	void *p = calloc(1, size ? size : 1);

	if (!p) {
		say("out of memory for %zu bytes", size);
		exit(KMAG_EXIT_FAILED);
	}
	return p;
}

void *xrealloc(void *p, size_t size)
{
	p = realloc(p, size);
	if (!p) {
		say("out of memory for %zu bytes", size);
		exit(KMAG_EXIT_FAILED);
	}
	return p;
}

char *xprintf(const char *fmt, ...)
{
	va_list ap;
	char *s;
	int ret;

	va_start(ap, fmt);
	ret = vasprintf(&s, fmt, ap);
	va_end(ap);
	if (ret < 0) {
		say("out of memory");
		exit(KMAG_EXIT_FAILED);
	}
	return s;
}

void progress(const char *fmt, ...)
{
	static uint64_t last;
	bool tty = isatty(STDERR_FILENO);
	uint64_t now = now_ns();
	va_list ap;

	/* What is done at once needs no progress. */
	if (!last)
		last = now;
	if (now - last < (tty ? PROGRESS_TTY_NS : PROGRESS_LINE_NS))
		return;
	last = now;
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputs(tty ? "\033[K\r" : "\n", stderr);
	progress_shown = tty;
}

void progress_end(void)
{
	if (progress_shown)
		fputc('\n', stderr);
	progress_shown = false;
}

uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/* Enough for every number of one printf(). */
#define NR_BUFS	16

static char *next_buf(void)
{
	static char bufs[NR_BUFS][64];
	static unsigned int next;

	return bufs[next++ % NR_BUFS];
}

const char *commas(uint64_t n)
{
	char digits[24], *buf = next_buf(), *to = buf;
	int i, len = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)n);

	for (i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			*to++ = ',';
		*to++ = digits[i];
	}
	*to = '\0';
	return buf;
}

const char *counted(uint64_t n, const char *one, const char *many)
{
	char *buf = next_buf();

	snprintf(buf, 64, "%s %s", commas(n), n == 1 ? one : many);
	return buf;
}

const char *bytes(uint64_t n)
{
	static const char * const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	char *buf = next_buf();
	double value = n;
	size_t u = 0;

	while (value >= 1024 && u < ARRAY_SIZE(units) - 1) {
		value /= 1024;
		u++;
	}
	snprintf(buf, 32, u ? "%.1f %s" : "%.0f %s", value, units[u]);
	return buf;
}
