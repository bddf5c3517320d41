//! Every pair of state and event, stories, and random histories.

use super::step::DECLINE_ATTEMPTS;
use super::step::REQUEST_ATTEMPTS;
use super::*;
use crate::dhcp::machine::Circumstances;
use proptest::prelude::Just;
use proptest::prelude::Strategy;
use proptest::prelude::any;
use proptest::prelude::prop;
use proptest::prelude::prop_oneof;
use proptest::proptest;

const SERVER: [u8; 2] = [9, 9];
const XID: u32 = 0x12_3456;
/// No spread and no delay: waits are exact in these tests.
const RANDOM: u64 = (XID as u64) << 40;

fn at(seconds: u64) -> Circumstances {
    Circumstances { now: Moment::from_secs(seconds), random: RANDOM }
}

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn address(last: u16) -> Ipv6Addr {
    Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last)
}

fn held(last: u16, valid: u64) -> Held {
    Held { address: address(last), preferred: Some(s(valid / 2)), valid: Some(s(valid)) }
}

/// T1 at 400 s, T2 at 640 s, end at 1600 s.
fn lease() -> Lease {
    Lease::new(SERVER.to_vec(), vec![held(5, 1600)], (Some(s(0)), Some(s(0))), Moment::from_secs(0))
}

fn reply(is_advertise: bool, status: Status, grant: Option<Grant>) -> Reply {
    Reply {
        xid: XID,
        is_advertise,
        server: SERVER.to_vec(),
        preference: 0,
        status,
        grant,
        information: Information::default(),
        refresh: None,
        longest_waits: (None, None),
    }
}

fn grant(addresses: Vec<Held>) -> Grant {
    Grant { status: Status::Success, times: (Some(s(0)), Some(s(0))), addresses }
}

fn good(is_advertise: bool) -> Event {
    Event::Received(reply(is_advertise, Status::Success, Some(grant(vec![held(5, 1600)]))))
}

fn bad(status: Status) -> Event {
    let grant = Grant { status, times: (None, None), addresses: Vec::new() };
    Event::Received(reply(false, Status::Success, Some(grant)))
}

/// Due at 10 s, one message sent.
fn exchange() -> Exchange {
    let later = Exchange::after(s(9), at(0));
    later.send(Question::Inform, exchange::REQUEST, Circumstances { random: RANDOM | 50, ..at(9) }).0
}

fn offer() -> Offer {
    Offer { server: SERVER.to_vec(), preference: 0, addresses: vec![address(5)] }
}

fn states() -> Vec<State> {
    let (exchange, lease) = (exchange(), lease());
    vec![
        State::START,
        State::Idle { lease: Some(lease.clone()) },
        State::Soliciting { exchange: exchange.clone(), best: None },
        State::Soliciting { exchange: exchange.clone(), best: Some(offer()) },
        State::Requesting { exchange: exchange.clone(), offer: offer(), kept: None },
        State::Requesting { exchange: exchange.clone(), offer: offer(), kept: Some(lease.clone()) },
        State::Confirming { exchange: exchange.clone(), lease: lease.clone() },
        State::Bound { lease: lease.clone() },
        State::Renewing { exchange: exchange.clone(), lease: lease.clone() },
        State::Rebinding { exchange: exchange.clone(), lease: lease.clone() },
        State::Declining {
            exchange: exchange.clone(),
            server: SERVER.to_vec(),
            address: address(6),
            kept: None,
        },
        State::Declining {
            exchange: exchange.clone(),
            server: SERVER.to_vec(),
            address: address(6),
            kept: Some(lease),
        },
        State::Informing { exchange },
        State::Informed { until: Moment::from_secs(10) },
    ]
}

fn word(state: &State) -> &'static str {
    match state {
        State::Idle { lease: None } => "idle",
        State::Idle { lease: Some(_) } => "idle+",
        State::Soliciting { best: None, .. } => "soliciting",
        State::Soliciting { best: Some(_), .. } => "soliciting!",
        State::Requesting { kept: None, .. } => "requesting",
        State::Requesting { kept: Some(_), .. } => "requesting+",
        State::Confirming { .. } => "confirming",
        State::Bound { .. } => "bound",
        State::Renewing { .. } => "renewing",
        State::Rebinding { .. } => "rebinding",
        State::Declining { kept: None, .. } => "declining",
        State::Declining { kept: Some(_), .. } => "declining+",
        State::Informing { .. } => "informing",
        State::Informed { .. } => "informed",
    }
}

