//! Looks at files, and takes their room.

use crate::protocol::Entry;
use crate::protocol::Kind;
use crate::protocol::MAX_FILE;
use rustix::fs::FallocateFlags;
use rustix::io::Errno;
use std::fs;
use std::fs::File;
use std::fs::Metadata;
use std::io;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::path::PathBuf;

/// How many bytes of each file a walk looks at.
const HEAD: u64 = 4;

/// Reads the first [`MAX_FILE`] bytes.
///
/// # Errors
/// What the kernel says.
pub fn read(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_FILE as u64).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Lists everything below a folder on the same file system, the folder first.
///
/// # Errors
/// What the kernel says about the first thing that cannot be looked at.
pub fn walk(top: &Path) -> io::Result<Vec<Entry>> {
    let device = fs::symlink_metadata(top)?.dev();
    let mut entries = Vec::new();
    let mut queue = vec![top.to_path_buf()];
    while let Some(path) = queue.pop() {
        let seen = fs::symlink_metadata(&path).and_then(|facts| Ok((entry(&path, &facts)?, facts)));
        let (seen, facts) = match seen {
            Ok(seen) => seen,
            // It went while the folder was walked, as descriptors below /proc do.
            Err(error) if error.kind() == io::ErrorKind::NotFound && path != top => continue,
            Err(error) => return Err(error),
        };
        let is_here = facts.dev() == device;
        entries.push(seen);
        if facts.is_dir() && is_here {
            let mut names: Vec<PathBuf> = fs::read_dir(&path)?
                .map(|found| found.map(|found| found.path()))
                .collect::<io::Result<_>>()?;
            names.sort_unstable();
            queue.extend(names.into_iter().rev());
        }
    }
    Ok(entries)
}

/// Makes a file that takes the room that is left to everybody, or wholly all of it; in ever smaller pieces, so that not a block stays.
///
/// # Errors
/// When there is no room for its name, or another error than that the room ended.
pub fn fill(path: &Path, wholly: bool) -> io::Result<()> {
    let file = File::options().write(true).create_new(true).open(path)?;
    let (mut place, mut piece) = (0, 256_u64 << 20);
    while piece >= 4096 {
        let room = rustix::fs::fstatvfs(&file)?;
        if !wholly && room.f_bavail.saturating_mul(room.f_frsize) < piece {
            piece /= 2;
            continue;
        }
        match rustix::fs::fallocate(&file, FallocateFlags::empty(), place, piece) {
            Ok(()) => place += piece,
            Err(Errno::NOSPC) => piece /= 2,
            Err(error) => return Err(error.into()),
        }
    }
    file.sync_all()
}

/// Finds where below a folder a text stands in a name or in a file; also counts the files that nobody can read without a key
/// (fscrypt.rst, "Access semantics").
///
/// # Errors
/// What the kernel says about the first thing that cannot be looked at for another reason.
pub fn find(top: &Path, text: &str) -> io::Result<(Vec<PathBuf>, u32)> {
    let device = fs::symlink_metadata(top)?.dev();
    let (mut found, mut locked) = (Vec::new(), 0);
    let mut queue = vec![top.to_path_buf()];
    while let Some(path) = queue.pop() {
        let facts = match fs::symlink_metadata(&path) {
            Ok(facts) => facts,
            Err(error) if error.kind() == io::ErrorKind::NotFound && path != top => continue,
            Err(error) => return Err(error),
        };
        let is_named = path.file_name().is_some_and(|name| name.to_string_lossy().contains(text));
        if facts.is_dir() && facts.dev() == device {
            for inner in fs::read_dir(&path)? {
                queue.push(inner?.path());
            }
        }
        let has_it = facts.is_file()
            && match fs::read(&path) {
                Ok(bytes) => bytes.windows(text.len()).any(|window| window == text.as_bytes()),
                Err(error) if error.raw_os_error() == Some(Errno::NOKEY.raw_os_error()) => {
                    locked += 1;
                    false
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => false,
                Err(error) => return Err(error),
            };
        if is_named || has_it {
            found.push(path);
        }
    }
    Ok((found, locked))
}

fn entry(path: &Path, facts: &Metadata) -> io::Result<Entry> {
    let kind = match facts.file_type() {
        kind if kind.is_file() => Kind::File,
        kind if kind.is_dir() => Kind::Folder,
        kind if kind.is_symlink() => Kind::Link,
        _ => Kind::Node,
    };
    Ok(Entry {
        path: path.to_path_buf(),
        kind,
        mode: facts.mode() & 0o7777,
        uid: facts.uid(),
        gid: facts.gid(),
        size: facts.size(),
        head: if kind == Kind::File { head(path)? } else { String::new() },
        target: if kind == Kind::Link { Some(fs::read_link(path)?) } else { None },
    })
}

fn head(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    match File::open(path)?.take(HEAD).read_to_end(&mut bytes) {
        // A namespace, or a switch of the kernel: a file that has no content.
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => {}
        read => drop(read?),
    }
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_text_is_found_in_names_and_in_files() {
        let folder = std::env::temp_dir().join(format!("hearth-agent-find-{}", std::process::id()));
        fs::create_dir_all(folder.join("sub/needle")).unwrap();
        fs::write(folder.join("sub/file"), "hay needle hay").unwrap();
        fs::write(folder.join("other"), "hay").unwrap();
        let mut found = find(&folder, "needle").unwrap();
        fs::remove_dir_all(&folder).unwrap();
        found.0.sort_unstable();
        assert_eq!(found, (vec![folder.join("sub/file"), folder.join("sub/needle")], 0));
    }

    #[test]
    fn a_walk_sees_modes_links_and_first_bytes() {
        let folder = std::env::temp_dir().join(format!("hearth-agent-walk-{}", std::process::id()));
        fs::create_dir_all(folder.join("sub")).unwrap();
        fs::write(folder.join("sub/script"), "#!/bin/sh\n").unwrap();
        fs::set_permissions(folder.join("sub/script"), fs::Permissions::from_mode(0o4755)).unwrap();
        symlink("sub/script", folder.join("link")).unwrap();

        let entries = walk(&folder).unwrap();
        fs::remove_dir_all(&folder).unwrap();

        let shown: Vec<_> = entries.iter().map(|e| (e.path.strip_prefix(&folder).unwrap(), e.kind)).collect();
        assert_eq!(
            shown,
            [
                (Path::new(""), Kind::Folder),
                (Path::new("link"), Kind::Link),
                (Path::new("sub"), Kind::Folder),
                (Path::new("sub/script"), Kind::File)
            ]
        );
        assert_eq!(entries[3].mode, 0o4755);
        assert_eq!(entries[3].head, "23212f62");
        assert_eq!(entries[1].target.as_deref(), Some(Path::new("sub/script")));
    }
}
