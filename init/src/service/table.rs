//! The services of the box, as a table.
//!
//! A service that is not in this table does not run, and a right that is not in its row it does not have. The
//! trampoline (`confine`) looks the same rows up in the new process, so nothing of a row travels by arguments.

use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::net::SocketAddrV6;
use std::path::Path;
use std::time::Duration;

use model::paths;
use rustix::thread::CapabilitySet;

use crate::devices::wireless;

/// One service.
#[derive(Debug)]
pub struct Service {
    /// Name in reports, logs and the control protocol.
    pub name: &'static str,
    /// Program, with its full path.
    pub program: &'static str,
    /// Its arguments.
    pub arguments: &'static [&'static str],
    /// What its environment has besides what init gives every service.
    pub environment: &'static [(&'static str, &'static str)],
    /// Its standard input.
    pub input: Input,
    /// User and group of that number.
    pub user: u32,
    /// Further groups.
    pub groups: &'static [u32],
    /// What it may do beyond its user, ambient and bounding set alike.
    pub capabilities: CapabilitySet,
    /// Sockets it is given, in this order, from descriptor 3 on.
    pub sockets: &'static [Socket],
    /// Whether it keeps state on the data partition: stopped while that is brought up.
    pub keeps_state: bool,
    /// Services that are started before it; it does not wait for one that fails.
    pub after: &'static [&'static str],
    /// When it is part of the box at all.
    pub when: When,
    /// What it may reach and call.
    pub confinement: Confinement,
    /// What it may use up.
    pub limits: Limits,
    /// Whether its `X_HEARTH_ANNOUNCE=` lines are printed on the consoles.
    pub may_announce: bool,
    /// Who says that it is ready.
    pub readiness: Readiness,
    /// How long it may take from its start to `READY=1`.
    pub ready_within: Duration,
    /// How long it may be silent after its first `WATCHDOG=1`.
    pub watchdog: Duration,
}

/// What a service reads from its standard input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// Nothing: `/dev/null`.
    Nothing,
    /// The slot file that runs, where there is one: the boot partition is closed to services, and most of an update is in it already.
    RunningSystem,
}

/// Who says that a service is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// It does (`READY=1`).
    Told,
    /// Nobody: a foreign program that speaks no sd_notify counts as ready once it runs.
    Running,
}

/// Condition of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// On every box.
    Always,
    /// When this file is there.
    FileExists(&'static str),
    /// When there is a wireless device; it may come at any time. A box without one has none of these programs in its memory.
    Wireless,
}

/// A socket that init opens and hands over.
#[derive(Clone, Copy, Debug)]
pub struct Socket {
    /// Name in `LISTEN_FDNAMES`.
    pub name: &'static str,
    /// Where it listens.
    pub address: Address,
}

/// Where a socket listens.
#[derive(Clone, Copy, Debug)]
pub enum Address {
    /// TCP; `[::]` takes IPv4 too.
    Tcp(SocketAddr),
    /// A path with group and mode.
    Unix {
        /// Path.
        path: &'static str,
        /// Group that may connect.
        group: u32,
        /// Mode.
        mode: u32,
    },
}

/// How a service is held beside its user, capabilities and control group.
#[derive(Clone, Copy, Debug)]
pub enum Confinement {
    /// By rules for files and a list of system calls: all others are refused.
    Sandbox(Sandbox),
    /// By a list of system calls that are refused, for a service whose work the rules for files forbid.
    Forbidden {
        /// System calls that neither it nor anything it starts may make.
        calls: &'static [i64],
        /// Why there is no sandbox.
        reason: &'static str,
    },
    /// Not at all: the test agent.
    Nothing,
}

impl Confinement {
    /// The sandbox, if there is one.
    #[must_use]
    pub const fn sandbox(&self) -> Option<&Sandbox> {
        match self {
            Self::Sandbox(sandbox) => Some(sandbox),
            Self::Forbidden { .. } | Self::Nothing => None,
        }
    }
}

