//! The machine in a simulated world: true time, a clock that drifts, servers that lie, wait and fall silent.

mod world;

use std::time::Duration;

use super::*;
use crate::discipline::tests::world::BUILT;
use crate::discipline::tests::world::Behaviour;
use crate::discipline::tests::world::Network;
use crate::discipline::tests::world::World;
use crate::settings::Origin;
use crate::settings::Protocol;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const YEAR: i64 = 365 * 86_400;

/// How the home's line to the Internet is: 20 ms there and back, 2 ms of waiting now and then.
const LINE: Network = Network { delay: Span::from_millis(20), jitter: Span::from_millis(2) };

fn honest(protocol: Protocol) -> Behaviour {
    Behaviour::honest(protocol)
}

#[test]
fn a_box_without_a_battery_finds_the_time_within_seconds() {
    let mut world = World::new(LINE, Span::from_secs(-3 * YEAR), 40.0, &[honest(Protocol::Nts); 3]);
    world.run(20);
    assert!(world.error() < Span::from_millis(10), "{}", world.error());
    assert_eq!(world.steps.len(), 1);
    let status = world.status();
    assert!(status.synchronised && status.authenticated, "{status:?}");
    assert_eq!(status.reason, None);
    assert!(status.sources.iter().all(|source| source.state == "used"), "{status:?}");
}

#[test]
fn drift_is_learnt_and_the_clock_stays_within_a_millisecond() {
    for ppm in [-90.0, -12.0, 0.0, 45.0, 180.0] {
        let mut world = World::new(LINE, Span::from_millis(120), ppm, &[honest(Protocol::Plain); 3]);
        world.run(6 * HOUR);
        // To the clock's advantage: it must run slower than its crystal when that is fast.
        assert!((world.machine.crystal_ppm() + ppm).abs() < 1.0, "{ppm}: {}", world.machine.crystal_ppm());
        let mut worst = Span::ZERO;
        for _ in 0..24 {
            world.run(HOUR);
            worst = worst.max(world.error().abs());
        }
        assert!(worst < Span::from_millis(1), "{ppm}: {worst}");
        assert!(world.steps.is_empty());
    }
}

/// Short ways leave no room for a crystal that is far off.
#[test]
fn a_server_in_the_house_is_good_for_a_bad_crystal() {
    let house = Network { delay: Span::from_nanos(300_000), jitter: Span::from_nanos(100_000) };
    let mut world = World::new(house, Span::from_millis(-200), -250.0, &[honest(Protocol::Plain)]);
    world.run(6 * HOUR);
    assert!(world.error() < Span::from_nanos(300_000), "{}", world.error());
    assert!((world.machine.crystal_ppm() - 250.0).abs() < 1.0, "{}", world.machine.crystal_ppm());
}

#[test]
fn calm_clocks_ask_seldom() {
    let mut world = World::new(LINE, Span::ZERO, 5.0, &[honest(Protocol::Nts); 3]);
    world.run(DAY);
    let before = world.questions;
    world.run(DAY);
    let per_server = (world.questions - before) / 3;
    assert!((60..150).contains(&per_server), "{per_server}");
}

#[test]
fn a_small_offset_is_slewed_and_never_jumps() {
    for millis in [-480, -20, 300] {
        let mut world = World::new(LINE, Span::from_millis(millis), 10.0, &[honest(Protocol::Plain); 2]);
        world.run(2 * HOUR);
        assert!(world.steps.is_empty(), "{millis}");
        assert!(world.error() < Span::from_millis(2), "{millis}: {}", world.error());
        assert!(world.ppm_set.iter().all(|ppm| ppm.abs() <= MOST_PPM), "{:?}", world.ppm_set);
    }
}

