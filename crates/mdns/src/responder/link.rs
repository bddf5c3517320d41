//! What the box says on one link, and when.

use crate::budget::Bucket;
use crate::budget::Rate;
use crate::claim::Claim;
use crate::claim::Event;
use crate::claim::Outcome;
use crate::packet::Packet;
use crate::packet::batch;
use crate::packet::uncompressed;
use crate::responder::answer::Parked;
use crate::wanted::Arrival;
use crate::wanted::Destination;
use crate::wanted::LinkAddresses;
use crate::wanted::Transmit;
use crate::zone::Kind;
use crate::zone::Set;
use crate::zone::Subject;
use crate::zone::Zone;
use hickory_proto::op::Query;
use hickory_proto::rr::Name;
use hickory_proto::rr::Record;
use hickory_proto::rr::RecordType;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::time::Duration;
use std::time::Instant;

/// Announcements of a set, and the time to the second; it doubles from there (RFC 6762 section 8.3).
const ANNOUNCEMENTS: u8 = 3;
const FIRST_GAP: Duration = Duration::from_secs(1);
/// No record is multicast more often (section 6).
pub(crate) const CALM: Duration = Duration::from_secs(1);
/// Answers to single devices on a link.
const UNICAST: Rate = Rate { every: Duration::from_millis(20), burst: 100 };

/// When a set is sent and was.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Schedule {
    /// Somebody may have it in a cache.
    is_known: bool,
    pub(crate) last: Option<Instant>,
    announcements: u8,
    announce_at: Option<Instant>,
    pub(crate) answer_at: Option<Instant>,
}

impl Schedule {
    fn announce(&mut self, now: Instant) {
        self.announcements = 0;
        self.announce_at = Some(self.last.map_or(now, |last| now.max(last + CALM)));
    }

    fn due(&self) -> Option<Instant> {
        self.announce_at.into_iter().chain(self.answer_at).min()
    }

    fn sent(&mut self, now: Instant) {
        self.is_known = true;
        self.last = Some(now);
        self.answer_at = None;
        if self.announce_at.is_some_and(|at| at <= now) {
            self.announcements += 1;
            let gap = FIRST_GAP * (1 << self.announcements.saturating_sub(1));
            self.announce_at = (self.announcements < ANNOUNCEMENTS).then(|| now + gap);
        }
    }
}

/// One link.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) addresses: LinkAddresses,
    pub(crate) zone: Zone,
    claims: BTreeMap<Name, Claim>,
    /// One for each set of the zone.
    pub(crate) schedules: Vec<Schedule>,
    pub(crate) parked: Vec<Parked>,
    pub(crate) unicast: Bucket,
    pub(crate) outgoing: Vec<Transmit>,
}

impl Default for Link {
    fn default() -> Self {
        Self {
            addresses: LinkAddresses { index: 0, name: String::new(), addresses: Vec::new() },
            zone: Zone::default(),
            claims: BTreeMap::new(),
            schedules: Vec::new(),
            parked: Vec::new(),
            unicast: Bucket::new(UNICAST),
            outgoing: Vec::new(),
        }
    }
}

impl Link {
    /// Says what is in this zone from now on: takes back what is not, asks for new names from `start` on, and announces what
    /// changed.
    pub(crate) fn adopt(&mut self, now: Instant, zone: Zone, start: Instant) {
        let old = std::mem::replace(&mut self.zone, zone);
        let known = std::mem::take(&mut self.schedules);
        let mut goodbyes = Vec::new();
        for (set, _) in old.sets.iter().zip(&known).filter(|(_, schedule)| schedule.is_known) {
            let gone: Vec<Record> =
                set.records.iter().filter(|record| self.zone.find(record).is_none()).map(goodbye).collect();
            if !gone.is_empty() {
                goodbyes.push(gone);
            }
        }
        self.say(batch::responses(goodbyes, Vec::new()));
        // Who hears only IPv4 was not asked by IPv6, or the other way round (section 20).
        let is_new_audience = families(&self.zone).any(|family| !families(&old).any(|known| known == family));
        let before = std::mem::take(&mut self.claims);
        for name in self.zone.claims.keys() {
            let kept = before.get(name).filter(|_| !is_new_audience);
            self.claims.insert(name.clone(), kept.copied().unwrap_or_else(|| Claim::new(start)));
        }
        for set in &self.zone.sets {
            let older = old.at(&set.name).find(|(_, older)| set.succeeds(older));
            let mut schedule = older.and_then(|(at, _)| known.get(at)).copied().unwrap_or_default();
            let is_new = older.is_none_or(|(_, older)| older.records != set.records);
            if is_new && set.kind != Kind::Denial && self.claims.get(&set.claim) == Some(&Claim::Held) {
                schedule.announce(now);
            }
            self.schedules.push(schedule);
        }
        // They count sets of the old zone; who asked will ask again.
        self.parked.clear();
    }

