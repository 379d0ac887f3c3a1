// SPDX-License-Identifier: GPL-2.0
/*
 * What all calls of <uapi/kmag.h> have in common: sizes, flags, addresses, ids
 * of other files; and the calls that are about the whole of kmag.
 */
#include <stddef.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "kmag_test.h"
#include "kselftest_harness.h"

#define NR_CMDS 11

/* Every command with its structure, and how much of it is needed. */
static const struct {
	unsigned int cmd;
	unsigned int size;
	unsigned int min;
} cmds[NR_CMDS] = {
	{ KMAG_IOC_INFO, sizeof(struct kmag_ioc_info), 12 },
	{ KMAG_IOC_CREATE, sizeof(struct kmag_ioc_create), 64 },
	{ KMAG_IOC_DESTROY, sizeof(struct kmag_ioc_destroy), 12 },
	{ KMAG_IOC_ALLOC, sizeof(struct kmag_ioc_alloc), 32 },
	{ KMAG_IOC_FREE, sizeof(struct kmag_ioc_free), 24 },
	{ KMAG_IOC_REPLAY, sizeof(struct kmag_ioc_replay), 24 },
	{ KMAG_IOC_SHRINK, sizeof(struct kmag_ioc_cache), 12 },
	{ KMAG_IOC_VALIDATE, sizeof(struct kmag_ioc_cache), 12 },
	{ KMAG_IOC_SNAPSHOT, sizeof(struct kmag_ioc_snapshot), 32 },
	{ KMAG_IOC_RUN, sizeof(struct kmag_ioc_run), 88 },
	{ KMAG_IOC_PROGRESS, sizeof(struct kmag_ioc_progress), 32 },
};

FIXTURE(any)
{
	int fd;
	struct kmag_ioc_info info;
};

FIXTURE_SETUP(any)
{
	self->fd = open(KMAG_DEVICE, O_RDWR | O_CLOEXEC);
	ASSERT_GE(self->fd, 0);
	self->info.size = sizeof(self->info);
	ASSERT_EQ(kmag_call(self->fd, KMAG_IOC_INFO, &self->info), 0);
}

FIXTURE_TEARDOWN(any)
{
	close(self->fd);
}

/* The same for programs of 32 bits. */
TEST_F(any, layout)
{
	EXPECT_EQ(sizeof(struct kmag_ioc_info), 64);
	EXPECT_EQ(sizeof(struct kmag_ioc_create), 128);
	EXPECT_EQ(sizeof(struct kmag_ioc_destroy), 16);
	EXPECT_EQ(sizeof(struct kmag_ioc_alloc), 40);
	EXPECT_EQ(sizeof(struct kmag_ioc_free), 32);
	EXPECT_EQ(sizeof(struct kmag_replay_rec), 16);
	EXPECT_EQ(sizeof(struct kmag_ioc_replay), 88);
	EXPECT_EQ(sizeof(struct kmag_run_thread), 72);
	EXPECT_EQ(sizeof(struct kmag_ioc_run), 176);
	EXPECT_EQ(sizeof(struct kmag_ioc_progress), 48);
	EXPECT_EQ(sizeof(struct kmag_ioc_cache), 24);
	EXPECT_EQ(sizeof(struct kmag_ioc_snapshot), 32);
	EXPECT_EQ(sizeof(struct kmag_snap_head), 24);
	EXPECT_EQ(sizeof(struct kmag_snap_cache), 848);
	EXPECT_EQ(sizeof(struct kmag_snap_cpu), 48);
	EXPECT_EQ(sizeof(struct kmag_snap_node), 128);
	EXPECT_EQ(sizeof(struct kmag_snap_latency), 288);
	/* Nor does it matter how 64 bits are aligned. */
	EXPECT_EQ(offsetof(struct kmag_ioc_run, seed), 48);
	EXPECT_EQ(offsetof(struct kmag_ioc_run, results), 88);
	EXPECT_EQ(offsetof(struct kmag_ioc_run, total), 104);
	EXPECT_EQ(offsetof(struct kmag_snap_cache, slots), 80);
	EXPECT_EQ(offsetof(struct kmag_snap_cache, stats), 272);
}

