//! The peer: a minimal Debian with systemd, networkd and a web server with one static page.
//!
//! Same suite, same kernel package and same machine as Hearth's image; Debian's own initrd, cut down to the modules this
//! machine needs (`MODULES=list`), and no firmware: kernel start to page, like the other side.

use crate::bars::Bars;
use crate::command::Program;
use anyhow::Context;
use anyhow::Result;
use image::progress::Progress;
use qemu_tests::Artifacts;
use qemu_tests::Boot;
use qemu_tests::VmBuilder;
use std::fs;
use std::io;
use std::io::Read;
use std::io::Write;
use std::net::Ipv4Addr;
use std::net::TcpStream;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

/// For one answer.
const PATIENCE: Duration = Duration::from_secs(1);

const PACKAGES: &str = "systemd-sysv,udev,initramfs-tools,zstd,lighttpd,linux-image-amd64";

/// What the installed system needs to find its disk and its network, and nothing more.
const CUSTOMIZE: &str = r#"
printf '[Match]\nName=en* eth*\n[Network]\nDHCP=yes\n' > "$1/etc/systemd/network/80-all.network"
chroot "$1" systemctl enable systemd-networkd
printf '/dev/vda / ext4 defaults 0 1\n' > "$1/etc/fstab"
printf 'virtio_pci\nvirtio_blk\next4\n' >> "$1/etc/initramfs-tools/modules"
sed -i s/MODULES=most/MODULES=list/ "$1/etc/initramfs-tools/initramfs.conf"
chroot "$1" update-initramfs -u
# Not the work of a first boot: no new machine id, no caches to rebuild.
chroot "$1" systemd-machine-id-setup
touch "$1/etc/.updated" "$1/var/.updated"
printf '<!doctype html><title>Debian</title><p>A static page.\n' > "$1/var/www/html/index.html"
"#;

/// An installed Debian.
#[derive(Debug)]
pub(crate) struct System {
    folder: PathBuf,
    kernel: PathBuf,
    initrd: PathBuf,
    disk: PathBuf,
}

impl System {
    /// Builds it, unless an earlier run has.
    ///
    /// # Errors
    /// When a package cannot be had or a tool fails.
    pub(crate) fn prepare(folder: &Path, bars: &Bars) -> Result<Self> {
        let system = Self {
            folder: folder.to_path_buf(),
            kernel: folder.join("vmlinuz"),
            initrd: folder.join("initrd"),
            disk: folder.join("disk.ext4"),
        };
        // Written last: whatever was cut off before is made again.
        if !system.disk.is_file() {
            bars.step("building Debian with systemd, to compare with");
            system.build()?;
        }
        Ok(system)
    }

    fn build(&self) -> Result<()> {
        let root = self.folder.join("root");
        if root.exists() {
            fs::remove_dir_all(&root).with_context(|| format!("removing {}", root.display()))?;
        }
        fs::create_dir_all(&self.folder).with_context(|| format!("making {}", self.folder.display()))?;
        let suites = ["trixie".to_owned(), "trixie-security".to_owned()];
        let sources = self.folder.join("debian.sources");
        fs::write(&sources, image::apt::sources::of_machine(&suites, &[])?)
            .with_context(|| format!("writing {}", sources.display()))?;
        let hook = self.folder.join("customize");
        fs::write(&hook, format!("#!/bin/sh\nset -eu\n{CUSTOMIZE}"))
            .with_context(|| format!("writing {}", hook.display()))?;
        Program::new("chmod", ["0755".as_ref(), hook.as_os_str()]).run()?;
        Program::new(
            "mmdebstrap",
            [
                "--quiet".into(),
                "--variant=minbase".into(),
                format!("--include={PACKAGES}").into(),
                format!("--customize-hook={} \"$1\"", hook.display()).into(),
                "trixie".into(),
                root.clone().into_os_string(),
                sources.into_os_string(),
            ],
        )
        .run()?;
        copy_newest(&root.join("boot"), "vmlinuz-", &self.kernel)?;
        copy_newest(&root.join("boot"), "initrd.img-", &self.initrd)?;
        let unfinished = self.folder.join("disk.ext4.new");
        Program::new(
            "mke2fs",
            [
                "-q".into(),
                "-F".into(),
                "-t".into(),
                "ext4".into(),
                "-d".into(),
                root.clone().into_os_string(),
                unfinished.clone().into_os_string(),
                "1G".into(),
            ],
        )
        .run()?;
        fs::remove_dir_all(&root).with_context(|| format!("removing {}", root.display()))?;
        fs::rename(&unfinished, &self.disk).with_context(|| format!("naming {}", self.disk.display()))
    }

    /// Boots it once and returns the processor seconds until its page answers.
    ///
    /// # Errors
    /// When it does not come up.
    pub(crate) fn boot(&self) -> Result<f64> {
        let given = Boot::Given {
            kernel: self.kernel.clone(),
            initrd: self.initrd.clone(),
            command_line: "root=/dev/vda rw quiet console=ttyS0 no_timer_check".to_owned(),
        };
        let run = self.folder.join("run");
        fs::create_dir_all(&run).with_context(|| format!("making {}", run.display()))?;
        let disk = run.join("disk.img");
        fs::copy(&self.disk, &disk).with_context(|| format!("copying to {}", disk.display()))?;
        let vm = VmBuilder::new(&run, &Artifacts::load()?).boot(given).disk(&disk).start()?;
        vm.wait_until("waiting for Debian's page", || {
            Ok(answers(vm.ports().http).ok().filter(|answer| *answer))
        })?;
        vm.cpu_seconds()
    }
}

/// Asks once for the page. Short time-outs: a question asked before the network is up is lost, and waiting for its answer
/// would count as the peer's.
fn answers(port: u16) -> io::Result<bool> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: debian\r\nConnection: close\r\n\r\n")?;
    let mut answer = [0; 12];
    stream.read_exact(&mut answer)?;
    Ok(&answer == b"HTTP/1.1 200")
}

fn copy_newest(folder: &Path, prefix: &str, to: &Path) -> Result<()> {
    let mut names: Vec<PathBuf> = fs::read_dir(folder)
        .with_context(|| format!("listing {}", folder.display()))?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix)))
        .collect();
    names.sort();
    let newest = names.pop().with_context(|| format!("no {prefix}* in {}", folder.display()))?;
    fs::copy(&newest, to).with_context(|| format!("copying {}", newest.display())).map(|_| ())
}
