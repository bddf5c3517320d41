//! Two network namespaces joined by a virtual cable: `box` with netd, `home` with what a home router has.
//!
//! netd runs as in the image: its own user, the three capabilities, the bus socket handed over, an empty `/run`.

use crate::rooted::wait::wait_until;
use hostapi::net1;
use hostapi::net1::Link;
use hostapi::net1::Net1Proxy;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;
use tempfile::TempDir;

/// The router's address on the cable.
pub(crate) const ROUTER: &str = "192.168.77.1";
/// Range that the router gives out, unless a test says otherwise.
pub(crate) const RANGE: &str = "192.168.77.100,192.168.77.150,255.255.255.0,2m";

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A network namespace that goes with the value.
pub(crate) struct Namespace {
    pub(crate) name: String,
}

impl Namespace {
    pub(crate) fn new(role: &str) -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("netd-{}-{number}-{role}", std::process::id());
        run(Command::new("ip").args(["netns", "add", &name]));
        let namespace = Self { name };
        namespace.ip("link set lo up");
        namespace
    }

    /// Runs `ip` inside; fails when it does.
    pub(crate) fn ip(&self, words: &str) -> String {
        run(Command::new("ip").args(["-n", &self.name]).args(words.split(' ')))
    }

    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name, program]);
        command
    }

    /// A thread that lives inside.
    pub(crate) fn thread<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> std::thread::JoinHandle<T> {
        let file = std::fs::File::open(format!("/run/netns/{}", self.name)).unwrap();
        std::thread::spawn(move || {
            rustix::thread::move_into_link_name_space(
                std::os::fd::AsFd::as_fd(&file),
                Some(rustix::thread::LinkNameSpaceType::Network),
            )
            .unwrap();
            work()
        })
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let outcome = Command::new("ip").args(["netns", "del", &self.name]).status();
        assert!(
            std::thread::panicking() || outcome.is_ok_and(|status| status.success()),
            "{} stays",
            self.name
        );
    }
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// A child process that ends with the value.
pub(crate) struct Process {
    child: Child,
}

