use super::*;
use crate::Effect;
use crate::Event;
use crate::Note;
use crate::Order;
use crate::Restart;
use crate::Version;
use crate::Words;

fn name(text: &str) -> FileName {
    text.parse().unwrap()
}

fn version(text: &str) -> Version {
    text.parse().unwrap()
}

/// Names, the entry that was selected, the path that was counted.
fn seen(names: &[&str], selected: &str, counted: Option<&str>) -> Seen {
    Seen {
        names: names.iter().map(|text| name(text)).collect(),
        boot: Boot { selected: Some(name(selected)), counted: counted.map(name) },
        notes: Notes::default(),
    }
}

fn failed(text: &str, reason: Reason) -> Effect<FileName> {
    Effect::Note(Note::Failed { version: version(text), reason })
}

fn remove(text: &str) -> Effect<FileName> {
    Effect::Remove(name(text))
}

fn sync_folder(text: &str) -> Effect<FileName> {
    Effect::SyncFolder(name(text))
}

#[test]
fn an_update_is_written_aside_armed_tried_and_kept() {
    let wanted = Event::Begin { version: version("3"), order: Order::Automatic };
    let aside = name("hearth_3.new");
    assert_eq!(
        plan(&seen(&["hearth_1.efi", "hearth_2.efi"], "hearth_2.efi", None), &wanted).unwrap(),
        [
            sync_folder("hearth_3.new"),
            remove("hearth_1.efi"),
            sync_folder("hearth_1.efi"),
            Effect::Write(aside.clone()),
            Effect::Sync(aside.clone()),
            Effect::Verify(aside.clone())
        ]
    );
    let armed = name("hearth_3+1-0.efi");
    assert_eq!(
        plan(
            &seen(&["hearth_2.efi", "hearth_3.new"], "hearth_2.efi", None),
            &Event::Written { version: version("3") }
        )
        .unwrap(),
        [Effect::Rename { from: aside, to: armed.clone() }, Effect::SyncFolder(armed)]
    );
    let ready = seen(&["hearth_2.efi", "hearth_3+1-0.efi"], "hearth_2.efi", None);
    assert_eq!(plan(&ready, &Event::Restart).unwrap(), [Effect::Restart(Restart::Plain)]);

    let tried = seen(&["hearth_2.efi", "hearth_3+0-1.efi"], "hearth_3+1-0.efi", Some("hearth_3+0-1.efi"));
    assert_eq!(tried.running().unwrap().standing, Standing::OnTrial);
    assert_eq!(plan(&tried, &Event::Booted).unwrap(), []);
    assert!(matches!(plan(&tried, &wanted), Err(Refused::OnTrial { .. })));
    assert!(matches!(plan(&tried, &Event::Restart), Err(Refused::OnTrial { .. })));
    let good = name("hearth_3.efi");
    assert_eq!(
        plan(&tried, &Event::Confirmed).unwrap(),
        [Effect::Rename { from: name("hearth_3+0-1.efi"), to: good.clone() }, Effect::SyncFolder(good)]
    );
    let kept = Seen { names: [name("hearth_2.efi"), name("hearth_3.efi")].into(), ..tried };
    assert_eq!(plan(&kept, &Event::Confirmed).unwrap(), [sync_folder("hearth_3.efi")]);
    assert_eq!(kept.running().unwrap(), Running { version: version("3"), standing: Standing::Kept });
    assert!(matches!(plan(&kept, &wanted), Err(Refused::Same { .. })));
}

#[test]
fn a_path_that_names_the_failed_entry_confirms_nothing() {
    let fallen = seen(&["hearth_2.efi", "hearth_3+0-1.efi"], "hearth_2.efi", Some("hearth_3+0-1.efi"));
    assert_eq!(plan(&fallen, &Event::Confirmed).unwrap(), []);
    assert_eq!(
        plan(&fallen, &Event::Booted).unwrap(),
        [failed("3", Reason::DidNotLoad), remove("hearth_3+0-1.efi"), sync_folder("hearth_3+0-1.efi")]
    );
}

