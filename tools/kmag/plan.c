// SPDX-License-Identifier: GPL-2.0
/*
 * Turns a recording into batches of records for the device.
 *
 * Objects become slots. The device wants a slot to be allocated and freed once
 * in a batch, so slots that were freed wait for the next batch to be used
 * again. A recording has edges and holes: what is freed without having been
 * allocated is skipped and counted; an address that is allocated while it is
 * still in use tells of a free that nobody saw, and that free is put in.
 */
#include <stdlib.h>
#include <string.h>

#include "map.h"
#include "plan.h"
#include "util.h"

struct maker {
	const struct trace *t;
	const bool *usable;
	struct plan *p;
	struct map objects;	/* to slot + 1; 0: freed */
	uint16_t *slot_cache;
	uint32_t slot_room;
	uint32_t *idle;		/* slots to be had, and from nr_idle on freed ones */
	uint32_t nr_idle, nr_freed, idle_room;
	uint32_t *live;		/* now, by cache */
	size_t batch_recs;
	size_t rec_room;
	bool chain;		/* the last record may go on as a bulk call */
	unsigned int bulk;	/* records in it so far */
};

static uint8_t gfp_class(const struct trace_cache *c, uint32_t gfp)
{
	uint8_t class = KMAG_GFP_NOWAIT;

	if (gfp & TRACE_GFP_DIRECT)
		class = KMAG_GFP_KERNEL;
	else if (gfp & TRACE_GFP_HIGH)
		class = KMAG_GFP_ATOMIC;
	/* Constructed objects are not zeroed. */
	if ((gfp & TRACE_GFP_ZERO) && !(c->flags & TRACE_CF_CTOR))
		class |= KMAG_GFP_ZERO;
	return class;
}

static uint32_t take_slot(struct maker *m, unsigned int cache)
{
	uint32_t slot;

	if (m->nr_idle) {
		/* The last of the freed ones, if any, fills the gap. */
		slot = m->idle[--m->nr_idle];
		if (m->nr_freed)
			m->idle[m->nr_idle] = m->idle[m->nr_idle + m->nr_freed];
	} else {
		slot = m->p->nr_slots++;
	}
	if (slot >= m->slot_room) {
		m->slot_room = slot + slot / 2 + 1024;
		m->slot_cache = xrealloc(m->slot_cache, m->slot_room * sizeof(*m->slot_cache));
	}
	m->slot_cache[slot] = cache;
	return slot;
}

static void put_slot(struct maker *m, uint32_t slot)
{
	uint32_t at = m->nr_idle + m->nr_freed++;

	if (at >= m->idle_room) {
		m->idle_room = at + at / 2 + 1024;
		m->idle = xrealloc(m->idle, m->idle_room * sizeof(*m->idle));
	}
	m->idle[at] = slot;
}

static void emit(struct maker *m, const struct trace_rec *rec, uint8_t op,
		 uint32_t slot, bool bulk)
{
	struct plan *p = m->p;
	struct kmag_replay_rec *to, *last;
	unsigned int cache = m->slot_cache[slot];

	if (p->nr_recs == m->rec_room) {
		m->rec_room += m->rec_room / 2 + 4096;
		p->recs = xrealloc(p->recs, m->rec_room * sizeof(*p->recs));
	}
	to = &p->recs[p->nr_recs];
	*to = (struct kmag_replay_rec){ .slot = slot, .cache = cache, .cpu = rec->cpu, .op = op };
	if (op == KMAG_REPLAY_ALLOC)
		to->gfp = gfp_class(&m->t->caches[cache], rec->gfp);
	last = to - 1;
	if (m->chain && m->bulk < KMAG_REPLAY_MAX_BULK && last->op == op &&
	    last->cache == to->cache && last->cpu == to->cpu && last->gfp == to->gfp) {
		last->op |= KMAG_REPLAY_MORE;
		m->bulk++;
	} else {
		m->bulk = 1;
	}
	m->chain = bulk;
	p->nr_recs++;
	if (op == KMAG_REPLAY_ALLOC) {
		m->live[cache]++;
		p->allocs++;
	} else {
		m->live[cache]--;
		put_slot(m, slot);
	}
}

