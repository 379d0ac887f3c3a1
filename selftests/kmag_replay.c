// SPDX-License-Identifier: GPL-2.0
/*
 * Replay: what a batch may say, who waits for whom, what is left in slots.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>
#include <time.h>

#include "kmag_test.h"
#include "kselftest_harness.h"

#define ALLOC	KMAG_REPLAY_ALLOC
#define FREE	KMAG_REPLAY_FREE
#define MORE	KMAG_REPLAY_MORE
#define NR_SLOTS 1000

FIXTURE(replay)
{
	int fd;
	__u32 id;
	__u32 ctor;
	struct kmag_ioc_info info;
	struct kmag_ioc_replay req;
};

FIXTURE_VARIANT(replay)
{
	__u32 backend;
};

FIXTURE_VARIANT_ADD(replay, kmag)
{
	.backend = KMAG_BACKEND_KMAG,
};

FIXTURE_VARIANT_ADD(replay, kmem)
{
	.backend = KMAG_BACKEND_KMEM,
};

FIXTURE_SETUP(replay)
{
	self->fd = open(KMAG_DEVICE, O_RDWR | O_CLOEXEC);
	ASSERT_GE(self->fd, 0);
	self->info.size = sizeof(self->info);
	ASSERT_EQ(kmag_call(self->fd, KMAG_IOC_INFO, &self->info), 0);
	ASSERT_EQ(kmag_create(self->fd, variant->backend, "replay", 192, 0,
			      &self->id), 0);
	ASSERT_EQ(kmag_create(self->fd, variant->backend, "replay.ctor", 600,
			      KMAG_CF_CTOR, &self->ctor), 0);
}

FIXTURE_TEARDOWN(replay)
{
	close(self->fd);
}

/* 0 or -errno; the results are in @req. */
static int replay(int fd, struct kmag_ioc_replay *req, __u32 flags,
		  const struct kmag_replay_rec *recs, __u32 count,
		  __u32 nr_slots)
{
	memset(req, 0xee, sizeof(*req));
	req->size = sizeof(*req);
	req->flags = flags;
	req->count = count;
	req->nr_slots = nr_slots;
	req->recs = (uintptr_t)recs;
	return kmag_call(fd, KMAG_IOC_REPLAY, req);
}

#define REC(_op, _cpu, _slot, _cache, ...)				\
	{								\
		.op = _op, .cpu = _cpu, .slot = _slot, .cache = _cache,	\
		__VA_ARGS__						\
	}

TEST_F(replay, by_hand)
{
	const struct kmag_replay_rec first[] = {
		REC(ALLOC, 0, 0, self->id),
		REC(ALLOC, 1, 1, self->id),
		REC(ALLOC, 0, 2, self->ctor),
		REC(ALLOC | MORE, 1, 3, self->id),
		REC(ALLOC | MORE, 1, 4, self->id),
		REC(ALLOC, 1, 5, self->id),
		/* Crosswise: each frees what the other allocated. */
		REC(FREE, 1, 0, self->id),
		REC(FREE, 0, 1, self->id),
		REC(FREE | MORE, 0, 3, self->id),
		REC(FREE, 0, 4, self->id),
		REC(ALLOC, 0, 6, self->id, .gfp = KMAG_GFP_ZERO),
		REC(ALLOC, 7, 7, self->ctor, .gfp = KMAG_GFP_ATOMIC),
	};
	const struct kmag_replay_rec second[] = {
		/* Slots that were freed are free again; live ones are kept. */
		REC(ALLOC, 0, 0, self->ctor),
		REC(FREE, 1, 2, self->ctor),
		REC(FREE, 1, 5, self->id),
		REC(FREE, 0, 6, self->id),
	};
	struct kmag_ioc_replay *req = &self->req;

	ASSERT_EQ(replay(self->fd, req, KMAG_REPLAY_CHECK, first,
			 ARRAY_SIZE(first), NR_SLOTS), 0);
	EXPECT_EQ(req->allocs, 8);
	EXPECT_EQ(req->frees, 4);
	EXPECT_EQ(req->failed, 0);
	EXPECT_EQ(req->skipped, 0);
	EXPECT_EQ(req->corrupt, 0);
	EXPECT_LE(req->waits, 4);
	EXPECT_GT(req->ns, 0);
	EXPECT_EQ(req->live, 4);

	EXPECT_EQ(kmag_destroy(self->fd, self->ctor, 0), -EBUSY);

	ASSERT_EQ(replay(self->fd, req, KMAG_REPLAY_CHECK, second,
			 ARRAY_SIZE(second), NR_SLOTS), 0);
	EXPECT_EQ(req->allocs, 1);
	EXPECT_EQ(req->frees, 3);
	EXPECT_EQ(req->corrupt, 0);
	EXPECT_EQ(req->live, 2);

	/* A destroyed cache takes its objects out of their slots. */
	EXPECT_EQ(kmag_destroy(self->fd, self->id, 0), 0);
	EXPECT_EQ(kmag_destroy(self->fd, self->ctor, KMAG_DESTROY_FORCE), 0);
	ASSERT_EQ(replay(self->fd, req, 0, NULL, 0, 0), 0);
	EXPECT_EQ(req->live, 0);
	EXPECT_EQ(req->allocs, 0);
	EXPECT_EQ(req->ns, 0);
}

