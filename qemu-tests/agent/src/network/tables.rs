//! Tables of the kernel, read entry by entry without a look at what is in them (netlink(7)).

use super::order::Table;
use rustix::net::AddressFamily;
use rustix::net::RecvFlags;
use rustix::net::SendFlags;
use rustix::net::SocketFlags;
use rustix::net::SocketType;
use rustix::net::netlink;
use std::io;
use std::os::fd::OwnedFd;

/// `NLM_F_REQUEST | NLM_F_DUMP` of linux/netlink.h.
const DUMP: u16 = 0x301;
/// `NLMSG_ERROR`, `NLMSG_DONE`.
const ERROR: u16 = 2;
const DONE: u16 = 3;
/// Subsystems of nfnetlink (linux/netfilter/nfnetlink.h), in the high byte of a message's type.
const CONNECTIONS: u16 = 1 << 8;
const FILTER: u16 = 10 << 8;
/// `NFTA_SET_TABLE`, `NFTA_SET_NAME`; a question for elements names them by the same numbers.
const SET_TABLE: u16 = 1;
const SET_NAME: u16 = 2;
/// Entries after which a table is called endless.
const MOST: usize = 100_000;
/// A dump comes in parts of up to 32 KiB (net/netlink/af_netlink.c, `netlink_dump`).
const PART: usize = 64 << 10;

/// A netlink protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Links, addresses, routes, neighbours.
    Route,
    /// Connections and the packet filter.
    Netfilter,
}

/// Opens a socket of this thread's namespace.
///
/// # Errors
/// What the kernel says.
pub fn open(family: Family) -> io::Result<OwnedFd> {
    let protocol = match family {
        Family::Route => None,
        Family::Netfilter => Some(netlink::NETFILTER),
    };
    Ok(rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, protocol)?)
}

/// All entries of a table of the box: what follows the header of each message.
///
/// # Errors
/// What the kernel says.
pub fn read(table: Table) -> io::Result<Vec<Vec<u8>>> {
    // RTM_GET… of linux/rtnetlink.h, IPCTNL_MSG_CT_GET, NFT_MSG_GET… of linux/netfilter/nf_tables.h.
    match table {
        Table::Links => routes(18),
        Table::Addresses => routes(22),
        Table::Routes => routes(26),
        Table::Neighbours => routes(30),
        Table::Connections => filter(CONNECTIONS | 1, &[]),
        Table::FilterTables => filter(FILTER | 1, &[]),
        Table::FilterChains => filter(FILTER | 4, &[]),
        Table::FilterRules => filter(FILTER | 7, &[]),
        Table::FilterSets => filter(FILTER | 10, &[]),
        Table::FilterElements => elements(),
    }
}

fn routes(kind: u16) -> io::Result<Vec<Vec<u8>>> {
    // The longest of the fixed headers (ifinfomsg, 16 bytes), all zero: every family.
    dump(&open(Family::Route)?, kind, &[0; 16])
}

fn filter(kind: u16, attributes: &[u8]) -> io::Result<Vec<Vec<u8>>> {
    // nfgenmsg: family unspecified, version 0, resource 0.
    dump(&open(Family::Netfilter)?, kind, &[&[0; 4][..], attributes].concat())
}

fn elements() -> io::Result<Vec<Vec<u8>>> {
    let mut all = Vec::new();
    for set in filter(FILTER | 10, &[])? {
        let names = [SET_TABLE, SET_NAME].map(|kind| attribute(&set, kind).unwrap_or_default());
        let mut question = vec![*set.first().unwrap_or(&0), 0, 0, 0];
        for (kind, name) in [SET_TABLE, SET_NAME].into_iter().zip(names) {
            push_attribute(&mut question, kind, name);
        }
        let socket = open(Family::Netfilter)?;
        all.extend(dump(&socket, FILTER | 13, &question)?.iter().flat_map(|part| nested(part)));
    }
    Ok(all)
}

/// The elements in one part of an answer: `NFTA_SET_ELEM_LIST_ELEMENTS`, a list of nested attributes.
fn nested(part: &[u8]) -> Vec<Vec<u8>> {
    let list = attribute(part, 3).unwrap_or_default();
    attributes(list).map(|(_, element)| element.to_vec()).collect()
}

fn dump(socket: &OwnedFd, kind: u16, payload: &[u8]) -> io::Result<Vec<Vec<u8>>> {
    let length = u32::try_from(payload.len() + 16).unwrap_or(u32::MAX);
    let mut question = length.to_ne_bytes().to_vec();
    question.extend_from_slice(&kind.to_ne_bytes());
    question.extend_from_slice(&DUMP.to_ne_bytes());
    question.extend_from_slice(&[0; 8]);
    question.extend_from_slice(payload);
    rustix::net::send(socket, &question, SendFlags::empty())?;
    let mut entries = Vec::new();
    let mut buffer = vec![0; PART];
    while entries.len() < MOST {
        let (length, _) = rustix::net::recv(socket, &mut buffer[..], RecvFlags::empty())?;
        let mut rest = buffer.get(..length).unwrap_or_default();
        while let Some((kind, payload, behind)) = message(rest) {
            rest = behind;
            match kind {
                DONE => return Ok(entries),
                ERROR => return Err(refusal(payload)),
                _ => entries.push(payload.to_vec()),
            }
        }
    }
    Err(io::Error::other("a table without end"))
}

fn message(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let length = usize::try_from(u32::from_ne_bytes(bytes.get(..4)?.try_into().ok()?)).ok()?;
    let kind = u16::from_ne_bytes(bytes.get(4..6)?.try_into().ok()?);
    let behind = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    Some((kind, bytes.get(16..length)?, behind))
}

fn refusal(payload: &[u8]) -> io::Error {
    let code = payload.get(..4).and_then(|code| code.try_into().ok()).map_or(0, i32::from_ne_bytes);
    io::Error::from_raw_os_error(code.saturating_neg())
}

/// The first attribute of a kind behind nfgenmsg.
fn attribute(message: &[u8], kind: u16) -> Option<&[u8]> {
    attributes(message.get(4..)?).find(|(found, _)| *found == kind).map(|(_, value)| value)
}

fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16::from_ne_bytes(bytes.get(..2)?.try_into().ok()?));
        // The two high bits are flags: nested, network byte order.
        let kind = u16::from_ne_bytes(bytes.get(2..4)?.try_into().ok()?) & 0x3fff;
        let value = bytes.get(4..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

fn push_attribute(message: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let length = u16::try_from(value.len() + 4).unwrap_or(u16::MAX);
    message.extend_from_slice(&length.to_ne_bytes());
    message.extend_from_slice(&kind.to_ne_bytes());
    message.extend_from_slice(value);
    message.resize(message.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_is_in_the_table_of_links() {
        let links = read(Table::Links).unwrap();
        assert!(links.iter().any(|link| link.windows(3).any(|name| name == b"lo\0")), "{links:?}");
    }

    #[test]
    fn a_list_of_attributes_is_walked() {
        let mut message = vec![0; 4];
        push_attribute(&mut message, 1, b"inet\0");
        push_attribute(&mut message, 2, b"x\0");
        assert_eq!(attribute(&message, 2), Some(&b"x\0"[..]));
        assert_eq!(attribute(&message, 3), None);
    }
}
