//! How a container ended, as the files that stay of it tell.

use model::containers::End;

/// Longest record that is read, in bytes: its writer runs beside the app.
pub(crate) const MAX_RECORD: u64 = 64;

/// From what the container's first process wrote (`containerd-lite/app-init`) and the control group's `memory.events`. A group in which one
/// process ran out of memory is ended as a whole, before anything can be written.
pub(crate) fn end(record: &str, memory_events: &str) -> End {
    let number = |text: &str| text.trim_end().parse::<u8>().ok();
    let written = record.split_once(' ').and_then(|(kind, rest)| match kind {
        "code" => number(rest).map(End::Code),
        "signal" => number(rest).map(End::Signal),
        _ => None,
    });
    written.unwrap_or_else(|| if ran_out(memory_events) { End::OutOfMemory } else { End::Unknown })
}

fn ran_out(memory_events: &str) -> bool {
    super::cgroup::field(memory_events, "oom_kill").is_some_and(|kills| kills > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: &str = "low 0\nhigh 0\nmax 12\noom 1\noom_kill 2\noom_group_kill 1\n";
    const FINE: &str = "low 0\nhigh 0\nmax 12\noom 0\noom_kill 0\noom_group_kill 0\n";

    #[test]
    fn what_was_written_comes_first() {
        assert_eq!(end("code 0\n", FULL), End::Code(0));
        assert_eq!(end("code 255\n", FINE), End::Code(255));
        assert_eq!(end("signal 15\n", FINE), End::Signal(15));
    }

    #[test]
    fn without_a_record_the_memory_tells() {
        assert_eq!(end("", FULL), End::OutOfMemory);
        assert_eq!(end("", FINE), End::Unknown);
        assert_eq!(end("", ""), End::Unknown);
    }

    #[test]
    fn nonsense_is_no_record() {
        for record in ["code", "code 256", "code -1", "code x", "signal ", "exit 1", "\n", "code 1 2"] {
            assert_eq!(end(record, FINE), End::Unknown, "{record:?}");
        }
    }
}
