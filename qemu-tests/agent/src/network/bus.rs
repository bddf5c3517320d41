//! One call of `org.hearthos.Net1` at a time, with texts and descriptors: the whole of D-Bus that a test needs, so that the agent
//! stays one small program without an executor (D-Bus Specification, "Message Protocol" and "Authentication Protocol").

use rustix::net::SendAncillaryBuffer;
use rustix::net::SendAncillaryMessage;
use rustix::net::SendFlags;
use std::io;
use std::io::IoSlice;
use std::io::Read;
use std::io::Write;
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

const OBJECT: &str = "/org/hearthos/Net1";
const INTERFACE: &str = "org.hearthos.Net1";
/// Longer than netd's own limit: its answer is what a test wants to see.
const PATIENCE: Duration = Duration::from_secs(120);
/// Longest message taken, in bytes; documents are up to 1 MiB.
const LONGEST: usize = 4 << 20;
const METHOD_CALL: u8 = 1;
const METHOD_RETURN: u8 = 2;
const ERROR: u8 = 3;
/// Serial number of the one call of a connection.
const SERIAL: u32 = 1;

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The text that the method returned, or none.
    Returned(String),
    /// An error with its name and words.
    Refused(String, String),
}

/// Calls a method on a new connection and waits for its answer.
///
/// # Errors
/// When there is no answer in time or no sense in it.
pub fn call(
    socket: &Path,
    method: &str,
    arguments: &[String],
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<Reply> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    shake_hands(&mut stream)?;
    let message = write_call(method, arguments, descriptors.len())?;
    send(&stream, &message, descriptors)?;
    loop {
        if let Some(reply) = parse(&read_message(&mut stream)?)? {
            return Ok(reply);
        }
    }
}

/// "EXTERNAL": the kernel says who we are.
fn shake_hands(stream: &mut UnixStream) -> io::Result<()> {
    let uid = rustix::process::geteuid().as_raw().to_string();
    let hex: String = uid.bytes().map(|byte| format!("{byte:02x}")).collect();
    stream.write_all(format!("\0AUTH EXTERNAL {hex}\r\n").as_bytes())?;
    expect_line(stream, "OK ")?;
    stream.write_all(b"NEGOTIATE_UNIX_FD\r\n")?;
    expect_line(stream, "AGREE_UNIX_FD")?;
    stream.write_all(b"BEGIN\r\n")
}

fn expect_line(stream: &mut UnixStream, start: &str) -> io::Result<()> {
    let mut line = Vec::new();
    // Byte by byte: nothing of the messages that follow may be taken.
    while !line.ends_with(b"\r\n") && line.len() < 1024 {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        line.extend_from_slice(&byte);
    }
    if line.starts_with(start.as_bytes()) {
        return Ok(());
    }
    Err(invalid(&format!("the handshake ends with {:?}", String::from_utf8_lossy(&line))))
}

fn write_call(method: &str, arguments: &[String], descriptors: usize) -> io::Result<Vec<u8>> {
    let mut body = Writer::default();
    for argument in arguments {
        body.text(argument)?;
    }
    for index in 0..descriptors {
        body.number(small(index)?);
    }
    let signature = "s".repeat(arguments.len()) + &"h".repeat(descriptors);
    let mut message = Writer(vec![b'l', METHOD_CALL, 0, 1]);
    message.number(small(body.0.len())?);
    message.number(SERIAL);
    let mut fields = Writer::default();
    // Path, interface, member, signature of the body, number of descriptors.
    fields.field(1, 'o', |value| value.text(OBJECT))?;
    fields.field(2, 's', |value| value.text(INTERFACE))?;
    fields.field(3, 's', |value| value.text(method))?;
    if !signature.is_empty() {
        fields.field(8, 'g', |value| value.signature(&signature))?;
    }
    if descriptors > 0 {
        let count = small(descriptors)?;
        fields.field(9, 'u', |value| {
            value.number(count);
            Ok(())
        })?;
    }
    message.number(small(fields.0.len())?);
    message.0.extend(fields.0);
    message.align(8);
    message.0.extend(body.0);
    Ok(message.0)
}

fn send(stream: &UnixStream, message: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(invalid("more than two descriptors"));
    }
    let sent =
        rustix::net::sendmsg(stream.as_fd(), &[IoSlice::new(message)], &mut control, SendFlags::NOSIGNAL)?;
    let mut stream = stream;
    stream.write_all(message.get(sent..).unwrap_or_default())
}

