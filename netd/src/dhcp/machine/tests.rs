//! Every pair of state and event, the waits between messages, and random histories.

use super::exchange::jitter;
use super::step::REBOOT_ATTEMPTS;
use super::step::REQUEST_ATTEMPTS;
use super::*;
use crate::dhcp::lease::Network;
use crate::dhcp::lease::Times;
use crate::dhcp::lease::Via;
use proptest::prelude::Just;
use proptest::prelude::Strategy;
use proptest::prelude::any;
use proptest::prelude::prop;
use proptest::prelude::prop_oneof;
use proptest::proptest;

const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const OTHER_SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 9);
const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 50);
const XID: u32 = 0x1234_5678;
/// Jitter of 1000 ms, which is none: waits are exact in these tests.
const RANDOM: u64 = ((XID as u64) << 32) | 1000;

fn at(seconds: u64) -> Circumstances {
    Circumstances { now: Moment::from_secs(seconds), random: RANDOM }
}

fn terms() -> Terms {
    Terms {
        address: ADDRESS,
        prefix: 24,
        routes: vec![Via { destination: Network::DEFAULT, gateway: Some(SERVER) }],
        dns: vec![SERVER],
        domain: None,
        ntp: Vec::new(),
        mtu: None,
        times: Times::new(Duration::from_secs(800), None, None),
    }
}

/// T1 at 400 s, T2 at 700 s, end at 800 s.
fn lease() -> Lease {
    Lease { terms: terms(), server: SERVER, since: Moment::from_secs(0) }
}

fn exchange(next: u64) -> Exchange {
    Exchange {
        xid: XID,
        began: Moment::from_secs(0),
        sent: 1,
        asked: Moment::from_secs(0),
        next: Moment::from_secs(next),
    }
}

fn reply(answer: Answer) -> Event {
    Event::Received(Reply { xid: XID, server: Some(SERVER), answer })
}

fn question(effects: &[Effect]) -> Option<Question> {
    effects.iter().find_map(|effect| match effect {
        Effect::Send(outgoing) => Some(outgoing.question),
        Effect::Configure(_) | Effect::Unconfigure | Effect::Claim(_) => None,
    })
}

fn states() -> Vec<State> {
    let (exchange, kept) = (exchange(10), Some(lease()));
    let selecting = |kept| State::Selecting { exchange: exchange.clone(), kept, wish: None };
    let requesting =
        |kept| State::Requesting { exchange: exchange.clone(), address: ADDRESS, server: SERVER, kept };
    let rebooting = |kept| State::Rebooting { exchange: exchange.clone(), address: ADDRESS, kept };
    vec![
        State::start(None),
        State::start(Some(ADDRESS)),
        State::Down { lease: kept.clone(), remembered: None },
        selecting(None),
        selecting(kept.clone()),
        requesting(None),
        requesting(kept.clone()),
        rebooting(None),
        rebooting(kept.clone()),
        State::Probing { lease: lease(), kept: None },
        State::Probing { lease: lease(), kept: kept.clone() },
        State::Bound { lease: lease() },
        State::Renewing { exchange: exchange.clone(), lease: lease() },
        State::Rebinding { exchange: exchange.clone(), lease: lease() },
    ]
}

fn word(state: &State) -> &'static str {
    match state {
        State::Down { lease: None, remembered: None } => "down",
        State::Down { lease: None, remembered: Some(_) } => "down*",
        State::Down { lease: Some(_), .. } => "down+",
        State::Selecting { kept: None, .. } => "selecting",
        State::Selecting { kept: Some(_), .. } => "selecting+",
        State::Requesting { kept: None, .. } => "requesting",
        State::Requesting { kept: Some(_), .. } => "requesting+",
        State::Rebooting { kept: None, .. } => "rebooting",
        State::Rebooting { kept: Some(_), .. } => "rebooting+",
        State::Probing { kept: None, .. } => "probing",
        State::Probing { kept: Some(_), .. } => "probing+",
        State::Bound { .. } => "bound",
        State::Renewing { .. } => "renewing",
        State::Rebinding { .. } => "rebinding",
    }
}