/* A batch that is wrong anywhere does nothing at all. */
TEST_F(replay, refused)
{
	const struct kmag_replay_rec live[] = { REC(ALLOC, 0, 9, self->id) };
	struct kmag_ioc_replay *req = &self->req;
	struct kmag_replay_rec recs[KMAG_REPLAY_MAX_BULK + 1];
	unsigned int i;

	ASSERT_EQ(replay(self->fd, req, 0, live, 1, NR_SLOTS), 0);

#define REFUSED(error, ...)						\
	do {								\
		const struct kmag_replay_rec r[] = {			\
			REC(ALLOC, 0, 100, self->id),			\
			__VA_ARGS__					\
		};							\
									\
		EXPECT_EQ(replay(self->fd, req, 0, r, ARRAY_SIZE(r),	\
				 NR_SLOTS), (error));			\
		EXPECT_EQ(req->allocs, 0);				\
		EXPECT_EQ(req->live, 1);				\
	} while (0)

	REFUSED(-EOPNOTSUPP, REC(2, 0, 0, self->id));
	REFUSED(-EOPNOTSUPP, REC(0x7f, 0, 0, self->id));
	REFUSED(-EOPNOTSUPP, REC(ALLOC, 0, 0, self->id, .gfp = 3));
	REFUSED(-EOPNOTSUPP, REC(ALLOC, 0, 0, self->id, .gfp = 0x40));
	REFUSED(-EINVAL, REC(ALLOC, 0, 0, self->ctor, .gfp = KMAG_GFP_ZERO));
	REFUSED(-EINVAL, REC(ALLOC, UINT16_MAX, 0, self->id));
	REFUSED(-EINVAL, REC(ALLOC, 0, NR_SLOTS, self->id));
	REFUSED(-EINVAL, REC(ALLOC, 0, UINT32_MAX, self->id));
	REFUSED(-ENOENT, REC(ALLOC, 0, 0, 0));
	REFUSED(-ENOENT, REC(ALLOC, 0, 0, 12345));
	/* Into an occupied slot, twice into one, from an empty one. */
	REFUSED(-EINVAL, REC(ALLOC, 0, 9, self->id));
	REFUSED(-EINVAL, REC(ALLOC, 0, 100, self->id));
	REFUSED(-EINVAL, REC(FREE, 0, 0, self->id));
	/* Used again in the same call. */
	REFUSED(-EINVAL, REC(FREE, 0, 9, self->id), REC(FREE, 0, 9, self->id));
	REFUSED(-EINVAL, REC(FREE, 0, 9, self->id), REC(ALLOC, 0, 9, self->id));
	REFUSED(-EINVAL, REC(FREE, 0, 100, self->id),
		REC(FREE, 0, 100, self->id));
	REFUSED(-EINVAL, REC(FREE, 0, 100, self->id),
		REC(ALLOC, 0, 100, self->id));
	/* Freed before it is allocated: could wait for ever. */
	REFUSED(-EINVAL, REC(FREE, 0, 5, self->id), REC(ALLOC, 0, 5, self->id));
	/* Freed into another cache than it came from. */
	REFUSED(-EINVAL, REC(FREE, 0, 9, self->ctor));
	REFUSED(-EINVAL, REC(FREE, 0, 100, self->ctor));
	/* Bulk calls that break off. */
	REFUSED(-EINVAL, REC(ALLOC | MORE, 0, 0, self->id));
	REFUSED(-EINVAL, REC(ALLOC | MORE, 0, 0, self->id),
		REC(ALLOC, 1, 1, self->id));
	REFUSED(-EINVAL, REC(ALLOC | MORE, 0, 0, self->id),
		REC(ALLOC, 0, 1, self->ctor));
	REFUSED(-EINVAL, REC(ALLOC | MORE, 0, 0, self->id),
		REC(ALLOC, 0, 1, self->id, .gfp = 1));
	REFUSED(-EINVAL, REC(ALLOC | MORE, 0, 0, self->id),
		REC(FREE, 0, 9, self->id));
#undef REFUSED

	/* One more than a bulk call may have; and that many. */
	for (i = 0; i < ARRAY_SIZE(recs); i++)
		recs[i] = (struct kmag_replay_rec)
			REC(ALLOC | MORE, 0, 100 + i, self->id);
	recs[i - 1].op = ALLOC;
	EXPECT_EQ(replay(self->fd, req, 0, recs, i, NR_SLOTS), -EINVAL);
	EXPECT_EQ(req->live, 1);
	recs[i - 2].op = ALLOC;
	EXPECT_EQ(replay(self->fd, req, 0, recs, i - 1, NR_SLOTS), 0);
	EXPECT_EQ(req->allocs, KMAG_REPLAY_MAX_BULK);
	EXPECT_EQ(req->live, KMAG_REPLAY_MAX_BULK + 1);

	/* Absurd counts, and records that cannot be read. */
	EXPECT_EQ(replay(self->fd, req, 0, recs, self->info.max_replay + 1,
			 NR_SLOTS), -E2BIG);
	EXPECT_EQ(replay(self->fd, req, 0, recs, UINT32_MAX, NR_SLOTS), -E2BIG);
	EXPECT_EQ(replay(self->fd, req, 0, recs, 1, self->info.max_objects + 1),
		  -E2BIG);
	EXPECT_EQ(replay(self->fd, req, 0, NULL, 1, NR_SLOTS), -EFAULT);
	EXPECT_EQ(replay(self->fd, req, 0, recs, 1, 0), -EINVAL);
	EXPECT_EQ(req->live, KMAG_REPLAY_MAX_BULK + 1);

	/* RESET frees them all. */
	EXPECT_EQ(replay(self->fd, req, KMAG_REPLAY_RESET, NULL, 0, 0), 0);
	EXPECT_EQ(req->live, 0);
}

