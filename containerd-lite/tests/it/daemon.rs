//! The daemon over its real socket, with a runtime in memory and a netd that answers as it is told.
//!
//! Each run of the daemon has threads of its own, so that one can be killed at any point while what it started goes on.

mod fake;
mod home;

use crate::world;
use home::Home;
use home::IMAGE;
use home::id;
use home::key;
use hostapi::containers1;
use hostapi::containers1::Containers1Error;
use model::containers::AppReport;
use model::containers::AppState;
use model::containers::ContainerState;
use model::containers::DataState;
use model::containers::End;
use model::containers::ImageReport;
use model::containers::LogStream;
use model::containers::PullReport;
use model::containers::PullState;
use model::containers::Wanted;
use serde_json::Value;
use serde_json::json;
use std::fs;
use std::fs::File;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

#[test]
fn an_app_runs_prints_and_stops_and_its_network_goes() {
    let home = Home::new();
    home.run(
        "notes",
        &json!({ "web": home.container(&json!({ "volumes": [{ "name": "db", "target": "/db" }] })) }),
    );
    home.wait_for_state("notes", AppState::Running);
    {
        let world = home.runtime.world();
        let start = &world.containers[&id("notes", "web")].start;
        assert_eq!(
            (&*start.words, start.first_id, start.layers.len()),
            (&["/app".to_owned()][..], 0x2000_0000, 1)
        );
        assert_eq!(start.hosts, "127.0.0.1 localhost\n127.0.0.1 web\n::1 web\n");
        assert!(start.layers[0].join("app").is_file() && start.volumes[0].source.is_dir());
    }
    let report = home.report("notes");
    assert_eq!(report.containers.values().next().unwrap().usage.unwrap().tasks, 3);
    home.runtime.stdout(&id("notes", "web")).write_all(b"hello\nworld").unwrap();
    home.wait_for_line("notes", "web", "hello");
    home.ask(async |proxy| proxy.stop_app("notes").await).unwrap();
    home.wait_for_state("notes", AppState::Stopped);
    // The last line had no end.
    home.wait_for_line("notes", "web", "world");
    let page = home.log("notes", "web");
    let texts: Vec<_> = page.lines.iter().map(|line| (line.number, line.stream, &*line.text)).collect();
    assert_eq!(
        texts,
        [
            (1, LogStream::Box, "it is started"),
            (2, LogStream::Stdout, "hello"),
            (3, LogStream::Box, "it is told to stop"),
            (4, LogStream::Stdout, "world"),
            (5, LogStream::Box, "it ended with code 0"),
        ]
    );
    home.wait_for("no network", |_| home.netd.net().attached.is_empty());
    assert_eq!(home.runtime.calls(), ["start notes/web", "stop notes/web"]);
    let unknown = home.ask(async |proxy| proxy.logs("notes", "db", 0, 1).await).unwrap_err();
    assert!(matches!(unknown, Containers1Error::UnknownContainer(_)), "{unknown:?}");
    let unknown = home.ask(async |proxy| proxy.start_app("other").await).unwrap_err();
    assert!(matches!(unknown, Containers1Error::UnknownApp(_)), "{unknown:?}");
}

#[test]
fn who_waits_for_a_change_is_told_of_each() {
    let home = Home::new();
    let wait = |seen: u64| home.ask(async |proxy| proxy.wait_for_change(seen).await).unwrap();
    let mut seen = wait(0);
    home.run("notes", &json!({ "web": home.container(&json!({})) }));
    // Between two looks nothing is missed: the last change is the one to the state that lasts.
    while home.report("notes").state != AppState::Running {
        seen = wait(seen);
    }
    home.runtime.end_with(&id("notes", "web"), End::Code(3));
    while home.report("notes").containers.values().next().unwrap().last_end != Some(End::Code(3)) {
        seen = wait(seen);
    }
    assert_ne!(seen, 0);
}

