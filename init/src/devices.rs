//! Devices: which modules the hardware asks for, at boot (coldplug) and later (uevents).
//!
//! ```text
//! /sys/bus/*/devices/*/modalias ─┐
//!                                ├─ alias::Index → names → depends::Dependencies → finit_module, in order
//! netlink KOBJECT_UEVENT ────────┘
//! ```
//! The socket is opened before coldplug, so that no device falls between the two. Programs cannot make the kernel
//! load anything: `kernel.modprobe` is empty (see `stage2::sysctls`), and what is needed beyond devices stands in the
//! tables below.
//!
//! A module costs 25 ms and more under emulation, most of it for its signature. What the way to the page does not need
//! (SATA, USB, input, …) therefore waits in a queue until the services run, unless the boot disk is not found without it. Watchdogs and
//! TPMs do not wait.

pub mod alias;
pub mod coldplug;
pub mod depends;
pub mod loader;
pub mod uevent;
pub mod wireless;

/// Modules that no device asks for and that the boot needs, each with who needs it.
pub const NEEDED: &[(&str, &str)] = &[
    ("ext4", "the data partition"),
    ("vfat", "the ESP"),
    ("nls_cp437", "short names on vfat (CONFIG_FAT_DEFAULT_CODEPAGE=437)"),
    ("nls_ascii", "long names on vfat (CONFIG_FAT_DEFAULT_IOCHARSET=ascii)"),
    // The kernel picks the fastest cipher there is when a mapping is made, so the processor's own comes first.
    ("aes", "the data partition: AES instructions, by the alias of all modules that have some"),
    ("xts", "the data partition: the mode of its cipher"),
    ("dm_crypt", "the data partition: the mapping"),
    ("quota_v2", "the data partition: what each app may take of it"),
    ("cts", "encrypted folders on it: the mode for file names (fscrypt)"),
    ("af_packet", "netd's DHCP client, before the link has an address"),
    // Rules are loaded before any link is switched on: these are on the way to the page.
    ("nf_tables", "the packet filter"),
    ("nft_ct", "the packet filter: states and marks of connections"),
    ("nft_fib_inet", "the packet filter: whether an address is the box's own"),
    ("nft_limit", "the packet filter: how many pings are answered"),
    ("nft_chain_nat", "the packet filter: chains that rewrite addresses"),
    ("nft_nat", "the packet filter: ports of apps, names asked of the box"),
    ("nft_masq", "the packet filter: apps go out with the box's address"),
    ("nf_conntrack_netlink", "netd forgets connections whose permission was taken away"),
];

/// Modules that no device asks for and that are wanted once the services run.
pub const WANTED: &[(&str, &str)] = &[
    ("evdev", "the power button; its alias in the kernel matches every input device and is not exported"),
    ("button", "the ACPI power button, on boards whose ACPI device shows no modalias"),
    ("veth", "links of apps"),
    ("overlay", "roots of apps: layers of images over each other"),
];

/// Drivers that do not wait until there is time for them, each with why.
pub const EARLY: &[(&str, &str)] = &[
    // What hangs on trial before its watchdog runs waits for somebody to pull the plug.
    ("bcm2835_wdt", "watchdog of a Raspberry Pi"),
    ("i6300esb", "watchdog of virtual machines"),
    ("iTCO_wdt", "watchdog of Intel's chips"),
    ("i2c_i801", "the chip that has it as a part"),
    ("lpc_ich", "the same, older"),
    ("sp5100_tco", "watchdog of AMD's chips"),
    ("wdat_wdt", "watchdog that the firmware describes"),
    // Without it at hand the data would be given another key, or stay locked.
    ("tpm_crb", "trusted platform module"),
    ("tpm_tis", "trusted platform module"),
    ("tpm_tis_spi", "trusted platform module on the pins of a Raspberry Pi"),
    ("spi_bcm2835", "the bus it is on"),
];

