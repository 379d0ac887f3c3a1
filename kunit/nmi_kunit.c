// SPDX-License-Identifier: GPL-2.0
/*
 * NMIs in earnest, sent from one CPU to another: they come where interrupts are
 * off, so in the middle of slow paths, which hold the claim and raw locks.
 */
#include <kunit/test.h>
#include <linux/atomic.h>
#include <linux/cpumask.h>
#include <linux/hardirq.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/ptrace.h>
#include <linux/slab.h>
#include <linux/smp.h>

#include <asm/apic.h>
#include <asm/nmi.h>

#include "depot.h"
#include "park.h"
#include "slab.h"
#include "util.h"

/* What is done in the next NMI; NULL once it is done. */
static void (*nmi_fn)(void *arg, bool irqs_off);
static void *nmi_arg;

static int nmi_handler(unsigned int type, struct pt_regs *regs)
{
	/* Pairs with the release in nmi_send(): the argument is there. */
	if (!smp_load_acquire(&nmi_fn))
		return NMI_DONE;
	nmi_fn(nmi_arg, !(regs->flags & X86_EFLAGS_IF));
	/* Pairs with the acquire in nmi_send(): what was done is seen. */
	smp_store_release(&nmi_fn, NULL);
	return NMI_HANDLED;
}

static void nmi_action(void *unused)
{
	unregister_nmi_handler(NMI_LOCAL, "kmag_kunit");
}

/* Another CPU, that NMIs can be sent to from now on until the test ends. */
static unsigned int nmi_target(struct kunit *test)
{
	unsigned int cpu = cpumask_any_but(cpu_online_mask,
					   raw_smp_processor_id());

	if (cpu >= nr_cpu_ids)
		kunit_skip(test, "needs two CPUs");
	KUNIT_ASSERT_EQ(test, register_nmi_handler(NMI_LOCAL, nmi_handler, 0,
						   "kmag_kunit"), 0);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, nmi_action, NULL),
			0);
	return cpu;
}

/* Have @cpu call @fn in an NMI, and wait for it; false if it never comes. */
static bool nmi_send(unsigned int cpu, void (*fn)(void *arg, bool irqs_off),
		     void *arg)
{
	ktime_t until = ktime_add_ms(ktime_get(), 2000);

	nmi_arg = arg;
	/* Pairs with the acquire in the handler. */
	smp_store_release(&nmi_fn, fn);
	__apic_send_IPI_mask(cpumask_of(cpu), NMI_VECTOR);
	/* Pairs with the release in the handler. */
	while (smp_load_acquire(&nmi_fn)) {
		if (ktime_after(ktime_get(), until))
			return false;
		cpu_relax();
	}
	return true;
}

/* A CPU that is held up in a slow path, and the NMI that finds it there. */
struct held {
	struct kmag_cache *cache;
	struct kmag_cpu *cpu;
	struct kmag_node *node;
	void **objs;
	unsigned int nr;	/* of them, live */
	bool frees;
	bool full;		/* the depot has a full magazine */
	void *got;		/* by the slow path */
	void *spare;		/* freed by the NMI */
	/* Seen in the NMI: */
	bool in_nmi, irqs_off, busy, moved;
	void *had[3];
	int bulk;
};

static void amid(void *arg, bool irqs_off)
{
	struct held *h = arg;
	struct kmag_pcp *pcp = &h->cpu->fast, was = *pcp;
	void *two[2];

	h->in_nmi = in_nmi();
	h->irqs_off = irqs_off;
	h->busy = pcp->busy;
	h->had[0] = kmag_cache_alloc(h->cache, GFP_ATOMIC);
	h->had[1] = kmag_cache_zalloc(h->cache, GFP_ATOMIC);
	h->had[2] = kmag_cache_alloc(h->cache, GFP_ATOMIC | __GFP_THISNODE);
	h->bulk = kmag_cache_alloc_bulk(h->cache, GFP_ATOMIC, 2, two);
	kmag_cache_free(h->cache, h->spare);
	h->moved = memcmp(&was, pcp, sizeof(was));
}

/* On its CPU: @live objects with the owner, and both magazines full or empty. */
static int held_prepare(void *arg)
{
	struct held *h = arg;
	unsigned int m = h->cache->capacity;

	h->node = kmag_test_node(h->cache);
	h->cpu = kmag_test_cpu(h->cache);
	h->nr = kmag_cache_alloc_bulk(h->cache, GFP_KERNEL, 4 * m, h->objs);
	if (h->frees) {
		kmag_test_free(h->cache, h->objs + 2 * m, 2 * m);
		h->nr -= 2 * m;
	}
	if (h->full) {
		/* Two magazines and one for the depot; two are taken again. */
		kmag_test_free(h->cache, h->objs + m, 3 * m);
		h->nr = m + kmag_cache_alloc_bulk(h->cache, GFP_KERNEL, 2 * m,
						  h->objs + m);
	}
	/* So that slabs have what a refill takes. */
	kmag_slab_grow(h->cache, GFP_KERNEL, kmag_this_node(), 2 * m);
	return h->cpu->fast.rounds + h->cpu->fast.prev_rounds;
}

