// SPDX-License-Identifier: GPL-2.0
/*
 * KMAG_IOC_RUN: a workload is checked, given its live sets and threads, run,
 * and told; and KMAG_IOC_PROGRESS, for another thread that looks on.
 *
 * All that it may need is asked for before it starts, and has a limit, so that a
 * run that was wished too large is refused and does no harm.
 */
#include <linux/bitmap.h>
#include <linux/cpu.h>
#include <linux/cpumask.h>
#include <linux/err.h>
#include <linux/hash.h>
#include <linux/log2.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/nodemask.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/timekeeping.h>
#include <linux/uaccess.h>

#include "workload.h"

/* Of objects, in one step of an interrupt: it is not seen how long that takes. */
#define KMAG_RUN_IRQ_BYTES	SZ_64K

/* Pages that runs which are going on may need, in bytes */
static atomic64_t kmag_run_reserved;

/**
 * kmag_workload_max_bytes - what all runs may need
 *
 * Return: bytes of pages: half of the memory.
 */
u64 kmag_workload_max_bytes(void)
{
	return (u64)totalram_pages() * PAGE_SIZE / 2;
}

/* Fields that stand for themselves are in range, and go together. */
static int kmag_run_check(const struct kmag_ioc_run *req)
{
	bool irq = req->mode != KMAG_RUN_THREAD;

	if (req->pattern >= KMAG_RUN_NR_PATTERNS ||
	    req->mode >= KMAG_RUN_NR_MODES)
		return -EOPNOTSUPP;
	if (req->nr_caches > KMAG_RUN_MAX_CACHES ||
	    req->live > KMAG_DEV_MAX_OBJECTS ||
	    req->threads > KMAG_DEV_MAX_RUN_THREADS ||
	    req->duration_ms > KMAG_DEV_MAX_RUN_MS ||
	    req->cpus_len > KMAG_REPLAY_MAX_CPUS / 8)
		return -E2BIG;
	if (!req->nr_caches || !req->live || req->cpus_len % 8)
		return -EINVAL;
	if (!req->count && !req->duration_ms)
		return -EINVAL;
	if (!req->on_us != !req->off_us || req->on_us > KMAG_RUN_MAX_PERIOD ||
	    req->off_us > KMAG_RUN_MAX_PERIOD)
		return -EINVAL;
	if (!irq)
		return req->period_us || req->steps ? -EINVAL : 0;
	if (req->period_us < KMAG_RUN_MIN_PERIOD ||
	    req->period_us > KMAG_RUN_MAX_PERIOD ||
	    !req->steps || req->steps > KMAG_RUN_MAX_STEPS)
		return -EINVAL;
	/* Neither allocator takes its spinlocks there. */
	if (req->mode == KMAG_RUN_HARDIRQ && IS_ENABLED(CONFIG_PREEMPT_RT))
		return -EOPNOTSUPP;
	return 0;
}

static int kmag_run_caches(struct kmag_file *file, struct kmag_workload *load,
			   const struct kmag_ioc_run *req)
{
	u32 ids[KMAG_RUN_MAX_CACHES];
	u32 i, largest = 0;

	if (copy_from_user(ids, u64_to_user_ptr(req->caches),
			   req->nr_caches * sizeof(*ids)))
		return -EFAULT;
	for (i = 0; i < req->nr_caches; i++) {
		struct kmag_dev_cache *cache = kmag_file_cache(file, ids[i]);

		if (!cache)
			return -ENOENT;
		if (cache->ctor_len && load->gfp & __GFP_ZERO)
			return -EINVAL;
		if (load->mode != KMAG_RUN_THREAD &&
		    cache->size > KMAG_RUN_MAX_IRQ_SIZE)
			return -EINVAL;
		load->caches[i] = cache;
		largest = max(largest, cache->size);
	}
	/* A part of 64 in any case, so that live sets are of whole arrays. */
	load->bulk = KMAG_RUN_BULK;
	if (load->mode != KMAG_RUN_THREAD && largest > KMAG_RUN_IRQ_BYTES / KMAG_RUN_BULK)
		load->bulk = rounddown_pow_of_two(KMAG_RUN_IRQ_BYTES / largest);
	load->nr_caches = req->nr_caches;
	return 0;
}

/* The CPUs that were asked for, all of them online. */
static int kmag_run_cpus(const struct kmag_ioc_run *req, struct cpumask *mask)
{
	u32 bits = req->cpus_len * 8;
	unsigned long cpu;
	u64 *words;
	int ret = 0;

	cpumask_clear(mask);
	if (!bits) {
		cpumask_copy(mask, cpu_online_mask);
		return 0;
	}
	words = memdup_user(u64_to_user_ptr(req->cpus), req->cpus_len);
	if (IS_ERR(words))
		return PTR_ERR(words);
	for (cpu = 0; cpu < bits && !ret; cpu++) {
		if (!(words[cpu / 64] & BIT_ULL(cpu % 64)))
			continue;
		if (cpu < nr_cpu_ids && cpu_online(cpu))
			cpumask_set_cpu(cpu, mask);
		else
			ret = -EINVAL;
	}
	kfree(words);
	return ret ?: cpumask_empty(mask) ? -EINVAL : 0;
}

