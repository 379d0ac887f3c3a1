// SPDX-License-Identifier: GPL-2.0
/*
 * kmag import: what perf script, trace-cmd report and tracefs printed on 6.1 and
 * 6.12, whole and broken, and texts made to have edges. Prints TAP; exits 1 when
 * a test fails. Started where test/import is.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../import_text.h"
#include "../result.h"
#include "../trace.h"
#include "../util.h"
#include "tap.h"

/* Files of these tests */
static char *output, *report, *input;

/* Runs the command; its numbers are in *@json then. Return: exit status. */
static int import(const char *path, bool kmalloc, json_t **json)
{
	char * const argv[] = { "import", "-o", output, "-r", report, (char *)path,
				kmalloc ? "--kmalloc" : NULL, NULL };
	int status, null;
	pid_t pid;

	unlink(report);
	unlink(output);
	fflush(NULL);
	pid = fork();
	if (!pid) {
		null = open("/dev/null", O_WRONLY);
		dup2(null, STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
		exit(cmd_import(kmalloc ? 7 : 6, (char **)argv));
	}
	waitpid(pid, &status, 0);
	*json = access(report, R_OK) ? NULL : result_load(report);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static long number(const json_t *json, const char *key)
{
	const json_t *value = json_object_get(json, key);

	return json_is_integer(value) ? (long)json_integer_value(value) : -1;
}

/* Counted by another program, from the texts alone */
static const struct sample {
	const char *name;
	long allocs, frees, by_free, by_size, unnamed, kmalloc, kfree, null;
} samples[] = {
	{ "perf-6.1", 24, 24, 24, 0, 0, 0, 0, 0 },
	{ "perf-6.12", 24, 24, 23, 1, 0, 0, 0, 0 },
	{ "perf-callchain-6.12", 2, 0, 0, 0, 2, 0, 1, 0 },
	{ "perf-ns-6.12", 14, 9, 7, 3, 4, 10, 6, 1 },
	{ "trace-cmd-6.1", 24, 24, 23, 1, 0, 0, 0, 0 },
	{ "trace-cmd-6.12", 23, 25, 20, 3, 0, 0, 0, 0 },
	{ "trace-cmd-latency-6.12", 11, 15, 1, 1, 9, 7, 4, 2 },
	{ "trace-cmd-ns-6.1", 13, 13, 1, 2, 10, 7, 4, 2 },
	{ "trace-cmd-raw-6.1", 13, 13, 1, 2, 10, 7, 4, 2 },
	{ "tracefs-6.1", 24, 24, 24, 0, 0, 0, 0, 0 },
	{ "tracefs-6.12", 21, 27, 20, 1, 0, 0, 0, 0 },
};

static char *compare(const struct sample *s, const json_t *json)
{
	const struct {
		const char *key;
		long want;
	} wanted[] = {
		{ "allocations", s->allocs }, { "frees", s->frees },
		{ "named_by_free", s->by_free }, { "named_by_others_of_the_size", s->by_size },
		{ "named_by_size_alone", s->unnamed }, { "kmalloc_not_used", s->kmalloc },
		{ "kfree_not_used", s->kfree }, { "null_objects", s->null }, { "damaged", 0 },
		{ "lost", 0 }, { "lines_out_of_order", 0 }, { "other_events", 0 },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(wanted); i++)
		if (number(json, wanted[i].key) != wanted[i].want)
			return xprintf("%s is %ld, not %ld", wanted[i].key,
				       number(json, wanted[i].key), wanted[i].want);
	return NULL;
}

static void test_sample(const struct sample *s)
{
	char *path = xprintf("test/import/%s.txt", s->name), *why = NULL, *error = NULL;
	struct trace *t = NULL;
	json_t *json;
	size_t i;

	if (import(path, false, &json))
		why = xprintf("it failed");
	else
		why = compare(s, json);
	t = why ? NULL : trace_load(output, &why);
	for (i = 0; t && i < t->nr_recs && !why; i++) {
		const struct trace_rec *r = &t->recs[i];

		if (i && r->time <= t->recs[i - 1].time)
			why = xprintf("record %zu is not later than the one before", i);
		else if (r->cache == TRACE_CACHE_ANY || !t->caches[r->cache].name)
			why = xprintf("record %zu has no cache", i);
		else if (!r->free && !(t->caches[r->cache].flags & TRACE_CF_KNOWN))
			why = xprintf("record %zu is of a cache without sizes", i);
		else if (r->cpu > 1)
			why = xprintf("record %zu is of CPU %u", i, r->cpu);
	}
	result(!why, s->name, why);
	trace_free(t);
	json_decref(json);
	free(error);
	free(path);
	free(why);
}

#define HEAD " a b-[x] 1-7 [003] d..1. 12.000001: "
#define ALLOC(ptr) HEAD "kmem_cache_alloc: call_site=f+0x1 ptr=" ptr \
	" bytes_req=184 bytes_alloc=192 gfp_flags=GFP_KERNEL|__GFP_ZERO node=-1 accounted=true"

static const struct {
	const char *text;
	enum line_kind kind;
} lines[] = {
	{ "", LINE_OTHER }, { "  \t", LINE_OTHER }, { "# a comment: kfree: ptr=0", LINE_OTHER },
	{ "cpus=2", LINE_OTHER }, { "\tffffffff8 kmem_cache_alloc+0x1 ([kernel])", LINE_OTHER },
	{ HEAD "sched_switch: prev_comm=kfree: ", LINE_FOREIGN },
	{ HEAD "kmem:mm_page_free: page=1 pfn=2", LINE_FOREIGN },
	{ ALLOC("0x10"), LINE_ALLOC }, { ALLOC("ffff888012345678"), LINE_ALLOC },
	{ ALLOC("00000000deadbeef"), LINE_ALLOC }, { ALLOC("(nil)"), LINE_FAILED },
	{ ALLOC("(null)"), LINE_FAILED }, { ALLOC("0x0"), LINE_FAILED },
	{ ALLOC("0xg"), LINE_DAMAGED }, { ALLOC("-5"), LINE_DAMAGED },
	{ ALLOC("0x11112222333344445"), LINE_DAMAGED }, { ALLOC(""), LINE_DAMAGED },
	{ HEAD "kmem_cache_alloc: ptr=0x10 bytes_req=9 bytes_alloc=8 gfp_flags=0xcc0 node=-1",
	  LINE_DAMAGED },
	{ HEAD "kmem_cache_alloc: ptr=0x10 bytes_req=8 bytes_alloc=8 gfp_flags=3264 node=-1",
	  LINE_ALLOC },
	{ HEAD "kmem_cache_alloc: ptr=0x10 bytes_req=8 bytes_alloc=8 gfp_flags=oops node=-1",
	  LINE_DAMAGED },
	{ HEAD "kmem_cache_alloc: ptr=0x10 bytes_req=8 bytes_alloc=8589934592 gfp_flags=none node=-1",
	  LINE_DAMAGED },
	{ HEAD "kmem_cache_alloc: ptr=0x10 bytes_req=8 bytes_alloc=8", LINE_DAMAGED },
	{ HEAD "kmem_cache_alloc: xptr=0x10 bytes_req=8 bytes_alloc=8 gfp_flags=none node=-1",
	  LINE_DAMAGED },
	{ HEAD "kmem_cache_free: call_site=f ptr=0x10 name=a b", LINE_FREE },
	{ HEAD "kmem_cache_free: call_site=f ptr=0x10 name=", LINE_DAMAGED },
	{ HEAD "kmem_cache_free: call_site=f ptr=0x10", LINE_DAMAGED },
	{ HEAD "kfree: call_site=f ptr=0x10", LINE_KFREE },
	{ HEAD "kmem:kfree: call_site=f ptr=0x10\r\n", LINE_KFREE },
	{ HEAD "kmalloc: ptr=0x10 bytes_req=8 bytes_alloc=8 gfp_flags=GFP_NOWAIT node=-1",
	  LINE_KMALLOC },
	{ "x 1 12.5: kfree: ptr=0x10", LINE_DAMAGED },
	{ "x-1 1d..1. 12.5: kfree: ptr=0x10", LINE_KFREE },
	{ "x 12.5: kfree: ptr=0x10", LINE_DAMAGED },
	{ "12.5: kfree: ptr=0x10", LINE_DAMAGED },
	{ "x [001] 12.1234567890: kfree: ptr=0x10", LINE_DAMAGED },
	{ "x [001] 99999999999999999999.5: kfree: ptr=0x10", LINE_DAMAGED },
	{ "x [70000] 12.5: kfree: ptr=0x10", LINE_DAMAGED },
	{ "x [001] 12: kfree: ptr=0x10", LINE_DAMAGED },
	{ "CPU:1 [5 EVENTS DROPPED]", LINE_LOST }, { "CPU:1 [LOST 5 EVENTS]", LINE_LOST },
	{ "x 1 [000] 1.5: PERF_RECORD_LOST id:9: lost:5", LINE_LOST },
};

static const struct {
	const char *text, *lacks;
} damaged[] = {
	{ "x [001] 12: kfree: ptr=0x10", "time in seconds" },
	{ "x [001] 1234567890123: kmem:kfree: ptr=0x10", "time in seconds" },
	{ "x 1 12.5: kfree: ptr=0x10", "CPU" },
	{ "[1] [8192] 12.5: kfree: ptr=0x10", "CPU below 8192" },
	{ "x 99999999999999999999d..1. 12.5: kfree: ptr=0x10", "CPU below 8192" },
	{ HEAD "kfree: call_site=f", "ptr= with an address" },
	{ HEAD "kmem_cache_free: ptr=0x10", "name= of its cache" },
	{ HEAD "kmem_cache_alloc: ptr=0x10 bytes_alloc=8", "bytes_req= with a number" },
	{ HEAD "kmem_cache_alloc: ptr=0x10 bytes_req=8", "bytes_alloc= with a number" },
	{ HEAD "kmem_cache_alloc: ptr=0x10 bytes_req=9 bytes_alloc=8",
	  "bytes_alloc= that fits bytes_req=" },
	{ HEAD "kmem_cache_alloc: ptr=0x10 bytes_req=8 bytes_alloc=8 gfp_flags=oops",
	  "gfp_flags= that are known" },
	{ HEAD "kmem_cache_alloc: ptr=0x10 bytes_req=8 bytes_alloc=8 gfp_flags=none", "node=" },
};

static void test_lacks(void)
{
	char *why = NULL, text[512];
	struct line l;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(damaged) && !why; i++) {
		snprintf(text, sizeof(text), "%s", damaged[i].text);
		line_parse(text, &l);
		if (l.kind != LINE_DAMAGED || strcmp(l.lacks, damaged[i].lacks))
			why = xprintf("kind %d, lacks %s: %s", l.kind, l.lacks ?: "nothing",
				      damaged[i].text);
	}
	result(!why, "what a damaged line lacks", why);
	free(why);
	snprintf(text, sizeof(text), "x [8191] 12.5: kfree: ptr=0x10");
	line_parse(text, &l);
	result(l.kind == LINE_KFREE && l.cpu == 8191, "the last CPU that can be replayed", NULL);
}

static void spill(const char *text)
{
	FILE *f = fopen(input, "w");

	if (!f || fputs(text, f) < 0 || fclose(f))
		exit(1);
}

/* Of 4095 bytes, and of one more; the name of the last one's event is far behind. */
static void test_long(void)
{
	char *text = xalloc(3 * 8192), *at = text;
	json_t *json;

	at += sprintf(at, "x [000] 1.5: kmem_cache_free: ptr=0x10%*sname=a\n", 4095 - 44, "");
	at += sprintf(at, "x [000] 1.5: kmem_cache_free: ptr=0x10%*sname=a\n", 4096 - 44, "");
	sprintf(at, "x %*s [000] 1.5: kfree: ptr=0x10\n", 5000, "");
	spill(text);
	free(text);
	result(import(input, false, &json) == 1 && number(json, "frees") == 1 &&
	       number(json, "lines") == 3 && number(json, "damaged") == 2 &&
	       number(json, "first_damaged_line") == 2 &&
	       !strcmp(json_string_value(json_object_get(json, "first_damaged_lacks")) ?: "",
		       "end within 4095 bytes"), "lines that are too long", NULL);
	json_decref(json);
}

static void test_lines(void)
{
	char *why = NULL, text[512];
	struct line l;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(lines) && !why; i++) {
		snprintf(text, sizeof(text), "%s", lines[i].text);
		line_parse(text, &l);
		if (l.kind != lines[i].kind)
			why = xprintf("kind %d, not %d: %s", l.kind, lines[i].kind, lines[i].text);
		else if (l.kind == LINE_LOST && l.lost != 5)
			why = xprintf("%llu lost: %s", (unsigned long long)l.lost, lines[i].text);
	}
	result(!why, "lines of every kind", why);
	free(why);

	snprintf(text, sizeof(text), "%s", ALLOC("ffff888012345678"));
	line_parse(text, &l);
	result(l.cpu == 3 && l.time == 12000001000 && l.obj == 0xffff888012345678 &&
	       l.bytes_req == 184 && l.bytes_alloc == 192 && l.accounted && !*l.name &&
	       l.gfp == (TRACE_GFP_DIRECT | TRACE_GFP_ZERO), "what an allocation tells", NULL);
	snprintf(text, sizeof(text), "%s", HEAD "kmem_cache_free: ptr=0x10 name=a b \t\r\n");
	line_parse(text, &l);
	result(!strcmp(l.name, "a b"), "a name with a blank", NULL);
	snprintf(text, sizeof(text), "%s", HEAD "kmem_cache_alloc: call_site=f ptr=0x10 name=later bytes_req=8 bytes_alloc=8 gfp_flags=GFP_ATOMIC|0x100 node=-1");
	line_parse(text, &l);
	result(!strcmp(l.name, "later") && l.gfp == (TRACE_GFP_HIGH | TRACE_GFP_ZERO),
	       "a kernel that names its allocations", NULL);
}

