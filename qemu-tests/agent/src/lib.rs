//! The test agent: what a test may ask of a booted box, and how the box answers.
//!
//! One JSON line asks, one JSON line answers, over the virtio-serial port [`PORT`]. The agent is never part of an image that
//! is shipped: a test adds it to the initrd of the image it boots (docs/spec/boot.md, "The test agent").
//!
//! `files` and `processes` look, `network` acts as apps do, `programs` runs what a test brings along, `port` finds the way to the host, `unsynced` is the control of the power-cut tests.

pub mod answer;
pub mod files;
pub mod network;
pub mod port;
pub mod processes;
pub mod programs;
pub mod protocol;
pub mod unsynced;

/// Name of the virtio-serial port.
pub const PORT: &str = "org.hearthos.agent.0";
/// Where stage 1's program lies when the agent stands in its place (see [`unsynced`]).
pub const REAL_INIT: &str = "/init.real";
