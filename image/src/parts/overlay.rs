//! Unpacked packages laid over each other in one folder, as they would be installed.

use super::PartsError;
use super::at;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::path::PathBuf;

/// Lays packages over each other, unless that was done before: a folder that exists is whole. Files are the packages' own, by hard links.
pub(crate) fn lay_out(packages: &[&Path], to: &Path) -> Result<PathBuf, PartsError> {
    if to.is_dir() {
        return Ok(to.to_owned());
    }
    let mut aside = to.as_os_str().to_owned();
    aside.push(".new");
    let aside = PathBuf::from(aside);
    if aside.exists() {
        fs::remove_dir_all(&aside).map_err(at(&aside))?;
    }
    // What is named below /lib lies below /usr/lib in newer packages.
    fs::create_dir_all(aside.join("usr/lib")).map_err(at(&aside))?;
    let lib = aside.join("lib");
    symlink("usr/lib", &lib).map_err(at(&lib))?;
    packages.iter().try_for_each(|package| overlay(package, &aside))?;
    fs::rename(&aside, to).map_err(at(to))?;
    Ok(to.to_owned())
}

fn overlay(from: &Path, to: &Path) -> Result<(), PartsError> {
    for entry in fs::read_dir(from).map_err(at(from))? {
        let entry = entry.map_err(at(from))?;
        let (source, place) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().map_err(at(&source))?;
        if kind.is_dir() {
            if !place.is_dir() {
                fs::create_dir(&place).map_err(at(&place))?;
            }
            overlay(&source, &place)?;
        } else if kind.is_symlink() {
            let target = fs::read_link(&source).map_err(at(&source))?;
            // What was laid out by us before brings the link of /lib along.
            if fs::read_link(&place).is_ok_and(|there| there == target) {
                continue;
            }
            symlink(target, &place).map_err(at(&place))?;
        } else {
            fs::hard_link(&source, &place).map_err(at(&place))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_lie_over_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (folder.path().join("a"), folder.path().join("b"));
        for package in [&a, &b] {
            fs::create_dir_all(package.join("usr/lib/x")).unwrap();
        }
        fs::create_dir_all(b.join("lib")).unwrap();
        fs::write(a.join("usr/lib/x/liba.so.0"), "a").unwrap();
        symlink("liba.so.0", b.join("usr/lib/x/liba.so")).unwrap();
        fs::write(b.join("lib/old"), "o").unwrap();
        let to = lay_out(&[&a, &b], &folder.path().join("all")).unwrap();
        assert_eq!(fs::read(to.join("lib/x/liba.so")).unwrap(), b"a");
        assert_eq!(fs::read(to.join("usr/lib/old")).unwrap(), b"o");
        assert_eq!(lay_out(&[], &to).unwrap(), to, "it is there");
        let again = lay_out(&[&to], &folder.path().join("again")).unwrap();
        assert_eq!(fs::read(again.join("lib/x/liba.so")).unwrap(), b"a");
    }

    #[test]
    fn two_packages_with_one_file_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (folder.path().join("a"), folder.path().join("b"));
        for package in [&a, &b] {
            fs::create_dir_all(package.join("usr")).unwrap();
            fs::write(package.join("usr/f"), "x").unwrap();
        }
        let to = folder.path().join("to");
        assert!(matches!(lay_out(&[&a, &b], &to), Err(PartsError::Cache { .. })));
        assert!(!to.exists());
    }
}
