//! A repository in a folder, with keys at hand.

use std::path::PathBuf;
use tempfile::TempDir;
use update::Asker;
use update::Catalog;
use update::Clock;
use update::Custom;
use update::Folder;
use update::LoadError;
use update::Notes;
use update::Origin;
use update::Permit;
use update::Place;
use update::Release;
use update::Store;
use update::Trust;
use update::publish::Addition;
use update::publish::Archive;
use update::publish::DEFAULT_CUT;
use update::publish::Key;
use update::publish::Lifetimes;
use update::publish::Online;
use update::publish::Repository;
use update::publish::RolePlan;
use update::publish::RootPlan;
use update::publish::pack;

pub(crate) const NOW: u64 = 1_800_000_000;
pub(crate) const DAY: u64 = 86_400;
pub(crate) const BOX: Permit = Permit { asker: Asker::Box, origin: Origin::Network };

/// Keys of all roles: 2 of 3 roots, 2 of 2 targets.
pub(crate) struct Keys {
    pub(crate) root: Vec<Key>,
    pub(crate) targets: Vec<Key>,
    pub(crate) snapshot: Vec<Key>,
    pub(crate) timestamp: Vec<Key>,
}

pub(crate) struct World {
    pub(crate) folder: TempDir,
    pub(crate) keys: Keys,
    pub(crate) now: u64,
    /// What the box has in its image.
    pub(crate) root: Vec<u8>,
}

pub(crate) fn keys(count: usize) -> Vec<Key> {
    (0..count).map(|_at| Key::generate().unwrap().0).collect()
}

pub(crate) fn plan(keys: &Keys) -> RootPlan {
    let role = |keys: &[Key], threshold| RolePlan { keys: keys.iter().map(Key::public).collect(), threshold };
    RootPlan {
        root: role(&keys.root, 2),
        targets: role(&keys.targets, 2),
        snapshot: role(&keys.snapshot, 1),
        timestamp: role(&keys.timestamp, 1),
    }
}

pub(crate) fn place(board: &str, channel: &str) -> Place {
    Place { board: board.parse().unwrap(), channel: channel.parse().unwrap() }
}

pub(crate) fn home() -> Place {
    place("x86_64", "stable")
}

/// A file that compresses a little and differs by its seed in the middle.
pub(crate) fn slot(seed: u32, length: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut bytes: Vec<u8> = (0..length)
        .map(|_at| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0] & 0x7f
        })
        .collect();
    let middle = length / 2;
    for (at, byte) in (0_u32..).zip(bytes.iter_mut().skip(middle).take(5000)) {
        *byte = at.wrapping_mul(seed.wrapping_mul(40_503)).to_le_bytes()[0];
    }
    bytes
}

impl World {
    pub(crate) fn new() -> Self {
        let keys = Keys { root: keys(3), targets: keys(2), snapshot: keys(1), timestamp: keys(1) };
        let world = Self { folder: tempfile::tempdir().unwrap(), keys, now: NOW, root: Vec::new() };
        let repository = world.repository();
        let mut root = repository.draft_root(&plan(&world.keys)).unwrap();
        root.sign(&world.keys.root[0]).unwrap();
        root.sign(&world.keys.root[2]).unwrap();
        repository.commit_root(&root).unwrap();
        let (_version, root) = repository.newest_root().unwrap().unwrap();
        let world = Self { root, ..world };
        world.commit(repository.draft_targets().unwrap());
        world
    }

    pub(crate) fn with(versions: &[(&str, u32)]) -> Self {
        let world = Self::new();
        for (version, seed) in versions {
            world.add(&home(), version, &slot(*seed, 600_000));
        }
        world
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("repository")
    }

    pub(crate) fn repository(&self) -> Repository {
        Repository::open(self.path(), Lifetimes::default(), self.now).unwrap()
    }

    pub(crate) fn source(&self) -> Folder {
        Folder::new(self.path())
    }

    pub(crate) fn store(&self) -> Store {
        Store::open(self.folder.path().join("store")).unwrap()
    }

    pub(crate) fn online(&self) -> Online<'_> {
        Online { snapshot: &self.keys.snapshot, timestamp: &self.keys.timestamp }
    }

    pub(crate) fn commit(&self, mut draft: update::publish::Draft<tuf::metadata::TargetsMetadata>) {
        for key in &self.keys.targets {
            draft.sign(key).unwrap();
        }
        self.repository().commit(Some(&draft), &self.online()).unwrap();
    }

    pub(crate) fn refresh(&self) {
        self.repository().commit(None, &self.online()).unwrap();
    }

    pub(crate) fn add(&self, place: &Place, version: &str, slot: &[u8]) {
        self.add_archive(place, version, slot, &pack(slot, DEFAULT_CUT).unwrap());
    }

    pub(crate) fn add_archive(&self, place: &Place, version: &str, slot: &[u8], archive: &Archive) {
        let addition = Addition {
            slot,
            archive: Some(archive),
            place: place.clone(),
            version: version.parse().unwrap(),
            loader: "257".parse().unwrap(),
            ships: "257.13-1".parse().unwrap(),
            rollout: 100,
            notes: Notes::new("new".to_owned()).unwrap(),
        };
        self.commit(self.repository().add(&addition).unwrap());
    }

    pub(crate) fn edit(&self, version: &str, mut edit: impl FnMut(&mut Custom)) {
        let draft = self.repository().edit(&home(), &version.parse().unwrap(), &mut edit).unwrap();
        self.commit(draft);
    }

    pub(crate) fn clock(&self) -> Clock {
        Clock { system: self.now, at_least: 0, trust: Trust::Sure }
    }

    pub(crate) fn load(&self) -> Result<Catalog, LoadError> {
        Catalog::load(&self.source(), &self.root, &self.store(), &self.clock(), BOX)
    }

    pub(crate) fn release(&self, version: &str) -> Release {
        let catalog = self.load().unwrap();
        catalog.find(&home(), &version.parse().unwrap(), None).unwrap().clone()
    }

    pub(crate) fn metadata(&self, file: &str) -> PathBuf {
        self.path().join("metadata").join(file)
    }
}
