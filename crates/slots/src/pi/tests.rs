use super::*;
use crate::Effect;
use crate::Event;
use crate::Note;
use crate::Order;
use crate::Reason;
use crate::Restart;
use crate::Words;

fn version(text: &str) -> Version {
    text.parse().unwrap()
}

/// Version 1 on side A is committed.
fn seen(label_b: Option<&str>, side: Side, has_tryboot: bool, notes: &[Note]) -> Seen {
    let mut seen = Seen {
        autoboot: Some(Autoboot { committed: Side::A }),
        numbers: BTreeSet::new(),
        label_a: Some(version("1")),
        label_b: label_b.map(version),
        boot: Some(Boot { side, has_tryboot }),
        notes: Notes::default(),
    };
    notes.iter().for_each(|note| seen.notes.apply(note));
    seen
}

fn armed(text: &str) -> Note {
    Note::Armed { version: version(text) }
}

fn tried(text: &str) -> Note {
    Note::Tried { version: version(text) }
}

fn failed(text: &str, reason: Reason) -> Note {
    Note::Failed { version: version(text), reason }
}

fn label(text: &str) -> Place {
    Place::Label { side: Side::B, version: version(text) }
}

fn commit(side: Side) -> Vec<Effect<Place>> {
    let new = Place::NewAutoboot { number: 0, autoboot: Autoboot { committed: side } };
    vec![
        Effect::Write(new.clone()),
        Effect::Sync(new.clone()),
        Effect::Verify(new.clone()),
        Effect::Rename { from: new, to: Place::Autoboot },
        Effect::SyncFolder(Place::Autoboot),
    ]
}

#[test]
fn an_update_is_written_labelled_tried_and_committed() {
    let begin = Event::Begin { version: version("3"), order: Order::Automatic };
    let system = Place::System { side: Side::B, version: version("3") };
    assert_eq!(
        plan(&seen(Some("2"), Side::A, false, &[armed("2")]), &begin).unwrap(),
        [
            Effect::Note(Note::Settled),
            Effect::SyncFolder(Place::Autoboot),
            Effect::SyncFolder(system.clone()),
            Effect::Remove(label("2")),
            Effect::SyncFolder(label("2")),
            Effect::Write(system.clone()),
            Effect::Sync(system.clone()),
            Effect::SyncFolder(system.clone()),
            Effect::Verify(system),
        ]
    );
    let written = Event::Written { version: version("3") };
    assert_eq!(
        plan(&seen(None, Side::A, false, &[]), &written).unwrap(),
        [
            Effect::Write(label("3")),
            Effect::Sync(label("3")),
            Effect::SyncFolder(label("3")),
            Effect::Note(armed("3"))
        ]
    );
    assert!(matches!(plan(&seen(Some("2"), Side::A, false, &[]), &written), Err(Refused::NotWritten { .. })));
    let ready = seen(Some("3"), Side::A, false, &[armed("3")]);
    assert_eq!(plan(&ready, &Event::Booted).unwrap(), []);
    let restart = [Effect::Note(tried("3")), Effect::Restart(Restart::TryOther)];
    assert_eq!(plan(&ready, &Event::Restart).unwrap(), restart);

    let mut trial = seen(Some("3"), Side::B, true, &[tried("3")]);
    assert_eq!(plan(&trial, &Event::Booted).unwrap(), []);
    assert!(matches!(plan(&trial, &begin), Err(Refused::OnTrial { .. })));
    let mut expected = commit(Side::B);
    expected.push(Effect::Note(Note::Settled));
    assert_eq!(plan(&trial, &Event::Confirmed).unwrap(), expected);
    trial.autoboot = Some(Autoboot { committed: Side::B });
    let settled = Effect::Note(Note::Settled);
    let synced = Effect::SyncFolder(Place::Autoboot);
    assert_eq!(plan(&trial, &Event::Confirmed).unwrap(), [synced, settled]);
    assert_eq!(plan(&trial, &Event::Booted).unwrap(), [Effect::Note(Note::Settled)]);
}

