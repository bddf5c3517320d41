//! A box with apps that are not there: only their network namespaces are, held by the agent, with root inside.

use crate::network::BOX;
use crate::network::Lan;
use crate::network::Neighbourhood;
use crate::network::ROUTER;
use crate::network::ROUTER6;
use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use anyhow::ensure;
use hearth_agent::network::order::LinkFacts;
use hearth_agent::network::order::Order;
use hearth_agent::network::order::Outcome;
use hearth_agent::network::order::Progress;
use hearth_agent::network::order::Table;
use hearth_agent::network::order::Target;
use hearth_agent::network::order::Transport;
use model::network::app_policy::AppAccess;
use model::network::app_policy::AppPolicy;
use model::network::app_policy::Grant;
use model::network::app_policy::Workspace;
use model::network::attachment::Attachment;
use model::network::report::NetworkReport;
use qemu_tests::Artifacts;
use qemu_tests::Vm;
use qemu_tests::VmBuilder;
use qemu_tests::agent::Agent;
use qemu_tests::builder::Inside;
use qemu_tests::capture;
use qemu_tests::probes::Station;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;

/// Two workspaces of three apps.
pub(crate) const WORKSPACES: [(&str, [&str; 3]); 2] =
    [("north", ["a", "b", "c"]), ("south", ["d", "e", "f"])];
/// Forwarded from this machine to the same port of the box.
pub(crate) const INBOUND: u16 = 8088;
/// Name of an app's link inside its namespace (docs/spec/network.md).
const APP_LINK: &str = "eth0";
/// Refusals of what others than apps sent: the home network is never quite silent.
const NOT_OF_APPS: [&str; 4] =
    ["refused: box closed", "refused: from outside", "refused: transit", "refused: plaintext names"];

/// The box, its apps, and the home network around it.
pub(crate) struct World {
    pub(crate) vm: Vm,
    pub(crate) agent: Agent,
    pub(crate) apps: BTreeMap<String, App>,
    _lan: Neighbourhood,
    captures: [PathBuf; 2],
}

/// An app that is attached.
#[derive(Clone, Debug)]
pub(crate) struct App {
    pub(crate) attachment: Attachment,
    /// The app's end.
    pub(crate) station: Station,
    /// The box's end.
    pub(crate) gateway: Station,
    /// Name of the box's end.
    pub(crate) host_link: String,
}

/// What a method came to: its text, or the last part of an error's name with its words.
pub(crate) type Reply = std::result::Result<String, (String, String)>;

impl World {
    /// Boots a box at a home network that the test plays, and waits until it has its addresses.
    pub(crate) fn start(folder: &Path, tune: impl FnOnce(VmBuilder) -> VmBuilder) -> Result<Self> {
        let builder = VmBuilder::new(folder, &Artifacts::load()?).inside(Inside::Agent);
        let vm = tune(builder.packets().captured().forward(INBOUND)).start()?;
        let lan = Neighbourhood::start(Lan::open(vm.machine().packets.as_ref().context("no second card")?)?);
        let mut agent = vm.agent()?;
        vm.wait_until("the addresses of the box", || {
            let has_four = agent.read("/proc/net/fib_trie")?.contains(&BOX.to_string());
            Ok((has_four && global_address(&mut agent)?.is_some()).then_some(()))
        })?;
        let captures = ["network.pcap", "packets.pcap"].map(|name| folder.join(name));
        Ok(Self { vm, agent, apps: BTreeMap::new(), _lan: lan, captures })
    }

    pub(crate) fn order(&mut self, order: Order) -> Result<Outcome> {
        self.agent.order(order)
    }

    pub(crate) fn done(&mut self, order: Order) -> Result<()> {
        let outcome = self.order(order)?;
        let Outcome::Done = outcome else { bail!("not done: {outcome:?}") };
        Ok(())
    }

    pub(crate) fn call(&mut self, method: &str, arguments: &[&str]) -> Result<Reply> {
        let arguments = arguments.iter().map(|text| (*text).to_owned()).collect();
        reply(self.order(Order::Call { method: method.to_owned(), arguments })?)
    }

    pub(crate) fn set_policy(&mut self, policy: &AppPolicy) -> Result<()> {
        let text = serde_json::to_string(policy).context("cannot write a policy")?;
        accepted(self.call("SetAppPolicy", &[&text])?).map(drop)
    }

    pub(crate) fn report(&mut self) -> Result<NetworkReport> {
        let text = accepted(self.call("Report", &[])?)?;
        serde_json::from_str(&text).with_context(|| format!("no report: {text}"))
    }

