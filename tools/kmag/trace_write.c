// SPDX-License-Identifier: GPL-2.0
/*
 * Writes trace files. Each CPU has a block of its own being filled; a block
 * starts from nothing, so that the loss of one costs no other.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "draft.h"
#include "trace.h"
#include "trace_code.h"
#include "util.h"

#define BLOCK_BYTES	(128 * 1024)
#define RECORD_MAX	(1 + 4 * VARINT_MAX)

struct cpu_block {
	uint8_t *buf;		/* header and payload */
	uint8_t *to;
	uint32_t count;
	uint64_t time;
	uint32_t gfp;
	uint32_t cache;
	uint64_t *last_obj;	/* folded, by cache; of this block */
	uint32_t nr_last;
};

struct trace_writer {
	struct draft draft;
	uint64_t bytes;
	struct cpu_block *cpus;
	unsigned int nr_cpus;
	uint64_t records;
	uint64_t allocs;
};

static int write_all(struct trace_writer *w, const void *buf, size_t len)
{
	if (fwrite(buf, 1, len, w->draft.file) != len)
		return -1;
	w->bytes += len;
	return 0;
}

/* @block begins with room for the header. */
static int write_block(struct trace_writer *w, uint32_t type, uint32_t count,
		       uint8_t *block, size_t payload)
{
	uint8_t *to = block;

	to = put_le(to, type, 4);
	to = put_le(to, payload, 4);
	to = put_le(to, count, 4);
	/* Over all but the sum itself, which comes last in the header */
	put_le(to, crc32(crc32(0, block, TRACE_BLOCK_LEN - 4),
			 block + TRACE_BLOCK_LEN, payload), 4);
	return write_all(w, block, TRACE_BLOCK_LEN + payload);
}

static void cpu_begin(struct cpu_block *c, unsigned int cpu, uint64_t time)
{
	if (!c->buf)
		c->buf = xalloc(BLOCK_BYTES);
	c->to = put_varint(c->buf + TRACE_BLOCK_LEN, cpu);
	c->to = put_varint(c->to, time);
	c->count = 0;
	c->time = time;
	c->gfp = 0;
	c->cache = TRACE_CACHE_ANY;
	if (c->nr_last)
		memset(c->last_obj, 0, c->nr_last * sizeof(*c->last_obj));
}

static int cpu_flush(struct trace_writer *w, struct cpu_block *c)
{
	uint32_t count = c->count;

	c->count = 0;
	if (!count)
		return 0;
	return write_block(w, TRACE_BLOCK_RECS, count, c->buf,
			   c->to - c->buf - TRACE_BLOCK_LEN);
}

/* Of no use any more, whole or not. */
static void writer_free(struct trace_writer *w)
{
	unsigned int i;

	for (i = 0; i < w->nr_cpus; i++) {
		free(w->cpus[i].buf);
		free(w->cpus[i].last_obj);
	}
	free(w->cpus);
	free(w);
}

struct trace_writer *trace_create(const char *path, unsigned int nr_cpus,
				  const char *info)
{
	size_t info_len = strlen(info);
	uint8_t head[TRACE_HEADER_LEN], *block;
	struct trace_writer *w;
	int ret, err;

	w = xalloc(sizeof(*w));
	w->nr_cpus = nr_cpus;
	w->cpus = xalloc(nr_cpus * sizeof(*w->cpus));
	/* It tells kernel addresses: for its owner only. */
	if (draft_open(&w->draft, path, 0600)) {
		writer_free(w);
		return NULL;
	}
	setvbuf(w->draft.file, NULL, _IOFBF, 1 << 20);

	memcpy(head, TRACE_MAGIC, 8);
	put_le(head + 8, TRACE_VERSION, 2);
	put_le(head + 10, nr_cpus, 2);
	put_le(head + 12, crc32(0, head, 12), 4);
	if (write_all(w, head, sizeof(head)))
		goto err_open;
	block = xalloc(TRACE_BLOCK_LEN + info_len);
	memcpy(block + TRACE_BLOCK_LEN, info, info_len);
	ret = write_block(w, TRACE_BLOCK_INFO, 0, block, info_len);
	free(block);
	if (ret)
		goto err_open;
	return w;

err_open:
	err = errno;
	trace_abort(w);
	errno = err;
	return NULL;
}

