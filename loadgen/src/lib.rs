//! urr-loadgen.
