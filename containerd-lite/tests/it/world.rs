//! A store in a folder, images that are made for a test, and a registry in this process that can misbehave.

use crate::confined::PROGRAM;
use containerd_lite::image::Digest;
use containerd_lite::image::Limits;
use containerd_lite::image::Platform;
use containerd_lite::image::Reference;
use containerd_lite::image::Store;
use containerd_lite::image::gather::Event;
use containerd_lite::image::pull::Registries;
use containerd_lite::image::store::Disk;
use containerd_lite::image::unpack::Confined;
use containerd_lite::image::unpack::Owners;
use serde_json::json;
use std::collections::BTreeMap;
use std::fs;
use std::io::BufRead as _;
use std::io::BufReader;
use std::io::Write as _;
use std::net::TcpListener;
use std::net::TcpStream;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;
use tar::Builder;
use tar::EntryType;
use tar::Header;

pub(crate) fn board() -> Platform {
    Platform::linux("amd64")
}

pub(crate) fn store_with(root: &Path, disk: Disk, limits: Limits) -> Store {
    try_store(root, disk, limits).unwrap()
}

pub(crate) fn try_store(
    root: &Path,
    disk: Disk,
    limits: Limits,
) -> Result<Store, containerd_lite::image::store::StoreError> {
    store_of(root, (disk, limits, Owners::Own))
}

pub(crate) fn store_of(
    root: &Path,
    (disk, limits, owners): (Disk, Limits, Owners),
) -> Result<Store, containerd_lite::image::store::StoreError> {
    let unpacker = Box::new(Confined::new(Path::new(PROGRAM), owners));
    Store::open_on(disk, root, limits, board(), unpacker)
}

/// Small disks are no reason here.
pub(crate) fn limits() -> Limits {
    Limits { reserve: 0, ..Limits::default() }
}

pub(crate) fn store(root: &Path) -> Store {
    store_with(root, Disk::default(), limits())
}

pub(crate) fn go_on(_event: &Event) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// All that is in a store, but for layers on their way: path, length, content of files.
pub(crate) fn listing(root: &Path) -> BTreeMap<String, Option<Digest>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            let metadata = fs::symlink_metadata(&path).unwrap();
            if metadata.is_dir() {
                folders.push(path);
                found.insert(name, None);
            } else if !name.starts_with("ingest/") {
                found.insert(name, Some(Digest::of(&fs::read(&path).unwrap())));
            }
        }
    }
    found
}

/// A layer with one file.
pub(crate) fn layer(path: &str, content: &[u8]) -> Vec<u8> {
    layer_with(&[(EntryType::Regular, path, "")], content)
}

/// A layer with several entries, the last of which may have content: kind, path, target.
pub(crate) fn layer_with(entries: &[(EntryType, &str, &str)], content: &[u8]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for (at, (kind, path, target)) in entries.iter().enumerate() {
        let content = if at + 1 == entries.len() { content } else { b"" };
        builder.append(&header(*kind, path, target, content.len()), content).unwrap();
    }
    builder.into_inner().unwrap()
}

/// A header as it is asked for, however wrong.
pub(crate) fn header(kind: EntryType, path: &str, target: &str, length: usize) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(7);
    header.set_size(length as u64);
    header.as_gnu_mut().unwrap().name[..path.len()].copy_from_slice(path.as_bytes());
    header.set_link_name_literal(target).unwrap();
    header.set_cksum();
    header
}

/// An image: its documents and layers, by digest.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    pub(crate) blobs: BTreeMap<Digest, Vec<u8>>,
    pub(crate) manifest: Vec<u8>,
    pub(crate) layers: Vec<Digest>,
}

pub(crate) fn image(layers: &[Vec<u8>]) -> Image {
    image_for("amd64", layers, layers)
}