    /// Whether a record of this name can mean anything here.
    pub(crate) fn concerns(&self, name: &Name) -> bool {
        self.claims.contains_key(name) || self.zone.at(name).next().is_some()
    }

    /// Whether a record denies that a unique name is the box's. An answer to this box alone counts only while it asks.
    pub(crate) fn contradicts(&self, record: &Record, arrival: &Arrival) -> bool {
        let is_claimed =
            self.zone.claims.get(&record.name).is_some_and(|subject| subject.claims(record.record_type()));
        let is_held = self.claims.get(&record.name) == Some(&Claim::Held);
        is_claimed && (arrival.was_multicast || !is_held)
    }

    /// The box's own record in somebody else's mouth: no need to say it again (section 7.4), unless it would be forgotten too soon
    /// (section 6.6).
    pub(crate) fn heard(&mut self, now: Instant, set: usize, record: &Record) {
        let (Some(own), Some(schedule)) = (self.zone.sets.get(set), self.schedules.get_mut(set)) else {
            return;
        };
        if record.ttl < own.ttl / 2 {
            if schedule.is_known {
                let soon = schedule.last.map_or(now, |last| now.max(last + CALM));
                schedule.answer_at = Some(schedule.answer_at.map_or(soon, |at| at.min(soon)));
            }
        } else if own.records.len() == 1 && record.ttl >= own.ttl {
            schedule.answer_at = None;
        }
    }

    /// Another device's probe for a name that the box asks for too (section 8.2).
    pub(crate) fn compare_proposals(&mut self, now: Instant, packet: &Packet) {
        let mut proposals: BTreeMap<&Name, Vec<&Record>> = BTreeMap::new();
        for record in packet.authorities.iter().filter(|record| self.zone.claims.contains_key(&record.name)) {
            proposals.entry(&record.name).or_default().push(record);
        }
        let asked: BTreeSet<&Name> = packet.questions.iter().map(|question| &question.name).collect();
        for (name, theirs) in proposals.into_iter().filter(|(name, _)| asked.contains(name)) {
            let ours = comparable(self.zone.proposed(name).iter());
            self.step(now, name, Event::Proposed(ours.cmp(&comparable(theirs.into_iter()))));
        }
    }

    /// Lets something happen to a name; none when the name is not claimed.
    pub(crate) fn step(&mut self, now: Instant, name: &Name, event: Event) -> Option<(Subject, Outcome)> {
        let subject = *self.zone.claims.get(name)?;
        let claim = self.claims.get_mut(name)?;
        let (after, outcome) = claim.step(now, event);
        *claim = after;
        if outcome == Outcome::Challenged {
            for (_, schedule) in self.of_claim(name) {
                schedule.announce_at = None;
                schedule.answer_at = None;
            }
        }
        if outcome == Outcome::Won {
            for (set, schedule) in self.of_claim(name) {
                if set.kind != Kind::Denial {
                    schedule.announce(now);
                }
            }
        }
        Some((subject, outcome))
    }

    fn of_claim(&mut self, name: &Name) -> impl Iterator<Item = (&Set, &mut Schedule)> {
        self.zone.sets.iter().zip(&mut self.schedules).filter(move |(set, _)| set.claim == *name)
    }

