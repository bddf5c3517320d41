//! Images that somebody brings as a file, because no registry has them or the box reaches none.

use super::super::Call;
use super::super::error::ApiError;
use super::super::error::ErrorBody;
use super::super::error::sentence;
use super::super::json_reply;
use super::super::query::Query;
use crate::apps::arriving::ArrivalError;
use crate::apps::arriving::Arriving;
use crate::apps::image_name;
use crate::web::Reply;
use app_manifest::ImageReference;
use hyper::StatusCode;
use model::containers::ImageReport;
use serde::Serialize;
use std::error::Error;
use std::os::fd::OwnedFd;

/// What stands in the place of the registry in the names of such images; nobody is asked for these.
const BROUGHT: &str = "localhost/";

/// An image that is there.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct ImageView {
    /// Its complete name: what an app's `image` says.
    name: String,
    /// Digest of its manifest.
    manifest: String,
}

impl From<ImageReport> for ImageView {
    fn from(report: ImageReport) -> Self {
        Self { name: report.name, manifest: report.manifest }
    }
}

/// Takes an image out of an archive of `docker save`, or of an OCI layout. It is there when the answer comes.
#[utoipa::path(
    post,
    path = "/apps/images",
    params(("name" = String, Query, description = "what it is called here: `name[:tag]`; apps name it `localhost/name:tag`")),
    request_body(content = Vec<u8>, content_type = "application/octet-stream", description = "the archive, not compressed as a whole; at most 16 GiB"),
    responses(
        (status = 201, body = ImageView),
        (status = 400, body = ErrorBody, description = "`malformed_body`: it did not arrive whole"),
        (status = 401, body = ErrorBody, description = "`not_logged_in`"),
        (status = 403, body = ErrorBody, description = "`foreign_origin` or `owner_only`"),
        (status = 409, body = ErrorBody, description = "`app_refused`: what is wrong with the image"),
        (status = 413, body = ErrorBody, description = "`too_large`"),
        (status = 415, body = ErrorBody, description = "`unsupported_media_type`"),
        (status = 422, body = ErrorBody, description = "`invalid_field`: the name"),
        (status = 503, body = ErrorBody, description = "`apps_unavailable`"),
        (status = 507, body = ErrorBody, description = "`disk_full`: nothing was kept"),
    ),
    security(("session" = []))
)]
pub(crate) async fn bring_image(mut call: Call) -> Result<Reply, ApiError> {
    let query = Query::parse(&call.query, &["name"])?;
    let name = local_name(query.require("name")?)?;
    let mut upload = call.upload.take().ok_or_else(ApiError::internal)?;
    let folder = call.app.uploads.clone();
    let mut arriving = on_disk(move || Arriving::begin(&folder)).await?;
    while let Some(piece) = upload.next().await? {
        arriving = on_disk(move || {
            arriving.write(&piece)?;
            Ok(arriving)
        })
        .await?;
    }
    let archive: OwnedFd = on_disk(move || arriving.finish()).await?;
    let image = call.app.apps.containerd().import(&name, archive).await?;
    tracing::info!(from = %call.from, image = %image.name, "an image was brought to the box");
    json_reply(StatusCode::CREATED, &ImageView::from(image))
}

/// `notes:2` → `localhost/notes:2`; a name with a registry of its own would be mistaken for that registry's.
fn local_name(text: &str) -> Result<String, ApiError> {
    let invalid = |words: &str| ApiError::field("name", sentence(words));
    let path = text.trim().strip_prefix(BROUGHT).unwrap_or_else(|| text.trim());
    if path.contains('@') {
        return Err(invalid("leave out the digest: it is that of the image"));
    }
    let name = format!("{BROUGHT}{path}");
    let name: ImageReference =
        name.parse().map_err(|error: app_manifest::InvalidText| invalid(&error.to_string()))?;
    Ok(image_name::complete(name.as_str()))
}

pub(in crate::api) async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ArrivalError> + Send + 'static,
) -> Result<T, ApiError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => Ok(done?),
        Err(error) => {
            tracing::error!(error = &error as &dyn Error, "keeping a file broke off");
            Err(ApiError::internal())
        }
    }
}

impl From<ArrivalError> for ApiError {
    fn from(error: ArrivalError) -> Self {
        match error {
            ArrivalError::TooLarge { .. } => {
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", sentence(&error.to_string()))
            }
            ArrivalError::NoRoom => {
                let message =
                    "The disk has no room for this file. Remove what is not needed, then try again.";
                Self::new(StatusCode::INSUFFICIENT_STORAGE, "disk_full", message)
            }
            error @ ArrivalError::Disk(_) => {
                tracing::error!(error = &error as &dyn Error, "a file could not be kept");
                Self::internal()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_that_is_brought_is_of_no_registry() {
        for (text, name) in [
            ("notes", "localhost/notes:latest"),
            ("notes:2", "localhost/notes:2"),
            (" localhost/a/notes:2 ", "localhost/a/notes:2"),
            ("ghcr.io/a:1", "localhost/ghcr.io/a:1"),
        ] {
            assert_eq!(local_name(text).ok().as_deref(), Some(name), "{text}");
        }
        for text in ["", "Notes", "a b", "notes@sha256:00", "notes:"] {
            assert!(local_name(text).is_err(), "{text}");
        }
    }
}
