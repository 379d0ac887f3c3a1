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
	__u64 bytes;		/* that all may need */
	__u64 most;		/* objects of SIZE that all may hold */
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

static int do_run(struct run *run, __u64 live)
{
	run->req.live = live;
	return kmag_call(run->fd, KMAG_IOC_RUN, &run->req);
}

/* The largest live set that is not refused. */
static __u64 largest(struct __test_metadata *_metadata, struct run *run,
		     __u64 bytes)
{
	struct run once = *run;
	__u64 low = 1, high = bytes / SIZE + 1, live;
	int ret;

	once.req.count = 1;
	while (high - low > 1) {
		live = (low + high) / 2;
		ret = do_run(&once, live);
		ASSERT_TRUE(!ret || ret == -E2BIG);
		*(ret ? &high : &low) = live;
	}
	return low;
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
	self->bytes = info.max_run_bytes;
	self->most = largest(_metadata, &self->one, self->bytes);
}

FIXTURE_TEARDOWN(cap)
{
	close(self->other.fd);
	close(self->one.fd);
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
	/* For what is kept by the other's cache, too. */
	__u64 kept = self->bytes / SLAB - self->most + 1;
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
	EXPECT_EQ(do_run(&self->one, rest - kept), 0);
	EXPECT_EQ(do_run(&self->one, rest + 1), -EBUSY);

	/* What was interrupted has nothing any more. */
	ASSERT_EQ(pthread_kill(thread, SIGALRM), 0);
	ASSERT_EQ(pthread_join(thread, &ret), 0);
	EXPECT_EQ((long)ret, -EINTR);
	EXPECT_EQ(do_run(&self->one, rest + 1), 0);
}

/* Bytes of pages for an object of @size: a power of two, which has room for more. */
static __u64 share(struct __test_metadata *_metadata, int fd, __u32 backend,
		   __u32 size, __u32 flags)
{
	struct kmag_snap_head *head = kmag_snapshot(fd);
	const struct kmag_snap_cache *cache;
	__u64 stride = size + (flags & KMAG_CF_CTOR ? 8 : 0), bytes = 1;

	ASSERT_NE(head, NULL);
	if (backend == KMAG_BACKEND_KMAG) {
		cache = kmag_snap_find(head, "share");
		ASSERT_NE(cache, NULL);
		stride = cache->stride;
	}
	while (bytes < stride)
		bytes *= 2;
	free(head);
	return bytes;
}

/* What lies around an object, where it does, makes a slab of it twice as large. */
TEST_F(cap, what_is_put_around_an_object)
{
	static const __u32 sizes[] = { 16384, 32768 };
	static const __u32 flags[] = { 0, KMAG_CF_CTOR };
	struct run *run = &self->one;
	unsigned int i, k;

	run->req.count = 1;
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (k = 0; k < ARRAY_SIZE(flags); k++) {
			__u64 bytes;

			ASSERT_EQ(kmag_create(run->fd, variant->backend,
					      "share", sizes[i], flags[k],
					      &run->id), 0);
			bytes = share(_metadata, run->fd, variant->backend,
				      sizes[i], flags[k]);
			EXPECT_EQ(do_run(run, self->bytes / bytes), -E2BIG)
				TH_LOG("size %u flags %u", sizes[i], flags[k]);
			EXPECT_EQ(do_run(run, self->bytes / bytes / 4), 0);
			ASSERT_EQ(kmag_destroy(run->fd, run->id, 0), 0);
		}
	}
}

/* Of many caches each may keep some for later. */
TEST_F(cap, what_caches_keep)
{
	__u32 ids[KMAG_RUN_MAX_CACHES];
	struct run *run = &self->one;
	const __u32 size = 131072;
	__u64 one, all;
	int i;

	for (i = 0; i < KMAG_RUN_MAX_CACHES; i++)
		ASSERT_EQ(kmag_create(run->fd, variant->backend, "keeps", size,
				      0, &ids[i]), 0);
	run->req.caches = (uintptr_t)ids;
	one = largest(_metadata, run, self->bytes);
	run->req.nr_caches = KMAG_RUN_MAX_CACHES;
	all = largest(_metadata, run, self->bytes);
	TH_LOG("%llu objects of one cache, %llu of %d",
	       (unsigned long long)one, (unsigned long long)all,
	       KMAG_RUN_MAX_CACHES);
	/* Whatever it is that a CPU keeps, it is one of each. */
	EXPECT_LE(all + KMAG_RUN_MAX_CACHES, one);
	EXPECT_GT(all, 0);
	run->req.count = 4 * all;
	EXPECT_EQ(do_run(run, all), 0);
	EXPECT_EQ(run->req.total.failed, 0);
}

TEST_HARNESS_MAIN
