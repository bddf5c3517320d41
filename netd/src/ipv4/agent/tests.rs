//! Stories of one link, told packet by packet.

use super::*;
use crate::dhcp::lease::Network;
use crate::dhcp::lease::Terms;
use crate::dhcp::lease::Times;
use crate::dhcp::lease::Via;
use crate::dhcp::machine::Answer;
use crate::dhcp::machine::Question;
use model::network::link_settings::StaticIpv4;
use proptest::prelude::Strategy;
use proptest::prelude::any;
use proptest::prelude::prop;
use proptest::proptest;

const OWN: Mac = [0x52, 0x54, 0, 0, 0, 1];
const RIVAL: Mac = [0x52, 0x54, 0, 0, 0, 2];
const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 50);
const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);

/// An agent and its clock.
struct Story {
    agent: Agent,
    now: Moment,
    sent: Vec<Send>,
}

impl Story {
    fn new(mode: Ipv4Settings, remembered: Option<Ipv4Addr>) -> Self {
        Self { agent: Agent::new(OWN, mode, remembered), now: Moment::from_secs(0), sent: Vec::new() }
    }

    fn tell(&mut self, event: Event) {
        let at = Circumstances { now: self.now, random: 0x1234_5678_0000_03e8 };
        self.sent.extend(self.agent.step(event, at));
    }

    /// Serves every timer until this many seconds have passed.
    fn pass(&mut self, seconds: u64) {
        let end = self.now + Duration::from_secs(seconds);
        for _ in 0..10_000 {
            match self.agent.wake_at() {
                Some(due) if due <= end => {
                    self.now = self.now.max(due);
                    self.tell(Event::Timer);
                }
                _ => {
                    self.now = end;
                    return;
                }
            }
        }
        panic!("the agent never sleeps");
    }

    fn xid(&self) -> u32 {
        self.sent
            .iter()
            .rev()
            .find_map(|send| match send {
                Send::Dhcp(outgoing) => Some(outgoing.xid),
                Send::Arp(_) => None,
            })
            .unwrap()
    }

    fn answer(&mut self, answer: Answer) {
        let xid = self.xid();
        self.tell(Event::Dhcp(Reply { xid, server: Some(ROUTER), answer }));
    }

    fn granted(mut self) -> Self {
        self.tell(Event::LinkUp);
        self.answer(Answer::Offer(terms(ADDRESS)));
        self.answer(Answer::Ack(terms(ADDRESS)));
        self
    }

    fn questions(&self) -> Vec<Question> {
        self.sent
            .iter()
            .filter_map(|send| match send {
                Send::Dhcp(outgoing) => Some(outgoing.question),
                Send::Arp(_) => None,
            })
            .collect()
    }

    fn arps(&self, wanted: Arp) -> usize {
        self.sent.iter().filter(|send| **send == Send::Arp(wanted)).count()
    }
}

fn terms(address: Ipv4Addr) -> Terms {
    Terms {
        address,
        prefix: 24,
        routes: vec![Via { destination: Network::DEFAULT, gateway: Some(ROUTER) }],
        dns: Vec::new(),
        domain: None,
        ntp: Vec::new(),
        mtu: None,
        times: Times::new(Duration::from_secs(86_400), None, None),
    }
}

fn fixed(addresses: &[&str]) -> Ipv4Settings {
    let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
    Ipv4Settings::Static(StaticIpv4 { addresses, gateway: Some(ROUTER) })
}

#[test]
fn a_lease_is_probed_before_it_is_used_and_announced_after() {
    let mut story = Story::new(Ipv4Settings::Dhcp, None).granted();
    assert_eq!(story.agent.view().lease, None);
    assert_eq!(story.agent.view().pending, [ADDRESS]);
    story.pass(5);
    let view = story.agent.view();
    assert_eq!((view.lease.unwrap().terms.address, view.pending), (ADDRESS, vec![]));
    assert_eq!(story.arps(Arp::probe(OWN, ADDRESS)), 3);
    assert_eq!(story.arps(Arp::announcement(OWN, ADDRESS)), 2);
}

