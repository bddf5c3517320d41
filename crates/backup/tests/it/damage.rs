use crate::world::NOON;
use crate::world::Random;
use crate::world::World;
use crate::world::files;
use backup::Control;
use backup::Depth;
use backup::Pick;
use backup::Series;
use std::fs;
use std::path::Path;

/// Restores and says whether that was refused; when it was not, everything must be as it was.
fn refused(world: &World, name: &str) -> bool {
    let result = world.restore(Pick::Newest, name);
    match &result {
        Ok(_) => assert_eq!(world.restored(name), world.live(), "wrong data was handed out"),
        Err(_) => assert!(fs::read_dir(world.at(name)).unwrap().next().is_none(), "something was handed out"),
    }
    fs::remove_dir_all(world.at(name)).unwrap();
    result.is_err()
}

fn classes(world: &World) -> Vec<(&'static str, Vec<std::path::PathBuf>)> {
    let at = |name: &str| world.at("repository").join(name);
    let mut classes: Vec<_> =
        ["data", "index", "keys", "snapshots"].map(|name| (name, files(&at(name)))).into();
    classes.push(("config", vec![at("config")]));
    classes
}

#[test]
fn each_flipped_bit_is_refused_or_harmless() {
    let world = World::new();
    world.back_up(NOON);
    let mut random = Random::new(20_260_601);
    let mut flips = 0;
    for (class, files) in classes(&world) {
        let mut refusals = 0;
        for round in 0..25 {
            let file = &files[round % files.len()];
            let good = fs::read(file).unwrap();
            let mut bad = good.clone();
            let at = usize::try_from(random.below(good.len() as u64)).unwrap();
            bad[at] ^= 1 << random.below(8);
            fs::write(file, &bad).unwrap();
            let noticed = refused(&world, "restored");
            let verified =
                backup::verify(&world.owner, &world.target, Depth::Everything, &Control::default());
            let sound = verified.is_ok_and(|found| found.is_sound());
            assert!(!sound, "{class}: bit at {at} of {} was not noticed", file.display());
            refusals += u32::from(noticed);
            flips += 1;
            fs::write(file, &good).unwrap();
        }
        // A restore needs neither the key file nor the tables of contents in packs.
        let needed = match class {
            "keys" => 0,
            "data" => 10,
            _ => 25,
        };
        assert!(refusals >= needed, "{class}: {refusals}");
    }
    assert_eq!(flips, 125);
    assert!(!refused(&world, "restored"));
}

#[test]
fn each_cut_file_is_refused() {
    let world = World::new();
    world.back_up(NOON);
    for (class, files) in classes(&world) {
        for file in files {
            let good = fs::read(&file).unwrap();
            for length in [0, 1, good.len() / 2, good.len() - 1] {
                fs::write(&file, &good[..length]).unwrap();
                let noticed = refused(&world, "restored");
                let verified =
                    backup::verify(&world.owner, &world.target, Depth::Structure, &Control::default());
                assert!(noticed || class == "data" || class == "keys", "{class} cut to {length}");
                assert!(!verified.is_ok_and(|found| found.is_sound()), "{class} cut to {length} verified");
            }
            fs::remove_file(&file).unwrap();
            assert!(refused(&world, "restored") || class == "keys", "{class} without {}", file.display());
            fs::write(&file, &good).unwrap();
        }
    }
}

#[test]
fn what_a_cut_left_empty_is_taken_away_by_the_next_backup() {
    let world = World::new();
    world.back_up(NOON);
    world.put("home/letter.txt", b"another");
    for folder in ["snapshots", "index", "data/ab"] {
        fs::write(world.at("repository").join(folder).join("ab".repeat(32)), b"").unwrap();
    }
    let report = world.back_up(NOON + 1);
    assert_eq!(report.healed.indexes, 1);
    let verified = backup::verify(&world.owner, &world.target, Depth::Everything, &Control::default());
    assert!(verified.unwrap().is_sound());
    assert!(!refused(&world, "restored"));
}

#[test]
fn files_exchanged_for_one_another_are_refused() {
    let world = World::new();
    world.back_up(NOON);
    world.put("home/letter.txt", b"another");
    world.back_up(NOON + 1);
    for class in ["snapshots", "index", "data"] {
        let files = files(&world.at("repository").join(class));
        let (left, right) = (fs::read(&files[0]).unwrap(), fs::read(&files[1]).unwrap());
        fs::write(&files[0], &right).unwrap();
        fs::write(&files[1], &left).unwrap();
        assert!(refused(&world, "restored"), "{class}");
        fs::write(&files[0], &left).unwrap();
        fs::write(&files[1], &right).unwrap();
    }
}

#[test]
fn a_lost_pack_is_saved_anew() {
    let world = World::new();
    world.back_up(NOON);
    let packs = files(&world.at("repository/data"));
    let largest = packs.iter().max_by_key(|pack| fs::metadata(pack).unwrap().len()).unwrap();
    fs::remove_file(largest).unwrap();
    assert!(refused(&world, "restored"));
    let report = world.back_up(NOON + 1);
    assert_eq!(report.healed.packs, 1);
    assert!(!refused(&world, "restored"));
}

#[test]
fn a_damaged_index_is_made_anew() {
    let world = World::new();
    world.back_up(NOON);
    for index in files(&world.at("repository/index")) {
        flip(&index);
    }
    assert!(refused(&world, "restored"));
    let healed = backup::repair(&world.owner, &world.target, &Control::default()).unwrap();
    assert_eq!(healed.indexes, 1);
    assert!(!refused(&world, "restored"));
}

#[test]
fn a_damaged_snapshot_hides_no_other() {
    let world = World::new();
    let first = world.back_up(NOON).snapshot.id;
    let second = world.back_up(NOON + 1).snapshot.id;
    flip(&world.at("repository/snapshots").join(&second));
    let listing = backup::list(&world.owner, &world.target, &Series::Household, &Control::default()).unwrap();
    assert_eq!(listing.snapshots[0].id, first);
    assert_eq!(listing.damaged, [format!("snapshots/{second}")]);
    assert!(!refused(&world, "restored"));
}

fn flip(file: &Path) {
    let mut content = fs::read(file).unwrap();
    let middle = content.len() / 2;
    content[middle] ^= 1;
    fs::write(file, content).unwrap();
}
