//! What QEMU is told: a machine with every path and choice settled, as command line arguments.

use image::arch::Arch;
use std::path::PathBuf;

/// What starts the box.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// QEMU loads kernel and initrd; no firmware of note, no boot counting.
    Kernel {
        /// The kernel.
        kernel: PathBuf,
        /// The initrd.
        initrd: PathBuf,
        /// Its command line.
        command_line: String,
    },
    /// UEFI firmware boots from the disk.
    Uefi {
        /// The firmware's code.
        code: PathBuf,
        /// Its variables; written to.
        variables: PathBuf,
        /// Words that the slot's stub adds to the command line, each after a space; without Secure Boot only.
        words: String,
        /// Whether Secure Boot is on: variables then belong to system management mode.
        is_secure: bool,
    },
}

/// How the disk is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskBus {
    /// virtio-blk.
    Virtio,
    /// NVM Express.
    Nvme,
    /// Serial ATA.
    Ahci,
}

/// The first network card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nic {
    /// virtio-net.
    Virtio,
    /// Intel 82574L, as on many boards.
    E1000e,
}

/// A forward from a port of this machine's loopback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forward {
    /// Port here; 0 for a free one.
    pub host: u16,
    /// Port of the box.
    pub guest: u16,
}

/// Where the box finds what a test serves on this machine's loopback.
pub const OUTSIDE: &str = "10.0.2.100";

/// A network card whose other end is the test itself, frame by frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PacketLink {
    /// Datagram socket of QEMU.
    pub machine: PathBuf,
    /// Datagram socket of the test.
    pub test: PathBuf,
}

/// A machine, settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// What it is a machine of.
    pub arch: Arch,
    /// What starts it.
    pub start: Start,
    /// Memory in MiB.
    pub memory: u32,
    /// The disk, raw.
    pub disk: PathBuf,
    /// Socket of the program that serves the disk, in place of the file.
    pub disk_server: Option<PathBuf>,
    /// How it is attached.
    pub bus: DiskBus,
    /// Disks that can be pulled out.
    pub usb_disks: Vec<PathBuf>,
    /// Where every write and flush is recorded.
    pub block_log: Option<PathBuf>,
    /// The first network card: to this machine's loopback by forwards only.
    pub nic: Nic,
    /// Its forwards.
    pub forwards: Vec<Forward>,
    /// Ports of [`OUTSIDE`] that lead to the same ports of this machine's loopback.
    pub outward: Vec<u16>,
    /// Where the packets of the first network card are kept.
    pub capture: Option<PathBuf>,
    /// A second network card.
    pub packets: Option<PacketLink>,
    /// Where its packets are kept.
    pub packets_capture: Option<PathBuf>,
    /// What the clock shows at the start, as `2000-01-01T00:00:00`; none for the right time.
    pub clock: Option<String>,
    /// Socket of the software TPM.
    pub tpm: Option<PathBuf>,
    /// Socket of the agent's port.
    pub agent: Option<PathBuf>,
    /// Socket of the monitor.
    pub monitor: PathBuf,
    /// Whether there is a hardware watchdog.
    pub has_watchdog: bool,
}

/// A loaded host makes the emulated timer of a PC look broken; this word for the kernel's command line, with a space behind it, keeps
/// the kernel from giving up.
#[must_use]
pub fn steady_timer(arch: Arch) -> &'static str {
    match arch {
        Arch::Amd64 => "no_timer_check ",
        Arch::Arm64 => "",
    }
}

