// SPDX-License-Identifier: GPL-2.0
/* A workload done on one allocator, and what came of it. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "load.h"
#include "result.h"
#include "stop.h"
#include "util.h"

/* A second thread asks how far the first one is, and has it stop. */
struct watcher {
	pthread_t thread, runner;
	const struct load *load;
	int fd;
	bool quiet;
	atomic_bool done;
};

static void *watch(void *data)
{
	const struct timespec nap = { 0, 100000000 };
	struct watcher *w = data;
	double limit = w->load->run.duration_ms / 1e3;
	char of[32] = "";

	if (w->load->run.duration_ms)
		snprintf(of, sizeof(of), " of %.1f", limit);
	while (!w->done) {
		struct kmag_ioc_progress req = { .size = sizeof(req) };

		nanosleep(&nap, NULL);
		/* It came to this thread, or before the other was in the kernel. */
		if (stop_signal && !w->done)
			pthread_kill(w->runner, stop_signal);
		if (w->quiet)
			continue;
		if (!ioctl(w->fd, KMAG_IOC_PROGRESS, &req) && req.ns)
			progress("%s: %.1f%s s, %s allocations, %s failed, %s corrupt",
				 w->load->name, req.ns / 1e9, of, commas(req.allocs),
				 commas(req.failed), commas(req.corrupt));
	}
	return NULL;
}

/* Why there is nothing of it; said by the caller, who may be amid a line. */
static const char *why(const struct load *l)
{
	if (l->err == EOPNOTSUPP && l->run.mode == KMAG_RUN_HARDIRQ)
		return "this kernel's hard interrupts cannot allocate (PREEMPT_RT)";
	if (l->err == E2BIG)
		return "the workload could hold more than a run may";
	if (l->err == EBUSY)
		return "other runs have the memory that the workload could need";
	if (l->err == EINTR)
		return "a signal ended the workload before it was through";
	return NULL;
}

static int submit(struct load *l, int fd, bool quiet)
{
	struct watcher w = { .load = l, .fd = fd, .quiet = quiet, .runner = pthread_self() };
	const char *known;
	int ret;

	if (pthread_create(&w.thread, NULL, watch, &w)) {
		l->why = xprintf("cannot start a thread");
		return KMAG_EXIT_FAILED;
	}
	ret = ioctl(fd, KMAG_IOC_RUN, &l->run);
	l->err = ret ? errno : 0;
	w.done = true;
	pthread_join(w.thread, NULL);
	progress_end();
	if (!ret)
		return KMAG_EXIT_OK;
	known = why(l);
	l->why = known ? xprintf("%s", known) :
		 xprintf("the workload stopped on %s: %s", l->name, strerror(l->err));
	return l->err == EOPNOTSUPP ? KMAG_EXIT_MISSING : KMAG_EXIT_FAILED;
}

static int create(struct load *l, int fd, const struct spec *s,
		  struct kmag_ioc_create *caches)
{
	unsigned int i;

	for (i = 0; i < s->nr_sizes; i++) {
		caches[i] = (struct kmag_ioc_create){
			.size = sizeof(*caches), .backend = l->backend,
			.cache_flags = s->cache_flags, .object_size = s->sizes[i],
			.align = s->align };
		snprintf(caches[i].name, sizeof(caches[i].name), "run.%u", s->sizes[i]);
		if (ioctl(fd, KMAG_IOC_CREATE, &caches[i])) {
			l->why = xprintf("cannot make a cache of %u bytes on %s: %m",
					 s->sizes[i], l->name);
			return KMAG_EXIT_FAILED;
		}
	}
	return KMAG_EXIT_OK;
}

/* Everything is quiet now, so figures are exact. */
static int inspect(struct load *l, int fd, const struct kmag_ioc_create *caches,
		   unsigned int nr)
{
	struct snapshot snap;
	unsigned int i;

	if (dev_snapshot_quiet(fd, caches, nr, &snap))
		return KMAG_EXIT_FAILED;
	for (i = 0; i < nr; i++) {
		struct kmag_ioc_cache req = { .size = sizeof(req), .id = caches[i].id };
		const struct snap_cache *c = snapshot_find(&snap, caches[i].kmag_id);

		if (!c || ioctl(fd, KMAG_IOC_VALIDATE, &req)) {
			say("cannot look into the cache %s", caches[i].real_name);
			snapshot_free(&snap);
			return KMAG_EXIT_FAILED;
		}
		l->validate_errors += req.result;
		l->live += c->c.live;
		account_add(&l->account, &c->c);
		tiers_add(&l->tiers, &c->c);
	}
	snapshot_free(&snap);
	return KMAG_EXIT_OK;
}

