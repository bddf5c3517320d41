//! The partitions of a Raspberry Pi: the two sides, and `autoboot.txt` on the first one.
//!
//! As with the folder of slots elsewhere, everything goes through descriptors of folders, and by names that are checked or made here.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::io::Read;
use std::io::Write as _;

use model::update::InstallStep;
use rustix::fs::AtFlags;
use rustix::fs::Dir;
use rustix::fs::FileType;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::io::Errno;
use sha2::Digest as _;
use sha2::Sha256;
use slots::pi;
use slots::pi::Autoboot;
use slots::pi::MAX_AUTOBOOT;
use slots::pi::Place;
use slots::pi::Side;
use slots::pi::archive::ArchiveError;
use slots::pi::archive::BOARD;
use slots::pi::archive::Reader;
use slots::pi::archive::Title;

use crate::approve::Approved;
use crate::approve::Hash;
use crate::esp::Content;
use crate::esp::ContentError;
use crate::esp::EspError;
use crate::esp::Tell;
use crate::places::Places;
use crate::read_back;
use crate::site::Site;

/// What is copied at a time, in bytes.
const STEP: usize = 1 << 20;
/// Most names on a side that are looked at.
const MAX_NAMES: usize = 4096;

/// A file as it was written to a side.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Written {
    name: String,
    length: u64,
    sha256: Hash,
}

/// The partitions.
pub struct Partitions<'a> {
    places: &'a Places,
    content: Option<Content>,
    tell: Tell<'a>,
    written: Vec<Written>,
}

impl std::fmt::Debug for Partitions<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Partitions").field("content", &self.content).finish_non_exhaustive()
    }
}

impl<'a> Partitions<'a> {
    /// The partitions of this box; `content` is what a side is made of.
    pub fn new(places: &'a Places, content: Option<Content>, tell: Tell<'a>) -> Self {
        Self { places, content, tell, written: Vec::new() }
    }

    /// The folder of a place.
    fn folder(&self, place: &Place) -> Result<File, EspError> {
        let path = match place {
            Place::System { side, .. } | Place::Label { side, .. } => self.places.side(*side),
            Place::NewAutoboot { .. } | Place::Autoboot => self.places.esp.clone(),
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        rustix::fs::open(&path, flags, Mode::empty()).map(File::from).map_err(failed)
    }

    fn write_side(&mut self, side: Side) -> Result<(), EspError> {
        let version = self.approved()?.version.clone();
        let running = self.folder(&Place::System { side: side.other(), version: version.clone() })?;
        let hats = hats(&running)?;
        let folder = self.folder(&Place::System { side, version })?;
        empty(&folder)?;
        let content = self.content.as_mut().ok_or(EspError::NoContent)?;
        let tell = &mut *self.tell;
        self.written = unpack(content, Some(&folder), &mut |done| tell(InstallStep::Writing, done))?;
        // Only in the place of one: a system that does not know the file has no use for it.
        if let Some(hats) = hats
            && let Some(new) = self.written.iter_mut().find(|written| written.name == pi::HATS)
        {
            put(&folder, pi::HATS, &hats)?;
            new.length = u64::try_from(hats.len()).unwrap_or(u64::MAX);
            new.sha256 = Hash::of(&hats);
        }
        Ok(())
    }

    fn approved(&self) -> Result<&Approved, EspError> {
        Ok(&self.content.as_ref().ok_or(EspError::NoContent)?.approved)
    }

    /// Each file again, from the disk, and no other file beside them.
    fn verify_side(&mut self, folder: &File) -> Result<(), EspError> {
        let mut before: u64 = 0;
        for written in &self.written {
            let direct = open(folder, &written.name, OFlags::RDONLY | OFlags::DIRECT)?;
            let tell = &mut *self.tell;
            let found = read_back::hash(&direct, written.length, &mut |done| {
                tell(InstallStep::ReadingBack, before.saturating_add(done));
            });
            let found = found.map_err(EspError::Io)?;
            if (found.length, found.sha256) != (written.length, written.sha256) {
                return Err(EspError::Differs);
            }
            before = before.saturating_add(written.length);
        }
        // FAT does not tell cases apart.
        let lower = |name: &str| name.to_ascii_lowercase();
        let wanted: BTreeSet<String> = self.written.iter().map(|written| lower(&written.name)).collect();
        let found: BTreeSet<String> = names(folder)?.iter().map(|name| lower(name)).collect();
        if wanted.is_empty() || wanted != found {
            return Err(EspError::Differs);
        }
        Ok(())
    }
}

impl Site for Partitions<'_> {
    type Place = Place;
    type Error = EspError;

