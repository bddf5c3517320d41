//! Proofs for tests, and the rules about credentials one by one.

use zeroize::Zeroizing;

use crate::ChangeError;
use crate::Credential;
use crate::CredentialError;
use crate::CredentialKind;
use crate::KeyEncryptionKey;
use crate::OpenError;
use crate::Parameter;
use crate::Parameters;
use crate::Password;
use crate::PasswordCost;
use crate::RecoveryCode;
use crate::UserId;
use crate::VaultDocument;
use crate::document::CREDENTIALS_MAX;

/// A credential of another crate, as passkeys and wallets will be; also of a kind that nobody knows.
#[derive(Clone, Debug)]
pub(super) struct Foreign {
    pub(super) kind: CredentialKind,
    pub(super) output: [u8; 32],
}

impl Credential for Foreign {
    fn kind(&self) -> CredentialKind {
        self.kind.clone()
    }

    fn new_parameters(&self) -> Result<Parameters, CredentialError> {
        Ok(Parameters::from([("rp", Parameter::Text("hearth.local".to_owned()))]))
    }

    fn key_encryption_key(&self, _parameters: &Parameters) -> Result<KeyEncryptionKey, CredentialError> {
        Ok(KeyEncryptionKey::from_bytes(Zeroizing::new(self.output)))
    }
}

pub(super) fn passkey(output: u8) -> Foreign {
    Foreign { kind: CredentialKind::PasskeyPrf, output: [output; 32] }
}

pub(super) fn of_the_future(output: u8) -> Foreign {
    Foreign { kind: CredentialKind::try_from("smile-2030".to_owned()).unwrap(), output: [output; 32] }
}

pub(super) fn password(text: &str) -> Password {
    Password::with_cost(text, PasswordCost::new(8, 1, 1).unwrap())
}

pub(super) fn user() -> UserId {
    "ada".parse().unwrap()
}

#[test]
fn a_wrong_credential_opens_nothing() {
    let (document, vault) = VaultDocument::create(user(), &password("right")).unwrap();
    let error = document.open(&password("wrong")).unwrap_err();
    assert!(matches!(error, OpenError::WrongCredential { kind: CredentialKind::Password }));
    let error = document.open(&RecoveryCode::random().unwrap()).unwrap_err();
    assert!(matches!(error, OpenError::NoneOfKind { kind: CredentialKind::RecoveryCode }));
    let opened = document.open(&password("right")).unwrap();
    assert_eq!(opened.current().expose(), vault.current().expose());
    assert_eq!(opened.user(), &user());
}

#[test]
fn a_reset_password_opens_the_vault_only_after_the_recovery_code_did() {
    let code = RecoveryCode::random().unwrap();
    let (document, vault) = VaultDocument::create(user(), &password("forgotten")).unwrap();
    let (document, _id) = document.add(&vault, &code).unwrap();

    // The administrator gives the account a new password; nothing here takes part in that.
    let error = document.open(&password("reset")).unwrap_err();
    assert!(matches!(error, OpenError::WrongCredential { .. }));

    let opened = document.open(&code).unwrap();
    let forgotten = document.credentials().find(|one| one.kind == CredentialKind::Password).unwrap().id;
    let (document, _id) = document.replace(&opened, forgotten, &password("reset")).unwrap();
    assert_eq!(document.open(&password("reset")).unwrap().current().expose(), vault.current().expose());
    assert!(matches!(document.open(&password("forgotten")).unwrap_err(), OpenError::WrongCredential { .. }));
}

#[test]
fn what_opens_another_vault_changes_nothing_here() {
    let (document, _vault) = VaultDocument::create(user(), &password("same")).unwrap();
    let (_other, mallory) = VaultDocument::create("mallory".parse().unwrap(), &password("same")).unwrap();
    let code = RecoveryCode::random().unwrap();
    assert!(matches!(document.add(&mallory, &code).unwrap_err(), ChangeError::NotOpened));
    let id = document.credentials().next().unwrap().id;
    assert!(matches!(document.remove(&mallory, id).unwrap_err(), ChangeError::NotOpened));
    assert!(matches!(document.begin_rotation(&mallory).unwrap_err(), ChangeError::NotOpened));
    // Nor does a vault that was opened before a rotation.
    let stale = document.open(&password("same")).unwrap();
    let (rotated, _vault) = document.begin_rotation(&stale).unwrap();
    assert!(matches!(rotated.add(&stale, &code).unwrap_err(), ChangeError::NotOpened));
}

#[test]
fn something_that_opens_the_vault_is_always_left() {
    let (document, vault) = VaultDocument::create(user(), &password("only")).unwrap();
    assert!(matches!(document.remove(&vault, vault.credential()).unwrap_err(), ChangeError::LastCredential));
    // What this version cannot use does not count.
    let (document, _id) = document.add(&vault, &of_the_future(1)).unwrap();
    let (document, _id) = document.add(&vault, &passkey(2)).unwrap();
    assert!(matches!(document.remove(&vault, vault.credential()).unwrap_err(), ChangeError::LastCredential));
    assert!(matches!(
        document.replace(&vault, vault.credential(), &passkey(3)).unwrap_err(),
        ChangeError::LastCredential
    ));
    assert!(matches!(VaultDocument::create(user(), &passkey(4)).unwrap_err(), ChangeError::LastCredential));
}

#[test]
fn one_password_one_recovery_code_and_not_too_many_in_all() {
    let (mut document, vault) = VaultDocument::create(user(), &password("one")).unwrap();
    assert!(matches!(
        document.add(&vault, &password("two")).unwrap_err(),
        ChangeError::OnlyOne { kind: CredentialKind::Password }
    ));
    for output in 1..u8::try_from(CREDENTIALS_MAX).unwrap() {
        document = document.add(&vault, &passkey(output)).unwrap().0;
    }
    assert!(matches!(document.add(&vault, &passkey(99)).unwrap_err(), ChangeError::TooMany));
    document.open(&passkey(7)).unwrap();
    let wrong = document.open(&passkey(99)).unwrap_err();
    assert!(matches!(wrong, OpenError::WrongCredential { kind: CredentialKind::PasskeyPrf }));
}

#[test]
fn kinds_of_later_versions_are_kept_and_still_open_after_everything() {
    let future = of_the_future(9);
    let (document, vault) = VaultDocument::create(user(), &password("one")).unwrap();
    let (document, _id) = document.add(&vault, &future).unwrap();
    let (document, vault) = document.begin_rotation(&vault).unwrap();
    let (document, _id) = document.replace(&vault, vault.credential(), &password("two")).unwrap();
    let (document, vault) = document.finish_rotation(&vault).unwrap();
    let document = VaultDocument::decode(&document.encode()).unwrap();
    assert_eq!(document.open(&future).unwrap().current().expose(), vault.current().expose());
}

#[test]
fn nothing_secret_is_shown() {
    let (document, vault) = VaultDocument::create(user(), &password("one")).unwrap();
    let shown = format!("{vault:?}");
    assert!(shown.starts_with("OpenVault { user: UserId(\"ada\"), credential: "), "{shown}");
    assert!(shown.ends_with(", .. }") && !shown.contains("anchor"), "{shown}");
    assert!(!String::from_utf8(document.encode()).unwrap().contains("one"));
}
