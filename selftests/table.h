/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A file of /sys/kernel/debug/kmag, read whole and taken apart: its name and
 * version, a header, and a row a line.
 */
#ifndef _KMAG_SELFTEST_TABLE_H
#define _KMAG_SELFTEST_TABLE_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_COLUMNS 64
#define MAX_TEXT (1024U * 1024)

/* A file, read whole and cut into lines. */
struct table {
	char text[MAX_TEXT];
	char *columns[MAX_COLUMNS];
	int nr_columns;
	char *rows[16384];
	int nr_rows;
};

static struct table table;
static char why[512];

static int split(char *line, char **fields, int max)
{
	int nr = 0;

	/* One space between two columns, none elsewhere. */
	while (nr < max) {
		fields[nr++] = line;
		line = strchr(line, ' ');
		if (!line)
			return nr;
		*line++ = 0;
	}
	return -1;
}

/* NULL, or what is wrong with the file's format. */
static const char *read_table(const char *path)
{
	const char *name = strrchr(path, '/') + 1;
	char first[128], *line, *next;
	int fd = open(path, O_RDONLY);
	ssize_t len, got;

	table.nr_rows = 0;
	if (fd < 0)
		return "cannot be opened";
	for (len = 0; len < MAX_TEXT - 1; len += got) {
		got = read(fd, table.text + len, MAX_TEXT - 1 - len);
		if (got < 0) {
			close(fd);
			return "cannot be read";
		}
		if (!got)
			break;
	}
	close(fd);
	if (len == MAX_TEXT - 1)
		return "is too long for this test";
	if (!len || table.text[len - 1] != '\n')
		return "does not end with a line feed";
	table.text[len] = 0;
	if (strlen(table.text) != (size_t)len)
		return "has a zero byte";

	snprintf(first, sizeof(first), "kmag %s - version: 1\n", name);
	if (strncmp(table.text, first, strlen(first)))
		return "has another first line";
	line = table.text + strlen(first);
	if (strncmp(line, "# ", 2))
		return "has no header";
	for (line += 2; line && *line; line = next) {
		next = strchr(line, '\n');
		*next++ = 0;
		if (line == table.text + strlen(first) + 2) {
			table.nr_columns = split(line, table.columns,
						 MAX_COLUMNS);
			if (table.nr_columns < 2)
				return "has a strange header";
		} else if (table.nr_rows < 16384) {
			table.rows[table.nr_rows++] = line;
		} else {
			return "has too many rows for this test";
		}
	}
	return NULL;
}

static int column(const char *name)
{
	int i;

	for (i = 0; i < table.nr_columns; i++)
		if (!strcmp(table.columns[i], name))
			return i;
	snprintf(why, sizeof(why), "no column %s", name);
	return MAX_COLUMNS;
}

/* The row's fields; a text with spaces may be the last. */
static int fields_of(int row, char **fields)
{
	char *copy = strdup(table.rows[row]);	/* a test is short-lived */
	int i;

	for (i = 0; i < table.nr_columns; i++) {
		fields[i] = copy;
		if (i == table.nr_columns - 1)
			break;
		copy = strchr(copy, ' ');
		if (!copy)
			return i + 1;
		*copy++ = 0;
	}
	return i + 1;
}

static long long number(const char *text)
{
	char *end;
	long long value = strtoll(text, &end, 10);

	if (end == text || *end)
		snprintf(why, sizeof(why), "%s is no number", text);
	return value;
}

/* The value of a key, in a file of keys and values. */
static const char *value(const char *key)
{
	size_t len = strlen(key);
	int i;

	for (i = 0; i < table.nr_rows; i++)
		if (!strncmp(table.rows[i], key, len) &&
		    table.rows[i][len] == ' ')
			return table.rows[i] + len + 1;
	snprintf(why, sizeof(why), "no key %s", key);
	return "";
}

#endif /* _KMAG_SELFTEST_TABLE_H */
