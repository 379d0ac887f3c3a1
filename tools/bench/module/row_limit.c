// SPDX-License-Identifier: GPL-2.0
/*
 * Row limit: the barest push and pop on a per-CPU array with preemption off.
 * No allocator: it has no bounds, counts nothing, and loses objects when an
 * interrupt uses it too. It says what is left to be gained.
 */
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/string.h>

#include "bench.h"

/* Objects [0] to [n - 1] are there; the rest have been popped. */
struct limit {
	unsigned long n;
	void *objs[BENCH_BATCH_MAX];
};

static DEFINE_PER_CPU(struct limit, limit);

static void row_fill(void *bench)
{
	struct limit *l = this_cpu_ptr(&limit);

	for (l->n = 0; l->n < ARRAY_SIZE(l->objs); l->n++)
		l->objs[l->n] = bench;
}

static __always_inline void *row_open(const struct bench *bench)
{
	preempt_disable();
	row_fill((void *)bench);
	preempt_enable();
	return (void __force *)&limit;
}

static __always_inline void *row_alloc(void *cache)
{
	struct limit __percpu *l = (struct limit __percpu __force *)cache;
	unsigned long n;
	void *obj;

	preempt_disable();
	n = __this_cpu_read(l->n) - 1;
	obj = __this_cpu_read(l->objs[n]);
	__this_cpu_write(l->n, n);
	preempt_enable();
	return obj;
}

static __always_inline void row_free(void *cache, void *obj)
{
	struct limit __percpu *l = (struct limit __percpu __force *)cache;
	unsigned long n;

	preempt_disable();
	n = __this_cpu_read(l->n);
	__this_cpu_write(l->objs[n], obj);
	__this_cpu_write(l->n, n + 1);
	preempt_enable();
}

static __always_inline int row_alloc_bulk(void *cache, size_t nr, void **objs)
{
	struct limit __percpu *l = (struct limit __percpu __force *)cache;
	struct limit *here;

	preempt_disable();
	here = this_cpu_ptr(l);
	here->n -= nr;
	memcpy(objs, here->objs + here->n, nr * sizeof(*objs));
	preempt_enable();
	return nr;
}

static __always_inline void row_free_bulk(void *cache, size_t nr, void **objs)
{
	struct limit __percpu *l = (struct limit __percpu __force *)cache;
	struct limit *here;

	preempt_disable();
	here = this_cpu_ptr(l);
	memcpy(here->objs + here->n, objs, nr * sizeof(*objs));
	here->n += nr;
	preempt_enable();
}

#include "patterns.h"

BENCH_ROW(limit, "limit");
