// SPDX-License-Identifier: GPL-2.0
/* How every command tells its result: text, --json, --report. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "result.h"
#include "util.h"

static const struct argp_option options[] = {
	{ "json", 'j', NULL, 0, "Print the result as JSON", 0 },
	{ "report", 'r', "FILE", 0, "Write the result to FILE as JSON, too", 0 },
	{}
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct result_options *o = state->input;

	switch (key) {
	case 'j':
		o->json = true;
		return 0;
	case 'r':
		o->report = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = { options, parse };
const struct argp_child result_argp[] = { { &argp }, {} };

int result_tell(const struct result_options *o, json_t *json)
{
	int ret = KMAG_EXIT_OK;

	if (o->report && json_dump_file(json, o->report, JSON_INDENT(2))) {
		say("cannot write %s: %m", o->report);
		ret = KMAG_EXIT_FAILED;
	}
	if (o->json && !json_dumpf(json, stdout, JSON_INDENT(2)))
		putchar('\n');
	/* What failed earlier is still marked in the stream. */
	if (fflush(stdout) || ferror(stdout)) {
		say("cannot write the result: %m");
		ret = KMAG_EXIT_FAILED;
	}
	json_decref(json);
	return ret;
}

json_t *result_load(const char *path)
{
	json_error_t error;
	json_t *json;
	FILE *file;

	file = fopen(path, "re");
	if (!file) {
		say("cannot open %s: %m", path);
		return NULL;
	}
	json = json_loadf(file, JSON_REJECT_DUPLICATES, &error);
	if (!json && ferror(file))
		say("cannot read %s: %m", path);
	else if (!json)
		say("%s is no JSON: line %d: %s", path, error.line, error.text);
	fclose(file);
	return json;
}

long option_number(struct argp_state *state, const char *option, const char *arg,
		   long min, long max)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(arg, &end, 10);
	if (end == arg || *end || errno || n < min || n > max)
		argp_error(state, "--%s takes %ld to %ld, not '%s'", option, min, max, arg);
	return n;
}

unsigned int option_word(struct argp_state *state, const char *option, const char *arg,
			 const char * const *words, unsigned int nr)
{
	char *list = xprintf("%s", words[0]), *longer;
	unsigned int i;

	for (i = 0; i < nr; i++)
		if (!strcmp(arg, words[i]))
			break;
	if (i < nr) {
		free(list);
		return i;
	}
	for (i = 1; i < nr; i++) {
		longer = xprintf("%s%s%s", list, i + 1 < nr ? ", " : " or ", words[i]);
		free(list);
		list = longer;
	}
	argp_error(state, "--%s takes %s, not '%s'", option, list, arg);
	exit(KMAG_EXIT_USAGE);
}

const char * const backend_names[2] = { "kmag", "slub" };

void option_backends(struct argp_state *state, const char *arg, bool backends[2])
{
	unsigned int i;

	for (i = 0; i < 2; i++)
		backends[i] = !strcmp(arg, backend_names[i]) || !strcmp(arg, "both");
	if (!backends[0] && !backends[1])
		argp_error(state, "--backend takes kmag, slub or both, not '%s'", arg);
}
