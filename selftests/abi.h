/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The commands of /dev/kmag in a table, a call of each that is in order, and
 * what is to be seen of a call that was refused.
 */
#ifndef _KMAG_ABI_H
#define _KMAG_ABI_H

#include <stdbool.h>

#include "kmag_test.h"
#include "kselftest_harness.h"

#define NR_CMDS 11
#define JUNK	0xee
#define PAGE	4096		/* no structure is longer */

/*
 * Every command with its structure: how much of it is needed; its flags; from
 * where to where results are; a field that must be zero; and a result that is
 * known when all goes well.
 */
static const struct {
	unsigned int cmd;
	unsigned int size;
	unsigned int min;
	__u32 flags;
	struct {
		unsigned int from;
		unsigned int to;
	} outs[2];
	unsigned int reserved;
	unsigned int told;
	__u32 value;
} cmds[NR_CMDS] = {
	{ KMAG_IOC_INFO, sizeof(struct kmag_ioc_info), 12,
	  .outs = { { 8, 64 } }, .told = 8, .value = KMAG_ABI },
	{ KMAG_IOC_CREATE, sizeof(struct kmag_ioc_create), 64,
	  .outs = { { 24, 32 }, { 64, 128 } } },
	{ KMAG_IOC_DESTROY, sizeof(struct kmag_ioc_destroy), 12,
	  KMAG_DESTROY_FORCE, .reserved = 12 },
	{ KMAG_IOC_ALLOC, sizeof(struct kmag_ioc_alloc), 32,
	  KMAG_BATCH_BULK | KMAG_BATCH_CHECK, { { 32, 36 } },
	  .reserved = 36, .told = 32, .value = 4 },
	{ KMAG_IOC_FREE, sizeof(struct kmag_ioc_free), 24,
	  KMAG_BATCH_BULK | KMAG_BATCH_CHECK, { { 24, 32 } },
	  .told = 24, .value = 4 },
	{ KMAG_IOC_REPLAY, sizeof(struct kmag_ioc_replay), 24,
	  KMAG_REPLAY_CHECK | KMAG_REPLAY_RESET, { { 24, 88 } },
	  .told = 24, .value = 2 },
	{ KMAG_IOC_SHRINK, sizeof(struct kmag_ioc_cache), 12,
	  .outs = { { 16, 24 } }, .reserved = 12 },
	{ KMAG_IOC_VALIDATE, sizeof(struct kmag_ioc_cache), 12,
	  .outs = { { 16, 24 } }, .reserved = 12, .told = 16 },
	{ KMAG_IOC_SNAPSHOT, sizeof(struct kmag_ioc_snapshot), 32,
	  .outs = { { 24, 32 } } },
	{ KMAG_IOC_RUN, sizeof(struct kmag_ioc_run), 88,
	  KMAG_RUN_CHECK, { { 100, 176 } }, .told = 100, .value = 1 },
	{ KMAG_IOC_PROGRESS, sizeof(struct kmag_ioc_progress), 32,
	  .outs = { { 8, 48 } }, .told = 24, .value = 64 },	/* of the run */
};

static bool is_out(unsigned int cmd, unsigned int at)
{
	return (at >= cmds[cmd].outs[0].from && at < cmds[cmd].outs[0].to) ||
	       (at >= cmds[cmd].outs[1].from && at < cmds[cmd].outs[1].to);
}

/* What calls that do something need. */
struct bed {
	int fd;
	__u32 id;		/* of a cache */
	__u32 objs[4];
	struct kmag_replay_rec recs[2];
};

static void prepare(struct __test_metadata *_metadata, struct bed *bed, int fd)
{
	__u32 nr = 4;

	*bed = (struct bed){ .fd = fd };
	ASSERT_EQ(kmag_create(fd, 0, "abi", 64, 0, &bed->id), 0);
	/* Something for a shrink to find. */
	ASSERT_EQ(kmag_alloc(fd, bed->id, 0, 0, &nr, bed->objs), 0);
	ASSERT_EQ(kmag_free(fd, bed->id, 0, &nr, bed->objs, NULL), 0);
}

/*
 * A structure of a whole page for a call that is in order and does something:
 * as much as the call needs, zeroes, and junk in results and behind its size.
 */
