//! The test's end of the agent's port.

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use hearth_agent::network::order::Order;
use hearth_agent::network::order::Outcome;
use hearth_agent::protocol::Answer;
use hearth_agent::protocol::Entry;
use hearth_agent::protocol::Process;
use hearth_agent::protocol::Request;
use model::control::ControlAnswer;
use model::control::ControlRequest;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

/// How long the agent may take, booting included.
const PATIENCE: Duration = Duration::from_secs(300);

/// A connection to the agent inside a box.
#[derive(Debug)]
pub struct Agent {
    writer: UnixStream,
    reader: BufReader<UnixStream>,
}

impl Agent {
    /// Connects and waits until the agent answers.
    ///
    /// # Errors
    /// When nobody answers in time.
    pub fn connect(socket: &Path) -> Result<Self> {
        let writer = UnixStream::connect(socket).context("cannot reach the agent's port")?;
        writer.set_read_timeout(Some(PATIENCE)).context("cannot set the agent's time-out")?;
        let reader = BufReader::new(writer.try_clone().context("cannot share the agent's port")?);
        let mut agent = Self { writer, reader };
        agent.ask(&Request::Ping).context("the agent does not answer")?;
        Ok(agent)
    }

    /// Asks and returns the answer.
    ///
    /// # Errors
    /// When there is no answer, or when the agent could not do it; its reason is in the text.
    pub fn ask(&mut self, request: &Request) -> Result<Answer> {
        let mut line = serde_json::to_vec(request).context("cannot write a request")?;
        line.push(b'\n');
        self.writer.write_all(&line).context("cannot ask the agent")?;
        let mut answer = Vec::new();
        self.reader.read_until(b'\n', &mut answer).with_context(|| format!("no answer to {request:?}"))?;
        let answer = serde_json::from_slice(&answer)
            .with_context(|| format!("no sense in the answer to {request:?}"))?;
        if let Answer::Failed { reason } = answer {
            bail!("the agent says: {reason}");
        }
        Ok(answer)
    }

    /// The start of a file.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub fn read(&mut self, path: &str) -> Result<String> {
        self.text(&Request::ReadFile { path: path.into() })
    }

    /// Whether there is such a file, readable or not. Kernels that are built from source have fewer of them.
    pub fn has(&mut self, path: &str) -> bool {
        !self.read(path).is_err_and(|error| format!("{error:#}").contains("No such file or directory"))
    }

    /// Writes to an existing file.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub fn write(&mut self, path: &str, text: &str) -> Result<()> {
        self.ask(&Request::WriteFile { path: path.into(), text: text.to_owned() }).map(|_| ())
    }

    /// Copies a file within the box.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub fn copy(&mut self, from: &str, to: &str) -> Result<()> {
        self.ask(&Request::Copy { from: from.into(), to: to.into() }).map(|_| ())
    }

    /// Makes a folder, unless it is there.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub fn make_folder(&mut self, path: &str) -> Result<()> {
        if self.walk(path).is_ok() {
            return Ok(());
        }
        self.ask(&Request::MakeFolder { path: path.into() }).map(|_| ())
    }

    /// Everything below a folder on its file system.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub fn walk(&mut self, path: &str) -> Result<Vec<Entry>> {
        let answer = self.ask(&Request::Walk { path: path.into() })?;
        let Answer::Entries { entries } = answer else { bail!("not a list of files: {answer:?}") };
        Ok(entries)
    }

    /// Where below a folder a text stands in a name or a file, and how many files nobody can read without a key.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub fn find(&mut self, path: &str, text: &str) -> Result<(Vec<PathBuf>, u32)> {
        let answer = self.ask(&Request::Find { path: path.into(), text: text.to_owned() })?;
        let Answer::Found { paths, locked } = answer else { bail!("not a find: {answer:?}") };
        Ok((paths, locked))
    }

    /// All processes.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub fn processes(&mut self) -> Result<Vec<Process>> {
        let answer = self.ask(&Request::Processes)?;
        let Answer::Processes { processes } = answer else { bail!("not a list of processes: {answer:?}") };
        Ok(processes)
    }

    /// The one process that runs a program of this path's last part.
    ///
    /// # Errors
    /// As [`Self::ask`], or when there is none or more than one.
    pub fn process(&mut self, name: &str) -> Result<Process> {
        let mut found = self.processes()?;
        found.retain(|process| process.program.as_deref().is_some_and(|program| program.ends_with(name)));
        match <[Process; 1]>::try_from(found) {
            Ok([process]) => Ok(process),
            Err(found) => bail!("{} processes run {name}: {found:?}", found.len()),
        }
    }

    /// Sends a signal.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub fn kill(&mut self, pid: u32, signal: rustix::process::Signal) -> Result<()> {
        self.ask(&Request::Kill { pid, signal: signal.as_raw() }).map(|_| ())
    }

    /// Asks init.
    ///
    /// # Errors
    /// As [`Self::ask`], or when init answers without sense.
    pub fn control(&mut self, request: &ControlRequest) -> Result<ControlAnswer> {
        let line = serde_json::to_string(request).context("cannot write a control request")?;
        let answer = self.text(&Request::Control { line })?;
        serde_json::from_str(&answer).with_context(|| format!("no sense in init's answer {answer}"))
    }

    /// The box's time of day in seconds since 1970.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub fn clock(&mut self) -> Result<i64> {
        let answer = self.ask(&Request::Clock)?;
        let Answer::Clock { seconds } = answer else { bail!("not a time: {answer:?}") };
        Ok(seconds)
    }

    /// Places a program; the folder becomes a file system in memory on which programs run.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub fn install(&mut self, path: &str, program: &[u8]) -> Result<()> {
        let bytes = program.iter().map(|byte| format!("{byte:02x}")).collect();
        self.ask(&Request::Install { path: path.into(), bytes }).map(|_| ())
    }

    /// Runs a program to its end; what it printed.
    ///
    /// # Errors
    /// As [`Self::ask`], or when it does not end with code 0.
    pub fn run(&mut self, program: &str, arguments: &[&str], input: &str) -> Result<String> {
        let arguments = arguments.iter().map(|word| (*word).to_owned()).collect();
        let request = Request::Run { program: program.into(), arguments, input: input.to_owned() };
        let answer = self.ask(&request)?;
        let Answer::Ran { code: Some(0), output, .. } = answer else {
            bail!("{program} failed: {answer:?}");
        };
        Ok(output)
    }

    /// Does something in the networks of the box.
    ///
    /// # Errors
    /// As [`Self::ask`]; a refusal by netd is an outcome.
    pub fn order(&mut self, order: Order) -> Result<Outcome> {
        let answer = self.ask(&Request::Network { order })?;
        let Answer::Network { outcome } = answer else { bail!("not an outcome: {answer:?}") };
        Ok(outcome)
    }

    fn text(&mut self, request: &Request) -> Result<String> {
        let answer = self.ask(request)?;
        let Answer::Text { text } = answer else { bail!("not a text: {answer:?}") };
        Ok(text)
    }
}
