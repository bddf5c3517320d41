//! Web servers that lie, stall and drip; and honest ones.

use crate::downloads::run;
use crate::support::BOX;
use crate::support::World;
use crate::support::slot;
use std::fs;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::net::TcpListener;
use std::net::TcpStream;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;
use std::time::Duration;
use update::Catalog;
use update::DownloadError;
use update::Http;
use update::HttpSettings;
use update::LoadError;
use update::SourceError;
use update::Way;

const LENGTH: usize = 600_000;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Habit {
    Honest,
    /// 200 and all of the file, whatever part was asked for.
    NoRanges,
    /// Another part, and says so.
    OtherPart,
    /// Another part, and says that it is the right one.
    Lies,
    /// Closes after half of the body, the first so many times.
    Breaks(u32),
    /// Never ends.
    Endless,
    /// One byte after the other.
    Drips,
    /// Says 500.
    Sick,
}

/// Serves a folder on the loopback; connections are answered one after the other.
fn serve(folder: PathBuf, habit: Habit) -> (String, Arc<AtomicU32>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let requests = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&requests);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let number = count.fetch_add(1, Ordering::SeqCst);
            let folder = folder.clone();
            // A client that goes away in the middle is no matter of the test.
            std::thread::spawn(move || {
                let stream = stream.unwrap();
                answer(BufReader::new(&stream), &stream, &folder, habit, number).is_ok()
            });
        }
    });
    (url, requests)
}

