//! Decoders that nobody outside calls, for the fuzzer.

use crate::kit::RecoveryKit;
use crate::manifest;
use crate::sealed;

/// A scanned kit whose checksum is right, whatever it says.
pub fn kit(content: &str) {
    drop(RecoveryKit::parse(&crate::kit::with_checksum(content)));
}

/// The manifest of a snapshot; how many entries it has, when it is whole.
#[must_use]
pub fn manifest(bytes: &[u8]) -> Option<u64> {
    let (mut reader, _household) = manifest::Reader::new(bytes).ok()?;
    let mut entries = 0;
    while reader.entry().ok()?.is_some() {
        entries += 1;
    }
    Some(entries)
}

/// The list of a folder of sealed files, behind its seal.
///
/// # Panics
/// When what was read is written otherwise.
pub fn sealed_list(bytes: &[u8]) {
    let Some(files) = sealed::decode_list(bytes) else { return };
    for file in &files {
        drop(file.real_path());
    }
    assert!(
        sealed::decode_list(&sealed::encode_list(&files)).is_some_and(|again| again == files),
        "a list is read otherwise"
    );
}
