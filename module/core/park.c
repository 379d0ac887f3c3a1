// SPDX-License-Identifier: GPL-2.0
/*
 * Parking: a small array per CPU that an NMI appends to and an irq_work of the
 * same CPU empties. Above it are the frees that found themselves in an NMI.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/irq_work.h>
#include <linux/percpu.h>
#include <linux/printk.h>

#include "debug.h"
#include "magazine.h"
#include "park.h"

struct parked {
	struct kmag_cache *cache;
	void *obj;
};

struct park {
	struct irq_work work;
	unsigned int nr;
	struct parked parked[KMAG_PARK_MAX];
};

static struct park __percpu *parks;

void kmag_park(struct kmag_cache *cache, void *obj)
{
	struct park *park = this_cpu_ptr(parks);
	unsigned int nr = park->nr;

	if (nr == KMAG_PARK_MAX) {
		kmag_count(cache, KMAG_PARK_FULL);
		pr_err_once("cache %s-%u: too many frees in NMIs; an object stays allocated\n",
			    cache->name, cache->id);
		return;
	}
	park->parked[nr].cache = cache;
	park->parked[nr].obj = obj;
	barrier();	/* the interrupted emptier sees the entry with the count */
	park->nr = nr + 1;
	atomic_long_inc(&cache->parked);
	kmag_count(cache, KMAG_PARKED);
	irq_work_queue(&park->work);
}

static void park_empty(struct irq_work *work)
{
	struct park *park = container_of(work, struct park, work);
	struct parked parked;
	unsigned int nr;

	/* From the end: an NMI in between only appends, and we look again. */
	while ((nr = READ_ONCE(park->nr))) {
		parked = park->parked[nr - 1];
		if (this_cpu_cmpxchg(parks->nr, nr, nr - 1) != nr)
			continue;
		atomic_long_dec(&parked.cache->parked);
		if (kmag_debug_free(parked.cache, parked.obj))
			kmag_free_object(parked.cache, parked.obj);
	}
}

void kmag_park_flush(void)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		struct irq_work *work = &per_cpu_ptr(parks, cpu)->work;

		/* On PREEMPT_RT each sync waits for a grace period, in any case. */
		if (irq_work_is_busy(work))
			irq_work_sync(work);
	}
	/* What the others did before they were found idle is done. */
	smp_rmb();
}
EXPORT_SYMBOL_IF_KUNIT(kmag_park_flush);

int kmag_park_init(void)
{
	unsigned int cpu;

	parks = alloc_percpu(struct park);
	if (!parks)
		return -ENOMEM;
	for_each_possible_cpu(cpu)
		init_irq_work(&per_cpu_ptr(parks, cpu)->work, park_empty);
	return 0;
}

void kmag_park_exit(void)
{
	unsigned int cpu;

	/* All of it, as the memory goes. */
	for_each_possible_cpu(cpu)
		irq_work_sync(&per_cpu_ptr(parks, cpu)->work);
	free_percpu(parks);
}
