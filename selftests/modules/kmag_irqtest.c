// SPDX-License-Identifier: GPL-2.0
/*
 * kmag_irqtest - interrupts against the fast path of what they hit.
 *
 * On each CPU a pinned thread allocates and frees at random from one cache,
 * while a timer in hard interrupt context does so every 50 microseconds, one in
 * soft interrupt context, which the first may hit, does too, and another thread
 * shrinks the cache over and over. An object says who owns it: whoever gets one that
 * is owned, or gives back one that is not, has found a doubled object. In the end all
 * are freed and the cache is shrunk: what has not come back to a slab was lost.
 *
 * All of this proves something only if interrupts came in the middle of the
 * fast path. kmag counts that (busy): no collision, no verdict. Loading the
 * module runs the test; results are its parameters, and lines in the log.
 *
 * The fast path is compiled in here. The control, the same source without the
 * claim, must find lost or doubled objects. There a magazine may hand out
 * anything, so objects are looked at with care, are known by a cookie, and
 * each slab has one that is never freed: no page goes while somebody still
 * holds an object of it that was handed out twice. It does not shrink.
 */
#include <linux/atomic.h>
#include <linux/err.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/prandom.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/uaccess.h>
#include <linux/xarray.h>

#include <compat/hrtimer.h>
#include <kmag/kmag.h>
#include <kmag/kmag_inline.h>
#include <uapi/kmag.h>

#ifdef KMAG_CONTROL_NO_CLAIM
#define IT_CONTROL	true
#else
#define IT_CONTROL	false
#endif

#define IT_OBJS	4		/* each interrupt takes, or gives */
#define IT_PERIOD_NS	50000
#define IT_PERIOD_MAX	(10 * NSEC_PER_MSEC)
#define IT_HOLD	200		/* each thread holds at most */
#define IT_POOL	20000		/* objects made for the control */
#define IT_COOKIE	0x6b6d6167

static unsigned int secs = 5;
module_param(secs, uint, 0444);
MODULE_PARM_DESC(secs, "how long");

/* Results. */
static unsigned long collisions, doubled, foreign, lost, shrinks;
static unsigned long ops, irq_ops, softirq_ops;
module_param(collisions, ulong, 0444);
MODULE_PARM_DESC(collisions, "interrupts in the middle of the fast path");
module_param(doubled, ulong, 0444);
MODULE_PARM_DESC(doubled, "objects handed out while owned, or freed while not");
module_param(foreign, ulong, 0444);
MODULE_PARM_DESC(foreign, "addresses handed out that are no object");
module_param(lost, ulong, 0444);
MODULE_PARM_DESC(lost, "objects that never came back");
module_param(ops, ulong, 0444);
MODULE_PARM_DESC(ops, "of threads");
module_param(irq_ops, ulong, 0444);
MODULE_PARM_DESC(irq_ops, "of hard interrupts");
module_param(softirq_ops, ulong, 0444);
MODULE_PARM_DESC(softirq_ops, "of soft interrupts");
module_param(shrinks, ulong, 0444);
MODULE_PARM_DESC(shrinks, "fences that went by meanwhile");

/**
 * struct it_obj - an object that knows whether it is owned
 * @cookie: that it is one
 * @owner: 0, or 1 if owned; constructed as 0, and so it is freed
 * @pad: to the size of something real
 */
struct it_obj {
	u32 cookie;
	atomic_t owner;
	char pad[56];
};

enum { IT_HARD, IT_SOFT, IT_IRQS };

struct it_cpu;

/**
 * struct it_irq - a timer's interrupts on a CPU
 * @timer: the timer
 * @cpu: the CPU
 * @ops: what they did
 * @held: what they hold
 * @seen: what the thread had done at the last one
 * @period: to the next one, in ns
 */
struct it_irq {
	struct hrtimer timer;
	struct it_cpu *cpu;
	unsigned long ops;
	struct it_obj *held[IT_OBJS];
	unsigned long seen;
	u64 period;
};

