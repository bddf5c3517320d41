//! Tells the kernel whose rules for radio hold (nl80211, `NL80211_CMD_REQ_SET_REG` of linux/nl80211.h). iwd takes a country only from a
//! file that it reads at its start.

use model::preset::Country;
use rustix::net::AddressFamily;
use rustix::net::RecvFlags;
use rustix::net::SendFlags;
use rustix::net::SocketFlags;
use rustix::net::SocketType;
use rustix::net::netlink::GENERIC;
use rustix::net::netlink::SocketAddrNetlink;
use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

/// `GENL_ID_CTRL`, `CTRL_CMD_GETFAMILY`, `CTRL_ATTR_FAMILY_ID`, `CTRL_ATTR_FAMILY_NAME` (linux/genetlink.h).
const CONTROL: u16 = 16;
const GET_FAMILY: u8 = 3;
const FAMILY_ID: u16 = 1;
const FAMILY_NAME: u16 = 2;
/// `NL80211_CMD_REQ_SET_REG`, `NL80211_ATTR_REG_ALPHA2`.
const SET_COUNTRY: u8 = 27;
const ALPHA2: u16 = 33;
/// `NLMSG_ERROR`, also of an acknowledgement; `NLM_F_REQUEST | NLM_F_ACK`.
const ERROR: u16 = 2;
const FLAGS: u16 = 1 | 4;
const HEADER: usize = 16;
const PATIENCE: Duration = Duration::from_secs(2);

/// Why the kernel does not know.
#[derive(Debug, thiserror::Error)]
pub enum CountryError {
    /// The socket.
    #[error("ask the kernel about radios")]
    Socket(#[source] io::Error),
    /// It answered something else.
    #[error("the kernel's answer about radios makes no sense")]
    Answer,
    /// It refused.
    #[error("set the country of the radio")]
    Refused(#[source] io::Error),
}

/// Sets the country; blocks for a moment.
///
/// # Errors
/// When the kernel has no radio or refuses.
pub fn set(country: &Country) -> Result<(), CountryError> {
    let socket = open().map_err(CountryError::Socket)?;
    let family = ask(&socket, CONTROL, GET_FAMILY, FAMILY_NAME, b"nl80211\0")?;
    let id = family.and_then(|payload| family_id(&payload)).ok_or(CountryError::Answer)?;
    let name = [country.as_str().as_bytes(), &[0]].concat();
    ask(&socket, id, SET_COUNTRY, ALPHA2, &name).map(drop)
}

fn open() -> io::Result<OwnedFd> {
    let socket = rustix::net::socket_with(
        AddressFamily::NETLINK,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        Some(GENERIC),
    )?;
    rustix::net::sockopt::set_socket_timeout(&socket, rustix::net::sockopt::Timeout::Recv, Some(PATIENCE))?;
    rustix::net::bind(&socket, &SocketAddrNetlink::new(0, 0))?;
    Ok(socket)
}

/// Asks with one attribute; the answer's payload where there is one besides the acknowledgement.
fn ask(
    socket: &OwnedFd,
    kind: u16,
    command: u8,
    attribute: u16,
    value: &[u8],
) -> Result<Option<Vec<u8>>, CountryError> {
    let message = message(kind, command, attribute, value).ok_or(CountryError::Answer)?;
    rustix::net::sendto(socket, &message, SendFlags::empty(), &SocketAddrNetlink::new(0, 0))
        .map_err(|error| CountryError::Socket(error.into()))?;
    let mut payload = None;
    loop {
        let mut buffer = [0; 8192];
        let (_, length) = rustix::net::recv(socket, &mut buffer, RecvFlags::empty())
            .map_err(|error| CountryError::Socket(error.into()))?;
        let mut rest = buffer.get(..length).unwrap_or_default();
        while let Some((kind, body, next)) = split(rest) {
            if kind == ERROR {
                let code: [u8; 4] =
                    body.get(..4).and_then(|code| code.try_into().ok()).ok_or(CountryError::Answer)?;
                return match i32::from_ne_bytes(code) {
                    0 => Ok(payload),
                    code => Err(CountryError::Refused(io::Error::from_raw_os_error(code.saturating_neg()))),
                };
            }
            payload = body.get(4..).map(<[u8]>::to_vec);
            rest = next;
        }
    }
}

fn message(kind: u16, command: u8, attribute: u16, value: &[u8]) -> Option<Vec<u8>> {
    let attribute_length = u16::try_from(value.len().checked_add(4)?).ok()?;
    let padded = usize::from(attribute_length).next_multiple_of(4);
    let length = u32::try_from(HEADER.checked_add(4)?.checked_add(padded)?).ok()?;
    let mut message = Vec::new();
    message.extend(length.to_ne_bytes());
    message.extend(kind.to_ne_bytes());
    message.extend(FLAGS.to_ne_bytes());
    // Sequence number and sender: there is one question at a time.
    message.extend([0; 8]);
    message.extend([command, 1, 0, 0]);
    message.extend(attribute_length.to_ne_bytes());
    message.extend(attribute.to_ne_bytes());
    message.extend(value);
    message.resize(usize::try_from(length).ok()?, 0);
    Some(message)
}

/// The first message: its kind, its body, what follows.
fn split(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let length = u32::from_ne_bytes(bytes.get(..4)?.try_into().ok()?);
    let length = usize::try_from(length).ok()?;
    let kind = u16::from_ne_bytes(bytes.get(4..6)?.try_into().ok()?);
    let body = bytes.get(HEADER..length)?;
    Some((kind, body, bytes.get(length.next_multiple_of(4)..).unwrap_or_default()))
}

fn family_id(mut attributes: &[u8]) -> Option<u16> {
    loop {
        let length = usize::from(u16::from_ne_bytes(attributes.get(..2)?.try_into().ok()?));
        let kind = u16::from_ne_bytes(attributes.get(2..4)?.try_into().ok()?);
        let value = attributes.get(4..length)?;
        if kind == FAMILY_ID {
            return Some(u16::from_ne_bytes(value.try_into().ok()?));
        }
        attributes = attributes.get(length.next_multiple_of(4)..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_has_the_form_of_the_kernel() {
        let message = message(0x1234, SET_COUNTRY, ALPHA2, b"DE\0").unwrap();
        assert_eq!(message.len(), 28);
        let (kind, body, rest) = split(&message).unwrap();
        assert_eq!((kind, rest), (0x1234, [].as_slice()));
        assert_eq!(body[..2], [27, 1]);
        assert_eq!(body[4..], [&7_u16.to_ne_bytes()[..], &33_u16.to_ne_bytes(), b"DE\0\0"].concat());
    }

    #[test]
    fn the_family_is_found_behind_other_attributes_and_damage_is_none() {
        let mut attributes = [&8_u16.to_ne_bytes()[..], &2_u16.to_ne_bytes(), b"nl8\0"].concat();
        attributes.extend(
            [&6_u16.to_ne_bytes()[..], &1_u16.to_ne_bytes(), &0x1d_u16.to_ne_bytes(), &[0, 0]].concat(),
        );
        assert_eq!(family_id(&attributes), Some(0x1d));
        for length in 0..14 {
            assert_eq!(family_id(&attributes[..length]), None, "{length}");
        }
        assert_eq!(family_id(&[0; 16]), None);
        assert_eq!(split(&[255; 20]), None);
        assert_eq!(split(&[4, 0, 0, 0, 0, 0]), None);
    }
}
