//! What reaches the box and what leaves it.

use super::app_chains::BOX_FROM_APP;
use super::app_chains::BOX_TO_APP;
use super::parts::CompileError;
use super::parts::allow;
use super::parts::comment;
use super::parts::connections;
use super::parts::invalid;
use super::parts::link;
use super::parts::name;
use super::parts::refuse;
use crate::firewall::permission::Permission;
use crate::firewall::permission::Service;
use crate::firewall::refusal::Refusal;
use crate::firewall::situation::Situation;
use model::network::app_policy::Protocol as PortProtocol;
use netlink::nft::Chain;
use netlink::nft::IcmpType;
use netlink::nft::Icmpv6Type;
use netlink::nft::Limit;
use netlink::nft::Per;
use netlink::nft::Protocol;
use netlink::nft::Rule;
use netlink::nft::Verdict;
use netlink::nft::field::ICMP_TYPE;
use netlink::nft::field::ICMPV6_TYPE;
use netlink::nft::field::IIFNAME;
use netlink::nft::field::IP_SADDR;
use netlink::nft::field::IP6_SADDR;
use netlink::nft::field::L4PROTO;
use netlink::nft::field::OIFNAME;
use netlink::nft::field::TCP_DPORT;
use netlink::nft::field::TH_DPORT;
use netlink::nft::field::UDP_DPORT;
use netlink::nft::field::UDP_SPORT;
use std::net::Ipv6Addr;

/// Echo requests that are answered; a flood of them is not.
const PINGS: Limit = Limit { rate: 50, per: Per::Second, burst: 50, over: false };
/// IGMP (RFC 3376): switches learn from it where multicast DNS is listened to.
const IGMP: Protocol = Protocol(2);
const LINK_LOCAL: (Ipv6Addr, u8) = (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10);
/// Without these IPv6 does not work on a link (RFC 4890 section 4.4.1); redirects are not among them.
const NEIGHBOURS: [Icmpv6Type; 7] = [
    Icmpv6Type::ROUTER_ADVERTISEMENT,
    Icmpv6Type::NEIGHBOR_SOLICITATION,
    Icmpv6Type::NEIGHBOR_ADVERTISEMENT,
    Icmpv6Type::LISTENER_QUERY,
    Icmpv6Type::LISTENER_REPORT,
    Icmpv6Type::LISTENER_DONE,
    Icmpv6Type::LISTENER_REPORT_V2,
];

pub(super) fn input() -> Result<Chain, CompileError> {
    let from = |links: &str| Ok::<_, CompileError>(Rule::new().when(IIFNAME.is_in(&name(links)?)));
    let rules = vec![
        Rule::new().when(IIFNAME.is(link("lo")?)).then(Verdict::Accept),
        invalid()?,
        connections()?,
        from("app_links")?.then(Verdict::Goto(name(BOX_FROM_APP)?)),
        from("home_links")?.then(Verdict::Goto(name("from_home")?)),
        refuse(Rule::new(), Refusal::BoxClosed)?,
    ];
    Ok(Chain::new(name("input")?, rules))
}

pub(super) fn output() -> Result<Chain, CompileError> {
    let question = Rule::new().when(L4PROTO.is_one_of([Protocol::TCP, Protocol::UDP])).when(TH_DPORT.is(53));
    let rules = vec![
        Rule::new().when(OIFNAME.is(link("lo")?)).then(Verdict::Accept),
        connections()?,
        Rule::new().when(OIFNAME.is_in(&name("app_links")?)).then(Verdict::Goto(name(BOX_TO_APP)?)),
        refuse(question, Refusal::PlaintextNames)?,
        allow(Rule::new(), &Permission::BoxOut)?,
    ];
    Ok(Chain::new(name("output")?, rules))
}

/// What the home network may ask of the box.
pub(super) fn from_home(situation: &Situation<'_>) -> Result<Chain, CompileError> {
    // Leases and neighbours come first: they work before there is an address to judge by.
    let mut rules = Vec::new();
    let (network, prefix) = LINK_LOCAL;
    let leases = Permission::LanToBox(Service::Leases);
    rules.push(allow(Rule::new().when(UDP_SPORT.is(67)).when(UDP_DPORT.is(68)), &leases)?);
    let answer6 = Rule::new().when(IP6_SADDR.is_in_network(network, prefix));
    rules.push(allow(answer6.when(UDP_SPORT.is(547)).when(UDP_DPORT.is(546)), &leases)?);
    if let Some(own) = &situation.home.own_network {
        // Who asks for an address has none, and who looks for names is shown the page for set-up.
        let there = || Ok::<_, CompileError>(Rule::new().when(IIFNAME.is(link(own)?)));
        rules.push(allow(there()?.when(UDP_SPORT.is(68)).when(UDP_DPORT.is(67)), &leases)?);
        let names = Permission::LanToBox(Service::LocalName);
        rules.push(allow(there()?.when(UDP_DPORT.is(53)), &names)?);
    }
    let neighbours = comment("lan to box neighbours")?;
    let talk = |rule: Rule| rule.count().then(Verdict::Accept).comment(neighbours.clone());
    rules.push(talk(Rule::new().when(ICMPV6_TYPE.is_one_of(NEIGHBOURS))));
    rules.push(talk(Rule::new().when(L4PROTO.is(IGMP))));
    rules.push(refuse(Rule::new().when(IP_SADDR.is_not_in(&name("home4")?)), Refusal::BoxClosed)?);
    rules.push(refuse(Rule::new().when(IP6_SADDR.is_not_in(&name("home6")?)), Refusal::BoxClosed)?);
    for permission in situation.permissions {
        let Permission::LanToBox(service) = permission else { continue };
        match service {
            Service::Leases => {}
            Service::Ping => {
                rules.push(allow(
                    Rule::new().when(ICMP_TYPE.is(IcmpType::ECHO_REQUEST)).then(PINGS),
                    permission,
                )?);
                rules.push(allow(
                    Rule::new().when(ICMPV6_TYPE.is(Icmpv6Type::ECHO_REQUEST)).then(PINGS),
                    permission,
                )?);
            }
            Service::Console | Service::LocalName | Service::Resolver => {
                for (protocol, port) in service.ports() {
                    let rule = match protocol {
                        PortProtocol::Tcp => Rule::new().when(TCP_DPORT.is(port)),
                        PortProtocol::Udp => Rule::new().when(UDP_DPORT.is(port)),
                    };
                    rules.push(allow(rule, permission)?);
                }
            }
        }
    }
    rules.push(refuse(Rule::new(), Refusal::BoxClosed)?);
    Ok(Chain::new(name("from_home")?, rules))
}
