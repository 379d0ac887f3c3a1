# SPDX-License-Identifier: GPL-2.0
"""The line before the output of a guest that had to be booted once more."""

AGAIN = '# run: once more, from the start'


def last(text):
    """What the last boot printed. A line that quotes that one is none."""
    return ('\n' + text).rpartition(f'\n{AGAIN}\n')[2]
