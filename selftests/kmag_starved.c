// SPDX-License-Identifier: GPL-2.0
/*
 * Memory runs out, again and again, while caches are used: allocations fail as
 * they should, nothing is lost or changed, what the caches can do without
 * comes back, and nobody dies but those who eat it up.
 *
 * For a machine of little memory: all of it is eaten.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "kmag_test.h"
#include "kselftest_harness.h"

#define EATER		"kmag_eater"
#define NR_EATERS	3	/* one is there while others are replaced */
#define BITE		(1 << 20)
#define NR_SIZES	3

static const __u32 sizes[NR_SIZES] = { 200, 4096, 20000 };

/* Takes memory until it is killed for it. */
static void eat(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY);

	if (fd < 0 || write(fd, "1000", 4) != 4)
		_exit(1);
	prctl(PR_SET_NAME, EATER);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;)
		if (mmap(NULL, BITE, PROT_READ | PROT_WRITE, MAP_PRIVATE |
			 MAP_ANONYMOUS | MAP_POPULATE, -1, 0) == MAP_FAILED)
			usleep(1000);
}

struct eaters {
	pthread_t thread;
	atomic_bool stop;
	atomic_int killed;	/* by the kernel */
	int bad;		/* ended in another way */
};

/* Keeps some of them at it. */
static void *keep_eating(void *data)
{
	struct eaters *e = data;
	pid_t pids[NR_EATERS] = { 0 };
	int i, status;

	while (!e->stop) {
		for (i = 0; i < NR_EATERS; i++) {
			if (!pids[i]) {
				pids[i] = fork();
				if (!pids[i])
					eat();
			} else if (waitpid(pids[i], &status, WNOHANG) == pids[i]) {
				pids[i] = 0;
				if (WIFSIGNALED(status) &&
				    WTERMSIG(status) == SIGKILL)
					e->killed++;
				else
					e->bad++;
			}
		}
		usleep(1000);
	}
	for (i = 0; i < NR_EATERS; i++) {
		if (pids[i] > 0) {
			kill(pids[i], SIGKILL);
			waitpid(pids[i], &status, 0);
		}
	}
	return NULL;
}

static void start_eating(struct __test_metadata *_metadata, struct eaters *e)
{
	*e = (struct eaters){ 0 };
	ASSERT_EQ(pthread_create(&e->thread, NULL, keep_eating, e), 0);
}

static void stop_eating(struct __test_metadata *_metadata, struct eaters *e)
{
	e->stop = true;
	ASSERT_EQ(pthread_join(e->thread, NULL), 0);
	EXPECT_EQ(e->bad, 0);
}

static long meminfo(const char *name)
{
	FILE *file = fopen("/proc/meminfo", "r");
	size_t len = strlen(name);
	char line[128];
	long kib = -1;

	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, name, len) && line[len] == ':')
			kib = atol(line + len + 1);
	if (file)
		fclose(file);
	return kib;
}

FIXTURE(starved)
{
	int fd;
	int log;
	struct kmag_ioc_info info;
	__u32 ids[NR_SIZES];
};

FIXTURE_VARIANT(starved)
{
	__u32 backend;
};

FIXTURE_VARIANT_ADD(starved, kmag)
{
	.backend = KMAG_BACKEND_KMAG,
};

FIXTURE_VARIANT_ADD(starved, kmem)
{
	.backend = KMAG_BACKEND_KMEM,
};

FIXTURE_SETUP(starved)
{
	int i;

	self->log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	ASSERT_GE(self->log, 0);
	ASSERT_EQ(lseek(self->log, 0, SEEK_END), 0);
	self->fd = open(KMAG_DEVICE, O_RDWR | O_CLOEXEC);
	ASSERT_GE(self->fd, 0);
	self->info.size = sizeof(self->info);
	ASSERT_EQ(kmag_call(self->fd, KMAG_IOC_INFO, &self->info), 0);
	for (i = 0; i < NR_SIZES; i++)
		ASSERT_EQ(kmag_create(self->fd, variant->backend, "starved",
				      sizes[i], 0, &self->ids[i]), 0);
}

