// SPDX-License-Identifier: GPL-2.0
/*
 * A call is made, spoiled in one way or another or not at all, done, and then
 * compared with what it had to do.
 */
#include <limits.h>
#include <stddef.h>

#include "call.h"

static const int errors[NR_ERRORS] = {
	0, ENOTTY, EINVAL, E2BIG, EOPNOTSUPP, ENOENT, EBUSY, EFAULT, ENOMEM
};

#define MASK_ANY	(MASK(GOOD) | MASK(INVAL) | MASK(TOOBIG) | \
			 MASK(NOTSUPP) | MASK(FAULT))
#define MASK_MEM	(MASK_ANY | MASK(NOMEM))
#define MASK_ID		(MASK_MEM | MASK(NOENT))

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define AT(type, field)	offsetof(struct kmag_ioc_##type, field)

/* A pointer in a structure, and whether the call writes there. */
struct place {
	unsigned int at;
	bool out;
};

static const struct {
	const char *name;
	unsigned int cmd;
	unsigned int size;
	unsigned int weight;
	unsigned int errors;		/* that it may end with, and GOOD */
	struct place pointers[3];
} cmds[FUZZ_CMDS] = {
	{ "INFO", KMAG_IOC_INFO, sizeof(struct kmag_ioc_info), 40, MASK_ANY },
	{ "CREATE", KMAG_IOC_CREATE, sizeof(struct kmag_ioc_create), 6,
	  MASK_MEM },
	{ "DESTROY", KMAG_IOC_DESTROY, sizeof(struct kmag_ioc_destroy), 6,
	  MASK_ID | MASK(BUSY) },
	{ "ALLOC", KMAG_IOC_ALLOC, sizeof(struct kmag_ioc_alloc), 300, MASK_ID,
	  { { AT(alloc, objs), true } } },
	{ "FREE", KMAG_IOC_FREE, sizeof(struct kmag_ioc_free), 330, MASK_ID,
	  { { AT(free, objs), false } } },
	{ "REPLAY", KMAG_IOC_REPLAY, sizeof(struct kmag_ioc_replay), 15, MASK_ID,
	  { { AT(replay, recs), false } } },
	{ "SHRINK", KMAG_IOC_SHRINK, sizeof(struct kmag_ioc_cache), 4, MASK_ID },
	{ "VALIDATE", KMAG_IOC_VALIDATE, sizeof(struct kmag_ioc_cache), 15,
	  MASK_ID },
	{ "SNAPSHOT", KMAG_IOC_SNAPSHOT, sizeof(struct kmag_ioc_snapshot), 4,
	  MASK_MEM, { { AT(snapshot, buf), true } } },
	{ "RUN", KMAG_IOC_RUN, sizeof(struct kmag_ioc_run), 4, MASK_ID,
	  { { AT(run, caches), false }, { AT(run, cpus), false },
	    { AT(run, results), true } } },
	{ "PROGRESS", KMAG_IOC_PROGRESS, sizeof(struct kmag_ioc_progress), 40,
	  MASK_ANY },
	{ "none", 0, sizeof(union fuzz_arg), 80, MASK(NOTTY) },
};

/* How a call differs from one that is in order. */
enum kind {
	VALID,
	LONGER,			/* a tail of zeroes: in order as well */
	TAIL,			/* a tail that is not */
	SHORTER,
	WORD,			/* one word of the structure */
	BEHIND,			/* one word of what it points to */
	RUBBISH,		/* half of the words, or all */
	NOWHERE,		/* the structure is where there is nothing */
	HALF,			/* its end is */
	READ_ONLY,		/* results cannot be written: nothing is done */
	NR_KINDS
};

static const char * const kinds[NR_KINDS] = {
	"valid", "longer", "tail", "shorter", "word", "behind", "rubbish",
	"nowhere", "half", "read-only",
};

const char *fuzz_name(unsigned int n)
{
	return cmds[n].name;
}

bool fuzz_exists(unsigned int n)
{
	return cmds[n].cmd;
}

static __u32 odd_number(__u64 *rnd)
{
	static const __u32 odd[] = {
		0, 1, 2, 3, 7, 8, 9, 63, 64, 65, 128, 4095, 4096, 4097, 8192,
		16384, 16385, 65535, 65536, 262144, 262145, 1U << 20,
		(1U << 20) + 1, 1U << 22, (1U << 22) + 1, INT_MAX, INT_MIN,
		UINT_MAX, UINT_MAX - 1,
	};

	switch (fuzz_below(rnd, 4)) {
	case 0:
		return fuzz_chance(rnd);
	case 1:
		return 1U << fuzz_below(rnd, 32);
	default:
		return odd[fuzz_below(rnd, ARRAY_SIZE(odd))];
	}
}

/* An address where nothing can be read; or, if @out, nothing be written. */
static __u64 bad_address(struct fuzzer *f, bool out)
{
	const __u64 bad[] = {
		0, 1, (uintptr_t)f->area + 2 * f->page, 1ULL << 47, 1ULL << 63,
		-4096ULL, -1ULL, (uintptr_t)f->read_only,
	};

	return bad[fuzz_below(&f->rnd, ARRAY_SIZE(bad) - !out)];
}

/* Another value for a word; or, where that is half a pointer, for all of it. */
static void spoil_word(struct fuzzer *f, unsigned int n, union fuzz_arg *arg,
		       unsigned int word)
{
	const struct place *p = cmds[n].pointers;
	unsigned int i;
	__u64 bad;

	for (i = 0; i < ARRAY_SIZE(cmds[n].pointers) && p[i].at; i++) {
		if (p[i].at / 8 != word / 2)
			continue;
		bad = bad_address(f, p[i].out);
		memcpy((char *)arg + p[i].at, &bad, sizeof(bad));
		return;
	}
	arg->words[word] = odd_number(&f->rnd);
}

static void spoil_behind(struct fuzzer *f, unsigned int n, union fuzz_arg *arg)
{
	__u32 *words;
	__u32 nr;

	switch (cmds[n].cmd) {
	case KMAG_IOC_FREE:
		words = f->mem->ids;
		nr = arg->free.count;
		break;
	case KMAG_IOC_REPLAY:
		words = (__u32 *)f->mem->recs;
		nr = arg->replay.count * sizeof(*f->mem->recs) / sizeof(__u32);
		break;
	case KMAG_IOC_RUN:
		words = fuzz_below(&f->rnd, 2) ? f->mem->caches :
						 (__u32 *)f->mem->cpus;
		nr = 2;
		break;
	default:
		return;
	}
	if (nr)
		words[fuzz_below(&f->rnd, nr)] = odd_number(&f->rnd);
}

/* What could take minutes, or all of the memory, is made smaller. */
static void keep_small(struct fuzz_model *m, unsigned int n,
		       const struct kmag_ioc_info *info, union fuzz_arg *arg)
{
	struct kmag_ioc_run *run = &arg->run;
	struct fuzz_cache *c;

	switch (cmds[n].cmd) {
	case KMAG_IOC_CREATE:
		if (!m->shared)
			return;
		if (arg->create.object_size <= info->max_object_size)
			arg->create.object_size %= FUZZ_SHARED_SIZE + 1;
		if (arg->create.align <= 4096)
			arg->create.align %= 65;
		return;
	case KMAG_IOC_ALLOC:
		c = fuzz_find(m, arg->alloc.id);
		if (c && !m->shared && arg->alloc.count <= info->max_batch &&
		    arg->alloc.count > fuzz_room(m, c))
			arg->alloc.count = fuzz_room(m, c);
		return;
	case KMAG_IOC_REPLAY:
		if (arg->replay.nr_slots <= info->max_objects)
			arg->replay.nr_slots %= 65536;
		return;
	case KMAG_IOC_RUN:
		if ((!run->count || run->count > 1000) &&
		    (run->duration_ms > 20 || (run->count && !run->duration_ms)))
			run->duration_ms = 20;
		if (run->threads <= info->max_run_threads)
			run->threads %= 64;
		return;
	}
}

/* Another one than is in order. Words behind the structure are zero. */
static void spoil(struct fuzzer *f, unsigned int n, enum kind how,
		  union fuzz_arg *arg)
{
	unsigned int nr = cmds[n].size / 4, i;
	bool all;

	switch (how) {
	case LONGER:
	case TAIL:
		arg->size += 1 + fuzz_below(&f->rnd, 256);
		break;
	case SHORTER:
		arg->size = fuzz_below(&f->rnd, arg->size);
		break;
	case WORD:
		spoil_word(f, n, arg, fuzz_below(&f->rnd, nr));
		break;
	case BEHIND:
		spoil_behind(f, n, arg);
		break;
	case RUBBISH:
		all = fuzz_one_in(&f->rnd, 4);
		for (i = 1; i < nr; i++)
			if (all || fuzz_below(&f->rnd, 2))
				spoil_word(f, n, arg, i);
		break;
	default:
		break;
	}
}

/* Where the structure lies for the call. */
static char *put(struct fuzzer *f, enum kind how, const union fuzz_arg *arg)
{
	size_t size = sizeof(*arg);
	char *at = f->area + 8 * fuzz_below(&f->rnd, 256);

	if (how == NOWHERE)
		return (char *)(uintptr_t)bad_address(f, false);
	if (how == HALF) {
		/* Of a structure its first words, at most all but one. */
		size = 4 + fuzz_below(&f->rnd, 8);
		at = f->area + 2 * f->page - size;
	} else if (fuzz_one_in(&f->rnd, 8)) {
		at++;
	}
	memcpy(at, arg, size);
	if (how != HALF && arg->size > size && arg->size <= f->page)
		memset(at + size, 0, arg->size - size);
	if (how == TAIL && arg->size <= f->page)
		at[arg->size - 1] = 1;
	return how == READ_ONLY ? f->read_only + (at - f->area) : at;
}

static void wrong(struct fuzzer *f, const char *why)
{
	if (!f->wrong[0])
		snprintf(f->wrong, sizeof(f->wrong), "%s", why);
}

/* Did a replay that was refused come as far as that? */
static bool was_reset(const union fuzz_arg *saw, int ret)
{
	return saw->size >= AT(replay, allocs) && ret != -E2BIG &&
	       saw->flags & KMAG_REPLAY_RESET &&
	       !(saw->flags & ~(KMAG_REPLAY_RESET | KMAG_REPLAY_CHECK));
}

/*
 * What a call did to a file that we know, by what the kernel saw of it, and
 * what it told: all of that, if the structure was not too short.
 */
static void account(struct fuzzer *f, struct fuzz_model *m, unsigned int cmd,
		    const union fuzz_arg *saw, const union fuzz_arg *told,
		    int ret)
{
	struct fuzz_cache *c = fuzz_find(m, saw->alloc.id);
	__u32 nr;

	switch (cmd) {
	case KMAG_IOC_CREATE:
		if (ret)
			return;
		c = &m->caches[m->nr++];
		c->id = told->create.id;
		c->kmag_id = told->create.kmag_id;
		c->size = saw->create.object_size;
		if (c->size < saw->create.align)
			c->size = saw->create.align;
		c->flags = saw->create.cache_flags;
		c->backend = saw->create.backend;
		c->nr = 0;
		return;
	case KMAG_IOC_DESTROY:
		if (!ret)
			fuzz_destroyed(m, saw->destroy.id);
		return;
	case KMAG_IOC_ALLOC:
		if (ret)
			return;
		if (!c)
			return wrong(f, "allocated from no cache");
		fuzz_allocated(c, f->mem->ids, saw->alloc.count);
		if (saw->size >= sizeof(saw->alloc) &&
		    told->alloc.done != saw->alloc.count)
			wrong(f, "done is not count");
		return;
	case KMAG_IOC_FREE:
		if (!c || (ret && ret != -ENOENT))
			return;
		nr = fuzz_freed(c, f->mem->ids, saw->free.count);
		if (ret ? nr == saw->free.count : nr < saw->free.count)
			wrong(f, "freed what was not there, or not what was");
		if (saw->size >= sizeof(saw->free) &&
		    told->free.done != nr)
			wrong(f, "freed another number");
		return;
	case KMAG_IOC_REPLAY:
		if (ret) {
			if (was_reset(saw, ret))
				fuzz_replayed(m, saw->flags, NULL, 0);
			return;
		}
		nr = fuzz_replayed(m, saw->flags, f->mem->recs,
				   saw->replay.count);
		if (saw->size < sizeof(saw->replay))
			return;
		m->lost |= told->replay.failed;
		if (!m->lost && (told->replay.live != nr ||
				 told->replay.allocs + told->replay.frees !=
				 saw->replay.count))
			wrong(f, "replayed something else");
		return;
	case KMAG_IOC_VALIDATE:
		if (!ret && saw->size >= sizeof(saw->cache) &&
		    told->cache.result)
			wrong(f, "a cache is not in order");
		return;
	case KMAG_IOC_RUN:
		if (!ret && saw->size >= sizeof(saw->run) &&
		    told->run.total.allocs != told->run.total.frees +
					      told->run.total.left)
			wrong(f, "a run lost objects");
		return;
	}
}

static void mix(struct fuzzer *f, const void *data, size_t len)
{
	const unsigned char *byte = data;

	while (len--)
		f->digest = (f->digest ^ *byte++) * 0x100000001b3ULL;
}

/* A command that there is not. */
static unsigned int no_command(__u64 *rnd)
{
	static const __u8 types[] = { 0xBB, 0xBD, 0xA5, 0 };
	unsigned int nr = fuzz_below(rnd, 256);

	switch (fuzz_below(rnd, 3)) {
	case 0:
		return _IO(KMAG_IOC_TYPE, 11 + fuzz_below(rnd, 245));
	case 1:
		return _IOC(1 + fuzz_below(rnd, 3), KMAG_IOC_TYPE, nr,
			    fuzz_below(rnd, 1 << 14));
	default:
		return _IO(types[fuzz_below(rnd, 3)], nr);
	}
}

/* What an error is called, or NR_ERRORS if no call may end so. */
static unsigned int error_of(int ret)
{
	unsigned int i;

	for (i = 0; i < NR_ERRORS && errors[i] != -ret; i++)
		;
	return i;
}

/* Is it one that changes nothing, so that it may fail in the middle? */
static bool only_tells(unsigned int cmd)
{
	return cmd == KMAG_IOC_INFO || cmd == KMAG_IOC_PROGRESS ||
	       cmd == KMAG_IOC_SNAPSHOT || cmd == KMAG_IOC_VALIDATE ||
	       cmd == KMAG_IOC_SHRINK || cmd == KMAG_IOC_RUN;
}

/* Whatever else is done with the file meanwhile, contents stay what they were. */
static bool corrupt(unsigned int cmd, const union fuzz_arg *saw,
		    const union fuzz_arg *told)
{
	switch (cmd) {
	case KMAG_IOC_FREE:
		return saw->size >= sizeof(saw->free) && told->free.corrupt;
	case KMAG_IOC_REPLAY:
		return saw->size >= sizeof(saw->replay) && told->replay.corrupt;
	case KMAG_IOC_RUN:
		return saw->size >= sizeof(saw->run) && told->run.total.corrupt;
	default:
		return false;
	}
}

static unsigned int pick_command(struct fuzzer *f, const struct fuzz_model *m)
{
	unsigned int total = 0, n;

	for (n = 0; n < FUZZ_CMDS; n++)
		total += cmds[n].weight;
	total = fuzz_below(&f->rnd, total);
	for (n = 0; total >= cmds[n].weight; n++)
		total -= cmds[n].weight;
	/* The model knows so many. */
	if (cmds[n].cmd == KMAG_IOC_CREATE && m->nr == FUZZ_CACHES)
		n++;
	return n;
}

static enum kind pick_kind(struct fuzzer *f)
{
	return fuzz_below(&f->rnd, 3) ? VALID : fuzz_below(&f->rnd, NR_KINDS);
}

void fuzz_call(struct fuzzer *f)
{
	struct fuzz_model *m = &f->models[fuzz_below(&f->rnd, 7) % FUZZ_FILES];
	unsigned int n = pick_command(f, m), cmd = cmds[n].cmd, error;
	enum kind kind = pick_kind(f);
	union fuzz_arg arg, saw, told;
	int want = fuzz_valid(m, &f->rnd, f->mem, cmd, &arg), ret;
	bool known;
	char *at;

	arg.size = cmds[n].size;
	spoil(f, n, kind, &arg);
	keep_small(m, n, f->info, &arg);
	saw = arg;
	if (saw.size < sizeof(saw))
		memset((char *)&saw + saw.size, 0, sizeof(saw) - saw.size);
	if (!cmd)
		cmd = no_command(&f->rnd);
	at = put(f, kind, &arg);
	ret = kmag_call(m->fd, cmd, at);

	error = error_of(ret);
	f->called[n]++;
	f->good[n] += !ret;
	if (error == NR_ERRORS || !(cmds[n].errors & MASK(error)))
		wrong(f, "an error that it cannot end with");
	f->seen |= MASK(error);
	known = !m->shared && !m->lost;
	if (known) {
		mix(f, &cmd, sizeof(cmd));
		mix(f, &arg, sizeof(arg));
		mix(f, &ret, sizeof(ret));
	}
	m->lost |= ret == -ENOMEM && !only_tells(cmd);
	if (kind != NOWHERE && kind != HALF && kind != READ_ONLY)
		memcpy(&told, at, sizeof(told));
	if ((!ret || ret == -ENOENT) && cmds[n].cmd && corrupt(cmd, &saw, &told))
		wrong(f, "an object's contents had changed");
	if (known && !m->lost && ret != -ENOMEM && cmds[n].cmd) {
		if (kind == TAIL)
			want = -E2BIG;
		if (kind == NOWHERE || kind == HALF || kind == READ_ONLY)
			want = -EFAULT;
		if (ret != want && kind != SHORTER && kind != WORD &&
		    kind != BEHIND && kind != RUBBISH)
			wrong(f, "not what had to come of it");
		if (want != -EFAULT)
			account(f, m, cmd, &saw, &told, ret);
	}
	if (f->wrong[0]) {
		size_t len = strlen(f->wrong);

		len += snprintf(f->wrong + len, sizeof(f->wrong) - len,
				": thread %u, %s (%#x) %s on its file %d: %d, not %d;",
				f->number, cmds[n].name, cmd, kinds[kind],
				(int)(m - f->models), ret, want);
		for (n = 0; n < saw.size / 4 && n < ARRAY_SIZE(saw.words); n++)
			len += snprintf(f->wrong + len, sizeof(f->wrong) - len,
					" %x", saw.words[n]);
	}
}
