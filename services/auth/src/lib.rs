//! urr-auth.
