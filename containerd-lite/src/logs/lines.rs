//! From bytes to lines. Pure.

use model::containers::MAX_LOG_LINE;

/// Cuts what a program prints into lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Splitter {
    begun: Vec<u8>,
    /// The line was too long and is given out already: the rest of it is left out.
    is_cut: bool,
}

impl Splitter {
    /// Takes the next bytes; each line that they end, or that has become too long.
    pub fn push(&mut self, bytes: &[u8], mut line: impl FnMut(String)) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, is_end) = piece.strip_suffix(b"\n").map_or((piece, false), |text| (text, true));
            if !self.is_cut {
                let room = MAX_LOG_LINE.saturating_sub(self.begun.len());
                self.begun.extend(text.iter().take(room));
                // An end may still come.
                if text.len() > room {
                    line(self.take());
                    self.is_cut = true;
                }
            }
            if is_end {
                if !self.is_cut {
                    line(self.take());
                }
                self.is_cut = false;
            }
        }
    }

    /// The last line, when it had no end.
    pub fn finish(&mut self) -> Option<String> {
        self.is_cut = false;
        (!self.begun.is_empty()).then(|| self.take())
    }

    fn take(&mut self) -> String {
        let bytes = std::mem::take(&mut self.begun);
        let mut text = String::from_utf8_lossy(bytes.strip_suffix(b"\r").unwrap_or(&bytes)).into_owned();
        // What was replaced is longer than what it replaces.
        text.truncate(text.floor_char_boundary(MAX_LOG_LINE));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines(pieces: &[&[u8]]) -> Vec<String> {
        let mut splitter = Splitter::default();
        let mut lines = Vec::new();
        for piece in pieces {
            splitter.push(piece, |line| lines.push(line));
        }
        lines.extend(splitter.finish());
        lines
    }

    #[test]
    fn lines_end_where_they_end() {
        assert_eq!(lines(&[b"one\ntw", b"o\r\n\nthree"]), ["one", "two", "", "three"]);
        assert_eq!(lines(&[b""]), [""; 0]);
        assert_eq!(lines(&[b"caf\xc3", b"\xa9 \xff\n"]), ["caf\u{e9} \u{fffd}"]);
    }

    #[test]
    fn a_long_line_is_cut_and_its_rest_left_out() {
        let long = vec![b'x'; MAX_LOG_LINE];
        let cut = "x".repeat(MAX_LOG_LINE);
        assert_eq!(lines(&[&long, b"\nnext\n"]), [&cut, "next"]);
        assert_eq!(lines(&[&long, b"y", &long, &long, b"\nnext\n"]), [&cut, "next"]);
        assert_eq!(lines(&[&long, b"y"]), [&*cut]);
        let odd = vec![0xff; 2 * MAX_LOG_LINE];
        assert!(lines(&[&odd]).iter().all(|line| line.len() <= MAX_LOG_LINE));
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(
            bytes in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), any::<u8>()], 0..300),
            size in 1_usize..40,
        ) {
            let pieces: Vec<&[u8]> = bytes.chunks(size).collect();
            prop_assert_eq!(lines(&pieces), lines(&[&bytes]));
        }
    }
}
