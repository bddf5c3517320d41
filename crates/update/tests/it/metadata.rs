//! What is accepted and what is refused, and why.

use crate::support::BOX;
use crate::support::DAY;
use crate::support::Keys;
use crate::support::NOW;
use crate::support::World;
use crate::support::home;
use crate::support::keys;
use crate::support::place;
use crate::support::plan;
use crate::support::slot;
use std::fs;
use update::Asker;
use update::Catalog;
use update::Clock;
use update::LoadError;
use update::Origin;
use update::Permit;
use update::Refused;
use update::Role;
use update::Trust;
use update::Turn;
use update::Unfit;
use update::publish::PublishError;

fn refused(result: Result<Catalog, LoadError>) -> Refused {
    match result {
        Err(LoadError::Refused(refused)) => refused,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_highest_version_of_board_and_channel_is_offered() {
    let world = World::with(&[("1.8", 1), ("1.10", 2), ("1.9", 3)]);
    world.add(&place("rpi4", "stable"), "3", &slot(4, 10_000));
    world.add(&place("x86_64", "beta"), "2", &slot(5, 10_000));
    let catalog = world.load().unwrap();
    let choice = catalog.choose(&home(), &"1.8".parse().unwrap(), b"box");
    let versions: Vec<_> = choice.offers().iter().map(|offer| offer.release.version.as_str()).collect();
    assert_eq!(versions, ["1.10", "1.9"]);
    assert_eq!(choice.take(Asker::Box), choice.offers().first());
    assert!(catalog.choose(&home(), &"1.10".parse().unwrap(), b"box").offers().is_empty());
    let find = |version: &str, above: &str| {
        catalog.find(&home(), &version.parse().unwrap(), Some(&above.parse().unwrap()))
    };
    find("1.9", "1.8").unwrap();
    assert!(matches!(find("1.9", "1.9"), Err(Unfit::NotNewer { .. })));
    assert!(matches!(find("1.8", "1.9"), Err(Unfit::NotNewer { .. })));
    assert!(matches!(find("3", "1.9"), Err(Unfit::OtherBoard { .. })));
    assert!(matches!(find("2", "1.9"), Err(Unfit::OtherChannel { .. })));
    assert!(matches!(find("7", "1.9"), Err(Unfit::Unknown { .. })));
    find("1.9", "1.8").unwrap().starts_with(&"257.13-1~deb13u1".parse().unwrap()).unwrap();
    assert!(matches!(
        find("1.9", "1.8").unwrap().starts_with(&"256.9".parse().unwrap()),
        Err(Unfit::Loader { .. })
    ));
}

#[test]
fn a_release_is_rolled_out_in_steps_and_paused() {
    let world = World::with(&[("1", 1)]);
    world.edit("1", |custom| custom.rollout = 30);
    let release = world.release("1");
    let turns = (0..1000_u32).filter(|number| release.turn(&number.to_le_bytes()) == Turn::Now).count();
    assert!((240..360).contains(&turns), "{turns}");
    let waiting = (0_u32..).map(u32::to_le_bytes).find(|id| release.turn(id) == Turn::Later).unwrap();
    let choice = world.load().unwrap().choose(&home(), &"0".parse().unwrap(), &waiting);
    assert_eq!(choice.take(Asker::Box), None);
    assert_eq!(choice.take(Asker::Owner), choice.offers().first());

    world.edit("1", |custom| custom.paused = Some(slots::Words::new("netd crashes")));
    let catalog = world.load().unwrap();
    let choice = catalog.choose(&home(), &"0".parse().unwrap(), &waiting);
    assert_eq!((choice.take(Asker::Box), choice.take(Asker::Owner)), (None, None));
    assert_eq!(choice.offers()[0].turn, Turn::Paused(slots::Words::new("netd crashes")));
    assert!(matches!(catalog.find(&home(), &"1".parse().unwrap(), None), Err(Unfit::Paused { .. })));
}

#[test]
fn every_byte_of_every_file_counts() {
    let world = World::with(&[("1", 1)]);
    world.load().unwrap();
    for file in ["timestamp.json", "2.snapshot.json", "2.targets.json"] {
        let path = world.metadata(file);
        let good = fs::read(&path).unwrap();
        for at in (0..good.len()).step_by(7) {
            let mut bad = good.clone();
            bad[at] ^= 1;
            fs::write(&path, &bad).unwrap();
            world.load().unwrap_err(); // {file} at {at}
        }
        fs::write(&path, &good[..good.len() - 1]).unwrap();
        world.load().unwrap_err(); // {file} cut off
        fs::write(&path, &good).unwrap();
    }
    world.load().unwrap();
}

#[test]
fn one_of_two_keys_is_not_enough() {
    let world = World::with(&[("1", 1)]);
    let mut draft = world.repository().draft_targets().unwrap();
    draft.sign(&world.keys.targets[0]).unwrap();
    let error = world.repository().commit(Some(&draft), &world.online()).unwrap_err();
    let PublishError::Refused(error) = error else { panic!("{error:?}") };
    assert!(
        matches!(error, Refused::Signatures { role: Role::Targets, valid: 1, threshold: 2 }),
        "{error:?}"
    );
    // A signature of somebody else does not help, and one that came from elsewhere does.
    draft.sign(&keys(1)[0]).unwrap();
    world.repository().commit(Some(&draft), &world.online()).unwrap_err();
    let mut elsewhere = update::publish::Draft::decode(&draft.encode().unwrap()).unwrap();
    elsewhere.sign(&world.keys.targets[1]).unwrap();
    world.repository().commit(Some(&elsewhere), &world.online()).unwrap();
}

#[test]
fn a_signature_made_by_other_tools_counts() {
    let world = World::with(&[]);
    let (key, pem) = update::publish::Key::generate().unwrap();
    let pair = {
        use base64::Engine as _;
        let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        let der = base64::engine::general_purpose::STANDARD.decode(body).unwrap();
        ring::signature::Ed25519KeyPair::from_pkcs8(&der).unwrap()
    };
    let mut draft = world.repository().draft_targets().unwrap();
    let signature = pair.sign(&draft.payload().unwrap());
    draft.add_signature(&key.public(), signature.as_ref()).unwrap();
    draft.add_signature(&world.keys.targets[0].public(), signature.as_ref()).unwrap_err();
    let mut wrong = signature.as_ref().to_vec();
    wrong[0] ^= 1;
    draft.add_signature(&key.public(), &wrong).unwrap_err();
}

#[test]
fn nothing_older_is_accepted() {
    let world = World::with(&[("1", 1)]);
    let old: Vec<_> = ["timestamp.json", "2.snapshot.json", "2.targets.json"]
        .map(|file| (world.metadata(file), fs::read(world.metadata(file)).unwrap()))
        .into();
    world.edit("1", |custom| custom.rollout = 1);
    world.load().unwrap();
    for (path, bytes) in &old {
        fs::write(path, bytes).unwrap();
    }
    let error = refused(world.load());
    assert!(matches!(error, Refused::Older { role: Role::Timestamp, known: 3, offered: 2 }), "{error:?}");
    // A torn file is no reason to be stuck.
    fs::write(world.folder.path().join("store/timestamp.json"), "{").unwrap();
    world.load().unwrap();
}

#[test]
fn a_new_timestamp_over_an_old_list_is_refused() {
    let world = World::with(&[("1", 1)]);
    world.edit("1", |custom| custom.rollout = 1);
    world.load().unwrap();
    // A thief of the online keys signs what was there before.
    let thief = World { folder: tempfile::tempdir().unwrap(), ..World::new() };
    fs::create_dir_all(thief.path().join("metadata")).unwrap();
    fs::copy(world.metadata("1.root.json"), thief.metadata("1.root.json")).unwrap();
    let old = update::publish::Draft::decode(&fs::read(world.metadata("2.targets.json")).unwrap()).unwrap();
    for _round in 0..9 {
        thief.repository().commit(Some(&old), &world.online()).unwrap();
    }
    let error = refused(Catalog::load(&thief.source(), &world.root, &world.store(), &world.clock(), BOX));
    assert!(matches!(error, Refused::Older { role: Role::Targets, known: 3, offered: 2 }), "{error:?}");
}

#[test]
fn two_repositories_are_not_mixed() {
    let (world, other) = (World::with(&[("1", 1)]), World::with(&[("1", 2)]));
    fs::copy(other.metadata("2.targets.json"), world.metadata("2.targets.json")).unwrap();
    assert!(matches!(refused(world.load()), Refused::Mixed { role: Role::Targets }));
    fs::copy(other.metadata("2.snapshot.json"), world.metadata("2.snapshot.json")).unwrap();
    assert!(matches!(refused(world.load()), Refused::Mixed { role: Role::Snapshot }));
    fs::copy(other.metadata("timestamp.json"), world.metadata("timestamp.json")).unwrap();
    assert!(matches!(refused(world.load()), Refused::Signatures { role: Role::Timestamp, .. }));
}

#[test]
fn a_frozen_repository_expires() {
    let mut world = World::with(&[("1", 1)]);
    world.now = NOW + 29 * DAY;
    world.load().unwrap();
    world.now = NOW + 30 * DAY;
    assert!(matches!(refused(world.load()), Refused::Expired { role: Role::Timestamp, .. }));
    world.refresh();
    world.load().unwrap();
    // The list itself is not refreshed by that.
    for (day, role) in [(364, None), (365, Some(Role::Targets))] {
        world.now = NOW + 364 * DAY;
        world.refresh();
        world.now = NOW + day * DAY;
        match (world.load(), role) {
            (Ok(_), None) => {}
            (Err(LoadError::Refused(Refused::Expired { role, .. })), Some(wanted)) => {
                assert_eq!(role, wanted);
            }
            other => panic!("{day}: {other:?}"),
        }
    }
}

#[test]
fn the_clock_rule() {
    let world = World::with(&[("1", 1)]);
    let load = |system, at_least, trust, permit| {
        Catalog::load(
            &world.source(),
            &world.root,
            &world.store(),
            &Clock { system, at_least, trust },
            permit,
        )
    };
    let by_hand = Permit { asker: Asker::Owner, origin: Origin::Bundle };
    let owner = Permit { asker: Asker::Owner, origin: Origin::Network };
    for permit in [BOX, owner, Permit { asker: Asker::Box, origin: Origin::Bundle }] {
        assert!(matches!(refused(load(0, NOW, Trust::Unsure, permit)), Refused::ClockUnsure));
    }
    load(0, NOW, Trust::Unsure, by_hand).unwrap();
    // Expired by what is known for certain: nobody takes it.
    let late = NOW + 31 * DAY;
    assert!(matches!(refused(load(0, late, Trust::Unsure, by_hand)), Refused::Expired { .. }));
    assert!(matches!(refused(load(0, late, Trust::Sure, BOX)), Refused::Expired { .. }));
    assert!(matches!(refused(load(u64::MAX, 0, Trust::Sure, BOX)), Refused::Expired { .. }));
    load(0, NOW, Trust::Sure, BOX).unwrap();
}

#[test]
fn keys_are_changed_and_the_old_ones_are_worth_nothing() {
    let mut world = World::with(&[("1", 1)]);
    world.load().unwrap();
    let new = Keys { root: keys(3), targets: keys(2), snapshot: keys(1), timestamp: keys(1) };
    let repository = world.repository();
    let mut root = repository.draft_root(&plan(&new)).unwrap();
    for key in &new.root {
        root.sign(key).unwrap();
    }
    repository.commit_root(&root).unwrap_err(); // the keys before must agree
    root.sign(&world.keys.root[0]).unwrap();
    repository.commit_root(&root).unwrap_err(); // two of them
    root.sign(&world.keys.root[1]).unwrap();
    repository.commit_root(&root).unwrap();
    assert!(matches!(refused(world.load()), Refused::Signatures { role: Role::Timestamp, .. }));
    world.keys = new;
    world.commit(repository.draft_targets().unwrap());
    world.load().unwrap();
    // The box remembers the new root, also when a server hides it.
    fs::rename(world.metadata("2.root.json"), world.metadata("2.root.json.hidden")).unwrap();
    world.load().unwrap();
    fs::write(world.folder.path().join("store/2.root.json"), "torn").unwrap();
    world.load().unwrap_err();
    fs::rename(world.metadata("2.root.json.hidden"), world.metadata("2.root.json")).unwrap();
    world.load().unwrap();
}

#[test]
fn a_fast_forward_is_forgotten_with_the_stolen_keys() {
    let mut world = World::with(&[("1", 1)]);
    for _round in 0..20 {
        world.refresh();
    }
    world.load().unwrap();
    (world.keys.snapshot, world.keys.timestamp) = (keys(1), keys(1));
    let mut root = world.repository().draft_root(&plan(&world.keys)).unwrap();
    root.sign(&world.keys.root[0]).unwrap();
    root.sign(&world.keys.root[1]).unwrap();
    world.repository().commit_root(&root).unwrap();
    fs::remove_file(world.metadata("timestamp.json")).unwrap();
    let mut draft = world.repository().draft_targets().unwrap();
    for key in &world.keys.targets {
        draft.sign(key).unwrap();
    }
    world.repository().commit(Some(&draft), &world.online()).unwrap();
    world.load().unwrap();
}

#[test]
fn a_repeated_check_writes_nothing() {
    use std::os::unix::fs::MetadataExt as _;
    let world = World::with(&[("1", 1)]);
    world.load().unwrap();
    let folder = world.folder.path().join("store");
    let inodes = || -> Vec<u64> {
        let mut inodes: Vec<_> =
            fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().metadata().unwrap().ino()).collect();
        inodes.sort_unstable();
        inodes
    };
    let before = inodes();
    assert_eq!(before.len(), 3);
    world.load().unwrap();
    assert_eq!(inodes(), before);
}

#[test]
fn what_is_put_aside_is_a_repository_itself() {
    let world = World::with(&[("1", 1)]);
    world.load().unwrap();
    fs::create_dir(world.folder.path().join("aside")).unwrap();
    fs::rename(world.folder.path().join("store"), world.folder.path().join("aside/metadata")).unwrap();
    let source = update::Folder::new(world.folder.path().join("aside"));
    let catalog = Catalog::load(&source, &world.root, &world.store(), &world.clock(), BOX).unwrap();
    assert_eq!(catalog.releases().len(), 1);
}

#[test]
fn a_slot_that_needs_a_newer_loader_is_not_published() {
    let world = World::new();
    let slot = slot(1, 1000);
    let addition = update::publish::Addition {
        slot: &slot,
        archive: None,
        place: home(),
        version: "1".parse().unwrap(),
        loader: "258".parse().unwrap(),
        ships: "257.13-1~deb13u1".parse().unwrap(),
        rollout: 100,
        notes: update::Notes::default(),
    };
    assert!(matches!(world.repository().add(&addition), Err(PublishError::Loader { .. })));
}
