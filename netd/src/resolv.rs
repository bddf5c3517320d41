//! The file in which the box's own programs find their name server, resolv.conf(5): the box itself. Servers that the home network
//! offers are not asked: they speak plaintext.

use crate::documents;
use crate::documents::Lasting;
use std::io;
use std::path::Path;
use std::path::PathBuf;

/// The file's text.
pub const TEXT: &str =
    "# Written by netd, which resolves names itself.\nnameserver 127.0.0.1\nnameserver ::1\n";

/// Why the file could not be written.
#[derive(Debug, thiserror::Error)]
#[error("write {path}")]
pub struct WriteError {
    path: PathBuf,
    #[source]
    source: io::Error,
}

/// Writes the file.
///
/// # Errors
///
/// What the file system said.
pub fn write(path: &Path) -> Result<(), WriteError> {
    let written = documents::write_whole(path, TEXT.as_bytes(), Lasting::UntilReboot);
    written.map_err(|source| WriteError { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_an_impossible_place_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("resolv.conf");
        std::fs::write(&path, "a longer text of somebody else\n".repeat(9)).unwrap();
        write(&path).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), TEXT);
        let error = write(&folder.path().join("no/resolv.conf")).unwrap_err();
        assert!(error.to_string().contains("no/resolv.conf"), "{error}");
    }
}
