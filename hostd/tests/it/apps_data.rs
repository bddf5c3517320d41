//! When the data of apps is shown, and with which keys.

use crate::apps::Home;
use crate::apps::NGINX;
use crate::apps::image;
use crate::apps::manifest;
use crate::harness::Client;
use crate::harness::PASSWORD;
use crate::harness::claim_code;
use crate::harness::settings;
use crate::harness::setup_body;
use crate::harness::wait_until;
use hostd::apps::fake::FakeContainerd;
use hostd::net::fake::FakeNetd;
use hostd::vaults::directories::fake::FakeDirectories;
use serde_json::Value;
use serde_json::json;
use std::sync::Arc;
use store::Store;

fn for_all(id: &str) -> Value {
    let mut text: Value =
        serde_json::from_str(manifest(id, NGINX, &json!({}))["manifest"].as_str().unwrap()).unwrap();
    text["scope"] = "system".into();
    json!({"manifest": text.to_string()})
}

async fn lock(home: &Home, cookie: &str) {
    assert_eq!(home.send(cookie, "POST", "/vault/lock", &Value::Null).await.json()["state"], "locked");
}

async fn unlock(home: &Home, cookie: &str, password: &str) {
    let body = json!({"password": password});
    assert_eq!(home.send(cookie, "POST", "/vault/unlock", &body).await.json()["state"], "open");
}

#[tokio::test]
async fn an_app_runs_from_when_its_user_unlocks_their_vault_until_they_lock_it() {
    let home = Home::new().await;
    let berta = home.member("berta").await;
    let (hers, annas) =
        (home.install(&berta, image(NGINX)).await, home.install(&home.anna, image(NGINX)).await);
    let house = home.install(&home.anna, for_all("house")).await;
    let keys = [&hers, &annas, &house].map(|key| home.containerd.key_of(key).unwrap());
    assert!(keys[0] != keys[1] && keys[1] != keys[2] && keys[0] != keys[2]);

    // When that is answered, her apps have ended; nobody else's have.
    lock(&home, &berta).await;
    let app = home.app(&berta, &hers).await;
    assert_eq!(app["state"], "locked");
    assert_eq!(app["reasons"], json!(["its data is locked until its user unlocks their vault"]));
    for key in [&annas, &house] {
        assert_eq!(home.app(&home.anna, key).await["state"], "running");
    }
    assert_eq!(home.app(&berta, &house).await["state"], "running");
    // It is to run, and does not without its data.
    assert_eq!(home.send(&berta, "POST", &format!("/apps/{hers}/restart"), &Value::Null).await.status, 202);
    assert_eq!(home.app(&berta, &hers).await["state"], "locked");
    unlock(&home, &berta, "their password").await;
    home.wait_for(&berta, &hers, "running").await;

    // As after a reboot, with vaults that are open.
    home.containerd.forget_keys();
    for (cookie, key) in [(&berta, &hers), (&home.anna, &annas), (&home.anna, &house)] {
        home.wait_for(cookie, key, "running").await;
    }
    assert_eq!([&hers, &annas, &house].map(|key| home.containerd.key_of(key).unwrap()), keys);
}

#[tokio::test]
async fn whoever_logs_out_leaves_their_apps_running_and_whoever_loses_their_password_does_not() {
    let home = Home::new().await;
    let berta = home.member("berta").await;
    let hers = home.install(&berta, image(NGINX)).await;
    assert_eq!(home.send(&berta, "DELETE", "/session", &Value::Null).await.status, 204);
    let asked = home.containerd.asked();
    assert!(!asked.contains(&format!("lock {hers}")), "{asked:?}");
    let body = json!({"new": "a password from anna", "password": PASSWORD});
    let path = "/users/berta/password";
    assert_eq!(home.send(&home.anna, "POST", path, &body).await.status, 204);
    wait_until("her app is locked", async || home.containerd.asked().contains(&format!("lock {hers}"))).await;
    let body = json!({"name": "berta", "password": "a password from anna"}).to_string();
    let berta = home.router.post("/api/v1/session", &body, &[]).await.cookie();
    home.wait_for(&berta, &hers, "locked").await;
}

#[tokio::test]
async fn what_is_done_to_an_app_waits_for_its_data() {
    let home = Home::new().await;
    let key = home.install(&home.anna, manifest("notes", NGINX, &json!({}))).await;
    home.containerd.hold_up("redis:7");
    lock(&home, &home.anna).await;
    home.update(&home.anna, &key, Some(manifest("notes", "docker.io/library/redis:7", &json!({})))).await;
    wait_until("the update waits", async || {
        let app = home.app(&home.anna, &key).await;
        app["operation"]["blocked"].as_str().is_some_and(|words| words.contains("locked"))
    })
    .await;
    assert_eq!(home.app(&home.anna, &key).await["state"], "updating");
    unlock(&home, &home.anna, PASSWORD).await;
    home.wait_for(&home.anna, &key, "running").await;
    assert_eq!(home.app(&home.anna, &key).await["problem"], Value::Null);
}