TEST_F(any, device_is_private)
{
	struct stat st;

	ASSERT_EQ(stat(KMAG_DEVICE, &st), 0);
	EXPECT_TRUE(S_ISCHR(st.st_mode));
	EXPECT_EQ(st.st_mode & 07777, 0600);
	EXPECT_EQ(st.st_uid, 0);
}

TEST_F(any, no_permission)
{
	int status;
	pid_t pid = fork();

	ASSERT_GE(pid, 0);
	if (!pid) {
		if (setgid(65534) || setuid(65534))
			_exit(2);
		_exit(open(KMAG_DEVICE, O_RDWR) == -1 && errno == EACCES ? 0 : 1);
	}
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
}

TEST_F(any, info)
{
	const struct kmag_ioc_info *info = &self->info;

	EXPECT_EQ(info->size, sizeof(*info));
	EXPECT_EQ(info->abi, KMAG_ABI);
	EXPECT_EQ(info->backends, 3);
	EXPECT_EQ(info->page_size, sysconf(_SC_PAGESIZE));
	EXPECT_EQ(info->nr_cpus, sysconf(_SC_NPROCESSORS_ONLN));
	EXPECT_GE(info->max_caches, 256);
	EXPECT_GE(info->max_batch, 64);
	EXPECT_GE(info->max_objects, 1000000);
	EXPECT_GE(info->max_replay, KMAG_REPLAY_MAX_BULK);
	EXPECT_GE(info->max_object_size, 65536);
	EXPECT_GE(info->max_run_bytes, 64 << 20);
	EXPECT_GE(info->max_run_threads, 64);
	EXPECT_GE(info->max_run_ms, 60000);
}

TEST_F(any, unknown_command)
{
	char buf[4096] = { 0 };
	unsigned int i;

	*(__u32 *)buf = sizeof(buf);
	for (i = 0; i < 256; i++) {
		unsigned int n;

		for (n = 0; n < NR_CMDS; n++)
			if (cmds[n].cmd == _IO(KMAG_IOC_TYPE, i))
				break;
		if (n == NR_CMDS) {
			EXPECT_EQ(kmag_call(self->fd, _IO(KMAG_IOC_TYPE, i),
					    buf), -ENOTTY);
		}
		/* Another type, another direction. */
		EXPECT_EQ(kmag_call(self->fd, _IO(0xBB, i), buf), -ENOTTY);
		EXPECT_EQ(kmag_call(self->fd, _IOR(KMAG_IOC_TYPE, i, int), buf),
			  -ENOTTY);
	}
}

TEST_F_TIMEOUT(any, size_too_short, 300)
{
	unsigned int i, size;

	for (i = 0; i < NR_CMDS; i++) {
		for (size = 0; size < cmds[i].min; size++) {
			char buf[256] = { 0 };

			*(__u32 *)buf = size;
			EXPECT_EQ(kmag_call(self->fd, cmds[i].cmd, buf), -EINVAL)
				TH_LOG("command %u, size %u", i, size);
		}
	}
}

/* A structure with a tail is taken if the tail is zero, up to a page. */
TEST_F(any, size_too_long)
{
	unsigned int i;

	for (i = 0; i < NR_CMDS; i++) {
		static const unsigned int more[] = { 1, 4, 8, 1000 };
		char buf[8192] = { 0 };
		unsigned int n;
		int ret;

		*(__u32 *)buf = cmds[i].size;
		ret = kmag_call(self->fd, cmds[i].cmd, buf);
		for (n = 0; n < ARRAY_SIZE(more); n++) {
			__u32 size = cmds[i].size + more[n];

			memset(buf, 0, sizeof(buf));
			*(__u32 *)buf = size;
			EXPECT_EQ(kmag_call(self->fd, cmds[i].cmd, buf), ret)
				TH_LOG("command %u, size %u", i, size);
			EXPECT_EQ(*(__u32 *)buf, size);

			memset(buf, 0, sizeof(buf));
			*(__u32 *)buf = size;
			buf[size - 1] = 1;
			EXPECT_EQ(kmag_call(self->fd, cmds[i].cmd, buf), -E2BIG)
				TH_LOG("command %u, size %u", i, size);
		}
		memset(buf, 0, sizeof(buf));
		*(__u32 *)buf = 4097;
		EXPECT_EQ(kmag_call(self->fd, cmds[i].cmd, buf), -E2BIG);
		*(__u32 *)buf = UINT32_MAX;
		EXPECT_EQ(kmag_call(self->fd, cmds[i].cmd, buf), -E2BIG);
	}
}

