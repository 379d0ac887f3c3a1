// SPDX-License-Identifier: GPL-2.0
/*
 * What workloads may hold: one all of it, and those that go on at the same time no
 * more together.
 */
#include <pthread.h>
#include <signal.h>

#include "kmag_test.h"
#include "kselftest_harness.h"

/* A little more than half of a slab, which it has alone. */
#define SIZE	16400
#define SLAB	32768

/* A run of an open file of its own */
struct run {
	int fd;
	__u32 id;
	struct kmag_ioc_run req;
};

FIXTURE(cap)
{
	struct run one;
	struct run other;
	__u64 most;		/* objects that all may hold */
};

FIXTURE_VARIANT(cap)
{
	__u32 backend;
};

FIXTURE_VARIANT_ADD(cap, kmag)
{
	.backend = KMAG_BACKEND_KMAG,
};

FIXTURE_VARIANT_ADD(cap, kmem)
{
	.backend = KMAG_BACKEND_KMEM,
};

static void begin(struct __test_metadata *_metadata, struct run *run,
		  __u32 backend)
{
	run->fd = open(KMAG_DEVICE, O_RDWR | O_CLOEXEC);
	ASSERT_GE(run->fd, 0);
	ASSERT_EQ(kmag_create(run->fd, backend, "cap", SIZE, 0, &run->id), 0);
	run->req = (struct kmag_ioc_run){
		.size = sizeof(run->req),
		.caches = (uintptr_t)&run->id,
		.nr_caches = 1,
		.pattern = KMAG_RUN_CHURN,
		.threads = 1,
		.count = 1000,
	};
}

static void on_alarm(int signal)
{
}

FIXTURE_SETUP(cap)
{
	const struct sigaction action = { .sa_handler = on_alarm };
	struct kmag_ioc_info info = { .size = sizeof(info) };

	ASSERT_EQ(sigaction(SIGALRM, &action, NULL), 0);
	begin(_metadata, &self->one, variant->backend);
	begin(_metadata, &self->other, variant->backend);
	ASSERT_EQ(kmag_call(self->one.fd, KMAG_IOC_INFO, &info), 0);
	self->most = info.max_run_bytes / SLAB;
}

FIXTURE_TEARDOWN(cap)
{
	close(self->other.fd);
	close(self->one.fd);
}

static int do_run(struct run *run, __u64 live)
{
	run->req.live = live;
	return kmag_call(run->fd, KMAG_IOC_RUN, &run->req);
}

/* Tasks that the kernel has killed for their memory */
static long oom_kills(void)
{
	FILE *file = fopen("/proc/vmstat", "r");
	long value, found = -1;
	char key[64];

	while (file && fscanf(file, "%63s %ld", key, &value) == 2)
		if (!strcmp(key, "oom_kill"))
			found = value;
	if (file)
		fclose(file);
	return found;
}

TEST_F_TIMEOUT(cap, one_may_have_it_all, 120)
{
	long killed = oom_kills();

	self->one.req.count = self->most;
	ASSERT_EQ(do_run(&self->one, self->most), 0);
	EXPECT_EQ(self->one.req.total.allocs, self->most);
	EXPECT_EQ(self->one.req.total.failed, 0);
	EXPECT_EQ(do_run(&self->one, self->most + 1), -E2BIG);
	EXPECT_EQ(oom_kills(), killed);
	EXPECT_GE(killed, 0);
}

static void *run_on(void *data)
{
	struct run *run = data;

	return (void *)(long)do_run(run, run->req.live);
}

TEST_F_TIMEOUT(cap, together_no_more, 120)
{
	struct kmag_ioc_progress progress = { .size = sizeof(progress) };
	__u64 rest = self->most - self->most / 2;
	pthread_t thread;
	void *ret;

	self->other.req.live = self->most / 2;
	self->other.req.count = 0;
	self->other.req.duration_ms = 60000;
	ASSERT_EQ(pthread_create(&thread, NULL, run_on, &self->other), 0);
	while (!progress.ns) {
		usleep(1000);
		ASSERT_EQ(kmag_call(self->other.fd, KMAG_IOC_PROGRESS,
				    &progress), 0);
	}
	EXPECT_EQ(do_run(&self->one, rest + 1), -EBUSY);
	EXPECT_EQ(do_run(&self->one, rest - 1), 0);
	EXPECT_EQ(do_run(&self->one, rest + 1), -EBUSY);

	/* What was interrupted has nothing any more. */
	ASSERT_EQ(pthread_kill(thread, SIGALRM), 0);
	ASSERT_EQ(pthread_join(thread, &ret), 0);
	EXPECT_EQ((long)ret, -EINTR);
	EXPECT_EQ(do_run(&self->one, rest + 1), 0);
}

TEST_HARNESS_MAIN
