// SPDX-License-Identifier: GPL-2.0
/*
 * KMAG_IOC_RUN: every pattern in every mode on both backends, with contents
 * checked; its limits; and that it ends when it shall.
 */
#include <pthread.h>
#include <signal.h>
#include <stddef.h>

#include "kmag_test.h"
#include "kselftest_harness.h"

#define NR_SIZES 4
#define MAX_THREADS 64

static const __u32 sizes[NR_SIZES] = { 24, 64, 200, 1000 };

struct bed {
	int fd;
	struct kmag_ioc_info info;
	__u32 ids[NR_SIZES];	/* the last one has a constructor */
	__u32 kmag_ids[NR_SIZES];
	struct kmag_run_thread threads[MAX_THREADS];
};

FIXTURE(run)
{
	struct bed bed;
};

FIXTURE_VARIANT(run)
{
	__u32 backend;
};

FIXTURE_VARIANT_ADD(run, kmag)
{
	.backend = KMAG_BACKEND_KMAG,
};

FIXTURE_VARIANT_ADD(run, kmem)
{
	.backend = KMAG_BACKEND_KMEM,
};

FIXTURE_SETUP(run)
{
	unsigned int i;

	self->bed.fd = open(KMAG_DEVICE, O_RDWR | O_CLOEXEC);
	ASSERT_GE(self->bed.fd, 0);
	self->bed.info.size = sizeof(self->bed.info);
	ASSERT_EQ(kmag_call(self->bed.fd, KMAG_IOC_INFO, &self->bed.info), 0);
	for (i = 0; i < NR_SIZES; i++) {
		struct kmag_ioc_create req = {
			.size = sizeof(req),
			.backend = variant->backend,
			.cache_flags = i == NR_SIZES - 1 ? KMAG_CF_CTOR : 0,
			.object_size = sizes[i],
			.name = "run",
		};

		ASSERT_EQ(kmag_call(self->bed.fd, KMAG_IOC_CREATE, &req), 0);
		self->bed.ids[i] = req.id;
		self->bed.kmag_ids[i] = req.kmag_id;
	}
}

FIXTURE_TEARDOWN(run)
{
	close(self->bed.fd);
}

/* A short run that is good; the caller makes another of it. */
static struct kmag_ioc_run request(struct bed *bed)
{
	return (struct kmag_ioc_run){
		.size = sizeof(struct kmag_ioc_run),
		.flags = KMAG_RUN_CHECK,
		.caches = (uintptr_t)bed->ids,
		.nr_caches = 1,
		.threads = 2,
		.seed = 1,
		.count = 1000,
		.duration_ms = 60000,
		.live = 100,
		.results = (uintptr_t)bed->threads,
		.max_results = MAX_THREADS,
	};
}

static void set_mode(struct kmag_ioc_run *req, __u32 mode)
{
	req->mode = mode;
	if (mode == KMAG_RUN_THREAD)
		return;
	req->gfp = KMAG_GFP_ATOMIC;
	req->period_us = 100;
	req->steps = 32;
}

/* Nothing is live in any cache, and all of it is in order. */
static void expect_clean(struct __test_metadata *_metadata,
			 struct bed *bed, __u32 backend)
{
	const struct kmag_snap_cache *cache = NULL;
	struct kmag_snap_head *head;
	unsigned int i;

	for (i = 0; i < NR_SIZES && backend == KMAG_BACKEND_KMAG; i++) {
		struct kmag_ioc_cache req = {
			.size = sizeof(req),
			.id = bed->ids[i],
		};

		ASSERT_EQ(kmag_call(bed->fd, KMAG_IOC_VALIDATE, &req), 0);
		EXPECT_EQ(req.result, 0);
	}
	head = kmag_snapshot(bed->fd);
	ASSERT_NE(head, NULL);
	for (i = 0; i < head->nr_caches; i++) {
		cache = kmag_snap_next(head, cache);
		EXPECT_EQ(cache->live, 0);
		EXPECT_EQ(cache->skew, 0);
	}
	free(head);
}

/* What each thread tells adds up to the total. */
static void expect_sums(struct __test_metadata *_metadata,
			struct bed *bed, const struct kmag_ioc_run *req)
{
	struct kmag_run_thread sum = { 0 };
	__u32 i;

