// SPDX-License-Identifier: GPL-2.0
/*
 * Random calls from two threads on several open files: valid ones, such as are
 * wrong in one place, and rubbish.
 *
 * A thread has files of its own and keeps a model of them, so that it knows
 * what a valid call must do; one more file is shared by both, and what it does
 * is any documented error or none. Rounds have seeds: what a thread does in
 * one, its calls on the shared file too, is a function of the seed and of the
 * thread's number.
 *
 * $KMAG_FUZZ_SEED is the first round's seed, $KMAG_FUZZ_CALLS how many calls
 * are made in all.
 */
#include <limits.h>
#include <sys/mman.h>

#include "fuzz/call.h"
#include "kselftest_harness.h"

#define THREADS	2
#define ROUND	10000		/* calls */
/* 32-bit programs take the same ways but for the first steps. */
#define CALLS	(sizeof(long) == 8 ? 100000 : 10000)
#define RINGS	(sizeof(long) == 8 ? 300 : 10)

static void *fuzz(void *data)
{
	struct fuzzer *f = data;

	for (; f->calls && !f->wrong[0]; f->calls--)
		fuzz_call(f);
	return NULL;
}

struct bed {
	struct kmag_ioc_info info;
	int fd;
	struct fuzzer fuzzers[THREADS];
	int shared;
	__u32 known;		/* caches whose live objects were compared */
};

FIXTURE(fuzz)
{
	struct bed bed;
};

