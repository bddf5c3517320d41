//! Networks of apps as root in them sees them: nothing is reached but what was granted, for as long as it is.

use crate::app_networks::sweep::Arrival;
use crate::app_networks::sweep::Sent;
use crate::app_networks::sweep::Sweeps;
use crate::app_networks::world::INBOUND;
use crate::app_networks::world::World;
use crate::app_networks::world::all_apps;
use crate::app_networks::world::expect_refusal;
use crate::app_networks::world::link;
use crate::app_networks::world::policy;
use crate::app_networks::world::router;
use crate::app_networks::world::target;
use crate::household::status;
use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use hearth_agent::network::order::Order;
use hearth_agent::network::order::Target;
use hearth_agent::network::order::Transport;
use model::network::app_policy::Grant;
use model::network::explanation::Answer;
use model::network::explanation::Explanation;
use qemu_tests::probes;
use qemu_tests::probes::CLOSED;
use qemu_tests::probes::Fate;
use qemu_tests::probes::GRANTED;
use qemu_tests::probes::Station;
use qemu_tests::scenario::scenario;
use qemu_tests::web;
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::io::Read;
use std::net::IpAddr;
use std::time::Duration;

mod lifecycle;
mod sweep;
mod world;

/// Served by every app and by the box, granted or not.
const SERVED: [u16; 3] = [GRANTED, CLOSED, APP_PORT];
/// A port of apps that nothing is granted but what a test grants.
const APP_PORT: u16 = 8080;
/// How long a visitor from the home network waits for what should not come.
const IN_VAIN: Duration = Duration::from_secs(20);

#[test]
fn nothing_passes_without_a_grant_and_only_the_granted_with_one() {
    scenario("app-networks-sweep", |folder| {
        let mut world = World::start(folder, |builder| builder)?;
        world.attach_all()?;
        serve(&mut world)?;
        let mut sweeps = Sweeps::default();
        sweeps.watch(&mut world)?;

        expect_counted(&mut sweeps, &mut world)?;
        let arrivals = sweeps.everything(&mut world)?;
        ensure!(arrivals.is_empty(), "without any grant arrived {}", listed(&arrivals));
        expect_greetings(&mut world, &[])?;

        // The control of all of the above: the same probes, one link open.
        world.set_policy(&policy(&[("a", link("b", "tcp/5432")?)])?)?;
        expect_greetings(&mut world, &[("a", "b")])?;
        let mut arrivals = sweeps.everything(&mut world)?;
        arrivals.retain(|arrival| !is_question(arrival, "a"));
        ensure!(arrivals == granted_arrivals(&world)?, "with one link arrived {}", listed(&arrivals));

        // Another control: what reaches the home network would have been seen there.
        world.set_policy(&policy(&[("d", Grant::Lan {})])?)?;
        let mut arrivals = sweeps.everything(&mut world)?;
        arrivals.retain(|arrival| !is_question(arrival, "d"));
        let is_granted =
            |arrival: &&Arrival| arrival.sent.from == "d" && arrival.sent.to == "the home network";
        let strays: Vec<_> = arrivals.iter().filter(|arrival| !is_granted(arrival)).collect();
        ensure!(strays.is_empty(), "with the home network granted to d arrived {}", listed(&strays));
        for family in ["IPv4", "IPv6"] {
            let probe = format!("TCP over {family} to the granted port");
            let is_there = |arrival: &&Arrival| arrival.place == "the cable" && arrival.sent.probe == probe;
            ensure!(
                arrivals.iter().any(|arrival| is_there(&arrival)),
                "no {probe} on the cable: {}",
                listed(&arrivals)
            );
        }

        world.set_policy(&policy(&[])?)?;
        let arrivals = sweeps.everything(&mut world)?;
        ensure!(arrivals.is_empty(), "after everything was taken away arrived {}", listed(&arrivals));
        expect_greetings(&mut world, &[])?;
        world.finish()
    });
}

