//! What a kernel module says about itself: the `.modinfo` section, `key=value` strings ended by zero bytes.
//!
//! Source of the keys: `include/linux/module.h` and `scripts/mod/modpost.c` of the kernel.

use object::Object;
use object::ObjectSection;
use serde::Deserialize;
use serde::Serialize;

/// What a module says about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModInfo {
    /// Its name, with `_` for `-`.
    pub name: String,
    /// Modules it cannot be loaded without.
    pub depends: Vec<String>,
    /// Modules to load before it, by name or alias, where they exist.
    pub before: Vec<String>,
    /// Modules to load after it, by name or alias, where they exist.
    pub after: Vec<String>,
    /// Patterns of devices and names it serves.
    pub aliases: Vec<String>,
    /// Firmware files it may ask for.
    pub firmware: Vec<String>,
}

/// A module cannot be understood.
#[derive(Debug, thiserror::Error)]
pub enum ModInfoError {
    /// The file is no ELF object.
    #[error("not an ELF object")]
    Elf(#[source] object::Error),
    /// It says nothing about itself.
    #[error("no .modinfo section")]
    NoSection,
    /// Its name is missing.
    #[error("no name in .modinfo")]
    NoName,
}

impl ModInfo {
    /// Reads the section out of an uncompressed module.
    ///
    /// # Errors
    /// When the bytes are no module.
    pub fn of_module(elf: &[u8]) -> Result<Self, ModInfoError> {
        let file = object::File::parse(elf).map_err(ModInfoError::Elf)?;
        let section = file.section_by_name(".modinfo").ok_or(ModInfoError::NoSection)?;
        let info = Self::parse(section.data().map_err(ModInfoError::Elf)?);
        if info.name.is_empty() { Err(ModInfoError::NoName) } else { Ok(info) }
    }

    /// Reads the strings of the section. Whatever is no `key=value` of a known key is passed over: new keys appear with kernels.
    #[must_use]
    pub fn parse(section: &[u8]) -> Self {
        let mut info = Self::default();
        for string in section.split(|byte| *byte == 0) {
            let Ok(string) = std::str::from_utf8(string) else {
                continue;
            };
            match string.split_once('=') {
                Some(("name", value)) => info.name = unify(value),
                Some(("depends", value)) => {
                    info.depends.extend(value.split(',').filter(|name| !name.is_empty()).map(unify));
                }
                Some(("softdep", value)) => info.soft(value),
                Some(("alias", value)) => info.aliases.push(value.to_owned()),
                Some(("firmware", value)) => info.firmware.push(value.to_owned()),
                _ => {}
            }
        }
        info
    }

    /// `pre: a b post: c`
    fn soft(&mut self, value: &str) {
        let mut list = None;
        for word in value.split_ascii_whitespace() {
            match word {
                "pre:" => list = Some(&mut self.before),
                "post:" => list = Some(&mut self.after),
                name => {
                    if let Some(list) = &mut list {
                        list.push(name.to_owned());
                    }
                }
            }
        }
    }
}

/// The kernel takes `-` and `_` in module names for the same.
#[must_use]
pub fn unify(name: &str) -> String {
    name.replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_keys_are_read() {
        let section = b"license=GPL\0alias=fs-erofs\0depends=netfs,lz4-x\0softdep=pre: crc32c platform:x post: late\0name=erofs-fs\0\0\0firmware=a/b.bin\0odd";
        let info = ModInfo::parse(section);
        assert_eq!(info.name, "erofs_fs");
        assert_eq!(info.depends, ["netfs", "lz4_x"]);
        assert_eq!(info.before, ["crc32c", "platform:x"]);
        assert_eq!(info.after, ["late"]);
        assert_eq!(info.aliases, ["fs-erofs"]);
        assert_eq!(info.firmware, ["a/b.bin"]);
    }

    #[test]
    fn other_files_are_refused() {
        assert!(matches!(ModInfo::of_module(b"#!/bin/sh"), Err(ModInfoError::Elf(_))));
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert!(matches!(ModInfo::of_module(&own), Err(ModInfoError::NoSection)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let info = ModInfo::parse(&bytes);
            prop_assert!(!info.name.contains('-'));
            prop_assert!(info.depends.iter().all(|name| !name.is_empty()));
            let _refused_or_read = ModInfo::of_module(&bytes).is_ok();
        }

        #[test]
        fn what_is_written_is_read_back(
            depends in proptest::collection::vec("[a-z0-9_]{1,12}", 0..5),
            aliases in proptest::collection::vec("[a-z:*0-9]{1,20}", 0..5),
        ) {
            let mut section = format!("name=m\0depends={}\0", depends.join(","));
            for alias in &aliases {
                section.push_str(&format!("alias={alias}\0"));
            }
            let info = ModInfo::parse(section.as_bytes());
            prop_assert_eq!(info.depends, depends);
            prop_assert_eq!(info.aliases, aliases);
        }
    }
}
