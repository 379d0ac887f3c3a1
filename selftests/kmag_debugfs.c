// SPDX-License-Identifier: GPL-2.0
/*
 * The formats of /sys/kernel/debug/kmag, and that figures add up: in a file,
 * between files, and with the device's snapshot.
 */
#include <dirent.h>
#include <ftw.h>
#include <sys/stat.h>

#include "kmag_test.h"
#include "kselftest_harness.h"
#include "table.h"

#define ROOT "/sys/kernel/debug/kmag"
static int write_text(const char *dir, const char *file, const char *text)
{
	ssize_t len = strlen(text);
	char path[256];
	int fd, ret;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	fd = open(path, O_WRONLY);
	if (fd < 0)
		return -errno;
	ret = write(fd, text, len) == len ? 0 : -errno;
	close(fd);
	return ret;
}

FIXTURE(debugfs)
{
	int fd;
	__u32 id;
	struct kmag_ioc_create req;
	char dir[128];
	struct kmag_snap_head *head;
	const struct kmag_snap_cache *snap;
	__u32 objs[3000];
};

/* A cache with full, partial and empty slabs, and something in magazines. */
FIXTURE_SETUP(debugfs)
{
	__u32 nr, i, one;

	self->fd = open(KMAG_DEVICE, O_RDWR | O_CLOEXEC);
	ASSERT_GE(self->fd, 0);
	self->req.size = sizeof(self->req);
	self->req.object_size = 200;
	self->req.cache_flags = KMAG_CF_CTOR | KMAG_CF_HWALIGN;
	snprintf(self->req.name, sizeof(self->req.name), "views.%d", getpid());
	ASSERT_EQ(kmag_call(self->fd, KMAG_IOC_CREATE, &self->req), 0);
	self->id = self->req.id;
	snprintf(self->dir, sizeof(self->dir), ROOT "/%s", self->req.real_name);

	/* What one file says is to be true when the next one is read. */
	ASSERT_EQ(write_text(self->dir, "retention", "lazy\n"), 0);
	nr = 3000;
	ASSERT_EQ(kmag_alloc(self->fd, self->id, 0, 0, &nr, self->objs), 0);
	for (i = 0; i < 3000; i++) {
		if (i < 1000 || i % 7 == 0)
			continue;
		one = 1;
		ASSERT_EQ(kmag_free(self->fd, self->id, 0, &one,
				    &self->objs[i], NULL), 0);
	}
	self->head = kmag_snapshot(self->fd);
	ASSERT_NE(self->head, NULL);
	self->snap = kmag_snap_find(self->head, self->req.name);
	ASSERT_NE(self->snap, NULL);
	why[0] = 0;
}

FIXTURE_TEARDOWN(debugfs)
{
	free(self->head);
	close(self->fd);
}

#define TABLE(file)							\
	do {								\
		char path[256];						\
		const char *error;					\
									\
		snprintf(path, sizeof(path), "%s/%s", self->dir, file);	\
		error = read_table(path);				\
		ASSERT_EQ(error, NULL)					\
			TH_LOG("%s %s", path, error);			\
	} while (0)

static int nr_files, nr_bad, writable;

static int visit(const char *path, const struct stat *st, int type,
		 struct FTW *ftw)
{
	const char *error, *name = path + ftw->base;
	char *fields[MAX_COLUMNS];
	int i, nr;

	if (type != FTW_F)
		return 0;
	nr_files++;
	if (st->st_mode & 0222)
		writable++;
	if (!(st->st_mode & 0444)) {
		/* Only actions cannot be read. */
		if (strcmp(name, "shrink")) {
			nr_bad++;
			printf("# %s cannot be read\n", path);
		}
		return 0;
	}
	error = read_table(path);
	for (i = 0; !error && i < table.nr_rows; i++) {
		nr = fields_of(i, fields);
		if (nr != table.nr_columns)
			error = "has a row with too few columns";
		/* Only summary has a text for its last column. */
		else if (strcmp(name, "summary") &&
			 strchr(fields[nr - 1], ' '))
			error = "has a row with too many columns";
	}
	if (error) {
		nr_bad++;
		printf("# %s %s\n", path, error);
	}
	return 0;
}

