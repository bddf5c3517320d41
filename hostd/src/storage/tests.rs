//! On the real store, with a storaged in memory behind the real interface.

use super::*;
use crate::storaged::fake::FakeStoraged;
use std::fs;
use store::StoreKey;
use tempfile::TempDir;
use tokio::task::JoinSet;

/// A folder, and a storaged that lives as long.
struct World {
    folder: TempDir,
    storaged: Arc<FakeStoraged>,
    _served: JoinSet<()>,
}

impl World {
    fn new() -> Self {
        let (folder, storaged) = (tempfile::tempdir().unwrap(), Arc::new(FakeStoraged::default()));
        let served = storaged.serve(&folder.path().join("storage.sock")).unwrap();
        Self { folder, storaged, _served: served }
    }

    fn state(&self) -> PathBuf {
        self.folder.path().join("hostd")
    }

    async fn open(&self) -> Opened {
        self.open_accepting(None).await
    }

    async fn open_accepting(&self, accepted: Option<Rollback>) -> Opened {
        let socket = self.folder.path().join("storage.sock");
        let needs = Needs {
            storaged: &socket,
            patience: Duration::from_secs(60),
            accepted,
            restored: None,
            keeps_way_back: false,
        };
        open(&self.state(), &needs).await.unwrap()
    }

    /// The whole folder as it is now.
    fn copy(&self, name: &str) {
        copy_folder(&self.state(), &self.folder.path().join(name));
    }

    /// Puts a copy in the place of the folder.
    fn put_back(&self, name: &str) {
        fs::remove_dir_all(self.state()).unwrap();
        copy_folder(&self.folder.path().join(name), &self.state());
    }
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let place = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &place);
        } else {
            fs::copy(entry.path(), place).unwrap();
        }
    }
}

fn reason(opened: &Opened) -> &str {
    match &opened.storage {
        Storage::Unavailable { reason } => reason,
        Storage::Usable(_) => panic!("storage is usable"),
    }
}

#[tokio::test]
async fn the_authority_is_kept_over_restarts_and_the_key_lies_elsewhere() {
    let world = World::new();
    let first = world.open().await;
    assert!(matches!(first.storage, Storage::Usable(_)));
    let fingerprint = first.authority.fingerprint();
    drop(first);
    assert!(!world.state().join(keys::KEY_FILE).exists());
    assert!(world.storaged.store_key().is_some());
    assert_eq!(world.open().await.authority.fingerprint(), fingerprint);
    assert_eq!(world.storaged.number(), Some(3), "one for settling, and one for each opening");
}

#[tokio::test]
async fn a_key_beside_the_store_is_taken_in_and_removed_and_the_box_goes_on() {
    let world = World::new();
    // As an earlier version left it.
    fs::create_dir(world.state()).unwrap();
    let key = StoreKey::load_or_create(&world.state().join(keys::KEY_FILE)).unwrap();
    let known = records::migrations();
    let (store, _) =
        OpenOptions::new(&key).migrations(&known).open(&world.state().join(STORE_FOLDER)).unwrap();
    let (authority, stored) = Authority::generate().unwrap();
    let records = Records::in_sled(Arc::new(store));
    records.keep_authority(&stored).await.unwrap();
    drop(records);

    for _ in 0..2 {
        let opened = world.open().await;
        assert!(matches!(opened.storage, Storage::Usable(_)));
        assert_eq!(opened.authority.fingerprint(), authority.fingerprint());
        assert_eq!(opened.recovered, None);
        assert!(!world.state().join(keys::KEY_FILE).exists());
        assert_eq!(world.storaged.store_key().as_ref(), Some(key.expose()));
    }
}

#[tokio::test]
async fn a_key_that_storaged_does_not_take_stays_where_it_is() {
    let world = World::new();
    drop(world.open().await);
    let file = world.state().join(keys::KEY_FILE);
    StoreKey::load_or_create(&file).unwrap();
    let opened = world.open().await;
    assert!(reason(&opened).contains("another key"), "{}", reason(&opened));
    assert!(file.exists());
}

#[tokio::test]
async fn an_older_copy_is_not_opened_until_this_very_one_is_accepted() {
    let world = World::new();
    drop(world.open().await);
    world.copy("old");
    drop(world.open().await);
    world.copy("new");
    world.put_back("old");
    let refused = world.open().await;
    let rollback = refused.rollback.unwrap();
    assert!(rollback.store.is_some_and(|store| store < rollback.anchor), "{rollback:?}");
    assert!(reason(&refused).contains("an older copy was put in the place"), "{}", reason(&refused));
    assert!(reason(&refused).contains("recovery key"), "{}", reason(&refused));
    let other = Rollback { anchor: rollback.anchor + 1, ..rollback };
    assert_eq!(world.open_accepting(Some(other)).await.rollback, Some(rollback));

    // What was there goes on.
    world.put_back("new");
    assert!(matches!(world.open().await.storage, Storage::Usable(_)));
    world.put_back("old");
    let again = world.open().await.rollback.unwrap();
    // Accepted: nobody can tell whether it had an owner, until the start after that.
    let accepted = world.open_accepting(Some(again)).await;
    assert_eq!(accepted.rollback, None);
    assert!(reason(&accepted).contains("has an owner"), "{}", reason(&accepted));
    assert!(matches!(world.open().await.storage, Storage::Usable(_)));
    world.put_back("new");
    assert!(world.open().await.rollback.is_some(), "any other copy is older from then on");
}

