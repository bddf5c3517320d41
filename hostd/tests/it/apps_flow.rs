//! Installing, updating and removing: what runs, what netd was told, and what becomes of data, also when it goes wrong or is cut.

use crate::apps::Home;
use crate::apps::NGINX;
use crate::apps::image;
use crate::apps::manifest;
use crate::harness::Client;
use crate::harness::claim_code;
use crate::harness::settings;
use crate::harness::setup_body;
use crate::harness::wait_until;
use hostd::apps::fake::FakeContainerd;
use hostd::net::fake::FakeNetd;
use model::containers::AppState;
use model::containers::Wanted;
use serde_json::Value;
use serde_json::json;
use std::sync::Arc;

#[tokio::test]
async fn an_image_alone_runs_with_its_page_its_folders_and_nothing_else() {
    let home = Home::new().await;
    let key = home.install(&home.anna, image("nginx:1")).await;
    let app = home.containerd.app(&key).unwrap();
    let container = app.spec.containers.values().next().unwrap();
    // By digest: whoever pulls the tag again, this one stays what it is.
    let manifest = home.containerd.publish("x", NGINX);
    assert_eq!(container.image.name, format!("docker.io/library/nginx@{manifest}"));
    assert_eq!(container.image.manifest, manifest);
    assert_eq!(container.volumes[0].target, "/data");
    for (name, value) in [("HEARTH_ASSIGNED_PORT", "8426"), ("ATEK_HOST_PORT", "8427")] {
        assert_eq!(container.environment[name], value);
    }
    assert!(!container.environment.keys().any(|name| name.contains("TOKEN")));
    let access = home.access(&key).unwrap();
    assert!(access.grants.is_empty());
    assert_eq!(access.serves.iter().map(ToString::to_string).collect::<Vec<_>>(), ["tcp/3000"]);
    // netd knew the app before containerd-lite did.
    let asked = home.containerd.asked();
    let first = asked.iter().position(|what| what.starts_with("set")).unwrap();
    assert!(asked[..first].iter().all(|what| what.starts_with("pull")), "{asked:?}");
}

#[tokio::test]
async fn an_installation_that_fails_leaves_nothing_and_says_why() {
    let home = Home::new().await;
    let broken = home.containerd.publish("docker.io/library/broken:1", "broken");
    home.containerd.break_image(&broken);
    home.containerd.unpublish("docker.io/library/missing:1");
    for (name, why) in [("missing:1", "no such image"), ("broken:1", "code 1")] {
        let key = home.begin(&home.anna, image(name)).await;
        home.wait_until_gone(&home.anna, &key).await;
        let problem = home.ending(&home.anna, &key).await;
        assert!(problem.contains(why), "{name}: {problem}");
        assert!(home.containerd.app(&key).is_none() && home.containerd.data(&key).is_none());
        home.wait_for_access("netd knows it no more", &key, |access| access.is_none()).await;
    }
    assert!(
        home.ending(
            &home.anna,
            home.get(&home.anna, "/apps").await.json()["ended"][0]["key"].as_str().unwrap()
        )
        .await
        .contains("said: line 1"),
        "what it said last is told"
    );
    wait_until("its images are gone", async || home.containerd.images_here().is_empty()).await;
    home.netd.refuse_policies(true);
    let key = home.begin(&home.anna, image(NGINX)).await;
    home.wait_until_gone(&home.anna, &key).await;
    assert!(home.ending(&home.anna, &key).await.contains("a test wants it so"));
    assert!(!home.containerd.asked().contains(&format!("set {key}")), "without its rules nothing is placed");
    home.netd.refuse_policies(false);
    let told = home.netd.policies().len();
    wait_until("netd is told what it refused", async || home.netd.policies().len() > told).await;
}

#[tokio::test]
async fn an_installation_can_be_called_off() {
    let home = Home::new().await;
    home.containerd.hold_up(NGINX);
    let key = home.begin(&home.anna, image(NGINX)).await;
    wait_until("it is pulled", async || home.containerd.asked().contains(&format!("pull {NGINX}"))).await;
    let busy = home.send(&home.anna, "POST", &format!("/apps/{key}/start"), &json!({})).await;
    assert_eq!(busy.error().1, "app_busy");
    assert_eq!(
        home.send(&home.anna, "DELETE", &format!("/apps/{key}?data=delete"), &json!({})).await.status,
        202
    );
    home.wait_until_gone(&home.anna, &key).await;
    assert!(home.ending(&home.anna, &key).await.contains("called off"));
    assert!(home.containerd.asked().contains(&format!("cancel {NGINX}")));
}

