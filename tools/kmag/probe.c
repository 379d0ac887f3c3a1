// SPDX-License-Identifier: GPL-2.0
/*
 * The tracing events that tell who allocates and frees slab objects.
 *
 * With BTF function probes that know arguments at the return, too (from 6.9 on)
 * one event has both them and the result of an allocation. Older kernels get a
 * kprobe at the entry, which tells the cache, and their own event
 * kmem:kmem_cache_alloc for the rest; follow.c puts the two together. Of frees
 * their own event tells the name: an interrupt that comes while a kprobe is
 * being taken has its own kprobes missed, and a batch of RCU frees would be.
 *
 * A bulk call has an array. An event can hold 64 words of it per argument and
 * may not outgrow a page, so several events of rising width share the work: a
 * filter on the count picks those that are needed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "probe.h"
#include "probe_event.h"
#include "util.h"

#define GROUP_PREFIX	"kmag_"

/* Tasks that may sleep inside one allocation function at a time */
#define FPROBE_ACTIVE	"1024"

#define BULK64(letter, at)	" " letter "=+" at "(p):x64[64]"

/* Kernels with BTF function probes. The events of a bulk call stay in order. */
static const struct probe_def fprobe_defs[] = {
	{ "alloc", PROBE_ALLOC, "f" FPROBE_ACTIVE,
	  { "kmem_cache_alloc_noprof%return", "kmem_cache_alloc%return" },
	  "s=s:x64 r=$retval:x64 g=gfpflags:u32" },
	{ "alloc_lru", PROBE_ALLOC, "f" FPROBE_ACTIVE,
	  { "kmem_cache_alloc_lru_noprof%return", "kmem_cache_alloc_lru%return" },
	  "s=s:x64 r=$retval:x64 g=gfpflags:u32" },
	{ "alloc_node", PROBE_ALLOC, "f" FPROBE_ACTIVE,
	  { "kmem_cache_alloc_node_noprof%return", "kmem_cache_alloc_node%return" },
	  "s=s:x64 r=$retval:x64 g=gfpflags:u32" },
	{ "free", PROBE_FREE, "f", { "kmem_cache_free" }, "s=s:x64 r=x:x64" },
	{ "alloc_bulk", PROBE_ALLOC_BULK, "f" FPROBE_ACTIVE,
	  { "kmem_cache_alloc_bulk_noprof%return", "kmem_cache_alloc_bulk%return" },
	  "s=s:x64 n=$retval:u32 g=flags:u32 p=+0(p):x64[16]" },
	{ "alloc_bulk2", PROBE_ALLOC_BULK, "f" FPROBE_ACTIVE,
	  { "kmem_cache_alloc_bulk_noprof%return", "kmem_cache_alloc_bulk%return" },
	  "s=s:x64 n=$retval:u32 g=flags:u32"
	  BULK64("p", "128") BULK64("p1", "640") BULK64("p2", "1152") BULK64("p3", "1664"),
	  "n > 16 && n < 0x80000000", 16 },
	{ "free_bulk", PROBE_FREE_BULK, "f", { "kmem_cache_free_bulk" },
	  "s=s:x64 n=size:u32 p=+0(p):x64[16]" },
	{ "free_bulk2", PROBE_FREE_BULK, "f", { "kmem_cache_free_bulk" },
	  "s=s:x64 n=size:u32"
	  BULK64("p", "128") BULK64("p1", "640") BULK64("p2", "1152") BULK64("p3", "1664"),
	  "n > 16", 16 },
	{ "free_bulk3", PROBE_FREE_BULK, "f", { "kmem_cache_free_bulk" },
	  "s=s:x64 n=size:u32"
	  BULK64("p", "2176") BULK64("p1", "2688") BULK64("p2", "3200") BULK64("p3", "3712"),
	  "n > 272", 272 },
};

/* Kernels without: arguments at the entry only, by their place */
#define PBULK64(letter, at)	" " letter "=+" at "($arg3):x64[64]"