#[test]
fn without_rules_of_the_network_nothing_starts_and_it_is_told_and_tried_again() {
    let mut home = Home::without_netd();
    home.run("notes", &json!({ "web": home.container(&json!({})) }));
    let waits = |home: &Home, part: &str| {
        home.wait_for(part, |reports| {
            let report = &reports[0];
            let container = report.containers.values().next().unwrap();
            report.state == AppState::Starting
                && container.state == ContainerState::Waiting
                && report.reasons.iter().any(|reason| reason.contains(part))
        });
        assert_eq!(home.runtime.calls(), [""; 0]);
    };
    waits(&home, "the network daemon cannot be asked");
    home.netd.net().refuses = Some("the firewall is not loaded".to_owned());
    home.start_netd();
    waits(&home, "the firewall is not loaded");
    // Nothing is left of what was tried.
    home.netd.net().refuses = None;
    home.wait_for_state("notes", AppState::Running);
    assert_eq!(home.report("notes").reasons, [""; 0]);
}

#[test]
fn a_network_that_nobody_noted_is_made_anew() {
    let home = Home::new();
    home.netd.net().attached.insert(key("notes"));
    home.run("notes", &json!({ "web": home.container(&json!({})) }));
    home.wait_for_state("notes", AppState::Running);
}

#[test]
fn apps_outlive_a_daemon_that_is_killed_and_are_found_again() {
    let mut home = Home::new();
    let once = home.container(&json!({ "restart": "never" }));
    let web = home.container(&json!({ "after": [{ "container": "job", "until": "completed" }] }));
    home.run("notes", &json!({ "job": once, "web": web }));
    home.run("photos", &json!({ "web": home.container(&json!({})) }));
    home.wait_for_state("photos", AppState::Running);
    home.wait_for("job runs", |reports| {
        reports.iter().any(|r| {
            r.containers.iter().any(|(n, c)| n.as_str() == "job" && c.state == ContainerState::Running)
        })
    });
    home.runtime.end_with(&id("notes", "job"), End::Code(0));
    home.wait_for_state("notes", AppState::Running);
    let before = home.runtime.calls();
    assert_eq!(before.len(), 3);

    home.kill();
    let mut stdout = home.runtime.stdout(&id("photos", "web"));
    stdout.write_all(b"while nobody looked\n").unwrap();
    home.start();
    home.wait_for_state("notes", AppState::Running);
    home.wait_for_state("photos", AppState::Running);
    let job = home.report("notes").containers.remove(&"job".parse().unwrap()).unwrap();
    assert_eq!(job.state, ContainerState::Completed);
    home.wait_for_line("photos", "web", "while nobody looked");
    assert_eq!(home.runtime.calls(), before);

    // What ends while there is no daemon is started again by the next.
    home.kill();
    home.runtime.end_with(&id("photos", "web"), End::OutOfMemory);
    home.start();
    home.wait_for("photos is started again", |_| home.runtime.calls().len() == 4);
    home.wait_for_state("photos", AppState::Running);
    let web = home.report("photos").containers.remove(&"web".parse().unwrap()).unwrap();
    assert_eq!((web.last_end, web.restarts), (Some(End::OutOfMemory), 1));
    home.wait_for_line("photos", "web", "more memory than the 64 MiB");

    // And it still does what it is told.
    home.ask(async |proxy| proxy.stop_app("photos").await).unwrap();
    home.wait_for_state("photos", AppState::Stopped);
    assert_eq!(home.netd.net().attached.len(), 1);
}

/// Killed right after each word, at whatever step: what is asked for comes about in the next run.
#[test]
fn a_daemon_killed_at_any_step_leaves_nothing_behind_that_the_next_does_not_mend() {
    let mut home = Home::new();
    let containers = json!({ "web": home.container(&json!({})), "db": home.container(&json!({})) });
    for round in 0..12_u64 {
        let other = json!({ "web": home.container(&json!({ "user": round.to_string() })), "db": home.container(&json!({})) });
        home.run("notes", if round % 3 == 0 { &containers } else { &other });
        std::thread::sleep(Duration::from_millis(round * 3));
        home.kill();
        home.start();
        home.wait_for_state("notes", AppState::Running);
        assert_eq!(home.runtime.world().containers.len(), 2);
        let wished = if round % 3 == 0 { String::new() } else { round.to_string() };
        assert_eq!(home.runtime.world().containers[&id("notes", "web")].start.user, wished);
        home.ask(async |proxy| proxy.stop_app("notes").await).unwrap();
        std::thread::sleep(Duration::from_millis(round * 2));
        home.kill();
        home.start();
        home.wait_for_state("notes", AppState::Stopped);
        home.wait_for("no network", |_| home.netd.net().attached.is_empty());
        assert!(home.runtime.world().containers.is_empty());
    }
}

