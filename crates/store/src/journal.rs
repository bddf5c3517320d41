//! The journal: one frame a commit, appended and synced before the commit is acknowledged.
//!
//! ```text
//! header   preamble (40) ‖ base generation (8) ‖ base digest (32) ‖ tag (32)                           112 bytes
//! frame    mark (4) ‖ length (4) ‖ generation (8) ‖ kind (4) ‖ count (4)
//!          ‖ tag of the frame (or header) before (32) ‖ digest afterwards (32) ‖ changes ‖ tag (32)   ≥ 120 bytes
//! change   length (4) ‖ name ‖ length of the sealed value plus one, or 0 for a removal (4) ‖ sealed value
//! ```
//!
//! Generations follow each other without a gap and each frame names the tag of the one before, so a frame can be
//! neither left out nor moved. Behind the last frame lies, not synced, an acknowledgement: a frame without changes that
//! says up to which generation the disk has confirmed. The next commit overwrites it. That tells a torn tail (a power cut
//! in the middle of an append that nobody was promised: cut off quietly) from damage to the last acknowledged
//! frame (reported): whenever an intact frame or acknowledgement lies beyond unreadable bytes, it is damage.

use crate::name::RecordName;
use crate::seal::Digest;
use crate::seal::Keys;
use crate::seal::Purpose;
use crate::seal::Tag;
use crate::state::Change;
use crate::state::Summary;
use crate::wire::Kind;
use crate::wire::Preamble;
use crate::wire::Reader;
use crate::wire::length32;
use crate::wire::write_counted;

/// Length of the header in bytes.
pub(crate) const HEADER_BYTES: usize = 112;
/// Length of a frame without changes in bytes.
pub(crate) const FRAME_BYTES: usize = 120;

const MARK: [u8; 4] = *b"\xf7HJF";
const COMMIT: u32 = 1;
const ACKNOWLEDGEMENT: u32 = 2;

/// What a journal starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Base {
    pub(crate) generation: u64,
    pub(crate) digest: Digest,
}

/// One commit as found in a journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) generation: u64,
    /// Digest of the state after it.
    pub(crate) digest: Digest,
    pub(crate) changes: Vec<Change>,
}

/// What could be read of a journal.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Journal {
    pub(crate) base: Base,
    pub(crate) frames: Vec<Frame>,
    /// Length of header and frames that follow each other.
    pub(crate) length: u64,
    /// Tag of the last of them.
    pub(crate) chain: Tag,
    pub(crate) end: End,
}

/// What lies beyond the last readable frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Nothing, or the acknowledgement of that frame.
    Clean,
    /// Bytes of an append that was never acknowledged.
    Torn,
    /// Proof that more had been acknowledged, up to this generation at least.
    Damaged { reaches: u64 },
}

/// A journal whose header cannot be believed, so that nothing in it can.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("journal's header is damaged")]
pub(crate) struct BadHeader;

/// Returns the header of a new journal and its tag.
pub(crate) fn encode_header(keys: &Keys, base: Base) -> (Vec<u8>, Tag) {
    let mut out = Vec::with_capacity(HEADER_BYTES);
    Preamble::of(keys).write(Kind::Journal, &mut out);
    out.extend_from_slice(&base.generation.to_le_bytes());
    out.extend_from_slice(&base.digest.0);
    let tag = seal_tail(keys, Purpose::JournalHeader, &mut out);
    (out, tag)
}

/// Returns the frame of a commit and its tag.
pub(crate) fn encode_commit(keys: &Keys, chain: &Tag, after: &Summary, changes: &[Change]) -> (Vec<u8>, Tag) {
    encode_frame(keys, COMMIT, chain, after, changes)
}

/// Returns the acknowledgement of everything up to the state `after`.
pub(crate) fn encode_acknowledgement(keys: &Keys, chain: &Tag, after: &Summary) -> Vec<u8> {
    encode_frame(keys, ACKNOWLEDGEMENT, chain, after, &[]).0
}

/// Reads a journal as far as it can be believed.
pub(crate) fn parse(keys: &Keys, bytes: &[u8]) -> Result<Journal, BadHeader> {
    let (base, mut chain) = parse_header(keys, bytes).ok_or(BadHeader)?;
    let mut length = HEADER_BYTES;
    let mut frames = Vec::new();
    let mut generation = base.generation;
    while let Some(found) = parse_frame(keys, &bytes[length..]) {
        if found.kind != COMMIT
            || found.chain != chain
            || Some(found.frame.generation) != generation.checked_add(1)
        {
            break;
        }
        generation = found.frame.generation;
        chain = found.tag;
        length += found.length;
        frames.push(found.frame);
    }
    let end = judge_tail(keys, &bytes[length..], &chain, generation);
    Ok(Journal { base, frames, length: length as u64, chain, end })
}

