//! Kernel modules of our own (`image/modules/<name>`), compiled for the very kernel that a board ships.
//!
//! With the distribution's headers of that kernel, by the kernel's own makefiles (`Documentation/kbuild/modules.rst`). The few programs
//! that these run come from the package `linux-kbuild` of the machine that builds, and are started by the C library that they are linked
//! with: the machine's own may be older. Nothing is installed.
//!
//! ```text
//! cache/unpacked/<kernel>-own-<digest>/                      the kernel's package, and below kernel/hearth/ our modules
//! cache/unpacked/<kernel>-own-<digest>.new/{headers,src}/    while they are made
//! ```

use crate::arch::Arch;
use crate::build::BuildError;
use crate::digest::Sha256;
use crate::manifest::Manifest;
use crate::modules::index;
use crate::parts::Choice;
use crate::parts::PartSet;
use crate::parts::Request;
use crate::parts::Unpacked;
use crate::parts::overlay;
use crate::progress::Progress;
use crate::tool;
use crate::tool::ToolError;
use std::fs;
use std::fs::File;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;

/// Where our modules lie in a kernel's folder of them.
pub(crate) const FOLDER: &str = "kernel/hearth";

/// Programs of the makefiles that compiling a module runs, and what is to run instead: `modpost` chooses its own variant by the machine
/// that it runs on, and would need the loader again.
const PROGRAMS: [(&str, &str); 2] =
    [("basic/fixdep", "basic/fixdep"), ("mod/modpost", "mod/modpost.real-lsb-64")];

/// A module of our own cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum OwnModuleError {
    /// A file or folder cannot be used.
    #[error("cannot use {path}")]
    File {
        /// Which.
        path: PathBuf,
        /// Cause.
        #[source]
        source: io::Error,
    },
    /// The compiler, or what prepares its work.
    #[error("cannot compile the kernel module {module} for {release}")]
    Compile {
        /// Its name.
        module: String,
        /// Of which kernel.
        release: String,
        /// Cause.
        #[source]
        source: ToolError,
    },
}

/// What modules are made with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Means<'a> {
    /// Our modules' folders: `image/modules`.
    pub(crate) sources: &'a Path,
    /// Folder that keeps packages; absolute.
    pub(crate) cache: &'a Path,
    pub(crate) choice: Choice,
    pub(crate) progress: &'a dyn Progress,
}

/// The kernel's package with the board's modules of our own among its modules; the package as it is, where a board has none.
pub(crate) fn add(means: Means<'_>, manifest: &Manifest, kernel: &Unpacked) -> Result<Unpacked, BuildError> {
    let names: Vec<&str> = manifest.kernel.own_modules.iter().map(|entry| entry.value.as_str()).collect();
    if names.is_empty() {
        return Ok(kernel.clone());
    }
    let (_, release) = index::folder(&kernel.folder)?;
    let headers = headers(means, manifest, &release)?;
    let programs = programs(means, manifest, &release)?;
    let digest = digest(means.sources, &names, kernel, headers.iter().chain(programs.iter()))?;
    let of_kernel = kernel.folder.file_name().unwrap_or_default().to_string_lossy();
    let folder = means.cache.join("unpacked").join(format!("{of_kernel}-own-{digest}"));
    let whole = Unpacked { package: kernel.package.clone(), folder };
    // Two builds at a time would write over each other's files.
    let guard = means.cache.join("own-modules-guard");
    let _held = File::create(&guard).and_then(|file| file.lock().map(|()| file)).map_err(at(&guard))?;
    if whole.folder.is_dir() {
        return Ok(whole);
    }
    means.progress.step("Compiling kernel modules");
    let work = Work { arch: manifest.board.arch, release: &release, folder: &aside(&whole.folder) };
    if work.folder.exists() {
        fs::remove_dir_all(work.folder).map_err(at(work.folder))?;
    }
    fs::create_dir_all(work.folder).map_err(at(work.folder))?;
    work.lay_out(&headers, &programs)?;
    let made = names.iter().map(|name| work.compile(means.sources, name)).collect::<Result<Vec<_>, _>>()?;
    let packages = [kernel.folder.as_path(), &work.folder.join("made")];
    let to = work.folder.join("made").join("usr/lib/modules").join(&release).join(FOLDER);
    fs::create_dir_all(&to).map_err(at(&to))?;
    for module in &made {
        let place = to.join(module.file_name().unwrap_or_default());
        fs::rename(module, &place).map_err(at(&place))?;
    }
    overlay::lay_out(&packages, &whole.folder)?;
    fs::remove_dir_all(work.folder).map_err(at(work.folder))?;
    Ok(whole)
}

