//! The command line against a real Kubernetes API server, with the operator and the control plane at
//! work: the same verbs as against a drill.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
#![cfg(feature = "cluster")]

mod declared;
mod kubelet;
mod plugin;
mod steered;
mod world;
