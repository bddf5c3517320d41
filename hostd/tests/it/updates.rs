//! Updates through the API: what is offered, fetched, refused, tried and remembered.

use crate::schema::faults;
use crate::streams::Stream;
use crate::updates_world::DAY;
use crate::updates_world::Home;
use crate::updates_world::NOW;
use crate::updates_world::World;
use crate::updates_world::place;
use crate::updates_world::running;
use crate::updates_world::slot;
use hostd::storaged::fake::FakeStoraged;
use model::control::ControlRequest;
use model::network::report::NetworkReport;
use model::update::FailedSlot;
use model::update::FailureLog;
use model::update::SlotStanding;
use model::update::UpdateOrder;
use model::update::UpdateOrigin;
use slots::Words;
use std::fs;
use std::sync::Arc;

fn stable() -> update::Place {
    place("x86_64", "stable")
}

fn install(version: &str, order: UpdateOrder, origin: UpdateOrigin) -> ControlRequest {
    ControlRequest::InstallUpdate { version: version.to_owned(), order, origin }
}

#[tokio::test]
async fn an_update_is_found_fetched_written_and_restarted_into() {
    let world = World::new();
    let home = Home::new(&world).await;
    assert_eq!(home.view().await["progress"]["phase"], "idle");
    assert_eq!(home.check("up_to_date").await["offers"], serde_json::json!([]));
    world.add(&stable(), "2", &slot(2));
    // By themselves: found, fetched and written, and no restart.
    let ready = home.check("ready").await;
    assert_eq!(faults(&ready, "UpdatesView"), Vec::<String>::new());
    assert_eq!((&ready["progress"]["version"], &ready["offers"][0]["turn"]), (&"2".into(), &"now".into()));
    assert_eq!(home.fetched().unwrap(), slot(2));
    assert_eq!(home.asked(), [install("2", UpdateOrder::Automatic, UpdateOrigin::Network)]);
    let again = home.send("POST", "/restart", "").await;
    assert_eq!(again.status, 202, "{again:?}");
    assert_eq!(home.asked().last(), Some(&ControlRequest::RestartIntoUpdate));
    assert_eq!(home.view().await["progress"]["phase"], "restarting");
    // The new system comes up, proves itself, and is kept.
    home.show(running("2", SlotStanding::Kept));
    home.look().await;
    let view = home.view().await;
    assert_eq!(faults(&view, "UpdatesView"), Vec::<String>::new());
    assert_eq!(view["history"][0]["outcome"], "installed");
    assert_eq!((&view["history"][0]["from"], &view["history"][0]["to"]), (&"1".into(), &"2".into()));
}