/* The kernel killed eaters only, and the workers' failures are no news. */
FIXTURE_TEARDOWN(starved)
{
	char line[2048];
	ssize_t len;

	close(self->fd);
	for (;;) {
		len = read(self->log, line, sizeof(line) - 1);
		/* What was not read in time is gone. */
		if (len < 0 && errno == EPIPE)
			continue;
		if (len <= 0)
			break;
		line[len] = 0;
		if (strstr(line, "Killed process"))
			EXPECT_NE(strstr(line, "(" EATER ")"), NULL)
				TH_LOG("%s", line);
		if (strstr(line, "page allocation failure"))
			EXPECT_EQ(strstr(line, "kmag_run/"), NULL)
				TH_LOG("%s", line);
	}
	close(self->log);
}

/* Nothing is live, all of it is in order, and the sum is exact. */
static void expect_clean(struct __test_metadata *_metadata, int fd,
			 const __u32 *ids, __u32 backend)
{
	struct kmag_snap_head *head = kmag_snapshot(fd);
	const struct kmag_snap_cache *cache = NULL;
	__u32 i;

	ASSERT_NE(head, NULL);
	for (i = 0; i < head->nr_caches; i++) {
		cache = kmag_snap_next(head, cache);
		EXPECT_EQ(cache->live, 0);
		EXPECT_EQ(cache->skew, 0);
		EXPECT_EQ(cache->slots, cache->cpu_objs + cache->depot_objs +
			  cache->slab_free);
	}
	free(head);
	for (i = 0; i < NR_SIZES && backend == KMAG_BACKEND_KMAG; i++) {
		struct kmag_ioc_cache req = {
			.size = sizeof(req),
			.id = ids[i],
		};

		ASSERT_EQ(kmag_call(fd, KMAG_IOC_VALIDATE, &req), 0);
		EXPECT_EQ(req.result, 0);
	}
}

/* Times that each pattern is run, until some of each kind have failed */
#define ROUNDS	5

TEST_F_TIMEOUT(starved, run, 300)
{
	static const __u32 patterns[] = {
		KMAG_RUN_CHURN, KMAG_RUN_SPIKE, KMAG_RUN_BURST, KMAG_RUN_CROSS,
	};
	static const __u32 classes[] = {
		KMAG_GFP_KERNEL, KMAG_GFP_ATOMIC, KMAG_GFP_NOWAIT,
	};
	__u64 failed[ARRAY_SIZE(classes)] = { 0 };
	unsigned int pattern, class, tries;
	struct eaters eaters;
	int ret;

	start_eating(_metadata, &eaters);
	/* How hungry it is at one moment is chance: each pattern comes again. */
	for (pattern = 0; pattern < ROUNDS * ARRAY_SIZE(patterns); pattern++) {
		if (pattern >= ARRAY_SIZE(patterns) && failed[1] && failed[2])
			break;
		for (class = 0; class < ARRAY_SIZE(classes); class++) {
			struct kmag_ioc_run req = {
				.size = sizeof(req),
				.flags = KMAG_RUN_CHECK,
				.caches = (uintptr_t)self->ids,
				.nr_caches = NR_SIZES,
				.pattern = patterns[pattern %
						    ARRAY_SIZE(patterns)],
				.gfp = classes[class],
				.threads = 4,
				.seed = pattern,
				.duration_ms = 250,
				.live = self->info.max_run_bytes / 32768 / 5 / 64 * 64,
			};

			/* It may not even get what it needs to start. */
			for (tries = 0; tries < 100; tries++) {
				ret = kmag_call(self->fd, KMAG_IOC_RUN, &req);
				if (ret != -ENOMEM)
					break;
				usleep(10000);
			}
			ASSERT_EQ(ret, 0);
			EXPECT_GT(req.total.allocs, 0);
			EXPECT_EQ(req.total.allocs,
				  req.total.frees + req.total.left);
			EXPECT_EQ(req.total.corrupt, 0);
			failed[class] += req.total.failed;
			expect_clean(_metadata, self->fd, self->ids,
				     variant->backend);
		}
	}
	stop_eating(_metadata, &eaters);
	TH_LOG("%llu failed of those that may sleep, %llu atomic, %llu nowait; %d eaters killed",
	       (unsigned long long)failed[0], (unsigned long long)failed[1],
	       (unsigned long long)failed[2], eaters.killed);
	/* When SLUB gives up on its own, with how much in reserve, is not for us to say. */
	if (variant->backend == KMAG_BACKEND_KMAG)
		EXPECT_GT(failed[1], 0);
	EXPECT_GT(failed[2], 0);
	EXPECT_GT(eaters.killed, 0);
}

