// SPDX-License-Identifier: GPL-2.0
/*
 * Caches and objects of both backends: ranges, ids, contents, and what is left
 * when a file goes.
 */
#include <pthread.h>

#include "kmag_test.h"
#include "kselftest_harness.h"

FIXTURE(backend)
{
	int fd;
	struct kmag_ioc_info info;
};

FIXTURE_VARIANT(backend)
{
	__u32 backend;
};

FIXTURE_VARIANT_ADD(backend, kmag)
{
	.backend = KMAG_BACKEND_KMAG,
};

FIXTURE_VARIANT_ADD(backend, kmem)
{
	.backend = KMAG_BACKEND_KMEM,
};

FIXTURE_SETUP(backend)
{
	self->fd = open(KMAG_DEVICE, O_RDWR | O_CLOEXEC);
	ASSERT_GE(self->fd, 0);
	self->info.size = sizeof(self->info);
	ASSERT_EQ(kmag_call(self->fd, KMAG_IOC_INFO, &self->info), 0);
}

FIXTURE_TEARDOWN(backend)
{
	close(self->fd);
}

static void set_name(struct kmag_ioc_create *req, const char *name)
{
	snprintf(req->name, sizeof(req->name), "%s", name);
}

TEST_F(backend, create_ranges)
{
	const struct kmag_ioc_create good = {
		.size = sizeof(good),
		.backend = variant->backend,
		.object_size = 256,
		.name = "ranges",
	};
	static const __u32 bad_aligns[] = { 3, 5, 24, 8192, 1U << 31 };
	static const char *const bad_names[] = {
		"", "a b", "a/b", "a\n", "%s", "a:b", "\xc3\xa4",
	};
	struct kmag_ioc_create req;
	unsigned int i;

#define CREATE(error, ...)						\
	do {								\
		int want;						\
									\
		req = good;						\
		__VA_ARGS__;						\
		want = (error);						\
		EXPECT_EQ(kmag_call(self->fd, KMAG_IOC_CREATE, &req),	\
			  want);					\
		if (want) {						\
			EXPECT_EQ(req.id, 0);				\
		} else {						\
			EXPECT_EQ(kmag_destroy(self->fd, req.id, 0), 0); \
		}							\
	} while (0)

	CREATE(0, (void)0);
	CREATE(-EINVAL, req.object_size = 0);
	CREATE(-EINVAL, req.object_size = self->info.max_object_size + 1);
	CREATE(-EINVAL, req.object_size = UINT32_MAX);
	CREATE(0, req.object_size = 1);
	CREATE(0, req.object_size = 65536);
	CREATE(0, req.object_size = self->info.max_object_size);
	for (i = 1; i <= 4096; i *= 2)
		CREATE(0, req.align = i);
	for (i = 0; i < ARRAY_SIZE(bad_aligns); i++)
		CREATE(-EINVAL, req.align = bad_aligns[i]);
	CREATE(-EOPNOTSUPP, req.backend = 2);
	CREATE(-EOPNOTSUPP, req.backend = UINT32_MAX);
	for (i = 0; i < 32; i++)
		CREATE(i < 4 ? 0 : -EOPNOTSUPP, req.cache_flags = 1U << i);
	CREATE(0, req.cache_flags = 0xf);
	for (i = 0; i < ARRAY_SIZE(bad_names); i++)
		CREATE(-EINVAL, set_name(&req, bad_names[i]));
	CREATE(-EINVAL, memset(req.name, 'x', sizeof(req.name)));
	CREATE(0, memset(req.name, 'x', sizeof(req.name) - 1));
	CREATE(0, set_name(&req, "aZ09_.-"));
#undef CREATE
}

TEST_F(backend, names)
{
	struct kmag_ioc_create req[2];
	char path[256];
	int i;

	if (variant->backend == KMAG_BACKEND_KMEM && !kmag_kmem_has_names())
		SKIP(return, "caches are merged: boot with slab_nomerge");
	/* Two of one name are two caches. */
	for (i = 0; i < 2; i++) {
		memset(&req[i], 0, sizeof(req[i]));
		req[i].size = sizeof(req[i]);
		req[i].backend = variant->backend;
		req[i].object_size = 200;
		set_name(&req[i], "twice");
		ASSERT_EQ(kmag_call(self->fd, KMAG_IOC_CREATE, &req[i]), 0);
		EXPECT_EQ(req[i].kmag_id != 0,
			  variant->backend == KMAG_BACKEND_KMAG);
		if (variant->backend == KMAG_BACKEND_KMAG) {
			snprintf(path, sizeof(path),
				 "/sys/kernel/debug/kmag/%s/info",
				 req[i].real_name);
			EXPECT_EQ(access(path, R_OK), 0);
		} else {
			EXPECT_EQ(kmag_slabinfo_has(req[i].real_name), 1);
		}
	}
	EXPECT_NE(req[0].id, req[1].id);
	EXPECT_STRNE(req[0].real_name, req[1].real_name);
}

