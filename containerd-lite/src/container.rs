//! From an image's configuration and an app's specification to what a container is started with. Pure.
//!
//! The configuration is the image maker's word, verified by its digest and nothing more: it is bounded here.

use crate::image::refused::clip;
use crate::runtime::Start;
use crate::runtime::Volume;
use model::containers::ContainerSpec;
use model::containers::MAX_TEXT;
use model::containers::MAX_WORDS;
use model::containers::PartName;
use model::containers::StopSignal;
use model::network::attachment::Attachment;
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

/// Most variables of an image.
const MAX_IMAGE_VARIABLES: usize = 1_000;
/// Most ports and folders that an image names.
const MAX_NAMES: usize = 256;
/// Most bytes of words and variables together; the kernel takes 2 MiB (execve(2)).
const MAX_BYTES: usize = 1 << 20;
/// Where programs are looked for when the image does not say.
const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What an image says of how it is to run (OCI image specification 1.1, `config.md`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageConfig {
    /// Program, with its first arguments.
    pub entrypoint: Vec<String>,
    /// Further arguments, or the program when there is no entry point.
    pub arguments: Vec<String>,
    /// Variables, `NAME=value`.
    pub environment: Vec<String>,
    /// `user[:group]`.
    pub user: String,
    /// Where it starts; empty for the root.
    pub working_folder: String,
    /// Ports that it serves, `tcp/80`.
    pub ports: Vec<String>,
    /// Folders that should last.
    pub volumes: Vec<String>,
    /// Signal that stops it.
    pub stop_signal: Option<StopSignal>,
}

/// Why a container cannot be started like this, ever.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContainerError {
    /// The configuration.
    #[error("the configuration of its image cannot be understood: {0}")]
    Config(String),
    /// Nothing to run.
    #[error("neither its image nor its specification names a program")]
    NoProgram,
    /// Too much of something.
    #[error("it has {found} {what}; at most {limit} are possible")]
    TooMuch {
        /// Of what.
        what: &'static str,
        /// How much.
        found: usize,
        /// How much may be.
        limit: usize,
    },
    /// A text that no program can be given.
    #[error("{0} has a zero byte")]
    Zero(String),
}

#[derive(Deserialize)]
struct WireImage {
    config: Option<WireConfig>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct WireConfig {
    entrypoint: Option<Vec<String>>,
    cmd: Option<Vec<String>>,
    env: Option<Vec<String>>,
    user: Option<String>,
    working_dir: Option<String>,
    exposed_ports: Option<BTreeMap<String, IgnoredAny>>,
    volumes: Option<BTreeMap<String, IgnoredAny>>,
    stop_signal: Option<String>,
}

/// Reads the configuration of an image, which the store has bounded.
///
/// # Errors
/// When it is no such document, or has too much of something.
pub fn parse(bytes: &[u8]) -> Result<ImageConfig, ContainerError> {
    let image: WireImage =
        serde_json::from_slice(bytes).map_err(|error| ContainerError::Config(clip(&error.to_string())))?;
    let wire = image.config.unwrap_or_default();
    let names = |names: Option<BTreeMap<String, IgnoredAny>>| -> Vec<String> {
        names.unwrap_or_default().into_keys().take(MAX_NAMES).map(|name| clip(&name)).collect()
    };
    let config = ImageConfig {
        entrypoint: wire.entrypoint.unwrap_or_default(),
        arguments: wire.cmd.unwrap_or_default(),
        // Docker leaves out what is no assignment, too.
        environment: wire.env.unwrap_or_default().into_iter().filter(|text| has_name(text)).collect(),
        user: wire.user.unwrap_or_default(),
        working_folder: wire.working_dir.unwrap_or_default(),
        ports: names(wire.exposed_ports).iter().filter_map(|port| port_name(port)).collect(),
        volumes: names(wire.volumes),
        stop_signal: wire.stop_signal.as_deref().and_then(signal),
    };
    at_most("words of a command", config.entrypoint.len() + config.arguments.len(), MAX_WORDS)?;
    at_most("variables in its image", config.environment.len(), MAX_IMAGE_VARIABLES)?;
    let texts = config.entrypoint.iter().chain(&config.arguments).chain(&config.environment);
    for text in texts.chain([&config.user, &config.working_folder]) {
        at_most("bytes of a text", text.len(), MAX_TEXT)?;
        if text.contains('\0') {
            return Err(ContainerError::Zero(clip(text)));
        }
    }
    Ok(config)
}

/// Where and as what a container runs.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// Its name.
    pub name: &'a PartName,
    /// Names of all containers of the app: they share its network.
    pub names: &'a [PartName],
    /// Folder with the app's volumes.
    pub volumes: &'a Path,
    /// First of the app's ids.
    pub first_id: u32,
    /// The app's network.
    pub attachment: &'a Attachment,
}

