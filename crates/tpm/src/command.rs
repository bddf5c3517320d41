//! Running commands: errors say what was being done, and nothing stays loaded.

use tss_esapi::Context;
use tss_esapi::handles::ObjectHandle;
use tss_esapi::interface_types::session_handles::AuthSession;

use crate::Tpm;
use crate::TpmError;

impl Tpm {
    /// Runs an operation and removes from the TPM what it loaded. Without a resource manager a TPM has room for three
    /// objects.
    pub(crate) fn operation<T, E>(&mut self, run: impl FnOnce(&mut Self) -> Result<T, E>) -> Result<T, E> {
        let result = run(self);
        self.flush_all();
        result
    }

    /// Removes from the TPM what was loaded.
    pub(crate) fn flush_all(&mut self) {
        for handle in std::mem::take(&mut self.loaded).into_iter().rev() {
            if let Err(error) = self.context.flush_context(handle) {
                tracing::warn!(error = &error as &dyn std::error::Error, "something stays loaded in the TPM");
            }
        }
    }

    /// Remembers that the running operation loaded something.
    pub(crate) fn loads(&mut self, handle: impl Into<ObjectHandle>) {
        self.loaded.push(handle.into());
    }

    /// Runs a command with these sessions.
    pub(crate) fn with_sessions<T>(
        &mut self,
        doing: &'static str,
        sessions: [Option<AuthSession>; 2],
        command: impl FnOnce(&mut Context) -> tss_esapi::Result<T>,
    ) -> Result<T, TpmError> {
        let [first, second] = sessions;
        self.context
            .execute_with_sessions((first, second, None), command)
            .map_err(|source| TpmError::new(doing, source))
    }

    /// Runs a command that needs no authorization.
    pub(crate) fn plain<T>(
        &mut self,
        doing: &'static str,
        command: impl FnOnce(&mut Context) -> tss_esapi::Result<T>,
    ) -> Result<T, TpmError> {
        self.with_sessions(doing, [None, None], command)
    }

    /// Runs a command that is authorized by an empty password, as the owner hierarchy and registers are.
    pub(crate) fn with_empty_password<T>(
        &mut self,
        doing: &'static str,
        command: impl FnOnce(&mut Context) -> tss_esapi::Result<T>,
    ) -> Result<T, TpmError> {
        self.with_sessions(doing, [Some(AuthSession::Password), None], command)
    }
}
