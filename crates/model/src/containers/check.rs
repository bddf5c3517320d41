//! What must hold of a specification beyond its shape. hostd checks manifests more strictly; this is what containerd-lite relies on.

use super::AppSpec;
use super::ContainerSpec;
use super::MAX_CONTAINERS;
use super::MAX_FOLDERS;
use super::MAX_TEXT;
use super::MAX_VARIABLES;
use super::MAX_WORDS;
use super::PartName;
use super::Probe;
use super::Until;
use std::collections::BTreeSet;

/// Least memory of a container: less does not hold a process.
const MIN_MEMORY: u64 = 4 << 20;
/// Places that are the box's in every container.
const OWN_PLACES: [&str; 4] = ["/proc", "/sys", "/dev", "/.hearth"];

/// Why an app cannot run like this.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSpec {
    /// The number of containers.
    #[error("an app has 1 to {MAX_CONTAINERS} containers; this one has {0}")]
    Containers(usize),
    /// Something in a container.
    #[error("container {container}: {what}")]
    Container {
        /// Which.
        container: PartName,
        /// What is wrong.
        what: String,
    },
    /// Containers wait for each other.
    #[error("containers wait for each other: {0}")]
    Ring(PartName),
}

impl AppSpec {
    /// Checks everything that no type can say.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), InvalidSpec> {
        if !(1..=MAX_CONTAINERS).contains(&self.containers.len()) {
            return Err(InvalidSpec::Containers(self.containers.len()));
        }
        for (name, container) in &self.containers {
            let wrong = |what| InvalidSpec::Container { container: name.clone(), what };
            container.check().map_err(wrong)?;
            self.check_after(name, container).map_err(wrong)?;
        }
        self.check_order()
    }

    fn check_after(&self, name: &PartName, container: &ContainerSpec) -> Result<(), String> {
        for after in &container.after {
            let Some(first) = self.containers.get(&after.container).filter(|_| after.container != *name)
            else {
                return Err(format!("it starts after {}, which is no other container", after.container));
            };
            if after.until == Until::Healthy && first.health.is_none() {
                return Err(format!("it waits until {} is healthy, which has no check", after.container));
            }
        }
        Ok(())
    }

    /// Takes away those that wait for nobody, until none are left.
    fn check_order(&self) -> Result<(), InvalidSpec> {
        let mut placed: BTreeSet<&PartName> = BTreeSet::new();
        while placed.len() < self.containers.len() {
            let ready: Vec<&PartName> = self
                .containers
                .iter()
                .filter(|(name, spec)| {
                    !placed.contains(name) && spec.after.iter().all(|after| placed.contains(&after.container))
                })
                .map(|(name, _)| name)
                .collect();
            if ready.is_empty() {
                let stuck = self.containers.keys().find(|name| !placed.contains(name));
                return stuck.map_or(Ok(()), |name| Err(InvalidSpec::Ring(name.clone())));
            }
            placed.extend(ready);
        }
        Ok(())
    }
}

impl ContainerSpec {
    fn check(&self) -> Result<(), String> {
        let commands = [self.entrypoint.as_deref(), self.arguments.as_deref(), self.probe_words()];
        for words in commands.into_iter().flatten() {
            at_most("words of a command", words.len(), MAX_WORDS)?;
            words.iter().try_for_each(|word| check_text(word))?;
        }
        if self.entrypoint.as_ref().is_some_and(Vec::is_empty)
            || self.probe_words().is_some_and(<[_]>::is_empty)
        {
            return Err("a command has no words".to_owned());
        }
        at_most("variables", self.environment.len(), MAX_VARIABLES)?;
        for (name, value) in &self.environment {
            if name.is_empty() || name.contains('=') {
                return Err(format!("{name:?} is no name of a variable"));
            }
            check_text(name)?;
            check_text(value)?;
        }
        for text in [&self.user, &self.working_folder].into_iter().flatten() {
            check_text(text)?;
        }
        if self.working_folder.as_ref().is_some_and(|folder| !folder.starts_with('/')) {
            return Err("the folder to start in does not begin with /".to_owned());
        }
        self.check_folders()?;
        if self.limits.memory_bytes < MIN_MEMORY {
            return Err(format!(
                "it may have {} bytes of memory; {MIN_MEMORY} are the least",
                self.limits.memory_bytes
            ));
        }
        if self.limits.tasks < 2 || self.limits.cpu_millis.is_some_and(|millis| millis < 10) {
            return Err("it may have less than 2 tasks, or less than a hundredth of a processor".to_owned());
        }
        self.health.as_ref().map_or(Ok(()), |health| {
            let has_times = health.interval_seconds > 0 && health.timeout_seconds > 0 && health.retries > 0;
            if has_times { Ok(()) } else { Err("its check has a time or a number of 0".to_owned()) }
        })
    }

    fn probe_words(&self) -> Option<&[String]> {
        match self.health.as_ref().map(|health| &health.probe) {
            Some(Probe::Command(words)) => Some(words),
            Some(Probe::Http { .. }) | None => None,
        }
    }

    fn check_folders(&self) -> Result<(), String> {
        at_most("volumes", self.volumes.len(), MAX_FOLDERS)?;
        at_most("folders in memory", self.temporary.len(), MAX_FOLDERS)?;
        let mut taken = BTreeSet::new();
        let targets = self.volumes.iter().map(|volume| &volume.target);
        for target in targets.chain(self.temporary.iter().map(|folder| &folder.target)) {
            check_target(target)?;
            if !taken.insert(target) {
                return Err(format!("two folders at {target}"));
            }
        }
        Ok(())
    }
}

/// Absolute, without `.`, `..` and empty parts, and none of the box's own.
fn check_target(target: &str) -> Result<(), String> {
    check_text(target)?;
    let Some(parts) = target.strip_prefix('/') else {
        return Err(format!("{target:?} is no absolute path"));
    };
    if parts.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err(format!("{target:?} has an empty part, or . or .."));
    }
    let is_in = |place: &str| target == place || target.starts_with(&format!("{place}/"));
    if target != "/dev/shm" && OWN_PLACES.iter().any(|place| is_in(place)) {
        return Err(format!("{target} is the box's own"));
    }
    Ok(())
}

fn check_text(text: &str) -> Result<(), String> {
    at_most("bytes of a text", text.len(), MAX_TEXT)?;
    if text.contains('\0') { Err(format!("{text:?} has a zero byte")) } else { Ok(()) }
}

fn at_most(what: &str, number: usize, limit: usize) -> Result<(), String> {
    if number <= limit { Ok(()) } else { Err(format!("{number} {what}; at most {limit} are possible")) }
}
