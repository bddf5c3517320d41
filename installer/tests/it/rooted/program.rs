//! The program itself, with both halves: what it may do is enough, and the boot partition is closed again.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::process::ExitStatus;

use installer::confined;
use installer::guard;
use installer::guard::GuardError;
use installer::guard::Lock;
use installer::verb::Verb;
use installer::words;
use installer::work;
use installer::work::Outcome;
use model::update::STATUS_RESTART;
use rustix::fs::StatVfsMountFlags;

use super::box_of_files::Box;
use super::box_of_files::automatic;
use super::box_of_files::failed;
use super::box_of_files::ran;

/// In a thread of its own: the mounts it leaves behind are that thread's.
fn program(it: &Box, verb: Verb) -> ExitStatus {
    let places = it.places.clone();
    let thread =
        std::thread::spawn(move || guard::run(&places, Path::new(env!("CARGO_BIN_EXE_installer")), verb));
    thread.join().unwrap().unwrap()
}

fn is_read_only(path: &Path) -> bool {
    rustix::fs::statvfs(path).unwrap().f_flag.contains(StatVfsMountFlags::RDONLY)
}

#[test]
fn the_program_works_on_a_closed_boot_partition_and_leaves_it_closed() {
    let it = Box::new(8);
    it.run(&automatic("2"), &it.download("2", 100)).unwrap();
    it.read_only();
    assert!(program(&it, Verb::Look).success());
    assert_eq!(program(&it, Verb::Restart).code(), Some(STATUS_RESTART.into()));
    assert!(is_read_only(&it.places.esp));
    // The loader writes before any mount.
    ran(Command::new("mount").args(["-o", "remount,rw"]).arg(&it.places.esp));
    it.loader_tries("2");
    it.read_only();
    fs::write(it.places.log_tail(), "last words\n").unwrap();
    assert_eq!(program(&it, failed("netd")).code(), Some(STATUS_RESTART.into()));
    it.boots("hearth_1.efi", None);
    fs::write(it.places.pstore.join("dmesg-1"), "panic\n").unwrap();
    assert!(program(&it, Verb::Booted).success());
    assert_eq!(it.names(), ["hearth_1.efi"]);
    assert_eq!(it.report().failure.unwrap().text, "panic\n");
    assert!(is_read_only(&it.places.esp));
    fs::write(it.places.slots().join("x"), "").unwrap_err();
}

#[test]
fn without_keys_nothing_is_installed() {
    let it = Box::new(8);
    it.download("2", 100);
    assert_eq!(program(&it, automatic("2")).code(), Some(1));
    assert!(it.problem().starts_with("2 is not approved: this system has no keys to check updates with"));
    assert_eq!(it.names(), ["hearth_1.efi"]);
}

#[test]
fn the_second_of_two_says_so_and_ends() {
    let it = Box::new(8);
    let lock = Lock::take(&it.places).unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_installer"));
    assert!(matches!(guard::run(&it.places, program, Verb::Look), Err(GuardError::Busy)));
    assert!(!it.places.report().exists());
    drop(lock);
    guard::run(&it.places, program, Verb::Look).unwrap();
    assert!(it.places.report().exists());
}

/// The half that reads strangers' bytes, with exactly its rights, installs what belongs to another user.
#[test]
fn an_installation_needs_no_more_than_its_rights() {
    let it = Box::new(8);
    let signed = it.publish("2", 3000);
    ran(Command::new("chown").args(["-R", "902:902"]).arg(&it.places.updates));
    ran(Command::new("chmod").args(["-R", "u=rwX,go="]).arg(&it.places.updates));
    let (places, verb) = (it.places.clone(), automatic("2"));
    let thread = std::thread::spawn(move || {
        confined::confine(&confined::rights(&places, &verb)).unwrap();
        let outcome = work::run(&places, &verb, &signed).map_err(|error| words::chain(&error));
        let denied = [places.download(), places.esp.join("hearth/data.key"), places.efivars.join("x")]
            .map(|path| fs::write(path, "").unwrap_err().kind());
        (outcome, denied)
    });
    let (outcome, denied) = thread.join().unwrap();
    assert_eq!(outcome, Ok(Outcome::Done));
    assert_eq!(denied, [std::io::ErrorKind::PermissionDenied; 3]);
    assert_eq!(it.names(), ["hearth_1.efi", "hearth_2+1-0.efi"]);
}