static int held_work(void *arg)
{
	struct held *h = arg;

	if (h->frees)
		kmag_cache_free(h->cache, h->objs[--h->nr]);
	else
		h->got = kmag_cache_alloc(h->cache, GFP_KERNEL);
	while (!kthread_should_stop())
		schedule_timeout_uninterruptible(1);
	return 0;
}

/* Which lock holds up which operation. */
static const struct holdup {
	const char *desc;
	bool frees;
	bool at_slab;
} holdups[] = {
	{ "an allocation at the depot", false, false },
	{ "an allocation at the slabs", false, true },
	{ "a free at the depot", true, false },
	{ "a free at the slabs", true, true },
};

KUNIT_ARRAY_PARAM_DESC(holdups, holdups, desc);

static void amid_a_slow_path(struct kunit *test)
{
	const struct holdup *p = test->param_value;
	struct held *h = kunit_kzalloc(test, sizeof(*h), GFP_KERNEL);
	unsigned int cpu = nmi_target(test), m;
	struct task_struct *task;
	raw_spinlock_t *lock;
	unsigned long flags;
	ktime_t until;
	bool sent;

	KUNIT_ASSERT_NOT_NULL(test, h);
	h->cache = kmag_test_cache(test, 64, 0, 0, NULL);
	m = h->cache->capacity;
	h->objs = kmag_test_array(test, 4 * m);
	h->frees = p->frees;
	h->full = !p->frees && !p->at_slab;
	KUNIT_ASSERT_EQ(test, smp_call_on_cpu(cpu, held_prepare, h, false),
			p->frees ? 2 * m : 0);
	KUNIT_ASSERT_EQ(test, h->nr, p->frees ? 2 * m : h->full ? 3 * m : 4 * m);
	if (p->frees && p->at_slab)
		kmag_depot_purge(&h->node->depot, 0);
	h->spare = h->objs[--h->nr];
	task = kthread_create(held_work, h, "kmag_kunit/%u", cpu);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task);
	set_cpus_allowed_ptr(task, cpumask_of(cpu));

	lock = p->at_slab ? &h->node->lock : &h->node->depot.lock;
	until = ktime_add_ms(ktime_get(), 2000);
	raw_spin_lock_irqsave(lock, flags);
	wake_up_process(task);
	while (!(raw_spin_is_contended(lock) && READ_ONCE(h->cpu->fast.busy)) &&
	       ktime_before(ktime_get(), until))
		cpu_relax();
	sent = nmi_send(cpu, amid, h);
	raw_spin_unlock_irqrestore(lock, flags);
	kthread_stop(task);
	kmag_park_flush();

	KUNIT_ASSERT_TRUE(test, sent);
	KUNIT_EXPECT_TRUE(test, h->in_nmi);
	KUNIT_EXPECT_TRUE(test, h->irqs_off);
	KUNIT_EXPECT_TRUE(test, h->busy);
	/* Nothing to be had, nothing touched: the free waits for its time. */
	KUNIT_EXPECT_NULL(test, h->had[0]);
	KUNIT_EXPECT_NULL(test, h->had[1]);
	KUNIT_EXPECT_NULL(test, h->had[2]);
	KUNIT_EXPECT_EQ(test, h->bulk, 0);
	KUNIT_EXPECT_FALSE(test, h->moved);
	KUNIT_EXPECT_EQ(test, kmag_test_stat(h->cache, KMAG_ALLOC_FAIL), 4);
	KUNIT_EXPECT_EQ(test, kmag_test_stat(h->cache, KMAG_PARKED), 1);
	KUNIT_EXPECT_EQ(test, kmag_test_stat(h->cache, KMAG_DEPOT_CONTENDED),
			p->at_slab ? 0 : 1);
	if (!p->frees) {
		KUNIT_ASSERT_NOT_NULL(test, h->got);
		h->objs[h->nr++] = h->got;
	}
	kmag_test_exact(test, h->cache, h->nr);
	kmag_test_free(h->cache, h->objs, h->nr);
}

/* Every object says who owns it. */
struct owned {
	unsigned long owner;	/* constructed as 0 */
};

#define TASK_HELD	64
#define NMI_HELD	8

