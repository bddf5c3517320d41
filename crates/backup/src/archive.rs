//! Hands what the walk finds to rustic: files hashed while rustic reads them, the manifest last.

use crate::control::Cancel;
use crate::guard::Watch;
use crate::key::hex;
use crate::manifest;
use crate::manifest::Line;
use crate::manifest::path_text;
use crate::sealed::Sealed;
use crate::source::Source;
use crate::tally::LeftOut;
use crate::tally::Tally;
use crate::tally::Ticket;
use crate::walk::Found;
use crate::walk::Walk;
use crate::walk::What;
use rustic_core::ErrorKind;
use rustic_core::ReadSource;
use rustic_core::ReadSourceEntry;
use rustic_core::ReadSourceOpen;
use rustic_core::RusticError;
use rustic_core::RusticResult;
use rustic_core::jiff::Timestamp;
use rustic_core::repofile::Metadata;
use rustic_core::repofile::Node;
use rustic_core::repofile::NodeType;
use rustix::fs::FileType;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::fs::Stat;
use sha2::Digest;
use sha2::Sha256;
use std::ffi::OsStr;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::io::BufReader;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Bits of Go's `fs.FileMode`, which the format uses.
const GO_FOLDER: u32 = 1 << 31;
const GO_LINK: u32 = 1 << 27;

/// Manifest of the parent snapshot, in a scratch file.
pub(crate) type Known = manifest::Reader<BufReader<File>>;

/// The sources of one backup, as rustic wants them.
pub(crate) struct Archive {
    pub(crate) sources: Vec<Source>,
    pub(crate) tally: Arc<Tally>,
    /// Where the tally writes the manifest.
    pub(crate) spool: PathBuf,
    pub(crate) watch: Arc<Watch>,
    pub(crate) cancel: Cancel,
    /// Taken by the one walk there is.
    pub(crate) known: std::sync::Mutex<Option<Known>>,
}

pub(crate) struct Entries {
    walk: Option<Walk>,
    tally: Arc<Tally>,
    spool: PathBuf,
    watch: Arc<Watch>,
    cancel: Cancel,
    known: Option<Known>,
    /// The next entry of `known` that the walk has not passed.
    ahead: Option<(PathBuf, u64, String)>,
    stage: Stage,
}

#[derive(Clone, Copy)]
enum Stage {
    Beginning,
    Walking,
    Manifest,
    Over,
}

/// A file that may be read.
pub(crate) enum Opener {
    File { folder: Arc<OwnedFd>, name: OsString, ticket: Ticket },
    Sealed { sealed: Box<Sealed>, ticket: Ticket },
    Manifest(PathBuf),
}

pub(crate) enum Contents {
    /// Boxed: hash and ticket are far larger than the other variant.
    File(Box<Reading>),
    Manifest(File),
}

/// A file that rustic reads, hashed on the way.
pub(crate) struct Reading {
    input: Input,
    ticket: Ticket,
    hash: Sha256,
    size: u64,
}

enum Input {
    Plain(File),
    Sealed(Box<dyn Read + Send>),
}

impl ReadSource for Archive {
    type Open = Opener;
    type Iter = Entries;

    fn size(&self) -> RusticResult<Option<u64>> {
        Ok(None)
    }

    fn entries(&self) -> Entries {
        Entries {
            // That they open was seen before; should one have gone, nothing is walked and no snapshot made.
            walk: Walk::new(&self.sources).ok(),
            tally: Arc::clone(&self.tally),
            spool: self.spool.clone(),
            watch: Arc::clone(&self.watch),
            cancel: self.cancel.clone(),
            known: crate::guard::lock(&self.known).take(),
            ahead: None,
            stage: Stage::Beginning,
        }
    }
}

