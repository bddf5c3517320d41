//! Between the state machine's words and DHCP messages (RFC 2131 section 2, RFC 2132), over the dhcproto codec.
//!
//! What arrives is not trusted: options that were not asked for are cut out before the codec sees them (one unreadable text in
//! an option nobody needs would otherwise cost the whole lease), and addresses that no host can have are refused.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the codec knows many more options than netd reads, and new ones with every release"
)]

use crate::dhcp::frame::Mac;
use crate::dhcp::lease::Network;
use crate::dhcp::lease::Terms;
use crate::dhcp::lease::Times;
use crate::dhcp::lease::Via;
use crate::dhcp::machine::Answer;
use crate::dhcp::machine::Outgoing;
use crate::dhcp::machine::Question;
use crate::dhcp::machine::Reply;
use dhcproto::Decodable;
use dhcproto::Decoder;
use dhcproto::Encodable;
use dhcproto::v4::DhcpOption;
use dhcproto::v4::DhcpOptions;
use dhcproto::v4::Message;
use dhcproto::v4::MessageType;
use dhcproto::v4::Opcode;
use dhcproto::v4::OptionCode;
use model::names::HostName;
use model::network::link_settings::Mtu;
use std::net::Ipv4Addr;
use std::time::Duration;

/// Longest message that is looked at, in bytes: what fits one Ethernet frame.
pub const LONGEST: usize = 1500;

/// Shortest message to send: BOOTP relays drop shorter ones (RFC 1542 section 2.1).
const SHORTEST: usize = 300;
/// Fixed part and magic number, before the options.
const FIXED: usize = 240;
const MAGIC: [u8; 4] = [99, 130, 83, 99];
/// Servers and routes beyond this many are dropped.
const MOST_ENTRIES: usize = 16;

const WANTED: [OptionCode; 11] = [
    OptionCode::SubnetMask,
    OptionCode::Router,
    OptionCode::DomainNameServer,
    OptionCode::DomainName,
    OptionCode::InterfaceMtu,
    OptionCode::NtpServers,
    OptionCode::AddressLeaseTime,
    OptionCode::ServerIdentifier,
    OptionCode::Renewal,
    OptionCode::Rebinding,
    OptionCode::ClasslessStaticRoute,
];

/// Who the client says it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Hardware address of the link.
    pub mac: Mac,
    /// Who asks, on whichever link (option 61; [`crate::identity`]).
    pub client_id: Vec<u8>,
    /// Name for the router's list of devices (option 12).
    pub host_name: HostName,
}

/// Why bytes are no answer for this client.
#[derive(Debug, thiserror::Error)]
pub enum ParseError {
    /// Too short, too long or without the magic number.
    #[error("the message is not DHCP")]
    NotDhcp,
    /// The codec refuses it.
    #[error("the message is damaged")]
    Damaged {
        /// What the codec says.
        #[source]
        source: dhcproto::error::DecodeError,
    },
    /// Not an answer to this client.
    #[error("the message is for another client")]
    NotForUs,
    /// Neither offer, acknowledgement nor denial.
    #[error("the message is not an answer")]
    NotAnAnswer,
    /// The address cannot be that of a host.
    #[error("the server grants {address}, which is no host's address")]
    Address {
        /// What it grants.
        address: Ipv4Addr,
    },
    /// The lease time is absent or too short to renew it.
    #[error("the server grants no usable time")]
    LeaseTime,
}

/// Why a message could not be written.
#[derive(Debug, thiserror::Error)]
#[error("write a DHCP message")]
pub struct BuildError {
    #[source]
    source: dhcproto::error::EncodeError,
}

