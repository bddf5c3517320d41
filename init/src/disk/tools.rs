//! The programs that init runs for the data partition, and what their exit codes mean.

use std::fs::File;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use crate::disk::layout::Content;
use crate::reaper::Ending;
use crate::reaper::Reaper;
use crate::reaper::RunError;
use crate::service::table::STORAGED;

/// Making a file system on the largest and slowest disk.
const MAKE_LIMIT: Duration = Duration::from_secs(600);
/// Checking or resizing a large file system on a slow disk.
const CHECK_LIMIT: Duration = Duration::from_secs(3600);

/// A TPM that is slow, and a header that is made: seconds on any hardware, more under emulation.
const UNLOCK_LIMIT: Duration = Duration::from_secs(180);
/// Telling a large and slow disk to forget everything takes longer.
const ERASE_LIMIT: Duration = Duration::from_secs(900);
/// What it says when a key has to be typed.
const LOCKED: i32 = 10;

/// What e2fsck says, among others, of a superblock that it cannot use.
const OPERATIONAL_ERROR: Ending = Ending::Code(8);
/// Where the first copy of the superblock is with blocks of 4 KiB, which file systems from 512 MiB on have.
const FIRST_COPY: &[&str] = &["-b", "32768", "-B", "4096"];

/// A tool that did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// It did not run to its end.
    #[error(transparent)]
    Run(#[from] RunError),
    /// It failed.
    #[error("{tool} {ending}")]
    Failed {
        /// Program.
        tool: &'static str,
        /// How it ended.
        ending: Ending,
    },
    /// The file system has damage that is not repaired without asking.
    #[error("the file system is damaged and could not be repaired by itself ({0})")]
    Damaged(&'static str),
}

/// What came of opening the encrypted partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unlocked {
    /// It is open.
    Open,
    /// A key has to be typed; the report says why.
    Locked,
}

/// What a check found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checked {
    /// Nothing wrong.
    Clean,
    /// Repaired.
    Repaired,
}

/// Runs tools through the one reaper.
pub struct Tools<'a> {
    /// The reaper.
    pub reaper: &'a mut Reaper,
    /// Called while a tool runs.
    pub while_waiting: &'a mut dyn FnMut(),
}

impl std::fmt::Debug for Tools<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tools").finish_non_exhaustive()
    }
}

impl Tools<'_> {
    /// Has storaged encrypt (`make`) or open the partition; its report says more than the result.
    ///
    /// # Errors
    /// When it fails.
    pub fn unlock(&mut self, device: &str, content: Content) -> Result<Unlocked, ToolError> {
        let verb = match content {
            Content::Nothing => "make",
            Content::FileSystem => "open",
        };
        let ending = self.run(STORAGED, &[verb.to_owned(), device.to_owned()], UNLOCK_LIMIT)?;
        match ending {
            Ending::Code(0) => Ok(Unlocked::Open),
            Ending::Code(LOCKED) => Ok(Unlocked::Locked),
            Ending::Code(_) | Ending::Signal(_) => Err(ToolError::Failed { tool: "storaged", ending }),
        }
    }

    /// Has storaged make the partition unreadable for good, with whatever key.
    ///
    /// # Errors
    /// When some of it may be left.
    pub fn erase(&mut self, device: &str) -> Result<(), ToolError> {
        let ending = self.run(STORAGED, &["erase".to_owned(), device.to_owned()], ERASE_LIMIT)?;
        if ending == Ending::Code(0) { Ok(()) } else { Err(ToolError::Failed { tool: "storaged", ending }) }
    }

    /// Makes an ext4 file system.
    ///
    /// # Errors
    /// When the tool fails.
    pub fn make(&mut self, device: &str, length: u64) -> Result<(), ToolError> {
        let ending = self.run("/usr/sbin/mke2fs", &make_arguments(device, length), MAKE_LIMIT)?;
        if ending == Ending::Code(0) { Ok(()) } else { Err(ToolError::Failed { tool: "mke2fs", ending }) }
    }

    /// Checks an ext4 file system and repairs what needs no question. When its superblock cannot be used, the first
    /// copy of it is tried, which e2fsck does by itself only when it may ask.
    ///
    /// # Errors
    /// When damage is left, or the tool fails.
    pub fn check(&mut self, device: &str) -> Result<Checked, ToolError> {
        let first = self.run("/usr/sbin/e2fsck", &check_arguments(device, &[]), CHECK_LIMIT)?;
        if first != OPERATIONAL_ERROR {
            return check_result(first);
        }
        let second = self.run("/usr/sbin/e2fsck", &check_arguments(device, FIRST_COPY), CHECK_LIMIT)?;
        check_result(second)
    }

    /// Grows a mounted ext4 file system to its partition.
    ///
    /// # Errors
    /// When the tool fails.
    pub fn grow(&mut self, device: &str) -> Result<(), ToolError> {
        let ending = self.run("/usr/sbin/resize2fs", &[device.to_owned()], CHECK_LIMIT)?;
        if ending == Ending::Code(0) { Ok(()) } else { Err(ToolError::Failed { tool: "resize2fs", ending }) }
    }

    fn run(&mut self, program: &str, arguments: &[String], limit: Duration) -> Result<Ending, ToolError> {
        let mut command = Command::new(program);
        command.args(arguments).env_clear().stdin(Stdio::null()).stdout(kernel_log()).stderr(kernel_log());
        Ok(self.reaper.run(&mut command, limit, self.while_waiting)?)
    }
}

