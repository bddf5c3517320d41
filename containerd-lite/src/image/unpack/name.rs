//! Names in a layer: checked once, then a list of parts that stay within it.

use crate::image::Limits;
use crate::image::Refused;
use crate::image::refused::clip_bytes;

/// What marks a whiteout (OCI image specification, `layer.md`).
const WHITEOUT: &[u8] = b".wh.";
/// A whiteout of all that lower layers have in its folder.
const OPAQUE_MARK: &[u8] = b".wh..wh..opq";
/// Files that aufs kept for itself have this prefix.
const AUFS: &[u8] = b".wh..wh.";
/// The longest name of a file in every file system here (`NAME_MAX`).
const MAX_PART: usize = 255;

/// A place in a layer: folders from its root down. No part is empty, `.`, `..`, or has a slash.
pub(super) type Parts<'a> = Vec<&'a [u8]>;

/// What an entry is about.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Name<'a> {
    /// The root of the layer.
    Root,
    /// Something of this layer.
    Plain(Parts<'a>),
    /// This hides something of a lower layer.
    Whiteout(Parts<'a>),
    /// This hides all that lower layers have in a folder.
    Opaque(Parts<'a>),
    /// Nothing for an overlay.
    Ignored,
}

/// Reads the name of an entry.
pub(super) fn parse<'a>(path: &'a [u8], limits: &Limits) -> Result<Name<'a>, Refused> {
    if path == b"/" {
        // Some builders write the root of a layer so (kaniko does); it is the only absolute path that can mean nothing else.
        return Ok(Name::Root);
    }
    let mut parts = split(path, limits)?;
    let Some(last) = parts.pop() else { return Ok(Name::Root) };
    let whiteout = || Refused::Whiteout { path: clip_bytes(path) };
    if parts.iter().any(|part| part.starts_with(WHITEOUT)) {
        // Of aufs; a folder that is a whiteout is neither.
        let of_aufs = parts.iter().any(|part| part.starts_with(AUFS));
        return if of_aufs { Ok(Name::Ignored) } else { Err(whiteout()) };
    }
    if last == OPAQUE_MARK {
        return Ok(Name::Opaque(parts));
    }
    if last.starts_with(AUFS) {
        return Ok(Name::Ignored);
    }
    match last.strip_prefix(WHITEOUT) {
        None => {
            parts.push(last);
            Ok(Name::Plain(parts))
        }
        Some(b"" | b"." | b"..") => Err(whiteout()),
        Some(hidden) => {
            parts.push(hidden);
            Ok(Name::Whiteout(parts))
        }
    }
}

/// Reads a path: relative, without climbing.
pub(super) fn split<'a>(path: &'a [u8], limits: &Limits) -> Result<Parts<'a>, Refused> {
    if path.starts_with(b"/") {
        return Err(Refused::Escape { path: clip_bytes(path) });
    }
    let mut parts = Vec::new();
    for part in path.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => return Err(Refused::Escape { path: clip_bytes(path) }),
            part if part.len() > MAX_PART || part.contains(&0) => {
                return Err(Refused::Path { path: clip_bytes(path) });
            }
            part => parts.push(part),
        }
    }
    if path.is_empty() || parts.len() > limits.depth {
        return Err(Refused::Path { path: clip_bytes(path) });
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(path: &str) -> Result<Name<'_>, Refused> {
        parse(path.as_bytes(), &Limits::default())
    }

    fn parts<'a>(text: &[&'a str]) -> Parts<'a> {
        text.iter().map(|part| part.as_bytes()).collect()
    }

    #[test]
    fn names_are_told_apart() {
        for (path, name) in [
            ("./", Name::Root),
            (".", Name::Root),
            ("/", Name::Root),
            ("./a//b/./c/", Name::Plain(parts(&["a", "b", "c"]))),
            ("...", Name::Plain(parts(&["..."]))),
            ("a/.wh.b", Name::Whiteout(parts(&["a", "b"]))),
            (".wh..b", Name::Whiteout(parts(&[".b"]))),
            ("a/.wh..wh..opq", Name::Opaque(parts(&["a"]))),
            (".wh..wh..opq", Name::Opaque(parts(&[]))),
            (".wh..wh.plnk/12.3", Name::Ignored),
            (".wh..wh.aufs", Name::Ignored),
        ] {
            assert_eq!(read(path).unwrap(), name, "{path}");
        }
    }

    #[test]
    fn ways_out_are_refused() {
        for path in ["/etc/x", "..", "../x", "a/../../x", "a/..", "//", "/."] {
            assert_eq!(read(path).unwrap_err(), Refused::Escape { path: path.into() });
        }
        for path in [".wh.", ".wh..", ".wh...", "a/.wh...", ".wh.a/b"] {
            assert_eq!(read(path).unwrap_err(), Refused::Whiteout { path: path.into() });
        }
        for path in ["", &"a/".repeat(129), &"n".repeat(256)] {
            assert!(matches!(read(path).unwrap_err(), Refused::Path { .. }), "{path}");
        }
    }

    proptest! {
        #[test]
        fn what_is_taken_stays_inside(path in "(\\.|/|a|\\.wh\\.|b){0,24}") {
            if let Ok(Name::Plain(parts) | Name::Whiteout(parts) | Name::Opaque(parts)) = read(&path) {
                for part in parts {
                    prop_assert!(!matches!(part, b"" | b"." | b"..") && !part.contains(&b'/'));
                }
            }
        }
    }
}
