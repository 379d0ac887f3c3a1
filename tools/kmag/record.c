// SPDX-License-Identifier: GPL-2.0
/* kmag record: follow the kernel's slab users while a command runs. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <traceevent/kbuffer.h>
#include <unistd.h>

#include "command.h"
#include "follow.h"
#include "probe.h"
#include "result.h"
#include "stop.h"
#include "trace.h"
#include "util.h"

#define DEFAULT_BUFFER_KB	32768
#define IDLE_NS			10000000L
#define PROGRESS_NS		1000000000ULL

struct options {
	const char *output;
	unsigned int buffer_kb;
	struct result_options result;
	char **command;
};

struct recorder {
	struct probes *probes;
	struct tracefs_cpu **cpus;	/* NULL: not there */
	int *stats;			/* files, kept open: opening allocates */
	unsigned int nr_cpus;
	struct kbuffer *kbuf;
	void *page;
	struct follow follow;
	struct probe_event event;
	uint64_t start;
	uint64_t lost;
	int own;		/* whose events are left out, once it is known */
};

/* Caches that share another's memory are recorded under that one's name. */
static void warn_merged(void)
{
	struct dirent *entry;
	unsigned int merged = 0;
	DIR *dir = opendir("/sys/kernel/slab");

	while (dir && (entry = readdir(dir)))
		merged += entry->d_type == DT_LNK;
	if (dir)
		closedir(dir);
	if (merged)
		say("%s: boot with slab_nomerge",
		    counted(merged, "cache is merged and carries another's name",
			    "caches are merged and carry others' names"));
}

static char *info_text(const struct options *o, struct probes *p)
{
	struct utsname u;
	char *text, *longer;
	char **arg;

	uname(&u);
	text = xprintf("kernel=%s\nmachine=%s\nmethod=%s\nclock=global\ncommand=",
		       u.release, u.machine, probes_method(p));
	for (arg = o->command; *arg; arg++) {
		char *c;

		longer = xprintf("%s%s%s", text, arg == o->command ? "" : " ", *arg);
		free(text);
		text = longer;
		for (c = text + strlen(text) - strlen(*arg); *c; c++)
			if (*c == '\n')
				*c = ' ';
	}
	longer = xprintf("%s\n", text);
	free(text);
	return longer;
}

static int open_cpus(struct recorder *r)
{
	unsigned int i, opened = 0;
	char file[64];

	r->cpus = xalloc(r->nr_cpus * sizeof(*r->cpus));
	r->stats = xalloc(r->nr_cpus * sizeof(*r->stats));
	for (i = 0; i < r->nr_cpus; i++) {
		snprintf(file, sizeof(file), "per_cpu/cpu%u/stats", i);
		r->stats[i] = tracefs_instance_file_open(probes_instance(r->probes), file,
							 O_RDONLY);
		r->cpus[i] = tracefs_cpu_open(probes_instance(r->probes), i, true);
		if (!r->cpus[i])
			continue;
		opened++;
		if (!r->page)
			r->page = xalloc(tracefs_cpu_read_size(r->cpus[i]));
	}
	if (!opened) {
		say("cannot read the ring buffer (trace_pipe_raw): %m");
		return -1;
	}
	r->kbuf = kbuffer_alloc(KBUFFER_LSIZE_8, KBUFFER_ENDIAN_LITTLE);
	return r->kbuf ? 0 : -1;
}

/*
 * What the recorder does itself is left out, or its writing would be recorded
 * and written. Interrupts that it happens to carry are somebody else's work,
 * so the kernel's own filter by pid would leave out too much.
 */
static bool is_own(const struct recorder *r)
{
	return r->event.pid == r->own && !(r->event.flags & PROBE_INTERRUPT);
}

static void take_page(struct recorder *r, unsigned int cpu)
{
	unsigned long long time;
	void *data;

	kbuffer_load_subbuffer(r->kbuf, r->page);
	for (data = kbuffer_read_event(r->kbuf, &time); data;
	     data = kbuffer_next_event(r->kbuf, &time))
		if (probes_decode(r->probes, data, &r->event) && !is_own(r))
			follow_event(&r->follow, cpu, time, &r->event);
}

/* Takes what is there; with @all also pages that are not full. */
static bool drain(struct recorder *r, bool all)
{
	bool any = false;
	unsigned int i;
	int len;

	for (i = 0; i < r->nr_cpus; i++) {
		if (!r->cpus[i])
			continue;
		while ((len = tracefs_cpu_read(r->cpus[i], r->page, true)) > 0) {
			take_page(r, i);
			any = true;
		}
		while (all && (len = tracefs_cpu_flush(r->cpus[i], r->page)) > 0)
			take_page(r, i);
	}
	return any;
}

