//! How programs for a board are built: with this machine's own tools, or across, for a board of another architecture.
//!
//! Across, rustc has a standard library for the board, the distribution's cross compiler compiles C and links, and what it links
//! against are the board's packages, laid out in a folder ([`image::sysroot`]).

use crate::bars::Bars;
use crate::command::Program;
use crate::command::cargo;
use crate::command::repository;
use crate::command::target;
use crate::host_packages;
use crate::host_packages::say;
use anyhow::Context;
use anyhow::Result;
use image::arch::Arch;
use image::parts::Choice;
use image::sysroot;
use image::sysroot::Sysroot;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;

/// What builds programs for one architecture.
#[derive(Debug)]
pub(crate) struct Toolchain {
    arch: Arch,
    /// Variables that lead cargo, build scripts and the linker across; none when the machine builds for itself.
    variables: Vec<(String, OsString)>,
    is_cross: bool,
}

impl Toolchain {
    /// This machine's own.
    ///
    /// # Errors
    /// When no images are made for this machine's architecture.
    pub(crate) fn native() -> Result<Self> {
        let arch = Arch::of_machine().context("no images can be built on this architecture")?;
        Ok(Self { arch, variables: Vec::new(), is_cross: false })
    }

    /// What builds programs for the board; across, what is missing for that is installed and fetched.
    ///
    /// # Errors
    /// When there is no such board, or a part of the toolchain cannot be had.
    pub(crate) fn of_board(board: &str, choice: Choice) -> Result<Self> {
        let native = Self::native()?;
        let arch = sysroot::arch(&repository(), board)?;
        if arch == native.arch {
            return Ok(native);
        }
        host_packages::ensure(&[host_packages::cross(arch)])?;
        ensure_standard_library(arch)?;
        let bars = Bars::new();
        let cache = target().join("hearth/parts-cache");
        let sysroot = sysroot::prepare(&repository(), board, &cache, choice, &bars)?;
        bars.finish();
        let compiler = compiler(&sysroot)?;
        Ok(Self { arch, variables: variables(&sysroot, &compiler), is_cross: true })
    }

    /// The architecture that it builds for.
    pub(crate) fn arch(&self) -> Arch {
        self.arch
    }

    /// Where cargo leaves what was built by [`Toolchain::cargo`].
    pub(crate) fn release(&self) -> PathBuf {
        if self.is_cross { self.release_of_target() } else { target().join("release") }
    }

    /// Where cargo leaves what was built by [`Toolchain::cargo_for_target`].
    pub(crate) fn release_of_target(&self) -> PathBuf {
        target().join(self.arch.triple()).join("release")
    }

    /// Cargo with a command (`build`) and further words, for this architecture.
    pub(crate) fn cargo<'a>(&self, command: &'a str, words: impl IntoIterator<Item = &'a str>) -> Program {
        let across = if self.is_cross { vec!["--target", self.arch.triple()] } else { Vec::new() };
        self.lead([command, "--release"].into_iter().chain(across).chain(words))
    }

    /// The same with results apart from those for the machine that builds, also when the architecture is the same.
    pub(crate) fn cargo_for_target<'a>(
        &self,
        command: &'a str,
        words: impl IntoIterator<Item = &'a str>,
    ) -> Program {
        self.lead([command, "--release", "--target", self.arch.triple()].into_iter().chain(words))
    }

    fn lead<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> Program {
        let program = cargo(words);
        self.variables.iter().fold(program, |program, (name, value)| program.env(name, value))
    }
}

/// The compiler's standard library for the architecture, from where the compiler itself came.
fn ensure_standard_library(arch: Arch) -> Result<()> {
    let triple = arch.triple();
    let folder = Program::new("rustc", ["--print", "target-libdir", "--target", triple]).output()?;
    if Path::new(folder.trim()).is_dir() {
        return Ok(());
    }
    say(&format!("adding Rust's standard library for {triple}"));
    Program::new("rustup", ["target", "add", triple]).run().with_context(|| {
        format!("Rust's standard library for {triple} is missing; a rustc that rustup did not install has it in a package of its own")
    })
}

/// Writes a program that is the distribution's cross compiler with its eyes on the sysroot: linkers and build scripts take one word.
fn compiler(sysroot: &Sysroot) -> Result<PathBuf> {
    let path = target().join("tools").join(format!("cc-{}", sysroot.arch.name()));
    let text = format!(
        "#!/bin/sh\nexec {}-gcc --sysroot='{}' \"$@\"\n",
        sysroot.arch.library_folder(),
        sysroot.folder.display()
    );
    if fs::read_to_string(&path).is_ok_and(|found| found == text) {
        return Ok(path);
    }
    let folder = target().join("tools");
    fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))
        .with_context(|| format!("making {} a program", path.display()))?;
    Ok(path)
}

/// What cargo, the crate `cc`, pkg-config and libseccomp's build script go by.
fn variables(sysroot: &Sysroot, compiler: &Path) -> Vec<(String, OsString)> {
    let triple = sysroot.arch.triple();
    let (lower, upper) = (triple.replace('-', "_"), triple.replace('-', "_").to_uppercase());
    let libraries = sysroot.libraries();
    let descriptions = libraries.join("pkgconfig");
    vec![
        (format!("CARGO_TARGET_{upper}_LINKER"), compiler.into()),
        (format!("CC_{lower}"), compiler.into()),
        (format!("AR_{lower}"), format!("{}-ar", sysroot.arch.library_folder()).into()),
        ("PKG_CONFIG_ALLOW_CROSS".to_owned(), "1".into()),
        (format!("PKG_CONFIG_LIBDIR_{lower}"), descriptions.into()),
        (format!("PKG_CONFIG_SYSROOT_DIR_{lower}"), sysroot.folder.clone().into()),
        // .cargo/config.toml names the machine's own; what is set here wins.
        ("LIBSECCOMP_LIB_PATH".to_owned(), libraries.into()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn across_every_tool_is_led_to_the_boards_packages() {
        let sysroot = Sysroot { arch: Arch::Arm64, folder: "/s".into() };
        let set = variables(&sysroot, Path::new("/cc"));
        let value = |name: &str| set.iter().find(|(found, _)| found == name).map(|(_, value)| value.clone());
        assert_eq!(value("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER"), Some("/cc".into()));
        assert_eq!(value("CC_aarch64_unknown_linux_gnu"), Some("/cc".into()));
        assert_eq!(value("LIBSECCOMP_LIB_PATH"), Some("/s/usr/lib/aarch64-linux-gnu".into()));
        let descriptions = value("PKG_CONFIG_LIBDIR_aarch64_unknown_linux_gnu").unwrap();
        assert_eq!(descriptions, "/s/usr/lib/aarch64-linux-gnu/pkgconfig");
    }

    #[test]
    fn what_is_built_across_lies_apart() {
        let cross = Toolchain { arch: Arch::Arm64, variables: Vec::new(), is_cross: true };
        assert!(cross.release().ends_with("aarch64-unknown-linux-gnu/release"));
        let native = Toolchain { arch: Arch::Amd64, variables: Vec::new(), is_cross: false };
        assert_eq!(native.release(), target().join("release"));
        assert!(native.release_of_target().ends_with("x86_64-unknown-linux-gnu/release"));
    }
}
