//! Network daemon of Hearth: links, addresses, routes, DHCP, and the box's name on the home network.
//!
//! ```text
//!              ┌───────────────────── bus (Net1, peer to peer) ─────────────────────┐
//!           commands            policy, attach, explain         settings          status
//!              v                        v                          v                ^
//! kernel ─> reconcile ── home ──> keeper ── one batch ──> kernel  settings ──> names, keeper
//!              ^   │                ^   └─ admissions ─> names     (trial)
//!     addresses│   │ name, links    │ addresses of names  │
//!    ipv4, dhcp6   v                └─────────────────────┘
//!               mDNS announcer
//! ```
//!
//! One thread runs everything. [`reconcile`] owns links, addresses and routes of the box, [`keeper`] owns the rules and the links of
//! apps, [`names`] the resolver, [`settings`] what the owner chose; [`clients`] and [`mdns`] own their protocols. Nothing here
//! reads the wall clock to decide anything: it stands at 1970 until the network is there.
//!
//! netd must not: decide who may reach what (hostd does), run programs, enter an app's namespace.
//! IPv6 addresses are made by the kernel from router advertisements, or come by DHCPv6 ([`dhcp6`]).

pub mod apply;
pub mod apps;
pub mod bus;
pub mod clients;
pub mod config;
pub mod desired;
pub mod dhcp;
pub mod dhcp6;
pub mod documents;
pub mod firewall;
pub mod follow;
pub mod heal;
pub mod identity;
pub mod ipv4;
pub mod keeper;
pub mod kernel;
pub mod knob;
pub mod lease_book;
pub mod link_report;
pub mod links;
pub mod mdns;
pub mod moment;
pub mod mtu_before;
pub mod names;
pub mod observe;
pub mod plan;
pub mod reconcile;
pub mod report;
pub mod resolv;
pub mod routers;
pub mod saver;
pub mod settings;
pub mod status;
#[cfg(test)]
mod testing;
pub mod time;
pub mod trial;
pub mod wifi;
pub mod words;

use crate::apps::wiring::KernelWiring;
use crate::apps::wiring::WiringError;
use crate::bus::Backend;
use crate::config::Settings;
use crate::firewall::filter::FilterError;
use crate::firewall::kernel::KernelFilter;
use crate::keeper::Keeper;
use crate::keeper::run::KernelView;
use crate::keeper::run::View;
use crate::kernel::Kernel as _;
use crate::kernel::netlink::RealKernel;
use crate::mdns::Announced;
use crate::mdns::lookup::Lookup;
use crate::moment::Clock;
use crate::names::Teacher;
use crate::reconcile::Inputs;
use crate::reconcile::Outputs;
use crate::reconcile::Pulse;
use crate::reconcile::Reconciler;
use crate::report::Reporter;
use crate::trial::Trial;
use hostapi::activation;
use hostapi::net1::Status;
use model::network::link_report::LinkReport;
use model::network::wifi::WifiReport;
use resolver::Surroundings;
use std::error::Error;
use std::io;
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::time::Duration;
use timesync::TimeStatus;
use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;
use tokio::sync::mpsc;
use tokio::sync::watch;

