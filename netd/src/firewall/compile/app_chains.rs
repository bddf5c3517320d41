//! What apps reach and what reaches them: the same four chains for all apps, whose permissions are in maps.

use super::names;
use super::openings::Opening;
use super::parts::CompileError;
use super::parts::connections;
use super::parts::invalid;
use super::parts::link;
use super::parts::name;
use super::parts::refuse;
use crate::apps::addressing::GATEWAY4;
use crate::firewall::refusal::Refusal;
use crate::firewall::situation::Situation;
use netlink::nft::Chain;
use netlink::nft::CtStatus;
use netlink::nft::Rule;
use netlink::nft::Verdict;
use netlink::nft::field::CT_STATUS;
use netlink::nft::field::IIFNAME;
use netlink::nft::field::IP_DADDR;
use netlink::nft::field::IP6_DADDR;
use netlink::nft::field::OIFNAME;

/// The mesh's link.
const MESH_LINK: &str = "mesh0";

/// Packets that an app sends, not to the box.
const FROM_APP: &str = "from_app";
/// Packets to an app, from outside.
const TO_APP: &str = "to_app";
/// Packets that an app sends to the box.
pub(super) const BOX_FROM_APP: &str = "box_from_app";
/// Packets that the box sends to an app.
pub(super) const BOX_TO_APP: &str = "to_app_from_box";

pub(super) fn forward() -> Result<Chain, CompileError> {
    let app_links = name("app_links")?;
    let rules = vec![
        invalid()?,
        connections()?,
        Rule::new().when(IIFNAME.is_in(&app_links)).then(Verdict::Goto(name(FROM_APP)?)),
        Rule::new().when(OIFNAME.is_in(&app_links)).then(Verdict::Goto(name(TO_APP)?)),
        refuse(Rule::new(), Refusal::Transit)?,
    ];
    Ok(Chain::new(name("forward")?, rules))
}

pub(super) fn chains(situation: &Situation<'_>) -> Result<[Chain; 4], CompileError> {
    Ok([from_app()?, to_app()?, box_from_app(situation)?, box_to_app()?])
}

fn from_app() -> Result<Chain, CompileError> {
    let out = Rule::new().when(OIFNAME.is_in(&name("home_links")?));
    let mut rules = vec![
        Opening::AppPort.open(Rule::new())?,
        Opening::Lan.open(out.clone().when(IP_DADDR.is_in(&name("home4")?)))?,
        Opening::Lan.open(out.clone().when(IP6_DADDR.is_in(&name("home6")?)))?,
        Opening::Internet.open(out.clone().when(IP_DADDR.is_not_in(&name("not_internet4")?)))?,
        Opening::Internet.open(out.clone().when(IP6_DADDR.is_not_in(&name("not_internet6")?)))?,
    ];
    rules.extend(names::open(&out)?);
    rules.push(Opening::Mesh.open(Rule::new().when(OIFNAME.is(link(MESH_LINK)?)))?);
    rules.push(refuse(Rule::new(), Refusal::AppOut)?);
    Ok(Chain::new(name(FROM_APP)?, rules))
}

/// Only what came to a port of the box and was sent on, as it is for who is at home ([`super::nat`]): nobody outside may use the
/// app's own address.
fn to_app() -> Result<Chain, CompileError> {
    let from_home = Rule::new().when(IIFNAME.is_in(&name("home_links")?));
    let rules = vec![
        Opening::Inbound.open(from_home.when(CT_STATUS.has_any(CtStatus::DNAT)))?,
        refuse(Rule::new(), Refusal::AppIn)?,
    ];
    Ok(Chain::new(name(TO_APP)?, rules))
}

/// Apps know one address of the box. Questions for names go to it too by now, whichever they were sent to (`nat`).
fn box_from_app(situation: &Situation<'_>) -> Result<Chain, CompileError> {
    let rules = vec![
        refuse(Rule::new().when(IP_DADDR.is_not(GATEWAY4)), Refusal::BoxFromApp)?,
        refuse(Rule::new().when(IP6_DADDR.is_not(situation.prefix6.gateway())), Refusal::BoxFromApp)?,
        Opening::BoxPort.open(Rule::new())?,
        refuse(Rule::new(), Refusal::BoxFromApp)?,
    ];
    Ok(Chain::new(name(BOX_FROM_APP)?, rules))
}

fn box_to_app() -> Result<Chain, CompileError> {
    let rules = vec![Opening::Served.open(Rule::new())?, refuse(Rule::new(), Refusal::AppIn)?];
    Ok(Chain::new(name(BOX_TO_APP)?, rules))
}
