//! What a file has that the same file of an earlier release had not.
//!
//! ```text
//! control stored u32 │ sums stored u32 │ control │ sums │ new bytes        (each a zstd frame)
//! control: steps of (sums u32, new u32, move i32)
//! ```
//!
//! A step takes so many bytes of the base and adds a byte of `sums` to each, then takes so many new bytes, then moves in the base. Only the first may take none. Where the
//! linker moved code, most sums are zero and the others repeat: they compress well. That is the idea of bsdiff.

use std::fs::File;
use std::io;
use std::io::Read;
use std::os::unix::fs::FileExt;
use zstd::stream::read::Decoder;

/// Windows of the frames, as a power of two: what each of three decoders keeps in memory.
pub(crate) const WINDOW_LOG: u32 = 21;
/// What is read of the base at once, in bytes.
const PIECE: usize = 64 << 10;
/// A step, in bytes.
const STEP: usize = 12;

/// A file of an earlier release, read where it lies.
pub(crate) trait Old {
    /// Fills the buffer from there on.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;
}

/// A difference cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DifferenceError {
    /// It ends early, goes on, or is no zstd.
    #[error("the difference is broken")]
    Broken,
    /// A step leads out of the base or beyond the end.
    #[error("the difference has a step that cannot be right")]
    Step,
    /// The base cannot be read.
    #[error("the file of the running system cannot be read ({0})")]
    Base(io::ErrorKind),
}

impl Old for File {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.read_exact_at(buffer, offset)
    }
}

impl Old for [u8] {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let part = start.checked_add(buffer.len()).and_then(|end| self.get(start..end));
        buffer.copy_from_slice(part.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

/// Makes the new file, of exactly `length` bytes. Each step but the first gives something, so there are no more than bytes.
pub(crate) fn apply(
    body: &[u8],
    base: &(impl Old + ?Sized),
    base_length: u32,
    length: u32,
) -> Result<Vec<u8>, DifferenceError> {
    let length = usize::try_from(length).map_err(|_wide| DifferenceError::Step)?;
    let mut parts = Parts::of(body)?;
    let mut content = Vec::with_capacity(length);
    let (mut position, mut is_first) = (0_i64, true);
    while content.len() < length {
        let [sums, new, move_by] = parts.step()?;
        let (sums, new) = (u32::from_le_bytes(sums), u32::from_le_bytes(new));
        let [sums_length, new_length] = [sums, new].map(|count| usize::try_from(count).unwrap_or(usize::MAX));
        let end = content.len().saturating_add(sums_length).saturating_add(new_length);
        let from = u64::try_from(position).map_err(|_negative| DifferenceError::Step)?;
        let to = from.saturating_add(u64::from(sums));
        let is_empty = end == content.len() && !is_first;
        is_first = false;
        if is_empty || end > length || to > u64::from(base_length) {
            return Err(DifferenceError::Step);
        }
        parts.sum(base, (from, sums_length), &mut content)?;
        fill(&mut parts.new, new_length, &mut content)?;
        position =
            i64::try_from(to).unwrap_or(i64::MAX).saturating_add(i64::from(i32::from_le_bytes(move_by)));
    }
    parts.end()?;
    Ok(content)
}

struct Parts<'a> {
    control: Decoder<'static, &'a [u8]>,
    sums: Decoder<'static, &'a [u8]>,
    new: Decoder<'static, &'a [u8]>,
    buffer: Vec<u8>,
}

impl<'a> Parts<'a> {
    fn of(body: &'a [u8]) -> Result<Self, DifferenceError> {
        let mut rest = body;
        let mut length = || {
            let (bytes, left) = rest.split_first_chunk().ok_or(DifferenceError::Broken)?;
            rest = left;
            usize::try_from(u32::from_le_bytes(*bytes)).map_err(|_wide| DifferenceError::Broken)
        };
        let (control, sums) = (length()?, length()?);
        let (control, rest) = rest.split_at_checked(control).ok_or(DifferenceError::Broken)?;
        let (sums, new) = rest.split_at_checked(sums).ok_or(DifferenceError::Broken)?;
        let buffer = vec![0; PIECE];
        Ok(Self { control: decoder(control)?, sums: decoder(sums)?, new: decoder(new)?, buffer })
    }

    fn step(&mut self) -> Result<[[u8; 4]; 3], DifferenceError> {
        let mut step = [[0; 4]; STEP / 4];
        self.control.read_exact(step.as_flattened_mut()).map_err(|_error| DifferenceError::Broken)?;
        Ok(step)
    }

    /// Bytes of the base from `from` on, each with a byte added.
    fn sum(
        &mut self,
        base: &(impl Old + ?Sized),
        (mut from, mut left): (u64, usize),
        content: &mut Vec<u8>,
    ) -> Result<(), DifferenceError> {
        while left > 0 {
            let count = left.min(PIECE);
            let start = content.len();
            fill(&mut self.sums, count, content)?;
            let old = self.buffer.get_mut(..count).unwrap_or_default();
            base.read_at(from, old).map_err(|error| DifferenceError::Base(error.kind()))?;
            for (byte, old) in content.get_mut(start..).unwrap_or_default().iter_mut().zip(old) {
                *byte = byte.wrapping_add(*old);
            }
            from = from.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
            left -= count;
        }
        Ok(())
    }

    /// Nothing is left over.
    fn end(mut self) -> Result<(), DifferenceError> {
        let mut more = [0];
        for part in [&mut self.control, &mut self.sums, &mut self.new] {
            if part.read(&mut more).map_err(|_error| DifferenceError::Broken)? > 0 {
                return Err(DifferenceError::Broken);
            }
        }
        Ok(())
    }
}

fn decoder(frame: &[u8]) -> Result<Decoder<'static, &[u8]>, DifferenceError> {
    let mut decoder = Decoder::with_buffer(frame).map_err(|_error| DifferenceError::Broken)?;
    decoder.window_log_max(WINDOW_LOG).map_err(|_error| DifferenceError::Broken)?;
    Ok(decoder)
}