fn answer(
    request: impl BufRead,
    mut stream: impl Write,
    folder: &Path,
    habit: Habit,
    number: u32,
) -> std::io::Result<()> {
    let mut lines = request.lines();
    let first = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    let mut range = None;
    for line in lines {
        let line = line?.to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some((from, to)) = line.strip_prefix("range: bytes=").and_then(|range| range.split_once('-')) {
            range = Some((from.parse::<usize>().unwrap(), to.parse::<usize>().unwrap()));
        }
    }
    let path = first.split(' ').nth(1).unwrap_or_default().trim_start_matches('/').replace("%5E", "^");
    let Ok(bytes) = fs::read(folder.join(path)) else {
        return stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    };
    if habit == Habit::Sick {
        return stream.write_all(b"HTTP/1.1 500 Oh\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    }
    let (status, said, body) = match (range, habit) {
        (None, _) | (Some(_), Habit::NoRanges) => ("200 OK", None, &bytes[..]),
        (Some((from, to)), Habit::OtherPart) => ("206 Partial", Some((from + 1, to + 1)), &bytes[from..=to]),
        (Some((from, to)), Habit::Lies) => ("206 Partial", Some((from, to)), &bytes[..=to - from]),
        (Some((from, to)), _) => ("206 Partial", Some((from, to)), &bytes[from..=to.min(bytes.len() - 1)]),
    };
    write!(stream, "HTTP/1.1 {status}\r\nconnection: close\r\n")?;
    if let Some((from, to)) = said {
        write!(stream, "content-range: bytes {from}-{to}/{}\r\n", bytes.len())?;
    }
    match habit {
        Habit::Endless => {
            write!(stream, "\r\n")?;
            loop {
                stream.write_all(&[b' '; 4096])?;
            }
        }
        Habit::Drips => {
            write!(stream, "content-length: {}\r\n\r\n", body.len())?;
            for byte in body {
                stream.write_all(&[*byte])?;
                std::thread::sleep(Duration::from_millis(20));
            }
            Ok(())
        }
        Habit::Breaks(times) if number < times => {
            write!(stream, "content-length: {}\r\n\r\n", body.len())?;
            stream.write_all(&body[..body.len() / 2])
        }
        Habit::Honest | Habit::NoRanges | Habit::OtherPart | Habit::Lies | Habit::Breaks(_) | Habit::Sick => {
            write!(stream, "content-length: {}\r\n\r\n", body.len())?;
            stream.write_all(body)
        }
    }
}

fn client(url: &str) -> Http {
    let settings = HttpSettings {
        stall: Duration::from_millis(500),
        slowest: 1 << 20,
        ..HttpSettings::new(url.to_owned())
    };
    Http::new(&settings).unwrap()
}

fn world() -> (World, update::Release, PathBuf) {
    let world = World::with(&[("1^1", 1), ("2^1", 2)]);
    let release = world.release("2^1");
    let path = world.folder.path().join("slot.efi");
    (world, release, path)
}

fn load(world: &World, http: &Http) -> Result<Catalog, LoadError> {
    Catalog::load(http, &world.root, &world.store(), &world.clock(), BOX)
}

#[test]
fn any_server_of_files_will_do() {
    let (world, release, path) = world();
    let (url, requests) = serve(world.path(), Habit::Honest);
    let http = client(&url);
    load(&world, &http).unwrap();
    let outcome = run(&release, &http, &[slot(1, LENGTH)], &path).unwrap();
    assert_eq!(outcome.way, Way::Chunks);
    assert!(fs::read(&path).unwrap() == slot(2, LENGTH));
    // The root that is not there, timestamp, snapshot, targets; header and a stretch or two.
    assert_eq!(requests.load(Ordering::SeqCst), 4 + outcome.requests);
}

#[test]
fn a_server_without_ranges_still_gives_all_of_it() {
    let (world, release, path) = world();
    let (url, _requests) = serve(world.path(), Habit::NoRanges);
    assert_eq!(run(&release, &client(&url), &[], &path).unwrap().way, Way::Full);
    fs::write(&path, &slot(2, LENGTH)[..1000]).unwrap();
    assert_eq!(run(&release, &client(&url), &[], &path).unwrap().progress.present, 0);
    assert!(fs::read(&path).unwrap() == slot(2, LENGTH));
}

#[test]
fn servers_that_lie_about_parts_are_found_out() {
    let (world, release, path) = world();
    let (url, _requests) = serve(world.path(), Habit::OtherPart);
    assert_eq!(run(&release, &client(&url), &[], &path).unwrap().way, Way::Full);
    fs::remove_file(&path).unwrap();
    // The header is right by chance: it begins at the beginning.
    let (url, _requests) = serve(world.path(), Habit::Lies);
    let error = run(&release, &client(&url), &[slot(1, LENGTH)], &path).unwrap_err();
    assert!(matches!(error, DownloadError::WrongBytes { .. }), "{error:?}");
    let (url, _requests) = serve(world.path(), Habit::Sick);
    let error = run(&release, &client(&url), &[], &path).unwrap_err();
    assert!(matches!(error, DownloadError::Source(SourceError::Status { status: 500, .. })), "{error:?}");
    assert!(error.is_worth_retrying());
    assert!(fs::metadata(&path).unwrap().len() <= release.length);
}

#[test]
fn connections_that_break_are_made_again() {
    let (world, release, path) = world();
    let (url, _requests) = serve(world.path(), Habit::Breaks(2));
    run(&release, &client(&url), &[], &path).unwrap();
    fs::remove_file(&path).unwrap();
    let mut whole = release;
    whole.chunks = None;
    let (url, _requests) = serve(world.path(), Habit::Breaks(5));
    run(&whole, &client(&url), &[], &path).unwrap();
    assert!(fs::read(&path).unwrap() == slot(2, LENGTH));
    fs::remove_file(&path).unwrap();
    let (url, requests) = serve(world.path(), Habit::Breaks(u32::MAX));
    run(&whole, &client(&url), &[], &path).unwrap_err();
    assert!(requests.load(Ordering::SeqCst) < 20);
}

#[test]
fn bodies_without_end_have_one() {
    let (world, release, path) = world();
    let (url, _requests) = serve(world.path(), Habit::Endless);
    let error = load(&world, &client(&url)).unwrap_err();
    assert!(matches!(error, LoadError::Source(SourceError::TooLong { .. })), "{error:?}");
    let mut whole = release;
    whole.chunks = None;
    let error = run(&whole, &client(&url), &[], &path).unwrap_err();
    assert!(matches!(error, DownloadError::Source(SourceError::TooLong { .. })), "{error:?}");
    assert!(fs::metadata(&path).unwrap().len() <= whole.length);
}

#[test]
fn bodies_that_drip_are_given_up() {
    let (world, release, path) = world();
    let (url, _requests) = serve(world.path(), Habit::Drips);
    let error = load(&world, &client(&url)).unwrap_err();
    assert!(matches!(error, LoadError::Source(SourceError::TooSlow { .. })), "{error:?}");
    let error = run(&release, &client(&url), &[], &path).unwrap_err();
    assert!(matches!(error, DownloadError::Source(SourceError::TooSlow { .. })), "{error:?}");
}

#[test]
fn nobody_there_is_told() {
    let (world, release, path) = world();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = load(&world, &client(&url)).unwrap_err();
    assert!(matches!(error, LoadError::Source(SourceError::Unreachable { .. })), "{error:?}");
    assert!(run(&release, &client(&url), &[], &path).unwrap_err().is_worth_retrying());
}

/// Takes one `CONNECT`, then carries bytes to the server.
fn proxy() -> (String, Arc<AtomicU32>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let tunnels = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&tunnels);
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            let mut first = String::new();
            let mut reader = BufReader::new(client.try_clone().unwrap());
            reader.read_line(&mut first).unwrap();
            let mut line = String::new();
            while reader.read_line(&mut line).unwrap() > 2 {
                line.clear();
            }
            let target = first.strip_prefix("CONNECT ").unwrap().split(' ').next().unwrap().to_owned();
            let server = TcpStream::connect(target).unwrap();
            client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
            count.fetch_add(1, Ordering::SeqCst);
            let (mut up, mut down) = (server.try_clone().unwrap(), client.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut reader, &mut up).is_ok());
            let mut server = server;
            std::thread::spawn(move || std::io::copy(&mut server, &mut down).is_ok());
        }
    });
    (url, tunnels)
}

