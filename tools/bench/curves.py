# SPDX-License-Identifier: GPL-2.0
"""Pictures of what spikes and bursts leave: curves, and heat maps of kmag's slabs."""

import os
import shutil
import subprocess
import sys

import measure
import spikes

sys.path.insert(0, os.path.join(measure.ROOT, 'tools/run'))
import pictures  # pylint: disable=wrong-import-position

KMAG_TOOL = os.path.join(measure.ROOT, 'build/bin/kmag')

HEAD = '''
set multiplot layout {rows},{columns} title "{title}" font ",13"
set style line 1 lc rgb "#2171b5" lw 2
set style line 2 lc rgb "#d94801" lw 2
set style line 3 lc rgb "#2171b5" lw 1.5 dt 2
set style line 4 lc rgb "#d94801" lw 1.5 dt 2
'''

# A column each: where, kmag, SLUB, and what is dashed of both.
PLOT = '''
set title "{title}"
$data{number} << EOD
{data}
EOD
plot {curves}
'''

SPIKE = '''
set xlabel "times that each live object was replaced"
set ylabel "slabs held / needed"
set logscale y
set yrange [0.95:*]
set ytics (1, 1.1, 1.25, 1.5, 2, 3, 5, 8, 12)
'''
BURST = '''
set xlabel "seconds after the burst was freed"
set ylabel "slabs held / needed"
set yrange [0.98:*]
set key below
'''


def folder(out, kernel, cpus):
    """Where the maps of a boot lie."""
    return os.path.join(out, f'{kernel.replace("/", "_")}-{cpus}-cpus')


def panel(number, one, dashed):
    """A plot of one size."""
    data = '\n'.join(
        f'{sample["at"]:g} ' + ' '.join(f'{value:.5f}' for value in row(sample, dashed))
        for sample in one['samples'])
    curves = ', '.join(
        f'$data{number} using 1:{column} with lines ls {column - 1} title "{name}"'
        for column, name in ((2, 'kmag'), (3, 'SLUB'), (4, f'kmag, {dashed}'),
                             (5, f'SLUB, {dashed}')))
    return PLOT.format(title=f'{one["size"]} bytes' + ', constructor' * one['constructor'],
                       number=number, data=data, curves=curves)


def row(sample, dashed):
    """Held, and what is dashed, for one that is needed."""
    kmag, slub = sample['kmag'], sample['slub']
    return [side[key] / side['needed'] for key in ('slabs', dashed) for side in (kmag, slub)]


def draw_curves(path, results, title, axes, dashed):
    """A picture, a panel for each size."""
    columns = 2 if len(results) > 1 else 1
    rows = -(-len(results) // columns)
    pictures.gnuplot(
        pictures.STYLE.format(size=f'{620 * columns},{60 + 360 * rows}', output=path)
        + HEAD.format(rows=rows, columns=columns, title=title) + axes
        + ''.join(panel(i, one, dashed) for i, one in enumerate(results))
        + 'unset multiplot\n')
    return os.path.basename(path)


def film(out, maps, size):
    """The heat maps of one size, moment by moment."""
    names = [spikes.map_name(at) for at in (None, *spikes.MOMENTS)]
    png = f'film-{os.path.basename(maps)}-{size}.png'
    done = subprocess.run(
        [KMAG_TOOL, 'frag', '--heatmap=' + os.path.join(os.path.abspath(out), png)]
        + [word for name in names for word in ('--map', name)],
        cwd=os.path.join(maps, str(size)), stdout=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise measure.Failed(f'kmag frag ended with {done.returncode}')
    return png


def draw(out, result):
    """All pictures; returns a sentence about them."""
    if not shutil.which('gnuplot') or not os.path.exists(KMAG_TOOL):
        return 'no pictures: make setup tools'
    drawn = []
    for kernel in result['kernels']:
        for boot in kernel['boots']:
            maps = folder(out, kernel['kernel'], boot['cpus'])
            name = os.path.basename(maps)
            where = f'{boot["info"]["release"]}, {boot["cpus"]} CPUs'
            drawn += [
                draw_curves(os.path.join(out, f'spike-{name}.png'), boot['spikes'],
                            f'After a spike: {where}', SPIKE, 'best'),
                draw_curves(os.path.join(out, f'burst-{name}.png'), boot['bursts'],
                            f'After a burst: {where}', BURST, 'needed'),
                *(film(out, maps, spike['size']) for spike in boot['spikes'])]
    return 'pictures beside it: ' + ', '.join(drawn)
