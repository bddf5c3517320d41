//! `org.hearthos.Net1` over a socket pair, with a fake backend behind the glue.

use futures_util::StreamExt;
use hostapi::net1;
use hostapi::net1::AllowedUids;
use hostapi::net1::DnsCertificate;
use hostapi::net1::Link;
use hostapi::net1::Net1Backend;
use hostapi::net1::Net1Error;
use hostapi::net1::Net1Proxy;
use hostapi::net1::NetworkNamespace;
use hostapi::net1::ServeError;
use hostapi::net1::State;
use hostapi::net1::Status;
use model::names::HostName;
use model::network::app_policy::AppPolicy;
use model::network::attachment::Attachment;
use model::network::endpoint::Endpoint;
use model::network::explanation::Answer;
use model::network::explanation::Explanation;
use model::network::explanation::Rule;
use model::network::names::AppKey;
use model::network::report::NetworkReport;
use model::network::settings::NetworkSettings;
use std::fs::File;
use std::io::Read;
use std::io::Seek;
use std::io::Write;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;
use tokio::net::UnixListener;
use tokio::net::UnixStream;
use tokio::sync::watch;
use tokio::task::JoinHandle;

const DEADLINE: Duration = Duration::from_secs(60);

struct FakeNetd {
    status: watch::Sender<Arc<Status>>,
    renewals: Mutex<u32>,
    rules: Mutex<Vec<Rule>>,
    /// What was asked, in words.
    asked: Mutex<Vec<String>>,
}

impl FakeNetd {
    fn new() -> Arc<Self> {
        let link = Link {
            name: "eth0".to_owned(),
            mac: "52:54:00:12:34:56".to_owned(),
            state: "up".to_owned(),
            addresses: vec!["10.0.2.15/24".to_owned(), "fec0::5054:ff:fe12:3456/64".to_owned()],
            gateway: "10.0.2.2".to_owned(),
            lease_expires_unix: 86_400,
        };
        let status = Status { links: vec![link], host_name: "hearth".to_owned(), ..Status::default() };
        Arc::new(Self {
            status: watch::Sender::new(Arc::new(status)),
            renewals: Mutex::new(0),
            rules: Mutex::default(),
            asked: Mutex::default(),
        })
    }

    fn note(&self, words: String) {
        self.asked.lock().unwrap().push(words);
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    fn change(&self, edit: impl FnOnce(&mut Status)) {
        self.status.send_modify(|status| edit(Arc::make_mut(status)));
    }
}

impl Net1Backend for FakeNetd {
    fn status(&self) -> watch::Receiver<Arc<Status>> {
        self.status.subscribe()
    }

    async fn set_host_name(&self, name: HostName) -> Result<(), Net1Error> {
        self.change(|status| name.as_str().clone_into(&mut status.host_name));
        Ok(())
    }

    async fn renew_leases(&self) -> Result<(), Net1Error> {
        *self.renewals.lock().unwrap() += 1;
        Ok(())
    }

    async fn report(&self) -> Result<NetworkReport, Net1Error> {
        let mut report = NetworkReport { trial_seconds_left: Some(7), ..NetworkReport::default() };
        report.firewall.rules.clone_from(&self.rules.lock().unwrap());
        Ok(report)
    }

    async fn set_settings(
        &self,
        settings: NetworkSettings,
        trial: Option<Duration>,
    ) -> Result<(), Net1Error> {
        self.note(format!("settings for {trial:?}"));
        self.change(|status| status.settings = settings);
        Ok(())
    }

    async fn confirm_settings(&self) -> Result<(), Net1Error> {
        Err(Net1Error::NothingOnTrial("all settings are confirmed".to_owned()))
    }

    async fn set_app_policy(&self, policy: AppPolicy) -> Result<(), Net1Error> {
        self.change(|status| status.app_policy = policy);
        Ok(())
    }