static const struct probe_def kprobe_defs[] = {
	{ "enter", PROBE_ENTER, "p",
	  { "kmem_cache_alloc_noprof", "kmem_cache_alloc" }, "s=$arg1:x64" },
	{ "enter_lru", PROBE_ENTER, "p",
	  { "kmem_cache_alloc_lru_noprof", "kmem_cache_alloc_lru" }, "s=$arg1:x64" },
	{ "enter_node", PROBE_ENTER, "p",
	  { "kmem_cache_alloc_node_noprof", "kmem_cache_alloc_node" }, "s=$arg1:x64" },
	{ "kmem_cache_alloc", PROBE_LEAVE, .system = "kmem" },
	{ "kmem_cache_free", PROBE_FREE, .system = "kmem" },
	/* What it returns is not in the array yet: the count alone */
	{ "alloc_bulk", PROBE_ALLOC_BULK, "p",
	  { "kmem_cache_alloc_bulk_noprof", "kmem_cache_alloc_bulk" },
	  "s=$arg1:x64 g=$arg2:u32 n=$arg3:u32" },
	{ "free_bulk", PROBE_FREE_BULK, "p", { "kmem_cache_free_bulk" },
	  "s=$arg1:x64 n=$arg2:u32 p=+0($arg3):x64[16]" },
	{ "free_bulk2", PROBE_FREE_BULK, "p", { "kmem_cache_free_bulk" },
	  "s=$arg1:x64 n=$arg2:u32"
	  PBULK64("p", "128") PBULK64("p1", "640") PBULK64("p2", "1152") PBULK64("p3", "1664"),
	  "n > 16", 16 },
	{ "free_bulk3", PROBE_FREE_BULK, "p", { "kmem_cache_free_bulk" },
	  "s=$arg1:x64 n=$arg2:u32"
	  PBULK64("p", "2176") PBULK64("p1", "2688") PBULK64("p2", "3200") PBULK64("p3", "3712"),
	  "n > 272", 272 },
};

/* Both: every cache when /proc/slabinfo is read, and each new one */
static const struct probe_def cache_defs[] = {
	{ "cache", PROBE_CACHE, "p", { "get_slabinfo" }, NULL },
	{ "cache_new", PROBE_CACHE, "r",
	  { "__kmem_cache_create_args", "kmem_cache_create_usercopy" }, NULL },
};

#define MAX_EVENTS	16

struct probes {
	struct tracefs_instance *instance;
	struct tep_handle *tep;
	struct kbtf kbtf;
	char group[32];
	const char *method;
	bool have_bulk;
	struct event events[MAX_EVENTS];
	unsigned int nr_events;
};

/* Of a process that is a zombie, or another program by now: false. */
static bool recorder_alive(int pid)
{
	char path[64], comm[16] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	if (readlink(path, comm, sizeof(comm)) < 0)
		return false;
	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	f = fopen(path, "re");
	if (!f)
		return false;
	if (!fgets(comm, sizeof(comm), f))
		comm[0] = '\0';
	fclose(f);
	return !strncmp(comm, "kmag", 4);
}

/* What a killed kmag left behind would be traced for ever. */
static int sweep_instance(const char *name, void *context)
{
	struct tracefs_instance *instance;
	int pid;

	if (sscanf(name, GROUP_PREFIX "%d", &pid) != 1 || recorder_alive(pid))
		return 0;
	instance = tracefs_instance_create(name);
	if (instance) {
		tracefs_event_disable(instance, NULL, NULL);
		tracefs_instance_destroy(instance);
		tracefs_instance_free(instance);
	}
	return 0;
}

static void sweep(void)
{
	char *all, *line, *next, cmd[160], event[64];
	int pid;

	tracefs_instances_walk(sweep_instance, NULL);
	all = tracefs_instance_file_read(NULL, "dynamic_events", NULL);
	for (line = all; line && *line; line = next) {
		char *name = strchr(line, ':');

		next = line + strcspn(line, "\n");
		next += *next == '\n';
		if (!name || name > next ||
		    sscanf(name + 1, GROUP_PREFIX "%d/%63[a-z0-9_]", &pid, event) != 2 ||
		    recorder_alive(pid))
			continue;
		snprintf(cmd, sizeof(cmd), "-:" GROUP_PREFIX "%d/%s", pid, event);
		tracefs_instance_file_append(NULL, "dynamic_events", cmd);
	}
	free(all);
}

