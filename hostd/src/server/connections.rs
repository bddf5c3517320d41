//! The bound on connections, and who has to go when it is reached.
//!
//! When the table is full, the address with the most connections loses the one that has idled longest. So a stranger who
//! opens a thousand displaces their own, and where everybody shares one address (behind a NAT) the oldest silence goes first.
//! Only when a handler works for every single connection is a newcomer turned away.
//!
//! When the service ends, they are asked to end as well: each with the answer it is about to get.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use tokio::sync::Notify;
use tokio::sync::watch;

/// All connections.
#[derive(Debug)]
pub struct Connections {
    table: Mutex<Table>,
    capacity: usize,
    is_closing: watch::Sender<bool>,
}

/// The place of one connection; given back when dropped.
#[derive(Debug)]
pub struct Ticket {
    connections: Arc<Connections>,
    id: u64,
    displaced: Arc<Notify>,
}

/// While it lives, a handler works for the connection.
#[derive(Debug)]
pub struct Busy(Arc<Ticket>);

#[derive(Debug, Default)]
struct Table {
    places: BTreeMap<u64, Place>,
    last_id: u64,
    /// Counts idlings: a smaller number has idled longer. No clock is needed to know who was first.
    idlings: u64,
}

#[derive(Debug)]
struct Place {
    address: IpAddr,
    state: Work,
    displaced: Arc<Notify>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    IdleSince(u64),
    Busy,
}

impl Connections {
    /// Room for so many.
    #[must_use]
    pub fn new(capacity: usize) -> Arc<Self> {
        Arc::new(Self { table: Mutex::default(), capacity, is_closing: watch::Sender::new(false) })
    }

    /// Takes a newcomer in, displacing another if need be; `None` when everybody is busy.
    #[must_use]
    pub fn admit(self: &Arc<Self>, address: IpAddr) -> Option<Ticket> {
        let mut table = self.table();
        if table.places.len() >= self.capacity {
            let leaves = table.whom_to_displace()?;
            if let Some(place) = table.places.remove(&leaves) {
                place.displaced.notify_one();
            }
        }
        table.last_id += 1;
        let id = table.last_id;
        let displaced = Arc::new(Notify::new());
        let place =
            Place { address, state: Work::IdleSince(table.next_idling()), displaced: Arc::clone(&displaced) };
        table.places.insert(id, place);
        Some(Ticket { connections: Arc::clone(self), id, displaced })
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.table().places.len()
    }

    /// From now on there are no newcomers, and every connection ends after the answer it is about to get.
    pub fn close(&self) {
        self.is_closing.send_replace(true);
    }

    /// Ends when [`Self::close`] was called.
    pub async fn closing(&self) {
        // The sender lives as long as `self`, so this ends by nothing else.
        drop(self.is_closing.subscribe().wait_for(|is_closing| *is_closing).await);
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn next_idling(&mut self) -> u64 {
        self.idlings += 1;
        self.idlings
    }

    fn whom_to_displace(&self) -> Option<u64> {
        let mut per_address: HashMap<IpAddr, usize> = HashMap::new();
        for place in self.places.values() {
            *per_address.entry(place.address).or_default() += 1;
        }
        self.places
            .iter()
            .filter_map(|(id, place)| match place.state {
                Work::IdleSince(idling) => {
                    let neighbours = per_address.get(&place.address).copied().unwrap_or_default();
                    Some((std::cmp::Reverse(neighbours), idling, *id))
                }
                Work::Busy => None,
            })
            .min()
            .map(|(_, _, id)| id)
    }
}

impl Ticket {
    /// Marks the connection busy until the result is dropped.
    #[must_use]
    pub fn busy(self: &Arc<Self>) -> Busy {
        if let Some(place) = self.connections.table().places.get_mut(&self.id) {
            place.state = Work::Busy;
        }
        Busy(Arc::clone(self))
    }

    /// Whether a handler works for it.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.connections.table().places.get(&self.id).is_some_and(|place| place.state == Work::Busy)
    }

    /// Ends when the connection has to end after its next answer.
    pub async fn closing(&self) {
        self.connections.closing().await;
    }

    /// Ends when the connection has to make room.
    pub async fn displaced(&self) {
        self.displaced.notified().await;
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let mut table = self.0.connections.table();
        let idling = table.next_idling();
        if let Some(place) = table.places.get_mut(&self.0.id) {
            place.state = Work::IdleSince(idling);
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.connections.table().places.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use std::net::Ipv4Addr;

    fn address(last: u8) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(10, 0, 0, last))
    }

    fn is_displaced(ticket: &Ticket) -> bool {
        ticket.displaced().now_or_never().is_some()
    }

    #[test]
    fn the_longest_idle_makes_room() {
        let connections = Connections::new(3);
        let tickets: Vec<_> = (0..3).map(|_| Arc::new(connections.admit(address(1)).unwrap())).collect();
        drop(tickets[0].busy());
        let newcomer = connections.admit(address(1)).unwrap();
        assert!(is_displaced(&tickets[1]));
        assert!(!is_displaced(&tickets[0]) && !is_displaced(&tickets[2]) && !is_displaced(&newcomer));
        assert_eq!(connections.count(), 3);
    }

    #[test]
    fn who_holds_most_loses_first() {
        let connections = Connections::new(4);
        let quiet = connections.admit(address(1)).unwrap();
        let many: Vec<_> = (0..3).map(|_| connections.admit(address(2)).unwrap()).collect();
        let _newcomer = connections.admit(address(3)).unwrap();
        assert!(!is_displaced(&quiet));
        assert!(is_displaced(&many[0]));
    }

    #[test]
    fn a_busy_connection_stays_and_a_full_house_of_them_turns_newcomers_away() {
        let connections = Connections::new(2);
        let one = Arc::new(connections.admit(address(1)).unwrap());
        let other = Arc::new(connections.admit(address(1)).unwrap());
        let busy = (one.busy(), other.busy());
        assert!(one.is_busy());
        assert!(connections.admit(address(1)).is_none());
        drop(busy);
        assert!(!one.is_busy());
        assert!(connections.admit(address(1)).is_some());
        assert!(is_displaced(&one));
    }

    #[test]
    fn a_closed_connection_gives_its_place_back_and_a_displaced_one_only_once() {
        let connections = Connections::new(1);
        let first = connections.admit(address(1)).unwrap();
        let second = connections.admit(address(1)).unwrap();
        drop(first);
        assert_eq!(connections.count(), 1);
        drop(second);
        assert_eq!(connections.count(), 0);
    }
}
