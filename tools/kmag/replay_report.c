// SPDX-License-Identifier: GPL-2.0
/* What came of a replay: for people, and as JSON. */
#include <stdlib.h>

#include "replay.h"
#include "result.h"
#include "util.h"

/* The lines of an account that add up to the bytes of slab pages */
static const struct line {
	const char *text;
	const char *key;
	size_t offset;
} lines[] = {
#define LINE(text, field)	{ text, #field, offsetof(struct account, field) }
	LINE("in use by owners", live),
	LINE("alignment loss", align),
	LINE("in CPU magazines", cpu),
	LINE("in depot", depot),
	LINE("free in partial slabs", partial),
	LINE("free in empty slabs", empty),
	LINE("in transit", transit),
	LINE("slab tail padding", tail),
#undef LINE
};

static uint64_t line_value(const struct account *a, const struct line *l)
{
	return *(const uint64_t *)((const char *)a + l->offset);
}

uint64_t replay_unused(const struct replay *r)
{
	const struct plan_unused *u = &r->plan->unused;

	return u->older + u->missed_alloc + u->foreign + u->no_cache;
}

double replay_unused_percent(const struct replay *r)
{
	const struct trace_totals *t = &r->trace->totals;
	uint64_t never = t->lost + t->bulk_lost + t->unpaired;
	uint64_t all = r->trace->nr_recs + never;

	return all ? 100.0 * (replay_unused(r) + never) / all : 0;
}

static const struct side *find_side(const struct replay *r, enum kmag_backend backend)
{
	unsigned int k;

	for (k = 0; k < r->nr_sides; k++)
		if (r->sides[k].backend == backend)
			return &r->sides[k];
	return NULL;
}

static double ns_per_op(const struct side *s)
{
	uint64_t ops = s->sum.allocs + s->sum.frees;

	return ops ? (double)s->sum.ns / ops : 0;
}

char *replay_verdict(const struct replay *r)
{
	unsigned int k;

	for (k = 0; k < r->nr_sides; k++) {
		const struct side *s = &r->sides[k];

		if (s->sum.corrupt)
			return xprintf("the contents of %s changed on %s",
				       counted(s->sum.corrupt, "object", "objects"), s->name);
		if (s->sum.failed)
			return xprintf("%s failed on %s: give the machine more memory",
				       counted(s->sum.failed, "allocation", "allocations"),
				       s->name);
		if (s->sum.allocs != r->plan->allocs)
			return xprintf("%s did %s of %s", s->name, commas(s->sum.allocs),
				       counted(r->plan->allocs, "allocation", "allocations"));
		if (s->wrong_live)
			return xprintf("%s of %s not as the replay has it: live objects",
				       counted(s->wrong_live, "sample is", "samples are"),
				       s->name);
		if (s->account_end.skew || s->account_shrunk.skew)
			return xprintf("bytes of %s do not add up: %lld off, after shrink %lld",
				       s->name, (long long)s->account_end.skew,
				       (long long)s->account_shrunk.skew);
		if (s->validate_errors)
			return xprintf("%s found %s in its own structures", s->name,
				       counted(s->validate_errors, "error", "errors"));
	}
	return NULL;
}

static void print_head(const struct replay *r)
{
	const struct trace_totals *t = &r->trace->totals;
	const struct plan_unused *u = &r->plan->unused;
	char *kernel = trace_info(r->trace, "kernel");
	char *command = trace_info(r->trace, "command");

	printf("%s: %s of %s in %.1f s on %s (%s)\n", r->file,
	       counted(t->records, "operation", "operations"),
	       counted(r->nr_used, "cache", "caches"), t->ns / 1e9, kernel ? kernel : "?",
	       command ? command : "?");
	printf("replayed %s of %s in %s, contents %s\n",
	       counted(r->plan->nr_recs, "operation", "operations"),
	       counted(r->nr_usable, "cache", "caches"),
	       counted(r->plan->nr_batches, "batch", "batches"),
	       r->check ? "checked" : "not checked");
	printf("of the recording %.4f %% could not be used:\n", replay_unused_percent(r));
	printf("  %12s frees of objects older than the recording\n", commas(u->older));
	printf("  %12s frees of no known cache and object (kfree_rcu)\n", commas(u->foreign));
	printf("  %12s frees of objects whose allocation was not seen\n", commas(u->missed_alloc));
	printf("  %12s operations of caches that cannot be made\n", commas(u->no_cache));
	printf("  %12s events lost, %s and %s not recorded\n", commas(t->lost),
	       counted(t->bulk_lost, "bulk object", "bulk objects"),
	       counted(t->unpaired, "allocation", "allocations"));
	if (r->plan->implied)
		printf("and %s put in, where an address came again\n",
		       counted(r->plan->implied, "free that nobody saw was",
			       "frees that nobody saw were"));
	free(kernel);
	free(command);
}

