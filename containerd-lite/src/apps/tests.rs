//! Single transitions by hand; whole lives by chance.

use super::*;
use model::containers::After;
use model::containers::ContainerReport;
use model::containers::ContainerSpec;
use model::containers::DataState;
use model::containers::HealthCheck;
use model::containers::Probe;
use model::containers::RestartPolicy;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::collections::VecDeque;

fn part(text: &str) -> PartName {
    text.parse().unwrap()
}

fn container() -> ContainerSpec {
    serde_json::from_str(
        r#"{"image":{"name":"docker.io/library/redis:7","manifest":"sha256:00"},"limits":{"memory_bytes":67108864,"tasks":64}}"#,
    )
    .unwrap()
}

fn checked() -> ContainerSpec {
    let probe = Probe::Command(vec!["true".to_owned()]);
    let health =
        HealthCheck { probe, interval_seconds: 30, timeout_seconds: 5, retries: 2, start_seconds: 20 };
    ContainerSpec { health: Some(health), ..container() }
}

fn after(spec: ContainerSpec, first: &str, until: Until) -> ContainerSpec {
    ContainerSpec { after: vec![After { container: part(first), until }], ..spec }
}

fn spec<const N: usize>(containers: [(&str, ContainerSpec); N]) -> AppSpec {
    let spec = AppSpec { containers: containers.map(|(name, spec)| (part(name), spec)).into() };
    spec.check().unwrap();
    spec
}

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn ended(name: &str, end: End) -> Event {
    Event::Ended(part(name), end)
}

fn report(app: &App, now: u64) -> AppReport {
    app.report(&"notes".parse().unwrap(), s(now))
}

fn of(app: &App, name: &str, now: u64) -> ContainerReport {
    report(app, now).containers[&part(name)].clone()
}

/// An app whose first container was just started, at 100 s.
fn started(containers: AppSpec, first: &str) -> App {
    let mut app = App::new(containers, Wanted::Stopped);
    assert_eq!(app.step(Event::Want(Wanted::Running), s(100)), [Action::Attach]);
    assert_eq!(app.step(Event::Attached, s(100)), [Action::Start(part(first))]);
    assert_eq!(app.state(), AppState::Starting);
    app.step(Event::Started(part(first)), s(100));
    app
}

#[test]
fn nothing_starts_before_the_network_is_there_and_it_is_tried_again() {
    let mut app = App::new(spec([("web", container())]), Wanted::Running);
    assert_eq!(app.step(Event::Due, s(1)), [Action::Attach]);
    for (at, pause) in [(1, 1), (2, 2), (4, 4), (8, 8), (16, 16), (32, 30), (62, 30)] {
        assert_eq!(app.step(Event::NotAttached("netd does not answer".to_owned()), s(at)), []);
        assert_eq!(app.due(), Some(s(at + pause)));
        let report = report(&app, at);
        assert_eq!(
            (report.state, &*report.reasons),
            (AppState::Starting, &["it waits for the network: netd does not answer".to_owned()][..])
        );
        assert_eq!(of(&app, "web", at).state, ContainerState::Waiting);
        assert_eq!(app.step(Event::Due, s(at + pause) - Duration::from_millis(1)), []);
        assert_eq!(app.step(Event::Due, s(at + pause)), [Action::Attach]);
    }
    assert_eq!(app.step(Event::Attached, s(99)), [Action::Start(part("web"))]);
}

#[test]
fn an_app_runs_and_stops_and_its_network_goes_last() {
    let mut app = started(spec([("web", container())]), "web");
    assert_eq!((app.state(), app.due()), (AppState::Running, None));
    assert_eq!(of(&app, "web", 160).seconds_up, Some(60));
    assert_eq!(app.step(Event::Want(Wanted::Stopped), s(200)), [Action::Stop(part("web"))]);
    assert_eq!((app.state(), app.due(), app.is_at_rest()), (AppState::Stopping, Some(s(210)), false));
    assert_eq!(app.step(Event::Due, s(210)), [Action::Kill(part("web"))]);
    assert_eq!(app.step(Event::Due, s(215)), [Action::Kill(part("web"))]);
    assert_eq!(app.step(ended("web", End::Signal(9)), s(216)), [Action::Detach]);
    assert!(app.is_at_rest() && app.state() == AppState::Stopped);
    assert_eq!(app.step(Event::Detached, s(217)), []);
    assert_eq!((of(&app, "web", 217).last_end, of(&app, "web", 217).reason), (Some(End::Signal(9)), None));
}

