//! The block map: which blocks of an image have to be written, with their checksums.
//!
//! The format is that of bmaptool, version 2.0 (its manual page, "The bmap file format"), so that its users can use it too: XML with
//! ranges of blocks, a SHA-256 of each, and one of the file itself, computed with zeros in its own place.

use crate::digest::Digest;
use roxmltree::Document;
use roxmltree::Node;
use roxmltree::ParsingOptions;

/// Longest map that is read, in bytes.
pub const MAX_BYTES: usize = 4 << 20;
/// Most ranges that are read.
const MAX_RANGES: usize = 1 << 15;
/// Bytes of a block in maps that are made here.
pub const BLOCK: u64 = 4096;

/// A map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockMap {
    image_size: u64,
    block_size: u64,
    ranges: Vec<Range>,
}

/// Blocks that have to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The first block.
    pub first: u64,
    /// The last block.
    pub last: u64,
    /// SHA-256 of their bytes; the last block of an image may be a part of one.
    pub digest: Digest,
}

/// A part of an image, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Where it begins.
    pub start: u64,
    /// Where it ends; the first byte behind it.
    pub end: u64,
    /// SHA-256 of its bytes.
    pub digest: Digest,
}

/// Why a file is no map.
#[derive(Debug, thiserror::Error)]
pub enum MapError {
    /// More than [`MAX_BYTES`].
    #[error("a block map has at most {MAX_BYTES} bytes")]
    TooLong,
    /// No XML.
    #[error("read the XML of the block map")]
    Xml {
        /// What is wrong with it.
        #[source]
        source: Box<roxmltree::Error>,
    },
    /// Something is not there, or not what it must be.
    #[error("the block map has no usable {0}")]
    Element(&'static str),
    /// A version or a checksum that is not known.
    #[error("the block map has the {what} {found:?}, and only {known} is known")]
    Unknown {
        /// What.
        what: &'static str,
        /// As written.
        found: String,
        /// What can be read.
        known: &'static str,
    },
    /// It was changed or cut short.
    #[error("the block map is damaged: its checksum is another")]
    Damaged,
    /// Blocks are out of order, beyond the image, or other in number than it says.
    #[error("the block map contradicts itself: {0}")]
    Contradiction(&'static str),
}

impl BlockMap {
    /// A map of these ranges.
    ///
    /// # Errors
    /// When they are out of order or beyond the image.
    pub fn new(image_size: u64, block_size: u64, ranges: Vec<Range>) -> Result<Self, MapError> {
        if !block_size.is_power_of_two() || !(512..=1 << 20).contains(&block_size) {
            return Err(MapError::Element("BlockSize"));
        }
        let blocks = image_size.div_ceil(block_size);
        let mut next = 0;
        for range in &ranges {
            if range.first < next || range.last < range.first {
                return Err(MapError::Contradiction("blocks are out of order"));
            }
            if range.last >= blocks {
                return Err(MapError::Contradiction("there are blocks behind the image's end"));
            }
            next = range.last + 1;
        }
        Ok(Self { image_size, block_size, ranges })
    }

    /// Bytes of the whole image.
    #[must_use]
    pub const fn image_size(&self) -> u64 {
        self.image_size
    }

    /// What has to be written, in order.
    pub fn extents(&self) -> impl Iterator<Item = Extent> {
        self.ranges.iter().map(|range| Extent {
            start: range.first.saturating_mul(self.block_size),
            end: range.last.saturating_add(1).saturating_mul(self.block_size).min(self.image_size),
            digest: range.digest,
        })
    }

    /// Blocks that have to be written.
    fn mapped(&self) -> u64 {
        self.ranges.iter().map(|range| range.last - range.first + 1).sum()
    }

    /// The file's content.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut ranges = String::new();
        for Range { first, last, digest } in &self.ranges {
            let blocks = if first == last { first.to_string() } else { format!("{first}-{last}") };
            ranges.push_str(&format!("        <Range chksum=\"{digest}\"> {blocks} </Range>\n"));
        }
        let text = |checksum: &str| {
            format!(
                "<?xml version=\"1.0\" ?>\n<bmap version=\"2.0\">\n    <ImageSize> {} </ImageSize>\n    <BlockSize> {} </BlockSize>\n    \
                 <BlocksCount> {} </BlocksCount>\n    <MappedBlocksCount> {} </MappedBlocksCount>\n    \
                 <ChecksumType> sha256 </ChecksumType>\n    <BmapFileChecksum> {checksum} </BmapFileChecksum>\n    \
                 <BlockMap>\n{ranges}    </BlockMap>\n</bmap>\n",
                self.image_size,
                self.block_size,
                self.image_size.div_ceil(self.block_size),
                self.mapped(),
            )
        };
        text(&Digest::of(text(&"0".repeat(64)).as_bytes()).to_string())
    }

    /// Understands a file.
    ///
    /// # Errors
    /// When it is no map, of another version, damaged, or contradicts itself.
    pub fn parse(text: &str) -> Result<Self, MapError> {
        if text.len() > MAX_BYTES {
            return Err(MapError::TooLong);
        }
        // An element, an attribute and a text for each range, and the rest.
        let nodes_limit = u32::try_from(MAX_RANGES * 4).unwrap_or(u32::MAX);
        let options = ParsingOptions { allow_dtd: false, nodes_limit, ..ParsingOptions::default() };
        let document = Document::parse_with_options(text, options)
            .map_err(|source| MapError::Xml { source: Box::new(source) })?;
        let root = document.root_element();
        let version = root.attribute("version").ok_or(MapError::Element("version"))?;
        if root.tag_name().name() != "bmap" || version != "2.0" {
            return Err(MapError::Unknown { what: "version", found: version.to_owned(), known: "2.0" });
        }
        let checksum = value(root, "ChecksumType")?;
        if checksum != "sha256" {
            return Err(MapError::Unknown { what: "checksum", found: checksum.to_owned(), known: "sha256" });
        }
        check_itself(text, value(root, "BmapFileChecksum")?)?;
        let list = child(root, "BlockMap")?.children().filter(|node| node.has_tag_name("Range"));
        let ranges = list.take(MAX_RANGES).map(range).collect::<Result<Vec<_>, _>>()?;
        let map = Self::new(number(root, "ImageSize")?, number(root, "BlockSize")?, ranges)?;
        if number(root, "BlocksCount")? != map.image_size.div_ceil(map.block_size) {
            return Err(MapError::Contradiction("the number of blocks is not that of the image"));
        }
        if number(root, "MappedBlocksCount")? != map.mapped() {
            return Err(MapError::Contradiction("the number of mapped blocks is not that of the ranges"));
        }
        Ok(map)
    }
}

fn child<'a>(node: Node<'a, 'a>, name: &'static str) -> Result<Node<'a, 'a>, MapError> {
    node.children().find(|child| child.has_tag_name(name)).ok_or(MapError::Element(name))
}

