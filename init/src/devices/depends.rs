//! `modules.dep` and `modules.softdep`: what must be loaded before and after a module, and from which file.

use std::collections::HashMap;
use std::collections::HashSet;

use super::alias;

/// The dependencies between modules of one kernel.
#[derive(Debug, Default)]
pub struct Dependencies {
    modules: HashMap<String, Module>,
    soft: HashMap<String, Soft>,
}

#[derive(Debug)]
struct Module {
    file: String,
    needs: Vec<String>,
}

#[derive(Debug, Default)]
struct Soft {
    before: Vec<String>,
    after: Vec<String>,
}

impl Dependencies {
    /// Reads depmod's text formats: `a.ko: b.ko c.ko` and `softdep a pre: b post: c`.
    #[must_use]
    pub fn parse(dep: &str, softdep: &str) -> Self {
        let mut all = Self::default();
        for line in dep.lines() {
            let Some((file, needs)) = line.split_once(':') else { continue };
            let needs = needs.split_ascii_whitespace().map(module_name).collect();
            all.modules.insert(module_name(file), Module { file: file.trim().to_owned(), needs });
        }
        for line in softdep.lines() {
            let mut words = line.split_ascii_whitespace();
            let (Some("softdep"), Some(name)) = (words.next(), words.next()) else { continue };
            let soft = all.soft.entry(module_name(name)).or_default();
            let mut before = true;
            for word in words {
                match word {
                    "pre:" => before = true,
                    "post:" => before = false,
                    other if before => soft.before.push(other.to_owned()),
                    other => soft.after.push(other.to_owned()),
                }
            }
        }
        all
    }

    /// File names to load, in order, so that `name` works; empty when it is built in or not in the image.
    ///
    /// `name` may be an alias ("crc32c"), as soft dependencies often are. `loaded` are names that need no more thought;
    /// what this call returns is added to it.
    pub fn files(&self, name: &str, aliases: &alias::Index, loaded: &mut HashSet<String>) -> Vec<String> {
        let mut files = Vec::new();
        self.collect(name, aliases, loaded, &mut files);
        files
    }

    fn collect(
        &self,
        name: &str,
        aliases: &alias::Index,
        loaded: &mut HashSet<String>,
        files: &mut Vec<String>,
    ) {
        let key = module_name(name);
        let Some(module) = self.modules.get(&key) else {
            for real in aliases.modules(name) {
                if self.modules.contains_key(&module_name(real)) {
                    self.collect(real, aliases, loaded, files);
                }
            }
            return;
        };
        // Marked before its dependencies are visited: a circle ends here.
        if !loaded.insert(key.clone()) {
            return;
        }
        let soft = self.soft.get(&key);
        for before in soft.map(|soft| soft.before.as_slice()).unwrap_or_default() {
            self.collect(before, aliases, loaded, files);
        }
        // depmod lists the nearest dependency first.
        for needed in module.needs.iter().rev() {
            self.collect(needed, aliases, loaded, files);
        }
        files.push(module.file.clone());
        for after in soft.map(|soft| soft.after.as_slice()).unwrap_or_default() {
            self.collect(after, aliases, loaded, files);
        }
    }
}

/// A module's name in the kernel's spelling: no folder, no suffix, `_` for `-`.
#[must_use]
pub fn module_name(file: &str) -> String {
    let base = file.trim().rsplit('/').next().unwrap_or_default();
    base.strip_suffix(".ko").unwrap_or(base).replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEP: &str = "ext4.ko: jbd2.ko mbcache.ko crc16.ko\njbd2.ko:\nmbcache.ko:\ncrc16.ko:\n\
        crc32c-generic.ko:\nusb-storage.ko: scsi_mod.ko usbcore.ko scsi_common.ko usb-common.ko\n\
        scsi_mod.ko: scsi_common.ko\nscsi_common.ko:\nusbcore.ko: usb-common.ko\nusb-common.ko:\nuas.ko:\n\
        one.ko: two.ko\ntwo.ko: one.ko\n";
    const SOFT: &str = "# comment\nsoftdep ext4 pre: crc32c\nsoftdep usb_storage post: uas\n";

    fn files(names: &[&str]) -> Vec<String> {
        let dependencies = Dependencies::parse(DEP, SOFT);
        let aliases = alias::Index::parse("alias crc32c crc32c_generic\nalias crc32c not_in_the_image\n");
        let mut loaded = HashSet::new();
        names.iter().flat_map(|name| dependencies.files(name, &aliases, &mut loaded)).collect()
    }

    #[test]
    fn dependencies_come_first_and_soft_ones_by_alias() {
        assert_eq!(files(&["ext4"]), ["crc32c-generic.ko", "crc16.ko", "mbcache.ko", "jbd2.ko", "ext4.ko"]);
    }

    #[test]
    fn spelling_with_dash_or_underscore_is_the_same_module() {
        let expected =
            ["usb-common.ko", "scsi_common.ko", "usbcore.ko", "scsi_mod.ko", "usb-storage.ko", "uas.ko"];
        assert_eq!(files(&["usb_storage"]), expected);
        assert_eq!(files(&["usb-storage", "usb_storage", "uas"]), expected);
    }

    #[test]
    fn what_is_built_in_needs_no_file() {
        assert!(files(&["loop", "virtio_pci"]).is_empty());
    }

    #[test]
    fn a_circle_ends() {
        assert_eq!(files(&["one"]), ["two.ko", "one.ko"]);
    }
}
