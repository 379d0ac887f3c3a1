// SPDX-License-Identifier: GPL-2.0
/*
 * Checks of contents find what they are for: a module changes a byte of an
 * object that this test holds, and the free must tell.
 *
 * Needs modules/kmag_corrupt.ko, beside the program or in $KMAG_TEST_MODULES.
 */
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

#include "kmag_test.h"
#include "kselftest_harness.h"

#define PARAM "/sys/module/kmag_corrupt/parameters/"
#define NR 32
#define SIZE 256

FIXTURE(contents)
{
	int fd;
	int comm;
	int flip;
	__u32 id;
	__u32 ctor;
};

FIXTURE_VARIANT(contents)
{
	__u32 backend;
};

FIXTURE_VARIANT_ADD(contents, kmag)
{
	.backend = KMAG_BACKEND_KMAG,
};

FIXTURE_VARIANT_ADD(contents, kmem)
{
	.backend = KMAG_BACKEND_KMEM,
};

static int load_corrupt(const char *symbol, const char *free_symbol)
{
	const char *dir = getenv("KMAG_TEST_MODULES");
	char path[256], args[128];
	int fd, ret;

	if (dir) {
		snprintf(path, sizeof(path), "%s/kmag_corrupt.ko", dir);
	} else {
		ssize_t len = readlink("/proc/self/exe", path, 200);

		if (len < 0)
			return -errno;
		path[len] = 0;
		*strrchr(path, '/') = 0;
		strcat(path, "/modules/kmag_corrupt.ko");
	}
	snprintf(args, sizeof(args), "symbol=%s free_symbol=%s", symbol,
		 free_symbol);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = syscall(SYS_finit_module, fd, args, 0) ? -errno : 0;
	close(fd);
	return ret;
}

FIXTURE_SETUP(contents)
{
	int ret;

	if (!kmag_has_symbol("register_kretprobe"))
		SKIP(return, "this kernel has no return probes");
	/* A test that was aborted may have left it. */
	syscall(SYS_delete_module, "kmag_corrupt", O_NONBLOCK);
	if (variant->backend == KMAG_BACKEND_KMAG) {
		ret = load_corrupt("kmag_cache_alloc", "kmag_dev:kmag_free");
	} else {
		/* Its name since 6.10, and before. */
		ret = load_corrupt("kmem_cache_alloc_noprof",
				   "kmag_dev:kmem_free");
		if (ret == -ENOENT)
			ret = load_corrupt("kmem_cache_alloc",
					   "kmag_dev:kmem_free");
	}
	ASSERT_EQ(ret, 0)
		TH_LOG("kmag_corrupt.ko: %s", strerror(-ret));
	self->comm = open(PARAM "comm", O_WRONLY | O_CLOEXEC);
	ASSERT_GE(self->comm, 0);
	self->flip = open(PARAM "flip", O_WRONLY | O_CLOEXEC);
	ASSERT_GE(self->flip, 0);
	self->fd = open(KMAG_DEVICE, O_RDWR | O_CLOEXEC);
	ASSERT_GE(self->fd, 0);
	ASSERT_EQ(kmag_create(self->fd, variant->backend, "contents", SIZE, 0,
			      &self->id), 0);
	ASSERT_EQ(kmag_create(self->fd, variant->backend, "contents.ctor", SIZE,
			      KMAG_CF_CTOR, &self->ctor), 0);
	ASSERT_EQ(prctl(PR_SET_NAME, "kmag_victim"), 0);
}

FIXTURE_TEARDOWN(contents)
{
	if (!kmag_has_symbol("register_kretprobe"))
		return;
	close(self->fd);
	close(self->comm);
	close(self->flip);
	EXPECT_EQ(syscall(SYS_delete_module, "kmag_corrupt", O_NONBLOCK), 0);
}

static int follow(int fd, const char *comm)
{
	ssize_t len = strlen(comm);

	return pwrite(fd, comm, len + 1, 0) == len + 1 ? 0 : -errno;
}

/* The module must have seen our objects, and no others. */
static int captured(void)
{
	FILE *file = fopen(PARAM "captured", "r");
	int nr = -1;

	if (file && fscanf(file, "%d", &nr) != 1)
		nr = -1;
	if (file)
		fclose(file);
	return nr;
}

static int flip(int fd, int offset)
{
	char buf[16];
	int len = snprintf(buf, sizeof(buf), "%d", offset);

	return pwrite(fd, buf, len, 0) == len ? 0 : -errno;
}

TEST_F(contents, by_id)
{
	static const int offsets[] = { 0, 1, 100, SIZE - 1 };
	__u32 objs[NR], nr, corrupt;
	unsigned int i, k;

	for (k = 0; k < 2; k++) {
		__u32 id = k ? self->ctor : self->id;

		for (i = 0; i < ARRAY_SIZE(offsets); i++) {
			nr = NR;
			ASSERT_EQ(follow(self->comm, "kmag_victim"), 0);
			ASSERT_EQ(kmag_alloc(self->fd, id, KMAG_BATCH_CHECK, 0,
					     &nr, objs), 0);
			ASSERT_EQ(captured(), NR);
			ASSERT_EQ(flip(self->flip, offsets[i]), 0);
			ASSERT_EQ(follow(self->comm, ""), 0);
			ASSERT_EQ(kmag_free(self->fd, id, KMAG_BATCH_CHECK, &nr,
					    objs, &corrupt), 0);
			EXPECT_EQ(nr, NR);
			EXPECT_EQ(corrupt, 1);

			/* It was that one, and it is well again. */
			nr = NR;
			ASSERT_EQ(kmag_alloc(self->fd, id, KMAG_BATCH_CHECK, 0,
					     &nr, objs), 0);
			ASSERT_EQ(kmag_free(self->fd, id,
					    KMAG_BATCH_CHECK | KMAG_BATCH_BULK,
					    &nr, objs, &corrupt), 0);
			EXPECT_EQ(corrupt, 0);
		}
	}
}