/* Cut at any byte, or with any byte turned: never taken for another object. */
static void test_damage(void)
{
	static const char whole[] = ALLOC("ffff888012345678");
	char text[sizeof(whole)], *why = NULL;
	struct line l;
	size_t i, bit;

	for (i = 0; i < sizeof(whole) - 1 && !why; i++) {
		memcpy(text, whole, sizeof(whole));
		text[i] = '\0';
		line_parse(text, &l);
		/* Of what comes later nothing is needed. */
		if (l.kind == LINE_ALLOC && whole + i < strstr(whole, "node=-") + 6)
			why = xprintf("cut at %zu it is an allocation", i);
	}
	for (i = 0; i < sizeof(whole) - 1; i++) {
		for (bit = 0; bit < 8; bit++) {
			memcpy(text, whole, sizeof(whole));
			text[i] ^= 1 << bit;
			line_parse(text, &l);
		}
	}
	result(!why, "a line cut or turned at any place", why);
	free(why);
}

static const char * const story =
	"x 1 [000] 1.000001: kmem_cache_alloc: ptr=0x1000 bytes_req=64 bytes_alloc=64 gfp_flags=GFP_ATOMIC node=-1 accounted=false\n"
	"x 1 [001] 1.000001: kmem_cache_alloc: ptr=0x2000 bytes_req=64 bytes_alloc=64 gfp_flags=GFP_KERNEL node=-1 accounted=true\n"
	"x 1 [000] 1.000001: kmem_cache_free: ptr=0x1000 name=node\n"
	/* 0x2000 is not freed: the only name of its sizes. 0x3000 has none. */
	"x 1 [000] 1.000002: kmem_cache_alloc: ptr=0x3000 bytes_req=100 bytes_alloc=112 gfp_flags=GFP_KERNEL node=-1 accounted=true\n"
	/* kfree() of an object; then one that is kmalloc's */
	"x 1 [000] 1.000003: kfree: ptr=0x3000\n"
	"x 1 [000] 1.000004: kmalloc: ptr=0x4000 bytes_req=33 bytes_alloc=64 gfp_flags=GFP_KERNEL node=-1\n"
	"x 1 [000] 1.000005: kfree: ptr=0x4000\n"
	/* kmalloc has the address of an object whose free was not seen */
	"x 1 [000] 1.000006: kmalloc: ptr=0x2000 bytes_req=33 bytes_alloc=64 gfp_flags=GFP_KERNEL node=-1\n"
	/* of what was not seen; and a line that is older */
	"x 1 [000] 1.000007: kmem_cache_free: ptr=0x5000 name=node\n"
	"x 1 [000] 1.000002: kmem_cache_free: ptr=0x6000 name=other\n";

