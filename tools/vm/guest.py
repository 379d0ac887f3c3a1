# SPDX-License-Identifier: GPL-2.0
"""What goes into the guest of tools/vm/run: the tree of its initramfs."""

import os
import re
import shlex
import shutil
import subprocess

HERE = os.path.dirname(os.path.realpath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))

# Kernel arguments that say how many CPUs there are to be
CPU_WORDS = {'maxcpus', 'nosmp', 'nr_cpus', 'possible_cpus'}


class SetupError(Exception):
    """The VM could not be made."""


def tool(*argv):
    """The standard output of one of the tools beside this one."""
    done = subprocess.run([os.path.join(HERE, argv[0]), *argv[1:]],
                          stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SetupError(f'tools/vm/{" ".join(argv)} failed')
    return done.stdout


def is_dynamic(path):
    """Whether an ELF file asks for an interpreter (PT_INTERP)."""
    with open(path, 'rb') as file:
        head = file.read(64)
        if len(head) < 64 or head[:5] != b'\x7fELF\x02':
            return False
        phoff = int.from_bytes(head[32:40], 'little')
        phsize = int.from_bytes(head[54:56], 'little')
        for i in range(int.from_bytes(head[56:58], 'little')):
            file.seek(phoff + i * phsize)
            if int.from_bytes(file.read(4), 'little') == 3:
                return True
    return False


class Guest:
    """The tree that becomes the initramfs."""

    def __init__(self, top):
        self.top = top
        for name in ('bin', 'dev', 'etc', 'host', 'lib/kmag', 'out', 'proc',
                     'root', 'sys', 'tmp', 'vm', 'usr', 'run'):
            os.makedirs(os.path.join(top, name))
        for name in ('sbin', 'usr/bin', 'usr/sbin'):
            os.symlink('/bin', os.path.join(top, name))
        self.write('etc/passwd', 'root:x:0:0:root:/root:/bin/sh\n'
                   'nobody:x:65534:65534:nobody:/:/bin/sh\n')
        self.write('etc/group', 'root:x:0:\nnogroup:x:65534:\n')
        self.write('etc/mtab', '')
        self.early, self.modules = [], []

    def path(self, name):
        """Where a guest path lies here."""
        path = os.path.join(self.top, name.lstrip('/'))
        # /usr/bin and the like are links that point into the guest.
        for link in ('usr/sbin/', 'usr/bin/', 'sbin/'):
            if name.lstrip('/').startswith(link):
                path = os.path.join(self.top, 'bin', name.lstrip('/')[len(link):])
        return path

    def write(self, name, text, mode=0o644):
        """A small file."""
        path = self.path(name)
        with open(path, 'w', encoding='utf-8') as file:
            file.write(text)
        os.chmod(path, mode)

    def add(self, source, name):
        """A file or folder of the host, and the libraries it needs."""
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if os.path.isdir(source):
            shutil.copytree(source, path, symlinks=True, dirs_exist_ok=True)
            return
        shutil.copyfile(source, path)
        shutil.copymode(source, path)
        if is_dynamic(source):
            self.libraries(source)

    def libraries(self, source):
        """What the dynamic loader would map."""
        done = subprocess.run(['ldd', source], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode or 'not found' in done.stdout:
            raise SetupError(f'{source}: a library it needs is missing here')
        for line in done.stdout.splitlines():
            found = re.search(r'(/\S+) \(0x', line)
            if found and not os.path.exists(self.path(found[1])):
                os.makedirs(os.path.dirname(self.path(found[1])), exist_ok=True)
                shutil.copyfile(found[1], self.path(found[1]))
                os.chmod(self.path(found[1]), 0o755)

    def busybox(self):
        """A user space."""
        busybox = shutil.which('busybox', path='/bin:/usr/bin:/sbin')
        if not busybox or is_dynamic(busybox):
            raise SetupError('busybox-static is not installed: make setup')
        shutil.copy(busybox, self.path('bin/busybox'))
        applets = subprocess.run([busybox, '--list'], stdout=subprocess.PIPE,
                                 text=True, check=True).stdout.split()
        for name in applets:
            if not os.path.lexists(self.path('bin/' + name)):
                os.symlink('busybox', self.path('bin/' + name))

    def pack(self, archive):
        """Write the initramfs. The kernel's own brings /dev/console."""
        files = subprocess.run(['find', '.', '-print0'], cwd=self.top,
                               stdout=subprocess.PIPE, check=True).stdout
        with open(archive, 'wb') as out:
            subprocess.run(['cpio', '--null', '-o', '-H', 'newc', '--quiet',
                            '--reproducible', '-R', '+0:+0'], cwd=self.top,
                           input=files, stdout=out, check=True)


class InTree:
    """The modules that came with the kernel, by name."""

    def __init__(self, folder):
        self.folder, self.paths, self.needs = folder, {}, {}
        if not folder:
            return
        try:
            with open(os.path.join(folder, 'modules.dep'),
                      encoding='utf-8') as file:
                for line in file:
                    path, _, needs = line.partition(':')
                    self.paths[self.name(path)] = path
                    self.needs[path] = needs.split()
        except OSError as error:
            raise SetupError(f'no modules.dep: {error}') from error

    @staticmethod
    def name(path):
        """A module's name: dashes are underscores to the kernel."""
        return os.path.basename(path).split('.')[0].replace('-', '_')

    def chain(self, name):
        """A module's file, after the files that it depends on."""
        path = self.paths.get(name.replace('-', '_'))
        if not path:
            return []
        # modules.dep lists the nearest dependency first.
        return [os.path.join(self.folder, p)
                for p in reversed([path] + self.needs[path])]


def fill(guest, args, kernel):
    """Everything that the command will find."""
    guest.busybox()
    guest.add(os.path.join(HERE, 'init'), 'init')
    os.chmod(guest.path('init'), 0o755)
    in_tree = InTree(kernel.get('KMODDIR'))

    def load(paths, into, params=''):
        for path in paths:
            name = '/lib/kmag/' + os.path.basename(path)
            if not os.path.exists(guest.path(name)):
                guest.add(path, name)
            line = name + (' ' + params if path == paths[-1] and params else '')
            if line not in into:
                into.append(line)

    for name in ('virtio_pci', 'virtio_console'):
        load(in_tree.chain(name), guest.early)

    lane = None
    if kernel.get('KDIR'):
        builds = [text.partition(':') for text in args.build]
        lane = tool('modules', args.kernel, *(b[0] for b in builds)).strip()
        for name in ('core/kmag', 'dev/kmag_dev'):
            path = os.path.join(lane, 'module', name + '.ko')
            load([path], [] if args.no_kmag else guest.modules)
        suites = os.path.join(lane, 'kunit/kmag_kunit.ko')
        if os.path.exists(suites):
            load([suites], [])
        for name, _, where in builds:
            folder = os.path.join(lane, name)
            for module in sorted(os.listdir(folder)):
                if module.endswith('.ko'):
                    guest.add(os.path.join(folder, module), os.path.join(
                        where or '/lib/kmag', module))
    elif args.build or not args.no_kmag:
        raise SetupError(f'{args.kernel}: no headers to build kmag against; '
                         'use --no-kmag')

    for text in args.module:
        name, _, params = text.partition(' ')
        if os.path.isfile(name):
            load([name], guest.modules, params)
        elif '/' in name or name.endswith('.ko'):
            raise SetupError(f'--module {name}: no such file')
        else:
            chain = in_tree.chain(name)
            if not chain:
                raise SetupError(f'--module {name}: neither a file nor a '
                                 'module of this kernel')
            load(chain, guest.modules, params)

    bins = os.path.join(ROOT, 'build/bin')
    if os.path.isdir(bins):
        for name in os.listdir(bins):
            guest.add(os.path.join(bins, name), 'bin/' + name)
    for text in args.file:
        source, _, name = text.partition(':')
        if not os.path.exists(source):
            raise SetupError(f'--file {source}: no such file')
        if not name:
            name = '/root/' + os.path.basename(source.rstrip('/'))
        elif name.endswith('/'):
            name += os.path.basename(source.rstrip('/'))
        if not name.startswith('/'):
            raise SetupError(f'--file {text}: the guest path must be absolute')
        guest.add(source, name)

    done = [line for line in guest.modules if line not in guest.early]
    guest.write('vm/early', ''.join(f'{line}\n' for line in guest.early))
    guest.write('vm/modules', ''.join(f'{line}\n' for line in done))
    # Whoever sets the number of CPUs on the command line gets that.
    named = {word.split('=')[0] for word in args.append.split()}
    guest.write('vm/cpus', '\n' if named & CPU_WORDS else f'{args.cpus}\n')
    guest.write('vm/patience',
                f'{max(int(args.timeout * 0.7) - 5, 2)}\n')
    guest.write('vm/command', '#!/bin/sh\nexec ' + shlex.join(args.command)
                + '\n', 0o755)