/* A batch that stops in the middle tells how far it came. */
TEST_F_TIMEOUT(starved, batch, 300)
{
	static __u32 objs[16384];
	struct eaters eaters;
	__u32 done = 0, nr, corrupt, most;
	int ret = 0, rounds;

	most = self->info.max_run_bytes / 2 / sizes[1];
	if (most > ARRAY_SIZE(objs))
		most = ARRAY_SIZE(objs);
	start_eating(_metadata, &eaters);
	for (rounds = 0; rounds < 100 && ret != -ENOMEM; rounds++) {
		for (done = 0, ret = 0; !ret && done < most; done += nr) {
			nr = most - done < 64 ? most - done : 64;
			ret = kmag_alloc(self->fd, self->ids[1],
					 KMAG_BATCH_CHECK, KMAG_GFP_NOWAIT,
					 &nr, objs + done);
		}
		ASSERT_TRUE(!ret || ret == -ENOMEM);
		if (variant->backend == KMAG_BACKEND_KMAG) {
			struct kmag_snap_head *head = kmag_snapshot(self->fd);
			const struct kmag_snap_cache *cache = NULL;
			__u64 live = 0;

			/* There may be no memory for it. */
			for (nr = 0; head && nr < head->nr_caches; nr++) {
				cache = kmag_snap_next(head, cache);
				live += cache->live;
			}
			if (head)
				EXPECT_EQ(live, done);
			free(head);
		}
		/* Frees need no memory. */
		nr = done;
		if (done)
			ASSERT_EQ(kmag_free(self->fd, self->ids[1],
					    KMAG_BATCH_CHECK, &nr, objs,
					    &corrupt), 0);
		EXPECT_EQ(nr, done);
		if (done)
			EXPECT_EQ(corrupt, 0);
	}
	stop_eating(_metadata, &eaters);
	TH_LOG("round %d stopped after %u of %u objects", rounds, done, most);
	EXPECT_EQ(ret, -ENOMEM);
	expect_clean(_metadata, self->fd, self->ids, variant->backend);
}

/* Bytes that caches keep beside what is live and what CPUs have. */
static __u64 kept(struct __test_metadata *_metadata, int fd)
{
	struct kmag_snap_head *head = kmag_snapshot(fd);
	const struct kmag_snap_cache *cache = NULL;
	__u64 bytes = 0;
	__u32 i;

	ASSERT_NE(head, NULL);
	for (i = 0; i < head->nr_caches; i++) {
		cache = kmag_snap_next(head, cache);
		bytes += (cache->depot_objs + cache->empty_free) * cache->stride;
	}
	free(head);
	return bytes;
}

/* A cache that gives nothing back of its own accord, or 0. */
static __u32 lazy_cache(int fd)
{
	struct kmag_ioc_create req = {
		.size = sizeof(req),
		.object_size = 4096,
		.name = "kept",
	};
	char path[128];
	int file, ok;

	if (kmag_call(fd, KMAG_IOC_CREATE, &req))
		return 0;
	snprintf(path, sizeof(path), "/sys/kernel/debug/kmag/%s/retention",
		 req.real_name);
	file = open(path, O_WRONLY);
	ok = file >= 0 && write(file, "lazy", 4) == 4;
	close(file);
	return ok ? req.id : 0;
}