fn value<'a>(node: Node<'a, 'a>, name: &'static str) -> Result<&'a str, MapError> {
    child(node, name)?.text().map(str::trim).ok_or(MapError::Element(name))
}

fn number(node: Node<'_, '_>, name: &'static str) -> Result<u64, MapError> {
    let number = value(node, name)?.parse().ok();
    // Beyond any disk, and so that no sum of bytes overflows.
    number.filter(|number| *number <= u64::MAX >> 8).ok_or(MapError::Element(name))
}

fn range(node: Node<'_, '_>) -> Result<Range, MapError> {
    let bad = || MapError::Element("Range");
    let digest = node.attribute("chksum").ok_or_else(bad)?.parse().map_err(|_digits| bad())?;
    let text = node.text().unwrap_or_default().trim();
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let block = |text: &str| text.trim().parse::<u64>().ok().filter(|block| *block <= u64::MAX >> 8);
    Ok(Range { first: block(first).ok_or_else(bad)?, last: block(last).ok_or_else(bad)?, digest })
}

fn check_itself(text: &str, checksum: &str) -> Result<(), MapError> {
    let said: Digest = checksum.parse().map_err(|_digits| MapError::Element("BmapFileChecksum"))?;
    let (before, after) = text.split_once(checksum).ok_or(MapError::Damaged)?;
    let zeroed = format!("{before}{}{after}", "0".repeat(checksum.len()));
    if Digest::of(zeroed.as_bytes()) == said { Ok(()) } else { Err(MapError::Damaged) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(first: u64, last: u64) -> Range {
        Range { first, last, digest: Digest::of(&first.to_le_bytes()) }
    }

    fn map() -> BlockMap {
        BlockMap::new(10 * 4096 + 5, 4096, vec![range(0, 3), range(5, 5), range(9, 10)]).unwrap()
    }

    #[test]
    fn a_map_is_read_as_it_was_written() {
        let text = map().encode();
        assert_eq!(BlockMap::parse(&text).unwrap(), map());
        assert!(text.contains("> 5 </Range>") && text.contains("> 0-3 </Range>"), "{text}");
        let ends: Vec<_> = map().extents().map(|extent| (extent.start, extent.end)).collect();
        assert_eq!(ends, [(0, 4 * 4096), (5 * 4096, 6 * 4096), (9 * 4096, 10 * 4096 + 5)]);
    }

    /// As bmaptool writes it: a comment before, other white space.
    #[test]
    fn a_map_of_bmaptool_is_read() {
        let zeros = "0".repeat(64);
        let text = |checksum: &str| {
            let text = map().encode().replacen("?>", "?>\n<!-- about the format -->\n\n", 1);
            let own = text.split("BmapFileChecksum> ").nth(1).unwrap()[..64].to_owned();
            text.replace(&own, checksum).replace("<Range", "\t<Range")
        };
        let checksum = Digest::of(text(&zeros).as_bytes()).to_string();
        assert_eq!(BlockMap::parse(&text(&checksum)).unwrap(), map());
    }

    #[test]
    fn every_changed_byte_is_found() {
        let text = map().encode();
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 1;
            let Ok(changed) = String::from_utf8(bytes) else { continue };
            let read = BlockMap::parse(&changed);
            assert!(read.is_err(), "byte {at} is not missed");
        }
        for length in 0..text.len() {
            let read = BlockMap::parse(&text[..length]);
            assert!(read.is_err() || text[length..].trim().is_empty(), "{length}");
        }
    }

    #[test]
    fn contradictions_are_refused() {
        for ranges in [
            vec![range(1, 2), range(2, 3)],
            vec![range(3, 2)],
            vec![range(0, 11)],
            vec![range(5, 5), range(1, 1)],
        ] {
            let made = BlockMap::new(10 * 4096 + 5, 4096, ranges.clone());
            assert!(matches!(made, Err(MapError::Contradiction(_))), "{ranges:?}");
        }
        let sealed = |from: &str, to: &str| {
            let text = map().encode();
            let own = text.split("BmapFileChecksum> ").nth(1).unwrap()[..64].to_owned();
            let zeroed = text.replace(&own, &"0".repeat(64)).replace(from, to);
            let digest = Digest::of(zeroed.as_bytes()).to_string();
            BlockMap::parse(&zeroed.replace(&"0".repeat(64), &digest)).unwrap_err().to_string()
        };
        assert!(sealed("version=\"2.0\"", "version=\"1.4\"").contains("only 2.0"));
        assert!(sealed("> sha256 <", "> sha1 <").contains("only sha256"));
        assert!(sealed("<BlocksCount> 11", "<BlocksCount> 12").contains("number of blocks"));
        assert!(sealed("Count> 7 <", "Count> 8 <").contains("mapped"));
        assert!(sealed("<BlockSize> 4096", "<BlockSize> 4095").contains("BlockSize"));
        assert!(sealed("> 5 </Range>", "> 18446744073709551615 </Range>").contains("Range"));
    }

    proptest::proptest! {
        #[test]
        fn arbitrary_text_never_panics(text in "\\PC{0,300}") {
            drop(BlockMap::parse(&text));
        }
    }
}
