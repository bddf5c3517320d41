//! The folder of slots on the boot partition, and the loader's variable.
//!
//! Everything goes through one descriptor of the folder, and by names that this program made: nothing of what a stranger may have put
//! beside them is followed.

use std::fs::File;
use std::io;
use std::io::Read as _;
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::path::Path;

use ioctls::flags;
use rustix::fs::AtFlags;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::io::Errno;
use sha2::Digest as _;
use sha2::Sha256;
use slots::pi::archive::ArchiveError;
use slots::uefi::FileName;
use slots::uefi::Mark;
use slots::uefi::variable;
use slots::uefi::variable::VariableError;

use crate::approve::Approved;
use crate::approve::Hash;
use crate::osrel;
use crate::osrel::OsRelError;
use crate::read_back;
use crate::site::Site;
use model::update::InstallStep;

/// What is copied at a time, in bytes.
const STEP: usize = 1 << 20;

/// Why something on the boot partition was not done.
#[derive(Debug, thiserror::Error)]
pub enum EspError {
    /// The kernel or the disk.
    #[error("the boot partition or the firmware does not do it")]
    Io(#[source] io::Error),
    /// No room.
    #[error("the boot partition is full")]
    Full,
    /// What was downloaded.
    #[error(transparent)]
    Content(#[from] ContentError),
    /// What was read back.
    #[error("the disk does not hold what was written to it")]
    Differs,
    /// The name of the slot for the loader.
    #[error("the loader's variable takes no such name")]
    Variable(#[source] VariableError),
    /// There is nothing to write there; a mistake of this program.
    #[error("nothing is known that belongs there")]
    NoContent,
}

/// Why a download is not what is signed.
#[derive(Debug, thiserror::Error)]
pub enum ContentError {
    /// Reading it.
    #[error("reading the download")]
    Read(#[source] io::Error),
    /// Its length or its hash.
    #[error("the download is not the one that is signed")]
    Differs,
    /// It says another version of itself.
    #[error("the download calls itself {found}, and {wanted} is signed")]
    Version {
        /// Which is signed.
        wanted: slots::Version,
        /// What it says.
        found: slots::Version,
    },
    /// It says another board of itself.
    #[error("the download is made for the board {found:?}, and {wanted:?} is signed")]
    Board {
        /// Which is signed.
        wanted: String,
        /// What it says.
        found: String,
    },
    /// On a Raspberry Pi, it is no archive of a side.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// It says none.
    #[error(transparent)]
    OsRel(#[from] OsRelError),
}

/// A download, and what is signed of it.
#[derive(Debug)]
pub struct Content {
    /// The file. Whoever made it may change it at any time.
    pub file: File,
    /// What it has to be.
    pub approved: Approved,
}

/// Who hears how far a step is, in bytes.
pub type Tell<'a> = &'a mut dyn FnMut(InstallStep, u64);

/// The boot partition.
pub struct Esp<'a> {
    folder: File,
    efivars: &'a Path,
    content: Option<Content>,
    tell: Tell<'a>,
}

impl std::fmt::Debug for Esp<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Esp").field("content", &self.content).finish_non_exhaustive()
    }
}

impl<'a> Esp<'a> {
    /// Opens the folder of slots; `content` is what a new slot is made of.
    ///
    /// # Errors
    /// When it is not there.
    pub fn open(
        folder: &Path,
        efivars: &'a Path,
        content: Option<Content>,
        tell: Tell<'a>,
    ) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let folder = File::from(rustix::fs::open(folder, flags, Mode::empty())?);
        Ok(Self { folder, efivars, content, tell })
    }

    fn open_file(&self, name: &FileName, flags: OFlags) -> Result<File, EspError> {
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = rustix::fs::openat(&self.folder, name.to_string(), flags, Mode::RUSR | Mode::WUSR);
        opened.map(File::from).map_err(failed)
    }
}

impl Site for Esp<'_> {
    type Place = FileName;
    type Error = EspError;

    fn remove(&mut self, name: &FileName) -> Result<(), EspError> {
        match rustix::fs::unlinkat(&self.folder, name.to_string(), AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(failed(error)),
        }
    }

