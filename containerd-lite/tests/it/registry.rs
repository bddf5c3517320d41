//! Pulling: from a registry that misbehaves and mends its ways, with a login, through a mirror, and from a real one.

mod real;

use crate::world::Fake;
use crate::world::go_on;
use crate::world::image;
use crate::world::layer;
use crate::world::listing;
use crate::world::send;
use crate::world::sound;
use crate::world::store;
use containerd_lite::image::Digest;
use containerd_lite::image::gather::Event;
use containerd_lite::image::gather::GatherError;
use containerd_lite::image::pull::Credentials;
use containerd_lite::image::pull::Endpoint;
use containerd_lite::image::pull::Registries;
use containerd_lite::image::pull::RegistryError;
use containerd_lite::image::pull::pull;
use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::net::TcpStream;
use std::ops::ControlFlow;
use std::sync::Barrier;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

fn large() -> Vec<u8> {
    layer("f", &(0..500_000_u32).flat_map(u32::to_le_bytes).collect::<Vec<u8>>())
}

#[test]
fn a_layer_that_breaks_off_is_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let image = image(&[large()]);
    let wanted = image.layers[0];
    let fake = Fake::start(Box::new(move |path, headers, stream| {
        if !path.contains(&wanted.hex()) {
            return sound(&image, path, stream);
        }
        let bytes = &image.blobs[&wanted];
        let range = headers.iter().find_map(|line| {
            let line = line.to_ascii_lowercase();
            line.strip_prefix("range: bytes=")?.strip_suffix('-')?.parse::<usize>().ok()
        });
        let from = range.unwrap_or(0);
        let (status, range) = match range {
            Some(from) => (
                "206 Partial Content",
                format!("content-range: bytes {from}-{}/{}\r\n", bytes.len() - 1, bytes.len()),
            ),
            None => ("200 OK", String::new()),
        };
        // Half a megabyte at a time.
        let until = (from + 500_000).min(bytes.len());
        write!(
            stream,
            "HTTP/1.1 {status}\r\nconnection: close\r\n{range}content-length: {}\r\n\r\n",
            bytes.len() - from
        )?;
        stream.write_all(&bytes[from..until])
    }));
    let kept = pull(&store, &fake.name(), &fake.registries(), &go_on).unwrap();
    assert!(fs::metadata(store.layers(&kept)[0].join("f")).unwrap().len() > 1_999_999);
    assert!(fake.asked("range: bytes=") >= 3);
    assert_eq!(fs::read_dir(folder.path().join("ingest")).unwrap().count(), 0);
}

#[test]
fn a_registry_that_stalls_is_given_up_and_gone_on_with_later() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let before = listing(folder.path());
    let image = image(&[large()]);
    let wanted = image.layers[0];
    let bytes = image.blobs[&wanted].clone();
    let stalling = Fake::start(Box::new(move |path, headers, stream| {
        if !path.contains(&wanted.hex()) {
            return sound(&image, path, stream);
        }
        if headers.iter().any(|line| line.eq_ignore_ascii_case("range: bytes=300000-")) {
            let (length, last) = (bytes.len(), bytes.len() - 1);
            let range = format!("content-range: bytes 300000-{last}/{length}\r\n");
            write!(
                stream,
                "HTTP/1.1 206 Partial Content\r\n{range}content-length: {}\r\n\r\n",
                length - 300_000
            )?;
        } else {
            write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", bytes.len())?;
            stream.write_all(&bytes[..300_000])?;
        }
        hold(stream)
    }));
    let registries = Registries { stall: Duration::from_millis(700), ..stalling.registries() };
    let error = pull(&store, &stalling.name(), &registries, &go_on).unwrap_err();
    assert!(matches!(error, GatherError::Stalled { bytes: 300_000, .. }), "{error:?}");
    assert_eq!(listing(folder.path()), before);
    assert_eq!(fs::metadata(folder.path().join("ingest").join(wanted.hex())).unwrap().len(), 300_000);
}

/// Says nothing until the other side has gone.
fn hold(stream: &mut TcpStream) -> std::io::Result<()> {
    std::io::copy(stream, &mut std::io::sink()).map(|_bytes| ())
}

#[test]
fn a_registry_that_is_silent_or_never_comes_to_an_end_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let before = listing(folder.path());
    let silent = Fake::start(Box::new(|_path, _headers, stream| hold(stream)));
    // A byte at a time, each well within the time, for a manifest that would take a day.
    let slow = Fake::start(Box::new(|_path, _headers, stream| {
        write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n")?;
        loop {
            stream.write_all(b" ")?;
            thread::sleep(Duration::from_millis(20));
        }
    }));
    for fake in [silent, slow] {
        let registries = Registries { stall: Duration::from_millis(200), ..fake.registries() };
        let error = pull(&store, &fake.name(), &registries, &go_on).unwrap_err();
        let GatherError::Registry(RegistryError::Silent { host }) = error else { panic!("{error:?}") };
        assert_eq!(host, fake.host);
        assert_eq!(listing(folder.path()), before);
    }
}

