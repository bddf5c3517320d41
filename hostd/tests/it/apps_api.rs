//! Who may have, see and change which apps, and what they are told before.

use crate::apps::Home;
use crate::apps::NGINX;
use crate::apps::image;
use crate::apps::manifest;
use crate::harness::Router;
use crate::harness::wait_until;
use crate::schema::faults;
use crate::streams::Stream;
use model::containers::RegistryName;
use model::network::app_policy::Grant;
use serde_json::Value;
use serde_json::json;
use store::Store;

const EVENTS: &str = "/api/v1/apps/events";

fn asks() -> Value {
    json!({"internet": {"reason": "Weather"}, "lan": {"reason": "Lamps"},
        "domains": [{"names": ["a.org", "b.org"], "reason": "Updates"}]})
}

#[tokio::test]
async fn what_an_app_asks_is_told_in_plain_words_and_nothing_changes() {
    let home = Home::new().await;
    let shown = home.inspect(&home.anna, &json!({"source": manifest("notes", NGINX, &asks())})).await;
    assert_eq!(faults(&shown, "InspectionView"), Vec::<String>::new());
    let words: Vec<_> =
        shown["asks"].as_array().unwrap().iter().map(|ask| ask["words"].as_str().unwrap()).collect();
    assert_eq!(words.first(), Some(&"May reach every device in your home network"));
    assert!(words.contains(&"May reach a.org, b.org on the Internet"), "{words:?}");
    assert_eq!(shown["asks"][2]["permissions"], json!(["domain:a.org", "domain:b.org"]));
    assert_eq!((shown["refusals"].as_array().unwrap().len(), &shown["id"]), (0, &json!("notes")));
    assert!(home.containerd.asked().is_empty());
    assert_eq!(home.get(&home.anna, "/apps").await.json()["apps"], json!([]));
}

