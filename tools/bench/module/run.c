// SPDX-License-Identifier: GPL-2.0
/*
 * Timing: the rows take turns, loop by loop, so that none has a better part of
 * the boot than another; the loops are short, so that most see no timer tick.
 */
#include <linux/delay.h>
#include <linux/errno.h>
#include <linux/irq_work.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/sort.h>

#include "bench.h"

/* Timed loops of patterns that are long, or have to wait for an interrupt. */
#define LONG_LOOPS	11
#define IRQ_LOOPS	30

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

unsigned int bench_ops(const struct bench *bench, enum bench_pattern pattern)
{
	switch (pattern) {
	case BENCH_COLD_START:
		return BENCH_COLD;
	case BENCH_TRACE:
		return bench->trace.nr_steps / 2;
	default:
		return BENCH_OPS;
	}
}

static unsigned int loops_of(enum bench_pattern pattern, unsigned int loops)
{
	switch (pattern) {
	case BENCH_COLD_START:
	case BENCH_TRACE:
		return min(loops, LONG_LOOPS);
	case BENCH_IRQ_PAIR:
	case BENCH_IRQ_BATCH_64:
		return min(loops, IRQ_LOOPS);
	default:
		return loops;
	}
}

/* A loop that is run in a hard interrupt. */
struct in_irq {
	struct irq_work work;
	const struct bench *bench;
	bench_fn run;
	u64 ticks;
};

static void run_in_irq(struct irq_work *work)
{
	struct in_irq *in = container_of(work, struct in_irq, work);

	in->ticks = in->run(in->bench);
}

/* Runs a row's loop where the pattern wants it. */
static u64 run_one(const struct bench *bench, const struct bench_row *row,
		   enum bench_pattern pattern)
{
	struct in_irq in = { .bench = bench };

	switch (pattern) {
	case BENCH_IRQ_PAIR:
		in.run = row->run[BENCH_PAIR];
		break;
	case BENCH_IRQ_BATCH_64:
		in.run = row->run[BENCH_BATCH_64];
		break;
	default:
		return row->run[pattern](bench);
	}
	in.work = IRQ_WORK_INIT_HARD(run_in_irq);
	irq_work_queue(&in.work);
	irq_work_sync(&in.work);
	return in.ticks;
}

static bool has_pattern(const struct bench_row *row, enum bench_pattern pattern)
{
	return pattern >= BENCH_NR_LOOPS || row->run[pattern];
}

int bench_run(const struct bench *bench, enum bench_pattern pattern,
	      unsigned int loops, struct bench_result *results)
{
	u64 *ticks, taken, cost = clock_cost();
	unsigned int loop, row;
	int ret = 0;

	if (!bench_ops(bench, pattern))
		return -ENODATA;
	loops = loops_of(pattern, loops);
	ticks = kvcalloc(BENCH_NR_ROWS * loops, sizeof(*ticks), GFP_KERNEL);
	if (!ticks)
		return -ENOMEM;

	for (row = 0; row < BENCH_NR_ROWS; row++) {
		if (!rows[row]->check(bench)) {
			ret = -ENOMEM;
			goto out;
		}
		if (!has_pattern(rows[row], pattern))
			continue;
		for (loop = 0; loop < WARM_UP; loop++)
			run_one(bench, rows[row], pattern);
	}
	for (loop = 0; loop < loops; loop++) {
		for (row = 0; row < BENCH_NR_ROWS; row++) {
			if (!has_pattern(rows[row], pattern))
				continue;
			taken = run_one(bench, rows[row], pattern);
			if (!taken) {
				ret = -ENOMEM;
				goto out;
			}
			ticks[row * loops + loop] = taken - cost;
		}
		cond_resched();
		if (fatal_signal_pending(current)) {
			ret = -EINTR;
			goto out;
		}
	}
	for (row = 0; row < BENCH_NR_ROWS; row++) {
		u64 *mine = ticks + row * loops;

		if (!has_pattern(rows[row], pattern))
			continue;
		sort(mine, loops, sizeof(*mine), by_ticks, NULL);
		results[row].name = rows[row]->name;
		results[row].ops = bench_ops(bench, pattern);
		results[row].loops = loops;
		results[row].min = mine[0];
		results[row].median = mine[loops / 2];
	}
out:
	kvfree(ticks);
	return ret;
}

u64 bench_ticks_of(unsigned int instructions)
{
#ifdef CONFIG_X86_64
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

u64 bench_ticks_per_ms(void)
{
	u64 ticks, begin = bench_clock();
	ktime_t start = ktime_get();
	s64 ns;

	msleep(50);
	ticks = bench_clock() - begin;
	ns = ktime_to_ns(ktime_sub(ktime_get(), start));
	return div64_u64(ticks * NSEC_PER_MSEC, max_t(s64, ns, 1));
}
