// SPDX-License-Identifier: GPL-2.0
/*
 * When threads of a run work: all from the start on, none before the last is
 * there, and none while they rest.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>

#include "kmag_test.h"
#include "kselftest_harness.h"
#include "tracefs.h"

#define THREADS		16
#define ON_US		50000
#define OFF_US		450000
#define PERIODS		4
/* A busy host has threads late, and its CPUs away: the best of so many counts. */
#define TRIES		5

FIXTURE(pace)
{
	int fd;
	__u32 id;
	__u32 nr_cpus;
	struct kmag_ioc_run run;
	struct kmag_run_thread threads[THREADS];
};

FIXTURE_SETUP(pace)
{
	struct kmag_ioc_info info = { .size = sizeof(info) };

	if (access(EVENTS "enable", F_OK))
		SKIP(return, "no tracepoints in this kernel");
	ASSERT_EQ(trace_begin("global"), 0);
	self->fd = open(KMAG_DEVICE, O_RDWR | O_CLOEXEC);
	ASSERT_GE(self->fd, 0);
	ASSERT_EQ(kmag_call(self->fd, KMAG_IOC_INFO, &info), 0);
	self->nr_cpus = info.nr_cpus;
	/* Large ones take long to fill, so that events have room. */
	ASSERT_EQ(kmag_create(self->fd, KMAG_BACKEND_KMAG, "pace",
			      KMAG_RUN_MAX_IRQ_SIZE, 0, &self->id), 0);
	self->run = (struct kmag_ioc_run){
		.size = sizeof(self->run),
		.flags = KMAG_RUN_CHECK,
		.caches = (uintptr_t)&self->id,
		.nr_caches = 1,
		.pattern = KMAG_RUN_PAIR,
		.threads = 2,
		.duration_ms = 1000,
		.live = 1,
		.results = (uintptr_t)self->threads,
		.max_results = THREADS,
	};
}

FIXTURE_TEARDOWN(pace)
{
	trace_end();
	close(self->fd);
}

/* The first event of @name from where @file is, in @line. */
static int find_event(FILE *file, const char *name, char *line, int size)
{
	while (fgets(line, size, file))
		if (strstr(line, name))
			return 1;
	return 0;
}

/*
 * Allocations in a period of work and rest that begins with the first of them,
 * by two CPUs: nearly all are in the time for work, or a little before or
 * behind it, for threads begin late; and both work in the same ones.
 */
static bool rested(struct __test_metadata *_metadata, int nr_cpus)
{
	int seen[2][PERIODS + 1] = { 0 }, nr = 0, outside = 0, both = 0, i;
	FILE *file = fopen(TRACING "trace", "r");
	long long start = -1;
	char line[1024];

	ASSERT_NE(file, NULL);
	while (find_event(file, " kmag_alloc: name=pace-", line,
			  sizeof(line))) {
		long long us = event_us(line), at;
		int cpu = event_cpu(line);

		ASSERT_GE(us, 0);
		ASSERT_LT(cpu, nr_cpus);
		if (start < 0)
			start = us;
		/* The first may have been late by all of its time. */
		us += ON_US - start;
		at = us % (ON_US + OFF_US);
		nr++;
		outside += at > 3 * ON_US;
		us /= ON_US + OFF_US;
		if (cpu < 2 && us <= PERIODS && at <= 3 * ON_US)
			seen[cpu][us]++;
	}
	fclose(file);
	for (i = 0; i <= PERIODS; i++)
		both += seen[0][i] && seen[1][i];
	EXPECT_GT(nr, 20);
	TH_LOG("%d of %d while they should rest, together in %d periods",
	       outside, nr, both);
	return outside < nr / 5 && (nr_cpus == 1 || both >= PERIODS / 2);
}

/* A tenth of the time, and as much for a busy machine. */
static bool busy_little(const struct kmag_run_thread *threads)
{
	int i;

	for (i = 0; i < 2; i++)
		if (threads[i].busy_ns >= threads[i].ns / 5)
			return false;
	return true;
}