#[tokio::test]
async fn an_update_that_works_takes_the_place_of_the_old_version() {
    let home = Home::new().await;
    let key = home.install(&home.anna, manifest("notes", "notes:1", &json!({"lan": {"reason": "r"}}))).await;
    let new = manifest("notes", "notes:2", &json!({"lan": {"reason": "r"}, "internet": {"reason": "News"}}));
    let path = format!("/apps/{key}/permissions");
    home.send(&home.anna, "PUT", &path, &json!({"granted": []})).await;
    let shown = home.inspect(&home.anna, &json!({"update": key, "source": new})).await;
    let asked: Vec<_> =
        shown["asks"].as_array().unwrap().iter().map(|ask| ask["permissions"][0].clone()).collect();
    assert_eq!(asked, [json!("internet")], "what was taken away is not asked again");
    home.update(&home.anna, &key, Some(new)).await;
    wait_until("the new version runs", async || {
        let app = home.app(&home.anna, &key).await;
        app["state"] == "running" && app["operation"].is_null()
    })
    .await;
    let image = home.containerd.app(&key).unwrap().spec.containers.values().next().unwrap().image.clone();
    assert_eq!(home.containerd.data(&key), Some(image.manifest));
    assert_eq!(home.containerd.app(&key).unwrap().snapshots(), Vec::<String>::new());
    assert_eq!(home.app(&home.anna, &key).await["granted"], json!(["internet"]));
    wait_until("the old image is gone", async || {
        home.containerd.images_here().iter().all(|name| name.contains("notes:2") || *name == image.name)
    })
    .await;
}

#[tokio::test]
async fn a_version_that_does_not_become_healthy_is_rolled_back_with_its_data() {
    let home = Home::new().await;
    let name = "docker.io/library/notes:latest";
    home.containerd.publish(name, "good");
    let key = home.install(&home.anna, manifest("notes", "notes", &json!({}))).await;
    let before = home.containerd.app(&key).unwrap().spec;
    let data = home.containerd.data(&key).unwrap();
    // The same tag, another image.
    let bad = home.containerd.publish(name, "bad");
    home.containerd.break_image(&bad);
    home.update(&home.anna, &key, None).await;
    wait_until("it is rolled back", async || {
        let app = home.app(&home.anna, &key).await;
        app["state"] == "running" && app["operation"].is_null() && app["problem"].is_string()
    })
    .await;
    let app = home.app(&home.anna, &key).await;
    assert!(app["problem"].as_str().unwrap().contains("ended with code 1"), "{app}");
    assert_eq!(home.containerd.app(&key).unwrap().spec, before);
    assert_eq!(home.containerd.data(&key), Some(data));
    assert!(home.containerd.asked().contains(&format!("restore {key}")));
    assert_eq!(home.access(&key).map(|access| access.serves.len()), Some(1));

    // An app that was stopped stays so, whichever way an update of it ends.
    home.send(&home.anna, "POST", &format!("/apps/{key}/stop"), &json!({})).await;
    home.wait_for(&home.anna, &key, "stopped").await;
    home.update(&home.anna, &key, None).await;
    home.wait_for(&home.anna, &key, "stopped").await;
    home.containerd.publish(name, "better");
    home.update(&home.anna, &key, None).await;
    home.wait_for(&home.anna, &key, "stopped").await;
    assert_eq!(home.containerd.app(&key).unwrap().wanted, Wanted::Stopped);
    assert_eq!(home.app(&home.anna, &key).await["problem"], Value::Null);
}

#[tokio::test]
async fn what_is_refused_on_the_way_back_is_tried_again_until_it_is_done() {
    let home = Home::new().await;
    let name = "docker.io/library/notes:latest";
    let key = home.install(&home.anna, image("notes")).await;
    let data = home.containerd.data(&key);
    let bad = home.containerd.publish(name, "bad");
    home.containerd.break_image(&bad);
    home.containerd.refuse(&["restore"]);
    home.update(&home.anna, &key, None).await;
    wait_until("it says what it waits for", async || {
        home.app(&home.anna, &key).await["operation"]["blocked"]
            .as_str()
            .is_some_and(|why| why.contains("restore"))
    })
    .await;
    home.containerd.refuse(&[]);
    home.wait_for(&home.anna, &key, "running").await;
    assert_eq!(home.containerd.data(&key), data);
}

#[tokio::test]
async fn an_update_whose_image_or_snapshot_cannot_be_had_changes_nothing() {
    let home = Home::new().await;
    let key = home.install(&home.anna, manifest("notes", "notes:1", &json!({}))).await;
    let (spec, data) = (home.containerd.app(&key).unwrap().spec, home.containerd.data(&key));
    home.containerd.unpublish("docker.io/library/notes:2");
    for refused in [&[][..], &["snapshot"], &["stop"]] {
        home.containerd.refuse(refused);
        let to = if refused.is_empty() { "notes:2" } else { "notes:3" };
        home.update(&home.anna, &key, Some(manifest("notes", to, &json!({})))).await;
        wait_until("it has come to nothing", async || {
            let app = home.app(&home.anna, &key).await;
            app["operation"].is_null() && app["state"] == "running" && app["problem"].is_string()
        })
        .await;
        assert_eq!(
            (home.containerd.app(&key).unwrap().spec, home.containerd.data(&key)),
            (spec.clone(), data.clone())
        );
        home.containerd.refuse(&[]);
    }
}