    /// Does what is due: probes, then what to answer to single devices, then announcements and answers to all in one go.
    pub(crate) fn elapse(&mut self, now: Instant) {
        let mut probes = Vec::new();
        let due: Vec<Name> = self
            .claims
            .iter()
            .filter(|(_, claim)| claim.due().is_some_and(|due| due <= now))
            .map(|(name, _)| name.clone())
            .collect();
        for name in due {
            if let Some((_, Outcome::Probe)) = self.step(now, &name, Event::Time) {
                let mut question = Query::query(name.clone(), RecordType::ANY);
                // So that who has the name answers at once (section 8.1).
                question.set_mdns_unicast_response(true);
                let proposed = self.zone.proposed(&name);
                probes.push((question, proposed));
            }
        }
        self.say(batch::probes(probes));
        self.unpark(now);
        let is_due =
            |at: &usize| self.schedules.get(*at).and_then(Schedule::due).is_some_and(|due| due <= now);
        let mut due: Vec<usize> = (0..self.zone.sets.len()).filter(is_due).collect();
        due.retain(|at| self.may_say(*at));
        if !due.is_empty() {
            let is_fresh = |at: &usize| {
                self.schedules
                    .get(*at)
                    .and_then(|schedule| schedule.last)
                    .is_some_and(|last| now < last + CALM)
            };
            let additional: Vec<usize> = self
                .zone
                .additional(&due)
                .into_iter()
                .filter(|at| self.may_say(*at) && !is_fresh(at))
                .collect();
            self.say(batch::responses(self.sets(&due), self.sets(&additional)));
            for at in due.into_iter().chain(additional) {
                if let Some(schedule) = self.schedules.get_mut(at) {
                    schedule.sent(now);
                }
            }
        }
    }

    /// When [`Self::elapse`] has something to do.
    pub(crate) fn next_wake(&self) -> Option<Instant> {
        let claims = self.claims.values().filter_map(Claim::due);
        let sets = self.schedules.iter().enumerate().filter_map(|(at, schedule)| Some((at, schedule.due()?)));
        let sets = sets.filter(|(at, _)| self.may_say(*at)).map(|(_, due)| due);
        claims.chain(sets).chain(self.parked.iter().map(|parked| parked.at)).min()
    }

    pub(crate) fn claim(&self, name: &Name) -> Option<Claim> {
        self.claims.get(name).copied()
    }

    /// Whether a name is the box's own here.
    pub(crate) fn holds(&self, name: &Name) -> bool {
        self.zone.at(name).any(|(at, set)| set.kind != Kind::Shared && self.may_say(at))
    }

    /// The box's records of a name and type.
    pub(crate) fn records(&self, name: &Name, record_type: RecordType) -> impl Iterator<Item = Record> {
        let sets = self.zone.at(name).filter(move |(at, set)| {
            self.may_say(*at)
                && set.kind != Kind::Denial
                && (record_type == RecordType::ANY || record_type == set.record_type)
        });
        sets.flat_map(|(_, set)| set.records.clone())
    }

    /// Whether the name that a set depends on is the box's.
    pub(crate) fn may_say(&self, set: usize) -> bool {
        self.zone.sets.get(set).is_some_and(|set| self.claims.get(&set.claim) == Some(&Claim::Held))
    }

    pub(crate) fn sets(&self, which: &[usize]) -> Vec<Vec<Record>> {
        which.iter().filter_map(|at| self.zone.sets.get(*at)).map(|set| set.records.clone()).collect()
    }

    fn say(&mut self, packets: Vec<Vec<u8>>) {
        let link = self.addresses.index;
        self.outgoing.extend(packets.into_iter().map(|bytes| Transmit {
            link,
            to: Destination::Group,
            bytes,
        }));
    }
}

/// A record to be forgotten (section 10.1), without a word on others of its set.
fn goodbye(record: &Record) -> Record {
    let mut goodbye = record.clone();
    goodbye.ttl = 0;
    goodbye.mdns_cache_flush = false;
    goodbye
}

fn families(zone: &Zone) -> impl Iterator<Item = RecordType> {
    zone.sets
        .iter()
        .map(|set| set.record_type)
        .filter(|record_type| matches!(record_type, RecordType::A | RecordType::AAAA))
}

/// Records in the form and order in which they are compared: by class, type and bytes of the data, never compressed.
fn comparable<'a>(records: impl Iterator<Item = &'a Record>) -> Vec<(u16, u16, Vec<u8>)> {
    let form = |record: &Record| {
        let data = uncompressed(&record.data).unwrap_or_default();
        (u16::from(record.dns_class), u16::from(record.record_type()), data)
    };
    let mut all: Vec<_> = records.map(form).collect();
    all.sort_unstable();
    all
}
