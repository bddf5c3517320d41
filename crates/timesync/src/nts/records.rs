//! Records of the key exchange (RFC 8915 section 4): codec only.

use std::net::IpAddr;
use std::num::NonZeroU16;

/// Longest answer that is read. Eight cookies of 512 bytes and a name need a third of it.
pub const LONGEST_ANSWER: usize = 16 << 10;
/// NTPv4 (RFC 8915 section 7.7).
const NTPV4: [u8; 2] = [0, 0];
/// AEAD_AES_SIV_CMAC_256 (RFC 5297), which every server has to know (RFC 8915 section 5.1).
const AES_SIV_CMAC_256: [u8; 2] = [0, 15];
const CRITICAL: u16 = 1 << 15;

const END: u16 = 0;
const NEXT_PROTOCOL: u16 = 1;
const ERROR: u16 = 2;
const WARNING: u16 = 3;
const ALGORITHM: u16 = 4;
const COOKIE: u16 = 5;
const SERVER: u16 = 6;
const PORT: u16 = 7;

/// The only request there is: NTPv4, AES-SIV, end; all critical.
pub const REQUEST: [u8; 16] = [0x80, 1, 0, 2, 0, 0, 0x80, 4, 0, 2, 0, 15, 0x80, 0, 0, 0];

/// What the server granted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Granted {
    /// Cookies, in the order they came.
    pub cookies: Vec<Vec<u8>>,
    /// The time server, if it is another machine.
    pub server: Option<String>,
    /// Its port, if it is not 123.
    pub port: Option<NonZeroU16>,
}

/// Why an answer is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// It ends within a record, or before the last one.
    #[error("the answer is not complete")]
    Incomplete,
    /// The server refuses.
    #[error("the server answers with error {0}")]
    Server(u16),
    /// The server warns; what of is not known here.
    #[error("the server answers with warning {0}")]
    Warning(u16),
    /// It does not do what was asked for.
    #[error("the server offers no NTP version 4 with AES-SIV")]
    NothingInCommon,
    /// A record that must be understood and is not.
    #[error("the answer has an unknown record of type {0}")]
    Unknown(u16),
    /// A record with impossible contents.
    #[error("a record of type {0} is malformed")]
    Malformed(u16),
    /// Without cookies there is nothing to ask with.
    #[error("the answer has no cookie")]
    NoCookie,
}

/// Whether the bytes hold the last record; what follows it is not looked at.
#[must_use]
pub fn is_complete(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while let Some((kind, _, after)) = split(rest) {
        if kind & !CRITICAL == END {
            return true;
        }
        rest = after;
    }
    false
}

/// Reads an answer.
///
/// # Errors
/// The first thing that makes it useless.
pub fn parse(bytes: &[u8]) -> Result<Granted, RecordError> {
    let mut granted = Granted::default();
    let (mut protocol, mut algorithm) = (false, false);
    let mut rest = bytes;
    loop {
        let (kind, body, after) = split(rest).ok_or(RecordError::Incomplete)?;
        rest = after;
        match kind & !CRITICAL {
            END => break,
            NEXT_PROTOCOL => protocol = agreed(body, NTPV4)?,
            ALGORITHM => algorithm = agreed(body, AES_SIV_CMAC_256)?,
            ERROR => return Err(RecordError::Server(number(ERROR, body)?)),
            WARNING => return Err(RecordError::Warning(number(WARNING, body)?)),
            COOKIE => granted.cookies.push(body.to_vec()),
            SERVER => granted.server = Some(server(body)?),
            PORT => granted.port = Some(port(body)?),
            unknown if kind & CRITICAL != 0 => return Err(RecordError::Unknown(unknown)),
            _ => {}
        }
    }
    if !protocol || !algorithm {
        return Err(RecordError::NothingInCommon);
    }
    if granted.cookies.is_empty() {
        return Err(RecordError::NoCookie);
    }
    Ok(granted)
}

/// Kind with the critical bit, body, what follows.
fn split(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let (kind, rest) = bytes.split_first_chunk()?;
    let (length, rest) = rest.split_first_chunk()?;
    let (body, after) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    Some((u16::from_be_bytes(*kind), body, after))
}

fn agreed(body: &[u8], wanted: [u8; 2]) -> Result<bool, RecordError> {
    if body == wanted { Ok(true) } else { Err(RecordError::NothingInCommon) }
}

fn number(kind: u16, body: &[u8]) -> Result<u16, RecordError> {
    let bytes = body.try_into().map_err(|_length| RecordError::Malformed(kind))?;
    Ok(u16::from_be_bytes(bytes))
}

fn port(body: &[u8]) -> Result<NonZeroU16, RecordError> {
    NonZeroU16::new(number(PORT, body)?).ok_or(RecordError::Malformed(PORT))
}