/// The kernel log keeps what a tool said about a damaged disk.
fn kernel_log() -> Stdio {
    File::options().write(true).open("/dev/kmsg").map_or_else(|_| Stdio::null(), Stdio::from)
}

/// `-F`: what was there before is known to be worthless. Inode tables are written later, in the background.
/// `encrypt`: folders of users and apps have keys of their own (docs/adr/0017). `project`: what each app may take is limited. Small partitions get a small journal: mke2fs writes it out, and 64 MiB of it is a tenth of a small card.
fn make_arguments(device: &str, length: u64) -> Vec<String> {
    const SMALL: u64 = 16 << 30;
    let mut arguments = vec!["-q", "-F", "-t", "ext4", "-L", "hearth-data", "-m", "1"];
    arguments.extend(["-O", "encrypt,quota,project", "-E", "lazy_itable_init=1,discard,quotatype=prjquota"]);
    if length < SMALL {
        arguments.extend(["-J", "size=16"]);
    }
    arguments.push(device);
    arguments.into_iter().map(str::to_owned).collect()
}

fn check_arguments(device: &str, superblock: &[&str]) -> Vec<String> {
    ["-p"].iter().chain(superblock).chain(&[device]).map(|&word| word.to_owned()).collect()
}

/// e2fsck(8), "EXIT CODE": a sum of conditions.
fn check_result(ending: Ending) -> Result<Checked, ToolError> {
    match ending {
        Ending::Code(0) => Ok(Checked::Clean),
        // 1: corrected. 2: corrected, and a reboot is wanted if it is mounted, which it is not.
        Ending::Code(1..=3) => Ok(Checked::Repaired),
        Ending::Code(code) if code & (8 | 16 | 32 | 128) != 0 => {
            Err(ToolError::Failed { tool: "e2fsck", ending })
        }
        Ending::Code(code) if code & 4 != 0 => Err(ToolError::Damaged("e2fsck left errors uncorrected")),
        Ending::Code(_) | Ending::Signal(_) => Err(ToolError::Failed { tool: "e2fsck", ending }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_of_a_check_are_understood() {
        for (code, expected) in
            [(0, Checked::Clean), (1, Checked::Repaired), (2, Checked::Repaired), (3, Checked::Repaired)]
        {
            assert_eq!(check_result(Ending::Code(code)).unwrap(), expected);
        }
        for code in [4, 5, 6] {
            assert!(matches!(check_result(Ending::Code(code)), Err(ToolError::Damaged(_))), "{code}");
        }
        for ending in [
            Ending::Code(8),
            Ending::Code(12),
            Ending::Code(16),
            Ending::Code(32),
            Ending::Code(128),
            Ending::Signal(9),
        ] {
            assert!(matches!(check_result(ending), Err(ToolError::Failed { .. })), "{ending}");
        }
    }

    #[test]
    fn a_check_never_asks() {
        assert_eq!(check_arguments("/dev/vda2", &[]), ["-p", "/dev/vda2"]);
        assert_eq!(
            check_arguments("/dev/vda2", FIRST_COPY),
            ["-p", "-b", "32768", "-B", "4096", "/dev/vda2"]
        );
    }

    #[test]
    fn the_journal_of_a_small_disk_is_small_and_always_there() {
        assert!(make_arguments("/dev/vda2", 1 << 30).join(" ").contains("-J size=16 /dev/vda2"));
        let large = make_arguments("/dev/vda2", 1 << 40).join(" ");
        assert!(large.contains("-t ext4") && !large.contains("-J") && large.ends_with("/dev/vda2"));
    }
}
