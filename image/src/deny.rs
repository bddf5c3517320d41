//! What must never be in the root: the promise "no shell, no interpreter, no setuid file", checked on every build.

use std::fs;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;

/// Programs that run text, by name without version. Dynamic loaders are none: they only start what the kernel could start.
const INTERPRETERS: [&str; 44] = [
    "ash", "awk", "bash", "busybox", "csh", "dash", "deno", "ed", "emacs", "erl", "ex", "expect", "fish",
    "gawk", "gdb", "guile", "irb", "java", "jimsh", "js", "ksh", "lua", "luajit", "mawk", "mksh", "mruby",
    "node", "octave", "perl", "php", "posh", "pwsh", "python", "qjs", "rbash", "ruby", "sash", "sh", "tclsh",
    "tcsh", "toybox", "vi", "vim", "zsh",
];

/// Why a file must not be in the root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// It runs with the rights of its owner or group.
    #[error("is setuid or setgid")]
    Setuid,
    /// Anybody may change it.
    #[error("is writable by everybody")]
    Writable,
    /// It is run by an interpreter.
    #[error("is a script")]
    Script,
    /// It is one.
    #[error("is a shell or an interpreter")]
    Interpreter,
    /// Device node, socket or pipe.
    #[error("is a device node, socket or pipe")]
    Special,
}

/// The root holds what it must not.
#[derive(Debug, thiserror::Error)]
pub enum DenyError {
    /// A file must not be there.
    #[error("{path} {reason}: it must not be in the root")]
    Denied {
        /// Path in the root.
        path: PathBuf,
        /// Why not.
        reason: Reason,
    },
    /// The root cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// File or folder.
        path: PathBuf,
        /// Cause.
        #[source]
        source: io::Error,
    },
}

/// Checks every file below `root`.
///
/// # Errors
/// At the first file that must not be there.
pub fn check(root: &Path) -> Result<(), DenyError> {
    walk(root, root)
}

fn walk(root: &Path, folder: &Path) -> Result<(), DenyError> {
    let at = |path: &Path| {
        let path = path.to_owned();
        move |source| DenyError::Read { path, source }
    };
    let mut paths = fs::read_dir(folder)
        .and_then(|entries| {
            entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>()
        })
        .map_err(at(folder))?;
    paths.sort();
    for path in paths {
        let status = fs::symlink_metadata(&path).map_err(at(&path))?;
        let kind = status.file_type();
        let start = if kind.is_file() { first_bytes(&path).map_err(at(&path))? } else { Vec::new() };
        let special = kind.is_block_device() || kind.is_char_device() || kind.is_fifo() || kind.is_socket();
        let mode = if kind.is_symlink() { 0 } else { status.permissions().mode() };
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let reason = if special { Some(Reason::Special) } else { judge(&name, mode, kind.is_dir(), &start) };
        if let Some(reason) = reason {
            let path = Path::new("/").join(path.strip_prefix(root).unwrap_or(&path));
            return Err(DenyError::Denied { path, reason });
        }
        if kind.is_dir() {
            walk(root, &path)?;
        }
    }
    Ok(())
}

/// Judges one file by its name, mode and first bytes.
#[must_use]
pub fn judge(name: &str, mode: u32, is_folder: bool, start: &[u8]) -> Option<Reason> {
    if mode & 0o6000 != 0 {
        return Some(Reason::Setuid);
    }
    if mode & 0o002 != 0 {
        return Some(Reason::Writable);
    }
    if is_folder {
        return None;
    }
    if start.starts_with(b"#!") {
        return Some(Reason::Script);
    }
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.' || c == '-');
    INTERPRETERS.contains(&stem).then_some(Reason::Interpreter)
}

fn first_bytes(path: &Path) -> io::Result<Vec<u8>> {
    use std::io::Read;
    let mut start = Vec::new();
    fs::File::open(path)?.take(4).read_to_end(&mut start)?;
    Ok(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shells_scripts_and_setuid_files_are_seen() {
        for (name, mode, start, expected) in [
            ("mke2fs", 0o755, &b"\x7fELF"[..], None),
            ("su", 0o4755, b"\x7fELF", Some(Reason::Setuid)),
            ("wall", 0o2755, b"\x7fELF", Some(Reason::Setuid)),
            ("a.conf", 0o666, b"abcd", Some(Reason::Writable)),
            ("run", 0o755, b"#!/b", Some(Reason::Script)),
            ("python3.13", 0o755, b"\x7fELF", Some(Reason::Interpreter)),
            ("lua5.4", 0o755, b"\x7fELF", Some(Reason::Interpreter)),
            ("sh", 0o777 & !0o022, b"", Some(Reason::Interpreter)),
            ("sha256.ko", 0o644, b"\x7fELF", None),
            ("ld-linux-x86-64.so.2", 0o755, b"\x7fELF", None),
        ] {
            assert_eq!(judge(name, mode, false, start), expected, "{name}");
        }
    }

    #[test]
    fn the_whole_tree_is_walked() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("usr/bin");
        fs::create_dir_all(&folder).unwrap();
        check(root.path()).unwrap();
        // A link to a shell is a shell, whether or not it leads anywhere.
        std::os::unix::fs::symlink("busybox-static", folder.join("sh")).unwrap();
        let error = check(root.path()).unwrap_err();
        assert_eq!(error.to_string(), "/usr/bin/sh is a shell or an interpreter: it must not be in the root");
    }
}