#[test]
fn a_false_server_among_three_changes_nothing() {
    for lie in
        [Span::from_millis(200), Span::from_secs(90), Span::from_secs(5 * YEAR), Span::from_secs(-5 * YEAR)]
    {
        let servers =
            [honest(Protocol::Plain), Behaviour { lie, ..honest(Protocol::Plain) }, honest(Protocol::Plain)];
        let mut world = World::new(LINE, Span::from_secs(-40), 20.0, &servers);
        world.run(3 * HOUR);
        assert!(world.error() < Span::from_millis(5), "{lie}: {}", world.error());
        let states: Vec<_> = world.status().sources.into_iter().map(|source| source.state).collect();
        assert_eq!(states, ["used", "not used: it contradicts the others", "used"], "{lie}");
    }
}

#[test]
fn a_server_that_turns_false_later_changes_nothing() {
    let mut world = World::new(LINE, Span::ZERO, 20.0, &[honest(Protocol::Plain); 3]);
    world.run(3 * HOUR);
    world.servers[1].lie = Span::from_secs(-3_600);
    world.run(DAY);
    assert!(world.error() < Span::from_millis(2), "{}", world.error());
    assert!(world.steps.is_empty());
}

#[test]
fn two_servers_that_contradict_each_other_are_both_not_believed() {
    let servers =
        [honest(Protocol::Plain), Behaviour { lie: Span::from_secs(30), ..honest(Protocol::Plain) }];
    let mut world = World::new(LINE, Span::from_secs(-5), 0.0, &servers);
    world.run(HOUR);
    assert!(world.steps.is_empty());
    let status = world.status();
    assert!(!status.synchronised);
    assert_eq!(status.reason.as_deref(), Some("the time servers contradict each other"));
}

#[test]
fn a_lone_stranger_cannot_move_a_possible_clock_by_years() {
    let servers = [Behaviour { lie: Span::from_secs(5 * YEAR), ..honest(Protocol::Plain) }];
    let mut world = World::new(LINE, Span::ZERO, 0.0, &servers);
    world.run(DAY);
    assert!(world.steps.is_empty() && !world.status().synchronised);
    assert!(world.status().reason.unwrap().starts_with("the clock would move by 5.0 years"));
    // Nor to before the build, nor past the end, even with a proof.
    for lie in [-30 * YEAR, 80 * YEAR] {
        let servers = [Behaviour { lie: Span::from_secs(lie), ..honest(Protocol::Nts) }];
        let mut world = World::new(LINE, Span::ZERO, 0.0, &servers);
        world.run(HOUR);
        assert!(world.steps.is_empty() && !world.status().synchronised, "{lie}");
    }
}

/// A router that answers DHCP and NTP, while nobody on the Internet can be reached.
#[test]
fn the_home_network_cannot_move_a_possible_clock_by_years_with_many_servers() {
    let lie = Span::from_secs(-YEAR);
    let offered = Behaviour { lie, origin: Origin::Offered, ..honest(Protocol::Plain) };
    let nts = Behaviour::silent(Protocol::Nts);
    let mut world = World::new(LINE, Span::ZERO, 0.0, &[nts, nts, nts, offered, offered, offered, offered]);
    world.run(HOUR);
    assert!(world.steps.is_empty() && !world.status().synchronised, "{:?}", world.status());
    // The same number of servers that the owner chose would do.
    let chosen = Behaviour { origin: Origin::Chosen, ..offered };
    let mut world = World::new(LINE, Span::ZERO, 0.0, &[chosen; 4]);
    world.run(HOUR);
    assert_eq!(world.steps.len(), 1);
}

#[test]
fn a_poisoned_clock_comes_back_with_a_proof() {
    // No battery: a stranger on the line may name any year before 2100.
    let servers = [
        Behaviour { lie: Span::from_secs(20 * YEAR), ..honest(Protocol::Plain) },
        Behaviour::silent(Protocol::Nts),
    ];
    let mut world = World::new(LINE, Span::from_secs(-3 * YEAR), 0.0, &servers);
    world.run(HOUR);
    assert!(world.error() > Span::from_secs(19 * YEAR));
    world.servers[1] = honest(Protocol::Nts);
    world.run(HOUR);
    assert!(world.error() < Span::from_millis(10), "{}", world.error());
    assert!(world.status().authenticated);
    // And what is written down comes back with it.
    assert!(world.saved.last().unwrap().time.since(world.truth).abs() < Span::from_secs(2 * 3_600));
}

