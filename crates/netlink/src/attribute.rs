//! Netlink attributes: 16 bits of length, 16 bits of type, the value, padding to four bytes (include/uapi/linux/netlink.h).
//!
//! nfnetlink carries numbers in network byte order.

use std::fmt;

/// Length and type.
const HEADER: usize = 4;
/// Flag of the type: the value consists of attributes.
const NESTED: u16 = 0x8000;
/// The type without flags (`NLA_TYPE_MASK`).
const TYPE_MASK: u16 = 0x3fff;

/// Bytes from outside that are no netlink.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} is cut short or has the wrong length")]
pub struct Malformed {
    /// Which part of the message.
    pub what: &'static str,
}

/// Does an attribute of this length still fit its 16 bits?
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an attribute would be longer than 65,535 bytes")]
pub(crate) struct TooLong;

/// Appends attributes to a message.
#[derive(Default)]
pub(crate) struct Writer {
    bytes: Vec<u8>,
    /// Once an attribute was too long, the whole is worth nothing.
    too_long: bool,
}

impl Writer {
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self { bytes: Vec::with_capacity(capacity), too_long: false }
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn finish(self) -> Result<Vec<u8>, TooLong> {
        if self.too_long { Err(TooLong) } else { Ok(self.bytes) }
    }

    /// Bytes that are no attribute: message headers.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Writes a number in host byte order over what stands there.
    pub(crate) fn patch_u32(&mut self, place: usize, value: u32) {
        if let Some(target) = self.bytes.get_mut(place..place + 4) {
            target.copy_from_slice(&value.to_ne_bytes());
        }
    }

    pub(crate) fn patch_u16(&mut self, place: usize, value: u16) {
        if let Some(target) = self.bytes.get_mut(place..place + 2) {
            target.copy_from_slice(&value.to_ne_bytes());
        }
    }

    /// What stands there, to be patched.
    pub(crate) fn read_u16(&self, place: usize) -> u16 {
        self.bytes.get(place..place + 2).map_or(0, |bytes| u16::from_ne_bytes([bytes[0], bytes[1]]))
    }

    pub(crate) fn bytes(&mut self, kind: u16, value: &[u8]) {
        let start = self.begin(kind);
        self.bytes.extend_from_slice(value);
        self.end(start);
    }

    /// A text with a zero byte at its end.
    pub(crate) fn text(&mut self, kind: u16, value: &str) {
        let start = self.begin(kind);
        self.bytes.extend_from_slice(value.as_bytes());
        self.bytes.push(0);
        self.end(start);
    }

    pub(crate) fn u8(&mut self, kind: u16, value: u8) {
        self.bytes(kind, &[value]);
    }

    pub(crate) fn u16(&mut self, kind: u16, value: u16) {
        self.bytes(kind, &value.to_be_bytes());
    }

    pub(crate) fn u32(&mut self, kind: u16, value: u32) {
        self.bytes(kind, &value.to_be_bytes());
    }

    pub(crate) fn u64(&mut self, kind: u16, value: u64) {
        self.bytes(kind, &value.to_be_bytes());
    }

    /// An attribute of attributes.
    pub(crate) fn nest(&mut self, kind: u16, fill: impl FnOnce(&mut Self)) {
        let start = self.begin(kind | NESTED);
        fill(self);
        self.end(start);
    }

    fn begin(&mut self, kind: u16) -> usize {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0, 0]);
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        start
    }

    fn end(&mut self, start: usize) {
        match u16::try_from(self.bytes.len() - start) {
            Ok(length) => self.patch_u16(start, length),
            Err(_) => self.too_long = true,
        }
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

/// One attribute of a reply.
#[derive(Clone, Copy)]
pub(crate) struct Attribute<'a> {
    pub(crate) kind: u16,
    pub(crate) value: &'a [u8],
}

impl fmt::Debug for Attribute<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "attribute {} of {} bytes", self.kind, self.value.len())
    }
}

