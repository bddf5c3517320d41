//! Answers in the form they are kept and sent: everything after the question, ready to be put behind any client's header.
//!
//! An answer refers to its name by a pointer to the question (offset 12), so the same bytes serve every client and repeat the letters
//! as each one wrote them. Times to live are counted down in place when an answer is sent.

use crate::rebinding;
use crate::request::Code;
use crate::request::HEADER;
use crate::request::MAX_DATAGRAM;
use crate::request::Request;
use crate::wire::Reader;
use hickory_proto::ProtoError;
use hickory_proto::rr::DNSClass;
use hickory_proto::rr::Name;
use hickory_proto::rr::Record;
use hickory_proto::rr::RecordType;
use hickory_proto::serialize::binary::BinEncodable;
use hickory_proto::serialize::binary::BinEncoder;
use std::net::IpAddr;

/// Why an answer is not what the question hoped for (extended DNS errors, RFC 8914 section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    DnssecBogus = 6,
    Blocked = 15,
    Prohibited = 18,
    NotSupported = 21,
    NoReachableAuthority = 22,
}

/// An answer, for any client that asks the same question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) code: Code,
    /// Every record was proved by DNSSEC.
    pub(crate) secure: bool,
    pub(crate) reason: Option<Reason>,
    /// What the records let the client connect to.
    pub(crate) addresses: Box<[IpAddr]>,
    /// Seconds until the first record is too old.
    pub(crate) lifetime: u32,
    answers: u16,
    authorities: u16,
    /// The records, in wire form, as they stand behind the question.
    records: Box<[u8]>,
}

/// Bounds of a time to live, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TtlBounds {
    /// Shorter ones are raised to this.
    pub min: u32,
    /// Longer ones are cut to this.
    pub max: u32,
}

impl Reply {
    /// An answer without records.
    pub(crate) fn empty(code: Code, reason: Option<Reason>) -> Self {
        Self {
            code,
            secure: false,
            reason,
            addresses: Box::default(),
            lifetime: 0,
            answers: 0,
            authorities: 0,
            records: Box::default(),
        }
    }

    /// An answer of these records to a question for `name`; their times to live are put within bounds.
    pub(crate) fn new(
        name: &Name,
        code: Code,
        mut answers: Vec<Record>,
        mut authorities: Vec<Record>,
        bounds: TtlBounds,
    ) -> Result<Self, ProtoError> {
        let mut lifetime = bounds.max;
        for record in answers.iter_mut().chain(&mut authorities) {
            record.ttl = record.ttl.clamp(bounds.min, bounds.max);
            lifetime = lifetime.min(record.ttl);
        }
        if answers.is_empty() && authorities.is_empty() {
            lifetime = bounds.min;
        }
        let addresses = answers.iter().flat_map(rebinding::addresses_of).collect();
        let mut bytes = vec![0; HEADER];
        let mut encoder = BinEncoder::with_offset(&mut bytes, 12);
        name.emit(&mut encoder)?;
        RecordType::A.emit(&mut encoder)?;
        DNSClass::IN.emit(&mut encoder)?;
        let question_end = encoder.offset();
        for record in answers.iter().chain(&authorities) {
            record.emit(&mut encoder)?;
        }
        let count = |records: &[Record]| {
            u16::try_from(records.len())
                .map_err(|_too_many| ProtoError::from("too many records for a message"))
        };
        Ok(Self {
            code,
            secure: false,
            reason: None,
            addresses,
            lifetime,
            answers: count(&answers)?,
            authorities: count(&authorities)?,
            records: bytes.get(question_end..).unwrap_or_default().into(),
        })
    }

    /// The same, to be kept for so many seconds.
    pub(crate) fn lasting(self, lifetime: u32) -> Self {
        Self { lifetime, ..self }
    }

    /// The same, with what DNSSEC proved.
    pub(crate) fn proved(self, secure: bool) -> Self {
        Self { secure, ..self }
    }

