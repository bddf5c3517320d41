//! `org.hearthos.Storage1` over a socket pair, with a fake backend behind the glue.

use hostapi::peer::ConnectError;
use hostapi::peer::ServeError;
use hostapi::storage1;
use hostapi::storage1::Callers;
use hostapi::storage1::MAX_TYPED;
use hostapi::storage1::Storage1Backend;
use hostapi::storage1::Storage1Error;
use hostapi::storage1::Storage1Proxy;
use hostapi::storage1::StoreKey;
use hostapi::storage1::Typed;
use model::storage::KeyKind;
use model::storage::KeySlot;
use model::storage::StorageReport;
use model::storage::UnlockReport;
use model::storage::backup_disk::BackupDisk;
use model::storage::health::HealthReport;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UnixStream;
use zeroize::Zeroizing;

struct FakeStoraged;

fn report() -> StorageReport {
    let reasons = vec!["another TPM".to_owned()];
    StorageReport {
        unlock: UnlockReport::Locked { reasons, takes: vec![KeyKind::Recovery] },
        keys: vec![KeySlot { kind: KeyKind::Recovery, is_confirmed: false }],
        is_waiting_for_confirmation: true,
        older_copies: None,
        rotation: None,
    }
}

impl Storage1Backend for FakeStoraged {
    async fn health(&self) -> Result<HealthReport, Storage1Error> {
        Ok(HealthReport::default())
    }

    async fn report(&self) -> Result<StorageReport, Storage1Error> {
        Ok(report())
    }

    async fn unlock(&self, typed: Typed) -> Result<(), Storage1Error> {
        match typed.expose() {
            "right" => Ok(()),
            "late" => Err(Storage1Error::wait(Duration::from_millis(29_001))),
            _ => Err(Storage1Error::WrongKey(format!("{typed:?}"))),
        }
    }

    async fn new_recovery_key(&self) -> Result<Zeroizing<String>, Storage1Error> {
        Ok(Zeroizing::new("ABCD-EFGH".to_owned()))
    }

    async fn confirm_recovery_key(&self, end: Typed) -> Result<(), Storage1Error> {
        if end.expose() == "EFGH" { Ok(()) } else { Err(Storage1Error::NotItsEnd("no".to_owned())) }
    }

    async fn seal_anew(&self) -> Result<(), Storage1Error> {
        Err(Storage1Error::Locked("it is locked".to_owned()))
    }

    async fn set_passphrase(&self, passphrase: Typed) -> Result<(), Storage1Error> {
        if passphrase.expose() == "nine warm stones" {
            Ok(())
        } else {
            Err(Storage1Error::Refused("no".to_owned()))
        }
    }

    async fn check_recovery_key(&self, typed: Typed) -> Result<(), Storage1Error> {
        self.unlock(typed).await
    }

    async fn store_key(&self, name: &'static str) -> Result<StoreKey, Storage1Error> {
        assert_eq!(name, "attic");
        Ok(StoreKey::from_bytes(Zeroizing::new([7; 32])))
    }

    async fn adopt_store_key(&self, name: &'static str, key: StoreKey) -> Result<(), Storage1Error> {
        assert_eq!((name, key.expose()), ("attic", &[8; 32]));
        Ok(())
    }

    async fn read_anchor(&self) -> Result<Option<u64>, Storage1Error> {
        Ok(Some(41))
    }

    async fn advance_anchor(&self, number: u64) -> Result<(), Storage1Error> {
        Err(Storage1Error::NoCounter(number.to_string()))
    }

    async fn rotate_system_key(&self) -> Result<(), Storage1Error> {
        Ok(())
    }

    async fn rotate_volume_key(&self, typed: Typed) -> Result<(), Storage1Error> {
        self.unlock(typed).await
    }

    async fn mount_backup_disk(&self, label: Option<String>) -> Result<BackupDisk, Storage1Error> {
        match label.as_deref() {
            None => Ok(disk()),
            Some(label) => Err(Storage1Error::NoDisk(label.to_owned())),
        }
    }

    async fn unmount_backup_disk(&self) -> Result<(), Storage1Error> {
        Ok(())
    }
}

fn disk() -> BackupDisk {
    BackupDisk { folder: "/disk/backup".to_owned(), mounted_at: Some("/disk".to_owned()) }
}

#[tokio::test]
async fn a_backup_disk_is_mounted_by_its_name_or_without() {
    let proxy = proxy().await;
    let mounted = proxy.mount_backup_disk(String::new()).await.unwrap();
    assert_eq!(storage1::read_report::<BackupDisk>(&mounted).unwrap(), disk());
    for label in ["attic".to_owned(), "a".repeat(65)] {
        let none = proxy.mount_backup_disk(label).await.unwrap_err();
        assert!(matches!(none, Storage1Error::NoDisk(_)), "{none:?}");
    }
    proxy.unmount_backup_disk().await.unwrap();
}

async fn proxy() -> Storage1Proxy<'static> {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let own_uid = ours.peer_cred().unwrap().uid();
    let callers = Callers::new([own_uid], [(own_uid, "attic"), (own_uid + 1, "cellar")]);
    drop(tokio::spawn(async move { storage1::serve(theirs, Arc::new(FakeStoraged), &callers).await }));
    storage1::open(ours).await.unwrap()
}

