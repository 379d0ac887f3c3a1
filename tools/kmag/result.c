// SPDX-License-Identifier: GPL-2.0
/* How every command tells its result: text, --json, --report. */
#include <errno.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "draft.h"
#include "result.h"
#include "util.h"

#define US_PER_S	1000000ULL

static const struct argp_option options[] = {
	{ "json", 'j', NULL, 0, "Print the result as JSON", 0 },
	{ "report", 'r', "FILE", 0, "Write the result to FILE as JSON, too", 0 },
	{}
};

/* So that no work is done in vain; without opening it, as it may be a pipe. */
static bool can_write(const char *path)
{
	char *copy;
	struct stat st;
	int ret;

	if (!stat(path, &st)) {
		if (!S_ISDIR(st.st_mode))
			return !access(path, W_OK);
		errno = EISDIR;
		return false;
	}
	if (errno != ENOENT || !*path)
		return false;
	copy = xprintf("%s", path);
	ret = access(dirname(copy), W_OK | X_OK);
	free(copy);
	return !ret;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct result_options *o = state->input;

	switch (key) {
	case 'j':
		o->json = true;
		return 0;
	case 'r':
		o->report = arg;
		if (can_write(arg))
			return 0;
		say("cannot write %s: %m", path_name(arg));
		exit(KMAG_EXIT_FAILED);
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = { options, parse };
const struct argp_child result_argp[] = { { &argp }, {} };

json_t *json_text(const char *text)
{
	json_t *json = json_string(text);
	char *copy, *at;

	if (json)
		return json;
	copy = xprintf("%s", text);
	for (at = copy; *at; at++)
		if (*at & 0x80)
			*at = '?';
	json = json_string(copy);
	free(copy);
	return json;
}

static int put_report(const char *path, const json_t *json)
{
	struct draft draft;

	if (draft_open(&draft, path, 0666))
		return -1;
	if (json_dumpf(json, draft.file, JSON_INDENT(2))) {
		draft_drop(&draft);
		return -1;
	}
	return draft_done(&draft);
}

int result_tell(const struct result_options *o, json_t *json)
{
	int ret = KMAG_EXIT_OK;

	if (!json) {
		say("the result cannot be told as JSON");
		return KMAG_EXIT_FAILED;
	}
	if (o->report && put_report(o->report, json)) {
		say("cannot write %s: %m", path_name(o->report));
		ret = KMAG_EXIT_FAILED;
	}
	if (o->json && !json_dumpf(json, stdout, JSON_INDENT(2)))
		putchar('\n');
	if (stdout_failed())
		ret = KMAG_EXIT_FAILED;
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
		say("cannot open %s: %m", path_name(path));
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

static const struct {
	const char *name;
	double us;
} units[] = {
	{ "us", 1 }, { "ms", 1000 }, { "s", US_PER_S },
	{ "m", 60.0 * US_PER_S }, { "h", 3600.0 * US_PER_S },
};

char *take_time(const char *arg, double *us)
{
	char *end;
	size_t i;

	errno = 0;
	*us = strtod(arg, &end);
	if (end == arg || errno || !(*us >= 0))
		return NULL;
	for (i = 0; i < ARRAY_SIZE(units); i++) {
		size_t len = strlen(units[i].name);

		if (!strncmp(end, units[i].name, len)) {
			*us *= units[i].us;
			return end + len;
		}
	}
	*us *= US_PER_S;
	return end;
}

/* As take_time() takes it: in the largest unit that leaves two digits, or no rest. */
static const char *time_text(uint64_t us, char text[24])
{
	size_t i;

	for (i = ARRAY_SIZE(units) - 1; i; i--)
		if (us >= 10 * units[i].us || (us && !(us % (uint64_t)units[i].us)))
			break;
	snprintf(text, 24, "%llu%s", (unsigned long long)(us / (uint64_t)units[i].us),
		 units[i].name);
	return text;
}

uint64_t option_time(struct argp_state *state, const char *option, const char *arg,
		     uint64_t min, uint64_t max)
{
	char *end, least[24], most[24];
	double us;

	end = take_time(arg, &us);
	if (!end || *end || us < min || us > max)
		argp_error(state, "--%s takes a time from %s to %s, not '%s'", option,
			   time_text(min, least), time_text(max, most), arg);
	return us;
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
