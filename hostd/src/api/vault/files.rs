//! Private files: listed, sent, received and removed while the vault is open.

use super::user;
use crate::api::Call;
use crate::api::error::ApiError;
use crate::api::error::ErrorBody;
use crate::api::json_reply;
use crate::app::App;
use crate::vaults::Lease;
use crate::vaults::VaultError;
use crate::vaults::files;
use crate::vaults::files::FileError;
use crate::vaults::files::FileName;
use crate::vaults::files::Writing;
use crate::web::Reply;
use crate::web::body::Pieces;
use crate::web::body::ReplyBody;
use crate::web::empty_reply;
use crate::web::set_header;
use hyper::Response;
use hyper::StatusCode;
use hyper::body::Bytes;
use hyper::header::CONTENT_DISPOSITION;
use hyper::header::CONTENT_TYPE;
use serde::Serialize;
use std::fs::File;
use std::io;
use std::io::Read;
use std::sync::Arc;
use tokio::sync::mpsc;

/// What a body that is a file says of itself.
pub(in crate::api) const MEDIA_TYPE: &str = "application/octet-stream";
/// Bytes that are read from the disk at a time.
const PIECE: u64 = 64 * 1024;

/// The private files.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct FileList {
    /// By name.
    files: Vec<FileView>,
}

/// A private file.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct FileView {
    /// Its name.
    name: String,
    /// Its length.
    bytes: u64,
    /// When it was written, in seconds since 1970 by the box's clock.
    modified_unix: u64,
}

/// The private files of whoever is logged in.
#[utoipa::path(
    get,
    path = "/vault/files",
    responses(
        (status = 200, body = FileList),
        (status = 401, body = ErrorBody, description = "`not_logged_in`"),
        (status = 409, body = ErrorBody, description = "`vault_locked`"),
    ),
    security(("session" = []))
)]
pub(crate) async fn list_files(call: Call) -> Result<Reply, ApiError> {
    let lease = enter(&call)?;
    let listed = on_disk(move || files::list(lease.folder())).await?;
    let view = |file: files::PrivateFile| FileView {
        name: file.name,
        bytes: file.bytes,
        modified_unix: file.modified_unix,
    };
    json_reply(StatusCode::OK, &FileList { files: listed.into_iter().map(view).collect() })
}

/// Writes a private file, in the place of one of the same name. It is on the disk when the answer comes.
#[utoipa::path(
    put,
    path = "/vault/files/{name}",
    params(("name" = String, Path, description = "1 to 200 bytes, percent-encoded; no slash, no full stop at its start")),
    request_body(content = Vec<u8>, content_type = "application/octet-stream", description = "at most 16 MiB"),
    responses(
        (status = 204),
        (status = 400, body = ErrorBody, description = "`malformed_body`: it did not arrive whole, nothing was changed"),
        (status = 401, body = ErrorBody, description = "`not_logged_in`"),
        (status = 403, body = ErrorBody, description = "`foreign_origin`"),
        (status = 409, body = ErrorBody, description = "`vault_locked`, or `too_many_files`"),
        (status = 413, body = ErrorBody, description = "`too_large`"),
        (status = 415, body = ErrorBody, description = "`unsupported_media_type`"),
        (status = 422, body = ErrorBody, description = "`invalid_field`: the name"),
        (status = 503, body = ErrorBody, description = "`storage_unavailable`: the disk fails"),
        (status = 507, body = ErrorBody, description = "`disk_full`: nothing was changed"),
    ),
    security(("session" = []))
)]
pub(crate) async fn put_file(mut call: Call) -> Result<Reply, ApiError> {
    let (lease, name) = (enter(&call)?, name(&call)?);
    let mut upload = call.upload.take().ok_or_else(ApiError::internal)?;
    let begun = name.clone();
    let app = Arc::clone(&call.app);
    let mut writing = changes(&app, move || {
        let writing = Writing::begin(lease.folder(), &begun)?;
        Ok((lease, writing))
    })
    .await?;
    while let Some(piece) = upload.next().await? {
        writing = changes(&app, move || {
            writing.1.write(&piece)?;
            Ok(writing)
        })
        .await?;
    }
    changes(&app, move || writing.1.finish(&name)).await?;
    Ok(empty_reply(StatusCode::NO_CONTENT))
}

