//! The encrypted data: what the owner sees of it, new keys, and unlocking by whoever has the paper.

use crate::harness::Answer;
use crate::harness::PASSWORD;
use crate::harness::Router;
use crate::harness::settings_without_storaged;
use crate::harness::wait_until;
use crate::schema::faults;
use hostd::accounts::Storage;
use hostd::host::fake::FakeHost;
use hostd::storage::acceptance;
use hostd::storaged::fake::FakeStoraged;
use hostd::storaged::fake::ITS_END;
use hostd::storaged::fake::RECOVERY_KEY;
use hostd::storaged::fake::TYPED_TOO_OFTEN;
use model::control::ControlRequest;
use model::report::BootReport;
use model::report::DataReport;
use model::storage::KeyKind;
use model::storage::health::DiskHealth;
use model::storage::health::DiskKind;
use model::storage::health::FileSystemHealth;
use model::storage::health::Finding;
use model::storage::health::FindingKind;
use model::storage::health::HealthReport;
use model::storage::health::TrimReport;
use model::storage::health::Trimmed;
use model::storage::health::Written;
use serde_json::Value;
use serde_json::json;
use std::sync::Arc;
use store::MemoryStore;
use store::Rollback;
use tokio::task::JoinSet;

/// A box with an owner, and its storaged.
struct Home {
    router: Router,
    cookie: String,
    storaged: Arc<FakeStoraged>,
    tasks: JoinSet<()>,
}

impl Home {
    async fn new() -> Self {
        let (router, cookie) = Router::set_up().await;
        let storaged = Arc::new(FakeStoraged::default());
        let tasks = router.attach_storaged(&storaged).await;
        Self { router, cookie, storaged, tasks }
    }

    async fn get(&self) -> Answer {
        self.router.get("/api/v1/storage", &[("cookie", &self.cookie)]).await
    }

    async fn post(&self, path: &str, body: &Value) -> Answer {
        let path = format!("/api/v1/storage{path}");
        self.router.post(&path, &body.to_string(), &[("cookie", &self.cookie)]).await
    }

    async fn reasons(&self) -> Vec<String> {
        let status = self.router.get("/api/v1/status", &[]).await.json();
        assert_eq!(status["state"], "ready");
        serde_json::from_value(status["reasons"].clone()).unwrap()
    }
}

/// A box whose data is locked: it knows neither its owner nor its name.
fn locked_router() -> Router {
    let reasons = vec!["this key was sealed by another TPM".to_owned()];
    let data = DataReport::Locked { device: "/dev/vda2".to_owned(), reasons, takes: vec![KeyKind::Recovery] };
    let host = FakeHost { boot: Some(BootReport { data, ..BootReport::default() }), ..FakeHost::default() };
    let storage = Storage::Unavailable { reason: "no folder".to_owned() };
    Router::with(storage, Arc::new(MemoryStore::new()), host)
}

fn password() -> Value {
    json!({"password": PASSWORD})
}

fn refused(status: u16, code: &str) -> (u16, String, Option<String>) {
    (status, code.to_owned(), None)
}

#[tokio::test]
async fn a_recovery_key_is_told_once_and_counts_when_its_end_was_typed_back() {
    let home = Home::new().await;
    assert_eq!(faults(&home.get().await.json(), "StorageReport"), Vec::<String>::new());
    assert!(home.reasons().await.iter().any(|reason| reason.contains("nobody has a recovery key")));

    let made = home.post("/recovery-key", &password()).await;
    assert_eq!((made.status, made.json()), (200, json!({"recovery_key": RECOVERY_KEY})));
    assert_eq!(made.header("cache-control"), Some("no-store"));
    assert_eq!(home.get().await.json()["is_waiting_for_confirmation"], true);
    let wrong = home.post("/recovery-key/confirm", &json!({"end": "AAAA-BBBB"})).await;
    assert_eq!(wrong.error(), refused(403, "not_its_end"));
    assert!(!home.reasons().await.is_empty());

    assert_eq!(home.post("/recovery-key/confirm", &json!({"end": ITS_END})).await.status, 204);
    let report = home.get().await.json();
    assert_eq!(report["keys"][1], json!({"kind": "recovery", "is_confirmed": true}));
    assert!(home.reasons().await.is_empty(), "the reminder stays");
    let again = home.post("/recovery-key/confirm", &json!({"end": ITS_END})).await;
    assert_eq!(again.error(), refused(409, "nothing_to_confirm"));
}

