//! What a folder's files may take of their disk: projects (FS_IOC_FSSETXATTR) and their limits (quotactl_fd(2)).
//!
//! Files made below a folder that belongs to a project belong to it, too, whoever makes them. Only the initial user namespace changes that
//! (fs/ioctl.c, `fileattr_set_prepare`), so no container gets out of its project.

// UNSAFETY: rustix' typed ioctl patterns are unsafe to construct, because the compiler cannot know that a number and a structure belong
// together, and quotactl_fd is in no safe crate; the uses below say where the kernel states what belongs together.
#![expect(unsafe_code, reason = "ioctl numbers and commands must be paired with their structures by hand")]

use rustix::io;
use rustix::ioctl::Getter;
use rustix::ioctl::Opcode;
use rustix::ioctl::Setter;
use rustix::ioctl::opcode;
use std::ffi::c_int;
use std::os::fd::AsFd;
use std::os::fd::AsRawFd as _;

/// `struct fsxattr`, include/uapi/linux/fs.h.
#[derive(Clone, Copy, Default)]
#[repr(C)]
struct Attributes {
    flags: u32,
    extent_size: u32,
    extents: u32,
    project: u32,
    copy_extent_size: u32,
    padding: [u8; 8],
}

/// `struct if_dqblk`, include/uapi/linux/quota.h.
#[derive(Clone, Copy, Default)]
#[repr(C)]
struct Block {
    /// In blocks of [`LIMIT_BLOCK`] bytes.
    hard_blocks: u64,
    soft_blocks: u64,
    used_bytes: u64,
    hard_files: u64,
    soft_files: u64,
    used_files: u64,
    block_grace: u64,
    file_grace: u64,
    valid: u32,
}

/// `FS_IOC_FSGETXATTR` and `FS_IOC_FSSETXATTR`.
const GET_ATTRIBUTES: Opcode = opcode::read::<Attributes>(b'X', 31);
const SET_ATTRIBUTES: Opcode = opcode::write::<Attributes>(b'X', 32);
/// `FS_XFLAG_PROJINHERIT`.
const INHERITED: u32 = 0x200;

/// `QIF_DQBLKSIZE`.
const LIMIT_BLOCK: u64 = 1024;
/// `QCMD(Q_GETQUOTA, PRJQUOTA)` and `QCMD(Q_SETQUOTA, PRJQUOTA)`.
const GET_LIMITS: u32 = command(0x80_0007);
const SET_LIMITS: u32 = command(0x80_0008);
/// `QIF_BLIMITS | QIF_ILIMITS`.
const LIMITS: u32 = 1 | 4;

const fn command(verb: u32) -> u32 {
    const PROJECTS: u32 = 2;
    verb << 8 | PROJECTS
}

/// A project of a file system; 0 is that of all files that belong to none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Project(pub u32);

/// How much, of whatever is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// Bytes on the disk.
    pub bytes: u64,
    /// Files and folders.
    pub files: u64,
}

/// What a project has, and may have at most; 0 is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// It has.
    pub used: Amount,
    /// It may have; a multiple of 1024 bytes.
    pub most: Amount,
}

/// The project of a file or folder.
///
/// # Errors
/// What the kernel says: `ENOTTY` or `EOPNOTSUPP` when the file system knows no projects.
pub fn project(file: impl AsFd) -> io::Result<Project> {
    attributes(file).map(|attributes| Project(attributes.project))
}

/// Gives a folder to a project, and with it what is made in it from now on.
///
/// # Errors
/// What the kernel says: `EOPNOTSUPP` or `ENOTTY` when the file system knows no projects, `EPERM` for who does not own it, `EROFS`.
pub fn give_to_project(folder: impl AsFd, project: Project) -> io::Result<()> {
    let before = attributes(&folder)?;
    let after = Attributes { flags: before.flags | INHERITED, project: project.0, ..before };
    // SAFETY: FS_IOC_FSSETXATTR reads a `struct fsxattr` (fs/ioctl.c); it has the layout of the header.
    let setter = unsafe { Setter::<SET_ATTRIBUTES, Attributes>::new(after) };
    // SAFETY: the pattern above matches the ioctl.
    unsafe { rustix::ioctl::ioctl(folder, setter) }
}

/// What a project has and may have, on the file system on which `file` lies.
///
/// # Errors
/// What the kernel says: `ESRCH` when projects are not counted there, `ENOSYS`, `EPERM` without `CAP_SYS_ADMIN`.
pub fn account(file: impl AsFd, project: Project) -> io::Result<Account> {
    let mut block = Block::default();
    quotactl(file, GET_LIMITS, project, &mut block)?;
    Ok(Account {
        used: Amount { bytes: block.used_bytes, files: block.used_files },
        most: Amount { bytes: block.hard_blocks.saturating_mul(LIMIT_BLOCK), files: block.hard_files },
    })
}

/// Limits what a project may have, on the file system on which `file` lies; 0 is no limit. What it has already stays.
///
/// # Errors
/// As for [`account`], and `ERANGE` for more than the file system counts.
pub fn limit(file: impl AsFd, project: Project, most: Amount) -> io::Result<()> {
    let mut block = Block {
        hard_blocks: most.bytes.div_ceil(LIMIT_BLOCK),
        hard_files: most.files,
        valid: LIMITS,
        ..Block::default()
    };
    quotactl(file, SET_LIMITS, project, &mut block)
}

fn attributes(file: impl AsFd) -> io::Result<Attributes> {
    // SAFETY: FS_IOC_FSGETXATTR writes a `struct fsxattr` (fs/ioctl.c); it has the layout of the header.
    let getter = unsafe { Getter::<GET_ATTRIBUTES, Attributes>::new() };
    // SAFETY: the pattern above matches the ioctl.
    unsafe { rustix::ioctl::ioctl(file, getter) }
}

fn quotactl(file: impl AsFd, command: u32, project: Project, block: &mut Block) -> io::Result<()> {
    let file: c_int = file.as_fd().as_raw_fd();
    // SAFETY: both commands take a `struct if_dqblk` (fs/quota/quota.c, `quota_getquota` and `quota_setquota`), which has the layout of the
    // header and outlives the call; the descriptor is borrowed for as long.
    let answer = unsafe {
        libc::syscall(libc::SYS_quotactl_fd, file, command, project.0, std::ptr::from_mut::<Block>(block))
    };
    if answer == 0 { Ok(()) } else { Err(last_error()) }
}

fn last_error() -> io::Errno {
    let code = std::io::Error::last_os_error().raw_os_error();
    code.map_or(io::Errno::IO, io::Errno::from_raw_os_error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    #[test]
    fn numbers_and_structures_are_those_of_the_kernel_headers() {
        assert_eq!(GET_ATTRIBUTES, 0x801C_581F);
        assert_eq!(SET_ATTRIBUTES, 0x401C_5820);
        assert_eq!(GET_LIMITS, 0x8000_0702);
        assert_eq!(SET_LIMITS, 0x8000_0802);
        assert_eq!(size_of::<Block>(), 72);
    }

    #[test]
    fn what_knows_no_projects_is_refused_by_the_kernel() {
        let null = File::open("/dev/null").unwrap();
        assert_eq!(project(&null), Err(io::Errno::NOTTY));
        assert_eq!(give_to_project(&null, Project(1)), Err(io::Errno::NOTTY));
        // Where the file system counts nothing, a name of it would have to be given; before Linux 5.14 there is no such call.
        let process = File::open("/proc/self").unwrap();
        account(&process, Project(1)).unwrap_err();
        limit(&process, Project(1), Amount::default()).unwrap_err();
    }
}