impl Machine {
    /// The QEMU that has such machines.
    #[must_use]
    pub fn program(&self) -> &'static str {
        match self.arch {
            Arch::Amd64 => "qemu-system-x86_64",
            Arch::Arm64 => "qemu-system-aarch64",
        }
    }

    /// QEMU's arguments.
    ///
    /// One processor and no accelerator: the same everywhere, also where a virtual machine is refused or broken.
    #[must_use]
    pub fn arguments(&self) -> Vec<String> {
        let mut list = Arguments::default();
        let secure = matches!(self.start, Start::Uefi { is_secure: true, .. });
        match self.arch {
            Arch::Amd64 => {
                list.pair("-machine", if secure { "q35,smm=on" } else { "q35" });
                // Page tables of five levels, which no computer at home has, cost a tenth of a boot.
                list.pair("-cpu", "max,la57=off");
            }
            Arch::Arm64 => {
                list.pair("-machine", "virt");
                // The processor of a Raspberry Pi 4.
                list.pair("-cpu", "cortex-a72");
            }
        }
        list.pair("-accel", "tcg");
        list.pair("-smp", "1");
        list.pair("-m", &format!("{}M", self.memory));
        list.words(&["-nodefaults", "-no-user-config", "-display", "none"]);
        list.pair("-chardev", "stdio,id=serial,signal=off");
        list.pair("-serial", "chardev:serial");
        list.pair(
            "-chardev",
            &format!("socket,id=monitor,path={},server=on,wait=off", self.monitor.display()),
        );
        list.pair("-mon", "chardev=monitor,mode=control");
        list.pair("-device", "virtio-rng-pci");
        if let Some(clock) = &self.clock {
            list.pair("-rtc", &format!("base={clock}"));
        }
        self.push_start(&mut list);
        self.push_disk(&mut list);
        self.push_usb(&mut list);
        self.push_network(&mut list);
        self.push_extras(&mut list);
        list.words
    }

    fn push_start(&self, list: &mut Arguments) {
        match &self.start {
            Start::Kernel { kernel, initrd, command_line } => {
                list.pair("-kernel", &kernel.display().to_string());
                list.pair("-initrd", &initrd.display().to_string());
                list.pair("-append", command_line);
            }
            Start::Uefi { code, variables, words, is_secure } => {
                // OVMF wants the code in unit 0 and the variables in unit 1.
                list.pair(
                    "-drive",
                    &format!("if=pflash,format=raw,unit=0,readonly=on,file={}", code.display()),
                );
                list.pair("-drive", &format!("if=pflash,format=raw,unit=1,file={}", variables.display()));
                if *is_secure {
                    list.pair("-global", "driver=cfi.pflash01,property=secure,value=on");
                } else {
                    // The stub takes these words only without Secure Boot.
                    let extra = format!("{}{}", steady_timer(self.arch), words.trim_start());
                    if !extra.is_empty() {
                        let extra = format!("io.systemd.stub.kernel-cmdline-extra={}", extra.trim_end());
                        list.pair("-smbios", &format!("type=11,value={extra}"));
                    }
                }
            }
        }
    }

    fn push_disk(&self, list: &mut Arguments) {
        // What the box gives up is given up, as a flash disk does.
        let place = match &self.disk_server {
            None => format!("driver=file,filename={}", self.disk.display()),
            Some(socket) => format!("driver=nbd,server.type=unix,server.path={}", socket.display()),
        };
        list.pair("-blockdev", &format!("{place},node-name=file,discard=unmap"));
        list.pair("-blockdev", "driver=raw,node-name=raw,discard=unmap,file=file");
        let node = match &self.block_log {
            None => "raw",
            Some(log) => {
                list.pair("-blockdev", &format!("driver=file,node-name=log,filename={}", log.display()));
                list.pair(
                    "-blockdev",
                    "driver=blklogwrites,node-name=recorded,file=raw,log=log,log-sector-size=512",
                );
                "recorded"
            }
        };
        let device = match self.bus {
            DiskBus::Virtio => "virtio-blk-pci",
            DiskBus::Nvme => "nvme,serial=hearth",
            DiskBus::Ahci => "ide-hd,bus=ide.0",
        };
        list.pair("-device", &format!("{device},drive={node},bootindex=1"));
    }

    fn push_usb(&self, list: &mut Arguments) {
        if self.usb_disks.is_empty() {
            return;
        }
        list.pair("-device", "qemu-xhci,id=usb");
        for (number, disk) in self.usb_disks.iter().enumerate() {
            let file = format!("driver=file,node-name=usb-file{number},filename={}", disk.display());
            list.pair("-blockdev", &file);
            list.pair("-blockdev", &format!("driver=raw,node-name=usb-raw{number},file=usb-file{number}"));
            list.pair("-device", &format!("usb-storage,bus=usb.0,drive=usb-raw{number},removable=on"));
        }
    }

    fn push_network(&self, list: &mut Arguments) {
        // restrict: the box reaches nothing but the forwards that reach it, and what a test serves.
        let mut user = "user,id=user,restrict=on".to_owned();
        for Forward { host, guest } in &self.forwards {
            user.push_str(&format!(",hostfwd=tcp:127.0.0.1:{host}-:{guest}"));
        }
        for port in &self.outward {
            user.push_str(&format!(",guestfwd=tcp:{OUTSIDE}:{port}-cmd:socat - TCP:127.0.0.1:{port}"));
        }
        list.pair("-netdev", &user);
        let device = match self.nic {
            Nic::Virtio => "virtio-net-pci",
            Nic::E1000e => "e1000e",
        };
        // No option ROM: network boot is never wanted, and firmware would spend a minute on it.
        list.pair("-device", &format!("{device},netdev=user,romfile="));
        if let Some(file) = &self.capture {
            list.pair("-object", &format!("filter-dump,id=capture,netdev=user,file={}", file.display()));
        }
        if let Some(PacketLink { machine, test }) = &self.packets {
            let ends = format!(
                "local.type=unix,local.path={},remote.type=unix,remote.path={}",
                machine.display(),
                test.display()
            );
            list.pair("-netdev", &format!("dgram,id=packets,{ends}"));
            list.pair("-device", "virtio-net-pci,netdev=packets,mac=52:54:00:12:34:99,romfile=");
            if let Some(file) = &self.packets_capture {
                let words = format!("filter-dump,id=packets-capture,netdev=packets,file={}", file.display());
                list.pair("-object", &words);
            }
        }
    }

    fn push_extras(&self, list: &mut Arguments) {
        if let Some(socket) = &self.tpm {
            list.pair("-chardev", &format!("socket,id=tpm,path={}", socket.display()));
            list.pair("-tpmdev", "emulator,id=tpm,chardev=tpm");
            let device = match self.arch {
                Arch::Amd64 => "tpm-crb",
                Arch::Arm64 => "tpm-tis-device",
            };
            list.pair("-device", &format!("{device},tpmdev=tpm"));
        }
        if let Some(socket) = &self.agent {
            list.pair("-chardev", &format!("socket,id=agent,path={},server=on,wait=off", socket.display()));
            list.pair("-device", "virtio-serial-pci");
            list.pair("-device", &format!("virtserialport,chardev=agent,name={}", hearth_agent::PORT));
        }
        if self.has_watchdog {
            list.pair("-device", "i6300esb");
            list.pair("-action", "watchdog=reset");
        }
    }
}

