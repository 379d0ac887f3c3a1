// SPDX-License-Identifier: GPL-2.0
/* A workload at random. */
#include <limits.h>
#include <unistd.h>

#include "pick.h"
#include "util.h"

/* Of a workload: what it may hold, what it may write, how long it may take. */
#define MAX_HELD	(64ULL << 20)
#define MAX_WRITTEN	(64ULL << 20)
#define MAX_IRQ_US	500000
#define MAX_MS		2000
#define MAX_THREADS	64
#define MAX_SIZES	6

/* How often a live set is filled, at least */
#define MIN_TIMES	2

/* SplitMix64 */
uint64_t pick_chance(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

static uint64_t below(uint64_t *state, uint64_t n)
{
	return pick_chance(state) % n;
}

/* From @min to @max; each power of two is as likely as any other. */
static uint64_t spread(uint64_t *state, uint64_t min, uint64_t max)
{
	uint64_t top = min;
	unsigned int bits = 0;

	while (top <= max / 2) {
		top *= 2;
		bits++;
	}
	top = min << below(state, bits + 1);
	return top + below(state, (top > max / 2 ? max + 1 : 2 * top) - top);
}

static uint64_t lesser(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* What all threads may hold together. */
static uint64_t max_held(const struct kmag_ioc_info *info)
{
	return lesser(info->max_run_bytes / 4, MAX_HELD);
}

/* Objects that a thread holds at least, however small its live set is */
static uint64_t least_held(const struct spec *s)
{
	struct spec least = *s;

	least.live = 1;
	return spec_room(&least);
}

static void pick_caches(uint64_t *rnd, struct spec *s, const struct kmag_ioc_info *info)
{
	static const uint32_t flags[] = {
		KMAG_CF_HWALIGN, KMAG_CF_ACCOUNT, KMAG_CF_RECLAIM, KMAG_CF_CTOR };
	uint64_t largest = s->mode == KMAG_RUN_THREAD ? info->max_object_size :
						       KMAG_RUN_MAX_IRQ_SIZE;
	unsigned int i;

	while (largest * least_held(s) > max_held(info))
		largest /= 2;

	s->nr_sizes = below(rnd, 2) ? 1 : spread(rnd, 1, MAX_SIZES);
	for (i = 0; i < s->nr_sizes; i++)
		s->sizes[i] = spread(rnd, 1, largest);
	if (!below(rnd, 4))
		s->align = 1U << below(rnd, 13);
	for (i = 0; i < ARRAY_SIZE(flags); i++)
		if (!below(rnd, 4))
			s->cache_flags |= flags[i];
}

static void pick_cpus(uint64_t *rnd, struct spec *s, const struct kmag_ioc_info *info)
{
	uint64_t online[SPEC_CPU_WORDS], most = 2 * info->nr_cpus;
	unsigned int cpu;

	s->threads = spread(rnd, 1, most < MAX_THREADS ? most : MAX_THREADS);
	if (below(rnd, 4))
		return;
	spec_online(online);
	for (cpu = 0; cpu < SPEC_CPU_WORDS * 64; cpu++) {
		if (!(online[cpu / 64] >> cpu % 64 & 1) || below(rnd, 2))
			continue;
		s->cpus[cpu / 64] |= 1ULL << cpu % 64;
		s->cpus_len = (cpu / 64 + 1) * sizeof(*s->cpus);
	}
}

/*
 * As much as fits the bounds above. A live set is filled more often than once, so
 * that it is emptied, or what is in it replaced.
 */
static void pick_amounts(uint64_t *rnd, struct spec *s, const struct kmag_ioc_info *info)
{
	uint64_t held = max_held(info) / spec_share(s), done = MAX_WRITTEN / spec_largest(s);
	uint64_t least = least_held(s), most, times;

	/* What a thread must be given. */
	most = lesser(held, done / MIN_TIMES) / least;
	s->threads = lesser(s->threads, most ? most : 1);

	held /= s->threads;
	done /= s->threads;
	if (s->steps)
		done = lesser(done, MAX_IRQ_US / s->period_us * s->steps);
	most = lesser(held, done / MIN_TIMES) / least * least;
	s->live = lesser(spread(rnd, 1, 20000), most ? most : 1);

	times = spread(rnd, 100, 20000) / spec_room(s);
	if (times < MIN_TIMES)
		times = MIN_TIMES;
	most = done / spec_room(s);
	s->count = spec_room(s) * lesser(times, most ? most : 1);
	s->duration_ms = MAX_MS;
}

void pick_spec(struct spec *s, uint64_t seed, const struct kmag_ioc_info *info)
{
	bool no_hardirq = !access("/sys/kernel/realtime", F_OK);
	uint64_t rnd = seed;

	*s = (struct spec){ .check = true, .seed = seed & LONG_MAX };
	s->pattern = below(&rnd, KMAG_RUN_NR_PATTERNS);
	if (!below(&rnd, 2))
		s->mode = no_hardirq || below(&rnd, 2) ? KMAG_RUN_SOFTIRQ : KMAG_RUN_HARDIRQ;
	pick_caches(&rnd, s, info);
	pick_cpus(&rnd, s, info);
	s->gfp = s->mode == KMAG_RUN_THREAD && below(&rnd, 2) ? KMAG_GFP_KERNEL :
		 below(&rnd, 2) ? KMAG_GFP_ATOMIC : KMAG_GFP_NOWAIT;
	if (!(s->cache_flags & KMAG_CF_CTOR) && !below(&rnd, 4))
		s->gfp |= KMAG_GFP_ZERO;
	if (!below(&rnd, 8)) {
		s->on_us = spread(&rnd, 100, 20000);
		s->off_us = spread(&rnd, 100, 20000);
	}
	if (s->mode != KMAG_RUN_THREAD) {
		s->period_us = spread(&rnd, 2 * KMAG_RUN_MIN_PERIOD, 2000);
		s->steps = spread(&rnd, 1, 256);
	}
	pick_amounts(&rnd, s, info);
}