#[test]
fn containers_of_no_app_are_ended_and_those_of_an_unreadable_one_left_alone() {
    let mut home = Home::new();
    for app in ["notes", "photos"] {
        home.run(app, &json!({ "web": home.container(&json!({})) }));
        home.wait_for_state(app, AppState::Running);
    }
    home.kill();
    fs::remove_file(home.path("state/photos.json")).unwrap();
    fs::write(home.path("state/notes.json"), "{").unwrap();
    home.start();
    home.wait_for("photos is gone", |_| !home.runtime.world().containers.contains_key(&id("photos", "web")));
    home.wait_for("its network, too", |_| home.netd.net().attached.len() == 1);
    let report = home.report("notes");
    assert_eq!(report.state, AppState::Failed);
    assert!(report.reasons[0].contains("notes.json"), "{report:?}");
    assert_eq!(home.runtime.calls().iter().filter(|call| call.contains("notes")).count(), 1);
    // Nobody gets its ids.
    let refused = home.try_set("new", &json!({ "web": home.container(&json!({})) })).unwrap_err();
    assert!(
        matches!(&refused, Containers1Error::Refused(said) if said.contains("notes.json")),
        "{refused:?}"
    );
    home.ask(async |proxy| proxy.remove_app("notes", true).await).unwrap();
    home.wait_for("notes is gone", <[AppReport]>::is_empty);
    assert!(home.runtime.world().containers.is_empty() && home.runtime.world().networks.is_empty());
    home.try_set("new", &json!({ "web": home.container(&json!({})) })).unwrap();
}

#[test]
fn a_flood_of_one_app_hurts_neither_the_others_nor_the_disk() {
    let home = Home::new();
    for app in ["loud", "quiet"] {
        home.run(app, &json!({ "web": home.container(&json!({})) }));
        home.wait_for_state(app, AppState::Running);
    }
    let mut loud = home.runtime.stdout(&id("loud", "web"));
    let flood = std::thread::spawn(move || {
        let line = [&[b'x'; 199][..], b"\n"].concat().repeat(100);
        for _ in 0..1000 {
            loud.write_all(&line).unwrap();
        }
    });
    home.runtime.stdout(&id("quiet", "web")).write_all(b"I am still here\n").unwrap();
    home.wait_for_line("quiet", "web", "I am still here");
    flood.join().unwrap();
    home.ask(async |proxy| proxy.stop_app("loud").await).unwrap();
    home.wait_for_state("loud", AppState::Stopped);
    home.wait_for_line("loud", "web", "lines were left out");
    let bytes: u64 = fs::read_dir(home.path("apps/loud/logs/web"))
        .unwrap()
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .sum();
    assert!(bytes < 2 << 20, "{bytes}");
    let page = home.log("loud", "web");
    let told: u64 = page
        .lines
        .iter()
        .filter_map(|line| {
            line.text
                .strip_suffix(" lines were left out: at most 8192 bytes a second are kept in the long run")?
                .parse::<u64>()
                .ok()
        })
        .sum();
    let kept = page.next - 1;
    assert!(told > 90_000 && told + kept >= 100_000, "{told} left out, {kept} kept");
}

#[test]
fn checks_by_program_and_by_page_say_whether_an_app_works() {
    let home = Home::new();
    let page = world::Fake::start(Box::new(|first, _headers, stream| {
        let status = if first.starts_with("GET /up ") { "204 No Content" } else { "500 Oh" };
        world::send(stream, status, "", b"")
    }));
    let port: u16 = page.host.rsplit(':').next().unwrap().parse().unwrap();
    let check = |probe: Value| {
        home.container(&json!({ "health": {
            "probe": probe, "interval_seconds": 1, "timeout_seconds": 30, "retries": 2, "start_seconds": 0,
        } }))
    };
    home.run("program", &json!({ "web": check(json!({ "command": ["check", "me"] })) }));
    home.run("page", &json!({ "web": check(json!({ "http": { "port": port, "path": "/up" } })) }));
    home.run("lost", &json!({ "web": check(json!({ "http": { "port": port, "path": "/lost" } })) }));
    home.wait_for_state("program", AppState::Running);
    home.wait_for_state("page", AppState::Running);
    home.wait_for_state("lost", AppState::Unhealthy);
    assert_eq!(home.report("lost").reasons, ["web: its check fails: it answers with status 500"]);
    home.runtime.world().unhealthy = Some("no database".to_owned());
    home.wait_for_state("program", AppState::Unhealthy);
    let said = "web: its check fails: its program ended with code 7: no database";
    assert_eq!(home.report("program").reasons, [said]);
    home.runtime.world().unhealthy = None;
    home.wait_for_state("program", AppState::Running);
}

