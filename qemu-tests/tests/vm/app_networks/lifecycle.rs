//! Apps that come and go, grants that are taken away, and a netd that dies.

use crate::app_networks::sweep::Sweeps;
use crate::app_networks::world::World;
use crate::app_networks::world::accepted;
use crate::app_networks::world::all_apps;
use crate::app_networks::world::expect_refusal;
use crate::app_networks::world::link;
use crate::app_networks::world::policy;
use crate::services::wait_ready;
use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use hearth_agent::network::order::Order;
use hearth_agent::network::order::Table;
use hearth_agent::network::order::Transport;
use hearth_agent::network::to_hex;
use model::network::app_policy::AppPolicy;
use model::network::app_policy::Grant;
use qemu_tests::scenario::scenario;
use rustix::process::Signal;
use serde_json::json;
use std::net::IpAddr;
use std::net::SocketAddr;

/// Bytes of a flow that show that it flows: a hundred records.
const FLOWING: u64 = 800;
/// How often netd is killed; less than init takes for a service that keeps dying.
const KILLS: u64 = 5;
/// How often an app comes and goes.
const TURNS: u32 = 50;

#[test]
fn a_grant_taken_away_ends_what_lives_on_it() {
    scenario("app-networks-revoke", |folder| {
        let mut world = World::start(folder, |builder| builder)?;
        world.attach_all()?;
        for (port, transport) in [(6000, Transport::Tcp), (6001, Transport::Udp)] {
            let words = if transport == Transport::Tcp { "tcp" } else { "udp" };
            let grant = link("b", &format!("{words}/{port}"))?;
            let stays = link("c", &format!("{words}/{port}"))?;
            let both = policy(&[("a", grant), ("a", stays.clone())])?;
            let only_c = policy(&[("a", stays)])?;
            let (a, b) = (world.app("a")?.station, world.app("b")?.station);
            for address in [IpAddr::V4(b.ipv4), IpAddr::V6(b.ipv6)] {
                world.set_policy(&both)?;
                start(&mut world, "cut", transport, "b", SocketAddr::new(address, port))?;
                let other = SocketAddr::new(world.app("c")?.station.ipv4.into(), port);
                start(&mut world, "kept", transport, "c", other)?;
                ensure!(
                    address.is_ipv6() || world.connections(a.ipv4, b.ipv4)? > 0,
                    "no connection is tracked"
                );

                world.set_policy(&only_c)?;
                let cut = world.progress("cut")?;
                let kept = world.progress("kept")?;
                // The sender goes on until its kernel takes no more, and the other flow as if nothing had been.
                world.wait_flow("cut", "the sender goes on", |now| now.sent >= cut.sent + FLOWING)?;
                let later =
                    world.wait_flow("kept", "goes on", |now| now.received >= kept.received + 10 * FLOWING)?;
                ensure!(later.breaks == 0, "a connection that may stay was cut: {later:?}");
                let ended = world.progress("cut")?;
                ensure!(
                    ended.received == ended.received_at_call && ended.newest <= ended.called,
                    "{transport:?} to {address} went on after the grant was taken away: {ended:?}"
                );
                let guest = world.vm.guest().clone();
                guest.wait_until("the connection to be forgotten", || {
                    Ok((world.connections(a.ipv4, b.ipv4)? == 0).then_some(()))
                })?;
                for flow in ["cut", "kept"] {
                    world.done(Order::EndFlow { flow: flow.to_owned() })?;
                }
            }
        }
        world.finish()
    });
}

#[test]
fn netd_may_die_at_any_time() {
    scenario("app-networks-killed", |folder| {
        let mut world = World::start(folder, |builder| builder)?;
        world.attach_all()?;
        let mut sweeps = Sweeps::default();
        sweeps.watch(&mut world)?;
        world.set_policy(&policy(&[("a", link("b", "tcp/6000")?)])?)?;
        let before = world.report()?;
        let address = SocketAddr::new(world.app("b")?.station.ipv4.into(), 6000);
        start(&mut world, "granted", Transport::Tcp, "b", address)?;
        for kill in 0..KILLS {
            // Further into the life of each netd.
            let now = world.progress("granted")?;
            let pause = kill * kill * FLOWING / 2;
            world.wait_flow("granted", "goes on", |later| later.received >= now.received + pause)?;
            let netd = world.agent.process("netd")?.pid;
            world.agent.kill(netd, Signal::KILL)?;
            sweeps.burst(&mut world, "a", "b")?;
            sweeps.burst(&mut world, "b", "a")?;
            sweeps.burst(&mut world, "d", "a")?;
            let service = wait_ready(&world.vm, &mut world.agent, "netd")?;
            ensure!(service.pid != Some(netd), "netd was not killed");
            sweeps.burst(&mut world, "a", "c")?;
            let now = world.progress("granted")?;
            let later =
                world.wait_flow("granted", "goes on", |later| later.received >= now.received + FLOWING)?;
            ensure!(later.breaks == 0, "the flow was cut when netd died: {later:?}");
        }
        let mut arrivals = sweeps.arrivals(&mut world)?;
        // A link lets an app ask for names; while there is no netd the box says that nobody listens.
        arrivals.retain(|arrival| arrival.sent.from != "a" || !arrival.sent.probe.starts_with("DNS over "));
        ensure!(arrivals.is_empty(), "while netd was dead arrived {arrivals:?}");

        let after = world.report()?;
        ensure!(after.apps == before.apps, "apps were {:?}, are {:?}", before.apps, after.apps);
        ensure!(after.firewall.in_force, "no rules are in force: {:?}", after.firewall);
        let names = |report: &model::network::report::NetworkReport| {
            report.firewall.rules.iter().map(|rule| rule.name.clone()).collect::<Vec<_>>()
        };
        ensure!(names(&after) == names(&before), "rules were {:?}, are {:?}", names(&before), names(&after));
        // It is still the one who decides.
        world.set_policy(&policy(&[])?)?;
        let cut = world.progress("granted")?;
        world.wait_flow("granted", "the sender goes on", |now| now.sent >= cut.sent + FLOWING)?;
        let ended = world.progress("granted")?;
        ensure!(ended.received == ended.received_at_call, "not cut by the new netd: {ended:?}");
        world.finish()
    });
}

