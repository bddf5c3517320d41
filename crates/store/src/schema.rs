//! Which shape the records of a store have, and how they get from an older shape to the present one.
//!
//! The number belongs to the daemon whose records they are; the format of the store's files has a version of its own.
//! All steps run on a copy in memory when the store is opened, and what they change is one commit: after a power
//! cut the store is of the old schema or of the new one, never between.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;

use zeroize::Zeroizing;

use crate::Batch;
use crate::KeyValue;
use crate::Limits;
use crate::batch::CheckedBatch;
use crate::limits::BATCH_MAX;
use crate::name::RecordName;
use crate::own;
use crate::own::OwnRecord;
use crate::seal::Keys;
use crate::state::State;

/// Schema of a store that does not say which one it has.
const FIRST: u32 = 1;

/// One step: from all records as the schema before has them, the changes to the next one.
///
/// A pure function: the same records lead to the same changes.
pub type Migration = fn(&Tables) -> Result<Batch, Box<dyn Error + Send + Sync>>;

/// The schemas that a program knows: the present one, and the way to it from each older one.
#[derive(Clone, Debug)]
#[must_use = "migrations run when a store is opened with them"]
pub struct Migrations {
    steps: Vec<Migration>,
    min_reader: Option<u32>,
}

impl Migrations {
    /// Knows schema 1 only, which needs no step. A store that does not say its schema has this one.
    pub fn new() -> Self {
        Self { steps: Vec::new(), min_reader: None }
    }

    /// Adds the step to the next schema, which is the present one from then on.
    pub fn then(mut self, step: Migration) -> Self {
        self.steps.push(step);
        self
    }

    /// Lets programs that know no more than this schema use stores of the present one, reading and writing.
    /// Without it only programs that know the present schema may: after an update that falls back, older ones refuse.
    pub fn usable_by(mut self, schema: u32) -> Self {
        self.min_reader = Some(schema);
        self
    }

    /// Returns the number of the present schema.
    #[must_use]
    pub fn present(&self) -> u32 {
        FIRST.saturating_add(u32::try_from(self.steps.len()).unwrap_or(u32::MAX))
    }

    /// Whether programs that know no more than this schema can use stores of the present one.
    pub(crate) fn is_usable_by(&self, schema: u32) -> bool {
        self.header().min_reader <= schema
    }

    fn header(&self) -> Schema {
        let number = self.present();
        Schema { number, min_reader: self.min_reader.unwrap_or(number).min(number) }
    }
}

impl Default for Migrations {
    fn default() -> Self {
        Self::new()
    }
}

/// A store whose records are of a schema that this program does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "records are of schema {store}, which programs use that know schema {min_reader} at least; this one knows schema \
     {known}"
)]
pub struct NewerSchema {
    /// Schema of the store.
    pub store: u32,
    /// Oldest schema that a program must know to use it.
    pub min_reader: u32,
    /// Newest schema that this program knows.
    pub known: u32,
}

/// All records of a store in memory, as a [`Migration`] sees them.
#[derive(Clone, Default)]
pub struct Tables(BTreeMap<RecordName, Zeroizing<Vec<u8>>>);

impl Tables {
    /// Returns the value of one record, or `None` where there is none.
    #[must_use]
    pub fn get(&self, table: &str, key: &[u8]) -> Option<&[u8]> {
        self.0.get(&RecordName::new(table, key)?).map(|value| value.as_slice())
    }

    /// Returns every record of a table, ordered by key.
    #[must_use]
    pub fn scan(&self, table: &str) -> Vec<KeyValue> {
        let range = RecordName::range_of(table).map(|range| self.0.range(range));
        range.into_iter().flatten().map(|(name, value)| (name.key().to_vec(), value.to_vec())).collect()
    }
}

/// Shows how many there are, never what they hold.
impl fmt::Debug for Tables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tables").field("records", &self.0.len()).finish()
    }
}

/// What a store says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Schema {
    pub(crate) number: u32,
    pub(crate) min_reader: u32,
}

impl OwnRecord for Schema {
    const KEY: &'static [u8] = b"schema";

    fn encode(&self) -> Vec<u8> {
        [self.number.to_le_bytes(), self.min_reader.to_le_bytes()].concat()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (number, min_reader) = bytes.split_first_chunk()?;
        let (number, min_reader) =
            (u32::from_le_bytes(*number), u32::from_le_bytes(min_reader.try_into().ok()?));
        (FIRST <= number && min_reader <= number).then_some(Self { number, min_reader })
    }
}

/// What an opening has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Course {
    /// The records are as the program wants them, or newer and usable.
    Stay { at: u32 },
    /// The store is empty and takes the present schema.
    Begin,
    /// The steps from this schema on are made.
    Migrate { from: u32 },
}