    async fn attach_app(&self, app: AppKey, namespace: NetworkNamespace) -> Result<Attachment, Net1Error> {
        let mut given = String::new();
        File::from(namespace.namespace).read_to_string(&mut given).unwrap();
        File::from(namespace.route_socket).read_to_string(&mut given).unwrap();
        self.note(format!("attach {app}: {given}"));
        Ok(attachment())
    }

    async fn detach_app(&self, app: AppKey) -> Result<(), Net1Error> {
        self.note(format!("detach {app}"));
        Ok(())
    }

    async fn explain(&self, from: Endpoint, to: Endpoint) -> Result<Explanation, Net1Error> {
        let otherwise = Rule {
            name: "apart".to_owned(),
            words: "apps are apart".to_owned(),
            allows: false,
            packets: 1,
            bytes: 60,
        };
        Ok(Explanation { from, to, answer: Answer::No, words: "no".to_owned(), rules: vec![], otherwise })
    }

    async fn set_dns_certificate(&self, certificate: DnsCertificate) -> Result<(), Net1Error> {
        self.note(format!("certificate {certificate:?}"));
        Ok(())
    }

    async fn answer_dns(&self, message: Vec<u8>, client: IpAddr) -> Result<Vec<u8>, Net1Error> {
        self.note(format!("question of {client}"));
        Ok(message)
    }
}

fn attachment() -> Attachment {
    Attachment {
        ipv4: [198, 18, 1, 2].into(),
        ipv6: "fd00::2".parse().unwrap(),
        gateway4: [198, 18, 0, 1].into(),
        gateway6: "fd00::1".parse().unwrap(),
        link: "eth0".to_owned(),
        resolv_conf: "nameserver 198.18.0.1\n".to_owned(),
        hosts: String::new(),
    }
}

/// An open file with this text.
fn descriptor(text: &str) -> zbus::OwnedFd {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file.rewind().unwrap();
    std::os::fd::OwnedFd::from(file).into()
}

type Served = JoinHandle<Result<(), ServeError>>;

async fn proxy_to(netd: &Arc<FakeNetd>) -> (Net1Proxy<'static>, Served) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let own_uid = ours.peer_cred().unwrap().uid();
    let netd = Arc::clone(netd);
    let served = tokio::spawn(async move { net1::serve(theirs, netd, &AllowedUids::new([own_uid])).await });
    (net1::open(ours).await.unwrap(), served)
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future).await.expect("nothing happened before the deadline")
}

