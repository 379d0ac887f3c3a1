/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The patterns, compiled once for every row: a row_*.c defines row_open(),
 * row_alloc(), row_free(), row_alloc_bulk() and row_free_bulk(), all inlined,
 * and then includes this. So every row has the same loop around direct calls.
 */
#ifndef _KMAG_BENCH_PATTERNS_H
#define _KMAG_BENCH_PATTERNS_H

#include <linux/compiler.h>

#include "bench.h"

#define BENCH_MIXED_BATCH	64

static u64 run_pair(const struct bench *bench)
{
	void *cache = row_open(&bench->main);
	unsigned int i;
	u64 begin;

	begin = bench_clock();
	for (i = BENCH_OPS; i; i--) {
		void *obj = row_alloc(cache);

		OPTIMIZER_HIDE_VAR(obj);
		barrier();	/* it might be used here */
		row_free(cache, obj);
	}
	return bench_clock() - begin;
}

static u64 run_two(const struct bench *bench)
{
	void *cache = row_open(&bench->main);
	unsigned int i;
	u64 begin;

	begin = bench_clock();
	for (i = BENCH_OPS / 2; i; i--) {
		void *a = row_alloc(cache);
		void *b = row_alloc(cache);

		OPTIMIZER_HIDE_VAR(a);
		OPTIMIZER_HIDE_VAR(b);
		barrier();
		row_free(cache, a);
		row_free(cache, b);
	}
	return bench_clock() - begin;
}

/* In the order of allocation, as a queue would. */
static __always_inline u64 run_batch(const struct bench *bench,
				     unsigned int nr)
{
	void *cache = row_open(&bench->main);
	void **objs = bench->objs;
	unsigned int i, k;
	u64 begin;

	begin = bench_clock();
	for (i = BENCH_OPS / nr; i; i--) {
		for (k = 0; k < nr; k++)
			objs[k] = row_alloc(cache);
		barrier();
		for (k = 0; k < nr; k++)
			row_free(cache, objs[k]);
	}
	return bench_clock() - begin;
}

static __always_inline u64 run_bulk(const struct bench *bench, unsigned int nr)
{
	void *cache = row_open(&bench->main);
	void **objs = bench->objs;
	unsigned int i;
	u64 begin;

	begin = bench_clock();
	for (i = BENCH_OPS / nr; i; i--) {
		row_alloc_bulk(cache, nr, objs);
		barrier();
		row_free_bulk(cache, nr, objs);
	}
	return bench_clock() - begin;
}

static u64 run_batch_8(const struct bench *bench)
{
	return run_batch(bench, 8);
}

static u64 run_batch_64(const struct bench *bench)
{
	return run_batch(bench, 64);
}

static u64 run_batch_512(const struct bench *bench)
{
	return run_batch(bench, BENCH_BATCH_MAX);
}

static u64 run_bulk_8(const struct bench *bench)
{
	return run_bulk(bench, 8);
}

static u64 run_bulk_64(const struct bench *bench)
{
	return run_bulk(bench, 64);
}

static u64 run_bulk_512(const struct bench *bench)
{
	return run_bulk(bench, BENCH_BATCH_MAX);
}

/* Opened caches, off the stack; rows are run one at a time. */
static void *opened[U8_MAX + 1];

/* Small and large in turn: what one size leaves in a hot line, another does not. */
static u64 run_mixed(const struct bench *bench)
{
	void **objs = bench->objs;
	unsigned int i, k;
	u64 begin;

	for (i = 0; i < BENCH_NR_MIXED; i++)
		opened[i] = row_open(&bench->mixed[i]);
	begin = bench_clock();
	for (i = BENCH_OPS / BENCH_MIXED_BATCH; i; i--) {
		for (k = 0; k < BENCH_MIXED_BATCH; k++)
			objs[k] = row_alloc(opened[k % BENCH_NR_MIXED]);
		barrier();
		for (k = 0; k < BENCH_MIXED_BATCH; k++)
			row_free(opened[k % BENCH_NR_MIXED], objs[k]);
	}
	return bench_clock() - begin;
}

static __always_inline u64 run_script(const struct bench *bench,
				      const struct bench_script *script)
{
	const struct bench_step *step = script->steps;
	const struct bench_step *end = step + script->nr_steps;
	void **objs = bench->objs;
	unsigned int i;
	u64 begin;

	for (i = 0; i < script->nr_caches; i++)
		opened[i] = row_open(&script->caches[i]);
	begin = bench_clock();
	for (; step < end; step++) {
		if (step->free)
			row_free(opened[step->cache], objs[step->slot]);
		else
			objs[step->slot] = row_alloc(opened[step->cache]);
	}
	return bench_clock() - begin;
}

static u64 run_walk(const struct bench *bench)
{
	return run_script(bench, &bench->walk);
}

static u64 run_trace(const struct bench *bench)
{
	return run_script(bench, &bench->trace);
}

/*
 * The first objects of a new cache, which slabs and magazines are made for.
 * Where a bare array or an empty loop stands for a cache there is no such
 * thing; a row that has one defines row_make() and row_unmake() and
 * BENCH_ROW_IS_ALLOCATOR.
 */
#ifdef BENCH_ROW_IS_ALLOCATOR
static u64 run_cold_start(const struct bench *bench)
{
	void *cache = row_make(bench->main.size);
	void **objs = bench->cold;
	unsigned int k, had = 0;
	u64 begin, ticks;

	if (!cache)
		return 0;
	begin = bench_clock();
	for (k = 0; k < BENCH_COLD; k++)
		objs[k] = row_alloc(cache);
	ticks = bench_clock() - begin;

	for (k = 0; k < BENCH_COLD; k++) {
		had += !!objs[k];
		if (objs[k])
			row_free(cache, objs[k]);
	}
	row_unmake(cache);
	return had == BENCH_COLD ? ticks : 0;
}
#else
#define run_cold_start	NULL
#endif

/*
 * The timed loops look at no result: what they would do about it is not what
 * is measured. So every object that a pattern can want is had once before.
 */
static bool run_check(const struct bench *bench)
{
	void *cache = row_open(&bench->main);
	unsigned int k, nr = 0;
	bool good;

	while (nr < BENCH_BATCH_MAX) {
		bench->objs[nr] = row_alloc(cache);
		if (!bench->objs[nr])
			break;
		nr++;
	}
	good = nr == BENCH_BATCH_MAX;
	for (k = 0; k < nr; k++)
		row_free(cache, bench->objs[k]);
	if (!good || row_alloc_bulk(cache, nr, bench->objs) != nr)
		return false;
	row_free_bulk(cache, nr, bench->objs);
	return true;
}

#define BENCH_ROW(row, label)					\
const struct bench_row bench_row_##row = {			\
	.name = label,						\
	.run = {						\
		[BENCH_PAIR] = run_pair,			\
		[BENCH_TWO] = run_two,				\
		[BENCH_BATCH_8] = run_batch_8,			\
		[BENCH_BATCH_64] = run_batch_64,		\
		[BENCH_BATCH_512] = run_batch_512,		\
		[BENCH_BULK_8] = run_bulk_8,			\
		[BENCH_BULK_64] = run_bulk_64,			\
		[BENCH_BULK_512] = run_bulk_512,		\
		[BENCH_WALK] = run_walk,			\
		[BENCH_MIXED] = run_mixed,			\
		[BENCH_COLD_START] = run_cold_start,		\
		[BENCH_TRACE] = run_trace,			\
	},							\
	.check = run_check,					\
}

#endif /* _KMAG_BENCH_PATTERNS_H */
