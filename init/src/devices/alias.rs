//! `modules.alias`: from a device's modalias to module names.
//!
//! A modalias starts with its bus (`pci:v00008086d…`), and so do nearly all patterns. The index keeps the patterns by
//! that prefix, so that a device is compared with those of its own bus only.

use std::collections::HashMap;

/// The patterns of `modules.alias`, by bus.
#[derive(Debug, Default)]
pub struct Index {
    by_bus: HashMap<String, Vec<Alias>>,
}

#[derive(Debug)]
struct Alias {
    pattern: String,
    module: String,
}

impl Index {
    /// Reads depmod's text format: `alias <pattern> <module>`; other lines are comments.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut index = Self::default();
        for line in text.lines() {
            let mut words = line.split_ascii_whitespace();
            let (Some("alias"), Some(pattern), Some(module)) = (words.next(), words.next(), words.next())
            else {
                continue;
            };
            let alias = Alias { pattern: pattern.to_owned(), module: module.to_owned() };
            index.by_bus.entry(bus(pattern).to_owned()).or_default().push(alias);
        }
        index
    }

    /// Modules whose pattern matches, in the file's order, each once.
    #[must_use]
    pub fn modules(&self, modalias: &str) -> Vec<&str> {
        let mut found = Vec::new();
        // The empty bus holds the patterns whose prefix is itself a pattern, and names such as "crc32c".
        for key in [bus(modalias), ""] {
            for alias in self.by_bus.get(key).into_iter().flatten() {
                let module = alias.module.as_str();
                if !found.contains(&module) && matches(&alias.pattern, modalias) {
                    found.push(module);
                }
            }
            if key.is_empty() {
                break;
            }
        }
        found
    }
}

/// The text before the first colon, when it has no pattern character.
fn bus(text: &str) -> &str {
    match text.split_once(':') {
        Some((bus, _)) if !bus.contains(['*', '?', '[']) => bus,
        _ => "",
    }
}

/// Whether the whole text matches a pattern of `*`, `?` and `[…]`, as fnmatch(3) without flags has them.
///
/// Time is bounded by the product of the lengths: only the last star is ever tried again.
#[must_use]
pub fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    let mut last_star: Option<(usize, usize)> = None;
    while let Some(&character) = text.get(t) {
        if pattern.get(p) == Some(&b'*') {
            last_star = Some((p, t));
            p += 1;
        } else if let Some(length) = match_one(pattern.get(p..).unwrap_or_default(), character) {
            p += length;
            t += 1;
        } else if let Some((star, from)) = last_star {
            p = star + 1;
            t = from + 1;
            last_star = Some((star, t));
        } else {
            return false;
        }
    }
    pattern.get(p..).unwrap_or_default().iter().all(|&c| c == b'*')
}

/// Length of the pattern element that matches one character, if it does.
fn match_one(pattern: &[u8], character: u8) -> Option<usize> {
    match pattern.first()? {
        b'?' => Some(1),
        b'[' => match_set(pattern, character),
        literal => (*literal == character).then_some(1),
    }
}

/// A `[…]` element: single characters and ranges, negated by a leading `!` or `^`.
fn match_set(pattern: &[u8], character: u8) -> Option<usize> {
    // A closing bracket right after the opening one stands for itself, hence the search from index 2.
    let close = pattern.iter().skip(2).position(|&c| c == b']')? + 2;
    let mut members = pattern.get(1..close)?;
    let negated = matches!(members.first(), Some(b'!' | b'^'));
    if negated {
        members = members.get(1..)?;
    }
    let mut inside = false;
    while let Some((&first, rest)) = members.split_first() {
        if let [b'-', last, after @ ..] = rest {
            inside |= (first..=*last).contains(&character);
            members = after;
        } else {
            inside |= first == character;
            members = rest;
        }
    }
    (inside != negated).then_some(close + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn patterns_of_the_kernel_match_what_they_should() {
        let nic = "pci:v00001AF4d00001000sv00001AF4sd00000001bc02sc00i00";
        for (pattern, text, expected) in [
            ("pci:v00001AF4d*sv*sd*bc*sc*i*", nic, true),
            ("pci:v00008086d*sv*sd*bc*sc*i*", nic, false),
            ("pci:v*d*sv*sd*bc01sc06i01*", nic, false),
            ("virtio:d00000002v*", "virtio:d00000002v00001AF4", true),
            ("acpi*:PNP0C0C:*", "acpi:PNP0C0C:", true),
            ("acpi*:PNP0C0C:*", "acpi:LNXPWRBN:PNP0C0D:", false),
            (
                "usb:v*p*d*dc*dsc*dp*ic08isc06ip50in*",
                "usb:v0951p1666d0110dc00dsc00dp00ic08isc06ip50in00",
                true,
            ),
            ("crc32c", "crc32c", true),
            ("crc32c", "crc32", false),
            ("usb:v1B1Cp1B[0-3]*", "usb:v1B1Cp1B2A", true),
            ("usb:v1B1Cp1B[0-3]*", "usb:v1B1Cp1B7A", false),
            ("a[!x-z]c", "abc", true),
            ("a[!x-z]c", "ayc", false),
            ("a[]]c", "a]c", true),
            ("a[", "a[", false),
            ("*", "", true),
            ("?", "", false),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn many_stars_take_no_exponential_time() {
        let pattern = "*a".repeat(50);
        let text = "a".repeat(2000) + "b";
        assert!(!matches(&pattern, &text));
    }

    #[test]
    fn the_index_finds_every_module_once_and_in_order() {
        let index = Index::parse(
            "# comment\nalias virtio:d00000002v* virtio_blk\nalias virtio:d0000000[12]v* other\n\
             alias virtio:d*v* virtio_blk\nalias acpi*:PNP0C0C:* button\nalias crc32c crc32c_generic\nalias broken\n",
        );
        assert_eq!(index.modules("virtio:d00000002v00001AF4"), ["virtio_blk", "other"]);
        assert_eq!(index.modules("acpi:PNP0C0C:"), ["button"]);
        assert_eq!(index.modules("crc32c"), ["crc32c_generic"]);
        assert!(index.modules("pci:v00001AF4d").is_empty());
    }

    /// The definition, without any thought for speed.
    fn naive(pattern: &[u8], text: &[u8]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some((b'*', rest)) => (0..=text.len()).any(|skip| naive(rest, &text[skip..])),
            Some((b'?', rest)) => !text.is_empty() && naive(rest, &text[1..]),
            Some((c, rest)) => text.first() == Some(c) && naive(rest, &text[1..]),
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_definition(pattern in "[ab*?]{0,8}", text in "[ab]{0,8}") {
            prop_assert_eq!(matches(&pattern, &text), naive(pattern.as_bytes(), text.as_bytes()));
        }

        #[test]
        fn no_pattern_panics(pattern in "\\PC{0,12}", text in "\\PC{0,12}") {
            let _either = matches(&pattern, &text);
        }
    }
}
