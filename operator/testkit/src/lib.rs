//! A real Kubernetes control plane for tests: etcd, kube-apiserver, kube-controller-manager,
//! kube-scheduler and kwok as child processes on loopback, up in seconds, gone with the test run.
//!
//! What a test gets: [`Cluster::shared`] (one per test process), a [`Scope`] (a namespace of its
//! own), fake nodes whose Pods become ready, crash or are lost when the test says so ([`pods`]), real
//! `kubectl`, and a [`proxy`] that numbers every write and can make the k-th one fail in chosen ways.
//!
//! Deployments, Jobs, owner references, garbage collection, HPAs, PodDisruptionBudgets, admission and
//! CEL are the real ones; only kubelets are made up. Where the binaries come from: [`assets`]. Why not
//! an existing harness: docs/decisions/0012.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)
)]

pub mod assets;
pub mod cluster;
mod control_plane;
pub mod crds;
mod error;
mod kubeconfig;
pub mod kubectl;
pub mod nodes;
pub mod pods;
pub mod proxy;
pub mod scope;
pub mod wait;

pub use cluster::Cluster;
pub use error::Error;
pub use kubectl::Output;
pub use scope::Scope;
pub use wait::eventually;