/**
 * struct it_cpu - what happens on a CPU
 * @task: the thread
 * @ops: of the thread
 * @irq: what comes in between
 */
struct it_cpu {
	struct task_struct *task;
	unsigned long ops;
	struct it_irq irq[IT_IRQS];
};

static struct kmag_cache *cache;
static struct it_cpu __percpu *cpus;
static DEFINE_XARRAY(pins);	/* by the frame number of their slab */
static unsigned int nr_pins;
static bool stop;
static atomic_long_t nr_doubled, nr_foreign;

static void it_ctor(void *p)
{
	struct it_obj *obj = p;

	obj->cookie = IT_COOKIE;
	atomic_set(&obj->owner, 0);
}

/*
 * What the control does to its magazine's count has an end here: a slow path
 * would go over the ends of the array, and might never come back.
 */
static void it_mend(void *unused)
{
	struct kmag_pcp *pcp;
	unsigned long flags;

	if (!IT_CONTROL)
		return;
	local_irq_save(flags);
	pcp = this_cpu_ptr(kmag_pcp(cache));
	if (pcp->rounds < 0)
		pcp->rounds = 0;
	else if (pcp->hi && pcp->rounds > pcp->hi)
		pcp->rounds = pcp->hi;
	local_irq_restore(flags);
}

/* An object that may be used, or NULL. */
static struct it_obj *it_take(gfp_t gfp)
{
	struct it_obj *obj;
	u32 cookie;

	it_mend(NULL);
	obj = kmag_cache_alloc_inline(cache, gfp);
	if (!obj)
		return NULL;
	if (copy_from_kernel_nofault(&cookie, &obj->cookie, sizeof(cookie)) ||
	    cookie != IT_COOKIE) {
		atomic_long_inc(&nr_foreign);
		return NULL;
	}
	/* Two owners: the first one gives it back. */
	if (atomic_cmpxchg(&obj->owner, 0, 1)) {
		atomic_long_inc(&nr_doubled);
		return NULL;
	}
	return obj;
}

static void it_give(struct it_obj *obj)
{
	if (atomic_cmpxchg(&obj->owner, 1, 0) != 1)
		atomic_long_inc(&nr_doubled);
	it_mend(NULL);
	kmag_cache_free_inline(cache, obj);
}

/*
 * A virtual CPU that gets little of a real one could be busy with interrupts
 * alone: while its thread gets nowhere, they come less often.
 */
static void it_next(struct it_irq *irq)
{
	if (irq->cpu->ops != irq->seen)
		irq->period = IT_PERIOD_NS;
	else
		irq->period = min_t(u64, 2 * irq->period, IT_PERIOD_MAX);
	irq->seen = irq->cpu->ops;
	hrtimer_set_expires(&irq->timer,
			    ktime_add_ns(ktime_get(), irq->period));
}

/*
 * Take and give in turn: an interrupt that leaves the magazine as it was would
 * not be missed by who it came in between.
 */
static enum hrtimer_restart it_tick(struct hrtimer *timer)
{
	struct it_irq *irq = container_of(timer, struct it_irq, timer);
	unsigned int i;

	for (i = 0; i < IT_OBJS; i++) {
		if (irq->held[i]) {
			it_give(irq->held[i]);
			irq->held[i] = NULL;
		} else {
			irq->held[i] = it_take(GFP_ATOMIC | __GFP_NOWARN);
		}
	}
	irq->ops += IT_OBJS;

	/* Pairs with the end of it_run(). */
	if (READ_ONCE(stop))
		return HRTIMER_NORESTART;
	it_next(irq);
	return HRTIMER_RESTART;
}

