//! Backups from the command line, to a folder in the place of a disk.

use crate::household::Household;
use crate::household::PASSWORD;
use crate::person::Person;
use std::fs;

#[test]
fn a_backup_is_made_proved_and_its_kit_printed() {
    let (home, person) = (Household::owned(0), Person::new());
    person.types(home.login().iter().map(String::as_str), &["yes", PASSWORD]).well();
    assert!(person.types(["backup"], &[]).well().contains("hearthctl backup disk"));
    let nowhere = person.types(["backup", "run"], &[]).failure();
    assert!(nowhere.contains("Choose first"), "{nowhere}");

    person.types(["backup", "disk"], &[]).well();
    let unplugged = person.types(["backup", "run"], &[]).failure();
    assert!(unplugged.contains("no disk is plugged in"), "{unplugged}");
    let disk = tempfile::tempdir().unwrap();
    home.storaged.plug_in(Some(disk.path().to_owned()));
    let made = person.types(["backup", "run"], &[]).well();
    assert!(made.contains("went well"), "{made}");
    let proved = person.types(["backup", "drill"], &[]).well();
    assert!(proved.contains("last drill"), "{proved}");

    let wrong = person.types(["backup", "kit"], &["wrong password"]).failure();
    assert!(wrong.contains("not your password"), "{wrong}");
    let kit = person.types(["backup", "kit"], &[PASSWORD]).well();
    assert!(kit.contains("HEARTH RECOVERY KIT"), "{kit}");
    let page = disk.path().join("kit.html");
    let path = page.to_str().unwrap();
    person.types(["backup", "kit", "--html", path], &[PASSWORD]).well();
    assert!(fs::read_to_string(&page).unwrap().contains("<svg"));
    person.types(["backup", "kit", "--html", path], &[PASSWORD]).failure();
    assert!(person.types(["backup", "settings", "get"], &[]).well().contains("usb_disk"));
}