/* Slow where every instruction is emulated. */
TEST_F_TIMEOUT(backend, too_many_caches, 300)
{
	__u32 nr = self->info.max_caches, id, i;
	__u32 *ids = calloc(nr, sizeof(*ids));
	long long one, all;

	ASSERT_NE(ids, NULL);
	for (i = 0; i < nr; i++)
		ASSERT_EQ(kmag_create(self->fd, variant->backend, "many", 32, 0,
				      &ids[i]), 0);
	EXPECT_EQ(kmag_create(self->fd, variant->backend, "many", 32, 0, &id),
		  -E2BIG);
	one = kmag_now_us();
	for (i = 0; i < 16; i++)
		EXPECT_EQ(kmag_destroy(self->fd, ids[i], 0), 0);
	one = (kmag_now_us() - one) / 16;
	for (i = 0; i < 16; i++)
		EXPECT_EQ(kmag_create(self->fd, variant->backend, "many", 32, 0,
				      &id), 0);

	/* Closing the file frees all, and not one after the other. */
	all = kmag_now_us();
	ASSERT_EQ(close(self->fd), 0);
	all = kmag_now_us() - all;
	self->fd = open(KMAG_DEVICE, O_RDWR | O_CLOEXEC);
	ASSERT_GE(self->fd, 0);
	EXPECT_EQ(kmag_backend_has(self->fd, variant->backend, "many"), 0);
	TH_LOG("one cache goes in %lld us, %u in %lld us", one, nr, all);
	if (variant->backend == KMAG_BACKEND_KMAG)
		EXPECT_LT(all, one * nr / 2);
	free(ids);
}

TEST_F(backend, alloc_ranges)
{
	struct kmag_ioc_alloc req, good = {
		.size = sizeof(good),
		.count = 4,
		.node = -1,
	};
	__u32 objs[4];

	ASSERT_EQ(kmag_create(self->fd, variant->backend, "ranges", 64, 0,
			      &good.id), 0);
	good.objs = (uintptr_t)objs;

#define ALLOC(error, nr, ...)						\
	do {								\
		req = good;						\
		__VA_ARGS__;						\
		EXPECT_EQ(kmag_call(self->fd, KMAG_IOC_ALLOC, &req),	\
			  (error));					\
		EXPECT_EQ(req.done, nr);				\
	} while (0)

	ALLOC(0, 4, (void)0);
	ALLOC(-ENOENT, 0, req.id = 0);
	ALLOC(-ENOENT, 0, req.id += 1);
	ALLOC(-ENOENT, 0, req.id = UINT32_MAX);
	ALLOC(-EINVAL, 0, req.count = 0);
	ALLOC(-E2BIG, 0, req.count = self->info.max_batch + 1);
	ALLOC(-E2BIG, 0, req.count = UINT32_MAX);
	ALLOC(0, 4, req.gfp = KMAG_GFP_ATOMIC);
	ALLOC(0, 4, req.gfp = KMAG_GFP_NOWAIT | KMAG_GFP_ZERO);
	ALLOC(-EOPNOTSUPP, 0, req.gfp = 3);
	ALLOC(-EOPNOTSUPP, 0, req.gfp = 0x10);
	ALLOC(-EOPNOTSUPP, 0, req.gfp = UINT32_MAX);
	ALLOC(0, 4, req.node = 0);
	ALLOC(-EINVAL, 0, req.node = -2);
	ALLOC(-EINVAL, 0, req.node = 1 << 20);
	ALLOC(-EINVAL, 0, req.node = 0; req.flags = KMAG_BATCH_BULK);
	/* Ids that cannot be told are not kept. */
	ALLOC(-EFAULT, 0, req.objs = 1);
	ALLOC(-EFAULT, 0, req.objs = 1; req.flags = KMAG_BATCH_BULK);
	ALLOC(-EFAULT, 0, req.objs = 1; req.flags = KMAG_BATCH_CHECK);
#undef ALLOC
	if (variant->backend == KMAG_BACKEND_KMAG) {
		struct kmag_snap_head *head = kmag_snapshot(self->fd);
		const struct kmag_snap_cache *cache;

		ASSERT_NE(head, NULL);
		cache = kmag_snap_find(head, "ranges");
		ASSERT_NE(cache, NULL);
		EXPECT_EQ(cache->live, 16);
		free(head);
	}
}

