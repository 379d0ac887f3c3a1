// SPDX-License-Identifier: GPL-2.0
/*
 * Gates: what is in the magazines of a CPU whose gate was closed goes home, all of
 * it or what drains.
 */
#include <linux/export.h>

#include "gate.h"
#include "mark.h"

void kmag_cpu_drain(struct kmag_cache *cache, struct kmag_cpu *cpu,
		    struct kmag_leftovers *left)
{
	struct kmag_pcp *pcp = &cpu->fast;

	lockdep_assert_held(&cpu->lock);
	kmag_slab_give(cache, pcp->objs, pcp->rounds, left);
	kmag_slab_give(cache, pcp->prev_objs, pcp->prev_rounds, left);
	WRITE_ONCE(pcp->rounds, 0);	/* views look without the lock */
	WRITE_ONCE(pcp->prev_rounds, 0);
}

/* Send home what drains of @nr objects; those that stay come first. */
static u32 sort_run(struct kmag_cache *cache, void **objs, u32 nr,
		    struct kmag_leftovers *left)
{
	u32 i, kept = 0;

	for (i = 0; i < nr; i++)
		if (!kmag_slab_drains(kmag_slab_of(objs[i]))) {
			swap(objs[kept], objs[i]);
			kept++;
		}
	kmag_slab_give(cache, objs + kept, nr - kept, left);
	return kept;
}

/* As kmag_cpu_drain(), but only what drains; for this CPU. */
static void cpu_sort(struct kmag_cache *cache, struct kmag_cpu *cpu,
		     struct kmag_leftovers *left)
{
	struct kmag_pcp *pcp = &cpu->fast;

	lockdep_assert_held(&cpu->lock);
	/* Views look without the lock. */
	WRITE_ONCE(pcp->rounds, sort_run(cache, pcp->objs, pcp->rounds, left));
	WRITE_ONCE(pcp->prev_rounds,
		   sort_run(cache, pcp->prev_objs, pcp->prev_rounds, left));
}

void kmag_gate_reopen(struct kmag_cache *cache, struct kmag_cpu *cpu,
		      struct kmag_leftovers *left)
{
	if (cpu->gate == KMAG_GATE_FENCED)
		kmag_cpu_drain(cache, cpu, left);
	else if (cpu->gate == KMAG_GATE_MARKED)
		cpu_sort(cache, cpu, left);
	cpu->stats[KMAG_FENCE]++;
	kmag_gate_open(cache, cpu);
}

void kmag_cpu_dead(struct kmag_cache *cache, unsigned int nr)
{
	struct kmag_cpu *cpu = per_cpu_ptr(cache->cpu, nr);
	struct kmag_leftovers left = KMAG_LEFTOVERS_INIT(left);
	unsigned long flags = kmag_cpu_lock(cache, cpu);

	kmag_cpu_drain(cache, cpu, &left);
	if (cpu->gate != KMAG_GATE_OPEN)
		cpu->gate = KMAG_GATE_DRAINED;
	kmag_cpu_unlock(cache, cpu, flags);
	kmag_slab_settle(cache, &left);
}
EXPORT_SYMBOL_IF_KUNIT(kmag_cpu_dead);
