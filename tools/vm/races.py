# SPDX-License-Identifier: GPL-2.0
"""Which of the data races on a console, as KCSAN reports them, are ours.

A race is ours if one of its two accesses is made by a module: the kcsan kernel
has none of its own. Who makes an access is the first function on its stack that
is not one of the kernel's to work on memory it is handed. The kernel's other
functions race with each other on any kernel, whoever called them.
"""

import re

RE_TITLE = re.compile(r'BUG: KCSAN: ')
RE_END = re.compile(r'={60,}$')
RE_ACCESS = re.compile(r'(?:race at unknown origin, with )?(?:assert no |read|'
                       r'write).* by (?:task \d+|interrupt) on cpu \d+:$')
RE_FRAME = re.compile(r' (?:0x)?(\w[\w.]*)(?:\+0x[\da-f]+/0x[\da-f]+)?'
                      r'( \[\w+\])?$')
RE_HANDED = re.compile(
    r'_*(?:mem(?:cpy|set|move|cmp|chr|scan)|str[a-z]+(?:_pad|_nocheck)?$|'
    r'v?s[cn]*printf$|seq_(?:printf|put|write)|copy_(?:from|to)_|bitmap_|'
    r'find_(?:first|last|next|nth)_|[hl]*list_(?:add|del|sort)|'
    r'rb_(?:insert|erase|next|prev|first|last)|sort|prandom_|complete)')


def is_ours(lines):
    """Whether a report, from its title on, is of an access of a module's."""
    looking = False
    for line in lines:
        if RE_ACCESS.match(line):
            looking = True
            continue
        frame = looking and RE_FRAME.match(line)
        if not frame:
            continue
        if frame[2]:
            return True
        looking = bool(RE_HANDED.match(frame[1]))
    return False


def reports(lines):
    """(index of the title, lines of the report)"""
    start = None
    for index, line in enumerate([*lines, '=' * 66]):
        if start is not None and (RE_END.match(line) or RE_TITLE.match(line)):
            yield start, lines[start:index]
            start = None
        if RE_TITLE.match(line):
            start = index


def without_foreign(console, stamp):
    """The lines of a console less titles of races that are not ours, and how
    many those were; stamp matches what precedes what was printed.
    """
    lines = console.splitlines()
    bare = [re.sub(stamp, '', line, count=1) for line in lines]
    foreign = {index for index, report in reports(bare) if not is_ours(report)}
    return ([line for index, line in enumerate(lines) if index not in foreign],
            len(foreign))