fn effects_word(effects: &[Effect]) -> String {
    let words = effects.iter().map(|effect| match effect {
        Effect::Send(outgoing) => match &outgoing.question {
            Question::Solicit => "solicit",
            Question::Request { .. } => "request",
            Question::Confirm { .. } => "confirm",
            Question::Renew { .. } => "renew",
            Question::Rebind { .. } => "rebind",
            Question::Decline { .. } => "decline",
            Question::Release { .. } => "release",
            Question::Inform => "ask",
        },
        Effect::Configure(_) => "configure",
        Effect::Unconfigure => "unconfigure",
        Effect::Inform(_) => "inform",
    });
    words.collect::<Vec<_>>().join(" ")
}

/// One row per state of [`states`], one column per event; each cell is the next state and what is done. The `+` says that a lease
/// is still configured, the `!` that there is an offer.
#[test]
fn every_pair_of_state_and_event() {
    let (early, due) = (9, 11);
    let columns: [(&str, Event, u64); 16] = [
        ("begin addresses", Event::Begin(Mode::Addresses), early),
        ("begin information", Event::Begin(Mode::Information), early),
        ("begin nothing", Event::Begin(Mode::Off), early),
        ("link down", Event::LinkDown, early),
        ("timer early", Event::Timer, early),
        ("timer due", Event::Timer, due),
        ("timer after the end", Event::Timer, 1601),
        ("advertise", good(true), early),
        ("reply", good(false), early),
        ("no addresses", bad(Status::NoAddresses), early),
        ("no binding", bad(Status::NoBinding), early),
        ("not on link", Event::Received(reply(false, Status::NotOnLink, None)), early),
        ("duplicate", Event::Duplicate(address(5)), early),
        ("duplicate of other", Event::Duplicate(address(9)), early),
        ("renew now", Event::RenewNow, early),
        ("release", Event::Release, early),
    ];
    let same = "same";
    let (sol, inf) = ("soliciting: ", "informing: ");
    let gone = "soliciting: unconfigure";
    let out = "idle: release unconfigure";
    let declined = "declining: unconfigure decline";
    #[rustfmt::skip]
    let table: [(&str, [&str; 16]); 14] = [
        ("idle",        [sol, inf, same, same, same, same, same, same, same, same, same, same, same, same, same, same]),
        ("idle+",       ["confirming: ", "confirming: ", "confirming: ", same, same, same, "idle: unconfigure", same, same, same, same, same, same, same, same, "idle: unconfigure"]),
        ("soliciting",  [same, inf, "idle: ", "idle: ", same, "soliciting: solicit", "soliciting: solicit", "soliciting!: ", same, same, same, same, same, same, sol, "idle: "]),
        ("soliciting!", [same, inf, "idle: ", "idle: ", same, "requesting: request", "requesting: request", same, same, same, same, same, same, same, sol, "idle: "]),
        ("requesting",  [same, same, same, "idle: ", same, "requesting: request", "requesting: request", same, "bound: configure inform", sol, sol, sol, same, same, same, "idle: "]),
        ("requesting+", [same, same, same, "idle+: ", same, "requesting+: request", "requesting: unconfigure", same, "bound: configure inform", gone, gone, gone, declined, same, same, out]),
        ("confirming",  [same, same, same, "idle+: ", same, "confirming: confirm", gone, same, "bound: ", "bound: ", "bound: ", gone, declined, same, same, out]),
        ("bound",       [same, same, same, "idle+: ", same, same, gone, same, same, same, same, same, declined, same, "renewing: renew", out]),
        ("renewing",    [same, same, same, "idle+: ", same, "renewing: renew", gone, same, "bound: configure inform", same, "requesting+: request", same, declined, same, "renewing: renew", out]),
        ("rebinding",   [same, same, same, "idle+: ", same, "rebinding: rebind", gone, same, "bound: configure inform", same, "requesting+: request", same, declined, same, "rebinding: rebind", out]),
        ("declining",   [same, same, same, "idle: ", same, "declining: decline", "declining: decline", same, sol, sol, sol, sol, same, same, same, "idle: "]),
        ("declining+",  [same, same, same, "idle+: ", same, "declining+: decline", "declining: unconfigure", same, "bound: ", "bound: ", "bound: ", "bound: ", declined, same, same, out]),
        ("informing",   [sol, same, "idle: ", "idle: ", same, "informing: ask", "informing: ask", same, "informed: inform", "informed: inform", "informed: inform", "informed: inform", same, same, inf, "idle: "]),
        ("informed",    [sol, same, "idle: ", "idle: ", same, inf, inf, same, same, same, same, same, same, same, inf, "idle: "]),
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
    let (state, _) = State::START.step(Event::Begin(Mode::Addresses), at(0));
    let (state, effects) = state.step(Event::Timer, at(0));
    assert_eq!(effects_word(&effects), "solicit");
    let (state, _) = state.step(good(true), at(0));
    let (state, effects) = state.step(Event::Timer, at(2));
    assert_eq!(effects_word(&effects), "request", "after the first wait the best offer is taken");
    let (state, _) = state.step(good(false), at(3));
    assert_eq!(state.lease().unwrap().since, Moment::from_secs(2), "from the request, not from the answer");
    assert_eq!(state.wake_at(), Some(Moment::from_secs(402)));
    let (state, effects) = state.step(Event::Timer, at(402));
    assert_eq!(effects_word(&effects), "renew");
    let (state, effects) = state.step(Event::Timer, at(642));
    assert_eq!(effects_word(&effects), "rebind");
    let (state, effects) = state.step(Event::Timer, at(1602));
    assert_eq!((word(&state), effects_word(&effects).as_str()), ("soliciting", "unconfigure"));
}

#[test]
fn the_server_that_wants_it_most_is_chosen() {
    let offering = |preference, server: u8| {
        let mut reply = reply(true, Status::Success, Some(grant(vec![held(5, 1600)])));
        (reply.preference, reply.server) = (preference, vec![server]);
        Event::Received(reply)
    };
    let chosen = |state: &State| {
        let State::Requesting { offer, .. } = state else { panic!("{state:?}") };
        offer.server.clone()
    };
    let start = State::Soliciting { exchange: exchange(), best: None };
    let mut state = start.clone();
    for (preference, server) in [(5, 1), (9, 2), (9, 3), (0, 4)] {
        state = state.step(offering(preference, server), at(9)).0;
    }
    assert_eq!(chosen(&state.step(Event::Timer, at(11)).0), [2]);
    assert_eq!(chosen(&start.step(offering(255, 7), at(9)).0), [7], "at once");
}

#[test]
fn a_server_can_ask_for_longer_silence() {
    let mut refusal = reply(true, Status::NoAddresses, None);
    refusal.longest_waits.0 = Some(s(7200));
    let mut state = State::Soliciting { exchange: exchange(), best: None };
    state = state.step(Event::Received(refusal), at(9)).0;
    let mut now = 10;
    let mut wait = 0;
    for _ in 0..16 {
        state = state.step(Event::Timer, at(now)).0;
        wait = state.wake_at().unwrap().since(Moment::from_secs(now)).as_secs();
        now += wait + 1;
    }
    assert!((6400..=7920).contains(&wait), "{wait}");
}

#[test]
fn an_address_that_an_answer_does_not_mention_keeps_its_time_and_one_without_time_goes() {
    let two = Lease::new(
        SERVER.to_vec(),
        vec![held(5, 1600), held(6, 1600)],
        (Some(s(0)), Some(s(0))),
        Moment::from_secs(0),
    );
    let renewing = State::Renewing { exchange: exchange(), lease: two };
    let only_one = Event::Received(reply(false, Status::Success, Some(grant(vec![held(5, 3200)]))));
    let (state, _) = renewing.clone().step(only_one, at(12));
    let times: Vec<u64> =
        state.lease().unwrap().addresses.iter().map(|held| held.valid.unwrap().as_secs()).collect();
    assert_eq!(times, [3200, 1591]);
    let taken_back = Held { valid: Some(s(0)), preferred: Some(s(0)), ..held(5, 1600) };
    let gone = Event::Received(reply(false, Status::Success, Some(grant(vec![taken_back]))));
    let (state, _) = renewing.step(gone, at(12));
    assert_eq!(state.lease().unwrap().plain(), [address(6)]);
    let single = State::Renewing { exchange: exchange(), lease: lease() };
    let none = Event::Received(reply(false, Status::Success, Some(grant(vec![taken_back]))));
    let (state, effects) = single.step(none, at(12));
    assert_eq!((word(&state), effects_word(&effects).as_str()), ("soliciting", "unconfigure"));
}

#[test]
fn nothing_is_asked_for_ever() {
    let count = |mut state: State, wanted: &str| {
        for (sent, now) in (1..).zip((20..2000).step_by(100)) {
            let (next, effects) = state.step(Event::Timer, at(now));
            state = next;
            if effects_word(&effects) != wanted {
                return (sent, word(&state), effects_word(&effects));
            }
        }
        panic!("{state:?}");
    };
    let requesting = State::Requesting { exchange: exchange(), offer: offer(), kept: None };
    assert_eq!(count(requesting, "request"), (REQUEST_ATTEMPTS, "soliciting", String::new()));
    let declining =
        State::Declining { exchange: exchange(), server: SERVER.to_vec(), address: address(6), kept: None };
    assert_eq!(count(declining, "decline"), (DECLINE_ATTEMPTS, "soliciting", String::new()));
    let confirming = State::Confirming { exchange: exchange(), lease: lease() };
    assert_eq!(count(confirming, "confirm"), (1, "bound", String::new()), "ten seconds are over");
}

#[test]
fn answers_to_another_exchange_are_ignored() {
    for state in states() {
        for is_advertise in [true, false] {
            let grant = Some(grant(vec![held(5, 1600)]));
            let stranger =
                Event::Received(Reply { xid: XID ^ 1, ..reply(is_advertise, Status::Success, grant) });
            assert_eq!(state.clone().step(stranger, at(9)), (state.clone(), Vec::new()));
        }
    }
}

#[derive(Clone, Debug)]
enum Happening {
    Plain(Event),
    Answer(Reply),
    WakeWhenDue,
}

fn any_reply() -> impl Strategy<Value = Reply> {
    let status = prop::sample::select(vec![
        Status::Success,
        Status::Success,
        Status::Success,
        Status::NoAddresses,
        Status::NoBinding,
        Status::NotOnLink,
        Status::Failure,
    ]);
    let times = prop::option::of(0_u64..500);
    let addresses = prop::collection::vec((1_u16..5, 0_u64..3000), 0..3);
    (any::<bool>(), status.clone(), status, times, addresses).prop_map(
        |(is_advertise, outer, inner, t1, addresses)| {
            let addresses = addresses.into_iter().map(|(last, valid)| held(last, valid)).collect();
            let times = (t1.map(s), t1.map(|t1| s(t1 * 2)));
            reply(is_advertise, outer, Some(Grant { status: inner, times, addresses }))
        },
    )
}

fn any_happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        prop::sample::select(vec![Mode::Off, Mode::Information, Mode::Addresses])
            .prop_map(|mode| Happening::Plain(Event::Begin(mode))),
        Just(Happening::Plain(Event::LinkDown)),
        Just(Happening::Plain(Event::RenewNow)),
        Just(Happening::Plain(Event::Release)),
        Just(Happening::Plain(Event::Timer)),
        (1_u16..5).prop_map(|last| Happening::Plain(Event::Duplicate(address(last)))),
        any_reply().prop_map(Happening::Answer),
        any_reply().prop_map(Happening::Answer),
        Just(Happening::WakeWhenDue),
        Just(Happening::WakeWhenDue),
    ]
}

