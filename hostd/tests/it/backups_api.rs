//! Backups through the API: a whole server on a real store, and a folder in the place of a disk.

use crate::harness::Answer;
use crate::harness::Client;
use crate::harness::PASSWORD;
use crate::harness::Router;
use crate::harness::claim_code;
use crate::harness::settings_without_storaged;
use crate::harness::setup_body;
use crate::harness::wait_until;
use crate::schema::faults;
use hostd::Running;
use hostd::storaged::fake::FakeStoraged;
use hostd::storaged::fake::LABEL;
use hostd::vaults::directories::fake::FakeDirectories;
use serde_json::Value;
use serde_json::json;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::task::JoinSet;

/// A whole box with an owner.
pub(crate) struct Home {
    pub(crate) folder: TempDir,
    pub(crate) running: Running,
    pub(crate) storaged: Arc<FakeStoraged>,
    pub(crate) directories: Arc<FakeDirectories>,
    pub(crate) cookie: String,
    pub(crate) _served: JoinSet<()>,
}

impl Home {
    /// A box without an owner.
    pub(crate) async fn new(disk: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let storaged = Arc::new(FakeStoraged::default());
        storaged.plug_in(Some(disk.to_owned()));
        let settings = settings_without_storaged(folder.path());
        let served = storaged.serve(&settings.storage_socket).unwrap();
        let directories = Arc::new(FakeDirectories::default());
        let running = hostd::start_with(settings, directories.clone()).await.unwrap();
        wait_until("storaged is there", async || running.app.storaged.report().await.is_ok()).await;
        Self { folder, running, storaged, directories, cookie: String::new(), _served: served }
    }

    pub(crate) async fn set_up(disk: &Path) -> Self {
        let mut home = Self::new(disk).await;
        let mut body: Value = serde_json::from_str(&setup_body(&claim_code(&home.running.app))).unwrap();
        // The client asks for the box by the name that a new one has.
        body["hostname"] = json!("hearth");
        let done = home.send("POST", "/setup", &body).await;
        assert_eq!(done.status, 201, "{done:?}");
        home.cookie = done.cookie();
        home
    }

    pub(crate) async fn send(&self, method: &str, path: &str, body: &Value) -> Answer {
        let body = body.to_string();
        let request = format!(
            "{method} /api/v1{path} HTTP/1.1\r\nhost: hearth.local\r\nconnection: close\r\ncookie: {}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            self.cookie,
            body.len()
        );
        Client::of(&self.running).exchange("hearth.local", request.as_bytes()).await
    }

    /// hostd's next run, as init would start it.
    pub(crate) async fn start_anew(self) -> Self {
        self.running.stop().await;
        let settings = settings_without_storaged(self.folder.path());
        let running = hostd::start_with(settings, self.directories.clone()).await.unwrap();
        Self { running, ..self }
    }

    pub(crate) async fn view(&self) -> Value {
        let answer = self.send("GET", "/backups", &Value::Null).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let view = answer.json();
        assert_eq!(faults(&view, "BackupsView"), Vec::<String>::new());
        view
    }

    pub(crate) async fn choose_disk(&self) -> Answer {
        let settings = json!({"target": {"type": "usb_disk", "label": LABEL}});
        self.send("PUT", "/backups/settings", &settings).await
    }

    /// Begins a task and waits for its end.
    pub(crate) async fn run(&self, what: &str) -> Value {
        // The schedule may have begun one by itself.
        wait_until("the task may begin", async || {
            let begun = self.send("POST", what, &Value::Null).await;
            assert!(matches!(begun.status, 202 | 409), "{begun:?}");
            begun.status == 202
        })
        .await;
        wait_until("the task ends", async || self.view().await["running"].is_null()).await;
        self.view().await
    }

    pub(crate) async fn kit(&self) -> Value {
        let kit = self.send("POST", "/backups/kit", &json!({"password": PASSWORD})).await;
        assert_eq!(kit.status, 200, "{kit:?}");
        kit.json()
    }
}