TEST_F_TIMEOUT(debugfs, every_file, 120)
{
	static const struct {
		const char *name;
		int mode;
	} files[] = {
		{ "info", 0444 }, { "stats", 0444 }, { "cpus", 0444 },
		{ "depot", 0444 }, { "frag", 0444 }, { "slab_map", 0444 },
		{ "shrink", 0200 }, { "validate", 0644 }, { "latency", 0644 },
		{ "retention", 0644 }, { "evacuation", 0644 },
	};
	char path[256];
	struct stat st;
	size_t i;

	ASSERT_EQ(nftw(ROOT, visit, 16, FTW_PHYS), 0);
	EXPECT_EQ(nr_bad, 0);
	EXPECT_GE(nr_files, 10);
	EXPECT_GE(writable, 2);
	for (i = 0; i < ARRAY_SIZE(files); i++) {
		snprintf(path, sizeof(path), "%s/%s", self->dir, files[i].name);
		ASSERT_EQ(stat(path, &st), 0);
		EXPECT_EQ(st.st_mode & 07777, files[i].mode)
			TH_LOG("%s", path);
	}
}

TEST_F(debugfs, caches)
{
	char *f[MAX_COLUMNS];
	int i, seen = 0;

	ASSERT_EQ(read_table(ROOT "/caches"), NULL);
	for (i = 0; i < table.nr_rows; i++) {
		ASSERT_EQ(fields_of(i, f), table.nr_columns);
#define N(name) number(f[column(name)])
		EXPECT_EQ(N("slots"), N("live") + N("cpu") + N("depot") +
			  N("slab_free") + N("transit") + N("skew"));
		EXPECT_EQ(N("slabs"), N("full") + N("partial") + N("empty"));
		EXPECT_GE(N("stride"), N("objsize"));
		if (strcmp(f[column("name")], self->req.name))
			continue;
		seen++;
		EXPECT_EQ(N("id"), self->req.kmag_id);
		EXPECT_EQ(N("objsize"), 200);
		EXPECT_EQ(N("stride"), 256);
		EXPECT_EQ(N("live"), self->snap->live);
		EXPECT_EQ(N("live"), 1000 + 286);
		EXPECT_EQ(N("skew"), 0);
		EXPECT_EQ(N("transit"), 0);
		EXPECT_EQ(N("slots"), self->snap->slots);
		EXPECT_EQ(N("slabs"), self->snap->slabs);
		EXPECT_STREQ(f[column("flags")], "hc");
#undef N
	}
	EXPECT_EQ(seen, 1);
	EXPECT_STREQ(why, "");
}

/* Lines marked + add up to the next marked =, which goes on. */
TEST_F(debugfs, summary)
{
	long long sum = 0, slab_bytes = -1, live = 0, total = 0;
	const struct kmag_snap_cache *cache = NULL;
	char *f[MAX_COLUMNS];
	__u32 i;
	int row;

	ASSERT_EQ(read_table(ROOT "/summary"), NULL);
	for (row = 0; row < table.nr_rows; row++) {
		ASSERT_EQ(fields_of(row, f), 3);
		if (!strcmp(f[0], "+")) {
			sum += number(f[1]);
			if (!strcmp(f[2], "in use by owners"))
				live = number(f[1]);
		} else {
			ASSERT_STREQ(f[0], "=");
			EXPECT_EQ(sum, number(f[1]));
			if (slab_bytes < 0)
				slab_bytes = number(f[1]);
		}
	}
	ASSERT_STREQ(f[0], "=");
	EXPECT_STREQ(why, "");
	/* The same as the snapshot's, for nobody else is at work. */
	EXPECT_GE(live, 200 * 1286);
	for (i = 0; i < self->head->nr_caches; i++) {
		cache = kmag_snap_next(self->head, cache);
		total += cache->slab_bytes;
	}
	EXPECT_EQ(slab_bytes, total);
}

TEST_F(debugfs, info)
{
	TABLE("info");
	EXPECT_STREQ(value("name"), self->req.name);
	EXPECT_EQ(number(value("id")), self->req.kmag_id);
	EXPECT_EQ(number(value("objsize")), 200);
	EXPECT_EQ(number(value("stride")), self->snap->stride);
	EXPECT_EQ(number(value("slab_slots")), self->snap->slab_slots);
	EXPECT_EQ(number(value("slab_pages")), 1 << self->snap->order);
	EXPECT_STREQ(value("flags"), "hc");
	EXPECT_STREQ(why, "");
}

