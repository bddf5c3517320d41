//! One sealed file, written and read piece by piece.

use super::folder::UnsealError;
use super::key::ArchiveKey;
use super::list::SealedFile;
use chacha20poly1305::XChaCha20Poly1305;
use chacha20poly1305::aead::stream::DecryptorBE32;
use chacha20poly1305::aead::stream::EncryptorBE32;
use hmac::Mac;
use sha2::Digest;
use sha2::Sha256;
use std::io;
use std::io::Read;
use std::io::Write;

/// What every sealed file begins with.
const KIND: [u8; 8] = *b"hearthF\x01";
const TAG: usize = 32;
const HEADER: usize = KIND.len() + TAG;
/// Plain bytes of a piece: little memory, and 16 bytes more are little beside them.
const PIECE: usize = 64 * 1024;
const PIECE_TAG: usize = 16;
/// Each key seals one content, so that nothing has to be random here (19 of the 24 bytes; the counter of pieces is the rest).
const NONCE: [u8; 19] = [0; 19];

/// What a sealed file is of; it does not open as anything else.
#[derive(Clone)]
pub(super) struct Identity(Vec<u8>);

pub(super) type Digest32 = [u8; 32];

impl Identity {
    pub(super) fn list() -> Self {
        Self(b"list".to_vec())
    }

    pub(super) fn of(file: &SealedFile) -> Self {
        let (seconds, nanoseconds) = file.modified;
        let mut bytes = b"file".to_vec();
        bytes.extend_from_slice(&file.bytes.to_le_bytes());
        bytes.extend_from_slice(&seconds.to_le_bytes());
        bytes.extend_from_slice(&nanoseconds.to_le_bytes());
        bytes.extend_from_slice(file.path.as_bytes());
        Self(bytes)
    }

    fn mac(&self, key: &ArchiveKey, content: &Digest32) -> hmac::Hmac<Sha256> {
        key.mac("hearth sealed file: content, 1", &[&self.0, content])
    }

    pub(super) fn tag(&self, key: &ArchiveKey, content: &Digest32) -> [u8; TAG] {
        self.mac(key, content).finalize().into_bytes().into()
    }
}

/// How long a file is once it is sealed.
pub(super) const fn sealed_length(plain: u64) -> u64 {
    let pieces = if plain == 0 { 1 } else { plain.div_ceil(PIECE as u64) };
    HEADER as u64 + plain + PIECE_TAG as u64 * pieces
}

/// The way back; nothing for a length that no sealed file has.
pub(super) fn plain_length(sealed: u64) -> Option<u64> {
    let body = sealed.checked_sub(HEADER as u64)?;
    let pieces = body.div_ceil((PIECE + PIECE_TAG) as u64).max(1);
    body.checked_sub(pieces * PIECE_TAG as u64).filter(|plain| sealed_length(*plain) == sealed)
}

fn cipher_key(key: &ArchiveKey, tag: &[u8; TAG]) -> zeroize::Zeroizing<[u8; 32]> {
    key.derive("hearth sealed file: key, 1", &[tag])
}

/// SHA-256 of exactly `length` bytes; fewer or more are an error, and so is being told to stop.
pub(super) fn digest(mut input: impl Read, length: u64, go_on: impl Fn() -> bool) -> io::Result<Digest32> {
    let (mut hash, mut left, mut buffer) = (Sha256::new(), length, vec![0; PIECE]);
    loop {
        if !go_on() {
            return Err(io::Error::other("the task was cancelled"));
        }
        let read = input.read(&mut buffer)?;
        if read == 0 {
            return if left == 0 { Ok(hash.finalize().into()) } else { Err(changed()) };
        }
        left = left.checked_sub(read as u64).ok_or_else(changed)?;
        hash.update(&buffer[..read]);
    }
}

fn is_short(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::UnexpectedEof
}

fn changed() -> io::Error {
    io::Error::other("the file was changed while it was read")
}

/// Reads a file sealed. Its last piece comes only when the content was the one that the tag is of.
pub(super) struct Sealing<R> {
    input: R,
    cipher: Option<EncryptorBE32<XChaCha20Poly1305>>,
    left: u64,
    hash: Sha256,
    content: Digest32,
    ready: Vec<u8>,
    given: usize,
    /// What is in `ready` is perhaps not sealed: nothing is given any more.
    has_failed: bool,
}