#[tokio::test]
async fn keys_ask_for_the_password_once_more() {
    let home = Home::new().await;
    for path in ["/recovery-key", "/seal"] {
        let wrong = home.post(path, &json!({"password": "wrong password"})).await;
        assert_eq!(wrong.error(), refused(403, "wrong_password"), "{path}");
        let missing = home.post(path, &json!({})).await;
        assert_eq!(missing.error(), (422, "invalid_field".to_owned(), Some("password".to_owned())), "{path}");
    }
    assert_eq!(home.get().await.json()["is_waiting_for_confirmation"], false);
    assert_eq!(home.storaged.seals(), 0);
    assert_eq!(home.post("/seal", &password()).await.status, 204);
    assert_eq!(home.storaged.seals(), 1);
}

#[tokio::test]
async fn wrong_passwords_for_keys_count_as_at_login() {
    let home = Home::new().await;
    for _ in 0..5 {
        assert_eq!(home.post("/seal", &json!({"password": "wrong password"})).await.status, 403);
    }
    let limited = home.post("/seal", &password()).await;
    assert_eq!(limited.error(), refused(429, "too_many_tries"));
    assert_eq!(limited.header("retry-after"), Some("30"));
    assert_eq!(home.storaged.seals(), 0);
}

#[tokio::test]
async fn a_refusal_of_storaged_says_why() {
    let home = Home::new().await;
    home.storaged.lose_chip();
    let answer = home.post("/seal", &password()).await;
    assert_eq!(answer.error(), refused(409, "keys_refused"));
    assert!(answer.json()["error"]["message"].as_str().unwrap().contains("there is no TPM"));
}

#[tokio::test]
async fn open_data_cannot_be_unlocked_by_anybody() {
    let home = Home::new().await;
    for cookie in ["", home.cookie.as_str()] {
        let body = json!({"key": RECOVERY_KEY}).to_string();
        let answer = home.router.post("/api/v1/storage/unlock", &body, &[("cookie", cookie)]).await;
        assert_eq!(answer.error(), refused(409, "not_locked"));
    }
}

#[tokio::test]
async fn locked_data_is_opened_by_whoever_has_the_paper() {
    let router = locked_router();
    let storaged = Arc::new(FakeStoraged::locked());
    let _tasks = router.attach_storaged(&storaged).await;
    let status = router.get("/api/v1/status", &[]).await.json();
    assert_eq!((&status["state"], &status["takes"]), (&json!("locked"), &json!(["recovery"])));
    assert_eq!(router.get("/api/v1/storage", &[]).await.status, 401);

    let unlock = async |key: &str, headers: &[(&str, &str)]| {
        router.post("/api/v1/storage/unlock", &json!({"key": key}).to_string(), headers).await
    };
    let foreign = unlock(RECOVERY_KEY, &[("origin", "https://evil.example")]).await;
    assert_eq!(foreign.error(), refused(403, "foreign_origin"));
    assert_eq!(unlock("wrong", &[]).await.error(), refused(403, "wrong_key"));
    assert_eq!(unlock(&"x".repeat(600), &[]).await.error(), refused(403, "wrong_key"));
    let limited = unlock(TYPED_TOO_OFTEN, &[]).await;
    assert_eq!(limited.error(), refused(429, "too_many_tries"));
    assert_eq!(limited.header("retry-after"), Some("30"));
    assert!(!storaged.is_open());

    assert_eq!(unlock(RECOVERY_KEY, &[]).await.status, 202);
    assert!(storaged.is_open());
    assert_eq!(unlock(RECOVERY_KEY, &[]).await.error(), refused(409, "not_locked"));
}

#[tokio::test]
async fn without_storaged_nothing_is_told_and_nothing_done() {
    let mut home = Home::new().await;
    home.storaged.stop();
    assert_eq!(home.post("/recovery-key", &password()).await.error(), refused(503, "keys_unavailable"));
    home.tasks.shutdown().await;
    let (router, cookie) = (&home.router, [("cookie", home.cookie.as_str())]);
    let locked = locked_router();
    let body = json!({"key": RECOVERY_KEY}).to_string();
    for answer in [
        Router::get(router, "/api/v1/storage", &cookie).await,
        locked.post("/api/v1/storage/unlock", &body, &[]).await,
    ] {
        assert_eq!(answer.error(), refused(503, "keys_unavailable"));
        assert_eq!(answer.header("retry-after"), Some("5"));
    }
}

