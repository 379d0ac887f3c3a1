// SPDX-License-Identifier: GPL-2.0
/*
 * kmag replay: do a recording again, on kmag and on the kernel's own slab.
 *
 * Both sides go batch by batch in turn, so that they meet the same machine;
 * after each batch everything is quiet, and what each holds is sampled.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "replay.h"
#include "result.h"
#include "slabinfo.h"
#include "util.h"

#define DEFAULT_SAMPLES	128

struct options {
	const char *file;
	const char *maps;
	struct result_options result;
	bool backends[NR_SIDES];	/* by enum kmag_backend */
	unsigned int samples;
	bool no_check;
};

/* Names of caches may hold anything; the device's may not. */
static void clean_name(char *to, const char *from)
{
	size_t i;

	for (i = 0; from[i] && i < KMAG_NAME_LEN - 1; i++)
		to[i] = isalnum((unsigned char)from[i]) || strchr("_.-", from[i]) ? from[i] : '_';
	to[i] = '\0';
	if (!i)
		memcpy(to, "unnamed", sizeof("unnamed"));
}

/* Return: 0, 1 when this cache cannot be, -1 after one sentence. */
static int create(struct side *s, unsigned int nr, const struct trace_cache *c)
{
	static const struct { uint32_t trace, kmag; } flags[] = {
		{ TRACE_CF_HWALIGN, KMAG_CF_HWALIGN },
		{ TRACE_CF_ACCOUNT, KMAG_CF_ACCOUNT },
		{ TRACE_CF_RECLAIM, KMAG_CF_RECLAIM },
		{ TRACE_CF_CTOR, KMAG_CF_CTOR },
	};
	struct kmag_ioc_create *req = &s->caches[nr];
	size_t i;

	*req = (struct kmag_ioc_create){
		.size = sizeof(*req), .backend = s->backend,
		.object_size = c->size, .align = c->align };
	clean_name(req->name, c->name);
	for (i = 0; i < ARRAY_SIZE(flags); i++)
		if (c->flags & flags[i].trace)
			req->cache_flags |= flags[i].kmag;
	if (!ioctl(s->fd, KMAG_IOC_CREATE, req))
		return 0;
	if (errno == EINVAL || errno == E2BIG || errno == EOPNOTSUPP) {
		say("%s cannot make %s (size %u, align %u), which is left out: %m",
		    s->name, c->name, c->size, c->align);
		return 1;
	}
	say("cannot create the cache %s on %s: %m", c->name, s->name);
	return -1;
}

static int create_all(struct replay *r)
{
	const struct trace *t = r->trace;
	unsigned int i, k;
	size_t n;
	int ret;

	r->ops = xalloc(t->nr_caches * sizeof(*r->ops));
	r->usable = xalloc(t->nr_caches * sizeof(*r->usable));
	for (n = 0; n < t->nr_recs; n++)
		r->ops[t->recs[n].cache]++;
	for (k = 0; k < r->nr_sides; k++)
		r->sides[k].caches = xalloc(t->nr_caches * sizeof(*r->sides[k].caches));
	for (i = 1; i < t->nr_caches; i++) {
		const struct trace_cache *c = &t->caches[i];

		if (!r->ops[i])
			continue;
		r->nr_used++;
		if (!(c->flags & TRACE_CF_KNOWN) || c->size > r->info.max_object_size ||
		    r->nr_usable >= r->info.max_caches)
			continue;
		r->usable[i] = true;
		for (k = 0; k < r->nr_sides && r->usable[i]; k++) {
			ret = create(&r->sides[k], i, c);
			if (ret < 0)
				return -1;
			if (ret)
				r->usable[i] = false;
		}
		r->nr_usable += r->usable[i];
	}
	if (!r->nr_usable) {
		say("%s has no operation that could be replayed", r->file);
		return -1;
	}
	return 0;
}

struct slub_sample {
	struct side *side;
	const struct replay *r;
	unsigned int batch;
	struct held *by_cache;
	unsigned int seen;
};

static void slub_row(void *arg, const struct slabinfo_row *row)
{
	struct slub_sample *s = arg;
	unsigned int i;

	for (i = 1; i < s->r->trace->nr_caches; i++) {
		struct held *h = &s->by_cache[i];
		uint64_t slab;

		if (!s->r->usable[i] || strcmp(s->side->caches[i].real_name, row->name))
			continue;
		slab = (uint64_t)row->pages_per_slab * s->r->info.page_size;
		h->slabs = row->slabs;
		h->bytes = row->slabs * slab;
		/* slabinfo counts objects on per-CPU slabs as active: ours does not. */
		h->live = plan_live(s->r->plan, s->batch, i);
		h->slabs_needed = (h->live + row->objs_per_slab - 1) / row->objs_per_slab;
		h->bytes_needed = h->slabs_needed * slab;
		s->seen++;
		return;
	}
}

