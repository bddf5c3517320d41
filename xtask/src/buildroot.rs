//! `cargo xtask buildroot`: builds an image from source with a checkout of Buildroot (docs/buildroot.md).
//!
//! ```text
//! defconfig ─ .config (held against it) ─ make, a line per package ─ kernel's .config (held against its fragments) ─ image
//! ```
//! Everything is written outside of the checkout and of the repository's sources, below `target/hearth/buildroot/<board>`.

mod configuration;
mod inputs;
mod steps;

#[cfg(test)]
mod rules;

use crate::command::repository;
use crate::command::target;
use crate::console;
use crate::host_packages;
use crate::host_packages::say;
use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use clap::Args;
use configuration::Settings;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::time::Instant;
use steps::Make;

/// The file that names the one release of Buildroot the external tree is for.
const RELEASE: &str = "release";

/// Which image, from which checkout.
#[derive(Args, Clone, Debug)]
pub(crate) struct BuildrootArguments {
    /// Board, by the name of its defconfig (`hearth_<board>_defconfig`)
    #[arg(long)]
    board: String,
    /// Checkout of the release of Buildroot that buildroot-ext/release names
    #[arg(long)]
    tree: PathBuf,
    /// Folder with all sources, instead of upstream's sites
    #[arg(long)]
    mirror: Option<PathBuf>,
    /// Folder made by buildroot-ext/substitutes: other sources and another compiler. The result is no release
    #[arg(long)]
    substitutes: Option<PathBuf>,
    /// With substitutes: folder with Hearth's programs and hearth-image, instead of building them with this machine's cargo
    #[arg(long, requires = "substitutes")]
    programs: Option<PathBuf>,
    /// Folder for everything that is built, by default target/hearth/buildroot/<board>
    #[arg(long)]
    out: Option<PathBuf>,
    /// Ends after this target of Buildroot (`toolchain`, `linux`, `hearth`, `source`) instead of making the image
    #[arg(long)]
    until: Option<String>,
}

/// Builds the board's image, or what `--until` names.
///
/// # Errors
/// When the checkout is of another release, a setting was lost, or Buildroot fails: the text names the log.
pub(crate) fn buildroot(arguments: &BuildrootArguments) -> Result<()> {
    let external = repository().join("buildroot-ext");
    let defconfig = external.join("configs").join(format!("hearth_{}_defconfig", arguments.board));
    let wanted = fs::read_to_string(&defconfig).with_context(|| {
        format!("reading {}: is {:?} one of the boards there?", defconfig.display(), arguments.board)
    })?;
    let tree = absolute(&arguments.tree)?;
    same_release(&external, &tree)?;
    host_packages::ensure(&[host_packages::IMAGE, host_packages::BUILDROOT])?;
    let out = match &arguments.out {
        Some(out) => absolute(out)?,
        None => target().join("hearth/buildroot").join(&arguments.board),
    };
    fs::create_dir_all(&out).with_context(|| format!("making {}", out.display()))?;

    let settings = settings(arguments, &out)?;
    let asked = out.join("hearth_defconfig");
    let text = settings.defconfig(&wanted)?;
    fs::write(&asked, &text).with_context(|| format!("writing {}", asked.display()))?;
    let make = Make {
        tree: &tree,
        external: &external,
        out: &out,
        with_substitutes: settings.substitutes.is_some(),
    };
    make.configure(&asked)?;
    let found = read(&out.join(".config"))?;
    nothing_lost("Buildroot's configuration", &configuration::lost(&text, &found))?;

    let started = Instant::now();
    make.build(arguments.until.as_deref())?;
    say(&format!(
        "Buildroot took {} s; times of packages: {}/build/build-time.log",
        started.elapsed().as_secs(),
        out.display()
    ));
    if settings.substitutes.is_some() {
        say("built from substitutes: this is no release (buildroot-ext/substitutes)");
    }
    kernel(&wanted, &external, &out)
}

/// The fragments of the kernel that was built, all of whose settings must have arrived.
fn kernel(defconfig: &str, external: &Path, out: &Path) -> Result<()> {
    let built = out.join("build");
    let Some(config) = kernel_configuration(&built)? else { return Ok(()) };
    let found = read(&config)?;
    let mut lost = Vec::new();
    for fragment in configuration::fragments(defconfig) {
        lost.extend(configuration::lost(&read(&external.join(&fragment))?, &found));
    }
    nothing_lost("the kernel's configuration", &lost)
}

