//! How containers start, end, are limited, stopped, looked into, and found again by whoever comes later.

use super::probe::expect;
use super::world::APP;
use super::world::FIRST_ID;
use super::world::OTHER;
use super::world::World;
use super::world::id;
use super::world::start;
use super::world::with;
use anyhow::Result;
use anyhow::ensure;
use qemu_tests::scenario::scenario;
use serde_json::json;

#[test]
fn containers_start_end_and_are_limited() {
    scenario("containers-life", |folder| {
        let mut world = World::boot(folder)?;
        ends_are_told(&mut world)?;
        limits_hold(&mut world)?;
        what_is_wrong_with_an_image_is_told(&mut world)?;
        stopping(&mut world)?;
        two_apps(&mut world)
    });
}

fn ends_are_told(world: &mut World) -> Result<()> {
    for (words, end) in [
        (&["exit", "7"][..], json!({ "code": 7 })),
        (&["die", "11"], json!({ "signal": 11 })),
        (&["orphan"], json!({ "code": 0 })),
    ] {
        let heard = world.run(&start(words, "web"))?;
        ensure!(heard.end == end, "{words:?}: {heard:?}");
    }
    let missing = world.run(&with(start(&[], "web"), "words", json!(["/nothing"])))?;
    ensure!(missing.end == json!({ "code": 127 }) && missing.stderr.contains("/nothing"), "{missing:?}");
    Ok(())
}

fn limits_hold(world: &mut World) -> Result<()> {
    let eaten = world.run(&start(&["eat"], "web"))?;
    ensure!(eaten.end == json!("out_of_memory"), "{eaten:?}");
    let bred = world.run(&start(&["breed"], "web"))?;
    expect(&bred, "fork", "EAGAIN")?;
    // 32, but for the first process and the program itself.
    expect(&bred, "children", "30")?;
    let filled = world.run(&start(&["fill", "/tmp/x"], "web"))?;
    expect(&filled, "fill", "ENOSPC")?;
    expect(&filled, "filled", "1048576")?;
    let layer = world.run(&with(start(&["fill", "/x"], ""), "scratch_bytes", json!(2 << 20)))?;
    expect(&layer, "fill", "ENOSPC")?;
    let memory = world.run(&with(start(&["fill", "/dev/shm/x"], "web"), "scratch_bytes", json!(2 << 20)))?;
    ensure!(memory.end == json!("out_of_memory"), "a file system in memory counts as memory: {memory:?}");
    Ok(())
}

fn what_is_wrong_with_an_image_is_told(world: &mut World) -> Result<()> {
    for (wrong, text) in [
        (start(&["facts"], "nobody"), "no user \"nobody\""),
        (start(&["facts"], "70000"), "beyond 65535"),
        (with(start(&[], ""), "words", json!([])), "no program"),
        (with(start(&[], ""), "layers", json!([])), "no layers"),
        (with(start(&["facts"], ""), "first_id", json!(0)), "not the first id"),
        (with(start(&["facts"], ""), "working_folder", json!("/nowhere")), "no folder \"/nowhere\""),
    ] {
        let answer = world.ask(&json!({ "run": { "id": id(APP), "start": wrong, "seconds": 60 } }))?;
        let error = answer["error"].as_str().unwrap_or_default();
        ensure!(error.contains(text), "not {text:?} but {answer}");
    }
    ensure!(world.tell(&json!("list"))? == json!([]), "a start that failed left something");
    Ok(())
}

