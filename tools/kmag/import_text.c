// SPDX-License-Identifier: GPL-2.0
/*
 * Lines of perf script, trace-cmd report and tracefs. All of them have
 *
 *	COMM and PID   [CPU]   FLAGS   SECONDS:   [SYSTEM:]EVENT:   FIELD=VALUE...
 *
 * with some of it missing: perf has no flags, and trace-cmd report -l has the
 * CPU before its flags, without brackets. COMM may hold anything, so a line is
 * taken apart from its time on: the first number with a colon that an event's
 * name with a colon follows.
 */
#include <ctype.h>
#include <errno.h>
#include <kmag.h>
#include <stdlib.h>
#include <string.h>

#include "import_text.h"
#include "trace.h"
#include "util.h"

/* A macro's value in a string */
#define NAME(macro)	NAME_(macro)
#define NAME_(value)	#value

static const struct {
	const char *name;
	enum line_kind kind;
} events[] = {
	{ "kmem_cache_alloc", LINE_ALLOC }, { "kmem_cache_alloc_node", LINE_ALLOC },
	{ "kmem_cache_free", LINE_FREE }, { "kmalloc", LINE_KMALLOC },
	{ "kmalloc_node", LINE_KMALLOC }, { "kfree", LINE_KFREE },
};

/* Names that the kernel prints gfp by; only the bits that a trace tells */
static const struct {
	const char *name;
	uint32_t bits;
} gfp_names[] = {
	{ "GFP_KERNEL", TRACE_GFP_DIRECT }, { "GFP_KERNEL_ACCOUNT", TRACE_GFP_DIRECT },
	{ "GFP_USER", TRACE_GFP_DIRECT }, { "GFP_HIGHUSER", TRACE_GFP_DIRECT },
	{ "GFP_HIGHUSER_MOVABLE", TRACE_GFP_DIRECT }, { "GFP_NOIO", TRACE_GFP_DIRECT },
	{ "GFP_NOFS", TRACE_GFP_DIRECT }, { "GFP_TRANSHUGE", TRACE_GFP_DIRECT },
	{ "__GFP_RECLAIM", TRACE_GFP_DIRECT }, { "__GFP_DIRECT_RECLAIM", TRACE_GFP_DIRECT },
	{ "GFP_ATOMIC", TRACE_GFP_HIGH }, { "__GFP_HIGH", TRACE_GFP_HIGH },
	{ "__GFP_ZERO", TRACE_GFP_ZERO },
};

/* A whole number and nothing behind it, decimal or hexadecimal */
static bool number(const char *text, int base, uint64_t *n)
{
	char *end;

	if (!isxdigit((unsigned char)*text))
		return false;
	errno = 0;
	*n = strtoull(text, &end, base);
	return end != text && !*end && !errno;
}

/* trace-cmd and perf print 0x..., tracefs 16 digits: hexadecimal, all of them. */
static bool pointer(const char *text, uint64_t *n)
{
	if (!strcmp(text, "(nil)") || !strcmp(text, "(null)")) {
		*n = 0;
		return true;
	}
	return number(text, 16, n);
}

static bool take_gfp(char *text, uint32_t *gfp)
{
	char *save, *part;
	uint64_t bits;
	size_t i;

	*gfp = 0;
	for (part = strtok_r(text, "|", &save); part; part = strtok_r(NULL, "|", &save)) {
		if (number(part, 0, &bits)) {
			*gfp |= bits & (TRACE_GFP_DIRECT | TRACE_GFP_HIGH | TRACE_GFP_ZERO);
			continue;
		}
		for (i = 0; i < ARRAY_SIZE(gfp_names); i++)
			if (!strcmp(part, gfp_names[i].name))
				*gfp |= gfp_names[i].bits;
		/* Others say nothing of these bits: GFP_NOWAIT, __GFP_NOWARN. */
		if (strncmp(part, "GFP_", 4) && strncmp(part, "__GFP_", 6) && strcmp(part, "none"))
			return false;
	}
	return true;
}

