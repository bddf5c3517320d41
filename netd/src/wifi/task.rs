//! The task: turns what happens into events of the machine, and its effects into calls to iwd, one after the other.

use super::country;
use super::iwd::Iwd;
use super::iwd::IwdError;
use super::leases::OWN;
use super::machine::Effect;
use super::machine::Event;
use super::machine::Machine;
use super::machine::Refusal;
use super::machine::State;
use super::memory::Memory;
use super::servers::Servers;
use super::snapshot::Snapshot;
use super::view;
use crate::follow::replace;
use crate::moment::Clock;
use crate::words;
use futures_util::future::BoxFuture;
use model::network::link_report::LinkReport;
use model::network::link_report::LinkState;
use model::network::link_settings::InterfaceAddress4;
use model::network::link_settings::Ipv4Settings;
use model::network::link_settings::Ipv6Settings;
use model::network::link_settings::LinkSettings;
use model::network::link_settings::MacAddress;
use model::network::link_settings::Matching;
use model::network::link_settings::StaticIpv4;
use model::network::wifi::AccessPointReport;
use model::network::wifi::Security;
use model::network::wifi::WifiJoin;
use model::network::wifi::WifiReport;
use model::preset::Country;
use model::preset::Passphrase;
use model::preset::Ssid;
use std::collections::HashMap;
use std::collections::VecDeque;
use std::error::Error;
use std::future::pending;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio::time::sleep_until;
use zbus::OwnedObjectPath;

/// Where the kernel lists radios.
const RADIOS: &str = "/sys/class/ieee80211";
/// News of iwd come in bursts.
const SETTLE: Duration = Duration::from_millis(200);
/// Wait before iwd is sought again.
const SEEK: Duration = Duration::from_secs(3);

/// Where an answer goes: done, or why not.
pub type Answer = oneshot::Sender<Result<(), String>>;

/// A wish.
#[derive(Debug)]
pub enum Ask {
    /// Look around; the answer is that it will be done, the report has what was seen.
    Look(Answer),
    /// Join a network; the answer is that it will be tried.
    Join(WifiJoin, Answer),
    /// Forget a network.
    Forget(Ssid, Answer),
    /// Rules for radio.
    SetCountry(Country, Answer),
}

/// Where news comes from.
#[derive(Debug)]
pub struct Inputs {
    /// The bus; the task ends when all senders are dropped.
    pub asks: mpsc::Receiver<Ask>,
    /// The links.
    pub links: watch::Receiver<Arc<[LinkReport]>>,
}

/// Where results go.
#[derive(Debug)]
pub struct Outputs {
    /// For the owner.
    pub report: watch::Sender<WifiReport>,
    /// Settings of the link for set-up, before all of the owner's.
    pub own_link: watch::Sender<Option<LinkSettings>>,
    /// The box's own network, for whoever stands before its screen.
    pub announce: fn(&str),
}

/// What a call to iwd came to.
enum Outcome {
    /// Nothing that the machine waits for.
    Done,
    /// Looked around.
    Looked(Option<Snapshot>),
    /// The wanted network was tried.
    Tried(Result<(), Refusal>),
    /// The own network is on, or is not.
    Beacon(bool),
}

type Running = BoxFuture<'static, Outcome>;

struct Task {
    clock: Clock,
    machine: Machine,
    memory: Memory,
    outputs: Outputs,
    iwd: Option<Arc<Iwd>>,
    snapshot: Snapshot,
    signals: HashMap<OwnedObjectPath, u8>,
    waiting: VecDeque<Effect>,
    running: Option<Running>,
    servers: Option<Servers>,
    joined: Option<Ssid>,
    seek_at: Option<Instant>,
    announced: String,
}

/// Runs until nobody can ask any more.
pub async fn run(memory: Memory, mut inputs: Inputs, outputs: Outputs, clock: Clock) {
    let machine = Machine::new(memory.wanted().map(|wanted| wanted.ssid.clone()));
    let mut task = Task {
        clock,
        machine,
        memory,
        outputs,
        iwd: None,
        snapshot: Snapshot::default(),
        signals: HashMap::new(),
        waiting: VecDeque::new(),
        running: None,
        servers: None,
        joined: None,
        seek_at: Some(Instant::now()),
        announced: String::new(),
    };
    loop {
        task.begin_next();
        task.show();
        let due = task.machine.due().map(|due| clock.instant(due));
        let iwd = task.iwd.clone();
        let news = async {
            match &iwd {
                Some(iwd) => iwd.changed.notified().await,
                None => pending().await,
            }
        };
        let running = task.running.as_mut();
        // All are cancel safe: what was not taken waits; a call to iwd goes on in the next turn.
        let woken = tokio::select! {
            ask = inputs.asks.recv() => Woken::Asked(ask),
            Ok(()) = inputs.links.changed() => Woken::Links,
            () = news => Woken::News,
            outcome = maybe(running) => Woken::Ended(outcome),
            () = at(due) => Woken::Due,
            () = at(task.seek_at) => Woken::Seek,
        };
        match woken {
            Woken::Asked(None) => return,
            Woken::Asked(Some(ask)) => task.answer(ask).await,
            Woken::Links => {
                let links = Arc::clone(&inputs.links.borrow_and_update());
                task.links_changed(&links);
            }
            Woken::News => {
                tokio::time::sleep(SETTLE).await;
                task.read().await;
            }
            Woken::Ended(outcome) => task.ended(outcome).await,
            Woken::Due => task.due(),
            Woken::Seek => task.seek().await,
        }
    }
}

