//! Network namespaces that go with their value.

use std::io::Write;
use std::process::Command;
use std::process::Stdio;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A network namespace with its loopback link up.
pub(crate) struct Namespace {
    pub(crate) name: String,
}

impl Namespace {
    pub(crate) fn new() -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("netlink-{}-{number}", std::process::id());
        run(Command::new("ip").args(["netns", "add", &name]), "");
        let namespace = Self { name };
        namespace.ip("link set lo up");
        namespace
    }

    /// Runs `ip` inside; fails when it does.
    pub(crate) fn ip(&self, words: &str) {
        run(Command::new("ip").args(["-n", &self.name]).args(words.split(' ')), "");
    }

    /// Runs `nft` inside and returns what it prints; fails when it does.
    pub(crate) fn nft(&self, words: &str, input: &str) -> String {
        let mut command = Command::new("ip");
        run(command.args(["netns", "exec", &self.name, "nft"]).args(words.split(' ')), input)
    }

    /// Does something in a thread that lives inside.
    pub(crate) fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let file = std::fs::File::open(format!("/run/netns/{}", self.name)).unwrap();
        std::thread::scope(|scope| {
            let thread = scope.spawn(move || {
                rustix::thread::move_into_link_name_space(
                    std::os::fd::AsFd::as_fd(&file),
                    Some(rustix::thread::LinkNameSpaceType::Network),
                )
                .unwrap();
                work()
            });
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
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

fn run(command: &mut Command, input: &str) -> String {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let output = std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(input.as_bytes()).unwrap());
        child.wait_with_output().unwrap()
    });
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}\n{input}");
    String::from_utf8(output.stdout).unwrap()
}
