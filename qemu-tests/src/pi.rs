//! A Raspberry Pi's slot on QEMU's Raspberry Pi 3, as far as that goes: kernel, initrd, command line and disk are those of the image; the stages
//! of the firmware (EEPROM, `start4.elf`, `config.txt`, `autoboot.txt`) and the device tree of the newer board are not, for QEMU has neither.
//! What only hardware shows: docs/boards.md.

use crate::BOOT;
use crate::artifacts::target;
use crate::cpio;
use crate::disk;
use crate::process::Owned;
use crate::serial::Serial;
use crate::serial::Tolerance;
use anyhow::Context;
use anyhow::Result;
use std::fs;
use std::fs::File;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;

/// The board's device tree in the kernel's package.
const DEVICE_TREE: &str = "broadcom/bcm2837-rpi-3-b.dtb";

/// QEMU restarts the machine at the very write that arms the watchdog (`hw/misc/bcm2835_powermgt.c`): it is kept out.
const WITHOUT_WATCHDOG: &str = "module_blacklist=bcm2835_wdt";

/// Of the card; QEMU takes powers of two only.
const CARD_BYTES: u64 = 2 << 30;

/// What was built for a board of the family.
#[derive(Clone, Debug)]
pub struct PiImage {
    /// The whole card, raw.
    pub image: PathBuf,
    /// Folder with the files of a slot.
    pub slot: PathBuf,
    /// Folder with the files of the root.
    root: PathBuf,
    /// Kernel release, which names the folder of the device trees.
    release: String,
}

impl PiImage {
    /// Finds what `cargo xtask image --board <board>` built.
    ///
    /// # Errors
    /// When a file is missing; the text says how to make it.
    pub fn of_board(board: &str) -> Result<Self> {
        let folder = target().join("hearth").join(board);
        let release = fs::read_to_string(folder.join("parts/uname")).with_context(|| {
            format!("no image in {}: run `cargo xtask image --board {board}`", folder.display())
        })?;
        let [image, slot, root] = ["hearth.img", "slot", "root"].map(|name| folder.join(name));
        Ok(Self { image, slot, root, release: release.trim().to_owned() })
    }

    /// The words that the firmware hands to the kernel.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn command_line(&self) -> Result<String> {
        let path = self.slot.join("cmdline.txt");
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(text.trim().to_owned())
    }

    /// A kernel module of our own that is in the image.
    ///
    /// # Errors
    /// When it is not there.
    pub fn own_module(&self, name: &str) -> Result<Vec<u8>> {
        let path = self.root.join(format!("usr/lib/modules/{}/{name}.ko", self.release));
        fs::read(&path).with_context(|| format!("cannot read {}", path.display()))
    }

    /// The device tree of the board that QEMU has, of the same kernel.
    fn device_tree(&self) -> Result<PathBuf> {
        let cache = target().join("hearth/parts-cache/unpacked");
        let packages = fs::read_dir(&cache).with_context(|| format!("cannot list {}", cache.display()))?;
        let inside = format!("usr/lib/linux-image-{}/{DEVICE_TREE}", self.release);
        packages
            .filter_map(|package| Some(package.ok()?.path().join(&inside)))
            .find(|path| path.is_file())
            .with_context(|| format!("no package in {} has {inside}", cache.display()))
    }
}

/// A running machine. Dropping it is a power cut.
#[derive(Debug)]
pub struct Pi {
    _qemu: Owned,
    /// The small serial port on the pins.
    pub serial: Serial,
}

impl Pi {
    /// Starts a fresh card, or the one that an earlier start left in the folder.
    ///
    /// # Errors
    /// When a part is missing or QEMU does not start.
    pub fn start(folder: &Path, image: &PiImage) -> Result<Self> {
        let card = folder.join("card.img");
        if !card.is_file() {
            disk::copy_sparse(&image.image, &card, CARD_BYTES)?;
        }
        let log = folder.join("qemu.log");
        let mut command = machine(image, &image.slot.join("initrd"), &image.command_line()?)?;
        command.arg("-drive").arg(format!("if=sd,format=raw,file={}", card.display()));
        command.stderr(File::create(&log).with_context(|| format!("cannot make {}", log.display()))?);
        let mut qemu = Owned::start(&mut command)?;
        let serial = Serial::create(&folder.join("serial.log"), Tolerance::Nothing, None)?;
        serial.follow(qemu.child().stdout.take().context("QEMU has no console")?);
        Ok(Self { _qemu: qemu, serial })
    }
}

/// The machine without a disk.
fn machine(image: &PiImage, initrd: &Path, words: &str) -> Result<Command> {
    let mut command = Command::new("qemu-system-aarch64");
    command
        .args(["-machine", "raspi3b", "-accel", "tcg", "-display", "none", "-monitor", "none"])
        // The first port is wired to Bluetooth.
        .args(["-serial", "null", "-serial", "stdio"])
        .arg("-kernel")
        .arg(image.slot.join("vmlinuz"))
        .arg("-initrd")
        .arg(initrd)
        .arg("-dtb")
        .arg(image.device_tree()?)
        .args(["-append", &format!("{words} {WITHOUT_WATCHDOG}")])
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    Ok(command)
}

/// What the firmware was asked for that QEMU's has no answer to (`hw/misc/bcm2835_property.c`), in order: numbers of its properties.
///
/// The image's kernel starts with another first program and `words` of the command line, until the word `until` is on the serial port and
/// the machine restarts or stands.
///
/// # Errors
/// When a part is missing, QEMU does not start, or the word does not come.
pub fn properties(
    folder: &Path,
    image: &PiImage,
    init: &[(&str, &[u8])],
    words: &str,
    until: &str,
) -> Result<Vec<u32>> {
    let (initrd, log) = (folder.join("initrd.test"), folder.join("unimplemented.log"));
    fs::write(&initrd, cpio::archive(init)).with_context(|| format!("cannot write {}", initrd.display()))?;
    let mut command = machine(image, &initrd, &format!("{} {words}", image.command_line()?))?;
    command.args(["-no-reboot", "-d", "unimp", "-D"]).arg(&log).stderr(Stdio::null());
    let mut qemu = Owned::start(&mut command)?;
    let serial = Serial::create(&folder.join("serial.log"), Tolerance::Nothing, None)?;
    serial.follow(qemu.child().stdout.take().context("QEMU has no console")?);
    serial.wait_line(0, until, BOOT)?;
    let text = fs::read_to_string(&log).with_context(|| format!("cannot read {}", log.display()))?;
    Ok(text.lines().filter_map(property).collect())
}

/// The number in a line of QEMU's log.
fn property(line: &str) -> Option<u32> {
    let number = line.strip_prefix("bcm2835_property: unhandled tag 0x")?;
    u32::from_str_radix(number.trim(), 16).ok()
}
