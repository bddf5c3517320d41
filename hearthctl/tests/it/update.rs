//! Updates from the command line, at a box whose image has no keys for them.

use crate::household::Household;
use crate::household::PASSWORD;
use crate::person::Person;

#[test]
fn a_box_without_keys_for_updates_says_so_and_keeps_settings() {
    let (home, person) = (Household::owned(0), Person::new());
    person.types(home.login().iter().map(String::as_str), &["yes", PASSWORD]).well();
    let told = person.types(["update"], &[]).well();
    assert!(told.contains("not set up in this image"), "{told}");
    let refused = person.types(["update", "check"], &[]).failure();
    assert!(refused.contains("not set up in this image"), "{refused}");
    let nothing = person.types(["update", "apply"], &[]).failure();
    assert!(nothing.contains("hearthctl update check"), "{nothing}");
    assert!(person.types(["update", "history"], &[]).well().contains("not updated yet"));
    assert!(person.types(["update", "settings", "get"], &[]).well().contains("install"));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("settings.json");
    std::fs::write(&file, r#"{"mode":"ask"}"#).unwrap();
    let changed = person.types(["update", "settings", "set", file.to_str().unwrap()], &[]).well();
    assert!(changed.contains("you decide"), "{changed}");
}
