//! The package manager with a state of its own: other suites and architectures than the machine's, nothing installed, no root.
//!
//! Where packages come from is the machine's own configuration ([`sources`]): its Debian sources, with the suite's release name
//! replaced. Keys, proxies and credentials are the machine's as well. The package manager checks the signatures and refuses
//! what is not signed; nothing here turns that off.

pub mod sources;

use crate::digest::Sha256;
use crate::manifest::Arch;
use crate::progress::Progress;
use crate::tool;
use crate::tool::ToolError;
use sources::SourcesError;
use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

/// A private state of the package manager.
#[derive(Debug)]
pub(crate) struct Apt {
    folder: PathBuf,
    suites: Vec<String>,
}

/// A package file that the signed index offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Offer {
    /// Name of the package.
    pub(crate) package: String,
    /// File name, as the package manager saves it.
    pub(crate) file: String,
    /// Size, bytes.
    pub(crate) size: u64,
    /// Digest by the index.
    pub(crate) sha256: Sha256,
}

/// The package manager could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum AptError {
    /// The private state cannot be set up.
    #[error("cannot set up the package manager's folder {path}")]
    Setup {
        /// The folder or file.
        path: PathBuf,
        /// Cause.
        #[source]
        source: io::Error,
    },
    /// The machine's package sources are of no use.
    #[error("cannot use this machine's package sources")]
    Sources(#[source] SourcesError),
    /// The indexes cannot be fetched.
    #[error(
        "cannot fetch the package indexes of {suites} (is the network there, and does the machine trust their keys?)"
    )]
    Update {
        /// The suites.
        suites: String,
        /// Cause.
        #[source]
        source: ToolError,
    },
    /// A package is in none of the suites.
    #[error("package {package} for {arch} is in none of the suites {suites}")]
    NoPackage {
        /// Its name.
        package: String,
        /// The distribution's name of the architecture.
        arch: &'static str,
        /// The suites.
        suites: String,
    },
    /// A kernel meta package depends on no kernel.
    #[error("package {package} depends on no package whose name starts with {prefix}")]
    NoDependency {
        /// Its name.
        package: String,
        /// What was looked for.
        prefix: &'static str,
    },
    /// Packages cannot be fetched.
    #[error("cannot fetch the packages {packages}")]
    Download {
        /// Their names.
        packages: String,
        /// Cause.
        #[source]
        source: ToolError,
    },
    /// The package manager said something unexpected.
    #[error("cannot understand what the package manager says of {what}: {line:?}")]
    Answer {
        /// What was asked for.
        what: String,
        /// What it said.
        line: String,
    },
    /// The package manager failed at a question.
    #[error("cannot ask the package manager for {what}")]
    Ask {
        /// What was asked for.
        what: String,
        /// Cause.
        #[source]
        source: ToolError,
    },
}

impl Apt {
    /// Sets the state up in `folder`, which must be an absolute path. Nothing is fetched yet.
    pub(crate) fn open(
        folder: &Path,
        arch: Arch,
        suites: &[String],
        sections: &[String],
    ) -> Result<Self, AptError> {
        let setup = |path: &Path| {
            let path = path.to_owned();
            move |source| AptError::Setup { path, source }
        };
        for part in ["state/lists/partial", "cache/archives/partial", "sources"] {
            let path = folder.join(part);
            fs::create_dir_all(&path).map_err(setup(&path))?;
        }
        let sources = sources::of_machine(suites, sections).map_err(AptError::Sources)?;
        for (name, text) in [
            ("status", String::new()),
            ("sources/hearth.sources", sources),
            ("apt.conf", configuration(folder, arch)),
        ] {
            let path = folder.join(name);
            fs::write(&path, text).map_err(setup(&path))?;
        }
        Ok(Self { folder: folder.to_owned(), suites: suites.to_vec() })
    }

    /// Fetches the signed indexes.
    pub(crate) fn update(&self) -> Result<(), AptError> {
        // Without the option a source that cannot be reached is a warning, and a stale index would be used.
        let mut command = self.command("apt-get");
        command.args(["update", "--error-on=any"]);
        tool::output(&mut command)
            .map(|_| ())
            .map_err(|source| AptError::Update { suites: self.suites.join(", "), source })
    }