	ASSERT_LE(req->nr_results, MAX_THREADS);
	for (i = 0; i < req->nr_results; i++) {
		const struct kmag_run_thread *t = &bed->threads[i];

		sum.allocs += t->allocs;
		sum.frees += t->frees;
		sum.failed += t->failed;
		sum.corrupt += t->corrupt;
		sum.left += t->left;
		sum.busy_ns += t->busy_ns;
		EXPECT_LE(t->ns, req->total.ns);
		EXPECT_GE(t->min_ps, req->total.min_ps);
		EXPECT_LT(t->cpu, bed->info.nr_cpus);
	}
	EXPECT_EQ(sum.allocs, req->total.allocs);
	EXPECT_EQ(sum.frees, req->total.frees);
	EXPECT_EQ(sum.failed, req->total.failed);
	EXPECT_EQ(sum.corrupt, req->total.corrupt);
	EXPECT_EQ(sum.left, req->total.left);
	EXPECT_EQ(sum.busy_ns, req->total.busy_ns);
	EXPECT_EQ(sum.allocs, sum.frees + sum.left);
	EXPECT_EQ(sum.corrupt, 0);
	EXPECT_GT(req->total.busy_ns, 0);
	EXPECT_GT(req->total.min_ps, 0);
}

static void all_patterns(struct __test_metadata *_metadata,
			 struct bed *bed, __u32 backend, __u32 mode)
{
	static const __u32 threads[] = { 1, 2, 5 };
	__u32 pattern, mixed;

	for (pattern = 0; pattern < KMAG_RUN_NR_PATTERNS; pattern++) {
		for (mixed = 0; mixed < 2; mixed++) {
			struct kmag_ioc_run req = request(bed);

			set_mode(&req, mode);
			req.pattern = pattern;
			req.seed = 100 * mode + pattern;
			req.threads = threads[(pattern + mixed) % 3];
			req.nr_caches = mixed ? NR_SIZES : 1;
			EXPECT_EQ(kmag_call(bed->fd, KMAG_IOC_RUN, &req), 0)
				TH_LOG("pattern %u, mode %u", pattern, mode);
			EXPECT_EQ(req.nr_results, req.threads);
			EXPECT_EQ(req.total.allocs + req.total.failed,
				  req.threads * req.count);
			EXPECT_EQ(req.total.failed, 0);
			expect_sums(_metadata, bed, &req);
			expect_clean(_metadata, bed, backend);
		}
	}
}

TEST_F_TIMEOUT(run, in_threads, 300)
{
	all_patterns(_metadata, &self->bed, variant->backend, KMAG_RUN_THREAD);
}

TEST_F_TIMEOUT(run, in_hard_interrupts, 300)
{
	if (kmag_is_rt())
		SKIP(return, "not on PREEMPT_RT");
	all_patterns(_metadata, &self->bed, variant->backend, KMAG_RUN_HARDIRQ);
}

TEST_F_TIMEOUT(run, in_soft_interrupts, 300)
{
	all_patterns(_metadata, &self->bed, variant->backend, KMAG_RUN_SOFTIRQ);
}

