#!/usr/bin/env bash
# Makes the pictures of docs/images from a real drill: mission control live (tui.png), its views from the run's
# recording (tui-room.png, tui-latency.png, tui-steer.png) and the report (report.png).
# Usage: tools/screenshots.sh [SCENARIO] [SECONDS UNTIL THE LIVE PICTURE]
set -euo pipefail
cd "$(dirname "$0")/.."
ticketctl=${TICKETCTL:-$PWD/target/drill/ticketctl}
scenario=${1:-scenarios/club-night.yaml}
seconds=${2:-24}
columns=140 lines=42

missing=()
for program in tmux aha chromium; do
    command -v "$program" >/dev/null || missing+=("$program")
done
if [ ${#missing[@]} -gt 0 ]; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get install -y --no-install-recommends "${missing[@]}" fonts-dejavu-core
    else
        echo "screenshots: please install ${missing[*]} (apt-get install ${missing[*]})" >&2
        exit 1
    fi
fi
[ -x "$ticketctl" ] || { echo "screenshots: no $ticketctl; \`make drill\` builds it, or set TICKETCTL" >&2; exit 1; }

work=$(mktemp -d)
session=urr-screenshots-$$
trap 'tmux kill-session -t "$session" 2>/dev/null || true; rm -rf "$work"' EXIT

screen() { # command: runs it in a terminal of its own
    tmux new-session -d -s "$session" -x "$columns" -y "$lines" "env -u NO_COLOR USER=mina LANG=C.UTF-8 COLORTERM=truecolor $1"
}
closed() { ! tmux has-session -t "$session" 2>/dev/null; }
take() { # name: what the terminal shows now, as a picture
    tmux capture-pane -e -p -t "$session" >"$work/$1.ansi"
    aha --black --title "$1" <"$work/$1.ansi" |
        sed 's/<pre>/<pre style="font: 15px\/1.17 DejaVu Sans Mono, monospace; margin: 12px">/' >"$work/$1.html"
    shoot "$work/$1.html" "$PWD/docs/images/$1.png" 1300,770
}
shoot() { # page, picture, size
    chromium --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --hide-scrollbars \
        --disable-background-networking --disable-component-update --disable-sync \
        --user-data-dir="$work/profile" --window-size="$3" --screenshot="$2" "file://$1" >/dev/null 2>&1
}
keys() { # keys, in tmux's names
    tmux send-keys -t "$session" "$@"
    sleep 1
}

mkdir -p docs/images
screen "'$ticketctl' drill '$scenario' --exit-when-done --out '$work/run'"
# Half a minute in, the line is long and seats are going.
sleep "$seconds"
take tui
keys S +
take tui-steer
keys Escape
until closed; do sleep 1; done

screen "'$ticketctl' watch --replay '$work/run/snapshots.ndjson'"
sleep 2
keys Space
keys : 's' 'e' 'e' 'k' Space 'T' '+' '1' '5' Enter
keys 2
take tui-room
keys 4
take tui-latency
keys q
shoot "$work/run/report.html" "$PWD/docs/images/report.png" 1200,1500
ls -l docs/images
