# SPDX-License-Identifier: Apache-2.0
# The one entry: `make help` lists what there is.
SHELL := /bin/bash
JOBS ?= $(shell nproc)
PYTHON := .deps/python/bin/python

.DEFAULT_GOAL := build
.PHONY: help setup build dev test check tidy clang-tidy fmt errors real bench demo clean

help:        ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 20

setup:       ## install what a bare Debian 12 lacks; does nothing when all is there
	@tools/setup

build: setup ## build bin/freshet, which runs from anywhere
	@tools/build release freshet

test: setup  ## build with ASan and UBSan; unit, case and simulation tests
	@tools/build dev
	@ctest --test-dir build/dev --output-on-failure -j $(JOBS) -L 'unit|case|sim'

check: setup ## everything CI runs: format, linter, all tests, real servers, ThreadSanitizer
	@$(PYTHON) tools/check.py

tidy: setup  ## the repository's own linter
	@$(PYTHON) tools/tidy.py

clang-tidy: setup ## clang-tidy over the files changed since BASE (origin/main, else main)
	@tools/clang-tidy $(BASE)

fmt: setup   ## format every C++ file
	@tools/fmt

errors: setup ## write docs/errors.md from src/base/error_classes.def
	@$(PYTHON) tools/errors_doc.py

real: build  ## every test on real servers and readers, long ones too, on every PostgreSQL from 13 to 18
	@tools/build dev delta_tables postgres_real_test
	@tools/postgres-get --all
	@tools/postgres-get --extensions
	@tools/spark-setup
	@$(PYTHON) tools/real.py $(VERSIONS)

bench: build ## measure beside the rivals; see bench/results.md
	@bench/run

demo: build  ## a database of its own, ingested under live writes, compared by content
	@tools/demo

clean:       ## remove what was built
	rm -rf build bin lib
