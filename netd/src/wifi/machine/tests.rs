//! What the wireless link does when.

use super::*;
use proptest::prelude::*;

fn ssid(name: &str) -> Ssid {
    name.parse().unwrap()
}

/// A machine that took these events, one each second; and what the last one brought.
fn after(wanted: Option<&str>, events: &[Event]) -> (Machine, Vec<Effect>) {
    let mut machine = Machine::new(wanted.map(ssid));
    let mut effects = Vec::new();
    for (event, second) in events.iter().zip(0..) {
        let now = match (event, machine.due()) {
            (Event::Due, Some(due)) => due,
            _ => Moment::from_secs(second),
        };
        effects = machine.step(event.clone(), now);
    }
    (machine, effects)
}

/// The wanted network is in reach and refuses the password, as often as it takes to believe it.
fn refused() -> Vec<Event> {
    (0..DOUBTS).flat_map(|_| [Event::Seen(true), Event::Refused(Refusal::Password)]).collect()
}

#[test]
fn without_cable_and_network_the_box_offers_its_own_after_a_while() {
    let (machine, effects) = after(None, &[Event::RadioCame]);
    assert_eq!(effects, [Effect::Station]);
    assert_eq!(machine.due(), Some(Moment::default() + UNPLUGGED));
    let (machine, effects) = after(None, &[Event::RadioCame, Event::Due]);
    assert_eq!(effects, [Effect::Beacon]);
    assert!(matches!(machine.state(), State::Beacon { .. }));
    assert_eq!(machine.due(), None, "there is nothing to look for");
}

#[test]
fn with_a_cable_it_never_does_and_a_cable_ends_it() {
    let (machine, effects) = after(None, &[Event::Cable(true), Event::RadioCame]);
    assert_eq!((machine.state(), effects.as_slice()), (&State::Idle, [Effect::Station].as_slice()));
    let (machine, effects) = after(None, &[Event::RadioCame, Event::Due, Event::Cable(true)]);
    assert_eq!((machine.state(), effects.as_slice()), (&State::Idle, [Effect::Station].as_slice()));
    let pulled = [Event::Cable(true), Event::RadioCame, Event::Cable(false), Event::Due];
    assert_eq!(after(None, &pulled).1, [Effect::Beacon]);
}

#[test]
fn a_wanted_network_is_looked_for_joined_and_then_known() {
    let (_, effects) = after(Some("Home"), &[Event::RadioCame]);
    assert_eq!(effects, [Effect::Station, Effect::Look]);
    let (_, effects) = after(Some("Home"), &[Event::RadioCame, Event::Seen(true)]);
    assert_eq!(effects, [Effect::Join]);
    let all = [Event::RadioCame, Event::Seen(true), Event::Joined(ssid("Home"))];
    let (machine, effects) = after(Some("Home"), &all);
    assert_eq!(effects, [Effect::Proved]);
    assert_eq!((machine.wanted(), machine.problem()), (None, None));
}

#[test]
fn a_wrong_password_is_said_forgotten_and_brings_the_own_network_back() {
    let events = [&[Event::RadioCame, Event::Due, Event::Wish(ssid("Home"))], refused().as_slice()].concat();
    let (doubting, effects) = after(None, &events[..events.len() - 2]);
    assert_eq!(effects, [Effect::Station, Effect::Look], "it may have been too slow");
    assert_eq!((doubting.wanted(), doubting.problem()), (Some(&ssid("Home")), None));
    let (machine, effects) = after(None, &events);
    assert_eq!(effects, [Effect::Drop, Effect::Beacon]);
    let problem = Problem { ssid: ssid("Home"), refusal: Refusal::Password };
    assert_eq!((machine.wanted(), machine.problem()), (None, Some(&problem)));
    assert_eq!(machine.due(), None, "a wrong password is not tried again");
    let mut again = machine;
    assert_eq!(again.step(Event::Wish(ssid("Home")), Moment::from_secs(99)), [Effect::Station, Effect::Look]);
    assert_eq!(again.problem(), None);
}

#[test]
fn a_wrong_password_for_another_network_leads_back_to_the_known_one() {
    let before =
        [Event::Known(true), Event::RadioCame, Event::Joined(ssid("Home")), Event::Wish(ssid("Other"))];
    let events = [&before, refused().as_slice()].concat();
    let (mut machine, effects) = after(None, &events);
    assert_eq!(effects, [Effect::Drop, Effect::Station, Effect::Look]);
    machine.step(Event::Joined(ssid("Home")), Moment::from_secs(20));
    assert_eq!(machine.state(), &State::Joined { ssid: ssid("Home") });
}

