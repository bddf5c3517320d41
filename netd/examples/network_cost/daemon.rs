//! netd as PID 1 starts it: its own user, three capabilities, the bus socket handed over. The home network is a cable without a router.

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use hostapi::net1;
use hostapi::net1::Net1Proxy;
use nix::unistd::Pid;
use rustix::net::AddressFamily;
use rustix::net::SocketFlags;
use rustix::net::SocketType;
use std::fs;
use std::fs::File;
use std::fs::Permissions;
use std::os::fd::AsFd;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use tempfile::TempDir;

/// netd's user in init's service table.
const USER: u32 = model::paths::NETD_UID;
/// netd's folder in RAM.
const RUN: &str = "/run/hearth/net";

/// A running netd; ends with the value.
#[derive(Debug)]
pub(crate) struct Daemon {
    child: Child,
    folder: TempDir,
}

impl Daemon {
    /// Starts the program.
    pub(crate) fn start(program: &Path) -> Result<Self> {
        ensure!(Path::new(RUN).is_dir(), "{RUN} is not there");
        std::os::unix::fs::chown(RUN, Some(USER), Some(USER)).context("giving netd its folder")?;
        ip("netns add home")?;
        ip("link add eth0 type veth peer name lan0 netns home")?;
        ip("-n home link set lan0 up")?;
        let folder = TempDir::new().context("making a folder for netd")?;
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755))?;
        // The build folder may not be readable for netd's user.
        let copy = folder.path().join("netd");
        fs::copy(program, &copy).with_context(|| format!("copying {}", program.display()))?;
        let bus = UnixListener::bind(folder.path().join("bus.sock")).context("binding the bus socket")?;
        let capabilities = "-all,+net_admin,+net_raw,+net_bind_service";
        let child = Command::new("setpriv")
            .args([format!("--reuid={USER}"), format!("--regid={USER}")])
            .args(["--clear-groups", "--no-new-privs"])
            .args(["inh-caps", "ambient-caps", "bounding-set"].map(|set| format!("--{set}={capabilities}")))
            .arg(copy)
            .env_clear()
            .env("LISTEN_FDS", "1")
            .env("LISTEN_FDS_FIRST_FD", "0")
            .env("LISTEN_FDNAMES", "net1")
            .env("RUST_LOG", "error")
            .stdin(Stdio::from(OwnedFd::from(bus)))
            .spawn()
            .context("starting netd")?;
        Ok(Self { child, folder })
    }

    /// Its interface.
    pub(crate) async fn net1(&self) -> Result<Net1Proxy<'static>> {
        Ok(net1::connect(&self.folder.path().join("bus.sock")).await?)
    }

    /// Its process: `setpriv` becomes netd.
    pub(crate) fn process(&self) -> Result<Pid> {
        Ok(Pid::from_raw(self.child.id().try_into().context("a process id that is none")?))
    }

    /// Its memory in KiB, pages shared with others divided among those.
    pub(crate) fn pss_kib(&self) -> Result<u64> {
        let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.child.id()))
            .context("reading netd's memory")?;
        let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:")).context("no Pss")?;
        line.trim().trim_end_matches(" kB").parse().context("reading Pss")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended already, which is as good.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The namespace of an app as the container daemon would make it, and a socket inside of it.
#[derive(Debug)]
pub(crate) struct Namespace {
    file: File,
    socket: OwnedFd,
}

impl Namespace {
    /// Makes one.
    pub(crate) fn new(name: &str) -> Result<Self> {
        ip(&format!("netns add {name}"))?;
        let file = File::open(format!("/run/netns/{name}")).context("opening a namespace")?;
        let socket = std::thread::scope(|scope| {
            let inside = scope.spawn(|| {
                let kind = Some(rustix::thread::LinkNameSpaceType::Network);
                rustix::thread::move_into_link_name_space(file.as_fd(), kind)?;
                let (family, flags) = (AddressFamily::NETLINK, SocketFlags::CLOEXEC);
                rustix::net::socket_with(family, SocketType::RAW, flags, None)
            });
            inside.join()
        });
        let socket = socket.ok().context("the thread in the namespace ended")?;
        Ok(Self { file, socket: socket.context("opening a socket in the namespace")? })
    }

    /// Has netd wire it up.
    pub(crate) async fn attach(&self, net1: &Net1Proxy<'_>, app: &str) -> Result<()> {
        let (file, socket) = (OwnedFd::from(self.file.try_clone()?), self.socket.try_clone()?);
        net1.attach_app(app, file.into(), socket.into()).await.with_context(|| format!("attaching {app}"))?;
        Ok(())
    }
}

fn ip(words: &str) -> Result<()> {
    let status = Command::new("ip").args(words.split(' ')).status().context("starting ip")?;
    ensure!(status.success(), "ip {words} failed");
    Ok(())
}