enum Woken {
    Asked(Option<Ask>),
    Links,
    News,
    Ended(Outcome),
    Due,
    Seek,
}

async fn maybe(running: Option<&mut Running>) -> Outcome {
    match running {
        Some(running) => running.await,
        None => pending().await,
    }
}

async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => pending().await,
    }
}

impl Task {
    fn step(&mut self, event: Event) {
        let effects = self.machine.step(event, self.clock.now());
        // A new direction: what was still to be done in the old one is not, and a call that runs is not waited for.
        if effects.iter().any(|effect| matches!(effect, Effect::Station | Effect::Beacon)) {
            self.waiting.clear();
            self.running = None;
        }
        self.waiting.extend(effects);
        if !matches!(self.machine.state(), State::Beacon { .. }) {
            self.end_servers();
        }
    }

    fn end_servers(&mut self) {
        self.servers = None;
        self.outputs.own_link.send_if_modified(|link| replace(link, None));
    }

    /// Begins what is to be done next, if nothing is being done.
    fn begin_next(&mut self) {
        while self.running.is_none() {
            let Some(effect) = self.waiting.pop_front() else { return };
            match effect {
                Effect::Proved | Effect::Drop => {
                    if let Err(error) = self.memory.set_wanted(None) {
                        tracing::warn!(
                            error = &error as &dyn Error,
                            "the network stays wanted after the next start"
                        );
                    }
                }
                Effect::Station => self.running = self.be_station(),
                Effect::Look => self.running = self.look(),
                Effect::Join => self.running = self.join(),
                Effect::Beacon => self.running = self.be_beacon(),
            }
        }
    }

    fn be_station(&self) -> Option<Running> {
        let (iwd, device) = (self.iwd.clone()?, self.snapshot.device.clone()?);
        Some(Box::pin(async move {
            // What was shown last may be old.
            let now = iwd.snapshot().await.ok().and_then(|snapshot| snapshot.device);
            told(iwd.be_station(&now.unwrap_or(device)).await);
            Outcome::Done
        }))
    }

    fn look(&self) -> Option<Running> {
        let (iwd, device) = (self.iwd.clone()?, self.snapshot.device.clone()?);
        Some(Box::pin(async move { Outcome::Looked(told(iwd.look(&device.path).await)) }))
    }

    fn join(&self) -> Option<Running> {
        let iwd = self.iwd.clone()?;
        let wanted = self.memory.wanted()?.clone();
        let snapshot = self.snapshot.clone();
        Some(Box::pin(async move { Outcome::Tried(try_to_join(&iwd, &snapshot, wanted).await) }))
    }

    fn be_beacon(&mut self) -> Option<Running> {
        let (iwd, device) = (self.iwd.clone()?, self.snapshot.device.clone()?);
        let (ssid, passphrase) = self.own_network()?;
        let own = own_link(device.mac);
        self.outputs.own_link.send_if_modified(|link| replace(link, own));
        self.servers = Some(Servers::start(&device.link, self.clock));
        Some(Box::pin(async move {
            Outcome::Beacon(told(iwd.be_beacon(&device.path, &ssid, &passphrase).await).is_some())
        }))
    }

    /// Name and password of the box's own network.
    fn own_network(&self) -> Option<(Ssid, Passphrase)> {
        let [.., last_but_one, last] = self.snapshot.device.as_ref()?.mac;
        let ssid = format!("Hearth-{last_but_one:02X}{last:02X}").parse().ok()?;
        Some((ssid, self.memory.own_passphrase()?.clone()))
    }

    async fn ended(&mut self, outcome: Outcome) {
        self.running = None;
        match outcome {
            Outcome::Done => self.read().await,
            Outcome::Looked(snapshot) => {
                if snapshot.is_some() {
                    self.read().await;
                }
                let is_there =
                    self.machine.wanted().is_some_and(|ssid| self.snapshot.in_reach(ssid).is_some());
                self.step(Event::Seen(is_there));
            }
            Outcome::Tried(Ok(())) => self.read().await,
            Outcome::Tried(Err(refusal)) => {
                self.step(Event::Refused(refusal));
                if let Some(problem) = self.machine.problem() {
                    tracing::warn!(problem = view::words(problem), "not joined");
                }
            }
            Outcome::Beacon(true) => self.read().await,
            Outcome::Beacon(false) => self.step(Event::NoBeacon),
        }
    }

