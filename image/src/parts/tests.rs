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
        packages: vec!["a".to_owned()],
        kernel: None,
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
