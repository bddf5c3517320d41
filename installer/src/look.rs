//! What is seen on the disk, and what the loader said.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use slots::Notes;
use slots::uefi::Boot;
use slots::uefi::FileName;
use slots::uefi::Seen;
use slots::uefi::variable;

use crate::durable;
use crate::places::Places;

/// How many names of the folder are looked at. Ours are a handful; a folder of FAT has room for 65,536.
const MAX_NAMES: usize = 4096;

/// What was seen, without the notes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Looked {
    /// Slots' files.
    pub names: BTreeSet<FileName>,
    /// What the loader said of this boot.
    pub boot: Boot,
    /// What the loader says of itself.
    pub loader: Option<String>,
}

impl Looked {
    /// With the notes, for a plan.
    #[must_use]
    pub fn seen(self, notes: &Notes) -> Seen {
        Seen { names: self.names, boot: self.boot, notes: notes.clone() }
    }
}

/// Looks. What cannot be read is not there: plans touch nothing then.
#[must_use]
pub fn look(places: &Places) -> Looked {
    let read = |name| read_variable(&places.efivars, name);
    let boot = Boot::read(read(variable::SELECTED).as_deref(), read(variable::COUNTED).as_deref());
    let loader = read(variable::INFO).and_then(|file| variable::decode(&file).ok());
    Looked { names: names(&places.slots()), boot, loader }
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
