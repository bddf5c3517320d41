//! Messages as servers send them, damaged ones, and arbitrary bytes.

use super::*;
use proptest::prelude::any;
use proptest::prelude::prop;
use proptest::proptest;

const MAC: Mac = [0x52, 0x54, 0, 1, 2, 3];
const ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 168, 7, 50);
const SERVER: Ipv4Addr = Ipv4Addr::new(192, 168, 7, 1);

fn identity() -> Identity {
    Identity { mac: MAC, client_id: vec![255, 1, 2, 3, 4, 0, 3], host_name: HostName::default() }
}

/// Fixed part of a server's message, written by offsets of RFC 2131 figure 1, and the options given.
fn answer(kind: u8, options: &[&[u8]]) -> Vec<u8> {
    let mut bytes = vec![0; FIXED];
    bytes[..4].copy_from_slice(&[2, 1, 6, 0]);
    bytes[4..8].copy_from_slice(&[0xca, 0xfe, 0xba, 0xbe]);
    bytes[16..20].copy_from_slice(&ADDRESS.octets());
    bytes[28..34].copy_from_slice(&MAC);
    bytes[236..].copy_from_slice(&MAGIC);
    bytes.extend([53, 1, kind]);
    for option in options {
        bytes.extend(*option);
    }
    bytes.push(255);
    bytes
}

const LEASE_3600: &[u8] = &[51, 4, 0, 0, 0x0e, 0x10];
const MASK_24: &[u8] = &[1, 4, 255, 255, 255, 0];
const FROM_SERVER: &[u8] = &[54, 4, 192, 168, 7, 1];
const ROUTER: &[u8] = &[3, 4, 192, 168, 7, 1];
const DNS: &[u8] = &[6, 8, 192, 168, 7, 1, 9, 9, 9, 9];
const DOMAIN: &[u8] = b"\x0f\x04home";

fn acked(options: &[&[u8]]) -> Terms {
    let Answer::Ack(terms) = parse(&answer(5, options), MAC).unwrap().answer else {
        panic!("not acknowledged");
    };
    terms
}

#[test]
fn an_acknowledgement_is_read_as_a_home_router_sends_it() {
    let bytes = answer(
        5,
        &[
            LEASE_3600,
            MASK_24,
            FROM_SERVER,
            ROUTER,
            DNS,
            DOMAIN,
            &[58, 4, 0, 0, 0, 100],
            &[59, 4, 0, 0, 0, 200],
        ],
    );
    let reply = parse(&bytes, MAC).unwrap();
    let s = Duration::from_secs;
    let terms = Terms {
        address: ADDRESS,
        prefix: 24,
        routes: vec![Via { destination: Network::DEFAULT, gateway: Some(SERVER) }],
        dns: vec![SERVER, Ipv4Addr::new(9, 9, 9, 9)],
        domain: Some("home".to_owned()),
        ntp: Vec::new(),
        mtu: None,
        times: Some(Times { t1: s(100), t2: s(200), length: s(3600) }),
    };
    assert_eq!(reply, Reply { xid: 0xcafe_babe, server: Some(SERVER), answer: Answer::Ack(terms) });
}

#[test]
fn offers_and_denials_are_told_apart() {
    assert!(matches!(parse(&answer(2, &[LEASE_3600]), MAC).unwrap().answer, Answer::Offer(_)));
    assert_eq!(parse(&answer(6, &[]), MAC).unwrap().answer, Answer::Nak);
    assert!(matches!(parse(&answer(1, &[]), MAC), Err(ParseError::NotAnAnswer)));
}

#[test]
fn classless_routes_replace_the_router() {
    let terms = acked(&[LEASE_3600, ROUTER, &[121, 13, 0, 192, 168, 7, 254, 24, 10, 1, 2, 0, 0, 0, 0]]);
    assert_eq!(
        terms.routes,
        [
            Via { destination: Network::DEFAULT, gateway: Some(Ipv4Addr::new(192, 168, 7, 254)) },
            Via { destination: Network::of(Ipv4Addr::new(10, 1, 2, 0), 24), gateway: None },
        ]
    );
}

#[test]
fn a_missing_or_broken_mask_falls_back_to_the_class() {
    assert_eq!(acked(&[LEASE_3600]).prefix, 24);
    assert_eq!(acked(&[LEASE_3600, &[1, 4, 255, 0, 255, 0]]).prefix, 24);
    assert_eq!(acked(&[LEASE_3600, &[1, 4, 255, 255, 255, 255]]).prefix, 32);
    assert_eq!(acked(&[LEASE_3600, &[1, 4, 0, 0, 0, 0]]).prefix, 24);
}

#[test]
fn a_lease_for_ever_has_no_times_and_none_at_all_is_refused() {
    assert_eq!(acked(&[&[51, 4, 255, 255, 255, 255]]).times, None);
    assert!(matches!(parse(&answer(5, &[]), MAC), Err(ParseError::LeaseTime)));
    assert!(matches!(parse(&answer(5, &[&[51, 4, 0, 0, 0, 1]]), MAC), Err(ParseError::LeaseTime)));
}

#[test]
fn addresses_that_no_host_has_are_refused() {
    for address in [[0, 0, 0, 0], [127, 0, 0, 1], [224, 0, 0, 1], [255, 255, 255, 255], [240, 0, 0, 1]] {
        let mut bytes = answer(5, &[LEASE_3600]);
        bytes[16..20].copy_from_slice(&address);
        assert!(matches!(parse(&bytes, MAC), Err(ParseError::Address { .. })), "{address:?}");
    }
}

#[test]
fn an_unreadable_option_that_nobody_asked_for_does_not_cost_the_lease() {
    let latin_1: &[u8] = b"\x38\x03\xe4\xf6\xfc";
    assert_eq!(acked(&[latin_1, LEASE_3600]).address, ADDRESS);
}

