//! Describes a machine and starts it.

use crate::artifacts::Artifacts;
use crate::cpio;
use crate::disk;
use crate::machine;
use crate::machine::DiskBus;
use crate::machine::Forward;
use crate::machine::Machine;
use crate::machine::Nic;
use crate::machine::PacketLink;
use crate::machine::Start;
use crate::secure_boot::SecureBoot;
use crate::serial::LineSink;
use crate::serial::Serial;
use crate::serial::Tolerance;
use crate::uki::Uki;
use crate::usb_disk::UsbDisk;
use crate::vm::Plan;
use crate::vm::Vm;
use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use image::arch::Arch;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

/// Where Debian's packages ovmf and qemu-efi-aarch64 put the firmware: code, code for Secure Boot, empty variables.
fn firmware(arch: Arch) -> [PathBuf; 3] {
    match arch {
        Arch::Amd64 => ["OVMF/OVMF_CODE_4M.fd", "OVMF/OVMF_CODE_4M.secboot.fd", "OVMF/OVMF_VARS_4M.fd"],
        Arch::Arm64 => ["AAVMF/AAVMF_CODE.fd", "AAVMF/AAVMF_CODE.ms.fd", "AAVMF/AAVMF_VARS.fd"],
    }
    .map(|name| Path::new("/usr/share").join(name))
}

/// What boots.
#[derive(Clone, Debug)]
pub enum Boot {
    /// The slot's kernel, initrd and command line, handed over by QEMU: fast, without loader and boot counting.
    Kernel,
    /// The whole chain: firmware, loader, slot file.
    Uefi,
    /// The same with these keys enrolled.
    SecureUefi(SecureBoot),
    /// Another system's kernel, to compare with.
    Given {
        /// Kernel image.
        kernel: PathBuf,
        /// Initrd.
        initrd: PathBuf,
        /// Kernel command line.
        command_line: String,
    },
}

/// What the test adds to the initrd: for [`Boot::Kernel`], but for the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inside {
    /// Nothing: the initrd as it is shipped.
    Nothing,
    /// The agent as one more service.
    Agent,
    /// The agent in the place of `/init`: nothing on the box reaches the disk before the kernel wants it to.
    Unsynced,
    /// Nothing, but the slots that the test put on the disk have the agent ([`crate::slots`]).
    AgentInSlot,
}

/// What a machine has only when asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Extra {
    BlockLog,
    Capture,
    Packets,
    Tpm,
    Watchdog,
}

/// In a machine's folder: the firmware's variables.
pub const VARIABLES: &str = "firmware-variables.fd";

/// A machine to be.
#[derive(Clone)]
pub struct VmBuilder {
    artifacts: Artifacts,
    folder: PathBuf,
    boot: Boot,
    inside: Inside,
    words: String,
    memory: u32,
    disk: Option<PathBuf>,
    variables: Option<PathBuf>,
    disk_server: Option<PathBuf>,
    disk_size: u64,
    bus: DiskBus,
    usb_disks: Vec<PathBuf>,
    nic: Nic,
    extras: BTreeSet<Extra>,
    ports: [u16; 2],
    further_ports: Vec<u16>,
    outward: Vec<u16>,
    clock: Option<String>,
    tolerance: Tolerance,
    sink: Option<LineSink>,
}

impl VmBuilder {
    /// A machine with 512 MiB of memory, a disk of 2 GiB and one network card, all virtio, that boots the slot's kernel. Its
    /// logs and disk are kept in the folder.
    #[must_use]
    pub fn new(folder: &Path, artifacts: &Artifacts) -> Self {
        Self {
            artifacts: artifacts.clone(),
            folder: folder.to_path_buf(),
            boot: Boot::Kernel,
            inside: Inside::Nothing,
            words: String::new(),
            memory: 512,
            disk: None,
            variables: None,
            disk_server: None,
            disk_size: 2 << 30,
            bus: DiskBus::Virtio,
            usb_disks: Vec::new(),
            nic: Nic::Virtio,
            extras: BTreeSet::new(),
            ports: [0, 0],
            further_ports: Vec::new(),
            outward: Vec::new(),
            clock: None,
            tolerance: Tolerance::Nothing,
            sink: None,
        }
    }

    /// What boots.
    #[must_use]
    pub fn boot(self, boot: Boot) -> Self {
        Self { boot, ..self }
    }

    /// What the test adds to the initrd.
    #[must_use]
    pub fn inside(self, inside: Inside) -> Self {
        Self { inside, ..self }
    }

    /// Further words on the kernel command line. To a slot file they come from outside, as from somebody with a keyboard at
    /// the loader; with [`Boot::SecureUefi`] it takes none.
    #[must_use]
    pub fn words(mut self, words: &str) -> Self {
        self.words.push(' ');
        self.words.push_str(words);
        self
    }

    /// Memory in MiB.
    #[must_use]
    pub fn memory(self, memory: u32) -> Self {
        Self { memory, ..self }
    }

