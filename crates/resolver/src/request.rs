//! A client's question, read from bytes (RFC 1035 section 4.1, RFC 6891).

use crate::name::DomainName;
use crate::wire::Reader;

/// Octets of the largest question that is read: a name, EDNS and options fit many times.
pub(crate) const MAX_QUESTION: usize = 4096;
/// Octets of a message header.
pub(crate) const HEADER: usize = 12;
/// What fits an unfragmented datagram on any link (DNS flag day 2020, RFC 9715).
pub(crate) const MAX_DATAGRAM: usize = 1232;
/// What a client without EDNS takes over UDP (RFC 1035 section 4.2.1).
const CLASSIC_DATAGRAM: usize = 512;
/// Records after the question that are looked through for EDNS.
const MAX_EXTRA: u16 = 16;

/// Record types by number (IANA's registry).
pub(crate) mod qtype {
    pub(crate) const A: u16 = 1;
    pub(crate) const PTR: u16 = 12;
    pub(crate) const AAAA: u16 = 28;
    pub(crate) const OPT: u16 = 41;
    pub(crate) const DS: u16 = 43;
    pub(crate) const DNSKEY: u16 = 48;
    /// First of the types that name no data (RFC 6895 section 3.1): transfers, ANY.
    pub(crate) const FIRST_META: u16 = 128;
    /// Last of them.
    pub(crate) const LAST_META: u16 = 255;
}

/// Response codes that are given (RFC 1035, RFC 6891).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    NoError = 0,
    FormErr = 1,
    ServFail = 2,
    NxDomain = 3,
    NotImp = 4,
    Refused = 5,
    BadVers = 16,
}

/// What the client said of itself (RFC 6891).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Edns {
    /// Octets of a datagram it takes.
    pub(crate) payload: u16,
    /// It wants signatures (RFC 3225).
    pub(crate) dnssec_ok: bool,
    version: u8,
}

/// A question that can be answered.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) id: u16,
    pub(crate) recursion_desired: bool,
    pub(crate) authentic_data: bool,
    pub(crate) checking_disabled: bool,
    /// The question as it came, which the answer repeats letter by letter.
    pub(crate) question: Box<[u8]>,
    pub(crate) name: DomainName,
    pub(crate) kind: u16,
    pub(crate) edns: Option<Edns>,
}

/// What came instead of a question.
#[derive(Clone, Debug)]
pub(crate) enum Unanswerable {
    /// Nothing may be sent back: an answer, or too short to hold an id.
    Silent,
    /// Only a code may be sent back.
    Code {
        /// The message's id.
        id: u16,
        /// Operation code of the message, 0 to 15.
        opcode: u8,
        /// What to say.
        code: Code,
    },
}

impl Request {
    /// Reads a message; everything after the question but EDNS is skipped.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, Unanswerable> {
        let mut reader = Reader::new(bytes);
        let (Some(id), Some(flags)) = (reader.u16(), reader.u16()) else { return Err(Unanswerable::Silent) };
        let [high, low] = flags.to_be_bytes();
        let opcode = high >> 3 & 0x0f;
        if high & 0x80 != 0 {
            return Err(Unanswerable::Silent);
        }
        let refuse = |code| Unanswerable::Code { id, opcode, code };
        if opcode != 0 {
            return Err(refuse(Code::NotImp));
        }
        if bytes.len() > MAX_QUESTION {
            return Err(refuse(Code::FormErr));
        }
        let mut question = read_question(&mut reader).ok_or_else(|| refuse(Code::FormErr))?;
        if question.edns.is_some_and(|edns| edns.version != 0) {
            return Err(refuse(Code::BadVers));
        }
        if question.class != CLASS_IN {
            return Err(refuse(Code::Refused));
        }
        if question.kind == qtype::OPT || (qtype::FIRST_META..=qtype::LAST_META).contains(&question.kind) {
            return Err(refuse(Code::NotImp));
        }
        if let Some(edns) = &mut question.edns {
            edns.payload = edns.payload.max(512);
        }
        Ok(Self {
            id,
            recursion_desired: high & 0x01 != 0,
            authentic_data: low & 0x20 != 0,
            checking_disabled: low & 0x10 != 0,
            question: question.bytes.into(),
            name: question.name,
            kind: question.kind,
            edns: question.edns,
        })
    }

    /// The client wants signatures beside the data.
    pub(crate) fn dnssec_ok(&self) -> bool {
        self.edns.is_some_and(|edns| edns.dnssec_ok)
    }

    /// Octets of a datagram that may be sent back.
    pub(crate) fn datagram_limit(&self) -> usize {
        self.edns.map_or(CLASSIC_DATAGRAM, |edns| usize::from(edns.payload).min(MAX_DATAGRAM))
    }
}