impl Entries {
    fn entry(&mut self, found: Found) -> Option<ReadSourceEntry<Opener>> {
        let path = found.path;
        let text = path_text(&path);
        let (kind, meta, open) = match found.what {
            What::Folder(stat) => {
                self.tally.push(Line::Folder { path: text });
                (NodeType::Dir, metadata(&stat, GO_FOLDER), None)
            }
            What::Link { stat, target } => {
                let target = Path::new(&target);
                self.tally.push(Line::Link { path: text, target: path_text(target) });
                (NodeType::from_link(target), metadata(&stat, GO_LINK), None)
            }
            What::File { stat, folder, name } => {
                let meta = metadata(&stat, 0);
                let known = self.known(&path, meta.size);
                let ticket = self.tally.issue(text, meta.size, known);
                (NodeType::File, meta, Some(Opener::File { folder, name, ticket }))
            }
            What::Sealed(sealed) => {
                let meta = sealed_metadata(&sealed);
                let known = self.known(&path, meta.size);
                let ticket = self.tally.issue(text, meta.size, known);
                (NodeType::File, meta, Some(Opener::Sealed { sealed, ticket }))
            }
            What::LeftOut(why) => {
                self.tally.leave_out(why, text);
                return None;
            }
        };
        let name = path.file_name().unwrap_or_else(|| OsStr::new(""));
        let node = Node::new_node(name, kind, meta);
        Some(ReadSourceEntry { path, node, open })
    }

    /// The SHA-256 of this file in the parent, when it was as long as it is now.
    fn known(&mut self, path: &Path, size: u64) -> Option<String> {
        loop {
            if self.ahead.is_none() {
                self.ahead = self.next_known();
            }
            let (ahead, ahead_size, sha256) = self.ahead.as_ref()?;
            match ahead.as_path().cmp(path) {
                std::cmp::Ordering::Less => self.ahead = None,
                std::cmp::Ordering::Equal => return (*ahead_size == size).then(|| sha256.clone()),
                std::cmp::Ordering::Greater => return None,
            }
        }
    }

    fn next_known(&mut self) -> Option<(PathBuf, u64, String)> {
        loop {
            // A damaged manifest ends here; files it does not name and rustic does not read are "lost".
            match self.known.as_mut()?.entry().ok()?? {
                Line::File { path, size, sha256 } => {
                    return Some((manifest::path_from_text(&path)?, size, sha256));
                }
                Line::Folder { .. } | Line::Link { .. } | Line::Manifest { .. } | Line::End { .. } => {}
            }
        }
    }

    /// Waits for all files. Their readers run in other threads, and the entry before was no file, so none waits here.
    fn manifest(&mut self) -> Option<ReadSourceEntry<Opener>> {
        self.walk.as_ref()?;
        self.tally.finish()?;
        let size = std::fs::metadata(&self.spool).ok()?.len();
        self.watch.snapshot_allowed.store(true, Ordering::SeqCst);
        let meta = Metadata { size, mode: Some(0o600), ..Metadata::default() };
        let mut unique = [0; 16];
        getrandom::fill(&mut unique).ok()?;
        let name = hex(&unique) + manifest::SUFFIX;
        let node = Node::new_node(OsStr::new(&name), NodeType::File, meta);
        let path = Path::new(manifest::FOLDER).join(name);
        Some(ReadSourceEntry { path, node, open: Some(Opener::Manifest(self.spool.clone())) })
    }
}

fn folder_entry(name: &str) -> ReadSourceEntry<Opener> {
    let meta = Metadata { mode: Some(GO_FOLDER | 0o700), ..Metadata::default() };
    let node = Node::new_node(OsStr::new(name), NodeType::Dir, meta);
    ReadSourceEntry { path: name.into(), node, open: None }
}

impl Iterator for Entries {
    type Item = RusticResult<ReadSourceEntry<Opener>>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.stage {
                Stage::Beginning => {
                    self.stage = Stage::Walking;
                    self.tally.push(Line::Folder { path: manifest::FILES.to_owned() });
                    return Some(Ok(folder_entry(manifest::FILES)));
                }
                Stage::Walking => {
                    let found = if self.cancel.is_cancelled() {
                        None
                    } else {
                        self.walk.as_mut().and_then(Walk::next)
                    };
                    let Some(found) = found else {
                        self.stage = Stage::Manifest;
                        return Some(Ok(folder_entry(manifest::FOLDER)));
                    };
                    if let Some(entry) = self.entry(found) {
                        return Some(Ok(entry));
                    }
                }
                Stage::Manifest => {
                    self.stage = Stage::Over;
                    return self.manifest().map(Ok);
                }
                Stage::Over => return None,
            }
        }
    }
}

impl ReadSourceOpen for Opener {
    type Reader = Contents;

