/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What kmag's selftests share: calls of /dev/kmag in short, and looking into
 * a snapshot.
 */
#ifndef _KMAG_TEST_H
#define _KMAG_TEST_H

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/utsname.h>
#include <time.h>

#include <uapi/kmag.h>

static inline long long kmag_now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000LL + ts.tv_nsec / 1000;
}

/* 0, or -errno. */
static inline int kmag_call(int fd, unsigned long cmd, void *arg)
{
	return ioctl(fd, cmd, arg) ? -errno : 0;
}

static inline int kmag_create(int fd, __u32 backend, const char *name,
			      __u32 size, __u32 flags, __u32 *id)
{
	struct kmag_ioc_create req = {
		.size = sizeof(req),
		.backend = backend,
		.cache_flags = flags,
		.object_size = size,
	};
	int ret;

	snprintf(req.name, sizeof(req.name), "%s", name);
	ret = kmag_call(fd, KMAG_IOC_CREATE, &req);
	*id = req.id;
	return ret;
}

static inline int kmag_destroy(int fd, __u32 id, __u32 flags)
{
	struct kmag_ioc_destroy req = {
		.size = sizeof(req),
		.flags = flags,
		.id = id,
	};

	return kmag_call(fd, KMAG_IOC_DESTROY, &req);
}

/* The count that was done comes back in @nr. */
static inline int kmag_alloc(int fd, __u32 id, __u32 flags, __u32 gfp,
			     __u32 *nr, __u32 *objs)
{
	struct kmag_ioc_alloc req = {
		.size = sizeof(req),
		.flags = flags,
		.id = id,
		.count = *nr,
		.gfp = gfp,
		.node = -1,
		.objs = (uintptr_t)objs,
	};
	int ret = kmag_call(fd, KMAG_IOC_ALLOC, &req);

	*nr = req.done;
	return ret;
}

static inline int kmag_free(int fd, __u32 id, __u32 flags, __u32 *nr,
			    __u32 *objs, __u32 *corrupt)
{
	struct kmag_ioc_free req = {
		.size = sizeof(req),
		.flags = flags,
		.id = id,
		.count = *nr,
		.objs = (uintptr_t)objs,
	};
	int ret = kmag_call(fd, KMAG_IOC_FREE, &req);

	*nr = req.done;
	if (corrupt)
		*corrupt = req.corrupt;
	return ret;
}

/* A whole snapshot; the caller frees it. */
static inline struct kmag_snap_head *kmag_snapshot(int fd)
{
	struct kmag_ioc_snapshot req = { .size = sizeof(req) };
	void *buf = NULL;

	do {
		free(buf);
		/* Room for caches that come meanwhile. */
		req.len = req.needed + req.needed / 4;
		buf = req.len ? malloc(req.len) : NULL;
		if (req.len && !buf)
			return NULL;
		req.buf = (uintptr_t)buf;
		if (ioctl(fd, KMAG_IOC_SNAPSHOT, &req)) {
			free(buf);
			return NULL;
		}
	} while (req.needed > req.len);
	return buf;
}

/* The record after @prev, or the first. */
static inline const struct kmag_snap_cache *
kmag_snap_next(const struct kmag_snap_head *head,
	       const struct kmag_snap_cache *prev)
{
	if (!prev)
		return (const void *)((const char *)head + head->size);
	return (const void *)((const char *)prev + prev->record_size);
}

/* The first cache of this name, or NULL. */
static inline const struct kmag_snap_cache *
kmag_snap_find(const struct kmag_snap_head *head, const char *name)
{
	const struct kmag_snap_cache *cache = NULL;
	__u32 i;

	for (i = 0; i < head->nr_caches; i++) {
		cache = kmag_snap_next(head, cache);
		if (!strcmp(cache->name, name))
			return cache;
	}
	return NULL;
}

/* Is a kmag cache of this name left? -1: could not be seen. */
static inline int kmag_snap_has(int fd, const char *name)
{
	struct kmag_snap_head *head = kmag_snapshot(fd);
	int has;

	if (!head)
		return -1;
	has = !!kmag_snap_find(head, name);
	free(head);
	return has;
}

/* Has the kernel's own list a cache whose name contains this? -1: no list. */
static inline int kmag_slabinfo_has(const char *part)
{
	FILE *file = fopen("/proc/slabinfo", "r");
	char line[512];
	int has = 0;

	if (!file)
		return -1;
	while (!has && fgets(line, sizeof(line), file)) {
		line[strcspn(line, " ")] = 0;
		has = !!strstr(line, part);
	}
	fclose(file);
	return has;
}

/* Does each kmem_cache have its own name? From 6.5 on, or when told at boot. */
static inline int kmag_kmem_has_names(void)
{
	FILE *file = fopen("/proc/sys/kernel/osrelease", "r");
	int major = 0, minor = 0, has;
	char line[4096];

	if (!file)
		return 0;
	has = fscanf(file, "%d.%d", &major, &minor) == 2 &&
	      (major > 6 || (major == 6 && minor >= 5));
	fclose(file);
	if (has)
		return 1;
	file = fopen("/proc/cmdline", "r");
	has = file && fgets(line, sizeof(line), file) &&
	      strstr(line, "slab_nomerge");
	if (file)
		fclose(file);
	return has;
}

/* Of the kernel or a module. */
static inline int kmag_has_symbol(const char *name)
{
	FILE *file = fopen("/proc/kallsyms", "r");
	char line[512];
	int has = 0;

	while (file && !has && fgets(line, sizeof(line), file)) {
		char symbol[256];

		has = sscanf(line, "%*s %*s %255s", symbol) == 1 &&
		      !strcmp(symbol, name);
	}
	if (file)
		fclose(file);
	return has;
}

/* PREEMPT_RT: neither allocator can be used in hard interrupts. */
static inline int kmag_is_rt(void)
{
	struct utsname name;

	return !uname(&name) && strstr(name.version, "PREEMPT_RT");
}

/* The mode of a run after this one. */
static inline __u32 kmag_next_mode(__u32 mode)
{
	mode++;
	return mode == KMAG_RUN_HARDIRQ && kmag_is_rt() ? mode + 1 : mode;
}

static inline int kmag_backend_has(int fd, __u32 backend, const char *name)
{
	return backend == KMAG_BACKEND_KMAG ? kmag_snap_has(fd, name) :
					      kmag_slabinfo_has(name);
}

#endif /* _KMAG_TEST_H */