static void good_call(struct __test_metadata *_metadata, struct bed *bed,
		      unsigned int cmd, __u32 size, char *page)
{
	union {
		struct {
			__u32 size;
			__u32 flags;
			__u32 id;	/* of most commands */
		};
		char bytes[256];
		struct kmag_ioc_create create;
		struct kmag_ioc_alloc alloc;
		struct kmag_ioc_free free;
		struct kmag_ioc_replay replay;
		struct kmag_ioc_run run;
	} arg = { { 0 } };
	unsigned int i;
	__u32 nr = 4;

	arg.id = bed->id;
	switch (cmds[cmd].cmd) {
	case KMAG_IOC_CREATE:
		arg.create = (struct kmag_ioc_create){
			.object_size = 64,
			.name = "abi.new",
		};
		break;
	case KMAG_IOC_DESTROY:
		ASSERT_EQ(kmag_create(bed->fd, 0, "abi.old", 64, 0, &arg.id), 0);
		break;
	case KMAG_IOC_ALLOC:
		arg.alloc.count = 4;
		arg.alloc.node = -1;
		arg.alloc.objs = (uintptr_t)bed->objs;
		break;
	case KMAG_IOC_FREE:
		ASSERT_EQ(kmag_alloc(bed->fd, bed->id, 0, 0, &nr, bed->objs), 0);
		arg.free.count = 4;
		arg.free.objs = (uintptr_t)bed->objs;
		break;
	case KMAG_IOC_REPLAY:
		for (i = 0; i < 2; i++)
			bed->recs[i] = (struct kmag_replay_rec){
				.slot = i,
				.cache = bed->id,
			};
		arg.replay = (struct kmag_ioc_replay){
			.flags = KMAG_REPLAY_RESET,
			.count = 2,
			.nr_slots = 2,
			.recs = (uintptr_t)bed->recs,
		};
		break;
	case KMAG_IOC_RUN:
		arg.run = (struct kmag_ioc_run){
			.caches = (uintptr_t)&bed->id,
			.nr_caches = 1,
			.threads = 1,
			.count = 64,
			.live = 1,
		};
		break;
	case KMAG_IOC_INFO:
	case KMAG_IOC_SNAPSHOT:
	case KMAG_IOC_PROGRESS:
		arg.id = 0;
		break;
	}
	arg.size = size;
	memset(page, 0, PAGE);
	memcpy(page, &arg, cmds[cmd].size);
	for (i = 0; i < PAGE; i++)
		if (i >= size || is_out(cmd, i))
			page[i] = JUNK;
}

/* Results up to the structure's size are zero, all else is as it was. */
static void expect_zero_outs(struct __test_metadata *_metadata,
			     unsigned int cmd, const char *page,
			     const char *before)
{
	__u32 size = *(const __u32 *)before;
	unsigned int i;

	for (i = 0; i < PAGE; i++) {
		bool out = is_out(cmd, i) && i < size;

		ASSERT_EQ(page[i], out ? 0 : before[i])
			TH_LOG("command %u, size %u, byte %u", cmd, size, i);
	}
}

/* What calls that were done leave behind, in caches of these tests. */
struct trace {
	__u64 caches;
	__u64 allocs;
	__u64 frees;
	__u64 cpu_objs;
};

static struct trace look(struct __test_metadata *_metadata, int fd)
{
	struct kmag_snap_head *head = kmag_snapshot(fd);
	const struct kmag_snap_cache *cache = NULL;
	struct trace trace = { 0 };
	__u32 i, k;

	ASSERT_NE(head, NULL);
	for (i = 0; i < head->nr_caches; i++) {
		cache = kmag_snap_next(head, cache);
		if (strncmp(cache->name, "abi", 3))
			continue;
		trace.caches++;
		trace.cpu_objs += cache->cpu_objs;
		for (k = KMAG_ALLOC_MAG; k <= KMAG_ALLOC_PAGE; k++)
			trace.allocs += cache->stats[k];
		for (k = KMAG_FREE_MAG; k <= KMAG_FREE_PAGE; k++)
			trace.frees += cache->stats[k];
	}
	free(head);
	return trace;
}

static void expect_undone(struct __test_metadata *_metadata, int fd,
			  unsigned int cmd, const struct trace *before)
{
	struct trace now = look(_metadata, fd);

	ASSERT_EQ(memcmp(&now, before, sizeof(now)), 0)
		TH_LOG("command %u: %llu caches, %llu allocs, %llu frees, %llu cached",
		       cmd, now.caches - before->caches,
		       now.allocs - before->allocs, now.frees - before->frees,
		       now.cpu_objs - before->cpu_objs);
}

#endif /* _KMAG_ABI_H */