fn effects_word(effects: &[Effect]) -> String {
    effects
        .iter()
        .map(|effect| match effect {
            Effect::Send(Outgoing { question, .. }) => match question {
                Question::Discover { wish: None } => "discover",
                Question::Discover { wish: Some(_) } => "discover-wish",
                Question::Select { .. } => "select",
                Question::Reboot { .. } => "reboot",
                Question::Renew { .. } => "renew",
                Question::Rebind { .. } => "rebind",
                Question::Decline { .. } => "decline",
                Question::Release { .. } => "release",
            },
            Effect::Claim(_) => "claim",
            Effect::Configure(_) => "configure",
            Effect::Unconfigure => "unconfigure",
        })
        .collect::<Vec<_>>()
        .join(" ")
}

/// One row per state of [`states`], one column per event; each cell is the next state and what is done. The `+` says that a lease
/// from before is still configured, the `*` that an address is remembered.
#[test]
fn every_pair_of_state_and_event() {
    let early = 5;
    let due = 20;
    let columns: [(&str, Event, u64); 14] = [
        ("link up", Event::LinkUp, early),
        ("link down", Event::LinkDown, early),
        ("timer early", Event::Timer, early),
        ("timer due", Event::Timer, due),
        ("timer after the end", Event::Timer, 801),
        ("offer", reply(Answer::Offer(terms())), early),
        ("ack", reply(Answer::Ack(terms())), early),
        ("nak", reply(Answer::Nak), early),
        ("renew now", Event::RenewNow, early),
        ("claimed", Event::Claimed(ADDRESS), early),
        ("conflict", Event::Conflict(ADDRESS), early),
        ("claimed other", Event::Claimed(SERVER), early),
        ("conflict of other", Event::Conflict(SERVER), early),
        ("release", Event::Release, early),
    ];
    let same = "same";
    #[rustfmt::skip]
    let table: [(&str, [&str; 14]); 14] = [
        ("down",        ["selecting: discover", "down: ", same, same, same, same, same, same, same, same, same, same, same, "down: "]),
        ("down*",       ["rebooting: reboot", "down*: ", same, same, same, same, same, same, same, same, same, same, same, "down: "]),
        ("down+",       ["rebooting+: reboot", "down+: ", same, same, "down: unconfigure", same, same, same, same, same, same, same, same, "down: unconfigure"]),
        ("selecting",   [same, "down: ", same, "selecting: discover", "selecting: discover", "requesting: select", same, same, "selecting: discover", same, same, same, same, "down: "]),
        ("selecting+",  [same, "down+: ", same, "selecting+: discover", "selecting: unconfigure", "requesting+: select", same, same, "selecting+: discover", same, "selecting: unconfigure decline", same, same, "down: release unconfigure"]),
        ("requesting",  [same, "down: ", same, "requesting: select", "requesting: select", same, "probing: claim", "selecting: ", "selecting: discover", same, same, same, same, "down: "]),
        ("requesting+", [same, "down+: ", same, "requesting+: select", "requesting: unconfigure", same, "probing+: claim", "selecting+: ", "selecting+: discover", same, "selecting: unconfigure decline", same, same, "down: release unconfigure"]),
        ("rebooting",   [same, "down*: ", same, "rebooting: reboot", "rebooting: reboot", same, "probing: claim", "selecting: discover", "rebooting: reboot", same, same, same, same, "down: "]),
        ("rebooting+",  [same, "down+: ", same, "rebooting+: reboot", "selecting: unconfigure discover", same, "probing+: claim", "selecting: unconfigure discover", "rebooting+: reboot", same, "selecting: unconfigure decline", same, same, "down: release unconfigure"]),
        ("probing",     [same, "down*: ", same, same, "selecting: discover", same, same, same, same, "bound: configure", "selecting: decline", same, same, "down: "]),
        ("probing+",    [same, "down+: ", same, same, "selecting: unconfigure discover", same, same, same, same, "bound: configure", "selecting: unconfigure decline", same, same, "down: release unconfigure"]),
        ("bound",       [same, "down+: ", same, same, "selecting: unconfigure discover", same, same, same, "renewing: renew", same, "selecting: unconfigure decline", same, same, "down: release unconfigure"]),
        ("renewing",    [same, "down+: ", same, "renewing: renew", "selecting: unconfigure discover", same, "bound: configure", "selecting: unconfigure discover", "renewing: renew", same, "selecting: unconfigure decline", same, same, "down: release unconfigure"]),
        ("rebinding",   [same, "down+: ", same, "rebinding: rebind", "selecting: unconfigure discover", same, "bound: configure", "selecting: unconfigure discover", "rebinding: rebind", same, "selecting: unconfigure decline", same, same, "down: release unconfigure"]),
    ];
    for (state, (row, cells)) in states().into_iter().zip(table) {
        assert_eq!(word(&state), row);
        for ((column, event, seconds), cell) in columns.iter().zip(cells) {
            let (next, effects) = state.clone().step(event.clone(), at(*seconds));
            if cell == same {
                assert_eq!((&next, effects.as_slice()), (&state, [].as_slice()), "{row} × {column}");
            } else {
                assert_eq!(format!("{}: {}", word(&next), effects_word(&effects)), cell, "{row} × {column}");
            }
        }
    }
}

