use super::*;
use crate::manifest;

/// A folder as Buildroot leaves it: merged `/usr`, a library with a link, a kernel with one module.
fn output(folder: &Path) -> Output {
    for (path, text) in [
        ("target/usr/sbin/mke2fs", "mke2fs"),
        ("target/usr/sbin/e2fsck", "e2fsck"),
        ("target/usr/sbin/resize2fs", "resize2fs"),
        ("target/etc/mke2fs.conf", "[defaults]"),
        ("target/usr/sbin/cryptsetup", "cryptsetup"),
        ("target/usr/lib/libtss2-tcti-device.so.0.0.0", "device"),
        ("target/usr/lib/libc.so.6", "libc"),
        ("target/usr/lib/libunowned.so", "nobody's"),
        ("target/usr/lib/modules/6.12.0/modules.builtin", "kernel/fs/ext4/ext4.ko\n"),
        ("target/usr/lib/modules/6.12.0/kernel/net/a.ko", "module"),
        ("images/bzImage", "kernel"),
        ("images/systemd-boot-efi/linuxx64.efi.stub", "stub"),
        ("images/systemd-boot-efi/systemd-bootx64.efi", "loader"),
        ("host/bin/mkfs.erofs", "mkfs"),
        ("host/bin/fsck.erofs", "fsck"),
    ] {
        put(folder, path, text);
    }
    let link = folder.join("target/usr/lib/libtss2-tcti-device.so.0");
    std::os::unix::fs::symlink("libtss2-tcti-device.so.0.0.0", link).unwrap();
    put(
        folder,
        "build/packages-file-list.txt",
        "e2fsprogs,./sbin/mke2fs\ne2fsprogs,./usr/sbin/e2fsck\ne2fsprogs,./usr/sbin/resize2fs\n\
         e2fsprogs,./etc/mke2fs.conf\ncryptsetup,./usr/sbin/cryptsetup\n\
         tpm2-tss,./usr/lib/libtss2-tcti-device.so.0\ntpm2-tss,./usr/lib/libtss2-tcti-device.so.0.0.0\n\
         glibc,./lib64/libc.so.6\n",
    );
    put(
        folder,
        "build/hearth-packages.txt",
        "\ncryptsetup|2.8.6|GPL-2.0+ (programs), LGPL-2.1+ (library)\ne2fsprogs|1.47.4|GPL-2.0\nlinux|6.12.0|GPL-2.0\n",
    );
    Output::new(folder)
}

