//! Addresses for who joins the box's own network: a DHCP server (RFC 2131) for one link, small and bounded. Pure.
//!
//! What arrives is a stranger's; read are the fixed part and three options, and every answer is broadcast on the link.

use crate::dhcp::frame::Mac;
use crate::moment::Moment;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

/// The box's address in its own network, and the prefix length.
pub const OWN: (Ipv4Addr, u8) = (Ipv4Addr::new(192, 168, 71, 1), 24);
/// Last parts of addresses that are given out. More devices than these have no use in a set-up.
const POOL: std::ops::RangeInclusive<u8> = 10..=59;
/// How long an address is one's own.
const LEASE: Duration = Duration::from_secs(600);
/// An offer nobody takes.
const OFFER: Duration = Duration::from_secs(30);
/// Longest message that is looked at: what fits one Ethernet frame.
pub const LONGEST: usize = 1500;

const MASK: Ipv4Addr = Ipv4Addr::new(255, 255, 255, 0);
const FIXED: usize = 240;
const MAGIC: [u8; 4] = [99, 130, 83, 99];
const DISCOVER: u8 = 1;
const OFFERED: u8 = 2;
const REQUEST: u8 = 3;
const ACK: u8 = 5;
const NAK: u8 = 6;
const RELEASE: u8 = 7;

/// Who has which address until when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leases {
    held: BTreeMap<u8, Held>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Held {
    mac: Mac,
    until: Moment,
    is_offer: bool,
}

/// What of a message counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Question {
    kind: u8,
    xid: [u8; 4],
    flags: [u8; 2],
    in_use: Ipv4Addr,
    mac: Mac,
    wish: Option<Ipv4Addr>,
    server: Option<Ipv4Addr>,
}

impl Leases {
    /// Until when somebody has an address.
    #[must_use]
    pub fn used_until(&self) -> Option<Moment> {
        self.held.values().filter(|held| !held.is_offer).map(|held| held.until).max()
    }

    /// The answer to a message, if it deserves one.
    pub fn answer(&mut self, message: &[u8], now: Moment) -> Option<Vec<u8>> {
        let question = parse(message)?;
        self.held.retain(|_, held| held.until > now);
        // Meant for another server, which there should not be: not ours to answer.
        let is_for_other = question.server.is_some_and(|server| server != OWN.0);
        match question.kind {
            DISCOVER => {
                let last = self.place(question.mac, question.wish)?;
                self.hold(last, question.mac, now + OFFER, true);
                Some(build(&question, OFFERED, address(last)))
            }
            REQUEST if is_for_other => {
                self.held.retain(|_, held| held.mac != question.mac);
                None
            }
            REQUEST => {
                let wished = question.wish.unwrap_or(question.in_use);
                match self.place(question.mac, Some(wished)).filter(|last| address(*last) == wished) {
                    Some(last) => {
                        self.hold(last, question.mac, now + LEASE, false);
                        Some(build(&question, ACK, wished))
                    }
                    None => Some(build(&question, NAK, Ipv4Addr::UNSPECIFIED)),
                }
            }
            RELEASE => {
                self.held.retain(|_, held| held.mac != question.mac);
                None
            }
            _ => None,
        }
    }

    fn hold(&mut self, last: u8, mac: Mac, until: Moment, is_offer: bool) {
        self.held.retain(|place, held| held.mac != mac || *place == last);
        // An offer made again does not take away what is held.
        let is_offer = is_offer && self.held.get(&last).is_none_or(|held| held.is_offer);
        let until = self.held.get(&last).map_or(until, |held| held.until.max(until));
        self.held.insert(last, Held { mac, until, is_offer });
    }

    /// The one it has, the one it wishes for, the first free one.
    fn place(&self, mac: Mac, wish: Option<Ipv4Addr>) -> Option<u8> {
        let is_free = |last: &u8| self.held.get(last).is_none_or(|held| held.mac == mac);
        let wished = wish.and_then(last_of).filter(is_free);
        let own = self.held.iter().find(|(_, held)| held.mac == mac).map(|(last, _)| *last);
        wished.or(own).or_else(|| POOL.into_iter().find(is_free))
    }
}

