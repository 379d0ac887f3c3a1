// SPDX-License-Identifier: GPL-2.0
/*
 * The trace file, written and read back, whole and broken. Prints TAP; exits 1
 * when a test fails.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "../trace.h"
#include "../trace_code.h"
#include "../util.h"
#include "tap.h"

#define CPUS		3
#define NR_RECS		20000

static char *path;
static struct trace_rec written[NR_RECS];

static uint64_t random_step(void)
{
	static uint64_t x = 88172645463325252ULL;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x;
}

static int write_trace(size_t nr)
{
	struct trace_cache caches[] = {
		{},
		{ "dentry", 192, 8, TRACE_CF_KNOWN | TRACE_CF_RECLAIM },
		{ "", 8, 0, TRACE_CF_KNOWN },
		{ NULL, 0, 0, 0 },
	};
	struct trace_totals totals = { .lost = 7, .bulk_lost = 8, .unpaired = 9, .ns = 1ULL << 40 };
	uint64_t time[CPUS] = { 5, 1ULL << 50, 0 };
	bool more[CPUS] = {};
	struct trace_writer *w;
	size_t i;

	w = trace_create(path, CPUS, "kernel=test\ncommand=a = b\n");
	if (!w)
		return -1;
	for (i = 0; i < nr; i++) {
		struct trace_rec *r = &written[i];
		uint64_t x = random_step();

		memset(r, 0, sizeof(*r));
		r->cpu = x % CPUS;
		r->free = x >> 8 & 1;
		r->cache = r->free ? x >> 16 & 3 : 1 + (x >> 16) % 3;
		r->gfp = r->free ? 0 : x >> 24 & 0xff ? 0xdc0 : UINT32_MAX;
		r->more = i + 1 < nr && (x >> 32 & 7) == 0;
		/* Objects that lie close, odd ones, and far ones */
		r->obj = x >> 40 & 1 ? 0xffff888000000000ULL + (x & 0xffffff) : random_step() | 1;
		/* The objects of a bulk call have one time. */
		if (!more[r->cpu])
			time[r->cpu] += x >> 48 & 3 ? x >> 50 : 0;
		more[r->cpu] = r->more;
		r->time = time[r->cpu];
		if (trace_write(w, r))
			return -1;
	}
	return trace_finish(w, caches, ARRAY_SIZE(caches), &totals);
}

static bool same(const struct trace_rec *a, const struct trace_rec *b)
{
	return a->time == b->time && a->obj == b->obj && a->gfp == b->gfp &&
	       a->cache == b->cache && a->free == b->free;
}

/* Every CPU's records are those written, in that order. */
static const char *compare(const struct trace *t, size_t nr)
{
	size_t cpu, i, k;

	if (t->nr_recs != nr)
		return "another number of records";
	for (cpu = 0; cpu < CPUS; cpu++) {
		for (i = 0, k = 0;; i++, k++) {
			while (i < nr && written[i].cpu != cpu)
				i++;
			while (k < nr && t->recs[k].cpu != cpu)
				k++;
			if (i >= nr || k >= nr)
				break;
			if (!same(&written[i], &t->recs[k]))
				return "a record differs";
		}
		if (i < nr || k < nr)
			return "a CPU has another number of records";
	}
	for (i = 1; i < nr; i++)
		if (t->recs[i].time < t->recs[i - 1].time)
			return "records are not in the order of time";
	return NULL;
}

