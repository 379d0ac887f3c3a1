/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The tracing events that tell who allocates and frees slab objects, made for
 * the kernel that runs: BTF function probes where it has them, else kprobes
 * beside its own kmem events.
 */
#ifndef KMAG_PROBE_H
#define KMAG_PROBE_H

#include <stdbool.h>
#include <stdint.h>
#include <tracefs/tracefs.h>

#include "kbtf.h"

enum probe_kind {
	PROBE_NONE,
	PROBE_ALLOC,		/* cache, obj, gfp */
	PROBE_FREE,		/* cache or its name, obj */
	PROBE_ALLOC_BULK,	/* cache, gfp, count, objs */
	PROBE_FREE_BULK,	/* cache, count, objs */
	PROBE_CACHE,		/* cache, name, size, align, flags, ctor */
	PROBE_ENTER,		/* cache: an allocation begins (without BTF probes) */
	PROBE_LEAVE,		/* obj, gfp: it ended */
};

/* Objects of a bulk call that the events can hold; those beyond are counted */
#define PROBE_ALLOC_BULK_MAX	272
#define PROBE_FREE_BULK_MAX	528

/* ->flags: in a hard interrupt, a soft interrupt, an NMI */
#define PROBE_INTERRUPT	(0x08 | 0x10 | 0x40)

struct probe_event {
	enum probe_kind kind;
	unsigned int flags;	/* common_flags */
	int pid;
	uint64_t cache;
	uint64_t obj;
	uint64_t gfp;
	uint32_t count;		/* of the whole bulk call */
	unsigned int first;	/* of objs, in the whole call */
	unsigned int nr_objs;
	uint64_t objs[256];
	const char *name;	/* within the event */
	uint32_t size, align, cache_flags;
	uint64_t ctor;
};

struct probes;

/**
 * probes_open - make the events and an instance of our own, nothing enabled
 * @buffer_kb: the ring buffer of each CPU
 * @error: exit code, on failure and after one sentence
 *
 * Return: the probes, or NULL.
 */
struct probes *probes_open(unsigned int buffer_kb, int *error);
void probes_close(struct probes *p);

struct tracefs_instance *probes_instance(struct probes *p);
const struct kbtf *probes_kbtf(struct probes *p);

/* True when bulk allocations can be followed object by object. */
bool probes_have_bulk(struct probes *p);
const char *probes_method(struct probes *p);

/* Enable what describes caches, or what follows objects. */
int probes_enable_caches(struct probes *p);
int probes_enable_objects(struct probes *p);

/* Events that probes had to miss, as another one was being taken */
uint64_t probes_missed(struct probes *p);

/* Takes an event of the ring buffer apart; false when it is not ours. */
bool probes_decode(struct probes *p, const void *data, struct probe_event *ev);

/* Makes the kernel describe every cache that it has. */
int probes_describe(void);

#endif /* KMAG_PROBE_H */
