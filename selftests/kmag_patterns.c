// SPDX-License-Identifier: GPL-2.0
/*
 * Patterns of a run: each allocates and frees in the order that uapi/kmag.h
 * tells, as events of the allocator show.
 */
#include "kmag_test.h"
#include "kselftest_harness.h"
#include "tracefs.h"

#define MAX_OPS		8192
#define MAX_LIVE	128

/* What events tell, in their order; a pointer is hashed, which does as well. */
struct op {
	int free;
	int cpu;
	unsigned long ptr;
};

struct bed {
	int fd;
	__u32 id;
	__u32 nr_cpus;
	struct kmag_ioc_run run;
	struct op ops[MAX_OPS];
	int nr;
	int allocs;
	/* The live set, as it is after so many of them: the oldest first. */
	unsigned long live[MAX_LIVE];
	int nr_live;
	/* Frees of the older and of the younger half of a live set. */
	int older;
	int younger;
};

FIXTURE(pattern)
{
	struct bed bed;
};

FIXTURE_SETUP(pattern)
{
	struct kmag_ioc_info info = { .size = sizeof(info) };

	if (access(EVENTS "enable", F_OK))
		SKIP(return, "no tracepoints in this kernel");
	ASSERT_EQ(trace_begin("counter"), 0);
	self->bed.fd = open(KMAG_DEVICE, O_RDWR | O_CLOEXEC);
	ASSERT_GE(self->bed.fd, 0);
	ASSERT_EQ(kmag_call(self->bed.fd, KMAG_IOC_INFO, &info), 0);
	self->bed.nr_cpus = info.nr_cpus;
	ASSERT_EQ(kmag_create(self->bed.fd, KMAG_BACKEND_KMAG, "pattern", 100, 0,
			      &self->bed.id), 0);
}

FIXTURE_TEARDOWN(pattern)
{
	trace_end();
	close(self->bed.fd);
}

static void read_ops(struct bed *bed)
{
	FILE *file = fopen(TRACING "trace", "r");
	char line[1024];

	while (file && bed->nr < MAX_OPS && fgets(line, sizeof(line), file)) {
		struct op *op = &bed->ops[bed->nr];

		op->free = !!strstr(line, " kmag_free: name=pattern-");
		if (!op->free && !strstr(line, " kmag_alloc: name=pattern-"))
			continue;
		op->cpu = event_cpu(line);
		op->ptr = number_of(line, "ptr=", 16);
		bed->allocs += !op->free;
		bed->nr++;
	}
	if (file)
		fclose(file);
}

/* Each of @threads allocates @count times, and all that is seen. */
static void play(struct __test_metadata *_metadata, struct bed *bed,
		 __u32 pattern, __u32 threads, __u32 count, __u32 live)
{
	bed->run = (struct kmag_ioc_run){
		.size = sizeof(bed->run),
		.caches = (uintptr_t)&bed->id,
		.nr_caches = 1,
		.pattern = pattern,
		.threads = threads,
		.seed = 1,
		.count = count,
		.duration_ms = 20000,
		.live = live,
	};
	bed->nr = 0;
	bed->allocs = 0;
	ASSERT_EQ(write_file(TRACING "trace", ""), 0);
	ASSERT_EQ(write_file(EVENTS "kmag_alloc/enable", "1"), 0);
	ASSERT_EQ(write_file(EVENTS "kmag_free/enable", "1"), 0);
	ASSERT_EQ(kmag_call(bed->fd, KMAG_IOC_RUN, &bed->run), 0);
	ASSERT_EQ(write_file(EVENTS "enable", "0"), 0);
	read_ops(bed);
	ASSERT_EQ(bed->allocs, threads * count);
	ASSERT_EQ(bed->nr, 2 * threads * count);
	/* What is live at the end is freed then, in whichever order. */
	while (bed->ops[bed->nr - 1].free)
		bed->nr--;
}

/* Follow the live set; the place of what is freed in it, or -1. */
static int follow(struct bed *bed, const struct op *op)
{
	int i;

	if (!op->free) {
		if (bed->nr_live == MAX_LIVE)
			return -1;
		bed->live[bed->nr_live++] = op->ptr;
		return 0;
	}
	for (i = 0; i < bed->nr_live; i++)
		if (bed->live[i] == op->ptr)
			break;
	if (i == bed->nr_live)
		return -1;
	if (i < bed->nr_live / 2)
		bed->older++;
	else if (i >= (bed->nr_live + 1) / 2)
		bed->younger++;
	bed->nr_live--;
	memmove(&bed->live[i], &bed->live[i + 1],
		(bed->nr_live - i) * sizeof(*bed->live));
	return i;
}

/* Of a large enough number each half has had its share. */
static void expect_any(struct __test_metadata *_metadata, struct bed *bed)
{
	EXPECT_GT(bed->older + bed->younger, 200);
	EXPECT_LT(bed->older, 2 * bed->younger);
	EXPECT_LT(bed->younger, 2 * bed->older);
}