    /// Packets that were refused on their way from, to or between apps.
    pub(crate) fn refused_of_apps(&mut self) -> Result<u64> {
        let rules = self.report()?.firewall.rules;
        let counted = rules
            .iter()
            .filter(|rule| rule.name.starts_with("refused: ") && !NOT_OF_APPS.contains(&rule.name.as_str()));
        Ok(counted.map(|rule| rule.packets).sum())
    }

    pub(crate) fn try_attach(&mut self, app: &str, namespace: &str) -> Result<Reply> {
        reply(self.order(Order::Attach { app: app.to_owned(), namespace: namespace.to_owned() })?)
    }

    /// Makes a namespace of the app's name, attaches and watches it.
    pub(crate) fn attach(&mut self, app: &str) -> Result<()> {
        self.done(Order::Make { namespace: app.to_owned() })?;
        let text = accepted(self.try_attach(app, app)?)?;
        let attachment: Attachment =
            serde_json::from_str(&text).with_context(|| format!("no attachment: {text}"))?;
        let inside = self.links(Some(app))?;
        let host = self.report()?.apps.into_iter().find(|report| report.app.as_str() == app);
        let host_link = host.with_context(|| format!("{app} is not in the report"))?.link;
        let outside = self.links(None)?;
        let (ipv4, ipv6) = (attachment.ipv4, attachment.ipv6);
        let station = Station { mac: mac_of(&inside, APP_LINK)?, ipv4, ipv6 };
        let (ipv4, ipv6) = (attachment.gateway4, attachment.gateway6);
        let gateway = Station { mac: mac_of(&outside, &host_link)?, ipv4, ipv6 };
        self.apps.insert(app.to_owned(), App { attachment, station, gateway, host_link });
        Ok(())
    }

    pub(crate) fn detach(&mut self, app: &str) -> Result<()> {
        accepted(self.call("DetachApp", &[app])?)?;
        self.apps.remove(app);
        self.done(Order::Close { namespace: app.to_owned() })
    }

    /// Attaches all six, none with a grant.
    pub(crate) fn attach_all(&mut self) -> Result<()> {
        self.set_policy(&policy(&[])?)?;
        all_apps().try_for_each(|app| self.attach(app))
    }

    pub(crate) fn app(&self, name: &str) -> Result<&App> {
        self.apps.get(name).with_context(|| format!("{name} is not attached"))
    }

    pub(crate) fn links(&mut self, namespace: Option<&str>) -> Result<Vec<LinkFacts>> {
        let outcome = self.order(Order::Links { namespace: namespace.map(str::to_owned) })?;
        let Outcome::Links { links } = outcome else { bail!("no links: {outcome:?}") };
        Ok(links)
    }

    /// The box under its addresses in the home network.
    pub(crate) fn box_at_home(&mut self) -> Result<Station> {
        let ipv6 = global_address(&mut self.agent)?.context("no address of the home network")?;
        Ok(Station { mac: [0; 6], ipv4: BOX, ipv6 })
    }

    /// Tries to be greeted by all targets from one app.
    pub(crate) fn reach(&mut self, from: &str, targets: &[Target]) -> Result<Vec<Option<String>>> {
        let order =
            Order::Reach { namespace: Some(from.to_owned()), targets: targets.to_vec(), milliseconds: 3000 };
        let outcome = self.order(order)?;
        let Outcome::Reached { greetings } = outcome else { bail!("no greetings: {outcome:?}") };
        Ok(greetings.into_iter().map(std::result::Result::ok).collect())
    }

    pub(crate) fn progress(&mut self, flow: &str) -> Result<Progress> {
        let outcome = self.order(Order::Flow { flow: flow.to_owned() })?;
        let Outcome::Flow { progress } = outcome else { bail!("no flow: {outcome:?}") };
        Ok(progress)
    }

    /// Waits until a flow is where it should be.
    pub(crate) fn wait_flow(
        &mut self,
        flow: &str,
        what: &str,
        fits: impl Fn(&Progress) -> bool,
    ) -> Result<Progress> {
        let guest = self.vm.guest().clone();
        let mut last = None;
        let found = guest.wait_until(&format!("flow {flow}: {what}"), || {
            let now = self.progress(flow)?;
            last = Some(now.clone());
            Ok(fits(&now).then_some(now))
        });
        found.with_context(|| format!("{last:?}"))
    }

