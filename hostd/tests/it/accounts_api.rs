//! Set-up, login and logout through the router.

use crate::harness::Router;
use crate::harness::login_body;
use crate::harness::setup_body;
use hostd::accounts::Storage;
use hostd::host::fake::FakeHost;
use std::sync::Arc;
use store::MemoryStore;

fn refused(code: &str, status: u16, field: Option<&str>) -> (u16, String, Option<String>) {
    (status, code.to_owned(), field.map(str::to_owned))
}

#[tokio::test]
async fn set_up_makes_the_sender_owner_and_logs_them_in() {
    let router = Router::new();
    assert_eq!(router.get("/api/v1/status", &[]).await.json()["state"], "setup");
    let answer = router.post("/api/v1/setup", &setup_body(&router.code()), &[]).await;
    assert_eq!(answer.status, 201);
    assert_eq!(
        answer.json(),
        serde_json::json!({
            "user": {"name": "anna", "role": "owner"}, "hostname": "oak", "url": "https://oak.local"
        })
    );
    let cookie = answer.header("set-cookie").unwrap();
    for rule in ["__Host-hearth=", "; Path=/", "; Secure", "; HttpOnly", "; SameSite=Strict"] {
        assert!(cookie.contains(rule), "{cookie}");
    }
    let session = router.get("/api/v1/session", &[("cookie", &answer.cookie())]).await;
    assert_eq!(session.json()["user"]["name"], "anna");
    assert!(session.header("set-cookie").is_some());
    let status = router.get("/api/v1/status", &[]).await.json();
    assert_eq!((&status["state"], &status["hostname"]), (&"ready".into(), &"oak".into()));
}

#[tokio::test]
async fn a_second_set_up_is_refused_whatever_it_says() {
    let (router, _) = Router::set_up().await;
    for body in [setup_body("0000-0000-0000"), "{}".to_owned(), "nonsense".to_owned()] {
        let answer = router.post("/api/v1/setup", &body, &[]).await;
        assert_eq!(answer.error(), refused("already_set_up", 409, None));
    }
}

#[tokio::test]
async fn of_racing_set_ups_exactly_one_gets_201() {
    let router = Router::new();
    let body = setup_body(&router.code());
    let race = (0..4).map(|_| router.post("/api/v1/setup", &body, &[]));
    let mut statuses: Vec<u16> =
        futures_util::future::join_all(race).await.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409, 409, 409]);
}

#[tokio::test]
async fn the_fifth_wrong_claim_code_makes_a_new_one() {
    let router = Router::new();
    let old = router.code();
    for left in [4, 3, 2, 1, 0] {
        let answer = router.post("/api/v1/setup", &setup_body("0000-0000-0000"), &[]).await;
        assert_eq!(answer.error(), refused("wrong_claim_code", 403, None));
        assert_eq!(answer.json()["error"]["tries_left"], left);
    }
    assert_ne!(router.code(), old);
    let answer = router.post("/api/v1/setup", &setup_body(&old), &[]).await;
    assert_eq!(answer.status, 403);
    let answer = router.post("/api/v1/setup", &setup_body(&router.code().to_lowercase()), &[]).await;
    assert_eq!(answer.status, 201);
}

#[tokio::test]
async fn a_faulty_set_up_names_the_field_and_costs_no_try() {
    let router = Router::new();
    let good = setup_body(&router.code());
    for (body, expected) in [
        (good.replace("\"oak\"", "\"Oak!\""), refused("invalid_field", 422, Some("hostname"))),
        (good.replace("\"oak\"", "7"), refused("invalid_field", 422, Some("hostname"))),
        (good.replace("\"anna\"", "\"\""), refused("invalid_field", 422, Some("owner.name"))),
        (good.replace("\"anna\"", "[]"), refused("invalid_field", 422, Some("owner.name"))),
        (good.replace("correct horse", "short"), refused("invalid_field", 422, Some("owner.password"))),
        (good.replace("\"password\"", "\"pass\""), refused("invalid_field", 422, Some("owner.pass"))),
        (good.replace("\"owner\"", "\"more\":1,\"owner\""), refused("invalid_field", 422, Some("more"))),
        ("{}".to_owned(), refused("invalid_field", 422, Some("claim_code"))),
        ("[]".to_owned(), refused("invalid_field", 422, Some("."))),
        (good.replace('}', ""), refused("malformed_json", 400, None)),
        (String::new(), refused("malformed_json", 400, None)),
        (" ".repeat(65_537), refused("too_large", 413, None)),
    ] {
        let answer = router.post("/api/v1/setup", &body, &[]).await;
        assert_eq!(answer.error(), expected, "{}", &body[..body.len().min(100)]);
    }
    assert_eq!(router.get("/api/v1/status", &[]).await.json()["state"], "setup");
    let wrong = router.post("/api/v1/setup", &setup_body("0"), &[]).await;
    assert_eq!(wrong.json()["error"]["tries_left"], 4);
    assert_eq!(router.post("/api/v1/setup", &good, &[]).await.status, 201);
}