    /// Boots this disk as it is, instead of a fresh copy of the image.
    #[must_use]
    pub fn disk(self, disk: &Path) -> Self {
        Self { disk: Some(disk.to_path_buf()), ..self }
    }

    /// The disk is served by another program, over NBD on this socket.
    #[must_use]
    pub fn disk_server(self, socket: &Path) -> Self {
        Self { disk_server: Some(socket.to_path_buf()), ..self }
    }

    /// Size of a fresh disk in bytes.
    #[must_use]
    pub fn disk_size(self, disk_size: u64) -> Self {
        Self { disk_size, ..self }
    }

    /// How the disk is attached.
    #[must_use]
    pub fn bus(self, bus: DiskBus) -> Self {
        Self { bus, ..self }
    }

    /// Plugs in one more disk.
    #[must_use]
    pub fn usb_disk(mut self, disk: &UsbDisk) -> Self {
        self.usb_disks.push(disk.path().to_owned());
        self
    }

    /// The network card.
    #[must_use]
    pub fn nic(self, nic: Nic) -> Self {
        Self { nic, ..self }
    }

    /// Records every write and flush of the disk.
    #[must_use]
    pub fn recorded(self) -> Self {
        self.with(Extra::BlockLog)
    }

    /// Keeps all packets of the network card in `network.pcap`, those of the second one in `packets.pcap`.
    #[must_use]
    pub fn captured(self) -> Self {
        self.with(Extra::Capture)
    }

    /// Adds a second network card whose other end is the test.
    #[must_use]
    pub fn packets(self) -> Self {
        self.with(Extra::Packets)
    }

    /// Adds a software TPM.
    #[must_use]
    pub fn tpm(self) -> Self {
        self.with(Extra::Tpm)
    }

    /// Adds a hardware watchdog.
    #[must_use]
    pub fn watchdog(self) -> Self {
        self.with(Extra::Watchdog)
    }

    /// Ports of this machine that lead to the box's ports 80 and 443; 0 for free ones.
    #[must_use]
    pub fn ports(self, http: u16, https: u16) -> Self {
        Self { ports: [http, https], ..self }
    }

    /// Forwards a free port of this machine's loopback to one more port of the box ([`Vm::forwarded`]).
    #[must_use]
    pub fn forward(mut self, guest: u16) -> Self {
        self.further_ports.push(guest);
        self
    }

    /// The firmware's variables as they were once, instead of new ones.
    #[must_use]
    pub fn variables(self, file: &Path) -> Self {
        Self { variables: Some(file.to_owned()), ..self }
    }

    /// Lets the box reach a port of this machine's loopback, as the same port of [`crate::machine::OUTSIDE`].
    #[must_use]
    pub fn reaches(mut self, port: u16) -> Self {
        self.outward.push(port);
        self
    }

    /// What the box's clock shows at the start, as `2000-01-01T00:00:00`.
    #[must_use]
    pub fn clock(self, clock: &str) -> Self {
        Self { clock: Some(clock.to_owned()), ..self }
    }

    /// Lets the box refuse to boot, oops and panic.
    #[must_use]
    pub fn expects_refusal(self) -> Self {
        Self { tolerance: Tolerance::Everything, ..self }
    }

    /// Calls this with every line of the serial console.
    #[must_use]
    pub fn on_line(self, sink: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self { sink: Some(Arc::new(sink)), ..self }
    }

    /// Makes the disk, unless one was given, and returns it: for a test that changes it before the start.
    ///
    /// # Errors
    /// When the image cannot be copied.
    pub fn prepare_disk(&mut self) -> Result<PathBuf> {
        if let Some(disk) = &self.disk {
            return Ok(disk.clone());
        }
        fs::create_dir_all(&self.folder).with_context(|| format!("cannot make {}", self.folder.display()))?;
        let disk = self.folder.join("disk.img");
        disk::copy_sparse(&self.artifacts.image, &disk, self.disk_size)?;
        self.disk = Some(disk.clone());
        Ok(disk)
    }