/// The kernel's folder has its version in its name, and is none of the headers' or the tools'.
fn kernel_configuration(built: &Path) -> Result<Option<PathBuf>> {
    if !built.is_dir() {
        return Ok(None);
    }
    for entry in fs::read_dir(built).with_context(|| format!("listing {}", built.display()))? {
        let path = entry.with_context(|| format!("listing {}", built.display()))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let version = name.strip_prefix("linux-");
        let is_kernel = version
            .is_some_and(|version| version == "custom" || version.starts_with(|c: char| c.is_ascii_digit()));
        if is_kernel && path.join(".config").is_file() {
            return Ok(Some(path.join(".config")));
        }
    }
    Ok(None)
}

/// What a goal of Buildroot needs of this repository. Only the package `hearth` and what comes after it take anything from there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Needed {
    programs: bool,
    console: bool,
}

impl Needed {
    fn of(goal: Option<&str>) -> Self {
        let Some(goal) = goal else { return Self { programs: true, console: true } };
        let is_hearth = ["hearth", "host-hearth"]
            .iter()
            .any(|package| goal == *package || goal.strip_prefix(package).is_some_and(is_step));
        let is_whole = matches!(goal, "all" | "world" | "target-finalize" | "target-post-image");
        Self { programs: is_hearth || is_whole, console: is_whole }
    }
}

/// `<package>-build` and the like; `hearth-erofs-utils` is another package.
fn is_step(rest: &str) -> bool {
    ["-build", "-install", "-install-target", "-rebuild", "-reinstall"].contains(&rest)
}

fn settings(arguments: &BuildrootArguments, out: &Path) -> Result<Settings> {
    let substitutes = arguments.substitutes.as_deref().map(absolute).transpose()?;
    let mirror = match (&arguments.mirror, &substitutes) {
        (Some(mirror), _) => Some(absolute(mirror)?),
        (None, Some(substitutes)) => Some(substitutes.join("mirror")),
        (None, None) => None,
    };
    let needed = Needed::of(arguments.until.as_deref());
    let console = if needed.console { console::build()? } else { console::folder() };
    let shared = target().join("hearth/buildroot");
    let downloads = shared.join("dl");
    let module_key = inputs::module_key(&shared)?;
    let (crates, programs) = match (&substitutes, &arguments.programs) {
        (None, _) if needed.programs => (Some(inputs::crates(out)?), None),
        (None, _) => (Some(inputs::crates_folder(out)), None),
        (Some(_), Some(folder)) => (None, Some(absolute(folder)?)),
        (Some(_), None) if needed.programs => (None, Some(inputs::programs(&arguments.board, out)?)),
        // Named all the same: without it Buildroot would want a compiler for them.
        (Some(_), None) => (None, Some(inputs::programs_folder(out))),
    };
    Ok(Settings { downloads, mirror, substitutes, console, module_key, crates, programs })
}

/// Refuses a checkout of another release: hashes and options are those of one.
fn same_release(external: &Path, tree: &Path) -> Result<()> {
    let wanted = read(&external.join(RELEASE))?;
    let makefile = read(&tree.join("Makefile"))?;
    match configuration::release(&makefile) {
        Some(found) if found == wanted.trim() => Ok(()),
        Some(found) => {
            bail!("{} is Buildroot {found}; the external tree is for {}", tree.display(), wanted.trim())
        }
        None => bail!("{} is no checkout of Buildroot", tree.display()),
    }
}

fn nothing_lost(what: &str, lost: &[String]) -> Result<()> {
    if lost.is_empty() {
        return Ok(());
    }
    bail!(
        "{what} lacks what was asked for (a dependency is missing, or the option is gone):\n  {}",
        lost.join("\n  ")
    )
}

fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).with_context(|| format!("finding {}", path.display()))
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernel_and_packages_need_neither_programs_nor_console() {
        for goal in
            ["toolchain", "linux", "source", "cryptsetup", "systemd-boot-efi", "host-hearth-erofs-utils"]
        {
            assert_eq!(Needed::of(Some(goal)), Needed { programs: false, console: false }, "{goal}");
        }
        for goal in ["hearth", "hearth-rebuild", "host-hearth"] {
            assert_eq!(Needed::of(Some(goal)), Needed { programs: true, console: false }, "{goal}");
        }
        for goal in [None, Some("all"), Some("world"), Some("target-post-image")] {
            assert_eq!(Needed::of(goal), Needed { programs: true, console: true }, "{goal:?}");
        }
    }
}
