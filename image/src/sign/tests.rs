use super::*;
use authenticode::AttributeCertificateIterator;
use ring::signature::RSA_PKCS1_2048_8192_SHA256;
use ring::signature::UnparsedPublicKey;
use std::process::Command;

/// A fresh key and certificate, made by openssl: `(folder, key, certificate)`.
fn identity() -> (tempfile::TempDir, PathBuf, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let (key, certificate) = (folder.path().join("key.pem"), folder.path().join("cert.pem"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "rsa:2048", "-noenc", "-days", "3650", "-subj", "/CN=Hearth test"])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    (folder, key, certificate)
}

fn file() -> Vec<u8> {
    pe::append(&pe::tests::stub(4), &[pe::Section { name: ".linux", data: &[7; 999], memory: 0 }]).unwrap()
}

#[test]
fn a_signature_covers_the_file_and_verifies() {
    let (_folder, key, certificate) = identity();
    let signer = Signer::load(&key, &certificate).unwrap();
    let signed = signer.sign(&file()).unwrap();
    assert_eq!(digest(&signed).unwrap(), digest(&file()).unwrap());
    let view = PeFile { bytes: &signed, layout: Layout::of(&signed).unwrap() };
    let mut table = AttributeCertificateIterator::new(&view).unwrap().unwrap();
    let signature = table.next().unwrap().unwrap().get_authenticode_signature().unwrap();
    assert_eq!(signature.digest(), digest(&file()).unwrap().as_bytes());
    let attributes = signature.signer_info().signed_attrs.as_ref().unwrap().to_der().unwrap();
    let public = signer.key.public_key().as_ref().to_vec();
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public)
        .verify(&attributes, signature.signature())
        .unwrap();
    assert_eq!(signer.sign(&file()).unwrap(), signed, "signatures are reproducible");
    assert!(matches!(signer.sign(&signed), Err(SignError::Pe(PeError::Signed))));
}

/// The judge is another implementation, made for the same firmware.
#[test]
fn sbverify_accepts_the_signature_and_refuses_a_changed_file() {
    let (folder, key, certificate) = identity();
    let signed = Signer::load(&key, &certificate).unwrap().sign(&file()).unwrap();
    let path = folder.path().join("signed.efi");
    let verify = |bytes: &[u8], certificate: &Path| {
        fs::write(&path, bytes).unwrap();
        Command::new("sbverify").arg("--cert").arg(certificate).arg(&path).output().unwrap().status.success()
    };
    assert!(verify(&signed, &certificate));
    let mut changed = signed.clone();
    let at = file().len() - 600;
    changed[at] ^= 1;
    assert!(!verify(&changed, &certificate));
    let (_other, _key, foreign) = identity();
    assert!(!verify(&signed, &foreign));
}

#[test]
fn every_covered_byte_changes_the_digest() {
    let file = file();
    let before = digest(&file).unwrap();
    let layout = Layout::of(&file).unwrap();
    let excluded =
        [layout.checksum()..layout.checksum() + 4, layout.certificates()..layout.certificates() + 8];
    // Fields that say where something is make other changes than to the digest; the sections' content has none.
    for at in (0x200..file.len()).step_by(37).chain([0x30]).chain(excluded.iter().map(|range| range.start)) {
        let mut changed = file.clone();
        changed[at] ^= 0xff;
        let covered = !excluded.iter().any(|range| range.contains(&at));
        // A certificate table that lies outside of the file is an error, not another digest.
        let changed = digest(&changed).unwrap_or(before);
        assert_eq!(changed != before, covered, "byte {at}");
    }
}

#[test]
fn wrong_keys_are_refused() {
    let (_folder, key, certificate) = identity();
    let (_other_folder, other, _certificate) = identity();
    assert!(matches!(Signer::load(&other, &certificate), Err(SignError::Pair)));
    assert!(matches!(Signer::load(&certificate, &certificate), Err(SignError::Key { .. })));
    assert!(matches!(Signer::load(&key, &key), Err(SignError::Certificate { .. })));
    let shown = format!("{:?}", Signer::load(&key, &certificate).unwrap());
    assert!(shown.contains("not shown") && shown.contains("Hearth test"), "{shown}");
}
