// SPDX-License-Identifier: GPL-2.0
/* A workload as it is asked for: options, and the command that asks again. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "result.h"
#include "spec.h"
#include "util.h"

#define US_PER_MS	1000ULL

#define DEFAULT_SIZE	256
#define DEFAULT_LIVE	1000
#define DEFAULT_MS	1000
#define DEFAULT_PERIOD	100
#define DEFAULT_STEPS	32

static const char * const patterns[KMAG_RUN_NR_PATTERNS] = {
	"pair", "two", "lifo", "fifo", "random", "burst", "churn", "cross", "spike",
};

static const char * const modes[KMAG_RUN_NR_MODES] = { "thread", "hardirq", "softirq" };

static const char * const gfps[] = { "kernel", "atomic", "nowait" };

static const struct {
	const char *name;
	uint32_t flag;
} cache_flags[] = {
	{ "hwalign", KMAG_CF_HWALIGN },
	{ "account", KMAG_CF_ACCOUNT },
	{ "reclaim", KMAG_CF_RECLAIM },
	{ "ctor", KMAG_CF_CTOR },
};

enum {
	KEY_SEED = 256,
	KEY_CHECK,
	KEY_STUTTER,
	KEY_PERIOD,
	KEY_STEPS,
	KEY_ALIGN,
	KEY_ZERO,
	KEY_FLAG,		/* the first of cache_flags; more follow */
};

static const struct argp_option options[] = {
	{ "backend", 'b', "NAME", 0, "kmag, slub or both (both)", 0 },
	{ "pattern", 'p', "NAME", 0,
	  "pair, two, lifo, fifo, random, burst, churn, cross or spike (pair)", 0 },
	{ "mode", 'm', "NAME", 0,
	  "thread, hardirq or softirq: where it is done (thread)", 0 },
	{ "size", 's', "BYTES,...", 0,
	  "Sizes of objects; of several, each allocation picks one at random (256)", 0 },
	{ "live", 'l', "N", 0, "Objects in each thread's live set (1000)", 0 },
	{ "threads", 't', "N", 0, "Threads, dealt out to the CPUs (one for each)", 0 },
	{ "cpus", 'c', "LIST", 0, "CPUs to use, as 0-3,8 (all)", 0 },
	{ "duration", 'd', "TIME", 0,
	  "How long, as 10s or 500ms, up to 1h (1s, if there is no count)", 0 },
	{ "count", 'n', "N", 0, "Allocations of each thread", 0 },
	{ "seed", KEY_SEED, "N", 0, "Where all chances begin (1)", 0 },
	{ "check", KEY_CHECK, NULL, 0, "Fill objects, and check what they contain", 0 },
	{ "gfp", 'g', "NAME", 0,
	  "kernel, atomic or nowait (kernel; in interrupts atomic)", 0 },
	{ "zero", KEY_ZERO, NULL, 0, "Ask for zeroed objects", 0 },
	{ "stutter", KEY_STUTTER, "ON:OFF", 0, "Work so long, rest so long, all at a time", 0 },
	{ "period", KEY_PERIOD, "TIME", 0, "Between interrupts (100us)", 0 },
	{ "steps", KEY_STEPS, "N", 0, "Steps of the pattern in each interrupt (32)", 0 },
	{ "align", KEY_ALIGN, "BYTES", 0, "Align objects to this power of two", 0 },
	{ "hwalign", KEY_FLAG, NULL, 0, "Align objects to cache lines", 0 },
	{ "account", KEY_FLAG + 1, NULL, 0,
	  "Caches charge slab pages to a memory cgroup; kernel threads, as these, are in none", 0 },
	{ "reclaim", KEY_FLAG + 2, NULL, 0, "Count slab pages as reclaimable", 0 },
	{ "ctor", KEY_FLAG + 3, NULL, 0, "Give caches a constructor", 0 },
	{}
};

const char *spec_pattern(const struct spec *s)
{
	return patterns[s->pattern];
}

const char *spec_mode(const struct spec *s)
{
	return modes[s->mode];
}

static void option_stutter(struct argp_state *state, struct spec *s, const char *arg)
{
	double on, off;
	char *end = take_time(arg, &on);

	if (end && *end == ':')
		end = take_time(end + 1, &off);
	else
		end = NULL;
	if (!end || *end || on < 1 || on > KMAG_RUN_MAX_PERIOD || off < 1 ||
	    off > KMAG_RUN_MAX_PERIOD)
		argp_error(state, "--stutter takes two times up to 1s, as 5ms:20ms, not '%s'", arg);
	s->on_us = on;
	s->off_us = off;
}

