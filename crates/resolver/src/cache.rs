//! A cache bounded in entries and bytes, that forgets what was not asked for lately.
//!
//! The clock algorithm: a hand goes round the entries; one that was used since it last came by is spared once.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

/// How large a cache may become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheLimits {
    /// Entries.
    pub entries: usize,
    /// Bytes of keys and values together, with [`ENTRY_OVERHEAD`] for each entry.
    pub bytes: usize,
}

/// What an entry costs beside its key and value: its slot, its place in the index, the allocator (measured: 3000 answers of one address
/// took 570 bytes each).
pub const ENTRY_OVERHEAD: usize = 400;

#[derive(Debug)]
struct Slot<V> {
    key: Arc<[u8]>,
    value: V,
    weight: usize,
    expires: Instant,
    used: bool,
}

/// Values by key, each with a moment after which it is not handed out.
#[derive(Debug)]
pub(crate) struct Cache<V> {
    limits: CacheLimits,
    index: HashMap<Arc<[u8]>, usize>,
    slots: Vec<Option<Slot<V>>>,
    free: Vec<usize>,
    hand: usize,
    bytes: usize,
}

impl<V> Cache<V> {
    pub(crate) fn new(limits: CacheLimits) -> Self {
        Self { limits, index: HashMap::new(), slots: Vec::new(), free: Vec::new(), hand: 0, bytes: 0 }
    }

    /// The value, unless it is too old.
    pub(crate) fn get(&mut self, key: &[u8], now: Instant) -> Option<&V> {
        let place = *self.index.get(key)?;
        if self.slots.get(place)?.as_ref()?.expires <= now {
            self.remove(place);
            return None;
        }
        let slot = self.slots.get_mut(place)?.as_mut()?;
        slot.used = true;
        Some(&slot.value)
    }

    /// Keeps a value of `size` bytes until `expires`; makes room by forgetting others.
    ///
    /// A value that would take more than a quarter of the cache is not kept.
    pub(crate) fn insert(&mut self, key: &[u8], value: V, size: usize, expires: Instant) {
        if let Some(&place) = self.index.get(key) {
            self.remove(place);
        }
        let weight = key.len() + size + ENTRY_OVERHEAD;
        if weight > self.limits.bytes / 4 || self.limits.entries == 0 {
            return;
        }
        while self.index.len() >= self.limits.entries || self.bytes + weight > self.limits.bytes {
            self.forget_one();
        }
        let key: Arc<[u8]> = key.into();
        let slot = Slot { key: Arc::clone(&key), value, weight, expires, used: false };
        let place = match self.free.pop() {
            Some(place) => place,
            None => {
                self.slots.push(None);
                self.slots.len() - 1
            }
        };
        if let Some(entry) = self.slots.get_mut(place) {
            *entry = Some(slot);
            self.index.insert(key, place);
            self.bytes += weight;
        }
    }

    /// Forgets everything and gives the memory back.
    pub(crate) fn clear(&mut self) {
        *self = Self::new(self.limits);
    }

    /// Entries and bytes now.
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.index.len(), self.bytes)
    }

    fn remove(&mut self, place: usize) {
        if let Some(slot) = self.slots.get_mut(place).and_then(Option::take) {
            self.index.remove(&slot.key);
            self.bytes -= slot.weight;
            self.free.push(place);
        }
    }

    fn forget_one(&mut self) {
        loop {
            let place = self.hand;
            self.hand = if place + 1 < self.slots.len() { place + 1 } else { 0 };
            match self.slots.get_mut(place) {
                Some(Some(slot)) if slot.used => slot.used = false,
                Some(Some(_)) => return self.remove(place),
                Some(None) if !self.index.is_empty() => {}
                Some(None) | None => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    const LIMITS: CacheLimits = CacheLimits { entries: 4, bytes: 5000 };

    #[test]
    fn what_was_used_lately_stays() {
        let now = Instant::now();
        let later = now + Duration::from_secs(9);
        let mut cache = Cache::new(LIMITS);
        for key in [b"a", b"b", b"c", b"d"] {
            cache.insert(key, key[0], 10, later);
        }
        assert_eq!(cache.get(b"a", now), Some(&b'a'));
        cache.insert(b"e", b'e', 10, later);
        assert_eq!(cache.get(b"a", now), Some(&b'a'));
        assert_eq!(cache.get(b"b", now), None);
        assert_eq!(cache.get(b"e", now), Some(&b'e'));
    }

    #[test]
    fn what_is_too_old_is_gone() {
        let now = Instant::now();
        let mut cache = Cache::new(LIMITS);
        cache.insert(b"a", 1, 10, now + Duration::from_secs(1));
        assert_eq!(cache.get(b"a", now + Duration::from_secs(1)), None);
        assert_eq!(cache.size(), (0, 0));
    }

    proptest! {
        #[test]
        fn never_larger_than_allowed(
            actions in proptest::collection::vec((any::<u8>(), 0_usize..1500, 0_u64..20, any::<bool>()), 0..200)
        ) {
            let start = Instant::now();
            let mut cache = Cache::new(LIMITS);
            for (step, (key, size, lifetime, read)) in actions.into_iter().enumerate() {
                let now = start + Duration::from_secs(step as u64);
                if read {
                    let _found = cache.get(&[key], now).copied();
                } else {
                    cache.insert(&[key], key, size, now + Duration::from_secs(lifetime));
                }
                let (entries, bytes) = cache.size();
                prop_assert!(entries <= LIMITS.entries && bytes <= LIMITS.bytes);
                prop_assert!(cache.slots.len() <= LIMITS.entries);
                let counted: usize = cache.slots.iter().flatten().map(|slot| slot.weight).sum();
                prop_assert_eq!(counted, bytes);
            }
        }
    }
}
