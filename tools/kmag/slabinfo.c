// SPDX-License-Identifier: GPL-2.0
/* /proc/slabinfo: what the kernel tells of its own slab allocator. */
#include <stdio.h>
#include <string.h>

#include "slabinfo.h"
#include "util.h"

int slabinfo_read(const char *prefix,
		  void (*row)(void *arg, const struct slabinfo_row *row), void *arg)
{
	FILE *f = fopen("/proc/slabinfo", "re");
	struct slabinfo_row r;
	char line[512], *tail;
	int ret = -1;

	if (!f) {
		say("cannot read /proc/slabinfo: %m");
		return -1;
	}
	if (!fgets(line, sizeof(line), f) || strncmp(line, "slabinfo - version: 2.", 22)) {
		say("/proc/slabinfo has a form that this kmag does not know");
		goto out;
	}
	while (fgets(line, sizeof(line), f)) {
		if (*line == '#' || strncmp(line, prefix, strlen(prefix)))
			continue;
		tail = strstr(line, ": slabdata ");
		if (!tail ||
		    sscanf(line, "%127s %llu %llu %u %u %u", r.name, &r.active_objs, &r.objs,
			   &r.obj_size, &r.objs_per_slab, &r.pages_per_slab) != 6 ||
		    sscanf(tail, ": slabdata %*u %llu", &r.slabs) != 1) {
			say("/proc/slabinfo has a row that makes no sense: %s", line);
			goto out;
		}
		row(arg, &r);
	}
	ret = ferror(f) ? -1 : 0;
	if (ret)
		say("cannot read /proc/slabinfo: %m");
out:
	fclose(f);
	return ret;
}
