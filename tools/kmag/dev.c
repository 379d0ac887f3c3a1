// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/kmag as the subcommands see it. Kernel and tool may differ in age: each
 * record of a snapshot tells its own size, what it lacks reads as zero, and
 * what it has more is skipped.
 */
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "dev.h"
#include "util.h"

/* Caches may be made between asking for the size and taking the snapshot. */
#define SNAPSHOT_TRIES	8
#define SNAPSHOT_SLACK	65536

const char * const tier_names[4] = { "magazine", "depot", "slab", "page" };

int dev_open(struct kmag_ioc_info *info)
{
	int fd = open(KMAG_DEVICE, O_RDWR | O_CLOEXEC);

	if (fd < 0) {
		if (errno == ENOENT || errno == ENXIO || errno == ENODEV)
			say("there is no " KMAG_DEVICE ": load kmag.ko and kmag_dev.ko");
		else if (errno == EACCES || errno == EPERM)
			say("no permission for " KMAG_DEVICE ": it is root's");
		else
			say("cannot open " KMAG_DEVICE ": %m");
		return -1;
	}
	*info = (struct kmag_ioc_info){ .size = sizeof(*info) };
	if (ioctl(fd, KMAG_IOC_INFO, info)) {
		say(KMAG_DEVICE " does not answer as kmag's device: %m");
		close(fd);
		return -1;
	}
	if (info->abi != KMAG_ABI) {
		say(KMAG_DEVICE " speaks ABI %u, this kmag %u", info->abi, KMAG_ABI);
		close(fd);
		return -1;
	}
	return fd;
}

/* Copy a record of @size bytes at @from into one of @want: see above. */
static bool take(const char *from, const char *end, void *to, uint32_t want,
		 uint32_t *size)
{
	if (end - from < (ptrdiff_t)sizeof(*size))
		return false;
	memcpy(size, from, sizeof(*size));
	if (*size < sizeof(*size) || *size > end - from)
		return false;
	memset(to, 0, want);
	memcpy(to, from, *size < want ? *size : want);
	return true;
}

static bool take_cache(const char *from, const char *end, struct snap_cache *c)
{
	const char *stop;
	uint32_t size, i;

	if (!take(from, end, &c->c, sizeof(c->c), &size) ||
	    c->c.record_size < size || c->c.record_size > end - from)
		return false;
	stop = from + c->c.record_size;
	from += size;
	c->c.name[KMAG_NAME_LEN - 1] = '\0';
	if (c->c.nr_cpus > (stop - from) / sizeof(uint32_t) ||
	    c->c.nr_nodes > (stop - from) / sizeof(uint32_t) ||
	    c->c.nr_latencies > (stop - from) / sizeof(uint32_t))
		return false;
	c->cpus = xalloc(c->c.nr_cpus * sizeof(*c->cpus));
	c->nodes = xalloc(c->c.nr_nodes * sizeof(*c->nodes));
	c->latencies = xalloc(c->c.nr_latencies * sizeof(*c->latencies));
	for (i = 0; i < c->c.nr_cpus; i++, from += size)
		if (!take(from, stop, &c->cpus[i], sizeof(*c->cpus), &size))
			return false;
	for (i = 0; i < c->c.nr_nodes; i++, from += size)
		if (!take(from, stop, &c->nodes[i], sizeof(*c->nodes), &size))
			return false;
	for (i = 0; i < c->c.nr_latencies; i++, from += size)
		if (!take(from, stop, &c->latencies[i], sizeof(*c->latencies), &size))
			return false;
	return true;
}

static int take_apart(const char *buf, size_t len, struct snapshot *s)
{
	const char *end = buf + len;
	struct kmag_snap_head head;
	uint32_t size, i;

	/* Its size comes second: the magic first. */
	if (len < sizeof(head))
		goto bad;
	memcpy(&head, buf, sizeof(head));
	size = head.size;
	if (head.magic != KMAG_SNAP_MAGIC || size < sizeof(head) || size > len)
		goto bad;
	if (head.nr_caches > (len - size) / sizeof(uint32_t))
		goto bad;
	buf += size;
	s->time_ns = head.time_ns;
	s->caches = xalloc(head.nr_caches * sizeof(*s->caches));
	for (i = 0; i < head.nr_caches; i++) {
		s->nr = i + 1;
		if (!take_cache(buf, end, &s->caches[i]))
			goto bad;
		buf += s->caches[i].c.record_size;
	}
	return 0;

bad:
	say("the kernel's snapshot makes no sense");
	snapshot_free(s);
	return -1;
}