#[test]
fn the_home_network_reaches_an_app_only_while_it_may() {
    scenario("app-networks-inbound", |folder| {
        let mut world = World::start(folder, |builder| builder)?;
        world.attach_all()?;
        serve(&mut world)?;
        let port = world.vm.forwarded(INBOUND)?;
        ensure!(visit(port)?.is_none(), "an app answers that was not granted to");

        let inbound = Grant::Inbound {
            box_port: format!("tcp/{INBOUND}").parse()?,
            app_port: APP_PORT.try_into().context("a port")?,
        };
        world.set_policy(&policy(&[("a", inbound)])?)?;
        let guest = world.vm.guest().clone();
        guest.wait_until("a greeting by the app", || {
            Ok(visit(port)?.filter(|greeting| greeting == "served by a").map(drop))
        })?;
        // The way in is no way out, and no way in for other apps.
        expect_greetings(&mut world, &[])?;
        let held = web::connect(port)?;

        world.set_policy(&policy(&[])?)?;
        ensure!(visit(port)?.is_none(), "an app answers that was granted to before");
        drop(held);
        world.finish()
    });
}

#[test]
fn without_a_packet_filter_no_app_is_attached() {
    scenario("app-networks-no-filter", |folder| {
        // As on a kernel that was built without: the module exists and is refused.
        let mut world = World::start(folder, |builder| builder.words("module_blacklist=nf_tables"))?;
        let set = world.call("SetAppPolicy", &[&serde_json::to_string(&policy(&[])?)?])?;
        // Whether the policy is taken for later or refused at once: no app gets a link.
        drop(set);
        let links = world.links(None)?;
        world.done(Order::Make { namespace: "a".to_owned() })?;
        expect_refusal(world.try_attach("a", "a")?, "Refused")?;
        ensure!(world.links(None)? == links, "links are left: {:?}", world.links(None)?);
        let inside = world.links(Some("a"))?;
        ensure!(inside.iter().all(|link| link.name == "lo"), "links are left inside: {inside:?}");
        let report = world.report()?;
        ensure!(!report.firewall.in_force, "rules are said to be in force");
        ensure!(report.firewall.problem.is_some(), "no reason is given");

        // The box itself can be reached and says so.
        let web = world.vm.wait_web()?;
        let status = status(&web)?;
        let reasons = status["reasons"].as_array().context("no reasons")?;
        ensure!(!reasons.is_empty(), "the console gives no reason: {status}");
        world.finish()
    });
}

fn serve(world: &mut World) -> Result<()> {
    for place in std::iter::once(None).chain(all_apps().map(Some)) {
        world.done(Order::Serve { namespace: place.map(str::to_owned), ports: SERVED.to_vec() })?;
    }
    Ok(())
}

/// Every refused probe raises a counter; a probe that does not is in the table with the reason.
fn expect_counted(sweeps: &mut Sweeps, world: &mut World) -> Result<()> {
    let mut faults = Vec::new();
    for (probe, sent, rose) in sweeps.counted(world, "a", "b")? {
        let sent = u64::try_from(sent)?;
        match probe.fate {
            Fate::Refused | Fate::Grantable if rose < sent => {
                faults.push(format!("{}: {sent} sent, {rose} counted", probe.name));
            }
            Fate::Unseen(reason) if rose > 0 => {
                faults.push(format!("{}: counted {rose} times in spite of: {reason}", probe.name));
            }
            Fate::Refused | Fate::Grantable | Fate::Unseen(_) => {}
        }
    }
    ensure!(faults.is_empty(), "counters:\n{}", faults.join("\n"));
    Ok(())
}

/// With any grant that leads somewhere an app may ask the box for names, whomever it asks (docs/spec/network.md).
fn is_question(arrival: &Arrival, app: &str) -> bool {
    arrival.sent.from == app
        && ["DNS over UDP", "DNS over TCP"].contains(&arrival.sent.probe)
        && arrival.place == "the box's sockets"
}

/// What must arrive with `a` linked to `b`, and nothing else.
fn granted_arrivals(world: &World) -> Result<BTreeSet<Arrival>> {
    let places = [format!("out of {}", world.app("b")?.host_link), "app b".to_owned()];
    let granted = probes::towards().filter(|probe| probe.fate == Fate::Grantable);
    let sent: Vec<_> = granted.map(|probe| probe.name).collect();
    let arrivals = sent.into_iter().flat_map(|probe| {
        places
            .clone()
            .map(|place| Arrival { sent: Sent { from: "a".to_owned(), to: "b".to_owned(), probe }, place })
    });
    Ok(arrivals.collect())
}