/// Landlock and seccomp of a service.
#[derive(Clone, Copy, Debug)]
pub struct Sandbox {
    /// Folders and files it may read.
    pub read: &'static [&'static str],
    /// The same, for this service alone.
    pub read_also: &'static [&'static str],
    /// Folders in which it may open every folder, and no file.
    pub lists: &'static [&'static str],
    /// Folders and files it may change.
    pub write: &'static [&'static str],
    /// Folders of devices that it may work on and make nodes in.
    pub devices: &'static [&'static str],
    /// Programs that it may run beside itself, confined as it is.
    pub programs: &'static [&'static str],
    /// Families of sockets it may make.
    pub families: &'static [i32],
    /// System calls that this service alone may make.
    pub calls_also: &'static [i64],
    /// TCP ports that it may listen on by itself, on addresses that init does not know; all others come from init as sockets.
    pub listens: &'static [u16],
}

/// Limits of a service's cgroup and process.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// `memory.max` in bytes.
    pub memory: u64,
    /// `pids.max`; threads count.
    pub tasks: u32,
    /// `RLIMIT_NOFILE`.
    pub files: u64,
}

/// What every confined program reads: itself, its libraries, its configuration, what the kernel tells, our reports.
const COMMON_READ: &[&str] = &[
    "/usr",
    "/etc",
    "/proc",
    "/sys",
    "/run/hearth",
    "/dev/null",
    "/dev/zero",
    "/dev/urandom",
    "/dev/random",
];

/// The storage daemon; it also runs for a moment at boot (`disk::tools`).
pub const STORAGED: &str = "/usr/lib/hearth/storaged";
/// The program that works on the encrypted partition.
const CRYPTSETUP: &str = "/usr/sbin/cryptsetup";

/// The container daemon. On the way down it ends before the apps do: else it would start them again.
pub const CONTAINERD_LITE: &str = "containerd-lite";

/// What nobody in a container needs, nor whoever starts one: modules and kernels, the clock, swap, quotas, raw ports, tracing of the kernel,
/// files by handle (which lead out of every mount).
const NEVER_FOR_CONTAINERS: &[i64] = &[
    libc::SYS_acct,
    libc::SYS_adjtimex,
    libc::SYS_clock_adjtime,
    libc::SYS_clock_settime,
    libc::SYS_delete_module,
    libc::SYS_finit_module,
    libc::SYS_init_module,
    libc::SYS_kexec_file_load,
    libc::SYS_kexec_load,
    libc::SYS_open_by_handle_at,
    libc::SYS_perf_event_open,
    libc::SYS_quotactl,
    libc::SYS_reboot,
    libc::SYS_settimeofday,
    libc::SYS_swapoff,
    libc::SYS_swapon,
    libc::SYS_syslog,
    libc::SYS_userfaultfd,
    libc::SYS_vhangup,
];