/* 12.345678 with up to nine digits behind the point, as ns */
static bool take_time(const char *text, size_t len, uint64_t *ns)
{
	uint64_t s = 0, fraction = 0, unit = 1000000000;
	size_t i = 0;

	for (; i < len && isdigit((unsigned char)text[i]); i++) {
		if (s > UINT64_MAX / 10000000000ULL / 10)
			return false;
		s = s * 10 + text[i] - '0';
	}
	if (!i || i + 1 >= len || text[i] != '.')
		return false;
	for (i++; i < len && isdigit((unsigned char)text[i]) && unit > 1; i++) {
		unit /= 10;
		fraction += (text[i] - '0') * unit;
	}
	*ns = s * 1000000000 + fraction;
	return i == len;
}

struct token {
	char *at;
	size_t len;
};

static struct token next_token(char *from)
{
	struct token t;

	t.at = from + strspn(from, " \t");
	t.len = strcspn(t.at, " \t");
	return t;
}

/* [007], or of trace-cmd report -l 7d..1. */
static bool take_cpu(struct token t, unsigned int *cpu)
{
	bool bracket = *t.at == '[';
	unsigned long n;
	char *end;

	if (!t.len || (bracket && t.at[t.len - 1] != ']'))
		return false;
	if (!isdigit((unsigned char)t.at[bracket]))
		return false;
	n = strtoul(t.at + bracket, &end, 10);
	if (bracket ? end != t.at + t.len - 1 : end == t.at + t.len)
		return false;
	/* What is none that can be replayed is told later. */
	*cpu = n < KMAG_REPLAY_MAX_CPUS ? n : KMAG_REPLAY_MAX_CPUS;
	return true;
}

/*
 * Finds time, CPU and event's name. Return: what follows the name, or NULL
 * when there is no event. @has_cpu is false when none was told.
 */
static char *take_head(char *text, struct line *l, struct token *event, bool *has_cpu)
{
	struct token t = next_token(text), before = {}, next;
	char *rest;

	*has_cpu = false;
	for (; t.len; before = t, t = next) {
		next = next_token(t.at + t.len);
		/* Brackets are looked for anywhere, the last one counts. */
		if (*t.at == '[' && take_cpu(t, &l->cpu))
			*has_cpu = true;
		if (t.at[t.len - 1] != ':' || !take_time(t.at, t.len - 1, &l->time))
			continue;
		if (next.len < 2 || next.at[next.len - 1] != ':' ||
		    !isalpha((unsigned char)*next.at))
			continue;
		if (!*has_cpu && before.len)
			*has_cpu = take_cpu(before, &l->cpu);
		rest = next.at + next.len;
		event->at = next.at;
		event->len = next.len - 1;
		/* perf names the system, too */
		if (memchr(next.at, ':', event->len)) {
			event->at = (char *)memchr(next.at, ':', event->len) + 1;
			event->len = next.at + next.len - 1 - event->at;
		}
		return rest;
	}
	return NULL;
}

/*
 * Copies the value of @key= in @text, which ends at the next blank or, @whole,
 * with the line. False when it is not there, or does not fit.
 */
static bool field(const char *text, const char *key, bool whole, char *to, size_t room)
{
	size_t len = strlen(key), got;
	const char *at = text;

	while ((at = strstr(at, key))) {
		if ((at == text || isblank((unsigned char)at[-1])) && at[len] == '=')
			break;
		at += len;
	}
	if (!at)
		return false;
	at += len + 1;
	got = strcspn(at, whole ? "" : " \t");
	while (got && isspace((unsigned char)at[got - 1]))
		got--;
	if (!got || got >= room)
		return false;
	memcpy(to, at, got);
	to[got] = '\0';
	return true;
}

static bool number_field(const char *text, const char *key, uint64_t *n)
{
	char value[32];

	return field(text, key, false, value, sizeof(value)) && number(value, 0, n);
}

/*
 * Sizes and gfp; and a node, which comes last and so tells that nothing was cut
 * off. Return: what it lacks, or NULL.
 */
static const char *take_alloc(const char *text, struct line *l)
{
	char gfp[512], node[16], accounted[8];

	if (!number_field(text, "bytes_req", &l->bytes_req))
		return "bytes_req= with a number";
	if (!number_field(text, "bytes_alloc", &l->bytes_alloc))
		return "bytes_alloc= with a number";
	if (l->bytes_req > l->bytes_alloc || l->bytes_alloc > INT32_MAX)
		return "bytes_alloc= that fits bytes_req=";
	if (!field(text, "gfp_flags", false, gfp, sizeof(gfp)) || !take_gfp(gfp, &l->gfp))
		return "gfp_flags= that are known";
	if (!field(text, "node", false, node, sizeof(node)))
		return "node=";
	l->accounted = field(text, "accounted", false, accounted, sizeof(accounted)) &&
		       (!strcmp(accounted, "true") || !strcmp(accounted, "1"));
	return NULL;
}

