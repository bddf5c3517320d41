//! The loop: feeds the machine and does what it says.
//!
//! One task. Questions to servers are futures in one set, so that dropping the loop leaves nothing behind; each takes its
//! peer's memory with it and brings it back. The loop ends when the sender of the settings is dropped, and writes the time
//! down before.

use std::collections::HashMap;
use std::error::Error;
use std::future::Future;
use std::net::IpAddr;
use std::path::Path;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use rustls::RootCertStore;
use tokio::sync::Notify;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio::time::sleep_until;
use tracing::info;
use tracing::warn;

use crate::clock::ClockError;
use crate::clock::Started;
use crate::clock::SystemClock;
use crate::discipline::Circumstances;
use crate::discipline::Discipline;
use crate::discipline::Effect;
use crate::discipline::Event;
use crate::discipline::Outcome;
use crate::last_known;
use crate::last_known::LastKnown;
use crate::last_known::SaveError;
use crate::nts::certificate::Dates;
use crate::query::Means;
use crate::query::Peer;
use crate::query::query;
use crate::resolve::Resolve;
use crate::settings::Server;
use crate::settings::TimeSettings;
use crate::status::TimeStatus;
use crate::time::Moment;
use crate::time::Timestamp;

/// Wait when nothing is due; the loop is woken by news anyway.
const IDLE: Duration = Duration::from_secs(3_600);

/// Where the loop's news comes from.
#[derive(Debug)]
pub struct Inputs {
    /// What the owner chose; the loop ends when the sender is dropped.
    pub settings: watch::Receiver<TimeSettings>,
    /// Time servers of the home network (DHCP option 42).
    pub offered: watch::Receiver<Vec<IpAddr>>,
    /// Addresses or routes changed.
    pub network_changed: Arc<Notify>,
    /// What the start of the clock found out.
    pub started: Started,
}

/// Where its results go.
#[derive(Debug)]
pub struct Outputs {
    /// For the owner.
    pub status: watch::Sender<TimeStatus>,
    /// Whether the clock was set from the network since the start: from then on dates in certificates count.
    pub synchronised: watch::Sender<bool>,
    /// File for the last known time.
    pub state_file: PathBuf,
}

/// What the loop works with.
#[derive(Debug)]
pub struct Tools<R, C> {
    /// Looks names up.
    pub resolver: R,
    /// The clock.
    pub clock: C,
    /// Who may vouch for servers with NTS.
    pub roots: Arc<RootCertStore>,
}

type Question = Pin<Box<dyn Future<Output = Answer> + Send>>;

struct Answer {
    source: usize,
    peer: Peer,
    address: Option<IpAddr>,
    outcome: Outcome,
}

/// Keeps the clock until the sender of the settings is dropped.
pub async fn run<R: Resolve, C: SystemClock>(mut inputs: Inputs, outputs: Outputs, tools: Tools<R, C>) {
    let means = Means {
        resolver: tools.resolver,
        clock: tools.clock,
        roots: tools.roots,
        built: inputs.started.built,
    };
    let mut keeper = Keeper::new(&inputs.started, means, outputs);
    let crystal_ppm = keeper.machine.crystal_ppm();
    keeper.report(keeper.means.clock.slew(crystal_ppm));
    keeper.choose_servers(&mut inputs).await;
    let mut offered_lives = true;
    loop {
        let wake = keeper.wake_at();
        // Every arm is cancel-safe: changes stay marked, timers are made anew, a stream keeps what it did not give.
        tokio::select! {
            changed = inputs.settings.changed() => match changed {
                Ok(()) => keeper.choose_servers(&mut inputs).await,
                Err(_gone) => break,
            },
            changed = inputs.offered.changed(), if offered_lives => match changed {
                Ok(()) => keeper.choose_servers(&mut inputs).await,
                Err(_gone) => offered_lives = false,
            },
            () = inputs.network_changed.notified() => keeper.take(Event::NetworkChanged).await,
            Some(answer) = keeper.questions.next() => keeper.answered(answer).await,
            () = sleep_until(wake) => keeper.take(Event::Timer).await,
        }
    }
    keeper.stop().await;
}

struct Keeper<R, C> {
    machine: Discipline,
    means: Arc<Means<R, C>>,
    outputs: Outputs,
    began: Instant,
    servers: Vec<Server>,
    /// By place in the list; gone while its question is out.
    peers: HashMap<usize, Peer>,
    questions: FuturesUnordered<Question>,
    /// What the clock showed when it was last read; the build time before.
    shown: Timestamp,
    /// Why the clock could not be set; the same failure is logged once.
    clock_problem: Option<String>,
}

impl<R: Resolve, C: SystemClock> Keeper<R, C> {
    fn new(started: &Started, means: Means<R, C>, outputs: Outputs) -> Self {
        Self {
            machine: Discipline::new(started),
            means: Arc::new(means),
            outputs,
            began: Instant::now(),
            servers: Vec::new(),
            peers: HashMap::new(),
            questions: FuturesUnordered::new(),
            shown: started.built,
            clock_problem: None,
        }
    }