#define ROW(text, expr)							\
	do {								\
		printf("%-24s", text);					\
		for (k = 0; k < r->nr_sides; k++) {			\
			const struct side *s = &r->sides[k];		\
									\
			printf(" %15s", expr);				\
		}							\
		putchar('\n');						\
	} while (0)

static void print_sides(const struct replay *r)
{
	const struct side *kmag = find_side(r, KMAG_BACKEND_KMAG);
	const struct side *slub = find_side(r, KMAG_BACKEND_KMEM);
	unsigned int k;

	putchar('\n');
	ROW("", s->name);
	ROW("allocations", commas(s->sum.allocs));
	ROW("frees", commas(s->sum.frees));
	ROW("live at the end", commas(s->sum.live));
	ROW("failed", commas(s->sum.failed));
	ROW("contents changed", r->check ? commas(s->sum.corrupt) : "not checked");
	ROW("waited for another CPU", commas(s->sum.waits));
	printf("%-24s", r->check ? "ns an operation, checks" : "ns an operation");
	for (k = 0; k < r->nr_sides; k++)
		printf(" %15.1f", ns_per_op(&r->sides[k]));
	if (kmag && slub)
		printf("   kmag / slub = %.3f", ns_per_op(kmag) / ns_per_op(slub));
	printf("\n\n");
	ROW("at its most: slabs", commas(s->peak.slabs));
	ROW("  held", bytes(s->peak.bytes));
	ROW("  needed", bytes(s->peak.bytes_needed));
	ROW("at the end: slabs", commas(s->end.slabs));
	ROW("  needed", commas(s->end.slabs_needed));
	ROW("  held", bytes(s->end.bytes));
	ROW("  needed", bytes(s->end.bytes_needed));
	ROW("after a shrink: slabs", commas(s->shrunk.slabs));
	ROW("  needed", commas(s->shrunk.slabs_needed));
	ROW("  held", bytes(s->shrunk.bytes));
	ROW("  needed", bytes(s->shrunk.bytes_needed));
}

static void print_kmag(const struct side *s)
{
	uint64_t allocs = 0, frees = 0;
	unsigned int i;
	size_t l;

	for (i = 0; i < 4; i++) {
		allocs += s->tiers.alloc[i];
		frees += s->tiers.free[i];
	}
	printf("\nkmag served by      ");
	for (i = 0; i < 4; i++)
		printf(" %18s", tier_names[i]);
	printf("\n  allocations       ");
	for (i = 0; i < 4; i++)
		printf(" %10s (%4.1f%%)", commas(s->tiers.alloc[i]),
		       allocs ? 100.0 * s->tiers.alloc[i] / allocs : 0);
	printf("\n  frees             ");
	for (i = 0; i < 4; i++)
		printf(" %10s (%4.1f%%)", commas(s->tiers.free[i]),
		       frees ? 100.0 * s->tiers.free[i] / frees : 0);
	printf("\n\nkmag, every byte         %15s %15s\n", "at the end", "after a shrink");
	for (l = 0; l < ARRAY_SIZE(lines); l++)
		printf("%s %-22s %15s %15s\n", l ? "+" : " ", lines[l].text,
		       commas(line_value(&s->account_end, &lines[l])),
		       commas(line_value(&s->account_shrunk, &lines[l])));
	printf("= %-22s %15s %15s\n", "bytes in slab pages", commas(s->account_end.slabs),
	       commas(s->account_shrunk.slabs));
	printf("  %-22s %15lld %15lld\n", "off by", (long long)s->account_end.skew,
	       (long long)s->account_shrunk.skew);
	printf("  %-22s %15s %15s\n", "magazines beside", commas(s->account_end.mags),
	       commas(s->account_shrunk.mags));
	printf("  %-22s %15s %15s\n", "metadata beside", commas(s->account_end.meta),
	       commas(s->account_shrunk.meta));
	printf("  validated: %s\n", counted(s->validate_errors, "error", "errors"));
}

