//! What is said of apps, for people.

use model::containers::ContainerSpec;
use model::containers::End;
use model::containers::PartName;
use model::containers::Storage;
use model::containers::Until;

/// How a container ended.
#[must_use]
pub fn end(end: End, spec: Option<&ContainerSpec>) -> String {
    match end {
        End::Code(code) => format!("it ended with code {code}"),
        End::Signal(signal) => signal_name(signal).map_or_else(
            || format!("it was ended by signal {signal}"),
            |name| format!("it was ended by signal {signal} ({name})"),
        ),
        End::OutOfMemory => spec.map_or_else(
            || "it wanted more memory than it may have, and was ended".to_owned(),
            |spec| {
                let mib = spec.limits.memory_bytes >> 20;
                format!("it wanted more memory than the {mib} MiB it may have, and was ended")
            },
        ),
        End::Unknown => "it ended while nobody looked".to_owned(),
    }
}

/// That a container is started again and again.
#[must_use]
pub fn looping(times: u32, last: &str) -> String {
    format!("it ended {times} times, and is started again after longer and longer pauses; last, {last}")
}

/// That the kernel lets an app write no more.
#[must_use]
pub fn used_up(storage: Storage) -> String {
    let mib = storage.used_bytes >> 20;
    let most = storage.most_bytes >> 20;
    format!(
        "it has filled the room it may have on the disk ({mib} of {most} MiB): delete something in the app, or remove it with its data"
    )
}

/// What a container waits for.
#[must_use]
pub fn wait(first: &PartName, until: Until) -> String {
    match until {
        Until::Started => format!("for {first} to run"),
        Until::Healthy => format!("for {first} to be healthy"),
        Until::Completed => format!("for {first} to complete"),
    }
}

/// Those by which programs mostly end.
fn signal_name(signal: u8) -> Option<&'static str> {
    Some(match signal {
        1 => "hang-up",
        2 => "interrupt",
        3 => "quit",
        4 => "an instruction that the processor does not know",
        6 => "it gave up by itself",
        7 => "a memory access that cannot be",
        8 => "an impossible calculation",
        9 => "killed",
        11 => "a memory access that is not allowed",
        13 => "nobody read its output",
        15 => "told to stop",
        31 => "a system call that is not allowed",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_end_is_told_in_words() {
        for (told, words) in [
            (End::Code(3), "it ended with code 3"),
            (End::Signal(9), "it was ended by signal 9 (killed)"),
            (End::Signal(40), "it was ended by signal 40"),
            (End::OutOfMemory, "it wanted more memory than it may have, and was ended"),
            (End::Unknown, "it ended while nobody looked"),
        ] {
            assert_eq!(end(told, None), words);
        }
        let spec: ContainerSpec = serde_json::from_str(
            r#"{"image":{"name":"a","manifest":"b"},"limits":{"memory_bytes":67108864,"tasks":64}}"#,
        )
        .unwrap();
        assert!(end(End::OutOfMemory, Some(&spec)).contains("64 MiB"));
    }
}