TEST_F(backend, free_ranges)
{
	struct kmag_ioc_free req, good = { .size = sizeof(good) };
	__u32 objs[8], nr = 8, other, alien[1], one = 1;

	ASSERT_EQ(kmag_create(self->fd, variant->backend, "ranges", 64, 0,
			      &good.id), 0);
	ASSERT_EQ(kmag_create(self->fd, variant->backend, "other", 64, 0,
			      &other), 0);
	ASSERT_EQ(kmag_alloc(self->fd, good.id, 0, 0, &nr, objs), 0);
	ASSERT_EQ(kmag_alloc(self->fd, other, 0, 0, &one, alien), 0);
	good.objs = (uintptr_t)objs;
	good.count = 1;

#define FREE(error, nr, ...)						\
	do {								\
		req = good;						\
		__VA_ARGS__;						\
		EXPECT_EQ(kmag_call(self->fd, KMAG_IOC_FREE, &req),	\
			  (error));					\
		EXPECT_EQ(req.done, nr);				\
		EXPECT_EQ(req.corrupt, 0);				\
	} while (0)

	FREE(-EINVAL, 0, req.count = 0);
	FREE(-E2BIG, 0, req.count = self->info.max_batch + 1);
	FREE(-ENOENT, 0, req.id = 0);
	FREE(-EFAULT, 0, req.objs = 1);
	/* Of another cache. */
	FREE(-ENOENT, 0, req.id = other);
	FREE(-ENOENT, 0, req.objs = (uintptr_t)alien);
	/* Once, and not twice. */
	FREE(0, 1, (void)0);
	FREE(-ENOENT, 0, (void)0);
	/* The rest of a batch is left alone. */
	objs[0] = objs[1];
	objs[1] = objs[2];
	objs[2] = objs[1];
	FREE(-ENOENT, 2, req.count = 4);
	FREE(-ENOENT, 0, req.count = 3);
	FREE(0, 2, req.objs = (uintptr_t)&objs[3]; req.count = 2);
	/* The same in a bulk call. */
	objs[7] = objs[6];
	FREE(-ENOENT, 2, req.objs = (uintptr_t)&objs[5]; req.count = 3;
	     req.flags = KMAG_BATCH_BULK);
	FREE(-ENOENT, 0, req.objs = (uintptr_t)&objs[5]; req.count = 3;
	     req.flags = KMAG_BATCH_BULK);
	/* One is left: the eighth, whose id was overwritten. */
	EXPECT_EQ(kmag_destroy(self->fd, good.id, 0), -EBUSY);
	EXPECT_EQ(kmag_destroy(self->fd, good.id, KMAG_DESTROY_FORCE), 0);
	EXPECT_EQ(kmag_destroy(self->fd, good.id, 0), -ENOENT);
	EXPECT_EQ(kmag_free(self->fd, other, 0, &one, alien, NULL), 0);
	EXPECT_EQ(kmag_destroy(self->fd, other, 0), 0);
#undef FREE
}