TEST_F(debugfs, stats)
{
	const __u64 *stats = self->snap->stats;

	TABLE("stats");
	EXPECT_EQ(table.nr_rows, KMAG_NR_STATS);
	EXPECT_EQ(number(value("alloc_mag")), stats[KMAG_ALLOC_MAG]);
	EXPECT_EQ(number(value("alloc_depot")), stats[KMAG_ALLOC_DEPOT]);
	EXPECT_EQ(number(value("alloc_slab")), stats[KMAG_ALLOC_SLAB]);
	EXPECT_EQ(number(value("alloc_page")), stats[KMAG_ALLOC_PAGE]);
	EXPECT_EQ(number(value("alloc_fail")), 0);
	EXPECT_EQ(number(value("free_bad")), 0);
	/* An operation is counted once. */
	EXPECT_EQ(stats[KMAG_ALLOC_MAG] + stats[KMAG_ALLOC_DEPOT] +
		  stats[KMAG_ALLOC_SLAB] + stats[KMAG_ALLOC_PAGE], 3000);
	EXPECT_EQ(stats[KMAG_FREE_MAG] + stats[KMAG_FREE_DEPOT] +
		  stats[KMAG_FREE_SLAB] + stats[KMAG_FREE_PAGE], 3000 - 1286);
	EXPECT_EQ(number(value("slab_new")) - number(value("slab_freed")),
		  self->snap->slabs);
	EXPECT_STREQ(why, "");
}

TEST_F(debugfs, cpus)
{
	long long rounds = 0, allocs = 0;
	char *f[MAX_COLUMNS];
	int i, online = 0;

	TABLE("cpus");
	for (i = 0; i < table.nr_rows; i++) {
		ASSERT_EQ(fields_of(i, f), table.nr_columns);
		online += number(f[column("online")]);
		rounds += number(f[column("loaded")]) +
			  number(f[column("previous")]);
		allocs += number(f[column("alloc_mag")]);
		EXPECT_LE(number(f[column("loaded")]),
			  number(f[column("loaded_cap")]));
		EXPECT_LE(number(f[column("previous")]),
			  number(f[column("previous_cap")]));
	}
	EXPECT_EQ(online, sysconf(_SC_NPROCESSORS_ONLN));
	EXPECT_EQ(table.nr_rows, self->snap->nr_cpus);
	EXPECT_EQ(rounds, self->snap->cpu_objs);
	EXPECT_EQ(allocs, self->snap->stats[KMAG_ALLOC_MAG]);
	EXPECT_STREQ(why, "");
}

TEST_F(debugfs, depot)
{
	char *f[MAX_COLUMNS];
	long long full = 0;
	int i;

	TABLE("depot");
	EXPECT_EQ(table.nr_rows, self->snap->nr_nodes);
	for (i = 0; i < table.nr_rows; i++) {
		ASSERT_EQ(fields_of(i, f), table.nr_columns);
		full += number(f[column("full")]);
		EXPECT_LE(number(f[column("full_min")]),
			  number(f[column("full")]));
	}
	/* Only full magazines are in there. */
	EXPECT_EQ(full > 0, self->snap->depot_objs > 0);
	EXPECT_STREQ(why, "");
}

TEST_F(debugfs, frag)
{
	long long sum, needed, held;
	char key[32];
	int i;

	TABLE("frag");
	sum = number(value("slabs_empty")) + number(value("slabs_full"));
	for (i = 1; i <= 8; i++) {
		snprintf(key, sizeof(key), "slabs_upto_%d/8", i);
		EXPECT_EQ(number(value(key)), self->snap->slabs_by_class[i]);
		sum += number(value(key));
	}
	held = number(value("slabs_held"));
	needed = number(value("slabs_needed"));
	EXPECT_EQ(sum, held);
	EXPECT_EQ(held, self->snap->slabs);
	/* For live objects alone, however many are cached. */
	EXPECT_EQ(needed, (1286 + self->snap->slab_slots - 1) /
		  self->snap->slab_slots);
	EXPECT_GT(held, needed);
	EXPECT_EQ(number(value("bytes_held")), self->snap->slab_bytes);
	EXPECT_EQ(number(value("bytes_empty")), self->snap->empty_bytes);
	EXPECT_EQ(number(value("bytes_excess")),
		  self->snap->slab_bytes - self->snap->needed_bytes);
	/* No slab is held by cached objects alone that has no class of its own. */
	sum = 0;
	for (i = 1; i <= 8; i++) {
		snprintf(key, sizeof(key), "cached_upto_%d/8", i);
		EXPECT_LE(number(value(key)), self->snap->slabs_by_class[i]);
		sum += number(value(key));
	}
	EXPECT_LE(number(value("cached_full")), number(value("slabs_full")));
	sum += number(value("cached_full"));
	EXPECT_EQ(number(value("bytes_shrink_returns")) +
		  number(value("bytes_evacuation_returns")),
		  number(value("bytes_excess")));
	EXPECT_GE(number(value("bytes_shrink_returns")),
		  number(value("bytes_empty")));
	EXPECT_EQ(sum > 0, number(value("bytes_shrink_returns")) >
		  number(value("bytes_empty")));
	/* Where no slab is of a smaller order, their numbers tell their bytes. */
	if (!self->snap->stats[KMAG_SLAB_FALLBACK]) {
		long long slab = sysconf(_SC_PAGESIZE) << self->snap->order;

		EXPECT_EQ(number(value("bytes_excess")),
			  (held - needed) * slab);
		EXPECT_EQ(number(value("bytes_empty")),
			  number(value("slabs_empty")) * slab);
	}
	EXPECT_STREQ(why, "");
}

