//! The files of a layout: in a folder, or in an archive that is read in place.

use crate::image::Limits;
use crate::image::Refused;
use crate::image::gather::GatherError;
use crate::image::tar::Kind;
use crate::image::tar::Walk;
use crate::image::tar::WalkError;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::fs::ResolveFlags;
use rustix::fs::openat2;
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::io::BufReader;
use std::io::Read;
use std::os::unix::fs::FileExt as _;

/// Files of a layout; a few for each layer.
const MAX_FILES: usize = 10_000;

pub(super) enum Files {
    Folder(File),
    Archive { file: File, members: BTreeMap<String, Member> },
}

pub(super) enum Member {
    Bytes {
        start: u64,
        length: u64,
    },
    /// Old versions of Docker wrote a layer that is there twice as a link.
    Link(String),
}

impl Files {
    /// Reads what there is.
    pub(super) fn open(file: File, limits: &Limits) -> Result<Self, GatherError> {
        let metadata = file.metadata().map_err(|source| failed("the file to import", source))?;
        if metadata.is_dir() {
            return Ok(Self::Folder(file));
        }
        let reader = BufReader::new(file.try_clone().map_err(|source| failed("the file to import", source))?);
        // What is in the archive is bounded by the file; each layer is bounded when it is unpacked.
        let limits = Limits { layer_bytes: u64::MAX / 2, ..limits.clone() };
        let mut walk = Walk::new(reader, limits);
        let mut members = BTreeMap::new();
        loop {
            let entry = match walk.next_entry() {
                Ok(Some(entry)) => entry,
                Ok(None) => break,
                // The first block of something else has no valid sum.
                Err(WalkError::Refused(_)) if members.is_empty() => return Err(Refused::Format.into()),
                Err(WalkError::Refused(refused)) => return Err(refused.into()),
                Err(WalkError::Read(source)) => return Err(failed("the archive to import", source)),
            };
            let Some(path) = plain(&String::from_utf8_lossy(&entry.path)) else { continue };
            let member = match entry.kind {
                Kind::File { size, extents: None } => Member::Bytes { start: walk.position(), length: size },
                Kind::Symlink { target } => Member::Link(String::from_utf8_lossy(&target).into_owned()),
                Kind::File { .. } | Kind::Folder | Kind::HardLink { .. } | Kind::Pipe | Kind::Device => {
                    continue;
                }
            };
            members.insert(path, member);
            if members.len() > MAX_FILES {
                return Err(Refused::Entries { limit: MAX_FILES as u64 }.into());
            }
        }
        Ok(Self::Archive { file, members })
    }

    pub(super) fn has(&self, path: &str) -> bool {
        self.reader(path, 0).is_ok()
    }

    /// A document, if it is no longer than this.
    pub(super) fn document(&self, path: &str, what: &str, limit: u64) -> Result<Vec<u8>, GatherError> {
        let mut bytes = Vec::new();
        let read = self.reader(path, 0)?.1.take(limit + 1).read_to_end(&mut bytes);
        read.map_err(|source| failed(path, source))?;
        if bytes.len() as u64 > limit {
            return Err(Refused::DocumentSize { what: what.to_owned(), limit }.into());
        }
        Ok(bytes)
    }

    /// The length of a file, and its bytes from a place on.
    pub(super) fn reader(
        &self,
        path: &str,
        from: u64,
    ) -> Result<(u64, Box<dyn Read + Send + '_>), GatherError> {
        let missing = || {
            GatherError::from(Refused::archive(&format!("it has no {}", crate::image::refused::clip(path))))
        };
        let path = plain(path).ok_or_else(missing)?;
        match self {
            Self::Folder(folder) => {
                let beneath = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
                let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
                let opened = openat2(folder, path.as_str(), flags, Mode::empty(), beneath)
                    .map_err(|_error| missing())?;
                let file = File::from(opened);
                let metadata = file.metadata().map_err(|source| failed(&path, source))?;
                if !metadata.is_file() {
                    return Err(missing());
                }
                let length = metadata.len();
                Ok((length, Box::new(Part { file, at: from, end: length })))
            }
            Self::Archive { file, members } => {
                let member = match members.get(&path) {
                    Some(Member::Link(target)) => {
                        plain(&beside(&path, target)).and_then(|target| members.get(&target))
                    }
                    member => member,
                };
                let Some(Member::Bytes { start, length }) = member else { return Err(missing()) };
                let file = file.try_clone().map_err(|source| failed(&path, source))?;
                let end = start.saturating_add(*length);
                Ok((*length, Box::new(Part { file, at: start.saturating_add(from), end })))
            }
        }
    }
}

/// Part of a file, without its position, which others use too.
struct Part {
    file: File,
    at: u64,
    end: u64,
}

impl Read for Part {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.end.saturating_sub(self.at);
        let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let length = self.file.read_at(&mut buffer[..wanted], self.at)?;
        self.at += length as u64;
        Ok(length)
    }
}

/// Where a link beside a file leads.
fn beside(path: &str, target: &str) -> String {
    path.rsplit_once('/').map_or_else(|| target.to_owned(), |(folder, _)| format!("{folder}/{target}"))
}

/// A path without `.` and `..`; none when it leads out.
fn plain(path: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    (!path.starts_with('/') && !parts.is_empty()).then(|| parts.join("/"))
}

pub(super) fn failed(what: &str, source: io::Error) -> GatherError {
    GatherError::File { what: what.to_owned(), source }
}