#[test]
fn strangers_are_not_heard_beside_servers_that_prove_who_they_are() {
    let lie = Span::from_millis(400);
    let stranger = Behaviour { lie, ..honest(Protocol::Plain) };
    let mut world = World::new(LINE, Span::ZERO, 0.0, &[honest(Protocol::Nts), stranger, stranger, stranger]);
    world.run(3 * HOUR);
    assert!(world.error() < Span::from_millis(3), "{}", world.error());
    let states: Vec<_> = world.status().sources.into_iter().map(|source| source.state).collect();
    assert_eq!(states[0], "used");
    assert!(states[1..].iter().all(|state| state == "not used: it cannot prove who it is, and others can"));
}

#[test]
fn a_step_of_a_clock_that_was_right_needs_two_rounds_and_two_witnesses_to_go_back() {
    let mut world = World::new(LINE, Span::ZERO, 0.0, &[honest(Protocol::Plain)]);
    world.run(HOUR);
    // Somebody else set the clock ahead: it must come back, and one server is not enough.
    world.disturb(Span::from_secs(30));
    world.run(5 * HOUR);
    assert!(world.steps.is_empty());
    assert!(
        world.status().reason.unwrap().starts_with("the clock would move back by 30.0 s"),
        "{:?}",
        world.status()
    );
    let mut world = World::new(LINE, Span::ZERO, 0.0, &[honest(Protocol::Plain); 2]);
    world.run(HOUR);
    world.disturb(Span::from_secs(30));
    world.run(5 * HOUR);
    assert_eq!(world.steps.len(), 1);
    assert!(world.error() < Span::from_millis(5), "{}", world.error());
}

#[test]
fn one_wild_answer_does_not_move_a_clock_that_was_right() {
    let mut world = World::new(LINE, Span::ZERO, 0.0, &[honest(Protocol::Plain)]);
    world.run(HOUR);
    world.servers[0].lie = Span::from_secs(5);
    let asked = world.questions;
    while world.questions == asked {
        world.run(1);
    }
    world.servers[0].lie = Span::ZERO;
    world.run(3 * HOUR);
    assert!(world.steps.is_empty(), "{:?}", world.steps);
    assert!(world.error() < Span::from_millis(5), "{}", world.error());
}

#[test]
fn silence_is_borne_and_the_clock_runs_on() {
    let mut world = World::new(LINE, Span::ZERO, 60.0, &[honest(Protocol::Nts); 2]);
    world.run(12 * HOUR);
    for server in &mut world.servers {
        *server = Behaviour::silent(Protocol::Nts);
    }
    world.run(HOUR);
    assert!(world.status().synchronised);
    assert_eq!(world.status().reason.as_deref(), Some("no time server answers"));
    world.run(DAY);
    assert!(!world.status().synchronised);
    assert!(world.machine.is_set(), "the date stays known");
    // 60 ppm would have been 5 s.
    assert!(world.error() < Span::from_millis(100), "{}", world.error());
    for server in &mut world.servers {
        *server = honest(Protocol::Nts);
    }
    world.run(10 * MINUTE);
    assert!(world.status().synchronised);
}

#[test]
fn lost_packets_and_long_waits_are_borne() {
    let rough = Network { delay: Span::from_millis(80), jitter: Span::from_millis(60) };
    let servers = [Behaviour { loss_percent: 40, ..honest(Protocol::Nts) }; 3];
    let mut world = World::new(rough, Span::from_secs(-700), -70.0, &servers);
    world.run(DAY);
    let mut worst = Span::ZERO;
    for _ in 0..24 {
        world.run(HOUR);
        worst = worst.max(world.error().abs());
    }
    assert!(worst < Span::from_millis(30), "{worst}");
    assert_eq!(world.steps.len(), 1);
}

