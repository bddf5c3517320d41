//! Parts that Buildroot made (`buildroot-ext/`, docs/buildroot.md): laid out as the distribution's packages are, so that one way leads
//! from there to the image.
//!
//! ```text
//! <output>/target/                          files of the board      ─┐ each in the folder of the package that installed it,
//! <output>/build/packages-file-list.txt     who installed them      ─┤ libraries below usr/lib/<triplet>/
//! <output>/build/hearth-packages.txt        versions and licences   ─┘
//! <output>/images/                          kernel, loader and stub
//! <output>/host/bin/                        mkfs.erofs
//! ```
//! The board manifest stays as it is: it names files, and which package has a file is seen here.

use super::Package;
use super::PartSet;
use super::PartsError;
use super::Unpacked;
use crate::digest::Sha256;
use crate::manifest::Boot;
use crate::manifest::Manifest;
use crate::root::Programs;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;

/// Kernel images by the names that Buildroot gives them.
const KERNELS: [&str; 2] = ["bzImage", "Image"];

/// Buildroot's package of the kernel.
const KERNEL: &str = "linux";

/// Buildroot's package with a Raspberry Pi's firmware, and its folder beside the kernel.
const PI_FIRMWARE: &str = "rpi-firmware";

/// The host package with mkfs.erofs, under the name of the distribution's.
const TOOL: &str = "erofs-utils";

/// Programs of [`TOOL`].
const TOOL_PROGRAMS: [&str; 2] = ["mkfs.erofs", "fsck.erofs"];

/// What a Buildroot build left behind: the folder given as `O=`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    folder: PathBuf,
}

/// What Buildroot left cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BuildrootError {
    /// A file or folder cannot be read or written.
    #[error("cannot use {path}")]
    File {
        /// File or folder.
        path: PathBuf,
        /// Cause.
        #[source]
        source: io::Error,
    },
    /// A list has another form than Buildroot gives it.
    #[error("{path}:{line}: expected {form}")]
    Line {
        /// The list.
        path: PathBuf,
        /// Line, counted from 1.
        line: usize,
        /// The form.
        form: &'static str,
    },
    /// A file that the board manifest names was not installed.
    #[error(
        "Buildroot installed no {path}, which the board's manifest names: which package of its defconfig has it?"
    )]
    NotInstalled {
        /// Path in the root.
        path: String,
    },
    /// There is no kernel, or more than one.
    #[error("{path} does not hold exactly one kernel with its modules")]
    Kernel {
        /// The folder that was looked in.
        path: PathBuf,
    },
}

/// Version and licence of a package.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Fact {
    version: String,
    licence: String,
}

/// Parts for the board and for building, and the manifest with Buildroot's packages in place of the distribution's.
#[derive(Clone, Debug)]
pub(crate) struct Adopted {
    pub(crate) manifest: Manifest,
    pub(crate) board: PartSet,
    pub(crate) tools: PartSet,
}

impl Output {
    /// The folder that was given to Buildroot as `O=`.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Where the package `hearth` installed our programs.
    #[must_use]
    pub fn programs(&self) -> Programs {
        let folder = self.folder.join("target/usr/lib/hearth");
        Programs {
            init: folder.join("init"),
            containerd_lite: folder.join("containerd-lite"),
            netd: folder.join("netd"),
            hostd: folder.join("hostd"),
            storaged: folder.join("storaged"),
            installer: folder.join("installer"),
            containerd_lite_run: folder.join("containerd-lite-run"),
            containerd_lite_unpack: folder.join("containerd-lite-unpack"),
            app_init: folder.join("app-init"),
        }
    }

    /// Lays the parts out in `into`, which is emptied first.
    pub(crate) fn adopt(&self, manifest: &Manifest, into: &Path) -> Result<Adopted, BuildrootError> {
        if into.exists() {
            fs::remove_dir_all(into).map_err(at(into))?;
        }
        let owners = self.owners()?;
        let facts = self.facts()?;
        let mut layout = Layout { into, names: BTreeSet::new() };
        let mut manifest = manifest.clone();
        manifest.parts.files = self.files(&manifest, &owners, &mut layout)?;
        manifest.parts.libraries = self.libraries(&manifest, &owners, &mut layout)?;
        let release = self.kernel(&mut layout)?;
        let kernel = format!("{}{release}", super::KERNEL_PREFIX);
        self.boot(&manifest, &kernel, &mut layout)?;
        let of_kernel = facts.get(KERNEL).cloned().unwrap_or_default();
        let of = |name: &str| {
            let facts =
                if name.starts_with(super::KERNEL_PREFIX) { Some(&of_kernel) } else { facts.get(name) };
            facts.cloned().unwrap_or_default()
        };
        let arch = manifest.board.arch.name();
        let board =
            layout.names.iter().map(|name| part(into, name, &of(name), arch)).collect::<Result<_, _>>()?;
        let mut host = Layout { into: &into.join("host"), names: BTreeSet::new() };
        for program in TOOL_PROGRAMS {
            host.copy(&self.folder.join("host/bin").join(program), TOOL, &format!("usr/bin/{program}"))?;
        }
        let of_tool = facts.get("host-hearth-erofs-utils").cloned().unwrap_or_default();
        let tools = vec![part(host.into, TOOL, &of_tool, std::env::consts::ARCH)?];
        manifest.parts.kernel = kernel;
        manifest.parts.suites = Vec::new();
        manifest.parts.tools = vec![TOOL.to_owned()];
        Ok(Adopted { manifest, board: PartSet::of(board), tools: PartSet::of(tools) })
    }

