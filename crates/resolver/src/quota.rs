//! How much may be going on at once, in total and for one client.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

/// Places for work that takes a while.
#[derive(Debug)]
pub(crate) struct Quota {
    total: usize,
    per_client: usize,
    /// Places taken by each client; a client without any is not in here.
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    total: usize,
    by_client: HashMap<IpAddr, usize>,
}

impl Quota {
    pub(crate) fn new(total: usize, per_client: usize) -> Arc<Self> {
        Arc::new(Self { total, per_client, taken: Mutex::default() })
    }

    /// A place, unless all are taken or this client has its share.
    pub(crate) fn take(self: &Arc<Self>, client: IpAddr) -> Option<Place> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let own = taken.by_client.get(&client).copied().unwrap_or(0);
        if taken.total >= self.total || own >= self.per_client {
            return None;
        }
        taken.total += 1;
        taken.by_client.insert(client, own + 1);
        Some(Place { quota: Arc::clone(self), client })
    }
}

/// A place that is given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    quota: Arc<Quota>,
    client: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.quota.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.total = taken.total.saturating_sub(1);
        if let Some(own) = taken.by_client.get_mut(&self.client) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                taken.by_client.remove(&self.client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_end_and_come_back() {
        let client = |last: u8| IpAddr::from([10, 0, 0, last]);
        let quota = Quota::new(3, 2);
        let first = quota.take(client(1)).unwrap();
        let _second = quota.take(client(1)).unwrap();
        assert!(quota.take(client(1)).is_none());
        let _third = quota.take(client(2)).unwrap();
        assert!(quota.take(client(3)).is_none());
        drop(first);
        assert!(quota.take(client(3)).is_some());
        assert_eq!(quota.taken.lock().unwrap().by_client.len(), 2);
    }
}
