//! How programs of a slot file are made from those of an earlier release. Nothing is written that a box could not make: each file is put
//! together as a box does it, and left out when other bytes come out.

use crate::custom::MAX_REMAKE_HEADER;
use crate::custom::Remakes;
use crate::digest::Sha256;
use crate::remake::BLOCK;
use crate::remake::Base;
use crate::remake::Extent;
use crate::remake::MAX_BODY;
use crate::remake::MAX_CONTENT;
use crate::remake::MAX_CONTENTS;
use crate::remake::MAX_FILES;
use crate::remake::Packing;
use crate::remake::Remake;
use crate::remake::RemakeHeader;
use crate::remake::clusters::Compressor;
use crate::remake::difference;
use crate::remake::is_path;
use slots::Version;
use std::io;
use std::ops::Range;

/// Of zstd: packed once, unpacked on every box.
const LEVEL: i32 = 19;
/// What mkfs.erofs compresses by itself, in bytes (1.8, unless it is told otherwise).
pub const SEGMENT: u32 = 16 << 20;
/// Bytes of the first cluster that are looked for; what lies there is compared as a whole then.
const NEEDLE: usize = 32;
/// A step of `bsdiff`: three numbers of 64 bits, a bit for the sign.
const STEP: usize = 24;

/// A file that changed.
#[derive(Clone, Copy, Debug)]
pub struct Program<'a> {
    /// Where it lies below the root, in both releases.
    pub path: &'a str,
    /// Its content in the earlier one.
    pub old: &'a [u8],
    /// Its content now.
    pub new: &'a [u8],
}

/// A file of remakes.
#[derive(Clone, Debug)]
pub struct RemakeFile {
    /// What it has.
    pub header: RemakeHeader,
    /// All of it.
    pub bytes: Vec<u8>,
    /// What is signed of it.
    pub remakes: Remakes,
}

/// What can be made, and what not.
#[derive(Clone, Debug)]
pub struct Remade {
    /// What can be made; none where nothing can.
    pub file: Option<RemakeFile>,
    /// Files that boxes have to fetch, and why.
    pub left_out: Vec<(String, LeftOut)>,
}

/// Why a file is not remade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeftOut {
    /// It is empty, or too long for boxes.
    Length,
    /// Its path has letters that boxes do not take.
    Path,
    /// It does not lie in the slot file as the compressor here makes it.
    Packed,
    /// The difference is no shorter than what lies in the slot file.
    Difference,
    /// There are too many.
    Crowd,
}

/// Remakes cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum RemakesError {
    /// No root is packed so.
    #[error("nothing is packed as {0:?}")]
    Packing(Packing),
    /// The compressor failed.
    #[error("cannot make a difference")]
    Compress(#[source] io::Error),
    /// A box would refuse it.
    #[error("a box would refuse these remakes")]
    Refused,
}