TEST_F(pattern, pair)
{
	struct bed *bed = &self->bed;
	int i;

	play(_metadata, bed, KMAG_RUN_PAIR, 1, 500, 100);
	for (i = 0; i < bed->nr; i++) {
		ASSERT_EQ(bed->ops[i].free, i % 2);
		if (i % 2)
			ASSERT_EQ(bed->ops[i].ptr, bed->ops[i - 1].ptr);
	}
	EXPECT_EQ(bed->run.total.left, 0);
}

TEST_F(pattern, two)
{
	struct bed *bed = &self->bed;
	int i;

	play(_metadata, bed, KMAG_RUN_TWO, 1, 500, 100);
	for (i = 0; i < bed->nr; i++) {
		ASSERT_EQ(bed->ops[i].free, i % 4 / 2);
		if (bed->ops[i].free)
			ASSERT_EQ(bed->ops[i].ptr, bed->ops[i - 2].ptr);
	}
	EXPECT_EQ(bed->run.total.left, 0);
}

/* The live set is filled, then emptied from one end. */
static void expect_rounds(struct __test_metadata *_metadata, struct bed *bed,
			  int live, int last_first)
{
	int i;

	for (i = 0; i < bed->nr; i++) {
		int n = i % (2 * live), round = i - n;
		int was = last_first ? 2 * live - 1 - n : n - live;

		ASSERT_EQ(bed->ops[i].free, n >= live);
		if (n >= live)
			ASSERT_EQ(bed->ops[i].ptr, bed->ops[round + was].ptr);
	}
}

TEST_F(pattern, lifo)
{
	struct bed *bed = &self->bed;

	play(_metadata, bed, KMAG_RUN_LIFO, 1, 500, 20);
	expect_rounds(_metadata, bed, 20, 1);
}

TEST_F(pattern, fifo)
{
	struct bed *bed = &self->bed;

	play(_metadata, bed, KMAG_RUN_FIFO, 1, 500, 20);
	expect_rounds(_metadata, bed, 20, 0);
}

TEST_F(pattern, random)
{
	struct bed *bed = &self->bed;
	int i, heads = 0, tails = 0, most = 0, empty = 0;

	play(_metadata, bed, KMAG_RUN_RANDOM, 1, 2000, 20);
	for (i = 0; i < bed->nr; i++) {
		if (bed->nr_live && bed->nr_live < 20) {
			heads += !bed->ops[i].free;
			tails += bed->ops[i].free;
		}
		ASSERT_GE(follow(bed, &bed->ops[i]), 0);
		most = bed->nr_live > most ? bed->nr_live : most;
		empty += !bed->nr_live;
	}
	EXPECT_EQ(most, 20);
	EXPECT_GT(empty, 1);
	EXPECT_LT(heads, tails * 5 / 4);
	EXPECT_LT(tails, heads * 5 / 4);
	expect_any(_metadata, bed);
}

TEST_F(pattern, burst)
{
	struct bed *bed = &self->bed;
	int i, filling = 1, rounds = 0;

	play(_metadata, bed, KMAG_RUN_BURST, 1, 2000, MAX_LIVE);
	for (i = 0; i < bed->nr; i++) {
		if (bed->nr_live == MAX_LIVE)
			filling = 0;
		if (!bed->nr_live)
			filling = 1;
		ASSERT_EQ(bed->ops[i].free, !filling);
		ASSERT_GE(follow(bed, &bed->ops[i]), 0);
		rounds += !bed->nr_live;
	}
	EXPECT_EQ(rounds, 2000 / MAX_LIVE);
}

#define PROBES	TRACING "kprobe_events"
#define GROUP	"kmag_bulk"

static const char * const probes[] = {
	"p:" GROUP "/bulk_alloc kmag_cache_alloc_bulk nr=$arg3:u64\n",
	"p:" GROUP "/bulk_free kmag_cache_free_bulk nr=$arg2:u64\n",
};

/* How large calls are, by the probe called @name. */
static void expect_calls(struct __test_metadata *_metadata, const char *name,
			 __u64 objs)
{
	FILE *file = fopen(TRACING "trace", "r");
	int calls = 0, small = 0, large = 0;
	char line[1024];
	__u64 sum = 0;

	ASSERT_NE(file, NULL);
	while (fgets(line, sizeof(line), file)) {
		unsigned long nr;

		if (!strstr(line, name))
			continue;
		nr = number_of(line, "nr=", 10);
		EXPECT_GE(nr, 1);
		EXPECT_LE(nr, KMAG_RUN_BULK);
		small += nr <= KMAG_RUN_BULK / 2;
		large += nr > KMAG_RUN_BULK / 2;
		sum += nr;
		calls++;
	}
	fclose(file);
	/* All of them, by calls of any size. */
	EXPECT_EQ(sum, objs);
	EXPECT_GT(calls, 100);
	EXPECT_GT(small, calls / 4);
	EXPECT_GT(large, calls / 4);
}

