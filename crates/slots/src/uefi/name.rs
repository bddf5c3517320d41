//! Names of slot files, with the loader's counters.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;
use serde::Serialize;

use super::TRIES;
use crate::Version;
use crate::VersionError;

/// How long a name that is read may be, in bytes: prefix, version, two counters of three digits, suffix.
pub const MAX_FILE_NAME: usize = PREFIX.len() + crate::MAX_VERSION + "+255-255.efi".len();

const PREFIX: &str = "hearth_";
/// What the loader lists in `EFI/Linux`, besides names that begin with `auto-`.
const SUFFIX: &str = ".efi";
/// The loader does not list it. Its short name on FAT does not end in `EFI` either.
const ASIDE: &str = ".new";

/// The name of a slot's file.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FileName {
    /// The slot's version.
    pub version: Version,
    /// What the rest of the name says.
    pub mark: Mark,
}

/// What a name says of the slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mark {
    /// `.new`: being written; the loader does not see it. The content of a write to this name is the slot's image.
    Aside,
    /// `+LEFT.efi` or `+LEFT-DONE.efi`: not confirmed yet.
    Counted {
        /// How often the loader will still start it. 0: the loader takes any other slot first.
        left: u8,
        /// How often it was started, if the name says so.
        done: Option<u8>,
    },
    /// `.efi`: good, not counted.
    Good,
}

/// Why a name is none of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Longer than [`MAX_FILE_NAME`].
    #[error("the name of a slot has at most {MAX_FILE_NAME} characters")]
    Length,
    /// Another beginning.
    #[error("the name of a slot begins with {PREFIX}")]
    Prefix,
    /// Another ending.
    #[error("the name of a slot ends with {SUFFIX} or {ASIDE}")]
    Suffix,
    /// Numbers that are not 0 to 255 without zeros before them: the name could not be made again from what was read.
    #[error("the counters of a slot are two numbers from 0 to 255")]
    Counter,
    /// Another version.
    #[error("the version is none")]
    Version(#[source] VersionError),
}

impl FileName {
    /// Where an update is written.
    #[must_use]
    pub fn aside(version: &Version) -> Self {
        Self { version: version.clone(), mark: Mark::Aside }
    }

    /// An update that the loader is to try.
    #[must_use]
    pub fn armed(version: &Version) -> Self {
        Self { version: version.clone(), mark: Mark::Counted { left: TRIES, done: Some(0) } }
    }

    /// A good slot.
    #[must_use]
    pub fn good(version: &Version) -> Self {
        Self { version: version.clone(), mark: Mark::Good }
    }

    /// Whether the loader lists it.
    #[must_use]
    pub fn is_visible(&self) -> bool {
        self.mark != Mark::Aside
    }

    /// Reads a path as the loader writes it, such as `\EFI\Linux\hearth_2+0-1.efi`; `None` when it leads elsewhere.
    #[must_use]
    pub fn from_loader_path(path: &str) -> Option<Self> {
        let (folder, name) = path.strip_prefix('\\')?.rsplit_once('\\')?;
        folder.replace('\\', "/").eq_ignore_ascii_case(super::FOLDER).then(|| name.parse().ok())?
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { version, mark } = self;
        match mark {
            Mark::Aside => write!(f, "{PREFIX}{version}{ASIDE}"),
            Mark::Good => write!(f, "{PREFIX}{version}{SUFFIX}"),
            Mark::Counted { left, done: None } => write!(f, "{PREFIX}{version}+{left}{SUFFIX}"),
            Mark::Counted { left, done: Some(done) } => write!(f, "{PREFIX}{version}+{left}-{done}{SUFFIX}"),
        }
    }
}

/// Cases are not told apart, as on FAT.
impl FromStr for FileName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.len() > MAX_FILE_NAME {
            return Err(NameError::Length);
        }
        let text = text.to_ascii_lowercase();
        let rest = text.strip_prefix(PREFIX).ok_or(NameError::Prefix)?;
        let (version, mark) = match (rest.strip_suffix(ASIDE), rest.strip_suffix(SUFFIX)) {
            (Some(version), _) => (version, Mark::Aside),
            (None, Some(stem)) => match stem.rsplit_once('+') {
                Some((version, counters)) => (version, counted(counters).ok_or(NameError::Counter)?),
                None => (stem, Mark::Good),
            },
            (None, None) => return Err(NameError::Suffix),
        };
        Ok(Self { version: version.parse().map_err(NameError::Version)?, mark })
    }
}