static void option_sizes(struct argp_state *state, struct spec *s, const char *arg)
{
	const char *from = arg;
	unsigned long n;
	char *end;

	for (s->nr_sizes = 0; s->nr_sizes < KMAG_RUN_MAX_CACHES; from = end + 1) {
		n = strtoul(from, &end, 10);
		if (end == from || *from == '-' || !n || n > INT_MAX || (*end && *end != ','))
			break;
		s->sizes[s->nr_sizes++] = n;
		if (!*end)
			return;
	}
	argp_error(state, "--size takes 1 to %u sizes in bytes, as 64,1000, not '%s'",
		   KMAG_RUN_MAX_CACHES, arg);
}

/* Sets bits for a list as 0-3,8; false if it is none. */
static bool take_cpus(const char *from, uint64_t *words)
{
	unsigned long first, last;
	char *end;

	for (;; from = end + 1) {
		first = strtoul(from, &end, 10);
		if (end == from || *from == '-')
			return false;
		last = first;
		if (*end == '-') {
			from = end + 1;
			last = strtoul(from, &end, 10);
			if (end == from || *from == '-')
				return false;
		}
		if (last < first || last >= KMAG_REPLAY_MAX_CPUS)
			return false;
		for (; first <= last; first++)
			words[first / 64] |= 1ULL << first % 64;
		if (!*end || *end == '\n')
			return true;
		if (*end != ',')
			return false;
	}
}

static void option_cpus(struct argp_state *state, struct spec *s, const char *arg)
{
	unsigned int i;

	memset(s->cpus, 0, sizeof(s->cpus));
	if (!take_cpus(arg, s->cpus))
		argp_error(state, "--cpus takes a list of CPUs, as 0-3,8, not '%s'", arg);
	for (i = 0; i < SPEC_CPU_WORDS; i++)
		if (s->cpus[i])
			s->cpus_len = (i + 1) * sizeof(*s->cpus);
}

/* What was not said, and what does not go together. */
static void complete_spec(struct argp_state *state, struct spec *s)
{
	bool irq = s->mode != KMAG_RUN_THREAD;
	unsigned int i;

	if (!s->nr_sizes)
		s->sizes[s->nr_sizes++] = DEFAULT_SIZE;
	if (!s->count && !s->duration_ms)
		s->duration_ms = DEFAULT_MS;
	if (!irq && (s->period_us || s->steps))
		argp_error(state, "--period and --steps are for --mode hardirq and softirq");
	if (irq && (s->gfp & KMAG_GFP_CLASS) == KMAG_GFP_KERNEL)
		argp_error(state, "--gfp kernel may sleep, interrupts may not");
	if (s->gfp & KMAG_GFP_ZERO && s->cache_flags & KMAG_CF_CTOR)
		argp_error(state, "--zero would undo what --ctor does");
	for (i = 0; i < s->nr_sizes && irq; i++)
		if (s->sizes[i] > KMAG_RUN_MAX_IRQ_SIZE)
			argp_error(state, "in interrupts objects have at most %u bytes, not %u",
				   KMAG_RUN_MAX_IRQ_SIZE, s->sizes[i]);
	if (irq && !s->period_us)
		s->period_us = DEFAULT_PERIOD;
	if (irq && !s->steps)
		s->steps = DEFAULT_STEPS;
}

