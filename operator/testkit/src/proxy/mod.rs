//! A plain-HTTP proxy that numbers every write and makes chosen ones fail.
//!
//! It stands before the API server ([`Proxy::to_cluster`]) and before the control API
//! ([`Proxy::to_url`]); with the same [`Faults`] both share one numbering, so "killed after its k-th
//! write" means every write the operator does anywhere. It works for a process as for a task in the
//! test: both speak to a URL. TLS and identity are the proxy's business, so what stands behind it can
//! be bound to the RBAC of a ServiceAccount.
//!
//! The fault model: a write can be refused, delayed, cut before it arrives, or carried out with its
//! answer lost; at a crash point everything goes dark at once and stays so until [`Faults::revive`].
//! Watch events can be dropped or delayed one by one, and reads can be served from the past.

mod call;
mod faults;
mod relay;
mod watch;

pub use call::{Call, Counting, Write};
pub use faults::{Fault, Faults, WatchEvent, WatchFault};
pub use relay::Proxy;
