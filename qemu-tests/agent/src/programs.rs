//! Programs that a test brings along.

use crate::protocol::Answer;
use rustix::mount::MountFlags;
use std::fs;
use std::io;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;

/// Places a program; see [`crate::protocol::Request::Install`].
///
/// # Errors
/// When the digits are none, or what the kernel says.
pub fn install(path: &Path, digits: &str) -> io::Result<()> {
    let bytes = bytes(digits).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "no digits"))?;
    let folder = path.parent().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "no folder"))?;
    if !folder.exists() {
        fs::create_dir(folder)?;
        rustix::mount::mount("tmpfs", folder, "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, c"mode=0755")?;
    }
    fs::write(path, bytes)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}

/// Runs a program to its end.
///
/// # Errors
/// When it cannot be started.
pub fn run(program: &Path, arguments: &[String], input: &str) -> io::Result<Answer> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let Some(mut stdin) = child.stdin.take() else { return Err(io::Error::other("it has no input")) };
    let input = input.to_owned();
    // Beside the reading: whoever answers line by line would wait for its reader, and this for it.
    let feeder = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let done = child.wait_with_output()?;
    // It need not read all of it; how it ended tells.
    drop(feeder.join());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(Answer::Ran { code: done.status.code(), output: text(&done.stdout), errors: text(&done.stderr) })
}

fn bytes(digits: &str) -> Option<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_run_tells_how_it_ended() {
        let script = ["-c".to_owned(), "cat; echo no >&2; exit 3".to_owned()];
        let answer = run(Path::new("/bin/sh"), &script, "yes\n").unwrap();
        let wanted = Answer::Ran { code: Some(3), output: "yes\n".to_owned(), errors: "no\n".to_owned() };
        assert_eq!(answer, wanted);
    }

    #[test]
    fn digits_are_bytes() {
        assert_eq!(bytes("00ff7f").unwrap(), [0, 255, 127]);
        assert_eq!(bytes("0g"), None);
    }
}
