//! Running Buildroot's make, and telling from its output where it stands.

use crate::bars::Bars;
use crate::command::Program;
use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use image::progress::Progress;
use std::collections::BTreeSet;
use std::collections::VecDeque;
use std::fs::File;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;

/// How Buildroot announces a step of a package.
const MARK: &str = ">>> ";

/// What `hearth-image` is told besides (`board/hearth/post-image.sh`).
const WORDS: &str = "HEARTH_IMAGE_ARGUMENTS";

/// Lines that are shown when it fails.
const LAST: usize = 15;

/// Where Buildroot is run, and for what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Make<'a> {
    pub(super) tree: &'a Path,
    pub(super) external: &'a Path,
    pub(super) out: &'a Path,
    /// Substitutes are programs of the distribution: they come before what a user installed.
    pub(super) with_substitutes: bool,
}

/// A step as Buildroot announces it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Step<'a> {
    package: &'a str,
    version: &'a str,
}

impl Make<'_> {
    /// Makes `.config` from a defconfig.
    pub(super) fn configure(&self, defconfig: &Path) -> Result<()> {
        let mut arguments = self.arguments();
        arguments.extend([
            "--silent".to_owned(),
            format!("BR2_DEFCONFIG={}", defconfig.display()),
            "defconfig".to_owned(),
        ]);
        Program::new("make", arguments).output().map(|_| ())
    }

    /// Builds everything or one target. All output goes to `build.log`; the terminal gets a line per package.
    pub(super) fn build(&self, goal: Option<&str>) -> Result<()> {
        let order = Program::new(
            "make",
            self.arguments().into_iter().chain(["--silent", "show-build-order"].map(str::to_owned)),
        )
        .output()?;
        let packages = order.split_whitespace().collect::<BTreeSet<_>>().len();
        let log = self.out.join("build.log");
        let mut file = File::create(&log).with_context(|| format!("making {}", log.display()))?;
        let mut command = Command::new("make");
        command.args(self.arguments()).args(goal).stdin(Stdio::null()).stdout(Stdio::piped());
        // One stream, so that an error stands beside the step it belongs to.
        let stderr = file.try_clone().with_context(|| format!("using {}", log.display()))?;
        command.stderr(stderr);
        if rustix::process::geteuid().is_root() {
            // tar refuses to be configured by root otherwise.
            command.env("FORCE_UNSAFE_CONFIGURE", "1");
        }
        if self.with_substitutes {
            let path = std::env::var("PATH").unwrap_or_default();
            command.env("PATH", format!("/usr/bin:/bin:/usr/sbin:/sbin:{path}"));
            // The image says so of itself, and is older than the release of that name.
            let version = concat!("--version ", env!("CARGO_PKG_VERSION"), "~substitutes");
            command.env(WORDS, std::env::var(WORDS).as_deref().unwrap_or(version));
        }
        let mut child = command.spawn().context("starting make")?;
        let bars = Bars::new();
        let mut seen = BTreeSet::new();
        let mut last = VecDeque::new();
        for line in child.stdout.take().into_iter().flat_map(|stream| BufReader::new(stream).split(b'\n')) {
            let line = line.context("reading what make says")?;
            let line = String::from_utf8_lossy(&line);
            writeln!(file, "{line}").with_context(|| format!("writing {}", log.display()))?;
            if let Some(step) = step(&line)
                && seen.insert(step.package.to_owned())
            {
                bars.step(&format!("{} {} ({} of {packages})", step.package, step.version, seen.len()));
            }
            last.push_back(line.into_owned());
            if last.len() > LAST {
                last.pop_front();
            }
        }
        let status = child.wait().context("waiting for make")?;
        bars.finish();
        if !status.success() {
            let last = Vec::from(last).join("\n");
            bail!("Buildroot failed ({status}); everything it said is in {}:\n{last}", log.display());
        }
        Ok(())
    }

    fn arguments(&self) -> Vec<String> {
        vec![
            "-C".to_owned(),
            self.tree.display().to_string(),
            format!("O={}", self.out.display()),
            format!("BR2_EXTERNAL={}", self.external.display()),
        ]
    }
}

/// `>>> package version what`, in reverse video for terminals; packages without a version have two spaces.
fn step(line: &str) -> Option<Step<'_>> {
    let text = line.strip_prefix("\u{1b}[7m").unwrap_or(line).strip_prefix(MARK)?;
    let (package, rest) = text.split_once(' ')?;
    let (version, _what) = rest.split_once(' ')?;
    (!package.is_empty()).then_some(Step { package, version })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_seen() {
        assert_eq!(
            step("\u{1b}[7m>>> cryptsetup 2.8.6 Extracting\u{1b}[27m"),
            Some(Step { package: "cryptsetup", version: "2.8.6" })
        );
        assert_eq!(
            step(">>> toolchain  Installing to target"),
            Some(Step { package: "toolchain", version: "" })
        );
        for line in ["  CC      mm/mempool.o", "echo \">>> a 1 Building\"", ">>>", ">>> a"] {
            assert_eq!(step(line), None, "{line}");
        }
    }
}
