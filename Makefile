# What a developer runs, and what CI runs. Every target sets up what it needs
# on a Debian 12 that has only ca-certificates, git and make.
#
#   make build            the three programs, optimised, in build/release/bin
#   make demo             a real three-replica cluster that loses its leader
#   make demo ONESHOT=1   the same, ends by itself; status 0 or 1
#   make test             everything that must pass before a commit
#   make compat           the official clients of both protocols, unmodified (20 min)
#   make compat-classic   only those of the classic protocol
#   make mqadmin          RocketMQ's mqadmin, its output compared with RocketMQ's
#   make bench-rocketmq   RocketMQ's benchmark producer against RocketMQ and against Totora (10 min)
#   make deb              a Debian package of the programs, in build/packages
#   make image            a container image of them, as an archive that engines load
#   make package-test     package, image and deploy/compose.yaml, installed and run (5 min)
#   make test-full        test with thousands of seeds and long tests, compat in its longer form, mqadmin
#   make clean
#
# JOBS=N limits parallel compilation. BIN_DIR=D packs the programs in D as they are.

SHELL := /bin/bash
JOBS ?= $(shell nproc)
PROGRAMS := totora-namesrv totora-broker totora
# What is packed is built first, unless BIN_DIR says that it is there.
PACKED := $(if $(BIN_DIR),,build)
export BIN_DIR := $(or $(BIN_DIR),$(CURDIR)/build/release/bin)

.DEFAULT_GOAL := build
.PHONY: build demo test test-full compat compat-classic mqadmin bench-rocketmq \
  deb image package-test clean build-packages

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

compat-classic: build
	@tests/compat/run.sh classic $(COMPAT_ARGS)

mqadmin: build
	@tests/compat/mqadmin/run.sh $(MQADMIN_ARGS)

bench-rocketmq: build
	@tools/bench_rocketmq/run.sh $(BENCH_ARGS)

deb: $(PACKED)
	@tools/install_packages.sh deb
	@packaging/build_deb.sh

image: $(PACKED)
	@tools/install_packages.sh image
	@packaging/build_image.py --bin $(BIN_DIR)

package-test: $(PACKED)
	@tests/packages/run.sh $(PACKAGE_TESTS)

test-full:
	@JOBS=$(JOBS) TOTORA_TEST_FULL=1 tools/test.sh
	@TOTORA_TEST_FULL=1 $(MAKE) --no-print-directory compat
	@$(MAKE) --no-print-directory mqadmin

clean:
	rm -rf build tests/compat/*/target tests/compat/*/bin tests/compat/node/node_modules
