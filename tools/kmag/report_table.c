// SPDX-License-Identifier: GPL-2.0
/* Tables in Markdown, aligned so that they can be read as they are. */
#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"
#include "util.h"

/* Of an array that nothing more is known about */
#define MAX_ROWS	256
#define MAX_COLUMNS	24
#define MAX_WAYS	128

/* Columns are padded to what is no longer. */
#define MAX_PAD		60

void markdown_text(FILE *to, const char *text)
{
	char before = ' ';

	for (; *text; before = *text++) {
		char after = text[1];
		bool markup = strchr("\\`*{}[]#|", *text);

		/* Within a word an underscore is one, and a < alone is none. */
		if (*text == '_')
			markup = !isalnum((unsigned char)before) || !isalnum((unsigned char)after);
		else if (*text == '<')
			markup = after != ' ';
		if (markup)
			putc('\\', to);
		putc(iscntrl((unsigned char)*text) ? ' ' : *text, to);
	}
}

static char *escaped(const char *text)
{
	size_t room;
	char *buf;
	FILE *to = open_memstream(&buf, &room);

	if (!to) {
		say("out of memory");
		exit(KMAG_EXIT_FAILED);
	}
	markdown_text(to, text);
	fclose(to);
	return buf;
}

static void put(struct table *t, char *cell, unsigned int nr)
{
	t->cells = xrealloc(t->cells, (nr + 1) * sizeof(*t->cells));
	t->cells[nr] = cell;
}

void table_begin(struct table *t, const char * const *heads)
{
	*t = (struct table){};
	for (; heads && *heads; heads++)
		table_column(t, *heads);
}

void table_column(struct table *t, const char *head)
{
	put(t, escaped(head), t->nr_columns++);
}

/* ->nr_rows counts cells until table_end(). */
void table_put(struct table *t, const char *text)
{
	put(t, escaped(text), t->nr_columns + t->nr_rows++);
}

void table_printf(struct table *t, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	table_put(t, text);
}

static bool is_number(const char *text)
{
	return *text && text[strspn(text, "0123456789.,+-% \\KMGTiB")] == '\0';
}

/* The line below the heads; a colon says that a column's text stands at the right. */
static void rule(FILE *to, int *widths, const bool *right, unsigned int columns)
{
	unsigned int c;
	int n;

	for (c = 0; c < columns; c++) {
		fputs("| ", to);
		for (n = 0; n < widths[c] - right[c]; n++)
			putc('-', to);
		fputs(right[c] ? ": " : " ", to);
	}
	fputs("|\n", to);
}

void table_end(struct table *t, FILE *to)
{
	unsigned int nr = t->nr_columns + t->nr_rows, columns = t->nr_columns, i, c;
	int *widths = xalloc(columns * sizeof(*widths));
	bool *right = xalloc(columns * sizeof(*right));

	for (c = 0; c < columns; c++) {
		right[c] = true;
		widths[c] = 2;
	}
	for (i = 0; i < nr; i++) {
		int len = strlen(t->cells[i]);

		if (len > widths[i % columns] && len <= MAX_PAD)
			widths[i % columns] = len;
		if (i >= columns && !is_number(t->cells[i]))
			right[i % columns] = false;
	}
	for (i = 0; i < nr; i++) {
		c = i % columns;
		if (i == columns)
			rule(to, widths, right, columns);
		/* A table without rows is none. */
		if (t->nr_rows)
			fprintf(to, right[c] ? "| %*s " : "| %-*s ", widths[c], t->cells[i]);
		if (t->nr_rows && c == columns - 1)
			fputs("|\n", to);
		free(t->cells[i]);
	}
	if (t->nr_rows)
		putc('\n', to);
	free(t->cells);
	free(widths);
	free(right);
	*t = (struct table){};
}

static bool is_scalar(const json_t *json)
{
	return json && !json_is_object(json) && !json_is_array(json);
}

/* Four digits and, of what is larger, all before the point */
static char *real_text(double value)
{
	double size = value < 0 ? -value : value;

	if (size >= 999.95 && size < 1e18)
		return xprintf("%s%s", value < 0 ? "-" : "", commas(size + 0.5));
	if (!size || size >= 0.0001)
		return xprintf("%.4g", value);
	return xprintf("%.2g", value);
}

