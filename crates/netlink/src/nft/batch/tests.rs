use super::*;
use crate::attribute::Attributes;
use crate::message::Messages;
use crate::message::Said;
use crate::nft::encode::Problem;
use crate::nft::field::*;
use crate::nft::name::Comment;
use crate::nft::name::InterfaceName;
use crate::nft::rule::Header;
use crate::nft::rule::MarkSource;
use crate::nft::rule::Match;
use crate::nft::rule::Nat;
use crate::nft::rule::NatEnd;
use crate::nft::rule::NatTarget;
use crate::nft::rule::Reject;
use crate::nft::rule::Remember;
use crate::nft::rule::Statement;
use crate::nft::rule::Verdict;
use crate::nft::ruleset::ChainKind;
use crate::nft::set::Timeout;
use crate::nft::span::Span;
use crate::nft::value::ArpOperation;
use crate::nft::value::Kind;
use crate::nft::value::Mark;
use crate::nft::value::NfFamily;
use crate::nft::value::Protocol;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::time::Duration;

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn table(family: Family, sets: Vec<Set>, rules: Vec<Rule>) -> Table {
    let mut table = Table::new(family, name("hearth"));
    table.sets = sets;
    table.chains.push(Chain::new(name("only"), rules));
    table
}

fn replace(table: Table) -> Result<Batch, Invalid> {
    Batch::new().replace(&Ruleset { tables: vec![table] })
}

/// The messages of a batch: kind, whether it asks for an answer, length.
fn messages(bytes: &[u8]) -> Vec<(u8, bool, usize)> {
    let mut rest = bytes;
    let mut found = Vec::new();
    while let Some(header) = rest.first_chunk::<16>() {
        let length = u32::from_ne_bytes([header[0], header[1], header[2], header[3]]) as usize;
        let flags = u16::from_ne_bytes([header[6], header[7]]);
        let kind = u16::from_ne_bytes([header[4], header[5]]).to_le_bytes()[0];
        found.push((kind, flags & message::ACK != 0, length));
        rest = &rest[length.next_multiple_of(4)..];
    }
    found
}

#[test]
fn a_replacement_is_add_delete_add_and_only_the_last_change_is_answered() {
    let set = Set::new(name("ports"), [Kind::Service]).elements([Element::new(80)]);
    let rule = Rule::new().when(TCP_DPORT.is_one_of([1, 2])).then(Verdict::Accept);
    let sealed = replace(table(Family::Inet, vec![set], vec![rule])).unwrap().seal().unwrap();
    let found = messages(&sealed.bytes);
    let kinds: Vec<u8> = found.iter().map(|(kind, ..)| *kind).collect();
    let begin = 16;
    let end = 17;
    // A set without a name comes before the rule that looks into it.
    assert_eq!(
        kinds,
        [
            begin,
            NFT_MSG_NEWTABLE,
            NFT_MSG_DELTABLE,
            NFT_MSG_NEWTABLE,
            NFT_MSG_NEWCHAIN,
            NFT_MSG_NEWSET,
            NFT_MSG_NEWSETELEM,
            NFT_MSG_NEWSET,
            NFT_MSG_NEWSETELEM,
            NFT_MSG_NEWRULE,
            end,
        ]
    );
    let answered: Vec<usize> = (0..found.len()).filter(|index| found[*index].1).collect();
    assert_eq!(answered, [found.len() - 2]);
    assert_eq!(sealed.last, Some(u32::try_from(found.len() - 2).unwrap()));
}

#[test]
fn nothing_to_do_is_answered_by_nobody() {
    let sealed = Batch::new().seal().unwrap();
    assert_eq!(sealed.last, None);
    assert_eq!(messages(&sealed.bytes).len(), 2);
}

#[test]
fn many_elements_are_split_so_that_each_list_fits() {
    let count = 10_000;
    let elements: Vec<Element> =
        (0..count).map(|number| Element::new(Ipv6Addr::from_bits(number * 3))).collect();
    for set in [Set::new(name("many"), [Kind::Ipv6Addr]), Set::new(name("many"), [Kind::Ipv6Addr]).interval()]
    {
        let table = table(Family::Inet, vec![], vec![]);
        let sealed = Batch::new().add_elements(&table, &set, &elements).unwrap().seal().unwrap();
        let found = messages(&sealed.bytes);
        assert!(found.len() >= 7);
        assert!(found.iter().all(|(_, _, length)| *length < 65_536));
        let mut keys = 0;
        for message in Messages::of(&sealed.bytes) {
            if let Said::Data { kind, attributes, .. } = message.unwrap().said().unwrap()
                && kind.message == NFT_MSG_NEWSETELEM
            {
                let list = attributes.require(NFTA_SET_ELEM_LIST_ELEMENTS, "list").unwrap();
                keys += Attributes::of(list.value).map(Result::unwrap).count();
            }
        }
        let ends = if set.interval { 2 } else { 1 };
        assert_eq!(keys, usize::try_from(count).unwrap() * ends);
    }
}

