//! A process that backs up is killed at random moments; what was there before must stay whole.

use crate::world::NOON;
use crate::world::Random;
use crate::world::World;
use crate::world::noise;
use backup::Control;
use backup::Depth;
use backup::Pick;
use backup::Series;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::Child;
use std::process::Command;
use std::process::ExitStatus;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

/// Backups that must be cut short, and those that may be begun for it: some are over before their moment.
const CUTS: u32 = 30;
const ROUNDS: u64 = 300;

const SIGKILL: i32 = 9;

#[test]
fn a_killed_backup_costs_nothing() {
    let seed = u64::from(std::process::id());
    println!("seed {seed}");
    let mut random = Random::new(seed);
    let world = World::new();
    let begun = Instant::now();
    assert!(begin(&world, 0).wait().unwrap().success());
    let mut usual = begun.elapsed();
    let mut cuts = 0;
    for round in 1..=ROUNDS {
        for file in 0..6 {
            world.put(&format!("home/file-{file}"), &noise(random.next(), 400_000));
        }
        let before =
            backup::list(&world.owner, &world.target, &Series::Household, &Control::default()).unwrap();
        let begun = Instant::now();
        // Anywhere from its start to after its pruning.
        let moment = usual.mul_f64(f64::from(u32::try_from(random.below(140)).unwrap()) / 100.0);
        let status = cut(begin(&world, round), begun + moment);
        if status.signal() == Some(SIGKILL) {
            cuts += 1;
        } else {
            assert!(status.success(), "seed {seed}, round {round}: {status}");
            usual = begun.elapsed();
        }

        let found =
            backup::verify(&world.owner, &world.target, Depth::Everything, &Control::default()).unwrap();
        assert!(found.is_sound(), "seed {seed}, round {round}: {found:?}");
        let after =
            backup::list(&world.owner, &world.target, &Series::Household, &Control::default()).unwrap();
        let newest = before.snapshots.last().unwrap();
        assert!(after.snapshots.contains(newest), "seed {seed}, round {round}: the newest snapshot is gone");
        if round % 6 == 0 {
            world.back_up(NOON + round);
            world.restore(Pick::Newest, "restored").unwrap();
            assert_eq!(world.restored("restored"), world.live(), "seed {seed}, round {round}");
            fs::remove_dir_all(world.at("restored")).unwrap();
        }
        if cuts == CUTS {
            return;
        }
    }
    panic!("seed {seed}: only {cuts} of {ROUNDS} were cut short");
}

/// Starts `tests/programs/backs_up` over the world.
fn begin(world: &World, round: u64) -> Child {
    Command::new(env!("CARGO_BIN_EXE_backs_up"))
        .arg(world.folder.path())
        .arg((NOON + round).to_string())
        .stdin(Stdio::null())
        .spawn()
        .unwrap()
}

/// Kills the child at a moment, unless it ends before.
fn cut(mut child: Child, moment: Instant) -> ExitStatus {
    while Instant::now() < moment {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap()
}
