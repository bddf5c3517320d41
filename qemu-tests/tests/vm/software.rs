//! Programs that nobody made for Hearth, in images as public ones are: the runtime runs them with what an app gets that asks for nothing.

use super::containers::world::APP;
use super::containers::world::FIRST_ID;
use super::containers::world::World;
use super::containers::world::compile;
use super::containers::world::id;
use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use app_manifest::Limits;
use containerd_lite::container;
use containerd_lite::container::Place;
use model::containers::ContainerSpec;
use model::containers::PartName;
use model::network::attachment::Attachment;
use qemu_tests::Artifacts;
use qemu_tests::VmBuilder;
use qemu_tests::artifacts::target;
use qemu_tests::scenario::scenario;
use qemu_tests::software;
use qemu_tests::software::Image;
use qemu_tests::software::programs::Program;
use qemu_tests::usb_disk::UsbDisk;
use serde_json::Value;
use serde_json::json;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

const HELPER: &str = "/run/hearth/tests/helper";
const LAYERS: &str = "/run/hearth/tests/layers";
const VOLUMES: &str = "/data/software";
/// How a server is seen to serve, from inside of its container.
const CHECK: &str = include_str!("software/check.pl");
/// How often it is looked for, for 150 seconds each time: databases make their first files, under emulation.
const LOOKS: u32 = 4;
/// The throw-away layer of an app that is installed by the name of an image alone (`hostd::apps::source`).
const SCRATCH: u64 = 128 << 20;
/// How many must run with no extra grant.
const WANTED: usize = 18;

#[test]
fn well_known_servers_run_with_no_extra_grant() {
    scenario("software", |folder| {
        let software = software::make()?;
        let disk = UsbDisk::made_elsewhere(&software.disk);
        let artifacts = Artifacts::load()?;
        let builder = VmBuilder::new(folder, &artifacts).memory(1536).disk_size(6 << 30).usb_disk(&disk);
        let helper = compile(folder, "tests/vm/software/helper.c")?;
        let mut world = World::bring(builder)?;
        world.agent.install(HELPER, &helper)?;
        world.agent.run(HELPER, &["mount", "/dev/sda", LAYERS], "")?;
        world.tell(&json!({ "network": APP }))?;
        world.agent.run(HELPER, &["up", &format!("/run/hearth/containers/{APP}/net")], "")?;
        let mut report = String::new();
        let (mut running, mut unexplained) = (0, Vec::new());
        for image in &software.images {
            let name = image.program.name;
            let line = match serve(&mut world, image)? {
                Outcome::Runs => {
                    running += 1;
                    format!("{name}: runs")
                }
                Outcome::Needs(what) => format!("{name}: fails: needs {what}"),
                Outcome::Fails(why) => {
                    unexplained.push(name);
                    format!("{name}: fails: {why}")
                }
            };
            println!("{line}");
            writeln!(report, "{line}")?;
        }
        let share = format!("{running} of {} run with no extra grant", software.images.len());
        println!("{share}");
        fs::write(target().join("software/report.txt"), format!("{report}{share}\n"))?;
        ensure!(unexplained.is_empty(), "nobody knows what these need: {unexplained:?}\n{report}");
        ensure!(running >= WANTED, "{share}\n{report}");
        Ok(())
    });
}

