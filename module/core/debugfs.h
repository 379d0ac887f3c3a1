/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Views under /sys/kernel/debug/kmag. Nothing depends on them.
 */
#ifndef _KMAG_DEBUGFS_H
#define _KMAG_DEBUGFS_H

#include <linux/fs.h>

struct kmag_cache;
struct seq_file;

/* What every file begins with: its name and version, and its columns. */
void kmag_view_head(struct seq_file *m, const char *file, const char *columns);

/* In slabview.c, of a cache each. */
extern const struct file_operations kmag_view_frag;
extern const struct file_operations kmag_view_slab_map;

void kmag_debugfs_init(void);
void kmag_debugfs_exit(void);
void kmag_debugfs_add(struct kmag_cache *cache);
void kmag_debugfs_del(struct kmag_cache *cache);

#endif /* _KMAG_DEBUGFS_H */
