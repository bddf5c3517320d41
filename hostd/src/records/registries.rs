//! What the owner says of registries, as it is kept.

use super::KeepError;
use super::LoadError;
use super::Records;
use super::json;
use super::parse;
use model::containers::Registries;
use model::containers::Registry;
use model::containers::RegistryName;
use store::Batch;

const REGISTRIES: &str = "registries";

impl Records {
    /// Reads what was said of registries; blocks on the disk.
    ///
    /// # Errors
    ///
    /// When the store cannot read it, or it is not what it should be.
    pub fn registries_blocking(&self) -> Result<Registries, LoadError> {
        let records = self.store.scan(REGISTRIES).map_err(|source| LoadError::Read { source })?;
        let named = records.iter().map(|(key, value)| {
            let (name, registry): (RegistryName, Registry) = parse(REGISTRIES, key, value)?;
            Ok((name, registry))
        });
        named.collect::<Result<_, _>>().map(Registries)
    }

    /// Keeps what was said of one, in the place of what was said before.
    ///
    /// # Errors
    ///
    /// When the store does not commit.
    pub async fn keep_registry(&self, name: &RegistryName, registry: &Registry) -> Result<(), KeepError> {
        self.commit(Batch::new().put(REGISTRIES, name.as_str().as_bytes(), json(&(name, registry))?)).await
    }

    /// Forgets what was said of one.
    ///
    /// # Errors
    ///
    /// When the store does not commit.
    pub async fn forget_registry(&self, name: &RegistryName) -> Result<(), KeepError> {
        self.commit(Batch::new().delete(REGISTRIES, name.as_str().as_bytes())).await
    }
}