/* Until it is known what is asked for. */
#define GFP_UNSAID	KMAG_GFP_CLASS

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct spec *s = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		s->backends[0] = true;
		s->backends[1] = true;
		s->live = DEFAULT_LIVE;
		s->seed = 1;
		s->gfp = GFP_UNSAID;
		return 0;
	case 'b':
		option_backends(state, arg, s->backends);
		return 0;
	case 'p':
		s->pattern = option_word(state, "pattern", arg, patterns, ARRAY_SIZE(patterns));
		return 0;
	case 'm':
		s->mode = option_word(state, "mode", arg, modes, ARRAY_SIZE(modes));
		return 0;
	case 's':
		option_sizes(state, s, arg);
		return 0;
	case 'l':
		s->live = option_number(state, "live", arg, 1, UINT32_MAX);
		return 0;
	case 't':
		s->threads = option_number(state, "threads", arg, 1, UINT32_MAX);
		return 0;
	case 'c':
		option_cpus(state, s, arg);
		return 0;
	case 'd':
		s->duration_ms = option_time(state, "duration", arg, US_PER_MS,
					     UINT32_MAX * US_PER_MS) / US_PER_MS;
		return 0;
	case 'n':
		s->count = option_number(state, "count", arg, 1, LONG_MAX);
		return 0;
	case 'g':
		s->gfp = (s->gfp & KMAG_GFP_ZERO) |
			 option_word(state, "gfp", arg, gfps, ARRAY_SIZE(gfps));
		return 0;
	case KEY_ZERO:
		s->gfp |= KMAG_GFP_ZERO;
		return 0;
	case KEY_SEED:
		s->seed = option_number(state, "seed", arg, 0, LONG_MAX);
		return 0;
	case KEY_CHECK:
		s->check = true;
		return 0;
	case KEY_STUTTER:
		option_stutter(state, s, arg);
		return 0;
	case KEY_PERIOD:
		s->period_us = option_time(state, "period", arg, KMAG_RUN_MIN_PERIOD,
					   KMAG_RUN_MAX_PERIOD);
		return 0;
	case KEY_STEPS:
		s->steps = option_number(state, "steps", arg, 1, KMAG_RUN_MAX_STEPS);
		return 0;
	case KEY_ALIGN:
		s->align = option_number(state, "align", arg, 1, 4096);
		if (s->align & (s->align - 1))
			argp_error(state, "--align takes a power of two, not '%s'", arg);
		return 0;
	case ARGP_KEY_END:
		if ((s->gfp & KMAG_GFP_CLASS) == GFP_UNSAID)
			s->gfp = (s->gfp & KMAG_GFP_ZERO) |
				 (s->mode == KMAG_RUN_THREAD ? KMAG_GFP_KERNEL : KMAG_GFP_ATOMIC);
		complete_spec(state, s);
		return 0;
	default:
		if (key < KEY_FLAG || key >= KEY_FLAG + (int)ARRAY_SIZE(cache_flags))
			return ARGP_ERR_UNKNOWN;
		s->cache_flags |= cache_flags[key - KEY_FLAG].flag;
		return 0;
	}
}

static const struct argp argp = { options, parse };
const struct argp_child spec_argp[] = { { &argp }, {} };

void spec_online(uint64_t words[SPEC_CPU_WORDS])
{
	FILE *file = fopen("/sys/devices/system/cpu/online", "r");
	char line[4096];

	memset(words, 0, SPEC_CPU_WORDS * sizeof(*words));
	/* If it cannot be known, the kernel will say which are not. */
	if (!file || !fgets(line, sizeof(line), file) || !take_cpus(line, words))
		memset(words, 0xff, SPEC_CPU_WORDS * sizeof(*words));
	if (file)
		fclose(file);
}

/* How many CPUs are asked for; @missing is one that is not online, or -1. */
static unsigned int count_cpus(const struct spec *s, int *missing)
{
	uint64_t online[SPEC_CPU_WORDS];
	unsigned int cpu, nr = 0;

	*missing = -1;
	spec_online(online);
	for (cpu = 0; cpu < s->cpus_len * 8; cpu++) {
		uint64_t bit = 1ULL << cpu % 64;

		if (!(s->cpus[cpu / 64] & bit))
			continue;
		nr++;
		if (!(online[cpu / 64] & bit) && *missing < 0)
			*missing = cpu;
	}
	return nr;
}

static uint64_t round_up(uint64_t n, uint64_t to)
{
	return (n + to - 1) / to * to;
}

static uint64_t cache_line(void)
{
	long line = sysconf(_SC_LEVEL1_DCACHE_LINESIZE);

	/* Unknown, it is what most have. */
	return line > 0 ? line : 64;
}

uint64_t spec_largest(const struct spec *s)
{
	uint64_t most = 0;
	unsigned int i;

	for (i = 0; i < s->nr_sizes; i++)
		if (s->sizes[i] > most)
			most = s->sizes[i];
	return most;
}

uint64_t spec_share(const struct spec *s)
{
	uint64_t align = s->align > 8 ? s->align : 8, power = sysconf(_SC_PAGESIZE) / 8, stride;

	if (s->cache_flags & KMAG_CF_HWALIGN && align < cache_line())
		align = cache_line();
	stride = round_up(spec_largest(s), align);
	if (stride <= power)
		return stride;
	while (power < stride)
		power *= 2;
	return power;
}

uint64_t spec_room(const struct spec *s)
{
	switch (s->pattern) {
	case KMAG_RUN_PAIR:
		return 1;
	case KMAG_RUN_TWO:
		return 2;
	case KMAG_RUN_CROSS:
		return round_up(s->live, KMAG_RUN_BULK);
	default:
		return s->live;
	}
}

