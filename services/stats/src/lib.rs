//! urr-stats.
