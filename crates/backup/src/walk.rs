//! Walks over sources in the order of names, by file descriptors: a folder that an app exchanges for a link while it
//! is walked leads nowhere.

use crate::manifest::FILES;
use crate::sealed;
use crate::sealed::ArchiveKey;
use crate::sealed::Plain;
use crate::sealed::Sealed;
use crate::source::Source;
use crate::source::SourceError;
use crate::source::link_stays;
use crate::tally::LeftOut;
use rustix::fs::AtFlags;
use rustix::fs::CWD;
use rustix::fs::Dir;
use rustix::fs::FileType;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::fs::Stat;
use rustix::io::Errno;
use std::ffi::OsStr;
use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

/// Folders in each other; each holds a descriptor while it is walked.
pub(crate) const MAX_DEPTH: usize = 200;
const MAX_PATH: usize = 4096;
const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// One thing that was found.
pub(crate) struct Found {
    /// Where it lies in the snapshot.
    pub(crate) path: PathBuf,
    pub(crate) what: What,
}

pub(crate) enum What {
    Folder(Stat),
    File { stat: Stat, folder: Arc<OwnedFd>, name: OsString },
    Link { stat: Stat, target: OsString },
    Sealed(Box<Sealed>),
    LeftOut(LeftOut),
}

/// The walk; a plain iterator.
pub(crate) struct Walk {
    sources: std::vec::IntoIter<Opened>,
    source: Option<Opened>,
    levels: Vec<Level>,
    /// Of a source that is sealed, which was walked at once.
    sealed: std::vec::IntoIter<Found>,
}

/// A source whose folder is open, so that an error shows before anything is saved.
struct Opened {
    source: Source,
    folder: Arc<OwnedFd>,
    stat: Stat,
}

struct Level {
    folder: Arc<OwnedFd>,
    /// In the snapshot.
    path: PathBuf,
    /// Below the source.
    below: PathBuf,
    names: std::vec::IntoIter<OsString>,
}

impl Walk {
    /// Opens checked sources.
    pub(crate) fn new(sources: &[Source]) -> Result<Self, SourceError> {
        let open = |source: &Source| {
            // The source itself is named by the caller and may be a link.
            let folder = rustix::fs::openat(CWD, &source.path, FOLDER - OFlags::NOFOLLOW, Mode::empty());
            let opened = folder.and_then(|folder| rustix::fs::fstat(&folder).map(|stat| (folder, stat)));
            match opened {
                Ok((folder, stat)) => Ok(Opened { source: source.clone(), folder: Arc::new(folder), stat }),
                Err(error) => Err(SourceError::Open { path: source.path.clone(), source: error.into() }),
            }
        };
        let opened: Vec<Opened> = sources.iter().map(open).collect::<Result<_, _>>()?;
        Ok(Self::over(opened))
    }

    fn over(opened: Vec<Opened>) -> Self {
        Self { sources: opened.into_iter(), source: None, levels: Vec::new(), sealed: Vec::new().into_iter() }
    }

    fn next_source(&mut self) -> Option<Found> {
        let mut opened = self.sources.next()?;
        let path = Path::new(FILES).join(&opened.source.name);
        let stat = opened.stat;
        if let Some(key) = opened.source.key.take() {
            self.sealed = seal(opened, &key, &path).into_iter();
            return Some(Found { path, what: What::Folder(stat) });
        }
        let level = Level::open(Arc::clone(&opened.folder), path.clone(), PathBuf::new());
        self.source = Some(opened);
        let what = match level {
            Ok(level) => {
                self.levels.push(level);
                What::Folder(stat)
            }
            Err(_unreadable) => What::LeftOut(LeftOut::Unreadable),
        };
        Some(Found { path, what })
    }

    fn look(&mut self, name: OsString) -> Option<Found> {
        let depth = self.levels.len();
        let level = self.levels.last()?;
        let opened = self.source.as_ref()?;
        let below = level.below.join(&name);
        if opened.source.exclude.iter().any(|exclude| exclude.matches(&below)) {
            return None;
        }
        let path = level.path.join(&name);
        let what = if path.as_os_str().len() > MAX_PATH {
            What::LeftOut(LeftOut::TooLong)
        } else {
            match rustix::fs::statat(&*level.folder, &name, AtFlags::SYMLINK_NOFOLLOW) {
                Err(Errno::NOENT) => What::LeftOut(LeftOut::Vanished),
                Err(_) => What::LeftOut(LeftOut::Unreadable),
                Ok(stat) if stat.st_dev != opened.stat.st_dev => What::LeftOut(LeftOut::OtherFileSystem),
                Ok(stat) => match FileType::from_raw_mode(stat.st_mode) {
                    FileType::RegularFile => What::File { stat, folder: Arc::clone(&level.folder), name },
                    FileType::Symlink => link(level, depth - 1, &name, stat),
                    FileType::Directory if depth >= MAX_DEPTH => What::LeftOut(LeftOut::TooLong),
                    FileType::Directory => match enter(level, &name, path.clone(), below) {
                        Ok(level) => {
                            self.levels.push(level);
                            What::Folder(stat)
                        }
                        Err(Errno::NOENT) => What::LeftOut(LeftOut::Vanished),
                        Err(_) => What::LeftOut(LeftOut::Unreadable),
                    },
                    FileType::Fifo
                    | FileType::Socket
                    | FileType::CharacterDevice
                    | FileType::BlockDevice
                    | FileType::Unknown => What::LeftOut(LeftOut::Special),
                },
            }
        };
        Some(Found { path, what })
    }
}

