use super::*;
use crate::web::body::ReplyBody;
use http_body_util::BodyExt;

fn console() -> Console {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("assets")).unwrap();
    for (name, content) in [
        ("index.html", "<p>console"),
        ("index.html.gz", "zipped"),
        ("assets/app-1a2b.js", "run()"),
        ("icon.svg", "<svg/>"),
    ] {
        std::fs::write(folder.path().join(name), content).unwrap();
    }
    std::os::unix::fs::symlink("/etc/passwd", folder.path().join("passwd")).unwrap();
    Console::load(folder.path()).unwrap()
}

fn headers(pairs: &[(hyper::header::HeaderName, &str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap())).collect()
}

async fn text(body: ReplyBody) -> String {
    String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

#[tokio::test]
async fn files_are_served_with_their_type() {
    let reply = console().answer(&Method::GET, "/assets/app-1a2b.js", &HeaderMap::new());
    assert_eq!(reply.headers()["content-type"], "text/javascript; charset=utf-8");
    assert!(reply.headers()["cache-control"].to_str().unwrap().contains("immutable"));
    assert_eq!(text(reply.into_body()).await, "run()");
}

#[tokio::test]
async fn unknown_addresses_are_the_consoles_own_and_missing_assets_are_missing() {
    for path in ["/", "/home", "/passwd", "/../../etc/passwd", "/index.html.gz"] {
        let reply = console().answer(&Method::GET, path, &HeaderMap::new());
        assert_eq!(reply.status(), StatusCode::OK, "{path}");
        assert_eq!(reply.headers()["cache-control"], "no-cache");
        assert_eq!(text(reply.into_body()).await, "<p>console", "{path}");
    }
    let missing = console().answer(&Method::GET, "/assets/old.js", &HeaderMap::new());
    assert_eq!(missing.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn gzip_is_sent_to_those_who_accept_it() {
    for (accepted, gzip) in [("gzip, br", true), ("br, GZIP;q=0.5", true), ("gzip;q=0", false), ("br", false)]
    {
        let reply = console().answer(&Method::GET, "/", &headers(&[(ACCEPT_ENCODING, accepted)]));
        assert_eq!(reply.headers().get(CONTENT_ENCODING).is_some(), gzip, "{accepted}");
        assert_eq!(reply.headers()[VARY], "accept-encoding");
        assert_eq!(text(reply.into_body()).await == "zipped", gzip, "{accepted}");
    }
}

#[test]
fn a_known_tag_is_not_sent_again() {
    let console = console();
    let first = console.answer(&Method::GET, "/icon.svg", &HeaderMap::new());
    let tag = first.headers()[ETAG].to_str().unwrap().to_owned();
    let known = headers(&[(IF_NONE_MATCH, &format!("\"x\", {tag}"))]);
    assert_eq!(console.answer(&Method::GET, "/icon.svg", &known).status(), StatusCode::NOT_MODIFIED);
    assert_eq!(console.answer(&Method::GET, "/", &known).status(), StatusCode::OK);
}

#[test]
fn only_reading_is_allowed() {
    let reply = console().answer(&Method::POST, "/", &HeaderMap::new());
    assert_eq!(reply.status(), StatusCode::METHOD_NOT_ALLOWED);
}

#[test]
fn a_missing_console_is_said_and_a_huge_one_refused() {
    assert!(matches!(Console::load(Path::new("/nonexistent")), Err(ConsoleError::Read { .. })));
    let reply = Console::default().answer(&Method::GET, "/", &HeaderMap::new());
    assert_eq!(reply.status(), StatusCode::NOT_FOUND);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a"), vec![0; (3 << 20) + 1]).unwrap();
    std::fs::write(folder.path().join("b"), vec![0; 1 << 20]).unwrap();
    assert!(matches!(Console::load(folder.path()), Err(ConsoleError::TooMuch { .. })));
}
