//! The real packet filter, by netlink.

use super::compile::TABLE;
use super::filter::AddressChange;
use super::filter::FilterError;
use super::filter::PacketFilter;
use netlink::SocketError;
use netlink::conntrack::Conntrack;
use netlink::conntrack::Tuple;
use netlink::nft::Batch;
use netlink::nft::Counter;
use netlink::nft::Element;
use netlink::nft::Family;
use netlink::nft::Firewall;
use netlink::nft::Kind;
use netlink::nft::Name;
use netlink::nft::Ruleset;
use netlink::nft::Set;
use netlink::nft::Span;
use netlink::nft::Table;
use netlink::nft::Timeout;
use netlink::nft::Value;
use std::error::Error;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

/// nftables and the connection table of this network namespace.
#[derive(Debug)]
pub struct KernelFilter {
    firewall: Firewall,
    conntrack: Conntrack,
}

fn failed<E: Error + Send + Sync + 'static>(doing: &'static str) -> impl FnOnce(E) -> FilterError {
    move |error| FilterError { doing, source: Box::new(error) }
}

fn table() -> Result<Table, FilterError> {
    Ok(Table::new(Family::Inet, Name::new(TABLE).map_err(failed("name the table"))?))
}

impl KernelFilter {
    /// Opens the sockets.
    ///
    /// # Errors
    /// What the kernel said.
    pub fn open() -> Result<Self, FilterError> {
        let firewall = Firewall::open().map_err(failed("open a socket to the packet filter"))?;
        let conntrack = Conntrack::open().map_err(failed("open a socket to the connection table"))?;
        Ok(Self { firewall, conntrack })
    }
}

impl PacketFilter for KernelFilter {
    fn replace(&mut self, rules: &Ruleset) -> Result<(), FilterError> {
        self.firewall.replace(rules).map_err(failed("load the rules"))
    }

    fn generation(&mut self) -> Result<u32, FilterError> {
        self.firewall.generation().map_err(failed("ask for the state of the packet filter"))
    }

    fn counters(&mut self) -> Result<Vec<Counter>, FilterError> {
        let table = table()?;
        let mut counters = Vec::new();
        for family in [Family::Inet, Family::Arp] {
            counters
                .extend(self.firewall.counters(family, &table.name).map_err(failed("read the counters"))?);
        }
        Ok(counters)
    }

    fn put(&mut self, changes: &[AddressChange]) -> Result<(), FilterError> {
        let table = table()?;
        let doing = "let addresses through";
        let mut batch = Batch::new();
        for AddressChange { set, put, gone } in changes {
            let set = address_set(set);
            let put: Vec<Element> =
                put.iter().map(|(address, left)| element(*address).timeout(*left)).collect();
            // What has ended by itself is not there any more, and what is not there cannot be taken out.
            let gone: Vec<Element> = gone.iter().map(|address| element(*address)).collect();
            batch = batch
                .renew_elements(&table, &set, &put)
                .and_then(|batch| batch.add_elements(&table, &set, &gone))
                .and_then(|batch| batch.delete_elements(&table, &set, &gone))
                .map_err(failed(doing))?;
        }
        self.firewall.apply(batch).map_err(failed(doing))
    }

    fn addresses(&mut self, set: &Name) -> Result<Vec<(IpAddr, Duration)>, FilterError> {
        let table = table()?;
        let listed = match self.firewall.elements(&table, &address_set(set)) {
            Ok(listed) => listed,
            // There is no such set before the first load, and none for a name that is new.
            Err(SocketError::Refused { source }) if source.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(failed("read the addresses of a name")(error)),
        };
        Ok(listed.iter().filter_map(|live| Some((address(&live.key)?, live.expires?))).collect())
    }

    fn forget(&mut self, addresses: &[IpAddr]) -> Result<usize, FilterError> {
        let is_theirs =
            |tuple: &Tuple| addresses.contains(&tuple.source) || addresses.contains(&tuple.destination);
        let gone = self.conntrack.delete_where(|entry| is_theirs(&entry.original) || is_theirs(&entry.reply));
        gone.map_err(failed("forget connections"))
    }

    fn sweep(&mut self, is_alive: &dyn Fn(u32) -> bool) -> Result<usize, FilterError> {
        // Without a mark are those of the box with itself, which no rule looks at.
        let is_dead = |mark: u32| mark != 0 && !is_alive(mark);
        self.conntrack.delete_where(|entry| is_dead(entry.mark.0)).map_err(failed("forget connections"))
    }
}

/// The set as it is compiled.
fn address_set(name: &Name) -> Set {
    let kind = if name.as_str().starts_with("names6") { Kind::Ipv6Addr } else { Kind::Ipv4Addr };
    Set::new(name.clone(), [kind]).timeout(Timeout::PerElement)
}

fn element(address: IpAddr) -> Element {
    match address {
        IpAddr::V4(address) => Element::new(address),
        IpAddr::V6(address) => Element::new(address),
    }
}

fn address(key: &[Span]) -> Option<IpAddr> {
    let value = key.first()?.single()?;
    if let Value::Ipv4Addr(address) = value {
        return Some((*address).into());
    }
    if let Value::Ipv6Addr(address) = value { Some((*address).into()) } else { None }
}
