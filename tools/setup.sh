#!/usr/bin/env bash
# Installs the engines a drill or a test run starts as its own child processes; `setup.sh test` also
# Chromium, in which the waiting page is tested, and `setup.sh bench` also wrk, which the benchmarks
# compare with. Prints only when it has something to do. Needs Debian or Ubuntu and root for the
# installing; elsewhere it says what to install.
set -euo pipefail

missing=()
have_postgres() {
    command -v postgres >/dev/null && command -v initdb >/dev/null && return 0
    compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null
}
have_postgres || missing+=(postgresql)
command -v redis-server >/dev/null || missing+=(redis-server)
command -v setpriv >/dev/null || missing+=(util-linux)
[ "${1:-}" != bench ] || command -v wrk >/dev/null || missing+=(wrk)
command -v cc >/dev/null || missing+=(build-essential)
have_chromium() {
    [ -n "${URR_CHROMIUM:-}" ] && return 0
    local name
    for name in chromium chromium-browser google-chrome chrome; do
        command -v "$name" >/dev/null && return 0
    done
    return 1
}
if [ "${1:-}" = test ]; then
    have_chromium || missing+=(chromium)
fi

if ! command -v cargo >/dev/null; then
    echo "setup: cargo is missing; install Rust 1.95 or newer with rustup" >&2
    exit 1
fi
[ ${#missing[@]} -eq 0 ] && exit 0

if ! command -v apt-get >/dev/null || [ "$(id -u)" -ne 0 ]; then
    echo "setup: please install: ${missing[*]} (as root: apt-get install ${missing[*]})" >&2
    exit 1
fi
echo "setup: installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# RUNLEVEL=1 keeps Debian from starting servers of its own: we bring up private ones.
if ! { apt-get update && RUNLEVEL=1 apt-get install -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    echo "setup: installing ${missing[*]} failed, see above" >&2
    exit 1
fi