#[test]
fn an_address_that_somebody_has_is_declined_and_shown() {
    let mut story = Story::new(Ipv4Settings::Dhcp, None).granted();
    story.tell(Event::Arp(Arp::announcement(RIVAL, ADDRESS)));
    assert!(matches!(story.questions().last(), Some(Question::Decline { address: ADDRESS, .. })));
    assert_eq!(story.agent.view().conflicts, [Conflict { address: ADDRESS, rival: RIVAL }]);
    let before = story.questions().len();
    story.pass(9);
    assert_eq!(story.questions().len(), before, "ten seconds of silence");
    story.pass(3);
    let other = Ipv4Addr::new(10, 0, 0, 51);
    story.answer(Answer::Offer(terms(other)));
    story.answer(Answer::Ack(terms(other)));
    story.pass(3);
    let view = story.agent.view();
    assert_eq!((view.lease.unwrap().terms.address, view.conflicts), (other, vec![]));
}

#[test]
fn a_lease_is_defended_once_and_then_given_up() {
    let mut story = Story::new(Ipv4Settings::Dhcp, None).granted();
    story.pass(10);
    story.tell(Event::Arp(Arp::announcement(RIVAL, ADDRESS)));
    assert_eq!(story.arps(Arp::announcement(OWN, ADDRESS)), 3, "a defence");
    assert!(story.agent.view().lease.is_some());
    story.pass(5);
    story.tell(Event::Arp(Arp::request(RIVAL, ADDRESS, ROUTER)));
    assert_eq!(story.agent.view().lease, None);
    assert!(matches!(story.questions().last(), Some(Question::Decline { .. })));
}

#[test]
fn a_server_that_offers_only_what_others_have_fills_no_memory() {
    let mut story = Story::new(Ipv4Settings::Dhcp, None);
    story.tell(Event::LinkUp);
    for host in 1..=200 {
        let offered = Ipv4Addr::new(10, 0, 1, host);
        story.answer(Answer::Offer(terms(offered)));
        story.answer(Answer::Ack(terms(offered)));
        story.tell(Event::Arp(Arp::announcement(RIVAL, offered)));
        assert!(story.agent.view().conflicts.contains(&Conflict { address: offered, rival: RIVAL }));
        story.pass(12);
    }
    assert!(story.agent.view().conflicts.len() <= MOST_LOST);
}

#[test]
fn without_an_answer_the_link_gets_an_address_of_its_own_until_a_lease_comes() {
    let mut story = Story::new(Ipv4Settings::Dhcp, None);
    story.tell(Event::LinkUp);
    story.pass(9);
    assert_eq!(story.agent.view(), View::default());
    story.pass(10);
    let made_up = link_local::candidate(OWN, 0);
    let view = story.agent.view();
    assert_eq!((view.link_local, view.is_unanswered), (Some(made_up), true));
    assert_eq!(story.arps(Arp::probe(OWN, made_up)), 3);
    story.tell(Event::Arp(Arp::announcement(RIVAL, made_up)));
    assert_eq!(story.agent.view().link_local, Some(made_up), "defended");
    story.tell(Event::Arp(Arp::announcement(RIVAL, made_up)));
    assert_eq!(story.agent.view().link_local, None, "lost to a rival");
    story.pass(10);
    assert_eq!(story.agent.view().link_local, Some(link_local::candidate(OWN, 1)));
    story.pass(100);
    story.answer(Answer::Offer(terms(ADDRESS)));
    story.answer(Answer::Ack(terms(ADDRESS)));
    assert!(story.agent.view().link_local.is_some(), "until the lease is sure");
    story.pass(3);
    let view = story.agent.view();
    assert_eq!((view.link_local, view.is_unanswered, view.lease.is_some()), (None, false, true));
}