static void end_batch(struct maker *m, uint64_t time)
{
	struct plan *p = m->p;
	size_t first = p->nr_batches ? p->batches[p->nr_batches - 1].first +
				       p->batches[p->nr_batches - 1].nr : 0;
	size_t row = p->nr_caches * sizeof(*p->live);

	if (p->nr_recs == first)
		return;
	p->batches = xrealloc(p->batches, (p->nr_batches + 1) * sizeof(*p->batches));
	p->batches[p->nr_batches] = (struct plan_batch){
		.first = first, .nr = p->nr_recs - first, .time = time };
	p->live = xrealloc(p->live, (p->nr_batches + 1) * row);
	memcpy(p->live + (size_t)p->nr_batches * p->nr_caches, m->live, row);
	p->nr_batches++;
	m->nr_idle += m->nr_freed;
	m->nr_freed = 0;
	m->chain = false;
}

static void add_alloc(struct maker *m, const struct trace_rec *rec)
{
	uint32_t *object;
	uint32_t slot;

	object = map_put(&m->objects, rec->obj);
	if (*object) {
		m->p->implied++;
		m->chain = false;
		emit(m, rec, KMAG_REPLAY_FREE, *object - 1, false);
		*object = 0;
	}
	if (!m->usable[rec->cache]) {
		m->p->unused.no_cache++;
		return;
	}
	slot = take_slot(m, rec->cache);
	*object = slot + 1;
	emit(m, rec, KMAG_REPLAY_ALLOC, slot, rec->more);
}

static void add_free(struct maker *m, const struct trace_rec *rec)
{
	uint32_t *object = map_get(&m->objects, rec->obj);

	if (object && *object) {
		uint32_t slot = *object - 1;

		*object = 0;
		emit(m, rec, KMAG_REPLAY_FREE, slot, rec->more);
		return;
	}
	if (rec->cache == TRACE_CACHE_ANY && !object)
		m->p->unused.foreign++;
	else if (rec->cache != TRACE_CACHE_ANY && !m->usable[rec->cache])
		m->p->unused.no_cache++;
	else if (object)
		m->p->unused.missed_alloc++;
	else
		m->p->unused.older++;
}

struct plan *plan_make(const struct trace *t, const bool *usable,
		       unsigned int batches, const struct kmag_ioc_info *info)
{
	struct maker m = { .t = t, .usable = usable };
	struct plan *p = xalloc(sizeof(*p));
	uint64_t start = t->nr_recs ? t->recs[0].time : 0;
	size_t i;

	m.p = p;
	p->nr_caches = t->nr_caches;
	m.live = xalloc(t->nr_caches * sizeof(*m.live));
	m.batch_recs = t->nr_recs / batches + 1;
	/* One record may bring a second with it. */
	if (m.batch_recs > info->max_replay - 1)
		m.batch_recs = info->max_replay - 1;
	for (i = 0; i < t->nr_recs; i++) {
		const struct trace_rec *rec = &t->recs[i];
		size_t done = p->nr_batches ? p->batches[p->nr_batches - 1].first +
					      p->batches[p->nr_batches - 1].nr : 0;

		if (!m.chain && p->nr_recs - done >= m.batch_recs)
			end_batch(&m, rec->time - start);
		else if (p->nr_recs - done >= info->max_replay - 1)
			end_batch(&m, rec->time - start);
		if (rec->free)
			add_free(&m, rec);
		else
			add_alloc(&m, rec);
		if (!rec->more)
			m.chain = false;
	}
	if (t->nr_recs)
		end_batch(&m, t->recs[t->nr_recs - 1].time - start);
	map_free(&m.objects);
	free(m.slot_cache);
	free(m.idle);
	free(m.live);
	if (p->nr_slots > info->max_objects) {
		say("the recording needs %u slots, the device has %u", p->nr_slots,
		    info->max_objects);
		plan_free(p);
		return NULL;
	}
	return p;
}

void plan_free(struct plan *p)
{
	if (!p)
		return;
	free(p->recs);
	free(p->batches);
	free(p->live);
	free(p);
}
