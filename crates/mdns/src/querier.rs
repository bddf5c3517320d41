//! Asks the home network for names of other devices, for the box and its apps (RFC 6762 sections 5.2 and 10). Pure.
//!
//! A question is asked until its time is over: at once, after 1 s, 3 s, 7 s and so on. It ends early when a device says that the
//! records are all there are (the cache-flush bit), or that there are none; otherwise whatever came by then is the answer.

use crate::budget::Bucket;
use crate::budget::Rate;
use crate::jitter::Jitter;
use crate::names;
use crate::packet::Packet;
use crate::packet::batch;
use crate::querier::cache::Cache;
use crate::querier::cache::Found;
use crate::wanted::Destination;
use crate::wanted::Transmit;
use hickory_proto::op::Query;
use hickory_proto::rr::Name;
use hickory_proto::rr::Record;
use hickory_proto::rr::RecordType;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::time::Duration;
use std::time::Instant;

mod cache;

/// Most questions that wait for an answer; more are refused.
pub const MAX_WAITING: usize = 128;
/// Longest time that a question may take.
pub const LONGEST: Duration = Duration::from_secs(30);
/// Delay before the first question, in milliseconds: half of what section 5.2 advises, for somebody waits.
const FIRST_DELAY: (u64, u64) = (10, 60);
const FIRST_GAP: Duration = Duration::from_secs(1);
/// How long to wait for more after an answer that ends the question: by the other protocol, or from another link.
const SETTLE: Duration = Duration::from_millis(60);
/// A question is not asked again sooner, whoever asks (section 5.2).
const CALM: Duration = Duration::from_secs(1);
/// Questions sent to the links; more wait.
const SENT: Rate = Rate { every: Duration::from_millis(20), burst: 50 };

/// A question from the box itself.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Chosen by who asks.
    pub id: u64,
    /// The name.
    pub name: Name,
    /// What is wanted of it; [`RecordType::ANY`] for all.
    pub record_type: RecordType,
    /// How long to wait at most.
    pub timeout: Duration,
}

/// Why a question is not asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAsked {
    /// [`MAX_WAITING`] others wait. Whether the name exists is not known.
    #[error("too many questions to the home network wait for an answer")]
    Busy,
    /// Nobody runs the node any more.
    #[error("multicast DNS has ended")]
    Ended,
}

#[derive(Clone, Debug)]
struct Waiting {
    id: u64,
    until: Instant,
    /// When enough is known, if it is.
    settled_at: Option<Instant>,
}

/// A question on its way.
#[derive(Clone, Debug)]
struct Asking {
    waiting: Vec<Waiting>,
    next: Instant,
    gap: Duration,
    last: Option<Instant>,
}

/// The querier of all links.
#[derive(Debug)]
pub(crate) struct Querier {
    jitter: Jitter,
    cache: Cache,
    asking: BTreeMap<(Name, RecordType), Asking>,
    sent: Bucket,
    links: Vec<u32>,
    outgoing: Vec<Transmit>,
    answers: Vec<(u64, Vec<Record>)>,
}

