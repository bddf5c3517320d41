//! What is wanted of each app, for ever: one file for each, so that a damaged one is nobody else's.
//!
//! A file is written aside, synced, renamed, and its folder synced: a cut leaves the one before or the one after. One that cannot be
//! understood is said and left alone, as is what runs of its app; no new app is taken before it was removed, because the range of ids that
//! its app has is not known.

use crate::runtime::APP_IDS;
use model::containers::AppSpec;
use model::containers::Wanted;
use model::network::names::AppKey;
use model::paths::RESERVE_GID;
use nix::unistd::Gid;
use nix::unistd::setfsgid;
use serde::Deserialize;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs;
use std::fs::File;
use std::io;
use std::io::Read as _;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::path::PathBuf;

/// Longest file that is read: the longest specification and a little.
const MAX_RECORD: u64 = 4 << 20;
/// The version that is written.
const VERSION: u32 = 1;
/// Ranges of ids there are.
pub const MAX_APPS: u32 = 4096;
/// Ids of an app.
const IDS: u32 = 65_536;

/// What is kept of an app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    pub(crate) version: u32,
    /// Which range of ids it has. Never another app's while there is any data of this one.
    pub ids: u32,
    /// What is wanted of it.
    pub wanted: Wanted,
    /// How it is to run; none when only its data is left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spec: Option<AppSpec>,
    /// It is being removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removal: Option<Removal>,
}

/// How an app is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Removal {
    /// Its volumes, snapshots and logs stay.
    KeepData,
    /// With all it has.
    DeleteData,
}

impl Record {
    /// A new app, with a range of ids.
    #[must_use]
    pub fn new(ids: u32, spec: AppSpec) -> Self {
        Self { version: VERSION, ids, wanted: Wanted::Stopped, spec: Some(spec), removal: None }
    }

    /// First of its ids.
    #[must_use]
    pub fn first_id(&self) -> u32 {
        APP_IDS + self.ids * IDS
    }

    /// The number under which the file system counts what it keeps; 0 is that of nobody.
    #[must_use]
    pub fn project(&self) -> u32 {
        self.ids + 1
    }
}

/// Why a record is not read or kept.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The disk.
    #[error("{doing} {path}")]
    Disk {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
    /// No record of this version.
    #[error("understand {path}: it is damaged, or of a newer version; removing the app removes it")]
    Damaged {
        /// Where it lies.
        path: PathBuf,
        /// Why not.
        #[source]
        source: serde_json::Error,
    },
}

/// While it lives, this thread may write into what is set aside on the disk: what an app may do is said on a full one, too.
struct Reserve(Gid);

impl Reserve {
    /// Without the right to change groups, as in tests, nothing changes (setfsgid(2)).
    fn enter() -> Self {
        Self(setfsgid(Gid::from_raw(RESERVE_GID)))
    }
}

impl Drop for Reserve {
    fn drop(&mut self) {
        setfsgid(self.0);
    }
}

/// All records.
#[derive(Debug, Default)]
pub struct Loaded {
    /// By app.
    pub records: BTreeMap<AppKey, Record>,
    /// Those that cannot be read.
    pub damaged: BTreeMap<AppKey, StateError>,
}

/// The folder of the records.
#[derive(Clone, Debug)]
pub struct State {
    folder: PathBuf,
}

impl State {
    /// In a folder, which is made when there is none.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn open(folder: &Path) -> Result<Self, StateError> {
        fs::create_dir_all(folder).map_err(failed("make", folder))?;
        Ok(Self { folder: folder.to_owned() })
    }

    /// Reads all records.
    ///
    /// # Errors
    /// When the folder cannot be listed.
    pub fn load(&self) -> Result<Loaded, StateError> {
        let mut loaded = Loaded::default();
        for entry in fs::read_dir(&self.folder).map_err(failed("list", &self.folder))? {
            let path = entry.map_err(failed("list", &self.folder))?.path();
            // What else lies there is a file that was not finished.
            let Some(app) = key(&path) else { continue };
            match read(&path) {
                Ok(record) => drop(loaded.records.insert(app, record)),
                Err(error) => drop(loaded.damaged.insert(app, error)),
            }
        }
        Ok(loaded)
    }

    /// Keeps a record; it is on the disk when this returns.
    ///
    /// # Errors
    /// When the disk does not take it; then the one before is kept.
    pub fn keep(&self, app: &AppKey, record: &Record) -> Result<(), StateError> {
        let (aside, path) = (self.folder.join(format!("{app}.new")), self.path(app));
        let write = || {
            let _reserve = Reserve::enter();
            let mut file =
                fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&aside)?;
            file.write_all(&serde_json::to_vec(record)?)?;
            file.sync_all()?;
            fs::rename(&aside, &path)?;
            self.sync()
        };
        write().map_err(failed("write", &path))
    }

    /// Forgets an app; fine when there is no record of it.
    ///
    /// # Errors
    /// When the disk does not allow it.
    pub fn forget(&self, app: &AppKey) -> Result<(), StateError> {
        let path = self.path(app);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(failed("remove", &path)(error));
            }
            _ => {}
        }
        self.sync().map_err(failed("write out", &self.folder))
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.folder)?.sync_all()
    }

    fn path(&self, app: &AppKey) -> PathBuf {
        self.folder.join(format!("{app}.json"))
    }
}

