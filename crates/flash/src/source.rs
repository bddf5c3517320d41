//! The image file, and everything that lies beside it to check it by, looked at before any disk is touched.
//!
//! | file | what it says |
//! |---|---|
//! | `hearth.img.zst.sha256` | SHA-256 of the image file, as `sha256sum` writes it |
//! | `manifest.json` | sizes and SHA-256 of the image file, of the whole image inside, of the block map |
//! | `hearth.img.bmap` | what of the image has to be written |
//!
//! They show damage. They come from where the image comes from, so they prove nothing about who made it; a checksum that came another
//! way (`--sha256`) does.

use crate::block_map;
use crate::block_map::BlockMap;
use crate::block_map::MapError;
use crate::digest::Digest;
use crate::digest::Hasher;
use crate::digest::InvalidDigest;
use serde::Deserialize;
use std::fs::File;
use std::io;
use std::io::Read;
use std::io::Seek;
use std::path::Path;
use std::path::PathBuf;

/// Longest file beside the image that is read, in bytes.
const MAX_BESIDE: u64 = 4 << 20;
/// How a frame of Zstandard begins (RFC 8878, 3.1.1).
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// Largest window of a decoder, as a power of two: 128 MiB, the most that `image` makes.
const WINDOW_LOG: u32 = 27;

/// An image that may be written.
#[derive(Debug)]
pub struct Image {
    file: File,
    is_compressed: bool,
    path: PathBuf,
    /// Bytes of the image inside.
    pub size: u64,
    /// What has to be written.
    pub map: Option<BlockMap>,
    /// SHA-256 of the whole image inside, where the manifest has it.
    pub whole: Option<Digest>,
    /// SHA-256 of the file.
    pub digest: Digest,
    /// By what the file's checksum was found right; nothing when there was nothing to compare it with.
    pub checked_by: Vec<String>,
}

/// What was asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked<'a> {
    /// The checksum of the file, from whoever uses it.
    pub sha256: Option<Digest>,
    /// The block map, instead of the one beside the image.
    pub map: Option<&'a Path>,
}

/// Why an image may not be written; nothing was touched.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A file cannot be read.
    #[error("read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A file beside the image is too long to be what its name says.
    #[error("{} is longer than {MAX_BESIDE} bytes", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
    },
    /// The file with the checksum has none.
    #[error("find a checksum in {}", path.display())]
    NoDigest {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: InvalidDigest,
    },
    /// The manifest cannot be understood.
    #[error("understand {}", path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: serde_json::Error,
    },
    /// The block map cannot be used.
    #[error("use {}", path.display())]
    Map {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: MapError,
    },
    /// The checksum is another.
    #[error("{} is damaged or another one: its SHA-256 is\n  {found}\nand {by} says\n  {wanted}", path.display())]
    OtherDigest {
        /// The file.
        path: PathBuf,
        /// Of the file.
        found: Digest,
        /// As it should be.
        wanted: Digest,
        /// Who says so.
        by: String,
    },
    /// The sizes do not agree.
    #[error("the block map is of an image of {map} bytes, and manifest.json says {manifest}")]
    Sizes {
        /// By the map.
        map: u64,
        /// By the manifest.
        manifest: u64,
    },
}

/// The part of `manifest.json` that matters here.
#[derive(Debug, Default, Deserialize)]
struct Manifest {
    #[serde(default)]
    files: Vec<Recorded>,
}

#[derive(Debug, Deserialize)]
struct Recorded {
    name: String,
    size: u64,
    sha256: Digest,
}

impl Manifest {
    fn of(&self, name: &str) -> Option<&Recorded> {
        self.files.iter().find(|file| file.name == name)
    }
}

