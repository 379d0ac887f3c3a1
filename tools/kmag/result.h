/* SPDX-License-Identifier: GPL-2.0 */
/* How every command tells its result: text, --json, --report. */
#ifndef KMAG_RESULT_H
#define KMAG_RESULT_H

#include <argp.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct result_options {
	bool json;
	const char *report;
};

/*
 * A parser with these options, its input a struct result_options. Ends the
 * program if the report cannot be written.
 */
extern const struct argp_child result_argp[];

/**
 * result_tell - end a command's output
 * @o: what was asked for
 * @json: the result; dropped
 *
 * To the report, and to stdout if it is wanted as JSON there; if not, the
 * caller has printed it as text, and this tells whether that went well.
 *
 * Return: exit code, after one sentence if it is not 0.
 */
int result_tell(const struct result_options *o, json_t *json);

/* Text from outside, for a result: if it is no UTF-8, a ? for what is no ASCII. */
json_t *json_text(const char *text);

/* What some command told as JSON, or NULL after one sentence. */
json_t *result_load(const char *path);

/* The number in @arg, or ends the program as for any other wrong usage. */
long option_number(struct argp_state *state, const char *option, const char *arg,
		   long min, long max);

/*
 * A time as 90, 90s, 1.5m, 2h, 200ms or 50us, in microseconds from @min to
 * @max; ends the program if it is not.
 */
uint64_t option_time(struct argp_state *state, const char *option, const char *arg,
		     uint64_t min, uint64_t max);

/* Up to where @arg is such a time, of any length; NULL if it is none. */
char *take_time(const char *arg, double *us);

/* Which of @words @arg is, or ends the program in the same way. */
unsigned int option_word(struct argp_state *state, const char *option, const char *arg,
			 const char * const *words, unsigned int nr);

/* What both allocators are called; by enum kmag_backend */
extern const char * const backend_names[2];

/* kmag, slub or both; ends the program if it is none of them. */
void option_backends(struct argp_state *state, const char *arg, bool backends[2]);

#endif /* KMAG_RESULT_H */
