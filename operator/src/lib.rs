//! urr-operator.
