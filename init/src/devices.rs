//! Devices: which modules the hardware asks for, at boot (coldplug) and later (uevents).
//!
//! ```text
//! /sys/bus/*/devices/*/modalias ─┐
//!                                ├─ alias::Index → names → depends::Dependencies → finit_module, in order
//! netlink KOBJECT_UEVENT ────────┘
//! ```
//! The socket is opened before coldplug, so that no device falls between the two. Programs cannot make the kernel
//! load anything: `kernel.modprobe` is empty (see `stage2::sysctls`), and what is needed beyond devices stands in the
//! table [`ALWAYS`].

pub mod alias;
pub mod coldplug;
pub mod depends;
pub mod loader;
pub mod uevent;

/// Modules that no device asks for, each with who needs it.
pub const ALWAYS: &[(&str, &str)] = &[
    ("efivarfs", "the loader's variables: slot name and the disk we booted from"),
    ("ext4", "the data partition"),
    ("vfat", "the ESP"),
    ("nls_cp437", "short names on vfat (CONFIG_FAT_DEFAULT_CODEPAGE=437)"),
    ("nls_ascii", "long names on vfat (CONFIG_FAT_DEFAULT_IOCHARSET=ascii)"),
    ("nls_utf8", "long names on vfat with the mount option utf8"),
    ("af_packet", "netd's DHCP client, before the link has an address"),
    (
        "sd_mod",
        "SCSI, SATA and USB disks; its alias matches a device that appears only after the bus was scanned",
    ),
    ("evdev", "the power button"),
    ("button", "the ACPI power button; its ACPI id is not exported before the driver binds on some boards"),
];
