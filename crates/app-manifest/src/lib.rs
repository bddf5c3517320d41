//! What an app says of itself (`hearth.json`), and what a household is asked before it is installed. Pure: no I/O, no clock.
//!
//! ```text
//! hearth.json ────────── Manifest::read ──┐
//!                                         ├─→ Manifest ─→ asks, added_by   what the owner is shown
//! docker-compose.yml ─── import_compose ──┘           └─→ access           what netd's policy then has
//! ```
//!
//! A document is checked in two steps, and each tells all of its mistakes at once: its shape against [`schema`], which is made from
//! the types and published (docs/spec/hearth.schema.json), then what no schema can say. Formats and limits are in docs/spec/apps.md.

mod access;
mod asks;
mod check;
mod compose;
mod manifest;
mod mistakes;
mod read;
mod rules;
mod schema;
mod shape;
mod text;

pub use access::MissingApp;
pub use access::access;
pub use asks::Ask;
pub use asks::Subject;
pub use asks::Weight;
pub use asks::added_by;
pub use asks::asks;
pub use compose::ComposeError;
pub use compose::Import;
pub use compose::Imported;
pub use compose::MAX_COMPOSE_BYTES;
pub use compose::Remark;
pub use compose::VARIABLES;
pub use compose::import_compose;
pub use manifest::*;
pub use mistakes::Mistake;
pub use mistakes::Mistakes;
pub use read::MAX_BYTES;
pub use schema::schema;
pub use text::*;
