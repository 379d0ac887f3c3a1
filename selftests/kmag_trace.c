// SPDX-License-Identifier: GPL-2.0
/*
 * Tracepoints: every operation is traced once, with what belongs to it, and
 * what the slow paths trace adds up to what they count.
 */
#include <unistd.h>

#include "kmag_test.h"
#include "kselftest_harness.h"
#include "tracefs.h"

/* An event of the cache called "traced"; ptr is hashed, which tells as much. */
struct event {
	char call_site[128];
	unsigned long ptr;
	unsigned long req;
	unsigned long alloc;
	char gfp[128];
	unsigned long objs;
};

/* Read the events called @name; how many, or -errno. The caller frees. */
static int read_events(const char *name, struct event **events)
{
	char line[1024], want[64];
	FILE *file = fopen(TRACING "trace", "r");
	int nr = 0;

	*events = NULL;
	if (!file)
		return -errno;
	snprintf(want, sizeof(want), " %s: name=traced-", name);
	while (fgets(line, sizeof(line), file)) {
		struct event *e;

		if (!strstr(line, want))
			continue;
		if (nr % 1024 == 0) {
			e = realloc(*events, (nr + 1024) * sizeof(*e));
			if (!e)
				break;
			*events = e;
		}
		e = *events + nr++;
		memset(e, 0, sizeof(*e));
		/* function+offset/size [module] */
		text_of(line, "call_site=", "=", e->call_site,
			sizeof(e->call_site));
		text_of(line, "gfp_flags=", " ", e->gfp, sizeof(e->gfp));
		e->ptr = number_of(line, "ptr=", 16);
		e->req = number_of(line, "bytes_req=", 10);
		e->alloc = number_of(line, "bytes_alloc=", 10);
		e->objs = number_of(line, "objs=", 10);
	}
	fclose(file);
	return nr;
}

static int by_ptr(const void *a, const void *b)
{
	const struct event *x = a, *y = b;

	return x->ptr < y->ptr ? -1 : x->ptr > y->ptr;
}

FIXTURE(trace)
{
	int fd;
	__u32 id;
};

FIXTURE_SETUP(trace)
{
	if (access(EVENTS "enable", F_OK))
		SKIP(return, "no tracepoints in this kernel");
	ASSERT_EQ(trace_begin("global"), 0);
	self->fd = open(KMAG_DEVICE, O_RDWR | O_CLOEXEC);
	ASSERT_GE(self->fd, 0);
	ASSERT_EQ(kmag_create(self->fd, KMAG_BACKEND_KMAG, "traced", 100, 0,
			      &self->id), 0);
}

FIXTURE_TEARDOWN(trace)
{
	trace_end();
	close(self->fd);
}

/* How many lines of the trace are of event @name and say @what. */
static int count_lines(const char *name, const char *what)
{
	char line[1024], want[64];
	FILE *file = fopen(TRACING "trace", "r");
	int nr = 0;

	if (!file)
		return -errno;
	snprintf(want, sizeof(want), " %s: name=traced-", name);
	while (fgets(line, sizeof(line), file))
		nr += strstr(line, want) && strstr(line, what);
	fclose(file);
	return nr;
}

/* Allocate and free @nr with events on, and look at what they say. */
static void check_pairs(struct __test_metadata *_metadata, int fd, __u32 id,
			__u32 nr, __u32 flags)
{
	struct event *allocs, *frees;
	__u32 objs[1000], done = nr;
	int i;

	ASSERT_LE(nr, 1000);
	ASSERT_EQ(write_file(TRACING "trace", ""), 0);
	ASSERT_EQ(kmag_alloc(fd, id, flags, KMAG_GFP_KERNEL, &done, objs), 0);
	ASSERT_EQ(kmag_free(fd, id, flags, &done, objs, NULL), 0);
	ASSERT_EQ(done, nr);

	ASSERT_EQ(read_events("kmag_alloc", &allocs), nr);
	ASSERT_EQ(read_events("kmag_free", &frees), nr);
	/* The caller is in the device: neither in kmag nor nowhere. */
	for (i = 0; i < nr; i++) {
		EXPECT_NE(strstr(allocs[i].call_site, "[kmag_dev]"), NULL)
			TH_LOG("an allocation by %s", allocs[i].call_site);
		EXPECT_NE(strstr(frees[i].call_site, "[kmag_dev]"), NULL)
			TH_LOG("a free by %s", frees[i].call_site);
		EXPECT_EQ(allocs[i].req, 100);
		EXPECT_GE(allocs[i].alloc, 100);
		EXPECT_EQ(strncmp(allocs[i].gfp, "GFP_KERNEL", 10), 0);
		EXPECT_NE(allocs[i].ptr, 0);
	}
	/* What is freed is what was allocated, each once. */
	qsort(allocs, nr, sizeof(*allocs), by_ptr);
	qsort(frees, nr, sizeof(*frees), by_ptr);
	for (i = 0; i < nr; i++) {
		EXPECT_EQ(allocs[i].ptr, frees[i].ptr);
		if (i)
			EXPECT_NE(allocs[i].ptr, allocs[i - 1].ptr);
	}
	free(allocs);
	free(frees);
}