/* Caches in the table, by operations */
#define TOP_CACHES	16

static const struct replay *sort_by;

static int by_ops(const void *a, const void *b)
{
	uint64_t x = sort_by->ops[*(const unsigned int *)a];
	uint64_t y = sort_by->ops[*(const unsigned int *)b];

	return x < y ? 1 : x > y ? -1 : 0;
}

static void print_caches(const struct replay *r)
{
	unsigned int *order = xalloc(r->trace->nr_caches * sizeof(*order));
	unsigned int i, k, nr = 0;

	for (i = 1; i < r->trace->nr_caches; i++)
		if (r->usable[i])
			order[nr++] = i;
	sort_by = r;
	qsort(order, nr, sizeof(*order), by_ops);
	printf("\nslabs                                            ");
	for (k = 0; k < r->nr_sides; k++)
		printf("  %9s held needed shrunk", r->sides[k].name);
	printf("\n%-24s %6s %10s %6s\n", "busiest caches", "size", "operations", "live");
	for (i = 0; i < nr && i < TOP_CACHES; i++) {
		const struct trace_cache *c = &r->trace->caches[order[i]];

		printf("%-24s %6u %10s %6llu", c->name, c->size, commas(r->ops[order[i]]),
		       (unsigned long long)r->sides[0].end_by_cache[order[i]].live);
		for (k = 0; k < r->nr_sides; k++) {
			const struct held *end = &r->sides[k].end_by_cache[order[i]];

			printf("  %14llu %6llu %6llu", (unsigned long long)end->slabs,
			       (unsigned long long)end->slabs_needed,
			       (unsigned long long)r->sides[k].shrunk_by_cache[order[i]].slabs);
		}
		putchar('\n');
	}
	free(order);
}

void replay_print(const struct replay *r)
{
	const struct side *kmag = find_side(r, KMAG_BACKEND_KMAG);

	print_head(r);
	print_sides(r);
	if (kmag)
		print_kmag(kmag);
	print_caches(r);
	fflush(stdout);
}

static json_t *json_held(const struct held *h)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I}", "slabs", (json_int_t)h->slabs,
			 "slabs_needed", (json_int_t)h->slabs_needed,
			 "bytes", (json_int_t)h->bytes,
			 "bytes_needed", (json_int_t)h->bytes_needed,
			 "live", (json_int_t)h->live);
}

static json_t *json_account(const struct account *a)
{
	json_t *json = json_object();
	size_t l;

	for (l = 0; l < ARRAY_SIZE(lines); l++)
		json_object_set_new(json, lines[l].key, json_integer(line_value(a, &lines[l])));
	json_object_set_new(json, "slab_bytes", json_integer(a->slabs));
	json_object_set_new(json, "skew", json_integer(a->skew));
	json_object_set_new(json, "magazine_bytes", json_integer(a->mags));
	json_object_set_new(json, "meta_bytes", json_integer(a->meta));
	return json;
}

static json_t *json_tiers(const uint64_t *tiers)
{
	json_t *json = json_object();
	unsigned int i;

	for (i = 0; i < 4; i++)
		json_object_set_new(json, tier_names[i], json_integer(tiers[i]));
	return json;
}

static json_t *json_side(const struct replay *r, const struct side *s)
{
	struct {
		const char *key;
		json_int_t value;
	} numbers[] = {
		{ "allocations", s->sum.allocs },
		{ "frees", s->sum.frees },
		{ "failed", s->sum.failed },
		{ "skipped", s->sum.skipped },
		{ "corrupt", s->sum.corrupt },
		{ "waits", s->sum.waits },
		{ "ns", s->sum.ns },
		{ "live", s->sum.live },
	};
	json_t *json = json_object(), *samples = json_array();
	unsigned int b;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(numbers); i++)
		json_object_set_new(json, numbers[i].key, json_integer(numbers[i].value));
	json_object_set_new(json, "ns_per_operation", json_real(ns_per_op(s)));
	json_object_set_new(json, "peak", json_held(&s->peak));
	json_object_set_new(json, "end", json_held(&s->end));
	json_object_set_new(json, "shrunk", json_held(&s->shrunk));
	for (b = 0; b < r->plan->nr_batches; b++)
		json_array_append_new(samples, json_held(&s->samples[b]));
	json_object_set_new(json, "samples", samples);
	if (s->backend != KMAG_BACKEND_KMAG)
		return json;
	json_object_set_new(json, "served_allocations", json_tiers(s->tiers.alloc));
	json_object_set_new(json, "served_frees", json_tiers(s->tiers.free));
	json_object_set_new(json, "identity_end", json_account(&s->account_end));
	json_object_set_new(json, "identity_shrunk", json_account(&s->account_shrunk));
	json_object_set_new(json, "validate_errors", json_integer(s->validate_errors));
	return json;
}