const CLASS_IN: u16 = 1;

struct Question<'a> {
    bytes: &'a [u8],
    name: DomainName,
    kind: u16,
    class: u16,
    edns: Option<Edns>,
}

fn read_question<'a>(reader: &mut Reader<'a>) -> Option<Question<'a>> {
    let (questions, answers, authorities, additionals) =
        (reader.u16()?, reader.u16()?, reader.u16()?, reader.u16()?);
    let extra = answers.checked_add(authorities)?.checked_add(additionals)?;
    if questions != 1 || extra > MAX_EXTRA {
        return None;
    }
    let start = reader.position();
    let (name, length) = DomainName::read(reader.rest())?;
    reader.skip(length)?;
    let (kind, class) = (reader.u16()?, reader.u16()?);
    let bytes = reader.since(start)?;
    let mut edns = None;
    for _ in 0..extra {
        let owner_is_root = reader.rest().first() == Some(&0);
        reader.skip_name()?;
        let (kind, class, ttl, length) = (reader.u16()?, reader.u16()?, reader.u32()?, reader.u16()?);
        reader.skip(usize::from(length))?;
        if kind == qtype::OPT {
            if edns.is_some() || !owner_is_root {
                return None;
            }
            let [_extended_code, version, flags, _] = ttl.to_be_bytes();
            edns = Some(Edns { payload: class, dnssec_ok: flags & 0x80 != 0, version });
        }
    }
    Some(Question { bytes, name, kind, class, edns })
}

#[cfg(test)]
mod tests {
    use super::*;
    use hickory_proto::op::Message;
    use hickory_proto::op::Query;
    use hickory_proto::rr::Name;
    use hickory_proto::rr::RecordType;
    use proptest::prelude::*;

    fn message(name: &str) -> Message {
        let mut message = Message::query();
        message.metadata.recursion_desired = true;
        message.add_query(Query::query(Name::from_ascii(name).unwrap(), RecordType::AAAA));
        message
    }

    #[test]
    fn a_question_is_read() {
        let mut message = message("Nas.Example.com.");
        message.edns.get_or_insert_default().set_max_payload(4096).set_dnssec_ok(true);
        let request = Request::read(&message.to_vec().unwrap()).unwrap();
        assert_eq!(request.name.to_string(), "nas.example.com");
        assert_eq!(request.kind, qtype::AAAA);
        assert!(request.recursion_desired && request.dnssec_ok());
        assert_eq!(request.datagram_limit(), MAX_DATAGRAM);
        assert!(request.question.starts_with(b"\x03Nas\x07Example"));
    }

    #[test]
    fn what_is_no_question_is_turned_down() {
        let plain = message("example.com.").to_vec().unwrap();
        let code = |bytes: &[u8]| match Request::read(bytes) {
            Err(Unanswerable::Code { code, .. }) => Some(code),
            Err(Unanswerable::Silent) | Ok(_) => None,
        };
        let with = |place: usize, value: u8| {
            let mut bytes = plain.clone();
            bytes[place] = value;
            bytes
        };
        assert!(matches!(Request::read(&with(2, 0x80)), Err(Unanswerable::Silent)));
        assert!(matches!(Request::read(&plain[..3]), Err(Unanswerable::Silent)));
        assert_eq!(code(&with(2, 0x28)), Some(Code::NotImp));
        assert_eq!(code(&with(5, 2)), Some(Code::FormErr));
        assert_eq!(code(&with(11, 1)), Some(Code::FormErr));
        assert_eq!(code(&plain[..plain.len() - 1]), Some(Code::FormErr));
        // Class CHAOS, type ANY.
        assert_eq!(code(&with(plain.len() - 1, 3)), Some(Code::Refused));
        assert_eq!(code(&with(plain.len() - 3, 255)), Some(Code::NotImp));
    }

    #[test]
    fn edns_of_the_future_is_turned_down() {
        let mut message = message("example.com.");
        message.edns.get_or_insert_default().set_version(1);
        let refused = Request::read(&message.to_vec().unwrap());
        assert!(matches!(refused, Err(Unanswerable::Code { code: Code::BadVers, .. })));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            if let Ok(request) = Request::read(&bytes) {
                prop_assert!(request.question.len() <= 259);
            }
        }

        #[test]
        fn a_damaged_question_is_read_or_refused(place in 0_usize..45, value in any::<u8>(), cut in 0_usize..60) {
            let mut message = message("www.example.com.");
            message.edns.get_or_insert_default();
            let mut bytes = message.to_vec().unwrap();
            if let Some(byte) = bytes.get_mut(place) {
                *byte = value;
            }
            bytes.truncate(cut);
            let _read = Request::read(&bytes);
        }
    }
}
