//! A netd in memory, behind the real D-Bus interface: it announces what it is told and keeps settings, without a network.

use hostapi::net1::AllowedUids;
use hostapi::net1::DnsCertificate;
use hostapi::net1::Link;
use hostapi::net1::Net1Backend;
use hostapi::net1::Net1Error;
use hostapi::net1::Net1Proxy;
use hostapi::net1::NetworkNamespace;
use hostapi::net1::Status;
use model::names::HostName;
use model::network::app_policy::AppPolicy;
use model::network::attachment::Attachment;
use model::network::endpoint::Endpoint;
use model::network::endpoint::Who;
use model::network::explanation::Answer;
use model::network::explanation::Explanation;
use model::network::explanation::Rule;
use model::network::names::AppKey;
use model::network::report::NetworkReport;
use model::network::settings::NetworkSettings;
use model::network::wifi::WifiWish;
use radio::Radio;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use tokio::net::UnixListener;
use tokio::net::UnixStream;
use tokio::sync::watch;
use tokio::task::JoinSet;

mod example;
mod radio;

pub use radio::Neighbour;

/// A netd that tests describe.
#[derive(Debug, Default)]
pub struct FakeNetd {
    /// What its properties show.
    pub status: watch::Sender<Arc<Status>>,
    memory: Mutex<Memory>,
}

#[derive(Debug, Default)]
struct Memory {
    names: Vec<String>,
    certificates: Vec<String>,
    clients: Vec<IpAddr>,
    report: Option<NetworkReport>,
    trial: Option<(NetworkSettings, u32)>,
    policies: Vec<AppPolicy>,
    refuses_policies: bool,
    shows_example: bool,
    is_stopping: bool,
    wifi: Vec<WifiWish>,
    radio: Option<Radio>,
}

impl FakeNetd {
    /// One with a lively home network: links, apps, rules with counters. It goes on to show these apps, whatever it is told.
    #[must_use]
    pub fn lively() -> Arc<Self> {
        let netd = Self::default();
        netd.memory().report = Some(example::report());
        netd.memory().shows_example = true;
        netd.status.send_replace(Arc::new(example::status()));
        Arc::new(netd)
    }

    /// Every name it was told.
    pub fn told(&self) -> Vec<String> {
        self.memory().names.clone()
    }

    /// The chain of every certificate it was given.
    pub fn certificates(&self) -> Vec<String> {
        self.memory().certificates.clone()
    }

    /// Everybody who asked for a name over HTTPS.
    pub fn clients(&self) -> Vec<IpAddr> {
        self.memory().clients.clone()
    }

    /// From now on it has a radio, and this network comes near; the next look around sees it.
    pub fn comes_near(&self, neighbour: Neighbour) {
        self.memory().radio.get_or_insert_default().add(neighbour);
    }

    /// Everything that was wanted of Wi-Fi, the first first.
    pub fn wifi_wishes(&self) -> Vec<WifiWish> {
        self.memory().wifi.clone()
    }

    /// Every policy of apps it was told, the first first.
    pub fn policies(&self) -> Vec<AppPolicy> {
        self.memory().policies.clone()
    }

    /// Whether it refuses every policy from now on.
    pub fn refuse_policies(&self, refuses: bool) {
        self.memory().refuses_policies = refuses;
    }

    /// Replaces what it shows of its links.
    pub fn show_links(&self, links: Vec<Link>) {
        self.status.send_modify(|status| Arc::make_mut(status).links = links);
    }

    /// From now on another device has the name wished for.
    pub fn rival(&self, address: IpAddr) {
        if let Some(report) = &mut self.memory().report {
            report.name.rival = Some(address);
        }
    }

    /// From now on it has so many rules more.
    pub fn add_rules(&self, count: usize) {
        let rule = |number| Rule {
            name: format!("rule {number}"),
            words: "somebody may reach somebody else at some port".to_owned(),
            allows: true,
            packets: 0,
            bytes: 0,
        };
        if let Some(report) = &mut self.memory().report {
            report.firewall.rules.extend((0..count).map(rule));
        }
    }