static void it_arm(void *unused)
{
	static const enum hrtimer_mode modes[IT_IRQS] = {
		HRTIMER_MODE_REL_PINNED, HRTIMER_MODE_REL_PINNED_SOFT,
	};
	struct it_cpu *cpu = this_cpu_ptr(cpus);
	unsigned int i;

	for (i = 0; i < IT_IRQS; i++) {
		struct it_irq *irq = &cpu->irq[i];

		irq->cpu = cpu;
		irq->period = IT_PERIOD_NS;
		hrtimer_setup(&irq->timer, it_tick, CLOCK_MONOTONIC, modes[i]);
		hrtimer_start(&irq->timer, ns_to_ktime(IT_PERIOD_NS), modes[i]);
	}
}

static void it_disarm(struct it_irq *irq)
{
	unsigned int i;

	hrtimer_cancel(&irq->timer);
	for (i = 0; i < IT_OBJS; i++)
		if (irq->held[i])
			it_give(irq->held[i]);
}

static int it_thread(void *data)
{
	struct it_obj *held[IT_HOLD];
	struct it_cpu *cpu = data;
	struct rnd_state rnd;
	unsigned int n = 0;

	prandom_seed_state(&rnd, smp_processor_id() + 1);
	while (!kthread_should_stop()) {
		if (n < IT_HOLD && (!n || prandom_u32_state(&rnd) & 1)) {
			held[n] = it_take(GFP_KERNEL);
			if (held[n])
				n++;
		} else {
			it_give(held[--n]);
		}
		if (++cpu->ops % 64 == 0)
			cond_resched();
	}
	while (n)
		it_give(held[--n]);
	return 0;
}

static int it_shrinker(void *unused)
{
	while (!kthread_should_stop()) {
		kmag_cache_shrink(cache);
		shrinks++;
		cond_resched();
	}
	return 0;
}

/* More would tell nothing new. */
static bool it_found(void)
{
	return atomic_long_read(&nr_doubled) || atomic_long_read(&nr_foreign);
}

static void it_run(void)
{
	struct task_struct *shrinker = NULL;
	unsigned long end;
	unsigned int id, i;

	if (!IT_CONTROL)
		shrinker = kthread_run(it_shrinker, NULL, "kmag_irq/shrink");
	for_each_online_cpu(id)
		wake_up_process(per_cpu_ptr(cpus, id)->task);
	on_each_cpu(it_arm, NULL, 1);

	end = jiffies + secs * HZ;
	while (time_before(jiffies, end) && !it_found())
		schedule_timeout_uninterruptible(HZ / 10);

	for_each_online_cpu(id)
		kthread_stop(per_cpu_ptr(cpus, id)->task);
	/* Timers see it and do not start again. */
	WRITE_ONCE(stop, true);
	for_each_online_cpu(id)
		for (i = 0; i < IT_IRQS; i++)
			it_disarm(&per_cpu_ptr(cpus, id)->irq[i]);
	on_each_cpu(it_mend, NULL, 1);
	if (!IS_ERR_OR_NULL(shrinker))
		kthread_stop(shrinker);
}

/* All is free but the pins: what a slab still misses was lost. */
static int it_count(void)
{
	struct kmag_snap_cache *snap;
	unsigned int id;

	kmag_cache_shrink(cache);
	snap = kmag_snapshot_next(kmag_cache_id(cache), GFP_KERNEL);
	if (IS_ERR_OR_NULL(snap))
		return -ENOMEM;
	collisions = snap->stats[KMAG_BUSY];
	lost = snap->slots - snap->slab_free - nr_pins;
	kvfree(snap);

	doubled = atomic_long_read(&nr_doubled);
	foreign = atomic_long_read(&nr_foreign);
	for_each_online_cpu(id) {
		ops += per_cpu_ptr(cpus, id)->ops;
		irq_ops += per_cpu_ptr(cpus, id)->irq[IT_HARD].ops;
		softirq_ops += per_cpu_ptr(cpus, id)->irq[IT_SOFT].ops;
	}
	pr_info("%lu operations of threads, %lu and %lu of hard and soft interrupts, %lu shrinks: %lu collisions, %lu doubled, %lu foreign, %lu lost\n",
		ops, irq_ops, softirq_ops, shrinks, collisions, doubled,
		foreign, lost);
	return 0;
}

