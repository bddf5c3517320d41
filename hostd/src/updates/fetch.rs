//! The blocking part: asks the repository, fetches a system, takes one out of a file. No decisions but those of the crate `update`.

use super::error::StepError;
use std::error::Error;
use std::fmt;
use std::fs;
use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::BufReader;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use update::Asker;
use update::Bundle;
use update::Catalog;
use update::Clock;
use update::Flow;
use update::Http;
use update::HttpSettings;
use update::Job;
use update::Offer;
use update::Origin;
use update::Pace;
use update::Permit;
use update::Place;
use update::Progress;
use update::Release;
use update::Running;
use update::Seed;
use update::SettingsError;
use update::Source;
use update::Store;
use update::Watch;

/// The new system, whole.
pub const SLOT: &str = "slot.efi";
/// The same on its way; what of it is right counts after a restart.
const PART: &str = "slot.efi.part";
/// Longest file that an owner brings, in bytes: a system of the largest size, and its metadata.
pub const MAX_BUNDLE: u64 = 256 << 20;
/// Signed metadata of the repository.
const METADATA: &str = "metadata";
/// Signed metadata of a file that was brought, in a folder of its own.
const BUNDLE: &str = "bundle";

/// Reaches repositories.
pub trait Servers: Send + Sync + fmt::Debug {
    /// A repository at an address. Nothing is asked yet.
    ///
    /// # Errors
    ///
    /// The settings name no server.
    fn reach(&self, settings: &HttpSettings) -> Result<Box<dyn Source>, SettingsError>;
}

/// The ones in the network.
#[derive(Clone, Copy, Debug, Default)]
pub struct WebServers;

impl Servers for WebServers {
    fn reach(&self, settings: &HttpSettings) -> Result<Box<dyn Source>, SettingsError> {
        Ok(Box::new(Http::new(settings)?))
    }
}

/// For whom is asked.
#[derive(Clone, Debug)]
pub struct Inquiry {
    /// The repository; none where nobody has said: a file needs none.
    pub server: Option<HttpSettings>,
    /// The keys that the image trusts.
    pub root: Vec<u8>,
    /// Folder for updates.
    pub folder: PathBuf,
    /// The file of the running system, which has most of the new one in it.
    pub running_system: Option<Arc<File>>,
    /// The root of the running system.
    pub programs: PathBuf,
    /// Bytes of the disk that are left for everything else.
    pub reserve: u64,
    /// What is known of the time.
    pub clock: Clock,
    /// Who asks.
    pub asker: Asker,
    /// Board and channel.
    pub place: Place,
    /// What runs.
    pub running: slots::Version,
    /// The loader, where it is known.
    pub loader: Option<slots::Version>,
    /// What stays the same for this box and differs between boxes.
    pub identity: Vec<u8>,
}

/// What the repository has for this box, the highest version first.
pub fn ask(servers: &dyn Servers, inquiry: &Inquiry) -> Result<Vec<Offer>, StepError> {
    let source = reach(servers, inquiry)?;
    let store = Store::open(inquiry.folder.join(METADATA))?;
    let permit = Permit { asker: inquiry.asker, origin: Origin::Network };
    let catalog = Catalog::load(source.as_ref(), &inquiry.root, &store, &inquiry.clock, permit)?;
    Ok(catalog.choose(&inquiry.place, &inquiry.running, &inquiry.identity).offers().to_vec())
}

/// Fetches a system, at no more than `rate` bytes a second (0: as fast as it comes), and puts it in its place.
pub fn fetch(
    servers: &dyn Servers,
    inquiry: &Inquiry,
    release: &Release,
    rate: u64,
    tell: &mut dyn FnMut(&Progress) -> Flow,
) -> Result<(), StepError> {
    if let Some(loader) = &inquiry.loader {
        release.starts_with(loader)?;
    }
    let source = reach(servers, inquiry)?;
    let path = inquiry.folder.join(PART);
    let mut file = open_part(&path, inquiry, release.length)?;
    let running = Running { version: inquiry.running.clone(), root: inquiry.programs.clone() };
    let job = Job { release, source: source.as_ref(), seeds: seeds(inquiry), running: Some(running) };
    let mut watch = Watching { tell, pace: Pace::new(rate) };
    let outcome = job.run(&mut file, &mut watch)?;
    for failed in &outcome.failed_remakes {
        let error = &failed.error as &dyn Error;
        tracing::warn!(error, what = failed.what, "a program was fetched that might have been made here");
    }
    tracing::info!(version = release.version.as_str(), ?outcome, "a new system was fetched");
    put_in_place(&inquiry.folder)
}