    /// Octets in memory.
    pub(crate) fn size(&self) -> usize {
        size_of::<Self>() + self.records.len() + self.addresses.len() * size_of::<IpAddr>()
    }

    /// The message for this client, `age` seconds after the answer was made, of at most `limit` octets.
    ///
    /// What does not fit is left out and the client told to ask again over TCP (RFC 2181 section 9).
    pub(crate) fn write(&self, request: &Request, age: u32, limit: usize) -> Vec<u8> {
        let room = limit.saturating_sub(HEADER + request.question.len() + EDNS_ROOM);
        let fits = self.records.len() <= room;
        let records = if fits { &*self.records } else { &[] };
        let mut message = Vec::with_capacity(HEADER + request.question.len() + records.len() + EDNS_ROOM);
        message.extend(request.id.to_be_bytes());
        message.push(0x80 | u8::from(!fits) << 1 | u8::from(request.recursion_desired));
        let tells_secure = self.secure && (request.authentic_data || request.dnssec_ok());
        let [_, code] = (self.code as u16).to_be_bytes();
        message.push(
            0x80 | u8::from(tells_secure) << 5 | u8::from(request.checking_disabled) << 4 | code & 0x0f,
        );
        let counts = if fits { [self.answers, self.authorities] } else { [0, 0] };
        for count in [1, counts[0], counts[1], u16::from(request.edns.is_some())] {
            message.extend(count.to_be_bytes());
        }
        message.extend(&request.question);
        let start = message.len();
        message.extend(records);
        grow_older(&mut message, start, counts[0] + counts[1], age);
        if request.edns.is_some() {
            write_edns(&mut message, code >> 4, request.dnssec_ok(), self.reason);
        }
        message
    }
}

/// Octets of EDNS in an answer: the record and one extended error.
const EDNS_ROOM: usize = 11 + 6;

/// The whole answer to what was no proper question: a header.
pub(crate) fn bare(id: u16, opcode: u8, code: Code) -> Vec<u8> {
    let mut message = Vec::with_capacity(HEADER + 11);
    let [_, low] = (code as u16).to_be_bytes();
    message.extend(id.to_be_bytes());
    message.extend([0x80 | (opcode & 0x0f) << 3, 0x80 | low & 0x0f]);
    let extended = low >> 4;
    message.extend([0, 0, 0, 0, 0, 0, 0, u8::from(extended != 0)]);
    if extended != 0 {
        write_edns(&mut message, extended, false, None);
    }
    message
}

/// RFC 6891 section 6.1.2, RFC 8914 section 2.
fn write_edns(message: &mut Vec<u8>, extended_code: u8, dnssec_ok: bool, reason: Option<Reason>) {
    message.push(0);
    message.extend(crate::request::qtype::OPT.to_be_bytes());
    message.extend(u16::try_from(MAX_DATAGRAM).unwrap_or(u16::MAX).to_be_bytes());
    message.extend([extended_code, 0, u8::from(dnssec_ok) << 7, 0]);
    match reason {
        Some(reason) => {
            message.extend([0, 6, 0, 15, 0, 2]);
            message.extend((reason as u16).to_be_bytes());
        }
        None => message.extend([0, 0]),
    }
}

