//! Compiles the contracts in pure Rust: no `protoc` is needed on any machine.

use std::{env, fs, path::PathBuf};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let files = [
        "everything/feature/v1/feature.proto",
        "everything/events/v1/events.proto",
        "everything/session/v1/session.proto",
        "everything/session/v1/tasks.proto",
        "everything/auth/v1/auth.proto",
    ];
    for file in files {
        println!("cargo:rerun-if-changed={file}");
    }
    let descriptors = protox::compile(files, [&root])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(
        out.join("descriptors.bin"),
        prost::Message::encode_to_vec(&descriptors),
    )?;
    tonic_prost_build::configure()
        .bytes(".")
        // A generated `connect` constructor would clash with the RPC of that name; `serving` makes the channels.
        .build_transport(false)
        .compile_fds(descriptors)?;
    Ok(())
}
