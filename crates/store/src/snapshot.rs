//! Snapshots: a whole state in one file, written aside and moved into place. An export is the same under other labels.
//!
//! ```text
//! preamble (40) ‖ generation (8) ‖ note (8) ‖ count (8) ‖ digest (32)
//! ‖ count × (length (4) ‖ name ‖ length (4) ‖ sealed value) ‖ tag over everything (32)
//! ```

use std::io;

use crate::name::RecordName;
use crate::seal::Digest;
use crate::seal::FileMac;
use crate::seal::Keys;
use crate::seal::Purpose;
use crate::seal::Tag;
use crate::seal::sealed_generation;
use crate::state::State;
use crate::wire::Kind;
use crate::wire::Preamble;
use crate::wire::Reader;
use crate::wire::write_counted;

/// How many bytes are handed to the file at a time.
const CHUNK_BYTES: usize = 128 << 10;

/// What a whole state is written for; one never passes for the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Snapshot,
    Export,
}

impl Form {
    pub(crate) fn kind(self) -> Kind {
        match self {
            Self::Snapshot => Kind::Snapshot,
            Self::Export => Kind::Export,
        }
    }

    fn purpose(self) -> Purpose {
        match self {
            Self::Snapshot => Purpose::Snapshot,
            Self::Export => Purpose::Export,
        }
    }
}

/// Why a snapshot was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Note {
    /// The journal had become long.
    Routine,
    /// Something was damaged; all commits were recovered.
    Recovered,
    /// Something was damaged, and commits after this generation may be lost.
    Lost { after: u64 },
}

impl Note {
    fn encode(self) -> u64 {
        match self {
            Self::Routine => u64::MAX,
            Self::Recovered => u64::MAX - 1,
            Self::Lost { after } => after,
        }
    }

    fn decode(number: u64) -> Self {
        match number {
            u64::MAX => Self::Routine,
            number if number == u64::MAX - 1 => Self::Recovered,
            after => Self::Lost { after },
        }
    }
}

/// A snapshot that cannot be believed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("snapshot is damaged")]
pub(crate) struct BadSnapshot;

/// Writes a state piece by piece, so that it is never in memory twice.
pub(crate) fn encode(
    keys: &Keys,
    form: Form,
    state: &State,
    note: Note,
    mut write: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let mut mac = keys.mac(form.purpose());
    let mut chunk = Vec::new();
    let mut flush = |chunk: &mut Vec<u8>, mac: &mut FileMac| {
        mac.add(chunk);
        write(chunk)?;
        chunk.clear();
        io::Result::Ok(())
    };
    Preamble::of(keys).write(form.kind(), &mut chunk);
    chunk.extend_from_slice(&state.index.generation.to_le_bytes());
    chunk.extend_from_slice(&note.encode().to_le_bytes());
    chunk.extend_from_slice(&(state.values.len() as u64).to_le_bytes());
    chunk.extend_from_slice(&state.index.digest.0);
    for (name, sealed) in &state.values {
        write_counted(name.as_bytes(), &mut chunk);
        write_counted(sealed, &mut chunk);
        if chunk.len() >= CHUNK_BYTES {
            flush(&mut chunk, &mut mac)?;
        }
    }
    flush(&mut chunk, &mut mac)?;
    write(&mac.finish())
}

/// Reads a snapshot; every byte of it is covered by its tag.
pub(crate) fn decode(keys: &Keys, form: Form, bytes: &[u8]) -> Result<(State, Note), BadSnapshot> {
    let (body, tag) = bytes.split_last_chunk::<{ size_of::<Tag>() }>().ok_or(BadSnapshot)?;
    let mut mac = keys.mac(form.purpose());
    mac.add(body);
    if !mac.matches(tag) {
        return Err(BadSnapshot);
    }
    decode_body(keys, form, body).ok_or(BadSnapshot)
}

fn decode_body(keys: &Keys, form: Form, body: &[u8]) -> Option<(State, Note)> {
    let mut reader = Reader::new(body);
    (Preamble::read(form.kind(), &mut reader)? == Preamble::of(keys)).then_some(())?;
    let mut state = State::default();
    state.index.generation = reader.u64()?;
    let note = Note::decode(reader.u64()?);
    let (count, digest) = (reader.u64()?, Digest(reader.array()?));
    for _ in 0..count {
        let name = RecordName::parse(reader.counted()?)?;
        let sealed = reader.counted()?;
        state.add(keys, name, sealed_generation(sealed)?, sealed.to_vec());
    }
    (reader.is_at_end() && state.index.digest == digest).then_some((state, note))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::StoreKey;

    fn keys() -> Keys {
        Keys::new(&StoreKey::from_bytes([1; 32]), [2; 16])
    }

    fn sample() -> State {
        let mut state = State::default();
        let changes = (0..20u8).map(|number| {
            let name = RecordName::new("t", &[number]).unwrap();
            let sealed = keys().seal(&name, 1, &vec![number; usize::from(number)]).unwrap();
            (name, Some(sealed))
        });
        state.apply(&keys(), changes.collect());
        state
    }

    fn encoded(state: &State, note: Note) -> Vec<u8> {
        let mut bytes = Vec::new();
        encode(&keys(), Form::Snapshot, state, note, |chunk| {
            bytes.extend_from_slice(chunk);
            Ok(())
        })
        .unwrap();
        bytes
    }

    #[test]
    fn reads_back_what_was_written() {
        for (state, note) in [
            (sample(), Note::Routine),
            (State::default(), Note::Recovered),
            (sample(), Note::Lost { after: 3 }),
        ] {
            assert_eq!(decode(&keys(), Form::Snapshot, &encoded(&state, note)), Ok((state, note)));
        }
    }

    #[test]
    fn notices_every_flipped_byte_and_every_length() {
        let bytes = encoded(&sample(), Note::Routine);
        for position in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[position] ^= 0x10;
            assert_eq!(decode(&keys(), Form::Snapshot, &flipped), Err(BadSnapshot), "byte {position}");
            assert_eq!(
                decode(&keys(), Form::Snapshot, &bytes[..position]),
                Err(BadSnapshot),
                "length {position}"
            );
        }
        assert_eq!(decode(&keys(), Form::Export, &bytes), Err(BadSnapshot));
        assert_eq!(decode(&keys(), Form::Snapshot, &[&bytes[..], &[0]].concat()), Err(BadSnapshot));
    }

    proptest! {
        /// Behind the tag, too, no bytes lead to a panic or to memory without end.
        #[test]
        fn authenticated_nonsense_is_refused(rest in proptest::collection::vec(any::<u8>(), 0..300), count in any::<u64>()) {
            let mut body = Vec::new();
            Preamble::of(&keys()).write(Kind::Snapshot, &mut body);
            body.extend_from_slice(&rest);
            if let Some(field) = body.get_mut(56..64) {
                field.copy_from_slice(&count.to_le_bytes());
            }
            prop_assert_eq!(decode_body(&keys(), Form::Snapshot, &body), None);
        }
    }
}
