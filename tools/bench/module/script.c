// SPDX-License-Identifier: GPL-2.0
/*
 * Scripts: allocations and frees in an order that no loop has. One is a random
 * walk, drawn here; the other was recorded, and is read from a file that
 * tools/bench/trace.py writes.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bitmap.h>
#include <linux/errno.h>
#include <linux/kernel_read_file.h>
#include <linux/mm.h>
#include <linux/prandom.h>
#include <linux/printk.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include <kmag/kmag.h>

#include "bench.h"

#define SCRIPT_MAGIC	0x53424d4b	/* "KMBS" */
#define SCRIPT_MAX	SZ_1M
#define WALK_SEED	42

/* The file, in this machine's byte order: head, sizes of caches, steps. */
struct script_file {
	u32 magic;
	u32 nr_caches;
	u32 nr_steps;
	u32 sizes[];
};

/* A walk, up and down by one, that ends where it began. */
static int walk_init(struct bench *bench)
{
	unsigned int i, pick, left = BENCH_OPS, away = 0;
	struct bench_step *steps;
	struct rnd_state random;
	u16 *slots;

	steps = kcalloc(2 * BENCH_OPS, sizeof(*steps), GFP_KERNEL);
	slots = kcalloc(BENCH_BATCH_MAX, sizeof(*slots), GFP_KERNEL);
	if (!steps || !slots) {
		kfree(steps);
		kfree(slots);
		return -ENOMEM;
	}
	/* [0] to [away - 1] are away, the others are free to be used. */
	for (i = 0; i < BENCH_BATCH_MAX; i++)
		slots[i] = i;
	prandom_seed_state(&random, WALK_SEED);
	for (i = 0; i < 2 * BENCH_OPS; i++) {
		bool up = left && away < BENCH_BATCH_MAX &&
			  (!away || prandom_u32_state(&random) & 1);

		if (up) {
			steps[i].slot = slots[away++];
			left--;
			continue;
		}
		pick = prandom_u32_state(&random) % away;
		steps[i].slot = slots[pick];
		steps[i].free = 1;
		away--;
		swap(slots[pick], slots[away]);
	}
	kfree(slots);
	bench->walk = (struct bench_script){
		.caches = &bench->main,
		.nr_caches = 1,
		.steps = steps,
		.nr_steps = 2 * BENCH_OPS,
	};
	return 0;
}

/* A step that the timed loop could not take is found here. */
static bool steps_are_sound(const struct bench_step *steps, unsigned int nr,
			    unsigned int nr_caches)
{
	unsigned long *away = bitmap_zalloc(BENCH_AWAY_MAX, GFP_KERNEL);
	bool good = away;
	unsigned int i;

	for (i = 0; good && i < nr; i++) {
		const struct bench_step *step = &steps[i];

		good = step->slot < BENCH_AWAY_MAX && step->cache < nr_caches &&
		       test_bit(step->slot, away) == step->free;
		if (good)
			change_bit(step->slot, away);
	}
	good = good && bitmap_empty(away, BENCH_AWAY_MAX);
	bitmap_free(away);
	return good;
}

static int trace_caches(struct bench *bench, const u32 *sizes, unsigned int nr)
{
	struct bench_cache *caches = kcalloc(nr, sizeof(*caches), GFP_KERNEL);
	char name[32];
	unsigned int i;
	int ret;

	if (!caches)
		return -ENOMEM;
	for (i = 0; i < nr; i++) {
		ret = -EINVAL;
		if (!sizes[i] || sizes[i] > PAGE_SIZE)
			goto err_cache;
		snprintf(name, sizeof(name), "kmag_bench_trace_%u", i);
		ret = bench_cache_init(&caches[i], name, sizes[i]);
		if (ret)
			goto err_cache;
	}
	bench->trace.caches = caches;
	bench->trace.nr_caches = nr;
	return 0;

err_cache:
	while (i--)
		bench_cache_exit(&caches[i]);
	kfree(caches);
	return ret;
}

static int trace_init(struct bench *bench, const char *path)
{
	const struct script_file *head;
	const struct bench_step *steps;
	void *file = NULL;
	ssize_t size;
	int ret;

	/* Data, to security modules: an unknown kind makes one of them warn. */
	size = kernel_read_file_from_path(path, 0, &file, SCRIPT_MAX, NULL,
					  READING_FIRMWARE);
	if (size < 0) {
		pr_err("%s cannot be read: %zd\n", path, size);
		return size;
	}
	head = file;
	ret = -EINVAL;
	if (size < sizeof(*head) || head->magic != SCRIPT_MAGIC ||
	    !head->nr_caches || head->nr_caches > U8_MAX + 1 ||
	    !head->nr_steps || head->nr_steps > SCRIPT_MAX / sizeof(*steps) ||
	    size != struct_size(head, sizes, head->nr_caches) +
		    head->nr_steps * sizeof(*steps))
		goto err_sound;
	steps = (const void *)&head->sizes[head->nr_caches];
	if (!steps_are_sound(steps, head->nr_steps, head->nr_caches))
		goto err_sound;

	ret = trace_caches(bench, head->sizes, head->nr_caches);
	if (ret)
		goto err_file;
	bench->trace.steps = steps;
	bench->trace.nr_steps = head->nr_steps;
	bench->file = file;
	return 0;

err_sound:
	pr_err("%s is no script that leaves nothing away\n", path);
err_file:
	vfree(file);
	return ret;
}

int bench_script_init(struct bench *bench, const char *trace)
{
	int ret = walk_init(bench);

	if (ret || !trace || !*trace)
		return ret;
	ret = trace_init(bench, trace);
	if (ret)
		kfree(bench->walk.steps);
	return ret;
}

void bench_script_exit(struct bench *bench)
{
	struct bench_cache *caches = (struct bench_cache *)bench->trace.caches;
	unsigned int i;

	for (i = 0; i < bench->trace.nr_caches; i++)
		bench_cache_exit(&caches[i]);
	kfree(caches);
	vfree(bench->file);
	kfree(bench->walk.steps);
}
