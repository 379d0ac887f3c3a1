// SPDX-License-Identifier: GPL-2.0
/*
 * What all calls of <uapi/kmag.h> have in common: sizes, flags, addresses, ids
 * of other files; and the calls that are about the whole of kmag.
 */
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/time.h>

#include "abi.h"

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

/*
 * A call in order by a structure of this size; results come as far as that goes,
 * and nothing behind it, nor what the caller filled in, is touched.
 */
static void expect_good(struct __test_metadata *_metadata, struct bed *bed,
			unsigned int cmd, __u32 size)
{
	unsigned int told = cmds[cmd].told, len = size - told, i;
	char page[PAGE], before[PAGE];

	good_call(_metadata, bed, cmd, size, page);
	memcpy(before, page, PAGE);
	ASSERT_EQ(kmag_call(bed->fd, cmds[cmd].cmd, page), 0)
		TH_LOG("command %u, size %u", cmd, size);
	for (i = 0; i < PAGE; i++) {
		if (i < size && is_out(cmd, i))
			continue;
		ASSERT_EQ(page[i], before[i])
			TH_LOG("command %u, size %u, byte %u", cmd, size, i);
	}
	if (told && size > told) {
		ASSERT_EQ(memcmp(page + told, &cmds[cmd].value,
				 len < 4 ? len : 4), 0)
			TH_LOG("command %u, size %u", cmd, size);
	}
	if (cmds[cmd].cmd == KMAG_IOC_ALLOC) {
		__u32 nr = 4;

		ASSERT_EQ(kmag_free(bed->fd, bed->id, 0, &nr, bed->objs, NULL),
			  0);
	}
}

TEST_F_TIMEOUT(any, size_short, 300)
{
	char page[PAGE], before[PAGE];
	struct trace trace;
	unsigned int i;
	struct bed bed;
	__u32 size;

	prepare(_metadata, &bed, self->fd);
	for (i = 0; i < NR_CMDS; i++) {
		for (size = cmds[i].min; size <= cmds[i].size; size++) {
			expect_good(_metadata, &bed, i, size);

			good_call(_metadata, &bed, i, size, page);
			trace = look(_metadata, self->fd);
			((__u32 *)page)[1] |= 1U << 31;
			memcpy(before, page, PAGE);
			ASSERT_EQ(kmag_call(self->fd, cmds[i].cmd, page),
				  -EOPNOTSUPP);
			expect_zero_outs(_metadata, i, page, before);
			expect_undone(_metadata, self->fd, i, &trace);
		}
	}
}

/* A structure with a tail is taken if the tail is zero, up to a page. */
TEST_F(any, size_too_long)
{
	static const unsigned int more[] = { 1, 4, 8, 1000 };
	char page[PAGE], before[PAGE];
	struct trace trace;
	unsigned int i, n;
	struct bed bed;

	prepare(_metadata, &bed, self->fd);
	for (i = 0; i < NR_CMDS; i++) {
		expect_good(_metadata, &bed, i, PAGE);
		for (n = 0; n < ARRAY_SIZE(more); n++) {
			__u32 size = cmds[i].size + more[n];
			unsigned int ends[] = { cmds[i].size, size - 1 }, k;

			expect_good(_metadata, &bed, i, size);
			for (k = 0; k < ARRAY_SIZE(ends); k++) {
				good_call(_metadata, &bed, i, size, page);
				trace = look(_metadata, self->fd);
				page[ends[k]] = 1;
				memcpy(before, page, PAGE);
				ASSERT_EQ(kmag_call(self->fd, cmds[i].cmd, page),
					  -E2BIG)
					TH_LOG("command %u, size %u", i, size);
				ASSERT_EQ(memcmp(page, before, PAGE), 0);
				expect_undone(_metadata, self->fd, i, &trace);
			}
		}
		memset(page, 0, PAGE);
		*(__u32 *)page = PAGE + 1;
		EXPECT_EQ(kmag_call(self->fd, cmds[i].cmd, page), -E2BIG);
		*(__u32 *)page = UINT32_MAX;
		EXPECT_EQ(kmag_call(self->fd, cmds[i].cmd, page), -E2BIG);
	}
}

TEST_F_TIMEOUT(any, unknown_flags, 120)
{
	char page[PAGE], before[PAGE];
	unsigned int i, bit;
	struct trace trace;
	struct bed bed;

	prepare(_metadata, &bed, self->fd);
	for (i = 0; i < NR_CMDS; i++) {
		good_call(_metadata, &bed, i, cmds[i].size, before);
		trace = look(_metadata, self->fd);
		for (bit = 0; bit < 32; bit++) {
			if (cmds[i].flags & 1U << bit)
				continue;
			memcpy(page, before, PAGE);
			((__u32 *)page)[1] |= 1U << bit;
			EXPECT_EQ(kmag_call(self->fd, cmds[i].cmd, page),
				  -EOPNOTSUPP)
				TH_LOG("command %u, flag %u", i, bit);
			((__u32 *)page)[1] &= ~(1U << bit);
			expect_zero_outs(_metadata, i, page, before);
		}
		expect_undone(_metadata, self->fd, i, &trace);
	}
}

