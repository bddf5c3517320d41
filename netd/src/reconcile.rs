//! The loop: brings the kernel to what is desired, again and again.
//!
//! Woken by: the kernel (any link, address or route changed), addresses that a link got or lost, settings, what routers told, an
//! announced name, a command, a retry, or five minutes without any of these. A pass never fails: what went wrong is a reason in the
//! status, and the pass is tried again with a wait that doubles from 1 s to 60 s. Whatever wakes the loop, it reads the kernel anew; there is no other memory of it, but for how
//! often a link had to be repaired ([`crate::heal`]).

mod pass;

use crate::clients::Clients;
use crate::desired::Desired;
use crate::dhcp6;
use crate::follow::replace;
use crate::heal::Guard;
use crate::ipv4;
use crate::keeper::run::KernelView;
use crate::kernel::Kernel;
use crate::lease_book::LeaseBook;
use crate::mdns::Announced;
use crate::moment::Clock;
use crate::mtu_before::MtuBefore;
use crate::routers;
use crate::saver::Saver;
use crate::status::WallClock;
use ::mdns::LinkAddresses;
use hostapi::net1::Status;
use model::names::HostName;
use model::network::link_report::LinkReport;
use model::network::link_settings::LinkSettings;
use std::collections::BTreeSet;
use std::net::Ipv6Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::sync::mpsc;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio::time::Interval;
use tokio::time::MissedTickBehavior;
use tokio::time::interval;
use tokio::time::sleep;
use tokio::time::sleep_until;

/// News comes in bursts; a pass waits this long for the rest of one.
const SETTLE: Duration = Duration::from_millis(50);
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_secs(60);
/// A look without any reason, in case news was lost.
const PERIODIC: Duration = Duration::from_secs(300);
/// Time between signs of life; PID 1 waits 60 s for one.
pub const HEARTBEAT: Duration = Duration::from_secs(20);

/// What the bus may ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Announce this name.
    SetHostName(HostName),
    /// Renew every lease now.
    RenewLeases,
}

/// Where the loop's news comes from.
#[derive(Debug)]
pub struct Inputs {
    /// The kernel changed.
    pub kernel: Arc<Notify>,
    /// What the owner chose for links.
    pub settings: watch::Receiver<Arc<[LinkSettings]>>,
    /// IPv4 addresses.
    pub ipv4: watch::Receiver<ipv4::Views>,
    /// DHCPv6.
    pub dhcp6: watch::Receiver<dhcp6::Views>,
    /// What routers told.
    pub told: watch::Receiver<routers::Told>,
    /// The name announced.
    pub announced: watch::Receiver<Announced>,
    /// From the bus; the loop ends when all senders are dropped.
    pub commands: mpsc::Receiver<Command>,
}

/// Where the loop's results go.
#[derive(Debug)]
pub struct Outputs {
    /// For the bus.
    pub status: watch::Sender<Arc<Status>>,
    /// Everything that is known of the links.
    pub reports: watch::Sender<Arc<[LinkReport]>>,
    /// For the announcer and the DHCP clients.
    pub host_name: watch::Sender<HostName>,
    /// Links and addresses, for the announcer.
    pub link_addresses: watch::Sender<Vec<LinkAddresses>>,
    /// The home network, for the keeper of the rules.
    pub kernel: watch::Sender<KernelView>,
    /// The file for name servers.
    pub resolv_conf: PathBuf,
    /// The file for [`LeaseBook`].
    pub leases: Saver<LeaseBook>,
}

/// What the loop starts with.
#[derive(Debug)]
pub struct Memory {
    /// Addresses that links had before the start.
    pub book: LeaseBook,
    /// Largest packets before netd changed them.
    pub mtu_before: MtuBefore,
    /// The secret behind IPv6 addresses.
    pub ipv6_secret: Ipv6Addr,
    /// What went wrong at the start, in plain words.
    pub problems: Vec<String>,
}