/// Puts together what a container is started with.
///
/// # Errors
/// When it names no program, or has more than a program can be given.
pub fn start(
    spec: &ContainerSpec,
    image: &ImageConfig,
    layers: Vec<PathBuf>,
    place: &Place<'_>,
) -> Result<Start, ContainerError> {
    let words = words(spec, image)?;
    let environment = environment(spec, image);
    let bytes = words.iter().chain(&environment).map(|text| text.len() + 1).sum();
    at_most("bytes of words and variables", bytes, MAX_BYTES)?;
    let volumes = spec.volumes.iter().map(|volume| Volume {
        source: place.volumes.join(volume.name.as_str()),
        target: volume.target.clone(),
        read_only: volume.read_only,
    });
    let folder = spec.working_folder.as_ref().unwrap_or(&image.working_folder);
    Ok(Start {
        layers,
        words,
        environment,
        user: spec.user.as_ref().unwrap_or(&image.user).clone(),
        // Some makers leave the slash out.
        working_folder: if folder.starts_with('/') { folder.clone() } else { format!("/{folder}") },
        volumes: volumes.collect(),
        temporary: spec.temporary.clone(),
        scratch_bytes: spec.scratch_bytes,
        limits: spec.limits,
        stop_signal: spec.stop.signal.or(image.stop_signal).unwrap_or(StopSignal::Term),
        stop_grace: Duration::from_secs(spec.stop.seconds.into()),
        first_id: place.first_id,
        host_name: place.name.as_str().to_owned(),
        resolv_conf: place.attachment.resolv_conf.clone(),
        hosts: hosts(place),
    })
}

fn words(spec: &ContainerSpec, image: &ImageConfig) -> Result<Vec<String>, ContainerError> {
    // Another entry point does not know the image's arguments.
    let default: &[String] = if spec.entrypoint.is_some() { &[] } else { &image.arguments };
    let entrypoint = spec.entrypoint.as_ref().unwrap_or(&image.entrypoint);
    let arguments = spec.arguments.as_deref().unwrap_or(default);
    let words: Vec<String> = entrypoint.iter().chain(arguments).cloned().collect();
    if words.first().is_none_or(String::is_empty) {
        return Err(ContainerError::NoProgram);
    }
    Ok(words)
}

fn environment(spec: &ContainerSpec, image: &ImageConfig) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    let given = spec.environment.iter().map(|(name, value)| format!("{name}={value}"));
    for text in [PATH.to_owned()].into_iter().chain(image.environment.iter().cloned()).chain(given) {
        let name = text.split_once('=').map_or(&*text, |(name, _)| name);
        let is_same = |other: &String| other.split_once('=').is_some_and(|(other, _)| other == name);
        match all.iter().position(is_same).and_then(|index| all.get_mut(index)) {
            Some(place) => *place = text,
            None => all.push(text),
        }
    }
    all
}

/// Containers of an app share its network: each finds the others under their names, at its own addresses.
fn hosts(place: &Place<'_>) -> String {
    let names: Vec<&str> =
        place.names.iter().map(PartName::as_str).filter(|name| *name != "localhost").collect();
    if names.is_empty() {
        return place.attachment.hosts.clone();
    }
    let names = names.join(" ");
    format!("{}127.0.0.1 {names}\n::1 {names}\n", place.attachment.hosts)
}

fn has_name(text: &str) -> bool {
    text.split_once('=').is_some_and(|(name, _)| !name.is_empty())
}

