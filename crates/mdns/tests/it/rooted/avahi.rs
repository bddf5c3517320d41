//! Avahi on a machine, with a message bus of its own.

use crate::rooted::home::Machine;
use crate::rooted::wait::wait_until;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use tempfile::TempDir;

const BUS: &str = "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN\" \
    \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\"><busconfig><type>system</type>\
    <listen>unix:path=FOLDER/bus</listen><auth>EXTERNAL</auth><policy context=\"default\"><allow user=\"*\"/>\
    <allow own=\"*\"/><allow send_type=\"method_call\"/><allow send_type=\"signal\"/>\
    <allow send_requested_reply=\"true\" send_type=\"method_return\"/>\
    <allow send_requested_reply=\"true\" send_type=\"error\"/><allow receive_type=\"method_call\"/>\
    <allow receive_type=\"method_return\"/><allow receive_type=\"error\"/><allow receive_type=\"signal\"/>\
    </policy></busconfig>";

/// A running Avahi.
pub(crate) struct Avahi {
    machine: Machine,
    folder: TempDir,
    children: Vec<Child>,
}

impl Avahi {
    /// Starts bus and daemon, and waits until both answer.
    pub(crate) fn start(machine: Machine, host: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("mdns-avahi-").tempdir().unwrap();
        let path = folder.path().display().to_string();
        std::fs::write(folder.path().join("bus.conf"), BUS.replace("FOLDER", &path)).unwrap();
        let settings = format!(
            "[server]\nhost-name={host}\nuse-ipv4=yes\nuse-ipv6=yes\nallow-interfaces=eth0\n\
             [publish]\npublish-hinfo=no\npublish-workstation=no\n[wide-area]\nenable-wide-area=no\n"
        );
        std::fs::write(folder.path().join("avahi.conf"), settings).unwrap();
        let mut avahi = Self { machine, folder, children: Vec::new() };
        let bus = avahi.start_child("dbus-daemon", &[&format!("--config-file={path}/bus.conf"), "--nofork"]);
        avahi.children.push(bus);
        wait_until("the bus", || avahi.folder.path().join("bus").exists().then_some(()));
        // Its run-time folder has a fixed name.
        let script = format!(
            "mount -t tmpfs tmpfs /run && exec avahi-daemon --no-drop-root --no-chroot --no-rlimits \
             --file={path}/avahi.conf"
        );
        let daemon = avahi.start_child("unshare", &["--mount", "sh", "-c", &script]);
        avahi.children.push(daemon);
        wait_until("the daemon", || {
            let output = avahi.ask("avahi-browse", &["--all", "--terminate"]);
            output.status.success().then_some(())
        });
        avahi
    }

    fn start_child(&self, program: &str, arguments: &[&str]) -> Child {
        let path = self.folder.path().join("log");
        let log = std::fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
        self.with_bus(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap()
    }

    fn with_bus(&self, program: &str) -> Command {
        let mut command = self.machine.command(program);
        let bus = format!("unix:path={}", self.folder.path().join("bus").display());
        command.env("DBUS_SYSTEM_BUS_ADDRESS", bus).env("LC_ALL", "C");
        command
    }

    fn ask(&self, program: &str, arguments: &[&str]) -> std::process::Output {
        self.with_bus(program).args(arguments).output().unwrap()
    }

    /// The address of a name; the kind is `-4` or `-6`.
    pub(crate) fn resolve(&self, name: &str, kind: &str) -> Option<String> {
        second_word(&self.ask("avahi-resolve", &["-n", kind, name]).stdout)
    }

    /// The name of an address.
    pub(crate) fn resolve_address(&self, address: &str) -> Option<String> {
        second_word(&self.ask("avahi-resolve", &["-a", address]).stdout)
    }

    /// Instances of a service with what is known of them, one a line, parts divided by `;`.
    pub(crate) fn browse(&self, service: &str) -> Vec<String> {
        self.lines(&["--parsable", "--resolve", "--terminate", service])
    }

    /// Instances of a service that are in the cache.
    pub(crate) fn cached(&self, service: &str) -> Vec<String> {
        self.lines(&["--parsable", "--cache", service])
    }

    fn lines(&self, arguments: &[&str]) -> Vec<String> {
        let output = self.ask("avahi-browse", arguments);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
    }
}

impl Drop for Avahi {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default());
        }
        for child in self.children.iter_mut().rev() {
            // It may have ended already, which is as good.
            drop(child.kill());
            drop(child.wait());
        }
    }
}

fn second_word(output: &[u8]) -> Option<String> {
    String::from_utf8_lossy(output).split_whitespace().nth(1).map(str::to_owned)
}