#[test]
fn a_domain_that_would_write_a_second_line_is_dropped() {
    assert_eq!(acked(&[LEASE_3600, b"\x0f\x06a\nb\xffcd"]).domain, None);
    assert_eq!(acked(&[LEASE_3600, b"\x0f\x05home\0"]).domain.as_deref(), Some("home"));
}

#[test]
fn time_servers_and_the_packet_size_are_read_within_bounds() {
    let terms = acked(&[LEASE_3600, &[42, 8, 192, 168, 7, 1, 224, 0, 0, 1], &[26, 2, 5, 120]]);
    assert_eq!((terms.ntp, terms.mtu), (vec![SERVER], Some(1400)));
    for (mtu, expected) in [(575, None), (576, Some(576)), (9000, Some(9000)), (9001, None)] {
        let [high, low] = u16::to_be_bytes(mtu);
        assert_eq!(acked(&[LEASE_3600, &[26, 2, high, low]]).mtu, expected);
    }
}

#[test]
fn a_number_of_the_wrong_length_does_not_shift_what_follows() {
    // Read as two bytes, the rest of the first option would be taken for a mask of 255.0.0.0.
    let terms = acked(&[LEASE_3600, &[26, 8, 5, 120, 1, 4, 255, 0, 0, 0], MASK_24]);
    assert_eq!((terms.mtu, terms.prefix), (None, 24));
    assert!(matches!(parse(&answer(5, &[&[51, 2, 0, 9]]), MAC), Err(ParseError::LeaseTime)));
}

#[test]
fn messages_for_others_are_refused() {
    let other = [2, 2, 2, 2, 2, 2];
    assert!(matches!(parse(&answer(5, &[LEASE_3600]), other), Err(ParseError::NotForUs)));
    let mut request = answer(5, &[LEASE_3600]);
    request[0] = 1;
    assert!(matches!(parse(&request, MAC), Err(ParseError::NotForUs)));
    let mut long_hardware_address = answer(5, &[LEASE_3600]);
    long_hardware_address[2] = 200;
    assert!(matches!(parse(&long_hardware_address, MAC), Err(ParseError::NotForUs)));
}

fn built(question: Question) -> Message {
    let outgoing = Outgoing { xid: 7, trying_for: Duration::from_secs(9), question };
    let bytes = build(&outgoing, &identity()).unwrap();
    assert!(bytes.len() >= SHORTEST);
    Message::decode(&mut Decoder::new(&bytes)).unwrap()
}

/// Rows of RFC 2131 table 5: which fields each message fills in.
#[test]
fn messages_have_the_fields_of_the_standards_table() {
    let none = Ipv4Addr::UNSPECIFIED;
    let (address, server) = (ADDRESS, SERVER);
    for (question, kind, ciaddr, requested, to) in [
        (Question::Discover { wish: None }, MessageType::Discover, none, None, None),
        (Question::Discover { wish: Some(address) }, MessageType::Discover, none, Some(address), None),
        (Question::Select { address, server }, MessageType::Request, none, Some(address), Some(server)),
        (Question::Reboot { address }, MessageType::Request, none, Some(address), None),
        (Question::Renew { address, server }, MessageType::Request, address, None, None),
        (Question::Rebind { address }, MessageType::Request, address, None, None),
        (Question::Decline { address, server }, MessageType::Decline, none, Some(address), Some(server)),
        (Question::Release { address, server }, MessageType::Release, address, None, Some(server)),
    ] {
        let message = built(question);
        let options = message.opts();
        assert_eq!(options.msg_type(), Some(kind), "{question:?}");
        assert_eq!((message.xid(), message.secs(), message.ciaddr()), (7, 9, ciaddr), "{question:?}");
        assert_eq!(
            options.get(OptionCode::RequestedIpAddress),
            requested.map(DhcpOption::RequestedIpAddress).as_ref(),
            "{question:?}"
        );
        assert_eq!(
            options.get(OptionCode::ServerIdentifier),
            to.map(DhcpOption::ServerIdentifier).as_ref(),
            "{question:?}"
        );
        let client_id = DhcpOption::ClientIdentifier(identity().client_id);
        assert_eq!(options.get(OptionCode::ClientIdentifier), Some(&client_id));
        let wants = matches!(kind, MessageType::Discover | MessageType::Request);
        let host_name = DhcpOption::Hostname("hearth".to_owned());
        assert_eq!(options.get(OptionCode::Hostname), wants.then_some(&host_name), "{question:?}");
        assert_eq!(options.get(OptionCode::ParameterRequestList).is_some(), wants, "{question:?}");
        assert_eq!(options.get(OptionCode::MaxMessageSize).is_some(), wants, "{question:?}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_parsed_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let _outcome = parse(&bytes, MAC);
    }

    /// Any options behind a good fixed part, so that the codec is reached.
    #[test]
    fn any_options_are_parsed_without_a_panic(
        kind in 1_u8..9,
        hardware_length in any::<u8>(),
        options in prop::collection::vec((prop::sample::select(vec![1_u8, 3, 6, 15, 26, 42, 51, 52, 54, 58, 59, 121, 82]), prop::collection::vec(any::<u8>(), 0..40)), 0..12),
        tail in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let options: Vec<Vec<u8>> = options
            .into_iter()
            .map(|(code, value)| [vec![code, u8::try_from(value.len()).unwrap()], value].concat())
            .collect();
        let parts: Vec<&[u8]> = options.iter().map(Vec::as_slice).chain([tail.as_slice()]).collect();
        let mut bytes = answer(kind, &parts);
        let _first = parse(&bytes, MAC);
        bytes[2] = hardware_length;
        let _second = parse(&bytes, MAC);
    }
}