/// Opens an image and checks it by everything there is. `progress` is told how many of how many bytes were read.
///
/// # Errors
/// See [`SourceError`].
pub fn open(path: &Path, asked: Asked<'_>, progress: &mut dyn FnMut(u64, u64)) -> Result<Image, SourceError> {
    let at = |source| SourceError::Read { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(at)?;
    let length = file.metadata().map_err(at)?.len();
    let mut start = Vec::new();
    file.by_ref().take(4).read_to_end(&mut start).map_err(at)?;
    file.rewind().map_err(at)?;
    let is_compressed = start == ZSTD;
    let digest = digest_of(&mut file, &mut |done| progress(done, length)).map_err(at)?;

    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let inside = name.strip_suffix(".zst").unwrap_or(&name).to_owned();
    let manifest_at = path.with_file_name("manifest.json");
    let manifest = match beside(&manifest_at)? {
        Some(text) => serde_json::from_str(&text)
            .map_err(|source| SourceError::Manifest { path: manifest_at, source })?,
        None => Manifest::default(),
    };
    let mut wanted: Vec<(String, Digest)> = Vec::new();
    wanted.extend(asked.sha256.map(|digest| ("--sha256".to_owned(), digest)));
    let sum_at = path.with_file_name(format!("{name}.sha256"));
    if let Some(text) = beside(&sum_at)? {
        let word = text.split_whitespace().next().unwrap_or_default();
        let digest = word.parse().map_err(|source| SourceError::NoDigest { path: sum_at, source })?;
        wanted.push((format!("{name}.sha256"), digest));
    }
    wanted.extend(manifest.of(&name).map(|file| ("manifest.json".to_owned(), file.sha256)));
    agree(path, digest, &wanted)?;
    let map = map(path, &inside, asked.map, &manifest)?;
    let recorded = manifest.of(&inside);
    let mut image = Image {
        file,
        is_compressed,
        path: path.to_owned(),
        size: length,
        map,
        whole: recorded.map(|file| file.sha256),
        digest,
        checked_by: wanted.into_iter().map(|(by, _digest)| by).collect(),
    };
    image.size = match (&image.map, recorded) {
        (Some(map), Some(file)) if map.image_size() != file.size => {
            return Err(SourceError::Sizes { map: map.image_size(), manifest: file.size });
        }
        (Some(map), _) => map.image_size(),
        (None, Some(file)) => file.size,
        (None, None) if is_compressed => image.counted()?,
        (None, None) => length,
    };
    Ok(image)
}

impl Image {
    /// The image inside, from its start.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn stream(&mut self) -> Result<Box<dyn Read + '_>, SourceError> {
        let at = |source| SourceError::Read { path: self.path.clone(), source };
        self.file.rewind().map_err(at)?;
        if !self.is_compressed {
            return Ok(Box::new(&mut self.file));
        }
        let mut decoder = zstd::Decoder::new(&mut self.file).map_err(at)?;
        decoder.window_log_max(WINDOW_LOG).map_err(at)?;
        Ok(Box::new(decoder))
    }

    /// How long it is, by decompressing it once: nothing beside it says so, and a disk that is too small is not to be touched.
    fn counted(&mut self) -> Result<u64, SourceError> {
        let path = self.path.clone();
        let counted = io::copy(&mut self.stream()?, &mut io::sink());
        counted.map_err(|source| SourceError::Read { path, source })
    }
}

fn map(
    image: &Path,
    inside: &str,
    asked: Option<&Path>,
    manifest: &Manifest,
) -> Result<Option<BlockMap>, SourceError> {
    let name = format!("{inside}.bmap");
    let path = asked.map_or_else(|| image.with_file_name(&name), Path::to_owned);
    let Some(text) = beside(&path)? else {
        return match asked {
            Some(_) => Err(SourceError::Read { path, source: io::ErrorKind::NotFound.into() }),
            None => Ok(None),
        };
    };
    let recorded = manifest.of(&name).filter(|_| asked.is_none());
    let wanted: Vec<_> = recorded.map(|file| ("manifest.json".to_owned(), file.sha256)).into_iter().collect();
    agree(&path, Digest::of(text.as_bytes()), &wanted)?;
    let map = BlockMap::parse(&text).map_err(|source| SourceError::Map { path, source })?;
    Ok(Some(map))
}

fn agree(path: &Path, found: Digest, wanted: &[(String, Digest)]) -> Result<(), SourceError> {
    match wanted.iter().find(|(_by, wanted)| *wanted != found) {
        None => Ok(()),
        Some((by, wanted)) => {
            Err(SourceError::OtherDigest { path: path.to_owned(), found, wanted: *wanted, by: by.clone() })
        }
    }
}

/// A small text file; none where there is none.
fn beside(path: &Path) -> Result<Option<String>, SourceError> {
    let at = |source| SourceError::Read { path: path.to_owned(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(at(source)),
    };
    let mut text = String::new();
    file.take(MAX_BESIDE + 1).read_to_string(&mut text).map_err(at)?;
    let is_long = u64::try_from(text.len()).is_ok_and(|length| length > MAX_BESIDE);
    if is_long { Err(SourceError::TooLong { path: path.to_owned() }) } else { Ok(Some(text)) }
}

fn digest_of(file: &mut File, progress: &mut dyn FnMut(u64)) -> io::Result<Digest> {
    let (mut hasher, mut done) = (Hasher::default(), 0);
    let mut buffer = vec![0; 1 << 18];
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            return Ok(hasher.finish());
        }
        hasher.update(buffer.get(..count).unwrap_or_default());
        done += u64::try_from(count).unwrap_or(0);
        progress(done);
    }
}

// A map that `beside` reads is one that the parser takes.
const _: () = assert!(MAX_BESIDE <= block_map::MAX_BYTES as u64);

#[cfg(test)]
mod tests;