#[derive(Default)]
struct Arguments {
    words: Vec<String>,
}

impl Arguments {
    fn pair(&mut self, option: &str, value: &str) {
        self.words(&[option, value]);
    }

    fn words(&mut self, words: &[&str]) {
        self.words.extend(words.iter().map(|word| (*word).to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine() -> Machine {
        Machine {
            arch: Arch::Amd64,
            start: Start::Kernel {
                kernel: "/k".into(),
                initrd: "/i".into(),
                command_line: "a=1 b".to_owned(),
            },
            memory: 512,
            disk: "/d".into(),
            disk_server: None,
            bus: DiskBus::Virtio,
            usb_disks: vec![],
            block_log: None,
            nic: Nic::Virtio,
            forwards: vec![Forward { host: 0, guest: 80 }, Forward { host: 8443, guest: 443 }],
            outward: Vec::new(),
            capture: None,
            packets: None,
            packets_capture: None,
            clock: None,
            tpm: None,
            agent: None,
            monitor: "/m".into(),
            has_watchdog: false,
        }
    }

    fn values<'a>(arguments: &'a [String], option: &str) -> Vec<&'a str> {
        arguments.windows(2).filter(|pair| pair[0] == option).map(|pair| pair[1].as_str()).collect()
    }

    #[test]
    fn the_network_reaches_the_loopback_only() {
        let arguments = machine().arguments();
        let expected = "user,id=user,restrict=on,hostfwd=tcp:127.0.0.1:0-:80,hostfwd=tcp:127.0.0.1:8443-:443";
        assert_eq!(values(&arguments, "-netdev"), [expected]);
        let reaching = Machine { outward: vec![5000], ..machine() };
        let way = format!("{expected},guestfwd=tcp:10.0.2.100:5000-cmd:socat - TCP:127.0.0.1:5000");
        assert_eq!(values(&reaching.arguments(), "-netdev"), [way]);
        assert_eq!(values(&arguments, "-append"), ["a=1 b"]);
        assert_eq!(values(&arguments, "-smp"), ["1"]);
    }

    #[test]
    fn a_recorded_disk_is_attached_through_its_log() {
        let machine = Machine { block_log: Some("/l".into()), bus: DiskBus::Nvme, ..machine() };
        let arguments = machine.arguments();
        assert!(values(&arguments, "-device").contains(&"nvme,serial=hearth,drive=recorded,bootindex=1"));
        assert_eq!(values(&arguments, "-blockdev").len(), 4);
    }

    #[test]
    fn a_disk_that_a_program_serves_is_reached_by_its_socket() {
        let machine = Machine { disk_server: Some("/s".into()), ..machine() };
        let arguments = machine.arguments();
        let server = "driver=nbd,server.type=unix,server.path=/s,node-name=file,discard=unmap";
        assert_eq!(values(&arguments, "-blockdev")[0], server);
    }

    #[test]
    fn disks_on_usb_can_be_pulled_out() {
        let machine = Machine { usb_disks: vec!["/u".into(), "/v".into()], ..machine() };
        let arguments = machine.arguments();
        let devices = values(&arguments, "-device");
        assert!(devices.contains(&"usb-storage,bus=usb.0,drive=usb-raw1,removable=on"), "{devices:?}");
        assert!(values(&arguments, "-blockdev").contains(&"driver=file,node-name=usb-file0,filename=/u"));
    }

    #[test]
    fn both_cards_are_captured_and_the_clock_is_set() {
        let machine = Machine {
            packets: Some(PacketLink { machine: "/p".into(), test: "/t".into() }),
            packets_capture: Some("/c".into()),
            clock: Some("2000-01-01T00:00:00".to_owned()),
            ..machine()
        };
        let arguments = machine.arguments();
        assert_eq!(values(&arguments, "-object"), ["filter-dump,id=packets-capture,netdev=packets,file=/c"]);
        assert_eq!(values(&arguments, "-rtc"), ["base=2000-01-01T00:00:00"]);
    }

    #[test]
    fn each_architecture_has_a_machine_of_its_own() {
        let tpm = || Machine { tpm: Some("/t".into()), ..machine() };
        assert_eq!(tpm().program(), "qemu-system-x86_64");
        assert!(values(&tpm().arguments(), "-device").contains(&"tpm-crb,tpmdev=tpm"));
        let arm = Machine { arch: Arch::Arm64, ..tpm() };
        assert_eq!(
            (arm.program(), values(&arm.arguments(), "-machine")),
            ("qemu-system-aarch64", vec!["virt"])
        );
        assert!(values(&arm.arguments(), "-device").contains(&"tpm-tis-device,tpmdev=tpm"));
        let start = |words: &str| Start::Uefi {
            code: "/c".into(),
            variables: "/v".into(),
            words: words.to_owned(),
            is_secure: false,
        };
        let said = |arch, words| {
            let arguments = Machine { arch, start: start(words), ..machine() }.arguments();
            values(&arguments, "-smbios")
                .iter()
                .map(|value| value.rsplit_once("extra=").unwrap().1.to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(said(Arch::Amd64, " a b"), ["no_timer_check a b"]);
        assert_eq!(said(Arch::Amd64, ""), ["no_timer_check"]);
        assert_eq!(said(Arch::Arm64, " a b"), ["a b"]);
        assert!(said(Arch::Arm64, "").is_empty());
    }

    #[test]
    fn secure_variables_belong_to_management_mode() {
        let start =
            Start::Uefi { code: "/c".into(), variables: "/v".into(), words: String::new(), is_secure: true };
        let arguments = Machine { start, ..machine() }.arguments();
        assert_eq!(values(&arguments, "-machine"), ["q35,smm=on"]);
        assert!(values(&arguments, "-smbios").is_empty());
    }
}
