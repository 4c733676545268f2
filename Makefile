# What a developer runs, and what CI runs. Every target sets up what it needs
# on a Debian 12 that has only ca-certificates, git and make.
#
#   make build            the three programs, optimised, in build/release/bin
#   make demo             a real three-replica cluster that loses its leader
#   make demo ONESHOT=1   the same, ends by itself; status 0 or 1
#   make test             everything that must pass before a commit
#   make compat           the official Java and Go clients, unmodified
#   make test-full        test with thousands of seeds and long tests, compat
#   make clean
#
# JOBS=N limits parallel compilation.

SHELL := /bin/bash
JOBS ?= $(shell nproc)
PROGRAMS := totora-namesrv totora-broker totora

.DEFAULT_GOAL := build
.PHONY: build demo test test-full compat clean build-packages

build-packages:
	@tools/install_packages.sh build

build: build-packages
	cmake --preset release
	cmake --build build/release -j$(JOBS) --target $(PROGRAMS)

demo: build
	@ONESHOT=$(ONESHOT) tools/demo.sh

test:
	@JOBS=$(JOBS) tools/test.sh

compat: build
	@tests/compat/run.sh $(COMPAT_ARGS)

test-full:
	@JOBS=$(JOBS) TOTORA_TEST_FULL=1 tools/test.sh
	@$(MAKE) --no-print-directory compat

clean:
	rm -rf build tests/compat/java/target
