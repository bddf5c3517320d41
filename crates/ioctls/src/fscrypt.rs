//! Encryption of directories by the file system (Documentation/filesystems/fscrypt.rst), version 2 policies only.
//!
//! A key is given to a mounted file system as a whole and named by an identifier that the kernel computes from it; a
//! policy ties a directory to that name. Requests about keys go to any file or directory of the file system; one that is
//! itself encrypted with the key counts as in use, so the root of the mount or a plain parent is the one to open.

// UNSAFETY: rustix' typed ioctl patterns are unsafe to construct, because the compiler cannot know that a number
// and a structure belong together; each use below says where the kernel states that they do.
#![expect(unsafe_code, reason = "ioctl numbers must be paired with their structures by hand")]

use std::fmt;
use std::os::fd::AsFd;

use rustix::io;
use rustix::io::Errno;
use rustix::ioctl::Opcode;
use rustix::ioctl::Setter;
use rustix::ioctl::Updater;
use rustix::ioctl::opcode;
use zeroize::Zeroize;

/// Length of the keys that [`add_key`] takes: `FSCRYPT_MAX_KEY_SIZE`, and what AES-256-XTS wants.
pub const KEY_BYTES: usize = 64;

/// The kernel's name of a key: a hash of it that tells nothing about it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyIdentifier(pub [u8; 16]);

impl fmt::Debug for KeyIdentifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// What a directory or file is encrypted with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// As [`set_policy`] does: AES-256-XTS, AES-256-CTS, names padded to 32 bytes.
    Ours(KeyIdentifier),
    /// With other algorithms, flags or a policy of version 1.
    Other,
}

/// Whether a file system has a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyStatus {
    /// No.
    Absent,
    /// Yes.
    Present,
    /// It was taken away while files were open: those can still be read, nothing else can.
    IncompletelyRemoved,
}

/// What is left after a key was removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// Nothing: everything under the key is locked.
    Complete,
    /// Files in use, which stay readable to those who have them open, until the removal is asked for again.
    FilesBusy,
    /// The key itself, because other users of the system added it too.
    OtherUsers,
}

/// `struct fscrypt_policy_v2`, include/uapi/linux/fscrypt.h; as are all below.
#[repr(C)]
#[derive(Clone, Copy)]
struct PolicyV2 {
    version: u8,
    contents: u8,
    names: u8,
    flags: u8,
    reserved: [u8; 4],
    identifier: [u8; 16],
}

/// `struct fscrypt_get_policy_ex_arg`; the union begins as every version of a policy does and has the size of the second.
#[repr(C)]
struct GetPolicy {
    size: u64,
    policy: PolicyV2,
}

/// `struct fscrypt_key_specifier`; the identifier and the rest of its union.
#[repr(C)]
struct KeySpecifier {
    kind: u32,
    reserved: u32,
    identifier: [u8; 16],
    rest: [u8; 16],
}

/// `struct fscrypt_add_key_arg` without its flexible array: what the number of the ioctl counts.
#[repr(C)]
struct AddKeyHead {
    key: KeySpecifier,
    raw_size: u32,
    key_id: u32,
    reserved: [u32; 8],
}

/// The same with a key.
#[repr(C)]
struct AddKey {
    head: AddKeyHead,
    raw: [u8; KEY_BYTES],
}

/// `struct fscrypt_remove_key_arg`.
#[repr(C)]
struct RemoveKey {
    key: KeySpecifier,
    status_flags: u32,
    reserved: [u32; 5],
}

/// `struct fscrypt_get_key_status_arg`.
#[repr(C)]
struct GetKeyStatus {
    key: KeySpecifier,
    reserved: [u32; 6],
    status: u32,
    status_flags: u32,
    user_count: u32,
    out_reserved: [u32; 13],
}

/// `_IOR('f', 19, struct fscrypt_policy_v1)`, of 12 bytes; the kernel reads, and takes the second version too.
const SET_POLICY: Opcode = opcode::read::<[u8; 12]>(b'f', 19);
/// `_IOWR('f', 22, __u8[9])`.
const GET_POLICY_EX: Opcode = opcode::read_write::<[u8; 9]>(b'f', 22);
const ADD_KEY: Opcode = opcode::read_write::<AddKeyHead>(b'f', 23);
const REMOVE_KEY: Opcode = opcode::read_write::<RemoveKey>(b'f', 24);
const REMOVE_KEY_ALL_USERS: Opcode = opcode::read_write::<RemoveKey>(b'f', 25);
const GET_KEY_STATUS: Opcode = opcode::read_write::<GetKeyStatus>(b'f', 26);

const POLICY_V2: u8 = 2;
const MODE_AES_256_XTS: u8 = 1;
const MODE_AES_256_CTS: u8 = 4;
const FLAGS_PAD_32: u8 = 3;
const KEY_SPEC_TYPE_IDENTIFIER: u32 = 2;
const REMOVAL_FILES_BUSY: u32 = 1;
const REMOVAL_OTHER_USERS: u32 = 2;
const STATUS_ABSENT: u32 = 1;
const STATUS_PRESENT: u32 = 2;
const STATUS_INCOMPLETELY_REMOVED: u32 = 3;