int trace_write(struct trace_writer *w, const struct trace_rec *rec)
{
	struct cpu_block *c = &w->cpus[rec->cpu];
	uint8_t tag = 0, *start, *to;
	uint64_t folded;

	if (c->count && c->to > c->buf + BLOCK_BYTES - RECORD_MAX && cpu_flush(w, c))
		return -1;
	if (!c->count)
		cpu_begin(c, rec->cpu, rec->time);
	if (rec->cache >= c->nr_last) {
		uint32_t nr = rec->cache + 64;

		c->last_obj = xrealloc(c->last_obj, nr * sizeof(*c->last_obj));
		memset(c->last_obj + c->nr_last, 0,
		       (nr - c->nr_last) * sizeof(*c->last_obj));
		c->nr_last = nr;
	}

	start = c->to;
	to = start + 1;
	if (rec->free)
		tag |= TAG_FREE;
	if (rec->more)
		tag |= TAG_MORE;
	if (rec->time != c->time) {
		/* Clocks may step back a little: the order is what counts. */
		uint64_t delta = rec->time > c->time ? rec->time - c->time : 0;

		if (delta) {
			tag |= TAG_TIME;
			to = put_varint(to, delta);
			c->time = rec->time;
		}
	}
	if (rec->cache != c->cache) {
		tag |= TAG_CACHE;
		to = put_varint(to, rec->cache);
		c->cache = rec->cache;
	}
	if (!rec->free && rec->gfp != c->gfp) {
		tag |= TAG_GFP;
		to = put_varint(to, rec->gfp);
		c->gfp = rec->gfp;
	}
	folded = obj_fold(rec->obj);
	to = put_varint(to, zigzag(folded - c->last_obj[rec->cache]));
	c->last_obj[rec->cache] = folded;
	*start = tag;
	c->to = to;
	c->count++;
	w->records++;
	w->allocs += !rec->free;
	return 0;
}

static int write_caches(struct trace_writer *w, const struct trace_cache *caches,
			unsigned int nr)
{
	size_t room = TRACE_BLOCK_LEN;
	uint8_t *block, *to;
	unsigned int i;
	int ret;

	for (i = 0; i < nr; i++)
		room += 4 * VARINT_MAX + (caches[i].name ? strlen(caches[i].name) : 0);
	block = xalloc(room);
	to = block + TRACE_BLOCK_LEN;
	for (i = 0; i < nr; i++) {
		size_t len = caches[i].name ? strlen(caches[i].name) : 0;

		to = put_varint(to, caches[i].size);
		to = put_varint(to, caches[i].align);
		to = put_varint(to, caches[i].flags);
		to = put_varint(to, len);
		if (len)
			memcpy(to, caches[i].name, len);
		to += len;
	}
	ret = write_block(w, TRACE_BLOCK_CACHES, nr, block,
			  to - block - TRACE_BLOCK_LEN);
	free(block);
	return ret;
}

int trace_finish(struct trace_writer *w, const struct trace_cache *caches,
		 unsigned int nr_caches, struct trace_totals *totals)
{
	uint8_t block[TRACE_BLOCK_LEN + 6 * VARINT_MAX], *to = block + TRACE_BLOCK_LEN;
	unsigned int i;
	int err;

	totals->records = w->records;
	totals->allocs = w->allocs;
	for (i = 0; i < w->nr_cpus; i++)
		if (cpu_flush(w, &w->cpus[i]))
			goto err_write;
	if (write_caches(w, caches, nr_caches))
		goto err_write;
	to = put_varint(to, totals->records);
	to = put_varint(to, totals->allocs);
	to = put_varint(to, totals->lost);
	to = put_varint(to, totals->bulk_lost);
	to = put_varint(to, totals->unpaired);
	to = put_varint(to, totals->ns);
	if (write_block(w, TRACE_BLOCK_DONE, 0, block, to - block - TRACE_BLOCK_LEN))
		goto err_write;
	if (draft_done(&w->draft))
		goto err_write;
	writer_free(w);
	return 0;

err_write:
	err = errno;
	trace_abort(w);
	errno = err;
	return -1;
}

void trace_abort(struct trace_writer *w)
{
	draft_drop(&w->draft);
	writer_free(w);
}

uint64_t trace_bytes(const struct trace_writer *w)
{
	return w->bytes;
}
