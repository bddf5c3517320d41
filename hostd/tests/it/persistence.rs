//! What survives a restart, on the real store.

use crate::harness::Client;
use crate::harness::claim_code;
use crate::harness::login_body;
use crate::harness::settings;
use crate::harness::setup_body;
use crate::harness::wait_until;

#[tokio::test]
async fn owner_session_name_and_certificates_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let first = hostd::start(settings(folder.path())).await.unwrap();
    let authority = first.app.authority.certificate().clone();
    let done = Client::of(&first).post("/api/v1/setup", &setup_body(&claim_code(&first.app))).await;
    assert_eq!(done.status, 201);
    let cookie = done.cookie();
    first.stop().await;

    let second = hostd::start(settings(folder.path())).await.unwrap();
    assert_eq!(second.app.authority.certificate(), &authority);
    let client = Client::of(&second);
    let request = format!(
        "GET /api/v1/session HTTP/1.1\r\nhost: oak.local\r\nconnection: close\r\ncookie: {cookie}\r\n\r\n"
    );
    let session = client.exchange("oak.local", request.as_bytes()).await;
    assert_eq!(session.json()["user"]["name"], "anna");
    let status = client.exchange(
        "oak.local",
        b"GET /api/v1/status HTTP/1.1\r\nhost: oak.local\r\nconnection: close\r\n\r\n",
    );
    assert_eq!(status.await.json()["state"], "ready");
    let leaf = leaf_of(&client).await;
    second.stop().await;

    let third = hostd::start(settings(folder.path())).await.unwrap();
    let client = Client::of(&third);
    assert_eq!(leaf_of(&client).await, leaf, "people who accepted the certificate are not asked again");
    let login = format!(
        "POST /api/v1/session HTTP/1.1\r\nhost: oak.local\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{}",
        login_body("correct horse").len(),
        login_body("correct horse")
    );
    assert_eq!(client.exchange("oak.local", login.as_bytes()).await.status, 200);
}

async fn leaf_of(client: &Client) -> Vec<u8> {
    let stream = client.connect("oak.local").await.unwrap();
    stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

#[tokio::test]
async fn without_a_data_folder_the_page_still_answers_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = settings(folder.path());
    settings.state = folder.path().join("missing/hostd");
    let running = hostd::start(settings).await.unwrap();
    let client = Client::of(&running);
    let status = client.get("/api/v1/status").await.json();
    assert_eq!(status["state"], "degraded");
    assert!(status["reasons"][0].as_str().unwrap().contains("missing/hostd"), "{status}");
    let refused = client.post("/api/v1/setup", &setup_body("0000-0000-0000")).await;
    assert_eq!(refused.error().1, "storage_unavailable");
}

#[tokio::test]
async fn a_damaged_store_shows_as_degraded_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let first = hostd::start(settings(folder.path())).await.unwrap();
    first.stop().await;
    for entry in std::fs::read_dir(folder.path().join("state/store")).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            let mut bytes = std::fs::read(entry.path()).unwrap();
            for byte in &mut bytes {
                *byte ^= 0x5a;
            }
            std::fs::write(entry.path(), bytes).unwrap();
        }
    }
    let running = hostd::start(settings(folder.path())).await.unwrap();
    let status = Client::of(&running).get("/api/v1/status").await.json();
    assert!(!status["reasons"].as_array().unwrap().is_empty(), "{status}");
}

#[tokio::test]
async fn the_bootstrap_file_names_the_box_and_a_mistake_in_it_is_told_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.json");
    std::fs::write(&file, "{\"version\": 1, \"domain\": \"attic\"}").unwrap();
    let first = hostd::start(settings(folder.path())).await.unwrap();
    assert_eq!(first.app.summary().host_name.as_str(), "attic");
    let done = Client::of(&first);
    let request = b"GET /api/v1/status HTTP/1.1\r\nhost: attic.local\r\nconnection: close\r\n\r\n";
    let status = done.exchange("attic.local", request).await.json();
    assert_eq!((status["state"].as_str(), status["hostname"].as_str()), (Some("setup"), Some("attic")));
    first.stop().await;

    let broken = "{\n  \"version\": 1,\n  domain\n}";
    std::fs::write(&file, broken).unwrap();
    let second = hostd::start(settings(folder.path())).await.unwrap();
    let status = Client::of(&second).get("/api/v1/status").await.json();
    assert!(status["reasons"][0].as_str().unwrap().contains("line 3"), "{status}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), broken, "the file is left alone");
    let code = claim_code(&second.app);
    assert_eq!(Client::of(&second).post("/api/v1/setup", &setup_body(&code)).await.status, 201);
    assert_eq!(second.app.summary().state.as_str(), "degraded", "the owner is told");
}

#[tokio::test]
async fn what_was_decided_before_the_first_start_holds_until_the_box_has_an_owner() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    std::fs::create_dir(&state).unwrap();
    let file = state.join("preset.json");
    let preset =
        r#"{"version":1,"claim_code":"01AB-2CDE-3FGH","host_name":"attic","time_zone":"Europe/Berlin"}"#;
    std::fs::write(&file, preset).unwrap();
    for _start in 0..2 {
        let running = hostd::start(settings(folder.path())).await.unwrap();
        assert_eq!(claim_code(&running.app), "01AB-2CDE-3FGH", "the same at every start");
        assert_eq!(running.app.summary().host_name.as_str(), "attic");
        running.stop().await;
        assert!(file.exists());
    }
    let running = hostd::start(settings(folder.path())).await.unwrap();
    let body = setup_body("01ab2cde3fgh");
    let request = format!(
        "POST /api/v1/setup HTTP/1.1\r\nhost: attic.local\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let done = Client::of(&running).exchange("attic.local", request.as_bytes()).await;
    assert_eq!(done.status, 201);
    wait_until("the preset is forgotten", async || !file.exists()).await;
    running.stop().await;

    std::fs::write(&file, preset.replace("attic", "cellar")).unwrap();
    let running = hostd::start(settings(folder.path())).await.unwrap();
    assert_eq!(running.app.summary().host_name.as_str(), "oak", "the owner chose");
    assert!(running.app.accounts.ownership().borrow().claim_code.is_none());
    wait_until("a preset that came too late is forgotten", async || !file.exists()).await;
}