impl Process {
    pub(crate) fn start(command: &mut Command) -> Self {
        Self { child: command.spawn().unwrap() }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end and returns whether it ended well.
    pub(crate) fn terminate(&mut self) -> bool {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.child.wait().unwrap().success()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already, which is as good.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Both ends, and netd.
pub(crate) struct Lab {
    pub(crate) netd: Process,
    dhcp_server: Option<Process>,
    pub(crate) home: Namespace,
    pub(crate) the_box: Namespace,
    folder: TempDir,
    notify: UnixDatagram,
}

impl Lab {
    /// A cable from `eth0` in the box to `lan0` in the home, and netd; no DHCP server yet.
    pub(crate) fn new() -> Self {
        Self::with_neighbour(|_home, _the_box| ())
    }

    /// As [`Lab::new`], but something is done before netd starts.
    pub(crate) fn with_neighbour(prepare: impl FnOnce(&Namespace, &Namespace)) -> Self {
        let folder = tempfile::Builder::new().prefix("netd-lab-").tempdir().unwrap();
        std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let home = Namespace::new("home");
        let the_box = Namespace::new("box");
        home.ip(&format!("link add lan0 type veth peer name eth0 netns {}", the_box.name));
        home.ip(&format!("addr add {ROUTER}/24 dev lan0"));
        home.ip("addr add fd77::1/64 dev lan0 nodad");
        home.ip("link set lan0 up");
        prepare(&home, &the_box);
        let notify_path = folder.path().join("notify");
        let notify = UnixDatagram::bind(&notify_path).unwrap();
        std::fs::set_permissions(&notify_path, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
        notify.set_nonblocking(true).unwrap();
        let netd = start_netd(&the_box, folder.path());
        Self { netd, dhcp_server: None, home, the_box, folder, notify }
    }

    /// Starts dnsmasq with further options, in place of one that runs.
    pub(crate) async fn serve_dhcp(&mut self, range: &str, options: &[&str]) {
        self.dhcp_server = None;
        let starts = self.starts();
        let log = std::fs::OpenOptions::new().append(true).create(true).open(self.dhcp_log_path()).unwrap();
        let errors = log.try_clone().unwrap();
        let folder = self.folder.path().display().to_string();
        self.dhcp_server = Some(Process::start(
            self.home
                .command("dnsmasq")
                .args(["--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--user=root"])
                .args([
                    "--interface=lan0",
                    "--bind-interfaces",
                    "--log-dhcp",
                    "--log-facility=-",
                    "--pid-file=",
                ])
                .args(["--no-ping", "--dhcp-authoritative"])
                .arg(format!("--dhcp-leasefile={folder}/leases"))
                .arg(format!("--dhcp-range={range}"))
                .args(["--dhcp-option=option:dns-server,192.168.77.1,9.9.9.9", "--domain=home.example"])
                .args(options)
                .stdout(log)
                .stderr(errors),
        ));
        wait_until("dnsmasq runs", async || (self.starts() > starts).then_some(())).await;
    }

    fn starts(&self) -> usize {
        let log = std::fs::read_to_string(self.dhcp_log_path()).unwrap_or_default();
        log.matches("started, version").count()
    }

    /// Stops the DHCP server and forgets what it had granted.
    pub(crate) fn stop_dhcp(&mut self) {
        self.dhcp_server = None;
        std::fs::remove_file(self.folder.path().join("leases")).unwrap();
    }

    fn dhcp_log_path(&self) -> PathBuf {
        self.folder.path().join("dnsmasq.log")
    }

    /// How often the server logged a message of this kind, such as `DHCPACK`.
    pub(crate) fn logged(&self, kind: &str) -> usize {
        let log = std::fs::read_to_string(self.dhcp_log_path()).unwrap();
        log.lines().filter(|line| line.contains(&format!("{kind}("))).count()
    }

    pub(crate) fn dhcp_log(&self) -> String {
        std::fs::read_to_string(self.dhcp_log_path()).unwrap()
    }

    /// Kills netd and starts it again, as PID 1 does.
    pub(crate) fn restart_netd(&mut self) {
        self.netd.kill();
        self.start_netd_again();
    }

    /// What a reboot forgets.
    pub(crate) fn forget_run(&self) {
        std::fs::remove_dir_all(self.folder.path().join("run")).unwrap();
    }

    /// Starts netd after it was killed; its folder in RAM is as it was.
    pub(crate) fn start_netd_again(&mut self) {
        std::fs::remove_file(self.folder.path().join("bus.sock")).unwrap();
        std::fs::remove_file(self.folder.path().join("netd")).unwrap();
        self.netd = start_netd(&self.the_box, self.folder.path());
    }

    /// netd's own interface, as hostd sees it.
    pub(crate) async fn net1(&self) -> Net1Proxy<'static> {
        net1::connect(&self.folder.path().join("bus.sock")).await.unwrap()
    }

    /// A file below netd's own `/run`.
    pub(crate) fn run_file(&self, path: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/root/run/{path}", self.netd.id())).unwrap_or_default()
    }

    /// Waits until PID 1 was told this.
    pub(crate) async fn told(&self, what: &str) {
        wait_until(&format!("netd says {what}"), || async {
            let mut bytes = [0; 4096];
            let length = self.notify.recv(&mut bytes).ok()?;
            String::from_utf8_lossy(&bytes[..length]).lines().any(|line| line.contains(what)).then_some(())
        })
        .await;
    }
}

fn start_netd(the_box: &Namespace, folder: &std::path::Path) -> Process {
    let bus = UnixListener::bind(folder.join("bus.sock")).unwrap();
    Process::start(
        netd_command(the_box, &folder.join("netd"))
            .stdin(Stdio::from(OwnedFd::from(bus)))
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("LISTEN_FDS", "1")
            .env("LISTEN_FDS_FIRST_FD", "0")
            .env("LISTEN_FDNAMES", "net1")
            .env("NOTIFY_SOCKET", folder.join("notify"))
            .env("RUST_LOG", "info,netd=debug"),
    )
}

/// `/run` is empty and private; the user and the capabilities are those of init's service table.
fn netd_command(namespace: &Namespace, copy: &std::path::Path) -> Command {
    // The build folder may not be readable for netd's user.
    std::fs::copy(env!("CARGO_BIN_EXE_netd"), copy).unwrap();
    let folder = copy.parent().unwrap().display();
    // netd's folders outlive it: one in RAM until a reboot, one on the disk for good.
    let state = copy.with_file_name("state");
    let script = format!(
        "mkdir -p {folder}/run/hearth/net {state} && chown 901:901 {folder}/run/hearth/net {state} \
         && mount --bind {folder}/run /run && exec \"$@\"",
        state = state.display()
    );
    let capabilities = "-all,+net_admin,+net_raw,+net_bind_service";
    let mut command = namespace.command("unshare");
    command
        .args(["--mount", "sh", "-c", &script, "sh"])
        .args(["setpriv", "--reuid=901", "--regid=901", "--clear-groups", "--no-new-privs"])
        .arg(format!("--inh-caps={capabilities}"))
        .arg(format!("--ambient-caps={capabilities}"))
        .arg(format!("--bounding-set={capabilities}"))
        .arg(copy)
        .args([state.as_os_str(), "/run/hearth/net".as_ref()]);
    command
}

/// Waits until `eth0` is as wished.
pub(crate) async fn link_shows(
    net1: &Net1Proxy<'_>,
    name: &str,
    what: &str,
    wish: impl Fn(&Link) -> bool,
) -> Link {
    wait_until(&format!("{name}: {what}"), async || {
        let links = net1.links().await.unwrap();
        links.into_iter().find(|link| link.name == name && wish(link))
    })
    .await
}

/// An address of the router's range.
pub(crate) fn leased(link: &Link) -> Option<&String> {
    link.addresses.iter().find(|address| address.starts_with("192.168.77.") && address.ends_with("/24"))
}