proptest! {
    /// Whatever happens: what is configured is what the state holds and has addresses, a lease that has ended is given up when the
    /// timer is served, and a timer always moves on.
    #[test]
    fn histories_keep_the_invariants(history in prop::collection::vec((any_happening(), 0_u64..900, any::<u64>()), 1..60)) {
        let mut state = State::START;
        let mut configured: Option<Lease> = None;
        let mut now = Moment::from_secs(0);
        for (happening, passed, random) in history {
            now = now + Duration::from_secs(passed);
            let event = match happening {
                Happening::Plain(event) => event,
                Happening::Answer(reply) => {
                    let xid = state.exchange().map_or(0, Exchange::xid);
                    Event::Received(Reply { xid, ..reply })
                }
                Happening::WakeWhenDue => {
                    now = state.wake_at().map_or(now, |due| due.max(now));
                    Event::Timer
                }
            };
            let served_timer = event == Event::Timer;
            let (next, effects) = state.step(event, Circumstances { now, random });
            state = next;
            for effect in effects {
                match effect {
                    Effect::Configure(lease) => configured = Some(lease),
                    Effect::Unconfigure => configured = None,
                    Effect::Send(_) | Effect::Inform(_) => {}
                }
            }
            assert_eq!(state.lease(), configured.as_ref());
            assert!(configured.as_ref().is_none_or(|lease| !lease.addresses.is_empty()));
            if served_timer {
                assert!(configured.as_ref().is_none_or(|lease| !lease.has_ended(now)), "{state:?}");
                // At most a few steps without time passing: an end, then a question.
                let mut steps = 0;
                while state.wake_at().is_some_and(|due| due <= now) {
                    let (next, effects) = state.step(Event::Timer, Circumstances { now, random });
                    state = next;
                    for effect in effects {
                        match effect {
                            Effect::Configure(lease) => configured = Some(lease),
                            Effect::Unconfigure => configured = None,
                            Effect::Send(_) | Effect::Inform(_) => {}
                        }
                    }
                    steps += 1;
                    assert!(steps < 5, "{state:?} never sleeps");
                }
            }
        }
    }
}
