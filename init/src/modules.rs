//! Kernel modules: loading a file, and the short list that stage 1 needs.

use std::fs;
use std::fs::File;
use std::io;
use std::path::Path;

use rustix::io::Errno;

/// Why stage 1's modules are not all loaded.
#[derive(Debug, thiserror::Error)]
pub enum OrderError {
    /// The list.
    #[error("reading {path}")]
    List {
        /// The list's path.
        path: String,
        /// What the kernel says.
        source: io::Error,
    },
    /// A line that is no file name.
    #[error("{path} names {name:?}, which is no file name")]
    Name {
        /// The list's path.
        path: String,
        /// The line.
        name: String,
    },
    /// A module.
    #[error("loading the module {name}")]
    Load {
        /// File name.
        name: String,
        /// What the kernel says.
        source: io::Error,
    },
}

/// Loads one module file; one that is loaded already is no error.
///
/// # Errors
/// When the file cannot be opened or the kernel does not take it.
pub fn load(path: &Path) -> io::Result<()> {
    match rustix::system::finit_module(File::open(path)?, c"", 0) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Loads what `<folder>/order` names, in its order. No list means that the kernel has everything built in.
///
/// # Errors
/// When the list is damaged or a module does not load.
pub fn load_in_order(folder: &str) -> Result<(), OrderError> {
    let path = format!("{folder}/order");
    let list = match fs::read_to_string(&path) {
        Ok(list) => list,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(OrderError::List { path, source }),
    };
    for name in list.lines().map(str::trim).filter(|name| !name.is_empty()) {
        if name.contains('/') || name.starts_with('.') {
            return Err(OrderError::Name { path, name: name.to_owned() });
        }
        load(&Path::new(folder).join(name))
            .map_err(|source| OrderError::Load { name: name.to_owned(), source })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(lines: &str) -> Result<(), OrderError> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("order"), lines).unwrap();
        load_in_order(folder.path().to_str().unwrap())
    }

    #[test]
    fn an_absent_or_empty_list_loads_nothing() {
        load_in_order("/nonexistent").unwrap();
        order("\n\n").unwrap();
    }

    #[test]
    fn names_that_leave_the_folder_are_refused() {
        for name in ["../evil.ko", "/lib/evil.ko", ".hidden.ko"] {
            assert!(matches!(order(name), Err(OrderError::Name { .. })), "{name}");
        }
    }

    #[test]
    fn a_missing_module_is_named() {
        let error = order("erofs.ko\n").unwrap_err();
        assert!(matches!(&error, OrderError::Load { name, .. } if name == "erofs.ko"), "{error}");
    }
}