static void test_round_trip(size_t nr, const char *name)
{
	struct trace *t = NULL;
	const char *why = NULL;
	char *error = NULL, *command;

	if (write_trace(nr)) {
		result(false, name, "cannot write");
		return;
	}
	t = trace_load(path, &error);
	if (!t) {
		result(false, name, error);
		free(error);
		return;
	}
	why = compare(t, nr);
	command = trace_info(t, "command");
	if (!command || strcmp(command, "a = b"))
		why = "the command differs";
	if (trace_info(t, "comm"))
		why = "a key that is not there has a value";
	if (t->nr_caches != 4 || strcmp(t->caches[1].name, "dentry") ||
	    t->caches[1].size != 192 || t->caches[1].align != 8 ||
	    t->caches[1].flags != (TRACE_CF_KNOWN | TRACE_CF_RECLAIM))
		why = "the cache table differs";
	if (t->totals.lost != 7 || t->totals.bulk_lost != 8 || t->totals.unpaired != 9 ||
	    t->totals.ns != 1ULL << 40)
		why = "the totals differ";
	result(!why, name, why);
	free(command);
	trace_free(t);
}

static uint8_t *slurp(size_t *len)
{
	struct stat st;
	uint8_t *buf;
	int fd = open(path, O_RDONLY);

	if (fd < 0 || fstat(fd, &st))
		exit(1);
	buf = xalloc(st.st_size + 64);
	*len = read(fd, buf, st.st_size);
	close(fd);
	return buf;
}

static void spill(const void *buf, size_t len)
{
	int fd = open(path, O_WRONLY | O_TRUNC);

	if (fd < 0 || write(fd, buf, len) != (ssize_t)len)
		exit(1);
	close(fd);
}

/* The file is refused, in one sentence that says @expect. */
static bool refused(const char *expect, char **why)
{
	struct trace *t = trace_load(path, why);

	if (t) {
		trace_free(t);
		*why = xprintf("it was read");
		return false;
	}
	return *why && strstr(*why, expect) && !strchr(*why, '\n');
}

static void test_refused(const uint8_t *buf, size_t len, const char *expect, const char *name)
{
	char *why;
	bool good;

	spill(buf, len);
	good = refused(expect, &why);
	result(good, name, why);
	free(why);
}

/* Cut anywhere: always refused, and as truncated once past the magic. */
static void test_cuts(const uint8_t *buf, size_t len)
{
	size_t cut, bad = 0;
	char *why;

	for (cut = 8; cut < len; cut += cut < 200 ? 1 : len / 97) {
		spill(buf, cut);
		bad += !refused("is truncated", &why);
		free(why);
	}
	result(!bad, "cut at any place", NULL);
}

/* Cut between two blocks: every block is whole, and still it is told. */
static void test_cut_blocks(const uint8_t *buf, size_t len)
{
	size_t at = TRACE_HEADER_LEN, blocks = 0, bad = 0;
	char *why;

	while (at < len) {
		spill(buf, at);
		bad += !refused("is truncated", &why);
		free(why);
		at += TRACE_BLOCK_LEN + get_le(buf + at + 4, 4);
		blocks++;
	}
	result(!bad && at == len && blocks >= 4, "cut between any two blocks", NULL);
}

/* One bit turned anywhere: never read as if nothing had happened. */
static void test_flips(uint8_t *buf, size_t len)
{
	size_t at, bad = 0;
	char *why;

	for (at = 0; at < len; at += at < 200 ? 1 : len / 211) {
		buf[at] ^= 1 << at % 8;
		spill(buf, len);
		bad += !refused("", &why);
		free(why);
		buf[at] ^= 1 << at % 8;
	}
	result(!bad, "a bit turned at any place", NULL);
}

/* What is no regular file: refused at once, also where opening would wait. */
static void test_no_file(void)
{
	char *fifo = xprintf("%s.fifo", path), *old = path, *why;
	bool good;

	path = "/";
	good = refused("is no file", &why);
	result(good, "a folder", why);
	free(why);
	path = fifo;
	good = !mkfifo(fifo, 0600) && refused("is no file", &why);
	result(good, "a pipe", NULL);
	unlink(fifo);
	free(fifo);
	path = old;
}