/// Gives a key to a file system and returns the kernel's name of it; nothing changes if it was there.
///
/// # Errors
/// What the kernel says: `EOPNOTSUPP` when the file system was made without encryption or the kernel lacks an algorithm,
/// `ENOTTY` when it cannot have any, `EDQUOT` when a user without privileges has added too many.
pub fn add_key(file_system: impl AsFd, key: &[u8; KEY_BYTES]) -> io::Result<KeyIdentifier> {
    let raw_size = u32::try_from(KEY_BYTES).map_err(|_too_long| Errno::INVAL)?;
    let key_of_head = specifier(KeyIdentifier([0; 16]));
    let head = AddKeyHead { key: key_of_head, raw_size, key_id: 0, reserved: [0; 8] };
    let mut argument = AddKey { head, raw: *key };
    // SAFETY: FS_IOC_ADD_ENCRYPTION_KEY reads a `struct fscrypt_add_key_arg` and `raw_size` bytes after it, and writes the
    // identifier into the former (fs/crypto/keyring.c, `fscrypt_ioctl_add_key`); both have the header's layout and
    // outlive the call.
    let updater = unsafe { Updater::<ADD_KEY, AddKey>::new(&mut argument) };
    // SAFETY: the pattern above matches the ioctl.
    let added = unsafe { rustix::ioctl::ioctl(file_system, updater) };
    argument.raw.zeroize();
    added.map(|()| KeyIdentifier(argument.head.key.identifier))
}

/// Makes an empty directory encrypted with a key; nothing changes if it is so already.
///
/// # Errors
/// What the kernel says: `EEXIST` when it is encrypted with another key or otherwise, `ENOTEMPTY`, `ENOTDIR`, `EACCES` when
/// it is another's, `ENOKEY` when the file system has no such key and the caller no power over all files, `EOPNOTSUPP` and
/// `ENOTTY` as [`add_key`].
pub fn set_policy(directory: impl AsFd, key: KeyIdentifier) -> io::Result<()> {
    // SAFETY: FS_IOC_SET_ENCRYPTION_POLICY reads the version, and for the second a `struct fscrypt_policy_v2`
    // (fs/crypto/policy.c, `fscrypt_ioctl_set_policy`), which has the header's layout.
    let setter = unsafe { Setter::<SET_POLICY, PolicyV2>::new(our_policy(key)) };
    // SAFETY: the pattern above matches the ioctl; the kernel only reads.
    unsafe { rustix::ioctl::ioctl(directory, setter) }
}

/// Says how a file or directory is encrypted, also while it is locked; `None` when it is not.
///
/// # Errors
/// What the kernel says: `EOPNOTSUPP` and `ENOTTY` as [`add_key`].
pub fn policy(file: impl AsFd) -> io::Result<Option<Policy>> {
    let empty =
        PolicyV2 { version: 0, contents: 0, names: 0, flags: 0, reserved: [0; 4], identifier: [0; 16] };
    let mut argument = GetPolicy { size: size_of::<PolicyV2>() as u64, policy: empty };
    // SAFETY: FS_IOC_GET_ENCRYPTION_POLICY_EX reads the size of the policy's place and writes no more than that into it
    // (fs/crypto/policy.c, `fscrypt_ioctl_get_policy_ex`); the structure has the header's layout.
    let updater = unsafe { Updater::<GET_POLICY_EX, GetPolicy>::new(&mut argument) };
    // SAFETY: the pattern above matches the ioctl.
    match unsafe { rustix::ioctl::ioctl(file, updater) } {
        Ok(()) => {}
        Err(Errno::NODATA) => return Ok(None),
        // A version with a longer policy than all that exist today.
        Err(Errno::OVERFLOW) => return Ok(Some(Policy::Other)),
        Err(error) => return Err(error),
    }
    let got = argument.policy;
    let ours = our_policy(KeyIdentifier(got.identifier));
    let same = (got.version, got.contents, got.names, got.flags)
        == (ours.version, ours.contents, ours.names, ours.flags);
    Ok(Some(if same { Policy::Ours(KeyIdentifier(got.identifier)) } else { Policy::Other }))
}

/// Takes back the calling user's claim to a key; with the last claim the key goes and everything under it is locked.
///
/// # Errors
/// What the kernel says: `ENOKEY` when the user never added it or it is gone entirely, `ENOTTY` as [`add_key`].
pub fn remove_key(file_system: impl AsFd, key: KeyIdentifier) -> io::Result<Removal> {
    remove::<REMOVE_KEY>(file_system, key)
}

/// Takes a key away, whoever added it.
///
/// # Errors
/// What the kernel says: `ENOKEY` when it is gone entirely, `EACCES` without `CAP_SYS_ADMIN`, `ENOTTY` as [`add_key`].
pub fn remove_key_of_all_users(file_system: impl AsFd, key: KeyIdentifier) -> io::Result<Removal> {
    remove::<REMOVE_KEY_ALL_USERS>(file_system, key)
}

