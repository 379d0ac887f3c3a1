# SPDX-License-Identifier: GPL-2.0
"""The line before the output of a guest that had to be booted once more."""

AGAIN = '# run: once more, from the start'


def split(text):
    """What was printed before the last boot, and what it printed. A line that
    quotes the one in between is none."""
    before, _, last = ('\n' + text).rpartition(f'\n{AGAIN}\n')
    return before, last
