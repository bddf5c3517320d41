//! A box in a few variables: whatever fails and wherever it is cut, an app ends installed or not, and never with another's data.

use super::*;
use app_manifest::Manifest;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::num::NonZeroU16;

/// Editions are told apart by their ports.
type Mark = u16;

fn edition(mark: Mark) -> Edition {
    let text = br#"{"format":1,"title":"T","version":"1.0.0","containers":{"a":{"image":"a"}}}"#;
    Edition {
        manifest: Manifest::read(text).unwrap(),
        granted: BTreeSet::new(),
        links: BTreeMap::new(),
        assigned_port: NonZeroU16::new(mark).unwrap(),
        images: BTreeMap::new(),
        is_bare: false,
    }
}

fn pulled(edition: &Edition) -> Edition {
    let image = ImageChoice { name: "a".to_owned(), manifest: "sha256:00".to_owned() };
    edition.clone().with_images(BTreeMap::from([("a".parse().unwrap(), image)]))
}

fn mark(edition: &Edition) -> Mark {
    edition.assigned_port.get()
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct World {
    admitted: Option<Mark>,
    placed: Option<Mark>,
    is_running: bool,
    data: Option<Mark>,
    snapshot: Option<Option<Mark>>,
}

impl World {
    fn carry_out(&mut self, phase: &Phase, action: Action) -> Outcome {
        let subject = mark(phase.subject());
        match action {
            Action::Pull => return Outcome::Pulled(Box::new(pulled(phase.subject()))),
            Action::Admit | Action::Shut => self.admitted = phase.admitted().map(mark),
            Action::Place => {
                assert_eq!(self.admitted, Some(subject), "what runs is in the policy before it runs");
                assert!(!phase.subject().images.is_empty());
                self.placed = Some(subject);
            }
            Action::Start => {
                assert_eq!(self.placed, self.admitted);
                self.is_running = true;
                // A new version changes the data to its own form.
                self.data = self.placed;
            }
            Action::Prove => assert!(self.is_running),
            Action::Stop => self.is_running = false,
            Action::Save => {
                assert!(!self.is_running);
                self.snapshot = Some(self.data);
            }
            Action::Restore => {
                assert!(!self.is_running);
                if let Some(data) = self.snapshot.take() {
                    self.data = data;
                }
            }
            Action::Forget => self.snapshot = None,
            Action::Remove(data) => {
                (self.placed, self.is_running) = (None, false);
                if data == Data::Delete {
                    (self.data, self.snapshot) = (None, None);
                }
            }
        }
        Outcome::Done
    }
}

#[derive(Clone, Copy, Debug)]
enum Fate {
    Goes,
    Fails,
    CutBefore,
    CutAfter,
}

fn fates() -> impl Strategy<Value = Vec<Fate>> {
    let fate = prop_oneof![
        4 => Just(Fate::Goes),
        2 => Just(Fate::Fails),
        1 => Just(Fate::CutBefore),
        1 => Just(Fate::CutAfter),
    ];
    proptest::collection::vec(fate, 0..24)
}

/// Carries on until it rests; what is kept is all that outlives a cut.
fn run(mut phase: Phase, world: &mut World, fates: &[Fate]) -> (Option<Phase>, Option<String>) {
    let mut fates = fates.iter();
    let mut problem = None;
    for _ in 0..200 {
        let Some(action) = phase.action() else { return (Some(phase), problem) };
        // As it is read again after a cut.
        let text = serde_json::to_string(&phase).unwrap();
        assert_eq!(serde_json::from_str::<Phase>(&text).unwrap(), phase);
        let outcome = match fates.next().unwrap_or(&Fate::Goes) {
            Fate::Goes => world.carry_out(&phase, action),
            Fate::Fails => Outcome::Failed("it failed".to_owned()),
            Fate::CutBefore => continue,
            Fate::CutAfter => {
                world.carry_out(&phase, action);
                continue;
            }
        };
        match phase.clone().after(outcome) {
            Next::Phase(next, why) => {
                phase = *next;
                problem = why.or(problem);
            }
            Next::Gone(why) => return (None, why),
            Next::Again(_) => {}
        }
    }
    panic!("it never rests: {phase:?}");
}

fn installed(is_running: bool) -> World {
    World { admitted: Some(1), placed: Some(1), is_running, data: Some(1), snapshot: None }
}

#[test]
fn without_trouble_each_operation_does_what_it_is_called() {
    let mut world = World::default();
    let start = Phase::Installing { edition: edition(1), takes_up: false, step: InstallStep::Pull };
    assert_eq!(run(start, &mut world, &[]).0, Some(Phase::Installed { edition: pulled(&edition(1)) }));
    assert_eq!(world, installed(true));
    let update = Phase::Updating {
        old: Box::new(edition(1)),
        new: edition(2),
        was_running: true,
        step: UpdateStep::Pull,
    };
    assert_eq!(run(update, &mut world, &[]), (Some(Phase::Installed { edition: pulled(&edition(2)) }), None));
    assert_eq!(
        world,
        World { admitted: Some(2), placed: Some(2), is_running: true, data: Some(2), snapshot: None }
    );
    let remove = Phase::Removing { edition: edition(2), data: Data::Keep, step: RemoveStep::Take };
    assert_eq!(run(remove, &mut world, &[]).0, Some(Phase::Removed { edition: edition(2) }));
    assert_eq!(world, World { data: Some(2), ..World::default() });
}

#[test]
fn a_version_that_does_not_prove_itself_goes_with_what_it_did_to_the_data() {
    let goes = [Fate::Goes; 6];
    let mut world = installed(true);
    let old = pulled(&edition(1));
    let update = Phase::Updating {
        old: Box::new(old.clone()),
        new: edition(2),
        was_running: true,
        step: UpdateStep::Pull,
    };
    let fates: Vec<_> = goes.into_iter().chain([Fate::Goes, Fate::Fails]).collect();
    let (end, problem) = run(update, &mut world, fates.get(1..).unwrap());
    assert_eq!((end, problem.as_deref()), (Some(Phase::Installed { edition: old }), Some("it failed")));
    assert_eq!(world, installed(true));
}

proptest! {
    #[test]
    fn an_installation_is_whole_or_nothing(fates in fates(), takes_up: bool) {
        let mut world = World { data: takes_up.then_some(9), ..World::default() };
        let start = Phase::Installing { edition: edition(1), takes_up, step: InstallStep::Pull };
        let (end, problem) = run(start, &mut world, &fates);
        match end {
            Some(Phase::Installed { edition }) => {
                prop_assert_eq!(&world, &installed(true));
                prop_assert!(!edition.images.is_empty() && problem.is_none());
            }
            other => {
                prop_assert!(problem.is_some());
                prop_assert_eq!(other.is_some(), takes_up);
                prop_assert_eq!(world.data.is_some(), takes_up, "data that was there before stays, other goes");
                // Where netd could not be told, it is told later.
                prop_assert_eq!(World { data: None, admitted: None, ..world }, World::default());
            }
        }
    }

    #[test]
    fn an_update_leaves_the_new_version_or_the_old_one_with_the_old_data(fates in fates(), was_running: bool) {
        let mut world = installed(was_running);
        let old = pulled(&edition(1));
        let start = Phase::Updating { old: Box::new(old.clone()), new: edition(2), was_running, step: UpdateStep::Pull };
        let (end, problem) = run(start, &mut world, &fates);
        let Some(Phase::Installed { edition }) = end else { panic!("an update loses no app: {end:?}") };
        let which = mark(&edition);
        prop_assert_eq!((world.placed, world.admitted, world.data), (Some(which), Some(which), Some(which)));
        if which == 2 {
            prop_assert!(problem.is_none());
            prop_assert_eq!(world.is_running, was_running);
        } else {
            prop_assert_eq!(edition, old);
            let problem = problem.unwrap_or_default();
            prop_assert!(!problem.is_empty(), "a rollback says why");
            // It runs again, or why it does not is said.
            prop_assert!(world.is_running == was_running || problem.contains("could not be started"));
        }
    }

    #[test]
    fn a_removal_ends_with_nothing_but_the_data_that_is_to_stay(fates in fates(), keeps: bool) {
        let mut world = installed(true);
        let data = if keeps { Data::Keep } else { Data::Delete };
        let start = Phase::Removing { edition: edition(1), data, step: RemoveStep::Take };
        let (end, _) = run(start, &mut world, &fates);
        prop_assert_eq!(end, keeps.then(|| Phase::Removed { edition: edition(1) }));
        prop_assert_eq!(world.data, keeps.then_some(1));
        // Where netd could not be told, it is told later.
        prop_assert_eq!(World { data: None, admitted: None, ..world }, World::default());
    }
}
