// SPDX-License-Identifier: GPL-2.0
/*
 * When a player takes its steps: all the time in a thread, or a few in each of
 * a timer's interrupts; and when it rests, which all do at the same time.
 */
#include <linux/bug.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/irqflags.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/timekeeping.h>

#include <compat/hrtimer.h>

#include "workload.h"

/* Steps between two looks at the clock. */
#define KMAG_PACE_PIECE		64
/* Steps for which there is nothing to do before a thread goes to sleep. */
#define KMAG_PACE_SPINS		2000
#define KMAG_PACE_NAP_US	20
/* A rest is no longer than this before the thread looks if it shall stop. */
#define KMAG_PACE_REST_NS	(10 * NSEC_PER_MSEC)
/* An interrupt ends after so long, though it has not done all its steps. */
#define KMAG_PACE_IRQ_NS	(500 * NSEC_PER_USEC)
/*
 * What is far longer was not all ours, but a hypervisor's or an NMI's: the last step
 * may go beyond that time, but is limited by its bytes.
 */
#define KMAG_PACE_OURS_NS	(10 * NSEC_PER_MSEC)
/* How often the thread of a timer looks if it shall stop, in jiffies. */
#define KMAG_PACE_LOOK		(HZ / 10)

/* A timer's first turn is taken to be so short, until it has to wait for it. */
#define KMAG_PACE_FIRST_NS	(20 * NSEC_PER_USEC)

/**
 * struct kmag_pace_book - what interrupts of all runs may have of a CPU; in ns
 * @lock: protects the others
 * @took: how long the last turn was
 * @free: for the turns that were taken the CPU's threads have it until then
 * @queue: the last turn that a timer waits for, and what is then due to threads,
 *	are over then; less, where timers gave up
 * @resting: the last run that had a timer rest here; not to be followed
 * @rest_end: when its rest is over
 * @rise: when the next of its timers that rest until then is to go off
 */
struct kmag_pace_book {
	raw_spinlock_t lock;
	u64 took;
	u64 free;
	u64 queue;
	const struct kmag_workload *resting;
	u64 rest_end;
	u64 rise;
};

static DEFINE_PER_CPU(struct kmag_pace_book, kmag_pace_books) = {
	.lock = __RAW_SPIN_LOCK_UNLOCKED(kmag_pace_books.lock),
};

static bool kmag_pace_over(const struct kmag_player *p)
{
	return !p->tries || kmag_workers_stopped(p->load->workers);
}

static void kmag_pace_end(struct kmag_player *p)
{
	/* Pairs with kmag_step_cross(): what was done is done. */
	smp_store_release(&p->over, true);
}

/* For how long all rest now; if they do not, *@work: for how long they work. */
static u64 kmag_pace_rest(const struct kmag_workload *load, u64 now, u64 *work)
{
	u64 at;

	*work = U64_MAX;
	if (!load->off_ns)
		return 0;
	div64_u64_rem(now - load->workers->start, load->on_ns + load->off_ns,
		      &at);
	if (at >= load->on_ns)
		return load->on_ns + load->off_ns - at;
	*work = load->on_ns - at;
	return 0;
}

static u64 kmag_pace_ops(const struct kmag_player *p)
{
	return p->got.allocs + p->got.failed + p->got.frees;
}

/*
 * Up to @max steps, at most until @limit_ns have gone by, if that is not U64_MAX.
 * They end early when there is nothing to do, which is counted.
 */
static void kmag_pace_piece(struct kmag_player *p, unsigned int max,
			    u64 limit_ns)
{
	u64 ops = kmag_pace_ops(p), start = ktime_get_ns(), ns;
	bool sleeps = p->load->mode == KMAG_RUN_THREAD;

	while (max-- && !kmag_pace_over(p)) {
		if (!kmag_pattern_step(p)) {
			p->idle++;
			break;
		}
		p->idle = 0;
		/* Filling and checking may take long, objects being large. */
		if (sleeps && p->load->check)
			cond_resched();
		if (limit_ns != U64_MAX && ktime_get_ns() - start > limit_ns)
			break;
	}

	ops = kmag_pace_ops(p) - ops;
	if (!ops)
		return;
	ns = ktime_get_ns() - start;
	p->got.busy_ns += ns;
	ns = div64_u64(ns * 1000, ops);
	if (!p->got.min_ps || ns < p->got.min_ps)
		p->got.min_ps = ns;
}