    fn remove(&mut self, place: &Place) -> Result<(), EspError> {
        let folder = self.folder(place)?;
        match place {
            Place::Label { .. } => remove(&folder, pi::LABEL),
            Place::System { .. } => empty(&folder),
            // What a cut left of a commit may lie on one chain of clusters with `autoboot.txt`.
            Place::NewAutoboot { .. } | Place::Autoboot => Err(EspError::NoContent),
        }
    }

    fn write(&mut self, place: &Place) -> Result<(), EspError> {
        let folder = self.folder(place)?;
        match place {
            Place::System { side, version } if self.approved()?.version == *version => self.write_side(*side),
            Place::System { .. } | Place::Autoboot => Err(EspError::NoContent),
            Place::Label { version, .. } => put(&folder, pi::LABEL, pi::label(version).as_bytes()),
            Place::NewAutoboot { number, autoboot } => {
                put(&folder, &pi::numbered(*number), autoboot.to_string().as_bytes())
            }
        }
    }

    fn sync(&mut self, place: &Place) -> Result<(), EspError> {
        let folder = self.folder(place)?;
        let names = match place {
            Place::System { .. } => self.written.iter().map(|written| written.name.clone()).collect(),
            Place::Label { .. } => vec![pi::LABEL.to_owned()],
            Place::NewAutoboot { number, .. } => vec![pi::numbered(*number)],
            Place::Autoboot => vec![pi::FILE.to_owned()],
        };
        names
            .iter()
            .try_for_each(|name| open(&folder, name, OFlags::RDONLY)?.sync_all().map_err(EspError::Io))
    }

    fn verify(&mut self, place: &Place) -> Result<(), EspError> {
        let folder = self.folder(place)?;
        match place {
            Place::System { .. } => self.verify_side(&folder),
            Place::Label { version, .. } => is_there(&folder, pi::LABEL, pi::label(version).as_bytes()),
            Place::NewAutoboot { number, autoboot } => {
                is_there(&folder, &pi::numbered(*number), autoboot.to_string().as_bytes())
            }
            Place::Autoboot => {
                let mut text = Vec::new();
                let most = u64::try_from(MAX_AUTOBOOT).unwrap_or(u64::MAX).saturating_add(1);
                let file = open(&folder, pi::FILE, OFlags::RDONLY)?;
                file.take(most).read_to_end(&mut text).map_err(EspError::Io)?;
                Autoboot::decode(&text).map(drop).map_err(|_damaged| EspError::Differs)
            }
        }
    }

    fn rename(&mut self, from: &Place, to: &Place) -> Result<(), EspError> {
        let (Place::NewAutoboot { number, .. }, Place::Autoboot) = (from, to) else {
            return Err(EspError::NoContent);
        };
        let folder = self.folder(to)?;
        rustix::fs::renameat(&folder, pi::numbered(*number), &folder, pi::FILE).map_err(failed)
    }

    /// As on other boards: FAT has no journal.
    fn sync_folder(&mut self, place: &Place) -> Result<(), EspError> {
        let folder = self.folder(place)?;
        rustix::fs::syncfs(&folder).map_err(failed)?;
        folder.sync_all().map_err(EspError::Io)
    }

    fn choose_once(&mut self, _place: &Place) -> Result<(), EspError> {
        Err(EspError::NoContent)
    }
}

/// Reads the download once before anything makes room for it.
///
/// # Errors
/// When it is not what is signed, or no archive of a side.
pub fn check(content: &mut Content, tell: Tell<'_>) -> Result<(), EspError> {
    unpack(content, None, &mut |done| tell(InstallStep::Checking, done)).map(drop)
}

/// Counts and hashes what is read, and reads no byte more than what is signed has.
struct Hashing<'a> {
    file: io::Take<&'a File>,
    hasher: Sha256,
    done: u64,
    tell: &'a mut dyn FnMut(u64),
}

impl Read for Hashing<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let length = self.file.read(bytes)?;
        self.hasher.update(bytes.get(..length).unwrap_or_default());
        self.done = self.done.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
        (self.tell)(self.done);
        Ok(length)
    }
}

/// Reads the archive from its beginning to its end, and writes its files to a folder: all but the label, which is made when they were verified.
/// What was written is only of use when this returns without an error: then it was what is signed.
fn unpack(
    content: &mut Content,
    folder: Option<&File>,
    tell: &mut dyn FnMut(u64),
) -> Result<Vec<Written>, EspError> {
    let Content { file, approved } = content;
    io::Seek::rewind(file).map_err(|error| EspError::Content(ContentError::Read(error)))?;
    let bound = approved.length.saturating_add(1);
    let mut hashing = Hashing { file: (&*file).take(bound), hasher: Sha256::new(), done: 0, tell };
    let unpacked = unpack_from(&mut io::BufReader::with_capacity(STEP, &mut hashing), folder, approved);
    // An archive that is none may still be the one that is signed: that is told apart. One that is another is not even looked into further.
    let rest = io::copy(&mut hashing, &mut io::sink());
    rest.map_err(|error| EspError::Content(ContentError::Read(error)))?;
    let Hashing { hasher, done, .. } = hashing;
    if done != approved.length || Hash(hasher.finalize().into()) != approved.sha256 {
        return Err(ContentError::Differs.into());
    }
    unpacked
}

