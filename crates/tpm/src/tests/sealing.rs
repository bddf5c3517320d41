use pcr::Digest;
use pcr::PolicyKey;
use pcr::Signatures;
use tss_esapi::constants::SessionType;
use tss_esapi::constants::response_code::Tss2ResponseCodeKind;
use tss_esapi::interface_types::session_handles::PolicySession;
use tss_esapi::structures::Auth;
use tss_esapi::structures::SensitiveData;

use super::SECRET;
use super::SPKI_HEAD;
use super::Signer;
use super::proxy::Proxy;
use super::seal;
use super::swtpm::Swtpm;
use super::value;
use crate::PolicyError;
use crate::SECURE_BOOT_REGISTER;
use crate::SLOT_REGISTER;
use crate::SealPolicy;
use crate::Sealed;
use crate::Tcti;
use crate::Tpm;
use crate::TpmError;
use crate::UnsealError;
use crate::session::Encrypts;
use crate::session::decode_public;

#[test]
fn a_sealed_secret_comes_back_also_after_a_restart_and_from_its_document() {
    let (mut swtpm, signer) = (Swtpm::new(), Signer::new());
    let mut tpm = swtpm.open();
    let signatures = signer.approve_present(&mut tpm);
    let sealed = seal(&mut tpm, &signer);
    assert_eq!(*tpm.unseal(&sealed, &signer.key, &signatures).unwrap(), SECRET);
    drop(tpm);

    swtpm.restart();
    let sealed = Sealed::from_json(sealed.to_json().as_bytes()).unwrap();
    assert_eq!(*swtpm.open().unseal(&sealed, &signer.key, &signatures).unwrap(), SECRET);
}

#[test]
fn the_policy_in_software_is_that_of_the_tpm() {
    let (swtpm, signer) = (Swtpm::new(), Signer::new());
    let mut tpm = swtpm.open();
    tpm.extend(SECURE_BOOT_REGISTER, b"firmware").unwrap();
    tpm.extend(23, b"more").unwrap();
    let storage = tpm.storage().unwrap();
    let policy_of = |tpm: &mut Tpm, session| {
        let policy = PolicySession::try_from(session).unwrap();
        Digest(tpm.context.policy_get_digest(policy).unwrap().as_slice().try_into().unwrap())
    };

    let session = tpm.session(&storage, SessionType::Policy, Encrypts::Answer).unwrap();
    tpm.require_registers(session, &[SLOT_REGISTER]).unwrap();
    let slot = tpm.read_pcrs(&[SLOT_REGISTER]).unwrap();
    assert_eq!(policy_of(&mut tpm, session), pcr::policy_pcr(&slot));
    tpm.flush_all();

    let storage = tpm.storage().unwrap();
    let session = tpm.session(&storage, SessionType::Policy, Encrypts::Answer).unwrap();
    let signature = signer.approve(slot[0].1);
    tpm.approve(session, &signer.key, &signature).unwrap();
    let authorized = pcr::policy_authorize(&signer.key);
    assert_eq!(policy_of(&mut tpm, session), authorized);
    tpm.require_registers(session, &[SECURE_BOOT_REGISTER, 23]).unwrap();
    let registers = tpm.read_pcrs(&[23, SECURE_BOOT_REGISTER]).unwrap();
    assert_eq!(policy_of(&mut tpm, session), pcr::policy_pcr_after(&authorized, &registers));
    tpm.flush_all();
}

#[test]
fn an_update_that_is_signed_unseals_at_once() {
    let (mut swtpm, signer) = (Swtpm::new(), Signer::new());
    let (old, new) = (pcr::measure(&Digest::ZERO, b"slot 1"), pcr::measure(&Digest::ZERO, b"slot 2"));
    let old_signatures = Signatures { entries: vec![signer.approve(old)] };
    let new_signatures = Signatures { entries: vec![signer.approve(Digest([9; 32])), signer.approve(new)] };

    let mut tpm = swtpm.open();
    tpm.extend(SLOT_REGISTER, b"slot 1").unwrap();
    let sealed = seal(&mut tpm, &signer);
    assert_eq!(*tpm.unseal(&sealed, &signer.key, &old_signatures).unwrap(), SECRET);
    drop(tpm);

    swtpm.restart();
    let mut tpm = swtpm.open();
    tpm.extend(SLOT_REGISTER, b"slot 2").unwrap();
    assert_eq!(*tpm.unseal(&sealed, &signer.key, &new_signatures).unwrap(), SECRET);
    let error = tpm.unseal(&sealed, &signer.key, &old_signatures).unwrap_err();
    assert!(matches!(error, UnsealError::OtherSystem), "{error}");
}