#[tokio::test]
async fn a_request_without_json_or_from_another_page_is_refused() {
    let router = Router::new();
    let body = setup_body(&router.code());
    for kind in ["text/plain", "application/x-www-form-urlencoded", ""] {
        let answer = router.send("POST", "/api/v1/setup", &body, &[("content-type", kind)]).await;
        assert_eq!(answer.error(), refused("unsupported_media_type", 415, None), "{kind}");
    }
    for header in [("origin", "https://evil.example"), ("origin", "null"), ("sec-fetch-site", "cross-site")] {
        let answer = router.post("/api/v1/setup", &body, &[header]).await;
        assert_eq!(answer.error(), refused("foreign_origin", 403, None), "{header:?}");
    }
    let answer = router.post("/api/v1/setup", &body, &[("origin", "https://hearth.local")]).await;
    assert_eq!(answer.status, 201);
}

#[tokio::test]
async fn a_full_disk_leaves_the_box_unowned_and_says_so() {
    let router = Router::new();
    router.store.set_disk_full(true);
    let answer = router.post("/api/v1/setup", &setup_body(&router.code()), &[]).await;
    assert_eq!(answer.error(), refused("storage_full", 507, None));
    assert_eq!(router.get("/api/v1/status", &[]).await.json()["state"], "setup");
    router.store.set_disk_full(false);
    assert_eq!(router.post("/api/v1/setup", &setup_body(&router.code()), &[]).await.status, 201);
}

#[tokio::test]
async fn without_storage_the_box_says_why_and_takes_nobody() {
    let storage = Storage::Unavailable { reason: "no disk was found".to_owned() };
    let router = Router::with(storage, Arc::new(MemoryStore::new()), FakeHost::default());
    let status = router.get("/api/v1/status", &[]).await.json();
    assert_eq!(status["state"], "degraded");
    assert!(status["reasons"][0].as_str().unwrap().contains("no disk was found"), "{status}");
    for (path, body) in [("/api/v1/setup", setup_body("x")), ("/api/v1/session", login_body("x"))] {
        let answer = router.post(path, &body, &[]).await;
        assert_eq!(answer.error(), refused("storage_unavailable", 503, None), "{path}");
        assert!(answer.json()["error"]["message"].as_str().unwrap().contains("no disk was found"));
    }
}

#[tokio::test]
async fn login_gives_a_session_and_logout_ends_it() {
    let (router, _) = Router::set_up().await;
    let wrong = router.post("/api/v1/session", &login_body("wrong password"), &[]).await;
    assert_eq!(wrong.error(), refused("wrong_credentials", 401, None));
    assert!(wrong.header("set-cookie").is_none());
    let unknown = r#"{"name":"bert","password":"correct horse"}"#;
    let unknown = router.post("/api/v1/session", unknown, &[]).await;
    assert_eq!(unknown.error(), refused("wrong_credentials", 401, None));

    let login = router.post("/api/v1/session", &login_body("correct horse"), &[]).await;
    assert_eq!(login.status, 200);
    assert_eq!(login.json()["user"]["role"], "owner");
    let cookie = login.cookie();
    assert_eq!(router.get("/api/v1/session", &[("cookie", &cookie)]).await.status, 200);

    let foreign = [("cookie", cookie.as_str()), ("origin", "https://evil.example")];
    assert_eq!(router.send("DELETE", "/api/v1/session", "", &foreign).await.status, 403);
    let logout = router.send("DELETE", "/api/v1/session", "", &[("cookie", &cookie)]).await;
    assert_eq!(logout.status, 204);
    assert!(logout.header("set-cookie").unwrap().contains("Max-Age=0"));
    let ended = router.get("/api/v1/session", &[("cookie", &cookie)]).await;
    assert_eq!(ended.error(), refused("not_logged_in", 401, None));
}

#[tokio::test]
async fn five_wrong_passwords_make_everybody_wait() {
    let (router, _) = Router::set_up().await;
    for _ in 0..5 {
        assert_eq!(router.post("/api/v1/session", &login_body("wrong password"), &[]).await.status, 401);
    }
    let limited = router.post("/api/v1/session", &login_body("correct horse"), &[]).await;
    assert_eq!(limited.error(), refused("too_many_tries", 429, None));
    assert_eq!(limited.header("retry-after"), Some("30"));
    router.clock.pass(30);
    assert_eq!(router.post("/api/v1/session", &login_body("correct horse"), &[]).await.status, 200);
}

#[tokio::test]
async fn an_idle_session_ends_after_seven_days() {
    let (router, cookie) = Router::set_up().await;
    router.clock.pass(7 * 86_400 - 1);
    assert_eq!(router.get("/api/v1/session", &[("cookie", &cookie)]).await.status, 200);
    router.clock.pass(7 * 86_400);
    assert_eq!(router.get("/api/v1/session", &[("cookie", &cookie)]).await.status, 401);
}