impl Querier {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            jitter: Jitter::new(seed),
            cache: Cache::default(),
            asking: BTreeMap::new(),
            sent: Bucket::new(SENT),
            links: Vec::new(),
            outgoing: Vec::new(),
            answers: Vec::new(),
        }
    }

    /// Asks on these links from now on, and forgets what was heard on others.
    pub(crate) fn set_links(&mut self, links: Vec<u32>) {
        self.cache.keep_links(&links);
        self.links = links;
    }

    pub(crate) fn ask(&mut self, now: Instant, ask: Ask) -> Result<(), NotAsked> {
        let Ask { id, name, record_type, timeout } = ask;
        if !names::is_multicast(&name) {
            self.answers.push((id, Vec::new()));
            return Ok(());
        }
        match self.cache.find(now, &name, record_type) {
            Found::All(records) => self.answers.push((id, records)),
            Found::Some(_) | Found::Nothing => {
                let waiting: usize = self.asking.values().map(|asking| asking.waiting.len()).sum();
                if waiting >= MAX_WAITING {
                    return Err(NotAsked::Busy);
                }
                let until = now + timeout.min(LONGEST);
                let first = now + self.jitter.millis(FIRST_DELAY.0, FIRST_DELAY.1);
                let asking = self.asking.entry((name, record_type)).or_insert_with(|| Asking {
                    waiting: Vec::new(),
                    next: first,
                    gap: FIRST_GAP,
                    last: None,
                });
                if asking.waiting.is_empty() {
                    asking.next = asking.last.map_or(first, |last| first.max(last + CALM));
                    asking.gap = FIRST_GAP;
                }
                asking.waiting.push(Waiting { id, until, settled_at: None });
            }
        }
        Ok(())
    }

    /// Nobody waits for this answer any more.
    pub(crate) fn forget(&mut self, id: u64) {
        for asking in self.asking.values_mut() {
            asking.waiting.retain(|waiting| waiting.id != id);
        }
    }

    /// A response, on one of the links. Only names that were asked for lately are kept.
    pub(crate) fn response(&mut self, now: Instant, link: u32, packet: &Packet) {
        let mut heard = BTreeSet::new();
        for record in packet.answers.iter().chain(&packet.additionals) {
            if self.is_asked(&record.name) || self.cache.knows(&record.name) {
                self.cache.heard(now, link, record);
                heard.insert(&record.name);
            }
        }
        for ((name, record_type), asking) in
            self.asking.iter_mut().filter(|((name, _), _)| heard.contains(name))
        {
            if matches!(self.cache.find(now, name, *record_type), Found::All(_)) {
                for waiting in asking.waiting.iter_mut().filter(|waiting| waiting.settled_at.is_none()) {
                    waiting.settled_at = Some(now + SETTLE);
                }
            }
        }
    }

    /// Answers from the box's own records what has become its own name meanwhile.
    pub(crate) fn answer_own(&mut self, own: impl Fn(&Name, RecordType) -> Option<Vec<Record>>) {
        for ((name, record_type), asking) in &mut self.asking {
            if !asking.waiting.is_empty()
                && let Some(records) = own(name, *record_type)
            {
                let waiting = asking.waiting.drain(..);
                self.answers.extend(waiting.map(|waiting| (waiting.id, records.clone())));
            }
        }
    }

    fn is_asked(&self, name: &Name) -> bool {
        let first = (name.clone(), RecordType::ZERO);
        self.asking.range(first..).next().is_some_and(|((asked, _), _)| asked == name)
    }

    pub(crate) fn elapse(&mut self, now: Instant) {
        for ((name, record_type), asking) in &mut self.asking {
            let is_over = |waiting: &Waiting| {
                waiting.until <= now || waiting.settled_at.is_some_and(|settled_at| settled_at <= now)
            };
            for waiting in asking.waiting.extract_if(.., |waiting| is_over(waiting)) {
                let records = self.cache.find(now, name, *record_type).records();
                self.answers.push((waiting.id, records));
            }
            if asking.waiting.is_empty() || asking.next > now {
                continue;
            }
            if !self.sent.take(1, now) {
                asking.next = now + self.sent.wait(now).max(SENT.every);
                continue;
            }
            for link in &self.links {
                let mut question = Query::query(name.clone(), *record_type);
                // The first may be answered to the box alone (section 5.4).
                question.set_mdns_unicast_response(asking.last.is_none());
                let known = self.cache.known(now, *link, name, *record_type);
                let packets = batch::query(question, known).into_iter();
                self.outgoing.extend(packets.map(|bytes| Transmit {
                    link: *link,
                    to: Destination::Group,
                    bytes,
                }));
            }
            asking.last = Some(now);
            asking.next = now + asking.gap;
            asking.gap *= 2;
        }
        self.asking.retain(|_, asking| {
            !asking.waiting.is_empty() || asking.last.is_some_and(|last| now < last + CALM)
        });
    }

    pub(crate) fn next_wake(&self) -> Option<Instant> {
        let asking = self.asking.values().filter(|asking| !asking.waiting.is_empty());
        let ends = asking.clone().flat_map(|asking| &asking.waiting).map(|waiting| {
            waiting.settled_at.map_or(waiting.until, |settled_at| settled_at.min(waiting.until))
        });
        asking.map(|asking| asking.next).chain(ends).min()
    }

    pub(crate) fn take_transmits(&mut self) -> Vec<Transmit> {
        std::mem::take(&mut self.outgoing)
    }

    pub(crate) fn take_answers(&mut self) -> Vec<(u64, Vec<Record>)> {
        std::mem::take(&mut self.answers)
    }
}

#[cfg(test)]
mod tests;
