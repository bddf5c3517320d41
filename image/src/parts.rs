//! The packages an image is made from: which exact versions, fetched once, unpacked side by side.
//!
//! What is chosen once is written to a lock file in the cache; later builds take the same files and need no network. A new
//! choice is made when the manifest asks for other packages or the caller asks for it ([`Choice::Newest`]).
//!
//! ```text
//! cache/lock-<request>.json        the choice: package, version, file, digest
//! cache/apt-<arch>/                the package manager's private state
//! cache/debs/<file>.deb            as fetched
//! cache/unpacked/<file>-<digest>/  each package in a folder of its own
//! ```

pub mod buildroot;
pub(crate) mod overlay;
pub mod program;

use crate::apt::Apt;
use crate::apt::AptError;
use crate::digest::Sha256;
use crate::manifest;
use crate::manifest::Arch;
use crate::progress::Progress;
use crate::tool;
use crate::tool::ToolError;
use rustix::fs::FlockOperation;
use serde::Deserialize;
use serde::Serialize;
use std::fs;
use std::fs::File;
use std::io;
use std::path::Path;
use std::path::PathBuf;

/// Prefix of real kernel packages' names; the manifest names the package that depends on the newest one.
const KERNEL_PREFIX: &str = "linux-image-";
/// Prefixes of packages that a kernel package depends on where its files are spread over several.
const KERNEL_PIECES: [&str; 3] = ["linux-base-", "linux-binary-", "linux-modules-"];

/// Whether versions may change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    /// The versions of the last build, when there was one.
    #[default]
    Kept,
    /// The newest that the suites have now.
    Newest,
}

/// Packages wanted for one architecture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) arch: Arch,
    pub(crate) suites: Vec<String>,
    /// Sections of the suites beside those that the build machine takes packages from.
    pub(crate) sections: Vec<String>,
    pub(crate) packages: Vec<String>,
    /// Package that depends on the kernel.
    pub(crate) kernel: Option<String>,
    /// The suite that it is taken from, if not any.
    pub(crate) kernel_suite: Option<String>,
}

impl Request {
    /// Packages without a kernel.
    pub(crate) fn of(arch: Arch, parts: &manifest::Parts, packages: Vec<String>) -> Self {
        let (suites, sections) = (parts.suites.clone(), parts.sections.clone());
        Self { arch, suites, sections, packages, kernel: None, kernel_suite: None }
    }
}

/// A chosen package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Package {
    /// Its name.
    pub package: String,
    /// Its exact version.
    pub version: String,
    /// The distribution's name of its architecture.
    pub architecture: String,
    /// Source package and version, as `name (version)`.
    pub source: String,
    /// File name.
    pub file: String,
    /// Size of the file, bytes.
    pub size: u64,
    /// Digest of the file.
    pub sha256: Sha256,
}

/// A chosen package and the folder it is unpacked in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unpacked {
    pub(crate) package: Package,
    pub(crate) folder: PathBuf,
}

/// Parts cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum PartsError {
    /// The cache cannot be used.
    #[error("cannot use {path}")]
    Cache {
        /// File or folder.
        path: PathBuf,
        /// Cause.
        #[source]
        source: io::Error,
    },
    /// A lock file is damaged.
    #[error("{path} is no list of packages (remove it to choose again)")]
    Lock {
        /// The file.
        path: PathBuf,
        /// Cause.
        #[source]
        source: serde_json::Error,
    },
    /// The package manager failed.
    #[error(transparent)]
    Apt(#[from] AptError),
    /// A fetched file is not what was chosen.
    #[error("{file} has the digest {found}, not {expected}")]
    Digest {
        /// The file.
        file: String,
        /// As chosen.
        expected: Sha256,
        /// As computed.
        found: Sha256,
    },
    /// A package cannot be read or unpacked.
    #[error("cannot unpack {file}")]
    Unpack {
        /// The file.
        file: String,
        /// Cause.
        #[source]
        source: ToolError,
    },
    /// A file that a package should have is missing.
    #[error("package {package} {version} has no file {path}")]
    NoFile {
        /// The package.
        package: String,
        /// Its version.
        version: String,
        /// The path.
        path: String,
    },
    /// What Buildroot left cannot be used.
    #[error(transparent)]
    Buildroot(Box<buildroot::BuildrootError>),
    /// A package is needed but not listed.
    #[error("package {package} is not among the parts")]
    NotListed {
        /// Its name.
        package: String,
    },
}

/// The parts of a build, by package.
#[derive(Clone, Debug)]
pub(crate) struct PartSet {
    parts: Vec<Unpacked>,
    /// The kernel's package; where its files are spread over several, a folder with them all.
    kernel: Option<Unpacked>,
}