/// An image whose layers are sent otherwise than they are.
pub(crate) fn image_for(architecture: &str, sent: &[Vec<u8>], unpacked: &[Vec<u8>]) -> Image {
    let diff_ids: Vec<Digest> = unpacked.iter().map(|layer| Digest::of(layer)).collect();
    let config = json!({ "os": "linux", "architecture": architecture, "rootfs": { "type": "layers", "diff_ids": diff_ids } });
    let config = config.to_string().into_bytes();
    let row = |kind: &str, bytes: &[u8]| json!({ "mediaType": kind, "digest": Digest::of(bytes), "size": bytes.len() });
    let rows: Vec<_> =
        sent.iter().map(|layer| row("application/vnd.oci.image.layer.v1.tar+gzip", layer)).collect();
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": row("application/vnd.oci.image.config.v1+json", &config),
        "layers": rows,
    });
    let manifest = manifest.to_string().into_bytes();
    let mut blobs: BTreeMap<Digest, Vec<u8>> =
        sent.iter().map(|layer| (Digest::of(layer), layer.clone())).collect();
    blobs.insert(Digest::of(&config), config);
    Image { blobs, manifest, layers: sent.iter().map(|layer| Digest::of(layer)).collect() }
}

/// A layout in a folder.
pub(crate) fn write_layout(folder: &Path, image: &Image, name: &str) {
    let blobs = folder.join("blobs/sha256");
    fs::create_dir_all(&blobs).unwrap();
    for (digest, bytes) in &image.blobs {
        fs::write(blobs.join(digest.hex()), bytes).unwrap();
    }
    fs::write(blobs.join(Digest::of(&image.manifest).hex()), &image.manifest).unwrap();
    fs::write(folder.join("oci-layout"), "{\"imageLayoutVersion\":\"1.0.0\"}").unwrap();
    let index = json!({ "schemaVersion": 2, "manifests": [{
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "digest": Digest::of(&image.manifest), "size": image.manifest.len(),
        "annotations": { "org.opencontainers.image.ref.name": name },
    }] });
    fs::write(folder.join("index.json"), index.to_string()).unwrap();
}

/// What a registry answers to a request: its first line, all its header lines.
pub(crate) type Answers = dyn Fn(&str, &[String], &mut TcpStream) -> std::io::Result<()> + Send + Sync;

/// A registry in this process.
#[derive(Debug)]
pub(crate) struct Fake {
    pub(crate) host: String,
    pub(crate) requests: Arc<Mutex<Vec<String>>>,
}

impl Fake {
    pub(crate) fn start(answers: Box<Answers>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (seen, answers) = (Arc::clone(&requests), Arc::from(answers));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (seen, answers) = (Arc::clone(&seen), Arc::clone(&answers));
                thread::spawn(move || serve(stream, &seen, &answers));
            }
        });
        Self { host, requests }
    }

    pub(crate) fn name(&self) -> Reference {
        format!("{}/app:1", self.host).parse().unwrap()
    }

    pub(crate) fn registries(&self) -> Registries {
        Registries {
            plain_http: vec![self.host.clone()],
            stall: Duration::from_secs(3),
            ..Registries::default()
        }
    }

    pub(crate) fn asked(&self, part: &str) -> usize {
        self.requests.lock().unwrap().iter().filter(|request| request.contains(part)).count()
    }
}

/// One question for each connection.
fn serve(mut stream: TcpStream, seen: &Mutex<Vec<String>>, answers: &Arc<Answers>) {
    let mut lines = Vec::new();
    let reader = BufReader::new(stream.try_clone().unwrap());
    for line in reader.lines() {
        let Ok(line) = line else { return };
        if line.is_empty() {
            break;
        }
        lines.push(line);
    }
    let Some((first, headers)) = lines.split_first() else { return };
    seen.lock().unwrap().push(lines.join("\n").to_ascii_lowercase());
    // Whoever asked may have gone.
    drop(answers(first, headers, &mut stream));
}

pub(crate) fn send(stream: &mut TcpStream, status: &str, headers: &str, body: &[u8]) -> std::io::Result<()> {
    write!(
        stream,
        "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n",
        body.len()
    )?;
    stream.write_all(body)
}

/// What a sound registry answers about an image.
pub(crate) fn sound(image: &Image, path: &str, stream: &mut TcpStream) -> std::io::Result<()> {
    if path.contains("/manifests/") {
        return send(
            stream,
            "200 OK",
            "content-type: application/vnd.oci.image.manifest.v1+json\r\n",
            &image.manifest,
        );
    }
    let digest = path.split("/blobs/").nth(1).and_then(|rest| rest.split(' ').next()?.parse::<Digest>().ok());
    match digest.and_then(|digest| image.blobs.get(&digest)) {
        Some(blob) => send(stream, "200 OK", "", blob),
        None => send(stream, "404 Not Found", "", b""),
    }
}
