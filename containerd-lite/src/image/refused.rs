//! Why an image is not taken.

use crate::image::digest::Digest;
use crate::image::digest::DigestError;
use serde::Deserialize;
use serde::Serialize;

/// A reason that lies in the image, or in what a registry says of it. Trying again does not help, unless it says so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case", tag = "reason")]
pub enum Refused {
    /// Content that is not what its name says.
    #[error("{what} has the digest {found}, and not {expected}")]
    Digest {
        /// Which content.
        what: String,
        /// The one that was asked for.
        expected: Digest,
        /// The one it has.
        found: Digest,
    },
    /// Content of another length than was announced.
    #[error("{what} is {found} bytes long, and not {expected} as announced")]
    Length {
        /// Which content.
        what: String,
        /// As announced.
        expected: u64,
        /// As it is, or more than this.
        found: u64,
    },
    /// A digest of another kind, or none.
    #[error("{what} is named by a digest that cannot be used: {why}")]
    DigestKind {
        /// Which content.
        what: String,
        /// Why not.
        why: String,
    },
    /// A manifest or configuration that is too long.
    #[error("the {what} is longer than {limit} bytes")]
    DocumentSize {
        /// Which document.
        what: String,
        /// The limit.
        limit: u64,
    },
    /// A manifest or configuration that cannot be understood.
    #[error("the {what} cannot be understood: {why}")]
    Document {
        /// Which document.
        what: String,
        /// Why not.
        why: String,
    },
    /// A manifest of Docker's first kind, whose content has no digest.
    #[error(
        "the image is in Docker's old format (schema 1), which cannot be verified; it has to be built anew"
    )]
    Schema1,
    /// A manifest of a kind that is no image.
    #[error("{kind} is no kind of image that is known")]
    MediaType {
        /// The kind.
        kind: String,
    },
    /// No program for this board.
    #[error("the image is made for {found}, and this box needs {wanted}")]
    Platform {
        /// What this board is.
        wanted: String,
        /// What there is.
        found: String,
    },
    /// Too many layers.
    #[error("the image has {found} layers, and {limit} are allowed")]
    Layers {
        /// How many.
        found: usize,
        /// How many are allowed.
        limit: usize,
    },
    /// Layers in the manifest that are not those of the configuration.
    #[error("the manifest has {manifest} layers and the configuration {config}")]
    LayerCount {
        /// In the manifest.
        manifest: usize,
        /// In the configuration.
        config: usize,
    },
    /// Too large an image.
    #[error("the image has {found} bytes to fetch, and {limit} are allowed")]
    ImageSize {
        /// How many.
        found: u64,
        /// How many are allowed.
        limit: u64,
    },
    /// A layer that unpacks to too much.
    #[error("a layer unpacks to more than {limit} bytes")]
    LayerSize {
        /// The limit.
        limit: u64,
    },
    /// A layer that unpacks to far more than its length.
    #[error(
        "a layer unpacks to more than {limit} bytes, far more than {compressed} compressed bytes hold (a decompression bomb)"
    )]
    Bomb {
        /// What its length allows.
        limit: u64,
        /// Its length.
        compressed: u64,
    },
    /// A layer with too many files.
    #[error("a layer has more than {limit} files")]
    Entries {
        /// The limit.
        limit: u64,
    },
    /// A layer for which there is no room.
    #[error("there is no room on the disk: {free} bytes are free, of which {reserve} stay free")]
    NoRoom {
        /// What is free.
        free: u64,
        /// What stays free.
        reserve: u64,
    },
    /// A compressed stream that ends too early.
    #[error("a layer ends in the middle ({what})")]
    Truncated {
        /// Where.
        what: String,
    },
    /// A compressed stream that is damaged.
    #[error("a layer cannot be decompressed: {why}")]
    Compression {
        /// What the decoder says.
        why: String,
    },
    /// An archive that is damaged.
    #[error("the archive is damaged: {why}")]
    Archive {
        /// What is wrong.
        why: String,
    },
    /// A path that begins at the root, or climbs.
    #[error("the path {path} leads out of the image")]
    Escape {
        /// The path.
        path: String,
    },
    /// A path through a symbolic link.
    #[error("the path {path} goes through a symbolic link")]
    ThroughSymlink {
        /// The path.
        path: String,
    },
    /// A path through something that is no folder.
    #[error("the path {path} goes through something that is no folder")]
    ThroughFile {
        /// The path.
        path: String,
    },
    /// A path that is too long or too deep, or holds a zero byte.
    #[error("the path {path} is too long, too deep, or no path")]
    Path {
        /// Its beginning.
        path: String,
    },
    /// A hard link to what is not in the layer.
    #[error("the hard link {path} leads out of the layer or to nothing in it ({target})")]
    HardLink {
        /// The link.
        path: String,
        /// Where it leads.
        target: String,
    },
    /// A device node.
    #[error("{path} is a device node")]
    Device {
        /// Its path.
        path: String,
    },
    /// A whiteout that reaches out of its folder, or is no plain file.
    #[error("the whiteout {path} hides something outside of its folder")]
    Whiteout {
        /// Its path.
        path: String,
    },
    /// An attribute that overlayfs or the kernel would obey.
    #[error("{path} has the attribute {name}, which an image may not set")]
    Attribute {
        /// The file.
        path: String,
        /// The attribute.
        name: String,
    },
    /// An owner that no app can have.
    #[error("{path} belongs to the user or group {id}, and an app has 0 to 65535")]
    Owner {
        /// Its path.
        path: String,
        /// The user or group.
        id: u64,
    },
    /// An entry of a kind that is unknown, or of a length that no such entry has.
    #[error("{path} is of a kind that is not known ({kind})")]
    Kind {
        /// Its path.
        path: String,
        /// The type flag.
        kind: String,
    },
    /// A layer that has to be fetched from elsewhere, or is encrypted.
    #[error("a layer is of the kind {kind}, which cannot be used")]
    LayerKind {
        /// Its media type.
        kind: String,
    },
    /// An archive with several images, or with none of the wanted name.
    #[error("the file has no single image of that name; it has: {found}")]
    NoSuchImage {
        /// What it has.
        found: String,
    },
    /// A file that is none of the known formats.
    #[error("the file is neither an OCI layout nor an archive of `docker save`")]
    Format,
    /// The unpacking program broke off, or answered nonsense: its input is at fault.
    #[error("the layer could not be unpacked: the unpacking program {how}")]
    Broke {
        /// How it ended.
        how: String,
    },
}

impl Refused {
    pub(crate) fn digest_kind(what: &str, why: DigestError) -> Self {
        Self::DigestKind { what: what.to_owned(), why: why.to_string() }
    }

    pub(crate) fn document(what: &str, why: &dyn std::fmt::Display) -> Self {
        // What a parser says may quote its input.
        Self::Document { what: what.to_owned(), why: clip(&why.to_string()) }
    }

    pub(crate) fn archive(why: &str) -> Self {
        Self::Archive { why: why.to_owned() }
    }
}

/// Text from outside as it may stand in a message: its beginning, without control characters.
#[must_use]
pub fn clip(text: &str) -> String {
    let mut clipped: String = text
        .chars()
        .take(200)
        .map(|character| if character.is_control() { '\u{fffd}' } else { character })
        .collect();
    if text.chars().nth(200).is_some() {
        clipped.push('…');
    }
    clipped
}

/// Bytes from outside as they may stand in a message.
#[must_use]
pub fn clip_bytes(bytes: &[u8]) -> String {
    clip(&String::from_utf8_lossy(&bytes[..bytes.len().min(4096)]))
}
