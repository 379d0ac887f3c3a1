// SPDX-License-Identifier: GPL-2.0
/*
 * Killed in the middle: whatever a process was doing with /dev/kmag, nothing
 * of it is left.
 */
#include <pthread.h>
#include <signal.h>
#include <time.h>

#include "kmag_test.h"
#include "kselftest_harness.h"

FIXTURE(killed)
{
	int fd;
	int pipe[2];
	char name[KMAG_NAME_LEN];
};

FIXTURE_VARIANT(killed)
{
	__u32 backend;
};

FIXTURE_VARIANT_ADD(killed, kmag)
{
	.backend = KMAG_BACKEND_KMAG,
};

FIXTURE_VARIANT_ADD(killed, kmem)
{
	.backend = KMAG_BACKEND_KMEM,
};

static int count_caches(int fd)
{
	struct kmag_snap_head *head = kmag_snapshot(fd);
	int nr = head ? head->nr_caches : -1;

	free(head);
	return nr;
}

FIXTURE_SETUP(killed)
{
	self->fd = open(KMAG_DEVICE, O_RDWR | O_CLOEXEC);
	ASSERT_GE(self->fd, 0);
	ASSERT_EQ(pipe(self->pipe), 0);
	snprintf(self->name, sizeof(self->name), "killed.%d", getpid());
}

FIXTURE_TEARDOWN(killed)
{
	close(self->fd);
}

static void nap(long ms)
{
	const struct timespec ts = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&ts, NULL);
}

/* Children of the tests: say when they are at it, and never end. */
static void alloc_for_ever(int fd, __u32 id, int ready)
{
	static __u32 objs[4096];
	__u32 nr, round;

	for (round = 0;; round++) {
		nr = 4096;
		if (kmag_alloc(fd, id, KMAG_BATCH_CHECK, 0, &nr, objs))
			_exit(1);
		if (kmag_free(fd, id, 0, &nr, objs, NULL))
			_exit(1);
		/* Some stay. */
		nr = 100;
		if (round < 20 && kmag_alloc(fd, id, 0, 0, &nr, objs))
			_exit(1);
		if (!round && write(ready, "", 1) != 1)
			_exit(1);
	}
}

static void replay_for_ever(int fd, __u32 id, int ready)
{
	const __u32 pairs = 500000;
	struct kmag_replay_rec *recs = calloc(2 * pairs, sizeof(*recs));
	struct kmag_ioc_replay req = {
		.size = sizeof(req),
		.flags = KMAG_REPLAY_CHECK | KMAG_REPLAY_RESET,
		.count = 2 * pairs,
		.nr_slots = pairs,
		.recs = (uintptr_t)recs,
	};
	__u32 i;

	if (!recs)
		_exit(1);
	/* Four CPUs; all are allocated before the first is freed. */
	for (i = 0; i < pairs; i++) {
		recs[i].op = KMAG_REPLAY_ALLOC;
		recs[i].slot = i;
		recs[i].cpu = i % 4;
		recs[i].cache = id;
		recs[i + pairs] = recs[i];
		recs[i + pairs].op = KMAG_REPLAY_FREE;
		recs[i + pairs].cpu = (i + 1) % 4;
	}
	if (write(ready, "", 1) != 1)
		_exit(1);
	for (;;)
		if (kmag_call(fd, KMAG_IOC_REPLAY, &req))
			_exit(1);
}

struct second {
	int fd;
	__u32 id;
	int ready;
};

static void *second_thread(void *data)
{
	struct second *s = data;

	alloc_for_ever(s->fd, s->id, s->ready);
	return NULL;
}

/* A thread replays, another waits for the file's lock. */
static void both_for_ever(int fd, __u32 id, int ready)
{
	struct second second = { fd, id, ready };
	pthread_t thread;

	if (pthread_create(&thread, NULL, second_thread, &second))
		_exit(1);
	replay_for_ever(fd, id, ready);
}

static void kill_it(struct __test_metadata *_metadata, int our_fd,
		    const int *pipe, const char *name, __u32 backend,
		    void (*fn)(int fd, __u32 id, int ready))
{
	int before = count_caches(our_fd);

	static const long delays[] = { 1, 50, 400 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(delays); i++) {
		int status, tries;
		char byte;
		pid_t pid;

		pid = fork();
		ASSERT_GE(pid, 0);
		if (!pid) {
			int fd = open(KMAG_DEVICE, O_RDWR);
			__u32 id;

			if (fd < 0 || kmag_create(fd, backend, name, 160,
						  KMAG_CF_CTOR, &id))
				_exit(1);
			fn(fd, id, pipe[1]);
		}
		ASSERT_EQ(read(pipe[0], &byte, 1), 1);
		nap(delays[i]);
		EXPECT_EQ(kmag_backend_has(our_fd, backend, name), 1);
		ASSERT_EQ(kill(pid, SIGKILL), 0);
		/* Not when its replay is through, for that goes on and on. */
		for (tries = 0; tries < 6000; tries++) {
			if (waitpid(pid, &status, WNOHANG) == pid)
				break;
			nap(10);
		}
		ASSERT_LT(tries, 6000);
		EXPECT_TRUE(WIFSIGNALED(status));
		EXPECT_EQ(WTERMSIG(status), SIGKILL);
		EXPECT_EQ(kmag_backend_has(our_fd, backend, name), 0);
		EXPECT_EQ(count_caches(our_fd), before);
	}
}

TEST_F_TIMEOUT(killed, in_alloc, 300)
{
	kill_it(_metadata, self->fd, self->pipe, self->name, variant->backend,
		alloc_for_ever);
}

TEST_F_TIMEOUT(killed, in_replay, 300)
{
	kill_it(_metadata, self->fd, self->pipe, self->name, variant->backend,
		replay_for_ever);
}

TEST_F_TIMEOUT(killed, in_both, 300)
{
	kill_it(_metadata, self->fd, self->pipe, self->name, variant->backend,
		both_for_ever);
}

TEST_HARNESS_MAIN