    /// Which package installed a file, by its path without a leading slash.
    fn owners(&self) -> Result<BTreeMap<String, String>, BuildrootError> {
        let path = self.folder.join("build/packages-file-list.txt");
        let text = fs::read_to_string(&path).map_err(at(&path))?;
        let mut owners = BTreeMap::new();
        for (number, line) in text.lines().enumerate() {
            let Some((package, file)) = line.split_once(",./") else {
                let line = number.saturating_add(1);
                return Err(BuildrootError::Line { path, line, form: "<package>,./<path>" });
            };
            owners.insert(unified(file), package.to_owned());
        }
        Ok(owners)
    }

    fn facts(&self) -> Result<BTreeMap<String, Fact>, BuildrootError> {
        let path = self.folder.join("build/hearth-packages.txt");
        let text = fs::read_to_string(&path).map_err(at(&path))?;
        let mut facts = BTreeMap::new();
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.is_empty()) {
            let mut fields = line.splitn(3, '|').map(|field| field.trim().to_owned());
            let (Some(name), Some(version), Some(licence)) = (fields.next(), fields.next(), fields.next())
            else {
                let line = number.saturating_add(1);
                return Err(BuildrootError::Line { path, line, form: "<package>|<version>|<licence>" });
            };
            facts.insert(name, Fact { version, licence });
        }
        Ok(facts)
    }

    /// The files that the manifest names, by the packages that installed them.
    fn files(
        &self,
        manifest: &Manifest,
        owners: &BTreeMap<String, String>,
        layout: &mut Layout<'_>,
    ) -> Result<BTreeMap<String, Vec<String>>, BuildrootError> {
        let triplet = format!("{}/", manifest.board.arch.library_folder());
        let mut files: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for path in manifest.parts.files.values().flatten() {
            // Buildroot has one architecture, so that its libraries need no folder of their own.
            let there = path.trim_start_matches('/').replacen(&triplet, "", 1);
            let owner = owners
                .get(&unified(&there))
                .ok_or_else(|| BuildrootError::NotInstalled { path: there.clone() })?;
            layout.copy(&self.folder.join("target").join(&there), owner, path.trim_start_matches('/'))?;
            files.entry(owner.clone()).or_default().push(path.clone());
        }
        Ok(files)
    }

    /// All shared libraries; the root takes those that something there needs.
    fn libraries(
        &self,
        manifest: &Manifest,
        owners: &BTreeMap<String, String>,
        layout: &mut Layout<'_>,
    ) -> Result<Vec<String>, BuildrootError> {
        let folder = self.folder.join("target/usr/lib");
        let triplet = manifest.board.arch.library_folder();
        let mut packages = BTreeSet::new();
        for path in list(&folder)? {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let owner = owners.get(&format!("usr/lib/{name}"));
            if let Some(owner) = owner.filter(|_| name.contains(".so") && path.is_file()) {
                layout.copy(&path, owner, &format!("usr/lib/{triplet}/{name}"))?;
                packages.insert(owner.clone());
            }
        }
        Ok(packages.into_iter().collect())
    }

    /// Kernel and modules as one part, as the distribution's kernel packages are; returns the release.
    fn kernel(&self, layout: &mut Layout<'_>) -> Result<String, BuildrootError> {
        let images = self.folder.join("images");
        let modules = self.folder.join("target/usr/lib/modules");
        let releases = list(&modules)?;
        let [folder] = releases.as_slice() else { return Err(BuildrootError::Kernel { path: modules }) };
        let release = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let kernels: Vec<PathBuf> =
            KERNELS.iter().map(|name| images.join(name)).filter(|path| path.is_file()).collect();
        let [kernel] = kernels.as_slice() else { return Err(BuildrootError::Kernel { path: images }) };
        let name = format!("{}{release}", super::KERNEL_PREFIX);
        layout.copy(kernel, &name, &format!("boot/vmlinuz-{release}"))?;
        let to = format!("usr/lib/modules/{release}");
        layout.copy(&folder.join("modules.builtin"), &name, &format!("{to}/modules.builtin"))?;
        layout.tree(&folder.join("kernel"), &name, &format!("{to}/kernel"))?;
        // What was compiled outside of the kernel's own source.
        let updates = folder.join("updates");
        if updates.is_dir() {
            layout.tree(&updates, &name, &format!("{to}/{}", crate::own_modules::FOLDER))?;
        }
        Ok(release)
    }

    /// What starts the kernel, which Buildroot puts beside the images and not into the root: loader and stub, or a Raspberry Pi's firmware and
    /// device trees, which lie flat there.
    fn boot(&self, manifest: &Manifest, kernel: &str, layout: &mut Layout<'_>) -> Result<(), BuildrootError> {
        let images = self.folder.join("images");
        let name_of = |path: &str| path.rsplit('/').next().unwrap_or(path).to_owned();
        match &manifest.parts.boot {
            Boot::Uefi(uefi) => {
                for path in [&uefi.stub, &uefi.loader] {
                    let from = images.join(&uefi.package).join(name_of(path));
                    layout.copy(&from, &uefi.package, path.trim_start_matches('/'))?;
                }
            }
            Boot::Pi(pi) => {
                let package = pi.package.as_deref().unwrap_or(PI_FIRMWARE);
                for path in &pi.firmware {
                    let from = images.join(PI_FIRMWARE).join(name_of(path));
                    layout.copy(&from, package, path.trim_start_matches('/'))?;
                }
                for path in &pi.device_trees {
                    layout.copy(&images.join(name_of(path)), kernel, &format!("usr/lib/{kernel}/{path}"))?;
                }
            }
        }
        Ok(())
    }
}

