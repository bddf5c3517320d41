//! What services print: lines from pipes into one bounded ring in memory.

use std::collections::VecDeque;
use std::time::Duration;

/// Bytes of text that the ring keeps.
const CAPACITY: usize = 512 * 1024;
/// What a line costs beyond its text, so that empty lines cannot fill the memory.
const LINE_COST: usize = 64;
/// Longest line; what is longer becomes several.
const LONGEST_LINE: usize = 4096;

/// The newest lines of all services.
#[derive(Debug, Default)]
pub struct Ring {
    lines: VecDeque<Line>,
    size: usize,
}

#[derive(Debug)]
struct Line {
    uptime: Duration,
    unit: &'static str,
    text: String,
}

/// Bytes of one pipe that are no full line yet.
#[derive(Debug, Default)]
pub struct Assembler {
    pending: Vec<u8>,
}

impl Ring {
    /// Adds a line and forgets the oldest ones that no longer fit.
    pub fn push(&mut self, uptime: Duration, unit: &'static str, text: String) {
        self.size += text.len() + LINE_COST;
        self.lines.push_back(Line { uptime, unit, text });
        while self.size > CAPACITY {
            let Some(oldest) = self.lines.pop_front() else { break };
            self.size -= oldest.text.len() + LINE_COST;
        }
    }

    /// The newest lines of one or all units, oldest first, of at most `bytes` in all.
    #[must_use]
    pub fn newest(&self, unit: Option<&str>, count: usize, bytes: usize) -> Vec<String> {
        let mut left = bytes;
        let mut found: Vec<String> = self
            .lines
            .iter()
            .rev()
            .filter(|line| unit.is_none_or(|unit| unit == line.unit))
            .take(count)
            .map(|line| format!("{:.3} {}: {}", line.uptime.as_secs_f64(), line.unit, line.text))
            .take_while(|line| {
                let fits = line.len() <= left;
                left = left.saturating_sub(line.len());
                fits
            })
            .collect();
        found.reverse();
        found
    }
}

impl Assembler {
    /// Takes bytes from the pipe and gives the lines that are complete now.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for &byte in bytes {
            if byte == b'\n' {
                lines.extend(self.finish());
                continue;
            }
            self.pending.push(byte);
            if self.pending.len() == LONGEST_LINE {
                lines.extend(self.finish());
            }
        }
        lines
    }

    /// What is left when the pipe ends.
    pub fn finish(&mut self) -> Option<String> {
        let line = String::from_utf8_lossy(&self.pending).trim_end().to_owned();
        self.pending.clear();
        (!line.is_empty()).then_some(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_put_together_across_reads() {
        let mut assembler = Assembler::default();
        assert!(assembler.push(b"hel").is_empty());
        assert_eq!(assembler.push(b"lo\r\n\nworld\nrest"), ["hello", "world"]);
        assert_eq!(assembler.finish().as_deref(), Some("rest"));
        assert_eq!(assembler.finish(), None);
    }

    #[test]
    fn a_line_without_end_is_cut() {
        let mut assembler = Assembler::default();
        let lines = assembler.push(&vec![b'x'; 3 * LONGEST_LINE + 1]);
        assert_eq!(lines.iter().map(String::len).collect::<Vec<_>>(), [LONGEST_LINE; 3]);
        assert_eq!(assembler.pending.len(), 1);
    }

    #[test]
    fn the_ring_keeps_the_newest_and_stays_bounded() {
        let mut ring = Ring::default();
        for number in 0..100_000 {
            ring.push(Duration::from_millis(number), "netd", format!("line {number}"));
        }
        assert!(ring.size <= CAPACITY);
        let newest = ring.newest(Some("netd"), 2, usize::MAX);
        assert_eq!(newest, ["99.998 netd: line 99998", "99.999 netd: line 99999"]);
        assert!(ring.newest(Some("hostd"), 2, usize::MAX).is_empty());
        assert_eq!(ring.newest(None, 10, 30).len(), 1);
        for _ in 0..100_000 {
            ring.push(Duration::ZERO, "hostd", String::new());
        }
        assert!(ring.lines.len() <= CAPACITY / LINE_COST);
    }
}
