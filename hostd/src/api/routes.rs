//! The tables of routes: what there is, who may use it, and what it takes.

use super::Input;
use super::Route;
use super::account;
use super::authorise::Access;
use super::backups;
use super::document;
use super::factory_reset;
use super::network;
use super::restore;
use super::session;
use super::setup;
use super::status;
use super::storage;
use super::system;
use super::users;
use super::vault;
use hyper::Method;

/// Everything there is.
pub static ROUTES: &[Route] = &[
    Route {
        method: Method::GET,
        path: "/status",
        access: Access::Public,
        input: Input::Nothing,
        handler: |call| Box::pin(status::show_status(call)),
    },
    Route {
        method: Method::GET,
        path: "/openapi.json",
        access: Access::Public,
        input: Input::Nothing,
        handler: |call| Box::pin(document::show_document(call)),
    },
    Route {
        method: Method::GET,
        path: "/ca.crt",
        access: Access::Public,
        input: Input::Nothing,
        handler: |call| Box::pin(status::show_certificate(call)),
    },
    Route {
        method: Method::POST,
        path: "/setup",
        access: Access::SetUpOnly,
        input: Input::Json,
        handler: |call| Box::pin(setup::set_up(call)),
    },
    Route {
        method: Method::POST,
        path: "/setup/restore",
        access: Access::SetUpOnly,
        input: Input::Json,
        handler: |call| Box::pin(restore::restore(call)),
    },
    Route {
        method: Method::GET,
        path: "/setup/restore",
        access: Access::SetUpOnly,
        input: Input::Nothing,
        handler: |call| Box::pin(restore::show_restore(call)),
    },
    Route {
        method: Method::POST,
        path: "/session",
        access: Access::Public,
        input: Input::Json,
        handler: |call| Box::pin(session::log_in(call)),
    },
    Route {
        method: Method::GET,
        path: "/session",
        access: Access::LoggedIn,
        input: Input::Nothing,
        handler: |call| Box::pin(session::show_session(call)),
    },
    Route {
        method: Method::DELETE,
        path: "/session",
        access: Access::LoggedIn,
        input: Input::Nothing,
        handler: |call| Box::pin(session::log_out(call)),
    },
    Route {
        method: Method::GET,
        path: "/system",
        access: Access::LoggedIn,
        input: Input::Nothing,
        handler: |call| Box::pin(system::show_system(call)),
    },
    Route {
        method: Method::GET,
        path: "/network",
        access: Access::LoggedIn,
        input: Input::Nothing,
        handler: |call| Box::pin(network::show_network(call)),
    },
    Route {
        method: Method::GET,
        path: "/network/settings",
        access: Access::LoggedIn,
        input: Input::Nothing,
        handler: |call| Box::pin(network::settings::show_settings(call)),
    },
    Route {
        method: Method::PUT,
        path: "/network/settings",
        access: Access::Owner,
        input: Input::Json,
        handler: |call| Box::pin(network::settings::change_settings(call)),
    },
    Route {
        method: Method::POST,
        path: "/network/settings/confirm",
        access: Access::Owner,
        input: Input::Nothing,
        handler: |call| Box::pin(network::settings::confirm_settings(call)),
    },
    Route {
        method: Method::GET,
        path: "/network/policy",
        access: Access::LoggedIn,
        input: Input::Nothing,
        handler: |call| Box::pin(network::show_policy(call)),
    },
    Route {
        method: Method::GET,
        path: "/network/explain",
        access: Access::LoggedIn,
        input: Input::Nothing,
        handler: |call| Box::pin(network::explain(call)),
    },
    Route {
        method: Method::GET,
        path: "/network/dns.mobileconfig",
        access: Access::HomeNetwork,
        input: Input::Nothing,
        handler: |call| Box::pin(network::profile::show_profile(call)),
    },
    Route {
        method: Method::GET,
        path: "/storage",
        access: Access::LoggedIn,
        input: Input::Nothing,
        handler: |call| Box::pin(storage::show_storage(call)),
    },
    Route {
        method: Method::GET,
        path: "/storage/health",
        access: Access::LoggedIn,
        input: Input::Nothing,
        handler: |call| Box::pin(storage::show_health(call)),
    },
    Route {
        method: Method::POST,
        path: "/storage/unlock",
        access: Access::LockedOnly,
        input: Input::Json,
        handler: |call| Box::pin(storage::unlock(call)),
    },
    Route {
        method: Method::POST,
        path: "/storage/recovery-key",
        access: Access::Owner,
        input: Input::Json,
        handler: |call| Box::pin(storage::make_recovery_key(call)),
    },
    Route {
        method: Method::POST,
        path: "/storage/recovery-key/confirm",
        access: Access::Owner,
        input: Input::Json,
        handler: |call| Box::pin(storage::confirm_recovery_key(call)),
    },
    Route {
        method: Method::POST,
        path: "/storage/seal",
        access: Access::Owner,
        input: Input::Json,
        handler: |call| Box::pin(storage::seal(call)),
    },
    Route {
        method: Method::POST,
        path: "/storage/passphrase",
        access: Access::Owner,
        input: Input::Json,
        handler: |call| Box::pin(storage::set_passphrase(call)),
    },
    Route {
        method: Method::POST,
        path: "/storage/rotate",
        access: Access::Owner,
        input: Input::Json,
        handler: |call| Box::pin(storage::rotate(call)),
    },
    Route {
        method: Method::POST,
        path: "/storage/rollback/confirm",
        access: Access::OlderCopyOnly,
        input: Input::Json,
        handler: |call| Box::pin(storage::rollback::confirm(call)),
    },
    Route {
        method: Method::POST,
        path: "/account/password",
        access: Access::LoggedIn,
        input: Input::Json,
        handler: |call| Box::pin(account::change_password(call)),
    },
    Route {
        method: Method::POST,
        path: "/account/reset",
        access: Access::Public,
        input: Input::Json,
        handler: |call| Box::pin(account::reset_password(call)),
    },
    Route {
        method: Method::GET,
        path: "/vault",
        access: Access::LoggedIn,
        input: Input::Nothing,
        handler: |call| Box::pin(vault::show_vault(call)),
    },
    Route {
        method: Method::POST,
        path: "/vault/unlock",
        access: Access::LoggedIn,
        input: Input::Json,
        handler: |call| Box::pin(vault::unlock(call)),
    },
    Route {
        method: Method::POST,
        path: "/vault/lock",
        access: Access::LoggedIn,
        input: Input::Nothing,
        handler: |call| Box::pin(vault::lock(call)),
    },
    Route {
        method: Method::POST,
        path: "/vault/rotate",
        access: Access::LoggedIn,
        input: Input::Json,
        handler: |call| Box::pin(vault::rotate(call)),
    },
    Route {
        method: Method::POST,
        path: "/vault/new",
        access: Access::LoggedIn,
        input: Input::Json,
        handler: |call| Box::pin(vault::begin_anew(call)),
    },
    Route {
        method: Method::POST,
        path: "/vault/recovery-code",
        access: Access::LoggedIn,
        input: Input::Json,
        handler: |call| Box::pin(vault::make_code(call)),
    },
    Route {
        method: Method::POST,
        path: "/vault/recovery-code/confirm",
        access: Access::LoggedIn,
        input: Input::Json,
        handler: |call| Box::pin(vault::confirm_code(call)),
    },
    Route {
        method: Method::GET,
        path: "/vault/files",
        access: Access::LoggedIn,
        input: Input::Nothing,
        handler: |call| Box::pin(vault::files::list_files(call)),
    },
    Route {
        method: Method::GET,
        path: "/vault/files/{name}",
        access: Access::LoggedIn,
        input: Input::Nothing,
        handler: |call| Box::pin(vault::files::get_file(call)),
    },
    Route {
        method: Method::PUT,
        path: "/vault/files/{name}",
        access: Access::LoggedIn,
        input: Input::File,
        handler: |call| Box::pin(vault::files::put_file(call)),
    },
    Route {
        method: Method::DELETE,
        path: "/vault/files/{name}",
        access: Access::LoggedIn,
        input: Input::Nothing,
        handler: |call| Box::pin(vault::files::delete_file(call)),
    },
    Route {
        method: Method::GET,
        path: "/users",
        access: Access::Owner,
        input: Input::Nothing,
        handler: |call| Box::pin(users::list(call)),
    },
    Route {
        method: Method::POST,
        path: "/users",
        access: Access::Owner,
        input: Input::Json,
        handler: |call| Box::pin(users::add(call)),
    },
    Route {
        method: Method::POST,
        path: "/users/{name}/password",
        access: Access::Owner,
        input: Input::Json,
        handler: |call| Box::pin(users::reset(call)),
    },
    Route {
        method: Method::POST,
        path: "/users/{name}/remove",
        access: Access::Owner,
        input: Input::Json,
        handler: |call| Box::pin(users::remove(call)),
    },
    Route {
        method: Method::GET,
        path: "/backups",
        access: Access::Owner,
        input: Input::Nothing,
        handler: |call| Box::pin(backups::show_backups(call)),
    },
    Route {
        method: Method::PUT,
        path: "/backups/settings",
        access: Access::Owner,
        input: Input::Json,
        handler: |call| Box::pin(backups::change_settings(call)),
    },
    Route {
        method: Method::POST,
        path: "/backups/run",
        access: Access::Owner,
        input: Input::Nothing,
        handler: |call| Box::pin(backups::run(call)),
    },
    Route {
        method: Method::POST,
        path: "/backups/drill",
        access: Access::Owner,
        input: Input::Nothing,
        handler: |call| Box::pin(backups::drill(call)),
    },
    Route {
        method: Method::POST,
        path: "/backups/kit",
        access: Access::Owner,
        input: Input::Json,
        handler: |call| Box::pin(backups::kit(call)),
    },
    Route {
        method: Method::GET,
        path: "/logs",
        access: Access::Owner,
        input: Input::Nothing,
        handler: |call| Box::pin(system::show_logs(call)),
    },
    Route {
        method: Method::POST,
        path: "/system/reboot",
        access: Access::Owner,
        input: Input::Nothing,
        handler: |call| Box::pin(system::reboot(call)),
    },
    Route {
        method: Method::POST,
        path: "/system/poweroff",
        access: Access::Owner,
        input: Input::Nothing,
        handler: |call| Box::pin(system::power_off(call)),
    },
    Route {
        method: Method::POST,
        path: "/system/factory-reset",
        access: Access::Owner,
        input: Input::Json,
        handler: |call| Box::pin(factory_reset::reset(call)),
    },
];

/// Addresses that other standards fix, outside of [`BASE`].
pub static OUTSIDE: &[Route] = &[
    Route {
        method: Method::GET,
        path: "/dns-query",
        access: Access::HomeNetwork,
        input: Input::Nothing,
        handler: |call| Box::pin(network::dns::answer_get(call)),
    },
    Route {
        method: Method::POST,
        path: "/dns-query",
        access: Access::HomeNetwork,
        input: Input::DnsMessage,
        handler: |call| Box::pin(network::dns::answer_post(call)),
    },
];