/*
 * What a cache may keep for later, besides the objects of live sets: what its
 * CPUs and nodes keep at most, or less if so many never were live. Those were,
 * but for what a CPU got before anybody asked for it.
 */
static u64 kmag_run_idle(const struct kmag_dev_cache *cache, u64 objs)
{
	u64 cpus = num_online_cpus();

	return min(objs * cache->share + cpus * cache->ahead,
		   cpus * cache->cpu_keeps +
		   (u64)num_online_nodes() * cache->node_keeps);
}

/*
 * Live sets that could be filled, and no more of them than there may be. Reserves
 * what they need of the memory that all runs share: all objects as if they were the
 * largest, with the entries that hold them; what each of the caches may keep; threads.
 */
static int kmag_run_reserve(struct kmag_workload *load, u32 nr, u32 room)
{
	u64 objs = (u64)nr * room, most = 0, idle = 0;
	u32 i;

	if (nr > KMAG_DEV_MAX_RUN_THREADS || objs > KMAG_DEV_MAX_OBJECTS)
		return -E2BIG;
	for (i = 0; i < load->nr_caches; i++) {
		most = max_t(u64, most, load->caches[i]->share);
		idle += kmag_run_idle(load->caches[i], objs);
	}
	load->reserved = objs * (most + sizeof(struct kmag_held)) + idle +
			 nr * (sizeof(struct kmag_player) +
			       sizeof(struct kmag_worker) + (u64)THREAD_SIZE);
	if (load->reserved > kmag_workload_max_bytes())
		return -E2BIG;
	if (atomic64_add_return(load->reserved, &kmag_run_reserved) >
	    kmag_workload_max_bytes()) {
		atomic64_sub(load->reserved, &kmag_run_reserved);
		return -EBUSY;
	}
	return 0;
}

static void kmag_players_free(struct kmag_workload *load)
{
	u32 i;

	for (i = 0; i < load->nr_players; i++)
		kvfree(load->players[i].held);
	kvfree(load->players);
}

static int kmag_players_make(struct kmag_workload *load,
			     const struct kmag_ioc_run *req, u32 nr, u32 room)
{
	u32 i;

	load->players = kvcalloc(nr, sizeof(*load->players),
				 GFP_KERNEL_ACCOUNT);
	if (!load->players)
		return -ENOMEM;
	for (i = 0; i < nr; i++) {
		struct kmag_player *p = &load->players[i];

		p->held = kvcalloc(room, sizeof(*p->held), GFP_KERNEL_ACCOUNT);
		if (!p->held)
			goto err_held;
		load->nr_players++;
		p->load = load;
		p->room = room;
		p->n = i;
		p->tries = req->count ?: U64_MAX;
		p->prev = &load->players[(i + nr - 1) % nr];
		p->next = &load->players[(i + 1) % nr];
		/* Seeds that differ in a bit only make others altogether. */
		prandom_seed_state(&p->rnd,
				   hash_64(req->seed ^ hash_64(i + 1, 64), 64));
	}
	return 0;

err_held:
	kmag_players_free(load);
	return -ENOMEM;
}

static int kmag_players_start(struct kmag_workload *load,
			      const struct cpumask *mask)
{
	unsigned int cpu = cpumask_first(mask);
	u32 i;
	int ret;

	for (i = 0; i < load->nr_players; i++) {
		load->players[i].got.cpu = cpu;
		ret = kmag_workers_add(load->workers, "kmag_run", cpu,
				       &load->players[i]);
		if (ret)
			return ret;
		cpu = cpumask_next(cpu, mask);
		if (cpu >= nr_cpu_ids)
			cpu = cpumask_first(mask);
	}
	return 0;
}

static u64 kmag_run_so_far(const u64 *count)
{
	/* It goes on meanwhile: near enough for those who look on. */
	return data_race(READ_ONCE(*count));
}

/* What all have done so far. */
static void kmag_run_tick(void *data)
{
	struct kmag_file *file = data;
	const struct kmag_workload *load = file->load;
	struct kmag_progress *progress = &file->progress;
	u64 allocs = 0, failed = 0, corrupt = 0;
	u32 i;

	for (i = 0; i < load->nr_players; i++) {
		const struct kmag_run_thread *got = &load->players[i].got;

		allocs += kmag_run_so_far(&got->allocs);
		failed += kmag_run_so_far(&got->failed);
		corrupt += kmag_run_so_far(&got->corrupt);
	}
	atomic64_set(&progress->allocs, allocs);
	atomic64_set(&progress->failed, failed);
	atomic64_set(&progress->corrupt, corrupt);
}

/**
 * kmag_workload_progress - KMAG_IOC_PROGRESS
 * @file: whose run is looked at
 * @arg: struct kmag_ioc_progress
 *
 * Return: 0.
 */
