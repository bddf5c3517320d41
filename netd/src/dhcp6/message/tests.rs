//! Messages as servers send them, damaged ones, and arbitrary bytes.

use super::*;
use proptest::prelude::any;
use proptest::prelude::prop;
use proptest::proptest;

const DUID: [u8; 4] = [0, 4, 7, 7];
const IAID: u32 = 0x0102_0304;
const ADDRESS: &str = "2001:db8::5";

fn identity() -> Identity {
    Identity { duid: DUID.to_vec(), iaid: IAID, host_name: HostName::default() }
}

fn option(code: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(value.len()).unwrap();
    [code.to_be_bytes().as_slice(), &length.to_be_bytes(), value].concat()
}

/// A server's message, written by the offsets of RFC 8415 section 8.
fn answer(kind: u8, options: &[Vec<u8>]) -> Vec<u8> {
    [vec![kind, 0xca, 0xfe, 0xba], option(1, &DUID), option(2, &[9, 9]), options.concat()].concat()
}

fn address(address: &str, preferred: u32, valid: u32, more: &[u8]) -> Vec<u8> {
    let address: Ipv6Addr = address.parse().unwrap();
    let value = [&address.octets(), preferred.to_be_bytes().as_slice(), &valid.to_be_bytes(), more].concat();
    option(5, &value)
}

fn ia(t1: u32, t2: u32, options: &[Vec<u8>]) -> Vec<u8> {
    let fixed = [IAID.to_be_bytes(), t1.to_be_bytes(), t2.to_be_bytes()].concat();
    option(3, &[fixed, options.concat()].concat())
}

fn parsed(options: &[Vec<u8>]) -> Reply {
    parse(&answer(7, options), &identity()).unwrap()
}

#[test]
fn a_reply_is_read_as_a_home_router_sends_it() {
    let dns: Ipv6Addr = "fe80::1".parse().unwrap();
    let ntp = [&[0, 1, 0, 16][..], &"2001:db8::123".parse::<Ipv6Addr>().unwrap().octets()].concat();
    let reply = parsed(&[
        ia(100, 160, &[address(ADDRESS, 200, 300, &[]), option(13, b"\0\0all \xff fine")]),
        option(7, &[200]),
        option(24, b"\x04home\x07example\0"),
        option(23, &dns.octets()),
        option(56, &ntp),
        option(32, &[0, 0, 0x0e, 0x10]),
        option(82, &[0, 0, 0, 60]),
        option(83, &[0, 0, 0, 59]),
        option(17, &[0]),
        option(16, &[0]),
    ]);
    let s = Duration::from_secs;
    let held = Held { address: ADDRESS.parse().unwrap(), preferred: Some(s(200)), valid: Some(s(300)) };
    assert_eq!(
        reply,
        Reply {
            xid: 0xca_feba,
            is_advertise: false,
            server: vec![9, 9],
            preference: 200,
            status: Status::Success,
            grant: Some(Grant {
                status: Status::Success,
                times: (Some(s(100)), Some(s(160))),
                addresses: vec![held]
            }),
            information: Information {
                dns: vec![dns],
                ntp: vec!["2001:db8::123".to_owned()],
                domains: vec!["home.example".to_owned()],
            },
            refresh: Some(s(3600)),
            longest_waits: (Some(s(60)), None),
        }
    );
}

#[test]
fn failures_are_told_apart() {
    for (code, status) in [
        (1, Status::Failure),
        (2, Status::NoAddresses),
        (3, Status::NoBinding),
        (4, Status::NotOnLink),
        (99, Status::Failure),
    ] {
        assert_eq!(parsed(&[option(13, &[0, code])]).status, status);
        assert_eq!(parsed(&[ia(0, 0, &[option(13, &[0, code])])]).grant.unwrap().status, status);
    }
}

#[test]
fn addresses_that_make_no_sense_are_dropped() {
    let grant = parsed(&[ia(
        0,
        0,
        &[
            address("ff02::1", 10, 20, &[]),
            address("fe80::5", 10, 20, &[]),
            address("::1", 10, 20, &[]),
            address("::ffff:10.0.0.1", 10, 20, &[]),
            address("2001:db8::6", 30, 20, &[]),
            address(ADDRESS, u32::MAX, u32::MAX, &option(13, &[0, 0])),
            address(ADDRESS, 10, 20, &[]),
        ],
    )])
    .grant
    .unwrap();
    assert_eq!(grant.addresses, [Held { address: ADDRESS.parse().unwrap(), preferred: None, valid: None }]);
    assert_eq!(parsed(&[ia(20, 10, &[address(ADDRESS, 10, 20, &[])])]).grant, None, "T1 after T2");
    let mut foreign = ia(0, 0, &[address(ADDRESS, 10, 20, &[])]);
    foreign[4] = 0xff;
    assert_eq!(parsed(&[foreign]).grant, None, "another IAID");
}

