//! A thousand rules into the kernel: by netd's batch, and as text by `nft -f`.

use crate::cost;
use crate::household;
use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use netd::apps::addressing::Prefix6;
use netd::firewall::compile::TABLE;
use netd::firewall::compile::compile;
use netd::firewall::filter::PacketFilter;
use netd::firewall::kernel::KernelFilter;
use netd::firewall::learned::Learned;
use netd::firewall::permission::Permission;
use netd::firewall::permission::permissions;
use netd::firewall::situation::Home;
use netd::firewall::situation::Situation;
use netd::moment::Moment;
use netlink::nft::Ruleset;
use serde::Serialize;
use std::io::Write;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;
use std::time::Instant;
use tempfile::NamedTempFile;

/// How many there are to be.
const RULES: usize = 1000;
const NOW: Moment = Moment::from_secs(0);

/// What was measured; processor time unless it says wall.
#[derive(Debug, Serialize)]
pub(crate) struct Measured {
    /// What the policy allows: each has a name, a mark and a counter of its own, and can be taken away by itself.
    rules: usize,
    apps: usize,
    /// Lines of chains that look these up, and the elements that they are looked up in.
    kernel_rules: usize,
    set_elements: usize,
    text_bytes: usize,
    /// From policy to rules, each round.
    compile_ms: Vec<f64>,
    /// netd's batch.
    batch: Way,
    /// The same rules as text by `nft -f`.
    nft: Way,
}

/// A way into the kernel.
#[derive(Debug, Default, Serialize)]
struct Way {
    /// Into a namespace without rules.
    first_ms: f64,
    /// In place of the same rules, each round.
    cpu_ms: Vec<f64>,
    wall_ms: Vec<f64>,
}

/// Loads the rules in both ways, so many rounds.
pub(crate) fn measure(rounds: usize) -> Result<Measured> {
    let (apps, further_ports) = size()?;
    let ruleset = rules(apps, further_ports)?;
    let text = replacing(&ruleset);
    let mut file = NamedTempFile::new().context("making a file for nft")?;
    file.write_all(text.as_bytes()).context("writing the rules for nft")?;
    let mut filter = KernelFilter::open()?;
    let mut measured = Measured {
        rules: permissions(&household::policy(apps, further_ports)?, true).len(),
        apps,
        kernel_rules: kernel_rules(&ruleset),
        set_elements: ruleset.tables.iter().flat_map(|table| &table.sets).map(|set| set.elements.len()).sum(),
        text_bytes: text.len(),
        compile_ms: Vec::new(),
        batch: Way::default(),
        nft: Way::default(),
    };
    measured.batch.first_ms = batch(&mut filter, &ruleset)?.0;
    let counted = counted(&mut filter)?;
    nft(&["flush", "ruleset"])?;
    measured.nft.first_ms = load(file.path())?.0;
    ensure!(counted == self::counted(&mut filter)?, "the two ways do not lead to the same rules");
    for _round in 0..rounds {
        let before = cost::own()?;
        let again = rules(apps, further_ports)?;
        measured.compile_ms.push(cost::own()? - before);
        measured.batch.note(batch(&mut filter, &again)?);
        measured.nft.note(load(file.path())?);
    }
    Ok(measured)
}

/// How much there is that counts.
fn counted(filter: &mut KernelFilter) -> Result<(usize, usize)> {
    let counts = filter.counts()?;
    Ok((counts.rules.len(), counts.connections.len()))
}

impl Way {
    fn note(&mut self, (cpu, wall): (f64, f64)) {
        self.cpu_ms.push(cpu);
        self.wall_ms.push(wall);
    }
}

/// Processor and wall time of a replacement by netd's batch.
fn batch(filter: &mut KernelFilter, ruleset: &Ruleset) -> Result<(f64, f64)> {
    let (cpu, wall) = (cost::own()?, Instant::now());
    filter.replace(ruleset)?;
    Ok((cost::own()? - cpu, cost::wall(wall)))
}

/// The same by `nft -f`.
fn load(file: &Path) -> Result<(f64, f64)> {
    let (cpu, wall) = (cost::children()?, Instant::now());
    nft(&["-f", file.to_str().context("a path that is no text")?])?;
    Ok((cost::children()? - cpu, cost::wall(wall)))
}

fn nft(arguments: &[&str]) -> Result<()> {
    let status = Command::new("nft").args(arguments).stdin(Stdio::null()).status().context("starting nft")?;
    ensure!(status.success(), "nft {arguments:?} failed");
    Ok(())
}

/// So many apps that one more would be too many, and the ports that are missing from the number.
fn size() -> Result<(usize, usize)> {
    let count =
        |apps, ports| Ok::<_, anyhow::Error>(permissions(&household::policy(apps, ports)?, true).len());
    let mut apps = 1;
    while count(apps + 1, 0)? <= RULES {
        apps += 1;
    }
    Ok((apps, RULES - count(apps, 0)?))
}

fn kernel_rules(ruleset: &Ruleset) -> usize {
    ruleset.tables.iter().flat_map(|table| &table.chains).map(|chain| chain.rules.len()).sum()
}

fn rules(apps: usize, further_ports: usize) -> Result<Ruleset> {
    let policy = household::policy(apps, further_ports)?;
    let permissions = permissions(&policy, true);
    let mut learned = Learned::default();
    for permission in &permissions {
        if let Permission::Domain { .. } = permission {
            for host in 1..=2 {
                let four = Ipv4Addr::new(1, 1, 1, host).into();
                let six = Ipv6Addr::new(0x2606, 0x4700, 0, 0, 0, 0, 0, host.into()).into();
                learned.note(permission, &[four, six], Moment::from_secs(300));
            }
        }
    }
    let home = Home {
        links: ["eth0".to_owned()].into(),
        networks4: [(Ipv4Addr::new(192, 168, 1, 0), 24)].into(),
        networks6: [(Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 0), 64)].into(),
        own_network: None,
    };
    let situation = Situation {
        permissions: &permissions,
        places: &household::places(&policy),
        home: &home,
        prefix6: Prefix6::from_random([1, 2, 3, 4, 5]),
        learned: &learned,
        now: NOW,
    };
    Ok(compile(&situation)?)
}

/// The rules as text that puts them in place of those before, as the batch does: a table must be there to be deleted.
fn replacing(ruleset: &Ruleset) -> String {
    let families = ruleset.tables.iter().map(|table| table.family.as_str());
    let cleared = families.map(|family| format!("table {family} {TABLE}\ndelete table {family} {TABLE}\n"));
    cleared.chain([ruleset.to_string()]).collect()
}
