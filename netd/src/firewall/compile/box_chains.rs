//! What reaches the box and what leaves it.

use super::parts::CompileError;
use super::parts::allow;
use super::parts::comment;
use super::parts::connections;
use super::parts::name;
use super::parts::refuse;
use super::sets::AppChain;
use crate::apps::addressing::GATEWAY4;
use crate::firewall::permission::Permission;
use crate::firewall::permission::Service;
use crate::firewall::refusal::Refusal;
use crate::firewall::situation::Situation;
use model::network::app_policy::Protocol as PortProtocol;
use netlink::nft::Chain;
use netlink::nft::CtState;
use netlink::nft::IcmpType;
use netlink::nft::Icmpv6Type;
use netlink::nft::Limit;
use netlink::nft::Per;
use netlink::nft::Protocol;
use netlink::nft::Rule;
use netlink::nft::Statement;
use netlink::nft::Verdict;
use netlink::nft::field::CT_STATE;
use netlink::nft::field::ICMP_TYPE;
use netlink::nft::field::ICMPV6_TYPE;
use netlink::nft::field::IIFNAME;
use netlink::nft::field::IP_DADDR;
use netlink::nft::field::IP_SADDR;
use netlink::nft::field::IP6_DADDR;
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

fn invalid() -> Result<Rule, CompileError> {
    refuse(Rule::new().when(CT_STATE.has_any(CtState::INVALID)), Refusal::Invalid)
}

pub(super) fn input(situation: &Situation<'_>) -> Result<Chain, CompileError> {
    let mut rules =
        vec![Rule::new().when(IIFNAME.is(super::parts::link("lo")?)).then(Verdict::Accept), invalid()?];
    rules.extend(connections()?);
    // Apps know one address of the box. Questions for names go to it too by now, whichever they were sent to (`nat`).
    let from_app = || Ok::<_, CompileError>(Rule::new().when(IIFNAME.is_in(&name("app_links")?)));
    rules.push(refuse(from_app()?.when(IP_DADDR.is_not(GATEWAY4)), Refusal::BoxFromApp)?);
    let gateway6 = situation.prefix6.gateway();
    rules.push(refuse(from_app()?.when(IP6_DADDR.is_not(gateway6)), Refusal::BoxFromApp)?);
    rules.push(
        Rule::new().then(Statement::VerdictMap { key: vec![IIFNAME.into()], map: AppChain::ToBox.map()? }),
    );
    let from_home = Rule::new().when(IIFNAME.is_in(&name("home_links")?));
    rules.push(from_home.then(Verdict::Goto(name("from_home")?)));
    rules.push(refuse(Rule::new(), Refusal::BoxClosed)?);
    Ok(Chain::new(name("input")?, rules))
}

pub(super) fn output() -> Result<Chain, CompileError> {
    let mut rules = vec![Rule::new().when(OIFNAME.is(super::parts::link("lo")?)).then(Verdict::Accept)];
    rules.extend(connections()?);
    rules.push(
        Rule::new().then(Statement::VerdictMap { key: vec![OIFNAME.into()], map: AppChain::FromBox.map()? }),
    );
    let question = Rule::new().when(L4PROTO.is_one_of([Protocol::TCP, Protocol::UDP])).when(TH_DPORT.is(53));
    rules.push(refuse(question, Refusal::PlaintextNames)?);
    rules.push(allow(Rule::new(), &Permission::BoxOut)?);
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
