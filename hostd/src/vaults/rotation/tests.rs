//! The power goes between any two changes of a rotation: what is there afterwards is one vault, whole.

use super::*;
use crate::accounts::Loaded;
use crate::accounts::Storage;
use crate::clock::ManualClock;
use crate::records::Records;
use crate::records::Role;
use crate::vaults::VaultState;
use crate::vaults::directories::Directories;
use crate::vaults::directories::fake::FakeDirectories;
use crate::vaults::directories::fake::Power;
use crate::vaults::folders_in;
use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use store::Batch;
use store::Generation;
use store::KeyValue;
use store::MemoryStore;
use store::ReadError;
use store::Store;
use tempfile::TempDir;
use vault::RecoveryCode;
use vault::directory::DirectoryError;

const PASSWORD: &str = "correct horse";
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 1, 5));

/// A store whose commits need power twice: before they are kept, and before that is known.
#[derive(Default)]
struct PoweredStore {
    memory: MemoryStore,
    power: Arc<Power>,
}

impl Store for PoweredStore {
    fn get(&self, table: &str, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        self.memory.get(table, key)
    }

    fn scan(&self, table: &str) -> Result<Vec<KeyValue>, ReadError> {
        self.memory.scan(table)
    }

    fn commit(&self, batch: Batch) -> Result<Generation, CommitError> {
        self.power.take().map_err(|_gone| CommitError::Stopped)?;
        let done = self.memory.commit(batch)?;
        let unconfirmed = |source| CommitError::Unconfirmed { file: "journal".to_owned(), source };
        self.power.take().map(|()| done).map_err(unconfirmed)
    }
}

/// What outlives a run of hostd.
struct Disk {
    store: Arc<PoweredStore>,
    directories: Arc<FakeDirectories>,
    folder: TempDir,
}

/// A run of hostd.
struct Run {
    vaults: Arc<Vaults>,
    accounts: Accounts,
    records: Records,
}

impl Disk {
    fn new() -> Self {
        let power = Arc::<Power>::default();
        let store = PoweredStore { power: Arc::clone(&power), ..PoweredStore::default() };
        let directories = FakeDirectories::powered_by(power);
        let folder = tempfile::tempdir().unwrap();
        Self { store: Arc::new(store), directories: Arc::new(directories), folder }
    }

    async fn start(&self) -> Run {
        self.directories.power.set(u64::MAX);
        let records = Records::new(Arc::clone(&self.store) as Arc<dyn Store>);
        let storage = Storage::Usable(records.clone());
        let clock = Arc::new(ManualClock::default());
        let accounts = Accounts::new(storage.clone(), Loaded::default(), clock).unwrap();
        let directories = Arc::clone(&self.directories) as Arc<dyn Directories>;
        let vaults = Vaults::new(storage, accounts.hasher(), self.folder.path().to_owned(), directories);
        vaults.take_over().await;
        Run { vaults: Arc::new(vaults), accounts, records }
    }

    /// The directories of the only vault.
    fn directories(&self) -> Vec<PathBuf> {
        let vaults = folders_in(self.folder.path());
        assert_eq!(vaults.len(), 1, "{vaults:?}");
        folders_in(&vaults[0])
    }
}

impl Run {
    async fn begin(&self) -> Result<Rotation, VaultError> {
        self.vaults.begin_rotation(&self.accounts, (&anna(), HERE), PASSWORD).await
    }

    fn rotate(&self, rotation: Rotation) -> tokio::task::JoinHandle<()> {
        let vaults = Arc::clone(&self.vaults);
        tokio::spawn(async move { vaults.rotate(rotation).await })
    }

    async fn state(&self) -> VaultState {
        self.vaults.summary(&anna()).await.unwrap().state
    }

    async fn problem(&self) -> Option<String> {
        self.vaults.summary(&anna()).await.unwrap().problem
    }

    fn record(&self) -> VaultRecord {
        self.records.vault_blocking(&anna()).unwrap().unwrap()
    }
}

fn anna() -> UserName {
    "anna".to_owned().try_into().unwrap()
}

/// A vault with a recovery code and some files in it, which is open.
async fn filled() -> (Disk, Run, RecoveryCode) {
    let disk = Disk::new();
    let run = disk.start().await;
    run.vaults.admit((&anna(), Role::Owner), PASSWORD).await.unwrap();
    let code = run.vaults.new_code(&anna(), PASSWORD).await.unwrap();
    run.vaults.confirm_code(&anna(), &code[code.len() - 9..]).await.unwrap();
    for (name, bytes) in contents() {
        fs::write(run.vaults.enter(&anna()).unwrap().folder().join(name), bytes).unwrap();
    }
    (disk, run, RecoveryCode::parse(&code).unwrap())
}

fn contents() -> Vec<(String, Vec<u8>)> {
    let file = |name: &str, bytes: &[u8]| (name.to_owned(), bytes.to_owned());
    vec![file("a", b"first"), file("b", b""), file("c", &[7; 3 << 20])]
}