fn address(last: u8) -> Ipv4Addr {
    let [a, b, c, _] = OWN.0.octets();
    Ipv4Addr::new(a, b, c, last)
}

fn last_of(wish: Ipv4Addr) -> Option<u8> {
    let last = wish.octets()[3];
    (address(last) == wish && POOL.contains(&last)).then_some(last)
}

fn parse(message: &[u8]) -> Option<Question> {
    if message.len() > LONGEST {
        return None;
    }
    let (fixed, mut options) = message.split_at_checked(FIXED)?;
    let is_request = fixed.get(..3)? == [1, 1, 6].as_slice() && fixed.ends_with(&MAGIC);
    // Who comes over a relay is not in this network.
    let is_direct = fixed.get(24..28)? == [0; 4].as_slice();
    if !is_request || !is_direct {
        return None;
    }
    let mut question = Question {
        kind: 0,
        xid: fixed.get(4..8)?.try_into().ok()?,
        flags: fixed.get(10..12)?.try_into().ok()?,
        in_use: four(fixed.get(12..16)?)?,
        mac: fixed.get(28..34)?.try_into().ok()?,
        wish: None,
        server: None,
    };
    while let [code, rest @ ..] = options {
        match *code {
            0 => options = rest,
            255 => break,
            code => {
                let (length, rest) = rest.split_first()?;
                let (value, rest) = rest.split_at_checked(usize::from(*length))?;
                match (code, value) {
                    (53, [kind]) => question.kind = *kind,
                    (50, value) => question.wish = four(value),
                    (54, value) => question.server = four(value),
                    _ => {}
                }
                options = rest;
            }
        }
    }
    Some(question)
}

fn four(bytes: &[u8]) -> Option<Ipv4Addr> {
    <[u8; 4]>::try_from(bytes).ok().map(Ipv4Addr::from)
}

fn build(question: &Question, kind: u8, granted: Ipv4Addr) -> Vec<u8> {
    let none = [0; 4];
    let seconds = u32::try_from(LEASE.as_secs()).unwrap_or(u32::MAX).to_be_bytes();
    let own = OWN.0.octets();
    let mut message = Vec::with_capacity(300);
    message.extend([2, 1, 6, 0]);
    message.extend(question.xid);
    message.extend([0, 0]);
    message.extend(question.flags);
    message.extend(if kind == ACK { question.in_use.octets() } else { none });
    message.extend(granted.octets());
    // No next server, no relay.
    message.extend(none);
    message.extend(none);
    message.extend(question.mac);
    // The rest of the hardware address, the names of server and file.
    message.extend([0; 10 + 64 + 128]);
    message.extend(MAGIC);
    let mut option = |code: u8, value: &[u8]| {
        message.push(code);
        message.push(u8::try_from(value.len()).unwrap_or(0));
        message.extend(value);
    };
    option(53, &[kind]);
    option(54, &own);
    if kind != NAK {
        option(51, &seconds);
        option(1, &MASK.octets());
        // A router, though nothing lies behind: without one phones do not ask for names, and show no page.
        option(3, &own);
        option(6, &own);
    }
    message.push(255);
    // Some clients drop shorter ones (RFC 1542 section 2.1).
    message.resize(message.len().max(300), 0);
    message
}

#[cfg(test)]
mod tests {
    use super::*;
    use dhcproto::Decodable;
    use dhcproto::Encodable;
    use dhcproto::v4;
    use dhcproto::v4::DhcpOption;
    use dhcproto::v4::MessageType;
    use proptest::prelude::*;

    const NONE: Ipv4Addr = Ipv4Addr::UNSPECIFIED;

    fn ask(mac: u8, kind: MessageType, options: Vec<DhcpOption>) -> Vec<u8> {
        let mut message = v4::Message::new_with_id(7, NONE, NONE, NONE, NONE, &[2, 0, 0, 0, 0, mac]);
        message.opts_mut().insert(DhcpOption::MessageType(kind));
        for option in options {
            message.opts_mut().insert(option);
        }
        message.to_vec().unwrap()
    }

