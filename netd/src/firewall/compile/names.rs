//! Addresses of the names that apps may reach: maps like the others, whose elements come with answers to questions and end by themselves.

use super::openings;
use super::parts::CompileError;
use super::parts::link;
use super::parts::mark;
use super::parts::name;
use crate::firewall::filter::AddressChange;
use crate::firewall::filter::Reachable;
use crate::firewall::permission::Mark;
use crate::firewall::permission::Permission;
use crate::firewall::situation::Situation;
use model::network::names::AppKey;
use netlink::nft::Element;
use netlink::nft::ElementData;
use netlink::nft::InterfaceName;
use netlink::nft::Kind;
use netlink::nft::LiveElement;
use netlink::nft::Rule;
use netlink::nft::Set;
use netlink::nft::Span;
use netlink::nft::Timeout;
use netlink::nft::Value;
use netlink::nft::field::IIFNAME;
use netlink::nft::field::IP_DADDR;
use netlink::nft::field::IP6_DADDR;
use std::collections::BTreeSet;
use std::net::IpAddr;

const NAMES4: &str = "app_to_name4";
const NAMES6: &str = "app_to_name6";

/// The two maps, without elements: IPv4 and IPv6.
///
/// # Errors
/// Never: their names are fixed.
pub fn name_maps() -> Result<[Set; 2], CompileError> {
    let map = |text, kind| {
        let key = [Kind::InterfaceName, kind];
        Ok::<_, CompileError>(Set::map(name(text)?, key, [Kind::Mark]).timeout(Timeout::PerElement))
    };
    Ok([map(NAMES4, Kind::Ipv4Addr)?, map(NAMES6, Kind::Ipv6Addr)?])
}

/// The key of an app's link and an address, in the map of its family.
#[must_use]
pub fn name_key(link: &InterfaceName, address: IpAddr) -> Element {
    let address = match address {
        IpAddr::V4(address) => Span::from(address),
        IpAddr::V6(address) => Span::from(address),
    };
    Element::concatenated([link.clone().into(), address])
}

/// What an app reaches because of a name, as an element of its map.
#[must_use]
pub fn name_element(reachable: &Reachable) -> Element {
    let element = name_key(&reachable.link, reachable.address);
    element.values([mark(&reachable.mark).into()]).timeout(reachable.left)
}

/// The other way round; nothing when it is not of these maps.
#[must_use]
pub fn name_of_element(live: &LiveElement) -> Option<Reachable> {
    let [link, address] = live.key.as_slice() else { return None };
    let Value::InterfaceName(link) = link.single()? else { return None };
    let address = if let Value::Ipv4Addr(address) = address.single()? {
        IpAddr::V4(*address)
    } else if let Value::Ipv6Addr(address) = address.single()? {
        IpAddr::V6(*address)
    } else {
        return None;
    };
    let ElementData::Values(values) = &live.data else { return None };
    let [Value::Mark(mark)] = values.as_slice() else { return None };
    Some(Reachable { link: link.clone(), address, mark: Mark(mark.0), left: live.expires? })
}

/// The maps with all that is known.
pub(super) fn maps(situation: &Situation<'_>) -> Result<[Set; 2], CompileError> {
    let mut pairs = BTreeSet::new();
    for permission in situation.permissions {
        if let Permission::Domain { app, .. } = permission {
            let addresses = situation.learned.of(permission, situation.now).map(|(address, _)| address);
            pairs.extend(addresses.map(|address| (app, address)));
        }
    }
    let mut elements: [Vec<Element>; 2] = [Vec::new(), Vec::new()];
    for (app, address) in pairs {
        if let Some(reachable) = reachable(situation, app, address)? {
            elements[usize::from(address.is_ipv6())].push(name_element(&reachable));
        }
    }
    let ([four, six], [elements4, elements6]) = (name_maps()?, elements);
    Ok([four.elements(elements4), six.elements(elements6)])
}

/// What an answer changes: how it is now with these addresses, of which an app may reach some because of other names too.
///
/// # Errors
/// When the app's link has a name that the kernel would not take.
pub fn address_change(
    situation: &Situation<'_>,
    app: &AppKey,
    addresses: impl IntoIterator<Item = IpAddr>,
) -> Result<AddressChange, CompileError> {
    let mut change = AddressChange::default();
    for address in addresses {
        match reachable(situation, app, address)? {
            Some(reachable) => change.put.push(reachable),
            None => {
                if let Some(place) = situation.places.get(app) {
                    change.gone.push((link(&place.link())?, address));
                }
            }
        }
    }
    Ok(change)
}

/// The permission that is good for longest has the address; nothing when there is none, or the address lies at home, which may have become
/// wider since the answer.
fn reachable(
    situation: &Situation<'_>,
    app: &AppKey,
    address: IpAddr,
) -> Result<Option<Reachable>, CompileError> {
    let Some(place) = situation.places.get(app) else { return Ok(None) };
    let found = situation.learned.latest(app, address, situation.permissions, situation.now);
    let Some((permission, left)) = found.filter(|_| situation.home.has_in_internet(address)) else {
        return Ok(None);
    };
    Ok(Some(Reachable { link: link(&place.link())?, address, mark: permission.mark(), left }))
}

/// Opens connections to addresses of names.
pub(super) fn open(when: &Rule) -> Result<[Rule; 2], CompileError> {
    Ok([
        openings::open(when.clone(), vec![IIFNAME.into(), IP_DADDR.into()], NAMES4)?,
        openings::open(when.clone(), vec![IIFNAME.into(), IP6_DADDR.into()], NAMES6)?,
    ])
}