TEST_F(backend, constructed_and_zeroed)
{
	__u32 id, plain, objs[64], nr = 1, corrupt;
	int round;

	ASSERT_EQ(kmag_create(self->fd, variant->backend, "ctor", 300,
			      KMAG_CF_CTOR, &id), 0);
	ASSERT_EQ(kmag_create(self->fd, variant->backend, "plain", 300, 0,
			      &plain), 0);
	EXPECT_EQ(kmag_alloc(self->fd, id, 0, KMAG_GFP_ZERO, &nr, objs),
		  -EINVAL);
	nr = 1;
	EXPECT_EQ(kmag_alloc(self->fd, id, KMAG_BATCH_BULK, KMAG_GFP_ZERO, &nr,
			     objs), -EINVAL);

	/*
	 * Objects are filled while they are out, and go round: each must come
	 * constructed again, or zeroed. What came wrong is told by the free.
	 */
	for (round = 0; round < 6; round++) {
		__u32 flags = KMAG_BATCH_CHECK;

		if (round & 1)
			flags |= KMAG_BATCH_BULK;
		nr = 64;
		ASSERT_EQ(kmag_alloc(self->fd, id, flags, 0, &nr, objs), 0);
		ASSERT_EQ(nr, 64);
		ASSERT_EQ(kmag_free(self->fd, id, flags, &nr, objs, &corrupt),
			  0);
		EXPECT_EQ(corrupt, 0);
		nr = 64;
		ASSERT_EQ(kmag_alloc(self->fd, plain, flags, KMAG_GFP_ZERO, &nr,
				     objs), 0);
		ASSERT_EQ(kmag_free(self->fd, plain, flags, &nr, objs,
				    &corrupt), 0);
		EXPECT_EQ(corrupt, 0);
	}
	/* Also when the caller did not ask for a check of what it filled. */
	nr = 64;
	ASSERT_EQ(kmag_alloc(self->fd, id, KMAG_BATCH_CHECK, 0, &nr, objs), 0);
	ASSERT_EQ(kmag_free(self->fd, id, 0, &nr, objs, NULL), 0);
	nr = 64;
	ASSERT_EQ(kmag_alloc(self->fd, id, KMAG_BATCH_CHECK, 0, &nr, objs), 0);
	ASSERT_EQ(kmag_free(self->fd, id, KMAG_BATCH_CHECK, &nr, objs,
			    &corrupt), 0);
	EXPECT_EQ(corrupt, 0);
}

TEST_F_TIMEOUT(backend, sizes, 300)
{
	static const __u32 sizes[] = {
		1, 7, 8, 9, 24, 96, 192, 1000, 4096, 5000, 16384, 65536, 262144,
	};
	unsigned int i, flags;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (flags = 0; flags < 16; flags++) {
			__u32 id, objs[20], nr = 20, corrupt;

			ASSERT_EQ(kmag_create(self->fd, variant->backend,
					      "sizes", sizes[i], flags, &id),
				  0);
			ASSERT_EQ(kmag_alloc(self->fd, id, KMAG_BATCH_CHECK, 0,
					     &nr, objs), 0);
			ASSERT_EQ(kmag_free(self->fd, id, KMAG_BATCH_CHECK, &nr,
					    objs, &corrupt), 0);
			EXPECT_EQ(corrupt, 0)
				TH_LOG("size %u flags %u", sizes[i], flags);
			ASSERT_EQ(kmag_destroy(self->fd, id, 0), 0);
		}
	}
}

TEST_F(backend, shrink_and_validate)
{
	struct kmag_ioc_cache req = { .size = sizeof(req) };
	__u32 objs[1000], nr = 1000;

	ASSERT_EQ(kmag_create(self->fd, variant->backend, "shrink", 512, 0,
			      &req.id), 0);
	ASSERT_EQ(kmag_alloc(self->fd, req.id, 0, 0, &nr, objs), 0);
	ASSERT_EQ(kmag_free(self->fd, req.id, 0, &nr, objs, NULL), 0);

	req.result = UINT64_MAX;
	if (variant->backend == KMAG_BACKEND_KMAG) {
		struct kmag_snap_head *head;
		const struct kmag_snap_cache *cache;

		ASSERT_EQ(kmag_call(self->fd, KMAG_IOC_VALIDATE, &req), 0);
		EXPECT_EQ(req.result, 0);
		ASSERT_EQ(kmag_call(self->fd, KMAG_IOC_SHRINK, &req), 0);
		EXPECT_GT(req.result, 0);
		head = kmag_snapshot(self->fd);
		ASSERT_NE(head, NULL);
		cache = kmag_snap_find(head, "shrink");
		ASSERT_NE(cache, NULL);
		EXPECT_EQ(cache->slabs, 0);
		EXPECT_EQ(cache->slots, 0);
		free(head);
	} else {
		EXPECT_EQ(kmag_call(self->fd, KMAG_IOC_VALIDATE, &req),
			  -EOPNOTSUPP);
		EXPECT_EQ(kmag_call(self->fd, KMAG_IOC_SHRINK, &req), 0);
	}
}

