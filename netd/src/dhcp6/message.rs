//! Between the state machine's words and DHCPv6 messages (RFC 8415 sections 8 and 21), over the dhcproto codec.
//!
//! What arrives is not trusted. The codec panics on some lengths and stops at the first option that it cannot read, so options are
//! checked and sorted out before it sees them: unknown ones are cut out, texts for people too.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the codec knows many more options than netd reads, and new ones with every release"
)]

mod clean;

use crate::dhcp6::lease::Held;
use crate::dhcp6::lease::Information;
use crate::dhcp6::machine::Grant;
use crate::dhcp6::machine::Outgoing;
use crate::dhcp6::machine::Question;
use crate::dhcp6::machine::Reply;
use crate::dhcp6::machine::Status;
use dhcproto::Decodable;
use dhcproto::Decoder;
use dhcproto::Encodable;
use dhcproto::v6::DhcpOption;
use dhcproto::v6::DhcpOptions;
use dhcproto::v6::IAAddr;
use dhcproto::v6::IANA;
use dhcproto::v6::Message;
use dhcproto::v6::MessageType;
use dhcproto::v6::NtpSuboption;
use dhcproto::v6::ORO;
use dhcproto::v6::OptionCode;
use dhcproto::v6::UnknownOption;
use model::names::HostName;
use std::net::Ipv6Addr;
use std::time::Duration;

/// Longest message that is looked at, in bytes.
pub const LONGEST: usize = 1500;

/// Addresses, servers and domains beyond this many are dropped.
const MOST_ENTRIES: usize = 16;
/// All bits set: for ever (RFC 8415 section 7.7).
const FOR_EVER: u32 = u32::MAX;
/// Bounds of the waits that a server may ask for (RFC 8415 sections 21.24 and 21.25).
const LONGEST_WAITS: std::ops::RangeInclusive<u32> = 60..=86_400;
/// The server is asked to put the name into its name service (RFC 4704 section 4.1, "S").
const SERVER_UPDATES: u8 = 1;

const WANTED: [OptionCode; 6] = [
    OptionCode::DomainNameServers,
    OptionCode::DomainSearchList,
    OptionCode::NtpServer,
    OptionCode::InformationRefreshTime,
    OptionCode::SolMaxRt,
    OptionCode::InfMaxRt,
];

/// Who the client says it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The box's DUID.
    pub duid: Vec<u8>,
    /// Tells its links apart.
    pub iaid: u32,
    /// Name for the router's list of devices (option 39).
    pub host_name: HostName,
}

/// Why bytes are no answer for this client.
#[derive(Debug, thiserror::Error)]
pub enum ParseError {
    /// Too short, too long, or options that run over the end.
    #[error("the message is not DHCPv6")]
    NotDhcp,
    /// The codec refuses it.
    #[error("the message is damaged")]
    Damaged {
        /// What the codec says.
        #[source]
        source: dhcproto::error::DecodeError,
    },
    /// Not from a server, or to another client.
    #[error("the message is not an answer to this client")]
    NotForUs,
    /// The server does not say who it is.
    #[error("the server does not say who it is")]
    NoServer,
}