#[test]
fn what_ends_is_started_again_and_what_is_impossible_is_not() {
    let home = Home::new();
    home.run("notes", &json!({ "web": home.container(&json!({})) }));
    home.wait_for_state("notes", AppState::Running);
    home.runtime.end_with(&id("notes", "web"), End::Signal(11));
    home.wait_for("it backs off or runs again", |reports| {
        reports[0].containers.values().next().unwrap().last_end == Some(End::Signal(11))
    });
    home.wait_for("it is started again", |_| home.runtime.calls().len() == 2);
    home.wait_for_state("notes", AppState::Running);
    home.wait_for_line("notes", "web", "it was ended by signal 11");
    home.runtime.world().impossible = true;
    home.ask(async |proxy| proxy.restart_app("notes").await).unwrap();
    home.wait_for_state("notes", AppState::Failed);
    assert_eq!(home.report("notes").reasons, ["web: it cannot be started: no such user"]);
    home.runtime.world().impossible = false;
    home.ask(async |proxy| proxy.start_app("notes").await).unwrap();
    home.wait_for_state("notes", AppState::Running);
}

#[test]
fn what_does_not_stop_is_killed_after_its_time() {
    let home = Home::new();
    home.runtime.world().stubborn = true;
    home.run("notes", &json!({ "web": home.container(&json!({ "stop": { "seconds": 1 } })) }));
    home.wait_for_state("notes", AppState::Running);
    home.ask(async |proxy| proxy.stop_app("notes").await).unwrap();
    home.wait_for_state("notes", AppState::Stopped);
    assert_eq!(home.runtime.calls(), ["start notes/web", "stop notes/web", "kill notes/web"]);
}

#[test]
fn volumes_are_copied_and_restored_only_when_nothing_runs() {
    let home = Home::new();
    let volume = json!({ "volumes": [{ "name": "db", "target": "/db" }] });
    home.run("notes", &json!({ "web": home.container(&volume) }));
    home.wait_for_state("notes", AppState::Running);
    let rows = home.path("apps/notes/volumes/db/rows");
    fs::write(&rows, "one").unwrap();
    let refused = home.ask(async |proxy| proxy.snapshot_volumes("notes", "before").await).unwrap_err();
    assert!(matches!(refused, Containers1Error::Running(_)), "{refused:?}");
    home.ask(async |proxy| proxy.stop_app("notes").await).unwrap();
    home.wait_for_state("notes", AppState::Stopped);
    home.ask(async |proxy| proxy.snapshot_volumes("notes", "before").await).unwrap();
    fs::write(&rows, "two").unwrap();
    home.ask(async |proxy| proxy.restore_volumes("notes", "before").await).unwrap();
    assert_eq!(fs::read_to_string(&rows).unwrap(), "one");
    let gone = home.ask(async |proxy| proxy.restore_volumes("notes", "before").await).unwrap_err();
    assert!(matches!(gone, Containers1Error::UnknownSnapshot(_)), "{gone:?}");
    home.ask(async |proxy| proxy.snapshot_volumes("notes", "before").await).unwrap();
    home.ask(async |proxy| proxy.start_app("notes").await).unwrap();
    home.wait_for_state("notes", AppState::Running);
    let refused = home.ask(async |proxy| proxy.restore_volumes("notes", "before").await).unwrap_err();
    assert!(matches!(refused, Containers1Error::Running(_)), "{refused:?}");
    home.ask(async |proxy| proxy.remove_snapshot("notes", "before").await).unwrap();
    assert!(!home.path("apps/notes/snapshots/before").exists());
}

