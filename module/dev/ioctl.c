// SPDX-License-Identifier: GPL-2.0
/*
 * The commands of /dev/kmag, and what is common to them: the size rules of
 * <uapi/kmag.h>, the file's lock, results copied back as far as the caller's
 * structure goes, after an error too.
 */
#include <linux/cpumask.h>
#include <linux/fs.h>
#include <linux/gfp.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/stddef.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include <kmag/kmag.h>

#include "dev.h"

static_assert(sizeof(struct kmag_ioc_info) == 64);
static_assert(sizeof(struct kmag_ioc_create) == 128);
static_assert(sizeof(struct kmag_ioc_destroy) == 16);
static_assert(sizeof(struct kmag_ioc_alloc) == 40);
static_assert(sizeof(struct kmag_ioc_free) == 32);
static_assert(sizeof(struct kmag_ioc_replay) == 88);
static_assert(sizeof(struct kmag_ioc_cache) == 24);
static_assert(sizeof(struct kmag_ioc_snapshot) == 32);
static_assert(sizeof(struct kmag_ioc_run) == 176);
static_assert(sizeof(struct kmag_ioc_progress) == 48);
static_assert(sizeof(struct kmag_replay_rec) == 16);
static_assert(sizeof(struct kmag_run_thread) == 72);

/* What every structure begins with. */
struct kmag_ioc_any {
	__u32 size;
	__u32 flags;
};

union kmag_ioc_arg {
	struct kmag_ioc_any any;
	struct kmag_ioc_info info;
	struct kmag_ioc_create create;
	struct kmag_ioc_destroy destroy;
	struct kmag_ioc_alloc alloc;
	struct kmag_ioc_free free;
	struct kmag_ioc_replay replay;
	struct kmag_ioc_cache cache;
	struct kmag_ioc_snapshot snapshot;
	struct kmag_ioc_run run;
	struct kmag_ioc_progress progress;
};

/**
 * kmag_dev_gfp - an allocation class as gfp flags
 * @class: enum kmag_gfp, or'd with KMAG_GFP_ZERO
 * @gfp: out
 *
 * Failures are told to the caller, so the log need not show them.
 *
 * Return: 0, or -EOPNOTSUPP if there is no such class.
 */
int kmag_dev_gfp(unsigned int class, gfp_t *gfp)
{
	static const gfp_t gfps[] = {
		[KMAG_GFP_KERNEL] = GFP_KERNEL | __GFP_NOWARN,
		[KMAG_GFP_ATOMIC] = GFP_ATOMIC | __GFP_NOWARN,
		[KMAG_GFP_NOWAIT] = GFP_NOWAIT | __GFP_NOWARN,
	};

	if (class & ~(KMAG_GFP_CLASS | KMAG_GFP_ZERO))
		return -EOPNOTSUPP;
	if ((class & KMAG_GFP_CLASS) >= ARRAY_SIZE(gfps))
		return -EOPNOTSUPP;

	*gfp = gfps[class & KMAG_GFP_CLASS];
	if (class & KMAG_GFP_ZERO)
		*gfp |= __GFP_ZERO;
	return 0;
}

static int kmag_info(struct kmag_file *file, void *arg)
{
	struct kmag_ioc_info *info = arg;

	info->abi = KMAG_ABI;
	info->backends = BIT(KMAG_BACKEND_KMAG) | BIT(KMAG_BACKEND_KMEM);
	info->page_size = PAGE_SIZE;
	info->nr_cpus = num_online_cpus();
	info->max_caches = KMAG_DEV_MAX_CACHES;
	info->max_batch = KMAG_DEV_MAX_BATCH;
	info->max_objects = KMAG_DEV_MAX_OBJECTS;
	info->max_replay = KMAG_DEV_MAX_REPLAY;
	info->max_object_size = KMAG_MAX_SIZE;
	info->max_run_bytes = kmag_workload_max_bytes();
	info->max_run_threads = KMAG_DEV_MAX_RUN_THREADS;
	info->max_run_ms = KMAG_DEV_MAX_RUN_MS;
	return 0;
}

/**
 * struct kmag_op - a command
 * @cmd: its number
 * @size: of its structure
 * @min_size: of a structure that has all it needs
 * @flags: that it knows
 * @outs: fields that it fills in, from one offset up to another
 * @unlocked: does not touch the file's state
 * @fn: does it; finds its results zero
 */
struct kmag_op {
	unsigned int cmd;
	unsigned int size;
	unsigned int min_size;
	u32 flags;
	struct {
		unsigned int from;
		unsigned int to;
	} outs[2];
	bool unlocked;
	int (*fn)(struct kmag_file *file, void *arg);
};

