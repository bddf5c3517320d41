//! Walks a tar archive: what lies in it, entry by entry, from a stream.
//!
//! Single headers are decoded by the crate `tar`; what spans several of them is decoded here, with a bound for each part: long names
//! (GNU), extended headers (PAX; values may hold any byte), sparse files (GNU, and PAX version 1.0). Nothing is kept but
//! the current entry, and nothing is trusted: names are bytes, to be checked by whoever uses them.

mod pax;
mod sparse;
#[cfg(test)]
mod tests;

use crate::image::Limits;
use crate::image::Refused;
use crate::image::refused::clip_bytes;
use pax::Pax;
pub use sparse::Extent;
use std::io;
use std::io::Read;
use tar::Header;

const BLOCK: usize = 512;

/// What an entry says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name, as written.
    pub path: Vec<u8>,
    /// What it is.
    pub kind: Kind,
    /// Permissions, with setuid, setgid and sticky.
    pub mode: u32,
    /// Owner.
    pub uid: u64,
    /// Group.
    pub gid: u64,
    /// Seconds since 1970.
    pub mtime: i64,
    /// Extended attributes.
    pub attributes: Vec<(Vec<u8>, Vec<u8>)>,
}

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file; its bytes are read from the walk.
    File {
        /// Its length.
        size: u64,
        /// Where the bytes of the archive belong, when there are holes between them.
        extents: Option<Vec<Extent>>,
    },
    /// A folder.
    Folder,
    /// A symbolic link.
    Symlink {
        /// Where to; not followed.
        target: Vec<u8>,
    },
    /// A second name.
    HardLink {
        /// The first one.
        target: Vec<u8>,
    },
    /// A named pipe.
    Pipe,
    /// A node of a device.
    Device,
}

/// Why a walk ended early.
#[derive(Debug, thiserror::Error)]
pub enum WalkError {
    /// For a reason in the archive.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The archive cannot be read.
    #[error("read an archive")]
    Read(#[source] io::Error),
}

impl From<io::Error> for WalkError {
    /// Readers that refuse say why inside of their error.
    fn from(error: io::Error) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<Refused>()) {
            Some(refused) => Self::Refused(refused.clone()),
            None if error.kind() == io::ErrorKind::UnexpectedEof => {
                Self::Refused(Refused::Truncated { what: "in the middle of its data".to_owned() })
            }
            None => Self::Read(error),
        }
    }
}

/// A walk through an archive. The bytes of the current file are read from it.
#[derive(Debug)]
pub struct Walk<R> {
    reader: R,
    limits: Limits,
    headers: u64,
    /// Bytes of the current entry that were not read, and what fills its last block.
    left: u64,
    padding: u64,
    /// Bytes before what is read next.
    position: u64,
}

impl<R: Read> Walk<R> {
    /// From the beginning of an archive.
    pub fn new(reader: R, limits: Limits) -> Self {
        Self { reader, limits, headers: 0, left: 0, padding: 0, position: 0 }
    }

    /// The next entry; whatever was not read of the last one is passed over.
    ///
    /// # Errors
    /// When there is something that cannot be understood, or too much of it.
    pub fn next_entry(&mut self) -> Result<Option<Entry>, WalkError> {
        let mut pax = Pax::default();
        let (mut long_path, mut long_link) = (None, None);
        loop {
            self.pass_over()?;
            let Some(header) = self.header()? else { return Ok(None) };
            let kind = header.entry_type();
            let size = number("size", &header.as_bytes()[124..136], header.entry_size())?;
            let limit = if kind.is_gnu_longname() || kind.is_gnu_longlink() {
                self.limits.path as u64 + 1
            } else {
                self.limits.header
            };
            if kind.is_gnu_longname() {
                long_path = Some(until_zero(self.whole(size, limit)?));
            } else if kind.is_gnu_longlink() {
                long_link = Some(until_zero(self.whole(size, limit)?));
            } else if kind.is_pax_local_extensions() {
                pax = pax::parse(&self.whole(size, limit)?)?;
            } else if kind.is_pax_global_extensions() {
                // Words of the tool that made the archive; none of them is about a file.
                self.whole(size, limit)?;
            } else {
                return self.entry(&header, pax, long_path, long_link).map(Some);
            }
        }
    }

