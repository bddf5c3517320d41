//! The web console's files: read into memory once, served from there.
//!
//! A request path is looked up in a table and never reaches the file system. A path that is no file gets `index.html`, because the
//! console keeps its own addresses; only below `/assets/` a missing file is missing.

use super::Reply;
use super::empty_reply;
use super::reply;
use super::set_header;
use hyper::HeaderMap;
use hyper::Method;
use hyper::StatusCode;
use hyper::body::Bytes;
use hyper::header::ACCEPT_ENCODING;
use hyper::header::ALLOW;
use hyper::header::CACHE_CONTROL;
use hyper::header::CONTENT_ENCODING;
use hyper::header::ETAG;
use hyper::header::HeaderValue;
use hyper::header::IF_NONE_MATCH;
use hyper::header::VARY;
use sha2::Digest;
use sha2::Sha256;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;

/// All files together, in bytes; they stay in memory.
const MAX_BYTES: u64 = 4 << 20;
/// Number of files and depth of folders.
const MAX_FILES: usize = 512;
const MAX_DEPTH: usize = 4;
/// What is shown where there is no console.
const NO_CONSOLE: &str = "This Hearth has no console: its files are missing from the image.\n";

/// The files by request path.
#[derive(Clone, Debug, Default)]
pub struct Console {
    files: BTreeMap<String, ConsoleFile>,
}

#[derive(Clone, Debug)]
struct ConsoleFile {
    content_type: &'static str,
    plain: Variant,
    gzip: Option<Variant>,
}

#[derive(Clone, Debug)]
struct Variant {
    bytes: Bytes,
    tag: String,
}

/// Why the console's files could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ConsoleError {
    /// A file or folder could not be read.
    #[error("read {}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        source: std::io::Error,
    },
    /// There is more than belongs in memory.
    #[error("hold the files of {} in memory: more than {MAX_FILES} files or {MAX_BYTES} bytes", path.display())]
    TooMuch {
        /// The console's folder.
        path: PathBuf,
    },
}

impl Console {
    /// Reads all files of a folder; symbolic links and names that are not UTF-8 are left out.
    ///
    /// # Errors
    ///
    /// When the folder cannot be read or holds too much.
    pub fn load(folder: &Path) -> Result<Self, ConsoleError> {
        let mut loader = Loader { root: folder, room: MAX_BYTES, raw: BTreeMap::new() };
        loader.folder(folder, "", 0)?;
        let mut raw = loader.raw;
        let paths: Vec<String> = raw.keys().filter(|path| !path.ends_with(".gz")).cloned().collect();
        let mut files = BTreeMap::new();
        for path in paths {
            let gzip = raw.remove(&format!("{path}.gz")).map(Variant::new);
            if let Some(bytes) = raw.remove(&path) {
                let content_type = content_type(&path);
                files.insert(path, ConsoleFile { content_type, plain: Variant::new(bytes), gzip });
            }
        }
        Ok(Self { files })
    }

    /// Answers one request.
    #[must_use]
    pub fn answer(&self, method: &Method, path: &str, headers: &HeaderMap) -> Reply {
        if !matches!(*method, Method::GET | Method::HEAD) {
            let mut reply = empty_reply(StatusCode::METHOD_NOT_ALLOWED);
            reply.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return reply;
        }
        let is_asset = path.starts_with("/assets/");
        let found = self.files.get(path);
        let Some(file) = found.or_else(|| self.files.get("/index.html").filter(|_| !is_asset)) else {
            return reply(StatusCode::NOT_FOUND, "text/plain; charset=utf-8", NO_CONSOLE);
        };
        let gzip = file.gzip.as_ref().filter(|_| accepts_gzip(headers));
        let variant = gzip.unwrap_or(&file.plain);
        let known = headers.get(IF_NONE_MATCH).and_then(|tags| tags.to_str().ok());
        let unchanged = known.is_some_and(|tags| tags.split(',').any(|tag| tag.trim() == variant.tag));
        let mut reply = if unchanged {
            empty_reply(StatusCode::NOT_MODIFIED)
        } else {
            let mut reply = reply(StatusCode::OK, file.content_type, variant.bytes.clone());
            if gzip.is_some() {
                reply.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            }
            reply
        };
        set_header(&mut reply, ETAG, &variant.tag);
        reply.headers_mut().insert(VARY, HeaderValue::from_static("accept-encoding"));
        // Files below /assets/ have their hash in their name.
        let caching = if is_asset { "public, max-age=31536000, immutable" } else { "no-cache" };
        reply.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static(caching));
        reply
    }
}

impl Variant {
    fn new(bytes: Vec<u8>) -> Self {
        let hash: String = Sha256::digest(&bytes).iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        Self { bytes: Bytes::from(bytes), tag: format!("\"{hash}\"") }
    }
}

struct Loader<'a> {
    root: &'a Path,
    room: u64,
    raw: BTreeMap<String, Vec<u8>>,
}

impl Loader<'_> {
    fn folder(&mut self, folder: &Path, prefix: &str, depth: usize) -> Result<(), ConsoleError> {
        let failed = |source| ConsoleError::Read { path: folder.to_owned(), source };
        for entry in std::fs::read_dir(folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let kind = entry.file_type().map_err(failed)?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let path = format!("{prefix}/{name}");
            if kind.is_dir() && depth < MAX_DEPTH {
                self.folder(&entry.path(), &path, depth + 1)?;
            } else if kind.is_file() {
                self.file(&entry.path(), path)?;
            }
        }
        Ok(())
    }

    fn file(&mut self, file: &Path, path: String) -> Result<(), ConsoleError> {
        let failed = |source| ConsoleError::Read { path: file.to_owned(), source };
        let mut bytes = Vec::new();
        File::open(file).map_err(failed)?.take(self.room + 1).read_to_end(&mut bytes).map_err(failed)?;
        self.room = self
            .room
            .checked_sub(bytes.len() as u64)
            .filter(|_| self.raw.len() < MAX_FILES)
            .ok_or_else(|| ConsoleError::TooMuch { path: self.root.to_owned() })?;
        // Without spare capacity: these stay for as long as the daemon runs.
        bytes.shrink_to_fit();
        self.raw.insert(path, bytes);
        Ok(())
    }
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "webp" => "image/webp",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// Whether gzip is named with a weight above zero (RFC 9110 section 12.5.3).
fn accepts_gzip(headers: &HeaderMap) -> bool {
    let Some(accepted) = headers.get(ACCEPT_ENCODING).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    accepted.split(',').any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        let refused = parts
            .filter_map(|part| part.strip_prefix("q="))
            .any(|weight| weight.parse::<f32>().is_ok_and(|weight| weight <= 0.0));
        named && !refused
    })
}

#[cfg(test)]
mod tests;
