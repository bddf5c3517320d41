//! What the firmware of a Raspberry Pi said of this boot, and whether that makes it a trial (docs/spec/slots.md).

use std::fs::File;
use std::io::Read;
use std::path::Path;

use slots::Refused;
use slots::Standing;
use slots::pi;
use slots::pi::Autoboot;
use slots::pi::Boot;

/// Longest number of the firmware that is read, in bytes; it has four.
const MAX_NUMBER: usize = 8;

/// Whether the system may stay; nothing where the firmware is another one. The rule is the one that `installer` goes by.
#[must_use]
pub fn standing(device_tree: &Path, boot_partition: &Path) -> Option<Result<Standing, Refused>> {
    let read_number = |name| read(&device_tree.join(name), MAX_NUMBER);
    let partition = read_number("partition")?;
    let boot = Boot::read(&partition, read_number("tryboot").as_deref());
    let autoboot = read(&boot_partition.join(pi::FILE), pi::MAX_AUTOBOOT);
    let autoboot = autoboot.and_then(|file| Autoboot::decode(&file).ok());
    Some(boot.map_err(|_no_slot| Refused::NoSlot).and_then(|boot| pi::standing(autoboot, boot)))
}

/// At most one byte more than `most`, so that what is longer is seen to be.
fn read(path: &Path, most: usize) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let bound = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    File::open(path).ok()?.take(bound).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use slots::pi::Side;

    use super::*;

    #[test]
    fn the_flag_and_the_committed_side_make_a_trial() {
        let folder = tempfile::tempdir().unwrap();
        let (tree, boot) = (folder.path().join("tree"), folder.path().join("boot"));
        fs::create_dir_all(&tree).unwrap();
        fs::create_dir_all(&boot).unwrap();
        let standing = || standing(&tree, &boot);
        assert_eq!(standing(), None);
        let number = |name: &str, number: u32| fs::write(tree.join(name), number.to_be_bytes()).unwrap();
        number("partition", 3);
        assert_eq!(standing(), Some(Err(Refused::NotChosen)), "there is no autoboot.txt");
        let commit = |side| fs::write(boot.join(pi::FILE), Autoboot { committed: side }.to_string()).unwrap();
        commit(Side::A);
        assert_eq!(standing(), Some(Err(Refused::NotChosen)), "without the flag it is no trial");
        number("tryboot", 1);
        assert_eq!(standing(), Some(Ok(Standing::OnTrial)));
        commit(Side::B);
        assert_eq!(standing(), Some(Ok(Standing::Kept)));
        number("partition", 1);
        assert_eq!(standing(), Some(Err(Refused::NoSlot)));
        fs::write(tree.join("partition"), [0; 100]).unwrap();
        assert_eq!(standing(), Some(Err(Refused::NoSlot)));
    }
}