#[tokio::test]
async fn a_store_that_was_emptied_is_no_new_box() {
    let world = World::new();
    drop(world.open().await);
    fs::remove_dir_all(world.state().join(STORE_FOLDER)).unwrap();
    assert_eq!(world.open().await.rollback.map(|rollback| rollback.store), Some(None));
    // A partition that was made anew.
    world.storaged.set_number(None);
    assert!(matches!(world.open().await.storage, Storage::Usable(_)));
}

#[tokio::test]
async fn a_chip_whose_counter_is_far_behind_is_raised_in_steps() {
    let world = World::new();
    drop(world.open().await);
    world.storaged.set_number(Some(5_000));
    let rollback = world.open().await.rollback;
    drop(world.open_accepting(rollback).await);
    // As with another chip: the store is told to be perhaps older, and nothing else.
    world.storaged.set_number(None);
    let opened = world.open().await;
    assert!(opened.rollback.is_none());
    assert!(world.storaged.number().is_some_and(|number| number > 5_000), "{:?}", world.storaged.number());
}

#[tokio::test]
async fn without_a_chip_the_store_is_opened_all_the_same() {
    let world = World::new();
    world.storaged.lose_chip();
    assert!(matches!(world.open().await.storage, Storage::Usable(_)));
    assert_eq!(world.storaged.number(), None);
}

#[tokio::test]
async fn without_storaged_the_reason_says_so_and_nothing_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("nobody.sock");
    let needs = Needs {
        storaged: &socket,
        patience: Duration::from_millis(300),
        accepted: None,
        restored: None,
        keeps_way_back: false,
    };
    let opened = open(&folder.path().join("hostd"), &needs).await.unwrap();
    assert!(reason(&opened).contains("reach storaged"), "{}", reason(&opened));
    assert_eq!(fs::read_dir(folder.path().join("hostd")).unwrap().count(), 0);
}

#[tokio::test]
async fn a_storaged_that_comes_late_is_waited_for() {
    let (folder, storaged) = (tempfile::tempdir().unwrap(), Arc::new(FakeStoraged::default()));
    let socket = folder.path().join("storage.sock");
    let needs = Needs {
        storaged: &socket,
        patience: Duration::from_secs(60),
        accepted: None,
        restored: None,
        keeps_way_back: false,
    };
    let late = async {
        tokio::task::yield_now().await;
        storaged.serve(&socket).unwrap()
    };
    let state = folder.path().join("hostd");
    let (opened, _served) = tokio::join!(open(&state, &needs), late);
    assert!(matches!(opened.unwrap().storage, Storage::Usable(_)));
}

#[tokio::test]
async fn a_loss_that_may_be_the_owner_is_no_set_up() {
    let world = World::new();
    drop(world.open().await);
    let store = world.state().join(STORE_FOLDER);
    // As after a pulled plug: sled's copy is not believed. The first commit's frame begins behind the header of 112 bytes.
    fs::remove_file(store.join("sled.seal")).unwrap();
    let journal = store.join("journal-0000000000000000");
    let mut bytes = fs::read(&journal).unwrap();
    // The last commit, so that the epoch is still there.
    let last = bytes.windows(4).rposition(|four| four == [0xf7, 0x48, 0x4a, 0x46]).unwrap();
    let commits: Vec<usize> =
        (0..=last).filter(|place| bytes[*place..].starts_with(&[0xf7, 0x48, 0x4a, 0x46])).collect();
    assert!(commits.len() > 2, "{commits:?}");
    bytes[commits[commits.len() - 2] + 60] ^= 1;
    fs::write(&journal, bytes).unwrap();
    let opened = world.open().await;
    assert!(reason(&opened).contains("owner"), "{}", reason(&opened));
}

#[tokio::test]
async fn records_of_a_newer_hostd_are_left_alone_with_a_reason() {
    let world = World::new();
    drop(world.open().await);
    let key = StoreKey::from_bytes(world.storaged.store_key().unwrap());
    let newer = records::migrations().then(|_| Ok(store::Batch::new()));
    drop(OpenOptions::new(&key).migrations(&newer).open(&world.state().join(STORE_FOLDER)).unwrap());
    let opened = world.open().await;
    let reason = reason(&opened);
    assert!(reason.contains("newer program") && reason.contains("schema 2"), "{reason}");
}

#[tokio::test]
async fn without_a_folder_there_is_an_authority_in_memory_and_a_reason() {
    let needs = Needs {
        storaged: Path::new("/nonexistent"),
        patience: Duration::MAX,
        accepted: None,
        restored: None,
        keeps_way_back: false,
    };
    let opened = open(Path::new("/nonexistent/state/hostd"), &needs).await.unwrap();
    let reason = reason(&opened);
    assert!(reason.contains("/nonexistent/state/hostd") && reason.contains("No such file"), "{reason}");
    assert!(!opened.authority.fingerprint().is_empty());
}