FIXTURE_SETUP(fuzz)
{
	unsigned int i;

	self->bed.fd = open(KMAG_DEVICE, O_RDWR | O_CLOEXEC);
	ASSERT_GE(self->bed.fd, 0);
	self->bed.info.size = sizeof(self->bed.info);
	ASSERT_EQ(kmag_call(self->bed.fd, KMAG_IOC_INFO, &self->bed.info), 0);
	for (i = 0; i < THREADS; i++) {
		struct fuzzer *f = &self->bed.fuzzers[i];
		size_t room = sizeof(*f->mem);
		int area = memfd_create("area", MFD_CLOEXEC);

		f->number = i;
		f->info = &self->bed.info;
		f->page = sysconf(_SC_PAGESIZE);
		room += -room % f->page;
		f->mem = mmap(NULL, room + f->page, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		ASSERT_TRUE(f->mem != MAP_FAILED);
		ASSERT_EQ(mprotect((char *)f->mem + room, f->page, PROT_NONE), 0);
		ASSERT_GE(area, 0);
		ASSERT_EQ(ftruncate(area, 3 * f->page), 0);
		f->area = mmap(NULL, 3 * f->page, PROT_READ | PROT_WRITE,
			       MAP_SHARED, area, 0);
		f->read_only = mmap(NULL, 2 * f->page, PROT_READ, MAP_SHARED,
				    area, 0);
		ASSERT_TRUE(f->area != MAP_FAILED && f->read_only != MAP_FAILED);
		ASSERT_EQ(mprotect(f->area + 2 * f->page, f->page, PROT_NONE), 0);
		close(area);
	}
}

FIXTURE_TEARDOWN(fuzz)
{
	close(self->bed.fd);
}

/* The file that both threads use, and what each takes it to hold. */
static void open_shared(struct __test_metadata *_metadata,
			struct bed *bed, struct fuzz_model *m)
{
	__u32 i;

	bed->shared = open(KMAG_DEVICE, O_RDWR | O_CLOEXEC);
	ASSERT_GE(bed->shared, 0);
	memset(m, 0, sizeof(*m));
	m->fd = bed->shared;
	m->shared = true;
	m->nr = FUZZ_CACHES;
	for (i = 0; i < m->nr; i++) {
		struct fuzz_cache *c = &m->caches[i];

		c->size = 16 << i / 2;
		c->backend = i % 2;
		c->flags = i == 5 ? KMAG_CF_CTOR : 0;
		ASSERT_EQ(kmag_create(m->fd, c->backend, "fuzz.shared", c->size,
				      c->flags, &c->id), 0);
	}
}

/* Nobody is at it: the sum is exact, and what is live is what we know of. */
static void expect_exact(struct __test_metadata *_metadata, struct bed *bed)
{
	struct kmag_snap_head *head = kmag_snapshot(bed->fd);
	const struct kmag_snap_cache *cache = NULL;
	unsigned int i, k;
	__u32 nr;

	ASSERT_NE(head, NULL);
	for (nr = 0; nr < head->nr_caches; nr++) {
		cache = kmag_snap_next(head, cache);
		EXPECT_EQ(cache->skew, 0);
		EXPECT_EQ(cache->slots, cache->live + cache->cpu_objs +
			  cache->depot_objs + cache->slab_free + cache->transit);
		for (i = 0; i < THREADS * (FUZZ_FILES - 1); i++) {
			struct fuzz_model *m = &bed->fuzzers[i % THREADS]
							.models[i / THREADS];

			for (k = 0; k < m->nr && !m->lost; k++) {
				struct fuzz_cache *c = &m->caches[k];

				if (c->kmag_id != cache->id)
					continue;
				bed->known++;
				EXPECT_EQ(cache->live,
					  c->nr + fuzz_slots_of(m, c->id));
			}
		}
	}
	free(head);
	for (i = 0; i < THREADS * (FUZZ_FILES - 1); i++) {
		struct fuzz_model *m = &bed->fuzzers[i % THREADS]
						.models[i / THREADS];

		for (k = 0; k < m->nr && !m->lost; k++) {
			struct kmag_ioc_cache req = {
				.size = sizeof(req),
				.id = m->caches[k].id,
			};

			if (m->caches[k].backend != KMAG_BACKEND_KMAG)
				continue;
			EXPECT_EQ(kmag_call(m->fd, KMAG_IOC_VALIDATE, &req), 0);
			EXPECT_EQ(req.result, 0);
		}
	}
}

/* Every cache that there is, on both backends. */
static int count_caches(int fd)
{
	struct kmag_snap_head *head = kmag_snapshot(fd);
	FILE *file = fopen("/proc/slabinfo", "r");
	int nr = head && file ? head->nr_caches : INT_MIN;
	char line[512];

	while (file && fgets(line, sizeof(line), file))
		nr += !!strstr(line, ":fuzz");
	if (file)
		fclose(file);
	free(head);
	return nr;
}

/* A round of so many calls; adds to what the fuzzers count. */
static void one_round(struct __test_metadata *_metadata,
		      struct bed *bed, __u64 seed, __u32 calls)
{
	int before = count_caches(bed->fd);
	struct fuzz_model shared;
	unsigned int i, k;

	ASSERT_GE(before, 0);
	open_shared(_metadata, bed, &shared);
	for (i = 0; i < THREADS; i++) {
		struct fuzzer *f = &bed->fuzzers[i];

		f->rnd = seed ^ (__u64)i << 63;
		f->calls = calls / THREADS;
		f->digest = 0xcbf29ce484222325ULL;
		memset(f->models, 0, sizeof(f->models));
		memset(f->mem, 0, sizeof(*f->mem));
		for (k = 0; k < FUZZ_FILES - 1; k++) {
			f->models[k].fd = open(KMAG_DEVICE, O_RDWR | O_CLOEXEC);
			ASSERT_GE(f->models[k].fd, 0);
		}
		f->models[k] = shared;
	}
	for (i = 0; i < THREADS; i++)
		ASSERT_EQ(pthread_create(&bed->fuzzers[i].thread, NULL, fuzz,
					 &bed->fuzzers[i]), 0);
	for (i = 0; i < THREADS; i++)
		ASSERT_EQ(pthread_join(bed->fuzzers[i].thread, NULL), 0);
	for (i = 0; i < THREADS; i++)
		ASSERT_EQ(bed->fuzzers[i].wrong[0], 0)
			TH_LOG("%s: do it again by KMAG_FUZZ_SEED=%llu KMAG_FUZZ_CALLS=%u",
			       bed->fuzzers[i].wrong, (unsigned long long)seed,
			       calls);
	expect_exact(_metadata, bed);
	for (i = 0; i < THREADS; i++)
		for (k = 0; k < FUZZ_FILES - 1; k++)
			close(bed->fuzzers[i].models[k].fd);
	close(bed->shared);
	EXPECT_EQ(count_caches(bed->fd), before);
}

static __u64 environment(const char *name, __u64 value)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : value;
}

