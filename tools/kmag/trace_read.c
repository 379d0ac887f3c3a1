// SPDX-License-Identifier: GPL-2.0
/*
 * Reads trace files, and trusts nothing in them: every length is checked
 * against the file, every number against what it may be, and the totals at the
 * end against what was read.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "trace.h"
#include "trace_code.h"
#include "util.h"

/* A cache name in the kernel is shorter than this by far. */
#define NAME_MAX_LEN	256
#define CPU_MAX		8192

/* Records of one CPU, in the order of the file */
struct stream {
	struct trace_rec *recs;
	size_t nr;
	size_t room;
	size_t next;		/* to be merged */
};

struct reader {
	const char *path;
	const uint8_t *map;
	size_t len;
	struct trace *t;
	struct stream *streams;
	char *error;
	bool done;
	unsigned int max_cache;
	uint64_t allocs;
};

static int bad(struct reader *r, char *error)
{
	if (!r->error)
		r->error = error;
	else
		free(error);
	return -1;
}

static int truncated(struct reader *r)
{
	return bad(r, xprintf("%s is truncated: it ends at byte %zu without its end block",
			      r->path, r->len));
}

static int corrupt(struct reader *r, size_t at, const char *what)
{
	return bad(r, xprintf("%s is corrupt: the block at byte %zu %s",
			      r->path, at, what));
}

static int read_records(struct reader *r, size_t at, const uint8_t *from,
			const uint8_t *end, uint32_t count)
{
	uint64_t cpu, v, time, *last_obj = NULL;
	uint32_t cache = TRACE_CACHE_ANY, gfp = 0, nr_last = 0;
	const char *what = "holds a record that makes no sense";
	struct stream *s;

	from = get_varint(from, end, &cpu);
	if (from)
		from = get_varint(from, end, &time);
	if (!from || cpu >= r->t->nr_cpus)
		return corrupt(r, at, "names no CPU of this trace");
	/* A record has two bytes at least. */
	if (count > (size_t)(end - from) / 2)
		return corrupt(r, at, "claims more records than it has room for");
	s = &r->streams[cpu];
	if (s->nr + count > s->room) {
		s->room = s->nr + count + s->room / 2;
		s->recs = xrealloc(s->recs, s->room * sizeof(*s->recs));
	}
	for (; count; count--) {
		struct trace_rec *rec = &s->recs[s->nr];
		uint8_t tag;

		if (from >= end)
			goto err_record;
		tag = *from++;
		if (tag & TAG_UNKNOWN)
			goto err_record;
		if (tag & TAG_TIME) {
			from = get_varint(from, end, &v);
			if (!from)
				goto err_record;
			time += v;
		}
		if (tag & TAG_CACHE) {
			from = get_varint(from, end, &v);
			if (!from || v > UINT16_MAX)
				goto err_record;
			cache = v;
		}
		if (tag & TAG_GFP) {
			from = get_varint(from, end, &v);
			if (!from || v > UINT32_MAX || (tag & TAG_FREE))
				goto err_record;
			gfp = v;
		}
		from = get_varint(from, end, &v);
		if (!from)
			goto err_record;
		if (cache >= nr_last) {
			uint32_t nr = cache + 64;

			last_obj = xrealloc(last_obj, nr * sizeof(*last_obj));
			memset(last_obj + nr_last, 0, (nr - nr_last) * sizeof(*last_obj));
			nr_last = nr;
		}
		last_obj[cache] += unzigzag(v);
		rec->time = time;
		rec->obj = obj_unfold(last_obj[cache]);
		rec->free = tag & TAG_FREE;
		rec->more = tag & TAG_MORE;
		rec->gfp = rec->free ? 0 : gfp;
		rec->cache = cache;
		rec->cpu = cpu;
		if (!rec->free && cache == TRACE_CACHE_ANY)
			goto err_record;
		if (cache > r->max_cache)
			r->max_cache = cache;
		r->allocs += !rec->free;
		s->nr++;
	}
	free(last_obj);
	if (from != end)
		return corrupt(r, at, "is longer than its records");
	return 0;

err_record:
	free(last_obj);
	return corrupt(r, at, what);
}

