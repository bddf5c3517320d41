//! TPMs that are not there, do not answer, or are in lockout.

use std::path::Path;

use tss_esapi::handles::AuthHandle;
use tss_esapi::interface_types::session_handles::AuthSession;
use tss_esapi::structures::Auth;
use tss_esapi::structures::SensitiveData;

use super::SECRET;
use super::Signer;
use super::seal;
use super::swtpm::Swtpm;
use super::swtpm::free_pair;
use super::swtpm::turn;
use super::wait_until;
use crate::OpenError;
use crate::Tcti;
use crate::Tpm;
use crate::TpmError;
use crate::UnsealError;
use crate::session::decode_public;

/// As an owner does in the firmware's settings.
pub(super) fn clear(tpm: &mut Tpm) {
    tpm.with_empty_password("clearing", |context| context.clear(AuthHandle::Lockout)).unwrap();
}

#[test]
fn no_tpm_is_told_apart_from_one_that_does_not_answer() {
    let folder = tempfile::tempdir().unwrap();
    let absent = folder.path().join("tpmrm0");
    let error = Tpm::open(&Tcti::Device(absent.clone())).unwrap_err();
    assert!(matches!(&error, OpenError::NoTpm { path } if *path == absent), "{error:?}");

    // Something that takes no commands.
    let error = Tpm::open(&Tcti::Device("/dev/null".into())).unwrap_err();
    assert!(matches!(error, OpenError::NotAnswering { .. }), "{error:?}");
    let error = Tpm::open(&Tcti::Device(folder.path().to_owned())).unwrap_err();
    assert!(matches!(error, OpenError::Device { .. }), "{error:?}");

    let turn = turn();
    let port = wait_until("two free ports", free_pair);
    let error = Tpm::open(&Tcti::Swtpm { port }).unwrap_err();
    drop(turn);
    assert!(matches!(error, OpenError::NotAnswering { .. }), "{error:?}");
    assert_eq!(Tcti::default(), Tcti::Device(Path::new("/dev/tpmrm0").to_owned()));
}

#[test]
fn a_tpm_that_no_firmware_started_is_said_to_be_unusable() {
    let swtpm = Swtpm::not_started();
    let error = Tpm::open(&Tcti::Swtpm { port: swtpm.port() }).unwrap_err();
    assert!(matches!(error, OpenError::Unusable { .. }), "{error:?}");
}

#[test]
fn a_tpm_that_stops_answering_is_said_to() {
    let (mut swtpm, signer) = (Swtpm::new(), Signer::new());
    let mut tpm = swtpm.open();
    let sealed = seal(&mut tpm, &signer);
    let signatures = signer.approve_present(&mut tpm);
    swtpm.stop();
    let error = tpm.unseal(&sealed, &signer.key, &signatures).unwrap_err();
    assert!(matches!(error, UnsealError::Tpm(TpmError::NotAnswering { .. })), "{error:?}");
    let error = tpm.read_pcrs(&[7]).unwrap_err();
    assert!(matches!(error, TpmError::NotAnswering { .. }), "{error:?}");
}

/// Guesses the password of an object that counts wrong tries, until the TPM takes no more.
fn guess_until_lockout(tpm: &mut Tpm) -> TpmError {
    tpm.operation(|tpm| {
        let storage = tpm.storage()?;
        // As `template::sealed` without a policy, without noDA and with userWithAuth.
        let public = b"\x00\x08\x00\x0b\x00\x00\x00\x52\x00\x00\x00\x10\x00\x00";
        let public = decode_public("", public)?;
        let password = Auth::try_from(b"right".to_vec()).unwrap();
        let content = SensitiveData::try_from(vec![1]).unwrap();
        let made = tpm.with_empty_password("", |context| {
            context.create(storage.key, public, Some(password), Some(content), None, None)
        })?;
        let object = tpm.with_empty_password("", |context| {
            context.load(storage.key, made.out_private, made.out_public)
        })?;
        tpm.loads(object);
        for _ in 0..100 {
            let wrong = Auth::try_from(b"wrong".to_vec()).unwrap();
            tpm.plain("", |context| context.tr_set_auth(object.into(), wrong))?;
            let sessions = [Some(AuthSession::Password), None];
            let error =
                tpm.with_sessions("guessing", sessions, |context| context.unseal(object.into())).unwrap_err();
            if matches!(error, TpmError::Lockout { .. }) {
                return Ok(error);
            }
        }
        Err(TpmError::NoRegister(0))
    })
    .unwrap()
}

#[test]
fn a_lockout_is_reported_and_does_not_keep_us_from_unsealing() {
    let (swtpm, signer) = (Swtpm::new(), Signer::new());
    let mut tpm = swtpm.open();
    let sealed = seal(&mut tpm, &signer);
    let signatures = signer.approve_present(&mut tpm);
    let before = tpm.lockout().unwrap();
    assert!(
        !before.locked && before.counter == 0 && before.max > 0 && !before.interval.is_zero(),
        "{before:?}"
    );

    let error = guess_until_lockout(&mut tpm);
    let after = tpm.lockout().unwrap();
    assert!(after.locked && after.counter >= after.max, "{after:?}");
    assert_eq!((after.max, after.interval), (before.max, before.interval));

    assert_eq!(*tpm.unseal(&sealed, &signer.key, &signatures).unwrap(), SECRET);
    // A TPM that does refuse us for it: its answer becomes a reason with the time to wait.
    let told = tpm.with_lockout_interval(error.into());
    assert!(matches!(&told, UnsealError::Lockout { interval } if *interval == before.interval), "{told:?}");
}
