# SPDX-License-Identifier: GPL-2.0
"""One kernel booted with the bench module, and what it measured."""

import fractions
import glob
import hashlib
import importlib.machinery
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

import trace

HERE = os.path.dirname(os.path.realpath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
VM = os.path.join(ROOT, 'tools/vm')
MODULE = 'tools/bench/module'
TRACES = os.path.join(HERE, 'traces')

# The first come into the budget: they have a limit, and no luck in them.
LOOPS = ('pair', '2-alloc-2-free', 'batch-8', 'batch-64', 'batch-512',
         'bulk-8', 'bulk-64', 'bulk-512', 'walk', 'mixed')
PATTERNS = LOOPS + ('irq-pair', 'irq-batch-64', 'cold-start', 'trace')

# The lanes, their kernels, and options of tools/vm/run.
COUNT, NATIVE = 'count', 'native'
LANES = {
    COUNT: {'stock': (), 'stock-6.1': (), 'next-bench': ()},
    NATIVE: {'uml': (), 'uml-next': ('--cpus', '2')},
}
UNITS = {COUNT: 'instructions', NATIVE: 'ns'}
# Kernels whose SLUB is only the one to compare with if it has sheaves.
SHEAVES = ('next-bench', 'uml-next')
# A native loop can be disturbed at any time: the least of many counts.
LOOPS_DEFAULT = {COUNT: 11, NATIVE: 3000}

# Options that change what an allocation costs, on either side.
SLOWING = ('SLUB_TINY', 'SLAB', 'SLUB_DEBUG_ON', 'SLUB_STATS', 'KASAN',
           'KCSAN', 'KMSAN', 'KCOV', 'GCOV_KERNEL', 'LOCKDEP',
           'DEBUG_PREEMPT', 'DEBUG_ATOMIC_SLEEP', 'DEBUG_KMEMLEAK', 'FAILSLAB')
SLUB_FLAGS = ('sanity_checks', 'poison', 'red_zone', 'store_user', 'trace')
# Ticks by which the known loop may be off: its own first instruction.
KNOWN_LOOP_SLACK = 4

GUEST = '''
cd /sys/kernel/debug/kmag_bench || exit 1
echo @info; cat info || exit 1
slab=/sys/kernel/slab/kmag_bench_slub
if [ -L $slab ]; then echo merged 1; else echo merged 0; fi
for flag in sheaf_capacity %s; do
	[ ! -r $slab/$flag ] || echo "slub_$flag $(cat $slab/$flag)"
done
kfence=/sys/module/kfence/parameters/sample_interval
[ ! -r $kfence ] || echo "kfence $(cat $kfence)"
echo "version $(cat /proc/version)"
mitigations=$(cd /sys/devices/system/cpu/vulnerabilities 2>/dev/null &&
	grep -v 'Not affected' * | tr '\\n' ';')
echo "mitigations ${mitigations:-none}"
for pattern in %s; do
	echo "@$pattern"
	cat $pattern || exit 1
done
echo @end
'''


class Failed(Exception):
    """No figures, and why."""


class Missing(Exception):
    """This machine cannot have them, and why."""


def program(path):
    """One of our programs, which is no module by its name."""
    name = os.path.basename(path)
    loader = importlib.machinery.SourceFileLoader(f'kmag_{name}', path)
    module = importlib.util.module_from_spec(
        importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


def vm_cpu():
    """(QEMU, the CPU model that tools/vm/run pins)."""
    sys.path.insert(0, VM)      # its own modules lie beside it
    module = program(os.path.join(VM, 'run'))
    return module.QEMU, module.CPU


def output_of(*argv):
    """What a command prints, or nothing if it failed."""
    try:
        done = subprocess.run(argv, stdout=subprocess.PIPE, check=False,
                              stderr=subprocess.DEVNULL, text=True, cwd=ROOT)
    except OSError:
        return ''
    return done.stdout.strip() if done.returncode == 0 else ''


def commit():
    """Which kmag this is."""
    name = output_of('git', 'rev-parse', 'HEAD')
    if not name:
        return 'unknown'
    dirty = output_of('git', 'status', '--porcelain', '--', 'include',
                      'module', 'tools/bench')
    return name + ('-dirty' if dirty else '')


def host_cpu():
    """What native figures are of."""
    with open('/proc/cpuinfo', encoding='utf-8') as file:
        found = re.search(r'model name\s*: (.*)', file.read())
    return found[1] if found else 'an unnamed CPU'


def progress(text):
    """What is going on, on a terminal in one line."""
    if sys.stderr.isatty():
        print(f'\r\033[K{text}', end='', file=sys.stderr, flush=True)


def tool(*argv):
    """The standard output of a tool of tools/vm; its errors are shown."""
    done = subprocess.run([os.path.join(VM, argv[0]), *argv[1:]],
                          stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise (Missing if done.returncode == 3 else Failed)(
            f'tools/vm/{" ".join(argv)} ended with {done.returncode}')
    return done.stdout


def write(target, result):
    """The record, whole or not at all."""
    os.makedirs(os.path.dirname(os.path.abspath(target)), exist_ok=True)
    with open(target + '.new', 'w', encoding='utf-8') as file:
        json.dump(result, file, indent=1)
        file.write('\n')
    os.replace(target + '.new', target)


def parse(sections):
    """(what was measured on, {pattern: {row: ticks}})."""
    info = {words[0]: words[1] if len(words) > 1 else ''
            for words in sections['info']}
    info = {key: int(value) if re.fullmatch(r'\d+', value) else value
            for key, value in info.items()}
    patterns = {}
    for pattern, lines in sections.items():
        if pattern in ('info', 'end'):
            continue
        rows = patterns[pattern] = {}
        for row, rest in lines:
            ops, loops, least, median = (int(word) for word in rest.split())
            rows[row] = {'ops': ops, 'loops': loops, 'min': least,
                         'median': median}
        if not {'slub', 'called', 'inline'} <= rows.keys():
            raise Failed(f'{pattern}: rows are missing')
    return info, patterns


class Kernel:
    """A kernel of tools/vm/kernel."""

    def __init__(self, name, qemu):
        self.name = name
        if qemu and not shutil.which(vm_cpu()[0]):
            raise Missing(f'{vm_cpu()[0]} is not installed: make setup')
        self.vars = dict(line.split('=', 1)
                         for line in tool('kernel', name).splitlines())

    def release(self):
        """What uname says there."""
        return self.vars.get('KRELEASE')

    def config_hash(self):
        """Of the configuration that the module was built with."""
        try:
            with open(os.path.join(self.vars['KDIR'], '.config'), 'rb') as file:
                return hashlib.sha256(file.read()).hexdigest()
        except (KeyError, OSError):
            return None


class Bench(Kernel):
    """One, and the bench module for it."""

    def __init__(self, lane, name):
        super().__init__(name, lane == COUNT)
        self.lane = lane
        self.module = os.path.join(tool('modules', name, MODULE).strip(),
                                   MODULE, 'kmag_bench.ko')

    def append(self, option, more=''):
        """The boot's arguments."""
        # 6.5 made SLAB_NO_MERGE; before it this is the only way.
        version = re.match(r'(\d+)\.(\d+)', self.release() or '')
        nomerge = version and (int(version[1]), int(version[2])) < (6, 5)
        return ' '.join(filter(None, (option, 'slab_nomerge' * bool(nomerge),
                                      more)))

    def command(self, append, params, patterns, script):
        """Of a run of the VM."""
        command = [os.path.join(VM, 'run'), '--kernel', self.name,
                   '--timeout', '300', *LANES[self.lane].get(self.name, ())]
        if self.lane == COUNT:
            command.append('--icount')
        if script:
            command += ['--file', f'{script}:/root/trace']
            params += ' trace=/root/trace'
        command += ['--module', f'{self.module} {params}']
        if append:
            command += ['--append', append]
        return command + ['--', 'sh', '-c',
                          GUEST % (' '.join(SLUB_FLAGS), ' '.join(patterns))]

    def boot(self, append, size, loops, patterns):
        """Run the bench once. Returns (info, {pattern: {row: figures}})."""
        label = f'{self.lane}: {self.name}{", " * bool(append)}{append}'
        begin = time.monotonic()
        sections, current = {}, None
        with tempfile.NamedTemporaryFile(prefix='kmag-bench-') as script:
            if 'trace' in patterns:
                script.write(trace.script(the_trace()))
                script.flush()
            command = self.command(append, f'size={size} loops={loops}',
                                   patterns,
                                   script.name if 'trace' in patterns else None)
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True,
                                  stderr=subprocess.PIPE) as run:
                progress(f'{label}: it boots')
                for line in run.stdout:
                    line = line.rstrip('\n')
                    if line.startswith('@'):
                        current = sections.setdefault(line[1:], [])
                        progress(f'{label}: {line[1:]}')
                    elif current is not None and not line.startswith('#'):
                        current.append(line.split(None, 1))
                said = run.stderr.read()
        progress('')
        if run.returncode or 'end' not in sections:
            sys.stderr.write(said)
            raise Failed(f'{label}: the guest ended with {run.returncode}')
        print(f'{label}: {time.monotonic() - begin:.0f} s', file=sys.stderr,
              flush=True)
        info, figures = parse(sections)
        self.scale(info, figures)
        return info, figures

    def scale(self, info, patterns):
        """Ticks to what an operation took, in the lane's unit."""
        if self.lane == COUNT and \
                abs(info['known_loop_ticks'] - info['known_loop']) \
                > KNOWN_LOOP_SLACK:
            raise Failed('the clock does not count instructions: a loop of '
                         f'{info["known_loop"]} took {info["known_loop_ticks"]}')
        for rows in patterns.values():
            for figures in rows.values():
                figures['per_op'] = round(
                    float(per_op(self.lane, info, figures)), 2)


def per_op(lane, info, figures):
    """What an operation took, in the lane's unit, exactly."""
    per_unit = (fractions.Fraction(info['ticks_per_ms'], 10 ** 6)
                if lane == NATIVE else 1)
    return fractions.Fraction(figures['min'], figures['ops']) / per_unit


def the_trace():
    """The recording that is replayed."""
    found = sorted(glob.glob(os.path.join(TRACES, '*.kmagtrc')))
    if not found:
        raise Failed('there is no recording in tools/bench/traces')
    return found[0]


def unfair(info, kernel=None):
    """Why a ratio would say nothing about kmag and SLUB."""
    why = [f'CONFIG_{name}' for name in SLOWING if info.get(name)]
    why += [f'SLUB debugging ({flag})' for flag in SLUB_FLAGS
            if info.get(f'slub_{flag}')]
    if info.get('merged'):
        why.append("SLUB merged the cache with others")
    if info.get('kfence'):
        why.append('KFENCE takes samples')
    if not info.get('slub_sheaf_capacity', kernel not in SHEAVES):
        why.append('SLUB has no sheaves here')
    return why