#[tokio::test]
async fn for_whom_an_image_is_says_whoever_installs_it() {
    let home = Home::new().await;
    let berta = home.member("berta").await;
    let body = json!({"source": image(NGINX), "scope": "system"});
    let shown = home.inspect(&home.anna, &body).await;
    assert_eq!(shown["scope"], "system");
    let other = json!({"source": image(NGINX), "shown": shown["shown"]});
    assert_eq!(home.send(&home.anna, "POST", "/apps", &other).await.error().1, "not_what_was_shown");
    let wish = json!({"source": image(NGINX), "scope": "system", "shown": shown["shown"]});
    let key = home.send(&home.anna, "POST", "/apps", &wish).await.json()["key"].as_str().unwrap().to_owned();
    home.wait_for(&berta, &key, "running").await;
    // A version made of an image is for whom the one before was.
    home.update(&home.anna, &key, Some(image("docker.io/library/nginx:2"))).await;
    home.wait_for(&home.anna, &key, "running").await;
    assert_eq!(home.app(&home.anna, &key).await["scope"], "system");
    assert_eq!(home.inspect(&berta, &body).await["refusals"].as_array().unwrap().len(), 1);
    assert_eq!(
        home.send(&home.anna, "DELETE", &format!("/apps/{key}?data=keep"), &Value::Null).await.status,
        202
    );
    home.wait_for(&home.anna, &key, "removed").await;
    let again = json!({"source": image(NGINX), "data_of": key, "scope": "user"});
    assert_eq!(home.inspect(&home.anna, &again).await["scope"], "system");
    // A manifest says it itself.
    let own = json!({"source": manifest("notes", NGINX, &json!({})), "scope": "system"});
    assert_eq!(home.inspect(&home.anna, &own).await["scope"], "user");
}

#[tokio::test]
async fn the_household_has_its_data_from_each_start_and_a_user_when_they_are_back() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let (containerd, netd) = (Arc::new(FakeContainerd::default()), Arc::new(FakeNetd::default()));
    let directories = Arc::new(FakeDirectories::default());
    let _containerd = containerd.serve(&settings.containers_socket).unwrap();
    let _netd = netd.serve(&settings.net_socket).unwrap();
    let running = hostd::start_with(settings.clone(), directories.clone()).await.unwrap();
    let client = Client::of(&running);
    // By the name that it has before it gets another.
    let body = setup_body(&claim_code(&running.app)).replace("oak", "hearth");
    let cookie = client.post("/api/v1/setup", &body).await.cookie();
    wait_until("containerd-lite is there", async || running.app.apps.problem().is_none()).await;
    let post = async |client: &Client, path: &str, body: Value| client.post_as(&cookie, path, &body).await;
    let mut keys = Vec::new();
    for source in [for_all("house"), image(NGINX)] {
        let shown = post(&client, "/apps/inspect", json!({"source": source})).await.json()["shown"].clone();
        let begun = post(&client, "/apps", json!({"source": source, "shown": shown})).await;
        let key = begun.json()["key"].as_str().unwrap().to_owned();
        wait_until("it runs", async || containerd.is_running(&key)).await;
        keys.push(key);
    }
    let had: Vec<_> = keys.iter().map(|key| containerd.key_of(key).unwrap()).collect();
    running.stop().await;
    assert!(keys.iter().all(|key| containerd.is_running(key)), "apps go on without hostd");

    // A hostd that starts anew has no vault open.
    let running = hostd::start_with(settings.clone(), directories.clone()).await.unwrap();
    wait_until("the owner's app is locked", async || !containerd.is_running(&keys[1])).await;
    assert!(containerd.is_running(&keys[0]));
    running.stop().await;
    containerd.forget_keys();
    let running = hostd::start_with(settings.clone(), directories.clone()).await.unwrap();
    wait_until("the household's app runs", async || containerd.is_running(&keys[0])).await;
    let client = Client::of(&running);
    post(&client, "/vault/unlock", json!({"password": PASSWORD})).await;
    wait_until("the owner's app runs", async || containerd.is_running(&keys[1])).await;
    let has: Vec<_> = keys.iter().map(|key| containerd.key_of(key).unwrap()).collect();
    assert_eq!(has, had);
    running.stop().await;
}

#[tokio::test]
async fn the_secret_of_a_households_app_goes_with_its_data_and_is_told_to_nobody() {
    let home = Home::new().await;
    let key = home.install(&home.anna, for_all("house")).await;
    let first = home.containerd.key_of(&key).unwrap();
    let told = home.app(&home.anna, &key).await.to_string();
    assert!(!told.contains("secret"), "{told}");
    // Kept with the data, also where the app is installed again upon it.
    assert_eq!(
        home.send(&home.anna, "DELETE", &format!("/apps/{key}?data=keep"), &Value::Null).await.status,
        202
    );
    home.wait_for(&home.anna, &key, "removed").await;
    let body = json!({"source": for_all("house"), "data_of": key});
    let shown = home.inspect(&home.anna, &body).await["shown"].clone();
    let wish = json!({"source": for_all("house"), "data_of": key, "shown": shown});
    assert_eq!(home.send(&home.anna, "POST", "/apps", &wish).await.status, 202);
    home.wait_for(&home.anna, &key, "running").await;
    assert_eq!(home.containerd.key_of(&key), Some(first));
    assert_eq!(
        home.send(&home.anna, "DELETE", &format!("/apps/{key}?data=delete"), &Value::Null).await.status,
        202
    );
    home.wait_until_gone(&home.anna, &key).await;
    assert!(home.router.store.scan("apps").unwrap().is_empty());
}
