//! A folder of sealed files that was restored: opened file by file, emptied as they are taken out.

use super::key::ArchiveKey;
use super::list;
use super::list::SealedFile;
use super::scan::LIST;
use super::scan::file_name;
use super::scan::list_name;
use super::stream;
use super::stream::Identity;
use super::stream::Sealing;
use sha2::Digest;
use sha2::Sha256;
use std::fs;
use std::fs::File;
use std::io;
use std::io::BufReader;
use std::io::Cursor;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

/// Longest list: some 200 000 files.
const MAX_LIST: u64 = 64 << 20;

/// A folder as it is in a snapshot, with its list read.
#[derive(Debug)]
pub struct SealedFolder {
    path: PathBuf,
    key: ArchiveKey,
    list: PathBuf,
    files: Vec<SealedFile>,
}

/// Why a folder of sealed files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SealedFolderError {
    /// It cannot be read or changed.
    #[error("{doing} the folder of sealed files")]
    Folder {
        /// What was being done.
        doing: &'static str,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Without it nobody knows what there was.
    #[error("the list of sealed files is missing")]
    NoList,
    /// It is damaged, or of another key.
    #[error("the list of sealed files cannot be opened")]
    List(#[source] UnsealError),
}

/// Why a sealed file was not opened.
#[derive(Debug, thiserror::Error)]
pub enum UnsealError {
    /// It is on the list and not in the folder.
    #[error("it is missing")]
    Missing,
    /// It is not what was sealed, or of another key.
    #[error("it is damaged, cut short, or not what was saved")]
    Damaged,
    /// It cannot be read.
    #[error("it cannot be read")]
    Read(#[source] io::Error),
    /// Its content cannot be written.
    #[error("it cannot be written")]
    Write(#[source] io::Error),
}

impl SealedFolder {
    /// Reads the list of a folder.
    ///
    /// # Errors
    /// When there is none, or it does not open with this key.
    pub fn open(path: &Path, key: &ArchiveKey) -> Result<Self, SealedFolderError> {
        let failed = |source| SealedFolderError::Folder { doing: "read", source };
        let mut lists = Vec::new();
        for entry in fs::read_dir(path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if entry.file_name().to_str().is_some_and(|name| name.starts_with(LIST)) {
                let files = read_list(&entry.path(), key).map_err(SealedFolderError::List)?;
                lists.push((files.len(), entry.path(), files));
            }
        }
        // Two when the power went in `keep_only`: the shorter one is the later.
        let (_, list, files) =
            lists.into_iter().min_by_key(|(length, ..)| *length).ok_or(SealedFolderError::NoList)?;
        Ok(Self { path: path.to_owned(), key: key.clone(), list, files })
    }

    /// What should be in it.
    #[must_use]
    pub fn files(&self) -> &[SealedFile] {
        &self.files
    }

    /// Opens one of its files into `out`. What was written there counts only when this succeeds.
    ///
    /// # Errors
    /// When it is missing, or anything of it is not as it was sealed.
    pub fn unseal(&self, file: &SealedFile, out: &mut dyn Write) -> Result<(), UnsealError> {
        let input = open_file(&self.place(file))?;
        stream::open(&self.key, &Identity::of(file), file.bytes, BufReader::new(input), out)
    }

    /// Removes one of its files, which stays on the list; none is removed already.
    ///
    /// # Errors
    /// When the folder refuses.
    pub fn remove(&self, file: &SealedFile) -> Result<(), SealedFolderError> {
        match fs::remove_file(self.place(file)) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(SealedFolderError::Folder { doing: "empty", source })
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Makes the list one of these files alone; on the disk when this returns.
    ///
    /// # Errors
    /// When it cannot be written; then it is as it was.
    pub fn keep_only(&mut self, files: Vec<SealedFile>) -> Result<(), SealedFolderError> {
        let failed = |source| SealedFolderError::Folder { doing: "change the list of", source };
        let text = list::encode(&files);
        let place = self.path.join(list_name(&self.key, &text));
        if place == self.list {
            return Ok(());
        }
        let content = Sha256::digest(&text).into();
        let length = text.len() as u64;
        let mut sealing = Sealing::new(&self.key, &Identity::list(), content, length, Cursor::new(text));
        let aside = self.path.join("aside");
        let written = File::create(&aside).and_then(|mut file| {
            io::copy(&mut sealing, &mut file)?;
            file.sync_all()?;
            fs::rename(&aside, &place)?;
            File::open(&self.path)?.sync_all()?;
            fs::remove_file(&self.list)
        });
        written.map_err(failed)?;
        (self.list, self.files) = (place, files);
        Ok(())
    }

    fn place(&self, file: &SealedFile) -> PathBuf {
        self.path.join(file_name(&self.key, file))
    }
}

fn open_file(path: &Path) -> Result<File, UnsealError> {
    File::open(path).map_err(|error| {
        if error.kind() == io::ErrorKind::NotFound { UnsealError::Missing } else { UnsealError::Read(error) }
    })
}

fn read_list(path: &Path, key: &ArchiveKey) -> Result<Vec<SealedFile>, UnsealError> {
    let file = open_file(path)?;
    let sealed = file.metadata().map_err(UnsealError::Read)?.len();
    let length =
        stream::plain_length(sealed).filter(|length| *length <= MAX_LIST).ok_or(UnsealError::Damaged)?;
    let mut text = Vec::new();
    stream::open(key, &Identity::list(), length, BufReader::new(file), &mut text)?;
    list::decode(&text).ok_or(UnsealError::Damaged)
}