/// Writes a message.
///
/// # Errors
///
/// When the codec refuses it, which would be a defect.
pub fn build(outgoing: &Outgoing, identity: &Identity) -> Result<Vec<u8>, BuildError> {
    let (kind, in_use) = match outgoing.question {
        Question::Discover { .. } => (MessageType::Discover, None),
        Question::Select { .. } | Question::Reboot { .. } => (MessageType::Request, None),
        Question::Renew { address, .. } | Question::Rebind { address } => {
            (MessageType::Request, Some(address))
        }
        Question::Decline { .. } => (MessageType::Decline, None),
        Question::Release { address, .. } => (MessageType::Release, Some(address)),
    };
    let none = Ipv4Addr::UNSPECIFIED;
    let ciaddr = in_use.unwrap_or(none);
    let mut message = Message::new_with_id(outgoing.xid, ciaddr, none, none, none, &identity.mac);
    message.set_secs(u16::try_from(outgoing.trying_for.as_secs()).unwrap_or(u16::MAX));
    let options = message.opts_mut();
    options.insert(DhcpOption::MessageType(kind));
    options.insert(DhcpOption::ClientIdentifier(identity.client_id.clone()));
    // What is wanted must not be in a message that wants nothing (RFC 2131 table 5).
    if matches!(kind, MessageType::Discover | MessageType::Request) {
        options.insert(DhcpOption::Hostname(identity.host_name.as_str().to_owned()));
        options.insert(DhcpOption::MaxMessageSize(1472));
        options.insert(DhcpOption::ParameterRequestList(WANTED.to_vec()));
    }
    match outgoing.question {
        Question::Discover { wish: Some(address) } | Question::Reboot { address } => {
            options.insert(DhcpOption::RequestedIpAddress(address));
        }
        Question::Select { address, server } | Question::Decline { address, server } => {
            options.insert(DhcpOption::RequestedIpAddress(address));
            options.insert(DhcpOption::ServerIdentifier(server));
        }
        Question::Release { server, .. } => {
            options.insert(DhcpOption::ServerIdentifier(server));
        }
        Question::Discover { wish: None } | Question::Renew { .. } | Question::Rebind { .. } => {}
    }
    let mut bytes = message.to_vec().map_err(|source| BuildError { source })?;
    bytes.resize(bytes.len().max(SHORTEST), 0);
    Ok(bytes)
}

/// Reads a server's answer to the client with this hardware address.
///
/// # Errors
///
/// When the bytes are anything else.
pub fn parse(bytes: &[u8], mac: Mac) -> Result<Reply, ParseError> {
    let cleaned = keep_wanted(bytes).ok_or(ParseError::NotDhcp)?;
    let message =
        Message::decode(&mut Decoder::new(&cleaned)).map_err(|source| ParseError::Damaged { source })?;
    // The length is checked first: the codec's `chaddr` panics on one over 16.
    let for_us = message.opcode() == Opcode::BootReply && message.hlen() == 6 && message.chaddr() == mac;
    if !for_us {
        return Err(ParseError::NotForUs);
    }
    let options = message.opts();
    let answer = match options.msg_type() {
        Some(MessageType::Offer) => Answer::Offer(terms(&message)?),
        Some(MessageType::Ack) => Answer::Ack(terms(&message)?),
        Some(MessageType::Nak) => Answer::Nak,
        _ => return Err(ParseError::NotAnAnswer),
    };
    let server = match options.get(OptionCode::ServerIdentifier) {
        Some(DhcpOption::ServerIdentifier(server)) if is_host(*server) => Some(*server),
        _ => None,
    };
    Ok(Reply { xid: message.xid(), server, answer })
}

/// The message with only those options that were asked for; none when it is no DHCP message.
fn keep_wanted(bytes: &[u8]) -> Option<Vec<u8>> {
    let (fixed, mut options) = bytes.split_at_checked(FIXED)?;
    if bytes.len() > LONGEST || !fixed.ends_with(&MAGIC) {
        return None;
    }
    let mut kept = fixed.to_vec();
    while let [code, rest @ ..] = options {
        match *code {
            0 => options = rest,
            255 => break,
            code => {
                let length = usize::from(*rest.first()?);
                let value = rest.get(1..=length)?;
                options = rest.get(1 + length..)?;
                let code = OptionCode::from(code);
                let is_wanted = code == OptionCode::MessageType || WANTED.contains(&code);
                if is_wanted && has_form_of(code, value) {
                    kept.extend([u8::from(code), u8::try_from(length).ok()?]);
                    kept.extend(value);
                }
            }
        }
    }
    kept.push(255);
    Some(kept)
}

/// The codec reads numbers without looking at the length that the option gives: one of another length would shift all that follow.
fn has_form_of(code: OptionCode, value: &[u8]) -> bool {
    match code {
        OptionCode::DomainName => is_domain(value),
        OptionCode::MessageType => value.len() == 1,
        OptionCode::InterfaceMtu => value.len() == 2,
        OptionCode::SubnetMask
        | OptionCode::ServerIdentifier
        | OptionCode::AddressLeaseTime
        | OptionCode::Renewal
        | OptionCode::Rebinding => value.len() == 4,
        OptionCode::Router | OptionCode::DomainNameServer | OptionCode::NtpServers => {
            !value.is_empty() && value.len().is_multiple_of(4)
        }
        _ => true,
    }
}

