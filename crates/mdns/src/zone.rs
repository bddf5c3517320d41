//! The records the box has on one link.
//!
//! The unit is the set: all records of a unique name and type, which live and die together because the cache-flush bit of one speaks
//! for all (RFC 6762 section 10.2), or one shared record.

use crate::names;
use crate::packet::uncompressed;
use crate::wanted::LinkAddress;
use crate::wanted::MAX_ADDRESSES;
use crate::wanted::MAX_EXTRA_HOSTS;
use crate::wanted::Service;
use crate::wanted::Wanted;
use hickory_proto::rr::DNSClass;
use hickory_proto::rr::Name;
use hickory_proto::rr::RData;
use hickory_proto::rr::Record;
use hickory_proto::rr::RecordType;
use hickory_proto::rr::rdata::A;
use hickory_proto::rr::rdata::AAAA;
use hickory_proto::rr::rdata::NULL;
use hickory_proto::rr::rdata::PTR;
use hickory_proto::rr::rdata::SRV;
use hickory_proto::rr::rdata::TXT;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashMap;
use std::net::IpAddr;

/// Seconds that a record with a host name in it may be kept (RFC 6762 section 10).
pub(crate) const HOST_TTL: u32 = 120;
/// Seconds for all others.
pub(crate) const OTHER_TTL: u32 = 4500;
const MAX_TXT: usize = 255;
/// TXT data longer than this is not advised (RFC 6763 section 6.2).
const MAX_ALL_TXT: usize = 1300;

/// What a set is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Unique; it is asked first whether somebody else has the name.
    Proposed,
    /// Unique by its nature: the reverse name of an own address.
    Implied,
    /// Others have the name too.
    Shared,
    /// Says which types a unique name has (section 6.1); never announced, only answered.
    Denial,
}

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// The box.
    Host,
    /// An app.
    Extra,
    /// A service's instance.
    Instance,
}

impl Subject {
    /// Types that nobody else may have under such a name.
    pub(crate) fn claims(self, record_type: RecordType) -> bool {
        match self {
            Self::Host | Self::Extra => matches!(record_type, RecordType::A | RecordType::AAAA),
            Self::Instance => matches!(record_type, RecordType::SRV | RecordType::TXT),
        }
    }
}

/// Records that are sent together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Set {
    pub(crate) records: Vec<Record>,
    pub(crate) kind: Kind,
    /// The name that must be the box's before this may be said.
    pub(crate) claim: Name,
    pub(crate) name: Name,
    pub(crate) record_type: RecordType,
    pub(crate) ttl: u32,
}

impl Set {
    /// Whether both stand for the same, though the records may differ.
    pub(crate) fn succeeds(&self, older: &Self) -> bool {
        self.name == older.name
            && self.record_type == older.record_type
            && self.kind == older.kind
            && (self.kind != Kind::Shared || self.records == older.records)
    }

    pub(crate) fn has(&self, record: &Record) -> bool {
        self.record_type == record.record_type() && self.records.iter().any(|own| own.data == record.data)
    }
}

/// The names used now.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) host_label: String,
    pub(crate) instance_label: String,
    /// Names of apps that somebody else has.
    pub(crate) lost: BTreeSet<Name>,
}

/// All sets of a link.
#[derive(Clone, Debug, Default)]
pub(crate) struct Zone {
    pub(crate) sets: Vec<Set>,
    pub(crate) claims: BTreeMap<Name, Subject>,
    by_name: HashMap<Name, Vec<usize>>,
}

