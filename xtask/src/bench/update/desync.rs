//! desync, which only the newest suite of the distribution has: fetched by the machine's package manager from there, unpacked, not installed.

use crate::command::Program;
use anyhow::Context;
use anyhow::Result;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

const SUITE: &str = "sid";
const PACKAGE: &str = "desync";

/// The program.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    /// Where it lies.
    pub(crate) program: PathBuf,
    /// Its package's version.
    pub(crate) version: String,
}

/// Fetches it into a folder, unless it is there; `None` when the distribution has it no more.
///
/// # Errors
/// When the package manager fails.
pub(crate) fn find(folder: &Path) -> Result<Option<Found>> {
    let unpacked = folder.join("unpacked");
    let version = folder.join("version");
    let found = |version: &str| Found {
        program: unpacked.join("usr/bin").join(PACKAGE),
        version: version.to_owned(),
    };
    // Written last.
    if let Ok(version) = fs::read_to_string(&version) {
        return Ok(Some(found(&version)));
    }
    for part in ["state/lists/partial", "cache/archives/partial", "sources", "unpacked"] {
        let path = folder.join(part);
        fs::create_dir_all(&path).with_context(|| format!("making {}", path.display()))?;
    }
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        fs::write(&path, text).with_context(|| format!("writing {}", path.display()))
    };
    write("status", "")?;
    write("sources/suite.sources", &image::apt::sources::of_machine(&[SUITE.to_owned()], &[])?)?;
    apt("apt-get", folder, &["update", "--error-on=any"])?;
    let policy = apt("apt-cache", folder, &["policy", PACKAGE])?;
    let Some(candidate) = candidate(&policy) else { return Ok(None) };
    apt("apt-get", folder, &["download", PACKAGE])?;
    let mut files = fs::read_dir(folder).with_context(|| format!("listing {}", folder.display()))?;
    let package = files.find_map(|entry| {
        let path = entry.ok()?.path();
        path.extension().is_some_and(|extension| extension == "deb").then_some(path)
    });
    let package = package.context("the package manager fetched no package")?;
    Program::new("dpkg-deb", ["-x".into(), package.into_os_string(), unpacked.clone().into_os_string()])
        .run()?;
    write("version", candidate)?;
    Ok(Some(found(candidate)))
}

/// With a state of its own: another suite than the machine's, nothing installed.
fn apt(program: &str, folder: &Path, words: &[&str]) -> Result<String> {
    let place = folder.display();
    let settings = [
        format!("Dir::State={place}/state"),
        format!("Dir::State::status={place}/status"),
        format!("Dir::Cache={place}/cache"),
        "Dir::Etc::sourcelist=/dev/null".to_owned(),
        format!("Dir::Etc::sourceparts={place}/sources"),
        "Dir::Etc::preferencesparts=/dev/null".to_owned(),
        // The package manager's own user may not enter this folder.
        "APT::Sandbox::User=root".to_owned(),
    ];
    let settings = settings.into_iter().flat_map(|setting| ["-o".to_owned(), setting]);
    let words = settings.chain(words.iter().map(|word| (*word).to_owned()));
    Program::new(program, words.map(OsString::from)).env("LC_ALL", "C.UTF-8").folder(folder).output()
}

/// The version that `apt-cache policy` would take.
fn candidate(policy: &str) -> Option<&str> {
    let found = policy.lines().find_map(|line| line.trim().strip_prefix("Candidate: "))?;
    (found != "(none)").then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_packages_is_not_found() {
        let known = "desync:\n  Installed: (none)\n  Candidate: 1.0.4-1\n  Version table:\n";
        assert_eq!(candidate(known), Some("1.0.4-1"));
        assert_eq!(candidate("desync:\n  Installed: (none)\n  Candidate: (none)\n"), None);
        assert_eq!(candidate(""), None);
    }
}
