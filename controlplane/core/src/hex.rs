//! Fixed-length byte strings as hexadecimal text, as digests stand on the wire.

/// The bytes that `text` writes, if it is exactly `N` of them; either case.
#[must_use]
pub fn parse<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * N {
        return None;
    }
    let value = |digit: u8| char::from(digit).to_digit(16);
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = u8::try_from(value(pair[0])? << 4 | value(pair[1])?).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn only_exactly_n_bytes_are_read() {
        assert_eq!(parse("00fFa1"), Some([0, 0xff, 0xa1]));
        for text in ["", "00ff", "00ffa", "00ffag", "00ffa100", "+0ffa1"] {
            assert_eq!(parse::<3>(text), None, "{text}");
        }
    }
}
