//! Which kind of image some bytes are.

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;

/// Longest an image may be, bytes (api-contract.md section 8).
pub(super) const BYTES_MAX: usize = 5 * 1024 * 1024;
/// Of the hash so many bytes name an image: 128 bits collide for nobody.
const NAME_BYTES: usize = 16;

/// What browsers show and the contract takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Jpeg,
    Png,
    Webp,
    Gif,
}

impl Format {
    const ALL: [Self; 4] = [Self::Jpeg, Self::Png, Self::Webp, Self::Gif];

    /// By the first bytes, as the formats' specifications have them.
    pub(super) fn of(content: &[u8]) -> Option<Self> {
        match content {
            [0xFF, 0xD8, 0xFF, ..] => Some(Self::Jpeg),
            [0x89, b'P', b'N', b'G', 0x0D, 0x0A, 0x1A, 0x0A, ..] => Some(Self::Png),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Self::Webp),
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(Self::Gif),
            _ => None,
        }
    }

    const fn extension(self) -> &'static str {
        match self {
            Self::Jpeg => "jpg",
            Self::Png => "png",
            Self::Webp => "webp",
            Self::Gif => "gif",
        }
    }

    pub(crate) const fn content_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::Webp => "image/webp",
            Self::Gif => "image/gif",
        }
    }
}

/// An image that may be kept.
#[derive(Debug, Clone)]
pub(crate) struct Image {
    pub(crate) format: Format,
    /// `{hash}.{extension}`: harmless in a path and in a URL.
    pub(crate) name: String,
    pub(crate) content: Bytes,
}

impl Image {
    /// `None`: it is none of the formats.
    pub(super) fn of(content: Bytes) -> Option<Self> {
        let format = Format::of(&content)?;
        let mut name = String::with_capacity(2 * NAME_BYTES + 5);
        for byte in &Sha256::digest(&content)[..NAME_BYTES] {
            // Writing to a String cannot fail.
            let _ = write!(name, "{byte:02x}");
        }
        name.push('.');
        name.push_str(format.extension());
        Some(Self {
            format,
            name,
            content,
        })
    }

    /// The key it is stored under.
    pub(crate) fn key(&self) -> String {
        key(&self.name)
    }
}

pub(super) fn key(name: &str) -> String {
    format!("files/{name}")
}

/// The format `name` says, if it is a name of ours: a caller's path goes to the file system only through here.
pub(super) fn named(name: &str) -> Option<Format> {
    let (hash, extension) = name.split_once('.')?;
    let of_a_hash = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
    (hash.len() == 2 * NAME_BYTES && hash.bytes().all(of_a_hash))
        .then(|| {
            Format::ALL
                .into_iter()
                .find(|format| format.extension() == extension)
        })
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_what_its_bytes_say() {
        let gif = Image::of(Bytes::from_static(b"GIF89a............")).unwrap();
        assert_eq!((gif.format, gif.name.len()), (Format::Gif, 36));
        assert_eq!(named(&gif.name), Some(Format::Gif));
        assert_eq!(Format::of(b"RIFF\0\0\0\0WEBPVP8 "), Some(Format::Webp));
        assert_eq!(Format::of(b"\x89PNG\r\n\x1a\n\0"), Some(Format::Png));
        assert_eq!(Format::of(b"\xFF\xD8\xFF\xE0"), Some(Format::Jpeg));
        for other in [&b""[..], b"<svg>", b"GIF88a", b"RIFF\0\0\0\0WAVE", b"%PDF-1.7"] {
            assert_eq!(Format::of(other), None, "{other:?}");
        }
    }

    #[test]
    fn only_names_of_ours_are_names() {
        let hash = "0123456789abcdef0123456789abcdef";
        assert_eq!(named(&format!("{hash}.png")), Some(Format::Png));
        for name in [
            format!("{hash}.svg"),
            format!("{hash}.png.html"),
            format!("{}.png", hash.to_uppercase()),
            format!("../{hash}.png"),
            "../../etc/passwd".to_owned(),
            "a.png".to_owned(),
            hash.to_owned(),
        ] {
            assert_eq!(named(&name), None, "{name}");
        }
    }
}
