//! Manifest, images and what the box assigns → how containerd-lite runs the app. Pure.
//!
//! Every container is told its part of the box, under two names each (`HEARTH_…`, and `ATEK_…` for programs that were written for that):
//! the port at which it serves its APIs, and the port of the box's gateway. The token by which an app shows the gateway who it is comes
//! with the gateway; until then neither `HEARTH_HOST_BEARER_TOKEN` nor `ATEK_HOST_BEARER_TOKEN` is set.

use super::record::Edition;
use app_manifest::Argument;
use app_manifest::Container;
use app_manifest::ContainerName;
use app_manifest::Display;
use app_manifest::Health;
use app_manifest::HttpPath;
use app_manifest::Manifest;
use model::containers::After;
use model::containers::AppSpec;
use model::containers::ContainerLimits;
use model::containers::ContainerSpec;
use model::containers::HealthCheck;
use model::containers::ImageReport;
use model::containers::InvalidPartName;
use model::containers::InvalidSpec;
use model::containers::PartName;
use model::containers::Probe;
use model::containers::RestartPolicy;
use model::containers::StopRule;
use model::containers::TemporaryFolder;
use model::containers::Until;
use model::containers::VolumeMount;
use model::network::app_policy::Port;
use model::network::app_policy::Protocol;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::num::NonZeroU16;

/// TCP port of the box at which its gateway for apps will answer. Apps are told it, and none of them may take it.
pub const GATEWAY_PORT: u16 = 8427;
/// The first port that is assigned; the next where the app serves at that itself.
const FIRST_ASSIGNED: u16 = 8426;
/// Ports by which most web pages are served, the likeliest first.
const PAGE_PORTS: [u16; 8] = [80, 8080, 3000, 8000, 5000, 8888, 8081, 9000];
/// Most folders that are taken from what an image says.
const MAX_FOLDERS: usize = 16;

