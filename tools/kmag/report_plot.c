// SPDX-License-Identifier: GPL-2.0
/* Pictures: scripts for gnuplot, which reads their data from the same pipe. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "report.h"
#include "util.h"

#define MIB	1048576.0

void plot_text(struct plot *p, const char *text)
{
	putc('\'', p->to);
	for (; *text; text++) {
		if (*text == '\'')
			putc('\'', p->to);
		putc((unsigned char)*text < ' ' ? ' ' : *text, p->to);
	}
	putc('\'', p->to);
}

int plot_open(struct plot *p, const char *path, const char *title, int width, int height)
{
	static char * const argv[] = { "gnuplot", NULL };
	int feed[2], tell[2], err = 0;

	/* A gnuplot that dies is told of, not died of. */
	signal(SIGPIPE, SIG_IGN);
	*p = (struct plot){};
	p->said = memfd_create("gnuplot", MFD_CLOEXEC);
	if (p->said < 0 || pipe2(feed, O_CLOEXEC) || pipe2(tell, O_CLOEXEC))
		goto err_start;
	p->pid = fork();
	if (p->pid < 0)
		goto err_start;
	if (!p->pid) {
		dup2(feed[0], STDIN_FILENO);
		dup2(p->said, STDERR_FILENO);
		execvp(argv[0], argv);
		err = errno;
		if (write(tell[1], &err, sizeof(err)) < 0)
			_exit(126);
		_exit(127);
	}
	close(feed[0]);
	close(tell[1]);
	if (read(tell[0], &err, sizeof(err)) != sizeof(err))
		err = 0;
	close(tell[0]);
	if (err) {
		close(feed[1]);
		waitpid(p->pid, NULL, 0);
		close(p->said);
		if (err == ENOENT)
			return 1;
		errno = err;
		goto err_start;
	}
	p->to = fdopen(feed[1], "w");
	fprintf(p->to, "set terminal pngcairo noenhanced size %d,%d font 'sans,11' background 'white'\n",
		width, height);
	fputs("set output ", p->to);
	plot_text(p, path);
	fputs("\nset border 3 lc rgb '#555555'\n"
	      "set tics nomirror textcolor rgb '#333333'\n"
	      "set grid ytics lc rgb '#dddddd' lt 1\nset title ", p->to);
	plot_text(p, title);
	putc('\n', p->to);
	return 0;

err_start:
	say("cannot start gnuplot: %m");
	return -1;
}

/* What gnuplot said last: it has the place above it, and an empty line below. */
static void last_line(int fd, char *line, size_t room)
{
	char text[4096], *at, *save;
	ssize_t len = pread(fd, text, sizeof(text) - 1, 0);

	*line = '\0';
	text[len > 0 ? len : 0] = '\0';
	for (at = strtok_r(text, "\n", &save); at; at = strtok_r(NULL, "\n", &save)) {
		at += strspn(at, " \t");
		if (*at)
			snprintf(line, room, ": %s", at);
	}
}

int plot_close(struct plot *p, const char *what)
{
	char line[256];
	int status = 0;
	bool bad;

	bad = ferror(p->to);
	bad |= fclose(p->to);
	while (waitpid(p->pid, &status, 0) < 0 && errno == EINTR)
		;
	last_line(p->said, line, sizeof(line));
	close(p->said);
	if (!bad && !status)
		return 0;
	say("gnuplot could not draw %s%s", what, line);
	return -1;
}