impl<R: Read> Sealing<R> {
    pub(super) fn new(
        key: &ArchiveKey,
        identity: &Identity,
        content: Digest32,
        length: u64,
        input: R,
    ) -> Self {
        let tag = identity.tag(key, &content);
        let cipher = EncryptorBE32::new((&*cipher_key(key, &tag)).into(), (&NONCE).into());
        let ready = [KIND.as_slice(), &tag].concat();
        let (hash, cipher) = (Sha256::new(), Some(cipher));
        Self { input, cipher, left: length, hash, content, ready, given: 0, has_failed: false }
    }

    fn seal_piece(&mut self) -> io::Result<()> {
        let length = usize::try_from(self.left).map_or(PIECE, |left| left.min(PIECE));
        self.given = 0;
        self.ready.resize(length, 0);
        self.input
            .read_exact(&mut self.ready)
            .map_err(|error| if is_short(&error) { changed() } else { error })?;
        self.hash.update(&self.ready);
        self.left -= length as u64;
        let too_long = |_error| io::Error::other("the file is longer than can be sealed");
        if self.left > 0 {
            let Some(cipher) = &mut self.cipher else { return Ok(()) };
            return cipher.encrypt_next_in_place(b"", &mut self.ready).map_err(too_long);
        }
        let is_the_same = Digest32::from(self.hash.finalize_reset()) == self.content;
        if !is_the_same || self.input.read(&mut [0])? > 0 {
            return Err(changed());
        }
        let Some(cipher) = self.cipher.take() else { return Ok(()) };
        cipher.encrypt_last_in_place(b"", &mut self.ready).map_err(too_long)
    }
}

impl<R: Read> Read for Sealing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.has_failed {
            return Err(changed());
        }
        if self.given == self.ready.len() {
            if self.cipher.is_none() || buffer.is_empty() {
                return Ok(0);
            }
            self.has_failed = true;
            self.seal_piece()?;
            self.has_failed = false;
        }
        let rest = &self.ready[self.given..];
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        self.given += length;
        Ok(length)
    }
}

/// Opens a sealed file of a known plain length into `out`. What was written there counts only when this succeeds.
pub(super) fn open(
    key: &ArchiveKey,
    identity: &Identity,
    length: u64,
    mut input: impl Read,
    out: &mut dyn Write,
) -> Result<(), UnsealError> {
    let mut read_exact = |buffer: &mut [u8]| {
        let unreadable =
            |error| if is_short(&error) { UnsealError::Damaged } else { UnsealError::Read(error) };
        input.read_exact(buffer).map_err(unreadable)
    };
    let (mut kind, mut tag) = ([0; KIND.len()], [0; TAG]);
    read_exact(&mut kind)?;
    read_exact(&mut tag)?;
    if kind != KIND {
        return Err(UnsealError::Damaged);
    }
    let mut cipher =
        DecryptorBE32::<XChaCha20Poly1305>::new((&*cipher_key(key, &tag)).into(), (&NONCE).into());
    let (mut left, mut hash, mut piece) = (length, Sha256::new(), Vec::with_capacity(PIECE + PIECE_TAG));
    while left > PIECE as u64 {
        piece.resize(PIECE + PIECE_TAG, 0);
        read_exact(&mut piece)?;
        cipher.decrypt_next_in_place(b"", &mut piece).map_err(|_tag| UnsealError::Damaged)?;
        hash.update(&piece);
        out.write_all(&piece).map_err(UnsealError::Write)?;
        left -= piece.len() as u64;
    }
    let last = usize::try_from(left).map_or(PIECE, |left| left.min(PIECE));
    piece.resize(last + PIECE_TAG, 0);
    read_exact(&mut piece)?;
    if input.read(&mut [0]).map_err(UnsealError::Read)? > 0 {
        return Err(UnsealError::Damaged);
    }
    cipher.decrypt_last_in_place(b"", &mut piece).map_err(|_tag| UnsealError::Damaged)?;
    hash.update(&piece);
    out.write_all(&piece).map_err(UnsealError::Write)?;
    let found = identity.mac(key, &hash.finalize().into());
    found.verify_slice(&tag).map_err(|_other| UnsealError::Damaged)
}

#[cfg(test)]
mod tests;
