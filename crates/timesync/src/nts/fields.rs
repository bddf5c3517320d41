//! Extension fields of questions and answers (RFC 8915 section 5, RFC 7822): codec and AES-SIV, no judgement of times.

use aes_siv::KeyInit;
use aes_siv::siv::Aes128Siv;

use crate::nts::COOKIES;
use crate::nts::Key;
use crate::packet;
use crate::packet::HEADER;

/// Longest answer that is read.
pub const LONGEST_ANSWER: usize = 2_048;
/// Longest question sent: it passes every link with IPv6 unbroken.
const LONGEST_QUESTION: usize = 1_200;
/// Bytes of the identifier (RFC 8915 section 5.3: at least 32).
pub const IDENTIFIER: usize = 32;
/// Bytes of our nonces and of the tag.
const NONCE: usize = 16;
const TAG: usize = 16;

const UNIQUE_IDENTIFIER: u16 = 0x0104;
const COOKIE: u16 = 0x0204;
const COOKIE_PLACEHOLDER: u16 = 0x0304;
const AUTHENTICATOR: u16 = 0x0404;

/// Random parts of a question.
#[derive(Clone, Copy, Debug)]
pub struct Randomness {
    /// In place of the transmit time.
    pub nonce: u64,
    /// Sent back by the server, so that an answer cannot be one to an earlier question.
    pub identifier: [u8; IDENTIFIER],
    /// For AES-SIV.
    pub seal: [u8; NONCE],
}

/// Why an answer does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldError {
    /// No header, or a field that does not fit.
    #[error("it is malformed")]
    Malformed,
    /// Not an answer to what was asked.
    #[error("it answers another question")]
    Identifier,
    /// The server does not know the cookie any more. Anyone who sees the question can claim that.
    #[error("the server forgot our keys")]
    Nak,
    /// Not from the server.
    #[error("it does not prove that it comes from the server")]
    Forged,
}

/// A question that proves that it comes from who made the exchange. `kept` is how many cookies are left: for each that is
/// missing the server is asked for one more.
#[must_use]
pub fn question(random: &Randomness, key: &Key, cookie: &[u8], kept: usize) -> Option<Vec<u8>> {
    let mut bytes = packet::question(random.nonce).to_vec();
    push(&mut bytes, UNIQUE_IDENTIFIER, &random.identifier)?;
    push(&mut bytes, COOKIE, cookie)?;
    // The one that is used up is replaced without asking.
    for _ in kept + 1..COOKIES {
        if bytes.len() + 2 * cookie.len() + 64 > LONGEST_QUESTION {
            break;
        }
        push(&mut bytes, COOKIE_PLACEHOLDER, &vec![0; cookie.len()])?;
    }
    let sealed = cipher(key).encrypt([&bytes[..], &random.seal], b"").ok()?;
    push(&mut bytes, AUTHENTICATOR, &authenticator(&random.seal, &sealed)?)?;
    Some(bytes)
}

/// Checks that an answer comes from the server and takes its new cookies out.
///
/// # Errors
/// Why it does not count.
pub fn open(bytes: &[u8], identifier: &[u8; IDENTIFIER], key: &Key) -> Result<Vec<Vec<u8>>, FieldError> {
    let header = packet::parse(bytes).ok_or(FieldError::Malformed)?;
    let mut identified = false;
    let mut at = HEADER;
    while at < bytes.len() {
        let (kind, body, after) = split(&bytes[at..]).ok_or(FieldError::Malformed)?;
        match kind {
            UNIQUE_IDENTIFIER if body == identifier => identified = true,
            UNIQUE_IDENTIFIER => return Err(FieldError::Identifier),
            // What follows it nobody vouches for.
            AUTHENTICATOR if identified => return cookies(&unseal(&bytes[..at], body, key)?),
            AUTHENTICATOR => return Err(FieldError::Identifier),
            _ => {}
        }
        at = bytes.len() - after.len();
    }
    let kiss = (header.stratum == 0).then_some(header.reference);
    if identified && kiss == Some(*b"NTSN") { Err(FieldError::Nak) } else { Err(FieldError::Forged) }
}

fn cipher(key: &Key) -> Aes128Siv {
    Aes128Siv::new((&*key.0).into())
}

/// Appends a field; its length counts the four bytes of its head and is a multiple of four.
fn push(bytes: &mut Vec<u8>, kind: u16, body: &[u8]) -> Option<()> {
    let padded = body.len().next_multiple_of(4);
    let length = u16::try_from(padded + 4).ok()?;
    bytes.extend_from_slice(&kind.to_be_bytes());
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(body);
    bytes.resize(bytes.len() + padded - body.len(), 0);
    Some(())
}

/// Kind, body, what follows. RFC 7822 wants 16 bytes at least, of which nothing depends here.
fn split(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let (kind, rest) = bytes.split_first_chunk()?;
    let (length, rest) = rest.split_first_chunk()?;
    let length = usize::from(u16::from_be_bytes(*length));
    if !length.is_multiple_of(4) {
        return None;
    }
    let (body, after) = rest.split_at_checked(length.checked_sub(4)?)?;
    Some((u16::from_be_bytes(*kind), body, after))
}

/// Two lengths, nonce, ciphertext (RFC 8915 section 5.6). Both lengths are multiples of four here.
fn authenticator(nonce: &[u8; NONCE], sealed: &[u8]) -> Option<Vec<u8>> {
    let nonce_length = u16::try_from(nonce.len()).ok()?.to_be_bytes();
    let sealed_length = u16::try_from(sealed.len()).ok()?.to_be_bytes();
    Some([&nonce_length[..], &sealed_length, nonce, sealed].concat())
}

fn unseal(associated: &[u8], body: &[u8], key: &Key) -> Result<Vec<u8>, FieldError> {
    let parts = || {
        let (nonce_length, rest) = body.split_first_chunk()?;
        let (sealed_length, rest) = rest.split_first_chunk()?;
        let nonce_length = usize::from(u16::from_be_bytes(*nonce_length));
        let sealed_length = usize::from(u16::from_be_bytes(*sealed_length));
        let (nonce, rest) = rest.split_at_checked(nonce_length.next_multiple_of(4))?;
        let sealed = rest.get(..sealed_length)?;
        (nonce_length > 0 && sealed.len() >= TAG).then_some((&nonce[..nonce_length], sealed))
    };
    let (nonce, sealed) = parts().ok_or(FieldError::Malformed)?;
    cipher(key).decrypt([associated, nonce], sealed).map_err(|_opaque| FieldError::Forged)
}

fn cookies(plain: &[u8]) -> Result<Vec<Vec<u8>>, FieldError> {
    let mut found = Vec::new();
    let mut rest = plain;
    while !rest.is_empty() && found.len() < COOKIES {
        let (kind, body, after) = split(rest).ok_or(FieldError::Malformed)?;
        if kind == COOKIE {
            found.push(body.to_vec());
        }
        rest = after;
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