fn read(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entry = |entry: std::io::Result<fs::DirEntry>| {
        let entry = entry.unwrap();
        (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())
    };
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(entry).collect();
    files.sort();
    files
}

/// What must hold of the box after it was started again; says which vault key it has.
async fn whole(disk: &Disk, run: &Run, what: &str, code: RecoveryCode) -> u64 {
    assert_eq!(run.state().await, VaultState::Locked, "{what}");
    run.vaults.unlock(&anna(), Box::new(code)).await.unwrap();
    run.vaults.lock(&anna()).await.unwrap();
    run.vaults.unlock(&anna(), Box::new(vault::Password::new(PASSWORD))).await.unwrap();
    let folder = run.vaults.enter(&anna()).unwrap().folder().to_owned();
    assert_eq!(read(&folder), contents(), "{what}");
    assert_eq!(disk.directories(), [folder], "{what}");
    assert_eq!(run.records.doomed_blocking().unwrap(), [], "{what}");
    run.record().document().unwrap().key_number()
}

#[tokio::test]
async fn a_cut_between_any_two_changes_leaves_the_old_or_the_new_whole() {
    let mut ends = Vec::new();
    loop {
        let (disk, run, code) = filled().await;
        let changes = ends.len() as u64;
        let rotation = run.begin().await.unwrap();
        disk.directories.power.set(changes);
        run.vaults.rotate(rotation).await;
        let is_through = !disk.directories.power.is_gone();
        drop(run);
        let run = disk.start().await;
        ends.push(whole(&disk, &run, &format!("cut after {changes} changes"), code).await);
        if is_through {
            break;
        }
    }
    // Two changes of each of three files, and those around them.
    assert!(ends.len() > 12, "{ends:?}");
    assert!(ends.is_sorted() && ends.first() == Some(&1) && ends.last() == Some(&2), "{ends:?}");
    println!("vault keys after cuts: {ends:?}");
}

#[tokio::test]
async fn the_old_key_opens_nothing_and_the_code_stays() {
    let (disk, run, code) = filled().await;
    let before = run.record();
    let old = before.document().unwrap().open(&vault::Password::new(PASSWORD)).unwrap();
    run.vaults.rotate(run.begin().await.unwrap()).await;
    assert_eq!((run.state().await, run.problem().await), (VaultState::Open, None));
    let folder = run.vaults.enter(&anna()).unwrap().folder().to_owned();
    assert_eq!(read(&folder), contents());
    assert_eq!(disk.directories(), std::slice::from_ref(&folder));
    let refused = disk.directories.open(&folder, old.current());
    assert!(matches!(refused, Err(DirectoryError::OtherKey { .. })));
    run.record().document().unwrap().add(&old, &code).unwrap_err();
    assert!(run.vaults.summary(&anna()).await.unwrap().has_code);
    run.vaults.rotate(run.begin().await.unwrap()).await;
    drop(run);
    let run = disk.start().await;
    assert_eq!(whole(&disk, &run, "after two rotations", code).await, 3);
}

#[tokio::test]
async fn what_apps_are_given_stays_with_another_key_and_goes_when_the_vault_is_locked_by_hand() {
    let (disk, run, code) = filled().await;
    let secret = |run: &Run| run.vaults.secrets_of_apps().borrow().of(&anna()).cloned();
    let first = secret(&run).unwrap();
    let rotation = run.begin().await.unwrap();
    run.vaults.rotate(rotation).await;
    assert_eq!(secret(&run), Some(first.clone()));
    run.vaults.lock_absent(|_user| false).await;
    assert_eq!((run.state().await, secret(&run)), (VaultState::Locked, Some(first.clone())));
    run.vaults.lock(&anna()).await.unwrap();
    assert_eq!(secret(&run), None);
    drop(run);
    let run = disk.start().await;
    assert_eq!(secret(&run), None);
    run.vaults.unlock(&anna(), Box::new(code)).await.unwrap();
    assert_eq!(secret(&run), Some(first));
}

#[tokio::test]
async fn an_answer_of_the_disk_that_is_lost_leaves_the_vault_shut_until_the_next_start() {
    let (disk, run, code) = filled().await;
    let rotation = run.begin().await.unwrap();
    // Two for the directory that is not there, one for the new one, two a file, one to settle; one of the commit's two.
    disk.directories.power.set(2 + 1 + 6 + 1 + 1);
    run.vaults.rotate(rotation).await;
    disk.directories.power.set(u64::MAX);
    assert_eq!(run.state().await, VaultState::Busy);
    assert!(run.problem().await.unwrap().contains("started again"));
    let refused = run.vaults.unlock(&anna(), Box::new(vault::Password::new(PASSWORD))).await;
    assert!(matches!(refused, Err(VaultError::Rotating)), "{refused:?}");
    assert!(matches!(run.vaults.enter(&anna()), Err(VaultError::Locked)));
    assert_eq!(disk.directories().len(), 2, "neither is destroyed before it is known which counts");
    drop(run);
    let run = disk.start().await;
    assert_eq!(whole(&disk, &run, "after a lost answer", code).await, 2);
}

