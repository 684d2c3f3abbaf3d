//! Styles, scripts and pictures, under names that change with their contents, so that browsers may keep them for ever.

use std::sync::LazyLock;

use axum::{
    extract::Path,
    response::{IntoResponse, Response},
};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use sha2::{Digest, Sha256};

use crate::error::{Face, Fault};

struct Asset {
    name: &'static str,
    media_type: &'static str,
    bytes: &'static [u8],
    /// `/assets/<stem>.<hash>.<extension>`.
    url: String,
}

/// Constant; only their hashes are computed, once.
static ASSETS: LazyLock<[Asset; 5]> = LazyLock::new(|| {
    let css = "text/css; charset=utf-8";
    let js = "text/javascript; charset=utf-8";
    [
        asset("style.css", css, include_bytes!("../../assets/style.css")),
        asset("copy.js", js, include_bytes!("../../assets/copy.js")),
        asset("fake_login.js", js, include_bytes!("../../assets/fake_login.js")),
        asset(
            "submit_once.js",
            js,
            include_bytes!("../../assets/submit_once.js"),
        ),
        asset(
            "icon.svg",
            "image/svg+xml",
            include_bytes!("../../assets/icon.svg"),
        ),
    ]
});

fn asset(name: &'static str, media_type: &'static str, bytes: &'static [u8]) -> Asset {
    let hash: String = Sha256::digest(bytes)
        .iter()
        .take(6)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
    Asset {
        name,
        media_type,
        bytes,
        url: format!("/assets/{stem}.{hash}.{extension}"),
    }
}

/// For templates. Empty for an asset that there is not.
pub fn url(name: &str) -> &'static str {
    ASSETS
        .iter()
        .find(|asset| asset.name == name)
        .map_or("", |asset| &asset.url)
}

pub async fn get(Path(file): Path<String>) -> Response {
    let found = ASSETS
        .iter()
        .find(|asset| asset.url.strip_prefix("/assets/") == Some(&file));
    let Some(asset) = found else {
        return Fault::NotFound.on(Face::Page);
    };
    let headers = [
        (CONTENT_TYPE, asset.media_type),
        (CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ];
    (headers, asset.bytes).into_response()
}
