//! A multicast DNS message (RFC 6762 section 18), from bytes and to bytes.
//!
//! Names, questions and record data are read by `hickory-proto`; this module adds what a network full of strange devices needs:
//! limits, and that one record nobody can read costs that record and not the message.

use hickory_proto::op::Query;
use hickory_proto::rr::DNSClass;
use hickory_proto::rr::Name;
use hickory_proto::rr::RData;
use hickory_proto::rr::Record;
use hickory_proto::rr::RecordType;
use hickory_proto::rr::rdata::NULL;
use hickory_proto::serialize::binary::BinDecodable;
use hickory_proto::serialize::binary::BinDecoder;
use hickory_proto::serialize::binary::BinEncodable;
use hickory_proto::serialize::binary::BinEncoder;
use hickory_proto::serialize::binary::DecodeError;
use hickory_proto::serialize::binary::NameEncoding;
use hickory_proto::serialize::binary::Restrict;

pub(crate) mod batch;

/// Longest packet that is looked at (RFC 6762 section 17), headers included there and not here.
pub const MAX_BYTES: usize = 9000;
/// Most questions in a packet.
pub const MAX_QUESTIONS: usize = 256;
/// Most records in a packet, in all sections.
pub const MAX_RECORDS: usize = 512;

const RESPONSE: u16 = 0x8000;
const OPCODE: u16 = 0x7800;
const AUTHORITATIVE: u16 = 0x0400;
const TRUNCATED: u16 = 0x0200;
const RCODE: u16 = 0x000f;
const CACHE_FLUSH: u16 = 0x8000;

/// A message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Packet {
    /// Zero, except in a legacy unicast query and its answer (section 18.1).
    pub id: u16,
    /// Whether it answers.
    pub is_response: bool,
    /// More known answers follow (section 7.2).
    pub is_truncated: bool,
    /// What is asked.
    pub questions: Vec<Query>,
    /// Answers; in a query those known already (section 7.1).
    pub answers: Vec<Record>,
    /// In a probe the records proposed (section 8.2).
    pub authorities: Vec<Record>,
    /// What will probably be asked next.
    pub additionals: Vec<Record>,
}

/// Why bytes are no message for us.
#[derive(Debug, thiserror::Error)]
pub enum Malformed {
    /// Longer than [`MAX_BYTES`].
    #[error("{length} bytes are too many")]
    TooLong {
        /// How many.
        length: usize,
    },
    /// Shorter than a header.
    #[error("too short for a header")]
    TooShort,
    /// Not a query and no successful answer (sections 18.3 and 18.11).
    #[error("flags {flags:#06x} are not used in multicast DNS")]
    Flags {
        /// The header's second field.
        flags: u16,
    },
    /// More than [`MAX_QUESTIONS`] or [`MAX_RECORDS`].
    #[error("{questions} questions and {records} records are too many")]
    TooMany {
        /// Questions by the header.
        questions: usize,
        /// Records by the header.
        records: usize,
    },
    /// The bytes end early or a name is broken.
    #[error("read part {part} of the message")]
    Part {
        /// Questions and records counted together.
        part: usize,
        /// What the codec said.
        #[source]
        source: DecodeError,
    },
}

/// Reads a message. Never panics, and never keeps more than [`MAX_QUESTIONS`] and [`MAX_RECORDS`].
///
/// # Errors
///
/// When it must be ignored. A record whose data cannot be read, or has none, is left out.
pub fn decode(bytes: &[u8]) -> Result<Packet, Malformed> {
    if bytes.len() > MAX_BYTES {
        return Err(Malformed::TooLong { length: bytes.len() });
    }
    let Some((header, _)) = bytes.split_first_chunk::<12>() else {
        return Err(Malformed::TooShort);
    };
    let field = |at: usize| u16::from_be_bytes([header[2 * at], header[2 * at + 1]]);
    let flags = field(1);
    if flags & (OPCODE | RCODE) != 0 {
        return Err(Malformed::Flags { flags });
    }
    let questions = usize::from(field(2));
    let counts = [field(3), field(4), field(5)].map(usize::from);
    let records = counts.iter().sum();
    if questions > MAX_QUESTIONS || records > MAX_RECORDS {
        return Err(Malformed::TooMany { questions, records });
    }
    let mut packet = Packet {
        id: field(0),
        is_response: flags & RESPONSE != 0,
        is_truncated: flags & TRUNCATED != 0,
        ..Packet::default()
    };
    let mut decoder = BinDecoder::new(bytes);
    decoder.read_slice(header.len()).map_err(|source| Malformed::Part { part: 0, source })?;
    for part in 0..questions {
        let question = Query::read(&mut decoder).map_err(|source| Malformed::Part { part, source })?;
        packet.questions.push(question);
    }
    let sections = [&mut packet.answers, &mut packet.authorities, &mut packet.additionals];
    let mut part = questions;
    for (section, count) in sections.into_iter().zip(counts) {
        for _ in 0..count {
            section.extend(record(&mut decoder).map_err(|source| Malformed::Part { part, source })?);
            part += 1;
        }
    }
    Ok(packet)
}

