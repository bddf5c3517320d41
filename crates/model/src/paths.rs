//! Fixed places and identities of the running system (docs/spec/boot.md).

/// Folder for everything Hearth keeps at run time.
pub const RUN: &str = "/run/hearth";
/// [`crate::report::BootReport`], written once before the first service starts.
pub const BOOT_REPORT: &str = "/run/hearth/boot.json";
/// [`crate::report::ServicesReport`], rewritten at every change.
pub const SERVICES_REPORT: &str = "/run/hearth/services.json";
/// Datagram socket that speaks the sd_notify protocol.
pub const NOTIFY_SOCKET: &str = "/run/hearth/notify";
/// Stream socket on which init takes [`crate::control::ControlRequest`] lines.
pub const CONTROL_SOCKET: &str = "/run/hearth/control";
/// Where netd's D-Bus interface listens.
pub const NET_BUS_SOCKET: &str = "/run/hearth/net/bus.sock";
/// Where storaged's D-Bus interface listens.
pub const STORAGE_BUS_SOCKET: &str = "/run/hearth/storage/bus.sock";
/// storaged's folder at run time; for root only.
pub const STORAGE_RUN: &str = "/run/hearth/storage";
/// [`crate::storage::UnlockReport`], written by `storaged open` and `storaged make`.
pub const UNLOCK_REPORT: &str = "/run/hearth/storage/unlock.json";
/// The signed policy that the loader's stub gave to stage 1 (docs/spec/boot.md).
pub const MEASURED: &str = "/run/hearth/measured";
/// The opened data partition.
pub const DATA_MAPPED: &str = "/dev/mapper/hearth-data";
/// Where the test agent is bind-mounted in test images.
pub const AGENT: &str = "/run/hearth/agent";
/// Name of the agent's virtio-serial port.
pub const AGENT_PORT: &str = "org.hearthos.agent.0";
/// The web console's files in the root image.
pub const CONSOLE: &str = "/usr/share/hearth/console";
/// The optional bootstrap file, read by hostd at its start.
pub const BOOTSTRAP: &str = "/data/config.json";
/// hostd's part of the data partition.
pub const HOSTD_STATE: &str = "/data/state/hostd";
/// hostd's folder at run time.
pub const HOSTD_RUN: &str = "/run/hearth/host";
/// Where the disk for backups is mounted: in a folder of hostd's, so that its sandbox covers whatever is mounted there.
pub const BACKUP_DISK: &str = "/run/hearth/host/backup-disk";
/// hostd's folder on that disk.
pub const BACKUP_FOLDER: &str = "/run/hearth/host/backup-disk/hearth-backup";
/// [`crate::storage::backup_disk::BackupDiskReport`], written by init's helper.
pub const BACKUP_DISK_REPORT: &str = "/run/hearth/storage/backup-disk.json";
/// [`crate::preset::Preset`] of hostd, from the boot partition: what was decided before the first start.
pub const HOSTD_PRESET: &str = "/data/state/hostd/preset.json";
/// The same for netd: the wireless network.
pub const NETD_PRESET: &str = "/data/state/netd/preset.json";
/// netd's part of the data partition.
pub const NETD_STATE: &str = "/data/state/netd";
/// iwd's part of the data partition: the wireless networks that it knows, with their passwords.
pub const IWD_STATE: &str = "/data/state/iwd";
/// Folder of the bus that iwd speaks over.
pub const WIFI_RUN: &str = "/run/hearth/wifi";
/// Where that bus listens (docs/spec/wifi.md).
pub const WIFI_BUS_ADDRESS: &str = "unix:path=/run/hearth/wifi/bus";
/// storaged's part of the data partition.
pub const STORAGED_STATE: &str = "/data/state/storaged";

/// Where downloads of systems are put together; hostd's.
pub const UPDATES: &str = "/data/updates";
/// The slot file that is to be installed.
pub const UPDATE_SLOT: &str = "/data/updates/slot.efi";
/// Signed metadata that the slot file is checked against.
pub const UPDATE_METADATA: &str = "/data/updates/metadata";
/// Folder with the signed metadata of a file that the owner brought (in `metadata` below it).
pub const UPDATE_BUNDLE: &str = "/data/updates/bundle";
/// installer's part of the data partition: notes of versions that failed, the last boot that failed.
pub const INSTALLER_STATE: &str = "/data/state/installer";
/// installer's folder at run time.
pub const UPDATE_RUN: &str = "/run/hearth/update";
/// [`crate::update::SlotsReport`], written anew by each run of installer.
pub const SLOTS_REPORT: &str = "/run/hearth/update/slots.json";
/// Last lines of init's log ring, for a failure that is kept; root's.
pub const LOG_TAIL: &str = "/run/hearth/update/log-tail";
/// What the root image has for updates: the trusted root of the metadata, the loader.
pub const UPDATE_TRUST: &str = "/usr/share/hearth/update";

/// Where containerd-lite's D-Bus interface listens.
pub const CONTAINERS_BUS_SOCKET: &str = "/run/hearth/containers/bus.sock";
/// containerd-lite's folder at run time: bundles, network namespaces, pipes of logs.
pub const CONTAINERS_RUN: &str = "/run/hearth/containers";
/// containerd-lite's part of the data partition: what is wanted of each app.
pub const CONTAINERS_STATE: &str = "/data/state/containerd-lite";
/// The image store.
pub const IMAGES: &str = "/data/images";
/// What apps keep: a folder for each app's key with its volumes, their snapshots and its logs.
pub const APPS: &str = "/data/apps";
/// Control groups of apps: `<key>/<container>` below it.
pub const APP_CGROUPS: &str = "/sys/fs/cgroup/apps";

/// User and group id of netd.
pub const NETD_UID: u32 = 901;
/// User and group id of hostd.
pub const HOSTD_UID: u32 = 902;
/// User and group id of iwd, which joins wireless networks.
pub const IWD_UID: u32 = 903;
/// User and group id of the bus between netd and iwd.
pub const WIFI_BUS_UID: u32 = 904;
/// Group that may connect to the daemons' D-Bus sockets.
pub const BUS_GID: u32 = 910;
/// Group that may use what is set aside on the data partition, as [`HOSTD_UID`] may: for the little that daemons keep.
pub const RESERVE_GID: u32 = 911;
/// What the firmware of a Raspberry Pi says of this boot (`chosen/bootloader` of the device tree).
pub const PI_BOOTLOADER: &str = "/sys/firmware/devicetree/base/chosen/bootloader";
