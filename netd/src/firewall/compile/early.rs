//! Packets of apps before anything else looks at them: before fragments are put together (-400) and connections are tracked (-200).

use super::parts::CompileError;
use super::parts::name;
use super::parts::refuse;
use crate::apps::addressing::POOL4_NETWORK;
use crate::firewall::ranges::NOT_ONE_HOST4;
use crate::firewall::ranges::NOT_ONE_HOST6;
use crate::firewall::refusal::Refusal;
use crate::firewall::situation::Situation;
use netlink::nft::Chain;
use netlink::nft::Number8;
use netlink::nft::Number16;
use netlink::nft::PacketType;
use netlink::nft::Protocol;
use netlink::nft::Rule;
use netlink::nft::Span;
use netlink::nft::Verdict;
use netlink::nft::field::ETHER_SADDR;
use netlink::nft::field::IIFNAME;
use netlink::nft::field::IP_DADDR;
use netlink::nft::field::IP_FRAG_OFF;
use netlink::nft::field::IP_HDRLENGTH;
use netlink::nft::field::IP_SADDR;
use netlink::nft::field::IP6_DADDR;
use netlink::nft::field::IP6_NEXTHDR;
use netlink::nft::field::IP6_SADDR;
use netlink::nft::field::L4PROTO;
use netlink::nft::field::PKTTYPE;
use netlink::nft::field::concat;

/// "More fragments", and the place of a fragment in the packet (RFC 791 section 3.1).
const FRAGMENT_BITS: Number16 = Number16(0x3fff);
/// Length of an IPv4 header without options, in words of 32 bits.
const PLAIN_HEADER: Number8 = Number8(5);

pub(super) fn early(situation: &Situation<'_>) -> Result<Chain, CompileError> {
    let home_links = name("home_links")?;
    let (pool4, prefix4) = POOL4_NETWORK;
    let (pool6, prefix6) = situation.prefix6.network();
    let from_home = || Rule::new().when(IIFNAME.is_in(&home_links));
    let four = NOT_ONE_HOST4.iter().filter_map(|(address, prefix)| Span::network(*address, *prefix));
    let six = NOT_ONE_HOST6.iter().filter_map(|(address, prefix)| Span::network(*address, *prefix));
    let (mac, link) = (ETHER_SADDR.into(), IIFNAME.into());
    let mine4 = concat([link, mac, IP_SADDR.into()]).are_in(&name("identities4")?);
    let mine6 = concat([link, mac, IP6_SADDR.into()]).are_in(&name("identities6")?);
    let transports = [Protocol::ICMP, Protocol::TCP, Protocol::UDP, Protocol::ICMPV6];
    let rules = vec![
        refuse(from_home().when(IP_SADDR.is_in_network(pool4, prefix4)), Refusal::FromOutside)?,
        refuse(from_home().when(IP6_SADDR.is_in_network(pool6, prefix6)), Refusal::FromOutside)?,
        Rule::new().when(IIFNAME.is_not_in(&name("app_links")?)).then(Verdict::Accept),
        refuse(Rule::new().when(IP_FRAG_OFF.has_any(FRAGMENT_BITS)), Refusal::Disguised)?,
        refuse(Rule::new().when(IP_HDRLENGTH.is_not(PLAIN_HEADER)), Refusal::Disguised)?,
        refuse(
            Rule::new().when(IP6_NEXTHDR.is_none_of([Protocol::TCP, Protocol::UDP, Protocol::ICMPV6])),
            Refusal::Disguised,
        )?,
        refuse(Rule::new().when(L4PROTO.is_none_of(transports)), Refusal::Disguised)?,
        refuse(Rule::new().when(PKTTYPE.is_not(PacketType::HOST)), Refusal::Multicast)?,
        refuse(Rule::new().when(IP_DADDR.is_within(four)), Refusal::Multicast)?,
        refuse(Rule::new().when(IP6_DADDR.is_within(six)), Refusal::Multicast)?,
        Rule::new().when(mine4).then(Verdict::Accept),
        Rule::new().when(mine6).then(Verdict::Accept),
        refuse(Rule::new(), Refusal::Forged)?,
    ];
    Ok(Chain::new(name("early")?, rules))
}
