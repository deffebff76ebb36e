# The commands of this repository. Each brings what it needs (tools/setup.sh) and says how long it took.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

SCENARIO ?= scenarios/club-night.yaml
DRILL_FLAGS ?=
# Guards that tests switch off on purpose exist only with this feature.
TEST_FEATURES := --features ticketctl/sabotage

# Private items are documented too, so links between them are sound.
DOC_FLAGS := -D warnings -A rustdoc::private_intra_doc_links

timed = start=$$(date +%s); trap 'echo "make $@: $$(( $$(date +%s) - start )) s"' EXIT;

.PHONY: help setup drill test check cluster bench fmt deny advisories crds clean-runs

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

test: ## All tests on real engines, doc tests, documentation without warnings
	@$(timed) tools/setup.sh test; \
	tools/kube.sh >/dev/null; \
	cargo test --locked --workspace $(TEST_FEATURES); \
	RUSTDOCFLAGS="$(DOC_FLAGS)" cargo doc --locked --workspace --no-deps --document-private-items

check: ## Formatting, lints, licences: what CI refuses
	@$(timed) cargo fmt --all -- --check; \
	cargo clippy --locked --workspace --all-targets $(TEST_FEATURES) -- -D warnings; \
	tools/deny.sh check licenses bans sources

advisories: ## Known vulnerabilities (needs the advisory database's network)
	@tools/deny.sh check advisories

cluster: ## A real Kubernetes control plane with fake nodes, until Ctrl-C
	@cargo run --locked -q -p urr-testkit --bin cluster -- up

bench: ## Ratios against stated baselines; writes target/bench.json
	@$(timed) tools/setup.sh bench; cargo run --locked --release -p urr-bench

fmt: ## Format everything
	@cargo fmt --all

crds: ## Regenerate manifests/crds from the types
	@cargo run --locked -q -p urr-operator --bin operator -- crd --out manifests/crds

clean-runs: ## Remove reports of earlier drills
	@rm -rf runs