/* A snapshot's identity, object by object. */
TEST_F(backend, identity)
{
	struct kmag_snap_head *head;
	const struct kmag_snap_cache *c;
	__u32 id, objs[1000], nr = 1000, half = 500;

	if (variant->backend != KMAG_BACKEND_KMAG)
		SKIP(return, "snapshots show kmag's caches");
	ASSERT_EQ(kmag_create(self->fd, variant->backend, "identity", 120, 0,
			      &id), 0);
	ASSERT_EQ(kmag_alloc(self->fd, id, 0, 0, &nr, objs), 0);
	ASSERT_EQ(kmag_free(self->fd, id, 0, &half, objs, NULL), 0);
	head = kmag_snapshot(self->fd);
	ASSERT_NE(head, NULL);
	c = kmag_snap_find(head, "identity");
	ASSERT_NE(c, NULL);
	EXPECT_EQ(c->live, 500);
	EXPECT_EQ(c->slots, c->live + c->cpu_objs + c->depot_objs +
		  c->slab_free + c->transit);
	EXPECT_EQ(c->skew, 0);
	EXPECT_EQ(c->slab_bytes, c->slots * c->stride + c->tail_bytes);
	EXPECT_EQ(c->slabs_needed, (500 + c->slab_slots - 1) / c->slab_slots);
	EXPECT_GE(c->slabs, c->slabs_needed);
	free(head);
}

TEST_F(backend, close_frees)
{
	__u32 id, objs[100], nr = 100;
	int fd = open(KMAG_DEVICE, O_RDWR);

	ASSERT_GE(fd, 0);
	ASSERT_EQ(kmag_create(fd, variant->backend, "closed", 64, KMAG_CF_CTOR,
			      &id), 0);
	ASSERT_EQ(kmag_alloc(fd, id, KMAG_BATCH_CHECK, 0, &nr, objs), 0);
	EXPECT_EQ(kmag_backend_has(self->fd, variant->backend, "closed"), 1);
	close(fd);
	EXPECT_EQ(kmag_backend_has(self->fd, variant->backend, "closed"), 0);
}

/* The file is shared after fork; only the last one to close it frees. */
TEST_F(backend, forked)
{
	__u32 id, objs[10], nr = 10;
	int status, fd = open(KMAG_DEVICE, O_RDWR);
	pid_t pid;

	if (variant->backend == KMAG_BACKEND_KMEM && !kmag_kmem_has_names())
		SKIP(return, "caches are merged: boot with slab_nomerge");
	ASSERT_GE(fd, 0);
	ASSERT_EQ(kmag_create(fd, variant->backend, "forked", 64, 0, &id), 0);
	ASSERT_EQ(kmag_alloc(fd, id, 0, 0, &nr, objs), 0);
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		/* Ours as well: half of them go here. */
		nr = 5;
		_exit(kmag_free(fd, id, 0, &nr, objs, NULL) ? 1 : 0);
	}
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
	nr = 1;
	EXPECT_EQ(kmag_free(fd, id, 0, &nr, objs, NULL), -ENOENT);
	nr = 5;
	EXPECT_EQ(kmag_free(fd, id, 0, &nr, objs + 5, NULL), 0);
	EXPECT_EQ(kmag_backend_has(self->fd, variant->backend, "forked"), 1);
	close(fd);
	EXPECT_EQ(kmag_backend_has(self->fd, variant->backend, "forked"), 0);
}

struct hammer {
	int fd;
	__u32 id;
	int bad;
};

static void *hammer(void *data)
{
	struct hammer *h = data;
	__u32 objs[50], nr, corrupt;
	int i;

	for (i = 0; i < 200; i++) {
		nr = 50;
		if (kmag_alloc(h->fd, h->id, KMAG_BATCH_CHECK, 0, &nr, objs) ||
		    nr != 50) {
			h->bad++;
			break;
		}
		if (kmag_free(h->fd, h->id, KMAG_BATCH_CHECK, &nr, objs,
			      &corrupt) || nr != 50 || corrupt)
			h->bad++;
	}
	return NULL;
}

TEST_F_TIMEOUT(backend, threads, 300)
{
	struct hammer h[4];
	pthread_t threads[4];
	__u32 id;
	int i;

	ASSERT_EQ(kmag_create(self->fd, variant->backend, "threads", 80,
			      KMAG_CF_CTOR, &id), 0);
	for (i = 0; i < 4; i++) {
		h[i] = (struct hammer){ .fd = self->fd, .id = id };
		ASSERT_EQ(pthread_create(&threads[i], NULL, hammer, &h[i]), 0);
	}
	for (i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		EXPECT_EQ(h[i].bad, 0);
	}
	EXPECT_EQ(kmag_destroy(self->fd, id, 0), 0);
}

TEST_HARNESS_MAIN
