//! What people who are logged in see of the network, and what devices in the home network may ask.

use crate::harness::Router;
use crate::schema::faults;
use hostapi::net1::Link;
use hostd::net::fake::FakeNetd;
use serde_json::Value;
use serde_json::json;
use std::net::IpAddr;
use std::sync::Arc;
use tokio::task::JoinSet;

/// A DNS message: a header that asks nothing.
const MESSAGE: &[u8] = &[0xab, 0xcd, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
/// The same in base64url.
const MESSAGE_TEXT: &str = "q80BAAAAAAAAAAAA";

struct Home {
    router: Router,
    cookie: String,
    netd: Arc<FakeNetd>,
    tasks: JoinSet<()>,
}

impl Home {
    async fn lively() -> Self {
        Self::with(FakeNetd::lively()).await
    }

    async fn with(netd: Arc<FakeNetd>) -> Self {
        let (router, cookie) = Router::set_up().await;
        let tasks = router.attach(&netd).await;
        Self { router, cookie, netd, tasks }
    }

    async fn get(&self, path: &str) -> crate::harness::Answer {
        self.router.get(&format!("/api/v1/network{path}"), &[("cookie", &self.cookie)]).await
    }

    async fn put(&self, query: &str, body: &Value) -> crate::harness::Answer {
        let headers = [("cookie", self.cookie.as_str()), ("content-type", "application/json")];
        let path = format!("/api/v1/network/settings{query}");
        self.router.send("PUT", &path, &body.to_string(), &headers).await
    }

    async fn confirm(&self) -> crate::harness::Answer {
        let cookie = [("cookie", self.cookie.as_str())];
        self.router.send("POST", "/api/v1/network/settings/confirm", "", &cookie).await
    }

    fn settings(&self) -> Value {
        serde_json::to_value(&self.netd.status.borrow().settings).unwrap()
    }

    /// Lets the home network ask, as the owner would.
    fn open(&self) {
        self.router.network.send_modify(|view| {
            view.settings.get_or_insert_default().resolver.serve_lan = true;
        });
    }
}

#[tokio::test]
async fn everything_about_the_network_is_shown_as_described() {
    let home = Home::lively().await;
    for (path, schema) in [
        ("", "Network"),
        ("/settings", "NetworkSettings"),
        ("/policy", "AppPolicy"),
        ("/explain?from=app:notes&to=app:db%20tcp/5432", "Explanation"),
    ] {
        let answer = home.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        assert_eq!(faults(&answer.json(), schema), Vec::<String>::new(), "{path}");
    }
    let network = home.get("").await.json();
    assert_eq!(network["hostname"], "oak");
    assert_eq!(network["name"], json!({"wanted": "hearth", "announced": "hearth", "rival": null}));
    assert_eq!(network["firewall"]["rules"][6]["words"], "notes may reach db at tcp/5432");
    assert_eq!(network["trial_seconds_left"], Value::Null);
    let cable = &network["links"][0];
    assert_eq!(
        (&cable["addresses"][0], &cable["gateway"], &cable["lease_expires_unix"], &cable["state"]),
        (&json!("192.168.1.5/24"), &json!("192.168.1.1"), &json!(1_900_000_000), &json!("up")),
        "the summary says what the report says"
    );
    assert_eq!(cable["report"]["addresses"][1]["origin"], "slaac");
    assert_eq!(
        cable["report"]["gateways"][1],
        json!({"address": "fe80::1", "metric": 1026, "answers": false})
    );
    assert_eq!(network["links"][2]["report"]["problems"].as_array().unwrap().len(), 1);
    assert_eq!(home.get("/settings").await.json(), home.settings());
}

#[tokio::test]
async fn links_have_nothing_for_what_is_empty_and_stay_when_netd_reports_nothing() {
    let home = Home::with(Arc::new(FakeNetd::default())).await;
    let cable = Link {
        name: "eth0".to_owned(),
        mac: "52:54:00:12:34:56".to_owned(),
        state: "up".to_owned(),
        addresses: vec!["10.0.2.15/24".to_owned()],
        gateway: "10.0.2.2".to_owned(),
        lease_expires_unix: 86_400,
    };
    let radio = Link { name: "wlan0".to_owned(), state: "down".to_owned(), ..Link::default() };
    home.router.network.send_modify(|view| {
        view.host_name = "oak-2".to_owned();
        view.links = vec![cable, radio];
        view.reasons = vec!["wlan0 is switched off".to_owned()];
    });
    let network = home.get("").await.json();
    assert_eq!(faults(&network, "Network"), Vec::<String>::new());
    assert_eq!(network["hostname"], "oak-2");
    assert_eq!(
        network["links"],
        json!([
            {"name": "eth0", "kind": "ethernet", "mac": "52:54:00:12:34:56", "state": "up",
             "addresses": ["10.0.2.15/24"], "gateway": "10.0.2.2", "lease_expires_unix": 86400, "report": null},
            {"name": "wlan0", "kind": "wifi", "mac": null, "state": "down", "addresses": [], "gateway": null,
             "lease_expires_unix": null, "report": null}
        ])
    );
    assert_eq!((&network["resolver"], &network["firewall"]), (&Value::Null, &Value::Null));
    assert_eq!(network["reasons"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn with_many_rules_everything_is_still_told_and_who_asks_for_links_is_spared_them() {
    let home = Home::lively().await;
    home.netd.add_rules(20_000);
    let whole = home.get("").await;
    assert!(whole.body.len() > 1 << 20, "{}", whole.body.len());
    assert_eq!(whole.json()["firewall"]["rules"].as_array().unwrap().last().unwrap()["name"], "rule 19999");
    let short = home.get("?part=links").await;
    assert!(short.body.len() < 1 << 14, "{}", short.body.len());
    let (whole, short) = (whole.json(), short.json());
    assert_eq!(faults(&short, "Network"), Vec::<String>::new());
    for member in ["hostname", "links", "reasons", "name", "trial_seconds_left"] {
        assert_eq!(short[member], whole[member], "{member}");
    }
    for member in ["resolver", "time", "firewall"] {
        assert_eq!(short[member], Value::Null, "{member}");
    }
    assert_eq!(short["apps"], json!([]));
    assert_eq!(home.get("?part=rules").await.error().2.as_deref(), Some("part"));
}

#[tokio::test]
async fn without_netd_every_question_is_refused_with_words() {
    let (router, cookie) = Router::set_up().await;
    refuses_everything(&router, &cookie).await;
}

#[tokio::test]
async fn what_a_netd_showed_that_is_gone_is_not_told() {
    let home = Home::lively().await;
    home.open();
    assert_eq!(home.get("/dns.mobileconfig").await.status, 200);
    home.router.connection.send_replace(None);
    refuses_everything(&home.router, &home.cookie).await;
}

#[tokio::test]
async fn a_netd_that_stops_or_dies_during_a_question_is_away() {
    let mut home = Home::lively().await;
    home.netd.stop();
    assert_eq!(home.get("").await.error().1, "network_unavailable");
    // The connection breaks, and nobody has noticed yet.
    home.tasks.shutdown().await;
    for path in ["", "/explain?from=box&to=lan"] {
        assert_eq!(home.get(path).await.error().1, "network_unavailable", "{path}");
    }
}

async fn refuses_everything(router: &Router, cookie: &str) {
    let cookie = [("cookie", cookie), ("content-type", "application/json")];
    for path in ["", "/settings", "/policy", "/explain?from=box&to=lan", "/dns.mobileconfig"] {
        let answer = router.get(&format!("/api/v1/network{path}"), &cookie).await;
        assert_eq!(answer.error(), (503, "network_unavailable".to_owned(), None), "{path}");
        assert_eq!(answer.header("retry-after"), Some("5"));
    }
    for (method, path) in [("PUT", "/settings"), ("POST", "/settings/confirm")] {
        let answer =
            router.send(method, &format!("/api/v1/network{path}"), r#"{"version":1}"#, &cookie).await;
        assert_eq!(answer.error().1, "network_unavailable", "{path}");
    }
    let dns = router.get(&format!("/dns-query?dns={MESSAGE_TEXT}"), &[]).await;
    assert_eq!(dns.error().1, "network_unavailable");
}

#[tokio::test]
async fn a_change_is_on_trial_until_it_is_confirmed() {
    let home = Home::lively().await;
    let before = home.settings();
    let mut wished = before.clone();
    wished["resolver"]["serve_lan"] = true.into();
    let changed = home.put("", &wished).await;
    assert_eq!((changed.status, changed.json()), (200, json!({"trial_seconds_left": 60})));
    assert_eq!(faults(&changed.json(), "SettingsChanged"), Vec::<String>::new());
    assert_eq!(home.settings(), wished);
    assert_eq!(home.get("").await.json()["trial_seconds_left"], 60);
    assert_eq!(home.confirm().await.status, 204);
    assert_eq!(home.get("").await.json()["trial_seconds_left"], Value::Null);
    assert_eq!(home.confirm().await.error().1, "nothing_on_trial");

    assert_eq!(home.put("?trial_seconds=10", &before).await.json()["trial_seconds_left"], 10);
    home.netd.end_trial();
    assert_eq!(home.settings(), wished, "nobody confirmed");
    assert_eq!(home.put("?trial_seconds=0", &before).await.json()["trial_seconds_left"], Value::Null);
    assert_eq!((home.settings(), home.confirm().await.error().0), (before, 409));
}

#[tokio::test]
async fn who_asks_after_a_change_finds_it() {
    let home = Home::lively().await;
    let mut wished = home.settings();
    for serves in [true, false, true, false] {
        wished["resolver"]["serve_lan"] = serves.into();
        assert_eq!(home.put("", &wished).await.status, 200);
        assert_eq!(home.get("/settings").await.json(), wished);
    }
}

#[tokio::test]
async fn settings_that_cannot_be_are_refused_with_the_member_at_fault() {
    let home = Home::lively().await;
    let before = home.settings();
    let upstream = |text: &str| -> Value {
        let upstream: Value = serde_json::from_str(text).unwrap();
        json!({"version": 1, "resolver": {"upstreams": [before["resolver"]["upstreams"][0], upstream]}})
    };
    let link = |mut wishes: Value| -> Value {
        wishes["matching"] = json!({"mac": "52:54:00:12:34:56"});
        json!({"version": 1, "links": [wishes]})
    };
    let of = "resolver.upstreams[1]";
    for (body, field) in [
        (
            upstream(r#"{"server_name":"a.example","addresses":[],"transport":{"by":"tls"}}"#),
            format!("{of}.addresses"),
        ),
        (
            upstream(r#"{"server_name":"a.example","addresses":["0.0.0.0"],"transport":{"by":"tls"}}"#),
            format!("{of}.addresses"),
        ),
        (
            upstream(
                r#"{"server_name":"a.example","addresses":["1.1.1.1"],"transport":{"by":"https","path":"q"}}"#,
            ),
            format!("{of}.transport.path"),
        ),
        // Two servers may have one name: the second one is at fault.
        (
            upstream(
                r#"{"server_name":"dns.example.org","addresses":["1.1.1.1"],"transport":{"by":"https","path":"q"}}"#,
            ),
            format!("{of}.transport.path"),
        ),
        (
            upstream(&format!(
                r#"{{"server_name":"a.example","addresses":[{}],"transport":{{"by":"tls"}}}}"#,
                vec![r#""1.1.1.1""#; 17].join(",")
            )),
            format!("{of}.addresses"),
        ),
        (
            upstream(
                r#"{"server_name":"a.example","addresses":["1.1.1.1"],"transport":{"by":"tls","port":53}}"#,
            ),
            format!("{of}.transport.port"),
        ),
        (
            upstream(r#"{"server_name":"example","addresses":["1.1.1.1"],"transport":{"by":"tls"}}"#),
            format!("{of}.server_name"),
        ),
        (
            upstream(r#"{"server_name":"a.1","addresses":["1.1.1.1"],"transport":{"by":"tls"}}"#),
            format!("{of}.server_name"),
        ),
        (
            upstream(r#"{"server_name":"a.example","addresses":["1.1.1.1"],"transport":{"by":"udp"}}"#),
            format!("{of}.transport"),
        ),
        (
            link(json!({"ipv4": {"static": {"addresses": ["192.168.1.255/24"]}}})),
            "links[0].ipv4.static.addresses[0]".to_owned(),
        ),
        (
            link(json!({"ipv6": {"static": {"addresses": ["fe80::1/64"]}}})),
            "links[0].ipv6.static.addresses[0]".to_owned(),
        ),
        (link(json!({"ipv4": "static"})), "links[0].ipv4".to_owned()),
        (
            link(json!({"ipv4": {"static": {"addresses": ["192.168.1.5/24"], "gateway": "192.168.2.1"}}})),
            "links[0]".to_owned(),
        ),
        (link(json!({"mtu": 100})), "links[0].mtu".to_owned()),
        (link(json!({"metric": 0})), "links[0].metric".to_owned()),
        (json!({"version": 1, "links": vec![json!({"matching": {"name": "eth0"}}); 17]}), "links".to_owned()),
        (json!({"version": 2}), "version".to_owned()),
        (json!({"version": 1, "wifi": {}}), "wifi".to_owned()),
        (
            json!({"version": 1, "time": {"servers": vec![json!({"name": "a.example"}); 17]}}),
            "time.servers".to_owned(),
        ),
        (
            json!({"version": 1, "resolver": {"upstreams": vec![before["resolver"]["upstreams"][0].clone(); 9]}}),
            "resolver.upstreams".to_owned(),
        ),
    ] {
        let (status, code, at) = home.put("", &body).await.error();
        assert_eq!((status, code.as_str()), (422, "invalid_field"), "{body}");
        assert!(at.as_deref().is_some_and(|at| at.starts_with(&field)), "{body}: {at:?}, not {field}");
    }
    let refused =
        home.put("", &json!({"version": 1, "time": {"servers": [{"name": "refuse.example"}]}})).await;
    assert_eq!(refused.error().1, "network_refused");
    assert_eq!(home.put("?trial_seconds=5", &before).await.error().2.as_deref(), Some("trial_seconds"));
    assert_eq!(home.settings(), before);
}

#[tokio::test]
async fn questions_about_the_policy_are_answered_or_refused() {
    let home = Home::lively().await;
    let yes = home.get("/explain?from=app:notes&to=app:db%20tcp/5432").await.json();
    assert_eq!((yes["answer"].as_str(), yes["rules"][0]["packets"].as_u64()), (Some("yes"), Some(12)));
    let no = home.get("/explain?from=lan&to=app:db").await.json();
    assert_eq!(
        (no["answer"].as_str(), no["otherwise"]["name"].as_str()),
        (Some("no"), Some("refused: app in"))
    );
    for (query, code, field) in [
        ("", "invalid_field", Some("from")),
        ("?from=box", "invalid_field", Some("to")),
        ("?from=everybody&to=box", "invalid_field", Some("from")),
        ("?from=box&to=app:DB", "invalid_field", Some("to")),
        ("?from=box%20tcp/1&to=lan", "invalid_field", Some("from")),
        ("?from=box&to=lan&why=1", "invalid_field", Some("why")),
        ("?from=app:mail&to=lan", "unknown_app", None),
    ] {
        let (_, refused, at) = home.get(&format!("/explain{query}")).await.error();
        assert_eq!((refused.as_str(), at.as_deref()), (code, field), "{query}");
    }
}

#[tokio::test]
async fn the_home_network_asks_for_names_when_the_owner_lets_it() {
    let home = Home::lively().await;
    let guest: IpAddr = "192.168.1.77".parse().unwrap();
    let stranger: IpAddr = "198.51.100.7".parse().unwrap();
    let kind = [("content-type", "application/dns-message")];
    let by_get = format!("/dns-query?dns={MESSAGE_TEXT}");
    for (method, path) in [("GET", by_get.as_str()), ("POST", "/dns-query")] {
        let ask = |from| home.router.send_from(from, method, path, MESSAGE, &kind);
        home.router.network.send_modify(|view| {
            view.settings.get_or_insert_default().resolver.serve_lan = false;
        });
        assert_eq!(ask(guest).await.error(), (403, "dns_not_served".to_owned(), None));
        home.open();
        assert_eq!(ask(stranger).await.error(), (403, "not_at_home".to_owned(), None));
        let answer = ask(guest).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/dns-message")));
        assert_eq!(answer.body[..4], [0xab, 0xcd, 0x81, 0]);
    }
    assert_eq!(home.netd.clients(), [guest, guest], "netd learns who asks");
}

#[tokio::test]
async fn dns_messages_are_bounded_and_strange_ones_refused() {
    let home = Home::lively().await;
    home.open();
    let guest: IpAddr = "192.168.1.77".parse().unwrap();
    let kind = [("content-type", "application/dns-message")];
    let post = |body: Vec<u8>, kind: &'static str| {
        let router = &home.router;
        async move { router.send_from(guest, "POST", "/dns-query", &body, &[("content-type", kind)]).await }
    };
    assert_eq!(post(MESSAGE.to_vec(), "application/json").await.status, 415);
    assert_eq!(post(vec![0; 65_537], "application/dns-message").await.status, 413);
    assert_eq!(post(vec![0; 65_535], "application/dns-message").await.status, 200);
    assert_eq!(post(vec![], "application/dns-message").await.error().1, "malformed_dns");
    for (query, code) in [
        ("", "invalid_field"),
        ("?dns=", "malformed_dns"),
        ("?dns=q80BAAAAAAAAAAAA==", "invalid_field"),
        ("?dns=%2B", "invalid_field"),
        ("?type=A", "invalid_field"),
    ] {
        let refused = home.router.get(&format!("/dns-query{query}"), &[]).await;
        assert_eq!(refused.error().1, code, "{query}");
    }
    assert_eq!(
        home.router.send_from(guest, "PUT", "/dns-query", &[], &kind).await.header("allow"),
        Some("GET, POST")
    );
    let page = [("content-type", "application/dns-message"), ("origin", "https://evil.example")];
    assert_eq!(
        home.router.send_from(guest, "POST", "/dns-query", MESSAGE, &page).await.error().1,
        "foreign_origin"
    );
}

#[tokio::test]
async fn the_apple_profile_is_for_this_box_and_stays_the_same() {
    let home = Home::lively().await;
    let path = "/api/v1/network/dns.mobileconfig";
    assert_eq!(home.router.get(path, &[]).await.error().1, "dns_not_served");
    home.open();
    let profile = home.router.get(path, &[]).await;
    assert_eq!(profile.status, 200);
    assert_eq!(profile.header("content-type"), Some("application/x-apple-aspen-config"));
    let text = String::from_utf8(profile.body).unwrap();
    let name = home.router.app.summary().host_name.local();
    assert!(text.contains(&format!("<key>ServerName</key><string>{name}</string>")), "{text}");
    assert!(text.contains(&format!("<string>https://{name}/api/v1/status</string>")));
    let body: String =
        home.router.app.authority.pem().lines().filter(|line| !line.starts_with('-')).collect();
    assert!(text.contains(&format!("<data>{body}</data>")));
    assert_eq!(home.router.get(path, &[]).await.body, text.as_bytes());
}