/// Appends exactly so many bytes.
fn fill(
    part: &mut Decoder<'static, &[u8]>,
    count: usize,
    content: &mut Vec<u8>,
) -> Result<(), DifferenceError> {
    let start = content.len();
    content.resize(start.saturating_add(count), 0);
    let room = content.get_mut(start..).unwrap_or_default();
    part.read_exact(room).map_err(|_error| DifferenceError::Broken)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &[u8] = b"the quick brown fox";

    fn frame(content: &[u8]) -> Vec<u8> {
        zstd::bulk::compress(content, 3).unwrap()
    }

    fn body(steps: &[(u32, u32, i32)], sums: &[u8], new: &[u8]) -> Vec<u8> {
        let step = |(sums, new, moved): &(u32, u32, i32)| {
            [sums.to_le_bytes(), new.to_le_bytes(), moved.to_le_bytes()].concat()
        };
        let control = frame(&steps.iter().flat_map(step).collect::<Vec<u8>>());
        let (sums, new) = (frame(sums), frame(new));
        let length = |part: &[u8]| u32::try_from(part.len()).unwrap().to_le_bytes();
        [&length(&control)[..], &length(&sums), &control, &sums, &new].concat()
    }

    fn made(body: &[u8], length: u32) -> Result<Vec<u8>, DifferenceError> {
        super::super::apply(body, BASE, length)
    }

    #[test]
    fn steps_take_from_the_base_and_add() {
        let steps = [(4, 5, 6), (6, 0, -16), (3, 1, 0)];
        let sums = [0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 255];
        let content = made(&body(&steps, &sums, b"very !"), 19).unwrap();
        assert_eq!(content, b"the very brown\x21thd!");
        // The first may only move.
        assert_eq!(made(&body(&[(0, 0, 4), (5, 0, 0)], &[0; 5], b""), 5).unwrap(), b"quick");
    }

    #[test]
    fn steps_that_lead_elsewhere_are_refused() {
        let sums = [0; 40];
        for steps in [
            vec![(20, 0, 0)],
            vec![(1, 0, -2), (1, 0, 0)],
            vec![(1, 0, 19), (1, 0, 0)],
            vec![(1, 0, i32::MAX), (1, 0, 0)],
            vec![(1, 0, i32::MIN), (1, 0, 0)],
            vec![(0, 0, 0), (0, 0, 0), (2, 0, 0)],
            vec![(1, 0, 0), (0, 0, 0), (1, 0, 0)],
            vec![(3, 0, 0)],
            vec![(u32::MAX, u32::MAX, 0)],
        ] {
            assert_eq!(made(&body(&steps, &sums, b"xy"), 2), Err(DifferenceError::Step), "{steps:?}");
        }
    }

    #[test]
    fn what_ends_early_or_goes_on_is_refused() {
        let right = body(&[(2, 2, 0)], &[0; 2], b"xy");
        assert_eq!(made(&right, 4).unwrap(), b"thxy");
        for end in 0..right.len() {
            assert!(made(&right[..end], 4).is_err(), "{end}");
        }
        for body in [
            body(&[(2, 2, 0), (0, 1, 0)], &[0; 2], b"xy"),
            body(&[(2, 2, 0)], &[0; 3], b"xy"),
            body(&[(2, 2, 0)], &[0; 2], b"xyz"),
            body(&[(2, 2, 0)], &[0; 1], b"xy"),
            body(&[], &[], b""),
            [&right[..], &[0]].concat(),
            [&right[..], &frame(b"z")].concat(),
            vec![0xff; 100],
        ] {
            assert_eq!(made(&body, 4), Err(DifferenceError::Broken));
        }
    }

    /// However much a frame would give, no more is taken than the file has, and no window is larger than what is said above.
    #[test]
    fn bombs_do_not_go_off() {
        let zeros = vec![0; 64 << 20];
        assert_eq!(made(&body(&[(0, 4, 0)], &[], &zeros), 4), Err(DifferenceError::Broken));
        let mut wide = zstd::bulk::Compressor::new(3).unwrap();
        wide.window_log(WINDOW_LOG + 1).unwrap();
        let mut body = body(&[(0, 4 << 20, 0)], &[], b"");
        body.truncate(body.len() - frame(b"").len());
        let narrow = body.clone();
        body.extend(wide.compress(&zeros[..8 << 20]).unwrap());
        assert_eq!(made(&body, 8 << 20), Err(DifferenceError::Broken));
        let mut right = zstd::bulk::Compressor::new(3).unwrap();
        right.window_log(WINDOW_LOG).unwrap();
        let body = [narrow, right.compress(&zeros[..4 << 20]).unwrap()].concat();
        assert_eq!(made(&body, 4 << 20).map(|content| content.len()), Ok(4 << 20));
    }

    #[test]
    fn a_base_that_cannot_be_read_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("base");
        std::fs::write(&path, BASE).unwrap();
        let file = File::open(&path).unwrap();
        let body = body(&[(19, 0, 0)], &[0; 19], b"");
        assert_eq!(apply(&body, &file, 19, 19).unwrap(), BASE);
        // It shrank meanwhile.
        std::fs::write(&path, b"the").unwrap();
        let kind = io::ErrorKind::UnexpectedEof;
        assert_eq!(apply(&body, &file, 19, 19), Err(DifferenceError::Base(kind)));
    }
}
