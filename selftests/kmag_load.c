// SPDX-License-Identifier: GPL-2.0
/*
 * Modules do not go while somebody needs them, and come again.
 *
 * Modules are in /lib/kmag, or in $KMAG_MODULES.
 */
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "kmag_test.h"
#include "kselftest_harness.h"

#define ENOUGH 10		/* reloads under use, and so on */

static int unload(const char *name)
{
	return syscall(SYS_delete_module, name, O_NONBLOCK) ? -errno : 0;
}

static int load(const char *name)
{
	const char *dir = getenv("KMAG_MODULES");
	char path[256];
	int fd, ret;

	snprintf(path, sizeof(path), "%s/%s.ko", dir ? dir : "/lib/kmag", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = syscall(SYS_finit_module, fd, "", 0) ? -errno : 0;
	close(fd);
	return ret;
}

static int is_loaded(const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/module/%s/refcnt", name);
	return access(path, F_OK) == 0;
}

FIXTURE(load)
{
	int fd;
};

FIXTURE_VARIANT(load)
{
	__u32 backend;
};

FIXTURE_VARIANT_ADD(load, kmag)
{
	.backend = KMAG_BACKEND_KMAG,
};

FIXTURE_VARIANT_ADD(load, kmem)
{
	.backend = KMAG_BACKEND_KMEM,
};

FIXTURE_SETUP(load)
{
	ASSERT_TRUE(is_loaded("kmag"));
	ASSERT_TRUE(is_loaded("kmag_dev"));
	self->fd = open(KMAG_DEVICE, O_RDWR | O_CLOEXEC);
	ASSERT_GE(self->fd, 0);
}

/* Whatever happened, those who come next find both. */
FIXTURE_TEARDOWN(load)
{
	if (!is_loaded("kmag"))
		EXPECT_EQ(load("kmag"), 0);
	if (!is_loaded("kmag_dev"))
		EXPECT_EQ(load("kmag_dev"), 0);
}

TEST_F(load, refused_while_in_use)
{
	__u32 id, objs[10], nr = 10;

	/* kmag is used by kmag_dev, kmag_dev by an open file. */
	EXPECT_EQ(unload("kmag"), -EWOULDBLOCK);
	EXPECT_EQ(unload("kmag_dev"), -EWOULDBLOCK);

	/* With a cache that has objects: the same, and nothing is harmed. */
	ASSERT_EQ(kmag_create(self->fd, variant->backend, "load", 100, 0, &id),
		  0);
	ASSERT_EQ(kmag_alloc(self->fd, id, KMAG_BATCH_CHECK, 0, &nr, objs), 0);
	EXPECT_EQ(unload("kmag_dev"), -EWOULDBLOCK);
	EXPECT_EQ(unload("kmag"), -EWOULDBLOCK);
	EXPECT_EQ(kmag_free(self->fd, id, KMAG_BATCH_CHECK, &nr, objs, NULL),
		  0);
	EXPECT_EQ(kmag_destroy(self->fd, id, 0), 0);

	close(self->fd);
	EXPECT_EQ(unload("kmag"), -EWOULDBLOCK);
	ASSERT_EQ(unload("kmag_dev"), 0);
	EXPECT_EQ(access(KMAG_DEVICE, F_OK), -1);
	ASSERT_EQ(unload("kmag"), 0);
	EXPECT_EQ(access("/sys/kernel/debug/kmag", F_OK), -1);

	/* kmag_dev alone has nothing to stand on. */
	EXPECT_EQ(load("kmag_dev"), -ENOENT);
	ASSERT_EQ(load("kmag"), 0);
	EXPECT_EQ(load("kmag"), -EEXIST);
	ASSERT_EQ(load("kmag_dev"), 0);
}

/* A file that is closed with all its objects keeps no module. */
TEST_F_TIMEOUT(load, again_and_again, 120)
{
	struct kmag_replay_rec rec = { .slot = 5 };
	struct kmag_ioc_replay req = {
		.size = sizeof(req),
		.count = 1,
		.nr_slots = 10,
		.recs = (uintptr_t)&rec,
	};
	__u32 id, objs[500], nr;
	int i;

	for (i = 0; i < 10; i++) {
		nr = 500;
		ASSERT_EQ(kmag_create(self->fd, variant->backend, "again", 100,
				      KMAG_CF_CTOR, &id), 0);
		ASSERT_EQ(kmag_alloc(self->fd, id, 0, 0, &nr, objs), 0);
		rec.cache = id;
		ASSERT_EQ(kmag_call(self->fd, KMAG_IOC_REPLAY, &req), 0);
		close(self->fd);
		ASSERT_EQ(unload("kmag_dev"), 0);
		ASSERT_EQ(unload("kmag"), 0);
		EXPECT_EQ(kmag_slabinfo_has("kmag"), 0);
		ASSERT_EQ(load("kmag"), 0);
		ASSERT_EQ(load("kmag_dev"), 0);
		self->fd = open(KMAG_DEVICE, O_RDWR | O_CLOEXEC);
		ASSERT_GE(self->fd, 0);
	}
}

/* Slabs of the cache that drain, or -1 */
static long draining(int fd, const char *name)
{
	struct kmag_snap_head *head = kmag_snapshot(fd);
	const struct kmag_snap_cache *cache;
	long nr = -1;

	cache = head ? kmag_snap_find(head, name) : NULL;
	if (cache)
		nr = cache->draining;
	free(head);
	return nr;
}

/* A spike is over, and the modules go before, while, and after its slabs are marked. */
TEST_F_TIMEOUT(load, while_slabs_drain, 240)
{
	static __u32 objs[16000], gone[16000];
	__u32 id, nr, i, n;
	int round, seen = 0;

	if (variant->backend != KMAG_BACKEND_KMAG)
		SKIP(return, "the kernel's caches have no such slabs");
	for (round = 0; round < 20; round++) {
		nr = 16000;
		ASSERT_EQ(kmag_create(self->fd, variant->backend, "drains", 256,
				      0, &id), 0);
		ASSERT_EQ(kmag_alloc(self->fd, id, 0, 0, &nr, objs), 0);
		for (i = 0, n = 0; i < nr; i++)
			if (i % 16)
				gone[n++] = objs[i];
		ASSERT_EQ(kmag_free(self->fd, id, 0, &n, gone, NULL), 0);
		usleep(round * 10000);
		seen += draining(self->fd, "drains") > 0;
		close(self->fd);
		ASSERT_EQ(unload("kmag_dev"), 0);
		ASSERT_EQ(unload("kmag"), 0);
		ASSERT_EQ(load("kmag"), 0);
		ASSERT_EQ(load("kmag_dev"), 0);
		self->fd = open(KMAG_DEVICE, O_RDWR | O_CLOEXEC);
		ASSERT_GE(self->fd, 0);
	}
	TH_LOG("slabs drained in %d of %d rounds", seen, round);
	EXPECT_GT(seen, 0);
}

/* A workload that would not end for an hour. */
static int run_for_ever(int fd, __u32 id, __u32 duration_ms)
{
	struct kmag_ioc_run req = {
		.size = sizeof(req),
		.flags = KMAG_RUN_CHECK,
		.caches = (uintptr_t)&id,
		.nr_caches = 1,
		.pattern = KMAG_RUN_CHURN,
		.threads = 2,
		.duration_ms = duration_ms,
		.live = 100,
	};

	int ret = kmag_call(fd, KMAG_IOC_RUN, &req);

	return !ret && req.total.corrupt ? -EUCLEAN : ret;
}

/* A workload runs; other files come and go; the process is killed. */
TEST_F_TIMEOUT(load, refused_while_it_runs, 120)
{
	struct kmag_ioc_progress progress = { .size = sizeof(progress) };
	int status, i, fd;
	__u32 id;
	pid_t pid;

	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		if (!kmag_create(self->fd, variant->backend, "runs", 100, 0,
				 &id))
			run_for_ever(self->fd, id, 3600000);
		_exit(1);
	}
	while (!progress.allocs)
		ASSERT_EQ(kmag_call(self->fd, KMAG_IOC_PROGRESS, &progress), 0);
	/* Now it is the child's alone. */
	close(self->fd);
	for (i = 0; i < 10; i++) {
		EXPECT_EQ(unload("kmag_dev"), -EWOULDBLOCK);
		EXPECT_EQ(unload("kmag"), -EWOULDBLOCK);
		fd = open(KMAG_DEVICE, O_RDWR | O_CLOEXEC);
		ASSERT_GE(fd, 0);
		ASSERT_EQ(kmag_create(fd, variant->backend, "other", 64, 0,
				      &id), 0);
		EXPECT_EQ(unload("kmag_dev"), -EWOULDBLOCK);
		close(fd);
	}
	ASSERT_EQ(kill(pid, SIGKILL), 0);
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_TRUE(WIFSIGNALED(status));
	ASSERT_EQ(unload("kmag_dev"), 0);
	ASSERT_EQ(unload("kmag"), 0);
	EXPECT_EQ(kmag_slabinfo_has("kmag"), 0);
}

