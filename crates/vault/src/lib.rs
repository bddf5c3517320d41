//! The key tree of a box (docs/spec/storage.md, "Keys"; why it is built this way: docs/adr/0017-key-tree.md).
//!
//! ```text
//!  system key (sealed by storaged)              password, recovery code, later passkey and wallet
//!      │ wraps                                       │ each opens its own wrap, none opens another's
//!      ▼                                             ▼
//!  SystemDocument: store keys, lookup keys      VaultDocument of one user: the vault key
//!                                                    │ derives
//!                                                    ▼
//!                                               keys of directories (fscrypt) and of the user's tables
//! ```
//!
//! * Everything about documents is pure but for random bytes: a change takes a document and returns the next one, which the
//!   caller writes in one commit. Until then the old one holds, and both are whole.
//! * [`directory`] is the only part that touches the system: it gives keys to the kernel and takes them back.
//! * There is no way from the system key, or from an administrator, to a vault key.
//!
//! Left to others: where documents lie, who may ask for what, how often a wrong password may be tried, and noticing that
//! a whole document was put back to an older one (the store's business).

mod change;
mod credential;
pub mod directory;
mod document;
mod encoding;
mod names;
mod open;
mod password;
mod recovery_code;
mod seal;
mod secret;
mod system;
#[cfg(test)]
mod tests;

pub use change::ChangeError;
pub use credential::Credential;
pub use credential::CredentialError;
pub use credential::CredentialKind;
pub use credential::KeyEncryptionKey;
pub use credential::Parameter;
pub use credential::Parameters;
pub use document::CredentialSummary;
pub use document::DecodeError;
pub use document::VaultDocument;
pub use names::CredentialId;
pub use names::KeyName;
pub use names::NameError;
pub use names::UserId;
pub use open::OpenError;
pub use open::OpenVault;
pub use password::Password;
pub use password::PasswordCost;
pub use recovery_code::RecoveryCode;
pub use recovery_code::RecoveryCodeError;
pub use secret::LookupKey;
pub use secret::RandomError;
pub use secret::StoreKey;
pub use secret::SystemKey;
pub use secret::VaultKey;
pub use system::SystemDocument;
pub use system::SystemError;