/* Random payloads under right checksums: refused or read, never a crash. */
static void test_noise(const uint8_t *buf, size_t len)
{
	uint8_t *copy = xalloc(len);
	unsigned int round;

	for (round = 0; round < 300; round++) {
		size_t at = TRACE_HEADER_LEN;

		memcpy(copy, buf, len);
		while (at + TRACE_BLOCK_LEN <= len) {
			uint32_t payload = get_le(copy + at + 4, 4), i;
			uint8_t *data = copy + at + TRACE_BLOCK_LEN;

			for (i = 0; i < 4 && payload; i++)
				data[random_step() % payload] = random_step();
			put_le(copy + at + 12, crc32(crc32(0, copy + at, 12), data, payload), 4);
			at += TRACE_BLOCK_LEN + payload;
		}
		spill(copy, len);
		{
			char *why;

			trace_free(trace_load(path, &why));
			free(why);
		}
	}
	free(copy);
	result(true, "noise under right checksums", NULL);
}

static void test_write_errors(void)
{
	struct trace_writer *w;
	struct stat st;
	int i, ret = 0;

	result(!trace_create("/nonexistent/trace", 1, ""), "no folder to write to", NULL);
	w = trace_create("/dev/full", 1, "");
	for (i = 0; w && i < 1000000 && !ret; i++) {
		struct trace_rec rec = { .cache = 1, .obj = i * 4096 + 8, .time = i };

		ret = trace_write(w, &rec);
	}
	result(w && ret, "a full disk is told", NULL);
	if (w)
		trace_abort(w);
	result(!stat("/dev/full", &st), "what is no file stays", NULL);
}

/* What was there is replaced when the new one is whole, and not before. */
static void test_replace(void)
{
	struct trace_totals totals = {};
	struct trace_cache any = {};
	struct stat old, st;
	struct trace_writer *w;

	chmod(path, 0644);
	result(!stat(path, &old) && old.st_size, "a trace is there", NULL);
	w = trace_create(path, 1, "");
	if (w)
		trace_abort(w);
	result(w && !stat(path, &st) && st.st_ino == old.st_ino && st.st_size == old.st_size,
	       "one that is dropped leaves it", NULL);
	w = trace_create(path, 1, "");
	result(w && !trace_finish(w, &any, 1, &totals) && !stat(path, &st) &&
	       st.st_ino != old.st_ino && (st.st_mode & 0777) == 0600,
	       "one that is whole replaces it, for its owner only", NULL);
}

int main(void)
{
	size_t len;
	uint8_t *buf;
	int fd;

	path = xprintf("%s/kmag-trace-test.XXXXXX", getenv("TMPDIR") ?: "/tmp");
	fd = mkstemp(path);
	if (fd < 0)
		return 1;
	close(fd);
	plan(21);
	test_round_trip(NR_RECS, "round trip");
	test_round_trip(1, "one record");
	test_round_trip(0, "no record");

	if (write_trace(3000))
		return 1;
	buf = slurp(&len);
	test_cuts(buf, len);
	test_cut_blocks(buf, len);
	test_flips(buf, len);
	test_noise(buf, len);
	test_refused(buf, 0, "is empty", "an empty file");
	test_refused((const uint8_t *)"#!/bin/sh\nexit 0\n", 17, "is not a kmag trace",
		     "a foreign file");
	buf[len] = 0;
	test_refused(buf, len + 1, "follow its end block", "bytes behind the end");
	buf[TRACE_HEADER_LEN + TRACE_BLOCK_LEN] ^= 1;
	test_refused(buf, len, "does not match its checksum", "a corrupt block");
	buf[TRACE_HEADER_LEN + TRACE_BLOCK_LEN] ^= 1;
	put_le(buf + 8, TRACE_VERSION + 1, 2);
	put_le(buf + 12, crc32(0, buf, 12), 4);
	test_refused(buf, len, "newer kmag", "a future version");
	free(buf);
	test_replace();
	unlink(path);
	{
		char *why;
		bool good = refused("cannot open", &why);

		result(good, "no such file", why);
		free(why);
	}
	test_no_file();
	test_write_errors();
	return finished();
}