static char *definition(struct probes *p, const struct probe_def *def, const char *symbol)
{
	const struct kbtf *k = &p->kbtf;
	const char *s = *def->type == 'r' ? "$retval" : "$arg1";
	char *fields, *line;

	if (def->args)
		return xprintf("%s:%s/%s %s %s", def->type, p->group, def->event,
			       symbol, def->args);
	fields = xprintf("size=+%u(%s):u32 align=+%u(%s):u32 flags=+%u(%s):u32 ctor=+%u(%s):x64",
			 k->object_size, s, k->align, s, k->flags, s, k->ctor, s);
	line = xprintf("%s:%s/%s %s s=%s:x64 name=+0(+%u(%s)):string %s", def->type, p->group,
		       def->event, symbol, s, k->name, s, fields);
	free(fields);
	return line;
}

static int add_event(struct probes *p, const struct probe_def *def)
{
	if (event_find(&p->events[p->nr_events], p->tep, p->group, def))
		return -1;
	p->nr_events++;
	return 0;
}

/* Makes one event; quiet when this is only a try. */
static int create(struct probes *p, const struct probe_def *def, bool try)
{
	char *line, *why;
	size_t i;
	int ret = -1;

	if (def->system)
		return 0;
	for (i = 0; i < ARRAY_SIZE(def->symbols) && def->symbols[i] && ret < 0; i++) {
		line = definition(p, def, def->symbols[i]);
		ret = tracefs_instance_file_append(NULL, "dynamic_events", line);
		free(line);
	}
	if (ret < 0 && !try) {
		why = tracefs_error_last(NULL);
		say("this kernel refuses a probe on %s: %s", def->symbols[0],
		    why && *why ? why : strerror(errno));
		free(why);
	}
	return ret < 0 ? -1 : 0;
}

static void destroy(struct probes *p, const struct probe_def *defs, size_t nr)
{
	char *line;
	size_t i;

	for (i = 0; i < nr; i++) {
		if (defs[i].system)
			continue;
		line = xprintf("-:%s/%s", p->group, defs[i].event);
		tracefs_instance_file_append(NULL, "dynamic_events", line);
		free(line);
	}
}

static void destroy_all(struct probes *p)
{
	destroy(p, cache_defs, ARRAY_SIZE(cache_defs));
	destroy(p, fprobe_defs, ARRAY_SIZE(fprobe_defs));
	destroy(p, kprobe_defs, ARRAY_SIZE(kprobe_defs));
}

static int create_all(struct probes *p)
{
	const char * const systems[] = { p->group, "kmem", NULL };
	const struct probe_def *defs = fprobe_defs;
	size_t i, nr = ARRAY_SIZE(fprobe_defs);

	p->method = "BTF function probes";
	p->have_bulk = true;
	if (create(p, &fprobe_defs[0], true)) {
		p->method = "kmem events and kprobes";
		p->have_bulk = false;
		defs = kprobe_defs;
		nr = ARRAY_SIZE(kprobe_defs);
		if (create(p, &kprobe_defs[0], false))
			return -1;
	}
	for (i = 1; i < nr; i++)
		if (create(p, &defs[i], false))
			return -1;
	for (i = 0; i < ARRAY_SIZE(cache_defs); i++)
		if (create(p, &cache_defs[i], false))
			return -1;
	p->tep = tracefs_local_events_system(NULL, systems);
	if (!p->tep) {
		say("this kernel does not tell the format of its events");
		return -1;
	}
	for (i = 0; i < nr; i++)
		if (add_event(p, &defs[i]))
			return -1;
	for (i = 0; i < ARRAY_SIZE(cache_defs); i++)
		if (add_event(p, &cache_defs[i]))
			return -1;
	return 0;
}

static int set_filters(struct probes *p)
{
	unsigned int i;

	for (i = 0; i < p->nr_events; i++) {
		const struct probe_def *def = p->events[i].def;

		if (def->filter &&
		    tracefs_event_file_write(p->instance, p->group, def->event,
					     "filter", def->filter) < 0) {
			say("this kernel refuses the filter %s on %s", def->filter, def->event);
			return -1;
		}
	}
	return 0;
}

/* The first clock that all CPUs share and this kernel has. */
static int set_clock(struct probes *p)
{
	if (tracefs_instance_file_write(p->instance, "trace_clock", "global") >= 0)
		return 0;
	say("this kernel has no global trace clock");
	return -1;
}

struct probes *probes_open(unsigned int buffer_kb, int *error)
{
	struct probes *p;