static int read_caches(struct reader *r, size_t at, const uint8_t *from,
		       const uint8_t *end, uint32_t count)
{
	struct trace *t = r->t;
	uint64_t v[4];
	uint32_t i, k;

	if (t->caches)
		return corrupt(r, at, "is a second cache table");
	if (count < 1 || count > UINT16_MAX + 1 || count > (size_t)(end - from) / 4)
		return corrupt(r, at, "claims a count of caches that cannot be");
	t->caches = xalloc(count * sizeof(*t->caches));
	t->nr_caches = count;
	for (i = 0; i < count; i++) {
		for (k = 0; k < 4; k++) {
			from = get_varint(from, end, &v[k]);
			if (!from || v[k] > UINT32_MAX)
				return corrupt(r, at, "holds a cache that makes no sense");
		}
		if (v[3] > NAME_MAX_LEN || v[3] > (size_t)(end - from))
			return corrupt(r, at, "holds a cache name that makes no sense");
		t->caches[i].size = v[0];
		t->caches[i].align = v[1];
		t->caches[i].flags = v[2];
		t->caches[i].name = xprintf("%.*s", (int)v[3], (const char *)from);
		from += v[3];
	}
	if (from != end)
		return corrupt(r, at, "is longer than its caches");
	return 0;
}

static int read_totals(struct reader *r, size_t at, const uint8_t *from,
		       const uint8_t *end)
{
	struct trace_totals *to = &r->t->totals;
	uint64_t *v[] = { &to->records, &to->allocs, &to->lost, &to->bulk_lost,
			  &to->unpaired, &to->ns };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(v); i++) {
		from = get_varint(from, end, v[i]);
		if (!from)
			return corrupt(r, at, "lacks totals");
	}
	r->done = true;
	return 0;
}

static int read_block(struct reader *r, size_t *at)
{
	const uint8_t *head = r->map + *at, *payload = head + TRACE_BLOCK_LEN;
	uint32_t type, len, count, sum;
	int ret = 0;

	if (r->len - *at < TRACE_BLOCK_LEN)
		return truncated(r);
	type = get_le(head, 4);
	len = get_le(head + 4, 4);
	count = get_le(head + 8, 4);
	sum = get_le(head + 12, 4);
	if (len > TRACE_BLOCK_MAX)
		return corrupt(r, *at, "claims a length that cannot be");
	if (len > r->len - *at - TRACE_BLOCK_LEN)
		return truncated(r);
	if (sum != crc32(crc32(0, head, TRACE_BLOCK_LEN - 4), payload, len))
		return corrupt(r, *at, "does not match its checksum");
	switch (type) {
	case TRACE_BLOCK_INFO:
		if (!r->t->info)
			r->t->info = xprintf("%.*s", (int)len, (const char *)payload);
		break;
	case TRACE_BLOCK_RECS:
		ret = read_records(r, *at, payload, payload + len, count);
		break;
	case TRACE_BLOCK_CACHES:
		ret = read_caches(r, *at, payload, payload + len, count);
		break;
	case TRACE_BLOCK_DONE:
		ret = read_totals(r, *at, payload, payload + len);
		break;
	default:
		/* Blocks may be added without a new version: not for us. */
		break;
	}
	*at += TRACE_BLOCK_LEN + len;
	return ret;
}

/* The streams of the CPUs into one, by time; a bulk call stays in one piece. */
static void merge(struct reader *r)
{
	struct trace *t = r->t;
	struct stream **live, *s = NULL;
	unsigned int i, nr_live = 0;
	size_t total = 0, out = 0;

	live = xalloc(t->nr_cpus * sizeof(*live));
	for (i = 0; i < t->nr_cpus; i++) {
		total += r->streams[i].nr;
		if (r->streams[i].nr)
			live[nr_live++] = &r->streams[i];
	}
	t->recs = xalloc(total * sizeof(*t->recs));
	t->nr_recs = total;
	while (nr_live) {
		unsigned int best = 0;

		if (!s) {
			for (i = 1; i < nr_live; i++)
				if (live[i]->recs[live[i]->next].time <
				    live[best]->recs[live[best]->next].time)
					best = i;
			s = live[best];
		}
		t->recs[out] = s->recs[s->next++];
		if (s->next == s->nr) {
			t->recs[out].more = false;
			for (i = 0; live[i] != s; i++)
				;
			live[i] = live[--nr_live];
			s = NULL;
		} else if (!t->recs[out].more) {
			s = NULL;
		}
		out++;
	}
	free(live);
}