/* Is everything as it was before? */
static void expect_works(struct __test_metadata *_metadata, int fd,
			 __u32 backend)
{
	struct kmag_ioc_run run = {
		.size = sizeof(run),
		.flags = KMAG_RUN_CHECK,
		.nr_caches = 1,
		.pattern = KMAG_RUN_CROSS,
		.threads = 2,
		.count = 1000,
		.live = 100,
	};
	__u32 id, objs[100], nr = 100, corrupt;

	ASSERT_EQ(kmag_create(fd, backend, "fuzz.after", 200, KMAG_CF_CTOR,
			      &id), 0);
	ASSERT_EQ(kmag_alloc(fd, id, KMAG_BATCH_CHECK, 0, &nr, objs), 0);
	ASSERT_EQ(kmag_free(fd, id, KMAG_BATCH_CHECK, &nr, objs, &corrupt), 0);
	EXPECT_EQ(corrupt, 0);
	run.caches = (uintptr_t)&id;
	ASSERT_EQ(kmag_call(fd, KMAG_IOC_RUN, &run), 0);
	EXPECT_EQ(run.total.allocs, 2000);
	EXPECT_EQ(run.total.corrupt, 0);
	EXPECT_EQ(kmag_destroy(fd, id, 0), 0);
}

TEST_F_TIMEOUT(fuzz, calls, 600)
{
	__u64 seed = environment("KMAG_FUZZ_SEED", kmag_now_us());
	__u64 calls = environment("KMAG_FUZZ_CALLS", CALLS), left = calls;
	__u64 all_good = 0;
	unsigned int seen = 0, n, i;

	TH_LOG("KMAG_FUZZ_SEED=%llu", (unsigned long long)seed);
	for (; left; seed++) {
		__u32 some = left < ROUND ? left : ROUND;

		one_round(_metadata, &self->bed, seed, some);
		left -= some;
	}
	for (n = 0; n < FUZZ_CMDS; n++) {
		__u32 called = 0, good = 0;

		for (i = 0; i < THREADS; i++) {
			called += self->bed.fuzzers[i].called[n];
			good += self->bed.fuzzers[i].good[n];
			seen |= self->bed.fuzzers[i].seen;
		}
		all_good += good;
		TH_LOG("%8u calls of %s, %u good", called, fuzz_name(n), good);
		if (calls >= ROUND) {
			EXPECT_GT(called, 0);
			EXPECT_EQ(good > 0, fuzz_exists(n));
		}
	}
	if (calls >= ROUND) {
		/* A third is spoiled, and a file is shared. */
		EXPECT_GT(all_good, calls / 3);
		EXPECT_GT(self->bed.known, calls / ROUND);
		EXPECT_EQ(seen | MASK(NOMEM), MASK(NR_ERRORS) - 1);
	}
	expect_works(_metadata, self->bed.fd, KMAG_BACKEND_KMAG);
	expect_works(_metadata, self->bed.fd, KMAG_BACKEND_KMEM);
}

/*
 * Found: a thread freed an array of its ring for the next one, which was over
 * but had freed it just before. Rings of one array are the likeliest.
 */
TEST_F_TIMEOUT(fuzz, ring_is_emptied_once, 120)
{
	__u32 id, i;

	ASSERT_EQ(kmag_create(self->bed.fd, KMAG_BACKEND_KMAG, "fuzz.ring", 64, 0,
			      &id), 0);
	for (i = 0; i < RINGS; i++) {
		struct kmag_ioc_run run = {
			.size = sizeof(run),
			.caches = (uintptr_t)&id,
			.nr_caches = 1,
			.pattern = KMAG_RUN_CROSS,
			.threads = 2 + i % 3,
			.count = 64 + i,
			.live = 1,
		};

		ASSERT_EQ(kmag_call(self->bed.fd, KMAG_IOC_RUN, &run), 0);
		ASSERT_EQ(run.total.allocs, run.threads * run.count);
		ASSERT_EQ(run.total.allocs, run.total.frees + run.total.left);
	}
	EXPECT_EQ(kmag_destroy(self->bed.fd, id, 0), 0);
}

/* What was wrong can be done again. */
TEST_F_TIMEOUT(fuzz, same_seed, 300)
{
	static const __u64 seeds[] = { 1, 1, 2 };
	__u64 digests[ARRAY_SIZE(seeds)][THREADS];
	unsigned int i, k;

	for (i = 0; i < ARRAY_SIZE(seeds); i++) {
		one_round(_metadata, &self->bed, seeds[i], 1000);
		for (k = 0; k < THREADS; k++)
			digests[i][k] = self->bed.fuzzers[k].digest;
	}
	for (k = 0; k < THREADS; k++) {
		EXPECT_EQ(digests[0][k], digests[1][k]);
		EXPECT_NE(digests[0][k], digests[2][k]);
	}
	EXPECT_NE(digests[0][0], digests[0][1]);
}

TEST_HARNESS_MAIN
