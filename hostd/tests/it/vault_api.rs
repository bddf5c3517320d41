//! The vault of a user: private files, locking, recovery codes, passwords.

use crate::harness::Answer;
use crate::harness::IDLE;
use crate::harness::PASSWORD;
use crate::harness::Router;
use crate::harness::login_body;
use crate::harness::wait_until;
use crate::schema::faults;
use serde_json::Value;
use serde_json::json;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::sync::atomic::Ordering;

const BETTER: &str = "better horse battery";

/// A box with an owner who is logged in.
struct Home {
    router: Router,
    cookie: String,
}

impl Home {
    async fn new() -> Self {
        let (router, cookie) = Router::set_up().await;
        Self { router, cookie }
    }

    async fn get(&self, path: &str) -> Answer {
        self.router.get(&format!("/api/v1/vault{path}"), &[("cookie", &self.cookie)]).await
    }

    async fn post(&self, path: &str, body: &Value) -> Answer {
        let path = format!("/api/v1{path}");
        self.router.post(&path, &body.to_string(), &[("cookie", &self.cookie)]).await
    }

    async fn put(&self, name: &str, bytes: &[u8]) -> Answer {
        let headers = [("cookie", self.cookie.as_str()), ("content-type", "application/octet-stream")];
        let path = format!("/api/v1/vault/files/{name}");
        let somebody = IpAddr::V4(Ipv4Addr::new(192, 168, 1, 5));
        self.router.send_from(somebody, "PUT", &path, bytes, &headers).await
    }

    async fn delete(&self, name: &str) -> Answer {
        let path = format!("/api/v1/vault/files/{name}");
        self.router.send("DELETE", &path, "", &[("cookie", &self.cookie)]).await
    }

    async fn state(&self) -> String {
        let vault = self.get("").await.json();
        assert_eq!(faults(&vault, "VaultView"), Vec::<String>::new());
        vault["state"].as_str().unwrap().to_owned()
    }

    async fn unlock(&self, body: &Value) -> Answer {
        self.post("/vault/unlock", body).await
    }

    /// Has a recovery code made and confirmed.
    async fn code(&self, password: &str) -> String {
        let code = self.shown_code(password).await;
        let end = &code[code.len() - 9..];
        assert_eq!(self.post("/vault/recovery-code/confirm", &json!({"end": end})).await.status, 204);
        code
    }

    async fn shown_code(&self, password: &str) -> String {
        let made = self.post("/vault/recovery-code", &json!({"password": password})).await;
        assert_eq!(made.status, 200, "{made:?}");
        made.json()["recovery_code"].as_str().unwrap().to_owned()
    }

    async fn log_in(&mut self, password: &str) -> u16 {
        let answer = self.router.post("/api/v1/session", &login_body(password), &[]).await;
        if answer.status == 200 {
            self.cookie = answer.cookie();
        }
        answer.status
    }
}

fn refused(status: u16, code: &str) -> (u16, String, Option<String>) {
    (status, code.to_owned(), None)
}

#[tokio::test]
async fn private_files_are_kept_listed_and_removed() {
    let home = Home::new().await;
    assert_eq!(home.state().await, "open");
    assert_eq!(home.put("b%20%26%20c.txt", b"second").await.status, 204);
    assert_eq!(home.put("a%2Bb", b"old").await.status, 204);
    assert_eq!(home.put("a+b", b"first").await.status, 204);
    let listed = home.get("/files").await.json();
    assert_eq!(faults(&listed, "FileList"), Vec::<String>::new());
    let names: Vec<_> = listed["files"].as_array().unwrap().iter().map(|file| file["name"].clone()).collect();
    assert_eq!(names, ["a+b", "b & c.txt"]);
    let got = home.get("/files/b%20&%20c.txt").await;
    assert_eq!((got.status, got.body.as_slice()), (200, &b"second"[..]));
    assert_eq!(got.header("content-disposition"), Some("attachment; filename*=UTF-8''b%20%26%20c.txt"));
    assert_eq!(got.header("content-type"), Some("application/octet-stream"));
    assert_eq!(home.delete("a+b").await.status, 204);
    assert_eq!(home.get("/files/a+b").await.error(), refused(404, "no_such_file"));
    assert_eq!(home.delete("a+b").await.error(), refused(404, "no_such_file"));
}