#[tokio::test]
async fn a_backup_is_made_proved_and_told() {
    let disk = tempfile::tempdir().unwrap();
    let home = Home::set_up(disk.path()).await;
    let none = home.send("POST", "/backups/run", &Value::Null).await;
    assert_eq!(none.error().1, "no_backup_target");
    assert_eq!(home.choose_disk().await.status, 200);
    let view = home.run("/backups/run").await;
    assert_eq!(view["last_backup"]["problem"], Value::Null, "{view}");
    assert_eq!(view["last_backup"]["files"], 1);
    assert!(view["last_success"].is_u64() && view["next"].as_u64() > view["last_success"].as_u64(), "{view}");
    assert!(view["problems"][0].as_str().unwrap().contains("recovery kit"), "{view}");
    assert!(disk.path().join("config").is_file(), "no repository in restic's format");
    assert!(!home.storaged.disk_is_mounted(), "the disk cannot be pulled out");
    assert!(!home.folder.path().join("state/backups/source").exists(), "the exported store was left there");

    let view = home.run("/backups/drill").await;
    assert_eq!((&view["last_drill"]["problem"], &view["last_drill"]["files"]), (&Value::Null, &json!(1)));
    let kit = home.kit().await;
    assert!(kit["html"].as_str().unwrap().contains("<svg"));
    assert_eq!(home.view().await["problems"], json!([]));
    home.running.stop().await;
}

#[tokio::test]
async fn settings_last_and_a_failed_backup_is_told_in_the_status() {
    let disk = tempfile::tempdir().unwrap();
    let home = Home::set_up(disk.path()).await;
    home.choose_disk().await;
    home.storaged.plug_in(None);
    let view = home.run("/backups/run").await;
    let problem = view["last_backup"]["problem"].as_str().unwrap();
    assert!(problem.contains("no disk is plugged in"), "{view}");
    let status = home.send("GET", "/status", &Value::Null).await.json();
    assert_eq!(status["state"], "ready", "a disk that is away is not grave: {status}");
    assert!(status["reasons"].to_string().contains("the last backup failed"), "{status}");

    let home = home.start_anew().await;
    let view = home.view().await;
    assert_eq!(view["settings"]["target"], json!({"type": "usb_disk", "label": LABEL}));
    assert_eq!(view["last_backup"]["problem"], problem);
}

#[tokio::test]
async fn a_backup_that_is_damaged_degrades_the_box() {
    let disk = tempfile::tempdir().unwrap();
    let home = Home::set_up(disk.path()).await;
    home.choose_disk().await;
    home.run("/backups/run").await;
    flip_all_data(disk.path());
    let view = home.run("/backups/drill").await;
    assert_eq!(view["last_drill"]["shows_damage"], true, "{view}");
    let status = home.send("GET", "/status", &Value::Null).await.json();
    assert_eq!(status["state"], "degraded");
    assert!(status["reasons"][0].as_str().unwrap().contains("drill failed"), "{status}");
}

#[tokio::test]
async fn only_the_owner_with_the_password_gets_a_kit_and_unknown_places_are_refused() {
    let (router, cookie) = Router::set_up().await;
    let headers = [("cookie", cookie.as_str()), ("content-type", "application/json")];
    let wrong = router.post("/api/v1/backups/kit", r#"{"password":"not this one"}"#, &[headers[0]]).await;
    assert_eq!(wrong.error(), (403, "wrong_password".to_owned(), None));
    let sftp = r#"{"target":{"type":"sftp","host":"nas"}}"#;
    let refused = router.send("PUT", "/api/v1/backups/settings", sftp, &headers).await;
    assert_eq!(refused.error(), (422, "invalid_field".to_owned(), Some("target.type".to_owned())));
    let bucket = json!({"target": {
        "type": "s3", "endpoint": "https://s3.example.net", "bucket": "our-box", "region": "us-east-1",
        "access_key": "AK", "secret_key": "hush-hush"
    }});
    let kept = router.send("PUT", "/api/v1/backups/settings", &bucket.to_string(), &headers).await;
    assert_eq!(kept.status, 200, "{kept:?}");
    assert!(!String::from_utf8_lossy(&kept.body).contains("hush"), "a secret is told");
    for (with_access, told) in [(false, false), (true, true)] {
        let body = json!({"password": PASSWORD, "with_access": with_access}).to_string();
        let kit = router.post("/api/v1/backups/kit", &body, &[headers[0]]).await;
        assert_eq!(kit.json()["code"].as_str().unwrap().contains("hush-hush"), told);
    }
}

/// Flips a bit in every file with saved data.
pub(crate) fn flip_all_data(repository: &Path) {
    let mut flipped = 0;
    for folder in fs::read_dir(repository.join("data")).unwrap() {
        for file in fs::read_dir(folder.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            let mut bytes = fs::read(&path).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            fs::write(&path, bytes).unwrap();
            flipped += 1;
        }
    }
    assert!(flipped > 0, "there is nothing to flip");
}