/// Returns the highest generation of which any trace is left in a journal, wherever it lies.
pub(crate) fn evidence(keys: &Keys, bytes: &[u8]) -> Option<u64> {
    let starts = bytes.windows(MARK.len()).enumerate().filter(|(_, window)| *window == MARK);
    starts
        .filter_map(|(start, _)| parse_frame(keys, &bytes[start..]))
        .map(|found| found.frame.generation)
        .max()
}

/// A frame that is intact in itself, wherever it lies.
struct Found {
    kind: u32,
    chain: Tag,
    frame: Frame,
    tag: Tag,
    length: usize,
}

fn encode_frame(keys: &Keys, kind: u32, chain: &Tag, after: &Summary, changes: &[Change]) -> (Vec<u8>, Tag) {
    let mut out = Vec::with_capacity(FRAME_BYTES);
    out.extend_from_slice(&MARK);
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&after.generation.to_le_bytes());
    out.extend_from_slice(&kind.to_le_bytes());
    out.extend_from_slice(&length32(changes.len()).to_le_bytes());
    out.extend_from_slice(chain);
    out.extend_from_slice(&after.digest.0);
    for (name, sealed) in changes {
        write_counted(name.as_bytes(), &mut out);
        match sealed {
            Some(sealed) => {
                out.extend_from_slice(&(length32(sealed.len()) + 1).to_le_bytes());
                out.extend_from_slice(sealed);
            }
            None => out.extend_from_slice(&0u32.to_le_bytes()),
        }
    }
    let length = length32(out.len() + size_of::<Tag>());
    out[4..8].copy_from_slice(&length.to_le_bytes());
    let tag = seal_tail(keys, Purpose::Frame, &mut out);
    (out, tag)
}

fn seal_tail(keys: &Keys, purpose: Purpose, out: &mut Vec<u8>) -> Tag {
    let mut mac = keys.mac(purpose);
    mac.add(out);
    let tag = mac.finish();
    out.extend_from_slice(&tag);
    tag
}

fn parse_header(keys: &Keys, bytes: &[u8]) -> Option<(Base, Tag)> {
    let header = bytes.get(..HEADER_BYTES)?;
    let (body, tag) = header.split_last_chunk()?;
    let mut mac = keys.mac(Purpose::JournalHeader);
    mac.add(body);
    if !mac.matches(tag) {
        return None;
    }
    let mut reader = Reader::new(body);
    (Preamble::read(Kind::Journal, &mut reader)? == Preamble::of(keys)).then_some(())?;
    Some((Base { generation: reader.u64()?, digest: Digest(reader.array()?) }, *tag))
}

fn parse_frame(keys: &Keys, bytes: &[u8]) -> Option<Found> {
    let mut reader = Reader::new(bytes);
    if reader.array()? != MARK {
        return None;
    }
    let length = usize::try_from(reader.u32()?).ok()?;
    let (body, tag) = bytes.get(..length)?.split_last_chunk()?;
    let mut mac = keys.mac(Purpose::Frame);
    mac.add(body);
    if !mac.matches(tag) {
        return None;
    }
    let mut reader = Reader::new(body.get(8..)?);
    let (generation, kind, count) = (reader.u64()?, reader.u32()?, reader.u32()?);
    let (chain, digest) = (reader.array()?, Digest(reader.array()?));
    let changes = (0..count).map(|_| parse_change(&mut reader)).collect::<Option<_>>()?;
    let frame = Frame { generation, digest, changes };
    reader.is_at_end().then_some(Found { kind, chain, frame, tag: *tag, length })
}

fn parse_change(reader: &mut Reader<'_>) -> Option<Change> {
    let name = RecordName::parse(reader.counted()?)?;
    let sealed = match reader.u32()?.checked_sub(1) {
        Some(length) => Some(reader.bytes(usize::try_from(length).ok()?)?.to_vec()),
        None => None,
    };
    Some((name, sealed))
}

/// Decides what bytes beyond the frame of `generation` mean.
fn judge_tail(keys: &Keys, tail: &[u8], chain: &Tag, generation: u64) -> End {
    if tail.is_empty() {
        return End::Clean;
    }
    let mut beyond = tail;
    let mut torn = true;
    if let Some(found) = parse_frame(keys, tail)
        && found.kind == ACKNOWLEDGEMENT
        && found.chain == *chain
        && found.frame.generation == generation
    {
        beyond = &tail[found.length..];
        torn = !beyond.is_empty();
    }
    match evidence(keys, beyond) {
        Some(reaches) => End::Damaged { reaches },
        None if torn => End::Torn,
        None => End::Clean,
    }
}

#[cfg(test)]
mod tests;
