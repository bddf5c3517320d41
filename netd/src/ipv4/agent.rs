//! Everything about the IPv4 addresses of one link, pure: puts the small machines together.

use crate::dhcp::frame::Mac;
use crate::dhcp::lease::Lease;
use crate::dhcp::machine;
use crate::dhcp::machine::Circumstances;
use crate::dhcp::machine::Outgoing;
use crate::dhcp::machine::Reply;
use crate::ipv4::Conflict;
use crate::ipv4::View;
use crate::ipv4::acd;
use crate::ipv4::acd::Acd;
use crate::ipv4::acd::Pace;
use crate::ipv4::arp::Arp;
use crate::ipv4::gateway::Watch;
use crate::ipv4::link_local;
use crate::moment::Moment;
use model::network::link_settings::Ipv4Settings;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

/// Time until an address of the owner's that another device has is tried again.
const RETRY: Duration = Duration::from_secs(60);

/// Addresses of other devices that are remembered, more than the owner may fix: a server may offer such without end.
const MOST_LOST: usize = 32;

/// What happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// The link has a carrier.
    LinkUp,
    /// The link lost its carrier.
    LinkDown,
    /// The moment of [`Agent::wake_at`] came.
    Timer,
    /// A DHCP server answered.
    Dhcp(Reply),
    /// An ARP packet of another device came by.
    Arp(Arp),
    /// The owner wants the lease renewed now.
    RenewNow,
    /// The owner wants addresses of this kind.
    SetMode(Ipv4Settings),
}

/// What must be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Send {
    /// A message to DHCP servers.
    Dhcp(Outgoing),
    /// An ARP packet.
    Arp(Arp),
}

/// The state of one link.
#[derive(Clone, Debug)]
pub struct Agent {
    mac: Mac,
    mode: Ipv4Settings,
    has_carrier: bool,
    dhcp: machine::State,
    /// Addresses being asked for or in use, and the detection of conflicts about each; none while there is no carrier.
    claims: BTreeMap<Ipv4Addr, Claim>,
    /// Addresses that other devices have, and when to try again.
    lost: BTreeMap<Ipv4Addr, Lost>,
    /// Since when there is a carrier but no lease.
    without_since: Option<Moment>,
    link_local: Option<Ipv4Addr>,
    link_local_conflicts: u32,
    link_local_not_before: Moment,
    watch: Option<Watch>,
}

#[derive(Clone, Copy, Debug)]
struct Claim {
    acd: Option<Acd>,
    is_usable: bool,
}

#[derive(Clone, Copy, Debug)]
struct Lost {
    rival: Mac,
    retry: Option<Moment>,
}

impl Agent {
    /// An agent for a link without carrier, which had this address before the start.
    #[must_use]
    pub const fn new(mac: Mac, mode: Ipv4Settings, remembered: Option<Ipv4Addr>) -> Self {
        Self {
            mac,
            mode,
            has_carrier: false,
            dhcp: machine::State::start(remembered),
            claims: BTreeMap::new(),
            lost: BTreeMap::new(),
            without_since: None,
            link_local: None,
            link_local_conflicts: 0,
            link_local_not_before: Moment::from_secs(0),
            watch: None,
        }
    }

    /// The DHCP client's state.
    #[must_use]
    pub const fn dhcp(&self) -> &machine::State {
        &self.dhcp
    }

    /// Whether ARP packets are of interest at all.
    #[must_use]
    pub fn listens(&self) -> bool {
        self.has_carrier && (!self.claims.is_empty() || self.watch.is_some())
    }

    /// Whether this ARP packet is of interest.
    #[must_use]
    pub fn heeds(&self, arp: &Arp) -> bool {
        self.claims.contains_key(&arp.sender)
            || self.claims.contains_key(&arp.target)
            || self.watch.is_some_and(|watch| watch.router() == arp.sender)
    }

    /// When [`Event::Timer`] is due.
    #[must_use]
    pub fn wake_at(&self) -> Option<Moment> {
        let claims = self.claims.values().filter_map(|claim| claim.acd.as_ref().and_then(Acd::wake_at));
        let retries = self.lost.values().filter_map(|lost| lost.retry).filter(|_| self.has_carrier);
        let others = [self.dhcp.wake_at(), self.link_local_due(), self.watch.map(|watch| watch.wake_at())];
        claims.chain(retries).chain(others.into_iter().flatten()).min()
    }

    /// What the link has.
    #[must_use]
    pub fn view(&self) -> View {
        let usable = |address: &Ipv4Addr| self.claims.get(address).is_some_and(|claim| claim.is_usable);
        let in_use = self.dhcp.lease().map(|lease| lease.terms.address);
        View {
            mode: self.mode.clone(),
            lease: self.dhcp.lease().cloned(),
            fixed: match &self.mode {
                Ipv4Settings::Static(fixed) => {
                    fixed.addresses.iter().filter(|own| usable(&own.address())).copied().collect()
                }
                Ipv4Settings::Dhcp | Ipv4Settings::Off => Vec::new(),
            },
            link_local: self.link_local.filter(usable),
            pending: self
                .claims
                .iter()
                .filter(|(address, claim)| !claim.is_usable && in_use != Some(**address))
                .map(|(address, _)| *address)
                .collect(),
            conflicts: self
                .lost
                .iter()
                .map(|(address, lost)| Conflict { address: *address, rival: lost.rival })
                .collect(),
            silent_router: self.watch.filter(|watch| !watch.answers()).map(|watch| watch.router()),
            is_unanswered: self.link_local.is_some(),
        }
    }