static void kmag_pace_thread(struct kmag_player *p)
{
	u64 rest, work;

	while (!kmag_pace_over(p)) {
		cond_resched();
		rest = kmag_pace_rest(p->load, ktime_get_ns(), &work);
		if (rest) {
			rest = min(rest, KMAG_PACE_REST_NS);
			rest = div_u64(rest, NSEC_PER_USEC) + 1;
			usleep_range(rest, rest + KMAG_PACE_NAP_US);
			continue;
		}
		kmag_pace_piece(p, KMAG_PACE_PIECE, work);
		if (p->idle > KMAG_PACE_SPINS)
			usleep_range(KMAG_PACE_NAP_US, 2 * KMAG_PACE_NAP_US);
		else if (p->idle)
			cpu_relax();
	}
	kmag_pace_end(p);
}

/*
 * Many and slow as a CPU's timers may be, its threads get the larger part: behind a
 * turn, twice as long as it took is theirs. A timer that goes off before that, or
 * while others wait, waits for a turn behind theirs, which is taken to be as long
 * as its last one. Who waits for its time, not for the CPU, is in nobody's way.
 */
static u64 kmag_pace_took(const struct kmag_player *p)
{
	return min_t(u64, p->took_ns, KMAG_PACE_OURS_NS);
}

/* This CPU's book, as long as it is open. */
static struct kmag_pace_book *kmag_pace_open(unsigned long *flags)
	__acquires(BOOK)
{
	struct kmag_pace_book *book;

	local_irq_save(*flags);
	book = this_cpu_ptr(&kmag_pace_books);
	raw_spin_lock(&book->lock);
	return book;
}

static void kmag_pace_close(struct kmag_pace_book *book, unsigned long flags)
	__releases(BOOK)
{
	raw_spin_unlock_irqrestore(&book->lock, flags);
}

/*
 * When @p's timer goes off next: in @wait_ns, or later, when it has its turn.
 *
 * A thread does this for its timer's first turn while others' go off, on another
 * CPU if its own has gone offline.
 */
static ktime_t kmag_pace_next(struct kmag_player *p, u64 wait_ns)
{
	u64 now, at, turn, ns = kmag_pace_took(p);
	struct kmag_pace_book *book;
	unsigned long flags;

	book = kmag_pace_open(&flags);
	now = ktime_get_ns();
	at = now + wait_ns;
	turn = max3(book->queue, book->free, now + 2 * ns);
	p->booked_ns = 0;
	if (at < turn) {
		at = turn;
		p->booked_ns = 3 * ns;
		p->book = book;
		book->queue = turn + 3 * ns;
	}
	kmag_pace_close(book, flags);
	return ns_to_ktime(at);
}

/*
 * When @p's timer goes off, which rests until @end: those of a run that rest until
 * the same moment rise one after the other, so that not all are due at once.
 */
static ktime_t kmag_pace_rise(struct kmag_player *p, u64 end)
{
	struct kmag_pace_book *book;
	unsigned long flags;
	u64 at;

	book = kmag_pace_open(&flags);
	p->booked_ns = 0;
	if (book->resting != p->load || book->rest_end != end) {
		book->resting = p->load;
		book->rest_end = end;
		book->rise = end;
	}
	at = book->rise;
	book->rise += 3 * kmag_pace_took(p);
	kmag_pace_close(book, flags);
	return ns_to_ktime(at);
}

/*
 * Is it @p's turn? If it had one, that may begin a little early, as turns are not
 * all as long as they were. If it has to wait again, they are longer.
 */
