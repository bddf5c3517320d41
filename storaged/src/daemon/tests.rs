//! Over real sockets, with headers in files, a TPM that is a fake and an init that is a socket.

use super::*;
use crate::health::Places;
use crate::testing::Fake;
use crate::testing::Locked;
use hostapi::storage1;
use hostapi::storage1::Storage1Error;
use hostapi::storage1::Storage1Proxy;
use model::storage::KeyKind;
use model::storage::StorageReport;
use model::storage::health::HealthReport;
use tokio::io::AsyncBufReadExt;
use tokio::io::AsyncWriteExt;
use tokio::io::BufReader;
use tokio::task::JoinHandle;

const DEADLINE: Duration = Duration::from_secs(120);

struct Running {
    proxy: Storage1Proxy<'static>,
    init: tokio::net::UnixListener,
    daemon: JoinHandle<Result<(), DaemonError>>,
}

async fn run_on(locked: &Locked, keeper: Keeper<Fake>) -> Running {
    let place = |name: &str| locked.folder.path().join(name);
    let listener = UnixListener::bind(place("bus.sock")).unwrap();
    listener.set_nonblocking(true).unwrap();
    let init = tokio::net::UnixListener::bind(place("control")).unwrap();
    let gauge = Gauge::new(locked.notes(), Places::default());
    let uid = rustix::process::getuid().as_raw();
    let settings = Settings {
        callers: Callers::new([uid], [(uid, "hostd")]),
        control: place("control"),
        boot_report: place("boot.json"),
    };
    let daemon = tokio::spawn(run(keeper, gauge, settings, listener));
    let proxy = within(storage1::connect(&place("bus.sock"))).await.unwrap();
    Running { proxy, init, daemon }
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future).await.expect("nothing happened before the deadline")
}

/// What init is asked; it answers with this line.
async fn asked(init: &tokio::net::UnixListener, answer: &str) -> String {
    let (stream, _peer) = within(init.accept()).await.unwrap();
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    within(stream.read_line(&mut line)).await.unwrap();
    stream.get_mut().write_all(format!("{answer}\n").as_bytes()).await.unwrap();
    line
}

async fn report(proxy: &Storage1Proxy<'static>) -> StorageReport {
    storage1::read_report(&proxy.report().await.unwrap()).unwrap()
}

#[tokio::test]
async fn a_locked_partition_is_opened_over_the_bus_and_init_is_told() {
    let locked = Locked::new();
    let Running { proxy, init, daemon } = run_on(&locked, locked.keeper()).await;
    assert!(matches!(report(&proxy).await.unlock, UnlockReport::Locked { .. }));
    assert!(matches!(proxy.seal_anew().await.unwrap_err(), Storage1Error::Locked(_)));
    for _ in 0..5 {
        let wrong = proxy.unlock("AAAA".to_owned()).await.unwrap_err();
        assert!(matches!(wrong, Storage1Error::WrongKey(_)), "{wrong:?}");
    }
    let wait = proxy.unlock(locked.recovery.to_text().to_string()).await.unwrap_err();
    assert!(wait.seconds_to_wait().is_some_and(|seconds| (1..=30).contains(&seconds)), "{wait:?}");
    drop(proxy);
    daemon.abort();
    drop(init);

    std::fs::remove_file(locked.folder.path().join("control")).unwrap();
    std::fs::remove_file(locked.folder.path().join("bus.sock")).unwrap();
    let Running { proxy, init, daemon: _daemon } = run_on(&locked, locked.keeper()).await;
    proxy.unlock(locked.recovery.to_text().to_string()).await.unwrap();
    assert_eq!(asked(&init, r#"{"answer":"accepted"}"#).await, "{\"ask\":\"open_data\"}\n");
    assert!(matches!(report(&proxy).await.unlock, UnlockReport::Opened { by: KeyKind::Recovery, .. }));
    let health: HealthReport = storage1::read_report(&proxy.health().await.unwrap()).unwrap();
    assert_eq!(health.disk, None, "a file is no disk");
    let again = proxy.unlock(String::new()).await.unwrap_err();
    assert!(matches!(again, Storage1Error::NotLocked(_)), "{again:?}");

    let text = proxy.new_recovery_key().await.unwrap();
    let wrong = proxy.confirm_recovery_key("0".to_owned()).await.unwrap_err();
    assert!(matches!(wrong, Storage1Error::NotItsEnd(_)), "{wrong:?}");
    proxy.confirm_recovery_key(text[text.len() - 9..].to_owned()).await.unwrap();
    let nothing = proxy.confirm_recovery_key(String::new()).await.unwrap_err();
    assert!(matches!(nothing, Storage1Error::NothingToConfirm(_)), "{nothing:?}");
    proxy.seal_anew().await.unwrap();
    let kinds: Vec<KeyKind> = report(&proxy).await.keys.into_iter().map(|slot| slot.kind).collect();
    assert_eq!(kinds, [KeyKind::Tpm, KeyKind::Recovery]);
}

#[tokio::test]
async fn what_a_run_before_opened_is_brought_up_also_when_init_refuses_first() {
    let locked = Locked::new();
    locked.keeper().unlock(&locked.recovery.to_text(), Duration::ZERO).unwrap();
    let data = DataReport::Locked { device: "/dev/vda2".to_owned(), reasons: Vec::new(), takes: Vec::new() };
    let boot = serde_json::to_vec(&BootReport { data, ..BootReport::default() }).unwrap();
    std::fs::write(locked.folder.path().join("boot.json"), boot).unwrap();
    let Running { proxy: _proxy, init, daemon: _daemon } = run_on(&locked, locked.keeper()).await;
    for answer in [r#"{"answer":"refused","reason":"busy"}"#, r#"{"answer":"accepted"}"#] {
        assert_eq!(asked(&init, answer).await, "{\"ask\":\"open_data\"}\n");
    }
}