/// Modules that are wanted as soon as there is a wireless device. The kernel would load them when it is asked for a cipher, but programs
/// cannot make it load anything.
pub const WIRELESS: &[(&str, &str)] = &[
    ("ccm", "mac80211: frames of WPA2 and WPA3"),
    ("cmac", "mac80211: protected management frames; iwd: keys of WPA2 and WPA3"),
    ("algif_hash", "iwd: digests"),
    ("algif_skcipher", "iwd: ciphers"),
    ("algif_aead", "iwd: ciphers with a digest"),
    ("des_generic", "iwd: passwords of networks of companies; it does not start without"),
    ("md4", "iwd: the same"),
];

/// Modules that a driver asks for at run time and cannot do without, as `modules.softdep` would say it: the driver, what comes right
/// after it, and why. The driver has to find it there when its firmware has been read, tens of milliseconds later (brcmfmac/fwvid.c).
pub const AFTER: &[(&str, &str, &str)] =
    &[("brcmfmac", "brcmfmac_wcc", "radio of a Raspberry Pi: what is particular to this maker's chips")];

/// Whether a device is on the way to the page: wired network cards, and the disks of virtual machines and NVMe.
#[must_use]
pub fn is_urgent(modalias: &str) -> bool {
    let Some((bus, device)) = modalias.split_once(':') else { return false };
    match bus {
        "virtio" | "vmbus" | "xen" | "nvme" => true,
        // PCI classes (pciutils, pci.ids): 02 network, 0108 non-volatile memory.
        // 0280 are mostly wireless: their drivers take long, and a box with a cable needs none of them.
        "pci" => (device.contains("bc02") && !device.contains("bc02sc80")) || device.contains("bc01sc08"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is not there is passed over, because a kernel may have it built in; what a board leaves out would be missed much later.
    #[test]
    fn what_the_boot_needs_is_in_the_image() {
        let board = concat!(
            include_str!("../../board-configs/base.toml"),
            include_str!("../../board-configs/wifi.toml"),
        );
        // Those come with others: an alias of a cipher's modules, and what all kernels so far have built in.
        let elsewhere = ["aes", "af_packet", "evdev", "button"];
        for (name, reason) in NEEDED.iter().chain(WANTED).chain(WIRELESS) {
            let stated = board.lines().any(|line| line.trim() == format!("\"{name}\","));
            assert!(stated || elsewhere.contains(name), "{name}, for {reason}");
        }
    }

    #[test]
    fn what_comes_early_is_in_an_image() {
        let boards = [
            include_str!("../../board-configs/x86_64/x86_64.toml"),
            include_str!("../../board-configs/aarch64/qemu-aarch64.toml"),
            include_str!("../../board-configs/raspberry-pi.toml"),
        ];
        for (name, reason) in EARLY {
            let line = format!("\"{name}\",");
            assert!(
                boards.iter().any(|board| board.lines().any(|found| found.trim() == line)),
                "{name}, {reason}"
            );
        }
    }

    #[test]
    fn what_a_driver_asks_for_is_in_the_image_beside_it() {
        let board = include_str!("../../board-configs/raspberry-pi-wifi.toml");
        for (driver, after, reason) in AFTER {
            for name in [driver, after] {
                assert!(board.lines().any(|line| line.trim() == format!("\"{name}\",")), "{name}, {reason}");
            }
        }
    }

    #[test]
    fn network_and_virtual_disks_come_first() {
        for (modalias, urgent) in [
            ("virtio:d00000002v00001AF4", true),
            ("pci:v00008086d000010D3sv00008086sd0000A01Fbc02sc00i00", true),
            ("pci:v0000168Cd00000032sv00000000sd00000000bc02sc80i00", false),
            ("pci:v0000144Dd0000A808sv0000144Dsd0000A801bc01sc08i02", true),
            ("pci:v00008086d00002922sv00001AF4sd00001100bc01sc06i01", false),
            ("usb:v0951p1666d0110dc00dsc00dp00ic08isc06ip50in00", false),
            ("acpi:PNP0C0C:", false),
            ("nonsense", false),
        ] {
            assert_eq!(is_urgent(modalias), urgent, "{modalias}");
        }
    }
}
