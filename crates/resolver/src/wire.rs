//! Reading a message without ever leaving it.

/// A position in bytes from outside; every step says whether the bytes were there.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    pub(crate) fn position(&self) -> usize {
        self.position
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.position..).unwrap_or_default()
    }

    /// What was read since `start`.
    pub(crate) fn since(&self, start: usize) -> Option<&'a [u8]> {
        self.bytes.get(start..self.position)
    }

    pub(crate) fn skip(&mut self, length: usize) -> Option<()> {
        self.take(length).map(|_| ())
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.take(2)?.try_into().ok().map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.take(4)?.try_into().ok().map(u32::from_be_bytes)
    }

    /// Goes past a name, which may end in a compression pointer (RFC 1035 section 4.1.4); the pointer is not followed.
    pub(crate) fn skip_name(&mut self) -> Option<()> {
        loop {
            let length = *self.rest().first()?;
            match length {
                0 => return self.skip(1),
                1..=0x3f => self.skip(1 + usize::from(length))?,
                0xc0.. => return self.skip(2),
                0x40..0xc0 => return None,
            }
        }
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let end = self.position.checked_add(length)?;
        let taken = self.bytes.get(self.position..end)?;
        self.position = end;
        Some(taken)
    }
}