static bool kmag_pace_turn(struct kmag_player *p, u64 now)
{
	struct kmag_pace_book *book;
	unsigned long flags;
	bool turn;

	book = kmag_pace_open(&flags);
	turn = (p->booked_ns || book->queue <= now) &&
		now + kmag_pace_took(p) >= book->free;
	if (!turn)
		p->took_ns = max(p->took_ns,
				 min_t(u64, book->took, KMAG_PACE_IRQ_NS));
	kmag_pace_close(book, flags);
	return turn;
}

/* @p has had its turn, from @now on. */
static void kmag_pace_had(struct kmag_player *p, u64 now)
{
	struct kmag_pace_book *book;
	unsigned long flags;

	p->took_ns = ktime_get_ns() - now;
	book = kmag_pace_open(&flags);
	book->took = p->took_ns;
	book->free = max(book->free, now) + 3 * kmag_pace_took(p);
	kmag_pace_close(book, flags);
}

/* @p waits for no turn any more; its timer does not go off. */
static void kmag_pace_give_up(struct kmag_player *p)
{
	unsigned long flags;

	if (!p->booked_ns)
		return;
	raw_spin_lock_irqsave(&p->book->lock, flags);
	p->book->queue -= p->booked_ns;
	raw_spin_unlock_irqrestore(&p->book->lock, flags);
}

static enum hrtimer_restart kmag_pace_tick(struct hrtimer *timer)
{
	struct kmag_player *p = container_of(timer, struct kmag_player, timer);
	const struct kmag_workload *load = p->load;
	u64 now = ktime_get_ns(), rest, work;

	/* What was promised is what is tried. */
	WARN_ON_ONCE(load->mode == KMAG_RUN_HARDIRQ ? !in_hardirq() :
						      !in_serving_softirq());
	if (kmag_pace_over(p) || now - load->workers->start > load->limit_ns) {
		complete(&p->done);
		return HRTIMER_NORESTART;
	}
	rest = kmag_pace_rest(load, now, &work);
	if (rest) {
		hrtimer_set_expires(timer, kmag_pace_rise(p, now + rest));
	} else if (!kmag_pace_turn(p, now)) {
		hrtimer_set_expires(timer, kmag_pace_next(p, 0));
	} else {
		kmag_pace_piece(p, load->steps,
				min_t(u64, work, KMAG_PACE_IRQ_NS));
		kmag_pace_had(p, now);
		hrtimer_set_expires(timer, kmag_pace_next(p, load->period_ns));
	}
	return HRTIMER_RESTART;
}

static void kmag_pace_interrupts(struct kmag_player *p)
{
	enum hrtimer_mode mode = p->load->mode == KMAG_RUN_HARDIRQ ?
		HRTIMER_MODE_ABS_PINNED : HRTIMER_MODE_ABS_PINNED_SOFT;

	init_completion(&p->done);
	hrtimer_setup(&p->timer, kmag_pace_tick, CLOCK_MONOTONIC, mode);
	p->took_ns = KMAG_PACE_FIRST_NS;
	hrtimer_start(&p->timer, kmag_pace_next(p, p->load->period_ns), mode);
	/*
	 * Its next turn may be seconds away. A kernel thread gets no signals, and
	 * is not taken for hung so.
	 */
	while (!wait_for_completion_interruptible_timeout(&p->done,
							  KMAG_PACE_LOOK) &&
	       !kmag_workers_stopped(p->load->workers))
		;
	hrtimer_cancel(&p->timer);
	kmag_pace_give_up(p);
	kmag_pace_end(p);
}

/**
 * kmag_pace - a worker of a workload
 * @workers: all of them
 * @data: the player
 */
void kmag_pace(struct kmag_workers *workers, void *data)
{
	struct kmag_player *p = data;

	if (p->load->mode == KMAG_RUN_THREAD)
		kmag_pace_thread(p);
	else
		kmag_pace_interrupts(p);
}