/// Makes the file of remakes for boxes that run `from`; `slot` is the new slot file, whose root is packed so.
///
/// # Errors
/// A box could not use it.
pub fn remake(
    slot: &[u8],
    from: &Version,
    programs: &[Program<'_>],
    packing: Packing,
) -> Result<Remade, RemakesError> {
    if !packing.is_usable() {
        return Err(RemakesError::Packing(packing));
    }
    let mut made: Vec<(Remake, Vec<u8>)> = Vec::new();
    let mut left_out = Vec::new();
    let mut room = MAX_CONTENTS;
    for program in programs {
        let used: Vec<Range<u64>> = made.iter().map(|(file, _body)| file.offset..file.end()).collect();
        let length = u64::try_from(program.new.len()).unwrap_or(u64::MAX);
        let fits = made.len() < usize::try_from(MAX_FILES).unwrap_or(0) && length <= room;
        let one = if fits { one(slot, program, packing, &used)? } else { Err(LeftOut::Crowd) };
        match one {
            Ok(one) => {
                made.push(one);
                room = room.saturating_sub(length);
            }
            Err(why) => left_out.push((program.path.to_owned(), why)),
        }
    }
    if made.is_empty() {
        return Ok(Remade { file: None, left_out });
    }
    made.sort_by_key(|(file, _body)| file.offset);
    let files = made.iter().map(|(file, _body)| file.clone()).collect();
    let header = RemakeHeader { length: size(slot), packing, files };
    let mut bytes = header.encode();
    if RemakeHeader::decode(&bytes).as_ref() != Ok(&header) || size(&bytes) > MAX_REMAKE_HEADER {
        return Err(RemakesError::Refused);
    }
    let (header_length, header_sha256) = (size(&bytes), Sha256::of(&bytes));
    for (_file, body) in &made {
        bytes.extend_from_slice(body);
    }
    let remakes = Remakes { from: from.clone(), length: size(&bytes), header_length, header_sha256 };
    Ok(Remade { file: Some(RemakeFile { header, bytes, remakes }), left_out })
}

fn one(
    slot: &[u8],
    program: &Program<'_>,
    packing: Packing,
    used: &[Range<u64>],
) -> Result<Result<(Remake, Vec<u8>), LeftOut>, RemakesError> {
    let length = |content: &[u8]| {
        u32::try_from(content.len()).ok().filter(|length| (1..=MAX_CONTENT).contains(length))
    };
    let (Some(base_length), Some(length)) = (length(program.old), length(program.new)) else {
        return Ok(Err(LeftOut::Length));
    };
    if !is_path(program.path) {
        return Ok(Err(LeftOut::Path));
    }
    let Some((offset, extents)) = locate(slot, program.new, packing, used) else {
        return Ok(Err(LeftOut::Packed));
    };
    let stored: u32 = extents.iter().map(|extent| extent.stored).sum();
    let body = differ(program.old, program.new).map_err(RemakesError::Compress)?;
    let again = difference::apply(&body, program.old, base_length, length);
    let body_length = u32::try_from(body.len()).unwrap_or(u32::MAX);
    if again.as_deref() != Ok(program.new) || body_length > MAX_BODY || body_length >= stored {
        return Ok(Err(LeftOut::Difference));
    }
    let start = usize::try_from(offset).unwrap_or(usize::MAX);
    let end = start.saturating_add(usize::try_from(stored).unwrap_or(usize::MAX));
    let file = Remake {
        path: program.path.to_owned(),
        base: Base { length: base_length, sha256: Sha256::of(program.old) },
        length,
        offset,
        stored,
        sha256: Sha256::of(slot.get(start..end).unwrap_or_default()),
        extents,
        body: body_length,
        body_sha256: Sha256::of(&body),
    };
    Ok(Ok((file, body)))
}

/// Where in the slot file the content lies, and in which pieces: found by compressing it.
fn locate(slot: &[u8], content: &[u8], packing: Packing, used: &[Range<u64>]) -> Option<(u64, Vec<Extent>)> {
    let (first, _extent) = Compressor::new(content, packing).compressed()?;
    let zeros = first.iter().take_while(|byte| **byte == 0).count();
    let needle = first.get(zeros..zeros.checked_add(NEEDLE)?)?;
    let mut from = 0;
    loop {
        let found = slot.get(from..)?.windows(NEEDLE).position(|window| window == needle)?;
        from = from.checked_add(found)?;
        if let Some(start) = from.checked_sub(zeros)
            && let Some(extents) = pieces(slot.get(start..)?, content, packing)
        {
            let offset = u64::try_from(start).ok()?;
            if !used.iter().any(|used| used.contains(&offset)) {
                return Some((offset, extents));
            }
        }
        from = from.checked_add(1)?;
    }
}

/// The pieces of the content, if they lie at the beginning of this.
fn pieces(mut slot: &[u8], content: &[u8], packing: Packing) -> Option<Vec<Extent>> {
    let mut compressor = Compressor::new(content, packing);
    let mut extents = Vec::new();
    while compressor.left() > 0 {
        let block = u32::try_from(compressor.left()).unwrap_or(u32::MAX).min(BLOCK);
        let compressed = compressor.compressed().filter(|(_piece, extent)| !extent.is_plain());
        let plain = || compressor.plain(block);
        let lies = |(piece, _extent): &(Vec<u8>, Extent)| slot.starts_with(piece);
        let (piece, extent) = compressed.filter(lies).or_else(|| plain().filter(lies))?;
        slot = slot.get(piece.len()..)?;
        compressor.skip(extent)?;
        extents.push(extent);
    }
    Some(extents)
}

/// The difference, as [`difference`] describes it.
fn differ(old: &[u8], new: &[u8]) -> io::Result<Vec<u8>> {
    let mut found = Vec::new();
    bsdiff::diff(old, new, &mut found)?;
    let broken = || io::Error::from(io::ErrorKind::InvalidData);
    let (mut steps, mut sums, mut fresh) = (Vec::<[i64; 3]>::new(), Vec::new(), Vec::new());
    let mut rest = found.as_slice();
    while let Some((step, after)) = rest.split_at_checked(STEP) {
        let mut numbers = step.chunks_exact(8).map(signed);
        let mut number = || numbers.next().ok_or_else(broken);
        let [sum, copy, moved] = [number()?, number()?, number()?];
        let count = |number: i64| usize::try_from(number).map_err(|_negative| broken());
        let (part, after) = after.split_at_checked(count(sum)?).ok_or_else(broken)?;
        let (copied, after) = after.split_at_checked(count(copy)?).ok_or_else(broken)?;
        match steps.last_mut() {
            // Boxes take no step that gives nothing, but the first.
            Some([_sum, _copy, before]) if sum == 0 && copy == 0 => *before = before.saturating_add(moved),
            _step => steps.push([sum, copy, moved]),
        }
        sums.extend_from_slice(part);
        fresh.extend_from_slice(copied);
        rest = after;
    }
    let mut control = Vec::new();
    for number in steps.into_iter().flatten() {
        control.extend(i32::try_from(number).map_err(|_wide| broken())?.to_le_bytes());
    }
    let mut compressor = zstd::bulk::Compressor::new(LEVEL)?;
    compressor.window_log(difference::WINDOW_LOG)?;
    let mut packed = |content: &[u8]| compressor.compress(content);
    let (control, sums, fresh) = (packed(&control)?, packed(&sums)?, packed(&fresh)?);
    let length = |part: &[u8]| u32::try_from(part.len()).unwrap_or(u32::MAX).to_le_bytes();
    Ok([&length(&control)[..], &length(&sums), &control, &sums, &fresh].concat())
}

fn signed(bytes: &[u8]) -> i64 {
    let number = bytes.try_into().map_or(0, u64::from_le_bytes);
    let size = i64::try_from(number & !(1 << 63)).unwrap_or(i64::MAX);
    if number >> 63 == 0 { size } else { size.saturating_neg() }
}

fn size(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}