#define KMAG_OUT(type, first, last)				\
	{							\
		offsetof(struct kmag_ioc_##type, first),	\
		offsetofend(struct kmag_ioc_##type, last)	\
	}

static const struct kmag_op kmag_ops[] = {
	{
		.cmd = KMAG_IOC_INFO,
		.size = sizeof(struct kmag_ioc_info),
		.min_size = offsetofend(struct kmag_ioc_info, abi),
		.outs = { KMAG_OUT(info, abi, max_run_ms) },
		.unlocked = true,
		.fn = kmag_info,
	},
	{
		.cmd = KMAG_IOC_CREATE,
		.size = sizeof(struct kmag_ioc_create),
		.min_size = offsetofend(struct kmag_ioc_create, name),
		.outs = {
			KMAG_OUT(create, id, kmag_id),
			KMAG_OUT(create, real_name, real_name),
		},
		.fn = kmag_file_create,
	},
	{
		.cmd = KMAG_IOC_DESTROY,
		.size = sizeof(struct kmag_ioc_destroy),
		.min_size = offsetofend(struct kmag_ioc_destroy, id),
		.flags = KMAG_DESTROY_FORCE,
		.fn = kmag_file_destroy,
	},
	{
		.cmd = KMAG_IOC_ALLOC,
		.size = sizeof(struct kmag_ioc_alloc),
		.min_size = offsetofend(struct kmag_ioc_alloc, objs),
		.flags = KMAG_BATCH_BULK | KMAG_BATCH_CHECK,
		.outs = { KMAG_OUT(alloc, done, done) },
		.fn = kmag_handles_alloc,
	},
	{
		.cmd = KMAG_IOC_FREE,
		.size = sizeof(struct kmag_ioc_free),
		.min_size = offsetofend(struct kmag_ioc_free, objs),
		.flags = KMAG_BATCH_BULK | KMAG_BATCH_CHECK,
		.outs = { KMAG_OUT(free, done, corrupt) },
		.fn = kmag_handles_free,
	},
	{
		.cmd = KMAG_IOC_REPLAY,
		.size = sizeof(struct kmag_ioc_replay),
		.min_size = offsetofend(struct kmag_ioc_replay, recs),
		.flags = KMAG_REPLAY_CHECK | KMAG_REPLAY_RESET,
		.outs = { KMAG_OUT(replay, allocs, live) },
		.fn = kmag_replay,
	},
	{
		.cmd = KMAG_IOC_SHRINK,
		.size = sizeof(struct kmag_ioc_cache),
		.min_size = offsetofend(struct kmag_ioc_cache, id),
		.outs = { KMAG_OUT(cache, result, result) },
		.fn = kmag_file_shrink,
	},
	{
		.cmd = KMAG_IOC_VALIDATE,
		.size = sizeof(struct kmag_ioc_cache),
		.min_size = offsetofend(struct kmag_ioc_cache, id),
		.outs = { KMAG_OUT(cache, result, result) },
		.fn = kmag_file_validate,
	},
	{
		.cmd = KMAG_IOC_SNAPSHOT,
		.size = sizeof(struct kmag_ioc_snapshot),
		.min_size = offsetofend(struct kmag_ioc_snapshot, needed),
		.outs = { KMAG_OUT(snapshot, needed, needed) },
		.unlocked = true,
		.fn = kmag_dev_snapshot,
	},
	{
		.cmd = KMAG_IOC_RUN,
		.size = sizeof(struct kmag_ioc_run),
		.min_size = offsetofend(struct kmag_ioc_run, steps),
		.flags = KMAG_RUN_CHECK,
		.outs = { KMAG_OUT(run, nr_results, total) },
		.fn = kmag_workload_run,
	},
	{
		.cmd = KMAG_IOC_PROGRESS,
		.size = sizeof(struct kmag_ioc_progress),
		.min_size = offsetofend(struct kmag_ioc_progress, allocs),
		.outs = { KMAG_OUT(progress, runs, corrupt) },
		.unlocked = true,
		.fn = kmag_workload_progress,
	},
};

static const struct kmag_op *kmag_op_find(unsigned int cmd)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(kmag_ops); i++)
		if (kmag_ops[i].cmd == cmd)
			return &kmag_ops[i];
	return NULL;
}

/* Whatever becomes of the call, what is told is not the caller's own. */
static void kmag_outs_zero(const struct kmag_op *op, union kmag_ioc_arg *arg)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(op->outs); i++)
		memset((char *)arg + op->outs[i].from, 0,
		       op->outs[i].to - op->outs[i].from);
}

static int kmag_call(struct kmag_file *file, const struct kmag_op *op,
		     union kmag_ioc_arg *arg)
{
	int ret;

	if (arg->any.flags & ~op->flags)
		return -EOPNOTSUPP;
	if (op->unlocked)
		return op->fn(file, arg);

	ret = mutex_lock_interruptible(&file->lock);
	if (ret)
		return ret;
	ret = op->fn(file, arg);
	mutex_unlock(&file->lock);
	return ret;
}

static long kmag_ioctl(struct file *filp, unsigned int cmd, unsigned long addr)
{
	void __user *uarg = (void __user *)addr;
	struct kmag_file *file = filp->private_data;
	const struct kmag_op *op;
	union kmag_ioc_arg arg;
	u32 size;
	int ret;

	op = kmag_op_find(cmd);
	if (!op)
		return -ENOTTY;

	if (get_user(size, (u32 __user *)uarg))
		return -EFAULT;
	if (size < op->min_size)
		return -EINVAL;
	/* Nothing sensible is that long, and its tail would have to be read. */
	if (size > PAGE_SIZE)
		return -E2BIG;
	ret = copy_struct_from_user(&arg, op->size, uarg, size);
	if (ret)
		return ret;
	/* The caller may have changed it meanwhile. */
	arg.any.size = size;
	kmag_outs_zero(op, &arg);

	/* What is done and cannot be told is lost, so try that first. */
	if (copy_to_user(uarg, &arg, min(size, op->size)))
		return -EFAULT;
	ret = kmag_call(file, op, &arg);
	if (copy_to_user(uarg, &arg, min(size, op->size)))
		return -EFAULT;
	return ret;
}

static int kmag_open(struct inode *inode, struct file *filp)
{
	struct kmag_file *file = kmag_file_new();

	if (!file)
		return -ENOMEM;
	filp->private_data = file;
	return nonseekable_open(inode, filp);
}

static int kmag_release(struct inode *inode, struct file *filp)
{
	kmag_file_free(filp->private_data);
	return 0;
}

const struct file_operations kmag_dev_fops = {
	.owner		= THIS_MODULE,
	.open		= kmag_open,
	.release	= kmag_release,
	.unlocked_ioctl	= kmag_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
};