impl TryFrom<String> for FileName {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<FileName> for String {
    fn from(name: FileName) -> Self {
        name.to_string()
    }
}

fn counted(text: &str) -> Option<Mark> {
    match text.split_once('-') {
        Some((left, done)) => Some(Mark::Counted { left: number(left)?, done: Some(number(done)?) }),
        None => Some(Mark::Counted { left: number(text)?, done: None }),
    }
}

fn number(text: &str) -> Option<u8> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if is_plain { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name(version: &str, mark: Mark) -> FileName {
        FileName { version: version.parse().unwrap(), mark }
    }

    #[test]
    fn names_are_read_and_made() {
        for (text, expected) in [
            ("hearth_0.1.0.efi", name("0.1.0", Mark::Good)),
            ("hearth_0.1.0.new", name("0.1.0", Mark::Aside)),
            ("hearth_0.1.0+1.efi", name("0.1.0", Mark::Counted { left: 1, done: None })),
            ("hearth_0.1.0+0-1.efi", name("0.1.0", Mark::Counted { left: 0, done: Some(1) })),
            ("hearth_1.0~rc1-2+255-10.efi", name("1.0~rc1-2", Mark::Counted { left: 255, done: Some(10) })),
        ] {
            assert_eq!(text.parse(), Ok(expected.clone()), "{text}");
            assert_eq!(expected.to_string(), text);
        }
        assert_eq!("HEARTH_2+1-0.EFI".parse(), Ok(FileName::armed(&"2".parse().unwrap())));
    }

    #[test]
    fn other_names_are_left_alone() {
        for (text, why) in [
            ("", NameError::Prefix),
            ("linux.efi", NameError::Prefix),
            ("HEARTH~1.EFI", NameError::Prefix),
            ("hearth_1", NameError::Suffix),
            ("hearth_1+1.conf", NameError::Suffix),
            ("hearth_1+.efi", NameError::Counter),
            ("hearth_1+01.efi", NameError::Counter),
            ("hearth_1+1-.efi", NameError::Counter),
            ("hearth_1+1-2-3.efi", NameError::Counter),
            ("hearth_1+256.efi", NameError::Counter),
            ("hearth_1++1.efi", NameError::Version(VersionError::Character)),
            ("hearth_.efi", NameError::Version(VersionError::Length)),
            ("hearth_1+1-0.new", NameError::Version(VersionError::Character)),
        ] {
            assert_eq!(text.parse::<FileName>(), Err(why), "{text}");
        }
        assert_eq!("x".repeat(MAX_FILE_NAME + 1).parse::<FileName>(), Err(NameError::Length));
    }

    #[test]
    fn the_loader_renames_what_is_armed_without_changing_its_length() {
        let armed = name("2", Mark::Counted { left: TRIES, done: Some(0) });
        let tried = name("2", Mark::Counted { left: TRIES - 1, done: Some(1) });
        assert_eq!(FileName::armed(&"2".parse().unwrap()), armed);
        assert_eq!(armed.to_string().len(), tried.to_string().len());
        let longest: Version = "1".repeat(crate::MAX_VERSION).parse().unwrap();
        FileName::armed(&longest).to_string().parse::<FileName>().unwrap();
    }

    #[test]
    fn the_loaders_path_leads_to_a_name() {
        let tried = FileName::from_loader_path("\\EFI\\Linux\\hearth_2+0-1.efi").unwrap();
        assert_eq!(tried.to_string(), "hearth_2+0-1.efi");
        assert_eq!(FileName::from_loader_path("\\efi\\linux\\HEARTH_2+0-1.EFI"), Some(tried));
        for bad in
            ["", "\\", "hearth_2.efi", "\\hearth_2.efi", "\\EFI\\hearth_2.efi", "\\EFI/Linux\\hearth_2+.efi"]
        {
            assert_eq!(FileName::from_loader_path(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_made_is_read_the_same(
            version in "[a-z0-9]([a-z0-9.~^-]{0,20}[a-z0-9])?",
            left in any::<u8>(), done in any::<Option<u8>>(), which in 0..3,
        ) {
            let mark = match which { 0 => Mark::Aside, 1 => Mark::Good, _ => Mark::Counted { left, done } };
            let name = name(&version, mark);
            prop_assert_eq!(name.to_string().parse(), Ok(name));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "(hearth_)?.{0,40}(\\.efi|\\.new)?") {
            if let Ok(name) = text.parse::<FileName>() {
                prop_assert_eq!(name.to_string(), text.to_ascii_lowercase());
            }
            let _any_answer = FileName::from_loader_path(&text);
        }
    }
}