TEST_F(replay, slots_of_another_file)
{
	const struct kmag_replay_rec alloc[] = { REC(ALLOC, 0, 3, self->id) };
	struct kmag_replay_rec take[] = { REC(FREE, 0, 3, 0) };
	struct kmag_ioc_replay *req = &self->req;
	int fd = open(KMAG_DEVICE, O_RDWR);
	__u32 id;

	ASSERT_GE(fd, 0);
	ASSERT_EQ(kmag_create(fd, variant->backend, "another", 192, 0, &id), 0);
	ASSERT_EQ(replay(self->fd, req, 0, alloc, 1, NR_SLOTS), 0);
	take[0].cache = id;
	EXPECT_EQ(replay(fd, req, 0, take, 1, NR_SLOTS), -EINVAL);
	close(fd);
	take[0].cache = self->id;
	EXPECT_EQ(replay(self->fd, req, 0, take, 1, NR_SLOTS), 0);
	EXPECT_EQ(req->live, 0);
}

/* The table grows and keeps what it has. */
TEST_F_TIMEOUT(replay, table_grows, 300)
{
	struct kmag_ioc_replay *req = &self->req;
	struct kmag_replay_rec recs[] = { REC(ALLOC, 0, 0, self->id) };
	__u32 nr;

	for (nr = 1; nr <= self->info.max_objects; nr *= 4) {
		recs[0].slot = nr - 1;
		ASSERT_EQ(replay(self->fd, req, KMAG_REPLAY_CHECK, recs, 1, nr),
			  0);
	}
	recs[0].op = FREE;
	for (nr = 1; nr <= self->info.max_objects; nr *= 4) {
		recs[0].slot = nr - 1;
		/* Smaller again: nothing is lost, but out of bounds. */
		EXPECT_EQ(replay(self->fd, req, KMAG_REPLAY_CHECK, recs, 1,
				 nr - 1), -EINVAL);
		ASSERT_EQ(replay(self->fd, req, KMAG_REPLAY_CHECK, recs, 1, nr),
			  0);
		EXPECT_EQ(req->frees, 1);
		EXPECT_EQ(req->corrupt, 0);
	}
	EXPECT_EQ(req->live, 0);
}

