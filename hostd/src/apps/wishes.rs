//! What people want of apps. Whatever changes something is kept before it is answered.

use super::Apps;
use super::Who;
use super::convert::GATEWAY_PORT;
use super::convert::assign_port;
use super::error::AppsError;
use super::error::port_taken;
use super::flow::Data;
use super::flow::InstallStep;
use super::flow::Phase;
use super::flow::RemoveStep;
use super::flow::UpdateStep;
use super::lock;
use super::permission;
use super::permission::Permission;
use super::policy;
use super::record::AppRecord;
use super::record::Edition;
use super::record::Owner;
use super::record::new_key;
use super::source;
use super::source::Read;
use super::source::Remark;
use super::source::Source;
use crate::accounts::credentials::UserName;
use crate::records::Role;
use app_manifest::Ask;
use app_manifest::Manifest;
use app_manifest::Scope;
use app_manifest::asks;
use model::apps::AppId;
use model::containers::Wanted;
use model::network::app_policy::InvalidPolicy;
use model::network::app_policy::RESERVED_PORTS;
use model::network::names::AppKey;
use sha2::Digest;
use sha2::Sha256;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::error::Error;

/// What somebody wants installed, or in the place of what they have.
#[derive(Clone, Debug)]
pub struct Wish {
    /// What; nothing for what the app was made of before, with what its images are called now.
    pub source: Option<Source>,
    /// The app that it takes the place of; nothing for a new one.
    pub update: Option<AppKey>,
    /// The app whose data it takes up; it was removed.
    pub data_of: Option<AppKey>,
    /// For whom it is to be, where what it is made of does not say: an image, or a Compose file. Nothing for who asks alone.
    pub scope: Option<Scope>,
    /// What it is to be called; nothing for what it wants itself, or with a number where that is taken.
    pub id: Option<AppId>,
}

/// What somebody is shown before they agree. Nothing has changed.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// What the app says of itself.
    pub manifest: Manifest,
    /// Whether it was made from the name of an image.
    pub is_bare: bool,
    /// What it will be called.
    pub id: AppId,
    /// Whose it will be.
    pub owner: Owner,
    /// What it asks for; of an update what it asks for beyond what it has.
    pub asks: Vec<Ask>,
    /// What was left out or done otherwise.
    pub notes: Vec<Remark>,
    /// For what it cannot be installed; empty when it can be.
    pub refusals: Vec<Remark>,
    /// Stands for all that was shown.
    pub shown: String,
    links: BTreeMap<AppId, AppKey>,
}