#[test]
fn data_is_hidden_after_the_last_process_and_shown_before_the_first() {
    let mut app = started(spec([("web", container())]), "web");
    assert_eq!(app.step(Event::Lock, s(200)), [Action::Stop(part("web"))]);
    let told = report(&app, 200);
    assert_eq!((told.state, told.data), (AppState::Stopping, DataState::Locking));
    assert_eq!(app.step(ended("web", End::Code(0)), s(201)), [Action::Detach, Action::Lock]);
    // Somebody is in a folder of it.
    assert_eq!(app.step(Event::Locked(false), s(202)), []);
    assert_eq!((app.due(), report(&app, 202).data), (Some(s(207)), DataState::Locking));
    assert_eq!(app.step(Event::Due, s(207)), [Action::Lock]);
    assert_eq!(app.step(Event::Locked(true), s(208)), []);
    app.step(Event::Detached, s(208));
    let told = report(&app, 208);
    assert_eq!((told.wanted, told.state, told.data), (Wanted::Running, AppState::Locked, DataState::Locked));
    assert_eq!((told.containers[&part("web")].state, app.due()), (ContainerState::Stopped, None));
    // A wrong key.
    assert_eq!(app.step(Event::Unlocking, s(300)), []);
    assert_eq!(app.step(Event::Unlocked(false), s(301)), []);
    assert_eq!(app.state(), AppState::Locked);
    app.step(Event::Unlocking, s(302));
    assert_eq!(app.step(Event::Unlocked(true), s(303)), [Action::Attach]);
    assert_eq!(app.step(Event::Attached, s(304)), [Action::Start(part("web"))]);
    assert_eq!(report(&app, 304).data, DataState::Open);
}

#[test]
fn what_ends_is_started_again_after_pauses_that_double() {
    let mut app = started(spec([("web", container())]), "web");
    let mut now = 100;
    for (times, pause) in (1..).zip([1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]) {
        assert_eq!(app.step(ended("web", End::Code(1)), s(now)), []);
        let is_looping = times >= 5;
        assert_eq!(app.state(), if is_looping { AppState::Unhealthy } else { AppState::Starting });
        let told = of(&app, "web", now);
        assert_eq!((told.state, told.restarts), (ContainerState::BackingOff, times - 1));
        let reason = told.reason.unwrap();
        assert_eq!(reason.starts_with(&format!("it ended {times} times")), is_looping, "{reason}");
        assert!(reason.ends_with("it ended with code 1"));
        assert_eq!(app.due(), Some(s(now + pause)));
        now += pause;
        assert_eq!(app.step(Event::Due, s(now)), [Action::Start(part("web"))]);
        app.step(Event::Started(part("web")), s(now));
    }
    // It runs, and is not trusted yet.
    assert_eq!((app.state(), app.due()), (AppState::Unhealthy, Some(s(now + 600))));
    app.step(Event::Due, s(now + 600));
    assert_eq!((app.state(), app.due(), of(&app, "web", now).reason), (AppState::Running, None, None));
    app.step(ended("web", End::OutOfMemory), s(now + 601));
    assert_eq!(app.due(), Some(s(now + 602)));
    assert!(of(&app, "web", now).reason.unwrap().contains("64 MiB"));
}