    /// Starts the machine.
    ///
    /// # Errors
    /// When a part is missing or QEMU does not start; the text says what and where its logs are.
    pub fn start(mut self) -> Result<Vm> {
        fs::create_dir_all(&self.folder).with_context(|| format!("cannot make {}", self.folder.display()))?;
        let disk = self.prepare_disk()?;
        let sockets = tempfile::tempdir().context("cannot make a folder for sockets")?;
        let socket = |name: &str| sockets.path().join(name);
        let [http, https] = self.ports;
        let mut forwards = vec![Forward { host: http, guest: 80 }, Forward { host: https, guest: 443 }];
        forwards.extend(self.further_ports.iter().map(|guest| Forward { host: 0, guest: *guest }));
        let machine = Machine {
            arch: self.artifacts.arch,
            start: self.start_of_box()?,
            memory: self.memory,
            disk,
            disk_server: self.disk_server.clone(),
            bus: self.bus,
            usb_disks: self.usb_disks.clone(),
            block_log: self.has(Extra::BlockLog).then(|| self.folder.join("writes.log")),
            nic: self.nic,
            forwards,
            outward: self.outward.clone(),
            capture: self.has(Extra::Capture).then(|| self.folder.join("network.pcap")),
            packets: self
                .has(Extra::Packets)
                .then(|| PacketLink { machine: socket("net"), test: socket("net-test") }),
            packets_capture: (self.has(Extra::Packets) && self.has(Extra::Capture))
                .then(|| self.folder.join("packets.pcap")),
            clock: self.clock.clone(),
            tpm: self.has(Extra::Tpm).then(|| socket("tpm")),
            agent: matches!(self.inside, Inside::Agent | Inside::AgentInSlot).then(|| socket("agent")),
            monitor: socket("monitor"),
            has_watchdog: self.has(Extra::Watchdog),
        };
        if let Some(log) = &machine.block_log {
            fs::write(log, []).context("cannot make the write log")?;
        }
        let serial = Serial::create(&self.folder.join("serial.log"), self.tolerance, self.sink)?;
        Vm::start(Plan { machine, folder: self.folder, _sockets: sockets }, serial)
    }

    fn with(mut self, extra: Extra) -> Self {
        self.extras.insert(extra);
        self
    }

    fn has(&self, extra: Extra) -> bool {
        self.extras.contains(&extra)
    }

    fn start_of_box(&self) -> Result<Start> {
        if matches!(self.inside, Inside::Agent | Inside::Unsynced) && !matches!(self.boot, Boot::Kernel) {
            bail!("the agent goes into the initrd of a kernel boot; a slot file has it or not");
        }
        let [code, secure_code, variables] = firmware(self.artifacts.arch);
        match &self.boot {
            Boot::Kernel => self.start_of_kernel(),
            Boot::Uefi => self.start_of_firmware(code, &variables, false),
            Boot::SecureUefi(keys) => self.start_of_firmware(secure_code, keys.variables(), true),
            Boot::Given { kernel, initrd, command_line } => Ok(Start::Kernel {
                kernel: kernel.clone(),
                initrd: initrd.clone(),
                command_line: command_line.clone(),
            }),
        }
    }

    fn start_of_firmware(&self, code: PathBuf, variables: &Path, is_secure: bool) -> Result<Start> {
        if !code.is_file() {
            bail!("{} is missing; `cargo xtask test` installs it", code.display());
        }
        let own = self.folder.join(VARIABLES);
        let variables = self.variables.as_deref().unwrap_or(variables);
        fs::copy(variables, &own).with_context(|| format!("cannot copy {}", variables.display()))?;
        Ok(Start::Uefi { code, variables: own, words: self.words.clone(), is_secure })
    }

    fn start_of_kernel(&self) -> Result<Start> {
        let slot = &self.artifacts.slot;
        let bytes = fs::read(slot).with_context(|| format!("cannot read {}", slot.display()))?;
        let uki = Uki::parse(bytes).with_context(|| format!("cannot read {}", slot.display()))?;
        let command_line = uki.command_line().context("the slot file is not whole")?;
        let version = command_line
            .split_whitespace()
            .find_map(|word| word.strip_prefix("hearth.version="))
            .context("the slot's command line names no version")?;
        let command_line = format!(
            "{command_line} hearth.slot=hearth_{version} {}hearth.log=console{}",
            machine::steady_timer(self.artifacts.arch),
            self.words
        );
        let (kernel, initrd) = (self.folder.join("kernel"), self.folder.join("initrd"));
        fs::write(&kernel, uki.section(".linux")?).context("cannot write the kernel")?;
        fs::write(&initrd, self.initrd(uki.section(".initrd")?)?).context("cannot write the initrd")?;
        Ok(Start::Kernel { kernel, initrd, command_line })
    }

    fn initrd(&self, shipped: &[u8]) -> Result<Vec<u8>> {
        let agent = || {
            let place = &self.artifacts.agent;
            fs::read(place).with_context(|| {
                format!("no test agent in {}: `cargo xtask test` builds it", place.display())
            })
        };
        let added = match self.inside {
            Inside::Nothing | Inside::AgentInSlot => return Ok(shipped.to_vec()),
            Inside::Agent => cpio::archive(&[("agent", &agent()?)]),
            Inside::Unsynced => {
                let files = cpio::read(shipped).context("the slot's initrd is not whole")?;
                let init =
                    files.iter().find(|file| file.name == "init").context("the slot's initrd has no init")?;
                let place = hearth_agent::REAL_INIT.trim_start_matches('/');
                cpio::archive(&[("init", &agent()?), (place, init.content)])
            }
        };
        let mut initrd = shipped.to_vec();
        initrd.resize(initrd.len().next_multiple_of(4), 0);
        initrd.extend(added);
        Ok(initrd)
    }
}

impl std::fmt::Debug for VmBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VmBuilder")
            .field("folder", &self.folder)
            .field("boot", &self.boot)
            .finish_non_exhaustive()
    }
}
