//! The last step of a change of the volume key, where a cut kept `cryptsetup` from it.
//!
//! When all data is encrypted anew, `cryptsetup reencrypt` removes the old slots, overwrites what it kept beside them (16 MB: a second of
//! a slow card) and only then writes the header that no longer speaks of a change (2.6 to 2.7, `lib/luks2/luks2_reencrypt.c`,
//! `reencrypt_teardown_ok`). A header of that time opens with nothing: the program asks for the old volume key, too, and no slot holds it
//! any more. Such a header is brought to its end here, before it is opened. Slots of the old key that are still there become unused, and
//! [`super::Luks::tidy`] takes them away.
//!
//! Format: LUKS2 On-Disk Format Specification, sections 2 (binary header, two copies) and 3 (JSON).

use serde_json::Value;
use serde_json::json;
use sha2::Digest;
use sha2::Sha256;
use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Bytes of the binary header, in front of the JSON.
const BINARY: usize = 4096;
/// Bytes of a copy, and so where the second begins (section 2.2).
const LENGTHS: [u64; 9] =
    [16 << 10, 32 << 10, 64 << 10, 128 << 10, 256 << 10, 512 << 10, 1 << 20, 2 << 20, 4 << 20];
/// The first copy and the second.
const MAGIC: [&[u8; 6]; 2] = [b"LUKS\xba\xbe", b"SKUL\xba\xbe"];
/// Where the fields of the binary header lie.
const VERSION: std::ops::Range<usize> = 6..8;
const LENGTH: std::ops::Range<usize> = 8..16;
const SEQUENCE: std::ops::Range<usize> = 16..24;
const ALGORITHM: std::ops::Range<usize> = 72..104;
const SALT: std::ops::Range<usize> = 104..168;
const OFFSET: std::ops::Range<usize> = 256..264;
const CHECKSUM: std::ops::Range<usize> = 448..512;
/// What `cryptsetup` 2.2 and later calls a change that is under way (section 3.7).
const UNDER_WAY: &str = "online-reencrypt-v2";

/// Brings a change to its end whose data is through. Says whether there was one. A cut in between leaves one whole copy, of the old or of
/// the new state.
///
/// # Errors
/// When the device cannot be read or written.
pub(super) fn finish(device: &Path) -> io::Result<bool> {
    let file = File::options().read(true).write(true).open(device)?;
    let Some(newest) = newest(&file)? else { return Ok(false) };
    let Some(finished) = finished(&newest.document) else { return Ok(false) };
    let mut copies = [(MAGIC[0], 0), (MAGIC[1], newest.length)];
    // The other copy first: the newest whole one goes when another is there.
    if newest.offset == 0 {
        copies.reverse();
    }
    for (magic, offset) in copies {
        let Some(bytes) = newest.followed_by(&finished, magic, offset)? else { return Ok(false) };
        file.write_all_at(&bytes, offset)?;
        file.sync_all()?;
    }
    Ok(true)
}

/// One whole copy of a header.
struct Copy {
    binary: Vec<u8>,
    document: Value,
    offset: u64,
    length: u64,
    sequence: u64,
}

/// The newest of the copies that are whole.
fn newest(file: &File) -> io::Result<Option<Copy>> {
    let mut copies: Vec<Copy> = read(file, 0, MAGIC[0])?.into_iter().collect();
    for offset in LENGTHS {
        copies.extend(read(file, offset, MAGIC[1])?);
    }
    Ok(copies.into_iter().rev().max_by_key(|copy| copy.sequence))
}

fn read(file: &File, offset: u64, magic: &[u8; 6]) -> io::Result<Option<Copy>> {
    let mut binary = vec![0; BINARY];
    match file.read_exact_at(&mut binary, offset) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let length = number(&binary[LENGTH]);
    let is_known = binary.starts_with(magic) && binary[VERSION] == [0, 2];
    let is_known =
        is_known && binary[ALGORITHM].starts_with(b"sha256\0") && number(&binary[OFFSET]) == offset;
    if !is_known || !LENGTHS.contains(&length) || offset != 0 && offset != length {
        return Ok(None);
    }
    let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    file.read_exact_at(&mut bytes, offset)?;
    if checksum(&bytes)[..] != bytes[CHECKSUM][..32] {
        return Ok(None);
    }
    let text = bytes[BINARY..].split(|byte| *byte == 0).next().unwrap_or_default();
    let Ok(document) = serde_json::from_slice(text) else { return Ok(None) };
    let sequence = number(&binary[SEQUENCE]);
    Ok(Some(Copy { binary, document, offset, length, sequence }))
}

