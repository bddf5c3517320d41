//! Every pair of state and event, and the stories of the specification.

use proptest::prelude::*;

use super::*;

const RULES: Rules = Rules { ready_within: Duration::from_secs(60), watchdog: Duration::from_secs(30) };
const NOW: Duration = Duration::from_secs(1000);

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn ended() -> Event {
    Event::Ended { how: "exited with status 1".to_owned() }
}

fn states() -> Vec<State> {
    let since = s(990);
    let until = NOW;
    vec![
        State::Waiting,
        State::Starting { since },
        State::Ready { since, silent_until: None },
        State::Ready { since, silent_until: Some(until) },
        State::Killing { since, again: until },
        State::Backoff { until },
        State::Degraded { until },
        State::Stopping { until, killed: false, then: Then::Stay },
        State::Stopping { until, killed: true, then: Then::Stay },
        State::Stopping { until, killed: false, then: Then::Start },
        State::Stopping { until, killed: true, then: Then::Start },
        State::Stopping { until, killed: false, then: Then::Wait },
        State::Stopping { until, killed: true, then: Then::Wait },
        State::Stopped,
    ]
}

fn events() -> Vec<Event> {
    vec![Event::Go, Event::Ready, Event::Alive, ended(), Event::Due, Event::Stop, Event::Restart, Event::Hold]
}

/// Whether a process of the service exists in a state.
fn has_process(state: State) -> bool {
    match state {
        State::Starting { .. } | State::Ready { .. } | State::Killing { .. } | State::Stopping { .. } => true,
        State::Waiting | State::Backoff { .. } | State::Degraded { .. } | State::Stopped => false,
    }
}

fn label(state: State) -> &'static str {
    match state {
        State::Waiting => "waiting",
        State::Starting { .. } => "starting",
        State::Ready { .. } => "ready",
        State::Killing { .. } => "killing",
        State::Backoff { .. } => "backoff",
        State::Degraded { .. } => "degraded",
        State::Stopping { then: Then::Stay, .. } => "stopping",
        State::Stopping { then: Then::Start, .. } => "restarting",
        State::Stopping { then: Then::Wait, .. } => "holding",
        State::Stopped => "stopped",
    }
}

#[test]
fn every_pair_of_state_and_event_does_what_the_table_says() {
    // Columns: Go, Ready, Alive, Ended, Due, Stop, Restart, Hold.
    let expected = [
        ["starting", "waiting", "waiting", "waiting", "waiting", "stopped", "starting", "waiting"],
        ["starting", "ready", "starting", "backoff", "killing", "stopping", "restarting", "holding"],
        ["ready", "ready", "ready", "backoff", "ready", "stopping", "restarting", "holding"],
        ["ready", "ready", "ready", "backoff", "killing", "stopping", "restarting", "holding"],
        ["killing", "killing", "killing", "backoff", "killing", "stopping", "restarting", "holding"],
        ["backoff", "backoff", "backoff", "backoff", "starting", "stopped", "starting", "waiting"],
        ["degraded", "degraded", "degraded", "degraded", "starting", "stopped", "starting", "waiting"],
        ["stopping", "stopping", "stopping", "stopped", "stopping", "stopping", "stopping", "stopping"],
        ["stopping", "stopping", "stopping", "stopped", "stopped", "stopping", "stopping", "stopping"],
        [
            "restarting",
            "restarting",
            "restarting",
            "starting",
            "restarting",
            "stopping",
            "restarting",
            "holding",
        ],
        [
            "restarting",
            "restarting",
            "restarting",
            "starting",
            "restarting",
            "stopping",
            "restarting",
            "holding",
        ],
        ["holding", "holding", "holding", "waiting", "holding", "stopping", "holding", "holding"],
        ["holding", "holding", "holding", "waiting", "holding", "stopping", "holding", "holding"],
        ["stopped", "stopped", "stopped", "stopped", "stopped", "stopped", "stopped", "stopped"],
    ];
    for (state, row) in states().into_iter().zip(expected) {
        for (event, wanted) in events().into_iter().zip(row) {
            let mut machine = Machine { state, ..Machine::new(RULES) };
            let effects = machine.step(event.clone(), NOW);
            assert_eq!(label(machine.state), wanted, "{state:?} {event:?}");
            let starts = effects.contains(&Effect::Start);
            let gone = matches!(event, Event::Ended { .. });
            assert!(!starts || gone || !has_process(state), "two processes: {state:?} {event:?}");
            assert_eq!(starts, wanted == "starting" && label(state) != "starting", "{state:?} {event:?}");
            if let Some(due) = machine.due().filter(|_| event == Event::Due) {
                assert!(due > NOW, "a due time in the past would spin: {state:?}");
            }
        }
    }
}