#[test]
fn apps_come_and_go_and_leave_nothing() {
    scenario("app-networks-turns", |folder| {
        let mut world = World::start(folder, |builder| builder)?;
        world.attach_all()?;
        world.detach("f")?;
        expect_refusals(&mut world)?;
        let grants = policy(&[
            ("f", link("d", "tcp/5432")?),
            ("e", link("f", "udp/53")?),
            ("f", Grant::Internet {}),
            ("f", Grant::Domains { names: ["*.example.com".parse()?].into() }),
        ])?;
        world.set_policy(&grants)?;
        let before = census(&mut world)?;
        let open_before = open_files(&mut world)?;
        let mut addresses = Vec::new();
        for turn in 0..TURNS {
            world.attach("f").with_context(|| format!("turn {turn}"))?;
            let station = world.app("f")?.station;
            addresses = vec![to_hex(&station.ipv4.octets()), to_hex(&station.ipv6.octets())];
            // Every tenth goes with its namespace, without a word to netd.
            if turn % 10 == 9 {
                world.done(Order::Close { namespace: "f".to_owned() })?;
                let guest = world.vm.guest().clone();
                guest.wait_until("netd to notice", || {
                    let apps = world.report()?.apps;
                    Ok(apps.iter().all(|app| app.app.as_str() != "f").then_some(()))
                })?;
            } else {
                world.detach("f").with_context(|| format!("turn {turn}"))?;
            }
        }
        let guest = world.vm.guest().clone();
        let (mut after, mut open_after) = (before.clone(), open_before);
        guest
            .wait_until("everything as it was", || {
                (after, open_after) = (census(&mut world)?, open_files(&mut world)?);
                // The box looks for its time server and names meanwhile: there may have been more than there are now.
                Ok((after == before && open_after <= open_before).then_some(()))
            })
            .with_context(|| {
                format!("before {before:?}, {open_before} open, after {after:?}, {open_after} open")
            })?;
        for table in [Table::Neighbours, Table::Connections, Table::Routes, Table::FilterElements] {
            let left = world.table(table)?;
            let left: Vec<_> =
                left.iter().filter(|entry| addresses.iter().any(|own| entry.contains(own))).collect();
            ensure!(left.is_empty(), "{table:?} still have {left:?}");
        }
        world.finish()
    });
}

/// What netd does not do, and that nothing of it is left.
fn expect_refusals(world: &mut World) -> Result<()> {
    let before = world.links(None)?;
    world.done(Order::Make { namespace: "stranger".to_owned() })?;
    expect_refusal(world.try_attach("unknown", "stranger")?, "UnknownApp")?;
    expect_refusal(world.try_attach("Not A Key", "stranger")?, "UnknownApp")?;
    expect_refusal(world.try_attach("a", "stranger")?, "AlreadyAttached")?;
    expect_refusal(world.call("DetachApp", &["unknown"])?, "UnknownApp")?;
    let twice = json!({
        "version": 1,
        "workspaces": { "north": { "apps": { "a": {} } }, "south": { "apps": { "a": {} } } }
    });
    expect_refusal(world.call("SetAppPolicy", &[&twice.to_string()])?, "InvalidDocument")?;
    for bad in ["", "{}", r#"{"version":2,"workspaces":{}}"#, r#"{"version":1,"workspaces":{},"more":1}"#] {
        expect_refusal(world.call("SetAppPolicy", &[bad])?, "InvalidDocument")?;
    }
    let inside = world.links(Some("stranger"))?;
    ensure!(inside.iter().all(|link| link.name == "lo"), "links are left inside: {inside:?}");
    ensure!(world.links(None)? == before, "links are left: {:?}", world.links(None)?);
    world.done(Order::Close { namespace: "stranger".to_owned() })?;
    let apps = world.report()?.apps;
    let attached: Vec<_> = apps.iter().map(|app| app.app.as_str()).collect();
    let expected: Vec<_> = all_apps().filter(|app| *app != "f").collect();
    ensure!(attached == expected, "attached are {attached:?}");
    // A policy that is refused changes nothing.
    accepted(world.call("SetAppPolicy", &[&serde_json::to_string(&AppPolicy::default())?])?)?;
    world.set_policy(&policy(&[])?)
}

/// How many there are in the kernel's tables of everything that an app could leave behind.
fn census(world: &mut World) -> Result<Vec<(String, usize)>> {
    let mut census = Vec::new();
    for table in
        Table::ALL.into_iter().filter(|table| !matches!(table, Table::Neighbours | Table::Connections))
    {
        census.push((format!("{table:?}"), world.table(table)?.len()));
    }
    Ok(census)
}

/// How many files and sockets netd has open.
fn open_files(world: &mut World) -> Result<usize> {
    let netd = world.agent.process("netd")?.pid;
    Ok(world.agent.walk(&format!("/proc/{netd}/fd"))?.len())
}

fn start(world: &mut World, flow: &str, transport: Transport, to: &str, address: SocketAddr) -> Result<()> {
    let order = Order::StartFlow {
        flow: flow.to_owned(),
        transport,
        from: "a".to_owned(),
        to: to.to_owned(),
        address,
    };
    world.done(order)?;
    world.wait_flow(flow, "flows", |now| now.received >= FLOWING).map(drop)
}