    /// From now on it reports this.
    pub fn show_report(&self, report: NetworkReport) {
        self.memory().report = Some(report);
    }

    /// From now on it refuses to report.
    pub fn report_nothing(&self) {
        self.memory().report = None;
    }

    /// From now on it reports nothing, because it stops.
    pub fn stop(&self) {
        self.memory().is_stopping = true;
    }

    /// As if the time of a trial had passed.
    pub fn end_trial(&self) {
        if let Some((before, _)) = self.memory().trial.take() {
            self.status.send_modify(|status| Arc::make_mut(status).settings = before);
        }
    }

    /// Serves at a path until the set of tasks is dropped.
    ///
    /// # Errors
    ///
    /// When the path cannot be listened on.
    pub fn serve(self: &Arc<Self>, path: &Path) -> std::io::Result<JoinSet<()>> {
        let listener = UnixListener::bind(path)?;
        let backend = Arc::clone(self);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut streams = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                streams.spawn(Arc::clone(&backend).attend(stream));
            }
        });
        Ok(tasks)
    }

    /// A connection to it without a path; it lasts as long as the set of tasks.
    ///
    /// # Panics
    ///
    /// When there is no connection within one process.
    #[expect(clippy::expect_used, reason = "a test without its fake cannot go on")]
    pub async fn connect(self: &Arc<Self>) -> (Net1Proxy<'static>, JoinSet<()>) {
        let (here, there) = UnixStream::pair().expect("a pair of sockets");
        let mut tasks = JoinSet::new();
        tasks.spawn(Arc::clone(self).attend(there));
        (hostapi::net1::open(here).await.expect("a D-Bus handshake"), tasks)
    }

    async fn attend(self: Arc<Self>, stream: UnixStream) {
        let me = AllowedUids::new([rustix::process::getuid().as_raw()]);
        if let Err(error) = hostapi::net1::serve(stream, self, &me).await {
            tracing::debug!(error = &error as &dyn std::error::Error, "a connection to the fake netd ended");
        }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn needs(&self, app: &AppKey) -> Result<(), Net1Error> {
        let known = self.status.borrow().app_policy.app(app).is_some();
        if known { Ok(()) } else { Err(Net1Error::UnknownApp(format!("there is no app {app}"))) }
    }

    fn rule(&self, name: &str) -> Rule {
        let report = self.memory().report.clone().unwrap_or_default();
        let found = report.firewall.rules.into_iter().find(|rule| rule.name == name);
        let unknown =
            Rule { name: name.to_owned(), words: String::new(), allows: false, packets: 0, bytes: 0 };
        found.unwrap_or(unknown)
    }
}

impl Net1Backend for FakeNetd {
    fn status(&self) -> watch::Receiver<Arc<Status>> {
        self.status.subscribe()
    }

    async fn set_host_name(&self, name: HostName) -> Result<(), Net1Error> {
        self.memory().names.push(name.to_string());
        self.status.send_modify(|status| Arc::make_mut(status).host_name = name.to_string());
        Ok(())
    }

    async fn renew_leases(&self) -> Result<(), Net1Error> {
        Ok(())
    }

    async fn report(&self) -> Result<NetworkReport, Net1Error> {
        let mut memory = self.memory();
        if memory.is_stopping {
            return Err(Net1Error::Stopping("it stops".to_owned()));
        }
        let report = memory.report.clone();
        let mut report = report.ok_or_else(|| Net1Error::Refused("it has nothing to report".to_owned()))?;
        let status = self.status.borrow();
        report.name.announced.clone_from(&status.host_name);
        report.resolver.serves_lan = status.settings.resolver.serve_lan;
        report.trial_seconds_left = memory.trial.as_ref().map(|(_, seconds)| *seconds);
        if let Some(radio) = &mut memory.radio {
            report.wifi = radio.report();
        }
        Ok(report)
    }

