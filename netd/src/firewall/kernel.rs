//! The real packet filter, by netlink.

use super::compile;
use super::compile::TABLE;
use super::filter::AddressChange;
use super::filter::Counts;
use super::filter::FilterError;
use super::filter::PacketFilter;
use super::filter::Reachable;
use super::permission::Mark;
use netlink::SocketError;
use netlink::conntrack::Conntrack;
use netlink::conntrack::Tuple;
use netlink::nft::Batch;
use netlink::nft::Element;
use netlink::nft::Family;
use netlink::nft::Firewall;
use netlink::nft::LiveElement;
use netlink::nft::Name;
use netlink::nft::Ruleset;
use netlink::nft::Set;
use netlink::nft::Span;
use netlink::nft::Table;
use netlink::nft::Value;
use std::error::Error;
use std::io;
use std::net::IpAddr;

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

    /// What is in a set; nothing when there is none, as before the first load.
    fn elements(
        &mut self,
        table: &Table,
        set: &Set,
        doing: &'static str,
    ) -> Result<Vec<LiveElement>, FilterError> {
        match self.firewall.elements(table, set) {
            Err(SocketError::Refused { source }) if source.kind() == io::ErrorKind::NotFound => {
                Ok(Vec::new())
            }
            listed => listed.map_err(failed(doing)),
        }
    }
}

impl PacketFilter for KernelFilter {
    fn replace(&mut self, rules: &Ruleset) -> Result<(), FilterError> {
        self.firewall.replace(rules).map_err(failed("load the rules"))
    }

    fn generation(&mut self) -> Result<u32, FilterError> {
        self.firewall.generation().map_err(failed("ask for the state of the packet filter"))
    }

    fn counts(&mut self) -> Result<Counts, FilterError> {
        let table = table()?;
        let mut rules = Vec::new();
        for family in [Family::Inet, Family::Arp] {
            rules.extend(self.firewall.counters(family, &table.name).map_err(failed("read the counters"))?);
        }
        let live = compile::live_set().map_err(failed("name the set of marks"))?;
        let elements = self.elements(&table, &live, "read the counters of connections")?;
        let connections = elements.iter().filter_map(|live| Some((mark(&live.key)?, live.count?))).collect();
        Ok(Counts { rules, connections })
    }

    fn put(&mut self, change: &AddressChange) -> Result<(), FilterError> {
        let (table, doing) = (table()?, "let addresses through");
        let mut batch = Batch::new();
        for (map, is_ipv6) in name_maps()?.into_iter().zip([false, true]) {
            let is_mine = |address: &IpAddr| address.is_ipv6() == is_ipv6;
            let put = change.put.iter().filter(|put| is_mine(&put.address)).map(compile::name_element);
            let gone = change.gone.iter().filter(|(_, address)| is_mine(address));
            let gone: Vec<Element> = gone.map(|(link, address)| compile::name_key(link, *address)).collect();
            batch = batch
                .renew_elements(&table, &map, &put.collect::<Vec<_>>())
                .and_then(|batch| batch.clear_elements(&table, &map, &gone))
                .map_err(failed(doing))?;
        }
        self.firewall.apply(batch).map_err(failed(doing))
    }

    fn reachable(&mut self) -> Result<Vec<Reachable>, FilterError> {
        let table = table()?;
        let mut found = Vec::new();
        for map in name_maps()? {
            let elements = self.elements(&table, &map, "read the addresses of names")?;
            found.extend(elements.iter().filter_map(compile::name_of_element));
        }
        Ok(found)
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

fn name_maps() -> Result<[Set; 2], FilterError> {
    compile::name_maps().map_err(failed("name the maps of addresses"))
}

fn mark(key: &[Span]) -> Option<Mark> {
    if let Value::Mark(mark) = key.first()?.single()? { Some(Mark(mark.0)) } else { None }
}