    /// The package with the newest version (of `suite`) that `meta` depends on and whose name starts with `prefix`.
    pub(crate) fn dependency(
        &self,
        meta: &str,
        prefix: &'static str,
        arch: Arch,
        suite: Option<&str>,
    ) -> Result<String, AptError> {
        let mut command = self.command("apt-cache");
        if let Some(suite) = suite {
            command.args(["--target-release", suite]);
        }
        let control = tool::output(command.args(["show", "--no-all-versions", meta])).map_err(|source| {
            if matches!(source, ToolError::Failed { .. }) {
                return self.no_package(meta, arch);
            }
            AptError::Ask { what: meta.to_owned(), source }
        })?;
        dependency_in(&control, prefix)
            .ok_or_else(|| AptError::NoDependency { package: meta.to_owned(), prefix })
    }

    /// Whether `package` depends on `other`.
    pub(crate) fn depends(&self, package: &str, other: &str) -> Result<bool, AptError> {
        let mut command = self.command("apt-cache");
        let control = tool::output(command.args(["show", "--no-all-versions", package]))
            .map_err(|source| AptError::Ask { what: package.to_owned(), source })?;
        Ok(dependencies(&control).any(|name| name == other))
    }

    /// What the index offers for each of `packages` (names, or `name=version`).
    pub(crate) fn offers(&self, packages: &[String], arch: Arch) -> Result<Vec<Offer>, AptError> {
        let names: Vec<&str> =
            packages.iter().map(|package| package.split('=').next().unwrap_or(package)).collect();
        let mut command = self.command("apt-cache");
        let policy = tool::output(command.arg("policy").args(&names))
            .map_err(|source| AptError::Ask { what: names.join(", "), source })?;
        if let Some(name) = names.iter().find(|name| !has_candidate(&policy, name)) {
            return Err(self.no_package(name, arch));
        }
        let mut command = self.command("apt-get");
        let answer = tool::output(command.args(["download", "--print-uris"]).args(packages))
            .map_err(|source| AptError::Download { packages: packages.join(", "), source })?;
        answer.lines().filter(|line| line.starts_with('\'')).map(parse_offer).collect()
    }

    /// Fetches the packages (`name=version`) into `folder`; their digests are checked against the signed index.
    pub(crate) fn download(
        &self,
        packages: &[String],
        folder: &Path,
        progress: &dyn Progress,
    ) -> Result<(), AptError> {
        let mut command = self.command("apt-get");
        command.current_dir(folder).args(["-o", "APT::Status-Fd=1", "-q", "download"]).args(packages);
        tool::lines(&mut command, |line| {
            if let Some(permille) = parse_status(line) {
                progress.permille(permille);
            }
        })
        .map_err(|source| AptError::Download { packages: packages.join(", "), source })
    }

    fn no_package(&self, package: &str, arch: Arch) -> AptError {
        AptError::NoPackage { package: package.to_owned(), arch: arch.name(), suites: self.suites.join(", ") }
    }

    fn command(&self, program: &str) -> Command {
        let mut command = tool::command(program);
        // -c is read after the machine's own files, APT_CONFIG before them: ours must have the last word.
        command.arg("-c").arg(self.folder.join("apt.conf"));
        command
    }
}

/// Everything that would let the machine's own state show through is set; keys and transport stay the machine's.
fn configuration(folder: &Path, arch: Arch) -> String {
    let folder = folder.display();
    let arch = arch.name();
    format!(
        r#"Dir::State "{folder}/state";
Dir::State::status "{folder}/status";
Dir::Cache "{folder}/cache";
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "{folder}/sources";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
APT::Architecture "{arch}";
#clear APT::Architectures;
APT::Architectures {{ "{arch}"; }};
// The package manager's own user may not enter the build folder.
APT::Sandbox::User "root";
Acquire::Retries "3";
"#
    )
}

fn dependency_in(control: &str, prefix: &str) -> Option<String> {
    dependencies(control).find(|name| name.starts_with(prefix)).map(str::to_owned)
}

/// Names of the packages that the first one of the answer depends on.
fn dependencies(control: &str) -> impl Iterator<Item = &str> {
    control
        .lines()
        .take_while(|line| !line.is_empty())
        .find_map(|line| line.strip_prefix("Depends: "))
        .unwrap_or_default()
        .split([',', '|'])
        .filter_map(|clause| clause.split_whitespace().next())
}

