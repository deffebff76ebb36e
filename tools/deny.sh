#!/usr/bin/env bash
# Runs cargo-deny, building the pinned version once into the user's cargo directory when missing.
set -euo pipefail
version=0.20.2
if ! cargo deny --version 2>/dev/null | grep -q " $version"; then
    echo "deny: building cargo-deny $version (once, about a minute on 2 cores)" >&2
    # An unoptimised build takes half the time and still checks 600 crates in seconds. The target
    # directory is thrown away; the program stays in cargo's bin directory.
    target=$(mktemp -d)
    trap 'rm -rf "$target"' EXIT
    CARGO_TARGET_DIR="$target" CARGO_PROFILE_DEV_DEBUG=0 \
        cargo install --quiet --locked --debug --no-default-features cargo-deny --version "$version"
fi
exec cargo deny "$@"
