// SPDX-License-Identifier: GPL-2.0
/* Heat maps: a cell a slab, by what holds it open. */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "draft.h"
#include "heat.h"
#include "report.h"
#include "util.h"

/* Cells in a line, of text and of a picture */
#define TEXT_CELLS	64
#define PNG_CELLS	128

/* Lines above a map of a picture, where its name is */
#define NAME_LINES	3

enum cell { CELL_EMPTY, CELL_LIVE, CELL_FULL = CELL_LIVE + 8, CELL_CACHED, CELL_DRAINING };

/* A colour of the 256 that terminals have, and one of a picture */
static const struct {
	char letter;
	unsigned char ansi;
	uint32_t rgb;
} cells[] = {
	[CELL_EMPTY] = { '.', 255, 0xeeeeee },
	[CELL_LIVE] = { '1', 195, 0xdeebf7 },
	{ '2', 153, 0xc6dbef }, { '3', 117, 0x9ecae1 }, { '4', 74, 0x6baed6 },
	{ '5', 68, 0x4292c6 }, { '6', 32, 0x2171b5 }, { '7', 26, 0x08519c },
	{ '8', 25, 0x08408a },
	[CELL_FULL] = { '#', 17, 0x08306b },
	[CELL_CACHED] = { 'c', 215, 0xfdae6b },
	[CELL_DRAINING] = { 'd', 114, 0x74c476 },
};

static enum cell cell_of(const struct heat_slab *s)
{
	uint32_t live = s->inuse - s->cached;

	if (!s->inuse)
		return CELL_EMPTY;
	if (s->draining)
		return CELL_DRAINING;
	if (!live)
		return CELL_CACHED;
	return CELL_LIVE + (uint64_t)live * 8 / s->slots;
}

/* Return: whether @line is a row. */
static bool read_row(const char *line, struct heat_slab *s)
{
	unsigned int draining = 0;

	*s = (struct heat_slab){};
	/* pfn node pages slots inuse away draining cached; older ones lack the last. */
	if (sscanf(line, "%*u %*u %*u %u %u %*s %u %u", &s->slots, &s->inuse,
		   &draining, &s->cached) < 2)
		return false;
	s->draining = draining;
	return s->slots && s->inuse <= s->slots && s->cached <= s->inuse;
}

int heat_read(struct heat *h, const char *name, const char *path)
{
	FILE *from = fopen(path, "r");
	char *line = NULL;
	size_t size = 0, room = 0;
	bool ok;

	*h = (struct heat){ .name = xprintf("%s", name) };
	if (!from) {
		say("cannot read %s: %m", path_name(path));
		return -1;
	}
	ok = getline(&line, &size, from) > 0 && !strncmp(line, "kmag slab_map ", 14) &&
	     getline(&line, &size, from) > 0 && line[0] == '#';
	while (ok && getline(&line, &size, from) > 0) {
		if (h->nr == room) {
			room = room ? 2 * room : 1024;
			h->slabs = xrealloc(h->slabs, room * sizeof(*h->slabs));
		}
		ok = read_row(line, &h->slabs[h->nr]);
		h->nr += ok;
	}
	free(line);
	if (ok && ferror(from)) {
		say("cannot read %s: %m", path);
		ok = false;
	} else if (!ok) {
		say("%s is no slab_map", path);
	}
	fclose(from);
	return ok ? 0 : -1;
}

void heat_free(struct heat *h)
{
	free(h->name);
	free(h->slabs);
	*h = (struct heat){};
}

static size_t width(void)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || !size.ws_col || size.ws_col > TEXT_CELLS)
		return TEXT_CELLS;
	return size.ws_col;
}

static void print_cell(enum cell c, bool coloured)
{
	/* Dark on what is bright, and the other way round */
	if (coloured)
		printf("\033[48;5;%u;38;5;%um%c\033[m", cells[c].ansi,
		       c > CELL_LIVE + 3 && c <= CELL_FULL ? 255 : 235, cells[c].letter);
	else
		putchar(cells[c].letter);
}

