//! What the firewall and the networks of apps cost, measured in the network namespace that this runs in.
//!
//! ```console
//! network_cost firewall ROUNDS
//! network_cost apps NETD ROUNDS OTHERS
//! ```
//!
//! * `firewall` loads 1,000 rules by netd's own batch and, as text, by `nft -f`, in turns.
//! * `apps` starts the program `NETD` and has it attach and detach an app over D-Bus, `ROUNDS` times alone and as often beside
//!   `OTHERS` other apps.
//!
//! Prints one JSON object. It changes rules and links of its namespace and wants `/run` for itself: `cargo xtask bench --only net`
//! gives it both.

mod apps;
mod cost;
mod daemon;
mod firewall;
mod household;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use std::path::Path;

#[expect(clippy::print_stdout, reason = "the result")]
fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let measured = match arguments[..] {
        ["firewall", rounds] => serde_json::to_string(&firewall::measure(number(rounds)?)?)?,
        ["apps", netd, rounds, others] => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let measured = apps::measure(Path::new(netd), number(rounds)?, number(others)?);
            serde_json::to_string(&runtime.block_on(measured)?)?
        }
        _ => bail!("usage: network_cost firewall ROUNDS | network_cost apps NETD ROUNDS OTHERS"),
    };
    println!("{measured}");
    Ok(())
}

fn number(text: &str) -> Result<usize> {
    text.parse().with_context(|| format!("{text:?} is no number"))
}
