//! Names of devices at home, for the resolver.

use ::mdns::Name;
use ::mdns::Querier;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use resolver::DomainName;
use resolver::MdnsResolver;
use std::error::Error;
use std::net::IpAddr;
use std::time::Duration;

/// How long a device may take to answer; less than the resolver waits, which is 3 s.
const LONGEST: Duration = Duration::from_millis(2500);

/// Asks the home network.
#[derive(Clone, Debug)]
pub struct Lookup(pub Querier);

impl MdnsResolver for Lookup {
    fn resolve<'a>(
        &'a self,
        name: &'a DomainName,
    ) -> BoxFuture<'a, Result<Vec<IpAddr>, Box<dyn Error + Send + Sync>>> {
        async move {
            // Only a name of odd bytes is none here; no device has it.
            let Ok(mut name) = Name::from_ascii(name.to_string()) else {
                return Ok(Vec::new());
            };
            name.set_fqdn(true);
            Ok(self.0.addresses(&name, LONGEST).await?)
        }
        .boxed()
    }
}