TEST_F(run, ranges)
{
	__u64 cpus[2] = { 1, 0 };
	struct kmag_ioc_run req;

#define RUN(error, ...)							\
	do {								\
		int want = (error);					\
									\
		req = request(&self->bed);					\
		__VA_ARGS__;						\
		EXPECT_EQ(kmag_call(self->bed.fd, KMAG_IOC_RUN, &req),	\
			  want);					\
		EXPECT_EQ(!req.total.allocs, want != 0);		\
	} while (0)

	RUN(0, (void)0);
	RUN(-EOPNOTSUPP, req.pattern = KMAG_RUN_NR_PATTERNS);
	RUN(-EOPNOTSUPP, req.mode = KMAG_RUN_NR_MODES);
	RUN(-EOPNOTSUPP, req.gfp = 3);
	RUN(0, req.gfp = KMAG_GFP_NOWAIT | KMAG_GFP_ZERO);
	RUN(-EFAULT, req.caches = 1);
	RUN(-EINVAL, req.nr_caches = 0);
	RUN(-E2BIG, req.nr_caches = KMAG_RUN_MAX_CACHES + 1);
	RUN(-ENOENT, req.caches = (uintptr_t)cpus; cpus[0] = 12345);
	RUN(-EINVAL, req.nr_caches = NR_SIZES; req.gfp = KMAG_GFP_ZERO);
	/* How long: something must end it. */
	RUN(-EINVAL, req.count = 0; req.duration_ms = 0);
	RUN(0, req.duration_ms = 0);
	RUN(0, req.count = 0; req.duration_ms = 500);
	RUN(0, req.duration_ms = self->bed.info.max_run_ms);
	RUN(-E2BIG, req.duration_ms = self->bed.info.max_run_ms + 1);
	/* How much. */
	RUN(-EINVAL, req.live = 0);
	for (int i = 0; i < KMAG_RUN_NR_PATTERNS; i++)
		RUN(0, req.live = 1; req.pattern = i);
	RUN(-E2BIG, req.live = UINT32_MAX);
	RUN(-E2BIG, req.live = self->bed.info.max_objects + 1);
	RUN(-E2BIG, req.pattern = KMAG_RUN_CHURN; req.threads = 3;
	    req.live = self->bed.info.max_objects / 2);
	RUN(-E2BIG, req.pattern = KMAG_RUN_CHURN; req.threads = 1;
	    req.nr_caches = NR_SIZES;
	    req.live = self->bed.info.max_run_bytes / sizes[NR_SIZES - 1] + 1);
	RUN(-E2BIG, req.threads = self->bed.info.max_run_threads + 1);
	/* Where. */
	cpus[0] = 1;
	RUN(0, req.cpus = (uintptr_t)cpus; req.cpus_len = 8);
	RUN(-EINVAL, req.cpus = (uintptr_t)cpus; req.cpus_len = 4);
	RUN(-EFAULT, req.cpus = 1; req.cpus_len = 8);
	RUN(-E2BIG, req.cpus = (uintptr_t)cpus;
	    req.cpus_len = KMAG_REPLAY_MAX_CPUS / 8 + 8);
	cpus[1] = 1ULL << 63;
	RUN(-EINVAL, req.cpus = (uintptr_t)cpus; req.cpus_len = 16);
	cpus[0] = 0;
	RUN(-EINVAL, req.cpus = (uintptr_t)cpus; req.cpus_len = 8);
	/* When. */
	RUN(-EINVAL, req.on_us = 1);
	RUN(-EINVAL, req.off_us = 1);
	RUN(-EINVAL, req.on_us = 1; req.off_us = KMAG_RUN_MAX_PERIOD + 1);
	RUN(-EINVAL, req.period_us = 100);
	RUN(-EINVAL, req.steps = 1);
	RUN(-EINVAL, set_mode(&req, KMAG_RUN_SOFTIRQ); req.gfp = 0);
	RUN(kmag_is_rt() ? -EOPNOTSUPP : 0, set_mode(&req, KMAG_RUN_HARDIRQ));
	RUN(-EINVAL, set_mode(&req, KMAG_RUN_SOFTIRQ); req.period_us = 0);
	RUN(-EINVAL, set_mode(&req, KMAG_RUN_SOFTIRQ);
	    req.period_us = KMAG_RUN_MIN_PERIOD - 1);
	RUN(-EINVAL, set_mode(&req, KMAG_RUN_SOFTIRQ);
	    req.period_us = KMAG_RUN_MAX_PERIOD + 1);
	RUN(-EINVAL, set_mode(&req, KMAG_RUN_HARDIRQ); req.steps = 0);
	RUN(-EINVAL, set_mode(&req, KMAG_RUN_HARDIRQ);
	    req.steps = KMAG_RUN_MAX_STEPS + 1);
#undef RUN
	expect_clean(_metadata, &self->bed, variant->backend);
}

/* Results that cannot be told; fewer of them than threads; none wanted. */
TEST_F(run, results)
{
	struct kmag_ioc_run req = request(&self->bed);

	req.threads = 4;
	req.max_results = 2;
	memset(self->bed.threads, 0xee, sizeof(self->bed.threads));
	ASSERT_EQ(kmag_call(self->bed.fd, KMAG_IOC_RUN, &req), 0);
	EXPECT_EQ(req.nr_results, 4);
	EXPECT_EQ(req.total.allocs, 4 * req.count);
	EXPECT_EQ(self->bed.threads[1].allocs, req.count);
	EXPECT_EQ(self->bed.threads[2].allocs, 0xeeeeeeeeeeeeeeee);

	req.results = 0;
	ASSERT_EQ(kmag_call(self->bed.fd, KMAG_IOC_RUN, &req), 0);
	EXPECT_EQ(req.total.allocs, 4 * req.count);

	req.results = 1;
	EXPECT_EQ(kmag_call(self->bed.fd, KMAG_IOC_RUN, &req), -EFAULT);
	EXPECT_EQ(req.total.allocs, 4 * req.count);

	/* A caller that knows of no results gets none. */
	req = request(&self->bed);
	req.size = offsetof(struct kmag_ioc_run, results);
	ASSERT_EQ(kmag_call(self->bed.fd, KMAG_IOC_RUN, &req), 0);
	EXPECT_EQ(req.total.allocs, 0);
	expect_clean(_metadata, &self->bed, variant->backend);
}

