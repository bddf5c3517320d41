//! From permissions to the kernel's rules. Pure.
//!
//! ```text
//! prerouting -450  early     packets of apps: own addresses, whole, to one host; nobody else with apps' addresses
//! prerouting -100  destinations  apps' questions for names → the box; ports of the box → apps
//! input            input     lo │ known connections → open │ from apps: maps │ from home: what is served
//! forward          forward   known connections → open │ from apps: maps │ to apps: maps
//! output           output    lo │ known connections → open │ to apps: maps │ no plaintext DNS │ anything
//! postrouting 100  sources   apps go out with the box's address
//! ```
//!
//! A map finds the mark of the permission for a first packet; the connection keeps it. `open` lets pass what has a mark of the set
//! `live`, whose elements count ([`crate::firewall::permission`]). So the rules are always the same, and policies are elements.

mod app_chains;
mod box_chains;
mod early;
mod names;
mod nat;
mod openings;
mod parts;
mod sets;

pub use names::address_change;
pub use names::name_element;
pub use names::name_key;
pub use names::name_maps;
pub use names::name_of_element;
pub use parts::CompileError;
pub use parts::label;
pub use sets::LIVE;
pub use sets::live_set;

use crate::firewall::refusal::Refusal;
use crate::firewall::situation::Situation;
use netlink::nft::Base;
use netlink::nft::Chain;
use netlink::nft::ChainKind;
use netlink::nft::Family;
use netlink::nft::Hook;
use netlink::nft::Policy;
use netlink::nft::Rule;
use netlink::nft::Ruleset;
use netlink::nft::Table;
use netlink::nft::field::IIFNAME;
use parts::name;
use parts::refuse;

/// Name of the tables.
pub const TABLE: &str = "hearth";

/// Makes the rules.
///
/// # Errors
/// When a link has a name that the kernel would not take.
pub fn compile(situation: &Situation<'_>) -> Result<Ruleset, CompileError> {
    let mut inet = Table::new(Family::Inet, name(TABLE)?);
    inet.sets = sets::sets(situation)?;
    // A chain must be there before a rule jumps to it.
    inet.chains = vec![parts::open()?, box_chains::from_home(situation)?];
    inet.chains.extend(app_chains::chains(situation)?);
    inet.chains.push(base(
        early::early(situation)?,
        ChainKind::Filter,
        Hook::Prerouting,
        -450,
        Policy::Accept,
    ));
    inet.chains.push(base(
        nat::destinations(situation)?,
        ChainKind::Nat,
        Hook::Prerouting,
        -100,
        Policy::Accept,
    ));
    inet.chains.push(base(box_chains::input()?, ChainKind::Filter, Hook::Input, 0, Policy::Drop));
    inet.chains.push(base(app_chains::forward()?, ChainKind::Filter, Hook::Forward, 0, Policy::Drop));
    inet.chains.push(base(box_chains::output()?, ChainKind::Filter, Hook::Output, 0, Policy::Drop));
    inet.chains.push(base(nat::sources(situation)?, ChainKind::Nat, Hook::Postrouting, 100, Policy::Accept));
    Ok(Ruleset { tables: vec![inet, arp(situation)?] })
}

/// Both ends of an app's link know each other: nobody has to ask, and nobody may tell.
fn arp(situation: &Situation<'_>) -> Result<Table, CompileError> {
    let mut arp = Table::new(Family::Arp, name(TABLE)?);
    let links = sets::app_links(situation)?;
    let from_app = Rule::new().when(IIFNAME.is_in(&links.name));
    arp.sets.push(links);
    let rules = vec![refuse(from_app, Refusal::Neighbours)?];
    let chain = Chain::new(name("input")?, rules);
    arp.chains.push(base(chain, ChainKind::Filter, Hook::Input, 0, Policy::Accept));
    Ok(arp)
}

fn base(chain: Chain, kind: ChainKind, hook: Hook, priority: i32, policy: Policy) -> Chain {
    Chain { base: Some(Base { kind, hook, priority, policy }), ..chain }
}

#[cfg(test)]
mod tests;