/// Reads one record; none when only its data is unreadable.
fn record(decoder: &mut BinDecoder<'_>) -> Result<Option<Record>, DecodeError> {
    let name = Name::read(decoder)?;
    let record_type = RecordType::read(decoder)?;
    let class = decoder.read_u16()?.unverified();
    let ttl = decoder.read_u32()?.unverified();
    let length = decoder.read_u16()?.unverified();
    let start = decoder.index();
    decoder.read_slice(usize::from(length))?;
    // An OPT record has no class and no time to live; nothing in it is for us.
    if length == 0 || record_type == RecordType::OPT {
        return Ok(None);
    }
    let data = u16::try_from(start).ok().and_then(|start| data(&decoder.clone(start), record_type, length));
    Ok(data.map(|data| {
        let mut record = Record::from_rdata(name, ttl, data);
        record.dns_class = DNSClass::from(class & !CACHE_FLUSH);
        record.mdns_cache_flush = class & CACHE_FLUSH != 0;
        record
    }))
}

fn data(at: &BinDecoder<'_>, record_type: RecordType, length: u16) -> Option<RData> {
    let start = u16::try_from(at.index()).ok()?;
    let mut decoder = at.clone(start);
    if record_type == RecordType::NSEC {
        return denial(&mut decoder, length);
    }
    RData::read(&mut decoder, record_type, Restrict::new(length)).ok()
}

/// The name inside may be compressed (section 18.14), and the codec knows the type only with DNSSEC: it is kept as bytes that
/// stand for themselves.
fn denial(decoder: &mut BinDecoder<'_>, length: u16) -> Option<RData> {
    let end = decoder.index() + usize::from(length);
    let next = Name::read(decoder).ok()?;
    let types = decoder.read_slice(end.checked_sub(decoder.index())?).ok()?.unverified();
    let mut bytes = uncompressed(&next)?;
    bytes.extend(types);
    Some(RData::Unknown { code: RecordType::NSEC, rdata: NULL::with(bytes) })
}

/// What it is on the wire when nothing is compressed, as section 8.2 compares it.
pub(crate) fn uncompressed(part: &impl BinEncodable) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut encoder = BinEncoder::new(&mut bytes);
    encoder.set_name_encoding(NameEncoding::Uncompressed);
    part.emit(&mut encoder).ok()?;
    Some(bytes)
}

impl Packet {
    /// The bytes to send; none when it is longer than [`MAX_BYTES`] or holds data that has no wire form.
    #[must_use]
    pub fn encode(&self) -> Option<Vec<u8>> {
        let mut flags = 0;
        if self.is_response {
            flags |= RESPONSE | AUTHORITATIVE;
        }
        if self.is_truncated {
            flags |= TRUNCATED;
        }
        let count = |length: usize| u16::try_from(length).ok();
        let header = [
            self.id,
            flags,
            count(self.questions.len())?,
            count(self.answers.len())?,
            count(self.authorities.len())?,
            count(self.additionals.len())?,
        ];
        let mut bytes = Vec::new();
        let mut encoder = BinEncoder::new(&mut bytes);
        encoder.set_max_size(u16::try_from(MAX_BYTES).ok()?);
        for field in header {
            encoder.emit_u16(field).ok()?;
        }
        for question in &self.questions {
            question.emit(&mut encoder).ok()?;
        }
        for record in self.answers.iter().chain(&self.authorities).chain(&self.additionals) {
            record.emit(&mut encoder).ok()?;
        }
        Some(bytes)
    }
}

#[cfg(test)]
mod tests;