#[tokio::test]
async fn names_are_checked_and_length_is_bounded() {
    let home = Home::new().await;
    for name in ["..", "%2e%2e%2fstore.key", ".hidden", "a%2Fb", "%00", "%ff", &"x".repeat(201)] {
        assert_eq!(home.put(name, b"x").await.error().2.as_deref(), Some("name"), "{name}");
        assert_eq!(home.get(&format!("/files/{name}")).await.status, 422, "{name}");
    }
    assert_eq!(home.put("a/b", b"x").await.error(), refused(404, "not_found"));
    let most = vec![7; 16 << 20];
    assert_eq!(home.put("most", &most).await.status, 204);
    assert_eq!(home.get("/files/most").await.body.len(), most.len());
    assert_eq!(home.put("more", &[&most[..], b"x"].concat()).await.error(), refused(413, "too_large"));
    assert_eq!(home.get("/files").await.json()["files"].as_array().unwrap().len(), 1);
    let wrong_type = [("cookie", home.cookie.as_str()), ("content-type", "application/json")];
    let answer = home.router.send("PUT", "/api/v1/vault/files/a", "{}", &wrong_type).await;
    assert_eq!(answer.error(), refused(415, "unsupported_media_type"));
}

#[tokio::test]
async fn a_locked_vault_shows_nothing_until_its_password_is_typed() {
    let home = Home::new().await;
    assert_eq!(home.put("a", b"first").await.status, 204);
    assert_eq!(home.post("/vault/lock", &json!({})).await.json()["state"], "locked");
    for answer in [home.get("/files").await, home.get("/files/a").await, home.put("b", b"x").await] {
        assert_eq!(answer.error(), refused(409, "vault_locked"));
    }
    let below =
        std::fs::read_dir(home.router.folder.path().join("users")).unwrap().next().unwrap().unwrap().path();
    assert!(!below.join("1").exists(), "the directory is hidden");

    assert_eq!(home.unlock(&json!({"password": "wrong horse"})).await.error(), refused(403, "wrong_key"));
    assert_eq!(home.unlock(&json!({})).await.status, 422);
    assert_eq!(home.state().await, "locked");
    assert_eq!(home.unlock(&json!({"password": PASSWORD})).await.json()["state"], "open");
    assert_eq!(home.get("/files/a").await.body, b"first");
}

#[tokio::test]
async fn wrong_keys_are_limited_as_at_login() {
    let home = Home::new().await;
    home.post("/vault/lock", &json!({})).await;
    for _ in 0..5 {
        assert_eq!(home.unlock(&json!({"password": "wrong horse"})).await.status, 403);
    }
    let limited = home.unlock(&json!({"password": PASSWORD})).await;
    assert_eq!(limited.error(), refused(429, "too_many_tries"));
    assert!(limited.header("retry-after").is_some());
}

#[tokio::test]
async fn a_vault_is_locked_when_its_user_has_gone() {
    let mut home = Home::new().await;
    let first = home.cookie.clone();
    assert_eq!(home.log_in(PASSWORD).await, 200);
    let log_out = async |cookie: &str| {
        home.router.send("DELETE", "/api/v1/session", "", &[("cookie", cookie)]).await.status
    };
    let app = std::sync::Arc::clone(&home.router.app);
    let user = "anna".to_owned().try_into().unwrap();
    let state = async || app.vaults.summary(&user).await.unwrap().state;
    assert_eq!(log_out(&first).await, 204);
    assert_eq!(state().await, hostd::vaults::VaultState::Open, "another session lives");
    assert_eq!(log_out(&home.cookie).await, 204);
    assert_eq!(state().await, hostd::vaults::VaultState::Locked);

    assert_eq!(home.log_in(PASSWORD).await, 200);
    let watch = async || app.vaults.lock_absent(|user| app.accounts.is_present(user, IDLE)).await;
    home.router.clock.pass(IDLE.as_secs() / 2);
    watch().await;
    assert_eq!(home.state().await, "open");
    home.router.clock.pass(IDLE.as_secs());
    watch().await;
    assert_eq!(home.state().await, "locked", "the session lives, the vault does not");
}

