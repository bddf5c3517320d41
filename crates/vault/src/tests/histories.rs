//! Random histories: at any moment the power may go, and what was committed last must open with what was acknowledged.

use proptest::prelude::*;
use zeroize::Zeroizing;

use super::credentials::Foreign;
use super::credentials::passkey;
use super::credentials::password;
use super::credentials::user;
use crate::ChangeError;
use crate::Credential;
use crate::CredentialId;
use crate::OpenError;
use crate::OpenVault;
use crate::Password;
use crate::RecoveryCode;
use crate::VaultDocument;

#[derive(Clone, Debug)]
enum Proof {
    Password(Password),
    Code(RecoveryCode),
    Passkey(Foreign),
}

impl Proof {
    fn credential(&self) -> &dyn Credential {
        match self {
            Self::Password(password) => password,
            Self::Code(code) => code,
            Self::Passkey(passkey) => passkey,
        }
    }

    fn new(kind: u8, number: u8) -> Self {
        match kind % 3 {
            0 => Self::Password(password(&format!("password {number}"))),
            1 => Self::Code(RecoveryCode::random().unwrap()),
            _other => Self::Passkey(passkey(number)),
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Operation {
    Add { kind: u8 },
    Replace { which: usize, kind: u8 },
    Remove { which: usize },
    BeginRotation,
    FinishRotation,
    OpenWith { which: usize },
}

/// Whether the next document reaches the disk.
#[derive(Clone, Copy, Debug)]
enum Power {
    Stays,
    Goes,
}

fn operation() -> impl Strategy<Value = (Operation, Power)> {
    let operation = prop_oneof![
        any::<u8>().prop_map(|kind| Operation::Add { kind }),
        (any::<usize>(), any::<u8>()).prop_map(|(which, kind)| Operation::Replace { which, kind }),
        any::<usize>().prop_map(|which| Operation::Remove { which }),
        Just(Operation::BeginRotation),
        Just(Operation::FinishRotation),
        any::<usize>().prop_map(|which| Operation::OpenWith { which }),
    ];
    (operation, prop_oneof![3 => Just(Power::Stays), 1 => Just(Power::Goes)])
}

/// What was acknowledged.
struct World {
    disk: Vec<u8>,
    vault: OpenVault,
    proofs: Vec<(CredentialId, Proof)>,
    gone: Vec<Proof>,
    keys: ([u8; 32], Option<[u8; 32]>),
    made: u8,
}

fn keys_of(vault: &OpenVault) -> ([u8; 32], Option<[u8; 32]>) {
    (*vault.current().expose(), vault.previous().map(|key| *key.expose()))
}

impl World {
    fn new() -> Self {
        let first = Proof::new(0, 0);
        let (document, vault) = VaultDocument::create(user(), first.credential()).unwrap();
        let keys = keys_of(&vault);
        let proofs = vec![(vault.credential(), first)];
        Self { disk: document.encode(), vault, proofs, gone: Vec::new(), keys, made: 0 }
    }

    fn document(&self) -> VaultDocument {
        VaultDocument::decode(&self.disk).unwrap()
    }

    fn run(&mut self, operation: Operation, power: Power) {
        let before = self.document();
        self.made += 1;
        let changed = match operation {
            Operation::Add { kind } => {
                let proof = Proof::new(kind, self.made);
                before
                    .add(&self.vault, proof.credential())
                    .map(|(next, id)| (next, self.vault.clone(), None, Some((id, proof))))
            }
            Operation::Replace { which, kind } => {
                let old = self.proofs[which % self.proofs.len()].0;
                let proof = Proof::new(kind, self.made);
                before
                    .replace(&self.vault, old, proof.credential())
                    .map(|(next, id)| (next, self.vault.clone(), Some(old), Some((id, proof))))
            }
            Operation::Remove { which } => {
                let old = self.proofs[which % self.proofs.len()].0;
                before.remove(&self.vault, old).map(|next| (next, self.vault.clone(), Some(old), None))
            }
            Operation::BeginRotation => {
                before.begin_rotation(&self.vault).map(|(next, vault)| (next, vault, None, None))
            }
            Operation::FinishRotation => {
                before.finish_rotation(&self.vault).map(|(next, vault)| (next, vault, None, None))
            }
            Operation::OpenWith { which } => {
                let proof = &self.proofs[which % self.proofs.len()].1;
                self.vault = before.open(proof.credential()).unwrap();
                return;
            }
        };
        match (changed, power) {
            (Ok((next, vault, old, new)), Power::Stays) => {
                assert_eq!(next.generation(), before.generation() + 1);
                self.disk = next.encode();
                self.keys = keys_of(&vault);
                self.vault = vault;
                if let Some(place) = self.proofs.iter().position(|(id, _)| Some(*id) == old) {
                    self.gone.push(self.proofs.remove(place).1);
                }
                self.proofs.extend(new);
            }
            // Everything in memory is gone; the vault is opened again from what is on the disk.
            (Ok(_), Power::Goes) => self.vault = self.document().open(self.proofs[0].1.credential()).unwrap(),
            (Err(refused), _) => assert!(
                matches!(
                    refused,
                    ChangeError::OnlyOne { .. }
                        | ChangeError::LastCredential
                        | ChangeError::Rotating
                        | ChangeError::NotRotating
                ),
                "{refused:?}"
            ),
        }
    }

    fn check(&self) {
        let document = self.document();
        assert_eq!(document.encode(), self.disk);
        assert_eq!(document.is_rotating(), self.keys.1.is_some());
        let ids: Vec<_> = document.credentials().map(|one| one.id).collect();
        for (id, proof) in &self.proofs {
            let vault = document.open(proof.credential()).unwrap();
            assert_eq!(keys_of(&vault), self.keys);
            assert_eq!(vault.credential(), *id);
            assert!(ids.contains(id));
        }
        assert_eq!(ids.len(), self.proofs.len());
        for proof in &self.gone {
            let error = document.open(proof.credential()).unwrap_err();
            assert!(
                matches!(error, OpenError::WrongCredential { .. } | OpenError::NoneOfKind { .. }),
                "{error:?}"
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_was_acknowledged_opens_after_every_step(history in prop::collection::vec(operation(), 1..24)) {
        let mut world = World::new();
        for (operation, power) in history {
            world.run(operation, power);
            world.check();
        }
    }
}

#[test]
fn a_removed_credential_does_not_follow_a_rotation() {
    let thief = passkey(66);
    let (document, vault) = VaultDocument::create(user(), &password("mine")).unwrap();
    let (with_thief, id) = document.add(&vault, &thief).unwrap();
    let stolen = with_thief.open(&thief).unwrap();

    let without = with_thief.remove(&vault, id).unwrap();
    let (rotated, vault) = without.begin_rotation(&vault).unwrap();
    let (rotated, vault) = rotated.finish_rotation(&vault).unwrap();

    // All that the thief kept: a private key, the anchor, the old vault key, every document.
    let private = Zeroizing::new([66; 32]);
    let keys = crate::open::CredentialKeys::of(&crate::KeyEncryptionKey::from_bytes(private));
    for entry in &rotated.credentials {
        for number in 0..=rotated.key_number {
            let place = entry.place(&rotated.user).of_current(number);
            assert!(
                crate::seal::unwrap_with(&keys.private, &stolen.anchor, &place, &entry.current).is_none()
            );
        }
    }
    assert!(!rotated.is_sealed_by(stolen.current()));
    assert_ne!(stolen.current().expose(), vault.current().expose());
    assert_eq!(
        rotated.open(&password("mine")).unwrap().current().expose(),
        vault.current().expose(),
        "the owner's password, which was not typed for the rotation, opens it"
    );
}
