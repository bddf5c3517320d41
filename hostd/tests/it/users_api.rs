//! Members of the household: letting them in, resetting their password, letting them go; and what they may.

use crate::harness::Answer;
use crate::harness::PASSWORD;
use crate::harness::Router;
use crate::schema::faults;
use hostd::api::BASE;
use hostd::api::ROUTES;
use hostd::api::authorise::Access;
use hyper::Method;
use serde_json::Value;
use serde_json::json;
use store::Store;

const FIRST: &str = "first password";
const NEXT: &str = "second password";

/// A box with an owner, and perhaps with a member.
struct Home {
    router: Router,
    owner: String,
}

/// A member who is logged in.
struct Member<'a> {
    home: &'a Home,
    cookie: String,
}

impl Home {
    async fn new() -> Self {
        let (router, owner) = Router::set_up().await;
        Self { router, owner }
    }

    async fn post(&self, path: &str, body: &Value) -> Answer {
        let path = format!("{BASE}{path}");
        self.router.post(&path, &body.to_string(), &[("cookie", &self.owner)]).await
    }

    async fn add(&self, name: &str) -> Answer {
        self.post("/users", &json!({"name": name, "new": FIRST, "password": PASSWORD})).await
    }

    async fn reset(&self, name: &str, new: &str, password: &str) -> Answer {
        self.post(&format!("/users/{name}/password"), &json!({"new": new, "password": password})).await
    }

    async fn remove(&self, name: &str) -> Answer {
        self.post(&format!("/users/{name}/remove"), &json!({"password": PASSWORD})).await
    }

    async fn users(&self) -> Value {
        let users = self.router.get(&format!("{BASE}/users"), &[("cookie", &self.owner)]).await.json();
        assert_eq!(faults(&users, "UserList"), Vec::<String>::new());
        users["users"].clone()
    }

    async fn log_in(&self, name: &str, password: &str) -> Answer {
        let body = json!({"name": name, "password": password}).to_string();
        self.router.post(&format!("{BASE}/session"), &body, &[]).await
    }

    async fn member(&self, name: &str, password: &str) -> Member<'_> {
        let answer = self.log_in(name, password).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.json()["user"], json!({"name": name, "role": "member"}));
        Member { home: self, cookie: answer.cookie() }
    }

    /// Directories of vaults, shown or hidden.
    fn vaults(&self) -> usize {
        std::fs::read_dir(self.router.folder.path().join("users")).unwrap().count()
    }
}

impl Member<'_> {
    async fn get(&self, path: &str) -> Answer {
        self.home.router.get(&format!("{BASE}{path}"), &[("cookie", &self.cookie)]).await
    }

    async fn post(&self, path: &str, body: &Value) -> Answer {
        let path = format!("{BASE}{path}");
        self.home.router.post(&path, &body.to_string(), &[("cookie", &self.cookie)]).await
    }

    async fn keep(&self, name: &str, text: &str) {
        let headers = [("cookie", self.cookie.as_str()), ("content-type", "application/octet-stream")];
        let path = format!("{BASE}/vault/files/{name}");
        assert_eq!(self.home.router.send("PUT", &path, text, &headers).await.status, 204);
    }

    async fn state(&self) -> String {
        self.get("/vault").await.json()["state"].as_str().unwrap().to_owned()
    }

    async fn code(&self, password: &str) -> String {
        let made = self.post("/vault/recovery-code", &json!({"password": password})).await;
        let code = made.json()["recovery_code"].as_str().unwrap().to_owned();
        let end = json!({"end": &code[code.len() - 9..]});
        assert_eq!(self.post("/vault/recovery-code/confirm", &end).await.status, 204);
        code
    }
}

fn refused(status: u16, code: &str) -> (u16, String, Option<String>) {
    (status, code.to_owned(), None)
}

