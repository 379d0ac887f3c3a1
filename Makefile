# SPDX-License-Identifier: GPL-2.0
# For people; what kbuild reads is Kbuild.
#
# make help says what there is.

# The kernel to build for; without it, Debian's newest 6.12 in the cache.
KDIR ?=

# Each is a set of tools/test/parts: the same tests on other kernels.
LANES := debug preempt rt up kcsan next

.PHONY: help setup modules tools man docs run test test-long test-lanes \
	$(LANES:%=test-%) kunit-uml check check-next bench bench-count bench-asm \
	bench-slow bench-memory clean

help:
	@echo 'make setup        install the ordinary tools that are missing (as root)'
	@echo 'make modules      build kmag here, for KDIR=... or the stock kernel'
	@echo 'make tools        build the companion, build/bin/kmag'
	@echo 'make man          its man page, build/kmag.1, and completion, build/kmag.bash'
	@echo 'make docs         the pages of Documentation, build/docs/index.html'
	@echo 'make run          record real work, replay it on kmag and SLUB, report'
	@echo 'make test         what each change must pass, in VMs'
	@echo 'make test-long    random calls, hotplug, no memory, kills: more of each'
	@echo 'make test-LANE    those that matter there on another kernel: debug, preempt,'
	@echo '                  rt, up, kcsan (data races), next (the newest that Debian has)'
	@echo 'make test-lanes   all of these'
	@echo 'make kunit-uml    the KUnit suites on user-mode Linux, in seconds'
	@echo 'make check        compiler warnings, sparse, checkpatch, kernel-doc, shellcheck'
	@echo 'make check-next   that kmag builds for that newest kernel'
	@echo 'make bench        what alloc, free and slow paths cost, and the bounds'
	@echo 'make bench-count  the same in instructions, on the stock kernel alone'
	@echo 'make bench-asm    the fast path, instruction by instruction'
	@echo 'make bench-slow   instructions where the fast path cannot go on'
	@echo 'make bench-memory what is held after a spike and a burst, on kmag and SLUB'
	@echo 'make clean        remove what was built here (not the cache folder)'

setup:
	@tools/setup

# One Module.symvers, at the root, is what a client module is built against.
modules:
	@kdir='$(KDIR)'; \
	if [ -z "$$kdir" ]; then \
		vars=$$(tools/vm/kernel stock) || exit; \
		kdir=$$(echo "$$vars" | sed -n 's/^KDIR=//p'); \
	fi; \
	$(MAKE) -C "$$kdir" M='$(CURDIR)' modules

tools: setup
	@$(MAKE) --no-print-directory -C tools/kmag

man: setup
	@$(MAKE) --no-print-directory -C tools/kmag man

docs: setup
	@tools/docs

run: setup tools
	@tools/run/run

test: setup tools
	@tools/test/run test

test-long: setup tools
	@tools/test/run long

$(LANES:%=test-%): setup tools
	@tools/test/run $(@:test-%=%)

test-lanes: setup tools
	@tools/test/run $(LANES)

check-next: setup
	@tools/test/run next --only kernel-next --only build-next

kunit-uml: setup
	@tools/test/run uml

check: setup
	@tools/test/run check

# The one is to be seen whatever the other says.
bench: setup tools
	@status=0; tools/bench/run || status=$$?; echo; \
	tools/bench/slow || status=$$?; exit $$status

bench-count: setup tools
	@tools/bench/run --lane count --kernel stock

bench-asm: setup
	@tools/bench/asm

bench-slow: setup tools
	@tools/bench/slow

bench-memory: setup tools
	@tools/bench/memory

clean:
	@rm -rf build
	@find . -path ./.git -prune -o -type f \
		\( -name '*.o' -o -name '*.ko' -o -name '*.mod' -o -name '*.mod.c' \
		-o -name '.*.cmd' -o -name '.*.o.d' -o -name modules.order \
		-o -name Module.symvers -o -name '.checkpatch-camelcase.*' \) \
		-exec rm -f {} +
	@find . -path ./.git -prune -o -type d -name __pycache__ -exec rm -rf {} +