    fn due(&mut self) {
        if let Some(servers) = &self.servers {
            let in_use = servers.are_used(self.clock.now());
            self.step(Event::InUse(in_use));
        }
        self.step(Event::Due);
    }

    fn links_changed(&mut self, links: &[LinkReport]) {
        let is_cable = |link: &LinkReport| link.state == LinkState::Up && !is_wireless(&link.name);
        self.step(Event::Cable(links.iter().any(is_cable)));
        if self.iwd.is_none() && self.seek_at.is_none() {
            self.seek_at = Some(Instant::now());
        }
    }

    /// Looks for a radio, and for iwd if there is one. Without a radio the next change of links is the next occasion.
    async fn seek(&mut self) {
        self.seek_at = None;
        let has_radio = std::fs::read_dir(RADIOS).is_ok_and(|mut radios| radios.next().is_some());
        if self.iwd.is_some() || !has_radio {
            return;
        }
        match Iwd::connect(model::paths::WIFI_BUS_ADDRESS).await {
            Ok(iwd) => {
                self.iwd = Some(Arc::new(iwd));
                self.set_country().await;
                self.read().await;
            }
            Err(error) => {
                tracing::debug!(error = &error as &dyn Error, "iwd is not there yet");
                self.seek_at = Some(Instant::now() + SEEK);
            }
        }
    }

    async fn set_country(&mut self) {
        let Some(country) = self.memory.country().cloned() else { return };
        let set = tokio::task::spawn_blocking(move || country::set(&country)).await;
        match set {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(error = &error as &dyn Error, "the country of the radio is not set");
            }
            Err(error) => tracing::warn!(error = &error as &dyn Error, "the country of the radio is not set"),
        }
    }

    /// Reads iwd anew; what changed becomes events.
    async fn read(&mut self) {
        let Some(iwd) = self.iwd.clone() else { return };
        match iwd.snapshot().await {
            Ok(snapshot) => self.take(&iwd, snapshot).await,
            Err(error) => {
                tracing::warn!(error = &error as &dyn Error, "iwd is gone");
                self.iwd = None;
                self.running = None;
                self.waiting.clear();
                self.snapshot = Snapshot::default();
                self.joined = None;
                self.seek_at = Some(Instant::now() + SEEK);
                self.step(Event::RadioGone);
            }
        }
    }

    async fn take(&mut self, iwd: &Iwd, snapshot: Snapshot) {
        // Another one in the place of the first: that was pulled out.
        let path = |snapshot: &Snapshot| snapshot.device.as_ref().map(|device| device.path.clone());
        let (before, after) = (path(&self.snapshot), path(&snapshot));
        let is_other = before.is_some() && before != after;
        let had_device = before.is_some() && !is_other;
        self.snapshot = snapshot;
        if is_other {
            self.joined = None;
            self.running = None;
            self.waiting.clear();
            self.step(Event::RadioGone);
        }
        let device = self.snapshot.device.clone();
        if let Some(device) = device.as_ref().filter(|device| device.is_station) {
            // While it is busy it does not tell: what it said before is still about right.
            if let Some(signals) = told(iwd.signals(&device.path).await) {
                self.signals = signals;
            }
        }
        self.step(Event::Known(!self.snapshot.known.is_empty()));
        if device.is_some() && !had_device {
            self.step(Event::RadioCame);
        }
        let joined = self.snapshot.joined().map(|network| network.ssid.clone());
        if joined != self.joined {
            self.joined.clone_from(&joined);
            match joined {
                Some(ssid) => {
                    tracing::info!(network = ssid.as_str(), "joined");
                    self.step(Event::Joined(ssid));
                }
                None => self.step(Event::Left),
            }
        }
    }

    async fn answer(&mut self, ask: Ask) {
        let Some(iwd) = self.iwd.clone().filter(|_| self.snapshot.device.is_some()) else {
            let (Ask::Look(to) | Ask::Join(_, to) | Ask::Forget(_, to) | Ask::SetCountry(_, to)) = ask;
            return reply(to, Err("this box has no wireless device".to_owned()));
        };
        match ask {
            Ask::Look(to) => {
                // A radio that is a network does not look around; what was seen before is shown.
                let is_beacon = matches!(self.machine.state(), State::Beacon { .. });
                if !is_beacon && !self.waiting.contains(&Effect::Look) {
                    self.waiting.push_back(Effect::Look);
                }
                reply(to, Ok(()));
            }
            Ask::Join(wish, to) => {
                let ssid = wish.ssid.clone();
                let kept = self.memory.set_wanted(Some(wish)).map_err(|error| words::chain(&error));
                if kept.is_ok() {
                    self.joined = None;
                    self.step(Event::Wish(ssid));
                }
                reply(to, kept);
            }
            Ask::Forget(ssid, to) => {
                let done = self.forget(&iwd, &ssid).await;
                reply(to, done);
                self.read().await;
            }
            Ask::SetCountry(country, to) => {
                let kept = self.memory.set_country(country).map_err(|error| words::chain(&error));
                self.set_country().await;
                reply(to, kept);
            }
        }
    }

    async fn forget(&mut self, iwd: &Iwd, ssid: &Ssid) -> Result<(), String> {
        let mut is_known = false;
        if self.machine.wanted() == Some(ssid) {
            is_known = true;
            self.memory.set_wanted(None).map_err(|error| words::chain(&error))?;
            self.step(Event::NoWish);
        }
        for known in self.snapshot.known.iter().filter(|known| known.ssid == *ssid) {
            is_known = true;
            iwd.forget(&known.path).await.map_err(|error| words::chain(&error))?;
        }
        if is_known { Ok(()) } else { Err(format!("no network {:?} is known", ssid.as_str())) }
    }

    fn show(&mut self) {
        let is_beacon = self.snapshot.device.as_ref().is_some_and(|device| device.is_beacon);
        let own = self.own_network().filter(|_| is_beacon);
        if let Some((ssid, passphrase)) = &own {
            let line =
                format!("set-up by Wi-Fi: network {}, password {}", ssid.as_str(), passphrase.reveal());
            if self.announced != line {
                (self.outputs.announce)(&line);
                self.announced = line;
            }
        } else {
            self.announced.clear();
        }
        let network = match self.machine.state() {
            State::Joined { ssid } => Some(ssid),
            State::Absent
            | State::Idle
            | State::Unplugged { .. }
            | State::Looking { .. }
            | State::Pausing { .. }
            | State::Joining { .. }
            | State::Beacon { .. } => self.machine.wanted(),
        };
        let report = WifiReport {
            state: view::state(self.machine.state()),
            network: network.map(|ssid| ssid.as_str().to_owned()),
            link: self.snapshot.device.as_ref().map(|device| device.link.clone()),
            country: self.memory.country().cloned(),
            problem: self.machine.problem().map(view::words),
            access_point: own.map(|(ssid, passphrase)| AccessPointReport { ssid, passphrase }),
            networks: view::networks(&self.snapshot, &self.signals),
        };
        self.outputs.report.send_if_modified(|shown| replace(shown, report));
    }
}

