// SPDX-License-Identifier: GPL-2.0
/* How long operations took, by tier. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "latency.h"
#include "util.h"

static const char * const tier_words[KMAG_SNAP_TIERS] = {
	[KMAG_ALLOC_MAG] = "alloc magazine", [KMAG_ALLOC_DEPOT] = "alloc depot",
	[KMAG_ALLOC_SLAB] = "alloc slab", [KMAG_ALLOC_PAGE] = "alloc page",
	[KMAG_ALLOC_FAIL] = "alloc failed", [KMAG_FREE_MAG] = "free magazine",
	[KMAG_FREE_DEPOT] = "free depot", [KMAG_FREE_SLAB] = "free slab",
	[KMAG_FREE_PAGE] = "free page",
};

int latency_switch(const struct kmag_snap_cache *c, bool on)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/sys/kernel/debug/kmag/%s-%u/latency", c->name, c->id);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		goto bad;
	if (write(fd, on ? "1" : "0", 1) != 1) {
		close(fd);
		goto bad;
	}
	close(fd);
	return 0;

bad:
	say("cannot switch the latency of %s-%u in debugfs: %m", c->name, c->id);
	return -1;
}

/* The bound that this share of a tier's operations stays below; 0: has none. */
static uint64_t below(const struct kmag_snap_latency *l, unsigned int percent)
{
	uint64_t left = l->count * percent / 100;
	unsigned int i;

	/* The last bucket has no bound but the maximum. */
	for (i = 0; i < KMAG_SNAP_BUCKETS - 1; i++) {
		if (l->buckets[i] > left)
			return 1ULL << i;
		left -= l->buckets[i];
	}
	return 0;
}

static void print_below(const struct kmag_snap_latency *l, unsigned int percent)
{
	uint64_t bound = below(l, percent);

	if (bound)
		printf(" %10llu", (unsigned long long)bound);
	else
		printf(" %10s", "-");
}

void latency_print(const struct snap_cache *s)
{
	unsigned int i;

	if (!s->c.nr_latencies) {
		printf("  latency was never on: kmag stat --latency=on %s-%u\n", s->c.name,
		       s->c.id);
		return;
	}
	printf("  latency is %s; ns %15s %10s %10s %10s %10s\n", s->c.latency_on ? "on" : "off",
	       "COUNT", "MEAN", "50%<", "99%<", "MAX");
	for (i = 0; i < s->c.nr_latencies; i++) {
		const struct kmag_snap_latency *l = &s->latencies[i];

		if (!l->count || l->tier >= KMAG_SNAP_TIERS)
			continue;
		printf("  %-20s %12s %10llu", tier_words[l->tier], commas(l->count),
		       (unsigned long long)(l->sum_ns / l->count));
		print_below(l, 50);
		print_below(l, 99);
		printf(" %10llu\n", (unsigned long long)l->max_ns);
	}
}

json_t *latency_json(const struct snap_cache *s)
{
	json_t *tiers = json_array();
	unsigned int i, b;

	for (i = 0; i < s->c.nr_latencies; i++) {
		const struct kmag_snap_latency *l = &s->latencies[i];
		json_t *buckets = json_array();

		if (l->tier >= KMAG_SNAP_TIERS)
			continue;
		for (b = 0; b < KMAG_SNAP_BUCKETS; b++)
			json_array_append_new(buckets, json_integer(l->buckets[b]));
		json_array_append_new(tiers, json_pack("{s:s, s:I, s:I, s:I, s:o}",
						       "tier", tier_words[l->tier],
						       "count", (json_int_t)l->count,
						       "sum_ns", (json_int_t)l->sum_ns,
						       "max_ns", (json_int_t)l->max_ns,
						       "buckets", buckets));
	}
	return json_pack("{s:b, s:o}", "on", s->c.latency_on, "tiers", tiers);
}