static uint64_t count_lost(struct recorder *r)
{
	static const char * const keys[] = {
		"\noverrun: ", "\ncommit overrun: ", "\ndropped events: " };
	uint64_t lost = 0;
	char text[1024], *at;
	unsigned int i;
	ssize_t len;
	size_t k;

	for (i = 0; i < r->nr_cpus; i++) {
		len = r->stats[i] < 0 ? -1 : pread(r->stats[i], text, sizeof(text) - 1, 0);
		if (len < 0)
			continue;
		text[len] = '\0';
		for (k = 0; k < ARRAY_SIZE(keys); k++) {
			at = strstr(text, keys[k]);
			if (at)
				lost += strtoull(at + strlen(keys[k]), NULL, 10);
		}
	}
	return lost;
}

static void show(struct recorder *r)
{
	unsigned int unknown, used = follow_used(&r->follow, &unknown);

	r->lost = count_lost(r);
	progress("%4llu s  %s operations  %u caches  %s lost  %s",
		 (unsigned long long)(now_ns() - r->start) / 1000000000,
		 commas(r->follow.records), used, commas(r->lost),
		 bytes(trace_bytes(r->follow.writer)));
}

/* Follows until the command has ended. Return: 0, or -1 after one sentence. */
static int run(struct recorder *r, struct command *c)
{
	const struct timespec idle = { .tv_nsec = IDLE_NS };
	bool told = false, ended = false;
	uint64_t shown;

	if (probes_enable_caches(r->probes))
		return -1;
	tracefs_trace_on(probes_instance(r->probes));
	if (probes_describe())
		return -1;
	drain(r, true);
	r->own = getpid();
	if (probes_enable_objects(r->probes))
		return -1;
	/* The reader must keep up with everyone else together. */
	setpriority(PRIO_PROCESS, 0, -10);
	r->start = now_ns();
	shown = r->start;
	if (command_go(c))
		return -1;
	while (!ended && !r->follow.error) {
		ended = command_ended(c);
		if (stop_signal && !told) {
			kill(c->pid, SIGTERM);
			told = true;
		}
		if (!drain(r, false) && !ended)
			nanosleep(&idle, NULL);
		if (now_ns() - shown > PROGRESS_NS) {
			shown = now_ns();
			show(r);
		}
	}
	tracefs_trace_off(probes_instance(r->probes));
	drain(r, true);
	r->lost = count_lost(r) + probes_missed(r->probes);
	progress_end();
	return 0;
}

static void print(const struct recorder *r, const struct options *o,
		  const struct trace_totals *totals, unsigned int used, unsigned int unknown)
{
	printf("%s: %s (%s, %s) of %s in %.1f s\n", o->output,
	       counted(totals->records, "operation", "operations"),
	       counted(totals->allocs, "allocation", "allocations"),
	       counted(totals->records - totals->allocs, "free", "frees"),
	       counted(used, "cache", "caches"), totals->ns / 1e9);
	printf("followed with %s; %s lost (%.4f %%)\n",
	       probes_method(r->probes), counted(totals->lost, "event", "events"),
	       100.0 * totals->lost / (totals->records + totals->lost + 1));
	printf("%s of bulk calls and %s not recorded (%.4f %%)\n",
	       counted(totals->bulk_lost, "object", "objects"),
	       counted(totals->unpaired, "allocation", "allocations"),
	       100.0 * (totals->bulk_lost + totals->unpaired) /
	       (totals->records + totals->bulk_lost + totals->unpaired + 1));
	if (unknown)
		printf("%u of the caches could not be told by name\n", unknown);
}