#[tokio::test]
async fn data_that_is_kept_is_taken_up_by_nobody_but_whoever_says_so() {
    let home = Home::new().await;
    let key = home.install(&home.anna, image(NGINX)).await;
    let data = home.containerd.data(&key);
    home.send(&home.anna, "DELETE", &format!("/apps/{key}?data=keep"), &json!({})).await;
    home.wait_for(&home.anna, &key, "removed").await;
    assert!(home.containerd.app(&key).is_none());
    assert_eq!(home.containerd.data(&key), data);
    assert_eq!(home.access(&key), None);
    let start = home.send(&home.anna, "POST", &format!("/apps/{key}/start"), &json!({})).await;
    assert_eq!(start.error().1, "app_removed");
    let berta = home.member("berta").await;
    let body = json!({"source": image(NGINX), "data_of": key});
    assert_eq!(home.send(&berta, "POST", "/apps/inspect", &body).await.error().1, "no_such_app");

    // An installation that fails leaves the data that was there before.
    let broken = home.containerd.publish("docker.io/library/broken:1", "broken");
    home.containerd.break_image(&broken);
    let again = async |name: &str| {
        let body = json!({"source": image(name), "data_of": key});
        let shown = home.inspect(&home.anna, &body).await["shown"].clone();
        let body = json!({"source": image(name), "data_of": key, "shown": shown});
        let answer = home.send(&home.anna, "POST", "/apps", &body).await;
        assert_eq!((answer.status, answer.json()["key"].as_str()), (202, Some(key.as_str())));
    };
    again("broken:1").await;
    wait_until("it has come to nothing", async || {
        let app = home.app(&home.anna, &key).await;
        app["state"] == "removed" && app["problem"].is_string()
    })
    .await;
    assert!(home.containerd.data(&key).is_some());
    again("nginx:1").await;
    home.wait_for(&home.anna, &key, "running").await;
    home.send(&home.anna, "DELETE", &format!("/apps/{key}?data=keep"), &json!({})).await;
    home.wait_for(&home.anna, &key, "removed").await;
    home.send(&home.anna, "DELETE", &format!("/apps/{key}?data=delete"), &json!({})).await;
    home.wait_until_gone(&home.anna, &key).await;
    assert_eq!(home.containerd.data(&key), None, "data of an app that is long gone can still be deleted");
}

/// A whole hostd that is stopped in the middle, and another on the same store: over real sockets.
#[tokio::test]
async fn what_a_restart_cuts_is_carried_on_and_a_netd_that_comes_back_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let (containerd, netd) = (Arc::new(FakeContainerd::default()), Arc::new(FakeNetd::default()));
    let _containerd = containerd.serve(&settings.containers_socket).unwrap();
    let netd_tasks = netd.serve(&settings.net_socket).unwrap();
    let running = hostd::start(settings.clone()).await.unwrap();
    let client = Client::of(&running);
    let cookie = client.post("/api/v1/setup", &setup_body(&claim_code(&running.app))).await.cookie();
    wait_until("containerd-lite is there", async || running.app.apps.problem().is_none()).await;
    assert!(netd.policies().is_empty(), "as long as there was no app there is nothing to tell");
    containerd.hold_up(NGINX);
    let post = async |client: &Client, path: &str, body: Value| client.post_as(&cookie, path, &body).await;
    let shown = post(&client, "/apps/inspect", json!({"source": image(NGINX), "scope": "system"}))
        .await
        .json()["shown"]
        .clone();
    let begun =
        post(&client, "/apps", json!({"source": image(NGINX), "scope": "system", "shown": shown})).await;
    let key = begun.json()["key"].as_str().unwrap().to_owned();
    wait_until("it is pulled", async || containerd.asked().contains(&format!("pull {NGINX}"))).await;
    running.stop().await;

    // netd comes back later than hostd: the app waits for its rules.
    drop(netd_tasks);
    std::fs::remove_file(&settings.net_socket).unwrap();
    containerd.let_go(NGINX);
    let running = hostd::start(settings.clone()).await.unwrap();
    let fixed = format!("pull docker.io/library/nginx@{}", containerd.publish("x", NGINX));
    wait_until("it is pulled again", async || containerd.asked().contains(&fixed)).await;
    assert!(containerd.app(&key).is_none());
    let netd_tasks = netd.serve(&settings.net_socket).unwrap();
    wait_until("it runs", async || containerd.app(&key).is_some_and(|app| app.wanted == Wanted::Running))
        .await;
    let has = |key: &str| netd.policies().last().unwrap().app(&key.parse().unwrap()).is_some();
    assert!(has(&key));

    // A netd that was started anew has forgotten nothing that hostd does not tell it again.
    let told = netd.policies().len();
    drop(netd_tasks);
    std::fs::remove_file(&settings.net_socket).unwrap();
    let _netd = netd.serve(&settings.net_socket).unwrap();
    wait_until("netd is told again", async || netd.policies().len() > told).await;
    assert!(has(&key));
    wait_until("the installation has ended", async || {
        let keys = running.app.apps.containerd().now();
        keys.is_some_and(|world| world.apps.iter().any(|app| app.state == AppState::Running))
    })
    .await;
    running.stop().await;
}
