//! The way to the host: a virtio-serial port found by its name.

use std::fs;
use std::fs::File;
use std::io;
use std::io::BufRead;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

/// How long between two looks: for a port that is not there yet, for a host that is not connected yet.
const PAUSE: Duration = Duration::from_millis(100);

/// Waits until the port is there and opens it. The driver may be loaded long after the agent starts.
///
/// # Errors
/// When the port is there and cannot be opened.
pub fn open(name: &str) -> io::Result<File> {
    loop {
        if let Some(node) = find(Path::new("/sys/class/virtio-ports"), name) {
            return File::options().read(true).write(true).open(node);
        }
        thread::sleep(PAUSE);
    }
}

/// The device node of the port with this name.
#[must_use]
pub fn find(class: &Path, name: &str) -> Option<PathBuf> {
    fs::read_dir(class).ok()?.flatten().find_map(|entry| {
        let found = fs::read_to_string(entry.path().join("name")).ok()?;
        (found.trim_end() == name).then(|| Path::new("/dev").join(entry.file_name()))
    })
}

/// Reads one line of at most `max` bytes. A port reads as ended while no host is connected, so an end is waited out.
///
/// # Errors
/// When the kernel refuses to read, or when the line is longer.
pub fn read_line(port: &mut impl BufRead, max: usize) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    while line.last() != Some(&b'\n') {
        let room = max.saturating_sub(line.len());
        if room == 0 {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("a line longer than {max} bytes"),
            ));
        }
        if port.by_ref().take(room as u64).read_until(b'\n', &mut line)? == 0 {
            thread::sleep(PAUSE);
        }
    }
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    #[test]
    fn a_port_is_found_by_its_name_only() {
        let class = std::env::temp_dir().join(format!("hearth-agent-port-{}", std::process::id()));
        for (node, name) in [("vport1p1", "other"), ("vport2p1", "org.hearthos.agent.0\n")] {
            fs::create_dir_all(class.join(node)).unwrap();
            fs::write(class.join(node).join("name"), name).unwrap();
        }
        let found = find(&class, "org.hearthos.agent.0");
        let missing = find(&class, "org.hearthos.agent");
        fs::remove_dir_all(&class).unwrap();
        assert_eq!(found, Some(PathBuf::from("/dev/vport2p1")));
        assert_eq!(missing, None);
    }

    #[test]
    fn a_line_too_long_is_refused() {
        assert_eq!(read_line(&mut Cursor::new(b"ab\ncd\n"), 3).unwrap(), b"ab\n");
        assert_eq!(read_line(&mut Cursor::new(b"abcd\n"), 3).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