static json_t *json_caches(const struct replay *r)
{
	json_t *array = json_array(), *json;
	unsigned int i, k;

	for (i = 1; i < r->trace->nr_caches; i++) {
		const struct trace_cache *c = &r->trace->caches[i];

		if (!r->ops[i])
			continue;
		json = json_pack("{s:o, s:i, s:i, s:i, s:b, s:I, s:b}",
				 "name", json_text(c->name), "number", i,
				 "size", c->size, "align", c->align,
				 "constructor", !!(c->flags & TRACE_CF_CTOR),
				 "operations", (json_int_t)r->ops[i], "replayed", r->usable[i]);
		for (k = 0; k < r->nr_sides && r->usable[i]; k++) {
			const struct side *s = &r->sides[k];

			json_object_set_new(json, s->name,
					    json_pack("{s:o, s:o}",
						      "end", json_held(&s->end_by_cache[i]),
						      "shrunk",
						      json_held(&s->shrunk_by_cache[i])));
		}
		json_array_append_new(array, json);
	}
	return array;
}

json_t *replay_json(const struct replay *r)
{
	const struct side *kmag = find_side(r, KMAG_BACKEND_KMAG);
	const struct side *slub = find_side(r, KMAG_BACKEND_KMEM);
	const struct trace_totals *t = &r->trace->totals;
	const struct plan_unused *u = &r->plan->unused;
	json_t *json, *backends, *batches;
	char *kernel = trace_info(r->trace, "kernel"), *verdict = replay_verdict(r);
	char *command = trace_info(r->trace, "command");
	unsigned int b, k;

	json = json_pack("{s:s, s:o, s:o, s:o, s:b, s:s?}", "schema", "kmag.replay/1",
			 "file", json_text(r->file), "recorded_on", json_text(kernel ?: ""),
			 "command", json_text(command ?: ""), "checked", r->check,
			 "wrong", verdict);
	json_object_set_new(json, "recording",
			    json_pack("{s:I, s:I, s:i, s:I, s:I, s:I, s:I}",
				      "operations", (json_int_t)t->records,
				      "allocations", (json_int_t)t->allocs,
				      "caches", r->nr_used, "ns", (json_int_t)t->ns,
				      "lost", (json_int_t)t->lost,
				      "bulk_objects_not_recorded", (json_int_t)t->bulk_lost,
				      "allocations_without_cache", (json_int_t)t->unpaired));
	json_object_set_new(json, "replayed",
			    json_pack("{s:I, s:i, s:i}", "operations", (json_int_t)r->plan->nr_recs,
				      "caches", r->nr_usable, "batches", r->plan->nr_batches));
	json_object_set_new(json, "not_used",
			    json_pack("{s:f, s:I, s:I, s:I, s:I, s:I}",
				      "percent", replay_unused_percent(r),
				      "older_frees", (json_int_t)u->older,
				      "foreign_frees", (json_int_t)u->foreign,
				      "missed_allocations", (json_int_t)u->missed_alloc,
				      "caches_not_made", (json_int_t)u->no_cache,
				      "implied_frees", (json_int_t)r->plan->implied));
	batches = json_array();
	for (b = 0; b < r->plan->nr_batches; b++)
		json_array_append_new(batches,
				      json_pack("{s:I, s:I}", "time_ns",
						(json_int_t)r->plan->batches[b].time, "operations",
						(json_int_t)(r->plan->batches[b].first +
							     r->plan->batches[b].nr)));
	json_object_set_new(json, "batches", batches);
	backends = json_object();
	for (k = 0; k < r->nr_sides; k++)
		json_object_set_new(backends, r->sides[k].name, json_side(r, &r->sides[k]));
	json_object_set_new(json, "backends", backends);
	if (kmag && slub)
		json_object_set_new(json, "time_ratio",
				    json_real(ns_per_op(kmag) / ns_per_op(slub)));
	json_object_set_new(json, "caches", json_caches(r));
	free(kernel);
	free(command);
	free(verdict);
	return json;
}
