//! The tree of the root file system, put together in a staging folder (docs/spec/boot.md, "The root").
//!
//! Nothing here depends on the machine: contents come from the parts, from our programs and from the texts in [`etc`]. Shared
//! libraries are not listed by hand: [`libraries`] takes from the listed packages what the programs need, and fails when one
//! is missing.

pub mod etc;
pub mod libraries;

use crate::deny;
use crate::deny::DenyError;
use crate::disk::Loader;
use crate::manifest::Manifest;
use crate::modules::Selection;
use crate::modules::index;
use crate::modules::index::IndexError;
use crate::modules::tables;
use crate::parts::PartSet;
use crate::parts::PartsError;
use flate2::Compression;
use flate2::GzBuilder;
use libraries::LibraryError;
use std::fs;
use std::io;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;

/// Console files that browsers take compressed.
const COMPRESSIBLE: [&str; 9] = ["css", "html", "js", "json", "map", "mjs", "svg", "txt", "webmanifest"];

/// Our own programs, built for the board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Programs {
    /// Static: it also runs as stage 1, where there is no library.
    pub init: PathBuf,
    /// Container daemon.
    pub containerd_lite: PathBuf,
    /// Network daemon.
    pub netd: PathBuf,
    /// Host daemon.
    pub hostd: PathBuf,
    /// The storage daemon.
    pub storaged: PathBuf,
    /// Writes update slots.
    pub installer: PathBuf,
    /// Starts containers for the container daemon.
    pub containerd_lite_run: PathBuf,
    /// Unpacks images for it.
    pub containerd_lite_unpack: PathBuf,
    /// Static: the first process of every container, whatever the image has.
    pub app_init: PathBuf,
}

/// What the root is made from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RootInputs<'a> {
    pub(crate) manifest: &'a Manifest,
    pub(crate) parts: &'a PartSet,
    pub(crate) kernel_modules: &'a Path,
    pub(crate) release: &'a str,
    pub(crate) selection: &'a Selection,
    pub(crate) programs: &'a Programs,
    pub(crate) console: &'a Path,
    pub(crate) version: &'a str,
    /// Content of `/usr/lib/hearth/manifest.json`.
    pub(crate) record: &'a [u8],
    /// Keys that updates are trusted by, and where they come from.
    pub(crate) update_files: &'a [(&'static str, Vec<u8>)],
    /// The loader, for boxes whose own is older.
    pub(crate) loader: Option<&'a Loader>,
}

