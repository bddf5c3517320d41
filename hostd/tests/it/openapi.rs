//! The document, the routes and the authorisation agree.

use crate::harness::Router;
use hostd::api::BASE;
use hostd::api::OUTSIDE;
use hostd::api::ROUTES;
use hostd::api::Route;
use hostd::api::authorise::Access;
use hostd::api::document::ApiDocument;
use hostd::api::document::CHECKED_IN;
use serde_json::Value;
use utoipa::OpenApi;

/// Set to write the document anew instead of comparing it.
const BLESS: &str = "HEARTH_BLESS";

/// Every route with its whole path.
fn routes() -> impl Iterator<Item = (String, &'static Route)> {
    let below = ROUTES.iter().map(|route| (format!("{BASE}{}", route.path), route));
    below.chain(OUTSIDE.iter().map(|route| (route.path.to_owned(), route)))
}

/// (method, whole path, whether it asks for a login) of every operation.
fn operations() -> Vec<(String, String, bool)> {
    let document: Value = serde_json::from_str(CHECKED_IN).unwrap();
    let mut operations = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        let base = methods.get("servers").map_or(BASE, |servers| {
            assert_eq!(servers, &serde_json::json!([{"url": "/"}]));
            ""
        });
        for (method, operation) in methods.as_object().unwrap().iter().filter(|(name, _)| *name != "servers")
        {
            let asks = operation.get("security").is_some();
            operations.push((method.to_uppercase(), format!("{base}{path}"), asks));
        }
    }
    operations
}

#[test]
fn the_document_is_checked_in() {
    let generated = ApiDocument::openapi().to_pretty_json().unwrap() + "\n";
    if std::env::var_os(BLESS).is_some() {
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json"), &generated).unwrap();
    }
    assert!(
        generated == CHECKED_IN,
        "hostd/openapi.json is not what the handlers say: run this test with {BLESS}=1, look at the difference, commit it"
    );
}

#[test]
fn every_route_is_in_the_document_and_the_other_way_round() {
    let mut documented: Vec<(String, String)> =
        operations().into_iter().map(|(method, path, _)| (method, path)).collect();
    let mut routed: Vec<(String, String)> =
        routes().map(|(path, route)| (route.method.to_string(), path)).collect();
    documented.sort();
    routed.sort();
    assert_eq!(documented, routed);
}

#[tokio::test]
async fn anonymous_visitors_reach_public_routes_only() {
    let (router, _) = Router::set_up().await;
    let mut refused = 0;
    for (method, path, asks_for_login) in operations() {
        let (_, route) = routes().find(|(at, route)| route.method.as_str() == method && *at == path).unwrap();
        let is_open = !matches!(route.access, Access::LoggedIn | Access::Owner);
        assert_eq!(asks_for_login, !is_open, "{method} {path}");
        for cookie in ["", "__Host-hearth=", &format!("__Host-hearth={}", "a".repeat(43))] {
            let headers = [("cookie", cookie), ("content-type", "application/json")];
            let answer = router.send(&method, &path, "{}", &headers).await;
            assert_eq!(answer.status == 401, !is_open, "{method} {path}: {answer:?}");
        }
        refused += usize::from(!is_open);
    }
    assert!(refused >= 12);
    assert!(router.host.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn what_is_not_a_route_is_not_found_and_every_answer_is_protected() {
    let (router, cookie) = Router::set_up().await;
    for path in
        ["/api", "/api/", "/api/v1", "/api/v1/", "/api/v1/users/anna", "/api/v2/status", "/api/v1/status/"]
    {
        let answer = router.get(path, &[("cookie", &cookie)]).await;
        assert_eq!(answer.error().1, "not_found", "{path}");
    }
    let answer = router.send("PUT", "/api/v1/session", "", &[]).await;
    assert_eq!(answer.error().1, "method_not_allowed");
    assert_eq!(answer.header("allow"), Some("POST, GET, DELETE"));
    assert_eq!(router.send("HEAD", "/api/v1/status", "", &[]).await.status, 200);

    for path in
        ["/", "/api/v1/status", "/api/v1/nothing", "/ca.crt", "/api/v1/ca.crt", "/api/v1/openapi.json"]
    {
        let answer = router.get(path, &[]).await;
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.contains("default-src 'self'") && policy.contains("frame-ancestors 'none'"), "{path}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "{path}");
        assert!(answer.header("strict-transport-security").is_some(), "{path}");
        if path.starts_with("/api") {
            assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
        }
    }
}
