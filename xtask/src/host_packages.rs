//! The distribution packages that building, running and testing need on this machine.
//!
//! Missing ones are installed by the machine's own package manager, and said aloud.

use crate::command::Program;
use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use image::arch::Arch;

/// A package and what it is for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HostPackage {
    name: &'static str,
    reason: &'static str,
}

const fn package(name: &'static str, reason: &'static str) -> HostPackage {
    HostPackage { name, reason }
}

/// What `cargo xtask image` needs.
pub(crate) const IMAGE: &[HostPackage] = &[
    package("gcc", "links Rust programs"),
    package("libc6-dev", "links Rust programs"),
    package("libseccomp-dev", "links the program that starts containers"),
    package("libtss2-dev", "links programs that speak to the TPM"),
    package("pkg-config", "finds that library"),
    package("xz-utils", "unpacks kernel modules"),
    package("zstd", "compresses the image"),
];

const CROSS_AMD64: &[HostPackage] = &[
    package("gcc-x86-64-linux-gnu", "compiles C and links for 64-bit PCs"),
    package("libc6-dev-amd64-cross", "its start files"),
];
const CROSS_ARM64: &[HostPackage] = &[
    package("gcc-aarch64-linux-gnu", "compiles C and links for 64-bit ARM"),
    package("libc6-dev-arm64-cross", "its start files"),
    package("make", "compiles a kernel module for the Raspberry Pi"),
];

const MACHINE_AMD64: &[HostPackage] =
    &[package("qemu-system-x86", "runs the image"), package("ovmf", "UEFI firmware for the machine")];
const MACHINE_ARM64: &[HostPackage] = &[
    package("qemu-system-arm", "runs the image"),
    package("qemu-efi-aarch64", "UEFI firmware for the machine"),
];

/// What programs for boards of that architecture need on a machine of another, on top of [`IMAGE`].
pub(crate) fn cross(arch: Arch) -> &'static [HostPackage] {
    match arch {
        Arch::Amd64 => CROSS_AMD64,
        Arch::Arm64 => CROSS_ARM64,
    }
}

/// What starting a machine of that architecture needs, on top of [`IMAGE`] and [`MACHINE`].
pub(crate) fn machine(arch: Arch) -> &'static [HostPackage] {
    match arch {
        Arch::Amd64 => MACHINE_AMD64,
        Arch::Arm64 => MACHINE_ARM64,
    }
}

/// What starting a machine needs, on top of [`IMAGE`].
pub(crate) const MACHINE: &[HostPackage] = &[
    package("qemu-utils", "makes disk overlays"),
    package("swtpm", "software TPM for the machine"),
    package("swtpm-tools", "makes it"),
    package("nbdkit", "a disk for the machine that fails"),
];

/// What the tests need, on top of [`IMAGE`] and [`MACHINE`].
pub(crate) const TEST: &[HostPackage] = &[
    package("chromium", "walks through the console"),
    package("avahi-daemon", "a real neighbour for multicast DNS"),
    package("avahi-utils", "asks that neighbour"),
    package("dbus-daemon", "the bus between those two"),
    package("device-tree-compiler", "lays overlays over the device tree of a Raspberry Pi"),
    package("fonts-dejavu-core", "letters for the screenshots"),
    package("dnsmasq-base", "a real DHCP server for netd"),
    package("radvd", "a real router for netd"),
    package("chrony", "a real time server, with NTS, for timesync"),
    package("unbound", "a real upstream over TLS and HTTPS for the resolver"),
    package("nsd", "serves the private internet behind it"),
    package("ldnsutils", "signs its zones"),
    package("bind9-dnsutils", "judges the resolver (dig)"),
    package("knot-dnsutils", "judges the resolver over TLS (kdig)"),
    package("nftables", "counts what leaves the box"),
    package("iproute2", "network namespaces"),
    package("socat", "leads the machine to that registry"),
    package("docker-registry", "a real registry for images"),
    package("skopeo", "fills that registry"),
    package("cryptsetup-bin", "makes and reads headers of encrypted partitions"),
    package("strace", "ends cryptsetup at each of its writes"),
    package("e2fsprogs", "judges the data partition"),
    package("fakeroot", "keeps the owners of unpacked layers"),
    package("erofs-utils", "packs roots of updates"),
    package("gdisk", "judges the partition table"),
    package("dosfstools", "judges the boot partition"),
    package("sbsigntool", "judges signatures"),
    package("openssl", "makes keys for Secure Boot tests"),
    package("gcc-aarch64-linux-gnu", "makes programs for images of boards with ARM processors"),
    package("libc6-dev-arm64-cross", "its start files"),
    package("make", "compiles a kernel module for the Raspberry Pi"),
    package("python3-venv", "holds the firmware variable editor"),
];