static int report(struct recorder *r, const struct options *o,
		  const struct trace_totals *totals, int status)
{
	unsigned int unknown, used = follow_used(&r->follow, &unknown);
	bool too_many = totals->lost * 1000 >
		(totals->records + totals->lost) * TRACE_LOST_PER_MILLE;
	struct {
		const char *key;
		json_int_t value;
	} numbers[] = {
		{ "operations", totals->records },
		{ "allocations", totals->allocs },
		{ "frees", totals->records - totals->allocs },
		{ "caches", used },
		{ "caches_unknown", unknown },
		{ "lost", totals->lost },
		{ "bulk_objects_not_recorded", totals->bulk_lost },
		{ "allocations_without_cache", totals->unpaired },
		{ "ns", totals->ns },
		{ "command_status", WIFSIGNALED(status) ?
			128 + WTERMSIG(status) : WEXITSTATUS(status) },
	};
	json_t *json;
	size_t i;

	json = json_pack("{s:s, s:o, s:s, s:b}", "schema", "kmag.record/1",
			 "file", json_text(o->output), "method", probes_method(r->probes),
			 "bulk_allocations_recorded", probes_have_bulk(r->probes));
	for (i = 0; i < ARRAY_SIZE(numbers); i++)
		json_object_set_new(json, numbers[i].key, json_integer(numbers[i].value));
	if (!o->result.json)
		print(r, o, totals, used, unknown);
	if (result_tell(&o->result, json))
		return KMAG_EXIT_FAILED;
	if (too_many) {
		say("%s of %s events were lost, over %u in a thousand: see --buffer",
		    commas(totals->lost), commas(totals->records + totals->lost),
		    TRACE_LOST_PER_MILLE);
		return KMAG_EXIT_FAILED;
	}
	if (!totals->records) {
		say("nothing was recorded");
		return KMAG_EXIT_FAILED;
	}
	if (!totals->allocs || totals->unpaired > totals->allocs) {
		say("%s allocations were recorded, and of %s more the cache could not be told: the probes do not fit this kernel",
		    commas(totals->allocs), commas(totals->unpaired));
		return KMAG_EXIT_FAILED;
	}
	if (status) {
		say("the command ended with %s %d; the recording is whole",
		    WIFSIGNALED(status) ? "signal" : "status",
		    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
		return KMAG_EXIT_FAILED;
	}
	return KMAG_EXIT_OK;
}

static void close_cpus(struct recorder *r)
{
	unsigned int i;

	for (i = 0; r->cpus && i < r->nr_cpus; i++) {
		if (r->cpus[i])
			tracefs_cpu_close(r->cpus[i]);
		if (r->stats[i] >= 0)
			close(r->stats[i]);
	}
	free(r->cpus);
	free(r->stats);
	free(r->page);
	if (r->kbuf)
		kbuffer_free(r->kbuf);
}

/* With the probes made and the file open; drops the writer. */
static int follow(struct recorder *r, const struct options *o, struct command *c,
		  struct trace_writer *w)
{
	struct trace_totals totals = {};

	if (open_cpus(r) || run(r, c)) {
		trace_abort(w);
		return KMAG_EXIT_FAILED;
	}
	totals.ns = now_ns() - r->start;
	if (r->follow.error) {
		say("cannot write %s: %s", o->output, strerror(r->follow.error));
		trace_abort(w);
		return KMAG_EXIT_FAILED;
	}
	/* What could not run makes no recording. */
	if (command_close(c)) {
		trace_abort(w);
		return KMAG_EXIT_FAILED;
	}
	totals.lost = r->lost;
	totals.bulk_lost = r->follow.bulk_lost;
	totals.unpaired = r->follow.unpaired;
	if (trace_finish(w, r->follow.caches, r->follow.nr_caches, &totals)) {
		say("cannot write %s: %m", o->output);
		return KMAG_EXIT_FAILED;
	}
	return report(r, o, &totals, c->status);
}

static int record(const struct options *o)
{
	struct recorder r = { .nr_cpus = sysconf(_SC_NPROCESSORS_CONF) };
	struct trace_writer *w;
	struct command c;
	int ret = KMAG_EXIT_FAILED;
	char *info;

	if (command_hold(&c, o->command))
		return ret;
	/* A command that is gone before it was let go is told, not died of. */
	signal(SIGPIPE, SIG_IGN);
	stop_catch();
	r.probes = probes_open(o->buffer_kb, &ret);
	if (!r.probes)
		goto err_open;
	ret = KMAG_EXIT_FAILED;
	warn_merged();
	info = info_text(o, r.probes);
	w = trace_create(o->output, r.nr_cpus, info);
	free(info);
	if (!w) {
		say("cannot write %s: %m", path_name(o->output));
		goto err_create;
	}
	follow_init(&r.follow, w, probes_kbtf(r.probes));
	ret = follow(&r, o, &c, w);
	close_cpus(&r);
	follow_free(&r.follow);
err_create:
	probes_close(r.probes);
err_open:
	if (!c.ended)
		command_close(&c);
	return ret;
}

static const struct argp_option options[] = {
	{ "output", 'o', "FILE", 0, "Write the recording to FILE (kmag.trace)", 0 },
	{ "buffer", 'b', "KIB", 0, "Ring buffer of each CPU, in KiB (32768)", 0 },
	{}
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &o->result;
		return 0;
	case 'o':
		o->output = arg;
		return 0;
	case 'b':
		o->buffer_kb = option_number(state, "buffer", arg, 64, 4 << 20);
		return 0;
	case ARGP_KEY_ARGS:
		o->command = state->argv + state->next;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "there is no command to record");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int cmd_record(int argc, char **argv)
{
	static const struct argp argp = {
		options, parse, "-- COMMAND [ARG...]",
		"Follow allocations and frees of the kernel's slab caches while COMMAND runs.\vNeeds root, tracefs and a kernel with BTF.\n"
		"Boot with slab_nomerge, so that each cache has its own name.\n"
		"Exit status 1 if COMMAND fails, or if over 1 event in 1000 was lost; the recording is kept.",
		result_argp, NULL, NULL };
	struct options o = { .output = "kmag.trace", .buffer_kb = DEFAULT_BUFFER_KB };

	argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &o);
	return would_collide(o.output, o.result.report) ? KMAG_EXIT_USAGE : record(&o);
}
