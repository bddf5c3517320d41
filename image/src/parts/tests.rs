use super::*;
use crate::progress::Silent;
use std::process::Command;

/// Makes a package with one file, as the distribution's tool makes it.
fn package(debs: &Path, name: &str) -> Package {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("DEBIAN")).unwrap();
    fs::create_dir_all(folder.path().join("usr/share")).unwrap();
    fs::write(folder.path().join("usr/share/text"), name).unwrap();
    let control = format!(
        "Package: {name}\nVersion: 1:2.0-1\nArchitecture: amd64\nSource: made-of\nMaintainer: A <a@b.test>\nDescription: x\n"
    );
    fs::write(folder.path().join("DEBIAN/control"), control).unwrap();
    let file = format!("{name}_2.0-1_amd64.deb");
    let path = debs.join(&file);
    let done = Command::new("dpkg-deb").arg("--build").arg(folder.path()).arg(&path).output().unwrap();
    assert!(done.status.success(), "{done:?}");
    let size = fs::metadata(&path).unwrap().len();
    describe(&path, file, size, Sha256::of_file(&path).unwrap()).unwrap()
}

fn request() -> Request {
    Request {
        arch: Arch::Amd64,
        suites: vec!["no-such-suite".to_owned()],
        sections: Vec::new(),
        packages: vec!["a".to_owned()],
        kernel: None,
        kernel_suite: None,
    }
}

#[test]
fn a_choice_is_known_again_by_what_was_asked_for() {
    let text = r#"Request { arch: Amd64, suites: ["no-such-suite"], packages: ["a"], kernel: None }"#;
    let known = Sha256::of(text.as_bytes()).to_string();
    assert_eq!(key(&request()), format!("amd64-{}", &known[..16]));
    let other = Request { sections: vec!["non-free-firmware".to_owned()], ..request() };
    assert_ne!(key(&other), key(&request()));
    assert_ne!(
        key(&Request { kernel_suite: Some("trixie-backports".to_owned()), ..request() }),
        key(&request())
    );
}

#[test]
fn a_kernel_in_pieces_is_put_together() {
    let cache = tempfile::tempdir().unwrap();
    let debs = cache.path().join("debs");
    fs::create_dir_all(&debs).unwrap();
    let part = |name: &str, file: &str| {
        let folder = cache.path().join("unpacked").join(name);
        fs::create_dir_all(folder.join("usr/lib/modules/7")).unwrap();
        fs::write(folder.join("usr/lib/modules/7").join(file), name).unwrap();
        Unpacked { package: package(&debs, name), folder }
    };
    let whole = [part("linux-image-7-a", "modules.builtin")];
    assert_eq!(kernel(cache.path(), &whole).unwrap().as_ref(), whole.first());
    let pieces = [
        part("linux-image-7-b", "nothing"),
        part("linux-base-7-b", "modules.builtin"),
        part("linux-binary-7-b", "vmlinuz"),
    ];
    let kernel = kernel(cache.path(), &pieces).unwrap().unwrap();
    assert_eq!(kernel.package.package, "linux-image-7-b");
    for file in ["modules.builtin", "vmlinuz"] {
        kernel.file(&format!("/usr/lib/modules/7/{file}")).unwrap();
    }
}

#[test]
fn a_package_describes_itself() {
    let debs = tempfile::tempdir().unwrap();
    let package = package(debs.path(), "a");
    assert_eq!((package.package.as_str(), package.version.as_str()), ("a", "1:2.0-1"));
    assert_eq!(package.source, "made-of (1:2.0-1)");
}

/// The suite does not exist, so that any attempt to ask the package manager fails.
#[test]
fn a_kept_choice_needs_no_package_manager() {
    let cache = tempfile::tempdir().unwrap();
    let debs = cache.path().join("debs");
    fs::create_dir_all(&debs).unwrap();
    let package = package(&debs, "a");
    let lock = cache.path().join(format!("lock-{}.json", key(&request())));
    write_lock(&lock, std::slice::from_ref(&package)).unwrap();
    for _twice in 0..2 {
        let parts = PartSet::prepare(cache.path(), &request(), Choice::Kept, &Silent).unwrap();
        let part = parts.get("a").unwrap();
        assert_eq!(fs::read_to_string(part.file("/usr/share/text").unwrap()).unwrap(), "a");
        assert_eq!(part.package, package);
        let error = part.file("/usr/share/other").unwrap_err();
        assert_eq!(error.to_string(), "package a 1:2.0-1 has no file /usr/share/other");
        assert!(matches!(parts.kernel(), Err(PartsError::NotListed { .. })));
    }
    let error = PartSet::prepare(cache.path(), &request(), Choice::Newest, &Silent).unwrap_err();
    assert!(matches!(error, PartsError::Apt(_)), "{error}");
}

#[test]
fn a_damaged_package_is_fetched_again() {
    let cache = tempfile::tempdir().unwrap();
    let debs = cache.path().join("debs");
    fs::create_dir_all(&debs).unwrap();
    let package = package(&debs, "a");
    let path = debs.join(&package.file);
    assert!(is_there(&path, package.size, package.sha256).unwrap());
    let mut bytes = fs::read(&path).unwrap();
    bytes[100] ^= 1;
    fs::write(&path, bytes).unwrap();
    assert!(check(&path, &package.file, package.sha256).is_err());
    assert!(!is_there(&path, package.size, package.sha256).unwrap());
    assert!(!path.exists());
}

#[test]
fn a_damaged_lock_is_named() {
    let cache = tempfile::tempdir().unwrap();
    let lock = cache.path().join("lock-x.json");
    assert_eq!(read_lock(&lock).unwrap(), None);
    fs::write(&lock, "{").unwrap();
    assert!(read_lock(&lock).unwrap_err().to_string().contains("remove it to choose again"));
}