    async fn set_settings(
        &self,
        settings: NetworkSettings,
        trial: Option<Duration>,
    ) -> Result<(), Net1Error> {
        if settings.time.servers.iter().any(|server| server.name.as_str() == "refuse.example") {
            return Err(Net1Error::Refused("refuse.example is how a test is refused".to_owned()));
        }
        let now = self.status.borrow().settings.clone();
        let mut memory = self.memory();
        // A change within a trial ends where the first one began.
        let before = memory.trial.take().map_or(now, |(before, _)| before);
        memory.trial = trial.map(|trial| (before, u32::try_from(trial.as_secs()).unwrap_or(u32::MAX)));
        drop(memory);
        self.status.send_modify(|status| Arc::make_mut(status).settings = settings);
        Ok(())
    }

    async fn confirm_settings(&self) -> Result<(), Net1Error> {
        let trial = self.memory().trial.take();
        trial.map(drop).ok_or_else(|| Net1Error::NothingOnTrial("nothing is on trial".to_owned()))
    }

    async fn set_app_policy(&self, policy: AppPolicy) -> Result<(), Net1Error> {
        let mut memory = self.memory();
        if memory.refuses_policies {
            return Err(Net1Error::Refused("a test wants it so".to_owned()));
        }
        memory.policies.push(policy.clone());
        if !memory.shows_example {
            drop(memory);
            self.status.send_modify(|status| Arc::make_mut(status).app_policy = policy);
        }
        Ok(())
    }

    async fn attach_app(&self, app: AppKey, _: NetworkNamespace) -> Result<Attachment, Net1Error> {
        self.needs(&app)?;
        Err(Net1Error::Refused("this netd has no kernel".to_owned()))
    }

    async fn detach_app(&self, app: AppKey) -> Result<(), Net1Error> {
        self.needs(&app)
    }

    async fn explain(&self, from: Endpoint, to: Endpoint) -> Result<Explanation, Net1Error> {
        for end in [&from, &to] {
            if let Who::App(app) = &end.who {
                self.needs(app)?;
            }
        }
        let (answer, words, rules) = match (from.to_string().as_str(), to.to_string().as_str()) {
            ("app:notes", "app:db tcp/5432") => (
                Answer::Yes,
                "yes: notes may reach db at tcp/5432",
                vec![self.rule("app notes to app db tcp/5432")],
            ),
            ("app:notes", "internet") => {
                let words = "only this: notes may reach *.example.org in the Internet; anything else is refused: \
                             apps reach nothing but what was granted";
                (Answer::Partly, words, vec![self.rule("app notes to *.example.org")])
            }
            _ => (
                Answer::No,
                "no: nothing allows it, and apps are reached by nothing but what was granted",
                vec![],
            ),
        };
        let otherwise =
            self.rule(if matches!(to.who, Who::App(_)) { "refused: app in" } else { "refused: app out" });
        Ok(Explanation { from, to, answer, words: words.to_owned(), rules, otherwise })
    }

    async fn set_dns_certificate(&self, certificate: DnsCertificate) -> Result<(), Net1Error> {
        self.memory().certificates.push(certificate.chain_pem);
        Ok(())
    }

    async fn wifi(&self, wish: WifiWish) -> Result<(), Net1Error> {
        let mut memory = self.memory();
        memory.wifi.push(wish.clone());
        let Some(radio) = &mut memory.radio else {
            return Err(Net1Error::Refused("this box has no wireless device".to_owned()));
        };
        radio.wish(wish).map_err(Net1Error::Refused)
    }

    /// Any message with a whole header comes back as its own answer (RFC 1035 section 4.1.1: QR is the highest bit).
    async fn answer_dns(&self, mut message: Vec<u8>, client: IpAddr) -> Result<Vec<u8>, Net1Error> {
        self.memory().clients.push(client);
        if message.len() < 12 {
            return Ok(vec![]);
        }
        if let Some(flags) = message.get_mut(2) {
            *flags |= 0x80;
        }
        Ok(message)
    }
}
