/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The bench: patterns of allocations and frees (patterns.h), each compiled
 * once for every row (row_*.c), timed in turns (run.c), read from debugfs
 * (main.c).
 */
#ifndef _KMAG_BENCH_H
#define _KMAG_BENCH_H

#include <linux/limits.h>
#include <linux/timex.h>
#include <linux/types.h>

struct kmag_cache;
struct kmem_cache;

/* Pairs of a loop, where nothing else is said. Every batch divides it. */
#define BENCH_OPS	1024
#define BENCH_BATCH_MAX	512
#define BENCH_LOOPS_MAX	10000

/* Objects that are away at a time, in a recorded trace: row limit holds them. */
#define BENCH_AWAY_MAX	4000

/* Objects of a cold start. */
#define BENCH_COLD	10000

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
	BENCH_WALK,
	BENCH_MIXED,
	BENCH_COLD_START,
	BENCH_TRACE,
	BENCH_NR_LOOPS,		/* those below are some of them elsewhere */
	BENCH_IRQ_PAIR = BENCH_NR_LOOPS,
	BENCH_IRQ_BATCH_64,
	BENCH_NR_PATTERNS
};

/**
 * struct bench_cache - one size of object
 * @size: in bytes
 * @zeroed: memory of that size
 * @slub: a cache of the kernel's
 * @kmag: a cache of kmag's, of the same size and alignment
 */
struct bench_cache {
	unsigned int size;
	void *zeroed;
	struct kmem_cache *slub;
	struct kmag_cache *kmag;
};

/**
 * struct bench_step - an allocation or a free
 * @slot: where the object lies while it is away
 * @cache: of a script's caches, which
 * @free: else an allocation
 */
struct bench_step {
	u16 slot;
	u8 cache;
	u8 free;
};

/**
 * struct bench_script - steps that leave nothing away
 * @caches: what they work on
 * @nr_caches: how many
 * @steps: in order
 * @nr_steps: how many; one in two is an allocation
 */
struct bench_script {
	const struct bench_cache *caches;
	unsigned int nr_caches;
	const struct bench_step *steps;
	unsigned int nr_steps;
};

/* Sizes of pattern mixed, which takes them in turn: a power of two */
#define BENCH_NR_MIXED	4

/**
 * struct bench - what a pattern works on
 * @main: of the size that was asked for
 * @mixed: of small to large sizes
 * @objs: room for what is away
 * @cold: room for the objects of a cold start
 * @walk: a script of random steps on @main
 * @trace: a recorded script; no steps if none was given
 * @file: where its steps lie
 */
struct bench {
	struct bench_cache main;
	struct bench_cache mixed[BENCH_NR_MIXED];
	void **objs;
	void **cold;
	struct bench_script walk;
	struct bench_script trace;
	void *file;
};

typedef u64 (*bench_fn)(const struct bench *bench);

/**
 * struct bench_row - an allocator, or what one is compared with
 * @name: in results
 * @run: run a pattern once; ticks, or 0 if that could not be done. NULL where
 *	the row has no such thing
 * @check: whether an object could be had, before anything is timed
 */
struct bench_row {
	const char *name;
	bench_fn run[BENCH_NR_LOOPS];
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
 * @name: of the row; NULL if it has nothing to say
 * @ops: allocations of a loop
 * @loops: that were timed
 * @min: ticks of the shortest loop
 * @median: ticks of the middle one
 */
struct bench_result {
	const char *name;
	unsigned int ops;
	unsigned int loops;
	u64 min;
	u64 median;
};

/**
 * bench_ops - how many allocations a loop of a pattern is
 * @bench: what it works on
 * @pattern: which
 *
 * Return: the number; 0 if there is nothing to run.
 */
unsigned int bench_ops(const struct bench *bench, enum bench_pattern pattern);

/**
 * bench_run - time a pattern on every row
 * @bench: what it works on
 * @pattern: which
 * @loops: per row, or fewer where a loop is long; the rows take turns
 * @results: one for each row
 *
 * Context: Process context, may sleep between loops.
 * Return: 0, -ENOMEM, -ENODATA without a script, or -EINTR on a fatal signal.
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

/* row_limit.c: its arrays. Return: 0 or -ENOMEM. */
int bench_limit_init(void);
void bench_limit_exit(void);

/**
 * bench_ticks_per_ms - how fast the clock goes
 *
 * Context: Process context, sleeps.
 * Return: ticks of bench_clock() in a millisecond.
 */
u64 bench_ticks_per_ms(void);

/* script.c: the scripts of @bench. Return: 0 or a negative errno. */
int bench_script_init(struct bench *bench, const char *trace);
void bench_script_exit(struct bench *bench);

/* cache.c: a cache of each allocator. Return: 0 or -ENOMEM. */
int bench_cache_init(struct bench_cache *cache, const char *name,
		     unsigned int size);
void bench_cache_exit(struct bench_cache *cache);

/* A cache of the kernel's that is merged with no other, where it can be said. */
struct kmem_cache *bench_slub_create(const char *name, unsigned int size);

/*
 * The time stamp counter: one tick an instruction under -icount shift=0, and
 * no clocksource between, which would scale and round it. User-mode Linux has
 * it, and no get_cycles() that says so.
 */
static __always_inline u64 bench_clock(void)
{
#ifdef CONFIG_X86_64
	u32 low, high;

	asm volatile("rdtsc" : "=a" (low), "=d" (high) : : "memory");
	return (u64)high << 32 | low;
#else
	return get_cycles();
#endif
}

#endif /* _KMAG_BENCH_H */