static int read_all(struct reader *r)
{
	struct trace *t = r->t;
	size_t at = TRACE_HEADER_LEN, records = 0;
	unsigned int version, i;

	if (r->len < 8 || memcmp(r->map, TRACE_MAGIC, 8))
		return bad(r, xprintf("%s is not a kmag trace", r->path));
	if (r->len < TRACE_HEADER_LEN)
		return truncated(r);
	version = get_le(r->map + 8, 2);
	if (version > TRACE_VERSION)
		return bad(r, xprintf("%s is of a newer kmag: its format is %u, this one reads %u",
				      r->path, version, TRACE_VERSION));
	if (get_le(r->map + 12, 4) != crc32(0, r->map, 12))
		return bad(r, xprintf("%s is corrupt: its header does not match its checksum",
				      r->path));
	t->nr_cpus = get_le(r->map + 10, 2);
	if (!t->nr_cpus || t->nr_cpus > CPU_MAX)
		return bad(r, xprintf("%s is corrupt: it claims %u CPUs",
				      r->path, t->nr_cpus));
	r->streams = xalloc(t->nr_cpus * sizeof(*r->streams));
	while (!r->done)
		if (read_block(r, &at))
			return -1;
	if (at != r->len)
		return bad(r, xprintf("%s is corrupt: %zu bytes follow its end block",
				      r->path, r->len - at));
	for (i = 0; i < t->nr_cpus; i++)
		records += r->streams[i].nr;
	if (records != t->totals.records || r->allocs != t->totals.allocs)
		return bad(r, xprintf("%s is corrupt: it holds %zu records and says %llu",
				      r->path, records,
				      (unsigned long long)t->totals.records));
	if (r->max_cache >= t->nr_caches)
		return bad(r, xprintf("%s is corrupt: records name cache %u of %u",
				      r->path, r->max_cache, t->nr_caches));
	merge(r);
	return 0;
}

struct trace *trace_load(const char *path, char **error)
{
	struct reader r = { .path = path };
	struct stat st;
	unsigned int i;
	int fd, ret = -1;

	*error = NULL;
	/* What is no file must not keep us waiting until that shows. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st)) {
		*error = xprintf("cannot open %s: %s", path_name(path), strerror(errno));
		goto err_open;
	}
	if (!S_ISREG(st.st_mode) || !st.st_size) {
		*error = xprintf(S_ISREG(st.st_mode) ? "%s is empty" : "%s is no file", path);
		goto err_open;
	}
	r.len = st.st_size;
	r.map = mmap(NULL, r.len, PROT_READ, MAP_PRIVATE, fd, 0);
	if (r.map == MAP_FAILED) {
		*error = xprintf("cannot read %s: %s", path, strerror(errno));
		goto err_open;
	}
	r.t = xalloc(sizeof(*r.t));
	r.t->file_bytes = r.len;
	ret = read_all(&r);
	for (i = 0; r.streams && i < r.t->nr_cpus; i++)
		free(r.streams[i].recs);
	free(r.streams);
	munmap((void *)r.map, r.len);
	if (ret) {
		*error = r.error;
		trace_free(r.t);
		r.t = NULL;
	}
err_open:
	if (fd >= 0)
		close(fd);
	return r.t;
}

void trace_free(struct trace *t)
{
	unsigned int i;

	if (!t)
		return;
	for (i = 0; i < t->nr_caches; i++)
		free(t->caches[i].name);
	free(t->caches);
	free(t->recs);
	free(t->info);
	free(t);
}

char *trace_info(const struct trace *t, const char *key)
{
	size_t len = strlen(key);
	const char *line = t->info;

	while (line && *line) {
		if (!strncmp(line, key, len) && line[len] == '=')
			return xprintf("%.*s", (int)strcspn(line + len + 1, "\n"),
				       line + len + 1);
		line = strchr(line, '\n');
		if (line)
			line++;
	}
	return NULL;
}