#[test]
fn a_lease_is_acquired_renewed_and_rebound_at_its_times() {
    let (state, effects) = State::start(None).step(Event::LinkUp, at(0));
    assert_eq!(question(&effects), Some(Question::Discover { wish: None }));
    let (state, effects) = state.step(reply(Answer::Offer(terms())), at(1));
    assert_eq!(question(&effects), Some(Question::Select { address: ADDRESS, server: SERVER }));
    let (state, effects) = state.step(reply(Answer::Ack(terms())), at(3));
    assert_eq!(effects, [Effect::Claim(ADDRESS)]);
    let (state, effects) = state.step(Event::Claimed(ADDRESS), at(4));
    let lease = Lease { since: Moment::from_secs(1), ..lease() };
    assert_eq!(effects, [Effect::Configure(lease)], "the lease runs from the request, not from the answer");
    assert_eq!(state.wake_at(), Some(Moment::from_secs(401)));
    let (state, effects) = state.step(Event::Timer, at(401));
    assert_eq!(question(&effects), Some(Question::Renew { address: ADDRESS, server: SERVER }));
    assert_eq!(state.wake_at(), Some(Moment::from_secs(401 + 150)), "half of the time until T2");
    let (state, effects) = state.step(Event::Timer, at(701));
    assert_eq!(question(&effects), Some(Question::Rebind { address: ADDRESS }));
    assert_eq!(state.wake_at(), Some(Moment::from_secs(761)), "no two messages within a minute");
    let (state, effects) = state.step(Event::Timer, at(801));
    assert_eq!(effects_word(&effects), "unconfigure discover");
    assert_eq!(state.lease(), None);
}

#[test]
fn waits_double_up_to_the_longest() {
    let (mut state, _) = State::start(None).step(Event::LinkUp, at(0));
    let mut waits = Vec::new();
    let mut now = Moment::from_secs(0);
    for _ in 0..8 {
        let due = state.wake_at().unwrap();
        waits.push(due.since(now).as_secs());
        now = due;
        state = state.step(Event::Timer, Circumstances { now, random: RANDOM }).0;
    }
    assert_eq!(waits, [2, 4, 8, 16, 32, 64, 64, 64]);
}

#[test]
fn jitter_moves_a_wait_by_at_most_a_second() {
    for random in [0, 1, 999, 1000, 2000, 2001, u64::MAX] {
        let moved = jitter(Duration::from_secs(4), random);
        assert!((Duration::from_secs(3)..=Duration::from_secs(5)).contains(&moved), "{random}: {moved:?}");
    }
}

#[test]
fn an_offer_that_is_never_acknowledged_is_dropped_for_a_new_search() {
    let mut state = State::Requesting { exchange: exchange(2), address: ADDRESS, server: SERVER, kept: None };
    let mut requests = 1;
    let mut now = 2;
    loop {
        let (next, effects) = state.step(Event::Timer, at(now));
        state = next;
        match question(&effects) {
            Some(Question::Select { .. }) => requests += 1,
            Some(Question::Discover { .. }) => break,
            other => panic!("unexpected {other:?}"),
        }
        now += 100;
    }
    assert_eq!(requests, REQUEST_ATTEMPTS);
}

