//! Files that are sealed before they reach the repository: whoever has its key sees how many there are, how long and of when, and
//! reads none of them. They open with an [`ArchiveKey`] only.
//!
//! ```text
//! folder ── list of names, lengths, times ──────────────── sealed ──> list-<tag of its content>
//!        └─ each file: read once for its hash, once more ── sealed ──> <tag of its name>
//! ```
//! A sealed file is a header (kind 8, tag 32) and pieces of 64 KiB, each with a tag of 16 bytes behind it: the construction STREAM
//! (Hoang, Reyhanitabar, Rogaway, Vizár: "Online Authenticated-Encryption and its Nonce-Reuse Misuse-Resistance", 2015) over
//! XChaCha20-Poly1305, as the crate `aead` has it: pieces that are cut off, exchanged or repeated do not open.
//!
//! The tag in the header is an HMAC over the file's name, length, time and the SHA-256 of its content; the key of the pieces comes from
//! that tag, so one key never seals two contents and the same file is the same bytes again, which the repository stores once. Who
//! compares two snapshots sees which files stayed as they were, and nothing about files that are like each other.
//!
//! Name, length and time in the list must be those that a file was sealed with: an older one in its place does not open, and one that was
//! taken away is missed.

mod folder;
mod key;
mod list;
mod scan;
mod stream;

pub use folder::SealedFolder;
pub use folder::SealedFolderError;
pub use folder::UnsealError;
pub use key::ArchiveKey;
pub use key::WrappedArchiveKey;
pub use list::SealedFile;
#[cfg(feature = "fuzzing")]
pub(crate) use list::decode as decode_list;
#[cfg(feature = "fuzzing")]
pub(crate) use list::encode as encode_list;
pub(crate) use scan::Plain;
pub(crate) use scan::Sealed;
pub(crate) use scan::scan;