    /// Where in the archive the bytes of the current entry are.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The reader, after the last entry.
    pub fn into_reader(self) -> R {
        self.reader
    }

    fn entry(
        &mut self,
        header: &Header,
        mut pax: Pax,
        long_path: Option<Vec<u8>>,
        long_link: Option<Vec<u8>>,
    ) -> Result<Entry, WalkError> {
        let sparse_name = pax.sparse.as_mut().and_then(|sparse| sparse.name.take());
        let path = sparse_name
            .or_else(|| pax.path.take())
            .or(long_path)
            .unwrap_or_else(|| header.path_bytes().into_owned());
        self.check_text(&path)?;
        let target = pax
            .link
            .take()
            .or(long_link)
            .or_else(|| header.link_name_bytes().map(std::borrow::Cow::into_owned));
        let target = target.unwrap_or_default();
        self.check_text(&target)?;
        let size =
            pax.size.map_or_else(|| number("size", &header.as_bytes()[124..136], header.entry_size()), Ok)?;
        let kind = self.kind(header, &path, target, size, pax.sparse.as_ref())?;
        Ok(Entry {
            kind,
            mode: u32::try_from(
                number("mode", &header.as_bytes()[100..108], header.mode().map(u64::from))? & 0o7777,
            )
            .unwrap_or(0),
            uid: pax.uid.map_or_else(|| number("owner", &header.as_bytes()[108..116], header.uid()), Ok)?,
            gid: pax.gid.map_or_else(|| number("group", &header.as_bytes()[116..124], header.gid()), Ok)?,
            mtime: match pax.mtime {
                Some(mtime) => mtime,
                None => {
                    i64::try_from(number("time", &header.as_bytes()[136..148], header.mtime())?).unwrap_or(0)
                }
            },
            attributes: pax.attributes,
            path,
        })
    }

    /// Links, folders and the like have no bytes, whatever their header says; so does Go's reader, and with it Docker.
    fn kind(
        &mut self,
        header: &Header,
        path: &[u8],
        target: Vec<u8>,
        size: u64,
        sparse: Option<&pax::Sparse>,
    ) -> Result<Kind, WalkError> {
        let kind = header.entry_type();
        // By POSIX.1 (`ustar`), and `S` by GNU.
        Ok(match kind.as_byte() {
            b'0' | b'7' | 0 if path.ends_with(b"/") => {
                self.body(size)?;
                Kind::Folder
            }
            b'0' | b'7' | 0 => {
                self.body(size)?;
                match sparse {
                    None => Kind::File { size, extents: None },
                    Some(sparse) => self.sparse_file(sparse, path)?,
                }
            }
            b'S' => self.old_sparse_file(header, size)?,
            b'5' => Kind::Folder,
            b'2' => Kind::Symlink { target },
            b'1' => Kind::HardLink { target },
            b'6' => Kind::Pipe,
            b'3' | b'4' => Kind::Device,
            other => {
                let kind = format!("type {other:#04x}");
                return Err(Refused::Kind { path: clip_bytes(path), kind }.into());
            }
        })
    }

    /// PAX 1.0: the map lies before the bytes.
    fn sparse_file(&mut self, sparse: &pax::Sparse, path: &[u8]) -> Result<Kind, WalkError> {
        let (Some((1, 0)), Some(size)) = (sparse.version, sparse.size) else {
            return Err(Refused::Kind {
                path: clip_bytes(path),
                kind: "an old form of sparse files".to_owned(),
            }
            .into());
        };
        let limit = self.limits.header;
        let extents = sparse::read_map(self, limit)?;
        sparse::check(&extents, size, self.left)?;
        self.sized(size)?;
        Ok(Kind::File { size, extents: Some(extents) })
    }

    /// GNU: the map lies in the header and in blocks after it.
    fn old_sparse_file(&mut self, header: &Header, stored: u64) -> Result<Kind, WalkError> {
        let header = header.as_gnu().ok_or_else(|| Refused::archive("a sparse file of another format"))?;
        let size = header.real_size().map_err(|_text| Refused::archive("a size is no number"))?;
        let mut extents = sparse::from_headers(&header.sparse)?;
        let mut more = header.is_extended();
        let mut blocks = 0;
        while more {
            blocks += BLOCK as u64;
            if blocks > self.limits.header {
                return Err(Refused::archive("the map of a sparse file is too long").into());
            }
            let block = self.block()?.ok_or_else(|| Refused::Truncated { what: "in a header".to_owned() })?;
            let (part, further) = sparse::from_block(&block)?;
            extents.extend(part);
            more = further;
        }
        self.body(stored)?;
        sparse::check(&extents, size, self.left)?;
        self.sized(size)?;
        Ok(Kind::File { size, extents: Some(extents) })
    }