impl PartSet {
    /// Chooses, fetches and unpacks, as far as that has not been done before.
    pub(crate) fn prepare(
        cache: &Path,
        request: &Request,
        choice: Choice,
        progress: &dyn Progress,
    ) -> Result<Self, PartsError> {
        let debs = cache.join("debs");
        fs::create_dir_all(&debs).map_err(at(&debs))?;
        // Two builds at a time would write over each other's files.
        let guard = cache.join("guard");
        let guard_file = File::create(&guard).map_err(at(&guard))?;
        rustix::fs::flock(&guard_file, FlockOperation::LockExclusive).map_err(|e| at(&guard)(e.into()))?;
        let lock = cache.join(format!("lock-{}.json", key(request)));
        let kept = match choice {
            Choice::Kept => read_lock(&lock)?,
            Choice::Newest => None,
        };
        let packages = match kept {
            Some(packages) => refetch(cache, request, packages, progress)?,
            None => choose(cache, request, progress)?,
        };
        write_lock(&lock, &packages)?;
        progress.step("Unpacking packages");
        let mut parts = Vec::new();
        for package in packages {
            let folder = unpack(cache, &package)?;
            parts.push(Unpacked { package, folder });
        }
        let kernel = kernel(cache, &parts)?;
        Ok(Self { parts, kernel })
    }

    /// Parts that lie there unpacked, the kernel's in one piece.
    pub(crate) fn of(parts: Vec<Unpacked>) -> Self {
        let kernel = parts.iter().find(|part| part.package.package.starts_with(KERNEL_PREFIX)).cloned();
        Self { parts, kernel }
    }

    /// The same with another kernel part.
    pub(crate) fn with_kernel(self, kernel: Unpacked) -> Self {
        Self { parts: self.parts, kernel: Some(kernel) }
    }

    /// Every part, by name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Unpacked> {
        self.parts.iter()
    }

    /// The part of that name.
    pub(crate) fn get(&self, package: &str) -> Result<&Unpacked, PartsError> {
        self.parts
            .iter()
            .find(|part| part.package.package == package)
            .ok_or_else(|| PartsError::NotListed { package: package.to_owned() })
    }

    /// The kernel image's part.
    pub(crate) fn kernel(&self) -> Result<&Unpacked, PartsError> {
        self.kernel.as_ref().ok_or_else(|| PartsError::NotListed { package: KERNEL_PREFIX.to_owned() })
    }
}

impl Unpacked {
    /// A regular file of the package, by its path there.
    pub(crate) fn file(&self, path: &str) -> Result<PathBuf, PartsError> {
        let file = self.folder.join(path.trim_start_matches('/'));
        if file.is_file() {
            return Ok(file);
        }
        Err(PartsError::NoFile {
            package: self.package.package.clone(),
            version: self.package.version.clone(),
            path: path.to_owned(),
        })
    }
}

fn at(path: &Path) -> impl Fn(io::Error) -> PartsError {
    move |source| PartsError::Cache { path: path.to_owned(), source }
}

/// The kernel's package, laid over those that have the rest of its files.
fn kernel(cache: &Path, parts: &[Unpacked]) -> Result<Option<Unpacked>, PartsError> {
    let named = |prefix: &str| parts.iter().find(|part| part.package.package.starts_with(prefix));
    let Some(image) = named(KERNEL_PREFIX) else { return Ok(None) };
    let pieces: Vec<&Path> =
        KERNEL_PIECES.iter().filter_map(|prefix| named(prefix)).map(|part| part.folder.as_path()).collect();
    if pieces.is_empty() {
        return Ok(Some(image.clone()));
    }
    let name = image.folder.file_name().unwrap_or_default().to_string_lossy();
    let folder = overlay::lay_out(&pieces, &cache.join("unpacked").join(format!("{name}-whole")))?;
    Ok(Some(Unpacked { package: image.package.clone(), folder }))
}

/// Equal requests share a choice.
fn key(request: &Request) -> String {
    let Request { arch, suites, sections, packages, kernel, kernel_suite } = request;
    // What was chosen before there were sections and kernels of other suites stays chosen.
    let mut text = format!(
        "Request {{ arch: {arch:?}, suites: {suites:?}, packages: {packages:?}, kernel: {kernel:?} }}"
    );
    if !sections.is_empty() || kernel_suite.is_some() {
        text.push_str(&format!(" {sections:?} {kernel_suite:?}"));
    }
    let mut key = Sha256::of(text.as_bytes()).to_string();
    key.truncate(16);
    format!("{}-{key}", request.arch.name())
}

fn read_lock(path: &Path) -> Result<Option<Vec<Package>>, PartsError> {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|source| PartsError::Lock { path: path.to_owned(), source }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(at(path)(error)),
    }
}

fn write_lock(path: &Path, packages: &[Package]) -> Result<(), PartsError> {
    let error = |source| PartsError::Lock { path: path.to_owned(), source };
    let text = serde_json::to_vec_pretty(packages).map_err(error)?;
    let aside = path.with_extension("new");
    fs::write(&aside, text).map_err(at(&aside))?;
    fs::rename(&aside, path).map_err(at(path))
}

