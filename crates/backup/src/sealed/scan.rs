//! What a folder that is to be sealed holds: as the names and lengths that it has in a snapshot.

use super::key::ArchiveKey;
use super::list;
use super::list::SealedFile;
use super::stream;
use super::stream::Identity;
use super::stream::Sealing;
use crate::key::hex;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::fs::Stat;
use sha2::Digest;
use sha2::Sha256;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::io::Cursor;
use std::io::Read;
use std::io::Seek;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;

/// Half of an HMAC is name enough: two are alike by chance once in 2^64 files.
const NAME_BYTES: usize = 16;
pub(super) const LIST: &str = "list-";

/// A file of a folder, as a walk finds it.
pub(crate) struct Plain {
    /// Below the folder.
    pub(crate) path: PathBuf,
    pub(crate) stat: Stat,
    pub(crate) folder: Arc<OwnedFd>,
    pub(crate) name: OsString,
}

/// Something that is read sealed.
pub(crate) struct Sealed {
    /// Its name in the snapshot.
    pub(crate) name: String,
    /// Its length there.
    pub(crate) length: u64,
    /// Of the file behind it; nothing for the list.
    pub(crate) stat: Option<Stat>,
    key: ArchiveKey,
    from: From,
}

enum From {
    List(Vec<u8>),
    File { plain: Plain, identity: Identity },
}

/// The files of a folder and the list of them, in the order of their names in the snapshot.
pub(crate) fn scan(files: Vec<Plain>, key: &ArchiveKey) -> Vec<Sealed> {
    let mut listed: Vec<(SealedFile, Plain)> = files
        .into_iter()
        .map(|plain| {
            let bytes = u64::try_from(plain.stat.st_size).unwrap_or(0);
            let modified = (plain.stat.st_mtime, plain.stat.st_mtime_nsec);
            (SealedFile::new(&plain.path, bytes, modified), plain)
        })
        .collect();
    listed.sort_by(|(left, _), (right, _)| left.path.cmp(&right.path));
    let entries: Vec<SealedFile> = listed.iter().map(|(file, _)| file.clone()).collect();
    let list = list::encode(&entries);
    let sealed_file = |(file, plain): (SealedFile, Plain)| Sealed {
        name: file_name(key, &file),
        length: stream::sealed_length(file.bytes),
        stat: Some(plain.stat),
        key: key.clone(),
        from: From::File { identity: Identity::of(&file), plain },
    };
    let mut sealed: Vec<Sealed> = listed.into_iter().map(sealed_file).collect();
    sealed.push(Sealed {
        name: list_name(key, &list),
        length: stream::sealed_length(list.len() as u64),
        stat: None,
        key: key.clone(),
        from: From::List(list),
    });
    sealed.sort_by(|left, right| left.name.cmp(&right.name));
    sealed
}

/// The name in the snapshot: always the same, so that the file is known again.
pub(super) fn file_name(key: &ArchiveKey, file: &SealedFile) -> String {
    hex(&key.derive("hearth sealed file: name, 1", &[file.path.as_bytes()])[..NAME_BYTES])
}

/// Another one for each content, so that none is taken for the last one, which may be as long.
pub(super) fn list_name(key: &ArchiveKey, list: &[u8]) -> String {
    let tag = Identity::list().tag(key, &Sha256::digest(list).into());
    format!("{LIST}{}", hex(&tag[..NAME_BYTES]))
}

impl Sealed {
    /// Begins to read it: a file is read once for its hash, and once more by who reads what is returned.
    ///
    /// # Errors
    /// When the file is gone, or another than was found.
    pub(crate) fn open(self, go_on: impl Fn() -> bool) -> io::Result<Box<dyn Read + Send>> {
        match self.from {
            From::List(list) => {
                let content = Sha256::digest(&list).into();
                let length = list.len() as u64;
                let sealing = Sealing::new(&self.key, &Identity::list(), content, length, Cursor::new(list));
                Ok(Box::new(sealing))
            }
            From::File { plain, identity } => {
                // As for plain files: a pipe put in its place would wait for ever.
                let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
                let file = rustix::fs::openat(&*plain.folder, &plain.name, flags, Mode::empty())?;
                let found = rustix::fs::fstat(&file)?;
                let facts = |stat: &Stat| {
                    (stat.st_ino, stat.st_size, stat.st_mtime, stat.st_mtime_nsec, stat.st_mode)
                };
                if facts(&found) != facts(&plain.stat) {
                    return Err(io::Error::other("the file is another than was found"));
                }
                let mut file = File::from(file);
                let length = u64::try_from(found.st_size).unwrap_or(0);
                let content = stream::digest(&file, length, go_on)?;
                file.rewind()?;
                Ok(Box::new(Sealing::new(&self.key, &identity, content, length, file)))
            }
        }
    }
}
