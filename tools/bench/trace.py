# SPDX-License-Identifier: GPL-2.0
"""A recording of kmag record as a script of the bench module.

Documentation/tools.rst describes the recording. The script is what the module
can replay on any row: at most so many objects away at a time, a slot for each,
and nothing away at the end. What the recording lost is left out: frees of what
was not seen to be allocated, objects of caches that are not known, or larger
than a page.
"""

import itertools
import struct
import zlib

MAGIC = 0x53424d4b
AWAY_MAX = 4000         # BENCH_AWAY_MAX
CACHES_MAX = 256
SIZE_MAX = 4096
STEPS_MAX = 40000       # a loop should not take much longer than the others

FREE, MORE, TIME, CACHE, GFP = (1 << bit for bit in range(5))
KNOWN = 32


class Failed(Exception):
    """It is no recording."""


class Reader:
    """Varints of a block."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def varint(self):
        """The next one."""
        value = shift = 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 0x7f) << shift
            if byte < 0x80:
                return value
            shift += 7

    def zigzag(self):
        """The next one, with a sign."""
        value = self.varint()
        return value >> 1 ^ -(value & 1)

    def bytes(self, length):
        """So many, as they are."""
        self.at += length
        return self.data[self.at - length:self.at]


def blocks(data):
    """(type, count, reader) of each."""
    magic, _, _, crc = struct.unpack_from('<8sHHI', data)
    if magic != b'kmagtrc\0' or zlib.crc32(data[:12]) != crc:
        raise Failed('no recording')
    at = 16
    while at < len(data):
        kind, length, count, crc = struct.unpack_from('<4sIII', data, at)
        body = data[at + 16:at + 16 + length]
        if zlib.crc32(body, zlib.crc32(data[at:at + 12])) != crc:
            raise Failed(f'the block at byte {at} is corrupt')
        yield kind, count, Reader(body)
        at += 16 + length


def records(count, block):
    """(time, cache, object, whether freed) of one RECS block."""
    block.varint()
    time, cache, last = block.varint(), 0, {}
    for _ in range(count):
        tags = block.bytes(1)[0]
        if tags & TIME:
            time += block.varint()
        if tags & CACHE:
            cache = block.varint()
        if tags & GFP:
            block.varint()
        last[cache] = last.get(cache, 0) + block.zigzag() & (1 << 64) - 1
        yield time, cache, last[cache], bool(tags & FREE)


def load(path):
    """(records by time, {cache: size})."""
    with open(path, 'rb') as file:
        data = file.read()
    recs, sizes = [], {}
    try:
        for kind, count, block in blocks(data):
            if kind == b'RECS':
                recs += records(count, block)
            elif kind == b'CACH':
                for number in range(count):
                    size, _, flags = (block.varint() for _ in range(3))
                    block.bytes(block.varint())
                    if flags & KNOWN and size <= SIZE_MAX:
                        sizes[number] = size
    except (IndexError, struct.error) as error:
        raise Failed('the recording ends early') from error
    recs.sort(key=lambda record: record[0])
    return recs, sizes


def steps_of(recs, sizes):
    """[(slot, cache, whether freed)], and all freed at the end."""
    steps, away, slots = [], {}, list(range(AWAY_MAX))[::-1]
    for _, cache, obj, freed in recs:
        if len(steps) + len(away) >= STEPS_MAX:
            break
        if freed and obj in away:
            slot, its = away.pop(obj)
            slots.append(slot)
            steps.append((slot, its, 1))
        elif not freed and cache in sizes and obj not in away and slots:
            away[obj] = slots.pop(), cache
            steps.append((*away[obj], 0))
    return steps + [(slot, cache, 1) for slot, cache in away.values()]


def script(path):
    """The script's bytes, of the recording in a file."""
    recs, sizes = load(path)
    steps = steps_of(recs, sizes)
    used = sorted({cache for _, cache, _ in steps})[:CACHES_MAX]
    number = dict(zip(used, itertools.count()))
    steps = [step for step in steps if step[1] in number]
    if not steps:
        raise Failed('nothing in the recording can be replayed')
    return b''.join((
        struct.pack('=III', MAGIC, len(used), len(steps)),
        struct.pack(f'={len(used)}I', *(sizes[cache] for cache in used)),
        *(struct.pack('=HBB', slot, number[cache], freed)
          for slot, cache, freed in steps)))