/// `80/tcp`, `80` or `8000-8010/udp` as `tcp/80` and so on.
fn port_name(text: &str) -> Option<String> {
    let (port, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let is_port = |text: &str| text.parse::<std::num::NonZeroU16>().is_ok();
    let is_known = matches!(protocol, "tcp" | "udp");
    let is_range = port.split_once('-').map_or_else(|| is_port(port), |(a, b)| is_port(a) && is_port(b));
    (is_known && is_range).then(|| format!("{protocol}/{port}"))
}

/// A signal as an image names it, `SIGTERM`, `TERM` or `15`; none for those that nobody stops a program with.
fn signal(text: &str) -> Option<StopSignal> {
    Some(match text.trim().trim_start_matches("SIG") {
        "HUP" | "1" => StopSignal::Hup,
        "INT" | "2" => StopSignal::Int,
        "QUIT" | "3" => StopSignal::Quit,
        "KILL" | "9" => StopSignal::Kill,
        "USR1" | "10" => StopSignal::Usr1,
        "USR2" | "12" => StopSignal::Usr2,
        "TERM" | "15" => StopSignal::Term,
        "WINCH" | "28" => StopSignal::Winch,
        _ => return None,
    })
}

fn at_most(what: &'static str, found: usize, limit: usize) -> Result<(), ContainerError> {
    if found <= limit { Ok(()) } else { Err(ContainerError::TooMuch { what, found, limit }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const REDIS: &str = r#"{"architecture":"amd64","os":"linux","config":{
        "Env":["PATH=/usr/local/bin:/bin","REDIS=7","odd","=x"],
        "Entrypoint":["docker-entrypoint.sh"],"Cmd":["redis-server"],"User":"999:999",
        "WorkingDir":"/data","ExposedPorts":{"6379/tcp":{},"53/udp":{},"x/tcp":{},"1-2/sctp":{}},
        "Volumes":{"/data":{}},"StopSignal":"SIGINT"},"rootfs":{"type":"layers","diff_ids":[]}}"#;

    fn attachment() -> Attachment {
        Attachment {
            ipv4: "198.18.0.2".parse().unwrap(),
            ipv6: "fd00::2".parse().unwrap(),
            gateway4: "198.18.0.1".parse().unwrap(),
            gateway6: "fd00::1".parse().unwrap(),
            link: "app".to_owned(),
            resolv_conf: "nameserver 198.18.0.1\n".to_owned(),
            hosts: "127.0.0.1 localhost\n".to_owned(),
        }
    }

    fn made(spec: &str, image: &ImageConfig) -> Result<Start, ContainerError> {
        let limits = r#""image":{"name":"a","manifest":"b"},"limits":{"memory_bytes":67108864,"tasks":64}"#;
        let spec: ContainerSpec = serde_json::from_str(&format!("{{{limits}{spec}}}")).unwrap();
        let names = ["cache".parse().unwrap(), "web".parse().unwrap()];
        let attachment = attachment();
        let place = Place {
            name: &names[0],
            names: &names,
            volumes: Path::new("/data/apps/notes/volumes"),
            first_id: 0x2000_0000,
            attachment: &attachment,
        };
        start(&spec, image, vec!["/layer".into()], &place)
    }

    #[test]
    fn without_a_wish_all_is_as_the_image_says() {
        let image = parse(REDIS.as_bytes()).unwrap();
        assert_eq!(
            (&*image.ports, &*image.volumes),
            (&["udp/53".to_owned(), "tcp/6379".to_owned()][..], &["/data".to_owned()][..])
        );
        let start = made("", &image).unwrap();
        assert_eq!(start.words, ["docker-entrypoint.sh", "redis-server"]);
        assert_eq!(start.environment, ["PATH=/usr/local/bin:/bin", "REDIS=7"]);
        assert_eq!((&*start.user, &*start.working_folder), ("999:999", "/data"));
        assert_eq!((start.stop_signal, start.stop_grace), (StopSignal::Int, Duration::from_secs(10)));
        assert_eq!((&*start.host_name, &*start.resolv_conf), ("cache", "nameserver 198.18.0.1\n"));
        assert_eq!(start.hosts, "127.0.0.1 localhost\n127.0.0.1 cache web\n::1 cache web\n");
        assert_eq!((start.scratch_bytes, start.first_id), (None, 0x2000_0000));
    }

    #[test]
    fn a_wish_is_over_the_image() {
        let image = parse(REDIS.as_bytes()).unwrap();
        let start = made(
            r#","arguments":["--save",""],"environment":{"REDIS":"8","NEW":"a=b"},"user":"7","working_folder":"/srv",
               "volumes":[{"name":"db","target":"/data","read_only":true}],"stop":{"signal":"SIGQUIT","seconds":60}"#,
            &image,
        )
        .unwrap();
        assert_eq!(start.words, ["docker-entrypoint.sh", "--save", ""]);
        assert_eq!(start.environment, ["PATH=/usr/local/bin:/bin", "REDIS=8", "NEW=a=b"]);
        assert_eq!((&*start.user, &*start.working_folder), ("7", "/srv"));
        let source = PathBuf::from("/data/apps/notes/volumes/db");
        assert_eq!(start.volumes, [Volume { source, target: "/data".to_owned(), read_only: true }]);
        assert_eq!((start.stop_signal, start.stop_grace), (StopSignal::Quit, Duration::from_secs(60)));
        // The image's arguments are for the image's entry point.
        assert_eq!(made(r#","entrypoint":["sh"]"#, &image).unwrap().words, ["sh"]);
    }

    #[test]
    fn an_image_that_says_nothing_needs_a_program_and_has_a_path() {
        for text in ["{}", r#"{"config":null}"#, r#"{"config":{"Entrypoint":null,"Cmd":null,"Env":null}}"#] {
            let image = parse(text.as_bytes()).unwrap();
            assert_eq!(image, ImageConfig::default());
            assert_eq!(made("", &image), Err(ContainerError::NoProgram));
            let start = made(r#","arguments":["/app"]"#, &image).unwrap();
            assert_eq!(
                (&*start.words, &*start.environment),
                (&["/app".to_owned()][..], &[PATH.to_owned()][..])
            );
            assert_eq!((&*start.working_folder, start.stop_signal), ("/", StopSignal::Term));
        }
    }

    #[test]
    fn what_no_program_can_be_given_is_refused() {
        let config = |text: String| parse(format!(r#"{{"config":{{{text}}}}}"#).as_bytes());
        let words = vec!["\"x\""; MAX_WORDS + 1].join(",");
        assert!(matches!(config(format!("\"Cmd\":[{words}]")), Err(ContainerError::TooMuch { .. })));
        let variables = vec!["\"a=b\""; MAX_IMAGE_VARIABLES + 1].join(",");
        assert!(matches!(config(format!("\"Env\":[{variables}]")), Err(ContainerError::TooMuch { .. })));
        let long = "x".repeat(MAX_TEXT + 1);
        assert!(matches!(config(format!("\"User\":\"{long}\"")), Err(ContainerError::TooMuch { .. })));
        assert!(matches!(config(r#""Cmd":["a\u0000"]"#.to_owned()), Err(ContainerError::Zero(_))));
        assert!(matches!(config(r#""Cmd":"sh""#.to_owned()), Err(ContainerError::Config(_))));
        let long = "x".repeat(MAX_TEXT - 10);
        let much: Vec<String> = (0..40).map(|number| format!("\"V{number}={long}\"")).collect();
        let image = config(format!("\"Cmd\":[\"sh\"],\"Env\":[{}]", much.join(","))).unwrap();
        assert!(matches!(made("", &image), Err(ContainerError::TooMuch { .. })));
    }

    #[test]
    fn signals_are_known_by_name_and_number() {
        for (text, known) in [
            ("SIGQUIT", Some(StopSignal::Quit)),
            ("WINCH", Some(StopSignal::Winch)),
            ("15", Some(StopSignal::Term)),
            ("SIGRTMIN+3", None),
            ("", None),
        ] {
            assert_eq!(signal(text), known, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_document_makes_the_reader_stumble(text in "\\PC{0,200}") {
            drop(parse(text.as_bytes()));
            drop(parse(format!(r#"{{"config":{{"Env":["{text}"],"StopSignal":"{text}"}}}}"#).as_bytes()));
        }
    }
}
