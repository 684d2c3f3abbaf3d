//! Refuses browser pages that have no business here.

use axum::{
    extract::{Request, State as Shared},
    middleware::Next,
    response::Response,
};
use http::{HeaderMap, Method, header::ORIGIN};

use super::host;
use crate::{
    State,
    error::{Face, Fault},
};

/// Programs send no `Origin`. A page's must be our own, loopback, or configured.
pub async fn check(Shared(state): Shared<State>, request: Request, next: Next) -> Response {
    let allowed = match origin(request.headers()) {
        Ok(None) => true,
        Ok(Some(origin)) => {
            state.config.origins.allows(origin, &state.config.base) || is_same(origin, &request)
        }
        Err(()) => false,
    };
    if allowed {
        next.run(request).await
    } else {
        Fault::ForeignOrigin.on(Face::of(request.uri().path()))
    }
}

/// A form that acts for the user must come from a page of ours, whatever other origins may do.
pub async fn forms_from_here(Shared(state): Shared<State>, request: Request, next: Next) -> Response {
    if request.method() != Method::POST {
        return next.run(request).await;
    }
    let from_here = match origin(request.headers()) {
        // Browsers send it with every POST; without one, there is no browser whose cookie could be misused.
        Ok(None) => true,
        Ok(Some(origin)) => origin == state.config.base.as_str() || is_same(origin, &request),
        Err(()) => false,
    };
    let site = request
        .headers()
        .get("sec-fetch-site")
        .map(|site| site.as_bytes());
    let same_site = matches!(site, None | Some(b"same-origin" | b"none"));
    if from_here && same_site {
        next.run(request).await
    } else {
        Fault::ForeignOrigin.on(Face::of(request.uri().path()))
    }
}

fn origin(headers: &HeaderMap) -> Result<Option<&str>, ()> {
    let mut origins = headers.get_all(ORIGIN).iter();
    match (origins.next(), origins.next()) {
        (None, _) => Ok(None),
        (Some(origin), None) => origin.to_str().map(Some).map_err(|_| ()),
        (Some(_), Some(_)) => Err(()),
    }
}

/// Whether the page came from the very host that it now calls, by whichever of its names. That the name is ours was
/// checked before.
fn is_same(origin: &str, request: &Request) -> bool {
    let Some((_, origin)) = origin.split_once("://") else {
        return false;
    };
    host::authority(request.uri(), request.headers()).is_some_and(|host| host.eq_ignore_ascii_case(origin))
}
