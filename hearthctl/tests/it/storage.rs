//! What is told of the encrypted data, keys for it, and unlocking it.

use crate::household::Household;
use crate::household::PASSWORD;
use crate::person::Person;
use crate::snapshot::compare;
use hearthctl::answers::Health;
use hearthctl::answers::Storage;
use hearthctl::show;
use hostd::storaged::fake::ITS_END;
use hostd::storaged::fake::RECOVERY_KEY;
use hostd::storaged::fake::TYPED_TOO_OFTEN;

fn logged_in() -> (Household, Person) {
    let (home, person) = (Household::owned(0), Person::new());
    person.types(home.login().iter().map(String::as_str), &["yes", PASSWORD]).well();
    (home, person)
}

/// Arguments to unlock a box that this computer does not know.
fn unlock(home: &Household) -> Vec<String> {
    let certificate = home.certificate_url();
    ["storage", "unlock", &home.url(), "--address", "127.0.0.1", "--certificate", &certificate]
        .map(str::to_owned)
        .to_vec()
}

fn words(arguments: &[String]) -> impl Iterator<Item = &str> {
    arguments.iter().map(String::as_str)
}

#[test]
fn a_recovery_key_is_made_typed_back_and_told_of() {
    let (_home, person) = logged_in();
    compare("storage", &person.runs("storage").well());
    let made = person.types(["storage", "recovery-key"], &[PASSWORD, "AAAA-BBBB", ITS_END]);
    assert!(made.complained.contains("not the end"), "{made:?}");
    compare("storage-recovery-key", &made.well());
    compare("storage-with-recovery-key", &person.runs("storage").well());
    let nothing = person.types(["storage", "recovery-key", "--confirm", ITS_END], &[]).failure();
    assert!(nothing.contains("no new recovery key"), "{nothing}");
}

#[test]
fn a_recovery_key_may_be_confirmed_later() {
    let (_home, person) = logged_in();
    let made = person.types(["storage", "recovery-key"], &[PASSWORD, ""]).well();
    assert!(made.contains("--confirm"), "{made}");
    compare("storage-unconfirmed", &person.runs("storage").well());
    let confirmed = person.pipes(["storage", "recovery-key", "--confirm", ITS_END], "").well();
    assert!(confirmed.contains("is right"), "{confirmed}");
}

#[test]
fn a_program_gives_the_password_and_takes_the_key() {
    let (home, person) = logged_in();
    let made = person.pipes(["--json", "storage", "recovery-key", "--password-stdin"], PASSWORD).well();
    let made: serde_json::Value = serde_json::from_str(&made).unwrap();
    assert_eq!(made["recovery_key"], RECOVERY_KEY);
    let nobody = person.pipes(["storage", "seal"], PASSWORD).failure();
    assert!(nobody.contains("storage seal --password-stdin"), "{nobody}");
    let wrong = person.pipes(["storage", "seal", "--password-stdin"], "wrong password").failure();
    assert!(wrong.contains("That is not your password."), "{wrong}");
    assert_eq!(home.storaged.seals(), 0);
    person.pipes(["storage", "seal", "--password-stdin"], PASSWORD).well();
    assert_eq!(home.storaged.seals(), 1);
    let wrong = person.pipes(["storage", "rotate", "system", "--password-stdin"], "wrong password").failure();
    assert!(wrong.contains("That is not your password."), "{wrong}");
    assert_eq!(home.storaged.rotations(), 0);
    let rotated = person.pipes(["storage", "rotate", "system", "--password-stdin"], PASSWORD).well();
    assert!(rotated.contains("new system key"), "{rotated}");
    assert_eq!(home.storaged.rotations(), 1);
}

#[test]
fn the_box_is_made_to_ask_for_a_passphrase_that_was_typed_twice() {
    let (home, person) = logged_in();
    home.storaged.lose_chip();
    let typed = |again| person.types(["storage", "passphrase"], &[PASSWORD, "nine warm stones", again]);
    let other = typed("nine cold stones").failure();
    assert!(other.contains("not the same"), "{other}");
    assert!(!person.runs("storage").well().contains("passphrase"));
    assert!(typed("nine warm stones").well().contains("locked at each start"));
    assert!(person.runs("storage").well().contains("passphrase"));
    let lines = format!("{PASSWORD}\nten warm stones\n");
    person.pipes(["storage", "passphrase", "--password-stdin"], &lines).well();
}

#[test]
fn the_volume_key_is_changed_with_the_recovery_key_and_how_far_it_is_is_told() {
    let (home, person) = logged_in();
    let wrong = person.types(["storage", "rotate", "data"], &[PASSWORD, "wrong"]).failure();
    assert!(wrong.contains("not a key of this box"), "{wrong}");
    let one_line = person.pipes(["storage", "rotate", "data", "--password-stdin"], PASSWORD).failure();
    assert!(!one_line.is_empty());
    let lines = format!("{PASSWORD}\n{RECOVERY_KEY}\n");
    let begun = person.pipes(["storage", "rotate", "data", "--password-stdin"], &lines).well();
    assert!(begun.contains("hearthctl storage"), "{begun}");
    home.storaged.set_rotation(Some(41));
    let told = person.runs("storage").well();
    assert!(told.contains("is being changed: 41 % are done"), "{told}");
}

