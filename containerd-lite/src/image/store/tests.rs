//! Records; the store as a whole is tested in `tests/it`.

use super::*;
use crate::image::store::record::Named;

fn record() -> Record {
    let digest = Digest::of(b"");
    let named = Named { resolved: digest, manifest: digest, config: digest };
    Record::new("redis:7".parse().unwrap(), named, vec![digest], 12)
}

#[test]
fn records_are_read_as_they_were_written() {
    assert_eq!(Record::decode(&record().encode()).unwrap(), record());
}

#[test]
fn records_of_other_versions_are_refused() {
    let text = String::from_utf8(record().encode()).unwrap();
    Record::decode(text.replace("\"version\":1", "\"version\":2").as_bytes()).unwrap_err();
    Record::decode(text.replace("{", "{\"further\":1,").as_bytes()).unwrap_err();
}