impl Apps {
    /// Says what something asks for, and what stands against it.
    ///
    /// # Errors
    ///
    /// [`AppsError::Refused`] when it is nothing that could be shown, and when the app to update is not theirs.
    pub fn inspect(&self, who: Who<'_>, wish: &Wish) -> Result<Inspection, AppsError> {
        self.require_records()?;
        let before = match &wish.update {
            Some(key) => Some(installed(&self.managed(who, key)?)?),
            None => None,
        };
        let read = match (&wish.source, &before) {
            (Some(source), _) => source::read(source).map_err(AppsError::Refused)?,
            (None, Some((_, edition))) => {
                Read { manifest: edition.manifest.clone(), notes: vec![], is_bare: edition.is_bare }
            }
            (None, None) => {
                return Err(AppsError::Refused(vec![Remark::whole("nothing was said of what to install")]));
            }
        };
        let Read { mut manifest, notes, is_bare } = read;
        if matches!(wish.source, Some(Source::Image(_) | Source::Compose(_))) {
            // What was there before says for whom it is.
            let kept = wish.update.as_ref().or(wish.data_of.as_ref()).and_then(|key| self.record(key));
            manifest.scope = match kept.map(|record| record.owner) {
                Some(Owner::Household) => Scope::System,
                Some(Owner::User(_)) => Scope::User,
                None => wish.scope.unwrap_or_default(),
            };
        }
        let owner = match (&before, manifest.scope) {
            (Some((record, _)), _) => record.owner.clone(),
            (None, Scope::System) => Owner::Household,
            (None, Scope::User) => Owner::User(who.user.clone()),
        };
        let mut refusals = Vec::new();
        let is_household = owner == Owner::Household;
        if is_household && who.role != Role::Owner {
            refusals.push(Remark::whole(
                "it is for the whole household, and only the owner of the box installs such apps",
            ));
        }
        if before.is_some() && is_household != (manifest.scope == Scope::System) {
            refusals.push(Remark::whole(
                "the new version is for another circle of people: remove the app and install it anew",
            ));
        }
        let key = wish.update.as_ref().or(wish.data_of.as_ref());
        let id = match &before {
            Some((record, _)) => record.id.clone(),
            None => self.id_for(wish, key, &manifest)?,
        };
        if let Some(key) = &wish.data_of {
            self.require_leftover(who, key, &owner)?;
        }
        let had = before.as_ref().map(|(_, edition)| edition);
        let links = self.links(&owner, key, &manifest, had, &mut refusals);
        let asks = match &before {
            Some((_, edition)) => permission::added(&edition.manifest, &edition.granted, &manifest),
            None => asks(&manifest),
        };
        let granted = match &before {
            Some((_, edition)) => permission::carried(&edition.manifest, &edition.granted, &manifest),
            None => permission::asked(&manifest),
        };
        refusals.extend(self.conflict(key, &id, &owner, edition_of(&manifest, granted, &links, is_bare)));
        let shown = digest(&manifest, &id, &owner, &asks, &links, wish);
        Ok(Inspection { manifest, is_bare, id, owner, asks, notes, refusals, shown, links })
    }

    /// Begins to install what was shown. With `granted`, only these permissions of those that it asks for.
    ///
    /// # Errors
    ///
    /// When it is not what was shown, cannot be installed, or not be kept.
    pub async fn install(
        &self,
        who: Who<'_>,
        wish: &Wish,
        shown: &str,
        granted: Option<BTreeSet<Permission>>,
    ) -> Result<AppRecord, AppsError> {
        let _writing = self.0.writing.lock().await;
        let Inspection { manifest, is_bare, id, owner, links, .. } = self.agreed(who, wish, shown)?;
        let asked = permission::asked(&manifest);
        let granted = granted.unwrap_or_else(|| asked.clone());
        require_asked(&granted, &asked)?;
        let edition = edition_of(&manifest, granted, &links, is_bare);
        let takes_up = wish.data_of.is_some();
        let (key, secret) = match &wish.data_of {
            Some(key) => (key.clone(), self.record(key).and_then(|record| record.secret)),
            None => (new_key().map_err(AppsError::Key)?, None),
        };
        let phase = Phase::Installing { edition, takes_up, step: InstallStep::Pull };
        let record = AppRecord { key, id, owner, phase, problem: None, secret };
        self.keep(record.clone()).await?;
        self.carry_on(record.key.clone());
        Ok(record)
    }

    /// Begins to put what was shown in the place of an app's version.
    ///
    /// # Errors
    ///
    /// As [`Self::install`].
    pub async fn update(&self, who: Who<'_>, wish: &Wish, shown: &str) -> Result<AppRecord, AppsError> {
        let _writing = self.0.writing.lock().await;
        let key = wish.update.as_ref().ok_or(AppsError::NoSuchApp)?;
        let (record, old) = installed(&self.managed(who, key)?)?;
        let Inspection { manifest, is_bare, links, .. } = self.agreed(who, wish, shown)?;
        let granted = permission::carried(&old.manifest, &old.granted, &manifest);
        let new = edition_of(&manifest, granted, &links, is_bare);
        let world = self.0.containerd.look().await.map_err(AppsError::Containerd)?;
        let was_running = world.app(key).is_none_or(|app| app.wanted == Wanted::Running);
        let phase = Phase::Updating { old: Box::new(old), new, was_running, step: UpdateStep::Pull };
        let record = AppRecord { phase, problem: None, ..record };
        self.keep(record.clone()).await?;
        self.carry_on(record.key.clone());
        Ok(record)
    }