TEST_F_TIMEOUT(pace, all_rest_together, 240)
{
	__u32 mode;
	bool good;
	int i;

	for (mode = 0; mode < KMAG_RUN_NR_MODES; mode = kmag_next_mode(mode)) {
		self->run.mode = mode;
		self->run.duration_ms = PERIODS * (ON_US + OFF_US) / 1000;
		self->run.on_us = ON_US;
		self->run.off_us = OFF_US;
		if (mode != KMAG_RUN_THREAD) {
			self->run.gfp = KMAG_GFP_ATOMIC;
			self->run.period_us = 100;
			self->run.steps = 32;
		}
		for (i = 0, good = false; i < TRIES && !good; i++) {
			ASSERT_EQ(write_file(TRACING "trace", ""), 0);
			ASSERT_EQ(write_file(EVENTS "kmag_alloc/enable", "1"),
				  0);
			ASSERT_EQ(kmag_call(self->fd, KMAG_IOC_RUN, &self->run),
				  0);
			ASSERT_EQ(write_file(EVENTS "enable", "0"), 0);
			EXPECT_GT(self->threads[0].allocs, 0);
			EXPECT_GT(self->threads[1].allocs, 0);
			good = rested(_metadata, self->nr_cpus) &&
			       busy_little(self->threads);
		}
		EXPECT_TRUE(good)
			TH_LOG("mode %u: busy %llu and %llu of %llu ns", mode,
			       (unsigned long long)self->threads[0].busy_ns,
			       (unsigned long long)self->threads[1].busy_ns,
			       (unsigned long long)self->threads[0].ns);
	}
}

#define SCHED	TRACING "events/sched/"

static const char * const sched[][2] = {
	{ SCHED "sched_waking/", "comm ~ \"kmag_run/*\"" },
	{ SCHED "sched_switch/", "next_comm ~ \"kmag_run/*\"" },
};

static void watch_threads(struct __test_metadata *_metadata, int on)
{
	char path[128];
	int i;

	for (i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%sfilter", sched[i][0]);
		EXPECT_EQ(write_file(path, on ? sched[i][1] : "0"), 0);
		snprintf(path, sizeof(path), "%senable", sched[i][0]);
		EXPECT_EQ(write_file(path, on ? "1" : "0"), 0);
	}
}

/*
 * Threads that were woken, and then have been on a CPU, before the first
 * allocation. (They also are there once, unwoken, as they are made.)
 */
static int threads_before(struct __test_metadata *_metadata)
{
	FILE *file = fopen(TRACING "trace", "r");
	unsigned long pids[THREADS] = { 0 }, pid;
	int woken = 0, there = 0, i;
	char line[1024];

	ASSERT_NE(file, NULL);
	while (find_event(file, ": ", line, sizeof(line)) &&
	       !strstr(line, " kmag_alloc: name=pace-")) {
		pid = number_of(line, " pid=", 10);
		if (strstr(line, " sched_waking: ") && woken < THREADS) {
			for (i = 0; i < woken && pids[i] != pid; i++)
				;
			if (i == woken)
				pids[woken++] = pid;
		}
		pid = number_of(line, " next_pid=", 10);
		for (i = 0; i < woken; i++) {
			if (!pid || pids[i] != pid)
				continue;
			pids[i] = -1;
			there++;
		}
	}
	EXPECT_FALSE(feof(file));
	fclose(file);
	return there;
}

/* The gate opens when the last thread has come to it. */
TEST_F_TIMEOUT(pace, none_begins_before_all_are_there, 60)
{
	self->run.threads = THREADS;
	self->run.count = 10;
	ASSERT_EQ(write_file(EVENTS "kmag_alloc/enable", "1"), 0);
	watch_threads(_metadata, 1);
	EXPECT_EQ(kmag_call(self->fd, KMAG_IOC_RUN, &self->run), 0);
	watch_threads(_metadata, 0);
	EXPECT_EQ(threads_before(_metadata), THREADS);
}

/* Four threads of a second take one, not four. */
TEST_F_TIMEOUT(pace, all_at_the_same_time, 120)
{
	long long start, us;
	int i, tries = TRIES;

	self->run.threads = 4;
	do {
		start = kmag_now_us();
		ASSERT_EQ(kmag_call(self->fd, KMAG_IOC_RUN, &self->run), 0);
		us = kmag_now_us() - start;
		EXPECT_GE(us, 1000000);
		for (i = 0; i < 4; i++) {
			EXPECT_GT(self->threads[i].allocs, 0);
			EXPECT_GE(self->threads[i].ns, 1000000000);
			EXPECT_LE(self->threads[i].ns / 1000, us);
		}
	} while (us >= 3500000 && --tries);
	EXPECT_LT(us, 3500000);
}