#[test]
fn a_slot_that_failed_is_noted_removed_and_not_taken_again_unasked() {
    let mut fallen = seen(&["hearth_2.efi", "hearth_3+0-1.efi"], "hearth_2.efi", None);
    assert_eq!(
        plan(&fallen, &Event::Booted).unwrap(),
        [failed("3", Reason::DidNotComeUp), remove("hearth_3+0-1.efi"), sync_folder("hearth_3+0-1.efi")]
    );
    let unhealthy = Reason::Unhealthy { why: Words::new("no network") };
    fallen.notes.apply(&Note::Failed { version: version("3"), reason: unhealthy.clone() });
    assert_eq!(
        fallen.slots(),
        [
            Slot { version: version("3"), state: SlotState::Bad { reason: unhealthy.clone() } },
            Slot { version: version("2"), state: SlotState::Good }
        ]
    );
    assert_eq!(
        plan(&fallen, &Event::Booted).unwrap(),
        [remove("hearth_3+0-1.efi"), sync_folder("hearth_3+0-1.efi")]
    );
    let again = |order| plan(&fallen, &Event::Begin { version: version("3"), order });
    assert_eq!(
        again(Order::Automatic),
        Err(Refused::FailedBefore { version: version("3"), reason: unhealthy })
    );
    let asked = again(Order::Asked).unwrap();
    assert_eq!(asked.first(), Some(&Effect::Note(Note::Forgiven { version: version("3") })));
    plan(&fallen, &Event::Written { version: version("3") }).unwrap_err();
}

#[test]
fn a_slot_that_is_not_healthy_says_so_and_restarts() {
    let why = Words::new("hostd did not start");
    let event = Event::Failed { why: why.clone() };
    let note = failed("3", Reason::Unhealthy { why });
    let restart = Effect::Restart(Restart::Plain);
    let tried = seen(&["hearth_2.efi", "hearth_3+0-1.efi"], "hearth_3+1-0.efi", Some("hearth_3+0-1.efi"));
    assert_eq!(plan(&tried, &event).unwrap(), [note.clone(), restart.clone()]);
    let more = seen(&["hearth_2.efi", "hearth_3+2-1.efi"], "hearth_3+3.efi", Some("hearth_3+2-1.efi"));
    assert_eq!(
        plan(&more, &event).unwrap(),
        [
            note,
            Effect::Rename { from: name("hearth_3+2-1.efi"), to: name("hearth_3+0-1.efi") },
            sync_folder("hearth_3+0-1.efi"),
            restart
        ]
    );
    let kept = seen(&["hearth_3.efi"], "hearth_3.efi", None);
    assert_eq!(plan(&kept, &event), Err(Refused::Kept { version: version("3") }));
    let mut noted = tried;
    noted.notes.apply(&Note::Failed { version: version("3"), reason: Reason::DidNotComeUp });
    assert!(matches!(plan(&noted, &Event::Confirmed), Err(Refused::FailedBefore { .. })));
}

#[test]
fn what_a_cut_left_is_removed_but_never_beside_a_good_name() {
    let left = [
        "hearth_2.efi",
        "hearth_2.new",
        "hearth_3.new",
        "hearth_4+1-0.efi",
        "hearth_5+0-1.efi",
        "hearth_5.efi",
    ];
    assert_eq!(
        plan(&seen(&left, "hearth_2.efi", None), &Event::Booted).unwrap(),
        [remove("hearth_3.new"), remove("hearth_4+1-0.efi"), sync_folder("hearth_4+1-0.efi")]
    );
    // Where the running slot's own file is gone nothing is removed.
    let lost = seen(&["hearth_3.new", "hearth_4+0-1.efi"], "hearth_2.efi", None);
    assert_eq!(plan(&lost, &Event::Booted).unwrap(), [failed("4", Reason::DidNotComeUp)]);
    let begin = Event::Begin { version: version("5"), order: Order::Asked };
    assert_eq!(plan(&lost, &begin), Err(Refused::NotOnDisk { version: version("2") }));
    let gone = seen(&["hearth_2.efi"], "hearth_3+1-0.efi", None);
    assert_eq!(plan(&gone, &Event::Confirmed), Err(Refused::NotOnDisk { version: version("3") }));
}