static __u64 frees_of_seed(struct bed *bed, __u64 seed)
{
	struct kmag_ioc_run req = request(bed);

	req.pattern = KMAG_RUN_RANDOM;
	req.nr_caches = NR_SIZES;
	req.threads = 1;
	req.count = 5000;
	req.live = 1000;
	req.seed = seed;
	return kmag_call(bed->fd, KMAG_IOC_RUN, &req) ? 0 : req.total.frees;
}

/* How many are freed before the last is allocated is a matter of chance. */
TEST_F_TIMEOUT(run, seed, 120)
{
	__u64 frees[8], same = 0, i;

	for (i = 0; i < 8; i++) {
		frees[i] = frees_of_seed(&self->bed, i);
		EXPECT_GT(frees[i], 4000);
		EXPECT_LT(frees[i], 5000);
		EXPECT_EQ(frees_of_seed(&self->bed, i), frees[i]);
		same += frees[i] == frees[0];
	}
	EXPECT_LT(same, 8);
}

TEST_F_TIMEOUT(run, duration, 120)
{
	struct kmag_ioc_run req;
	__u32 mode;

	for (mode = 0; mode < KMAG_RUN_NR_MODES; mode = kmag_next_mode(mode)) {
		req = request(&self->bed);
		set_mode(&req, mode);
		req.pattern = KMAG_RUN_CHURN;
		req.count = 0;
		req.duration_ms = 300;
		ASSERT_EQ(kmag_call(self->bed.fd, KMAG_IOC_RUN, &req), 0);
		EXPECT_GE(req.total.ns, 300000000);
		EXPECT_LT(req.total.ns, 20000000000);
		EXPECT_GT(req.total.allocs, 10);
		EXPECT_GT(req.total.left, 0);
		expect_sums(_metadata, &self->bed, &req);
		expect_clean(_metadata, &self->bed, variant->backend);
	}
}

/* Allocations of the cache by all CPUs' magazines, or by all but one's. */
static __u64 magazine_allocs(struct bed *bed, __u32 id, __u32 but)
{
	struct kmag_snap_head *head = kmag_snapshot(bed->fd);
	const struct kmag_snap_cache *cache = NULL;
	__u64 allocs = 0;
	__u32 i, k;

	for (i = 0; head && i < head->nr_caches; i++) {
		const struct kmag_snap_cpu *cpu;

		cache = kmag_snap_next(head, cache);
		cpu = (const void *)((const char *)cache + cache->size);
		for (k = 0; k < cache->nr_cpus && cache->id == id; k++)
			if (cpu[k].cpu != but)
				allocs += cpu[k].allocs;
	}
	free(head);
	return allocs;
}

/* Of several caches each gets its share; only kmag tells. */
TEST_F(run, mixed_sizes)
{
	struct kmag_ioc_run req = request(&self->bed);
	unsigned int i;

	req.nr_caches = NR_SIZES;
	ASSERT_EQ(kmag_call(self->bed.fd, KMAG_IOC_RUN, &req), 0);
	EXPECT_EQ(req.total.allocs, 2 * req.count);
	for (i = 0; i < NR_SIZES && self->bed.kmag_ids[i]; i++) {
		__u64 allocs = magazine_allocs(&self->bed,
					       self->bed.kmag_ids[i], -1);

		EXPECT_GT(allocs, 2 * req.count / NR_SIZES / 2);
		EXPECT_LT(allocs, 2 * req.count / NR_SIZES * 2);
	}
}

