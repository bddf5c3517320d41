//! From a described `/sys` and `/dev` to init's answer.

use super::*;
use std::os::unix::fs::symlink;
use tokio::io::AsyncBufReadExt;
use tokio::io::AsyncWriteExt;
use tokio::io::BufReader;
use tokio::net::UnixListener;

/// An init that notes what it is asked and reports a problem, or none.
fn init(folder: &Path, problem: Option<&'static str>) -> tokio::task::JoinHandle<ControlRequest> {
    let listener = UnixListener::bind(folder.join("control")).unwrap();
    let report = folder.join("report");
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        stream.read_line(&mut line).await.unwrap();
        stream.get_mut().write_all(b"{\"answer\":\"accepted\"}\n").await.unwrap();
        let request: ControlRequest = serde_json::from_str(&line).unwrap();
        let (ControlRequest::MountBackupDisk { order, .. } | ControlRequest::UnmountBackupDisk { order }) =
            request
        else {
            panic!("{request:?}");
        };
        // A report on an order before this one is not meant.
        let told =
            |order, problem: Option<&str>| BackupDiskReport { order, problem: problem.map(str::to_owned) };
        fs::write(&report, serde_json::to_vec(&told(order - 1, None)).unwrap()).unwrap();
        tokio::time::sleep(2 * LOOK_EVERY).await;
        fs::write(&report, serde_json::to_vec(&told(order, problem)).unwrap()).unwrap();
        request
    })
}

/// The box's own disk and one on USB, both with FAT.
fn disks(folder: &Path) -> BackupDisks {
    let (blocks, devices) = (folder.join("blocks"), folder.join("dev"));
    for (name, place) in [("vda1", "pci0/virtio0"), ("vda2", "pci0/virtio0"), ("sda1", "pci0/usb1")] {
        let disk = name.trim_end_matches(|letter: char| letter.is_ascii_digit());
        let device = folder.join(format!("devices/{place}/block/{disk}/{name}"));
        fs::create_dir_all(&device).unwrap();
        fs::create_dir_all(&blocks).unwrap();
        fs::create_dir_all(&devices).unwrap();
        fs::write(device.join("partition"), "1\n").unwrap();
        symlink(format!("../devices/{place}/block/{disk}/{name}"), blocks.join(name)).unwrap();
        let mut head = vec![0; 512];
        head[54..57].copy_from_slice(b"FAT");
        head[510..].copy_from_slice(&[0x55, 0xaa]);
        fs::write(devices.join(name), head).unwrap();
    }
    fs::write(folder.join("data"), "/dev/vda2").unwrap();
    let places = Places { blocks, devices, data: folder.join("data"), report: folder.join("report") };
    BackupDisks { appears_within: Duration::ZERO, ..BackupDisks::new(folder.join("control"), places) }
}

#[tokio::test]
async fn the_disk_on_usb_is_mounted_by_init() {
    let folder = tempfile::tempdir().unwrap();
    let disks = disks(folder.path());
    let asked = init(folder.path(), None);
    let mounted = disks.mount(None).await.unwrap();
    assert_eq!(mounted.folder, paths::BACKUP_FOLDER);
    let asked = asked.await.unwrap();
    assert!(
        matches!(&asked, ControlRequest::MountBackupDisk { device, .. } if device == "sda1"),
        "{asked:?}"
    );
}

#[tokio::test]
async fn a_disk_that_comes_up_slowly_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let disks = BackupDisks { appears_within: Duration::from_secs(600), ..disks(folder.path()) };
    let (place, aside) = (folder.path().join("blocks/sda1"), folder.path().join("sda1"));
    fs::rename(&place, &aside).unwrap();
    let asked = init(folder.path(), None);
    let mounting = tokio::spawn(async move { disks.mount(None).await });
    tokio::time::sleep(3 * LOOK_EVERY).await;
    assert!(!mounting.is_finished() && !asked.is_finished());
    fs::rename(&aside, &place).unwrap();
    mounting.await.unwrap().unwrap();
    assert!(
        matches!(asked.await.unwrap(), ControlRequest::MountBackupDisk { device, .. } if device == "sda1")
    );
}

#[tokio::test]
async fn what_init_says_against_it_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let disks = disks(folder.path());
    let asked = init(folder.path(), Some("mounting sda1: no such device"));
    let refused = disks.mount(None).await.unwrap_err();
    assert!(matches!(&refused, Storage1Error::NoDisk(why) if why.contains("no such device")), "{refused:?}");
    asked.await.unwrap();
    let nowhere = disks.mount(Some("attic".to_owned())).await.unwrap_err();
    assert!(matches!(&nowhere, Storage1Error::NoDisk(why) if why.contains("attic")), "{nowhere:?}");
}