impl Zone {
    pub(crate) fn build(wanted: &Wanted, identity: &Identity, addresses: &[LinkAddress]) -> Self {
        let mut zone = Self::default();
        let Some(host) = names::local(&[&identity.host_label]) else {
            return zone;
        };
        let addresses: Vec<IpAddr> = addresses.iter().take(MAX_ADDRESSES).map(|own| own.address).collect();
        if addresses.is_empty() {
            return zone;
        }
        zone.add_host(&host, Subject::Host, &addresses);
        for address in &addresses {
            let mut reverse = Name::from(*address);
            reverse.set_fqdn(true);
            zone.add(&host, &reverse, Kind::Implied, HOST_TTL, vec![RData::PTR(PTR(host.clone()))]);
            zone.deny(&host, &reverse);
        }
        for extra in wanted.extra_hosts.iter().take(MAX_EXTRA_HOSTS) {
            match names::local(&[extra.as_str(), &identity.host_label]) {
                Some(name) if !identity.lost.contains(&name) && !zone.claims.contains_key(&name) => {
                    zone.add_host(&name, Subject::Extra, &addresses);
                }
                _ => {}
            }
        }
        for service in &wanted.services {
            // None: the kind is no pair of labels.
            let _announced: Option<()> = zone.add_service(service, &identity.instance_label, &host);
        }
        zone
    }

    /// Sets of a name.
    pub(crate) fn at(&self, name: &Name) -> impl Iterator<Item = (usize, &Set)> {
        self.by_name.get(name).into_iter().flatten().filter_map(|at| self.sets.get(*at).map(|set| (*at, set)))
    }

    /// The set that has exactly this record.
    pub(crate) fn find(&self, record: &Record) -> Option<usize> {
        let is_ours = record.dns_class == DNSClass::IN;
        self.at(&record.name).find(|(_, set)| is_ours && set.has(record)).map(|(at, _)| at)
    }

    /// What a probe proposes for a name (RFC 6762 section 8.2).
    pub(crate) fn proposed(&self, name: &Name) -> Vec<Record> {
        let sets = self.at(name).filter(|(_, set)| set.kind == Kind::Proposed);
        let mut records: Vec<Record> = sets.flat_map(|(_, set)| set.records.clone()).collect();
        // No cache may be flushed by a mere proposal (section 10.2).
        records.iter_mut().for_each(|record| record.mdns_cache_flush = false);
        records
    }

    /// Sets that whoever asked for these will ask for next (RFC 6763 section 12, RFC 6762 section 6.2).
    pub(crate) fn additional(&self, answered: &[usize]) -> Vec<usize> {
        let mut found: Vec<usize> = Vec::new();
        let mut names: Vec<&Name> = Vec::new();
        let mut next = 0;
        loop {
            let Some(at) = answered.iter().chain(&found).nth(next).copied() else {
                return found;
            };
            next += 1;
            let Some(set) = self.sets.get(at) else { continue };
            let wanted = match (set.kind, set.records.first().map(|record| &record.data)) {
                (Kind::Shared, Some(RData::PTR(PTR(target)))) => target,
                (Kind::Proposed, Some(RData::SRV(srv))) => &srv.target,
                (Kind::Proposed, Some(RData::A(_) | RData::AAAA(_))) => &set.name,
                _ => continue,
            };
            if names.contains(&wanted) {
                continue;
            }
            names.push(wanted);
            let (sets, denials): (Vec<_>, Vec<_>) =
                self.at(wanted).partition(|(_, set)| set.kind == Kind::Proposed);
            let lacks_a_family = sets.len() == 1;
            let more = sets.iter().chain(denials.iter().filter(|_| lacks_a_family)).map(|(at, _)| *at);
            let more: Vec<usize> = more.filter(|at| !answered.contains(at) && !found.contains(at)).collect();
            found.extend(more);
        }
    }

    fn add_host(&mut self, name: &Name, subject: Subject, addresses: &[IpAddr]) {
        let mut v4 = Vec::new();
        let mut v6 = Vec::new();
        for address in addresses {
            match address {
                IpAddr::V4(address) => v4.push(RData::A(A(*address))),
                IpAddr::V6(address) => v6.push(RData::AAAA(AAAA(*address))),
            }
        }
        self.claims.insert(name.clone(), subject);
        self.add(name, name, Kind::Proposed, HOST_TTL, v4);
        self.add(name, name, Kind::Proposed, HOST_TTL, v6);
        self.deny(name, name);
    }

