//! A change of the volume key of a file, ended at each of its writes.

use super::*;
use crate::key::Key;
use crate::luks::CRYPTSETUP;
use crate::luks::Cost;
use crate::luks::Luks;
use crate::luks::metadata::Slot;
use crate::luks::token::Purpose;
use crate::luks::token::Token;
use crate::rotation::plan;
use crate::testing::program;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

/// More writes than a change of so little data makes.
const MOST_WRITES: u32 = 200;

struct Change {
    folder: TempDir,
    keys: [Key; 2],
}

/// A header with two keys, whose change is begun.
fn begun() -> Change {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().join("base");
    File::create(&base).unwrap().set_len(18 << 20).unwrap();
    let luks = Luks::by(&program(folder.path()), &base);
    let keys = [Key::random().unwrap(), Key::random().unwrap()];
    luks.format(&keys[0], Cost::Random).unwrap();
    luks.import(&Token { slot: Slot(0), purpose: Purpose::BootKey {} }, None).unwrap();
    luks.add(&keys[0], &keys[1], Cost::Random, Purpose::Recovery { is_confirmed: true }).unwrap();
    let metadata = luks.metadata().unwrap();
    let of_slots = [0, 1].map(|slot| (Slot(slot), Key::from_bytes(keys[usize::from(slot)].bytes().to_vec())));
    luks.begin_reencryption(&plan(&metadata, &of_slots.into()).unwrap()).unwrap();
    Change { folder, keys }
}

/// Goes on with the change of a copy, which is killed when it comes to this write. Says whether it came to its end.
fn go_on(change: &Change, write: u32) -> (PathBuf, bool) {
    let [file, key] = ["partition", "key"].map(|name| change.folder.path().join(name));
    fs::copy(change.folder.path().join("base"), &file).unwrap();
    fs::write(&key, change.keys[0].bytes()).unwrap();
    let mut command = Command::new("strace");
    command.args(["-f", "-o", "/dev/null", "-e", "trace=write"]);
    command.args(["-e", &format!("inject=write:signal=SIGKILL:when={write}"), CRYPTSETUP, "reencrypt"]);
    command.args(["--batch-mode", "--disable-locks", "--resume-only", "--force-offline-reencrypt"]);
    command.arg("--key-file").arg(&key).arg(&file);
    let output = command.output().unwrap();
    // strace ends by the same signal as what it watches.
    let was_killed = output.status.code().is_none();
    assert!(was_killed || output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    (file, !was_killed)
}

fn document(file: &Path) -> Value {
    newest(&File::open(file).unwrap()).unwrap().unwrap().document
}

#[test]
fn wherever_a_change_is_cut_each_key_opens_the_header_and_its_end_is_that_of_the_program() {
    let change = begun();
    let (whole, is_whole) = go_on(&change, MOST_WRITES);
    assert!(is_whole, "it makes more writes");
    let expected = document(&whole);
    let (mut finished, mut under_way) = (0, 0);
    for write in 1..MOST_WRITES {
        let (file, is_whole) = go_on(&change, write);
        let luks = Luks::on(&file);
        if luks.metadata().unwrap().is_reencrypting {
            let before = fs::read(&file).unwrap();
            let was_through = luks.finish_reencryption().unwrap();
            finished += u32::from(was_through);
            if was_through && finished % 5 == 1 {
                expect_open_when_half_written(&change, &file, &before);
            }
        }
        for key in &change.keys {
            luks.test(key).unwrap_or_else(|error| panic!("cut at write {write}: {error}"));
        }
        if luks.metadata().unwrap().is_reencrypting {
            under_way += 1;
        } else {
            luks.tidy().unwrap();
            assert_eq!(document(&file), expected, "cut at write {write}");
        }
        assert!(!luks.finish_reencryption().unwrap(), "it was brought to its end twice");
        if is_whole {
            break;
        }
    }
    assert!(finished > 5 && under_way > 5, "{finished} of the cuts fell into the end, {under_way} before it");
}

/// The power may go between the two copies of what is written here, and amid each.
fn expect_open_when_half_written(change: &Change, file: &Path, before: &[u8]) {
    let after = fs::read(file).unwrap();
    let second = usize::try_from(number(&after[LENGTH])).unwrap();
    for (from, to) in [(0, second), (0, second / 2), (second, 2 * second), (second, second + second / 2)] {
        let mut cut = after.clone();
        cut[from..to].copy_from_slice(&before[from..to]);
        let place = change.folder.path().join("cut");
        fs::write(&place, cut).unwrap();
        let luks = Luks::on(&place);
        luks.finish_reencryption().unwrap();
        for key in &change.keys {
            luks.test(key).unwrap_or_else(|error| panic!("{from} to {to} are old: {error}"));
        }
    }
}

#[test]
fn what_is_no_end_of_a_change_is_left_alone() {
    let change = begun();
    let base = change.folder.path().join("base");
    let before = fs::read(&base).unwrap();
    assert!(!finish(&base).unwrap(), "it has only begun");
    assert!(fs::read(&base).unwrap() == before);

    let document = document(&base);
    for (pointer, value) in [
        ("/config/requirements/mandatory", json!(["online-reencrypt-v3"])),
        ("/segments/0/flags", json!(["in-reencryption"])),
        ("/segments/0/size", json!("4096")),
        ("/segments/0/type", json!("linear")),
    ] {
        let mut other = through(&document);
        assert!(finished(&other).is_some());
        *other.pointer_mut(pointer).unwrap_or(&mut Value::Null) = value.clone();
        if pointer.ends_with("flags") {
            other["segments"]["0"]["flags"] = value;
        }
        assert_eq!(finished(&other), None, "{pointer}");
    }
    let mut without_keys = through(&document);
    without_keys["digests"]["1"]["keyslots"] = json!([]);
    assert_eq!(finished(&without_keys), None, "nobody could open it");
}

/// The document of a change that has begun, as it is when the data is through.
fn through(document: &Value) -> Value {
    let mut through = document.clone();
    through["digests"]["0"]["segments"] = json!(["1"]);
    through["digests"]["1"]["segments"] = json!(["0", "2"]);
    through
}

#[test]
fn a_damaged_copy_is_left_to_the_program() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("none");
    for bytes in
        [vec![0; 8192], vec![0xff; 8192], [b"LUKS\xba\xbe\0\x02".to_vec(), vec![0xff; 8192]].concat()]
    {
        fs::write(&file, bytes).unwrap();
        assert!(!finish(&file).unwrap());
    }
}

proptest::proptest! {
    #[test]
    fn arbitrary_headers_never_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..9000), version in 0_u8..4) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("header");
        let mut header = [MAGIC[0].to_vec(), vec![0, version]].concat();
        header.extend(&bytes);
        fs::write(&file, header).unwrap();
        drop(finish(&file));
    }
}
