//! sled's folder as files: put by, removed, and sealed when it is closed in order.
//!
//! The seal is a file beside the folder that names the state in it and the hash of all its files. It is removed
//! before sled is opened and written after sled was closed, so after a power cut there is none and the folder is thrown
//! away unread. sled therefore never sees a byte that it did not write itself: damaged files cannot make it panic
//! in a thread of its own, hang, or ask for memory without end.
//!
//! ```text
//! seal   preamble (40) ‖ generation (8) ‖ digest (32) ‖ SHA-256 of the folder (32) ‖ tag (32)        144 bytes
//! ```

use std::fs;
use std::fs::File;
use std::io;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use rustix::fs::FlockOperation;
use sha2::Digest as _;
use sha2::Sha256;

use crate::layout;
use crate::medium::Medium;
use crate::medium::publish;
use crate::seal::Digest;
use crate::seal::Keys;
use crate::seal::Purpose;
use crate::sled_guard::SledFault;
use crate::wire::Kind;
use crate::wire::Preamble;
use crate::wire::Reader;

/// Length of a seal in bytes.
const SEAL_BYTES: u64 = 144;
/// How long sled's own threads may hold its files after it was closed.
const RELEASE: Duration = Duration::from_secs(10);

/// The state that a folder holds, as sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) generation: u64,
    pub(crate) digest: Digest,
}

/// Seals a folder that was just closed.
pub(crate) fn seal(medium: &dyn Medium, keys: &Keys, folder: &Path, claim: Claim) -> io::Result<()> {
    wait_until_released(folder)?;
    let mut bytes = Vec::new();
    Preamble::of(keys).write(Kind::SledSeal, &mut bytes);
    bytes.extend_from_slice(&claim.generation.to_le_bytes());
    bytes.extend_from_slice(&claim.digest.0);
    bytes.extend_from_slice(&hash_folder(folder, Sync::Yes)?);
    let mut mac = keys.mac(Purpose::SledFolder);
    mac.add(&bytes);
    bytes.extend_from_slice(&mac.finish());
    publish(medium, layout::SLED_SEAL, |write| write(&bytes)).map(drop)
}

/// Reads the seal of a folder and compares the folder with it.
pub(crate) fn check(medium: &dyn Medium, keys: &Keys, folder: &Path) -> Result<Claim, SledFault> {
    let bytes = medium.read(layout::SLED_SEAL, SEAL_BYTES).map_err(|source| SledFault::Folder { source })?;
    let (claim, hash) = parse(keys, &bytes).ok_or(SledFault::Changed)?;
    let found = hash_folder(folder, Sync::No).map_err(|source| SledFault::Folder { source })?;
    if found == hash { Ok(claim) } else { Err(SledFault::Changed) }
}

/// Breaks the seal; from here on the folder may change.
pub(crate) fn unseal(medium: &dyn Medium) -> io::Result<()> {
    medium.remove(layout::SLED_SEAL)?;
    medium.sync_names()
}

/// Puts a damaged folder by under a new name, which is returned, and keeps only a few of those.
pub(crate) fn put_by(folder: &Path) -> io::Result<Option<String>> {
    let Some(parent) = folder.parent() else { return Ok(None) };
    let mut kept = damaged_folders(parent)?;
    let number = kept.last().map_or(1, |(last, _)| last.saturating_add(1));
    let name = format!("{}{number}", layout::SLED_DAMAGED);
    match fs::rename(folder, parent.join(&name)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    }
    kept.push((number, parent.join(&name)));
    for (_, old) in kept.iter().rev().skip(layout::DAMAGED_KEPT) {
        fs::remove_dir_all(old)?;
    }
    Ok(Some(name))
}

/// Removes a folder, if there is one.
pub(crate) fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn parse(keys: &Keys, bytes: &[u8]) -> Option<(Claim, [u8; 32])> {
    let (body, tag) = bytes.split_last_chunk::<32>()?;
    let mut mac = keys.mac(Purpose::SledFolder);
    mac.add(body);
    if !mac.matches(tag) {
        return None;
    }
    let mut reader = Reader::new(body);
    (Preamble::read(Kind::SledSeal, &mut reader)? == Preamble::of(keys)).then_some(())?;
    let claim = Claim { generation: reader.u64()?, digest: Digest(reader.array()?) };
    Some((claim, reader.array()?))
}

fn damaged_folders(parent: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(parent)? {
        let entry = entry?;
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix(layout::SLED_DAMAGED)?.parse().ok());
        found.extend(number.map(|number| (number, entry.path())));
    }
    found.sort_unstable();
    Ok(found)
}

/// Whether files are also brought to the disk while they are read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sync {
    Yes,
    No,
}

/// Hashes names, lengths and contents of all files of a folder.
fn hash_folder(folder: &Path, sync: Sync) -> io::Result<[u8; 32]> {
    let mut files = Vec::new();
    list_files(folder, &mut files)?;
    files.sort_unstable();
    let mut hash = Sha256::new();
    for path in files {
        let name = path.strip_prefix(folder).unwrap_or(&path).as_os_str().as_encoded_bytes();
        let mut file = File::open(&path)?;
        hash.update((name.len() as u64).to_le_bytes());
        hash.update(name);
        hash.update(file.metadata()?.len().to_le_bytes());
        hash_contents(&mut file, &mut hash)?;
        if sync == Sync::Yes {
            file.sync_all()?;
        }
    }
    Ok(hash.finalize().into())
}

fn hash_contents(file: &mut File, hash: &mut Sha256) -> io::Result<()> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(()),
            count => hash.update(&buffer[..count]),
        }
    }
}

fn list_files(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            list_files(&entry.path(), files)?;
        } else {
            files.push(entry.path());
        }
    }
    Ok(())
}

/// Waits until no thread of sled has its file open any more, which shows in sled's own lock on it.
fn wait_until_released(folder: &Path) -> io::Result<()> {
    let file = File::open(folder.join("db"))?;
    let deadline = Instant::now() + RELEASE;
    loop {
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(()),
            Err(rustix::io::Errno::WOULDBLOCK) if Instant::now() < deadline => {
                thread::sleep(Duration::from_millis(2));
            }
            Err(error) => return Err(error.into()),
        }
    }
}
