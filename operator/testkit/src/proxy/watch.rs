//! The stream of a watch, event by event: one JSON object a line.

use super::faults::{Faults, WatchEvent, WatchFault};
use bytes::Bytes;
use serde::Deserialize;
use std::time::Duration;

/// What comes of a piece of the stream.
pub(super) struct Passed {
    /// What goes on to the caller.
    pub(super) bytes: Bytes,
    /// How long to wait before it does.
    pub(super) delay: Duration,
    /// The watch ends after it.
    pub(super) cut: bool,
}

/// Takes a watch's stream apart and leaves out what shall not arrive.
pub(super) struct Filter {
    faults: Faults,
    /// The beginning of an event whose end has not come yet.
    rest: Vec<u8>,
}

#[derive(Deserialize)]
struct Line {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    object: Object,
}

#[derive(Deserialize, Default)]
struct Object {
    #[serde(default)]
    kind: String,
    #[serde(default)]
    metadata: Metadata,
}

#[derive(Deserialize, Default)]
struct Metadata {
    #[serde(default)]
    name: String,
}

impl Filter {
    pub(super) const fn new(faults: Faults) -> Self {
        Self {
            faults,
            rest: Vec::new(),
        }
    }

    pub(super) fn pass(&mut self, piece: &[u8]) -> Passed {
        self.rest.extend_from_slice(piece);
        let mut passed = Vec::new();
        let mut delay = Duration::ZERO;
        let mut cut = false;
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            match event(&line).and_then(|event| self.faults.watch_fault(&event)) {
                Some(WatchFault::Drop) => {}
                Some(WatchFault::Delay(by)) => {
                    delay = delay.max(by);
                    passed.extend(line);
                }
                Some(WatchFault::Cut) => {
                    cut = true;
                    break;
                }
                None => passed.extend(line),
            }
        }
        Passed {
            bytes: passed.into(),
            delay,
            cut,
        }
    }
}

fn event(line: &[u8]) -> Option<WatchEvent> {
    let Line { kind, object } = serde_json::from_slice(line).ok()?;
    Some(WatchEvent {
        kind,
        object_kind: object.kind,
        name: object.metadata.name,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_event_is_missing_whatever_the_pieces_and_the_others_come_whole() {
        let stream = b"{\"type\":\"ADDED\",\"object\":{\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\"}}}\n\
            {\"type\":\"MODIFIED\",\"object\":{\"kind\":\"Pod\",\"metadata\":{\"name\":\"b\"}}}\n\
            {\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"Pod\",\"metadata\":{}}}\n";
        for size in [1, 7, stream.len()] {
            let faults = Faults::default();
            faults.for_watch_events(|event| (event.name == "b").then_some(WatchFault::Drop));
            let mut filter = Filter::new(faults);
            let passed: Vec<u8> = stream
                .chunks(size)
                .flat_map(|piece| filter.pass(piece).bytes.to_vec())
                .collect();
            let text = String::from_utf8(passed).unwrap();
            assert_eq!(text.lines().count(), 2, "{text}");
            assert!(text.contains("\"a\"") && text.contains("BOOKMARK") && !text.contains("\"b\""));
        }
    }

    #[test]
    fn a_cut_ends_the_watch_before_its_event() {
        let faults = Faults::default();
        faults.for_watch_events(|event| (event.kind == "DELETED").then_some(WatchFault::Cut));
        let mut filter = Filter::new(faults);
        let passed = filter.pass(b"{\"type\":\"ADDED\"}\n{\"type\":\"DELETED\"}\n{\"type\":\"ADDED\"}\n");
        assert!(passed.cut);
        assert_eq!(passed.bytes.as_ref(), b"{\"type\":\"ADDED\"}\n");
    }
}