#[test]
fn an_older_system_is_chosen_by_name_and_the_newer_one_goes_once_it_is_kept() {
    let running = seen(&["hearth_2.efi"], "hearth_2.efi", None);
    let begin = |order| plan(&running, &Event::Begin { version: version("1"), order });
    assert!(matches!(begin(Order::Asked), Err(Refused::Lower { .. })));
    begin(Order::AskedLower).unwrap();
    let armed = seen(&["hearth_1+1-0.efi", "hearth_2.efi"], "hearth_2.efi", None);
    assert_eq!(
        plan(&armed, &Event::Restart).unwrap(),
        [Effect::ChooseOnce(name("hearth_1.efi")), Effect::Restart(Restart::Plain)]
    );
    let tried = seen(&["hearth_1+0-1.efi", "hearth_2.efi"], "hearth_1+1-0.efi", Some("hearth_1+0-1.efi"));
    let hidden = Effect::Rename { from: name("hearth_2.efi"), to: name("hearth_2.new") };
    assert_eq!(
        plan(&tried, &Event::Confirmed).unwrap().get(1..),
        Some(
            [
                sync_folder("hearth_1.efi"),
                hidden,
                sync_folder("hearth_2.new"),
                remove("hearth_2.new"),
                sync_folder("hearth_2.new")
            ]
            .as_slice()
        )
    );
}

#[test]
fn without_the_loaders_word_nothing_is_done() {
    let unknown = Seen { boot: Boot::default(), ..seen(&["hearth_2.efi"], "hearth_2.efi", None) };
    for event in [
        Event::Booted,
        Event::Confirmed,
        Event::Failed { why: Words::new("") },
        Event::Restart,
        Event::Written { version: version("3") },
        Event::Begin { version: version("3"), order: Order::Asked },
    ] {
        assert_eq!(plan(&unknown, &event), Err(Refused::NoSlot), "{event:?}");
    }
}

#[test]
fn the_loaders_variables_are_read() {
    let file = |text| variable::encode(text).unwrap();
    let boot = Boot::read(Some(&file("hearth_3+1-0.efi")), Some(&file("\\EFI\\Linux\\hearth_3+0-1.efi")));
    assert_eq!(
        boot,
        Boot { selected: Some(name("hearth_3+1-0.efi")), counted: Some(name("hearth_3+0-1.efi")) }
    );
    assert_eq!(Boot::read(Some(b"\x06"), Some(&file("hearth_3.efi"))), Boot::default());
    assert_eq!(Boot::read(Some(&file("auto-windows")), None), Boot::default());
}

#[test]
fn slots_are_told_as_the_loader_sees_them() {
    let all = [
        "hearth_1.efi",
        "hearth_2.new",
        "hearth_3+0-1.efi",
        "hearth_3.efi",
        "hearth_4+1-0.efi",
        "hearth_10+0-1.efi",
    ];
    let states: Vec<_> = seen(&all, "hearth_1.efi", None)
        .slots()
        .into_iter()
        .map(|slot| (slot.version.to_string(), slot.state))
        .collect();
    let expected = [
        ("10", SlotState::Bad { reason: Reason::DidNotComeUp }),
        ("4", SlotState::Trying { left: 1 }),
        ("3", SlotState::Good),
        ("1", SlotState::Good),
    ];
    assert_eq!(states, expected.map(|(version, state)| (version.to_owned(), state)));
    let running = seen(&["hearth_3+0-1.efi"], "hearth_3+1-0.efi", None).slots();
    assert_eq!(running, [Slot { version: version("3"), state: SlotState::Trying { left: 0 } }]);
}
