# One set of verbs for people and for CI. Each does its own set-up: Python 3.11 or later and Rust are all it asks for.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
export PATH := $(HOME)/.cargo/bin:$(PATH)
# Cargo builds for the interpreter of the virtual environment, in every target alike, so that nothing is built twice.
export PYO3_PYTHON := $(abspath $(BIN)/python)

# The first interpreter that runs and is new enough; `make PYTHON=/usr/bin/python3.13 build` takes another.
PYTHON ?= $(shell for p in python3.11 python3 python3.12 python3.13 python3.14; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo "$$p"; break; }; done)

RUST_SOURCES := $(shell find rust -name '*.rs' -o -name 'Cargo.toml') Cargo.toml Cargo.lock

# What `make fuzz` spends on each target, in seconds.
FUZZ_SECONDS ?= 30
FUZZ_TARGETS := load iptables_save nft packet pcap

.PHONY: help build demo test lint golden fuzz kernel kernel-bench bench clean

help: ## list these targets
	@echo "make TARGET, where TARGET is one of:"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' Makefile | expand -t 12

build: $(VENV)/.built ## make .venv and the package in it (release build)

demo: $(VENV)/.built ## show a Service find its Pods, its rules, a packet there and back, and the index at work
	@PATH="$(abspath $(BIN)):$$PATH" bash examples/mysql/demo.sh

test: $(VENV)/.built ## run all tests that need neither root nor a network namespace
	cargo test --quiet --workspace
	$(BIN)/python -m pytest -n auto -m "not kernel"

lint: $(VENV)/.built ## rustfmt, clippy, ruff, mypy and stubtest; each warning is an error
	cargo fmt --all --check
	cargo clippy --quiet --workspace --all-targets -- -D warnings
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/python -m mypy
	$(BIN)/python -m mypy.stubtest kdp._core

golden: $(VENV)/.built ## compare recorded outputs; KDP_UPDATE=1 make golden rewrites them: read the diff before you commit it
	$(BIN)/python -m pytest -m golden

kernel: $(VENV)/.built ## compare with the Linux kernel (root); packets=1000000: that many, and write docs/drift.md
	@[ "$$(id -u)" = 0 ] || { echo "make kernel: needs root, for network namespaces: sudo make kernel" >&2; exit 1; }
	@for tool in ip iptables-restore iptables-save ip6tables-restore nft conntrack; do command -v $$tool >/dev/null || \
		{ echo "make kernel: needs $$tool: apt-get install iptables nftables conntrack iproute2" >&2; exit 1; }; done
	@ip netns add kdp-probe-$$$$ && ip netns del kdp-probe-$$$$ || \
		{ echo "make kernel: this machine cannot make a network namespace (ip netns add)" >&2; exit 1; }
	KDP_KERNEL_PACKETS=$(or $(packets),0) $(BIN)/python -m pytest -m kernel $(if $(packets),tests/kernel/test_differential.py)

kernel-bench: $(VENV)/.built ## one packet at a time through 1,000 Services' rules, kdp beside the kernel (root)
	@[ "$$(id -u)" = 0 ] || { echo "make kernel-bench: needs root, for network namespaces" >&2; exit 1; }
	$(BIN)/python -m tests.kernel.bench

fuzz: ## run each fuzz target for FUZZ_SECONDS (30)
	@cargo +nightly --version >/dev/null 2>&1 || \
		{ echo "make fuzz: needs a nightly toolchain: rustup toolchain install nightly" >&2; exit 1; }
	@cargo +nightly fuzz --version >/dev/null 2>&1 || \
		{ echo "make fuzz: needs cargo-fuzz: cargo install cargo-fuzz" >&2; exit 1; }
	@for target in $(FUZZ_TARGETS); do echo "fuzz $$target, $(FUZZ_SECONDS) s"; mkdir -p fuzz/corpus/$$target; \
		cargo +nightly fuzz run $$target fuzz/corpus/$$target fuzz/seeds/$$target -- -max_total_time=$(FUZZ_SECONDS) -rss_limit_mb=2048 -print_final_stats=1; done

bench: $(VENV)/.built ## run the benchmarks (minutes; a quiet machine gives better figures)
	cargo run --quiet --release -p kdp-limits
	$(BIN)/python -m pytest benches --benchmark-enable --benchmark-only

clean: ## remove .venv and what cargo built
	rm -rf $(VENV) target python/kdp/_core*.so

# The virtual environment. Its stamp is older than pyproject.toml only when the dependencies may have changed.
$(VENV)/.made: pyproject.toml
	@[ -n "$(PYTHON)" ] || { echo "make: no Python 3.11 or later on PATH (PYTHON=/path/to/python names one)" >&2; exit 1; }
	@command -v cargo >/dev/null || { echo "make: no cargo on PATH: https://rustup.rs installs Rust" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "make: $(PYTHON) has no venv module: apt-get install python3-venv" >&2; exit 1; }
	@[ -x $(BIN)/python ] || { echo "making $(VENV) with $(PYTHON)"; $(PYTHON) -m venv $(VENV); }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check 'maturin>=1.9,<2'
	@touch $@

# The package, editable: a change in Python needs no build, a change in Rust builds what it touches.
$(VENV)/.built: $(VENV)/.made $(RUST_SOURCES)
	@echo "building kdp (release; the first time takes a minute or two)"
	@PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--no-build-isolation --editable '.[dev]'
	@touch $@
