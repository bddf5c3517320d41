//! Control groups of containers: `apps/<app>/<container>` (cgroup-v2.rst). What is written to them and read from them is decided by pure
//! functions; the rest is reading and writing.

use crate::runtime::ContainerId;
use model::containers::ContainerLimits;
use model::containers::Usage;
use model::paths;
use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;
use std::time::Instant;

/// What containers are limited by.
const CONTROLLERS: [&str; 4] = ["+cpu", "+io", "+memory", "+pids"];
/// Microseconds of a period of `cpu.max`.
const PERIOD: u64 = 100_000;
/// All apps together against all services, which have 100 each.
const WEIGHT: &str = "50";
/// How long killed processes may take to go.
const GONE: Duration = Duration::from_secs(60);
/// Between two looks at a group that is not empty yet.
const LOOK: Duration = Duration::from_millis(10);

/// A group that could not be set up or read.
#[derive(Debug, thiserror::Error)]
#[error("{doing} {path}")]
pub(crate) struct CgroupError {
    doing: &'static str,
    path: PathBuf,
    #[source]
    source: io::Error,
}

/// Folder of a container's group.
pub(crate) fn folder(id: &ContainerId) -> PathBuf {
    Path::new(paths::APP_CGROUPS).join(id.app.as_str()).join(id.name.as_str())
}

/// What `linux.cgroupsPath` says: absolute, below the mount of the hierarchy. A relative one has libcontainer ask systemd.
pub(crate) fn path_in_hierarchy(id: &ContainerId) -> String {
    format!("/apps/{}/{}", id.app.as_str(), id.name.as_str())
}

/// Makes a container's group with its limits, and those above it.
pub(crate) fn make(id: &ContainerId, limits: &ContainerLimits) -> Result<(), CgroupError> {
    let own = folder(id);
    let app = Path::new(paths::APP_CGROUPS).join(id.app.as_str());
    let top = Path::new(paths::APP_CGROUPS);
    if !top.exists() {
        create(top)?;
        for file in ["cpu.weight", "io.weight"] {
            write_if_there(&top.join(file), WEIGHT)?;
        }
    }
    create(&app)?;
    for folder in [Path::new("/sys/fs/cgroup"), top, &app] {
        CONTROLLERS.iter().try_for_each(|name| write(&folder.join("cgroup.subtree_control"), name))?;
    }
    create(&own)?;
    for (file, value) in files(limits) {
        write(&own.join(file), &value)?;
    }
    Ok(())
}

/// What is written to which file.
fn files(limits: &ContainerLimits) -> Vec<(&'static str, String)> {
    let quota = limits.cpu_millis.map_or_else(
        || "max".to_owned(),
        // The kernel takes no less than a millisecond of processor time.
        |millis| (u64::from(millis) * PERIOD / 1000).max(1000).to_string(),
    );
    vec![
        ("memory.max", limits.memory_bytes.to_string()),
        ("memory.swap.max", "0".to_owned()),
        // One process out of memory ends the container, never half of it.
        ("memory.oom.group", "1".to_owned()),
        ("pids.max", limits.tasks.to_string()),
        ("cpu.max", format!("{quota} {PERIOD}")),
    ]
}

/// Kills everything in a container's group; fine when there is none.
pub(crate) fn kill(id: &ContainerId) -> Result<(), CgroupError> {
    let file = folder(id).join("cgroup.kill");
    match fs::write(&file, "1") {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done.map_err(|source| CgroupError { doing: "write to", path: file, source }),
    }
}

/// Removes a container's group, and the app's when it was the last, once nothing is left in it. Ended processes go when their parent has
/// buried them.
pub(crate) fn remove(id: &ContainerId) -> Result<(), CgroupError> {
    let own = folder(id);
    let give_up = Instant::now() + GONE;
    loop {
        match fs::remove_dir(&own) {
            Ok(()) => break,
            Err(error) if error.kind() == io::ErrorKind::NotFound => break,
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy && Instant::now() < give_up => {
                thread::sleep(LOOK);
            }
            Err(source) => return Err(CgroupError { doing: "remove", path: own, source }),
        }
    }
    // Busy as long as it has another container.
    if let Some(app) = own.parent() {
        drop(fs::remove_dir(app));
    }
    Ok(())
}

/// `memory.events` of a container; empty when there is no group.
pub(crate) fn memory_events(id: &ContainerId) -> String {
    fs::read_to_string(folder(id).join("memory.events")).unwrap_or_default()
}

/// What a container uses.
pub(crate) fn usage(id: &ContainerId) -> Result<Usage, CgroupError> {
    let own = folder(id);
    // The first three are there in every group; pressure and disks only when the kernel counts them.
    let needed = |name: &str| {
        let path = own.join(name);
        fs::read_to_string(&path).map_err(|source| CgroupError { doing: "read", path, source })
    };
    let maybe = |name: &str| fs::read_to_string(own.join(name)).unwrap_or_default();
    Ok(Files {
        cpu_stat: &needed("cpu.stat")?,
        memory_current: &needed("memory.current")?,
        memory_peak: &maybe("memory.peak"),
        pids_current: &needed("pids.current")?,
        pids_events: &maybe("pids.events"),
        io_stat: &maybe("io.stat"),
        pressures: [&maybe("cpu.pressure"), &maybe("memory.pressure"), &maybe("io.pressure")],
    }
    .usage())
}