TEST_F(pattern, burst_by_bulk_calls)
{
	struct bed *bed = &self->bed;
	int i;

	if (access(PROBES, F_OK))
		SKIP(return, "no function probes in this kernel");
	for (i = 0; i < 2; i++)
		ASSERT_EQ(write_with(PROBES, O_APPEND, probes[i]), 0);
	EXPECT_EQ(write_file(TRACING "events/" GROUP "/enable", "1"), 0);
	bed->run = (struct kmag_ioc_run){
		.size = sizeof(bed->run),
		.caches = (uintptr_t)&bed->id,
		.nr_caches = 1,
		.pattern = KMAG_RUN_BURST,
		.threads = 1,
		.count = 20000,
		.live = 1000,
	};
	EXPECT_EQ(kmag_call(bed->fd, KMAG_IOC_RUN, &bed->run), 0);
	EXPECT_EQ(write_file(TRACING "events/" GROUP "/enable", "0"), 0);
	expect_calls(_metadata, " bulk_alloc: ", bed->run.total.allocs);
	expect_calls(_metadata, " bulk_free: ", bed->run.total.frees);
	/* Their events go with them. */
	EXPECT_EQ(write_with(PROBES, O_APPEND, "-:" GROUP "/bulk_alloc\n"), 0);
	EXPECT_EQ(write_with(PROBES, O_APPEND, "-:" GROUP "/bulk_free\n"), 0);
}

TEST_F(pattern, churn)
{
	struct bed *bed = &self->bed;
	int seen[20] = { 0 }, i;

	play(_metadata, bed, KMAG_RUN_CHURN, 1, 1000, 20);
	for (i = 0; i < bed->nr; i++) {
		int place;

		ASSERT_EQ(bed->ops[i].free, i >= 20 && i % 2 == 0);
		place = follow(bed, &bed->ops[i]);
		ASSERT_GE(place, 0);
		if (bed->ops[i].free)
			seen[place]++;
	}
	for (i = 0; i < 20; i++)
		EXPECT_GT(seen[i], 0);
	expect_any(_metadata, bed);
}

/* 100, all but 10 of them freed, each replaced once, 90 more, and so on. */
TEST_F(pattern, spike)
{
	struct bed *bed = &self->bed;
	const int drained = 90, replaced = 90 + 200, round = 90 + 200 + 90;
	int i;

	play(_metadata, bed, KMAG_RUN_SPIKE, 1, 1000, 100);
	for (i = 0; i < bed->nr; i++) {
		int n = (i + round - 100) % round;
		int free = n < drained || (n < replaced && n % 2 == 0);

		ASSERT_EQ(bed->ops[i].free, i >= 100 && free);
		ASSERT_GE(follow(bed, &bed->ops[i]), 0);
	}
	expect_any(_metadata, bed);
}

/* Of a ring: what one CPU allocated, and how many of it have been freed. */
struct ring {
	unsigned long ptr[MAX_OPS];
	int filled;
	int taken;
};

static void expect_handed_over(struct __test_metadata *_metadata,
			       struct bed *bed, int count, int live)
{
	struct ring *rings = calloc(2, sizeof(*rings));
	int i, most = 0, taken;

	ASSERT_NE(rings, NULL);
	play(_metadata, bed, KMAG_RUN_CROSS, 2, count, live);
	/* Once one is over, the other frees its own arrays. */
	for (i = 0; i < bed->nr; i++) {
		const struct op *op = &bed->ops[i];
		struct ring *own, *other;

		ASSERT_LT(op->cpu, 2);
		own = &rings[op->cpu];
		other = &rings[!op->cpu];
		if (own->filled == count || other->filled == count)
			break;
		if (!op->free) {
			own->ptr[own->filled++] = op->ptr;
			if (own->filled - own->taken > most)
				most = own->filled - own->taken;
			continue;
		}
		/* Whole arrays, the oldest first. */
		if (other->taken % KMAG_RUN_BULK == 0)
			ASSERT_GE(other->filled - other->taken, KMAG_RUN_BULK);
		ASSERT_EQ(op->ptr, other->ptr[other->taken]);
		other->taken++;
	}
	live = (live + KMAG_RUN_BULK - 1) / KMAG_RUN_BULK * KMAG_RUN_BULK;
	EXPECT_LE(most, live);
	EXPECT_GE(most, KMAG_RUN_BULK);
	taken = rings[0].taken + rings[1].taken;
	EXPECT_GE(taken, count - live);
	free(rings);
}

TEST_F(pattern, cross)
{
	struct bed *bed = &self->bed;

	if (bed->nr_cpus < 2)
		SKIP(return, "one CPU");
	expect_handed_over(_metadata, bed, 20 * KMAG_RUN_BULK, 1);
	expect_handed_over(_metadata, bed, 20 * KMAG_RUN_BULK, 100);
}

TEST_HARNESS_MAIN
