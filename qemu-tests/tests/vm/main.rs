//! Tests that boot the real image in QEMU, by subject. Each gets its folder in `target/qemu-tests/`, named after the test.

#[cfg(test)]
mod app_networks;
#[cfg(test)]
mod apps;
#[cfg(test)]
mod backup_cuts;
#[cfg(test)]
mod backups;
#[cfg(test)]
mod boot_chain;
#[cfg(test)]
mod chance;
#[cfg(test)]
mod clock;
#[cfg(test)]
mod containers;
#[cfg(test)]
mod data;
#[cfg(test)]
mod flashed;
#[cfg(test)]
mod hardening;
#[cfg(test)]
mod health;
#[cfg(test)]
mod household;
#[cfg(test)]
mod key_cuts;
#[cfg(test)]
mod measured;
#[cfg(test)]
mod members;
#[cfg(test)]
mod network;
#[cfg(test)]
mod older_copies;
#[cfg(test)]
mod pi;
#[cfg(test)]
mod power_cut;
#[cfg(test)]
mod publishing;
#[cfg(test)]
mod reset;
#[cfg(test)]
mod sealed;
#[cfg(test)]
mod secure_boot;
#[cfg(test)]
mod services;
#[cfg(test)]
mod setup;
#[cfg(test)]
mod software;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod unlock;
#[cfg(test)]
mod updates;
#[cfg(test)]
mod vault;
#[cfg(test)]
mod vault_key;
#[cfg(test)]
mod volume_key;
#[cfg(test)]
mod wifi;
#[cfg(test)]
mod wizard;