    async fn choose_servers(&mut self, inputs: &mut Inputs) {
        let settings = inputs.settings.borrow_and_update().clone();
        let servers = settings.effective(&inputs.offered.borrow_and_update());
        if servers == self.servers && !servers.is_empty() {
            return;
        }
        self.questions = FuturesUnordered::new();
        self.peers.clear();
        self.servers.clone_from(&servers);
        self.take(Event::Servers(servers)).await;
    }

    async fn answered(&mut self, answer: Answer) {
        let Answer { source, peer, address, outcome } = answer;
        self.peers.insert(source, peer);
        self.take(Event::Answered { source, address, outcome }).await;
    }

    async fn take(&mut self, event: Event) {
        // The machine hears of everything: a lost answer would be awaited for ever.
        match self.means.clock.read() {
            Ok(shown) => self.shown = shown,
            Err(error) => self.report(Err(error)),
        }
        let mut random = [0; 8];
        // Only spreads questions over time; without it they are not spread.
        getrandom::fill(&mut random).unwrap_or_default();
        let around = Circumstances { now: self.now(), shown: self.shown, random: u64::from_le_bytes(random) };
        let effects = self.machine.step(event, around);
        let done = self.carry_out(effects).await;
        self.report(done);
        self.publish();
    }

    /// After the first failure only questions are asked: a clock that was not set is neither right nor worth writing down, but a
    /// question that is not asked is never answered, and no round would begin again.
    async fn carry_out(&mut self, effects: Vec<Effect>) -> Result<(), ClockError> {
        let mut done = Ok(());
        for effect in effects {
            if done.is_ok() || matches!(effect, Effect::Ask { .. }) {
                done = done.and(self.carry_out_one(effect).await);
            }
        }
        done
    }

    async fn carry_out_one(&mut self, effect: Effect) -> Result<(), ClockError> {
        match effect {
            Effect::Ask { source, dates } => self.ask(source, dates),
            Effect::Step(by) => {
                info!(%by, "the clock is set from the network");
                self.means.clock.step(by)?;
            }
            Effect::Slew(ppm) => self.means.clock.slew(ppm)?,
            Effect::MarkSynchronised(certainty) => {
                self.means.clock.mark_synchronised(certainty)?;
                self.clock_problem = None;
            }
            Effect::Save(known) => self.save(known).await,
        }
        Ok(())
    }

    fn ask(&mut self, source: usize, dates: Dates) {
        let Some(server) = self.servers.get(source).cloned() else { return };
        let mut peer = self.peers.remove(&source).unwrap_or_default();
        let means = Arc::clone(&self.means);
        self.questions.push(Box::pin(async move {
            let (address, outcome) = query(&server, &mut peer, &*means, dates).await;
            Answer { source, peer, address, outcome }
        }));
    }

    fn publish(&self) {
        let mut status = self.machine.status(self.now());
        if let Some(problem) = &self.clock_problem {
            status.synchronised = false;
            status.authenticated = false;
            status.reason = Some(problem.clone());
        }
        self.outputs.status.send_if_modified(|old| {
            let changed = *old != status;
            *old = status;
            changed
        });
        // Never back to false: the date stays known when the servers are gone.
        if self.machine.is_set() && self.clock_problem.is_none() {
            self.outputs.synchronised.send_if_modified(|set| !std::mem::replace(set, true));
        }
    }

    fn report(&mut self, result: Result<(), ClockError>) {
        let Err(error) = result else { return };
        let problem = format!("{}: {}", error, error.source);
        if self.clock_problem.as_ref() != Some(&problem) {
            warn!(error = &error as &dyn Error, "the clock cannot be kept");
        }
        self.clock_problem = Some(problem);
    }

    async fn save(&mut self, known: LastKnown) {
        if let Err(error) = save(&self.outputs.state_file, known).await {
            warn!(error = &error as &dyn Error, "the last known time is not kept");
        }
    }

    async fn stop(mut self) {
        let crystal_ppm = self.machine.crystal_ppm();
        self.report(self.means.clock.slew(crystal_ppm));
        if self.clock_problem.is_some() {
            return;
        }
        if let Some(known) = self.means.clock.read().ok().and_then(|shown| self.machine.to_save(shown)) {
            self.save(known).await;
        }
    }

    fn now(&self) -> Moment {
        Moment::after_start(self.began.elapsed())
    }

    fn wake_at(&self) -> Instant {
        let wake = self.machine.wake_at().unwrap_or_else(|| self.now() + IDLE);
        self.began + wake.since_start()
    }
}

/// On another thread: a flush to an SD card may take a second.
async fn save(path: &Path, known: LastKnown) -> Result<(), SaveError> {
    let path = path.to_owned();
    let work = tokio::task::spawn_blocking(move || last_known::save_blocking(&path, &known));
    // Cancelled only when the runtime ends.
    work.await.unwrap_or(Ok(()))
}

#[cfg(test)]
pub(crate) mod tests;