/// Why a pass is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    Start,
    KernelChanged,
    AddressesChanged,
    SettingsChanged,
    RoutersTold,
    NameChanged,
    Commanded,
    Retry,
    Periodic,
}

/// A sign of life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pulse {
    /// The first pass is done: the links are managed.
    First,
    /// The loop still turns.
    Next,
}

enum Woken {
    For(Reason),
    Heartbeat,
    End,
}

/// The loop and what it keeps between passes.
#[derive(Debug)]
pub struct Reconciler<K, C> {
    kernel: K,
    clients: C,
    clock: Clock,
    outputs: Outputs,
    wall: WallClock,
    /// Whether programs of the box can find their name server.
    has_name_servers: bool,
    memory: Memory,
    had_lease: BTreeSet<u32>,
    had_lease_6: BTreeSet<u32>,
    /// What was wanted last, to tell a repair from a change of mind.
    wanted_last: Desired,
    guard: Guard,
    retry_after: Option<Duration>,
    next_pass: Instant,
    latest_pass: Option<Instant>,
    idle_reason: Reason,
}

impl<K: Kernel, C: Clients> Reconciler<K, C> {
    /// A loop that has not begun.
    pub fn new(kernel: K, clients: C, clock: Clock, memory: Memory, outputs: Outputs) -> Self {
        Self {
            kernel,
            clients,
            clock,
            outputs,
            wall: WallClock::default(),
            has_name_servers: false,
            memory,
            had_lease: BTreeSet::new(),
            had_lease_6: BTreeSet::new(),
            wanted_last: Desired::default(),
            guard: Guard::default(),
            retry_after: None,
            next_pass: Instant::now(),
            latest_pass: None,
            idle_reason: Reason::Periodic,
        }
    }

    /// Runs until all senders of commands are dropped. `alive` is called after the first pass and from then on every
    /// [`HEARTBEAT`].
    pub async fn run(mut self, mut inputs: Inputs, mut alive: impl FnMut(Pulse)) {
        let mut pulse = Some(Pulse::First);
        let mut heartbeat = interval(HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut reason = Reason::Start;
        loop {
            self.pass(reason, &mut inputs).await;
            reason = loop {
                if let Some(pulse) = pulse.take() {
                    alive(pulse);
                }
                match self.wait(&mut inputs, &mut heartbeat).await {
                    Woken::For(reason) => break reason,
                    Woken::Heartbeat => pulse = Some(Pulse::Next),
                    Woken::End => return,
                }
            };
        }
    }

    /// Every arm only receives or sleeps; news that loses the race is still there in the next round.
    async fn wait(&mut self, inputs: &mut Inputs, heartbeat: &mut Interval) -> Woken {
        let mut command = None;
        let reason = tokio::select! {
            received = inputs.commands.recv() => match received {
                Some(received) => {
                    command = Some(received);
                    Reason::Commanded
                }
                None => return Woken::End,
            },
            _ = heartbeat.tick() => return Woken::Heartbeat,
            () = inputs.kernel.notified() => Reason::KernelChanged,
            Ok(()) = inputs.ipv4.changed() => Reason::AddressesChanged,
            Ok(()) = inputs.dhcp6.changed() => Reason::AddressesChanged,
            Ok(()) = inputs.settings.changed() => Reason::SettingsChanged,
            Ok(()) = inputs.told.changed() => Reason::RoutersTold,
            Ok(()) = inputs.announced.changed() => Reason::NameChanged,
            () = sleep_until(self.next_pass) => self.idle_reason,
        };
        match command {
            Some(Command::SetHostName(name)) => {
                self.outputs.host_name.send_if_modified(|now| replace(now, name));
            }
            Some(Command::RenewLeases) => self.clients.renew(),
            None => sleep(SETTLE).await,
        }
        Woken::For(reason)
    }
}

#[cfg(test)]
mod tests;