#[tokio::test]
async fn a_member_logs_in_has_a_vault_and_changes_their_password() {
    let home = Home::new().await;
    assert_eq!(home.users().await, json!([{"name": "anna", "role": "owner"}]));
    let added = home.add("berta").await;
    assert_eq!((added.status, added.json()), (201, json!({"name": "berta", "role": "member"})));
    let berta = home.member("berta", FIRST).await;
    assert_eq!(berta.state().await, "open");
    berta.keep("a", "hers").await;
    let owners = home.router.get(&format!("{BASE}/vault/files"), &[("cookie", &home.owner)]).await;
    assert_eq!(owners.json()["files"], json!([]), "nobody sees another's files");

    let other = home.member("berta", FIRST).await;
    let change = json!({"old": FIRST, "new": NEXT});
    assert_eq!(berta.post("/account/password", &change).await.status, 204);
    assert_eq!((berta.get("/session").await.status, other.get("/session").await.status), (200, 401));
    assert_eq!(home.log_in("berta", FIRST).await.error(), refused(401, "wrong_credentials"));
    let berta = home.member("berta", NEXT).await;
    assert_eq!(berta.get("/vault/files/a").await.body, b"hers");
    home.router.get(&format!("{BASE}/session"), &[("cookie", &home.owner)]).await.json();
}

#[tokio::test]
async fn a_password_that_the_owner_reset_opens_the_account_and_not_the_vault() {
    let home = Home::new().await;
    home.add("Berta Öl/1").await;
    let berta = home.member("Berta Öl/1", FIRST).await;
    let code = berta.code(FIRST).await;
    berta.keep("a", "hers").await;
    let path = "Berta%20%C3%96l%2F1";
    assert_eq!(home.reset(path, NEXT, PASSWORD).await.status, 204);
    assert_eq!(berta.get("/session").await.status, 401, "their sessions end");
    assert_eq!(home.log_in("Berta Öl/1", FIRST).await.status, 401);

    let berta = home.member("Berta Öl/1", NEXT).await;
    assert_eq!(berta.state().await, "locked");
    assert_eq!(berta.get("/vault/files/a").await.error(), refused(409, "vault_locked"));
    let by_new = berta.post("/vault/unlock", &json!({"password": NEXT})).await;
    assert_eq!(by_new.error(), refused(403, "wrong_key"));
    let both = json!({"recovery_code": code, "password": NEXT});
    assert_eq!(berta.post("/vault/unlock", &both).await.json()["state"], "open");
    assert_eq!(berta.get("/vault/files/a").await.body, b"hers");
    berta.post("/vault/lock", &json!({})).await;
    let by_new = berta.post("/vault/unlock", &json!({"password": NEXT})).await;
    assert_eq!(by_new.json()["state"], "open", "it is the vault's password again");
}

#[tokio::test]
async fn a_member_who_is_let_go_leaves_nothing() {
    let home = Home::new().await;
    home.add("berta").await;
    let berta = home.member("berta", FIRST).await;
    berta.keep("a", "hers").await;
    let anew = json!({"password": FIRST, "understood": true});
    assert_eq!(berta.post("/vault/new", &anew).await.status, 200);
    assert_eq!(home.vaults(), 3, "the owner's, the old one, the new one");
    assert_eq!(home.remove("berta").await.status, 204);
    assert_eq!(home.vaults(), 1);
    assert_eq!(berta.get("/session").await.status, 401);
    assert_eq!(home.log_in("berta", FIRST).await.status, 401);
    assert_eq!(home.users().await.as_array().unwrap().len(), 1);
    for table in ["members", "member_sessions", "vaults_put_by", "vaults_doomed"] {
        assert!(home.router.store.scan(table).unwrap().is_empty(), "{table}");
    }
    assert_eq!(home.remove("berta").await.error(), refused(404, "no_such_user"));

    assert_eq!(home.add("berta").await.status, 201, "the name is free");
    let next = home.member("berta", FIRST).await;
    assert_eq!(next.get("/vault/files").await.json()["files"], json!([]));
}

