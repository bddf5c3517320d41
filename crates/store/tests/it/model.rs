//! Random batches and reopenings on the real store, against a map.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use store::Batch;
use store::CommitError;
use store::Limits;
use store::SledStore;
use store::Store;
use store::StoreKey;

/// Tables and keys to values.
type Model = BTreeMap<(String, Vec<u8>), Vec<u8>>;

const TABLES: [&str; 3] = ["a", "b", "ba"];

#[derive(Clone, Debug)]
enum Step {
    Commit { changes: Vec<Change>, requirement: Option<Change> },
    Reopen,
    Get { table: usize, key: Vec<u8> },
}

/// A record and its value, `None` for its absence.
type Change = (usize, Vec<u8>, Option<Vec<u8>>);

fn keys() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![vec(0u8..3, 0..3), vec(any::<u8>(), 0..40)]
}

fn changes() -> impl Strategy<Value = Change> {
    let value = prop_oneof![vec(any::<u8>(), 0..50), vec(any::<u8>(), 1000..3000)];
    (0..TABLES.len(), keys(), proptest::option::weighted(0.7, value))
}

fn steps() -> impl Strategy<Value = Step> {
    let commit = (vec(changes(), 0..6), proptest::option::weighted(0.3, changes()));
    prop_oneof![
        8 => commit.prop_map(|(changes, requirement)| Step::Commit { changes, requirement }),
        1 => Just(Step::Reopen),
        2 => (0..TABLES.len(), keys()).prop_map(|(table, key)| Step::Get { table, key }),
    ]
}

fn open(path: &std::path::Path) -> SledStore {
    let limits = Limits { journal_bytes: 8 << 10, ..Limits::default() };
    let (store, opened) = SledStore::open(path, &StoreKey::from_bytes([1; 32]), limits).unwrap();
    assert_eq!(opened.recovered, None);
    store
}

fn commit(store: &SledStore, model: &mut Model, changes: Vec<Change>, requirement: Option<Change>) {
    let name = |(table, key): (usize, &[u8])| (TABLES[table].to_owned(), key.to_vec());
    let mut after = model.clone();
    let mut batch = Batch::new();
    let mut holds = true;
    if let Some((table, key, value)) = requirement {
        holds = model.get(&name((table, &key))) == value.as_ref();
        batch = match value {
            Some(value) => batch.require_equals(TABLES[table], key, value),
            None => batch.require_absent(TABLES[table], key),
        };
    }
    for (table, key, value) in changes {
        let name = name((table, &key));
        batch = match value {
            Some(value) => {
                after.insert(name, value.clone());
                batch.put(TABLES[table], key, value)
            }
            None => {
                after.remove(&name);
                batch.delete(TABLES[table], key)
            }
        };
    }
    match store.commit(batch) {
        Ok(_) => {
            assert!(holds);
            *model = after;
        }
        Err(CommitError::Precondition { .. }) => assert!(!holds),
        Err(error) => panic!("{error:?}"),
    }
}

fn compare(store: &SledStore, model: &Model) {
    for table in TABLES {
        let expected: Vec<_> = model
            .iter()
            .filter(|((of, _), _)| of == table)
            .map(|((_, key), value)| (key.clone(), value.clone()))
            .collect();
        assert_eq!(store.scan(table).unwrap(), expected);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn store_behaves_like_a_map(steps in vec(steps(), 1..60)) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store");
        let mut model = Model::new();
        let mut store = Some(open(&path));
        for step in steps {
            match step {
                Step::Commit { changes, requirement } => {
                    commit(store.as_ref().unwrap(), &mut model, changes, requirement);
                }
                Step::Reopen => {
                    drop(store.take());
                    store = Some(open(&path));
                    compare(store.as_ref().unwrap(), &model);
                }
                Step::Get { table, key } => {
                    let found = store.as_ref().unwrap().get(TABLES[table], &key).unwrap();
                    prop_assert_eq!(found.as_ref(), model.get(&(TABLES[table].to_owned(), key)));
                }
            }
        }
        compare(store.as_ref().unwrap(), &model);
    }
}
