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

static bool wanted(const struct view *v, const struct kmag_snap_cache *c)
{
	if (v->nr_names)
		return name_wanted(c, v->names, v->nr_names);
	return !v->ops->wanted || v->ops->wanted(v, c);
}

int view_show(struct view *v)
{
	json_t *caches = json_array();
	struct kmag_ioc_info info;
	struct snapshot snap;
	unsigned int i;
	json_t *json;
	int fd, ret;

	fd = dev_open(&info);
	if (fd < 0)
		return KMAG_EXIT_MISSING;
	ret = dev_snapshot(fd, &snap);
	close(fd);
	if (ret)
		return KMAG_EXIT_FAILED;
	for (i = 0; i < snap.nr; i++) {
		const struct snap_cache *c = &snap.caches[i];

		if (!wanted(v, &c->c))
			continue;
		if (!v->shown++ && !v->result.json)
			v->ops->head();
		if (!v->result.json)
			v->ops->row(v, c);
		json_array_append_new(caches, v->ops->json(c));
	}
	json = json_pack("{s:s, s:I, s:o}", "schema", v->ops->schema,
			 "time_ns", (json_int_t)snap.time_ns, "caches", caches);
	snapshot_free(&snap);
	if (!v->shown && v->nr_names) {
		say("there is no kmag cache by that name");
		json_decref(json);
		return KMAG_EXIT_FAILED;
	}
	if (!v->result.json)
		v->ops->total(v);
	return result_tell(&v->result, json);
}