TEST_F(run, cpus)
{
	struct kmag_ioc_run req = request(&self->bed);
	__u32 cpu = self->bed.info.nr_cpus - 1, i;
	__u64 cpus = 1ULL << cpu;

	ASSERT_LT(cpu, 64);
	req.cpus = (uintptr_t)&cpus;
	req.cpus_len = sizeof(cpus);
	req.threads = 3;
	ASSERT_EQ(kmag_call(self->bed.fd, KMAG_IOC_RUN, &req), 0);
	for (i = 0; i < 3; i++)
		EXPECT_EQ(self->bed.threads[i].cpu, cpu);
	if (variant->backend == KMAG_BACKEND_KMAG) {
		__u32 id = self->bed.kmag_ids[0];

		EXPECT_GT(magazine_allocs(&self->bed, id, -1), 2 * req.count);
		EXPECT_EQ(magazine_allocs(&self->bed, id, cpu), 0);
	}

	/* One for each CPU, of those named or of all. */
	req.threads = 0;
	ASSERT_EQ(kmag_call(self->bed.fd, KMAG_IOC_RUN, &req), 0);
	EXPECT_EQ(req.nr_results, 1);
	req.cpus_len = 0;
	ASSERT_EQ(kmag_call(self->bed.fd, KMAG_IOC_RUN, &req), 0);
	ASSERT_EQ(req.nr_results, self->bed.info.nr_cpus);
	for (i = 0; i < req.nr_results; i++)
		EXPECT_EQ(self->bed.threads[i].cpu, i);
}

/* In interrupts no step may take too long. */
TEST_F(run, large_in_interrupts)
{
	struct kmag_ioc_run req = request(&self->bed);
	__u32 id;

	req.caches = (uintptr_t)&id;
	ASSERT_EQ(kmag_create(self->bed.fd, variant->backend, "run",
			      KMAG_RUN_MAX_IRQ_SIZE + 1, 0, &id), 0);
	EXPECT_EQ(kmag_call(self->bed.fd, KMAG_IOC_RUN, &req), 0);
	set_mode(&req, KMAG_RUN_SOFTIRQ);
	EXPECT_EQ(kmag_call(self->bed.fd, KMAG_IOC_RUN, &req), -EINVAL);
}

static void on_alarm(int sig)
{
}

struct runner {
	int fd;
	pthread_t thread;
};

/* As soon as the run has allocated something, or a minute later */
static void *alarm_at_work(void *data)
{
	struct kmag_ioc_progress progress = { .size = sizeof(progress) };
	long long end = kmag_now_us() + 60000000;
	struct runner *runner = data;

	while ((!progress.ns || !progress.allocs) && kmag_now_us() < end) {
		usleep(1000);
		if (kmag_call(runner->fd, KMAG_IOC_PROGRESS, &progress))
			break;
	}
	pthread_kill(runner->thread, SIGALRM);
	return NULL;
}

TEST_F_TIMEOUT(run, signal, 300)
{
	const struct sigaction action = { .sa_handler = on_alarm };
	struct runner runner = { self->bed.fd, pthread_self() };
	struct kmag_ioc_run req;
	pthread_t thread;
	__u32 mode;

	ASSERT_EQ(sigaction(SIGALRM, &action, NULL), 0);
	for (mode = 0; mode < KMAG_RUN_NR_MODES; mode = kmag_next_mode(mode)) {
		long long start = kmag_now_us();

		req = request(&self->bed);
		set_mode(&req, mode);
		req.pattern = KMAG_RUN_CROSS;
		req.nr_caches = NR_SIZES;
		req.count = 0;
		req.duration_ms = 600000;
		ASSERT_EQ(pthread_create(&thread, NULL, alarm_at_work, &runner),
			  0);
		EXPECT_EQ(kmag_call(self->bed.fd, KMAG_IOC_RUN, &req), -EINTR);
		EXPECT_EQ(pthread_join(thread, NULL), 0);
		EXPECT_LT(kmag_now_us() - start, 60000000);
		EXPECT_GT(req.total.allocs, 0);
		expect_sums(_metadata, &self->bed, &req);
		expect_clean(_metadata, &self->bed, variant->backend);
	}
}

