use proptest::prelude::*;

use super::*;
use crate::StoreKey;
use crate::state::State;

fn keys() -> Keys {
    Keys::new(&StoreKey::from_bytes([1; 32]), [2; 16])
}

const BASE: Base = Base { generation: 10, digest: Digest([0; 32]) };

/// A journal of some commits, and where each of its frames ends.
fn sample(commits: u8) -> (Vec<u8>, Vec<usize>, Tag, State) {
    let keys = keys();
    let mut state = State::default();
    state.index.generation = BASE.generation;
    let (mut bytes, mut chain) = encode_header(&keys, BASE);
    let mut ends = vec![bytes.len()];
    for number in 0..commits {
        let put = RecordName::new("t", &[number]).unwrap();
        let removed = RecordName::new("t", &[number.wrapping_sub(1)]).unwrap();
        let sealed = keys.seal(&put, state.index.generation + 1, &[number; 40]).unwrap();
        let changes = vec![(put, Some(sealed)), (removed, None)];
        let after = state.index.foresee(&keys, &changes);
        let (frame, tag) = encode_commit(&keys, &chain, &after, &changes);
        state.apply(&keys, changes);
        chain = tag;
        bytes.extend_from_slice(&frame);
        ends.push(bytes.len());
    }
    (bytes, ends, chain, state)
}

fn acknowledged(commits: u8) -> (Vec<u8>, Vec<usize>) {
    let (mut bytes, ends, chain, state) = sample(commits);
    bytes.extend_from_slice(&encode_acknowledgement(&keys(), &chain, &state.index.summary()));
    (bytes, ends)
}

#[test]
fn reads_back_what_was_written() {
    let (bytes, ends, chain, state) = sample(5);
    let journal = parse(&keys(), &bytes).unwrap();
    assert_eq!((journal.base, journal.end, journal.chain), (BASE, End::Clean, chain));
    assert_eq!(journal.length, *ends.last().unwrap() as u64);
    let mut replayed = State::default();
    replayed.index.generation = BASE.generation;
    for frame in journal.frames {
        replayed.apply(&keys(), frame.changes);
        assert_eq!((replayed.index.generation, replayed.index.digest), (frame.generation, frame.digest));
    }
    assert_eq!(replayed, state);
}

#[test]
fn sizes_are_as_documented() {
    assert_eq!(encode_header(&keys(), BASE).0.len(), HEADER_BYTES);
    let (bytes, ends) = acknowledged(1);
    assert_eq!(bytes.len() - ends[1], FRAME_BYTES);
}

#[test]
fn every_cut_leaves_whole_frames_and_a_torn_tail() {
    let (bytes, ends) = acknowledged(3);
    for length in HEADER_BYTES..=bytes.len() {
        let journal = parse(&keys(), &bytes[..length]).unwrap();
        let whole = ends.iter().filter(|end| **end <= length).count() - 1;
        assert_eq!(journal.frames.len(), whole, "length {length}");
        let clean = ends.contains(&length) || length == bytes.len();
        assert_eq!(journal.end, if clean { End::Clean } else { End::Torn }, "length {length}");
    }
    for length in 0..HEADER_BYTES {
        assert_eq!(parse(&keys(), &bytes[..length]), Err(BadHeader), "length {length}");
    }
}

#[test]
fn every_flip_in_an_acknowledged_frame_is_reported() {
    let (bytes, ends) = acknowledged(3);
    for position in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[position] ^= 0x04;
        if position < HEADER_BYTES {
            assert_eq!(parse(&keys(), &flipped), Err(BadHeader), "byte {position}");
            continue;
        }
        let journal = parse(&keys(), &flipped).unwrap();
        let whole = ends.iter().filter(|end| **end <= position).count() - 1;
        assert_eq!(journal.frames.len(), whole, "byte {position}");
        let expected = if whole == 3 { End::Torn } else { End::Damaged { reaches: 13 } };
        assert_eq!(journal.end, expected, "byte {position}");
    }
}

#[test]
fn frames_left_out_swapped_or_repeated_are_damage() {
    let (bytes, ends, ..) = sample(3);
    let frame = |number: usize| &bytes[ends[number]..ends[number + 1]];
    let header = &bytes[..HEADER_BYTES];
    let damaged = |parts: &[&[u8]]| parse(&keys(), &parts.concat()).unwrap();
    let left_out = damaged(&[header, frame(0), frame(2)]);
    assert_eq!((left_out.frames.len(), left_out.end), (1, End::Damaged { reaches: 13 }));
    let swapped = damaged(&[header, frame(1), frame(0), frame(2)]);
    assert_eq!((swapped.frames.len(), swapped.end), (0, End::Damaged { reaches: 13 }));
    let repeated = damaged(&[header, frame(0), frame(0)]);
    assert_eq!((repeated.frames.len(), repeated.end), (1, End::Damaged { reaches: 11 }));
}

#[test]
fn a_frame_of_another_journal_does_not_fit() {
    let keys = keys();
    let (mut bytes, ..) = sample(1);
    let (_, tag) = encode_header(&keys, Base { generation: 11, ..BASE });
    let after = Summary { generation: 12, digest: Digest::default(), bytes: 0 };
    bytes.extend_from_slice(&encode_commit(&keys, &tag, &after, &[]).0);
    assert_eq!(parse(&keys, &bytes).unwrap().end, End::Damaged { reaches: 12 });
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert_eq!(parse(&keys(), &bytes), Err(BadHeader));
    }

    /// Behind the tag, too, no bytes lead to a panic or to memory without end.
    #[test]
    fn authenticated_nonsense_is_no_commit(count in any::<u32>(), rest in proptest::collection::vec(any::<u8>(), 64..300)) {
        let (mut bytes, ends, ..) = sample(1);
        let mut frame = MARK.to_vec();
        frame.extend_from_slice(&length32(24 + rest.len() + size_of::<Tag>()).to_le_bytes());
        frame.extend_from_slice(&12u64.to_le_bytes());
        frame.extend_from_slice(&COMMIT.to_le_bytes());
        frame.extend_from_slice(&count.to_le_bytes());
        frame.extend_from_slice(&rest);
        seal_tail(&keys(), Purpose::Frame, &mut frame);
        bytes.extend_from_slice(&frame);
        prop_assert_eq!(parse(&keys(), &bytes).unwrap().length, ends[1] as u64);
    }

    #[test]
    fn any_tail_is_cut_at_the_last_whole_frame(tail in proptest::collection::vec(any::<u8>(), 1..400)) {
        let (mut bytes, ends, ..) = sample(2);
        bytes.extend_from_slice(&MARK);
        bytes.extend_from_slice(&tail);
        let journal = parse(&keys(), &bytes).unwrap();
        prop_assert_eq!(journal.length, ends[2] as u64);
        prop_assert_eq!(journal.end, End::Torn);
    }

    #[test]
    fn overwritten_stretches_never_give_a_frame_that_was_not_written(
        start in 0usize..600, stretch in proptest::collection::vec(any::<u8>(), 1..120),
    ) {
        let (bytes, ..) = acknowledged(4);
        let mut damaged = bytes.clone();
        let end = (start + stretch.len()).min(damaged.len());
        damaged[start..end].copy_from_slice(&stretch[..end - start]);
        let Ok(journal) = parse(&keys(), &damaged) else { return Ok(()) };
        let written = parse(&keys(), &bytes).unwrap().frames;
        prop_assert_eq!(&journal.frames[..], &written[..journal.frames.len()]);
        prop_assert!(journal.frames.len() == 4 || journal.end != End::Clean);
    }
}