static int sample_slub(struct replay *r, struct side *side, unsigned int batch,
		       struct held *by_cache)
{
	struct slub_sample s = { .side = side, .r = r, .batch = batch, .by_cache = by_cache };

	if (slabinfo_read("kmag", slub_row, &s))
		return -1;
	if (s.seen != r->nr_usable) {
		say("/proc/slabinfo shows %u of %u caches: boot with slab_nomerge",
		    s.seen, r->nr_usable);
		return -1;
	}
	return 0;
}

static int sample_kmag(struct replay *r, struct side *side, unsigned int batch,
		       struct held *by_cache, struct account *a, struct tiers *tiers)
{
	const struct snap_cache *c;
	struct snapshot snap;
	unsigned int i;
	int ret;

	if (a)
		ret = dev_snapshot_quiet(side->fd, side->caches, r->trace->nr_caches, &snap);
	else
		ret = dev_snapshot(side->fd, &snap);
	if (ret)
		return -1;
	ret = -1;
	for (i = 1; i < r->trace->nr_caches; i++) {
		struct held *h = &by_cache[i];

		if (!r->usable[i])
			continue;
		c = snapshot_find(&snap, side->caches[i].kmag_id);
		if (!c) {
			say("the snapshot lacks the cache %s-%u", side->caches[i].name,
			    side->caches[i].kmag_id);
			goto out;
		}
		h->slabs = c->c.slabs;
		h->bytes = c->c.slab_bytes;
		h->live = c->c.live;
		h->slabs_needed = c->c.slabs_needed;
		h->bytes_needed = c->c.needed_bytes;
		if (h->live != plan_live(r->plan, batch, i))
			side->wrong_live++;
		if (a)
			account_add(a, &c->c);
		if (tiers)
			tiers_add(tiers, &c->c);
	}
	ret = 0;
out:
	snapshot_free(&snap);
	return ret;
}

/* What @side holds after @batch; @by_cache, @a and @tiers may be NULL. */
static int sample(struct replay *r, struct side *side, unsigned int batch,
		  struct held *total, struct held *by_cache, struct account *a,
		  struct tiers *tiers)
{
	struct held *each = by_cache;
	unsigned int i;
	int ret;

	if (!each)
		each = xalloc(r->trace->nr_caches * sizeof(*each));
	if (side->backend == KMAG_BACKEND_KMAG)
		ret = sample_kmag(r, side, batch, each, a, tiers);
	else
		ret = sample_slub(r, side, batch, each);
	*total = (struct held){};
	for (i = 1; i < r->trace->nr_caches; i++) {
		total->slabs += each[i].slabs;
		total->slabs_needed += each[i].slabs_needed;
		total->bytes += each[i].bytes;
		total->bytes_needed += each[i].bytes_needed;
		total->live += each[i].live;
	}
	if (!by_cache)
		free(each);
	return ret;
}

static int submit(struct replay *r, struct side *s, unsigned int batch,
		  struct kmag_replay_rec *buf)
{
	const struct plan_batch *b = &r->plan->batches[batch];
	struct kmag_ioc_replay req = {
		.size = sizeof(req), .flags = r->check ? KMAG_REPLAY_CHECK : 0,
		.count = b->nr, .nr_slots = r->plan->nr_slots, .recs = (uintptr_t)buf };
	size_t i;

	memcpy(buf, r->plan->recs + b->first, b->nr * sizeof(*buf));
	for (i = 0; i < b->nr; i++)
		buf[i].cache = s->caches[buf[i].cache].id;
	if (ioctl(s->fd, KMAG_IOC_REPLAY, &req)) {
		say("the replay stopped on %s, batch %u of %u: %m", s->name, batch + 1,
		    r->plan->nr_batches);
		return -1;
	}
	s->sum.allocs += req.allocs;
	s->sum.frees += req.frees;
	s->sum.failed += req.failed;
	s->sum.skipped += req.skipped;
	s->sum.corrupt += req.corrupt;
	s->sum.waits += req.waits;
	s->sum.ns += req.ns;
	s->sum.live = req.live;
	if (sample(r, s, batch, &s->samples[batch], NULL, NULL, NULL))
		return -1;
	if (s->samples[batch].bytes > s->peak.bytes)
		s->peak = s->samples[batch];
	return 0;
}