#[test]
fn every_message_can_be_told_in_words() {
    let comment = |text: &str| Comment::new(text).unwrap();
    let set = Set::new(name("ports"), [Kind::Service]).elements([Element::new(80)]);
    let rules = vec![Rule::new().count().comment(comment("first")), Rule::new().count()];
    let sealed = replace(table(Family::Ip6, vec![set], rules)).unwrap().seal().unwrap();
    let told: Vec<String> =
        (0..=sealed.last.unwrap()).filter_map(|sequence| decode::describe(&sealed.bytes, sequence)).collect();
    assert_eq!(
        told,
        [
            "table ip6 hearth",
            "table ip6 hearth",
            "table ip6 hearth",
            "table ip6 hearth chain only",
            "table ip6 hearth set ports",
            "table ip6 hearth elements of set ports",
            "table ip6 hearth chain only rule 1 (first)",
            "table ip6 hearth chain only rule 2",
        ]
    );
}

/// The problem of the only rule of a table.
fn problem(family: Family, sets: Vec<Set>, rule: Rule) -> Problem {
    let invalid = replace(table(family, sets, vec![rule])).unwrap_err();
    assert_eq!(invalid.place, format!("table {} hearth chain only rule 1", family.as_str()));
    invalid.problem
}

#[test]
fn rules_that_make_no_sense_are_refused() {
    let rule = Rule::new;
    let four = || IP_SADDR.is(Ipv4Addr::LOCALHOST);
    let six = || IP6_SADDR.is(Ipv6Addr::LOCALHOST);
    let inet = |rule| problem(Family::Inet, vec![], rule);
    assert_eq!(inet(rule().when(four()).when(six())), Problem::Conflict("ip6 saddr"));
    assert_eq!(inet(rule().when(NFPROTO.is(NfFamily::IPV6)).when(four())), Problem::Conflict("ip saddr"));
    assert_eq!(inet(rule().when(TCP_DPORT.is(1)).when(UDP_DPORT.is(1))), Problem::Conflict("udp dport"));
    assert_eq!(inet(rule().when(UDP_DPORT.is(1)).then(Reject::TcpReset)), Problem::Conflict("tcp reset"));
    assert_eq!(
        inet(rule().when(four()).when(Match::has(Header::Fragment))),
        Problem::Conflict("exthdr frag")
    );
    assert_eq!(inet(rule().when(TH_DPORT.is(1))), Problem::Transport);
    assert_eq!(inet(rule().then(Statement::Redirect { port: Some(1) })), Problem::Transport);
    let to = |target| Statement::Nat(Nat { end: NatEnd::Destination, target });
    let one = Ipv4Addr::LOCALHOST;
    assert_eq!(inet(rule().then(to(NatTarget::Ipv4(one, Some(1))))), Problem::Transport);
    assert_eq!(inet(rule().when(six()).then(to(NatTarget::Ipv4(one, None)))), Problem::Conflict("nat"));
    assert_eq!(inet(rule().when(ARP_OPERATION.is(ArpOperation::REPLY))), Problem::Family("arp operation"));
    assert_eq!(problem(Family::Ip, vec![], rule().when(six())), Problem::Family("ip6 saddr"));
    assert_eq!(problem(Family::Arp, vec![], rule().then(Reject::NoRoute)), Problem::Family("reject"));

    assert_eq!(inet(rule().when(TCP_DPORT.is_one_of([]))), Problem::Nothing);
    assert_eq!(inet(rule().when(TCP_DPORT.is_between(2, 1))), Problem::Range("2-1".to_owned()));
    assert_eq!(inet(rule().when(IIFNAME.starts_with(""))), Problem::NameStart(String::new()));
    let wrong = inet(rule().when(TCP_DPORT.is_within([one.into(), 1.into()])));
    assert_eq!(wrong, Problem::Kind { expected: vec![Kind::Service], found: vec![Kind::Ipv4Addr] });
}