fn terms(message: &Message) -> Result<Terms, ParseError> {
    let options = message.opts();
    let address = message.yiaddr();
    if !is_host(address) {
        return Err(ParseError::Address { address });
    }
    let times = match seconds(options, OptionCode::AddressLeaseTime) {
        Some(FOR_EVER) => None,
        length => Some(
            length
                .and_then(|length| {
                    Times::new(
                        length,
                        seconds(options, OptionCode::Renewal),
                        seconds(options, OptionCode::Rebinding),
                    )
                })
                .ok_or(ParseError::LeaseTime)?,
        ),
    };
    Ok(Terms {
        address,
        prefix: prefix(options, address),
        routes: routes(options),
        dns: hosts(options, OptionCode::DomainNameServer),
        domain: domain(options),
        ntp: hosts(options, OptionCode::NtpServers),
        mtu: mtu(options),
        times,
    })
}

/// All bits set (RFC 2131 section 3.3).
const FOR_EVER: Duration = Duration::from_secs(u32::MAX as u64);

fn seconds(options: &DhcpOptions, code: OptionCode) -> Option<Duration> {
    let (DhcpOption::AddressLeaseTime(seconds)
    | DhcpOption::Renewal(seconds)
    | DhcpOption::Rebinding(seconds)) = options.get(code)?
    else {
        return None;
    };
    Some(Duration::from_secs(u64::from(*seconds)))
}

/// The link's prefix; that of the address's class (RFC 791) when the mask is absent or has holes.
fn prefix(options: &DhcpOptions, address: Ipv4Addr) -> u8 {
    let mask = match options.get(OptionCode::SubnetMask) {
        Some(DhcpOption::SubnetMask(mask)) => u32::from(*mask),
        _ => 0,
    };
    match u8::try_from(mask.leading_ones()) {
        Ok(ones) if ones > 0 && mask.count_ones() == u32::from(ones) => ones,
        _ => match address.octets()[0] {
            0..=127 => 8,
            128..=191 => 16,
            192..=255 => 24,
        },
    }
}

/// Classless routes replace the router option altogether (RFC 3442, "DHCP Client Behavior").
fn routes(options: &DhcpOptions) -> Vec<Via> {
    if let Some(DhcpOption::ClasslessStaticRoute(routes)) = options.get(OptionCode::ClasslessStaticRoute) {
        return routes
            .iter()
            .take(MOST_ENTRIES)
            .filter_map(|(network, gateway)| {
                let destination = Network::of(network.addr(), network.prefix_len());
                match *gateway {
                    Ipv4Addr::UNSPECIFIED => Some(Via { destination, gateway: None }),
                    gateway => is_host(gateway).then_some(Via { destination, gateway: Some(gateway) }),
                }
            })
            .collect();
    }
    match options.get(OptionCode::Router) {
        Some(DhcpOption::Router(routers)) => routers
            .iter()
            .copied()
            .find(|router| is_host(*router))
            .map(|gateway| Via { destination: Network::DEFAULT, gateway: Some(gateway) })
            .into_iter()
            .collect(),
        _ => Vec::new(),
    }
}

fn hosts(options: &DhcpOptions, code: OptionCode) -> Vec<Ipv4Addr> {
    match options.get(code) {
        Some(DhcpOption::DomainNameServer(hosts) | DhcpOption::NtpServers(hosts)) => {
            hosts.iter().copied().filter(|host| is_host(*host)).take(MOST_ENTRIES).collect()
        }
        _ => Vec::new(),
    }
}

/// One that no network of today has is taken for a mistake.
fn mtu(options: &DhcpOptions) -> Option<u16> {
    match options.get(OptionCode::InterfaceMtu) {
        Some(DhcpOption::InterfaceMtu(bytes)) => Mtu::try_from(*bytes).ok().map(Mtu::bytes),
        _ => None,
    }
}

fn domain(options: &DhcpOptions) -> Option<String> {
    match options.get(OptionCode::DomainName) {
        Some(DhcpOption::DomainName(domain)) => Some(domain.trim_end_matches('\0').to_owned()),
        _ => None,
    }
}

/// Only what a domain name is made of: it ends up in resolv.conf, where a line break would be a new line of the file. Some
/// servers add a zero byte.
fn is_domain(value: &[u8]) -> bool {
    let value = value.strip_suffix(&[0]).unwrap_or(value);
    (1..=253).contains(&value.len())
        && value.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'))
}

fn is_host(address: Ipv4Addr) -> bool {
    let reserved = address.octets()[0] == 0 || address.octets()[0] >= 240;
    !(reserved || address.is_loopback() || address.is_multicast())
}

#[cfg(test)]
mod tests;