/// Says whether a file system has a key.
///
/// # Errors
/// What the kernel says: `ENOTTY` as [`add_key`]; `EPROTO` for a status that this kernel's successors may have.
pub fn key_status(file_system: impl AsFd, key: KeyIdentifier) -> io::Result<KeyStatus> {
    let mut argument = GetKeyStatus {
        key: specifier(key),
        reserved: [0; 6],
        status: 0,
        status_flags: 0,
        user_count: 0,
        out_reserved: [0; 13],
    };
    // SAFETY: FS_IOC_GET_ENCRYPTION_KEY_STATUS reads and writes a `struct fscrypt_get_key_status_arg`
    // (fs/crypto/keyring.c, `fscrypt_ioctl_get_key_status`), which has the header's layout.
    let updater = unsafe { Updater::<GET_KEY_STATUS, GetKeyStatus>::new(&mut argument) };
    // SAFETY: the pattern above matches the ioctl.
    unsafe { rustix::ioctl::ioctl(file_system, updater) }?;
    match argument.status {
        STATUS_ABSENT => Ok(KeyStatus::Absent),
        STATUS_PRESENT => Ok(KeyStatus::Present),
        STATUS_INCOMPLETELY_REMOVED => Ok(KeyStatus::IncompletelyRemoved),
        _unknown => Err(Errno::PROTO),
    }
}

fn remove<const OPCODE: Opcode>(file_system: impl AsFd, key: KeyIdentifier) -> io::Result<Removal> {
    let mut argument = RemoveKey { key: specifier(key), status_flags: 0, reserved: [0; 5] };
    // SAFETY: both FS_IOC_REMOVE_ENCRYPTION_KEY and its form for all users read and write a
    // `struct fscrypt_remove_key_arg` (fs/crypto/keyring.c, `do_remove_key`), which has the header's layout; this
    // function is private and called with their numbers only.
    let updater = unsafe { Updater::<OPCODE, RemoveKey>::new(&mut argument) };
    // SAFETY: the pattern above matches the ioctl.
    unsafe { rustix::ioctl::ioctl(file_system, updater) }?;
    // The kernel looks for busy files only once the last user's claim is gone: the two never come together.
    Ok(match argument.status_flags {
        flags if flags & REMOVAL_OTHER_USERS != 0 => Removal::OtherUsers,
        flags if flags & REMOVAL_FILES_BUSY != 0 => Removal::FilesBusy,
        _nothing_left => Removal::Complete,
    })
}

fn specifier(key: KeyIdentifier) -> KeySpecifier {
    KeySpecifier { kind: KEY_SPEC_TYPE_IDENTIFIER, reserved: 0, identifier: key.0, rest: [0; 16] }
}

fn our_policy(key: KeyIdentifier) -> PolicyV2 {
    PolicyV2 {
        version: POLICY_V2,
        contents: MODE_AES_256_XTS,
        names: MODE_AES_256_CTS,
        flags: FLAGS_PAD_32,
        reserved: [0; 4],
        identifier: key.0,
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    #[test]
    fn structures_have_the_size_of_the_kernel_header() {
        assert_eq!(size_of::<PolicyV2>(), 24);
        assert_eq!(size_of::<GetPolicy>(), 32);
        assert_eq!(size_of::<KeySpecifier>(), 40);
        assert_eq!(size_of::<AddKeyHead>(), 80);
        assert_eq!(size_of::<AddKey>(), 144);
        assert_eq!(size_of::<RemoveKey>(), 64);
        assert_eq!(size_of::<GetKeyStatus>(), 128);
    }

    #[test]
    fn opcodes_are_those_of_the_kernel_header() {
        assert_eq!(SET_POLICY, 0x800c_6613);
        assert_eq!(GET_POLICY_EX, 0xc009_6616);
        assert_eq!(ADD_KEY, 0xc050_6617);
        assert_eq!(REMOVE_KEY, 0xc040_6618);
        assert_eq!(REMOVE_KEY_ALL_USERS, 0xc040_6619);
        assert_eq!(GET_KEY_STATUS, 0xc080_661a);
    }

    #[test]
    fn a_file_system_without_encryption_refuses_everything() {
        let file = File::open("/proc/self/status").unwrap();
        let key = KeyIdentifier([1; 16]);
        assert_eq!(add_key(&file, &[7; KEY_BYTES]), Err(Errno::NOTTY));
        assert_eq!(set_policy(&file, key), Err(Errno::NOTTY));
        assert_eq!(policy(&file), Err(Errno::NOTTY));
        assert_eq!(remove_key(&file, key), Err(Errno::NOTTY));
        assert_eq!(remove_key_of_all_users(&file, key), Err(Errno::NOTTY));
        assert_eq!(key_status(&file, key), Err(Errno::NOTTY));
    }
}
