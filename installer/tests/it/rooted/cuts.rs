//! The program ends after each effect, as by a kill; what comes next finds its way. Cuts of the power, which also lose what was not synced,
//! are looked at by `crates/slots` and by the tests that boot machines.

use std::collections::BTreeSet;
use std::fs;
use std::fs::File;

use installer::esp::Content;
use installer::esp::Esp;
use installer::look;
use installer::notebook::Notebook;
use installer::seen::Seen;
use installer::site;
use installer::verb::Verb;
use slots::Effect;
use slots::Event;
use slots::Order;
use slots::Words;
use slots::uefi;
use slots::uefi::FileName;

use super::box_of_files::Box;
use super::box_of_files::approved;
use super::box_of_files::automatic;
use super::box_of_files::slot;

/// Does only the first effects of an event; how many there are.
fn first(it: &Box, event: &Event, count: usize) -> usize {
    let mut notebook = Notebook::open(&it.places.state).0;
    let Seen::Uefi(seen) = look::look(&it.places).seen(notebook.notes()) else { unreachable!() };
    let effects: Vec<Effect<FileName>> = uefi::plan(&seen, event).unwrap();
    let file = File::open(it.places.download()).unwrap();
    let content = Content { file, approved: approved("3", &slot("3", 50)) };
    let mut tell = |_, _| ();
    let mut esp = Esp::open(&it.places.slots(), &it.places.efivars, Some(content), &mut tell).unwrap();
    site::run(&effects[..count.min(effects.len())], &mut esp, &mut notebook).unwrap();
    effects.len()
}

/// Version 1 runs, 2 failed and was not noted yet, 0.5 is an older good one, and 3 is downloaded.
fn before() -> Box {
    let it = Box::new(8);
    for (name, version) in [("hearth_0.5.efi", "0.5"), ("hearth_2+0-1.efi", "2"), ("hearth_2.5.new", "2.5")] {
        fs::write(it.places.slots().join(name), slot(version, 10)).unwrap();
    }
    it.download("3", 50);
    it
}

/// The next boot and the next try end as they should.
fn settles(it: &Box) {
    it.does(&Verb::Booted);
    assert!(it.names().contains(&"hearth_1.efi".to_owned()));
    assert_eq!(fs::read(it.places.slots().join("hearth_1.efi")).unwrap(), slot("1", 1));
    assert_eq!(it.report().failed.iter().map(|failed| &failed.version).collect::<BTreeSet<_>>().len(), 1);
    it.run(&automatic("3"), &it.download("3", 50)).unwrap();
    assert_eq!(it.names(), ["hearth_1.efi", "hearth_3+1-0.efi"]);
    assert_eq!(fs::read(it.places.slots().join("hearth_3+1-0.efi")).unwrap(), slot("3", 50));
}

fn at_each_effect(event: &Event, least: usize) {
    let mut count = 0;
    loop {
        let it = before();
        let effects = first(&it, event, count);
        assert!(effects >= least, "{event:?} has {effects} effects only");
        settles(&it);
        count += 1;
        if count > effects {
            return;
        }
    }
}

#[test]
fn an_installation_may_end_after_each_effect() {
    at_each_effect(&Event::Begin { version: "3".parse().unwrap(), order: Order::Automatic }, 8);
}

#[test]
fn tidying_up_may_end_after_each_effect() {
    at_each_effect(&Event::Booted, 3);
}

#[test]
fn arming_and_confirming_may_end_after_each_effect() {
    for count in 0..=2 {
        let it = before();
        it.run(&automatic("3"), &it.download("3", 50)).unwrap();
        it.loader_tries("3");
        assert_eq!(first(&it, &Event::Confirmed, count), 2);
        it.does(&Verb::Confirmed);
        assert_eq!(it.names(), ["hearth_1.efi", "hearth_3.efi"]);
    }
    for count in 0..=2 {
        let it = before();
        it.run(&automatic("3"), &it.download("3", 50)).unwrap();
        it.loader_tries("3");
        assert_eq!(first(&it, &Event::Failed { why: Words::new("no") }, count), 2);
        // PID 1 restarts in any case, and the loader takes version 1.
        it.boots("hearth_1.efi", None);
        it.does(&Verb::Booted);
        assert_eq!(it.names(), ["hearth_0.5.efi", "hearth_1.efi"][1..]);
        assert_eq!(it.report().failed.len(), 2);
    }
}

#[test]
fn torn_notes_stop_nothing() {
    let it = before();
    fs::write(it.places.state.join("notes.json"), "{\"failed\":[{\"ver").unwrap();
    it.does(&Verb::Booted);
    assert!(it.report().reasons[0].contains("begin anew"));
    settles(&it);
    assert!(it.report().reasons.is_empty());
}
