//! The OpenAPI document. It is generated from the handlers, checked in as `hostd/openapi.json`, and served from there: what
//! reviewers see is what clients get. A test fails when the two drift apart and says how to write it anew.

use super::Call;
use super::OUTSIDE;
use super::account;
use super::apps;
use super::backups;
use super::error::ApiError;
use super::factory_reset;
use super::network;
use super::registries;
use super::restore;
use super::session;
use super::setup;
use super::status;
use super::storage;
use super::system;
use super::updates;
use super::users;
use super::vault;
use crate::web::Reply;
use crate::web::reply;
use hyper::StatusCode;
use utoipa::Modify;
use utoipa::OpenApi;
use utoipa::openapi::Server;
use utoipa::openapi::security::ApiKey;
use utoipa::openapi::security::ApiKeyValue;
use utoipa::openapi::security::SecurityScheme;

/// As checked in.
pub const CHECKED_IN: &str = include_str!("../../openapi.json");

/// The API as its handlers describe it.
#[derive(Debug, OpenApi)]
#[openapi(
    info(title = "Hearth", description = "Everything the console of a Hearth box can do.", version = "1"),
    servers((url = "/api/v1")),
    paths(
        status::show_status,
        status::show_certificate,
        show_document,
        setup::set_up,
        restore::restore,
        restore::show_restore,
        session::log_in,
        session::show_session,
        session::log_out,
        system::show_system,
        system::show_logs,
        system::reboot,
        system::power_off,
        factory_reset::reset,
        network::show_network,
        network::settings::show_settings,
        network::settings::change_settings,
        network::settings::confirm_settings,
        network::wifi::wish,
        network::show_policy,
        network::explain,
        network::profile::show_profile,
        network::dns::answer_get,
        network::dns::answer_post,
        storage::show_storage,
        storage::show_health,
        storage::unlock,
        storage::make_recovery_key,
        storage::confirm_recovery_key,
        storage::seal,
        storage::rotate,
        storage::set_passphrase,
        storage::rollback::confirm,
        account::change_password,
        account::reset_password,
        vault::show_vault,
        vault::unlock,
        vault::lock,
        vault::rotate,
        vault::begin_anew,
        vault::make_code,
        vault::confirm_code,
        vault::files::list_files,
        vault::files::get_file,
        vault::files::put_file,
        vault::files::delete_file,
        users::list,
        users::add,
        users::reset,
        users::remove,
        apps::list_apps,
        apps::images::bring_image,
        apps::inspect_app,
        apps::install_app,
        apps::events::watch_apps,
        apps::show_app,
        apps::start_app,
        apps::stop_app,
        apps::restart_app,
        apps::update_app,
        apps::rename_app,
        apps::change_permissions,
        apps::remove_app,
        apps::show_app_log,
        registries::list,
        registries::set,
        registries::forget,
        backups::show_backups,
        backups::change_settings,
        backups::run,
        backups::drill,
        backups::kit,
        updates::show_updates,
        updates::watch_updates,
        updates::show_log,
        updates::check,
        updates::apply,
        updates::restart,
        updates::change_settings,
        updates::take_bundle,
        updates::take_stick,
    ),
    components(schemas(apps::events::AppService, updates::UpdateProgress)),
    modifiers(&SessionCookie, &OutsideOfBase)
)]
pub struct ApiDocument;

struct SessionCookie;

impl Modify for SessionCookie {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let cookie = ApiKey::Cookie(ApiKeyValue::new(super::authorise::COOKIE_NAME));
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("session", SecurityScheme::ApiKey(cookie));
    }
}

/// Addresses outside of the server that the document names say so themselves.
struct OutsideOfBase;

impl Modify for OutsideOfBase {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        for route in OUTSIDE {
            if let Some(item) = document.paths.paths.get_mut(route.path) {
                item.servers = Some(vec![Server::new("/")]);
            }
        }
    }
}

/// This document.
#[utoipa::path(
    get,
    path = "/openapi.json",
    responses((status = 200, description = "this document", content_type = "application/json"))
)]
pub(crate) async fn show_document(_call: Call) -> Result<Reply, ApiError> {
    Ok(reply(StatusCode::OK, "application/json", CHECKED_IN))
}
