//! The registry of the distribution project, filled by skopeo.

use crate::world::go_on;
use crate::world::image;
use crate::world::layer;
use crate::world::store;
use crate::world::write_layout;
use containerd_lite::image::Digest;
use containerd_lite::image::Reference;
use containerd_lite::image::pull::Registries;
use containerd_lite::image::pull::pull;
use std::fs;
use std::net::TcpListener;
use std::net::TcpStream;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::thread;
use std::time::Duration;
use std::time::Instant;

struct Real {
    child: Child,
    host: String,
}

impl Drop for Real {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Real {
    fn start(folder: &Path) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let host = format!("127.0.0.1:{port}");
        let settings = format!(
            "version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {}\nhttp:\n  addr: {host}\n",
            folder.join("files").display()
        );
        fs::write(folder.join("registry.yml"), settings).unwrap();
        let child = Command::new("docker-registry")
            .arg("serve")
            .arg(folder.join("registry.yml"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("Debian's docker-registry");
        let deadline = Instant::now() + Duration::from_secs(120);
        while TcpStream::connect(&host).is_err() {
            assert!(Instant::now() < deadline, "the registry does not begin");
            thread::sleep(Duration::from_millis(50));
        }
        Self { child, host }
    }

    fn push(&self, layout: &Path, name: &str, further: &[&str]) {
        let pushed = Command::new("skopeo")
            .args(["--insecure-policy", "copy", "--dest-tls-verify=false"])
            .args(further)
            .arg(format!("oci:{}", layout.display()))
            .arg(format!("docker://{}/{name}", self.host))
            .output()
            .expect("Debian's skopeo");
        assert!(pushed.status.success(), "{}", String::from_utf8_lossy(&pushed.stderr));
    }

    fn name(&self, rest: &str) -> Reference {
        format!("{}/{rest}", self.host).parse().unwrap()
    }
}

#[test]
fn what_skopeo_pushed_is_pulled_by_tag_and_by_digest() {
    let folder = tempfile::tempdir().unwrap();
    let layout = folder.path().join("layout");
    write_layout(&layout, &image(&[layer("first", b"1"), layer("second", b"2")]), "latest");
    let real = Real::start(folder.path());
    let registries = Registries { plain_http: vec![real.host.clone()], ..Registries::default() };
    let store = store(&folder.path().join("store"));
    // In the kind of either party, with either compression.
    for (tag, further) in [
        ("1", &["--format", "oci"][..]),
        ("2", &["--format", "v2s2"]),
        ("3", &["--format", "oci", "--dest-compress-format", "zstd"]),
    ] {
        real.push(&layout, &format!("home/app:{tag}"), further);
        let by_tag = pull(&store, &real.name(&format!("home/app:{tag}")), &registries, &go_on).unwrap();
        let layers = store.layers(&by_tag);
        assert_eq!(fs::read(layers[0].join("first")).unwrap(), b"1");
        assert_eq!(fs::read(layers[1].join("second")).unwrap(), b"2");
        let digest = by_tag.resolved;
        let by_digest = pull(&store, &real.name(&format!("home/app@{digest}")), &registries, &go_on).unwrap();
        assert_eq!((by_digest.manifest, by_digest.layers), (by_tag.manifest, by_tag.layers));
    }
    // One set of layers for all of them.
    assert_eq!(fs::read_dir(folder.path().join("store/layers")).unwrap().count(), 2);
    let missing = real.name(&format!("home/app@{}", Digest::of(b"none")));
    let error = pull(&store, &missing, &registries, &go_on).unwrap_err();
    assert!(error.to_string().starts_with("the registry 127.0.0.1"), "{error}");
}