#[test]
fn a_trial_that_ended_elsewhere_has_failed() {
    let fallen = seen(Some("3"), Side::A, false, &[tried("3")]);
    let gone = [Effect::Remove(label("3")), Effect::SyncFolder(label("3"))];
    let plan_of = |seen: &Seen| plan(seen, &Event::Booted).unwrap();
    assert_eq!(
        plan_of(&fallen),
        [&[Effect::Note(failed("3", Reason::DidNotComeUp))], gone.as_slice()].concat()
    );
    // The flag alone makes no trial.
    let shown = seen(Some("3"), Side::A, true, &[tried("3")]);
    assert_eq!(plan_of(&shown), plan_of(&fallen));
    assert_eq!(plan(&shown, &Event::Confirmed).unwrap(), [Effect::SyncFolder(Place::Autoboot)]);
    let noted = seen(Some("3"), Side::A, false, &[failed("3", Reason::DidNotLoad)]);
    assert_eq!(plan_of(&noted), gone);
    assert_eq!(plan_of(&seen(None, Side::A, false, &[armed("3")])), [Effect::Note(Note::Settled)]);
    let again = Event::Begin { version: version("3"), order: Order::Automatic };
    assert!(matches!(plan(&noted, &again), Err(Refused::FailedBefore { .. })));
}

#[test]
fn a_side_that_is_not_healthy_says_so_and_restarts() {
    let why = Words::new("hostd did not start");
    let event = Event::Failed { why: why.clone() };
    let note = failed("3", Reason::Unhealthy { why });
    let trial = seen(Some("3"), Side::B, true, &[tried("3")]);
    assert_eq!(plan(&trial, &event).unwrap(), [Effect::Note(note.clone()), Effect::Restart(Restart::Plain)]);
    assert!(matches!(
        plan(&seen(Some("3"), Side::B, true, &[note]), &Event::Confirmed),
        Err(Refused::FailedBefore { .. })
    ));
    assert!(matches!(plan(&seen(None, Side::A, false, &[]), &event), Err(Refused::Kept { .. })));
}

#[test]
fn only_what_is_armed_is_tried() {
    let plain = [Effect::Restart(Restart::Plain)];
    for notes in [vec![], vec![armed("2")], vec![tried("3")]] {
        assert_eq!(
            plan(&seen(Some("3"), Side::A, false, &notes), &Event::Restart).unwrap(),
            plain,
            "{notes:?}"
        );
    }
}

#[test]
fn where_the_firmware_chose_otherwise_nothing_is_written() {
    let elsewhere = seen(Some("3"), Side::B, false, &[]);
    let unknown = Seen { boot: None, ..seen(None, Side::A, false, &[]) };
    let unlabelled = Seen { label_a: None, ..seen(None, Side::A, false, &[]) };
    for event in [
        Event::Booted,
        Event::Confirmed,
        Event::Restart,
        Event::Written { version: version("4") },
        Event::Begin { version: version("4"), order: Order::Asked },
    ] {
        assert_eq!(plan(&elsewhere, &event), Err(Refused::NotChosen), "{event:?}");
        assert_eq!(plan(&unknown, &event), Err(Refused::NoSlot), "{event:?}");
        assert_eq!(plan(&unlabelled, &event), Err(Refused::NoSlot), "{event:?}");
    }
}

#[test]
fn a_damaged_choice_is_made_anew_by_a_system_that_came_up_without_the_flag() {
    let damaged = |has_tryboot| Seen { autoboot: None, ..seen(Some("2"), Side::B, has_tryboot, &[]) };
    assert_eq!(plan(&damaged(false), &Event::Booted).unwrap(), commit(Side::B));
    assert_eq!(plan(&damaged(true), &Event::Booted), Err(Refused::NotChosen));
    assert_eq!(plan(&damaged(false), &Event::Confirmed), Err(Refused::NotChosen));
    assert_eq!(damaged(false).slots(), []);
}

#[test]
fn the_other_side_is_told_by_the_notes() {
    for (notes, expected) in [
        (vec![], SlotState::Good),
        (vec![armed("3")], SlotState::Trying { left: 1 }),
        (vec![tried("3")], SlotState::Trying { left: 0 }),
        (vec![failed("3", Reason::DidNotComeUp)], SlotState::Bad { reason: Reason::DidNotComeUp }),
    ] {
        let slots = seen(Some("3"), Side::A, false, &notes).slots();
        let good = Slot { version: version("1"), state: SlotState::Good };
        assert_eq!(slots, [good, Slot { version: version("3"), state: expected }]);
    }
}

#[test]
fn what_a_cut_left_of_a_commit_is_not_touched() {
    let mut trial = seen(Some("3"), Side::B, true, &[tried("3")]);
    trial.numbers = [0, 2].into();
    let new = Place::NewAutoboot { number: 1, autoboot: Autoboot { committed: Side::B } };
    assert_eq!(plan(&trial, &Event::Confirmed).unwrap().first(), Some(&Effect::Write(new)));
    trial.numbers = (0..MAX_NUMBERS).collect();
    assert_eq!(plan(&trial, &Event::Confirmed), Err(Refused::NoName));
}