	*error = KMAG_EXIT_MISSING;
	if (geteuid()) {
		say("tracing needs root");
		return NULL;
	}
	/* libtracefs would mount it; that is its owner's business. */
	if (access("/sys/kernel/tracing/dynamic_events", F_OK) &&
	    access("/sys/kernel/debug/tracing/dynamic_events", F_OK)) {
		say("no tracefs at /sys/kernel/tracing: mount -t tracefs none /sys/kernel/tracing");
		return NULL;
	}
	tracefs_set_loglevel(TEP_LOG_NONE);
	sweep();
	p = xalloc(sizeof(*p));
	snprintf(p->group, sizeof(p->group), GROUP_PREFIX "%d", getpid());
	if (kbtf_load(&p->kbtf))
		goto err_kbtf;
	*error = KMAG_EXIT_FAILED;
	p->instance = tracefs_instance_create(p->group);
	if (!p->instance) {
		say("cannot make a trace instance: %m");
		goto err_kbtf;
	}
	tracefs_trace_off(p->instance);
	/* Lose the newest, not the oldest: what is there stays whole. */
	tracefs_option_disable(p->instance, TRACEFS_OPTION_OVERWRITE);
	if (tracefs_instance_set_buffer_size(p->instance, buffer_kb, -1) < 0) {
		say("this kernel has no %u KiB a CPU for the ring buffer; see --buffer", buffer_kb);
		goto err_instance;
	}
	if (set_clock(p) || create_all(p) || set_filters(p))
		goto err_instance;
	return p;

err_instance:
	tracefs_instance_destroy(p->instance);
	tracefs_instance_free(p->instance);
	destroy_all(p);
	tep_free(p->tep);
err_kbtf:
	free(p);
	return NULL;
}

void probes_close(struct probes *p)
{
	tracefs_trace_off(p->instance);
	/* Its events can only go when no instance uses them. */
	tracefs_event_disable(p->instance, NULL, NULL);
	tracefs_instance_destroy(p->instance);
	tracefs_instance_free(p->instance);
	destroy_all(p);
	tep_free(p->tep);
	free(p);
}

struct tracefs_instance *probes_instance(struct probes *p)
{
	return p->instance;
}

const struct kbtf *probes_kbtf(struct probes *p)
{
	return &p->kbtf;
}

bool probes_have_bulk(struct probes *p)
{
	return p->have_bulk;
}

const char *probes_method(struct probes *p)
{
	return p->method;
}

static int enable(struct probes *p, bool caches)
{
	unsigned int i;
	bool of_cache;

	for (i = 0; i < p->nr_events; i++) {
		const struct probe_def *def = p->events[i].def;

		of_cache = def->kind == PROBE_CACHE;
		if (caches != of_cache)
			continue;
		if (tracefs_event_enable(p->instance, def->system ? def->system : p->group,
					 def->event)) {
			say("cannot enable the event %s: %m", def->event);
			return -1;
		}
	}
	return 0;
}

int probes_enable_caches(struct probes *p)
{
	return enable(p, true);
}

int probes_enable_objects(struct probes *p)
{
	return enable(p, false);
}

int probes_describe(void)
{
	char buf[16384];
	ssize_t len;
	int fd = open("/proc/slabinfo", O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		say("cannot read /proc/slabinfo: %m");
		return -1;
	}
	do {
		len = read(fd, buf, sizeof(buf));
	} while (len > 0);
	close(fd);
	return len < 0 ? -1 : 0;
}

uint64_t probes_missed(struct probes *p)
{
	char *all = tracefs_instance_file_read(NULL, "kprobe_profile", NULL);
	char *line, *save = NULL;
	uint64_t missed = 0;
	unsigned int i;

	for (line = all ? strtok_r(all, "\n", &save) : NULL; line;
	     line = strtok_r(NULL, "\n", &save)) {
		unsigned long long hits, misses;
		char name[64];

		/* Groups are not told: a name of ours is taken to be ours. */
		if (sscanf(line, " %63s %llu %llu", name, &hits, &misses) != 3)
			continue;
		for (i = 0; i < p->nr_events; i++)
			if (p->events[i].def->type && *p->events[i].def->type != 'f' &&
			    !strcmp(p->events[i].def->event, name))
				missed += misses;
	}
	free(all);
	return missed;
}

bool probes_decode(struct probes *p, const void *data, struct probe_event *ev)
{
	unsigned int i, id = *(const uint16_t *)data;

	for (i = 0; i < p->nr_events; i++)
		if (p->events[i].id == id) {
			event_decode(&p->events[i], data, ev);
			return true;
		}
	return false;
}
