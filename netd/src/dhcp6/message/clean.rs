//! Takes out of a message what the codec cannot be trusted with. Pure.

/// Type and transaction id, before the options.
const FIXED: usize = 4;
/// Code and length of an option.
const HEADER: usize = 4;

const CLIENT_ID: u16 = 1;
const SERVER_ID: u16 = 2;
const IA_NA: u16 = 3;
const IA_ADDRESS: u16 = 5;
const PREFERENCE: u16 = 7;
const STATUS: u16 = 13;
const DNS: u16 = 23;
const DOMAINS: u16 = 24;
const REFRESH: u16 = 32;
const NTP: u16 = 56;
const SOL_MAX_RT: u16 = 82;
const INF_MAX_RT: u16 = 83;

/// Fixed parts of the options that hold options.
const IA_NA_FIXED: usize = 12;
const IA_ADDRESS_FIXED: usize = 24;
/// Longest DUID (RFC 8415 section 11.1).
const LONGEST_DUID: usize = 130;

/// Where an option stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Message,
    InIa,
    InAddress,
}

/// The message with only those options that are needed, each of the length that it must have; none when it is no DHCPv6 message.
pub(super) fn message(bytes: &[u8]) -> Option<Vec<u8>> {
    let (fixed, options) = bytes.split_at_checked(FIXED)?;
    if bytes.len() > super::LONGEST {
        return None;
    }
    Some([fixed, &clean(options, Level::Message)?].concat())
}

/// Names come last: the codec reads nothing after one that it does not understand.
fn clean(mut options: &[u8], level: Level) -> Option<Vec<u8>> {
    let mut kept = Vec::new();
    let mut names = Vec::new();
    while !options.is_empty() {
        let (header, rest) = options.split_first_chunk::<HEADER>()?;
        let code = u16::from_be_bytes([header[0], header[1]]);
        let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
        let (value, next) = rest.split_at_checked(length)?;
        options = next;
        let Some(value) = clean_value(code, value, level) else {
            continue;
        };
        let target = if matches!(code, DOMAINS | NTP) { &mut names } else { &mut kept };
        target.extend(code.to_be_bytes());
        target.extend(u16::try_from(value.len()).ok()?.to_be_bytes());
        target.extend(value);
    }
    kept.extend(names);
    Some(kept)
}

/// The value as the codec may see it; none when the option is not needed or has a wrong length.
fn clean_value(code: u16, value: &[u8], level: Level) -> Option<Vec<u8>> {
    let nested = |fixed: usize, level| {
        let (fixed, options) = value.split_at_checked(fixed)?;
        Some([fixed, &clean(options, level)?].concat())
    };
    let when = |is_good: bool| is_good.then(|| value.to_vec());
    match (level, code) {
        // Without its text, which need not be readable.
        (_, STATUS) => value.get(..2).map(<[u8]>::to_vec),
        (Level::Message, CLIENT_ID | SERVER_ID) => when((1..=LONGEST_DUID).contains(&value.len())),
        (Level::Message, IA_NA) => nested(IA_NA_FIXED, Level::InIa),
        (Level::Message, PREFERENCE) => when(value.len() == 1),
        (Level::Message, DNS) => when(!value.is_empty() && value.len().is_multiple_of(16)),
        (Level::Message, REFRESH | SOL_MAX_RT | INF_MAX_RT) => when(value.len() == 4),
        (Level::Message, DOMAINS | NTP) => when(!value.is_empty()),
        (Level::InIa, IA_ADDRESS) => nested(IA_ADDRESS_FIXED, Level::InAddress),
        _ => None,
    }
}