/* For ever, but for the signal that ends it; another thread looks on. */
TEST_F_TIMEOUT(run, killed, 300)
{
	const struct timespec nap = { 0, 20000000 };
	__u32 mode;

	if (variant->backend == KMAG_BACKEND_KMEM && !kmag_kmem_has_names())
		SKIP(return, "caches are merged: boot with slab_nomerge");
	for (mode = 0; mode < KMAG_RUN_NR_MODES; mode = kmag_next_mode(mode)) {
		struct kmag_ioc_progress progress = { .size = sizeof(progress) };
		long long start = kmag_now_us();
		int status, fd;
		pid_t pid;

		fd = open(KMAG_DEVICE, O_RDWR | O_CLOEXEC);
		ASSERT_GE(fd, 0);
		pid = fork();
		ASSERT_GE(pid, 0);
		if (!pid) {
			struct kmag_ioc_run req = request(&self->bed);
			__u32 id;

			set_mode(&req, mode);
			req.pattern = KMAG_RUN_SPIKE;
			req.live = 10000;
			req.count = 0;
			req.duration_ms = self->bed.info.max_run_ms;
			req.caches = (uintptr_t)&id;
			if (!kmag_create(fd, variant->backend, "run.killed",
					 100, 0, &id))
				kmag_call(fd, KMAG_IOC_RUN, &req);
			_exit(1);
		}
		do {
			nanosleep(&nap, NULL);
			ASSERT_EQ(kmag_call(fd, KMAG_IOC_PROGRESS, &progress),
				  0);
		} while (!progress.allocs && kmag_now_us() - start < 60000000);
		EXPECT_EQ(progress.runs, 1);
		EXPECT_GT(progress.ns, 0);
		EXPECT_GT(progress.allocs, 0);
		EXPECT_EQ(progress.corrupt, 0);
		ASSERT_EQ(kill(pid, SIGKILL), 0);
		ASSERT_EQ(waitpid(pid, &status, 0), pid);
		EXPECT_TRUE(WIFSIGNALED(status));
		EXPECT_LT(kmag_now_us() - start, 60000000);
		ASSERT_EQ(kmag_call(fd, KMAG_IOC_PROGRESS, &progress), 0);
		EXPECT_EQ(progress.ns, 0);
		EXPECT_EQ(kmag_backend_has(self->bed.fd, variant->backend,
					   "run.killed"), 1);
		close(fd);
		EXPECT_EQ(kmag_backend_has(self->bed.fd, variant->backend,
					   "run.killed"), 0);
		expect_clean(_metadata, &self->bed, variant->backend);
	}
}

static void *run_for_a_while(void *data)
{
	struct bed *bed = data;
	struct kmag_ioc_run req = request(bed);

	req.count = 0;
	req.duration_ms = 2000;
	return kmag_call(bed->fd, KMAG_IOC_RUN, &req) ? NULL : bed;
}

/* Other calls of the file wait until the run is through; a look at it does not. */
TEST_F_TIMEOUT(run, others_wait, 120)
{
	struct kmag_ioc_progress progress = { .size = sizeof(progress) };
	struct kmag_ioc_cache shrink = {
		.size = sizeof(shrink),
		.id = self->bed.ids[0],
	};
	void *done = NULL;
	pthread_t thread;

	ASSERT_EQ(pthread_create(&thread, NULL, run_for_a_while, &self->bed),
		  0);
	while (!progress.ns) {
		usleep(1000);
		ASSERT_EQ(kmag_call(self->bed.fd, KMAG_IOC_PROGRESS,
				    &progress), 0);
	}
	EXPECT_EQ(kmag_call(self->bed.fd, KMAG_IOC_SHRINK, &shrink), 0);
	EXPECT_EQ(kmag_call(self->bed.fd, KMAG_IOC_PROGRESS, &progress), 0);
	EXPECT_EQ(progress.runs, 1);
	EXPECT_EQ(progress.ns, 0);
	EXPECT_EQ(pthread_join(thread, &done), 0);
	EXPECT_EQ(done, &self->bed);
	expect_clean(_metadata, &self->bed, variant->backend);
}

/* More threads than CPUs, all at odds. */
TEST_F_TIMEOUT(run, many_threads, 300)
{
	__u32 pattern;

	for (pattern = 0; pattern < KMAG_RUN_NR_PATTERNS; pattern++) {
		struct kmag_ioc_run req = request(&self->bed);

		req.pattern = pattern;
		req.nr_caches = NR_SIZES;
		req.threads = 16;
		req.count = 2000;
		req.live = 500;
		ASSERT_EQ(kmag_call(self->bed.fd, KMAG_IOC_RUN, &req), 0);
		EXPECT_EQ(req.total.allocs, 16 * req.count);
		expect_sums(_metadata, &self->bed, &req);
	}
	expect_clean(_metadata, &self->bed, variant->backend);
}

TEST_HARNESS_MAIN