/// The lowest range that no app has.
#[must_use]
pub fn free_ids<'a>(records: impl IntoIterator<Item = &'a Record>) -> Option<u32> {
    let taken: std::collections::BTreeSet<u32> = records.into_iter().map(|record| record.ids).collect();
    (0..MAX_APPS).find(|ids| !taken.contains(ids))
}

fn key(path: &Path) -> Option<AppKey> {
    path.file_name()?.to_str()?.strip_suffix(".json")?.parse().ok()
}

fn read(path: &Path) -> Result<Record, StateError> {
    let mut bytes = Vec::new();
    let opened = File::open(path).and_then(|file| file.take(MAX_RECORD).read_to_end(&mut bytes));
    opened.map_err(failed("read", path))?;
    let damaged = |source| StateError::Damaged { path: path.to_owned(), source };
    let record: Record = serde_json::from_slice(&bytes).map_err(damaged)?;
    let wrong = |what: String| damaged(serde::de::Error::custom(what));
    if record.version != VERSION || record.ids >= MAX_APPS {
        return Err(wrong(format!("version {}, range of ids {}", record.version, record.ids)));
    }
    if let Some(Err(error)) = record.spec.as_ref().map(AppSpec::check) {
        return Err(wrong(error.to_string()));
    }
    Ok(record)
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StateError {
    move |source| StateError::Disk { doing, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> AppSpec {
        serde_json::from_str(
            r#"{"containers":{"web":{"image":{"name":"a","manifest":"b"},"limits":{"memory_bytes":67108864,"tasks":64}}}}"#,
        )
        .unwrap()
    }

    fn app(name: &str) -> AppKey {
        name.parse().unwrap()
    }

    #[test]
    fn what_is_kept_is_found_and_what_is_forgotten_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::open(&folder.path().join("apps")).unwrap();
        let mut record = Record::new(7, spec());
        state.keep(&app("notes"), &record).unwrap();
        record.wanted = Wanted::Running;
        record.removal = Some(Removal::DeleteData);
        state.keep(&app("notes"), &record).unwrap();
        state.keep(&app("photos"), &Record { spec: None, ..Record::new(8, spec()) }).unwrap();
        let loaded = state.load().unwrap();
        assert_eq!((loaded.records.len(), &loaded.records[&app("notes")]), (2, &record));
        assert_eq!(record.first_id(), 0x2000_0000 + 7 * 65_536);
        for _ in 0..2 {
            state.forget(&app("notes")).unwrap();
        }
        assert_eq!(state.load().unwrap().records.into_keys().collect::<Vec<_>>(), [app("photos")]);
    }

    #[test]
    fn a_damaged_record_is_told_and_left_alone_and_the_others_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::open(folder.path()).unwrap();
        state.keep(&app("good"), &Record::new(0, spec())).unwrap();
        let good = fs::read_to_string(folder.path().join("good.json")).unwrap();
        for (name, text) in [
            ("cut", &good[..good.len() / 2]),
            ("newer", &good.replace("\"version\":1", "\"version\":2")),
            ("further", &good.replace("{\"version\"", "{\"further\":1,\"version\"")),
            ("many", &good.replace("\"ids\":0", "\"ids\":4096")),
            ("empty", ""),
            ("wrong", &good.replace("\"tasks\":64", "\"tasks\":1")),
        ] {
            fs::write(folder.path().join(format!("{name}.json")), text).unwrap();
        }
        // What a cut leaves of a write.
        fs::write(folder.path().join("good.new"), "{").unwrap();
        let loaded = state.load().unwrap();
        assert_eq!(loaded.records.into_keys().collect::<Vec<_>>(), [app("good")]);
        assert_eq!(loaded.damaged.len(), 6);
        assert!(loaded.damaged[&app("cut")].to_string().contains("cut.json"));
        assert!(folder.path().join("cut.json").exists());
    }

    #[test]
    fn ranges_of_ids_are_given_once() {
        let records: Vec<Record> = [0, 1, 3].map(|ids| Record::new(ids, spec())).into();
        assert_eq!(free_ids(&records), Some(2));
        assert_eq!(free_ids(&[]), Some(0));
        let all: Vec<Record> = (0..MAX_APPS).map(|ids| Record::new(ids, AppSpec::default())).collect();
        assert_eq!(free_ids(&all), None);
        // The last range ends below what the kernel takes for nobody.
        let last = u64::from(all.last().unwrap().first_id()) + u64::from(IDS) - 1;
        assert!(last < u64::from(u32::MAX) - 1);
    }
}
