//! urr-controlplane.
