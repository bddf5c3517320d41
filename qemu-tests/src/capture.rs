//! Reads what QEMU's `filter-dump` kept: packets as they went over a network card's cable (pcap, the classic format of libpcap).

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use std::fs;
use std::path::Path;

/// Begin of a capture with microseconds, in this machine's byte order.
const MAGIC: u32 = 0xa1b2_c3d4;
const FILE_HEADER: usize = 24;
const PACKET_HEADER: usize = 16;
/// Port of DNS.
const NAMES: u16 = 53;

/// Reads all frames. The last one may still be on its way to the file; then it is left out.
///
/// # Errors
/// When the file is no capture.
pub fn read(file: &Path) -> Result<Vec<Vec<u8>>> {
    let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    ensure!(number(&bytes, 0) == Some(MAGIC), "{} is no capture", file.display());
    Ok(frames(&bytes).map(<[u8]>::to_vec).collect())
}

fn frames(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes.get(FILE_HEADER..).unwrap_or_default();
    std::iter::from_fn(move || {
        let length = usize::try_from(number(rest, 8)?).ok()?;
        let frame = rest.get(PACKET_HEADER..PACKET_HEADER.checked_add(length)?)?;
        rest = rest.get(PACKET_HEADER + length..)?;
        Some(frame)
    })
}

/// Whether a frame is TCP or UDP to port 53, whatever it says.
#[must_use]
pub fn is_plaintext_name(frame: &[u8]) -> bool {
    destination_port(frame) == Some(NAMES)
}

/// The capture has no question for a name in plaintext, and is not empty: an empty one would show nothing.
///
/// # Errors
/// When there is one, with the frames.
pub fn ensure_no_plaintext_names(file: &Path) -> Result<()> {
    let frames = read(file)?;
    ensure!(!frames.is_empty(), "{} is empty", file.display());
    let found: Vec<_> = frames.iter().filter(|frame| is_plaintext_name(frame)).collect();
    ensure!(
        found.is_empty(),
        "{} questions for names in plaintext in {}: {found:02x?}",
        found.len(),
        file.display()
    );
    Ok(())
}

fn destination_port(frame: &[u8]) -> Option<u16> {
    let packet = frame.get(14..)?;
    let (protocol, start) = match frame.get(12..14)? {
        [0x08, 0x00] => (*packet.get(9)?, usize::from(packet.first()? & 0xf) * 4),
        [0x86, 0xdd] => (*packet.get(6)?, 40),
        _ => return None,
    };
    let port = packet.get(start + 2..start + 4)?;
    matches!(protocol, 6 | 17).then(|| port.try_into().map(u16::from_be_bytes).ok())?
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frames;
    use crate::frames::Ipv4;
    use crate::frames::Pseudo;
    use std::net::Ipv4Addr;
    use std::net::Ipv6Addr;

    fn questions(port: u16) -> [Vec<u8>; 3] {
        let (a, b) = (Ipv4Addr::new(10, 0, 2, 15), Ipv4Addr::new(10, 0, 2, 3));
        let (c, d) = (Ipv6Addr::LOCALHOST, Ipv6Addr::UNSPECIFIED);
        let udp4 = frames::udp(Pseudo::V4(a, b), 4000, port, b"?");
        let tcp4 = frames::tcp(Pseudo::V4(a, b), 4000, port, frames::SYN, b"");
        let udp6 = frames::udp(Pseudo::V6(c, d), 4000, port, b"?");
        let header = |protocol| Ipv4 { options: &[1, 1, 1, 0], ..Ipv4::plain(a, b, protocol) };
        [
            frames::ethernet([1; 6], [2; 6], frames::IPV4, &header(frames::UDP).packet(&udp4)),
            frames::ethernet([1; 6], [2; 6], frames::IPV4, &Ipv4::plain(a, b, frames::TCP).packet(&tcp4)),
            frames::ethernet([1; 6], [2; 6], frames::IPV6, &frames::ipv6(c, d, frames::UDP, 64, &udp6)),
        ]
    }

    #[test]
    fn questions_are_told_from_other_packets() {
        assert!(questions(53).iter().all(|frame| is_plaintext_name(frame)));
        assert!(!questions(853).iter().any(|frame| is_plaintext_name(frame)));
        assert!(!is_plaintext_name(&[]));
    }

    #[test]
    fn a_capture_is_read_up_to_a_cut_frame() {
        let mut bytes = MAGIC.to_ne_bytes().to_vec();
        bytes.resize(FILE_HEADER, 0);
        for length in [3_u32, 9] {
            bytes.extend_from_slice(&[0; 8]);
            bytes.extend_from_slice(&length.to_ne_bytes());
            bytes.extend_from_slice(&length.to_ne_bytes());
            bytes.extend_from_slice(b"abc");
        }
        assert_eq!(frames(&bytes).collect::<Vec<_>>(), [b"abc"]);
    }
}