/// Why a message could not be written.
#[derive(Debug, thiserror::Error)]
#[error("write a DHCPv6 message")]
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
    let (kind, server, addresses): (_, Option<&Vec<u8>>, Option<&[Ipv6Addr]>) = match &outgoing.question {
        Question::Solicit => (MessageType::Solicit, None, Some(&[])),
        Question::Request { server, addresses } => (MessageType::Request, Some(server), Some(addresses)),
        Question::Confirm { addresses } => (MessageType::Confirm, None, Some(addresses)),
        Question::Renew { server, addresses } => (MessageType::Renew, Some(server), Some(addresses)),
        Question::Rebind { addresses } => (MessageType::Rebind, None, Some(addresses)),
        Question::Decline { server, address } => {
            (MessageType::Decline, Some(server), Some(std::slice::from_ref(address)))
        }
        Question::Release { server, addresses } => (MessageType::Release, Some(server), Some(addresses)),
        Question::Inform => (MessageType::InformationRequest, None, None),
    };
    let [_, xid @ ..] = outgoing.xid.to_be_bytes();
    let mut message = Message::new_with_id(kind, xid);
    let options = message.opts_mut();
    options.insert(DhcpOption::ClientId(identity.duid.clone()));
    options.insert(DhcpOption::ElapsedTime(
        u16::try_from(outgoing.trying_for.as_millis() / 10).unwrap_or(u16::MAX),
    ));
    if let Some(server) = server {
        options.insert(DhcpOption::ServerId(server.clone()));
    }
    if let Some(addresses) = addresses {
        let mut opts = DhcpOptions::new();
        for addr in addresses {
            let opts_of_address = DhcpOptions::new();
            opts.insert(DhcpOption::IAAddr(IAAddr {
                addr: *addr,
                preferred_life: 0,
                valid_life: 0,
                opts: opts_of_address,
            }));
        }
        options.insert(DhcpOption::IANA(IANA { id: identity.iaid, t1: 0, t2: 0, opts }));
    }
    // Confirm, Decline and Release want nothing (RFC 8415 appendix B).
    let wants = !matches!(kind, MessageType::Confirm | MessageType::Decline | MessageType::Release);
    if wants {
        options.insert(DhcpOption::ORO(ORO { opts: WANTED.to_vec() }));
    }
    if wants && kind != MessageType::InformationRequest {
        let name = UnknownOption::new(OptionCode::ClientFqdn, full_name(&identity.host_name));
        options.insert(DhcpOption::Unknown(name));
    }
    message.to_vec().map_err(|source| BuildError { source })
}

/// A partial name: one label without the root, so that the server adds its domain (RFC 4704 section 4.2).
fn full_name(name: &HostName) -> Vec<u8> {
    let label = name.as_str().as_bytes();
    // A host name has at most 63 bytes.
    let length = u8::try_from(label.len()).unwrap_or(0);
    [&[SERVER_UPDATES, length], label].concat()
}

/// Reads a server's answer to this client.
///
/// # Errors
///
/// When the bytes are anything else.
pub fn parse(bytes: &[u8], identity: &Identity) -> Result<Reply, ParseError> {
    let cleaned = clean::message(bytes).ok_or(ParseError::NotDhcp)?;
    let message =
        Message::decode(&mut Decoder::new(&cleaned)).map_err(|source| ParseError::Damaged { source })?;
    let options = message.opts();
    let is_ours =
        matches!(options.get(OptionCode::ClientId), Some(DhcpOption::ClientId(id)) if *id == identity.duid);
    let is_advertise = match message.msg_type() {
        MessageType::Advertise if is_ours => true,
        MessageType::Reply if is_ours => false,
        _ => return Err(ParseError::NotForUs),
    };
    let Some(DhcpOption::ServerId(server)) = options.get(OptionCode::ServerId) else {
        return Err(ParseError::NoServer);
    };
    let preference = match options.get(OptionCode::Preference) {
        Some(DhcpOption::Preference(preference)) => *preference,
        _ => 0,
    };
    let refresh = number(options, OptionCode::InformationRefreshTime);
    let refresh = refresh.map(|seconds| Duration::from_secs(u64::from(seconds)));
    Ok(Reply {
        xid: message.xid_num(),
        is_advertise,
        server: server.clone(),
        preference,
        status: status(options),
        grant: grant(options, identity.iaid),
        information: information(options),
        refresh,
        longest_waits: (
            longest_wait(options, OptionCode::SolMaxRt),
            longest_wait(options, OptionCode::InfMaxRt),
        ),
    })
}

fn status(options: &DhcpOptions) -> Status {
    use dhcproto::v6::Status as Code;
    match options.get(OptionCode::StatusCode) {
        Some(DhcpOption::StatusCode(code)) => match code.status {
            Code::Success => Status::Success,
            Code::NoAddrsAvail => Status::NoAddresses,
            Code::NoBinding => Status::NoBinding,
            Code::NotOnLink => Status::NotOnLink,
            _ => Status::Failure,
        },
        _ => Status::Success,
    }
}