fn unpack_from(
    from: &mut dyn Read,
    folder: Option<&File>,
    approved: &Approved,
) -> Result<Vec<Written>, EspError> {
    let wrong = |error: ArchiveError| EspError::Content(ContentError::Archive(error));
    let mut reader = Reader::open(from).map_err(wrong)?;
    if *reader.version() != approved.version {
        let (wanted, found) = (approved.version.clone(), reader.version().clone());
        return Err(ContentError::Version { wanted, found }.into());
    }
    if reader.board() != approved.board {
        let (wanted, found) = (approved.board.clone(), reader.board().to_owned());
        return Err(ContentError::Board { wanted, found }.into());
    }
    let mut written = Vec::new();
    if let Some(folder) = folder {
        let line = format!("{}\n", approved.board);
        put(folder, BOARD, line.as_bytes())?;
        let length = u64::try_from(line.len()).unwrap_or(u64::MAX);
        written.push(Written { name: BOARD.to_owned(), length, sha256: Hash::of(line.as_bytes()) });
    }
    while let Some(member) = reader.next_member().map_err(wrong)? {
        if let Some(folder) = folder {
            written.push(write_file(&mut reader, folder, &member.title)?);
        }
    }
    Ok(written)
}

fn write_file(from: &mut dyn Read, folder: &File, title: &Title) -> Result<Written, EspError> {
    let name = title.as_str().to_owned();
    let mut to = open(folder, &name, OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL)?;
    let mut buffer = vec![0; STEP];
    let mut hasher = Sha256::new();
    let mut length: u64 = 0;
    loop {
        let count = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(EspError::Content(ContentError::Read(error))),
        };
        let bytes = buffer.get(..count).unwrap_or_default();
        hasher.update(bytes);
        to.write_all(bytes).map_err(not_written)?;
        length = length.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
    }
    Ok(Written { name, length, sha256: Hash(hasher.finalize().into()) })
}

fn open(folder: &File, name: &str, flags: OFlags) -> Result<File, EspError> {
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(folder, name, flags, Mode::RUSR | Mode::WUSR).map(File::from).map_err(failed)
}

fn put(folder: &File, name: &str, bytes: &[u8]) -> Result<(), EspError> {
    let mut file = open(folder, name, OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC)?;
    file.write_all(bytes).map_err(not_written)
}

/// Whether the disk has this content.
fn is_there(folder: &File, name: &str, bytes: &[u8]) -> Result<(), EspError> {
    let direct = open(folder, name, OFlags::RDONLY | OFlags::DIRECT)?;
    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    let found = read_back::hash(&direct, length, &mut |_| ()).map_err(EspError::Io)?;
    if found.sha256 == Hash::of(bytes) { Ok(()) } else { Err(EspError::Differs) }
}

fn remove(folder: &File, name: &str) -> Result<(), EspError> {
    match rustix::fs::unlinkat(folder, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(failed(error)),
    }
}

/// What a side says of the board's pins. Nothing where the file is not there, or is longer than anybody would write it.
fn hats(folder: &File) -> Result<Option<Vec<u8>>, EspError> {
    let file = match open(folder, pi::HATS, OFlags::RDONLY) {
        Ok(file) => file,
        Err(EspError::Io(error)) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(pi::MAX_HATS.saturating_add(1)).read_to_end(&mut bytes).map_err(EspError::Io)?;
    Ok(u64::try_from(bytes.len()).is_ok_and(|length| length <= pi::MAX_HATS).then_some(bytes))
}

/// Removes all files; a side has no folders of ours, and others are left alone.
fn empty(folder: &File) -> Result<(), EspError> {
    names(folder)?.iter().try_for_each(|name| remove(folder, name))
}

/// The names of all that is no folder.
fn names(folder: &File) -> Result<Vec<String>, EspError> {
    let entries = Dir::read_from(folder).map_err(failed)?;
    let mut names = Vec::new();
    for entry in entries.take(MAX_NAMES) {
        let entry = entry.map_err(failed)?;
        if entry.file_type() != FileType::Directory {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    Ok(names)
}

fn failed(error: Errno) -> EspError {
    match error {
        Errno::NOSPC | Errno::DQUOT => EspError::Full,
        other => EspError::Io(other.into()),
    }
}

fn not_written(error: io::Error) -> EspError {
    match Errno::from_io_error(&error) {
        Some(number) => failed(number),
        None => EspError::Io(error),
    }
}
