/* SPDX-License-Identifier: GPL-2.0 */
/* Lines of perf script, trace-cmd report and tracefs, about the kernel's kmem events. */
#ifndef KMAG_IMPORT_TEXT_H
#define KMAG_IMPORT_TEXT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define LINE_NAME_LEN	128

enum line_kind {
	LINE_OTHER,		/* empty, a comment, a call chain, no event at all */
	LINE_FOREIGN,		/* another event */
	LINE_KMALLOC,		/* kmalloc */
	LINE_KFREE,
	LINE_ALLOC,		/* kmem_cache_alloc */
	LINE_FREE,		/* kmem_cache_free */
	LINE_LOST,		/* ->lost events before this one */
	LINE_FAILED,		/* an allocation that got no memory, or a free of NULL */
	LINE_DAMAGED,		/* a kmem event that lacks something or makes no sense */
};

struct line {
	enum line_kind kind;
	unsigned int cpu;
	uint64_t time;		/* ns */
	uint64_t obj;
	uint64_t bytes_req, bytes_alloc;
	uint32_t gfp;		/* of what tells gfp in a trace */
	bool accounted;
	char name[LINE_NAME_LEN];	/* of the cache; empty when it is not told */
	uint64_t lost;		/* at least */
	const char *lacks;	/* of one that is damaged */
};

/*
 * Tracers write no line of an event that is longer. Of one that is, so much is
 * read that the event's name is in it.
 */
#define LINE_MAX_LEN	4095
#define LINE_ROOM	(1 << 20)

/* Return: whether there was another line, of which @text has what it has room for. */
bool line_read(FILE *file, char text[LINE_ROOM]);

/* @text: one line, whose end is cut off. */
void line_parse(char *text, struct line *l);

#endif /* KMAG_IMPORT_TEXT_H */
