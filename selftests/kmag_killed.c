// SPDX-License-Identifier: GPL-2.0
/*
 * Killed in the middle: whatever a process was doing with /dev/kmag, nothing
 * of it is left; and a long call ends there and then.
 */
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>

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

/* Ends a process; false if that takes a minute. */
static int kill_child(pid_t pid, int *status)
{
	int tries;

	if (kill(pid, SIGKILL))
		return 0;
	for (tries = 0; tries < 6000; tries++) {
		if (waitpid(pid, status, WNOHANG) == pid)
			return 1;
		usleep(10000);
	}
	return 0;
}

/* Children of the tests: say when they are at it, and never end. */
static void alloc_for_ever(int fd, __u32 id, int ready)
{
	static __u32 objs[4096];
	__u32 nr, round, corrupt;

	for (round = 0;; round++) {
		nr = 4096;
		if (kmag_alloc(fd, id, KMAG_BATCH_CHECK, 0, &nr, objs))
			_exit(1);
		if (kmag_free(fd, id, KMAG_BATCH_CHECK, &nr, objs, &corrupt) ||
		    corrupt)
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
		if (kmag_call(fd, KMAG_IOC_REPLAY, &req) || req.corrupt)
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
	static const useconds_t delays[] = { 1000, 50000, 400000 };
	int before = count_caches(our_fd);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(delays); i++) {
		int status;
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
		usleep(delays[i]);
		EXPECT_EQ(kmag_backend_has(our_fd, backend, name), 1);
		/* Not when its replay is through, for that goes on and on. */
		ASSERT_TRUE(kill_child(pid, &status));
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

static void on_alarm(int signal)
{
}

/* How long a run with a large live set lasts after a signal; -1: cannot tell. */
static long long run_ends(int fd, __u32 id, __u64 live, int signal)
{
	struct kmag_ioc_progress progress = { .size = sizeof(progress) };
	const struct sigaction action = { .sa_handler = on_alarm };
	struct kmag_ioc_run req = {
		.size = sizeof(req),
		.flags = KMAG_RUN_CHECK,
		.caches = (uintptr_t)&id,
		.nr_caches = 1,
		.pattern = KMAG_RUN_CHURN,
		.threads = 1,
		.duration_ms = 120000,
		.live = live,
	};
	long long start;
	int status;
	pid_t pid;

	pid = fork();
	if (pid < 0)
		return -1;
	if (!pid) {
		sigaction(SIGALRM, &action, NULL);
		_exit(kmag_call(fd, KMAG_IOC_RUN, &req) != -EINTR);
	}
	do {
		usleep(10000);
		if (kmag_call(fd, KMAG_IOC_PROGRESS, &progress) ||
		    waitpid(pid, &status, WNOHANG))
			return -1;
	} while (!progress.ns || progress.allocs < live);
	start = kmag_now_us();
	kill(pid, signal);
	if (waitpid(pid, &status, 0) != pid)
		return -1;
	return kmag_now_us() - start;
}

/* Who is killed does not wait until all objects were looked at. */
TEST_F_TIMEOUT(killed, in_run, 300)
{
	struct kmag_ioc_info info = { .size = sizeof(info) };
	const __u32 size = 131072;
	long long us, least[2] = { LLONG_MAX, LLONG_MAX };
	__u64 live;
	__u32 id;
	int i;

	ASSERT_EQ(kmag_call(self->fd, KMAG_IOC_INFO, &info), 0);
	/* So much that a look takes its time, and not minutes with KASAN. */
	live = info.max_run_bytes / size / 8;
	ASSERT_EQ(kmag_create(self->fd, variant->backend, self->name, size, 0,
			      &id), 0);
	/* The host may have been busy with others: the least of some counts. */
	for (i = 0; i < 6; i++) {
		us = run_ends(self->fd, id, live, i % 2 ? SIGKILL : SIGALRM);
		ASSERT_GT(us, 0);
		if (us < least[i % 2])
			least[i % 2] = us;
	}
	TH_LOG("%lld us, killed %lld us", least[0], least[1]);
	/* With KASAN the frees are as dear as the looks. */
	if (!kmag_has_symbol("kasan_report"))
		EXPECT_LE(least[1], least[0] / 2);
}

/* Calls that take long when they get through. */
enum half_call {
	HALF_ALLOC,
	HALF_ALLOC_BULK,
	HALF_FREE,
	HALF_FREE_BULK,
	HALF_REPLAY,
};

#define HALF_OBJS	16384
#define HALF_SLOTS	400000

/* The child has it, too, so that ids of what it allocated come to us. */
struct half {
	enum half_call call;
	int fd;
	__u32 backend;
	const char *name;
	__u32 id;
	__u32 objs[HALF_OBJS];
	int over;
	struct kmag_replay_rec *recs;
};

static int half_call(struct half *h)
{
	struct kmag_ioc_replay replay = {
		.size = sizeof(replay),
		.flags = KMAG_REPLAY_CHECK,
		.count = HALF_SLOTS,
		.nr_slots = HALF_SLOTS,
		.recs = (uintptr_t)h->recs,
	};
	__u32 flags = KMAG_BATCH_CHECK, nr = HALF_OBJS;

	if (h->call == HALF_ALLOC_BULK || h->call == HALF_FREE_BULK)
		flags |= KMAG_BATCH_BULK;
	switch (h->call) {
	case HALF_ALLOC:
	case HALF_ALLOC_BULK:
		return kmag_alloc(h->fd, h->id, flags, 0, &nr, h->objs);
	case HALF_FREE:
	case HALF_FREE_BULK:
		return kmag_free(h->fd, h->id, flags, &nr, h->objs, NULL);
	default:
		return kmag_call(h->fd, KMAG_IOC_REPLAY, &replay);
	}
}

/* A new cache, with what the call is about to free. 0, or -errno. */
static int half_prepare(struct half *h)
{
	__u32 nr = HALF_OBJS, i;
	int ret;

	h->over = 0;
	memset(h->objs, 0xff, sizeof(h->objs));
	ret = kmag_create(h->fd, h->backend, h->name,
			  h->call == HALF_REPLAY ? 96 : 4096, 0, &h->id);
	if (!ret && (h->call == HALF_FREE || h->call == HALF_FREE_BULK))
		ret = kmag_alloc(h->fd, h->id, KMAG_BATCH_CHECK, 0, &nr,
				 h->objs);
	for (i = 0; i < HALF_SLOTS; i++)
		h->recs[i] = (struct kmag_replay_rec){
			.op = KMAG_REPLAY_ALLOC,
			.slot = i,
			.cpu = i % 2,
			.cache = h->id,
		};
	return ret;
}

/* Objects that are left, by the cache's own count; -1: it is not ours to ask */
static long half_live(struct half *h)
{
	const struct kmag_snap_cache *cache;
	struct kmag_snap_head *head;
	long live = -1;

	if (h->backend != KMAG_BACKEND_KMAG)
		return -1;
	head = kmag_snapshot(h->fd);
	cache = head ? kmag_snap_find(head, h->name) : NULL;
	if (cache && !cache->skew)
		live = cache->live;
	free(head);
	return live;
}

/* The same by the device's count: those of whose ids it knows are freed. */
static long half_left(struct half *h)
{
	struct kmag_ioc_replay replay = { .size = sizeof(replay) };
	long left = 0;
	__u32 i, nr;

	if (h->call == HALF_REPLAY)
		return kmag_call(h->fd, KMAG_IOC_REPLAY, &replay) ? -1 :
		       (long)replay.live;
	for (i = 0; i < HALF_OBJS; i++) {
		nr = 1;
		left += !kmag_free(h->fd, h->id, 0, &nr, &h->objs[i], NULL);
	}
	return left;
}

/* Microseconds that the call takes when nobody disturbs it, or -1 */
static long half_time(struct half *h)
{
	long long start;
	int ret;

	if (half_prepare(h))
		return -1;
	start = kmag_now_us();
	ret = half_call(h);
	start = kmag_now_us() - start;
	return ret || kmag_destroy(h->fd, h->id, KMAG_DESTROY_FORCE) ? -1 :
	       (long)start;
}

/*
 * The file is ours too, so that it shows what the child's last call did: all
 * of it would mean that the signal had to wait for its end.
 */
static void half_way(struct __test_metadata *_metadata, int fd, const int *pipe,
		     const char *name, __u32 backend, enum half_call call)
{
	long usec, left = -1, live, all, end;
	int status, tries, busy = 0;
	struct half *h;
	char byte;
	pid_t pid;

	h = mmap(NULL, sizeof(*h), PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_TRUE(h != MAP_FAILED);
	*h = (struct half){ .call = call, .fd = fd, .backend = backend,
			    .name = name };
	h->recs = calloc(HALF_SLOTS, sizeof(*h->recs));
	ASSERT_NE(h->recs, NULL);
	all = call == HALF_REPLAY ? HALF_SLOTS : HALF_OBJS;
	/* What is left of a call that is done */
	end = call <= HALF_ALLOC_BULK || call == HALF_REPLAY ? all : 0;
	usec = half_time(h);
	ASSERT_GT(usec, 0);
	for (tries = 0; tries < 30; tries++) {
		ASSERT_EQ(half_prepare(h), 0);
		pid = fork();
		ASSERT_GE(pid, 0);
		if (!pid) {
			if (write(pipe[1], "", 1) == 1)
				h->over = half_call(h) != -EINTR;
			_exit(0);
		}
		ASSERT_EQ(read(pipe[0], &byte, 1), 1);
		usleep(usec / 2);
		ASSERT_TRUE(kill_child(pid, &status));
		live = half_live(h);
		busy = kmag_destroy(fd, h->id, 0);
		left = 0;
		if (busy) {
			ASSERT_EQ(busy, -EBUSY);
			left = half_left(h);
			ASSERT_EQ(kmag_destroy(fd, h->id, KMAG_DESTROY_FORCE),
				  0);
		}
		if (backend == KMAG_BACKEND_KMAG)
			EXPECT_EQ(live, left);
		EXPECT_EQ(kmag_backend_has(fd, backend, name), 0);
		/*
		 * Not in time, be it that the child could not say so any more,
		 * or before it was at it: once more.
		 */
		if (h->over || (call != HALF_ALLOC_BULK ? left == end :
				busy && left == all))
			usec -= usec / 4;
		else if (call != HALF_ALLOC_BULK && left == all - end)
			usec += usec / 3;
		else
			break;
	}
	ASSERT_LT(tries, 30);
	if (call == HALF_ALLOC_BULK) {
		/* All or nothing. */
		EXPECT_EQ(busy, 0);
	} else {
		EXPECT_EQ(busy, -EBUSY);
		EXPECT_GT(left, 0);
		EXPECT_LT(left, all);
	}
	free(h->recs);
	munmap(h, sizeof(*h));
}

TEST_F_TIMEOUT(killed, half_way_in_alloc, 300)
{
	half_way(_metadata, self->fd, self->pipe, self->name, variant->backend,
		 HALF_ALLOC);
}

TEST_F_TIMEOUT(killed, half_way_in_alloc_bulk, 300)
{
	half_way(_metadata, self->fd, self->pipe, self->name, variant->backend,
		 HALF_ALLOC_BULK);
}

TEST_F_TIMEOUT(killed, half_way_in_free, 300)
{
	half_way(_metadata, self->fd, self->pipe, self->name, variant->backend,
		 HALF_FREE);
}

TEST_F_TIMEOUT(killed, half_way_in_free_bulk, 300)
{
	half_way(_metadata, self->fd, self->pipe, self->name, variant->backend,
		 HALF_FREE_BULK);
}

TEST_F_TIMEOUT(killed, half_way_in_replay, 300)
{
	half_way(_metadata, self->fd, self->pipe, self->name, variant->backend,
		 HALF_REPLAY);
}

TEST_HARNESS_MAIN
