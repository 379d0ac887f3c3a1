# SPDX-License-Identifier: GPL-2.0
"""The pictures of a run that kmag report does not draw, by gnuplot."""

import os
import subprocess

# The most slabs that a heat map shows, and the caches that get one
MAP_SLABS = 400
MAP_CACHES = 3

STYLE = '''
set terminal pngcairo size {size} font "sans,11" background "white"
set output "{output}"
set border 3 lc rgb "#555555"
set tics nomirror textcolor rgb "#333333"
set grid ytics lc rgb "#dddddd" lt 1
'''

HEAT = STYLE + '''
set multiplot layout {rows},2 title "kmag slabs at the end of the replay: a column is a slab, a cell an object" font ",13"
set palette defined (0 "#ffffff", 0.001 "#9ecae1", 0.5 "#4292c6", 1 "#08306b")
set cbrange [0:1]
set cblabel "of the slab in use or cached"
set format cb "%.2f"
set cbtics 0.25
unset key
unset grid
set border 15
set ylabel "object"
'''

PANEL = '''
set title "{title}"
set xlabel "slab, in the order of its table"
set xrange [-0.5:{slabs}-0.5]
set yrange [-0.5:{slots}-0.5]
plot "{data}" matrix with image
'''


def gnuplot(script):
    """Run it; what it complains of is an error."""
    subprocess.run(['gnuplot'], input=script, text=True, check=True)


def slab_map(path):
    """Rows of (slots, bitmap) of a debugfs slab_map."""
    rows = []
    with open(path, encoding='ascii') as file:
        for line in file:
            if line.startswith(('kmag ', '#')):
                continue
            slots, inuse, bits = line.split()[3:6]
            rows.append((int(slots), int(inuse), int(bits.replace(',', ''), 16)))
    return rows


def matrix(rows, path):
    """A column a slab, a row an object; a free one is 0, else the slab's fill."""
    slots = max(row[0] for row in rows)
    with open(path, 'w', encoding='ascii') as file:
        for slot in range(slots):
            file.write(' '.join(
                'nan' if slot >= has else f'{inuse / has:.3f}' if bits >> slot & 1 else '0'
                for has, inuse, bits in rows) + '\n')
    return slots


def heat(out, replay):
    """Which objects of which slabs are in use, or cached, before and after the shrink."""
    def excess(cache):
        end = cache['kmag']['shrunk']
        return end['bytes'] - end['bytes_needed'] if end['slabs'] > 8 else 0

    chosen = sorted((c for c in replay['caches'] if c['replayed']), key=excess)[::-1]
    chosen = [c for c in chosen[:MAP_CACHES] if excess(c) > 0]
    if not chosen:
        return None
    script = HEAT.format(size=f'1500,{120 + 300 * len(chosen)}', rows=len(chosen),
                         output=os.path.join(out, 'slabs.png'))
    for cache in chosen:
        for suffix, when in (('map', 'before a shrink'), ('shrunk', 'after it')):
            stem = f'{cache["name"]}-{cache["number"]}.{suffix}'
            rows = slab_map(os.path.join(out, 'maps', stem))
            shown = rows[:MAP_SLABS]
            state = cache['kmag']['end' if suffix == 'map' else 'shrunk']
            title = (f'{cache["name"]}, {when}: {state["slabs"]} slabs held, '
                     f'{state["slabs_needed"]} needed')
            if len(rows) > len(shown):
                title += f' ({len(shown)} shown)'
            data = os.path.join(out, 'maps', stem + '.dat')
            slots = matrix(shown, data)
            script += PANEL.format(title=title.replace('_', '\\\\_'), slabs=len(shown),
                                   slots=slots, data=data)
    gnuplot(script + 'unset multiplot\n')
    return 'slabs.png'
