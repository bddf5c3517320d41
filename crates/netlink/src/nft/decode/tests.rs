use super::*;
use crate::attribute::Writer;
use crate::nft::batch::Batch;
use crate::nft::set::Element;
use crate::nft::value::Mark;
use proptest::prelude::*;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

/// One of each shape.
fn shapes() -> Vec<Set> {
    vec![
        Set::new(name("plain"), [Kind::Ipv4Addr]),
        Set::new(name("ranges"), [Kind::Ipv6Addr]).interval(),
        Set::new(name("marks"), [Kind::Mark]).interval(),
        Set::new(name("pairs"), [Kind::InterfaceName, Kind::Service]).interval(),
        Set::verdict_map(name("verdicts"), [Kind::Protocol]),
        Set::map(name("targets"), [Kind::Service], [Kind::Ipv4Addr, Kind::Service]),
    ]
}

fn read_back(set: &Set, datagram: &[u8]) -> Result<Vec<LiveElement>, Malformed> {
    let mut raw = Vec::new();
    for message in Messages::of(datagram) {
        if let Said::Data { kind, attributes, .. } = message?.said()?
            && kind.message == NFT_MSG_NEWSETELEM
        {
            elements(set, attributes, &mut raw)?;
        }
    }
    assemble(set, raw)
}

/// Elements that an encoder of ours wrote, as the decoder reads them: the kernel answers in the same form.
fn round_trip(set: &Set, elements: &[Element]) {
    let table = crate::nft::Table::new(Family::Inet, name("t"));
    let bytes = Batch::new().add_elements(&table, set, elements).unwrap().seal().unwrap().bytes;
    let mut found: Vec<_> =
        read_back(set, &bytes).unwrap().into_iter().map(|live| (live.key, live.data)).collect();
    let mut wanted: Vec<_> =
        elements.iter().map(|element| (element.key.clone(), element.data.clone())).collect();
    found.sort_by_key(|pair| format!("{pair:?}"));
    wanted.sort_by_key(|pair| format!("{pair:?}"));
    assert_eq!(found, wanted);
}

#[test]
fn elements_of_every_shape_are_read_as_they_were_written() {
    let link = crate::nft::InterfaceName::new("eth0").unwrap();
    let ports = |first: u16, last: u16| Span::between(first, last).unwrap();
    let elements = [
        vec![Element::new(Ipv4Addr::LOCALHOST), Element::new(Ipv4Addr::BROADCAST)],
        // The whole address space in two halves, and the end of it open.
        vec![
            Element::new(Span::network(Ipv6Addr::UNSPECIFIED, 1).unwrap()),
            Element::new(Span::network(Ipv6Addr::from_bits(1 << 127), 1).unwrap()),
        ],
        vec![Element::new(Span::between(Mark(0xff), Mark(0x0100_0000)).unwrap()), Element::new(Mark(1))],
        vec![
            Element::concatenated([link.clone().into(), ports(0, 9)]),
            Element::concatenated([link.into(), ports(80, 80)]),
        ],
        vec![
            Element::new(crate::nft::Protocol::TCP).verdict(Verdict::Goto(name("elsewhere"))),
            Element::new(crate::nft::Protocol::UDP).verdict(Verdict::Return),
        ],
        vec![Element::new(80).values([Ipv4Addr::LOCALHOST.into(), 8080.into()])],
    ];
    for (set, elements) in shapes().iter().zip(elements) {
        round_trip(set, &elements);
    }
}

#[test]
fn a_key_of_another_length_is_refused() {
    let table = crate::nft::Table::new(Family::Inet, name("t"));
    let written = &shapes()[0];
    let bytes = Batch::new()
        .add_elements(&table, written, &[Element::new(Ipv4Addr::LOCALHOST)])
        .unwrap()
        .seal()
        .unwrap()
        .bytes;
    read_back(&shapes()[1], &bytes).unwrap_err();
    read_back(&shapes()[3], &bytes).unwrap_err();
}

#[test]
fn an_end_without_a_beginning_is_passed_over() {
    let raw = |key: &[u8], is_end| RawElement {
        key: key.to_vec(),
        key_end: None,
        is_end,
        data: ElementData::None,
        timeout: None,
        expires: None,
        count: None,
    };
    let set = Set::new(name("ports"), [Kind::Service]).interval();
    let found = assemble(
        &set,
        vec![raw(&[0, 0], true), raw(&[0, 9], true), raw(&[0, 5], false), raw(&[1, 0], false)],
    )
    .unwrap();
    let keys: Vec<String> = found.iter().map(|element| element.key[0].to_string()).collect();
    assert_eq!(keys, ["5-8", "256-65535"]);
    // Two beginnings at once leave a range that is none.
    let twice = assemble(&set, vec![raw(&[0, 0], false), raw(&[0, 0], false)]);
    twice.unwrap_err();
}

#[test]
fn comments_are_read_among_other_user_data() {
    let comment = Comment::new("web: home network").unwrap();
    let mut bytes = vec![7, 2, 1, 1];
    bytes.extend(comment_to_user_data(&comment));
    assert_eq!(comment_from_user_data(&bytes).as_deref(), Some("web: home network"));
    assert_eq!(comment_from_user_data(&bytes[..10]), None);
    assert_eq!(comment_from_user_data(&[]), None);
}

#[test]
fn a_generation_needs_its_number() {
    let mut writer = Writer::default();
    // Who asked last.
    writer.u32(2, 7);
    generation(Attributes::of(writer.as_bytes())).unwrap_err();
    writer.u32(NFTA_GEN_ID, 9);
    assert_eq!(generation(Attributes::of(writer.as_bytes())).unwrap(), 9);
}

/// Letters, and a zero at the end for those that are text.
fn some_value(kind: Kind) -> Value {
    let mut bytes = vec![b'a'; kind.facts().width];
    *bytes.last_mut().unwrap() = 0;
    Value::from_bytes(kind, &bytes).unwrap()
}

fn everything(datagram: &[u8]) {
    drop(describe(datagram, 1));
    drop(comment_from_user_data(datagram));
    drop(counter(Family::Inet, Attributes::of(datagram)));
    generation(Attributes::of(datagram)).unwrap_or_default();
    for set in shapes() {
        let mut raw = Vec::new();
        let outcome = elements(&set, Attributes::of(datagram), &mut raw);
        assert!(outcome.is_err() || raw.len() <= datagram.len());
        drop(assemble(&set, raw));
        drop(read_back(&set, datagram));
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_refused_or_read(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        everything(&bytes);
    }

    #[test]
    fn a_damaged_list_is_refused_or_read(shape in 0_usize..6, at in 0_usize..600, with: u8, cut in 0_usize..600) {
        let table = crate::nft::Table::new(Family::Inet, name("t"));
        let set = &shapes()[shape];
        let values = |kinds: &[Kind]| -> Vec<Value> { kinds.iter().map(|kind| some_value(*kind)).collect() };
        let mut element = Element::concatenated(values(&set.key).into_iter().map(|value| Span { first: value.clone(), last: value }));
        match &set.data {
            SetData::None => (),
            SetData::Verdict => element = element.verdict(Verdict::Jump(name("there"))),
            SetData::Values(kinds) => element = element.values(values(kinds)),
        }
        let mut bytes = Batch::new().add_elements(&table, set, &[element]).unwrap().seal().unwrap().bytes;
        if let Some(byte) = bytes.get_mut(at) {
            *byte = with;
        }
        everything(&bytes);
        bytes.truncate(cut);
        everything(&bytes);
    }
}
