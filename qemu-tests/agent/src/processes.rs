//! Looks at processes through `/proc` (proc(5)).

use crate::protocol::Process;
use std::fs;
use std::io;
use std::path::Path;

/// Lists all processes by id. One that ends meanwhile is left out.
///
/// # Errors
/// When `/proc` cannot be listed.
pub fn list() -> io::Result<Vec<Process>> {
    let mut processes = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let path = entry?.path();
        let Some(pid) = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse().ok())
        else {
            continue;
        };
        if let Some(process) = look(pid, &path) {
            processes.push(process);
        }
    }
    processes.sort_by_key(|process| process.pid);
    Ok(processes)
}

fn look(pid: u32, folder: &Path) -> Option<Process> {
    let mut process = parse_status(pid, &fs::read_to_string(folder.join("status")).ok()?);
    process.program = fs::read_link(folder.join("exe")).ok();
    process.pss_kib =
        fs::read_to_string(folder.join("smaps_rollup")).ok().and_then(|text| number_after(&text, "Pss:", 10));
    Some(process)
}

/// Reads the text of `/proc/<pid>/status`; what is missing stays empty.
#[must_use]
pub fn parse_status(pid: u32, text: &str) -> Process {
    let value = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim();
    let ids = |name| value(name).split_whitespace().filter_map(|id| id.parse().ok()).collect();
    let sets = ["CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"];
    Process {
        pid,
        parent: value("PPid:").parse().unwrap_or_default(),
        name: value("Name:").to_owned(),
        state: value("State:").chars().take(1).collect(),
        uids: ids("Uid:"),
        gids: ids("Gid:"),
        capabilities: sets.iter().filter_map(|set| number_after(text, set, 16)).collect(),
        no_new_privs: value("NoNewPrivs:") == "1",
        seccomp: value("Seccomp:").parse().unwrap_or_default(),
        program: None,
        pss_kib: None,
    }
}

fn number_after(text: &str, name: &str, radix: u32) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    u64::from_str_radix(rest.split_whitespace().next()?, radix).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_of_a_confined_process_is_read() {
        let text = "Name:\thostd\nState:\tS (sleeping)\nPPid:\t1\nUid:\t902\t902\t902\t902\nGid:\t902\t902\t902\t902\n\
                    CapInh:\t0000000000000000\nCapPrm:\t0000000000003000\nCapEff:\t0000000000000000\n\
                    CapBnd:\t000001ffffffffff\nCapAmb:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t1\n";
        let process = parse_status(77, text);
        assert_eq!(process.name, "hostd");
        assert_eq!(process.state, "S");
        assert_eq!(process.uids, [902; 4]);
        assert_eq!(process.capabilities, [0, 0x3000, 0, 0x1ff_ffff_ffff, 0]);
        assert!(process.no_new_privs);
        assert_eq!(process.seccomp, 2);
    }

    #[test]
    fn this_process_is_seen() {
        let me = list().unwrap().into_iter().find(|process| process.pid == std::process::id()).unwrap();
        assert_eq!(me.program, std::env::current_exe().ok());
        assert!(me.pss_kib.unwrap() > 0);
    }
}