    /// Something happened; returns what must be sent, in order.
    pub fn step(&mut self, event: Event, at: Circumstances) -> Vec<Send> {
        let mut sends = Vec::new();
        match event {
            Event::LinkUp => self.gain_link(at, &mut sends),
            Event::LinkDown => self.lose_link(at, &mut sends),
            Event::Timer => self.wake(at, &mut sends),
            Event::Dhcp(reply) => self.tell_dhcp(machine::Event::Received(reply), at, &mut sends),
            Event::Arp(arp) => self.hear(&arp, at, &mut sends),
            Event::RenewNow => self.tell_dhcp(machine::Event::RenewNow, at, &mut sends),
            Event::SetMode(mode) => self.set_mode(mode, at, &mut sends),
        }
        self.settle(at);
        sends
    }

    fn gain_link(&mut self, at: Circumstances, sends: &mut Vec<Send>) {
        self.has_carrier = true;
        match &self.mode {
            Ipv4Settings::Dhcp => self.tell_dhcp(machine::Event::LinkUp, at, sends),
            Ipv4Settings::Static(fixed) => {
                for address in fixed.addresses.iter().map(|own| own.address()).collect::<Vec<_>>() {
                    self.claim(address, Pace::BRISK, at);
                }
            }
            Ipv4Settings::Off => {}
        }
    }

    /// Addresses stay: a cable that is pulled and put back does not end connections.
    fn lose_link(&mut self, at: Circumstances, sends: &mut Vec<Send>) {
        self.has_carrier = false;
        self.tell_dhcp(machine::Event::LinkDown, at, sends);
        for claim in self.claims.values_mut() {
            claim.acd = None;
        }
        self.claims.retain(|_, claim| claim.is_usable);
    }

    fn set_mode(&mut self, mode: Ipv4Settings, at: Circumstances, sends: &mut Vec<Send>) {
        if mode == self.mode {
            return;
        }
        if self.mode == Ipv4Settings::Dhcp {
            self.tell_dhcp(machine::Event::Release, at, sends);
        }
        self.lost.clear();
        let before = std::mem::replace(&mut self.mode, mode);
        if self.has_carrier {
            self.gain_link(at, sends);
        }
        tracing::info!(from = kind(&before), to = kind(&self.mode), "IPv4 of the link set");
    }

    fn wake(&mut self, at: Circumstances, sends: &mut Vec<Send>) {
        self.tell_dhcp(machine::Event::Timer, at, sends);
        for address in self.claims.keys().copied().collect::<Vec<_>>() {
            let Some(acd) = self.claims.get(&address).and_then(|claim| claim.acd) else {
                continue;
            };
            let (next, effects) = acd.wake(at);
            self.put_acd(address, next);
            self.carry_out(address, effects, at, sends);
        }
        let due = |lost: &Lost| lost.retry.is_some_and(|retry| at.now >= retry) && self.has_carrier;
        let again: Vec<Ipv4Addr> = self.lost.iter().filter(|(_, lost)| due(lost)).map(|(a, _)| *a).collect();
        for address in again {
            if let Some(lost) = self.lost.get_mut(&address) {
                lost.retry = None;
            }
            self.claim(address, Pace::BRISK, at);
        }
        if let Some(watch) = self.watch {
            let (watch, question) = watch.wake(at.now);
            self.watch = Some(watch);
            sends.extend(question.map(|(own, router)| Send::Arp(Arp::request(self.mac, own, router))));
        }
    }

    fn hear(&mut self, arp: &Arp, at: Circumstances, sends: &mut Vec<Send>) {
        // An announcement is about one address; told twice it would count as two conflicts.
        let target = (arp.target != arp.sender).then_some(arp.target);
        for address in [Some(arp.sender), target].into_iter().flatten() {
            if let Some(acd) = self.claims.get(&address).and_then(|claim| claim.acd) {
                let (next, effects) = acd.hear(arp, address, self.mac, at);
                self.put_acd(address, next);
                self.carry_out(address, effects, at, sends);
            }
        }
        self.watch = self.watch.map(|watch| watch.hear(arp, at.now));
    }

    /// Begins to ask for an address; what is in use stays so meanwhile.
    fn claim(&mut self, address: Ipv4Addr, pace: Pace, at: Circumstances) {
        let is_usable = self.claims.get(&address).is_some_and(|claim| claim.is_usable);
        self.claims.insert(address, Claim { acd: Some(Acd::begin(pace, at)), is_usable });
    }

    fn put_acd(&mut self, address: Ipv4Addr, acd: Acd) {
        if let Some(claim) = self.claims.get_mut(&address) {
            claim.acd = Some(acd);
        }
    }