/*
 * What was lost before this line: [5 EVENTS DROPPED] of trace-cmd report,
 * [LOST 5 EVENTS] of tracefs, PERF_RECORD_LOST id:1: lost:5 of perf script with
 * --show-lost-events. The first two may lack the number.
 */
static void take_lost(const char *text, struct line *l)
{
	const char *at;

	if (strstr(text, "EVENTS DROPPED]") || strstr(text, " EVENTS]") ||
	    strstr(text, "[LOST EVENTS]"))
		at = strchr(text, '[');
	else if (strstr(text, "PERF_RECORD_LOST"))
		at = strstr(text, "lost");
	else
		return;
	l->kind = LINE_LOST;
	at = at ? at + strcspn(at, "0123456789") : "";
	l->lost = strtoull(at, NULL, 10);
	if (!l->lost)
		l->lost = 1;
}

/* A word of the line is the name of an event that is wanted. */
static bool names_event(const char *text)
{
	size_t i, len;
	const char *at;

	for (i = 0; i < ARRAY_SIZE(events); i++) {
		len = strlen(events[i].name);
		for (at = text; (at = strstr(at, events[i].name)); at += len)
			if ((at == text || strchr(" \t:", at[-1])) && at[len] == ':')
				return true;
	}
	return false;
}

/* What an event lacks, or NULL */
static const char *take_fields(const char *text, struct line *l)
{
	const char *lacks;
	char ptr[32];

	if (!field(text, "ptr", false, ptr, sizeof(ptr)) || !pointer(ptr, &l->obj))
		return "ptr= with an address";
	if (l->kind == LINE_ALLOC || l->kind == LINE_KMALLOC) {
		lacks = take_alloc(text, l);
		if (lacks)
			return lacks;
	}
	/* An allocation has a name from later kernels on; a free's may hold blanks. */
	if ((l->kind == LINE_ALLOC || l->kind == LINE_FREE) &&
	    !field(text, "name", l->kind == LINE_FREE, l->name, sizeof(l->name)) &&
	    l->kind == LINE_FREE)
		return "name= of its cache";
	return NULL;
}

bool line_read(FILE *file, char text[LINE_ROOM])
{
	size_t len = 0;
	int c;

	for (c = getc_unlocked(file); c != EOF && c != '\n'; c = getc_unlocked(file))
		if (len < LINE_ROOM - 1)
			text[len++] = c ? c : '?';
	text[len] = '\0';
	return len || c != EOF;
}

void line_parse(char *text, struct line *l)
{
	struct token event;
	bool has_cpu;
	char *rest;
	size_t i;

	*l = (struct line){ .kind = LINE_OTHER };
	text[strcspn(text, "\r\n")] = '\0';
	if (*text == '#' || !text[strspn(text, " \t")])
		return;
	rest = take_head(text, l, &event, &has_cpu);
	if (!rest && !names_event(text)) {
		take_lost(text, l);
		return;
	}
	l->kind = rest ? LINE_FOREIGN : LINE_DAMAGED;
	for (i = 0; rest && i < ARRAY_SIZE(events); i++)
		if (event.len == strlen(events[i].name) &&
		    !memcmp(event.at, events[i].name, event.len))
			l->kind = events[i].kind;
	if (l->kind == LINE_FOREIGN)
		return;
	if (strlen(text) > LINE_MAX_LEN)
		l->lacks = "end within " NAME(LINE_MAX_LEN) " bytes";
	else if (!rest)
		l->lacks = "time in seconds";
	else if (!has_cpu)
		l->lacks = "CPU";
	else if (l->cpu >= KMAG_REPLAY_MAX_CPUS)
		l->lacks = "CPU below " NAME(KMAG_REPLAY_MAX_CPUS);
	else
		l->lacks = take_fields(rest, l);
	if (l->lacks)
		l->kind = LINE_DAMAGED;
	else if (!l->obj)
		l->kind = LINE_FAILED;
}
