//! Downloads, metadata and disks that are not as they must be.

use std::fs;
use std::fs::File;
use std::os::unix::fs::FileExt as _;

use installer::approve::Approved;
use installer::approve::MAX_SLOT;
use installer::esp;
use installer::esp::Content;
use installer::esp::Esp;
use installer::esp::EspError;
use installer::site::Site as _;
use model::update::SlotStanding;
use slots::uefi::FileName;
use slots::uefi::variable;

use super::box_of_files::Box;
use super::box_of_files::Signed;
use super::box_of_files::approved;
use super::box_of_files::automatic;
use super::box_of_files::slot;

/// The other system is still there, and nothing half done either.
fn refused(it: &Box, signed: &Signed, said: &str) {
    it.run(&automatic("2"), signed).unwrap_err();
    assert!(it.problem().contains(said), "{}", it.problem());
    assert_eq!(it.names(), ["hearth_0.9.efi", "hearth_1.efi"]);
    assert_eq!(it.report().running.unwrap().standing, SlotStanding::Kept);
}

fn with_two_systems() -> Box {
    let it = Box::new(8);
    fs::write(it.places.slots().join("hearth_0.9.efi"), slot("0.9", 1)).unwrap();
    it
}

#[test]
fn what_is_not_signed_or_not_for_this_box_costs_nothing() {
    let it = with_two_systems();
    let Signed(Some(good)) = it.download("2", 100) else { unreachable!() };
    refused(&it, &Signed(None), "2 is not approved: the signature is wrong");
    for (bad, said) in [
        (
            Approved { board: "rpi4".to_owned(), ..good.clone() },
            "made for the board \"rpi4\", and this is \"x86_64\"",
        ),
        (Approved { version: "3".parse().unwrap(), ..good.clone() }, "the signed list speaks of 3"),
        (Approved { length: MAX_SLOT + 1, ..good.clone() }, "a system has 1 to"),
        (Approved { length: good.length - 1, ..good.clone() }, "not the one that is signed"),
        (Approved { length: good.length + 1, ..good.clone() }, "not the one that is signed"),
        (Approved { sha256: approved("2", b"").sha256, ..good.clone() }, "not the one that is signed"),
        (Approved { loader: Some("258".to_owned()), ..good }, "needs the loader systemd-boot 258"),
    ] {
        refused(&it, &Signed(Some(bad)), said);
    }
}

#[test]
fn a_download_that_is_no_plain_file_of_that_version_costs_nothing() {
    let it = with_two_systems();
    let signed = it.download("2", 100);
    let path = it.places.download();
    fs::rename(&path, path.with_extension("kept")).unwrap();
    refused(&it, &signed, "reading the download");
    std::os::unix::fs::symlink(path.with_extension("kept"), &path).unwrap();
    refused(&it, &signed, "reading the download");
    fs::remove_file(&path).unwrap();
    for (bytes, said) in [
        (slot("3", 100), "calls itself 3, and 2 is signed"),
        (b"MZ and nothing more".to_vec(), "no 64-bit program for the firmware"),
    ] {
        fs::write(&path, &bytes).unwrap();
        refused(&it, &Signed(Some(approved("2", &bytes))), said);
    }
    it.variable(variable::INFO, "GRUB 2.12");
    refused(&it, &it.download("2", 100), "this box has GRUB 2.12");
}

#[test]
fn a_full_boot_partition_is_told_and_the_next_update_tidies_up() {
    let it = Box::new(2);
    it.run(&automatic("2"), &it.download("2", 4000)).unwrap_err();
    assert_eq!(it.problem(), "writing hearth_2.new: the boot partition is full");
    assert_eq!(it.names(), ["hearth_1.efi", "hearth_2.new"]);
    assert_eq!(it.report().armed, None);
    it.run(&automatic("3"), &it.download("3", 1000)).unwrap();
    assert_eq!(it.names(), ["hearth_1.efi", "hearth_3+1-0.efi"]);
}

/// Changes one letter of what is written, in the file beneath the mounted file system.
fn corrupt(it: &Box, text: &str) {
    let image = File::options().read(true).write(true).open(it.image()).unwrap();
    let bytes = fs::read(it.image()).unwrap();
    let places: Vec<usize> =
        (0..bytes.len() - text.len()).filter(|&at| bytes[at..].starts_with(text.as_bytes())).collect();
    assert!(!places.is_empty(), "{text:?} is not on the disk");
    for at in places {
        image.write_all_at(b"X", at.try_into().unwrap()).unwrap();
    }
}

#[test]
fn what_the_disk_changed_is_seen_when_it_is_read_back() {
    let it = Box::new(8);
    let bytes = slot("2", 100);
    let signed = approved("2", &bytes);
    it.download("2", 100);
    let name = FileName::aside(&signed.version);
    let content = |file| Content { file, approved: signed.clone() };
    let open = || File::open(it.places.download()).unwrap();
    let mut told = Vec::new();
    let mut tell = |step, done| told.push((step, done));
    esp::check(&mut content(open()), &mut tell).unwrap();
    let folder = it.places.slots();
    let mut esp = Esp::open(&folder, &it.places.efivars, Some(content(open())), &mut tell).unwrap();
    esp.write(&name).unwrap();
    esp.sync(&name).unwrap();
    esp.verify(&name).unwrap();
    corrupt(&it, "block 57 of 2");
    // Memory still holds what was written: whoever reads there sees nothing.
    assert_eq!(fs::read(folder.join(name.to_string())).unwrap(), bytes);
    assert!(matches!(esp.verify(&name), Err(EspError::Differs)));
    esp.write(&name).unwrap();
    esp.sync(&name).unwrap();
    esp.verify(&name).unwrap();
    assert!(esp.write(&FileName::good(&signed.version)).is_err());
    let length: u64 = bytes.len().try_into().unwrap();
    let steps: Vec<_> = told.iter().filter(|(_, done)| *done == length).map(|(step, _)| *step).collect();
    assert_eq!(steps.len(), 6, "{told:?}");
}
