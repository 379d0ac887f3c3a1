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
	void *objs[BENCH_AWAY_MAX];
};

static struct limit __percpu *limit;

int bench_limit_init(void)
{
	limit = alloc_percpu(struct limit);
	return limit ? 0 : -ENOMEM;
}

void bench_limit_exit(void)
{
	free_percpu(limit);
}

/* One array for all sizes: that is how bare it is. */
static __always_inline void *row_open(const struct bench_cache *cache)
{
	struct limit *l = get_cpu_ptr(limit);

	for (l->n = 0; l->n < ARRAY_SIZE(l->objs); l->n++)
		l->objs[l->n] = (void *)cache;
	put_cpu_ptr(limit);
	return (void __force *)limit;
}

/*
 * Where this_cpu_*() is no single instruction, the barest is to work out the
 * address once.
 */
#if defined(CONFIG_X86_64) && !defined(CONFIG_UML)
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
#else
static __always_inline void *row_alloc(void *cache)
{
	struct limit *l;
	void *obj;

	preempt_disable();
	l = this_cpu_ptr((struct limit __percpu __force *)cache);
	obj = l->objs[--l->n];
	preempt_enable();
	return obj;
}

static __always_inline void row_free(void *cache, void *obj)
{
	struct limit *l;

	preempt_disable();
	l = this_cpu_ptr((struct limit __percpu __force *)cache);
	l->objs[l->n++] = obj;
	preempt_enable();
}
#endif

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