static int weight(const char *hex)
{
	int nr = 0;

	for (; *hex; hex++)
		if (*hex != ',')
			nr += __builtin_popcount(strtoul((char[]){ *hex, 0 },
							 NULL, 16));
	return nr;
}

TEST_F(debugfs, slab_map)
{
	long long inuse = 0, slots = 0, last = -1, cached = 0;
	char *f[MAX_COLUMNS];
	int i;

	TABLE("slab_map");
	EXPECT_EQ(table.nr_rows, self->snap->slabs);
	for (i = 0; i < table.nr_rows; i++) {
		ASSERT_EQ(fields_of(i, f), table.nr_columns);
		EXPECT_GT(number(f[column("pfn")]), last);
		last = number(f[column("pfn")]);
		EXPECT_EQ(weight(f[column("away")]),
			  number(f[column("inuse")]));
		inuse += number(f[column("inuse")]);
		slots += number(f[column("slots")]);
		EXPECT_LE(number(f[column("cached")]),
			  number(f[column("inuse")]));
		cached += number(f[column("cached")]);
	}
	EXPECT_EQ(cached, self->snap->cpu_objs + self->snap->depot_objs);
	EXPECT_EQ(slots, self->snap->slots);
	EXPECT_EQ(slots - inuse, self->snap->slab_free);
	EXPECT_EQ(inuse, self->snap->live + self->snap->cpu_objs +
		  self->snap->depot_objs + self->snap->transit);
	EXPECT_STREQ(why, "");
}

static int write_file(const char *dir, const char *file)
{
	return write_text(dir, file, "1\n");
}

TEST_F(debugfs, validate)
{
	char *f[MAX_COLUMNS];

	TABLE("validate");
	ASSERT_EQ(fields_of(0, f), 2);
	EXPECT_STREQ(f[0], "never");
	ASSERT_EQ(write_file(self->dir, "validate"), 0);
	TABLE("validate");
	ASSERT_EQ(table.nr_rows, 1);
	ASSERT_EQ(fields_of(0, f), 2);
	EXPECT_STREQ(f[0], "ok");
	EXPECT_EQ(number(f[1]), 0);
}

