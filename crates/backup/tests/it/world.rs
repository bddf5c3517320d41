//! A household with something to lose, and the tree it has.

use crate::task;
use backup::Control;
use backup::Keep;
use backup::Owner;
use backup::Pick;
use backup::Report;
use backup::Request;
use backup::RestoreReport;
use backup::Restoring;
use backup::Scratch;
use backup::Series;
use backup::Target;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;
use tempfile::TempDir;

/// 2026-06-01, noon.
pub(crate) const NOON: u64 = 1_780_315_200;
pub(crate) const DAY: u64 = 86_400;

pub(crate) struct World {
    /// Removed with the world.
    pub(crate) folder: TempDir,
    pub(crate) owner: Owner,
    pub(crate) target: Target,
}

impl World {
    /// A household with a few files, and a folder to back up to.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (owner, target) = (task::owner().unwrap(), task::target(folder.path()));
        let world = Self { folder, owner, target };
        for name in ["home/photos/2026", "home/empty", "stores"] {
            fs::create_dir_all(world.at(name)).unwrap();
        }
        world.put("home/letter.txt", b"Dear all");
        world.put("home/photos/2026/cat.jpg", &noise(1, 3_000_000));
        world.put("home/photos/dog.jpg", &noise(2, 200_000));
        world.put("stores/accounts", &noise(3, 5_000));
        world.put("stores/none", b"");
        std::os::unix::fs::symlink("photos/dog.jpg", world.at("home/best")).unwrap();
        fs::set_permissions(world.at("home/letter.txt"), fs::Permissions::from_mode(0o640)).unwrap();
        world
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn put(&self, name: &str, content: &[u8]) {
        fs::write(self.at(name), content).unwrap();
    }

    pub(crate) fn request(&self, now: u64, keep: Option<Keep>) -> Request {
        task::request(self.folder.path(), now, keep)
    }

    pub(crate) fn scratch(&self) -> Scratch {
        Scratch::open(&self.at("scratch")).unwrap()
    }

    pub(crate) fn back_up(&self, now: u64) -> Report {
        let request = self.request(now, None);
        backup::back_up(&self.owner, &self.target, &request, &self.scratch(), &Control::default()).unwrap()
    }

    /// Restores into a new folder `name`.
    pub(crate) fn restore(&self, pick: Pick, name: &str) -> Result<RestoreReport, backup::RestoreError> {
        let into = self.at(name);
        fs::create_dir(&into).unwrap();
        let restoring = Restoring { series: Series::Household, snapshot: pick, into, owners: false };
        backup::restore(&self.owner, &self.target, &restoring, &Control::default())
    }

    /// Both sources, as they lie on the disk.
    pub(crate) fn live(&self) -> BTreeMap<String, String> {
        let mut seen = BTreeMap::new();
        for source in ["home", "stores"] {
            describe(&self.at(source), source, &mut seen);
        }
        seen
    }

    pub(crate) fn restored(&self, name: &str) -> BTreeMap<String, String> {
        let mut seen = BTreeMap::new();
        for source in ["home", "stores"] {
            describe(&self.at(name).join("files").join(source), source, &mut seen);
        }
        seen
    }
}

/// All that must come back: contents, permissions, times, links.
fn describe(path: &Path, name: &str, seen: &mut BTreeMap<String, String>) {
    let meta = fs::symlink_metadata(path).unwrap();
    let what = if meta.is_dir() {
        let mut names: Vec<_> = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        for child in names {
            describe(&path.join(&child), &format!("{name}/{}", printable(&child)), seen);
        }
        format!("folder {:o} {}.{}", meta.mode() & 0o777, meta.mtime(), meta.mtime_nsec())
    } else if meta.is_symlink() {
        format!("link {}", fs::read_link(path).unwrap().display())
    } else {
        let content = fs::read(path).unwrap();
        format!("file {:o} {}.{} {content:?}", meta.mode() & 0o777, meta.mtime(), meta.mtime_nsec())
    };
    assert_eq!(seen.insert(name.to_owned(), what), None);
}

/// Different for different names, also for those that are no text.
fn printable(name: &std::ffi::OsStr) -> String {
    name.to_str().map_or_else(|| format!("{name:?}"), str::to_owned)
}

/// The same bytes for the same seed; no chunk is like another.
pub(crate) fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = Random::new(seed);
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        bytes.extend_from_slice(&state.next().to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// xorshift64*, enough to choose bytes by.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

/// Files of a repository, by path, sorted.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}
