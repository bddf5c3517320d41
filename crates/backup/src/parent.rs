//! The snapshot a backup builds on, with its manifest at hand.

use crate::archive::Known;
use crate::manifest;
use crate::repository::Indexed;
use crate::repository::Owner;
use crate::repository::Site;
use crate::scratch::Scratch;
use crate::tree::Blobs;
use rustic_core::repofile::SnapshotFile;
use std::error::Error;
use std::fs::File;
use std::io;
use std::io::BufReader;
use std::io::Seek;

/// Copies the manifest of a snapshot into the scratch folder. Without it every file is read, which is slow but right.
pub(crate) fn known(
    site: &Site,
    repository: &Indexed,
    snapshot: &SnapshotFile,
    owner: &Owner,
    scratch: &Scratch,
) -> Option<Known> {
    let copy = || -> Result<Known, Box<dyn Error>> {
        let mut stream = Blobs { site, repository }.manifest(snapshot.tree)?;
        let mut file =
            File::options().read(true).write(true).create(true).truncate(true).open(scratch.at("parent"))?;
        io::copy(&mut stream, &mut file)?;
        file.rewind()?;
        let (reader, household) = manifest::Reader::new(BufReader::new(file))?;
        if household == owner.household { Ok(reader) } else { Err("it is of another household".into()) }
    };
    copy()
        .inspect_err(|error| {
            tracing::warn!(error = &**error, "the last manifest cannot be used; all files are read");
        })
        .ok()
}
