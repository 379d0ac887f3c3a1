/* SPDX-License-Identifier: GPL-2.0 */
/* What a fuzzing thread knows of an open file, and valid calls made of that. */
#ifndef FUZZ_MODEL_H
#define FUZZ_MODEL_H

#include <stdbool.h>

#include "../kmag_test.h"

#define FUZZ_CACHES	8	/* of a file, by its model */
#define FUZZ_OBJS	1024	/* of a cache, by its model */
#define FUZZ_BYTES	(1U << 20)	/* in objects of a cache */
#define FUZZ_SLOTS	64
#define FUZZ_RECS	64
#define FUZZ_SHARED_SIZE 1024	/* the largest objects in a file that is shared */
#define FUZZ_SHARED_OBJS 4096	/* ids that are tried there */

struct fuzz_cache {
	__u32 id;
	__u32 kmag_id;		/* in snapshots; or 0 */
	__u32 size;		/* or alignment, if that is more */
	__u32 flags;		/* KMAG_CF_* */
	__u32 backend;
	__u32 nr;
	__u32 objs[FUZZ_OBJS];
};

struct fuzz_model {
	int fd;
	bool shared;		/* what it holds is a guess */
	bool lost;		/* memory ran out: what it holds is not known */
	__u32 nr;
	struct fuzz_cache caches[FUZZ_CACHES];
	__u32 slots[FUZZ_SLOTS];	/* the cache, or 0 for an empty one */
};

/* A call's structure, whichever. */
union fuzz_arg {
	struct {
		__u32 size;
		__u32 flags;
	};
	__u32 words[44];
	struct kmag_ioc_info info;
	struct kmag_ioc_create create;
	struct kmag_ioc_destroy destroy;
	struct kmag_ioc_alloc alloc;
	struct kmag_ioc_free free;
	struct kmag_ioc_replay replay;
	struct kmag_ioc_cache cache;
	struct kmag_ioc_snapshot snapshot;
	struct kmag_ioc_run run;
	struct kmag_ioc_progress progress;
};

/* What structures point to; what comes behind it cannot be touched. */
struct fuzz_memory {
	__u32 ids[16384];
	struct kmag_replay_rec recs[FUZZ_RECS];
	__u32 caches[KMAG_RUN_MAX_CACHES];
	__u64 cpus[KMAG_REPLAY_MAX_CPUS / 64];
	struct kmag_run_thread results[1024];
	char snapshot[1 << 20];
};

__u64 fuzz_chance(__u64 *state);
__u32 fuzz_below(__u64 *state, __u32 n);
bool fuzz_one_in(__u64 *state, __u32 n);

/* The cache of an id, or NULL. */
struct fuzz_cache *fuzz_find(struct fuzz_model *m, __u32 id);
/* How many more objects a cache may get. */
__u32 fuzz_room(const struct fuzz_model *m, const struct fuzz_cache *c);
/* Slots that hold an object of the cache; of 0: empty ones. */
__u32 fuzz_slots_of(const struct fuzz_model *m, __u32 id);

/*
 * Make a call of a command that is in order, but for its size.
 * Return: what must come of it, 0 or -errno.
 */
int fuzz_valid(struct fuzz_model *m, __u64 *rnd, struct fuzz_memory *mem,
	       unsigned int cmd, union fuzz_arg *arg);

/* Note that objects were allocated. */
void fuzz_allocated(struct fuzz_cache *c, const __u32 *ids, __u32 nr);
/* Note that objects were freed, up to one that is not there. Return: their number. */
__u32 fuzz_freed(struct fuzz_cache *c, const __u32 *ids, __u32 nr);
/* Note that a cache is gone. */
void fuzz_destroyed(struct fuzz_model *m, __u32 id);
/* Note that records were replayed. Return: how many slots hold objects now. */
__u32 fuzz_replayed(struct fuzz_model *m, __u32 flags,
		    const struct kmag_replay_rec *recs, __u32 nr);

#endif /* FUZZ_MODEL_H */