#[tokio::test]
async fn what_is_wrong_is_told_and_changes_nothing() {
    let home = Home::new().await;
    assert_eq!(home.add("berta").await.status, 201);
    for name in ["berta", "Berta", "anna", "ANNA"] {
        assert_eq!(home.add(name).await.error(), refused(409, "user_exists"), "{name}");
    }
    for (name, new, field) in [("", FIRST, "name"), ("a\nb", FIRST, "name"), ("carl", "short", "new")] {
        let faulty = home.post("/users", &json!({"name": name, "new": new, "password": PASSWORD})).await;
        assert_eq!(faulty.error(), (422, "invalid_field".to_owned(), Some(field.to_owned())));
    }
    assert_eq!(home.reset("carl", NEXT, PASSWORD).await.error(), refused(404, "no_such_user"));
    assert_eq!(home.reset("%ff", NEXT, PASSWORD).await.error(), refused(404, "no_such_user"));
    assert_eq!(home.reset("berta", "short", PASSWORD).await.error().2.as_deref(), Some("new"));
    assert_eq!(home.reset("anna", NEXT, PASSWORD).await.error(), refused(409, "last_owner"));
    assert_eq!(home.remove("anna").await.error(), refused(409, "last_owner"));
    home.router.store.set_disk_full(true);
    assert_eq!(home.add("carl").await.error(), refused(507, "storage_full"));
    assert_eq!(home.reset("berta", NEXT, PASSWORD).await.error(), refused(507, "storage_full"));
    assert_eq!(home.remove("berta").await.error(), refused(507, "storage_full"));
    home.router.store.set_disk_full(false);
    home.member("berta", FIRST).await;
    assert_eq!(home.users().await.as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_box_takes_a_household_and_no_more() {
    let home = Home::new().await;
    for number in 1..32 {
        assert_eq!(home.add(&format!("member {number}")).await.status, 201, "{number}");
    }
    assert_eq!(home.add("one more").await.error(), refused(409, "too_many_users"));
    assert_eq!(home.remove("member%207").await.status, 204);
    assert_eq!(home.add("one more").await.status, 201);
}

#[tokio::test]
async fn wrong_passwords_of_the_owner_are_limited() {
    let home = Home::new().await;
    home.add("berta").await;
    for _ in 0..5 {
        let wrong = home.reset("berta", NEXT, "wrong password").await;
        assert_eq!(wrong.error(), refused(403, "wrong_password"));
    }
    assert_eq!(home.reset("berta", NEXT, PASSWORD).await.error(), refused(429, "too_many_tries"));
    home.member("berta", FIRST).await;
    for _ in 0..5 {
        assert_eq!(home.log_in("berta", "wrong password").await.status, 401);
    }
    assert_eq!(home.log_in("berta", FIRST).await.error(), refused(429, "too_many_tries"));
}

#[tokio::test]
async fn a_member_may_what_concerns_nobody_else() {
    let home = Home::new().await;
    home.add("berta").await;
    let berta = home.member("berta", FIRST).await;
    let mut denied = Vec::new();
    for route in ROUTES {
        let path = format!("{BASE}{}", route.path.replace("{name}", "anna"));
        let headers = [("cookie", berta.cookie.as_str()), ("content-type", "application/json")];
        match route.access {
            Access::Owner => {
                let answer = home.router.send(route.method.as_str(), &path, "{}", &headers).await;
                assert_eq!(answer.error(), refused(403, "owner_only"), "{} {path}", route.method);
                denied.push(format!("{} {}", route.method, route.path));
            }
            Access::LoggedIn if route.method == Method::GET => {
                let answer = home.router.send("GET", &path, "", &headers).await;
                assert!(!matches!(answer.status, 401 | 403), "{path}: {answer:?}");
            }
            Access::LoggedIn => {
                // Whose apps are whose is told apart by each of them (`apps_api`).
                let own = ["/session", "/account/", "/vault", "/apps"];
                assert!(
                    own.iter().any(|own| route.path.starts_with(own)),
                    "{path} changes what is not theirs"
                );
            }
            Access::Public
            | Access::SetUpOnly
            | Access::LockedOnly
            | Access::OlderCopyOnly
            | Access::HomeNetwork => {}
        }
    }
    for owners in ["GET /users", "GET /logs", "GET /backups", "POST /system/reboot", "PUT /network/settings"]
    {
        assert!(denied.iter().any(|route| route == owners), "{owners}");
    }
    assert!(home.router.host.asked.lock().unwrap().is_empty());
    assert_eq!(home.users().await.as_array().unwrap().len(), 2);
}

/// A program from before members knows no other role than the owner's, and reads every record of these two tables.
#[tokio::test]
async fn programs_from_before_members_find_what_they_know() {
    let home = Home::new().await;
    home.add("berta").await;
    let berta = home.member("berta", FIRST).await;
    assert_eq!(berta.post("/account/password", &json!({"old": FIRST, "new": NEXT})).await.status, 204);
    home.router.app.accounts.upkeep(true).await.unwrap();
    for table in ["users", "sessions"] {
        let records = home.router.store.scan(table).unwrap();
        assert!(!records.is_empty(), "{table}");
        for (_key, value) in records {
            let record: Value = serde_json::from_slice(&value).unwrap();
            assert_eq!(record["role"], "owner", "{table}");
        }
    }
}