TEST_F_TIMEOUT(any, reserved_fields, 120)
{
	char page[PAGE], before[PAGE];
	unsigned int i, bit;
	struct trace trace;
	struct bed bed;

	prepare(_metadata, &bed, self->fd);
	for (i = 0; i < NR_CMDS; i++) {
		/* Those of a replay are in its records: 16 bits, and 32. */
		bool recs = cmds[i].cmd == KMAG_IOC_REPLAY;

		if (!recs && !cmds[i].reserved)
			continue;
		good_call(_metadata, &bed, i, cmds[i].size, before);
		/* This flag is obeyed before the records are looked at. */
		if (recs)
			((__u32 *)before)[1] = 0;
		trace = look(_metadata, self->fd);
		for (bit = 0; bit < (recs ? 48 : 32); bit++) {
			memcpy(page, before, PAGE);
			bed.recs[1].reserved = bit < 16 ? 1U << bit : 0;
			bed.recs[1].reserved2 = bit < 16 ? 0 : 1U << (bit - 16);
			if (!recs)
				page[cmds[i].reserved + bit / 8] = 1 << bit % 8;
			EXPECT_EQ(kmag_call(self->fd, cmds[i].cmd, page),
				  -EINVAL)
				TH_LOG("command %u, bit %u", i, bit);
			if (!recs)
				page[cmds[i].reserved + bit / 8] = 0;
			expect_zero_outs(_metadata, i, page, before);
		}
		expect_undone(_metadata, self->fd, i, &trace);
		/* That was all that was wrong. */
		bed.recs[1].reserved2 = 0;
		EXPECT_EQ(kmag_call(self->fd, cmds[i].cmd, before), 0);
	}
}

/* What could not be told is not done, be it all of it or the end alone. */
TEST_F(any, read_only)
{
	size_t page = self->info.page_size;
	struct trace trace;
	struct bed bed;
	unsigned int i;
	char *map;

	prepare(_metadata, &bed, self->fd);
	map = mmap(NULL, 3 * page, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_TRUE(map != MAP_FAILED);
	for (i = 0; i < NR_CMDS; i++) {
		char * const at[] = { map + page,
				      map + page + 4 - cmds[i].size };
		char good[PAGE];
		unsigned int n;

		good_call(_metadata, &bed, i, cmds[i].size, good);
		trace = look(_metadata, self->fd);
		for (n = 0; n < ARRAY_SIZE(at); n++) {
			ASSERT_EQ(mprotect(map + page, 2 * page,
					   PROT_READ | PROT_WRITE), 0);
			memcpy(at[n], good, cmds[i].size);
			ASSERT_EQ(mprotect(map + page, 2 * page, PROT_READ), 0);
			EXPECT_EQ(kmag_call(self->fd, cmds[i].cmd, at[n]),
				  -EFAULT)
				TH_LOG("command %u, place %u", i, n);
			expect_undone(_metadata, self->fd, i, &trace);
		}
		EXPECT_EQ(kmag_call(self->fd, cmds[i].cmd, good), 0);
	}
	munmap(map, 3 * page);
}

static void on_alarm(int signal)
{
}

/* A call that waits for another one, and is not let through to the end. */
TEST_F_TIMEOUT(any, interrupted, 120)
{
	/* Again and again: the first may come before the call. */
	const struct itimerval often = { { 0, 20000 }, { 0, 20000 } }, never = { 0 };
	struct kmag_ioc_progress progress = { .size = sizeof(progress) };
	struct sigaction act = { .sa_handler = on_alarm };
	char pages[NR_CMDS][PAGE], before[PAGE];
	struct bed bed;
	unsigned int i;
	pid_t pid;

	prepare(_metadata, &bed, self->fd);
	for (i = 0; i < NR_CMDS; i++)
		good_call(_metadata, &bed, i, cmds[i].size, pages[i]);
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		struct kmag_ioc_run run = {
			.size = sizeof(run),
			.caches = (uintptr_t)&bed.id,
			.nr_caches = 1,
			.threads = 1,
			.duration_ms = 60000,
			.live = 1,
		};

		_exit(!kmag_call(self->fd, KMAG_IOC_RUN, &run));
	}
	do {
		ASSERT_EQ(kmag_call(self->fd, KMAG_IOC_PROGRESS, &progress), 0);
	} while (!progress.ns);
	ASSERT_EQ(sigaction(SIGALRM, &act, NULL), 0);
	ASSERT_EQ(setitimer(ITIMER_REAL, &often, NULL), 0);
	for (i = 0; i < NR_CMDS; i++) {
		/* These do not wait. */
		if (cmds[i].cmd == KMAG_IOC_INFO ||
		    cmds[i].cmd == KMAG_IOC_SNAPSHOT ||
		    cmds[i].cmd == KMAG_IOC_PROGRESS)
			continue;
		memcpy(before, pages[i], PAGE);
		EXPECT_EQ(kmag_call(self->fd, cmds[i].cmd, pages[i]), -EINTR)
			TH_LOG("command %u", i);
		expect_zero_outs(_metadata, i, pages[i], before);
	}
	setitimer(ITIMER_REAL, &never, NULL);
	kill(pid, SIGKILL);
	ASSERT_EQ(waitpid(pid, NULL, 0), pid);
}

TEST_F(any, bad_address)
{
	size_t page = self->info.page_size;
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