fn grant(options: &DhcpOptions, iaid: u32) -> Option<Grant> {
    let all = options.get_all(OptionCode::IANA)?;
    let ours = all.iter().find_map(|option| match option {
        DhcpOption::IANA(ia) if ia.id == iaid => Some(ia),
        _ => None,
    })?;
    // T1 after T2 makes no sense; such an answer is as none (RFC 8415 section 21.4).
    if ours.t1 > ours.t2 && ours.t2 != 0 {
        return None;
    }
    let mut addresses: Vec<Held> = Vec::new();
    for option in ours.opts.iter() {
        let DhcpOption::IAAddr(given) = option else {
            continue;
        };
        let is_known = addresses.iter().any(|held| held.address == given.addr);
        let is_sound = given.preferred_life <= given.valid_life && is_host(given.addr);
        if is_sound && !is_known && addresses.len() < MOST_ENTRIES {
            let (preferred, valid) = (time(given.preferred_life), time(given.valid_life));
            addresses.push(Held { address: given.addr, preferred, valid });
        }
    }
    Some(Grant { status: status(&ours.opts), times: (time(ours.t1), time(ours.t2)), addresses })
}

fn time(seconds: u32) -> Option<Duration> {
    (seconds != FOR_EVER).then(|| Duration::from_secs(u64::from(seconds)))
}

fn information(options: &DhcpOptions) -> Information {
    let dns = match options.get(OptionCode::DomainNameServers) {
        // A link-local one is usual: the router itself.
        Some(DhcpOption::DomainNameServers(servers)) => {
            let is_server = |server: &Ipv6Addr| is_host(*server) || server.is_unicast_link_local();
            servers.iter().copied().filter(is_server).take(MOST_ENTRIES).collect()
        }
        _ => Vec::new(),
    };
    let domains = match options.get(OptionCode::DomainSearchList) {
        Some(DhcpOption::DomainSearchList(names)) => {
            names.iter().filter_map(|name| domain(&name.to_ascii())).take(MOST_ENTRIES).collect()
        }
        _ => Vec::new(),
    };
    let ntp = match options.get(OptionCode::NtpServer) {
        Some(DhcpOption::NtpServer(servers)) => servers
            .iter()
            .filter_map(|server| match server {
                NtpSuboption::ServerAddress(address) => is_host(*address).then(|| address.to_string()),
                NtpSuboption::MulticastAddress(_) => None,
                NtpSuboption::FQDN(name) => domain(&name.to_ascii()),
            })
            .take(MOST_ENTRIES)
            .collect(),
        _ => Vec::new(),
    };
    Information { dns, ntp, domains }
}

fn longest_wait(options: &DhcpOptions, code: OptionCode) -> Option<Duration> {
    let seconds = number(options, code)?;
    LONGEST_WAITS.contains(&seconds).then(|| Duration::from_secs(u64::from(seconds)))
}

/// A number of 32 bits in an option that the codec leaves as bytes.
fn number(options: &DhcpOptions, code: OptionCode) -> Option<u32> {
    let DhcpOption::Unknown(option) = options.get(code)? else {
        return None;
    };
    Some(u32::from_be_bytes(option.data().try_into().ok()?))
}

/// Only what a domain name is made of, without the final dot.
pub(crate) fn domain(name: &str) -> Option<String> {
    let name = name.strip_suffix('.').unwrap_or(name);
    let is_good = (1..=253).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'));
    is_good.then(|| name.to_ascii_lowercase())
}

fn is_host(address: Ipv6Addr) -> bool {
    !(address.is_unspecified()
        || address.is_loopback()
        || address.is_multicast()
        || address.is_unicast_link_local()
        || address.to_ipv4_mapped().is_some())
}

#[cfg(test)]
mod tests;
