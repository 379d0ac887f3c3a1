// SPDX-License-Identifier: GPL-2.0
/* Pictures of make bench-memory: slabs held for one that is needed. */
#include <stdlib.h>
#include <string.h>

#include "report.h"
#include "util.h"

#define PLOT_HEIGHT	360
#define TITLE_HEIGHT	60

static const char * const sides[] = { "kmag", "slub" };

/* What there is of each boot: an array of sizes, each with samples. */
static const struct phase {
	const char *key, *title, *xlabel, *axes;
	const char *dashed;	/* what else is drawn, as a share of what is needed */
} phases[] = {
	{ "spikes", "After a spike", "times that each live object was replaced",
	  "set logscale y\nset yrange [0.95:*]\nset ytics (1, 1.1, 1.25, 1.5, 2, 3, 5, 8, 12)\n",
	  "best" },
	{ "bursts", "After a burst", "seconds after the burst was freed",
	  "set yrange [0.98:*]\n", NULL },
};

static double number(const json_t *object, const char *key)
{
	return json_number_value(json_object_get(object, key));
}

static bool is_whole(const json_t *one)
{
	const json_t *samples = json_object_get(one, "samples"), *sample;
	size_t i, k;

	json_array_foreach((json_t *)samples, i, sample)
		for (k = 0; k < ARRAY_SIZE(sides); k++)
			if (number(json_object_get(sample, sides[k]), "needed") <= 0)
				return false;
	return json_array_size(samples);
}

/* A plot of one size: where, and for each allocator what is held and what is dashed */
static void plot_size(struct plot *p, const struct phase *ph, const json_t *one, size_t nr)
{
	static const char * const colours[] = { "#1f6fb4", "#c44e52" };
	static const char * const titles[] = { "kmag", "SLUB" };
	const json_t *sample, *side;
	size_t i, k;

	fprintf(p->to, "$data%zu << END\n", nr);
	json_array_foreach(json_object_get(one, "samples"), i, sample) {
		fprintf(p->to, "%.6g", number(sample, "at"));
		for (k = 0; k < ARRAY_SIZE(sides); k++) {
			side = json_object_get(sample, sides[k]);
			fprintf(p->to, " %.6g %.6g", number(side, "slabs") / number(side, "needed"),
				ph->dashed ? number(side, ph->dashed) / number(side, "needed") : 0);
		}
		putc('\n', p->to);
	}
	fprintf(p->to, "END\nset title '%.0f bytes%s'\nplot ", number(one, "size"),
		json_is_true(json_object_get(one, "constructor")) ? ", constructor" : "");
	for (k = 0; k < ARRAY_SIZE(sides); k++) {
		fprintf(p->to, "%s $data%zu using 1:%zu with lines lw 2 lc rgb '%s' title '%s'",
			k ? "," : "", nr, 2 * k + 2, colours[k], titles[k]);
		if (ph->dashed)
			fprintf(p->to, ", $data%zu using 1:%zu with lines lw 1.5 dt 2 lc rgb '%s' title '%s, %s'",
				nr, 2 * k + 3, colours[k], titles[k], ph->dashed);
	}
	putc('\n', p->to);
}

static int draw(struct report *r, const char *stem, const struct phase *ph, const json_t *sizes,
		const char *title, size_t boot)
{
	size_t i, nr = json_array_size(sizes), columns = nr > 1 ? 2 : 1;
	size_t rows = (nr + columns - 1) / columns;
	char *what = xprintf("%s-%zu", ph->key, boot);
	const json_t *one;
	struct plot p;
	int ret;

	ret = report_picture(r, &p, stem, what, title, TITLE_HEIGHT + PLOT_HEIGHT * (int)rows);
	free(what);
	if (ret)
		return ret < 0 ? -1 : 0;
	/* The title is of all of them. */
	fprintf(p.to, "set multiplot layout %zu,%zu title ", rows, columns);
	plot_text(&p, title);
	fputs(" font ',13'\nset ylabel 'slabs held / needed'\nset xlabel ", p.to);
	plot_text(&p, ph->xlabel);
	fprintf(p.to, "\n%s", ph->axes);
	json_array_foreach((json_t *)sizes, i, one)
		plot_size(&p, ph, one, i);
	fputs("unset multiplot\n", p.to);
	return report_drawn(r, &p);
}

static int draw_boot(struct report *r, const char *stem, const json_t *boot, size_t nr)
{
	const char *release = json_string_value(json_object_get(json_object_get(boot, "info"),
								"release"));
	const char *retention = json_string_value(json_object_get(boot, "retention"));
	const json_t *sizes, *one;
	char *title;
	size_t i, k;
	int ret = 0;

	for (k = 0; k < ARRAY_SIZE(phases) && !ret; k++) {
		sizes = json_object_get(boot, phases[k].key);
		json_array_foreach((json_t *)sizes, i, one)
			if (!is_whole(one))
				return report_damaged(r, "each size of a spike has samples of what both need");
		if (!json_array_size(sizes))
			continue;
		title = xprintf("%s: %s, %.0f CPUs%s%s", phases[k].title,
				release ? release : "a kernel", number(boot, "cpus"),
				retention ? ", retention " : "", retention ? retention : "");
		ret = draw(r, stem, &phases[k], sizes, title, nr);
		free(title);
	}
	return ret;
}

int report_memory(struct report *r, const char *stem, const json_t *json)
{
	json_t *kernel, *boot;
	size_t i, k, nr = 0;

	if (!json_array_size(json_object_get(json, "kernels")))
		return report_damaged(r, "a bench of memory has kernels");
	json_array_foreach(json_object_get(json, "kernels"), i, kernel) {
		if (!json_array_size(json_object_get(kernel, "boots")))
			return report_damaged(r, "each kernel of a bench has boots");
		json_array_foreach(json_object_get(kernel, "boots"), k, boot) {
			if (!json_array_size(json_object_get(boot, "spikes")))
				return report_damaged(r, "each boot of a bench of memory has spikes");
			if (draw_boot(r, stem, boot, ++nr))
				return -1;
		}
	}
	return 0;
}