#[test]
fn nothing_unseals_after_one_more_measurement() {
    let (swtpm, signer) = (Swtpm::new(), Signer::new());
    let mut tpm = swtpm.open();
    let signatures = signer.approve_present(&mut tpm);
    let sealed = seal(&mut tpm, &signer);
    tpm.extend(SLOT_REGISTER, b"data is open").unwrap();
    let error = tpm.unseal(&sealed, &signer.key, &signatures).unwrap_err();
    assert!(matches!(error, UnsealError::OtherSystem), "{error}");
}

#[test]
fn signatures_that_do_not_hold_are_told_apart() {
    let (swtpm, signer, stranger) = (Swtpm::new(), Signer::new(), Signer::new());
    let mut tpm = swtpm.open();
    let sealed = seal(&mut tpm, &signer);
    let good = signer.approve(value(&mut tpm, SLOT_REGISTER));

    let by_stranger = stranger.approve_present(&mut tpm);
    let error = tpm.unseal(&sealed, &signer.key, &by_stranger).unwrap_err();
    assert!(matches!(error, UnsealError::NotSigned), "{error}");
    let error = tpm.unseal(&sealed, &stranger.key, &by_stranger).unwrap_err();
    assert!(matches!(error, UnsealError::OtherPolicyKey), "{error}");
    let error = tpm.unseal(&sealed, &signer.key, &Signatures::default()).unwrap_err();
    assert!(matches!(error, UnsealError::NotSigned), "{error}");

    // Somebody writes the policy's digest and the right fingerprint beside a signature of theirs, or for another slot.
    let other_slot = signer.approve(Digest([9; 32])).signature;
    for signature in [by_stranger.entries[0].signature, other_slot, [0; 64], [0xff; 64]] {
        let forged = Signatures { entries: vec![pcr::Signature { signature, ..good.clone() }] };
        let error = tpm.unseal(&sealed, &signer.key, &forged).unwrap_err();
        assert!(matches!(error, UnsealError::WrongSignature), "{error:?}");
    }
    let signatures = Signatures { entries: vec![good] };
    assert_eq!(*tpm.unseal(&sealed, &signer.key, &signatures).unwrap(), SECRET);
}

#[test]
fn a_policy_key_that_is_no_point_of_its_curve_is_refused() {
    let swtpm = Swtpm::new();
    let mut tpm = swtpm.open();
    let key = PolicyKey::from_spki(&[SPKI_HEAD, &[4], &[7; 64]].concat()).unwrap();
    let sealed = tpm.seal(&SECRET, &SealPolicy::new(key)).unwrap();
    let slot = tpm.read_pcrs(&[SLOT_REGISTER]).unwrap();
    let (policy, pcrs) = (pcr::policy_pcr(&slot), vec![SLOT_REGISTER]);
    let entry = pcr::Signature { pcrs, key: key.fingerprint(), policy, signature: [7; 64] };
    let error = tpm.unseal(&sealed, &key, &Signatures { entries: vec![entry] }).unwrap_err();
    assert!(matches!(error, UnsealError::BadPolicyKey(_)), "{error:?}");
}

#[test]
fn a_changed_firmware_is_named_and_resealing_accepts_it() {
    let (swtpm, signer) = (Swtpm::new(), Signer::new());
    let mut tpm = swtpm.open();
    let signatures = signer.approve_present(&mut tpm);
    let policy = SealPolicy::with_registers(signer.key, &[SECURE_BOOT_REGISTER, 2]).unwrap();
    let sealed = tpm.seal(&SECRET, &policy).unwrap();
    tpm.extend(SECURE_BOOT_REGISTER, b"another key").unwrap();
    let error = tpm.unseal(&sealed, &signer.key, &signatures).unwrap_err();
    assert!(
        matches!(&error, UnsealError::FirmwareChanged(changed) if *changed == [SECURE_BOOT_REGISTER]),
        "{error}"
    );

    let again = tpm.seal(&SECRET, &policy).unwrap();
    assert_eq!(*tpm.unseal(&again, &signer.key, &signatures).unwrap(), SECRET);
}

