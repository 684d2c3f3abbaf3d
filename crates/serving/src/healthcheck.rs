use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use crate::{ClientTls, Error, ListenAddr, Replicas, Upstream, UpstreamSettings};

/// Asks the gRPC service that listens on `address` whether it serves. For `<binary> healthcheck` in containers.
pub async fn healthcheck(address: &ListenAddr, tls: Option<ClientTls>) -> Result<(), Error> {
    let target = match address {
        ListenAddr::Unix(_) => address.to_string(),
        // A service that listens on every interface is asked over loopback.
        ListenAddr::Tcp(address) => format!(
            "{}://{}",
            if tls.is_some() { "https" } else { "http" },
            address
                .replacen("0.0.0.0:", "127.0.0.1:", 1)
                .replacen("[::]:", "[::1]:", 1)
        ),
    };
    let replicas: Replicas = target.parse()?;
    let shutdown = CancellationToken::new();
    let _stop = shutdown.clone().drop_guard();
    let settings = UpstreamSettings {
        tls,
        ..UpstreamSettings::default()
    };
    let upstream = Upstream::connect("", replicas, settings, shutdown);
    let mut client = HealthClient::new(upstream.channel());
    let response = tokio::time::timeout(
        Duration::from_secs(3),
        client.check(HealthCheckRequest::default()),
    )
    .await
    .map_err(|_| Error::NotServing("no answer within 3 s".to_owned()))?
    .map_err(|status| Error::NotServing(status.message().to_owned()))?;
    match response.into_inner().status() {
        ServingStatus::Serving => Ok(()),
        other => Err(Error::NotServing(other.as_str_name().to_owned())),
    }
}
