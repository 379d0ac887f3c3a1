// SPDX-License-Identifier: GPL-2.0
/*
 * Every kmag cache in one buffer.
 *
 * Records are collected first, since how much room they need is known only
 * then, and a buffer too small stays as it was.
 */
#include <linux/err.h>
#include <linux/list.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/uaccess.h>

#include <kmag/kmag.h>

#include "dev.h"

struct kmag_snap_item {
	struct list_head link;
	struct kmag_snap_cache *record;
};

static void kmag_snap_free(struct list_head *items)
{
	struct kmag_snap_item *item, *next;

	list_for_each_entry_safe(item, next, items, link) {
		kvfree(item->record);
		kfree(item);
	}
}

static int kmag_snap_collect(struct list_head *items, struct kmag_snap_head *head,
			     struct kmag_ioc_snapshot *req)
{
	struct kmag_snap_cache *record;
	struct kmag_snap_item *item;
	u32 id = 0;

	while ((record = kmag_snapshot_next(id, GFP_KERNEL))) {
		if (IS_ERR(record))
			return PTR_ERR(record);
		id = record->id + 1;
		head->nr_caches++;
		req->needed += record->record_size;

		/* What will not be copied is only counted. */
		if (req->needed > req->len) {
			kvfree(record);
		} else {
			item = kmalloc(sizeof(*item), GFP_KERNEL_ACCOUNT);
			if (!item) {
				kvfree(record);
				return -ENOMEM;
			}
			item->record = record;
			list_add_tail(&item->link, items);
		}
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}

static int kmag_snap_copy(struct list_head *items,
			  const struct kmag_snap_head *head, u64 addr)
{
	char __user *to = u64_to_user_ptr(addr);
	struct kmag_snap_item *item;

	if (copy_to_user(to, head, sizeof(*head)))
		return -EFAULT;
	to += sizeof(*head);
	list_for_each_entry(item, items, link) {
		if (copy_to_user(to, item->record, item->record->record_size))
			return -EFAULT;
		to += item->record->record_size;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}

/**
 * kmag_dev_snapshot - KMAG_IOC_SNAPSHOT
 * @file: not used: a snapshot shows every cache of the kernel
 * @arg: struct kmag_ioc_snapshot
 *
 * Return: 0 or an error.
 */
int kmag_dev_snapshot(struct kmag_file *file, void *arg)
{
	struct kmag_ioc_snapshot *req = arg;
	struct kmag_snap_head head = {
		.magic = KMAG_SNAP_MAGIC,
		.size = sizeof(head),
		.abi = KMAG_ABI,
		.time_ns = ktime_get_ns(),
	};
	LIST_HEAD(items);
	int ret;

	req->needed = sizeof(head);
	ret = kmag_snap_collect(&items, &head, req);
	if (!ret && req->needed <= req->len)
		ret = kmag_snap_copy(&items, &head, req->buf);
	kmag_snap_free(&items);
	return ret;
}
