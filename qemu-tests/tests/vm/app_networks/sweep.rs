//! Every probe from everybody at everybody, and where any of it came out.

use crate::app_networks::world::App;
use crate::app_networks::world::World;
use crate::app_networks::world::all_apps;
use crate::app_networks::world::router;
use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use anyhow::ensure;
use hearth_agent::network::order::Order;
use hearth_agent::network::order::Outcome;
use hearth_agent::network::order::Sighting;
use hearth_agent::network::order::Way;
use hearth_agent::network::to_hex;
use hearth_agent::network::watch::token;
use hearth_agent::network::watch::tokens;
use qemu_tests::probes;
use qemu_tests::probes::Ends;
use qemu_tests::probes::Probe;
use qemu_tests::probes::Station;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::net::Ipv6Addr;

/// What each token stands for.
#[derive(Debug, Default)]
pub(crate) struct Sweeps {
    sent: Vec<Sent>,
    /// Number of the first token of the present sweep.
    first: usize,
}

/// A probe that was sent.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Sent {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) probe: &'static str,
}

/// Where something of a probe came out.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Arrival {
    pub(crate) sent: Sent,
    pub(crate) place: String,
}

impl Sweeps {
    /// Watches the box and all apps from now on.
    pub(crate) fn watch(&mut self, world: &mut World) -> Result<()> {
        world.done(Order::Watch { namespace: None })?;
        all_apps().try_for_each(|app| world.done(Order::Watch { namespace: Some(app.to_owned()) }))
    }

    /// Sends all probes between all ordered pairs of apps, and from all apps at the box, the home network and the Internet.
    pub(crate) fn everything(&mut self, world: &mut World) -> Result<BTreeSet<Arrival>> {
        self.first = self.sent.len();
        let strangers = strangers(world)?;
        for from in all_apps() {
            let mut frames = Vec::new();
            let others = all_apps().filter(|to| *to != from);
            let mut targets =
                others.map(|to| Ok((to.to_owned(), world.app(to)?.station))).collect::<Result<Vec<_>>>()?;
            let app = world.app(from)?.clone();
            targets.push(("the box".to_owned(), app.gateway));
            targets.extend(strangers.iter().map(|(name, station)| (name.clone(), *station)));
            for (to, station) in targets {
                let ends = ends(world, &app, station)?;
                for probe in probes::towards() {
                    frames.extend(self.frames(from, &to, probe, &ends));
                }
            }
            let ends = ends(world, &app, world.app(neighbour_of(from))?.station)?;
            for probe in probes::to_everyone() {
                frames.extend(self.frames(from, "everyone", probe, &ends));
            }
            send(world, from, &frames)?;
        }
        self.arrivals(world)
    }

    /// Sends every probe of one app at another by itself and returns by how much the counters of refusals rose for each.
    pub(crate) fn counted(
        &mut self,
        world: &mut World,
        from: &str,
        to: &str,
    ) -> Result<Vec<(&'static Probe, usize, u64)>> {
        self.first = self.sent.len();
        let app = world.app(from)?.clone();
        let ends = ends(world, &app, world.app(to)?.station)?;
        let mut counted = Vec::new();
        for probe in probes::towards().chain(probes::to_everyone()) {
            let before = world.refused_of_apps()?;
            let frames = self.frames(from, to, probe, &ends);
            send(world, from, &frames)?;
            self.wait_sent(world)?;
            counted.push((probe, frames.len(), world.refused_of_apps()? - before));
        }
        Ok(counted)
    }

    /// Sends all probes from one app at another, without looking.
    pub(crate) fn burst(&mut self, world: &mut World, from: &str, to: &str) -> Result<()> {
        let app = world.app(from)?.clone();
        let ends = ends(world, &app, world.app(to)?.station)?;
        let frames: Vec<_> =
            probes::towards().flat_map(|probe| self.frames(from, to, probe, &ends)).collect();
        send(world, from, &frames)
    }

