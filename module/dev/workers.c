// SPDX-License-Identifier: GPL-2.0
/*
 * Pinned threads that start together: all wait at a gate until the last one is
 * there. They end by themselves, or when they are told to.
 */
#include <linux/err.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/minmax.h>
#include <linux/overflow.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/topology.h>

#include "workers.h"

/* How often the caller's tick is called. */
#define KMAG_WORKERS_TICK_NS	(100 * NSEC_PER_MSEC)

static int kmag_worker_fn(void *data)
{
	struct kmag_worker *worker = data;
	struct kmag_workers *all = worker->all;

	if (atomic_dec_and_test(&all->ready))
		complete(&all->all_ready);
	/* Pairs with kmag_workers_run(): whoever is let in knows the start. */
	wait_event(all->gate, smp_load_acquire(&all->open));

	all->fn(all, worker->data);

	worker->end = ktime_get_ns();
	if (atomic_dec_and_test(&all->busy))
		complete(&all->all_done);

	/* kthread_stop() wants to find us, and the module must outlive us. */
	set_current_state(TASK_IDLE);
	while (!kthread_should_stop()) {
		schedule();
		set_current_state(TASK_IDLE);
	}
	__set_current_state(TASK_RUNNING);
	return 0;
}

/**
 * kmag_workers_new - room for workers
 * @max: how many, at most
 * @fn: what each of them does
 *
 * Return: no workers yet, to be freed with kmag_workers_free(); or NULL.
 */
struct kmag_workers *
kmag_workers_new(unsigned int max,
		 void (*fn)(struct kmag_workers *workers, void *data))
{
	struct kmag_workers *workers;

	workers = kvzalloc(struct_size(workers, worker, max),
			   GFP_KERNEL_ACCOUNT);
	if (!workers)
		return NULL;
	workers->fn = fn;
	init_waitqueue_head(&workers->gate);
	init_completion(&workers->all_ready);
	init_completion(&workers->all_done);
	return workers;
}

/**
 * kmag_workers_add - add a worker, which does not run yet
 * @workers: with room for it
 * @name: of the thread, before its CPU
 * @cpu: that it is pinned to
 * @data: what it works on
 *
 * Return: 0 or an error.
 */
int kmag_workers_add(struct kmag_workers *workers, const char *name,
		     unsigned int cpu, void *data)
{
	struct kmag_worker *worker = &workers->worker[workers->nr];

	worker->all = workers;
	worker->data = data;
	worker->task = kthread_create_on_node(kmag_worker_fn, worker,
					      cpu_to_node(cpu), "%s/%u", name,
					      cpu);
	if (IS_ERR(worker->task))
		return PTR_ERR(worker->task);
	kthread_bind(worker->task, cpu);
	workers->nr++;
	return 0;
}

/* Wait until all are through, or the time is up, or a signal comes. */
static int kmag_workers_wait(struct kmag_workers *workers)
{
	u64 nap = workers->tick ? KMAG_WORKERS_TICK_NS : U64_MAX;
	u64 limit = workers->limit_ns ?: U64_MAX;
	u64 spent;

	while ((spent = ktime_get_ns() - workers->start) < limit) {
		u64 ns = min(nap, limit - spent);
		struct completion *done = &workers->all_done;
		unsigned long timeout;
		long ret;

		/* Of a limit that is far away, the next few days will do. */
		timeout = min_t(unsigned long, nsecs_to_jiffies(ns) + 1,
				MAX_SCHEDULE_TIMEOUT);
		ret = wait_for_completion_interruptible_timeout(done, timeout);
		if (ret)
			return ret < 0 ? -EINTR : 0;
		if (workers->tick)
			workers->tick(workers->data);
	}
	return 0;
}

/**
 * kmag_workers_run - open the gate, and wait until all workers are through
 * @workers: at least one, which have not run
 *
 * Return: 0, or -EINTR if a signal came, and they were told to stop.
 */
int kmag_workers_run(struct kmag_workers *workers)
{
	unsigned int i;
	int ret;

	atomic_set(&workers->ready, workers->nr);
	atomic_set(&workers->busy, workers->nr);
	for (i = 0; i < workers->nr; i++)
		wake_up_process(workers->worker[i].task);
	wait_for_completion(&workers->all_ready);

	workers->start = ktime_get_ns();
	/* Pairs with kmag_worker_fn(). */
	smp_store_release(&workers->open, true);
	wake_up_all(&workers->gate);

	ret = kmag_workers_wait(workers);
	WRITE_ONCE(workers->stop, true);
	/* It may have been consumed; but then none is busy. */
	if (atomic_read(&workers->busy))
		wait_for_completion(&workers->all_done);
	return ret;
}

/**
 * kmag_workers_end - end the threads; what they worked on is ours again
 * @workers: that have run, or not
 */
void kmag_workers_end(struct kmag_workers *workers)
{
	unsigned int i;

	/* Those that never ran are stopped just the same. */
	for (i = 0; i < workers->nr; i++)
		kthread_stop(workers->worker[i].task);
}

/**
 * kmag_worker_ns - how long a worker took
 * @workers: that have ended
 * @i: which of them
 *
 * Return: ns from the opening of the gate until it was through; 0 if the gate
 * never was opened.
 */
u64 kmag_worker_ns(const struct kmag_workers *workers, unsigned int i)
{
	return workers->start ? workers->worker[i].end - workers->start : 0;
}

/**
 * kmag_workers_free - free what kmag_workers_new() made
 * @workers: that have ended
 */
void kmag_workers_free(struct kmag_workers *workers)
{
	kvfree(workers);
}