#[test]
fn out_of_reach_is_tried_again_with_longer_pauses() {
    let mut machine = Machine::new(Some(ssid("Home")));
    let mut now = Moment::from_secs(0);
    machine.step(Event::RadioCame, now);
    let mut pauses = Vec::new();
    for _ in 0..6 {
        machine.step(Event::Seen(false), now);
        now = machine.due().unwrap();
        assert_eq!(machine.step(Event::Due, now), [Effect::Beacon]);
        pauses.push(machine.due().unwrap().since(now).as_secs());
        now = machine.due().unwrap();
        assert_eq!(machine.step(Event::Due, now), [Effect::Station, Effect::Look]);
    }
    assert_eq!(pauses, [60, 120, 240, 480, 900, 900]);
    assert_eq!(machine.problem().unwrap().refusal, Refusal::OutOfReach);
    assert!(machine.wanted().is_some());
}

#[test]
fn who_uses_the_own_network_is_not_cut_off_by_a_look() {
    let mut machine = Machine::new(Some(ssid("Home")));
    machine.step(Event::RadioCame, Moment::from_secs(0));
    machine.step(Event::Due, machine.due().unwrap());
    machine.step(Event::InUse(true), Moment::from_secs(40));
    let due = machine.due().unwrap();
    assert_eq!(machine.step(Event::Due, due), []);
    assert_eq!(machine.due(), Some(due + IN_USE));
    machine.step(Event::InUse(false), due);
    assert_eq!(machine.step(Event::Due, due + IN_USE), [Effect::Station, Effect::Look]);
}

#[test]
fn another_known_network_is_not_left_for_a_wanted_one_that_is_not_there() {
    let events =
        [Event::Known(true), Event::RadioCame, Event::Seen(false), Event::Joined(ssid("Old")), Event::Due];
    let (machine, effects) = after(Some("Home"), &events);
    assert_eq!(effects, []);
    assert_eq!(machine.state(), &State::Joined { ssid: ssid("Old") });
}

#[test]
fn a_lost_network_is_looked_for_before_the_box_offers_its_own() {
    let events = [Event::Known(true), Event::RadioCame, Event::Joined(ssid("Home")), Event::Left];
    let (machine, effects) = after(None, &events);
    assert_eq!(effects, [Effect::Station, Effect::Look]);
    assert_eq!(machine.due(), Some(Moment::from_secs(3) + LOST));
    let forgotten = [events.as_slice(), &[Event::Known(false), Event::Due]].concat();
    assert_eq!(after(None, &forgotten).1, [Effect::Beacon]);
}

#[test]
fn a_network_that_is_forgotten_is_not_looked_for() {
    let events =
        [Event::Known(true), Event::RadioCame, Event::Joined(ssid("Home")), Event::Known(false), Event::Left];
    let (machine, effects) = after(None, &events);
    assert_eq!(effects, [Effect::Station]);
    assert!(matches!(machine.state(), State::Unplugged { .. }));
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let name = prop::sample::select(vec!["a", "b"]).prop_map(ssid);
    let refusal = prop::sample::select(vec![
        Refusal::Password,
        Refusal::NoPassword,
        Refusal::Unsupported,
        Refusal::OutOfReach,
        Refusal::Other,
    ]);
    let event = prop_oneof![
        Just(Event::RadioCame),
        Just(Event::RadioGone),
        any::<bool>().prop_map(Event::Cable),
        any::<bool>().prop_map(Event::Known),
        any::<bool>().prop_map(Event::InUse),
        name.clone().prop_map(Event::Wish),
        Just(Event::NoWish),
        any::<bool>().prop_map(Event::Seen),
        name.prop_map(Event::Joined),
        Just(Event::Left),
        refusal.prop_map(Event::Refused),
        Just(Event::NoBeacon),
        Just(Event::Due),
    ];
    prop::collection::vec(event, 0..60)
}

proptest! {
    /// Whatever happens: no own network beside a cable, none while something is joined, and never a state without a way out.
    #[test]
    fn the_box_is_always_reachable_or_on_its_way(events in events()) {
        let mut machine = Machine::new(None);
        let mut has_cable = false;
        for (event, second) in events.into_iter().zip(0..) {
            if let Event::Cable(now) = event {
                has_cable = now;
            }
            let effects = machine.step(event, Moment::from_secs(second));
            let is_beacon = matches!(machine.state(), State::Beacon { .. });
            prop_assert!(!(is_beacon && has_cable), "{machine:?}");
            prop_assert!(!effects.contains(&Effect::Beacon) || is_beacon);
            let rests = matches!(machine.state(), State::Absent | State::Joined { .. } | State::Beacon { .. });
            prop_assert!(rests || has_cable || machine.due().is_some(), "{machine:?}");
        }
    }
}
