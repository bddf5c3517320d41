//! nfnetlink messages: the netlink header, the nfnetlink header, attributes; and what the kernel answers.
//!
//! Sources: include/uapi/linux/netlink.h, include/uapi/linux/netfilter/nfnetlink.h.

use crate::attribute::Attributes;
use crate::attribute::Malformed;
use crate::attribute::Writer;

/// `struct nlmsghdr`.
pub(crate) const HEADER: usize = 16;
/// `struct nfgenmsg`: family, version, resource id.
const NFNETLINK_HEADER: usize = 4;

pub(crate) const REQUEST: u16 = 0x1;
pub(crate) const ACK: u16 = 0x4;
pub(crate) const DUMP: u16 = 0x300;
pub(crate) const CREATE: u16 = 0x400;
pub(crate) const APPEND: u16 = 0x800;
/// The dumped list changed while it was dumped.
const DUMP_INTERRUPTED: u16 = 0x10;
/// Of an error: the request is cut off after its header.
const CAPPED: u16 = 0x100;
/// Of an error: attributes follow.
const HAS_ATTRIBUTES: u16 = 0x200;

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLMSG_OVERRUN: u16 = 4;
const NLMSGERR_ATTR_MSG: u16 = 1;

/// Where the flags of a message stand.
const FLAGS_OFFSET: usize = 6;

/// What a message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    pub(crate) subsystem: u8,
    pub(crate) message: u8,
}

/// The first lines of a message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Opening {
    /// `nlmsg_type`: subsystem in the upper byte.
    pub(crate) kind: u16,
    pub(crate) flags: u16,
    pub(crate) sequence: u32,
    pub(crate) family: u8,
    pub(crate) resource: u16,
}

/// Appends a message.
pub(crate) fn write(writer: &mut Writer, opening: &Opening, fill: impl FnOnce(&mut Writer)) {
    let start = writer.len();
    writer.raw(&[0; 4]);
    writer.raw(&opening.kind.to_ne_bytes());
    writer.raw(&opening.flags.to_ne_bytes());
    writer.raw(&opening.sequence.to_ne_bytes());
    writer.raw(&[0; 4]);
    writer.raw(&[opening.family, 0]);
    writer.raw(&opening.resource.to_be_bytes());
    fill(writer);
    // A message of more than 4 GiB cannot be: its attributes hold at most 64 KiB each and are few.
    writer.patch_u32(start, u32::try_from(writer.len() - start).unwrap_or(u32::MAX));
}

/// Asks for an answer to the message that starts here.
pub(crate) fn ask_for_answer(writer: &mut Writer, start: usize) {
    let flags = writer.read_u16(start + FLAGS_OFFSET);
    writer.patch_u16(start + FLAGS_OFFSET, flags | ACK);
}

/// One message by itself.
pub(crate) fn request(
    kind: Kind,
    flags: u16,
    sequence: u32,
    family: u8,
    fill: impl FnOnce(&mut Writer),
) -> Vec<u8> {
    let mut writer = Writer::with_capacity(128);
    let opening = Opening {
        kind: u16::from(kind.subsystem) << 8 | u16::from(kind.message),
        flags: REQUEST | flags,
        sequence,
        family,
        resource: 0,
    };
    write(&mut writer, &opening, fill);
    writer.as_bytes().to_vec()
}

/// One message of a datagram.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message<'a> {
    kind: u16,
    flags: u16,
    pub(crate) sequence: u32,
    body: &'a [u8],
}

/// What the kernel says in one message.
#[derive(Debug)]
pub(crate) enum Said<'a> {
    /// A piece of news, or of a list.
    Data { kind: Kind, family: u8, attributes: Attributes<'a> },
    /// The list ends here.
    Done,
    /// The request was done.
    Acknowledged,
    /// The request was refused.
    Refused { errno: i32, explanation: Option<String> },
    /// Nothing of interest.
    Nothing,
}

impl<'a> Message<'a> {
    /// Whether the list that this belongs to changed meanwhile, so that it has to be asked for again.
    pub(crate) fn is_interrupted(&self) -> bool {
        self.flags & DUMP_INTERRUPTED != 0
    }