/// Why an app cannot run.
#[derive(Debug, thiserror::Error)]
pub enum ConvertError {
    /// Its image was not pulled.
    #[error("the image of its container {0} is not there")]
    NoImage(ContainerName),
    /// A name that containerd-lite does not take.
    #[error(transparent)]
    Name(#[from] InvalidPartName),
    /// A signal that containerd-lite does not know.
    #[error("its container {0} is to be stopped by a signal that is not known")]
    Signal(ContainerName),
    /// A health check of nothing.
    #[error("the health check of its container {0} says neither a program nor a page")]
    Health(ContainerName),
    /// containerd-lite would not take the whole.
    #[error(transparent)]
    Spec(#[from] InvalidSpec),
}

/// How an app runs.
///
/// # Errors
///
/// When an image is missing, or what the manifest says is more than containerd-lite takes.
pub fn spec(edition: &Edition) -> Result<AppSpec, ConvertError> {
    let mut containers = BTreeMap::new();
    for (name, container) in &edition.manifest.containers {
        containers.insert(name.as_str().parse()?, one(edition, name, container)?);
    }
    let spec = AppSpec { containers };
    spec.check()?;
    Ok(spec)
}

fn one(
    edition: &Edition,
    name: &ContainerName,
    container: &Container,
) -> Result<ContainerSpec, ConvertError> {
    let image = edition.images.get(name).ok_or_else(|| ConvertError::NoImage(name.clone()))?;
    let own = container.environment.iter().map(|(name, value)| (name.to_string(), value.to_string()));
    let texts = |list: &Option<Vec<Argument>>| list.as_ref().map(|list| words(list));
    let mut volumes = Vec::new();
    for volume in &container.volumes {
        volumes.push(VolumeMount {
            name: volume.name.as_str().parse()?,
            target: volume.target.to_string(),
            read_only: volume.read_only,
        });
    }
    let mut after = Vec::new();
    for wait in &container.after {
        after.push(After { container: wait.container.as_str().parse()?, until: until(wait.until) });
    }
    let temporary = container.temporary.iter();
    let signal = container.stop.signal.as_ref().map(|signal| serde_json::from_value(signal.as_str().into()));
    let limits = container.limits;
    Ok(ContainerSpec {
        image: image.clone(),
        entrypoint: texts(&container.entrypoint),
        arguments: texts(&container.arguments),
        environment: own.chain(assigned(edition)).collect(),
        user: container.user.as_ref().map(ToString::to_string),
        working_folder: container.working_folder.as_ref().map(ToString::to_string),
        volumes,
        temporary: temporary
            .map(|folder| TemporaryFolder {
                target: folder.target.to_string(),
                size_bytes: folder.size_bytes,
            })
            .collect(),
        scratch_bytes: container.scratch_bytes,
        limits: ContainerLimits {
            memory_bytes: limits.memory_bytes,
            cpu_millis: limits.cpu_millis,
            tasks: limits.tasks,
        },
        after,
        health: container.health.as_ref().map(|health| check(name, health)).transpose()?,
        restart: match container.restart {
            app_manifest::Restart::Always => RestartPolicy::Always,
            app_manifest::Restart::OnFailure => RestartPolicy::OnFailure,
            app_manifest::Restart::Never => RestartPolicy::Never,
        },
        stop: StopRule {
            signal: signal.transpose().map_err(|_unknown| ConvertError::Signal(name.clone()))?,
            seconds: container.stop.grace_seconds,
        },
    })
}

fn words(list: &[Argument]) -> Vec<String> {
    list.iter().map(ToString::to_string).collect()
}

/// What the box tells every container.
fn assigned(edition: &Edition) -> impl Iterator<Item = (String, String)> {
    let facts = [("ASSIGNED_PORT", edition.assigned_port.get()), ("HOST_PORT", GATEWAY_PORT)];
    ["HEARTH", "ATEK"]
        .into_iter()
        .flat_map(move |prefix| facts.map(|(fact, number)| (format!("{prefix}_{fact}"), number.to_string())))
}

const fn until(until: app_manifest::Until) -> Until {
    match until {
        app_manifest::Until::Started => Until::Started,
        app_manifest::Until::Healthy => Until::Healthy,
        app_manifest::Until::Completed => Until::Completed,
    }
}

fn check(name: &ContainerName, health: &Health) -> Result<HealthCheck, ConvertError> {
    let probe = match (&health.command, &health.http) {
        (Some(command), _) => Probe::Command(words(command)),
        (None, Some(page)) => Probe::Http { port: page.port, path: page.path.to_string() },
        (None, None) => return Err(ConvertError::Health(name.clone())),
    };
    Ok(HealthCheck {
        probe,
        interval_seconds: health.interval_seconds,
        timeout_seconds: health.timeout_seconds,
        retries: health.retries,
        start_seconds: health.start_seconds,
    })
}

/// A port for the app's APIs at which it serves nothing else.
#[must_use]
pub fn assign_port(manifest: &Manifest) -> NonZeroU16 {
    let mut taken: BTreeSet<u16> = manifest.display.iter().map(|page| page.port.get()).collect();
    taken.extend(manifest.exports.iter().filter_map(|export| export.port).map(NonZeroU16::get));
    let pages = manifest.containers.values().filter_map(|container| container.health.as_ref()?.http.as_ref());
    taken.extend(pages.map(|page| page.port.get()));
    let inbound = manifest.permissions.inbound.iter();
    taken.extend(inbound.map(|wish| wish.app_port.unwrap_or(wish.port.number).get()));
    // At most 65 of them are taken.
    let free = (1..=FIRST_ASSIGNED).rev().find(|port| !taken.contains(port));
    free.and_then(NonZeroU16::new).unwrap_or(NonZeroU16::MIN)
}

/// A manifest that was made from the name of an image, with the page and the folders that the image says it has.
#[must_use]
pub fn completed(mut manifest: Manifest, image: &ImageReport) -> Manifest {
    if manifest.display.is_none() {
        manifest.display = page_port(&image.ports).map(|port| Display { port, path: HttpPath::root() });
    }
    if let Some(container) = manifest.containers.values_mut().next() {
        for target in image.volumes.iter().take(MAX_FOLDERS) {
            let name = folder_name(target);
            let is_new = !container.volumes.iter().any(|volume| volume.target.as_str() == target);
            if let (true, Ok(name), Ok(target)) = (is_new, name.parse(), target.parse()) {
                container.volumes.push(app_manifest::Volume { name, target, read_only: false });
            }
        }
    }
    manifest
}

fn page_port(ports: &[String]) -> Option<NonZeroU16> {
    let tcp: BTreeSet<NonZeroU16> = ports
        .iter()
        .filter_map(|text| text.parse::<Port>().ok())
        .filter(|port| port.protocol == Protocol::Tcp)
        .map(|port| port.number)
        .collect();
    let usual = PAGE_PORTS.into_iter().filter_map(NonZeroU16::new).find(|port| tcp.contains(port));
    usual.or_else(|| tcp.first().copied())
}

/// `/var/lib/x` → `var-lib-x`: another target, another name.
fn folder_name(target: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let name: String = target.trim_matches('/').chars().map(plain).take(50).collect();
    // What was changed or cut may be the same for two targets, so the target itself is in the name, as a number.
    let number = target.bytes().fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte)));
    let is_itself = name.replace('-', "/") == target.trim_matches('/') && !name.is_empty();
    if is_itself { name } else { format!("v{name}-{number:08x}") }
}

