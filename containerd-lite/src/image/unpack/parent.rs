//! Has layers unpacked by the confined program.

use crate::image::Refused;
use crate::image::refused::clip;
use crate::image::unpack::Order;
use crate::image::unpack::Unpack;
use crate::image::unpack::UnpackError;
use crate::image::unpack::Unpacked;
use crate::image::unpack::child;
use crate::image::unpack::child::Answer;
use command_fds::CommandFdExt as _;
use command_fds::FdMapping;
use rustix::fs::AtFlags;
use rustix::fs::Gid;
use rustix::fs::Uid;
use rustix::fs::chownat;
use std::fs;
use std::fs::File;
use std::io;
use std::io::BufRead as _;
use std::io::BufReader;
use std::io::Read as _;
use std::io::Write as _;
use std::os::fd::BorrowedFd;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;

/// Ids of an image.
const IDS: u32 = 65_536;

/// Whose the files of layers are on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owners {
    /// User 0 of an image is this user, and so on for 65,536 ids that no process of the box ever has: a setuid file gives nobody anything
    /// until a mount maps the range to an app's own. Needs the capabilities to map and give away ids.
    Range {
        /// User 0 of images.
        first: u32,
    },
    /// All is of whoever runs this. For tests: an image loses its owners.
    Own,
}

/// Runs the confined program for each layer.
#[derive(Clone, Debug)]
pub struct Confined {
    program: PathBuf,
    owners: Owners,
}

impl Confined {
    /// With the program at this path.
    #[must_use]
    pub fn new(program: &Path, owners: Owners) -> Self {
        Self { program: program.to_owned(), owners }
    }
}

impl Unpack for Confined {
    fn unpack(&self, layer: File, into: BorrowedFd<'_>, order: &Order) -> Result<Unpacked, UnpackError> {
        if let Owners::Range { first } = self.owners {
            let (uid, gid) = (Uid::from_raw(first), Gid::from_raw(first));
            chownat(into, "", Some(uid), Some(gid), AtFlags::EMPTY_PATH)
                .map_err(|source| UnpackError::System { path: ".".to_owned(), source })?;
        }
        let order = Order { set_owners: matches!(self.owners, Owners::Range { .. }), ..order.clone() };
        let mut child = self.start(layer, into).map_err(failed("start"))?;
        let answer = self.talk(&mut child, &order);
        // Whatever it says, it is gone before its folder is used.
        if answer.is_err() {
            drop(child.kill());
        }
        let status = child.wait().map_err(failed("wait for"))?;
        let (line, speaking) = answer.map_err(failed("speak with"))?;
        match serde_json::from_str(&line) {
            Ok(Answer::Unpacked(unpacked)) if status.success() => Ok(unpacked),
            Ok(Answer::Refused(refused)) => Err(refused.into()),
            Ok(Answer::Failed(what)) => Err(UnpackError::Stopped { what: clip(&what) }),
            Ok(Answer::Unpacked(_)) | Err(_) if speaking => {
                let how = status.signal().map_or_else(
                    || format!("ended with {}", status.code().unwrap_or(-1)),
                    |signal| format!("was ended by signal {signal}"),
                );
                Err(Refused::Broke { how }.into())
            }
            Ok(Answer::Unpacked(_)) | Err(_) => {
                Err(failed("speak with")(io::Error::other("it ended before it took its order")))
            }
        }
    }
}

impl Confined {
    fn start(&self, layer: File, into: BorrowedFd<'_>) -> io::Result<Child> {
        let mut command = Command::new(&self.program);
        command.env_clear().current_dir("/").stdin(Stdio::piped()).stdout(Stdio::piped());
        command
            .fd_mappings(vec![
                FdMapping { parent_fd: layer.into(), child_fd: child::LAYER },
                FdMapping { parent_fd: into.try_clone_to_owned()?, child_fd: child::FOLDER },
            ])
            .map_err(|collision| io::Error::other(collision.to_string()))?;
        command.spawn()
    }

    /// The answer, and whether the program had taken its order.
    fn talk(&self, child: &mut Child, order: &Order) -> io::Result<(String, bool)> {
        let (Some(mut stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("it has no pipes"));
        };
        let mut stdout = BufReader::new(stdout.take(child::MAX_LINE));
        let mut line = String::new();
        stdout.read_line(&mut line)?;
        if line.trim_end() != child::READY {
            return Ok((line, false));
        }
        self.map_ids(child.id())?;
        let mut order = serde_json::to_string(order).map_err(io::Error::other)?;
        order.push('\n');
        stdin.write_all(order.as_bytes())?;
        line.clear();
        stdout.read_line(&mut line)?;
        Ok((line, true))
    }

    fn map_ids(&self, pid: u32) -> io::Result<()> {
        let folder = Path::new("/proc").join(pid.to_string());
        let (users, groups) = match self.owners {
            Owners::Range { first } => (format!("0 {first} {IDS}\n"), format!("0 {first} {IDS}\n")),
            Owners::Own => {
                fs::write(folder.join("setgroups"), "deny")?;
                let (user, group) = (rustix::process::geteuid(), rustix::process::getegid());
                (format!("0 {} 1\n", user.as_raw()), format!("0 {} 1\n", group.as_raw()))
            }
        };
        fs::write(folder.join("uid_map"), users)?;
        fs::write(folder.join("gid_map"), groups)
    }
}

fn failed(doing: &'static str) -> impl FnOnce(io::Error) -> UnpackError {
    move |source| UnpackError::Program { doing, source }
}