    /// Begins to remove an app; or calls off its installation, or the update for which images are still pulled.
    ///
    /// # Errors
    ///
    /// When it is not theirs, something else is being done to it, or that cannot be kept.
    pub async fn remove(&self, who: Who<'_>, key: &AppKey, data: Data) -> Result<(), AppsError> {
        let _writing = self.0.writing.lock().await;
        let record = self.managed(who, key)?;
        let edition = match record.phase.clone() {
            Phase::Installing { .. } | Phase::Updating { step: UpdateStep::Pull, .. } => {
                self.0.called_off.send_modify(|keys| {
                    keys.insert(key.clone());
                });
                return Ok(());
            }
            Phase::Updating { .. } | Phase::Removing { .. } => return Err(AppsError::Busy),
            Phase::Removed { .. } if data == Data::Keep => return Ok(()),
            Phase::Installed { edition } | Phase::Removed { edition } => edition,
        };
        self.begin_removal(record, edition, data).await
    }

    /// Begins to remove all apps of somebody who has gone, with their data.
    ///
    /// # Errors
    ///
    /// When that cannot be kept; the next start tries it again.
    pub async fn remove_all_of(&self, user: &UserName) -> Result<(), AppsError> {
        let owner = Owner::User(user.clone());
        self.remove_where(|record| record.owner == owner).await
    }

    /// The same for everybody who is not among these: a cut may have come between a user's going and that of their apps.
    pub async fn remove_orphans(&self, users: &[UserName]) {
        let is_orphan = |record: &AppRecord| match &record.owner {
            Owner::User(user) => !users.contains(user),
            Owner::Household => false,
        };
        if let Err(error) = self.remove_where(is_orphan).await {
            tracing::error!(error = &error as &dyn Error, "apps of somebody who has gone are left");
        }
    }

    async fn remove_where(&self, is_meant: impl Fn(&AppRecord) -> bool) -> Result<(), AppsError> {
        let _writing = self.0.writing.lock().await;
        for record in self.all().into_iter().filter(|record| is_meant(record)) {
            // Whatever else is being done to it comes to nothing. Its task finds another phase, and carries on with that.
            let was_at_rest = record.phase.action().is_none();
            let edition = record.phase.subject().clone();
            let key = record.key.clone();
            let phase = Phase::Removing { edition, data: Data::Delete, step: RemoveStep::Take };
            self.0.called_off.send_modify(|keys| {
                keys.insert(key.clone());
            });
            self.keep(AppRecord { phase, problem: None, ..record }).await?;
            if was_at_rest {
                self.carry_on(key);
            }
        }
        Ok(())
    }

    async fn begin_removal(&self, record: AppRecord, edition: Edition, data: Data) -> Result<(), AppsError> {
        let key = record.key.clone();
        let phase = Phase::Removing { edition, data, step: RemoveStep::Take };
        self.keep(AppRecord { phase, problem: None, ..record }).await?;
        self.carry_on(key);
        Ok(())
    }

    /// Gives an app another ID. Everything else of it stays.
    ///
    /// # Errors
    ///
    /// When it is not theirs, another app has the ID, or that cannot be kept.
    pub async fn rename(&self, who: Who<'_>, key: &AppKey, id: AppId) -> Result<AppRecord, AppsError> {
        let _writing = self.0.writing.lock().await;
        let record = self.managed(who, key)?;
        if self.is_taken(&id, Some(key)) {
            return Err(AppsError::IdTaken);
        }
        let record = AppRecord { id, ..record };
        self.keep(record.clone()).await?;
        Ok(record)
    }