#[test]
fn a_removed_app_keeps_its_data_and_its_ids_unless_they_are_to_go() {
    let mut home = Home::new();
    let volume = json!({ "volumes": [{ "name": "db", "target": "/db" }] });
    let web = json!({ "web": home.container(&volume) });
    for app in ["first", "second"] {
        home.run(app, &web);
        home.wait_for_state(app, AppState::Running);
    }
    home.ask(async |proxy| proxy.remove_app("first", false).await).unwrap();
    home.wait_for("first is gone", |reports| reports.len() == 1);
    assert!(home.path("apps/first/volumes/db").is_dir());
    // Also for a daemon that comes later.
    home.kill();
    home.start();
    home.run("third", &web);
    home.run("first", &web);
    for app in ["first", "second", "third"] {
        home.wait_for_state(app, AppState::Running);
    }
    let first_id = |app: &str| home.runtime.world().containers[&id(app, "web")].start.first_id;
    assert_eq!(["first", "second", "third"].map(first_id), [0x2000_0000, 0x2001_0000, 0x2002_0000]);
    for _ in 0..2 {
        home.ask(async |proxy| proxy.remove_app("first", false).await).unwrap();
        home.wait_for("first is gone", |reports| reports.len() == 2);
    }
    home.ask(async |proxy| proxy.remove_app("first", true).await).unwrap();
    home.wait_for("its data is gone", |reports| reports.len() == 2 && !home.path("apps/first").exists());
    home.wait_for("its record is gone", |_| !home.path("state/first.json").exists());
    home.run("fourth", &web);
    home.wait_for_state("fourth", AppState::Running);
    let first_id = home.runtime.world().containers[&id("fourth", "web")].start.first_id;
    assert_eq!(first_id, 0x2000_0000);
}

#[test]
fn an_app_runs_while_its_data_is_unlocked() {
    let mut home = Home::new();
    home.run("notes", &json!({ "web": home.container(&json!({})) }));
    home.wait_for_state("notes", AppState::Running);
    let lock = |home: &Home| home.ask(async |proxy| proxy.lock_data("notes").await).unwrap();
    lock(&home);
    home.wait_for("its data is locked", |apps| apps[0].data == DataState::Locked);
    assert_eq!(
        (home.report("notes").state, home.report("notes").wanted),
        (AppState::Locked, Wanted::Running)
    );
    assert!(home.runtime.world().containers.is_empty());
    // Neither its log nor its volumes are to be had.
    let log = home.ask(async |proxy| proxy.logs("notes", "web", 0, 10).await).unwrap_err();
    assert!(matches!(log, Containers1Error::Locked(_)), "{log:?}");
    home.ask(async |proxy| proxy.stop_app("notes").await).unwrap();
    let saved = home.ask(async |proxy| proxy.snapshot_volumes("notes", "x").await).unwrap_err();
    assert!(matches!(saved, Containers1Error::Locked(_)), "{saved:?}");
    lock(&home);
    home.ask(async |proxy| proxy.start_app("notes").await).unwrap();
    assert_eq!(home.report("notes").state, AppState::Locked);
    home.unlock("notes").unwrap();
    home.wait_for_state("notes", AppState::Running);
    home.unlock("notes").unwrap();
    assert_eq!(home.report("notes").state, AppState::Running);
    // The kernel remembers what is shown.
    home.kill();
    home.start();
    home.wait_for_state("notes", AppState::Running);
    home.wait_for_line("notes", "web", "it is told to stop");
    let short = home.ask(async |proxy| proxy.unlock_data("notes", b"short".to_vec()).await).unwrap_err();
    assert!(matches!(short, Containers1Error::Invalid(_)), "{short:?}");
    let unknown = home.unlock("other").unwrap_err();
    assert!(matches!(unknown, Containers1Error::UnknownApp(_)), "{unknown:?}");
}

fn pull(home: &Home, name: &str) -> PullState {
    home.ask(async |proxy| proxy.pull_image(name, &home.registries).await).unwrap();
    let mut ended = None;
    home.wait_for("the pull has ended", |_| {
        let text = home.ask(async |proxy| proxy.pulls().await).unwrap();
        let pulls: Vec<PullReport> = containers1::read_answer(&text).unwrap();
        let state = pulls.into_iter().find(|pull| pull.name == name).unwrap().state;
        let is_over = !matches!(state, PullState::Running { .. });
        ended = Some(state);
        is_over
    });
    ended.unwrap()
}

