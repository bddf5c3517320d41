//! Missing chunks only.

use super::DownloadError;
use super::Run;
use super::Seed;
use super::Way;
use crate::archive::Header;
use crate::digest::Sha256;
use crate::name::Name;
use crate::source::MAX_SLOT;
use crate::source::Range;
use fastcdc::v2020::StreamCDC;
use std::collections::HashMap;

/// Asking for a part that is not needed is cheaper than another request, up to so many bytes.
const GAP: u64 = 8 << 10;
/// What is asked for at once: a part that came broken is fetched again as a whole.
const LONGEST: u64 = 4 << 20;

/// Chunks that the output lacks.
struct Missing<'a> {
    header: &'a Header,
    /// Where each chunk is still to be written; a chunk without places is there.
    holes: Vec<Vec<u64>>,
    by_hash: HashMap<Sha256, usize>,
}

/// A stretch of the archive that is fetched at once.
struct Stretch {
    start: u64,
    end: u64,
    /// Where each chunk begins, and which it is.
    chunks: Vec<(u64, usize)>,
}

impl Run<'_> {
    /// Tells [`Way::Full`] when chunks are not worth it; `before` is how long the output was before it got the slot file's length.
    pub(super) fn chunks(
        &mut self,
        header: &Header,
        before: u64,
        seeds: Vec<Seed>,
        broken_seeds: &mut Vec<String>,
    ) -> Result<Way, DownloadError> {
        let mut missing = self.look(header, before)?;
        for seed in seeds {
            if missing.by_hash.is_empty() {
                break;
            }
            let name = seed.name.clone();
            if !self.sow(&mut missing, seed)? {
                broken_seeds.push(name);
            }
        }
        let stretches = missing.stretches();
        if stretches.iter().map(|stretch| stretch.end - stretch.start).sum::<u64>() >= header.length {
            self.output.set_length(0).map_err(DownloadError::Write)?;
            (self.progress.present, self.progress.remade) = (0, 0);
            return Ok(Way::Full);
        }
        let Some((name, _chunks)) = self.release.archive() else { return Ok(Way::Full) };
        for stretch in &stretches {
            self.attempt(|run| run.fetch(&mut missing, &name, stretch))?;
        }
        if self.is_complete()? {
            return Ok(Way::Chunks);
        }
        // Each chunk was hashed before it was written: the disk gave back something else, and nobody knows where.
        self.output.set_length(0).map_err(DownloadError::Write)?;
        Err(DownloadError::WrongBytes { version: self.release.version.to_string() })
    }

    /// What is right in the output already; `before` is how long it was, not counting what was remade.
    fn look<'h>(&mut self, header: &'h Header, before: u64) -> Result<Missing<'h>, DownloadError> {
        let mut missing =
            Missing { header, holes: vec![Vec::new(); header.chunks.len()], by_hash: HashMap::new() };
        let mut present = vec![false; header.chunks.len()];
        let mut content = Vec::new();
        for (at, index, chunk) in header.places() {
            let end = at + u64::from(chunk.length);
            let made = self.made_within(at, end);
            content.resize(usize::try_from(chunk.length).unwrap_or(0), 0);
            let is_there = end <= before || made > 0;
            if is_there {
                self.output.read_at(at, &mut content).map_err(DownloadError::ReadBack)?;
            }
            if is_there && Sha256::of(&content) == chunk.sha256 {
                self.progress.present += u64::from(chunk.length).saturating_sub(made);
                if let Some(there) = present.get_mut(index) {
                    *there = true;
                }
                self.tell()?;
            } else {
                self.progress.remade = self.progress.remade.saturating_sub(made);
                if let Some(holes) = missing.holes.get_mut(index) {
                    holes.push(at);
                }
                missing.by_hash.insert(chunk.sha256, index);
            }
        }
        self.copy_within(&mut missing, &present)?;
        Ok(missing)
    }

    /// Chunks that are there at one place and missing at another.
    fn copy_within(&mut self, missing: &mut Missing<'_>, present: &[bool]) -> Result<(), DownloadError> {
        for (at, index, chunk) in missing.header.places() {
            let Some(holes) = missing.holes.get(index) else { continue };
            if holes.is_empty() || holes.contains(&at) || present.get(index) != Some(&true) {
                continue;
            }
            let mut content = vec![0; usize::try_from(chunk.length).unwrap_or(0)];
            self.output.read_at(at, &mut content).map_err(DownloadError::ReadBack)?;
            if Sha256::of(&content) == chunk.sha256 {
                self.progress.present += self.fill(missing, index, &content)?;
            }
        }
        Ok(())
    }

    /// Takes what a seed has. Tells whether it could be read to its end.
    fn sow(&mut self, missing: &mut Missing<'_>, seed: Seed) -> Result<bool, DownloadError> {
        let [min, average, max] = missing.cut();
        // A seed may be any file, such as a device that never ends.
        let reader = std::io::Read::take(seed.reader, MAX_SLOT);
        for chunk in StreamCDC::new(reader, min, average, max) {
            let Ok(chunk) = chunk else { return Ok(false) };
            if let Some(index) = missing.by_hash.get(&Sha256::of(&chunk.data)).copied() {
                self.progress.seeded += self.fill(missing, index, &chunk.data)?;
            }
            self.tell()?;
            if missing.by_hash.is_empty() {
                break;
            }
        }
        Ok(true)
    }

    /// Fetches a stretch; `None` when a chunk in it is not what it should be.
    fn fetch(
        &mut self,
        missing: &mut Missing<'_>,
        name: &Name,
        stretch: &Stretch,
    ) -> Result<Option<()>, DownloadError> {
        let mut chunks = stretch.chunks.iter();
        let mut next = chunks.next();
        let mut at = stretch.start;
        let mut stored = Vec::new();
        let mut right = true;
        let range = Range { start: stretch.start, length: stretch.end - stretch.start };
        self.requests += 1;
        self.read(name, range, &mut |run, mut bytes| {
            while let (Some((start, index)), false) = (next, bytes.is_empty()) {
                let Some(chunk) = missing.header.chunks.get(*index) else { break };
                let gap = usize::try_from(start.saturating_sub(at)).unwrap_or(usize::MAX).min(bytes.len());
                let room = usize::try_from(chunk.stored).unwrap_or(usize::MAX).saturating_sub(stored.len());
                let (_skipped, rest) = bytes.split_at(gap);
                let (taken, rest) = rest.split_at(room.min(rest.len()));
                stored.extend_from_slice(taken);
                at += u64::try_from(bytes.len() - rest.len()).unwrap_or(0);
                bytes = rest;
                if u64::try_from(stored.len()).unwrap_or(u64::MAX) < u64::from(chunk.stored) {
                    break;
                }
                match chunk.decode(&stored) {
                    Some(content) => run.progress.received += run.fill(missing, *index, &content)?,
                    None => right = false,
                }
                stored.clear();
                next = chunks.next();
            }
            Ok(())
        })?;
        Ok(right.then_some(()))
    }

    /// Writes a chunk wherever it is missing; tells how many bytes that were.
    fn fill(
        &mut self,
        missing: &mut Missing<'_>,
        index: usize,
        content: &[u8],
    ) -> Result<u64, DownloadError> {
        let Some(holes) = missing.holes.get_mut(index) else { return Ok(0) };
        let mut written = 0;
        while let Some(at) = holes.last() {
            self.write(*at, content)?;
            holes.pop();
            written += u64::try_from(content.len()).unwrap_or(0);
        }
        if let Some(chunk) = missing.header.chunks.get(index) {
            missing.by_hash.remove(&chunk.sha256);
        }
        Ok(written)
    }
}

impl Missing<'_> {
    fn cut(&self) -> [usize; 3] {
        let cut = self.header.cut;
        [cut.min, cut.average, cut.max].map(|number| usize::try_from(number).unwrap_or(usize::MAX))
    }

    /// What is to be fetched, with small gaps closed.
    fn stretches(&self) -> Vec<Stretch> {
        let mut stretches: Vec<Stretch> = Vec::new();
        let mut end = self.header.encoded_length();
        for (index, (chunk, holes)) in self.header.chunks.iter().zip(&self.holes).enumerate() {
            let start = end;
            end += u64::from(chunk.stored);
            if holes.is_empty() {
                continue;
            }
            match stretches.last_mut() {
                Some(last) if start - last.end <= GAP && end - last.start <= LONGEST => {
                    last.end = end;
                    last.chunks.push((start, index));
                }
                _ => stretches.push(Stretch { start, end, chunks: vec![(start, index)] }),
            }
        }
        stretches
    }
}
