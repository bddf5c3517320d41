//! One manifest file as written: everything optional, unknown keys refused.

use super::Entry;
use super::ManifestError;
use super::Origin;
use serde::Deserialize;
use std::collections::BTreeMap;
use toml::Spanned;

/// The only kind of document here.
pub(super) const KIND: &str = "hearth-board";
/// The only version of the format so far.
pub(super) const VERSION: u32 = 1;

/// A file as written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fragment {
    pub(super) kind: Spanned<String>,
    pub(super) version: Spanned<u32>,
    pub(super) inherit: Option<Spanned<Inherit>>,
    /// Counts only where the parts are the distribution's packages.
    #[serde(default)]
    pub(super) packages_only: bool,
    #[serde(default)]
    pub(super) board: BoardPart,
    #[serde(default)]
    pub(super) parts: PartsPart,
    #[serde(default)]
    pub(super) kernel: KernelPart,
    #[serde(default)]
    pub(super) root: RootPart,
    #[serde(default)]
    pub(super) disk: DiskPart,
}

/// Files that this one builds on, relative to `board-configs/`.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Inherit {
    One(String),
    Many(Vec<String>),
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BoardPart {
    pub(super) name: Option<Spanned<String>>,
    pub(super) arch: Option<Spanned<String>>,
    pub(super) description: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PartsPart {
    #[serde(default)]
    pub(super) suites: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) sections: Vec<Spanned<String>>,
    pub(super) kernel: Option<String>,
    pub(super) kernel_suite: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) boot: BootPart,
    pub(super) pi: Option<PiPart>,
    #[serde(default)]
    pub(super) files: BTreeMap<String, Vec<Spanned<String>>>,
    #[serde(default)]
    pub(super) links: BTreeMap<Spanned<String>, Spanned<String>>,
    #[serde(default)]
    pub(super) libraries: Vec<String>,
    #[serde(default)]
    pub(super) tools: Vec<String>,
    #[serde(default)]
    pub(super) build: Vec<String>,
    #[serde(default)]
    pub(super) overlays: Vec<Spanned<String>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BootPart {
    pub(super) package: Option<String>,
    pub(super) stub: Option<Spanned<String>>,
    pub(super) loader: Option<Spanned<String>>,
    pub(super) removable_name: Option<String>,
    pub(super) installed_name: Option<String>,
}

/// Of boards that start as a Raspberry Pi does.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PiPart {
    pub(super) package: Option<String>,
    #[serde(default)]
    pub(super) firmware: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) device_trees: Vec<Spanned<String>>,
    pub(super) config: Option<Spanned<String>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KernelPart {
    #[serde(default)]
    pub(super) cmdline: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) initrd_modules: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) modules: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) own_modules: Vec<Spanned<String>>,
    /// Of inherited lists of modules: those that the board's kernel does not have.
    #[serde(default)]
    pub(super) without_modules: Vec<Spanned<String>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RootPart {
    pub(super) compression: Option<String>,
    pub(super) module_compression: Option<String>,
    pub(super) cluster_bytes: Option<Spanned<u32>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DiskPart {
    pub(super) esp_mib: Option<Spanned<u32>>,
    pub(super) data_mib: Option<Spanned<u32>>,
}

/// A file's name and text, for turning positions into lines.
#[derive(Clone, Copy, Debug)]
pub(super) struct Text<'a> {
    pub(super) file: &'a str,
    pub(super) text: &'a str,
}

impl Text<'_> {
    /// Parses the text; an error names the line.
    pub(super) fn parse(&self) -> Result<Fragment, ManifestError> {
        let fragment: Fragment = toml::from_str(self.text).map_err(|error| ManifestError::Syntax {
            file: self.file.to_owned(),
            line: error.span().map_or(1, |span| self.line(span.start)),
            what: error.message().replace('\n', ", "),
        })?;
        if fragment.kind.get_ref() != KIND {
            return Err(self.wrong(&fragment.kind, format!("the kind must be {KIND:?}")));
        }
        if *fragment.version.get_ref() != VERSION {
            return Err(self.wrong(&fragment.version, format!("the version must be {VERSION}")));
        }
        Ok(fragment)
    }

    /// The error that a value is wrong.
    pub(super) fn wrong<T>(&self, value: &Spanned<T>, what: String) -> ManifestError {
        ManifestError::Value { origin: self.origin(value), what }
    }

    /// Where a value stands.
    pub(super) fn origin<T>(&self, value: &Spanned<T>) -> Origin {
        Origin { file: self.file.to_owned(), line: self.line(value.span().start) }
    }

    /// A list's entries with their places.
    pub(super) fn entries(&self, list: &[Spanned<String>]) -> Vec<Entry> {
        list.iter().map(|item| Entry { value: item.get_ref().clone(), origin: self.origin(item) }).collect()
    }

    fn line(&self, offset: usize) -> usize {
        1 + self.text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count()
    }
}
