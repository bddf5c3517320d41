//! A web server of one folder that counts what it gives: like any host of files it knows parts, several in one answer too, and keeps
//! connections open.

use anyhow::Context;
use anyhow::Result;
use serde::Serialize;
use std::fmt::Write as _;
use std::fs::File;
use std::io;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::os::unix::fs::FileExt;
use std::path::Component;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

/// Longest head of a request, in bytes: those for many parts are long.
const LONGEST_HEAD: u64 = 64 << 10;
/// Of a connection on which nothing is asked.
const PATIENCE: Duration = Duration::from_secs(60);
/// What is written at once.
const PIECE: usize = 64 << 10;
/// Between the parts of an answer.
const BOUNDARY: &str = "hearth-bench-parts";
/// Where a repository has its signed files.
const METADATA: &str = "/metadata/";

/// What was given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Served {
    /// Bytes of files, signed metadata aside.
    pub(crate) bytes: u64,
    /// Bytes of signed metadata.
    pub(crate) metadata_bytes: u64,
    /// Bytes of the protocol that the server sent around those.
    pub(crate) head_bytes: u64,
    /// Requests.
    pub(crate) requests: u64,
}

#[derive(Debug, Default)]
struct Counters {
    bytes: AtomicU64,
    metadata_bytes: AtomicU64,
    head_bytes: AtomicU64,
    requests: AtomicU64,
}

/// Serves on the loopback until it is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
    counters: Arc<Counters>,
    is_over: Arc<AtomicBool>,
    listening: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts.
    ///
    /// # Errors
    /// When there is no port.
    pub(crate) fn start(folder: &Path) -> Result<Self> {
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("finding a port for the server")?;
        let address = listener.local_addr().context("finding a port for the server")?;
        let (counters, is_over) = (Arc::new(Counters::default()), Arc::new(AtomicBool::new(false)));
        let (counts, over, folder) = (Arc::clone(&counters), Arc::clone(&is_over), folder.to_owned());
        let listening = std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if over.load(Ordering::SeqCst) {
                    break;
                }
                let (counts, folder) = (Arc::clone(&counts), folder.clone());
                // A client that goes away in the middle shows in what it makes of the file.
                std::thread::spawn(move || converse(&stream, &folder, &counts).is_ok());
            }
        });
        Ok(Self { address, counters, is_over, listening: Some(listening) })
    }

    /// `http://127.0.0.1:port`
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What was given since the last time this was asked.
    pub(crate) fn take(&self) -> Served {
        let take = |counter: &AtomicU64| counter.swap(0, Ordering::SeqCst);
        Served {
            bytes: take(&self.counters.bytes),
            metadata_bytes: take(&self.counters.metadata_bytes),
            head_bytes: take(&self.counters.head_bytes),
            requests: take(&self.counters.requests),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        // Wakes the listener, which then sees that it is over.
        drop(TcpStream::connect(self.address));
        drop(self.listening.take().map(JoinHandle::join));
    }
}

/// A part of a file: the first byte and the one behind the last.
type Part = (u64, u64);

struct Request {
    path: String,
    ranges: Option<String>,
    is_last: bool,
}

fn converse(stream: &TcpStream, folder: &Path, counters: &Counters) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    while let Some(request) = read_request(&mut reader)? {
        counters.requests.fetch_add(1, Ordering::SeqCst);
        answer(stream, folder, &request, counters)?;
        if request.is_last {
            break;
        }
    }
    Ok(())
}

/// The next one; `None` at the end of the connection.
fn read_request(reader: &mut impl BufRead) -> io::Result<Option<Request>> {
    let mut head = reader.take(LONGEST_HEAD);
    let mut first = String::new();
    if head.read_line(&mut first)? == 0 {
        return Ok(None);
    }
    let mut words = first.split_whitespace();
    let (Some("GET"), Some(path)) = (words.next(), words.next()) else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    let mut request = Request { path: decoded(path), ranges: None, is_last: first.contains("HTTP/1.0") };
    loop {
        let mut line = String::new();
        if head.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let Some((name, value)) = line.trim_end().split_once(':') else { return Ok(Some(request)) };
        let value = value.trim();
        if name.eq_ignore_ascii_case("range") {
            request.ranges = value.strip_prefix("bytes=").map(str::to_owned);
        } else if name.eq_ignore_ascii_case("connection") && value.eq_ignore_ascii_case("close") {
            request.is_last = true;
        }
    }
}

