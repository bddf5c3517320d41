//! Whatever comes from the network, a box neither fails nor grows.

use crate::lan::Lan;
use mdns::Arrival;
use mdns::RecordType;
use proptest::collection::vec;
use proptest::prelude::ProptestConfig;
use proptest::prelude::any;
use proptest::prop_assert;
use proptest::proptest;
use proptest::sample::Index;
use std::time::Duration;

/// Packets as they really are, of a box that is announced, renamed and asked.
fn real_packets() -> Vec<Vec<u8>> {
    let mut lan = Lan::new(21);
    let first = lan.add("hearth");
    lan.add("hearth");
    lan.pass(Duration::from_secs(20));
    for record_type in [RecordType::A, RecordType::ANY, RecordType::TXT] {
        lan.ask(first, "hearth-2.local", record_type);
    }
    lan.ask(first, "_https._tcp.local", RecordType::PTR);
    lan.log.into_iter().map(|(_, _, transmit)| transmit.bytes).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_packets_of_real_boxes_do_no_harm(
        choices in vec((any::<Index>(), vec((any::<Index>(), any::<u8>()), 0..8), any::<bool>()), 1..60),
    ) {
        let packets = real_packets();
        let mut lan = Lan::new(22);
        let hearth = lan.add("hearth");
        lan.begin(hearth, "hearth-2.local", RecordType::ANY, Duration::from_secs(20));
        for (which, damage, was_multicast) in choices {
            let mut bytes = packets[which.index(packets.len())].clone();
            for (at, value) in damage {
                let at = at.index(bytes.len());
                bytes[at] = value;
            }
            let arrival = Arrival { link: 2, source: "10.0.0.9:5353".parse().unwrap(), was_multicast };
            let now = lan.now;
            lan.machines[hearth].node.receive(now, &arrival, &bytes);
            lan.pass(Duration::from_millis(100));
        }
        lan.pass(Duration::from_secs(60));
        let name_now = lan.announced(hearth).name;
        prop_assert!(name_now.starts_with("hearth"), "{name_now}");
        let asker = lan.add("asker");
        lan.pass(Duration::from_secs(5));
        let addresses = lan.ask(asker, &format!("{name_now}.local"), RecordType::A);
        prop_assert!(addresses.iter().any(|record| record.data.to_string() == "10.0.0.2"), "{addresses:?}");
    }

    #[test]
    fn noise_is_counted_and_forgotten(packets in vec(vec(any::<u8>(), 0..200), 1..50)) {
        let mut lan = Lan::new(23);
        let hearth = lan.add("hearth");
        lan.pass(Duration::from_secs(60));
        let count = u64::try_from(packets.len()).unwrap();
        for bytes in packets {
            let arrival = Arrival { link: 2, source: "10.0.0.9:5353".parse().unwrap(), was_multicast: true };
            let now = lan.now;
            lan.machines[hearth].node.receive(now, &arrival, &bytes);
        }
        lan.pass(Duration::from_secs(60));
        let counters = lan.machines[hearth].node.counters();
        prop_assert!(counters.heeded + counters.malformed + counters.misplaced == count, "{counters:?}");
        prop_assert!(lan.announced(hearth).name == "hearth");
    }
}