    fn sized(&self, size: u64) -> Result<(), Refused> {
        if size > self.limits.layer_bytes {
            return Err(Refused::LayerSize { limit: self.limits.layer_bytes });
        }
        Ok(())
    }

    fn body(&mut self, size: u64) -> Result<(), Refused> {
        self.sized(size)?;
        self.left = size;
        self.padding = size.next_multiple_of(BLOCK as u64) - size;
        Ok(())
    }

    /// Reads the body of a header that stands for a longer one.
    fn whole(&mut self, size: u64, limit: u64) -> Result<Vec<u8>, WalkError> {
        if size > limit {
            return Err(Refused::archive("an extended header is too long").into());
        }
        self.body(size)?;
        let mut bytes = Vec::new();
        self.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn check_text(&self, text: &[u8]) -> Result<(), Refused> {
        if text.len() > self.limits.path || text.contains(&0) {
            return Err(Refused::Path { path: clip_bytes(text) });
        }
        Ok(())
    }

    fn header(&mut self) -> Result<Option<Header>, WalkError> {
        // An archive ends with blocks of zeros; the digest says whether one without them is whole.
        let Some(block) = self.block()?.filter(|block| block.iter().any(|byte| *byte != 0)) else {
            return Ok(None);
        };
        self.headers += 1;
        // An entry has at most four headers.
        if self.headers > self.limits.entries.saturating_mul(4) {
            return Err(Refused::Entries { limit: self.limits.entries }.into());
        }
        let header = Header::from_byte_slice(&block).clone();
        let sum = block
            .iter()
            .enumerate()
            .map(|(at, byte)| if (148..156).contains(&at) { 32 } else { u32::from(*byte) })
            .sum::<u32>();
        if header.cksum().ok() != Some(sum) {
            return Err(Refused::archive("the sum of a header is wrong").into());
        }
        Ok(Some(header))
    }

    fn block(&mut self) -> Result<Option<[u8; BLOCK]>, WalkError> {
        let mut block = [0; BLOCK];
        let mut filled = 0;
        while filled < BLOCK {
            match self.reader.read(&mut block[filled..])? {
                0 if filled == 0 => return Ok(None),
                0 => return Err(Refused::Truncated { what: "in a header".to_owned() }.into()),
                length => filled += length,
            }
        }
        self.position += BLOCK as u64;
        Ok(Some(block))
    }

    fn pass_over(&mut self) -> Result<(), WalkError> {
        let rest = self.left + self.padding;
        let passed = io::copy(&mut (&mut self.reader).take(rest), &mut io::sink())?;
        // The last block of an archive is not always filled up.
        if passed < self.left {
            return Err(Refused::Truncated { what: "in a file".to_owned() }.into());
        }
        self.position += passed;
        (self.left, self.padding) = (0, 0);
        Ok(())
    }
}

impl<R: Read> Read for Walk<R> {
    /// Bytes of the current entry.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        if wanted == 0 {
            return Ok(0);
        }
        let length = self.reader.read(&mut buffer[..wanted])?;
        if length == 0 {
            return Err(io::Error::other(Refused::Truncated { what: "in a file".to_owned() }));
        }
        self.left -= length as u64;
        self.position += length as u64;
        Ok(length)
    }
}

/// A number of a header; a field that was left empty is a zero.
fn number(what: &str, field: &[u8], read: io::Result<u64>) -> Result<u64, Refused> {
    let empty = field.iter().all(|byte| matches!(byte, 0 | b' '));
    read.or_else(
        |_text| if empty { Ok(0) } else { Err(Refused::archive(&format!("the {what} is no number"))) },
    )
}

fn until_zero(mut text: Vec<u8>) -> Vec<u8> {
    if let Some(end) = text.iter().position(|byte| *byte == 0) {
        text.truncate(end);
    }
    text
}
