# SPDX-License-Identifier: GPL-2.0
"""The line before the output of a guest that had to be booted once more."""

AGAIN = '# run: once more, from the start'


def last(text):
    """What the last boot printed."""
    return text.rpartition(AGAIN + '\n')[2]
