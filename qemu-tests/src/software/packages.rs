//! Debian packages and everything that they need, through the machine's own package manager with nothing installed.

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

/// Where fetched packages lie.
#[derive(Debug)]
pub(crate) struct Packages {
    folder: PathBuf,
}

impl Packages {
    /// Makes the folder, when there is none.
    pub(crate) fn open(folder: &Path) -> Result<Self> {
        let made = fs::create_dir_all(folder.join("archives/partial"))
            .and_then(|()| fs::create_dir_all(folder.join("none/partial")))
            .and_then(|()| fs::write(folder.join("status"), ""));
        made.with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(Self { folder: folder.to_owned() })
    }

    /// Fetches these packages and all that they need; the names of their files.
    pub(crate) fn fetch(&self, names: &[&str]) -> Result<BTreeSet<String>> {
        // What was fetched before is not listed: it looks into a folder without any.
        let listing = self.apt("--print-uris", "none", names)?;
        let files: BTreeSet<String> = listing.lines().filter_map(file_name).map(str::to_owned).collect();
        if files.is_empty() {
            bail!("the package manager finds nothing for {}", names.join(" "));
        }
        if self.files(&files).iter().any(|file| !file.is_file()) {
            self.apt("--download-only", "archives", names)?;
        }
        Ok(files)
    }

    /// Where fetched files lie, in the order of their names.
    pub(crate) fn files(&self, names: &BTreeSet<String>) -> Vec<PathBuf> {
        names.iter().map(|name| self.folder.join("archives").join(name)).collect()
    }

    fn apt(&self, how: &str, archives: &str, names: &[&str]) -> Result<String> {
        let folder = self.folder.display();
        let mut command = Command::new("apt-get");
        command.env("LC_ALL", "C.UTF-8").args([
            "install",
            "--yes",
            "--quiet",
            "--no-install-recommends",
            how,
        ]);
        for setting in [
            // Nothing is installed: everything that is needed is listed.
            format!("Dir::State::status={folder}/status"),
            format!("Dir::Cache={folder}"),
            format!("Dir::Cache::archives={folder}/{archives}"),
            // Nothing but this folder is written, and whoever runs this owns it.
            "Debug::NoLocking=1".to_owned(),
            "APT::Sandbox::User=root".to_owned(),
            "Acquire::Retries=3".to_owned(),
        ] {
            command.args(["-o", &setting]);
        }
        let output = command.args(names).output().context("cannot start apt-get")?;
        if !output.status.success() {
            bail!("apt-get {how} failed: {}", String::from_utf8_lossy(&output.stderr));
        }
        String::from_utf8(output.stdout).context("apt-get printed something that is no text")
    }
}

/// `'<uri>' <file> <size> <digest>`
fn file_name(line: &str) -> Option<&str> {
    let name = line.strip_prefix('\'')?.split(' ').nth(1)?;
    (name.ends_with(".deb") && !name.contains('/')).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_of_packages_are_taken() {
        assert_eq!(file_name("'a://b/c_1%3a2_all.deb' c_1%3a2_all.deb 5 MD5Sum:x"), Some("c_1%3a2_all.deb"));
        for line in ["Reading package lists...", "'a://b' ../c.deb 5 x", "'a://b' c.tar 5 x", "'", ""] {
            assert_eq!(file_name(line), None, "{line}");
        }
    }
}