#[test]
fn the_tpm_itself_refuses_when_the_document_lies() {
    let (swtpm, signer, stranger) = (Swtpm::new(), Signer::new(), Signer::new());
    let mut tpm = swtpm.open();
    let sealed = seal(&mut tpm, &signer);
    let signatures = signer.approve_present(&mut tpm);

    // Another key approved what runs, and the document claims to have been sealed for it.
    let claimed = Sealed { key: stranger.key.fingerprint(), ..sealed.clone() };
    let approved = stranger.approve_present(&mut tpm);
    let error = tpm.unseal(&claimed, &stranger.key, &approved).unwrap_err();
    assert!(matches!(error, UnsealError::PolicyRefused(_)), "{error:?}");

    // The firmware changed, and the document claims that it was so at sealing.
    tpm.extend(SECURE_BOOT_REGISTER, b"another key").unwrap();
    let registers = tpm.read_pcrs(&[SECURE_BOOT_REGISTER]).unwrap();
    let claimed = Sealed { registers, ..sealed };
    let error = tpm.unseal(&claimed, &signer.key, &signatures).unwrap_err();
    assert!(matches!(error, UnsealError::PolicyRefused(_)), "{error:?}");
    // No wrong try counts.
    assert_eq!(tpm.lockout().unwrap().counter, 0);
}

#[test]
fn no_password_opens_a_sealed_secret() {
    let (swtpm, signer) = (Swtpm::new(), Signer::new());
    let mut tpm = swtpm.open();
    let sealed = seal(&mut tpm, &signer);
    let storage = tpm.storage().unwrap();
    let loaded = tpm.load(&storage, &sealed).unwrap();
    for password in ["", "guess"] {
        let password = Auth::try_from(password.as_bytes().to_vec()).unwrap();
        tpm.plain("", |context| context.tr_set_auth(loaded.into(), password)).unwrap();
        let error = tpm.with_empty_password("", |context| context.unseal(loaded.into())).unwrap_err();
        assert_eq!(error.code(), Some(Tss2ResponseCodeKind::AuthUnavailable), "{error:?}");
    }
    assert_eq!(tpm.lockout().unwrap().counter, 0);
    tpm.flush_all();
}

#[test]
fn damage_is_noticed_wherever_it_is() {
    let (swtpm, signer) = (Swtpm::new(), Signer::new());
    let mut tpm = swtpm.open();
    let sealed = seal(&mut tpm, &signer);
    let signatures = signer.approve_present(&mut tpm);
    let flipped = |bytes: &[u8], at: usize| {
        let mut bytes = bytes.to_vec();
        bytes[at] ^= 0x10;
        bytes
    };
    for at in [0, 40, sealed.private.len() - 1] {
        let damaged = Sealed { private: flipped(&sealed.private, at), ..sealed.clone() };
        let error = tpm.unseal(&damaged, &signer.key, &signatures).unwrap_err();
        assert!(matches!(error, UnsealError::Damaged(_)), "private {at}: {error:?}");
    }
    for at in [0, 4, 20, sealed.public.len() - 1] {
        let damaged = Sealed { public: flipped(&sealed.public, at), ..sealed.clone() };
        let error = tpm.unseal(&damaged, &signer.key, &signatures).unwrap_err();
        assert!(matches!(error, UnsealError::Damaged(_)), "public {at}: {error:?}");
    }
}

#[test]
fn another_tpm_and_a_cleared_one_are_recognised() {
    let (swtpm, other, signer) = (Swtpm::new(), Swtpm::new(), Signer::new());
    let mut tpm = swtpm.open();
    let sealed = seal(&mut tpm, &signer);
    let mut elsewhere = other.open();
    let signatures = signer.approve_present(&mut elsewhere);
    let error = elsewhere.unseal(&sealed, &signer.key, &signatures).unwrap_err();
    assert!(matches!(error, UnsealError::OtherTpm), "{error}");

    // The document claims to be of that TPM: its parent cannot decrypt it.
    let claimed = Sealed { storage: elsewhere.operation(Tpm::storage).unwrap().name, ..sealed.clone() };
    let error = elsewhere.unseal(&claimed, &signer.key, &signatures).unwrap_err();
    assert!(matches!(error, UnsealError::Damaged(_)), "{error:?}");

    super::failing::clear(&mut tpm);
    let error = tpm.unseal(&sealed, &signer.key, &signatures).unwrap_err();
    assert!(matches!(error, UnsealError::OtherTpm), "{error}");
}

