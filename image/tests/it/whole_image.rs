//! Properties of a whole image: reproducible, complete, without anything that must not be there.

use image::BuildInputs;
use image::BuiltImage;
use image::digest::Sha256;
use image::parts::Choice;
use image::progress::Silent;
use image::root::Programs;
use image::root::RootError;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

const REPO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Programs, a console and the first build, made once for all tests.
struct Fixture {
    folder: tempfile::TempDir,
    programs: Programs,
    built: BuiltImage,
}

static FIXTURE: LazyLock<Fixture> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let fixed = compile(folder.path(), "fixed", &["-static"]);
    let dynamic = compile(folder.path(), "dynamic", &[]);
    let programs = Programs {
        containerd_lite: dynamic.clone(),
        init: fixed.clone(),
        netd: dynamic.clone(),
        hostd: dynamic.clone(),
        storaged: dynamic.clone(),
        installer: dynamic.clone(),
        containerd_lite_run: dynamic.clone(),
        containerd_lite_unpack: dynamic,
        app_init: fixed,
    };
    let console = folder.path().join("console/assets");
    fs::create_dir_all(&console).unwrap();
    fs::write(console.join("app.js"), "export const hearth = 1;\n".repeat(100)).unwrap();
    fs::write(folder.path().join("console/index.html"), "<!doctype html><title>Hearth</title>").unwrap();
    let built = build(folder.path(), "one", &programs).unwrap();
    Fixture { folder, programs, built }
});

/// A program that needs the C library, or is static.
fn compile(folder: &Path, name: &str, more: &[&str]) -> PathBuf {
    let source = folder.join(format!("{name}.c"));
    fs::write(&source, "#include <stdio.h>\nint main(void) { return puts(\"hearth\") < 0; }\n").unwrap();
    let program = folder.join(name);
    let made = Command::new("gcc").args(more).arg("-o").arg(&program).arg(&source).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    program
}

fn build(folder: &Path, name: &str, programs: &Programs) -> Result<BuiltImage, image::build::BuildError> {
    image::build(&BuildInputs {
        repo: Path::new(REPO),
        board: "x86_64",
        version: "0.0.1",
        out: &folder.join(name),
        cache: &Path::new(REPO).join("target/hearth/parts-cache"),
        programs,
        console: &folder.join("console"),
        choice: Choice::Kept,
        signer: None,
        policy: None,
        updates: None,
        progress: &Silent,
    })
}

#[test]
fn two_builds_are_bit_identical() {
    let fixture = &*FIXTURE;
    let again = build(fixture.folder.path(), "two", &fixture.programs).unwrap();
    for name in [
        "hearth.img",
        "hearth.img.zst",
        "slot.efi",
        "manifest.json",
        "sbom.spdx.json",
        "parts/root.erofs",
        "parts/initrd",
        "parts/cmdline",
    ] {
        let digest = |built: &BuiltImage| Sha256::of_file(&built.folder.join(name)).unwrap();
        assert_eq!(digest(&fixture.built), digest(&again), "{name}");
    }
}

#[test]
fn records_tell_what_the_image_holds() {
    let built = &FIXTURE.built;
    let read = |path: PathBuf| serde_json::from_slice::<serde_json::Value>(&fs::read(path).unwrap()).unwrap();
    let record = read(built.folder.join("manifest.json"));
    assert_eq!(record["version"], "0.0.1");
    assert_eq!(record["board"], "x86_64");
    assert_eq!(record["root_sha256"], built.root_sha256.to_string());
    let packages = record["packages"].as_array().unwrap();
    assert!(
        packages
            .iter()
            .any(|part| part["package"] == "libc6" && part["version"].as_str().unwrap().contains('.'))
    );
    let image = record["files"].as_array().unwrap().iter().find(|file| file["name"] == "hearth.img").unwrap();
    assert_eq!(image["sha256"], Sha256::of_file(&built.image).unwrap().to_string());
    assert_eq!(image["size"], fs::metadata(&built.image).unwrap().len());
    let sbom = read(built.folder.join("sbom.spdx.json"));
    let names: Vec<&str> =
        sbom["packages"].as_array().unwrap().iter().map(|part| part["name"].as_str().unwrap()).collect();
    for name in ["e2fsprogs", "libc6", "rustix", "serde", "systemd-boot-efi", "init", "hostd", "netd"] {
        assert!(names.contains(&name), "{name}");
    }
    assert!(!names.contains(&"proptest"), "crates of tests do not ship");
    let in_root = read(built.folder.join("root/usr/lib/hearth/manifest.json"));
    assert_eq!(in_root["manifest"]["board"]["name"], "x86_64");
}

#[test]
fn the_command_line_names_the_roots_digest() {
    let built = &FIXTURE.built;
    let cmdline = built.parts.cmdline().unwrap();
    let root = Sha256::of_file(&built.parts.path("root.erofs")).unwrap();
    assert_eq!(root, built.root_sha256);
    for word in [
        &format!("hearth.root=sha256:{root}"),
        "hearth.version=0.0.1",
        "hearth.board=x86_64",
        "rootfstype=ramfs",
    ] {
        assert!(cmdline.split(' ').any(|found| found == word), "{word}: {cmdline}");
    }
}

