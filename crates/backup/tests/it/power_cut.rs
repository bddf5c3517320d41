//! A process that backs up is killed at random moments; what was there before must stay whole.

use crate::world::NOON;
use crate::world::Random;
use crate::world::World;
use crate::world::noise;
use backup::Control;
use backup::Depth;
use backup::Keep;
use backup::Pick;
use std::fs;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

const WORLD: &str = "HEARTH_BACKUP_TEST_WORLD";
const ROUNDS: u64 = 36;

/// Not a test of its own: what the killed process runs. Without a world it only compares its request with itself.
#[test]
fn child() {
    let Ok(folder) = std::env::var(WORLD) else {
        assert_eq!(KEEP.last, 3);
        return;
    };
    let (folder, now) = folder.split_once('@').unwrap();
    let world = World::of(folder);
    let request = world.request(now.parse().unwrap(), Some(KEEP));
    backup::back_up(&world.owner, &world.target, &request, &world.scratch(), &Control::default()).unwrap();
}

const KEEP: Keep = Keep { last: 3, daily: 0, weekly: 0, monthly: 0 };

#[test]
fn a_killed_backup_costs_nothing() {
    let seed = u64::from(std::process::id());
    println!("seed {seed}");
    let mut random = Random::new(seed);
    let world = World::new();
    let whole = Instant::now();
    world.back_up(NOON);
    let usual = whole.elapsed();
    let mut killed = 0;
    for round in 1..=ROUNDS {
        for file in 0..6 {
            world.put(&format!("home/file-{file}"), &noise(random.next(), 400_000));
        }
        let before = backup::list(&world.owner, &world.target, &Control::default()).unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "power_cut::child"])
            .env(WORLD, format!("{}@{}", world.folder.path().display(), NOON + round))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Somewhere between its first file and its pruning; a child that was quicker is fine too.
        let moment =
            Instant::now() + usual.mul_f64(f64::from(u32::try_from(random.below(150)).unwrap()) / 100.0);
        while Instant::now() < moment && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        child.kill().unwrap();
        killed += u32::from(!child.wait().unwrap().success());

        let found =
            backup::verify(&world.owner, &world.target, Depth::Everything, &Control::default()).unwrap();
        assert!(found.is_sound(), "seed {seed}, round {round}: {found:?}");
        let after = backup::list(&world.owner, &world.target, &Control::default()).unwrap();
        let newest = before.snapshots.last().unwrap();
        assert!(after.snapshots.contains(newest), "seed {seed}, round {round}: the newest snapshot is gone");
        if round % 6 == 0 {
            world.back_up(NOON + round);
            world.restore(Pick::Newest, "restored").unwrap();
            assert_eq!(world.restored("restored"), world.live(), "seed {seed}, round {round}");
            fs::remove_dir_all(world.at("restored")).unwrap();
        }
    }
    assert!(killed >= 20, "only {killed} of {ROUNDS} were killed in time");
}