static void test_story(void)
{
	struct trace *t = NULL;
	char *why = NULL;
	json_t *json;
	const struct trace_rec *r;
	const struct trace_cache *c;

	spill(story);
	if (import(input, false, &json))
		why = xprintf("it failed");
	else
		t = trace_load(output, &why);
	if (!t) {
		result(false, "a story", why);
		return;
	}
	r = t->recs;
	c = t->caches;
	/* One CPU after the other: in the order of lines, not of rounded times */
	result(t->nr_recs == 8 && r[0].obj == 0x1000 && r[1].obj == 0x2000 && r[2].obj == 0x1000 &&
	       r[2].free && r[1].cpu == 1 && r[0].gfp == TRACE_GFP_HIGH,
	       "the order of lines", NULL);
	result(!strcmp(c[r[0].cache].name, "node") && r[1].cache == r[0].cache &&
	       r[2].cache == r[0].cache && c[r[0].cache].size == 64, "names by free and by size",
	       NULL);
	result(!strcmp(c[r[3].cache].name, "size-100") && c[r[3].cache].align == 16 &&
	       c[r[3].cache].flags == (TRACE_CF_KNOWN | TRACE_CF_ACCOUNT),
	       "what nothing names has its size, and alignment", NULL);
	result(!(c[r[0].cache].flags & TRACE_CF_ACCOUNT), "accounted is what always is", NULL);
	result(r[4].free && r[4].obj == 0x3000 && r[4].cache == r[3].cache, "kfree of an object",
	       NULL);
	result(r[5].free && r[5].obj == 0x2000 && number(json, "implied_frees") == 1,
	       "a free that was not seen", NULL);
	result(r[6].cache == r[0].cache && !strcmp(c[r[7].cache].name, "other") &&
	       !(c[r[7].cache].flags & TRACE_CF_KNOWN), "frees of older objects", NULL);
	result(number(json, "lines_out_of_order") == 1 && number(json, "kmalloc_not_used") == 2 &&
	       number(json, "kfree_not_used") == 1, "what is not used is counted", NULL);
	json_decref(json);
	trace_free(t);

	result(!import(input, true, &json) && number(json, "allocations") == 5 &&
	       number(json, "frees") == 5 && number(json, "kmalloc_not_used") == 0,
	       "the same with kmalloc", NULL);
	json_decref(json);
}