/* Opens and uses the device whenever it is there; ends by -errno. */
static int use_for_ever(__u32 backend, unsigned int *used)
{
	long long begin = kmag_now_us(), took = 0;
	__u32 id, objs[50], nr, corrupt;
	int fd, ret;

	for (;; (*used)++, took = kmag_now_us() - begin) {
		/* Now and then nobody has it, however slow the kernel is. */
		usleep(10000 + took);
		begin = kmag_now_us();
		fd = open(KMAG_DEVICE, O_RDWR | O_CLOEXEC);
		if (fd < 0 && (errno == ENOENT || errno == ENODEV ||
			       errno == ENXIO)) {
			(*used)--;
			continue;
		}
		if (fd < 0)
			return -errno;
		nr = 50;
		ret = kmag_create(fd, backend, "use", 200, KMAG_CF_CTOR, &id);
		if (!ret)
			ret = kmag_alloc(fd, id, KMAG_BATCH_CHECK, 0, &nr, objs);
		nr /= 2;
		if (!ret)
			ret = kmag_free(fd, id, KMAG_BATCH_CHECK, &nr, objs,
					&corrupt);
		if (!ret && corrupt)
			return -EUCLEAN;
		if (!ret)
			ret = run_for_ever(fd, id, 1);
		close(fd);
		if (ret)
			return ret;
	}
}