/*
 * For the control: make enough slabs, and keep one object of each. A slab is
 * one compound page, so its head stands for it.
 */
static int it_pin(void)
{
	struct kmag_snap_cache *snap;
	unsigned int i, nr = 0;
	int ret = 0;
	void **pool;

	if (!IT_CONTROL)
		return 0;
	pool = kvmalloc_array(IT_POOL, sizeof(*pool), GFP_KERNEL);
	if (!pool)
		return -ENOMEM;
	while (nr < IT_POOL) {
		pool[nr] = kmag_cache_alloc(cache, GFP_KERNEL);
		if (!pool[nr]) {
			ret = -ENOMEM;
			break;
		}
		nr++;
	}
	for (i = 0; i < nr; i++) {
		unsigned long pfn = page_to_pfn(virt_to_head_page(pool[i]));

		if (!ret && !xa_insert(&pins, pfn, pool[i], GFP_KERNEL))
			nr_pins++;
		else
			kmag_cache_free(cache, pool[i]);
	}
	kvfree(pool);
	if (ret)
		return ret;

	snap = kmag_snapshot_next(kmag_cache_id(cache), GFP_KERNEL);
	if (IS_ERR_OR_NULL(snap))
		return -ENOMEM;
	/* Empty slabs beyond the pool may be there; none without a pin is used. */
	if (snap->slabs - snap->slabs_by_class[0] != nr_pins)
		ret = -EINVAL;
	kvfree(snap);
	return ret;
}

static void it_unpin(void)
{
	unsigned long pfn;
	void *obj;

	xa_for_each(&pins, pfn, obj)
		kmag_cache_free(cache, obj);
	xa_destroy(&pins);
}

static int it_make_threads(void)
{
	unsigned int id;

	for_each_online_cpu(id) {
		struct it_cpu *cpu = per_cpu_ptr(cpus, id);
		struct task_struct *task;

		task = kthread_create_on_node(it_thread, cpu, cpu_to_node(id),
					      "kmag_irq/%u", id);
		if (IS_ERR(task))
			return PTR_ERR(task);
		kthread_bind(task, id);
		cpu->task = task;
	}
	return 0;
}

/* Those that never ran: the others have been stopped. */
static void it_stop_threads(void)
{
	unsigned int id;

	for_each_online_cpu(id)
		if (per_cpu_ptr(cpus, id)->task)
			kthread_stop(per_cpu_ptr(cpus, id)->task);
}

static int __init it_setup(void)
{
	int ret;

	/* Zeroing is done elsewhere, so the fast path would not be ours. */
	if (want_init_on_alloc(0)) {
		pr_err("boot with init_on_alloc=0\n");
		return -EOPNOTSUPP;
	}
	cpus = alloc_percpu(struct it_cpu);
	if (!cpus)
		return -ENOMEM;
	cache = kmag_cache_create(KBUILD_MODNAME, sizeof(struct it_obj), 0, 0,
				  it_ctor);
	if (!cache) {
		ret = -ENOMEM;
		goto err_cache;
	}
	ret = it_pin();
	if (ret)
		goto err_pin;
	ret = it_make_threads();
	if (ret)
		goto err_threads;
	it_run();
	ret = it_count();
	if (ret)
		goto err_pin;
	return 0;

err_threads:
	it_stop_threads();
err_pin:
	it_unpin();
	kmag_cache_destroy(cache);
err_cache:
	free_percpu(cpus);
	return ret;
}

static void __exit it_leave(void)
{
	it_unpin();
	kmag_cache_destroy(cache);
	free_percpu(cpus);
}

module_init(it_setup);
module_exit(it_leave);

MODULE_DESCRIPTION("kmag: hard interrupts against the fast path they hit");
MODULE_LICENSE("GPL");