/// What was read.
struct Files<'a> {
    cpu_stat: &'a str,
    memory_current: &'a str,
    memory_peak: &'a str,
    pids_current: &'a str,
    pids_events: &'a str,
    io_stat: &'a str,
    pressures: [&'a str; 3],
}

impl Files<'_> {
    fn usage(&self) -> Usage {
        let number = |text: &str| text.trim_end().parse().unwrap_or_default();
        let [cpu_pressure, memory_pressure, io_pressure] = self.pressures.map(pressure);
        Usage {
            cpu_us: field(self.cpu_stat, "usage_usec").unwrap_or_default(),
            throttled_us: field(self.cpu_stat, "throttled_usec").unwrap_or_default(),
            memory_bytes: number(self.memory_current),
            memory_peak_bytes: number(self.memory_peak),
            tasks: number(self.pids_current),
            tasks_refused: field(self.pids_events, "max").unwrap_or_default(),
            read_bytes: over_devices(self.io_stat, "rbytes"),
            written_bytes: over_devices(self.io_stat, "wbytes"),
            cpu_pressure,
            memory_pressure,
            io_pressure,
        }
    }
}

/// A number of a file with a name and a number on each line.
pub(super) fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
    line.trim_end().parse().ok()
}

/// The sum over the lines `8:0 rbytes=1 wbytes=2 …`.
fn over_devices(io_stat: &str, name: &str) -> u64 {
    let values = io_stat.split_whitespace().filter_map(|word| word.strip_prefix(name)?.strip_prefix('='));
    values.filter_map(|value| value.parse::<u64>().ok()).fold(0, u64::saturating_add)
}

/// `avg10` of the line `some avg10=1.23 …`, in hundredths of a percent.
fn pressure(text: &str) -> u32 {
    let average = || {
        let line = text.lines().find(|line| line.starts_with("some "))?;
        let (whole, hundredths) =
            line.split_whitespace().find_map(|word| word.strip_prefix("avg10="))?.split_once('.')?;
        whole.parse::<u32>().ok()?.checked_mul(100)?.checked_add(hundredths.parse().ok()?)
    };
    average().unwrap_or_default()
}

fn create(folder: &Path) -> Result<(), CgroupError> {
    match fs::create_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        done => done.map_err(|source| CgroupError { doing: "make", path: folder.to_owned(), source }),
    }
}

fn write(path: &Path, value: &str) -> Result<(), CgroupError> {
    fs::write(path, value).map_err(|source| CgroupError { doing: "write to", path: path.to_owned(), source })
}

/// Disks are only weighed by some of the kernel's schedulers.
fn write_if_there(path: &Path, value: &str) -> Result<(), CgroupError> {
    if path.exists() { write(path, value) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(limits: &ContainerLimits, file: &str) -> String {
        files(limits).into_iter().find(|(name, _)| *name == file).unwrap().1
    }

    #[test]
    fn limits_are_written_as_the_kernel_reads_them() {
        let limits = ContainerLimits { memory_bytes: 64 << 20, cpu_millis: Some(1500), tasks: 40 };
        assert_eq!(of(&limits, "memory.max"), "67108864");
        assert_eq!(of(&limits, "memory.swap.max"), "0");
        assert_eq!(of(&limits, "pids.max"), "40");
        assert_eq!(of(&limits, "cpu.max"), "150000 100000");
        assert_eq!(of(&ContainerLimits { cpu_millis: None, ..limits }, "cpu.max"), "max 100000");
        assert_eq!(of(&ContainerLimits { cpu_millis: Some(1), ..limits }, "cpu.max"), "1000 100000");
        assert_eq!(
            of(&ContainerLimits { cpu_millis: Some(u32::MAX), ..limits }, "cpu.max"),
            "429496729500 100000"
        );
    }

    #[test]
    fn files_of_the_kernel_are_read() {
        let usage = Files {
            cpu_stat: "usage_usec 1500\nuser_usec 1000\nsystem_usec 500\nnr_periods 2\nthrottled_usec 77\n",
            memory_current: "4096\n",
            memory_peak: "8192\n",
            pids_current: "3\n",
            pids_events: "max 9\n",
            io_stat: "254:0 rbytes=10 wbytes=20 rios=1 wios=1 dbytes=0 dios=0\n8:0 rbytes=5 wbytes=1 rios=1\n",
            pressures: [
                "some avg10=1.50 avg60=0.00 avg300=0.00 total=1\nfull avg10=9.00 avg60=0.00 avg300=0.00 total=0\n",
                "some avg10=100.00 avg60=0.00 avg300=0.00 total=1\n",
                "",
            ],
        }
        .usage();
        let wanted = Usage {
            cpu_us: 1500,
            throttled_us: 77,
            memory_bytes: 4096,
            memory_peak_bytes: 8192,
            tasks: 3,
            tasks_refused: 9,
            read_bytes: 15,
            written_bytes: 21,
            cpu_pressure: 150,
            memory_pressure: 10_000,
            io_pressure: 0,
        };
        assert_eq!(usage, wanted);
    }

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        assert_eq!(field("oom_kill_x 5\noom_kill 2\n", "oom_kill"), Some(2));
        assert_eq!(field("oom 5\n", "oom_kill"), None);
        assert_eq!(field("oom_kill five\n", "oom_kill"), None);
    }
}