    /// Where anything came out that was sent since the last sweep began, once all of it was on its way.
    pub(crate) fn arrivals(&mut self, world: &mut World) -> Result<BTreeSet<Arrival>> {
        self.wait_sent(world)?;
        // An answer of netd takes longer than the box needs for what it has received.
        world.report()?;
        let mut arrivals = BTreeSet::new();
        let mut frames = String::new();
        for sighting in noted(world, None)?.into_iter().filter(|sighting| sighting.way != Way::In) {
            if let Some((sent, frame)) =
                self.sent.get(usize::from(sighting.token)).zip(sighting.frame.as_ref())
            {
                frames.push_str(&format!("{} {sent:?} {frame}\n", sighting.link));
            }
            let place = match sighting.way {
                Way::Delivered => "the box's sockets".to_owned(),
                Way::In | Way::Out => format!("out of {}", sighting.link),
            };
            arrivals.extend(self.arrival(sighting.token, place));
        }
        // For whoever has to find out why.
        std::fs::write(world.vm.folder().join("sent-by-the-box.txt"), frames)
            .context("cannot note frames")?;
        for app in all_apps() {
            for sighting in noted(world, Some(app))?.into_iter().filter(|sighting| sighting.way == Way::In) {
                arrivals.extend(self.arrival(sighting.token, format!("app {app}")));
            }
        }
        for frame in world.captured()? {
            let found = tokens(&frame).collect::<Vec<_>>();
            arrivals
                .extend(found.into_iter().filter_map(|token| self.arrival(token, "the cable".to_owned())));
        }
        Ok(arrivals)
    }

    fn arrival(&self, token: u16, place: String) -> Option<Arrival> {
        let number = usize::from(token);
        let sent = self.sent.get(number).filter(|_| number >= self.first)?.clone();
        Some(Arrival { sent, place })
    }

    fn frames(&mut self, from: &str, to: &str, probe: &'static Probe, ends: &Ends) -> Vec<Vec<u8>> {
        let number = u16::try_from(self.sent.len()).expect("fewer probes than tokens");
        self.sent.push(Sent { from: from.to_owned(), to: to.to_owned(), probe: probe.name });
        (probe.frames)(ends, token(number))
    }

    /// Waits until the box has received something of every probe: what was never sent proves nothing.
    fn wait_sent(&self, world: &mut World) -> Result<()> {
        let guest = world.vm.guest().clone();
        let mut missing = None;
        let seen = guest.wait_until("all probes at the box", || {
            let came: BTreeSet<usize> = noted(world, None)?
                .into_iter()
                .filter(|sighting| sighting.way == Way::In)
                .map(|sighting| usize::from(sighting.token))
                .collect();
            missing = (self.first..self.sent.len()).find(|number| !came.contains(number));
            Ok(missing.is_none().then_some(()))
        });
        seen.with_context(|| {
            format!("never received: {:?}", missing.and_then(|number| self.sent.get(number)))
        })
    }
}

/// Who else there is: the box at home, the home network, the Internet.
fn strangers(world: &mut World) -> Result<BTreeMap<String, Station>> {
    let internet = Station {
        mac: [0; 6],
        ipv4: [93, 184, 215, 14].into(),
        ipv6: Ipv6Addr::new(0x2606, 0x4700, 0x4700, 0, 0, 0, 0, 0x1111),
    };
    let at_home = world.box_at_home()?;
    Ok(BTreeMap::from([
        ("the box at home".to_owned(), at_home),
        ("the home network".to_owned(), router()),
        ("the Internet".to_owned(), internet),
    ]))
}

fn ends(world: &World, app: &App, to: Station) -> Result<Ends> {
    let neighbour = world.apps.values().find(|other| other.station != app.station && other.station != to);
    let neighbour = neighbour.context("no third app")?.station;
    Ok(Ends { from: app.station, gateway: app.gateway, to, neighbour, lan: router() })
}

fn neighbour_of(app: &str) -> &'static str {
    all_apps().find(|other| *other != app).unwrap_or_default()
}

fn send(world: &mut World, from: &str, frames: &[Vec<u8>]) -> Result<()> {
    let order = Order::Send {
        namespace: Some(from.to_owned()),
        link: world.app(from)?.attachment.link.clone(),
        frames: frames.iter().map(|frame| to_hex(frame)).collect(),
    };
    let outcome = world.order(order)?;
    let Outcome::Sent { refused, .. } = outcome else { bail!("nothing sent: {outcome:?}") };
    ensure!(refused.is_empty(), "the app's own kernel refuses frames: {refused:?}");
    Ok(())
}

fn noted(world: &mut World, namespace: Option<&str>) -> Result<Vec<Sighting>> {
    let outcome = world.order(Order::Noted { namespace: namespace.map(str::to_owned) })?;
    let Outcome::Noted { sightings } = outcome else { bail!("nothing noted: {outcome:?}") };
    Ok(sightings)
}