#[test]
fn a_proxy_is_used_when_there_is_one() {
    let (world, _release, _path) = world();
    let (url, _requests) = serve(world.path(), Habit::Honest);
    let (proxy, tunnels) = proxy();
    let settings = HttpSettings { proxy: Some(proxy), ..HttpSettings::new(url) };
    load(&world, &Http::new(&settings).unwrap()).unwrap();
    assert!(tunnels.load(Ordering::SeqCst) > 0);
}

/// Serves a folder over TLS, one connection after the other, with a certificate of its own authority: address and authority.
fn serve_tls(folder: PathBuf, names: &[&str]) -> (String, Vec<u8>) {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let signed = rcgen::generate_simple_self_signed(names).unwrap();
    let (certificate, key) = (signed.cert.der().clone(), signed.signing_key.serialize_der());
    let authority = certificate.to_vec();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], rustls::pki_types::PrivatePkcs8KeyDer::from(key).into())
        .unwrap();
    let (config, listener) = (Arc::new(config), TcpListener::bind("127.0.0.1:0").unwrap());
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = rustls::StreamOwned::new(connection, stream.unwrap());
            let mut request = BufReader::new(&mut stream);
            let mut lines = String::new();
            while request.read_line(&mut lines).is_ok_and(|length| length > 2) {}
            drop(request);
            // Clients that do not like the certificate go away.
            if answer(lines.as_bytes(), &mut stream, &folder, Habit::Honest, 0).is_ok() {
                stream.conn.send_close_notify();
                stream.flush().ok();
            }
        }
    });
    (url, authority)
}

#[test]
fn a_server_is_believed_to_be_who_its_certificate_says_and_no_other() {
    let (world, release, path) = world();
    let (url, authority) = serve_tls(world.path(), &["localhost"]);
    let reach = |url: &str, authorities: &[Vec<u8>]| {
        let settings =
            HttpSettings { authorities: authorities.to_vec(), ..HttpSettings::new(url.to_owned()) };
        Http::new(&settings).unwrap()
    };
    let own = std::slice::from_ref(&authority);
    load(&world, &reach(&url, own)).unwrap();
    let outcome = run(&release, &reach(&url, own), &[slot(1, LENGTH)], &path).unwrap();
    assert_eq!(outcome.way, Way::Chunks);
    assert!(fs::read(&path).unwrap() == slot(2, LENGTH));

    let (other_name, its_authority) = serve_tls(world.path(), &["updates.example"]);
    for (url, authorities) in [
        // Nobody that browsers know vouches for it; somebody else does; it is somebody else.
        (&url, vec![]),
        (&url, vec![its_authority.clone()]),
        (&other_name, vec![its_authority]),
    ] {
        let error = load(&world, &reach(url, &authorities)).unwrap_err();
        let LoadError::Source(SourceError::Unreachable { source, .. }) = error else { panic!("{error:?}") };
        assert!(format!("{source:?}").contains("Certificate"), "{source:?}");
    }
    // What begins with TLS does not end without it.
    let (plain, _requests) = serve(world.path(), Habit::Honest);
    let error = load(&world, &reach(&plain.replace("http:", "https:"), own)).unwrap_err();
    assert!(matches!(error, LoadError::Source(SourceError::Unreachable { .. })), "{error:?}");
}
