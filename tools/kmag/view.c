// SPDX-License-Identifier: GPL-2.0
/* Commands that show a row for each cache of a snapshot, or for some. */
#include <unistd.h>

#include "util.h"
#include "view.h"

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct view *v = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &v->result;
		return 0;
	case ARGP_KEY_ARGS:
		v->names = state->argv + state->next;
		v->nr_names = state->argc - state->next;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = { NULL, parse, NULL, NULL, result_argp };
const struct argp_child view_argp[] = { { &argp }, {} };

/* What is named is shown in any case. */
static bool shown(const struct view *v, const struct kmag_snap_cache *c)
{
	return v->nr_names || !v->ops->wanted || v->ops->wanted(v, c);
}

int view_tell(struct view *v, const struct snapshot *snap)
{
	json_t *caches = json_array(), *json;
	unsigned int i;

	for (i = 0; i < snap->nr; i++) {
		const struct snap_cache *c = &snap->caches[i];

		if (!name_wanted(&c->c, v->names, v->nr_names))
			continue;
		/* One that is not in a result would be gone from there: see kmag diff. */
		json_array_append_new(caches, v->ops->json(c));
		if (!shown(v, &c->c))
			continue;
		if (!v->shown++ && !v->result.json)
			v->ops->head();
		if (!v->result.json)
			v->ops->row(v, c);
	}
	json = json_pack("{s:s, s:I, s:o}", "schema", v->ops->schema,
			 "time_ns", (json_int_t)snap->time_ns, "caches", caches);
	if (names_failed(v->nr_names, v->shown)) {
		json_decref(json);
		return KMAG_EXIT_FAILED;
	}
	if (!v->result.json)
		v->ops->total(v);
	return result_tell(&v->result, json);
}

int view_show(struct view *v)
{
	struct kmag_ioc_info info;
	struct snapshot snap;
	int fd, ret;

	fd = dev_open(&info);
	if (fd < 0)
		return KMAG_EXIT_MISSING;
	ret = dev_snapshot(fd, &snap);
	close(fd);
	if (ret)
		return KMAG_EXIT_FAILED;
	ret = view_tell(v, &snap);
	snapshot_free(&snap);
	return ret;
}
