//! A new recovery code on its way to paper: it counts as kept when its end was typed back.

use vault::VaultDocument;
use zeroize::Zeroizing;

/// Letters of the code that are typed back: its last two groups.
const END_LETTERS: usize = 8;

/// A code that was shown and not confirmed.
pub(super) struct Shown {
    end: Zeroizing<String>,
    /// The vault's document with it.
    pub(super) document: VaultDocument,
}

impl std::fmt::Debug for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Shown(…)")
    }
}

impl Shown {
    pub(super) fn new(text: &str, document: VaultDocument) -> Self {
        let letters = plain(text);
        let end = letters.get(letters.len().saturating_sub(END_LETTERS)..).unwrap_or_default();
        Self { end: Zeroizing::new(end.to_owned()), document }
    }

    /// Whether these are its last two groups.
    pub(super) fn ends_with(&self, typed: &str) -> bool {
        *plain(typed) == *self.end
    }

    /// Whether its document is the kept one, or comes right after it.
    pub(super) fn follows(&self, kept: &VaultDocument) -> bool {
        let generation = self.document.generation();
        self.document == *kept || (self.document.user() == kept.user() && generation == kept.generation() + 1)
    }
}

/// What was typed without what does not count, and with what people take for other letters (docs/spec/storage.md, "Recovery code").
fn plain(typed: &str) -> Zeroizing<String> {
    let letters = typed.chars().filter(|letter| !letter.is_whitespace() && *letter != '-').take(64);
    let read = letters.map(|letter| match letter.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    });
    Zeroizing::new(read.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use vault::Password;

    #[test]
    fn the_end_is_typed_as_people_type() {
        let user = "anna".parse().unwrap();
        let (document, _) = VaultDocument::create(user, &Password::new("correct horse")).unwrap();
        let shown = Shown::new("006H-M9SM-8575-PT3N-GA7S-SADP-RF8D-V0Q1-6A8W", document.clone());
        for right in ["V0Q1-6A8W", "voqi 6a8w", " v0ql6A8W\n"] {
            assert!(shown.ends_with(right), "{right}");
        }
        for wrong in ["", "6A8W", "V0Q1-6A8V", "006H-M9SM-8575-PT3N-GA7S-SADP-RF8D-V0Q1-6A8W"] {
            assert!(!shown.ends_with(wrong), "{wrong}");
        }
        assert!(shown.follows(&document) && !format!("{shown:?}").contains("V0Q1"));
    }
}