fn stopping(world: &mut World) -> Result<()> {
    world.start(APP, &start(&["wait"], "web"), "waiting")?;
    world.tell(&json!({ "stop": id(APP) }))?;
    let heard = world.wait(APP)?;
    ensure!(heard.end == json!({ "code": 42 }), "its stop signal did not reach it: {heard:?}");
    for (signal, number) in [("SIGTERM", "15"), ("SIGINT", "2"), ("SIGUSR1", "10"), ("SIGWINCH", "28")] {
        let order = with(start(&["wait", number], "web"), "stop_signal", json!(signal));
        world.start(APP, &order, "waiting")?;
        world.tell(&json!({ "stop": id(APP) }))?;
        let heard = world.wait(APP)?;
        ensure!(heard.end == json!({ "code": 42 }), "{signal} did not reach it: {heard:?}");
        world.tell(&json!({ "remove": id(APP) }))?;
    }
    world.start(APP, &start(&["stubborn"], "web"), "waiting")?;
    world.tell(&json!({ "stop": id(APP) }))?;
    let heard = world.wait(APP)?;
    ensure!(heard.end == json!({ "signal": 9 }), "it outlived its grace: {heard:?}");
    world.start(APP, &start(&["stubborn"], ""), "waiting")?;
    world.tell(&json!({ "kill": id(APP) }))?;
    let heard = world.wait(APP)?;
    ensure!(heard.end == json!("unknown"), "{heard:?}");
    // Whom there is nothing left to kill of, nothing happens to.
    let ended = world.tell(
        &json!({ "run": { "id": id(OTHER), "start": start(&["exit", "7"], "web"), "seconds": 200 } }),
    )?;
    ensure!(ended["end"] == json!({ "code": 7 }), "{ended}");
    world.tell(&json!({ "kill": id(OTHER) }))?;
    ensure!(world.wait(OTHER)?.end == json!({ "code": 7 }));
    world.tell(&json!({ "remove": id(OTHER) }))?;
    // Its end can be asked for as long as it is not removed, by somebody new each time.
    ensure!(world.wait(APP)?.end == json!("unknown"));
    world.tell(&json!({ "remove": id(APP) }))?;
    Ok(())
}

/// Each call is another process of the runtime's user: what it knows of containers, it found.
fn two_apps(world: &mut World) -> Result<()> {
    world.start(APP, &start(&["wait"], "web"), "waiting")?;
    let other = with(start(&["wait"], ""), "first_id", json!(FIRST_ID + 65_536));
    world.start(OTHER, &other, "waiting")?;
    ensure!(world.tell(&json!("list"))? == json!([id(APP), id(OTHER)]));
    let processes = world.agent.processes()?;
    let uids: Vec<u32> =
        processes.iter().filter(|process| process.name == "probe").map(|p| p.uids[0]).collect();
    ensure!(
        uids.len() == 2 && uids.contains(&(FIRST_ID + 33)) && uids.contains(&(FIRST_ID + 65_536)),
        "{uids:?}"
    );

    for (app, uid, capabilities) in [(APP, "33", "0000000000000000"), (OTHER, "0", "00000000000000eb")] {
        let inside = json!({ "inside": { "id": id(app), "words": ["probe", "facts"], "seconds": 200 } });
        let answer = world.tell(&inside)?;
        ensure!(answer["end"] == json!({ "code": 0 }), "{answer}");
        let text = answer["output"].as_str().unwrap_or_default();
        for line in [
            format!("Uid= {uid} {uid} {uid} {uid}"),
            format!("CapEff= {capabilities}"),
            format!("CapBnd= {capabilities}"),
            "NoNewPrivs= 1".to_owned(),
            "SigBlk= 0000000000000000".to_owned(),
            "Seccomp= 2".to_owned(),
            "write_root=EROFS".to_owned(),
            "host=probe-host".to_owned(),
        ] {
            ensure!(text.lines().any(|found| found == line), "no {line:?} in {text}");
        }
        let calls = world
            .tell(&json!({ "inside": { "id": id(app), "words": ["/probe", "calls"], "seconds": 200 } }))?;
        let text = calls["output"].as_str().unwrap_or_default();
        for call in ["mount", "bpf", "unshare_user", "ptrace", "setns"] {
            ensure!(
                text.contains(&format!("\n{call}=EPERM")) || text.starts_with(&format!("{call}=EPERM")),
                "{text}"
            );
        }
    }
    let failing = json!({ "inside": { "id": id(APP), "words": ["/probe", "exit", "3"], "seconds": 200 } });
    ensure!(world.tell(&failing)?["end"] == json!({ "code": 3 }));
    let endless = json!({ "inside": { "id": id(APP), "words": ["/probe", "wait"], "seconds": 5 } });
    ensure!(world.ask(&endless)?["error"].as_str().is_some_and(|error| error.contains("timed out")));
    let usage = world.tell(&json!({ "usage": id(APP) }))?;
    let number = |name: &str| usage[name].as_u64().unwrap_or_default();
    ensure!(number("tasks") == 2 && number("memory_bytes") > 0 && number("cpu_us") > 0, "{usage}");
    ensure!(number("memory_peak_bytes") >= number("memory_bytes") / 2, "{usage}");

    for app in [APP, OTHER] {
        world.tell(&json!({ "kill": id(app) }))?;
        world.wait(app)?;
        world.tell(&json!({ "remove": id(app) }))?;
    }
    ensure!(world.tell(&json!("list"))? == json!([]));
    Ok(())
}
