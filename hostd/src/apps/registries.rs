//! What the owner says of registries. containerd-lite is told with each pull, and keeps none of it.

use super::Apps;
use super::error::AppsError;
use super::lock;
use model::containers::Registries;
use model::containers::Registry;
use model::containers::RegistryName;

impl Apps {
    /// All that was said.
    #[must_use]
    pub fn registries(&self) -> Registries {
        lock(&self.0.registries).clone()
    }

    /// What counts for an image, by its complete name: what was said of its registry and of those that are asked before it. Logins for others
    /// are not containerd-lite's business.
    #[must_use]
    pub fn registries_for(&self, image: &str) -> Registries {
        let all = lock(&self.0.registries);
        let registry = image.split('/').next().and_then(|first| first.parse::<RegistryName>().ok());
        let Some(registry) = registry else { return Registries::default() };
        let mirrors = all.0.get(&registry).into_iter().flat_map(|said| &said.mirrors);
        let asked = mirrors.map(|mirror| &mirror.host).chain([&registry]);
        Registries(asked.filter_map(|name| Some((name.clone(), all.0.get(name)?.clone()))).collect())
    }

    /// Keeps what is said of one, in the place of what was said before.
    ///
    /// # Errors
    ///
    /// When it cannot be meant, or cannot be kept.
    pub async fn set_registry(&self, name: RegistryName, registry: Registry) -> Result<(), AppsError> {
        let _in_turn = self.0.writing.lock().await;
        let mut registries = self.registries();
        registries.0.insert(name.clone(), registry.clone());
        registries.check().map_err(AppsError::InvalidRegistries)?;
        self.store()?.keep_registry(&name, &registry).await.map_err(AppsError::Keep)?;
        *lock(&self.0.registries) = registries;
        Ok(())
    }

    /// Forgets what was said of one; whether there was something.
    ///
    /// # Errors
    ///
    /// When that cannot be kept.
    pub async fn forget_registry(&self, name: &RegistryName) -> Result<bool, AppsError> {
        let _in_turn = self.0.writing.lock().await;
        let mut registries = self.registries();
        if registries.0.remove(name).is_none() {
            return Ok(false);
        }
        self.store()?.forget_registry(name).await.map_err(AppsError::Keep)?;
        *lock(&self.0.registries) = registries;
        Ok(true)
    }
}
