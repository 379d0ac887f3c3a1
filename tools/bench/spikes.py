# SPDX-License-Identifier: GPL-2.0
"""A kernel booted with the spike module: what spikes and bursts leave, in samples."""

import os
import re
import subprocess
import sys
import tempfile
import time

import measure

MODULE = 'tools/bench/spike'
KMAG, SLUB = 'kmag', 'slub'
PAGE = 4096

# Bytes of an object, and whether it has a constructor: SLUB needs room for that.
SIZES = {64: 0, 256: 1, 1024: 0, 4096: 0}
# Objects at the peak: so many, or so much; one in ten is left.
OBJECTS, BYTES, LEFT = 200000, 192 << 20, 10

# How often each live object was replaced: where bounds are, and maps are taken.
MOMENTS = (0, 1, 2, 5, 10, 20)
# Samples are taken so close (of as many), up to there.
STEPS = ((5, 4), (10, 2), (20, 1))
# Seconds after a burst.
QUIET = 5

PEAK = 'at the peak'

# Options that change what SLUB or kmag hold.
HOLDING = ('SLUB_TINY', 'SLAB', 'SLUB_DEBUG_ON', 'KASAN', 'KMSAN')

GUEST = '''
insmod /lib/kmag/kmag_spike.ko seed=%d room=%d || exit 1
dir=/sys/kernel/debug/kmag_spike
trace=/sys/kernel/tracing
echo mono >$trace/trace_clock && echo 1 >$trace/events/kmag/kmag_fence/enable || exit 1
slub=/sys/kernel/slab/spike_slub
while read -r verb words; do
	case $verb in
	info)
		echo "release $(uname -r)"
		echo "version $(cat /proc/version)"
		for flag in %s; do
			[ ! -r $slub/$flag ] || echo "slub_$flag $(cat $slub/$flag)"
		done
		kfence=/sys/module/kfence/parameters/sample_interval
		[ ! -r $kfence ] || echo "kfence $(cat $kfence)" ;;
	forget) echo >$trace/trace ;;
	say) echo "@$words" ;;
	retain) echo "$words" >"$(echo /sys/kernel/debug/kmag/spike_kmag-*)"/retention || exit 1 ;;
	sample)
		cat $dir/state /sys/kernel/debug/kmag/caches \\
			/sys/kernel/debug/kmag/spike_kmag-*/frag \\
			/sys/kernel/debug/kmag/spike_kmag-*/stats \\
			/proc/slabinfo || exit 1
		echo "kmag fences - version: 1"
		sed -n 's/.* \\([0-9.]*\\): kmag_fence: name=\\(.*\\)-.* drained=/\\1 \\2 /p' \\
			$trace/trace || exit 1 ;;
	map)
		mkdir -p "/out/${words%%/*}"
		cat /sys/kernel/debug/kmag/spike_kmag-*/slab_map >"/out/$words" || exit 1 ;;
	sleep) sleep "$words" ;;
	*) echo "$verb $words" >$dir/step || exit 1 ;;
	esac
done <plan
'''