#[test]
fn a_server_that_wants_to_be_left_alone_is() {
    let cases = [(Pause::Slower, 3, 14), (Pause::Long, 1, 2)];
    for (pause, least, most) in cases {
        let servers = [honest(Protocol::Plain), Behaviour { kiss: Some(pause), ..honest(Protocol::Plain) }];
        let mut world = World::new(LINE, Span::ZERO, 0.0, &servers);
        world.run(DAY);
        assert!(world.status().synchronised);
        let asked = world.asked[1];
        assert!((least..=most).contains(&asked), "{pause:?}: {asked}");
        assert!(world.asked[0] > 80);
    }
}

#[test]
fn the_time_is_written_down_once_an_hour() {
    let mut world = World::new(LINE, Span::from_secs(-3 * YEAR), 0.0, &[honest(Protocol::Nts)]);
    world.run(10);
    assert_eq!(world.saved.len(), 1);
    world.run(DAY);
    assert!((18..=24).contains(&world.saved.len()), "{}", world.saved.len());
    assert!(world.saved.iter().all(|known| known.proved == Some(known.time)));
    assert!(world.saved.windows(2).all(|pair| pair[0].time < pair[1].time));
}

#[test]
fn nobody_vouches_for_a_proved_time_that_a_stranger_named() {
    let mut world = World::new(LINE, Span::ZERO, 0.0, &[honest(Protocol::Plain)]);
    world.run(HOUR);
    assert!(world.saved.iter().all(|known| known.proved.is_none()));
    assert!(matches!(world.machine.dates(world.shown()), Dates::Doubtful { past: BUILT, .. }));
    let mut world = World::new(LINE, Span::ZERO, 0.0, &[honest(Protocol::Nts)]);
    assert!(matches!(world.machine.dates(world.shown()), Dates::Doubtful { .. }));
    world.run(HOUR);
    assert!(matches!(world.machine.dates(world.shown()), Dates::Known(_)));
}

#[test]
fn new_servers_and_a_new_network_are_asked_at_once() {
    let mut world = World::new(LINE, Span::from_secs(-5), 0.0, &[Behaviour::silent(Protocol::Plain)]);
    world.run(HOUR);
    world.servers[0] = honest(Protocol::Plain);
    world.event(Event::NetworkChanged);
    world.run(10);
    assert!(world.status().synchronised);
    world.event(Event::Servers(Vec::new()));
    assert_eq!(world.machine.wake_at(), world.machine.slew.map(|slew| slew.until));
    assert!(world.status().reason.unwrap().contains("switched off"));
    world.event(Event::Servers(vec![Server::plain("0")]));
    world.run(10);
    assert_eq!(world.status().sources[0].state, "used");
}

#[test]
fn answers_that_nobody_asked_for_do_no_harm() {
    let mut world = World::new(LINE, Span::ZERO, 0.0, &[honest(Protocol::Plain)]);
    for source in [0, 7, usize::MAX] {
        let outcome = Outcome::Failed { why: "no".to_owned(), pause: Pause::None };
        world.event(Event::Answered { source, address: None, outcome });
    }
    world.run(20);
    assert!(world.status().synchronised);
}

#[test]
fn a_known_frequency_is_used_from_the_start() {
    let started = Started {
        built: BUILT,
        last_known: Some(LastKnown { time: BUILT, proved: None, frequency_ppm: -45.5 }),
        standing: Standing::Plausible,
    };
    assert!((Discipline::new(&started).crystal_ppm() + 45.5).abs() < f64::EPSILON);
}

#[test]
fn the_first_second_takes_no_longer_than_the_rounds_need() {
    let mut world = World::new(LINE, Span::from_secs(-5), 0.0, &[honest(Protocol::Plain); 4]);
    let mut seconds = 0;
    while !world.status().synchronised {
        world.run(1);
        seconds += 1;
        assert!(seconds < 30);
    }
    assert!((3..=8).contains(&seconds), "{seconds}");
    assert_eq!(Duration::from_secs(64), rounds::SHORTEST);
}
