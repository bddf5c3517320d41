//! Images: named, fetched, verified, unpacked, kept (docs/spec/images.md; why it is built this way: docs/adr/0022-image-store.md).
//!
//! ```text
//!  registry ── pull ──┐                      ┌─ child: no network, one folder, its own user namespace
//!                     ├─► gather ─► store ──►│  decompress ─► tar walk ─► unpack
//!  file ──── import ──┘   (verify)           └──────────────────────────────────
//! ```
//!
//! * Nothing of an image is believed before its digest was computed here: not even by the parsers.
//! * An image is in the store when its record is, and the record is written last. Whatever happens before leaves the store as
//!   it was, but for files that no record names and that the next collection takes away.
//! * Every decoder is pure, takes bounded input and says in a [`Refused`] why it takes no more.
//!
//! Left to others: who may install what, mounting, running, and when unused images are to go.

pub mod decompress;
pub mod digest;
pub mod gather;
pub mod import;
pub mod limits;
pub mod manifest;
pub mod platform;
pub mod pull;
pub mod reference;
pub mod refused;
pub mod store;
pub mod tar;
pub mod unpack;

pub use digest::Digest;
pub use limits::Limits;
pub use platform::Platform;
pub use reference::Reference;
pub use refused::Refused;
pub use store::Store;