int dev_snapshot(int fd, struct snapshot *s)
{
	struct kmag_ioc_snapshot req;
	uint64_t room = SNAPSHOT_SLACK;
	char *buf = NULL;
	int try, ret = -1;

	*s = (struct snapshot){};
	for (try = 0; try < SNAPSHOT_TRIES; try++) {
		buf = xrealloc(buf, room);
		req = (struct kmag_ioc_snapshot){
			.size = sizeof(req), .buf = (uintptr_t)buf, .len = room };
		if (ioctl(fd, KMAG_IOC_SNAPSHOT, &req)) {
			say("cannot take a snapshot: %m");
			goto out;
		}
		if (req.needed <= room) {
			ret = take_apart(buf, req.needed, s);
			goto out;
		}
		room = req.needed + SNAPSHOT_SLACK;
	}
	say("cannot take a snapshot: it grows faster than it is read");
out:
	free(buf);
	return ret;
}

void snapshot_free(struct snapshot *s)
{
	unsigned int i;

	for (i = 0; i < s->nr; i++) {
		free(s->caches[i].cpus);
		free(s->caches[i].nodes);
		free(s->caches[i].latencies);
	}
	free(s->caches);
	*s = (struct snapshot){};
}

/* Looks at caches that move, and how long one waits in between */
#define LOOKS		40
#define LOOK_US		50000

/* Does one of these caches move? */
static bool moves(const struct snapshot *s, const struct kmag_ioc_create *caches,
		  unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		const struct snap_cache *c = snapshot_find(s, caches[i].kmag_id);

		if (caches[i].id && c && c->c.skew)
			return true;
	}
	return false;
}

int dev_snapshot_quiet(int fd, const struct kmag_ioc_create *caches, unsigned int nr,
		       struct snapshot *s)
{
	unsigned int looks = LOOKS;
	int ret;

	for (;;) {
		ret = dev_snapshot(fd, s);
		if (ret || !moves(s, caches, nr) || !--looks)
			return ret;
		snapshot_free(s);
		usleep(LOOK_US);
	}
}

const struct snap_cache *snapshot_find(const struct snapshot *s, uint32_t id)
{
	unsigned int i;

	for (i = 0; i < s->nr; i++)
		if (s->caches[i].c.id == id)
			return &s->caches[i];
	return NULL;
}

bool name_wanted(const struct kmag_snap_cache *c, char **names, int nr)
{
	char full[KMAG_NAME_LEN + 16];
	int i;

	snprintf(full, sizeof(full), "%s-%u", c->name, c->id);
	for (i = 0; i < nr; i++)
		if (!fnmatch(names[i], c->name, 0) || !fnmatch(names[i], full, 0))
			return true;
	return !nr;
}

bool names_failed(int nr_names, unsigned int found)
{
	if (!nr_names || found)
		return false;
	say("there is no kmag cache by that name");
	return true;
}

void account_add(struct account *a, const struct kmag_snap_cache *c)
{
	uint64_t stride = c->stride;

	a->live += c->live * c->object_size;
	a->align += c->live * (stride - c->object_size);
	a->cpu += c->cpu_objs * stride;
	a->depot += c->depot_objs * stride;
	a->partial += (c->slab_free - c->empty_free) * stride;
	a->empty += c->empty_free * stride;
	a->transit += c->transit * stride;
	a->tail += c->tail_bytes;
	a->slabs += c->slab_bytes;
	a->mags += c->mag_bytes;
	a->meta += c->meta_bytes;
	a->skew = (int64_t)(a->slabs - a->live - a->align - a->cpu - a->depot -
			    a->partial - a->empty - a->transit - a->tail);
}

void tiers_add(struct tiers *t, const struct kmag_snap_cache *c)
{
	unsigned int i;

	for (i = 0; i < 4; i++) {
		t->alloc[i] += c->stats[KMAG_ALLOC_MAG + i];
		t->free[i] += c->stats[KMAG_FREE_MAG + i];
	}
}
