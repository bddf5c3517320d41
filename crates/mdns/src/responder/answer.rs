//! Whom to answer, what, and when (RFC 6762 sections 5.4, 6, 7.1 and 7.2).

use crate::jitter::Jitter;
use crate::packet::Packet;
use crate::packet::batch;
use crate::responder::link::CALM;
use crate::responder::link::Link;
use crate::wanted::Arrival;
use crate::wanted::Destination;
use crate::wanted::Transmit;
use crate::zone::Kind;
use hickory_proto::op::Query;
use hickory_proto::rr::DNSClass;
use hickory_proto::rr::Record;
use hickory_proto::rr::RecordType;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;
use std::time::Instant;

/// The port of multicast DNS; a query from another one is a legacy query (section 6.7).
pub const PORT: u16 = 5353;
/// Delay in milliseconds when others may answer too (section 6).
const SHARED_DELAY: (u64, u64) = (20, 120);
/// Delay in milliseconds when more known answers follow (section 7.2).
const TRUNCATED_DELAY: (u64, u64) = (400, 500);
/// How soon after the last time a record may be multicast to defend a name (section 6).
const DEFENCE: Duration = Duration::from_millis(250);
/// Truncated queries that wait for their rest; more are answered at once.
const MAX_PARKED: usize = 16;
/// What a legacy resolver may keep an answer for (section 6.7).
const LEGACY_TTL: u32 = 10;

/// A query whose known answers are not all here.
#[derive(Clone, Debug)]
pub(crate) struct Parked {
    source: SocketAddr,
    answers: Vec<Answer>,
    is_probe: bool,
    pub(crate) at: Instant,
}

/// A set to answer with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Answer {
    set: usize,
    to_one: bool,
}

impl Link {
    /// Takes in a query.
    pub(crate) fn query(&mut self, now: Instant, arrival: &Arrival, packet: &Packet, jitter: &mut Jitter) {
        let is_near = self.addresses.reaches(arrival.source.ip());
        if arrival.source.port() != PORT {
            if is_near {
                self.answer_legacy(now, arrival.source, packet);
            }
            return;
        }
        if packet.questions.is_empty() {
            self.continue_parked(now, arrival.source, packet, jitter);
            return;
        }
        let (mut answers, answers_all) = self.matching(packet, !arrival.was_multicast);
        self.leave_out_known(&mut answers, packet);
        if answers.is_empty() {
            return;
        }
        if !is_near {
            answers.iter_mut().for_each(|answer| answer.to_one = false);
        }
        let is_probe = !packet.authorities.is_empty();
        if packet.is_truncated && self.parked.len() < MAX_PARKED {
            let at = now + jitter.millis(TRUNCATED_DELAY.0, TRUNCATED_DELAY.1);
            self.parked.push(Parked { source: arrival.source, answers, is_probe, at });
            return;
        }
        let is_alone = answers_all && answers.iter().all(|answer| self.is_unique(answer.set));
        let delay =
            if is_alone || is_probe { Duration::ZERO } else { jitter.millis(SHARED_DELAY.0, SHARED_DELAY.1) };
        self.schedule(now, arrival.source, &answers, is_probe, delay);
    }

    /// Answers queries whose known answers should all have come.
    pub(crate) fn unpark(&mut self, now: Instant) {
        let (due, waiting) =
            std::mem::take(&mut self.parked).into_iter().partition(|parked| parked.at <= now);
        self.parked = waiting;
        let due: Vec<Parked> = due;
        for parked in due {
            self.schedule(now, parked.source, &parked.answers, parked.is_probe, Duration::ZERO);
        }
    }

    /// The sets that answer, and whether the box can answer every question with nobody else having a say.
    fn matching(&self, packet: &Packet, to_me: bool) -> (Vec<Answer>, bool) {
        let mut answers = BTreeMap::new();
        let mut answers_all = true;
        for question in &packet.questions {
            let found = self.answering(question);
            answers_all &= !found.is_empty();
            for set in found {
                *answers.entry(set).or_insert(true) &= to_me || question.mdns_unicast_response;
            }
        }
        (answers.into_iter().map(|(set, to_one)| Answer { set, to_one }).collect(), answers_all)
    }

    /// The sets that answer one question; that there is no such type, when the name is the box's and has none (section 6.1).
    fn answering(&self, question: &Query) -> Vec<usize> {
        if !matches!(question.query_class, DNSClass::IN | DNSClass::ANY) {
            return Vec::new();
        }
        let mut denial = None;
        let mut found = Vec::new();
        for (at, set) in self.zone.at(&question.name).filter(|(at, _)| self.may_say(*at)) {
            if set.kind == Kind::Denial {
                denial = Some(at);
            } else if matches!(question.query_type, RecordType::ANY) || question.query_type == set.record_type
            {
                found.push(at);
            }
        }
        if found.is_empty() {
            found.extend(denial);
        }
        found
    }

