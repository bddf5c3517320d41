//! hostd and netd: the name goes one way, links and addresses the other.

use crate::harness::Client;
use crate::harness::claim_code;
use crate::harness::settings;
use crate::harness::setup_body;
use crate::harness::wait_until;
use hostapi::net1::Link;
use hostd::net::fake::FakeNetd;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::ServerName;
use rustls::pki_types::UnixTime;
use rustls::pki_types::pem::PemObject;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;

#[tokio::test]
async fn netd_learns_the_name_and_the_certificate_follows_the_addresses() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let netd = Arc::new(FakeNetd::default());
    let _tasks = netd.serve(&settings.net_socket).unwrap();
    let running = hostd::start(settings).await.unwrap();
    let client = Client::of(&running);
    wait_until("netd knows the default name", async || netd.told() == ["hearth"]).await;

    let mut early = client.connect("hearth.local").await.unwrap();
    client.connect("127.0.0.1").await.unwrap_err();
    let link = Link { name: "eth0".to_owned(), addresses: vec!["127.0.0.1/8".to_owned()], ..Link::default() };
    netd.show_links(vec![link]);
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
    let netd = Arc::new(FakeNetd::default());
    let tasks = netd.serve(&socket).unwrap();
    let running = hostd::start(settings).await.unwrap();
    wait_until("netd knows the name", async || netd.told() == ["hearth"]).await;
    drop(tasks);
    std::fs::remove_file(&socket).unwrap();

    let again = Arc::new(FakeNetd::default());
    let _tasks = again.serve(&socket).unwrap();
    wait_until("the restarted netd knows the name", async || again.told() == ["hearth"]).await;
    again.status.send_modify(|status| Arc::make_mut(status).host_name = "hearth-2".to_owned());
    wait_until("the replacement shows", async || running.app.summary().host_name.as_str() == "hearth-2")
        .await;
    assert!(running.app.summary().url.starts_with("https://hearth-2.local"));
}

/// Whether a device that trusts the household takes this chain for the name.
fn vouches(authority: &CertificateDer<'static>, chain_pem: &str, name: &str) -> bool {
    use rustls::client::WebPkiServerVerifier;
    use rustls::client::danger::ServerCertVerifier;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(authority.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
    let chain: Vec<_> =
        CertificateDer::pem_slice_iter(chain_pem.as_bytes()).collect::<Result<_, _>>().unwrap();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let now = UnixTime::since_unix_epoch(Duration::from_secs(1_800_000_000));
    verifier.verify_server_cert(&chain[0], &chain[1..], &name, &[], now).is_ok()
}

#[tokio::test]
async fn netd_gets_a_certificate_for_every_name_the_box_has() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let socket = settings.net_socket.clone();
    let netd = Arc::new(FakeNetd::default());
    let tasks = netd.serve(&socket).unwrap();
    let running = hostd::start(settings).await.unwrap();
    let authority = running.app.authority.certificate().clone();
    wait_until("netd has a certificate", async || !netd.certificates().is_empty()).await;
    assert!(vouches(&authority, &netd.certificates()[0], "hearth.local"));
    assert!(!vouches(&authority, &netd.certificates()[0], "hearth-2.local"));

    netd.status.send_modify(|status| Arc::make_mut(status).host_name = "hearth-2".to_owned());
    wait_until("netd has one for the other name", async || netd.certificates().len() == 2).await;
    let latest = netd.certificates().pop().unwrap();
    assert!(["hearth.local", "hearth-2.local"].iter().all(|name| vouches(&authority, &latest, name)));

    drop(tasks);
    std::fs::remove_file(&socket).unwrap();
    let again = Arc::new(FakeNetd::default());
    let _tasks = again.serve(&socket).unwrap();
    wait_until("a restarted netd has one", async || !again.certificates().is_empty()).await;
}

#[tokio::test]
async fn the_view_follows_netd_and_asking_ends_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let netd = FakeNetd::lively();
    let tasks = netd.serve(&settings.net_socket).unwrap();
    let running = hostd::start(settings).await.unwrap();
    let serves = || running.app.network.borrow().settings.as_ref().map(|known| known.resolver.serve_lan);
    wait_until("the settings are known", async || serves() == Some(false)).await;
    let report = running.app.netd.report().await.unwrap();
    assert_eq!(report.apps.len(), 2);

    let mut wished = netd.status.borrow().settings.clone();
    wished.resolver.serve_lan = true;
    running.app.netd.set_settings(&wished, 60).await.unwrap();
    wait_until("the change shows", async || serves() == Some(true)).await;
    netd.end_trial();
    wait_until("the change was taken back", async || serves() == Some(false)).await;

    drop(tasks);
    wait_until("netd is away", async || !running.app.netd.is_there()).await;
    assert!(matches!(running.app.netd.report().await, Err(hostd::net::AskError::Away)));
}
