// SPDX-License-Identifier: GPL-2.0
/*
 * Modules do not go while somebody needs them, and come again.
 *
 * Modules are in /lib/kmag, or in $KMAG_MODULES.
 */
#include <dirent.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "kmag_test.h"
#include "kselftest_harness.h"

static int unload(const char *name)
{
	return syscall(SYS_delete_module, name, O_NONBLOCK) ? -errno : 0;
}

static int load(const char *name)
{
	const char *dir = getenv("KMAG_MODULES");
	char path[256];
	int fd, ret;

	snprintf(path, sizeof(path), "%s/%s.ko", dir ? dir : "/lib/kmag", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = syscall(SYS_finit_module, fd, "", 0) ? -errno : 0;
	close(fd);
	return ret;
}

static int is_loaded(const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/module/%s/refcnt", name);
	return access(path, F_OK) == 0;
}

FIXTURE(load)
{
	int fd;
};

FIXTURE_VARIANT(load)
{
	__u32 backend;
};

FIXTURE_VARIANT_ADD(load, kmag)
{
	.backend = KMAG_BACKEND_KMAG,
};

FIXTURE_VARIANT_ADD(load, kmem)
{
	.backend = KMAG_BACKEND_KMEM,
};

FIXTURE_SETUP(load)
{
	ASSERT_TRUE(is_loaded("kmag"));
	ASSERT_TRUE(is_loaded("kmag_dev"));
	self->fd = open(KMAG_DEVICE, O_RDWR | O_CLOEXEC);
	ASSERT_GE(self->fd, 0);
}

/* Whatever happened, those who come next find both. */
FIXTURE_TEARDOWN(load)
{
	if (!is_loaded("kmag"))
		EXPECT_EQ(load("kmag"), 0);
	if (!is_loaded("kmag_dev"))
		EXPECT_EQ(load("kmag_dev"), 0);
}

TEST_F(load, refused_while_in_use)
{
	__u32 id, objs[10], nr = 10;

	/* kmag is used by kmag_dev, kmag_dev by an open file. */
	EXPECT_EQ(unload("kmag"), -EWOULDBLOCK);
	EXPECT_EQ(unload("kmag_dev"), -EWOULDBLOCK);

	/* With a cache that has objects: the same, and nothing is harmed. */
	ASSERT_EQ(kmag_create(self->fd, variant->backend, "load", 100, 0, &id),
		  0);
	ASSERT_EQ(kmag_alloc(self->fd, id, KMAG_BATCH_CHECK, 0, &nr, objs), 0);
	EXPECT_EQ(unload("kmag_dev"), -EWOULDBLOCK);
	EXPECT_EQ(unload("kmag"), -EWOULDBLOCK);
	EXPECT_EQ(kmag_free(self->fd, id, KMAG_BATCH_CHECK, &nr, objs, NULL),
		  0);
	EXPECT_EQ(kmag_destroy(self->fd, id, 0), 0);

	close(self->fd);
	EXPECT_EQ(unload("kmag"), -EWOULDBLOCK);
	ASSERT_EQ(unload("kmag_dev"), 0);
	EXPECT_EQ(access(KMAG_DEVICE, F_OK), -1);
	ASSERT_EQ(unload("kmag"), 0);
	EXPECT_EQ(access("/sys/kernel/debug/kmag", F_OK), -1);

	/* kmag_dev alone has nothing to stand on. */
	EXPECT_EQ(load("kmag_dev"), -ENOENT);
	ASSERT_EQ(load("kmag"), 0);
	EXPECT_EQ(load("kmag"), -EEXIST);
	ASSERT_EQ(load("kmag_dev"), 0);
}

/* A file that is closed with all its objects keeps no module. */
TEST_F_TIMEOUT(load, again_and_again, 120)
{
	struct kmag_replay_rec rec = { .slot = 5 };
	struct kmag_ioc_replay req = {
		.size = sizeof(req),
		.count = 1,
		.nr_slots = 10,
		.recs = (uintptr_t)&rec,
	};
	__u32 id, objs[500], nr;
	int i;

	for (i = 0; i < 10; i++) {
		nr = 500;
		ASSERT_EQ(kmag_create(self->fd, variant->backend, "again", 100,
				      KMAG_CF_CTOR, &id), 0);
		ASSERT_EQ(kmag_alloc(self->fd, id, 0, 0, &nr, objs), 0);
		rec.cache = id;
		ASSERT_EQ(kmag_call(self->fd, KMAG_IOC_REPLAY, &req), 0);
		close(self->fd);
		ASSERT_EQ(unload("kmag_dev"), 0);
		ASSERT_EQ(unload("kmag"), 0);
		EXPECT_EQ(kmag_slabinfo_has("kmag"), 0);
		ASSERT_EQ(load("kmag"), 0);
		ASSERT_EQ(load("kmag_dev"), 0);
		self->fd = open(KMAG_DEVICE, O_RDWR | O_CLOEXEC);
		ASSERT_GE(self->fd, 0);
	}
}

TEST_HARNESS_MAIN
