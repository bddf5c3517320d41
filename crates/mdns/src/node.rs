//! The box as it takes part in multicast DNS: responder and querier behind one door. Pure: time, randomness and packets come from
//! outside, packets and answers are handed out.

use crate::budget::Budget;
use crate::packet;
use crate::querier::Ask;
use crate::querier::NotAsked;
use crate::querier::Querier;
use crate::responder::Responder;
use crate::responder::answer::PORT;
use crate::wanted::Announced;
use crate::wanted::Arrival;
use crate::wanted::LinkAddresses;
use crate::wanted::Transmit;
use crate::wanted::Wanted;
use hickory_proto::rr::Record;
use std::collections::BTreeMap;
use std::error::Error;
use std::net::IpAddr;
use std::time::Instant;

/// Packets since the start, by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Looked at.
    pub heeded: u64,
    /// Not decodable.
    pub malformed: u64,
    /// From one of the box's own addresses.
    pub own: u64,
    /// On an unknown link, from elsewhere than the link, or a response from another port.
    pub misplaced: u64,
    /// More than may be looked at in that time.
    pub over_budget: u64,
}

/// See the module.
#[derive(Debug)]
pub struct Node {
    responder: Responder,
    querier: Querier,
    links: Vec<LinkAddresses>,
    budgets: BTreeMap<u32, Budget>,
    counters: Counters,
}

impl Node {
    /// A node that wants nothing yet. The seed spreads its packets in time.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            responder: Responder::new(seed),
            querier: Querier::new(seed.rotate_left(32)),
            links: Vec::new(),
            budgets: BTreeMap::new(),
            counters: Counters::default(),
        }
    }

    /// Announces this from now on.
    pub fn want(&mut self, now: Instant, wanted: Wanted) {
        self.responder.want(now, wanted);
    }

    /// Links and addresses are these from now on.
    pub fn set_links(&mut self, now: Instant, links: Vec<LinkAddresses>) {
        if links == self.links {
            return;
        }
        self.budgets.retain(|index, _| links.iter().any(|link| link.index == *index));
        self.responder.set_links(now, &links);
        let speaking = links.iter().filter(|link| !link.addresses.is_empty());
        self.querier.set_links(speaking.map(|link| link.index).collect());
        self.links = links;
    }

    /// Takes in a packet; whatever it holds, this neither fails nor panics.
    pub fn receive(&mut self, now: Instant, arrival: &Arrival, bytes: &[u8]) {
        let source = arrival.source.ip();
        let Some(link) = self.links.iter().find(|link| link.index == arrival.link) else {
            self.counters.misplaced += 1;
            return;
        };
        // Through another link to the same network.
        if self.is_own(source) {
            self.counters.own += 1;
            return;
        }
        // What was sent to all came over the link; anything else might come from far away (RFC 6762 section 11).
        if !arrival.was_multicast && !link.reaches(source) {
            self.counters.misplaced += 1;
            return;
        }
        let budget = self.budgets.entry(arrival.link).or_insert_with(Budget::new);
        if !budget.admits(source, bytes.len(), now) {
            self.counters.over_budget += 1;
            return;
        }
        let packet = match packet::decode(bytes) {
            Ok(packet) => packet,
            Err(error) => {
                self.counters.malformed += 1;
                tracing::trace!(error = &error as &dyn Error, %source, "no multicast DNS");
                return;
            }
        };
        if packet.is_response && arrival.source.port() != PORT {
            self.counters.misplaced += 1;
            return;
        }
        self.counters.heeded += 1;
        if packet.is_response {
            self.responder.response(now, arrival, &packet);
            self.querier.response(now, arrival.link, &packet);
        } else {
            self.responder.query(now, arrival, &packet);
        }
    }

    /// Asks for a name; [`Self::take_answers`] has the answer some time. The box's own names are answered from memory.
    ///
    /// # Errors
    /// When too many others wait: there will be no answer.
    pub fn ask(&mut self, now: Instant, ask: Ask) -> Result<Option<Vec<Record>>, NotAsked> {
        let own = self.responder.own(&ask.name, ask.record_type);
        if own.is_none() {
            self.querier.ask(now, ask)?;
        }
        Ok(own)
    }

    /// Nobody waits for this answer any more.
    pub fn forget(&mut self, id: u64) {
        self.querier.forget(id);
    }

    /// Does what is due; to be called at [`Self::next_wake`] and after everything else.
    pub fn elapse(&mut self, now: Instant) {
        self.responder.elapse(now);
        self.querier.answer_own(|name, record_type| self.responder.own(name, record_type));
        self.querier.elapse(now);
    }

    /// When something is due.
    #[must_use]
    pub fn next_wake(&self) -> Option<Instant> {
        self.responder.next_wake().into_iter().chain(self.querier.next_wake()).min()
    }

    /// Says goodbye to all links and wants nothing any more.
    pub fn stop(&mut self, now: Instant) {
        self.responder.stop(now);
    }

    /// Packets to send, once.
    pub fn take_transmits(&mut self) -> Vec<Transmit> {
        let mut transmits = self.responder.take_transmits();
        transmits.extend(self.querier.take_transmits());
        transmits
    }

    /// Answers to [`Self::ask`], once.
    pub fn take_answers(&mut self) -> Vec<(u64, Vec<Record>)> {
        self.querier.take_answers()
    }

    /// What became of the wish.
    #[must_use]
    pub fn announced(&self) -> Announced {
        self.responder.announced()
    }

    /// What became of packets.
    #[must_use]
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    fn is_own(&self, address: IpAddr) -> bool {
        self.links.iter().flat_map(|link| &link.addresses).any(|own| own.address == address)
    }
}
