//! A request's path as the strictest origin would read it.
//!
//! A guard that reads `/%73hop` differently from the server behind it is no guard. So segments are
//! decoded, empty ones and matrix parameters dropped, case ignored; and a path that servers read
//! in different ways (`..`, an encoded slash, a backslash, a control character) is not passed on.

/// A path that servers disagree about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ambiguous;

/// The segments of `path`, decoded and in lower case.
pub(super) fn segments(path: &str) -> Result<Vec<String>, Ambiguous> {
    path.split('/')
        .map(|raw| raw.split(';').next().unwrap_or_default())
        .map(decode)
        .filter(|segment| segment.as_ref().map_or(true, |segment| !segment.is_empty()))
        .collect()
}

fn decode(raw: &str) -> Result<String, Ambiguous> {
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = (hex(rest.next()), hex(rest.next()));
        let (Some(high), Some(low)) = digits else {
            return Err(Ambiguous);
        };
        bytes.push(high * 16 + low);
    }
    // A second layer of encoding is decoded by some servers too.
    if bytes
        .iter()
        .any(|byte| matches!(byte, b'/' | b'\\' | b'%' | 0..=0x1f | 0x7f))
    {
        return Err(Ambiguous);
    }
    let text = String::from_utf8(bytes).map_err(|_| Ambiguous)?;
    if matches!(text.as_str(), "." | "..") {
        return Err(Ambiguous);
    }
    Ok(text.to_lowercase())
}

fn hex(digit: Option<u8>) -> Option<u8> {
    char::from(digit?)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_path_is_one_path() {
        for path in [
            "/shop/buy",
            "//shop///buy/",
            "/%73hop/buy",
            "/Shop/BUY",
            "/shop;v=1/buy",
        ] {
            assert_eq!(segments(path).unwrap(), ["shop", "buy"], "{path}");
        }
    }

    #[test]
    fn what_servers_read_differently_is_not_passed_on() {
        for path in [
            "/x/../shop",
            "/./shop",
            "/x/%2e%2e/shop",
            "/x%2fshop",
            "/x\\shop",
            "/%5cshop",
            "/%2573hop",
            "/%zz",
            "/%7",
            "/%00",
            "/%ff",
            "/..;/shop",
        ] {
            assert_eq!(segments(path), Err(Ambiguous), "{path}");
        }
    }
}