    fn read(answer: Option<Vec<u8>>) -> (MessageType, Ipv4Addr) {
        let message = v4::Message::decode(&mut dhcproto::Decoder::new(&answer.unwrap())).unwrap();
        assert_eq!((message.xid(), message.opcode()), (7, v4::Opcode::BootReply));
        assert_eq!(
            message.opts().get(v4::OptionCode::ServerIdentifier),
            Some(&DhcpOption::ServerIdentifier(OWN.0))
        );
        (message.opts().msg_type().unwrap(), message.yiaddr())
    }

    fn now() -> Moment {
        Moment::from_secs(100)
    }

    #[test]
    fn an_address_is_offered_taken_kept_and_given_back() {
        let mut leases = Leases::default();
        let (kind, offered) = read(leases.answer(&ask(1, MessageType::Discover, vec![]), now()));
        assert_eq!((kind, offered), (MessageType::Offer, address(10)));
        assert_eq!(leases.used_until(), None, "an offer is no use");
        let wish = vec![DhcpOption::RequestedIpAddress(offered), DhcpOption::ServerIdentifier(OWN.0)];
        let (kind, given) = read(leases.answer(&ask(1, MessageType::Request, wish), now()));
        assert_eq!((kind, given), (MessageType::Ack, offered));
        assert_eq!(leases.used_until(), Some(now() + LEASE));
        assert_eq!(read(leases.answer(&ask(2, MessageType::Discover, vec![]), now())).1, address(11));
        assert_eq!(leases.answer(&ask(1, MessageType::Release, vec![]), now()), None);
        assert_eq!(leases.used_until(), None);
    }

    #[test]
    fn nobody_gets_what_another_has_or_what_is_not_ours() {
        let mut leases = Leases::default();
        let request =
            |mac, address| ask(mac, MessageType::Request, vec![DhcpOption::RequestedIpAddress(address)]);
        assert_eq!(read(leases.answer(&request(1, address(20)), now())), (MessageType::Ack, address(20)));
        for wish in [address(20), address(1), address(200), Ipv4Addr::new(10, 0, 0, 20)] {
            assert_eq!(read(leases.answer(&request(2, wish), now())), (MessageType::Nak, NONE), "{wish}");
        }
        let elsewhere = vec![DhcpOption::ServerIdentifier(Ipv4Addr::new(10, 0, 0, 1))];
        assert_eq!(leases.answer(&ask(1, MessageType::Request, elsewhere), now()), None);
        assert_eq!(leases.used_until(), None, "it chose another server");
    }

    #[test]
    fn a_flood_of_devices_ends_at_the_pool() {
        let mut leases = Leases::default();
        let answered =
            (0..=255).filter(|mac| leases.answer(&ask(*mac, MessageType::Discover, vec![]), now()).is_some());
        assert_eq!(answered.count(), POOL.count());
        assert!(
            leases.answer(&ask(99, MessageType::Discover, vec![]), now() + OFFER).is_some(),
            "offers end"
        );
    }

    #[test]
    fn what_is_no_question_has_no_answer() {
        let good = ask(1, MessageType::Discover, vec![]);
        let with = |at: usize, byte: u8| {
            let mut bytes = good.clone();
            bytes[at] = byte;
            Leases::default().answer(&bytes, now())
        };
        for (at, byte) in [(0, 2), (1, 6), (2, 16), (24, 1), (236, 0), (242, 5)] {
            assert_eq!(with(at, byte), None, "{at}");
        }
        assert_eq!(Leases::default().answer(&good[..239], now()), None);
        assert_eq!(Leases::default().answer(&vec![0; LONGEST + 1], now()), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), cut in 0_usize..300) {
            let mut leases = Leases::default();
            let _none = leases.answer(&bytes, now());
            let mut good = ask(1, MessageType::Discover, vec![]);
            good.truncate(cut);
            good.extend(bytes);
            let _answer = leases.answer(&good, now());
        }
    }
}
