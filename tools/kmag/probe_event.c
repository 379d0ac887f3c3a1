// SPDX-License-Identifier: GPL-2.0
/* One tracing event: where its fields lie, and what they hold. */
#include <string.h>

#include "probe_event.h"
#include "util.h"

static int field(struct tep_event *ev, const char *name)
{
	struct tep_format_field *f = tep_find_field(ev, name);

	return f ? f->offset : -1;
}

int event_find(struct event *e, struct tep_handle *tep, const char *group,
	       const struct probe_def *def)
{
	static const char * const arrays[MAX_ARRAYS] = { "p", "p1", "p2", "p3" };
	struct tep_format_field *f;
	struct tep_event *ev;
	unsigned int i;

	ev = tep_find_event_by_name(tep, def->system ? def->system : group, def->event);
	if (!ev) {
		say("this kernel does not tell the format of its event %s", def->event);
		return -1;
	}
	e->def = def;
	e->id = ev->id;
	e->cache = field(ev, "s");
	e->obj = field(ev, def->system ? "ptr" : "r");
	e->gfp = field(ev, def->system ? "gfp_flags" : "g");
	f = tep_find_field(ev, def->system ? "gfp_flags" : "g");
	e->gfp_size = f ? f->size : 0;
	e->count = field(ev, "n");
	e->name = field(ev, "name");
	e->size = field(ev, "size");
	e->align = field(ev, "align");
	e->flags = field(ev, "flags");
	e->ctor = field(ev, "ctor");
	for (i = 0; i < MAX_ARRAYS; i++) {
		f = tep_find_field(ev, arrays[i]);
		e->arrays[i] = f ? f->offset : -1;
		e->array_len[i] = f ? f->size / 8 : 0;
	}
	f = tep_find_common_field(ev, "common_flags");
	e->common_flags = f ? f->offset : -1;
	f = tep_find_common_field(ev, "common_pid");
	e->common_pid = f ? f->offset : -1;
	if (e->common_flags < 0 || e->common_pid < 0) {
		say("this kernel's events do not tell their task");
		return -1;
	}
	return 0;
}

static uint64_t word(const void *data, int offset)
{
	uint64_t v = 0;

	if (offset >= 0)
		memcpy(&v, (const char *)data + offset, sizeof(v));
	return v;
}

static uint32_t half(const void *data, int offset)
{
	uint32_t v = 0;

	if (offset >= 0)
		memcpy(&v, (const char *)data + offset, sizeof(v));
	return v;
}

static void decode_bulk(const struct event *e, const void *data, struct probe_event *ev)
{
	unsigned int i, room, want;

	ev->count = half(data, e->count);
	/* What the call returned, an int: 0 on failure */
	if (e->def->kind == PROBE_ALLOC_BULK)
		ev->count = (int32_t)ev->count > 0 ? ev->count : 0;
	ev->first = e->def->first;
	ev->nr_objs = 0;
	for (i = 0; i < MAX_ARRAYS && ev->first + ev->nr_objs < ev->count; i++) {
		if (e->arrays[i] < 0)
			break;
		want = ev->count - ev->first - ev->nr_objs;
		room = e->array_len[i];
		if (want > room)
			want = room;
		memcpy(ev->objs + ev->nr_objs, (const char *)data + e->arrays[i], want * 8);
		ev->nr_objs += want;
	}
}

/* __data_loc: length above, offset below */
static const char *name_of(const struct event *e, const void *data)
{
	return e->name < 0 ? NULL : (const char *)data + (half(data, e->name) & 0xffff);
}

void event_decode(const struct event *e, const void *data, struct probe_event *ev)
{
	ev->kind = e->def->kind;
	ev->flags = *((const uint8_t *)data + e->common_flags);
	ev->pid = half(data, e->common_pid);
	ev->cache = word(data, e->cache);
	ev->obj = word(data, e->obj);
	ev->gfp = e->gfp_size == 8 ? word(data, e->gfp) : half(data, e->gfp);
	switch (ev->kind) {
	case PROBE_ALLOC_BULK:
	case PROBE_FREE_BULK:
		decode_bulk(e, data, ev);
		break;
	case PROBE_FREE:
		ev->name = name_of(e, data);
		break;
	case PROBE_CACHE:
		ev->name = name_of(e, data);
		ev->size = half(data, e->size);
		ev->align = half(data, e->align);
		ev->cache_flags = half(data, e->flags);
		ev->ctor = word(data, e->ctor);
		break;
	default:
		break;
	}
}