#[tokio::test]
async fn properties_show_the_status_of_the_backend() {
    let netd = FakeNetd::new();
    let (proxy, _served) = proxy_to(&netd).await;
    assert_eq!(proxy.links().await.unwrap(), netd.status.borrow().links);
    assert_eq!(proxy.host_name().await.unwrap(), "hearth");
    assert_eq!(proxy.state().await.unwrap(), "ready");
    assert_eq!(proxy.reasons().await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn a_change_is_signalled_and_then_read() {
    let netd = FakeNetd::new();
    let (proxy, _served) = proxy_to(&netd).await;
    let mut states = proxy.receive_state_changed().await;
    assert_eq!(within(states.next()).await.unwrap().get().await.unwrap(), "ready");
    netd.change(|status| {
        status.state = State::Degraded;
        status.reasons = vec!["eth0 has no carrier".to_owned()];
    });
    assert_eq!(within(states.next()).await.unwrap().get().await.unwrap(), "degraded");
    let mut reasons = proxy.receive_reasons_changed().await;
    loop {
        let now = within(reasons.next()).await.unwrap().get().await.unwrap();
        if now == ["eth0 has no carrier"] {
            break;
        }
    }
}

#[tokio::test]
async fn a_good_host_name_reaches_the_backend() {
    let netd = FakeNetd::new();
    let (proxy, _served) = proxy_to(&netd).await;
    proxy.set_host_name("attic").await.unwrap();
    assert_eq!(netd.status.borrow().host_name, "attic");
}

#[tokio::test]
async fn a_bad_host_name_is_refused_by_the_glue() {
    let netd = FakeNetd::new();
    let (proxy, _served) = proxy_to(&netd).await;
    for bad in ["", "Attic", "a.b", "-a", &"a".repeat(64)] {
        let error = proxy.set_host_name(bad).await.unwrap_err();
        assert!(matches!(error, Net1Error::InvalidHostName(_)), "{bad}: {error:?}");
    }
    assert_eq!(netd.status.borrow().host_name, "hearth");
}

#[tokio::test]
async fn renewing_reaches_the_backend() {
    let netd = FakeNetd::new();
    let (proxy, _served) = proxy_to(&netd).await;
    proxy.renew_leases().await.unwrap();
    assert_eq!(*netd.renewals.lock().unwrap(), 1);
}

#[tokio::test]
async fn documents_reach_the_backend_only_when_they_are_understood() {
    let netd = FakeNetd::new();
    let (proxy, _served) = proxy_to(&netd).await;
    for (trial, fine) in [(0, true), (9, false), (10, true), (600, true), (601, false)] {
        assert_eq!(proxy.set_settings(r#"{"version":1}"#, trial).await.is_ok(), fine, "{trial}");
    }
    assert_eq!(netd.asked(), ["settings for None", "settings for Some(10s)", "settings for Some(600s)"]);
    let long = format!(r#"{{"version":1{}}}"#, " ".repeat(1 << 20));
    for bad in ["", "{}", r#"{"version":2}"#, r#"{"version":1,"x":1}"#, &long] {
        let error = proxy.set_settings(bad, 0).await.unwrap_err();
        assert!(matches!(error, Net1Error::InvalidDocument(_)), "{error:?}");
    }
    let policy = r#"{"version":1,"workspaces":{"ann":{"apps":{"x":{"grants":[],"serves":[]}}}}}"#;
    proxy.set_app_policy(policy).await.unwrap();
    assert_eq!(proxy.app_policy().await.unwrap(), policy);
    let stray = r#"{"version":1,"workspaces":{"a":{"apps":{"x":{"grants":[{"to":"app","app":"y","port":"tcp/1"}]}}}}}"#;
    let error = proxy.set_app_policy(stray).await.unwrap_err();
    assert!(
        matches!(&error, Net1Error::InvalidDocument(words) if words.contains("x has a link to y")),
        "{error:?}"
    );
    assert_eq!(proxy.app_policy().await.unwrap(), policy, "what was in force stays");
}

#[tokio::test]
async fn an_app_is_attached_with_the_descriptors_that_were_sent() {
    let netd = FakeNetd::new();
    let (proxy, _served) = proxy_to(&netd).await;
    let answer = proxy.attach_app("notes", descriptor("one "), descriptor("two")).await.unwrap();
    assert_eq!(net1::read_answer::<Attachment>(&answer).unwrap(), attachment());
    proxy.detach_app("notes").await.unwrap();
    assert!(matches!(proxy.detach_app("No Key").await, Err(Net1Error::UnknownApp(_))));
    assert_eq!(netd.asked(), ["attach notes: one two", "detach notes"]);
}

#[tokio::test]
async fn questions_are_answered_as_documents() {
    let netd = FakeNetd::new();
    let (proxy, _served) = proxy_to(&netd).await;
    let report: NetworkReport = net1::read_answer(&proxy.report().await.unwrap()).unwrap();
    assert_eq!(report.trial_seconds_left, Some(7));
    let answer: Explanation = net1::read_answer(&proxy.explain("app:a", "box tcp/1").await.unwrap()).unwrap();
    assert_eq!((answer.to.to_string().as_str(), answer.answer), ("box tcp/1", Answer::No));
    assert!(matches!(proxy.explain("app:a", "nowhere").await, Err(Net1Error::InvalidDocument(_))));
    assert!(matches!(proxy.confirm_settings().await, Err(Net1Error::NothingOnTrial(_))));
    assert_eq!(proxy.answer_dns(vec![1, 2], "192.0.2.1").await.unwrap(), [1, 2]);
    proxy.answer_dns(vec![1], "somebody").await.unwrap_err();
    proxy.set_dns_certificate("chain".to_owned(), "secret".to_owned()).await.unwrap();
    let asked = netd.asked().join("\n");
    assert!(asked.contains("chain") && !asked.contains("secret"), "a key is never shown: {asked}");
}

#[tokio::test]
async fn a_report_on_very_many_rules_arrives_whole() {
    let netd = FakeNetd::new();
    let rule = Rule {
        name: "app notes to app db tcp/5432".to_owned(),
        words: "notes may reach db at tcp/5432".to_owned(),
        allows: true,
        packets: u64::MAX,
        bytes: u64::MAX,
    };
    *netd.rules.lock().unwrap() = vec![rule; 80_000];
    let (proxy, _served) = proxy_to(&netd).await;
    let text = proxy.report().await.unwrap();
    assert!(text.len() > 12_000_000, "{}", text.len());
    assert_eq!(net1::read_answer::<NetworkReport>(&text).unwrap().firewall.rules.len(), 80_000);
}

#[tokio::test]
async fn a_caller_that_is_not_on_the_list_is_refused_before_the_handshake() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let own_uid = ours.peer_cred().unwrap().uid();
    let nobody_else = AllowedUids::new([own_uid + 1]);
    let netd = FakeNetd::new();
    let served = tokio::spawn(async move { net1::serve(theirs, netd, &nobody_else).await });
    let refused = within(served).await.unwrap().unwrap_err();
    assert!(matches!(refused, ServeError::CallerRefused { uid, .. } if uid == own_uid), "{refused:?}");
    let error = net1::open(ours).await.unwrap_err();
    assert!(matches!(error, net1::ConnectError::Bus { .. }), "{error:?}");
}

#[tokio::test]
async fn only_root_and_hostd_may_call_unless_told_otherwise() {
    assert_eq!(AllowedUids::default(), AllowedUids::new([0, 902]));
}

#[tokio::test]
async fn serving_ends_when_the_peer_goes() {
    let netd = FakeNetd::new();
    let (proxy, served) = proxy_to(&netd).await;
    proxy.inner().connection().clone().close().await.unwrap();
    drop(proxy);
    within(served).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_path_is_connected_to_and_an_absent_one_is_named_in_the_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bus.sock");
    let absent = net1::connect(&path).await.unwrap_err();
    assert!(format!("{absent}").contains("bus.sock"), "{absent}");
    let listener = UnixListener::bind(&path).unwrap();
    let netd = FakeNetd::new();
    let server = tokio::spawn(async move {
        let (stream, _peer) = listener.accept().await.unwrap();
        let own_uid = stream.peer_cred().unwrap().uid();
        net1::serve(stream, netd, &AllowedUids::new([own_uid])).await
    });
    assert_eq!(net1::connect(&path).await.unwrap().host_name().await.unwrap(), "hearth");
    server.abort();
}

/// Every change of the interface shows in review; write the new text with `HEARTH_BLESS=1`.
#[tokio::test]
async fn the_interface_is_the_one_in_the_checked_in_xml() {
    let netd = FakeNetd::new();
    let (proxy, _served) = proxy_to(&netd).await;
    let introspectable = zbus::fdo::IntrospectableProxy::builder(proxy.inner().connection())
        .destination("org.hearthos.Net1")
        .path(net1::PATH)
        .build()
        .await
        .unwrap();
    let xml = introspectable.introspect().await.unwrap();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("xml/org.hearthos.Net1.xml");
    if std::env::var_os("HEARTH_BLESS").is_some() {
        std::fs::write(&file, &xml).unwrap();
    }
    let checked_in = std::fs::read_to_string(&file).unwrap();
    assert_eq!(
        xml, checked_in,
        "the interface changed: run this test with HEARTH_BLESS=1 and review the difference"
    );
}
