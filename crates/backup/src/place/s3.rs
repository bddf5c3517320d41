//! A bucket of an object store, by signed URLs.

use super::Place;
use super::PlaceError;
use super::layout;
use crate::targets::S3Target;
use bytes::Bytes;
use rusty_s3::Bucket;
use rusty_s3::Credentials;
use rusty_s3::S3Action;
use rusty_s3::UrlStyle;
use rusty_s3::actions::ListObjectsV2;
use std::error::Error;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;
use ureq::Agent;
use ureq::Body;
use ureq::http::Response;
use ureq::tls::RootCerts;
use ureq::tls::TlsConfig;
use ureq::tls::TlsProvider;

/// How long a signed URL is good for; it is used at once, and only that long anyone who sees it could repeat it.
const SIGNED_FOR: Duration = Duration::from_secs(120);
const MAX_LIST: u64 = 8 * 1024 * 1024;

pub(super) struct S3 {
    agent: Agent,
    bucket: Bucket,
    credentials: Credentials,
    prefix: String,
    shown: String,
}

impl S3 {
    pub(super) fn open(target: &S3Target) -> Result<Self, PlaceError> {
        let shown = format!("{}/{}", target.endpoint, target.bucket);
        let failed = |source: Box<dyn Error + Send + Sync>| PlaceError::Failed {
            doing: "use",
            name: shown.clone(),
            source,
        };
        let endpoint = target.endpoint.parse().map_err(|error| failed(Box::new(error)))?;
        let bucket = Bucket::new(endpoint, UrlStyle::Path, target.bucket.clone(), target.region.clone())
            .map_err(|error| failed(Box::new(error)))?;
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .root_certs(RootCerts::WebPki)
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .build();
        let config = Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_connect(Some(Duration::from_secs(15)))
            .timeout_global(Some(Duration::from_secs(600)))
            .build();
        let credentials = Credentials::new(target.access_key.clone(), target.secret_key.expose());
        let prefix = if target.path.is_empty() { String::new() } else { format!("{}/", target.path) };
        Ok(Self { agent: Agent::new_with_config(config), bucket, credentials, prefix, shown })
    }

    fn key(&self, name: &str) -> String {
        format!("{}{}", self.prefix, layout(name))
    }

    fn answer(
        &self,
        doing: &'static str,
        name: &str,
        result: Result<Response<Body>, ureq::Error>,
    ) -> Result<Body, PlaceError> {
        let place = self.shown.clone();
        let answer = result
            .map_err(|source| PlaceError::Unreachable { place: place.clone(), source: source.into() })?;
        let status = answer.status().as_u16();
        let said = || format!("the store answers {status}").into();
        match status {
            200..=299 => Ok(answer.into_body()),
            404 => Err(PlaceError::Missing { name: name.to_owned() }),
            401 | 403 => Err(PlaceError::Refused { place, source: said() }),
            507 => Err(PlaceError::Full { place }),
            429 | 500..=599 => Err(PlaceError::Unreachable { place, source: said() }),
            _ => Err(PlaceError::Failed { doing, name: name.to_owned(), source: said() }),
        }
    }

    fn get(&self, name: &str, range: Option<String>, limit: u64) -> Result<Vec<u8>, PlaceError> {
        let key = self.key(name);
        let url = self.bucket.get_object(Some(&self.credentials), &key).sign(SIGNED_FOR);
        let mut request = self.agent.get(url.as_str());
        if let Some(range) = range {
            request = request.header("range", range);
        }
        let body = self.answer("read", name, request.call())?;
        self.take(name, body, limit)
    }

    fn take(&self, name: &str, body: Body, limit: u64) -> Result<Vec<u8>, PlaceError> {
        let mut content = Vec::new();
        let read = body.into_reader().take(limit + 1).read_to_end(&mut content);
        read.map_err(|source| PlaceError::Unreachable { place: self.shown.clone(), source: source.into() })?;
        if content.len() as u64 > limit {
            Err(PlaceError::TooLarge { name: name.to_owned() })
        } else {
            Ok(content)
        }
    }
}

impl Place for S3 {
    fn describe(&self) -> String {
        format!("{}/{}", self.shown, self.prefix)
    }

    fn create(&self) -> Result<(), PlaceError> {
        Ok(())
    }

    fn list(&self, folder: &str) -> Result<Vec<(String, u64)>, PlaceError> {
        let prefix = format!("{}{folder}/", self.prefix);
        let mut found = Vec::new();
        let mut next: Option<String> = None;
        loop {
            let mut action = self.bucket.list_objects_v2(Some(&self.credentials));
            action.with_prefix(prefix.as_str());
            if let Some(token) = next.take() {
                action.with_continuation_token(token);
            }
            let result = self.agent.get(action.sign(SIGNED_FOR).as_str()).call();
            // An empty folder is an empty list: what is missing is the bucket.
            let answer = self.answer("list", &self.shown, result)?;
            let text = self.take(folder, answer, MAX_LIST)?;
            let failed = |source: Box<dyn Error + Send + Sync>| PlaceError::Failed {
                doing: "list",
                name: folder.to_owned(),
                source,
            };
            let text = String::from_utf8(text).map_err(|error| failed(error.into()))?;
            let list = ListObjectsV2::parse_response(&text).map_err(|error| failed(Box::new(error)))?;
            let name = |key: &str| key.rsplit('/').next().unwrap_or_default().to_owned();
            found.extend(list.contents.iter().filter_map(|one| Some((name(&one.key), one.size?))));
            next = list.next_continuation_token.filter(|token| !token.is_empty());
            if next.is_none() {
                return Ok(found);
            }
        }
    }

    fn read(&self, name: &str, limit: u64) -> Result<Vec<u8>, PlaceError> {
        self.get(name, None, limit)
    }

    fn read_part(&self, name: &str, offset: u64, length: usize) -> Result<Vec<u8>, PlaceError> {
        let length = length as u64;
        self.get(name, Some(format!("bytes={offset}-{}", offset + length.saturating_sub(1))), length)
    }

    fn write(&self, name: &str, content: &[Bytes]) -> Result<(), PlaceError> {
        let key = self.key(name);
        let url = self.bucket.put_object(Some(&self.credentials), &key).sign(SIGNED_FOR);
        let whole = content.concat();
        self.answer("write", name, self.agent.put(url.as_str()).send(&whole[..])).map(drop)
    }

    fn remove(&self, name: &str) -> Result<(), PlaceError> {
        let key = self.key(name);
        let url = self.bucket.delete_object(Some(&self.credentials), &key).sign(SIGNED_FOR);
        match self.answer("remove", name, self.agent.delete(url.as_str()).call()) {
            Err(PlaceError::Missing { .. }) => Ok(()),
            other => other.map(drop),
        }
    }

    fn is_remote(&self) -> bool {
        true
    }
}
