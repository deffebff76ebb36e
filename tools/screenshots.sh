#!/usr/bin/env bash
# Makes docs/images/tui.png and docs/images/report.png from a real drill. Needs tmux, aha and chromium
# (apt-get install tmux aha chromium) and a built drill (`make drill` once).
set -euo pipefail
cd "$(dirname "$0")/.."
for program in tmux aha chromium; do
    command -v "$program" >/dev/null || { echo "screenshots: please install $program" >&2; exit 1; }
done
scenario=${1:-scenarios/club-night.yaml}
work=$(mktemp -d)
session=urr-screenshots-$$
trap 'tmux kill-session -t "$session" 2>/dev/null || true; rm -rf "$work"' EXIT

tmux new-session -d -s "$session" -x 140 -y 42 \
    "COLORTERM=truecolor target/drill/ticketctl drill $scenario --exit-when-done --out $work/run"
# Half a minute in, the line is long and seats are going.
sleep "${2:-24}"
tmux capture-pane -e -p -t "$session" >"$work/tui.ansi"
while tmux has-session -t "$session" 2>/dev/null; do sleep 1; done

aha --black --title "ticketctl drill" <"$work/tui.ansi" |
    sed 's/<pre>/<pre style="font: 15px\/1.25 DejaVu Sans Mono, monospace; margin: 12px">/' >"$work/tui.html"
shoot() { # page, picture, size
    chromium --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --hide-scrollbars \
        --disable-background-networking --disable-component-update --disable-sync \
        --user-data-dir="$work/profile" --window-size="$3" --screenshot="$2" "file://$1" >/dev/null 2>&1
}
mkdir -p docs/images
shoot "$work/tui.html" "$PWD/docs/images/tui.png" 1300,820
shoot "$work/run/report.html" "$PWD/docs/images/report.png" 1200,1500
ls -l docs/images
