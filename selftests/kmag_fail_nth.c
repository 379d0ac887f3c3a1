// SPDX-License-Identifier: GPL-2.0
/*
 * Every place where a call can run out of memory, one after the other: the
 * kernel fails the Nth allocation of this thread, N = 1, 2, 3 ..., until a
 * call comes through without meeting it. A call that fails must leave nothing
 * behind, and the same call must work when it is not disturbed.
 *
 * Needs a kernel with fault injection.
 */
#include "kmag_test.h"
#include "kselftest_harness.h"

#define NR 100

static const char nth_path[] = "/proc/thread-self/fail-nth";
static int nth_fd;

static int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY), ret;

	if (fd < 0)
		return -errno;
	ret = write(fd, text, strlen(text)) < 0 ? -errno : 0;
	close(fd);
	return ret;
}

FIXTURE(fail)
{
	int fd;
};

FIXTURE_VARIANT(fail)
{
	__u32 backend;
};

FIXTURE_VARIANT_ADD(fail, kmag)
{
	.backend = KMAG_BACKEND_KMAG,
};

FIXTURE_VARIANT_ADD(fail, kmem)
{
	.backend = KMAG_BACKEND_KMEM,
};

FIXTURE_SETUP(fail)
{
	static const char *const attrs[] = { "failslab", "fail_page_alloc" };
	char path[128];
	size_t i;

	if (access(nth_path, W_OK))
		SKIP(return, "this kernel has no fault injection");
	for (i = 0; i < ARRAY_SIZE(attrs); i++) {
		snprintf(path, sizeof(path),
			 "/sys/kernel/debug/%s/ignore-gfp-wait", attrs[i]);
		ASSERT_EQ(write_text(path, "N"), 0);
		snprintf(path, sizeof(path), "/sys/kernel/debug/%s/verbose",
			 attrs[i]);
		ASSERT_EQ(write_text(path, "0"), 0);
	}
	/* Where copies from and to user space may fail as well. */
	write_text("/sys/kernel/debug/fail_usercopy/verbose", "0");
	ASSERT_EQ(write_text("/sys/kernel/debug/fail_page_alloc/min-order",
			     "0"), 0);
	nth_fd = open(nth_path, O_RDWR | O_CLOEXEC);
	ASSERT_GE(nth_fd, 0);
	self->fd = open(KMAG_DEVICE, O_RDWR | O_CLOEXEC);
	ASSERT_GE(self->fd, 0);
}

FIXTURE_TEARDOWN(fail)
{
	close(self->fd);
}

static void arm(int n)
{
	char text[16];
	int tries;

	snprintf(text, sizeof(text), "%d", n);
	/* Writing it may be what fails; then it is off. */
	for (tries = 0; tries < 2; tries++)
		if (pwrite(nth_fd, text, strlen(text), 0) > 0)
			return;
	abort();
}

/* Did the call meet what was to fail? */
static int disarm(void)
{
	char text[16] = "";
	ssize_t len = pread(nth_fd, text, sizeof(text) - 1, 0);

	arm(0);
	/* Reading it is what failed, so the call had come through. */
	if (len < 0)
		return 0;
	return !atoi(text);
}

static int is_no_memory(int ret)
{
	return ret == -ENOMEM || ret == -EFAULT;
}

/* Live objects of kmag's cache "fail": 0 if there is none, -1 if unclear. */
static long long live_objects(int fd)
{
	const struct kmag_snap_cache *cache;
	struct kmag_snap_head *head;
	long long live;

	head = kmag_snapshot(fd);
	if (!head)
		return -1;
	cache = kmag_snap_find(head, "fail");
	live = !cache ? 0 : cache->skew ? -1 : (long long)cache->live;
	free(head);
	return live;
}

/**
 * struct sweep - which allocation fails next
 * @n: this one
 * @hit: the last one was met
 * @failed: calls that failed so far
 */
struct sweep {
	int n;
	int hit;
	int failed;
};

static int sweep_next(struct sweep *s)
{
	if (!s->hit)
		return 0;
	s->n++;
	return 1;
}

static void sweep_begin(struct sweep *s)
{
	*s = (struct sweep){ .hit = 1 };
}

/*
 * for (sweep_begin(); sweep_next();): run the body with the first allocation
 * of the call between arm() and SWEEP_CHECK() failing, then with its second,
 * and so on, till none does.
 */
#define SWEEP_CHECK(_sweep, _ret)					\
	do {								\
		struct sweep *s_ = (_sweep);				\
		int ret_ = (_ret);					\
									\
		s_->hit = disarm();					\
		s_->failed += !!ret_;					\
		ASSERT_LT(s_->n, 3000);					\
		ASSERT_TRUE(!ret_ || (s_->hit && is_no_memory(ret_)))	\
			TH_LOG("allocation %d: %d", s_->n, ret_);	\
	} while (0)

