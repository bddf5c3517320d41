//! A home network: a namespace with two switches, `lan0` and `lan1`, and a namespace for each machine.

use crate::lan::wanted;
use crate::rooted::wait::wait_until;
use mdns::Announced;
use mdns::LinkAddress;
use mdns::LinkAddresses;
use mdns::Querier;
use mdns::Record;
use mdns::RecordType;
use std::process::Command;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::watch;

static NEXT: AtomicU32 = AtomicU32::new(0);

/// The network.
pub(crate) struct Home {
    switches: Namespace,
}

/// A machine; its addresses are made of its number, and those of further links of the number plus 100 each.
pub(crate) struct Machine {
    namespace: Namespace,
    links: Vec<LinkAddresses>,
}

struct Namespace {
    name: String,
}

impl Namespace {
    fn new(role: &str) -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("mdns-{}-{number}-{role}", std::process::id());
        run(Command::new("ip").args(["netns", "add", &name]));
        let namespace = Self { name };
        namespace.ip("link set lo up");
        namespace
    }

    fn ip(&self, words: &str) -> String {
        run(Command::new("ip").args(["-n", &self.name]).args(words.split(' ')))
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

pub(crate) fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

impl Home {
    pub(crate) fn new() -> Self {
        let switches = Namespace::new("home");
        for switch in ["lan0", "lan1"] {
            switches.ip(&format!("link add {switch} type bridge mcast_snooping 0"));
            switches.ip(&format!("link set {switch} up"));
        }
        Self { switches }
    }

    /// A machine with a link to each of these switches.
    pub(crate) fn machine(&self, number: u8, switches: &[&str]) -> Machine {
        let namespace = Namespace::new("machine");
        let mut links = Vec::new();
        for (place, switch) in switches.iter().enumerate() {
            let (name, own) = (format!("eth{place}"), number + 100 * u8::try_from(place).unwrap());
            let port = format!("port{own}");
            self.switches.ip(&format!("link add {port} type veth peer name {name} netns {}", namespace.name));
            self.switches.ip(&format!("link set {port} master {switch} up"));
            namespace.ip(&format!("link set {name} addrgenmode none"));
            namespace.ip(&format!("addr add 10.0.0.{own}/24 dev {name}"));
            namespace.ip(&format!("addr add fe80::{own:x}/64 dev {name} nodad"));
            namespace.ip(&format!("link set {name} up"));
            let addresses = [(format!("10.0.0.{own}"), 24), (format!("fe80::{own:x}"), 64)]
                .map(|(address, prefix)| LinkAddress { address: address.parse().unwrap(), prefix });
            let shown = namespace.ip(&format!("-o link show {name}"));
            let index = shown.split(':').next().unwrap().parse().unwrap();
            links.push(LinkAddresses { index, name, addresses: addresses.to_vec() });
        }
        let machine = Machine { namespace, links };
        for link in &machine.links {
            wait_until("the link is up", || {
                machine
                    .namespace
                    .ip(&format!("-o link show {}", link.name))
                    .contains("state UP")
                    .then_some(())
            });
        }
        machine
    }

    /// A cable between the switches.
    pub(crate) fn join_networks(&self) {
        self.switches.ip("link add cable0 type veth peer name cable1");
        self.switches.ip("link set cable0 master lan0 up");
        self.switches.ip("link set cable1 master lan1 up");
    }
}

impl Machine {
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace.name, program]);
        command
    }

    /// A thread that lives inside.
    pub(crate) fn thread<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> JoinHandle<T> {
        let file = std::fs::File::open(format!("/run/netns/{}", self.namespace.name)).unwrap();
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

/// What is tested, on a machine.
pub(crate) struct Hearth {
    /// Dropping these ends it.
    wish: Option<watch::Sender<mdns::Wanted>>,
    announced: watch::Receiver<Announced>,
    querier: Querier,
    thread: Option<JoinHandle<()>>,
}

impl Hearth {
    pub(crate) fn start(machine: &Machine, host: &str, extras: &[&str]) -> Self {
        let (wish, wished) = watch::channel(wanted(host, extras));
        let (_, links) = watch::channel(machine.links.clone());
        let (announcing, announced) = watch::channel(Announced::default());
        let (querier, questions) = mdns::querier();
        let thread = machine.thread(move || {
            let inputs = mdns::Inputs { wish: wished, links, questions };
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(mdns::run(inputs, announcing));
        });
        Self { wish: Some(wish), announced, querier, thread: Some(thread) }
    }

    pub(crate) fn announced(&self) -> Announced {
        self.announced.borrow().clone()
    }

    pub(crate) fn query(&self, text: &str, record_type: RecordType, timeout: Duration) -> Vec<Record> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(self.querier.query(crate::lan::name(text), record_type, timeout)).unwrap()
    }

    pub(crate) fn addresses(&self, text: &str, timeout: Duration) -> Vec<std::net::IpAddr> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(self.querier.addresses(&crate::lan::name(text), timeout)).unwrap()
    }

    /// Says goodbye and ends.
    pub(crate) fn stop(&mut self) {
        self.wish = None;
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Drop for Hearth {
    fn drop(&mut self) {
        self.wish = None;
        if let Some(thread) = self.thread.take() {
            assert!(thread.join().is_ok() || std::thread::panicking());
        }
    }
}
