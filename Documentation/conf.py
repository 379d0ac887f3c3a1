# SPDX-License-Identifier: GPL-2.0
"""How make docs makes pages: with the kernel's own directive for kernel-doc."""

import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# tools/docs says where the kernel's source is.
KSRC = os.environ['KSRC']
sys.path.insert(0, os.path.join(KSRC, 'Documentation/sphinx'))

project = 'kmag'
# pylint: disable-next=redefined-builtin
copyright = 'the authors of kmag, GPL-2.0'
extensions = ['automarkup', 'kerneldoc']
exclude_patterns = []
highlight_language = 'none'
primary_domain = 'c'

# Of the packages themselves: nothing comes from a network.
html_theme = 'alabaster'
html_theme_options = {
    'description': 'Object caches with per-CPU magazines for Linux',
    'fixed_sidebar': True,
    'page_width': '1100px',
    'sidebar_width': '240px',
}
html_show_sphinx = False
html_copy_source = False

kerneldoc_bin = os.path.join(KSRC, 'scripts/kernel-doc')
kerneldoc_srctree = ROOT

# Names that kernel-doc refers to and that are not kmag's
nitpick_ignore_regex = [
    ('c:identifier', r'[su](8|16|32|64)|__[su](8|16|32|64)|size_t|gfp_t|bool|atomic_\w+'),
    ('c:identifier', r'__user|__percpu'),
]