    /// Gives an app these permissions of those that it asks for, and no others. What was taken away ends at once.
    ///
    /// # Errors
    ///
    /// When it is not theirs, does not ask for one, that cannot be kept; or when netd does not take it: then it is kept, and netd is told
    /// when it is back.
    pub async fn permit(
        &self,
        who: Who<'_>,
        key: &AppKey,
        granted: BTreeSet<Permission>,
    ) -> Result<AppRecord, AppsError> {
        let _writing = self.0.writing.lock().await;
        let (record, edition) = installed(&self.managed(who, key)?)?;
        require_asked(&granted, &permission::asked(&edition.manifest))?;
        let mut links = edition.links.clone();
        for wish in granted.difference(&edition.granted) {
            // Given anew, it is to the app that has the ID now.
            if let Permission::App { app, .. } = wish
                && let Some(to) = self.find_link(&record.owner, Some(key), app)
            {
                links.insert(app.clone(), to);
            }
        }
        let edition = Edition { granted, links, ..edition };
        if let Some(refusal) = self.conflict(Some(key), &record.id, &record.owner, edition.clone()) {
            return Err(AppsError::Refused(vec![refusal]));
        }
        let record = AppRecord { phase: Phase::Installed { edition }, ..record };
        self.keep(record.clone()).await?;
        if let Err(error) = self.send_policy().await {
            self.0.untold.notify_one();
            return Err(error);
        }
        Ok(record)
    }

    /// Starts, stops or restarts an app.
    ///
    /// # Errors
    ///
    /// When it is not theirs, something is being done to it, or containerd-lite does not do it.
    pub async fn run(&self, who: Who<'_>, key: &AppKey, run: Run) -> Result<(), AppsError> {
        installed(&self.managed(who, key)?)?;
        let containerd = &self.0.containerd;
        let done = match run {
            Run::Start => containerd.start(key).await,
            Run::Stop => containerd.stop(key).await,
            Run::Restart => containerd.restart(key).await,
        };
        done.map_err(AppsError::Containerd)
    }

    /// What was inspected, if it is what somebody agreed to and nothing stands against it.
    fn agreed(&self, who: Who<'_>, wish: &Wish, shown: &str) -> Result<Inspection, AppsError> {
        let inspection = self.inspect(who, wish)?;
        if !inspection.refusals.is_empty() {
            return Err(AppsError::Refused(inspection.refusals));
        }
        if inspection.shown == shown { Ok(inspection) } else { Err(AppsError::NotWhatWasShown) }
    }

    /// Without the records of all apps nothing can be said of one.
    fn require_records(&self) -> Result<(), AppsError> {
        self.store()?;
        match lock(&self.0.trouble).clone() {
            Some(reason) => Err(AppsError::NoStore { reason }),
            None => Ok(()),
        }
    }

    fn require_leftover(&self, who: Who<'_>, key: &AppKey, owner: &Owner) -> Result<(), AppsError> {
        let record = self.managed(who, key)?;
        if record.is_leftover() && record.owner == *owner { Ok(()) } else { Err(AppsError::NoSuchApp) }
    }

    fn id_for(&self, wish: &Wish, own: Option<&AppKey>, manifest: &Manifest) -> Result<AppId, AppsError> {
        match &wish.id {
            Some(id) if self.is_taken(id, own) => Err(AppsError::IdTaken),
            Some(id) => Ok(id.clone()),
            None => {
                let wished = source::wished_id(manifest).map_err(AppsError::Id)?;
                Ok(source::free_id(wished, |id| self.is_taken(id, own)))
            }
        }
    }

    /// Whether an app has the ID. Each opens a page of its own in the home network, so also one that the asker does not see counts.
    fn is_taken(&self, id: &AppId, but: Option<&AppKey>) -> bool {
        self.all().iter().any(|record| record.id == *id && Some(&record.key) != but)
    }

    /// The app that one wants to reach, among those of the same owner: by the ID it has, else by the one that it would like.
    fn find_link(&self, owner: &Owner, own: Option<&AppKey>, wish: &AppId) -> Option<AppKey> {
        let mut here = self.all();
        here.retain(|other| other.owner == *owner && !other.is_leftover() && Some(&other.key) != own);
        let by_id = here.iter().find(|other| other.id == *wish);
        let by_wish = || here.iter().find(|other| other.edition().manifest.id.as_ref() == Some(wish));
        by_id.or_else(by_wish).map(|other| other.key.clone())
    }