    pub(crate) fn table(&mut self, table: Table) -> Result<Vec<String>> {
        let outcome = self.order(Order::Table { table })?;
        let Outcome::Table { entries } = outcome else { bail!("no table: {outcome:?}") };
        Ok(entries)
    }

    /// Tracked connections with both addresses.
    pub(crate) fn connections(&mut self, one: Ipv4Addr, other: Ipv4Addr) -> Result<usize> {
        let [one, other] = [one, other].map(|address| hearth_agent::network::to_hex(&address.octets()));
        let all = self.table(Table::Connections)?;
        Ok(all.iter().filter(|entry| entry.contains(&one) && entry.contains(&other)).count())
    }

    /// Every frame that went over a cable of the box.
    pub(crate) fn captured(&self) -> Result<Vec<Vec<u8>>> {
        let frames = self.captures.iter().map(|file| capture::read(file)).collect::<Result<Vec<_>>>()?;
        Ok(frames.concat())
    }

    /// What must hold at the end of every test with a network.
    pub(crate) fn finish(self) -> Result<()> {
        self.captures.iter().try_for_each(|file| capture::ensure_no_plaintext_names(file))
    }
}

/// The name of every app.
pub(crate) fn all_apps() -> impl Iterator<Item = &'static str> {
    WORKSPACES.iter().flat_map(|(_, apps)| apps.iter().copied())
}

/// The router, which is also the only other device.
pub(crate) fn router() -> Station {
    Station { mac: qemu_tests::packets::MAC, ipv4: ROUTER, ipv6: ROUTER6 }
}

/// Both workspaces with all apps and these grants.
pub(crate) fn policy(grants: &[(&str, Grant)]) -> Result<AppPolicy> {
    let mut policy = AppPolicy::default();
    for (workspace, apps) in WORKSPACES {
        let mut members = Workspace::default();
        for app in apps {
            let own = grants.iter().filter(|(holder, _)| *holder == app);
            let access =
                AppAccess { grants: own.map(|(_, grant)| grant.clone()).collect(), ..AppAccess::default() };
            members.apps.insert(app.parse()?, access);
        }
        policy.workspaces.insert(workspace.parse()?, members);
    }
    Ok(policy)
}

/// A link to another app, such as `link("b", "tcp/5432")`.
pub(crate) fn link(app: &str, port: &str) -> Result<Grant> {
    Ok(Grant::App { app: app.parse()?, port: port.parse()? })
}

pub(crate) fn target(transport: Transport, address: impl Into<IpAddr>, port: u16) -> Target {
    Target { transport, address: SocketAddr::new(address.into(), port) }
}

/// The text of a method that must succeed.
pub(crate) fn accepted(reply: Reply) -> Result<String> {
    reply.map_err(|(name, words)| anyhow::anyhow!("netd answers {name}: {words}"))
}

/// A method must be refused with this error.
pub(crate) fn expect_refusal(reply: Reply, expected: &str) -> Result<()> {
    match reply {
        Err((name, words)) => {
            ensure!(name == expected, "refused as {name} instead of {expected}: {words}");
            ensure!(!words.is_empty(), "{name} without a reason");
            Ok(())
        }
        Ok(text) => bail!("accepted instead of {expected}: {text}"),
    }
}

fn reply(outcome: Outcome) -> Result<Reply> {
    if let Outcome::Refused { name, words } = outcome {
        return Ok(Err((name.rsplit('.').next().unwrap_or_default().to_owned(), words)));
    }
    let Outcome::Returned { text } = outcome else { bail!("no reply: {outcome:?}") };
    Ok(Ok(text))
}

fn mac_of(links: &[LinkFacts], name: &str) -> Result<[u8; 6]> {
    let found = links.iter().find(|link| link.name == name);
    Ok(found.with_context(|| format!("no link {name} among {links:?}"))?.mac)
}

/// The box's address of the advertised prefix, once it is settled (net/ipv6/addrconf.c, `if6_seq_show`).
fn global_address(agent: &mut Agent) -> Result<Option<Ipv6Addr>> {
    let text = agent.read("/proc/net/if_inet6")?;
    let found = text.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [address, _, _, _, flags, _] = fields.as_slice() else { return None };
        let is_tentative = u32::from_str_radix(flags, 16).ok()? & 0x40 != 0;
        let address = Ipv6Addr::from(u128::from_str_radix(address, 16).ok()?);
        (address.segments()[0] == 0xfd77 && !is_tentative).then_some(address)
    });
    Ok(found)
}