/// The kernel's headers: those of its build, and those that all builds of that source share.
fn headers(means: Means<'_>, manifest: &Manifest, release: &str) -> Result<PartSet, BuildError> {
    let packages =
        vec![format!("linux-headers-{release}"), format!("linux-headers-{}-common", source(release))];
    let request = Request::of(manifest.board.arch, &manifest.parts, packages);
    Ok(PartSet::prepare(means.cache, &request, means.choice, means.progress)?)
}

/// The programs of the kernel's makefiles, and the C library that starts them.
fn programs(means: Means<'_>, manifest: &Manifest, release: &str) -> Result<PartSet, BuildError> {
    let machine = Arch::of_machine().ok_or(BuildError::Machine)?;
    let packages = vec!["libc6".to_owned(), format!("linux-kbuild-{}", source(release))];
    let request = Request { sections: Vec::new(), ..Request::of(machine, &manifest.parts, packages) };
    Ok(PartSet::prepare(means.cache, &request, means.choice, means.progress)?)
}

/// A release without its last word, which names the build: `6.12.117+deb13-cloud-arm64` is of the source `6.12.117+deb13`.
fn source(release: &str) -> &str {
    release.split_once('-').map_or(release, |(source, _build)| source)
}

/// Changes with everything that a module is made from.
fn digest<'a>(
    sources: &Path,
    names: &[&str],
    kernel: &Unpacked,
    parts: impl Iterator<Item = &'a Unpacked>,
) -> Result<String, OwnModuleError> {
    let mut all = kernel.package.sha256.to_string();
    for part in parts {
        all.push_str(&part.package.sha256.to_string());
    }
    for name in names {
        for path in files(&sources.join(name))? {
            all.push_str(&path.to_string_lossy());
            all.push_str(&Sha256::of_file(&path).map_err(at(&path))?.to_string());
        }
    }
    let mut digest = Sha256::of(all.as_bytes()).to_string();
    digest.truncate(16);
    Ok(digest)
}

/// The files of a folder, in order.
fn files(folder: &Path) -> Result<Vec<PathBuf>, OwnModuleError> {
    let entries = fs::read_dir(folder).map_err(at(folder))?;
    let mut files = entries
        .map(|entry| Ok(entry.map_err(at(folder))?.path()))
        .collect::<Result<Vec<_>, OwnModuleError>>()?;
    files.sort();
    Ok(files)
}

/// A folder beside, for what is not whole yet.
fn aside(folder: &Path) -> PathBuf {
    let mut aside = folder.as_os_str().to_owned();
    aside.push(".making");
    PathBuf::from(aside)
}

/// Where modules of one kernel are compiled.
struct Work<'a> {
    arch: Arch,
    release: &'a str,
    folder: &'a Path,
}