void plot_bars(struct plot *p, const struct bars *b)
{
	unsigned int i, l;

	fputs("$data << END\n", p->to);
	for (i = 0; i < b->nr; i++) {
		/* A name is one quoted word of the data. */
		putc('"', p->to);
		for (const char *at = b->names[i]; *at; at++)
			putc(*at == '"' || (unsigned char)*at < ' ' ? '?' : *at, p->to);
		putc('"', p->to);
		for (l = 0; l < b->nr_layers; l++)
			fprintf(p->to, " %.6g", b->values[i * b->nr_layers + l]);
		putc('\n', p->to);
	}
	fprintf(p->to, "END\nset style data histograms\nset style histogram %s\n"
		"set style fill solid border rgb 'white'\nset boxwidth %s\n"
		"set yrange [0:*]\nset xtics rotate by -35 scale 0\n"
		"set key outside right top reverse Left %s samplen 1\nset ylabel ",
		b->side_by_side ? "clustered gap 1" : "rowstacked",
		b->side_by_side ? "1" : "0.75", b->side_by_side ? "" : "invert");
	plot_text(p, b->ylabel);
	fputs("\nplot ", p->to);
	for (l = 0; l < b->nr_layers; l++) {
		fprintf(p->to, "%s $data using %u", l ? "," : "", l + 2);
		if (!l)
			fputs(":xtic(1)", p->to);
		fprintf(p->to, " lc rgb '%s' title ", b->colours[l]);
		plot_text(p, b->layers[l]);
	}
	putc('\n', p->to);
}

static double mib(const json_t *held, const char *key)
{
	return json_number_value(json_object_get(held, key)) / MIB;
}

static const char * const sides[] = { "kmag", "slub" };
static const char * const side_titles[] = { "kmag", "SLUB" };
static const char * const side_colours[] = { "#1f6fb4", "#c44e52" };

static const json_t *side_of(const json_t *replay, unsigned int k)
{
	return json_object_get(json_object_get(replay, "backends"), sides[k]);
}

bool plot_replay_ok(const json_t *replay)
{
	size_t batches = json_array_size(json_object_get(replay, "batches"));
	unsigned int k, nr = 0;

	for (k = 0; k < ARRAY_SIZE(sides); k++) {
		const json_t *side = side_of(replay, k);

		if (!side)
			continue;
		nr++;
		if (json_array_size(json_object_get(side, "samples")) != batches)
			return false;
	}
	return batches && nr;
}

static void put_side(struct plot *p, const json_t *replay, unsigned int k, double *top)
{
	const json_t *side = side_of(replay, k), *batches = json_object_get(replay, "batches");
	const json_t *samples = json_object_get(side, "samples");
	double end = 0;
	size_t b;

	fprintf(p->to, "$%s << END\n", sides[k]);
	for (b = 0; b < json_array_size(batches); b++) {
		const json_t *held = json_array_get(samples, b);

		end = json_number_value(json_object_get(json_array_get(batches, b),
							"time_ns")) / 1e9;
		fprintf(p->to, "%.9g %.9g %.9g\n", end, mib(held, "bytes"),
			mib(held, "bytes_needed"));
		if (mib(held, "bytes") > *top)
			*top = mib(held, "bytes");
	}
	fprintf(p->to, "END\n$%s_shrunk << END\n%.9g %.9g\nEND\n", sides[k], end * 1.02,
		mib(json_object_get(side, "shrunk"), "bytes"));
}

void plot_replay(struct plot *p, const json_t *replay)
{
	static const struct {
		const char *data, *style, *title;
		unsigned int column;
	} curves[] = {
		{ "", "with steps lw 2", "held", 2 },
		{ "", "with steps lw 1.5 dt 2", "needed", 3 },
		{ "_shrunk", "with points pt 7 ps 1.6", "after a shrink", 2 },
	};
	double top = 0;
	unsigned int k;
	bool first = true;
	size_t c;

	for (k = 0; k < ARRAY_SIZE(sides); k++)
		if (side_of(replay, k))
			put_side(p, replay, k, &top);
	/* Room for the key above the curves */
	fprintf(p->to, "set xlabel 'recorded time, s'\nset ylabel 'MiB'\n"
		"set key top left reverse Left samplen 3 spacing 1.2\n"
		"set xrange [0:*]\nset yrange [0:%.9g]\nplot ", top > 0 ? 1.45 * top : 1);
	for (c = 0; c < ARRAY_SIZE(curves); c++) {
		for (k = ARRAY_SIZE(sides); k--; ) {
			if (!side_of(replay, k))
				continue;
			fprintf(p->to, "%s $%s%s using 1:%u %s lc rgb '%s' title '%s %s'",
				first ? "" : ",", sides[k], curves[c].data, curves[c].column,
				curves[c].style, side_colours[k], side_titles[k],
				curves[c].title);
			first = false;
		}
	}
	putc('\n', p->to);
}
