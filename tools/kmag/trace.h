/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The trace file: what the kernel's slab users did, in blocks that each carry
 * a checksum. Described in Documentation/tools.rst; all numbers little-endian.
 */
#ifndef KMAG_TRACE_H
#define KMAG_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util.h"

#define TRACE_MAGIC		"kmagtrc"	/* with its NUL: 8 bytes */
#define TRACE_VERSION		1
#define TRACE_HEADER_LEN	16
#define TRACE_BLOCK_LEN		16

/* Blocks, by their first four bytes */
#define TRACE_BLOCK_INFO	0x4f464e49	/* "INFO": key=value lines */
#define TRACE_BLOCK_RECS	0x53434552	/* "RECS": records of one CPU */
#define TRACE_BLOCK_CACHES	0x48434143	/* "CACH": the cache table */
#define TRACE_BLOCK_DONE	0x454e4f44	/* "DONE": totals, ends the file */

/* A block's payload is never larger: a reader may refuse more. */
#define TRACE_BLOCK_MAX		(16 * 1024 * 1024)

/* Flags of a cache: the trace's own, as the kernel's differ by release */
#define TRACE_CF_HWALIGN	BIT(0)
#define TRACE_CF_ACCOUNT	BIT(1)
#define TRACE_CF_RECLAIM	BIT(2)
#define TRACE_CF_RCU		BIT(3)	/* SLAB_TYPESAFE_BY_RCU */
#define TRACE_CF_CTOR		BIT(4)
#define TRACE_CF_KNOWN		BIT(5)	/* name, size and so on were seen */

/* gfp bits that mean the same in all kernels from 6.1 on */
#define TRACE_GFP_HIGH		BIT(5)
#define TRACE_GFP_ZERO		BIT(8)
#define TRACE_GFP_DIRECT	BIT(10)

/* Events lost, in a thousand, that a good recording may have */
#define TRACE_LOST_PER_MILLE	1

struct trace_cache {
	char *name;
	uint32_t size;		/* as its owner asked for */
	uint32_t align;
	uint32_t flags;		/* TRACE_CF_* */
};

/* Cache 0: a bulk free that did not say, so the object tells. */
#define TRACE_CACHE_ANY		0

struct trace_rec {
	uint64_t time;		/* ns, of one clock for all CPUs */
	uint64_t obj;
	uint32_t gfp;
	uint16_t cache;
	uint16_t cpu;
	bool free;
	bool more;		/* the next record is of the same bulk call */
};

/* How whole the recording is. */
struct trace_totals {
	uint64_t records;
	uint64_t allocs;
	uint64_t lost;		/* events that the ring buffer had no room for */
	uint64_t bulk_lost;	/* objects of bulk calls that could not be read */
	uint64_t unpaired;	/* allocations whose cache could not be told */
	uint64_t ns;		/* that the command ran */
};

struct trace_writer;

/**
 * trace_create - begin a trace file
 * @path: where
 * @nr_cpus: CPU numbers of records are below this
 * @info: key=value lines about the recording
 *
 * A file that is there stays as it is until trace_finish().
 *
 * Return: the writer, or NULL with errno set.
 */
struct trace_writer *trace_create(const char *path, unsigned int nr_cpus,
				  const char *info);

/**
 * trace_write - add one record; those of a CPU in the order of time
 * @w: the writer
 * @rec: the record
 *
 * Return: 0, or -1 with errno set.
 */
int trace_write(struct trace_writer *w, const struct trace_rec *rec);

/**
 * trace_finish - write what is left, the cache table and the totals
 * @w: the writer
 * @caches: by the number in records; [0] is TRACE_CACHE_ANY
 * @nr_caches: how many
 * @totals: how whole the recording is
 *
 * Fills in ->records and ->allocs of @totals. The writer is gone afterwards.
 * Return: 0, or -1 with errno set.
 */
int trace_finish(struct trace_writer *w, const struct trace_cache *caches,
		 unsigned int nr_caches, struct trace_totals *totals);

/* Drops a writer, and what it wrote. */
void trace_abort(struct trace_writer *w);

uint64_t trace_bytes(const struct trace_writer *w);

struct trace {
	char *info;			/* key=value lines */
	struct trace_cache *caches;	/* [0] is TRACE_CACHE_ANY */
	unsigned int nr_caches;
	struct trace_rec *recs;		/* of all CPUs, by time */
	size_t nr_recs;
	unsigned int nr_cpus;
	struct trace_totals totals;
	uint64_t file_bytes;
};

/**
 * trace_load - read and check a whole trace file
 * @path: the file
 * @error: on failure one sentence, to be freed
 *
 * Return: the trace, or NULL.
 */
struct trace *trace_load(const char *path, char **error);
void trace_free(struct trace *t);

/* The value of @key in the INFO block, to be freed; NULL when there is none. */
char *trace_info(const struct trace *t, const char *key);

#endif /* KMAG_TRACE_H */
