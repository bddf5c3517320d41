//! Domain names as they travel: lower case, uncompressed wire form (RFC 1035 section 3.1).

use hickory_proto::rr::Name;
use hickory_proto::serialize::binary::BinDecodable;
use hickory_proto::serialize::binary::BinEncodable;
use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

/// Octets of a name with its root label (RFC 1035 section 2.3.4).
const MAX_NAME: usize = 255;
/// Octets of a label (RFC 1035 section 2.3.4).
const MAX_LABEL: usize = 63;

/// A domain name, compared without regard to case.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DomainName(Box<[u8]>);

/// Why a text is no domain name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a domain name")]
pub struct NotAName {
    /// The text.
    pub text: String,
}

impl DomainName {
    /// Reads an uncompressed name from the start of `bytes` and says how many octets it took.
    ///
    /// Compression pointers are refused: the first name of a message has nothing to point at.
    pub(crate) fn read(bytes: &[u8]) -> Option<(Self, usize)> {
        let mut end = 0;
        loop {
            let length = usize::from(*bytes.get(end)?);
            if length > MAX_LABEL {
                return None;
            }
            end += 1 + length;
            if end > MAX_NAME || end > bytes.len() {
                return None;
            }
            if length == 0 {
                break;
            }
        }
        // Length octets are below 64, `A` is 65: lowering the case of everything leaves them alone.
        let name = bytes.get(..end)?.to_ascii_lowercase();
        Some((Self(name.into()), end))
    }

    /// The wire form.
    pub(crate) fn as_wire(&self) -> &[u8] {
        &self.0
    }

    /// The labels from left to right, without the root's.
    pub(crate) fn labels(&self) -> Labels<'_> {
        Labels { rest: &self.0 }
    }

    /// True of every name below `other`, and not of `other`.
    pub(crate) fn is_below(&self, other: &Self) -> bool {
        self.suffixes().skip(1).any(|suffix| suffix == &*other.0)
    }

    /// The name, its parent, and so on to the root.
    fn suffixes(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = Some(&*self.0);
        std::iter::from_fn(move || {
            let now = rest?;
            let length = usize::from(*now.first()?);
            rest = if length == 0 { None } else { now.get(1 + length..) };
            Some(now)
        })
    }

    /// The same name in the codec's terms.
    pub(crate) fn to_hickory(&self) -> Name {
        // Every name that was read or parsed is valid for the codec; the root stands in if it ever is not.
        Name::from_bytes(&self.0).unwrap_or_else(|_| Name::root())
    }
}

impl From<&Name> for DomainName {
    fn from(name: &Name) -> Self {
        let mut name = name.to_lowercase();
        name.set_fqdn(true);
        let wire = name.to_bytes().unwrap_or_else(|_| vec![0]);
        Self(wire.into())
    }
}

impl FromStr for DomainName {
    type Err = NotAName;

    /// Reads `nas.example.com`, with or without the final dot; international names become their `xn--` form (RFC 5890).
    fn from_str(text: &str) -> Result<Self, NotAName> {
        let refuse = || NotAName { text: text.to_owned() };
        if text.is_empty() {
            return Err(refuse());
        }
        // Names in use are not all as IDNA wants them: `_` inside a label, `xn--` before what is no Punycode.
        let read = if text.is_ascii() { Name::from_ascii(text) } else { Name::from_utf8(text) };
        let name = read.map_err(|_invalid| refuse())?;
        Ok(Self::from(&name))
    }
}

impl fmt::Display for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.to_hickory().to_ascii();
        f.write_str(if text == "." { &text } else { text.trim_end_matches('.') })
    }
}

impl fmt::Debug for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Borrow<[u8]> for DomainName {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

/// Labels of a name, left to right.
#[derive(Clone, Debug)]
pub(crate) struct Labels<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Labels<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let length = usize::from(*self.rest.first()?);
        if length == 0 {
            return None;
        }
        let label = self.rest.get(1..=length)?;
        self.rest = self.rest.get(1 + length..)?;
        Some(label)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name(text: &str) -> DomainName {
        text.parse().unwrap()
    }

    #[test]
    fn case_and_final_dot_do_not_matter() {
        assert_eq!(name("WWW.Example.com"), name("www.example.com."));
        assert_eq!(name("WWW.Example.com").to_string(), "www.example.com");
        assert_eq!(name("bücher.example").to_string(), "xn--bcher-kva.example");
        assert_eq!(name("A_b.XN--zz.example").to_string(), "a_b.xn--zz.example");
    }

    #[test]
    fn suffixes_end_at_labels() {
        assert!(name("a.example.com").is_below(&name("example.com")));
        assert!(!name("example.com").is_below(&name("example.com")));
        assert!(!name("badexample.com").is_below(&name("example.com")));
        // A label that holds the octets of a suffix is not that suffix.
        let (sneaky, _) = DomainName::read(b"\x0da\x07example\x03com\0").unwrap();
        assert!(!sneaky.is_below(&name("example.com")));
    }

    #[test]
    fn pointers_and_overlong_names_are_refused() {
        assert_eq!(DomainName::read(b"\xc0\x0c"), None);
        assert_eq!(DomainName::read(b"\x03ww"), None);
        let long: Vec<u8> =
            std::iter::repeat_n(b"\x3f".iter().chain(&[b'a'; 63]).copied(), 5).flatten().collect();
        assert_eq!(DomainName::read(&long), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Some((name, length)) = DomainName::read(&bytes) {
                prop_assert!(length <= bytes.len());
                prop_assert_eq!(DomainName::from(&name.to_hickory()), name.clone());
                prop_assert_eq!(name.labels().count() + 1, name.suffixes().count());
                let _shown = name.to_string();
            }
        }
    }
}