/* Timers of one CPU, and what all their turns one after the other would take. */
#define TIMERS		256
#define TURNS_US	(TIMERS * 500)
/* A rest's end among so many moments may be the host's. */
#define MOMENTS		3

struct crowd {
	int fd;
	struct kmag_ioc_run *run;
	int ret;
	bool over;	/* read by another thread */
};

static void *run_crowd(void *data)
{
	struct crowd *c = data;

	c->ret = kmag_call(c->fd, KMAG_IOC_RUN, c->run);
	__atomic_store_n(&c->over, true, __ATOMIC_RELEASE);
	return NULL;
}

/* The third longest time that a thread had to wait for the CPU, in us. */
static long long longest_wait(const struct crowd *c)
{
	long long last = kmag_now_us(), now, waits[MOMENTS] = { 0 };
	int i, least;

	while (!__atomic_load_n(&c->over, __ATOMIC_ACQUIRE)) {
		usleep(500);
		now = kmag_now_us();
		for (i = 1, least = 0; i < MOMENTS; i++)
			if (waits[i] < waits[least])
				least = i;
		if (now - last > waits[least])
			waits[least] = now - last;
		last = now;
	}
	for (i = 1, least = 0; i < MOMENTS; i++)
		if (waits[i] < waits[least])
			least = i;
	return waits[least];
}

/* Where many timers have rested, threads get on when the rest is over, too. */
TEST_F_TIMEOUT(pace, not_all_at_once_after_a_rest, 240)
{
	const struct sched_param fifo = { .sched_priority = 1 };
	struct crowd c = { .fd = self->fd, .run = &self->run };
	long long wait = TURNS_US;
	__u64 first = 1;
	pthread_t thread;
	cpu_set_t cpu;
	int i;

	self->run.mode = kmag_is_rt() ? KMAG_RUN_SOFTIRQ : KMAG_RUN_HARDIRQ;
	self->run.gfp = KMAG_GFP_ATOMIC;
	self->run.period_us = 100;
	self->run.steps = KMAG_RUN_MAX_STEPS;
	self->run.threads = TIMERS;
	self->run.cpus = (uintptr_t)&first;
	self->run.cpus_len = sizeof(first);
	self->run.on_us = 250000;
	self->run.off_us = 250000;
	self->run.duration_ms = 2000;
	CPU_ZERO(&cpu);
	CPU_SET(0, &cpu);
	for (i = 0; i < TRIES && wait >= TURNS_US / 2; i++) {
		c.over = false;
		ASSERT_EQ(pthread_create(&thread, NULL, run_crowd, &c), 0);
		ASSERT_EQ(sched_setaffinity(0, sizeof(cpu), &cpu), 0);
		ASSERT_EQ(sched_setscheduler(0, SCHED_FIFO, &fifo), 0);
		wait = longest_wait(&c);
		ASSERT_EQ(pthread_join(thread, NULL), 0);
		ASSERT_EQ(c.ret, 0);
		EXPECT_GT(self->run.total.allocs, 0);
		TH_LOG("a thread waited for %lld us", wait);
	}
	EXPECT_LT(wait, TURNS_US / 2);
}

#define RUNS		6

