//! Network daemon of Hearth: links, addresses, routes, DHCP, and the box's name on the home network.
//!
//! ```text
//!                    ┌────────── bus (Net1, peer to peer) ──────────┐
//!              commands                                          status
//!                    v                                              │
//! kernel news ─> reconcile: observe ─> desired ─> plan ─> apply ────┘
//!                    ^     │ links                  │ addresses
//!              leases│     v                        v nudge
//!                 DHCP clients                   mDNS announcer (a thread of mdns-sd)
//! ```
//!
//! One thread runs everything but the announcer's sockets. [`reconcile`] owns the kernel's state and is the only one that changes
//! it; [`clients`] and [`mdns`] own their protocols. Nothing here reads the wall clock to decide anything: it stands at 1970
//! until the network is there.
//!
//! netd must not: decide who may reach what (hostd does), write below `/data` (nothing to keep yet), run programs.
//! IPv6 addresses are made by the kernel from router advertisements; netd switches the links on and reports them.

pub mod apply;
pub mod apps;
pub mod bus;
pub mod clients;
pub mod config;
pub mod desired;
pub mod dhcp;
pub mod firewall;
pub mod kernel;
pub mod mdns;
pub mod moment;
pub mod observe;
pub mod plan;
pub mod reconcile;
pub mod resolv;
pub mod status;

use crate::bus::LoopBackend;
use crate::clients::DhcpClients;
use crate::config::Settings;
use crate::dhcp::client::Leases;
use crate::kernel::netlink::RealKernel;
use crate::mdns::Announced;
use crate::moment::Clock;
use crate::reconcile::Inputs;
use crate::reconcile::Outputs;
use crate::reconcile::Pulse;
use crate::reconcile::Reconciler;
use hostapi::activation;
use hostapi::net1::Status;
use std::error::Error;
use std::io;
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;
use tokio::sync::Notify;
use tokio::sync::mpsc;
use tokio::sync::watch;

/// Commands that may wait for the loop.
const COMMAND_QUEUE: usize = 8;
/// How long the announcer may take to say goodbye; PID 1 waits 10 s.
const STOP_TIMEOUT: Duration = Duration::from_secs(3);

/// Why netd could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The bus socket is not usable.
    #[error("listen on the bus socket")]
    Bus {
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// Netlink is not usable.
    #[error("open a netlink socket")]
    Netlink {
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// Signals cannot be received.
    #[error("listen for signals")]
    Signals {
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
}

/// Runs netd inside a runtime until SIGTERM or SIGINT.
///
/// # Errors
///
/// When it cannot start; once it runs, what goes wrong is in the status.
pub async fn run(settings: Settings, bus_socket: UnixListener) -> Result<(), StartError> {
    let listener =
        tokio::net::UnixListener::from_std(bus_socket).map_err(|source| StartError::Bus { source })?;
    let (kernel, kernel_changed) = RealKernel::open().map_err(|source| StartError::Netlink { source })?;
    let mut terminate = signal(SignalKind::terminate()).map_err(|source| StartError::Signals { source })?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|source| StartError::Signals { source })?;

    let clock = Clock::start();
    let (commands, received) = mpsc::channel(COMMAND_QUEUE);
    let status = watch::Sender::new(Arc::new(Status::default()));
    let host_name = watch::Sender::new(settings.host_name.clone());
    let leases = watch::Sender::new(Leases::new());
    let announced = watch::Sender::new(Announced { name: settings.host_name.to_string(), problem: None });
    let nudge = Arc::new(Notify::new());

    let clients = DhcpClients::new(clock, host_name.subscribe(), leases.clone());
    let inputs = Inputs {
        kernel: kernel_changed,
        leases: leases.subscribe(),
        announced: announced.subscribe(),
        commands: received,
    };
    let announcer = tokio::spawn(mdns::run(host_name.subscribe(), Arc::clone(&nudge), announced, clock));
    let backend = LoopBackend { commands, status: status.subscribe() };
    let reporter = tokio::spawn(report(status.subscribe()));
    let bus = tokio::spawn(bus::serve_all(listener, backend, settings.allowed));
    let outputs = Outputs { status, host_name, nudge, resolv_conf: settings.resolv_conf };
    let reconciler = Reconciler::new(kernel, clients, clock, outputs);

    // Whichever ends first ends netd; dropping the loop drops the name's sender, and with that the announcer says goodbye.
    tokio::select! {
        () = reconciler.run(inputs, beat) => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tell(&["STOPPING=1"]);
    bus.abort();
    reporter.abort();
    if tokio::time::timeout(STOP_TIMEOUT, announcer).await.is_err() {
        tracing::warn!("the announcer did not stop in time");
    }
    Ok(())
}

fn beat(pulse: Pulse) {
    match pulse {
        Pulse::First => tell(&["READY=1", "WATCHDOG=1"]),
        Pulse::Next => tell(&["WATCHDOG=1"]),
    }
}

/// Tells PID 1 in plain words how the network is.
async fn report(mut status: watch::Receiver<Arc<Status>>) {
    let mut told = String::new();
    while status.changed().await.is_ok() {
        let line = status::line(&status.borrow_and_update());
        if line != told {
            tell(&[&format!("STATUS={line}")]);
            told = line;
        }
    }
}

fn tell(assignments: &[&str]) {
    if let Err(error) = activation::notify(assignments) {
        tracing::warn!(error = &error as &dyn Error, "PID 1 was not told");
    }
}