#[test]
fn a_reboot_without_answer_keeps_the_lease_and_searches() {
    let state = State::Rebooting {
        exchange: Exchange { sent: REBOOT_ATTEMPTS, ..exchange(10) },
        address: ADDRESS,
        kept: Some(lease()),
    };
    let (state, effects) = state.step(Event::Timer, at(20));
    assert_eq!(question(&effects), Some(Question::Discover { wish: Some(ADDRESS) }));
    assert_eq!(state.lease(), Some(&lease()), "the address stays until another is granted or the lease ends");
}

#[test]
fn a_denied_request_is_not_repeated_at_once() {
    let state = State::Requesting { exchange: exchange(10), address: ADDRESS, server: SERVER, kept: None };
    let (state, effects) = state.step(reply(Answer::Nak), at(5));
    assert_eq!(effects, []);
    assert_eq!(state.wake_at(), Some(Moment::from_secs(7)));
}

#[test]
fn a_refused_address_is_declined_and_nothing_is_asked_for_ten_seconds() {
    for random in [0, RANDOM, u64::MAX] {
        let state = State::Probing { lease: lease(), kept: None };
        let (state, effects) = state.step(Event::Conflict(ADDRESS), Circumstances { random, ..at(5) });
        assert_eq!(question(&effects), Some(Question::Decline { address: ADDRESS, server: SERVER }));
        let due = state.wake_at().unwrap();
        assert!((10..=12).contains(&due.since(Moment::from_secs(5)).as_secs()), "{due:?}");
        let (_, effects) = state.step(Event::Timer, Circumstances { now: due, random });
        assert_eq!(question(&effects), Some(Question::Discover { wish: None }), "not the same one again");
    }
}

#[test]
fn another_address_at_renewal_is_probed_while_the_old_one_is_kept() {
    let other = Terms { address: Ipv4Addr::new(10, 0, 0, 51), ..terms() };
    let state = State::Renewing { exchange: exchange(10), lease: lease() };
    let (state, effects) = state.step(reply(Answer::Ack(other.clone())), at(5));
    assert_eq!((effects_word(&effects).as_str(), state.lease()), ("claim", Some(&lease())));
    let (refused, effects) = state.clone().step(Event::Conflict(other.address), at(6));
    assert_eq!((effects_word(&effects).as_str(), refused.lease()), ("decline", Some(&lease())));
    let (bound, _) = state.step(Event::Claimed(other.address), at(6));
    assert_eq!(bound.lease().unwrap().terms, other);
}

#[test]
fn a_confirmation_without_a_server_needs_a_lease_that_names_it() {
    let nameless = Event::Received(Reply { xid: XID, server: None, answer: Answer::Ack(terms()) });
    let fresh = State::Rebooting { exchange: exchange(10), address: ADDRESS, kept: None };
    assert_eq!(fresh.clone().step(nameless.clone(), at(5)), (fresh, Vec::new()));
    let known = State::Rebooting { exchange: exchange(10), address: ADDRESS, kept: Some(lease()) };
    assert!(matches!(known.step(nameless, at(5)).0, State::Probing { .. }));
}

#[test]
fn answers_to_another_exchange_or_from_another_server_are_ignored() {
    for state in states() {
        for answer in [Answer::Offer(terms()), Answer::Ack(terms()), Answer::Nak] {
            let stranger = Event::Received(Reply { xid: XID ^ 1, server: Some(SERVER), answer });
            assert_eq!(state.clone().step(stranger, at(5)), (state.clone(), Vec::new()));
        }
    }
    let requesting =
        State::Requesting { exchange: exchange(10), address: ADDRESS, server: SERVER, kept: None };
    let foreign =
        Event::Received(Reply { xid: XID, server: Some(OTHER_SERVER), answer: Answer::Ack(terms()) });
    assert_eq!(requesting.clone().step(foreign, at(5)), (requesting, Vec::new()));
}

#[test]
fn an_offer_without_a_server_is_ignored() {
    let state = State::Selecting { exchange: exchange(10), kept: None, wish: None };
    let nameless = Event::Received(Reply { xid: XID, server: None, answer: Answer::Offer(terms()) });
    assert_eq!(state.clone().step(nameless, at(5)), (state, Vec::new()));
}

