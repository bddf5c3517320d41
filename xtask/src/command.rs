//! Running other programs: says what runs, and names the program and its purpose when it fails.

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use std::ffi::OsStr;
use std::ffi::OsString;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;

/// A program to run.
#[derive(Debug)]
pub(crate) struct Program {
    command: Command,
    text: String,
}

/// The folder of the workspace.
pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

/// Where cargo writes: `CARGO_TARGET_DIR` or `target` in the repository.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| repository().join("target"), PathBuf::from)
}

/// Cargo in the repository, with the same cargo that runs xtask.
///
/// Without what cargo told xtask about the package xtask: ring's build script looks at it, and all that stands on ring
/// would be compiled anew whenever cargo is started by xtask after it was started by hand.
pub(crate) fn cargo<A: Into<OsString>>(arguments: impl IntoIterator<Item = A>) -> Program {
    let mut program = Program::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()), arguments);
    for (name, _value) in std::env::vars_os().filter(|(name, _value)| tells_of_a_package(name)) {
        program.command.env_remove(name);
    }
    program
}

/// Variables that cargo sets for the package whose program it runs.
fn tells_of_a_package(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
}

impl Program {
    /// A program started in the repository's folder.
    pub(crate) fn new<A: Into<OsString>>(
        program: impl AsRef<OsStr>,
        arguments: impl IntoIterator<Item = A>,
    ) -> Self {
        let mut command = Command::new(program.as_ref());
        let mut text = Path::new(program.as_ref())
            .file_name()
            .unwrap_or_else(|| program.as_ref())
            .to_string_lossy()
            .into_owned();
        for argument in arguments {
            let argument = argument.into();
            text.push(' ');
            text.push_str(&argument.to_string_lossy());
            command.arg(argument);
        }
        command.current_dir(repository());
        Self { command, text }
    }

    /// Runs in another folder.
    pub(crate) fn folder(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// Sets a variable for the program.
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Runs it and shows its output.
    ///
    /// # Errors
    /// When it cannot be started or ends with another status than 0.
    pub(crate) fn run(mut self) -> Result<()> {
        let status = self
            .command
            .stdin(Stdio::null())
            .status()
            .with_context(|| format!("starting `{}`", self.text))?;
        if !status.success() {
            bail!("`{}` failed ({status})", self.text);
        }
        Ok(())
    }

    /// Runs it and returns its standard output.
    ///
    /// # Errors
    /// When it cannot be started, fails (with its last words) or writes no UTF-8.
    pub(crate) fn output(mut self) -> Result<String> {
        let output = self
            .command
            .stdin(Stdio::null())
            .output()
            .with_context(|| format!("starting `{}`", self.text))?;
        if !output.status.success() {
            bail!("`{}` failed ({}): {}", self.text, output.status, tail(&output.stderr));
        }
        String::from_utf8(output.stdout).with_context(|| format!("reading the output of `{}`", self.text))
    }

    /// Whether it can be started and ends with status 0; shows nothing.
    pub(crate) fn succeeds(mut self) -> bool {
        self.command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }
}

fn tail(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(12)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cargo_tells_of_a_package_is_known_from_what_its_user_sets() {
        for name in ["CARGO_PKG_NAME", "CARGO_MANIFEST_DIR", "CARGO_MANIFEST_LINKS"] {
            assert!(tells_of_a_package(OsStr::new(name)), "{name}");
        }
        for name in ["CARGO", "CARGO_HOME", "CARGO_TARGET_DIR", "CARGO_PROFILE_RELEASE_OPT_LEVEL", "PATH"] {
            assert!(!tells_of_a_package(OsStr::new(name)), "{name}");
        }
    }
}