/// `%5E` and the like as the letters that they are.
fn decoded(path: &str) -> String {
    let mut text = String::new();
    let mut parts = path.split('%');
    text.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let code = part.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match code.filter(u8::is_ascii) {
            Some(code) => {
                text.push(char::from(code));
                text.push_str(part.get(2..).unwrap_or_default());
            }
            None => text.push_str(part),
        }
    }
    text
}

fn answer(stream: &TcpStream, folder: &Path, request: &Request, counters: &Counters) -> io::Result<()> {
    let found = inside(folder, &request.path).and_then(|path| File::open(path).ok());
    let found = found.filter(|file| file.metadata().is_ok_and(|about| about.is_file()));
    let Some(file) = found else {
        return send_head(stream, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", counters);
    };
    let length = file.metadata()?.len();
    let counter = if request.path.starts_with(METADATA) { &counters.metadata_bytes } else { &counters.bytes };
    let body = |part| send_part(stream, &file, part, counter);
    let parts = request.ranges.as_deref().and_then(|ranges| parts(ranges, length));
    match parts.as_deref() {
        None => {
            let head = format!("HTTP/1.1 200 OK\r\nAccept-Ranges: bytes\r\nContent-Length: {length}\r\n\r\n");
            send_head(stream, &head, counters)?;
            body((0, length))
        }
        Some([(start, end)]) => {
            let head = format!(
                "HTTP/1.1 206 Partial Content\r\n{}Content-Length: {}\r\n\r\n",
                content_range((*start, *end), length),
                end - start
            );
            send_head(stream, &head, counters)?;
            body((*start, *end))
        }
        Some(parts) => {
            let inner = |part| format!("\r\n--{BOUNDARY}\r\n{}\r\n", content_range(part, length));
            let last = format!("\r\n--{BOUNDARY}--\r\n");
            let around: usize = parts.iter().map(|part| inner(*part).len()).sum::<usize>() + last.len();
            let inside: u64 = parts.iter().map(|(start, end)| end - start).sum();
            let total = inside + u64::try_from(around).unwrap_or(u64::MAX);
            let mut head = "HTTP/1.1 206 Partial Content\r\n".to_owned();
            write!(head, "Content-Type: multipart/byteranges; boundary={BOUNDARY}\r\n")
                .map_err(io::Error::other)?;
            write!(head, "Content-Length: {total}\r\n\r\n").map_err(io::Error::other)?;
            send_head(stream, &head, counters)?;
            for part in parts {
                send_head(stream, &inner(*part), counters)?;
                body(*part)?;
            }
            send_head(stream, &last, counters)
        }
    }
}

/// Where a path of an address leads, if it stays in the folder.
fn inside(folder: &Path, path: &str) -> Option<PathBuf> {
    let path = Path::new(path.trim_start_matches('/'));
    path.components().all(|part| matches!(part, Component::Normal(_))).then(|| folder.join(path))
}

/// `0-99,200-` of a file of that length; `None` when it cannot be given so, and the whole file is.
fn parts(ranges: &str, length: u64) -> Option<Vec<Part>> {
    let part = |text: &str| -> Option<Part> {
        let (start, last) = text.trim().split_once('-')?;
        let start: u64 = start.parse().ok()?;
        let last = if last.is_empty() { length.checked_sub(1)? } else { last.parse().ok()? };
        let end = last.checked_add(1)?.min(length);
        (start < end).then_some((start, end))
    };
    ranges.split(',').map(part).collect()
}

fn content_range((start, end): Part, length: u64) -> String {
    format!("Content-Range: bytes {start}-{}/{length}\r\n", end.saturating_sub(1))
}

fn send_head(mut stream: &TcpStream, text: &str, counters: &Counters) -> io::Result<()> {
    stream.write_all(text.as_bytes())?;
    counters.head_bytes.fetch_add(u64::try_from(text.len()).unwrap_or(u64::MAX), Ordering::SeqCst);
    Ok(())
}

fn send_part(mut stream: &TcpStream, file: &File, (start, end): Part, counter: &AtomicU64) -> io::Result<()> {
    let mut buffer = vec![0; PIECE];
    let mut at = start;
    while at < end {
        let room = usize::try_from(end - at).unwrap_or(usize::MAX).min(PIECE);
        let piece = buffer.get_mut(..room).unwrap_or_default();
        file.read_exact_at(piece, at)?;
        stream.write_all(piece)?;
        let sent = u64::try_from(room).unwrap_or(u64::MAX);
        counter.fetch_add(sent, Ordering::SeqCst);
        at = at.saturating_add(sent);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// Asks on one connection and returns all that came.
    fn ask(server: &Server, requests: &[&str]) -> String {
        let mut stream = TcpStream::connect(server.address).unwrap();
        for (number, request) in requests.iter().enumerate() {
            let close = if number + 1 == requests.len() { "Connection: close\r\n" } else { "" };
            write!(stream, "GET {request}\r\n{close}\r\n").unwrap();
        }
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    }

    fn served() -> (tempfile::TempDir, Server) {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("metadata")).unwrap();
        fs::write(folder.path().join("a^b"), "0123456789").unwrap();
        fs::write(folder.path().join("metadata/timestamp.json"), "{}").unwrap();
        let server = Server::start(folder.path()).unwrap();
        (folder, server)
    }

    #[test]
    fn files_and_parts_are_counted_without_what_is_around_them() {
        let (_folder, server) = served();
        let text = ask(
            &server,
            &["/a%5Eb HTTP/1.1", "/a%5Eb HTTP/1.1\r\nRange: bytes=2-4", "/metadata/timestamp.json HTTP/1.1"],
        );
        assert!(text.contains("200 OK") && text.contains("0123456789"), "{text}");
        assert!(text.contains("Content-Range: bytes 2-4/10") && text.contains("\r\n\r\n234HTTP"), "{text}");
        let served = server.take();
        assert_eq!((served.bytes, served.metadata_bytes, served.requests), (13, 2, 3));
        assert_eq!(served.head_bytes, text.len() as u64 - 15);
        assert_eq!(server.take(), Served::default());
    }

    #[test]
    fn several_parts_come_in_one_answer() {
        let (_folder, server) = served();
        let text = ask(&server, &["/a%5Eb HTTP/1.1\r\nRange: bytes=0-1,8-"]);
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {}", body.len())), "{text}");
        assert!(body.contains("bytes 0-1/10\r\n\r\n01\r\n--"), "{text}");
        assert!(body.contains("bytes 8-9/10\r\n\r\n89\r\n--"), "{text}");
        assert_eq!(server.take().bytes, 4);
    }

    #[test]
    fn nothing_outside_of_the_folder_is_given() {
        let (folder, server) = served();
        let outside = folder.path().parent().unwrap().join("outside-of-the-folder");
        fs::write(&outside, "secret").unwrap();
        for path in ["/../outside-of-the-folder", "/%2e%2e/outside-of-the-folder", "/nothing", "/metadata"] {
            let text = ask(&server, &[&format!("{path} HTTP/1.1")]);
            assert!(text.contains("404") && !text.contains("secret"), "{path}: {text}");
        }
        fs::remove_file(outside).unwrap();
        assert_eq!(server.take().bytes, 0);
    }

    #[test]
    fn ranges_that_make_no_sense_give_the_whole_file() {
        assert_eq!(parts("0-0,5-99", 10), Some(vec![(0, 1), (5, 10)]));
        for ranges in ["", "a-b", "5-4", "10-12", "-5", "0-18446744073709551615"] {
            assert_eq!(parts(ranges, 10), None, "{ranges}");
        }
    }
}
