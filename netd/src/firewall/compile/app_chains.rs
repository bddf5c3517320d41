//! What apps reach and what reaches them: four chains for each app, found by its link.

use super::parts::CompileError;
use super::parts::allow;
use super::parts::connections;
use super::parts::link;
use super::parts::name;
use super::parts::refuse;
use super::parts::to_port;
use super::sets::AppChain;
use super::sets::address_sets;
use crate::firewall::permission::Permission;
use crate::firewall::refusal::Refusal;
use crate::firewall::situation::Situation;
use model::network::app_policy::Port;
use model::network::app_policy::Protocol as PortProtocol;
use model::network::names::AppKey;
use netlink::nft::Chain;
use netlink::nft::CtState;
use netlink::nft::CtStatus;
use netlink::nft::Match;
use netlink::nft::Rule;
use netlink::nft::Statement;
use netlink::nft::field::CT_STATE;
use netlink::nft::field::CT_STATUS;
use netlink::nft::field::IIFNAME;
use netlink::nft::field::IP_DADDR;
use netlink::nft::field::IP6_DADDR;
use netlink::nft::field::OIFNAME;
use netlink::nft::field::TCP_DPORT;
use netlink::nft::field::UDP_DPORT;

/// The mesh's link.
pub(super) const MESH_LINK: &str = "mesh0";

pub(super) fn forward() -> Result<Chain, CompileError> {
    let mut rules = vec![refuse(Rule::new().when(CT_STATE.has_any(CtState::INVALID)), Refusal::Invalid)?];
    rules.extend(connections()?);
    rules.push(
        Rule::new().then(Statement::VerdictMap { key: vec![IIFNAME.into()], map: AppChain::From.map()? }),
    );
    rules.push(
        Rule::new().then(Statement::VerdictMap { key: vec![OIFNAME.into()], map: AppChain::To.map()? }),
    );
    rules.push(refuse(Rule::new(), Refusal::Transit)?);
    Ok(Chain::new(name("forward")?, rules))
}

/// The chains of all apps.
pub(super) fn chains(situation: &Situation<'_>) -> Result<Vec<Chain>, CompileError> {
    let mut chains = Vec::new();
    for (app, place) in situation.places {
        for (kind, otherwise) in [
            (AppChain::From, Refusal::AppOut),
            (AppChain::To, Refusal::AppIn),
            (AppChain::ToBox, Refusal::BoxFromApp),
            (AppChain::FromBox, Refusal::AppIn),
        ] {
            let mut rules = Vec::new();
            for permission in situation.permissions.iter().filter(|permission| permission.app() == Some(app))
            {
                for rule in matching(situation, &kind, app, permission)? {
                    rules.push(allow(rule, permission)?);
                }
            }
            rules.push(refuse(Rule::new(), otherwise)?);
            chains.push(Chain::new(kind.of(*place)?, rules));
        }
    }
    Ok(chains)
}

/// What a packet must be that a permission lets through in one of the app's chains.
fn matching(
    situation: &Situation<'_>,
    chain: &AppChain,
    app: &AppKey,
    permission: &Permission,
) -> Result<Vec<Rule>, CompileError> {
    match chain {
        AppChain::From => from(situation, permission),
        AppChain::To => to(permission),
        AppChain::ToBox => Ok(to_box(permission)),
        AppChain::FromBox => {
            let Permission::Served { app: this, port } = permission else { return Ok(vec![]) };
            Ok(if this == app { vec![Rule::new().when(to_port(*port))] } else { vec![] })
        }
    }
}

fn from(situation: &Situation<'_>, permission: &Permission) -> Result<Vec<Rule>, CompileError> {
    let home_links = name("home_links")?;
    let out = |test: Match| Rule::new().when(OIFNAME.is_in(&home_links)).when(test);
    let rules = match permission {
        Permission::Link { to, port, .. } => match situation.places.get(to) {
            Some(place) => vec![Rule::new().when(OIFNAME.is(link(&place.link())?)).when(to_port(*port))],
            None => vec![],
        },
        Permission::Lan { .. } => {
            vec![out(IP_DADDR.is_in(&name("home4")?)), out(IP6_DADDR.is_in(&name("home6")?))]
        }
        Permission::Internet { .. } => {
            vec![
                out(IP_DADDR.is_not_in(&name("not_internet4")?)),
                out(IP6_DADDR.is_not_in(&name("not_internet6")?)),
            ]
        }
        Permission::Domain { .. } => {
            let [four, six] = address_sets(permission)?;
            vec![out(IP_DADDR.is_in(&four)), out(IP6_DADDR.is_in(&six))]
        }
        Permission::Mesh { .. } => vec![Rule::new().when(OIFNAME.is(link(MESH_LINK)?))],
        Permission::BoxOut
        | Permission::LanToBox(_)
        | Permission::Names { .. }
        | Permission::Gateway { .. }
        | Permission::Served { .. }
        | Permission::Inbound { .. } => vec![],
    };
    Ok(rules)
}

/// Only what came to a port of the box and was sent on, as it is for who is at home ([`super::nat`]): nobody outside may use the
/// app's own address.
fn to(permission: &Permission) -> Result<Vec<Rule>, CompileError> {
    let Permission::Inbound { box_port, app_port, .. } = permission else { return Ok(vec![]) };
    let port = Port { protocol: box_port.protocol, number: *app_port };
    let from_home = Rule::new().when(IIFNAME.is_in(&name("home_links")?));
    Ok(vec![from_home.when(CT_STATUS.has_any(CtStatus::DNAT)).when(to_port(port))])
}

fn to_box(permission: &Permission) -> Vec<Rule> {
    match permission {
        // To whichever address of the box: all of them lead to its name service (`nat`).
        Permission::Names { .. } => {
            vec![Rule::new().when(UDP_DPORT.is(53)), Rule::new().when(TCP_DPORT.is(53))]
        }
        Permission::Gateway { port, .. } => {
            // The chain `input` has seen that it goes to the gateway's address.
            vec![Rule::new().when(to_port(Port { protocol: PortProtocol::Tcp, number: *port }))]
        }
        Permission::BoxOut
        | Permission::LanToBox(_)
        | Permission::Served { .. }
        | Permission::Lan { .. }
        | Permission::Internet { .. }
        | Permission::Domain { .. }
        | Permission::Mesh { .. }
        | Permission::Inbound { .. }
        | Permission::Link { .. } => vec![],
    }
}
