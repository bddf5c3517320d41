//! PID 1 of Hearth.
#![forbid(unsafe_code)]

pub mod cmdline;
pub mod console;
pub mod devices;
pub mod disk;
pub mod efi;
pub mod modules;
pub mod mounts;
pub mod reaper;
pub mod stage1;