static void put_scalar(struct table *t, const json_t *json)
{
	json_int_t n = json_integer_value(json);
	char *text;

	if (json_is_integer(json))
		text = xprintf("%s%s", n < 0 ? "-" : "",
			       commas(n < 0 ? -(uint64_t)n : (uint64_t)n));
	else if (json_is_real(json))
		text = real_text(json_real_value(json));
	else if (json_is_boolean(json))
		text = xprintf("%s", json_is_true(json) ? "yes" : "no");
	else
		text = xprintf("%s", json_is_string(json) ? json_string_value(json) : "-");
	table_put(t, text);
	free(text);
}

/* Calls back for each scalar in @object, named by the way to it, up to @depth. */
static void each_scalar(const json_t *object, const char *way, unsigned int depth,
			void (*fn)(void *arg, const char *way, const json_t *value), void *arg)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)object, key, value) {
		char *longer;

		if (!strcmp(key, "schema"))
			continue;
		longer = *way ? xprintf("%s.%s", way, key) : xprintf("%s", key);
		if (is_scalar(value))
			fn(arg, longer, value);
		else if (json_is_object(value) && depth)
			each_scalar(value, longer, depth - 1, fn, arg);
		free(longer);
	}
}

/* The value at the end of a way */
static const json_t *follow_way(const json_t *json, const char *way)
{
	char key[128];

	while (json && *way) {
		size_t len = strcspn(way, ".");

		if (len >= sizeof(key))
			return NULL;
		memcpy(key, way, len);
		key[len] = '\0';
		json = json_object_get(json, key);
		way += len + (way[len] == '.');
	}
	return json;
}

struct ways {
	char *ways[MAX_WAYS];
	unsigned int nr, max;
};

static void add_way(void *arg, const char *way, const json_t *value)
{
	struct ways *w = arg;
	unsigned int i;

	for (i = 0; i < w->nr; i++)
		if (!strcmp(w->ways[i], way))
			return;
	if (w->nr < w->max)
		w->ways[w->nr++] = xprintf("%s", way);
}

static void add_row(void *arg, const char *way, const json_t *value)
{
	struct table *t = arg;

	table_put(t, way);
	put_scalar(t, value);
}

/* Columns that say most, of arrays whose objects have more than a page is wide */
static const struct {
	const char *holds;	/* a way that tells such an array */
	const char *ways[MAX_COLUMNS];
} known[] = {
	{ "kmag.shrunk.slabs",
	  { "name", "size", "operations", "kmag.end.live", "kmag.end.slabs",
	    "kmag.end.slabs_needed", "kmag.shrunk.slabs", "slub.end.slabs",
	    "slub.end.slabs_needed", "slub.shrunk.slabs" } },
};

/* Of what any row has: a cache that was not replayed has less than the others. */
static const char * const *known_ways(const json_t *array)
{
	size_t i, k;
	json_t *row;

	json_array_foreach((json_t *)array, i, row)
		for (k = 0; k < ARRAY_SIZE(known); k++)
			if (follow_way(row, known[k].holds))
				return known[k].ways;
	return NULL;
}

static void choose_ways(const json_t *array, struct ways *w)
{
	const char * const *ways = known_ways(array);
	size_t i;
	json_t *row;

	if (ways) {
		for (i = 0; i < MAX_COLUMNS && ways[i]; i++)
			add_way(w, ways[i], NULL);
		return;
	}
	json_array_foreach((json_t *)array, i, row)
		each_scalar(row, "", 2, add_way, w);
}

/* Of an array without objects: its values in a line */
static void value_line(FILE *to, const json_t *array)
{
	size_t i, nr = json_array_size(array);
	json_t *value;
	char *text;

	json_array_foreach((json_t *)array, i, value) {
		if (i >= MAX_ROWS)
			break;
		if (json_is_string(value))
			text = xprintf("%s", json_string_value(value));
		else if (json_is_real(value))
			text = real_text(json_real_value(value));
		else
			text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
		fputs(i ? ", " : "", to);
		markdown_text(to, text ? text : "-");
		free(text);
	}
	fputs("\n\n", to);
	if (nr > MAX_ROWS)
		fprintf(to, "%zu more are not shown.\n\n", nr - MAX_ROWS);
}