    fn open(self) -> RusticResult<Contents> {
        match self {
            Self::Manifest(path) => File::open(path).map(Contents::Manifest).map_err(|error| refused(&error)),
            Self::Sealed { sealed, mut ticket } => {
                ticket.reading();
                match sealed.open(|| !ticket.cancelled()) {
                    Ok(input) => Ok(Contents::File(Box::new(Reading::new(Input::Sealed(input), ticket)))),
                    Err(error) => {
                        ticket.was_changed();
                        Err(refused(&error))
                    }
                }
            }
            Self::File { folder, name, mut ticket } => {
                // Without NONBLOCK a pipe put in the file's place would wait for ever.
                let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
                let opened = rustix::fs::openat(&*folder, &name, flags, Mode::empty());
                let is_file = |file: &OwnedFd| {
                    rustix::fs::fstat(file)
                        .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile)
                };
                match opened {
                    Ok(file) if is_file(&file) => {
                        ticket.reading();
                        Ok(Contents::File(Box::new(Reading::new(Input::Plain(file.into()), ticket))))
                    }
                    Ok(_) | Err(rustix::io::Errno::NOENT | rustix::io::Errno::LOOP) => {
                        ticket.leave_out(LeftOut::Vanished);
                        Err(RusticError::new(ErrorKind::InputOutput, "the file is gone"))
                    }
                    Err(error) => {
                        ticket.leave_out(LeftOut::Unreadable);
                        Err(refused(&error.into()))
                    }
                }
            }
        }
    }
}

fn refused(error: &io::Error) -> Box<RusticError> {
    RusticError::new(ErrorKind::InputOutput, error.to_string())
}

impl Read for Contents {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Manifest(file) => file.read(buffer),
            Self::File(reading) => reading.read(buffer),
        }
    }
}

impl Reading {
    fn new(input: Input, ticket: Ticket) -> Self {
        Self { input, ticket, hash: Sha256::new(), size: 0 }
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.read(buffer),
            Self::Sealed(input) => input.read(buffer),
        }
    }
}

impl Read for Reading {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.ticket.cancelled() {
            // Not `Interrupted`: that is tried again.
            return Err(io::Error::other("the task was cancelled"));
        }
        match self.input.read(buffer) {
            Ok(0) => {
                self.ticket.read_all(self.size, hex(&self.hash.clone().finalize()));
                Ok(0)
            }
            Ok(length) => {
                self.hash.update(&buffer[..length]);
                self.size += length as u64;
                self.ticket.read_some(length as u64);
                Ok(length)
            }
            Err(error) => {
                if error.kind() != io::ErrorKind::Interrupted {
                    match self.input {
                        Input::Plain(_) => self.ticket.leave_out(LeftOut::Unreadable),
                        Input::Sealed(_) => self.ticket.was_changed(),
                    }
                }
                Err(error)
            }
        }
    }
}

/// A sealed file is known again by the file behind it, a list by its name alone.
fn sealed_metadata(sealed: &Sealed) -> Metadata {
    let plain = sealed.stat.as_ref().map(|stat| metadata(stat, 0)).unwrap_or_default();
    Metadata { mode: Some(0o600), size: sealed.length, ..plain }
}

/// Of 32 or 64 bits, by architecture.
#[cfg_attr(target_arch = "x86_64", expect(clippy::useless_conversion, reason = "it is one on ARM"))]
fn links(stat: &Stat) -> u64 {
    stat.st_nlink.into()
}

fn metadata(stat: &Stat, kind: u32) -> Metadata {
    let time =
        |seconds: i64, nanoseconds: u64| Timestamp::new(seconds, i32::try_from(nanoseconds).ok()?).ok();
    Metadata {
        mode: Some((stat.st_mode & 0o777) | kind),
        mtime: time(stat.st_mtime, stat.st_mtime_nsec),
        ctime: time(stat.st_ctime, stat.st_ctime_nsec),
        uid: Some(stat.st_uid),
        gid: Some(stat.st_gid),
        inode: stat.st_ino,
        size: if kind == 0 { u64::try_from(stat.st_size).unwrap_or(0) } else { 0 },
        links: if kind == GO_FOLDER { 0 } else { links(stat) },
        ..Metadata::default()
    }
}