#[tokio::test]
async fn a_storaged_that_starts_anew_is_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = settings_without_storaged(folder.path());
    settings.storage_patience = std::time::Duration::ZERO;
    let socket = settings.storage_socket.clone();
    let running = hostd::start(settings).await.unwrap();
    let is_there = async || running.app.storaged.report().await.is_ok();
    assert!(!is_there().await);

    let mut first = Arc::new(FakeStoraged::default()).serve(&socket).unwrap();
    wait_until("hostd reaches storaged", is_there).await;
    first.shutdown().await;
    std::fs::remove_file(&socket).unwrap();
    wait_until("hostd notices that storaged is gone", async || !is_there().await).await;

    let locked = Arc::new(FakeStoraged::locked());
    let _second = locked.serve(&socket).unwrap();
    wait_until("hostd reaches the next storaged", is_there).await;
    let report = running.app.storaged.report().await.unwrap();
    assert_eq!(report.keys.len(), 1, "what the first one told is forgotten");
    assert_eq!(report.keys[0].kind, KeyKind::Recovery);
    running.stop().await;
}

#[tokio::test]
async fn how_the_disk_is_is_told_and_what_is_grave_degrades_the_box() {
    let home = Home::new().await;
    assert_eq!(home.router.get("/api/v1/storage/health", &[]).await.status, 401);
    home.storaged.set_health(health());
    let told = home.router.get("/api/v1/storage/health", &[("cookie", &home.cookie)]).await;
    assert_eq!(told.status, 200);
    assert_eq!(faults(&told.json(), "HealthReport"), Vec::<String>::new());
    assert_eq!(told.json()["disk"]["kind"], "nvme");
    let status = home.router.get("/api/v1/status", &[]).await.json();
    assert_eq!(status["state"], "degraded");
    assert!(status["reasons"].as_array().unwrap().contains(&json!("the disk is full")), "{status}");
    home.storaged.set_health(HealthReport::default());
    home.router.get("/api/v1/storage/health", &[("cookie", &home.cookie)]).await;
    assert_eq!(home.router.get("/api/v1/status", &[]).await.json()["state"], "ready");
}

/// Every member is there.
fn health() -> HealthReport {
    let written = Written {
        since_boot_bytes: 1,
        uptime_seconds: 2,
        per_day_bytes: Some(3),
        budget_per_day_bytes: 4,
        ever_bytes: Some(5),
    };
    let disk = DiskHealth {
        name: "nvme0n1".to_owned(),
        model: "Example".to_owned(),
        kind: DiskKind::Nvme,
        size_bytes: 1 << 40,
        is_failing: Some(false),
        life_used_percent: Some(7),
        spare_percent: Some(100),
        temperature_celsius: Some(42),
        power_on_hours: Some(17_288),
        replaced_sectors: Some(0),
        unreadable: Some(0),
        written,
        silent: Some("why".to_owned()),
    };
    let file_system = FileSystemHealth {
        total_bytes: 1 << 39,
        available_bytes: 0,
        used_percent: 100,
        is_read_only: false,
        errors: 0,
    };
    let words = "the disk is full".to_owned();
    HealthReport {
        disk: Some(disk),
        file_system: Some(file_system),
        trim: TrimReport {
            last: Some(Trimmed { seconds_ago: 1, bytes: 2 }),
            problem: Some("why".to_owned()),
        },
        findings: vec![Finding { kind: FindingKind::Full, is_grave: true, words }],
    }
}

#[tokio::test]
async fn the_system_key_is_changed_by_the_owner_with_the_password() {
    let home = Home::new().await;
    let rotate = async |what: &str, password: &str| {
        home.post("/rotate", &json!({"what": what, "password": password})).await
    };
    assert_eq!(rotate("system", "wrong password").await.error(), refused(403, "wrong_password"));
    assert_eq!(rotate("everything", PASSWORD).await.error().0, 422);
    assert_eq!(home.storaged.rotations(), 0);
    assert_eq!(rotate("system", PASSWORD).await.status, 204);
    assert_eq!(home.storaged.rotations(), 1);
    let body = json!({"what": "system", "password": PASSWORD}).to_string();
    assert_eq!(home.router.post("/api/v1/storage/rotate", &body, &[]).await.status, 401);
}

