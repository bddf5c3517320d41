//! Devices that were there before init listened.
//!
//! `/sys/bus/*/devices/*/modalias` lists every device that asks for a driver, one level deep; a walk of `/sys/devices`
//! would find the same and read some ten times as many folders. Processors are no such devices here: what their features
//! ask for are accelerators of ciphers, and whoever uses a cipher names them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Every modalias of the machine, each once.
#[must_use]
pub fn modaliases(sys: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for bus in entries(&sys.join("bus")) {
        collect(&bus.join("devices"), &mut found);
    }
    found
}

fn collect(devices: &Path, found: &mut BTreeSet<String>) {
    for device in entries(devices) {
        // Some files answer with an error or not in UTF-8; such a device asks for nothing.
        if let Ok(modalias) = fs::read_to_string(device.join("modalias")) {
            let modalias = modalias.trim_end();
            if !modalias.is_empty() {
                found.insert(modalias.to_owned());
            }
        }
    }
}

fn entries(folder: &Path) -> impl Iterator<Item = std::path::PathBuf> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_of_all_buses_are_found_once() {
        let sys = tempfile::tempdir().unwrap();
        for (device, modalias) in [
            ("bus/pci/devices/0000:00:01.0", "pci:v1\n"),
            ("bus/pci/devices/0000:00:02.0", "pci:v1\n"),
            ("bus/virtio/devices/virtio0", "virtio:d2\n"),
            ("bus/platform/devices/empty", "\n"),
        ] {
            let folder = sys.path().join(device);
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("modalias"), modalias).unwrap();
        }
        fs::create_dir_all(sys.path().join("bus/cpu/devices/cpu0")).unwrap();
        let found: Vec<String> = modaliases(sys.path()).into_iter().collect();
        assert_eq!(found, ["pci:v1", "virtio:d2"]);
    }
}