/* A sweep that made no call fail is none. */
#define SWEEP_END(_sweep)						\
	do {								\
		const struct sweep *s_ = (_sweep);			\
									\
		TH_LOG("%d places, %d of them make it fail", s_->n - 1,	\
		       s_->failed);					\
		ASSERT_GT(s_->failed, 0);				\
	} while (0)

static int open_device(int *fd)
{
	*fd = open(KMAG_DEVICE, O_RDWR | O_CLOEXEC);
	return *fd < 0 ? -errno : 0;
}

TEST_F_TIMEOUT(fail, open, 300)
{
	struct sweep s;
	int fd, ret;

	for (sweep_begin(&s); sweep_next(&s);) {
		arm(s.n);
		ret = open_device(&fd);
		SWEEP_CHECK(&s, ret);
		if (!ret)
			close(fd);
	}
	SWEEP_END(&s);
}

TEST_F_TIMEOUT(fail, create, 600)
{
	struct sweep s;
	int fd, ret;
	__u32 id;

	for (sweep_begin(&s); sweep_next(&s);) {
		/* A cache whose id could not be told goes with its file. */
		ASSERT_EQ(open_device(&fd), 0);
		arm(s.n);
		ret = kmag_create(fd, variant->backend, "fail", 3000,
				  KMAG_CF_CTOR, &id);
		SWEEP_CHECK(&s, ret);
		if (ret == -ENOMEM)
			ASSERT_EQ(id, 0);
		if (!ret)
			ASSERT_EQ(kmag_destroy(fd, id, 0), 0);
		close(fd);
		if (variant->backend == KMAG_BACKEND_KMAG)
			ASSERT_EQ(kmag_snap_has(self->fd, "fail"), 0);
	}
	SWEEP_END(&s);
}

/* A batch that stops in the middle keeps what it has, and says how much. */
static void alloc_sweep(struct __test_metadata *_metadata, int fd,
			__u32 backend, __u32 flags)
{
	__u32 id, objs[NR], nr, corrupt;
	struct sweep s;
	int ret;

	for (sweep_begin(&s); sweep_next(&s);) {
		/* Anew each time, without slabs and magazines. */
		ASSERT_EQ(kmag_create(fd, backend, "fail", 200, KMAG_CF_CTOR,
				      &id), 0);
		nr = NR;
		arm(s.n);
		ret = kmag_alloc(fd, id, KMAG_BATCH_CHECK | flags, 0, &nr,
				 objs);
		SWEEP_CHECK(&s, ret);
		if (ret == -EFAULT) {
			/* What could not be told may be there. */
			ASSERT_EQ(kmag_destroy(fd, id, KMAG_DESTROY_FORCE), 0);
			continue;
		}
		if (backend == KMAG_BACKEND_KMAG)
			ASSERT_EQ(live_objects(fd), nr);
		if (nr) {
			ASSERT_EQ(kmag_free(fd, id, KMAG_BATCH_CHECK, &nr, objs,
					    &corrupt), 0);
			ASSERT_EQ(corrupt, 0);
		}
		ASSERT_EQ(kmag_destroy(fd, id, 0), 0);
	}
	SWEEP_END(&s);
}

TEST_F_TIMEOUT(fail, alloc, 600)
{
	alloc_sweep(_metadata, self->fd, variant->backend, 0);
}

TEST_F_TIMEOUT(fail, alloc_bulk, 600)
{
	alloc_sweep(_metadata, self->fd, variant->backend, KMAG_BATCH_BULK);
}

/* All of the batch is freed or none; after EFAULT it is not known which. */
static void free_sweep(struct __test_metadata *_metadata, int fd, __u32 backend,
		       __u32 flags)
{
	__u32 id, objs[NR], nr, rest;
	struct sweep s;
	int ret, again;

	ASSERT_EQ(kmag_create(fd, backend, "fail", 200, 0, &id), 0);
	for (sweep_begin(&s); sweep_next(&s);) {
		nr = NR;
		ASSERT_EQ(kmag_alloc(fd, id, 0, 0, &nr, objs), 0);
		arm(s.n);
		ret = kmag_free(fd, id, flags, &nr, objs, NULL);
		SWEEP_CHECK(&s, ret);
		rest = NR;
		again = kmag_free(fd, id, 0, &rest, objs, NULL);
		if (ret == -ENOMEM) {
			ASSERT_EQ(nr, 0);
			ASSERT_EQ(again, 0);
		} else if (!ret) {
			ASSERT_EQ(nr, NR);
			ASSERT_EQ(again, -ENOENT);
		}
		if (backend == KMAG_BACKEND_KMAG)
			ASSERT_EQ(live_objects(fd), 0);
	}
	SWEEP_END(&s);
	EXPECT_EQ(kmag_destroy(fd, id, 0), 0);
}

TEST_F_TIMEOUT(fail, free, 600)
{
	free_sweep(_metadata, self->fd, variant->backend, 0);
}

