/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The bench: patterns of allocations and frees (patterns.h), each compiled
 * once for every row (row_*.c), timed in turns (run.c), read from debugfs
 * (main.c).
 */
#ifndef _KMAG_BENCH_H
#define _KMAG_BENCH_H

#include <linux/timex.h>
#include <linux/types.h>

struct kmag_cache;
struct kmem_cache;

/* Pairs of a loop. Every batch divides it. */
#define BENCH_OPS	1024
#define BENCH_BATCH_MAX	512
#define BENCH_LOOPS_MAX	1000

/* As in irq context, and the cheapest for SLUB: no look at the task. */
#define BENCH_GFP	GFP_ATOMIC

enum bench_pattern {
	BENCH_PAIR,
	BENCH_TWO,
	BENCH_BATCH_8,
	BENCH_BATCH_64,
	BENCH_BATCH_512,
	BENCH_BULK_8,
	BENCH_BULK_64,
	BENCH_BULK_512,
	BENCH_NR_PATTERNS
};

/**
 * struct bench - what a pattern works on
 * @size: of an object, bytes
 * @slub: a cache of the kernel's
 * @kmag: a cache of kmag's, of the same size and alignment
 * @objs: room for the largest batch
 * @zeroed: memory of @size bytes
 */
struct bench {
	unsigned int size;
	struct kmem_cache *slub;
	struct kmag_cache *kmag;
	void **objs;
	void *zeroed;
};

typedef u64 (*bench_fn)(const struct bench *bench);

/**
 * struct bench_row - an allocator, or what one is compared with
 * @name: in results
 * @run: run BENCH_OPS pairs of a pattern once; ticks
 * @check: whether an object could be had, before anything is timed
 */
struct bench_row {
	const char *name;
	bench_fn run[BENCH_NR_PATTERNS];
	bool (*check)(const struct bench *bench);
};

extern const struct bench_row bench_row_empty;
extern const struct bench_row bench_row_limit;
extern const struct bench_row bench_row_zero;
extern const struct bench_row bench_row_slub;
extern const struct bench_row bench_row_called;
extern const struct bench_row bench_row_inline;

#define BENCH_NR_ROWS	6

/**
 * struct bench_result - what one row took
 * @name: of the row
 * @min: ticks of the shortest loop
 * @median: ticks of the middle one
 */
struct bench_result {
	const char *name;
	u64 min;
	u64 median;
};

/**
 * bench_run - time a pattern on every row
 * @bench: what it works on
 * @pattern: which
 * @loops: per row; the rows take turns
 * @results: one for each row
 *
 * Context: Process context, may sleep between loops.
 * Return: 0, -ENOMEM, or -EINTR on a fatal signal.
 */
int bench_run(const struct bench *bench, enum bench_pattern pattern,
	      unsigned int loops, struct bench_result *results);

/**
 * bench_ticks_of - time a loop of known length
 * @instructions: its length
 *
 * Return: ticks; under -icount shift=0 as many as instructions. 0 where no
 * such loop is known.
 */
u64 bench_ticks_of(unsigned int instructions);

/*
 * The time stamp counter: one tick an instruction under -icount shift=0, and
 * no clocksource between, which would scale and round it.
 */
static __always_inline u64 bench_clock(void)
{
	return get_cycles();
}

#endif /* _KMAG_BENCH_H */
