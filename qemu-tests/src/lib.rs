//! Boots the real image in QEMU: the harness of the VM tests, of `cargo xtask run` and of `cargo xtask bench`.
//!
//! A [`builder::VmBuilder`] describes a machine, [`vm::Vm`] is one that runs, [`vm::Off`] is one whose power was cut and whose
//! disk is still there. What a handle started ends when the handle goes, also when a test panics. [`artifacts::Artifacts`] says
//! where the built image is. A test runs inside [`scenario::scenario`], which keeps everything when it fails.
//!
//! ```text
//!  test ── VmBuilder ── Vm ── serial   console lines, a panic ends every wait at once
//!                        ├── qmp       monitor: ports, events, reset
//!                        ├── agent     inside the box, over virtio-serial (only where the test added it)
//!                        ├── web       HTTPS as a browser speaks it, checked against the household CA
//!                        └── tpm       swtpm
//! ```
//!
//! No port is fixed, no network but the machine's own is reached, and nothing is ended that was not started here.

pub mod agent;
pub mod artifacts;
pub mod blocklog;
pub mod builder;
pub mod capture;
pub mod containers;
pub mod cpio;
pub mod disk;
pub mod esp;
pub mod failing_disk;
pub mod file_server;
pub mod frames;
pub mod gdb;
pub mod guest;
pub mod machine;
pub mod packets;
pub mod pi;
pub mod plain;
pub mod probes;
pub mod process;
pub mod qmp;
pub mod registry;
pub mod releases;
pub mod scenario;
pub mod secure_boot;
pub mod serial;
pub mod slots;
pub mod software;
pub mod tpm;
pub mod uki;
pub mod updates;
pub mod usb_disk;
pub mod vm;
pub mod wait;
pub mod web;

pub use artifacts::Artifacts;
pub use builder::Boot;
pub use builder::VmBuilder;
pub use guest::BOOT;
pub use guest::Guest;
pub use guest::StateLine;
pub use vm::Off;
pub use vm::Vm;
pub use wait::wait_until;
