/* SPDX-License-Identifier: GPL-2.0 */
/* What all subcommands share: exit codes, one-sentence errors, progress. */
#ifndef KMAG_UTIL_H
#define KMAG_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum kmag_exit {
	KMAG_EXIT_OK = 0,
	KMAG_EXIT_FAILED = 1,
	KMAG_EXIT_USAGE = 2,
	KMAG_EXIT_MISSING = 3,		/* not available here */
};

/* As the kernel names them */
#define BIT(n) (1U << (n))
#define __printf(a, b) __attribute__((format(printf, a, b)))
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define container_of(p, type, member) ((type *)((char *)(p) - offsetof(type, member)))

/* Set by main() to the subcommand: how errors begin. */
extern const char *kmag_command;

/* If set, called before a sentence is said: puts a terminal back that was taken. */
extern void (*before_say)(void);

/* One sentence to stderr, after "kmag <command>: ". */
void say(const char *fmt, ...) __printf(1, 2);

/* Whether stdout did not take all that was printed; the first time after one sentence. */
bool stdout_failed(void);

/* One sentence, and true, if @output (or NULL) is the file that @input names. */
bool would_overwrite(const char *output, const char *input);

/* One sentence, and true, if @report (or NULL) is the file that @output names or will. */
bool would_collide(const char *output, const char *report);

/* A file's name as sentences have it: '' is one, too. */
const char *path_name(const char *path);

/* Memory that is there, or one sentence and exit 1. */
void *xalloc(size_t size);
void *xrealloc(void *p, size_t size);
char *xprintf(const char *fmt, ...) __printf(1, 2);

/*
 * Live progress on stderr: overwritten in place on a terminal, else a line
 * every few seconds. progress_end() leaves the last state standing.
 */
void progress(const char *fmt, ...) __printf(1, 2);
void progress_end(void);

uint64_t now_ns(void);

/* 1,234,567 in one of a few static buffers. */
const char *commas(uint64_t n);

/* 1 cache, 1,234 caches: in one of them, too */
const char *counted(uint64_t n, const char *one, const char *many);

/* 1.5 MiB in one of a few static buffers. */
const char *bytes(uint64_t n);

struct subcommand {
	const char *name;
	const char *summary;
	int (*run)(int argc, char **argv);
};

int cmd_stat(int argc, char **argv);
int cmd_frag(int argc, char **argv);
int cmd_record(int argc, char **argv);
int cmd_replay(int argc, char **argv);
int cmd_import(int argc, char **argv);
int cmd_watch(int argc, char **argv);
int cmd_diff(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_stress(int argc, char **argv);

#endif /* KMAG_UTIL_H */