/// Packages laid out in folders of their own.
#[derive(Debug)]
struct Layout<'a> {
    into: &'a Path,
    names: BTreeSet<String>,
}

impl Layout<'_> {
    /// Copies what `from` leads to: a link of the target folder becomes the file.
    fn copy(&mut self, from: &Path, package: &str, path: &str) -> Result<(), BuildrootError> {
        let to = self.into.join(package).join(path);
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder).map_err(at(folder))?;
        }
        fs::copy(from, &to).map_err(at(from))?;
        self.names.insert(package.to_owned());
        Ok(())
    }

    fn tree(&mut self, from: &Path, package: &str, path: &str) -> Result<(), BuildrootError> {
        for entry in list(from)? {
            let to = format!("{path}/{}", entry.file_name().unwrap_or_default().to_string_lossy());
            if entry.is_dir() {
                self.tree(&entry, package, &to)?;
            } else {
                self.copy(&entry, package, &to)?;
            }
        }
        Ok(())
    }
}

/// A laid out package. Its digest is that of names, modes and contents of the files that were taken.
fn part(into: &Path, name: &str, fact: &Fact, architecture: &str) -> Result<Unpacked, BuildrootError> {
    let folder = into.join(name);
    let mut text = String::new();
    let mut size: u64 = 0;
    let mut open = vec![folder.clone()];
    let mut files = Vec::new();
    while let Some(next) = open.pop() {
        for path in list(&next)? {
            if path.is_dir() { open.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    for file in files {
        let about = fs::metadata(&file).map_err(at(&file))?;
        let digest = Sha256::of_file(&file).map_err(at(&file))?;
        let shown = file.strip_prefix(&folder).unwrap_or(&file).display();
        text.push_str(&format!("{shown} {:o} {digest}\n", about.permissions().mode() & 0o777));
        size = size.saturating_add(about.len());
    }
    let package = Package {
        package: name.to_owned(),
        version: fact.version.clone(),
        architecture: architecture.to_owned(),
        source: format!("{name} {}, {}", fact.version, fact.licence),
        file: format!("{name}-{}", fact.version),
        size,
        sha256: Sha256::of(text.as_bytes()),
    };
    Ok(Unpacked { package, folder })
}

/// Folders that are links to those below `usr` are written both ways.
fn unified(path: &str) -> String {
    for folder in ["bin/", "sbin/", "lib/", "lib64/"] {
        if path.starts_with(folder) {
            return unified(&format!("usr/{path}"));
        }
    }
    path.replacen("usr/lib64/", "usr/lib/", 1)
}

fn list(folder: &Path) -> Result<Vec<PathBuf>, BuildrootError> {
    let entries = fs::read_dir(folder).map_err(at(folder))?;
    let mut paths: Vec<PathBuf> =
        entries.map(|entry| entry.map(|entry| entry.path()).map_err(at(folder))).collect::<Result<_, _>>()?;
    paths.sort();
    Ok(paths)
}

fn at(path: &Path) -> impl Fn(io::Error) -> BuildrootError {
    move |source| BuildrootError::File { path: path.to_owned(), source }
}

impl Package {
    /// Whether Buildroot made it from source, and not the distribution.
    #[must_use]
    pub fn is_from_buildroot(&self) -> bool {
        !self.file.ends_with(".deb")
    }
}

impl From<BuildrootError> for PartsError {
    fn from(source: BuildrootError) -> Self {
        Self::Buildroot(Box::new(source))
    }
}

#[cfg(test)]
mod tests;
