//! What every request passes through, in order, and why in that order.

pub mod authenticate;
pub mod body;
pub mod catch_panic;
pub mod client_address;
pub mod cors;
pub mod host;
pub mod load;
pub mod origin;
pub mod security_headers;
pub mod trace;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware::{from_fn, from_fn_with_state},
};
use tower::ServiceBuilder;

use crate::{State, oauth};

/// Around everything, health checks included. The first is the outermost.
pub fn around_everything(routes: Router<State>, state: &State) -> Router<State> {
    routes.layer(
        ServiceBuilder::new()
            // First, so that the log line and the span cover all the others, and say what was really sent.
            .layer(from_fn_with_state(state.clone(), trace::trace))
            // Every response carries them, also those that the layers below make themselves.
            .layer(from_fn_with_state(state.clone(), security_headers::add))
            // Inside the two above, so that a panic is logged and answered like anything else.
            .layer(from_fn(catch_panic::catch)),
    )
}

/// Around everything but health checks, which come from probes that know neither names nor origins.
pub fn around_requests(routes: Router<State>, state: &State) -> Router<State> {
    routes.layer(
        ServiceBuilder::new()
            // Before anything that costs: what is too much is turned away unread.
            .layer(from_fn_with_state(state.clone(), load::limit))
            // Before CORS, which would answer preflights: a rebound name learns nothing.
            .layer(from_fn_with_state(state.clone(), host::check))
            // Before CORS as well: a foreign page is refused, not merely kept from reading the answer.
            .layer(from_fn_with_state(state.clone(), origin::check))
            // Answers preflights, which carry no token, so it comes before authentication.
            .layer(cors::layer(state))
            // For rate limits, which the auth service keeps.
            .layer(from_fn_with_state(state.clone(), client_address::find)),
    )
}

/// Around the MCP endpoints.
pub fn around_mcp(routes: Router<State>, state: &State) -> Router<State> {
    routes.layer(
        ServiceBuilder::new()
            // Before the body: nobody but users makes the edge hold megabytes.
            .layer(from_fn_with_state(state.clone(), authenticate::require))
            // Then the body: handlers get one that is whole, bounded and on time.
            .layer(from_fn_with_state(body::Bound::settings(state), body::read))
            // Handlers take it as it is: axum would refuse what is over 2 MB, whatever MAX_BODY_BYTES says.
            .layer(DefaultBodyLimit::disable()),
    )
}

/// Around the OAuth endpoints that programs call.
pub fn around_oauth(routes: Router<State>, state: &State) -> Router<State> {
    routes.layer(from_fn_with_state(
        body::Bound::at_most(state, oauth::MAX_BODY_BYTES),
        body::read,
    ))
}

/// Around pages and the forms on them.
pub fn around_pages(routes: Router<State>, state: &State) -> Router<State> {
    routes.layer(
        ServiceBuilder::new()
            // Forms act for whoever is logged in, so only our own pages may send them.
            .layer(from_fn_with_state(state.clone(), origin::forms_from_here))
            .layer(from_fn_with_state(
                body::Bound::at_most(state, oauth::MAX_BODY_BYTES),
                body::read,
            )),
    )
}

#[cfg(test)]
mod tests;
