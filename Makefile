# The commands of this repository. Each brings what it needs (tools/setup.sh) and says how long it took.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

SCENARIO ?= scenarios/club-night.yaml
DRILL_FLAGS ?=
# Guards that tests switch off on purpose exist only with this feature.
TEST_FEATURES := --features ticketctl/sabotage,urr-operator/sabotage

# Private items are documented too, so links between them are sound.
DOC_FLAGS := -D warnings -A rustdoc::private_intra_doc_links

timed = start=$$(date +%s); trap 'echo "make $@: $$(( $$(date +%s) - start )) s"' EXIT;

.PHONY: help setup drill million test check cluster cluster-demo bench fmt deny advisories crds clean-runs

help: ## This list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

setup: ## Install PostgreSQL and Redis where they are missing
	@tools/setup.sh

# Without ticketctl's feature `cluster`: a drill needs no Kubernetes client and builds a minute sooner.
drill: ## Open a sale with simulated visitors, show it, audit it (SCENARIO=..., DRILL_FLAGS=--plain)
	@$(timed) tools/setup.sh; \
	echo "building the drill (a fresh clone takes a few minutes on 2 cores) ..."; \
	cargo build --profile drill --locked -p ticketctl --no-default-features; \
	echo "built after $$(( $$(date +%s) - start )) s"; \
	target/drill/ticketctl drill $(SCENARIO) $(DRILL_FLAGS)

# Wants every cycle of two cores, so it is built as what is deployed, and draws no screen.
million: ## A million visitors for a stadium of 60,000 on this machine (release build)
	@$(timed) tools/setup.sh; \
	echo "building for release, as one program (half an hour on 2 cores, once) ..."; \
	cargo build --release --locked -p ticketctl --no-default-features; \
	echo "built after $$(( $$(date +%s) - start )) s"; \
	target/release/ticketctl drill scenarios/million.yaml --plain

test: ## All tests on real engines, doc tests, documentation without warnings
	@$(timed) tools/setup.sh test; \
	tools/kube.sh >/dev/null; \
	cargo test --locked --workspace $(TEST_FEATURES); \
	RUSTDOCFLAGS="$(DOC_FLAGS)" cargo doc --locked --workspace --no-deps --document-private-items

check: ## Formatting, lints, licences: what CI refuses
	@$(timed) cargo fmt --all -- --check; \
	cargo clippy --locked --workspace --all-targets $(TEST_FEATURES) -- -D warnings; \
	cargo clippy --locked -p ticketctl --no-default-features -- -D warnings; \
	tools/deny.sh check licenses bans sources

advisories: ## Known vulnerabilities (needs the advisory database's network)
	@tools/deny.sh check advisories

cluster: ## A real Kubernetes control plane with fake nodes, until Ctrl-C
	@cargo run --locked -q -p urr-testkit --bin cluster -- up

# Two minutes of sale; the control plane's programs are built once, by the first that needs them.
cluster-demo: ## A whole sale in two minutes on a real Kubernetes control plane, driven by kubectl apply
	@$(timed) tools/setup.sh; tools/kube.sh >/dev/null; \
	cargo build --locked -p ticketctl -p urr-operator -p urr-testkit --bins; \
	"$${CARGO_TARGET_DIR:-target}/debug/cluster" demo

bench: ## Ratios against stated baselines; writes target/bench.json
	@$(timed) tools/setup.sh bench; \
	tools/kube.sh >/dev/null; \
	cargo build --locked --release -p urr-bench -p urr-operator -p ticketctl --no-default-features; \
	"$${CARGO_TARGET_DIR:-target}/release/urr-bench"

fmt: ## Format everything
	@cargo fmt --all

crds: ## Regenerate manifests/crds from the types
	@cargo run --locked -q -p urr-operator --bin operator -- crd --out manifests/crds

clean-runs: ## Remove reports of earlier drills
	@rm -rf runs
