/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Gates: who may use a CPU's magazines, and what becomes of their objects when it
 * is closed. Above: magazine.c, whose slow paths open it, and fence.c, which
 * closes all. Below: slab.c.
 *
 * States of a CPU's gate, all changes under cpu->lock:
 *
 *	gate      lo, hi         magazines      left by
 *	OPEN      0, capacity    any            a fence: FENCED or MARKED
 *	          0, 0           any            the same; or, when nothing drains
 *	                                        any more, the CPU's next slow free
 *	FENCED    INT_MAX, 0     untouched      the CPU's next operation: drains,
 *	                                        OPEN; or the fence, after its
 *	                                        grace period: DRAINED
 *	MARKED    INT_MAX, 0     untouched      the same, but the CPU keeps what is
 *	                                        of no draining slab
 *	DRAINED   INT_MAX, 0     empty          the CPU's next operation: OPEN
 *
 * While slabs of the cache drain, an open gate is closed for frees alone: each
 * looks at its slab (free_sorted()).
 */
#ifndef _KMAG_GATE_H
#define _KMAG_GATE_H

#include "internal.h"
#include "slab.h"

static inline struct kmag_magazine *kmag_magazine_of(void **objs)
{
	return container_of((void *)objs, struct kmag_magazine, objs);
}

static inline u32 kmag_cap_of(void **objs)
{
	return kmag_magazine_of(objs)->cap;
}

/**
 * kmag_cpu_lock - lock any CPU's magazines
 * @cache: the cache
 * @cpu: whose
 *
 * Claims those of this CPU, too: a handler of a tracepoint in between may use
 * the cache, and is to find them busy, not locked. Who may sleep is in no
 * operation of this CPU, so nobody else has the claim.
 *
 * Context: Process context. Takes @cpu->lock.
 * Return: for kmag_cpu_unlock().
 */
static inline unsigned long kmag_cpu_lock(struct kmag_cache *cache,
					  struct kmag_cpu *cpu)
	__acquires(&cpu->lock)
{
	unsigned long flags;

	local_irq_save(flags);
	this_cpu_ptr(cache->cpu)->fast.busy = 1;
	barrier();	/* as on the fast path */
	raw_spin_lock(&cpu->lock);
	return flags;
}

/**
 * kmag_cpu_unlock - undo kmag_cpu_lock()
 * @cache: the cache
 * @cpu: whose magazines
 * @flags: what it returned
 */
static inline void kmag_cpu_unlock(struct kmag_cache *cache,
				   struct kmag_cpu *cpu, unsigned long flags)
	__releases(&cpu->lock)
{
	raw_spin_unlock(&cpu->lock);
	barrier();	/* as on the fast path */
	this_cpu_ptr(cache->cpu)->fast.busy = 0;
	local_irq_restore(flags);
}

/* Open the gate of this CPU; while slabs drain, for allocations alone. */
static __always_inline void kmag_gate_open(struct kmag_cache *cache,
					   struct kmag_cpu *cpu)
{
	struct kmag_pcp *pcp = &cpu->fast;

	lockdep_assert_held(&cpu->lock);
	cpu->gate = KMAG_GATE_OPEN;
	/* Read by this CPU only, and by views. */
	WRITE_ONCE(pcp->lo, 0);
	/* Set before a fence closed this gate, cleared at any time. */
	WRITE_ONCE(pcp->hi, READ_ONCE(cache->draining) ? 0 :
			    kmag_cap_of(pcp->objs));
}

/* Another magazine is loaded. A gate that is closed for frees stays so. */
static __always_inline void kmag_gate_follow(struct kmag_cpu *cpu)
{
	struct kmag_pcp *pcp = &cpu->fast;

	lockdep_assert_held(&cpu->lock);
	if (likely(pcp->hi))
		WRITE_ONCE(pcp->hi, kmag_cap_of(pcp->objs));	/* as above */
}

/**
 * kmag_gate_reopen - open this CPU's gate, which a fence has closed
 * @cache: the cache
 * @cpu: this CPU's magazines, claimed; their lock is held
 * @left: what is to be settled without the lock
 *
 * Does now what the fence would do later.
 */
void kmag_gate_reopen(struct kmag_cache *cache, struct kmag_cpu *cpu,
		      struct kmag_leftovers *left);

/**
 * kmag_cpu_drain - give a CPU's objects back to their slabs
 * @cache: the cache
 * @cpu: whose magazines; its lock is held, and nobody is on its fast path
 * @left: what is to be settled without the lock
 */
void kmag_cpu_drain(struct kmag_cache *cache, struct kmag_cpu *cpu,
		    struct kmag_leftovers *left);

/**
 * kmag_cpu_dead - drain a CPU that is offline
 * @cache: the cache
 * @nr: the CPU
 *
 * Context: Process context.
 */
void kmag_cpu_dead(struct kmag_cache *cache, unsigned int nr);

#endif /* _KMAG_GATE_H */