#[test]
fn who_starts_it_again_by_hand_does_not_wait() {
    let mut app = started(spec([("web", container())]), "web");
    for _ in 0..6 {
        app.step(ended("web", End::Code(1)), s(200));
        let due = app.due().unwrap();
        app.step(Event::Due, due);
        app.step(Event::Started(part("web")), due);
    }
    app.step(ended("web", End::Code(1)), s(300));
    assert_eq!(app.step(Event::Want(Wanted::Running), s(301)), [Action::Start(part("web"))]);
    app.step(Event::Started(part("web")), s(301));
    assert_eq!((app.state(), of(&app, "web", 301).restarts), (AppState::Running, 0));
}

#[test]
fn the_policy_says_what_is_started_again() {
    use RestartPolicy::Always;
    use RestartPolicy::Never;
    use RestartPolicy::OnFailure;
    for (restart, end, state) in [
        (Always, End::Code(0), ContainerState::BackingOff),
        (Always, End::Code(1), ContainerState::BackingOff),
        (OnFailure, End::Code(0), ContainerState::Completed),
        (OnFailure, End::Code(1), ContainerState::BackingOff),
        (OnFailure, End::OutOfMemory, ContainerState::BackingOff),
        (OnFailure, End::Unknown, ContainerState::BackingOff),
        (Never, End::Code(0), ContainerState::Completed),
        (Never, End::Code(1), ContainerState::Failed),
        (Never, End::Signal(11), ContainerState::Failed),
    ] {
        let mut app = started(spec([("job", ContainerSpec { restart, ..container() })]), "job");
        app.step(ended("job", end), s(101));
        assert_eq!(of(&app, "job", 101).state, state, "{restart:?} {end:?}");
        let whole = match state {
            ContainerState::Completed => AppState::Running,
            ContainerState::Failed => AppState::Failed,
            ContainerState::Stopped
            | ContainerState::Waiting
            | ContainerState::Starting
            | ContainerState::Running
            | ContainerState::Unhealthy
            | ContainerState::BackingOff
            | ContainerState::Stopping => AppState::Starting,
        };
        assert_eq!(app.state(), whole);
        assert_eq!(app.due().is_some(), state == ContainerState::BackingOff);
    }
}

#[test]
fn what_cannot_be_started_is_tried_again_only_when_that_may_help() {
    let mut app = App::new(spec([("web", container())]), Wanted::Running);
    app.step(Event::Due, s(1));
    app.step(Event::Attached, s(1));
    let not_started =
        |retry| Event::NotStarted { part: part("web"), why: "its image is not there".to_owned(), retry };
    app.step(not_started(Retry::MayHelp), s(2));
    assert_eq!(app.due(), Some(s(3)));
    assert_eq!(app.step(Event::Due, s(3)), [Action::Start(part("web"))]);
    assert_eq!(app.step(not_started(Retry::Useless), s(3)), []);
    assert_eq!((app.state(), app.due()), (AppState::Failed, None));
    assert_eq!(report(&app, 3).reasons, ["web: it cannot be started: its image is not there"]);
    // Another specification may be better.
    let other = ContainerSpec { user: Some("7".to_owned()), ..container() };
    assert_eq!(app.step(Event::Set(spec([("web", other)])), s(4)), [Action::Start(part("web"))]);
}

#[test]
fn what_failed_while_it_was_replaced_is_started_as_it_is_wanted_now() {
    let mut app = App::new(spec([("web", container())]), Wanted::Running);
    app.step(Event::Due, s(1));
    app.step(Event::Attached, s(1));
    let other = ContainerSpec { user: Some("7".to_owned()), ..container() };
    assert_eq!(app.step(Event::Set(spec([("web", other)])), s(2)), []);
    let failed = Event::NotStarted { part: part("web"), why: String::new(), retry: Retry::Useless };
    assert_eq!(app.step(failed, s(3)), [Action::Start(part("web"))]);
}