#[tokio::test]
async fn a_box_without_a_chip_is_made_to_ask_for_a_passphrase() {
    let home = Home::new().await;
    let set = async |passphrase: &str, password: &str| {
        home.post("/passphrase", &json!({"passphrase": passphrase, "password": password})).await
    };
    assert_eq!(set("nine warm stones", PASSWORD).await.error(), refused(409, "keys_refused"));
    home.storaged.lose_chip();
    assert_eq!(set("nine warm stones", "wrong password").await.error(), refused(403, "wrong_password"));
    assert_eq!(set("short", PASSWORD).await.error(), refused(409, "keys_refused"));
    assert_eq!(set("nine warm stones", PASSWORD).await.status, 204);
    let keys = home.get().await.json()["keys"].clone();
    assert_eq!(keys, json!([{"kind": "passphrase", "is_confirmed": true}]));
    let body = json!({"passphrase": "nine warm stones", "password": PASSWORD}).to_string();
    assert_eq!(home.router.post("/api/v1/storage/passphrase", &body, &[]).await.status, 401);
}

#[tokio::test]
async fn the_volume_key_is_changed_with_password_and_recovery_key_and_its_progress_is_told_anew() {
    let home = Home::new().await;
    let rotate = async |what: &str, password: &str, key: &str| {
        home.post("/rotate", &json!({"what": what, "password": password, "recovery_key": key})).await
    };
    assert_eq!(rotate("data", "wrong password", RECOVERY_KEY).await.error(), refused(403, "wrong_password"));
    assert_eq!(rotate("data", PASSWORD, "0000").await.error(), refused(403, "wrong_key"));
    assert_eq!(rotate("data", PASSWORD, TYPED_TOO_OFTEN).await.error(), refused(429, "too_many_tries"));
    let wrong_field = (422, "invalid_field".to_owned(), Some("recovery_key".to_owned()));
    assert_eq!(rotate("system", PASSWORD, RECOVERY_KEY).await.error(), wrong_field);
    let without = home.post("/rotate", &json!({"what": "data", "password": PASSWORD})).await;
    assert_eq!(without.error(), wrong_field);
    assert_eq!(home.get().await.json()["rotation"], json!(null));
    assert_eq!(rotate("data", PASSWORD, RECOVERY_KEY).await.status, 202);
    for percent in [0, 41] {
        home.storaged.set_rotation(Some(percent));
        assert_eq!(home.get().await.json()["rotation"], json!({"percent": percent, "problem": null}));
    }
    home.storaged.set_rotation(None);
    assert_eq!(home.get().await.json()["rotation"], json!(null));
}

#[tokio::test]
async fn an_older_copy_is_accepted_by_whoever_has_the_paper_and_has_seen_it() {
    let folder = tempfile::tempdir().unwrap();
    let storage = Storage::Unavailable { reason: "an older copy".to_owned() };
    let mut router = Router::with(storage, Arc::new(MemoryStore::new()), FakeHost::default());
    let found = Rollback { store: Some(3), anchor: 9 };
    let app = Arc::get_mut(&mut router.app).unwrap();
    (app.rollback, app.run) = (Some(found), folder.path().to_owned());
    let _tasks = router.attach_storaged(&Arc::new(FakeStoraged::default())).await;
    let status = router.get("/api/v1/status", &[]).await.json();
    assert_eq!(faults(&status, "Status"), Vec::<String>::new());
    let shown = json!({"store": 3, "last": 9});
    assert_eq!((&status["state"], &status["rollback"]), (&json!("degraded"), &shown));

    let path = "/api/v1/storage/rollback/confirm";
    let confirm = async |key: &str, rollback: &Value| {
        router.post(path, &json!({"key": key, "rollback": rollback}).to_string(), &[]).await
    };
    for other in [json!({"store": 3, "last": 8}), json!({"store": null, "last": 9})] {
        assert_eq!(confirm(RECOVERY_KEY, &other).await.error(), refused(409, "no_such_rollback"));
    }
    assert_eq!(confirm("wrong", &shown).await.error(), refused(403, "wrong_key"));
    assert_eq!(confirm(TYPED_TOO_OFTEN, &shown).await.error(), refused(429, "too_many_tries"));
    assert_eq!(acceptance::take(folder.path()).unwrap(), None);
    assert!(router.host.asked.lock().unwrap().is_empty());

    assert_eq!(confirm(RECOVERY_KEY, &shown).await.status, 202);
    assert_eq!(acceptance::take(folder.path()).unwrap(), Some(found));
    let asked = router.host.asked.lock().unwrap().clone();
    assert_eq!(asked, [ControlRequest::Restart { unit: "hostd".to_owned() }]);
}

#[tokio::test]
async fn a_box_without_an_older_copy_accepts_none() {
    let home = Home::new().await;
    let body = json!({"key": RECOVERY_KEY, "rollback": {"store": null, "last": 0}});
    assert_eq!(home.post("/rollback/confirm", &body).await.error(), refused(409, "no_such_rollback"));
}
