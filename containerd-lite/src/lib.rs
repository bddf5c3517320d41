//! The container daemon of Hearth: keeps images of apps, and runs apps as hostd wants them.
//!
//! ```text
//! image      images of apps from registries and files: every byte checked, layers unpacked in a confined child
//! container  what an image and a specification come to: a container to start
//! apps       the life of an app, as a pure machine: what happened goes in, what to do comes out
//! logs       lines of containers, bounded and rate limited, on the disk
//! volumes    folders that last, their snapshots
//! state      what is wanted of each app
//! runtime    what the daemon needs of whatever runs containers
//! run        what runs them: libcontainer in a program that ends; nothing of ours stays behind
//! daemon     where these meet; apps outlive it, it finds them again
//! ```
//!
//! Left to others: who may install what (hostd), and rules of the network, without which nothing starts (netd).

pub mod apps;
mod bus;
pub mod container;
pub mod daemon;
pub mod image;
pub mod logs;
pub mod run;
pub mod runtime;
pub mod state;
pub mod volumes;
mod words;