#[test]
fn a_lease_for_ever_never_wakes_the_client() {
    let lease = Lease { terms: Terms { times: None, ..terms() }, ..lease() };
    assert_eq!(State::Bound { lease }.wake_at(), None);
}

fn any_terms() -> impl Strategy<Value = Terms> {
    (any::<u8>(), prop::option::of(4_u64..5000)).prop_map(|(host, length)| Terms {
        address: Ipv4Addr::new(10, 0, 0, host),
        times: length.and_then(|length| Times::new(Duration::from_secs(length), None, None)),
        ..terms()
    })
}

fn any_answer() -> impl Strategy<Value = Answer> {
    prop_oneof![any_terms().prop_map(Answer::Offer), any_terms().prop_map(Answer::Ack), Just(Answer::Nak)]
}

#[derive(Clone, Debug)]
enum Happening {
    Plain(Event),
    AnswerToTheExchange(Answer),
    WakeWhenDue,
    OutcomeOfTheProbe(bool),
}

fn any_happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        Just(Happening::Plain(Event::LinkUp)),
        Just(Happening::Plain(Event::LinkDown)),
        Just(Happening::Plain(Event::Timer)),
        Just(Happening::Plain(Event::RenewNow)),
        (any::<u32>(), any_answer()).prop_map(|(xid, answer)| Happening::Plain(Event::Received(Reply {
            xid,
            server: None,
            answer
        }))),
        any_answer().prop_map(Happening::AnswerToTheExchange),
        Just(Happening::WakeWhenDue),
        Just(Happening::Plain(Event::Release)),
        any::<u8>().prop_map(|host| Happening::Plain(Event::Claimed(Ipv4Addr::new(10, 0, 0, host)))),
        any::<u8>().prop_map(|host| Happening::Plain(Event::Conflict(Ipv4Addr::new(10, 0, 0, host)))),
        any::<bool>().prop_map(Happening::OutcomeOfTheProbe),
    ]
}

fn xid_of(state: &State) -> u32 {
    match state {
        State::Down { .. } | State::Probing { .. } | State::Bound { .. } => 0,
        State::Selecting { exchange, .. }
        | State::Requesting { exchange, .. }
        | State::Rebooting { exchange, .. }
        | State::Renewing { exchange, .. }
        | State::Rebinding { exchange, .. } => exchange.xid,
    }
}

proptest! {
    /// Whatever happens: what is configured is what the state holds, a lease that has ended is given up when the timer is served,
    /// and a client with a carrier always has something to wait for.
    #[test]
    fn histories_keep_the_invariants(history in prop::collection::vec((any_happening(), 0_u64..900, any::<u64>()), 1..60)) {
        let mut state = State::start(None);
        let mut configured: Option<Lease> = None;
        let mut now = Moment::from_secs(0);
        for (happening, passed, random) in history {
            let event = match happening {
                Happening::Plain(event) => event,
                Happening::AnswerToTheExchange(answer) => {
                    Event::Received(Reply { xid: xid_of(&state), server: Some(SERVER), answer })
                }
                Happening::OutcomeOfTheProbe(is_free) => {
                    let address = state.probed().or_else(|| state.lease().map(|lease| lease.terms.address));
                    let address = address.unwrap_or(ADDRESS);
                    if is_free { Event::Claimed(address) } else { Event::Conflict(address) }
                }
                Happening::WakeWhenDue => {
                    now = state.wake_at().map_or(now, |due| due.max(now));
                    Event::Timer
                }
            };
            now = now + Duration::from_secs(passed);
            let served_timer = event == Event::Timer;
            let (next, effects) = state.step(event, Circumstances { now, random });
            state = next;
            for effect in effects {
                match effect {
                    Effect::Configure(lease) => configured = Some(lease),
                    Effect::Unconfigure => configured = None,
                    Effect::Send(_) => {}
                    Effect::Claim(address) => assert_eq!(state.probed(), Some(address)),
                }
            }
            assert_eq!(state.lease(), configured.as_ref());
            if served_timer {
                assert!(configured.as_ref().is_none_or(|lease| !lease.has_ended(now)), "{state:?}");
            }
            let may_sleep = state.is_idle();
            assert!(may_sleep || state.wake_at().is_some(), "{state:?}");
        }
    }
}
