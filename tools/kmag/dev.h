/* SPDX-License-Identifier: GPL-2.0 */
/* /dev/kmag as the subcommands see it, and the snapshot taken apart. */
#ifndef KMAG_DEV_H
#define KMAG_DEV_H

#include <kmag.h>
#include <stdbool.h>
#include <stdint.h>

/* Where the views of caches are */
#define KMAG_DEBUGFS	"/sys/kernel/debug/kmag"

/**
 * dev_open - open the device and ask what it can do
 * @info: filled in
 *
 * Return: a file descriptor, or -1 after one sentence (not available here).
 */
int dev_open(struct kmag_ioc_info *info);

struct snap_cache {
	struct kmag_snap_cache c;
	struct kmag_snap_cpu *cpus;	/* ->c.nr_cpus */
	struct kmag_snap_node *nodes;	/* ->c.nr_nodes */
	struct kmag_snap_latency *latencies;	/* ->c.nr_latencies */
};

struct snapshot {
	uint64_t time_ns;
	unsigned int nr;
	struct snap_cache *caches;
};

/* Return: 0, or -1 after one sentence. */
int dev_snapshot(int fd, struct snapshot *s);

/**
 * dev_snapshot_quiet - a snapshot when nobody uses these caches any more
 * @fd: the device
 * @caches: caches, among them such as have not been made, with ids of 0
 * @nr: how many
 * @s: filled in
 *
 * Evacuation, which the load may have woken, still sends home what is cached, and
 * objects on their way are counted twice, or not at all. It ends soon.
 *
 * Return: 0, or -1 after one sentence.
 */
int dev_snapshot_quiet(int fd, const struct kmag_ioc_create *caches, unsigned int nr,
		       struct snapshot *s);
void snapshot_free(struct snapshot *s);

/* The cache by its id, or NULL. */
const struct snap_cache *snapshot_find(const struct snapshot *s, uint32_t id);

/* By its name, or name-id as in debugfs; shell patterns. No name: all. */
bool name_wanted(const struct kmag_snap_cache *c, char **names, int nr);

/* Is there none by any of these names? After one sentence. */
bool names_failed(int nr_names, unsigned int found);

/* Where all bytes are; adds up over caches. */
struct account {
	uint64_t live;		/* bytes that owners asked for */
	uint64_t align;		/* lost between their objects */
	uint64_t cpu;		/* in CPUs' magazines */
	uint64_t depot;
	uint64_t partial;	/* free in slabs with objects */
	uint64_t empty;		/* in slabs without */
	uint64_t transit;
	uint64_t tail;
	uint64_t slabs;		/* bytes of slab pages: the sum of the above */
	uint64_t mags;
	uint64_t meta;
	int64_t skew;		/* by how much the sum is off */
};

void account_add(struct account *a, const struct kmag_snap_cache *c);

/* Operations by the lowest layer that they had to touch */
struct tiers {
	uint64_t alloc[4];	/* magazine, depot, slab, page */
	uint64_t free[4];
};

extern const char * const tier_names[4];
void tiers_add(struct tiers *t, const struct kmag_snap_cache *c);

#endif /* KMAG_DEV_H */