int load_run(struct load *l, const struct spec *s, enum kmag_backend backend, bool quiet)
{
	struct kmag_ioc_create caches[KMAG_RUN_MAX_CACHES];
	uint32_t ids[KMAG_RUN_MAX_CACHES];
	struct kmag_ioc_info info;
	unsigned int i;
	int fd, ret;

	*l = (struct load){ .backend = backend, .name = backend_names[backend] };
	fd = dev_open(&info);
	if (fd < 0)
		return KMAG_EXIT_MISSING;
	ret = KMAG_EXIT_MISSING;
	if (!(info.backends & BIT(backend)) || !info.max_run_ms) {
		l->why = xprintf("this kernel's " KMAG_DEVICE " cannot run workloads on %s",
				 l->name);
		goto out;
	}
	ret = KMAG_EXIT_USAGE;
	l->why = spec_refused(s, &info);
	if (l->why) {
		l->err = EINVAL;
		goto out;
	}
	ret = create(l, fd, s, caches);
	if (ret)
		goto out;
	for (i = 0; i < s->nr_sizes; i++)
		ids[i] = caches[i].id;
	l->threads = xalloc(info.max_run_threads * sizeof(*l->threads));
	l->run = (struct kmag_ioc_run){
		.size = sizeof(l->run), .flags = s->check ? KMAG_RUN_CHECK : 0,
		.caches = (uintptr_t)ids, .nr_caches = s->nr_sizes, .pattern = s->pattern,
		.mode = s->mode, .gfp = s->gfp, .cpus = (uintptr_t)s->cpus,
		.cpus_len = s->cpus_len, .threads = s->threads, .seed = s->seed,
		.count = s->count, .duration_ms = s->duration_ms, .live = s->live,
		.on_us = s->on_us, .off_us = s->off_us, .period_us = s->period_us,
		.steps = s->steps, .results = (uintptr_t)l->threads,
		.max_results = info.max_run_threads };
	ret = submit(l, fd, quiet);
	l->told = !ret || l->err == EINTR;
	if (l->told && backend == KMAG_BACKEND_KMAG) {
		l->inspected = !inspect(l, fd, caches, s->nr_sizes);
		if (!l->inspected)
			ret = KMAG_EXIT_FAILED;
	}
out:
	close(fd);
	return ret;
}

void load_free(struct load *l)
{
	free(l->threads);
	free(l->why);
	*l = (struct load){};
}

char *load_verdict(const struct load *l)
{
	const struct kmag_run_thread *t = &l->run.total;

	if (t->corrupt)
		return xprintf("%s: the contents of %s had changed", l->name,
			       counted(t->corrupt, "object", "objects"));
	if (t->allocs != t->frees + t->left)
		return xprintf("%s: %s allocated, %s freed", l->name,
			       counted(t->allocs, "object was", "objects were"),
			       commas(t->frees + t->left));
	if (!l->inspected)
		return NULL;
	if (l->live)
		return xprintf("%s: counts %s as live, after all were freed", l->name,
			       counted(l->live, "object", "objects"));
	if (l->account.skew)
		return xprintf("%s: the bytes are off by %lld", l->name,
			       (long long)l->account.skew);
	if (l->validate_errors)
		return xprintf("%s: %s found in slabs and magazines", l->name,
			       counted(l->validate_errors, "error", "errors"));
	return NULL;
}

double thread_ns_per_op(const struct kmag_run_thread *t)
{
	uint64_t ops = t->allocs + t->failed + t->frees;

	return ops ? (double)t->busy_ns / ops : 0;
}

double load_ns_per_op(const struct load *l)
{
	return thread_ns_per_op(&l->run.total);
}

static json_t *json_thread(const struct kmag_run_thread *t)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f}",
			 "cpu", (json_int_t)t->cpu, "allocations", (json_int_t)t->allocs,
			 "frees", (json_int_t)t->frees, "failed", (json_int_t)t->failed,
			 "corrupt", (json_int_t)t->corrupt, "left", (json_int_t)t->left,
			 "ns", (json_int_t)t->ns, "busy_ns", (json_int_t)t->busy_ns,
			 "ns_per_operation", thread_ns_per_op(t),
			 "least_ns_per_operation", t->min_ps / 1e3);
}

json_t *load_json(const struct load *l)
{
	json_t *json = json_thread(&l->run.total), *threads = json_array();
	char *verdict = load_verdict(l);
	unsigned int i;

	json_object_del(json, "cpu");
	json_object_set_new(json, "wrong", verdict ? json_string(verdict) : json_null());
	free(verdict);
	for (i = 0; i < l->run.nr_results; i++)
		json_array_append_new(threads, json_thread(&l->threads[i]));
	json_object_set_new(json, "threads", threads);
	if (!l->inspected)
		return json;
	json_object_set_new(json, "validate_errors", json_integer(l->validate_errors));
	json_object_set_new(json, "skew", json_integer(l->account.skew));
	json_object_set_new(json, "not_freed", json_integer(l->live));
	json_object_set_new(json, "served_allocations", json_object());
	json_object_set_new(json, "served_frees", json_object());
	for (i = 0; i < 4; i++) {
		json_object_set_new(json_object_get(json, "served_allocations"), tier_names[i],
				    json_integer(l->tiers.alloc[i]));
		json_object_set_new(json_object_get(json, "served_frees"), tier_names[i],
				    json_integer(l->tiers.free[i]));
	}
	return json;
}
