# SPDX-License-Identifier: GPL-2.0
"""KTAP: read with the kernel's own parser, written in one place.

The parser is tools/testing/kunit/kunit_parser.py of the kernel source that
tools/vm/kernel unpacks. It is used as a library, as `kunit.py parse` changes
its folder. What it lets pass is caught here: results beyond the plan, and a
"not ok" of a test all of whose subtests passed.
"""

import contextlib
import importlib
import io
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.realpath(__file__))))

sys.path.append(os.path.join(ROOT, 'tools/vm'))
import again  # pylint: disable=wrong-import-position

RE_RESULT = re.compile(r'^(ok|not ok) \d+')
RE_NOT_OK = re.compile(r'^\s*not ok \d+(?!.*# (?:SKIP|TODO))', re.I)


def parser():
    """The kernel's kunit_parser."""
    done = subprocess.run([os.path.join(ROOT, 'tools/vm/kernel'), 'source'],
                          stdout=subprocess.PIPE, text=True, check=True)
    source = done.stdout.strip().split('=', 1)[1]
    folder = os.path.join(source, 'tools/testing/kunit')
    if folder not in sys.path:
        sys.dont_write_bytecode = True
        sys.path.append(folder)
    return importlib.import_module('kunit_parser')


class Outcome:
    """What a KTAP text amounts to."""

    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.failures = []  # (name, its diagnostic lines)
        self.skips = []     # names
        self.total = 0      # tests that ran
        self.boots = 0      # of guests that the emulator led astray

    def fail(self, name, *log):
        """One more failure, of something that is no test in the text."""
        self.failed += 1
        self.failures.append((name, list(log)))


def parse(text):
    """An Outcome. A text without a single test is a failure."""
    kunit = parser()
    outcome = Outcome()
    before, text = again.split(text)
    lost = [line for line in before.splitlines() if RE_NOT_OK.match(line)]
    if lost:
        outcome.fail('a result from before the guest booted again', *lost)
    # The parser prints as it goes; its printer holds the stdout of its birth.
    printer = kunit.stdout
    with contextlib.redirect_stdout(io.StringIO()) as mute:
        # pylint: disable-next=protected-access
        printer._output = mute
        lines = kunit.extract_tap_lines(text.splitlines())
        if not lines:
            outcome.fail('no KTAP in the output')
            return outcome
        main = kunit.parse_test(lines, 0, [], False)
        beyond = [line for line in lines if RE_RESULT.match(line)]
    status = kunit.TestStatus

    def walk(test, above):
        name = '/'.join(filter(None, (above, test.name)))
        for sub in test.subtests:
            walk(sub, name)
        if test.subtests:
            return
        if test.status == status.SUCCESS:
            outcome.passed += 1
        elif test.status == status.SKIPPED:
            outcome.skipped += 1
            outcome.skips.append(name)
        elif test.status == status.NO_TESTS:
            return  # an error besides
        else:
            outcome.fail(name or 'a test that did not come', *test.log)

    for test in main.subtests:
        walk(test, '')
    outcome.total = outcome.passed + outcome.failed + outcome.skipped
    if main.counts.errors and not outcome.failed:
        outcome.fail(f'{main.counts.errors} errors in the KTAP itself '
                     '(a plan not kept, or a suite without tests)')
    if beyond:
        outcome.fail('results beyond the plan', *beyond)
    if not outcome.failed:
        lost = [line for line in text.splitlines() if RE_NOT_OK.match(line)]
        if lost:
            outcome.fail('a result that its subtests do not explain', *lost)
    if not outcome.total:
        outcome.fail('no test ran')
    return outcome


class Writer:
    """A flat KTAP document, printed as it comes."""

    def __init__(self, planned):
        self.number = self.bad = 0
        print(f'KTAP version 1\n1..{planned}', flush=True)

    def result(self, good, name, *log):
        """One test."""
        self.number += 1
        self.bad += not good
        for line in log:
            for part in str(line).splitlines():
                print('# ' + part)
        name = re.sub(r'[#\s]+', ' ', name)
        print(f'{"ok" if good else "not ok"} {self.number} {name}', flush=True)

    def skip(self, name, why):
        """A test that cannot run here."""
        self.number += 1
        print(f'ok {self.number} {name} # SKIP {why}', flush=True)

    def status(self):
        """For sys.exit()."""
        return 1 if self.bad else 0


def merge(documents):
    """One document of several: their plans become one plan.

    Of documents that stand one after the other the parser reads the first.
    """
    body, number = [], 0
    for text in documents:
        for line in text.splitlines():
            if re.match(r'K?TAP version|1\.\.\d', line):
                continue
            found = re.match(r'(ok|not ok) \d+(.*)', line)
            if found:
                number += 1
                line = f'{found[1]} {number}{found[2]}'
            body.append(line)
    return '\n'.join(['KTAP version 1', f'1..{number}', *body]) + '\n'