    fn add_service(&mut self, service: &Service, instance_label: &str, host: &Name) -> Option<()> {
        let (kind, protocol) = service.kind.split_once('.')?;
        let listed = names::local(&[kind, protocol])?;
        let instance = names::local(&[instance_label, kind, protocol])?;
        let listing = names::local(&["_services", "_dns-sd", "_udp"])?;
        if self.claims.insert(instance.clone(), Subject::Instance).is_some() {
            return None;
        }
        let target = RData::SRV(SRV::new(0, 0, service.port, host.clone()));
        self.add(&instance, &instance, Kind::Proposed, HOST_TTL, vec![target]);
        self.add(&instance, &instance, Kind::Proposed, OTHER_TTL, vec![txt(&service.txt)]);
        self.deny(&instance, &instance);
        let pointer = |to: &Name| vec![RData::PTR(PTR(to.clone()))];
        self.add(&instance, &listed, Kind::Shared, OTHER_TTL, pointer(&instance));
        self.add(&instance, &listing, Kind::Shared, OTHER_TTL, pointer(&listed));
        Some(())
    }

    fn add(&mut self, claim: &Name, name: &Name, kind: Kind, ttl: u32, data: Vec<RData>) {
        let Some(record_type) = data.first().map(RData::record_type) else {
            return;
        };
        let record = |data| {
            let mut record = Record::from_rdata(name.clone(), ttl, data);
            record.mdns_cache_flush = kind != Kind::Shared;
            record
        };
        let records = data.into_iter().map(record).collect();
        let set = Set { records, kind, claim: claim.clone(), name: name.clone(), record_type, ttl };
        self.by_name.entry(name.clone()).or_default().push(self.sets.len());
        self.sets.push(set);
    }

    /// Adds what says that the name has no other types (RFC 6762 section 6.1, RFC 4034 section 4.1).
    fn deny(&mut self, claim: &Name, name: &Name) {
        let types = self.at(name).map(|(_, set)| u16::from(set.record_type)).collect::<Vec<_>>();
        if let Some(data) = denial(name, &types) {
            self.add(claim, name, Kind::Denial, HOST_TTL, vec![data]);
        }
    }
}

/// A text record of one empty string when there is nothing to say (RFC 6763 section 6.1).
fn txt(texts: &[String]) -> RData {
    let mut all = 0;
    let fitting = texts.iter().filter(|text| {
        let fits = !text.is_empty() && text.len() <= MAX_TXT && all + text.len() < MAX_ALL_TXT;
        all += if fits { text.len() + 1 } else { 0 };
        fits
    });
    let mut strings: Vec<&[u8]> = fitting.map(|text| text.as_bytes()).collect();
    if strings.is_empty() {
        strings.push(b"");
    }
    RData::TXT(TXT::from_bytes(strings))
}

/// Only types below 256, in one window, as RFC 6762 section 6.1 wants it.
fn denial(name: &Name, types: &[u16]) -> Option<RData> {
    let highest = types.iter().copied().filter(|number| *number < 256).max()?;
    let mut bits = vec![0_u8; usize::from(highest / 8) + 1];
    for number in types.iter().filter(|number| **number < 256) {
        *bits.get_mut(usize::from(number / 8))? |= 0x80 >> (number % 8);
    }
    let mut bytes = uncompressed(name)?;
    bytes.extend([0, u8::try_from(bits.len()).ok()?]);
    bytes.extend(bits);
    Some(RData::Unknown { code: RecordType::NSEC, rdata: NULL::with(bytes) })
}

/// Whether a denial says that a type is not there; never when it says nothing of it.
pub(crate) fn denies(record: &Record, record_type: RecordType) -> bool {
    let RData::Unknown { code: RecordType::NSEC, rdata } = &record.data else {
        return false;
    };
    let Some(name) = uncompressed(&record.name) else { return false };
    // Another name there would be DNSSEC's use of the record.
    let Some((next, types)) = rdata.anything.split_at_checked(name.len()) else { return false };
    let [0, length, bits @ ..] = types else { return false };
    let number = u16::from(record_type);
    let is_set = bits.get(usize::from(number / 8)).is_some_and(|byte| byte & (0x80 >> (number % 8)) != 0);
    next.eq_ignore_ascii_case(&name)
        && usize::from(*length) == bits.len()
        && number < 256
        && record_type != RecordType::ANY
        && !is_set
}

#[cfg(test)]
mod tests;
