//! Where packets are sent elsewhere than they say.

use super::parts::CompileError;
use super::parts::comment;
use super::parts::name;
use crate::apps::addressing::GATEWAY4;
use crate::apps::addressing::POOL4_NETWORK;
use crate::firewall::situation::Situation;
use netlink::nft::AddressType;
use netlink::nft::Chain;
use netlink::nft::Nat;
use netlink::nft::NatEnd;
use netlink::nft::NatTarget;
use netlink::nft::NfFamily;
use netlink::nft::Protocol;
use netlink::nft::Rule;
use netlink::nft::Statement;
use netlink::nft::field::FIB_DADDR_TYPE;
use netlink::nft::field::IIFNAME;
use netlink::nft::field::IP_SADDR;
use netlink::nft::field::IP6_SADDR;
use netlink::nft::field::L4PROTO;
use netlink::nft::field::NFPROTO;
use netlink::nft::field::OIFNAME;
use netlink::nft::field::TH_DPORT;

/// Port of plaintext DNS.
const DNS: u16 = 53;

/// Questions of apps go to the box, whomever they were meant for; ports of the box that were granted lead to their apps, for who is
/// at home: a device that sends from elsewhere comes by a router that hands on what the Internet sends.
pub(super) fn destinations(situation: &Situation<'_>) -> Result<Chain, CompileError> {
    let (askers, home_links) = (name("askers")?, name("home_links")?);
    let with_ports = || L4PROTO.is_one_of([Protocol::TCP, Protocol::UDP]);
    let question = |family| {
        Rule::new()
            .when(IIFNAME.is_in(&askers))
            .when(NFPROTO.is(family))
            .when(with_ports())
            .when(TH_DPORT.is(DNS))
    };
    let to = |target| Nat { end: NatEnd::Destination, target };
    let gateway6 = situation.prefix6.gateway();
    let names = comment("names are asked of the box")?;
    let ports = comment("ports of apps")?;
    let mut rules = vec![
        question(NfFamily::IPV4).then(to(NatTarget::Ipv4(GATEWAY4, None))).comment(names.clone()),
        question(NfFamily::IPV6).then(to(NatTarget::Ipv6(gateway6, None))).comment(names),
    ];
    let at_home =
        [(IP_SADDR.is_in(&name("home4")?), "inbound4"), (IP6_SADDR.is_in(&name("home6")?), "inbound6")];
    for (at_home, map) in at_home {
        let key = vec![L4PROTO.into(), TH_DPORT.into()];
        let rule = Rule::new()
            .when(IIFNAME.is_in(&home_links))
            .when(at_home)
            .when(FIB_DADDR_TYPE.is(AddressType::LOCAL))
            .when(with_ports())
            .then(to(NatTarget::Map { key, map: name(map)? }));
        rules.push(rule.comment(ports.clone()));
    }
    Ok(Chain::new(name("destinations")?, rules))
}

/// Apps go out with the box's address.
pub(super) fn sources(situation: &Situation<'_>) -> Result<Chain, CompileError> {
    let home_links = name("home_links")?;
    let (pool4, prefix4) = POOL4_NETWORK;
    let (pool6, prefix6) = situation.prefix6.network();
    let out = || Rule::new().when(OIFNAME.is_in(&home_links));
    let rules = vec![
        out().when(IP_SADDR.is_in_network(pool4, prefix4)).then(Statement::Masquerade),
        out().when(IP6_SADDR.is_in_network(pool6, prefix6)).then(Statement::Masquerade),
    ];
    Ok(Chain::new(name("sources")?, rules))
}
