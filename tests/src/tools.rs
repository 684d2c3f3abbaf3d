//! Programs that tests run: ours, and what `scripts/setup` installs.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

/// The workspace's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map(Path::to_path_buf)
        .unwrap_or_default()
}

/// A binary of the workspace, beside the running test's own.
pub fn binary(name: &str) -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("the program's own path")?;
    let mut directory = own.parent().context("a target directory")?;
    // Tests are one level below the binaries.
    if directory.ends_with("deps") {
        directory = directory.parent().context("a target directory")?;
    }
    let path = directory.join(name);
    ensure!(
        path.exists(),
        "{} is missing: run `cargo build --workspace --bins` first",
        path.display()
    );
    Ok(path)
}

/// Node 22.
pub fn node() -> anyhow::Result<PathBuf> {
    installed("node/node_modules/.bin/node")
}

/// The entry point of the official conformance suite.
pub fn conformance_suite() -> anyhow::Result<PathBuf> {
    installed("node/node_modules/@modelcontextprotocol/conformance/dist/index.js")
}

/// A Python that has the official MCP SDK.
pub fn python() -> anyhow::Result<PathBuf> {
    installed("venv/bin/python")
}

fn installed(path: &str) -> anyhow::Result<PathBuf> {
    let path = root().join(".tools").join(path);
    ensure!(
        path.exists(),
        "{} is missing: run scripts/setup first",
        path.display()
    );
    Ok(path)
}
