//! A store with all kinds of files, and what becomes of copies of it that are damaged.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use store::Batch;
use store::Limits;
use store::Loss;
use store::OpenError;
use store::Opened;
use store::SledStore;
use store::Store;
use store::StoreKey;
use tempfile::TempDir;

pub(super) type Model = BTreeMap<Vec<u8>, Vec<u8>>;

pub(super) const LIMITS: Limits = Limits {
    key_bytes: 64,
    value_bytes: 4 << 10,
    batch_bytes: 16 << 10,
    journal_bytes: 4 << 10,
    total_bytes: 256 << 10,
};
const COMMITS: u8 = 37;

pub(super) fn open(path: &Path) -> Result<(SledStore, Opened), OpenError> {
    SledStore::open(path, &StoreKey::from_bytes([3; 32]), LIMITS)
}

pub(super) fn contents(store: &SledStore) -> Model {
    store.scan("t").unwrap().into_iter().collect()
}

/// A store of some commits, and what it held after each of them.
pub(super) struct Sample {
    _dir: TempDir,
    pub(super) path: PathBuf,
    pub(super) models: Vec<Model>,
}

/// How the sample was closed.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Closed {
    InOrder,
    /// As by a power cut: sled's folder is not sealed.
    Not,
}

pub(super) fn sample(closed: Closed) -> Sample {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let (store, _) = open(&path).unwrap();
    let mut models = vec![Model::new()];
    for number in 0..COMMITS {
        let key = vec![number % 7];
        let value = vec![number; 20 + 12 * usize::from(number)];
        let mut model = models.last().unwrap().clone();
        let mut batch = Batch::new().put("t", &key, &value);
        model.insert(key, value);
        if number % 5 == 4 {
            batch = batch.delete("t", [number % 6]);
            model.remove(&vec![number % 6]);
        }
        store.commit(batch).unwrap();
        models.push(model);
    }
    drop(store);
    if closed == Closed::Not {
        fs::remove_file(path.join("sled.seal")).unwrap();
    }
    Sample { _dir: dir, path, models }
}

pub(super) fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

pub(super) fn files(folder: &Path, prefix: &str) -> Vec<PathBuf> {
    let mut found: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file() && path.file_name().unwrap().to_str().unwrap().starts_with(prefix))
        .collect();
    found.sort();
    found
}

/// What became of a damaged store.
#[derive(Debug, PartialEq)]
pub(super) enum Outcome {
    Refused,
    Whole {
        told: bool,
    },
    /// Told, and as it was after this many commits.
    Earlier(usize),
}

/// Damages a copy of a sample, opens it and checks what must hold whatever was damaged.
pub(super) fn try_damage(sample: &Sample, damage: impl FnOnce(&Path)) -> Outcome {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    copy(&sample.path, &path);
    damage(&path);
    let (store, opened) = match open(&path) {
        Ok(opened) => opened,
        Err(OpenError::Damaged | OpenError::WrongKey | OpenError::Version { .. }) => return Outcome::Refused,
        Err(error) => panic!("{error:?}"),
    };
    let found = contents(&store);
    let recovered = store.recovered();
    let loss = recovered.as_ref().map_or(Loss::None, |recovered| recovered.loss);
    let number =
        sample.models.iter().rposition(|model| *model == found).expect("holds a state that never was");
    match loss {
        Loss::None => assert_eq!(number, sample.models.len() - 1, "lost silently: {opened:?}"),
        Loss::After(generation) => assert!(generation.get() <= opened.generation.get()),
        Loss::Unknown => panic!("there is no anchor"),
    }
    // A recovered store is a store: it takes commits, and they are there after opening it again, without complaints.
    store.commit(Batch::new().put("t", "after", "damage")).unwrap();
    let expected = contents(&store);
    drop(store);
    let (store, opened) = open(&path).unwrap();
    assert_eq!((contents(&store), opened.recovered), (expected, None));
    match loss {
        Loss::After(_) | Loss::Unknown => Outcome::Earlier(number),
        Loss::None => Outcome::Whole { told: recovered.is_some() },
    }
}

pub(super) fn flip(path: &Path, position: usize, count: usize) {
    let mut bytes = fs::read(path).unwrap();
    let end = (position + count).min(bytes.len());
    for byte in &mut bytes[position..end] {
        *byte ^= 0x5a;
    }
    fs::write(path, bytes).unwrap();
}

pub(super) fn truncate(path: &Path, length: usize) {
    fs::File::options().write(true).open(path).unwrap().set_len(length as u64).unwrap();
}

pub(super) fn length(path: &Path) -> usize {
    usize::try_from(fs::metadata(path).unwrap().len()).unwrap()
}

pub(super) fn name(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}