static void array_table(FILE *to, const json_t *array)
{
	struct ways w = { .max = MAX_COLUMNS };
	struct table t;
	unsigned int c;
	json_t *row;
	size_t i;

	choose_ways(array, &w);
	if (!w.nr) {
		value_line(to, array);
		return;
	}
	table_begin(&t, NULL);
	for (c = 0; c < w.nr; c++)
		table_column(&t, w.ways[c]);
	json_array_foreach((json_t *)array, i, row) {
		if (i >= MAX_ROWS)
			break;
		for (c = 0; c < w.nr; c++) {
			const json_t *value = follow_way(row, w.ways[c]);

			if (is_scalar(value))
				put_scalar(&t, value);
			else
				table_put(&t, "-");
		}
	}
	table_end(&t, to);
	if (json_array_size(array) > MAX_ROWS)
		fprintf(to, "%zu more are not shown.\n\n", json_array_size(array) - MAX_ROWS);
	for (c = 0; c < w.nr; c++)
		free(w.ways[c]);
}

static bool all_objects(const json_t *object)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)object, key, value)
		if (!json_is_object(value))
			return false;
	return json_object_size(object) > 1;
}

/* Objects of one kind under their names: a column for each. */
static void column_table(FILE *to, const json_t *object)
{
	struct ways w = { .max = MAX_WAYS };
	const char *key;
	struct table t;
	json_t *value;
	unsigned int r;

	table_begin(&t, NULL);
	table_column(&t, "");
	json_object_foreach((json_t *)object, key, value) {
		table_column(&t, key);
		each_scalar(value, "", 2, add_way, &w);
	}
	for (r = 0; r < w.nr; r++) {
		table_put(&t, w.ways[r]);
		json_object_foreach((json_t *)object, key, value) {
			const json_t *cell = follow_way(value, w.ways[r]);

			if (is_scalar(cell))
				put_scalar(&t, cell);
			else
				table_put(&t, "-");
		}
		free(w.ways[r]);
	}
	table_end(&t, to);
}

/* What a picture shows, one would not read. */
static bool is_drawn(const char *name)
{
	return !strcmp(name, "batches") || !strcmp(name, "samples");
}

static bool is_deep(const json_t *object)
{
	const char *key;
	json_t *value;

	/* What a row of a table cannot show, and no picture does */
	json_object_foreach((json_t *)object, key, value)
		if ((json_array_size(value) && !is_drawn(key)) || all_objects(value))
			return true;
	return false;
}

static void heading(FILE *to, unsigned int level, const char *text)
{
	fprintf(to, "%.*s", (int)level, "######");
	putc(' ', to);
	markdown_text(to, text);
	fputs("\n\n", to);
}

static void array(FILE *to, const json_t *array, const char *name, unsigned int level)
{
	json_t *element;
	size_t i;

	if (!json_array_size(array) || is_drawn(name))
		return;
	if (known_ways(array) || !is_deep(json_array_get(array, 0))) {
		heading(to, level, name);
		array_table(to, array);
		return;
	}
	json_array_foreach((json_t *)array, i, element) {
		char *numbered = xprintf("%s %zu", name, i + 1);

		heading(to, level, numbered);
		free(numbered);
		json_tables(to, element, level + 1);
	}
}

void json_tables(FILE *to, const json_t *object, unsigned int level)
{
	static const char * const heads[] = { "what", "value", NULL };
	const char *key, *inner;
	struct table t;
	json_t *value, *part;

	table_begin(&t, heads);
	each_scalar(object, "", 0, add_row, &t);
	table_end(&t, to);
	json_object_foreach((json_t *)object, key, value) {
		/* A result of its own, or nothing at all */
		if (is_scalar(value) || json_object_get(value, "schema") ||
		    (json_is_object(value) && !json_object_size(value)))
			continue;
		if (json_is_array(value)) {
			array(to, value, key, level);
			continue;
		}
		heading(to, level, key);
		if (!all_objects(value)) {
			json_tables(to, value, level + 1);
			continue;
		}
		column_table(to, value);
		/* Arrays of one of them have no place in a column. */
		json_object_foreach((json_t *)value, inner, part) {
			const char *name;
			json_t *rows;

			json_object_foreach((json_t *)part, name, rows) {
				char *both = xprintf("%s of %s", name, inner);

				if (json_is_array(rows) && !is_drawn(name))
					array(to, rows, both, level + 1);
				free(both);
			}
		}
	}
}
