//! Keeps the box's names on all its links: decides on conflicts and on what the box is called. Pure.
//!
//! A name is the box's on every link or on none: who loses it on one link takes another on all. What happens on one link is
//! [`link`]'s.

use crate::claim::Claim;
use crate::claim::Event;
use crate::claim::Outcome;
use crate::jitter::Jitter;
use crate::names;
use crate::packet::Packet;
use crate::responder::link::Link;
use crate::wanted::Announced;
use crate::wanted::Arrival;
use crate::wanted::LinkAddresses;
use crate::wanted::MAX_EXTRA_HOSTS;
use crate::wanted::State;
use crate::wanted::Transmit;
use crate::wanted::Wanted;
use crate::zone::Identity;
use crate::zone::Subject;
use crate::zone::Zone;
use hickory_proto::rr::DNSClass;
use hickory_proto::rr::Name;
use hickory_proto::rr::Record;
use hickory_proto::rr::RecordType;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;
use std::time::Instant;

pub(crate) mod answer;
pub(crate) mod link;

/// Delay before the first probe, in milliseconds (RFC 6762 section 8.1).
const FIRST_PROBE: (u64, u64) = (0, 250);
/// The same after a challenge: long enough that the rival's answer has come by both IPv4 and IPv6.
const CHALLENGED_PROBE: (u64, u64) = (250, 500);
/// So many conflicts within such a time make the box wait before it asks again (section 8.1).
const MANY_CONFLICTS: usize = 15;
const CONFLICT_WINDOW: Duration = Duration::from_secs(10);
const BACK_OFF: Duration = Duration::from_secs(5);

/// The responder of all links.
#[derive(Debug)]
pub(crate) struct Responder {
    jitter: Jitter,
    wanted: Option<Wanted>,
    /// 1 is the name wished for.
    host_attempt: u32,
    instance_attempt: u32,
    lost: BTreeSet<Name>,
    links: BTreeMap<u32, Link>,
    /// The latest, at most [`MANY_CONFLICTS`].
    conflicts: VecDeque<Instant>,
    rival: Option<IpAddr>,
}

impl Responder {
    pub(crate) const fn new(seed: u64) -> Self {
        Self {
            jitter: Jitter::new(seed),
            wanted: None,
            host_attempt: 1,
            instance_attempt: 1,
            lost: BTreeSet::new(),
            links: BTreeMap::new(),
            conflicts: VecDeque::new(),
            rival: None,
        }
    }

    /// Announces this from now on. Names that stay are kept; others are taken back and asked for.
    pub(crate) fn want(&mut self, now: Instant, wanted: Wanted) {
        if self.wanted.as_ref() == Some(&wanted) {
            return;
        }
        if self.wanted.as_ref().is_none_or(|before| before.host != wanted.host) {
            self.host_attempt = 1;
            self.instance_attempt = 1;
            self.rival = None;
        }
        self.lost.clear();
        self.wanted = Some(wanted);
        self.refresh(now);
    }

    /// Links and addresses are these from now on.
    pub(crate) fn set_links(&mut self, now: Instant, links: &[LinkAddresses]) {
        // A link that went cannot be told goodbye.
        self.links.retain(|index, _| links.iter().any(|link| link.index == *index));
        for addresses in links {
            let link = self.links.entry(addresses.index).or_default();
            link.addresses = addresses.clone();
        }
        // Who had an app's name may be on a link that went.
        self.lost.clear();
        self.refresh(now);
    }

    /// A response: it may contradict the box, or say the same.
    pub(crate) fn response(&mut self, now: Instant, arrival: &Arrival, packet: &Packet) {
        let mut contested = BTreeSet::new();
        for record in packet.answers.iter().chain(&packet.additionals) {
            let Some(link) = self.links.get_mut(&arrival.link) else {
                return;
            };
            if record.dns_class != DNSClass::IN || !link.concerns(&record.name) {
                continue;
            }
            if let Some(set) = link.zone.find(record) {
                link.heard(now, set, record);
            } else if record.ttl > 0 && link.contradicts(record, arrival) && !self.has(record) {
                contested.insert(record.name.clone());
            }
        }
        for name in contested {
            self.conflict(now, arrival, &name);
        }
    }

    /// Whether the box says the same on any link: then it is the box's own word, come back through another link or a repeater.
    fn has(&self, record: &Record) -> bool {
        self.links.values().any(|link| link.zone.find(record).is_some())
    }

    /// A query: it may be answered now or later, and a probe may compete with ours.
    pub(crate) fn query(&mut self, now: Instant, arrival: &Arrival, packet: &Packet) {
        if let Some(link) = self.links.get_mut(&arrival.link) {
            link.compare_proposals(now, packet);
            link.query(now, arrival, packet, &mut self.jitter);
        }
    }

    /// Does what is due.
    pub(crate) fn elapse(&mut self, now: Instant) {
        for link in self.links.values_mut() {
            link.elapse(now);
        }
    }

