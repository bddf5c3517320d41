//! Asks a DNS server over UDP, many questions under way at once, and says how it did. Works for any server.
//!
//! ```console
//! resolver_load SERVER QUESTIONS OUTSTANDING PID NAME...
//! ```
//!
//! * `SERVER`: address and port.
//! * `QUESTIONS`: how many to ask, after each name was asked once so that a cache has it.
//! * `OUTSTANDING`: how many may be without an answer.
//! * `PID`: the server's process, whose processor time is read from `/proc`; 0 for none.
//! * `NAME...`: names whose A records are asked for in turn.
//!
//! Prints one JSON object: `queries_per_s`, `p50_us`, `p99_us`, `lost` (no answer within a second), `server_cpu_s` (user and system),
//! `server_pss_kib`, `seconds`. An answer with another code than NOERROR ends it.

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use anyhow::ensure;
use hickory_proto::op::Edns;
use hickory_proto::op::Message;
use hickory_proto::op::Query;
use hickory_proto::rr::Name;
use hickory_proto::rr::RecordType;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::net::UdpSocket;
use std::time::Duration;
use std::time::Instant;

/// A question without an answer for this long is lost.
const LOST_AFTER: Duration = Duration::from_secs(1);

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [server, count, outstanding, process, names @ ..] = &arguments[..] else {
        bail!("usage: resolver_load SERVER QUESTIONS OUTSTANDING PID NAME...");
    };
    let server: SocketAddr = server.parse().context("reading the server's address")?;
    let count: usize = count.parse().context("reading the number of questions")?;
    let outstanding: u16 = outstanding.parse().context("reading the number of outstanding questions")?;
    let process: u32 = process.parse().context("reading the process id")?;
    ensure!(outstanding > 0 && !names.is_empty(), "nothing to ask");
    let questions = names.iter().map(|name| question(name)).collect::<Result<Vec<_>>>()?;

    let local = if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(local).context("opening a socket")?;
    socket.connect(server).context("connecting the socket")?;
    socket.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut load = Load {
        socket,
        questions,
        under_way: vec![None; usize::from(outstanding)],
        latencies: Vec::new(),
        lost: 0,
    };
    load.warm_up()?;

    load.socket.set_read_timeout(Some(Duration::from_millis(100)))?;
    let cpu_before = cpu_seconds(process)?;
    let start = Instant::now();
    load.run(count)?;
    let seconds = start.elapsed().as_secs_f64();
    report(load, seconds, cpu_seconds(process)? - cpu_before, process)
}

fn question(name: &str) -> Result<Vec<u8>> {
    let mut message = Message::query();
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(Name::from_ascii(name)?, RecordType::A));
    let mut edns = Edns::new();
    edns.set_max_payload(1232);
    message.set_edns(edns);
    Ok(message.to_vec()?)
}

/// Questions and what became of them; a question's id is its place among those under way.
struct Load {
    socket: UdpSocket,
    questions: Vec<Vec<u8>>,
    under_way: Vec<Option<Instant>>,
    latencies: Vec<Duration>,
    lost: usize,
}

impl Load {
    fn warm_up(&mut self) -> Result<()> {
        let mut buffer = [0; 4096];
        for number in 0..self.questions.len() {
            self.ask(0, number)?;
            let length = self.socket.recv(&mut buffer).context("waiting for the first answer")?;
            self.take(&buffer[..length])?;
        }
        self.latencies.clear();
        Ok(())
    }

    fn run(&mut self, count: usize) -> Result<()> {
        self.latencies.reserve(count);
        let mut buffer = [0; 4096];
        let mut asked = 0;
        for place in 0..self.under_way.len().min(count) {
            self.ask(place, asked)?;
            asked += 1;
        }
        while self.latencies.len() + self.lost < count {
            let freed = match self.socket.recv(&mut buffer) {
                Ok(length) => self.take(&buffer[..length])?.into_iter().collect(),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    self.give_up()
                }
                Err(error) => return Err(error).context("waiting for an answer"),
            };
            for place in freed {
                if asked < count {
                    self.ask(place, asked)?;
                    asked += 1;
                }
            }
        }
        Ok(())
    }

    fn ask(&mut self, place: usize, number: usize) -> Result<()> {
        let index = number % self.questions.len();
        let question = self.questions.get_mut(index).context("no such question")?;
        question[..2].copy_from_slice(&u16::try_from(place)?.to_be_bytes());
        self.under_way[place] = Some(Instant::now());
        self.socket.send(question).context("asking")?;
        Ok(())
    }

    /// The place that an answer frees; `None` for one that was given up.
    fn take(&mut self, answer: &[u8]) -> Result<Option<usize>> {
        ensure!(
            answer.len() > 3 && answer[3] & 0x0f == 0,
            "the server answers with code {:?}",
            answer.get(3)
        );
        let place = usize::from(u16::from_be_bytes([answer[0], answer[1]]));
        let Some(since) = self.under_way.get_mut(place).and_then(Option::take) else { return Ok(None) };
        self.latencies.push(since.elapsed());
        Ok(Some(place))
    }

    fn give_up(&mut self) -> Vec<usize> {
        let mut freed = Vec::new();
        for (place, since) in self.under_way.iter_mut().enumerate() {
            if since.is_some_and(|since| since.elapsed() > LOST_AFTER) {
                *since = None;
                self.lost += 1;
                freed.push(place);
            }
        }
        freed
    }
}

#[expect(clippy::print_stdout, reason = "the result")]
fn report(mut load: Load, seconds: f64, cpu: f64, process: u32) -> Result<()> {
    load.latencies.sort_unstable();
    let answered = load.latencies.len();
    let quantile =
        |percent: usize| load.latencies.get(answered * percent / 100).map_or(0, Duration::as_micros);
    let rate = f64::from(u32::try_from(answered)?) / seconds;
    let (p50, p99, lost, pss) = (quantile(50), quantile(99), load.lost, pss_kib(process)?);
    println!(
        "{{\"queries_per_s\":{rate:.0},\"p50_us\":{p50},\"p99_us\":{p99},\"lost\":{lost},\"server_cpu_s\":{cpu:.2},\
         \"server_pss_kib\":{pss},\"seconds\":{seconds:.2}}}"
    );
    Ok(())
}

/// User and system time of a process, of all its threads (`proc_pid_stat(5)`, fields 14 and 15, in ticks of 10 ms).
fn cpu_seconds(process: u32) -> Result<f64> {
    if process == 0 {
        return Ok(0.0);
    }
    let stat =
        std::fs::read_to_string(format!("/proc/{process}/stat")).context("reading the server's times")?;
    let (_, fields) = stat.rsplit_once(')').context("no process name in the server's times")?;
    let ticks: u32 =
        fields.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u32>().unwrap_or(0)).sum();
    Ok(f64::from(ticks) / 100.0)
}

/// Memory of a process, shared pages divided among those that share them.
fn pss_kib(process: u32) -> Result<u64> {
    if process == 0 {
        return Ok(0);
    }
    let rollup = std::fs::read_to_string(format!("/proc/{process}/smaps_rollup"))
        .context("reading the server's memory")?;
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:")).context("no Pss")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