/* Not looked at, not told. */
TEST_F(contents, unchecked)
{
	__u32 objs[NR], nr = NR, corrupt;

	ASSERT_EQ(follow(self->comm, "kmag_victim"), 0);
	ASSERT_EQ(kmag_alloc(self->fd, self->id, KMAG_BATCH_CHECK, 0, &nr,
			     objs), 0);
	ASSERT_EQ(captured(), NR);
	ASSERT_EQ(flip(self->flip, 10), 0);
	ASSERT_EQ(kmag_free(self->fd, self->id, 0, &nr, objs, &corrupt), 0);
	EXPECT_EQ(corrupt, 0);
}

/* A constructed object that was damaged while it was not looked after. */
TEST_F(contents, lost_construction)
{
	static __u32 many[4096];
	__u32 objs[NR], nr = NR, corrupt;

	/* Whole slabs come out of quarantine, and are made anew. */
	if (variant->backend == KMAG_BACKEND_KMEM &&
	    kmag_has_symbol("kasan_quarantine_put"))
		SKIP(return, "KASAN keeps the kernel's objects back");
	ASSERT_EQ(follow(self->comm, "kmag_victim"), 0);
	ASSERT_EQ(kmag_alloc(self->fd, self->ctor, 0, 0, &nr, objs), 0);
	ASSERT_EQ(captured(), NR);
	ASSERT_EQ(flip(self->flip, SIZE - 1), 0);
	ASSERT_EQ(follow(self->comm, ""), 0);
	ASSERT_EQ(kmag_free(self->fd, self->ctor, 0, &nr, objs, NULL), 0);

	/* It comes back to somebody: enough objects, and it is found. */
	nr = ARRAY_SIZE(many);
	ASSERT_EQ(kmag_alloc(self->fd, self->ctor, KMAG_BATCH_CHECK, 0, &nr,
			     many), 0);
	ASSERT_EQ(kmag_free(self->fd, self->ctor, KMAG_BATCH_CHECK, &nr, many,
			    &corrupt), 0);
	EXPECT_EQ(corrupt, 1);
}

TEST_F(contents, replay)
{
	struct kmag_replay_rec recs[NR];
	struct kmag_ioc_replay req = {
		.size = sizeof(req),
		.flags = KMAG_REPLAY_CHECK,
		.count = NR,
		.nr_slots = NR,
		.recs = (uintptr_t)recs,
	};
	unsigned int i;

	memset(recs, 0, sizeof(recs));
	for (i = 0; i < NR; i++) {
		recs[i].slot = i;
		recs[i].cpu = i % 2;
		recs[i].cache = self->id;
	}
	ASSERT_EQ(follow(self->comm, "kmag_replay/"), 0);
	ASSERT_EQ(kmag_call(self->fd, KMAG_IOC_REPLAY, &req), 0);
	ASSERT_EQ(captured(), NR);
	ASSERT_EQ(flip(self->flip, 77), 0);
	ASSERT_EQ(follow(self->comm, ""), 0);
	EXPECT_EQ(req.corrupt, 0);
	EXPECT_EQ(req.live, NR);

	for (i = 0; i < NR; i++)
		recs[i].op = KMAG_REPLAY_FREE;
	ASSERT_EQ(kmag_call(self->fd, KMAG_IOC_REPLAY, &req), 0);
	EXPECT_EQ(req.frees, NR);
	EXPECT_EQ(req.corrupt, 1);
	EXPECT_EQ(req.live, 0);
}

/* An allocator that gives an object to two owners. */
TEST_F(contents, given_twice)
{
	struct kmag_ioc_run req = {
		.size = sizeof(req),
		.flags = KMAG_RUN_CHECK,
		.caches = (uintptr_t)&self->id,
		.nr_caches = 1,
		.pattern = KMAG_RUN_LIFO,
		.threads = 1,
		.count = 2 * NR,
		.live = NR,
	};
	int twice = open(PARAM "twice", O_WRONLY | O_CLOEXEC);
	unsigned int nth;

	ASSERT_GE(twice, 0);
	/* Never the first of a live set: the one before it was freed. */
	for (nth = 0; nth < 2 * NR; nth += 5) {
		ASSERT_EQ(flip(twice, nth), 0);
		ASSERT_EQ(follow(self->comm, "kmag_run/"), 0);
		ASSERT_EQ(kmag_call(self->fd, KMAG_IOC_RUN, &req), 0);
		ASSERT_EQ(captured(), 2 * NR);
		ASSERT_EQ(follow(self->comm, ""), 0);
		EXPECT_EQ(req.total.allocs, 2 * NR);
		EXPECT_EQ(req.total.frees + req.total.left, 2 * NR);
		EXPECT_EQ(req.total.corrupt, nth != 0) TH_LOG("the %uth", nth);
	}
	close(twice);
	/* All came back in the end, each once. */
	ASSERT_EQ(kmag_destroy(self->fd, self->id, 0), 0);
}

TEST_HARNESS_MAIN