#[test]
fn locked_data_is_opened_after_the_fingerprint_of_the_moment_was_compared() {
    let (home, person) = (Household::locked(0), Person::new());
    let refused = person.types(words(&unlock(&home)), &["no"]).failure();
    assert!(refused.contains("own screen"), "{refused}");
    let wrong = person.types(words(&unlock(&home)), &["yes", "wrong"]).failure();
    assert!(wrong.contains("not a key of this box"), "{wrong}");
    let wait = person.types(words(&unlock(&home)), &["yes", TYPED_TOO_OFTEN]).failure();
    assert!(wait.contains("30 seconds"), "{wait}");
    let login = person.types(words(&home.login()), &["yes"]).failure();
    assert!(login.contains("is locked") && login.contains("hearthctl storage unlock"), "{login}");
    assert!(!home.storaged.is_open());
    person.types(words(&unlock(&home)), &["yes", RECOVERY_KEY]).well();
    assert!(home.storaged.is_open());
    assert_eq!(person.store.load().unwrap(), None, "a certificate of the moment is not kept");
}

#[test]
fn a_known_box_that_is_locked_is_another_one_until_its_screen_was_read() {
    let (home, person) = logged_in();
    let (port, open) = (home.port(), person.types(["storage", "unlock"], &[]).failure());
    assert!(open.contains("not locked"), "{open}");
    home.stop();
    let locked = Household::locked(port);
    assert!(person.runs("status").failure().contains("hearthctl storage unlock"));
    let mut arguments = ["storage", "unlock", "--key-stdin", "--certificate", &locked.certificate_url()]
        .map(str::to_owned)
        .to_vec();
    let alone = person.pipes(words(&arguments), RECOVERY_KEY).failure();
    assert!(alone.contains("nobody is here to compare"), "{alone}");
    arguments.extend(["--fingerprint".to_owned(), locked.fingerprint()]);
    assert!(!locked.storaged.is_open());
    person.pipes(words(&arguments), &format!("{RECOVERY_KEY}\n")).well();
    assert!(locked.storaged.is_open());
}

#[test]
fn the_data_of_other_boxes_is_told_as_it_is() {
    let told = |text: &str| show::storage(&serde_json::from_str::<Storage>(text).unwrap());
    let boot_key = told(
        r#"{"unlock": {"state": "opened", "by": "boot_key", "reasons": ["there is no TPM"], "more": 1},
            "keys": [{"kind": "boot_key", "is_confirmed": true}, {"kind": "fob", "is_confirmed": true}],
            "is_waiting_for_confirmation": false}"#,
    );
    compare("storage-boot-key", &boot_key);
    let recovery = told(
        r#"{"unlock": {"state": "opened", "by": "recovery", "reasons": []},
            "keys": [{"kind": "recovery", "is_confirmed": true}], "is_waiting_for_confirmation": false}"#,
    );
    assert!(recovery.contains("hearthctl storage seal"), "{recovery}");
    let failed = told(
        r#"{"unlock": {"state": "failed", "reason": "no header"}, "keys": [], "is_waiting_for_confirmation": false}"#,
    );
    assert!(failed.contains("cannot be opened: no header"), "{failed}");
}

#[test]
fn the_health_of_the_disk_is_told() {
    let (_home, person) = logged_in();
    compare("storage-health-unknown", &person.runs("storage health").well());
    let told = |text: &str| show::health(&serde_json::from_str::<Health>(text).unwrap());
    let disk = told(
        r#"{"disk": {"name": "nvme0n1", "model": "Example 980", "kind": "nvme", "size_bytes": 1000204886016, "is_failing": false,
            "life_used_percent": 7, "spare_percent": 100, "temperature_celsius": 42, "power_on_hours": 17288, "replaced_sectors": null,
            "unreadable": 0, "written": {"since_boot_bytes": 4200000000, "uptime_seconds": 86400, "per_day_bytes": 4200000000,
            "budget_per_day_bytes": 100020488601, "ever_bytes": 19457749504000}, "silent": null, "more": 1},
            "file_system": {"total_bytes": 983349346304, "available_bytes": 120000000000, "used_percent": 88, "is_read_only": false,
            "errors": 0}, "trim": {"last": {"seconds_ago": 7200, "bytes": 12000000000}, "problem": null},
            "findings": [{"kind": "almost_full", "is_grave": false, 
            "words": "the disk is 88 % full, 120.0 GB are left: delete what is not needed"}]}"#,
    );
    compare("storage-health", &disk);
    let card = told(
        r#"{"disk": {"name": "mmcblk0", "model": "SC32G", "kind": "sd_card", "size_bytes": 31914983424, "written": {"since_boot_bytes": 1000,
            "uptime_seconds": 60, "budget_per_day_bytes": 3191498342}, "silent": "memory cards do not tell how worn they are"},
            "file_system": null, "trim": {"last": null, "problem": "the disk cannot take free blocks back"}, "findings": []}"#,
    );
    compare("storage-health-card", &card);
}