enum Outcome {
    Runs,
    /// It fails, for want of this.
    Needs(&'static str),
    /// It fails, and this is all that is known.
    Fails(String),
}

/// Starts a program and waits until it serves.
fn serve(world: &mut World, image: &Image) -> Result<Outcome> {
    let start = start(world, image)?;
    let ask = json!({ "start": { "id": id(APP), "start": start, "until": "\u{0}", "seconds": 1 } });
    let answer = world.ask(&ask)?;
    if let Some(error) = answer["error"].as_str() {
        return Ok(Outcome::Fails(error.to_owned()));
    }
    match (look(world, image.program), image.program.needs) {
        (Ok(()), needs) => {
            end(world)?;
            Ok(needs.map_or(Outcome::Runs, |(_, what)| {
                Outcome::Fails(format!("it runs, and is said to need {what}: correct the table"))
            }))
        }
        (Err(error), needs) => {
            let output = format!("{answer}{}", said(world, &start)?);
            Ok(match needs {
                Some((text, what)) if output.contains(text) => Outcome::Needs(what),
                Some(_) | None => Outcome::Fails(format!("{error:#}; it said {output}")),
            })
        }
    }
}

/// Ends what does not serve; what it said. With one that has ended by itself that was lost, as nobody read it: it is run once more.
fn said(world: &mut World, start: &Value) -> Result<String> {
    let still = world.tell(&json!({ "wait": { "id": id(APP), "seconds": 2 } }))?;
    end(world)?;
    if still["end"].is_null() {
        return Ok(still.to_string());
    }
    let again = world.tell(&json!({ "run": { "id": id(APP), "start": start, "seconds": 120 } }))?;
    end(world)?;
    Ok(again.to_string())
}

/// What it is started with: the daemon's own reading of its image, and no wish of an owner.
fn start(world: &mut World, image: &Image) -> Result<Value> {
    let config = container::parse(&image.config).context("cannot read the configuration of an image")?;
    let limits = Limits::default();
    let mut volumes = Vec::new();
    let layers: Vec<PathBuf> = image.layers.iter().map(|layer| Path::new(LAYERS).join(layer)).collect();
    let root = PathBuf::from(VOLUMES).join(image.program.packages.concat());
    world.tell(&json!({ "prepare": { "make": root } }))?;
    for (number, target) in config.volumes.iter().enumerate() {
        let name = format!("v{number}");
        let volume = json!({ "root": root, "app": APP, "name": name, "layers": layers, "target": target });
        world.tell(&json!({ "prepare": { "volume": volume } }))?;
        volumes.push(json!({ "name": name, "target": target }));
    }
    let spec: ContainerSpec = serde_json::from_value(json!({
        "image": { "name": image.program.name, "manifest": "" },
        "volumes": volumes,
        "scratch_bytes": SCRATCH,
        "limits": { "memory_bytes": limits.memory_bytes, "cpu_millis": limits.cpu_millis, "tasks": limits.tasks },
    }))?;
    let name: PartName = "web".parse()?;
    let attachment = Attachment {
        ipv4: "198.18.0.2".parse()?,
        ipv6: "fd00::2".parse()?,
        gateway4: "198.18.0.1".parse()?,
        gateway6: "fd00::1".parse()?,
        link: "app".to_owned(),
        resolv_conf: "nameserver 198.18.0.1\n".to_owned(),
        hosts: "127.0.0.1 localhost\n::1 localhost\n".to_owned(),
    };
    let place = Place {
        name: &name,
        names: std::slice::from_ref(&name),
        volumes: &root.join(APP).join("volumes"),
        first_id: FIRST_ID,
        attachment: &attachment,
    };
    Ok(serde_json::to_value(container::start(&spec, &config, layers, &place)?)?)
}

/// Looks whether it serves, as the user that it should, and with a pid file that is true.
fn look(world: &mut World, program: &Program) -> Result<()> {
    let hex = |bytes: &[u8]| bytes.iter().fold(String::new(), |all, byte| format!("{all}{byte:02x}"));
    let check = program.check;
    let (ask, answer) = (hex(check.ask), hex(check.answer));
    let file = program.pid_file.unwrap_or_default();
    let words = ["perl", "-e", CHECK, &check.port.to_string(), &ask, &answer, file];
    let inside = json!({ "inside": { "id": id(APP), "words": words, "seconds": 240 } });
    let mut said = Value::Null;
    for _ in 0..LOOKS {
        said = world.tell(&inside)?;
        if said["end"] == json!({ "code": 0 }) {
            break;
        }
    }
    ensure!(said["end"] == json!({ "code": 0 }), "it does not serve: {said}");
    let text = said["output"].as_str().unwrap_or_default();
    let users = text.lines().find_map(|line| line.strip_prefix("users=")).unwrap_or_default();
    let wanted = program.serves_as.to_string();
    ensure!(users.split(',').any(|user| user == wanted), "no process of user {wanted}, only of {users}");
    ensure!(program.pid_file.is_none() || text.contains("pid=lives"), "its pid file is not right: {text}");
    Ok(())
}

/// Ends it and removes it.
fn end(world: &mut World) -> Result<()> {
    world.tell(&json!({ "kill": id(APP) }))?;
    world.wait(APP)?;
    world.tell(&json!({ "remove": id(APP) }))?;
    Ok(())
}
