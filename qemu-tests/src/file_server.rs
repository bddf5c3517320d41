//! A web server of files with byte ranges, on the loopback, as anybody would use to host a repository of updates.

use anyhow::Context;
use anyhow::Result;
use std::fs;
use std::io;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::net::TcpListener;
use std::net::TcpStream;
use std::ops::Range;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::thread;

/// Header lines of a request that are read at most.
const MAX_LINES: usize = 64;

/// Serves a folder until this process ends.
#[derive(Debug)]
pub struct FileServer {
    port: u16,
    sent: Arc<AtomicU64>,
}

impl FileServer {
    /// Serves a folder at a free port of the loopback.
    ///
    /// # Errors
    /// When no port can be had.
    pub fn start(folder: &Path) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").context("no port for a file server")?;
        let port = listener.local_addr()?.port();
        let sent = Arc::new(AtomicU64::new(0));
        let (folder, count) = (folder.to_owned(), Arc::clone(&sent));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (folder, count) = (folder.clone(), Arc::clone(&count));
                // A client that goes away is its own matter: what counts is what it got.
                thread::spawn(move || answer(&stream, &folder, &count).is_ok());
            }
        });
        Ok(Self { port, sent })
    }

    /// Its port of this machine's loopback.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Bytes of file contents that were sent so far.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }
}

fn answer(stream: &TcpStream, folder: &Path, sent: &AtomicU64) -> io::Result<()> {
    let mut lines = BufReader::new(stream).lines().take(MAX_LINES);
    let first = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    let mut asked = None;
    for line in lines {
        let line = line?.to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        asked = line.strip_prefix("range: bytes=").map(str::to_owned).or(asked);
    }
    let mut stream = stream;
    let Some(content) = file(folder, first.split(' ').nth(1).unwrap_or_default()) else {
        return stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    };
    let part = asked.as_deref().and_then(|asked| range(asked, content.len()));
    let (status, body) = match part.clone().and_then(|part| content.get(part)) {
        Some(body) => ("206 Partial Content", body),
        None => ("200 OK", content.as_slice()),
    };
    write!(stream, "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n", body.len())?;
    if let Some(part) = part {
        write!(stream, "content-range: bytes {}-{}/{}\r\n", part.start, part.end - 1, content.len())?;
    }
    stream.write_all(b"\r\n")?;
    for piece in body.chunks(64 << 10) {
        stream.write_all(piece)?;
        sent.fetch_add(u64::try_from(piece.len()).unwrap_or_default(), Ordering::Relaxed);
    }
    Ok(())
}

/// A file below the folder. `^` is the one letter of versions that a URL cannot have as it is.
fn file(folder: &Path, path: &str) -> Option<Vec<u8>> {
    let path = path.trim_start_matches('/').replace("%5E", "^");
    let is_below =
        PathBuf::from(&path).components().all(|part| matches!(part, std::path::Component::Normal(_)));
    is_below.then(|| fs::read(folder.join(path)).ok())?
}

/// `from-to`, both included (RFC 9110 section 14.1.2), as far as the file goes.
fn range(asked: &str, length: usize) -> Option<Range<usize>> {
    let (from, to) = asked.split_once('-')?;
    let (from, to) = (from.parse().ok()?, to.parse::<usize>().ok()?.checked_add(1)?.min(length));
    (from < to).then_some(from..to)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    fn get(server: &FileServer, path: &str, range: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\n{range}\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn files_and_their_parts_are_served_and_counted() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a^1"), "0123456789").unwrap();
        let server = FileServer::start(folder.path()).unwrap();
        let whole = get(&server, "/a%5E1", "");
        assert!(whole.starts_with("HTTP/1.1 200") && whole.ends_with("\r\n\r\n0123456789"), "{whole}");
        assert_eq!(server.sent(), 10);
        let part = get(&server, "/a%5E1", "Range: bytes=2-4\r\n");
        assert!(part.contains("content-range: bytes 2-4/10") && part.ends_with("\r\n\r\n234"), "{part}");
        assert_eq!(server.sent(), 13);
        for path in ["/b", "/../a%5E1", "/"] {
            assert!(get(&server, path, "").starts_with("HTTP/1.1 404"), "{path}");
        }
    }
}