/* Modules go and come whenever nobody holds them. */
TEST_F_TIMEOUT(load, under_use, 300)
{
	unsigned int *used, before, reloads = 0, refused = 0;
	long long end = kmag_now_us() + 200000000;
	pid_t pids[2];
	int status, i, ret;

	used = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_TRUE(used != MAP_FAILED);
	close(self->fd);
	for (i = 0; i < 2; i++) {
		pids[i] = fork();
		ASSERT_GE(pids[i], 0);
		if (!pids[i])
			_exit(-use_for_ever(variant->backend, &used[i]));
	}
	do {
		before = used[0] + used[1];
		ret = unload("kmag_dev");
		if (ret) {
			ASSERT_EQ(ret, -EWOULDBLOCK);
			refused++;
			usleep(200);
			continue;
		}
		ASSERT_EQ(unload("kmag"), 0);
		EXPECT_EQ(kmag_slabinfo_has("kmag"), 0);
		ASSERT_EQ(load("kmag"), 0);
		ASSERT_EQ(load("kmag_dev"), 0);
		reloads++;
		/* Somebody shall have it in between. */
		while (used[0] + used[1] == before && kmag_now_us() < end)
			usleep(100);
	} while (kmag_now_us() < end && (reloads < ENOUGH || refused < ENOUGH ||
					 used[0] < ENOUGH || used[1] < ENOUGH));
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(waitpid(pids[i], &status, WNOHANG), 0)
			TH_LOG("a user ended with %d", WEXITSTATUS(status));
		kill(pids[i], SIGKILL);
		waitpid(pids[i], &status, 0);
	}
	TH_LOG("%u reloads, %u refused, %u uses", reloads, refused,
	       used[0] + used[1]);
	EXPECT_GE(reloads, ENOUGH);
	EXPECT_GE(refused, ENOUGH);
	EXPECT_GE(used[0], ENOUGH);
	EXPECT_GE(used[1], ENOUGH);
}

TEST_HARNESS_MAIN