#[test]
fn a_house_full_of_rivals_is_tried_slowly() {
    let mut story = Story::new(Ipv4Settings::Dhcp, None);
    story.tell(Event::LinkUp);
    for _ in 0..600 {
        story.pass(1);
        for address in story.agent.view().pending {
            story.tell(Event::Arp(Arp::announcement(RIVAL, address)));
        }
    }
    let conflicts = story.agent.link_local_conflicts;
    assert!((10..30).contains(&conflicts), "{conflicts} in ten minutes");
}

#[test]
fn a_remembered_address_is_asked_for_first() {
    let mut story = Story::new(Ipv4Settings::Dhcp, Some(ADDRESS));
    story.tell(Event::LinkUp);
    assert_eq!(story.questions(), [Question::Reboot { address: ADDRESS }]);
    story.answer(Answer::Ack(terms(ADDRESS)));
    story.pass(3);
    assert!(story.agent.view().lease.is_some());
}

#[test]
fn addresses_of_the_owner_are_probed_kept_without_a_cable_and_lost_to_a_rival() {
    let mut story = Story::new(fixed(&["10.0.0.50/24", "10.0.0.51/24"]), None);
    story.tell(Event::LinkUp);
    assert_eq!((story.agent.view().fixed.len(), story.agent.view().pending.len()), (0, 2));
    story.tell(Event::Arp(Arp::announcement(RIVAL, ADDRESS)));
    story.pass(3);
    let view = story.agent.view();
    assert_eq!(view.fixed, ["10.0.0.51/24".parse().unwrap()]);
    assert_eq!(view.conflicts, [Conflict { address: ADDRESS, rival: RIVAL }]);
    assert_eq!(view.gateway(), Some(ROUTER));
    story.tell(Event::LinkDown);
    assert_eq!(story.agent.view().fixed.len(), 1, "the cable being out ends no connection");
    story.tell(Event::LinkUp);
    assert_eq!(story.agent.view().fixed.len(), 1, "nor does asking again");
    story.pass(70);
    let view = story.agent.view();
    assert_eq!((view.fixed.len(), view.conflicts.len()), (2, 0), "the rival has gone");
    assert!(story.questions().is_empty(), "no word to DHCP servers");
}

#[test]
fn a_change_of_mind_gives_the_lease_back_and_keeps_what_stays() {
    let mut story = Story::new(Ipv4Settings::Dhcp, None).granted();
    story.pass(5);
    story.tell(Event::SetMode(fixed(&["10.0.0.60/24"])));
    assert_eq!(story.questions().last(), Some(&Question::Release { address: ADDRESS, server: ROUTER }));
    assert_eq!(story.agent.view().lease, None);
    story.pass(3);
    assert_eq!(story.agent.view().fixed.len(), 1);
    story.tell(Event::SetMode(fixed(&["10.0.0.60/24", "10.0.0.61/24"])));
    assert_eq!(story.agent.view().fixed.len(), 1, "the first one stays in use");
    story.pass(3);
    assert_eq!(story.agent.view().fixed.len(), 2);
    story.tell(Event::SetMode(Ipv4Settings::Off));
    story.pass(100);
    assert_eq!(story.agent.view(), View { mode: Ipv4Settings::Off, ..View::default() });
    story.tell(Event::SetMode(Ipv4Settings::Dhcp));
    assert_eq!(story.questions().last(), Some(&Question::Discover { wish: None }));
}

#[test]
fn a_router_that_falls_silent_is_noticed_and_so_is_its_return() {
    let mut story = Story::new(Ipv4Settings::Dhcp, None).granted();
    story.pass(2);
    let router = Event::Arp(Arp::announcement(RIVAL, ROUTER));
    story.tell(router.clone());
    story.pass(29);
    assert_eq!(story.agent.view().silent_router, None);
    story.pass(20);
    assert_eq!(story.agent.view().silent_router, Some(ROUTER));
    assert!(story.arps(Arp::request(OWN, ADDRESS, ROUTER)) >= 4);
    story.tell(router);
    assert_eq!(story.agent.view().silent_router, None);
    story.tell(Event::LinkDown);
    story.pass(300);
    assert_eq!(story.agent.view().silent_router, None, "nobody is asked without a cable");
}