/// A source in the names that its files have once they are sealed. Its own names are told nowhere.
fn seal(opened: Opened, key: &ArchiveKey, path: &Path) -> Vec<Found> {
    let (mut files, mut found) = (Vec::new(), Vec::new());
    for plain in Walk::over(vec![opened]) {
        let below = plain.path.strip_prefix(path).unwrap_or(&plain.path).to_owned();
        match plain.what {
            What::File { stat, folder, name } => files.push(Plain { path: below, stat, folder, name }),
            What::Folder(_) | What::Sealed(_) => {}
            What::Link { .. } => found.push(What::LeftOut(LeftOut::Special)),
            What::LeftOut(why) => found.push(What::LeftOut(why)),
        }
    }
    let mut found: Vec<Found> = found.into_iter().map(|what| Found { path: path.to_owned(), what }).collect();
    let sealed = sealed::scan(files, key).into_iter();
    found
        .extend(sealed.map(|file| Found { path: path.join(&file.name), what: What::Sealed(Box::new(file)) }));
    found
}

fn link(level: &Level, depth: usize, name: &OsStr, stat: Stat) -> What {
    match rustix::fs::readlinkat(&*level.folder, name, Vec::new()) {
        Ok(target) => {
            let target = OsString::from_vec(target.into_bytes());
            if link_stays(depth, &target) {
                What::Link { stat, target }
            } else {
                What::LeftOut(LeftOut::LinkLeads)
            }
        }
        Err(Errno::NOENT) => What::LeftOut(LeftOut::Vanished),
        Err(_) => What::LeftOut(LeftOut::Unreadable),
    }
}

fn enter(level: &Level, name: &OsStr, path: PathBuf, below: PathBuf) -> Result<Level, Errno> {
    let folder = rustix::fs::openat(&*level.folder, name, FOLDER, Mode::empty())?;
    Level::open(Arc::new(folder), path, below)
}

impl Level {
    fn open(folder: Arc<OwnedFd>, path: PathBuf, below: PathBuf) -> Result<Self, Errno> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&*folder)? {
            let entry = entry?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name != "." && name != ".." {
                names.push(name.to_owned());
            }
        }
        names.sort_unstable();
        Ok(Self { folder, path, below, names: names.into_iter() })
    }
}

impl Iterator for Walk {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        loop {
            if let Some(found) = self.sealed.next() {
                return Some(found);
            }
            let Some(level) = self.levels.last_mut() else { return self.next_source() };
            match level.names.next() {
                None => {
                    self.levels.pop();
                }
                Some(name) => {
                    if let Some(found) = self.look(name) {
                        return Some(found);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Exclude;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn the_walk_is_in_order_and_leaves_out_what_it_must() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["b", "b/deep", "cache"] {
            fs::create_dir(at(name)).unwrap();
        }
        for name in ["a", "b.txt", "b/deep/x", "cache/y", "z.tmp"] {
            fs::write(at(name), name).unwrap();
        }
        symlink("deep/x", at("b/inside")).unwrap();
        symlink("/etc/passwd", at("b/outside")).unwrap();
        rustix::fs::mknodat(CWD, at("pipe"), FileType::Fifo, Mode::RUSR, 0).unwrap();
        let source = Source {
            name: "home".into(),
            path: folder.path().to_owned(),
            exclude: vec![Exclude::Path("cache".into()), Exclude::Name("*.tmp".into())],
            key: None,
        };
        let seen: Vec<(String, &str)> = Walk::new(&[source])
            .unwrap()
            .map(|found| {
                let what = match found.what {
                    What::Folder(_) => "folder",
                    What::File { .. } => "file",
                    What::Link { .. } => "link",
                    What::Sealed(_) => "sealed",
                    What::LeftOut(LeftOut::LinkLeads) => "leads",
                    What::LeftOut(LeftOut::Special) => "special",
                    What::LeftOut(_) => "other",
                };
                (found.path.display().to_string(), what)
            })
            .collect();
        let expected = [
            ("files/home", "folder"),
            ("files/home/a", "file"),
            ("files/home/b", "folder"),
            ("files/home/b/deep", "folder"),
            ("files/home/b/deep/x", "file"),
            ("files/home/b/inside", "link"),
            ("files/home/b/outside", "leads"),
            ("files/home/b.txt", "file"),
            ("files/home/pipe", "special"),
        ];
        assert_eq!(seen, expected.map(|(path, what)| (path.to_owned(), what)));
    }

    #[test]
    fn a_source_that_is_missing_is_named() {
        let source =
            Source { name: "home".into(), path: "/nowhere/at/all".into(), exclude: Vec::new(), key: None };
        assert!(matches!(Walk::new(&[source]).err().unwrap(), SourceError::Open { .. }));
    }
}
