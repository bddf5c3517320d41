//! Tables and chains.

use crate::nft::name::InterfaceName;
use crate::nft::name::Name;
use crate::nft::rule::Rule;
use crate::nft::rule::Statement;
use crate::nft::set::Set;
use std::collections::HashMap;

/// Everything that one owner wants the kernel to do with packets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ruleset {
    /// Its tables; tables of others are not touched.
    pub tables: Vec<Table>,
}

/// Chains, and the sets that their rules look into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Which packets it sees.
    pub family: Family,
    /// Unique in its family.
    pub name: Name,
    /// Its named sets and maps.
    pub sets: Vec<Set>,
    /// Its chains.
    pub chains: Vec<Chain>,
}

/// Which packets a table sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// IPv4 and IPv6.
    Inet,
    /// IPv4.
    Ip,
    /// IPv6.
    Ip6,
    /// ARP.
    Arp,
    /// Everything that comes in by an interface or leaves by it, before the network protocols see it.
    Netdev,
}

/// A list of rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// Unique in its table.
    pub name: Name,
    /// Where packets come from; none for a chain that others jump to.
    pub base: Option<Base>,
    /// Its rules, first to last.
    pub rules: Vec<Rule>,
}

/// How a chain gets packets of the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    /// What its rules may do.
    pub kind: ChainKind,
    /// Where it sits.
    pub hook: Hook,
    /// Its place among the chains of that hook, small ones first.
    pub priority: i32,
    /// What becomes of a packet that no rule decided on.
    pub policy: Policy,
}

/// What the rules of a base chain may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChainKind {
    /// Decide.
    Filter,
    /// Rewrite addresses; sees only the first packet of a flow.
    Nat,
    /// Have the packet routed anew when they marked it; `output` only.
    Route,
}

/// Where a base chain sits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hook {
    /// Before routing.
    Prerouting,
    /// For this machine.
    Input,
    /// Through this machine.
    Forward,
    /// From this machine.
    Output,
    /// After routing.
    Postrouting,
    /// Fresh from these interfaces, which older kernels want to exist (6.18 does not).
    Ingress(Vec<InterfaceName>),
    /// On the way out of these interfaces, as with [`Hook::Ingress`]; netdev tables only.
    Egress(Vec<InterfaceName>),
}

/// What becomes of a packet that no rule decided on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// It goes on.
    Accept,
    /// It is gone.
    Drop,
}

/// What a rule of the kernel has counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counter {
    /// Of its table.
    pub family: Family,
    /// Its table.
    pub table: String,
    /// Its chain.
    pub chain: String,
    /// What stands beside it.
    pub comment: Option<String>,
    /// Packets.
    pub packets: u64,
    /// Bytes of them.
    pub bytes: u64,
}

impl Ruleset {
    /// Lets the counters start where the kernel's are, for each rule that has a comment; rules with the same comment in the same chain
    /// are told apart by their order.
    pub fn carry_over(&mut self, counters: &[Counter]) {
        let mut known: HashMap<_, std::collections::VecDeque<&Counter>> = HashMap::new();
        for counter in counters {
            if let Some(comment) = &counter.comment {
                let key = (counter.family, counter.table.as_str(), counter.chain.as_str(), comment.as_str());
                known.entry(key).or_default().push_back(counter);
            }
        }
        for table in &mut self.tables {
            for chain in &mut table.chains {
                for rule in &mut chain.rules {
                    let Some(comment) = &rule.comment else { continue };
                    let Some((packets, bytes)) = rule.statements.iter_mut().find_map(counter_of) else {
                        continue;
                    };
                    let key = (table.family, table.name.as_str(), chain.name.as_str(), comment.as_str());
                    if let Some(counter) = known.get_mut(&key).and_then(std::collections::VecDeque::pop_front)
                    {
                        *packets = counter.packets;
                        *bytes = counter.bytes;
                    }
                }
            }
        }
    }
}

fn counter_of(statement: &mut Statement) -> Option<(&mut u64, &mut u64)> {
    if let Statement::Counter { packets, bytes } = statement { Some((packets, bytes)) } else { None }
}

impl Table {
    /// A table without anything in it.
    #[must_use]
    pub fn new(family: Family, name: Name) -> Self {
        Self { family, name, sets: Vec::new(), chains: Vec::new() }
    }

    /// Finds a set or map.
    #[must_use]
    pub fn set(&self, name: &Name) -> Option<&Set> {
        self.sets.iter().find(|set| set.name == *name)
    }
}

impl Chain {
    /// A chain that others jump to.
    pub fn new(name: Name, rules: impl IntoIterator<Item = Rule>) -> Self {
        Self { name, base: None, rules: rules.into_iter().collect() }
    }

    /// A chain that gets packets of the kernel.
    pub fn base(name: Name, base: Base, rules: impl IntoIterator<Item = Rule>) -> Self {
        Self { name, base: Some(base), rules: rules.into_iter().collect() }
    }
}

impl Family {
    /// `NFPROTO_*`
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::Inet => 1,
            Self::Ip => 2,
            Self::Arp => 3,
            Self::Netdev => 5,
            Self::Ip6 => 10,
        }
    }

    pub(crate) fn from_number(number: u8) -> Option<Self> {
        [Self::Inet, Self::Ip, Self::Arp, Self::Netdev, Self::Ip6]
            .into_iter()
            .find(|family| family.number() == number)
    }

    /// nft(8)'s word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inet => "inet",
            Self::Ip => "ip",
            Self::Ip6 => "ip6",
            Self::Arp => "arp",
            Self::Netdev => "netdev",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nft::name::Comment;

    fn rule(comment: &str) -> Rule {
        Rule::new().count().comment(Comment::new(comment).unwrap())
    }

    #[test]
    fn counters_are_carried_over_by_place_and_comment() {
        let name = |text| Name::new(text).unwrap();
        let mut table = Table::new(Family::Inet, name("t"));
        table.chains.push(Chain::new(name("c"), [rule("a"), rule("b"), rule("a"), Rule::new().count()]));
        let mut ruleset = Ruleset { tables: vec![table] };
        let counter = |chain: &str, comment: Option<&str>, packets| Counter {
            family: Family::Inet,
            table: "t".to_owned(),
            chain: chain.to_owned(),
            comment: comment.map(str::to_owned),
            packets,
            bytes: packets * 10,
        };
        ruleset.carry_over(&[
            counter("c", Some("a"), 1),
            counter("c", Some("a"), 2),
            counter("other", Some("b"), 3),
            counter("c", None, 4),
        ]);
        let statements: Vec<_> =
            ruleset.tables[0].chains[0].rules.iter().map(|rule| rule.statements[0].clone()).collect();
        let counted = |packets| Statement::Counter { packets, bytes: packets * 10 };
        assert_eq!(statements, [counted(1), counted(0), counted(2), counted(0)]);
    }
}
