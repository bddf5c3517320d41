//! Small files: read with a bound, written aside and renamed.

use std::fs;
use std::fs::File;
use std::io;
use std::io::Read as _;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::Mode;
use rustix::fs::OFlags;

/// Whether a file must survive a cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lasting {
    /// It and its name are on the disk when the call returns.
    Yes,
    /// It lies in memory anyway.
    No,
}

/// Reads a plain file of at most `most` bytes. Nothing is followed and nothing waited for: a link, a pipe or a device is refused.
///
/// # Errors
/// When it is not there, something else than a file, or longer.
pub fn read(path: &Path, most: usize) -> io::Result<Vec<u8>> {
    let file = open(path)?;
    let mut bytes = Vec::new();
    let bound = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    file.take(bound).read_to_end(&mut bytes)?;
    if bytes.len() > most {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("more than {most} bytes")));
    }
    Ok(bytes)
}

/// Opens a plain file for reading, likewise.
///
/// # Errors
/// When it is not there or something else than a file.
pub fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("it is no plain file")) }
}

/// Replaces a file: whoever reads sees the one before or this one.
///
/// # Errors
/// When the folder does not take it.
pub fn replace(path: &Path, bytes: &[u8], mode: u32, lasting: Lasting) -> io::Result<()> {
    let aside = path.with_extension("aside");
    match fs::remove_file(&aside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = File::options().write(true).create_new(true).mode(mode).open(&aside)?;
    file.write_all(bytes)?;
    if lasting == Lasting::Yes {
        file.sync_all()?;
    }
    fs::rename(&aside, path)?;
    match (lasting, path.parent()) {
        (Lasting::Yes, Some(folder)) => File::open(folder)?.sync_all(),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn files_are_replaced_whole_and_read_with_a_bound() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes.json");
        fs::write(folder.path().join("notes.aside"), "left by a cut").unwrap();
        for (text, lasting) in [("one", Lasting::Yes), ("three", Lasting::No)] {
            replace(&path, text.as_bytes(), 0o600, lasting).unwrap();
            assert_eq!(read(&path, 5).unwrap(), text.as_bytes());
        }
        assert_eq!(read(&path, 4).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_no_plain_file_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let (link, pipe) = (folder.path().join("link"), folder.path().join("pipe"));
        std::os::unix::fs::symlink("/etc/passwd", &link).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, Mode::RUSR, 0).unwrap();
        for path in [&link, &pipe, &folder.path().to_owned()] {
            read(path, 100).unwrap_err();
        }
    }
}