#[test]
fn three_layers_come_at_a_time_and_whoever_waits_sees_how_far() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let image = image(&[layer("a", b"1"), layer("b", b"2"), layer("c", b"3")]);
    let (length, documents) = (image.blobs[&image.layers[0]].len() as u64, image.clone());
    let together = Barrier::new(3);
    let fake = Fake::start(Box::new(move |path, _headers, stream| {
        if image.layers.iter().any(|layer| path.contains(&layer.hex())) {
            together.wait();
        }
        sound(&image, path, stream)
    }));
    let seen = Mutex::new(Vec::new());
    let watch = |event: &Event| {
        seen.lock().unwrap().push(event.clone());
        ControlFlow::Continue(())
    };
    pull(&store, &fake.name(), &fake.registries(), &watch).unwrap();
    let seen = seen.into_inner().unwrap();
    assert_eq!(seen[0], Event::Found { layers: 3, bytes: 3 * length });
    for layer in documents.layers {
        assert!(seen.contains(&Event::Fetched { layer, bytes: length, of: length }));
        assert!(seen.contains(&Event::Unpacking { layer }));
    }
}

#[test]
fn what_is_called_off_leaves_the_store_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let before = listing(folder.path());
    let image = image(&[layer("a", b"1"), layer("b", b"2")]);
    let fake = Fake::start(Box::new(move |path, _headers, stream| sound(&image, path, stream)));
    let steps: [fn(&Event) -> bool; 3] = [
        |event| matches!(event, Event::Found { .. }),
        |event| matches!(event, Event::Fetched { .. }),
        |event| matches!(event, Event::Unpacking { .. }),
    ];
    for step in steps {
        let watch = |event: &Event| {
            if step(event) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let error = pull(&store, &fake.name(), &fake.registries(), &watch).unwrap_err();
        assert!(matches!(error, GatherError::CalledOff), "{error:?}");
        assert_eq!(listing(folder.path()), before);
    }
    pull(&store, &fake.name(), &fake.registries(), &go_on).unwrap();
}

#[test]
fn a_token_is_fetched_and_shown_to_the_registry_only() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let image = image(&[layer("f", b"content")]);
    let files = image.clone();
    let elsewhere = Fake::start(Box::new(move |path, _headers, stream| sound(&files, path, stream)));
    let tokens =
        Fake::start(Box::new(|_path, _headers, stream| send(stream, "200 OK", "", br#"{"token":"t0ken"}"#)));
    let (realm, files) = (format!("http://{}/token", tokens.host), elsewhere.host.clone());
    let fake = Fake::start(Box::new(move |path, headers, stream| {
        if !headers.iter().any(|line| line.eq_ignore_ascii_case("authorization: Bearer t0ken")) {
            let challenge = format!("www-authenticate: Bearer realm=\"{realm}\",service=\"here\"\r\n");
            return send(stream, "401 Unauthorized", &challenge, b"");
        }
        if path.contains("/blobs/") {
            let target = path.split(' ').nth(1).unwrap_or_default();
            return send(
                stream,
                "307 Temporary Redirect",
                &format!("location: http://{files}{target}\r\n"),
                b"",
            );
        }
        sound(&image, path, stream)
    }));
    let login = Credentials { user: "ada".into(), password: "secret".to_owned().into() };
    let registries =
        Registries { credentials: BTreeMap::from([(fake.host.clone(), login)]), ..fake.registries() };
    pull(&store, &fake.name(), &registries, &go_on).unwrap();
    assert_eq!(tokens.asked("get /token?scope=repository:app:pull&service=here"), 1);
    assert_eq!(tokens.asked("authorization: basic ywrhonnly3jlda=="), 1);
    assert!(elsewhere.asked("/blobs/") >= 2);
    assert_eq!(elsewhere.asked("authorization"), 0);
}

#[test]
fn without_the_owners_word_nothing_is_plain() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let image = image(&[layer("f", b"")]);
    let fake = Fake::start(Box::new(move |path, _headers, stream| sound(&image, path, stream)));
    let registries = Registries { plain_http: Vec::new(), ..fake.registries() };
    let error = pull(&store, &fake.name(), &registries, &go_on).unwrap_err();
    assert!(matches!(error, GatherError::Registry(RegistryError::Unreachable { .. })), "{error:?}");
    assert_eq!(fake.asked("get "), 0);
}

#[test]
fn mirrors_are_asked_first_and_their_absence_is_no_failure() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let image = image(&[layer("f", b"content")]);
    let manifest = Digest::of(&image.manifest);
    let mirror = Fake::start(Box::new(move |path, _headers, stream| sound(&image, path, stream)));
    let empty = Fake::start(Box::new(|_path, _headers, stream| send(stream, "404 Not Found", "", b"")));
    let gone = Endpoint { host: "127.0.0.1:1".into(), plain_http: true };
    let plain = |fake: &Fake| Endpoint { host: fake.host.clone(), plain_http: true };
    let registries = Registries {
        mirrors: BTreeMap::from([("docker.io".into(), vec![gone, plain(&empty), plain(&mirror)])]),
        ..Registries::default()
    };
    let kept = pull(&store, &"redis".parse().unwrap(), &registries, &go_on).unwrap();
    assert_eq!(kept.manifest, manifest);
    assert_eq!(mirror.asked("get /v2/library/redis/manifests/latest"), 1);
}
