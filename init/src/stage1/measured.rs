//! What the boot stub says about this slot's measurements: which key approves them, and its signatures.
//!
//! The stub puts the sections `.pcrpkey` and `.pcrsig` of the slot file into the initramfs (systemd-stub(7), "Initrd
//! resources"). Both are public, and nothing is believed because it lies here: the TPM checks the signatures. A boot
//! without stub has neither file, and goes on; what is sealed then stays closed, and says why.

use std::fs;
use std::fs::File;
use std::fs::Permissions;
use std::io;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;

/// Where the stub puts its files.
pub const EXTRA: &str = "/.extra";

/// The files, which keep their names, and the bytes that each may have: many times what it has.
const FILES: [(&str, u64); 2] =
    [("tpm2-pcr-public-key.pem", 4 * 1024), ("tpm2-pcr-signature.json", 64 * 1024)];

/// Why a file is not carried over.
#[derive(Debug, thiserror::Error)]
pub enum CarryError {
    /// It is there and cannot be read.
    #[error("reading {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the kernel says.
        source: io::Error,
    },
    /// It is larger than it can be.
    #[error("{path} has more than {most} bytes")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// What it may have.
        most: u64,
    },
    /// Its new place cannot be written.
    #[error("writing {path}")]
    Write {
        /// The new place.
        path: PathBuf,
        /// What the kernel says.
        source: io::Error,
    },
}

/// Copies the stub's files from `extra` to the folder `to`, which is made when there are any.
#[must_use]
pub fn carry(extra: &Path, to: &Path) -> Vec<CarryError> {
    FILES
        .iter()
        .filter_map(|(name, most)| carry_one(&extra.join(name), &to.join(name), *most).err())
        .collect()
}

fn carry_one(from: &Path, to: &Path, most: u64) -> Result<(), CarryError> {
    let Some(content) = read(from, most)? else { return Ok(()) };
    write(to, &content).map_err(|source| CarryError::Write { path: to.to_owned(), source })
}

fn read(path: &Path, most: u64) -> Result<Option<Vec<u8>>, CarryError> {
    let unreadable = |source| CarryError::Read { path: path.to_owned(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    let mut content = Vec::new();
    let length = file.take(most + 1).read_to_end(&mut content).map_err(unreadable)?;
    if u64::try_from(length).is_ok_and(|length| length <= most) {
        Ok(Some(content))
    } else {
        Err(CarryError::TooLarge { path: path.to_owned(), most })
    }
}

fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, content)?;
    fs::set_permissions(path, Permissions::from_mode(0o444))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Boot {
        folder: tempfile::TempDir,
    }

    impl Boot {
        fn new(files: &[(&str, &[u8])]) -> Self {
            let boot = Self { folder: tempfile::tempdir().unwrap() };
            fs::create_dir(boot.extra()).unwrap();
            for (name, content) in files {
                fs::write(boot.extra().join(name), content).unwrap();
            }
            boot
        }

        fn extra(&self) -> PathBuf {
            self.folder.path().join(".extra")
        }

        fn to(&self) -> PathBuf {
            self.folder.path().join("measured")
        }

        fn carry(&self) -> Vec<CarryError> {
            carry(&self.extra(), &self.to())
        }
    }

    #[test]
    fn both_files_are_carried_and_nobody_may_write_them() {
        let files: [(&str, &[u8]); 2] =
            [("tpm2-pcr-public-key.pem", b"key"), ("tpm2-pcr-signature.json", b"{}\0")];
        let boot = Boot::new(&files);
        assert!(boot.carry().is_empty());
        for (name, content) in files {
            let place = boot.to().join(name);
            assert_eq!(fs::read(&place).unwrap(), content);
            assert_eq!(fs::metadata(&place).unwrap().permissions().mode() & 0o7777, 0o444);
        }
    }

    #[test]
    fn a_boot_without_a_stub_goes_on_without() {
        let boot = Boot::new(&[]);
        fs::remove_dir(boot.extra()).unwrap();
        assert!(boot.carry().is_empty());
        assert!(!boot.to().exists());
    }

    #[test]
    fn one_file_does_not_hold_up_the_other() {
        let long = vec![b'x'; 64 * 1024 + 1];
        let boot = Boot::new(&[("tpm2-pcr-signature.json", &long)]);
        fs::create_dir(boot.extra().join("tpm2-pcr-public-key.pem")).unwrap();
        let errors = boot.carry();
        assert!(
            matches!(errors.as_slice(), [CarryError::Read { .. }, CarryError::TooLarge { most: 65536, .. }]),
            "{errors:?}"
        );

        let boot = Boot::new(&[("tpm2-pcr-signature.json", &long[1..]), ("tpm2-pcr-public-key.pem", b"key")]);
        fs::write(boot.to(), "in the way").unwrap();
        assert!(matches!(boot.carry().as_slice(), [CarryError::Write { .. }, CarryError::Write { .. }]));
        fs::remove_file(boot.to()).unwrap();
        assert!(boot.carry().is_empty());
        assert_eq!(fs::metadata(boot.to().join("tpm2-pcr-signature.json")).unwrap().len(), 65536);
    }
}
