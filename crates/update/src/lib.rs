//! Updates: what a signed repository offers this box, and how it gets it. Blocking; no clock, no socket, no key of its own.
//!
//! ```text
//! Source (server, folder, bundle) ── Check ──▶ Catalog ── choose ──▶ Release ── download ──▶ slot file, as signed
//!                                      ▲          │
//!                     Store (what was accepted before) ◀─ remembered
//! ```
//!
//! Anybody may host a repository: only signatures count. Formats, limits and rules: `docs/spec/updates.md`; why: `docs/adr/0028`.
//!
//! What must hold:
//!
//! 1. nothing is offered that a threshold of the keys in the trusted root did not sign;
//! 2. what was accepted once is not followed by something older;
//! 3. expired metadata is never accepted; when nobody can tell, the box does not update itself ([`Clock`]);
//! 4. every answer is bounded in size before it is read, and in time while it is;
//! 5. a slot file is called complete only when its length and SHA-256 are those that were signed.
//!
//! Left to others: when to ask, writing the boot partition, the restart.

#[cfg(feature = "download")]
pub mod archive;
mod bundle;
mod catalog;
mod check;
mod clock;
mod custom;
mod digest;
#[cfg(feature = "download")]
mod download;
#[cfg(feature = "http")]
mod http;
mod name;
#[cfg(feature = "download")]
mod pace;
#[cfg(feature = "publish")]
pub mod publish;
#[cfg(feature = "download")]
pub mod remake;
mod source;
mod store;

pub use bundle::Bundle;
pub use bundle::BundleError;
pub use bundle::MAX_BUNDLE_METADATA;
pub use catalog::Catalog;
pub use catalog::Choice;
pub use catalog::LoadError;
pub use catalog::MAX_TARGETS;
pub use catalog::Offer;
pub use catalog::Place;
pub use catalog::Release;
pub use catalog::Turn;
pub use catalog::Unfit;
pub use check::Check;
pub use check::Refused;
pub use check::Role;
pub use check::Wanted;
pub use clock::Asker;
pub use clock::Clock;
pub use clock::Origin;
pub use clock::Permit;
pub use clock::Trust;
pub use custom::Chunks;
pub use custom::Custom;
pub use custom::CustomError;
pub use custom::FORMAT;
pub use custom::MAX_BASES;
pub use custom::MAX_NOTES;
pub use custom::MAX_REMAKE_HEADER;
pub use custom::Notes;
pub use custom::Remakes;
pub use digest::DigestError;
pub use digest::Hasher;
pub use digest::Sha256;
#[cfg(feature = "download")]
pub use download::DownloadError;
#[cfg(feature = "download")]
pub use download::FailedRemake;
#[cfg(feature = "download")]
pub use download::Flow;
#[cfg(feature = "download")]
pub use download::Job;
#[cfg(feature = "download")]
pub use download::Outcome;
#[cfg(feature = "download")]
pub use download::Output;
#[cfg(feature = "download")]
pub use download::Progress;
#[cfg(feature = "download")]
pub use download::RemakeError;
#[cfg(feature = "download")]
pub use download::Running;
#[cfg(feature = "download")]
pub use download::Seed;
#[cfg(feature = "download")]
pub use download::Watch;
#[cfg(feature = "download")]
pub use download::Way;
#[cfg(feature = "http")]
pub use http::Http;
#[cfg(feature = "http")]
pub use http::HttpSettings;
#[cfg(feature = "http")]
pub use http::SettingsError;
pub use name::Label;
pub use name::LabelError;
pub use name::MAX_LABEL;
pub use name::Name;
#[cfg(feature = "download")]
pub use pace::Pace;
pub use source::Folder;
pub use source::MAX_ROOT;
pub use source::MAX_SLOT;
pub use source::MAX_SNAPSHOT;
pub use source::MAX_TARGETS_FILE;
pub use source::MAX_TIMESTAMP;
pub use source::Range;
pub use source::Source;
pub use source::SourceError;
pub use source::read_all;
pub use store::Store;
pub use store::StoreError;
