//! Factory reset: everything on the data partition is made unreadable for good, and the box is new.
//!
//! ```text
//! asked for: a file on the boot partition (the console has it written on the way down; a person puts it there by hand)
//! next boot: boot partition writable → keys, header and key file destroyed (storaged) → entry named `hearth-new` → file removed
//! ```
//! The file goes last: a cut anywhere begins anew, and what is left of the keys only gets less. Behind it the first boot's way is gone,
//! which survives a cut at every write. While the file is there the partition is never mounted, nor made: whoever set the box up would
//! lose it at the next start.

use std::fs;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::path::PathBuf;

use rustix::mount::MountFlags;

use super::BOOT;
use super::BootDisk;
use super::DataError;
use super::layout;
use super::layout::Content;
use crate::console;
use crate::disk::gpt;
use crate::disk::tools::Tools;
use crate::mounts;

/// Names of the file. Some systems give every new file an ending and do not show it.
const NAMES: [&str; 2] = ["factory-reset", "factory-reset.txt"];

/// The files that ask for a reset; its content means nothing.
fn asked(boot: &Path) -> Vec<PathBuf> {
    NAMES.iter().map(|name| boot.join(name)).filter(|path| path.is_file()).collect()
}

/// Whether a reset can be asked for: a boot partition is mounted.
#[must_use]
pub fn can_be_asked() -> bool {
    let device = |path| fs::metadata(path).map(|facts| facts.dev()).ok();
    device(BOOT) != device("/")
}

/// Asks for a reset at the next boot; the file is on the disk when this returns.
///
/// # Errors
/// When the boot partition is not there or cannot be written.
pub fn ask() -> io::Result<()> {
    writable(true)?;
    put(Path::new(BOOT))
}

fn put(boot: &Path) -> io::Result<()> {
    File::create(boot.join(NAMES[0]))?.sync_all()?;
    sync(boot)
}

fn settle(boot: &Path) -> io::Result<()> {
    asked(boot).iter().try_for_each(fs::remove_file)?;
    sync(boot)
}

/// FAT has no journal: the folder's entries are where they belong when everything is.
pub(crate) fn sync(boot: &Path) -> io::Result<()> {
    File::open(boot).and_then(|folder| Ok(rustix::fs::syncfs(folder)?))
}

/// Makes the boot partition writable, or read-only again.
///
/// # Errors
/// When the kernel refuses.
pub(crate) fn writable(is_writable: bool) -> io::Result<()> {
    let read_only = if is_writable { MountFlags::empty() } else { MountFlags::RDONLY };
    Ok(rustix::mount::mount_remount(BOOT, mounts::STRICT | read_only, "")?)
}

impl BootDisk {
    /// Carries a reset out that was asked for.
    ///
    /// # Errors
    /// When it is not finished: the next boot begins it anew, and until then there is no data partition.
    pub fn reset_if_asked(&mut self, tools: &mut Tools<'_>) -> Result<(), DataError> {
        if asked(Path::new(BOOT)).is_empty() {
            return Ok(());
        }
        console::proclaim("hearth: factory reset: everything on the data partition is being erased");
        let failed = |doing| move |source| DataError::Reset { doing, source };
        // Before anything is lost: a file that cannot be removed would erase the next owner's data too.
        writable(true).map_err(failed("making the boot partition writable"))?;
        self.erase(tools)?;
        settle(Path::new(BOOT)).map_err(failed("removing the file factory-reset from the boot partition"))?;
        if let Err(error) = writable(false) {
            console::note(console::Level::Warning, &format!("the boot partition stays writable: {error}"));
        }
        console::proclaim("hearth: factory reset: done, the box is new");
        Ok(())
    }

    fn erase(&mut self, tools: &mut Tools<'_>) -> Result<(), DataError> {
        let (disk, partition, plan) = self.open_partition()?;
        if plan.content == Content::Nothing {
            return Ok(());
        }
        tools.erase(&partition).map_err(|source| DataError::Tool { device: partition, source })?;
        self.seen = layout::look(&disk, self.seen.geometry);
        self.write(&disk, &layout::plan_rename(&self.seen, &plan, gpt::NAME_NEW))?;
        self.seen = layout::look(&disk, self.seen.geometry);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_asks_until_it_is_removed_whatever_ending_it_was_given() {
        let boot = tempfile::tempdir().unwrap();
        assert_eq!(asked(boot.path()), Vec::<PathBuf>::new());
        for name in NAMES {
            fs::write(boot.path().join(name), "please").unwrap();
        }
        fs::write(boot.path().join("factory-reset.old"), "").unwrap();
        assert_eq!(asked(boot.path()).len(), 2);
        settle(boot.path()).unwrap();
        assert!(asked(boot.path()).is_empty() && boot.path().join("factory-reset.old").exists());
        put(boot.path()).unwrap();
        assert_eq!(asked(boot.path()).len(), 1);
        settle(boot.path()).unwrap();
        settle(boot.path()).unwrap();
    }

    #[test]
    fn a_folder_of_that_name_asks_for_nothing() {
        let boot = tempfile::tempdir().unwrap();
        fs::create_dir(boot.path().join(NAMES[0])).unwrap();
        assert!(asked(boot.path()).is_empty());
    }
}
