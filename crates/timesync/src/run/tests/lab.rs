//! The loop on loopback: a clock that only the test sets, servers that do as told, names that the test knows.

use std::collections::HashMap;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use rustls::RootCertStore;
use tempfile::TempDir;
use tokio::net::UdpSocket;
use tokio::sync::Notify;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio::time::timeout;

use crate::CertificateDates;
use crate::Inputs;
use crate::Outputs;
use crate::Resolve;
use crate::ResolveError;
use crate::Server;
use crate::SystemClock as _;
use crate::TimeSettings;
use crate::TimeStatus;
use crate::Timestamp;
use crate::Tools;
use crate::clock::fake::FakeClock;
use crate::last_known;
use crate::last_known::LastKnown;
use crate::packet;
use crate::start;
use crate::time::Span;

/// 1 January 2026.
pub(crate) const BUILT: Timestamp = Timestamp::from_secs(1_767_225_600);
/// For all that takes seconds; the machine may be busy.
const DEADLINE: Duration = Duration::from_secs(120);

/// The true time: 2030 at first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Truth(Instant);

impl Truth {
    pub(crate) fn begin() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn now(self) -> Timestamp {
        Timestamp::from_secs(1_893_456_000) + Span::from(self.0.elapsed())
    }
}

/// Names that the test knows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    known: HashMap<String, Vec<IpAddr>>,
    asked: Arc<Mutex<Vec<(String, CertificateDates)>>>,
}

impl Names {
    pub(crate) fn of(names: &[(&str, &str)]) -> Self {
        let known = names.iter().map(|(name, address)| ((*name).to_owned(), vec![address.parse().unwrap()]));
        Self { known: known.collect(), asked: Arc::default() }
    }

    pub(crate) fn asked(&self) -> Vec<(String, CertificateDates)> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Resolve for Names {
    async fn resolve(&self, name: &str, dates: CertificateDates) -> Result<Vec<IpAddr>, ResolveError> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push((name.to_owned(), dates));
        self.known.get(name).cloned().ok_or_else(|| ResolveError("there is no such name".into()))
    }
}

/// The loop and both ends of what it is given.
pub(crate) struct Lab {
    pub(crate) clock: FakeClock,
    pub(crate) status: watch::Receiver<TimeStatus>,
    pub(crate) synchronised: watch::Receiver<bool>,
    pub(crate) settings: watch::Sender<TimeSettings>,
    pub(crate) offered: watch::Sender<Vec<IpAddr>>,
    pub(crate) network_changed: Arc<Notify>,
    state_file: PathBuf,
    task: JoinHandle<()>,
    _folder: TempDir,
}

impl Lab {
    pub(crate) fn start(clock: FakeClock, servers: Vec<Server>, names: Names, roots: RootCertStore) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let state_file = folder.path().join("last-known-time");
        let started = start(&clock, BUILT, &state_file).unwrap();
        let (settings, settings_in) = watch::channel(TimeSettings { enabled: true, servers });
        let (offered, offered_in) = watch::channel(Vec::new());
        let (status_out, status) = watch::channel(TimeStatus::default());
        let (synchronised_out, synchronised) = watch::channel(false);
        let network_changed = Arc::new(Notify::new());
        let inputs = Inputs {
            settings: settings_in,
            offered: offered_in,
            network_changed: Arc::clone(&network_changed),
            started,
        };
        let outputs =
            Outputs { status: status_out, synchronised: synchronised_out, state_file: state_file.clone() };
        let tools = Tools { resolver: names, clock: clock.clone(), roots: Arc::new(roots) };
        let task = tokio::spawn(crate::run(inputs, outputs, tools));
        let _folder = folder;
        Self { clock, status, synchronised, settings, offered, network_changed, state_file, task, _folder }
    }

    /// Waits until the status is as wished.
    pub(crate) async fn wait_until(
        &mut self,
        what: &str,
        wish: impl FnMut(&TimeStatus) -> bool,
    ) -> TimeStatus {
        let reached =
            timeout(DEADLINE, self.status.wait_for(wish)).await.map(|status| status.unwrap().clone());
        reached.unwrap_or_else(|_late| panic!("not {what}: {:?}", *self.status.borrow()))
    }

    /// How far the clock is from the truth.
    pub(crate) fn error(&self, truth: Timestamp) -> Span {
        self.clock.read().unwrap().since(truth).abs()
    }

    /// Ends the loop as its embedder does, and reads what it wrote down.
    pub(crate) async fn stop(self) -> Option<LastKnown> {
        drop(self.settings);
        timeout(DEADLINE, self.task).await.unwrap().unwrap();
        last_known::load(&self.state_file).unwrap()
    }
}

/// What a server does with a question that came in then.
pub(crate) type Behaviour = fn(question: &[u8], time: Timestamp) -> Vec<Vec<u8>>;

/// A server at that address, which is behind or ahead of the truth.
pub(crate) async fn serve(address: &str, truth: Truth, ahead: Span, behaviour: Behaviour) -> Server {
    let socket = UdpSocket::bind((address, 0)).await.unwrap();
    let local = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 2_048];
        loop {
            let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
            for answer in behaviour(&buffer[..length], truth.now() + ahead) {
                socket.send_to(&answer, from).await.unwrap();
            }
        }
    });
    at(local)
}

pub(crate) fn at(address: SocketAddr) -> Server {
    Server { port: NonZeroU16::new(address.port()), ..Server::plain(&address.ip().to_string()) }
}

/// What an honest server answers.
pub(crate) fn honest(question: &[u8], time: Timestamp) -> Vec<Vec<u8>> {
    // Whoever asks says nothing about itself.
    assert_eq!(question.len(), packet::HEADER);
    assert_eq!(question[0], 0x23);
    assert!(question[1..40].iter().all(|&byte| byte == 0));
    let mut answer = vec![0; packet::HEADER];
    answer[0] = 0x24;
    answer[1] = 2;
    answer[24..32].copy_from_slice(&question[40..48]);
    let seconds = u64::try_from((time.secs() + 2_208_988_800) & 0xffff_ffff).unwrap();
    let fraction = (u64::try_from(time.subsec_nanos()).unwrap() << 32) / 1_000_000_000;
    let time = (seconds << 32 | fraction).to_be_bytes();
    answer[32..40].copy_from_slice(&time);
    answer[40..48].copy_from_slice(&time);
    vec![answer]
}