/// A private file.
#[utoipa::path(
    get,
    path = "/vault/files/{name}",
    params(("name" = String, Path, description = "as it is listed, percent-encoded")),
    responses(
        (status = 200, description = "the file", body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 401, body = ErrorBody, description = "`not_logged_in`"),
        (status = 404, body = ErrorBody, description = "`no_such_file`"),
        (status = 409, body = ErrorBody, description = "`vault_locked`"),
        (status = 422, body = ErrorBody, description = "`invalid_field`: the name"),
    ),
    security(("session" = []))
)]
pub(crate) async fn get_file(call: Call) -> Result<Reply, ApiError> {
    let (lease, name) = (enter(&call)?, name(&call)?);
    let disposition = format!("attachment; filename*=UTF-8''{}", encode(name.as_str()));
    let (lease, (file, length)) = on_disk(move || {
        let opened = files::open(lease.folder(), &name)?;
        Ok((lease, opened))
    })
    .await?;
    let (sender, pieces) = Pieces::of_length(length);
    tokio::spawn(send(file.take(length), sender, lease));
    let mut reply = Response::new(ReplyBody::Pieces(pieces));
    set_header(&mut reply, CONTENT_TYPE, MEDIA_TYPE);
    set_header(&mut reply, CONTENT_DISPOSITION, &disposition);
    Ok(reply)
}

/// Removes a private file for good.
#[utoipa::path(
    delete,
    path = "/vault/files/{name}",
    params(("name" = String, Path, description = "as it is listed, percent-encoded")),
    responses(
        (status = 204),
        (status = 401, body = ErrorBody, description = "`not_logged_in`"),
        (status = 403, body = ErrorBody, description = "`foreign_origin`"),
        (status = 404, body = ErrorBody, description = "`no_such_file`"),
        (status = 409, body = ErrorBody, description = "`vault_locked`"),
        (status = 422, body = ErrorBody, description = "`invalid_field`: the name"),
        (status = 503, body = ErrorBody, description = "`storage_unavailable`: the disk fails"),
    ),
    security(("session" = []))
)]
pub(crate) async fn delete_file(call: Call) -> Result<Reply, ApiError> {
    let (lease, name) = (enter(&call)?, name(&call)?);
    changes(&call.app, move || files::remove(lease.folder(), &name)).await?;
    Ok(empty_reply(StatusCode::NO_CONTENT))
}

/// Until the last byte is with whoever asked, or they are gone. The vault is not locked meanwhile.
async fn send(mut file: io::Take<File>, sender: mpsc::Sender<io::Result<Bytes>>, lease: Lease) {
    loop {
        let read = tokio::task::spawn_blocking(move || {
            let mut piece = Vec::new();
            let read = file.by_ref().take(PIECE).read_to_end(&mut piece);
            (file, read.map(|_length| Bytes::from(piece)))
        });
        let Ok((rest, piece)) = read.await else { return };
        file = rest;
        let is_last = piece.as_ref().map_or(true, Bytes::is_empty);
        if piece.as_ref().is_ok_and(Bytes::is_empty) || sender.send(piece).await.is_err() || is_last {
            break;
        }
    }
    // In this order: whoever waits for the lease finds no file in use.
    drop(file);
    drop(lease);
}

fn enter(call: &Call) -> Result<Lease, ApiError> {
    Ok(call.app.vaults.enter(&user(call)?)?)
}

fn name(call: &Call) -> Result<FileName, ApiError> {
    let invalid = |text: &str| ApiError::field("name", crate::api::error::sentence(text));
    let text = call.name.clone().ok_or_else(|| invalid("the name is not percent-encoded UTF-8"))?;
    FileName::try_from(text).map_err(|error| invalid(&error.to_string()))
}

/// Work on the disk that changes it. A disk that fails at it is not written to any more.
async fn changes<T: Send + 'static>(
    app: &App,
    work: impl FnOnce() -> Result<T, FileError> + Send + 'static,
) -> Result<T, ApiError> {
    let work = || {
        let done = work();
        let has_failed = done.as_ref().is_err_and(FileError::is_of_the_disk);
        Ok((done, has_failed))
    };
    let (done, has_failed) = on_disk(work).await?;
    if has_failed {
        app.accounts.disk_failed();
    }
    Ok(done?)
}

async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, FileError> + Send + 'static,
) -> Result<T, ApiError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => Ok(done?),
        Err(error) => Err(VaultError::Thread(error).into()),
    }
}

/// Percent-encodes what may not stand in a header's `ext-value` (RFC 8187 section 3.2.1).
fn encode(text: &str) -> String {
    let each = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(each).collect()
}
