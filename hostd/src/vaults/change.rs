//! Other credentials of a vault: recovery codes, passwords; and beginning anew.

use super::Vaults;
use super::error::VaultError;
use super::record;
use super::record::VaultRecord;
use super::recovery::Shown;
use crate::accounts::Accounts;
use crate::accounts::credentials::Attempt;
use crate::accounts::credentials::Password;
use crate::accounts::credentials::UserName;
use crate::accounts::session::TokenHash;
use std::net::IpAddr;
use vault::CredentialKind;
use vault::OpenVault;
use vault::RecoveryCode;
use vault::VaultDocument;
use zeroize::Zeroizing;

impl Vaults {
    /// Makes a recovery code, told only here. A code that somebody has on paper stays in force until the new one's end was typed
    /// back; where nobody has one, the new one is in force at once.
    ///
    /// # Errors
    ///
    /// [`VaultError::WrongKey`] when the password does not open the vault.
    pub async fn new_code(&self, user: &UserName, password: &str) -> Result<Zeroizing<String>, VaultError> {
        let _turn = self.turn.lock().await;
        self.require_settled(user)?;
        let record = self.record(user).await?.ok_or(VaultError::None)?;
        let (document, vault) = self.try_key(&record, Box::new(vault::Password::new(password))).await?;
        let code = RecoveryCode::random().map_err(|source| VaultError::Random { source })?;
        let next = record::set_credential(&document, &vault, &code)?;
        if !record.is_code_confirmed {
            self.records()?.keep_vault(user, &VaultRecord::of(&next, false)).await?;
        }
        let text = code.to_text();
        self.memory().shown.insert(user.clone(), Shown::new(&text, next));
        Ok(text)
    }

    /// Takes the end of the code that was shown last, as a sign that it is on paper: from now on it is the one.
    ///
    /// # Errors
    ///
    /// [`VaultError::NotItsEnd`], [`VaultError::NothingToConfirm`].
    pub async fn confirm_code(&self, user: &UserName, end: &str) -> Result<(), VaultError> {
        let _turn = self.turn.lock().await;
        let record = self.record(user).await?.ok_or(VaultError::None)?;
        let kept = record.document()?;
        let document = {
            let memory = self.memory();
            let shown = memory.shown.get(user).filter(|shown| shown.follows(&kept));
            let shown = shown.ok_or(VaultError::NothingToConfirm)?;
            if !shown.ends_with(end) {
                return Err(VaultError::NotItsEnd);
            }
            shown.document.clone()
        };
        self.records()?.keep_vault(user, &VaultRecord::of(&document, true)).await?;
        self.memory().shown.remove(user);
        Ok(())
    }

    /// Opens a vault with its recovery code and gives it the account's password again, which must be right.
    ///
    /// # Errors
    ///
    /// [`VaultError::WrongKey`], and what is wrong with the password.
    pub async fn adopt_password(
        &self,
        accounts: &Accounts,
        attempt: (&UserName, IpAddr),
        code: RecoveryCode,
        password: &str,
    ) -> Result<(), VaultError> {
        let (user, from) = attempt;
        accounts.check_password(user, Zeroizing::new(password.to_owned()), from).await?;
        let _turn = self.turn.lock().await;
        self.require_settled(user)?;
        let record = self.record(user).await?.ok_or(VaultError::None)?;
        let (document, vault) = self.try_key(&record, Box::new(code)).await?;
        let next = self.rewrap(&record, document, vault.clone(), vault::Password::new(password)).await?;
        self.records()?.keep_vault(user, &next).await?;
        self.show(user, &next.document()?, &vault).await
    }