#[tokio::test]
async fn files_in_use_are_told() {
    let home = Home::new().await;
    home.router.directories.is_busy.store(true, Ordering::Relaxed);
    assert_eq!(home.post("/vault/lock", &json!({})).await.json()["state"], "busy");
    assert_eq!(home.get("/files").await.error(), refused(409, "vault_locked"));
    home.router.directories.is_busy.store(false, Ordering::Relaxed);
    home.router.app.vaults.lock_absent(|_user| true).await;
    assert_eq!(home.state().await, "locked", "it is tried again");
}

#[tokio::test]
async fn a_code_on_paper_counts_until_the_next_one_is_on_paper_too() {
    let home = Home::new().await;
    let wrong = home.post("/vault/recovery-code", &json!({"password": "wrong horse"})).await;
    assert_eq!(wrong.error(), refused(403, "wrong_key"));
    let end = json!({"end": "0000-0000"});
    let confirm = "/vault/recovery-code/confirm";
    assert_eq!(home.post(confirm, &end).await.error(), refused(409, "nothing_to_confirm"));

    let first = home.shown_code(PASSWORD).await;
    assert_eq!(home.get("").await.json()["is_waiting_for_confirmation"], true);
    assert_eq!(home.post(confirm, &end).await.error(), refused(403, "not_its_end"));
    assert_eq!(home.post(confirm, &json!({"end": &first[first.len() - 9..]})).await.status, 204);
    assert_eq!(home.get("").await.json()["has_recovery_code"], true);

    let second = home.shown_code(PASSWORD).await;
    let opens = async |code: &str| {
        home.post("/vault/lock", &json!({})).await;
        home.unlock(&json!({"recovery_code": code})).await.status
    };
    assert_eq!(opens(&first).await, 200, "the second is not on paper yet");
    assert_eq!(opens(&second).await, 403);
    let second = home.code(PASSWORD).await;
    assert_eq!(opens(&first).await, 403);
    assert_eq!(opens(&second).await, 200);
    let slip = home.unlock(&json!({"recovery_code": "XXXX"})).await;
    assert_eq!(slip.error(), (422, "invalid_field".to_owned(), Some("recovery_code".to_owned())));
}

#[tokio::test]
async fn another_password_opens_account_and_vault_and_ends_other_sessions() {
    let mut home = Home::new().await;
    home.put("a", b"first").await;
    let other = home.router.post("/api/v1/session", &login_body(PASSWORD), &[]).await.cookie();
    let change =
        async |old: &str, new: &str| home.post("/account/password", &json!({"old": old, "new": new})).await;
    assert_eq!(change("wrong horse", BETTER).await.error(), refused(403, "wrong_password"));
    assert_eq!(change(PASSWORD, "short").await.error().2.as_deref(), Some("new"));
    assert_eq!(change(PASSWORD, BETTER).await.status, 204);
    let session = async |cookie: &str| home.router.get("/api/v1/session", &[("cookie", cookie)]).await.status;
    assert_eq!((session(&home.cookie).await, session(&other).await), (200, 401));
    home.post("/vault/lock", &json!({})).await;
    assert_eq!(home.unlock(&json!({"password": PASSWORD})).await.status, 403);
    assert_eq!(home.unlock(&json!({"password": BETTER})).await.status, 200);
    assert_eq!(home.get("/files/a").await.body, b"first");
    assert_eq!(home.log_in(PASSWORD).await, 401);
    assert_eq!(home.log_in(BETTER).await, 200);
}

