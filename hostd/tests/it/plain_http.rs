//! The port that speaks plain HTTP.

use crate::harness::Client;
use crate::harness::claim_code;
use crate::harness::plain;
use crate::harness::settings;
use crate::harness::setup_body;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

fn get(path: &str, host: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n")
}

#[tokio::test]
async fn before_set_up_there_is_a_welcome_page_and_after_it_a_redirect() {
    let folder = tempfile::tempdir().unwrap();
    let running = hostd::start(settings(folder.path())).await.unwrap();
    let port = running.https.port();

    let page = plain(running.http, &get("/", "hearth.local")).await;
    assert_eq!(page.status, 200);
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(page.header("content-security-policy").unwrap().starts_with("default-src 'none'"));
    assert!(page.header("strict-transport-security").is_none(), "browsers ignore it over HTTP, and so do we");
    let text = String::from_utf8(page.body).unwrap();
    assert!(text.contains(&running.app.authority.fingerprint()));
    assert!(text.contains(&format!("href=\"https://hearth.local:{port}/\"")));

    let done = Client::of(&running).post("/api/v1/setup", &setup_body(&claim_code(&running.app))).await;
    assert_eq!(done.status, 201);
    let redirect = plain(running.http, &get("/", "127.0.0.1:8080")).await;
    assert_eq!(redirect.status, 308);
    assert_eq!(redirect.header("location"), Some(format!("https://127.0.0.1:{port}/").as_str()));
}

#[tokio::test]
async fn redirects_keep_the_path_and_never_lead_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let running = hostd::start(settings(folder.path())).await.unwrap();
    let port = running.https.port();
    for (path, host, location) in [
        ("/home?tab=1", "hearth.local", format!("https://hearth.local:{port}/home?tab=1")),
        ("/api/v1/status", "127.0.0.1:1234", format!("https://127.0.0.1:{port}/api/v1/status")),
        ("//evil.example/", "hearth.local", format!("https://hearth.local:{port}//evil.example/")),
    ] {
        let answer = plain(running.http, &get(path, host)).await;
        assert_eq!(answer.status, 308, "{path}");
        assert_eq!(answer.header("location"), Some(location.as_str()));
    }
    let posted = "POST / HTTP/1.1\r\nhost: hearth.local\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    assert_eq!(plain(running.http, posted).await.status, 308);
    let ancient = plain(running.http, "GET /x HTTP/1.0\r\n\r\n").await;
    assert_eq!(ancient.header("location"), Some(format!("https://hearth.local:{port}/x").as_str()));
}

/// In the box's own network for set-up every name is the box: whatever a phone tries first, it finds the page.
#[tokio::test]
async fn who_looks_for_another_site_before_set_up_is_shown_the_welcome_page() {
    let folder = tempfile::tempdir().unwrap();
    let running = hostd::start(settings(folder.path())).await.unwrap();
    let port = running.https.port();
    let page = plain(running.http, &get("/", "somewhere.example")).await;
    assert_eq!(page.status, 200);
    for path in ["/generate_204", "http://somewhere.example/x", "/hotspot-detect.html"] {
        let answer = plain(running.http, &get(path, "somewhere.example")).await;
        assert_eq!((answer.status, answer.header("location")), (302, Some("http://hearth.local/")), "{path}");
    }
    let done = Client::of(&running).post("/api/v1/setup", &setup_body(&claim_code(&running.app))).await;
    assert_eq!(done.status, 201);
    let answer = plain(running.http, &get("/x", "evil.example")).await;
    let location = format!("https://oak.local:{port}/x");
    assert_eq!((answer.status, answer.header("location")), (308, Some(location.as_str())));
}

#[tokio::test]
async fn the_certificate_to_install_is_the_authority() {
    let folder = tempfile::tempdir().unwrap();
    let running = hostd::start(settings(folder.path())).await.unwrap();
    let over_http = plain(running.http, &get("/ca.crt", "hearth.local")).await;
    assert_eq!(over_http.header("content-type"), Some("application/x-x509-ca-cert"));
    assert_eq!(
        &CertificateDer::from_pem_slice(&over_http.body).unwrap(),
        running.app.authority.certificate()
    );
    let client = Client::of(&running);
    for path in ["/ca.crt", "/api/v1/ca.crt"] {
        assert_eq!(client.get(path).await.body, over_http.body, "{path}");
    }
}