/// Compares what a store says with what the program knows.
pub(crate) fn judge(
    store: Option<Schema>,
    is_empty: bool,
    known: &Migrations,
) -> Result<Course, NewerSchema> {
    let present = known.present();
    match store {
        None if is_empty => Ok(Course::Begin),
        None => Ok(Course::Migrate { from: FIRST }),
        Some(Schema { number, .. }) if number < present => Ok(Course::Migrate { from: number }),
        Some(Schema { number, min_reader }) if min_reader <= present => {
            // Going back over a newer schema's records is right only by that schema's own word.
            Ok(Course::Stay { at: number })
        }
        Some(Schema { number: store, min_reader }) => Err(NewerSchema { store, min_reader, known: present }),
    }
}

/// Why the records could not be brought to the present schema; they are as they were.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// A record could not be read.
    #[error("could not read the records")]
    Read,
    /// A step failed.
    #[error("could not make the step from schema {from}")]
    Step {
        /// Schema it starts from.
        from: u32,
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// A step's batch requires something that does not hold.
    #[error("step from schema {from} requires something that does not hold")]
    Requirement {
        /// Schema it starts from.
        from: u32,
    },
}

/// Opens all records of a state.
pub(crate) fn read_all(keys: &Keys, state: &State) -> Result<Tables, MigrateError> {
    let mut tables = Tables::default();
    for (name, sealed) in state.values.iter().filter(|(name, _)| !name.is_own()) {
        let written = state.index.records.get(name).ok_or(MigrateError::Read)?;
        let value = keys.open(name, written.generation, sealed).map_err(|_forged| MigrateError::Read)?;
        tables.0.insert(name.clone(), Zeroizing::new(value));
    }
    Ok(tables)
}

/// Makes all steps from a schema on; returns what they change together, with the store's new schema.
pub(crate) fn run(
    known: &Migrations,
    from: u32,
    mut tables: Tables,
    limits: &Limits,
) -> Result<CheckedBatch, MigrateError> {
    let limits = Limits { batch_bytes: BATCH_MAX, ..*limits };
    let mut all = own::write(&known.header());
    let done = usize::try_from(from.saturating_sub(FIRST)).unwrap_or(usize::MAX);
    for (step, from) in known.steps.iter().zip(FIRST..).skip(done) {
        let failed = |source| MigrateError::Step { from, source };
        let batch = step(&tables).map_err(failed)?.check(&limits).map_err(|error| failed(error.into()))?;
        let holds = |(name, value): &(RecordName, Option<Vec<u8>>)| {
            tables.0.get(name).map(|found| found.as_slice()) == value.as_deref()
        };
        if !batch.requirements.iter().all(holds) {
            return Err(MigrateError::Requirement { from });
        }
        for (name, value) in batch.changes {
            match &value {
                Some(value) => tables.0.insert(name.clone(), Zeroizing::new(value.clone())),
                None => tables.0.remove(&name),
            };
            all.changes.insert(name, value);
        }
    }
    Ok(all)
}

/// Returns the change that gives an empty store the present schema.
pub(crate) fn begin(known: &Migrations) -> CheckedBatch {
    own::write(&known.header())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nothing(_: &Tables) -> Result<Batch, Box<dyn Error + Send + Sync>> {
        Ok(Batch::new())
    }

    fn knowing(schema: u32) -> Migrations {
        (FIRST..schema).fold(Migrations::new(), |known, _| known.then(nothing))
    }

    #[test]
    fn every_pair_of_schemas_is_judged() {
        for known in 1..5 {
            assert_eq!(judge(None, true, &knowing(known)), Ok(Course::Begin));
            assert_eq!(judge(None, false, &knowing(known)), Ok(Course::Migrate { from: 1 }));
            for store in 1..5 {
                for min_reader in 0..=store {
                    let judged = judge(Some(Schema { number: store, min_reader }), false, &knowing(known));
                    let expected = if store < known {
                        Ok(Course::Migrate { from: store })
                    } else if store == known || min_reader <= known {
                        Ok(Course::Stay { at: store })
                    } else {
                        Err(NewerSchema { store, min_reader, known })
                    };
                    assert_eq!(judged, expected, "{store} {min_reader} {known}");
                }
            }
        }
    }

    #[test]
    fn what_a_store_says_is_usable_by_itself_at_least() {
        assert_eq!(knowing(3).header(), Schema { number: 3, min_reader: 3 });
        assert_eq!(knowing(3).usable_by(2).header(), Schema { number: 3, min_reader: 2 });
        assert_eq!(knowing(3).usable_by(9).header(), Schema { number: 3, min_reader: 3 });
    }

    #[test]
    fn records_of_no_schema_are_not_read() {
        let schema = Schema { number: 3, min_reader: 2 };
        assert_eq!(Schema::decode(&schema.encode()), Some(schema));
        for (number, min_reader) in [(0, 0), (2, 3)] {
            assert_eq!(Schema::decode(&Schema { number, min_reader }.encode()), None);
        }
        assert_eq!(Schema::decode(&[1, 0, 0, 0]), None);
    }
}