/* What caches keep for later goes when others need it. */
TEST_F_TIMEOUT(starved, gives_back, 300)
{
	static __u32 objs[512];
	__u64 before, later, after;
	struct eaters eaters;
	__u32 ids[48], nr;
	unsigned int i;

	if (variant->backend != KMAG_BACKEND_KMAG)
		SKIP(return, "what the kernel's caches hold is not told");
	for (i = 0; i < ARRAY_SIZE(ids); i++) {
		ids[i] = lazy_cache(self->fd);
		ASSERT_NE(ids[i], 0);
		nr = ARRAY_SIZE(objs);
		ASSERT_EQ(kmag_alloc(self->fd, ids[i], 0, 0, &nr, objs), 0);
		ASSERT_EQ(kmag_free(self->fd, ids[i], 0, &nr, objs, NULL), 0);
	}
	before = kept(_metadata, self->fd);
	usleep(1500000);
	later = kept(_metadata, self->fd);
	start_eating(_metadata, &eaters);
	while (!eaters.killed)
		usleep(10000);
	stop_eating(_metadata, &eaters);
	after = kept(_metadata, self->fd);
	TH_LOG("%llu KiB were kept, %llu at the end of a rest, %llu after the hunger",
	       (unsigned long long)before >> 10, (unsigned long long)later >> 10,
	       (unsigned long long)after >> 10);
	EXPECT_GT(later, 4 << 20);
	EXPECT_LT(after, later / 8);
	expect_clean(_metadata, self->fd, self->ids, variant->backend);
}

/* KiB, when all that was freed has come back. */
static long available(void)
{
	long most = 0, now;
	int i;

	for (i = 0; i < 20; i++) {
		now = meminfo("MemAvailable");
		if (now > most)
			most = now;
		usleep(20000);
	}
	return most;
}

/* What a run may need is also what it remembers of its objects. */
TEST_F_TIMEOUT(starved, small_objects, 60)
{
	__u64 most = self->info.max_run_bytes;
	struct kmag_ioc_run req = {
		.size = sizeof(req),
		.nr_caches = 1,
		.pattern = KMAG_RUN_LIFO,
		.threads = 1,
		.count = 1,
		.live = most / 24 + 1,
	};
	__u32 id;

	ASSERT_EQ(kmag_create(self->fd, variant->backend, "small", 8, 0, &id),
		  0);
	req.caches = (uintptr_t)&id;
	ASSERT_LE(req.live, self->info.max_objects);
	EXPECT_EQ(kmag_call(self->fd, KMAG_IOC_RUN, &req), -E2BIG);
	req.live = most / 96;
	EXPECT_EQ(kmag_call(self->fd, KMAG_IOC_RUN, &req), 0);
}

/* No round costs any memory for good. */
TEST_F_TIMEOUT(starved, no_leak, 300)
{
	long left[4];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(left); i++) {
		struct kmag_ioc_run req = {
			.size = sizeof(req),
			.caches = (uintptr_t)self->ids,
			.nr_caches = NR_SIZES,
			.pattern = KMAG_RUN_SPIKE,
			.gfp = KMAG_GFP_NOWAIT,
			.threads = 4,
			.duration_ms = 400,
			.live = self->info.max_run_bytes / 32768 / 5,
		};
		struct eaters eaters;
		int k;

		start_eating(_metadata, &eaters);
		while (!eaters.killed)
			usleep(10000);
		ASSERT_EQ(kmag_call(self->fd, KMAG_IOC_RUN, &req), 0);
		stop_eating(_metadata, &eaters);
		for (k = 0; k < NR_SIZES; k++) {
			ASSERT_EQ(kmag_destroy(self->fd, self->ids[k], 0), 0);
			ASSERT_EQ(kmag_create(self->fd, variant->backend,
					      "starved", sizes[k], 0,
					      &self->ids[k]), 0);
		}
		left[i] = available();
		ASSERT_GT(left[i], 0);
	}
	TH_LOG("available: %ld, %ld, %ld, %ld KiB", left[0], left[1], left[2],
	       left[3]);
	EXPECT_GT(left[3], left[0] - 8192);
}

TEST_HARNESS_MAIN
