// SPDX-License-Identifier: GPL-2.0
/*
 * Timing: the rows take turns, loop by loop, so that none has a better part of
 * the boot than another; the loops are short, so that most see no timer tick.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/sort.h>

#include "bench.h"

/* Loops before any is timed: magazines, slabs and TCG's translations settle. */
#define WARM_UP		3

static const struct bench_row *const rows[BENCH_NR_ROWS] = {
	&bench_row_empty, &bench_row_limit, &bench_row_zero, &bench_row_slub,
	&bench_row_called, &bench_row_inline,
};

static int by_ticks(const void *a, const void *b)
{
	u64 left = *(const u64 *)a, right = *(const u64 *)b;

	return left < right ? -1 : left > right;
}

/* What reading the clock twice takes, which is no part of the loop. */
static u64 clock_cost(void)
{
	u64 begin, least = U64_MAX;
	unsigned int i;

	for (i = 0; i < 16; i++) {
		begin = bench_clock();
		least = min(least, bench_clock() - begin);
	}
	return least;
}

int bench_run(const struct bench *bench, enum bench_pattern pattern,
	      unsigned int loops, struct bench_result *results)
{
	u64 *ticks, cost = clock_cost();
	unsigned int loop, row;
	int ret = 0;

	ticks = kcalloc(BENCH_NR_ROWS * loops, sizeof(*ticks), GFP_KERNEL);
	if (!ticks)
		return -ENOMEM;

	for (row = 0; row < BENCH_NR_ROWS; row++) {
		if (!rows[row]->check(bench)) {
			ret = -ENOMEM;
			goto out;
		}
		for (loop = 0; loop < WARM_UP; loop++)
			rows[row]->run[pattern](bench);
	}
	for (loop = 0; loop < loops; loop++) {
		for (row = 0; row < BENCH_NR_ROWS; row++)
			ticks[row * loops + loop] =
				rows[row]->run[pattern](bench) - cost;
		cond_resched();
		if (fatal_signal_pending(current)) {
			ret = -EINTR;
			goto out;
		}
	}
	for (row = 0; row < BENCH_NR_ROWS; row++) {
		u64 *mine = ticks + row * loops;

		sort(mine, loops, sizeof(*mine), by_ticks, NULL);
		results[row].name = rows[row]->name;
		results[row].min = mine[0];
		results[row].median = mine[loops / 2];
	}
out:
	kfree(ticks);
	return ret;
}

u64 bench_ticks_of(unsigned int instructions)
{
#ifdef CONFIG_X86
	u64 begin, taken, least = U64_MAX;
	unsigned long n;
	unsigned int i;

	for (i = 0; i < 8; i++) {
		n = instructions / 2;
		begin = bench_clock();
		asm volatile("1:	dec %0\n"
			     "	jnz 1b" : "+r" (n) : : "cc");
		taken = bench_clock() - begin;
		least = min(least, taken);
	}
	return least - clock_cost();
#else
	return 0;
#endif
}
