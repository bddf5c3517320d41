use std::fs;

use slots::Version;
use tempfile::TempDir;
use update::publish::Addition;
use update::publish::Key;
use update::publish::Lifetimes;
use update::publish::Online;
use update::publish::Repository;
use update::publish::RolePlan;
use update::publish::RootPlan;

use super::*;

const NOW: u64 = RELEASED + 86_400;

/// A repository with versions 0.9 and 2 for one board, downloaded, and a box that knows its root.
struct World {
    _folder: TempDir,
    places: Places,
    slot: Vec<u8>,
}

fn version(text: &str) -> Version {
    text.parse().unwrap()
}

fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let places =
        Places { updates: at("updates"), trust: at("trust"), state: at("state"), ..Places::default() };
    for path in [&places.updates, &places.trust, &places.state] {
        fs::create_dir(path).unwrap();
    }
    let key = Key::generate().unwrap().0;
    let role = || RolePlan { keys: vec![key.public()], threshold: 1 };
    let plan = RootPlan { root: role(), targets: role(), snapshot: role(), timestamp: role() };
    let repository = Repository::open(places.updates.clone(), Lifetimes::default(), NOW).unwrap();
    let mut root = repository.draft_root(&plan).unwrap();
    root.sign(&key).unwrap();
    repository.commit_root(&root).unwrap();
    let slot = b"a system".to_vec();
    for text in ["0.9", "2"] {
        let mut targets = repository
            .add(&Addition {
                slot: &slot,
                archive: None,
                place: update::Place { board: "x86_64".parse().unwrap(), channel: "beta".parse().unwrap() },
                version: version(text),
                loader: version("257"),
                ships: version("257.13"),
                rollout: 0,
                notes: update::Notes::new(String::new()).unwrap(),
            })
            .unwrap();
        targets.sign(&key).unwrap();
        let keys = std::slice::from_ref(&key);
        repository.commit(Some(&targets), &Online { snapshot: keys, timestamp: keys }).unwrap();
    }
    fs::write(places.trust.join(ROOT), repository.newest_root().unwrap().unwrap().1).unwrap();
    World { _folder: folder, places, slot }
}

fn wants<'a>(version: &'a Version, order: UpdateOrder, running: &'a Version) -> Wanted<'a> {
    Wanted { version, order, origin: UpdateOrigin::Network, board: "x86_64", running }
}

fn clock(trust: Trust, system: u64) -> Signed {
    Signed { clock: Clock { system, at_least: RELEASED, trust } }
}

#[test]
fn what_is_signed_is_approved_and_nothing_else() {
    let world = world();
    let sure = clock(Trust::Sure, NOW);
    let (old, one, two) = (version("0.9"), version("1"), version("2"));
    let approve = |wanted: &Wanted<'_>| sure.approve(&world.places, wanted);
    let approved = approve(&wants(&two, UpdateOrder::Automatic, &one)).unwrap();
    assert_eq!((approved.length, approved.sha256), (8, Hash::of(&world.slot)));
    assert_eq!((approved.board.as_str(), approved.loader.as_deref()), ("x86_64", Some("257")));
    approve(&wants(&old, UpdateOrder::AskedLower, &one)).unwrap();
    for wanted in [
        wants(&old, UpdateOrder::Asked, &one),
        wants(&one, UpdateOrder::Asked, &old),
        Wanted { board: "rpi4", ..wants(&two, UpdateOrder::Asked, &one) },
        Wanted { origin: UpdateOrigin::Bundle, ..wants(&two, UpdateOrder::Asked, &one) },
    ] {
        approve(&wanted).unwrap_err();
    }
}

#[test]
fn neither_doubt_nor_age_nor_another_root_is_accepted() {
    let world = world();
    let (one, two) = (version("1"), version("2"));
    let wanted = wants(&two, UpdateOrder::Asked, &one);
    clock(Trust::Unsure, NOW).approve(&world.places, &wanted).unwrap_err();
    clock(Trust::Sure, NOW + 40 * 86_400).approve(&world.places, &wanted).unwrap_err();
    let list =
        fs::read_dir(world.places.updates.join("metadata")).unwrap().map(|entry| entry.unwrap().path());
    let list = list.filter(|path| path.to_str().unwrap().contains("targets")).max().unwrap();
    let signed = fs::read_to_string(&list).unwrap();
    fs::write(&list, signed.replace("x86_64", "x86_65")).unwrap();
    clock(Trust::Sure, NOW).approve(&world.places, &wanted).unwrap_err();
    fs::write(&list, signed).unwrap();
    clock(Trust::Sure, NOW).approve(&world.places, &wanted).unwrap();
    fs::remove_file(world.places.trust.join(ROOT)).unwrap();
    let none = clock(Trust::Sure, NOW).approve(&world.places, &wanted).unwrap_err();
    assert_eq!(none.to_string(), "this system has no keys to check updates with");
}

#[test]
fn what_was_accepted_is_not_followed_by_something_older() {
    let (newer, older) = (world(), world());
    let (one, two) = (version("1"), version("2"));
    let wanted = wants(&two, UpdateOrder::Asked, &one);
    clock(Trust::Sure, NOW).approve(&newer.places, &wanted).unwrap();
    assert!(newer.places.state.join(ACCEPTED).join("timestamp.json").exists());
    // Another repository, signed by others.
    let mixed = Places { updates: older.places.updates.clone(), ..newer.places.clone() };
    clock(Trust::Sure, NOW).approve(&mixed, &wanted).unwrap_err();
}