    pub(crate) fn said(&self) -> Result<Said<'a>, Malformed> {
        match self.kind {
            NLMSG_ERROR => self.error(),
            NLMSG_DONE => self.done(),
            NLMSG_OVERRUN => Err(Malformed { what: "a list of the kernel" }),
            kind if kind < 16 => Ok(Said::Nothing),
            kind => {
                let (header, attributes) = self
                    .body
                    .split_first_chunk::<NFNETLINK_HEADER>()
                    .ok_or(Malformed { what: "an nfnetlink header" })?;
                let [message, subsystem] = kind.to_le_bytes();
                Ok(Said::Data {
                    kind: Kind { subsystem, message },
                    family: header[0],
                    attributes: Attributes::of(attributes),
                })
            }
        }
    }

    /// The end of a list carries an error number since a list may fail half-way.
    fn done(&self) -> Result<Said<'a>, Malformed> {
        match self.body.first_chunk::<4>().map(|bytes| i32::from_ne_bytes(*bytes)) {
            None | Some(0..) => Ok(Said::Done),
            Some(code) => Ok(Said::Refused { errno: code.saturating_neg(), explanation: None }),
        }
    }

    fn error(&self) -> Result<Said<'a>, Malformed> {
        let malformed = Malformed { what: "an error message" };
        let (code, rest) = self.body.split_first_chunk::<4>().ok_or(malformed)?;
        let code = i32::from_ne_bytes(*code);
        if code == 0 {
            return Ok(Said::Acknowledged);
        }
        Ok(Said::Refused { errno: code.saturating_neg(), explanation: self.explanation(rest)? })
    }

    /// The kernel's own words (`NETLINK_EXT_ACK`), behind the request or its header.
    fn explanation(&self, quoted: &'a [u8]) -> Result<Option<String>, Malformed> {
        if self.flags & HAS_ATTRIBUTES == 0 {
            return Ok(None);
        }
        let malformed = Malformed { what: "the request quoted in an error message" };
        let length = quoted.first_chunk::<4>().ok_or(malformed)?;
        let skipped = if self.flags & CAPPED != 0 {
            HEADER
        } else {
            usize::try_from(u32::from_ne_bytes(*length))
                .ok()
                .and_then(|length| length.checked_next_multiple_of(4))
                .ok_or(malformed)?
        };
        let attributes = Attributes::of(quoted.get(skipped..).ok_or(malformed)?);
        Ok(attributes.find(NLMSGERR_ATTR_MSG)?.map(|attribute| attribute.text()))
    }
}

/// The messages of a datagram, each at least sixteen bytes further: it always ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Messages<'a> {
    rest: &'a [u8],
}

impl<'a> Messages<'a> {
    pub(crate) fn of(datagram: &'a [u8]) -> Self {
        Self { rest: datagram }
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = Result<Message<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let malformed = Malformed { what: "a netlink message" };
        let rest = std::mem::take(&mut self.rest);
        let Some((header, _)) = rest.split_first_chunk::<HEADER>() else {
            return Some(Err(malformed));
        };
        let number =
            |at: usize| u32::from_ne_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        let body = usize::try_from(number(0)).ok().and_then(|length| rest.get(HEADER..length));
        let Some(body) = body else {
            return Some(Err(malformed));
        };
        self.rest = rest.get((HEADER + body.len()).next_multiple_of(4)..).unwrap_or_default();
        Some(Ok(Message {
            kind: u16::from_ne_bytes([header[4], header[5]]),
            flags: u16::from_ne_bytes([header[6], header[7]]),
            sequence: number(8),
            body,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn error(flags: u16, body: &[&[u8]]) -> Vec<u8> {
        let mut bytes = vec![0; 4];
        bytes.extend(NLMSG_ERROR.to_ne_bytes());
        bytes.extend(flags.to_ne_bytes());
        bytes.extend([9, 0, 0, 0, 0, 0, 0, 0]);
        bytes.extend(body.concat());
        let length = u32::try_from(bytes.len()).unwrap();
        bytes[..4].copy_from_slice(&length.to_ne_bytes());
        bytes
    }

    fn only(bytes: &[u8]) -> Message<'_> {
        let mut messages = Messages::of(bytes);
        let message = messages.next().unwrap().unwrap();
        assert!(messages.next().is_none());
        message
    }

    #[test]
    fn the_kernels_words_are_found_behind_a_whole_and_a_cut_request() {
        let mut words = Writer::default();
        words.text(NLMSGERR_ATTR_MSG, "no such thing");
        let request = request(Kind { subsystem: 10, message: 0 }, 0, 9, 1, |writer| writer.text(1, "table"));
        let code = (-2_i32).to_ne_bytes();
        let whole = error(HAS_ATTRIBUTES, &[&code, &request, words.as_bytes()]);
        let cut = error(HAS_ATTRIBUTES | CAPPED, &[&code, &request[..HEADER], words.as_bytes()]);
        for bytes in [whole, cut] {
            let Said::Refused { errno: 2, explanation } = only(&bytes).said().unwrap() else {
                panic!("not refused");
            };
            assert_eq!(explanation.as_deref(), Some("no such thing"));
            assert_eq!(only(&bytes).sequence, 9);
        }
    }

    #[test]
    fn an_error_of_zero_is_an_acknowledgement() {
        assert!(matches!(only(&error(0, &[&[0; 20]])).said(), Ok(Said::Acknowledged)));
        only(&error(0, &[&[0; 3]])).said().unwrap_err();
    }

    #[test]
    fn a_message_of_no_length_is_an_error_and_the_end() {
        let mut messages = Messages::of(&[0; 64]);
        messages.next().unwrap().unwrap_err();
        assert!(messages.next().is_none());
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_end(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(Messages::of(&bytes).count() <= bytes.len().div_ceil(HEADER));
        }

        #[test]
        fn arbitrary_bodies_are_read_or_refused(kind in 0_u16..20, flags: u16, body in proptest::collection::vec(any::<u8>(), 0..100)) {
            let message = Message { kind, flags, sequence: 0, body: &body };
            if let Ok(Said::Data { attributes, .. }) = message.said() {
                prop_assert!(attributes.count() <= body.len());
            }
        }
    }
}