#[test]
fn the_root_has_its_programs_libraries_and_modules_and_no_agent() {
    let built = &FIXTURE.built;
    let root = built.folder.join("root");
    for path in [
        "usr/lib/hearth/init",
        "usr/lib/hearth/netd",
        "usr/lib/hearth/hostd",
        "usr/bin/dbus-daemon",
        "usr/lib/firmware/regulatory.db",
        "usr/lib/firmware/regulatory.db.p7s",
        "usr/libexec/iwd",
        "usr/sbin/cryptsetup",
        "usr/share/hearth/wifi/bus.conf",
        "usr/sbin/mke2fs",
        "usr/sbin/e2fsck",
        "usr/sbin/resize2fs",
        "etc/mke2fs.conf",
        "usr/lib/x86_64-linux-gnu/libc.so.6",
        "usr/lib/x86_64-linux-gnu/libext2fs.so.2",
        "usr/lib/x86_64-linux-gnu/libtss2-tcti-device.so.0",
        "usr/share/hearth/console/index.html",
        "usr/share/hearth/console/assets/app.js.gz",
    ] {
        assert!(root.join(path).is_file(), "{path}");
    }
    let release = String::from_utf8(built.parts.read("uname").unwrap()).unwrap();
    let modules = root.join("usr/lib/modules").join(release);
    let dep = fs::read_to_string(modules.join("modules.dep")).unwrap();
    for line in dep.lines() {
        for file in line.replace(':', "").split(' ') {
            assert!(modules.join(file).is_file(), "{file} of {line}");
        }
    }
    assert!(dep.contains("virtio_net.ko:") && dep.contains("nvme.ko:"), "{dep}");
    let initrd = built.parts.read("initrd").unwrap();
    assert!(!initrd.windows(6).any(|window| window == b"agent\0"), "images never hold the test agent");
    let order = String::from_utf8(built.parts.read("modules/order").unwrap()).unwrap();
    assert_eq!(order.lines().last(), Some("erofs.ko"));
}

#[test]
fn a_dynamic_init_a_missing_library_and_a_search_path_are_refused() {
    let fixture = &*FIXTURE;
    let programs = Programs { init: fixture.programs.netd.clone(), ..fixture.programs.clone() };
    let error = build(fixture.folder.path(), "dynamic-init", &programs).unwrap_err();
    assert!(
        error.to_string().starts_with("/usr/lib/hearth/init must be static, but needs /lib64/ld-linux"),
        "{error}"
    );
    let needy = compile(fixture.folder.path(), "needy", &["-Wl,--no-as-needed", "-lresolv"]);
    let programs = Programs { hostd: needy, ..fixture.programs.clone() };
    // libresolv is in libc6, which is listed: it ships because hostd needs it.
    build(fixture.folder.path(), "needy-image", &programs).unwrap();
    assert!(fixture.folder.path().join("needy-image/root/usr/lib/x86_64-linux-gnu/libresolv.so.2").is_file());
    let foreign = compile_with_foreign_library(fixture.folder.path());
    let programs = Programs { hostd: foreign, ..fixture.programs.clone() };
    let error = build(fixture.folder.path(), "foreign", &programs).unwrap_err();
    assert!(matches!(error, image::build::BuildError::Root(RootError::Library(_))), "{error}");
    assert!(error.to_string().contains("/usr/lib/hearth/hostd needs libforeign.so.1"), "{error}");
    let searching = compile(fixture.folder.path(), "searching", &["-Wl,-rpath,/home/builder/lib"]);
    let programs = Programs { hostd: searching, ..fixture.programs.clone() };
    let error = build(fixture.folder.path(), "searching-image", &programs).unwrap_err();
    let said = "/usr/lib/hearth/hostd looks for libraries in \"/home/builder/lib\" of its own";
    assert!(error.to_string().starts_with(said), "{error}");
}

fn compile_with_foreign_library(folder: &Path) -> PathBuf {
    let source = folder.join("foreign.c");
    fs::write(&source, "int foreign(void) { return 0; }\n").unwrap();
    let library = folder.join("libforeign.so");
    let shared = ["-shared", "-fPIC", "-Wl,-soname,libforeign.so.1", "-o"];
    let made = Command::new("gcc").args(shared).arg(&library).arg(&source).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    let search = format!("-L{}", folder.display());
    compile(folder, "needs-foreign", &["-Wl,--no-as-needed", &search, "-lforeign"])
}

/// Setuid bits and shells must stop a build wherever they come from: here from the console's folder.
#[test]
fn a_shell_in_the_root_stops_the_build() {
    let fixture = &*FIXTURE;
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("console")).unwrap();
    fs::write(folder.path().join("console/index.html"), "x").unwrap();
    fs::write(folder.path().join("console/run"), "#!/bin/sh\n").unwrap();
    let error = build(folder.path(), "out", &fixture.programs).unwrap_err();
    assert_eq!(error.to_string(), "/usr/share/hearth/console/run is a script: it must not be in the root");
}