/*
 * The first CPU has much to do before it allocates what the second frees
 * first of all: where both have a CPU of their own, the second waits.
 */
TEST_F_TIMEOUT(replay, waits_for_another_cpu, 300)
{
	struct kmag_ioc_replay *req = &self->req;
	const __u32 pairs = 200000;
	struct kmag_replay_rec *recs;
	__u32 i, n = 0;

	recs = calloc(2 * pairs + 2, sizeof(*recs));
	ASSERT_NE(recs, NULL);
	for (i = 0; i < pairs; i++) {
		recs[n++] = (struct kmag_replay_rec)
			REC(ALLOC, 0, i, self->id);
		recs[n++] = (struct kmag_replay_rec)
			REC(FREE, 0, i, self->id);
	}
	recs[n++] = (struct kmag_replay_rec)REC(ALLOC, 0, pairs, self->id);
	recs[n++] = (struct kmag_replay_rec)REC(FREE, 1, pairs, self->id);
	ASSERT_EQ(replay(self->fd, req, 0, recs, n, pairs + 1), 0);
	EXPECT_EQ(req->allocs, pairs + 1);
	EXPECT_EQ(req->frees, pairs + 1);
	EXPECT_EQ(req->live, 0);
	EXPECT_EQ(req->waits, self->info.nr_cpus > 1 ? 1 : 0);
	free(recs);
}

