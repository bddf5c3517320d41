//! Sets and maps: all that grows with links, apps and names.

use super::names;
use super::openings;
use super::parts::CompileError;
use super::parts::link;
use super::parts::mark;
use super::parts::name;
use crate::firewall::permission::Permission;
use crate::firewall::ranges::NOT_GLOBAL6;
use crate::firewall::ranges::NOT_INTERNET4;
use crate::firewall::ranges::NOT_INTERNET6;
use crate::firewall::ranges::Network4;
use crate::firewall::ranges::Network6;
use crate::firewall::ranges::PRIVATE4;
use crate::firewall::ranges::PRIVATE6;
use crate::firewall::situation::Situation;
use model::network::app_policy::Protocol;
use netlink::nft;
use netlink::nft::Element;
use netlink::nft::EtherAddr;
use netlink::nft::Kind;
use netlink::nft::Set;
use netlink::nft::Span;
use netlink::nft::Value;

/// Marks of what is allowed.
pub const LIVE: &str = "live";

/// The set of the marks, without elements. Each counts the packets of its connections, but for the first of the box's own.
///
/// # Errors
/// Never: its name is fixed.
pub fn live_set() -> Result<Set, CompileError> {
    Ok(Set::new(name(LIVE)?, [Kind::Mark]).counting())
}

/// All sets of the main table.
pub(super) fn sets(situation: &Situation<'_>) -> Result<Vec<Set>, CompileError> {
    let home = situation.home;
    let live = situation.permissions.iter().map(|permission| element(mark(&permission.mark())));
    let home_links =
        home.links.iter().map(|text| Ok(element(link(text)?))).collect::<Result<Vec<_>, CompileError>>()?;
    let home4 = PRIVATE4.iter().chain(&home.networks4);
    let home6 = PRIVATE6.iter().chain(&home.networks6);
    let mut sets = vec![
        live_set()?.elements(unique(live)),
        Set::new(name("home_links")?, [Kind::InterfaceName]).elements(home_links),
        networks4("home4", home4)?,
        networks6("home6", home6)?,
        networks4("not_internet4", NOT_INTERNET4.iter().chain(&home.networks4))?,
        networks6("not_internet6", NOT_GLOBAL6.iter().chain(&NOT_INTERNET6).chain(&home.networks6))?,
        app_links(situation)?,
    ];
    sets.extend(identities(situation)?);
    sets.push(askers(situation)?);
    sets.extend(inbound(situation)?);
    sets.extend(openings::maps(situation)?);
    sets.extend(names::maps(situation)?);
    Ok(sets)
}

fn element(value: impl Into<Span>) -> Element {
    Element::new(value)
}

/// Two permissions may have one mark.
fn unique(elements: impl Iterator<Item = Element>) -> Vec<Element> {
    let mut seen = std::collections::HashSet::new();
    elements.filter(|element| seen.insert(element.clone())).collect()
}

fn networks4<'a>(set: &str, networks: impl Iterator<Item = &'a Network4>) -> Result<Set, CompileError> {
    let spans = networks.filter_map(|(address, prefix)| Span::network(*address, *prefix));
    Ok(Set::new(name(set)?, [Kind::Ipv4Addr]).interval().elements(spans.map(Element::new)))
}

fn networks6<'a>(set: &str, networks: impl Iterator<Item = &'a Network6>) -> Result<Set, CompileError> {
    let spans = networks.filter_map(|(address, prefix)| Span::network(*address, *prefix));
    Ok(Set::new(name(set)?, [Kind::Ipv6Addr]).interval().elements(spans.map(Element::new)))
}

/// The box's ends of apps' links.
pub(super) fn app_links(situation: &Situation<'_>) -> Result<Set, CompileError> {
    let links = situation.places.values().map(|place| Ok(element(link(&place.link())?)));
    let links = links.collect::<Result<Vec<_>, CompileError>>()?;
    Ok(Set::new(name("app_links")?, [Kind::InterfaceName]).elements(links))
}

/// Which addresses an app may send with on its link.
fn identities(situation: &Situation<'_>) -> Result<[Set; 2], CompileError> {
    let mut four = Vec::new();
    let mut six = Vec::new();
    for place in situation.places.values() {
        let link = link(&place.link())?;
        let mac = EtherAddr(place.app_mac());
        let ipv6 = place.ipv6(situation.prefix6);
        four.push(Element::concatenated([link.clone().into(), mac.into(), place.ipv4().into()]));
        six.push(Element::concatenated([link.into(), mac.into(), ipv6.into()]));
    }
    let set = |text: &str, kind| {
        Ok::<_, CompileError>(Set::new(name(text)?, [Kind::InterfaceName, Kind::EtherAddr, kind]))
    };
    Ok([
        set("identities4", Kind::Ipv4Addr)?.elements(four),
        set("identities6", Kind::Ipv6Addr)?.elements(six),
    ])
}

/// Links of apps that may ask for names.
fn askers(situation: &Situation<'_>) -> Result<Set, CompileError> {
    let mut links = Vec::new();
    for permission in situation.permissions {
        if let Permission::Names { app } = permission
            && let Some(place) = situation.places.get(app)
        {
            links.push(element(link(&place.link())?));
        }
    }
    Ok(Set::new(name("askers")?, [Kind::InterfaceName]).elements(links))
}

/// Ports of the box that lead to apps.
fn inbound(situation: &Situation<'_>) -> Result<[Set; 2], CompileError> {
    let mut four = Vec::new();
    let mut six = Vec::new();
    for permission in situation.permissions {
        if let Permission::Inbound { app, box_port, app_port } = permission
            && let Some(place) = situation.places.get(app)
        {
            let protocol = match box_port.protocol {
                Protocol::Tcp => nft::Protocol::TCP,
                Protocol::Udp => nft::Protocol::UDP,
            };
            let key = [Span::from(protocol), Span::from(box_port.number.get())];
            let port = Value::from(app_port.get());
            let ipv6 = place.ipv6(situation.prefix6);
            four.push(Element::concatenated(key.clone()).values([place.ipv4().into(), port.clone()]));
            six.push(Element::concatenated(key).values([ipv6.into(), port]));
        }
    }
    let map = |text: &str, kind| {
        Ok::<_, CompileError>(Set::map(name(text)?, [Kind::Protocol, Kind::Service], [kind, Kind::Service]))
    };
    Ok([map("inbound4", Kind::Ipv4Addr)?.elements(four), map("inbound6", Kind::Ipv6Addr)?.elements(six)])
}
