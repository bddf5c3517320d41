//! The claim code: what the first visitor must read off the box's own screen, so that the first on the network does not own it.
//!
//! It lives in memory only and is new at every start, unless the owner decided it before the first one. 60 random bits and five tries a
//! code make guessing hopeless; the code is short enough to be typed from a television.

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Wrong tries until a new code is made.
pub const TRIES: u8 = 5;
/// Symbols in a code, dashes not counted: 12 × 5 bits.
const SYMBOLS: usize = 12;
/// Crockford's base 32: no I, L, O (they look like digits) and no U.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A code and how often it may still be tried.
#[derive(Debug)]
pub struct Claim {
    code: ClaimCode,
    tries_left: u8,
}

/// A code. Its `Debug` shows nothing; [`ClaimCode::shown`] is for the box's own screen.
pub struct ClaimCode([u8; SYMBOLS]);

/// The random generator of the kernel gave nothing.
#[derive(Debug, thiserror::Error)]
#[error("take random bytes from the kernel")]
pub struct RandomError {
    #[source]
    source: getrandom::Error,
}

/// How a try went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is the code.
    Right,
    /// It is not; so many tries are left.
    Wrong {
        /// At least 1.
        tries_left: u8,
    },
    /// It is not, and that was the last try: a new code is to be shown.
    Replaced,
}

impl Claim {
    /// Makes a first code.
    ///
    /// # Errors
    ///
    /// When the kernel gives no random bytes.
    pub fn new() -> Result<Self, RandomError> {
        Ok(Self { code: ClaimCode::random()?, tries_left: TRIES })
    }

    /// Begins with the code that was decided before the first start. After too many wrong tries it gives way to a random one, and comes
    /// back at the next start: whoever guesses gets no more tries than at a random one, and the owner only has to switch off and on.
    #[must_use]
    pub fn preset(code: &model::preset::ClaimCode) -> Self {
        Self { code: ClaimCode(*code.symbols()), tries_left: TRIES }
    }

    /// The code to show.
    #[must_use]
    pub const fn code(&self) -> &ClaimCode {
        &self.code
    }

    /// Compares what somebody typed, and makes a new code when it was wrong too often.
    ///
    /// # Errors
    ///
    /// When a new code is due and the kernel gives no random bytes; the old code then takes no further try.
    pub fn check(&mut self, typed: &str) -> Result<Verdict, RandomError> {
        if self.tries_left > 0 && self.code.matches(typed) {
            return Ok(Verdict::Right);
        }
        self.tries_left = self.tries_left.saturating_sub(1);
        if self.tries_left > 0 {
            return Ok(Verdict::Wrong { tries_left: self.tries_left });
        }
        *self = Self::new()?;
        Ok(Verdict::Replaced)
    }
}

impl ClaimCode {
    fn random() -> Result<Self, RandomError> {
        let mut bytes = [0; SYMBOLS];
        getrandom::fill(&mut bytes).map_err(|source| RandomError { source })?;
        // 256 is a multiple of 32, so every symbol is equally likely.
        Ok(Self(bytes.map(|byte| ALPHABET[usize::from(byte % 32)])))
    }

    /// As people read it: `XXXX-XXXX-XXXX`.
    #[must_use]
    pub fn shown(&self) -> String {
        let groups: Vec<String> =
            self.0.chunks(4).map(|group| group.iter().copied().map(char::from).collect()).collect();
        groups.join("-")
    }

    fn matches(&self, typed: &str) -> bool {
        let typed = Zeroizing::new(normalise(typed));
        typed.len() == SYMBOLS && bool::from(typed.as_slice().ct_eq(&self.0))
    }
}

impl std::fmt::Debug for ClaimCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ClaimCode(…)")
    }
}

/// Upper case without dashes and spaces; letters that Crockford's alphabet leaves out become the digits they look like.
/// Stops one symbol after the length of a code, so that a long text costs nothing.
fn normalise(typed: &str) -> Vec<u8> {
    typed
        .bytes()
        .filter(|byte| !matches!(byte, b'-' | b' '))
        .map(|byte| match byte.to_ascii_uppercase() {
            b'O' => b'0',
            b'I' | b'L' => b'1',
            other => other,
        })
        .take(SYMBOLS + 1)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(code: &[u8; SYMBOLS]) -> Claim {
        Claim { code: ClaimCode(*code), tries_left: TRIES }
    }

    #[test]
    fn a_code_is_shown_in_three_groups_of_the_alphabet_and_never_repeats() {
        let shown = ClaimCode::random().unwrap().shown();
        assert_eq!(shown.len(), 14, "{shown}");
        for (at, c) in shown.bytes().enumerate() {
            assert_eq!(c == b'-', at == 4 || at == 9, "{shown}");
            assert!(c == b'-' || ALPHABET.contains(&c), "{shown}");
        }
        assert_ne!(shown, ClaimCode::random().unwrap().shown());
    }

    #[test]
    fn typing_it_in_another_way_is_right() {
        let mut claim = claim(b"01AB2CDE3FGH");
        for typed in ["01AB-2CDE-3FGH", "01ab2cde3fgh", " oiab 2cde-3fgh ", "OLAB2CDE3FGH"] {
            assert_eq!(claim.check(typed).unwrap(), Verdict::Right, "{typed}");
        }
    }

    #[test]
    fn the_fifth_wrong_try_makes_a_new_code() {
        let mut claim = claim(b"01AB2CDE3FGH");
        for (typed, tries_left) in
            [("", 4), ("01AB-2CDE-3FG", 3), ("01AB-2CDE-3FGHH", 2), ("01AB-2CDE-3FGJ", 1)]
        {
            assert_eq!(claim.check(typed).unwrap(), Verdict::Wrong { tries_left }, "{typed}");
        }
        assert_eq!(claim.check("\u{e9}").unwrap(), Verdict::Replaced);
        assert_ne!(claim.code().shown(), "01AB-2CDE-3FGH");
        assert_eq!(claim.check("01AB-2CDE-3FGH").unwrap(), Verdict::Wrong { tries_left: 4 });
        let shown = claim.code().shown();
        assert_eq!(claim.check(&shown).unwrap(), Verdict::Right);
    }

    #[test]
    fn a_code_that_was_decided_before_is_as_good_as_one_that_was_made() {
        let code = "O1AB-2CDE-3FGH".parse().unwrap();
        let mut claim = Claim::preset(&code);
        assert_eq!(claim.code().shown(), *code.shown());
        assert_eq!(claim.check("01ab2cde3fgh").unwrap(), Verdict::Right);
        for _try in 1..TRIES {
            assert!(matches!(claim.check("").unwrap(), Verdict::Wrong { .. }));
        }
        assert_eq!(claim.check("").unwrap(), Verdict::Replaced);
        assert_ne!(claim.code().shown(), *code.shown());
    }

    #[test]
    fn debug_output_does_not_tell_the_code() {
        let claim = claim(b"01AB2CDE3FGH");
        assert!(!format!("{claim:?}").contains("01AB"));
    }
}
