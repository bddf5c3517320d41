//! Disks of machines: sparse copies of the image, grown as a flashed disk is larger than the image.
//!
//! They are raw, not overlays in a container format: a copy holds only what the image holds, and after a power cut the
//! host's own tools can judge a partition in place.

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use gpt::GptConfig;
use rustix::fs::SeekFrom;
use std::fs::File;
use std::io;
use std::io::Read;
use std::io::Seek;
use std::io::SeekFrom as Position;
use std::io::Write;
use std::ops::Range;
use std::path::Path;
use std::process::Command;

/// Bytes copied at a time.
const CHUNK: usize = 1024 * 1024;

/// A partition of a disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Its name in the partition table.
    pub name: String,
    /// Where it lies, in bytes.
    pub bytes: Range<u64>,
    /// Whether it is an EFI system partition.
    pub is_esp: bool,
}

/// Copies a disk without its holes and makes the copy `size` bytes long, if that is longer.
///
/// # Errors
/// When a file cannot be read or written.
pub fn copy_sparse(from: &Path, to: &Path, size: u64) -> Result<()> {
    let source = File::open(from).with_context(|| format!("cannot open {}", from.display()))?;
    let copy = File::create(to).with_context(|| format!("cannot make {}", to.display()))?;
    let length = source.metadata().with_context(|| format!("cannot look at {}", from.display()))?.len();
    let copied = copy_data(&source, &copy).with_context(|| format!("cannot copy {}", from.display()));
    copied?;
    copy.set_len(length.max(size)).with_context(|| format!("cannot grow {}", to.display()))
}

/// Makes a disk longer.
///
/// # Errors
/// When the file cannot be opened or grown.
pub fn grow(disk: &Path, size: u64) -> Result<()> {
    let file =
        File::options().write(true).open(disk).with_context(|| format!("cannot open {}", disk.display()))?;
    if file.metadata().context("cannot look at a disk")?.len() > size {
        bail!("{} is longer than {size} bytes", disk.display());
    }
    file.set_len(size).with_context(|| format!("cannot grow {}", disk.display()))
}

/// The partitions of a disk, in the order of the table.
///
/// # Errors
/// When there is no valid partition table.
pub fn partitions(disk: &Path) -> Result<Vec<Partition>> {
    let table =
        GptConfig::new().open(disk).with_context(|| format!("no partition table on {}", disk.display()))?;
    let sector = table.logical_block_size().as_u64();
    let used = table.partitions().values().filter(|entry| entry.is_used());
    Ok(used
        .map(|entry| Partition {
            name: entry.name.trim_end_matches('\0').to_owned(),
            bytes: entry.first_lba.saturating_mul(sector)
                ..entry.last_lba.saturating_add(1).saturating_mul(sector),
            is_esp: entry.part_type_guid == gpt::partition_types::EFI,
        })
        .collect())
}

/// The data partition, ready or not yet.
///
/// # Errors
/// When there is none, or more than one.
pub fn data_partition(disk: &Path) -> Result<Partition> {
    let mut found = partitions(disk)?;
    found.retain(|partition| partition.name == "hearth-data" || partition.name == "hearth-new");
    match <[Partition; 1]>::try_from(found) {
        Ok([partition]) => Ok(partition),
        Err(found) => bail!("{} has {} data partitions: {found:?}", disk.display(), found.len()),
    }
}

/// What a program of e2fsprogs says about a file system.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// Its exit status; 0 is clean (e2fsck(8)).
    pub status: Option<i32>,
    /// Its words.
    pub text: String,
}

/// Lets e2fsprogs judge a file system in a file: the program, its arguments, then the file.
///
/// # Errors
/// When the program cannot be started.
pub fn e2fsprogs(file: &Path, program: &str, arguments: &[&str]) -> Result<Verdict> {
    let output = Command::new(program)
        .env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin")
        .args(arguments)
        .arg(file)
        .output()
        .with_context(|| format!("cannot start {program}; `cargo xtask test` installs e2fsprogs"))?;
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    Ok(Verdict { status: output.status.code(), text })
}

fn copy_data(source: &File, copy: &File) -> io::Result<()> {
    let mut position = 0;
    loop {
        let start = match rustix::fs::seek(source, SeekFrom::Data(position)) {
            Ok(start) => start,
            // No data behind this place (lseek(2)).
            Err(rustix::io::Errno::NXIO) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let end = rustix::fs::seek(source, SeekFrom::Hole(start))?;
        copy_range(source, copy, start..end)?;
        position = end;
    }
}

fn copy_range(mut source: &File, mut copy: &File, range: Range<u64>) -> io::Result<()> {
    source.seek(Position::Start(range.start))?;
    copy.seek(Position::Start(range.start))?;
    let mut input = source.take(range.end.saturating_sub(range.start));
    let mut buffer = vec![0; CHUNK];
    loop {
        let count = input.read(&mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        copy.write_all(buffer.get(..count).unwrap_or_default())?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::FileExt;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn a_copy_keeps_the_bytes_and_the_holes() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        let file = File::create(&from).unwrap();
        file.write_all_at(b"start", 0).unwrap();
        file.write_all_at(b"middle", 40 << 20).unwrap();
        file.set_len(50 << 20).unwrap();

        copy_sparse(&from, &to, 200 << 20).unwrap();

        let copy = File::open(&to).unwrap();
        let mut bytes = [0; 6];
        copy.read_exact_at(&mut bytes, 40 << 20).unwrap();
        assert_eq!(&bytes, b"middle");
        let facts = copy.metadata().unwrap();
        assert_eq!(facts.len(), 200 << 20);
        assert!(facts.blocks() * 512 < 8 << 20, "{} blocks", facts.blocks());
    }

    #[test]
    fn a_disk_never_shrinks() {
        let folder = tempfile::tempdir().unwrap();
        let disk = folder.path().join("disk");
        File::create(&disk).unwrap().set_len(4096).unwrap();
        grow(&disk, 100).unwrap_err();
        grow(&disk, 8192).unwrap();
        assert_eq!(disk.metadata().unwrap().len(), 8192);
    }
}
