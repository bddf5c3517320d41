//! Two slot files, as a release and the next one are: the built image's, and the same with one daemon changed.
//!
//! The second daemon is another real build. The workspace is copied, one line is added to the copy, and the daemons are built as for the
//! image: same command, same features, with a copy of what was compiled before. Paths of the workspace do not get into programs, so that nothing
//! but the line differs. Then the image is built again with that program and the next version.

use crate::bars::Bars;
use crate::command::Program;
use crate::command::repository;
use crate::command::target;
use crate::console;
use crate::programs;
use crate::toolchain::Toolchain;
use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use image::BuildInputs;
use image::BuiltImage;
use image::parts::Choice;
use image::progress::Progress;
use image::root::Programs;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

/// A line that is added.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change {
    /// The daemon.
    pub(crate) daemon: &'static str,
    file: &'static str,
    /// The line is added before the one with this text.
    before: &'static str,
    place: fn(&mut Programs) -> &mut PathBuf,
}

/// The smallest daemon that an update would change, and the largest.
pub(crate) const CHANGES: [Change; 2] = [
    Change {
        daemon: "storaged",
        file: "storaged/src/health.rs",
        before: r#"tracing::info!(bytes, "free blocks were given back to the disk");"#,
        place: |programs| &mut programs.storaged,
    },
    Change {
        daemon: "hostd",
        file: "hostd/src/api/storage.rs",
        before: r#"tracing::info!(from = %call.from, "the owner had a new recovery key made");"#,
        place: |programs| &mut programs.hostd,
    },
];

/// What is added.
const LINE: &str = r#"tracing::warn!("this line was added to measure an update");"#;
/// Of the repository, what no program is made from.
const LEFT_OUT: [&str; 4] = ["target", ".git", "console", "node_modules"];
/// Of the folder that cargo writes, what builds go on from.
const COMPILED: [&str; 3] = [".fingerprint", "build", "deps"];

/// The two.
#[derive(Clone, Debug)]
pub(crate) struct Pair {
    /// What runs.
    pub(crate) old: PathBuf,
    /// The update.
    pub(crate) new: PathBuf,
    /// Its version.
    pub(crate) version: String,
    /// The folder that it was built in.
    pub(crate) built: PathBuf,
    /// The version that runs.
    pub(crate) old_version: String,
    /// Its root folder.
    pub(crate) old_root: PathBuf,
    /// The changed program's length in bytes.
    pub(crate) program_bytes: u64,
}

/// Builds the second one in a folder, which is emptied but for what was compiled.
///
/// # Errors
/// When the change does not fit to the source any more, or something cannot be built.
pub(crate) fn build(change: &Change, built: &BuiltImage, folder: &Path, bars: &Bars) -> Result<Pair> {
    bars.step(&format!("another build of {}", change.daemon));
    let daemon = changed_daemon(change, folder)?;
    let mut all = programs::built(&Toolchain::native()?);
    let place = (change.place)(&mut all);
    let (before, after) = (read(place)?, read(&daemon)?);
    ensure!(before != after, "{} came out as it was", change.daemon);
    *place = daemon;
    bars.step(&format!("the image with the other {}", change.daemon));
    let version = next(&built.version);
    let next = image::build(&BuildInputs {
        repo: &repository(),
        board: &built.board,
        version: &version,
        out: &folder.join(change.daemon),
        cache: &target().join("hearth/parts-cache"),
        programs: &all,
        console: &console::build()?,
        choice: Choice::Kept,
        signer: None,
        policy: None,
        updates: None,
        progress: bars,
    })?;
    let program_bytes = u64::try_from(after.len()).context("the length of a program")?;
    Ok(Pair {
        old: built.slot.clone(),
        new: next.slot,
        version,
        built: next.folder,
        old_version: built.version.clone(),
        old_root: built.folder.join("root"),
        program_bytes,
    })
}

/// A version that follows this one.
fn next(version: &str) -> String {
    format!("{version}.1")
}

fn changed_daemon(change: &Change, folder: &Path) -> Result<PathBuf> {
    let (source, compiled) = (folder.join("source"), folder.join("target"));
    if source.exists() {
        fs::remove_dir_all(&source).with_context(|| format!("removing {}", source.display()))?;
    }
    fs::create_dir_all(&source).with_context(|| format!("making {}", source.display()))?;
    let entries = fs::read_dir(repository()).context("listing the repository")?;
    for entry in entries {
        let name = entry.context("listing the repository")?.file_name();
        if !LEFT_OUT.iter().any(|out| name == *out) {
            copy(&repository().join(&name), &source.join(&name))?;
        }
    }
    if !compiled.exists() {
        // Aside and renamed: half of it would be taken for all of it the next time.
        let aside = folder.join("target.new");
        fs::create_dir_all(aside.join("release")).with_context(|| format!("making {}", aside.display()))?;
        for part in COMPILED {
            copy(&target().join("release").join(part), &aside.join("release").join(part))?;
        }
        fs::rename(&aside, &compiled).with_context(|| format!("naming {}", compiled.display()))?;
    }
    let file = source.join(change.file);
    let text = fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
    fs::write(&file, changed(&text, change.before)?)
        .with_context(|| format!("writing {}", file.display()))?;
    programs::build_daemons(&Toolchain::native()?)
        .folder(&source)
        .env("CARGO_TARGET_DIR", &compiled)
        .run()?;
    Ok(compiled.join("release").join(change.daemon))
}

/// With all times: cargo goes by them.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let (from, to) = (from.as_os_str().to_owned(), to.as_os_str().to_owned());
    let words = ["-a".into(), "--reflink=auto".into(), "--no-target-directory".into(), from, to];
    Program::new::<OsString>("cp", words).run()
}

fn changed(text: &str, before: &str) -> Result<String> {
    let mut lines = Vec::new();
    for line in text.lines() {
        if line.trim() == before {
            let indent = line.split(before).next().unwrap_or_default();
            lines.push(format!("{indent}{LINE}"));
        }
        lines.push(line.to_owned());
    }
    ensure!(lines.len() == text.lines().count() + 1, "the line is not there once: {before}");
    Ok(lines.join("\n") + "\n")
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("reading {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cmp::Ordering;

    #[test]
    fn one_line_is_added() {
        let text = "fn a() {\n    b();\n}\n";
        assert_eq!(changed(text, "b();").unwrap(), format!("fn a() {{\n    {LINE}\n    b();\n}}\n"));
        changed(text, "c();").unwrap_err();
        changed("b();\nb();\n", "b();").unwrap_err();
    }

    #[test]
    fn the_changes_fit_to_the_sources() {
        for change in CHANGES {
            let text = fs::read_to_string(repository().join(change.file)).unwrap();
            changed(&text, change.before).unwrap();
        }
    }

    #[test]
    fn the_next_version_is_above() {
        let version = |text: &str| text.parse::<slots::Version>().unwrap();
        let found = version(&next("0.1.0"));
        assert_eq!(found.order(&version("0.1.0")), Ordering::Greater);
        assert_eq!(found.order(&version("0.1.1")), Ordering::Less);
    }
}