static int run_batches(struct replay *r)
{
	struct kmag_replay_rec *buf;
	unsigned int b, k;
	size_t most = 0;
	int ret = -1;

	for (b = 0; b < r->plan->nr_batches; b++)
		if (r->plan->batches[b].nr > most)
			most = r->plan->batches[b].nr;
	buf = xalloc(most * sizeof(*buf));
	for (k = 0; k < r->nr_sides; k++)
		r->sides[k].samples = xalloc(r->plan->nr_batches * sizeof(struct held));
	for (b = 0; b < r->plan->nr_batches; b++) {
		progress("batch %u of %u  %s of %s operations", b, r->plan->nr_batches,
			 commas(r->plan->batches[b].first), commas(r->plan->nr_recs));
		/* Take turns at going first. */
		for (k = 0; k < r->nr_sides; k++)
			if (submit(r, &r->sides[(b + k) % r->nr_sides], b, buf))
				goto out;
	}
	ret = 0;
out:
	progress_end();
	free(buf);
	return ret;
}

static int copy_file(const char *from, const char *to)
{
	FILE *in = fopen(from, "re"), *out = in ? fopen(to, "we") : NULL;
	bool failed = !out;
	char buf[65536];
	size_t len;

	if (!in || !out)
		say("cannot %s %s: %m", in ? "write" : "read", in ? to : from);
	while (!failed && (len = fread(buf, 1, sizeof(buf), in)) > 0)
		failed = fwrite(buf, 1, len, out) != len;
	if (out && (fclose(out) || failed || ferror(in))) {
		say("cannot copy %s to %s: %m", from, to);
		failed = true;
	}
	if (in)
		fclose(in);
	return failed ? -1 : 0;
}

/* Copies a debugfs file of each kmag cache. */
static int copy_maps(const struct replay *r, const struct side *s, const char *dir,
		     const char *suffix)
{
	unsigned int i;
	int ret = 0;

	for (i = 1; i < r->trace->nr_caches && !ret; i++) {
		const struct kmag_ioc_create *c = &s->caches[i];
		char *from, *to;

		if (!r->usable[i])
			continue;
		from = xprintf(KMAG_DEBUGFS "/%s-%u/slab_map", c->name, c->kmag_id);
		to = xprintf("%s/%s-%u.%s", dir, c->name, i, suffix);
		ret = copy_file(from, to);
		free(from);
		free(to);
	}
	return ret;
}

/* Before anything takes long. Return: exit code, after one sentence. */
static int check_maps(const char *dir)
{
	struct stat st;

	if (access(KMAG_DEBUGFS, X_OK)) {
		say("no " KMAG_DEBUGFS " for --maps: mount -t debugfs none /sys/kernel/debug");
		return KMAG_EXIT_MISSING;
	}
	if (mkdir(dir, 0755) && errno != EEXIST) {
		say("cannot make the folder %s: %m", path_name(dir));
		return KMAG_EXIT_FAILED;
	}
	if (stat(dir, &st) || !S_ISDIR(st.st_mode)) {
		say("%s is no folder", dir);
		return KMAG_EXIT_FAILED;
	}
	return KMAG_EXIT_OK;
}

static int each_cache(const struct replay *r, struct side *s, unsigned long cmd,
		      uint64_t *sum, const char *what)
{
	unsigned int i;

	for (i = 1; i < r->trace->nr_caches; i++) {
		struct kmag_ioc_cache req = { .size = sizeof(req), .id = s->caches[i].id };

		if (!r->usable[i])
			continue;
		if (ioctl(s->fd, cmd, &req)) {
			say("cannot %s the cache %s on %s: %m", what, s->caches[i].name, s->name);
			return -1;
		}
		*sum += req.result;
	}
	return 0;
}

static int finish(struct replay *r, struct side *s, const struct options *o)
{
	bool kmag = s->backend == KMAG_BACKEND_KMAG;
	unsigned int last = r->plan->nr_batches - 1;
	size_t room = r->trace->nr_caches * sizeof(struct held);
	uint64_t freed = 0;

	s->end_by_cache = xalloc(room);
	s->shrunk_by_cache = xalloc(room);
	if (sample(r, s, last, &s->end, s->end_by_cache, &s->account_end, &s->tiers))
		return -1;
	if (kmag && o->maps && copy_maps(r, s, o->maps, "map"))
		return -1;
	if (kmag && each_cache(r, s, KMAG_IOC_VALIDATE, &s->validate_errors, "validate"))
		return -1;
	if (each_cache(r, s, KMAG_IOC_SHRINK, &freed, "shrink"))
		return -1;
	if (sample(r, s, last, &s->shrunk, s->shrunk_by_cache, &s->account_shrunk, NULL))
		return -1;
	if (kmag && each_cache(r, s, KMAG_IOC_VALIDATE, &s->validate_errors, "validate"))
		return -1;
	return kmag && o->maps ? copy_maps(r, s, o->maps, "shrunk") : 0;
}