/* Taken is 0 or 1, and what is no such thing switches nothing. */
TEST_F(debugfs, latency)
{
	static const char bad[][8] = {
		"foo\n", "no\n", "2\n", "256\n", "-1\n", "1 1\n", "\n",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_LT(write_text(self->dir, "latency", bad[i]), 0)
			TH_LOG("taken: %s", bad[i]);
	EXPECT_EQ(write_text(self->dir, "latency", "foo\n"), -EINVAL);
	EXPECT_EQ(write_text(self->dir, "latency", "0\n"), 0);
	TABLE("latency");
	EXPECT_EQ(table.nr_rows, 0);
	EXPECT_EQ(write_text(self->dir, "latency", "1\n"), 0);
	TABLE("latency");
	EXPECT_EQ(table.nr_rows, 9);
	EXPECT_EQ(write_text(self->dir, "latency", "yes\n"), -EINVAL);
	EXPECT_EQ(write_text(self->dir, "latency", "0"), 0);
}

TEST_F(debugfs, retention)
{
	EXPECT_EQ(write_text(self->dir, "retention", "lazy\n"), 0);
	TABLE("retention");
	ASSERT_EQ(table.nr_rows, 3);
	EXPECT_STREQ(value("eager"), "0");
	EXPECT_STREQ(value("working-set"), "0");
	EXPECT_STREQ(value("lazy"), "1");
	EXPECT_EQ(write_text(self->dir, "retention", "eager"), 0);
	EXPECT_EQ(write_text(self->dir, "retention", "eage\n"), -EINVAL);
	EXPECT_EQ(write_text(self->dir, "retention",
			     "working-set lazy and more\n"), -EINVAL);
	TABLE("retention");
	EXPECT_STREQ(value("eager"), "1");
	EXPECT_STREQ(value("lazy"), "0");
	EXPECT_EQ(write_text(self->dir, "retention", "working-set\n"), 0);
	TABLE("retention");
	EXPECT_STREQ(value("working-set"), "1");
}

TEST_F(debugfs, evacuation)
{
	static const struct {
		const char *text;
		int ret;
	} bad[] = {
		{ "start\n", -EINVAL }, { "begin 20\n", -EINVAL },
		{ "start x\n", -EINVAL }, { "start 20 30\n", -EINVAL },
		{ "start -1\n", -EINVAL }, { "start 5000000000\n", -ERANGE },
		{ "start 1\n", -ERANGE }, { "start 30\n", -EINVAL },
		{ "hopeless 60 and so on until the line is long\n", -EINVAL },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_EQ(write_text(self->dir, "evacuation", bad[i].text),
			  bad[i].ret)
			TH_LOG("%s", bad[i].text);
	TABLE("evacuation");
	EXPECT_STREQ(value("start"), "16 2 1024");
	EXPECT_EQ(write_text(self->dir, "evacuation", "start 20\n"), 0);
	EXPECT_EQ(write_text(self->dir, "evacuation", "rest 0"), 0);
	TABLE("evacuation");
	EXPECT_STREQ(value("start"), "20 2 1024");
	EXPECT_STREQ(value("rest"), "0 0 100000");
}

/* Afterwards nothing is cached, no slab is empty, and live ones are as were. */
TEST_F(debugfs, shrink)
{
	long long returns, held;

	TABLE("frag");
	returns = number(value("bytes_shrink_returns"));
	held = number(value("bytes_held"));
	EXPECT_GT(self->snap->cpu_objs + self->snap->depot_objs, 0);
	ASSERT_EQ(write_file(self->dir, "shrink"), 0);
	free(self->head);
	self->head = kmag_snapshot(self->fd);
	ASSERT_NE(self->head, NULL);
	self->snap = kmag_snap_find(self->head, self->req.name);
	ASSERT_NE(self->snap, NULL);
	EXPECT_EQ(self->snap->live, 1286);
	EXPECT_EQ(self->snap->cpu_objs, 0);
	EXPECT_EQ(self->snap->depot_objs, 0);
	EXPECT_EQ(self->snap->slabs_by_class[0], 0);
	EXPECT_EQ(self->snap->skew, 0);
	EXPECT_EQ(self->snap->slots, 1286 + self->snap->slab_free);
	EXPECT_EQ(self->snap->slab_bytes, held - returns);
	ASSERT_EQ(write_file(self->dir, "validate"), 0);
	TABLE("validate");
	EXPECT_STREQ(table.rows[0], "ok 0");
}

/* A file that is open when its cache goes: an error, never a crash. */
TEST_F(debugfs, cache_goes)
{
	static const char *const files[] = { "stats", "slab_map", "validate" };
	int fds[ARRAY_SIZE(files)];
	char path[256], buf[64];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(files); i++) {
		snprintf(path, sizeof(path), "%s/%s", self->dir, files[i]);
		fds[i] = open(path, O_RDONLY);
		ASSERT_GE(fds[i], 0);
	}
	/* One has been read in part. */
	ASSERT_EQ(read(fds[1], buf, 10), 10);
	ASSERT_EQ(kmag_destroy(self->fd, self->id, KMAG_DESTROY_FORCE), 0);
	EXPECT_EQ(access(self->dir, F_OK), -1);
	for (i = 0; i < ARRAY_SIZE(files); i++) {
		EXPECT_EQ(read(fds[i], buf, sizeof(buf)), -1);
		EXPECT_EQ(errno, EIO);
		close(fds[i]);
	}
}

TEST_HARNESS_MAIN