impl<'a> Attribute<'a> {
    pub(crate) fn nested(&self) -> Attributes<'a> {
        Attributes { rest: self.value }
    }

    pub(crate) fn array<const N: usize>(&self, what: &'static str) -> Result<[u8; N], Malformed> {
        <[u8; N]>::try_from(self.value).map_err(|_wrong_length| Malformed { what })
    }

    pub(crate) fn u8(&self, what: &'static str) -> Result<u8, Malformed> {
        self.array::<1>(what).map(|[byte]| byte)
    }

    pub(crate) fn u16(&self, what: &'static str) -> Result<u16, Malformed> {
        self.array(what).map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&self, what: &'static str) -> Result<u32, Malformed> {
        self.array(what).map(u32::from_be_bytes)
    }

    pub(crate) fn u64(&self, what: &'static str) -> Result<u64, Malformed> {
        self.array(what).map(u64::from_be_bytes)
    }

    /// A text up to its zero byte; bytes that are no UTF-8 are shown as such.
    pub(crate) fn text(&self) -> String {
        let end = self.value.iter().position(|byte| *byte == 0).unwrap_or(self.value.len());
        String::from_utf8_lossy(&self.value[..end]).into_owned()
    }
}

/// The attributes of a message or of an attribute, each at least four bytes further: it always ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attributes<'a> {
    rest: &'a [u8],
}

impl<'a> Attributes<'a> {
    pub(crate) fn of(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The first one of this type.
    pub(crate) fn find(self, kind: u16) -> Result<Option<Attribute<'a>>, Malformed> {
        for attribute in self {
            let attribute = attribute?;
            if attribute.kind == kind {
                return Ok(Some(attribute));
            }
        }
        Ok(None)
    }

    pub(crate) fn require(self, kind: u16, what: &'static str) -> Result<Attribute<'a>, Malformed> {
        self.find(kind)?.ok_or(Malformed { what })
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Result<Attribute<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let malformed = Malformed { what: "a netlink attribute" };
        let rest = std::mem::take(&mut self.rest);
        let Some((header, _)) = rest.split_first_chunk::<HEADER>() else {
            return Some(Err(malformed));
        };
        let length = usize::from(u16::from_ne_bytes([header[0], header[1]]));
        let kind = u16::from_ne_bytes([header[2], header[3]]) & TYPE_MASK;
        let Some(value) = rest.get(HEADER..length) else {
            return Some(Err(malformed));
        };
        self.rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(Ok(Attribute { kind, value }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_written_is_read() {
        let mut writer = Writer::default();
        writer.text(1, "abc");
        writer.nest(2, |inner| {
            inner.u16(1, 0x0102);
            inner.u64(2, 7);
        });
        let bytes = writer.finish().unwrap();
        assert_eq!(bytes.len() % 4, 0);
        let all: Vec<_> = Attributes::of(&bytes).map(Result::unwrap).collect();
        assert_eq!(all[0].text(), "abc");
        let inner = all[1].nested();
        assert_eq!(inner.require(1, "one").unwrap().u16("one"), Ok(0x0102));
        assert_eq!(inner.require(2, "two").unwrap().u64("two"), Ok(7));
        assert_eq!(inner.require(3, "three").unwrap_err(), Malformed { what: "three" });
        inner.require(2, "two").unwrap().u32("two").unwrap_err();
    }

    #[test]
    fn a_list_that_does_not_fit_is_an_error() {
        let mut writer = Writer::default();
        writer.nest(1, |inner| (0..70).for_each(|_| inner.bytes(1, &[0; 1000])));
        assert_eq!(writer.finish(), Err(TooLong));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_end(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let read = Attributes::of(&bytes).count();
            prop_assert!(read <= bytes.len().div_ceil(4));
            let value: usize = Attributes::of(&bytes).flatten().map(|attribute| attribute.value.len()).sum();
            prop_assert!(value <= bytes.len());
        }
    }
}