#[tokio::test]
async fn a_forgotten_password_is_replaced_by_the_recovery_code_and_by_nothing_else() {
    let mut home = Home::new().await;
    home.put("a", b"first").await;
    let code = home.code(PASSWORD).await;
    let reset = async |name: &str, code: &str| {
        let body = json!({"name": name, "recovery_code": code, "new": BETTER}).to_string();
        home.router.post("/api/v1/account/reset", &body, &[]).await
    };
    let foreign = "0000-0000-0000-0000-0000-0000-0000-0000-01MV";
    assert_eq!(reset("anna", foreign).await.error(), refused(403, "wrong_key"));
    assert_eq!(reset("berta", &code).await.error(), refused(403, "wrong_key"));
    assert_eq!(home.state().await, "open");
    assert_eq!(reset("anna", &code).await.status, 204);
    assert_eq!(home.get("").await.status, 401, "all sessions end");
    assert_eq!(home.log_in(PASSWORD).await, 401);
    assert_eq!(home.log_in(BETTER).await, 200);
    assert_eq!(home.state().await, "open");
    assert_eq!(home.get("/files/a").await.body, b"first");
}

#[tokio::test]
async fn a_new_vault_is_empty_and_begun_after_a_warning_only() {
    let home = Home::new().await;
    home.put("a", b"first").await;
    let anew = async |password: &str, understood: bool| {
        home.post("/vault/new", &json!({"password": password, "understood": understood})).await
    };
    assert_eq!(anew(PASSWORD, false).await.error().2.as_deref(), Some("understood"));
    assert_eq!(anew("wrong horse", true).await.error(), refused(403, "wrong_password"));
    assert_eq!(home.get("/files/a").await.status, 200);
    assert_eq!(anew(PASSWORD, true).await.json()["state"], "open");
    assert_eq!(home.get("/files").await.json()["files"], json!([]));
    assert_eq!(
        std::fs::read_dir(home.router.folder.path().join("users")).unwrap().count(),
        2,
        "the old one is kept"
    );
}

#[tokio::test]
async fn a_vault_gets_another_key_while_the_box_is_used() {
    let home = Home::new().await;
    home.put("a", b"first").await;
    let code = home.code(PASSWORD).await;
    let rotate = async |password: &str| home.post("/vault/rotate", &json!({"password": password})).await;
    home.post("/vault/lock", &json!({})).await;
    assert_eq!(rotate(PASSWORD).await.error(), refused(409, "vault_locked"));
    assert_eq!(home.unlock(&json!({"password": PASSWORD})).await.status, 200);
    assert_eq!(rotate("wrong horse").await.error(), refused(403, "wrong_key"));
    home.router.directories.room.store(1000, Ordering::Relaxed);
    assert_eq!(rotate(PASSWORD).await.error(), refused(507, "disk_full"));
    home.router.directories.room.store(u64::MAX, Ordering::Relaxed);

    home.router.directories.is_slow.store(true, Ordering::Relaxed);
    assert_eq!(rotate(PASSWORD).await.status, 202);
    let vault = home.get("").await.json();
    assert_eq!((&vault["state"], &vault["rotation"]), (&json!("busy"), &json!({"percent": 0})));
    assert_eq!(faults(&vault, "VaultView"), Vec::<String>::new());
    assert_eq!(rotate(PASSWORD).await.error(), refused(409, "vault_busy"));
    assert_eq!(home.get("/files/a").await.error(), refused(409, "vault_locked"));
    let change = json!({"old": PASSWORD, "new": BETTER});
    assert_eq!(home.post("/account/password", &change).await.error(), refused(409, "vault_busy"));
    home.router.directories.is_slow.store(false, Ordering::Relaxed);
    wait_until("the key is changed", async || home.get("").await.json()["rotation"].is_null()).await;
    assert_eq!(home.state().await, "open");
    assert_eq!(home.get("").await.json()["problem"], Value::Null);
    assert_eq!(home.get("/files/a").await.body, b"first");
    home.post("/vault/lock", &json!({})).await;
    assert_eq!(home.unlock(&json!({"recovery_code": code})).await.status, 200);
    assert_eq!(home.get("/files/a").await.body, b"first");

    home.router.directories.is_full.store(true, Ordering::Relaxed);
    assert_eq!(rotate(PASSWORD).await.status, 202);
    wait_until("the disk is full", async || home.get("").await.json()["rotation"].is_null()).await;
    let vault = home.get("").await.json();
    assert_eq!(vault["state"], "open");
    assert!(vault["problem"].as_str().unwrap().contains("the disk is full"), "{vault}");
    assert_eq!(home.get("/files/a").await.body, b"first");
}
