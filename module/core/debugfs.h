/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Views under /sys/kernel/debug/kmag. Nothing depends on them.
 */
#ifndef _KMAG_DEBUGFS_H
#define _KMAG_DEBUGFS_H

struct kmag_cache;

void kmag_debugfs_init(void);
void kmag_debugfs_exit(void);
void kmag_debugfs_add(struct kmag_cache *cache);
void kmag_debugfs_del(struct kmag_cache *cache);

#endif /* _KMAG_DEBUGFS_H */