#[test]
fn containers_wait_for_those_that_come_first() {
    let once = ContainerSpec { restart: RestartPolicy::Never, ..container() };
    let mut web = after(container(), "migrate", Until::Completed);
    web.after.push(After { container: part("cache"), until: Until::Healthy });
    let mut app = started(
        spec([
            ("db", container()),
            ("migrate", after(once, "db", Until::Started)),
            ("cache", after(checked(), "migrate", Until::Started)),
            ("web", web),
        ]),
        "db",
    );
    assert_eq!(of(&app, "web", 100).reason.unwrap(), "for migrate to complete");
    // Its start was asked for when db ran.
    assert_eq!(of(&app, "migrate", 100).state, ContainerState::Starting);
    assert_eq!(app.step(Event::Started(part("migrate")), s(101)), [Action::Start(part("cache"))]);
    app.step(Event::Started(part("cache")), s(101));
    assert_eq!(
        app.step(ended("migrate", End::Code(0)), s(102)),
        [Action::Probe { part: part("cache"), run: 1 }]
    );
    assert_eq!(of(&app, "web", 102).reason.unwrap(), "for cache to be healthy");
    let healthy = Event::Probed { part: part("cache"), run: 1, found: Ok(()) };
    assert_eq!(app.step(healthy, s(103)), [Action::Start(part("web"))]);
    app.step(Event::Started(part("web")), s(103));
    assert_eq!(app.state(), AppState::Running);
    // Down in reverse.
    assert_eq!(app.step(Event::Want(Wanted::Stopped), s(110)), [Action::Stop(part("web"))]);
    assert_eq!(app.step(ended("web", End::Code(0)), s(111)), [Action::Stop(part("cache"))]);
    assert_eq!(app.step(ended("cache", End::Code(0)), s(112)), [Action::Stop(part("db"))]);
    assert_eq!(app.step(ended("db", End::Code(0)), s(113)), [Action::Detach]);
}

#[test]
fn finished_work_is_done_again_only_when_the_app_was_stopped_or_restarted() {
    let once = ContainerSpec { restart: RestartPolicy::Never, ..container() };
    let mut app = started(spec([("migrate", once)]), "migrate");
    app.step(ended("migrate", End::Code(0)), s(101));
    assert_eq!(app.step(Event::Want(Wanted::Running), s(102)), []);
    assert_eq!(app.step(Event::Restart, s(103)), [Action::Start(part("migrate"))]);
    app.step(Event::Started(part("migrate")), s(103));
    app.step(ended("migrate", End::Code(0)), s(104));
    assert_eq!(app.step(Event::Want(Wanted::Stopped), s(105)), [Action::Detach]);
    app.step(Event::Detached, s(105));
    assert_eq!(app.step(Event::Want(Wanted::Running), s(106)), [Action::Attach]);
    assert_eq!(app.step(Event::Attached, s(106)), [Action::Start(part("migrate"))]);
}

#[test]
fn checks_count_after_the_time_to_start_and_only_in_a_row() {
    let mut app = started(spec([("web", checked())]), "web");
    let probed = |found: Result<(), &str>| Event::Probed {
        part: part("web"),
        run: 1,
        found: found.map_err(str::to_owned),
    };
    let probe = || [Action::Probe { part: part("web"), run: 1 }];
    assert_eq!((app.state(), app.due()), (AppState::Starting, Some(s(101))));
    assert_eq!(app.step(Event::Due, s(101)), probe());
    assert_eq!(app.due(), None);
    for at in [101, 110, 119] {
        app.step(probed(Err("no answer")), s(at));
        assert_eq!((app.state(), app.due()), (AppState::Starting, Some(s(at + 30))));
    }
    app.step(probed(Err("no answer")), s(149));
    assert_eq!(app.state(), AppState::Starting);
    app.step(probed(Err("no answer")), s(179));
    assert_eq!(app.state(), AppState::Unhealthy);
    assert_eq!(report(&app, 179).reasons, ["web: its check fails: no answer"]);
    app.step(probed(Ok(())), s(209));
    assert_eq!((app.state(), report(&app, 209).reasons), (AppState::Running, Vec::new()));
    // One failure is none.
    for found in [Err("x"), Ok(()), Err("x"), Ok(())] {
        app.step(probed(found), s(240));
        assert_eq!(app.state(), AppState::Running);
    }
    // What is said of an earlier run means nothing.
    for _ in 0..2 {
        app.step(Event::Probed { part: part("web"), run: 0, found: Err("x".to_owned()) }, s(241));
    }
    assert_eq!(app.state(), AppState::Running);
}

