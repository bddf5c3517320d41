//! Backups to a real object store, over HTTP, with signatures that it checks.

#![cfg(feature = "s3")]

use crate::world::DAY;
use crate::world::NOON;
use crate::world::World;
use crate::world::files;
use crate::world::noise;
use backup::Control;
use backup::Depth;
use backup::Pick;
use backup::Secret;
use backup::Target;
use std::error::Error;
use std::fs;
use std::io::BufRead;
use std::io::BufReader;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;

/// The only key of the store, and its secret.
const KEY: &str = "S3RVER";
const BUCKET: &str = "family";

/// A store that is ended with the test.
struct Store {
    process: Child,
    endpoint: String,
    /// Of each object there is a file whose name ends so.
    folder: PathBuf,
}

impl Store {
    fn start(folder: &Path) -> Self {
        let server = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/s3-server");
        let is_there = server.join("node_modules/s3rver").exists();
        assert!(is_there, "there is no object store: run `npm ci` in crates/backup/tests/s3-server");
        let mut process = Command::new("node");
        process.arg(server.join("server.cjs")).arg(folder).arg(BUCKET).stdout(Stdio::piped());
        let mut process = process.spawn().unwrap();
        let mut said = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut said).unwrap();
        let port: u16 = said.trim().parse().unwrap();
        Self { process, endpoint: format!("http://127.0.0.1:{port}"), folder: folder.to_owned() }
    }

    fn target(&self, secret: &str) -> Target {
        Target::S3(backup::S3Target {
            endpoint: self.endpoint.clone(),
            bucket: BUCKET.to_owned(),
            region: "eu-central-1".to_owned(),
            access_key: KEY.to_owned(),
            secret_key: Secret::new(secret),
            path: "hearth/box".to_owned(),
        })
    }

    /// The largest object's file.
    fn largest(&self) -> PathBuf {
        let objects =
            files(&self.folder).into_iter().filter(|path| path.to_string_lossy().ends_with("_object"));
        objects.max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap()
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn world() -> (World, Store) {
    let mut world = World::new();
    let store = Store::start(&world.at("store"));
    world.target = store.target(KEY);
    (world, store)
}

fn words(error: &dyn Error) -> String {
    let causes = std::iter::successors(Some(error), |error| (*error).source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[test]
fn what_was_saved_in_a_bucket_comes_back_the_same_and_only_changes_are_sent() {
    let (world, _store) = world();
    let first = world.back_up(NOON);
    assert_eq!((first.files, first.unchanged), (5, 0));
    world.put("home/letter.txt", b"Dear none");
    world.put("home/new", &noise(9, 100_000));
    let second = world.back_up(NOON + DAY);
    assert!(second.written < 200_000 && first.written > 3_000_000, "{} {}", first.written, second.written);
    let found = backup::verify(&world.owner, &world.target, Depth::Everything, &Control::default()).unwrap();
    assert!(found.is_sound() && found.snapshots == 2, "{found:?}");
    world.restore(Pick::Newest, "new").unwrap();
    assert_eq!(world.restored("new"), world.live());
    world.restore(Pick::Id(first.snapshot.id), "old").unwrap();
    assert_eq!(fs::read(world.at("old/files/home/letter.txt")).unwrap(), b"Dear all");
}

#[test]
fn an_object_that_was_changed_or_cut_short_in_the_bucket_is_not_restored() {
    let (world, store) = world();
    world.back_up(NOON);
    let object = store.largest();
    let whole = fs::read(&object).unwrap();
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    let short = whole[..whole.len() / 2].to_vec();
    for (name, damaged) in [("flipped", flipped), ("short", short)] {
        fs::write(&object, damaged).unwrap();
        let found = backup::verify(&world.owner, &world.target, Depth::Everything, &Control::default());
        assert!(!found.is_ok_and(|found| found.is_sound()), "{name} is taken for sound");
        world.restore(Pick::Newest, name).unwrap_err();
        assert!(!world.at(name).join("files").exists(), "something was handed over that is {name}");
    }
    fs::write(&object, whole).unwrap();
    world.restore(Pick::Newest, "whole").unwrap();
    assert_eq!(world.restored("whole"), world.live());
}

#[test]
fn a_wrong_secret_a_missing_bucket_and_a_store_that_is_away_are_told_apart() {
    let (mut world, store) = world();
    let try_it = |world: &World| {
        let request = world.request(NOON, None);
        let tried =
            backup::back_up(&world.owner, &world.target, &request, &world.scratch(), &Control::default());
        words(&tried.unwrap_err())
    };
    world.target = store.target("another-secret");
    let refused = try_it(&world);
    assert!(refused.contains("403"), "{refused}");
    assert!(!refused.contains("another-secret") && !refused.contains("X-Amz"), "{refused}");
    let Target::S3(mut bucket) = store.target(KEY) else { panic!("another kind of target") };
    "nobodys".clone_into(&mut bucket.bucket);
    world.target = Target::S3(bucket);
    let missing = try_it(&world);
    assert!(missing.contains("nobodys"), "{missing}");
    world.target = store.target(KEY);
    drop(store);
    let away = try_it(&world);
    assert!(away.contains("127.0.0.1"), "{away}");
    assert!(!away.contains("X-Amz"), "{away}");
}

#[test]
fn a_store_that_goes_away_amid_a_backup_costs_that_backup_only() {
    let (mut world, store) = world();
    world.back_up(NOON);
    let before = world.live();
    let folder = store.folder.clone();
    drop(store);
    world.put("home/new", &noise(9, 100_000));
    let request = world.request(NOON + DAY, None);
    backup::back_up(&world.owner, &world.target, &request, &world.scratch(), &Control::default())
        .unwrap_err();
    let store = Store::start(&folder);
    world.target = store.target(KEY);
    world.restore(Pick::Newest, "before").unwrap();
    let mut restored = world.restored("before");
    assert_eq!(restored.remove("home/new"), None);
    assert_eq!(restored.len(), before.len());
    world.back_up(NOON + 2 * DAY);
    world.restore(Pick::Newest, "after").unwrap();
    assert_eq!(world.restored("after"), world.live());
}