/* A short structure gets no more than it has room for. */
TEST_F(any, short_result)
{
	struct kmag_ioc_info info;

	memset(&info, 0xee, sizeof(info));
	info.size = offsetof(struct kmag_ioc_info, page_size);
	info.flags = 0;
	ASSERT_EQ(kmag_call(self->fd, KMAG_IOC_INFO, &info), 0);
	EXPECT_EQ(info.abi, KMAG_ABI);
	EXPECT_EQ(info.backends, 3);
	EXPECT_EQ(info.page_size, 0xeeeeeeee);
	EXPECT_EQ(info.max_object_size, 0xeeeeeeeeeeeeeeee);
}

TEST_F(any, unknown_flags)
{
	static const __u32 known[NR_CMDS] = {
		[2] = KMAG_DESTROY_FORCE,
		[3] = KMAG_BATCH_BULK | KMAG_BATCH_CHECK,
		[4] = KMAG_BATCH_BULK | KMAG_BATCH_CHECK,
		[5] = KMAG_REPLAY_CHECK | KMAG_REPLAY_RESET,
		[9] = KMAG_RUN_CHECK,
	};
	unsigned int i, bit;

	for (i = 0; i < NR_CMDS; i++) {
		for (bit = 0; bit < 32; bit++) {
			char buf[256] = { 0 };

			if (known[i] & 1U << bit)
				continue;
			((__u32 *)buf)[0] = cmds[i].size;
			((__u32 *)buf)[1] = 1U << bit;
			EXPECT_EQ(kmag_call(self->fd, cmds[i].cmd, buf),
				  -EOPNOTSUPP)
				TH_LOG("command %u, flag %u", i, bit);
		}
	}
}

TEST_F(any, bad_address)
{
	size_t page = self->info.page_size;
	struct kmag_ioc_info *info;
	unsigned int i;
	char *map;

	map = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_TRUE(map != MAP_FAILED);
	ASSERT_EQ(mprotect(map + page, page, PROT_NONE), 0);
	for (i = 0; i < NR_CMDS; i++) {
		__u32 *size = (void *)(map + page - 8);

		EXPECT_EQ(kmag_call(self->fd, cmds[i].cmd, NULL), -EFAULT);
		/* Its head can be read, the rest cannot. */
		*size = cmds[i].size;
		EXPECT_EQ(kmag_call(self->fd, cmds[i].cmd, size), -EFAULT);
	}
	/* Read, but not written. */
	info = (void *)map;
	info->size = sizeof(*info);
	ASSERT_EQ(mprotect(map, page, PROT_READ), 0);
	EXPECT_EQ(kmag_call(self->fd, KMAG_IOC_INFO, info), -EFAULT);
	munmap(map, 2 * page);
}