/// An address or a name of letters, digits, hyphens and dots; it goes to a resolver and into the status.
fn server(body: &[u8]) -> Result<String, RecordError> {
    let text = std::str::from_utf8(body).map_err(|_not_text| RecordError::Malformed(SERVER))?;
    let name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
    let is_name = (1..=253).contains(&text.len()) && text.bytes().all(name);
    if is_name || text.parse::<IpAddr>().is_ok() {
        Ok(text.to_owned())
    } else {
        Err(RecordError::Malformed(SERVER))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn record(kind: u16, body: &[u8]) -> Vec<u8> {
        [&kind.to_be_bytes()[..], &u16::try_from(body.len()).unwrap().to_be_bytes(), body].concat()
    }

    fn answer(records: &[Raw<'_>]) -> Vec<u8> {
        records.iter().flat_map(|(kind, body)| record(*kind, body)).collect()
    }

    type Raw<'a> = (u16, &'a [u8]);

    const PROTOCOL: Raw<'_> = (CRITICAL | NEXT_PROTOCOL, &NTPV4);
    const AEAD: Raw<'_> = (ALGORITHM, &AES_SIV_CMAC_256);
    const ONE_COOKIE: Raw<'_> = (COOKIE, b"biscuit");
    const LAST: Raw<'_> = (CRITICAL | END, b"");

    #[test]
    fn the_request_is_made_of_records() {
        let expected = answer(&[PROTOCOL, (CRITICAL | ALGORITHM, &AES_SIV_CMAC_256), LAST]);
        assert_eq!(REQUEST[..], expected);
    }

    #[test]
    fn an_answer_is_read() {
        let bytes = answer(&[
            PROTOCOL,
            AEAD,
            (SERVER, b"time.example.org"),
            (PORT, &[4, 0]),
            ONE_COOKIE,
            (0x4000, b"not critical"),
            ONE_COOKIE,
            LAST,
        ]);
        let granted = Granted {
            cookies: vec![b"biscuit".to_vec(); 2],
            server: Some("time.example.org".to_owned()),
            port: NonZeroU16::new(1024),
        };
        assert_eq!(parse(&bytes), Ok(granted));
        for length in 0..bytes.len() {
            assert_eq!(parse(&bytes[..length]), Err(RecordError::Incomplete));
            assert!(!is_complete(&bytes[..length]));
        }
        assert!(is_complete(&bytes));
    }

    #[test]
    fn every_useless_answer_has_its_reason() {
        let cases: [(&[Raw<'_>], RecordError); 12] = [
            (&[PROTOCOL, AEAD, LAST], RecordError::NoCookie),
            (&[AEAD, ONE_COOKIE, LAST], RecordError::NothingInCommon),
            (&[PROTOCOL, ONE_COOKIE, LAST], RecordError::NothingInCommon),
            (&[(NEXT_PROTOCOL, b""), AEAD, ONE_COOKIE, LAST], RecordError::NothingInCommon),
            (&[PROTOCOL, (ALGORITHM, &[0, 16]), ONE_COOKIE, LAST], RecordError::NothingInCommon),
            (&[(CRITICAL | ERROR, &[0, 1]), LAST], RecordError::Server(1)),
            (&[(CRITICAL | WARNING, &[0, 9]), LAST], RecordError::Warning(9)),
            (&[(CRITICAL | ERROR, &[1]), LAST], RecordError::Malformed(ERROR)),
            (&[(CRITICAL | 0x1234, b""), LAST], RecordError::Unknown(0x1234)),
            (&[PROTOCOL, AEAD, (PORT, &[0, 0]), LAST], RecordError::Malformed(PORT)),
            (&[PROTOCOL, AEAD, (SERVER, b"a b"), LAST], RecordError::Malformed(SERVER)),
            (&[PROTOCOL, AEAD, (SERVER, &[0xff]), LAST], RecordError::Malformed(SERVER)),
        ];
        for (records, reason) in cases {
            assert_eq!(parse(&answer(records)), Err(reason), "{records:?}");
        }
    }

    #[test]
    fn a_server_may_be_an_address() {
        for address in ["192.0.2.1", "2001:db8::1"] {
            let bytes = answer(&[PROTOCOL, AEAD, (SERVER, address.as_bytes()), ONE_COOKIE, LAST]);
            assert_eq!(parse(&bytes).unwrap().server.as_deref(), Some(address));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
            if parse(&bytes).is_ok() {
                prop_assert!(is_complete(&bytes));
            }
        }

        #[test]
        fn any_records_are_read_or_refused(
            records in prop::collection::vec((0_u16..9, any::<bool>(), prop::collection::vec(any::<u8>(), 0..5)), 0..12),
        ) {
            let bytes: Vec<u8> = records
                .iter()
                .flat_map(|(kind, critical, body)| record(kind | if *critical { CRITICAL } else { 0 }, body))
                .collect();
            if let Ok(granted) = parse(&bytes) {
                prop_assert!(!granted.cookies.is_empty());
            }
        }
    }
}
