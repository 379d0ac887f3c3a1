// SPDX-License-Identifier: GPL-2.0

#include "model.h"

/* SplitMix64 */
__u64 fuzz_chance(__u64 *state)
{
	__u64 z = *state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

__u32 fuzz_below(__u64 *state, __u32 n)
{
	return fuzz_chance(state) % n;
}

bool fuzz_one_in(__u64 *state, __u32 n)
{
	return !fuzz_below(state, n);
}

/* From 1 to 2^bits; each power of two is as likely as any other. */
static __u32 spread(__u64 *state, unsigned int bits)
{
	return 1 + fuzz_below(state, 1U << fuzz_below(state, bits + 1));
}

struct fuzz_cache *fuzz_find(struct fuzz_model *m, __u32 id)
{
	__u32 i;

	for (i = 0; i < m->nr; i++)
		if (m->caches[i].id == id)
			return &m->caches[i];
	return NULL;
}

static struct fuzz_cache *any(struct fuzz_model *m, __u64 *rnd)
{
	return m->nr ? &m->caches[fuzz_below(rnd, m->nr)] : NULL;
}

__u32 fuzz_slots_of(const struct fuzz_model *m, __u32 id)
{
	__u32 i, nr = 0;

	for (i = 0; i < FUZZ_SLOTS; i++)
		nr += m->slots[i] == id;
	return nr;
}

__u32 fuzz_room(const struct fuzz_model *m, const struct fuzz_cache *c)
{
	__u32 most = FUZZ_BYTES / c->size;

	if (m->shared)
		return FUZZ_OBJS;
	if (most > FUZZ_OBJS)
		most = FUZZ_OBJS;
	return most > c->nr ? most - c->nr : 0;
}

/* An allocation class that goes with the cache. */
static __u32 gfp_of(__u64 *rnd, const struct fuzz_cache *c, bool sleeps)
{
	__u32 gfp = sleeps ? fuzz_below(rnd, 3) : 1 + fuzz_below(rnd, 2);

	if (!(c->flags & KMAG_CF_CTOR) && fuzz_one_in(rnd, 4))
		gfp |= KMAG_GFP_ZERO;
	return gfp;
}

/* Each of these makes a valid call of one command, see fuzz_valid(). */
static int create(struct fuzz_model *m, __u64 *rnd, struct kmag_ioc_create *req)
{
	req->backend = fuzz_below(rnd, 2);
	req->cache_flags = fuzz_below(rnd, 16);
	req->object_size = m->shared ? spread(rnd, 10) :
			   spread(rnd, fuzz_one_in(rnd, 8) ? 18 : 10);
	if (fuzz_one_in(rnd, 3))
		req->align = 1U << fuzz_below(rnd, 13);
	snprintf(req->name, sizeof(req->name), "fuzz.%u",
		 fuzz_below(rnd, 100));
	return 0;
}

static int destroy(struct fuzz_model *m, __u64 *rnd,
		   struct kmag_ioc_destroy *req)
{
	struct fuzz_cache *c = any(m, rnd);

	if (!c)
		return -ENOENT;
	req->id = c->id;
	if (fuzz_one_in(rnd, 4))
		req->flags = KMAG_DESTROY_FORCE;
	else if (c->nr || fuzz_slots_of(m, c->id))
		return -EBUSY;
	return 0;
}

static int alloc(struct fuzz_model *m, __u64 *rnd, struct fuzz_memory *mem,
		 struct kmag_ioc_alloc *req)
{
	struct fuzz_cache *c = any(m, rnd);
	__u32 room = c ? fuzz_room(m, c) : 1;

	req->objs = (uintptr_t)mem->ids;
	req->count = spread(rnd, 5);
	req->node = -1;
	if (!c || !room)
		return -ENOENT;
	req->id = c->id;
	if (req->count > room)
		req->count = room;
	req->flags = fuzz_below(rnd, 4);
	if (!(req->flags & KMAG_BATCH_BULK) && fuzz_one_in(rnd, 4))
		req->node = 0;
	req->gfp = gfp_of(rnd, c, true);
	return 0;
}

static int free_objs(struct fuzz_model *m, __u64 *rnd, struct fuzz_memory *mem,
		     struct kmag_ioc_free *req)
{
	struct fuzz_cache *c = any(m, rnd);
	__u32 i, from, tries;

	/* Rather one that holds something. */
	for (tries = 0; c && !c->nr && tries < 4; tries++)
		c = any(m, rnd);

	req->objs = (uintptr_t)mem->ids;
	req->count = spread(rnd, 5);
	if (!c || (!c->nr && !m->shared))
		return -ENOENT;
	req->id = c->id;
	req->flags = fuzz_below(rnd, 4);
	if (m->shared) {
		from = spread(rnd, 12);
		for (i = 0; i < req->count; i++)
			mem->ids[i] = from + i;
		return 0;
	}
	if (req->count > c->nr)
		req->count = c->nr;
	from = fuzz_below(rnd, c->nr);
	for (i = 0; i < req->count; i++)
		mem->ids[i] = c->objs[(from + i) % c->nr];
	/* A second time it is not there any more. */
	if (req->count > 1 && fuzz_one_in(rnd, 16)) {
		mem->ids[req->count - 1] = mem->ids[0];
		return -ENOENT;
	}
	return 0;
}

static int replay(struct fuzz_model *m, __u64 *rnd, struct fuzz_memory *mem,
		  struct kmag_ioc_replay *req)
{
	bool used[FUZZ_SLOTS] = { false };
	__u32 want = spread(rnd, 4), tries;
	struct kmag_replay_rec *last = NULL;

	req->flags = fuzz_below(rnd, 2) ? KMAG_REPLAY_CHECK : 0;
	if (fuzz_one_in(rnd, 8))
		req->flags |= KMAG_REPLAY_RESET;
	req->nr_slots = FUZZ_SLOTS;
	req->recs = (uintptr_t)mem->recs;
	for (tries = 0; m->nr && tries < 2 * want && req->count < want; tries++) {
		__u32 slot = fuzz_below(rnd, FUZZ_SLOTS);
		struct kmag_replay_rec *rec = &mem->recs[req->count];
		struct fuzz_cache *c = any(m, rnd);

		if (used[slot])
			continue;
		used[slot] = true;
		req->count++;
		*rec = (struct kmag_replay_rec){ .slot = slot };
		if (m->slots[slot] && !(req->flags & KMAG_REPLAY_RESET)) {
			rec->op = KMAG_REPLAY_FREE;
			rec->cache = m->slots[slot];
		} else if (last && last->op == KMAG_REPLAY_ALLOC &&
			   fuzz_one_in(rnd, 2)) {
			/* Into the bulk call of the one before. */
			last->op |= KMAG_REPLAY_MORE;
			rec->cache = last->cache;
			rec->gfp = last->gfp;
			rec->cpu = last->cpu;
		} else {
			rec->cache = c->id;
			rec->gfp = gfp_of(rnd, c, true);
			rec->cpu = fuzz_below(rnd, 4);
		}
		last = rec;
	}
	return 0;
}

static int one_cache(struct fuzz_model *m, __u64 *rnd, unsigned int cmd,
		     struct kmag_ioc_cache *req)
{
	struct fuzz_cache *c = any(m, rnd);

	if (!c)
		return -ENOENT;
	req->id = c->id;
	return cmd == KMAG_IOC_VALIDATE && c->backend == KMAG_BACKEND_KMEM ?
	       -EOPNOTSUPP : 0;
}

static int snapshot(__u64 *rnd, struct fuzz_memory *mem,
		    struct kmag_ioc_snapshot *req)
{
	req->buf = (uintptr_t)mem->snapshot;
	req->len = fuzz_below(rnd, 2) ? sizeof(mem->snapshot) :
		   spread(rnd, 16);
	return 0;
}

static int run(struct fuzz_model *m, __u64 *rnd, struct fuzz_memory *mem,
	       struct kmag_ioc_run *req)
{
	struct fuzz_cache *c = any(m, rnd);
	__u32 ctor = 0, largest = 0, i;

	if (!c)
		return -EINVAL;
	req->flags = fuzz_below(rnd, 2) ? KMAG_RUN_CHECK : 0;
	req->caches = (uintptr_t)mem->caches;
	req->nr_caches = spread(rnd, 2);
	for (i = 0; i < req->nr_caches; i++) {
		c = any(m, rnd);
		mem->caches[i] = c->id;
		ctor |= c->flags & KMAG_CF_CTOR;
		if (largest < c->size)
			largest = c->size;
	}
	req->pattern = fuzz_below(rnd, KMAG_RUN_NR_PATTERNS);
	if (largest <= KMAG_RUN_MAX_IRQ_SIZE)
		req->mode = fuzz_below(rnd, KMAG_RUN_NR_MODES);
	req->gfp = gfp_of(rnd, &(struct fuzz_cache){ .flags = ctor },
			  req->mode == KMAG_RUN_THREAD);
	if (fuzz_one_in(rnd, 4)) {
		mem->cpus[0] = 1;
		req->cpus = (uintptr_t)mem->cpus;
		req->cpus_len = sizeof(mem->cpus[0]);
	}
	req->threads = fuzz_below(rnd, 4);
	req->seed = fuzz_chance(rnd);
	req->count = spread(rnd, 6);
	req->duration_ms = 1 + fuzz_below(rnd, 5);
	req->live = spread(rnd, 4);
	if (req->mode != KMAG_RUN_THREAD) {
		req->period_us = KMAG_RUN_MIN_PERIOD + fuzz_below(rnd, 100);
		req->steps = spread(rnd, 6);
	}
	req->results = (uintptr_t)mem->results;
	req->max_results = fuzz_below(rnd, 4);
	/* In its hard interrupts nothing can be allocated. */
	return req->mode == KMAG_RUN_HARDIRQ && kmag_is_rt() ? -EOPNOTSUPP : 0;
}

int fuzz_valid(struct fuzz_model *m, __u64 *rnd, struct fuzz_memory *mem,
	       unsigned int cmd, union fuzz_arg *arg)
{
	memset(arg, 0, sizeof(*arg));
	switch (cmd) {
	case KMAG_IOC_CREATE:
		return create(m, rnd, &arg->create);
	case KMAG_IOC_DESTROY:
		return destroy(m, rnd, &arg->destroy);
	case KMAG_IOC_ALLOC:
		return alloc(m, rnd, mem, &arg->alloc);
	case KMAG_IOC_FREE:
		return free_objs(m, rnd, mem, &arg->free);
	case KMAG_IOC_REPLAY:
		return replay(m, rnd, mem, &arg->replay);
	case KMAG_IOC_SHRINK:
	case KMAG_IOC_VALIDATE:
		return one_cache(m, rnd, cmd, &arg->cache);
	case KMAG_IOC_SNAPSHOT:
		return snapshot(rnd, mem, &arg->snapshot);
	case KMAG_IOC_RUN:
		return run(m, rnd, mem, &arg->run);
	default:
		return 0;
	}
}

void fuzz_allocated(struct fuzz_cache *c, const __u32 *ids, __u32 nr)
{
	while (nr-- && c->nr < FUZZ_OBJS)
		c->objs[c->nr++] = *ids++;
}

__u32 fuzz_freed(struct fuzz_cache *c, const __u32 *ids, __u32 nr)
{
	__u32 done, i;

	for (done = 0; done < nr; done++) {
		for (i = 0; i < c->nr && c->objs[i] != ids[done]; i++)
			;
		if (i == c->nr)
			break;
		c->objs[i] = c->objs[--c->nr];
	}
	return done;
}

void fuzz_destroyed(struct fuzz_model *m, __u32 id)
{
	struct fuzz_cache *c = fuzz_find(m, id);
	__u32 i;

	for (i = 0; i < FUZZ_SLOTS; i++)
		if (m->slots[i] == id)
			m->slots[i] = 0;
	if (c)
		*c = m->caches[--m->nr];
}

__u32 fuzz_replayed(struct fuzz_model *m, __u32 flags,
		    const struct kmag_replay_rec *recs, __u32 nr)
{
	__u32 i;

	if (flags & KMAG_REPLAY_RESET)
		memset(m->slots, 0, sizeof(m->slots));
	for (i = 0; i < nr && !m->lost; i++) {
		bool frees = recs[i].op & KMAG_REPLAY_FREE;

		if (recs[i].slot >= FUZZ_SLOTS)
			m->lost = true;
		else
			m->slots[recs[i].slot] = frees ? 0 : recs[i].cache;
	}
	return FUZZ_SLOTS - fuzz_slots_of(m, 0);
}

