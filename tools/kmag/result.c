// SPDX-License-Identifier: GPL-2.0
/* How every command tells its result: text, --json, --report. */
#include <errno.h>
#include <stdlib.h>

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
