//! What is seen on the disk, and what the loader said.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use slots::Notes;
use slots::pi;
use slots::pi::Autoboot;
use slots::pi::Side;
use slots::uefi;
use slots::uefi::Boot;
use slots::uefi::FileName;
use slots::uefi::variable;

use crate::durable;
use crate::places::Places;
use crate::seen::Seen;

/// How many names of the folder are looked at. Ours are a handful; a folder of FAT has room for 65,536.
const MAX_NAMES: usize = 4096;
/// Longest label that is read, in bytes.
const MAX_LABEL: usize = 64;
/// Longest number of the firmware that is read, in bytes; it has four.
const MAX_NUMBER: usize = 8;

/// What was seen, without the notes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Looked {
    /// Slots' files.
    pub names: BTreeSet<FileName>,
    /// What the loader said of this boot.
    pub boot: Boot,
    /// What the loader says of itself.
    pub loader: Option<String>,
    /// On a Raspberry Pi, what its firmware said and its partitions hold, instead of all the others.
    pub pi: Option<pi::Seen>,
}

impl Looked {
    /// With the notes, for a plan.
    #[must_use]
    pub fn seen(self, notes: &Notes) -> Seen {
        let notes = notes.clone();
        match self.pi {
            Some(seen) => Seen::Pi(pi::Seen { notes, ..seen }),
            None => Seen::Uefi(uefi::Seen { names: self.names, boot: self.boot, notes }),
        }
    }
}

/// Looks. What cannot be read is not there: plans touch nothing then.
#[must_use]
pub fn look(places: &Places) -> Looked {
    if places.is_pi() {
        return Looked { pi: Some(look_at_pi(places)), ..Looked::default() };
    }
    let read = |name| read_variable(&places.efivars, name);
    let boot = Boot::read(read(variable::SELECTED).as_deref(), read(variable::COUNTED).as_deref());
    let loader = read(variable::INFO).and_then(|file| variable::decode(&file).ok());
    Looked { names: names(&places.slots()), boot, loader, pi: None }
}

fn look_at_pi(places: &Places) -> pi::Seen {
    let autoboot = durable::read(&places.esp.join(pi::FILE), pi::MAX_AUTOBOOT).ok();
    let label = |side| pi::read_label(&durable::read(&places.side(side).join(pi::LABEL), MAX_LABEL).ok()?);
    let entries = fs::read_dir(&places.esp).into_iter().flatten().take(MAX_NAMES).flatten();
    pi::Seen {
        autoboot: autoboot.and_then(|file| Autoboot::decode(&file).ok()),
        numbers: entries.filter_map(|entry| pi::number_of(entry.file_name().to_str()?)).collect(),
        label_a: label(Side::A),
        label_b: label(Side::B),
        boot: boot_of_pi(places),
        notes: Notes::default(),
    }
}

/// What the firmware of a Raspberry Pi says of this boot, if that is of ours.
#[must_use]
pub fn boot_of_pi(places: &Places) -> Option<pi::Boot> {
    let read = |name| durable::read(&places.device_tree.join(name), MAX_NUMBER).ok();
    pi::Boot::read(&read("partition")?, read("tryboot").as_deref()).ok()
}

/// The plain files in the folder that are slots by their names.
fn names(folder: &Path) -> BTreeSet<FileName> {
    let entries = fs::read_dir(folder).into_iter().flatten().take(MAX_NAMES).flatten();
    let files = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()));
    files.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

fn read_variable(folder: &Path, name: &str) -> Option<Vec<u8>> {
    durable::read(&folder.join(format!("{name}-{}", variable::VENDOR)), variable::MAX_FILE).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_and_variables_are_found_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let places =
            Places { esp: folder.path().join("esp"), efivars: folder.path().into(), ..Places::default() };
        assert_eq!(look(&places), Looked::default());
        fs::create_dir_all(places.slots().join("hearth_9.efi")).unwrap();
        for name in ["hearth_1.efi", "hearth_2+0-1.efi", "linux.efi", "hearth_3.efi.bak"] {
            fs::write(places.slots().join(name), "").unwrap();
        }
        std::os::unix::fs::symlink("hearth_1.efi", places.slots().join("hearth_4.efi")).unwrap();
        let file = |name| folder.path().join(format!("{name}-{}", variable::VENDOR));
        fs::write(file(variable::SELECTED), variable::encode("hearth_1.efi").unwrap()).unwrap();
        fs::write(file(variable::INFO), [0; variable::MAX_FILE + 1]).unwrap();
        let looked = look(&places);
        let names: Vec<String> = looked.names.iter().map(ToString::to_string).collect();
        assert_eq!(names, ["hearth_1.efi", "hearth_2+0-1.efi"]);
        assert_eq!(
            (looked.boot.selected.unwrap().to_string().as_str(), looked.loader),
            ("hearth_1.efi", None)
        );
    }
}