#[test]
fn what_the_codec_would_stumble_over_does_not_cost_the_lease() {
    let good = ia(0, 0, &[address(ADDRESS, 10, 20, &[])]);
    for bad in [
        option(13, &[0]),
        option(16, &[]),
        option(17, &[1]),
        option(7, &[1, 2, 3]),
        option(23, &[1, 2, 3]),
        option(56, &[0, 1, 0, 3, 1, 2, 3]),
        option(24, &[63, 1]),
        option(9, &[12, 0, 0]),
    ] {
        assert!(parsed(&[bad.clone(), good.clone()]).grant.is_some(), "{bad:?}");
    }
}

#[test]
fn messages_for_others_are_refused() {
    let mut other = answer(7, &[]);
    other[8] ^= 1;
    assert!(matches!(parse(&other, &identity()), Err(ParseError::NotForUs)));
    assert!(matches!(parse(&answer(1, &[]), &identity()), Err(ParseError::NotForUs)));
    let nameless = [vec![7, 1, 2, 3], option(1, &DUID)].concat();
    assert!(matches!(parse(&nameless, &identity()), Err(ParseError::NoServer)));
    assert!(matches!(parse(&[7, 1, 2], &identity()), Err(ParseError::NotDhcp)));
    assert!(matches!(parse(&answer(7, &[vec![0, 1, 0, 9]]), &identity()), Err(ParseError::NotDhcp)));
    assert!(matches!(parse(&vec![0; 1501], &identity()), Err(ParseError::NotDhcp)));
}

/// Rows of RFC 8415 appendix B: which options each message has.
#[test]
fn messages_have_the_options_of_the_standards_table() {
    let (server, addresses) = (vec![9, 9], vec![ADDRESS.parse().unwrap()]);
    let address = addresses[0];
    let rows = [
        (Question::Solicit, 1, false, Some(0), true, true),
        (
            Question::Request { server: server.clone(), addresses: addresses.clone() },
            3,
            true,
            Some(1),
            true,
            true,
        ),
        (Question::Confirm { addresses: addresses.clone() }, 4, false, Some(1), false, false),
        (
            Question::Renew { server: server.clone(), addresses: addresses.clone() },
            5,
            true,
            Some(1),
            true,
            true,
        ),
        (Question::Rebind { addresses: addresses.clone() }, 6, false, Some(1), true, true),
        (Question::Release { server: server.clone(), addresses }, 8, true, Some(1), false, false),
        (Question::Decline { server, address }, 9, true, Some(1), false, false),
        (Question::Inform, 11, false, None, true, false),
    ];
    for (question, kind, names_server, count, wants, tells_name) in rows {
        let outgoing = Outgoing {
            xid: 0x00ab_cdef,
            trying_for: Duration::from_millis(1230),
            question: question.clone(),
        };
        let bytes = build(&outgoing, &identity()).unwrap();
        assert_eq!(bytes[..4], [kind, 0xab, 0xcd, 0xef], "{question:?}");
        let message = Message::decode(&mut Decoder::new(&bytes)).unwrap();
        let options = message.opts();
        assert_eq!(options.get(OptionCode::ClientId), Some(&DhcpOption::ClientId(DUID.to_vec())));
        assert_eq!(options.get(OptionCode::ElapsedTime), Some(&DhcpOption::ElapsedTime(123)));
        assert_eq!(options.get(OptionCode::ServerId).is_some(), names_server, "{question:?}");
        let ia = match options.get(OptionCode::IANA) {
            Some(DhcpOption::IANA(ia)) => Some(ia.opts.iter().count()),
            _ => None,
        };
        assert_eq!(ia, count, "{question:?}");
        assert_eq!(options.get(OptionCode::ORO).is_some(), wants, "{question:?}");
        let name = bytes.windows(12).any(|part| part == b"\0\x27\0\x08\x01\x06hearth");
        assert_eq!(name, tells_name, "{question:?}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_parsed_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _outcome = parse(&bytes, &identity());
    }

    /// Any options behind a good start, nested too, so that the codec is reached.
    #[test]
    fn any_options_are_parsed_without_a_panic(
        kind in prop::sample::select(vec![2_u8, 7]),
        options in prop::collection::vec((1_u16..90, prop::collection::vec(any::<u8>(), 0..40)), 0..8),
        nested in prop::collection::vec((prop::sample::select(vec![5_u16, 13, 3, 9]), prop::collection::vec(any::<u8>(), 0..40)), 0..8),
        tail in prop::collection::vec(any::<u8>(), 0..20),
    ) {
        let write = |options: &[(u16, Vec<u8>)]| -> Vec<Vec<u8>> {
            options.iter().map(|(code, value)| option(*code, value)).collect()
        };
        let mut all = write(&options);
        all.push(ia(0, 0, &write(&nested)));
        all.push(tail);
        let _outcome = parse(&answer(kind, &all), &identity());
    }

    /// Names of any bytes end up harmless in what is shown.
    #[test]
    fn any_names_are_shown_harmlessly(names in prop::collection::vec(any::<u8>(), 1..60)) {
        let reply = parsed(&[option(24, &names)]);
        assert!(reply.information.domains.iter().all(|name| name.bytes().all(|b| b.is_ascii_graphic())));
    }
}