static __u32 rnd(__u32 *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

/* A random batch of both caches on several CPUs, with bulk calls, checked. */
static __u32 random_batch(struct kmag_replay_rec *recs, __u32 max,
			  __u32 nr_slots, __u8 *state, __u16 *cache_of,
			  const __u32 *caches, __u32 *seed, __u32 *allocs)
{
	__u32 n = 0, i;

	/* state: 0 empty, 1 live, 2 used in this call, 3 live and used */
	while (n + KMAG_REPLAY_MAX_BULK < max) {
		__u32 cpu = rnd(seed) % 5, bulk = rnd(seed) % 10 ? 1 : 20;
		__u32 cache = caches[rnd(seed) % 2], op = rnd(seed) % 2, got = 0;
		__u32 start = n;

		for (i = 0; i < 200 && got < bulk; i++) {
			__u32 slot = rnd(seed) % nr_slots;

			if (op == ALLOC && state[slot] == 0) {
				state[slot] = 3 | 4;
				cache_of[slot] = cache;
				(*allocs)++;
			} else if (op == FREE && (state[slot] & 1) &&
				   !(state[slot] & 8) &&
				   cache_of[slot] == cache) {
				state[slot] = 2 | 8;
			} else {
				continue;
			}
			recs[n++] = (struct kmag_replay_rec)
				REC(op | MORE, cpu, slot, cache);
			got++;
		}
		if (n == start)
			break;
		recs[n - 1].op &= ~MORE;
	}
	return n;
}

TEST_F_TIMEOUT(replay, random, 300)
{
	const __u32 caches[2] = { self->id, self->ctor }, nr_slots = 20000;
	struct kmag_ioc_replay *req = &self->req;
	__u8 *state = calloc(nr_slots, 1);
	__u16 *cache_of = calloc(nr_slots, sizeof(*cache_of));
	struct kmag_replay_rec *recs = calloc(15000, sizeof(*recs));
	__u32 seed = 1, round, i, n, live, allocs;

	ASSERT_TRUE(state && cache_of && recs);
	for (round = 0; round < 20; round++) {
		allocs = 0;
		n = random_batch(recs, 15000, nr_slots, state, cache_of, caches,
				 &seed, &allocs);
		ASSERT_EQ(replay(self->fd, req, KMAG_REPLAY_CHECK, recs, n,
				 nr_slots), 0)
			TH_LOG("round %u of %u records", round, n);
		for (live = i = 0; i < nr_slots; i++) {
			state[i] &= 1;
			live += state[i];
		}
		EXPECT_EQ(req->allocs, allocs);
		EXPECT_EQ(req->frees, n - allocs);
		EXPECT_EQ(req->failed, 0);
		EXPECT_EQ(req->skipped, 0);
		EXPECT_EQ(req->corrupt, 0);
		EXPECT_EQ(req->live, live);
	}
	if (variant->backend == KMAG_BACKEND_KMAG) {
		struct kmag_ioc_cache check = { .size = sizeof(check) };
		struct kmag_snap_head *head = kmag_snapshot(self->fd);
		const struct kmag_snap_cache *a, *b;

		ASSERT_NE(head, NULL);
		a = kmag_snap_find(head, "replay");
		b = kmag_snap_find(head, "replay.ctor");
		ASSERT_TRUE(a && b);
		EXPECT_EQ(a->live + b->live, req->live);
		EXPECT_EQ(a->skew, 0);
		EXPECT_EQ(b->skew, 0);
		free(head);
		for (i = 0; i < 2; i++) {
			check.id = caches[i];
			EXPECT_EQ(kmag_call(self->fd, KMAG_IOC_VALIDATE,
					    &check), 0);
			EXPECT_EQ(check.result, 0);
		}
	}
	free(recs);
	free(cache_of);
	free(state);
}

/* Objects by id and objects in slots are two things. */
TEST_F(replay, beside_ids)
{
	const struct kmag_replay_rec recs[] = { REC(ALLOC, 0, 1, self->id) };
	struct kmag_ioc_replay *req = &self->req;
	__u32 objs[3], nr = 3, corrupt;

	ASSERT_EQ(kmag_alloc(self->fd, self->id, KMAG_BATCH_CHECK, 0, &nr,
			     objs), 0);
	ASSERT_EQ(replay(self->fd, req, KMAG_REPLAY_CHECK, recs, 1, NR_SLOTS),
		  0);
	EXPECT_EQ(req->live, 1);
	ASSERT_EQ(kmag_free(self->fd, self->id, KMAG_BATCH_CHECK, &nr, objs,
			    &corrupt), 0);
	EXPECT_EQ(corrupt, 0);
	EXPECT_EQ(kmag_destroy(self->fd, self->id, 0), -EBUSY);
	ASSERT_EQ(replay(self->fd, req, KMAG_REPLAY_RESET, NULL, 0, 0), 0);
	EXPECT_EQ(kmag_destroy(self->fd, self->id, 0), 0);
}

/* Its only effect is that calls return. */
static void on_alarm(int sig)
{
}

/* Each CPU frees what the next one allocated, but not in lockstep. */
static __u32 cross_batch(struct kmag_replay_rec *recs, __u32 pairs, __u32 cpus,
			 __u32 cache)
{
	const __u32 block = 1000;
	__u32 i, k, n = 0;

	for (i = 0; i < pairs; i += block) {
		for (k = i; k < i + block; k++)
			recs[n++] = (struct kmag_replay_rec)
				REC(ALLOC, k % cpus, k, cache);
		for (k = i; k < i + block; k++)
			recs[n++] = (struct kmag_replay_rec)
				REC(FREE, (k + 1) % cpus, k, cache);
	}
	return n;
}

/* Set the timer again until it hits between start and end. */
static int replay_with_alarm(int fd, struct kmag_ioc_replay *req,
			     const struct kmag_replay_rec *recs, __u32 count,
			     __u32 nr_slots)
{
	struct itimerval timer = { }, off = { };
	long usec = 300000;
	int ret = 0, tries;

	for (tries = 0; tries < 30; tries++) {
		timer.it_value.tv_sec = usec / 1000000;
		timer.it_value.tv_usec = usec % 1000000;
		if (setitimer(ITIMER_REAL, &timer, NULL))
			return -errno;
		ret = replay(fd, req, KMAG_REPLAY_CHECK, recs, count, nr_slots);
		setitimer(ITIMER_REAL, &off, NULL);
		if (ret && req->allocs)
			break;
		/* It came before the workers started, or not in time. */
		usec = ret ? usec + usec / 3 : usec - usec / 4;
	}
	return ret;
}

/*
 * A signal ends a replay early, whether workers wait for each other or not:
 * what was done is told, and slots hold what is live.
 */
TEST_F_TIMEOUT(replay, interrupted, 900)
{
	struct sigaction action = { .sa_handler = on_alarm };
	struct kmag_ioc_replay *req = &self->req;
	const __u32 pairs = 200000, some = 20000;
	struct kmag_replay_rec *recs;
	__u32 cpus, n;

	recs = calloc(2 * pairs, sizeof(*recs));
	ASSERT_NE(recs, NULL);
	ASSERT_EQ(sigaction(SIGALRM, &action, NULL), 0);
	for (cpus = 1; cpus <= 2; cpus++) {
		n = cross_batch(recs, pairs, cpus, self->ctor);
		ASSERT_EQ(replay_with_alarm(self->fd, req, recs, n, pairs),
			  -EINTR);
		EXPECT_LT(req->frees, pairs);
		EXPECT_EQ(req->live, req->allocs - req->frees);
		EXPECT_EQ(req->corrupt, 0);
		EXPECT_GT(req->ns, 0);

		/* One of its kind runs to the end when slots are empty again. */
		n = cross_batch(recs, some, cpus, self->ctor);
		ASSERT_EQ(replay(self->fd, req,
				 KMAG_REPLAY_CHECK | KMAG_REPLAY_RESET, recs, n,
				 pairs), 0);
		EXPECT_EQ(req->allocs, some);
		EXPECT_EQ(req->frees, some);
		EXPECT_EQ(req->corrupt, 0);
		EXPECT_EQ(req->live, 0);
	}
	free(recs);
}

struct replayer {
	int fd;
	struct kmag_replay_rec *recs;
	__u32 nr;
	int bad;
};

static void *replayer(void *data)
{
	struct replayer *r = data;
	struct kmag_ioc_replay req;
	int i;

	for (i = 0; i < 10; i++)
		if (replay(r->fd, &req, KMAG_REPLAY_CHECK, r->recs, r->nr,
			   NR_SLOTS) || req.corrupt)
			r->bad++;
	return NULL;
}

/* One file, several threads: their calls come one after the other. */
TEST_F_TIMEOUT(replay, threads, 300)
{
	struct replayer r[3];
	pthread_t threads[3];
	int i, n;

	for (i = 0; i < 3; i++) {
		r[i] = (struct replayer){ .fd = self->fd, .nr = 400 };
		r[i].recs = calloc(400, sizeof(*r[i].recs));
		ASSERT_NE(r[i].recs, NULL);
		for (n = 0; n < 200; n++) {
			r[i].recs[n] = (struct kmag_replay_rec)
				REC(ALLOC, n % 3, 200 * i + n, self->ctor);
			r[i].recs[n + 200] = (struct kmag_replay_rec)
				REC(FREE, n % 2, 200 * i + n, self->ctor);
		}
	}
	for (i = 0; i < 3; i++)
		ASSERT_EQ(pthread_create(&threads[i], NULL, replayer, &r[i]),
			  0);
	for (i = 0; i < 3; i++) {
		pthread_join(threads[i], NULL);
		EXPECT_EQ(r[i].bad, 0);
		free(r[i].recs);
	}
}

TEST_HARNESS_MAIN
