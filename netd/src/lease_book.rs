//! The addresses that links had last, kept over a reboot: a server is asked for the same one again (INIT-REBOOT). How long a lease
//! still lasts is not kept: after a start nobody knows what time it is, so an address is used only once its server confirms it.

use model::network::link_settings::MacAddress;
use serde::Deserialize;
use serde::Serialize;
use std::net::Ipv4Addr;

/// Links that are remembered; the one not seen for longest is forgotten first.
const MOST: usize = 32;
/// Version of the file.
const VERSION: u8 = 1;

/// What is remembered, newest last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct LeaseBook {
    entries: Vec<Entry>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    mac: MacAddress,
    address: Ipv4Addr,
}

/// The file is not a lease book of this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the addresses of links are not in a known form")]
pub struct UnknownForm;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    version: u8,
    leases: Vec<Entry>,
}

impl LeaseBook {
    /// The address that a link had last.
    #[must_use]
    pub fn address(&self, mac: MacAddress) -> Option<Ipv4Addr> {
        self.entries.iter().find(|entry| entry.mac == mac).map(|entry| entry.address)
    }

    /// Remembers an address and says whether that is news.
    pub fn note(&mut self, mac: MacAddress, address: Ipv4Addr) -> bool {
        if self.address(mac) == Some(address) {
            return false;
        }
        self.entries.retain(|entry| entry.mac != mac);
        self.entries.push(Entry { mac, address });
        let surplus = self.entries.len().saturating_sub(MOST);
        self.entries.drain(..surplus);
        true
    }
}

impl TryFrom<Written> for LeaseBook {
    type Error = UnknownForm;

    fn try_from(written: Written) -> Result<Self, Self::Error> {
        let is_good = written.version == VERSION
            && written.leases.len() <= MOST
            && written.leases.iter().all(|entry| {
                let first = entry.address.octets()[0];
                first != 0 && first < 224 && !entry.address.is_loopback()
            });
        if is_good { Ok(Self { entries: written.leases }) } else { Err(UnknownForm) }
    }
}

impl From<LeaseBook> for Written {
    fn from(book: LeaseBook) -> Self {
        Self { version: VERSION, leases: book.entries }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::any;
    use proptest::prelude::prop;
    use proptest::proptest;

    fn parse(bytes: &[u8]) -> Option<LeaseBook> {
        serde_json::from_slice(bytes).ok()
    }

    fn mac(last: u8) -> MacAddress {
        MacAddress::new([2, 0, 0, 0, 0, last]).unwrap()
    }

    #[test]
    fn what_is_noted_is_read_again_and_the_oldest_is_forgotten() {
        let mut book = LeaseBook::default();
        for last in 0..40 {
            assert!(book.note(mac(last), Ipv4Addr::new(10, 0, 0, last + 1)));
        }
        assert!(!book.note(mac(39), Ipv4Addr::new(10, 0, 0, 40)), "no news");
        assert!(book.note(mac(39), Ipv4Addr::new(10, 0, 0, 99)));
        assert_eq!((book.address(mac(7)), book.address(mac(39))), (None, Some(Ipv4Addr::new(10, 0, 0, 99))));
        let text = serde_json::to_vec(&book).unwrap();
        assert_eq!(parse(&text), Some(book));
    }

    #[test]
    fn other_files_are_refused() {
        let entry = |address: &str| format!(r#"{{"mac":"02:00:00:00:00:01","address":"{address}"}}"#);
        let file = |version: u8, entries: &[String]| {
            parse(format!(r#"{{"version":{version},"leases":[{}]}}"#, entries.join(",")).as_bytes())
        };
        assert!(file(1, &[entry("10.0.0.1")]).is_some());
        assert_eq!(file(2, &[]), None);
        assert_eq!(file(1, &vec![entry("10.0.0.1"); 33]), None);
        for address in ["0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255", "x"] {
            assert_eq!(file(1, &[entry(address)]), None, "{address}");
        }
        assert_eq!(parse(br#"{"version":1,"leases":[],"more":1}"#), None);
    }

    proptest! {
        #[test]
        fn any_file_is_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _outcome = parse(&bytes);
        }
    }
}
