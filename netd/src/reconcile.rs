//! The loop: brings the kernel to what is desired, again and again.
//!
//! Woken by: the kernel (any link, address or route changed), a lease, an announced name, a command, a retry, or five minutes
//! without any of these. A pass never fails: what went wrong is a reason in the status, and the pass is tried again with a wait
//! that doubles from 1 s to 60 s. Whatever wakes the loop, it reads the kernel anew; there is no other memory of it.

use crate::apply::apply;
use crate::clients::Clients;
use crate::desired::desired;
use crate::dhcp::client::Leases;
use crate::keeper::run::KernelView;
use crate::kernel::Kernel;
use crate::mdns;
use crate::mdns::Announced;
use crate::moment::Clock;
use crate::observe::Observed;
use crate::plan::plan;
use crate::resolv;
use crate::status;
use crate::status::Context;
use crate::status::WallClock;
use ::mdns::LinkAddresses;
use hostapi::net1::Status;
use model::names::HostName;
use std::collections::BTreeSet;
use std::error::Error;
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
    /// Leases in use.
    pub leases: watch::Receiver<Leases>,
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
    /// For the announcer and the DHCP clients.
    pub host_name: watch::Sender<HostName>,
    /// Links and addresses, for the announcer.
    pub link_addresses: watch::Sender<Vec<LinkAddresses>>,
    /// The home network, for the keeper of the rules.
    pub kernel: watch::Sender<KernelView>,
    /// The file for name servers.
    pub resolv_conf: PathBuf,
}

/// Why a pass is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    Start,
    KernelChanged,
    LeaseChanged,
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
    written: Option<String>,
    had_lease: BTreeSet<u32>,
    retry_after: Option<Duration>,
    next_pass: Instant,
    idle_reason: Reason,
}

impl<K: Kernel, C: Clients> Reconciler<K, C> {
    /// A loop that has not begun.
    pub fn new(kernel: K, clients: C, clock: Clock, outputs: Outputs) -> Self {
        Self {
            kernel,
            clients,
            clock,
            outputs,
            wall: WallClock::default(),
            written: None,
            had_lease: BTreeSet::new(),
            retry_after: None,
            next_pass: Instant::now(),
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
            Ok(()) = inputs.leases.changed() => Reason::LeaseChanged,
            Ok(()) = inputs.announced.changed() => Reason::NameChanged,
            () = sleep_until(self.next_pass) => self.idle_reason,
        };
        match command {
            Some(Command::SetHostName(name)) => {
                self.outputs.host_name.send_if_modified(|now| replace(now, name))
            }
            Some(Command::RenewLeases) => {
                self.clients.renew();
                true
            }
            None => {
                sleep(SETTLE).await;
                true
            }
        };
        Woken::For(reason)
    }

    #[tracing::instrument(name = "pass", skip_all, fields(activation_reason = ?reason))]
    async fn pass(&mut self, reason: Reason, inputs: &mut Inputs) {
        let mut reasons = Vec::new();
        let announced = inputs.announced.borrow_and_update().clone();
        let leases = inputs.leases.borrow_and_update().clone();
        let observed = self.bring_about(&leases, &mut reasons).await;
        self.write_name_servers(&leases, &mut reasons);
        reasons.extend(announced.problem);
        self.plan_next_pass(reasons.is_empty());
        let Some(observed) = observed else {
            // The kernel did not answer: the links shown last stay, with the reason beside them.
            self.outputs.status.send_modify(|status| {
                let status = Arc::make_mut(status);
                status.state = hostapi::net1::State::Degraded;
                status.reasons = reasons;
            });
            return;
        };
        self.outputs.link_addresses.send_if_modified(|now| replace(now, mdns::link_addresses(&observed)));
        self.outputs.kernel.send_modify(|view| *view = KernelView::of(&observed, view.reading + 1));
        self.wall.observe(wall_time(), self.clock.now());
        let context =
            Context { leases: &leases, host_name: &announced.name, reasons: &reasons, wall: self.wall };
        let latest = status::status(&observed, context);
        self.outputs.status.send_if_modified(|shown| replace(shown, Arc::new(latest)));
    }

    /// Observe, plan, apply, observe again; none when the kernel could not be read.
    async fn bring_about(&mut self, leases: &Leases, reasons: &mut Vec<String>) -> Option<Observed> {
        self.had_lease.extend(leases.keys());
        let before = self.observe(reasons).await?;
        self.had_lease.retain(|index| before.link(*index).is_some());
        self.clients.follow(&before.links);
        let plan = plan(&desired(&before, leases, &self.had_lease), &before, self.clock.now());
        if plan.is_empty() {
            return Some(before);
        }
        tracing::debug!(?plan, "changing the kernel");
        let report = apply(&self.kernel, &plan).await;
        for failure in &report.failures {
            tracing::warn!(error = failure as &dyn Error, "change refused");
            reasons.push(in_words(failure));
        }
        self.observe(reasons).await
    }

    async fn observe(&self, reasons: &mut Vec<String>) -> Option<Observed> {
        match self.kernel.observe().await {
            Ok(observed) => Some(observed),
            Err(error) => {
                tracing::error!(error = &error as &dyn Error, "the kernel was not read");
                reasons.push(in_words(&error));
                None
            }
        }
    }

    fn plan_next_pass(&mut self, all_is_well: bool) {
        self.retry_after = match (all_is_well, self.retry_after) {
            (true, _) => None,
            (false, None) => Some(FIRST_RETRY),
            (false, Some(last)) => Some((last * 2).min(LONGEST_RETRY)),
        };
        let (wait, reason) =
            self.retry_after.map_or((PERIODIC, Reason::Periodic), |wait| (wait, Reason::Retry));
        self.next_pass = Instant::now() + wait;
        self.idle_reason = reason;
    }

    fn write_name_servers(&mut self, leases: &Leases, reasons: &mut Vec<String>) {
        let text = resolv::text(leases);
        if self.written.as_ref() == Some(&text) {
            return;
        }
        match resolv::write(&self.outputs.resolv_conf, &text) {
            Ok(()) => self.written = Some(text),
            Err(error) => {
                tracing::warn!(error = &error as &dyn Error, "name servers not written");
                reasons.push(in_words(&error));
            }
        }
    }
}

/// Puts a new value in place and says whether it differs.
fn replace<T: PartialEq>(now: &mut T, new: T) -> bool {
    let differs = *now != new;
    *now = new;
    differs
}

/// An error with its causes as one clause, for the owner.
fn in_words(error: &dyn Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words.push_str(&format!(": {error}"));
        cause = error.source();
    }
    words
}

fn wall_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
    Duration::from_secs(u64::try_from(time.tv_sec).unwrap_or(0))
}

#[cfg(test)]
mod tests;