/// Every app visits every other, the box, the home network: with the kernel's own sockets it is greeted over exactly these links,
/// at the granted port over TCP, IPv4 and IPv6.
fn expect_greetings(world: &mut World, links: &[(&str, &str)]) -> Result<()> {
    let at_home = world.box_at_home()?;
    for from in all_apps() {
        let gateway = world.app(from)?.gateway;
        let visits = visits(world, from, gateway, at_home)?;
        let targets: Vec<_> = visits.iter().map(|(_, target)| *target).collect();
        let greetings = world.reach(from, &targets)?;
        for ((to, target), greeting) in visits.iter().zip(greetings) {
            let is_linked = links.contains(&(from, to.as_str()))
                && target.transport == Transport::Tcp
                && target.address.port() == GRANTED;
            if target.address.port() == 53 && links.iter().any(|(holder, _)| *holder == from) {
                // Whoever has a link may ask for names, and is answered by the box alone.
                let name_servers = [IpAddr::V4(gateway.ipv4), IpAddr::V6(gateway.ipv6)];
                let is_asked =
                    target.transport == Transport::Udp && name_servers.contains(&target.address.ip());
                let mut sockets = || world.agent.read("/proc/net/udp").unwrap_or_default();
                ensure!(
                    !is_asked || greeting.is_some(),
                    "{from} is not told names by {target:?}: {}",
                    sockets()
                );
                continue;
            }
            let expected = is_linked.then(|| format!("served by {to}"));
            ensure!(greeting == expected, "{from} at {to} {target:?}: {greeting:?} instead of {expected:?}");
        }
        for to in all_apps().filter(|to| *to != from) {
            expect_explained(world, from, to, links.contains(&(from, to)))?;
        }
    }
    Ok(())
}

/// Whom an app visits, and by which name.
fn visits(world: &World, from: &str, gateway: Station, at_home: Station) -> Result<Vec<(String, Target)>> {
    let mut visits: Vec<(String, Target)> = Vec::new();
    let others = all_apps().filter(|to| *to != from);
    let others: Vec<_> =
        others.map(|to| Ok((to.to_owned(), world.app(to)?.station))).collect::<Result<_>>()?;
    for (name, station) in others {
        for (transport, port) in
            [(Transport::Tcp, GRANTED), (Transport::Tcp, CLOSED), (Transport::Udp, GRANTED)]
        {
            visits.push((name.clone(), target(transport, station.ipv4, port)));
            visits.push((name.clone(), target(transport, station.ipv6, port)));
        }
    }
    for (name, station) in [("box", gateway), ("box", at_home), ("lan", router())] {
        for (transport, port) in [
            (Transport::Tcp, APP_PORT),
            (Transport::Tcp, 80),
            (Transport::Tcp, 443),
            (Transport::Tcp, 53),
            (Transport::Udp, 53),
            (Transport::Udp, APP_PORT),
        ] {
            visits.push((name.to_owned(), target(transport, station.ipv4, port)));
            visits.push((name.to_owned(), target(transport, station.ipv6, port)));
        }
    }
    Ok(visits)
}

fn expect_explained(world: &mut World, from: &str, to: &str, is_linked: bool) -> Result<()> {
    let [from_end, to_end] = [format!("app:{from}"), format!("app:{to} tcp/{GRANTED}")];
    let text = world::accepted(world.call("Explain", &[&from_end, &to_end])?)?;
    let said: Explanation = serde_json::from_str(&text).with_context(|| format!("no explanation: {text}"))?;
    let expected = if is_linked { Answer::Yes } else { Answer::No };
    ensure!(said.answer == expected, "{from_end} to {to_end} is explained as {said:?}");
    Ok(())
}

/// The greeting at a forwarded port. QEMU takes the connection itself, before the box has: only the greeting counts.
fn visit(port: u16) -> Result<Option<String>> {
    let mut stream = web::connect(port)?;
    stream.set_read_timeout(Some(IN_VAIN)).context("cannot set a time-out")?;
    let mut greeting = [0; 64];
    let length = stream.read(&mut greeting).unwrap_or(0);
    let text = String::from_utf8_lossy(greeting.get(..length).unwrap_or_default()).into_owned();
    Ok(Some(text).filter(|text| !text.is_empty()))
}

fn listed<T: Debug>(things: impl IntoIterator<Item = T>) -> String {
    let things: Vec<_> = things.into_iter().map(|thing| format!("{thing:?}")).collect();
    let shown: Vec<_> = things.iter().take(60).cloned().collect();
    format!("{} things:\n{}", things.len(), shown.join("\n"))
}