/// The rows, in the order of the reports; stopped in reverse.
pub const SERVICES: &[Service] = &[
    // Test images only: stage 1 puts it there from the initrd, which the slot's signature covers. The first
    // row, so that it is stopped last and can tell what it saw.
    Service {
        name: "agent",
        program: paths::AGENT,
        arguments: &[],
        environment: &[],
        input: Input::Nothing,
        user: 0,
        groups: &[],
        capabilities: CapabilitySet::all(),
        sockets: &[],
        keeps_state: false,
        after: &[],
        when: When::FileExists(paths::AGENT),
        confinement: Confinement::Nothing,
        limits: Limits { memory: 256 << 20, tasks: 256, files: 4096 },
        may_announce: true,
        readiness: Readiness::Told,
        ready_within: Duration::from_secs(60),
        watchdog: Duration::from_secs(60),
    },
    // The one daemon that is root: device-mapper and the partition's device are root's, and whoever may write to that device may read and
    // change everything on it anyway, so another user would protect nothing. Root here is a name without its powers: device-mapper
    // asks for SYS_ADMIN, cryptsetup makes its node (MKNOD) and gives it its owner (CHOWN), which nobody else can do without udev, and
    // an ATA disk tells how it is only to who may give it any order (SYS_RAWIO; whoever may write to the disk may as well).
    // No network, no file of anybody else's: those would need DAC_OVERRIDE. On the data it has a folder with the box's own
    // keys.
    Service {
        name: "storaged",
        program: STORAGED,
        arguments: &["serve"],
        environment: &[],
        input: Input::Nothing,
        user: 0,
        groups: &[paths::RESERVE_GID],
        capabilities: CapabilitySet::SYS_ADMIN
            .union(CapabilitySet::MKNOD)
            .union(CapabilitySet::CHOWN)
            .union(CapabilitySet::SYS_RAWIO),
        sockets: &[Socket {
            name: "storage1",
            address: Address::Unix { path: paths::STORAGE_BUS_SOCKET, group: paths::BUS_GID, mode: 0o660 },
        }],
        // It is started anew itself after it has opened the partition: its folder is not there before.
        keeps_state: true,
        after: &[],
        when: When::Always,
        confinement: Confinement::Sandbox(Sandbox {
            read: COMMON_READ,
            read_also: &[],
            // Free blocks are given back through the folder of the mounted partition, and that may be mounted later than storaged starts:
            // a rule for the folder it covers would not hold then.
            lists: &["/"],
            write: &[paths::STORAGE_RUN, paths::STORAGED_STATE, "/dev/null"],
            devices: &["/dev"],
            programs: &[CRYPTSETUP],
            families: &[libc::AF_UNIX],
            // cryptsetup hands the volume key to the kernel in a keyring, makes the node of the opened partition, and keeps keys out of
            // swap.
            calls_also: &[
                libc::SYS_add_key,
                libc::SYS_keyctl,
                libc::SYS_request_key,
                libc::SYS_mknodat,
                libc::SYS_mlockall,
                libc::SYS_munlockall,
                libc::SYS_sync,
            ],
            listens: &[],
        }),
        // argon2id of a typed key works in 128 MiB.
        limits: Limits { memory: 256 << 20, tasks: 32, files: 256 },
        may_announce: false,
        readiness: Readiness::Told,
        ready_within: Duration::from_secs(60),
        // It is silent while it works: a change of keys is several runs of cryptsetup.
        watchdog: Duration::from_secs(300),
    },
    // The only process that changes the network: links and routes (NET_ADMIN), DHCP on a link without an address
    // (NET_RAW, AF_PACKET), answers on the mDNS and DHCP ports (NET_BIND_SERVICE). It also keeps the time, which comes
    // from the network: SYS_TIME and the calls that set and steer the clock (docs/adr/0015).
    Service {
        name: "netd",
        program: "/usr/lib/hearth/netd",
        arguments: &[],
        environment: &[],
        input: Input::Nothing,
        user: paths::NETD_UID,
        groups: &[paths::RESERVE_GID],
        capabilities: CapabilitySet::NET_ADMIN
            .union(CapabilitySet::NET_RAW)
            .union(CapabilitySet::NET_BIND_SERVICE)
            .union(CapabilitySet::SYS_TIME),
        // Opened by init so that hostd can connect before netd is up and across its restarts.
        sockets: &[Socket {
            name: "net1",
            address: Address::Unix { path: paths::NET_BUS_SOCKET, group: paths::BUS_GID, mode: 0o660 },
        }],
        keeps_state: true,
        after: &[],
        when: When::Always,
        confinement: Confinement::Sandbox(Sandbox {
            read: COMMON_READ,
            read_also: &[],
            lists: &[],
            // /proc/sys/net: per-link IPv6 settings have no netlink form.
            write: &[paths::NETD_STATE, "/run/hearth/net", "/proc/sys/net", "/dev/null"],
            devices: &[],
            programs: &[],
            families: &[libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK, libc::AF_PACKET],
            // adjtimex: older C libraries steer the clock by it.
            calls_also: &[libc::SYS_clock_settime, libc::SYS_clock_adjtime, libc::SYS_adjtimex],
            // Name service, plain for apps and over TLS for the home network (RFC 7858).
            listens: &[53, 853],
        }),
        limits: Limits { memory: 128 << 20, tasks: 64, files: 1024 },
        // Name and password of the box's own network for set-up: who stands before the screen may know them.
        may_announce: true,
        readiness: Readiness::Told,
        ready_within: Duration::from_secs(60),
        watchdog: Duration::from_secs(60),
    },
    // Speaks to the whole house, so it has no capability at all: its ports come from init.
    Service {
        name: "hostd",
        program: "/usr/lib/hearth/hostd",
        arguments: &[],
        environment: &[],
        input: Input::RunningSystem,
        user: paths::HOSTD_UID,
        groups: &[paths::BUS_GID],
        capabilities: CapabilitySet::empty(),
        sockets: &[
            Socket { name: "http", address: Address::Tcp(any_address(80)) },
            Socket { name: "https", address: Address::Tcp(any_address(443)) },
        ],
        // Not after netd: its sockets are there already, and set-up must not wait for a cable.
        keeps_state: true,
        after: &[],
        when: When::Always,
        confinement: Confinement::Sandbox(Sandbox {
            read: COMMON_READ,
            // Outside its own folder: it may not change it.
            read_also: &[paths::BOOTSTRAP],
            lists: &[],
            // Free space of the data partition is asked of its own folder.
            write: &[paths::HOSTD_STATE, paths::HOSTD_RUN, paths::UPDATES, "/dev/null"],
            devices: &[],
            programs: &[],
            families: &[libc::AF_UNIX, libc::AF_INET, libc::AF_INET6],
            calls_also: &[],
            listens: &[],
        }),
        // argon2id works in 64 MiB for each of a few logins at a time; 1,000 idle connections need little more.
        limits: Limits { memory: 384 << 20, tasks: 128, files: 8192 },
        may_announce: true,
        readiness: Readiness::Told,
        // It waits up to 90 s for storaged; the first start makes keys and a claim code; under emulation that takes a while.
        ready_within: Duration::from_secs(240),
        watchdog: Duration::from_secs(60),
    },
    // A bus for one foreign program: iwd speaks no other language. Whoever is on it is named in its configuration (netd and iwd), and
    // it has neither capability nor network nor state.
    Service {
        name: "wifi-bus",
        program: "/usr/bin/dbus-daemon",
        arguments: &[
            "--config-file=/usr/share/hearth/wifi/bus.conf",
            "--nofork",
            "--nopidfile",
            "--nosyslog",
        ],
        environment: &[],
        input: Input::Nothing,
        user: paths::WIFI_BUS_UID,
        groups: &[],
        capabilities: CapabilitySet::empty(),
        sockets: &[],
        keeps_state: false,
        after: &[],
        when: When::Wireless,
        confinement: Confinement::Sandbox(Sandbox {
            read: COMMON_READ,
            read_also: &[],
            lists: &[],
            write: &[paths::WIFI_RUN, "/dev/null"],
            devices: &[],
            programs: &[],
            families: &[libc::AF_UNIX],
            calls_also: &[],
            listens: &[],
        }),
        limits: Limits { memory: 32 << 20, tasks: 8, files: 128 },
        may_announce: false,
        readiness: Readiness::Told,
        ready_within: Duration::from_secs(60),
        watchdog: Duration::from_secs(60),
    },
    // The only other process with NET_ADMIN in the box's network: it is what the kernel asks for of whoever joins a wireless network
    // (nl80211) and sends its frames (NET_RAW). netd tells it which network and nobody else may speak to it; no ports, no DHCP, no names.
    Service {
        name: "iwd",
        program: "/usr/libexec/iwd",
        arguments: &[],
        environment: &[
            ("DBUS_SYSTEM_BUS_ADDRESS", paths::WIFI_BUS_ADDRESS),
            ("CONFIGURATION_DIRECTORY", "/usr/share/hearth/wifi"),
            ("STATE_DIRECTORY", paths::IWD_STATE),
        ],
        input: Input::Nothing,
        user: paths::IWD_UID,
        groups: &[paths::RESERVE_GID],
        capabilities: CapabilitySet::NET_ADMIN.union(CapabilitySet::NET_RAW),
        sockets: &[],
        keeps_state: true,
        after: &["wifi-bus"],
        when: When::Wireless,
        confinement: Confinement::Sandbox(Sandbox {
            read: COMMON_READ,
            read_also: &[],
            lists: &[],
            // Settings of the wireless link: whether neighbours are told of at once after roaming, IPv6 on it.
            write: &[paths::IWD_STATE, "/proc/sys/net", "/dev/rfkill", "/dev/null"],
            devices: &[],
            programs: &[],
            // AF_ALG: it computes with the kernel's ciphers.
            families: &[libc::AF_UNIX, libc::AF_INET, libc::AF_NETLINK, libc::AF_PACKET, libc::AF_ALG],
            // Keys of the networks are held in the kernel while it computes with them.
            calls_also: &[libc::SYS_add_key, libc::SYS_keyctl],
            listens: &[],
        }),
        limits: Limits { memory: 64 << 20, tasks: 8, files: 256 },
        may_announce: false,
        readiness: Readiness::Running,
        ready_within: Duration::from_secs(60),
        watchdog: Duration::from_secs(60),
    },
    // Root, because it makes namespaces, mounts and owners for apps. What it starts are apps, which go on when it ends: they are in groups of
    // their own. Mounts and namespaces (SYS_ADMIN, SYS_CHROOT), their ids (SETUID, SETGID, SETPCAP) and network (NET_ADMIN), files of layers and
    // volumes, which belong to users of apps (CHOWN, DAC_OVERRIDE, FOWNER) and may hand their groups down (FSETID), signals to apps (KILL) and a
    // look at their processes in /proc (SYS_PTRACE). Not: modules, raw devices and sockets, the clock, reserved blocks of the disk, the
    // firewall's queues.
    Service {
        name: CONTAINERD_LITE,
        program: "/usr/lib/hearth/containerd-lite",
        arguments: &[],
        environment: &[],
        input: Input::Nothing,
        user: 0,
        groups: &[paths::BUS_GID],
        capabilities: CapabilitySet::SYS_ADMIN
            .union(CapabilitySet::SYS_CHROOT)
            .union(CapabilitySet::SYS_PTRACE)
            .union(CapabilitySet::SETUID)
            .union(CapabilitySet::SETGID)
            .union(CapabilitySet::SETPCAP)
            .union(CapabilitySet::NET_ADMIN)
            .union(CapabilitySet::CHOWN)
            .union(CapabilitySet::DAC_OVERRIDE)
            .union(CapabilitySet::FOWNER)
            .union(CapabilitySet::FSETID)
            .union(CapabilitySet::KILL),
        sockets: &[Socket {
            name: "containers1",
            address: Address::Unix { path: paths::CONTAINERS_BUS_SOCKET, group: paths::BUS_GID, mode: 0o660 },
        }],
        keeps_state: true,
        // Its first question is netd's to answer.
        after: &["netd"],
        when: When::Always,
        confinement: Confinement::Forbidden {
            calls: NEVER_FOR_CONTAINERS,
            reason: "Landlock refuses every change of mounts, for good and for all that is started (Documentation/userspace-api/landlock.rst, \
                     \"Filesystem topology modification\"), and apps would inherit a list of allowed calls that was made for daemons",
        },
        // Layers are unpacked in it, by a child that may take 512 MiB, mostly for zstd's window. Apps have groups of their own.
        limits: Limits { memory: 768 << 20, tasks: 512, files: 65_536 },
        may_announce: false,
        readiness: Readiness::Told,
        ready_within: Duration::from_secs(120),
        watchdog: Duration::from_secs(120),
    },
];

/// The row of that name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Service> {
    SERVICES.iter().find(|service| service.name == name)
}

impl When {
    /// Whether the condition holds now.
    #[must_use]
    pub fn holds(self) -> bool {
        match self {
            Self::Always => true,
            Self::FileExists(path) => Path::new(path).exists(),
            Self::Wireless => wireless::is_there(Path::new(wireless::RADIOS)),
        }
    }
}

const fn any_address(port: u16) -> SocketAddr {
    SocketAddr::V6(SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, port, 0, 0))
}

#[cfg(test)]
mod tests;
