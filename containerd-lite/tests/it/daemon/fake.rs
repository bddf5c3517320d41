//! A runtime in memory that outlives every daemon, and a netd that answers as it is told.

use containerd_lite::runtime::ContainerId;
use containerd_lite::runtime::Network;
use containerd_lite::runtime::Running;
use containerd_lite::runtime::Runtime;
use containerd_lite::runtime::RuntimeError;
use containerd_lite::runtime::Start;
use hostapi::net1::DnsCertificate;
use hostapi::net1::Net1Backend;
use hostapi::net1::Net1Error;
use hostapi::net1::NetworkNamespace;
use hostapi::net1::Status;
use model::containers::End;
use model::containers::Traffic;
use model::containers::Usage;
use model::names::HostName;
use model::network::app_policy::AppPolicy;
use model::network::attachment::Attachment;
use model::network::endpoint::Endpoint;
use model::network::explanation::Explanation;
use model::network::names::AppKey;
use model::network::report::NetworkReport;
use model::network::settings::NetworkSettings;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::PipeReader;
use std::io::PipeWriter;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::time::Duration;
use tokio::sync::watch;

/// Containers, and what becomes of them.
#[derive(Clone, Default)]
pub(super) struct FakeRuntime(Arc<Mutex<World>>);

#[derive(Default)]
pub(super) struct World {
    pub(super) containers: BTreeMap<ContainerId, FakeContainer>,
    pub(super) networks: BTreeSet<AppKey>,
    /// Every start, stop and kill, in order.
    pub(super) calls: Vec<String>,
    /// Those that do not end when they are told to.
    pub(super) stubborn: bool,
    /// Whether starts are impossible.
    pub(super) impossible: bool,
    /// What checks in containers say.
    pub(super) unhealthy: Option<String>,
}

pub(super) struct FakeContainer {
    pub(super) start: Start,
    pub(super) stdout: PipeWriter,
    _stderr: PipeWriter,
    readers: [PipeReader; 2],
    ended: PipeReader,
    /// Gone when it has ended.
    life: Option<PipeWriter>,
    end: End,
}

impl FakeRuntime {
    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }

    /// A container ends by itself.
    pub(super) fn end_with(&self, id: &ContainerId, end: End) {
        if let Some(container) = self.world().containers.get_mut(id) {
            // Who has ended stays as it ended.
            if container.life.take().is_some() {
                container.end = end;
            }
        }
    }

    pub(super) fn calls(&self) -> Vec<String> {
        self.world().calls.clone()
    }

    /// What a container prints to.
    pub(super) fn stdout(&self, id: &ContainerId) -> PipeWriter {
        self.world().containers[id].stdout.try_clone().unwrap()
    }
}

impl FakeContainer {
    fn running(&self) -> Running {
        let [stdout, stderr] = &self.readers;
        Running {
            ended: self.ended.try_clone().unwrap().into(),
            output: [stdout.try_clone().unwrap().into(), stderr.try_clone().unwrap().into()],
            since_boot: Duration::from_secs(1),
        }
    }
}

fn failed(what: &str) -> RuntimeError {
    let source = Box::new(std::io::Error::other(what.to_owned()));
    RuntimeError::Failed { step: "fake".to_owned(), what: what.to_owned(), source }
}

impl Runtime for FakeRuntime {
    fn network(&self, app: &AppKey) -> Result<Network, RuntimeError> {
        self.world().networks.insert(app.clone());
        let fd = || OwnedFd::from(File::open("/dev/null").unwrap());
        Ok(Network { namespace: fd(), route_socket: fd() })
    }

    fn traffic(&self, app: &AppKey) -> Result<Option<Traffic>, RuntimeError> {
        let is_there = self.world().networks.contains(app);
        Ok(is_there.then_some(Traffic { received_bytes: 7, sent_bytes: 8 }))
    }

    fn remove_network(&self, app: &AppKey) -> Result<(), RuntimeError> {
        let mut world = self.world();
        assert!(!world.containers.keys().any(|id| id.app == *app), "the network of {app} is in use");
        world.networks.remove(app);
        Ok(())
    }

    fn start(&self, id: &ContainerId, start: &Start) -> Result<Running, RuntimeError> {
        let mut world = self.world();
        if world.impossible {
            return Err(RuntimeError::Impossible("no such user".to_owned()));
        }
        if !world.networks.contains(&id.app) || world.containers.contains_key(id) {
            return Err(failed("it runs already, or has no network"));
        }
        world.calls.push(format!("start {id}"));
        let (out_reader, stdout) = std::io::pipe().unwrap();
        let (err_reader, stderr) = std::io::pipe().unwrap();
        let (ended, life) = std::io::pipe().unwrap();
        let container = FakeContainer {
            start: start.clone(),
            stdout,
            _stderr: stderr,
            readers: [out_reader, err_reader],
            ended,
            life: Some(life),
            end: End::Unknown,
        };
        let running = container.running();
        world.containers.insert(id.clone(), container);
        Ok(running)
    }

