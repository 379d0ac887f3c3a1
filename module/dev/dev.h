/* SPDX-License-Identifier: GPL-2.0 */
/*
 * kmag_dev, the inside.
 *
 * main.c      init and exit
 * ioctl.c     the table of commands and what is common to them
 * file.c      an open file: its life, its caches
 * handles.c   objects by id: alloc and free in batches
 * slots.c     the table that replay keeps its objects in
 * plan.c      records checked and sorted into one list per worker
 * replay.c    a recorded batch done again
 * workers.c   pinned threads that start together
 * workload.c  a workload, from its start to its end
 * pattern.c   what each of its threads does next
 * pace.c      when it does so: in a thread, in interrupts
 * contents.c  patterns written into objects, and checked
 * snapshot.c  every kmag cache in one buffer
 * backend_*.c who serves a cache
 *
 * Locks: struct kmag_file.lock, a mutex, is held over every command that
 * touches the file's state, a replay or a workload included. Their workers run
 * on behalf of its holder; among themselves they synchronize on
 * struct kmag_slot.state, and on the counters of a ring in struct kmag_player.
 * Nothing else is shared, but struct kmag_progress, which is atomic.
 */
#ifndef _KMAG_DEV_H
#define _KMAG_DEV_H

#include <linux/atomic.h>
#include <linux/mutex.h>
#include <linux/types.h>
#include <linux/xarray.h>
#include <uapi/kmag.h>

/* Limits, as KMAG_IOC_INFO tells them. */
#define KMAG_DEV_MAX_CACHES	512U
#define KMAG_DEV_MAX_BATCH	16384U
#define KMAG_DEV_MAX_OBJECTS	(4U * 1024 * 1024)
#define KMAG_DEV_MAX_REPLAY	(1024U * 1024)
#define KMAG_DEV_MAX_RUN_THREADS 1024U
#define KMAG_DEV_MAX_RUN_MS	(3600U * 1000)

#define KMAG_DEV_CF_ALL		(KMAG_CF_HWALIGN | KMAG_CF_ACCOUNT | \
				 KMAG_CF_RECLAIM | KMAG_CF_CTOR)

struct kmag_backend_ops;
struct kmag_cache;
struct kmag_workload;
struct kmem_cache;

/**
 * struct kmag_dev_cache - a cache of an open file
 * @ops: its backend
 * @kmag: the cache, when kmag serves it
 * @kmem: the cache, when the kernel serves it
 * @id: for this file
 * @serial: among all that were ever made; part of the contents' pattern
 * @size: of an object
 * @align: as asked for
 * @flags: KMAG_CF_*
 * @ctor_len: bytes that the constructor writes, or 0
 * @share: bytes of pages that an object needs, at most
 * @ahead: bytes of pages that a CPU gets before anybody asks for them
 * @cpu_keeps: bytes of pages that are kept for a CPU, unused, at most
 * @node_keeps: the same for a memory node
 * @objs: objects by id; the tag tells what contents.c did to them
 * @nr_objs: entries in @objs
 */
struct kmag_dev_cache {
	const struct kmag_backend_ops *ops;
	union {
		struct kmag_cache *kmag;
		struct kmem_cache *kmem;
	};
	u32 id;
	u32 serial;
	u32 size;
	u32 align;
	u32 flags;
	u32 ctor_len;
	u32 share;
	u32 ahead;
	u32 cpu_keeps;
	u32 node_keeps;
	struct xarray objs;
	u32 nr_objs;
};

/**
 * enum kmag_slot_state - what a slot of the replay table holds
 * @KMAG_SLOT_EMPTY: nothing (yet)
 * @KMAG_SLOT_LIVE: an object
 * @KMAG_SLOT_FAILED: the mark of an allocation that failed: its free, when it
 *	comes, is skipped
 */
enum kmag_slot_state {
	KMAG_SLOT_EMPTY = 0,
	KMAG_SLOT_LIVE,
	KMAG_SLOT_FAILED,
};

/**
 * struct kmag_slot - a place for one object of a replay
 * @obj: the object
 * @cache: id of its cache
 * @state: enum kmag_slot_state; stored with release by the worker that
 *	allocates, loaded with acquire by the one that frees
 * @tag: what contents.c did to the object
 * @plan: KMAG_PLAN_*, while a call's records are checked
 */
struct kmag_slot {
	void *obj;
	u16 cache;
	u8 state;
	u8 tag;
	u8 plan;
};

/**
 * struct kmag_progress - how far a workload is, for those who do not wait
 * @runs: that were begun
 * @start: of the one under way, or 0
 * @allocs: so far, as the following
 * @failed: so far
 * @corrupt: so far
 */
struct kmag_progress {
	atomic64_t runs;
	atomic64_t start;
	atomic64_t allocs;
	atomic64_t failed;
	atomic64_t corrupt;
};

/**
 * struct kmag_file - state of an open file
 * @lock: serializes commands
 * @number: of the file, never used again
 * @caches: by id
 * @nr_caches: entries in @caches
 * @next_cache: where the search for a free id goes on
 * @next_obj: the same, for objects; one sequence for all caches, so that an
 *	id of one cache is not one of another
 * @nr_objs: objects that ids stand for
 * @slots: the replay table
 * @nr_slots: its length
 * @nr_live: slots that hold an object
 * @nr_failed: slots that hold the mark of a failed allocation
 * @load: the workload that runs
 * @progress: of it
 */
struct kmag_file {
	struct mutex lock;	/* all that follows, but number and progress */
	u64 number;
	struct xarray caches;
	u32 nr_caches;
	u32 next_cache;
	u32 next_obj;
	u32 nr_objs;
	struct kmag_slot *slots;
	u32 nr_slots;
	u32 nr_live;
	u32 nr_failed;
	struct kmag_workload *load;
	struct kmag_progress progress;
};

/* ioctl.c */
extern const struct file_operations kmag_dev_fops;
int kmag_dev_gfp(unsigned int class, gfp_t *gfp);

/* file.c */
struct kmag_file *kmag_file_new(void);
void kmag_file_free(struct kmag_file *file);
struct kmag_dev_cache *kmag_file_cache(struct kmag_file *file, u32 id);
int kmag_file_create(struct kmag_file *file, void *arg);
int kmag_file_destroy(struct kmag_file *file, void *arg);
int kmag_file_shrink(struct kmag_file *file, void *arg);
int kmag_file_validate(struct kmag_file *file, void *arg);

/* handles.c */
int kmag_handles_alloc(struct kmag_file *file, void *arg);
int kmag_handles_free(struct kmag_file *file, void *arg);
void kmag_handles_drop(struct kmag_file *file, struct kmag_dev_cache *cache);

/* slots.c */
int kmag_slots_grow(struct kmag_file *file, u32 nr);
u32 kmag_slots_count(struct kmag_file *file, const struct kmag_dev_cache *cache);
void kmag_slots_drop(struct kmag_file *file, const struct kmag_dev_cache *cache);

/* replay.c */
int kmag_replay(struct kmag_file *file, void *arg);

/* workload.c */
u64 kmag_workload_max_bytes(void);
int kmag_workload_run(struct kmag_file *file, void *arg);
int kmag_workload_progress(struct kmag_file *file, void *arg);

/* snapshot.c */
int kmag_dev_snapshot(struct kmag_file *file, void *arg);

#endif /* _KMAG_DEV_H */
