//! The container daemon of Hearth. What is here so far are its parts; nothing runs them yet.
//!
//! ```text
//! image      images of apps from registries and files: every byte checked, layers unpacked in a confined child
//! container  what an image and a specification come to: a container to start
//! apps       the life of an app, as a pure machine: what happened goes in, what to do comes out
//! logs       lines of containers, bounded and rate limited, on the disk
//! volumes    folders that last, their snapshots
//! state      what is wanted of each app
//! runtime    what the daemon needs of whatever runs containers
//! ```

pub mod apps;
pub mod container;
pub mod image;
pub mod logs;
pub mod runtime;
pub mod state;
pub mod volumes;
