/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Events: switched on, read line by line, taken apart.
 */
#ifndef _KMAG_SELFTEST_TRACEFS_H
#define _KMAG_SELFTEST_TRACEFS_H

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TRACING	"/sys/kernel/tracing/"
#define EVENTS	TRACING "events/kmag/"

/* @flags: O_TRUNC empties the file first, O_APPEND adds to what it has. */
static inline int write_with(const char *path, int flags, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC | flags);
	ssize_t len = strlen(text);
	int ret;

	if (fd < 0)
		return -errno;
	ret = write(fd, text, len) == len ? 0 : -errno;
	close(fd);
	return ret;
}

static inline int write_file(const char *path, const char *text)
{
	return write_with(path, O_TRUNC, text);
}

/* Copy what stands behind "@key=" of @line, up to one of @end. */
static inline int text_of(const char *line, const char *key, const char *end,
			  char *word, size_t size)
{
	const char *found = strstr(line, key);
	size_t len;

	if (!found)
		return 0;
	found += strlen(key);
	len = strcspn(found, end);
	if (len >= size)
		len = size - 1;
	memcpy(word, found, len);
	word[len] = 0;
	return 1;
}

static inline unsigned long number_of(const char *line, const char *key,
				      int base)
{
	char word[64] = "";

	text_of(line, key, "\n ", word, sizeof(word));
	return strtoul(word, NULL, base);
}

/* Of "comm-pid [cpu] flags seconds.micros: name: ...", -1 if it is none. */
static inline int event_cpu(const char *line)
{
	const char *cpu = strstr(line, " [");

	return cpu ? atoi(cpu + 2) : -1;
}

static inline long long event_us(const char *line)
{
	const char *end = strstr(line, ": ");
	long long seconds, micros;

	if (!end)
		return -1;
	while (end > line && end[-1] != ' ')
		end--;
	return sscanf(end, "%lld.%lld", &seconds, &micros) == 2 ?
		seconds * 1000000 + micros : -1;
}

/*
 * Events of several CPUs are put in order by @clock: "global" tells the time, but
 * only "counter" tells for sure which was first.
 */
static inline int trace_begin(const char *clock)
{
	int ret = write_file(EVENTS "enable", "0");

	ret = ret ?: write_file(TRACING "buffer_size_kb", "8192");
	ret = ret ?: write_file(TRACING "trace_clock", clock);
	return ret ?: write_file(TRACING "trace", "");
}

static inline void trace_end(void)
{
	write_file(EVENTS "enable", "0");
	write_file(TRACING "trace_clock", "local");
	write_file(TRACING "trace", "");
	write_file(TRACING "buffer_size_kb", "64");
}

#endif /* _KMAG_SELFTEST_TRACEFS_H */
