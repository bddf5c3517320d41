//! The two files in a folder of storaged's own.

use super::Files;
use super::Part;
use std::fs;
use std::fs::File;
use std::io;
use std::io::Read;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;
use zeroize::Zeroizing;

/// Longest file, in bytes; documents are shorter by their own rule.
const LONGEST: u64 = 64 * 1024;

/// The folder; init makes it, for root alone.
#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// At this place.
    #[must_use]
    pub fn at(path: &Path) -> Self {
        Self(path.to_owned())
    }

    fn path(&self, part: Part) -> PathBuf {
        self.0.join(match part {
            Part::SystemKey => "system.key",
            Part::Document => "system.json",
        })
    }
}

impl Files for Folder {
    fn read(&self, part: Part) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
        let file = match File::open(self.path(part)) {
            Ok(file) => file,
            // A folder that is not there is no empty one: the data partition may not be mounted.
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.0.is_dir() => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut bytes = Zeroizing::new(Vec::new());
        file.take(LONGEST + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > LONGEST {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it is longer than it can be"));
        }
        Ok(Some(bytes))
    }

    fn replace(&mut self, part: Part, bytes: &[u8]) -> io::Result<()> {
        let path = self.path(part);
        let aside = path.with_extension("aside");
        match fs::remove_file(&aside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let mut file = File::options().write(true).create_new(true).mode(0o600).open(&aside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&aside, &path)?;
        File::open(&self.0)?.sync_all()
    }
}
