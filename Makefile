# SPDX-License-Identifier: MIT
# Everything happens in .venv and build/. After `make build` the C files are compiled again, if
# need be, whenever Python imports twinroute.
.DEFAULT_GOAL := help
.PHONY: help demo test gates-update bench bench-compare fuzz test-vm conformance lint format build install clean FORCE

# meson-python looks for meson and ninja in the path.
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export CC = gcc
bin := .venv/bin
installed := .venv/installed-pyproject.toml
editable := build/editable/installed

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /make \1\t/p' Makefile | expand -t 14

demo: build ## show the router at work in the simulator
	@$(bin)/twinroute demo

test: $(editable) ## check everything: format, lint, types, all tests, also with sanitizers
	@$(bin)/meson configure build/editable -Dwerror=true
	@$(bin)/ninja --quiet -C build/editable
	.ci/lint
	$(bin)/python -m pytest
	.ci/sanitize
	.ci/threads
	.ci/fuzz

gates-update: build ## store what the fast path costs now, which the tests hold it to
	$(bin)/python -m twinroute.perf.gates --update

bench: $(editable) ## measure what a packet costs, next to DPDK's own too: out/bench
	@.ci/install bench
	$(bin)/python -m twinroute.perf.bench

bench-compare: $(editable) ## tell whether commit B=... is faster than commit A=...
	@$(bin)/python -m twinroute.perf.compare $(A) $(B)

fuzz: $(editable) ## fuzz the core for long, SECONDS=3600: out/fuzz
	@.ci/install fuzz
	.ci/fuzz $(or $(SECONDS),3600)

test-vm: $(editable) ## test on real drivers in a virtual machine, with what that needs
	@.ci/install vm
	$(bin)/python -m pytest tests/vm

conformance: $(editable) ## prove the router against the RFCs, mutants too: out/conformance
	$(bin)/twinroute conformance --mutants --report out/conformance

lint: install ## check format, lint rules and types
	@.ci/lint

format: install ## format the C and Python files
	@$(bin)/ruff check --quiet --fix-only .
	@$(bin)/ruff format --quiet .
	@find core *_backend perf tests -name '*.[ch]' -print0 | xargs -0 -r $(bin)/clang-format -i

build: $(editable) ## compile, and put twinroute into .venv
	@$(bin)/ninja --quiet -C build/editable

install: $(installed) ## install the Debian and Python packages needed

# Always asked, it touches the file only if there was something to do.
$(installed): FORCE
	@.ci/install

$(editable): $(installed)
	@echo "build: installing twinroute into .venv"
	@$(bin)/pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps \
		--editable . --config-settings=build-dir=build/editable
	@touch $@

clean: ## remove all that was made, except .venv
	rm -rf build out .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