#[tokio::test]
async fn a_full_disk_changes_nothing_and_is_told() {
    let (disk, run, code) = filled().await;
    disk.directories.room.store(64 << 20, Ordering::Relaxed);
    let refused = run.begin().await;
    assert!(matches!(refused, Err(VaultError::File(FileError::Full))), "{refused:?}");
    assert_eq!((run.state().await, run.problem().await), (VaultState::Open, None));
    disk.directories.room.store(u64::MAX, Ordering::Relaxed);

    let rotation = run.begin().await.unwrap();
    disk.directories.is_full.store(true, Ordering::Relaxed);
    run.vaults.rotate(rotation).await;
    let problem = run.problem().await.unwrap();
    assert_eq!(problem, "the key was not changed: the disk is full");
    assert_eq!(run.state().await, VaultState::Open);
    let folder = run.vaults.enter(&anna()).unwrap().folder().to_owned();
    assert_eq!((read(&folder), disk.directories()), (contents(), vec![folder]));

    disk.store.memory.set_disk_full(true);
    disk.directories.is_full.store(false, Ordering::Relaxed);
    run.vaults.rotate(run.begin().await.unwrap()).await;
    assert!(run.problem().await.unwrap().starts_with("the key was not changed"));
    disk.store.memory.set_disk_full(false);
    run.vaults.rotate(run.begin().await.unwrap()).await;
    assert_eq!(run.problem().await, None);
    drop(run);
    let run = disk.start().await;
    assert_eq!(whole(&disk, &run, "after full disks", code).await, 2);
}

#[tokio::test]
async fn nothing_else_changes_the_vault_meanwhile_and_locking_it_breaks_off() {
    let (disk, run, code) = filled().await;
    disk.directories.is_slow.store(true, Ordering::Relaxed);
    let task = run.rotate(run.begin().await.unwrap());
    assert_eq!(run.state().await, VaultState::Busy);
    assert_eq!(run.vaults.summary(&anna()).await.unwrap().rotation, Some(0));
    assert!(matches!(run.begin().await, Err(VaultError::Rotating)));
    assert!(matches!(run.vaults.new_code(&anna(), PASSWORD).await, Err(VaultError::Rotating)));
    assert!(matches!(run.vaults.enter(&anna()), Err(VaultError::Locked)));
    // Whoever logs in need not wait for it.
    run.vaults.admit((&anna(), Role::Owner), PASSWORD).await.unwrap();

    run.vaults.lock(&anna()).await.unwrap();
    task.await.unwrap();
    assert_eq!(run.state().await, VaultState::Locked);
    assert!(run.problem().await.unwrap().contains("locked meanwhile"));
    disk.directories.is_slow.store(false, Ordering::Relaxed);
    assert_eq!(whole(&disk, &run, "after locking", code).await, 1);
}

#[tokio::test]
async fn files_in_use_and_wrong_passwords_are_told_and_tries_are_limited() {
    let (_disk, run, _code) = filled().await;
    let wrong = async || run.vaults.begin_rotation(&run.accounts, (&anna(), HERE), "wrong horse").await;
    for _ in 0..5 {
        assert!(matches!(wrong().await, Err(VaultError::WrongKey { .. })));
    }
    assert!(matches!(
        run.begin().await,
        Err(VaultError::Account(crate::accounts::Refusal::TooManyTries { .. }))
    ));
    run.vaults.lock(&anna()).await.unwrap();
    assert!(
        matches!(run.begin().await, Err(VaultError::Locked)),
        "no try is counted for a vault that is locked"
    );
}

#[tokio::test]
async fn a_file_that_is_being_sent_is_waited_for_and_then_told() {
    let (_disk, run, _code) = filled().await;
    let in_use = run.vaults.enter(&anna()).unwrap();
    assert!(matches!(run.begin().await, Err(VaultError::InUse)));
    drop(in_use);
    assert_eq!(run.state().await, VaultState::Open);
    run.vaults.rotate(run.begin().await.unwrap()).await;
    assert_eq!(run.problem().await, None);
}

#[tokio::test]
async fn files_under_a_key_that_the_store_has_lost_are_left_alone() {
    let (disk, run, code) = filled().await;
    let before = run.record();
    run.vaults.rotate(run.begin().await.unwrap()).await;
    let new = disk.directories();
    run.vaults.lock(&anna()).await.unwrap();
    run.records.keep_vault(&anna(), &before).await.unwrap();
    run.vaults.unlock(&anna(), Box::new(code)).await.unwrap();
    assert_eq!(disk.directories().len(), 2, "an empty one is made beside it");
    assert!(new[0].with_extension("hidden").is_dir());
}