    /// When [`Self::elapse`] has something to do.
    pub(crate) fn next_wake(&self) -> Option<Instant> {
        self.links.values().filter_map(Link::next_wake).min()
    }

    pub(crate) fn take_transmits(&mut self) -> Vec<Transmit> {
        self.links.values_mut().flat_map(|link| std::mem::take(&mut link.outgoing)).collect()
    }

    /// Takes back all that was announced (section 10.1) and falls silent.
    pub(crate) fn stop(&mut self, now: Instant) {
        self.wanted = None;
        for link in self.links.values_mut() {
            link.adopt(now, Zone::default(), now);
        }
    }

    /// What the box itself would answer; none when the name is not its own.
    pub(crate) fn own(&self, name: &Name, record_type: RecordType) -> Option<Vec<Record>> {
        let links: Vec<&Link> = self.links.values().filter(|link| link.holds(name)).collect();
        if links.is_empty() {
            return None;
        }
        let mut records: Vec<Record> = Vec::new();
        for record in links.iter().flat_map(|link| link.records(name, record_type)) {
            if !records.iter().any(|known| known.data == record.data) {
                records.push(record);
            }
        }
        Some(records)
    }

    pub(crate) fn announced(&self) -> Announced {
        let Some(wanted) = &self.wanted else {
            return Announced::default();
        };
        let identity = self.identity(wanted);
        let host = names::local(&[&identity.host_label]);
        let claims: Vec<Claim> = self.links.values().filter_map(|link| link.claim(host.as_ref()?)).collect();
        let state = match claims.as_slice() {
            [] => State::Idle,
            claims if claims.iter().all(|claim| *claim == Claim::Held) => State::Announced,
            _ => State::Probing,
        };
        Announced { name: identity.host_label, state, problem: self.problem(wanted), rival: self.rival }
    }

    fn problem(&self, wanted: &Wanted) -> Option<String> {
        let lost: Vec<String> =
            self.lost.iter().map(|name| name.to_ascii().trim_end_matches('.').to_owned()).collect();
        if !lost.is_empty() {
            return Some(format!("another device uses the name {}", lost.join(" and ")));
        }
        (wanted.extra_hosts.len() > MAX_EXTRA_HOSTS)
            .then(|| format!("only the first {MAX_EXTRA_HOSTS} names of apps are announced"))
    }

    fn identity(&self, wanted: &Wanted) -> Identity {
        let host_label = names::host_label(&wanted.host, self.host_attempt);
        let instance_label = names::instance_label(&host_label, self.instance_attempt);
        Identity { host_label, instance_label, lost: self.lost.clone() }
    }

    /// Makes all links say what is wanted under the present names.
    fn refresh(&mut self, now: Instant) {
        let Some(wanted) = self.wanted.take() else {
            return;
        };
        let identity = self.identity(&wanted);
        for link in self.links.values_mut() {
            let start =
                now + self.jitter.millis(FIRST_PROBE.0, FIRST_PROBE.1) + back_off(&self.conflicts, now);
            let zone = Zone::build(&wanted, &identity, &link.addresses.addresses);
            link.adopt(now, zone, start);
        }
        self.wanted = Some(wanted);
    }

    fn conflict(&mut self, now: Instant, arrival: &Arrival, name: &Name) {
        let again =
            now + self.jitter.millis(CHALLENGED_PROBE.0, CHALLENGED_PROBE.1) + back_off(&self.conflicts, now);
        // None: an earlier record of the same packet made the box take another name.
        let Some(link) = self.links.get_mut(&arrival.link) else { return };
        let Some((subject, outcome)) = link.step(now, name, Event::Answered { again }) else { return };
        if matches!(outcome, Outcome::Nothing) {
            return;
        }
        self.conflicts.push_back(now);
        if self.conflicts.len() > MANY_CONFLICTS {
            self.conflicts.pop_front();
        }
        let rival = arrival.source.ip();
        tracing::warn!(%name, %rival, link = link.addresses.name, ?outcome, "another device uses the name");
        if outcome == Outcome::Lost {
            match subject {
                Subject::Host => {
                    self.host_attempt = self.host_attempt.saturating_add(1);
                    self.instance_attempt = 1;
                    self.lost.clear();
                    self.rival = Some(rival);
                }
                Subject::Instance => self.instance_attempt = self.instance_attempt.saturating_add(1),
                Subject::Extra => {
                    self.lost.insert(name.clone());
                }
            }
            self.refresh(now);
        }
    }
}

/// How long to wait on top because there were many conflicts lately.
fn back_off(conflicts: &VecDeque<Instant>, now: Instant) -> Duration {
    let lately = conflicts.iter().filter(|at| now.saturating_duration_since(**at) < CONFLICT_WINDOW).count();
    if lately >= MANY_CONFLICTS { BACK_OFF } else { Duration::ZERO }
}

#[cfg(test)]
mod tests;
