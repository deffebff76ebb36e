//! urr-community.
