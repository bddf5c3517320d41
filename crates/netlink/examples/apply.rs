//! How long it takes to put a ruleset into the kernel: `unshare --net target/release/examples/apply [rules] [--sets] [--text]`.
//!
//! Prints processor time of this thread and wall time in milliseconds; with `--text` the ruleset instead, for `nft -f -`. With
//! `--sets` every rule looks into a set of its own.

#![expect(clippy::print_stdout, reason = "the result is for people")]

use netlink::nft::field::CT_STATE;
use netlink::nft::field::IP_SADDR;
use netlink::nft::field::TCP_DPORT;
use netlink::nft::*;
use rustix::time::ClockId;
use rustix::time::clock_gettime;
use std::net::Ipv4Addr;
use std::time::Duration;

fn milliseconds(clock: ClockId) -> f64 {
    let now = clock_gettime(clock);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or_default()).as_secs_f64()
        * 1e3
}

fn ruleset(rules: u32, has_sets: bool) -> Result<Ruleset, InvalidName> {
    let mut table = Table::new(Family::Inet, Name::new("bench")?);
    let known = Rule::new()
        .when(CT_STATE.has_any(CtState::ESTABLISHED | CtState::RELATED))
        .count()
        .then(Verdict::Accept);
    let mut list = vec![known];
    for number in 1..rules {
        let port = u16::try_from(number % 60_000).unwrap_or_default();
        list.push(
            Rule::new()
                .when(IP_SADDR.is(Ipv4Addr::from_bits(0x0a00_0000 + number)))
                .when(if has_sets { TCP_DPORT.is_one_of([port, port + 1]) } else { TCP_DPORT.is(port) })
                .count()
                .then(Verdict::Accept)
                .comment(Comment::new(&format!("rule {number}"))?),
        );
    }
    let base = Base { kind: ChainKind::Filter, hook: Hook::Forward, priority: 0, policy: Policy::Drop };
    table.chains.push(Chain::base(Name::new("forward")?, base, list));
    Ok(Ruleset { tables: vec![table] })
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let rules = arguments.first().map_or(Ok(1000), |text| text.parse())?;
    let has = |word: &str| arguments.iter().any(|argument| argument == word);
    let ruleset = ruleset(rules, has("--sets"))?;
    if has("--text") {
        println!("{ruleset}");
        return Ok(());
    }
    let mut firewall = Firewall::open()?;
    for round in ["first", "again", "again", "again"] {
        let (cpu, wall) = (milliseconds(ClockId::ThreadCPUTime), milliseconds(ClockId::Monotonic));
        firewall.replace(&ruleset)?;
        let (cpu, wall) =
            (milliseconds(ClockId::ThreadCPUTime) - cpu, milliseconds(ClockId::Monotonic) - wall);
        println!("{rules} rules, {round}: {cpu:.2} ms processor, {wall:.2} ms wall");
    }
    Ok(())
}
