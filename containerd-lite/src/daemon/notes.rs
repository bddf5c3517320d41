//! What the next run of the daemon must know of running apps, in `/run`: it is worth nothing after a reboot.
//!
//! Written before what it tells of happens, so that a daemon that is killed at any point finds its apps again.

use crate::apps::Found;
use crate::image::Digest;
use model::containers::ContainerSpec;
use model::containers::End;
use model::containers::PartName;
use model::network::attachment::Attachment;
use model::network::names::AppKey;
use serde::Deserialize;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs;
use std::fs::File;
use std::io;
use std::io::Read as _;
use std::path::Path;
use std::path::PathBuf;

/// Longest note that is read.
const MAX_NOTE: u64 = 8 << 20;

/// Of one app.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Note {
    /// Its range of ids.
    pub(crate) ids: u32,
    /// How its network was wired up.
    pub(crate) attachment: Option<Attachment>,
    /// Its containers.
    pub(crate) parts: BTreeMap<PartName, PartNote>,
}

/// Of one container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PartNote {
    spec: Option<ContainerSpec>,
    restarts: u32,
    last_end: Option<End>,
    is_final: bool,
    is_up: bool,
    /// Layers that it runs on.
    pub(crate) layers: Option<Vec<Digest>>,
}

impl PartNote {
    pub(crate) fn new(found: Found, layers: Option<Vec<Digest>>) -> Self {
        let Found { spec, restarts, last_end, is_final, up_since } = found;
        Self { spec, restarts, last_end, is_final, is_up: up_since.is_some(), layers }
    }

    /// What is found of the container by this note, and by what the runtime says of it.
    pub(crate) fn found(self, up_since: Option<std::time::Duration>) -> Found {
        let was_lost = self.is_up && up_since.is_none();
        let last_end = if was_lost { Some(End::Unknown) } else { self.last_end };
        Found { spec: self.spec, restarts: self.restarts, last_end, is_final: self.is_final, up_since }
    }
}

/// The folder of the notes.
#[derive(Clone, Debug)]
pub(crate) struct Notes {
    folder: PathBuf,
}

impl Notes {
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        Ok(Self { folder: folder.to_owned() })
    }

    /// Apps of which there is a note.
    pub(crate) fn apps(&self) -> io::Result<Vec<AppKey>> {
        let mut apps = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let name = entry?.file_name();
            apps.extend(name.to_str().and_then(|name| name.strip_suffix(".json")?.parse::<AppKey>().ok()));
        }
        Ok(apps)
    }

    /// None also when it cannot be understood: what runs is then started anew.
    pub(crate) fn read(&self, app: &AppKey) -> Option<Note> {
        let mut bytes = Vec::new();
        File::open(self.path(app)).ok()?.take(MAX_NOTE).read_to_end(&mut bytes).ok()?;
        serde_json::from_slice(&bytes).ok()
    }

    pub(crate) fn write(&self, app: &AppKey, note: &Note) -> io::Result<()> {
        let aside = self.folder.join(format!("{app}.new"));
        fs::write(&aside, serde_json::to_vec(note)?)?;
        fs::rename(aside, self.path(app))
    }

    pub(crate) fn remove(&self, app: &AppKey) -> io::Result<()> {
        match fs::remove_file(self.path(app)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn path(&self, app: &AppKey) -> PathBuf {
        self.folder.join(format!("{app}.json"))
    }
}