/// Fails at once after each start; returns the pauses until the n-th failure.
fn pauses(machine: &mut Machine, mut now: Duration, failures: usize) -> Vec<u128> {
    let mut pauses = Vec::new();
    for _ in 0..failures {
        machine.step(ended(), now);
        let due = machine.due().unwrap();
        pauses.push((due - now).as_millis());
        now = due;
        machine.step(Event::Due, now);
    }
    pauses
}

#[test]
fn pauses_double_to_thirty_seconds_and_then_it_is_degraded_with_a_reason() {
    let mut machine = Machine::new(RULES);
    assert_eq!(machine.step(Event::Go, s(1)), [Effect::Start]);
    let found = pauses(&mut machine, s(1), 12);
    assert_eq!(found, [100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 60000, 60000]);
    assert_eq!(machine.report_state(), ServiceState::Degraded);
    assert_eq!(machine.reason(), Some("exited with status 1"));
    assert_eq!(machine.restarts(), 12);
}

#[test]
fn a_minute_of_being_up_makes_the_pauses_small_again() {
    let mut machine = Machine::new(RULES);
    machine.step(Event::Go, s(0));
    pauses(&mut machine, s(0), 6);
    let State::Starting { since } = machine.state() else { panic!("{:?}", machine.state()) };
    machine.step(Event::Ready, since + s(1));
    machine.step(ended(), since + s(59));
    assert_eq!(machine.due(), Some(since + s(59) + Duration::from_millis(6400)));

    let mut machine = Machine::new(RULES);
    machine.step(Event::Go, s(0));
    pauses(&mut machine, s(0), 6);
    let State::Starting { since } = machine.state() else { panic!("{:?}", machine.state()) };
    machine.step(Event::Ready, since + s(1));
    machine.step(ended(), since + s(60));
    assert_eq!(machine.due(), Some(since + s(60) + FIRST_PAUSE));
}

#[test]
fn rare_failures_never_degrade() {
    let mut machine = Machine::new(RULES);
    machine.step(Event::Go, s(0));
    let mut now = s(0);
    for _ in 0..100 {
        machine.step(Event::Ready, now);
        now += s(61);
        machine.step(ended(), now);
        assert_eq!(machine.report_state(), ServiceState::Backoff);
        machine.step(Event::Due, now);
    }
}

#[test]
fn a_degraded_service_that_gets_ready_is_ready() {
    let mut machine = Machine::new(RULES);
    machine.step(Event::Go, s(0));
    pauses(&mut machine, s(0), 11);
    machine.step(Event::Ready, s(500));
    assert_eq!(machine.report_state(), ServiceState::Ready);
    assert_eq!(machine.reason(), None);
}

#[test]
fn being_late_or_silent_counts_as_a_failure_with_its_own_reason() {
    let mut machine = Machine::new(RULES);
    machine.step(Event::Go, s(0));
    assert_eq!(machine.due(), Some(s(60)));
    assert_eq!(machine.step(Event::Due, s(60)), [Effect::Kill]);
    machine.step(ended(), s(60));
    assert_eq!(machine.reason(), Some("was not ready within 60 s"));

    let mut machine = Machine::new(RULES);
    machine.step(Event::Go, s(0));
    machine.step(Event::Ready, s(1));
    assert_eq!(machine.due(), None, "the watchdog is armed by the first WATCHDOG=1 only");
    machine.step(Event::Alive, s(2));
    assert_eq!(machine.due(), Some(s(32)));
    machine.step(Event::Alive, s(20));
    assert_eq!(machine.due(), Some(s(50)));
    assert_eq!(machine.step(Event::Due, s(50)), [Effect::Kill]);
    machine.step(ended(), s(51));
    assert_eq!(machine.reason(), Some("was silent for 30 s"));
}

#[test]
fn a_service_that_ignores_sigterm_is_killed_after_ten_seconds_and_given_up_after_fifteen() {
    let mut machine = Machine::new(RULES);
    machine.step(Event::Go, s(0));
    assert_eq!(machine.step(Event::Stop, s(5)), [Effect::Terminate]);
    assert_eq!(machine.due(), Some(s(15)));
    assert_eq!(machine.step(Event::Due, s(15)), [Effect::Kill]);
    assert_eq!(machine.due(), Some(s(20)));
    machine.step(Event::Due, s(20));
    assert_eq!(machine.state(), State::Stopped);
}

proptest! {
    /// Whatever happens in whatever order, a stop that is waited for ends.
    #[test]
    fn stop_always_ends(choices in proptest::collection::vec(0usize..7, 0..60)) {
        let mut machine = Machine::new(RULES);
        let mut now = s(0);
        for choice in choices {
            now += s(3);
            machine.step(events()[choice].clone(), now);
        }
        machine.step(Event::Stop, now);
        for _ in 0..4 {
            if let Some(due) = machine.due() {
                now = due.max(now);
                machine.step(Event::Due, now);
            }
        }
        prop_assert_eq!(machine.state(), State::Stopped);
        prop_assert!(machine.failures.len() <= FAILURES_TOLERATED + 1);
    }
}