def objects(size):
    """(at the peak, left)"""
    peak = min(OBJECTS, BYTES // size)
    return peak, peak // LEFT


def map_name(at):
    """Of the map of a moment: what the picture calls it."""
    return (PEAK if at is None else 'nine of ten freed' if not at else
            f'each replaced {at} time{"s" * (at > 1)}')


def stops():
    """After how many replacements of each live object to look."""
    yield 0
    low = 0
    for high, parts in STEPS:
        yield from (low + i / parts for i in range(1, (high - low) * parts + 1))
        low = high


def plan(sizes, lazy):
    """Lines for the guest."""
    def begin(size):
        yield f'make {size} {SIZES[size]}'
        if lazy:
            yield 'retain lazy'

    def sample(kind, size, at):
        yield from (f'say {kind} {size} {at}', 'sample')

    first = True
    for size in sizes:
        peak, left = objects(size)
        yield from begin(size)
        if first:
            yield from ('say info', 'info')
            first = False
        yield from (f'say spike {size}', f'fill {peak}', f'map {size}/{map_name(None)}',
                    'forget', f'thin {left}')
        done = 0
        for at in stops():
            if at:
                yield f'replace {round(at * left) - done}'
                done = round(at * left)
            yield from sample('spike', size, at)
            if at in MOMENTS:
                yield f'map {size}/{map_name(int(at))}'
        yield 'end'
    for size in sizes:
        peak, left = objects(size)
        yield from begin(size)
        yield from (f'say burst {size}', f'fill {left}', f'fill {peak}', f'cut {left}')
        for second in range(QUIET + 1):
            if second:
                yield 'sleep 1'
            yield from sample('burst', size, second)
        yield 'end'
    yield 'say end'


def tables(lines):
    """{what a debugfs file calls itself: its rows, as words}"""
    found, rows = {}, None
    for line in lines:
        head = re.match(r'kmag (\w+) - version: 1$|(kmag_spike) state$|(slabinfo) - version: 2',
                        line)
        if head:
            rows = found.setdefault(next(filter(None, head.groups())), [])
        elif rows is not None and not line.startswith('#'):
            rows.append(line.split())
    return found


def named(rows, name):
    """The row of one cache."""
    found = [row for row in rows if row[0] == name]
    if len(found) != 1:
        raise measure.Failed(f'{len(found)} rows are named {name}: one was expected')
    return found[0]


def in_force(table, name, thinned_us):
    """Milliseconds from the last free of a spike until the last marks so far were in force,
    0 if that was before it, or None if there were none."""
    ends = [float(at) * 1000 - thinned_us / 1000 for at, of, drained in table['fences']
            if of == name and drained == 'marked']
    return max(ends[-1], 0) if ends else None


def sample(lines):
    """{allocator: what it holds}, and when that was"""
    table = tables(lines)
    state = {}
    for side, name in ((KMAG, 'spike_kmag'), (SLUB, 'spike_slub')):
        live, slots, replaced, best, wrong = map(int, named(table['kmag_spike'], name)[1:])
        if wrong:
            raise measure.Failed(f'{name}: {wrong} objects were not constructed')
        state[side] = {'live': live, 'slots': slots, 'replaced': replaced, 'best': best,
                       'needed': -(-live // slots)}
    kmag, slub = state[KMAG], state[SLUB]
    row = named(table['caches'], 'spike_kmag')
    slots, slab_pages, slabs, live, cpu, depot, transit = (
        int(row[i]) for i in (4, 5, 6, 11, 12, 13, 15))
    if (slots, live) != (kmag['slots'], kmag['live']):
        raise measure.Failed(f'kmag tells of {live} live objects, {slots} to a slab, the '
                             f'module of {kmag["live"]} and {kmag["slots"]}')
    frag = {key: int(value) for key, value in table['frag']}
    stats = {key: int(value) for key, value in table['stats']}
    kmag.update(slabs=slabs, bytes=slabs * slab_pages * PAGE, cpu=cpu, depot=depot,
                cached=cpu + depot + transit, draining=frag['slabs_draining'],
                visits=stats['refill'] + stats['flush'],
                cached_alone=sum(value for key, value in frag.items()
                                 if key.startswith('cached_')))
    row = named(table['slabinfo'], 'spike_slub')
    if int(row[4]) != slub['slots']:
        raise measure.Failed(f'SLUB has {row[4]} objects to a slab, the module saw '
                             f'{slub["slots"]}')
    # NAME active objs size perslab pages : tunables 0 0 0 : slabdata active slabs shared
    slabs = int(row[14])
    slub.update(slabs=slabs, bytes=slabs * int(row[5]) * PAGE)
    state['ms'] = int(named(table['kmag_spike'], 'ms')[1])
    kmag['in_force_ms'] = in_force(table, 'spike_kmag',
                                   int(named(table['kmag_spike'], 'thinned_us')[1]))
    return state


def split(sections):
    """(spikes, bursts) of what the guest printed."""
    results = {'spike': {}, 'burst': {}}
    for label, lines in sections:
        words = label.split()
        if len(words) == 3:
            size = int(words[1])
            peak, left = objects(size)
            one = results[words[0]].setdefault(size, {
                'size': size, 'constructor': bool(SIZES[size]), 'peak': peak, 'left': left,
                'samples': []})
            one['samples'].append({'at': float(words[2]), **sample(lines)})
    return list(results['spike'].values()), list(results['burst'].values())


def unfair(info, config):
    """Why a comparison with SLUB would say nothing."""
    return ([f'CONFIG_{name}' for name in HOLDING if f'CONFIG_{name}=y' in config]
            + [why for why in measure.unfair(info) if not why.startswith('CONFIG_')])


class Spikes(measure.Kernel):
    """A kernel, and what is done on it."""

    def __init__(self, name):
        super().__init__(name, True)
        with open(os.path.join(self.vars['KDIR'], '.config'), encoding='utf-8') as file:
            self.config = file.read().split('\n')

    def command(self, cpus, script, seed, out):
        """Of a run of the VM."""
        guest = GUEST % (seed, OBJECTS, ' '.join((*measure.SLUB_FLAGS, 'sheaf_capacity')))
        return [os.path.join(measure.VM, 'run'), '--kernel', self.name, '--cpus', str(cpus),
                '--append', 'slab_nomerge', '--timeout', '900', '--mem', '2G',
                '--build', MODULE, '--file', f'{script}:/root/plan', '--out', out,
                '--', 'sh', '-c', guest]

    def boot(self, cpus, sizes, lazy, seed, out):
        """Run all of it once."""
        label = f'{self.name}, {cpus} CPUs'
        begin, sections = time.monotonic(), []
        with tempfile.NamedTemporaryFile('w', prefix='kmag-plan-') as script:
            script.write('\n'.join(plan(sizes, lazy)) + '\n')
            script.flush()
            command = self.command(cpus, script.name, seed, out)
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True,
                                  stderr=subprocess.PIPE) as run:
                measure.progress(f'{label}: it boots')
                for line in run.stdout:
                    line = line.rstrip('\n')
                    if line.startswith('@'):
                        sections.append((line[1:], []))
                        measure.progress(f'{label}: {line[1:]}')
                    elif sections:
                        sections[-1][1].append(line)
                said = run.stderr.read()
        measure.progress('')
        if run.returncode or not sections or sections[-1][0] != 'end':
            sys.stderr.write(said)
            raise measure.Failed(f'{label}: the guest ended with {run.returncode}')
        print(f'{label}: {time.monotonic() - begin:.0f} s', file=sys.stderr, flush=True)
        info = {key: int(value) if value.isdigit() else value for key, value in
                (line.split(None, 1) for line in dict(sections)['info'])}
        spikes, bursts = split(sections)
        return {'cpus': cpus, 'seed': seed, 'retention': 'lazy' if lazy else 'working-set',
                'info': info, 'unfair': unfair(info, self.config), 'spikes': spikes,
                'bursts': bursts}