#[tokio::test]
async fn what_cannot_be_honoured_is_listed_with_its_place_and_refused() {
    let home = Home::new().await;
    let bad = "services:\n  web:\n    image: a\n    privileged: true\n    network_mode: host\n";
    for (source, places) in [
        (json!({"compose": {"text": bad}}), &["services.web.privileged", "services.web.network_mode"][..]),
        (json!({"manifest": "{"}), &[""]),
        (json!({"image": "Not an image"}), &[""]),
    ] {
        let answer = home.send(&home.anna, "POST", "/apps/inspect", &json!({"source": source})).await;
        assert_eq!(answer.error(), (422, "app_refused".to_owned(), None));
        let refusals = answer.json()["error"]["refusals"].clone();
        let found: Vec<_> =
            refusals.as_array().unwrap().iter().map(|one| one["place"].as_str().unwrap()).collect();
        assert_eq!(found, places);
        assert_eq!(faults(&answer.json(), "ErrorBody"), Vec::<String>::new());
    }
    let unknown = json!({"manifest": r#"{"format":1,"title":"T","version":"1.0.0","containers":{"a":{"image":"a"}},"privileged":true}"#});
    let answer = home.send(&home.anna, "POST", "/apps/inspect", &json!({"source": unknown})).await;
    assert_eq!(answer.error().1, "app_refused");
    // A document as long as one may be fits into the request.
    let long = format!("# {}\nservices:\n  web:\n    image: a\n", "\"".repeat(100_000));
    home.inspect(&home.anna, &json!({"source": {"compose": {"text": long}}})).await;
    for (body, field) in [
        (json!({"source": {"image": "a", "manifest": "b"}}), "source"),
        (json!({"source": {"image": "a"}, "id": "System"}), "id"),
        (json!({"source": {"image": "a"}, "id": "system"}), "id"),
        (json!({"source": {"image": "a"}, "more": 1}), "more"),
    ] {
        let (status, code, at) = home.send(&home.anna, "POST", "/apps/inspect", &body).await.error();
        assert_eq!((status, code.as_str()), (422, "invalid_field"), "{body}");
        assert!(at.as_deref().is_some_and(|at| at.starts_with(field)), "{body}: {at:?}");
    }
}

#[tokio::test]
async fn exactly_what_was_shown_is_installed() {
    let home = Home::new().await;
    let source = manifest("notes", NGINX, &asks());
    let shown = home.inspect(&home.anna, &json!({"source": source})).await["shown"].clone();
    let other = manifest("notes", NGINX, &json!({"mesh": {"reason": "More"}}));
    let install = async |body: Value| home.send(&home.anna, "POST", "/apps", &body).await;
    let swapped = install(json!({"source": other, "shown": shown})).await;
    assert_eq!(swapped.error().1, "not_what_was_shown");
    let renamed = install(json!({"source": source, "id": "else", "shown": shown})).await;
    assert_eq!(renamed.error().1, "not_what_was_shown");
    let strange = install(json!({"source": source, "shown": shown, "granted": ["mesh"]})).await;
    assert_eq!(strange.error(), (422, "invalid_field".to_owned(), Some("granted".to_owned())));
    assert!(home.containerd.asked().is_empty());

    let begun =
        install(json!({"source": source, "shown": shown, "granted": ["internet", "domain:a.org"]})).await;
    assert_eq!(begun.status, 202);
    assert_eq!(faults(&begun.json(), "AppSummary"), Vec::<String>::new());
    let key = begun.json()["key"].as_str().unwrap().to_owned();
    home.wait_for(&home.anna, &key, "running").await;
    let app = home.app(&home.anna, &key).await;
    assert_eq!(faults(&app, "AppView"), Vec::<String>::new());
    assert_eq!(app["granted"], json!(["internet", "domain:a.org"]));
    assert_eq!(app["containers"][0]["usage"]["memory_bytes"], 5 << 20);
    assert_eq!(app["traffic"]["received_bytes"], 3 << 20);
    let access = home.access(&key).unwrap();
    let wanted = json!({"grants": [{"to": "internet"}, {"to": "domains", "names": ["a.org"]}], "serves": ["tcp/8080"]});
    assert_eq!(access, serde_json::from_value(wanted).unwrap());
    let list = home.get(&home.anna, "/apps").await.json();
    assert_eq!(faults(&list, "AppList"), Vec::<String>::new());
    // Twice the same app is two apps.
    let again = home.inspect(&home.anna, &json!({"source": source})).await;
    assert_eq!(again["id"], "notes-2");
}

#[tokio::test]
async fn permissions_are_given_and_taken_away_one_by_one_and_at_once() {
    let home = Home::new().await;
    let key = home.install(&home.anna, manifest("notes", NGINX, &asks())).await;
    let path = format!("/apps/{key}/permissions");
    let has = |grant: &Grant| home.access(&key).unwrap().grants.contains(grant);
    assert!(has(&Grant::Lan {}) && has(&Grant::Internet {}));
    let changed =
        home.send(&home.anna, "PUT", &path, &json!({"granted": ["internet", "domain:b.org"]})).await;
    assert_eq!(changed.json()["granted"], json!(["internet", "domain:b.org"]));
    // When the answer is here, netd has it.
    assert!(!has(&Grant::Lan {}) && has(&Grant::Internet {}));
    let back = home.send(&home.anna, "PUT", &path, &json!({"granted": ["lan"]})).await;
    assert_eq!(back.status, 200);
    assert!(has(&Grant::Lan {}) && !has(&Grant::Internet {}));
    for bad in ["mesh", "everything", "domain:c.org"] {
        let refused = home.send(&home.anna, "PUT", &path, &json!({"granted": [bad]})).await;
        assert_eq!(refused.error().2.as_deref(), Some("granted"), "{bad}");
    }
    // Kept though netd is away, and told when it is back: see `a_netd_that_comes_back_is_told`.
    home.netd.refuse_policies(true);
    assert_eq!(
        home.send(&home.anna, "PUT", &path, &json!({"granted": []})).await.error().1,
        "network_refused"
    );
    home.netd.refuse_policies(false);
    assert_eq!(home.app(&home.anna, &key).await["granted"], json!([]));
}

#[tokio::test]
async fn members_have_their_own_apps_and_see_the_households() {
    let home = Home::new().await;
    let berta = home.member("berta").await;
    let hers = home.install(&berta, image(NGINX)).await;
    let mut shared: Value =
        serde_json::from_str(manifest("house", NGINX, &json!({}))["manifest"].as_str().unwrap()).unwrap();
    shared["scope"] = "system".into();
    let shared = json!({"manifest": shared.to_string()});

    let shown = home.inspect(&berta, &json!({"source": shared})).await;
    assert!(shown["refusals"][0]["words"].as_str().unwrap().contains("only the owner"), "{shown}");
    let refused =
        home.send(&berta, "POST", "/apps", &json!({"source": shared, "shown": shown["shown"]})).await;
    assert_eq!(refused.error().1, "app_refused");
    let house = home.install(&home.anna, shared).await;

    let keys = async |cookie: &str| {
        let list = home.get(cookie, "/apps").await.json();
        list["apps"]
            .as_array()
            .unwrap()
            .iter()
            .map(|app| app["key"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(keys(&berta).await, [house.clone(), hers.clone()]);
    assert_eq!(keys(&home.anna).await, std::slice::from_ref(&house), "what is hers is hers");
    for (method, path) in [("GET", ""), ("POST", "/stop"), ("DELETE", "?data=keep"), ("GET", "/logs")] {
        let path = format!("/apps/{hers}{path}");
        assert_eq!(home.send(&home.anna, method, &path, &json!({})).await.error().1, "no_such_app", "{path}");
    }
    assert_eq!(home.app(&berta, &house).await["may_manage"], false);
    let body = json!({"id": "mine", "granted": [], "shown": ""});
    for (method, path) in
        [("POST", "/stop"), ("DELETE", "?data=delete"), ("PUT", "/id"), ("GET", "/logs"), ("POST", "/update")]
    {
        let body = if path == "/id" { json!({"id": "mine"}) } else { json!({"shown": body["shown"]}) };
        let path = format!("/apps/{house}{path}");
        assert_eq!(home.send(&berta, method, &path, &body).await.error().1, "owner_only", "{path}");
    }
    // Each has a workspace, and the household one.
    assert_eq!(home.netd.policies().last().unwrap().workspaces.len(), 2);

    let body = json!({"password": crate::harness::PASSWORD});
    assert_eq!(home.send(&home.anna, "POST", "/users/berta/remove", &body).await.status, 204);
    wait_until("her apps have gone with her", async || home.containerd.app(&hers).is_none()).await;
    assert_eq!(home.containerd.data(&hers), None);
    home.wait_for_access("netd knows her apps no more", &hers, |access| access.is_none()).await;
    assert!(home.containerd.app(&house).is_some());
}

#[tokio::test]
async fn a_new_id_changes_nothing_else_and_is_nobody_elses() {
    let home = Home::new().await;
    let berta = home.member("berta").await;
    let key = home.install(&home.anna, image(NGINX)).await;
    let other = home.install(&berta, image("redis:7")).await;
    let (before, data) = (home.access(&key), home.containerd.data(&key));
    let rename =
        async |id: &str| home.send(&home.anna, "PUT", &format!("/apps/{key}/id"), &json!({"id": id})).await;
    assert_eq!(rename("pages").await.json()["id"], "pages");
    assert_eq!((home.access(&key), home.containerd.data(&key)), (before, data));
    assert_eq!(rename("redis").await.error().1, "id_taken", "also by an app that she does not see");
    assert_eq!(rename("pages").await.status, 200);
    for bad in ["system", "core-x", "core.x", "P\u{430}ges", "Pages", "-a", "", &"a".repeat(64), "xn--a"] {
        assert_eq!(
            rename(bad).await.error(),
            (422, "invalid_field".to_owned(), Some("id".to_owned())),
            "{bad}"
        );
    }
    assert_eq!(home.app(&berta, &other).await["id"], "redis");
}

#[tokio::test]
async fn an_app_is_stopped_started_and_read() {
    let home = Home::new().await;
    let key = home.install(&home.anna, manifest("notes", NGINX, &json!({}))).await;
    for (what, state) in [("stop", "stopped"), ("start", "running"), ("restart", "running")] {
        assert_eq!(
            home.send(&home.anna, "POST", &format!("/apps/{key}/{what}"), &json!({})).await.status,
            202
        );
        home.wait_for(&home.anna, &key, state).await;
    }
    let log = home.get(&home.anna, &format!("/apps/{key}/logs")).await.json();
    assert_eq!(faults(&log, "AppLog"), Vec::<String>::new());
    assert_eq!((log["lines"].as_array().unwrap().len(), &log["next"]), (3, &json!(4)));
    let on = home.get(&home.anna, &format!("/apps/{key}/logs?container=web&from=3")).await.json();
    assert_eq!(on["lines"][0]["text"], "line 3 of web");
    let strange = home.get(&home.anna, &format!("/apps/{key}/logs?container=db")).await;
    assert_eq!(strange.error().1, "no_such_container");
    for bad in ["?from=x", "?container=..%2Fx", "?since=1"] {
        assert_eq!(home.get(&home.anna, &format!("/apps/{key}/logs{bad}")).await.error().1, "invalid_field");
    }
    for nobody in ["0", "no_key", &"0".repeat(32)] {
        assert_eq!(home.get(&home.anna, &format!("/apps/{nobody}")).await.error().1, "no_such_app");
    }
    assert_eq!(
        home.send(&home.anna, "DELETE", &format!("/apps/{key}"), &json!({})).await.error().2.as_deref(),
        Some("data")
    );
}

#[tokio::test]
async fn a_link_is_to_the_app_that_was_there_and_not_to_its_successor() {
    let home = Home::new().await;
    let wishes = json!({"apps": [{"app": "db", "port": "tcp/5432", "reason": "Keeps notes"}]});
    let notes = manifest("notes", NGINX, &wishes);
    let alone = home.inspect(&home.anna, &json!({"source": notes})).await;
    assert!(alone["refusals"][0]["words"].as_str().unwrap().contains("install that first"), "{alone}");
    let berta = home.member("berta").await;
    home.install(&berta, manifest("db", NGINX, &json!({}))).await;
    let foreign = home.inspect(&home.anna, &json!({"source": notes})).await;
    assert_eq!(foreign["refusals"].as_array().unwrap().len(), 1, "another user's app is none of hers");

    // Its ID is db-2, because berta's is db: it is found by what it would like to be called.
    let db = home.install(&home.anna, manifest("db", NGINX, &json!({}))).await;
    let key = home.install(&home.anna, notes).await;
    let links = || home.access(&key).unwrap().grants.len();
    assert_eq!(links(), 1);
    home.send(&home.anna, "PUT", &format!("/apps/{db}/id"), &json!({"id": "database"})).await;
    assert_eq!(links(), 1, "another name, the same app");
    home.send(&home.anna, "DELETE", &format!("/apps/{db}?data=delete"), &json!({})).await;
    home.wait_until_gone(&home.anna, &db).await;
    let new = home.install(&home.anna, manifest("db", NGINX, &json!({}))).await;
    assert_ne!(new, db, "a new app has a new key");
    assert_eq!(links(), 0, "what was granted to the old one is not the new one's");
    // Neither another permission nor an update changes that; who gives it anew means the new one.
    let path = format!("/apps/{key}/permissions");
    let all = home.app(&home.anna, &key).await["granted"].clone();
    home.send(&home.anna, "PUT", &path, &json!({"granted": all})).await;
    assert_eq!(links(), 0);
    home.update(&home.anna, &key, None).await;
    home.wait_for(&home.anna, &key, "running").await;
    assert_eq!(links(), 0);
    home.send(&home.anna, "PUT", &path, &json!({"granted": []})).await;
    home.send(&home.anna, "PUT", &path, &json!({"granted": all})).await;
    assert_eq!(links(), 1);
}

#[tokio::test]
async fn two_apps_do_not_get_one_port_of_the_box() {
    let home = Home::new().await;
    let wish = |port: &str| json!({"inbound": [{"port": port, "reason": "Sensors"}]});
    home.install(&home.anna, manifest("one", NGINX, &wish("tcp/1883"))).await;
    for (port, id) in [("tcp/1883", "two"), ("tcp/8427", "three")] {
        let shown = home.inspect(&home.anna, &json!({"source": manifest(id, NGINX, &wish(port))})).await;
        assert!(shown["refusals"][0]["words"].as_str().unwrap().contains(port), "{shown}");
    }
    let free = home.inspect(&home.anna, &json!({"source": manifest("two", NGINX, &wish("udp/1883"))})).await;
    assert_eq!(free["refusals"], json!([]));
}

#[tokio::test]
async fn without_its_app_service_the_box_says_so_and_everything_else_works() {
    let (router, anna) = Router::set_up().await;
    let get = async |path: &str| router.get(path, &[("cookie", &anna)]).await;
    let list = get("/api/v1/apps").await;
    assert_eq!(list.status, 200);
    assert!(list.json()["problem"].as_str().unwrap().contains("app service"), "{list:?}");
    let source = json!({"source": image(NGINX)}).to_string();
    assert_eq!(router.post("/api/v1/apps/inspect", &source, &[("cookie", &anna)]).await.status, 200);
    assert_eq!(get("/api/v1/system").await.status, 200);
    assert_eq!(get("/api/v1/status").await.json()["state"], "ready");
}

#[tokio::test]
async fn events_tell_what_is_there_what_changes_and_end_with_the_session() {
    let home = Home::new().await;
    let berta = home.member("berta").await;
    let first = home.install(&home.anna, image("redis:7")).await;
    home.containerd.hold_up(NGINX);
    let mut hers = Stream::open(&home.router, EVENTS, &berta).await;
    let mut events = Stream::open(&home.router, EVENTS, &home.anna).await;
    assert_eq!(events.until("service", |_| true).await["problem"], Value::Null);
    let known = events.until("app", |app| app["key"] == first.as_str()).await;
    assert_eq!(faults(&known, "AppSummary"), Vec::<String>::new());

    let key = home.begin(&home.anna, image(NGINX)).await;
    let pulling = events.until("app", |app| app["operation"]["done_bytes"] == 25).await;
    assert_eq!((&pulling["key"], &pulling["operation"]["step"]), (&json!(key), &json!("pulling")));
    assert_eq!(pulling["operation"]["total_bytes"], 100);
    home.containerd.let_go(NGINX);
    events.until("app", |app| app["key"] == key.as_str() && app["state"] == "running").await;
    home.send(&home.anna, "DELETE", &format!("/apps/{key}?data=delete"), &json!({})).await;
    let gone = events.until("gone", |gone| gone["key"] == key.as_str()).await;
    assert_eq!(faults(&gone, "AppEnding"), Vec::<String>::new());

    // What is anna's is not told to berta.
    let own = home.begin(&berta, image("redis:8")).await;
    let seen = hers.until("app", |_| true).await;
    assert_eq!(seen["key"], own.as_str());
    home.send(&berta, "DELETE", "/session", &json!({})).await;
    home.containerd.turn(&own, model::containers::AppState::Unhealthy);
    hers.end().await;
}

#[tokio::test]
async fn an_image_that_is_brought_can_be_installed_and_a_broken_one_is_refused() {
    let home = Home::new().await;
    let berta = home.member("berta").await;
    let bring = async |cookie: &str, name: &str, text: &str| {
        let headers = [("cookie", cookie), ("content-type", "application/octet-stream")];
        home.router.send("POST", &format!("/api/v1/apps/images?name={name}"), text, &headers).await
    };
    assert_eq!(bring(&berta, "notes:2", "layers").await.error().0, 403, "images are the household's");
    assert_eq!(
        bring(&home.anna, "No", "layers").await.error(),
        (422, "invalid_field".to_owned(), Some("name".to_owned()))
    );
    assert_eq!(bring(&home.anna, "notes:2", "broken").await.error(), (409, "app_refused".to_owned(), None));
    let brought = bring(&home.anna, "notes:2", "layers").await;
    assert_eq!((brought.status, faults(&brought.json(), "ImageView")), (201, vec![]));
    assert_eq!(brought.json()["name"], "localhost/notes:2");
    let key = home.install(&home.anna, image("localhost/notes:2")).await;
    assert_eq!(home.app(&home.anna, &key).await["version"], "2.0.0");
}

#[tokio::test]
async fn what_is_said_of_registries_is_kept_and_goes_with_each_pull() {
    let home = Home::new().await;
    assert_eq!(home.get(&home.anna, "/registries").await.json(), json!({"registries": []}));
    let set = async |name: &str, body: &Value| {
        home.send(&home.anna, "PUT", &format!("/registries/{name}"), body).await
    };
    let login = json!({"login": {"user": "ada", "password": "a secret"}, "mirrors": [{"host": "nas:5000", "plain_http": true}]});
    let shown = set("index.docker.io", &login).await;
    let view = json!({
        "name": "docker.io", "plain_http": false, "user": "ada", "mirrors": [{"host": "nas:5000", "plain_http": true}],
    });
    assert_eq!((shown.status, shown.json()), (200, view.clone()));
    assert_eq!(set("%5Bfd00::9%5D:5000", &json!({"plain_http": true})).await.status, 200);
    assert_eq!(home.get(&home.anna, "/registries").await.json()["registries"][1], view);
    // The password stays for the same user, and for nobody else.
    assert_eq!(set("docker.io", &json!({"login": {"user": "ada"}})).await.status, 200);
    for (name, body, field) in [
        ("docker.io", json!({"login": {"user": "eve"}}), "login.password"),
        ("docker.io", json!({"login": {"user": "a:b", "password": "x"}}), "login.user"),
        ("docker.io", json!({"login": {"user": "ada"}, "plain_http": true}), "plain_http"),
        ("docker.io", json!({"mirrors": vec![json!({"host": "a"}); 9]}), "mirrors"),
        ("docker.io", json!({"mirrors": [{"host": "a/b"}]}), "mirrors"),
        ("a%2Fb", json!({}), "name"),
    ] {
        let refused = set(name, &body).await;
        assert_eq!(refused.error(), (422, "invalid_field".to_owned(), Some(field.to_owned())), "{body}");
    }
    let mirrored = json!({"login": {"user": "ada"}, "mirrors": [{"host": "mirror.example.net"}]});
    assert_eq!(set("docker.io", &mirrored).await.status, 200);
    let login = json!({"login": {"user": "bo", "password": "another secret"}});
    for name in ["mirror.example.net", "ghcr.io"] {
        assert_eq!(set(name, &login).await.status, 200);
    }
    home.install(&home.anna, image(NGINX)).await;
    // Its own and its mirror's; no login for anybody else.
    let said = home.containerd.registries();
    let names: Vec<&str> = said.0.keys().map(RegistryName::as_str).collect();
    assert_eq!(names, ["docker.io", "mirror.example.net"]);
    let login = said.0[&"docker.io".parse().unwrap()].login.as_ref().unwrap();
    assert_eq!(login.password.as_str(), "a secret");
    let kept = home.router.app.apps.registries();
    assert_eq!((home.router.store.scan("registries").unwrap().len(), kept.0.len()), (4, 4));
    home.router.app.apps.load().await;
    assert_eq!(home.router.app.apps.registries(), kept);
    let gone = home.send(&home.anna, "DELETE", "/registries/docker.io", &Value::Null).await;
    assert_eq!(gone.status, 204);
    let again = home.send(&home.anna, "DELETE", "/registries/docker.io", &Value::Null).await;
    assert_eq!(again.status, 404);
}

#[tokio::test]
async fn the_page_of_an_app_is_told_while_devices_at_home_may_open_it() {
    let home = Home::new().await;
    let text = json!({
        "format": 1, "id": "photos", "title": "Photos", "version": "1.0.0",
        "containers": {"web": {"image": NGINX}},
        "display": {"port": 8080, "path": "/start"},
        "permissions": {"inbound": [
            {"port": "udp/8080", "reason": "Cameras"},
            {"port": "tcp/8480", "app_port": 8080, "reason": "Phones"},
        ]},
    });
    let key = home.install(&home.anna, json!({"manifest": text.to_string()})).await;
    assert_eq!(home.app(&home.anna, &key).await["page"], json!({"port": 8480, "path": "/start"}));
    let path = format!("/apps/{key}/permissions");
    let without = home.send(&home.anna, "PUT", &path, &json!({"granted": ["inbound:udp/8080:8080"]})).await;
    assert_eq!((without.status, &without.json()["page"]), (200, &Value::Null));
}