fn put(folder: &Path, path: &str, text: &str) {
    let path = folder.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn board() -> Manifest {
    let boards = Path::new(env!("CARGO_MANIFEST_DIR")).join("../board-configs");
    manifest::load_for_source(&boards, "x86_64").unwrap()
}

#[test]
fn what_buildroot_made_is_laid_out_as_packages_are() {
    let folder = tempfile::tempdir().unwrap();
    let adopted = output(folder.path()).adopt(&board(), &folder.path().join("parts")).unwrap();
    let text = |package: &str, path: &str| {
        fs::read_to_string(adopted.board.get(package).unwrap().file(path).unwrap()).unwrap()
    };
    assert_eq!(text("e2fsprogs", "/usr/sbin/mke2fs"), "mke2fs");
    assert_eq!(text("cryptsetup", "/usr/sbin/cryptsetup"), "cryptsetup");
    assert_eq!(text("glibc", "/usr/lib/x86_64-linux-gnu/libc.so.6"), "libc");
    // The link that the manifest names became the file.
    assert_eq!(text("tpm2-tss", "/usr/lib/x86_64-linux-gnu/libtss2-tcti-device.so.0"), "device");
    assert_eq!(text("systemd-boot-efi", "/usr/lib/systemd/boot/efi/linuxx64.efi.stub"), "stub");
    let kernel = adopted.board.kernel().unwrap();
    assert_eq!(fs::read_to_string(kernel.file("/boot/vmlinuz-6.12.0").unwrap()).unwrap(), "kernel");
    kernel.file("/usr/lib/modules/6.12.0/kernel/net/a.ko").unwrap();
    assert_eq!(kernel.package.version, "6.12.0");
    adopted.tools.get("erofs-utils").unwrap().file("/usr/bin/mkfs.erofs").unwrap();

    let parts = &adopted.manifest.parts;
    let files: Vec<&String> = parts.files.keys().collect();
    assert_eq!(files, ["cryptsetup", "e2fsprogs", "tpm2-tss"]);
    assert_eq!(parts.libraries, ["glibc", "tpm2-tss"]);
    assert_eq!(parts.kernel, "linux-image-6.12.0");
    let mut named: Vec<&String> = parts.files.values().flatten().collect();
    let board = board();
    let mut asked: Vec<&String> = board.parts.files.values().flatten().collect();
    named.sort();
    asked.sort();
    assert_eq!(named, asked);
}

#[test]
fn what_starts_a_raspberry_pi_lies_flat_beside_its_kernel() {
    let folder = tempfile::tempdir().unwrap();
    let output = output(folder.path());
    let boards = Path::new(env!("CARGO_MANIFEST_DIR")).join("../board-configs");
    let mut board = board();
    board.parts.boot = manifest::load(&boards, "rpi4").unwrap().parts.boot;
    for (path, text) in [
        ("images/rpi-firmware/start4.elf", "start"),
        ("images/rpi-firmware/fixup4.dat", "fixup"),
        ("images/bcm2711-rpi-4-b.dtb", "tree"),
        ("images/bcm2711-rpi-400.dtb", "tree"),
    ] {
        put(folder.path(), path, text);
    }
    let parts = folder.path().join("parts");
    let adopted = output.adopt(&board, &parts).unwrap();
    let firmware = adopted.board.get("raspi-firmware").unwrap();
    firmware.file("/usr/lib/raspi-firmware/start4.elf").unwrap();
    let kernel = adopted.board.kernel().unwrap();
    kernel.file("/usr/lib/linux-image-6.12.0/broadcom/bcm2711-rpi-400.dtb").unwrap();
    fs::remove_file(folder.path().join("images/bcm2711-rpi-400.dtb")).unwrap();
    let error = output.adopt(&board, &parts).unwrap_err().to_string();
    assert!(error.contains("bcm2711-rpi-400.dtb"), "{error}");
}

#[test]
fn the_record_says_version_licence_and_where_it_comes_from() {
    let folder = tempfile::tempdir().unwrap();
    let output = output(folder.path());
    let parts = folder.path().join("parts");
    let first = output.adopt(&board(), &parts).unwrap().board.get("cryptsetup").unwrap().package.clone();
    assert_eq!((first.version.as_str(), first.size), ("2.8.6", 10));
    assert_eq!(first.source, "cryptsetup 2.8.6, GPL-2.0+ (programs), LGPL-2.1+ (library)");
    assert!(first.is_from_buildroot());
    // The same again, and another digest once a byte differs.
    let again = output.adopt(&board(), &parts).unwrap().board.get("cryptsetup").unwrap().package.clone();
    assert_eq!(again, first);
    put(folder.path(), "target/usr/sbin/cryptsetup", "Cryptsetup");
    let other = output.adopt(&board(), &parts).unwrap().board.get("cryptsetup").unwrap().package.clone();
    assert_ne!(other.sha256, first.sha256);
}

#[test]
fn what_is_missing_is_named() {
    for (gone, said) in [
        ("target/usr/sbin/cryptsetup", "cannot use"),
        ("images/bzImage", "exactly one kernel"),
        ("images/systemd-boot-efi/linuxx64.efi.stub", "linuxx64.efi.stub"),
        ("host/bin/mkfs.erofs", "mkfs.erofs"),
        ("build/hearth-packages.txt", "hearth-packages.txt"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let output = output(folder.path());
        fs::remove_file(folder.path().join(gone)).unwrap();
        let error = output.adopt(&board(), &folder.path().join("parts")).unwrap_err().to_string();
        assert!(error.contains(said), "{gone}: {error}");
    }
    let folder = tempfile::tempdir().unwrap();
    let output = output(folder.path());
    put(folder.path(), "build/packages-file-list.txt", "glibc,./lib/libc.so.6\n");
    let error = output.adopt(&board(), &folder.path().join("parts")).unwrap_err().to_string();
    assert!(error.starts_with("Buildroot installed no "), "{error}");
    put(folder.path(), "build/packages-file-list.txt", "glibc ./lib/libc.so.6\n");
    let error = output.adopt(&board(), &folder.path().join("parts")).unwrap_err().to_string();
    assert!(error.ends_with("packages-file-list.txt:1: expected <package>,./<path>"), "{error}");
}

#[test]
fn two_kernels_are_none() {
    let folder = tempfile::tempdir().unwrap();
    let output = output(folder.path());
    put(folder.path(), "target/usr/lib/modules/6.13.0/modules.builtin", "");
    let error = output.adopt(&board(), &folder.path().join("parts")).unwrap_err();
    assert!(matches!(error, BuildrootError::Kernel { .. }), "{error}");
}

#[test]
fn paths_are_the_same_whichever_link_they_go_by() {
    for path in ["sbin/mke2fs", "usr/sbin/mke2fs"] {
        assert_eq!(unified(path), "usr/sbin/mke2fs");
    }
    for path in ["lib64/libc.so.6", "usr/lib64/libc.so.6", "lib/libc.so.6"] {
        assert_eq!(unified(path), "usr/lib/libc.so.6");
    }
    assert_eq!(unified("etc/mke2fs.conf"), "etc/mke2fs.conf");
}