int kmag_workload_progress(struct kmag_file *file, void *arg)
{
	struct kmag_progress *progress = &file->progress;
	struct kmag_ioc_progress *req = arg;
	u64 start = atomic64_read(&progress->start);

	req->runs = atomic64_read(&progress->runs);
	req->ns = start ? ktime_get_ns() - start : 0;
	req->allocs = atomic64_read(&progress->allocs);
	req->failed = atomic64_read(&progress->failed);
	req->corrupt = atomic64_read(&progress->corrupt);
	return 0;
}

/* Each thread's results, and their sum. */
static int kmag_run_tell(const struct kmag_workload *load,
			 struct kmag_ioc_run *req)
{
	struct kmag_run_thread __user *to = u64_to_user_ptr(req->results);
	struct kmag_run_thread *total = &req->total;
	u32 i;

	req->nr_results = load->nr_players;
	for (i = 0; i < load->nr_players; i++) {
		const struct kmag_run_thread *got = &load->players[i].got;

		total->allocs += got->allocs;
		total->frees += got->frees;
		total->failed += got->failed;
		total->corrupt += got->corrupt;
		total->left += got->left;
		total->ns = max(total->ns, got->ns);
		total->busy_ns += got->busy_ns;
		if (got->min_ps &&
		    (!total->min_ps || got->min_ps < total->min_ps))
			total->min_ps = got->min_ps;
	}
	for (i = 0; to && i < min(load->nr_players, req->max_results); i++)
		if (copy_to_user(&to[i], &load->players[i].got, sizeof(*to)))
			return -EFAULT;
	return 0;
}

static int kmag_run_players(struct kmag_file *file, struct kmag_workload *load,
			    struct kmag_ioc_run *req, const struct cpumask *mask)
{
	struct kmag_workers *workers;
	int ret, told;
	u32 i;

	workers = kmag_workers_new(load->nr_players, kmag_pace);
	if (!workers)
		return -ENOMEM;
	workers->limit_ns = load->limit_ns;
	workers->tick = kmag_run_tick;
	workers->data = file;
	load->workers = workers;
	file->load = load;

	ret = kmag_players_start(load, mask);
	if (!ret) {
		kmag_run_tick(file);
		atomic64_inc(&file->progress.runs);
		atomic64_set(&file->progress.start, ktime_get_ns());
		ret = kmag_workers_run(workers);
		atomic64_set(&file->progress.start, 0);
	}
	kmag_workers_end(workers);
	for (i = 0; i < load->nr_players; i++) {
		load->players[i].got.ns = kmag_worker_ns(workers, i);
		kmag_pattern_drop(&load->players[i]);
	}
	kmag_run_tick(file);
	file->load = NULL;
	kmag_workers_free(workers);
	told = kmag_run_tell(load, req);
	return ret ?: told;
}

/**
 * kmag_workload_run - KMAG_IOC_RUN
 * @file: that holds the caches
 * @arg: struct kmag_ioc_run
 *
 * Return: 0 or an error; -EINTR if a signal came, and then the results tell
 * what was done.
 */
int kmag_workload_run(struct kmag_file *file, void *arg)
{
	struct kmag_ioc_run *req = arg;
	struct kmag_workload *load;
	cpumask_var_t mask;
	u32 nr, room;
	int ret;

	ret = kmag_run_check(req);
	if (ret)
		return ret;
	load = kzalloc(sizeof(*load), GFP_KERNEL_ACCOUNT);
	if (!load)
		return -ENOMEM;
	if (!alloc_cpumask_var(&mask, GFP_KERNEL_ACCOUNT)) {
		ret = -ENOMEM;
		goto err_mask;
	}
	ret = kmag_dev_gfp(req->gfp, &load->gfp);
	if (ret)
		goto out;
	load->pattern = req->pattern;
	load->mode = req->mode;
	load->check = req->flags & KMAG_RUN_CHECK;
	load->on_ns = (u64)req->on_us * NSEC_PER_USEC;
	load->off_ns = (u64)req->off_us * NSEC_PER_USEC;
	load->period_ns = (u64)req->period_us * NSEC_PER_USEC;
	load->steps = req->steps;
	load->limit_ns = (u64)(req->duration_ms ?: KMAG_DEV_MAX_RUN_MS) *
			 NSEC_PER_MSEC;
	if (load->mode != KMAG_RUN_THREAD && gfpflags_allow_blocking(load->gfp)) {
		ret = -EINVAL;
		goto out;
	}
	ret = kmag_run_caches(file, load, req);
	if (ret)
		goto out;
	ret = kmag_run_cpus(req, mask);
	if (ret)
		goto out;

	nr = req->threads ?: cpumask_weight(mask);
	room = kmag_pattern_room(load->pattern, req->live);
	ret = kmag_run_reserve(load, nr, room);
	if (ret)
		goto out;
	ret = kmag_players_make(load, req, nr, room);
	if (ret)
		goto err_players;
	ret = kmag_run_players(file, load, req, mask);
	kmag_players_free(load);
err_players:
	atomic64_sub(load->reserved, &kmag_run_reserved);
out:
	free_cpumask_var(mask);
err_mask:
	kfree(load);
	return ret;
}