static int replay(struct replay *r, const struct options *o)
{
	struct kmag_ioc_info info;
	char *verdict, *error;
	unsigned int k;
	json_t *json;
	int ret;

	r->trace = trace_load(o->file, &error);
	if (!r->trace) {
		say("%s", error);
		free(error);
		return KMAG_EXIT_FAILED;
	}
	for (k = 0; k < NR_SIDES; k++) {
		struct side *s = &r->sides[r->nr_sides];

		if (!o->backends[k])
			continue;
		s->fd = dev_open(&info);
		if (s->fd < 0)
			return KMAG_EXIT_MISSING;
		r->nr_sides++;
		r->info = info;
		s->backend = k;
		s->name = backend_names[k];
		if (!(info.backends & 1U << k)) {
			say("this kernel's " KMAG_DEVICE " has no %s backend", s->name);
			return KMAG_EXIT_MISSING;
		}
	}
	ret = o->maps ? check_maps(o->maps) : 0;
	if (ret)
		return ret;
	if (create_all(r))
		return KMAG_EXIT_FAILED;
	r->plan = plan_make(r->trace, r->usable, o->samples, &r->info);
	if (!r->plan)
		return KMAG_EXIT_FAILED;
	if (!r->plan->nr_batches) {
		say("%s has no operation that could be replayed", r->file);
		return KMAG_EXIT_FAILED;
	}
	if (run_batches(r))
		return KMAG_EXIT_FAILED;
	for (k = 0; k < r->nr_sides; k++)
		if (finish(r, &r->sides[k], o))
			return KMAG_EXIT_FAILED;
	json = replay_json(r);
	if (!o->result.json)
		replay_print(r);
	if (result_tell(&o->result, json))
		return KMAG_EXIT_FAILED;
	verdict = replay_verdict(r);
	if (!verdict)
		return KMAG_EXIT_OK;
	say("%s", verdict);
	free(verdict);
	return KMAG_EXIT_FAILED;
}

static void replay_free(struct replay *r)
{
	unsigned int k;

	for (k = 0; k < r->nr_sides; k++) {
		struct side *s = &r->sides[k];

		close(s->fd);
		free(s->caches);
		free(s->samples);
		free(s->end_by_cache);
		free(s->shrunk_by_cache);
	}
	plan_free(r->plan);
	trace_free(r->trace);
	free(r->ops);
	free(r->usable);
}

enum {
	KEY_NO_CHECK = 256,
	KEY_MAPS,
	KEY_SAMPLES,
};

static const struct argp_option options[] = {
	{ "backend", 'b', "NAME", 0, "kmag, slub or both (both)", 0 },
	{ "no-check", KEY_NO_CHECK, NULL, 0,
	  "Do not fill objects and check their contents, for times and counts of the allocators alone",
	  0 },
	{ "samples", KEY_SAMPLES, "N", 0, "Batches, with a sample after each (128)", 0 },
	{ "maps", KEY_MAPS, "DIR", 0,
	  "Leave each kmag cache's slab_map in DIR, before and after the shrink", 0 },
	{}
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &o->result;
		return 0;
	case 'b':
		option_backends(state, arg, o->backends);
		return 0;
	case KEY_NO_CHECK:
		o->no_check = true;
		return 0;
	case KEY_MAPS:
		o->maps = arg;
		return 0;
	case KEY_SAMPLES:
		o->samples = option_number(state, "samples", arg, 1, 100000);
		return 0;
	case ARGP_KEY_ARG:
		if (o->file)
			argp_error(state, "one recording at a time");
		o->file = arg;
		return 0;
	case ARGP_KEY_END:
		if (!o->file)
			argp_error(state, "there is no recording to replay");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int cmd_replay(int argc, char **argv)
{
	static const struct argp argp = {
		options, parse, "FILE",
		"Do the recording FILE again, in the kernel, on kmag and on its own slab allocator.\vFails when contents changed, an allocation failed, or the bytes do not add up.",
		result_argp, NULL, NULL };
	struct options o = { .backends = { true, true }, .samples = DEFAULT_SAMPLES };
	struct replay r = {};
	int ret;

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	if (would_overwrite(o.result.report, o.file))
		return KMAG_EXIT_USAGE;
	r.file = o.file;
	r.check = !o.no_check;
	ret = replay(&r, &o);
	replay_free(&r);
	return ret;
}