/// The link's address while it is the box's own network.
fn own_link(mac: [u8; 6]) -> Option<LinkSettings> {
    let address = InterfaceAddress4::new(OWN.0, OWN.1).ok()?;
    LinkSettings::new(
        Matching::Mac(MacAddress::new(mac).ok()?),
        Ipv4Settings::Static(StaticIpv4 { addresses: vec![address], gateway: None }),
        Ipv6Settings::Off,
        None,
        None,
    )
    .ok()
}

/// Whether the kernel has a radio behind a link of that name.
fn is_wireless(link: &str) -> bool {
    !link.contains('/') && Path::new("/sys/class/net").join(link).join("phy80211").exists()
}

async fn try_to_join(iwd: &Iwd, snapshot: &Snapshot, wanted: WifiJoin) -> Result<(), Refusal> {
    let network = snapshot.in_reach(&wanted.ssid).ok_or(Refusal::OutOfReach)?;
    let is_known = view::is_known(snapshot, &wanted.ssid);
    match network.security {
        Security::Unsupported => return Err(Refusal::Unsupported),
        Security::Password if wanted.passphrase.is_none() && !is_known => return Err(Refusal::NoPassword),
        Security::Password | Security::Open => {}
    }
    // iwd would try the password that it knows, and not ask for the one that the owner just gave.
    if wanted.passphrase.is_some() {
        for known in snapshot.known.iter().filter(|known| known.ssid == wanted.ssid) {
            told(iwd.forget(&known.path).await);
        }
    }
    let is_protected = network.security == Security::Password;
    iwd.join(&network.path, wanted.passphrase).await.map_err(|error| {
        tracing::info!(error = &error as &dyn Error, network = wanted.ssid.as_str(), "not joined");
        if is_protected && error.is_failure() { Refusal::Password } else { Refusal::Other }
    })
}

fn told<T>(result: Result<T, IwdError>) -> Option<T> {
    result.inspect_err(|error| tracing::warn!(error = error as &dyn Error, "iwd did not do it")).ok()
}

fn reply(to: Answer, answer: Result<(), String>) {
    if to.send(answer).is_err() {
        tracing::debug!("nobody waits for the answer any more");
    }
}
