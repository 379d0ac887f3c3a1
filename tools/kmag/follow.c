// SPDX-License-Identifier: GPL-2.0
/*
 * Turns tracing events into trace records, and keeps the table of caches.
 *
 * A cache is told by its address. What describes it comes from another event,
 * on whatever CPU, so a number is given at first sight and filled in later.
 * When an address is described anew in other words, another cache lives there
 * now, and gets a number of its own.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "follow.h"
#include "util.h"

/* An allocation that has begun; a place is found by hash and overwritten. */
#define NR_PENDING	4096
struct pending {
	uint64_t cache;
	int pid;
	int cpu;		/* -1: of a task, which may move */
	unsigned int context;
};

void follow_init(struct follow *f, struct trace_writer *w, const struct kbtf *k)
{
	*f = (struct follow){ .writer = w, .kbtf = k, .nr_caches = 1 };
	f->caches = xalloc(sizeof(*f->caches));
	f->ops = xalloc(sizeof(*f->ops));
	f->pending = xalloc(NR_PENDING * sizeof(*f->pending));
}

static unsigned int new_cache(struct follow *f, uint64_t address)
{
	unsigned int nr = f->nr_caches;

	if (nr > UINT16_MAX)
		return TRACE_CACHE_ANY;
	f->nr_caches++;
	f->caches = xrealloc(f->caches, f->nr_caches * sizeof(*f->caches));
	f->ops = xrealloc(f->ops, f->nr_caches * sizeof(*f->ops));
	f->caches[nr] = (struct trace_cache){};
	f->ops[nr] = 0;
	*map_put(&f->by_address, address) = nr;
	return nr;
}

static unsigned int cache_number(struct follow *f, uint64_t address)
{
	uint32_t *nr;

	if (!address)
		return TRACE_CACHE_ANY;
	nr = map_get(&f->by_address, address);
	return nr ? *nr : new_cache(f, address);
}

static unsigned int cache_by_name(const struct follow *f, const char *name)
{
	uint32_t *nr = map_get(&f->by_name, map_name_key(name));

	return nr ? *nr : TRACE_CACHE_ANY;
}

static void describe(struct follow *f, const struct probe_event *ev)
{
	uint32_t flags = kbtf_flags(f->kbtf, ev->cache_flags, ev->ctor);
	unsigned int nr = cache_number(f, ev->cache);
	struct trace_cache *c = &f->caches[nr];

	if (nr == TRACE_CACHE_ANY)
		return;
	if (c->name) {
		if (!strcmp(c->name, ev->name) && c->size == ev->size &&
		    c->align == ev->align && c->flags == flags)
			return;
		nr = new_cache(f, ev->cache);
		if (nr == TRACE_CACHE_ANY)
			return;
		c = &f->caches[nr];
	}
	c->name = xprintf("%s", ev->name);
	*map_put(&f->by_name, map_name_key(ev->name)) = nr;
	c->size = ev->size;
	c->align = ev->align;
	c->flags = flags;
}

static void emit(struct follow *f, const struct trace_rec *rec)
{
	if (f->error)
		return;
	if (trace_write(f->writer, rec)) {
		f->error = errno;
		return;
	}
	f->records++;
	f->ops[rec->cache]++;
}

static void bulk(struct follow *f, struct trace_rec *rec, const struct probe_event *ev)
{
	unsigned int i, max;

	max = rec->free ? PROBE_FREE_BULK_MAX : PROBE_ALLOC_BULK_MAX;
	if (!ev->nr_objs) {
		/* A kernel that cannot tell the objects, or none at all */
		f->bulk_lost += ev->count;
		return;
	}
	if (!ev->first && ev->count > max)
		f->bulk_lost += ev->count - max;
	for (i = 0; i < ev->nr_objs; i++) {
		rec->obj = ev->objs[i];
		rec->more = ev->first + i + 1 < ev->count &&
			    ev->first + i + 1 < max;
		if (rec->obj)
			emit(f, rec);
		else
			f->bulk_lost++;
	}
}

static struct pending *pending(struct follow *f, unsigned int cpu,
			       const struct probe_event *ev, struct pending *key)
{
	uint64_t hash;

	key->pid = ev->pid;
	key->context = ev->flags & PROBE_INTERRUPT;
	/* Interrupts stay on their CPU; every CPU has an idle task 0. */
	key->cpu = key->context || !ev->pid ? (int)cpu : -1;
	hash = ((uint64_t)key->pid << 20) ^ (key->context << 12) ^ (key->cpu + 1);
	return &f->pending[(hash * 0x9e3779b97f4a7c15ULL) >> 52];
}

static void enter(struct follow *f, unsigned int cpu, const struct probe_event *ev)
{
	struct pending key, *p = pending(f, cpu, ev, &key);

	if (p->cache)
		f->unpaired++;
	key.cache = ev->cache;
	*p = key;
}

static bool leave(struct follow *f, unsigned int cpu, const struct probe_event *ev,
		  struct trace_rec *rec)
{
	struct pending key, *p = pending(f, cpu, ev, &key);

	if (!p->cache || p->pid != key.pid || p->cpu != key.cpu || p->context != key.context) {
		f->unpaired++;
		return false;
	}
	rec->cache = cache_number(f, p->cache);
	p->cache = 0;
	return true;
}

void follow_event(struct follow *f, unsigned int cpu, uint64_t time,
		  const struct probe_event *ev)
{
	struct trace_rec rec = { .time = time, .cpu = cpu, .obj = ev->obj, .gfp = ev->gfp };

	switch (ev->kind) {
	case PROBE_CACHE:
		if (ev->cache)
			describe(f, ev);
		return;
	case PROBE_ENTER:
		enter(f, cpu, ev);
		return;
	case PROBE_LEAVE:
		if (!leave(f, cpu, ev, &rec))
			return;
		break;
	case PROBE_FREE:
	case PROBE_FREE_BULK:
		rec.free = true;
		rec.gfp = 0;
		if (ev->kind == PROBE_FREE && ev->name) {
			rec.cache = cache_by_name(f, ev->name);
			break;
		}
		__attribute__((fallthrough));
	default:
		rec.cache = cache_number(f, ev->cache);
		break;
	}
	if (!rec.free && rec.cache == TRACE_CACHE_ANY)
		return;
	if (ev->kind == PROBE_ALLOC_BULK || ev->kind == PROBE_FREE_BULK)
		bulk(f, &rec, ev);
	else if (rec.obj)
		emit(f, &rec);
}

unsigned int follow_used(const struct follow *f, unsigned int *unknown)
{
	unsigned int i, used = 0;

	*unknown = 0;
	for (i = 1; i < f->nr_caches; i++) {
		used += !!f->ops[i];
		*unknown += f->ops[i] && !f->caches[i].name;
	}
	return used;
}

void follow_free(struct follow *f)
{
	unsigned int i;

	for (i = 0; i < f->nr_caches; i++)
		free(f->caches[i].name);
	free(f->caches);
	free(f->ops);
	free(f->pending);
	map_free(&f->by_address);
	map_free(&f->by_name);
}
