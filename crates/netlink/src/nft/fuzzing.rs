//! Decoders of this crate as a fuzzer sees them.

use crate::attribute::Malformed;
use crate::conntrack::Entry;
use crate::message::Message;
use crate::message::Messages;
use crate::message::Said;
use crate::nft::Family;
use crate::nft::Kind;
use crate::nft::Name;
use crate::nft::Set;
use crate::nft::decode;

/// One datagram from the kernel, read as the answer to every question that this crate asks. Returns how many messages made sense.
#[must_use]
pub fn datagram(bytes: &[u8]) -> usize {
    drop(decode::describe(bytes, 1));
    let sets = sets();
    Messages::of(bytes).map_while(Result::ok).map(|message| usize::from(read(&message, &sets).is_ok())).sum()
}

fn read(message: &Message<'_>, sets: &[Set]) -> Result<(), Malformed> {
    let Said::Data { attributes, .. } = message.said()? else { return Ok(()) };
    drop(Entry::read(attributes));
    drop(decode::counter(Family::Inet, attributes));
    decode::generation(attributes).unwrap_or_default();
    for set in sets {
        let mut raw = Vec::new();
        decode::elements(set, attributes, &mut raw)?;
        decode::assemble(set, raw)?;
    }
    Ok(())
}

/// One of each shape: single, ranges, concatenated, verdicts.
fn sets() -> Vec<Set> {
    let Ok(name) = Name::new("any") else { return Vec::new() };
    let plain = |kinds: &[Kind]| Set::new(name.clone(), kinds.iter().copied());
    vec![
        plain(&[Kind::Ipv4Addr]),
        plain(&[Kind::Ipv6Addr]).interval(),
        plain(&[Kind::Mark]).interval(),
        plain(&[Kind::Ipv4Addr, Kind::Service]).interval(),
        Set::verdict_map(name.clone(), [Kind::InterfaceName]),
    ]
}