/* However many runs there are: threads get the larger part of a CPU. */
TEST_F_TIMEOUT(pace, runs_share_a_cpu, 120)
{
	struct kmag_ioc_run runs[RUNS];
	struct crowd crowds[RUNS];
	pthread_t threads[RUNS];
	__u64 first = 1, busy, ns;
	__u32 ids[RUNS];
	int i, k;

	for (i = 0; i < RUNS; i++) {
		runs[i] = self->run;
		runs[i].mode = kmag_is_rt() ? KMAG_RUN_SOFTIRQ :
					      KMAG_RUN_HARDIRQ;
		runs[i].gfp = KMAG_GFP_ATOMIC;
		runs[i].period_us = 10;
		runs[i].steps = KMAG_RUN_MAX_STEPS;
		runs[i].threads = 1;
		runs[i].cpus = (uintptr_t)&first;
		runs[i].cpus_len = sizeof(first);
		runs[i].caches = (uintptr_t)&ids[i];
		runs[i].max_results = 0;
		crowds[i] = (struct crowd){
			.fd = open(KMAG_DEVICE, O_RDWR | O_CLOEXEC),
			.run = &runs[i],
		};
		ASSERT_GE(crowds[i].fd, 0);
		ASSERT_EQ(kmag_create(crowds[i].fd, KMAG_BACKEND_KMAG, "pace",
				      KMAG_RUN_MAX_IRQ_SIZE, 0, &ids[i]), 0);
	}
	for (k = 0, busy = 1, ns = 0; k < TRIES && busy * 2 >= ns; k++) {
		for (i = 0; i < RUNS; i++)
			ASSERT_EQ(pthread_create(&threads[i], NULL, run_crowd,
						 &crowds[i]), 0);
		for (i = 0, busy = 0, ns = 0; i < RUNS; i++) {
			ASSERT_EQ(pthread_join(threads[i], NULL), 0);
			ASSERT_EQ(crowds[i].ret, 0);
			EXPECT_GT(runs[i].total.allocs, 0);
			busy += runs[i].total.busy_ns;
			ns = runs[i].total.ns > ns ? runs[i].total.ns : ns;
		}
		TH_LOG("busy for %llu of %llu us",
		       (unsigned long long)busy / 1000,
		       (unsigned long long)ns / 1000);
	}
	EXPECT_LT(busy * 2, ns);
	for (i = 0; i < RUNS; i++)
		close(crowds[i].fd);
}

/* Who waits for its time is not in the way of who waits for the CPU. */
TEST_F_TIMEOUT(pace, turns_are_of_those_who_want_them, 60)
{
	struct crowd c = { .fd = self->fd, .run = &self->run };
	struct kmag_ioc_run seldom;
	const __u64 first = 1;
	pthread_t thread;
	__u32 id;
	int fd;

	self->run.mode = KMAG_RUN_SOFTIRQ;
	self->run.gfp = KMAG_GFP_ATOMIC;
	self->run.period_us = 1000;
	self->run.steps = 1;
	self->run.threads = 1;
	self->run.cpus = (uintptr_t)&first;
	self->run.cpus_len = sizeof(first);
	self->run.duration_ms = 3000;
	seldom = self->run;
	seldom.period_us = 1000000;
	seldom.caches = (uintptr_t)&id;
	seldom.max_results = 0;
	fd = open(KMAG_DEVICE, O_RDWR | O_CLOEXEC);
	ASSERT_GE(fd, 0);
	ASSERT_EQ(kmag_create(fd, KMAG_BACKEND_KMAG, "seldom", 64, 0, &id), 0);
	ASSERT_EQ(pthread_create(&thread, NULL, run_crowd, &c), 0);
	ASSERT_EQ(kmag_call(fd, KMAG_IOC_RUN, &seldom), 0);
	ASSERT_EQ(pthread_join(thread, NULL), 0);
	ASSERT_EQ(c.ret, 0);
	close(fd);
	TH_LOG("%llu turns, and %llu", (unsigned long long)self->run.total.allocs,
	       (unsigned long long)seldom.total.allocs);
	EXPECT_GT(seldom.total.allocs, 0);
	/* Else it has those of the other. */
	EXPECT_GT(self->run.total.allocs, 50);
}

/* Interrupts do not see how long a step takes: it is of a few objects there. */
TEST_F_TIMEOUT(pace, short_steps_in_interrupts, 60)
{
	static const __u32 patterns[] = { KMAG_RUN_BURST, KMAG_RUN_CROSS };
	unsigned int i;

	self->run.mode = KMAG_RUN_SOFTIRQ;
	self->run.gfp = KMAG_GFP_ATOMIC;
	self->run.threads = 1;
	self->run.live = 256;
	self->run.period_us = 50000;
	self->run.steps = 1;
	for (i = 0; i < ARRAY_SIZE(patterns); i++) {
		const struct kmag_run_thread *total = &self->run.total;
		__u64 turns;

		self->run.pattern = patterns[i];
		ASSERT_EQ(kmag_call(self->fd, KMAG_IOC_RUN, &self->run), 0);
		turns = total->ns / 1000 / self->run.period_us + 1;
		EXPECT_GT(total->allocs, 0);
		EXPECT_LE(total->allocs + total->frees,
			  turns * 65536 / KMAG_RUN_MAX_IRQ_SIZE);
	}
}

TEST_HARNESS_MAIN
