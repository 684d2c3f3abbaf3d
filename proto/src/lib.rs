//! The contracts between the edge and the services, generated from the `.proto` files beside this crate.
//!
//! Contract only: no behaviour lives here.

/// Tools, resources, prompts and completions.
pub mod feature {
    pub mod v1 {
        #![allow(clippy::all, reason = "generated")]
        tonic::include_proto!("everything.feature.v1");
    }
}

/// Payloads on Redis pub/sub and streams.
pub mod events {
    pub mod v1 {
        #![allow(clippy::all, reason = "generated")]
        tonic::include_proto!("everything.events.v1");
    }
}

/// Sessions: ownership, the event log, and the link to every edge.
pub mod session {
    pub mod v1 {
        #![allow(clippy::all, reason = "generated")]
        tonic::include_proto!("everything.session.v1");
    }
}

/// The OAuth authorization server, without its HTTP face.
pub mod auth {
    pub mod v1 {
        #![allow(clippy::all, reason = "generated")]
        tonic::include_proto!("everything.auth.v1");
    }
}

/// Encoded `FileDescriptorSet` of all contracts, for gRPC reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
