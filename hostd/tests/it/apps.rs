//! A household with a containerd-lite and a netd, behind real sockets, and what tests do to its apps.

use crate::harness::Answer;
use crate::harness::Router;
use crate::harness::wait_until;
use hostd::apps::fake::FakeContainerd;
use hostd::net::fake::FakeNetd;
use model::network::app_policy::AppAccess;
use model::network::names::AppKey;
use serde_json::Value;
use serde_json::json;
use std::sync::Arc;
use tokio::task::JoinSet;

pub(crate) const NGINX: &str = "docker.io/library/nginx:1";

pub(crate) struct Home {
    pub(crate) router: Router,
    pub(crate) containerd: Arc<FakeContainerd>,
    pub(crate) netd: Arc<FakeNetd>,
    /// The owner's cookie.
    pub(crate) anna: String,
    _tasks: [JoinSet<()>; 2],
}

impl Home {
    pub(crate) async fn new() -> Self {
        let (router, anna) = Router::set_up().await;
        let (containerd, netd) = (Arc::new(FakeContainerd::default()), Arc::new(FakeNetd::default()));
        let tasks = [router.attach(&netd).await, router.attach_containerd(&containerd).await];
        Self { router, containerd, netd, anna, _tasks: tasks }
    }

    /// Lets a member in; their cookie.
    pub(crate) async fn member(&self, name: &str) -> String {
        let body = json!({"name": name, "new": "their password", "password": crate::harness::PASSWORD});
        assert_eq!(self.send(&self.anna, "POST", "/users", &body).await.status, 201);
        let body = json!({"name": name, "password": "their password"}).to_string();
        self.router.post("/api/v1/session", &body, &[]).await.cookie()
    }

    pub(crate) async fn send(&self, cookie: &str, method: &str, path: &str, body: &Value) -> Answer {
        let headers = [("cookie", cookie), ("content-type", "application/json")];
        self.router.send(method, &format!("/api/v1{path}"), &body.to_string(), &headers).await
    }

    pub(crate) async fn get(&self, cookie: &str, path: &str) -> Answer {
        self.router.get(&format!("/api/v1{path}"), &[("cookie", cookie)]).await
    }

    /// What something asks for.
    pub(crate) async fn inspect(&self, cookie: &str, body: &Value) -> Value {
        let answer = self.send(cookie, "POST", "/apps/inspect", body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    /// Begins to install something exactly as it is shown; its key.
    pub(crate) async fn begin(&self, cookie: &str, source: Value) -> String {
        let shown = self.inspect(cookie, &json!({"source": source})).await["shown"].clone();
        let answer = self.send(cookie, "POST", "/apps", &json!({"source": source, "shown": shown})).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        answer.json()["key"].as_str().unwrap().to_owned()
    }

    /// The same, and waits until it runs.
    pub(crate) async fn install(&self, cookie: &str, source: Value) -> String {
        let key = self.begin(cookie, source).await;
        self.wait_for(cookie, &key, "running").await;
        key
    }

    /// Begins to update an app to something; its own source without one.
    pub(crate) async fn update(&self, cookie: &str, key: &str, source: Option<Value>) {
        let mut inspected = json!({"update": key});
        let mut wish = json!({});
        if let Some(source) = source {
            inspected["source"] = source.clone();
            wish["source"] = source;
        }
        wish["shown"] = self.inspect(cookie, &inspected).await["shown"].clone();
        let answer = self.send(cookie, "POST", &format!("/apps/{key}/update"), &wish).await;
        assert_eq!(answer.status, 202, "{answer:?}");
    }

    pub(crate) async fn app(&self, cookie: &str, key: &str) -> Value {
        self.get(cookie, &format!("/apps/{key}")).await.json()
    }

    pub(crate) async fn wait_for(&self, cookie: &str, key: &str, state: &str) {
        let what = format!("the app is {state}");
        wait_until(&what, async || self.app(cookie, key).await["state"] == state).await;
    }

    pub(crate) async fn wait_until_gone(&self, cookie: &str, key: &str) {
        wait_until("the app is gone", async || self.get(cookie, &format!("/apps/{key}")).await.status == 404)
            .await;
    }

    /// Why the operation on an app that is gone came to nothing.
    pub(crate) async fn ending(&self, cookie: &str, key: &str) -> String {
        let apps = self.get(cookie, "/apps").await.json();
        let ended = apps["ended"].as_array().unwrap().iter().find(|ended| ended["key"] == key).cloned();
        ended.unwrap_or_else(|| panic!("{apps}"))["problem"].as_str().unwrap_or_default().to_owned()
    }

    /// What netd was told last of an app.
    pub(crate) fn access(&self, key: &str) -> Option<AppAccess> {
        let key: AppKey = key.parse().unwrap();
        self.netd.policies().last()?.app(&key).map(|(_, access)| access.clone())
    }

    /// Waits until netd was told something of an app.
    pub(crate) async fn wait_for_access(
        &self,
        what: &str,
        key: &str,
        holds: impl Fn(Option<AppAccess>) -> bool,
    ) {
        wait_until(what, async || holds(self.access(key))).await;
    }
}

pub(crate) fn image(name: &str) -> Value {
    json!({"image": name})
}

/// A manifest with one container of this image, and these permissions.
pub(crate) fn manifest(id: &str, image: &str, permissions: &Value) -> Value {
    let text = json!({
        "format": 1, "id": id, "title": "Notes", "version": "1.0.0",
        "containers": {"web": {"image": image, "volumes": [{"name": "data", "target": "/data"}]}},
        "display": {"port": 8080},
        "permissions": permissions,
    });
    json!({"manifest": text.to_string()})
}
