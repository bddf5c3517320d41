//! Spreads what is to be said over packets that fit a link.
//!
//! Lengths are counted without compression, which is an upper bound: a packet is never longer than counted.

use crate::packet::Packet;
use crate::packet::uncompressed;
use hickory_proto::op::Query;
use hickory_proto::rr::Record;
use hickory_proto::serialize::binary::BinEncodable;

/// Bytes that fit an Ethernet link behind the headers of IPv6 and UDP, less than half a hundred spared for tunnels.
const FITS: usize = 1400;
const HEADER: usize = 12;

fn length(part: &impl BinEncodable) -> usize {
    uncompressed(part).map_or(0, |bytes| bytes.len())
}

fn lengths<T: BinEncodable>(parts: &[T]) -> usize {
    parts.iter().map(length).sum()
}

/// Answers in as many packets as they need; additional records ride along where there is room and are left out otherwise.
/// The records of one set stay together, for their cache-flush bit speaks for all of them (RFC 6762 section 10.2).
pub(crate) fn responses(answers: Vec<Vec<Record>>, additionals: Vec<Vec<Record>>) -> Vec<Vec<u8>> {
    let mut packets: Vec<(usize, Packet)> = Vec::new();
    for set in answers {
        let more = lengths(&set);
        match packets.last_mut() {
            Some((used, packet)) if *used + more <= FITS => {
                *used += more;
                packet.answers.extend(set);
            }
            _ => {
                let packet = Packet { is_response: true, answers: set, ..Packet::default() };
                packets.push((HEADER + more, packet));
            }
        }
    }
    for set in additionals {
        let more = lengths(&set);
        if let Some((used, packet)) = packets.iter_mut().find(|(used, _)| used + more <= FITS) {
            *used += more;
            packet.additionals.extend(set);
        }
    }
    encoded(&packets)
}

/// Probes: each question travels with the records proposed for its name (section 8.2).
pub(crate) fn probes(probes: Vec<(Query, Vec<Record>)>) -> Vec<Vec<u8>> {
    let mut packets: Vec<(usize, Packet)> = Vec::new();
    for (question, proposed) in probes {
        let more = length(&question) + lengths(&proposed);
        match packets.last_mut() {
            Some((used, packet)) if *used + more <= FITS => {
                *used += more;
                packet.questions.push(question);
                packet.authorities.extend(proposed);
            }
            _ => {
                let packet = Packet { questions: vec![question], authorities: proposed, ..Packet::default() };
                packets.push((HEADER + more, packet));
            }
        }
    }
    encoded(&packets)
}

/// A question with the answers known already; all packets but the last are marked as truncated (section 7.2).
pub(crate) fn query(question: Query, known: Vec<Record>) -> Vec<Vec<u8>> {
    let mut used = HEADER + length(&question);
    let mut packets = vec![Packet { questions: vec![question], ..Packet::default() }];
    for record in known {
        let more = length(&record);
        if used + more > FITS {
            if let Some(full) = packets.last_mut() {
                full.is_truncated = true;
            }
            packets.push(Packet::default());
            used = HEADER;
        }
        used += more;
        if let Some(packet) = packets.last_mut() {
            packet.answers.push(record);
        }
    }
    packets.iter().filter_map(Packet::encode).collect()
}

fn encoded(packets: &[(usize, Packet)]) -> Vec<Vec<u8>> {
    packets.iter().filter_map(|(_, packet)| packet.encode()).collect()
}