char *spec_refused(const struct spec *s, const struct kmag_ioc_info *info)
{
	unsigned int cpus, threads;
	uint64_t most, objs;
	int missing;

	cpus = count_cpus(s, &missing);
	if (missing >= 0)
		return xprintf("CPU %d is not online", missing);
	threads = s->threads ? s->threads : cpus ? cpus : info->nr_cpus;
	if (threads > info->max_run_threads)
		return xprintf("%u threads are more than the %u that a run may have", threads,
			       info->max_run_threads);
	if (s->duration_ms > info->max_run_ms)
		return xprintf("%.0f s are more than the %.0f s that a run may take",
			       s->duration_ms / 1e3, info->max_run_ms / 1e3);
	most = spec_largest(s);
	if (most > info->max_object_size)
		return xprintf("%s bytes are more than the %s that an object may have",
			       commas(most), commas(info->max_object_size));
	objs = spec_room(s) * threads;
	if (objs > info->max_objects)
		return xprintf("%s objects in %u live sets are more than the %s that a run may hold",
			       commas(objs), threads, commas(info->max_objects));
	most = objs * spec_share(s);
	if (most > info->max_run_bytes)
		return xprintf("%s in %u live sets are more than the %s that a run may hold",
			       bytes(most), threads, bytes(info->max_run_bytes));
	return NULL;
}

static void print_cpus(FILE *to, const struct spec *s)
{
	unsigned int cpu, last, bits = s->cpus_len * 8;
	const char *comma = "";

	fputs(" --cpus ", to);
	for (cpu = 0; cpu < bits; cpu = last + 1) {
		last = cpu;
		if (!(s->cpus[cpu / 64] >> cpu % 64 & 1))
			continue;
		while (last + 1 < bits && s->cpus[(last + 1) / 64] >> (last + 1) % 64 & 1)
			last++;
		fprintf(to, last > cpu ? "%s%u-%u" : "%s%u", comma, cpu, last);
		comma = ",";
	}
}

char *spec_command(const struct spec *s)
{
	bool both = s->backends[0] && s->backends[1];
	size_t len, i;
	char *text;
	FILE *to = open_memstream(&text, &len);

	if (!to) {
		say("out of memory");
		exit(KMAG_EXIT_FAILED);
	}
	fprintf(to, "kmag run --backend %s --pattern %s --mode %s --size ",
		both ? "both" : backend_names[s->backends[1]], patterns[s->pattern],
		modes[s->mode]);
	for (i = 0; i < s->nr_sizes; i++)
		fprintf(to, "%s%u", i ? "," : "", s->sizes[i]);
	fprintf(to, " --live %u --seed %llu --gfp %s", s->live, (unsigned long long)s->seed,
		gfps[s->gfp & KMAG_GFP_CLASS]);
	if (s->gfp & KMAG_GFP_ZERO)
		fputs(" --zero", to);
	if (s->threads)
		fprintf(to, " --threads %u", s->threads);
	if (s->cpus_len)
		print_cpus(to, s);
	if (s->count)
		fprintf(to, " --count %llu", (unsigned long long)s->count);
	if (s->duration_ms)
		fprintf(to, " --duration %ums", s->duration_ms);
	if (s->off_us)
		fprintf(to, " --stutter %uus:%uus", s->on_us, s->off_us);
	if (s->steps)
		fprintf(to, " --period %uus --steps %u", s->period_us, s->steps);
	if (s->align)
		fprintf(to, " --align %u", s->align);
	for (i = 0; i < ARRAY_SIZE(cache_flags); i++)
		if (s->cache_flags & cache_flags[i].flag)
			fprintf(to, " --%s", cache_flags[i].name);
	if (s->check)
		fputs(" --check", to);
	if (fclose(to)) {
		say("out of memory");
		exit(KMAG_EXIT_FAILED);
	}
	return text;
}

json_t *spec_json(const struct spec *s)
{
	char *command = spec_command(s);
	json_t *json, *sizes = json_array();
	unsigned int i;

	for (i = 0; i < s->nr_sizes; i++)
		json_array_append_new(sizes, json_integer(s->sizes[i]));
	json = json_pack("{s:s, s:s, s:s, s:o, s:I, s:I, s:I, s:I, s:b}", "command", command,
			 "pattern", patterns[s->pattern], "mode", modes[s->mode],
			 "sizes", sizes, "live", (json_int_t)s->live,
			 "seed", (json_int_t)s->seed, "count", (json_int_t)s->count,
			 "duration_ms", (json_int_t)s->duration_ms, "checked", s->check);
	free(command);
	return json;
}