/// Takes `age` off the time to live of each of `count` records that begin at `start`.
fn grow_older(message: &mut [u8], start: usize, count: u16, age: u32) {
    if age == 0 {
        return;
    }
    let mut position = start;
    for _ in 0..count {
        let mut reader = Reader::new(message);
        let ttl_at = reader.skip(position).and_then(|()| reader.skip_name()).and_then(|()| reader.skip(4));
        let place = reader.position();
        let (Some(()), Some(ttl), Some(length)) = (ttl_at, reader.u32(), reader.u16()) else { return };
        position = reader.position() + usize::from(length);
        if let Some(field) = message.get_mut(place..place + 4) {
            field.copy_from_slice(&ttl.saturating_sub(age).to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hickory_proto::op::Message;
    use hickory_proto::op::Query;
    use hickory_proto::op::ResponseCode;
    use hickory_proto::rr::RData;
    use hickory_proto::rr::rdata::A;
    use hickory_proto::rr::rdata::CNAME;
    use proptest::prelude::*;

    const BOUNDS: TtlBounds = TtlBounds { min: 5, max: 600 };

    fn request(name: &str, payload: Option<u16>) -> Request {
        let mut message = Message::query();
        message.metadata.recursion_desired = true;
        message.add_query(Query::query(Name::from_ascii(name).unwrap(), RecordType::A));
        if let Some(payload) = payload {
            message.edns.get_or_insert_default().set_max_payload(payload).set_dnssec_ok(true);
        }
        Request::read(&message.to_vec().unwrap()).unwrap()
    }

    fn reply(addresses: u8) -> Reply {
        let name = Name::from_ascii("www.example.com.").unwrap();
        let target = Name::from_ascii("cdn.example.com.").unwrap();
        let mut answers = vec![Record::from_rdata(name.clone(), 5000, RData::CNAME(CNAME(target.clone())))];
        answers.extend(
            (0..addresses).map(|n| Record::from_rdata(target.clone(), 100, RData::A(A::new(192, 0, 2, n)))),
        );
        Reply::new(&name, Code::NoError, answers, Vec::new(), BOUNDS).unwrap()
    }

    #[test]
    fn the_client_reads_its_own_letters_and_what_is_left_of_the_time() {
        let mut reply = reply(2);
        reply.secure = true;
        let bytes = reply.write(&request("wWw.eXample.com.", Some(1232)), 40, 1232);
        assert!(bytes.windows(4).any(|four| four == b"\x03wWw"));
        let read = Message::from_vec(&bytes).unwrap();
        assert!(read.metadata.authentic_data && read.metadata.recursion_available);
        assert_eq!(read.answers.iter().map(|record| record.ttl).collect::<Vec<_>>(), [560, 60, 60]);
        assert_eq!(read.answers[0].name, Name::from_ascii("www.example.com.").unwrap());
        assert!(read.edns.unwrap().flags().dnssec_ok);
        assert_eq!((reply.lifetime, reply.addresses.len()), (100, 2));
    }

    #[test]
    fn nothing_is_said_of_security_or_edns_to_who_did_not_ask() {
        let mut reply = reply(1);
        reply.secure = true;
        let read = Message::from_vec(&reply.write(&request("www.example.com.", None), 0, 512)).unwrap();
        assert!(!read.metadata.authentic_data && read.edns.is_none());
    }

    #[test]
    fn what_does_not_fit_is_asked_again_over_tcp() {
        let reply = reply(200);
        let bytes = reply.write(&request("www.example.com.", Some(1232)), 0, 1232);
        let read = Message::from_vec(&bytes).unwrap();
        assert!(read.metadata.truncation && read.answers.is_empty() && bytes.len() <= 1232);
        let read = Message::from_vec(&reply.write(&request("www.example.com.", None), 0, 65535)).unwrap();
        assert!(!read.metadata.truncation && read.answers.len() == 201);
    }

    #[test]
    fn a_code_alone_is_a_message() {
        let read = Message::from_vec(&bare(7, 4, Code::NotImp)).unwrap();
        assert_eq!((read.metadata.id, read.metadata.response_code), (7, ResponseCode::NotImp));
        let read = Message::from_vec(&bare(7, 0, Code::BadVers)).unwrap();
        assert_eq!(u16::from(read.metadata.response_code), 16);
    }

    proptest! {
        #[test]
        fn never_larger_than_the_limit(addresses in 0_u8..255, payload in 0_u16..5000, age in any::<u32>()) {
            let request = request("www.example.com.", Some(payload));
            let bytes = reply(addresses).write(&request, age, request.datagram_limit());
            prop_assert!(bytes.len() <= request.datagram_limit());
            prop_assert!(Message::from_vec(&bytes).is_ok());
        }
    }
}
