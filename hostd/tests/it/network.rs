//! hostd and netd: the name goes one way, links and addresses the other.

use crate::harness::Client;
use crate::harness::claim_code;
use crate::harness::settings;
use crate::harness::setup_body;
use crate::harness::wait_until;
use hostapi::net1::AllowedUids;
use hostapi::net1::Link;
use hostapi::net1::Net1Backend;
use hostapi::net1::Net1Error;
use hostapi::net1::Status;
use model::names::HostName;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// A netd that announces what it is told.
struct FakeNetd {
    status: watch::Sender<Arc<Status>>,
    told: Mutex<Vec<String>>,
}

impl Net1Backend for FakeNetd {
    fn status(&self) -> watch::Receiver<Arc<Status>> {
        self.status.subscribe()
    }

    async fn set_host_name(&self, name: HostName) -> Result<(), Net1Error> {
        self.told.lock().unwrap().push(name.to_string());
        self.status.send_modify(|status| Arc::make_mut(status).host_name = name.to_string());
        Ok(())
    }

    async fn renew_leases(&self) -> Result<(), Net1Error> {
        Ok(())
    }
}

impl FakeNetd {
    /// Serves until the set of tasks is dropped.
    fn serve(path: &Path) -> (Arc<Self>, JoinSet<()>) {
        let netd = Arc::new(Self { status: watch::Sender::default(), told: Mutex::default() });
        let listener = UnixListener::bind(path).unwrap();
        let backend = Arc::clone(&netd);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut streams = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let backend = Arc::clone(&backend);
                streams.spawn(async move {
                    let me = AllowedUids::new([rustix::process::getuid().as_raw()]);
                    hostapi::net1::serve(stream, backend, &me).await
                });
            }
        });
        (netd, tasks)
    }

    fn told(&self) -> Vec<String> {
        self.told.lock().unwrap().clone()
    }
}

#[tokio::test]
async fn netd_learns_the_name_and_the_certificate_follows_the_addresses() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let (netd, _tasks) = FakeNetd::serve(&settings.net_socket);
    let running = hostd::start(settings).await.unwrap();
    let client = Client::of(&running);
    wait_until("netd knows the default name", async || netd.told() == ["hearth"]).await;

    let mut early = client.connect("hearth.local").await.unwrap();
    client.connect("127.0.0.1").await.unwrap_err();
    let link = Link { name: "eth0".to_owned(), addresses: vec!["127.0.0.1/8".to_owned()], ..Link::default() };
    netd.status.send_modify(|status| Arc::make_mut(status).links = vec![link]);
    wait_until("the certificate has the address", async || client.connect("127.0.0.1").await.is_ok()).await;

    let body = setup_body(&claim_code(&running.app));
    let request = format!(
        "POST /api/v1/setup HTTP/1.1\r\nhost: hearth.local\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let done = client.exchange("127.0.0.1", request.as_bytes()).await;
    assert_eq!(done.status, 201);
    wait_until("netd knows the chosen name", async || netd.told() == ["hearth", "oak"]).await;
    wait_until("the certificate has the name", async || client.connect("oak.local").await.is_ok()).await;

    let ask = b"GET /api/v1/status HTTP/1.1\r\nhost: hearth.local\r\nconnection: close\r\n\r\n";
    early.write_all(ask).await.unwrap();
    let answer = crate::harness::read_answer(&mut early).await;
    assert_eq!(answer.json()["hostname"], "oak", "a connection from before the exchange still works");
}

#[tokio::test]
async fn a_restarted_netd_is_told_again_and_a_taken_name_shows_its_replacement() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let socket = settings.net_socket.clone();
    let (netd, tasks) = FakeNetd::serve(&socket);
    let running = hostd::start(settings).await.unwrap();
    wait_until("netd knows the name", async || netd.told() == ["hearth"]).await;
    drop(tasks);
    std::fs::remove_file(&socket).unwrap();

    let (again, _tasks) = FakeNetd::serve(&socket);
    wait_until("the restarted netd knows the name", async || again.told() == ["hearth"]).await;
    again.status.send_modify(|status| Arc::make_mut(status).host_name = "hearth-2".to_owned());
    wait_until("the replacement shows", async || running.app.summary().host_name.as_str() == "hearth-2")
        .await;
    assert!(running.app.summary().url.starts_with("https://hearth-2.local"));
}
