//! How much longer an app's answers take while another one takes all that it gets.

use crate::bench::spread::Spread;
use anyhow::Context;
use anyhow::Result;
use qemu_tests::containers::APP;
use qemu_tests::containers::OTHER;
use qemu_tests::containers::World;
use qemu_tests::containers::id;
use qemu_tests::containers::start;
use serde::Serialize;
use serde_json::json;

/// Answers of which the slowest hundredth is left out.
const ANSWERS: &str = "2000";

/// The ninety-ninth percentile of an app's answers, in microseconds of the box's clock.
#[derive(Debug, Serialize)]
pub(super) struct Neighbours {
    alone: Spread,
    /// Beside as many processes as one app may have, all of which compute.
    beside_swarm: Spread,
    /// Beside one that writes to the disk all the time.
    beside_writer: Spread,
}

/// Measures.
///
/// # Errors
/// When a container does not run.
pub(super) fn measure(world: &mut World, rounds: u32) -> Result<Neighbours> {
    let (mut alone, mut swarm, mut writer) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds.max(1) {
        alone.push(answers(world)?);
        swarm.push(beside(world, &["swarm"], "swarming")?);
        writer.push(beside(world, &["churn", "/data/churned"], "churning")?);
    }
    let spread = |rounds: Vec<f64>| Spread::try_from(rounds).context("no round");
    Ok(Neighbours::of(spread(alone)?, spread(swarm)?, spread(writer)?))
}

fn answers(world: &mut World) -> Result<f64> {
    let heard = world.run(&start(&["visits", ANSWERS], ""))?;
    let slowest = heard.facts().get("p99").and_then(|text| text.parse().ok());
    slowest.with_context(|| format!("no figure in {heard:?}"))
}

fn beside(world: &mut World, words: &[&str], until: &str) -> Result<f64> {
    world.start(OTHER, &start(words, ""), until)?;
    let found = answers(world);
    world.tell(&json!({ "kill": id(OTHER) }))?;
    world.wait(OTHER)?;
    world.tell(&json!({ "remove": id(OTHER) }))?;
    found.with_context(|| format!("{APP} beside {words:?}"))
}

impl Neighbours {
    pub(super) fn of(alone: Spread, beside_swarm: Spread, beside_writer: Spread) -> Self {
        Self { alone, beside_swarm, beside_writer }
    }

    pub(super) fn rows(&self) -> String {
        let Self { alone, beside_swarm, beside_writer } = self;
        let row = |words: &str, beside: &Spread| {
            let ratio = beside.median / alone.median;
            format!(
                "| p99 of an app's answers beside another that {words}, against alone | {} : {} µs = {ratio:.2} | 1.1 | |\n",
                beside.shown(0),
                alone.shown(0),
            )
        };
        row("computes in all processes it may have", beside_swarm)
            + &row("writes all the time", beside_writer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rows_show_how_far_answers_move() {
        let spread = |value: f64| Spread::try_from(vec![value]).unwrap();
        let found = Neighbours::of(spread(200.0), spread(300.0), spread(210.0));
        let rows = found.rows();
        assert!(rows.contains("300 (300–300) : 200 (200–200) µs = 1.50"), "{rows}");
        assert!(rows.contains("= 1.05"), "{rows}");
    }
}
