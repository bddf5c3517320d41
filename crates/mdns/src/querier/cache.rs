//! What other devices said, for as long as it holds (RFC 6762 section 10).

use crate::zone::denies;
use hickory_proto::rr::DNSClass;
use hickory_proto::rr::Name;
use hickory_proto::rr::Record;
use hickory_proto::rr::RecordType;
use std::collections::HashMap;
use std::time::Duration;
use std::time::Instant;

/// Most records kept, and most of one name.
pub(crate) const MAX_RECORDS: usize = 1000;
pub(crate) const MAX_OF_NAME: usize = 64;
/// Seconds; nothing is believed for longer than the specification's own default (section 10).
const LONGEST: u32 = 4500;
/// How long a record is still used after a goodbye or a flush, in case somebody else still has it (sections 10.1 and 10.2).
const LAST_SECOND: Duration = Duration::from_secs(1);

#[derive(Clone, Debug)]
struct Cached {
    link: u32,
    record: Record,
    heard: Instant,
    until: Instant,
}

impl Cached {
    fn is_of(&self, record_type: RecordType) -> bool {
        let own = self.record.record_type();
        own == record_type || (record_type == RecordType::ANY && own != RecordType::NSEC)
    }

    /// The record with what is left of its time.
    fn left(&self, now: Instant) -> Record {
        let mut record = self.record.clone();
        let left = self.until.saturating_duration_since(now).as_secs();
        record.ttl = u32::try_from(left).unwrap_or(LONGEST).max(1);
        record
    }
}

/// What is known of a name and type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// All there is: its owner said so. None of it when the owner denied it.
    All(Vec<Record>),
    /// There may be more.
    Some(Vec<Record>),
    /// Nothing.
    Nothing,
}

impl Found {
    pub(crate) fn records(self) -> Vec<Record> {
        match self {
            Self::All(records) | Self::Some(records) => records,
            Self::Nothing => Vec::new(),
        }
    }
}

/// Records by name; never an empty list.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    names: HashMap<Name, Vec<Cached>>,
    count: usize,
}

impl Cache {
    pub(crate) fn knows(&self, name: &Name) -> bool {
        self.names.contains_key(name)
    }

    /// Takes note of a record. A full cache first drops what is over, and then takes nothing new.
    pub(crate) fn heard(&mut self, now: Instant, link: u32, record: &Record) {
        if record.dns_class != DNSClass::IN {
            return;
        }
        if self.count >= MAX_RECORDS {
            self.retain(|cached| cached.until > now);
        }
        let is_full = self.count >= MAX_RECORDS;
        let known = self.names.entry(record.name.clone()).or_default();
        let before = known.len();
        known.retain(|cached| cached.until > now);
        let soon = now + LAST_SECOND;
        let is_sibling = |other: &&mut Cached| {
            other.link == link && other.is_of(record.record_type()) && other.heard + LAST_SECOND < now
        };
        if record.mdns_cache_flush {
            known.iter_mut().filter(is_sibling).for_each(|other| other.until = other.until.min(soon));
        }
        let until = now + Duration::from_secs(u64::from(record.ttl.min(LONGEST)));
        let new = || Cached { link, record: record.clone(), heard: now, until };
        let is_full = is_full || known.len() >= MAX_OF_NAME;
        match known.iter_mut().find(|cached| cached.link == link && cached.record.data == record.data) {
            Some(cached) if record.ttl == 0 => cached.until = cached.until.min(soon),
            Some(cached) => *cached = new(),
            None if record.ttl == 0 || is_full => {}
            None => known.push(new()),
        }
        self.count = (self.count + known.len()).saturating_sub(before);
        if known.is_empty() {
            self.names.remove(&record.name);
        }
    }

    /// What is known of a name and type on all links; times to live are what is left of them.
    pub(crate) fn find(&self, now: Instant, name: &Name, record_type: RecordType) -> Found {
        let mut found: Vec<Record> = Vec::new();
        let mut is_all = false;
        let known = self.names.get(name).into_iter().flatten();
        for cached in known.filter(|cached| cached.until > now) {
            if denies(&cached.record, record_type) {
                is_all = true;
            } else if cached.is_of(record_type) {
                is_all |= cached.record.mdns_cache_flush;
                if !found.iter().any(|record| record.data == cached.record.data) {
                    found.push(cached.left(now));
                }
            }
        }
        match (is_all, found.is_empty()) {
            (true, _) => Found::All(found),
            (false, false) => Found::Some(found),
            (false, true) => Found::Nothing,
        }
    }

    /// Shared records that need not be said again on a link: more than half of their time is left (section 7.1).
    pub(crate) fn known(&self, now: Instant, link: u32, name: &Name, record_type: RecordType) -> Vec<Record> {
        let is_known = |cached: &&Cached| {
            cached.link == link
                && cached.is_of(record_type)
                && !cached.record.mdns_cache_flush
                && cached.until.saturating_duration_since(now) > (cached.until - cached.heard) / 2
        };
        let known = self.names.get(name).into_iter().flatten();
        known.filter(is_known).map(|cached| cached.left(now)).collect()
    }

    /// Forgets what was heard on other links.
    pub(crate) fn keep_links(&mut self, links: &[u32]) {
        self.retain(|cached| links.contains(&cached.link));
    }

    fn retain(&mut self, keep: impl Fn(&Cached) -> bool) {
        self.names.retain(|_, known| {
            known.retain(&keep);
            !known.is_empty()
        });
        self.count = self.names.values().map(Vec::len).sum();
    }
}

#[cfg(test)]
mod tests;
