# SPDX-License-Identifier: GPL-2.0
"""Recording the job and replaying it, in a VM: how, and what must hold then."""

import json
import os
import shutil

HERE = os.path.dirname(os.path.realpath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
VM = os.path.join(ROOT, 'tools/vm/run')

# Events that may be lost, of all of them
LOST = 0.001

BYTES = ('live', 'align', 'cpu', 'depot', 'partial', 'empty', 'transit', 'tail')


class Failed(Exception):
    """One sentence."""


def find(name):
    """A program that may lie where only root looks; None: it is not there."""
    return shutil.which(name, path=os.environ.get('PATH', '') + ':/usr/sbin:/sbin')


def in_guest(mkfs):
    """Arguments of a VM for what tools/run/guest needs in there."""
    return ('--file', mkfs + ':/bin/mkfs.ext4', '--file', os.path.join(HERE, 'job'),
            '--file', os.path.join(HERE, 'guest'))


def load(folder, name):
    """A JSON result that the guest left."""
    try:
        with open(os.path.join(folder, name), encoding='utf-8') as file:
            return json.load(file)
    except (OSError, ValueError) as error:
        raise Failed(f'the VM left no {name}: {error}') from error


def recorded(record, operations, caches):
    """(whether it holds, a sentence) for each thing that a recording must be."""
    yield (record['operations'] >= operations,
           f'{record["operations"]} operations were recorded, {operations} must be')
    yield (record['caches'] >= caches,
           f'{record["caches"]} caches were recorded, {caches} must be')
    yield (record['lost'] <= LOST * (record['operations'] + record['lost']),
           f'{record["lost"]} events were lost, {LOST:.1%} may be')


def replayed(replay):
    """The same of a replay with contents checked, on both allocators."""
    sides = replay['backends']
    yield replay['checked'], f'contents checked: {"yes" if replay["checked"] else "no"}'
    yield not replay['wrong'], f'what the replay finds wrong: {replay["wrong"] or "nothing"}'
    yield set(sides) == {'kmag', 'slub'}, f'replayed on: {", ".join(sorted(sides))}'
    for name, side in sorted(sides.items()):
        yield (side['corrupt'] == 0 and side['failed'] == 0,
               f'{name}: {side["corrupt"]} contents changed, {side["failed"]} '
               'allocations failed')
        done = side['allocations'] + side['frees'] + side['skipped']
        yield (0 < done == replay['replayed']['operations'],
               f'{name}: {done} operations of {replay["replayed"]["operations"]} were done')
    kmag = sides.get('kmag')
    if not kmag:
        return
    for when in ('identity_end', 'identity_shrunk'):
        identity = kmag[when]
        parts = sum(identity[key] for key in BYTES)
        yield (parts == identity['slab_bytes'] and not identity['skew'],
               f'{when}: {parts} bytes are told, {identity["slab_bytes"]} are held')
    yield kmag['validate_errors'] == 0, f'validate found {kmag["validate_errors"]} errors'
