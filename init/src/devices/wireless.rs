//! Wireless devices: whether there is one, and what it needs beside its driver.

use std::fs;
use std::io;
use std::os::unix::fs::chown;
use std::path::Path;

use model::paths;

use super::WIRELESS;
use super::loader::Loader;
use crate::console;
use crate::console::Level;

/// Where the kernel lists them (Documentation/ABI/testing/sysfs-class-ieee80211).
pub const RADIOS: &str = "/sys/class/ieee80211";
/// Switches of radios; the kernel makes it for root.
const SWITCHES: &str = "/dev/rfkill";

/// Whether there is a wireless device in this folder.
#[must_use]
pub fn is_there(radios: &Path) -> bool {
    fs::read_dir(radios).is_ok_and(|mut entries| entries.next().is_some())
}

/// Gets ready what iwd needs: ciphers in the kernel, and the switches of radios, which nobody else uses.
pub fn prepare(loader: &mut Loader) {
    for (module, _reason) in WIRELESS {
        loader.load(module);
    }
    match chown(SWITCHES, Some(paths::IWD_UID), Some(paths::IWD_UID)) {
        // Not found: a kernel without them.
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            console::note(Level::Warning, &format!("{SWITCHES}: {error}"));
        }
        Ok(()) | Err(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_a_radio_and_an_absent_or_empty_folder_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let radios = folder.path().join("ieee80211");
        assert!(!is_there(&radios));
        fs::create_dir(&radios).unwrap();
        assert!(!is_there(&radios));
        fs::create_dir(radios.join("phy0")).unwrap();
        assert!(is_there(&radios));
    }
}