    fn write(&mut self, name: &FileName) -> Result<(), EspError> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC;
        let to = self.open_file(name, flags)?;
        let content =
            self.content.as_mut().filter(|_| name.mark == Mark::Aside).ok_or(EspError::NoContent)?;
        let tell = &mut *self.tell;
        copy(content, Some(&to), &mut |done| tell(InstallStep::Writing, done))
    }

    fn sync(&mut self, name: &FileName) -> Result<(), EspError> {
        self.open_file(name, OFlags::RDONLY)?.sync_all().map_err(EspError::Io)
    }

    fn verify(&mut self, name: &FileName) -> Result<(), EspError> {
        let direct = self.open_file(name, OFlags::RDONLY | OFlags::DIRECT)?;
        let approved = &self.content.as_ref().ok_or(EspError::NoContent)?.approved;
        let tell = &mut *self.tell;
        let found =
            read_back::hash(&direct, approved.length, &mut |done| tell(InstallStep::ReadingBack, done));
        let found = found.map_err(EspError::Io)?;
        if found.length != approved.length || found.sha256 != approved.sha256 {
            return Err(EspError::Differs);
        }
        // Here nobody but this program writes, so what is read is what was hashed.
        says_its_version(&self.open_file(name, OFlags::RDONLY)?, approved).map_err(EspError::Content)
    }

    fn rename(&mut self, from: &FileName, to: &FileName) -> Result<(), EspError> {
        rustix::fs::renameat(&self.folder, from.to_string(), &self.folder, to.to_string()).map_err(failed)
    }

    /// FAT has no journal: names are where they belong when everything is. `syncfs` writes that out, and only `fsync` makes the disk
    /// empty its own memory (`fs/fat/file.c`, `fat_file_fsync`).
    fn sync_folder(&mut self, _name: &FileName) -> Result<(), EspError> {
        rustix::fs::syncfs(&self.folder).map_err(failed)?;
        self.folder.sync_all().map_err(EspError::Io)
    }

    fn choose_once(&mut self, name: &FileName) -> Result<(), EspError> {
        let value = variable::encode(&name.to_string()).map_err(EspError::Variable)?;
        let path = self.efivars.join(format!("{}-{}", variable::ONE_SHOT, variable::VENDOR));
        // The kernel protects variables that it does not know from being removed or changed by accident (efivarfs.rst).
        match File::open(&path) {
            Ok(known) => flags::set_immutable(&known, flags::Immutable::No).map_err(failed)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(EspError::Io(error)),
        }
        // A variable is set by one write; one that is there is replaced by it.
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let opened: OwnedFd = rustix::fs::open(&path, flags, Mode::RUSR | Mode::WUSR).map_err(failed)?;
        match rustix::io::write(&opened, &value) {
            Ok(length) if length == value.len() => Ok(()),
            Ok(_) => Err(EspError::Io(io::ErrorKind::WriteZero.into())),
            Err(error) => Err(failed(error)),
        }
    }
}

/// Reads the download once before anything makes room for it.
///
/// # Errors
/// When it is not what is signed.
pub fn check(content: &mut Content, tell: Tell<'_>) -> Result<(), EspError> {
    copy(content, None, &mut |done| tell(InstallStep::Checking, done))?;
    Ok(says_its_version(&content.file, &content.approved)?)
}

/// Copies what is signed, and not a byte more.
fn copy(content: &mut Content, to: Option<&File>, tell: &mut dyn FnMut(u64)) -> Result<(), EspError> {
    let Content { file, approved } = content;
    let read = |error| EspError::Content(ContentError::Read(error));
    io::Seek::rewind(file).map_err(read)?;
    let mut from = (&*file).take(approved.length.saturating_add(1));
    let mut buffer = vec![0; STEP];
    let mut hasher = Sha256::new();
    let mut done: u64 = 0;
    loop {
        let length = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(read(error)),
        };
        done = done.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
        if done > approved.length {
            return Err(ContentError::Differs.into());
        }
        let bytes = buffer.get(..length).unwrap_or_default();
        hasher.update(bytes);
        if let Some(mut to) = to {
            to.write_all(bytes).map_err(written)?;
        }
        tell(done);
    }
    if done != approved.length || Hash(hasher.finalize().into()) != approved.sha256 {
        return Err(ContentError::Differs.into());
    }
    Ok(())
}

/// The loader sorts by what the file says of itself.
fn says_its_version(file: &File, approved: &Approved) -> Result<(), ContentError> {
    let found = osrel::read(file)?;
    if found != approved.version {
        return Err(ContentError::Version { wanted: approved.version.clone(), found });
    }
    Ok(())
}

fn failed(error: Errno) -> EspError {
    match error {
        Errno::NOSPC | Errno::DQUOT => EspError::Full,
        other => EspError::Io(other.into()),
    }
}

fn written(error: io::Error) -> EspError {
    match Errno::from_io_error(&error) {
        Some(number) => failed(number),
        None => EspError::Io(error),
    }
}