#[test]
fn nothing_stays_loaded_whatever_happens() {
    let (swtpm, signer) = (Swtpm::new(), Signer::new());
    let mut tpm = swtpm.open();
    let sealed = seal(&mut tpm, &signer);
    let good = signer.approve_present(&mut tpm);
    let wrong =
        Signatures { entries: vec![pcr::Signature { signature: [7; 64], ..good.entries[0].clone() }] };
    let damaged = Sealed { private: vec![1; 10], ..sealed.clone() };
    // There is room for three objects and three sessions.
    for _ in 0..5 {
        tpm.unseal(&sealed, &signer.key, &wrong).unwrap_err();
        tpm.unseal(&damaged, &signer.key, &good).unwrap_err();
        assert_eq!(*tpm.unseal(&sealed, &signer.key, &good).unwrap(), SECRET);
    }
}

#[test]
fn the_secret_is_neither_on_the_wire_nor_in_what_is_shown() {
    let (swtpm, signer) = (Swtpm::new(), Signer::new());
    let proxy = Proxy::new(swtpm.port());
    let mut tpm = Tpm::open(&Tcti::Swtpm { port: proxy.port }).unwrap();
    let signatures = signer.approve_present(&mut tpm);
    let sealed = seal(&mut tpm, &signer);
    assert_eq!(*tpm.unseal(&sealed, &signer.key, &signatures).unwrap(), SECRET);

    let holds = |bytes: &[u8], wanted: &[u8]| bytes.windows(wanted.len()).any(|window| window == wanted);
    let [said, answered] = proxy.heard();
    // It did listen: the public area is in the clear, in what is made and in what is loaded.
    assert!(holds(&answered, &sealed.public) && holds(&said, &sealed.public));
    for part in SECRET.chunks(8) {
        assert!(!holds(&said, part) && !holds(&answered, part));
    }
    // And it does see the secret when there is no session that encrypts.
    let storage = tpm.storage().unwrap();
    let public = decode_public("", &sealed.public).unwrap();
    let content = SensitiveData::try_from(SECRET.to_vec()).unwrap();
    tpm.with_empty_password("", |context| {
        context.create(storage.key, public, None, Some(content), None, None)
    })
    .unwrap();
    assert!(holds(&proxy.heard()[0], &SECRET));
    tpm.flush_all();

    let shown = format!("{sealed:?} {tpm:?}");
    assert!(!shown.contains("116, 104, 105, 114") && !shown.contains("thirty-two"), "{shown}");
}

#[test]
fn registers_are_read_in_order_and_extended() {
    let swtpm = Swtpm::new();
    let mut tpm = swtpm.open();
    let all: Vec<u32> = (0..pcr::REGISTERS).rev().collect();
    let before = tpm.read_pcrs(&all).unwrap();
    assert!(before.iter().map(|(register, _)| *register).eq(0..pcr::REGISTERS));
    tpm.extend(SLOT_REGISTER, b"event").unwrap();
    let after = tpm.read_pcrs(&all).unwrap();
    for ((register, old), (_, new)) in before.iter().zip(&after) {
        let expected = if *register == SLOT_REGISTER { pcr::measure(old, b"event") } else { *old };
        assert_eq!(*new, expected, "{register}");
    }
    assert!(matches!(tpm.read_pcrs(&[24]).unwrap_err(), TpmError::NoRegister(24)));
    assert!(matches!(tpm.extend(24, b"").unwrap_err(), TpmError::NoRegister(24)));
}

#[test]
fn policies_over_other_registers_are_refused() {
    let key = Signer::new().key;
    assert_eq!(SealPolicy::with_registers(key, &[]).unwrap_err(), PolicyError::None);
    assert_eq!(SealPolicy::with_registers(key, &[7, 11]).unwrap_err(), PolicyError::Slot);
    assert_eq!(SealPolicy::with_registers(key, &[7, 24]).unwrap_err(), PolicyError::Missing(24));
    assert_eq!(SealPolicy::with_registers(key, &[7]).unwrap(), SealPolicy::new(key));
}