struct storm {
	struct kmag_cache *cache;
	struct kmag_cpu *cpu;
	struct owned *held[TASK_HELD];
	struct owned *nmi_held[NMI_HELD];
	unsigned int nmi_have;
	unsigned long ops;
	unsigned long nmis, amid;	/* of them, amid slow paths */
	unsigned long had;
	atomic_long_t wrong;
	struct rnd_state rnd, nmi_rnd;
};

static void make_free(void *obj)
{
	((struct owned *)obj)->owner = 0;
}

static void change_owner(struct storm *s, struct owned *o, unsigned long from,
			 unsigned long to)
{
	if (cmpxchg(&o->owner, from, to) != from)
		atomic_long_inc(&s->wrong);
}

static void storm_nmi(void *arg, bool irqs_off)
{
	struct storm *s = arg;
	struct owned *o;

	s->nmis++;
	if (irqs_off && s->cpu->fast.busy)
		s->amid++;
	if (prandom_u32_state(&s->nmi_rnd) & 1 && s->nmi_have < NMI_HELD) {
		o = kmag_cache_alloc(s->cache, GFP_ATOMIC);
		if (!o)
			return;
		s->had++;
		change_owner(s, o, 0, 2);
		s->nmi_held[s->nmi_have++] = o;
	} else if (s->nmi_have) {
		o = s->nmi_held[--s->nmi_have];
		change_owner(s, o, 2, 0);
		kmag_cache_free(s->cache, o);
	}
}

static int storm_work(void *arg)
{
	struct storm *s = arg;
	unsigned int have = 0;

	while (!kthread_should_stop()) {
		unsigned int want = prandom_u32_state(&s->rnd) % TASK_HELD;

		for (; have < want; have++) {
			s->held[have] = kmag_cache_alloc(s->cache, GFP_KERNEL);
			if (!s->held[have])
				break;
			change_owner(s, s->held[have], 0, 1);
			s->ops++;
		}
		while (have > want) {
			change_owner(s, s->held[--have], 1, 0);
			kmag_cache_free(s->cache, s->held[have]);
			s->ops++;
		}
		cond_resched();
	}
	while (have--) {
		change_owner(s, s->held[have], 1, 0);
		kmag_cache_free(s->cache, s->held[have]);
	}
	return 0;
}

static void storm(struct kunit *test)
{
	struct storm *s = kunit_kzalloc(test, sizeof(*s), GFP_KERNEL);
	unsigned int cpu = nmi_target(test);
	unsigned long until = jiffies + HZ / 2;
	struct task_struct *task;
	bool sent = true;

	KUNIT_ASSERT_NOT_NULL(test, s);
	/* A page each, so that magazines are small and slow paths many. */
	s->cache = kmag_test_cache(test, sizeof(struct owned), PAGE_SIZE, 0,
				   make_free);
	s->cpu = per_cpu_ptr(s->cache->cpu, cpu);
	kunit_info(test, "seed %#lx and up\n", KMAG_TEST_SEED);
	prandom_seed_state(&s->rnd, KMAG_TEST_SEED);
	prandom_seed_state(&s->nmi_rnd, KMAG_TEST_SEED + 1);
	task = kthread_run_on_cpu(storm_work, s, cpu, "kmag_kunit/%u");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task);
	/* On a slow machine, longer: without hits it proves nothing. */
	while (sent && (time_before(jiffies, until) ||
			(s->amid < 20 && time_before(jiffies, until + 20 * HZ)))) {
		sent = nmi_send(cpu, storm_nmi, s);
		cond_resched();
	}
	kthread_stop(task);
	kmag_park_flush();
	KUNIT_ASSERT_TRUE(test, sent);
	while (s->nmi_have) {
		change_owner(s, s->nmi_held[--s->nmi_have], 2, 0);
		kmag_cache_free(s->cache, s->nmi_held[s->nmi_have]);
	}
	kunit_info(test, "%lu operations, %lu NMIs, %lu of them amid slow paths, %lu objects had, %lu parked\n",
		   s->ops, s->nmis, s->amid, s->had,
		   kmag_test_stat(s->cache, KMAG_PARKED));
	KUNIT_EXPECT_GE(test, s->amid, 20);
	KUNIT_EXPECT_GT(test, s->had, 0);
	KUNIT_EXPECT_GT(test, kmag_test_stat(s->cache, KMAG_PARKED), 0);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&s->wrong), 0);
	KUNIT_EXPECT_EQ(test, kmag_test_stat(s->cache, KMAG_FREE_BAD), 0);
	kmag_test_exact(test, s->cache, 0);
}

static struct kunit_case cases[] = {
	KUNIT_CASE_PARAM(amid_a_slow_path, holdups_gen_params),
	KUNIT_CASE(storm),
	{}
};

static struct kunit_suite suite = {
	.name = "kmag_nmi",
	.init = kmag_test_init,
	.test_cases = cases,
};

kunit_test_suite(suite);
