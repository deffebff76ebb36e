//! urr-vwr.