    fn find(&self, id: &ContainerId) -> Result<Option<Running>, RuntimeError> {
        Ok(self.world().containers.get(id).map(FakeContainer::running))
    }

    fn list(&self) -> Result<Vec<ContainerId>, RuntimeError> {
        Ok(self.world().containers.keys().cloned().collect())
    }

    fn stop(&self, id: &ContainerId) -> Result<(), RuntimeError> {
        let is_stubborn = {
            let mut world = self.world();
            world.calls.push(format!("stop {id}"));
            world.stubborn
        };
        if !is_stubborn {
            self.end_with(id, End::Code(0));
        }
        Ok(())
    }

    fn kill(&self, id: &ContainerId) -> Result<(), RuntimeError> {
        self.world().calls.push(format!("kill {id}"));
        self.end_with(id, End::Signal(9));
        Ok(())
    }

    fn end(&self, id: &ContainerId) -> End {
        self.world().containers.get(id).map_or(End::Unknown, |container| container.end)
    }

    fn remove(&self, id: &ContainerId) -> Result<(), RuntimeError> {
        let mut world = self.world();
        assert!(world.containers.get(id).is_none_or(|container| container.life.is_none()), "{id} runs");
        world.containers.remove(id);
        Ok(())
    }

    fn run_inside(
        &self,
        _id: &ContainerId,
        words: &[String],
        _patience: Duration,
    ) -> Result<(End, String), RuntimeError> {
        assert_eq!(words, ["check", "me"]);
        let said = self.world().unhealthy.clone();
        Ok(said.map_or_else(|| (End::Code(0), String::new()), |said| (End::Code(7), said)))
    }

    fn usage(&self, id: &ContainerId) -> Result<Usage, RuntimeError> {
        let is_there = self.world().containers.contains_key(id);
        if is_there { Ok(Usage { tasks: 3, ..Usage::default() }) } else { Err(failed("it is not there")) }
    }
}

/// netd, as far as apps need it.
#[derive(Clone, Default)]
pub(super) struct FakeNetd {
    net: Arc<Mutex<Net>>,
    status: Arc<watch::Sender<Arc<Status>>>,
}

#[derive(Default)]
pub(super) struct Net {
    pub(super) attached: BTreeSet<AppKey>,
    pub(super) refuses: Option<String>,
}

impl FakeNetd {
    pub(super) fn net(&self) -> MutexGuard<'_, Net> {
        self.net.lock().unwrap()
    }
}

fn not_asked<T>() -> Result<T, Net1Error> {
    Err(Net1Error::Refused("this netd wires up apps only".to_owned()))
}

impl Net1Backend for FakeNetd {
    fn status(&self) -> watch::Receiver<Arc<Status>> {
        self.status.subscribe()
    }

    async fn attach_app(&self, app: AppKey, _namespace: NetworkNamespace) -> Result<Attachment, Net1Error> {
        let mut net = self.net();
        if let Some(said) = &net.refuses {
            return Err(Net1Error::Refused(said.clone()));
        }
        if !net.attached.insert(app.clone()) {
            return Err(Net1Error::AlreadyAttached(format!("{app} is attached")));
        }
        Ok(Attachment {
            ipv4: Ipv4Addr::LOCALHOST,
            ipv6: "fd00::2".parse().unwrap(),
            gateway4: "198.18.0.1".parse().unwrap(),
            gateway6: "fd00::1".parse().unwrap(),
            link: "app".to_owned(),
            resolv_conf: "nameserver 198.18.0.1\n".to_owned(),
            hosts: "127.0.0.1 localhost\n".to_owned(),
        })
    }

    async fn detach_app(&self, app: AppKey) -> Result<(), Net1Error> {
        let was_attached = self.net().attached.remove(&app);
        if was_attached { Ok(()) } else { Err(Net1Error::UnknownApp(app.to_string())) }
    }

    async fn set_host_name(&self, _name: HostName) -> Result<(), Net1Error> {
        not_asked()
    }

    async fn renew_leases(&self) -> Result<(), Net1Error> {
        not_asked()
    }

    async fn report(&self) -> Result<NetworkReport, Net1Error> {
        not_asked()
    }

    async fn set_settings(
        &self,
        _settings: NetworkSettings,
        _trial: Option<Duration>,
    ) -> Result<(), Net1Error> {
        not_asked()
    }

    async fn confirm_settings(&self) -> Result<(), Net1Error> {
        not_asked()
    }

    async fn set_app_policy(&self, _policy: AppPolicy) -> Result<(), Net1Error> {
        not_asked()
    }

    async fn explain(&self, _from: Endpoint, _to: Endpoint) -> Result<Explanation, Net1Error> {
        not_asked()
    }

    async fn set_dns_certificate(&self, _certificate: DnsCertificate) -> Result<(), Net1Error> {
        not_asked()
    }

    async fn answer_dns(&self, _message: Vec<u8>, _client: IpAddr) -> Result<Vec<u8>, Net1Error> {
        not_asked()
    }
}
