//! Layers as they are sent: plain, gzip or zstd, told apart by their first bytes; what comes out is counted.

use crate::image::Refused;
use crate::image::refused::clip;
use flate2::bufread::MultiGzDecoder;
use std::io;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;

const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// What zstd's decoder passes over, with which `pzstd` begins; the first byte may be any of sixteen (RFC 8878, section 3.1.2).
const SKIPPED: [u8; 3] = [0x2a, 0x4d, 0x18];
/// Largest window of zstd, as a power of two: what `zstd --ultra -22` makes (128 MiB).
const ZSTD_WINDOW: u32 = 27;

/// How much may come out, each bound with its own reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// For every layer.
    pub layer: u64,
    /// For a layer of this length.
    pub ratio: u64,
    /// That length.
    pub compressed: u64,
    /// For this disk: what is free, and what stays free of it.
    pub free: u64,
    /// What stays free.
    pub reserve: u64,
}

impl Bounds {
    fn refusal(&self, passed: u64) -> Option<Refused> {
        if passed > self.layer {
            return Some(Refused::LayerSize { limit: self.layer });
        }
        if passed > self.ratio {
            return Some(Refused::Bomb { limit: self.ratio, compressed: self.compressed });
        }
        if passed > self.free.saturating_sub(self.reserve) {
            return Some(Refused::NoRoom { free: self.free, reserve: self.reserve });
        }
        None
    }
}

/// A layer, decompressed. Errors that lie in its bytes are [`Refused`] inside of the [`io::Error`].
pub struct Decompressed<'a> {
    inner: Box<dyn Read + 'a>,
    bounds: Bounds,
    passed: u64,
}

impl std::fmt::Debug for Decompressed<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decompressed").field("passed", &self.passed).finish_non_exhaustive()
    }
}

/// Begins to decompress.
///
/// # Errors
/// When the first bytes cannot be read.
pub fn decompress<'a>(reader: impl Read + 'a, bounds: Bounds) -> io::Result<Decompressed<'a>> {
    let mut reader = BufReader::with_capacity(128 << 10, reader);
    let first = reader.fill_buf()?;
    let inner: Box<dyn Read + 'a> = if first.starts_with(&GZIP) {
        Box::new(MultiGzDecoder::new(reader))
    } else if first.starts_with(&ZSTD) || is_skipped(first) {
        let mut decoder = zstd::stream::read::Decoder::with_buffer(reader)?;
        decoder.window_log_max(ZSTD_WINDOW)?;
        Box::new(decoder)
    } else {
        Box::new(reader)
    };
    Ok(Decompressed { inner, bounds, passed: 0 })
}

fn is_skipped(first: &[u8]) -> bool {
    matches!(first, [0x50..=0x5f, rest @ ..] if rest.starts_with(&SKIPPED))
}

impl Read for Decompressed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer).map_err(explained)?;
        self.passed += length as u64;
        self.bounds.refusal(self.passed).map_or(Ok(length), |refused| Err(io::Error::other(refused)))
    }
}

/// An error of the system stays what it is; all others are the decoder's, about its input.
fn explained(error: io::Error) -> io::Error {
    if error.raw_os_error().is_some() {
        return error;
    }
    io::Error::other(if error.kind() == io::ErrorKind::UnexpectedEof {
        Refused::Truncated { what: "in its compressed bytes".to_owned() }
    } else {
        Refused::Compression { why: clip(&error.to_string()) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::tar::WalkError;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;
    use std::io::Write as _;

    const WIDE: Bounds = Bounds { layer: 1 << 40, ratio: 1 << 40, compressed: 0, free: 1 << 40, reserve: 0 };

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        zstd::encode_all(bytes, 3).unwrap()
    }

    fn whole(bytes: &[u8], bounds: Bounds) -> Result<Vec<u8>, Refused> {
        let mut out = Vec::new();
        match decompress(bytes, bounds).unwrap().read_to_end(&mut out) {
            Ok(_length) => Ok(out),
            Err(error) => match WalkError::from(error) {
                WalkError::Refused(refused) => Err(refused),
                WalkError::Read(error) => panic!("{error}"),
            },
        }
    }

    fn text() -> Vec<u8> {
        (0..20_000_u32).flat_map(u32::to_le_bytes).collect()
    }

    #[test]
    fn every_kind_comes_out_as_it_went_in() {
        let text = text();
        let twice = [gzip(&text), gzip(&text)].concat();
        let frames = [zstd(&text), zstd(&text)].concat();
        // As `zstd:chunked` ends and `pzstd` begins.
        let skipped = [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3], zstd(&text).as_slice()].concat();
        let skipped = [skipped.as_slice(), &skipped[..11]].concat();
        let double = [text.clone(), text.clone()].concat();
        for (bytes, wanted) in [
            (&text, &text),
            (&gzip(&text), &text),
            (&zstd(&text), &text),
            (&twice, &double),
            (&frames, &double),
            (&skipped, &text),
        ] {
            assert!(whole(bytes, WIDE).unwrap() == *wanted);
        }
        assert_eq!(whole(b"", WIDE).unwrap(), b"");
    }

    #[test]
    fn cut_streams_are_refused_wherever_they_are_cut() {
        for bytes in [gzip(&text()), zstd(&text())] {
            for length in [5, 11, 100, bytes.len() / 2, bytes.len() - 1] {
                let refused = whole(&bytes[..length], WIDE).unwrap_err();
                assert_eq!(
                    refused,
                    Refused::Truncated { what: "in its compressed bytes".into() },
                    "{length}"
                );
            }
        }
    }

    #[test]
    fn damaged_streams_are_refused() {
        let mut bytes = gzip(&text());
        let sum = bytes.len() - 6;
        bytes[sum] ^= 1;
        assert!(matches!(whole(&bytes, WIDE).unwrap_err(), Refused::Compression { .. }));
        let garbage = [gzip(&text()), b"garbage".to_vec()].concat();
        assert!(matches!(
            whole(&garbage, WIDE).unwrap_err(),
            Refused::Compression { .. } | Refused::Truncated { .. }
        ));
        let mut bytes = zstd(&text());
        // A bit of the frame's header that must be zero.
        bytes[4] |= 8;
        assert!(matches!(whole(&bytes, WIDE).unwrap_err(), Refused::Compression { .. }));
    }

    #[test]
    fn bombs_are_refused_each_bound_with_its_reason() {
        let zeros = vec![0; 4 << 20];
        for bytes in [gzip(&zeros), zstd(&zeros)] {
            let compressed = bytes.len() as u64;
            let bomb = whole(&bytes, Bounds { ratio: 1 << 20, compressed, ..WIDE }).unwrap_err();
            assert_eq!(bomb, Refused::Bomb { limit: 1 << 20, compressed });
            let large = whole(&bytes, Bounds { layer: 1 << 20, ..WIDE }).unwrap_err();
            assert_eq!(large, Refused::LayerSize { limit: 1 << 20 });
            let full = whole(&bytes, Bounds { free: 2 << 20, reserve: 1 << 20, ..WIDE }).unwrap_err();
            assert_eq!(full, Refused::NoRoom { free: 2 << 20, reserve: 1 << 20 });
        }
    }

    proptest! {
        #[test]
        fn any_bytes_end(start in 0_usize..3, bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
            let start: &[u8] = [&[], &GZIP[..], &ZSTD[..]][start];
            let bounds = Bounds { layer: 1 << 20, ..WIDE };
            drop(whole(&[start, &bytes].concat(), bounds));
        }
    }
}