/// What `cargo xtask buildroot` needs, on top of [`IMAGE`].
pub(crate) const BUILDROOT: &[HostPackage] = &[
    package("bc", "computes constants of the kernel"),
    package("bison", "reads Kconfig"),
    package("cpio", "unpacks tar's own source"),
    package("file", "tells what files are"),
    package("flex", "reads Kconfig"),
    package("g++", "builds tools"),
    package("libelf-dev", "reads the kernel's objects"),
    package("libssl-dev", "signs kernel modules"),
    package("make", "runs Buildroot"),
    package("openssl", "makes a key for kernel modules"),
    package("patch", "applies Buildroot's patches"),
    package("perl", "runs scripts of packages"),
    package("rsync", "copies the repository into the build"),
    package("unzip", "unpacks sources"),
    package("wget", "fetches sources"),
];

/// What the fuzzer needs, on top of [`IMAGE`].
pub(crate) const FUZZ: &[HostPackage] = &[package("g++", "builds the engine of the fuzzer")];

/// What the benchmark needs, on top of [`IMAGE`] and [`MACHINE`].
pub(crate) const BENCH: &[HostPackage] = &[
    package("mmdebstrap", "builds the Debian system to compare with"),
    package("nftables", "loads rules, to compare with"),
    package("unbound", "answers questions for names, to compare with"),
    package("ldnsutils", "signs the zone behind both name servers"),
    package("openssl", "makes their upstream's certificate"),
    package("iproute2", "network namespaces"),
    package("fakeroot", "keeps the owners of unpacked layers"),
    package("docker-registry", "a registry to pull from"),
    package("skopeo", "fills it, and pulls, to compare with"),
    package("umoci", "unpacks images, to compare with"),
];

/// What measuring updates needs, on top of [`IMAGE`], and of [`MACHINE`] when one runs.
pub(crate) const BENCH_UPDATE: &[HostPackage] = &[
    package("casync", "fetches updates in chunks, to compare with"),
    package("zchunk", "fetches updates in chunks, to compare with"),
    package("xdelta3", "makes differences of systems, to compare with"),
    package("curl", "fetches those"),
    package("time", "says what programs cost"),
];

/// Installs what is missing of the given lists.
///
/// # Errors
/// When this is no Debian-like machine, when packages are missing and neither root nor sudo is at hand, or when the
/// package manager fails.
pub(crate) fn ensure(lists: &[&[HostPackage]]) -> Result<()> {
    let missing: Vec<HostPackage> = lists
        .iter()
        .flat_map(|list| list.iter())
        .copied()
        .filter(|package| !is_installed(package.name))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    if !Program::new("apt-get", ["--version"]).succeeds() {
        bail!("this machine has no apt-get; please install by hand: {}", names(&missing).join(" "));
    }
    for package in &missing {
        say(&format!("installing {} ({})", package.name, package.reason));
    }
    let install = ["install", "-y", "--no-install-recommends"].map(str::to_owned);
    privileged(["update", "-q"].map(str::to_owned).to_vec()).context("updating the package lists")?;
    privileged(install.into_iter().chain(names(&missing)).collect()).with_context(|| {
        format!(
            "installing {}; check the machine's package configuration and network",
            names(&missing).join(" ")
        )
    })
}

/// Makes sure that the package manager knows what there is: a new machine has never asked.
///
/// # Errors
/// When the lists cannot be fetched.
pub(crate) fn ensure_lists() -> Result<()> {
    let known = Program::new("apt-get", ["indextargets", "Created-By: Packages"]).output()?;
    if known.trim().is_empty() {
        say("fetching the package lists");
        privileged(["update", "-q"].map(str::to_owned).to_vec()).context("updating the package lists")?;
    }
    Ok(())
}

/// Tells the user what is being done.
#[expect(clippy::print_stderr, reason = "xtask talks to a person")]
pub(crate) fn say(text: &str) {
    eprintln!("xtask: {text}");
}

fn names(packages: &[HostPackage]) -> Vec<String> {
    packages.iter().map(|package| package.name.to_owned()).collect()
}

fn is_installed(name: &str) -> bool {
    Program::new("dpkg-query", ["-W", "-f=${db:Status-Status}", name])
        .output()
        .is_ok_and(|status| status == "installed")
}

fn privileged(arguments: Vec<String>) -> Result<()> {
    let program = if rustix::process::geteuid().is_root() {
        Program::new("apt-get", arguments)
    } else if Program::new("sudo", ["--version"]).succeeds() {
        Program::new("sudo", ["apt-get".to_owned()].into_iter().chain(arguments))
    } else {
        bail!("packages are missing and this is neither root nor a user with sudo");
    };
    program.env("DEBIAN_FRONTEND", "noninteractive").run()
}
