/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A workload, and the players that do it: one for each thread.
 *
 * workload.c makes them of what the caller asks for, pace.c lets each take its
 * steps in a thread or in interrupts, and pattern.c knows what a step is.
 */
#ifndef _KMAG_DEV_WORKLOAD_H
#define _KMAG_DEV_WORKLOAD_H

#include <linux/cache.h>
#include <linux/completion.h>
#include <linux/hrtimer.h>
#include <linux/prandom.h>

#include "dev.h"
#include "workers.h"

/**
 * struct kmag_held - an object of a live set
 * @obj: the object; NULL in what is left of an array that was not filled
 * @n: its number, for the contents; no other live object of the run has it, until
 *	the numbers begin again after 2^32
 * @cache: its cache, an index into those of the workload
 * @tag: what contents.c did to it
 */
struct kmag_held {
	void *obj;
	u32 n;
	u8 cache;
	u8 tag;
};

struct kmag_pace_book;
struct kmag_workload;

/**
 * struct kmag_player - one thread's part of a workload
 * @load: the workload
 * @rnd: all its chances
 * @held: the live set; with KMAG_RUN_CROSS a ring of arrays
 * @room: entries in @held
 * @head: first live entry
 * @nr: behind the last live entry
 * @phase: of the pattern
 * @todo: steps left in this phase
 * @n: number of the next object
 * @tries: allocations that are left to try
 * @got: results so far; read by the caller's tick, which need not be exact
 * @timer: in whose interrupts it plays
 * @done: it is over; for the thread that waits meanwhile
 * @took_ns: its last interrupt, or what it takes the next to be
 * @booked_ns: its timer waits for a turn that is so long, with what is then due to
 *	threads; or 0
 * @book: where that is booked
 * @idle: steps in a row for which there was nothing to do
 * @unread: nobody will be told whether contents were as they should be
 * @over: no step will follow; stored with release
 * @prev: KMAG_RUN_CROSS: whose arrays it frees
 * @next: KMAG_RUN_CROSS: who frees its arrays
 * @filled: arrays filled; stored with release
 * @taken: arrays freed by @next; stored with release
 */
struct kmag_player {
	const struct kmag_workload *load;
	struct rnd_state rnd;
	struct kmag_held *held;
	u32 room;
	u32 head;
	u32 nr;
	u32 phase;
	u32 todo;
	u32 n;
	u64 tries;
	struct kmag_run_thread got;
	struct hrtimer timer;
	struct completion done;
	u64 took_ns;
	u64 booked_ns;
	struct kmag_pace_book *book;
	unsigned int idle;
	bool unread;
	bool over;
	struct kmag_player *prev;
	struct kmag_player *next;
	unsigned long filled;
	unsigned long taken ____cacheline_aligned_in_smp;	/* another CPU's to write */
} ____cacheline_aligned_in_smp;

/**
 * struct kmag_workload - what a run does
 * @pattern: enum kmag_run_pattern
 * @mode: enum kmag_run_mode
 * @gfp: for allocations
 * @check: fill and check contents
 * @on_ns: stutter: work so long
 * @off_ns: and rest so long; 0: never
 * @period_ns: between interrupts
 * @steps: in each
 * @limit_ns: longest duration
 * @reserved: bytes of pages that it may need
 * @workers: the threads
 * @bulk: objects of a bulk call, or a handed-over array, at most
 * @nr_caches: entries in @caches
 * @caches: to allocate from
 * @nr_players: entries in @players
 * @players: one for each thread
 */
struct kmag_workload {
	u32 pattern;
	u32 mode;
	gfp_t gfp;
	bool check;
	u64 on_ns;
	u64 off_ns;
	u64 period_ns;
	u32 steps;
	u64 limit_ns;
	u64 reserved;
	struct kmag_workers *workers;
	u32 bulk;
	u32 nr_caches;
	struct kmag_dev_cache *caches[KMAG_RUN_MAX_CACHES];
	u32 nr_players;
	struct kmag_player *players;
};

/* pattern.c */
u32 kmag_pattern_room(u32 pattern, u32 live);
bool kmag_pattern_step(struct kmag_player *p);
void kmag_pattern_drop(struct kmag_player *p);

/* pace.c */
void kmag_pace(struct kmag_workers *workers, void *data);

#endif /* _KMAG_DEV_WORKLOAD_H */