#[test]
fn lookups_that_do_not_fit_the_set_are_refused() {
    let rule = Rule::new;
    let set = || Set::new(name("s"), [Kind::Ipv4Addr]);
    let looks = |sets, test| problem(Family::Inet, sets, rule().when(test));
    assert_eq!(looks(vec![], IP_SADDR.is_in(&name("s"))), Problem::NoSet("s".to_owned()));
    let six = Problem::Kind { expected: vec![Kind::Ipv4Addr], found: vec![Kind::Ipv6Addr] };
    assert_eq!(looks(vec![set()], IP6_SADDR.is_in(&name("s"))), six);
    let map = Set::verdict_map(name("s"), [Kind::Ipv4Addr]);
    assert_eq!(looks(vec![map.clone()], IP_SADDR.is_in(&name("s"))), Problem::Data("s".to_owned()));

    let key = || vec![IP_SADDR.into()];
    let does = |sets, statement: Statement| problem(Family::Inet, sets, rule().then(statement));
    let data = Problem::Data("s".to_owned());
    assert_eq!(does(vec![set()], Statement::VerdictMap { key: key(), map: name("s") }), data);
    assert_eq!(
        does(vec![map.clone()], Statement::SetMark(MarkSource::Map { key: key(), map: name("s") })),
        data
    );
    let nat = Nat { end: NatEnd::Source, target: NatTarget::Map { key: key(), map: name("s") } };
    assert_eq!(does(vec![map], nat.into()), data);
    let remember =
        |timeout| Statement::Remember(Remember { set: name("s"), key: key(), timeout, limit: None });
    assert_eq!(does(vec![set()], remember(None)), Problem::NotDynamic("s".to_owned()));
    assert_eq!(does(vec![set().dynamic()], remember(Some(Duration::from_secs(1)))), Problem::Timeout);
}

#[test]
fn sets_that_make_no_sense_are_refused() {
    let refused = |set: Set| {
        let invalid = replace(table(Family::Inet, vec![set], vec![])).unwrap_err();
        assert_eq!(invalid.place, "table inet hearth set s");
        invalid.problem
    };
    let set = |kinds: &[Kind]| Set::new(name("s"), kinds.iter().copied());
    assert_eq!(refused(set(&[])), Problem::Key(vec![]));
    assert_eq!(refused(set(&[Kind::CtState])), Problem::Key(vec![Kind::CtState]));
    // Four of sixteen bytes and one more are more than the registers hold.
    let long = [Kind::Ipv6Addr, Kind::Ipv6Addr, Kind::InterfaceName, Kind::InterfaceName, Kind::Protocol];
    assert_eq!(refused(set(&long)), Problem::Key(long.to_vec()));
    let ports = || Element::new(Span::between(1_u16, 2).unwrap());
    assert_eq!(refused(set(&[Kind::Service]).elements([ports()])), Problem::Interval("1-2".to_owned()));
    let timed = ports().timeout(Duration::from_secs(1));
    assert_eq!(refused(set(&[Kind::Service]).interval().elements([timed])), Problem::Timeout);
    let at_once = set(&[Kind::Service]).timeout(Timeout::PerElement);
    assert_eq!(refused(at_once.elements([Element::new(1).timeout(Duration::ZERO)])), Problem::Timeout);
    let marks = Element::concatenated([Span::between(Mark(1), Mark(2)).unwrap(), Protocol::TCP.into()]);
    let unordered = refused(set(&[Kind::Mark, Kind::Protocol]).interval().elements([marks]));
    assert_eq!(unordered, Problem::Range("0x00000001-0x00000002".to_owned()));
    let verdict = Element::new(1).verdict(Verdict::Drop);
    assert_eq!(refused(set(&[Kind::Service]).elements([verdict])), Problem::Data("s".to_owned()));
}

#[test]
fn what_is_there_twice_or_nowhere_is_refused() {
    let mut twice = table(Family::Inet, vec![], vec![]);
    twice.chains.push(Chain::new(name("only"), []));
    assert_eq!(replace(twice).unwrap_err().problem, Problem::Twice("only".to_owned()));
    let same =
        Ruleset { tables: vec![table(Family::Inet, vec![], vec![]), table(Family::Inet, vec![], vec![])] };
    assert_eq!(Batch::new().replace(&same).unwrap_err().problem, Problem::Twice("hearth".to_owned()));
    let hooks = [
        (Family::Arp, Hook::Forward),
        (Family::Netdev, Hook::Input),
        (Family::Ip, Hook::Ingress(vec![InterfaceName::new("eth0").unwrap()])),
        (Family::Netdev, Hook::Ingress(vec![])),
    ];
    for (family, hook) in hooks {
        let mut wrong = Table::new(family, name("hearth"));
        let base = Base { kind: ChainKind::Filter, hook, priority: 0, policy: Policy::Accept };
        wrong.chains.push(Chain::base(name("c"), base, []));
        let invalid = replace(wrong).unwrap_err();
        assert_eq!(
            (invalid.place, invalid.problem),
            (format!("table {} hearth chain c", family.as_str()), Problem::Hook)
        );
    }
}