static void test_refused(const char *name, const char *text, int want)
{
	json_t *json;
	int got;

	if (text)
		spill(text);
	got = import(text ? input : "/nonexistent", false, &json);
	result(got == want && !json == (want == 1 && access(output, F_OK)), name, NULL);
	json_decref(json);
}

static void test_bad(void)
{
	char *half = xprintf("%s", story), *noise = xalloc(200001);
	json_t *json;
	size_t i;

	test_refused("no such file", NULL, 1);
	test_refused("an empty file", "", 1);
	test_refused("a file without events", "#!/bin/sh\nexit 0\n", 1);
	for (i = 0; i < 200000; i++)
		noise[i] = 1 + (i * 2654435761u >> 7) % 255;
	test_refused("noise in one line and many", noise, 1);
	/* Too much of it damaged: written, and told. */
	half[strlen(half) - 15] = '\0';
	spill(half);
	result(import(input, false, &json) == 1 && number(json, "damaged") == 1 &&
	       !access(output, R_OK), "a text that was cut", NULL);
	json_decref(json);
	free(half);
	free(noise);
}

int main(void)
{
	const char *dir = getenv("TMPDIR") ?: "/tmp";
	size_t i;

	kmag_command = "import";
	output = xprintf("%s/kmag-import-%d.trace", dir, getpid());
	report = xprintf("%s/kmag-import-%d.json", dir, getpid());
	input = xprintf("%s/kmag-import-%d.txt", dir, getpid());
	plan(ARRAY_SIZE(samples) + 22);
	for (i = 0; i < ARRAY_SIZE(samples); i++)
		test_sample(&samples[i]);
	test_lines();
	test_lacks();
	test_long();
	test_damage();
	test_story();
	test_bad();
	unlink(output);
	unlink(report);
	unlink(input);
	return finished();
}
