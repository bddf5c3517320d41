//! Copies of private files, for a directory under another key. Nobody sees it before it is whole, so nothing is written aside.

use super::FileError;
use super::FileName;
use super::PrivateFile;
use super::failed;
use super::list;
use super::open;
use super::sync_folder;
use std::fs;
use std::fs::File;
use std::io::ErrorKind;
use std::io::Read;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// What is read and written at once, in bytes.
const CHUNK: usize = 1 << 20;
/// ext4 gives room by blocks of so many bytes.
const BLOCK: u64 = 4096;

/// What became of a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copied {
    /// It is there, and on the disk but for its name.
    Whole,
    /// It is not: the copying was to end.
    BrokenOff,
}

/// Lists what there is to copy: all files, or nothing may be copied.
///
/// # Errors
///
/// [`FileError::Foreign`] when something lies there that this box did not write, and what the file system says.
pub fn inventory(folder: &Path) -> Result<Vec<PrivateFile>, FileError> {
    let files = list(folder)?;
    let entries = fs::read_dir(folder).map_err(|source| failed("list the private files", source))?;
    if entries.count() == files.len() { Ok(files) } else { Err(FileError::Foreign) }
}

/// The room that files take, in bytes.
#[must_use]
pub fn room_of(files: &[PrivateFile]) -> u64 {
    let blocks = |file: &PrivateFile| file.bytes.div_ceil(BLOCK).saturating_add(1).saturating_mul(BLOCK);
    files.iter().map(blocks).fold(0, u64::saturating_add)
}

/// Copies a file, with the time when it was written; asked after each piece of so many bytes whether to go on.
///
/// # Errors
///
/// [`FileError::Full`], and what the file system says.
pub fn copy(
    from: &Path,
    to: &Path,
    file: &PrivateFile,
    goes_on: &mut dyn FnMut(u64) -> bool,
) -> Result<Copied, FileError> {
    let failed = |source| failed("copy a private file", source);
    let name = FileName(file.name.clone());
    let (mut source, _length) = open(from, &name)?;
    let times = fs::FileTimes::new();
    let times = times.set_modified(source.metadata().and_then(|facts| facts.modified()).map_err(failed)?);
    let path = to.join(name.as_str());
    let mut target = File::options().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
    let mut chunk = vec![0; CHUNK];
    loop {
        let count = match source.read(&mut chunk) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            read => read.map_err(failed)?,
        };
        if count == 0 {
            break;
        }
        target.write_all(chunk.get(..count).unwrap_or_default()).map_err(failed)?;
        if !goes_on(count as u64) {
            return Ok(Copied::BrokenOff);
        }
    }
    target.set_times(times).and_then(|()| target.sync_all()).map_err(failed)?;
    Ok(Copied::Whole)
}

/// Brings the names of files to the disk.
///
/// # Errors
///
/// What the file system says.
pub fn settle(folder: &Path) -> Result<(), FileError> {
    sync_folder(folder).map_err(|source| failed("copy private files", source))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use std::time::UNIX_EPOCH;

    #[test]
    fn a_copy_has_content_and_time_of_its_original() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let bytes = vec![7; CHUNK + 3];
        fs::write(from.path().join("a"), &bytes).unwrap();
        let long_ago = UNIX_EPOCH + Duration::from_secs(1_000_000);
        File::options().write(true).open(from.path().join("a")).unwrap().set_modified(long_ago).unwrap();
        let files = inventory(from.path()).unwrap();
        let mut pieces = Vec::new();
        let mut count = |bytes| {
            pieces.push(bytes);
            true
        };
        assert_eq!(copy(from.path(), to.path(), &files[0], &mut count).unwrap(), Copied::Whole);
        assert_eq!(pieces, [CHUNK as u64, 3]);
        assert_eq!(inventory(to.path()).unwrap(), files);
        assert_eq!(fs::read(to.path().join("a")).unwrap(), bytes);
        assert_eq!(room_of(&files), (1 << 20) + 2 * 4096);
    }

    #[test]
    fn a_copy_ends_when_it_is_to() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(from.path().join("a"), vec![7; 3 * CHUNK]).unwrap();
        let files = inventory(from.path()).unwrap();
        let mut pieces = 0;
        let mut first = |_bytes| {
            pieces += 1;
            false
        };
        assert_eq!(copy(from.path(), to.path(), &files[0], &mut first).unwrap(), Copied::BrokenOff);
        assert_eq!(pieces, 1);
    }

    #[test]
    fn what_this_box_did_not_write_is_never_left_behind() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("a folder")).unwrap();
        assert!(matches!(inventory(folder.path()), Err(FileError::Foreign)));
    }
}
