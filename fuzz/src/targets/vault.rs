//! Documents of keys, and the code that people copy from paper.

use super::ignore;
use super::text;
use crate::Target;
use vault::RecoveryCode;
use vault::SystemDocument;
use vault::SystemKey;
use vault::VaultDocument;

/// Opens the vault in the corpus, so that the fuzzer reaches what lies behind the decoder.
const CODE: &str = "006H-M9SM-8575-PT3N-GA7S-SADP-RF8D-VTQQ-6A8W";

pub(super) const TARGETS: &[Target] = &[
    Target {
        name: "vault-document",
        source: "the disk, and whoever held it",
        longest: 4096,
        run: |bytes| {
            let Ok(document) = VaultDocument::decode(bytes) else { return };
            let again = VaultDocument::decode(&document.encode()).expect("what was written can be read");
            assert_eq!(again, document, "a document is read otherwise");
            ignore(RecoveryCode::parse(CODE).map(|code| document.open(&code)));
        },
    },
    Target {
        name: "system-keys",
        source: "the disk, and whoever held it",
        longest: 4096,
        run: |bytes| {
            let Ok(document) = SystemDocument::decode(bytes) else { return };
            let again = SystemDocument::decode(&document.encode()).expect("what was written can be read");
            assert_eq!(again, document, "a document is read otherwise");
            let system = SystemKey::from_bytes([7; 32].into());
            ignore("hostd".parse().map(|name| document.store_key(&system, &name)));
        },
    },
    Target {
        name: "recovery-code",
        source: "people, from paper",
        longest: 512,
        run: |bytes| {
            let Some(Ok(code)) = text(bytes).map(RecoveryCode::parse) else { return };
            let written = code.to_text();
            let again = RecoveryCode::parse(&written).expect("what was written can be read");
            assert_eq!(*again.to_text(), *written, "a code is read otherwise");
        },
    },
];
