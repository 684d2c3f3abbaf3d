//! Every route there is.

use axum::{
    Router,
    extract::Request,
    response::Response,
    routing::{get, post},
};
use http::{HeaderValue, header::ALLOW};

use crate::{
    AuthMode, State,
    error::{Face, Fault},
    mcp, middleware,
    oauth::{
        authorize, callback, consent, fake_upstream, introspect,
        metadata::{self, LEGACY_RESOURCE_METADATA_PATH, RESOURCE_METADATA_PATH},
        par, register, revoke, token,
    },
    pages::{assets, health, splash},
};

/// All routes, with all layers.
pub fn build(state: State) -> Router {
    assemble(state, mcp_routes())
}

/// All routes around those of MCP.
pub(crate) fn assemble(state: State, mcp_routes: Router<State>) -> Router {
    let mut routes = Router::new()
        .merge(middleware::around_mcp(mcp_routes, &state))
        .merge(public_routes());
    match state.config.auth {
        AuthMode::Internal => {
            routes = routes
                .merge(metadata_routes())
                .merge(middleware::around_oauth(oauth_routes(), &state))
                .merge(middleware::around_pages(login_routes(), &state));
        }
        // The authorization server has its own face; clients are pointed there.
        AuthMode::External => routes = routes.merge(metadata_routes()),
        // A client that found metadata would try to log in.
        AuthMode::Disabled => {}
    }
    // After the routes: it concerns those that are there by now.
    let routes = routes
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed);
    let routes = middleware::around_requests(routes, &state).merge(health_routes());
    middleware::around_everything(routes, &state).with_state(state)
}

fn mcp_routes() -> Router<State> {
    Router::new()
        .route(
            "/mcp",
            post(mcp::post)
                .get(mcp::get)
                .delete(mcp::delete)
                .head(|| no_head("GET, POST, DELETE")),
        )
        .route("/sse", get(mcp::legacy_sse).head(|| no_head("GET")))
        .route("/message", post(mcp::legacy_message))
}

fn public_routes() -> Router<State> {
    Router::new()
        .route("/", get(splash::get))
        .route("/assets/{file}", get(assets::get))
}

fn metadata_routes() -> Router<State> {
    Router::new()
        .route(
            "/.well-known/oauth-protected-resource",
            get(metadata::protected_resource),
        )
        .route(RESOURCE_METADATA_PATH, get(metadata::protected_resource))
        .route(
            LEGACY_RESOURCE_METADATA_PATH,
            get(metadata::legacy_protected_resource),
        )
        .route(
            "/.well-known/oauth-authorization-server",
            get(metadata::authorization_server),
        )
        // Where clients look that take the MCP endpoint for the issuer.
        .route(
            "/.well-known/oauth-authorization-server/mcp",
            get(metadata::authorization_server),
        )
        .route(
            "/.well-known/openid-configuration",
            get(metadata::authorization_server),
        )
        .route(
            "/.well-known/openid-configuration/mcp",
            get(metadata::authorization_server),
        )
        .route(
            "/mcp/.well-known/openid-configuration",
            get(metadata::authorization_server),
        )
}

fn oauth_routes() -> Router<State> {
    Router::new()
        .route("/token", post(token::post))
        .route("/par", post(par::post))
        .route("/revoke", post(revoke::post))
        .route("/introspect", post(introspect::post))
        .route("/register", post(register::post))
        .route(
            "/register/{client_id}",
            get(register::get).put(register::put).delete(register::delete),
        )
}

fn login_routes() -> Router<State> {
    Router::new()
        .route("/authorize", get(authorize::get))
        .route("/authorize/consent", post(consent::post))
        .route(
            "/fakeupstreamauth/authorize",
            get(fake_upstream::get).post(fake_upstream::post),
        )
        .route("/fakeupstreamauth/redirect", get(callback::get))
        .route("/callback", get(callback::get))
}

fn health_routes() -> Router<State> {
    Router::new()
        .route("/livez", get(health::livez))
        .route("/readyz", get(health::readyz))
}

async fn not_found(request: Request) -> Response {
    Fault::NotFound.on(Face::of(request.uri().path()))
}

/// Streams have no HEAD: axum would have GET answer it, which opens the stream, and on `/sse` a session.
async fn no_head(allowed: &'static str) -> Response {
    let mut response = Fault::MethodNotAllowed.on(Face::Mcp);
    response
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

async fn method_not_allowed(request: Request) -> Response {
    Fault::MethodNotAllowed.on(Face::of(request.uri().path()))
}