    /// Changes a password, the account's and the vault's in one commit. All other sessions of the user end.
    ///
    /// A vault that another password opens, because the account's was reset, keeps that.
    ///
    /// # Errors
    ///
    /// What is wrong with the old password, and why the new one was not kept.
    pub async fn change_password(
        &self,
        accounts: &Accounts,
        attempt: (&UserName, IpAddr),
        (old, new): (&str, &Password),
        kept: Option<&TokenHash>,
    ) -> Result<(), VaultError> {
        let (name, from) = attempt;
        let typed = Zeroizing::new(old.to_owned());
        let user =
            accounts.right_user(Attempt { name: name.as_str().to_owned(), password: typed }, from).await?;
        let _turn = self.turn.lock().await;
        self.require_settled(name)?;
        let record = match self.record(name).await? {
            None => None,
            Some(record) => match self.try_key(&record, Box::new(vault::Password::new(old))).await {
                Ok((document, vault)) => {
                    Some(self.rewrap(&record, document, vault, record::credential(new)).await?)
                }
                Err(VaultError::WrongKey { .. }) => None,
                Err(error) => return Err(error),
            },
        };
        accounts.replace_password(user, new, record.as_ref(), kept).await?;
        self.memory().shown.remove(name);
        Ok(())
    }

    /// Gives an account another password by the recovery code of its vault, and the vault with it. All sessions end.
    ///
    /// # Errors
    ///
    /// [`VaultError::WrongKey`] also for a name that nobody has, so that nobody learns who lives here.
    pub async fn reset_password(
        &self,
        accounts: &Accounts,
        (name, from): (&str, IpAddr),
        code: RecoveryCode,
        new: &Password,
    ) -> Result<(), VaultError> {
        let wrong = || VaultError::WrongKey { kind: CredentialKind::RecoveryCode };
        self.records()?;
        accounts.count_try(name, from)?;
        let user = accounts.user(name).ok_or_else(wrong)?;
        let _turn = self.turn.lock().await;
        let record = self.record(&user.name).await?.ok_or_else(wrong)?;
        let (document, vault) = self.try_key(&record, Box::new(code)).await?;
        accounts.was_right(name, from);
        // Only now: whoever has not the code learns nothing.
        self.require_settled(&user.name)?;
        let next = self.rewrap(&record, document, vault, record::credential(new)).await?;
        let user_name = user.name.clone();
        accounts.replace_password(user, new, Some(&next), None).await?;
        self.close_apps(&user_name);
        self.lock_in_turn(&user_name).await.map(|_locking| ())
    }

    /// Gives a user a new, empty vault. The old one is kept, locked; nothing but its recovery code or its password of then opens
    /// it, and no way back is built into the box.
    ///
    /// # Errors
    ///
    /// What is wrong with the password, and why the new vault was not kept.
    pub async fn begin_anew(
        &self,
        accounts: &Accounts,
        (user, from): (&UserName, IpAddr),
        password: Password,
    ) -> Result<(), VaultError> {
        let text = Zeroizing::new(String::from_utf8_lossy(password.as_bytes()).into_owned());
        accounts.check_password(user, text.clone(), from).await?;
        let _turn = self.turn.lock().await;
        self.require_settled(user)?;
        let old = self.record(user).await?.ok_or(VaultError::None)?;
        let id = old.document()?.user().as_str().to_owned();
        let new = self.hasher.in_turn(move || record::make(&password)).await??;
        self.close_apps(user);
        self.lock_in_turn(user).await?;
        self.records()?.exchange_vault(user, (&id, &old), &new).await?;
        let (document, vault) = self.try_key(&new, Box::new(vault::Password::new(&text))).await?;
        self.show(user, &document, &vault).await
    }

    async fn rewrap(
        &self,
        record: &VaultRecord,
        document: VaultDocument,
        vault: OpenVault,
        password: vault::Password,
    ) -> Result<VaultRecord, VaultError> {
        let is_confirmed = record.is_code_confirmed;
        let next =
            self.hasher.in_turn(move || record::set_credential(&document, &vault, &password)).await??;
        Ok(VaultRecord::of(&next, is_confirmed))
    }
}
