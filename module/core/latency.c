// SPDX-License-Identifier: GPL-2.0
/*
 * Latency histograms: for each tier powers of two of nanoseconds, counted by
 * the CPU that the operation ended on. Above: alloc.c, and those who print.
 */
#include <linux/cpumask.h>
#include <linux/minmax.h>
#include <linux/mutex.h>

#include "latency.h"

struct kmag_latency {
	struct {
		unsigned long sum;
		unsigned long max;
		unsigned long nr[KMAG_SNAP_BUCKETS];
	} tier[KMAG_SNAP_TIERS];
};

/*
 * Protects latency_on of every cache. Static keys are switched under it, which
 * takes the CPU hotplug lock: so neither the registry's mutex, which hotplug
 * takes, nor one that is taken under that will do.
 */
static DEFINE_MUTEX(latency_lock);

void __kmag_latency_end(struct kmag_cache *cache, enum kmag_stat tier,
			u64 start)
{
	u64 ns = ktime_get_mono_fast_ns() - start;
	unsigned int bucket = min_t(unsigned int, fls64(ns),
				    KMAG_SNAP_BUCKETS - 1);
	struct kmag_latency __percpu *latency = cache->latency;

	/* A free that was put aside has not been served yet. */
	if (tier >= KMAG_SNAP_TIERS)
		return;
	this_cpu_inc(latency->tier[tier].nr[bucket]);
	this_cpu_add(latency->tier[tier].sum, ns);
	/* An interrupt in between may lose its maximum to ours. */
	if (ns > this_cpu_read(latency->tier[tier].max))
		this_cpu_write(latency->tier[tier].max, ns);
}

static void latency_zero(struct kmag_cache *cache)
{
	unsigned int nr;

	/* A straggler that adds meanwhile is one operation more. */
	for_each_possible_cpu(nr)
		memset(per_cpu_ptr(cache->latency, nr), 0,
		       sizeof(struct kmag_latency));
}

int kmag_latency_set(struct kmag_cache *cache, bool on)
{
	int ret = 0;

	mutex_lock(&latency_lock);
	if (on && !cache->latency) {
		cache->latency = alloc_percpu(struct kmag_latency);
		if (!cache->latency) {
			ret = -ENOMEM;
			goto out;
		}
	} else if (on) {
		latency_zero(cache);
	}
	if (on == cache->latency_on)
		goto out;
	if (on) {
		/* Pairs with kmag_latency_start(). */
		smp_store_release(&cache->latency_on, true);
		static_branch_inc(&kmag_alloc_is_odd);
		static_branch_inc(&kmag_free_is_odd);
	} else {
		WRITE_ONCE(cache->latency_on, false);
		static_branch_dec(&kmag_free_is_odd);
		static_branch_dec(&kmag_alloc_is_odd);
	}
out:
	mutex_unlock(&latency_lock);
	return ret;
}
EXPORT_SYMBOL_IF_KUNIT(kmag_latency_set);

void kmag_latency_free(struct kmag_cache *cache)
{
	free_percpu(cache->latency);
}

size_t kmag_latency_bytes(void)
{
	return num_possible_cpus() * sizeof(struct kmag_latency);
}

void kmag_latency_sum(struct kmag_cache *cache, enum kmag_stat tier,
		      struct kmag_snap_latency *out)
{
	/* Set once, and kept until the cache goes. */
	struct kmag_latency __percpu *latency = READ_ONCE(cache->latency);
	unsigned int nr, i;

	out->size = sizeof(*out);
	out->tier = tier;
	if (!latency)
		return;
	for_each_possible_cpu(nr) {
		struct kmag_latency *cpu = per_cpu_ptr(latency, nr);

		/* Counted by its CPU meanwhile. */
		out->sum_ns += READ_ONCE(cpu->tier[tier].sum);
		out->max_ns = max_t(u64, out->max_ns,
				    READ_ONCE(cpu->tier[tier].max));
		for (i = 0; i < KMAG_SNAP_BUCKETS; i++) {
			unsigned long ops = READ_ONCE(cpu->tier[tier].nr[i]);

			out->buckets[i] += ops;
			out->count += ops;
		}
	}
}
EXPORT_SYMBOL_IF_KUNIT(kmag_latency_sum);