/// Whether the answer of `apt-cache policy` has a version to take for the package.
fn has_candidate(policy: &str, package: &str) -> bool {
    let mut lines = policy.lines().skip_while(|line| line.strip_suffix(':') != Some(package)).skip(1);
    lines
        .by_ref()
        .take_while(|line| line.starts_with(' '))
        .any(|line| line.trim().strip_prefix("Candidate: ").is_some_and(|version| version != "(none)"))
}

/// `'<uri>' <file> <size> SHA256:<digest>`
fn parse_offer(line: &str) -> Result<Offer, AptError> {
    let parse = || {
        let mut words = line.split(' ').skip(1);
        let file = words.next()?.to_owned();
        let size = words.next()?.parse().ok()?;
        let sha256 = words.next()?.strip_prefix("SHA256:")?.parse().ok()?;
        let package = file.split('_').next()?.to_owned();
        (file.ends_with(".deb") && !file.contains('/')).then_some(Offer { package, file, size, sha256 })
    };
    parse().ok_or_else(|| AptError::Answer { what: "a package".to_owned(), line: line.to_owned() })
}

/// `dlstatus:<number>:<percent>:<text>`, in thousandths.
fn parse_status(line: &str) -> Option<u32> {
    let percent = line.strip_prefix("dlstatus:")?.split(':').nth(1)?;
    let (whole, rest) = percent.split_once('.').unwrap_or((percent, "0"));
    let tenth = rest.get(..1)?.parse::<u32>().ok()?;
    Some(whole.parse::<u32>().ok()?.checked_mul(10)?.checked_add(tenth)?.min(1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "c91bd9b74771215b734ac74717b7994f654d694091336f381c9f6b5368a88b5d";

    #[test]
    fn offers_are_read_as_printed() {
        let line = format!(
            "'scheme://host/p/l/libc6_2.41-12%2bdeb13u4_amd64.deb' libc6_2.41-12+deb13u4_amd64.deb 77 SHA256:{DIGEST}"
        );
        let offer = parse_offer(&line).unwrap();
        assert_eq!((offer.package.as_str(), offer.size), ("libc6", 77));
        assert_eq!(offer.file, "libc6_2.41-12+deb13u4_amd64.deb");
        assert_eq!(offer.sha256.to_string(), DIGEST);
    }

    #[test]
    fn weak_digests_and_odd_names_are_refused() {
        for line in [
            "'u' a_1_amd64.deb 5 MD5Sum:0123".to_owned(),
            format!("'u' ../a_1_amd64.deb 5 SHA256:{DIGEST}"),
            format!("'u' a_1_amd64.deb x SHA256:{DIGEST}"),
            "'u'".to_owned(),
        ] {
            assert!(matches!(parse_offer(&line), Err(AptError::Answer { .. })), "{line}");
        }
    }

    #[test]
    fn the_kernel_is_found_behind_its_meta_package() {
        let control = "Package: linux-image-amd64\nDepends: initramfs-tools | dracut, linux-image-6.12-amd64 (= 6.12-1)\n\nPackage: x\n";
        assert_eq!(dependency_in(control, "linux-image-").as_deref(), Some("linux-image-6.12-amd64"));
        assert_eq!(dependency_in("Package: x\n", "linux-image-"), None);
        assert_eq!(
            dependencies(control).collect::<Vec<_>>(),
            ["initramfs-tools", "dracut", "linux-image-6.12-amd64"]
        );
        assert_eq!(dependency_in("Package: x\n\nDepends: linux-image-1\n", "linux-image-"), None);
    }

    #[test]
    fn a_package_without_a_version_is_seen() {
        let policy = "a:\n  Installed: (none)\n  Candidate: 1.2\n  Version table:\n     1.2 500\nb:\n  Installed: (none)\n  Candidate: (none)\n";
        assert!(has_candidate(policy, "a"));
        assert!(!has_candidate(policy, "b"));
        assert!(!has_candidate(policy, "c"));
    }

    #[test]
    fn download_status_is_read() {
        assert_eq!(parse_status("dlstatus:1:20.6471:Retrieving file 1 of 3"), Some(206));
        assert_eq!(parse_status("dlstatus:3:100:Retrieving"), Some(1000));
        for other in ["Get:1 x", "dlstatus:1", "dlstatus:1:x.y:z", "pmstatus:1:2.0:z"] {
            assert_eq!(parse_status(other), None, "{other}");
        }
    }
}
