/* SPDX-License-Identifier: GPL-2.0 */
/* What kmag report is made of: tables in Markdown, and pictures by gnuplot. */
#ifndef KMAG_REPORT_H
#define KMAG_REPORT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "snapfile.h"

/* A table that is filled row by row */
struct table {
	char **cells;
	unsigned int nr_columns;
	unsigned int nr_rows;
};

/* @heads: of the columns, NULL behind the last */
void table_begin(struct table *t, const char * const *heads);

/* A column more, before the first row */
void table_column(struct table *t, const char *head);

/* The next cell of the row; @text may be anything. */
void table_put(struct table *t, const char *text);
void table_printf(struct table *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Prints it, with numbers to the right, and drops it. */
void table_end(struct table *t, FILE *to);

/* Text in which nothing is taken for markup */
void markdown_text(FILE *to, const char *text);

/* Tables of whatever there is in an object, under headings from @level on */
void json_tables(FILE *to, const json_t *object, unsigned int level);

/* Gnuplot being fed with a script */
struct plot {
	FILE *to;
	int said;		/* a file of what it says itself */
	pid_t pid;
};

/**
 * plot_open - begin a picture
 * @p: the picture
 * @path: the PNG file
 * @title: of it
 * @width: in pixels
 * @height: in pixels
 *
 * Return: 0, 1 when there is no gnuplot, or -1 after one sentence.
 */
int plot_open(struct plot *p, const char *path, const char *title, int width, int height);

/* @what is drawn, for the one sentence. Return: 0, or -1 after it. */
int plot_close(struct plot *p, const char *what);

/* A string of gnuplot's, which has no escapes but '' for ' */
void plot_text(struct plot *p, const char *text);

/* A report that is being made */
struct report {
	const char *dir;
	char **files;
	int nr_files;
	const char *file;	/* the one that is being read */
	FILE *to;
	char *folder;		/* in @dir, for all files until they are whole */
	char **pictures;	/* their names */
	unsigned int nr_pictures;
	char **stems;		/* what sections are called, each only once */
	unsigned int nr_stems;
	bool no_gnuplot;
};

/**
 * report_picture - begin a picture, and refer to it
 * @r: the report
 * @p: the picture
 * @stem: begins its file's name
 * @what: ends it
 * @title: of it
 * @height: in pixels, PICTURE_HEIGHT unless there is more than one plot in it
 *
 * Return: 0, 1 when there is no gnuplot, or -1 after one sentence.
 */
int report_picture(struct report *r, struct plot *p, const char *stem, const char *what,
		   const char *title, int height);

#define PICTURE_HEIGHT	640

/* Ends it. Return: 0, or -1 after one sentence. */
int report_drawn(struct report *r, struct plot *p);

/* For what lacks @what a result of its kind has. Return: -1, after one sentence. */
int report_damaged(const struct report *r, const char *what);

/*
 * Bars: one for each of some rows, with a layer for each colour; or, side by
 * side, as many as there are layers.
 */
struct bars {
	const char *ylabel;
	bool side_by_side;
	const char * const *layers;
	const char * const *colours;
	unsigned int nr_layers;
	char **names;
	double *values;		/* nr_layers for each name */
	unsigned int nr;
};

void plot_bars(struct plot *p, const struct bars *b);

/* Memory held and needed over time, of a replay's JSON. Return: false if it lacks that. */
bool plot_replay_ok(const json_t *replay);
void plot_replay(struct plot *p, const json_t *replay);

/* The section of a snapshot of kmag stat, and of frag. Return: 0 or -1. */
int report_stat(struct report *r, const char *stem, const struct snapshot *s);
int report_frag(struct report *r, const char *stem, const struct snapshot *s);

/* Pictures of how fast: threads of kmag run, patterns of make bench. Return: 0 or -1. */
int report_run(struct report *r, const char *stem, const json_t *json);
int report_bench(struct report *r, const char *stem, const json_t *json);

/* Pictures of make bench-memory. Return: 0 or -1. */
int report_memory(struct report *r, const char *stem, const json_t *json);

#endif /* KMAG_REPORT_H */