#[test]
fn only_what_differs_is_stopped_and_started_anew() {
    let mut app = started(spec([("a", container()), ("b", after(container(), "a", Until::Started))]), "a");
    app.step(Event::Started(part("b")), s(101));
    let other = ContainerSpec { user: Some("7".to_owned()), ..container() };
    let changed = spec([("a", other.clone()), ("b", after(container(), "a", Until::Started))]);
    assert_eq!(app.step(Event::Set(changed), s(102)), [Action::Stop(part("a"))]);
    assert_eq!(app.step(ended("a", End::Code(0)), s(103)), [Action::Start(part("a"))]);
    app.step(Event::Started(part("a")), s(104));
    assert_eq!(app.step(Event::Set(spec([("a", other)])), s(105)), [Action::Stop(part("b"))]);
    app.step(ended("b", End::Code(0)), s(106));
    assert_eq!(report(&app, 106).containers.len(), 1);
    assert_eq!(app.state(), AppState::Running);
}

#[test]
fn a_removed_app_is_gone_when_nothing_of_it_is_left() {
    let mut app = started(spec([("web", container())]), "web");
    assert_eq!(app.step(Event::Remove, s(101)), [Action::Stop(part("web"))]);
    assert_eq!(app.step(ended("web", End::Code(0)), s(102)), [Action::Detach]);
    assert_eq!((app.is_gone(), app.state()), (false, AppState::Stopping));
    app.step(Event::Detached, s(103));
    assert!(app.is_gone());
}