fn read_message(stream: &mut UnixStream) -> io::Result<Vec<u8>> {
    let mut message = vec![0; 16];
    stream.read_exact(&mut message)?;
    let length = |at| number(&message, at).and_then(|number| usize::try_from(number).ok());
    let (body, fields) = length(4).zip(length(12)).ok_or_else(|| invalid("no message"))?;
    let head = fields.checked_add(16).and_then(|end| end.checked_next_multiple_of(8));
    let total = head.and_then(|head| head.checked_add(body)).filter(|total| *total <= LONGEST);
    let total = total.ok_or_else(|| invalid("a message that is too long"))?;
    message.resize(total, 0);
    stream.read_exact(message.get_mut(16..).unwrap_or_default())?;
    Ok(message)
}

/// The answer to our call; none when the message is something else, such as a signal.
fn parse(message: &[u8]) -> io::Result<Option<Reply>> {
    let kind = message.get(1).copied().unwrap_or_default();
    if !matches!(kind, METHOD_RETURN | ERROR) || message.first() != Some(&b'l') {
        return Ok(None);
    }
    let cut = || invalid("an answer that is cut");
    let end = number(message, 12).and_then(|length| usize::try_from(length).ok()).ok_or_else(cut)?;
    let end = end.checked_add(16).ok_or_else(cut)?;
    let fields = read_fields(message.get(..end).ok_or_else(cut)?).ok_or_else(cut)?;
    if fields.reply_to != Some(SERIAL) {
        return Ok(None);
    }
    let body = message.get(end.next_multiple_of(8)..).unwrap_or_default();
    let words =
        if fields.signature.starts_with('s') { text(body, 0).ok_or_else(cut)?.0 } else { String::new() };
    Ok(Some(if kind == ERROR { Reply::Refused(fields.error, words) } else { Reply::Returned(words) }))
}

#[derive(Default)]
struct Fields {
    error: String,
    reply_to: Option<u32>,
    signature: String,
}

/// Header fields: each begins at a multiple of eight with its code and the signature of its value.
fn read_fields(message: &[u8]) -> Option<Fields> {
    let mut fields = Fields::default();
    let mut at: usize = 16;
    while at < message.len() {
        let (code, kind) = (*message.get(at)?, *message.get(at + 2)?);
        let value = at + 4;
        at = match kind {
            b'u' => {
                let found = number(message, value)?;
                if code == 5 {
                    fields.reply_to = Some(found);
                }
                value + 4
            }
            b's' | b'o' => {
                let (found, end) = text(message, value)?;
                if code == 4 {
                    fields.error = found;
                }
                end
            }
            b'g' => {
                let length = usize::from(*message.get(value)?);
                fields.signature =
                    String::from_utf8(message.get(value + 1..value + 1 + length)?.to_vec()).ok()?;
                value + length + 2
            }
            _ => return None,
        };
        at = at.checked_next_multiple_of(8)?;
    }
    Some(fields)
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// A text and where it ends.
fn text(bytes: &[u8], at: usize) -> Option<(String, usize)> {
    let length = usize::try_from(number(bytes, at)?).ok()?;
    let start = at.checked_add(4)?;
    let end = start.checked_add(length)?;
    Some((String::from_utf8(bytes.get(start..end)?.to_vec()).ok()?, end.checked_add(1)?))
}

#[derive(Default)]
struct Writer(Vec<u8>);

impl Writer {
    fn align(&mut self, to: usize) {
        self.0.resize(self.0.len().next_multiple_of(to), 0);
    }

    fn number(&mut self, number: u32) {
        self.align(4);
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    fn text(&mut self, text: &str) -> io::Result<()> {
        self.number(small(text.len())?);
        self.0.extend_from_slice(text.as_bytes());
        self.0.push(0);
        Ok(())
    }

    fn signature(&mut self, text: &str) -> io::Result<()> {
        self.0.push(u8::try_from(text.len()).map_err(|_big| invalid("too many arguments"))?);
        self.0.extend_from_slice(text.as_bytes());
        self.0.push(0);
        Ok(())
    }

    fn field(
        &mut self,
        code: u8,
        kind: char,
        value: impl FnOnce(&mut Self) -> io::Result<()>,
    ) -> io::Result<()> {
        self.align(8);
        let kind = u8::try_from(kind).map_err(|_wide| invalid("no type"))?;
        self.0.extend_from_slice(&[code, 1, kind, 0]);
        value(self)
    }
}

fn small(number: usize) -> io::Result<u32> {
    u32::try_from(number).map_err(|_big| invalid("a message that is too long"))
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