/// Takes the system out of a file that the owner brought, and puts it in its place, with its metadata beside it.
pub fn unpack(
    inquiry: &Inquiry,
    file: File,
    tell: &mut dyn FnMut(&Release, u64),
) -> Result<Release, StepError> {
    let failed = |doing, path: &Path| {
        let path = path.to_owned();
        move |source| StepError::File { doing, path, source }
    };
    let bundle = Bundle::open(BufReader::new(file))?;
    let store = Store::open(inquiry.folder.join(METADATA))?;
    let catalog = bundle.catalog(&inquiry.root, &store, &inquiry.clock, inquiry.asker)?;
    let brought = bundle.release(&catalog)?.clone();
    // The same file for another board or channel has other words than one that is not signed.
    let release = catalog.find(&inquiry.place, &brought.version, Some(&inquiry.running))?.clone();
    if let Some(loader) = &inquiry.loader {
        release.starts_with(loader)?;
    }
    let part = inquiry.folder.join(PART);
    let mut file = open_part(&part, inquiry, release.length)?;
    file.set_len(0).map_err(failed("empty", &part))?;
    let folder = inquiry.folder.join(BUNDLE);
    if let Err(source) = fs::create_dir(&folder)
        && source.kind() != io::ErrorKind::AlreadyExists
    {
        return Err(StepError::File { doing: "make", path: folder, source });
    }
    bundle.save_metadata(&folder)?;
    bundle.copy_slot(&release, &mut file, &mut |written| tell(&release, written))?;
    file.sync_all().map_err(failed("write", &part))?;
    put_in_place(&inquiry.folder)?;
    Ok(release)
}

fn reach(servers: &dyn Servers, inquiry: &Inquiry) -> Result<Box<dyn Source>, StepError> {
    let server = inquiry.server.as_ref().ok_or(StepError::NoSource)?;
    Ok(servers.reach(server)?)
}

/// Opens what is there, or begins; refused where it would take the room of everything else.
fn open_part(path: &Path, inquiry: &Inquiry, length: u64) -> Result<File, StepError> {
    let failed = |doing| move |source| StepError::File { doing, path: path.to_owned(), source };
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let file = options.open(path).map_err(failed("open"))?;
    let there = file.metadata().map_err(failed("look at"))?.len();
    let room = rustix::fs::statvfs(&inquiry.folder).map_err(|errno| failed("look at")(errno.into()))?;
    let free = room.f_bavail.saturating_mul(room.f_frsize).saturating_sub(inquiry.reserve);
    let needed = length.saturating_sub(there);
    if needed > free { Err(StepError::NoRoom { needed, free }) } else { Ok(file) }
}

fn put_in_place(folder: &Path) -> Result<(), StepError> {
    let path = folder.join(SLOT);
    let done = fs::rename(folder.join(PART), &path).and_then(|()| File::open(folder)?.sync_all());
    done.map_err(|source| StepError::File { doing: "put in place", path, source })
}

/// What lies on the box already: the system that was fetched last, and the one that runs.
fn seeds(inquiry: &Inquiry) -> Vec<Seed> {
    let last = inquiry.folder.join(SLOT);
    let fetched =
        File::open(&last).ok().map(|file| Seed { name: last.display().to_string(), reader: Box::new(file) });
    let running = inquiry.running_system.clone().map(|file| Seed {
        name: "the running system".to_owned(),
        reader: Box::new(FromItsBeginning { file, at: 0 }),
    });
    fetched.into_iter().chain(running).collect()
}

/// A file that stays open, each time from its beginning.
struct FromItsBeginning {
    file: Arc<File>,
    at: u64,
}

impl Read for FromItsBeginning {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(buffer, self.at)?;
        self.at = self.at.saturating_add(u64::try_from(count).unwrap_or_default());
        Ok(count)
    }
}

struct Watching<'a> {
    tell: &'a mut dyn FnMut(&Progress) -> Flow,
    pace: Pace,
}

impl Watch for Watching<'_> {
    fn progress(&mut self, progress: &Progress) -> Flow {
        (self.tell)(progress)
    }

    fn pace(&mut self, bytes: u64) {
        self.pace.take(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_running_system_is_read_from_its_beginning_each_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hearth_1.efi");
        fs::write(&path, "kernel and all").unwrap();
        let file = Arc::new(File::open(&path).unwrap());
        for _ in 0..2 {
            let mut text = String::new();
            FromItsBeginning { file: Arc::clone(&file), at: 0 }.read_to_string(&mut text).unwrap();
            assert_eq!(text, "kernel and all");
        }
    }
}
