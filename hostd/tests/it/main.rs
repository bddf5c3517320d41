//! hostd as its clients meet it: the router in this process, and whole servers on loop-back ports.

#[cfg(test)]
mod accounts_api;
#[cfg(test)]
mod apps;
#[cfg(test)]
mod apps_api;
#[cfg(test)]
mod apps_data;
#[cfg(test)]
mod apps_flow;
#[cfg(test)]
mod backups_api;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod network;
#[cfg(test)]
mod network_api;
#[cfg(test)]
mod openapi;
#[cfg(test)]
mod persistence;
#[cfg(test)]
mod plain_http;
#[cfg(test)]
mod private_backups;
#[cfg(test)]
mod restore_api;
#[cfg(test)]
mod schema;
#[cfg(test)]
mod storage_api;
#[cfg(test)]
mod streams;
#[cfg(test)]
mod system_api;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod updates;
#[cfg(test)]
mod updates_remakes;
#[cfg(test)]
mod updates_world;
#[cfg(test)]
mod users_api;
#[cfg(test)]
mod vault_api;