/// Makes a new choice and fetches what is not there.
fn choose(cache: &Path, request: &Request, progress: &dyn Progress) -> Result<Vec<Package>, PartsError> {
    progress.step("Fetching package indexes");
    let apt = open(cache, request)?;
    let mut names = request.packages.clone();
    if let Some(meta) = &request.kernel {
        let image = apt.dependency(meta, KERNEL_PREFIX, request.arch, request.kernel_suite.as_deref())?;
        let release = image.trim_start_matches(KERNEL_PREFIX);
        for piece in KERNEL_PIECES.map(|prefix| format!("{prefix}{release}")) {
            if apt.depends(&image, &piece)? {
                names.push(piece);
            }
        }
        names.push(image);
    }
    names.sort();
    names.dedup();
    let offers = apt.offers(&names, request.arch)?;
    let debs = cache.join("debs");
    let mut absent = Vec::new();
    for offer in &offers {
        if !is_there(&debs.join(&offer.file), offer.size, offer.sha256)? {
            absent.push(offer.package.clone());
        }
    }
    fetch(&apt, &absent, &debs, progress)?;
    offers
        .into_iter()
        .map(|offer| {
            let path = debs.join(&offer.file);
            check(&path, &offer.file, offer.sha256)?;
            describe(&path, offer.file, offer.size, offer.sha256)
        })
        .collect()
}

/// Fetches what a kept choice lacks, in exactly the chosen versions.
fn refetch(
    cache: &Path,
    request: &Request,
    packages: Vec<Package>,
    progress: &dyn Progress,
) -> Result<Vec<Package>, PartsError> {
    let debs = cache.join("debs");
    let mut absent = Vec::new();
    for package in &packages {
        if !is_there(&debs.join(&package.file), package.size, package.sha256)? {
            absent.push(format!("{}={}", package.package, package.version));
        }
    }
    if !absent.is_empty() {
        let apt = open(cache, request)?;
        fetch(&apt, &absent, &debs, progress)?;
    }
    for package in &packages {
        check(&debs.join(&package.file), &package.file, package.sha256)?;
    }
    Ok(packages)
}

/// The package manager, with fresh indexes.
fn open(cache: &Path, request: &Request) -> Result<Apt, PartsError> {
    let folder = cache.join(format!("apt-{}", request.arch.name()));
    let apt = Apt::open(&folder, request.arch, &request.suites, &request.sections)?;
    apt.update()?;
    Ok(apt)
}

fn fetch(apt: &Apt, packages: &[String], debs: &Path, progress: &dyn Progress) -> Result<(), PartsError> {
    if !packages.is_empty() {
        progress.step(&format!("Fetching {} packages", packages.len()));
        apt.download(packages, debs, progress)?;
    }
    Ok(())
}

/// Whether the file is there and whole; a damaged one is removed, because the package manager would keep it.
fn is_there(path: &Path, size: u64, sha256: Sha256) -> Result<bool, PartsError> {
    match fs::metadata(path) {
        Ok(found) if found.len() == size && Sha256::of_file(path).map_err(at(path))? == sha256 => Ok(true),
        Ok(_) => fs::remove_file(path).map(|()| false).map_err(at(path)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(at(path)(error)),
    }
}

fn check(path: &Path, file: &str, expected: Sha256) -> Result<(), PartsError> {
    let found = Sha256::of_file(path).map_err(at(path))?;
    if found == expected {
        return Ok(());
    }
    Err(PartsError::Digest { file: file.to_owned(), expected, found })
}

/// Reads name, version and source from the package itself.
fn describe(path: &Path, file: String, size: u64, sha256: Sha256) -> Result<Package, PartsError> {
    let mut command = tool::command("dpkg-deb");
    let control = tool::output(command.arg("--field").arg(path))
        .map_err(|source| PartsError::Unpack { file: file.clone(), source })?;
    let field = |name: &str| {
        let mut lines = control.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).unwrap_or_default().to_owned()
    };
    let (package, version) = (field("Package"), field("Version"));
    // The field is left out when it would repeat the package, and the version when it would repeat the version.
    let source = match field("Source") {
        source if source.is_empty() => format!("{package} ({version})"),
        source if source.contains('(') => source,
        source => format!("{source} ({version})"),
    };
    Ok(Package { package, version, architecture: field("Architecture"), source, file, size, sha256 })
}

/// Unpacks aside and renames, so that a folder that exists is whole.
fn unpack(cache: &Path, package: &Package) -> Result<PathBuf, PartsError> {
    let mut digest = package.sha256.to_string();
    digest.truncate(16);
    let name = format!("{}-{digest}", package.file.trim_end_matches(".deb"));
    let folder = cache.join("unpacked").join(&name);
    if folder.is_dir() {
        return Ok(folder);
    }
    let aside = cache.join("unpacked").join(format!("{name}.new"));
    if aside.exists() {
        fs::remove_dir_all(&aside).map_err(at(&aside))?;
    }
    fs::create_dir_all(&aside).map_err(at(&aside))?;
    let mut command = tool::command("dpkg-deb");
    tool::output(command.arg("--extract").arg(cache.join("debs").join(&package.file)).arg(&aside))
        .map_err(|source| PartsError::Unpack { file: package.file.clone(), source })?;
    fs::rename(&aside, &folder).map_err(at(&folder))?;
    Ok(folder)
}

#[cfg(test)]
mod tests;
