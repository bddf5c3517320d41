//! What people who are logged in see of the machine.

use crate::harness::PASSWORD;
use crate::harness::Router;
use hostd::accounts::Storage;
use hostd::host::fake::FakeHost;
use hostd::records::Records;
use hostd::storage::protect;
use model::control::ControlRequest;
use model::report::BootReport;
use model::report::DataReport;
use model::report::ServiceReport;
use model::report::ServiceState;
use model::report::ServicesReport;
use std::sync::Arc;
use store::MemoryStore;
use store::Store;

fn services(state: ServiceState) -> ServicesReport {
    let service = ServiceReport {
        name: "netd".to_owned(),
        state,
        pid: Some(77),
        restarts: 3,
        reason: Some("ended with status 1".to_owned()),
        status: None,
    };
    ServicesReport { services: vec![service] }
}

#[tokio::test]
async fn system_shows_the_release_the_machine_and_the_services() {
    let boot = BootReport {
        version: "1.2.3".to_owned(),
        board: "x86_64".to_owned(),
        slot: "hearth_1.2.3".to_owned(),
        data: DataReport::Ready { device: "/dev/vda2".to_owned(), created: true },
        reasons: vec!["no hardware watchdog".to_owned()],
    };
    let store = Arc::new(MemoryStore::new());
    let records = Records::new(Arc::clone(&store) as Arc<dyn Store>);
    let host = FakeHost { boot: Some(boot), ..FakeHost::default() };
    let router = Router::with(Storage::Usable(records), store, host);
    let code = router.code();
    let cookie = router.post("/api/v1/setup", &crate::harness::setup_body(&code), &[]).await.cookie();
    *router.host.services.lock().unwrap() = Some(services(ServiceState::Backoff));
    router.clock.pass(1234);

    let system = router.get("/api/v1/system", &[("cookie", &cookie)]).await.json();
    for (member, value) in [
        ("version", "1.2.3".into()),
        ("board", "x86_64".into()),
        ("slot", "hearth_1.2.3".into()),
        ("uptime_seconds", 1234.into()),
        ("memory", serde_json::json!({"total_bytes": 536_870_912, "available_bytes": 314_572_800})),
        ("time_unix", 1234.into()),
    ] {
        assert_eq!(system[member], value, "{member}");
    }
    assert_eq!(
        system["services"],
        serde_json::json!([{"name": "netd", "state": "backoff", "restarts": 3,
            "reason": "ended with status 1", "status": null}])
    );
    let status = router.get("/api/v1/status", &[]).await.json();
    assert_eq!(status["state"], "ready");
    assert_eq!(status["reasons"], serde_json::json!(["no hardware watchdog"]));

    *router.host.services.lock().unwrap() = Some(services(ServiceState::Degraded));
    let status = router.get("/api/v1/status", &[]).await.json();
    assert_eq!(status["state"], "degraded");
    assert!(status["reasons"][0].as_str().unwrap().contains("netd"), "{status}");
}

#[tokio::test]
async fn logs_and_power_go_to_init() {
    let (router, cookie) = Router::set_up().await;
    let cookie = [("cookie", cookie.as_str())];
    let logs = router.get("/api/v1/logs?unit=netd", &cookie).await;
    assert_eq!(logs.json(), serde_json::json!({"lines": ["1.5 netd: started"]}));
    let unknown = router.get("/api/v1/logs?unit=nobody", &cookie).await;
    assert_eq!(unknown.error(), (422, "invalid_field".to_owned(), Some("unit".to_owned())));
    assert_eq!(router.get("/api/v1/logs?unit=a/b", &cookie).await.status, 422);
    assert_eq!(router.get("/api/v1/system/reboot", &cookie).await.status, 405);
    let foreign = [cookie[0], ("origin", "https://evil.example")];
    assert_eq!(router.post("/api/v1/system/reboot", "", &foreign).await.status, 403);
    assert_eq!(router.send("POST", "/api/v1/system/reboot", "", &cookie).await.status, 202);
    assert_eq!(router.send("POST", "/api/v1/system/poweroff", "{}", &cookie).await.status, 202);
    let logs = |unit: &str| ControlRequest::Logs { unit: Some(unit.to_owned()), lines: 200 };
    assert_eq!(
        *router.host.asked.lock().unwrap(),
        [logs("netd"), logs("nobody"), ControlRequest::Reboot, ControlRequest::PowerOff]
    );
}

#[tokio::test]
async fn a_factory_reset_takes_the_name_of_the_box_and_the_password() {
    let (router, cookie) = Router::set_up().await;
    let reset = async |hostname: &str, password: &str| {
        let body = serde_json::json!({"hostname": hostname, "password": password}).to_string();
        router.post("/api/v1/system/factory-reset", &body, &[("cookie", cookie.as_str())]).await
    };
    let name = router.get("/api/v1/status", &[]).await.json()["hostname"].as_str().unwrap().to_owned();
    let field = Some("hostname".to_owned());
    assert_eq!(reset("", PASSWORD).await.error(), (422, "invalid_field".to_owned(), field.clone()));
    assert_eq!(reset("another", PASSWORD).await.error(), (422, "invalid_field".to_owned(), field));
    assert_eq!(reset(&name, "wrong password").await.error(), (403, "wrong_password".to_owned(), None));
    let body = serde_json::json!({"hostname": name, "password": PASSWORD}).to_string();
    assert_eq!(router.post("/api/v1/system/factory-reset", &body, &[]).await.status, 401);
    assert_eq!(*router.host.asked.lock().unwrap(), []);
    assert_eq!(reset(&name.to_uppercase(), PASSWORD).await.status, 202);
    assert_eq!(*router.host.asked.lock().unwrap(), [ControlRequest::FactoryReset]);
}

#[tokio::test]
async fn a_disk_that_does_not_confirm_a_change_is_not_written_to_any_more() {
    let host = FakeHost::default();
    protect::follow(std::future::ready(()), &host).await;
    assert_eq!(*host.asked.lock().unwrap(), [ControlRequest::ProtectData]);
}