void heat_print(const struct heat *h)
{
	bool coloured = isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
	size_t i, line = width();

	printf("%s: %s\n", h->name, counted(h->nr, "slab", "slabs"));
	for (i = 0; i < h->nr; i++) {
		print_cell(cell_of(&h->slabs[i]), coloured);
		if ((i + 1) % line == 0 || i + 1 == h->nr)
			putchar('\n');
	}
}

void heat_legend(void)
{
	puts(".  empty      1 to 8  eighths of the slab live, the last one begun      #  all live\n"
	     "c  cached objects alone hold it open      d  draining: goes as objects are freed");
}

static size_t lines_of(const struct heat *h)
{
	return h->nr ? (h->nr + PNG_CELLS - 1) / PNG_CELLS : 1;
}

/* A square at its place: lines grow downwards. */
static void put_cell(struct plot *p, double x, double y, enum cell c)
{
	fprintf(p->to, "%g %g %u\n", x, -y, (unsigned int)cells[c].rgb);
}

static void put_label(struct plot *p, double x, double y, const char *text)
{
	fputs("set label ", p->to);
	plot_text(p, text);
	fprintf(p->to, " at %g,%g left\n", x, -y);
}

/* What the colours mean, above the maps */
static const struct {
	enum cell cell;
	const char *name;
} keys[] = {
	{ CELL_EMPTY, "empty" }, { CELL_LIVE, "few live" }, { CELL_LIVE + 4, "half live" },
	{ CELL_FULL, "all live" }, { CELL_CACHED, "cached alone" }, { CELL_DRAINING, "draining" },
};

int heat_draw(const struct heat *maps, size_t nr, const char *png)
{
	size_t i, k, line = 2, lines = 2;
	struct plot p;
	struct draft draft;
	int ret;

	/* Gnuplot, which could not, would draw to stdout instead. */
	if (draft_open(&draft, png, 0666)) {
		say("cannot write %s: %m", path_name(png));
		return -1;
	}
	for (i = 0; i < nr; i++)
		lines += lines_of(&maps[i]) + NAME_LINES;
	ret = plot_open(&p, draft.name, "a cell is a slab, in the order of addresses",
			60 + 8 * PNG_CELLS, 60 + 8 * (int)lines);
	if (ret > 0)
		say("gnuplot is not installed");
	if (ret)
		goto err_plot;
	fputs("unset border\nunset tics\nunset grid\nunset key\n", p.to);
	for (k = 0; k < ARRAY_SIZE(keys); k++)
		put_label(&p, 20 * k + 2, 0, keys[k].name);
	for (i = 0; i < nr; i++) {
		char *text = xprintf("%s: %s", maps[i].name, counted(maps[i].nr, "slab", "slabs"));

		put_label(&p, 0, line + 1, text);
		free(text);
		line += lines_of(&maps[i]) + NAME_LINES;
	}
	fprintf(p.to, "set xrange [-1:%d]\nset yrange [-%zu:1]\n"
		"plot '-' using 1:2:(0.42):(0.42):3 with boxxyerror fs solid noborder lc rgb variable\n",
		PNG_CELLS, lines);
	for (k = 0; k < ARRAY_SIZE(keys); k++)
		put_cell(&p, 20 * k + 0.5, 0, keys[k].cell);
	line = 2;
	for (i = 0; i < nr; i++) {
		for (k = 0; k < maps[i].nr; k++)
			put_cell(&p, k % PNG_CELLS, line + NAME_LINES - 0.4 + k / PNG_CELLS,
				 cell_of(&maps[i].slabs[k]));
		line += lines_of(&maps[i]) + NAME_LINES;
	}
	fputs("e\n", p.to);
	ret = plot_close(&p, png);
	if (ret)
		goto err_plot;
	ret = draft_done(&draft);
	if (ret)
		say("cannot write %s: %m", png);
	return ret;

err_plot:
	draft_drop(&draft);
	return ret;
}