#[tokio::test]
async fn every_method_reaches_the_backend_and_errors_keep_their_names() {
    let proxy = proxy().await;
    assert_eq!(storage1::read_report::<StorageReport>(&proxy.report().await.unwrap()).unwrap(), report());
    let health: HealthReport = storage1::read_report(&proxy.health().await.unwrap()).unwrap();
    assert_eq!(health, HealthReport::default());
    proxy.unlock("right".to_owned()).await.unwrap();
    assert_eq!(proxy.new_recovery_key().await.unwrap(), "ABCD-EFGH");
    proxy.confirm_recovery_key("EFGH".to_owned()).await.unwrap();
    assert!(matches!(
        proxy.confirm_recovery_key("x".to_owned()).await.unwrap_err(),
        Storage1Error::NotItsEnd(_)
    ));
    assert!(matches!(proxy.seal_anew().await.unwrap_err(), Storage1Error::Locked(_)));
    proxy.set_passphrase("nine warm stones".to_owned()).await.unwrap();
    let refused = proxy.set_passphrase("x".to_owned()).await.unwrap_err();
    assert!(matches!(refused, Storage1Error::Refused(_)), "{refused:?}");
}

#[tokio::test]
async fn a_daemon_gets_the_keys_of_its_own_stores_alone() {
    let proxy = proxy().await;
    assert_eq!(proxy.store_key("attic".to_owned()).await.unwrap(), [7; 32]);
    proxy.adopt_store_key("attic".to_owned(), vec![8; 32]).await.unwrap();
    for name in ["cellar", "", "attic "] {
        let refused = proxy.store_key(name.to_owned()).await.unwrap_err();
        assert!(matches!(refused, Storage1Error::NotYours(_)), "{refused:?}");
        let refused = proxy.adopt_store_key(name.to_owned(), vec![8; 32]).await.unwrap_err();
        assert!(matches!(refused, Storage1Error::NotYours(_)), "{refused:?}");
    }
    let short = proxy.adopt_store_key("attic".to_owned(), vec![8; 31]).await.unwrap_err();
    assert!(matches!(&short, Storage1Error::Refused(said) if said.contains("31")), "{short:?}");
    assert_eq!(format!("{:?}", StoreKey::from_bytes(Zeroizing::new([65; 32]))), "StoreKey(…)");
}

#[tokio::test]
async fn the_anchor_is_read_and_a_box_without_one_says_so() {
    let proxy = proxy().await;
    assert_eq!(proxy.read_anchor().await.unwrap(), (true, 41));
    let none = proxy.advance_anchor(42).await.unwrap_err();
    assert!(matches!(&none, Storage1Error::NoCounter(said) if said == "42"), "{none:?}");
    proxy.check_recovery_key("right".to_owned()).await.unwrap();
    assert!(matches!(
        proxy.check_recovery_key("x".to_owned()).await.unwrap_err(),
        Storage1Error::WrongKey(_)
    ));
    proxy.rotate_system_key().await.unwrap();
    proxy.rotate_volume_key("right".to_owned()).await.unwrap();
    let wrong = proxy.rotate_volume_key("x".to_owned()).await.unwrap_err();
    assert!(matches!(wrong, Storage1Error::WrongKey(_)), "{wrong:?}");
}

#[tokio::test]
async fn a_wait_is_told_in_whole_seconds_and_what_was_typed_never() {
    let proxy = proxy().await;
    let late = proxy.unlock("late".to_owned()).await.unwrap_err();
    assert_eq!(late.seconds_to_wait(), Some(30), "{late:?}");
    let wrong = proxy.unlock("my secret".to_owned()).await.unwrap_err();
    assert!(
        matches!(&wrong, Storage1Error::WrongKey(said) if said.contains('…') && !said.contains("secret"))
    );
    assert_eq!(wrong.seconds_to_wait(), None);
    assert_eq!(Storage1Error::wait(Duration::ZERO).seconds_to_wait(), Some(1));
}

#[tokio::test]
async fn what_is_typed_and_what_is_told_is_bounded() {
    let proxy = proxy().await;
    let longest = proxy.unlock("x".repeat(MAX_TYPED)).await.unwrap_err();
    assert!(matches!(&longest, Storage1Error::WrongKey(said) if said.contains('…')), "{longest:?}");
    let longer = proxy.unlock("x".repeat(MAX_TYPED + 1)).await.unwrap_err();
    assert!(matches!(&longer, Storage1Error::WrongKey(said) if said.contains("513")), "{longer:?}");
    storage1::read_report::<StorageReport>(&" ".repeat(storage1::MAX_REPORT + 1)).unwrap_err();
    storage1::read_report::<StorageReport>("{}").unwrap_err();
}

#[tokio::test]
async fn a_caller_that_is_not_on_the_list_is_refused_before_the_handshake() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let nobody = Callers::new([ours.peer_cred().unwrap().uid() + 1], []);
    let served = tokio::spawn(async move { storage1::serve(theirs, Arc::new(FakeStoraged), &nobody).await });
    let refused = served.await.unwrap().unwrap_err();
    assert!(matches!(&refused, ServeError::CallerRefused { interface, .. }
        if interface == "org.hearthos.Storage1"));
    assert!(matches!(storage1::open(ours).await.unwrap_err(), ConnectError::Bus { .. }));
}

/// Every change of the interface shows in review; write the new text with `HEARTH_BLESS=1`.
#[tokio::test]
async fn the_interface_is_the_one_in_the_checked_in_xml() {
    let proxy = proxy().await;
    let introspectable = zbus::fdo::IntrospectableProxy::builder(proxy.inner().connection())
        .destination("org.hearthos.Storage1")
        .path(storage1::PATH)
        .build()
        .await
        .unwrap();
    let xml = introspectable.introspect().await.unwrap();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("xml/org.hearthos.Storage1.xml");
    if std::env::var_os("HEARTH_BLESS").is_some() {
        std::fs::write(&file, &xml).unwrap();
    }
    let checked_in = std::fs::read_to_string(&file).unwrap();
    assert_eq!(
        xml, checked_in,
        "the interface changed: run this test with HEARTH_BLESS=1 and review the difference"
    );
}
