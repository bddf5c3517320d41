//! Running the few programs that are not written in Rust: the package manager's and mkfs.erofs.

use std::ffi::OsStr;
use std::io;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::process::Command;
use std::process::ExitStatus;
use std::process::Stdio;

/// A program could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// It could not be started.
    #[error("cannot start {program} (is it installed?)")]
    Start {
        /// Its name.
        program: String,
        /// Cause.
        #[source]
        source: io::Error,
    },
    /// It ended with a failure.
    #[error("{program} failed ({status}): {output}")]
    Failed {
        /// Its name.
        program: String,
        /// How it ended.
        status: ExitStatus,
        /// The end of what it said.
        output: String,
    },
    /// What it said is no UTF-8.
    #[error("{program} printed something that is not UTF-8")]
    Text {
        /// Its name.
        program: String,
        /// Cause.
        #[source]
        source: std::string::FromUtf8Error,
    },
}

/// A command with the untranslated messages that we parse and with no input to wait for.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env("LC_ALL", "C.UTF-8").env_remove("SOURCE_DATE_EPOCH").stdin(Stdio::null());
    command
}

/// Runs `command` to its end and returns its standard output.
pub(crate) fn output(command: &mut Command) -> Result<String, ToolError> {
    let program = name(command);
    let result = command.output().map_err(|source| ToolError::Start { program: program.clone(), source })?;
    if !result.status.success() {
        let said = [result.stdout, result.stderr].concat();
        return Err(ToolError::Failed { program, status: result.status, output: last_lines(&said) });
    }
    String::from_utf8(result.stdout).map_err(|source| ToolError::Text { program, source })
}

/// Runs `command` to its end and hands each line of its standard output to `line`.
pub(crate) fn lines(command: &mut Command, mut line: impl FnMut(&str)) -> Result<(), ToolError> {
    let program = name(command);
    let start = |source| ToolError::Start { program: program.clone(), source };
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(start)?;
    let errors = child.stderr.take().map(|mut stream| {
        // Read beside the lines: a full pipe would stop the program.
        std::thread::spawn(move || {
            let mut said = Vec::new();
            stream.read_to_end(&mut said).map(|_| said)
        })
    });
    let mut kept = Vec::new();
    for text in child.stdout.take().into_iter().flat_map(|stream| BufReader::new(stream).lines()) {
        let text = text.map_err(start)?;
        line(&text);
        kept.extend_from_slice(text.as_bytes());
        kept.push(b'\n');
    }
    let status = child.wait().map_err(start)?;
    if status.success() {
        return Ok(());
    }
    if let Some(Ok(Ok(said))) = errors.map(std::thread::JoinHandle::join) {
        kept.extend(said);
    }
    Err(ToolError::Failed { program, status, output: last_lines(&kept) })
}

fn name(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}

/// The last lines, joined: enough to see the cause in an error of one clause.
fn last_lines(said: &[u8]) -> String {
    let text = String::from_utf8_lossy(said);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines.get(lines.len().saturating_sub(6)..).unwrap_or_default().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_carries_what_the_program_said() {
        let error = output(command("cat").arg("/nonexistent")).unwrap_err().to_string();
        assert!(error.contains("No such file") && error.contains("cat failed"), "{error}");
        let error = lines(command("cat").arg("/nonexistent"), |_| ()).unwrap_err().to_string();
        assert!(error.contains("No such file"), "{error}");
    }

    #[test]
    fn a_missing_program_is_named() {
        let error = output(&mut command("hearth-has-no-such-program")).unwrap_err();
        assert!(matches!(error, ToolError::Start { .. }));
        assert!(error.to_string().contains("hearth-has-no-such-program"));
    }

    #[test]
    fn lines_arrive_one_by_one() {
        let mut seen = Vec::new();
        lines(command("printf").arg("a\\nb\\n"), |line| seen.push(line.to_owned())).unwrap();
        assert_eq!(seen, ["a", "b"]);
    }
}