impl Work<'_> {
    fn headers(&self) -> PathBuf {
        self.folder.join("headers")
    }

    /// Lays headers and programs over each other, as they would be installed.
    fn lay_out(&self, headers: &PartSet, programs: &PartSet) -> Result<(), BuildError> {
        let libc = programs.get("libc6")?;
        let of_kernel = programs.iter().filter(|part| part.package.package != libc.package.package);
        let packages: Vec<&Path> =
            headers.iter().chain(of_kernel).map(|part| part.folder.as_path()).collect();
        let folder = overlay::lay_out(&packages, &self.headers())?;
        let scripts = folder.join(format!("usr/lib/linux-kbuild-{}/scripts", source(self.release)));
        for (name, runs) in PROGRAMS {
            start_by(&libc.folder, &scripts.join(name), &scripts.join(runs))?;
        }
        Ok(())
    }

    /// Compiles one module; returns its file.
    fn compile(&self, sources: &Path, name: &str) -> Result<PathBuf, OwnModuleError> {
        let folder = self.folder.join("src").join(name);
        fs::create_dir_all(&folder).map_err(at(&folder))?;
        for path in files(&sources.join(name))? {
            let to = folder.join(path.file_name().unwrap_or_default());
            fs::copy(&path, &to).map_err(at(&to))?;
        }
        let headers = self.headers().join("usr/src");
        let build = headers.join(format!("linux-headers-{}", self.release));
        let makefile = headers.join(format!("linux-headers-{}-common/Makefile", source(self.release)));
        let tools = format!("{}-", self.arch.library_folder());
        let mut command = tool::command("make");
        // Words of the machine's environment would be taken for settings.
        for variable in
            ["ARCH", "CROSS_COMPILE", "KBUILD_OUTPUT", "KCFLAGS", "MAKEFLAGS", "MAKELEVEL", "O", "V"]
        {
            command.env_remove(variable);
        }
        command.arg("-f").arg(makefile).arg("-C").arg(&build);
        command.args([
            format!("KBUILD_OUTPUT={}", build.display()),
            format!("M={}", folder.display()),
            format!("ARCH={}", self.arch.name()),
            format!("CROSS_COMPILE={tools}"),
            // The packages ask for the very compiler of the kernel.
            format!("CC={tools}gcc"),
            // Neither a compiler before GCC 13 nor a machine without pahole knows these.
            "CONFIG_CC_HAS_MIN_FUNCTION_ALIGNMENT=".to_owned(),
            "CONFIG_DEBUG_INFO_BTF_MODULES=".to_owned(),
            // Equal bytes wherever it is built.
            format!("KCFLAGS=-g0 -ffile-prefix-map={}=.", self.folder.display()),
            "modules".to_owned(),
        ]);
        tool::output(&mut command).map_err(|source| OwnModuleError::Compile {
            module: name.to_owned(),
            release: self.release.to_owned(),
            source,
        })?;
        Ok(folder.join(format!("{name}.ko")))
    }
}

/// Replaces a program by one that starts `runs` with the loader and the libraries of a C library that lies unpacked. What is there is a
/// package's own file, by a hard link: it is not written to.
fn start_by(libc: &Path, program: &Path, runs: &Path) -> Result<(), OwnModuleError> {
    let mut original = runs.to_owned();
    if program == runs {
        original.set_extension("original");
        fs::rename(program, &original).map_err(at(program))?;
    } else {
        fs::remove_file(program).map_err(at(program))?;
    }
    let libraries = [libc.join("usr/lib"), libc.join("usr/lib64")].iter().try_fold(
        Vec::new(),
        |mut all, folder| -> Result<_, OwnModuleError> {
            if folder.is_dir() {
                all.extend(files(folder)?);
            }
            Ok(all)
        },
    )?;
    let is_loader =
        |path: &&PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("ld-linux"));
    let folder = libraries.iter().find(|path| path.join("libc.so.6").is_file());
    let (Some(loader), Some(folder)) = (libraries.iter().find(is_loader), folder) else {
        return Err(at(libc)(io::ErrorKind::NotFound.into()));
    };
    let text = format!(
        "#!/bin/sh\nexec '{}' --library-path '{}' '{}' \"$@\"\n",
        loader.display(),
        folder.display(),
        original.display()
    );
    fs::write(program, text).map_err(at(program))?;
    fs::set_permissions(program, fs::Permissions::from_mode(0o755)).map_err(at(program))
}

fn at(path: &Path) -> impl Fn(io::Error) -> OwnModuleError {
    move |source| OwnModuleError::File { path: path.to_owned(), source }
}
