//! Time keeping of the box: NTP with proof of who answers, rules for setting the clock, the last known time.
//!
//! ```text
//!  settings, offered servers, network changed                     status, "synchronised"
//!            │                                                          ▲
//!            ▼            Ask │ Step │ Slew │ Mark │ Save               │
//!          run ◄──────────────────────────────────────── discipline ────┘   pure: filter, select, steps, estimate
//!            │ ▲
//!            ▼ │ Answered
//!          query ──► resolver, UDP 123, TCP 4460                            pure: packet, reply, nts records and fields
//! ```
//!
//! The embedder calls [`start`] before anything else looks at the clock, then spawns [`run`]. What moves the clock how far
//! is in [`steps`], as a table, and in docs/adr/0015.

pub mod clock;
pub mod discipline;
pub mod estimate;
pub mod filter;
pub mod last_known;
pub mod nts;
pub mod packet;
mod query;
pub mod reply;
pub mod resolve;
mod run;
pub mod select;
pub mod settings;
pub mod status;
pub mod steps;
pub mod time;

pub use clock::LinuxClock;
pub use clock::Started;
pub use clock::SystemClock;
pub use clock::start;
pub use resolve::CertificateDates;
pub use resolve::Resolve;
pub use resolve::ResolveError;
pub use run::Inputs;
pub use run::Outputs;
pub use run::Tools;
pub use run::run;
pub use settings::Origin;
pub use settings::Protocol;
pub use settings::Server;
pub use settings::TimeSettings;
pub use status::SourceStatus;
pub use status::TimeStatus;
pub use time::Timestamp;