/// A part's name as containerd-lite has it.
///
/// # Errors
///
/// When it is none.
pub fn part(name: &ContainerName) -> Result<PartName, InvalidPartName> {
    name.as_str().parse()
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::containers::ImageChoice;

    fn edition(manifest: Manifest) -> Edition {
        let image = |name: &ContainerName| {
            (name.clone(), ImageChoice { name: format!("r/{name}"), manifest: "sha256:00".to_owned() })
        };
        Edition {
            granted: BTreeSet::new(),
            links: BTreeMap::new(),
            assigned_port: assign_port(&manifest),
            images: manifest.containers.keys().map(image).collect(),
            is_bare: false,
            manifest,
        }
    }

    fn all() -> Manifest {
        let text = include_bytes!("../../../crates/app-manifest/tests/data/manifest/good/all.json");
        Manifest::read(text).unwrap()
    }

    #[test]
    fn everything_that_a_manifest_can_say_reaches_the_container() {
        let spec = spec(&edition(all())).unwrap();
        let text = serde_json::to_value(&spec).unwrap();
        assert_eq!(
            text["containers"]["db"],
            serde_json::json!({
                "image": {"name": "r/db", "manifest": "sha256:00"},
                "environment": {
                    "POSTGRES_DB": "house", "HEARTH_ASSIGNED_PORT": "8426", "HEARTH_HOST_PORT": "8427",
                    "ATEK_ASSIGNED_PORT": "8426", "ATEK_HOST_PORT": "8427"
                },
                "user": "postgres",
                "volumes": [{"name": "db", "target": "/var/lib/postgresql/data", "read_only": false}],
                "temporary": [{"target": "/dev/shm", "size_bytes": 134_217_728}, {"target": "/run", "size_bytes": 67_108_864}],
                "limits": {"memory_bytes": 1_073_741_824, "cpu_millis": 1500, "tasks": 256},
                "health": {"probe": {"command": ["pg_isready", "-q"]}, "interval_seconds": 10, "timeout_seconds": 5, "retries": 5, "start_seconds": 60},
                "restart": "always",
                "stop": {"signal": "SIGINT", "seconds": 60}
            })
        );
        let web = &text["containers"]["web"];
        assert_eq!(web["entrypoint"], serde_json::json!(["/app/house"]));
        assert_eq!(web["arguments"], serde_json::json!(["--port", "8080"]));
        assert_eq!((web["user"].as_str(), web["working_folder"].as_str()), (Some("1000:1000"), Some("/app")));
        assert_eq!(web["scratch_bytes"], 67_108_864);
        assert_eq!(web["after"], serde_json::json!([{"container": "db", "until": "healthy"}]));
        assert_eq!(web["health"]["probe"], serde_json::json!({"http": {"port": 8080, "path": "/healthz"}}));
        assert_eq!(web["restart"], "on_failure");
        assert_eq!(web["volumes"][1]["read_only"], true);
    }

    #[test]
    fn without_its_image_nothing_runs() {
        let missing = Edition { images: BTreeMap::new(), ..edition(all()) };
        assert!(matches!(spec(&missing), Err(ConvertError::NoImage(_))));
    }

    #[test]
    fn the_assigned_port_is_none_of_the_apps_own() {
        let mut manifest = all();
        assert_eq!(assign_port(&manifest).get(), FIRST_ASSIGNED);
        manifest.display.as_mut().unwrap().port = NonZeroU16::new(FIRST_ASSIGNED).unwrap();
        assert_eq!(assign_port(&manifest).get(), FIRST_ASSIGNED - 1);
    }

    #[test]
    fn a_bare_image_has_the_page_and_the_folders_that_it_says() {
        let text = br#"{"format":1,"title":"T","version":"1.0.0","containers":{"a":{"image":"a"}}}"#;
        let bare = Manifest::read(text).unwrap();
        let report = |ports: &[&str], volumes: &[&str]| ImageReport {
            name: "a".to_owned(),
            manifest: "sha256:00".to_owned(),
            ports: ports.iter().map(|&port| port.to_owned()).collect(),
            volumes: volumes.iter().map(|&folder| folder.to_owned()).collect(),
        };
        for (ports, page) in [
            (&["udp/53", "tcp/9117", "tcp/3000"][..], Some(3000)),
            (&["tcp/9117", "tcp/7000"], Some(7000)),
            (&["udp/53", "nonsense"], None),
        ] {
            let whole = completed(bare.clone(), &report(ports, &[]));
            assert_eq!(whole.display.map(|display| display.port.get()), page);
        }
        let whole =
            completed(bare, &report(&[], &["/data", "/var/lib/x", "/var-lib/x", "/Data", "not a path"]));
        let volumes = &whole.containers.values().next().unwrap().volumes;
        let names: BTreeSet<_> = volumes.iter().map(|volume| volume.name.as_str()).collect();
        assert_eq!((volumes.len(), names.len()), (4, 4), "{names:?}");
        assert!(names.contains("data") && names.contains("var-lib-x"));
        let read_again = Manifest::read(&serde_json::to_vec(&whole).unwrap()).unwrap();
        assert_eq!(read_again, whole);
    }
}
