/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Pinned threads that start together.
 */
#ifndef _KMAG_DEV_WORKERS_H
#define _KMAG_DEV_WORKERS_H

#include <linux/atomic.h>
#include <linux/cache.h>
#include <linux/compiler.h>
#include <linux/completion.h>
#include <linux/types.h>
#include <linux/wait.h>

struct kmag_workers;
struct task_struct;

/**
 * struct kmag_worker - one of several threads
 * @all: all of them
 * @data: what this one works on
 * @task: the thread
 * @end: when it was through; ktime_get_ns()
 */
struct kmag_worker {
	struct kmag_workers *all;
	void *data;
	struct task_struct *task;
	u64 end;
} ____cacheline_aligned_in_smp;

/**
 * struct kmag_workers - threads that work on one thing
 * @fn: what each does, once all are there
 * @tick: called in the caller's context while it waits, every 100 ms; or NULL
 * @data: for @tick
 * @limit_ns: time after which they are told to stop; 0: none
 * @start: when the gate was opened; 0: it never was
 * @stop: end early; written by the caller, read by workers
 * @open: the start gate
 * @gate: where workers wait for it
 * @ready: workers that have not come to the gate yet
 * @busy: workers that are not through
 * @all_ready: none is left of the former
 * @all_done: none is left of the latter
 * @nr: workers
 * @worker: each
 */
struct kmag_workers {
	void (*fn)(struct kmag_workers *workers, void *data);
	void (*tick)(void *data);
	void *data;
	u64 limit_ns;
	u64 start;
	bool stop;
	bool open;
	wait_queue_head_t gate;
	atomic_t ready;
	atomic_t busy;
	struct completion all_ready;
	struct completion all_done;
	unsigned int nr;
	struct kmag_worker worker[];
};

/**
 * kmag_workers_stopped - shall a worker end?
 * @workers: that it is one of
 *
 * Return: true if it shall.
 */
static inline bool kmag_workers_stopped(const struct kmag_workers *workers)
{
	/* Written while we run; nothing else goes with it. */
	return READ_ONCE(workers->stop);
}

struct kmag_workers *
kmag_workers_new(unsigned int max,
		 void (*fn)(struct kmag_workers *workers, void *data));
int kmag_workers_add(struct kmag_workers *workers, const char *name,
		     unsigned int cpu, void *data);
int kmag_workers_run(struct kmag_workers *workers);
u64 kmag_worker_ns(const struct kmag_workers *workers, unsigned int i);
void kmag_workers_end(struct kmag_workers *workers);
void kmag_workers_free(struct kmag_workers *workers);

#endif /* _KMAG_DEV_WORKERS_H */
