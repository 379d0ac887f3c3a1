// SPDX-License-Identifier: GPL-2.0
/* Pictures of how fast allocators are: of kmag run, and of make bench. */
#include <stdlib.h>
#include <string.h>

#include "report.h"
#include "util.h"

/* Threads in a picture */
#define MAX_THREADS	32

static int draw(struct report *r, const char *stem, const char *what, const char *title,
		struct bars *b)
{
	struct plot p;
	double sum = 0;
	unsigned int i;
	int ret = 0;

	for (i = 0; i < b->nr * b->nr_layers; i++)
		sum += b->values[i];
	if (sum > 0) {
		ret = report_picture(r, &p, stem, what, title, PICTURE_HEIGHT);
		if (!ret) {
			plot_bars(&p, b);
			ret = report_drawn(r, &p);
		}
	}
	for (i = 0; i < b->nr; i++)
		free(b->names[i]);
	free(b->names);
	free(b->values);
	return ret < 0 ? -1 : 0;
}

static void add_bar(struct bars *b, char *name)
{
	b->names = xrealloc(b->names, (b->nr + 1) * sizeof(*b->names));
	b->values = xrealloc(b->values, (b->nr + 1) * b->nr_layers * sizeof(*b->values));
	b->names[b->nr++] = name;
}

static double number(const json_t *object, const char *key)
{
	return json_number_value(json_object_get(object, key));
}

int report_run(struct report *r, const char *stem, const json_t *json)
{
	static const char * const keys[] = { "kmag", "slub" };
	static const char * const titles[] = { "kmag", "SLUB" };
	static const char * const colours[] = { "#1f6fb4", "#c44e52" };
	const json_t *backends = json_object_get(json, "backends"), *threads[2];
	struct bars b = { .ylabel = "ns an operation, mean", .layers = titles,
			  .colours = colours, .nr_layers = 2, .side_by_side = true };
	size_t i, k, nr = 0;

	for (k = 0; k < ARRAY_SIZE(keys); k++) {
		threads[k] = json_object_get(json_object_get(backends, keys[k]), "threads");
		if (json_object_get(backends, keys[k]) && !json_array_size(threads[k]))
			return report_damaged(r, "each allocator of a run has threads");
		if (json_array_size(threads[k]) > nr)
			nr = json_array_size(threads[k]);
	}
	if (!nr)
		return report_damaged(r, "a run has allocators");
	for (i = 0; i < nr && i < MAX_THREADS; i++) {
		add_bar(&b, xprintf("thread %zu", i));
		/* An allocator that was not asked for has no bars. */
		for (k = 0; k < ARRAY_SIZE(keys); k++)
			b.values[i * 2 + k] = number(json_array_get(threads[k], i),
						     "ns_per_operation");
	}
	return draw(r, stem, "threads", "Time of an operation, by thread", &b);
}

static int draw_boot(struct report *r, const char *stem, const char *kernel, const char *unit,
		     const json_t *boot, size_t nr)
{
	static const char * const rows[] = { "slub", "called", "inline", "limit" };
	static const char * const titles[] = { "SLUB", "kmag", "kmag, inlined", "bare array" };
	static const char * const colours[] = { "#c44e52", "#1f6fb4", "#9ecae1", "#9aa0a6" };
	struct bars b = { .ylabel = unit, .layers = titles, .colours = colours,
			  .nr_layers = ARRAY_SIZE(rows), .side_by_side = true };
	const char *append = json_string_value(json_object_get(boot, "append")), *pattern;
	json_t *figures;
	char *title, *what;
	size_t k;
	int ret;

	json_object_foreach(json_object_get(boot, "patterns"), pattern, figures) {
		add_bar(&b, xprintf("%s", pattern));
		for (k = 0; k < ARRAY_SIZE(rows); k++)
			b.values[(b.nr - 1) * ARRAY_SIZE(rows) + k] =
				number(json_object_get(figures, rows[k]), "per_op");
	}
	title = xprintf("An allocation and its free in %s, on %s, %s", unit, kernel,
			append && *append ? append : "as booted by default");
	what = xprintf("patterns-%zu", nr);
	ret = draw(r, stem, what, title, &b);
	free(title);
	free(what);
	return ret;
}

int report_bench(struct report *r, const char *stem, const json_t *json)
{
	json_t *kernel, *boot;
	size_t i, k, nr = 0;

	if (!json_array_size(json_object_get(json, "kernels")))
		return report_damaged(r, "a bench has kernels");
	json_array_foreach(json_object_get(json, "kernels"), i, kernel) {
		const char *release = json_string_value(json_object_get(kernel, "release"));
		const char *unit = json_string_value(json_object_get(kernel, "unit"));

		if (!json_array_size(json_object_get(kernel, "boots")))
			return report_damaged(r, "each kernel of a bench has boots");
		json_array_foreach(json_object_get(kernel, "boots"), k, boot) {
			if (!json_object_size(json_object_get(boot, "patterns")))
				return report_damaged(r, "each boot of a bench has patterns");
			if (draw_boot(r, stem, release ? release : "a kernel",
				      unit ? unit : "some unit", boot, ++nr))
				return -1;
		}
	}
	return 0;
}