TEST_F_TIMEOUT(fail, free_bulk, 600)
{
	free_sweep(_metadata, self->fd, variant->backend, KMAG_BATCH_BULK);
}

static int replay_some(int fd, __u32 id, __u32 count, __u32 nr_slots,
		       __u32 flags)
{
	struct kmag_replay_rec recs[NR];
	struct kmag_ioc_replay req = {
		.size = sizeof(req),
		.flags = flags,
		.count = count,
		.nr_slots = nr_slots,
		.recs = (uintptr_t)recs,
	};
	__u32 i;

	memset(recs, 0, sizeof(recs));
	for (i = 0; i < NR; i++) {
		recs[i].slot = i;
		recs[i].cpu = i % 2;
		recs[i].cache = id;
	}
	return kmag_call(fd, KMAG_IOC_REPLAY, &req);
}

TEST_F_TIMEOUT(fail, replay, 600)
{
	struct sweep s;
	__u32 id;
	int ret;

	ASSERT_EQ(kmag_create(self->fd, variant->backend, "fail", 200,
			      KMAG_CF_CTOR, &id), 0);
	for (sweep_begin(&s); sweep_next(&s);) {
		/* A larger table each time, so that it has to grow. */
		arm(s.n);
		ret = replay_some(self->fd, id, NR, NR + s.n,
				  KMAG_REPLAY_CHECK);
		SWEEP_CHECK(&s, ret);
		ASSERT_EQ(replay_some(self->fd, id, 0, 0, KMAG_REPLAY_RESET),
			  0);
		if (variant->backend == KMAG_BACKEND_KMAG)
			ASSERT_EQ(live_objects(self->fd), 0);
	}
	SWEEP_END(&s);
	EXPECT_EQ(kmag_destroy(self->fd, id, 0), 0);
}

TEST_F_TIMEOUT(fail, run, 600)
{
	const __u64 cpus = 1;
	struct kmag_run_thread threads[2];
	struct kmag_ioc_run good = {
		.size = sizeof(good),
		.flags = KMAG_RUN_CHECK,
		.nr_caches = 1,
		.pattern = KMAG_RUN_LIFO,
		.cpus = (uintptr_t)&cpus,
		.cpus_len = sizeof(cpus),
		.threads = 2,
		.count = NR,
		.live = NR,
		.results = (uintptr_t)threads,
		.max_results = 2,
	};
	struct sweep s;
	__u32 id;
	int ret;

	ASSERT_EQ(kmag_create(self->fd, variant->backend, "fail", 200,
			      KMAG_CF_CTOR, &id), 0);
	good.caches = (uintptr_t)&id;
	for (sweep_begin(&s); sweep_next(&s);) {
		struct kmag_ioc_run req = good;

		arm(s.n);
		ret = kmag_call(self->fd, KMAG_IOC_RUN, &req);
		SWEEP_CHECK(&s, ret);
		/* The threads themselves are not disturbed. */
		if (!ret)
			ASSERT_EQ(req.total.allocs, 2 * NR);
		if (variant->backend == KMAG_BACKEND_KMAG)
			ASSERT_EQ(live_objects(self->fd), 0);
	}
	SWEEP_END(&s);
	EXPECT_EQ(kmag_destroy(self->fd, id, 0), 0);
}

static void call_sweep(struct __test_metadata *_metadata, int fd,
		       unsigned long cmd, void *arg)
{
	struct sweep s;
	int ret;

	for (sweep_begin(&s); sweep_next(&s);) {
		arm(s.n);
		ret = kmag_call(fd, cmd, arg);
		SWEEP_CHECK(&s, ret);
	}
	SWEEP_END(&s);
}

TEST_F_TIMEOUT(fail, views, 600)
{
	static char buf[65536];
	struct kmag_ioc_snapshot snap = {
		.size = sizeof(snap),
		.buf = (uintptr_t)buf,
		.len = sizeof(buf),
	};
	struct kmag_ioc_cache req = { .size = sizeof(req) };
	__u32 objs[NR], nr = NR;

	if (variant->backend != KMAG_BACKEND_KMAG)
		SKIP(return, "only kmag has views");
	ASSERT_EQ(kmag_create(self->fd, variant->backend, "fail", 200, 0,
			      &req.id), 0);
	ASSERT_EQ(kmag_alloc(self->fd, req.id, 0, 0, &nr, objs), 0);
	call_sweep(_metadata, self->fd, KMAG_IOC_SNAPSHOT, &snap);
	call_sweep(_metadata, self->fd, KMAG_IOC_SHRINK, &req);
	call_sweep(_metadata, self->fd, KMAG_IOC_VALIDATE, &req);
	EXPECT_EQ(req.result, 0);
	EXPECT_EQ(live_objects(self->fd), NR);
	EXPECT_EQ(kmag_free(self->fd, req.id, 0, &nr, objs, NULL), 0);
	EXPECT_EQ(kmag_destroy(self->fd, req.id, 0), 0);
}

TEST_HARNESS_MAIN
