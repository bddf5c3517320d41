//! PID 1 of Hearth: synchronous, one thread, no unsafe code.
//!
//! ```text
//! kernel ─▶ stage1 (initramfs: check and enter the root) ─▶ stage2 (mounts, drivers, data) ─▶ service::supervisor
//!                                                                                              │ starts, by table
//!                                                    `init service <name>` = confine ◀─────────┤
//!                                             `init open-data` = stage2::open_data   ◀─────────┤
//!                                             `init backup-disk` = backup_disk      ◀─────────┤
//!                                                    `installer …` (update slots)    ◀─────────┤
//!                                                    `init finish` = shutdown        ◀─────────┘
//! ```
//! Owns: mounts, modules, sysctls, the data partition's life, control groups, services, hardware watchdog, power button,
//! the way down. Leaves to others: everything about the network (netd), everything about users and the web (hostd).
//!
//! What holds: only `reaper` calls wait(2); nothing in the supervisor's loop blocks; what fails after the root is entered
//! becomes a reason in a report and never a reboot loop: only `stage1` refuses a boot, and only a system on trial goes back (`trial`).

#![forbid(unsafe_code)]

pub mod backup_disk;
pub mod cmdline;
pub mod confine;
pub mod console;
pub mod devices;
pub mod disk;
pub mod efi;
pub mod modules;
pub mod mounts;
pub mod pi;
pub mod power_button;
pub mod preset;
pub mod reaper;
pub mod report;
pub mod sequence;
pub mod service;
pub mod shutdown;
pub mod stage1;
pub mod stage2;
pub mod trial;
pub mod watchdog;
