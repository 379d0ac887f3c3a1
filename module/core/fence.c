// SPDX-License-Identifier: GPL-2.0
/*
 * The fence closes the gate of every CPU, waits until no operation can be left
 * that saw it open, and takes the magazines.
 *
 * An operation on the fast path runs with preemption off, so it is an RCU
 * reader; it looks at the gate after it began. An operation that began before
 * the gate was closed has ended after a grace period; one that began later saw
 * it closed and changed nothing. So after the grace period ->rounds stands
 * still, whatever ->busy says at that moment (it is set, and cleared again, by
 * operations that find the gate closed, and by whoever fences on that CPU).
 *
 * Only the CPU itself opens its gate, under its lock: a drainer leaves it
 * DRAINED. So no CPU ever sees an open gate with counts from before.
 */
#include <linux/rcupdate.h>

#include "fence.h"
#include "gate.h"
#include "slab.h"
#include "trace.h"

static void gate_close(struct kmag_cache *cache, struct kmag_cpu *cpu,
		       enum kmag_gate gate)
{
	unsigned long flags = kmag_cpu_lock(cache, cpu);

	if (cpu->gate == KMAG_GATE_OPEN) {
		cpu->gate = gate;
		/* Read on the fast path of another CPU, at any time. */
		WRITE_ONCE(cpu->fast.lo, INT_MAX);
		WRITE_ONCE(cpu->fast.hi, 0);
	}
	kmag_cpu_unlock(cache, cpu, flags);
}

static void gate_drain(struct kmag_cache *cache, struct kmag_cpu *cpu)
{
	struct kmag_leftovers left = KMAG_LEFTOVERS_INIT(left);
	unsigned long flags = kmag_cpu_lock(cache, cpu);

	if (cpu->gate == KMAG_GATE_FENCED || cpu->gate == KMAG_GATE_MARKED) {
		kmag_cpu_drain(cache, cpu, &left);
		cpu->gate = KMAG_GATE_DRAINED;
	}
	kmag_cpu_unlock(cache, cpu, flags);
	kmag_slab_settle(cache, &left);
}

static void fence(struct kmag_cache *cache, enum kmag_gate gate)
{
	unsigned int nr;

	lockdep_assert_held(&cache->fence_lock);
	for_each_possible_cpu(nr)
		gate_close(cache, per_cpu_ptr(cache->cpu, nr), gate);
	synchronize_rcu();
	for_each_possible_cpu(nr)
		gate_drain(cache, per_cpu_ptr(cache->cpu, nr));
	trace_kmag_fence(cache, gate == KMAG_GATE_MARKED);
}

void kmag_fence(struct kmag_cache *cache)
{
	fence(cache, KMAG_GATE_FENCED);
}
EXPORT_SYMBOL_IF_KUNIT(kmag_fence);

void kmag_fence_marked(struct kmag_cache *cache)
{
	fence(cache, KMAG_GATE_MARKED);
}