    /// A set of unique records is left out only when all of it is known: a part would make the asker forget the rest.
    fn leave_out_known(&self, answers: &mut Vec<Answer>, packet: &Packet) {
        let known: BTreeSet<(usize, usize)> =
            packet.answers.iter().filter_map(|known| self.known(known)).collect();
        if known.is_empty() {
            return;
        }
        answers.retain(|answer| {
            let count = known.range((answer.set, 0)..(answer.set + 1, 0)).count();
            self.zone.sets.get(answer.set).is_some_and(|set| count < set.records.len())
        });
    }

    /// Which of the box's records the asker knows, for at least half as long as it may (section 7.1): the set, and where in it.
    fn known(&self, known: &Record) -> Option<(usize, usize)> {
        let at = self.zone.find(known)?;
        let set = self.zone.sets.get(at)?;
        let place = set.records.iter().position(|own| own.data == known.data)?;
        (known.ttl >= set.ttl / 2).then_some((at, place))
    }

    fn continue_parked(&mut self, now: Instant, source: SocketAddr, packet: &Packet, jitter: &mut Jitter) {
        let mut parked = std::mem::take(&mut self.parked);
        for waiting in parked.iter_mut().filter(|parked| parked.source == source) {
            self.leave_out_known(&mut waiting.answers, packet);
            if packet.is_truncated {
                waiting.at = now + jitter.millis(TRUNCATED_DELAY.0, TRUNCATED_DELAY.1);
            }
        }
        parked.retain(|parked| !parked.answers.is_empty());
        self.parked = parked;
    }

    fn is_unique(&self, set: usize) -> bool {
        self.zone.sets.get(set).is_some_and(|set| set.kind != Kind::Shared)
    }

    /// Sends to one at once, and to all after a delay: also to all what one asked for, when all have not heard it for a quarter of its
    /// time to live (section 5.4).
    fn schedule(
        &mut self,
        now: Instant,
        to: SocketAddr,
        answers: &[Answer],
        is_probe: bool,
        delay: Duration,
    ) {
        let calm = if is_probe { DEFENCE } else { CALM };
        let mut to_one = Vec::new();
        for answer in answers {
            let (Some(set), Some(schedule)) =
                (self.zone.sets.get(answer.set), self.schedules.get_mut(answer.set))
            else {
                continue;
            };
            let quarter = Duration::from_secs(u64::from(set.ttl / 4));
            if answer.to_one && schedule.last.is_some_and(|last| now < last + quarter) {
                to_one.push(answer.set);
                continue;
            }
            let at = schedule.last.map_or(now + delay, |last| (now + delay).max(last + calm));
            schedule.answer_at = Some(schedule.answer_at.map_or(at, |earlier| earlier.min(at)));
        }
        if !to_one.is_empty() && self.unicast.take(1, now) {
            let additional: Vec<usize> =
                self.zone.additional(&to_one).into_iter().filter(|at| self.may_say(*at)).collect();
            let packets = batch::responses(self.sets(&to_one), self.sets(&additional));
            self.tell(to, packets);
        }
    }

    /// Answers a resolver that knows nothing of multicast: with its own id and question, and nothing it would not understand.
    fn answer_legacy(&mut self, now: Instant, to: SocketAddr, packet: &Packet) {
        let (mut answers, _) = self.matching(packet, true);
        answers.retain(|answer| self.zone.sets.get(answer.set).is_some_and(|set| set.kind != Kind::Denial));
        self.leave_out_known(&mut answers, packet);
        if answers.is_empty() || !self.unicast.take(1, now) {
            return;
        }
        let sets: Vec<usize> = answers.iter().map(|answer| answer.set).collect();
        let plain = |mut record: Record| {
            record.ttl = record.ttl.min(LEGACY_TTL);
            record.mdns_cache_flush = false;
            record
        };
        let mut answer = Packet {
            id: packet.id,
            is_response: true,
            questions: packet.questions.clone(),
            answers: self.sets(&sets).into_iter().flatten().map(plain).collect(),
            ..Packet::default()
        };
        answer.questions.iter_mut().for_each(|question| question.mdns_unicast_response = false);
        let bytes = answer.encode().into_iter().collect();
        self.tell(to, bytes);
    }

    fn tell(&mut self, to: SocketAddr, packets: Vec<Vec<u8>>) {
        let link = self.addresses.index;
        let to = Destination::Host(to);
        self.outgoing.extend(packets.into_iter().map(|bytes| Transmit { link, to, bytes }));
    }
}