#[tokio::test]
async fn an_owner_who_is_asked_decides() {
    let world = World::new();
    world.add(&stable(), "2", &slot(2));
    let home = Home::new(&world).await;
    home.only_ask().await;
    home.check("available").await;
    assert_eq!((home.fetched(), home.asked()), (None, vec![]));
    let wrong = home.send("POST", "/apply", r#"{"version":"3"}"#).await;
    assert_eq!(wrong.error(), (409, "update_not_offered".to_owned(), None));
    let restart = home.send("POST", "/restart", "").await;
    assert_eq!(restart.error(), (409, "no_update_ready".to_owned(), None));
    let applied = home.send("POST", "/apply", r#"{"version":"2","now":true}"#).await;
    assert_eq!(applied.status, 202, "{applied:?}");
    home.wait("restarting").await;
    let wanted = [install("2", UpdateOrder::Asked, UpdateOrigin::Network), ControlRequest::RestartIntoUpdate];
    assert_eq!(home.asked(), wanted);
}

#[tokio::test]
async fn what_is_not_for_this_box_now_says_why() {
    let world = World::new();
    world.add(&stable(), "2", &slot(2));
    world.edit("2", |custom| custom.rollout = 0);
    let home = Home::new(&world).await;
    // Not its turn: told, and not taken by itself.
    let view = home.check("available").await;
    assert_eq!((&view["offers"][0]["turn"], home.asked()), (&"later".into(), vec![]));
    world.edit("2", |custom| custom.paused = Some(Words::new("it eats data")));
    let view = home.check("available").await;
    assert_eq!(view["offers"][0]["turn"], "held_back");
    assert!(view["offers"][0]["reason"].as_str().unwrap().contains("it eats data"));
    let refused = home.send("POST", "/apply", r#"{"version":"2"}"#).await;
    assert_eq!(refused.error(), (409, "update_held_back".to_owned(), None));
    // What failed once is not tried again by itself, and an owner may.
    world.edit("2", |custom| (custom.paused, custom.rollout) = (None, 100));
    let mut failed = running("1", SlotStanding::Kept);
    failed.failed.push(FailedSlot { version: "2".to_owned(), reason: "netd did not start".to_owned() });
    home.show(failed);
    let view = home.check("available").await;
    assert_eq!((&view["offers"][0]["turn"], home.asked()), (&"failed".into(), vec![]));
    assert!(view["offers"][0]["reason"].as_str().unwrap().contains("netd did not start"));
    assert_eq!(home.send("POST", "/apply", r#"{"version":"2"}"#).await.status, 202);
    home.wait("ready").await;
    // Other boards and channels, and lower versions, are no offers at all.
    let world = World::new();
    for (place, version) in
        [(place("rpi4", "stable"), "3"), (place("x86_64", "beta"), "4"), (stable(), "0.9")]
    {
        world.add(&place, version, &slot(3));
    }
    Home::new(&world).await.check("up_to_date").await;
}

#[tokio::test]
async fn what_the_repository_says_wrongly_is_refused_with_its_words() {
    let world = World::new();
    world.add(&stable(), "2", &slot(2));
    let home = Home::new(&world).await;
    let failed = async || home.check("failed").await["progress"]["reason"].as_str().unwrap().to_owned();
    // Expired.
    home.router.clock.set_wall_unix(NOW + 40 * DAY);
    assert!(failed().await.contains("expired"), "{}", failed().await);
    // The clock is not set.
    home.router.clock.set_wall_unix(NOW);
    home.netd.show_report(NetworkReport::default());
    assert!(failed().await.contains("clock of this box is not set"));
    home.netd.show_report(synchronised());
    // Somebody else signed.
    let timestamp = world.path().join("metadata/timestamp.json");
    let good = fs::read(&timestamp).unwrap();
    fs::copy(World::new().path().join("metadata/timestamp.json"), &timestamp).unwrap();
    let words = failed().await;
    assert!(words.contains("signed by") || words.contains("version"), "{words}");
    fs::write(&timestamp, good).unwrap();
    // Other bytes than were signed, and then the right ones.
    for entry in walk(&world.path().join("targets")) {
        fs::write(&entry, vec![7; fs::read(&entry).unwrap().len()]).unwrap();
    }
    let words = failed().await;
    assert!(words.contains("version 2") || words.contains("other content"), "{words}");
    assert_eq!((home.fetched(), home.asked()), (None, vec![]));
}

#[tokio::test]
async fn a_full_disk_is_said_before_anything_is_fetched() {
    let world = World::new();
    world.add(&stable(), "2", &slot(2));
    let home = Home::with_a_full_disk(&world).await;
    let view = home.check("failed").await;
    let reason = view["progress"]["reason"].as_str().unwrap();
    assert!(reason.contains("the disk is full"), "{reason}");
    assert_eq!((home.fetched(), home.asked()), (None, vec![]));
    let brought = home.bring(&world.bundle(&stable(), "2")).await;
    assert_eq!(brought.error(), (507, "disk_full".to_owned(), None), "{brought:?}");
}

#[tokio::test]
async fn progress_is_told_as_it_happens_and_to_the_owner_only() {
    let world = World::new();
    world.add(&stable(), "2", &slot(2));
    let home = Home::new(&world).await;
    let mut events = Stream::open(&home.router, "/api/v1/updates/events", &home.cookie).await;
    let first = events.until("progress", |_any| true).await;
    assert_eq!((&first["phase"], faults(&first, "UpdateProgress")), (&"idle".into(), vec![]));
    home.send("POST", "/check", "").await;
    let last = events
        .until("progress", |progress| progress["phase"] != "idle" && progress["phase"] != "checking")
        .await;
    assert!(!last["version"].is_null(), "{last}");
    let stranger = home.router.get("/api/v1/updates/events", &[]).await;
    assert_eq!(stranger.status, 401);
}

#[tokio::test]
async fn a_new_loader_and_the_installer_may_be_in_the_way() {
    let world = World::new();
    world.add(&stable(), "2", &slot(2));
    let home = Home::new(&world).await;
    let mut old = running("1", SlotStanding::Kept);
    old.loader = Some("systemd-boot 255".to_owned());
    home.show(old);
    let view = home.check("failed").await;
    assert!(view["progress"]["reason"].as_str().unwrap().contains("needs boot loader 257"), "{view}");
    home.show(running("1", SlotStanding::Kept));
    *home.router.host.install_problem.lock().unwrap() = Some("the boot partition is full".to_owned());
    let view = home.check("failed").await;
    let reason = view["progress"]["reason"].as_str().unwrap();
    assert_eq!(reason, "the new system was not written: the boot partition is full");
}

#[tokio::test]
async fn a_cut_download_goes_on_from_what_is_there() {
    let world = World::new();
    world.add(&stable(), "2", &slot(2));
    let home = Home::new(&world).await;
    let part = crate::harness::places(home.router.folder.path()).folder.join("slot.efi.part");
    let mut half = slot(2);
    half.truncate(100_000);
    fs::write(&part, half).unwrap();
    home.check("ready").await;
    assert_eq!(home.fetched().unwrap(), slot(2));
    assert!(!part.exists());
}

#[tokio::test]
async fn a_file_is_taken_and_each_wrong_one_refused() {
    let world = World::new();
    world.add(&stable(), "2", &slot(2));
    world.add(&stable(), "0.9", &slot(9));
    world.add(&place("rpi4", "stable"), "3", &slot(3));
    let good = world.bundle(&stable(), "2");
    let home = Home::new(&world).await;
    // An owner who holds the file may go without a clock.
    home.netd.show_report(NetworkReport::default());
    let other = World::new();
    other.add(&stable(), "2", &slot(2));
    let mut changed = good.clone();
    let end = changed.len() - 5000;
    changed[end] ^= 1;
    for (file, words) in [
        (b"hello".to_vec(), "cut off"),
        (good[..good.len() / 2].to_vec(), "cut off"),
        (changed, "not"),
        (world.bundle(&stable(), "0.9"), "not newer"),
        (world.bundle(&place("rpi4", "stable"), "3"), "rpi4"),
        (other.bundle(&stable(), "2"), "signed by"),
    ] {
        let refused = home.bring(&file).await;
        assert_eq!(refused.error().1, "update_refused", "{refused:?}");
        let message = refused.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains(words), "{words}: {message}");
    }
    assert_eq!((home.fetched(), home.asked()), (None, vec![]));
    let taken = home.bring(&good).await;
    assert_eq!((taken.status, &taken.json()["version"]), (202, &"2".into()));
    home.wait("ready").await;
    assert_eq!(home.fetched().unwrap(), slot(2));
    assert_eq!(home.asked(), [install("2", UpdateOrder::Asked, UpdateOrigin::Bundle)]);
    // Too old is too old, whoever brings it.
    home.router.clock.set_wall_unix(NOW + 40 * DAY);
    let late = home.bring(&good).await;
    assert!(late.json()["error"]["message"].as_str().unwrap().contains("expired"), "{late:?}");
}

#[tokio::test]
async fn a_stick_is_read_and_left_and_says_what_it_lacks() {
    let world = World::new();
    world.add(&stable(), "2", &slot(2));
    let home = Home::new(&world).await;
    let storaged = Arc::new(FakeStoraged::default());
    let _connection = home.router.attach_storaged(&storaged).await;
    let words = async || {
        let refused = home.send("POST", "/stick", "").await;
        assert_eq!(refused.error().1, "update_refused", "{refused:?}");
        refused.json()["error"]["message"].as_str().unwrap().to_owned()
    };
    assert!(words().await.contains("no disk is plugged in"));
    let stick = tempfile::tempdir().unwrap();
    storaged.plug_in(Some(stick.path().to_owned()));
    assert!(words().await.contains("hearth_x86_64_"));
    fs::write(stick.path().join("hearth_x86_64_9.bundle"), "hello").unwrap();
    assert!(words().await.contains("cut off"));
    fs::remove_file(stick.path().join("hearth_x86_64_9.bundle")).unwrap();
    fs::write(stick.path().join("hearth_x86_64_2.bundle"), world.bundle(&stable(), "2")).unwrap();
    assert_eq!((home.fetched(), home.asked(), storaged.disk_is_mounted()), (None, vec![], false));
    let taken = home.send("POST", "/stick?now=true", "").await;
    assert_eq!((taken.status, &taken.json()["version"]), (202, &"2".into()));
    home.wait("restarting").await;
    assert_eq!((home.fetched().unwrap(), storaged.disk_is_mounted()), (slot(2), false));
    let wanted = [install("2", UpdateOrder::Asked, UpdateOrigin::Bundle), ControlRequest::RestartIntoUpdate];
    assert_eq!(home.asked(), wanted);
}

#[tokio::test]
async fn a_system_on_trial_is_told_of_and_given_up_with_the_checks_name() {
    let home = Home::with(&World::new(), running("2", SlotStanding::OnTrial)).await;
    home.look().await;
    let view = home.view().await;
    assert_eq!(faults(&view, "UpdatesView"), Vec::<String>::new());
    assert_eq!(
        (&view["progress"]["phase"], &view["progress"]["seconds_left"]),
        (&"trying".into(), &480.into())
    );
    // Nothing listens in this test, so the page does not answer.
    let waiting = view["progress"]["waiting"][0].as_str().unwrap();
    assert!(waiting.starts_with("the box's own page does not answer"), "{waiting}");
    assert_eq!(home.send("POST", "/check", "").await.error().1, "update_on_trial");
    home.router.clock.pass(481);
    home.look().await;
    let asked = home.asked();
    let Some(ControlRequest::FailUpdate { why }) = asked.last() else { panic!("{asked:?}") };
    assert!(why.starts_with("the box's own page does not answer"), "{why}");
}

#[tokio::test]
async fn a_fall_back_is_remembered_with_its_log() {
    let world = World::new();
    world.add(&stable(), "2", &slot(2));
    let home = Home::new(&world).await;
    home.check("ready").await;
    let mut back = running("1", SlotStanding::Kept);
    back.failed
        .push(FailedSlot { version: "2".to_owned(), reason: "the app notes is not healthy".to_owned() });
    back.failure = Some(FailureLog {
        version: "2".to_owned(),
        why: "the app notes is not healthy".to_owned(),
        text: "1.0 notes: no\n".to_owned(),
    });
    home.show(back);
    home.look().await;
    let view = home.view().await;
    let past = &view["history"][0];
    assert_eq!(
        (&past["outcome"], &past["reason"]),
        (&"fell_back".into(), &"the app notes is not healthy".into())
    );
    let log = home.send("GET", "/log?number=1", "").await;
    assert_eq!(log.json()["text"], "1.0 notes: no\n");
    assert_eq!(home.send("GET", "/log?number=2", "").await.status, 404);
    assert_eq!(home.view().await["progress"]["phase"], "idle");
}

#[tokio::test]
async fn settings_are_kept_and_bad_ones_named() {
    let home = Home::new(&World::new()).await;
    let bad = home.send("PUT", "/settings", r#"{"window":{"from_minute":1440}}"#).await;
    assert_eq!(bad.error(), (422, "invalid_field".to_owned(), Some("window.from_minute".to_owned())));
    home.only_ask().await;
    assert_eq!(home.view().await["settings"]["mode"], "ask");
}

fn synchronised() -> NetworkReport {
    let mut report = NetworkReport::default();
    report.time.synchronised = true;
    report
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(walk(&path)) } else { files.push(path) }
    }
    files
}
