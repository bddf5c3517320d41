//! The room in which a test runs: a folder of its own that is kept when the test fails.

use crate::artifacts::target;
use anyhow::Context;
use anyhow::Result;
use std::fs;
use std::path::Path;

/// What stays of a test that passed.
const KEPT: [&str; 1] = ["serial.log"];

/// Runs a test in `target/qemu-tests/<name>/`. A failure keeps all logs and disks there and says so; a success keeps the serial logs.
///
/// # Panics
/// When the test fails: that is how the test runner hears of it.
pub fn scenario(name: &str, test: impl FnOnce(&Path) -> Result<()>) {
    let folder = target().join("qemu-tests").join(name);
    let fresh = fresh(&folder);
    let room = Room { folder: &folder };
    match fresh.and_then(|()| test(&folder)) {
        Ok(()) => {}
        Err(error) => panic!("{name}: {error:#}"),
    }
    drop(room);
}

fn fresh(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))
}

/// Tidies up, also when the test panics.
struct Room<'a> {
    folder: &'a Path,
}

impl Drop for Room<'_> {
    #[expect(clippy::print_stderr, reason = "the reader of a failed test must learn where its logs are")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("serial log, monitor trace and disk are kept in {}", self.folder.display());
        } else if let Err(error) = tidy(self.folder) {
            eprintln!("cannot tidy up {}: {error:#}", self.folder.display());
        }
    }
}

fn tidy(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry.context("cannot list a folder")?.path();
        if path.is_dir() {
            tidy(&path)?;
            // Not empty when a log is kept in it.
            drop(fs::remove_dir(&path));
        } else if !path.file_name().is_some_and(|name| KEPT.iter().any(|kept| name == *kept)) {
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::bail;

    #[test]
    fn a_pass_keeps_the_serial_log_only() {
        scenario("self-test-pass", |folder| {
            fs::create_dir(folder.join("round"))?;
            fs::write(folder.join("round/serial.log"), "x")?;
            fs::write(folder.join("disk.img"), "x")?;
            Ok(())
        });
        let folder = target().join("qemu-tests/self-test-pass");
        assert!(folder.join("round/serial.log").exists());
        assert!(!folder.join("disk.img").exists());
    }

    #[test]
    fn a_failure_keeps_everything() {
        let failure = std::panic::catch_unwind(|| {
            scenario("self-test-failure", |folder| {
                fs::write(folder.join("disk.img"), "x")?;
                bail!("broken")
            });
        });
        assert!(failure.is_err());
        assert!(target().join("qemu-tests/self-test-failure/disk.img").exists());
    }
}