#[test]
fn images_are_pulled_used_kept_while_they_are_used_and_collected() {
    let mut home = Home::without_netd();
    home.start_netd();
    let version = Arc::new(std::sync::Mutex::new(world::image(&[world::layer("one", b"1")])));
    let served = Arc::clone(&version);
    let registry = world::Fake::start(Box::new(move |first, _headers, stream| {
        let image = served.lock().unwrap().clone();
        world::sound(&image, first, stream)
    }));
    let strange = pull(&home, &registry.name().to_string());
    assert!(matches!(&strange, PullState::Failed { .. }), "{strange:?}: nobody said that it speaks plainly");
    home.registries = json!({&registry.host: {"plain_http": true}}).to_string();
    let name = registry.name().to_string();
    let PullState::Done { manifest } = pull(&home, &name) else { panic!("not pulled") };
    let web = home.container(&json!({ "image": { "name": name, "manifest": manifest } }));
    home.run("notes", &json!({ "web": web }));
    home.wait_for_state("notes", AppState::Running);
    let layers = || home.runtime.world().containers[&id("notes", "web")].start.layers.clone();
    let old = layers();
    let used = home.ask(async |proxy| proxy.remove_image(&name).await).unwrap_err();
    assert!(matches!(used, Containers1Error::InUse(_)), "{used:?}");

    // Another image under the same name: what runs keeps its layers, what starts is told.
    *version.lock().unwrap() = world::image(&[world::layer("two", b"2")]);
    let PullState::Done { manifest: newer } = pull(&home, &name) else { panic!("not pulled") };
    home.kill();
    home.start();
    home.wait_for_state("notes", AppState::Running);
    home.ask(async |proxy| proxy.collect_images().await).unwrap();
    assert!(old[0].is_dir());
    home.ask(async |proxy| proxy.restart_app("notes").await).unwrap();
    home.wait_for("it is told", |reports| {
        reports[0].reasons.iter().any(|r| r.contains("another image by now"))
    });
    home.ask(async |proxy| proxy.collect_images().await).unwrap();
    assert!(!old[0].exists());
    let web = home.container(&json!({ "image": { "name": name, "manifest": newer } }));
    home.try_set("notes", &json!({ "web": web })).unwrap();
    home.wait_for_state("notes", AppState::Running);

    let lost = pull(&home, &format!("{}/lost@{manifest}", registry.host));
    assert!(matches!(&lost, PullState::Failed { reason, .. } if reason == "digest"), "{lost:?}");
    let nobody = pull(&home, "127.0.0.1:1/app:1");
    assert!(
        matches!(&nobody, PullState::Failed { reason, words } if reason == "registry" && words.contains("127.0.0.1:1"))
    );
    let bad = home.ask(async |proxy| proxy.pull_image("UPPER", "{}").await).unwrap_err();
    assert!(matches!(bad, Containers1Error::Invalid(_)), "{bad:?}");

    let text = home.ask(async |proxy| proxy.images().await).unwrap();
    let images: Vec<ImageReport> = containers1::read_answer(&text).unwrap();
    assert_eq!(images.len(), 2);
    home.ask(async |proxy| proxy.remove_image(IMAGE).await).unwrap();
    let unknown = home.ask(async |proxy| proxy.remove_image(IMAGE).await).unwrap_err();
    assert!(matches!(unknown, Containers1Error::UnknownImage(_)), "{unknown:?}");
}

#[test]
fn an_archive_is_imported() {
    let home = Home::new();
    let archive = home.path("archive.tar");
    let mut tar = tar::Builder::new(File::create(&archive).unwrap());
    tar.append_dir_all(".", home.path("layout")).unwrap();
    tar.into_inner().unwrap().sync_all().unwrap();
    let fd: std::os::fd::OwnedFd = File::open(&archive).unwrap().into();
    let text = home.ask(async |proxy| proxy.import_image("localhost/other:2", fd.into()).await).unwrap();
    let report: ImageReport = containers1::read_answer(&text).unwrap();
    assert_eq!((&*report.name, report.manifest), ("localhost/other:2", home.manifest.clone()));
    let fd: std::os::fd::OwnedFd = File::open("/dev/null").unwrap().into();
    let refused =
        home.ask(async |proxy| proxy.import_image("localhost/other:3", fd.into()).await).unwrap_err();
    assert!(matches!(refused, Containers1Error::Refused(_)), "{refused:?}");
}