    fn carry_out(
        &mut self,
        address: Ipv4Addr,
        effects: Vec<acd::Effect>,
        at: Circumstances,
        sends: &mut Vec<Send>,
    ) {
        for effect in effects {
            match effect {
                acd::Effect::Probe => sends.push(Send::Arp(Arp::probe(self.mac, address))),
                acd::Effect::Announce => sends.push(Send::Arp(Arp::announcement(self.mac, address))),
                acd::Effect::Usable => {
                    if let Some(claim) = self.claims.get_mut(&address) {
                        claim.is_usable = true;
                    }
                    self.lost.remove(&address);
                    self.tell_dhcp(machine::Event::Claimed(address), at, sends);
                }
                acd::Effect::Lost { rival } => {
                    tracing::warn!(%address, ?rival, "another device has the address");
                    self.claims.remove(&address);
                    self.lose(address, rival, at, sends);
                }
            }
        }
    }

    fn lose(&mut self, address: Ipv4Addr, rival: Mac, at: Circumstances, sends: &mut Vec<Send>) {
        if self.link_local == Some(address) {
            self.link_local = None;
            self.link_local_conflicts = self.link_local_conflicts.saturating_add(1);
            self.link_local_not_before = at.now + link_local::wait_after(self.link_local_conflicts);
            return;
        }
        let is_ours = self.is_fixed(address);
        if self.lost.len() >= MOST_LOST {
            self.lost.retain(|_, lost| lost.retry.is_some());
        }
        self.lost.insert(address, Lost { rival, retry: is_ours.then(|| at.now + RETRY) });
        self.tell_dhcp(machine::Event::Conflict(address), at, sends);
    }

    fn tell_dhcp(&mut self, event: machine::Event, at: Circumstances, sends: &mut Vec<Send>) {
        let state = std::mem::replace(&mut self.dhcp, machine::State::start(None));
        let (next, effects) = state.step(event, at);
        self.dhcp = next;
        for effect in effects {
            match effect {
                machine::Effect::Send(outgoing) => sends.push(Send::Dhcp(outgoing)),
                machine::Effect::Claim(address) => self.claim(address, Pace::BRISK, at),
                machine::Effect::Configure(_) => {
                    // What was refused before is of no interest once there is an address.
                    self.lost.retain(|_, lost| lost.retry.is_some());
                }
                machine::Effect::Unconfigure => {}
            }
        }
    }

    fn is_fixed(&self, address: Ipv4Addr) -> bool {
        matches!(&self.mode, Ipv4Settings::Static(fixed) if fixed.addresses.iter().any(|own| own.address() == address))
    }

    /// Brings what follows from the rest up to date.
    fn settle(&mut self, at: Circumstances) {
        let lease = self.dhcp.lease().map(|lease| lease.terms.address);
        let may_be_link_local = self.mode == Ipv4Settings::Dhcp && self.has_carrier && lease.is_none();
        if may_be_link_local {
            self.without_since.get_or_insert(at.now);
        } else {
            self.without_since = None;
            self.link_local = None;
        }
        if self.link_local_due().is_some_and(|due| at.now >= due) {
            let address = link_local::candidate(self.mac, self.link_local_conflicts);
            self.link_local = Some(address);
            self.claim(address, Pace::STANDARD, at);
        }
        let probed = self.dhcp.probed();
        let fixed: Vec<Ipv4Addr> =
            self.claims.keys().copied().filter(|address| self.is_fixed(*address)).collect();
        let link_local = self.link_local;
        self.claims.retain(|address, _| {
            let address = Some(*address);
            address == lease
                || address == probed
                || address == link_local
                || fixed.iter().any(|a| Some(*a) == address)
        });
        let target = self.has_carrier.then(|| self.router()).flatten();
        self.watch = target.map(|(own, router)| match self.watch {
            Some(watch) if watch.is_over(own, router) => watch,
            Some(_) | None => Watch::begin(own, router, at.now),
        });
    }

    /// When a link-local address is to be made up.
    fn link_local_due(&self) -> Option<Moment> {
        let is_wanted = self.link_local.is_none() && self.dhcp.probed().is_none();
        let since = self.without_since.filter(|_| is_wanted)?;
        Some((since + link_local::PATIENCE).max(self.link_local_not_before))
    }

    /// The address in use that reaches the router, and the router.
    fn router(&self) -> Option<(Ipv4Addr, Ipv4Addr)> {
        let view = self.view();
        let router = view.gateway()?;
        let own = match &self.mode {
            Ipv4Settings::Static(_) => view.fixed.iter().find(|own| own.contains(router))?.address(),
            Ipv4Settings::Dhcp => self.dhcp.lease().map(|Lease { terms, .. }| terms.address)?,
            Ipv4Settings::Off => return None,
        };
        Some((own, router))
    }
}

const fn kind(mode: &Ipv4Settings) -> &'static str {
    match mode {
        Ipv4Settings::Dhcp => "dhcp",
        Ipv4Settings::Static(_) => "static",
        Ipv4Settings::Off => "off",
    }
}

#[cfg(test)]
mod tests;