/// The root cannot be put together.
#[derive(Debug, thiserror::Error)]
pub enum RootError {
    /// A file or folder cannot be read or written.
    #[error("cannot use {path}")]
    File {
        /// File or folder.
        path: PathBuf,
        /// Cause.
        #[source]
        source: io::Error,
    },
    /// The console was not built.
    #[error("the console folder {path} has no index.html")]
    NoConsole {
        /// The folder.
        path: PathBuf,
    },
    /// A part is missing.
    #[error(transparent)]
    Parts(#[from] PartsError),
    /// A module cannot be read.
    #[error(transparent)]
    Modules(#[from] IndexError),
    /// A library is missing.
    #[error(transparent)]
    Library(#[from] LibraryError),
    /// Something is there that must not be.
    #[error(transparent)]
    Denied(#[from] DenyError),
}

/// A staging folder.
#[derive(Clone, Debug)]
pub(crate) struct Stage {
    root: PathBuf,
}

/// Puts the tree together in `stage`, which is emptied first.
pub(crate) fn assemble(stage: &Path, inputs: &RootInputs<'_>) -> Result<(), RootError> {
    let stage = Stage::empty(stage)?;
    for folder in
        ["proc", "sys", "dev", "run", "tmp", "data", "boot", "etc", "usr/lib", "usr/lib64", "usr/sbin"]
    {
        stage.folder(folder)?;
    }
    // The loader's path in every program is below /lib or /lib64.
    stage.link("lib", "usr/lib")?;
    stage.link("lib64", "usr/lib64")?;
    for (path, text) in etc::files(inputs.version, inputs.manifest) {
        stage.write(path, 0o644, text.as_bytes())?;
    }
    stage.link("etc/resolv.conf", "/run/hearth/net/resolv.conf")?;
    let programs = inputs.programs;
    for (name, program) in [
        ("init", &programs.init),
        ("containerd-lite", &programs.containerd_lite),
        ("netd", &programs.netd),
        ("hostd", &programs.hostd),
        ("storaged", &programs.storaged),
        ("installer", &programs.installer),
        ("containerd-lite-run", &programs.containerd_lite_run),
        ("containerd-lite-unpack", &programs.containerd_lite_unpack),
        ("app-init", &programs.app_init),
    ] {
        stage.copy(program, &format!("usr/lib/hearth/{name}"), 0o755)?;
    }
    stage.write("usr/lib/hearth/manifest.json", 0o644, inputs.record)?;
    for (path, content) in inputs.update_files {
        stage.write(path, 0o644, content)?;
    }
    if let Some(loader) = inputs.loader {
        let path = format!("usr/share/hearth/update/{}", loader.installed_name);
        stage.copy(&loader.file, &path, 0o644)?;
    }
    for (package, files) in &inputs.manifest.parts.files {
        let part = inputs.parts.get(package)?;
        for path in files {
            let file = part.file(path)?;
            let mode = fs::metadata(&file).map_err(at(&file))?.permissions().mode();
            let mode = if mode & 0o111 == 0 { 0o644 } else { 0o755 };
            stage.copy(&file, path.trim_start_matches('/'), mode)?;
        }
    }
    for (path, target) in &inputs.manifest.parts.links {
        stage.link(path.trim_start_matches('/'), target)?;
    }
    modules(&stage, inputs)?;
    console(&stage, inputs.console, "usr/share/hearth/console", true)?;
    libraries::complete(&stage, inputs.manifest, inputs.parts)?;
    deny::check(&stage.root)?;
    Ok(())
}

fn modules(stage: &Stage, inputs: &RootInputs<'_>) -> Result<(), RootError> {
    let folder = format!("usr/lib/modules/{}", inputs.release);
    for module in &inputs.selection.modules {
        // Uncompressed: the root is compressed as a whole, and better.
        let bytes = index::module_bytes(&inputs.kernel_modules.join(&module.path))?;
        stage.write(&format!("{folder}/{}", module.file_name()), 0o644, &bytes)?;
    }
    let tables = tables::write(inputs.selection);
    for (name, text) in
        [("modules.dep", tables.dep), ("modules.alias", tables.alias), ("modules.softdep", tables.softdep)]
    {
        stage.write(&format!("{folder}/{name}"), 0o644, text.as_bytes())?;
    }
    Ok(())
}

/// Copies the console's files, and beside each one that browsers take compressed a `.gz` if that is smaller.
fn console(stage: &Stage, from: &Path, to: &str, top: bool) -> Result<(), RootError> {
    if top && !from.join("index.html").is_file() {
        return Err(RootError::NoConsole { path: from.to_owned() });
    }
    for entry in fs::read_dir(from).map_err(at(from))? {
        let path = entry.map_err(at(from))?.path();
        let name = format!("{to}/{}", path.file_name().unwrap_or_default().to_string_lossy());
        if path.is_dir() {
            console(stage, &path, &name, false)?;
            continue;
        }
        let bytes = fs::read(&path).map_err(at(&path))?;
        stage.write(&name, 0o644, &bytes)?;
        let extension = path.extension().unwrap_or_default().to_string_lossy();
        if COMPRESSIBLE.contains(&extension.as_ref()) {
            let small = gzip(&bytes).map_err(at(&path))?;
            if small.len() < bytes.len() {
                stage.write(&format!("{name}.gz"), 0o644, &small)?;
            }
        }
    }
    Ok(())
}

/// Without a time stamp and file name, so that equal content gives equal bytes.
fn gzip(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    encoder.finish()
}

fn at(path: &Path) -> impl Fn(io::Error) -> RootError {
    move |source| RootError::File { path: path.to_owned(), source }
}

impl Stage {
    fn empty(root: &Path) -> Result<Self, RootError> {
        if root.exists() {
            fs::remove_dir_all(root).map_err(at(root))?;
        }
        fs::create_dir_all(root).map_err(at(root))?;
        let stage = Self { root: root.to_owned() };
        stage.permit(root, 0o755)?;
        Ok(stage)
    }

    /// The place in the staging folder, links of the tree followed by hand: `lib` leads to `usr/lib`.
    pub(crate) fn place(&self, path: &str) -> PathBuf {
        let path = path.trim_start_matches('/');
        if path.starts_with("lib/") || path.starts_with("lib64/") {
            return self.root.join("usr").join(path);
        }
        self.root.join(path)
    }

    /// Every regular file.
    pub(crate) fn files(&self) -> Result<Vec<PathBuf>, RootError> {
        let mut files = Vec::new();
        let mut folders = vec![self.root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).map_err(at(&folder))? {
                let entry = entry.map_err(at(&folder))?;
                let kind = entry.file_type().map_err(at(&entry.path()))?;
                if kind.is_dir() {
                    folders.push(entry.path());
                } else if kind.is_file() {
                    files.push(entry.path());
                }
            }
        }
        files.sort();
        Ok(files)
    }

    /// How a path in the staging folder reads in the root.
    pub(crate) fn shown(&self, path: &Path) -> PathBuf {
        Path::new("/").join(path.strip_prefix(&self.root).unwrap_or(path))
    }

    fn folder(&self, path: &str) -> Result<(), RootError> {
        let mut folder = self.root.clone();
        for part in path.split('/').filter(|part| !part.is_empty()) {
            folder.push(part);
            if !folder.is_dir() {
                fs::create_dir(&folder).map_err(at(&folder))?;
                // The umask of whoever builds must not show.
                self.permit(&folder, 0o755)?;
            }
        }
        Ok(())
    }

    pub(crate) fn write(&self, path: &str, mode: u32, bytes: &[u8]) -> Result<(), RootError> {
        if let Some((folder, _)) = path.rsplit_once('/') {
            self.folder(folder)?;
        }
        let file = self.root.join(path);
        fs::write(&file, bytes).map_err(at(&file))?;
        self.permit(&file, mode)
    }

    pub(crate) fn copy(&self, from: &Path, path: &str, mode: u32) -> Result<(), RootError> {
        let bytes = fs::read(from).map_err(at(from))?;
        self.write(path, mode, &bytes)
    }

    pub(crate) fn link(&self, path: &str, target: &str) -> Result<(), RootError> {
        if let Some((folder, _)) = path.rsplit_once('/') {
            self.folder(folder)?;
        }
        let link = self.root.join(path);
        std::os::unix::fs::symlink(target, &link).map_err(at(&link))
    }

    fn permit(&self, path: &Path, mode: u32) -> Result<(), RootError> {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(at(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::read::GzDecoder;
    use std::io::Read;

    #[test]
    fn the_console_is_copied_and_compressed_where_it_helps() {
        let folder = tempfile::tempdir().unwrap();
        let dist = folder.path().join("dist");
        fs::create_dir_all(dist.join("assets")).unwrap();
        let text = "hearth ".repeat(500);
        for (name, content) in [
            ("index.html", text.as_str()),
            ("assets/a.js", &text),
            ("assets/b.png", &text),
            ("assets/c.css", "x"),
        ] {
            fs::write(dist.join(name), content).unwrap();
        }
        let stage = Stage::empty(&folder.path().join("stage")).unwrap();
        console(&stage, &dist, "c", true).unwrap();
        let names: Vec<PathBuf> = stage.files().unwrap().iter().map(|file| stage.shown(file)).collect();
        let expected =
            ["a.js", "a.js.gz", "b.png", "c.css"].map(|name| PathBuf::from("/c/assets").join(name));
        assert_eq!(names[..4], expected);
        assert_eq!(names[4..], [PathBuf::from("/c/index.html"), PathBuf::from("/c/index.html.gz")]);
        let mut unpacked = String::new();
        let packed = fs::File::open(stage.place("c/index.html.gz")).unwrap();
        GzDecoder::new(packed).read_to_string(&mut unpacked).unwrap();
        assert_eq!(unpacked, text);
        assert_eq!(gzip(b"abc").unwrap(), gzip(b"abc").unwrap());
    }

    #[test]
    fn a_console_that_was_not_built_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let stage = Stage::empty(&folder.path().join("stage")).unwrap();
        let error = console(&stage, folder.path(), "c", true).unwrap_err();
        assert!(matches!(error, RootError::NoConsole { .. }));
    }

    #[test]
    fn modes_do_not_depend_on_the_umask() {
        let folder = tempfile::tempdir().unwrap();
        let stage = Stage::empty(&folder.path().join("stage")).unwrap();
        stage.write("a/b/c", 0o755, b"x").unwrap();
        for (path, mode) in [("a", 0o755), ("a/b", 0o755), ("a/b/c", 0o755)] {
            assert_eq!(
                fs::metadata(stage.place(path)).unwrap().permissions().mode() & 0o7777,
                mode,
                "{path}"
            );
        }
    }
}
