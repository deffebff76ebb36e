//! Server-sent events, as much of them as the control plane speaks: `data:` lines up to a blank
//! one. Pure and bounded: bytes in, documents out.

/// Longest event accepted. A snapshot of a hall with a thousand sections is below 100 KB.
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// An event was longer than anything the control plane sends.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("an event of more than {MOST_BYTES} bytes")]
pub(super) struct TooLong;

/// Collects bytes into events.
#[derive(Debug, Default)]
pub(super) struct Parser {
    line: Vec<u8>,
    data: Vec<u8>,
    has_data: bool,
}

impl Parser {
    /// Takes in bytes, gives out the `data` of every event they complete.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<Vec<Vec<u8>>, TooLong> {
        let mut events = Vec::new();
        for &byte in bytes {
            if byte != b'\n' {
                if self.line.len() + self.data.len() >= MOST_BYTES {
                    return Err(TooLong);
                }
                self.line.push(byte);
                continue;
            }
            if self.line.last() == Some(&b'\r') {
                self.line.pop();
            }
            if self.line.is_empty() {
                if std::mem::take(&mut self.has_data) {
                    events.push(std::mem::take(&mut self.data));
                }
                continue;
            }
            if let Some(value) = self.line.strip_prefix(b"data:") {
                if self.has_data {
                    self.data.push(b'\n');
                }
                self.data
                    .extend_from_slice(value.strip_prefix(b" ").unwrap_or(value));
                self.has_data = true;
            }
            // Comments (keep-alive), event names and ids carry nothing a snapshot needs.
            self.line.clear();
        }
        Ok(events)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_survive_any_cut() {
        let wire = b": keep-alive\n\nevent: snapshot\r\ndata: {\"a\":1}\r\n\r\ndata: x\ndata: y\n\n";
        for cut in 0..wire.len() {
            let mut parser = Parser::default();
            let mut events = parser.push(&wire[..cut]).unwrap();
            events.extend(parser.push(&wire[cut..]).unwrap());
            assert_eq!(events, [b"{\"a\":1}".to_vec(), b"x\ny".to_vec()], "cut at {cut}");
        }
    }

    #[test]
    fn an_endless_line_is_refused() {
        let mut parser = Parser::default();
        assert_eq!(parser.push(&vec![b'x'; MOST_BYTES + 1]), Err(TooLong));
    }
}
