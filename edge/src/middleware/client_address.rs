//! Where a request came from, as far as that can be believed.

use std::{
    convert::Infallible,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use axum::{
    extract::{FromRequestParts, Request, State as Shared},
    middleware::Next,
    response::Response,
};
use everything_proto::auth::v1::ClientAddress;
use http::{Extensions, request::Parts};
use telemetry::{
    conventions::general::{CLIENT_ADDRESS, NETWORK_PEER_ADDRESS},
    spans,
};

use crate::State;

/// The other end of the connection.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// The client's address, after trusted proxies were taken off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientIp(pub IpAddr);

pub async fn find(Shared(state): Shared<State>, mut request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<Peer>().map(|peer| peer.0.ip());
    if let Some(peer) = peer {
        let headers = request.headers().get_all("x-forwarded-for").iter();
        let hops: Vec<&str> = headers
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .collect();
        let client = ClientIp(state.config.proxies.client(peer, hops.into_iter()));
        let span = tracing::Span::current();
        spans::set(&span, CLIENT_ADDRESS, client.0.to_string());
        spans::set(&span, NETWORK_PEER_ADDRESS, peer.to_string());
        request.extensions_mut().insert(client);
    }
    next.run(request).await
}

impl ClientIp {
    /// Requests that came over no network have the unspecified address.
    pub fn of(extensions: &Extensions) -> Self {
        extensions
            .get()
            .copied()
            .unwrap_or(Self(IpAddr::V4(Ipv4Addr::UNSPECIFIED)))
    }
}

impl From<ClientIp> for ClientAddress {
    fn from(client: ClientIp) -> Self {
        Self {
            ip: client.0.to_string(),
        }
    }
}

impl FromRequestParts<State> for ClientIp {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &State) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.extensions))
    }
}
