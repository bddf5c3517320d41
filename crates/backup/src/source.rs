//! What is saved, and what is left out of it.

use crate::sealed::ArchiveKey;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Component;
use std::path::Path;
use std::path::PathBuf;

/// A folder to save. Frozen snapshots of stores are such folders too: the caller exports them first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its name in the backup: it is restored below `files/<name>`. 1 to 64 of `a-z`, `0-9`, `-` and `_`.
    pub name: String,
    /// The folder.
    pub path: PathBuf,
    /// What is left out.
    pub exclude: Vec<Exclude>,
    /// Seals its files on their way; folders without files are lost then, and links are left out.
    pub key: Option<ArchiveKey>,
}

/// Something that is left out, with all that lies in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exclude {
    /// This path below the source.
    Path(PathBuf),
    /// Everything with this name; `*` stands for any number of bytes.
    Name(String),
}

/// A source that cannot be saved.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// No sources, or too many.
    #[error("a backup takes 1 to 256 sources")]
    Count,
    /// A name that no source may have.
    #[error("{name:?} is no name for a source, or two have it")]
    Name {
        /// Which name.
        name: String,
    },
    /// The folder cannot be opened.
    #[error("cannot open the source {path}")]
    Open {
        /// Which folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

impl Exclude {
    /// Whether it leaves out what lies at `path` below the source.
    pub(crate) fn matches(&self, path: &Path) -> bool {
        match self {
            Self::Path(excluded) => path == excluded,
            Self::Name(pattern) => {
                path.file_name().is_some_and(|name| wildcard(pattern.as_bytes(), name.as_bytes()))
            }
        }
    }
}

/// Matches `*` greedily from the left and goes back one star at a time: linear in pattern times name.
fn wildcard(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut star, mut from) = (0, None, 0);
    let mut rest = 0;
    while rest < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some(at);
                from = rest;
                at += 1;
            }
            Some(byte) if *byte == name[rest] => {
                at += 1;
                rest += 1;
            }
            Some(_) | None => {
                let Some(star) = star else { return false };
                from += 1;
                rest = from;
                at = star + 1;
            }
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

/// Sources in the order of their names, checked.
pub(crate) fn checked(sources: &[Source]) -> Result<Vec<Source>, SourceError> {
    if !(1..=256).contains(&sources.len()) {
        return Err(SourceError::Count);
    }
    let mut sorted = sources.to_vec();
    sorted.sort_by(|left, right| left.name.cmp(&right.name));
    let allowed =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    for (index, source) in sorted.iter().enumerate() {
        let name = &source.name;
        let fits = (1..=64).contains(&name.len()) && name.bytes().all(allowed);
        let twice = index > 0 && sorted[index - 1].name == *name;
        if !fits || twice {
            return Err(SourceError::Name { name: name.chars().take(80).collect() });
        }
    }
    Ok(sorted)
}

/// Whether a link at `depth` folders below its source stays inside of it.
///
/// `..` may only stand at the beginning: behind a name it could follow another link (`x -> .`, `y -> x/..`).
pub(crate) fn link_stays(depth: usize, target: &OsStr) -> bool {
    let (mut up, mut down) = (0, false);
    for part in Path::new(target).components() {
        match part {
            Component::Normal(_) => down = true,
            Component::CurDir => {}
            Component::ParentDir if down => return false,
            Component::ParentDir => up += 1,
            Component::RootDir | Component::Prefix(_) => return false,
        }
    }
    !target.is_empty() && up <= depth
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(name: &str) -> Source {
        Source { name: name.into(), path: "/x".into(), exclude: Vec::new(), key: None }
    }

    #[test]
    fn names_are_plain_and_single() {
        let sorted = checked(&[source("b"), source("a")]).unwrap();
        assert_eq!(sorted[0].name, "a");
        for bad in ["", "..", "a/b", "A"] {
            checked(&[source(bad)]).unwrap_err();
        }
        assert!(matches!(checked(&[source("a"), source("a")]).unwrap_err(), SourceError::Name { .. }));
        assert!(matches!(checked(&[]).unwrap_err(), SourceError::Count));
    }

    #[test]
    fn stars_match_any_bytes() {
        for (pattern, name, expected) in [
            ("*.tmp", "a.tmp", true),
            ("*.tmp", "a.tmp.gz", false),
            ("cache", "cache", true),
            ("cache", "caches", false),
            ("*", "", true),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("", "", true),
            ("**x", "x", true),
        ] {
            assert_eq!(wildcard(pattern.as_bytes(), name.as_bytes()), expected, "{pattern} {name}");
        }
        assert!(Exclude::Path("a/b".into()).matches(Path::new("a/b")));
        assert!(!Exclude::Path("a/b".into()).matches(Path::new("a/bc")));
    }

    #[test]
    fn links_stay_in_their_source() {
        for (depth, target, expected) in [
            (0, "a", true),
            (0, "../a", false),
            (1, "../a", true),
            (1, "../../a", false),
            (2, "x/../../../y", false),
            (1, "x/../y", false),
            (2, ".././../y", true),
            (0, "x/../../y", false),
            (3, "/etc/shadow", false),
            (0, "", false),
        ] {
            assert_eq!(link_stays(depth, OsStr::new(target)), expected, "{depth} {target}");
        }
    }
}