TEST_F(trace, every_operation_once)
{
	struct event *events;
	__u32 objs[10], nr = 10;

	ASSERT_EQ(write_file(EVENTS "kmag_alloc/enable", "1"), 0);
	ASSERT_EQ(write_file(EVENTS "kmag_free/enable", "1"), 0);
	check_pairs(_metadata, self->fd, self->id, 1, 0);
	check_pairs(_metadata, self->fd, self->id, 1000, 0);
	check_pairs(_metadata, self->fd, self->id, 500, KMAG_BATCH_BULK);

	/* Off again: nothing more comes, and everything goes on. */
	ASSERT_EQ(write_file(EVENTS "enable", "0"), 0);
	ASSERT_EQ(write_file(TRACING "trace", ""), 0);
	ASSERT_EQ(kmag_alloc(self->fd, self->id, 0, 0, &nr, objs), 0);
	ASSERT_EQ(kmag_free(self->fd, self->id, 0, &nr, objs, NULL), 0);
	EXPECT_EQ(read_events("kmag_alloc", &events), 0);
	EXPECT_EQ(read_events("kmag_free", &events), 0);
}

/* What was asked for, and what was not, is told as it was. */
TEST_F(trace, flags_and_nodes)
{
	__u32 obj, nr = 1;

	ASSERT_EQ(write_file(EVENTS "kmag_alloc/enable", "1"), 0);
	ASSERT_EQ(kmag_alloc(self->fd, self->id, 0, KMAG_GFP_ATOMIC, &nr, &obj),
		  0);
	EXPECT_EQ(count_lines("kmag_alloc", "gfp_flags=GFP_ATOMIC"), 1);
	EXPECT_EQ(count_lines("kmag_alloc", "node=-1"), 1);
	ASSERT_EQ(kmag_free(self->fd, self->id, 0, &nr, &obj, NULL), 0);
	ASSERT_EQ(kmag_alloc(self->fd, self->id, 0, KMAG_GFP_NOWAIT, &nr, &obj),
		  0);
	EXPECT_EQ(count_lines("kmag_alloc", "gfp_flags=GFP_NOWAIT"), 1);
	EXPECT_EQ(count_lines("kmag_alloc", ""), 2);
}

static unsigned long sum_objs(const struct event *events, int nr)
{
	unsigned long sum = 0;

	while (nr-- > 0)
		sum += events[nr].objs;
	return sum;
}

TEST_F(trace, slow_paths_add_up)
{
	struct kmag_ioc_cache shrink = {
		.size = sizeof(shrink),
		.id = self->id,
	};
	const struct kmag_snap_cache *snap;
	struct kmag_snap_head *head;
	__u32 objs[5000], nr = 5000;
	struct event *events;

	ASSERT_EQ(write_file(EVENTS "enable", "1"), 0);
	ASSERT_EQ(write_file(EVENTS "kmag_alloc/enable", "0"), 0);
	ASSERT_EQ(write_file(EVENTS "kmag_free/enable", "0"), 0);
	ASSERT_EQ(kmag_alloc(self->fd, self->id, 0, 0, &nr, objs), 0);
	nr = 4000;
	ASSERT_EQ(kmag_free(self->fd, self->id, 0, &nr, objs, NULL), 0);
	ASSERT_EQ(kmag_call(self->fd, KMAG_IOC_SHRINK, &shrink), 0);
	ASSERT_EQ(write_file(EVENTS "enable", "0"), 0);

	head = kmag_snapshot(self->fd);
	ASSERT_NE(head, NULL);
	snap = kmag_snap_find(head, "traced");
	ASSERT_NE(snap, NULL);

	EXPECT_EQ(read_events("kmag_slab_create", &events),
		  snap->stats[KMAG_SLAB_NEW]);
	free(events);
	EXPECT_EQ(read_events("kmag_slab_destroy", &events),
		  snap->stats[KMAG_SLAB_FREED]);
	free(events);
	EXPECT_GT(snap->stats[KMAG_SLAB_FREED], 0);
	EXPECT_EQ(read_events("kmag_depot_exchange", &events),
		  snap->stats[KMAG_DEPOT_VISIT]);
	free(events);
	/* Frees bring full magazines there, and get empty ones for them. */
	EXPECT_EQ(count_lines("kmag_depot_exchange", "want=empty got=yes"),
		  snap->stats[KMAG_FREE_DEPOT]);
	EXPECT_EQ(count_lines("kmag_depot_exchange", "want=full got=yes"),
		  snap->stats[KMAG_ALLOC_DEPOT]);
	EXPECT_GT(snap->stats[KMAG_FREE_DEPOT], 0);
	EXPECT_EQ(count_lines("kmag_slab_create", "order=0 slots="),
		  snap->stats[KMAG_SLAB_NEW]);
	EXPECT_EQ(count_lines("kmag_slab_create", "node=0"),
		  snap->stats[KMAG_SLAB_NEW]);

	nr = read_events("kmag_refill", &events);
	EXPECT_EQ(nr, snap->stats[KMAG_REFILL]);
	EXPECT_EQ(sum_objs(events, nr), snap->stats[KMAG_REFILL_OBJS]);
	free(events);
	nr = read_events("kmag_flush", &events);
	EXPECT_GT(nr, 0);
	EXPECT_EQ(nr, snap->stats[KMAG_FLUSH]);
	EXPECT_EQ(sum_objs(events, nr), snap->stats[KMAG_FLUSH_OBJS]);
	free(events);
	free(head);
}

TEST_HARNESS_MAIN