    /// The apps that a manifest wants to reach. What an older version wanted stays what it was: another app that has the ID by now was
    /// never agreed to.
    fn links(
        &self,
        owner: &Owner,
        own: Option<&AppKey>,
        manifest: &Manifest,
        before: Option<&Edition>,
        refusals: &mut Vec<Remark>,
    ) -> BTreeMap<AppId, AppKey> {
        let mut links = BTreeMap::new();
        for wish in &manifest.permissions.apps {
            let wanted =
                |edition: &&Edition| edition.manifest.permissions.apps.iter().any(|had| had.app == wish.app);
            if let Some(before) = before.filter(wanted) {
                links.extend(before.links.get(&wish.app).map(|key| (wish.app.clone(), key.clone())));
                continue;
            }
            match self.find_link(owner, own, &wish.app) {
                Some(key) => drop(links.insert(wish.app.clone(), key)),
                None => refusals.push(Remark {
                    place: "/permissions/apps".to_owned(),
                    line: None,
                    words: format!(
                        "it wants to reach the app {}, which is not installed: install that first",
                        wish.app
                    ),
                }),
            }
        }
        links
    }

    /// What of its permissions does not fit those of the others.
    fn conflict(&self, key: Option<&AppKey>, id: &AppId, owner: &Owner, edition: Edition) -> Option<Remark> {
        let inbound = edition.manifest.permissions.inbound.iter().find(|wish| {
            let number = wish.port.number.get();
            number == GATEWAY_PORT || RESERVED_PORTS.contains(&number)
        });
        if let Some(wish) = inbound {
            return Some(Remark::whole(port_taken(&wish.port.to_string())));
        }
        // A key that no app has; the policy is only checked.
        let key = key.cloned().or_else(|| "new".parse().ok())?;
        let mut all = self.all();
        all.retain(|other| other.key != key);
        let phase = Phase::Installed { edition };
        all.push(AppRecord { key, id: id.clone(), owner: owner.clone(), phase, problem: None, secret: None });
        let words = match policy::policy(all.iter()) {
            Err(error) => error.to_string(),
            Ok(policy) => match policy.check() {
                Ok(()) => return None,
                Err(InvalidPolicy::PortTaken { port, .. }) => port_taken(&port.to_string()),
                Err(error) => format!("its permissions do not fit those of other apps: {error}"),
            },
        };
        Some(Remark::whole(words))
    }
}

/// What an app is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Run {
    /// Run, from now on and after each reboot.
    Start,
    /// Not run.
    Stop,
    /// Run anew.
    Restart,
}

/// An app to which nothing is being done, and what runs of it.
fn installed(record: &AppRecord) -> Result<(AppRecord, Edition), AppsError> {
    match &record.phase {
        Phase::Installed { edition } => Ok((record.clone(), edition.clone())),
        Phase::Removed { .. } => Err(AppsError::Leftover),
        Phase::Installing { .. } | Phase::Updating { .. } | Phase::Removing { .. } => Err(AppsError::Busy),
    }
}

fn require_asked(granted: &BTreeSet<Permission>, asked: &BTreeSet<Permission>) -> Result<(), AppsError> {
    match granted.difference(asked).next() {
        Some(strange) => Err(AppsError::NotAsked(strange.to_string())),
        None => Ok(()),
    }
}

fn edition_of(
    manifest: &Manifest,
    granted: BTreeSet<Permission>,
    links: &BTreeMap<AppId, AppKey>,
    is_bare: bool,
) -> Edition {
    Edition {
        manifest: manifest.clone(),
        granted,
        links: links.clone(),
        assigned_port: assign_port(manifest),
        images: BTreeMap::new(),
        is_bare,
    }
}

/// SHA-256 of everything that somebody agrees to.
fn digest(
    manifest: &Manifest,
    id: &AppId,
    owner: &Owner,
    asks: &[Ask],
    links: &BTreeMap<AppId, AppKey>,
    wish: &Wish,
) -> String {
    let of = |key: &Option<AppKey>| key.as_ref().map(ToString::to_string);
    let all = serde_json::json!([manifest, id, owner, asks, links, of(&wish.update), of(&wish.data_of)]);
    let digest = Sha256::digest(all.to_string());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
