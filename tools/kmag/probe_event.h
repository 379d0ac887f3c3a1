/* SPDX-License-Identifier: GPL-2.0 */
/* One tracing event: how it is asked for, and where its fields lie. */
#ifndef KMAG_PROBE_EVENT_H
#define KMAG_PROBE_EVENT_H

#include <traceevent/event-parse.h>

#include "probe.h"

/* An event as it is asked for */
struct probe_def {
	const char *event;
	enum probe_kind kind;
	const char *type;	/* before ":group/event" */
	const char *symbols[3];	/* the first that this kernel has */
	const char *args;	/* NULL: describe the cache in $arg1 */
	const char *filter;
	unsigned int first;	/* of a bulk call's array */
	const char *system;	/* an event of the kernel's own, else NULL */
};

#define MAX_ARRAYS	4

/* Offsets of fields; -1: it has none */
struct event {
	const struct probe_def *def;
	unsigned int id;
	int common_flags, common_pid;
	int cache, obj, gfp, gfp_size, count;
	int name, size, align, flags, ctor;
	int arrays[MAX_ARRAYS];
	unsigned int array_len[MAX_ARRAYS];
};

/* Looks up what the kernel says of it. Return: 0, or -1 after one sentence. */
int event_find(struct event *e, struct tep_handle *tep, const char *group,
	       const struct probe_def *def);

/* Takes one of them, at @data in the ring buffer, apart. */
void event_decode(const struct event *e, const void *data, struct probe_event *ev);

#endif /* KMAG_PROBE_EVENT_H */