#[test]
fn only_packets_about_addresses_in_question_are_heeded() {
    let mut story = Story::new(Ipv4Settings::Dhcp, None);
    assert!(!story.agent.listens());
    story = story.granted();
    assert!(story.agent.listens());
    story.pass(5);
    let other = Ipv4Addr::new(10, 0, 0, 99);
    assert!(story.agent.heeds(&Arp::announcement(RIVAL, ADDRESS)));
    assert!(story.agent.heeds(&Arp::request(RIVAL, ROUTER, other)));
    assert!(!story.agent.heeds(&Arp::request(RIVAL, other, other)));
}

#[derive(Clone, Debug)]
enum Happening {
    LinkUp,
    LinkDown,
    Answer(u8),
    Arp(u8, bool),
    Renew,
    Mode(u8),
}

fn any_happening() -> impl Strategy<Value = Happening> {
    (0_u8..6, any::<u8>(), any::<bool>()).prop_map(|(kind, number, flag)| match kind {
        0 => Happening::LinkUp,
        1 => Happening::LinkDown,
        2 => Happening::Answer(number),
        3 => Happening::Arp(number, flag),
        4 => Happening::Renew,
        _ => Happening::Mode(number),
    })
}

proptest! {
    /// Whatever happens: no address is in use that was not probed, none of another mode, and the agent sleeps between events.
    #[test]
    fn histories_keep_the_invariants(history in prop::collection::vec((any_happening(), 0_u64..40), 1..50)) {
        let mut story = Story::new(Ipv4Settings::Dhcp, None);
        for (happening, passed) in history {
            story.pass(passed);
            match happening {
                Happening::LinkUp => story.tell(Event::LinkUp),
                Happening::LinkDown => story.tell(Event::LinkDown),
                Happening::Answer(number) if !story.questions().is_empty() => {
                    let terms = terms(Ipv4Addr::new(10, 0, 0, 50 + number % 3));
                    story.answer(match number % 5 {
                        0 => Answer::Nak,
                        1 | 2 => Answer::Offer(terms),
                        _ => Answer::Ack(terms),
                    });
                }
                Happening::Answer(_) => {}
                Happening::Arp(number, is_probe) => {
                    let address = match number % 4 {
                        3 => link_local::candidate(OWN, 0),
                        number => Ipv4Addr::new(10, 0, 0, 50 + number),
                    };
                    let arp = if is_probe { Arp::probe(RIVAL, address) } else { Arp::announcement(RIVAL, address) };
                    story.tell(Event::Arp(arp));
                }
                Happening::Renew => story.tell(Event::RenewNow),
                Happening::Mode(number) => story.tell(Event::SetMode(match number % 3 {
                    0 => Ipv4Settings::Dhcp,
                    1 => fixed(&["10.0.0.50/24", "10.0.0.51/24"]),
                    _ => Ipv4Settings::Off,
                })),
            }
            let view = story.agent.view();
            let leased = view.lease.iter().map(|lease| lease.terms.address);
            let in_use = leased.chain(view.fixed.iter().map(|own| own.address())).chain(view.link_local);
            for address in in_use {
                assert!(story.arps(Arp::probe(OWN, address)) >= 3, "{address} was not probed");
            }
            match view.mode {
                Ipv4Settings::Dhcp => assert!(view.fixed.is_empty()),
                Ipv4Settings::Static(_) => assert!(view.lease.is_none() && view.link_local.is_none()),
                Ipv4Settings::Off => assert!(view.lease.is_none() && view.fixed.is_empty() && view.link_local.is_none()),
            }
            assert!(!(view.lease.is_some() && view.link_local.is_some()));
        }
        story.pass(1000);
    }
}