TEST_F(any, snapshot)
{
	const struct kmag_snap_cache *cache = NULL;
	struct kmag_ioc_snapshot req = { .size = sizeof(req) };
	struct kmag_snap_head *head;
	__u32 id, i, last = 0;
	unsigned char *buf;
	size_t total;

	ASSERT_EQ(kmag_create(self->fd, KMAG_BACKEND_KMAG, "snap", 100, 0, &id),
		  0);

	/* What is needed is told without a buffer. */
	ASSERT_EQ(kmag_call(self->fd, KMAG_IOC_SNAPSHOT, &req), 0);
	ASSERT_GT(req.needed, sizeof(*head) + sizeof(*cache));

	/* Too short by one byte: told so, and nothing is written. */
	buf = malloc(req.needed);
	memset(buf, 0xee, req.needed);
	req.buf = (uintptr_t)buf;
	req.len = req.needed - 1;
	ASSERT_EQ(kmag_call(self->fd, KMAG_IOC_SNAPSHOT, &req), 0);
	ASSERT_EQ(req.needed, req.len + 1);
	for (i = 0; i < req.len; i++)
		ASSERT_EQ(buf[i], 0xee);

	/* An address that is none matters only if it is used. */
	req.buf = 1;
	EXPECT_EQ(kmag_call(self->fd, KMAG_IOC_SNAPSHOT, &req), 0);
	req.len++;
	EXPECT_EQ(kmag_call(self->fd, KMAG_IOC_SNAPSHOT, &req), -EFAULT);
	req.buf = (uintptr_t)buf;
	EXPECT_EQ(kmag_call(self->fd, KMAG_IOC_SNAPSHOT, &req), 0);

	head = (void *)buf;
	EXPECT_EQ(head->magic, KMAG_SNAP_MAGIC);
	EXPECT_EQ(head->abi, KMAG_ABI);
	EXPECT_EQ(head->size, sizeof(*head));
	EXPECT_GE(head->nr_caches, 1);
	EXPECT_NE(head->time_ns, 0);
	total = head->size;
	for (i = 0; i < head->nr_caches; i++) {
		cache = kmag_snap_next(head, cache);
		ASSERT_LE(total + sizeof(*cache), req.needed);
		EXPECT_EQ(cache->size, sizeof(*cache));
		EXPECT_EQ(cache->record_size,
			  sizeof(*cache) +
			  cache->nr_cpus * sizeof(struct kmag_snap_cpu) +
			  cache->nr_nodes * sizeof(struct kmag_snap_node));
		EXPECT_GT(cache->id, last);
		last = cache->id;
		total += cache->record_size;
	}
	EXPECT_EQ(total, req.needed);

	cache = kmag_snap_find(head, "snap");
	ASSERT_NE(cache, NULL);
	EXPECT_EQ(cache->object_size, 100);
	EXPECT_GE(cache->stride, 100);
	EXPECT_EQ(cache->live, 0);
	free(buf);
}

/* Each cache and object is the file's own: another knows nothing of it. */
TEST_F(any, ids_of_another_file)
{
	__u32 mine, other, objs[4], ids[4], nr = 4;
	struct kmag_ioc_cache req = { .size = sizeof(req) };
	int fd = open(KMAG_DEVICE, O_RDWR);

	ASSERT_GE(fd, 0);
	/* Ids are small numbers: the other file must not have the same. */
	ASSERT_EQ(kmag_create(fd, 0, "other0", 64, 0, &other), 0);
	ASSERT_EQ(kmag_create(fd, 0, "other1", 64, 0, &other), 0);
	ASSERT_EQ(kmag_alloc(fd, other, 0, 0, &nr, objs), 0);
	EXPECT_EQ(kmag_alloc(self->fd, other, 0, 0, &nr, ids), -ENOENT);
	EXPECT_EQ(nr, 0);
	nr = 4;
	EXPECT_EQ(kmag_free(self->fd, other, 0, &nr, objs, NULL), -ENOENT);
	req.id = other;
	EXPECT_EQ(kmag_call(self->fd, KMAG_IOC_SHRINK, &req), -ENOENT);
	EXPECT_EQ(kmag_call(self->fd, KMAG_IOC_VALIDATE, &req), -ENOENT);
	EXPECT_EQ(kmag_destroy(self->fd, other, KMAG_DESTROY_FORCE), -ENOENT);

	/* A cache of its own does not make the other's objects its own. */
	ASSERT_EQ(kmag_create(self->fd, 0, "mine", 64, 0, &mine), 0);
	nr = 4;
	EXPECT_EQ(kmag_free(self->fd, mine, 0, &nr, objs, NULL), -ENOENT);
	EXPECT_EQ(nr, 0);

	nr = 4;
	EXPECT_EQ(kmag_free(fd, other, 0, &nr, objs, NULL), 0);
	close(fd);
}

TEST_HARNESS_MAIN