impl Copy {
    /// A copy of the next state, for a place; none where the document has no room.
    fn followed_by(&self, document: &Value, magic: &[u8; 6], offset: u64) -> io::Result<Option<Vec<u8>>> {
        let mut bytes = self.binary.clone();
        bytes[..magic.len()].copy_from_slice(magic);
        bytes[SEQUENCE].copy_from_slice(&self.sequence.saturating_add(1).to_be_bytes());
        bytes[OFFSET].copy_from_slice(&offset.to_be_bytes());
        // It keeps copies from having the same sum (section 2.1).
        getrandom::fill(&mut bytes[SALT])?;
        bytes.extend_from_slice(document.to_string().as_bytes());
        // A zero ends the document.
        if bytes.len() as u64 >= self.length {
            return Ok(None);
        }
        bytes.resize(usize::try_from(self.length).map_err(io::Error::other)?, 0);
        let sum = checksum(&bytes);
        bytes[CHECKSUM].fill(0);
        bytes[CHECKSUM][..sum.len()].copy_from_slice(&sum);
        Ok(Some(bytes))
    }
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// Of the whole copy, with zeros in the place of the sum.
fn checksum(bytes: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(&bytes[..CHECKSUM.start]);
    hash.update([0; 64]);
    hash.update(&bytes[CHECKSUM.end..]);
    hash.finalize().into()
}

/// The document after the last step; none unless a change is under way whose data is through.
fn finished(document: &Value) -> Option<Value> {
    if document["config"]["requirements"]["mandatory"] != json!([UNDER_WAY]) {
        return None;
    }
    let segments = document["segments"].as_object()?;
    let [(data, segment)] = segments
        .iter()
        .filter(|(_, segment)| !names(&segment["flags"]).iter().any(|flag| flag.starts_with("backup-")))
        .collect::<Vec<_>>()[..]
    else {
        return None;
    };
    let flagged = |flag: &str| {
        segments.iter().find(|(_, segment)| names(&segment["flags"]).contains(flag)).map(|(name, _)| name)
    };
    let (old, new) =
        (digest_of(document, flagged("backup-previous")?)?, digest_of(document, flagged("backup-final")?)?);
    // A piece that is being written has a flag and a size of its own.
    let is_through =
        segment["type"] == "crypt" && segment["size"] == "dynamic" && names(&segment["flags"]).is_empty();
    if !is_through || old == new || digest_of(document, data)? != new {
        return None;
    }
    let stale = names(&document["digests"][old]["keyslots"]);
    let mut finished = document.clone();
    finished["segments"] = json!({ "0": segment });
    let slots = finished["keyslots"].as_object_mut()?;
    slots.retain(|_, slot| slot["type"] != "reencrypt");
    let slots: BTreeSet<String> = slots.keys().cloned().collect();
    let digests = finished["digests"].as_object_mut()?;
    for (name, digest) in digests.iter_mut() {
        digest["keyslots"] = names(&digest["keyslots"]).intersection(&slots).cloned().collect();
        digest["segments"] = if name == new { json!(["0"]) } else { json!([]) };
    }
    digests.retain(|_, digest| digest["keyslots"] != json!([]));
    // Somebody has to be able to open it.
    digests.get(new)?;
    for token in finished["tokens"].as_object_mut().into_iter().flat_map(serde_json::Map::values_mut) {
        token["keyslots"] = names(&token["keyslots"]).difference(&stale).cloned().collect();
    }
    finished["config"].as_object_mut()?.remove("requirements");
    Some(finished)
}

/// Which volume key a segment has.
fn digest_of<'a>(document: &'a Value, segment: &str) -> Option<&'a str> {
    let mut digests = document["digests"].as_object()?.iter();
    digests.find(|(_, digest)| names(&digest["segments"]).contains(segment)).map(|(name, _)| name.as_str())
}

fn names(list: &Value) -> BTreeSet<String> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests;