#[test]
fn a_stop_signal_that_kills_does_not_wait() {
    let stop = serde_json::from_str(r#"{"signal":"SIGKILL","seconds":60}"#).unwrap();
    let mut app = started(spec([("web", ContainerSpec { stop, ..container() })]), "web");
    assert_eq!(app.step(Event::Want(Wanted::Stopped), s(101)), [Action::Kill(part("web"))]);
    assert_eq!(app.due(), Some(s(106)));
}

fn found_up(spec: Option<ContainerSpec>) -> Found {
    Found { spec, restarts: 3, up_since: Some(s(50)), ..Found::default() }
}

#[test]
fn what_ran_under_an_earlier_daemon_goes_on() {
    let once = ContainerSpec { restart: RestartPolicy::Never, ..container() };
    let whole = spec([("job", once.clone()), ("web", container())]);
    let done = Found { spec: Some(once), last_end: Some(End::Code(0)), is_final: true, ..Found::default() };
    let parts = BTreeMap::from([(part("job"), done), (part("web"), found_up(Some(container())))]);
    let mut app = App::found(whole, Wanted::Running, FoundNetwork::Whole, parts);
    assert_eq!(app.step(Event::Due, s(100)), []);
    assert_eq!((app.state(), of(&app, "web", 100).seconds_up), (AppState::Running, Some(50)));
    assert_eq!((of(&app, "web", 100).restarts, of(&app, "job", 100).state), (3, ContainerState::Completed));
}

#[test]
fn what_ran_otherwise_under_an_earlier_daemon_is_started_anew() {
    let other = ContainerSpec { user: Some("7".to_owned()), ..container() };
    for before in [Some(other), None] {
        let parts = BTreeMap::from([(part("web"), found_up(before))]);
        let mut app = App::found(spec([("web", container())]), Wanted::Running, FoundNetwork::Whole, parts);
        assert_eq!(app.step(Event::Due, s(100)), [Action::Stop(part("web"))]);
        assert_eq!(app.step(ended("web", End::Unknown), s(101)), [Action::Start(part("web"))]);
    }
}

#[test]
fn a_network_that_nobody_knows_is_made_anew_when_it_is_empty() {
    let parts = BTreeMap::from([(part("web"), found_up(Some(container())))]);
    let mut app = App::found(spec([("web", container())]), Wanted::Running, FoundNetwork::Lost, parts);
    assert_eq!(app.step(Event::Due, s(100)), [Action::Stop(part("web"))]);
    assert_eq!(app.step(ended("web", End::Code(0)), s(101)), [Action::Detach]);
    assert_eq!(app.step(Event::Detached, s(102)), [Action::Attach]);
    assert_eq!(app.step(Event::Attached, s(103)), [Action::Start(part("web"))]);
}

/// A runtime and a netd that answer in any order, now and then with a refusal; data is shown and hidden in turn.
#[derive(Default)]
struct World {
    attached: bool,
    alive: BTreeSet<PartName>,
    asked: Vec<Action>,
    is_shown: bool,
    /// Data to be shown, or hidden.
    keys: VecDeque<bool>,
}

impl World {
    fn take(&mut self, actions: Vec<Action>, app: &App) -> Result<(), TestCaseError> {
        for action in actions {
            match &action {
                Action::Attach => prop_assert!(!self.attached && !self.is_asked(&action)),
                Action::Detach => {
                    prop_assert!(self.alive.is_empty(), "the network is taken from what runs");
                    let starts = self.asked.iter().any(|asked| matches!(asked, Action::Start(_)));
                    prop_assert!(!starts && !self.is_asked(&action));
                }
                Action::Start(name) => {
                    prop_assert!(self.attached, "{name} starts without a network");
                    prop_assert!(!self.alive.contains(name) && !self.is_asked(&action));
                    prop_assert_eq!(app.wanted(), Wanted::Running);
                    prop_assert!(app.has_open_data() && self.is_shown, "{name} starts without its data");
                    let spec = &app.spec().containers[name];
                    for after in spec.after.iter().filter(|after| after.until == Until::Started) {
                        let first = app.parts().find(|(other, _)| **other == after.container).unwrap().1;
                        prop_assert!(
                            self.alive.contains(&after.container) || first.has_come(Until::Completed)
                        );
                    }
                }
                Action::Stop(name) | Action::Kill(name) => prop_assert!(self.alive.contains(name)),
                Action::Probe { part, .. } => prop_assert!(self.alive.contains(part)),
                Action::Lock => {
                    prop_assert!(self.alive.is_empty(), "what runs has files open");
                    let starts = self.asked.iter().any(|asked| matches!(asked, Action::Start(_)));
                    prop_assert!(!starts && !app.has_open_data());
                    self.keys.push_back(false);
                    continue;
                }
            }
            if !matches!(action, Action::Kill(_)) || !self.is_asked(&action) {
                self.asked.push(action);
            }
        }
        Ok(())
    }

    fn is_asked(&self, action: &Action) -> bool {
        self.asked.contains(action)
    }

    /// Shows or hides the data, whatever comes first.
    fn turn_key(&mut self, goes_well: bool) -> Option<Event> {
        let shows = self.keys.pop_front()?;
        if goes_well {
            self.is_shown = shows;
        }
        Some(if shows { Event::Unlocked(self.is_shown) } else { Event::Locked(goes_well) })
    }

    /// Carries one out; what it answers.
    fn answer(&mut self, index: usize, goes_well: bool) -> Option<Event> {
        let action = self.asked.remove(index);
        match action {
            Action::Attach => {
                self.attached = goes_well;
                Some(if goes_well { Event::Attached } else { Event::NotAttached(String::new()) })
            }
            Action::Detach => {
                self.attached = false;
                Some(Event::Detached)
            }
            Action::Start(part) if goes_well => {
                self.alive.insert(part.clone());
                Some(Event::Started(part))
            }
            Action::Start(part) => {
                Some(Event::NotStarted { part, why: String::new(), retry: Retry::MayHelp })
            }
            Action::Stop(part) | Action::Kill(part) => {
                self.alive.remove(&part).then_some(Event::Ended(part, End::Code(0)))
            }
            Action::Probe { part, run } => {
                Some(Event::Probed { part, run, found: if goes_well { Ok(()) } else { Err(String::new()) } })
            }
            Action::Lock => None,
        }
    }
}

/// Specifications between which a life goes back and forth.
fn generation(number: u8) -> AppSpec {
    let user = |spec| ContainerSpec { user: Some(number.to_string()), ..spec };
    match number {
        0 => spec([("a", checked()), ("b", after(container(), "a", Until::Started))]),
        1 => spec([("a", after(user(container()), "b", Until::Started)), ("b", container())]),
        2 => spec([
            ("a", user(checked())),
            ("b", after(user(container()), "a", Until::Healthy)),
            ("c", after(container(), "b", Until::Started)),
        ]),
        _ => spec([("c", container())]),
    }
}

proptest! {
    #[test]
    fn whatever_happens_what_is_wanted_comes_about(
        steps in proptest::collection::vec((0_u8..16, any::<u8>(), any::<bool>()), 0..160),
        last in 0_u8..4,
        is_wanted in any::<bool>(),
        is_open in any::<bool>(),
    ) {
        let mut app = App::new(generation(0), Wanted::Stopped).with_data(false);
        let mut world = World::default();
        let mut now = s(1);
        for (kind, choice, goes_well) in steps {
            now += Duration::from_millis(700);
            let event = match kind {
                0 => Some(Event::Want(Wanted::Running)),
                1 => Some(Event::Want(Wanted::Stopped)),
                2 => Some(Event::Restart),
                3 => Some(Event::Set(generation(choice % 4))),
                4 => {
                    now = app.due().map_or(now, |due| due.max(now));
                    Some(Event::Due)
                }
                5 => {
                    let name = world.alive.iter().nth(usize::from(choice) % 3).cloned();
                    name.map(|name| {
                        world.alive.remove(&name);
                        Event::Ended(name, if goes_well { End::Code(0) } else { End::Signal(11) })
                    })
                }
                6 if goes_well => Some(Event::Lock),
                7 => {
                    world.keys.push_back(true);
                    Some(Event::Unlocking)
                }
                8 | 9 => world.turn_key(goes_well),
                _ if world.asked.is_empty() => None,
                _ => world.answer(usize::from(choice) % world.asked.len(), goes_well),
            };
            if let Some(event) = event {
                let actions = app.step(event, now);
                world.take(actions, &app)?;
            }
        }
        let wanted = if is_wanted { Wanted::Running } else { Wanted::Stopped };
        let key = if is_open { Event::Unlocking } else { Event::Lock };
        for event in [Event::Set(generation(last)), Event::Want(wanted), key] {
            if event == Event::Unlocking {
                world.keys.push_back(true);
            }
            let actions = app.step(event, now);
            world.take(actions, &app)?;
        }
        // From now on all goes well.
        for _ in 0..200 {
            let event = if let Some(event) = world.turn_key(true) {
                Some(event)
            } else if world.asked.is_empty() {
                match app.due() {
                    Some(due) if due > now + s(3600) => None,
                    // Checks never end.
                    Some(due) => {
                        now = due.max(now + Duration::from_millis(1));
                        Some(Event::Due)
                    }
                    None => None,
                }
            } else {
                world.answer(0, true)
            };
            if let Some(event) = event {
                let actions = app.step(event, now);
                prop_assert!(app.due().is_none_or(|due| due > now), "it is due again at once");
                world.take(actions, &app)?;
            }
        }
        let names: BTreeSet<PartName> = generation(last).containers.into_keys().collect();
        prop_assert_eq!((app.has_open_data(), world.is_shown), (is_open, is_open));
        if is_wanted && is_open {
            prop_assert_eq!(&world.alive, &names);
            prop_assert!(world.attached && app.state() == AppState::Running, "{:?}", app);
        } else {
            prop_assert!(world.alive.is_empty() && !world.attached);
            let state = if is_wanted { AppState::Locked } else { AppState::Stopped };
            prop_assert_eq!((app.state(), app.is_at_rest()), (state, !is_wanted));
        }
    }
}