/// Questions that may wait for a task.
const QUEUE: usize = 8;
/// Addresses of names that may wait to be let through; each is waited for by an asker.
const KEEPER_QUEUE: usize = 64;
/// How long saying goodbye and writing the time down may take; PID 1 waits 10 s.
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
    /// The packet filter is not usable.
    #[error("open the packet filter")]
    Filter(#[from] FilterError),
    /// Links of apps cannot be laid.
    #[error("prepare the links of apps")]
    Wiring(#[from] WiringError),
    /// The resolver's settings make no sense.
    #[error("prepare the resolver")]
    Resolver(#[from] resolver::resolver::SettingsError),
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
    let (chosen, settings_problem) = settings::load(&settings.settings_file);
    let trial = watch::Sender::new(Trial::new(chosen));
    let host_name = watch::Sender::new(settings.host_name.clone());
    let link_settings: watch::Sender<Arc<[_]>> = watch::Sender::new(Arc::from([]));
    let link_reports = watch::Sender::new(Arc::from([]));
    let announced =
        watch::Sender::new(Announced { name: settings.host_name.to_string(), ..Announced::default() });
    let link_addresses = watch::Sender::new(Vec::new());
    let (querier, questions) = ::mdns::querier();
    let links = watch::Sender::new(Arc::new(Status::default()));
    let status = watch::Sender::new(Arc::new(Status::default()));
    let kernel_view = watch::Sender::new(first_view(&kernel).await);
    let started = time::begin(&settings.time_file);
    let time = watch::Sender::new(TimeStatus::default());
    let clock_is_right = watch::Sender::new(time::is_plausible(&started));
    let time_offered = watch::Sender::new(Vec::new());
    let certificate = watch::Sender::new(None);
    let (commands, commanded) = mpsc::channel(QUEUE);
    let (asks, asked) = mpsc::channel(KEEPER_QUEUE);
    let (wishes, wished) = mpsc::channel(QUEUE);
    let (wifi_asks, wifi_asked) = mpsc::channel(QUEUE);
    let wifi = watch::Sender::new(WifiReport::default());
    let own_link = watch::Sender::new(None);

    // The rules come first: no link is switched on before.
    let filter = KernelFilter::open()?;
    let serves_home = trial.borrow().in_force().resolver.serve_lan;
    let home = kernel_view.borrow().home.clone();
    let keeper =
        Keeper::start(filter, KernelWiring::open()?, settings.keeper_files, home, serves_home, clock.now());
    let view = watch::Sender::new(View::default());

    let teacher = Arc::new(Teacher { keeper: asks.clone() });
    let surroundings = Surroundings {
        observer: Some(teacher),
        mdns: Some(Arc::new(Lookup(querier))),
        clock_synchronised: *clock_is_right.borrow(),
        ..Surroundings::default()
    };
    let (resolver, resolver_problem) = names::begin(&trial.borrow().in_force().resolver, surroundings)?;
    let name_inputs = names::Inputs {
        trial: trial.subscribe(),
        keeper: view.subscribe(),
        kernel: kernel_view.subscribe(),
        certificate: certificate.subscribe(),
        host_name: host_name.subscribe(),
        clock_is_right: clock_is_right.subscribe(),
    };
    let reporter = Reporter {
        status: status.subscribe(),
        links: link_reports.subscribe(),
        host_name: host_name.subscribe(),
        announced: announced.subscribe(),
        trial: trial.subscribe(),
        time: time.subscribe(),
        wifi: wifi.subscribe(),
        clock,
    };
    let time_inputs = time::Inputs {
        trial: trial.subscribe(),
        kernel: kernel_view.subscribe(),
        offered: time_offered.subscribe(),
    };
    let time_outputs = time::Outputs { status: time, clock_is_right, state_file: settings.time_file };
    let backend = Backend {
        commands,
        keeper: asks,
        wishes,
        wifi: wifi_asks,
        certificate,
        resolver: resolver.clone(),
        status: status.subscribe(),
        reporter,
    };
    // The first pass must know the owner's wishes, or it would ask for a lease where none is wanted.
    link_settings.send_replace(Arc::from(trial.borrow().in_force().links.as_slice()));
    let parts = links::start(&settings.state, &settings.run, clock, host_name.subscribe());
    let inputs = Inputs {
        kernel: kernel_changed,
        settings: link_settings.subscribe(),
        ipv4: parts.ipv4,
        dhcp6: parts.dhcp6,
        told: parts.told,
        announced: announced.subscribe(),
        commands: commanded,
    };
    let keeper_inputs =
        keeper::run::Inputs { asks: asked, kernel: kernel_view.subscribe(), trial: trial.subscribe() };
    let announcer =
        tokio::spawn(mdns::run(host_name.subscribe(), link_addresses.subscribe(), questions, announced));
    let all_status = report::Sources {
        links: links.subscribe(),
        keeper: view.subscribe(),
        trial: trial.subscribe(),
        wifi: wifi.subscribe(),
        settings_problem: settings_problem.or(resolver_problem),
    };
    let timekeeper = tokio::spawn(time::run(resolver.clone(), started, time_inputs, time_outputs));
    // What DHCP offers as names is left out: a name that has to be looked up is no help while there is no time.
    let offered = |reports: &Arc<[LinkReport]>| {
        reports.iter().flat_map(|link| &link.ntp).filter_map(|server| server.parse().ok()).collect()
    };
    let wifi_inputs = wifi::task::Inputs { asks: wifi_asked, links: link_reports.subscribe() };
    let own_links = own_link.subscribe();
    let announce = |line: &str| tell(&[&format!("X_HEARTH_ANNOUNCE={line}")]);
    let wifi_outputs = wifi::task::Outputs { report: wifi, own_link, announce };
    let memory = wifi::memory::Memory::load(&settings.state);
    let tasks = [
        tokio::spawn(links::choose(trial.subscribe(), own_links, link_settings)),
        tokio::spawn(wifi::task::run(memory, wifi_inputs, wifi_outputs, clock)),
        tokio::spawn(follow::follow(link_reports.subscribe(), time_offered, offered)),
        tokio::spawn(keeper::run::run(keeper, keeper_inputs, view, clock)),
        tokio::spawn(names::run(resolver, name_inputs)),
        tokio::spawn(settings::run(settings.settings_file, wished, trial, clock)),
        tokio::spawn(report::show(all_status, status.clone())),
        tokio::spawn(report(status.subscribe())),
        tokio::spawn(bus::serve_all(listener, backend, settings.allowed)),
    ];
    let outputs = Outputs {
        status: links,
        reports: link_reports,
        host_name,
        link_addresses,
        kernel: kernel_view,
        resolv_conf: settings.resolv_conf,
        leases: parts.leases,
    };
    let reconciler = Reconciler::new(kernel, parts.tasks, clock, parts.memory, outputs);

    // Whichever ends first ends netd; dropping the loop drops the name's sender, and with that the announcer says goodbye.
    tokio::select! {
        () = reconciler.run(inputs, beat) => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tell(&["STOPPING=1"]);
    for task in tasks {
        task.abort();
    }
    let farewell = async { tokio::join!(announcer, timekeeper) };
    if tokio::time::timeout(STOP_TIMEOUT, farewell).await.is_err() {
        tracing::warn!("no goodbye to the home network, or the time was not written down: out of time");
    }
    Ok(())
}

/// What the kernel has before anything is changed.
async fn first_view(kernel: &RealKernel) -> KernelView {
    match kernel.observe().await {
        Ok(observed) => KernelView::of(&observed, 0),
        Err(error) => {
            tracing::warn!(
                error = &error as &dyn Error,
                "the home network is not known before the first pass"
            );
            KernelView::default()
        }
    }
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
